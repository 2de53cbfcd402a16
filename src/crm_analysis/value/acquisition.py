"""How many customers will join: forecast from those who joined so far, or taken from a plan; with how sure that is.

A log that is younger than its shop shows old customers as new when it sees them first, so its first months are left
out. How far forecasts made earlier inside the log were off widens or narrows the doubt of the forecast.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_, _, count, percent
from crm_analysis.models.histories import Floats
from crm_analysis.periods import Month, months_after, units_per_year
from crm_analysis.value.newcomer_counts import months_to_learn_from
from crm_analysis.value.newcomer_model import outlook
from crm_analysis.value.newcomer_tests import LARGEST_ERROR, earlier_tests, error_after_tests, no_tests

Source = Literal["history", "plan", "pipeline"]

_YEAR = 12
# A forecast reaches so far beyond what was asked for, so that a later book can move the horizon on.
MONTHS_MORE = _YEAR
_METHOD = N_("level, growth and seasons of the months so far")


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
        Forecasts made earlier: months (count), actual, expected, log_ratio (of the totals), doubt (how far off they
        might be, a standard deviation with chance in it); empty where there were none.
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
    Level, drift and seasons are those of a structural model of the counts, averaged over how strong each may be; see
    `newcomer_model.outlook`. Its error is multiplied by how far forecasts made in the same way at up to twelve earlier
    dates were off, in units of what they might have been off by, chance included; as these tests overlap and are few,
    the model's own word counts as much as one independent test. Chance is no part of the error: what single months do
    beyond what is expected of them is drawn on top of it, by `dispersion`.
    """
    if months < 1:
        raise SettingsError(f"months is {months}; forecast one month at least.")
    day = to_day(as_of, "as_of")
    joined, left_out = months_to_learn_from(transactions, newcomers, day)
    found = outlook(joined.to_numpy(dtype=np.float64), months=months, ahead=months + MONTHS_MORE)
    tests = earlier_tests(joined, months, lambda seen, _day, ahead: outlook(seen, months=ahead))
    error = error_after_tests(found.error, tests)
    return Acquisition(
        expected=found.expected,
        error=error,
        dispersion=found.dispersion,
        first_spend=None if customers is None else mean_first_spend(customers),
        source="history",
        method=_METHOD,
        words=_forecast_words(tests, error, left_out),
        as_of=day,
        tests=tests,
    )


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
    if not 0 <= error <= LARGEST_ERROR:
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
        tests=no_tests(),
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


def _forecast_words(tests: pd.DataFrame, error: float, left_out: int) -> str:
    sentences = [_("New customers are forecast by {method}.", method=_(_METHOD))]
    if len(tests) > 1:
        sentences.append(
            _(
                "{tests} totals of {ahead} months forecast earlier in this way were off by {off}.",
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
