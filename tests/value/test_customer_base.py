"""A base of any size is valued as the same customers are one by one."""

import pandas as pd
import pytest

from crm_analysis import fit_bgnbd, fit_gamma_gamma, lifetime_value, load_cdnow_sample, summarize_customers
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import EngineSettings, load_settings
from crm_analysis.value.customer_base import BaseValues, value_customer_base
from crm_analysis.value.lifetime_value import Costs
from crm_analysis.value.write_values import write_values

AS_OF = "1997-09-30"
TERMS = {
    "horizon": "24 months",
    "annual_discount_rate": 0.1,
    "margin": 0.3,
    "costs": Costs(acquisition_cost=5.0, cost_per_order=1.0, cost_to_serve_per_year=2.0),
}


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    load_cdnow_sample().to_parquet(path, index=False)
    return path


def valued(parquet, **options: object) -> BaseValues:
    log = read_transactions(parquet, as_of=AS_OF, engine=EngineSettings(copy_rows=0))
    return value_customer_base(log, as_of=AS_OF, **TERMS, **options)


@pytest.fixture(scope="module")
def base(parquet) -> BaseValues:
    return valued(parquet)


@pytest.fixture(scope="module")
def one_by_one() -> pd.DataFrame:
    customers = summarize_customers(load_cdnow_sample(), as_of=AS_OF, annual_discount_rate=0.1)
    return lifetime_value(fit_bgnbd(customers), fit_gamma_gamma(customers), customers, **TERMS).frame


def read(path) -> pd.DataFrame:
    return pd.read_parquet(path).set_index("customer_id").sort_index()


def test_values_joined_to_histories_are_those_of_each_customer(base, one_by_one, tmp_path):
    base.write(tmp_path / "values.parquet")
    found = read(tmp_path / "values.parquet")[one_by_one.columns]
    # The two fits end at the same maximum from rows in another order.
    pd.testing.assert_frame_equal(found, one_by_one, rtol=1e-5)


def test_values_by_batches_are_those_joined(parquet, base, tmp_path):
    batched = valued(parquet, model=base.fits.purchases, largest_here=5000)
    assert not batched.by_batches
    few = valued(parquet, model=base.fits.purchases, largest_here=50)
    assert few.by_batches and few.grid == "month"
    few.write(tmp_path / "batched.parquet")
    few.write(tmp_path / "batched", folder=True)
    pd.testing.assert_frame_equal(read(tmp_path / "batched"), read(tmp_path / "batched.parquet"))
    base.write(tmp_path / "joined.parquet")
    names = ["probability_alive", "discounted_purchases"]
    pd.testing.assert_frame_equal(
        read(tmp_path / "batched.parquet")[names], read(tmp_path / "joined.parquet")[names], rtol=1e-9
    )


@pytest.mark.parametrize("grid", ["week", "month"])
def test_a_grid_moves_the_fit_and_not_the_days_that_are_valued(parquet, base, grid, tmp_path):
    coarse = valued(parquet, grid=grid)
    object.__setattr__(coarse, "fits", base.fits)
    coarse.write(tmp_path / "coarse.parquet")
    base.write(tmp_path / "exact.parquet")
    assert coarse.grid == grid and len(coarse.histories) < len(base.histories)
    pd.testing.assert_frame_equal(read(tmp_path / "coarse.parquet"), read(tmp_path / "exact.parquet"))


@pytest.mark.parametrize(("grid", "most"), [("week", 0.01), ("month", 0.05)])
def test_how_far_a_grid_is_off_is_measured_and_said(parquet, grid, most):
    coarse = valued(parquet, grid=grid)
    assert 0 < abs(coarse.grid_error) < most
    words = f"rounded to the {grid} (which moves what is expected of a sample of customers by "
    assert words in coarse.method


def test_without_a_grid_there_is_no_error_of_one(base, parquet):
    assert base.grid_error == 0
    assert valued(parquet, grid="week", model=base.fits.purchases).grid_error == 0


def test_the_method_says_how_many_rows_stood_for_how_many_customers(base):
    assert base.method.startswith("BG/NBD and Gamma-Gamma, fitted to 1,016 ")
    assert "distinct histories of 2,357 customers" in base.method


def test_a_folder_holds_the_same_rows_as_a_file(base, tmp_path):
    base.write(tmp_path / "values.parquet")
    base.write(tmp_path / "values", folder=True)
    pd.testing.assert_frame_equal(read(tmp_path / "values"), read(tmp_path / "values.parquet"))


def test_writing_again_replaces_the_whole_folder(base, tmp_path):
    folder = tmp_path / "values"
    folder.mkdir()
    (folder / "old.parquet").write_bytes(b"old")
    base.write(folder, folder=True)
    assert not (folder / "old.parquet").exists()
    assert [entry.name for entry in tmp_path.iterdir()] == ["values"]


def test_values_can_become_a_table_of_the_engine(base):
    base.write_table("customer_values")
    backend = base.customers.table.get_backend()
    assert backend.table("customer_values").count().execute() == 2357


def test_a_table_that_is_there_already_is_not_replaced(base):
    base.customers.table.get_backend().create_table("taken", base.customers.table.limit(1))
    with pytest.raises(DataError, match="table taken: there is one already"):
        base.write_table("taken")


def test_no_file_is_left_behind_by_a_failed_write(base, tmp_path, monkeypatch):
    monkeypatch.setattr("crm_analysis.data.engines.writing._put_in_place", lambda *_paths: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        base.write(tmp_path / "values.parquet")
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_changes_after_the_door_is_noticed(parquet, tmp_path):
    path = tmp_path / "log.parquet"
    log = load_cdnow_sample()
    log.to_parquet(path, index=False)
    opened = read_transactions(path, as_of=AS_OF, engine=EngineSettings(copy_rows=0))
    pd.concat([log, log.head(10)]).to_parquet(path, index=False)
    with pytest.raises(DataError, match="the table changed while it was read"):
        value_customer_base(opened, as_of=AS_OF, **TERMS)


def test_a_grid_that_is_none_is_refused(parquet):
    with pytest.raises(SettingsError, match="grid is 'year'"):
        valued(parquet, grid="year")


SETTINGS = """
[forecast]
holdout = "13 weeks"
draws = 100
[engine]
copy_rows = 0
"""


@pytest.fixture
def company(tmp_path):
    (tmp_path / "crm.toml").write_text(SETTINGS)
    return load_settings(tmp_path / "crm.toml")


def test_the_model_of_a_large_base_is_chosen_on_a_sample_and_it_says_so(company, parquet, tmp_path, base):
    from datetime import date

    written = write_values(company, as_of=date(1997, 9, 30), out=str(tmp_path / "v.parquet"), transactions=parquet)
    assert "the model was chosen on 2,357 of its customers, drawn at random" in written.method
    assert written.customers == 2357


def test_values_of_a_large_base_are_not_written_as_csv(company, parquet, tmp_path):
    from datetime import date

    with pytest.raises(SettingsError, match=r"written as \.parquet or to a folder"):
        write_values(company, as_of=date(1997, 9, 30), out=str(tmp_path / "v.csv"), transactions=parquet)
