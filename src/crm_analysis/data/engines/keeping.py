"""Tables kept in their engine while they are referred to: computed once, by slices, or brought to it to be joined."""

import contextlib
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pyarrow as pa

from crm_analysis.data.engines.asking import name_of, spark_frame
from crm_analysis.data.engines.plain_words import told_plainly
from crm_analysis.data.engines.reaching import spill_folder
from crm_analysis.data.engines.writing import remove, write_parquet
from crm_analysis.settings import EngineSettings


def keep(table: ir.Table) -> ir.Table:
    """Compute a table once and keep it in its engine, as a snapshot, for as long as it is referred to."""
    with told_plainly():
        backend = cast("Any", table.get_backend())
        name = f"kept_{uuid.uuid4().hex}"
        if name_of(table) != "pyspark":
            return until_forgotten(backend.create_table(name, table, temp=True), backend.drop_table, name)
        # Spark's own cache is computed when first asked for, and again from the source when memory runs short.
        frame = spark_frame(table).localCheckpoint(eager=True)
        frame.createOrReplaceTempView(name)
        return until_forgotten(backend.table(name), backend._session.catalog.dropTempView, name)


def keep_in_files(parts: Iterable[ir.Table], engine: EngineSettings) -> ir.Table:
    """Compute parts of a table one after the other, in the embedded DuckDB, and keep them as Parquet on disk.

    The memory this takes is that of one part, however many there are. The files go when nothing refers to them.
    """
    folder = spill_folder(engine)
    folder.mkdir(parents=True)
    try:
        backend: Any = None
        for number, part in enumerate(parts):
            backend = part.get_backend()
            # Read again within the minute: packing would cost more than it spares.
            write_parquet(part, folder / f"part-{number}.parquet", folder=False, packed=False)
        kept = backend.read_parquet(str(folder / "*.parquet"))
    except BaseException:  # an interrupt too
        remove(folder)
        raise
    weakref.finalize(kept.op(), remove, folder)
    return kept


def own_file(beside: ir.Table, file: Path, engine: EngineSettings) -> ir.Table:
    """Return a Parquet file as a table of the embedded DuckDB of `beside`, whatever becomes of its name afterwards."""
    folder = spill_folder(engine)
    folder.mkdir(parents=True)
    own = folder / file.name
    try:
        try:
            own.hardlink_to(file)
        except OSError:  # another disk
            shutil.copy2(file, own)
    except BaseException:
        remove(folder)
        raise
    table: ir.Table = cast("Any", beside.get_backend()).read_parquet(str(own))
    weakref.finalize(table.op(), remove, folder)
    return table


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def _digest(value: str) -> dt.uint64:
    """DuckDB's own, without the sign that ibis gives it by way of a text of bits."""


def slice_of(table: ir.Table, column: str, number: int, of: int) -> ir.Table:
    """Return the rows whose `column` falls into one of `of` slices of like size, in the embedded DuckDB."""
    return table.filter(_digest(table[column]) % of == number)


def join_small(table: ir.Table, content: pa.Table) -> ir.Table:
    """Return a small Arrow table as a table of the engine that `table` lives in, to be joined with it."""
    backend = cast("Any", table.get_backend())
    with told_plainly():
        name = f"joined_{uuid.uuid4().hex}"
        if name_of(table) == "pyspark":
            backend._session.createDataFrame(content).createOrReplaceTempView(name)
            return until_forgotten(backend.table(name), backend._session.catalog.dropTempView, name)
        if name_of(table) == "duckdb":
            backend.con.register(name, content)
            return until_forgotten(backend.table(name), backend.con.unregister, name)
        # Row by row INSERTs are what ibis would do; COPY is two orders of magnitude faster.
        if name_of(table) == "postgres":
            return _copy_into_postgres(backend, content, name)
        return ibis.memtable(content)


def _copy_into_postgres(backend: Any, content: pa.Table, name: str) -> ir.Table:
    made = backend.create_table(name, schema=ibis.Schema.from_pyarrow(content.schema), temp=True)
    columns = ", ".join(f'"{column}"' for column in content.column_names)
    with backend.con.cursor() as cursor, cursor.copy(f'COPY "{name}" ({columns}) FROM STDIN') as copy:
        for batch in content.to_batches(max_chunksize=10_000):
            for row in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                copy.write_row(row)
    backend.con.commit()
    return made


def until_forgotten(table: ir.Table, drop: Callable[[str], Any], name: str) -> ir.Table:
    """Return a table that is dropped when nothing refers to it any more."""
    weakref.finalize(table.op(), _drop, drop, name)
    return table


def _drop(drop: Callable[[str], Any], name: str) -> None:
    with contextlib.suppress(Exception):  # the connection may be gone before its tables
        drop(name)
