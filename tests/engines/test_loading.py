"""What is loaded into an engine comes back as it was, type by type: the ground on which engines are compared."""

from datetime import date, datetime
from decimal import Decimal

import ibis
import ibis.expr.datatypes as dt
import pyarrow as pa

from . import hostile
from .loading import Engine, Spark

COLUMNS = {
    "money": (hostile.MONEY, [Decimal("99999999999999.9999"), Decimal("-0.0001"), None, Decimal("0.0000")]),
    "wide": (hostile.WIDE, [Decimal("1e27"), Decimal("-1e-10"), None, Decimal(0)]),
    "day": (hostile.DAY, [date(1, 1, 1), date(9999, 12, 31), None, date(2000, 2, 29)]),
    "instant": (hostile.INSTANT, [*hostile.MOMENTS[:2], None, hostile.at(1600, 1, 1)]),
    "clock": (hostile.CLOCK, [datetime(1998, 4, 5, 2), None, datetime(1600, 1, 1), datetime(1998, 6, 30, 0, 0, 0, 1)]),
    "whole": (hostile.WHOLE, [2**53 + 1, -(2**63), None, 2**63 - 1]),
    "small": (pa.int32(), [2**31 - 1, -(2**31), None, 0]),
    "floating": (hostile.FLOAT, [0.1 + 0.2, 1e300, None, 5e-324]),
    "flag": (hostile.FLAG, [True, False, None, True]),
    "text": (hostile.TEXT, ["a ", "\t\n\\N", None, "客户\u3000e\u0301'\""]),
    "blob": (pa.binary(), [b"\x00\xff", b"", None, b"abc"]),
    "integer128": ("integer128", [Decimal(10**38 - 1), Decimal(-(2**100)), None, Decimal(0)]),
    "uuid": ("uuid", ["00000000-0000-0000-0000-000000000001", "ffffffff-ffff-ffff-ffff-ffffffffffff", None, None]),
}  # fmt: skip


def content() -> pa.Table:
    columns = {"row": hostile.WHOLE} | {name: kind for name, (kind, _) in COLUMNS.items()}
    return hostile.table(columns, list(zip(range(4), *(values for _, values in COLUMNS.values()), strict=True)))


def test_values_come_back_as_they_went_in(engine: Engine):
    table = engine.load("everything", content()).order_by("row")
    # To Arrow ibis brings a uuid from DuckDB, and fails from PostgreSQL.
    found = engine.fetch(table.mutate(uuid=table.uuid.cast(str))).drop_columns("row").to_pydict()
    assert found == {name: values for name, (_, values) in COLUMNS.items()}


def test_columns_have_the_types_they_were_given(engine: Engine):
    table = engine.load("everything", content())
    given = {
        "money": dt.Decimal(18, 4),
        "wide": dt.Decimal(38, 10),
        "day": dt.date,
        "whole": dt.int64,
        "floating": dt.float64,
        "flag": dt.boolean,
        "text": dt.string,
    }
    assert {name: table[name].type() for name in given} == given


def test_a_float_that_is_no_number_is_loaded_as_such(engine: Engine):
    table = engine.load("floats", pa.table({"value": pa.array([float("nan"), 1.0], hostile.FLOAT)}))
    assert engine.fetch(table.aggregate(found=table.value.isnan().sum())).to_pylist() == [{"found": 1}]


def test_spark_keeps_moments_and_clocks_apart_though_ibis_does_not(spark):
    engine = Spark(ibis.pyspark.connect(spark.newSession()))
    table = engine.load("times", content().select(["instant", "clock"]))
    kinds = [column.dataType.simpleString() for column in engine.session.table("times").schema]
    engine.close()
    assert (kinds, table.instant.type(), table.clock.type()) == (
        ["timestamp", "timestamp_ntz"],
        dt.timestamp,
        dt.timestamp,
    )


def test_nothing_stays_in_an_engine_that_was_closed(engine: Engine):
    before = engine.tables()
    engine.load("leftover", content().select(["row"]))
    assert engine.tables() - before == {"leftover"}
    engine.unload()
    assert engine.tables() == before


def test_order_of_text_is_told_by_each_engine_in_its_own_way(engine: Engine):
    # Which is why nothing that is counted may hang on it: this PostgreSQL sorts as people do, the others by code point.
    table = engine.load("names", pa.table({"name": ["é", "b", "B", "a"]}))
    found = engine.fetch(table.order_by(table.name))["name"].to_pylist()
    assert found == (["a", "b", "B", "é"] if engine.name == "postgres" else ["B", "a", "b", "é"])


def test_an_expression_with_rows_of_python_is_fetched(engine: Engine):
    table = engine.load("days", pa.table({"number": pa.array([1, 2], hostile.WHOLE)}))
    named = ibis.memtable({"number": [2], "name": ["two"]})
    assert engine.fetch(table.join(named, "number").select("name")).to_pylist() == [{"name": "two"}]
