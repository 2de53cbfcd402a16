"""The forecast of a period: one chosen model, proven on the last part of the log before it is believed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError
from crm_analysis.messages import _
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import fitter
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, horizon_in_units
from crm_analysis.value.backtest import Backtest, backtest
from crm_analysis.value.interval import Interval
from crm_analysis.value.purchase_intervals import total_purchases_interval

CANDIDATES = (BGNBDFit.model_name, MBGNBDFit.model_name, ParetoNBDFit.model_name)
# Whatever is asked for, the model must see nearly half of the log to be tested on the rest.
_LONGEST_HOLDOUT = 0.55
# Models are tested on so many dates, a quarter of the holdout apart, as long as they see so much of the log.
_ORIGINS = 3
_SHORTEST_CALIBRATION = 0.25


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
        In words: the model, why it was chosen, and how it did on the held-out part of the log.
    model : PurchaseFit
        The chosen model, fitted to the whole log; values and equity of the period rest on it.
    backtest : Backtest
        The proof.
    customers : CustomerSummary
        Histories on the as-of date.
    horizon : float
        In the summary's time unit.
    """

    expected: pd.Series
    interval: Interval
    method: str
    model: PurchaseFit
    backtest: Backtest
    customers: CustomerSummary
    horizon: float


def forecast_purchases(
    transactions: Transactions | pd.DataFrame | str,
    *,
    as_of: Day,
    horizon: Horizon,
    holdout: Horizon | None = None,
    models: Sequence[str] = CANDIDATES,
    time_unit: TimeUnit = "week",
    annual_discount_rate: float | None = None,
    draws: int = 400,
    seed: int = 0,
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
    models : sequence of str
        Names of the purchase models to choose from, the preferred one first; the test on earlier dates chooses.
    time_unit : {"day", "week", "month"}
        Unit the model counts in.
    annual_discount_rate : float, optional
        Handed to `summarize_customers`, for a valuation with the past in it.
    draws, seed : int
        Simulated futures behind the intervals.

    Returns
    -------
    Forecast
    """
    as_of = to_day(as_of, "as_of")
    log = read_transactions(transactions, as_of=as_of)
    customers = summarize_customers(log, as_of=as_of, time_unit=time_unit, annual_discount_rate=annual_discount_rate)
    length = horizon_in_units(horizon, time_unit, as_of)
    proof = _proof(log, customers, length, holdout, models, draws, seed)
    model = fitter(proof.model_name)(customers)
    sentences = [_("{model}, fitted to the whole log.", model=model.model_name), proof.choice(), proof.verdict()]
    return Forecast(
        expected=model.expected_purchases(customers, horizon=length),
        interval=total_purchases_interval(model, customers, horizon=length, draws=draws, seed=seed + 2),
        method=" ".join(sentence for sentence in sentences if sentence),
        model=model,
        backtest=proof,
        customers=customers,
        horizon=length,
    )


def _proof(
    log: Transactions,
    customers: CustomerSummary,
    length: float,
    holdout: Horizon | None,
    models: Sequence[str],
    draws: int,
    seed: int,
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
    try:
        return backtest(
            log,
            origins=origins,
            horizon=days / DAYS_PER_UNIT[unit],
            models=models,
            time_unit=unit,
            draws=draws,
            seed=seed,
        )
    except DataError as error:
        raise DataError(
            f"{log.source}: the log up to {as_of} is too short to test a forecast; without its last {days} days:\n"
            f"{error}\n"
            "To fix: wait for more months, or hold back less (forecast.holdout in crm.toml)."
        ) from None
