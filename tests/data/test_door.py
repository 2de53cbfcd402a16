"""The rules of the door, one test a rule, and the reconciliation that holds them together."""

from decimal import Decimal

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.contracts import OUTCOMES
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.settings import DoorRules


def orders(*rows: tuple, columns: str = "customer_id order_date amount") -> pd.DataFrame:
    return pd.DataFrame(rows, columns=columns.split())


def outcomes(transactions: Transactions) -> dict[str, tuple[int, Decimal]]:
    """Rows and money of every outcome that occurs."""
    frame = transactions.reconciliation
    return {row.outcome: (row.rows, row.money) for row in frame.itertuples() if row.rows}


def counters(transactions: Transactions) -> dict[str, tuple[int, Decimal]]:
    return {row.counter: (row.rows, row.money) for row in transactions.counters.itertuples()}


def used(transactions: Transactions) -> pd.DataFrame:
    """The used lines in an order that does not depend on the engine."""
    frame = transactions.table.to_pandas()
    return frame.sort_values(list(frame.columns), ignore_index=True)


def money(text: str) -> Decimal:
    return Decimal(text)


def test_several_orders_of_a_customer_on_one_day_are_counted():
    log = orders(
        ("A", "2024-06-01", 10.0), ("A", "2024-06-01", 5.5), ("A", "2024-06-02", 1.0), ("B", "2024-06-01", 2.0)
    )
    counted = counters(read_transactions(log))
    assert counted["same_day_lines"] == (2, money("15.5"))
    assert counted["same_day_purchases"] == (1, money("15.5"))


def test_lines_of_one_order_are_not_several_orders():
    log = orders(
        ("A", "2024-06-01", 10.0, "O1"),
        ("A", "2024-06-01", 5.5, "O1"),
        columns="customer_id order_date amount order_id",
    )
    assert counters(read_transactions(log))["same_day_lines"] == (0, 0)


def test_a_zero_amount_is_used_and_counted():
    transactions = read_transactions(orders(("A", "2024-06-01", 0.0), ("A", "2024-06-02", 3.0)))
    assert outcomes(transactions) == {"used": (2, money("3"))}
    assert counters(transactions)["zero_amount"] == (1, 0)


def test_a_zero_amount_is_set_aside_when_the_rule_says_so():
    log = orders(("A", "2024-06-01", 0.0), ("A", "2024-06-02", 3.0))
    transactions = read_transactions(log, rules=DoorRules(zero_amount="set_aside"))
    assert outcomes(transactions) == {"used": (1, money("3")), "zero_amount": (1, 0)}


def test_exact_duplicates_are_kept_and_counted():
    line = ("A", "2024-06-01", 4.0)
    transactions = read_transactions(orders(line, line, line, ("A", "2024-06-01", 5.0)))
    assert outcomes(transactions) == {"used": (4, money("17"))}
    assert counters(transactions)["exact_duplicates"] == (2, money("8"))


def test_rows_that_differ_in_an_unmapped_column_are_no_duplicates():
    log = orders(
        ("A", "2024-06-01", 4.0, "first"),
        ("A", "2024-06-01", 4.0, "second"),
        columns="customer_id order_date amount note",
    )
    assert counters(read_transactions(log))["exact_duplicates"] == (0, 0)


def test_an_order_line_key_sets_exact_copies_aside():
    line = ("A", "2024-06-01", 4.0, "L1")
    log = orders(line, line, ("A", "2024-06-01", 4.0, "L2"), columns="customer_id order_date amount line")
    transactions = read_transactions(log, rules=DoorRules(order_line_key=("line",)))
    assert outcomes(transactions) == {"used": (2, money("8")), "duplicate": (1, money("4"))}


def test_a_blank_order_line_key_proves_nothing():
    line = ("A", "2024-06-01", 4.0, None)
    log = orders(line, line, columns="customer_id order_date amount line")
    transactions = read_transactions(log, rules=DoorRules(order_line_key=("line",)))
    assert outcomes(transactions) == {"used": (2, money("8"))}


@pytest.mark.parametrize("missing", [None, "", "  "])
def test_a_missing_customer_id_is_set_aside_with_its_money(missing):
    transactions = read_transactions(orders(("A", "2024-06-01", 4.0), (missing, "2024-06-01", 2.5)))
    assert outcomes(transactions) == {"used": (1, money("4")), "missing_customer_id": (1, money("2.5"))}


def test_rows_after_the_as_of_date_are_not_seen_but_counted():
    log = orders(("A", "2024-06-30", 4.0), ("A", "2024-07-01", 2.5))
    transactions = read_transactions(log, as_of="2024-06-30")
    assert outcomes(transactions) == {"used": (1, money("4")), "after_as_of": (1, money("2.5"))}


def test_times_with_a_zone_are_converted_to_the_companys_zone():
    log = orders(
        ("A", "2024-06-30T23:30:00Z", 1.0), ("B", "2024-06-30 23:30:00+02:00", 1.0), ("C", "2024-06-30 23:30", 1.0)
    )
    days = used(read_transactions(log, timezone="Europe/Berlin"))["order_date"].astype(str).tolist()
    assert days == ["2024-07-01", "2024-06-30", "2024-06-30"]


def test_typed_times_with_a_zone_are_converted_too():
    log = orders(("A", "2024-06-30 23:30", 1.0)).assign(
        order_date=lambda frame: pd.to_datetime(frame["order_date"]).dt.tz_localize("America/New_York")
    )
    days = used(read_transactions(log, timezone="Asia/Tokyo"))["order_date"].astype(str).tolist()
    assert days == ["2024-07-01"]


def test_a_date_format_reads_other_dates():
    log = orders(("A", "30/06/2024", 1.0))
    days = used(read_transactions(log, rules=DoorRules(date_format="%d/%m/%Y")))["order_date"].astype(str).tolist()
    assert days == ["2024-06-30"]


def test_a_date_format_with_a_zone_is_converted():
    log = orders(("A", "30.06.2024 23:30 +0000", 1.0))
    rules = DoorRules(date_format="%d.%m.%Y %H:%M %z")
    days = used(read_transactions(log, rules=rules, timezone="Asia/Tokyo"))["order_date"].astype(str).tolist()
    assert days == ["2024-07-01"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param(["00001", "1"], ["00001", "1"], id="text-stays"),
        pytest.param([17850, 2], ["17850", "2"], id="whole-numbers"),
        pytest.param([17850.0, 2.0], ["17850", "2"], id="floats-because-of-gaps"),
        pytest.param(["17850.0", "2"], ["17850", "2"], id="floats-written-to-text"),
        pytest.param(["K-1.0", "2"], ["K-1.0", "2"], id="text-that-only-looks-like-it"),
    ],
)
def test_ids_become_text(written, read):
    log = orders((written[0], "2024-06-01", 1.0), (written[1], "2024-06-02", 1.0))
    assert sorted(used(read_transactions(log))["customer_id"]) == sorted(read)


def test_amounts_in_another_currency_are_converted():
    log = orders(
        ("A", "2024-06-01", 10.0, "EUR"),
        ("A", "2024-06-02", 10.0, "usd"),
        ("A", "2024-06-03", 10.0, None),
        columns="customer_id order_date amount currency",
    )
    transactions = read_transactions(log, rules=DoorRules(exchange_rates={"EUR": 1.1}))
    assert used(transactions)["amount"].tolist() == [money("11"), money("10"), money("10")]


def test_binary_noise_in_an_amount_is_not_a_fifth_decimal():
    transactions = read_transactions(orders(("A", "2024-06-01", 12 * 6.95), ("A", "2024-06-02", 83.39999999999999)))
    assert outcomes(transactions) == {"used": (2, money("166.8"))}


def test_transactions_that_are_read_pass_through():
    transactions = read_transactions(orders(("A", "2024-06-01", 4.0)))
    assert read_transactions(transactions) is transactions


def test_rules_for_transactions_that_are_read_come_too_late():
    transactions = read_transactions(orders(("A", "2024-06-01", 4.0)))
    with pytest.raises(SettingsError, match="already read"):
        read_transactions(transactions, rules=DoorRules(zero_amount="set_aside"))


def test_a_cut_log_does_not_show_a_later_date():
    transactions = read_transactions(orders(("A", "2024-06-01", 4.0)), as_of="2024-06-30")
    with pytest.raises(SettingsError, match="was cut at 2024-06-30"):
        transactions.until("2024-07-31")


def test_later_edits_of_the_frame_do_not_reach_the_transactions():
    log = orders(("A", "2024-06-01", 4.0))
    transactions = read_transactions(log)
    log["amount"] = 99.0
    assert used(transactions)["amount"].tolist() == [money("4")]


def test_the_reconciliation_lists_every_outcome():
    transactions = read_transactions(orders(("A", "2024-06-01", 4.0)))
    assert transactions.reconciliation["outcome"].tolist() == [outcome.key for outcome in OUTCOMES]


CENTS = st.integers(-500, 500).map(lambda cents: cents / 100)
MESSY_LINE = st.fixed_dictionaries(
    {
        "customer_id": st.sampled_from(["A", "B", "C", "", None]),
        "order_date": st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2024-01-20").date()),
        # A few repeated sizes, so that refunds find purchases.
        "amount": st.one_of(st.sampled_from([5.0, -5.0, 0.0, 7.5, -7.5]), CENTS),
        "order_id": st.sampled_from(["O1", "O2", None]),
        "product": st.sampled_from(["P", None]),
        "is_refund": st.sampled_from([True, False, False, None]),
    }
)
MESSY_LOG = st.lists(MESSY_LINE, min_size=1, max_size=40).map(
    lambda lines: pd.DataFrame(lines).astype({"customer_id": "str", "order_id": "str", "product": "str"})
)
RULES = st.builds(
    DoorRules,
    zero_amount=st.sampled_from(["timing", "set_aside"]),
    refunds=st.sampled_from(["net", "set_aside"]),
    order_line_key=st.sampled_from([(), ("order_id", "product")]),
)
DAY_OF_THE_LOG = st.dates(pd.Timestamp("2024-01-01").date(), pd.Timestamp("2024-01-20").date())


def money_in(log: pd.DataFrame) -> Decimal:
    """What the door should count, added up without it: a refund takes money, however it is signed."""
    signed = (
        -abs(amount) if flag is True else amount for amount, flag in zip(log["amount"], log["is_refund"], strict=True)
    )
    return sum((Decimal(f"{amount:.2f}") for amount in signed), Decimal(0))


@settings(max_examples=12)
@given(log=MESSY_LOG, rules=RULES, as_of=st.one_of(st.none(), DAY_OF_THE_LOG))
def test_rows_and_money_in_are_rows_and_money_out(log, rules, as_of):
    transactions = read_transactions(log, rules=rules, as_of=as_of)
    reconciliation = transactions.reconciliation.set_index("outcome")
    assert reconciliation["rows"].sum() == len(log)
    assert reconciliation["money"].sum() == money_in(log)
    lines = used(transactions)
    assert reconciliation.loc["used", "rows"] == len(lines)
    assert reconciliation.loc["used", "money"] == sum(lines["amount"], Decimal(0))


@settings(max_examples=5)
@given(log=MESSY_LOG, rules=RULES, as_of=DAY_OF_THE_LOG)
def test_cutting_later_equals_reading_at_that_date(log, rules, as_of):
    cut, fresh = read_transactions(log, rules=rules).until(as_of), read_transactions(log, rules=rules, as_of=as_of)
    pd.testing.assert_frame_equal(used(cut), used(fresh))
    pd.testing.assert_frame_equal(cut.reconciliation, fresh.reconciliation)


@settings(max_examples=5)
@given(log=MESSY_LOG, rules=RULES, seed=st.integers(0, 1000))
def test_the_order_of_the_rows_does_not_matter(log, rules, seed):
    shuffled = log.sample(frac=1, random_state=seed)
    first, second = read_transactions(log, rules=rules), read_transactions(shuffled, rules=rules)
    pd.testing.assert_frame_equal(used(first), used(second))
    pd.testing.assert_frame_equal(first.reconciliation, second.reconciliation)


@settings(max_examples=5)
@given(log=MESSY_LOG)
def test_total_spend_is_the_used_money(log):
    transactions = read_transactions(log)
    money_by_outcome = outcomes(transactions)
    if "used" in money_by_outcome:
        customers = summarize_customers(transactions, as_of="2024-01-31")
        assert customers.frame["total_spend"].sum() == pytest.approx(float(money_by_outcome["used"][1]), abs=1e-9)
