"""Contracts given by their dates: what is checked, and how renewals are counted."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.memberships import dated_memberships
from crm_analysis.models.terms import renewals_made

MIXED = pd.DataFrame(
    [
        ("a", "2024-01-15", None, "1 month"), ("b", "2024-01-15", "2024-04-15", "1 month"),
        ("c", "2022-03-01", None, "1 year"), ("d", "2024-06-01", None, "2 weeks"), ("e", "2024-07-01", None, "1 month"),
    ],
    columns=["customer_id", "started_on", "ended_on", "renewal_period"],
)  # fmt: skip


def test_contracts_of_several_lengths_are_counted_each_by_its_own():
    made = renewals_made(dated_memberships(MIXED), pd.Timestamp("2024-06-30"))
    assert made.to_list() == [5, 2, 2, 2, 0]


def test_renewals_made_never_fall_with_time():
    dated = dated_memberships(MIXED)
    made = [renewals_made(dated, day) for day in pd.date_range("2021-12-31", "2025-12-31", freq="ME")]
    assert (np.diff(made, axis=0) >= 0).all()


def test_customers_may_be_the_index():
    assert dated_memberships(MIXED.set_index("customer_id"))["customer_id"].to_list() == list("abcde")


def test_a_table_without_renewal_periods_is_read():
    assert "renewal_period" not in dated_memberships(MIXED.drop(columns="renewal_period"))


def test_all_that_is_wrong_is_refused_at_once():
    wrong = MIXED.assign(
        started_on=["soon", *MIXED["started_on"][1:]],
        ended_on=[None, "2023-01-01", None, "later", None],
        renewal_period=["1 month", "1 month", "now and then", "2 weeks", "1 month"],
    )
    with pytest.raises(DataError) as refused:
        dated_memberships(wrong)
    for rule in (
        "column 'started_on': not a date in 1 row(s)",
        "column 'ended_on': not a date in 1 row(s)",
        "column 'ended_on': before the contract started in 1 row(s)",
        "column 'renewal_period': not a length of time in 1 row(s)",
    ):
        assert rule in str(refused.value)


def test_what_is_no_table_is_refused():
    with pytest.raises(SettingsError, match="memberships must be a DataFrame, not a list"):
        dated_memberships([])
