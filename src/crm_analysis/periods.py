"""Time and rates: months, horizons and interest, each converted by name and in one place.

Models count time in the unit of their data (days, weeks or months since the first purchase). People speak of
"24 months" and of rates per year. Every step between the two is a function here; no constant hides in a formula.
"""

import math
import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal, get_args

from crm_analysis.errors import SettingsError

TimeUnit = Literal["day", "week", "month"]
Horizon = float | str

DAYS_PER_YEAR = 365.25
DAYS_PER_UNIT: dict[str, float] = {"day": 1.0, "week": 7.0, "month": DAYS_PER_YEAR / 12}
_HORIZON = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(day|week|month|year)s?\s*")
_DAYS_PER_WORD = {**DAYS_PER_UNIT, "year": DAYS_PER_YEAR}


def check_time_unit(unit: str) -> None:
    """Raise `SettingsError` unless `unit` is "day", "week" or "month"."""
    if unit not in get_args(TimeUnit):
        raise SettingsError(f"time_unit is {unit!r}; use one of {', '.join(get_args(TimeUnit))}.")


def units_per_year(unit: str) -> float:
    """Return how many `unit`s (day, week, month) a year of 365.25 days holds."""
    check_time_unit(unit)
    return DAYS_PER_YEAR / DAYS_PER_UNIT[unit]


def annual_to_continuous(annual_rate: float, unit: str) -> float:
    """Return the continuous rate per `unit` that equals `annual_rate` a year: ln(1 + d) / units per year.

    Parameters
    ----------
    annual_rate : float
        Effective rate a year, as a fraction (0.10 is ten percent), >= 0 and finite.
    unit : str
        "day", "week" or "month".

    Raises
    ------
    SettingsError
        When the rate is out of range. Under a rate below zero the far future would outweigh the near one, and all of it
        would be worth infinitely much.
    """
    if not 0 <= annual_rate < math.inf:
        raise SettingsError(f"annual rate is {annual_rate}; give a fraction of 0 or more, such as 0.10 for 10%.")
    return math.log1p(annual_rate) / units_per_year(unit)


def horizon_in_units(horizon: Horizon, unit: str, as_of: date | None = None) -> float:
    """Return a horizon as a number of `unit`s.

    Parameters
    ----------
    horizon : float or str
        A number already in `unit`, or text such as "24 months", "1 year", "52 weeks", "90 days".
    unit : str
        "day", "week" or "month": the unit of the result.
    as_of : date, optional
        When given, months and years follow the calendar from that date on (24 months from 30 June 1998 end on
        30 June 2000, 731 days later); without it they have their mean length.

    Returns
    -------
    float
        Length of the horizon, > 0.

    Raises
    ------
    SettingsError
        When the text cannot be read or the length is not positive.
    """
    check_time_unit(unit)
    if isinstance(horizon, str):
        length = _days_of(horizon, as_of) / DAYS_PER_UNIT[unit]
    else:
        try:
            length = float(horizon)
        except TypeError:
            length = math.nan
    if not 0 < length < float("inf"):
        raise SettingsError(f"horizon is {horizon!r}; give a positive length, such as 52 or '24 months'.")
    return length


def horizon_text(horizon: str) -> str:
    """Return a horizon given as text in its one form, number, space and unit: "24 months" for "24months"."""
    match = _HORIZON.fullmatch(horizon)
    if match is None:
        raise SettingsError(f"horizon is {horizon!r}; write a number and a unit, such as '24 months' or '52 weeks'.")
    count = float(match[1])
    return f"{count:g} {match[2]}{'' if count == 1 else 's'}"


def _days_of(text: str, as_of: date | None) -> float:
    size, _, word = horizon_text(text).partition(" ")
    count, word = float(size), word.removesuffix("s")
    if as_of is not None and word in ("month", "year") and count.is_integer():
        month = Month.of(as_of).shift(int(count) * (12 if word == "year" else 1))
        end = min(month.first_day.toordinal() + as_of.day - 1, month.last_day.toordinal())
        return float(end - as_of.toordinal())
    return count * _DAYS_PER_WORD[word]


def months_after(as_of: date, months: int) -> date:
    """Return the same day `months` later (earlier when negative); the last of a month stays the last of a month.

    >>> months_after(date(2023, 2, 28), 1), months_after(date(2023, 1, 30), 1)
    (datetime.date(2023, 3, 31), datetime.date(2023, 2, 28))
    """
    here = Month.of(as_of)
    there = here.shift(months)
    if as_of == here.last_day:
        return there.last_day
    return date(there.year, there.month, min(as_of.day, there.last_day.day))


@dataclass(frozen=True, order=True)
class Month:
    """A calendar month, the period of a book: `Month(1998, 6)`, written "1998-06"."""

    year: int
    month: int

    @classmethod
    def parse(cls, text: str) -> "Month":
        """Read "YYYY-MM"; raise `SettingsError` for anything else."""
        match = re.fullmatch(r"(\d{4})-(0[1-9]|1[0-2])", text)
        if match is None:
            raise SettingsError(f"period is {text!r}; write year and month as YYYY-MM, for example 1998-06.")
        return cls(int(match[1]), int(match[2]))

    @classmethod
    def of(cls, day: date) -> "Month":
        """Return the month that holds `day`."""
        return cls(day.year, day.month)

    @property
    def first_day(self) -> date:
        """First day of the month."""
        return date(self.year, self.month, 1)

    @property
    def last_day(self) -> date:
        """Last day of the month, the as-of date of its book."""
        return self.shift(1).first_day - timedelta(days=1)

    def shift(self, months: int) -> "Month":
        """Return the month `months` later (earlier when negative)."""
        index = self.year * 12 + self.month - 1 + months
        return Month(index // 12, index % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.month:02d}"
