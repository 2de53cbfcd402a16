"""Cases, exits, campaigns, market and accounts: each planted effect is found in its table."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm


@pytest.fixture(scope="module")
def cases(company) -> pd.DataFrame:
    table = company.tables["cases"]
    took = (table["resolved_at"] - table["opened_at"]).dt.total_seconds() / 86_400
    satisfaction = company.truth.customers["satisfaction"].reindex(table["customer_id"]).to_numpy()
    return table.assign(took=took, satisfaction=satisfaction)


def test_causes_have_their_shares(company, cases, is_share):
    for cause in company.truth.plan.service.causes:
        assert is_share(cases["category"] == cause.name, cause.share)


@pytest.mark.parametrize(("column", "part"), [("kind", "kinds"), ("channel", "channels"), ("severity", "severities")])
def test_kinds_channels_and_severities_have_their_shares(company, cases, is_share, column, part):
    for name, share in getattr(company.truth.plan.service, part):
        assert is_share(cases[column].astype(str) == name, share)


def test_resolution_times_are_lognormal_by_cause(company, cases, is_mean):
    plan = company.truth.plan.service
    early = cases[cases["opened_at"] < "2023-08-01"].dropna(subset=["took"])
    for cause in plan.causes:
        log_days = np.log(early.loc[early["category"] == cause.name, "took"])
        assert is_mean(log_days, np.log(cause.median_days))
        assert log_days.std() == pytest.approx(plan.spread, rel=0.15)


def test_some_cases_are_open(company, cases):
    still_open = cases["resolved_at"].isna()
    assert still_open.any()
    assert (cases.loc[still_open, "opened_at"] > "2023-01-01").all()


def test_nothing_is_resolved_before_the_first_response(cases):
    answered = cases.dropna(subset=["first_response_at"])
    assert (answered["first_response_at"] >= answered["opened_at"]).all()
    resolved = cases.dropna(subset=["resolved_at"])
    assert (resolved["first_response_at"] <= resolved["resolved_at"]).all()


def test_only_resolved_cases_have_an_opinion_after(cases):
    assert cases.loc[cases["resolved_at"].isna(), "satisfied_after"].isna().all()


def test_opinions_after_are_known_as_often_as_planted(company, cases, is_share):
    resolved = cases[cases["resolved_at"].notna()]
    assert is_share(resolved["satisfied_after"].notna(), company.truth.plan.service.asked)


def test_slow_cases_leave_fewer_customers_satisfied(company, cases):
    plan = company.truth.plan.service
    told = cases.dropna(subset=["satisfied_after"])
    doublings = sm.add_constant(np.log2(told["took"]))
    fitted = sm.Logit(told["satisfied_after"].astype(float), doublings).fit(disp=False)
    miss = (fitted.params.to_numpy() - np.log([plan.satisfied, plan.slower])) / fitted.bse.to_numpy()
    assert (np.abs(miss) < 3.5).all()


def test_dissatisfied_customers_have_more_cases(company):
    customers = company.tables["customers"].set_index("customer_id")
    end = company.truth.customers["died_on"].fillna(pd.Timestamp.max).clip(upper=pd.Timestamp(company.as_of))
    years = ((end - customers["acquired_on"]).dt.days + 1) / 365.25
    count = company.tables["cases"]["customer_id"].value_counts().reindex(customers.index, fill_value=0)
    fitted = sm.GLM(
        count,
        sm.add_constant(company.truth.customers["satisfaction"]),
        family=sm.families.Poisson(),
        offset=np.log(years),
    ).fit()
    plan = company.truth.plan.service
    miss = (fitted.params.to_numpy() - [np.log(plan.a_year), plan.satisfaction]) / fitted.bse.to_numpy()
    assert (np.abs(miss) < 3.5).all()


# --- exits ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exits(company) -> pd.DataFrame:
    cases = company.tables["cases"]
    unhappy = cases.loc[cases["satisfied_after"].eq(False).fillna(False), "customer_id"]
    table = company.tables["exits"]
    return table.assign(is_unhappy=table["customer_id"].isin(unhappy))


def test_exits_are_of_customers_who_have_left(company, exits):
    died = company.truth.customers["died_on"].reindex(exits["customer_id"]).to_numpy()
    assert (exits["left_on"].to_numpy() > died).all()


def test_exits_are_known_of_the_planted_share_of_those_who_left(company, exits, is_share):
    died = company.truth.customers["died_on"]
    long_gone = died[died < "2023-09-01"].index
    assert is_share(long_gone.isin(exits["customer_id"]), company.truth.plan.exits.told)


def test_reasons_have_their_shares_among_customers_without_an_unhappy_case(company, exits, is_share):
    usual = exits[~exits["is_unhappy"]]
    for reason, share in company.truth.plan.exits.reasons:
        assert is_share(usual["reason"] == reason, share)


def test_unhappy_cases_make_customers_leave_for_the_service(company, exits, is_share):
    plan = company.truth.plan.exits
    service = dict(plan.reasons)["service"]
    heavier = plan.unhappy_case * service
    assert is_share(exits.loc[exits["is_unhappy"], "reason"] == "service", heavier / (heavier + 1 - service))


def test_customers_go_to_rivals_unless_their_reason_knows_none(company, exits, is_share):
    plan = company.truth.plan.exits
    goes = ~exits["reason"].isin(plan.no_rival)
    assert (exits["went_to"].notna() == goes).all()
    for rival, share in plan.rivals:
        assert is_share(exits.loc[goes, "went_to"] == rival, share)


def test_shares_of_wallet_before_the_exit_have_the_planted_mean(company, exits, is_mean):
    a, b = company.truth.plan.exits.wallet
    assert is_mean(exits["share_of_wallet"], a / (a + b))


# --- campaigns --------------------------------------------------------------------------------------------------


def test_arms_are_drawn_at_random(company, is_share):
    contacts = company.tables["contacts"]
    assert is_share(contacts["arm"] == "treated", company.truth.plan.campaigns.treated)


def test_treated_customers_respond_more_by_the_planted_lift(company):
    contacts = company.tables["contacts"]
    rates = contacts.groupby("arm")["responded"].agg(["mean", "size"])
    error = np.sqrt((rates["mean"] * (1 - rates["mean"]) / rates["size"]).sum())
    # Who would have bought anyhow does not respond twice.
    expected = company.truth.plan.campaigns.lift * (1 - rates.loc["control", "mean"])
    assert abs(rates.loc["treated", "mean"] - rates.loc["control", "mean"] - expected) < 3 * error


def test_contacts_bring_as_many_orders_as_planted(company):
    truth, lift = company.truth.campaigns, company.truth.plan.campaigns.lift
    treated = truth["treated"].sum()
    assert abs(truth["extra_orders"].sum() - lift * treated) < 4 * np.sqrt(treated * lift * (1 - lift))


def test_orders_that_campaigns_brought_are_in_the_log(company):
    log = company.tables["transactions"]
    brought = log[log["order_id"].str.startswith("OM", na=False)]
    assert brought["order_id"].nunique() == company.truth.campaigns["extra_orders"].sum()
    assert brought["amount"].sum() == pytest.approx(company.truth.campaigns["extra_revenue"].sum())


def test_who_responded_has_revenue_and_nobody_else(company):
    contacts = company.tables["contacts"]
    assert (contacts["responded"] == (contacts["revenue"] > 0)).all()


def test_the_contacts_of_the_truth_are_those_of_the_table(company):
    arms = company.tables["contacts"].groupby("campaign_id")["arm"].value_counts().unstack()
    np.testing.assert_array_equal(arms[["treated", "control"]], company.truth.campaigns[["treated", "control"]])


def test_campaigns_cost_what_was_planned(company):
    plan, treated = company.truth.plan.campaigns, company.truth.campaigns["treated"].to_numpy()
    np.testing.assert_allclose(company.tables["campaigns"]["cost"], plan.fixed_cost + plan.contact_cost * treated)


# --- market, accounts, receivables ------------------------------------------------------------------------------


def test_the_market_grows_as_planted(company):
    plan, market = company.truth.plan.market, company.tables["market"]["market_customers"]
    assert market.iloc[-1] == round(6_000 / plan.penetration)
    assert market.iloc[-1] / market.iloc[0] == pytest.approx((1 + plan.growth) ** 35, rel=1e-4)


def test_the_market_spends_as_planted(company, is_mean):
    plan, market = company.truth.plan.market, company.tables["market"]
    season = np.array(plan.season)[[int(period[5:]) - 1 for period in market["period"]]]
    surprise = np.log(market["market_revenue"] / (market["market_customers"] * plan.spend * season))
    assert is_mean(surprise, 0.0)
    assert surprise.std() == pytest.approx(plan.noise, rel=0.5)


def test_the_share_of_wallet_follows_its_trend(company):
    plan, share = company.truth.plan.market, company.tables["market"]["own_share_of_wallet"]
    fitted = sm.OLS(share, sm.add_constant(np.arange(len(share)))).fit()
    miss = (fitted.params.to_numpy() - [plan.wallet, plan.wallet_trend]) / fitted.bse.to_numpy()
    assert (np.abs(miss) < 3.5).all()


def test_the_own_revenue_is_a_part_of_the_market(company):
    log = company.tables["transactions"]
    own = log.groupby(log["order_date"].dt.strftime("%Y-%m"))["amount"].sum()
    assert (own.to_numpy() < company.tables["market"]["market_revenue"].to_numpy()).all()


def test_key_accounts_are_no_consumers(company):
    kinds = company.tables["customers"].set_index("customer_id")["kind"]
    assert set(kinds[company.tables["accounts"]["customer_id"]]) <= set(company.truth.plan.accounts.kinds)


def test_key_accounts_are_the_largest_that_are_still_there(company):
    truth = company.truth.customers
    kinds = company.tables["customers"].set_index("customer_id")["kind"]
    there = truth[truth["is_alive"] & kinds.isin(company.truth.plan.accounts.kinds)]
    accounts = company.tables["accounts"]["customer_id"]
    assert len(accounts) == round(company.truth.plan.accounts.share * len(truth))
    largest = (there["purchase_rate"] * there["mean_spend"]).nlargest(len(accounts)).index
    assert set(accounts) == set(largest)


def test_scores_of_accounts_follow_the_truth_as_planted(company):
    accounts = company.tables["accounts"].set_index("customer_id")
    truth = company.truth.customers.reindex(accounts.index)
    follows = {
        "cooperation": truth["satisfaction"],
        "potential": np.log(truth["purchase_rate"]),
        "wallet": np.log(truth["purchase_rate"] * truth["mean_spend"]),
        "size": np.log(truth["mean_spend"]),
    }
    for name, of in follows.items():
        found = np.corrcoef(accounts[name], of)[0, 1]
        # Fisher's z: its standard error is 1 / sqrt(n - 3).
        miss = np.arctanh(found) - np.arctanh(company.truth.plan.accounts.insight)
        assert abs(miss) < 4 / np.sqrt(len(accounts) - 3)


def test_only_customers_on_credit_owe_anything(company):
    customers = company.tables["customers"]
    owes = customers["receivable_amount"] > 0
    assert (customers.loc[owes, "settlement"] == "credit").all() and owes.any()
    assert (owes == (customers["receivable_status"] != "none")).all()
    assert (owes == customers["receivable_due"].notna()).all()


def test_the_status_of_a_receivable_follows_from_its_due_date(company):
    customers, plan = company.tables["customers"], company.truth.plan.accounts
    overdue = (pd.Timestamp(company.as_of) - customers["receivable_due"]).dt.days
    status = customers["receivable_status"]
    assert (overdue[status == "current"] <= 0).all()
    assert overdue[status == "overdue"].between(1, plan.doubtful_after - 1).all()
    assert (overdue[status == "doubtful"] >= plan.doubtful_after).all()


def test_bills_stay_unpaid_as_often_as_planted(company, is_share):
    plan = company.truth.plan.accounts
    credit = company.tables["customers"].query("settlement == 'credit'")
    due = credit[credit["receivable_status"] != "current"]
    assert is_share(due["receivable_status"] != "none", plan.unpaid)
