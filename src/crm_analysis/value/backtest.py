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
from scipy.special import stdtrit

from crm_analysis.data.activity import daily_purchases
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CalibrationHoldout, split_calibration_holdout
from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.messages import _, count, number, percent, plural
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, horizon_in_units
from crm_analysis.value.candidates import fit_candidate
from crm_analysis.value.interval import INDIVIDUALS, Interval
from crm_analysis.value.level import at_level, level_of
from crm_analysis.value.naive_rules import NAIVE_RULES, KnownPast, NaiveRule
from crm_analysis.value.scores import by_decile, coverage, log_scores, point_scores, probability_transform

_FREQUENCY_CLASSES = 7  # 0, 1, ... 6 and "7+"
# A total within this share of what happened is called close, within twice of it fair.
_CLOSE = 0.10
# A model must be better by this many standard errors to take the place of the one named first.
_CLEARLY = 2.0
_ROUNDING = 1e-6


@dataclass(frozen=True, eq=False)
class Backtest:
    """How forecasts made earlier came out. The tables that look closer are of the chosen model at the last origin.

    Attributes
    ----------
    scorecard : DataFrame, indexed by origin and method
        kind ("model" or "naive") and the scores of `scores.point_scores`: customers; actual and expected purchases;
        error (expected / actual - 1); mae, mae_at_total, rmse; gini, top_tenth, lift, decile_mape. Of models alone:
        coverage of each customer's 90% range, log_score (mean log-probability of what customers did), converged.
    comparison : DataFrame, indexed by method
        The same over all origins: total_error (mean absolute error of the total), mae, rmse, gini, decile_mape,
        coverage, log_score; ahead (log score above that of the first model, over its standard error).
    by_decile : DataFrame, indexed by decile (1 = expected to buy most)
        customers; mean actual and expected purchases.
    by_frequency : DataFrame, indexed by repeat purchases before the origin ("0" to "7+")
        customers; mean actual and expected purchases; lower and upper 95% limits of the actual mean; expected_lower and
        expected_upper, between which all actual means would lie with 95% if the model held (Bonferroni).
    by_silence : DataFrame, indexed by weeks since the last purchase ("0-4", "4-8", ...)
        customers; mean actual and expected purchases.
    by_cohort : DataFrame, indexed by month of the first purchase
        customers; total actual and expected purchases.
    tracking : DataFrame, indexed by the last day of each week
        actual and expected repeat purchases in the week; lower and upper 95% limits of the held-out weeks; held_out.
        Up to the origin `expected` is that of the curve for new customers, after it that given each history.
    probability_transform : DataFrame
        Where in their forecast distributions the customers ended up (see `scores.probability_transform`).
    interval : Interval
        Of the expected total of the held-out time.
    horizon : float
        Length of the held-out time, in `time_unit`.
    model_name : str
        The chosen model: the first one, unless another is clearly better.
    kept : bool
        Whether the first one was kept without asking the test.
    given_flow : bool
        Whether the chosen model was given the flow of orders of the held-out time, which the naive rules were not.
    """

    scorecard: pd.DataFrame
    comparison: pd.DataFrame
    by_decile: pd.DataFrame
    by_frequency: pd.DataFrame
    by_silence: pd.DataFrame
    by_cohort: pd.DataFrame
    tracking: pd.DataFrame
    probability_transform: pd.DataFrame
    interval: Interval
    horizon: float
    time_unit: TimeUnit
    model_name: str
    origin: date
    kept: bool = False
    given_flow: bool = False

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
        """Naive rules that miss single customers by more than the model does, in root mean square.

        The mean absolute error would favour whoever forecasts too little: most customers buy nothing.
        """
        last = self.scorecard.loc[self.origin]
        naive = last[last["kind"] == "naive"]
        return list(naive.index[naive["rmse"] > last.loc[self.model_name, "rmse"]])

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
        if self.given_flow:
            sentences.append(_("The model was given the flow of orders of that time, the naive rules were not."))
        return " ".join(sentences)

    def choice(self) -> str:
        """Say in a sentence why this model stands behind the forecast; empty when only one was tested."""
        models = self.comparison[self.comparison["kind"] == "model"]
        if len(models) < 2:
            return ""
        if self.kept:
            return _(
                "The log holds each season once, so no test inside it can tell a season from customers leaving; the "
                "model is the one made for shops with seasons."
            )
        origins = self.scorecard.index.get_level_values("origin").nunique()
        tests = plural("one earlier date", "{n} earlier dates", origins)
        first = models.index[0]
        if self.model_name == first:
            others = models["ahead"].drop(first)
            if others.max() > 0:
                return _(
                    "{model}, the preferred of {n} models, stays: tested on {tests}, none was clearly better at saying "
                    "what each customer would do ({other} came closest, {z} standard errors ahead).",
                    model=first,
                    n=count(len(models)),
                    tests=tests,
                    other=others.idxmax(),
                    z=number(float(others.max()), 1),
                )
            return _(
                "{model} was the best of {n} models at saying what each customer would do, tested on {tests}.",
                model=first,
                n=count(len(models)),
                tests=tests,
            )
        return _(
            "{model} was chosen out of {n} models: tested on {tests}, it said best what each customer would do, {z} "
            "standard errors ahead of {first}.",
            model=self.model_name,
            n=count(len(models)),
            tests=tests,
            z=number(float(models["ahead"][self.model_name]), 1),
            first=first,
        )

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
    clock: OrderClock | None = None,
    keep_first: bool = False,
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
        Last days of calibration, one or several (rolling); held-out times may overlap.
    horizon : float or str
        Length of the held-out time: a number in `time_unit`, or text such as "39 weeks".
    models : sequence of str
        Names of purchase models, the preferred one first: another takes its place only if it is clearly better.
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
    tests = [
        _test(log, origin, horizon, models, rules, clock, time_unit, is_last=origin == days[-1]) for origin in days
    ]
    if not tests or not models:
        raise DataError("backtest: no origin and no model given, so there is nothing to test.")
    comparison = _comparison(tests, models)
    chosen = models[0] if keep_first else _chosen(comparison)
    last = tests[-1]
    fit, split, expected = last.fits[chosen], last.split, last.expected[chosen]
    futures, by_group = _futures(fit, split, _frequency_classes(split), draws, seed)
    return Backtest(
        scorecard=pd.DataFrame.from_dict(
            {(test.origin, name): row for test in tests for name, row in test.rows.items()}, orient="index"
        ).rename_axis(["origin", "method"]),
        comparison=comparison,
        by_decile=by_decile(split.holdout["purchases"], expected),
        by_frequency=_by_frequency(split, expected, by_group),
        by_silence=_by_silence(split, expected),
        by_cohort=_by_cohort(split, expected),
        tracking=_tracking(log, fit, split, futures),
        probability_transform=probability_transform(last.outcomes[chosen]),
        interval=Interval.of_draws(futures.sum(axis=1), level=0.95, contains=(*fit.sources_of_doubt, INDIVIDUALS)),
        horizon=split.holdout_length,
        time_unit=time_unit,
        model_name=chosen,
        origin=last.origin,
        kept=keep_first,
        given_flow=clock is not None and isinstance(fit, ClockedFit),
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
    models: Sequence[str],
    rules: Mapping[str, NaiveRule],
    clock: OrderClock | None,
    time_unit: TimeUnit,
    *,
    is_last: bool,
) -> _Test:
    split = _split(log, origin, horizon, time_unit)
    actual, length = split.holdout["purchases"], split.holdout_length
    test = _Test(origin, split, {}, {}, {}, {})
    for name in models:
        with warnings.catch_warnings():
            # Doubt about an earlier date stands in the table, not once for each model and date on the screen.
            warnings.simplefilter("ignore", EstimationWarning)
            fit = fit_candidate(name, split.known, split.calibration, clock=clock)
        if isinstance(fit, ClockedFit) and is_last:
            # The level costs five fits; it is taken where closer tables, interval and verdict are.
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
    for params in fit.draws(draws, seed).itertuples(index=False):
        future = fit.with_coefficients(params).simulate_future(split.calibration, horizon=split.holdout_length, rng=rng)
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
