"""Members and those who will join, added up: what intervals hold, how newcomers are counted and valued."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.models.sbg import SBGFit, SBGParams
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.contract_equity import ContractEquity, contract_equity
from crm_analysis.value.contract_fits import drawn_groups, one_chance
from crm_analysis.value.contract_newcomers import contract_newcomers, newcomer_mix
from crm_analysis.value.contract_values import ContractValues, contract_values
from crm_analysis.value.lifetime_value import Costs

from .clubs import PLANS, realised, seen, simulated_club

FEES = {"month": 10.0, "year": 90.0}
TERMS: dict[str, Any] = {"annual_discount_rate": 0.10, "horizon": "24 months", "margin": 0.5}


def value(memberships: pd.DataFrame, as_of: str = "2019-12-31", **changes: Any) -> ContractValues:
    return contract_values(memberships, as_of=as_of, **{"fee": FEES, **TERMS, **changes})


@pytest.fixture(scope="module")
def club() -> pd.DataFrame:
    return simulated_club(5, 1500, since="2015-01-01", until="2021-12-31")


@pytest.fixture(scope="module")
def values(club) -> ContractValues:
    return value(seen(club, "2019-12-31"), costs=Costs(acquisition_cost=8, cost_to_serve_per_year=6))


@pytest.fixture(scope="module")
def equity(values) -> ContractEquity:
    return contract_equity(values, acquisition=plan(18), draws=300)


def plan(number: float, as_of: str = "2019-12-31", error: float = 0.1):
    return planned_acquisition(number, as_of=as_of, months=24, error=error)


# --- sums and intervals -------------------------------------------------------------------------------------------


def test_equity_is_members_and_newcomers_net_of_their_cost(equity, values):
    assert equity.current == values.total
    assert equity.total == pytest.approx(equity.current + equity.potential - equity.acquisition_cost)


def test_intervals_say_what_they_contain(equity):
    assert equity.interval.contains == ("parameters", "number of new customers", "individual randomness")
    assert equity.current_interval.contains == ("parameters", "individual randomness")
    assert equity.parameter_interval.contains == ("parameters", "number of new customers")


def test_intervals_hold_what_they_are_of(equity):
    assert equity.total in equity.interval
    assert equity.total in equity.parameter_interval
    assert equity.current in equity.current_interval


def test_draws_come_out_at_the_expectation(equity):
    for column, expected in (("current_outcome", equity.current), ("outcome", equity.total)):
        drawn = equity.draws[column]
        assert abs(drawn.mean() - expected) < 4 * drawn.std() / np.sqrt(len(drawn)) + 0.01 * expected


def test_chance_adds_to_the_doubt_of_estimation(equity):
    assert equity.draws["current_outcome"].std() > equity.draws["current_expected"].std()


def test_the_same_seed_gives_the_same_interval(values, equity):
    again = contract_equity(values, acquisition=plan(18), draws=300)
    pd.testing.assert_frame_equal(again.draws, equity.draws)


def test_without_an_acquisition_newcomers_are_missing(values):
    equity = contract_equity(values, draws=10)
    assert (equity.potential, equity.acquisition_cost, equity.total) == (None, None, values.total)


def test_intervals_hold_what_simulated_members_then_pay():
    held, clubs = 0, 25
    for seed in range(clubs):
        club = simulated_club(seed, 300, since="2017-01-01", until="2019-12-31", plans={"month": PLANS["month"]})
        values = value(seen(club, "2019-12-31"), fee={"month": 10.0}, horizon="12 months", margin=1.0)
        interval = contract_equity(values, draws=200, seed=seed, level=0.90).current_interval
        paid = realised(club, values.frame.index, "2019-12-31", "2020-12-31", {"month": 10.0}, 0.10)
        held += paid in interval
    assert held >= 18  # of 25 at 90%, all but three in a thousand times


def test_without_end_draws_come_near_the_closed_form(club):
    equity = contract_equity(value(seen(club, "2019-12-31"), horizon=None, fits=given_fits()), draws=60)
    assert equity.draws["current_expected"].mean() == pytest.approx(equity.current, rel=0.01)
    assert equity.current in equity.current_interval


def test_an_infinite_equity_is_called_infinite(club):
    endless = value(seen(club, "2019-12-31"), horizon=None, annual_discount_rate=0.0)
    assert contract_equity(endless, draws=10).total == np.inf


def test_without_end_and_discount_a_finite_equity_has_no_interval(club):
    loyal = {group: SBGFit.from_params(SBGParams(3.0, 9.0), time_unit="") for group in PLANS}
    equity = contract_equity(value(seen(club, "2019-12-31"), horizon=None, annual_discount_rate=0.0, fits=loyal))
    assert np.isfinite(equity.total)
    assert np.isnan(equity.interval.lower)


def given_fits() -> dict[str, SBGFit]:
    return {group: SBGFit.from_params(params, time_unit="") for group, (_, _, params) in PLANS.items()}


def test_parameters_without_doubt_are_not_said_to_be_in_the_interval(club):
    values = value(seen(club, "2019-12-31"), fits=given_fits())
    assert contract_equity(values, draws=10).current_interval.contains == ("individual randomness",)


def test_one_chance_for_all_has_its_own_doubt():
    rows = pd.DataFrame(
        {"customer_id": list("abcd"), "started_on": "2018-01-15", "ended_on": [None] * 3 + ["2019-01-15"]}
    )
    values = value(rows.assign(renewal_period="1 year"), fee=10.0)
    chances = np.array(
        [1 - float(fits["1 year"].retention(1)) for fits in drawn_groups(values.fits, values.groups, 2000, 1)]
    )
    # Beta(2, 4): one of four renewals was not made.
    assert chances.mean() == pytest.approx(1 / 3, abs=0.02)
    assert chances.std() == pytest.approx(np.sqrt(2 * 4 / 36 / 7), abs=0.02)


# --- newcomers ----------------------------------------------------------------------------------------------------


def test_newcomers_are_counted_once_in_the_month_they_first_join():
    rows = pd.DataFrame(
        [("a", "2019-01-01"), ("a", "2019-03-05"), ("b", "2019-01-31"), ("c", "2019-03-31"), ("d", "2019-04-01")],
        columns=["customer_id", "started_on"],
    ).assign(ended_on=None)  # fmt: skip
    counted = contract_newcomers(rows, as_of="2019-03-31")
    assert counted.to_dict() == {date(2019, 1, 31): 2, date(2019, 2, 28): 0, date(2019, 3, 31): 1}


def test_the_month_of_the_first_member_is_left_out_where_it_is_not_whole():
    rows = pd.DataFrame({"customer_id": list("ab"), "started_on": ["2019-01-02", "2019-02-03"], "ended_on": None})
    assert contract_newcomers(rows, as_of="2019-03-31").to_list() == [1, 0]


def test_a_table_that_begins_later_has_no_newcomers():
    rows = pd.DataFrame({"customer_id": ["a"], "started_on": ["2019-05-02"], "ended_on": None})
    assert contract_newcomers(rows, as_of="2019-03-31").empty


def test_newcomers_take_the_contracts_of_the_last_year(values):
    contracts = values.contracts
    mix = newcomer_mix(contracts, values.as_of)
    recent = contracts[contracts["started_on"] > "2018-12-31"]
    assert mix["share"].to_dict() == pytest.approx(recent["plan"].value_counts(normalize=True).to_dict())
    assert mix["fee"].to_dict() == FEES


def test_a_newcomer_is_worth_what_the_first_and_later_payments_bring():
    # One joins in the middle of January and pays by the year, half renew: within 24 months two payments.
    rows = pd.DataFrame(
        {"customer_id": ["a"], "started_on": ["2019-05-02"], "ended_on": None, "renewal_period": "1 year"}
    )
    values = value(rows, fee=100.0, fits={"1 year": one_chance(0.5)})
    one = replace(plan(0.0), expected=np.array([1.0, *[0.0] * 23]))
    middle = 15.5 / 365.25
    assert contract_equity(values, acquisition=one, draws=10).potential == pytest.approx(
        50 * (1.1**-middle + 0.5 * 1.1 ** -(middle + 1)), rel=1e-4
    )


def test_twice_as_many_newcomers_are_worth_twice_as_much(values, equity):
    twice = contract_equity(values, acquisition=plan(36), draws=10)
    assert twice.potential == pytest.approx(2 * equity.potential)
    assert twice.acquisition_cost == pytest.approx(2 * equity.acquisition_cost)


# --- keeping, bad input -------------------------------------------------------------------------------------------


def test_equity_survives_saving(equity, tmp_path):
    equity.save(tmp_path)
    again = ContractEquity.load(tmp_path)
    assert (again.total, again.interval, again.future) == (equity.total, equity.interval, equity.future)
    pd.testing.assert_frame_equal(again.values.contracts, equity.values.contracts)


def test_an_acquisition_of_another_date_is_refused(values):
    with pytest.raises(SettingsError, match="forecast it as of the same date"):
        contract_equity(values, acquisition=plan(10, as_of="2019-11-30"))


def test_newcomers_without_a_horizon_are_refused(club):
    endless = value(seen(club, "2019-12-31"), horizon=None)
    with pytest.raises(SettingsError, match="valued within a horizon"):
        contract_equity(endless, acquisition=plan(10))


def test_values_of_another_kind_are_refused():
    with pytest.raises(SettingsError, match="give the ContractValues of contract_values"):
        contract_equity([])


def test_a_folder_without_an_equity_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="holds no saved equity of contracts"):
        ContractEquity.load(tmp_path)
