"""What is kept in an engine, joined to it and written from it: exact, whole or not there, gone when forgotten."""

import gc
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_analysis.data import engines
from crm_analysis.errors import DataError

from .hostile import DAY, FLAG, FLOAT, MONEY, TEXT, WHOLE, table
from .loading import Engine

CONTENT = table(
    {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "number": WHOLE, "share": FLOAT, "is_new": FLAG},
    [
        ("客户", date(1998, 6, 30), Decimal("99999999999999.9999"), 2**53 + 1, 0.1 + 0.2, True),
        ("o'neill", date(1900, 1, 1), Decimal("-0.0001"), -(2**63), 1e300, False),
        ("a ", None, None, None, None, None),
    ],
)


@pytest.fixture
def orders(place: Engine) -> Any:
    """A table of three rows, made for the test and dropped after it."""
    yield place.load("orders", CONTENT)
    place.unload()


def add_a_row(place: Engine) -> None:
    said = "INSERT INTO orders SELECT * FROM orders WHERE is_new"
    place.session.sql(said) if place.name == "spark" else place.connection.raw_sql(said)


def by_id(content: pa.Table) -> list[dict[str, Any]]:
    return content.sort_by("customer_id").to_pylist()


# ---- fetching ---------------------------------------------------------------------------------------


def test_a_fetched_table_has_every_digit(orders):
    assert by_id(engines.fetch(orders)) == by_id(CONTENT)


def test_a_fetched_frame_has_the_types_of_the_embedded_engine(orders):
    def whole(rows: ir.Table) -> ir.Table:
        return rows.filter(rows.number.notnull()).order_by("number")  # noqa: PD004 ibis

    expected = whole(ibis.memtable(CONTENT)).to_pandas()
    pd.testing.assert_frame_equal(engines.fetch_frame(whole(orders)), expected)


def test_batches_bring_every_row_once(place, orders):
    brought = list(engines.batches(orders, rows=2))
    assert max(batch.num_rows for batch in brought) <= 2
    assert by_id(pa.Table.from_batches(brought)) == by_id(CONTENT)


# ---- keeping ----------------------------------------------------------------------------------------


def test_what_is_kept_is_a_snapshot(place, orders):
    kept = engines.keep(orders)
    add_a_row(place)
    assert engines.count(kept) == 3
    assert engines.count(orders) == 4


def test_what_is_kept_outlives_its_source(place, orders):
    kept = engines.keep(orders)
    place.unload()
    assert by_id(engines.fetch(kept)) == by_id(CONTENT)


def test_what_is_kept_goes_when_it_is_forgotten(place, orders):
    before = place.tables()
    kept = engines.keep(orders.mutate(twice=orders.number * 0))
    derived = kept.filter(kept.is_new)
    del kept
    gc.collect()
    assert engines.count(derived) == 1
    assert place.tables() != before
    del derived
    gc.collect()
    assert place.tables() == before


def test_a_small_table_is_joined_with_every_digit(place, orders):
    joined = engines.join_small(orders, CONTENT.select(["customer_id", "order_date", "amount", "number"]))
    assert by_id(engines.fetch(joined)) == by_id(CONTENT.select(["customer_id", "order_date", "amount", "number"]))
    assert engines.count(orders.semi_join(joined, ["customer_id", "number"])) == 2


def test_a_small_table_is_temporary(place, orders):
    # PostgreSQL has a schema of this session's own for it, and drops that with the connection.
    lasting = {"duckdb": "main", "postgres": "public", "spark": "default"}[place.name]
    joined = engines.join_small(orders, CONTENT.select(["customer_id"]))
    assert engines.count(joined) == 3
    assert lasting_tables(place, lasting) == {"orders"}


def lasting_tables(place: Engine, schema: str) -> set[str]:
    match place.name:
        case "duckdb":
            query = f"SELECT table_name FROM duckdb_tables() WHERE schema_name = '{schema}' AND NOT temporary"
            return {name for (name,) in place.connection.raw_sql(query).fetchall()}
        case "postgres":
            query = f"SELECT tablename FROM pg_tables WHERE schemaname = '{schema}'"
            return {name for (name,) in place.connection.raw_sql(query).fetchall()}
        case _:
            return {found.name for found in place.session.catalog.listTables(schema) if not found.isTemporary}


# ---- writing ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", [False, True], ids=["file", "folder"])
def test_parquet_holds_every_digit_and_type(orders, tmp_path, folder):
    engines.write_parquet(orders, tmp_path / "orders.parquet", folder=folder)
    found = pq.read_table(tmp_path / "orders.parquet")
    assert found.schema.types == CONTENT.schema.types
    assert by_id(found) == by_id(CONTENT)


def test_a_failing_write_leaves_the_old_file(orders, tmp_path):
    path = tmp_path / "orders.parquet"
    path.write_text("the old one")
    failing = orders.mutate(share=orders.customer_id.cast("float64"))
    with pytest.raises(DataError, match="the engine reports"):
        engines.write_parquet(failing, path, folder=False)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("old", ["file", "folder"])
@pytest.mark.parametrize("folder", [False, True], ids=["by-a-file", "by-a-folder"])
def test_what_was_there_is_replaced_whole(orders, tmp_path, old, folder):
    path = tmp_path / "orders.parquet"
    if old == "folder":
        path.mkdir()
        (path / "part-of-last-month.parquet").write_text("old")
    else:
        path.write_text("old")
    engines.write_parquet(orders, path, folder=folder)
    assert pq.read_table(path).num_rows == 3
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(orders, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"file/orders\.parquet: cannot be written"):
        engines.write_parquet(orders, tmp_path / "file" / "orders.parquet", folder=False)


def test_a_new_table_holds_every_digit(place, orders):
    engines.write_table(orders, "copied")
    place.loaded.append("copied")
    assert by_id(engines.fetch(place.connection.table("copied"))) == by_id(CONTENT)


def test_a_table_that_is_there_is_never_written_over(place, orders):
    with pytest.raises(DataError, match="table orders: there is one already"):
        engines.write_table(orders.limit(1), "orders")
    assert engines.count(place.connection.table("orders")) == 3


def doubled(batches):
    for batch in batches:
        yield pa.RecordBatch.from_pydict({"number": pa.array([2 * (row or 0) for row in batch["small"].to_pylist()])})


def test_batches_go_through_a_function_on_their_way_to_parquet(orders, tmp_path):
    small = orders.select(small=orders.is_new.ifelse(1, 2).cast("int64"))
    engines.write_mapped(small, doubled, tmp_path / "numbers.parquet", rows=1)
    assert sorted(pq.read_table(tmp_path / "numbers.parquet")["number"].to_pylist()) == [2, 4, 4]


def test_a_function_that_fails_leaves_the_old_file(orders, tmp_path):
    path: Path = tmp_path / "numbers.parquet"
    path.write_text("the old one")
    with pytest.raises((DataError, KeyError)):
        engines.write_mapped(orders, doubled, path, rows=1)
    assert path.read_text() == "the old one"
    assert list(tmp_path.iterdir()) == [path]


def test_ids_of_128_bits_come_as_text(place):
    rows = [(Decimal(10**38 - 1),), (Decimal(-(2**100)),)]
    ids = place.load("ids", table({"customer_id": "integer128"}, rows))
    found = engines.fetch(ids.select(customer_id=ids.customer_id.cast(str)))["customer_id"].to_pylist()
    place.unload()
    assert sorted(found) == [str(-(2**100)), str(10**38 - 1)]
