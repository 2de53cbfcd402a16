"""What each tier pays for the same things."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import DataError
from crm_analysis.value.tier_prices import price_by_tier

# Gold pays 9 for tea where lead pays 12; lead alone buys cake; the mean price of tea is (90 + 120) / 20 = 10.5.
LINES = pd.DataFrame(
    [
        ("g1", "tea", 4, 36.0), ("g2", "tea", 6, 54.0), ("l1", "tea", 10, 120.0), ("l1", "cake", 2, 100.0),
        ("l2", "tea", -1, -12.0), ("l2", "tea", 1, 0.0), ("l2", None, 1, 3.0), ("nobody", "tea", 1, 50.0),
    ],
    columns=["customer_id", "product", "quantity", "amount"],
)  # fmt: skip
TIER = pd.Series({"g1": "gold", "g2": "gold", "l1": "lead", "l2": "lead"}).astype(
    pd.CategoricalDtype(["platinum", "gold", "lead"], ordered=True)
)


@pytest.fixture(scope="module")
def prices():
    return price_by_tier(LINES, TIER, value=pd.Series({"g1": 10.0, "g2": 30.0, "l1": 1.0, "l2": 3.0}))


def test_the_relative_price_is_what_was_paid_over_the_mean_price(prices):
    assert prices["relative_price"].to_dict() == pytest.approx({"gold": 90 / 105, "lead": 120 / 105})


def test_what_one_tier_alone_buys_is_left_out_of_the_relative_price(prices):
    assert prices.loc["lead", "comparable"] == pytest.approx(120 / 220)
    assert prices.loc["gold", "comparable"] == 1


def test_the_unit_price_is_of_whatever_the_tier_buys(prices):
    assert prices["unit_price"].to_dict() == pytest.approx({"gold": 9.0, "lead": 220 / 12})


def test_equal_prices_give_relative_prices_of_one_whatever_the_mix():
    rng = np.random.default_rng(2)
    lines = pd.DataFrame(
        {
            "customer_id": [f"c{n % 20}" for n in range(200)],
            "product": rng.choice(["tea", "cake", "cup"], 200),
            "quantity": rng.integers(1, 9, 200),
        }
    )
    lines["amount"] = lines["quantity"] * lines["product"].map({"tea": 3.0, "cake": 8.0, "cup": 20.0})
    tiers = pd.Series({f"c{n}": "gold" if n < 10 else "lead" for n in range(20)})
    np.testing.assert_allclose(price_by_tier(lines, tiers)[["relative_price", "lower", "upper"]], 1.0)


def test_the_value_is_the_mean_of_the_tier(prices):
    assert prices["mean_value"].to_dict() == {"gold": 20.0, "lead": 2.0}


def test_without_values_they_are_missing():
    assert price_by_tier(LINES, TIER)["mean_value"].isna().all()


def test_lines_without_a_price_or_a_tier_are_counted(prices):
    assert prices.attrs["left_out"] == 4


def test_a_tier_that_shares_no_product_has_no_relative_price():
    apart = LINES.assign(product=["tea", "tea", "cake", "cake", None, None, None, None])
    assert price_by_tier(apart, TIER)[["relative_price", "lower", "upper"]].isna().all(axis=None)


def test_tiers_stand_in_their_order(prices):
    assert prices.index.to_list() == ["gold", "lead"]


def test_the_order_of_the_lines_does_not_matter():
    shuffled = price_by_tier(LINES.sample(frac=1, random_state=5), TIER)
    pd.testing.assert_frame_equal(shuffled, price_by_tier(LINES, TIER))


def test_missing_columns_are_named():
    with pytest.raises(DataError, match="column 'quantity': there is no such column"):
        price_by_tier(LINES.drop(columns="quantity"), TIER)
