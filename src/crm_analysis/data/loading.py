"""Raw tables: a file, a DataFrame or an ibis table is copied as it stands into an embedded DuckDB.

The copy makes a `Transactions` a value: what happens to the file or the table afterwards does not reach it.
Nothing is interpreted here. A CSV arrives as text, so that the checks can count and show what cannot be read;
left to itself a reader guesses types from the first rows and then drops, stops or silently turns text into blanks.
"""

import csv
import gzip
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend
from ibis.common.exceptions import TableNotFound

from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
DELIMITERS = ",;\t|"

# Name of the raw table in its engine.
RAW = "raw"

# Row numbers are shown to people: in a CSV they count the header, as editors and spreadsheets do.
FIRST_CSV_ROW = 2
FIRST_ROW = 1


@dataclass(frozen=True)
class RawTable:
    """A source as delivered: a physical DuckDB table, its display name, and the number of its first row."""

    table: ir.Table
    source: str
    first_row: int

    @property
    def row(self) -> ir.IntegerValue:
        """The row's number as a person would count it in the source."""
        number: ir.IntegerValue = self.table.rowid() + self.first_row
        return number

    def drop(self) -> None:
        """Free the memory of the raw table."""
        self.table.get_backend().drop_table(RAW)


def load_raw(source: Any, connection: BaseBackend | None = None) -> RawTable:
    """Copy a source into an embedded DuckDB of its own, uninterpreted.

    Parameters
    ----------
    source : path, DataFrame, ibis Table, or str
        With `connection`, the name of a table there; otherwise a str is a path to a CSV or Parquet file.
    connection : ibis backend, optional
        Where the named table lives.

    Raises
    ------
    SettingsError
        When the source is of no known type.
    DataError
        When the source is missing, cannot be read, or holds no rows.
    """
    raw = _load(source, connection)
    if raw.table.count().execute() == 0:
        raise DataError(f"{raw.source}: the table has no rows.\nTo fix: check the export that made it.")
    return raw


def _load(source: Any, connection: BaseBackend | None) -> RawTable:
    if connection is not None:
        if not isinstance(source, str):
            raise SettingsError("connection is given, so the source must be the name of a table there.")
        return _from_ibis(_named_table(connection, source), f"table {source}")
    if isinstance(source, pd.DataFrame):
        return _from_frame(source)
    if isinstance(source, ir.Table):
        return _from_ibis(source, f"table {getattr(source.op(), 'name', '')}".strip())
    if isinstance(source, str | Path):
        return _from_file(Path(source))
    raise SettingsError(
        f"transactions are a {type(source).__name__}; give a path to a CSV or Parquet file, a DataFrame, "
        "an ibis table, or the name of a table together with connection."
    )


def _from_file(path: Path) -> RawTable:
    name = path.name.lower()
    if not name.endswith(CSV_ENDINGS + PARQUET_ENDINGS):
        raise SettingsError(f"{path}: unknown kind of file; use {listing(CSV_ENDINGS + PARQUET_ENDINGS)}.")
    if not path.is_file():
        raise DataError(f"{path}: there is no such file.\nTo fix: check the path, or deliver the file there.")
    try:
        return _from_csv(path) if name.endswith(CSV_ENDINGS) else _from_parquet(path)
    # zlib.error and EOFError: a gzip file cut short, seen before DuckDB gets to it.
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path.name, error) from None


def _from_parquet(path: Path) -> RawTable:
    connection = ibis.duckdb.connect()
    return RawTable(connection.create_table(RAW, connection.read_parquet(path)), path.name, FIRST_ROW)


def _from_csv(path: Path) -> RawTable:
    names, delimiter = _csv_header(path)
    connection = ibis.duckdb.connect()
    # Every choice is spelled out because DuckDB's sniffer guesses from a sample: it has been seen to take lines that
    # begin with "#" for comments and leave them out, and to fall back to one wide column when a line is ragged.
    lines = connection.read_csv(
        path,
        columns=dict.fromkeys(names, "VARCHAR"),
        auto_detect=False,
        header=True,
        delim=delimiter,
        quote='"',
        escape='"',
        comment="",
        store_rejects=True,
    )
    table = connection.create_table(RAW, lines)
    refuse(_rejected_lines(connection, path.name))
    return RawTable(table, path.name, FIRST_CSV_ROW)


def _csv_header(path: Path) -> tuple[list[str], str]:
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as file:
        first_line = file.readline().decode("utf-8-sig")
    delimiter = max(DELIMITERS, key=first_line.count)
    names = next(csv.reader([first_line], delimiter=delimiter), [])
    if not any(names):
        raise DataError(f"{path.name}: the file is empty.\nTo fix: check the export that made it.")
    # DuckDB does not tell names apart by case.
    seen = [name.lower() for name in names]
    repeated = sorted({name for name in names if seen.count(name.lower()) > 1 or not name})
    if repeated:
        raise DataError(
            f"{path.name}: column names are blank or used twice: {listing([repr(name) for name in repeated])}.\n"
            "To fix: give every column its own name; upper and lower case do not tell two names apart."
        )
    return names, delimiter


def _rejected_lines(connection: Any, name: str) -> list[Violation]:
    query = "FROM reject_errors SELECT line, error_message, csv_line ORDER BY line"
    rows = connection.raw_sql(query).fetchall()
    if not rows:
        return []
    first = pd.DataFrame(rows[:5], columns=["row", "problem", "line"]).set_index("row")
    fix = 'save the file as UTF-8, quote text that holds the delimiter, and write a quote inside text as "".'
    return [Violation(name, "", "the line cannot be split into the header's columns", len(rows), fix, first)]


def _from_frame(frame: pd.DataFrame) -> RawTable:
    try:
        content = pa.Table.from_pandas(_mixed_as_text(frame), preserve_index=False)
        return _from_arrow(content, "DataFrame")
    except (duckdb.Error, pa.ArrowException, TypeError, ValueError) as error:
        raise _unreadable("DataFrame", error, "give every column its own name and a plain type.") from None


def _mixed_as_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Turn columns of several types, as spreadsheets make them, to text: the checks then show the odd rows."""
    readable = frame.copy(deep=False)
    for name in [name for name, kind in frame.dtypes.items() if pd.api.types.is_object_dtype(kind)]:
        try:
            pa.array(frame[name], from_pandas=True)
        except pa.ArrowException:
            readable[name] = frame[name].map(str, na_action="ignore")
    return readable


def _from_ibis(table: ir.Table, name: str) -> RawTable:
    # The table's own engine runs whatever expression stands behind it; its rows then come over once.
    return _from_arrow(table.to_pyarrow(), name)


def _from_arrow(content: pa.Table, name: str) -> RawTable:
    # A column with nothing in it has no type, and DuckDB wants one.
    typed = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in content.schema]
    table = ibis.duckdb.connect().create_table(RAW, content.cast(pa.schema(typed)))
    return RawTable(table, name, FIRST_ROW)


def _named_table(connection: BaseBackend, name: str) -> ir.Table:
    try:
        return connection.table(name)
    except TableNotFound:
        raise DataError(
            f"table {name}: the connection has no such table.\nTo fix: check its name and schema."
        ) from None


def _unreadable(
    name: str,
    error: Exception,
    fix: str = "check that the file is whole and is what its ending says; a CSV must be UTF-8.",
) -> DataError:
    return DataError(f"{name}: cannot be read. {str(error).splitlines()[0]}\nTo fix: {fix}")
