"""Columns that are not there and checks that fail, as violations: the same words for every table that comes in."""

from collections.abc import Mapping, Sequence
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.casting import Check
from crm_analysis.data.loading import RawTable
from crm_analysis.errors import Violation, listing

# Name of the row numbers on their way here; the source may have a column called row.
ROW = "__row__"


def absent_rule(raw: RawTable) -> str:
    """Say that a column is not there, and which are."""
    return f"there is no such column (there are {listing([repr(name) for name in raw.columns])})"


def absent_columns(raw: RawTable, asked: Mapping[str, str], table: str) -> list[Violation]:
    """Return a violation for each column, by its name in the package, that the source does not have.

    `table` is the part of `[sources]` in crm.toml where columns are named.
    """
    return [
        Violation(
            raw.source,
            source_name,
            absent_rule(raw),
            0,
            f'name the column that holds it: {name} = "..." under [sources.{table}.columns] in crm.toml, or '
            f'columns={{"{name}": "..."}}.',
        )
        for name, source_name in asked.items()
        if source_name not in raw.columns
    ]


def counts_of_checks(checks: Sequence[Check]) -> dict[str, ir.IntegerScalar]:
    """Return what to count in a pass over the table, for `broken_checks`."""
    return {f"check {number}": check.broken.fill_null(False).sum() for number, check in enumerate(checks)}


def broken_checks(
    raw: RawTable, checks: Sequence[Check], seen: Mapping[str, Any], *, beside: str | None
) -> list[Violation]:
    """Return a violation for each check that rows break, as counted in `seen`, with the first rows of each.

    These show the column and the one `beside` it, which tells whose row it is.
    """
    return [
        Violation(
            raw.source,
            check.column,
            check.rule,
            seen[f"check {number}"],
            check.fix,
            _first_rows(raw, check, beside or check.column),
        )
        for number, check in enumerate(checks)
        if seen[f"check {number}"]
    ]


def _first_rows(raw: RawTable, check: Check, beside: str) -> pd.DataFrame:
    shown = dict.fromkeys([beside, check.column])
    rows = raw.table.mutate(**{ROW: raw.row}).filter(check.broken).order_by(ROW).limit(5)
    first = engines.fetch_frame(rows.select(ROW, *shown))
    return first.set_index(ROW).rename_axis("row")
