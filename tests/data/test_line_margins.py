"""Margins of lines: told by the line or by a name, netted and set aside with the amount, the same in every place."""

from datetime import date, timedelta
from decimal import Decimal

import pandas as pd
import pytest

from crm_analysis import load_cdnow_sample
from crm_analysis.data.cohorts import cohort_counts
from crm_analysis.data.customer_table import customer_table
from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.sources import Transactions, read_deliveries, read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import EngineSettings, LineMargins

AS_OF = date(2024, 6, 30)
BY_LINES = LineMargins(told_by="lines", rate=0.25)
BY_PRODUCT = LineMargins(told_by="product", rate=0.25, rates={"book": 0.4, " pen ": -0.1})
# One order that is given back in part, one in full, a gift, one without a customer, one to come.
LOG = pd.DataFrame(
    [
        ("a", "2024-01-10", 100.0, "o1", "book", 60.0, None),
        ("a", "2024-01-12", -20.0, "o1", "book", -12.0, None),
        ("a", "2024-03-01", 10.0, "o2", "pen", None, 7.5),
        ("b", "2024-02-01", 50.0, "o3", "ink", None, None),
        ("b", "2024-02-03", 30.0, "o4", "pen", 33.0, None),
        ("b", "2024-02-05", -30.0, "o4", "pen", -33.0, None),
        ("b", "2024-04-01", 0.0, "o5", "pen", 2.0, None),
        (None, "2024-04-02", 8.0, "o6", "book", 3.0, None),
        ("b", "2024-08-01", 40.0, "o7", "book", 20.0, None),
    ],
    columns=["customer_id", "order_date", "amount", "order_id", "product", "cost", "margin"],
)


def used(log: Transactions) -> pd.DataFrame:
    lines = log.table.select("order_id", "amount", "margin").to_pandas()
    return lines.astype({"amount": float, "margin": float}).sort_values(["order_id", "amount"], ignore_index=True)


def test_a_line_leaves_its_margin_else_its_amount_less_its_cost_else_the_rate():
    lines = used(read_transactions(LOG, as_of=AS_OF, margins=BY_LINES))
    assert lines[["order_id", "margin"]].to_numpy().tolist() == [
        ["o1", -8.0], ["o1", 40.0], ["o2", 7.5], ["o3", 12.5], ["o5", -2.0],
    ]  # fmt: skip


def test_a_line_leaves_the_share_of_its_product_else_the_rate():
    lines = used(read_transactions(LOG, as_of=AS_OF, margins=BY_PRODUCT))
    assert lines["margin"].tolist() == [-8.0, 40.0, -1.0, 12.5, 0.0]


def test_two_products_by_hand_add_up_by_customer():
    customers = summarize_customers(read_transactions(LOG, margins=BY_PRODUCT), as_of=AS_OF).frame
    assert customers["margin_so_far"].to_dict() == {"a": 31.0, "b": 12.5}
    # 32 of 80 squared over 80, and -1 of 10; b's order was told at the one rate, and the gift has no amount.
    assert customers["margin_squares"].to_dict() == pytest.approx({"a": 32**2 / 80 + 0.1, "b": 12.5**2 / 50})


def test_margins_are_carried_at_the_discount_rate_as_the_amounts_are():
    customers = summarize_customers(
        read_transactions(LOG, margins=BY_LINES), as_of=AS_OF, annual_discount_rate=0.1
    ).frame
    growth = [1.1 ** ((AS_OF - day).days / 365.25) for day in (date(2024, 1, 10), date(2024, 3, 1))]
    assert customers.loc["a", "margin_carried"] == pytest.approx(32 * growth[0] + 7.5 * growth[1], rel=1e-9)


@pytest.mark.parametrize("margins", [BY_LINES, BY_PRODUCT])
def test_the_margin_of_what_is_used_set_aside_and_not_seen_is_that_of_all_rows(margins):
    log = read_transactions(LOG, as_of=AS_OF, margins=margins)
    whole = log.log.lines.margin.sum().to_pandas()
    assert log.reconciliation["margin"].sum() == whole
    assert log.reconciliation.set_index("outcome").loc["used", "margin"] == Decimal(str(used(log)["margin"].sum()))


def test_what_customers_leave_together_is_what_the_used_lines_leave():
    log = read_transactions(LOG, as_of=AS_OF, margins=BY_LINES)
    assert summarize_customers(log, as_of=AS_OF).frame["margin_so_far"].sum() == float(
        log.reconciliation["margin"].iloc[0]
    )


def test_lines_at_the_one_rate_are_counted_with_their_money():
    counters = read_transactions(LOG, as_of=AS_OF, margins=BY_LINES).counters.set_index("counter")
    assert counters.loc["margin_by_rate", ["rows", "money"]].tolist() == [1, 50]


def test_a_name_that_no_used_line_shows_is_told():
    margins = LineMargins(told_by="product", rates={"book": 0.4, "bok": 0.3})
    assert read_transactions(LOG, margins=margins).unseen_margins == ("bok",)


def test_a_log_read_without_margins_carries_none():
    customers = summarize_customers(LOG, as_of=AS_OF, annual_discount_rate=0.1).frame
    assert [name for name in customers if name.startswith("margin")] == []


def test_a_log_cut_earlier_leaves_what_was_known_then():
    log = read_transactions(LOG, margins=BY_LINES)
    assert used(log.until("2024-02-04"))["margin"].sum() == pytest.approx(40 - 8 + 12.5 - 3)  # o4 is still sold


def test_margin_by_cohort_is_that_of_the_lines():
    counts = cohort_counts(read_transactions(LOG, margins=BY_LINES), as_of=AS_OF)
    assert counts["margin"].groupby(level="cohort").sum().to_dict() == {"2024-01": 39.5, "2024-02": 10.5}


def test_every_line_tells_its_margin_to_whoever_sums_up_a_stretch():
    log = read_transactions(LOG, as_of=AS_OF, margins=BY_LINES)
    assert purchases_between(log, after="2023-12-31", until=AS_OF)["margin"].to_dict() == {"a": 39.5, "b": 10.5}


# ---- wherever the lines are ---------------------------------------------------------------------------


def priced(log: pd.DataFrame) -> pd.DataFrame:
    """CDNOW with products and costs: dearer orders leave less, and some lines do not tell."""
    product = pd.Series(["record", "book", "gift"])[(log["amount"] * 100).round().astype(int) % 3].to_numpy()
    cost = (log["amount"] * (0.4 + 0.01 * (log["amount"] % 20))).round(2)
    return log.assign(product=product, cost=cost.mask(log["amount"] % 7 < 1))


@pytest.mark.parametrize("margins", [BY_LINES, LineMargins(told_by="product", rates={"record": 0.3, "book": 0.123})])
def test_a_log_read_in_place_gives_the_customers_of_a_copied_one(tmp_path, margins):
    path = tmp_path / "log.parquet"
    priced(load_cdnow_sample()).to_parquet(path, index=False)
    options = {"as_of": "1997-09-30", "margins": margins}
    copied, in_place = (
        customer_table(read_transactions(path, engine=EngineSettings(copy_rows=rows), **options),
                       as_of="1997-09-30", annual_discount_rate=0.1).summary().frame
        for rows in (5_000_000, 0)
    )  # fmt: skip
    pd.testing.assert_frame_equal(copied, in_place)
    assert "margin_carried" in copied


def test_lines_with_one_share_are_one_rate():
    log = load_cdnow_sample()
    lines = read_transactions(log.assign(margin=(0.3 * log["amount"]).round(4)), margins=BY_LINES)
    customers = summarize_customers(lines, as_of="1997-09-30", annual_discount_rate=0.1).frame
    pd.testing.assert_series_equal(
        customers["margin_carried"], 0.3 * customers["spend_carried"], check_names=False, rtol=1e-6, atol=1e-3
    )
    assert customers["margin_so_far"].to_numpy() == pytest.approx(0.3 * customers["total_spend"].to_numpy())


def test_margins_in_deliveries_are_those_of_the_log_in_one_file(tmp_path):
    log = priced(load_cdnow_sample())
    days = pd.to_datetime(log["order_date"]).dt.date
    ends = [date(1997, month, 1) - timedelta(days=1) for month in (5, 7, 10)]
    folder, options = tmp_path / "delivered", {"margins": BY_LINES, "engine": EngineSettings(copy_rows=0)}
    folder.mkdir()
    for before, end in zip([date(1996, 12, 31), *ends], ends, strict=False):
        log[(days > before) & (days <= end)].to_csv(folder / f"{end}.csv", index=False)
        delivered = read_deliveries(folder, tmp_path / "kept", **options)
        kept = customer_table(delivered, as_of=end, annual_discount_rate=0.1).keep().summary().frame
    whole = read_transactions(log[days <= ends[-1]], margins=BY_LINES)
    rebuilt = summarize_customers(whole, as_of=ends[-1], annual_discount_rate=0.1).frame
    pd.testing.assert_frame_equal(kept, rebuilt, rtol=1e-9, atol=1e-3)


def test_deliveries_are_checked_again_for_other_margins(tmp_path):
    folder = tmp_path / "delivered"
    folder.mkdir()
    LOG.to_csv(folder / "all.csv", index=False)
    read_deliveries(folder, tmp_path / "kept", as_of=AS_OF, margins=BY_LINES)
    again = read_deliveries(folder, tmp_path / "kept", as_of=AS_OF, margins=BY_PRODUCT)
    assert used(again)["margin"].sum() == pytest.approx(43.5)


# ---- what is refused ----------------------------------------------------------------------------------


def test_a_column_that_is_asked_for_and_absent_is_refused_with_everything_else():
    bare = LOG.drop(columns=["cost", "margin"]).assign(amount="ten")
    with pytest.raises(DataError) as refused:
        read_transactions(bare, margins=BY_LINES)
    said = str(refused.value)
    assert 'money.margin_from = "lines" asks for it' in said and "not a number" in said
    assert 'margin = "..." or cost = "..." under [sources.transactions.columns]' in said


def test_a_log_without_categories_is_refused_where_these_have_margins():
    with pytest.raises(DataError, match=r'money\.margin_from = "category" asks for it'):
        read_transactions(LOG, margins=LineMargins(told_by="category", rates={"toys": 0.4}))


def test_lines_that_leave_more_than_was_paid_are_refused_with_their_customers():
    with pytest.raises(
        DataError, match=r"column 'margin': the margin is more than the amount in 2 row\(s\)"
    ) as refused:
        read_transactions(LOG.assign(margin=[101.0, None, 11.0, *[None] * 6]), margins=BY_LINES)
    assert "101" in str(refused.value) and "a" in str(refused.value)


def test_margins_come_too_late_for_a_log_that_is_read():
    log = read_transactions(LOG)
    with pytest.raises(SettingsError, match="margins come too late"):
        read_transactions(log, margins=BY_LINES)
