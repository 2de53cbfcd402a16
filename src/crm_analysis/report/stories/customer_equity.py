"""Customer equity: what the current base is worth, how sure that is, and what other assumptions would make of it."""

from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.data.side_door import SideTable
from crm_analysis.messages import _, count, day, money, month_of, number, percent, plural, short_money
from crm_analysis.messages import rate as write_rate
from crm_analysis.models.interval import Interval
from crm_analysis.periods import Horizon, horizon_in_units
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.figures.concentration_curve import concentration_curve
from crm_analysis.report.figures.equity_history import equity_history
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Note
from crm_analysis.report.stories.wording import (
    contents_words,
    horizon_words,
    interval_words,
    margin_source_words,
    margin_words,
    sample_words,
    terms_words,
)
from crm_analysis.report.tables import Column, Table
from crm_analysis.scorecard import Scorecard, build_scorecard
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.equity_history import equity_grid
from crm_analysis.value.lifetime_value import Costs, CustomerValues
from crm_analysis.value.period import period_acquisition
from crm_analysis.value.potential import Pieces
from crm_analysis.value.unprofitable import unprofitable_customers


def value_base(chapter: Chapter) -> CustomerEquity:
    """Add up the values of the chapter before, with an interval; save the equity, to be valued again later."""
    values = CustomerValues.load(chapter.folder / "valuation")
    forecast = chapter.settings.forecast
    acquisition, _words = period_acquisition(chapter.transactions, values, chapter.settings)
    equity = customer_equity(
        values, acquisition=acquisition, draws=forecast.draws, seed=forecast.seed, level=forecast.interval
    )
    equity.save(chapter.folder / "equity")
    return equity


def _prospects_behind(chapter: Chapter, equity: CustomerEquity) -> SideTable | None:
    is_pipeline = equity.acquisition is not None and equity.acquisition.source == "pipeline"
    return open_side_table(chapter.settings, "prospects", as_of=chapter.as_of) if is_pipeline else None


def trace_base(chapter: Chapter, equity: CustomerEquity) -> Scorecard:
    """Compute thirteen months of every indicator and leave them on the shelf."""
    scorecard = build_scorecard(
        chapter.transactions,
        period=chapter.period,
        equity=equity,
        active_days=chapter.settings.forecast.active_days,
        targets=chapter.settings.report.targets,
        fitted_anew=chapter.settings.forecast.purchase_fit is None,
        sample=chapter.valued_log,
        prospects=_prospects_behind(chapter, equity),
    )
    chapter.write("history", scorecard.history)
    chapter.write("scorecard", scorecard.table)
    interval, parameters = equity.interval, equity.parameter_interval
    chapter.remember(
        alerts=tuple(_alerts(chapter, equity)),
        equity=equity.total,
        current=equity.current,
        potential=equity.potential,
        acquisition_cost=equity.acquisition_cost,
        currency=chapter.currency,
        lower=interval.lower,
        upper=interval.upper,
        level=interval.level,
        contains=list(interval.contains),
        parameters_lower=parameters.lower,
        parameters_upper=parameters.upper,
        parameters_contain=list(parameters.contains),
        draws=len(equity.draws),
        horizon=equity.values.assumptions.horizon,
        time_unit=equity.values.assumptions.time_unit,
        margin=equity.values.assumptions.margin,
        annual_discount_rate=equity.values.assumptions.annual_discount_rate,
    )
    return scorecard


def headline(chapter: Chapter, equity: CustomerEquity) -> Headline:
    """Open the chapter."""
    given, interval = equity.values.assumptions, equity.interval
    words = {
        "equity": short_money(equity.total, chapter.currency),
        "horizon": horizon_words(given.horizon, given.time_unit),
    }
    if equity.future is None:
        title = _("The current base is worth {equity} within {horizon}", **words)
        parts = _(
            "That is {each} for each of {customers} customers.",
            each=money(equity.total / equity.values.number_of_customers, chapter.currency),
            customers=count(equity.values.number_of_customers),
        )
    else:
        title = _("Customer equity is {equity} within {horizon}", **words)
        parts = _(
            "The {customers} current customers hold {current} of it; those expected to join bring {potential} and cost "
            "{cost} to acquire.",
            customers=count(equity.values.number_of_customers),
            current=short_money(equity.current, chapter.currency),
            potential=short_money(equity.potential, chapter.currency),
            cost=short_money(equity.acquisition_cost, chapter.currency),
        )
    return Headline(
        over=_("Customer equity, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_(
            "{parts} What they really bring will lie between {lower} and {upper} with a probability of {level}, if the "
            "model holds.",
            parts=parts,
            lower=short_money(interval.lower, chapter.currency),
            upper=short_money(interval.upper, chapter.currency),
            level=percent(interval.level, 0),
        ),
        status=(
            _("Data to {day}", day=day(chapter.transactions.last_date or chapter.as_of)),
            terms_words(given),
        ),
    )


def alerts(chapter: Chapter, equity: CustomerEquity) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(chapter, equity)))


def history_figure(
    chapter: Chapter, scorecard: Scorecard, equity: Interval, *, number_: int = 1, name: str = "history"
) -> Figure:
    """Show thirteen months of equity, each month valued with the log as it stood then."""
    history = pd.DataFrame({"equity": scorecard.history["equity"].dropna()})
    history.index = pd.DatetimeIndex([f"{month}-01" for month in history.index]) + pd.offsets.MonthEnd(0)
    history["lower"] = history["upper"] = float("nan")
    history.loc[history.index[-1], ["lower", "upper"]] = [equity.lower, equity.upper]
    verdict = scorecard.verdict("equity", 1)
    change = scorecard.value("equity") - scorecard.value("equity", 1)
    before = month_of(str(chapter.period.shift(-1)))
    if change != change:
        finding = _("No earlier month can be compared with this one")
    elif verdict == "no clear change":
        finding = _("No clear change since {month}: the difference is smaller than the doubt", month=before)
    elif change > 0:
        finding = _("Equity rose by {change} since {month}", change=short_money(change, chapter.currency), month=before)
    elif change < 0:
        finding = _(
            "Equity fell by {change} since {month}", change=short_money(-change, chapter.currency), month=before
        )
    else:
        finding = _("Equity is the same as in {month}", month=before)
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_(
            "Customer equity at the end of each month, {currency}; the vertical line is the {level} interval of this "
            "month.",
            currency=chapter.currency,
            level=percent(equity.level, 0),
        ),
        drawing=equity_history(history, name=name, label=finding, currency=chapter.currency),
        note=" ".join(
            [_how_months_are_valued(chapter), _("Intervals contain {contains}.", contains=contents_words(equity))]
        ),
    )


def _how_months_are_valued(chapter: Chapter) -> str:
    if chapter.settings.forecast.purchase_fit is None:
        return _(
            "Each month is valued with the log as it stood then, the models fitted anew, the assumptions those of "
            "today."
        )
    return _(
        "Each month is valued with the log as it stood then; the purchase model, as it was given, and the assumptions "
        "are those of today."
    )


def parts_table(chapter: Chapter, equity: CustomerEquity, *, number_: int) -> Table:
    """Say what is in the equity and what is not."""
    intervals = {
        "current": (equity.current_interval, equity.current_parameter_interval),
        "total": (equity.interval, equity.parameter_interval),
    }
    frame = pd.DataFrame(
        {
            "part": [_("Current customers"), _("Future customers, gross"), _("Cost of acquiring them")],
            "value": [equity.current, equity.potential, None if equity.future is None else -equity.future.cost],
            **_ends("current", intervals, blanks=2),
        }
    ).astype(dict.fromkeys(_ENDS, float) | {"value": float})
    if equity.future is None:
        finding = _("Customer equity is that of the current base; future customers are not valued")
    else:
        share = equity.current / equity.total if equity.total > 0 else float("nan")
        finding = (
            _("Current customers hold {share} of customer equity", share=percent(share))
            if 0 <= share <= 1
            else _("Future customers bring less than acquiring them costs")
            if equity.future.net < 0
            else _("Customer equity on its three lines")
        )
    currency = chapter.currency
    plain: dict[str, Any] = {"kind": "money", "currency": currency, "digits": 0, "sortable": False}
    return Table(
        name="parts",
        number=number_,
        finding=finding,
        what=f"{_newcomers_words(chapter, equity)} {interval_words(equity)}",
        frame=frame,
        columns=(
            Column("part", _("Part"), kind="text", sortable=False),
            Column("value", _("Value"), currency, **plain),
            Column("lower", _("What is realised, from"), "", **plain),
            Column("upper", _("to"), "", **plain),
            Column("expected_lower", _("What is expected, from"), "", **plain),
            Column("expected_upper", _("to"), "", **plain),
        ),
        total={"part": _("Customer equity"), "value": equity.total}
        | {key: ends[0] for key, ends in _ends("total", intervals, blanks=0).items()},
        downloads=chapter.download("customer-equity", frame.set_index("part")),
    )


_ENDS = ("lower", "upper", "expected_lower", "expected_upper")


def _ends(part: str, intervals: dict[str, tuple[Interval, Interval]], *, blanks: int) -> dict[str, list[float | None]]:
    """Return the ends of both intervals of a part as columns, with blanks for lines that have none of their own."""
    realised, expected = intervals[part]
    ends = (realised.lower, realised.upper, expected.lower, expected.upper)
    return {key: [end, *[None] * blanks] for key, end in zip(_ENDS, ends, strict=True)}


def _newcomers_words(chapter: Chapter, equity: CustomerEquity) -> str:
    """Say how many are expected to join and where that comes from, or why nobody is valued."""
    joining = equity.acquisition
    if joining is None:
        _none, why = period_acquisition(chapter.transactions, equity.values, chapter.settings)
        return _("{why} Their worth is left open, not taken as zero.", why=why)
    given = equity.values.assumptions
    assert given.horizon_in_units is not None  # the settings give a horizon
    pieces = Pieces.of(given.time_unit, equity.values.customers.as_of, until=given.horizon_in_units)
    return _(
        "{number} customers are expected to join within {horizon}. {words}",
        number=count(float(pieces.number(joining.of_months(pieces.months)).sum())),
        horizon=horizon_words(given.horizon, given.time_unit),
        words=joining.words,
    )


def unprofitable_note(chapter: Chapter, equity: CustomerEquity) -> Note:
    """Say who is expected to cost more than they bring, and by which costs."""
    costs = unprofitable_customers(equity.values)
    currency = chapter.currency
    if costs.customers == 0:
        return Note(
            _("Nobody is expected to cost more than they bring"),
            (_("Margin to come exceeds the cost of orders and service for every customer."),),
        )
    return Note(
        plural(
            "{n} customer is expected to cost more than they bring",
            "{n} customers are expected to cost more than they bring",
            costs.customers,
        ),
        (
            _(
                "Together they are worth {value}: {margin} of margin to come, less {orders} for their orders and "
                "{service} for serving them{tax}. Such values stay in the total as they are.",
                value=money(costs.value, currency),
                margin=money(costs.margin, currency),
                orders=money(costs.orders, currency),
                service=money(costs.service, currency),
                tax="" if not costs.tax else _(", and {tax} of tax saved by it", tax=money(costs.tax, currency)),
            ),
        ),
    )


def assumptions_table(chapter: Chapter, equity: CustomerEquity, *, number_: int) -> Table:
    """Value the base under other horizons and rates."""
    given = equity.values.assumptions
    horizons: list[Horizon] = ["12 months", "24 months", "36 months", "60 months"]
    if given.horizon is not None and given.horizon not in horizons:
        horizons.append(given.horizon)
    horizons.sort(key=lambda horizon: horizon_in_units(horizon, given.time_unit))
    rates = sorted({0.05, 0.10, 0.15, round(given.annual_discount_rate, 6)})
    grid = equity_grid(equity.values, horizons=[*horizons, None], annual_discount_rates=rates)
    labels = [horizon_words(horizon, given.time_unit) for horizon in grid.index]
    frame = (
        grid.set_axis([f"rate_{position}" for position in range(len(rates))], axis=1)
        .assign(horizon=labels)
        .reset_index(drop=True)
    )
    at_this_rate = grid[rates[rates.index(round(given.annual_discount_rate, 6))]]
    year = at_this_rate.loc["12 months"]
    times = float(at_this_rate.iloc[-1] / year) if year else float("inf")
    finding = (
        _("All of the future is worth {times} times the next 12 months", times=number(times, 1))
        if np.isfinite(times) and at_this_rate.min() > 0
        else _("The same base under other horizons and rates")
    )
    return Table(
        name="assumptions",
        number=number_,
        finding=finding,
        what=_(
            "Equity of the current base under other horizons and annual discount rates, all else unchanged; this "
            "book uses {horizon} and {rate}.",
            horizon=horizon_words(given.horizon, given.time_unit),
            rate=write_rate(given.annual_discount_rate),
        ),
        frame=frame,
        columns=(
            Column("horizon", _("Horizon"), kind="text", sortable=False),
            *(
                Column(
                    f"rate_{position}",
                    write_rate(annual),
                    _("discount a year"),
                    kind="money",
                    currency=chapter.currency,
                    digits=0,
                    sortable=False,
                )
                for position, annual in enumerate(rates)
            ),
        ),
        downloads=chapter.download("equity-assumptions", grid.set_axis(labels, axis=0)),
    )


def curve_figure(chapter: Chapter, curve: pd.DataFrame, value: Memory, *, number_: int) -> Figure | Note:
    """Show how unequally the equity is held."""
    if curve["share_of_value"].isna().any():
        return Note(
            _("No shares to show"),
            (_("Serving the base costs more than its margin brings; shares of a total below zero mean nothing."),),
        )
    top = float(np.interp(0.05, curve["share_of_customers"], curve["share_of_value"]))
    finding = _("One customer in twenty holds {share} of the current base's worth", share=percent(top))
    return Figure(
        name="concentration",
        number=number_,
        finding=finding,
        what=_(
            "Share of the current base's worth held by the most valuable customers, from the top down; the straight "
            "line is a base "
            "in which all are worth the same."
        ),
        drawing=concentration_curve(curve, name="concentration", label=finding),
        note=_("Gini coefficient {gini}.", gini=number(value.facts["gini"])),
    )


def parameters_table(equity: CustomerEquity, *, number_: int) -> Table:
    """List the estimates with their standard errors."""
    rows = []
    for fit in equity.values.fits:
        table = fit.summary().reset_index(names="parameter")
        rows.append(table.assign(parameter=[f"{fit.model_name} {name}" for name in table["parameter"]]))
    frame = pd.concat(rows, ignore_index=True)
    likelihoods = ", ".join(f"{fit.model_name} {number(fit.log_likelihood, 1)}" for fit in equity.values.fits)
    return Table(
        name="parameters",
        number=number_,
        finding=_("Estimates of both models"),
        what=_(
            "Maximum likelihood with standard errors and 95% intervals. Log-likelihood: {likelihoods}.",
            likelihoods=likelihoods,
        ),
        frame=frame,
        columns=(
            Column("parameter", _("Parameter"), kind="text", sortable=False),
            Column("estimate", _("Estimate"), digits=4, sortable=False),
            Column("standard_error", _("Standard error"), digits=4, sortable=False),
            Column("lower", _("Lower"), "95%", digits=4, sortable=False),
            Column("upper", _("Upper"), "95%", digits=4, sortable=False),
        ),
    )


def method_note(chapter: Chapter, equity: CustomerEquity) -> Note:
    """Say what the number is and what it is not."""
    given, costs = equity.values.assumptions, equity.values.assumptions.costs
    sample = sample_words(equity.values)
    scaled = _(
        "The models are fitted to the sample, and its customers live on in the simulated futures. What is expected is "
        "scaled by how many customers each of them stands for, chance by the square root of that; the error of the "
        "sample is added as if it always pulled the way the parameters do, which is a little too wide."
    )
    return Note(
        title=_("How the base is valued"),
        paragraphs=(
            *([sample, scaled] if sample else []),
            _(
                "The current base is the sum of the residual values of all current customers within {horizon}: "
                "expected purchases, discounted at {rate} a year, times expected spend and a margin of {margin}, "
                "less {costs}.",
                horizon=horizon_words(given.horizon, given.time_unit),
                rate=write_rate(given.annual_discount_rate),
                margin=margin_words(given),
                costs=_costs_words(costs, chapter.currency),
            ),
            *margin_source_words(given, chapter.settings.money, chapter.currency),
            *([_future_words()] if equity.future is not None else []),
            _(
                "The interval comes from {draws} simulated futures: each draws the parameters of both models from "
                "their sampling distribution and lets every customer live on under them. It contains {contains}. The "
                "doubt about the model itself is not inside; the test on the held-out weeks in the chapter on "
                "customer value speaks of it.",
                draws=count(len(equity.draws)),
                contains=contents_words(equity.interval),
            ),
        ),
    )


def _future_words() -> str:
    return _(
        "Future customers are worth their first purchase and all after it within the same horizon, discounted from the "
        "day they are expected to join, less the same costs; they are taken to be like those the models were fitted "
        "to. What acquiring them costs stands on a line of its own."
    )


def _costs_words(costs: Costs, currency: str) -> str:
    if not costs.cost_per_order and not costs.cost_to_serve_per_year:
        words = _("nothing, because no cost of orders or service is set")
    else:
        words = _(
            "{per_order} an order and {per_year} a year for each living customer",
            per_order=money(costs.cost_per_order, currency),
            per_year=money(costs.cost_to_serve_per_year, currency),
        )
    if not costs.tax_rate:
        return words
    return _("{costs}; of what is left {tax} goes as tax", costs=words, tax=write_rate(costs.tax_rate))


def _alerts(chapter: Chapter, equity: CustomerEquity) -> list[Alert]:
    return [
        Alert(
            "note",
            _(
                "The interval of equity carries {contents}, not the doubt about the model.",
                contents=contents_words(equity.interval),
            ),
            f"{chapter.entry.page}#s-method",
            _("See the method"),
        )
    ]
