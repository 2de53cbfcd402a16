"""The bridge of contracts: the published example, exact sums for random clubs, and what each step is about."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crm_analysis.errors import SettingsError
from crm_analysis.models.sbg import SBGFit, SBGParams
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.contract_bridge import CLOSING, OPENING, STEPS, contract_bridge
from crm_analysis.value.contract_equity import ContractEquity, contract_equity
from crm_analysis.value.contract_fits import one_chance
from crm_analysis.value.contract_values import contract_values
from crm_analysis.value.lifetime_value import Costs

from .clubs import PLANS, seen, simulated_club

OPENED, CLOSED = "2019-11-30", "2019-12-31"
FEES = {"month": 10.0, "year": 90.0}
TERMS: dict[str, Any] = {"fee": FEES, "annual_discount_rate": 0.10, "horizon": "24 months", "margin": 0.5}
FITS = {group: SBGFit.from_params(params, time_unit="") for group, (_, _, params) in PLANS.items()}
LATER = {group: SBGFit.from_params(SBGParams(a * 0.9, b), time_unit="") for group, (_, _, (a, b)) in PLANS.items()}


def equity(memberships: pd.DataFrame, as_of: str, newcomers: float | None = None, **changes: Any) -> ContractEquity:
    values = contract_values(memberships, as_of=as_of, **{"fits": FITS, **TERMS, **changes})
    joining = None if newcomers is None else planned_acquisition(newcomers, as_of=as_of, months=40)
    return contract_equity(values, acquisition=joining, draws=2)


def adds_up(bridge: pd.DataFrame) -> bool:
    opening, closing = bridge.loc[OPENING, "value"], bridge.loc[CLOSING, "value"]
    steps = bridge["value"].drop([OPENING, CLOSING]).sum()
    return bool(abs(opening + steps - closing) <= 1e-6 * max(abs(opening), 1.0))


# --- the worked example -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def example() -> pd.DataFrame:
    """1,000 members who pay 200 a year, of whom 780 renew; 150 join; retention rises from .80 to .82, margin by 1%."""
    before = pd.DataFrame({"customer_id": [f"c{i}" for i in range(1000)], "started_on": "2014-01-01", "ended_on": None})
    left = before.assign(ended_on=["2015-01-01"] * 220 + [None] * 780)
    joined = pd.DataFrame({"customer_id": [f"n{i}" for i in range(150)], "started_on": "2015-01-01", "ended_on": None})
    after = pd.concat([left, joined], ignore_index=True)
    terms: dict[str, Any] = {"fee": 200.0, "horizon": None}
    opening = equity(before.assign(renewal_period="1 year"), "2014-01-01", fits={"1 year": one_chance(0.20)}, **terms)
    closing = equity(
        after.assign(renewal_period="1 year"), "2015-01-01", fits={"1 year": one_chance(0.18)}, margin=0.505, **terms
    )
    return contract_bridge(opening, closing)


@pytest.mark.parametrize(
    ("steps", "value"),
    [
        ((OPENING,), 266_666.67),
        (("unwinding",), 26_666.67),
        (("released",), -80_000.00),
        (("horizon_moved",), 0.0),
        (("renewed", "left"), -5_333.33),
        (("not_due", "fees"), 0.0),
        (("new_members",), 40_000.00),
        (("parameters",), 24_357.14),
        (("margin",), 2_723.57),
        ((CLOSING,), 275_080.71),
    ],
)
def test_the_worked_example_is_reproduced(example, steps, value):
    # To a year of 365 days, where the example has one of 365.25.
    assert example.loc[list(steps), "value"].sum() == pytest.approx(value, rel=1e-3, abs=25)


def test_the_worked_example_adds_up(example):
    assert adds_up(example)
    assert example["customers"].dropna().to_dict() == {
        OPENING: 1000, "renewed": 780, "left": 220, "not_due": 0, "fees": 0, "new_members": 150, CLOSING: 930,
    }  # fmt: skip


# --- random clubs -------------------------------------------------------------------------------------------------

CLUBS = [simulated_club(seed, 120, since="2016-01-01", until="2019-12-31") for seed in range(4)]
either = st.booleans()


@settings(max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(
    club=st.sampled_from(CLUBS), horizon=st.sampled_from([None, "12 months", "3 years", 30.5]), newcomers=either,
    closed=st.sampled_from([CLOSED, "2019-12-15", "2020-11-30"]), margin=st.floats(0.1, 0.9), rate=st.floats(0.02, 0.3),
    fee=st.floats(5, 20), other_horizon=either, corrected=either, moved=either, costs=either,
)  # fmt: skip
def test_steps_add_up_exactly(
    club, horizon, newcomers, closed, margin, rate, fee, other_horizon, corrected, moved, costs
):
    later = seen(club, closed)
    if corrected:  # a row is gone, another turns out to have begun long ago
        late = later.iloc[:1].assign(customer_id="late", started_on=pd.Timestamp("2017-02-03"), ended_on=pd.NaT)
        later = pd.concat([later.iloc[5:], late], ignore_index=True)
    if moved:  # members of a month go on under a contract of a year
        later = _moved(later, closed)
    joining = 10.0 if newcomers and horizon is not None else None
    opening = equity(seen(club, OPENED), OPENED, joining, horizon=horizon)
    closing = equity(
        later, closed, None if joining is None else 12.0, fits=LATER, margin=margin, annual_discount_rate=rate,
        fee={"month": fee, "year": 100.0}, horizon="20 months" if other_horizon and horizon is not None else horizon,
        costs=Costs(8, 0.5, 6, 0.2) if costs else None,
    )  # fmt: skip
    bridge = contract_bridge(opening, closing)
    assert adds_up(bridge)
    assert bridge.index.to_list() == list(STEPS)
    assert bridge["value"].notna().all()
    assert abs(bridge.loc["not_due", "value"]) <= 1e-6 * opening.total


def _moved(rows: pd.DataFrame, closed: str) -> pd.DataFrame:
    day = pd.Timestamp("2019-12-05")
    chosen = rows.index[(rows["plan"] == "month") & rows["ended_on"].isna() & (rows["started_on"] < day)][:5]
    onward = rows.loc[chosen].assign(started_on=day, plan="year", renewal_period="1 year")
    return pd.concat(
        [rows.assign(ended_on=rows["ended_on"].where(~rows.index.isin(chosen), day)), onward], ignore_index=True
    )


# --- single steps -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def club() -> pd.DataFrame:
    return simulated_club(3, 400, since="2016-01-01", until="2019-12-31")


@pytest.fixture(scope="module")
def opening(club) -> ContractEquity:
    return equity(seen(club, OPENED), OPENED)


def test_what_did_not_change_has_no_line(club, opening):
    bridge = contract_bridge(opening, equity(seen(club, CLOSED), CLOSED))
    quiet = ["restatement", "fees", "expected_newcomers", "acquisition_forecast", "parameters", "margin", "costs",
             "discount_rate", "horizon"]  # fmt: skip
    np.testing.assert_allclose(bridge.loc[quiet, "value"], 0, atol=1e-9 * opening.total)


def test_who_renews_is_worth_more_than_expected_and_who_leaves_less(club, opening):
    bridge = contract_bridge(opening, equity(seen(club, CLOSED), CLOSED))
    assert bridge.loc["renewed", "value"] > 0 > bridge.loc["left", "value"]


@pytest.mark.parametrize(
    ("step", "changes"),
    [
        ("margin", {"margin": 0.6}),
        ("costs", {"costs": Costs(cost_to_serve_per_year=5)}),
        ("discount_rate", {"annual_discount_rate": 0.2}),
        ("horizon", {"horizon": "36 months"}),
        ("parameters", {"fits": LATER}),
        ("fees", {"fee": {"month": 11.0, "year": 90.0}}),
    ],
)
def test_a_change_is_found_on_its_own_line(club, opening, step, changes):
    plain, changed = (
        contract_bridge(opening, equity(seen(club, CLOSED), CLOSED, **some))["value"] for some in ({}, changes)
    )
    difference = changed - plain
    assert difference[step] == pytest.approx(difference[CLOSING], rel=0.1)
    if step != "fees":  # those who joined since pay the new fees too
        assert difference.drop([step, CLOSING]).abs().max() < 1e-9 * opening.total


def test_who_was_not_in_the_earlier_table_is_a_restatement(club, opening):
    rows = seen(club, CLOSED)
    late = rows[rows["ended_on"].isna()].iloc[:1].assign(customer_id="late", started_on=pd.Timestamp("2017-02-03"))
    bridge = contract_bridge(opening, equity(pd.concat([rows, late]), CLOSED))
    assert bridge.loc["restatement", "value"] > 0


def test_who_goes_on_under_a_contract_of_another_length_has_renewed(club, opening):
    rows = seen(club, CLOSED)
    plain, moved = (
        contract_bridge(opening, equity(some, CLOSED))["customers"] for some in (rows, _moved(rows, CLOSED))
    )
    assert moved["new_members"] == plain["new_members"]
    assert moved["left"] == plain["left"]


# --- bad input ----------------------------------------------------------------------------------------------------


def test_equities_that_do_not_go_together_are_refused(club, opening):
    closing = equity(seen(club, CLOSED), CLOSED)
    joining = equity(seen(club, CLOSED), CLOSED, 10.0)
    endless = replace(closing, current=np.inf)
    for first, second, told in [
        (closing, opening, "give the earlier first"),
        (opening, joining, "only the closing values future members"),
        (opening, endless, "the closing equity is infinite or missing"),
        (opening, None, "closing is a NoneType; give a ContractEquity"),
    ]:
        with pytest.raises(SettingsError, match=told):
            contract_bridge(first, second)
