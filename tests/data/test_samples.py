"""The CDNOW log, as the literature describes it."""

import sys
from decimal import Decimal

import pandas as pd
import pytest

from crm_analysis.data.samples import load_cdnow, load_cdnow_sample, write_cdnow
from crm_analysis.data.sources import Transactions, read_transactions


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return load_cdnow()


@pytest.fixture(scope="module")
def transactions(log) -> Transactions:
    return read_transactions(log)


def test_cdnow_has_69659_lines_of_23570_customers(log):
    assert (len(log), log["customer_id"].nunique()) == (69_659, 23_570)


def test_every_cdnow_line_is_used(transactions):
    used = transactions.reconciliation.set_index("outcome").loc["used"]
    # The sum was computed with awk from the file.
    assert (used["rows"], used["money"]) == (69_659, Decimal("2500315.63"))


@pytest.mark.parametrize(("counter", "rows"), [("zero_amount", 80), ("exact_duplicates", 255)])
def test_cdnow_oddities_are_counted(transactions, counter, rows):
    assert transactions.counters.set_index("counter").loc[counter, "rows"] == rows


def test_the_sample_is_every_tenth_customer():
    sample = load_cdnow_sample()
    assert (len(sample), sample["customer_id"].nunique(), sample["sample_id"].nunique()) == (6_919, 2_357, 2_357)


def test_sample_customers_are_those_of_the_whole_log(log):
    sample = load_cdnow_sample()
    of_whole = log[log["customer_id"].isin(sample["customer_id"])]
    assert of_whole["amount"].sum() == pytest.approx(sample["amount"].sum(), abs=0.005)


def test_the_written_log_reads_as_the_frame(tmp_path, transactions):
    path = write_cdnow(tmp_path / "raw" / "cdnow.csv")
    pd.testing.assert_frame_equal(read_transactions(path).reconciliation, transactions.reconciliation)


def test_writing_leaves_no_unfinished_file(tmp_path):
    write_cdnow(tmp_path / "cdnow.csv")
    assert [file.name for file in tmp_path.iterdir()] == ["cdnow.csv"]


def test_loading_does_not_import_lifetimes(monkeypatch):
    monkeypatch.setitem(sys.modules, "lifetimes", None)  # an import would now fail
    assert len(load_cdnow_sample()) == 6_919
