"""How an engine is reached: the DuckDB of this process, a server or a cluster by its URL, a table by its name."""

import contextlib
import socket
import tempfile
import uuid
import weakref
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit, urlunsplit

import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend
from ibis.common.exceptions import TableNotFound

from crm_analysis.data.engines.plain_words import first_line, told_plainly, without_stack_traces
from crm_analysis.errors import CrmAnalysisError, DataError, SettingsError
from crm_analysis.settings import EngineSettings

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


def embedded(engine: EngineSettings) -> BaseBackend:
    """Return a DuckDB of its own, in this process, within the limits of the settings."""
    folder = spill_folder(engine)
    # DuckDB makes its own folder but none above it, and fails in the middle of a query where there is none.
    with contextlib.suppress(OSError):
        folder.parent.mkdir(parents=True, exist_ok=True)
    limits: dict[str, Any] = {"temp_directory": str(folder)}
    if engine.memory is not None:
        limits["memory_limit"] = engine.memory
    if engine.threads is not None:
        limits["threads"] = engine.threads
    return ibis.duckdb.connect(**limits)


def spill_folder(engine: EngineSettings) -> Path:
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
        with without_stack_traces():
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
            f"{shown}: cannot be reached or refuses access. {first_line(error, url)}\n"
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
