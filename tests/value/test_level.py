"""The level of a forecast: found from dates inside the log, put on by the speed of the clock, carried by every draw."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock, order_clock, with_gaps
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.value.level import VOLUME_ERROR, Level, at_level, level_of
from crm_analysis.value.purchase_intervals import total_purchases_interval

# The data hold a and b of some of these fits back so little that the search says so; that is no news here.
pytestmark = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")

YEAR = 365 / 7


@pytest.fixture(scope="module")
def fit(retail_customers, retail_clock) -> ClockedFit:
    return fit_clocked(retail_customers, retail_clock, k=2)


@pytest.fixture(scope="module")
def level(retail, retail_customers, fit) -> Level:
    return level_of(retail, retail_customers, fit)


def given(factor: float, error: float = 0.08) -> Level:
    return Level(pd.DataFrame(), factor, error)


# --- found ------------------------------------------------------------------------------------------------------------


def test_forecasts_of_the_shop_came_out_a_tenth_too_high_from_every_origin(level):
    assert list(level.origins["days"]) == [61, 91, 122, 152, 183]
    assert level.origins["log_ratio"].round(2).isin([-0.11, -0.12]).all()


def test_with_irregular_buyers_they_came_out_higher_still(retail, retail_customers, retail_clock):
    irregular = fit_clocked(retail_customers, retail_clock, k=1)
    assert level_of(retail, retail_customers, irregular).origins["log_ratio"].between(-0.195, -0.165).all()


def test_purchases_between_origin_and_end_are_counted_exactly(level, retail_customers):
    assert level.origins.loc[date(2010, 8, 31), "actual"] == 4_283
    assert level.origins.loc[date(2010, 5, 31), "actual"] == 6_558


def test_the_factor_is_the_mean_of_the_log_ratios_longer_stretches_counting_more(level):
    rho, days = level.origins["log_ratio"], level.origins["days"]
    assert np.log(level.factor) == pytest.approx((rho * days).sum() / days.sum())
    assert (rho == np.log(level.origins["actual"] / level.origins["expected"])).all()


def test_its_error_is_the_spread_of_the_origins_and_half_of_the_square_of_the_mean(level):
    spread = level.origins["log_ratio"].var()
    assert level.error == pytest.approx(np.sqrt(spread + np.log(level.factor) ** 2 / 2))


@pytest.mark.parametrize(("as_of", "origins"), [("2010-08-31", 4), ("2010-05-31", 1), ("2010-05-24", 0)])
def test_only_origins_with_115_days_before_them_are_asked(retail, retail_clock, as_of, origins):
    log = retail.until(pd.Timestamp(as_of).date())
    customers = with_gaps(log, summarize_customers(log, as_of=as_of), retail_clock)
    found = level_of(log, customers, fit_clocked(customers, retail_clock, k=2))
    assert len(found.origins) == origins
    if not origins:
        assert (found.factor, found.error) == (1.0, 0.10)  # no better known than that


def test_a_forecast_that_came_out_right_has_a_factor_of_one(simulate_shop):
    shop = simulate_shop(6, k=2, newcomers=500)
    log = read_transactions(shop.log, as_of=shop.as_of)
    clock = order_clock(log, as_of=shop.as_of)
    customers = with_gaps(log, summarize_customers(log, as_of=shop.as_of), clock)
    found = level_of(log, customers, fit_clocked(customers, clock, k=2))
    assert found.factor == pytest.approx(1, abs=0.05)


def test_a_summary_without_its_date_is_refused(retail, retail_customers, fit):
    with pytest.raises(SettingsError, match="as of a date"):
        level_of(retail, replace(retail_customers, as_of=None), fit)


# --- put on -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", [0.5, 0.89, 1.0, 1.3])
@pytest.mark.parametrize("horizon", [4.0, YEAR])
def test_the_total_becomes_the_factor_times_the_forecast(fit, retail_customers, factor, horizon):
    before = fit.expected_purchases(retail_customers, horizon=horizon).sum()
    after = at_level(fit, retail_customers, given(factor), horizon=horizon)
    assert after.expected_purchases(retail_customers, horizon=horizon).sum() == pytest.approx(factor * before)


def test_a_factor_of_one_leaves_the_clock_as_it_is(fit, retail_customers):
    assert at_level(fit, retail_customers, given(1.0), horizon=YEAR).speed == pytest.approx(1)


def test_a_lower_level_slows_the_clock_by_more_than_the_factor(fit, retail_customers):
    # Who leaves leaves after purchases: with fewer of them more customers stay, so the clock must give way further.
    assert at_level(fit, retail_customers, given(0.8), horizon=YEAR).speed < 0.8


def test_the_doubt_is_that_of_level_and_volume(fit, retail_customers):
    # The doubt of the level is one of the total, which grows a little less than in proportion to the speed.
    error = at_level(fit, retail_customers, given(0.9, 0.08), horizon=YEAR).speed_error
    assert np.hypot(0.08, VOLUME_ERROR) < error < np.hypot(0.09, VOLUME_ERROR)


def test_a_level_that_no_speed_can_reach_is_approached(fit, retail_customers):
    moved = at_level(fit, retail_customers, given(1e9, 0.08), horizon=YEAR)
    assert np.isfinite(moved.speed)
    assert (
        moved.expected_purchases(retail_customers, horizon=YEAR).sum()
        > fit.expected_purchases(retail_customers, horizon=YEAR).sum()
    )


def test_the_clock_itself_and_the_parameters_stay(fit, retail_customers):
    levelled = at_level(fit, retail_customers, given(0.9), horizon=YEAR)
    assert isinstance(levelled.clock, OrderClock)
    assert levelled.clock is fit.clock
    assert levelled.params == fit.params


def test_the_interval_widens_and_says_why(fit, level, retail_customers):
    how = {"horizon": YEAR, "individuals": False, "draws": 60}
    levelled = at_level(fit, retail_customers, level, horizon=YEAR)
    plain, doubtful = (total_purchases_interval(one, retail_customers, **how) for one in (fit, levelled))
    assert plain.contains == ("parameters",)
    assert doubtful.contains == ("parameters", "level and volume of the shop")
    assert doubtful.width > 1.5 * plain.width


def test_the_spread_of_the_draws_is_that_of_the_level(fit, retail_customers):
    levelled = replace(at_level(fit, retail_customers, given(1.0), horizon=YEAR), covariance=0 * fit.covariance)
    kinds, rows = levelled.distinct(retail_customers)
    totals = np.array(
        [
            levelled.with_coefficients(values).expected_purchases(kinds, horizon=YEAR) @ rows.counts
            for values in levelled.draws(100, seed=1).itertuples(index=False)
        ]
    )
    # A clock faster by a tenth brings a little less than a tenth more purchases.
    assert np.log(totals).std() == pytest.approx(levelled.speed_error, rel=0.2)
