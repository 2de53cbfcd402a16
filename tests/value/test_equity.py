"""Customer equity: a sum with an interval that says what it contains, kept so that it can be valued again."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDParams, fit_bgnbd
from crm_analysis.models.gamma_gamma import GammaGammaParams, fit_gamma_gamma
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.equity_history import equity_grid, equity_history
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value

TERMS = {"horizon": "24 months", "annual_discount_rate": 0.10, "margin": 0.30}


@pytest.fixture(scope="module")
def values(cdnow_summary: CustomerSummary) -> CustomerValues:
    return lifetime_value(fit_bgnbd(cdnow_summary), fit_gamma_gamma(cdnow_summary), cdnow_summary, **TERMS)


@pytest.fixture(scope="module")
def equity(values: CustomerValues) -> CustomerEquity:
    return customer_equity(values, draws=400, seed=1)


def test_equity_is_the_sum_of_residual_values(equity, values):
    assert equity.total == equity.current == pytest.approx(values.frame["residual_value"].sum())


def test_customers_still_to_be_acquired_are_missing_not_zero(equity):
    assert equity.potential is None
    assert equity.acquisition_cost is None


def test_the_interval_says_what_it_contains(equity):
    assert equity.interval.contains == ("parameters", "individual randomness")
    assert equity.parameter_interval.contains == ("parameters",)


def test_individual_randomness_widens_the_interval(equity):
    assert equity.interval.width > equity.parameter_interval.width


def test_the_interval_holds_the_equity(equity):
    assert equity.total in equity.interval
    assert equity.total in equity.parameter_interval


def test_futures_average_to_the_expectation(equity):
    gap = equity.draws["outcome"] - equity.draws["expected"]
    assert gap.mean() == pytest.approx(0, abs=4 * gap.std() / np.sqrt(len(gap)))


def test_futures_average_to_the_expectation_with_costs(cdnow_summary, values):
    costs = Costs(cost_per_order=0.5, cost_to_serve_per_year=0.6)
    costly = customer_equity(lifetime_value(*values.fits, cdnow_summary, **TERMS, costs=costs), draws=200, seed=2)
    gap = costly.draws["outcome"] - costly.draws["expected"]
    assert gap.mean() == pytest.approx(0, abs=4 * gap.std() / np.sqrt(len(gap)))


def test_the_same_seed_gives_the_same_interval(values, equity):
    pd.testing.assert_frame_equal(customer_equity(values, draws=400, seed=1).draws, equity.draws, check_exact=True)


def test_the_interval_covers_the_outcome_at_its_stated_rate():
    """Simulated companies with known truth: fit on a year, predict the next, count how often the interval holds."""
    truth, spend_truth = BGNBDParams(0.6, 6.0, 0.8, 2.5), GammaGammaParams(6.0, 4.0, 16.0)
    rng = np.random.default_rng(99)
    hits, companies = 0, 25
    for _ in range(companies):
        n = 600
        T = np.full(n, 104.0)
        events = bgnbd.simulate(truth, T, rng)
        nu = rng.gamma(spend_truth.q, 1 / spend_truth.v, size=n)
        events["amount"] = rng.gamma(spend_truth.p, size=len(events)) / nu[events["customer"]]
        past, future = events[events["time"] <= 52], events[events["time"] > 52]
        frame = bgnbd.histories(past, np.full(n, 52.0))
        mean = past.groupby("customer")["amount"].mean()
        frame["monetary_value"] = mean.reindex(range(n)).to_numpy()
        customers = CustomerSummary(frame, "week")
        rate = np.log(1.1) / (365.25 / 7)
        realised = 0.3 * (np.exp(-rate * (future["time"] - 52)) * future["amount"]).sum()
        values = lifetime_value(
            fit_bgnbd(customers), fit_gamma_gamma(customers), customers,
            horizon=52.0, annual_discount_rate=0.10, margin=0.30,
        )  # fmt: skip
        hits += realised in customer_equity(values, draws=150, seed=1).interval
    assert hits >= 20  # 95% of 25 is 24; fewer than 20 has a chance below 1 in 500


def test_equity_survives_the_disk(equity, tmp_path):
    equity.save(tmp_path)
    again = CustomerEquity.load(tmp_path)
    assert again.total == equity.total
    assert again.interval == equity.interval
    pd.testing.assert_frame_equal(again.values.frame, equity.values.frame, check_exact=True)


def test_a_saved_equity_can_be_valued_again(equity, tmp_path):
    equity.save(tmp_path)
    saved = CustomerEquity.load(tmp_path).values
    again = lifetime_value(*saved.fits, saved.customers, **TERMS)
    pd.testing.assert_frame_equal(again.frame, equity.values.frame)


def test_a_folder_without_equity_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="no saved"):
        CustomerEquity.load(tmp_path)


def test_an_infinite_equity_is_called_infinite(cdnow_summary, values):
    forever = lifetime_value(*values.fits, cdnow_summary, horizon=None, annual_discount_rate=0.0, margin=0.3)
    assert customer_equity(forever, draws=100).total == np.inf


def test_history_values_the_log_as_it_stood_then(cdnow, cdnow_customers):
    terms = {**TERMS, "horizon": 104.0}  # as in the mock-up
    values = lifetime_value(fit_bgnbd(cdnow_customers), fit_gamma_gamma(cdnow_customers), cdnow_customers, **terms)
    history = equity_history(cdnow, dates=[date(1998, 5, 31), date(1998, 6, 30)], like=values)
    assert history.loc[date(1998, 6, 30), "equity"] == pytest.approx(values.total)
    assert history.loc[date(1998, 5, 31), "equity"] == pytest.approx(421_624, rel=5e-4)  # the mock-up's May


def test_the_grid_holds_the_valuation_itself(values):
    grid = equity_grid(values, horizons=["12 months", "24 months", None], annual_discount_rates=[0.05, 0.10])
    assert grid.loc["24 months", 0.10] == pytest.approx(values.total)


def test_the_grid_rises_with_the_horizon_and_falls_with_the_rate(values):
    grid = equity_grid(values, horizons=["12 months", "24 months", None], annual_discount_rates=[0.05, 0.10])
    assert (grid.diff().iloc[1:] > 0).all(axis=None)
    assert (grid[0.05] > grid[0.10]).all()
