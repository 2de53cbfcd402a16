"""Activity by day and by month."""

from datetime import date

import pandas as pd
import pytest

from crm_analysis.data.activity import base_by_date, daily_purchases, monthly_activity
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import SettingsError


@pytest.fixture(scope="module")
def log() -> Transactions:
    rows = [
        ("A", "2024-01-30", 10.0),
        ("A", "2024-01-30", 5.0),
        ("A", "2024-02-01", 20.0),
        ("B", "2024-02-01", 7.0),
        ("A", "2024-04-02", 1.0),
    ]
    frame = pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"])
    return read_transactions(frame, as_of="2024-04-03")


def test_repeat_purchases_leave_out_first_purchase_days(log):
    counts = daily_purchases(log)["repeat"]
    assert counts[counts > 0].to_dict() == {pd.Timestamp("2024-02-01"): 1, pd.Timestamp("2024-04-02"): 1}


def test_first_purchases_count_newcomers(log):
    counts = daily_purchases(log)["first"]
    assert counts[counts > 0].to_dict() == {pd.Timestamp("2024-01-30"): 1, pd.Timestamp("2024-02-01"): 1}


def test_every_day_to_the_as_of_date_has_its_count(log):
    expected = pd.date_range("2024-01-30", "2024-04-03")
    assert daily_purchases(log).index.equals(expected)


def test_daily_purchases_can_follow_an_early_cohort_alone(log):
    assert daily_purchases(log, first_by="2024-01-31").sum().to_dict() == {"first": 1, "repeat": 2}


def test_months_without_purchases_are_listed(log):
    assert monthly_activity(log).index.tolist() == ["2024-01", "2024-02", "2024-03", "2024-04"]


def test_a_month_counts_customers_newcomers_orders_and_revenue(log):
    assert monthly_activity(log).loc["2024-02"].to_dict() == {
        "customers": 2,
        "new_customers": 1,
        "orders": 2,
        "revenue": 27.0,
    }


AS_OF = date(2024, 4, 3)


@pytest.mark.parametrize(("days", "active"), [(1, 0), (2, 1), (62, 1), (63, 2)])
def test_active_customers_bought_within_the_last_days(log, days, active):
    assert base_by_date(log, dates=[AS_OF], active_days=days).loc[AS_OF, "active_customers"] == active


def test_the_base_is_counted_as_it_stood_on_each_date(log):
    base = base_by_date(log, dates=[date(2024, 1, 29), date(2024, 1, 30), date(2024, 2, 1), AS_OF], active_days=30)
    assert base["customers"].tolist() == [0, 1, 2, 2]
    assert base["repeat_customers"].tolist() == [0, 0, 1, 1]
    assert base["active_customers"].tolist() == [0, 1, 2, 1]


def test_active_customers_need_a_day_to_look_back(log):
    with pytest.raises(SettingsError, match="look back at least one day"):
        base_by_date(log, dates=[AS_OF], active_days=0)
