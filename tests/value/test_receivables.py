"""What customers owe and may never pay."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.value.receivables import AGE_CLASSES, ASSUMED_LOSS_RATES, receivable_loss

OWED = pd.DataFrame(
    [
        ("a", 100.0, "2024-07-15", "credit"), ("b", 200.0, "2024-06-30", "credit"), ("c", 50.0, "2024-06-29", "credit"),
        ("d", 10.0, "2023-01-01", "cash"), ("e", 40.0, None, "credit"), ("f", None, "2024-05-01", "credit"),
        ("g", 30.0, "2024-05-01", None), ("h", 0.0, None, "prepaid"), ("i", -25.0, "2024-01-01", "credit"),
    ],
    columns=["customer_id", "receivable_amount", "receivable_due", "settlement"],
).set_index("customer_id")  # fmt: skip
RATES = dict(zip(AGE_CLASSES, [0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], strict=True))


@pytest.fixture(scope="module")
def loss():
    return receivable_loss(OWED, as_of="2024-06-30", loss_rates=RATES, source="ten years of our own")


def test_the_expected_loss_is_as_worked_by_hand(loss):
    assert loss.expected_loss == pytest.approx(0.1 * 50 + 0.6 * 10 + 0.2 * 30)


def test_what_is_due_today_is_not_overdue(loss):
    assert loss.by_class.loc[("credit", "not due"), "owed"] == 300


@pytest.mark.parametrize(
    ("due", "age"),
    [("2024-06-29", "1-30"), ("2024-05-31", "1-30"), ("2024-05-30", "31-60"), ("2023-07-01", "181-365"),
     ("2023-06-30", "366+")],
)  # fmt: skip
def test_classes_begin_on_their_first_day(due, age):
    one = pd.DataFrame({"receivable_amount": [1.0], "receivable_due": [due], "settlement": ["credit"]})
    assert receivable_loss(one, as_of="2024-06-30").by_class.index.to_list() == [("credit", age)]


def test_money_of_unknown_age_has_no_expected_loss(loss):
    assert np.isnan(loss.by_class.loc[("credit", "unknown"), "expected_loss"])
    assert loss.owed_of_unknown_age == 40


def test_an_amount_that_is_not_known_is_in_no_total(loss):
    assert loss.customers_without_amount == 1
    assert loss.owed == 100 + 200 + 50 + 10 + 40 + 30


def test_the_classes_hold_all_that_is_owed(loss):
    assert loss.by_class["owed"].sum() == loss.owed


def test_without_a_known_age_the_loss_is_missing_not_zero():
    unknown = OWED.assign(receivable_due=None)
    assert np.isnan(receivable_loss(unknown, as_of="2024-06-30").expected_loss)


def test_rates_nobody_gave_are_called_an_assumption():
    found = receivable_loss(OWED, as_of="2024-06-30")
    assert found.source.startswith("An assumption")
    assert found.by_class.loc[("cash", "366+"), "loss_rate"] == ASSUMED_LOSS_RATES["366+"]


def test_given_rates_name_their_source(loss):
    assert loss.source == "ten years of our own"


def test_rates_may_differ_by_settlement():
    known = OWED.dropna(subset="settlement")
    rates = {"credit": RATES, "cash": {**RATES, "366+": 1.0}, "prepaid": RATES}
    table = receivable_loss(known, as_of="2024-06-30", loss_rates=rates).by_class
    assert table.loc[("cash", "366+"), "expected_loss"] == 10


def test_the_order_of_the_rows_does_not_matter(loss):
    again = receivable_loss(OWED.iloc[::-1], as_of="2024-06-30", loss_rates=RATES)
    pd.testing.assert_frame_equal(again.by_class, loss.by_class)


@pytest.mark.parametrize(
    "rates", [{"not due": 0.1}, {**RATES, "366+": 2.0}, {**RATES, "never": 1.0}, {"credit": {"1-30": 0.1}}]
)
def test_rates_that_are_not_whole_are_refused(rates):
    with pytest.raises(SettingsError, match="loss_rates"):
        receivable_loss(OWED, as_of="2024-06-30", loss_rates=rates)


def test_what_cannot_be_read_is_refused_all_at_once():
    wrong = OWED.astype(object).assign(receivable_amount="much", receivable_due="soon")
    with pytest.raises(DataError) as refused:
        receivable_loss(wrong, as_of="2024-06-30")
    assert "column 'receivable_amount': not an amount in 9 row(s)" in str(refused.value)
    assert "column 'receivable_due': not a date in 9 row(s)" in str(refused.value)
