"""Customer value: who will buy again, for how much, who holds the value, and whether the forecast holds."""

from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.messages import _, count, day, money, month_of, number, percent, plural, rate, short_money
from crm_analysis.periods import horizon_in_units
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.spend_distribution import spend_distribution
from crm_analysis.report.figures.value_by_tenth import value_by_tenth
from crm_analysis.report.figures.value_matrix import value_matrix
from crm_analysis.report.pieces import Alert, Alerts, Figure, Glossary, Headline, Note
from crm_analysis.report.stories.wording import (
    horizon_words,
    margin_source_words,
    margin_words,
    of_the_sample,
    purchase_model_words,
    sample_words,
    tenth_words,
    terms_words,
    valued_words,
)
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.concentration import Concentration, value_by_history, value_concentration
from crm_analysis.value.evidence import spend_classes
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.period import PeriodValuation, value_period


def value_customers(chapter: Chapter) -> PeriodValuation:
    """Forecast and value every customer; leave values, proof and tenths on the shelf."""
    valuation = value_period(chapter.valued_log, as_of=chapter.as_of, settings=chapter.settings)
    values, proof = valuation.values, valuation.forecast.backtest
    values.save(chapter.folder / "valuation")
    concentration = value_concentration(values)
    chapter.write("tenths", concentration.tenths)
    chapter.write("concentration_curve", concentration.curve)
    chapter.write("tracking", proof.tracking)
    chapter.write("backtest", proof.scorecard.reset_index())
    chapter.write("comparison", proof.comparison.reset_index())
    chapter.write("by_frequency", proof.by_frequency)
    chapter.write("by_decile", proof.by_decile)
    chapter.write("by_cohort", proof.by_cohort)
    chapter.remember(
        alerts=tuple(_alerts(chapter, valuation)),
        customers=values.number_of_customers,
        valued=valued_words(values),
        customers_valued=len(values.frame),
        stands_for=values.customers.stands_for,
        sampling_error=values.sampling_error,
        method=valuation.forecast.method,
        verdict=proof.verdict(),
        trust=proof.trust,
        given_flow=proof.given_flow,
        held_out_actual=proof.actual,
        held_out_expected=proof.expected,
        held_out_lower=proof.interval.lower,
        held_out_upper=proof.interval.upper,
        expected_purchases=float(valuation.forecast.expected.sum()) * values.customers.stands_for,
        gini=concentration.gini,
        top_tenth_share=float(concentration.tenths["share"].iloc[0]),
        top_twentieth_share=concentration.share_of_top(0.05),
        purchase_model={"name": values.fits.purchases.model_name} | dict(values.fits.purchases.coefficients),
        spend_model={"name": values.fits.spend.model_name} | dict(values.fits.spend.coefficients),
        converged=values.fits.purchases.converged and values.fits.spend.converged,
        spend_frequency_correlation=valuation.correlation.correlation,
    )
    return valuation


def headline(chapter: Chapter, valuation: PeriodValuation) -> Headline:
    """Open the chapter."""
    values = valuation.values
    concentration = value_concentration(values)
    once = values.customers.frame["frequency"] == 0
    scale = values.customers.stands_for
    from_once = float(values.frame.loc[once, "residual_value"].sum()) * scale
    title = (
        _("A tenth of the customers holds {share} of the value", share=percent(concentration.tenths["share"].iloc[0]))
        if values.total > 0
        else _("Serving the base costs more than its margin brings")
    )
    return Headline(
        over=_("Customer value, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_(
            "The {customers} customers are expected to buy {purchases} times in the next {horizon} and to bring "
            "{value} of discounted margin after costs. Those who have bought only once, {share_of_customers} of the "
            "base, bring {from_once} of it.",
            customers=count(values.number_of_customers),
            purchases=count(values.frame["expected_purchases"].sum() * scale),
            horizon=horizon_words(values.assumptions.horizon, values.assumptions.time_unit),
            value=short_money(values.total, chapter.currency),
            share_of_customers=percent(once.mean()),
            from_once=short_money(from_once, chapter.currency),
        ),
        status=(
            _("Data to {day}", day=day(chapter.transactions.last_date or chapter.as_of)),
            terms_words(values.assumptions),
        ),
    )


def alerts(chapter: Chapter, valuation: PeriodValuation) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(chapter, valuation)))


def tenths_figure(chapter: Chapter, tenths: pd.DataFrame, *, number_: int = 1, name: str = "tenths") -> Figure:
    """Show who holds the value, by tenth of customers."""
    valued = dict(chapter.recall("customer_value").facts)
    worth, shares = tenths["value"], tenths["share"]
    if worth.sum() > 0 and len(tenths) == 10:
        finding = _(
            "The top tenth holds {top} of the value, the lower six tenths {lower}",
            top=percent(shares.iloc[0]),
            lower=percent(shares.iloc[4:].sum()),
        )
    else:
        finding = _(
            "The most valuable tenth is worth {top}, the least valuable {last}",
            top=short_money(worth.iloc[0], chapter.currency),
            last=short_money(worth.iloc[-1], chapter.currency),
        )
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_("Share of residual value by tenth of customers, ranked by value; at the right the mean per customer."),
        drawing=value_by_tenth(tenths, name=name, label=finding, currency=chapter.currency),
        note=_("{customers}, ranked by residual value on {day}.", customers=_looked_at(valued), day=day(chapter.as_of)),
    )


def tenths_table(chapter: Chapter, concentration: Concentration) -> Table:
    """Give the numbers behind the tenths."""
    tenths = concentration.tenths
    frame = tenths.reset_index()
    frame["label"] = [tenth_words(tenth) for tenth in frame["tenth"]]
    mean = {
        column: float(np.average(tenths[column], weights=tenths["customers"]))
        for column in ("expected_purchases", "expected_spend", "orders")
    }
    orders = tenths["orders"]
    if len(orders) > 1 and orders.iloc[-1] > orders.iloc[-2]:
        finding = _("The last tenth once bought more than the tenth above it")
        what = _("Regular buyers who fell silent can be worth less than those who bought once. Means per customer.")
    elif orders.is_monotonic_decreasing:
        finding = _("Value falls from tenth to tenth, and so do orders so far")
        what = _("Means per customer.")
    else:
        finding = _("Value falls from tenth to tenth; orders so far do not follow it everywhere")
        what = _("How long ago a customer bought counts beside how often. Means per customer.")
    return Table(
        name="tenths-table",
        number=1,
        finding=finding,
        what=what,
        frame=frame,
        columns=(
            Column("label", _("Tenth"), kind="text", sortable=False),
            Column("value", _("Value"), chapter.currency, kind="money", currency=chapter.currency, digits=0),
            Column("share", _("Share"), kind="percent", digits=1),
            Column("mean_value", _("Mean value"), _("each"), kind="money", currency=chapter.currency, digits=2),
            Column("expected_purchases", _("Purchases to come"), _("expected, each"), digits=2),
            Column(
                "expected_spend", _("Order value"), _("expected"), kind="money", currency=chapter.currency, digits=2
            ),
            Column("orders", _("Orders so far"), _("each"), digits=1),
            Column("days_since_last", _("Last purchase"), _("median days ago"), kind="count"),
        ),
        total={
            "label": _("All"),
            "value": tenths["value"].sum(),
            "share": tenths["share"].sum(min_count=1),
            "mean_value": tenths["value"].sum() / tenths["customers"].sum(),
        }
        | mean,
        downloads=chapter.download("value-by-tenth", tenths),
    )


def silence_figure(chapter: Chapter, values: CustomerValues) -> Figure:
    """Show what silence costs, by how often customers have come back."""
    mean_value, customers = value_by_history(values)
    valued = dict(chapter.recall("customer_value").facts)
    compared = mean_value[mean_value.notna().sum(axis=1) > 1]
    if compared.empty:
        finding = _("What customers are worth, by how often and how recently they bought")
    else:
        seen = compared.iloc[-1].dropna()
        finding = _(
            "With {repeats} repeat purchases a customer is worth {first} after {recent} days of silence, {last} "
            "after {long}",
            repeats=str(compared.index[-1]),
            first=money(float(seen.iloc[0]), chapter.currency),
            recent=str(seen.index[0]),
            last=money(float(seen.iloc[-1]), chapter.currency),
            long=str(seen.index[-1]),
        )
    once = values.frame.loc[values.customers.frame["frequency"] == 0, "residual_value"]
    return Figure(
        name="silence",
        number=2,
        finding=finding,
        what=_(
            "Mean residual value per customer, with the number of customers below it, by repeat purchases so far and "
            "days since the last purchase."
        ),
        drawing=value_matrix(mean_value, customers, name="silence", label=finding, currency=chapter.currency),
        note=_(
            "{customers}. Those who bought once are worth {low} to {high}. {why}",
            customers=_looked_at(valued),
            low=money(float(once.min()), chapter.currency),
            high=money(float(once.max()), chapter.currency),
            why=(
                _(
                    "Before a repeat purchase the model takes nobody as lost; their value falls only because they are "
                    "judged to be slower the longer they wait."
                )
                if (values.frame.loc[once.index, "probability_alive"] == 1).all()
                else _("Some of them are taken as lost, the more the longer they wait.")
            ),
        ),
    )


def spend_figure(chapter: Chapter, valuation: PeriodValuation) -> Figure:
    """Show whether the spend model fits, and whether spend goes with frequency."""
    customers, fit, correlation = valuation.values.customers, valuation.values.fits.spend, valuation.correlation
    spend = customers.frame["monetary_value"].dropna()
    table = fit.spend_distribution(customers, spend_classes(spend))
    # Missed is what chance would hardly do in any of the classes (normal error of a share, Bonferroni).
    chance = np.sqrt(table["expected"] * (1 - table["expected"]) / max(correlation.customers, 1))
    miss = (table["observed"] - table["expected"]).abs()
    missed = miss > ndtri(1 - 0.025 / len(table)) * chance
    finding = (
        _("The spend model misses no class of order values by more than chance")
        if not missed.any()
        else _(
            "The spend model misses {missed} of {classes} classes of order values, the most by {points} points",
            missed=count(missed.sum()),
            classes=count(len(table)),
            points=number(float(miss.max()) * 100, 1),
        )
    )
    judged = {
        "fine": _("small enough for the model, which takes the two as independent"),
        "correlated": _("too strong for the model, which takes the two as independent"),
        "undecided": _("the interval leaves open whether it harms the model, which takes the two as independent"),
        "unknown": _("it cannot be judged, because all customers buy or spend alike"),
    }[correlation.judgement]
    return Figure(
        name="spend",
        number=5,
        finding=finding,
        what=_(
            "Customers with a repeat purchase, by mean value of a repeat order in {currency}; share of customers. "
            "Classes widen to the right, the last is open.",
            currency=chapter.currency,
        ),
        drawing=spend_distribution(table, name="spend", label=finding, currency=chapter.currency),
        note=_(
            "n = {customers}. Correlation between number and value of purchases {r} (95% interval {lower} to "
            "{upper}): {judged}.",
            customers=count(correlation.customers),
            r=number(correlation.correlation),
            lower=number(correlation.lower),
            upper=number(correlation.upper),
            judged=judged,
        )
        + of_the_sample(customers.stands_for),
    )


def top_customers_table(chapter: Chapter, values: CustomerValues, *, rows: int = 10) -> Table | Note:
    """Name the customers worth most, by code unless the settings say otherwise; a sample does not know them."""
    if values.customers.stands_for > 1:
        return Note(
            _("Not told by a sample"),
            (
                _(
                    "Which of the most valuable customers are in a sample is chance, so none are named here. The value "
                    "of every customer is written by the command crm-analysis value."
                ),
            ),
        )
    ranked = values.frame.sort_index().sort_values("residual_value", ascending=False, kind="stable").head(rows)
    summary = values.customers.frame.loc[ranked.index]
    frame = pd.DataFrame(
        {
            "customer": chapter.names(ranked.index),
            "residual_value": ranked["residual_value"].to_numpy(),
            "probability_alive": ranked["probability_alive"].to_numpy(),
            "expected_purchases": ranked["expected_purchases"].to_numpy(),
            "expected_spend": ranked["expected_spend"].to_numpy(),
            "orders": summary["frequency"].to_numpy() + 1,
            "total_spend": summary["total_spend"].to_numpy(),
            "last_purchase": summary["last_purchase"].to_numpy(),
        }
    )
    worth = float(ranked["residual_value"].sum())
    named = _("Names are replaced by a keyed code.") if chapter.settings.report.pseudonymise else _("Customers by id.")
    finding = (
        plural(
            "The most valuable customer holds {share} of the value",
            "The {n} most valuable customers hold {share} of the value",
            len(frame),
            share=percent(worth / values.total, 1),
        )
        if values.total > 0
        else plural(
            "The most valuable customer is worth {worth}",
            "The {n} most valuable customers are worth {worth}",
            len(frame),
            worth=short_money(worth, chapter.currency),
        )
    )
    return Table(
        name="top-customers",
        number=5,
        finding=finding,
        what=named,
        frame=frame,
        columns=(
            Column("customer", _("Customer"), kind="code"),
            Column("residual_value", _("Value"), kind="money", currency=chapter.currency, digits=0),
            Column("probability_alive", _("Still a customer"), _("probability"), kind="percent", digits=0),
            Column("expected_purchases", _("Purchases to come"), _("expected"), kind="count"),
            Column(
                "expected_spend", _("Order value"), _("expected"), kind="money", currency=chapter.currency, digits=2
            ),
            Column("orders", _("Orders so far"), kind="count"),
            Column("total_spend", _("Paid so far"), kind="money", currency=chapter.currency, digits=0),
            Column("last_purchase", _("Last purchase"), kind="day"),
        ),
        downloads=chapter.download("top-customers", frame.set_index("customer")),
    )


def method_note(chapter: Chapter, valuation: PeriodValuation) -> Note:
    """Say how the numbers come about."""
    fits, given = valuation.values.fits, valuation.values.assumptions
    sample = sample_words(valuation.values)
    return Note(
        title=_("How a customer is valued"),
        paragraphs=(
            *([f"{sample} {_in_the_sample()}"] if sample else []),
            _(
                "Purchases: {model}, fitted by maximum likelihood to {customers} histories. {words} {parameters}.",
                model=fits.purchases.model_name,
                customers=count(fits.purchases.number_of_customers),
                words=purchase_model_words(fits.purchases),
                parameters=_parameters(fits.purchases.coefficients),
            ),
            _("How the forecast came about: {method}", method=valuation.forecast.method),
            _(
                "Spend: {model} (Fader and Hardie 2013), fitted to {customers} customers with a repeat spend; the "
                "mean of one customer is drawn towards that of all, {mean} an order. {parameters}.",
                model=fits.spend.model_name,
                customers=count(fits.spend.number_of_customers),
                mean=money(fits.spend.population_mean, chapter.currency),
                parameters=_parameters(fits.spend.coefficients),
            ),
            _(
                "Residual value: purchases expected in {horizon}, discounted at {rate} a year (continuously {weekly} "
                "a {unit}), times expected spend and a margin of {margin}, less the cost to serve. One model "
                "values all of them; no chapter fits its own.",
                horizon=horizon_words(given.horizon, given.time_unit),
                rate=rate(given.annual_discount_rate),
                weekly=percent(given.continuous_rate, 3),
                unit=_(given.time_unit),
                margin=margin_words(given),
            ),
            *margin_source_words(given, chapter.settings.money, chapter.currency),
        ),
    )


def glossary() -> Glossary:
    """Explain the words of the chapter."""
    return Glossary(
        (
            (
                "g-residual-value",
                _("Residual value"),
                _(
                    "Discounted margin a customer is expected to bring after the date of the book, less the future "
                    "cost to serve."
                ),
            ),
            (
                "g-lifetime-value",
                _("Lifetime value"),
                _(
                    "Margin earned so far less the costs so far, carried to the date of the book, plus the residual "
                    "value."
                ),
            ),
            (
                "g-alive",
                _("Still a customer"),
                _(
                    "Probability that a customer has not left for good, given how often and how recently the "
                    "customer bought."
                ),
            ),
            (
                "g-held-out",
                _("Held-out weeks"),
                _("The last part of the log, which the model did not see when it was fitted for the test."),
            ),
            (
                "g-gini",
                _("Gini coefficient"),
                _(
                    "How unequally value is spread: 0 when all customers are worth the same, near 1 when one holds "
                    "everything."
                ),
            ),
        )
    )


def _alerts(chapter: Chapter, valuation: PeriodValuation) -> list[Alert]:
    proof, page = valuation.forecast.backtest, chapter.entry.page
    found: list[Alert] = []
    if sample := sample_words(valuation.values):
        found.append(Alert("note", sample, f"{page}#s-method", _("See the method")))
    if proof.actual not in proof.interval or proof.trust == "poor":
        consequence = (
            _("Value is more likely understated than overstated.")
            if proof.shortfall > 0
            else _("Value is more likely overstated than understated.")
        )
        severity: Literal["warning", "note"] = "note" if proof.trust == "close" else "warning"
        # A forecast with a level has taken such an error into account already.
        said = proof.verdict() if valuation.forecast.level is not None else f"{proof.verdict()} {consequence}"
        found.append(Alert(severity, said, f"{page}#tracking", _("See the test")))
    asked = horizon_in_units(chapter.settings.forecast.holdout, proof.time_unit)
    if proof.horizon < asked * 0.99:
        found.append(
            Alert(
                "note",
                _(
                    "The log is short: the forecast was tested on its last {weeks} weeks, fewer than the settings "
                    "ask for.",
                    weeks=count(proof.tracking["held_out"].sum()),
                ),
                f"{page}#tracking",
                _("See the test"),
            )
        )
    for fit in valuation.values.fits:
        found.extend(
            Alert(
                "warning",
                _("{model}: {advice}", model=fit.model_name, advice=advice),
                f"{page}#s-method",
                _("See the method"),
            )
            for advice in fit.advice
        )
    return found


def _looked_at(valued: dict[str, Any]) -> str:
    """Say how many customers were looked at, and of a sample how many they stand for."""
    if valued["stands_for"] == 1:
        return _("n = {customers} customers", customers=count(valued["customers"]))
    return _(
        "n = {drawn} customers drawn, standing for {customers}",
        drawn=count(valued["customers_valued"]),
        customers=count(valued["customers"]),
    )


def _in_the_sample() -> str:
    return _("The test of the forecast, the fits and what is said of the method count the customers of the sample.")


def _parameters(coefficients: pd.Series) -> str:
    return ", ".join(f"{name} {number(value, 3)}" for name, value in coefficients.items())
