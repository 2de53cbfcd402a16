"""Contracts by the calendar: when they come up for renewal, how often they were renewed, and terms that go on as one.

A day's renewal is part of that day: a contract that ends on the day of a renewal has not made it, and one that is
running in the evening has. Who is stored one row a term is a member still between two rows.
"""

from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.periods import horizon_text

Length = tuple[int, str]
"""Time from one renewal to the next: so many months ("month") or days ("day")."""

_A_DAY = pd.Timedelta(days=1)


def months_or_days(text: Any) -> Length | None:
    """Read "1 year" as (12, "month") and "2 weeks" as (14, "day"); None for what is no whole length."""
    try:
        count, _, unit = horizon_text(text).partition(" ")
    except (SettingsError, TypeError):
        return None
    factor, kind = {"year": (12, "month"), "month": (1, "month"), "week": (7, "day"), "day": (1, "day")}[
        unit.removesuffix("s")
    ]
    return (int(count) * factor, kind) if count.isdigit() and int(count) > 0 else None


def length_text(length: Length) -> str:
    """Write a length in its one form: "1 year" for (12, "month"), "2 weeks" for (14, "day")."""
    size, unit = length
    for larger, of_them in (("year", 12), ("week", 7)):
        if (larger == "year") == (unit == "month") and size % of_them == 0:
            size, unit = size // of_them, larger
            break
    return f"{size} {unit}{'' if size == 1 else 's'}"


def renewals_made(dated: pd.DataFrame, until: pd.Timestamp) -> pd.Series:
    """Count the renewals each contract had made by the end of a day.

    Parameters
    ----------
    dated : DataFrame, one row a contract
        started_on and ended_on as midnights, and renewal_period, such as "1 month"; of one length or of several. With
        went_on, as `join_terms` gives it, who went on under another contract has made the renewal of that day.
    until : Timestamp

    Returns
    -------
    Series, indexed as `dated`
        A contract that ends on the day of a renewal has not made it; one that starts later has made none. Missing where
        the renewal period is.
    """
    ended = dated["ended_on"]
    last_seen = ended - _A_DAY
    if "went_on" in dated.columns:
        last_seen = last_seen.where(~dated["went_on"], ended)
    return _periods(dated["started_on"], last_seen.where(ended <= until, until), lengths_of(dated)).clip(lower=0)


def renewal_days(started: pd.Series, length: Length, renewals: np.ndarray) -> np.ndarray:
    """Return the days on which contracts of one length come up for some of their renewals.

    Parameters
    ----------
    started : Series of midnights, shape (n,)
    length : (int, "month" or "day")
    renewals : array of int, shape (n, m)
        1 is the first.

    Returns
    -------
    array of datetime64[D], shape (n, m)
        By the calendar; what began on the 31st is renewed on the last day of a shorter month.
    """
    size, unit = length
    first = started.to_numpy().astype("datetime64[D]")
    if unit == "day":
        return first[:, None] + size * renewals
    begun = first.astype("datetime64[M]")
    month = begun[:, None] + size * renewals
    begins, ends = month.astype("datetime64[D]"), (month + 1).astype("datetime64[D]")
    day = (first - begun.astype("datetime64[D]")).astype(np.int64)
    return begins + np.minimum(day[:, None], (ends - begins).astype(np.int64) - 1)


def join_terms(
    dated: pd.DataFrame, *, of_one_period: bool = False, described_by: Literal["first", "last"] = "last"
) -> pd.DataFrame:
    """Join terms that follow one another; arguments and result are those of `memberships.joined_terms`."""
    lengths = lengths_of(dated)
    after = _followers(dated)
    has_next = after >= 0
    went_on = np.zeros(len(dated), dtype=bool)
    if of_one_period:
        codes = pd.factorize(lengths)[0]
        went_on = has_next & (codes != codes[after])
        has_next &= ~went_on
    here = np.arange(len(dated))
    last = np.where(has_next, after, here)
    while (last[last] != last).any():  # each step doubles how many terms are looked ahead
        last = last[last]
    first = np.ones(len(dated), dtype=bool)
    first[after[has_next]] = False
    begins, ends = here[first], last[first]
    joined = dated.iloc[begins if described_by == "first" else ends].set_axis(dated.index[begins])
    ended = dated["ended_on"].iloc[ends]
    # A row that is one term up to the day before its renewal: whether that is made cannot be known a day earlier.
    term_began, next_day, its_length = dated["started_on"].iloc[ends], ended + _A_DAY, lengths.iloc[ends]
    one_term = (_periods(term_began, next_day, its_length) == 1) & (_periods(term_began, ended, its_length) == 0)
    went_on, after = went_on[ends], after[ends]
    return joined.assign(
        started_on=dated["started_on"].to_numpy()[begins],
        # Who went on did so on the day the next contract began, not on the eve of it.
        ended_on=np.where(went_on, dated["started_on"].to_numpy()[after], next_day.where(one_term, ended).to_numpy()),
        went_on=went_on,
    )


def _followers(dated: pd.DataFrame) -> np.ndarray:
    """Return the place of the row each row goes on with; -1 where none begins on the day of its end or the day after.

    Each row follows one and is followed by one at most, by one of its own plan before others. Contracts that run side
    by side stay apart.
    """
    rows = pd.DataFrame(
        {
            "customer": dated["customer_id"].to_numpy(),
            "plan": dated["plan"].astype("object").fillna("").to_numpy() if "plan" in dated.columns else "",
            "start": dated["started_on"].to_numpy(),
            "end": dated["ended_on"].to_numpy(),
            "place": np.arange(len(dated)),
        }
    )
    after, follows = np.full(len(rows), -1), np.zeros(len(rows), dtype=bool)
    for alike in (["customer", "plan"], ["customer"]):
        for gap in (1, 0):
            # What ended on the day it began is followed from the next day on, or it would follow itself.
            can_go_on = (after < 0) & rows["end"].notna() & ((rows["start"] < rows["end"]) | (gap == 1))
            of_ends = rows[can_go_on].sort_values(["start", "end"], kind="stable")
            of_starts = rows[~follows].sort_values(["end"], kind="stable")
            ends = of_ends.assign(day=of_ends["end"] + gap * _A_DAY)[[*alike, "day", "place"]]
            starts = of_starts.assign(day=of_starts["start"])[[*alike, "day", "place"]]
            key = [*alike, "day"]
            pairs = ends.assign(nth=ends.groupby(key).cumcount()).merge(
                starts.assign(nth=starts.groupby(key).cumcount()), on=[*key, "nth"], suffixes=("", "_next")
            )
            after[pairs["place"]] = pairs["place_next"]
            follows[pairs["place_next"]] = True
    return after


def lengths_of(dated: pd.DataFrame) -> pd.Series:
    """Read the renewal period of each contract; None where it is not told."""
    if "renewal_period" not in dated.columns:
        return pd.Series(None, index=dated.index, dtype=object)
    codes, texts = pd.factorize(dated["renewal_period"])
    read = np.empty(len(texts) + 1, dtype=object)  # the last, which code -1 finds, is that of no text
    for place, text in enumerate(texts):
        read[place] = months_or_days(text)
    return pd.Series(read[codes], index=dated.index, dtype=object)


def _periods(started: pd.Series, until: pd.Series, lengths: pd.Series) -> pd.Series:
    """Count the whole periods from one day to another, row by row; missing where the length is, or a day."""
    by_unit = {"month": _whole_months(started, until), "day": (until - started).dt.days}
    periods = pd.Series(np.nan, index=started.index)
    for size, unit in lengths.dropna().unique():
        of_it = lengths.isin([(size, unit)]).to_numpy()
        periods[of_it] = by_unit[unit][of_it] // size
    return periods


def _whole_months(start: pd.Series, end: pd.Series) -> pd.Series:
    """Months from one day to another by the calendar; the 31st falls on the last day of a shorter month."""
    months = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    return months - (end.dt.day < np.minimum(start.dt.day, end.dt.days_in_month)).astype(int)
