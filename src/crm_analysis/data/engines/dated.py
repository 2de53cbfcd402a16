"""A question about a day, put into the embedded engine's language once for all days."""

import uuid
from collections.abc import Callable
from datetime import date
from functools import cached_property
from typing import Any, cast

import ibis
import ibis.expr.types as ir

from crm_analysis.data.engines.keeping import until_forgotten
from crm_analysis.data.engines.plain_words import told_plainly

# A day that no data and no setting names: it stands for whichever day is asked about.
_ANY_DAY = date(2222, 2, 22)


class DatedTable:
    """A table of the embedded DuckDB as it would be as of a day.

    A book cuts a log at forty dates, and ibis takes longer to write the SQL of a cut than DuckDB takes to run it on the
    log of a small shop.
    """

    def __init__(self, ask: Callable[[date], ir.Table]) -> None:
        """Take the question: from a day, which it may use as a date alone, to the table as of it."""
        self._ask = ask

    def keep(self, day: date) -> ir.Table:
        """Compute the table as of a day and keep it in the engine for as long as it is referred to."""
        table, sql = self._of_any_day
        backend, name = cast("Any", table.get_backend()), f"kept_{uuid.uuid4().hex}"
        with told_plainly():
            kept = until_forgotten(
                backend.create_table(name, schema=table.schema(), temp=True), backend.drop_table, name
            )
            backend.raw_sql(f'INSERT INTO "{name}" {sql.replace(_written(_ANY_DAY), _written(day))}')
        return kept

    @cached_property
    def _of_any_day(self) -> tuple[ir.Table, str]:
        table = self._ask(_ANY_DAY)
        cast("Any", table.get_backend())._run_pre_execute_hooks(table)  # as ibis does before it runs a query
        return table, str(ibis.to_sql(table, dialect="duckdb"))


def _written(day: date) -> str:
    """Return a date as ibis writes it for DuckDB."""
    return f"MAKE_DATE({day.year}, {day.month}, {day.day})"
