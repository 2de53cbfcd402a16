"""What happened against what was expected: the frames a model is judged by.

One function a frame. Each takes a fit of any purchase model, customers, a log or a backtest, and draws nothing: the
figures are in `report.plots`. What a model believes of whom is in `beliefs`.
"""

from datetime import timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import bdtrik

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import CalibrationHoldout, CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.value.backtest_result import Backtest
from crm_analysis.value.draws import drawn_fits
from crm_analysis.value.frames import named, of_fit
from crm_analysis.value.scores import by_class, frequency_classes

_RECENCY_CLASSES = 7


def weekly_tracking(backtest: Backtest) -> pd.DataFrame:
    """Actual and expected repeat purchases, week by week: `Backtest.tracking`, with the name of its model."""
    return named(backtest.tracking.copy(), model=backtest.model_name)


def cumulative_tracking(backtest: Backtest) -> pd.DataFrame:
    """Actual and expected repeat purchases, summed from the first week on.

    Parameters
    ----------
    backtest : Backtest
        Of one model at one origin.

    Returns
    -------
    DataFrame, indexed by the last day of each week
        actual and expected repeat purchases so far; lower and upper 95% limits, given for the last week where the
        held-out time ends with it, else missing; held_out. Up to the origin `expected` is that of the curve for new
        customers; after it the forecast is added to what had happened by then.
    """
    weekly = backtest.tracking
    held_out = weekly["held_out"].to_numpy(dtype=bool)
    actual = weekly["actual"].cumsum()
    at_origin = float(weekly["actual"][~held_out].sum())
    forecast = at_origin + weekly["expected"].where(held_out, 0.0).cumsum()
    last_day = backtest.origin + timedelta(days=round(backtest.horizon * DAYS_PER_UNIT[backtest.time_unit]))
    ends_with_week = (weekly.index == pd.Timestamp(last_day)) & held_out
    cumulative = pd.DataFrame(
        {
            "actual": actual,
            "expected": weekly["expected"].cumsum().where(~held_out, forecast),
            "lower": np.where(ends_with_week, at_origin + backtest.interval.lower, np.nan),
            "upper": np.where(ends_with_week, at_origin + backtest.interval.upper, np.nan),
            "held_out": held_out,
        }
    )
    return named(cumulative, model=backtest.model_name)


def frequency_distribution(fit: PurchaseFit, customers: CustomerSummary, *, most: int = 7) -> pd.DataFrame:
    """Customers by number of repeat purchases: counted, and expected of as many new customers observed as long.

    Parameters
    ----------
    fit : PurchaseFit
        Any purchase model.
    customers : CustomerSummary
        With the covariates of the fit, if it has any.
    most : int
        Last class, which holds all who bought as often or more, >= 1.

    Returns
    -------
    DataFrame, indexed by repeat purchases ("0", "1", ... "7+")
        actual and expected customers; lower and upper limits of chance, between which 95% of counts fall if the model
        holds (binomial with the mean probability, never too narrow).

    References
    ----------
    Fader, Hardie & Lee (2005), Marketing Science 24(2), eq. 8 for the BG/NBD; the same for every model.
    """
    kinds, rows = fit.distinct(customers)
    T, counts = fit.data(kinds)[0][2], rows.counts  # by the clock of the fit
    table = fit.model.probability_of_purchases(fit.params_of(kinds), np.arange(float(most))[:, None], T)
    share = table @ counts / counts.sum()
    # A sum of rounded probabilities can pass 1 by a rounding error.
    share = np.append(share, max(0.0, 1.0 - share.sum()))
    lower, upper = (np.ceil(bdtrik(level, counts.sum(), share)) for level in (0.025, 0.975))
    classes = frequency_classes(customers.frame["frequency"], most=most)
    frame = pd.DataFrame(
        {
            "actual": np.bincount(classes.cat.codes, minlength=most + 1),
            "expected": share * counts.sum(),
            "lower": lower,
            "upper": upper,
        },
        index=pd.Index(classes.cat.categories, name=classes.name),
    )
    return of_fit(fit, frame)


def holdout_by_frequency(fit: PurchaseFit, split: CalibrationHoldout, *, most: int = 7) -> pd.DataFrame:
    """Held-out purchases by how often customers had bought before: made, and expected given each history.

    Parameters
    ----------
    fit : PurchaseFit
        Fitted to the calibration part.
    split : CalibrationHoldout
        The log in two parts.
    most : int
        Last class, which holds all who bought as often or more.

    Returns
    -------
    DataFrame, indexed by repeat purchases before ("0" to "7+")
        customers; actual and expected purchases, means a customer; lower and upper 95% limits of the actual mean. Of
        the form of `Backtest.by_frequency`.
    """
    return _holdout_by(fit, split, frequency_classes(split.calibration.frame["frequency"], most=most))


def holdout_by_recency(fit: PurchaseFit, split: CalibrationHoldout, *, width: float | None = None) -> pd.DataFrame:
    """Held-out purchases by the time from first to last purchase before: made, and expected given each history.

    Parameters
    ----------
    fit : PurchaseFit
        Fitted to the calibration part.
    split : CalibrationHoldout
        The log in two parts.
    width : float, optional
        Of a class, in the time unit, > 0; when not given, the whole number of units that makes about seven classes.

    Returns
    -------
    DataFrame, indexed by recency ("0", "0–6", "6–12", ...; the right end belongs to the class)
        As `holdout_by_frequency`; "0" holds those without a repeat purchase.
    """
    recency = split.calibration.frame["recency"].astype(float)
    if width is None:
        width = max(1.0, np.ceil(recency.max() / _RECENCY_CLASSES))
    codes = np.ceil(recency / width).astype(int)
    ends = width * np.arange(codes.max() + 1)
    names = ["0", *(f"{start:g}–{end:g}" for start, end in pairwise(ends))]
    classes = pd.Categorical.from_codes(codes, categories=pd.Index(names), ordered=True)
    return _holdout_by(fit, split, pd.Series(classes, index=recency.index, name=recency.name))


def spend_distribution(fit: GammaGammaFit, customers: CustomerSummary, *, edges: Floats | None = None) -> pd.DataFrame:
    """Customers by mean value of a repeat purchase: as seen, and as the Gamma-Gamma expects.

    Parameters
    ----------
    fit : GammaGammaFit
        The spend model.
    customers : CustomerSummary
        Those with an observed repeat spend are compared.
    edges : array, shape (n_classes + 1,), optional
        Ends of the classes in currency, the first 0, the last infinite; `spend_classes` when not given.

    Returns
    -------
    DataFrame, one row a class
        left, right (currency); observed, expected (shares of customers).
    """
    if edges is None:
        edges = spend_classes(customers.frame["monetary_value"].dropna())
    return named(fit.spend_distribution(customers, edges), model=fit.model_name)


def spend_classes(spend: pd.Series) -> Floats:
    """Round class ends at even shares of the customers: two digits each, 0 first, infinity last."""
    ends = np.quantile(spend, [0.05, 0.15, 0.25, 0.35, 0.45, 0.55, 0.65, 0.75, 0.85, 0.92, 0.97, 0.99])
    size = 10 ** np.floor(np.log10(ends) - 1)
    return np.array([0.0, *np.unique(np.round(ends / size) * size), np.inf])


def purchase_gaps(
    transactions: Any,
    customers: CustomerSummary,
    *,
    fit: PurchaseFit | None = None,
    classes: int = 26,
    draws: int = 40,
    seed: int = 0,
) -> pd.DataFrame:
    """Time between one purchase and the next: as seen, and as the model would have it seen.

    Only gaps that ended by the as-of date are seen, so short ones are seen too often. The model's are therefore counted
    in simulated logs of the same customers, cut on the same day and to whole days.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    customers : CustomerSummary
        Of the log on the as-of date meant; its time unit is that of the gaps.
    fit : PurchaseFit, optional
        Any purchase model, in the same time unit; without it the expectation is missing.
    classes : int
        How many, of equal width: the whole number of units with which they reach nineteen of twenty gaps.
    draws, seed : int
        Simulated logs behind the expectation; each with its own draw of the parameters, where the fit has a covariance.

    Returns
    -------
    DataFrame, indexed by interval of time (left end inside)
        observed and expected share of all gaps; lower and upper limits of 95% of simulated logs.
    """
    day = _as_of(customers)
    seen = read_transactions(transactions, as_of=day)
    days = customer_days(seen)
    previous = days.order_date.lag().over(group_by=days.customer_id, order_by=days.order_date)
    gaps = days.mutate(days=days.order_date.delta(previous, unit="day"))
    counted = engines.fetch_frame(gaps.group_by("days").agg(gaps=lambda table: table.count())).dropna()
    if counted.empty:
        raise DataError(
            f"{seen.source}: nobody has bought twice by {day}, so there is no time between purchases.\n"
            "To fix: give a longer log."
        )
    length, number = counted["days"].to_numpy(np.int64), counted["gaps"].to_numpy(np.float64)

    unit = DAYS_PER_UNIT[customers.time_unit]
    order = np.argsort(length)
    nineteen_of_twenty = length[order][np.searchsorted(number[order].cumsum(), 0.95 * number.sum())]
    width = np.floor(nineteen_of_twenty / unit / classes) + 1.0
    edges = width * np.arange(classes + 1)

    def shares(lengths: Integers, weights: Floats | None = None) -> Floats:
        total = len(lengths) if weights is None else weights.sum()
        code = np.minimum(lengths / unit // width, classes).astype(int)
        return np.bincount(code, weights=weights, minlength=classes + 1)[:classes] / max(total, 1)

    frame = pd.DataFrame(
        {"observed": shares(length, number), "expected": np.nan, "lower": np.nan, "upper": np.nan},
        index=pd.IntervalIndex.from_breaks(edges, closed="left", name="gap"),
    )
    if fit is None:
        return named(frame, time_unit=customers.time_unit)
    rng = np.random.default_rng(seed + 1)
    simulated = np.array([shares(_simulated_gaps(one, customers, rng)) for one in drawn_fits(fit, draws, seed)])
    # Few draws tell a standard deviation better than the ends of a distribution.
    reach = 1.96 * simulated.std(axis=0, ddof=1)
    frame["expected"] = simulated.mean(axis=0)
    frame["lower"], frame["upper"] = (frame["expected"] - reach).clip(lower=0), frame["expected"] + reach
    return of_fit(fit, frame)


def timing_patterns(
    transactions: Any, *, as_of: Day, customers: int = 40, repeat_buyers_only: bool = True, seed: int = 0
) -> pd.DataFrame:
    """Purchase days of a random sample of customers, to see whether they buy at random, regularly or in clumps.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation.
    customers : int
        Size of the sample; all of them where there are fewer.
    repeat_buyers_only : bool
        Leave out who bought once, who have no pattern to see.
    seed : int
        The same seed gives the same sample.

    Returns
    -------
    DataFrame, one row a purchase
        customer_id; row (0 first bought last, so that customers stand in order of their first purchase from the top);
        order_date. `attrs` holds `as_of`.
    """
    day = to_day(as_of, "as_of")
    days = customer_days(read_transactions(transactions, as_of=day))
    counts = engines.fetch_frame(days.group_by("customer_id").agg(purchases=days.count()))
    ids = np.sort(counts.loc[counts["purchases"] > int(repeat_buyers_only), "customer_id"].to_numpy(dtype=object))
    chosen = np.random.default_rng(seed).choice(ids, size=min(customers, len(ids)), replace=False)
    bought = engines.fetch_frame(
        days.filter(days.customer_id.isin(chosen.tolist())).select("customer_id", "order_date")
    )
    bought["order_date"] = pd.to_datetime(bought["order_date"])
    first = bought.groupby("customer_id")["order_date"].min().reset_index()
    first = first.sort_values(["order_date", "customer_id"], ascending=False)
    row = pd.Series(np.arange(len(first)), index=first["customer_id"])
    frame = bought.assign(row=bought["customer_id"].map(row))[["customer_id", "row", "order_date"]]
    return named(frame.sort_values(["row", "order_date"], ignore_index=True), as_of=day)


def _as_of(customers: CustomerSummary) -> Day:
    if customers.as_of is None:
        raise SettingsError("this customer summary does not tell its as-of date; make it with summarize_customers.")
    return customers.as_of


def _holdout_by(fit: PurchaseFit, split: CalibrationHoldout, classes: pd.Series) -> pd.DataFrame:
    expected = fit.expected_purchases(split.calibration, horizon=split.holdout_length)
    frame = by_class(split.holdout["purchases"], expected, classes)
    return of_fit(fit, frame.set_axis(frame.index.astype(str)))


def _simulated_gaps(fit: PurchaseFit, customers: CustomerSummary, rng: np.random.Generator) -> Integers:
    """Days between the purchases of one simulated log of these customers."""
    if isinstance(fit, ClockedFit):
        raise SettingsError("gaps are simulated by the calendar; give a fit by the calendar, such as fit_cnbd's.")
    T = customers.frame["T"].to_numpy(dtype=np.float64)
    events = fit.model.simulate(fit.params_of(customers), T, rng)
    # A log counts days, and what a customer buys on one day is one purchase.
    day = np.ceil(events["time"].to_numpy() * DAYS_PER_UNIT[customers.time_unit]).astype(np.int64)
    customer = events["customer"].to_numpy(dtype=np.int64)
    first = np.arange(len(T))
    customer, day = np.concatenate([first, customer]), np.concatenate([np.zeros(len(T), np.int64), day])
    order = np.lexsort((day, customer))
    gaps = np.diff(day[order])
    return gaps[(np.diff(customer[order]) == 0) & (gaps > 0)]
