"""Parts of a purchase log: the rows with one value in a column as delivered, such as a region, a brand or a company.

Every row is in exactly one part; those without a value are one of their own.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

import ibis
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.casting import type_columns
from crm_analysis.data.loading import RawTable, part_value, require_column
from crm_analysis.errors import SettingsError
from crm_analysis.settings import TransactionSource

# More parts than this are no regions or brands: somebody has named the column of customers or of dates.
MOST_PARTS = 1000
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


def count_parts(raw: RawTable, column: str, source: TransactionSource, currency: str, timezone: str) -> list[LogPart]:
    """Return the parts of a raw table by a column, most rows first; asked in the engine, in one pass. By "": one part.

    Raises
    ------
    SettingsError
        When there is no such column, or when it has too many values to be one of regions or brands.
    """
    if column:
        require_column(raw.table, raw.source, column)
    called = {name: given or name for name, given in source.columns.model_dump().items()}
    names = {name: called[name] for name in _AMOUNT if called[name] in raw.columns}
    wanted: dict[str, ir.Value] = {"rows": raw.table.count()}
    if "amount" in names:
        typed = type_columns(raw, names, rules=source.rules, currency=currency, timezone=timezone)
        wanted["money"] = typed.values["amount"].sum()
    value = part_value(raw.table, column) if column else ibis.literal("")
    found = engines.rows_of(raw.table.group_by(value=value).aggregate(**wanted).limit(MOST_PARTS + 1))
    if len(found) > MOST_PARTS:
        raise SettingsError(
            f"{raw.source}: column {column!r} has more than {MOST_PARTS:,} values, and each would be a book."
        )
    return added_up([LogPart(row["value"], int(row["rows"]), Decimal(row.get("money") or 0)) for row in found])


def added_up(found: Iterable[LogPart]) -> list[LogPart]:
    """Return one part a value, most rows first."""
    parts: dict[str, LogPart] = {}
    for part in found:
        so_far = parts.get(part.value, LogPart(part.value, 0, Decimal()))
        parts[part.value] = LogPart(part.value, so_far.rows + part.rows, so_far.money + part.money)
    return sorted(parts.values(), key=lambda part: (-part.rows, part.value))
