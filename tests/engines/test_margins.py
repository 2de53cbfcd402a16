"""Margins of lines are found, summed up and believed alike in every engine."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.settings import LineMargins
from crm_analysis.value.customer_base import value_customer_base
from crm_analysis.value.margin_shares import margin_shares

from .hostile import DAY, FLOAT, TEXT
from .loading import Engine
from .questions import IN_PLACE

AS_OF = date(1997, 9, 30)
RATES = {"record": 0.3, "book": 0.1234, " loss leader": -0.05}
MARGINS = {
    "lines": LineMargins(told_by="lines", rate=0.25),
    "product": LineMargins(told_by="product", rate=0.25, rates=RATES),
}


@pytest.fixture(scope="module")
def content() -> pa.Table:
    log = load_cdnow_sample()
    cents = (log["amount"] * 100).round().astype(int)
    log["product"] = pd.Series([*RATES, None]).reindex(cents % 4).to_numpy()
    log["cost"] = (log["amount"] * (0.4 + (cents % 31) / 100)).round(2).mask(cents % 7 == 0)
    kinds = [("customer_id", TEXT), ("order_date", DAY), ("amount", FLOAT), ("product", TEXT), ("cost", FLOAT)]
    return pa.Table.from_pandas(log, schema=pa.schema(kinds), preserve_index=False)


@pytest.mark.parametrize("told_by", MARGINS)
def test_margins_of_customers_are_those_of_a_copied_log(place: Engine, content: pa.Table, told_by: str):
    how = {"as_of": AS_OF, "margins": MARGINS[told_by]}
    log = read_transactions(place.load(f"priced_{told_by}", content), engine=IN_PLACE, **how)
    assert not log.is_copied
    found = summarize_customers(log, as_of=AS_OF, annual_discount_rate=0.1).frame
    expected = summarize_customers(
        read_transactions(content.to_pandas(), **how), as_of=AS_OF, annual_discount_rate=0.1
    ).frame
    pd.testing.assert_frame_equal(found, expected, check_dtype=False, rtol=1e-12, atol=1.01e-4)
    pd.testing.assert_series_equal(found["margin_so_far"], expected["margin_so_far"], rtol=1e-12)


def test_customers_are_believed_as_far_as_in_this_process(place: Engine, content: pa.Table, tmp_path):
    log = read_transactions(
        place.load("priced_base", content), as_of=AS_OF, engine=IN_PLACE, margins=MARGINS["product"]
    )
    terms = {"horizon": "24 months", "annual_discount_rate": 0.1}
    base = value_customer_base(
        log, as_of=AS_OF, margin=None, model=BGNBDFit.from_params((0.243, 4.414, 0.793, 2.426)), **terms
    )
    base.write(tmp_path / "values", folder=True)
    found = pd.read_parquet(tmp_path / "values").set_index("customer_id")["margin"].sort_index()
    customers = summarize_customers(
        read_transactions(content.to_pandas(), margins=MARGINS["product"]), as_of=AS_OF, annual_discount_rate=0.1
    )
    expected = margin_shares(customers)
    assert base.assumptions.own_margins.credibility == pytest.approx(expected.credibility, rel=1e-6)
    np.testing.assert_allclose(found, expected.of(customers), rtol=1e-6)
