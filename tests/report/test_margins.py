"""A book of a shop whose products leave different shares says where its margins come from."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import EstimationWarning
from crm_analysis.messages import rate
from crm_analysis.report.stories.wording import margin_setting_words
from crm_analysis.value.lifetime_value import CustomerValues

from .test_stories import run_cells

FROM_PRODUCTS = """margin_from = "product"

[money.margins]
lamp = 0.6
"pen, blue" = -0.1
lampe = 0.5

[forecast]"""


@pytest.fixture(scope="module")
def told(make_project, simulated_orders, tmp_path_factory):
    """Customers with an even number mostly buy lamps, others pens; every third order is of something without a rate."""
    orders = simulated_orders()
    is_even = orders["Customer ID"].str.contains(r"[02468]\D*$")
    article = pd.Series(np.where(is_even, "lamp", "pen, blue"), index=orders.index).mask(orders.index % 3 == 0, "rope")
    made = make_project(orders=orders.assign(Article=article))
    file = made.root / "crm.toml"
    text = file.read_text().replace('order_id = "Order"', 'order_id = "Order"\nproduct = "Article"')
    file.write_text(text.replace("[forecast]", FROM_PRODUCTS))
    workspace = tmp_path_factory.mktemp("workspace")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        pages = run_cells(made.root, "2024-06", workspace)
    return pages, made, workspace


@pytest.mark.parametrize("chapter", ["customer_value", "customer_equity"])
def test_the_method_says_where_the_margin_of_a_line_comes_from(told, chapter):
    text = told[0][chapter]
    assert "the share set for its product, of which 3 have one; of others 40% of the amount is taken" in text
    assert re.search(r"drawn towards that of all, [\d.]+%: who has spent €[\d,.]+ is believed by half", text)


def test_the_margin_of_all_is_told_as_that_of_all(told):
    pages, _made, workspace = told
    pooled = CustomerValues.load(next(workspace.rglob("valuation"))).assumptions.margin
    assert f"Margin {rate(pooled)} (of all together; each customer at their own)" in pages["customer_value"]


def test_a_name_that_no_line_shows_is_told(told):
    assert "A margin is set for names that no used line shows: lampe." in told[0]["data_quality"]


def test_the_settings_are_told_as_they_were_set(told):
    assert margin_setting_words(told[1].settings.money) == "by product, else 40%"
