"""What a table beside the purchase log must hold from one row to another, and what is used but worth knowing.

Single values were checked before; here are rules that take several rows, table by table. They see the typed frame, in
which what could not be read is missing.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import LOST, WON, SideContract, SideName
from crm_analysis.errors import Violation
from crm_analysis.messages import N_
from crm_analysis.periods import Month

SHOWN = 5


@dataclass(frozen=True)
class Note:
    """What is used but worth knowing: a stable key, words, how many rows, and which of them."""

    key: str
    meaning: str
    rows: int
    which: str


def note(key: str, meaning: str, which: Sequence[object], *, name_all: bool = False) -> Note:
    """Return a note on these; the first are named."""
    shown = len(which) if name_all else SHOWN
    names = [*(str(one) for one in which[:shown]), *(["..."] if len(which) > shown else [])]
    return Note(key, meaning, len(which), ", ".join(names))


@dataclass(frozen=True)
class Rows:
    """The typed rows of a table, and how the source calls its columns.

    Attributes
    ----------
    contract : SideContract
    source : str
        Name of the source, for people.
    names : mapping
        From the contract's names to the source's.
    frame : DataFrame
        By the contract's names, sorted by its order.
    numbers : Series
        The number of each row in the source, missing where the engine knows none.
    """

    contract: SideContract
    source: str
    names: Mapping[str, str]
    frame: pd.DataFrame
    numbers: pd.Series

    def has(self, *columns: str) -> bool:
        """Whether all of these columns are there."""
        return set(columns) <= set(self.frame.columns)

    def broken(self, column: str, rule: str, fix: str, rows: pd.Series, *beside: str) -> Iterator[Violation]:
        """Yield a violation where any row breaks a rule, with the first that do."""
        if not rows.any():
            return
        shown = self.frame.loc[rows, list(dict.fromkeys([*beside, column]))].head(SHOWN)
        days = {str(name): day.dt.strftime("%Y-%m-%d") for name, day in shown.items() if day.dtype.kind == "M"}
        first = shown.assign(**days).set_axis(self.numbers[shown.index].rename("row")).rename(columns=dict(self.names))
        yield Violation(self.source, self.names[column], rule, int(rows.sum()), fix, first)


def broken_rules(rows: Rows) -> Iterator[Violation]:
    """Yield all that is wrong with a table from one row to another."""
    return _BROKEN[rows.contract.name](rows)


def last_days(contract: SideContract, frame: pd.DataFrame) -> pd.Series:
    """Return the day by which each row can be seen: that of the row, and of a month its last."""
    if contract.seen_on not in frame:
        return pd.Series(pd.NaT, index=frame.index, dtype="datetime64[us]")
    days = frame[contract.seen_on]
    return days + pd.offsets.MonthEnd(0) if contract.name == "market" else days


def in_order(contract: SideContract, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows sorted by the contract's order, else as delivered; the end of a prospect comes last on its day.

    Stages lose the blanks around them and months become their first days on the way.
    """
    order = [name for name in contract.order if name in frame]
    if contract.name == "market" and "period" in frame:
        day = frame["period"]
        frame = frame.assign(period=day - pd.to_timedelta(day.dt.day - 1, unit="D"))
    if contract.name == "prospects" and "stage" in frame:
        stage = frame["stage"].str.strip()
        ends = stage.str.lower().isin([WON, LOST])
        ended = frame.assign(stage=stage.mask(ends, stage.str.lower()))
        frame = ended.iloc[np.argsort(ends.to_numpy(), kind="stable")]
    return frame.sort_values(order, kind="stable") if order else frame


def set_aside(contract: SideContract, frame: pd.DataFrame) -> dict[str, pd.Series]:
    """Return the rows that are set aside, by outcome."""
    if contract.name != "prospects":
        return {}
    return {"repeated_stage": frame.duplicated(["prospect_id", "stage", "entered_stage_on"], keep="last")}


def cut(contract: SideContract, frame: pd.DataFrame, as_of: date | None) -> pd.DataFrame:
    """Return the rows as they stood on a day: what ends later has not ended."""
    if contract.name != "memberships" or "ended_on" not in frame or as_of is None:
        return frame
    return frame.assign(ended_on=frame["ended_on"].where(frame["ended_on"] <= pd.Timestamp(as_of)))


def notes(contract: SideContract, everything: pd.DataFrame, used: pd.DataFrame, as_of: date | None) -> Iterator[Note]:
    """Yield what is used but worth knowing, given all rows of the source, and those used, before `cut`."""
    if contract.name in _NOTES:
        yield from _NOTES[contract.name](everything, used, as_of)


# --- customers ----------------------------------------------------------------------------------------------------


def _broken_customers(rows: Rows) -> Iterator[Violation]:
    if not rows.has("customer_id"):
        return
    ids = rows.frame["customer_id"]
    yield from rows.broken(
        "customer_id",
        "the customer is there more than once",
        "keep one row a customer; what changes over time belongs in other tables.",
        ids.duplicated(keep=False) & ids.notna(),
    )
    if not rows.has("referred_by"):
        return
    named = rows.frame["referred_by"]
    yield from rows.broken(
        "referred_by",
        "a customer was referred by themselves",
        "name who brought the customer, or leave it blank.",
        (named == ids).fillna(False).astype(bool),
        "customer_id",
    )
    circles = _circles(ids, named)
    if circles:
        is_in_one = ids.isin([one for circle in circles for one in circle])
        words = "; ".join(_around(circle) for circle in circles[:SHOWN])
        more = f", and {len(circles) - SHOWN:,} more" if len(circles) > SHOWN else ""
        yield from rows.broken(
            "referred_by",
            f"customers were referred in a circle ({words}{more})",
            "of each circle leave blank who came first.",
            is_in_one,
            "customer_id",
        )


def _around(circle: list[str]) -> str:
    return ", ".join(f"{one} by {other}" for one, other in zip(circle, [*circle[1:], circle[0]], strict=True))


def _circles(ids: pd.Series, named: pd.Series) -> list[list[str]]:
    """Return each circle of two or more customers who were referred by the next, the last by the first."""
    known = pd.Index(ids.dropna().drop_duplicates())
    first = ~ids.duplicated() & ids.notna()
    # Where each customer leads; who was brought by nobody, by a stranger or by themselves leads to the end of the road.
    end = len(known)
    leads_to = np.append(known.get_indexer(pd.Index(named[first])), end)
    leads_to[(leads_to < 0) | (leads_to == np.arange(end + 1))] = end
    # After as many steps as there are customers, nobody is left but on a circle; each round doubles the steps.
    reached = leads_to
    for _round in range(max(1, end).bit_length()):
        reached = reached[reached]
    left = set(reached[reached != end].tolist())
    circles = []
    for start in sorted(left):
        circle, place = [], start
        while place in left:
            left.remove(place)
            circle.append(str(known[place]))
            place = int(leads_to[place])
        if circle:
            circles.append(circle)
    return circles


def _notes_on_customers(everything: pd.DataFrame, used: pd.DataFrame, _as_of: date | None) -> Iterator[Note]:
    if "referred_by" in used:
        named = used["referred_by"]
        strangers = used.loc[named.notna() & ~named.isin(everything["customer_id"]), "customer_id"]
        meaning = N_("referred by somebody who is not in the table, kept")
        yield note("unknown_referrer", meaning, strangers.tolist())


# --- memberships --------------------------------------------------------------------------------------------------


def _broken_memberships(rows: Rows) -> Iterator[Violation]:
    if rows.has("started_on", "ended_on"):
        yield from rows.broken(
            "ended_on",
            "the contract ended before it started",
            "check which date is which.",
            rows.frame["ended_on"] < rows.frame["started_on"],
            *(["customer_id"] if rows.has("customer_id") else []),
            "started_on",
        )


def _notes_on_memberships(_everything: pd.DataFrame, used: pd.DataFrame, as_of: date | None) -> Iterator[Note]:
    if "ended_on" in used and as_of is not None:
        later = used.loc[used["ended_on"] > pd.Timestamp(as_of), "customer_id"]
        yield note("ends_after_as_of", N_("ends after the as-of date, so it is running"), later.tolist())
    overlaps = used.loc[_overlaps(used), "customer_id"]
    meaning = N_("begins before an earlier contract of the same customer and plan ended, kept")
    yield note("overlapping_contracts", meaning, overlaps.tolist())


def _overlaps(used: pd.DataFrame) -> pd.Series:
    """Whether a contract begins before, not on, the day that an earlier one of the same customer and plan ended."""
    ends = used["ended_on"] if "ended_on" in used else pd.Series(pd.NaT, index=used.index, dtype="datetime64[us]")
    days = pd.DataFrame(
        {
            "customer_id": used["customer_id"],
            "plan": used["plan"].fillna("") if "plan" in used else "",
            "start": used["started_on"],
            "end": ends.fillna(pd.Timestamp.max.floor("D")),
        }
    ).sort_values(["customer_id", "plan", "start"], kind="stable")
    of_one = days.groupby(["customer_id", "plan"], sort=False)["end"]
    before = of_one.cummax().groupby([days["customer_id"], days["plan"]], sort=False).shift()
    return (days["start"] < before).reindex(used.index)


# --- prospects ----------------------------------------------------------------------------------------------------


def _broken_prospects(rows: Rows) -> Iterator[Violation]:
    if not rows.has("prospect_id", "stage", "entered_stage_on"):
        return
    kept = rows.frame[~set_aside(rows.contract, rows.frame)["repeated_stage"]]
    ends = kept["stage"].isin([WON, LOST]).astype(int)
    ended_before = ends.groupby(kept["prospect_id"], sort=False).cumsum() - ends > 0
    yield from rows.broken(
        "stage",
        "the prospect had been won or lost before",
        "give a prospect that is taken up again an id of its own, or leave out what follows the end.",
        ended_before.reindex(rows.frame.index, fill_value=False),
        "prospect_id",
        "entered_stage_on",
    )


# --- market -------------------------------------------------------------------------------------------------------


def _broken_market(rows: Rows) -> Iterator[Violation]:
    if not (rows.has("market_customers") or rows.has("market_revenue")):
        rule = "there is neither market_customers nor market_revenue"
        fix = "give one of them, or name the column that holds it under [sources.market.columns] in crm.toml."
        yield Violation(rows.source, "", rule, 0, fix)
    if rows.has("period"):
        months = rows.frame["period"]
        yield from rows.broken(
            "period",
            "the month is there more than once",
            "keep one row a month; days of the same month are one month.",
            months.duplicated(keep=False) & months.notna(),
        )


def _notes_on_market(_everything: pd.DataFrame, used: pd.DataFrame, _as_of: date | None) -> Iterator[Note]:
    there = pd.DatetimeIndex(used["period"])
    months = pd.date_range(there.min(), there.max(), freq="MS").difference(there) if len(there) else there
    missing = [str(Month(day.year, day.month)) for day in months]
    yield note("missing_months", N_("months missing between the first and the last"), missing, name_all=True)


# --- exits --------------------------------------------------------------------------------------------------------


def _broken_exits(rows: Rows) -> Iterator[Violation]:
    if rows.has("customer_id", "left_on"):
        of_one_day = rows.frame[["customer_id", "left_on"]]
        yield from rows.broken(
            "customer_id",
            "the customer left more than once on one day",
            "keep one row an exit, with the reason that weighed most.",
            of_one_day.duplicated(keep=False) & of_one_day.notna().all(axis="columns"),
            "left_on",
        )


def _notes_on_exits(_everything: pd.DataFrame, used: pd.DataFrame, _as_of: date | None) -> Iterator[Note]:
    unknown = used.loc[used["reason"].isna(), "customer_id"]
    yield note("unknown_reason", N_("no reason is known"), unknown.tolist())
    again = used.loc[used["customer_id"].duplicated(), "customer_id"]
    yield note("left_again", N_("the customer had left before, on another day"), again.tolist())


_BROKEN: dict[SideName, Callable[[Rows], Iterator[Violation]]] = {
    "customers": _broken_customers,
    "memberships": _broken_memberships,
    "prospects": _broken_prospects,
    "market": _broken_market,
    "exits": _broken_exits,
}
_NOTES: dict[SideName, Callable[[pd.DataFrame, pd.DataFrame, date | None], Iterator[Note]]] = {
    "customers": _notes_on_customers,
    "memberships": _notes_on_memberships,
    "market": _notes_on_market,
    "exits": _notes_on_exits,
}
