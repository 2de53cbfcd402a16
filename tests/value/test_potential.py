"""What customers still to be acquired are worth: against simulated lives, piece by piece, in the clock of a shop."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.cnbd import CNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.lifetime_value import Costs, Fits, assume
from crm_analysis.value.potential import Pieces, potential_value, simulated_newcomers, value_of_newcomers

AS_OF = date(2024, 6, 30)
FITS = Fits(BGNBDFit.from_params((0.6, 6.0, 0.8, 2.5)), GammaGammaFit.from_params((6.0, 4.0, 16.0), time_unit=""))
COSTS = Costs(acquisition_cost=5.0, cost_per_order=1.0, cost_to_serve_per_year=4.0, tax_rate=0.25)


def given(costs=COSTS, horizon=104.0, rate=0.10):
    return assume("week", AS_OF, horizon=horizon, annual_discount_rate=rate, margin=0.4, costs=costs)


def test_one_newcomer_is_worth_what_simulated_ones_bring():
    """First purchase, repeats, service and tax of 200,000 simulated customers who join in a single piece."""
    terms, rng = given(), np.random.default_rng(5)
    pieces = Pieces(np.array([10.0]), np.array([0]), np.array([1.0]), np.arange(1, 105, dtype=float), AS_OF)
    n, left = 200_000, 94.0
    nu = rng.gamma(4.0, 1 / 16.0, size=n)
    events = bgnbd.simulate(BGNBDParams(*FITS.purchases.params), np.full(n, left), rng)
    paid = rng.gamma(6.0, size=len(events)) / nu[events["customer"]]
    first = rng.gamma(6.0, size=n) / nu
    rate = terms.continuous_rate
    brought = np.exp(-rate * 10) * (0.4 * first - 1.0)
    later = np.exp(-rate * (10 + events["time"])) * (0.4 * paid - 1.0)
    brought += np.bincount(events["customer"], weights=later, minlength=n)
    no_service = given(Costs(cost_per_order=1.0))
    expected = value_of_newcomers(*FITS, no_service, pieces, None)[0]
    assert brought.mean() == pytest.approx(expected, abs=4 * brought.std() / np.sqrt(n))


def test_service_is_paid_for_the_expected_lifetime():
    pieces = Pieces(np.array([0.0]), np.array([0]), np.array([1.0]), np.arange(1, 105, dtype=float), AS_OF)
    free, served = given(Costs()), given(Costs(cost_to_serve_per_year=52.17857142857143))  # one a week
    gap = value_of_newcomers(*FITS, free, pieces, None)[0] - value_of_newcomers(*FITS, served, pieces, None)[0]
    new = CustomerSummary(pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [0.0]}), "week")
    exact = FITS.purchases.discounted_residual_lifetime(new, annual_discount_rate=0.10, horizon=104.0).iloc[0]
    assert gap == pytest.approx(exact, rel=2e-4)


def test_a_newcomer_now_is_worth_the_first_purchase_and_a_customer_without_history():
    terms = given(Costs(cost_per_order=1.0))
    pieces = Pieces(np.array([0.0]), np.array([0]), np.array([1.0]), np.arange(1, 105, dtype=float), AS_OF)
    new = CustomerSummary(pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [0.0]}), "week")
    repeats = FITS.purchases.discounted_residual_purchases(new, annual_discount_rate=0.10, horizon=104.0).iloc[0]
    mean = FITS.spend.population_mean
    expected = (0.4 * 50 - 1) + repeats * (0.4 * mean - 1)
    assert value_of_newcomers(*FITS, terms, pieces, 50.0)[0] == pytest.approx(expected, rel=1e-5)


def test_the_pieces_of_the_months_add_up_to_the_customers_of_the_horizon():
    pieces = Pieces.of("week", AS_OF, until=104.0, cut=4.3)
    assert pieces.number(np.full(pieces.months, 10.0)).sum() == pytest.approx(
        10 * (23 + (104.0 - 701 / 7) / (30 / 7)), rel=0.01
    )
    assert pieces.until[-1] == 104.0
    assert (np.diff(pieces.joined) > 0).all()


def test_valuing_to_a_date_and_after_it_adds_up():
    """Those who join within a month, valued to its end and from there on, are those valued at once."""
    plan, terms = planned_acquisition(40.0, as_of=AS_OF, months=24), given()
    whole = potential_value(FITS, plan, terms, AS_OF, until=104.0, cut=4.0)
    early = potential_value(FITS, plan, terms, AS_OF, until=104.0, joined_by=4.0, cut=4.0)
    late_plan = potential_value(FITS, plan, terms, AS_OF, until=104.0, cut=4.0).gross - early.gross
    assert whole.gross == pytest.approx(early.gross + late_plan)
    assert 0 < early.cost < whole.cost


def test_finer_pieces_change_next_to_nothing():
    terms = given()
    coarse = Pieces.of("week", AS_OF, until=104.0)
    fine_until = np.linspace(0, 104, 2_001)[1:]
    fine = Pieces(
        (fine_until - 0.026),
        np.searchsorted([*coarse.until], fine_until - 0.026),
        np.full(2_000, 0.0),
        fine_until,
        AS_OF,
    )
    rough = np.average(value_of_newcomers(*FITS, terms, coarse, None), weights=np.diff([0.0, *coarse.until]))
    exact = value_of_newcomers(*FITS, terms, fine, None).mean()
    assert rough == pytest.approx(exact, rel=1e-3)


def test_without_a_horizon_future_customers_are_refused():
    with pytest.raises(SettingsError, match="within a horizon"):
        Pieces.of("week", AS_OF, until=float("inf"))


def test_chance_averages_to_nothing():
    pieces = Pieces.of("week", AS_OF, until=52.0)
    lives = simulated_newcomers(FITS, given(), pieces, 30.0, lives=500, rng=np.random.default_rng(1))
    assert lives.shape == (len(pieces.joined), 500)
    assert lives.mean(axis=1) == pytest.approx(0, abs=1e-9)
    assert lives.std(axis=1)[0] > lives.std(axis=1)[-1]  # the earlier one joins, the more can happen


def _clocked(factors: list[float], speed: float = 1.0) -> ClockedFit:
    params, names = CNBDParams(1, 0.6, 6.0, 0.8, 2.5), ["r", "alpha", "a", "b"]
    return ClockedFit(
        params=params,
        covariance=pd.DataFrame(np.nan, index=names, columns=names),
        log_likelihood=np.nan,
        number_of_customers=0,
        time_unit="week",
        converged=True,
        clock=OrderClock(tuple(factors), date(2023, 1, 1), AS_OF, 0.0, "week"),
        speed=speed,
    )


def test_a_clock_that_never_changes_is_the_calendar():
    steady = Fits(_clocked([1.0] * 12), FITS.spend)
    pieces = Pieces.of("week", AS_OF, until=52.0)
    by_clock, by_calendar = (value_of_newcomers(*fits, given(), pieces, None) for fits in (steady, FITS))
    np.testing.assert_allclose(by_clock, by_calendar, rtol=2e-2)  # the steady future is an approximation


def test_newcomers_of_a_busy_season_buy_again_sooner():
    busy_in_july = Fits(_clocked([0.8] * 6 + [3.2] + [0.8] * 5), FITS.spend)
    pieces = Pieces.of("week", AS_OF, until=4.4)
    early = value_of_newcomers(*busy_in_july, given(Costs()), pieces, None)[0]
    assert early > value_of_newcomers(*FITS, given(Costs()), pieces, None)[0]


def test_lifetimes_follow_the_calendar_where_the_clock_runs_slower():
    slow, joined, until = _clocked([1.0] * 12, speed=0.5), np.array([0.0]), np.array([26.0, 52.0])
    fast = _clocked([1.0] * 12)
    assert (
        slow.lifetimes_of_newcomers(joined, until, as_of=AS_OF)[-1, 0]
        > fast.lifetimes_of_newcomers(joined, until, as_of=AS_OF)[-1, 0]
    )
