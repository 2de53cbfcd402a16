"""Memberships and leads: renewal and the way through the funnel are found as they were planted."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from crm_analysis.company import Plan, simulate_company
from crm_analysis.company.contracts import ContractPlan
from crm_analysis.company.prospects import STAGES
from crm_analysis.models.sbg import fit_sbg

NEXT = dict(pairwise(STAGES))


@pytest.mark.parametrize(("club", "months"), [("club monthly", 36), ("club yearly", 96)])
def test_sbg_finds_the_planted_parameters(club, months):
    [planted] = [each for each in ContractPlan().clubs if each.name == club]
    plan = replace(Plan(), contracts=ContractPlan(share=1.0, clubs=(planted,)), horizon_months=1)
    company = simulate_company(seed=5, customers=3_000, months=months, plan=plan)
    memberships = company.tables["memberships"]
    fit = fit_sbg(memberships=memberships, as_of=company.as_of)
    miss = np.abs(np.array(fit.params) - np.array(planted.renewal)) / np.sqrt(np.diag(fit.covariance))
    assert (miss < 3).all()


def test_a_third_of_the_customers_join(company, is_share):
    early = company.tables["customers"].query("acquired_on < '2023-10-01'")["customer_id"]
    assert is_share(early.isin(company.tables["memberships"]["customer_id"]), company.truth.plan.contracts.share)


def test_clubs_have_their_shares(company, is_share):
    for club in company.truth.plan.contracts.clubs:
        assert is_share(company.tables["memberships"]["plan"] == club.name, club.share)


def test_a_membership_ends_on_the_day_of_a_renewal(company):
    ended = company.tables["memberships"].dropna(subset=["ended_on"])
    months = (ended["ended_on"].dt.year - ended["started_on"].dt.year) * 12
    months += ended["ended_on"].dt.month - ended["started_on"].dt.month
    day = np.minimum(ended["started_on"].dt.day, ended["ended_on"].dt.days_in_month)
    assert (ended["ended_on"].dt.day == day).all()
    assert (months % np.where(ended["renewal_period"] == "1 year", 12, 1) == 0).all() and (months > 0).all()


def test_members_join_within_sixty_days_of_the_first_purchase(company):
    since = company.tables["customers"].set_index("customer_id")["acquired_on"]
    memberships = company.tables["memberships"]
    waited = (memberships["started_on"] - memberships["customer_id"].map(since)).dt.days
    assert waited.between(0, company.truth.plan.contracts.joins_within).all()


# --- prospects --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def funnel(company) -> pd.DataFrame:
    """Leads that came long enough ago for the whole way to be seen: which stages each has entered, and its traits."""
    rows = company.tables["prospects"]
    first = rows.drop_duplicates("prospect_id").set_index("prospect_id")
    entered = pd.crosstab(rows["prospect_id"], rows["stage"]).astype(bool)
    traits = first[["has_budget", "has_authority", "has_need"]]
    whole = first["entered_stage_on"] < "2022-12-01"
    return entered.join(traits)[whole]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("traits", [0, 1, 2, 3])
def test_prospects_advance_as_often_as_planted(company, funnel, is_share, place, traits):
    has = funnel[["has_budget", "has_authority", "has_need"]].sum(axis=1)
    stage = STAGES[place]
    here = funnel[funnel[stage] & (has == traits)]
    if len(here) >= 30:
        expected = float(company.truth.plan.prospects.chance(place, np.array([traits]))[0])
        assert is_share(here[NEXT[stage]], expected)
    else:
        assert place > 0 and traits == 0  # those without anything rarely get this far


def test_every_lead_is_won_or_lost_in_the_end(funnel):
    assert (funnel["won"] ^ funnel["lost"]).mean() > 0.995


def test_stages_follow_each_other_in_time(company):
    rows = company.tables["prospects"]
    order = rows["stage"].map({stage: place for place, stage in enumerate((*STAGES, "lost"))})
    same = rows["prospect_id"].eq(rows["prospect_id"].shift())
    assert (order.diff()[same] > 0).all()
    assert (rows["entered_stage_on"].diff()[same] > pd.Timedelta(0)).all()


def test_time_in_a_stage_is_that_of_the_plan(company, is_mean):
    rows = company.tables["prospects"]
    days = rows.groupby("prospect_id")["entered_stage_on"].diff(-1).dt.days.abs()
    early = rows["entered_stage_on"] < "2022-12-01"
    for stage, mean in zip(STAGES, company.truth.plan.prospects.days, strict=False):
        # Days are rounded up: that of an exponential time is on average 1 / (1 - exp(-1 / mean)).
        assert is_mean(days[early & (rows["stage"] == stage)].dropna(), 1 / -np.expm1(-1 / mean))


def test_leads_come_in_proportion_to_the_customers_planned(company):
    expected = company.truth.plan.prospects.a_customer * 6_000
    assert abs(company.tables["prospects"]["prospect_id"].nunique() - expected) < 4 * np.sqrt(expected)
