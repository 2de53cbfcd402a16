"""Value in few hands, and value about to fall silent."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import GammaGammaFit, GammaGammaParams
from crm_analysis.value.concentration import value_concentration
from crm_analysis.value.lifetime_value import lifetime_value
from crm_analysis.value.risk import equity_at_risk, herfindahl

SPEND = GammaGammaFit.from_params(GammaGammaParams(6.25, 3.74, 15.44), time_unit="")
TERMS = {"horizon": "1 year", "annual_discount_rate": 0.1, "margin": 0.3}
PAST = pd.DataFrame(
    {
        "frequency": [6, 2, 0, 12],
        "recency": [20.0, 10.0, 0.0, 51.0],
        "T": [52.0, 52.0, 52.0, 52.0],
        "monetary_value": [40.0, 90.0, np.nan, 40.0],
    },
    index=pd.Index(["lapsed", "rare", "once", "active"], name="customer_id"),
)
CUSTOMERS = CustomerSummary(PAST, "week", date(2024, 6, 30))


@pytest.fixture
def values(every_fit):
    return lifetime_value(every_fit, SPEND, CUSTOMERS, **TERMS)


@pytest.fixture(scope="module")
def cdnow_values(cdnow_customers):
    return lifetime_value(fit_bgnbd(cdnow_customers), SPEND, cdnow_customers, **TERMS)


def test_value_with_the_silent_is_their_chance_times_their_value(values):
    table = equity_at_risk(values).customers
    silent = values.fits.purchases.purchase_distribution(CUSTOMERS, horizon=90 / 7)[0]
    expected = silent * values.frame["residual_value"]
    pd.testing.assert_series_equal(table["value_with_silent"], expected, check_names=False)


def test_the_loss_is_what_silence_takes_off_the_value_times_its_chance(values):
    later = replace(CUSTOMERS, frame=PAST.assign(T=PAST["T"] + 90 / 7), as_of=CUSTOMERS.as_of + timedelta(days=90))
    after = lifetime_value(values.fits.purchases, SPEND, later, **TERMS).frame["residual_value"]
    found = equity_at_risk(values)
    loss = (values.frame["residual_value"] - after) * found.customers["probability_silent"]
    assert found.expected_loss == pytest.approx(loss.clip(lower=0).sum(), rel=1e-3)  # years differ by a leap day


def test_no_more_is_lost_than_is_with_the_silent_and_no_more_is_with_them_than_there_is(values):
    found = equity_at_risk(values)
    assert 0 < found.expected_loss <= found.with_silent <= found.value


def test_a_longer_time_leaves_less_with_the_silent(values):
    near, far = (equity_at_risk(values, days=days).with_silent for days in (30, 180))
    assert far < near


def test_the_top_shares_are_those_of_the_concentration(cdnow_values):
    found = equity_at_risk(cdnow_values)
    curve = value_concentration(cdnow_values)
    assert found.top_shares.to_dict() == {top: curve.share_of_top(top) for top in (0.01, 0.05, 0.10)}
    assert found.concentration.gini == curve.gini


def test_cdnow_hangs_on_far_fewer_customers_than_it_has(cdnow_values):
    assert 100 < equity_at_risk(cdnow_values).effective_customers < 0.25 * 23_570


def test_a_sample_stands_for_the_base_in_every_total(cdnow_values):
    sample = replace(cdnow_values, customers=replace(cdnow_values.customers, stands_for=4.0))
    few, all_of_them = equity_at_risk(cdnow_values), equity_at_risk(sample)
    for name in ("value", "with_silent", "expected_loss", "effective_customers"):
        assert getattr(all_of_them, name) == pytest.approx(4 * getattr(few, name))


def test_equal_customers_are_as_many_as_they_are():
    assert 1 / herfindahl(np.full(8, 3.0)) == pytest.approx(8)


def test_without_value_the_index_is_missing():
    assert np.isnan(herfindahl(np.array([0.0, -1.0])))


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=30))
def test_the_index_lies_between_equal_shares_and_one_holder(amounts):
    assert 1 / len(amounts) - 1e-12 <= herfindahl(np.array(amounts)) <= 1 + 1e-12


def test_the_order_of_the_customers_does_not_matter(cdnow_values):
    turned = replace(
        cdnow_values,
        frame=cdnow_values.frame.iloc[::-1],
        customers=replace(cdnow_values.customers, frame=cdnow_values.customers.frame.iloc[::-1]),
    )
    one, other = equity_at_risk(cdnow_values), equity_at_risk(turned)
    assert other.with_silent == pytest.approx(one.with_silent)
    assert other.herfindahl == pytest.approx(one.herfindahl)


@pytest.mark.parametrize("days", [0, -1, np.nan, "90 days"])
def test_days_that_are_no_time_are_refused(values, days):
    with pytest.raises(SettingsError, match="days is"):
        equity_at_risk(values, days=days)
