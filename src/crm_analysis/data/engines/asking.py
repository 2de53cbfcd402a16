"""What is asked of an engine, and how the answer comes to this process: whole, as rows, or piece by piece."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from crm_analysis.data.engines.plain_words import told_plainly

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame


def name_of(table: ir.Table) -> str:
    """Name the engine a table lives in, as ibis does: duckdb, postgres, pyspark, ..."""
    return str(table.get_backend().name)


def spark_frame(table: ir.Table) -> "SparkFrame":
    """Return a table of Spark as Spark's own DataFrame."""
    backend = cast("Any", table.get_backend())
    backend._run_pre_execute_hooks(table)
    frame: SparkFrame = backend._session.sql(backend.compile(table))
    return frame


def tries(table: ir.Table) -> bool:
    """Whether the table's engine has functions that return missing where a text cannot be read: DuckDB."""
    return name_of(table) == "duckdb"


def unmarked_instants(table: ir.Table) -> frozenset[str]:
    """Columns that hold moments in time though ibis shows them without a zone, as it does for Spark's TIMESTAMP."""
    if name_of(table) != "pyspark":
        return frozenset()
    return frozenset(field.name for field in spark_frame(table).schema if field.dataType.typeName() == "timestamp")


def fetch(table: ir.Table) -> pa.Table:
    """Bring a table that is known to be small to this process; decimals and whole numbers stay exact."""
    with told_plainly():
        if name_of(table) == "pyspark":
            # ibis goes through Python rows, slowly, and turns whole numbers with gaps into floats.
            return spark_frame(table).toArrow()
        return table.to_pyarrow()


def fetch_frame(table: ir.Table) -> pd.DataFrame:
    """Return the same as a DataFrame."""
    if name_of(table) == "duckdb":
        with told_plainly():
            return table.to_pandas()
    from ibis.formats.pandas import PandasData

    # By way of Arrow: ibis's own way from PostgreSQL makes floats of decimals.
    frame: pd.DataFrame = PandasData.convert_table(fetch(table).to_pandas(date_as_object=False), table.schema())
    return frame


def rows_of(table: ir.Table) -> list[dict[str, Any]]:
    """Return a table of a few rows as plain rows; decimals stay exact."""
    rows: list[dict[str, Any]] = fetch(table).to_pylist()
    return rows


def count(table: ir.Table) -> int:
    """Return the number of rows."""
    [row] = rows_of(table.aggregate(rows=table.count()))
    return int(row["rows"])


def batches(table: ir.Table, rows: int) -> Iterator[pa.RecordBatch]:
    """Bring a table to this process piece by piece."""
    with told_plainly():
        match name_of(table):
            case "pyspark":
                yield from fetch(table).to_batches(max_chunksize=rows)
            case "duckdb":
                # ibis calls what DuckDB 1.5 has deprecated.
                backend = cast("Any", table.get_backend())
                yield from backend.raw_sql(ibis.to_sql(table, dialect="duckdb")).to_arrow_reader(rows)
            case _:
                yield from table.to_pyarrow_batches(chunk_size=rows)


@ibis.udf.agg.builtin  # type: ignore[untyped-decorator]
def arg_min(value: float, by: dt.date) -> float:  # type: ignore[empty-body]
    """DuckDB's own, which keeps one pair a group where ibis would sort each group."""


def at_least(value: ir.FloatingValue, by: ir.DateValue) -> ir.FloatingValue:
    """Of the rows of a group, the value of the one that comes first by day; days do not repeat in a group."""
    table = by.as_table()
    return arg_min(value, by) if name_of(table) == "duckdb" else value.argmin(by)
