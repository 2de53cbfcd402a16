"""What a customer is worth: the sum of its parts, in the right units."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit, GammaGammaParams
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value

PURCHASES = BGNBDFit.from_params(BGNBDParams(0.243, 4.414, 0.793, 2.426), time_unit="week")
SPEND = GammaGammaFit.from_params(GammaGammaParams(6.25, 3.74, 15.44), time_unit="")
TERMS = {"horizon": "24 months", "annual_discount_rate": 0.10, "margin": 0.30}


@pytest.fixture
def customers() -> CustomerSummary:
    """Three customers: a frequent buyer, a silent one, a one-time buyer; with a purchase history to carry."""
    frame = pd.DataFrame(
        {
            "frequency": [5, 5, 0],
            "recency": [50.0, 10.0, 0.0],
            "T": [52.0, 52.0, 52.0],
            "monetary_value": [40.0, 40.0, np.nan],
            "total_spend": [240.0, 240.0, 30.0],
            "spend_carried": [250.0, 258.0, 33.0],
            "orders_carried": [6.2, 6.4, 1.1],
        },
        index=pd.Index(["frequent", "silent", "once"], name="customer_id"),
    )
    return CustomerSummary(frame, "week", date(1998, 6, 30), 0.10)


def value(customers: CustomerSummary, **changes: object) -> CustomerValues:
    return lifetime_value(PURCHASES, SPEND, customers, **{**TERMS, **changes})


def test_residual_value_is_discounted_purchases_times_margin_on_spend(customers):
    frame = value(customers).frame
    expected = 0.30 * frame["discounted_purchases"] * frame["expected_spend"]
    pd.testing.assert_series_equal(frame["residual_value"], expected, check_names=False)


def test_the_annual_rate_is_converted_once_to_the_time_unit(customers):
    assumptions = value(customers).assumptions
    assert assumptions.continuous_rate == pytest.approx(np.log(1.10) / (365.25 / 7))


def test_a_horizon_in_months_follows_the_calendar(customers):
    assert value(customers).assumptions.horizon_in_units == pytest.approx(731 / 7)  # 30 June 1998 to 30 June 2000


def test_without_discount_the_discounted_purchases_are_the_expected_ones(customers):
    undated = CustomerSummary(customers.frame, "week", customers.as_of, 0.0)
    frame = value(undated, annual_discount_rate=0.0).frame
    pd.testing.assert_series_equal(frame["discounted_purchases"], frame["expected_purchases"], check_names=False)


def test_lifetime_value_is_what_was_earned_plus_what_is_to_come(customers):
    frame = value(customers).frame
    pd.testing.assert_series_equal(
        frame["lifetime_value"], frame["earned_value"] + frame["residual_value"], check_names=False
    )


def test_earned_value_is_carried_margin_less_carried_costs(customers):
    costs = Costs(acquisition_cost=8.0, cost_per_order=1.5, cost_to_serve_per_year=12.0)
    frame = value(customers, costs=costs).frame
    rate = np.log(1.10) / (365.25 / 7)
    alive = frame.loc["silent", "probability_alive"]
    while_buying = (np.exp(rate * 10) - 1) / rate * np.exp(rate * 42)
    in_silence = alive * (np.exp(rate * 42) - 1) / rate
    by_hand = 0.30 * 258.0 - 1.5 * 6.4 - 8.0 * 1.10 ** (364 / 365.25) - 12 / (365.25 / 7) * (while_buying + in_silence)
    assert frame.loc["silent", "earned_value"] == pytest.approx(by_hand)


def test_future_service_cost_is_counted_once_inside_the_residual_value(customers):
    without, with_cost = value(customers), value(customers, costs=Costs(cost_to_serve_per_year=12.0))
    lifetime = PURCHASES.discounted_residual_lifetime(customers, annual_discount_rate=0.10, horizon="24 months")
    drop = without.frame["residual_value"] - with_cost.frame["residual_value"]
    pd.testing.assert_series_equal(drop, 12 * lifetime / (365.25 / 7), check_names=False)


def test_a_customer_who_costs_more_than_the_margin_brings_is_worth_less_than_zero(customers):
    frame = value(customers, costs=Costs(cost_to_serve_per_year=500.0)).frame
    assert frame.loc["frequent", "residual_value"] < 0


def test_all_of_the_future_without_discount_is_called_infinite(customers):
    undated = CustomerSummary(customers.frame, "week", customers.as_of, 0.0)
    assert np.isinf(value(undated, horizon=None, annual_discount_rate=0.0).total)


def test_without_a_purchase_history_the_lifetime_value_is_missing_and_the_residual_value_is_not(customers):
    bare = CustomerSummary(customers.frame.drop(columns=["spend_carried", "orders_carried"]), "week", customers.as_of)
    frame = value(bare).frame
    assert frame["lifetime_value"].isna().all()
    assert frame["residual_value"].notna().all()


def test_a_summary_carried_at_another_rate_is_refused(customers):
    with pytest.raises(SettingsError, match=r"summarise with annual_discount_rate=0.08"):
        value(customers, annual_discount_rate=0.08)


@pytest.mark.parametrize("margin", [0.0, -0.1, 1.2])
def test_an_impossible_margin_is_refused(customers, margin):
    with pytest.raises(SettingsError, match="margin"):
        value(customers, margin=margin)


def test_fits_in_each_others_place_are_refused(customers):
    with pytest.raises(SettingsError, match="purchases is a GammaGammaFit"):
        lifetime_value(SPEND, PURCHASES, customers, **TERMS)


def test_a_frame_is_no_summary(customers):
    with pytest.raises(SettingsError, match="must be a CustomerSummary"):
        lifetime_value(PURCHASES, SPEND, customers.frame, **TERMS)


@pytest.mark.parametrize("rate", [-1.5, -0.05, float("inf")])
def test_a_rate_below_zero_or_without_end_is_refused(customers, rate):
    with pytest.raises(SettingsError, match="annual rate"):
        value(customers, annual_discount_rate=rate)


def test_a_negative_cost_is_refused():
    with pytest.raises(SettingsError, match="cost_per_order"):
        Costs(cost_per_order=-1.0)


def test_values_leave_the_summary_alone(customers):
    before = customers.frame.copy()
    value(customers)
    pd.testing.assert_frame_equal(customers.frame, before)


def test_a_valuation_survives_the_disk_digit_for_digit(customers, tmp_path):
    values = value(customers, costs=Costs(acquisition_cost=8.0))
    values.save(tmp_path)
    again = CustomerValues.load(tmp_path)
    pd.testing.assert_frame_equal(again.frame, values.frame, check_exact=True)
    pd.testing.assert_frame_equal(again.customers.frame, values.customers.frame, check_exact=True)
    assert again.assumptions == values.assumptions
    assert again.fits.purchases.params == values.fits.purchases.params
    assert again.fits.spend.params == values.fits.spend.params


@settings(max_examples=50)
@given(rate=st.floats(0, 1), more=st.floats(0, 1), margin=st.floats(0.01, 1))
def test_a_higher_rate_never_raises_the_value(rate, more, margin):
    frame = pd.DataFrame(
        {"frequency": [3], "recency": [30.0], "T": [38.0], "monetary_value": [25.0]},
        index=pd.Index(["c"], name="customer_id"),
    )
    summary = CustomerSummary(frame, "week", date(1998, 6, 30))
    low, high = (
        lifetime_value(PURCHASES, SPEND, summary, horizon=104.0, annual_discount_rate=r, margin=margin).total
        for r in (rate, rate + more)
    )
    assert high <= low * (1 + 1e-12)
