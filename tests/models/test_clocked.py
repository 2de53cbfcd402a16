"""BG/CNBD-k in the clock of a shop: a clock of even speed changes nothing, and every quantity keeps to the calendar."""

from dataclasses import asdict, replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.order_clock import OrderClock, with_gaps
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import steady_cnbd
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.models.cnbd import CNBDFit, CNBDParams, fit_cnbd
from crm_analysis.models.registry import purchase_fit_from_json

FIRST, AS_OF = date(2022, 1, 1), date(2022, 12, 31)
TRUTH = CNBDParams(2, 1.2, 5.0, 1.5, 6.0)
# Slow in spring, fast in autumn; on average a year is a year long.
SEASONS = OrderClock((0.6, 0.5, 0.7, 0.8, 0.9, 1.0, 0.9, 0.9, 1.2, 1.4, 1.7, 1.4), FIRST, AS_OF, 0.0, "week")
EVEN = replace(SEASONS, factors=(1.0,) * 12)


def simulated_log(clock: OrderClock, customers: int = 2_500, seed: int = 20240601) -> pd.DataFrame:
    """Purchases of customers who join on any day of the year and buy by the clock."""
    rng = np.random.default_rng(seed)
    days = pd.date_range(FIRST, AS_OF + timedelta(days=1))
    time = clock.time(days)
    joined = rng.integers(0, 330, size=customers)
    events = steady_cnbd.simulate(TRUTH, time[-1] - time[joined], rng)
    bought = np.interp(time[joined][events["customer"]] + events["time"], time, np.arange(len(days)))
    # The day of the purchase is the day it ends: a day later than the first purchase at least.
    day = np.minimum(np.concatenate([joined, np.ceil(bought)]).astype(int), 364)
    name = np.concatenate([np.arange(customers), events["customer"]])
    return pd.DataFrame({"customer_id": [f"c{i}" for i in name], "order_date": days[day], "amount": 1.0})


def summary(log: pd.DataFrame, clock: OrderClock) -> CustomerSummary:
    return with_gaps(log, summarize_customers(log, as_of=AS_OF, time_unit=clock.time_unit), clock)


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return simulated_log(SEASONS)


@pytest.fixture(scope="module")
def customers(log) -> CustomerSummary:
    return summary(log, SEASONS)


@pytest.fixture(scope="module")
def fit(customers) -> ClockedFit:
    return fit_clocked(customers, SEASONS, k=2)


@pytest.fixture(scope="module")
def few(customers) -> CustomerSummary:
    return replace(customers, frame=customers.frame.head(20))


# --- a clock of even speed ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def even_fits(log) -> tuple[ClockedFit, CNBDFit, CustomerSummary]:
    by_calendar = summarize_customers(log, as_of=AS_OF, gaps=True)
    even = fit_clocked(summary(log, EVEN), EVEN, k=2, first_window=False)
    return even, fit_cnbd(by_calendar, k=2), by_calendar


def test_a_clock_of_even_speed_gives_the_likelihood_and_the_estimates_of_the_calendar(even_fits):
    even, by_calendar, _ = even_fits
    assert even.log_likelihood == pytest.approx(by_calendar.log_likelihood, abs=1e-6)
    pd.testing.assert_series_equal(even.coefficients, by_calendar.coefficients, rtol=1e-4)
    pd.testing.assert_frame_equal(even.covariance, by_calendar.covariance, rtol=1e-3)


def test_a_clock_of_even_speed_gives_the_forecast_of_the_calendar(even_fits):
    even, _, customers = even_fits
    ours = even.expected_purchases(customers, horizon=26)
    past = [customers.frame[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    assert ours.to_numpy() == pytest.approx(steady_cnbd.expected_purchases(even.params, *past, 26.0))


def test_a_clock_of_even_speed_gives_the_discounted_purchases_of_the_calendar(even_fits):
    even, _, customers = even_fits
    past = [customers.frame[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    rate = np.log(1.1) / 365.25 * 7
    for horizon in (104.0, None):
        ours = even.discounted_residual_purchases(customers, annual_discount_rate=0.1, horizon=horizon)
        exact = steady_cnbd.discounted_residual_purchases(even.params, *past, rate, horizon)
        # Months are discounted from their middle, and fifty years stand for all of the future.
        assert ours.to_numpy() == pytest.approx(exact, rel=1e-4 if horizon else 5e-3)


# --- estimates ------------------------------------------------------------------------------------------------------


def test_the_truth_is_found_in_the_clock(fit):
    found = fit.summary(level=0.999)
    for name in ("r", "alpha"):
        assert found.loc[name, "lower"] < getattr(TRUTH, name) < found.loc[name, "upper"]
    assert fit.params.a / (fit.params.a + fit.params.b) == pytest.approx(0.2, abs=0.05)


def test_the_first_weeks_have_no_rates_of_their_own_where_they_have_none(fit):
    found = fit.summary(level=0.999).loc[["purchase[first_window]", "shape[first_window]"]]
    assert (found["lower"] < 0).all()
    assert (found["upper"] > 0).all()


def test_the_regularity_is_found_in_the_clock(customers):
    assert fit_clocked(customers, SEASONS).params.k == 2


def test_the_first_window_is_the_first_31_days(fit, customers):
    first = fit.covariate_frame(customers)["first_window"]
    seen = pd.to_datetime(customers.frame["first_purchase"])
    assert first.sum() == (seen <= "2022-01-31").sum() > 0
    assert set(first) == {0.0, 1.0}


def test_customers_of_the_first_weeks_alone_have_no_rates_beside_others(customers):
    early = replace(customers, frame=customers.frame[customers.frame["first_purchase"] <= "2022-01-31"])
    assert list(fit_clocked(early, SEASONS, k=2).coefficients.index) == ["r", "alpha", "a", "b"]


def test_weights_count_customers(customers):
    doubled = fit_clocked(customers, SEASONS, k=2, weights=np.full(len(customers), 2.0))
    assert doubled.log_likelihood == pytest.approx(2 * fit_clocked(customers, SEASONS, k=2).log_likelihood)


# --- speed and draws ------------------------------------------------------------------------------------------------


def test_a_faster_clock_is_a_longer_horizon(fit, few):
    length = SEASONS.length(AS_OF, 26.0)
    faster = replace(fit, speed=1.25).expected_purchases(few, horizon=26.0)
    exact = steady_cnbd.expected_purchases(fit.params_of(few), *fit.data(few)[0], 1.25 * length)
    assert faster.to_numpy() == pytest.approx(exact)


def test_speed_changes_nothing_of_the_past(fit, few):
    slow = replace(fit, speed=0.5)
    pd.testing.assert_series_equal(slow.probability_alive(few), fit.probability_alive(few))


def test_draws_carry_the_speed_with_its_doubt(fit):
    drawn = replace(fit, speed=0.9, speed_error=0.2).draws(2_000, seed=1)
    logs = np.log(drawn["speed"])
    assert list(drawn.columns) == [*fit.coefficients.index, "speed"]
    assert [logs.mean(), logs.std()] == pytest.approx([np.log(0.9), 0.2], abs=0.015)


def test_without_doubt_every_draw_has_the_speed_of_the_fit(fit):
    assert (replace(fit, speed=0.9).draws(10, seed=1)["speed"] == 0.9).all()


def test_doubt_about_the_speed_does_not_change_the_parameters_drawn(fit):
    names = list(fit.coefficients.index)
    pd.testing.assert_frame_equal(replace(fit, speed_error=0.2).draws(5, seed=1)[names], fit.draws(5, seed=1)[names])


def test_coefficients_are_taken_with_a_speed_and_without(fit):
    slow = replace(fit, speed=0.9)
    values = list(fit.coefficients + 0.01)
    without, given = slow.with_coefficients(values), slow.with_coefficients([*values, 1.3])
    assert (without.speed, given.speed) == (0.9, 1.3)
    assert list(without.coefficients) == list(given.coefficients) == values


def test_sources_of_doubt_name_the_level_where_it_is_in_doubt(fit):
    assert fit.sources_of_doubt == ("parameters",)
    assert replace(fit, speed_error=0.1).sources_of_doubt == ("parameters", "level and volume of the shop")


# --- purchases to come ----------------------------------------------------------------------------------------------


def test_more_is_bought_in_the_fast_months(fit, customers):
    ends = [(date(2023, month, 1) - AS_OF).days / 7 for month in (3, 5, 10, 12)]
    to_march, to_may, to_october, to_december = (fit.expected_purchases(customers, horizon=end).sum() for end in ends)
    assert to_december - to_october > 1.3 * (to_may - to_march)


def test_expectation_depends_on_the_past_by_the_clock_alone(fit, few):
    length = SEASONS.length(AS_OF, 26.0)
    days = few.frame["first_purchase"], few.frame["last_purchase"]
    first, last, now = SEASONS.time(days[0]), SEASONS.time(days[1]), SEASONS.time([AS_OF])[0]
    exact = steady_cnbd.expected_purchases(
        fit.params_of(few), few.frame["frequency"], last - first, now - first, length
    )
    assert fit.expected_purchases(few, horizon=26.0).to_numpy() == pytest.approx(exact)


def test_the_curve_for_new_customers_meets_the_purchases_simulated(fit, log, customers):
    newcomers = customers.frame.groupby("first_purchase").size()
    days = pd.to_datetime(log["order_date"])
    firsts = pd.DatetimeIndex(newcomers.index)
    ends = pd.DatetimeIndex(["2022-05-31", "2022-09-30", "2022-12-31"])
    curve = fit.expected_repeat_curve(firsts, newcomers.to_numpy(float), ends)
    actual = [(days <= end).sum() - newcomers[firsts <= end].sum() for end in ends]
    assert curve == pytest.approx(np.array(actual), rel=0.07)


def test_before_the_first_day_the_curve_is_zero(fit):
    firsts = pd.DatetimeIndex(["2022-03-01"])
    assert fit.expected_repeat_curve(firsts, np.ones(1), pd.DatetimeIndex(["2022-02-01"]))[0] == 0


# --- discounting ----------------------------------------------------------------------------------------------------


def by_days(fit: ClockedFit, few: CustomerSummary, annual_rate: float, days: int) -> np.ndarray:
    """Purchases day by day, discounted from the middle of the day."""
    ends = np.arange(1, days + 1)
    upto = np.array([fit.expected_purchases(few, horizon=end / 7).to_numpy() for end in ends])
    return (1 + annual_rate) ** (-(ends - 0.5) / 365.25) @ np.diff(upto, axis=0, prepend=0.0)


@pytest.mark.parametrize("speed", [1.0, 0.8])
def test_discounted_purchases_are_those_of_all_days(fit, few, speed):
    at_speed = replace(fit, speed=speed)
    ours = at_speed.discounted_residual_purchases(few, annual_discount_rate=0.1, horizon=52.0)
    assert ours.to_numpy() == pytest.approx(by_days(at_speed, few, 0.1, 364), rel=1e-4)


def test_without_discount_they_are_the_expected_purchases(fit, few):
    ours = fit.discounted_residual_purchases(few, annual_discount_rate=0.0, horizon="24 months")
    assert ours.to_numpy() == pytest.approx(fit.expected_purchases(few, horizon="24 months").to_numpy())


def test_discounted_purchases_fall_with_the_rate_and_lie_between_their_bounds(fit, few):
    expected = fit.expected_purchases(few, horizon=104.0)
    before = expected
    for rate in (0.05, 0.1, 0.3):
        discounted = fit.discounted_residual_purchases(few, annual_discount_rate=rate, horizon=104.0)
        assert (discounted < before).all()
        assert (discounted > expected * (1 + rate) ** (-104 * 7 / 365.25)).all()
        before = discounted


def test_all_of_the_future_is_a_little_more_than_thirty_years(fit, few):
    whole = fit.discounted_residual_purchases(few, annual_discount_rate=0.1)
    thirty = fit.discounted_residual_purchases(few, annual_discount_rate=0.1, horizon="30 years")
    assert (whole >= thirty).all()
    assert whole.to_numpy() == pytest.approx(thirty.to_numpy(), rel=0.02)


@pytest.mark.parametrize("rate", [0.0, 0.1])
@pytest.mark.parametrize("horizon", [5.0, 52.0, 260.0])
def test_nobody_is_a_customer_for_longer_than_the_horizon(fit, few, rate, horizon):
    lifetime = fit.discounted_residual_lifetime(few, annual_discount_rate=rate, horizon=horizon)
    longest = horizon if rate == 0 else (1 - 1.1 ** (-horizon * 7 / 365.25)) / (np.log(1.1) * 7 / 365.25)
    # Months are discounted from their middle, which errs by millionths.
    assert (lifetime <= longest * (1 + 1e-5) * fit.probability_alive(few)).all()
    assert (lifetime > 0).all()


def test_at_half_the_speed_customers_stay_twice_as_long(few):
    slow, plain = (
        ClockedFit(
            params=CNBDParams(2, 3.0, 10.0, 2.0, 3.0),
            covariance=pd.DataFrame(),
            log_likelihood=0.0,
            number_of_customers=1,
            time_unit="week",
            converged=True,
            clock=EVEN,
            speed=speed,
        ).discounted_residual_lifetime(few, annual_discount_rate=0.0)
        for speed in (0.5, 1.0)
    )
    assert slow.to_numpy() == pytest.approx(2 * plain.to_numpy())


# --- simulated futures ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def futures(fit, customers) -> list[pd.DataFrame]:
    slow, rng = replace(fit, speed=0.8), np.random.default_rng(8)
    return [slow.simulate_future(customers, horizon="12 months", rng=rng) for _ in range(60)]


def test_futures_average_to_the_expectation(fit, customers, futures):
    made = np.array([len(future) for future in futures])
    expected = replace(fit, speed=0.8).expected_purchases(customers, horizon="12 months").sum()
    assert made.mean() == pytest.approx(expected, abs=4 * made.std() / np.sqrt(len(made)))


def test_times_of_futures_are_by_the_calendar(fit, customers, futures):
    slow, ends = replace(fit, speed=0.8), np.array([59, 181, 273, 334, 365]) / 7
    made = np.array([[(future["time"] <= end).sum() for end in ends] for future in futures])
    expected = [slow.expected_purchases(customers, horizon=end).sum() for end in ends]
    assert (np.abs(made.mean(axis=0) - expected) < 4 * made.std(axis=0) / np.sqrt(len(made))).all()


def test_times_of_futures_lie_within_the_horizon(futures):
    assert all(future["time"].between(0, 365 / 7).all() for future in futures)


# --- saved and read ---------------------------------------------------------------------------------------------------


def test_a_fit_is_read_back_as_it_was(fit, few):
    written = replace(fit, speed=0.9, speed_error=0.13, clock=replace(SEASONS, growth=0.05))
    again = purchase_fit_from_json(written.to_json())
    assert again.to_json() == written.to_json()
    assert (again.params, again.effects) == (written.params, written.effects)
    assert (again.speed, again.speed_error) == (written.speed, written.speed_error)
    assert asdict(again.clock) == asdict(written.clock)
    forecasts = [one.expected_purchases(few, horizon=26.0) for one in (again, written)]
    pd.testing.assert_series_equal(*forecasts)


# --- what is refused --------------------------------------------------------------------------------------------------


def test_a_clock_in_another_unit_is_refused(customers):
    with pytest.raises(SettingsError, match="counts in days, the summary in weeks"):
        fit_clocked(customers, replace(SEASONS, time_unit="day"))


def test_a_summary_in_another_unit_is_refused(fit, log):
    with pytest.raises(SettingsError, match="counts time in weeks"):
        fit.expected_purchases(summarize_customers(log, as_of=AS_OF, time_unit="day"), horizon=10)


def test_a_summary_without_its_date_is_refused(customers):
    with pytest.raises(SettingsError, match="as_of"):
        fit_clocked(replace(customers, as_of=None), SEASONS)


def test_a_summary_without_dates_is_refused(customers):
    bare = replace(customers, frame=customers.frame.drop(columns=["first_purchase", "last_purchase"]))
    with pytest.raises(DataError, match=r"first_purchase[\s\S]*last_purchase"):
        fit_clocked(bare, SEASONS)


def test_a_summary_without_gaps_is_refused(log):
    with pytest.raises(DataError, match="sum_log_gap"):
        fit_clocked(summarize_customers(log, as_of=AS_OF), SEASONS, k=2)


def test_without_gaps_one_stage_can_be_fitted(log):
    assert fit_clocked(summarize_customers(log, as_of=AS_OF), SEASONS, k=1).params.k == 1


@pytest.mark.parametrize("k", [0, 1.5])
def test_a_number_of_stages_that_is_none_is_refused(customers, k):
    with pytest.raises(SettingsError, match="whole number"):
        fit_clocked(customers, SEASONS, k=k)


def test_gaps_by_the_calendar_are_refused(log):
    with pytest.raises(DataError, match="they are in another time") as refused:
        fit_clocked(summarize_customers(log, as_of=AS_OF, gaps=True), SEASONS, k=2)
    assert "order_clock.with_gaps" in str(refused.value)


def test_a_first_window_without_weight_has_no_rates_of_its_own(customers):
    late = (customers.frame["first_purchase"] > "2022-01-31").to_numpy(float)
    fit = fit_clocked(customers, SEASONS, k=2, weights=late)
    assert list(fit.coefficients.index) == ["r", "alpha", "a", "b"]


def test_an_as_of_date_before_a_last_purchase_is_refused_with_the_rows(fit, few):
    last = pd.to_datetime(few.frame["last_purchase"])
    early = replace(few, as_of=last.max().date() - timedelta(days=1))
    for answer in (fit.probability_alive, lambda customers: fit.expected_purchases(customers, horizon=4)):
        with pytest.raises(DataError, match="the last purchase is after the as-of date") as refused:
            answer(early)
        assert f"in {(last == last.max()).sum()} row(s)" in str(refused.value)


def test_a_missing_day_is_refused(fit, few):
    frame = few.frame.copy()
    frame.loc[frame.index[2], "last_purchase"] = pd.NaT
    with pytest.raises(DataError, match=r"a day is missing in 1 row"):
        fit.probability_alive(replace(few, frame=frame))


def test_a_first_purchase_after_the_last_is_refused(fit, few):
    frame = few.frame.copy()
    frame["first_purchase"] = frame["last_purchase"] + pd.Timedelta(days=1)
    with pytest.raises(DataError, match="the last purchase is before the first in 20 row"):
        fit.probability_alive(replace(few, frame=frame))
