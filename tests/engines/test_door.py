"""The door on each engine, in place and copied, against the embedded DuckDB with the same log copied into it.

What is compared is identical, but for the last digit of what logarithms went into (`questions.assert_same`).
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import ibis
import ibis.expr.types as ir
import pyarrow as pa
import pytest

from crm_analysis.data import engines
from crm_analysis.data.contracts import TABLE_COLUMNS
from crm_analysis.data.samples import load_cdnow
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import DataError

from .hostile import ACCEPTED, DAY, FLOAT, REFUSED, TEXT, WHOLE, Log
from .loading import DuckDB, Engine, Spark
from .questions import IN_PLACE, QUESTIONS, account, answer, assert_same, read, used_lines

EVERYWHERE = ["duckdb", "postgres", "spark"]
# Spark takes a second for every query and several to net refunds. By itself it reads logs of which much is cast, cut
# to days or refused; the lines of all others reach it as one log, below, which is netted as well.
ON_SPARK = (
    "exact_copies",
    "refunds_under_their_order",
    "refunds_by_a_flag",
    "ids_missing_or_blank",
    "ids_with_a_point_and_zero",
    "ids_as_floats",
    "ids_of_128_bits",
    "ids_as_uuid",
    "moments_seen_in_new_york",
    "clocks_without_a_zone",
    "days_as_text",
    "moments_as_text",
    "months_by_name_and_years_of_two_digits",
    "moments_with_a_zone_in_a_pattern",
    "amounts_as_text",
    "amounts_as_floats",
    "several_currencies",
    *(name for name in REFUSED if name != "hours_that_no_clock_has_in_a_pattern"),
)
NETTED_BY_THEMSELVES = ("refunds_under_their_order",)
# Casts and sums that ANSI SQL has rules for.
LENIENT = (
    "ids_as_floats",
    "days_as_text",
    "amounts_as_text",
    "amounts_as_floats",
    "several_currencies",
    "days_that_no_calendar_has",
    "amounts_too_large",
)
# Types that a copy could lose on its way.
TYPED = (
    "ids_as_floats",
    "ids_as_whole_numbers",
    "ids_of_128_bits",
    "ids_as_uuid",
    "moments_seen_in_new_york",
    "clocks_without_a_zone",
    "amounts_with_noise_behind_the_fourth_decimal",
    "every_optional_column_with_gaps",
)


def each(logs: Any) -> pytest.MarkDecorator:
    cases = [(place, name) for name in logs for place in EVERYWHERE if place != "spark" or name in ON_SPARK]
    cases += [("spark-lenient", name) for name in logs if name in LENIENT]
    return pytest.mark.parametrize(("place", "name"), cases, indirect=["place"])


@pytest.fixture(scope="module", autouse=True)
def no_code_for_a_few_rows(place: Engine) -> None:
    """Writing and compiling code of its own for every question is most of Spark's time where tables are small."""
    if isinstance(place, Spark):
        for name in ("codegen.wholeStage", "adaptive.enabled"):
            place.session.conf.set(f"spark.sql.{name}", "false")


@pytest.fixture
def loaded(place: Engine, name: str) -> Iterator[tuple[ir.Table, Log]]:
    """A hostile log as a table of the engine, and what the door is to be told."""
    nets = not isinstance(place, Spark) or name in NETTED_BY_THEMSELVES
    log = hostile(name, nets)
    yield place.load(name, log.content), log
    place.unload()


@cache
def hostile(name: str, nets: bool = True) -> Log:
    log = (ACCEPTED | REFUSED)[name]()
    return log if nets else replace(log, rules={"refunds": "set_aside"} | log.rules)


def embedded(log: Log) -> ir.Table:
    return DuckDB(ibis.duckdb.connect()).load("log", log.content)


@cache
def expected(name: str, refunds: str = "net") -> Transactions:
    log = hostile(name, refunds == "net")
    return read(embedded(log), log)


def assert_same_log(found: Transactions, name: str) -> None:
    wanted = expected(name, found.log.rules.refunds)
    assert account(found) == account(wanted)
    assert used_lines(found) == used_lines(wanted)


# ---- each log ---------------------------------------------------------------------------------------


@each(ACCEPTED)
def test_lines_and_account_of_a_log_in_place_are_the_same(loaded, name):
    found = read(*loaded, IN_PLACE)
    assert not found.is_copied
    assert_same_log(found, name)


@pytest.mark.parametrize("place", ["postgres", "spark"], indirect=True)
@pytest.mark.parametrize("name", TYPED)
def test_lines_and_account_of_a_copied_log_are_the_same(loaded, name):
    found = read(*loaded)
    assert found.is_copied
    assert_same_log(found, name)


@each(REFUSED)
def test_a_log_is_refused_in_the_same_words_in_place(loaded, name):
    assert refusal(*loaded, IN_PLACE) == expected_refusal(name)


@cache
def expected_refusal(name: str) -> list[tuple[str, str, list[str]]]:
    return refusal(embedded(hostile(name)), hostile(name))


def refusal(*told: Any) -> list[tuple[str, str, list[str]]]:
    """What was refused, rule by rule: the words, the way to fix it, and the rows where all of them are shown."""
    with pytest.raises(DataError) as refused:
        read(*told)
    rules = []
    for rule in str(refused.value).split("\n\n"):
        words, *rows, fix = rule.split("\n")
        broken = int(re.search(r" in ([\d,]+) row\(s\)\.$", words)[1].replace(",", ""))
        # The first column is the row's number, which a table read in place does not know, nor has it an order of rows.
        values = sorted(" ".join(row.split()[1:]) for row in rows)
        rules.append((re.sub(r"^table \w+", "", words), fix, values if broken <= 5 else []))
    return rules


# ---- all of them as one log -------------------------------------------------------------------------

# Netting, gone through anew by each question to a log in place, is left to those who ask for what it does.
NETTED = ("counters", "account until a day before", "lines until a day before")


@cache
def together() -> pa.Table:
    """Every line that the door lets through, as one log: on Spark a question to each of forty takes minutes."""
    parts = []
    for name in ACCEPTED:
        lines = expected(name).log.lines.filter(lambda line: line.customer_id.notnull())
        known = [column for column in TABLE_COLUMNS if column in lines.columns]
        named = lines.select(*known).mutate(customer_id=ibis.literal(f"{name} ") + lines.customer_id)
        parts.append(engines.fetch(named))
    return pa.concat_tables(parts, promote_options="default")


def ruled(refunds: str) -> Log:
    return Log(together(), rules={"refunds": refunds})


@cache
def expected_together(refunds: str) -> Transactions:
    return read(ibis.memtable(together()), ruled(refunds))


@pytest.fixture(scope="module")
def found_together(place: Engine) -> Iterator[Callable[[str], Transactions]]:
    table = place.load("together", together())
    yield cache(lambda refunds: read(table, ruled(refunds), IN_PLACE))
    place.unload()


# The embedded engine in place, which is the one that is compared with, and Spark, which is slow, are asked a few.
ASKED = {
    "postgres": tuple(QUESTIONS),
    "duckdb": ("counters", "lines until a day before", "customers", "pairs in baskets"),
    "spark": (
        *NETTED,
        "customers",
        "daily purchases",
        "base by date",
        "bought since",
        "items in baskets",
        "pairs in baskets",
        "known share",
    ),
}


@pytest.mark.parametrize(
    ("place", "question"),
    [(place, question) for place, questions in ASKED.items() for question in questions],
    indirect=["place"],
)
def test_what_is_asked_of_all_logs_at_once_has_the_same_answer(found_together, question):
    refunds = "net" if question in NETTED else "set_aside"
    assert_same(answer(question, found_together(refunds)), answer(question, expected_together(refunds)))


# ---- CDNOW ------------------------------------------------------------------------------------------

OF_CDNOW = ("customers", "histories", "spending", "monthly activity", "cohorts by the month")


@cache
def cdnow() -> Log:
    kinds = pa.schema([("customer_id", TEXT), ("order_date", DAY), ("quantity", WHOLE), ("amount", FLOAT)])
    return Log(pa.Table.from_pandas(load_cdnow(), schema=kinds, preserve_index=False))


@cache
def expected_cdnow() -> Transactions:
    return read(ibis.memtable(cdnow().content), cdnow())


@pytest.fixture(scope="module")
def found_cdnow(place: Engine) -> Iterator[Callable[[bool], Transactions]]:
    table = place.load("cdnow", cdnow().content)
    yield cache(lambda is_copied: read(table, cdnow(), None if is_copied else IN_PLACE))
    place.unload()


@pytest.mark.parametrize("place", EVERYWHERE, indirect=True)
@pytest.mark.parametrize("is_copied", [False, True], ids=["in-place", "copied"])
def test_lines_and_account_of_cdnow_are_the_same(found_cdnow, is_copied):
    found = found_cdnow(is_copied)
    assert found.is_copied == is_copied
    assert account(found) == account(expected_cdnow())
    assert in_order(found).equals(in_order(expected_cdnow()))


def in_order(log: Transactions) -> pa.Table:
    """The used lines of a long log."""
    lines = engines.fetch(log.table.mutate(amount=log.table.amount.cast(str), quantity=log.table["quantity"].cast(str)))
    lines = lines.cast(pa.schema([(name, DAY if name == "order_date" else TEXT) for name in lines.column_names]))
    return lines.sort_by([(name, "ascending") for name in lines.column_names])


@pytest.mark.parametrize("place", EVERYWHERE, indirect=True)
@pytest.mark.parametrize("question", OF_CDNOW)
def test_what_is_asked_of_cdnow_has_the_same_answer(found_cdnow, question):
    assert_same(answer(question, found_cdnow(False)), answer(question, expected_cdnow()))
