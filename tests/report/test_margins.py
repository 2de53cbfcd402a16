"""A book of a shop whose products leave different shares says where its margins come from."""

import re

import numpy as np
import pandas as pd
import pytest

from crm_analysis.messages import rate
from crm_analysis.report.book import build_book
from crm_analysis.value.lifetime_value import CustomerValues

FROM_PRODUCTS = """margin_from = "product"

[money.margins]
lamp = 0.6
"pen, blue" = -0.1
lampe = 0.5

[forecast]"""


@pytest.fixture(scope="module")
def shop(make_project, simulated_orders):
    """Customers with an even number mostly buy lamps, others pens; every third order is of something without a rate."""
    orders = simulated_orders()
    is_even = orders["Customer ID"].str.contains(r"[02468]\D*$")
    article = pd.Series(np.where(is_even, "lamp", "pen, blue"), index=orders.index).mask(orders.index % 3 == 0, "rope")
    made = make_project(orders=orders.assign(Article=article))
    file = made.root / "crm.toml"
    text = file.read_text().replace('order_id = "Order"', 'order_id = "Order"\nproduct = "Article"')
    file.write_text(text.replace("[forecast]", FROM_PRODUCTS))
    for period in ("2024-05", "2024-06"):
        build_book(period, settings=made.settings)
    return made


def page(shop, name: str) -> str:
    html = (shop.root / "reports" / "2024-06" / f"{name}.html").read_text(encoding="utf-8")
    html = re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


@pytest.mark.parametrize("chapter", ["customer-value", "customer-equity"])
def test_the_method_says_where_the_margin_of_a_line_comes_from(shop, chapter):
    text = page(shop, chapter)
    assert "the share set for its product, of which 3 have one; of others 40% of the amount is taken" in text
    assert re.search(r"drawn towards that of all, [\d.]+%: who has spent €[\d,.]+ is believed by half", text)


def test_the_margin_of_all_is_told_beside_the_rate(shop):
    pooled = CustomerValues.load(shop.root / "data/processed/2024-06/valuation").assumptions.margin
    assert f"Margin {rate(pooled)} (of all together; each customer at their own)" in page(shop, "customer-value")


def test_a_name_that_no_line_shows_is_told(shop):
    assert "A margin is set for names that no used line shows: lampe." in page(shop, "data-quality")


def test_the_settings_of_the_book_say_by_what_margins_are(shop):
    assert "Margin by product, else 40%" in page(shop, "index")


def test_the_bridge_says_what_its_margin_is(shop):
    assert "that of all customers together, and how far each is believed" in page(shop, "customer-equity")
