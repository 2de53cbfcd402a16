"""Levers of a company of contracts: what must hold, and one worked by hand."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.contract_equity import ContractEquity, contract_equity
from crm_analysis.value.contract_fits import one_chance
from crm_analysis.value.contract_levers import LEVERS, contract_equity_if, contract_levers
from crm_analysis.value.contract_values import contract_values
from crm_analysis.value.lifetime_value import Costs
from crm_analysis.value.sensitivity import Change

from .clubs import seen, simulated_club

AS_OF = "2019-12-31"


@pytest.fixture(scope="module")
def equity() -> ContractEquity:
    club = simulated_club(3, 600, since="2016-01-01", until=AS_OF)
    values = contract_values(
        seen(club, AS_OF), as_of=AS_OF, fee={"month": 10.0, "year": 90.0}, annual_discount_rate=0.10,
        horizon="24 months", margin=0.5, costs=Costs(8, 0.5, 6, 0.2),
    )  # fmt: skip
    return contract_equity(values, acquisition=planned_acquisition(10, as_of=AS_OF, months=30), draws=2)


@pytest.fixture(scope="module")
def levers(equity) -> pd.DataFrame:
    return contract_levers(equity)


def test_where_nothing_changes_equity_is_the_same(equity):
    same = contract_equity_if(equity, Change())
    assert (same.current, same.total) == pytest.approx((equity.current, equity.total), rel=1e-12)


def test_all_levers_of_the_valuation_are_there(levers):
    assert set(levers.index) == set(LEVERS)


def test_the_widest_comes_first(levers):
    assert (levers["up"] - levers["down"]).abs().is_monotonic_decreasing


def test_up_raises_equity_where_more_is_better(levers):
    good = levers.loc[["retention", "fee", "margin", "horizon", "newcomers"]]
    assert (good["up"] > 0).all()
    assert (good["down"] < 0).all()
    assert (levers.loc[["discount_rate", "acquisition_cost"], "up"] < 0).all()


def test_fees_and_newcomers_work_in_proportion(levers):
    np.testing.assert_allclose(levers.loc[["fee", "newcomers"], "up"], -levers.loc[["fee", "newcomers"], "down"])


def test_a_lower_chance_to_leave_is_worked_by_hand():
    # Half leave at the one renewal in sight; with a tenth less of that 55 in 100 renew.
    rows = pd.DataFrame(
        {"customer_id": ["a"], "started_on": ["2019-03-01"], "ended_on": None, "renewal_period": "1 year"}
    )
    values = contract_values(rows, as_of=AS_OF, fee=100.0, annual_discount_rate=0.0, horizon="12 months", margin=0.5,
                             fits={"1 year": one_chance(0.5)})  # fmt: skip
    levers = contract_levers(contract_equity(values, draws=2))
    assert levers.loc["retention", ["down", "up"]].to_list() == pytest.approx([-2.5, 2.5], rel=1e-4)
    assert levers.loc["retention", "elasticity"] == pytest.approx(1.0, rel=1e-4)


def test_levers_the_valuation_does_not_have_are_left_out(equity):
    alone = contract_equity(equity.values, draws=2)
    assert not {"newcomers", "acquisition_cost"} & set(contract_levers(alone).index)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (Change(purchase_rate=0.1), "renewed by the calendar"),
        (Change(leaving=50.0), "would leave for certain"),
    ],
)
def test_changes_that_cannot_be_are_refused(equity, change, told):
    with pytest.raises(SettingsError, match=told):
        contract_equity_if(equity, change)


def test_steps_that_cannot_be_are_refused(equity):
    with pytest.raises(SettingsError, match="step is 2"):
        contract_levers(equity, step=2)
