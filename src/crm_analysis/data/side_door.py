"""How a table beside the purchase log is read: typed and checked in the engine, brought over, cut at a date.

What is wrong is refused in one message, and rows in = rows used + rows set aside + rows not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import ibis.expr.types as ir
import pandas as pd
from ibis.backends import BaseBackend

from crm_analysis.data import engines
from crm_analysis.data.broken_rules import ROW, absent_columns, broken_checks, counts_of_checks
from crm_analysis.data.contracts import (
    SIDE_OUTCOMES,
    Day,
    SideContract,
    to_day,
)
from crm_analysis.data.loading import RawTable, load_raw, no_rows
from crm_analysis.data.side_casting import Attribute, type_side_columns
from crm_analysis.data.side_rules import (
    Note,
    Rows,
    broken_rules,
    cut,
    in_order,
    last_days,
    note,
    notes,
    set_aside,
)
from crm_analysis.data.written_days import check_timezone
from crm_analysis.errors import SettingsError, listing, refuse
from crm_analysis.messages import N_
from crm_analysis.settings import EngineSettings

# What a column of each kind is in the frame.
_TYPES = {
    "id": "str",
    "text": "str",
    "day": "datetime64[us]",
    "month": "datetime64[us]",
    "money": "float64",
    "number": "float64",
    "degree": "float64",
    "flag": "boolean",
}


@dataclass(frozen=True, eq=False)
class CheckedRows:
    """All rows of a source, typed and checked, before any is left out: the workings, for the door itself."""

    contract: SideContract
    source: str
    frame: pd.DataFrame
    left_out: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class SideTable:
    """A checked table beside the purchase log, as it could be seen on a date. Made by `read_customers` and its like.

    Attributes
    ----------
    name : str
        customers, memberships, prospects, market or exits.
    frame : DataFrame
        The rows that are used, in the columns that the source has: ids and text as text, days as `datetime64`, money
        and numbers as floats, flags as `boolean`, which may be missing. Customers are indexed by customer_id. The
        period of a market is text such as "2024-06".
    reconciliation : DataFrame
        One row per outcome: `outcome` (stable key), `status` ("used", "set_aside", "not_seen"), `reason` in words,
        `rows`. Rows add up to what came in.
    notes : DataFrame
        One row for each thing that is used but worth knowing: `note` (stable key), `meaning` in words, `rows`, and
        `which`, the first five (of months all). Notes without rows are there too.
    as_of : date or None
        Last day that is seen; None when the table is not cut.
    source : str
        Name of the file or table, for people.
    checked : CheckedRows
        The rows before the cut: the workings, for the door itself.
    """

    name: str
    frame: pd.DataFrame
    reconciliation: pd.DataFrame
    notes: pd.DataFrame
    as_of: date | None
    source: str
    checked: CheckedRows = field(repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        cut_at = "" if self.as_of is None else f", as of {self.as_of}"
        rows = len(self.checked.frame)
        return f"SideTable({self.name} from {self.source}: {len(self.frame):,} rows used of {rows:,}{cut_at})"

    def until(self, as_of: Day) -> "SideTable":
        """Return the table as the door would have shown it on an earlier date; the source is not read again.

        Raises
        ------
        SettingsError
            When this table was cut before `as_of`.
        """
        day = to_day(as_of, "as_of")
        if self.as_of is not None and day > self.as_of:
            raise SettingsError(
                f"{self.source} was cut at {self.as_of} and cannot show {day}; read it with a later as_of."
            )
        return _cut(self.checked, day)


def read_side_table(
    contract: SideContract,
    source: Any,
    columns: Mapping[str, str] | None,
    as_of: Day | None,
    connection: BaseBackend | None,
    date_format: str | None,
    timezone: str,
    engine: EngineSettings | None,
) -> SideTable:
    """Read the table of a contract; the rest is as for `read_customers`."""
    day = None if as_of is None else to_day(as_of, "as_of")
    if isinstance(source, SideTable):
        if source.name != contract.name:
            raise SettingsError(f"this is the table of {source.name}; {contract.name} are wanted.")
        if columns is not None or connection is not None or date_format is not None:
            raise SettingsError("this table is already read; columns, connection and date_format come too late.")
        return source if day is None else source.until(day)
    check_timezone(timezone)
    asked = _asked(contract, columns)
    raw = load_raw(source, connection, engine or EngineSettings(), what=f"the rows of {contract.name}")
    with engines.told_plainly(raw.source):
        try:
            return _cut(_check(raw, contract, asked, date_format, timezone), day)
        finally:
            raw.drop()


def _asked(contract: SideContract, columns: Mapping[str, str] | None) -> dict[str, str]:
    """Return the columns that the source must have, by their names here: the required ones and those named."""
    known = [column.name for column in contract.columns]
    wrong = [name for name, called in (columns or {}).items() if name not in known or not isinstance(called, str)]
    if wrong:
        raise SettingsError(
            f"columns: {listing([str(name) for name in wrong])} cannot be mapped to a column's name; the columns of "
            f"{contract.name} are {listing(known)}."
        )
    return {column.name: column.name for column in contract.columns if column.required} | dict(columns or {})


def _check(
    raw: RawTable, contract: SideContract, asked: Mapping[str, str], date_format: str | None, timezone: str
) -> CheckedRows:
    """Type the raw table, refuse all that breaks a rule in one message, and bring the rest to this process."""
    source = raw.source
    raw = replace(raw, source=f"{contract.name} ({raw.source})")
    called = {column.name: asked.get(column.name, column.name) for column in contract.columns}
    names = {name: source_name for name, source_name in called.items() if source_name in raw.columns}
    typed = type_side_columns(raw, contract, names, date_format=date_format, timezone=timezone)
    others = [name for name in raw.columns if name not in names.values()] if contract.keeps_others else []
    # Another column was named for it; engines do not tell names apart by case.
    left_out = [name for name in others if name.lower() in names]
    attributes = {name: Attribute.of(raw, name, timezone) for name in others if name not in left_out}
    checks = [*typed.checks, *(check for attribute in attributes.values() for check in attribute.checks)]
    wanted: dict[str, ir.IntegerScalar] = {"rows": raw.table.count()} | counts_of_checks(checks)
    for place, attribute in enumerate(attributes.values()):
        wanted |= attribute.counts(place)
    [seen] = engines.rows_of(raw.table.aggregate(**wanted))
    if seen["rows"] == 0:
        raise no_rows(raw.source)

    kinds: dict[str, str] = {column.name: column.kind for column in contract.columns if column.name in names}
    values = dict(typed.values)
    for place, (name, attribute) in enumerate(attributes.items()):
        values[name], kinds[name] = attribute.chosen(place, seen)
    fetched = engines.fetch_frame(
        raw.table.select([value.name(name) for name, value in {ROW: raw.row, **values}.items()])
    )
    if len(fetched) != seen["rows"]:
        now = f"{seen['rows']:,} rows at first, {len(fetched):,} later"
        raise engines.changed_while_read(raw.source, now)
    as_delivered = fetched.sort_values(ROW, kind="stable")
    sorted_rows = in_order(contract, as_delivered.astype({name: _TYPES[kind] for name, kind in kinds.items()}))
    sorted_rows = sorted_rows.reset_index(drop=True)
    frame = sorted_rows.drop(columns=ROW)
    rows = Rows(contract, raw.source, names, frame, sorted_rows[ROW])
    refuse(
        [
            *absent_columns(raw, asked, contract.name),
            *broken_checks(raw, checks, seen, beside=names.get(contract.columns[0].name)),
            *broken_rules(rows),
        ]
    )
    return CheckedRows(contract, source, frame, tuple(left_out))


def _cut(checked: CheckedRows, as_of: date | None) -> SideTable:
    contract, frame = checked.contract, checked.frame
    aside = set_aside(contract, frame)
    outcome = pd.Series("used", index=frame.index)
    for key, rows in aside.items():
        outcome = outcome.mask(rows, key)
    if as_of is not None:
        outcome = outcome.mask(last_days(contract, frame) > pd.Timestamp(as_of), "after_as_of")
    used = frame[outcome == "used"]
    shown = cut(contract, used, as_of)
    if contract.name == "market":
        shown = shown.assign(period=shown["period"].dt.strftime("%Y-%m").astype("str"))
    counts = outcome.value_counts()
    outcomes = [one for one in SIDE_OUTCOMES if one.status != "set_aside" or one.key in aside]
    found = [*_left_out(checked), *notes(contract, frame, used, as_of)]
    return SideTable(
        name=contract.name,
        frame=shown.set_index("customer_id") if contract.name == "customers" else shown.reset_index(drop=True),
        reconciliation=pd.DataFrame(
            {
                "outcome": [one.key for one in outcomes],
                "status": [one.status for one in outcomes],
                "reason": [one.reason for one in outcomes],
                "rows": [int(counts.get(one.key, 0)) for one in outcomes],
            }
        ),
        notes=pd.DataFrame(
            [(one.key, one.meaning, one.rows, one.which) for one in found], columns=["note", "meaning", "rows", "which"]
        ),
        as_of=as_of,
        source=checked.source,
        checked=checked,
    )


def _left_out(checked: CheckedRows) -> list[Note]:
    meaning = N_("columns of the source left out, because another one was named in their place")
    return [note("column_left_out", meaning, checked.left_out)] if checked.contract.keeps_others else []
