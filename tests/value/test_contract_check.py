"""Contracts under other terms, beside a simple figure, and in curves."""

import numpy as np
import pytest

from crm_analysis import contract_churn, contract_values, retention_curves
from crm_analysis.value.contract_check import (
    by_later_models,
    contract_plausibility,
    contracts_worth,
    yearly_retention,
)

from .clubs import seen, simulated_club

# Whether an estimate on a few hundred contracts is doubtful is not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")

AS_OF = "2023-09-30"
TERMS = {"fee": {"month": 20.0, "year": 200.0}, "annual_discount_rate": 0.1, "horizon": "24 months", "margin": 0.5}


@pytest.fixture(scope="module")
def club():
    return simulated_club(5, 1_000, since="2020-01-01", until=AS_OF)


@pytest.fixture(scope="module")
def values(club):
    return contract_values(seen(club, AS_OF), as_of=AS_OF, **TERMS)


def test_under_its_own_terms_a_base_is_worth_what_it_is_worth(values):
    assert contracts_worth(values, horizon="24 months", annual_discount_rate=0.1) == pytest.approx(values.total)


def test_a_longer_horizon_and_a_lower_rate_are_worth_more(values):
    assert contracts_worth(values, horizon="36 months", annual_discount_rate=0.1) > values.total
    assert contracts_worth(values, horizon="24 months", annual_discount_rate=0.05) > values.total


def test_retention_of_a_year_is_what_simulated_members_do():
    """Members of the date who are still there a year later, in a club whose ends are known for ever."""
    club = simulated_club(5, 4_000, since="2015-01-01", until=AS_OF)
    values = contract_values(seen(club, AS_OF), as_of=AS_OF, **TERMS)
    truth = club.set_index("customer_id")["ended_on"]
    members = values.contracts.loc[values.contracts["running"], "customer_id"]
    stayed = (truth[members] > "2024-09-30").mean()
    assert yearly_retention(values) == pytest.approx(stayed, abs=0.03)


def test_the_simple_figure_repeats_the_first_year_at_one_rate(values):
    check = contract_plausibility(values)
    ratio = check.retention / 1.1
    years = values.assumptions.horizon_in_units / 12
    assert check.by_retention == pytest.approx(check.first_year * (1 - ratio**years) / (1 - ratio) / 1.1**0.5)
    assert check.by_model == values.total


def test_valued_by_its_own_models_a_base_does_not_change(values):
    again = by_later_models(values, values)
    np.testing.assert_allclose(again.frame["residual_value"], values.frame["residual_value"])


def test_an_earlier_base_takes_the_models_of_today(club, values):
    before = contract_values(seen(club, "2023-06-30"), as_of="2023-06-30", **TERMS)
    again = by_later_models(before, values)
    assert again.as_of == before.as_of
    assert again.fits["month"].params == values.fits["month"].params
    assert again.total != before.total


# --- curves -------------------------------------------------------------------------------------------------------


def test_a_curve_multiplies_the_retentions_observed(values):
    curve = retention_curves(values, draws=100).loc["month"]
    seen_part = curve[curve["up_for_renewal"] > 0]
    np.testing.assert_allclose(seen_part["observed_survival"], seen_part["observed_retention"].cumprod())
    assert curve["observed_survival"].iloc[0] == 1


def test_a_curve_goes_on_beyond_what_was_seen_and_nothing_is_observed_there(values):
    curve = retention_curves(values, draws=100).loc["month"]
    beyond = curve[(curve["up_for_renewal"] == 0) & (curve.index > 0)]
    assert len(beyond) > 5
    assert beyond["observed_survival"].isna().all()
    assert beyond["survival"].notna().all()


def test_groups_that_share_a_fit_are_one_curve(club):
    few = seen(club, AS_OF)
    plans = few["plan"].where(few.index % 200 != 0, few["plan"] + " trial")
    found = retention_curves(contract_values(few.assign(plan=plans), as_of=AS_OF, **TERMS | {"fee": 20.0}), draws=100)
    names = set(found.index.get_level_values("group"))
    assert {"month", "all renewed after 1 month"} <= names
    assert "month trial" not in names


# --- churn --------------------------------------------------------------------------------------------------------


def test_recurring_fees_lost_are_those_of_members_lost(club):
    table = seen(club, AS_OF).assign(fee=lambda t: t["plan"].map(TERMS["fee"]))
    rates = contract_churn(table, start="2023-06-30", end=AS_OF)
    ran = table[(table["started_on"] <= "2023-06-30") & ~(table["ended_on"] <= "2023-06-30")]
    yearly = ran["fee"] * ran["plan"].map({"month": 12, "year": 1})
    row = rates.loc[("money", "recurring_fees")]
    assert row["start"] == pytest.approx(yearly.sum(), rel=1e-3)
    assert row["lost"] == pytest.approx(yearly[ran["ended_on"].notna()].sum(), rel=1e-3)


def test_without_fees_churn_of_money_is_missing_and_says_why(club):
    row = contract_churn(seen(club, AS_OF), start="2023-06-30", end=AS_OF).loc[("money", "recurring_fees")]
    assert np.isnan(row["rate"])
    assert "do not tell fees" in row["note"]
