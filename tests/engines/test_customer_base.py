"""The worth of a base, computed where its customers are: the same as in this process, and nobody comes over."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crm_analysis.data.samples import load_cdnow
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.value.customer_base import BaseValues, value_customer_base
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value

from .conftest import started
from .hostile import DAY, FLOAT, TEXT, WHOLE
from .loading import Engine
from .questions import IN_PLACE

AS_OF = date(1998, 6, 30)
TAKEN: dict[str, Any] = {
    "horizon": "24 months",
    "annual_discount_rate": 0.1,
    "margin": 0.3,
    "costs": Costs(5.0, 0.5, 1.0),
}
RELATIVE = 1e-9


@pytest.fixture(scope="module")
def content() -> pa.Table:
    kinds = pa.schema([("customer_id", TEXT), ("order_date", DAY), ("quantity", WHOLE), ("amount", FLOAT)])
    return pa.Table.from_pandas(load_cdnow(), schema=kinds, preserve_index=False)


@pytest.fixture(scope="module")
def expected() -> CustomerValues:
    """By pandas, customer by customer."""
    customers = summarize_customers(load_cdnow(), as_of=AS_OF, annual_discount_rate=0.1)
    return lifetime_value(fit_bgnbd(customers), fit_gamma_gamma(customers), customers, **TAKEN)


@pytest.fixture(scope="module")
def base(place: Engine, content: pa.Table) -> BaseValues:
    log = read_transactions(place.load("cdnow", content), engine=IN_PLACE)
    return value_customer_base(log, as_of=AS_OF, **TAKEN)


def written(path: Path) -> pd.DataFrame:
    return pq.read_table(path).to_pandas().set_index("customer_id").sort_index()


def assert_values(found: pd.DataFrame, expected: CustomerValues) -> None:
    both = expected.customers.frame.join(expected.frame)
    pd.testing.assert_frame_equal(found, both[list(found.columns)], rtol=RELATIVE, atol=1e-9, check_dtype=False)


def test_the_purchase_model_is_the_one_fitted_to_all_customers(base, expected):
    np.testing.assert_allclose(base.fits.purchases.params, expected.fits.purchases.params, rtol=RELATIVE)


def test_the_spend_model_is_the_one_fitted_to_all_customers(base, expected):
    np.testing.assert_allclose(base.fits.spend.params, expected.fits.spend.params, rtol=RELATIVE)


def test_every_customer_is_worth_the_same_in_a_parquet_file(base, expected, tmp_path):
    base.write(tmp_path / "values.parquet")
    found = written(tmp_path / "values.parquet")
    assert_values(found, expected)
    assert found["residual_value"].sum() == pytest.approx(expected.total, rel=RELATIVE)


def test_a_folder_of_parquet_files_holds_every_customer(base, expected, tmp_path):
    base.write(tmp_path / "values", folder=True)
    assert (tmp_path / "values").is_dir()
    assert_values(written(tmp_path / "values"), expected)


def test_every_customer_is_worth_the_same_in_a_table_of_the_engine(place, base, expected):
    base.write_table("customer_values")
    place.loaded.append("customer_values")
    found = place.fetch(place.connection.table("customer_values"))
    assert_values(found.to_pandas().set_index("customer_id").sort_index(), expected)


# ---- who comes over ---------------------------------------------------------------------------------


def a_large_base(customers: int = 4_000) -> pa.Table:
    """Many customers with few distinct histories, who spend in few ways."""
    rng = np.random.default_rng(1998)
    month = np.arange(10)
    first = rng.integers(0, 3, (customers, 1))
    # Everybody buys on the first of months only: some in many, some in none, and some leave for good.
    gone = first + rng.geometric(rng.beta(1.0, 3.0, (customers, 1)))
    buys = rng.random((customers, 10)) < rng.beta(0.5, 2.0, (customers, 1))
    who, when = np.nonzero((month == first) | (buys & (month > first) & (month <= gone)))
    day = np.datetime64("1997-09-01").astype("datetime64[M]") + when
    amounts = rng.choice([9.0, 12.0, 15.0, 30.0], customers)[who] * rng.choice([1.0, 2.0], len(who))
    return pa.table(
        {
            "customer_id": pa.array([f"c{number:05d}" for number in who], TEXT),
            "order_date": pa.array(day.astype("datetime64[D]"), DAY),
            "amount": pa.array(amounts, FLOAT),
        }
    )


@pytest.fixture(scope="module")
def spread(request):
    """A Spark that keeps everything in four partitions or more, with a large base in eight."""
    engine = started("spark", request)
    engine.session.conf.set("spark.sql.shuffle.partitions", "4")
    engine.session.conf.set("spark.sql.adaptive.coalescePartitions.enabled", "false")
    engine.load("arrived", a_large_base())
    engine.session.table("arrived").repartition(8).write.saveAsTable("base")
    engine.loaded.append("base")
    yield engine
    engine.close()


@pytest.fixture
def brought(monkeypatch) -> list[tuple[list[str], int]]:
    """Columns and number of rows of everything that comes from Spark to this process; it goes through one of these."""
    from pyspark.sql.classic.dataframe import DataFrame

    seen: list[tuple[list[str], int]] = []

    def recorded(name: str) -> Any:
        original = getattr(DataFrame, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> Any:
            found = original(self, *args, **kwargs)
            rows = sum(batch.num_rows for batch in found) if name == "_collect_as_arrow" else len(found)
            seen.append((self.columns, rows))
            return found

        return method

    def never(*args: Any) -> Any:
        raise AssertionError("rows go through collect or Arrow")

    for name in ("collect", "_collect_as_arrow", "tail"):
        monkeypatch.setattr(DataFrame, name, recorded(name))
    monkeypatch.setattr(DataFrame, "toLocalIterator", never)
    return seen


def valued(spread: Engine, largest_here: int) -> BaseValues:
    log = read_transactions(spread.connection.table("base"), engine=IN_PLACE)
    return value_customer_base(log, as_of=AS_OF, largest_here=largest_here, **TAKEN)


def test_no_step_on_spark_brings_customers_over(spread, brought, tmp_path):
    base = valued(spread, largest_here=1_000)
    base.write(tmp_path / "values")
    histories = len(base.histories)
    assert not base.by_batches
    assert 10 * histories < base.number_of_customers
    assert [columns for columns, _ in brought if "customer_id" in columns] == []
    assert max(rows for _, rows in brought) <= histories


def test_spark_writes_its_partitions_side_by_side(spread, tmp_path):
    base = valued(spread, largest_here=1_000)
    base.write(tmp_path / "values")
    assert len(list((tmp_path / "values").glob("*.parquet"))) >= 4


def test_customers_valued_by_batches_on_the_workers_are_worth_the_same(spread, brought, tmp_path):
    joined = valued(spread, largest_here=1_000)
    joined.write(tmp_path / "joined")
    brought.clear()
    by_batches = valued(spread, largest_here=10)
    assert by_batches.by_batches
    # Fitted to histories on a grid, so the fits are handed over to compare what becomes of the customers.
    object.__setattr__(by_batches, "fits", joined.fits)
    by_batches.write(tmp_path / "batches")
    pd.testing.assert_frame_equal(written(tmp_path / "joined"), written(tmp_path / "batches"), rtol=1e-12)
    assert max(rows for columns, rows in brought if "customer_id" in columns) == 1  # the sample that tells the types
