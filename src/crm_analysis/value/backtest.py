"""The proof of a forecast: fit to an earlier date, predict to a later one, compare with what happened.

Naive rules stand beside the models in the same tables: a model that does not beat them is not worth its words. Several
models can be tested on several dates; the tables that look closer are of the one the test speaks for.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd

from crm_analysis.data.activity import daily_purchases
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CalibrationHoldout, split_calibration_holdout
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import _, day
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.interval import INDIVIDUALS, Interval
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, horizon_in_units
from crm_analysis.progress import Progress, Step
from crm_analysis.value.backtest_result import Backtest
from crm_analysis.value.candidates import Candidate, fit_candidate, named
from crm_analysis.value.draws import doubts, drawn_fits
from crm_analysis.value.level import at_level, level_of
from crm_analysis.value.naive_rules import NAIVE_RULES, KnownPast, NaiveRule
from crm_analysis.value.scores import (
    by_class,
    by_decile,
    coverage,
    frequency_classes,
    log_scores,
    point_scores,
    probability_transform,
)

# A model must be better by this many standard errors to take the place of the one named first.
_CLEARLY = 2.0
_ROUNDING = 1e-6


def backtest(
    transactions: Transactions | pd.DataFrame | str,
    *,
    origins: Sequence[Day],
    horizon: Horizon,
    models: Sequence[Candidate] = (BGNBDFit.model_name,),
    baselines: Mapping[str, NaiveRule] | None = None,
    clock: OrderClock | None = None,
    keep_first: bool = False,
    time_unit: TimeUnit = "week",
    draws: int = 400,
    seed: int = 0,
    progress: Progress | None = None,
) -> Backtest:
    """Fit to each origin, predict the `horizon` after it, and compare with what happened.

    Parameters
    ----------
    transactions : Transactions, DataFrame or path
        The log; it must reach to the end of the last held-out time.
    origins : sequence of date or str
        Last days of calibration, one or several (rolling); held-out times may overlap.
    horizon : float or str
        Length of the held-out time: a number in `time_unit`, or text such as "39 weeks".
    models : sequence of str or PurchaseFit
        The preferred one first: another takes its place only if it is clearly better. A name is a purchase model and is
        fitted to each origin; a fit, of another package perhaps, is taken as it is, and its test is fair only if it was
        fitted to what came before the origin.
    baselines : mapping of str to rule, optional
        Naive rules; those of `naive_rules.NAIVE_RULES` when not given.
    clock : OrderClock, optional
        For models in the clock of the shop: the flow of orders that came, which no forecaster knew on the day. Without
        it each origin reads the clock off its own past.
    keep_first : bool
        Speak of the first model whatever the test says: for logs in which no test can tell the models apart.
    time_unit : {"day", "week", "month"}
        Unit the models count in.
    draws, seed : int
        Simulated futures behind the interval and the weekly band.
    progress : callable, optional
        Told in words what is being done, and how far it is where that is known.

    Returns
    -------
    Backtest

    Raises
    ------
    DataError
        When the log ends before a held-out time does, or an origin leaves nobody to predict.

    Notes
    -----
    Models are compared by the log score, the mean log-probability they gave beforehand to what each customer then did.
    No forecast can gain by saying anything but what it believes (Gneiting & Raftery 2007, JASA 102), unlike the mean
    absolute error, which rewards forecasts that are too low. Differences are added up by customer over the origins
    before their standard error is taken, because the same customers are tested again and again.
    """
    log = read_transactions(transactions)
    rules = NAIVE_RULES if baselines is None else baselines
    days = sorted(to_day(origin, "origin") for origin in origins)
    candidates = named(models)
    if not days or not candidates:
        raise SettingsError("backtest: no origin or no model given, so there is nothing to test.")
    tests = []
    for number, origin in enumerate(days, start=1):
        if progress is not None:
            words = _("Testing forecasts of {date}, {number} of {all}", date=day(origin), number=number, all=len(days))
            progress(Step(words, number, len(days)))
        tests.append(_test(log, origin, horizon, candidates, rules, clock, time_unit))
    comparison = _comparison(tests, list(candidates))
    chosen = next(iter(candidates)) if keep_first else _chosen(comparison)
    last = tests[-1]
    fit, split, expected = last.fits[chosen], last.split, last.expected[chosen]
    classes = frequency_classes(split.calibration.frame["frequency"])
    futures, by_group = _futures(fit, split, classes, draws, seed)
    return Backtest(
        scorecard=pd.DataFrame.from_dict(
            {(test.origin, name): row for test in tests for name, row in test.rows.items()}, orient="index"
        ).rename_axis(["origin", "method"]),
        comparison=comparison,
        by_decile=by_decile(split.holdout["purchases"], expected),
        by_frequency=_by_frequency(split, expected, classes, by_group),
        by_silence=_by_silence(split, expected),
        by_cohort=_by_cohort(split, expected),
        tracking=_tracking(log, fit, split, futures),
        probability_transform=probability_transform(last.outcomes[chosen]),
        interval=Interval.of_draws(futures.sum(axis=1), level=0.95, contains=(*doubts(fit), INDIVIDUALS)),
        horizon=split.holdout_length,
        time_unit=time_unit,
        model_name=chosen,
        origin=last.origin,
        kept=keep_first,
        given_flow=clock is not None and isinstance(fit, ClockedFit),
        stands_for=log.stands_for,
    )


@dataclass(frozen=True, eq=False)
class _Test:
    """One origin: what was forecast then, and how it came out."""

    origin: date
    split: CalibrationHoldout
    rows: dict[str, dict[str, object]]
    fits: dict[str, PurchaseFit]
    expected: dict[str, pd.Series]
    outcomes: dict[str, pd.DataFrame]


def _test(
    log: Transactions,
    origin: date,
    horizon: Horizon,
    candidates: Mapping[str, Candidate],
    rules: Mapping[str, NaiveRule],
    clock: OrderClock | None,
    time_unit: TimeUnit,
) -> _Test:
    split = _split(log, origin, horizon, time_unit)
    actual, length = split.holdout["purchases"], split.holdout_length
    test = _Test(origin, split, {}, {}, {}, {})
    for name, candidate in candidates.items():
        with warnings.catch_warnings():
            # Doubt about an earlier date stands in the table, not once for each model and date on the screen.
            warnings.simplefilter("ignore", EstimationWarning)
            fit = fit_candidate(candidate, split.known, split.calibration, clock=clock)
        if isinstance(fit, ClockedFit) and fit is not candidate:
            level = level_of(split.known, split.calibration, fit)
            fit = at_level(fit, split.calibration, level, horizon=length)
        test.fits[name] = fit
        test.expected[name] = fit.expected_purchases(split.calibration, horizon=length)
        test.outcomes[name] = fit.probability_of_outcome(split.calibration, actual, horizon=length)
        test.rows[name] = {
            "kind": "model",
            **point_scores(actual, test.expected[name]),
            "coverage": coverage(test.outcomes[name]),
            "log_score": float(log_scores(test.outcomes[name]).mean()),
            "converged": fit.converged,
        }
    past = KnownPast(split.calibration, split.last_period, length)
    for name, rule in rules.items():
        test.rows[name] = {"kind": "naive", **point_scores(actual, rule(past))}
    return test


def _comparison(tests: Sequence[_Test], models: Sequence[str]) -> pd.DataFrame:
    """Scores over all origins, customers of all origins counting alike."""
    rows = {}
    for name in tests[0].rows:
        table = pd.DataFrame([test.rows[name] for test in tests])
        weight = table["customers"] / table["customers"].sum()
        means = {
            column: float(weight.to_numpy() @ table[column].to_numpy(dtype=np.float64))
            for column in ("mae", "mae_at_total", "gini", "decile_mape", "coverage", "log_score")
            if column in table
        }
        rows[name] = {
            "kind": table["kind"].iloc[0],
            "total_error": float(table["error"].abs().mean()),
            "rmse": float(np.sqrt(weight.to_numpy() @ table["rmse"].to_numpy() ** 2)),
            **means,
        }
    comparison = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method")
    first = [log_scores(test.outcomes[models[0]]) for test in tests]
    for name in models:
        gains = [log_scores(test.outcomes[name]) - base for test, base in zip(tests, first, strict=True)]
        by_customer = pd.concat(gains).groupby(level=0).sum().to_numpy()
        error = float(by_customer.std(ddof=1)) * np.sqrt(len(by_customer))
        # Two models may be one, as BG/CNBD-1 and BG/NBD are; rounding is not a difference.
        differ = float(np.abs(by_customer).mean()) > _ROUNDING
        comparison.loc[name, "ahead"] = float(by_customer.sum()) / error if differ else 0.0
    return comparison


def _chosen(comparison: pd.DataFrame) -> str:
    """The model named first, unless others are clearly better; then the best of these."""
    models = comparison[comparison["kind"] == "model"]
    better = models[models["ahead"] > _CLEARLY]
    return str(models.index[0] if better.empty else better["log_score"].idxmax())


def _split(log: Transactions, origin: date, horizon: Horizon, time_unit: TimeUnit) -> CalibrationHoldout:
    length = horizon_in_units(horizon, time_unit, origin)
    end = origin + timedelta(days=round(length * DAYS_PER_UNIT[time_unit]))
    known_until = log.as_of or log.last_date
    if known_until is None or end > known_until:
        raise DataError(
            f"backtest: the held-out time from {origin} ends on {end}, the log on {known_until}.\n"
            "To fix: choose an earlier origin or a shorter horizon."
        )
    return split_calibration_holdout(log, calibration_end=origin, as_of=end, time_unit=time_unit)


def _by_frequency(split: CalibrationHoldout, expected: pd.Series, classes: pd.Series, by_group: Floats) -> pd.DataFrame:
    table = by_class(split.holdout["purchases"], expected, classes)
    size = table["customers"].to_numpy()
    chance = 0.05 / (2 * len(table))
    seen = classes.cat.categories.isin(table.index)
    lower, upper = np.quantile(by_group[:, seen], [chance, 1 - chance], axis=0)
    return table.assign(expected_lower=lower / size, expected_upper=upper / size)


def _by_silence(split: CalibrationHoldout, expected: pd.Series) -> pd.DataFrame:
    """Four weeks a class; those silent for longer than a year together."""
    weeks = split.calibration.frame["days_since_last"] / 7
    start = (weeks // 4 * 4).clip(upper=52).astype(int)
    labels = start.map(lambda week: f"{week}-{week + 4}" if week < 52 else "52+")
    ordered = pd.Categorical(labels, categories=list(dict.fromkeys(labels[start.sort_values().index])), ordered=True)
    table = pd.DataFrame({"actual": split.holdout["purchases"], "expected": expected})
    groups = table.groupby(pd.Series(ordered, index=table.index, name="weeks_since_last"), observed=True)
    return groups.mean().assign(customers=groups.size())[["customers", "actual", "expected"]]


def _by_cohort(split: CalibrationHoldout, expected: pd.Series) -> pd.DataFrame:
    month = pd.to_datetime(split.calibration.frame["first_purchase"]).dt.strftime("%Y-%m").rename("first_month")
    table = pd.DataFrame({"actual": split.holdout["purchases"], "expected": expected}).groupby(month)
    return table.sum().assign(customers=table.size())[["customers", "actual", "expected"]]


def _weeks_held_out(split: CalibrationHoldout, time_unit: TimeUnit) -> tuple[Floats, int]:
    """Ends of the whole weeks of the held-out time, in `time_unit` after the origin, and their number."""
    weeks = int(split.holdout_length * DAYS_PER_UNIT[time_unit] // 7)
    return np.arange(1, weeks + 1) * 7 / DAYS_PER_UNIT[time_unit], weeks


def _futures(
    fit: PurchaseFit, split: CalibrationHoldout, groups: pd.Series, draws: int, seed: int
) -> tuple[Floats, Floats]:
    """Simulated purchases of the held-out time, one row a draw: by week (the last column the rest), and by group."""
    ends, weeks = _weeks_held_out(split, fit.time_unit)
    edges = np.concatenate([[0.0], ends, [max(split.holdout_length, ends[-1] if weeks else 0.0) + 1e-9]])
    codes, number_of_groups = groups.cat.codes.to_numpy(), len(groups.cat.categories)
    rng = np.random.default_rng(seed + 1)
    by_week, by_group = [], []
    for one in drawn_fits(fit, draws, seed):
        future = one.simulate_future(split.calibration, horizon=split.holdout_length, rng=rng)
        by_week.append(np.histogram(future["time"], bins=edges)[0])
        by_group.append(np.bincount(codes[future["customer"].to_numpy()], minlength=number_of_groups))
    return np.array(by_week, dtype=np.float64), np.array(by_group, dtype=np.float64)


def _tracking(log: Transactions, fit: PurchaseFit, split: CalibrationHoldout, futures: Floats) -> pd.DataFrame:
    """Weeks are counted back and forth from the origin, so that none holds both fitted and held-out days."""
    unit = fit.time_unit
    origin = split.calibration.as_of
    assert origin is not None
    daily = daily_purchases(log, first_by=origin)
    first = daily.index.min().date()
    weeks_before = ((origin - first).days + 7) // 7
    ends, weeks = _weeks_held_out(split, unit)
    last_days = [origin + timedelta(days=7 * k) for k in range(1 - weeks_before, weeks + 1)]
    day_number = _days_after(origin, daily)
    # Day 0 is the origin itself, the last day of week 0.
    week_of_day = np.ceil(day_number / 7).astype(int) + weeks_before - 1
    seen = week_of_day < len(last_days)
    actual = np.bincount(week_of_day[seen], weights=daily["repeat"].to_numpy()[seen], minlength=len(last_days))

    newcomers = daily[daily["first"] > 0]
    curve = fit.expected_repeat_curve(
        pd.DatetimeIndex(newcomers.index),
        newcomers["first"].to_numpy(dtype=np.float64),
        pd.DatetimeIndex(last_days[:weeks_before]),
    )
    held_out = np.array([fit.expected_purchases(split.calibration, horizon=end).sum() for end in ends])
    lower, upper = np.quantile(futures[:, :weeks], [0.025, 0.975], axis=0) if weeks else (np.empty(0), np.empty(0))
    gap = np.full(weeks_before, np.nan)
    return pd.DataFrame(
        {
            "actual": actual,
            "expected": np.concatenate([np.diff(curve, prepend=0.0), np.diff(held_out, prepend=0.0)]),
            "lower": np.concatenate([gap, lower]),
            "upper": np.concatenate([gap, upper]),
            "held_out": np.arange(len(last_days)) >= weeks_before,
        },
        index=pd.DatetimeIndex(last_days, name="week_ending"),
    )


def _days_after(origin: date, daily: pd.DataFrame) -> Integers:
    return (pd.DatetimeIndex(daily.index) - pd.Timestamp(origin)).days.to_numpy(dtype=np.int64)
