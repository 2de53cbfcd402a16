"""`CustomerSummary` checks what a model will rely on."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.errors import DataError, SettingsError


def frame(**columns: list) -> pd.DataFrame:
    good = {"frequency": [2, 0], "recency": [30.0, 0.0], "T": [40.0, 20.0], "monetary_value": [12.5, np.nan]}
    return pd.DataFrame(good | columns, index=["C001", "C002"])


def test_the_frame_is_copied():
    source = frame()
    customers = CustomerSummary(source, "week")
    source.loc["C001", "frequency"] = 99
    assert customers.frame.loc["C001", "frequency"] == 2


def test_the_source_frame_stays_as_it_was():
    source = frame(monetary_value=[12.5, 0.0])
    CustomerSummary(source, "week")
    pd.testing.assert_frame_equal(source, frame(monetary_value=[12.5, 0.0]))


def test_a_column_customer_id_becomes_the_index():
    source = frame().rename_axis("customer_id").reset_index()
    assert CustomerSummary(source, "week").frame.index.tolist() == ["C001", "C002"]


def test_spend_of_zero_without_repeat_purchase_is_read_as_missing():
    customers = CustomerSummary(frame(monetary_value=[12.5, 0.0]), "week")
    assert customers.frame["monetary_value"].isna().tolist() == [False, True]


def test_other_columns_are_kept():
    assert CustomerSummary(frame(region=["N", "S"]), "week").frame["region"].tolist() == ["N", "S"]


def test_its_length_is_the_number_of_customers():
    assert len(CustomerSummary(frame(), "week")) == 2


def test_monetary_count_is_its_column_where_there_is_one():
    assert CustomerSummary(frame(monetary_count=[1, 0]), "week").monetary_count.tolist() == [1, 0]


def test_monetary_count_falls_back_on_frequency():
    assert CustomerSummary(frame(), "week").monetary_count.tolist() == [2, 0]


def test_monetary_count_is_zero_without_spend():
    assert CustomerSummary(frame().drop(columns="monetary_value"), "week").monetary_count.tolist() == [0, 0]


@pytest.mark.parametrize("counts", [[-3, 0], [0.5, 0], [99, 0], [0, 0], [1, 1], [float("nan"), 0]])
def test_a_count_of_paid_purchases_that_cannot_be_is_refused(counts):
    """At least one behind a mean, none more than there are repeat purchases, and whole."""
    with pytest.raises(DataError, match="monetary_count is not a count"):
        CustomerSummary(frame(monetary_count=counts), "week")


def test_a_count_of_paid_purchases_in_words_is_refused():
    with pytest.raises(DataError, match="column 'monetary_count': not a number"):
        CustomerSummary(frame(monetary_count=["one", "none"]), "week")


def test_recency_may_exceed_T_by_rounding():
    assert len(CustomerSummary(frame(recency=[40.0 + 1e-12, 0.0]), "week")) == 2


@pytest.mark.parametrize(
    ("broken", "rule"),
    [
        pytest.param({"T": [20.0, 20.0]}, "recency is greater than T", id="recency-after-T"),
        pytest.param({"frequency": [2.5, 0]}, "frequency is not a whole number", id="fraction"),
        pytest.param({"frequency": [-1, 0]}, "frequency is not a whole number", id="negative-frequency"),
        pytest.param({"recency": [-1.0, 0.0]}, "recency is negative", id="negative-recency"),
        pytest.param({"recency": [30.0, 3.0]}, "recency is not 0 although frequency is", id="recency-of-one-purchase"),
        pytest.param({"T": [np.nan, 20.0]}, "frequency, recency or T is missing", id="missing"),
        pytest.param({"T": [np.inf, 20.0]}, "frequency, recency or T is missing", id="infinite"),
        pytest.param({"monetary_value": [0.0, np.nan]}, "monetary_value is not positive", id="free-repeats"),
        pytest.param({"monetary_value": [-3.0, np.nan]}, "monetary_value is not positive", id="negative-spend"),
        pytest.param({"recency": ["soon", 0.0]}, "not a number", id="text"),
    ],
)
def test_a_broken_row_is_refused_by_its_rule(broken, rule):
    with pytest.raises(DataError, match=f"{rule}.* in 1 row"):
        CustomerSummary(frame(**broken), "week")


def test_customers_that_occur_twice_are_refused():
    with pytest.raises(DataError, match=r"customer_id is not unique in 2 row\(s\)"):
        CustomerSummary(frame().set_axis(["C001", "C001"]), "week")


def test_all_broken_rules_are_reported_at_once():
    with pytest.raises(DataError) as error:
        CustomerSummary(frame(frequency=[2.5, 0], T=[20.0, 20.0]), "week")
    assert str(error.value).count("To fix: ") == 2


def test_the_message_shows_the_rows_and_the_fix():
    with pytest.raises(DataError) as error:
        CustomerSummary(frame(T=[20.0, 20.0]), "week")
    assert str(error.value) == (
        "customer summary: recency is greater than T in 1 row(s).\n"
        "      recency     T\n"
        "C001     30.0  20.0\n"
        "To fix: check that as_of is not before the last purchase."
    )


def test_missing_columns_are_named_together():
    with pytest.raises(DataError) as error:
        CustomerSummary(frame().drop(columns=["recency", "T"]), "week")
    assert "column 'recency'" in str(error.value) and "column 'T'" in str(error.value)


@pytest.mark.parametrize(
    "options", [{"time_unit": "fortnight"}, {"time_unit": "week", "annual_discount_rate": -2.0}, {"as_of": "June"}]
)
def test_a_wrong_parameter_is_a_settings_error(options):
    with pytest.raises(SettingsError):
        CustomerSummary(frame(), **{"time_unit": "week"} | options)


def test_the_as_of_date_is_a_date():
    assert CustomerSummary(frame(), "week", "1998-06-30").as_of == date(1998, 6, 30)
