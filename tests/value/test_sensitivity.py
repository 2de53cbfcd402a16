"""Changes of the time to come: levers, scenarios, and the simple multiple beside the headline."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.cnbd import CNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.nbd import NBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.settings import Settings
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.lifetime_value import Costs, lifetime_value
from crm_analysis.value.period import period_acquisition
from crm_analysis.value.plausibility import gupta_lehmann_multiple, plausibility_check, yearly_retention
from crm_analysis.value.sensitivity import Change, equity_if, leaving_changed, scenario_table, tornado
from crm_analysis.value.unprofitable import unprofitable_customers

AS_OF = date(2024, 6, 30)
SPEND = GammaGammaFit.from_params((6.0, 4.0, 16.0), time_unit="")
FITS = {
    "BG/NBD": BGNBDFit.from_params((0.6, 6.0, 0.8, 2.5)),
    "Pareto/NBD": ParetoNBDFit.from_params((0.6, 6.0, 0.6, 12.0)),
}
CUSTOMERS = CustomerSummary(
    pd.DataFrame(
        {
            "frequency": [0, 1, 3, 12, 4],
            "recency": [0.0, 10.0, 40.0, 70.0, 8.0],
            "T": [20.0, 60.0, 52.0, 71.0, 80.0],
            "monetary_value": [np.nan, 20.0, 35.0, 28.0, 90.0],
        },
        index=list("abcde"),
    ),
    "week",
    AS_OF,
)
COSTS = Costs(acquisition_cost=6.0, cost_per_order=0.5, cost_to_serve_per_year=3.0, tax_rate=0.2)


def equity_of(fit=FITS["BG/NBD"], horizon="24 months", joining=30.0, rate=0.10, costs=COSTS) -> CustomerEquity:
    values = lifetime_value(fit, SPEND, CUSTOMERS, horizon=horizon, annual_discount_rate=rate, margin=0.4, costs=costs)
    plan = None if joining is None else planned_acquisition(joining, as_of=AS_OF, months=24)
    return customer_equity(values, acquisition=plan, draws=1)


@pytest.mark.parametrize("model", FITS)
def test_without_a_change_equity_is_as_it_was(model):
    equity = equity_of(FITS[model])
    same = equity_if(equity, Change())
    assert same.current == pytest.approx(equity.current)
    assert same.potential == pytest.approx(equity.potential)
    assert same.acquisition_cost == pytest.approx(equity.acquisition_cost)


@pytest.mark.parametrize(
    "change",
    [
        Change(leaving=-0.1), Change(purchase_rate=0.1), Change(spend=0.1), Change(newcomers=0.1), Change(margin=0.45),
        Change(acquisition_cost=-0.1), Change(cost_per_order=-0.1), Change(cost_to_serve=-0.1),
        Change(horizon="36 months"), Change(annual_discount_rate=0.05),
    ],
)  # fmt: skip
@pytest.mark.parametrize("model", FITS)
def test_what_is_better_for_the_company_raises_equity(model, change):
    equity = equity_of(FITS[model])
    assert equity_if(equity, change).total > equity.total


def test_fewer_leaving_brings_nobody_back():
    """Customer e is all but gone; what is left of that chance is worth more, but the chance is what it was."""
    fit = FITS["BG/NBD"]
    gone = replace(CUSTOMERS, frame=CUSTOMERS.frame.loc[["e"]])
    chance = fit.probability_alive(gone).iloc[0]
    values = lifetime_value(fit, SPEND, gone, horizon="24 months", annual_discount_rate=0.1, margin=0.4)
    better = equity_if(customer_equity(values, draws=1), Change(leaving=-0.5)).current
    for_certain = replace(gone, frame=gone.frame.assign(recency=80.0))
    changed = leaving_changed(fit, -0.5)
    given_there = changed.discounted_residual_purchases(for_certain, annual_discount_rate=0.1, horizon="24 months")
    share = given_there.iloc[0] / changed.probability_alive(for_certain).iloc[0]
    assert better == pytest.approx(chance * share * 0.4 * SPEND.expected_spend(gone).iloc[0], rel=1e-6)


@pytest.mark.parametrize("model", FITS)
def test_leaving_changes_the_mean_chance_by_the_share_asked_for(model):
    fit, changed = FITS[model], leaving_changed(FITS[model], -0.1)
    mean = {"BG/NBD": lambda p: p.a / (p.a + p.b), "Pareto/NBD": lambda p: p.s / p.beta}[model]
    assert mean(changed.params) == pytest.approx(0.9 * mean(fit.params))


def test_leaving_cannot_change_where_nobody_leaves():
    with pytest.raises(SettingsError, match="nobody leaves"):
        equity_if(equity_of(NBDFit.from_params((0.6, 6.0))), Change(leaving=-0.1))


def test_leaving_cannot_pass_certainty():
    with pytest.raises(SettingsError, match="for certain"):
        equity_if(equity_of(), Change(leaving=9.0))


@pytest.mark.parametrize("wrong", [{"leaving": -1.0}, {"spend": float("nan")}, {"newcomers": -2.0}])
def test_a_change_below_nothing_is_refused(wrong):
    with pytest.raises(SettingsError, match="above -1"):
        Change(**wrong)


def test_a_faster_life_of_bg_nbd_customers_is_a_longer_one():
    """Undiscounted and without service, living 10% faster within a horizon is living a horizon 10% longer."""
    equity = equity_of(horizon=100.0, joining=None, rate=0.0, costs=Costs())
    longer = equity_of(horizon=110.0, joining=None, rate=0.0, costs=Costs())
    assert equity_if(equity, Change(purchase_rate=0.1)).current == pytest.approx(longer.current)


def test_a_tornado_puts_the_widest_first():
    table = tornado(equity_of())
    width = (table["up"] - table["down"]).abs().to_numpy()
    assert (np.diff(width) <= 0).all()
    assert set(table.index) == {
        "retention", "purchase_rate", "spend", "margin", "discount_rate", "horizon", "newcomers", "acquisition_cost",
    }  # fmt: skip


def test_an_elasticity_is_percent_for_percent():
    equity = equity_of(joining=None, costs=Costs())
    table = tornado(equity)
    assert table.loc["spend", "elasticity"] == pytest.approx(1.0)
    assert table.loc["margin", "elasticity"] == pytest.approx(1.0)
    assert table.loc["discount_rate", "elasticity"] < 0


def test_levers_the_valuation_does_not_have_are_left_out():
    table = tornado(equity_of(NBDFit.from_params((0.6, 6.0)), joining=None))
    assert not {"retention", "newcomers", "acquisition_cost"} & set(table.index)


def test_a_lever_that_would_pass_certainty_is_left_out():
    assert "retention" not in tornado(equity_of(BGNBDFit.from_params((0.6, 6.0, 3.0, 0.25)))).index


def test_a_scenario_stands_beside_equity_as_it_is():
    equity = equity_of()
    table = scenario_table(equity, {"dear": Change(acquisition_cost=1.0), "loyal": Change(leaving=-0.2, spend=0.05)})
    assert list(table.index) == ["", "dear", "loyal"]
    assert table.loc["", "change"] == pytest.approx(0, abs=1e-9)
    assert table.loc["dear", "change"] == pytest.approx(-equity.acquisition_cost)
    assert table.loc["loyal", "total"] > equity.total


# --- the simple multiple ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("retention", "rate", "multiple"),
    [(0.6, 0.10, 1.2000), (0.7, 0.12, 1.6667), (0.8, 0.12, 2.5000), (0.9, 0.10, 4.5000), (0.9, 0.12, 4.0909)],
)
def test_published_multiples_are_reproduced(retention, rate, multiple):
    assert gupta_lehmann_multiple(retention, rate) == pytest.approx(multiple, abs=5e-5)


@pytest.mark.parametrize(("retention", "elasticity"), [(0.8, 3.50), (0.9, 5.09)])
def test_one_percent_of_retention_moves_the_multiple_as_published(retention, elasticity):
    step = 1e-6 * retention
    low, high = (gupta_lehmann_multiple(retention + sign * step, 0.12) for sign in (-1, 1))
    assert (high - low) / (2 * step) * retention / gupta_lehmann_multiple(retention, 0.12) == pytest.approx(
        elasticity, abs=0.005
    )


def test_a_first_margin_now_is_one_margin_more():
    now = gupta_lehmann_multiple(0.8, 0.12, first_margin_now=True)
    assert now == pytest.approx(1 + gupta_lehmann_multiple(0.8, 0.12))


def test_growth_that_outruns_the_rate_is_infinite():
    assert gupta_lehmann_multiple(0.95, 0.05, margin_growth=0.2) == float("inf")


@pytest.mark.parametrize("wrong", [(-0.1, 0.1), (1.1, 0.1), (0.8, -0.1)])
def test_impossible_rates_are_refused(wrong):
    with pytest.raises(SettingsError):
        gupta_lehmann_multiple(*wrong)


def test_a_base_that_nobody_leaves_keeps_all_and_agrees_with_the_simple_figure():
    equity = equity_of(NBDFit.from_params((0.6, 6.0)), joining=None, costs=Costs())
    check = plausibility_check(equity)
    assert check.retention == pytest.approx(1.0)
    assert check.by_retention == pytest.approx(equity.current, rel=2e-3)  # margins in the middle of their year


def test_retention_over_a_year_follows_simulated_lives():
    """Of 50,000 simulated customers who are there now, the share still there in a year."""
    fit, rng = FITS["Pareto/NBD"], np.random.default_rng(4)
    new = CustomerSummary(pd.DataFrame({"frequency": [0], "recency": [0.0], "T": [0.0]}), "week", AS_OF)
    values = lifetime_value(fit, SPEND, new.__class__(new.frame.assign(monetary_value=np.nan), "week", AS_OF),
                            horizon="24 months", annual_discount_rate=0.1, margin=0.4)  # fmt: skip
    leaves = rng.exponential(size=50_000) / rng.gamma(0.6, 1 / 12.0, size=50_000)
    still = float((leaves > 365.25 / 7).mean())
    assert yearly_retention(customer_equity(values, draws=1)) == pytest.approx(still, abs=0.01)


def test_retention_is_not_that_of_the_season_it_falls_into():
    """A December at double speed moves what is bought in it, not the chance to be there after a year."""
    names = ["r", "alpha", "a", "b"]

    def retention(december):
        factors = (*[(12 - december) / 11] * 11, december)
        fit = ClockedFit(
            params=CNBDParams(1, 0.6, 6.0, 0.8, 2.5), covariance=pd.DataFrame(np.nan, index=names, columns=names),
            log_likelihood=np.nan, number_of_customers=0, time_unit="week", converged=True,
            clock=OrderClock(factors, date(2020, 1, 1), date(2023, 12, 31), 0.0, "week"),
        )  # fmt: skip
        days = pd.DataFrame(
            {"first_purchase": [pd.Timestamp(2023, 1, 10)], "last_purchase": [pd.Timestamp(2023, 11, 20)]}
        )
        frame = days.assign(frequency=5, recency=44.9, T=50.7, monetary_value=20.0)
        customers = CustomerSummary(frame, "week", date(2023, 12, 31))
        values = lifetime_value(fit, SPEND, customers, horizon="24 months", annual_discount_rate=0.1, margin=0.4)
        return yearly_retention(customer_equity(values, draws=1))

    assert retention(2.0) == pytest.approx(retention(1.0), abs=0.03)


def test_a_plan_is_wanted_for_the_months_of_the_horizon_alone(tmp_path):
    """Two years that hold a 29 February are 24 months, not 25."""
    as_of = date(2022, 12, 31)
    days = pd.date_range("2022-01-01", as_of, freq="3D")
    log = pd.DataFrame({"customer_id": [f"c{i % 40}" for i in range(len(days))], "order_date": days, "amount": 10.0})
    customers = summarize_customers(log, as_of=as_of)
    values = lifetime_value(FITS["BG/NBD"], SPEND, customers, horizon="24 months", annual_discount_rate=0.1, margin=0.4)
    plan = {f"{year}-{month:02d}": 10 for year in (2023, 2024) for month in range(1, 13)}
    settings = Settings(acquisition={"source": "plan", "plan": plan})
    joining, _words = period_acquisition(read_transactions(log), values, settings)
    assert joining.expected.sum() == 240


# --- who costs more than they bring ------------------------------------------------------------------------------


def test_unprofitable_customers_are_told_with_their_costs():
    equity = equity_of(joining=None, costs=Costs(cost_per_order=4.0, cost_to_serve_per_year=30.0, tax_rate=0.2))
    found = unprofitable_customers(equity.values)
    below = equity.values.frame["residual_value"] < 0
    assert found.customers == below.sum() > 0
    assert found.value == pytest.approx(found.margin - found.orders - found.service + found.tax)
    assert found.value == pytest.approx(equity.values.frame.loc[below, "residual_value"].sum())


def test_tax_leaves_its_share_of_everything():
    free, taxed = equity_of(costs=replace(COSTS, tax_rate=0.0)), equity_of(costs=replace(COSTS, tax_rate=0.25))
    assert taxed.current == pytest.approx(0.75 * free.current)
    assert taxed.potential == pytest.approx(0.75 * free.potential)
    assert taxed.acquisition_cost == pytest.approx(0.75 * free.acquisition_cost)


def test_a_tax_of_everything_is_refused():
    with pytest.raises(SettingsError, match="tax_rate"):
        Costs(tax_rate=1.0)
