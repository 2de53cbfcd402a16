"""The one place that knows which engine a table lives in: how it is reached, asked, kept and written from.

Everything else is ibis expressions that every engine runs. Where ibis's own way loses digits or memory on an engine,
that engine's own is taken here; and what an engine says when it fails is put into words that never hold a password.
"""

import contextlib
import logging
import shutil
import socket
import sys
import tempfile
import uuid
import weakref
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from ibis.backends import BaseBackend
from ibis.common.exceptions import IbisError, OperationNotDefinedError, TableNotFound, UnsupportedOperationError

from crm_analysis.errors import CrmAnalysisError, DataError, SettingsError
from crm_analysis.settings import EngineSettings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame as SparkFrame

# A host that does not answer is given up after so many seconds.
PATIENCE = 10
_SPARK_SCHEMES = ("spark", "sc")
# Engines that would make the file they do not find.
_FILE_SCHEMES = ("duckdb", "sqlite")
# How Spark says that there is no such table or schema, where ibis leaves it to Spark.
_MISSING_IN_SPARK = (
    "TABLE_OR_VIEW_NOT_FOUND",
    "SCHEMA_NOT_FOUND",
    "REQUIRES_SINGLE_PART_NAMESPACE",
)
# A list of a column's values spares room where there are few, such as counts and days; looking for one among ids and
# money, where there is none, costs half as much again as writing.
_PARQUET = "FORMAT PARQUET, DICTIONARY_SIZE_LIMIT 2000"
_LACKS, _REPORTS = "this engine lacks a function that is needed here", "the engine reports"
# Packages whose exceptions come from an engine, by the first part of the module they are defined in.
_OF_ENGINES = (
    "duckdb",
    "psycopg",
    "pyspark",
    "py4j",
    "ibis",
    "sqlalchemy",
    "google",
    "snowflake",
    "clickhouse_connect",
)


# --- reaching an engine -------------------------------------------------------------------------------------------


def embedded(engine: EngineSettings) -> BaseBackend:
    """Return a DuckDB of its own, in this process, within the limits of the settings."""
    folder = _spill_folder(engine)
    # DuckDB makes its own folder but none above it, and fails in the middle of a query where there is none.
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
    limits: dict[str, Any] = {"temp_directory": str(folder)}
    if engine.memory is not None:
        limits["memory_limit"] = engine.memory
    if engine.threads is not None:
        limits["threads"] = engine.threads
    return ibis.duckdb.connect(**limits)


def _spill_folder(engine: EngineSettings) -> Path:
    """Where tables larger than the memory limit go; DuckDB makes it when needed and removes it."""
    return Path(engine.spill_folder or tempfile.gettempdir()) / f"crm-analysis-{uuid.uuid4().hex}"


def connect(url: str) -> BaseBackend:
    """Connect to an engine.

    Parameters
    ----------
    url : str
        As ibis takes it, for example "postgresql://analyst@db.example.org/shop", "duckdb://shop.duckdb",
        "pyspark://" (the running or a local Spark), "spark://host:7077" (a cluster) or "sc://host" (Spark Connect).
        Passwords are better left to the engine's own place for them, such as ~/.pgpass.

    Raises
    ------
    DataError
        When nothing answers within seconds, or access is refused; the message holds no password.
    SettingsError
        When no engine has such a URL, or its package is not installed.
    """
    shown, parts = _parts_of(url)
    path = url.partition("://")[2].partition("?")[0]
    if parts.scheme in _FILE_SCHEMES and path and not Path(path).is_file():
        raise DataError(f"{shown}: there is no such database.\nTo fix: check the path; none is made here.")
    try:
        with _without_stack_traces():
            if parts.scheme in _SPARK_SCHEMES:
                return _spark(url, shown)
            connection = ibis.connect(_with_patience(url))
            if connection.name == "postgres":
                weakref.finalize(connection, connection.con.close)
            return connection
    except ImportError:
        raise SettingsError(f"{shown}: {_missing_package(parts.scheme)}") from None
    except CrmAnalysisError:
        raise
    except Exception as error:
        if isinstance(error, ValueError) and "know how to connect" in str(error):
            raise _no_such_url(shown) from None
        if "JAVA" in str(error):
            raise SettingsError(f"{shown}: Spark needs Java on this machine; install Java 17 or 21.") from None
        raise DataError(
            f"{shown}: cannot be reached or refuses access. {_first_line(error, url)}\n"
            "To fix: check host, port, database, user and password, and that this machine may connect."
        ) from None


def _parts_of(url: str) -> tuple[str, SplitResult]:
    """Return a URL as it may be shown, without credentials and what stands behind the path, and in its parts."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        # What Python says would show a part of the password, where that is what cannot be read.
        raise SettingsError(
            "the connection's URL cannot be read.\nTo fix: write signs such as / # @ [ in a user or a password as "
            "percent codes (%2F %23 %40 %5B), or better leave the password to the engine's own place for it."
        ) from None
    if not parts.scheme or "://" not in url:
        raise _no_such_url("the connection")
    place = f"{host}:{port}" if port else host
    return f"{parts.scheme}://{place}{parts.path.partition(';')[0]}", parts


def _no_such_url(shown: str) -> SettingsError:
    return SettingsError(f"{shown}: no engine has such a URL; use for example postgresql://, duckdb:// or pyspark://.")


def _with_patience(url: str) -> str:
    parts = urlsplit(url)
    if not parts.scheme.startswith("postgres") or "connect_timeout" in parts.query:
        return url
    query = "&".join(filter(None, [parts.query, f"connect_timeout={PATIENCE}"]))
    return urlunsplit(parts._replace(query=query))


def _spark(url: str, shown: str) -> BaseBackend:
    from pyspark.sql import SparkSession

    parts = urlsplit(url)
    default_port = 15002 if parts.scheme == "sc" else 7077
    # Asked first: Spark itself would start a virtual machine and try for minutes.
    try:
        socket.create_connection((parts.hostname or "", parts.port or default_port), timeout=PATIENCE).close()
    except OSError as error:
        raise DataError(
            f"{shown}: nothing answers there ({error}).\nTo fix: check host and port, and that the cluster runs."
        ) from None
    builder = cast("Any", SparkSession.builder)
    if parts.scheme == "sc":
        return ibis.pyspark.connect(builder.remote(url).getOrCreate())
    session = builder.master(url).getOrCreate()
    if session.sparkContext.master != url:
        raise SettingsError(f"{shown}: this process already runs a Spark of its own ({session.sparkContext.master}).")
    return ibis.pyspark.connect(session)


def _missing_package(scheme: str) -> str:
    packages = {
        "postgres": "crm_analysis[postgres]",
        "postgresql": "crm_analysis[postgres]",
        "pyspark": "crm_analysis[spark]",
        "spark": "crm_analysis[spark]",
        "sc": "crm_analysis[spark] and pyspark[connect]",
    }
    if scheme in packages:
        return f"the package for this engine is not installed; install {packages[scheme]}."
    return f"the package for this engine is not installed; install ibis-framework[{scheme}]."


def _first_line(error: BaseException, url: str = "") -> str:
    """First line of what an engine said, without any credential of the URL."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # The first line of Java's errors, as they come from Spark, names a call inside it.
    text = lines[1].lstrip(": ") if len(lines) > 1 and lines[0].startswith("An error occurred while call") else lines[0]
    password = urlsplit(url).password or ""
    for secret in (url, password, unquote(password), urlsplit(url).query):
        text = text.replace(secret, "***") if secret else text
    return text


def named_table(connection: BaseBackend, name: str) -> ir.Table:
    """Return a table of a connection; "schema.table" is looked for in that schema.

    Raises
    ------
    DataError
        When there is none.
    """
    schema, _dot, table = name.rpartition(".")
    # The schema first: Spark has a name with a dot in it looked up, and then does not find it.
    places = [(table, schema), (name, None)] if schema else [(name, None)]
    with told_plainly(f"table {name}"):
        for known, database in places:
            try:
                return connection.table(known, database=database)
            except Exception as error:
                if not _is_missing(error):
                    raise
    raise DataError(f"table {name}: the connection has no such table.\nTo fix: check its name and schema.")


def _is_missing(error: Exception) -> bool:
    """Whether an engine says that there is no such table."""
    return isinstance(error, TableNotFound) or any(kind in str(error) for kind in _MISSING_IN_SPARK)


# --- asking -------------------------------------------------------------------------------------------------------


def tries(table: ir.Table) -> bool:
    """Whether the table's engine has functions that return missing where a text cannot be read: DuckDB."""
    return _name(table) == "duckdb"


def unmarked_instants(table: ir.Table) -> frozenset[str]:
    """Columns that hold moments in time though ibis shows them without a zone, as it does for Spark's TIMESTAMP."""
    if _name(table) != "pyspark":
        return frozenset()
    return frozenset(field.name for field in _spark_frame(table).schema if field.dataType.typeName() == "timestamp")


def fetch(table: ir.Table) -> pa.Table:
    """Bring a table that is known to be small to this process; decimals and whole numbers stay exact."""
    with told_plainly():
        if _name(table) == "pyspark":
            # ibis goes through Python rows, slowly, and turns whole numbers with gaps into floats.
            return _spark_frame(table).toArrow()
        return table.to_pyarrow()


def fetch_frame(table: ir.Table) -> pd.DataFrame:
    """Return the same as a DataFrame."""
    if _name(table) == "duckdb":
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
        match _name(table):
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
    return arg_min(value, by) if _name(table) == "duckdb" else value.argmin(by)


# --- keeping and writing ------------------------------------------------------------------------------------------


def keep(table: ir.Table) -> ir.Table:
    """Compute a table once and keep it in its engine, as a snapshot, for as long as it is referred to."""
    with told_plainly():
        backend = cast("Any", table.get_backend())
        name = f"kept_{uuid.uuid4().hex}"
        if _name(table) != "pyspark":
            return _until_forgotten(backend.create_table(name, table, temp=True), backend.drop_table, name)
        # Spark's own cache is computed when first asked for, and again from the source when memory runs short.
        frame = _spark_frame(table).localCheckpoint(eager=True)
        frame.createOrReplaceTempView(name)
        return _until_forgotten(backend.table(name), backend._session.catalog.dropTempView, name)


def keep_in_files(parts: Iterable[ir.Table], engine: EngineSettings) -> ir.Table:
    """Compute parts of a table one after the other, in the embedded DuckDB, and keep them as Parquet on disk.

    The memory this takes is that of one part, however many there are. The files go when nothing refers to them.
    """
    folder = _spill_folder(engine)
    folder.mkdir(parents=True)
    try:
        backend: Any = None
        for number, part in enumerate(parts):
            backend = part.get_backend()
            # Read again within the minute: packing would cost more than it spares.
            write_parquet(part, folder / f"part-{number}.parquet", folder=False, packed=False)
        kept = backend.read_parquet(str(folder / "*.parquet"))
    except BaseException:  # an interrupt too
        _remove(folder)
        raise
    weakref.finalize(kept.op(), _remove, folder)
    return kept


def own_file(beside: ir.Table, file: Path, engine: EngineSettings) -> ir.Table:
    """Return a Parquet file as a table of the embedded DuckDB of `beside`, whatever becomes of its name afterwards."""
    folder = _spill_folder(engine)
    folder.mkdir(parents=True)
    own = folder / file.name
    try:
        own.hardlink_to(file)
    except OSError:  # another disk
        shutil.copy2(file, own)
    table: ir.Table = cast("Any", beside.get_backend()).read_parquet(str(own))
    weakref.finalize(table.op(), _remove, folder)
    return table


@ibis.udf.scalar.builtin(name="hash")  # type: ignore[untyped-decorator]
def _digest(value: str) -> dt.uint64:
    """DuckDB's own, without the sign that ibis gives it by way of a text of bits."""


def slice_of(table: ir.Table, column: str, number: int, of: int) -> ir.Table:
    """Return the rows whose `column` falls into one of `of` slices of like size, in the embedded DuckDB."""
    return table.filter(_digest(table[column]) % of == number)


def _until_forgotten(table: ir.Table, drop: Callable[[str], Any], name: str) -> ir.Table:
    """Return a table that is dropped when nothing refers to it any more."""
    weakref.finalize(table.op(), _drop, drop, name)
    return table


def _drop(drop: Callable[[str], Any], name: str) -> None:
    with contextlib.suppress(Exception):  # the connection may be gone before its tables
        drop(name)


def join_small(table: ir.Table, content: pa.Table) -> ir.Table:
    """Return a small Arrow table as a table of the engine that `table` lives in, to be joined with it."""
    backend = cast("Any", table.get_backend())
    with told_plainly():
        name = f"joined_{uuid.uuid4().hex}"
        if _name(table) == "pyspark":
            backend._session.createDataFrame(content).createOrReplaceTempView(name)
            return _until_forgotten(backend.table(name), backend._session.catalog.dropTempView, name)
        if _name(table) == "duckdb":
            backend.con.register(name, content)
            return _until_forgotten(backend.table(name), backend.con.unregister, name)
        # Row by row INSERTs are what ibis would do; COPY is two orders of magnitude faster.
        if _name(table) == "postgres":
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
            _remove(unfinished)


def _write(table: ir.Table, path: Path, *, folder: bool, packed: bool) -> None:
    match _name(table):
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
            _spark_frame(table).write.parquet(path.resolve().as_uri())
        case _:
            if folder:
                path.mkdir()
            table.to_parquet(path / "part-0.parquet" if folder else path)


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
        if _name(table) == "pyspark":
            [sample] = function(iter(fetch(table.limit(1)).combine_chunks().to_batches()))
            mapped = _spark_frame(table).mapInArrow(function, _spark_schema(sample.schema))
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
    _remove(old)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


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


# --- what engines say ---------------------------------------------------------------------------------------------


def changed_while_read(name: str, words: str) -> DataError:
    """Return the error for a source that is not what it was at first."""
    return DataError(
        f"{name}: the table changed while it was read ({words}).\n"
        "To fix: read when nothing is written to it, or from a copy, a snapshot or a view cut at a date."
    )


@contextlib.contextmanager
def told_plainly(name: str = "") -> Iterator[None]:
    """Turn what an engine raises into an error of this package, in one line; ours pass as they are."""
    try:
        with _without_stack_traces():
            yield
    except CrmAnalysisError as error:
        if name and str(error).startswith((_LACKS, _REPORTS)):  # told where the name was not known
            raise type(error)(f"{name}: {error}") from None
        raise
    except (OperationNotDefinedError, UnsupportedOperationError) as error:
        raise SettingsError(
            f"{_where(name)}{_LACKS}: {_first_line(error)}\n"
            "To fix: let the table be copied into the embedded DuckDB (engine.copy_rows in crm.toml), or use another "
            "engine."
        ) from None
    except Exception as error:
        if type(error).__name__ == "InterruptException" or str(error) == "Query interrupted":  # DuckDB's for Ctrl-C
            raise KeyboardInterrupt from None
        package = type(error).__module__.partition(".")[0].lstrip("_")
        # Python's own ConnectionError is what remains of a Spark whose virtual machine has gone.
        if package not in _OF_ENGINES and not isinstance(error, IbisError | ConnectionError):
            raise
        raise _of_engine(name, error) from None


@contextlib.contextmanager
def _without_stack_traces() -> Iterator[None]:
    """Keep Spark from logging pages of its own, values of the table among them, about a query that fails."""
    if "pyspark" not in sys.modules:
        yield
        return
    from pyspark.logger import PySparkLogger

    log = PySparkLogger.getLogger("SQLQueryContextLogger")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)


def _of_engine(name: str, error: Exception) -> DataError:
    kind, said = type(error).__name__, _first_line(error)
    if "No module named" in str(error):
        said = "its workers run a Python that lacks a package of this one."
        fix = "install crm_analysis in the workers' Python, and name that in PYSPARK_PYTHON before Spark starts."
    elif kind == "OutOfMemoryException":
        fix = "raise engine.memory in crm.toml, or give engine.spill_folder a disk with more room."
    elif "Failed to create directory" in str(error):
        fix = "check engine.spill_folder in crm.toml, and who may write there."
    elif "Privilege" in kind or "ReadOnly" in kind:
        fix = "let this user read the table and create temporary tables."
    elif "Connection" in kind or "Shutdown" in kind or kind == "OperationalError":
        fix = "check that the engine runs and can be reached, then run again."
    else:
        fix = "look at what the engine says; the data was not changed."
    return DataError(f"{_where(name)}{_REPORTS}: {said}\nTo fix: {fix}")


def _where(name: str) -> str:
    return f"{name}: " if name else ""


def _name(table: ir.Table) -> str:
    return str(table.get_backend().name)


def _spark_frame(table: ir.Table) -> "SparkFrame":
    backend = cast("Any", table.get_backend())
    backend._run_pre_execute_hooks(table)
    frame: SparkFrame = backend._session.sql(backend.compile(table))
    return frame
