"""Contracts as an sBG is fitted to them: read from counts of cohorts, or from memberships one by one, and checked.

A contract comes down to the renewals it survived and whether it ended then. All rows that break a rule are refused in
one message.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.day_columns import to_days
from crm_analysis.errors import DataError, SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats
from crm_analysis.models.terms import join_terms, months_or_days, renewals_made

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
    lengths = frame["renewal_period"].map(months_or_days)
    most_common = lengths.mode()
    refuse(
        _rules(
            frame,
            [
                *_day_rules(frame, started, ended),
                _late_rule(started, last_day),
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
    if frame.index.name == "customer_id":
        dated["customer_id"] = frame.index
    if "customer_id" in dated.columns:  # else nobody knows whose terms they are
        dated = join_terms(dated, of_one_period=True, described_by="first").drop(columns="customer_id")
    read = dated.assign(periods=renewals_made(dated, last_day), churned=dated["ended_on"] <= last_day)
    return Contracts(read, np.ones(len(read)))


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
        column, words, broken, fix = _length_rule(frame["renewal_period"].map(months_or_days))
        rules.append((column, words, broken & given, fix))
    refuse(_rules(frame.set_index("customer_id"), rules))
    return frame.assign(started_on=started, ended_on=ended)


def joined_terms(
    memberships: pd.DataFrame, *, of_one_period: bool = False, described_by: Literal["first", "last"] = "last"
) -> pd.DataFrame:
    """Join the terms of a customer that follow one another: one row a membership, from the first start to the last end.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        As `dated_memberships` takes it.
    of_one_period : bool
        Join only what is renewed after the same time, so that renewals can be counted along the row. Where a member
        went on under a contract of another length, the row ends without having been lost.
    described_by : {"first", "last"}
        Which of the terms the other columns are taken from: what was joined, or what there is now.

    Returns
    -------
    DataFrame, one row a membership, at the place and with the label of its first term
        The columns given, days as midnights, and went_on (bool): ended, but went on under a contract of another length.

    Raises
    ------
    DataError
        When rows break rules: all rules at once.

    Notes
    -----
    A term is followed by one that begins on the day of its end or the day after, of the same plan before another: a
    change of plan is no loss. Contracts that run side by side stay apart. A row that is one term up to the day before
    its renewal (a year up to 31 December, renewed on 1 January) ends on the day of the renewal, on which the next term
    would have begun: with the last day of a term as the as-of date its member is one still, because nobody can know
    yet. Rows of several terms end as they say.
    """
    return join_terms(dated_memberships(memberships), of_one_period=of_one_period, described_by=described_by)


def contract_histories(memberships: pd.DataFrame, *, as_of: Day) -> pd.DataFrame:
    """Say of each contract how often it was renewed by a date and whether it was lost then, of any lengths.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on, ended_on and renewal_period.
    as_of : date or str
        The day up to which an end would be known.

    Returns
    -------
    DataFrame, one row a contract
        As `joined_terms` of one period, described by its first term, with periods (renewals survived) and churned: what
        `fit_sbg` takes, one length at a time. Who went on under a contract of another length is not churned.

    Raises
    ------
    DataError
        When rows break rules, or begin after the date: all rules at once.
    """
    last_day = pd.Timestamp(to_day(as_of, "as_of"))
    dated = dated_memberships(memberships)
    refuse(_rules(dated.set_index("customer_id"), [_late_rule(dated["started_on"], last_day)]))
    joined = join_terms(dated, of_one_period=True, described_by="first")
    churned = (joined["ended_on"] <= last_day) & ~joined["went_on"]
    return joined.assign(periods=renewals_made(joined, last_day), churned=churned)


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


def _late_rule(started: pd.Series, last_day: pd.Timestamp) -> _Rule:
    words = f"after the as-of date {last_day.date()}"
    return "started_on", words, started > last_day, "leave out contracts that begin later, or give a later date."


def _length_rule(lengths: pd.Series) -> _Rule:
    return (
        "renewal_period",
        "not a length of time",
        lengths.isna(),
        "write a whole number and a unit, such as '1 month' or '1 year'.",
    )
