"""Who buys when, and for how much: the models find the parameters that were planted."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.company import Plan, simulate_company
from crm_analysis.company.purchases import CHRISTMAS, FLAT, MILD
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDParams, fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma, population_mean


@pytest.fixture(scope="module")
def plain_customers(plain) -> CustomerSummary:
    return summarize_customers(plain.tables["transactions"], as_of=plain.as_of)


def misses(fit, truth) -> np.ndarray:
    """How many standard errors each estimate is off."""
    return np.abs(np.array(fit.params) - np.array(truth)) / np.sqrt(np.diag(fit.covariance))


def test_bgnbd_finds_the_planted_parameters(plain, plain_customers):
    assert (misses(fit_bgnbd(plain_customers), plain.truth.plan.buying.purchase) < 3).all()


def test_gamma_gamma_finds_the_planted_parameters(plain, plain_customers):
    assert (misses(fit_gamma_gamma(plain_customers), plain.truth.plan.buying.spend) < 3).all()


def test_bgnbd_with_covariates_finds_the_planted_effects(with_covariates):
    company = with_covariates
    summary = summarize_customers(company.tables["transactions"], as_of=company.as_of)
    channel = company.tables["customers"].set_index("customer_id")["acquisition_channel"].reindex(summary.frame.index)
    planted = {each.name: each for each in company.truth.plan.acquisition.channels if each.name != "search"}
    known = {name: (channel == name).astype(float) for name in planted}
    known["satisfaction"] = company.truth.customers["satisfaction"].reindex(summary.frame.index)
    frame = summary.frame.assign(**known)
    fit = fit_bgnbd(
        CustomerSummary(frame, "week", company.as_of),
        purchase=list(known),
        dropout=list(known),
        opposite_dropout=True,
    )
    buying = company.truth.plan.buying
    truth = [
        *buying.purchase,
        *(each.purchase for each in planted.values()),
        buying.satisfaction_on_purchase,
        *(each.dropout for each in planted.values()),
        buying.satisfaction_on_dropout,
    ]
    assert (np.abs(fit.coefficients.to_numpy() - truth) < 3.5 * np.sqrt(np.diag(fit.covariance))).all()


def test_purchases_are_as_many_as_the_model_expects(plain, plain_customers):
    params, T = plain.truth.plan.buying.purchase, plain_customers.frame["T"].to_numpy()
    found = plain_customers.frame["frequency"].to_numpy()
    expected = bgnbd.expected_purchases_new_customer(params, T)
    error = found.std() * np.sqrt(len(found))
    assert abs(found.sum() - expected.sum()) < 4 * error


def test_purchases_after_the_as_of_date_are_as_many_as_the_model_expects(plain, plain_customers):
    frame = plain_customers.frame
    history = (frame[name].to_numpy() for name in ("frequency", "recency", "T"))
    days = (pd.Timestamp("2025-12-31") - pd.Timestamp(plain.as_of)).days
    expected = bgnbd.expected_purchases(plain.truth.plan.buying.purchase, *history, days / 7)
    found = plain.truth.future()["purchases"].reindex(frame.index).to_numpy()
    assert abs(found.sum() - expected.sum()) < 4 * np.sqrt(len(found)) * (found - expected).std()


def test_nobody_buys_after_having_left(plain):
    log = plain.tables["transactions"].groupby("customer_id")["order_date"].max()
    died = plain.truth.customers["died_on"]
    later = plain.truth.future_purchases.groupby("customer_id")["order_date"].max()
    last = pd.concat([log, later], axis=1).max(axis=1)
    gone = died.dropna().index
    assert (last[gone] == died[gone]).all()


def test_who_is_alive_has_not_left_by_the_as_of_date(company):
    truth = company.truth.customers
    assert (truth["is_alive"] == ~(truth["died_on"] <= pd.Timestamp(company.as_of))).all()


def test_customers_who_are_gone_buy_nothing_in_the_future(company):
    future = company.truth.future()
    assert (future.loc[~company.truth.customers["is_alive"], "purchases"] == 0).all()


def test_purchases_of_the_future_lie_in_the_horizon(company):
    days = company.truth.future_purchases["order_date"]
    assert days.min() > pd.Timestamp(company.as_of) and days.max() <= pd.Timestamp("2025-12-31")


def test_a_shorter_future_holds_the_purchases_of_its_months(company):
    purchases = company.truth.future_purchases
    first_half = purchases[purchases["order_date"] <= "2024-06-30"]
    assert company.truth.future(6)["purchases"].sum() == len(first_half)


def test_the_future_has_every_customer(company):
    assert list(company.truth.future(1).index) == company.tables["customers"]["customer_id"].tolist()


def test_a_future_that_was_not_simulated_is_refused(company):
    with pytest.raises(SettingsError, match="24 months"):
        company.truth.future(25)


def test_spend_is_that_of_the_plan(plain, is_mean):
    # Means of customers, since orders of one customer are alike.
    log = plain.tables["transactions"].groupby(["customer_id", "order_date"])["amount"].sum()
    assert is_mean(log.groupby("customer_id").mean(), population_mean(plain.truth.plan.buying.spend))


@pytest.mark.parametrize("season", [FLAT, MILD, CHRISTMAS], ids=["flat", "mild", "christmas"])
def test_customers_buy_at_their_rate_times_the_season(season):
    # Hardly anybody leaves, so that what is left is a Poisson process with a known rate for each customer and month.
    buying = replace(Plan().without_extras().buying, purchase=BGNBDParams(3.0, 9.0, 1e-3, 50.0), season=season)
    plan = replace(Plan().without_extras(), buying=buying, horizon_months=1)
    company = simulate_company(seed=8, customers=1_000, months=24, plan=plan)
    first = company.tables["customers"].set_index("customer_id")["acquired_on"]
    orders = company.tables["transactions"].drop_duplicates(["customer_id", "order_date"])
    repeat = orders[orders["order_date"] > orders["customer_id"].map(first)]
    for month, found in repeat.groupby(repeat["order_date"].dt.to_period("M")).size().items():
        since_noon = (month.end_time.normalize() - first).dt.days + 0.5
        days = since_noon.clip(0, month.days_in_month)
        speed = season[month.month - 1] / np.mean(season)
        expected = (company.truth.customers["purchase_rate"] / 7 * days).sum() * speed
        assert abs(found - expected) < 4 * np.sqrt(expected)


# --- acquisition ------------------------------------------------------------------------------------------------


def test_newcomers_of_the_truth_are_those_of_the_table(company):
    months = company.tables["customers"]["acquired_on"].dt.strftime("%Y-%m").value_counts().sort_index()
    newcomers = company.truth.newcomers["actual"]
    assert newcomers.iloc[:36].to_dict() == months.to_dict()


def test_expected_newcomers_grow_and_know_seasons(company):
    expected, plan = company.truth.newcomers["expected"], company.truth.plan.acquisition
    assert expected["2022-03"] / expected["2021-03"] == pytest.approx((1 + plan.growth) ** 12)
    assert expected["2021-02"] / expected["2021-01"] == pytest.approx(1.02 * plan.season[1] / plan.season[0])


def test_newcomers_vary_as_planned(company):
    newcomers, noise = company.truth.newcomers, company.truth.plan.acquisition.noise
    expected = newcomers["expected"]
    surprise = (newcomers["actual"] - expected) / np.sqrt(expected + (noise * expected) ** 2)
    assert abs((surprise**2).mean() - 1) < 4 * np.sqrt(2 / len(surprise))


def test_channels_have_their_shares_and_costs(company, is_share, is_mean):
    customers = company.tables["customers"]
    for each in company.truth.plan.acquisition.channels:
        came = customers["acquisition_channel"] == each.name
        assert is_share(came, each.share)
        assert is_mean(customers.loc[came, "acquisition_cost"], each.cost)


@pytest.mark.parametrize(("column", "part"), [("region", "regions"), ("kind", "kinds"), ("settlement", "settlements")])
def test_attributes_have_their_shares(company, is_share, column, part):
    for name, share in getattr(company.truth.plan.acquisition, part):
        assert is_share(company.tables["customers"][column] == name, share)


def test_referred_customers_are_those_who_came_by_referral(company):
    customers = company.tables["customers"]
    assert (customers["referred_by"].notna() == (customers["acquisition_channel"] == "referral")).all()


def test_who_refers_was_there_before(company):
    customers = company.tables["customers"].set_index("customer_id")
    referred = customers[customers["referred_by"].notna()]
    since = customers["acquired_on"].reindex(referred["referred_by"]).to_numpy()
    assert (since < referred["acquired_on"].to_numpy()).all()


def test_satisfied_customers_refer_more(company):
    referrers = company.tables["customers"]["referred_by"].dropna()
    satisfaction = company.truth.customers["satisfaction"]
    # Weighting a standard normal by exp(c z) moves its mean by c.
    planted = company.truth.plan.acquisition.referring
    found = satisfaction[referrers].mean()
    assert abs(found - planted) < 4 * (1 / np.sqrt(len(referrers)) + 2 / np.sqrt(len(satisfaction)))


def test_referred_customers_buy_more(company):
    rate = np.log(company.truth.customers["purchase_rate"])
    z = company.truth.customers["satisfaction"]
    plan = company.truth.plan
    channel = company.tables["customers"].set_index("customer_id")["acquisition_channel"]
    base = rate - plan.buying.satisfaction_on_purchase * z
    referred, others = base[channel == "referral"], base[channel == "search"]
    error = np.sqrt(referred.var() / len(referred) + others.var() / len(others))
    assert abs(referred.mean() - others.mean() - 0.30) < 4 * error
