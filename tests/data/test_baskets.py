"""Baskets, items and pairs: against a plain loop, by property, and what a basket is."""

from collections import Counter
from datetime import date
from itertools import combinations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.baskets import Baskets, basket_counts
from crm_analysis.errors import DataError, SettingsError

AS_OF = date(2024, 6, 30)
COLUMNS = ["customer_id", "order_date", "order_id", "product", "amount"]


def log_of(rows: list[tuple]) -> pd.DataFrame:
    """Rows of customer, day of June, order, product and amount."""
    frame = pd.DataFrame(rows, columns=COLUMNS)
    return frame.assign(order_date=pd.to_datetime([f"2024-06-{day:02d}" for day in frame["order_date"]]))


def counted(rows: list[tuple], **options) -> Baskets:
    return basket_counts(log_of(rows), as_of=AS_OF, **{"min_baskets": 1} | options)


def in_one_order(*products: str) -> list[tuple]:
    return [("A", 1, "o1", product, 1.0) for product in products]


def by_loop(rows: list[tuple], min_baskets: int) -> tuple[int, int, dict, dict]:
    """Basket by basket, pair by pair."""
    baskets: dict[tuple, set] = {}
    for customer, day, order, product, _ in rows:
        found = baskets.setdefault((customer, day if order is None else order), set())
        if product is not None:
            found.add(product)
    filled = [basket for basket in baskets.values() if basket]
    items = Counter(item for basket in filled for item in basket)
    pairs = Counter(pair for basket in filled for pair in combinations(sorted(basket), 2))
    return (
        len(filled),
        len(baskets) - len(filled),
        {item: count for item, count in items.items() if count >= min_baskets},
        {pair: count for pair, count in pairs.items() if count >= min_baskets},
    )


lines = st.tuples(
    st.sampled_from(["A", "B"]),
    st.integers(1, 3),
    st.sampled_from([None, "o1", "o2", "2024-06-01"]),
    st.sampled_from([None, "tea", "Tea", "cup", "é", "z"]),
    st.sampled_from([0.0, 1.5]),
)


@settings(max_examples=25)
@given(rows=st.lists(lines, max_size=20), min_baskets=st.integers(1, 3))
def test_baskets_items_and_pairs_are_those_of_a_plain_loop(rows, min_baskets):
    rows = [*rows, ("A", 1, "o1", "tea", 1.0)]
    found = counted(rows, min_baskets=min_baskets)
    items, pairs = (frame["baskets"].to_dict() for frame in (found.items, found.pairs))
    assert (found.baskets, found.without_items, items, pairs) == by_loop(rows, min_baskets)


@settings(max_examples=10)
@given(rows=st.lists(lines, max_size=20))
def test_measures_agree_with_one_another(rows):
    found = counted([*rows, ("A", 1, "o1", "tea", 1.0)])
    support, pairs = found.items["support"], found.pairs.reset_index()
    a, b = support.loc[pairs["a"]].to_numpy(), support.loc[pairs["b"]].to_numpy()
    assert pairs["confidence_ab"].to_numpy() == pytest.approx(pairs["support"].to_numpy() / a)
    assert pairs["confidence_ba"].to_numpy() == pytest.approx(pairs["support"].to_numpy() / b)
    assert pairs["lift"].to_numpy() == pytest.approx(pairs["support"].to_numpy() / (a * b))
    assert (pairs[["support", "confidence_ab", "confidence_ba"]] <= 1).all(axis=None)


def test_support_confidence_and_lift_are_those_of_a_table_of_two_by_two():
    # Of 10 baskets 5 hold tea, 4 hold a cup and 3 hold both.
    orders = [["tea", "cup"]] * 3 + [["tea"]] * 2 + [["cup"]] + [["pot"]] * 4
    rows = [("A", 1, f"o{number}", product, 1.0) for number, order in enumerate(orders) for product in order]
    pair = counted(rows).pairs.loc[("cup", "tea")]
    assert pair.to_list() == pytest.approx([3, 0.3, 3 / 4, 3 / 5, 0.3 / (0.4 * 0.5)])


def test_the_most_frequent_come_first_and_equals_by_code_point():
    rows = [("A", 1, "o1", item, 1.0) for item in ("b", "a", "B")] + [("A", 1, "o2", "b", 1.0)]
    assert counted(rows).items.index.to_list() == ["b", "B", "a"]


def test_an_item_on_several_lines_of_an_order_is_in_it_once():
    assert counted(in_one_order("tea", "tea", "cup")).items["baskets"].to_dict() == {"cup": 1, "tea": 1}


def test_lines_under_no_order_are_a_basket_of_their_day():
    rows = [("A", 1, None, "tea", 1.0), ("A", 1, None, "cup", 1.0), ("A", 2, None, "pot", 1.0)]
    assert counted(rows).pairs.index.to_list() == [("cup", "tea")]


def test_an_order_over_several_days_is_one_basket():
    assert counted([("A", 1, "o1", "tea", 1.0), ("A", 2, "o1", "cup", 1.0)]).baskets == 1


def test_one_order_id_of_two_customers_is_two_baskets():
    assert counted([("A", 1, "o1", "tea", 1.0), ("B", 1, "o1", "cup", 1.0)]).baskets == 2


def test_an_order_called_like_a_day_is_not_the_basket_of_that_day():
    assert counted([("A", 1, "2024-06-01", "tea", 1.0), ("A", 1, None, "cup", 1.0)]).baskets == 2


def test_a_log_without_orders_has_a_basket_a_customer_day():
    log = log_of([("A", 1, "o1", "tea", 1.0), ("A", 1, "o2", "cup", 1.0)]).drop(columns="order_id")
    assert basket_counts(log, as_of=AS_OF, min_baskets=1).baskets == 1


def test_an_item_that_was_given_back_is_not_in_its_basket():
    found = counted([*in_one_order("tea", "cup"), ("A", 3, "o1", "cup", -1.0)])
    assert found.items.index.to_list() == ["tea"]


def test_an_item_that_was_given_back_in_part_stays():
    found = counted([*in_one_order("tea", "cup"), ("A", 3, "o1", "cup", -0.5)])
    assert found.items.index.to_list() == ["cup", "tea"]


def test_a_gift_is_in_its_basket():
    assert counted([*in_one_order("tea"), ("A", 1, "o1", "cup", 0.0)]).pairs.index.to_list() == [("cup", "tea")]


def test_baskets_without_an_item_are_counted_apart():
    found = counted([*in_one_order("tea"), ("A", 1, "o2", None, 1.0)])
    assert (found.baskets, found.without_items, found.items.loc["tea", "support"]) == (1, 1, 1.0)


def test_purchases_after_the_date_are_not_seen():
    log = log_of([("A", 1, "o1", "tea", 1.0), ("A", 3, "o2", "cup", 1.0)])
    assert basket_counts(log, as_of="2024-06-02", min_baskets=1).items.index.to_list() == ["tea"]


def test_items_may_be_categories():
    log = log_of(in_one_order("tea", "cup")).rename(columns={"product": "category"})
    assert basket_counts(log, as_of=AS_OF, of="category", min_baskets=1).items.index.to_list() == ["cup", "tea"]


def test_items_too_rare_leave_no_pairs():
    found = counted(in_one_order("tea", "cup"), min_baskets=2)
    assert (found.baskets, len(found.items), len(found.pairs)) == (1, 0, 0)


def test_what_was_counted_is_told_in_one_line():
    text = "Baskets(1 baskets, 2 items, 1 pairs in at least 1, by product, as of 2024-06-30)"
    assert repr(counted(in_one_order("tea", "cup"))) == text


def test_a_log_without_products_is_refused():
    with pytest.raises(DataError, match=r"column 'product': there is no such column (?s:.+)To fix: name the column"):
        basket_counts(log_of(in_one_order("tea")).drop(columns="product"), as_of=AS_OF)


def test_a_log_whose_products_are_blank_is_refused():
    with pytest.raises(DataError, match="column 'product': no basket holds an item"):
        counted(in_one_order(" "))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"of": "channel"}, "of is 'channel'; use 'product' or 'category'"),
        ({"min_baskets": 0}, "ask for at least one basket"),
    ],
)
def test_a_wrong_parameter_is_refused(options, said):
    with pytest.raises(SettingsError, match=said):
        counted(in_one_order("tea"), **options)
