"""Cohorts by month and by year: against a plain loop, by property, and on CDNOW."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.cohorts import cohort_counts
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import DataError, SettingsError

START = date(2023, 11, 20)


def log_of(rows: list[tuple[str, date, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"])


@pytest.fixture(scope="module")
def log() -> Transactions:
    return read_transactions(
        log_of([
            ("A", date(2024, 1, 30), 10.0), ("A", date(2024, 1, 30), 5.0), ("A", date(2024, 2, 1), 20.0),
            ("B", date(2024, 2, 1), 7.0), ("C", date(2024, 1, 2), 0.1), ("A", date(2024, 4, 2), 1.0),
            ("D", date(2024, 4, 20), 2.0), ("C", date(2024, 4, 2), 0.2),
        ])
    )  # fmt: skip


def by_loop(rows: list[tuple[str, date, float]], as_of: date, by: str) -> dict[tuple[str, int], tuple]:
    """Day by day and customer by customer."""

    def number(day: date) -> int:
        return day.year * 12 + day.month if by == "month" else day.year

    days: dict[tuple[str, date], Decimal] = {}
    for customer, day, amount in rows:
        if day <= as_of:
            days[customer, day] = days.get((customer, day), Decimal(0)) + Decimal(str(amount))
    cells: dict[tuple[str, int], tuple] = {}
    first = {customer: min(day for who, day in days if who == customer) for customer, _ in days}
    for joined in set(map(number, first.values())):
        members = {customer for customer, day in first.items() if number(day) == joined}
        name = next(day.isoformat()[: 7 if by == "month" else 4] for day in first.values() if number(day) == joined)
        for period in range(number(as_of) - joined + 1):
            bought = [key for key in days if key[0] in members and number(key[1]) == joined + period]
            spend = float(sum((days[key] for key in bought), Decimal(0)))
            cells[name, period] = (len(members), len({who for who, _ in bought}), len(bought), spend)
    return cells


def cells_of(frame: pd.DataFrame) -> dict[tuple[str, int], tuple]:
    return {cell: tuple(row) for cell, *row in frame[["customers", "active", "purchases", "spend"]].itertuples()}


days = st.integers(0, 500).map(lambda gap: START + timedelta(days=gap))
lines = st.tuples(st.sampled_from("abcdé"), days, st.integers(0, 999).map(lambda cents: cents / 100))


@settings(max_examples=25)
@given(rows=st.lists(lines, min_size=1, max_size=15), as_of=days, by=st.sampled_from(["month", "year"]))
def test_cohorts_are_those_of_a_plain_loop(rows, as_of, by):
    first = min(day for _, day, _ in rows)
    as_of = max(as_of, first)
    assert cells_of(cohort_counts(log_of(rows), as_of=as_of, by=by)) == by_loop(rows, as_of, by)


def test_a_cohort_is_of_the_month_of_the_first_purchase(log):
    sizes = cohort_counts(log, as_of="2024-04-30")["customers"].groupby("cohort").first()
    assert sizes.to_dict() == {"2024-01": 2, "2024-02": 1, "2024-04": 1}


def test_what_is_bought_on_one_day_is_one_purchase(log):
    assert cohort_counts(log, as_of="2024-04-30").loc[("2024-01", 0), "purchases"] == 2


def test_a_month_without_purchases_is_a_row_of_zeros(log):
    empty = cohort_counts(log, as_of="2024-04-30").loc[("2024-01", 2), ["active", "purchases", "spend"]]
    assert empty.to_list() == [0, 0, 0.0]


def test_months_to_come_have_no_row(log):
    periods = cohort_counts(log, as_of="2024-04-30").reset_index("period")["period"].groupby("cohort").max()
    assert periods.to_dict() == {"2024-01": 3, "2024-02": 2, "2024-04": 0}


def test_a_month_in_which_nobody_joined_is_no_cohort(log):
    assert "2024-03" not in cohort_counts(log, as_of="2024-04-30").index.get_level_values("cohort")


@pytest.mark.parametrize(
    ("as_of", "by", "partial"),
    [
        ("2024-04-30", "month", []),
        ("2024-04-29", "month", [("2024-01", 3), ("2024-02", 2), ("2024-04", 0)]),
        ("2024-02-28", "month", [("2024-01", 1), ("2024-02", 0)]),  # 2024 is a leap year
        ("2024-12-30", "year", [("2024", 0)]),
        ("2024-12-31", "year", []),
    ],
)
def test_a_period_that_is_not_over_is_partial(log, as_of, by, partial):
    marked = cohort_counts(log, as_of=as_of, by=by)["is_partial"]
    assert marked[marked].index.to_list() == partial


def test_a_refund_that_came_later_is_not_seen():
    rows = [("A", date(2024, 1, 30), 10.0), ("A", date(2024, 3, 1), -10.0), ("B", date(2024, 1, 1), 1.0)]
    before, after = (cohort_counts(log_of(rows), as_of=day)["spend"].sum() for day in ("2024-02-29", "2024-03-01"))
    assert (before, after) == (11.0, 1.0)


def test_sums_of_money_have_no_noise(log):
    assert cohort_counts(log, as_of="2024-12-31", by="year").loc[("2024", 0), "spend"] == 45.3


def test_everyone_of_cdnow_joins_in_the_first_quarter_of_1997(cdnow):
    sizes = cohort_counts(cdnow, as_of="1998-06-30")["customers"].groupby("cohort").first()
    assert sizes.index.to_list() == ["1997-01", "1997-02", "1997-03"]
    assert sizes.sum() == 23_570


def test_cohorts_of_cdnow_hold_all_money_of_the_log(cdnow):
    used = float(cdnow.reconciliation["money"].iloc[0])
    assert cohort_counts(cdnow, as_of="1998-06-30")["spend"].sum() == pytest.approx(used, rel=1e-12)


def test_another_calendar_is_refused(log):
    with pytest.raises(SettingsError, match="by is 'week'; use 'month' or 'year'"):
        cohort_counts(log, as_of="2024-04-30", by="week")


def test_a_log_in_which_nobody_has_bought_yet_is_refused(log):
    with pytest.raises(DataError, match="nobody has bought by 2023-12-31"):
        cohort_counts(log, as_of="2023-12-31")
