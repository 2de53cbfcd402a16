"""What customers bought in a stretch of time."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import SettingsError


def log_of(*rows: tuple, columns: tuple[str, ...] = ("customer_id", "order_date", "amount")) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(columns))


def test_a_stretch_begins_after_its_first_day_and_ends_with_its_last():
    log = log_of(("A", "2024-01-31", 1.0), ("A", "2024-02-01", 2.0), ("A", "2024-02-29", 4.0), ("A", "2024-03-01", 8.0))
    assert purchases_between(log, after="2024-01-31", until="2024-02-29").loc["A", "spend"] == 6.0


def test_what_is_bought_on_one_day_is_one_purchase():
    log = log_of(("A", "2024-02-01", 2.0), ("A", "2024-02-01", 3.0), ("A", "2024-02-02", 0.0))
    assert purchases_between(log, after="2024-01-31", until="2024-02-29").loc["A", "purchases"] == 2


def test_who_bought_nothing_is_absent():
    log = log_of(("A", "2024-02-01", 2.0), ("B", "2024-03-01", 2.0))
    assert purchases_between(log, after="2024-01-31", until="2024-02-29").index.to_list() == ["A"]


def test_without_margins_or_costs_the_margin_is_missing():
    bought = purchases_between(log_of(("A", "2024-02-01", 2.0)), after="2024-01-31", until="2024-02-29")
    assert np.isnan(bought.loc["A", "margin"])


def test_the_margin_is_that_of_the_log_else_amount_less_cost():
    log = log_of(
        ("A", "2024-02-01", 10.0, 7.0, 4.0), ("A", "2024-02-02", 10.0, 7.0, None),
        ("B", "2024-02-02", 10.0, None, None),
        columns=("customer_id", "order_date", "amount", "cost", "margin"),
    )  # fmt: skip
    margin = purchases_between(log, after="2024-01-31", until="2024-02-29")["margin"]
    np.testing.assert_array_equal(margin, [7.0, np.nan])


def test_stretches_side_by_side_hold_all_money(cdnow):
    halves = [
        purchases_between(cdnow, after=after, until=until)["spend"].sum()
        for after, until in (("1996-12-31", "1997-09-30"), ("1997-09-30", "1998-06-30"))
    ]
    assert sum(halves) == pytest.approx(float(cdnow.reconciliation["money"].iloc[0]), rel=1e-12)


def test_a_stretch_beyond_the_cut_of_the_log_is_refused():
    cut = read_transactions(log_of(("A", "2024-02-01", 2.0)), as_of="2024-02-20")
    with pytest.raises(SettingsError, match="was cut at 2024-02-20 and cannot show 2024-02-29"):
        purchases_between(cut, after="2024-01-31", until="2024-02-29")


def test_days_that_are_not_in_order_are_refused():
    with pytest.raises(SettingsError, match="after is 2024-02-29 and until is 2024-02-29"):
        purchases_between(log_of(("A", "2024-02-01", 2.0)), after="2024-02-29", until="2024-02-29")
