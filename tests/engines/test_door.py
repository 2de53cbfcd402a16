"""The door on each engine in place, against the embedded DuckDB with the same log copied into it."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import ibis
import pyarrow as pa
import pytest

from crm_analysis.data import engines
from crm_analysis.data.contracts import TABLE_COLUMNS
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import DataError

from .conftest import started
from .hostile import ACCEPTED, DAY, MONEY, REFUSED, TEXT, Log
from .loading import DuckDB, Engine
from .questions import IN_PLACE, QUESTIONS, account, answer, assert_same, read, used_lines

IN_PROCESS = ("duckdb", "postgres")
ALL = (*IN_PROCESS, "spark", "spark-lenient")


@pytest.fixture(scope="module", params=ALL)
def place(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Each engine, once for all logs; Spark without code of its own for tables of a few rows, which takes seconds."""
    made = started(request.param, request)
    if made.name == "spark":
        for name in ("codegen.wholeStage", "adaptive.enabled"):
            made.session.conf.set(f"spark.sql.{name}", "false")
    yield made
    made.close()


def casts_text(log: Log) -> bool:
    """Whether types beyond those of the contract are at play, which ANSI SQL has its own rules for."""
    kinds = {column.type for column in log.content.schema if column.name != "customer_id"}
    return not kinds <= {DAY, MONEY} or log.content.schema.field("customer_id").type != TEXT


def in_place(place: Engine, request: pytest.FixtureRequest, logs: Any, name: str) -> Transactions:
    log = logs[name]()
    lenient = "spark-lenient" in request.node.callspec.id
    if lenient and not casts_text(log):
        pytest.skip("nothing in it that ANSI SQL has rules for")
    request.addfinalizer(place.unload)
    return read(place.load(name, log.content), log, IN_PLACE)


@cache
def copied(name: str) -> Transactions:
    log = {**ACCEPTED, **REFUSED}[name]()
    return read(DuckDB(ibis.duckdb.connect()).load(name, log.content), log)


# ---- each log ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ACCEPTED)
def test_lines_and_account_of_a_log_are_the_same(place, request, name):
    found = in_place(place, request, ACCEPTED, name)
    assert not found.is_copied
    assert account(found) == account(copied(name))
    assert used_lines(found) == used_lines(copied(name))


def broken_rules(refused: DataError) -> list[tuple[str, str, str]]:
    """Column, rule and number of rows of everything that was refused."""
    return re.findall(r"column '(\w+)': (.+) in ([\d,]+) row\(s\)\.$", str(refused), re.MULTILINE)


@pytest.mark.parametrize("name", REFUSED)
def test_a_log_is_refused_for_the_same_columns_rules_and_rows(place, request, name):
    with pytest.raises(DataError) as expected:
        copied(name)
    with pytest.raises(DataError) as found:
        in_place(place, request, REFUSED, name)
    assert broken_rules(found.value) == broken_rules(expected.value) != []


# ---- all of them as one log -------------------------------------------------------------------------


@cache
def together() -> pa.Table:
    """Every line that the door lets through, as one log: on Spark a question to each of forty takes minutes."""
    parts = []
    for name in ACCEPTED:
        lines = copied(name).log.lines.filter(lambda line: line.customer_id.notnull())
        known = [column for column in TABLE_COLUMNS if column in lines.columns]
        named = lines.select(*known).mutate(customer_id=ibis.literal(f"{name} ") + lines.customer_id)
        parts.append(engines.fetch(named))
    return pa.concat_tables(parts, promote_options="default")


@pytest.fixture(scope="module")
def one_log(place: Engine) -> Iterator[tuple[Transactions, Transactions]]:
    """In place, and copied."""
    log = Log(together())
    yield read(place.load("together", log.content), log, IN_PLACE), read(ibis.memtable(log.content), log)
    place.unload()


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_asked_of_all_logs_at_once_has_the_same_answer(one_log, question):
    found, expected = one_log
    assert_same(answer(question, found), answer(question, expected))
