"""Parts of a purchase log: the rows with one value in a column as delivered, such as a region, a brand or a company.

A value is the column's text without blanks around it; "" stands for the rows that have none, so that every row is in
exactly one part.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.casting import type_columns
from crm_analysis.data.loading import FILE_ROW, RAW, RawTable, no_rows
from crm_analysis.errors import SettingsError, listing
from crm_analysis.settings import EngineSettings, TransactionSource

# More parts than this are no regions or brands: somebody has named the column of customers or of dates.
MOST_PARTS = 1000
_ROW = "__row_as_delivered__"
_AMOUNT = ("amount", "is_refund", "currency")


@dataclass(frozen=True)
class LogPart:
    """The rows of a log with one value in a column.

    Attributes
    ----------
    value : str
        "" for the rows that have none.
    rows : int
    money : Decimal
        Their amounts in the company's currency, refunds taken off; what cannot be read counts as nothing.
    """

    value: str
    rows: int
    money: Decimal


def only_rows(raw: RawTable, only: Mapping[str, str] | None, engine: EngineSettings) -> RawTable:
    """Return the rows of a raw table that have the given value in each of the named columns.

    Row numbers stay those of the source. What is left of a Parquet file that is too large to be copied is copied
    where it is small enough; a table of another engine stays there.

    Raises
    ------
    SettingsError
        When there is no such column.
    DataError
        When no row has these values.
    """
    if not only:
        return raw
    for column in only:
        _require(raw, column)
    chosen = raw.table.mutate(**{_ROW: raw.row})
    chosen = chosen.filter([_value(chosen, column) == value.strip() for column, value in only.items()])
    words = ", ".join(f"{column} = {value}" if value else f"no {column}" for column, value in only.items())
    source = f"{raw.source} ({words})"
    rows = engines.count(chosen)
    if rows == 0:
        raise no_rows(source)
    if raw.is_copied or (rows <= engine.copy_rows and FILE_ROW in raw.table.columns):
        backend = cast("Any", raw.table.get_backend())
        backend.create_table("part", chosen)
        raw.drop()  # the other rows need no memory from here on
        backend.raw_sql(f"ALTER TABLE part RENAME TO {RAW}")
        copied = backend.table(RAW)
        return replace(raw, table=copied, source=source, row=copied[_ROW], is_copied=True)
    return replace(raw, table=chosen, source=source, row=chosen[_ROW])


def count_parts(raw: RawTable, column: str, source: TransactionSource, currency: str, timezone: str) -> list[LogPart]:
    """Return the parts of a raw table by a column, most rows first; asked in the engine, in one pass. By "": one part.

    Raises
    ------
    SettingsError
        When there is no such column, or when it has too many values to be one of regions or brands.
    """
    if column:
        _require(raw, column)
    called = {name: given or name for name, given in source.columns.model_dump().items()}
    names = {name: called[name] for name in _AMOUNT if called[name] in raw.columns}
    wanted: dict[str, ir.Value] = {"rows": raw.table.count()}
    if "amount" in names:
        typed = type_columns(raw, names, rules=source.rules, currency=currency, timezone=timezone)
        wanted["money"] = typed.values["amount"].sum()
    value = _value(raw.table, column) if column else ibis.literal("")
    found = engines.rows_of(raw.table.group_by(value=value).aggregate(**wanted).limit(MOST_PARTS + 1))
    if len(found) > MOST_PARTS:
        raise SettingsError(
            f"{raw.source}: column {column!r} has more than {MOST_PARTS:,} values, and each would be a book."
        )
    parts = [LogPart(row["value"], int(row["rows"]), Decimal(row.get("money") or 0)) for row in found]
    return sorted(parts, key=lambda part: (-part.rows, part.value))


def _value(table: ir.Table, column: str) -> ir.StringValue:
    return table[column].cast(str).strip().fill_null("")


def _require(raw: RawTable, column: str) -> None:
    if column not in raw.columns:
        there = listing([repr(name) for name in raw.columns])
        raise SettingsError(f"{raw.source}: there is no column {column!r} to tell parts by (there are {there}).")
