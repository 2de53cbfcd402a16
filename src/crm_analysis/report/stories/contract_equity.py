"""Customer equity of a company of contracts: what members are worth, how sure that is, what other terms make of it."""

import warnings
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import EstimationWarning
from crm_analysis.messages import _, count, day, money, month_of, percent, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.equity_history import equity_history
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline
from crm_analysis.report.stories.contract_estimates import facts_of_test, held_out_test
from crm_analysis.report.stories.contract_plans import plans_of
from crm_analysis.report.stories.wording import contents_words, horizon_words, interval_words, terms_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.scorecard import CONTRACT_INDICATORS, Scorecard, check_targets, months_shown
from crm_analysis.value.contract_equity import ContractEquity, contract_equity
from crm_analysis.value.contract_history import contract_history
from crm_analysis.value.contract_period import contract_acquisition, fees_are_assumed, value_contracts, with_fees
from crm_analysis.value.member_counts import member_counts


def value_members(chapter: Chapter) -> ContractEquity:
    """Value the contracts and add them up, with an interval; save the equity, to be valued again later."""
    settings, frame = chapter.settings, chapter.memberships.frame
    forecast = settings.forecast
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", EstimationWarning)
        values = value_contracts(frame, as_of=chapter.as_of, settings=settings)
    acquisition, _words = contract_acquisition(frame, as_of=chapter.as_of, settings=settings)
    equity = contract_equity(
        values, acquisition=acquisition, draws=forecast.draws, seed=forecast.seed, level=forecast.interval
    )
    equity.save(chapter.folder / "equity")
    doubts = [str(one.message) for one in caught if issubclass(one.category, EstimationWarning)]
    chapter.write("doubts", pd.DataFrame({"words": list(dict.fromkeys(doubts))}, dtype="str"))
    return equity


def trace_members(chapter: Chapter, equity: ContractEquity) -> Scorecard:
    """Compute thirteen months of every indicator, test the model, and leave all of it on the shelf."""
    settings, values = chapter.settings, equity.values
    check_targets(settings.report.targets, CONTRACT_INDICATORS)
    table = chapter.memberships
    months = months_shown(chapter.period)
    dates = [month.last_day for month in months]
    history = member_counts(with_fees(table.frame, settings), dates=[months[0].shift(-1).last_day, *dates])
    earlier = contract_history(table, dates=dates[:-1], settings=settings, acquisition=equity.acquisition)
    history["equity"] = [*earlier, equity.total]
    # Before the first contract there was no club, which is another thing than a club without members.
    history = history[history.index >= values.contracts["started_on"].min()].reindex(history.index)
    history = history.set_axis(pd.Index([str(month) for month in months], name="month"))
    scorecard = Scorecard(
        history[[one.key for one in CONTRACT_INDICATORS]],
        chapter.period,
        equity.interval,
        equity.parameter_interval,
        settings.report.targets,
        CONTRACT_INDICATORS,
    )
    test = held_out_test(chapter)
    tracking = pd.DataFrame(columns=["actual", "expected", "lower", "upper"]) if test is None else test.tracking
    chapter.write("history", scorecard.history)
    chapter.write("scorecard", scorecard.table)
    chapter.write("tracking", tracking.astype("float64"))
    chapter.write("plans", plans_of(values))
    interval, parameters = equity.interval, equity.parameter_interval
    chapter.remember(
        alerts=tuple(_alerts(chapter, equity, facts_of_test(test))),
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
        horizon=values.assumptions.horizon,
        time_unit=values.assumptions.time_unit,
        margin=values.assumptions.margin,
        annual_discount_rate=values.assumptions.annual_discount_rate,
        fees_assumed=fees_are_assumed(table.frame),
        customers=values.number_of_customers,
        valued=_("All {members} members were valued.", members=count(values.number_of_customers)),
        converged=all(bool(fit.converged) for fit in values.fits.values()),
        models=_models(equity),
        test=facts_of_test(test),
    )
    return scorecard


def _models(equity: ContractEquity) -> list[dict[str, Any]]:
    """Name the fits behind the book, one for each that several plans share."""
    told: dict[tuple[str, float, float], dict[str, Any]] = {}
    for group, row in equity.values.groups.iterrows():
        if row["one_chance"]:
            leaving = float(row["alpha"] / (row["alpha"] + row["beta"]))
            one = {"name": _("one chance ({plan})", plan=group), "leaving": leaving}
        else:
            one = {"name": f"sBG ({group})", "alpha": float(row["alpha"]), "beta": float(row["beta"])}
        told.setdefault((str(row["fitted_on"]), float(row["alpha"]), float(row["beta"])), one)
    return list(told.values())


def headline(chapter: Chapter, equity: ContractEquity) -> Headline:
    """Open the chapter."""
    given, interval, currency = equity.values.assumptions, equity.interval, chapter.currency
    words = {"equity": short_money(equity.total, currency), "horizon": horizon_words(given.horizon, given.time_unit)}
    members = equity.values.number_of_customers
    if equity.future is None:
        title = _("The members are worth {equity} within {horizon}", **words)
        parts = _(
            "That is {each} for each of {members} members.",
            each=money(equity.total / members, currency),
            members=count(members),
        )
    else:
        title = _("Customer equity is {equity} within {horizon}", **words)
        parts = _(
            "The {members} members hold {current} of it; those expected to join bring {potential} and cost {cost} to "
            "acquire.",
            members=count(members),
            current=short_money(equity.current, currency),
            potential=short_money(equity.potential, currency),
            cost=short_money(equity.acquisition_cost, currency),
        )
    return Headline(
        over=_("Customer equity, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_(
            "{parts} What they really bring will lie between {lower} and {upper} with a probability of {level}, if the "
            "model holds. Fees paid already are not in it.",
            parts=parts,
            lower=short_money(interval.lower, currency),
            upper=short_money(interval.upper, currency),
            level=percent(interval.level, 0),
        ),
        status=(_("Data to {day}", day=day(chapter.as_of)), terms_words(given), _fee_words(chapter)),
    )


def _fee_words(chapter: Chapter) -> str:
    if not fees_are_assumed(chapter.memberships.frame):
        return _("Fees as the contracts tell")
    set_by, currency = chapter.settings.money, chapter.currency
    if set_by.fee is not None:
        return _("Fee assumed: {fee}", fee=money(set_by.fee, currency))
    told = ", ".join(f"{plan} {money(fee, currency)}" for plan, fee in set_by.fees.items())
    return _("Fees assumed: {fees}", fees=told)


def alerts(chapter: Chapter, equity: ContractEquity) -> Alerts:
    """What to read first."""
    return Alerts(chapter.recall(chapter.entry.key).alerts)


def history_figure(chapter: Chapter, scorecard: Scorecard, equity: ContractEquity) -> Figure:
    """Show thirteen months of equity, each valued with the contracts as they stood then."""
    interval = equity.interval
    history = pd.DataFrame({"equity": scorecard.history["equity"].dropna()})
    history.index = pd.DatetimeIndex([f"{month}-01" for month in history.index]) + pd.offsets.MonthEnd(0)
    history["lower"] = history["upper"] = float("nan")
    if len(history):
        history.loc[history.index[-1], ["lower", "upper"]] = [interval.lower, interval.upper]
    finding = _history_finding(chapter, scorecard)
    contains = _("Intervals contain {contains}.", contains=contents_words(interval))
    return Figure(
        name="history",
        number=1,
        finding=finding,
        what=_(
            "Customer equity at the end of each month, {currency}; the vertical line is the {level} interval of this "
            "month.",
            currency=chapter.currency,
            level=percent(interval.level, 0),
        ),
        drawing=equity_history(history, name="history", label=finding, currency=chapter.currency),
        note=_(
            "Each month is valued with the contracts as they stood then, the models fitted anew, fees and assumptions "
            "those of today. {contains}",
            contains=contains,
        ),
    )


def _history_finding(chapter: Chapter, scorecard: Scorecard) -> str:
    change = scorecard.value("equity") - scorecard.value("equity", 1)
    before = month_of(str(chapter.period.shift(-1)))
    if change != change:
        return _("No earlier month can be compared with this one")
    if scorecard.verdict("equity", 1) == "no clear change":
        return _("No clear change since {month}: the difference is smaller than the doubt", month=before)
    if change == 0:
        return _("Equity is the same as in {month}", month=before)
    size = short_money(abs(change), chapter.currency)
    if change > 0:
        return _("Equity rose by {change} since {month}", change=size, month=before)
    return _("Equity fell by {change} since {month}", change=size, month=before)


_ENDS = ("lower", "upper", "expected_lower", "expected_upper")


def parts_table(chapter: Chapter, equity: ContractEquity, *, number_: int) -> Table:
    """Say what is in the equity and what is not, on its three lines."""

    def ends(realised: Any, expected: Any) -> list[float]:
        return [realised.lower, realised.upper, expected.lower, expected.upper]

    current = ends(equity.current_interval, equity.current_parameter_interval)
    frame = pd.DataFrame(
        {
            "part": [_("Current members"), _("Future members, gross"), _("Cost of acquiring them")],
            "value": [equity.current, equity.potential, None if equity.future is None else -equity.future.cost],
            **{key: [end, np.nan, np.nan] for key, end in zip(_ENDS, current, strict=True)},
        }
    ).astype({"value": float})
    if equity.future is None:
        finding = _("Customer equity is that of the members; future ones are not valued")
    elif equity.future.net < 0:
        finding = _("Future members bring less than acquiring them costs")
    elif equity.total > 0:
        finding = _("Current members hold {share} of customer equity", share=percent(equity.current / equity.total))
    else:
        finding = _("Customer equity on its three lines")
    currency = chapter.currency
    plain: dict[str, Any] = {"kind": "money", "currency": currency, "digits": 0, "sortable": False}
    total = dict(zip(_ENDS, ends(equity.interval, equity.parameter_interval), strict=True))
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
        total={"part": _("Customer equity"), "value": equity.total, **total},
        downloads=chapter.download("customer-equity", frame.set_index("part")),
    )


def _newcomers_words(chapter: Chapter, equity: ContractEquity) -> str:
    if equity.acquisition is None:
        _none, why = contract_acquisition(chapter.memberships.frame, as_of=chapter.as_of, settings=chapter.settings)
        return _("{why} Their worth is left open, not taken as zero.", why=why)
    given = equity.values.assumptions
    assert given.horizon_in_units is not None  # the settings give a horizon
    months = int(np.ceil(given.horizon_in_units - 1e-9))
    return _(
        "{number} members are expected to join within {horizon}, on the plans that those of the last year chose. "
        "{words}",
        number=count(float(equity.acquisition.of_months(months).sum())),
        horizon=horizon_words(given.horizon, given.time_unit),
        words=equity.acquisition.words,
    )


def _alerts(chapter: Chapter, equity: ContractEquity, test: dict[str, Any] | None) -> list[Alert]:
    page, found = chapter.entry.page, []
    if test is not None and not test["holds"]:
        found.append(
            Alert(
                "warning",
                _(
                    "The model did not foresee the held-out months: {actual} contracts still run, {lower} to {upper} "
                    "were expected.",
                    actual=count(test["actual"]),
                    lower=count(test["lower"]),
                    upper=count(test["upper"]),
                ),
                f"{page}#tracking",
                _("See the test"),
            )
        )
    doubts = chapter.read("doubts")["words"].tolist()
    if doubts:
        found.append(
            Alert(
                "warning",
                _("An estimate is doubtful: {words}", words=" ".join(doubts)),
                f"{page}#parameters",
                _("See the estimates"),
            )
        )
    borrowed = equity.values.groups[equity.values.groups["fitted_on"] != "own"]
    if len(borrowed):
        found.append(
            Alert(
                "note",
                _(
                    "Too few contracts ended for a model of their own: {plans}. The table of estimates says what "
                    "stands in for it.",
                    plans=", ".join(str(group) for group in borrowed.index[:5]),
                ),
                f"{page}#parameters",
                _("See the estimates"),
            )
        )
    found.append(
        Alert(
            "note",
            _(
                "The interval of equity carries {contents}, not the doubt about the model.",
                contents=contents_words(equity.interval),
            ),
            f"{page}#s-method",
            _("See the method"),
        )
    )
    return found
