"""A log that does not fit into the memory of the embedded engine: it is worked through on disk, to the same end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import duckdb
import pandas as pd
import pytest

from crm_analysis.data.customer_table import Histories, customer_table
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import DataError
from crm_analysis.settings import EngineSettings

# A line is 43 bytes in memory: an id of 15 signs behind its 16, a day, an amount. All of them are 64 MB.
LINES = 1_500_000
# Nor would summing up the customers fit.
LOW = "60MB"


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    """Lines of half as many customers, in no order."""
    path = tmp_path_factory.mktemp("log") / "log.parquet"
    duckdb.execute(
        f"""
        COPY (
            SELECT 'customer-' || (line * 7919 % {LINES // 2}) AS customer_id,
                DATE '1997-01-01' + (hash(line) % 500)::INT AS order_date,
                ((hash(line + 1) % 10000) / 100)::DECIMAL(18, 4) AS amount
            FROM range({LINES}) lines(line)
        ) TO '{path}' (FORMAT PARQUET)
        """
    )
    return path


def read(log: Path, spill_folder: Path, memory: str | None, copy_rows: int = 0) -> Transactions:
    limits = EngineSettings(memory=memory, threads=2, copy_rows=copy_rows, spill_folder=str(spill_folder))
    return read_transactions(log, engine=limits)


def histories(log: Transactions) -> Histories:
    return customer_table(log, as_of="1998-06-30").histories()


@contextmanager
def watched(folder: Path) -> Iterator[list[int]]:
    """Bytes of the files in a folder, looked at again and again while something runs."""
    seen, done = [0], Event()

    def look() -> None:
        while not done.wait(0.005):
            for file in folder.rglob("*"):
                try:
                    seen.append(file.stat().st_size if file.is_file() else 0)
                except FileNotFoundError:
                    continue

    looking = Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        done.set()
        looking.join()


@pytest.fixture(scope="module")
def unlimited(log, tmp_path_factory) -> Histories:
    return histories(read(log, tmp_path_factory.mktemp("unused"), memory=None))


def test_a_log_larger_than_memory_is_worked_through_on_disk(log, unlimited, tmp_path):
    limited = read(log, tmp_path, LOW)
    with watched(tmp_path) as sizes:
        found = histories(limited)
    assert max(sizes) > 1_000_000
    pd.testing.assert_frame_equal(found.customers.frame, unlimited.customers.frame)
    pd.testing.assert_series_equal(found.counts, unlimited.counts)


def test_a_log_larger_than_memory_can_be_copied(log, unlimited, tmp_path):
    copied = read(log, tmp_path, LOW, copy_rows=LINES)
    assert copied.is_copied
    pd.testing.assert_series_equal(histories(copied).counts, unlimited.counts)


def test_customers_kept_within_low_memory_have_the_same_histories(log, unlimited, tmp_path):
    kept = customer_table(read(log, tmp_path, LOW), as_of="1998-06-30").keep()
    pd.testing.assert_series_equal(kept.histories().counts, unlimited.counts)


def test_nothing_is_left_on_disk(log, tmp_path):
    limited = read(log, tmp_path, LOW)
    histories(limited)
    limited.table.get_backend().disconnect()
    assert [file for file in tmp_path.rglob("*") if file.is_file()] == []


def test_memory_and_disk_that_are_both_too_small_are_told_with_the_setting_to_change(log, tmp_path):
    limited = read(log, tmp_path, LOW)
    limited.table.get_backend().raw_sql("SET max_temp_directory_size = '1KB'")
    with pytest.raises(DataError, match=r"engine\.memory in crm\.toml, or give engine\.spill_folder"):
        histories(limited)
