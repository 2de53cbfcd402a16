"""Tables written from their engine, to Parquet or to a table of its own, without passing through this process."""

import contextlib
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import ibis.expr.types as ir
import pyarrow as pa
import pyarrow.parquet as pq

from crm_analysis.data.engines.asking import batches, fetch, name_of, spark_frame
from crm_analysis.data.engines.plain_words import told_plainly
from crm_analysis.errors import DataError

# A list of a column's values spares room where there are few, such as counts and days; looking for one among ids and
# money, where there is none, costs half as much again as writing.
_PARQUET = "FORMAT PARQUET, DICTIONARY_SIZE_LIMIT 2000"


def write_parquet(table: ir.Table, path: Path, *, folder: bool, packed: bool = True) -> None:
    """Write a table from its engine to Parquet, without bringing it to this process as a whole.

    Parameters
    ----------
    table : ibis Table
    path : Path
        A file, or a folder of files when `folder`; complete or not there at all.
    folder : bool
        Several files, written side by side. Spark always writes a folder.
    packed : bool
        Whether the embedded DuckDB takes the time to make the file small.
    """
    with _unfinished(path) as unfinished:
        _write(table, unfinished, folder=folder, packed=packed)


def write_mapped(
    table: ir.Table,
    function: Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]],
    path: Path,
    *,
    rows: int,
    folder: bool = False,
) -> None:
    """Write what a function makes of a table, batch by batch: on Spark's workers, or one after the other here.

    Parameters
    ----------
    table : ibis Table
    function : callable
        Batches to batches; with columns and types that do not change from batch to batch.
    path : Path
        A Parquet file, or a folder with one in it when `folder`; Spark always makes a folder. Complete or not there at
        all.
    rows : int
        At most so many rows a batch.
    folder : bool
    """
    with _unfinished(path) as unfinished:
        if name_of(table) == "pyspark":
            [sample] = function(iter(fetch(table.limit(1)).combine_chunks().to_batches()))
            mapped = spark_frame(table).mapInArrow(function, _spark_schema(sample.schema))
            mapped.write.parquet(unfinished.resolve().as_uri())
            return
        if folder:
            unfinished.mkdir()
        made = function(batches(table, rows))
        first = next(made)
        with pq.ParquetWriter(unfinished / "part-0.parquet" if folder else unfinished, first.schema) as file:
            file.write_batch(first)
            for batch in made:
                file.write_batch(batch)


def write_table(table: ir.Table, name: str) -> None:
    """Write a table as a new table of its own engine.

    Raises
    ------
    DataError
        When there is a table of that name, or none may be made.
    """
    backend = cast("Any", table.get_backend())
    schema, _dot, plain = name.rpartition(".")
    with told_plainly(f"table {name}"):
        try:
            backend.create_table(plain, table, database=schema or None)
        except Exception as error:
            if "already exists" not in str(error):
                raise
            raise DataError(f"table {name}: there is one already.\nTo fix: drop it, or give another name.") from None


@contextlib.contextmanager
def _unfinished(path: Path) -> Iterator[Path]:
    """Give a place beside `path` to write to; it takes the name when all is written, and goes when something fails."""
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.unfinished")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with told_plainly(str(path)):
            yield unfinished
        _put_in_place(unfinished, path)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be written ({error.strerror}).\nTo fix: check the folder and who may write there."
        ) from None
    finally:
        with contextlib.suppress(OSError):
            remove(unfinished)


def _write(table: ir.Table, path: Path, *, folder: bool, packed: bool) -> None:
    match name_of(table):
        case "duckdb":
            options = _PARQUET + ", PER_THREAD_OUTPUT true" * folder + ", COMPRESSION uncompressed" * (not packed)
            backend = cast("Any", table.get_backend())
            backend._run_pre_execute_hooks(table)
            [[before]] = backend.raw_sql("SELECT current_setting('preserve_insertion_order')").fetchall()
            # Rows need no order in a file of values, and keeping one holds them in memory.
            backend.raw_sql("SET preserve_insertion_order = false")
            try:
                backend.raw_sql(f"COPY ({backend.compile(table)}) TO '{_quoted(path)}' ({options})")
            finally:
                backend.raw_sql(f"SET preserve_insertion_order = {before}")
        case "pyspark":
            spark_frame(table).write.parquet(path.resolve().as_uri())
        case _:
            if folder:
                path.mkdir()
            table.to_parquet(path / "part-0.parquet" if folder else path)


def _spark_schema(schema: pa.Schema) -> Any:
    from pyspark.sql.pandas.types import from_arrow_schema

    return from_arrow_schema(schema)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _put_in_place(unfinished: Path, path: Path) -> None:
    if not path.is_dir() and not unfinished.is_dir():
        unfinished.replace(path)
        return
    # A folder cannot be replaced in one step.
    old = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.replaced")
    if path.exists():
        path.rename(old)
    unfinished.rename(path)
    remove(old)


def remove(path: Path) -> None:
    """Remove a file or a folder; one file that is not there is no error."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
