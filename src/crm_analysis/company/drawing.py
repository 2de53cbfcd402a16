"""What every part of the simulated company draws with: days counted from its first one, and a stream of its own."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from crm_analysis.models.histories import Floats, Integers
from crm_analysis.periods import Month

Shares = tuple[tuple[str, float], ...]
"""Names with the share of each; shares need not add up to one."""

# Fine enough for a time of day, and the unit in which pandas of every version counts.
_CLOCK = "datetime64[ns]"


def stream(seed: int, part: str) -> np.random.Generator:
    """Return the source of randomness of one part, which no other part draws from."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(part.encode()),)))


def pick(shares: Shares, n: int, rng: np.random.Generator) -> Integers:
    """Draw positions in `shares`, each as often as its share says, shape (n,)."""
    weights = np.array([share for _, share in shares])
    return rng.choice(len(shares), size=n, p=weights / weights.sum())


def words(names: Sequence[str], positions: Integers) -> NDArray[Any]:
    """Return the name at each position; -1 is missing."""
    return np.array([*names, None], dtype=object)[positions]


def where_known(values: NDArray[np.bool_], known: NDArray[np.bool_]) -> pd.Series:
    """Return truth values that are missing where they are not known."""
    return pd.Series(values, dtype="boolean").where(pd.Series(known))


def numbered(prefix: str, n: int, digits: int = 6) -> NDArray[Any]:
    """Return `n` ids, such as "S000001", from 1 on."""
    return np.array([f"{prefix}{number:0{digits}d}" for number in range(1, n + 1)], dtype=object)


def on_scale(latent: Floats, mean: float, spread: float, low: int, high: int) -> Floats:
    """Turn standard normal opinions into the marks of a questionnaire, whole numbers from `low` to `high`."""
    return np.clip(np.rint(mean + spread * latent), low, high)


def mean_on_scale(mean: float, spread: float, low: int, high: int) -> float:
    """Expected mark of `on_scale` over a standard normal population: the ends of the scale pull it inwards."""
    cuts = np.arange(low, high) + 0.5
    return float(low + norm.sf(cuts, mean, spread).sum())


def faithfulness(mean: float, spread: float, low: int, high: int) -> float:
    """Squared correlation of the mark of `on_scale` with the opinion behind it: what rounding and the ends leave."""
    cuts = np.arange(low, high) + 0.5
    above = norm.sf(cuts, mean, spread)
    # A mark is `low` and one for each cut that is passed; of two cuts, who passes the higher passes the lower.
    variance = np.minimum.outer(above, above).sum() - above.sum() ** 2
    return float(norm.pdf((cuts - mean) / spread).sum() ** 2 / variance)


@dataclass(frozen=True)
class Span:
    """The time a company is seen, and how much longer its truth goes on. Days count from 0, its first day.

    Attributes
    ----------
    first_month : Month
        When it opened.
    months, horizon_months : int
        Months that the tables hold; months after these that only the truth holds.
    """

    first_month: Month
    months: int
    horizon_months: int

    @property
    def as_of(self) -> date:
        """Last day of the last month seen."""
        return self.first_month.shift(self.months - 1).last_day

    @cached_property
    def month_starts(self) -> Integers:
        """First day of each month, the horizon and the month after it included, shape (months + horizon + 1,)."""
        first = self.first_month.first_day.toordinal()
        months = range(self.months + self.horizon_months + 1)
        return np.array([self.first_month.shift(month).first_day.toordinal() - first for month in months])

    @property
    def days(self) -> int:
        """Number of days seen; day `days` is the first one after the as-of date."""
        return int(self.month_starts[self.months])

    @property
    def all_days(self) -> int:
        """Number of days simulated."""
        return int(self.month_starts[-1])

    def calendar_month(self, month: Integers | int) -> Integers:
        """Month of the year, 0 for January, of the `month`-th month."""
        return np.asarray(self.first_month.month - 1 + np.asarray(month)) % 12

    def period(self, month: int) -> str:
        """Return the `month`-th month as "YYYY-MM"."""
        return str(self.first_month.shift(month))

    def dates(self, day: Floats | Integers) -> NDArray[np.datetime64]:
        """Return days since the first one as timestamps: midnight for whole days; NaN is missing."""
        seconds = np.asarray(day, float) * 86_400
        known = np.isfinite(seconds)
        start = np.datetime64(self.first_month.first_day).astype(_CLOCK)
        passed = np.where(known, np.rint(seconds), 0).astype("timedelta64[s]")
        return np.where(known, start + passed.astype("timedelta64[ns]"), np.datetime64("NaT", "ns"))


def add_months(day: pd.Series, months: Integers) -> pd.Series:
    """Return dates so many calendar months later; the 31st falls on the last day of a shorter month."""
    month = day.to_numpy().astype("datetime64[M]") + np.asarray(months, "timedelta64[M]")
    last = (month + 1).astype("datetime64[D]") - np.timedelta64(1, "D")
    same = month.astype("datetime64[D]") + (day.dt.day.to_numpy() - 1).astype("timedelta64[D]")
    return pd.Series(np.minimum(same, last).astype(_CLOCK), index=day.index)
