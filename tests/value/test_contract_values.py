"""What members are worth: the published figures, small tables worked by hand, simulated clubs, and what must hold."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import sbg
from crm_analysis.models.sbg import SBGFit, SBGParams
from crm_analysis.value.concentration import value_concentration
from crm_analysis.value.contract_fits import OWN, POOLED, fit_groups
from crm_analysis.value.contract_values import ContractValues, contract_values, expected_of
from crm_analysis.value.lifetime_value import Costs, assume
from crm_analysis.value.pyramid import customer_pyramid
from crm_analysis.value.segment_table import segment_table
from crm_analysis.value.valued import Valued

from .clubs import seen, simulated_club

TWELVE_YEARS = Path(__file__).parents[3] / "shared" / "data" / "sbg_fader_hardie_2007.csv"
AS_OF = "2011-06-30"
TERMS: dict[str, Any] = {"annual_discount_rate": 0.10, "horizon": "24 months", "margin": 0.5}


def table(*rows: tuple[object, ...], period: str = "1 year") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on"])
    return frame.assign(renewal_period=period)


# One renewal made, one not: the chance to leave is (1 + 1) / (2 + 2).
TWO = table(("stays", "2010-01-01", None), ("left", "2010-01-01", "2011-01-01"))


def value(memberships: pd.DataFrame = TWO, **changes: Any) -> ContractValues:
    return contract_values(memberships, **{"as_of": AS_OF, "fee": 100.0, **TERMS, **changes})


def cohort(active: list[float], size: int, start: str = "2000-01-01") -> pd.DataFrame:
    """One row a member of a cohort of which so many were there after each yearly renewal."""
    left = -np.diff([size, *active]).astype(int)
    ends = [f"{int(start[:4]) + year}-01-01" for year in range(1, len(active) + 1)]
    ended = [*np.repeat(ends, left), *[None] * int(active[-1])]
    return table(*[(f"m{place}", start, end) for place, end in enumerate(ended)])


# --- the published figures ----------------------------------------------------------------------------------------


def test_renewals_to_come_match_published(published):
    # On the eve of a renewal its payment is discounted by one day, in the paper by none.
    given = assume("month", date(2010, 12, 31), horizon=None, annual_discount_rate=0.1, margin=1.0, costs=None)
    contracts = pd.DataFrame(
        {"started_on": pd.to_datetime([f"{year}-01-01" for year in range(2010, 2005, -1)]), "periods": range(5)}
    )
    found = []
    for case in zip(published["D10"]["alpha"], published["D10"]["beta"], strict=True):
        fit = SBGFit.from_params(SBGParams(*case), time_unit="")
        expected = expected_of(contracts, (12, "month"), fit, given, date(2010, 12, 31), None)
        found.append(expected.discounted * 1.1 ** (1 / 365.25))
    published.check("D10", found)


def test_a_cohort_one_row_a_member_is_fitted_as_published(published):
    members = cohort(published["R1"]["active"], published["R1"]["cohort_size"])
    values = value(members, as_of="2007-06-30")
    published.check("R1", list(next(iter(values.fits.values())).params))


@pytest.mark.skipif(not TWELVE_YEARS.is_file(), reason="the counts of twelve years are not at hand")
@pytest.mark.parametrize("plan", ["regular", "high_end"])
def test_seven_years_foretell_what_members_pay_in_the_next_five(plan):
    actual = pd.read_csv(TWELVE_YEARS)[plan].to_numpy(float)
    values = value(cohort(list(actual[1:8]), 1000), as_of="2007-06-30", horizon="5 years")
    paid = actual[8:].sum()
    assert values.frame["expected_payments"].sum() == pytest.approx(paid, rel=0.05)


# --- worked by hand -----------------------------------------------------------------------------------------------


def test_each_payment_is_discounted_from_its_own_day():
    # 1 January 2012 is 185 days away, that of 2013 551.
    discounted = 0.5 * 1.1 ** (-185 / 365.25) + 0.25 * 1.1 ** (-551 / 365.25)
    [member] = value().frame.reset_index().to_dict("records")
    assert member["discounted_payments"] == pytest.approx(discounted, rel=1e-5)
    assert member["residual_value"] == pytest.approx(100 * 0.5 * discounted, rel=1e-5)


def test_who_has_left_is_worth_nothing_more_and_is_not_listed():
    assert value().frame.index.to_list() == ["stays"]


def test_a_member_is_described_by_the_contract_that_runs():
    member = value().frame.loc["stays"]
    assert (member["plan"], member["contracts"], member["renewals_made"], member["fee"]) == ("not known", 1, 1, 100.0)
    assert member["next_renewal"] == pd.Timestamp("2012-01-01")
    assert member["probability_renewing"] == pytest.approx(0.5)
    assert member["expected_payments"] == pytest.approx(0.5 + 0.25, rel=1e-5)


def test_payments_so_far_are_carried_from_their_days():
    # 1 January 2010 was 545 days ago, that of 2011 180.
    paid = 100 * (1.1 ** (545 / 365.25) + 1.1 ** (180 / 365.25))
    member = value().frame.loc["stays"]
    assert member["earned_value"] == pytest.approx(0.5 * paid)
    assert member["lifetime_value"] == pytest.approx(member["earned_value"] + member["residual_value"])


def test_costs_and_tax_are_taken_off():
    costs = Costs(acquisition_cost=30, cost_per_order=4, cost_to_serve_per_year=12, tax_rate=0.25)
    member = value(annual_discount_rate=0.0, costs=costs).frame.loc["stays"]
    months = np.array([185, 366, 180]) * 12 / 365.25  # up to the renewals of 2012 and 2013 and the end of the horizon
    served = months @ [1, 0.5, 0.25]
    assert member["residual_value"] == pytest.approx(0.75 * (0.75 * (50 - 4) - served), rel=1e-5)
    assert member["earned_value"] == pytest.approx(0.75 * (2 * (50 - 4) - 30 - 545 * 12 / 365.25))


def test_service_carries_interest_too():
    costs = Costs(cost_to_serve_per_year=365.25)
    member, free = (value(costs=cost).frame.loc["stays"] for cost in (costs, None))
    day = np.log(1.1) / 365.25
    assert free["earned_value"] - member["earned_value"] == pytest.approx((np.exp(day * 545) - 1) / day)


def test_fees_may_be_those_of_each_term():
    rows = table(("a", "2009-01-01", "2009-12-31"), ("a", "2010-01-01", "2010-12-31"), ("a", "2011-01-01", None))
    member = value(rows.assign(fee=[10.0, 20.0, 30.0]), fee=None, annual_discount_rate=0.0).frame.loc["a"]
    assert (member["fee"], member["earned_value"], member["renewals_made"]) == (30, 0.5 * 60, 2)


def test_contracts_of_one_member_are_added_up():
    both = pd.concat([TWO, table(("stays", "2011-03-15", None), period="1 month")]).assign(plan=["pool", "pool", "gym"])
    frame = value(both).frame.loc["stays"]
    alone = [value(rows).frame.loc["stays"] for rows in (both.iloc[:2], both.iloc[2:])]
    assert (frame["contracts"], frame["plan"]) == (2, "gym + pool")
    assert frame["next_renewal"] == pd.Timestamp("2011-07-15")
    assert frame["residual_value"] == pytest.approx(sum(one["residual_value"] for one in alone))


def test_a_former_membership_counts_in_what_was_earned():
    back = pd.concat([TWO, table(("left", "2011-02-01", None))])
    assert value(back, annual_discount_rate=0.0).frame.loc["left", "earned_value"] == pytest.approx(0.5 * 200)


def test_a_member_who_changed_plan_is_valued_in_the_present_one():
    moved = table(("a", "2009-01-01", "2009-12-31"), ("a", "2010-01-01", None)).assign(plan=["small", "large"])
    member = value(moved, fee={"small": 10, "large": 80}).frame.loc["a"]
    assert (member["plan"], member["fee"], member["renewals_made"]) == ("large", 80, 2)


# --- groups -------------------------------------------------------------------------------------------------------


def histories(group: str, periods: list[int], churned: list[bool]) -> pd.DataFrame:
    return pd.DataFrame({"group": group, "renewal_period": "1 year", "periods": periods, "churned": churned})


def test_a_group_in_which_nobody_left_takes_the_model_of_all():
    large = histories("large", [0] * 100 + [1] * 50 + [2] * 30 + [3] * 60, [True] * 180 + [False] * 60)
    fits, groups = fit_groups(
        pd.concat([large, histories("new", [1] * 5, [False] * 5)]), {"large": "1 year", "new": "1 year"}
    )
    assert groups["fitted_on"].to_dict() == {"large": OWN, "new": POOLED}
    assert 0 < fits["new"].retention(2) < 1
    assert "does not make them last for ever" in groups.loc["new", "words"]


def test_few_contracts_get_one_chance_to_leave_by_the_rule_of_succession():
    fits, groups = fit_groups(histories("few", [3, 2, 0], [False, False, True]), {"few": "1 year"})
    assert groups.loc["few", "one_chance"]
    np.testing.assert_allclose(fits["few"].retention(np.array([1.0, 9.0])), 1 - (1 + 1) / (6 + 2), rtol=1e-4)


def test_members_who_do_not_differ_get_one_chance_to_leave():
    alike = histories("alike", [0] * 100 + [1] * 50 + [2] * 30 + [3] * 20, [True] * 180 + [False] * 20)
    fits, groups = fit_groups(alike, {"alike": "1 year"})
    assert groups.loc["alike", ["fitted_on", "one_chance"]].to_list() == [OWN, True]
    np.testing.assert_allclose(fits["alike"].retention(np.array([1.0, 9.0])), 1 - 181 / 352, rtol=1e-4)


def test_where_nothing_came_up_half_are_taken_to_renew():
    fits, groups = fit_groups(histories("young", [0, 0], [False, False]), {"young": "1 year"})
    assert fits["young"].retention(1) == pytest.approx(0.5)
    assert "nothing is known" in groups.loc["young", "words"]


def test_lengths_of_one_plan_are_groups_of_their_own():
    both = pd.concat([TWO, table(("m", "2011-03-15", None), period="1 month")]).assign(plan="club")
    assert value(both).groups.index.to_list() == ["club, 1 month", "club, 1 year"]


# --- what must always hold ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def club():
    return simulated_club(5, 1500, since="2015-01-01", until="2019-12-31")


@pytest.fixture(scope="module")
def valued(club):
    return value(seen(club, "2019-12-31"), as_of="2019-12-31", fee={"month": 10.0, "year": 90.0})


def test_the_simulated_chances_are_found(valued):
    truth = {"month": SBGParams(0.8, 6.0), "year": SBGParams(1.0, 3.0)}
    for plan, params in truth.items():
        fit = valued.fits[plan]
        miss = np.log(params) - np.log(fit.params)
        of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
        assert miss @ np.linalg.solve(of_logs, miss) < 13.8  # 99.9% of chi-squared on 2 degrees of freedom


def test_what_simulated_members_pay_is_what_was_expected(club, valued):
    # The truth goes on behind the day on which they were valued.
    members = club.set_index("customer_id").loc[valued.frame.index]
    end = pd.Timestamp("2021-12-31")
    months = np.where(members["plan"] == "year", 12, 1)
    paid = np.zeros(len(members))
    for step in range(1, 25):
        for length in (1, 12):
            due = (valued.frame["next_renewal"] + pd.DateOffset(months=(step - 1) * length)).to_numpy()
            made = (due <= np.datetime64(end)) & (members["ended_on"].to_numpy() > due) & (months == length)
            paid += made
    expected = valued.frame["expected_payments"]
    # Of one member payments vary by less than twice as much as they come to at most.
    assert abs(paid.sum() - expected.sum()) < 4 * np.sqrt(((paid - expected) ** 2).sum())


def test_without_end_is_the_limit_of_long_horizons(club):
    rows = seen(club, "2019-12-31")
    forever, long = (value(rows, as_of="2019-12-31", horizon=horizon).total for horizon in (None, "150 years"))
    assert forever == pytest.approx(long, rel=1e-3)  # by mean periods, and by the calendar


def test_a_value_without_bound_is_called_infinite(club):
    values = value(seen(club, "2019-12-31"), as_of="2019-12-31", horizon=None, annual_discount_rate=0.0)
    assert values.fits["month"].params.alpha < 1
    assert np.isinf(values.frame.loc[values.frame["plan"] == "month", "residual_value"]).all()
    assert values.total == np.inf


@settings(max_examples=10)
@given(factor=st.floats(0.1, 10), margin=st.floats(0.05, 1))
def test_values_are_in_proportion_to_fee_and_margin(factor, margin):
    one, other = value(fee=7.0, margin=margin), value(fee=7.0 * factor, margin=margin)
    np.testing.assert_allclose(other.frame["lifetime_value"], factor * one.frame["lifetime_value"], rtol=1e-12)
    assert one.total == pytest.approx(value(fee=7.0, margin=1.0).total * margin)


@settings(max_examples=10)
@given(months=st.integers(1, 60), more=st.integers(0, 60))
def test_a_longer_horizon_never_lowers_what_is_expected(months, more):
    short, long = (value(horizon=length).frame["expected_payments"] for length in (months, months + more))
    assert (short <= long + 1e-12).all()


def test_a_row_a_term_is_worth_what_a_row_a_member_is():
    whole = table(("a", "2008-01-01", None), ("b", "2009-03-01", "2011-03-01"))
    terms = table(
        ("a", "2008-01-01", "2008-12-31"), ("a", "2009-01-01", "2009-12-31"), ("a", "2010-01-01", "2010-12-31"),
        ("a", "2011-01-01", "2011-12-31"), ("b", "2009-03-01", "2010-02-28"), ("b", "2010-03-01", "2011-02-28"),
    )  # fmt: skip
    pd.testing.assert_frame_equal(value(whole).frame, value(terms).frame)


def test_columns_of_contracts_add_up_to_those_of_members(valued):
    running = valued.contracts[valued.contracts["running"]]
    assert running["residual_value"].sum() == pytest.approx(valued.total)
    assert valued.number_of_customers == running["customer_id"].nunique()


def test_the_order_of_the_rows_does_not_matter(club, valued):
    shuffled = seen(club, "2019-12-31").sample(frac=1, random_state=1)
    again = value(shuffled, as_of="2019-12-31", fee={"month": 10.0, "year": 90.0})
    pd.testing.assert_frame_equal(again.frame.sort_index(), valued.frame.sort_index(), rtol=1e-6)


def test_values_survive_saving(valued, tmp_path):
    valued.save(tmp_path)
    again = ContractValues.load(tmp_path)
    for name in ("frame", "contracts", "groups"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(valued, name))
    assert (again.assumptions, again.as_of) == (valued.assumptions, valued.as_of)
    assert {group: fit.params for group, fit in again.fits.items()} == {g: f.params for g, f in valued.fits.items()}


# --- segments -----------------------------------------------------------------------------------------------------


def test_members_are_valued_customers(valued):
    assert isinstance(valued, Valued)


def test_members_are_put_into_tiers(valued):
    table = customer_pyramid(valued).table
    assert table["customers"].sum() == valued.number_of_customers
    assert table["value"].sum() == pytest.approx(valued.total)


def test_members_are_compared_by_plan(valued):
    table = segment_table(valued, "plan")
    assert table["customers"].sum() == valued.number_of_customers
    assert table.loc["year", "value"] == pytest.approx(
        valued.frame.loc[valued.frame["plan"] == "year", "residual_value"].sum()
    )


def test_the_worth_of_members_is_concentrated_as_that_of_customers(valued):
    found = value_concentration(valued)
    assert found.tenths["value"].sum() == pytest.approx(valued.total)
    assert 0 < found.gini < 1


# --- bad input ----------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_refused_at_once():
    wrong = table(("a", "2012-01-01", None), ("b", "2010-01-01", None), ("c", "2010-01-01", None))
    wrong = wrong.assign(renewal_period=["1 year", None, "1 year"], fee=[1.0, 1.0, -1.0])
    with pytest.raises(DataError) as refused:
        value(wrong, fee=None)
    for rule in ("after the as-of date 2011-06-30", "'renewal_period': missing", "'fee': not an amount of 0 or more"):
        assert f"{rule} in 1 row(s)" in str(refused.value)


@pytest.mark.parametrize(
    ("rows", "changes", "told"),
    [
        (TWO, {"fee": {"gym": 1.0}}, "there is no fee for not known"),
        (TWO, {"fee": None}, "no column fee"),
        (TWO, {"fee": -1.0}, "the fee is -1.0"),
        (TWO, {"by": "branch"}, "by is 'branch'; there is no such column"),
        (TWO, {"margin": 2.0}, "margin is 2.0"),
        (TWO, {"horizon": "soon"}, "horizon is 'soon'"),
        ([], {}, "memberships must be a DataFrame, not a list"),
    ],
)
def test_settings_that_cannot_be_are_refused(rows, changes, told):
    with pytest.raises(SettingsError, match=told):
        value(rows, **changes)


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (TWO.iloc[:0], "there are no contracts to value"),
        (TWO.iloc[1:], "no contract is running on 2011-06-30"),
        (TWO.drop(columns="renewal_period"), "column 'renewal_period': there is no such column"),
    ],
)
def test_tables_that_say_nothing_are_refused(rows, told):
    with pytest.raises(DataError, match=told):
        value(rows)


def test_a_folder_without_a_valuation_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="holds no saved valuation of contracts"):
        ContractValues.load(tmp_path)


def test_the_chance_of_each_renewal_is_that_given_those_made(valued):
    row = valued.contracts[valued.contracts["running"]].iloc[0]
    fit = valued.fits[row["group"]]
    assert row["probability_renewing"] == pytest.approx(float(sbg.retention(fit.params, row["periods"] + 1)))
