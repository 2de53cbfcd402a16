"""Customer value: who will buy again, for how much, who holds the value, and whether the forecast holds."""

import numpy as np
import pandas as pd

from crm_analysis.messages import _, count, day, money, month_of, number, percent, plural, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.purchase_tracking import purchase_tracking
from crm_analysis.report.figures.purchases_by_frequency import purchases_by_frequency
from crm_analysis.report.figures.spend_distribution import spend_distribution
from crm_analysis.report.figures.style import MIDDLE
from crm_analysis.report.figures.value_by_tenth import value_by_tenth
from crm_analysis.report.figures.value_matrix import value_matrix
from crm_analysis.report.pieces import Alert, Alerts, Column, Figure, Glossary, Headline, Note, Table
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.value.backtest import Backtest
from crm_analysis.value.concentration import Concentration, value_by_history, value_concentration
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.period import PeriodValuation, value_period


def value_customers(chapter: Chapter) -> PeriodValuation:
    """Forecast and value every customer; leave values, proof and tenths on the shelf."""
    valuation = value_period(chapter.transactions, as_of=chapter.as_of, settings=chapter.settings)
    values, proof = valuation.values, valuation.forecast.backtest
    values.save(chapter.folder / "valuation")
    concentration = value_concentration(values)
    chapter.write("tenths", concentration.tenths)
    chapter.write("concentration_curve", concentration.curve)
    chapter.write("tracking", proof.tracking)
    chapter.write("backtest", proof.scorecard.reset_index())
    chapter.write("by_frequency", proof.by_frequency)
    chapter.write("by_decile", proof.by_decile)
    chapter.write("by_cohort", proof.by_cohort)
    chapter.remember(
        alerts=tuple(_alerts(chapter, valuation)),
        customers=len(values.frame),
        method=valuation.forecast.method,
        verdict=proof.verdict(),
        trust=proof.trust,
        held_out_actual=proof.actual,
        held_out_expected=proof.expected,
        held_out_lower=proof.interval.lower,
        held_out_upper=proof.interval.upper,
        expected_purchases=float(valuation.forecast.expected.sum()),
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
    share_once = float(values.frame.loc[once, "residual_value"].sum()) / values.total if values.total else float("nan")
    return Headline(
        over=_("Customer value, {period}", period=month_of(str(chapter.period))),
        title=_(
            "A tenth of the customers holds {share} of the value", share=percent(concentration.tenths["share"].iloc[0])
        ),
        lede=_(
            "The {customers} customers are expected to buy {purchases} times in the next {horizon} and to bring "
            "{value} of discounted margin. Those who have bought only once, {share_of_customers} of the base, bring "
            "{share_once} of it.",
            customers=count(len(values.frame)),
            purchases=count(values.frame["expected_purchases"].sum()),
            horizon=horizon_words(values),
            value=short_money(values.total, chapter.currency),
            share_of_customers=percent(once.mean()),
            share_once=percent(share_once),
        ),
        status=(
            _("Data to {day}", day=day(chapter.as_of)),
            _(
                "Margin {margin}, discount {rate} a year",
                margin=percent(values.assumptions.margin, 0),
                rate=percent(values.assumptions.annual_discount_rate),
            ),
        ),
    )


def alerts(chapter: Chapter, valuation: PeriodValuation) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(chapter, valuation)))


def tenths_figure(chapter: Chapter, tenths: pd.DataFrame, *, number_: int = 1, name: str = "tenths") -> Figure:
    """Show who holds the value, by tenth of customers."""
    top, lower = tenths["share"].iloc[0], tenths["share"].iloc[4:].sum()
    finding = _(
        "The top tenth holds {top} of the value, the lower six tenths {lower}", top=percent(top), lower=percent(lower)
    )
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_("Share of residual value by tenth of customers, ranked by value; at the right the mean per customer."),
        drawing=value_by_tenth(tenths, name=name, label=finding, currency=chapter.currency),
        note=_(
            "n = {customers} customers, ranked by residual value on {day}.",
            customers=count(tenths["customers"].sum()),
            day=day(chapter.as_of),
        ),
    )


def tenths_table(chapter: Chapter, concentration: Concentration) -> Table:
    """Give the numbers behind the tenths."""
    tenths = concentration.tenths
    frame = tenths.reset_index()
    frame["label"] = [
        _("Top tenth") if tenth == 1 else _("Last tenth") if tenth == 10 else number(tenth, 0)
        for tenth in frame["tenth"]
    ]
    mean = {
        column: float(np.average(tenths[column], weights=tenths["customers"]))
        for column in ("expected_purchases", "expected_spend", "orders")
    }
    last, above = tenths["orders"].iloc[-1], tenths["orders"].iloc[-2]
    finding = (
        _("The last tenth once bought more than the tenth above it")
        if last > above
        else _("Value falls from tenth to tenth, and so do orders so far")
    )
    return Table(
        name="tenths-table",
        number=1,
        finding=finding,
        what=_("Regular buyers who fell silent are worth less than those who bought once.")
        if last > above
        else _("Means per customer."),
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
            "share": 1.0,
            "mean_value": tenths["value"].sum() / tenths["customers"].sum(),
        }
        | mean,
        downloads=chapter.download("value-by-tenth", tenths),
    )


def silence_figure(chapter: Chapter, values: CustomerValues) -> Figure:
    """Show what silence costs, by how often customers have come back."""
    mean_value, customers = value_by_history(values)
    frequent = mean_value.iloc[-1]
    seen = frequent.dropna()
    first, last = float(seen.iloc[0]), float(seen.iloc[-1])
    finding = _(
        "A frequent buyer is worth {first} after a recent purchase, {last} after the longest silence",
        first=money(first, chapter.currency),
        last=money(last, chapter.currency),
    )
    once = float(values.frame.loc[values.customers.frame["frequency"] == 0, "residual_value"].mean())
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
            "n = {customers} customers. Those who bought once keep {once} each, however long ago it was: before a "
            "repeat purchase the model gives nobody a chance to have left, and cannot tell a lost one-time buyer "
            "from a slow one.",
            customers=count(len(values.frame)),
            once=money(once, chapter.currency),
        ),
    )


def frequency_figure(proof: Backtest) -> Figure:
    """Show whether the forecast holds, by repeat purchases before the origin."""
    table = proof.by_frequency
    missed = table[(table["expected"] < table["lower"]) | (table["expected"] > table["upper"])]
    finding = (
        _("The forecast holds for every group of customers")
        if missed.empty
        else _(
            "The forecast misses {missed} of {groups} groups of customers by more than chance",
            missed=count(len(missed)),
            groups=count(len(table)),
        )
    )
    return Figure(
        name="frequency",
        number=3,
        finding=finding,
        what=_(
            "Purchases per customer in the {weeks} weeks after {origin}, by repeat purchases before it. Vertical "
            "lines: 95% interval of the mean.",
            weeks=count(
                proof.horizon if proof.time_unit == "week" else len(proof.tracking[proof.tracking["held_out"]])
            ),
            origin=day(proof.origin),
        ),
        drawing=purchases_by_frequency(table, name="frequency", label=finding),
        note=_(
            "n = {customers} customers: {actual} purchases happened, {expected} were expected. {verdict}",
            customers=count(table["customers"].sum()),
            actual=count(proof.actual),
            expected=count(proof.expected),
            verdict=proof.verdict(),
        ),
    )


def tracking_figure(
    proof_tracking: pd.DataFrame,
    facts: dict[str, float | str],
    *,
    number_: int,
    name: str = "tracking",
    width: int = MIDDLE,
) -> Figure:
    """Show actual and expected purchases week by week, fitted and held out."""
    held_out = proof_tracking[proof_tracking["held_out"]]
    actual, expected = float(facts["held_out_actual"]), float(facts["held_out_expected"])
    lower, upper = float(facts["held_out_lower"]), float(facts["held_out_upper"])
    inside = int(held_out["actual"].between(held_out["lower"], held_out["upper"]).sum())
    share = actual / expected - 1
    if lower <= actual <= upper:
        finding = _("In the held-out weeks customers bought as much as expected")
    elif share > 0:
        finding = _("Customers bought {share} more than expected in the held-out weeks", share=percent(share))
    else:
        finding = _("Customers bought {share} less than expected in the held-out weeks", share=percent(-share))
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_(
            "Repeat purchases per week. The model saw the log to {origin} only.",
            origin=day(proof_tracking.index[~proof_tracking["held_out"]].max().date()),
        ),
        drawing=purchase_tracking(proof_tracking, name=name, label=finding, width=width),
        note=_(
            "Held out: {actual} actual against {expected} expected (95% interval {lower} to {upper}); {inside} of "
            "{weeks} weeks lie inside the weekly band.",
            actual=count(actual),
            expected=count(expected),
            lower=count(lower),
            upper=count(upper),
            inside=count(inside),
            weeks=count(len(held_out)),
        ),
    )


def methods_table(chapter: Chapter, proof: Backtest) -> Table:
    """Set the model beside the naive rules."""
    frame = proof.scorecard.xs(proof.origin).reset_index()
    frame["label"] = [_rule_name(method) for method in frame["method"]]
    finding = (
        _("Customer by customer the model misses by less than both naive rules")
        if len(proof.beaten_rules) == int((frame["kind"] == "naive").sum())
        else _("Customer by customer a naive rule does as well")
    )
    return Table(
        name="methods",
        number=2,
        finding=finding,
        what=_("Held-out time after {origin}. Errors in purchases per customer.", origin=day(proof.origin)),
        frame=frame,
        columns=(
            Column("label", _("Method"), kind="text", sortable=False),
            Column("expected", _("Expected"), _("purchases"), kind="count"),
            Column("actual", _("Actual"), _("purchases"), kind="count"),
            Column("error", _("Error of the total"), kind="percent", digits=1),
            Column("mae", _("Mean absolute error"), _("each"), digits=2),
            Column("rmse", _("Root mean square error"), _("each"), digits=2),
            Column("top_tenth", _("Top tenth made"), _("of the purchases"), kind="percent", digits=0),
        ),
        downloads=chapter.download("backtest", proof.scorecard),
    )


def spend_figure(chapter: Chapter, valuation: PeriodValuation) -> Figure:
    """Show whether the spend model fits, and whether spend goes with frequency."""
    customers, fit, correlation = valuation.values.customers, valuation.values.fits.spend, valuation.correlation
    spend = customers.frame["monetary_value"].dropna()
    table = fit.spend_distribution(customers, spend_classes(spend))
    worst = float((table["observed"] - table["expected"]).abs().max())
    finding = (
        _("The spend model follows what customers spend per order")
        if worst < 0.03
        else _("The spend model misses one class of order values by {points} points", points=number(worst * 100, 0))
    )
    tenable = (
        _("small enough for the model, which takes the two as independent")
        if correlation.tenable
        else _("too strong for the model, which takes the two as independent")
    )
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
            "{upper}): {tenable}.",
            customers=count(correlation.customers),
            r=number(correlation.correlation),
            lower=number(correlation.lower),
            upper=number(correlation.upper),
            tenable=tenable,
        ),
    )


def spend_classes(spend: pd.Series) -> np.ndarray:
    """Round class ends at even shares of the customers: two digits each, 0 first, infinity last."""
    ends = np.quantile(spend, [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.92, 0.97, 0.99])
    size = 10 ** np.floor(np.log10(ends) - 1)
    return np.array([0.0, *np.unique(np.round(ends / size) * size), np.inf])


def top_customers_table(chapter: Chapter, values: CustomerValues, *, rows: int = 10) -> Table:
    """Name the customers worth most, by code unless the settings say otherwise."""
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
    share = float(ranked["residual_value"].sum()) / values.total if values.total else float("nan")
    named = _("Names are replaced by a keyed code.") if chapter.settings.report.pseudonymise else _("Customers by id.")
    return Table(
        name="top-customers",
        number=3,
        finding=plural(
            "The most valuable customer holds {share} of the value",
            "{n} customers hold {share} of the value",
            len(frame),
            share=percent(share, 1),
        ),
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
    return Note(
        title=_("How a customer is valued"),
        paragraphs=(
            _(
                "Purchases: {model} (Fader, Hardie and Lee 2005), fitted by maximum likelihood to {customers} "
                "histories: customers buy at a rate of their own and may leave after any purchase. {parameters}.",
                model=fits.purchases.model_name,
                customers=count(fits.purchases.number_of_customers),
                parameters=_parameters(fits.purchases.coefficients),
            ),
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
                "a {unit}), times expected spend and a margin of {margin}, less the cost to serve. Every customer is "
                "valued by this one model; no chapter fits its own.",
                horizon=horizon_words(valuation.values),
                rate=percent(given.annual_discount_rate),
                weekly=percent(given.continuous_rate, 3),
                unit=_(given.time_unit),
                margin=percent(given.margin, 0),
            ),
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
    found = []
    if proof.actual not in proof.interval:
        consequence = (
            _("Value is more likely understated than overstated.")
            if proof.shortfall > 0
            else _("Value is more likely overstated than understated.")
        )
        found.append(
            Alert(
                "warning" if proof.trust != "close" else "note",
                f"{proof.verdict()} {consequence}",
                f"{page}#tracking",
                _("See the test"),
            )
        )
    if not valuation.correlation.tenable:
        found.append(
            Alert(
                "warning",
                _(
                    "Customers who buy more often also spend differently per order (correlation {r}); the value of "
                    "frequent buyers is uncertain.",
                    r=number(valuation.correlation.correlation),
                ),
                f"{page}#spend",
                _("See spend per order"),
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


def _rule_name(method: str) -> str:
    return {
        "as often as before": _("As often as before"),
        "only recent buyers": _("Only buyers of the last 90 days go on"),
    }.get(method, method)


def _parameters(coefficients: pd.Series) -> str:
    return ", ".join(f"{name} {number(value, 3)}" for name, value in coefficients.items())
