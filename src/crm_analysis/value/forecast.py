"""The forecast of a period: one chosen model, proven on the last part of the log before it is believed.

A log is either that of an open shop, with seasons, newcomers, and customers older than itself, or an extract of
customers who all joined at its beginning. The first is forecast in the clock of the shop, the second by the calendar.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.order_clock import OrderClock, is_open_shop, order_clock
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError
from crm_analysis.messages import _, count, day, number, percent
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.interval import Interval
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, DAYS_PER_YEAR, Horizon, TimeUnit, horizon_in_units, units_per_year
from crm_analysis.progress import Progress
from crm_analysis.value.backtest import backtest
from crm_analysis.value.backtest_result import Backtest
from crm_analysis.value.candidates import FOR_AN_EXTRACT, FOR_AN_OPEN_SHOP, Candidate, fit_candidate, named
from crm_analysis.value.known_share import orders_of_known_customers
from crm_analysis.value.level import VOLUME_ERROR, Level, at_level, level_of
from crm_analysis.value.purchase_intervals import total_purchases_interval

# Whatever is asked for, the model must see nearly half of the log to be tested on the rest.
_LONGEST_HOLDOUT = 0.55
# Models are tested on so many dates, a quarter of the holdout apart, as long as they see so much of the log.
_ORIGINS = 3
_SHORTEST_CALIBRATION = 0.25
# In a log of less than two years each season has come once: no test inside it can tell a season from leaving.
_YEARS_TO_CHOOSE = 2.0
_GROWTH_TOLD = 0.10
# From so much of a year on all of its seasons count as seen.
_A_YEAR = 0.98


@dataclass(frozen=True, eq=False)
class Forecast:
    """Purchases to come, and how far to trust the number.

    Attributes
    ----------
    expected : Series, indexed by customer_id
        Expected repeat purchases of every customer within the horizon.
    interval : Interval
        Of the total.
    method : str
        In words: the model, why it was chosen, what it takes for granted, and how it did on the held-out part of the
        log.
    model : PurchaseFit
        The chosen model, fitted to the whole log; values and equity of the period rest on it.
    backtest : Backtest
        The proof.
    customers : CustomerSummary
        Histories on the as-of date.
    horizon : float
        In the summary's time unit.
    level : Level or None
        By what share forecasts made earlier inside the log came out too high or too low; inside `expected`. None for a
        model by the calendar.
    without_level : float
        The total without it.
    second_opinion : float
        The total by the flow of the shop and the share of known customers; missing for an extract.
    """

    expected: pd.Series
    interval: Interval
    method: str
    model: PurchaseFit
    backtest: Backtest
    customers: CustomerSummary
    horizon: float
    level: Level | None
    without_level: float
    second_opinion: float


def forecast_purchases(
    transactions: Transactions | pd.DataFrame | str,
    *,
    as_of: Day,
    horizon: Horizon,
    holdout: Horizon | None = None,
    models: Sequence[Candidate] | None = None,
    growth: float = 0.0,
    time_unit: TimeUnit = "week",
    annual_discount_rate: float | None = None,
    draws: int = 400,
    seed: int = 0,
    progress: Progress | None = None,
) -> Forecast:
    """Forecast every customer's purchases after `as_of`.

    Parameters
    ----------
    transactions : Transactions, DataFrame or path
        The log.
    as_of : date or str
        Last day that is known.
    horizon : float or str
        How far to look: a number in `time_unit`, or text such as "24 months".
    holdout : float or str, optional
        Last part of the log kept back for the proof, 55% of the log at most; when not given, the horizon or half of
        the log, whichever is shorter.
    models : sequence of str or PurchaseFit, optional
        Purchase models to choose from by name, or fits to take as they are (see `backtest`), the preferred one first;
        the test on earlier dates chooses. When not given, those of `candidates.FOR_AN_OPEN_SHOP` or, where hardly
        anybody joins any more, `FOR_AN_EXTRACT`.
    growth : float
        Volume plan of an open shop: growth of what its present customers order in the years to come, as a fraction a
        year. Orders that only newcomers will add do not belong in it.
    time_unit : {"day", "week", "month"}
        Unit the model counts in.
    annual_discount_rate : float, optional
        Handed to `summarize_customers`, for a valuation with the past in it.
    draws, seed : int
        Simulated futures behind the intervals.
    progress : callable, optional
        Told in words what is being done, and how far it is where that is known.

    Returns
    -------
    Forecast
    """
    tell = progress or (lambda _words: None)
    as_of = to_day(as_of, "as_of")
    log = read_transactions(transactions, as_of=as_of)
    customers = summarize_customers(
        log, as_of=as_of, time_unit=time_unit, annual_discount_rate=annual_discount_rate, kept=True
    )
    length = horizon_in_units(horizon, time_unit, as_of)
    is_open = is_open_shop(log, as_of=as_of)
    clock = order_clock(log, as_of=as_of, time_unit=time_unit, growth=growth) if is_open else None
    candidates = named(models or (FOR_AN_EXTRACT if clock is None else FOR_AN_OPEN_SHOP))
    proof = _proof(log, customers, length, holdout, candidates, clock, draws, seed, progress)
    chosen = candidates[proof.model_name]
    if isinstance(chosen, str):
        tell(_("Fitting {model} to the whole log", model=chosen))
    model = fit_candidate(chosen, log, customers, clock=clock)
    is_given = model is chosen
    sentences = [_origin_words(model, is_given), proof.choice()]
    level, without_level = None, float(model.expected_purchases(customers, horizon=length).sum())
    if isinstance(model, ClockedFit) and not is_given:
        tell(_("Comparing earlier forecasts with what came"))
        level = level_of(log, customers, model)
        model = at_level(model, customers, level, horizon=length)
        sentences += _assumptions(model, customers, length, level, without_level)
    elif clock is None:
        sentences.append(
            _("Hardly anybody joins any more, so time is taken by the calendar and no season is estimated.")
        )
    if growth and not isinstance(model, ClockedFit):
        sentences.append(_("The plan of growth is not used: only a forecast in the shop's clock can use one."))
    second_opinion = float("nan")
    if clock is not None:
        second_opinion = orders_of_known_customers(log, as_of=as_of, clock=clock, horizon=length)
        if second_opinion == second_opinion:
            sentences.append(
                _(
                    "A second opinion without a customer model, the flow of orders times the share that comes "
                    "from known "
                    "customers within half a year, is {orders} purchases.",
                    orders=count(second_opinion),
                )
            )
            if length > units_per_year(time_unit) / 2:
                sentences.append(_("That share falls as time goes on, so it is more than is to be expected."))
    sentences.append(proof.verdict())
    tell(_("Simulating futures"))
    return Forecast(
        expected=model.expected_purchases(customers, horizon=length),
        interval=total_purchases_interval(model, customers, horizon=length, draws=draws, seed=seed + 2),
        method=" ".join(sentence for sentence in sentences if sentence),
        model=model,
        backtest=proof,
        customers=customers,
        horizon=length,
        level=level,
        without_level=without_level,
        second_opinion=second_opinion,
    )


def _origin_words(model: PurchaseFit, is_given: bool) -> str:
    """Say where the parameters come from."""
    if is_given:
        return _(
            "{model} with the parameters it was given, not fitted to this log; where they were learnt from its "
            "held-out part too, the test flatters them.",
            model=model.model_name,
        )
    return _("{model}, fitted to the whole log.", model=model.model_name)


def _assumptions(
    model: ClockedFit, customers: CustomerSummary, length: float, level: Level, without_level: float
) -> list[str]:
    """Say in words what a forecast in the shop's clock takes for granted, and what would change it."""
    clock = model.clock
    faster = replace(model, clock=replace(clock, growth=clock.growth + _GROWTH_TOLD))
    total = float(model.expected_purchases(customers, horizon=length).sum())
    gain = float(faster.expected_purchases(customers, horizon=length).sum()) / total - 1
    flow = _flow_words(clock)
    sentences = [
        _(
            "Time is measured by the shop's own flow of orders; gaps between purchases are Erlang-{k}.",
            k=count(model.params.k),
        ),
        _(
            "{flow}, give or take {error}. If customers ordered {growth} more a year, these would buy {gain} more, and "
            "about as much less if they ordered less; orders that only newcomers bring change nothing.",
            flow=flow,
            error=percent(VOLUME_ERROR),
            growth=percent(_GROWTH_TOLD),
            gain=percent(gain, 1),
        ),
    ]
    if not level.origins.empty:
        sentences.append(
            _(
                "Forecasts made earlier inside the log came out at {factor} of what was forecast, so this one is "
                "{total} "
                "purchases; without that level it would be {without}.",
                factor=percent(level.factor),
                total=count(total),
                without=count(without_level),
            )
        )
    return sentences


def _flow_words(clock: OrderClock) -> str:
    """Say how the flow of orders to come is taken to be."""
    years = ((clock.last_day - clock.first_day).days + 1) / DAYS_PER_YEAR
    if years < _A_YEAR:
        flow = _(
            "The orders of the coming months are taken to follow the same months of the log to {day}; months not seen "
            "yet count as average ones",
            day=day(clock.last_day),
        )
    elif years < _YEARS_TO_CHOOSE:
        flow = _("The coming months are taken to follow those of the year to {day}", day=day(clock.last_day))
    else:
        flow = _(
            "The coming months are taken to follow the seasons of the {years} years to {day}, without their trend",
            years=number(years, 1),
            day=day(clock.last_day),
        )
    if clock.growth:
        flow = _("{flow}, times {growth} a year by plan", flow=flow, growth=percent(1 + clock.growth, 1))
    return flow


def _proof(
    log: Transactions,
    customers: CustomerSummary,
    length: float,
    holdout: Horizon | None,
    candidates: Mapping[str, Candidate],
    clock: OrderClock | None,
    draws: int,
    seed: int,
    progress: Progress | None,
) -> Backtest:
    """Test the models on dates inside the log, the last one with the holdout after it."""
    as_of, unit = customers.as_of, customers.time_unit
    assert as_of is not None
    whole_log = float(customers.frame["T"].max())
    if holdout is None:
        held_out = min(length, whole_log / 2)
    else:
        held_out = min(horizon_in_units(holdout, unit), whole_log * _LONGEST_HOLDOUT)
    days = max(1, round(held_out * DAYS_PER_UNIT[unit]))
    known = whole_log * DAYS_PER_UNIT[unit] - days
    origins = [
        as_of - timedelta(days=days + round(turn * days / 4))
        for turn in range(_ORIGINS)
        if turn == 0 or known - turn * days / 4 >= _SHORTEST_CALIBRATION * (known + days)
    ]
    shop_first = clock is not None and next(iter(candidates)) == ClockedFit.model_name
    young = shop_first and whole_log < _YEARS_TO_CHOOSE * units_per_year(unit)
    try:
        return backtest(
            log,
            origins=origins,
            horizon=days / DAYS_PER_UNIT[unit],
            models=list(candidates.values()),
            # A young shop's seasons are known from the one year alone, the held-out part of it included.
            clock=clock if young else None,
            keep_first=young,
            time_unit=unit,
            draws=draws,
            seed=seed,
            progress=progress,
        )
    except DataError as error:
        raise DataError(
            f"{log.source}: the log up to {as_of} is too short to test a forecast; without its last {days} days:\n"
            f"{error}\n"
            "To fix: wait for more months, or hold back less (forecast.holdout in crm.toml)."
        ) from None
