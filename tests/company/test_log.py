"""The purchase log: the door finds the odd rows that were planted, and the money in it adds up."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from crm_analysis.company import Plan
from crm_analysis.company.drawing import Span, numbered
from crm_analysis.company.lines import draw_lines
from crm_analysis.company.log import GIFT, GOODWILL, as_delivered, with_oddities
from crm_analysis.company.purchases import draw_orders
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import summarize_customers

OUTCOMES = ["used", "cancelled_in_full", "refund_netted", "refund_unmatched", "missing_customer_id"]
COUNTERS = ["exact_duplicates", "zero_amount", "refunds_in_part", "same_day_lines", "same_day_purchases"]


@pytest.fixture(scope="module")
def door(company) -> Transactions:
    return read_transactions(company.tables["transactions"], as_of=company.as_of)


@pytest.fixture(scope="module")
def sold(company) -> pd.DataFrame:
    """Lines that were sold, with the tier of the customer."""
    log = company.tables["transactions"]
    lines = log[~log["is_refund"] & (log["product"] != GIFT)]
    return lines.merge(company.tables["customers"][["customer_id", "tier"]], on="customer_id")


def planted(company, names: list[str]) -> dict[str, tuple[int, Decimal]]:
    frame = company.truth.odd_rows.loc[names]
    return {name: (int(row["rows"]), Decimal(f"{row['money']:.2f}")) for name, row in frame.iterrows()}


def test_the_outcomes_of_the_door_are_those_planted(company, door):
    found = door.reconciliation[door.reconciliation["rows"] > 0]
    assert {row.outcome: (row.rows, row.money) for row in found.itertuples()} == planted(company, OUTCOMES)


def test_the_counters_of_the_door_are_those_planted(company, door):
    assert {row.counter: (row.rows, row.money) for row in door.counters.itertuples()} == planted(company, COUNTERS)


def test_every_oddity_occurs(company):
    assert (company.truth.odd_rows["rows"] > 30).all()


def test_the_door_finds_nothing_odd_where_nothing_was_planted(plain):
    door = read_transactions(plain.tables["transactions"])
    assert door.reconciliation.loc[door.reconciliation["rows"] > 0, "outcome"].tolist() == ["used"]
    assert (door.counters["rows"] == 0).all()


def test_two_in_a_hundred_orders_see_a_refund(company, is_share):
    log = company.tables["transactions"]
    odd = company.truth.plan.odd_rows
    # Orders of the last weeks have not been given back yet.
    early = log[(log["order_date"] < "2023-09-01") & log["customer_id"].notna() & log["order_id"].str.match("O0")]
    returned = set(log.loc[log["is_refund"], "order_id"].dropna())
    orders = early.loc[~early["is_refund"], "order_id"].str.removesuffix("-2").unique()
    expected = (odd.refunded_in_full + odd.refunded_in_part) / (1 - odd.missing_customer_id)
    assert is_share([order in returned for order in orders], expected)


def test_money_back_without_an_order_is_planted_too(company):
    log = company.tables["transactions"]
    credit = log[log["product"] == GOODWILL]
    assert credit["order_id"].isna().all() and (credit["amount"] < 0).all()


def test_one_in_a_hundred_orders_has_no_customer(company, is_share):
    orders = company.tables["transactions"].dropna(subset=["order_id"]).groupby("order_id")["customer_id"].first()
    orders = orders[orders.index.str.match("O0") & ~orders.index.str.endswith("-2")]
    assert is_share(orders.isna(), company.truth.plan.odd_rows.missing_customer_id)


def test_cost_and_margin_add_up_to_the_amount_in_every_line(company):
    log = company.tables["transactions"]
    cents = (log[["amount", "cost", "margin"]] * 100).round().astype(int)
    assert (cents["cost"] + cents["margin"] == cents["amount"]).all()


def test_amounts_are_whole_cents(company):
    cents = company.tables["transactions"]["amount"] * 100
    np.testing.assert_allclose(cents, cents.round(), atol=1e-6)


@pytest.mark.parametrize("tier", ["gold", "silver", "standard"])
def test_margins_are_those_of_the_category_after_the_discount_of_the_tier(company, sold, tier):
    plan = company.truth.plan.lines
    [discount] = [each.discount for each in plan.tiers if each.name == tier]
    sums = sold[sold["tier"] == tier].groupby("category")[["amount", "margin"]].sum()
    expected = {each.name: 1 - (1 - each.margin) / (1 - discount) for each in plan.categories}
    found = (sums["margin"] / sums["amount"]).to_dict()
    assert found == pytest.approx(expected, abs=5e-4)  # each line's cost is rounded to the cent


def test_categories_have_their_shares_of_the_lines(company, sold, is_share):
    for each in company.truth.plan.lines.categories:
        assert is_share(sold["category"] == each.name, each.share)


def test_tiers_have_their_shares_of_the_customers(company):
    shares = company.tables["customers"]["tier"].value_counts(normalize=True)
    assert shares.to_dict() == pytest.approx({"gold": 0.05, "silver": 0.15, "standard": 0.80}, abs=1e-3)


def test_orders_have_several_lines_now_and_then(company, is_mean):
    log = company.tables["transactions"]
    lines = log[~log["is_refund"] & (log["product"] != GIFT)].drop_duplicates()
    order = lines["order_id"].str.removesuffix("-2")
    assert is_mean(order.value_counts(), 1 + company.truth.plan.lines.more_lines)


def test_quantities_follow_from_the_prices_of_the_category(company, sold):
    plan = company.truth.plan.lines
    price = sold["category"].map({each.name: each.price for each in plan.categories})
    listed = sold["amount"] / (1 - sold["tier"].map({tier.name: tier.discount for tier in plan.tiers}))
    several = sold["quantity"] > 1
    assert several.mean() > 0.2
    assert ((listed - sold["quantity"] * price)[several].abs() <= price[several] / 2 + 1e-6).all()


def test_a_plain_log_has_one_customer_for_each_one_acquired(plain):
    summary = summarize_customers(plain.tables["transactions"], as_of=plain.as_of)
    first = plain.tables["customers"].set_index("customer_id")["acquired_on"]
    assert (summary.frame["first_purchase"] == first.reindex(summary.frame.index)).all()
    assert len(summary) == len(first)


def test_purchases_of_the_future_are_what_the_door_says_of_them_later():
    plan, rng = Plan(), np.random.default_rng(12)
    n, today, later = 1_500, Span(plan.first_month, 24, 12), Span(plan.first_month, 36, 0)
    people = pd.DataFrame(
        {
            "customer_id": numbered("S", n),
            "acquired": rng.integers(0, today.days, n),
            "purchase_rate": 0.2,
            "dropout": 0.1,
            "mean_spend": 40.0,
            "tier": 0,
        }
    )
    lines = draw_lines(plan.lines, draw_orders(plan.buying, people, today, rng), people, "O", rng)
    lines = with_oddities(plan.odd_rows, lines, rng)
    foretold = as_delivered(plan.lines, lines, people, today, plan.currency).later
    seen = read_transactions(as_delivered(plan.lines, lines, people, later, plan.currency).transactions).table
    seen = seen.to_pandas().astype({"amount": float, "margin": float, "order_date": "datetime64[ns]"})
    days = seen[seen["order_date"] > pd.Timestamp(today.as_of)]
    days = days.groupby(["customer_id", "order_date"], as_index=False)[["amount", "margin"]].sum()
    assert (days["customer_id"].to_numpy() == people["customer_id"].to_numpy()[foretold["customer"]]).all()
    assert (days["order_date"].to_numpy() == today.dates(foretold["day"].to_numpy())).all()
    np.testing.assert_allclose(days[["amount", "margin"]] * 100, foretold[["cents", "margin"]], atol=1e-6)
