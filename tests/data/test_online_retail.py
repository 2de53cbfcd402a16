"""A real, messy log goes through the door: a year of a UK gift shop, with cancellations and missing customers."""

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import summarize_customers

LOG = Path(__file__).parents[3] / "shared" / "data" / "online_retail_2009_2010.csv.gz"
COLUMNS = {
    "customer_id": "Customer ID",
    "order_date": "InvoiceDate",
    "order_id": "Invoice",
    "product": "StockCode",
    "is_refund": "cancelled",
}

pytestmark = pytest.mark.skipif(not LOG.is_file(), reason=f"{LOG.name} is not beside the project")


@pytest.fixture(scope="module")
def log() -> pd.DataFrame:
    log = pd.read_csv(LOG, dtype={"Invoice": str, "StockCode": str, "Customer ID": str})
    return log.assign(amount=log["Quantity"] * log["Price"], cancelled=log["Invoice"].str.startswith("C"))


@pytest.fixture(scope="module")
def transactions(log) -> Transactions:
    return read_transactions(log, columns=COLUMNS, currency="GBP")


@pytest.fixture(scope="module")
def reconciliation(transactions) -> pd.DataFrame:
    return transactions.reconciliation.set_index("outcome")


def test_every_row_is_accounted_for(reconciliation):
    assert reconciliation["rows"].sum() == 525_461


def test_the_money_reconciles_to_the_cent(log, reconciliation):
    # Prices have three decimals at most, so whole thousandths add up exactly. The one cancellation with a positive
    # amount changes its sign.
    thousandths = (log["amount"] * 1000).round().astype("int64")
    signed = thousandths.where(~log["cancelled"], -thousandths.abs())
    assert reconciliation["money"].sum() == Decimal(int(signed.sum())) / 1000


def test_lines_without_a_customer_are_set_aside(reconciliation):
    assert reconciliation.loc["missing_customer_id", "rows"] == 107_927


def test_refunds_are_netted_against_equal_purchases(reconciliation):
    netted, cancelled = reconciliation.loc["refund_netted"], reconciliation.loc["cancelled_in_full"]
    assert netted["rows"] == cancelled["rows"] > 3_000
    assert netted["money"] == -cancelled["money"]


def test_every_refund_of_a_customer_is_netted_or_set_aside(log, reconciliation):
    refunds = (log["cancelled"] | (log["amount"] < 0)) & log["Customer ID"].notna()
    assert reconciliation.loc[["refund_netted", "refund_unmatched"], "rows"].sum() == refunds.sum()


def test_customers_can_be_summarised(transactions):
    customers = summarize_customers(transactions, as_of="2010-12-09")
    assert 4_000 < len(customers) <= 4_383


@pytest.mark.parametrize("as_of", ["2010-10-31", "2010-11-30"])
def test_the_money_of_a_month_end_reconciles_to_the_cent_with_what_is_not_seen_yet(log, transactions, as_of):
    cut = transactions.until(as_of).reconciliation.set_index("outcome")
    later = log["InvoiceDate"].str.slice(0, 10) > as_of
    thousandths = (log["amount"] * 1000).round().astype("int64")
    signed = thousandths.where(~log["cancelled"], -thousandths.abs())
    assert cut["rows"].sum() == len(log)
    assert cut["money"].sum() == Decimal(int(signed.sum())) / 1000
    assert cut.loc["after_as_of", "rows"] == later.sum()
    assert cut.loc["after_as_of", "money"] == Decimal(int(signed[later].sum())) / 1000
    nobody = log["Customer ID"].isna() & ~later
    assert cut.loc["missing_customer_id", "money"] == Decimal(int(signed[nobody].sum())) / 1000
