"""Regions, brands and companies in one table: counted, picked out and read in place as in the embedded DuckDB."""

from decimal import Decimal

import pyarrow as pa
import pytest

from crm_analysis.data.loading import load_raw
from crm_analysis.data.log_parts import LogPart, count_parts
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import DataError
from crm_analysis.settings import TransactionSource

from .hostile import DAY, MONEY, TEXT, WHOLE, june, money, table
from .loading import Engine
from .questions import IN_PLACE, account, used_lines

ROWS = [
    ("a", june(1), money("10"), "North", 7),
    ("b", june(1), money("20.5"), "North", 7),
    ("a", june(2), money("-10"), "North", None),
    ("c", june(3), money("5"), "north", 7),
    ("d", june(3), money("4"), "", 12),
    ("e", june(4), money("3"), None, 12),
    (None, june(4), money("2"), "  ", None),
    ("f", june(5), money("1"), "Zürich", 7),
    ("g", june(5), money("1"), "O'Hara", 7),
]
COLUMNS = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "region": TEXT, "store": WHOLE}


def content(rows: list[tuple] = ROWS) -> pa.Table:
    return table(COLUMNS, rows)


@pytest.fixture
def orders(place: Engine):
    yield place.load("orders", content())
    place.unload()


def parts(source, column: str) -> list[LogPart]:
    return count_parts(load_raw(source, None, IN_PLACE), column, TransactionSource(), "USD", "UTC")


def test_parts_are_counted_in_the_engine_with_their_money(orders):
    assert parts(orders, "region") == [
        LogPart("", 3, Decimal("9")),
        LogPart("North", 3, Decimal("20.5")),
        LogPart("O'Hara", 1, Decimal("1")),
        LogPart("Zürich", 1, Decimal("1")),
        LogPart("north", 1, Decimal("5")),
    ]


def test_parts_by_a_number_are_named_as_it_is_written(orders):
    assert [(part.value, part.rows) for part in parts(orders, "store")] == [("7", 5), ("", 2), ("12", 2)]


@pytest.mark.parametrize("value", ["North", "north", "", "Zürich", "O'Hara"])
def test_the_log_of_a_part_is_the_log_of_its_rows(orders, value):
    own = [row for row in ROWS if (row[3] or "").strip() == value]
    found = read_transactions(orders, only={"region": value}, engine=IN_PLACE)
    expected = read_transactions(content(own).to_pandas())
    assert used_lines(found) == used_lines(expected)
    assert account(found) == account(expected)


def test_a_part_that_nobody_has_is_refused(orders):
    with pytest.raises(DataError, match="South"):
        read_transactions(orders, only={"region": "South"}, engine=IN_PLACE)
