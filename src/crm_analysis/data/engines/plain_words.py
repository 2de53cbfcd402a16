"""What engines say when they fail, as an error of this package: in one line, which never holds a password."""

import contextlib
import logging
import sys
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from ibis.common.exceptions import IbisError, OperationNotDefinedError, UnsupportedOperationError

from crm_analysis.errors import CrmAnalysisError, DataError, SettingsError

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
        with without_stack_traces():
            yield
    except CrmAnalysisError as error:
        if name and str(error).startswith((_LACKS, _REPORTS)):  # told where the name was not known
            raise type(error)(f"{name}: {error}") from None
        raise
    except (OperationNotDefinedError, UnsupportedOperationError) as error:
        raise SettingsError(
            f"{_where(name)}{_LACKS}: {first_line(error)}\n"
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
def without_stack_traces() -> Iterator[None]:
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
    kind, said = type(error).__name__, first_line(error)
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


def first_line(error: BaseException, url: str = "") -> str:
    """First line of what an engine said, without any credential of the URL."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    # The first line of Java's errors, as they come from Spark, names a call inside it.
    text = lines[1].lstrip(": ") if len(lines) > 1 and lines[0].startswith("An error occurred while call") else lines[0]
    password = urlsplit(url).password or ""
    for secret in (url, password, unquote(password), urlsplit(url).query):
        text = text.replace(secret, "***") if secret else text
    return text
