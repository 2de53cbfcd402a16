"""A log in deliveries: what is new is read, and everything comes out as from one file with all rows."""

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from crm_analysis import load_cdnow_sample
from crm_analysis.data.company_log import open_transactions, parts_of_log
from crm_analysis.data.customer_table import CustomerTable, customer_table
from crm_analysis.data.deliveries import STATE
from crm_analysis.data.sources import Transactions, read_deliveries, read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import DoorRules, EngineSettings, load_settings

START = date(2024, 1, 1)
RATE = 0.1
# What is carried is rounded to so many decimals purchase by purchase before it grows.
CARRIED = {"spend_carried": 1e-3, "orders_carried": 1e-8}
MONTHS = [date(1997, month, 1) - timedelta(days=1) for month in range(2, 11)]


@pytest.fixture
def folder(tmp_path) -> Path:
    (tmp_path / "delivered").mkdir()
    return tmp_path / "delivered"


def deliver(folder: Path, name: str, frame: pd.DataFrame) -> None:
    frame.to_csv(folder / name, index=False)


def read(folder: Path, **changed) -> Transactions:
    options = {"engine": EngineSettings(copy_rows=0)} | changed
    return read_deliveries(folder, folder.parent / "kept", **options)


def customers_of(log: Transactions, as_of: date) -> CustomerTable:
    return customer_table(log, as_of=as_of, annual_discount_rate=RATE)


def assert_same_customers(kept: CustomerTable, whole: Transactions, as_of: date) -> None:
    found, expected = kept.summary().frame, customers_of(whole, as_of).summary().frame
    exact = [name for name in expected.columns if name not in CARRIED]
    pd.testing.assert_frame_equal(found[exact], expected[exact])
    for name, tolerance in CARRIED.items():
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-9, atol=tolerance)


def assert_same_log(deliveries: Transactions, whole: Transactions) -> None:
    pd.testing.assert_frame_equal(deliveries.reconciliation, whole.reconciliation)
    pd.testing.assert_frame_equal(deliveries.counters, whole.counters)
    columns = sorted(whole.table.columns)
    lines = [log.table.select(columns).to_pandas() for log in (deliveries, whole)]
    lines = [frame.sort_values(columns, ignore_index=True) for frame in lines]
    pd.testing.assert_frame_equal(*lines, check_dtype=False)


# ---- a log that goes wrong in many ways, in any order ------------------------------------------------

LINES = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]),
        st.integers(0, 120),
        st.sampled_from(["10", "10", "20.5", "-10", "0"]),
        st.sampled_from(["o1", "o2", None]),
    ),
    min_size=1,
    max_size=14,
)


def as_frame(lines) -> pd.DataFrame:
    frame = pd.DataFrame(lines, columns=["customer_id", "day", "amount", "order_id"])
    days = [START + timedelta(days=day) for day in frame.pop("day")]
    return frame.assign(order_date=days)


@settings(max_examples=4, phases=[Phase.explicit, Phase.generate])
@given(
    deliveries=st.lists(LINES, min_size=2, max_size=3),
    corrected=st.none() | LINES,
    key=st.sampled_from([(), ("order_id",)]),
    copy_rows=st.sampled_from([0, 1000]),
)
def test_any_log_in_any_deliveries_is_the_log_in_one_file(tmp_path_factory, deliveries, corrected, key, copy_rows):
    folder = tmp_path_factory.mktemp("log") / "delivered"
    folder.mkdir()
    options = {"rules": DoorRules(order_line_key=key), "engine": EngineSettings(copy_rows=copy_rows)}
    parts: dict[str, pd.DataFrame] = {}
    for number, lines in enumerate(deliveries):
        # The number keeps two deliveries with the same rows from being the same file.
        parts[f"{number}.csv"] = as_frame(lines).assign(delivery=number // 2)
        if corrected is not None and number == len(deliveries) - 1:
            parts["0.csv"] = as_frame(corrected).assign(delivery=0)
        for name, frame in parts.items():
            deliver(folder, name, frame.assign(**{f"only_in_{name}": ""}) if name == "1.csv" else frame)
        whole_frame = pd.concat(parts.values(), ignore_index=True)
        whole = read_transactions(
            whole_frame.astype(object).where(whole_frame.notna(), None),
            **{name: value for name, value in options.items() if name == "rules"},
        )
        delivered = read(folder, **options)
        assert_same_log(delivered, whole)
        as_of = START + timedelta(days=40 * (number + 1))
        if whole.until(as_of).first_date is not None:
            assert_same_customers(customers_of(delivered, as_of).keep(), whole, as_of)


# ---- a shop month by month ---------------------------------------------------------------------------


def month_of(log: pd.DataFrame, last: date) -> pd.DataFrame:
    days = pd.to_datetime(log["order_date"]).dt.date
    first = last.replace(day=1)
    return log[(days >= first) & (days <= last)]


def test_a_shop_summed_up_month_by_month_is_the_shop_summed_up_at_once(folder):
    log = load_cdnow_sample()
    for last in MONTHS:
        deliver(folder, f"{last:%Y-%m}.csv", month_of(log, last))
        kept = customers_of(read(folder), last).keep()
    days = pd.to_datetime(log["order_date"]).dt.date
    assert_same_customers(kept, read_transactions(log[days <= MONTHS[-1]]), MONTHS[-1])


def test_only_customers_whom_new_lines_concern_are_summed_up_again(folder, monkeypatch):
    log, (first, second) = load_cdnow_sample(), MONTHS[5:7]
    days = pd.to_datetime(log["order_date"]).dt.date
    deliver(folder, "before.csv", log[days <= first])
    deliver(folder, "month.csv", month_of(log, second))
    customers_of(read(folder), first).keep()
    again: list[set[str]] = []
    sum_up = CustomerTable._sum_up

    def watched(self, lines):
        again.append(set(lines.customer_id.to_pandas()))
        return sum_up(self, lines)

    monkeypatch.setattr(CustomerTable, "_sum_up", watched)
    customers_of(read(folder), second).keep()
    assert again == [set(month_of(log, second)["customer_id"])]
    assert len(again[0]) < log["customer_id"].nunique() / 5


def test_a_summary_that_is_kept_folds_in_what_is_new(folder, monkeypatch):
    log, (first, second) = load_cdnow_sample(), MONTHS[5:7]
    how = {"annual_discount_rate": RATE, "gaps": True}
    days = pd.to_datetime(log["order_date"]).dt.date
    deliver(folder, "before.csv", log[days <= first])
    summarize_customers(read(folder), as_of=first, kept=True, **how)
    deliver(folder, "month.csv", month_of(log, second))
    monkeypatch.setattr(CustomerTable, "_from_scratch", lambda *_: pytest.fail("everybody was summed up again"))
    found = summarize_customers(read(folder), as_of=second, kept=True, **how).frame
    expected = summarize_customers(read_transactions(log), as_of=second, **how).frame
    pd.testing.assert_frame_equal(found, expected, rtol=1e-9, atol=max(CARRIED.values()))


def test_sums_are_made_anew_for_another_rate_and_for_an_earlier_date(folder):
    log = load_cdnow_sample()
    deliver(folder, "all.csv", log)
    customers_of(read(folder), MONTHS[-1]).keep()
    other = customer_table(read(folder), as_of=MONTHS[-1], annual_discount_rate=0.2).keep().summary().frame
    expected = customer_table(read_transactions(log), as_of=MONTHS[-1], annual_discount_rate=0.2).summary().frame
    pd.testing.assert_frame_equal(other, expected)
    assert_same_customers(customers_of(read(folder), MONTHS[2]).keep(), read_transactions(log), MONTHS[2])


def test_customers_in_hand_stay_what_they_are_when_the_next_month_is_folded_in(folder):
    log = load_cdnow_sample()
    deliver(folder, "all.csv", log)
    earlier = customers_of(read(folder), MONTHS[2]).keep()
    before = earlier.summary().frame
    customers_of(read(folder), MONTHS[3]).keep()
    pd.testing.assert_frame_equal(earlier.summary().frame, before)


# ---- what is read --------------------------------------------------------------------------------------

JUNE = pd.DataFrame({"customer_id": ["a", "b"], "order_date": ["2024-06-01", "2024-06-02"], "amount": ["1", "2"]})
JULY = pd.DataFrame({"customer_id": ["a"], "order_date": ["2024-07-01"], "amount": ["4"]})


def test_a_delivery_is_checked_once(folder):
    told: list[str] = []
    deliver(folder, "june.csv", JUNE)
    read(folder, progress=told.append)
    deliver(folder, "july.csv", JULY)
    read(folder, progress=told.append)
    read(folder, progress=told.append)
    assert told == ["Checking june.csv, 1 of 1", "Checking july.csv, 1 of 1"]


def test_a_corrected_delivery_is_checked_again_and_replaces_what_it_said(folder):
    deliver(folder, "june.csv", JUNE)
    deliver(folder, "july.csv", JULY)
    read(folder)
    told: list[str] = []
    deliver(folder, "june.csv", JUNE.assign(amount=["1", "3"]))
    corrected = read(folder, progress=told.append)
    assert told == ["Checking june.csv, 1 of 1"]
    assert corrected.reconciliation["money"].iloc[0] == 8


def test_a_delivery_that_is_gone_is_no_longer_part_of_the_log(folder):
    deliver(folder, "june.csv", JUNE)
    deliver(folder, "july.csv", JULY)
    read(folder)
    (folder / "june.csv").unlink()
    assert read(folder).log.rows == 1


def test_with_other_settings_everything_is_checked_again(folder):
    deliver(folder, "june.csv", JUNE)
    read(folder)
    told: list[str] = []
    read(folder, rules=DoorRules(zero_amount="set_aside"), progress=told.append)
    assert told == ["Checking june.csv, 1 of 1"]


def test_csv_and_parquet_in_folders_of_folders_are_one_log(folder):
    (folder / "2024").mkdir()
    deliver(folder, "2024/june.csv", JUNE)
    JULY.to_parquet(folder / "july.parquet", index=False)
    assert read(folder).log.rows == 3


def test_what_is_wrong_in_any_delivery_is_told_at_once_and_what_was_kept_stands(folder):
    deliver(folder, "june.csv", JUNE)
    read(folder)
    before = (folder.parent / "kept" / STATE).read_text()
    deliver(folder, "july.csv", JULY.assign(amount=["four"]))
    deliver(folder, "august.csv", JULY.assign(order_date=["2024-13-01"]))
    with pytest.raises(DataError) as refused:
        read(folder)
    assert "july.csv" in str(refused.value) and "not a number" in str(refused.value)
    assert "august.csv" in str(refused.value) and "the date is impossible" in str(refused.value)
    assert (folder.parent / "kept" / STATE).read_text() == before


def test_the_same_file_delivered_twice_is_refused(folder):
    deliver(folder, "june.csv", JUNE)
    deliver(folder, "june-again.csv", JUNE)
    with pytest.raises(DataError, match=r"delivered twice: june-again\.csv and june\.csv"):
        read(folder)


def test_a_folder_without_a_delivery_is_refused(folder):
    with pytest.raises(DataError, match="the folder holds no delivery"):
        read(folder)


def test_a_store_that_cannot_be_read_is_made_anew(folder):
    deliver(folder, "june.csv", JUNE)
    read(folder)
    (folder.parent / "kept" / STATE).write_text("{")
    assert read(folder).log.rows == 2


def test_nothing_is_kept_that_the_log_no_longer_holds(folder):
    deliver(folder, "june.csv", JUNE)
    customers_of(read(folder), date(2024, 7, 31)).keep()
    deliver(folder, "june.csv", JUNE.assign(amount=["1", "3"]))
    customers_of(read(folder), date(2024, 7, 31)).keep()
    kept = folder.parent / "kept"
    assert len(list(kept.glob("*.parquet"))) == 2
    [delivery] = json.loads((kept / STATE).read_text())["deliveries"]
    assert (kept / f"{delivery['digest']}.parquet").is_file()


# ---- by the settings of a company ----------------------------------------------------------------------


@pytest.fixture
def company(folder):
    deliver(folder, "june.csv", JUNE.assign(region=["north", "south"]))
    deliver(folder, "july.csv", JULY.assign(region="north"))
    file = folder.parent / "crm.toml"
    file.write_text('[sources.transactions]\npath = "delivered"\ndeliveries = true\n[company]\nname = "Shop"\n')
    return load_settings(file)


def test_a_company_whose_log_comes_in_deliveries_reads_it_as_one(company):
    assert open_transactions(company).log.rows == 3
    assert (company.path(company.report.processed) / "deliveries" / STATE).is_file()


def test_a_part_of_such_a_company_is_found_in_whichever_delivery_it_is(company):
    assert [(part.value, part.rows, int(part.money)) for part in parts_of_log(company, "region")] == [
        ("north", 2, 5),
        ("south", 1, 2),
    ]
    south = company.model_copy(deep=True)
    south.sources.transactions.only["region"] = "south"
    assert open_transactions(south).log.rows == 1


def test_deliveries_without_a_folder_are_refused(tmp_path):
    file = tmp_path / "crm.toml"
    file.write_text('[sources.transactions]\nconnection = "duckdb://"\ntable = "t"\ndeliveries = true\n')
    with pytest.raises(SettingsError, match="deliveries come in a folder"):
        load_settings(file)
