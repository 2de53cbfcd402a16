"""Customers in their engine: the same rows as a summary, and the distinct histories among them."""

import threading
from dataclasses import replace

import ibis
import numpy as np
import pandas as pd
import pytest

from crm_analysis import load_cdnow_sample, summarize_customers
from crm_analysis.data import engines
from crm_analysis.data.customer_table import CustomerTable, customer_table, slices
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.settings import EngineSettings

AS_OF = "1997-09-30"


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    load_cdnow_sample().to_parquet(path, index=False)
    return path


def in_place(path, **limits: object) -> Transactions:
    return read_transactions(path, as_of=AS_OF, engine=EngineSettings(copy_rows=0, **limits))


@pytest.fixture(scope="module")
def customers(parquet) -> CustomerTable:
    return customer_table(in_place(parquet), as_of=AS_OF, annual_discount_rate=0.1)


@pytest.fixture(scope="module")
def summary():
    return summarize_customers(load_cdnow_sample(), as_of=AS_OF, annual_discount_rate=0.1)


def test_a_file_read_in_place_says_so(parquet):
    assert repr(in_place(parquet)).endswith("as of 1997-09-30, read in place)")


def test_the_table_holds_the_rows_of_the_summary(customers, summary):
    pd.testing.assert_frame_equal(customers.summary().frame, summary.frame)


def test_summing_up_in_slices_loses_nobody(parquet, summary):
    log = in_place(parquet)
    # As if the log were long and the memory short.
    log = replace(log, log=replace(log.log, rows=70_000, engine=EngineSettings(memory="1MB")))
    sliced = customer_table(log, as_of=AS_OF, annual_discount_rate=0.1)
    assert slices(log.log.rows, log.log.engine) == 10
    pd.testing.assert_frame_equal(sliced.keep().summary().frame, summary.frame)


def test_whoever_waits_is_told_which_slice_is_summed_up(parquet):
    told: list[str] = []
    log = in_place(parquet)
    log = replace(log, log=replace(log.log, rows=70_000, engine=EngineSettings(memory="5MB")))
    customer_table(log, as_of=AS_OF).keep(told.append)
    assert told == ["Summing up customers, slice 1 of 2", "Summing up customers, slice 2 of 2"]
    assert [(step.number, step.of) for step in told] == [(1, 2), (2, 2)]


def test_an_interrupt_between_slices_leaves_no_file(customers, tmp_path):
    def parts():
        yield customers.sums
        assert list(tmp_path.rglob("*.parquet"))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        engines.keep_in_files(parts(), EngineSettings(spill_folder=str(tmp_path)))
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_of_the_engine_is_one_of_the_run():
    connection = ibis.duckdb.connect()
    digits = connection.create_table("digits", ibis.memtable({"digit": range(10_000)}))
    slow = digits.cross_join(digits.view()).mutate(text=digits.digit.cast(str))
    waiting = threading.Timer(0.3, connection.con.interrupt)
    waiting.start()
    with pytest.raises(KeyboardInterrupt):
        engines.count(slow.distinct())


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_sample_holds_about_its_share_of_the_customers_and_always_the_same(customers, summary, share):
    drawn = customers.sample(share).summary().frame.index
    assert len(drawn) == pytest.approx(share * len(summary), rel=0.15)
    assert drawn.tolist() == customers.sample(share).summary().frame.index.tolist()
    assert set(customers.sample(share / 2).summary().frame.index) < set(drawn)


def test_a_sample_of_all_is_all(customers, summary):
    assert len(customers.sample(1.0).summary()) == len(summary)


def test_histories_count_every_customer_once(customers, summary):
    assert customers.histories().counts.sum() == len(summary)


def test_histories_are_the_distinct_rows_of_the_summary(customers, summary):
    columns = ["frequency", "recency", "T"]
    expected = summary.frame.groupby(columns).size()
    found = customers.histories()
    counted = found.customers.frame[columns].assign(n=found.counts).set_index(columns)["n"].sort_index()
    np.testing.assert_allclose(np.array(counted.index.to_list()), np.array(expected.index.to_list()), rtol=1e-12)
    assert counted.to_numpy().tolist() == expected.to_numpy().tolist()


def test_there_are_as_many_histories_as_are_counted_beforehand(customers):
    assert len(customers.fold()) == len(customers.histories())


def test_a_fit_to_histories_is_the_fit_to_customers(customers, summary):
    histories = customers.histories()
    folded = fit_bgnbd(histories.customers, weights=histories.counts)
    assert folded.params == pytest.approx(fit_bgnbd(summary).params, rel=1e-6)


@pytest.mark.parametrize(("grid", "tolerance"), [("week", 0.005), ("month", 0.05)])
def test_a_coarser_grid_moves_the_fit_little(grid, tolerance, customers, summary):
    histories = customers.histories(grid)
    assert len(histories) < len(customers.histories())
    folded = fit_bgnbd(histories.customers, weights=histories.counts)
    exact = fit_bgnbd(summary)
    total = [float(fit.expected_purchases(summary, horizon=52).sum()) for fit in (folded, exact)]
    assert total[0] == pytest.approx(total[1], rel=tolerance)


@pytest.mark.parametrize("grid", ["week", "month"])
def test_no_grid_makes_an_impossible_history(grid, customers):
    frame = customers.histories(grid).customers.frame
    assert ((frame["recency"] >= 0) & (frame["recency"] <= frame["T"])).all()
    assert (frame.loc[frame["frequency"] == 0, "recency"] == 0).all()


def test_spend_is_exact_where_the_buyers_are_few(customers, summary):
    spending = customers.spending(rows=10_000)
    exact = fit_gamma_gamma(summary).params
    assert fit_gamma_gamma(spending.customers, weights=spending.counts).params == pytest.approx(exact, rel=1e-6)


def test_folded_spend_moves_the_fit_by_less_than_a_ten_thousandth(customers, summary):
    spending = customers.spending(rows=0)
    assert len(spending) < 0.8 * spending.counts.sum()
    exact = fit_gamma_gamma(summary).params
    assert fit_gamma_gamma(spending.customers, weights=spending.counts).params == pytest.approx(exact, rel=1e-4)


def test_a_sample_of_customers_has_their_whole_log(parquet, summary):
    log = in_place(parquet)
    sample = summarize_customers(log.sample_of_customers(500), as_of=AS_OF, annual_discount_rate=0.1).frame
    assert 400 < len(sample) < 600
    pd.testing.assert_frame_equal(sample, summary.frame.loc[sample.index])


def test_a_sample_larger_than_the_base_is_the_base_where_it_is(parquet):
    log = in_place(parquet)
    assert log.sample_of_customers(1_000_000) is log


def test_a_sample_with_more_rows_than_are_copied_stays_in_its_engine(parquet):
    log = in_place(parquet)
    kept = log.sample_of_customers(500)
    assert not kept.is_copied
    copied = read_transactions(parquet, as_of=AS_OF).sample_of_customers(500)
    assert copied.is_copied
    assert kept.stands_for == copied.stands_for
    pd.testing.assert_frame_equal(
        summarize_customers(kept, as_of=AS_OF).frame, summarize_customers(copied, as_of=AS_OF).frame
    )


def test_a_folder_of_parquet_files_is_one_log(parquet, tmp_path, summary):
    log = load_cdnow_sample()
    for number, part in enumerate(np.array_split(np.arange(len(log)), 3)):
        place = tmp_path / f"month={number}"
        place.mkdir()
        log.iloc[part].to_parquet(place / "part.parquet", index=False)
    pd.testing.assert_frame_equal(
        summarize_customers(tmp_path, as_of=AS_OF, annual_discount_rate=0.1).frame, summary.frame
    )


def test_amounts_at_the_limit_of_money_can_be_carried():
    log = pd.DataFrame(
        {"customer_id": "A", "order_date": ["1990-01-01", "1997-09-30"], "amount": [99_999_999_999_999.0, 1.0]}
    )
    carried = summarize_customers(log, as_of=AS_OF, annual_discount_rate=3.0).frame["spend_carried"]
    assert carried.iloc[0] == pytest.approx(1e14 * 4 ** (2829 / 365.25), rel=1e-9)
