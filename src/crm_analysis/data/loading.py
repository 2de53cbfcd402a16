"""Raw tables: where a source is read, and its columns as delivered.

Small sources are copied into an embedded DuckDB: the copy makes a `Transactions` a value, which nothing that happens to
the file or the table afterwards reaches. Large Parquet files and large tables of another engine are read in place.

Nothing is interpreted here. A CSV arrives as text, so that the checks can count and show what cannot be read;
left to itself a reader guesses types from the first rows and then drops, stops or silently turns text into blanks.
"""

import csv
import gzip
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
from ibis.backends import BaseBackend

from crm_analysis.data import engines
from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse
from crm_analysis.settings import EngineSettings

CSV_ENDINGS = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")
PARQUET_ENDINGS = (".parquet", ".pq")
DELIMITERS = ",;\t|"

# Name of the raw table in the embedded engine.
RAW = "raw"
# DuckDB's own column of row numbers in a Parquet file.
FILE_ROW = "file_row_number"

# The row as delivered, kept where only a part of the rows is.
_DELIVERED = "__row_as_delivered__"

# Row numbers are shown to people: in a CSV they count the header, as editors and spreadsheets do.
FIRST_CSV_ROW = 2
FIRST_ROW = 1


@dataclass(frozen=True)
class RawTable:
    """A source as delivered.

    Attributes
    ----------
    table : ibis Table
        The columns of the source, and perhaps one of row numbers.
    columns : tuple of str
        Those of the source.
    source : str
        Its name, for people.
    row : ibis integer
        The row's number as a person would count it in the source, missing where the engine knows no order of rows.
    instants : frozenset of str
        Columns that hold moments in time though their type does not say so.
    is_copied : bool
        Whether the rows are in the embedded DuckDB now.
    """

    table: ir.Table
    columns: tuple[str, ...]
    source: str
    row: ir.IntegerValue
    instants: frozenset[str] = frozenset()
    is_copied: bool = True

    def drop(self) -> None:
        """Free the memory of a copy."""
        if self.is_copied:
            self.table.get_backend().drop_table(RAW)


def load_raw(
    source: Any,
    connection: BaseBackend | None,
    engine: EngineSettings,
    only: Mapping[str, str] | None = None,
    *,
    what: str = "transactions",
) -> RawTable:
    """Open a source, uninterpreted; copy it where it is small.

    Parameters
    ----------
    source : path, DataFrame, ibis Table, or str
        With `connection`, the name of a table there; otherwise a str is a path to a CSV or Parquet file, or to a folder
        of Parquet files.
    connection : ibis backend, optional
        Where the named table lives.
    engine : EngineSettings
        Limits of the embedded engine, and up to how many rows a table is copied into it.
    only : mapping, optional
        Leave out every row that has another value in one of these columns; see `part_value`. Row numbers stay those of
        the source.
    what : str
        Name of the table, for the message to who gives no source.

    Raises
    ------
    SettingsError
        When the source is of no known type, or has no column of `only`.
    DataError
        When the source is missing, cannot be read, or holds no rows.
    """
    raw = _load(source, connection, engine, only or {}, what)
    if raw.is_copied and engines.count(raw.table) == 0:
        raise no_rows(raw.source)
    return raw


class NoRows(DataError):
    """A table holds no rows, or none of those that are wanted."""


def no_rows(name: str) -> NoRows:
    """Return the error for a table without rows."""
    return NoRows(f"{name}: the table has no rows.\nTo fix: check the export that made it.")


def _load(
    source: Any, connection: BaseBackend | None, engine: EngineSettings, only: Mapping[str, str], what: str
) -> RawTable:
    if connection is not None:
        if not isinstance(source, str):
            raise SettingsError("connection is given, so the source must be the name of a table there.")
        return _from_ibis(engines.named_table(connection, source), f"table {source}", engine, only)
    if isinstance(source, pd.DataFrame):
        return _only(_from_frame(source, engine), only, engine)
    if isinstance(source, ir.Table):
        return _from_ibis(source, f"table {getattr(source.op(), 'name', '')}".strip(), engine, only)
    if isinstance(source, str | Path):
        return _only(_from_file(Path(source), engine), only, engine)
    raise SettingsError(
        f"{what} are a {type(source).__name__}; give a path to a CSV or Parquet file, a DataFrame, "
        "an ibis table, or the name of a table together with connection."
    )


def part_value(table: ir.Table, column: str) -> ir.StringValue:
    """Return what tells a part of a log: the column's text without blanks around it; "" for the rows that have none."""
    return table[column].cast(str).strip().fill_null("")


def require_column(table: ir.Table, source: str, column: str) -> None:
    """Raise `SettingsError` unless the table has the column that tells its parts."""
    there = [name for name in table.columns if name not in (_DELIVERED, FILE_ROW)]
    if column not in there:
        known = listing([repr(name) for name in there])
        raise SettingsError(f"{source}: there is no column {column!r} to tell parts by (there are {known}).")


def _with_values(table: ir.Table, source: str, only: Mapping[str, str]) -> tuple[ir.Table, str]:
    """Return the rows with these values, and the name of what they are."""
    for column in only:
        require_column(table, source, column)
    words = ", ".join(f"{column} = {value}" if value else f"no {column}" for column, value in only.items())
    chosen = [part_value(table, column) == value.strip() for column, value in only.items()]
    return (table.filter(chosen), f"{source} ({words})") if only else (table, source)


def _only(raw: RawTable, only: Mapping[str, str], engine: EngineSettings) -> RawTable:
    """Return the rows of a file or a frame with these values; what is small enough then is copied."""
    if not only:
        return raw
    chosen, source = _with_values(raw.table.mutate(**{_DELIVERED: raw.row}), raw.source, only)
    rows = engines.count(chosen)
    if rows == 0:
        raise no_rows(source)
    if not raw.is_copied and rows > engine.copy_rows:
        return replace(raw, table=chosen, source=source, row=chosen[_DELIVERED])
    backend = cast("Any", raw.table.get_backend())
    backend.create_table("part", chosen)
    raw.drop()  # the other rows need no memory from here on
    backend.raw_sql(f"ALTER TABLE part RENAME TO {RAW}")
    copied = backend.table(RAW)
    return replace(raw, table=copied, source=source, row=copied[_DELIVERED], is_copied=True)


def _copied(table: ir.Table, source: str, first_row: int) -> RawTable:
    return RawTable(table, table.columns, source, table.rowid() + first_row)


def _from_file(path: Path, engine: EngineSettings) -> RawTable:
    name = path.name.lower()
    if not name.endswith(CSV_ENDINGS + PARQUET_ENDINGS) and not path.is_dir():
        raise SettingsError(f"{path}: unknown kind of file; use {listing(CSV_ENDINGS + PARQUET_ENDINGS)}.")
    if not path.exists():
        raise DataError(f"{path}: there is no such file.\nTo fix: check the path, or deliver the file there.")
    try:
        return _from_csv(path, engine) if name.endswith(CSV_ENDINGS) else _from_parquet(path, engine)
    # zlib.error and EOFError: a gzip file cut short, seen before DuckDB gets to it.
    except (duckdb.Error, OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path.name, error) from None


def _from_parquet(path: Path, engine: EngineSettings) -> RawTable:
    connection = engines.embedded(engine)
    files = path
    if path.is_dir():
        if not any(path.rglob("*.parquet")):
            raise DataError(f"{path.name}: the folder holds no Parquet file.\nTo fix: check the export that made it.")
        files = path / "**" / "*.parquet"
    table = connection.read_parquet(str(files), union_by_name=True)
    if engines.count(table) <= engine.copy_rows:
        return _copied(connection.create_table(RAW, table), path.name, FIRST_ROW)
    numbered = connection.read_parquet(str(files), union_by_name=True, file_row_number=True)
    return RawTable(numbered, table.columns, path.name, numbered[FILE_ROW] + FIRST_ROW, is_copied=False)


def _from_csv(path: Path, engine: EngineSettings) -> RawTable:
    names, delimiter = _csv_header(path)
    connection = engines.embedded(engine)
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
    return _copied(table, path.name, FIRST_CSV_ROW)


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


def _from_frame(frame: pd.DataFrame, engine: EngineSettings) -> RawTable:
    try:
        content = pa.Table.from_pandas(_mixed_as_text(frame), preserve_index=False)
        return _from_arrow(content, "DataFrame", engine)
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


def _from_ibis(table: ir.Table, name: str, engine: EngineSettings, only: Mapping[str, str]) -> RawTable:
    with engines.told_plainly(name):
        # In its own engine: what is left out need not come over.
        table, name = _with_values(table, name, only)
        instants = engines.unmarked_instants(table)
        table = _with_plain_types(table)
        rows = engines.count(table)
        if rows == 0:
            raise no_rows(name)
        if rows > engine.copy_rows:
            return RawTable(table, table.columns, name, ibis.null("int64"), instants, is_copied=False)
        # The table's own engine runs whatever expression stands behind it; its rows then come over once.
        content = engines.fetch(table)
    if content.num_rows != rows:
        raise engines.changed_while_read(name, f"{rows:,} rows at first, {content.num_rows:,} later")
    for column in instants:
        place = content.schema.get_field_index(column)
        content = content.set_column(place, column, content[column].cast(pa.timestamp("us", tz="UTC")))
    return _from_arrow(content, name, engine)


def _with_plain_types(table: ir.Table) -> ir.Table:
    """Turn what does not travel, such as a uuid or a decimal of any length, to text: the door reads both alike."""
    schema = table.schema().items()
    odd = [name for name, kind in schema if isinstance(kind, dt.UUID) or _is_unbounded(kind)]
    return table.mutate(**{name: table[name].cast(str) for name in odd}) if odd else table


def _is_unbounded(kind: dt.DataType) -> bool:
    return isinstance(kind, dt.Decimal) and (kind.precision is None or kind.scale is None or kind.precision > 38)


def _from_arrow(content: pa.Table, name: str, engine: EngineSettings) -> RawTable:
    # A column with nothing in it has no type, and DuckDB wants one.
    typed = [field.with_type(pa.string()) if pa.types.is_null(field.type) else field for field in content.schema]
    table = engines.embedded(engine).create_table(RAW, content.cast(pa.schema(typed)))
    return _copied(table, name, FIRST_ROW)


def _unreadable(
    name: str,
    error: Exception,
    fix: str = "check that the file is whole and is what its ending says; a CSV must be UTF-8.",
) -> DataError:
    return DataError(f"{name}: cannot be read. {str(error).splitlines()[0]}\nTo fix: {fix}")
