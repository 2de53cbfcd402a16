"""Refunds: what they cancel, what they only reduce, and what nothing was found for."""

from collections import defaultdict
from decimal import Decimal

import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.settings import DoorRules

COLUMNS = ["customer_id", "order_date", "amount", "order_id", "product"]


def log(*rows: tuple, columns: list[str] = COLUMNS) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns).astype(
        {name: "str" for name in columns if name in ("order_id", "product")}
    )


def rows_by_outcome(transactions: Transactions) -> dict[str, int]:
    frame = transactions.reconciliation
    return {row.outcome: row.rows for row in frame.itertuples() if row.rows}


def test_a_refund_under_the_order_reduces_it():
    transactions = read_transactions(log(("A", "2024-01-05", 30.0, "O1", None), ("A", "2024-01-09", -10.0, "O1", None)))
    days = transactions.table.to_pandas()
    assert days["amount"].sum() == Decimal(20)
    assert days["order_date"].astype(str).unique().tolist() == ["2024-01-05"]


def test_a_refund_reduces_the_latest_purchase_before_it():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", 30.0, "O1", None),
            ("A", "2024-01-09", -10.0, "O1", None),
            ("A", "2024-01-20", 30.0, "O1", None),
        )
    )
    by_day = transactions.table.to_pandas().groupby("order_date")["amount"].sum()
    assert by_day.tolist() == [Decimal(20), Decimal(30)]


def test_a_refund_dated_before_its_order_reduces_the_first_purchase():
    transactions = read_transactions(log(("A", "2024-01-09", 30.0, "O1", None), ("A", "2024-01-05", -10.0, "O1", None)))
    assert transactions.table.to_pandas()["order_date"].astype(str).unique().tolist() == ["2024-01-09"]


def test_a_refund_that_reduces_an_order_is_counted():
    transactions = read_transactions(log(("A", "2024-01-05", 30.0, "O1", None), ("A", "2024-01-09", -10.0, "O1", None)))
    counted = transactions.counters.set_index("counter").loc["refunds_in_part"]
    assert (counted["rows"], counted["money"]) == (1, Decimal(-10))


def test_an_order_refunded_in_full_is_no_purchase():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", 30.0, "O1", None),
            ("A", "2024-01-05", 0.0, "O1", None),
            ("A", "2024-01-09", -30.0, "O1", None),
            ("A", "2024-01-20", 8.0, "O2", None),
        )
    )
    assert rows_by_outcome(transactions) == {"used": 1, "cancelled_in_full": 2, "refund_netted": 1}


def test_a_refund_takes_the_sign_its_flag_says():
    frame = log(("A", "2024-01-05", 30.0, "O1", None), ("A", "2024-01-09", 10.0, "O1", None)).assign(
        is_refund=["no", "yes"], quantity=[3, 1], cost=[15.0, 5.0]
    )
    table = read_transactions(frame).table.to_pandas()
    assert table[["amount", "quantity", "cost"]].sum().tolist() == [Decimal(20), Decimal(2), Decimal(10)]


def test_a_refund_without_an_order_cancels_an_equal_earlier_purchase():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", 30.0, "O1", "P"),
            ("A", "2024-01-09", -30.0, "C9", "P"),
            ("A", "2024-01-12", 4.0, "O2", "P"),
        )
    )
    assert rows_by_outcome(transactions) == {"used": 1, "cancelled_in_full": 1, "refund_netted": 1}


def test_a_refund_of_another_product_cancels_nothing():
    transactions = read_transactions(log(("A", "2024-01-05", 30.0, "O1", "P"), ("A", "2024-01-09", -30.0, "C9", "Q")))
    assert rows_by_outcome(transactions) == {"used": 1, "refund_unmatched": 1}


def test_a_refund_of_another_customer_cancels_nothing():
    transactions = read_transactions(log(("A", "2024-01-05", 30.0, "O1", "P"), ("B", "2024-01-09", -30.0, "C9", "P")))
    assert rows_by_outcome(transactions) == {"used": 1, "refund_unmatched": 1}


def test_a_refund_before_its_purchase_cancels_nothing():
    transactions = read_transactions(log(("A", "2024-01-09", 30.0, "O1", "P"), ("A", "2024-01-05", -30.0, "C9", "P")))
    assert rows_by_outcome(transactions) == {"used": 1, "refund_unmatched": 1}


def test_a_refund_that_found_nothing_does_not_stand_in_the_way_of_a_later_one():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", -30.0, "C8", "P"),
            ("A", "2024-01-09", 30.0, "O1", "P"),
            ("A", "2024-01-12", -30.0, "C9", "P"),
        )
    )
    assert rows_by_outcome(transactions) == {"refund_unmatched": 1, "cancelled_in_full": 1, "refund_netted": 1}


def test_equal_purchases_are_cancelled_the_oldest_first():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", 30.0, "O1", "P"),
            ("A", "2024-01-09", 30.0, "O2", "P"),
            ("A", "2024-01-12", -30.0, "C9", "P"),
        )
    )
    assert transactions.table.to_pandas()["order_id"].tolist() == ["O2"]


def test_a_refund_on_the_day_of_the_purchase_cancels_it():
    transactions = read_transactions(log(("A", "2024-01-05", -30.0, "C9", "P"), ("A", "2024-01-05", 30.0, "O1", "P")))
    assert rows_by_outcome(transactions) == {"cancelled_in_full": 1, "refund_netted": 1}


def test_a_refund_after_the_as_of_date_cancels_nothing():
    transactions = read_transactions(
        log(("A", "2024-01-05", 30.0, "O1", "P"), ("A", "2024-01-09", -30.0, "C9", "P")), as_of="2024-01-08"
    )
    assert rows_by_outcome(transactions) == {"used": 1, "after_as_of": 1}


def test_a_log_without_order_and_product_is_netted_by_amount():
    columns = ["customer_id", "order_date", "amount"]
    transactions = read_transactions(log(("A", "2024-01-05", 30.0), ("A", "2024-01-09", -30.0), columns=columns))
    assert rows_by_outcome(transactions) == {"cancelled_in_full": 1, "refund_netted": 1}


def test_refunds_are_set_aside_when_the_rule_says_so():
    transactions = read_transactions(
        log(("A", "2024-01-05", 30.0, "O1", None), ("A", "2024-01-09", -10.0, "O1", None)),
        rules=DoorRules(refunds="set_aside"),
    )
    assert rows_by_outcome(transactions) == {"used": 1, "refund_set_aside": 1}


def test_a_cancelled_first_purchase_does_not_start_the_clock():
    transactions = read_transactions(
        log(
            ("A", "2024-01-05", 30.0, "O1", "P"),
            ("A", "2024-01-09", -30.0, "C9", "P"),
            ("A", "2024-01-12", 4.0, "O2", "P"),
        )
    )
    customers = summarize_customers(transactions, as_of="2024-01-31", time_unit="day")
    assert customers.frame.loc["A", "T"] == 19


def netted_by_hand(frame: pd.DataFrame) -> dict[str, tuple[int, Decimal]]:
    """The rules of `net_refunds` as a loop over lines in time order: rows and money by outcome."""
    lines = [{**line, "amount": Decimal(f"{line['amount']:.2f}"), "outcome": None} for line in frame.to_dict("records")]
    by_order = defaultdict(list)
    for line in lines:
        if isinstance(line["order_id"], str):
            by_order[line["customer_id"], line["order_id"]].append(line)
    for order in by_order.values():
        amounts = [line["amount"] for line in order]
        if max(amounts) > 0 > min(amounts):
            for line in order:
                in_full = "refund_netted" if line["amount"] < 0 else "cancelled_in_full"
                line["outcome"] = "used" if sum(amounts) > 0 else in_full
    waiting = defaultdict(list)
    for line in sorted(lines, key=lambda line: (line["order_date"], line["amount"] < 0)):
        if line["outcome"] is not None:
            continue
        product = line["product"] if isinstance(line["product"], str) else None
        queue = waiting[line["customer_id"], product, abs(line["amount"])]
        if line["amount"] >= 0:
            line["outcome"] = "used"
            queue.append(line)
        elif queue:
            queue.pop(0)["outcome"] = "cancelled_in_full"
            line["outcome"] = "refund_netted"
        else:
            line["outcome"] = "refund_unmatched"
    totals = defaultdict(lambda: (0, Decimal(0)))
    for line in lines:
        rows, money = totals[line["outcome"]]
        totals[line["outcome"]] = rows + 1, money + line["amount"]
    return dict(totals)


# Few customers, products and sizes, so that chains of purchases and refunds form.
LINE = st.tuples(
    st.sampled_from(["A", "A", "B"]),
    st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2024-01-08").date()),
    st.sampled_from([5.0, 5.0, -5.0, -5.0, 7.5, -7.5, -2.5, 0.0]),
    st.sampled_from([None, None, None, "O1", "O2"]),
    st.sampled_from(["P", "P", "P", None]),
)


@settings(max_examples=15)
@given(lines=st.lists(LINE, min_size=1, max_size=40))
def test_netting_in_the_engine_equals_a_loop_over_the_lines(lines):
    frame = log(*lines)
    reconciliation = read_transactions(frame).reconciliation
    netted = {row.outcome: (row.rows, row.money) for row in reconciliation.itertuples() if row.rows}
    assert netted == netted_by_hand(frame)
