"""How much the margins of one customer tell, and what follows for what customers are worth."""

import dataclasses
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.company import simulate_company
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.gamma_gamma import GammaGammaFit, fit_gamma_gamma
from crm_analysis.settings import EngineSettings, LineMargins, load_settings
from crm_analysis.value.acquisition import planned_acquisition
from crm_analysis.value.bridge import CLOSING, OPENING, equity_bridge, period_cash
from crm_analysis.value.cohort_retention import cohort_retention
from crm_analysis.value.customer_base import value_customer_base
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.equity_history import equity_history
from crm_analysis.value.estimator import CustomerValueRegressor
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value, revalue
from crm_analysis.value.margin_shares import margin_shares
from crm_analysis.value.sensitivity import Change, equity_if
from crm_analysis.value.unprofitable import unprofitable_customers
from crm_analysis.value.write_values import write_values

AS_OF, BEFORE = date(1997, 9, 30), date(1997, 6, 30)
FIT = BGNBDFit.from_params((0.243, 4.414, 0.793, 2.426))
SPEND = GammaGammaFit.from_params((6.25, 3.74, 15.44), time_unit="")
TERMS: dict[str, Any] = {"horizon": "24 months", "annual_discount_rate": 0.1}
COSTS = Costs(acquisition_cost=5.0, cost_per_order=1.0, cost_to_serve_per_year=2.0, tax_rate=0.2)

# Hachemeister (1975): average claims and number of claims of five states in twelve quarters, as in actuar.
CLAIMS = [
    [1738, 1642, 1794, 2051, 2079, 2234, 2032, 2035, 2115, 2262, 2267, 2517],
    [1364, 1408, 1597, 1444, 1342, 1675, 1470, 1448, 1464, 1831, 1612, 1471],
    [1759, 1685, 1479, 1763, 1674, 2103, 1502, 1622, 1828, 2155, 2233, 2059],
    [1223, 1146, 1010, 1257, 1426, 1532, 1953, 1123, 1343, 1243, 1762, 1306],
    [1456, 1499, 1609, 1741, 1482, 1572, 1606, 1735, 1607, 1573, 1613, 1690],
]
WEIGHTS = [
    [7861, 9251, 8706, 8575, 7917, 8263, 9456, 8003, 7365, 7832, 7849, 9077],
    [1622, 1742, 1523, 1515, 1622, 1602, 1964, 1515, 1527, 1748, 1654, 1861],
    [1147, 1357, 1329, 1204, 998, 1077, 1277, 1218, 896, 1003, 1108, 1121],
    [407, 396, 348, 341, 315, 328, 352, 331, 287, 384, 321, 342],
    [2902, 3172, 3046, 3068, 2693, 2910, 3275, 2697, 2663, 3017, 3242, 3425],
]


def summary(purchases: list[list[tuple[float, float]]]) -> CustomerSummary:
    """Customers by their purchases, each an amount and what it left."""
    rows = [
        {
            "frequency": len(bought) - 1,
            "recency": float(len(bought) - 1),
            "T": 260.0,
            "total_spend": sum(amount for amount, _ in bought),
            "margin_so_far": sum(left for _, left in bought),
            "margin_squares": sum(left**2 / amount for amount, left in bought if amount > 0),
        }
        for bought in purchases
    ]
    index = pd.Index([f"c{number}" for number in range(len(rows))], name="customer_id")
    return CustomerSummary(pd.DataFrame(rows, index=index), "week", AS_OF)


# ---- how far a customer is believed -------------------------------------------------------------------------------


def test_credibility_of_the_states_of_hachemeister_is_the_published_one(published):
    within, between = published["credibility"]["values"]
    # A share of margin is at most 1, so claims are in tens of thousands; K stays what it is.
    states = [[(w, w * x / 1e4) for x, w in zip(*both, strict=True)] for both in zip(CLAIMS, WEIGHTS, strict=True)]
    found = margin_shares(summary(states))
    assert found.credibility == pytest.approx(within / between, rel=1e-5)
    assert found.pooled == pytest.approx(0.18654, abs=1e-5)


def test_two_customers_by_hand():
    """A leaves 10 and 14 of 50 and 50, B 30 and 24 of 50 and 50: v = 50 (2 x .04^2 + 2 x .06^2) / 2 = .26."""
    found = margin_shares(summary([[(50, 10), (50, 14)], [(50, 30), (50, 24)]]))
    a = (200 * 0.15**2 - 0.26) / 100  # S - sum S_i^2 / S = 200 - 100
    assert found.pooled == pytest.approx(0.39)
    assert found.credibility == pytest.approx(0.26 / a)
    shares = found.of(summary([[(50, 10), (50, 14)], [(50, 30), (50, 24)]]))
    assert shares["c0"] == pytest.approx((24 + found.credibility * 0.39) / (100 + found.credibility))


@pytest.fixture(scope="module")
def many() -> CustomerSummary:
    """Customers of two kinds whose purchases differ: one with a single purchase, one with two hundred."""
    rng = np.random.default_rng(3)
    kinds = [0.2 if number % 2 else 0.6 for number in range(400)]
    bought = [[(20.0, 20 * (kind + rng.normal(0, 0.2))) for _ in range(4)] for kind in kinds]
    return summary([*bought, [(20.0, 2.0)], [(20.0, 20 * (0.2 + rng.normal(0, 0.2))) for _ in range(200)]])


def test_a_customer_with_one_purchase_is_near_the_mean_of_all(many):
    found = margin_shares(many)
    weight = 20 / (20 + found.credibility)
    assert found.of(many)["c400"] == pytest.approx(found.pooled + weight * (0.1 - found.pooled))
    assert weight < 0.6


def test_a_customer_with_many_purchases_is_near_their_own_share(many):
    shares, frame = margin_shares(many).of(many), many.frame
    own = frame["margin_so_far"] / frame["total_spend"]
    assert abs(shares["c401"] - own["c401"]) < 0.01 < abs(shares["c401"] - margin_shares(many).pooled)


def test_the_variances_put_in_are_found(many):
    """v = 20 x .2^2 and a = .2^2, so that a customer of 20 is believed by half."""
    assert margin_shares(many).credibility == pytest.approx(20, rel=0.15)


def test_customers_who_leave_the_same_share_have_that_of_all():
    found = margin_shares(summary([[(10, 3), (30, 9)], [(50, 15)], [(20, 6), (20, 6)]]))
    assert found.credibility == np.inf
    assert found.of(summary([[(10, 9)]])).tolist() == [pytest.approx(0.3)]


def test_where_nobody_has_bought_twice_all_have_the_share_of_all():
    found = margin_shares(summary([[(10, 3)], [(50, 25)]]))
    assert (found.pooled, found.credibility) == (28 / 60, np.inf)


def test_who_has_spent_nothing_has_the_share_of_all_and_their_gift_counts_in_it():
    customers = summary([[(50, 10), (50, 14)], [(50, 30), (50, 24)], [(0, -4)]])
    found = margin_shares(customers)
    assert found.pooled == pytest.approx(74 / 200)
    assert found.of(customers)["c2"] == found.pooled


def test_loss_leaders_leave_shares_below_zero():
    customers = summary([[(50, -5), (50, -5)], [(50, 30), (50, 30)]])
    assert margin_shares(customers).of(customers)["c0"] == pytest.approx(-0.1)


def test_lines_that_leave_nothing_together_are_no_valuation():
    with pytest.raises(DataError, match=r"of a spend of 100\.00 the lines left -3\.00"):
        margin_shares(summary([[(50, 10), (50, -13)]]))


def test_customers_of_a_log_read_without_margins_are_refused(cdnow_customers):
    with pytest.raises(SettingsError, match="their log was read without"):
        margin_shares(cdnow_customers)


# ---- what customers are worth ---------------------------------------------------------------------------------------


def priced(share: Callable[[pd.DataFrame], Any] | None = None) -> pd.DataFrame:
    """CDNOW with a margin on each line: a share of the customer's own, which an order misses by chance."""
    log = load_cdnow_sample()
    rng = np.random.default_rng(7)
    own = pd.Series(rng.beta(4, 6, log["customer_id"].nunique()), index=log["customer_id"].unique())
    shares = own[log["customer_id"]].to_numpy() + rng.normal(0, 0.08, len(log))
    return log.assign(margin=(log["amount"] * np.minimum(shares if share is None else share(log), 1)).round(4))


def customers_of(log: pd.DataFrame, as_of: date = AS_OF, rate: float = 0.25) -> CustomerSummary:
    read = read_transactions(log, margins=LineMargins(told_by="lines", rate=rate))
    return summarize_customers(read, as_of=as_of, annual_discount_rate=0.1)


def valued(customers: CustomerSummary, **changed: Any) -> CustomerValues:
    return lifetime_value(FIT, SPEND, customers, **{**TERMS, "margin": margin_shares(customers), **changed})


@pytest.fixture(scope="module")
def values() -> CustomerValues:
    return valued(customers_of(priced()), costs=COSTS)


def test_residual_value_is_at_the_share_of_each_customer(values):
    frame = values.frame
    one_rate = lifetime_value(FIT, SPEND, values.customers, **TERMS, margin=values.assumptions.margin, costs=COSTS)
    more = frame["discounted_purchases"] * frame["expected_spend"] * (frame["margin"] - values.assumptions.margin) * 0.8
    pd.testing.assert_series_equal(
        frame["residual_value"] - one_rate.frame["residual_value"], more, check_names=False, rtol=1e-9, atol=1e-9
    )


def test_earned_value_is_the_margin_that_was_made(values):
    bare = valued(values.customers).frame["earned_value"]
    pd.testing.assert_series_equal(bare, values.customers.frame["margin_carried"], check_names=False)


def test_lines_with_one_share_are_worth_what_the_rate_makes_of_them():
    customers = customers_of(priced(lambda _log: 0.3))
    by_rate = lifetime_value(FIT, SPEND, customers, **TERMS, margin=0.3, costs=COSTS)
    pd.testing.assert_frame_equal(valued(customers, costs=COSTS).frame, by_rate.frame, rtol=1e-5, atol=2e-3)


@settings(max_examples=15, deadline=None)
@given(factor=st.floats(0.1, 2.0), seed=st.integers(0, 10_000))
def test_all_margins_times_a_factor_are_all_residual_values_times_it(values, factor, seed):
    rng = np.random.default_rng(seed)
    frame = values.customers.frame.sample(150, random_state=seed)
    own = pd.Series(rng.uniform(0.3, 1.2, len(frame)), index=frame.index)

    def times(factors):
        scaled = {"margin_so_far": factors, "margin_carried": factors, "margin_squares": factors**2}
        changed = frame.assign(**{name: frame[name] * by for name, by in scaled.items()})
        return valued(dataclasses.replace(values.customers, frame=changed)).frame

    one, other = times(own), times(factor * own)
    for column in ("margin", "residual_value", "earned_value"):
        pd.testing.assert_series_equal(other[column], factor * one[column], rtol=1e-6)


def test_values_are_saved_and_loaded_with_their_shares(values, tmp_path):
    values.save(tmp_path)
    again = CustomerValues.load(tmp_path)
    assert again.assumptions == values.assumptions
    pd.testing.assert_frame_equal(again.frame, values.frame)


def test_values_saved_before_there_were_shares_are_loaded_at_their_one_rate(tmp_path, cdnow_customers):
    values = lifetime_value(FIT, SPEND, cdnow_customers, **TERMS, margin=0.3)
    values.save(tmp_path)
    values.frame.drop(columns="margin").to_parquet(tmp_path / "values.parquet")
    pd.testing.assert_frame_equal(CustomerValues.load(tmp_path).frame, values.frame)


def test_another_margin_moves_every_share_in_proportion(values):
    half = revalue(values, margin=values.assumptions.margin / 2)
    pd.testing.assert_series_equal(half.frame["margin"], values.frame["margin"] / 2)
    # What was made is made.
    pd.testing.assert_series_equal(half.frame["earned_value"], values.frame["earned_value"])


# ---- in the engine --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def parquet(tmp_path_factory):
    path = tmp_path_factory.mktemp("priced") / "log.parquet"
    priced().to_parquet(path, index=False)
    return path


def in_place(parquet, **options: Any):
    margins = LineMargins(told_by="lines", rate=0.25)
    log = read_transactions(parquet, as_of=AS_OF, engine=EngineSettings(copy_rows=0), margins=margins)
    return value_customer_base(log, as_of=AS_OF, **TERMS, margin=None, costs=COSTS, model=FIT, **options)


def written(base, path) -> pd.DataFrame:
    base.write(path)
    return pd.read_parquet(path).set_index("customer_id").sort_index()


def test_a_base_in_its_engine_has_the_shares_of_customers_one_by_one(parquet, values, tmp_path):
    base = in_place(parquet)
    assert base.assumptions.own_margins.credibility == pytest.approx(
        values.assumptions.own_margins.credibility, rel=1e-6
    )
    found = written(base, tmp_path / "values.parquet")
    one_by_one = lifetime_value(
        *base.fits, values.customers, **TERMS, margin=margin_shares(values.customers), costs=COSTS
    )
    pd.testing.assert_frame_equal(found[one_by_one.frame.columns], one_by_one.frame, rtol=1e-6)


def test_a_base_valued_batch_by_batch_has_them_too(parquet, tmp_path):
    few, all_at_once = in_place(parquet, largest_here=50), in_place(parquet)
    assert few.by_batches
    columns = ["margin", "earned_value"]
    found = [
        written(base, tmp_path / f"{name}.parquet")[columns] for name, base in (("few", few), ("all", all_at_once))
    ]
    pd.testing.assert_frame_equal(*found, rtol=1e-9)


def test_a_base_without_margins_is_refused_where_these_are_asked_for(parquet):
    log = read_transactions(parquet, as_of=AS_OF)
    with pytest.raises(SettingsError, match="their log was read without"):
        value_customer_base(log, as_of=AS_OF, **TERMS, margin=None, model=FIT)


def test_the_command_writes_values_at_the_margins_of_the_settings(tmp_path):
    load = priced(lambda log: np.where(log["amount"] > 15, 0.5, 0.2)).assign(product=lambda log: np.where(
        log["amount"] > 15, "dear", "cheap"))  # fmt: skip
    (tmp_path / "data/raw").mkdir(parents=True)
    load.drop(columns="margin").to_csv(tmp_path / "data/raw/transactions.csv", index=False)
    (tmp_path / "crm.toml").write_text(
        '[money]\nmargin_from = "product"\n[money.margins]\ndear = 0.5\ncheap = 0.2\n[forecast]\nholdout = "13 weeks"\n'
    )
    written_ = write_values(
        load_settings(tmp_path / "crm.toml"), as_of=AS_OF, out=str(tmp_path / "values.parquet"), model="BG/NBD"
    )
    found = pd.read_parquet(written_.path).set_index("customer_id")["margin"].sort_index()
    expected = margin_shares(customers_of(load)).of(customers_of(load))
    pd.testing.assert_series_equal(found, expected, rtol=1e-6)


# ---- equity, and what moves it --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def equity(values) -> CustomerEquity:
    joining = planned_acquisition(20, as_of=AS_OF, months=24, error=0.1, customers=values.customers)
    return customer_equity(values, acquisition=joining, draws=100)


def test_expected_equity_of_fits_without_doubt_is_the_sum_of_the_values(equity):
    assert equity.draws["current_expected"].to_numpy() == pytest.approx(equity.current, rel=1e-9)


def test_futures_are_lived_at_the_margins_of_those_who_live_them(values):
    """Only customers who leave nothing buy: the futures bring nothing but the cost of orders."""
    nothing = values.frame.assign(margin=0.0)
    costs = dataclasses.replace(values.assumptions, costs=Costs())
    barren = dataclasses.replace(values, frame=nothing, assumptions=costs)
    assert customer_equity(barren, draws=100).draws["current_outcome"].abs().max() == 0


def test_nothing_changed_is_the_equity_as_it_is(equity):
    assert equity_if(equity, Change()).total == pytest.approx(equity.total, rel=1e-9)


def test_a_lever_of_margin_is_a_valuation_at_that_margin(equity):
    moved = revalue(equity.values, margin=0.5)
    assert equity_if(equity, Change(margin=0.5)).current == pytest.approx(moved.total, rel=1e-9)


def test_margin_of_unprofitable_customers_is_their_own():
    customers = customers_of(priced())
    dear = valued(customers, costs=Costs(cost_per_order=8.0))
    lost = dear.frame[dear.frame["residual_value"] < 0]
    margin = (lost["discounted_purchases"] * lost["expected_spend"] * lost["margin"]).sum()
    assert len(lost) > 100
    assert unprofitable_customers(dear).margin == pytest.approx(margin)
    assert unprofitable_customers(dear).service == pytest.approx(0, abs=1e-6)


def test_a_cohort_has_the_margin_of_its_lines(values):
    log = read_transactions(priced(), margins=LineMargins(told_by="lines", rate=0.25))
    found = cohort_retention(log, as_of=AS_OF, values=values).cohorts
    made = (found["margin_so_far"] * found["customers"]).sum()
    assert made == pytest.approx(values.customers.frame["margin_so_far"].sum())


def test_history_of_equity_finds_shares_anew_on_each_date(values):
    log = read_transactions(priced(), margins=LineMargins(told_by="lines", rate=0.25))
    found = equity_history(log, dates=[BEFORE], like=values, fitted_anew=False)
    then = customers_of(priced(), BEFORE)
    spend = revalue(values, customers=then, margin=margin_shares(then))
    again = revalue(spend, fits=spend.fits._replace(spend=fit_gamma_gamma(then)))
    assert found.loc[BEFORE, "current"] == pytest.approx(again.total)


# ---- the bridge -----------------------------------------------------------------------------------------------------


def bridged(before: pd.DataFrame, after: pd.DataFrame, **closing: Any) -> tuple[pd.DataFrame, pd.Series]:
    """Bridge and cash from one date to the next, each by the log as it was read then."""
    opening = customer_equity(valued(customers_of(before, BEFORE), costs=COSTS), draws=1)
    end = customer_equity(valued(customers_of(after), **{"costs": COSTS, **closing}), draws=1)
    restated = customers_of(after, BEFORE)
    return equity_bridge(opening, end, restated=restated), period_cash(opening, end, restated=restated)


def assert_adds_up(bridge: pd.DataFrame) -> None:
    steps = bridge["value"].drop([OPENING, CLOSING]).sum()
    assert bridge.loc[OPENING, "value"] + steps == pytest.approx(bridge.loc[CLOSING, "value"], rel=1e-9)


def test_a_bridge_with_margins_of_lines_adds_up():
    bridge, _cash = bridged(priced(), priced(), horizon="12 months")
    assert_adds_up(bridge)
    assert bridge.loc["restatement", "value"] == pytest.approx(0, abs=1e-6)


def test_customers_who_turn_to_what_leaves_less_stand_under_spend():
    """All that is bought after the opening leaves a tenth less; nobody buys other than before."""
    log = priced()
    late = pd.to_datetime(log["order_date"]).dt.date > BEFORE
    cheap = log.assign(margin=log["margin"].where(~late, log["margin"] - 0.1 * log["amount"]).round(4))
    (same, _), (less, _) = bridged(log, log), bridged(cheap, cheap)
    moved = less["value"] - same["value"]
    assert moved["spend"] < 0
    assert moved[["restatement", "released", "bought", "did_not_buy"]].abs().max() == pytest.approx(0, abs=1e-6)
    assert_adds_up(less)


def test_cash_is_what_the_lines_left_after_costs():
    log = priced()
    opening, end = (customer_equity(valued(customers_of(log, day)), draws=1) for day in (BEFORE, AS_OF))
    days = pd.to_datetime(log["order_date"]).dt.date
    made = log.loc[(days > BEFORE) & (days <= AS_OF), "margin"].sum()
    assert period_cash(opening, end)["realised"] == pytest.approx(made, rel=0.02)  # carried for weeks only


@pytest.mark.parametrize("changed", ["opening", "closing"])
def test_a_bridge_between_a_rate_and_margins_of_lines_adds_up(changed):
    days = (BEFORE, AS_OF)
    lines = [customers_of(priced(), day) for day in days]
    plain = [summarize_customers(load_cdnow_sample(), as_of=day, annual_discount_rate=0.1) for day in days]
    one_rate = dict.fromkeys([0 if changed == "opening" else 1])
    made = [
        lifetime_value(FIT, SPEND, plain[at], **TERMS, margin=0.3) if at in one_rate else valued(lines[at])
        for at in (0, 1)
    ]
    bridge = equity_bridge(*(customer_equity(one, draws=1) for one in made))
    assert_adds_up(bridge)
    told = "margin" if changed == "opening" else "restatement"
    assert abs(bridge.loc[told, "value"]) > 1


# ---- a simulated company --------------------------------------------------------------------------------------------


def test_shares_found_in_a_simulated_company_tell_what_its_customers_leave_later():
    """Customers differ little there, in what they are allowed off, and much by chance, in what they happen to buy."""
    company = simulate_company(seed=20240601, customers=1_500, months=24)
    log = read_transactions(
        company.tables["transactions"], margins=LineMargins(told_by="lines"), currency=company.truth.plan.currency
    )
    customers = summarize_customers(log, as_of=company.as_of)
    later = company.truth.future_purchases.groupby("customer_id")[["amount", "margin"]].sum()
    later = later.join(margin_shares(customers).of(customers).rename("share"), how="inner")

    def error(share):
        return (later["amount"] * (share - later["margin"] / later["amount"]) ** 2).sum()

    so_far = (customers.frame["margin_so_far"] / customers.frame["total_spend"])[later.index]
    assert error(later["share"]) < 0.6 * error(so_far)
    assert (later["amount"] * later["share"]).sum() == pytest.approx(later["margin"].sum(), rel=0.03)


def test_the_margin_of_a_simulated_company_is_that_of_its_cash_book():
    company = simulate_company(seed=20240601, customers=1_500, months=24)
    lines = company.tables["transactions"]
    log = read_transactions(lines, margins=LineMargins(told_by="lines"), currency=company.truth.plan.currency)
    assert float(log.reconciliation["margin"].sum()) == pytest.approx(lines["margin"].sum(), abs=1e-4)


def test_an_estimator_learns_shares_where_it_is_fitted_and_keeps_them_elsewhere():
    log = priced()
    few = log[log["customer_id"].isin(sorted(log["customer_id"].unique())[:200])]
    fitted = CustomerValueRegressor(margins=LineMargins(told_by="lines", rate=0.25), as_of=AS_OF).fit(log)
    learnt = margin_shares(customers_of(log))
    assert fitted.values_.assumptions.own_margins == learnt
    expected = learnt.of(customers_of(few))
    pd.testing.assert_series_equal(fitted.predict_frame(few)["margin"], expected)
