"""Whom it pays to win back."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.gamma_gamma import GammaGammaFit, GammaGammaParams
from crm_analysis.value.lifetime_value import lifetime_value
from crm_analysis.value.win_back import comeback_rates, value_if_back, win_backs

SPEND = GammaGammaFit.from_params(GammaGammaParams(6.25, 3.74, 15.44), time_unit="")
TERMS = {"horizon": "1 year", "annual_discount_rate": 0.1, "margin": 0.3}
PAST = pd.DataFrame(
    {
        "frequency": [6, 2, 0, 6],
        "recency": [20.0, 10.0, 0.0, 51.0],
        "T": [52.0, 52.0, 52.0, 52.0],
        "monetary_value": [40.0, 90.0, np.nan, 40.0],
    },
    index=pd.Index(["lapsed", "rare", "once", "active"], name="customer_id"),
)
LOG = pd.DataFrame(
    [("A", "2024-01-01", 1.0), ("A", "2024-05-20", 1.0), ("B", "2024-01-10", 1.0), ("C", "2024-03-25", 1.0),
     ("C", "2024-05-31", 1.0), ("D", "2024-05-01", 1.0), ("E", "2024-01-01", 1.0), ("E", "2024-06-02", 1.0)],
    columns=["customer_id", "order_date", "amount"],
)  # fmt: skip


@pytest.fixture
def values(every_fit):
    return lifetime_value(every_fit, SPEND, CustomerSummary(PAST, "week", date(2024, 6, 30)), **TERMS)


def listed(values, **changes):
    return win_backs(
        values, **{"cost": 0.01, "chance": 0.2, "chance_source": "a test of May", "silent_days": 90, **changes}
    )


def test_a_returned_customer_is_worth_what_one_is_with_one_purchase_more_just_made(values):
    again = PAST.assign(frequency=PAST["frequency"] + 1, recency=PAST["T"], monetary_count=PAST["frequency"])
    back = lifetime_value(values.fits.purchases, SPEND, CustomerSummary(again, "week", date(2024, 6, 30)), **TERMS)
    per_purchase = values.frame["expected_spend"] * 0.3
    expected = back.frame["discounted_purchases"] * per_purchase
    pd.testing.assert_series_equal(value_if_back(values), expected, check_names=False)


def test_the_gain_is_the_chance_times_what_a_return_adds_less_the_cost(values):
    row = listed(values, cost=0.5).loc["lapsed"]
    by_hand = 0.2 * (row["value_if_back"] - row["residual_value"]) - 0.5
    assert row["expected_gain"] == pytest.approx(by_hand)


def test_who_bought_lately_is_not_lost(values):
    assert "active" not in listed(values).index


def test_nobody_is_won_back_at_a_loss(values):
    assert listed(values, cost=1e6).empty


def test_the_source_of_the_chance_is_kept(values):
    assert listed(values).attrs["chance_source"] == "a test of May"


def test_a_chance_may_differ_from_customer_to_customer(values):
    table = listed(values, chance=pd.Series({"lapsed": 0.5, "rare": 0.1}))
    assert table["chance"].to_dict() == {"lapsed": 0.5, "rare": 0.1}


def test_comebacks_are_counted_by_silence():
    # As of 2 April: A has been silent for 92 days, B for 83, E for 92, C for 8; D had not bought.
    frame = comeback_rates(LOG, as_of="2024-06-01", silent_days=[60, 90], within_days=60).frame
    assert frame[["customers", "came_back"]].to_numpy().tolist() == [[1, 0], [2, 1]]


def test_the_share_of_a_class_goes_to_customers_as_silent():
    rates = comeback_rates(LOG, as_of="2024-06-01", silent_days=[60, 90], within_days=60)
    shares = rates.of(pd.Series([10, 60, 89, 90, 400]))
    np.testing.assert_array_equal(shares, [np.nan, 0.0, 0.0, 0.5, 0.5])


def test_a_class_without_customers_has_no_share():
    frame = comeback_rates(LOG, as_of="2024-06-01", silent_days=[60, 500], within_days=60).frame
    assert frame.loc[500, ["share", "lower", "upper"]].isna().all()


def test_the_longer_customers_of_cdnow_are_silent_the_fewer_come_back(cdnow):
    rates = comeback_rates(cdnow, as_of="1998-06-30", silent_days=[30, 90, 180, 270], within_days=180)
    assert rates.frame["share"].is_monotonic_decreasing
    assert rates.frame["customers"].sum() > 15_000


def test_learnt_rates_name_their_source(cdnow_fits, sample_log):
    customers = summarize_customers(sample_log, as_of="1998-06-30")
    values = lifetime_value(cdnow_fits["BG/NBD"], SPEND, customers, **TERMS)
    rates = comeback_rates(sample_log, as_of="1998-06-30", silent_days=[180, 365], within_days=180)
    table = win_backs(values, cost=0.05, chance=rates, silent_days=180)
    assert table.attrs["chance_source"].endswith("who bought within 180 days, asked or not.")
    assert table["expected_gain"].is_monotonic_decreasing


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"cost": -1}, "cost is -1"),
        ({"chance": 1.5}, "probabilities from 0 to 1"),
        ({"chance_source": None}, "name where the chance comes from"),
        ({"silent_days": -1}, "silent_days is -1"),
    ],
)
def test_settings_that_cannot_be_are_refused(values, wrong, told):
    with pytest.raises(SettingsError, match=told):
        listed(values, **wrong)


def test_classes_of_silence_must_rise():
    with pytest.raises(SettingsError, match="give days that rise"):
        comeback_rates(LOG, as_of="2024-06-01", silent_days=[90, 60], within_days=60)
