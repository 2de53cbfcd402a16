"""The bridge: the published example, exact sums for random companies, and what each step is about."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, ClassVar, NamedTuple

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.bridge import CLOSING, OPENING, STEPS, equity_bridge, period_cash
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.lifetime_value import Costs, lifetime_value

OPENED, CLOSED = date(2024, 5, 31), date(2024, 6, 30)
SPEND = GammaGammaFit.from_params((6.0, 4.0, 16.0), time_unit="")
FIT = BGNBDFit.from_params((0.6, 6.0, 0.8, 2.5))
TERMS: dict[str, Any] = {"horizon": "24 months", "annual_discount_rate": 0.10, "margin": 0.4}


def change(bridge: pd.DataFrame, *steps: str) -> float:
    return float(bridge.loc[list(steps), "value"].sum())


def adds_up(bridge: pd.DataFrame) -> bool:
    opening, closing = bridge.loc[OPENING, "value"], bridge.loc[CLOSING, "value"]
    steps = bridge["value"].drop([OPENING, CLOSING]).sum()
    return bool(abs(opening + steps - closing) <= 1e-6 * max(abs(opening), 1.0))


# --- the worked example -----------------------------------------------------------------------------------------


class _Yearly(NamedTuple):
    retention: float


@dataclass(frozen=True, eq=False, kw_only=True)
class YearlyFit(PurchaseFit):
    """Customers who are there buy once at the end of each year and stay with one probability."""

    model_name: ClassVar[str] = "yearly"
    params_type: ClassVar[type] = _Yearly

    def probability_alive(self, customers):
        return (customers.frame["recency"] == customers.frame["T"]).astype(float)

    def discounted_residual_purchases(self, customers, *, annual_discount_rate, horizon=None):
        [r], d = self.params, annual_discount_rate
        years = np.inf if horizon is None else horizon / 12
        ratio = r / (1 + d)
        return self.probability_alive(customers) * ratio * (1 - ratio**years) / (1 - ratio)


def _yearly_equity(retention: float, margin: float, frame: pd.DataFrame) -> CustomerEquity:
    spend = GammaGammaFit.from_params((6.0, 4.0, 100.0), time_unit="")  # mean 200
    values = lifetime_value(
        YearlyFit.from_params((retention,), time_unit="month"), spend, CustomerSummary(frame, "month"),
        horizon=None, annual_discount_rate=0.10, margin=margin,
    )  # fmt: skip
    undrawn = pd.DataFrame({"expected": [0.0], "outcome": [0.0]})
    return CustomerEquity(values, values.total, undrawn)


@pytest.fixture(scope="module")
def example() -> pd.DataFrame:
    """1,000 customers, of whom 780 buy and 220 do not; 150 join; retention rises from .80 to .82, margin by 1%."""
    names = [f"c{i}" for i in range(1000)]
    before = pd.DataFrame({"frequency": 5, "recency": 60.0, "T": 60.0, "monetary_value": 200.0}, index=names)
    bought = before.iloc[:780].assign(frequency=6, recency=72.0, T=72.0)
    silent = before.iloc[780:].assign(T=72.0)
    joined = pd.DataFrame(
        {"frequency": 0, "recency": 0.0, "T": 0.0, "monetary_value": np.nan}, index=[f"n{i}" for i in range(150)]
    )
    after = pd.concat([bought, silent, joined])
    return equity_bridge(_yearly_equity(0.80, 0.5, before), _yearly_equity(0.82, 0.505, after), elapsed=12.0)


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ((OPENING,), 266_666.67),
        (("unwinding",), 26_666.67),
        (("released",), -80_000.00),
        (("horizon_moved",), 0.0),
        (("bought", "did_not_buy"), -5_333.33),
        (("spend",), 0.0),
        (("new_customers",), 40_000.00),
        (("purchase_rate", "dropout", "spend_parameters"), 24_357.14),
        (("margin",), 2_723.57),
        ((CLOSING,), 275_080.71),
    ],
)
def test_the_worked_example_is_reproduced(example, steps, value):
    assert change(example, *steps) == pytest.approx(value, abs=0.01)


def test_the_worked_example_adds_up(example):
    assert adds_up(example)
    assert example["customers"].dropna().to_dict() == {
        OPENING: 1000, "bought": 780, "did_not_buy": 220, "new_customers": 150, CLOSING: 1150,
    }  # fmt: skip


# --- random companies -------------------------------------------------------------------------------------------


def _log(seed: int, customers: int = 60) -> pd.DataFrame:
    """Orders of simulated customers up to the closing, some of whom join in the last month."""
    rng = np.random.default_rng(seed)
    days = 400
    first = rng.integers(0, days, size=customers)
    first[:2] = 0
    events = bgnbd.simulate(BGNBDParams(0.9, 5.0, 0.8, 2.5), (days - first) / 7, rng)
    buyer = np.concatenate([np.arange(customers), events["customer"]])
    day = np.concatenate([first, first[events["customer"]] + np.floor(7 * events["time"])]).astype(int)
    start = pd.Timestamp(CLOSED) - pd.Timedelta(days=days)
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in buyer],
            "order_date": start + pd.to_timedelta(day, unit="D"),
            "amount": rng.gamma(6.0, 4.0, size=len(buyer)).round(2),
        }
    )


def _equity(log, as_of, fit=FIT, spend=SPEND, joining=None, error=0.0, **terms) -> CustomerEquity:
    wanted = TERMS | terms
    customers = summarize_customers(log, as_of=as_of, annual_discount_rate=wanted["annual_discount_rate"])
    values = lifetime_value(fit, spend, customers, **wanted)
    plan = (
        None
        if joining is None
        else planned_acquisition(joining, as_of=as_of, months=24, error=error, customers=customers)
    )
    return customer_equity(values, acquisition=plan, draws=1)


positive = st.floats(0.2, 3.0)
fits = st.one_of(
    st.builds(
        lambda r, alpha, a, b: BGNBDFit.from_params((r, 5 * alpha, a, 2 * b)), positive, positive, positive, positive
    ),
    st.builds(
        lambda r, alpha, s, beta: ParetoNBDFit.from_params((r, 5 * alpha, s, 5 * beta)),
        positive,
        positive,
        positive,
        positive,
    ),
)
spends = st.builds(
    lambda p, q, v: GammaGammaFit.from_params((3 * p, 2 + q, 10 * v), time_unit=""), positive, positive, positive
)
terms = st.fixed_dictionaries(
    {
        "horizon": st.sampled_from(["12 months", "24 months", "30 weeks", 60.0]),
        "annual_discount_rate": st.sampled_from([0.0, 0.05, 0.12]),
        "margin": st.floats(0.05, 1.0),
        "costs": st.builds(Costs, positive, positive, positive, st.floats(0.0, 0.5)),
    }
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.integers(0, 10_000), st.tuples(fits, fits), st.tuples(spends, spends), st.tuples(terms, terms),
    st.one_of(st.none(), st.tuples(st.floats(0, 50), st.floats(0, 50))),
)  # fmt: skip
def test_the_bridge_of_any_company_adds_up(seed, purchase_fits, spend_fits, assumptions, joining):
    log = _log(seed, customers=25)
    before, after = (None, None) if joining is None else joining
    opening = _equity(log, OPENED, purchase_fits[0], spend_fits[0], before, **assumptions[0])
    closing = _equity(log, CLOSED, purchase_fits[1], spend_fits[1], after, **assumptions[1])
    assert adds_up(equity_bridge(opening, closing))


# --- what each step is about ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    return _log(1, customers=3_000)


@pytest.fixture(scope="module")
def opening(log) -> CustomerEquity:
    return _equity(log, OPENED)


def test_with_nothing_learnt_and_nothing_assumed_anew_only_time_and_customers_move_equity(log, opening):
    bridge = equity_bridge(opening, _equity(log, CLOSED))
    still = ["restatement", "purchase_rate", "dropout", "spend_parameters", "model", "recalibration", "margin", "costs"]
    assert bridge.loc[[*still, "discount_rate", "horizon"], "value"].to_numpy() == pytest.approx(0, abs=1e-6)


def test_steps_come_in_their_fixed_order(log, opening):
    assert list(equity_bridge(opening, _equity(log, CLOSED)).index) == list(STEPS)


def test_customers_who_behave_as_the_model_says_surprise_nobody(log, opening):
    """The truth is the model here: what those who bought gain is what those who did not lose, up to chance."""
    truth = BGNBDFit.from_params((0.9, 5.0, 0.8, 2.5))
    opening = _equity(log, OPENED, truth)
    closing = _equity(log, CLOSED, truth)
    bridge = equity_bridge(opening, closing)
    gained, lost = change(bridge, "bought"), change(bridge, "did_not_buy")
    assert gained > 0 > lost
    assert abs(gained + lost) < 0.25 * gained


def test_other_margins_stand_on_their_line_alone(log, opening):
    same, richer = _equity(log, CLOSED), _equity(log, CLOSED, margin=0.5)
    bridge, plain = equity_bridge(opening, richer), equity_bridge(opening, same)
    moved = bridge["value"] - plain["value"]
    assert moved["margin"] == pytest.approx(richer.total - same.total)
    assert moved.drop(["margin", CLOSING]).abs().max() == pytest.approx(0, abs=1e-6)


def test_a_period_more_of_horizon_is_worth_something(log, opening):
    assert change(equity_bridge(opening, _equity(log, CLOSED)), "horizon_moved") > 0


def test_a_restated_log_moves_only_its_line(log, opening):
    """Half of the customers turn out to have been one and the same shop's tests and are taken out of the log."""
    kept = log[log["customer_id"].str[1:].astype(int) < 1_500]
    restated = summarize_customers(kept, as_of=OPENED, annual_discount_rate=0.10)
    bridge = equity_bridge(opening, _equity(kept, CLOSED), restated=restated)
    taken_out = opening.values.frame["residual_value"].drop(restated.frame.index).sum()
    assert change(bridge, "restatement") == pytest.approx(-taken_out)
    assert adds_up(bridge)


def test_without_a_restated_summary_customers_gone_from_the_log_are_restatement(log, opening):
    kept = log[log["customer_id"].str[1:].astype(int) < 1_500]
    restated = summarize_customers(kept, as_of=OPENED, annual_discount_rate=0.10)
    closing = _equity(kept, CLOSED)
    told, found = equity_bridge(opening, closing, restated=restated), equity_bridge(opening, closing)
    pd.testing.assert_frame_equal(told, found)


def test_a_steady_plan_of_newcomers_needs_no_line_of_its_own(log):
    """The plan goes on as it was: what was expected of later newcomers is what is expected now."""
    opening, closing = _equity(log, OPENED, joining=40.0), _equity(log, CLOSED, joining=40.0)
    bridge = equity_bridge(opening, closing)
    assert abs(change(bridge, "acquisition_forecast")) < 0.01 * closing.potential
    assert change(bridge, "expected_newcomers") < 0


def test_a_larger_plan_is_told_as_such(log):
    opening, closing = _equity(log, OPENED, joining=40.0), _equity(log, CLOSED, joining=60.0)
    assert change(equity_bridge(opening, closing), "acquisition_forecast") == pytest.approx(
        closing.potential / 3, rel=0.03
    )


def test_a_sample_scaled_up_adds_up_too(log):
    def scaled(as_of):
        equity = _equity(log, as_of)
        customers = replace(equity.values.customers, stands_for=3.0)
        return customer_equity(lifetime_value(FIT, SPEND, customers, **TERMS), draws=1)

    opening, closing = scaled(OPENED), scaled(CLOSED)
    bridge = equity_bridge(opening, closing)
    assert adds_up(bridge)
    assert bridge.loc["new_customers", "value"] == pytest.approx(
        3 * equity_bridge(_equity(log, OPENED), _equity(log, CLOSED)).loc["new_customers", "value"]
    )


def test_cash_is_what_the_log_shows(log, opening):
    cash = period_cash(opening, _equity(log, CLOSED))
    days = (pd.Timestamp(CLOSED) - log["order_date"]).dt.days
    brought = log[days < (CLOSED - OPENED).days]
    assert cash["realised"] == pytest.approx(0.4 * brought["amount"].sum(), rel=0.01)  # carried for days only
    assert cash["realised"] == pytest.approx(cash["from_customers"] + cash["from_newcomers"])


def test_expected_cash_is_the_margin_released(log, opening):
    closing = _equity(log, CLOSED)
    assert period_cash(opening, closing)["expected_from_customers"] == pytest.approx(
        -change(equity_bridge(opening, closing), "released")
    )


def test_service_of_newcomers_is_taken_off_their_cash(log):
    def newcomers(service):
        terms = {"joining": 40.0, "costs": Costs(cost_to_serve_per_year=service)}
        return period_cash(_equity(log, OPENED, **terms), _equity(log, CLOSED, **terms))["from_newcomers"]

    assert newcomers(60.0) < newcomers(0.0)


def test_cash_is_missing_where_the_past_was_carried_at_another_rate(log, opening):
    assert np.isnan(period_cash(opening, _equity(log, CLOSED, annual_discount_rate=0.15))["realised"])


def test_cash_without_a_past_is_missing(opening, log):
    closing = _equity(log, CLOSED)
    bare = replace(
        closing.values.customers,
        frame=closing.values.customers.frame.drop(columns="spend_carried"),
        annual_discount_rate=None,
    )
    values = lifetime_value(FIT, SPEND, bare, **TERMS)
    assert np.isnan(period_cash(opening, customer_equity(values, draws=1))["realised"])


# --- refusals ---------------------------------------------------------------------------------------------------


def test_equities_in_the_wrong_order_are_refused(log, opening):
    with pytest.raises(SettingsError, match="give the earlier first"):
        equity_bridge(_equity(log, CLOSED), opening)


def test_equities_in_different_time_units_are_refused(log, opening):
    customers = summarize_customers(log, as_of=CLOSED, time_unit="day", annual_discount_rate=0.10)
    days = BGNBDFit.from_params((0.6, 42.0, 0.8, 2.5), time_unit="day")
    closing = customer_equity(lifetime_value(days, SPEND, customers, **TERMS), draws=1)
    with pytest.raises(SettingsError, match="counts in weeks, the closing in days"):
        equity_bridge(opening, closing)


def test_newcomers_in_one_equity_alone_are_refused(log, opening):
    with pytest.raises(SettingsError, match="only the closing values customers to be acquired"):
        equity_bridge(opening, _equity(log, CLOSED, joining=10.0))


def test_an_infinite_equity_is_refused(log, opening):
    endless = _equity(log, CLOSED, horizon=None, annual_discount_rate=0.0)
    with pytest.raises(SettingsError, match="infinite"):
        equity_bridge(opening, endless)


def test_summaries_without_dates_need_the_time_between_them(opening, log):
    undated = replace(opening.values.customers, as_of=None)
    values = lifetime_value(FIT, SPEND, undated, **TERMS)
    with pytest.raises(SettingsError, match="elapsed"):
        equity_bridge(customer_equity(values, draws=1), _equity(log, CLOSED))


def test_the_closing_day_may_be_any(log):
    closing = _equity(log, CLOSED)
    for back in (1, 7, 200):
        assert adds_up(equity_bridge(_equity(log, CLOSED - timedelta(days=back)), closing))
