"""Intervals of expected purchases: what they contain, and that they cover."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd
from crm_analysis.value import purchase_intervals as module
from crm_analysis.value.purchase_intervals import purchase_intervals, total_purchases_interval

TRUTH = BGNBDParams(0.8, 6.0, 0.6, 2.0)


def simulated(customers: int, seed: int) -> tuple[CustomerSummary, np.ndarray]:
    """Customers of 40 weeks, and their purchases in the next 30."""
    rng = np.random.default_rng(seed)
    events = bgnbd.simulate(TRUTH, np.full(customers, 70.0), rng)
    known = bgnbd.histories(events[events["time"] <= 40], np.full(customers, 40.0))
    later = events[events["time"] > 40]
    return CustomerSummary(known, "week"), np.bincount(later["customer"], minlength=customers)


@pytest.fixture(scope="module")
def case():
    customers, later = simulated(2_000, seed=4)
    return fit_bgnbd(customers), customers, later


def test_the_expectation_lies_inside_for_every_customer(case):
    frame = purchase_intervals(case[0], case[1], horizon=30, draws=200)
    assert frame["expected"].between(frame["lower"], frame["upper"]).all()


def test_customers_of_one_history_share_one_interval(case):
    frame = purchase_intervals(case[0], case[1], horizon=30, draws=50)
    one_timers = case[1].frame["frequency"] == 0
    assert frame[one_timers].drop_duplicates().shape[0] == 1


def test_individual_randomness_covers_what_single_customers_do(case):
    frame = purchase_intervals(case[0], case[1], horizon=30, individuals=True, draws=400)
    covered = pd.Series(case[2], index=frame.index).between(frame["lower"], frame["upper"]).mean()
    assert covered >= 0.95  # whole numbers cover more


def test_individual_randomness_widens_the_total(case):
    alone = total_purchases_interval(case[0], case[1], horizon=30, individuals=False, draws=300)
    both = total_purchases_interval(case[0], case[1], horizon=30, draws=300)
    assert both.width > alone.width
    assert alone.contains == ("parameters",)
    assert both.contains == ("parameters", "individual randomness")


def test_the_interval_of_the_total_covers_at_its_rate():
    hits = 0
    for seed in range(20):
        customers, later = simulated(600, seed=100 + seed)
        hits += later.sum() in total_purchases_interval(fit_bgnbd(customers), customers, horizon=30, draws=150)
    assert hits >= 15  # 95% of 20 is 19; fewer than 15 has a chance below 1 in 1,000


def test_the_randomness_of_a_sample_stands_for_that_of_all(case, monkeypatch):
    exact = total_purchases_interval(case[0], case[1], horizon=30, draws=600)
    monkeypatch.setattr(module, "_SIMULATED", 500)
    scaled = total_purchases_interval(case[0], case[1], horizon=30, draws=600)
    assert scaled.width == pytest.approx(exact.width, rel=0.15)
    assert (scaled.lower + scaled.upper) / 2 == pytest.approx((exact.lower + exact.upper) / 2, rel=0.02)


def test_blocks_do_not_change_the_intervals(case, monkeypatch):
    whole = purchase_intervals(case[0], case[1], horizon=30, draws=30)
    monkeypatch.setattr(module, "_KINDS_AT_ONCE", 100)
    pd.testing.assert_frame_equal(purchase_intervals(case[0], case[1], horizon=30, draws=30), whole)


def test_the_same_seed_gives_the_same_interval(case):
    first, again = (total_purchases_interval(case[0], case[1], horizon=30, draws=20, seed=7) for _turn in range(2))
    assert first == again


def test_a_fit_without_covariance_is_refused(case):
    with pytest.raises(SettingsError, match="no covariance"):
        purchase_intervals(BGNBDFit.from_params(TRUTH), case[1], horizon=30)


@pytest.mark.parametrize("interval", [purchase_intervals, total_purchases_interval])
@pytest.mark.parametrize(
    "wrong", [{"draws": 0}, {"draws": 2.5}, {"level": 0.0}, {"level": 2.0}, {"level": float("nan")}]
)
def test_draws_and_levels_that_are_none_are_refused(case, interval, wrong):
    with pytest.raises(SettingsError, match=r"draws|level"):
        interval(case[0], case[1], horizon=30, **wrong)


@pytest.mark.parametrize("interval", [purchase_intervals, total_purchases_interval])
def test_nobody_has_no_interval(case, interval):
    nobody = CustomerSummary(case[1].frame.iloc[:0], "week")
    with pytest.raises(DataError, match="there is no customer"):
        interval(case[0], nobody, horizon=30, draws=10)


@pytest.mark.parametrize("interval", [purchase_intervals, total_purchases_interval])
def test_a_frame_is_no_summary(case, interval):
    with pytest.raises(SettingsError, match="must be a CustomerSummary"):
        interval(case[0], case[1].frame, horizon=30, draws=10)
