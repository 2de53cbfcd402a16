"""Contracts as an sBG is fitted to them: read from counts of cohorts, or from memberships one by one, and checked.

A contract comes down to the renewals it survived and whether it ended then. All rows that break a rule are refused in
one message.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.day_columns import to_days
from crm_analysis.errors import DataError, SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats
from crm_analysis.periods import horizon_text

_ACTIVE = "active"
_MEMBERSHIPS = "memberships"
_Rule = tuple[str, str, Any, str]
"""A column, words for its rule, the rows that break it, and how to fix them."""


@dataclass(frozen=True, eq=False)
class Contracts:
    """Checked contracts: what an sBG is fitted to.

    Attributes
    ----------
    frame : DataFrame, one row a contract or a kind of contract
        periods (renewals survived), churned (not renewed after these; otherwise still running when last seen), and
        the columns given, which may serve as covariates.
    counts : array, shape (n_rows,)
        How many contracts each row stands for.
    """

    frame: pd.DataFrame
    counts: Floats


def contracts(
    active: Any = None,
    *,
    cohort_size: float | Sequence[float] | None = None,
    memberships: pd.DataFrame | None = None,
    as_of: Day | None = None,
) -> Contracts:
    """Check contracts given as counts of a cohort or one by one; arguments and errors are those of `sbg.fit_sbg`."""
    if (active is None) == (memberships is None):
        raise SettingsError(
            "give either `active`, counts of one or more cohorts, or `memberships`, one row a contract."
        )
    if memberships is None:
        if cohort_size is None or as_of is not None:
            raise SettingsError("counts of `active` need the `cohort_size` they started from, and no `as_of`.")
        read = _from_counts(active, cohort_size)
    else:
        if cohort_size is not None:
            raise SettingsError("`cohort_size` belongs to counts of `active`, not to `memberships`.")
        read = _from_memberships(memberships, as_of)
    if not read.counts[read.frame["churned"].to_numpy()].sum() > 0:
        raise DataError(
            f"{_ACTIVE if memberships is None else _MEMBERSHIPS}: no contract has ended, so there is nothing to learn "
            "churn from.\nTo fix: give contracts over a longer time, those that ended among them."
        )
    return read


def _from_counts(active: Any, cohort_size: float | Sequence[float]) -> Contracts:
    cohorts = _cohorts(active)
    try:
        sizes = np.atleast_1d(np.asarray(cohort_size, dtype=float))
    except (TypeError, ValueError):
        raise SettingsError(f"cohort_size is {cohort_size!r}; give the number of customers at the start.") from None
    if len(sizes) != len(cohorts):
        raise SettingsError(
            f"`active` holds {len(cohorts)} cohort(s) and `cohort_size` {len(sizes)} size(s); give one for each."
        )
    refuse(
        violation
        for (name, counts), size in zip(cohorts.items(), sizes, strict=True)
        for violation in _broken_counts(name, counts, size)
    )
    rows = []
    for counts, size in zip(cohorts.values(), sizes, strict=True):
        there = np.concatenate([[size], counts])
        renewals = np.arange(len(there))
        rows.append(pd.DataFrame({"periods": renewals[:-1], "churned": True, "count": -np.diff(there)}))
        rows.append(pd.DataFrame({"periods": renewals[-1:], "churned": False, "count": there[-1:]}))
    frame = pd.concat(rows, ignore_index=True)
    return Contracts(frame[["periods", "churned"]], frame["count"].to_numpy(float))


def _cohorts(active: Any) -> dict[str, Floats]:
    """Return the counts of each cohort by name; what cannot be read as a number is missing."""
    if isinstance(active, pd.DataFrame):
        # A younger cohort has seen fewer renewals: its column ends in missing values.
        columns = {str(name): active[name].iloc[: _last_known(active[name])] for name in active.columns}
    elif isinstance(active, str) or not isinstance(active, Iterable):
        raise SettingsError(f"active is {active!r}; give the counts after each renewal, such as [631, 468, 382].")
    elif all(np.ndim(count) == 0 for count in active):
        columns = {"": pd.Series(list(active), dtype=object)}
    else:
        columns = {f"cohort {place}": pd.Series(list(counts), dtype=object) for place, counts in enumerate(active, 1)}
    return {name: pd.to_numeric(column, errors="coerce").to_numpy(float) for name, column in columns.items()}


def _last_known(column: pd.Series) -> int:
    return int(np.flatnonzero(column.notna())[-1]) + 1 if column.notna().any() else 0


def _broken_counts(name: str, counts: Floats, size: float) -> Iterator[Violation]:
    renewals = pd.DataFrame({"active": counts}, index=pd.RangeIndex(1, len(counts) + 1, name="renewal"))
    if not (np.isfinite(size) and size > 0):
        yield Violation(_ACTIVE, name, f"the cohort size is {size}", 0, "give the number of customers at the start.")
    if not len(counts):
        yield Violation(_ACTIVE, name, "there is no count", 0, "give the number still active after the first renewal.")
    unknown = ~(np.isfinite(counts) & (counts >= 0))
    grown = np.diff(counts, prepend=size) > 0
    for words, broken, fix in [
        ("not a number of customers", unknown, "give counts >= 0; a younger cohort simply ends earlier."),
        (
            "more active customers than before the renewal",
            grown,
            "count each customer of the cohort until the first renewal missed; who comes back is a new one.",
        ),
    ]:
        if broken.any():
            yield Violation(_ACTIVE, name, words, int(broken.sum()), fix, renewals[broken].head(5))


def _from_memberships(memberships: pd.DataFrame, as_of: Day | None) -> Contracts:
    if not isinstance(memberships, pd.DataFrame):
        raise SettingsError(f"memberships must be a DataFrame, not a {type(memberships).__name__}.")
    frame = memberships.set_index("customer_id") if "customer_id" in memberships.columns else memberships
    if not len(frame):
        refuse([Violation(_MEMBERSHIPS, "", "there are no rows", 0, "give one row a contract.")])
    if "periods" in frame.columns or "churned" in frame.columns:
        if as_of is not None:
            raise SettingsError("memberships with periods and churned are as of their own date; leave `as_of` out.")
        return _from_periods(frame)
    if as_of is None:
        raise SettingsError("memberships with dates need `as_of`, the day up to which their end would be known.")
    return _from_dates(frame, to_day(as_of, "as_of"))


def _rules(frame: pd.DataFrame, rules: Sequence[_Rule]) -> Iterator[Violation]:
    """Turn (column, rule, rows that break it, fix) into violations."""
    for column, words, broken, fix in rules:
        rows = np.asarray(broken, dtype=bool)
        if rows.any():
            yield Violation(_MEMBERSHIPS, column, words, int(rows.sum()), fix, frame.loc[rows, [column]].head(5))


def _refuse_absent(frame: pd.DataFrame, names: Sequence[str]) -> None:
    refuse(
        Violation(
            _MEMBERSHIPS,
            name,
            f"there is no such column (there are {', '.join(map(repr, frame.columns))})",
            0,
            "give periods and churned, or started_on, ended_on and renewal_period.",
        )
        for name in names
        if name not in frame.columns
    )


def _from_periods(frame: pd.DataFrame) -> Contracts:
    _refuse_absent(frame, ("periods", "churned"))
    periods = pd.to_numeric(frame["periods"], errors="coerce").astype("float64")
    whole = np.isfinite(periods) & (periods >= 0) & (periods % 1 == 0)
    refuse(
        _rules(
            frame,
            [
                ("periods", "not a whole number of renewals", ~whole, "count the renewals each contract survived."),
                (
                    "churned",
                    "neither true nor false",
                    ~frame["churned"].isin([True, False]),
                    "give true where the contract has ended, false where it is still running.",
                ),
            ],
        )
    )
    return Contracts(frame.assign(periods=periods, churned=frame["churned"].astype(bool)), np.ones(len(frame)))


def _from_dates(frame: pd.DataFrame, as_of: date) -> Contracts:
    _refuse_absent(frame, ("started_on", "ended_on", "renewal_period"))
    last_day = pd.Timestamp(as_of)
    started, ended = (to_days(frame[name]) for name in ("started_on", "ended_on"))
    lengths = frame["renewal_period"].map(_months_or_days)
    most_common = lengths.mode()
    refuse(
        _rules(
            frame,
            [
                *_day_rules(frame, started, ended),
                (
                    "started_on",
                    f"after the as-of date {as_of}",
                    started > last_day,
                    "leave out contracts that begin later, or give a later date.",
                ),
                _length_rule(lengths),
                (
                    "renewal_period",
                    "another length than most contracts have",
                    lengths.notna() & ~lengths.isin(most_common[:1]),
                    "fit contracts of each length by themselves: the chance to leave is one at a renewal.",
                ),
            ],
        )
    )
    dated = frame.assign(started_on=started, ended_on=ended)
    periods = renewals_made(dated, last_day)
    return Contracts(frame.assign(periods=periods, churned=ended <= last_day), np.ones(len(frame)))


def dated_memberships(memberships: pd.DataFrame) -> pd.DataFrame:
    """Check contracts given by their dates, of any lengths.

    Parameters
    ----------
    memberships : DataFrame, one row a contract
        customer_id, started_on, ended_on (missing while the contract is running), and renewal_period where known.

    Returns
    -------
    DataFrame
        The same with days as midnights; customer_id is a column.

    Raises
    ------
    DataError
        When rows break rules: all rules at once.
    """
    if not isinstance(memberships, pd.DataFrame):
        raise SettingsError(f"memberships must be a DataFrame, not a {type(memberships).__name__}.")
    frame = memberships.reset_index() if memberships.index.name == "customer_id" else memberships
    _refuse_absent(frame, ("customer_id", "started_on", "ended_on"))
    started, ended = (to_days(frame[name]) for name in ("started_on", "ended_on"))
    rules = _day_rules(frame, started, ended)
    if "renewal_period" in frame.columns:
        given = frame["renewal_period"].notna()
        column, words, broken, fix = _length_rule(frame["renewal_period"].map(_months_or_days))
        rules.append((column, words, broken & given, fix))
    refuse(_rules(frame.set_index("customer_id"), rules))
    return frame.assign(started_on=started, ended_on=ended)


def renewals_made(dated: pd.DataFrame, until: pd.Timestamp) -> pd.Series:
    """Count the renewals each contract had made by the end of a day.

    Parameters
    ----------
    dated : DataFrame, one row a contract
        started_on and ended_on as midnights, and renewal_period, such as "1 month"; of one length or of several.
    until : Timestamp

    Returns
    -------
    Series, indexed as `dated`
        A contract that ends on the day of a renewal has not made it; one that starts later has made none. Missing where
        the renewal period is.
    """
    started, ended = dated["started_on"], dated["ended_on"]
    seen_until = (ended - pd.Timedelta(days=1)).where(ended <= until, until)
    by_unit = {"month": _whole_months(started, seen_until), "day": (seen_until - started).dt.days}
    lengths = dated["renewal_period"].map(_months_or_days)
    made = pd.Series(np.nan, index=dated.index)
    for size, unit in lengths.dropna().unique():
        of_it = lengths.isin([(size, unit)]).to_numpy()
        made[of_it] = by_unit[unit][of_it] // size
    return made.clip(lower=0)


def _day_rules(frame: pd.DataFrame, started: pd.Series, ended: pd.Series) -> list[_Rule]:
    return [
        ("started_on", "not a date", started.isna(), "give the first day of each contract."),
        (
            "ended_on",
            "not a date",
            ended.isna() & frame["ended_on"].notna(),
            "give the day a contract ended, and nothing where it is still running.",
        ),
        ("ended_on", "before the contract started", ended < started, "check which date is which."),
    ]


def _length_rule(lengths: pd.Series) -> _Rule:
    return (
        "renewal_period",
        "not a length of time",
        lengths.isna(),
        "write a whole number and a unit, such as '1 month' or '1 year'.",
    )


def _months_or_days(text: Any) -> tuple[int, str] | None:
    """Read "1 year" as (12, "month") and "2 weeks" as (14, "day"); None for what is no whole length."""
    try:
        count, _, unit = horizon_text(text).partition(" ")
    except (SettingsError, TypeError):
        return None
    factor, kind = {"year": (12, "month"), "month": (1, "month"), "week": (7, "day"), "day": (1, "day")}[
        unit.removesuffix("s")
    ]
    return (int(count) * factor, kind) if count.isdigit() and int(count) > 0 else None


def _whole_months(start: pd.Series, end: pd.Series) -> pd.Series:
    """Months from one day to another by the calendar; the 31st falls on the last day of a shorter month."""
    months = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    return months - (end.dt.day < np.minimum(start.dt.day, end.dt.days_in_month)).astype(int)
