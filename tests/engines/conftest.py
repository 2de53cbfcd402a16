"""The engines, each started once for all tests; one that is absent skips its tests, or fails them where it must run."""

import importlib.util
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import ibis
import pytest

from .loading import DuckDB, Engine, PostgreSQL, Spark
from .servers import Absent, Server, running_postgres, running_spark

# Set by `make engines`: an engine that is absent then fails the tests that want it.
VARIABLE = "CRM_ANALYSIS_ENGINES"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = os.path.dirname(__file__)
    for item in items:
        if item.path.is_relative_to(here):
            # py4j leaves the socket over which rows come to the garbage collector.
            item.add_marker(pytest.mark.filterwarnings("ignore:unclosed <socket.socket:ResourceWarning"))


def entered(stack: ExitStack, start: Callable[[], Any]) -> Any:
    try:
        return stack.enter_context(start())
    except Absent as absent:
        if os.environ.get(VARIABLE) == "required":
            pytest.fail(str(absent), pytrace=False)
        pytest.skip(str(absent))


@pytest.fixture(scope="session")
def psycopg() -> Any:
    """The package that speaks to PostgreSQL, where no server is wanted."""
    if importlib.util.find_spec("psycopg") is None and os.environ.get(VARIABLE) != "required":
        pytest.skip("psycopg is not installed (make engines)")
    return importlib.import_module("psycopg")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    with ExitStack() as stack:
        yield entered(stack, running_postgres)


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """The Spark session."""
    with ExitStack() as stack:
        yield entered(stack, running_spark)


@pytest.fixture
def duckdb() -> Any:
    return ibis.duckdb.connect()


@pytest.fixture(params=["duckdb", "postgres", "spark", "spark-lenient"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine in turn, with a connection of its own; Spark also as it was before it learned ANSI SQL."""
    made = started(request.param, request)
    yield made
    made.close()


@pytest.fixture(scope="module", params=["duckdb", "postgres", "spark"])
def place(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """An engine with one connection for all tests of a file."""
    made = started(request.param, request)
    yield made
    made.close()


def started(name: str, request: pytest.FixtureRequest) -> Engine:
    """Return an engine with a connection of its own; whoever asks closes it."""
    if name == "duckdb":
        return DuckDB(ibis.duckdb.connect())
    found = request.getfixturevalue(name.split("-")[0])
    match name:
        case "postgres":
            return PostgreSQL(ibis.connect(found.url))
        case _:
            # Tables are shared with the session that was started; settings and temporary views are not.
            connection = ibis.pyspark.connect(found.newSession())
            connection._session.conf.set("spark.sql.ansi.enabled", str(name == "spark").lower())
            return Spark(connection)
