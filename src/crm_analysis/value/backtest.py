"""The proof of a forecast: fit to an earlier date, predict to a later one, compare with what happened.

Naive rules stand beside the models in the same tables: a model that does not beat them is not worth its words.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pandas as pd
from scipy.special import stdtrit

from crm_analysis.data.activity import daily_purchases
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import (
    CalibrationHoldout,
    CustomerSummary,
    split_calibration_holdout,
)
from crm_analysis.errors import DataError
from crm_analysis.messages import _, percent
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import fitter
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, horizon_in_units
from crm_analysis.value.interval import INDIVIDUALS, PARAMETERS, Interval

NaiveRule = Callable[[CustomerSummary, float], pd.Series]
"""Calibration summary and horizon in its unit -> expected purchases of each customer."""

_FREQUENCY_CLASSES = 7  # 0, 1, ... 6 and "7+"
_RECENT_DAYS = 90.0
# A total within this share of what happened is called close, within twice of it fair.
_CLOSE = 0.10


def as_often_as_before(customers: CustomerSummary, horizon: float) -> pd.Series:
    """Naive rule: each customer goes on at the rate observed so far, frequency / T."""
    frame = customers.frame
    rate = (frame["frequency"] / frame["T"]).where(frame["T"] > 0, 0.0)
    return (rate * horizon).rename("as often as before")


def only_recent_buyers(customers: CustomerSummary, horizon: float) -> pd.Series:
    """Naive rule: who bought within the last 90 days goes on as before, the others have left."""
    frame = customers.frame
    silent = (frame["T"] - frame["recency"]) * DAYS_PER_UNIT[customers.time_unit]
    return as_often_as_before(customers, horizon).where(silent <= _RECENT_DAYS, 0.0).rename("only recent buyers")


NAIVE_RULES: dict[str, NaiveRule] = {
    "as often as before": as_often_as_before,
    "only recent buyers": only_recent_buyers,
}


@dataclass(frozen=True, eq=False)
class Backtest:
    """How forecasts made earlier came out. The tables that look closer are of the first model at the last origin.

    Attributes
    ----------
    scorecard : DataFrame, indexed by origin and method
        kind ("model" or "naive"); customers; actual and expected purchases; error (expected / actual - 1); mae and
        rmse, purchases per customer; top_tenth, the share of the actual purchases made by the tenth ranked highest.
    by_decile : DataFrame, indexed by decile (1 = expected to buy most)
        customers; mean actual and expected purchases.
    by_frequency : DataFrame, indexed by repeat purchases before the origin ("0" to "7+")
        customers; mean actual and expected purchases; lower and upper 95% limits of the actual mean; expected_lower and
        expected_upper, between which all actual means would lie with 95% if the model held (Bonferroni).
    by_cohort : DataFrame, indexed by month of the first purchase
        customers; total actual and expected purchases.
    tracking : DataFrame, indexed by the last day of each week
        actual and expected repeat purchases in the week; lower and upper 95% limits of the held-out weeks; held_out.
        Up to the origin `expected` is that of the curve for new customers, after it that given each history.
    interval : Interval
        Of the expected total of the held-out time.
    horizon : float
        Length of the held-out time, in `time_unit`.
    """

    scorecard: pd.DataFrame
    by_decile: pd.DataFrame
    by_frequency: pd.DataFrame
    by_cohort: pd.DataFrame
    tracking: pd.DataFrame
    interval: Interval
    horizon: float
    time_unit: TimeUnit
    model_name: str
    origin: date

    @property
    def actual(self) -> float:
        """Purchases made in the held-out time after the last origin."""
        return float(self._row(self.model_name)["actual"])

    @property
    def expected(self) -> float:
        """Purchases the model expected there."""
        return float(self._row(self.model_name)["expected"])

    @property
    def shortfall(self) -> float:
        """How far what happened lies above (+) or below (-) the expectation, as a share of the expectation."""
        return self.actual / self.expected - 1 if self.expected else float("inf") if self.actual else 0.0

    @property
    def beaten_rules(self) -> list[str]:
        """Naive rules whose mean absolute error is larger than the model's."""
        last = self.scorecard.loc[self.origin]
        naive = last[last["kind"] == "naive"]
        return list(naive.index[naive["mae"] > last.loc[self.model_name, "mae"]])

    @property
    def closer_rules(self) -> list[str]:
        """Naive rules that came closer to the total than the model."""
        last = self.scorecard.loc[self.origin]
        naive = last[last["kind"] == "naive"]
        return list(naive.index[naive["error"].abs() < abs(float(self._row(self.model_name)["error"]))])

    @property
    def trust(self) -> str:
        """How far the total was from what happened, in one word: "close", "fair" or "poor"."""
        distance = abs(self.shortfall)
        return "close" if distance <= _CLOSE else "fair" if distance <= 2 * _CLOSE else "poor"

    def verdict(self) -> str:
        """Say in a plain sentence how far to trust the forecast."""
        last = self.scorecard.loc[self.origin]
        rules = int((last["kind"] == "naive").sum())
        level = {
            "close": _("The total can be relied on"),
            "fair": _("Take the total as rough"),
            "poor": _("Do not rely on the total"),
        }[self.trust]
        direction = (
            _("customers bought {share} more than expected", share=percent(self.shortfall))
            if self.shortfall > 0
            else _("customers bought {share} less than expected", share=percent(-self.shortfall))
        )
        inside = _("inside the 95% interval") if self.actual in self.interval else _("outside the 95% interval")
        single = (
            _("Customer by customer the model misses by less than the naive rules.")
            if len(self.beaten_rules) == rules
            else _("Customer by customer it does no better than a naive rule.")
        )
        sentences = [_("{level}: {direction}, {inside}.", level=level, direction=direction, inside=inside), single]
        if self.closer_rules:
            sentences.append(_("On the total a naive rule came closer."))
        return " ".join(sentences)

    def _row(self, method: str) -> pd.Series:
        row: pd.Series = self.scorecard.xs(self.origin).loc[method]  # type: ignore[assignment]  # one label, one row
        return row


def backtest(
    transactions: Transactions | pd.DataFrame | str,
    *,
    origins: Sequence[Day],
    horizon: Horizon,
    models: Sequence[str] = (BGNBDFit.model_name,),
    baselines: Mapping[str, NaiveRule] | None = None,
    time_unit: TimeUnit = "week",
    draws: int = 400,
    seed: int = 0,
) -> Backtest:
    """Fit to each origin, predict the `horizon` after it, and compare with what happened.

    Parameters
    ----------
    transactions : Transactions, DataFrame or path
        The log; it must reach to the end of the last held-out time.
    origins : sequence of date or str
        Last days of calibration, one or several.
    horizon : float or str
        Length of the held-out time: a number in `time_unit`, or text such as "39 weeks".
    models : sequence of str
        Names of purchase models; the closer tables are of the first.
    baselines : mapping of str to rule, optional
        Naive rules; `as_often_as_before` and `only_recent_buyers` when not given.
    time_unit : {"day", "week", "month"}
        Unit the models count in.
    draws, seed : int
        Simulated futures behind the interval and the weekly band.

    Returns
    -------
    Backtest

    Raises
    ------
    DataError
        When the log ends before a held-out time does, or an origin leaves nobody to predict.
    """
    log = read_transactions(transactions)
    rules = NAIVE_RULES if baselines is None else baselines
    rows: dict[tuple[date, str], dict[str, object]] = {}
    closer: tuple[PurchaseFit, CalibrationHoldout, pd.Series] | None = None
    days = sorted(to_day(origin, "origin") for origin in origins)
    for origin in days:
        split = _split(log, origin, horizon, time_unit)
        actual = split.holdout["purchases"]
        for position, name in enumerate(models):
            fit = fitter(name)(split.calibration)
            expected = fit.expected_purchases(split.calibration, horizon=split.holdout_length)
            rows[origin, name] = {"kind": "model", **_score(actual, expected)}
            if position == 0:
                closer = fit, split, expected
        for name, rule in rules.items():
            rows[origin, name] = {"kind": "naive", **_score(actual, rule(split.calibration, split.holdout_length))}
    if closer is None:
        raise DataError("backtest: no origin and no model given, so there is nothing to test.")
    fit, split, expected = closer
    futures, by_group = _futures(fit, split, _frequency_classes(split), draws, seed)
    return Backtest(
        scorecard=pd.DataFrame.from_dict(rows, orient="index").rename_axis(["origin", "method"]),
        by_decile=_by_decile(split.holdout["purchases"], expected),
        by_frequency=_by_frequency(split, expected, by_group),
        by_cohort=_by_cohort(split, expected),
        tracking=_tracking(log, fit, split, futures),
        interval=Interval.of_draws(futures.sum(axis=1), level=0.95, contains=(PARAMETERS, INDIVIDUALS)),
        horizon=split.holdout_length,
        time_unit=time_unit,
        model_name=models[0],
        origin=days[-1],
    )


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


def _score(actual: pd.Series, expected: pd.Series) -> dict[str, float]:
    miss = expected - actual
    ranked = actual[expected.sort_values(ascending=False, kind="stable").index]
    top = ranked.iloc[: max(1, round(len(ranked) / 10))]
    total = float(actual.sum())
    return {
        "customers": len(actual),
        "actual": total,
        "expected": float(expected.sum()),
        "error": float(expected.sum()) / total - 1 if total else float("nan"),
        "mae": float(miss.abs().mean()),
        "rmse": float(np.sqrt((miss**2).mean())),
        "top_tenth": float(top.sum()) / total if total else float("nan"),
    }


def _by_decile(actual: pd.Series, expected: pd.Series) -> pd.DataFrame:
    ranked = expected.sort_index().sort_values(ascending=False, kind="stable").index
    decile = pd.Series(np.arange(len(ranked)) * 10 // len(ranked) + 1, index=ranked, name="decile")
    table = pd.DataFrame({"actual": actual, "expected": expected, "decile": decile}).groupby("decile")
    return table.mean().assign(customers=table.size())[["customers", "actual", "expected"]]


def _frequency_classes(split: CalibrationHoldout) -> pd.Series:
    """Class of each customer by repeat purchases before the origin: "0" to "7+"."""
    labels = [str(n) for n in range(_FREQUENCY_CLASSES)] + [f"{_FREQUENCY_CLASSES}+"]
    codes = np.minimum(split.calibration.frame["frequency"].to_numpy(), _FREQUENCY_CLASSES)
    classes = pd.Categorical([labels[code] for code in codes], categories=labels, ordered=True)
    return pd.Series(classes, index=split.holdout.index)


def _by_frequency(split: CalibrationHoldout, expected: pd.Series, by_group: Floats) -> pd.DataFrame:
    table = pd.DataFrame({"actual": split.holdout["purchases"], "expected": expected})
    groups = table.groupby(_frequency_classes(split), observed=False)
    size = groups.size()
    # The mean of a count needs no normal customers, only enough of them; small classes get a wide interval.
    half = stdtrit(np.maximum(size - 1, 1), 0.975) * groups["actual"].std() / np.sqrt(size)
    means = groups.mean()
    seen = int((size > 0).sum())
    chance = 0.05 / (2 * seen)
    lower, upper = np.quantile(by_group, [chance, 1 - chance], axis=0)
    with np.errstate(invalid="ignore"):
        result = means.assign(
            customers=size,
            lower=(means["actual"] - half).clip(lower=0),
            upper=means["actual"] + half,
            expected_lower=lower / size.to_numpy(),
            expected_upper=upper / size.to_numpy(),
        ).rename_axis("repeat_purchases")
    order = ["customers", "actual", "lower", "upper", "expected", "expected_lower", "expected_upper"]
    return result.loc[size > 0, order]


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
    for params in fit.draws(draws, seed).itertuples(index=False):
        future = fit.with_params(tuple(params)).simulate_future(
            split.calibration, horizon=split.holdout_length, rng=rng
        )
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
    joined = _days_after(origin, newcomers)
    week_ends = 7 * np.arange(1 - weeks_before, 1)
    age = np.maximum(week_ends[:, None] - joined[None, :], 0) / DAYS_PER_UNIT[unit]
    curve = fit.expected_purchases_new_customer(age) @ newcomers["first"].to_numpy(dtype=np.float64)
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
