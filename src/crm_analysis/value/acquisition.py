"""How many customers will join: forecast from those who joined so far, or taken from a plan; with how sure that is.

A log that is younger than its shop shows old customers as new when it sees them first, so its first months are left
out. The forecast is chosen by forecasts made earlier inside the log, and how far these were off is its doubt.
"""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import N_, _, count, percent
from crm_analysis.models.histories import Floats
from crm_analysis.periods import Month, months_after, units_per_year
from crm_analysis.value.newcomer_counts import checked_newcomers, monthly_newcomers

Source = Literal["history", "plan", "pipeline"]

_YEAR = 12
# So long does a log show old customers as new; in a shorter log half of it, so that something is left to learn from.
_YOUNG = 6
_LEAST_MONTHS = 3
_LEAST_TESTS = 3
_ORIGINS = 12
# Error of a year's total before any test has spoken; and the largest that is believed.
_UNTESTED_ERROR, _LARGEST_ERROR = 0.20, 1.0
_MEAN_OF_A_YEAR = N_("mean of the last twelve months")
_MEAN_OF_A_QUARTER = N_("mean of the last three months")
_TREND = N_("damped trend")
_TREND_AND_SEASONS = N_("damped trend with seasons")


@dataclass(frozen=True, eq=False)
class Acquisition:
    """Customers expected to join after the as-of date.

    Attributes
    ----------
    expected : array, shape (n_months,)
        How many join in each month after the as-of date: of a forecast, a year more than was asked for, so that a later
        book can move the horizon on. `of_months` gives later ones too.
    error : float
        Standard deviation of the log of their total number, common to all months.
    dispersion : float
        Variance of the number of one month over its mean, >= 1: 1 is chance alone (Poisson).
    first_spend : float or None
        Mean amount of a first purchase, in currency; None: what the spend model expects of a new customer.
    source : {"history", "plan", "pipeline"}
    method : str
        Name of the way it was forecast; "" for a plan.
    words : str
        For the reader: where the numbers come from and how far to trust them.
    as_of : date
    tests : DataFrame, indexed by as-of date
        Forecasts made earlier: months (count), actual, expected, log_ratio (of the totals), month_error (root mean
        squared log ratio of single months); empty where there were none.
    """

    expected: Floats
    error: float
    dispersion: float
    first_spend: float | None
    source: Source
    method: str
    words: str
    as_of: date
    tests: pd.DataFrame

    def of_months(self, number: int) -> Floats:
        """Return so many months; those beyond what was forecast repeat the last year of it."""
        known = len(self.expected)
        last_year = min(_YEAR, known)
        places = [
            month if month < known else known - last_year + (month - known) % last_year for month in range(number)
        ]
        return self.expected[places]

    def draw(self, months: int, level: Floats, rng: np.random.Generator) -> Floats:
        """Draw how many join in each month, given by what factor each draw is off; shape (n_draws, n_months)."""
        mean = level[:, None] * self.of_months(months)[None, :]
        if self.dispersion > 1:
            shape = np.maximum(mean / (self.dispersion - 1), 1e-12)
            mean = rng.gamma(shape) * (self.dispersion - 1)
        return rng.poisson(mean).astype(np.float64)

    def draw_levels(self, draws: int, rng: np.random.Generator) -> Floats:
        """Draw by what factor the forecast is off, 1 on average."""
        return np.exp(rng.normal(-(self.error**2) / 2, self.error, size=draws))

    def to_dict(self) -> dict[str, Any]:
        """Return what `from_dict` reads, ready for JSON."""
        return {
            "expected": self.expected.tolist(),
            "error": self.error,
            "dispersion": self.dispersion,
            "first_spend": self.first_spend,
            "source": self.source,
            "method": self.method,
            "words": self.words,
            "as_of": self.as_of.isoformat(),
            "tests": self.tests.assign(as_of=[day.isoformat() for day in self.tests.index]).to_dict("list"),
        }

    @classmethod
    def from_dict(cls, saved: Mapping[str, Any]) -> "Acquisition":
        """Read what `to_dict` returned."""
        tests = pd.DataFrame(saved["tests"])
        days = pd.Index([date.fromisoformat(day) for day in tests["as_of"]], name="as_of", dtype=object)
        return cls(
            **{
                **saved,
                "expected": np.array(saved["expected"], dtype=np.float64),
                "as_of": date.fromisoformat(saved["as_of"]),
                "tests": tests.drop(columns="as_of").set_index(days),
            }
        )


def forecast_acquisition(
    transactions: Any = None,
    *,
    newcomers: pd.Series | None = None,
    as_of: Day,
    months: int,
    customers: CustomerSummary | None = None,
) -> Acquisition:
    """Forecast how many customers will join, from how many did.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log; or
    newcomers : Series, indexed by the last day of each month
        how many joined in each, as `monthly_newcomers` returns them: for a company without a purchase log. All of its
        months up to `as_of` are learnt from, so leave out those in which old customers count as new.
    as_of : date or str
        Last day that is known. Months are counted back and forth from it, so they are calendar months for the last day
        of one.
    months : int
        The horizon in months, >= 1: what `error` is about.
    customers : CustomerSummary, optional
        For the mean first purchase; without it the spend model's expectation stands for that.

    Returns
    -------
    Acquisition

    Raises
    ------
    DataError
        When fewer than three whole months are known, or the counts are none.
    SettingsError
        For a number of months below 1, and for both or neither of `transactions` and `newcomers`.

    Notes
    -----
    Candidates are the means of the last twelve and three months and exponential smoothing of the logarithm with a
    damped trend, from two and a half years on with seasons too (Hyndman & Athanasopoulos, Forecasting: Principles and
    Practice, ch. 8).
    The one whose earlier forecasts of single months were least far off is taken. The doubt is the root mean squared log
    error of its totals, which beyond a year, or the months it was tested on, grows with the square root of time; as
    tests overlap and are few, one test's weight is given to an error of 20% over a year. The chance in single months is
    in these errors and is drawn on top of them, so that intervals are a little wide where few join.
    """
    if months < 1:
        raise SettingsError(f"months is {months}; forecast one month at least.")
    day = to_day(as_of, "as_of")
    joined, left_out = _months_to_learn_from(transactions, newcomers, day)
    seen = joined.to_numpy(dtype=np.float64)
    candidates = _candidates(len(seen))
    chosen = _best(seen, months, candidates)
    tests = _tested(seen, months, _METHODS[chosen], shortest=_LEAST_KNOWN[chosen], ends=joined.index)
    error = _doubt(tests, months)
    return Acquisition(
        expected=_METHODS[chosen](seen, months + _YEAR),
        error=error,
        dispersion=_dispersion(seen),
        first_spend=None if customers is None else mean_first_spend(customers),
        source="history",
        method=chosen,
        words=_forecast_words(chosen, len(candidates), tests, error, left_out),
        as_of=day,
        tests=tests,
    )


def repeated_acquisition(
    acquisition: Acquisition,
    transactions: Any = None,
    *,
    newcomers: pd.Series | None = None,
    as_of: Day | None = None,
    customers: CustomerSummary | None = None,
) -> Acquisition:
    """Forecast who joins as of another date in the way of a forecast made before, neither chosen nor tested again.

    Parameters
    ----------
    acquisition : Acquisition
        The forecast to repeat; a plan is taken to have been the same then.
    transactions : Transactions or anything `read_transactions` accepts
        The log; what came after the date is not seen.
    newcomers : Series, optional
        Counts in place of the log, as in `forecast_acquisition`.
    as_of : date or str, optional
        The other date; by default that of `customers`.
    customers : CustomerSummary, optional
        As of the other date, for the mean first purchase.

    Raises
    ------
    DataError
        When fewer than three whole months are known by then.
    SettingsError
        When no date is told.
    """
    told = customers.as_of if as_of is None and customers is not None else as_of
    if told is None:
        raise SettingsError("give as_of, or a summary that has an as-of date, to forecast new customers from.")
    day = to_day(told, "as_of")
    if acquisition.source != "history":
        return replace(acquisition, as_of=day, tests=_no_tests())
    joined, _left_out = _months_to_learn_from(transactions, newcomers, day)
    seen = joined.to_numpy(dtype=np.float64)
    # A log that was too short then for the way that is best now.
    way = acquisition.method if len(seen) >= _LEAST_KNOWN[acquisition.method] else _MEAN_OF_A_YEAR
    expected = _METHODS[way](seen, len(acquisition.expected))
    first_spend = None if customers is None else mean_first_spend(customers)
    return replace(
        acquisition, expected=expected, method=way, first_spend=first_spend, as_of=day, words="", tests=_no_tests()
    )


def _months_to_learn_from(transactions: Any, newcomers: pd.Series | None, day: date) -> tuple[pd.Series, int]:
    """Count the newcomers of the whole months up to a day without the first of a log, and say how many these were."""
    if (transactions is None) == (newcomers is None):
        raise SettingsError("give transactions or newcomers, one of the two, to forecast new customers from.")
    if newcomers is None:
        joined = monthly_newcomers(transactions, as_of=day)
        left_out = min(_YOUNG, len(joined) // 2)
    else:
        joined, left_out = checked_newcomers(newcomers, as_of=day), 0
    if len(joined) < _LEAST_MONTHS:
        raise DataError(
            f"the log shows {len(joined)} whole month(s) up to {day}; a forecast of new customers needs "
            f"{_LEAST_MONTHS}.\nTo fix: give a longer log, or a plan (acquisition.plan in crm.toml)."
        )
    return joined.iloc[left_out:], left_out


def planned_acquisition(
    plan: float | Mapping[str, float],
    *,
    as_of: Day,
    months: int,
    error: float = 0.0,
    customers: CustomerSummary | None = None,
) -> Acquisition:
    """Take the customers who will join from a plan.

    Parameters
    ----------
    plan : float or mapping of month ("2011-01") to number
        New customers a month; a mapping must name every month from the one after the as-of date on.
    as_of : date or str
        Last day that is known.
    months : int
        How many months are needed.
    error : float
        Standard deviation of the log of the planned total, such as 0.1 for about ten percent; 0 takes the plan as sure,
        but for chance.
    customers : CustomerSummary, optional
        For the mean first purchase.

    Raises
    ------
    SettingsError
        For a plan that is negative or lacks months, and an error below 0 or above 1.
    """
    day = to_day(as_of, "as_of")
    if not 0 <= error <= _LARGEST_ERROR:
        raise SettingsError(f"the error of the acquisition plan is {error}; give a number from 0 to 1.")
    names = [str(Month.of(months_after(day, ahead))) for ahead in range(1, months + 1)]
    if isinstance(plan, Mapping):
        absent = [name for name in names if name not in plan]
        if absent:
            raise SettingsError(
                f"the acquisition plan lacks {len(absent)} of {months} month(s): {', '.join(absent[:5])}"
                f"{', ...' if len(absent) > 5 else ''}. Give a number for each, or one number for every month."
            )
        numbers = [float(plan[name]) for name in names]
    else:
        numbers = [float(plan)] * months
    if not all(np.isfinite(number) and number >= 0 for number in numbers):
        raise SettingsError(
            "the acquisition plan holds a number that is negative or infinite; give counts of 0 or more."
        )
    words = _(
        "New customers are those of the plan, {total} within {months} months", total=count(sum(numbers)), months=months
    )
    doubt = _("taken as sure") if error == 0 else _("give or take {error}", error=percent(error))
    return Acquisition(
        expected=np.array(numbers),
        error=error,
        dispersion=1.0,
        first_spend=None if customers is None else mean_first_spend(customers),
        source="plan",
        method="",
        words=f"{words}, {doubt}.",
        as_of=day,
        tests=_no_tests(),
    )


def mean_first_spend(customers: CustomerSummary) -> float | None:
    """Mean amount of a first purchase of those who joined in the last year; of all where these are fewer than thirty.

    None where the summary does not know what was spent in all.
    """
    frame = customers.frame
    if "total_spend" not in frame.columns or "monetary_value" not in frame.columns:
        return None
    first = frame["total_spend"] - (frame["monetary_value"] * customers.monetary_count).fillna(0.0)
    recent = frame["T"] <= units_per_year(customers.time_unit)
    return float(first[recent].mean() if recent.sum() >= 30 else first.mean())


# --- ways to forecast -------------------------------------------------------------------------------------------


def _mean_of_the_last(months: int) -> Callable[[Floats, int], Floats]:
    return lambda seen, ahead: np.full(ahead, seen[-months:].mean())


def _smoothed(seasons: bool) -> Callable[[Floats, int], Floats]:
    def forecast(seen: Floats, ahead: int) -> Floats:
        from statsmodels.tsa.exponential_smoothing.ets import ETSModel  # loads for a second, and only here is it wanted

        how: dict[str, Any] = {"seasonal": "add", "seasonal_periods": _YEAR} if seasons else {}
        with warnings.catch_warnings():
            # A search that ends early gives a poorer forecast, and the test tells.
            warnings.simplefilter("ignore")
            model = ETSModel(
                np.log(seen + 0.5),
                error="add",
                trend="add",
                damped_trend=True,
                initialization_method="heuristic",
                **how,
            )
            future = np.asarray(model.fit(disp=False).forecast(ahead))
        return np.maximum(np.exp(np.minimum(future, np.log(seen.max() + 1) + 3)) - 0.5, 0.0)

    return forecast


_METHODS: dict[str, Callable[[Floats, int], Floats]] = {
    _MEAN_OF_A_YEAR: _mean_of_the_last(_YEAR),
    _MEAN_OF_A_QUARTER: _mean_of_the_last(3),
    _TREND: _smoothed(seasons=False),
    _TREND_AND_SEASONS: _smoothed(seasons=True),
}


# Months each way needs to have seen.
_LEAST_KNOWN = {_MEAN_OF_A_YEAR: 3, _MEAN_OF_A_QUARTER: 3, _TREND: 10, _TREND_AND_SEASONS: 2 * _YEAR}


def _candidates(months: int) -> list[str]:
    """Name the ways that so many months can bear, the simplest first: it wins among equals."""
    return [
        _MEAN_OF_A_YEAR,
        _MEAN_OF_A_QUARTER,
        *([_TREND] if months >= _LEAST_KNOWN[_TREND] + _LEAST_TESTS else []),
        *([_TREND_AND_SEASONS] if months >= _LEAST_KNOWN[_TREND_AND_SEASONS] + 2 * _LEAST_TESTS else []),
    ]


_TESTED = ["months", "actual", "expected", "log_ratio", "month_error"]


def _best(seen: Floats, months: int, candidates: list[str]) -> str:
    """Name the way whose forecasts from the same earlier dates were least far off, month by month."""
    shortest = max(_LEAST_KNOWN[name] for name in candidates)
    off = {}
    for name in candidates:
        tests = _tested(seen, months, _METHODS[name], shortest=shortest)
        off[name] = float(tests["month_error"].mean()) if len(tests) else 0.0
    return min(candidates, key=off.__getitem__)


def _tested(
    seen: Floats,
    months: int,
    forecast: Callable[[Floats, int], Floats],
    *,
    shortest: int,
    ends: pd.Index | None = None,
) -> pd.DataFrame:
    """Forecast from earlier months on, a dozen times at most, and compare."""
    ahead = max(1, min(months, len(seen) // 3, len(seen) - shortest - _LEAST_TESTS + 1))
    rows = {}
    for origin in list(range(shortest, len(seen) - ahead + 1))[-_ORIGINS:]:
        actual, expected = seen[origin : origin + ahead], forecast(seen[:origin], ahead)
        # Half a customer on both sides, so that months in which nobody came can be compared.
        total = np.log((actual.sum() + 0.5) / (expected.sum() + 0.5))
        single = np.sqrt(np.mean(np.log((actual + 0.5) / (expected + 0.5)) ** 2))
        rows[origin if ends is None else ends[origin - 1]] = (ahead, actual.sum(), expected.sum(), total, single)
    return pd.DataFrame.from_dict(rows, orient="index", columns=_TESTED).astype(float).rename_axis("as_of")


def _no_tests() -> pd.DataFrame:
    return pd.DataFrame(columns=_TESTED, dtype=float).rename_axis("as_of")


def _doubt(tests: pd.DataFrame, months: int) -> float:
    """Standard deviation of the log of the total of so many months."""
    assumed = _UNTESTED_ERROR**2 * months / _YEAR
    if tests.empty:
        return min(assumed**0.5, _LARGEST_ERROR)
    ahead = float(tests["months"].iloc[0])
    # Tests a month apart share all but one of their months.
    independent = 1 + (len(tests) - 1) / ahead
    # Within a year chance and season even out about as fast as the level drifts; later the drift remains.
    seen = float((tests["log_ratio"] ** 2).mean()) * max(1.0, months / max(ahead, _YEAR))
    return float(min(((independent * seen + assumed) / (independent + 1)) ** 0.5, _LARGEST_ERROR))


def _dispersion(seen: Floats) -> float:
    """Variance over mean of a month's number around the months beside it: what chance does to a single month."""
    if len(seen) < 4 or not seen.mean() > 0:
        return 1.0
    # Second differences take level and trend out; their variance is six times that of one month.
    return float(max(1.0, np.mean(np.diff(seen, 2) ** 2) / 6 / seen.mean()))


def _forecast_words(chosen: str, candidates: int, tests: pd.DataFrame, error: float, left_out: int) -> str:
    sentences = [_("New customers are forecast by the {method}.", method=_(chosen))]
    if len(tests) > 1:
        sentences.append(
            _(
                "Of {candidates} ways it came nearest month by month; {tests} totals of {ahead} months forecast "
                "earlier were off by {off}.",
                candidates=count(candidates),
                tests=count(len(tests)),
                ahead=count(tests["months"].iloc[0]),
                off=percent(float(np.sqrt((tests["log_ratio"] ** 2).mean()))),
            )
        )
    else:
        sentences.append(_("The log is too short to test it."))
    sentences.append(_("Over the whole horizon their number is taken to be known to {error}.", error=percent(error)))
    if left_out:
        sentences.append(
            _(
                "The first {months} months of the log are left out: customers who had bought before it began would "
                "count as new in them.",
                months=count(left_out),
            )
        )
    return " ".join(sentences)
