"""What the door refuses: everything at once, with the file, the column, the rows and the way to fix it."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from crm_analysis.data.contracts import to_day
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import DoorRules

GOOD = {"customer_id": "A", "order_date": "2024-06-01", "amount": "1.5"}


def refusal(source: object, **options: object) -> str:
    with pytest.raises(DataError) as error:
        read_transactions(source, **options)
    return str(error.value)


def log(**columns: list) -> pd.DataFrame:
    rows = max(len(values) for values in columns.values())
    return pd.DataFrame({name: [value] * rows for name, value in GOOD.items()} | columns)


@pytest.mark.parametrize(
    ("column", "bad", "rule"),
    [
        pytest.param("order_date", None, "the date is missing", id="missing-date"),
        pytest.param("order_date", " ", "the date is missing", id="blank-date"),
        pytest.param("order_date", "2024-02-30", "the date is impossible or cannot be read", id="30-february"),
        pytest.param("order_date", "yesterday", "the date is impossible or cannot be read", id="text-in-a-date"),
        pytest.param("order_date", "30/06/2024", "the date is impossible or cannot be read", id="not-iso"),
        pytest.param("order_date", "infinity", "the date is impossible or cannot be read", id="infinite-date"),
        pytest.param("order_date", "1899-12-31", "the date is impossible or cannot be read", id="before-1900"),
        pytest.param("order_date", "2201-01-01", "the date is impossible or cannot be read", id="after-2200"),
        pytest.param("amount", None, "the amount is missing", id="missing-amount"),
        pytest.param("amount", "", "the amount is missing", id="blank-amount"),
        pytest.param("amount", "ten", "not a number", id="text-in-a-number"),
        pytest.param("amount", "1,5", "not a number", id="decimal-comma"),
        pytest.param("amount", "1_000", "not a number", id="underscore"),
        pytest.param("amount", "NaN", "not a number", id="nan"),
        pytest.param("amount", "inf", "not a number", id="infinite"),
        pytest.param("amount", "1.00005", "the amount has more than four decimals or is too large", id="five-decimals"),
        pytest.param("amount", "1e15", "the amount has more than four decimals or is too large", id="too-large"),
        pytest.param("quantity", "ten", "not a number", id="text-in-a-quantity"),
        pytest.param("is_refund", "perhaps", "neither true nor false", id="unclear-flag"),
        pytest.param("currency", "EUR", "a currency other than USD without a rate", id="no-rate"),
    ],
)
def test_a_broken_value_is_refused_by_its_rule(column, bad, rule):
    good = GOOD.get(column)
    assert f"DataFrame, column {column!r}: {rule} in 1 row(s)." in refusal(log(**{column: [good, bad]}))


def test_a_float_that_is_no_number_is_a_missing_amount():
    assert "the amount is missing in 1 row(s)." in refusal(log(amount=[1.0, float("nan")]))


def test_an_infinite_float_is_refused():
    assert "not a number in 1 row(s)." in refusal(log(amount=[1.0, float("inf")]))


def test_a_column_of_mixed_types_shows_the_odd_rows():
    assert "'amount': not a number in 1 row(s)." in refusal(log(amount=[1.0, "ten"]))


def test_a_rate_for_one_currency_does_not_serve_another():
    message = refusal(log(currency=["EUR", "GBP"]), rules=DoorRules(exchange_rates={"EUR": 1.1}))
    assert "a currency other than USD without a rate in 1 row(s)." in message


def test_all_problems_are_reported_at_once():
    message = refusal(log(order_date=["x", "2024-06-01"], amount=["1", "y"], is_refund=["z", None]))
    assert message.count("To fix: ") == 3


def test_the_first_five_rows_are_shown_with_their_lines_in_the_file(tmp_path):
    path = tmp_path / "orders.csv"
    log(customer_id=[f"C{n}" for n in range(8)], amount=["1", *"abcdefg"]).to_csv(path, index=False)
    message = refusal(path)
    assert message.splitlines()[0] == "orders.csv, column 'amount': not a number in 7 row(s)."
    # Line 1 is the header, line 2 the good row.
    assert [line.split() for line in message.splitlines()[3:8]] == [
        [str(n + 2), f"C{n}", letter] for n, letter in zip(range(1, 6), "abcde", strict=True)
    ]


def test_a_missing_column_is_named_with_those_there_are():
    message = refusal(pd.DataFrame({"customer_id": ["A"], "order_date": ["2024-06-01"], "Price": [1.0]}))
    assert "column 'amount': there is no such column (there are 'customer_id', 'order_date' and 'Price')" in message
    assert 'amount = "..." under [sources.transactions.columns] in crm.toml' in message


def test_columns_that_are_all_missing_are_all_named():
    message = refusal(pd.DataFrame({"who": ["a"], "when": ["2024-06-01"], "how_much": [1]}))
    for name in ("customer_id", "order_date", "amount"):
        assert f"column '{name}': there is no such column (there are 'who', 'when' and 'how_much')" in message


def test_a_missing_column_does_not_hide_the_problems_of_others():
    message = refusal(log(order_date=["x"]), columns={"amount": "Price"})
    assert "'Price'" in message and "impossible" in message


def test_an_optional_column_that_is_named_must_be_there():
    assert "column 'sku': there is no such column" in refusal(log(amount=[1]), columns={"product": "sku"})


def test_an_order_line_key_must_be_there():
    assert "correct rules.order_line_key" in refusal(log(amount=[1]), rules=DoorRules(order_line_key=("line",)))


def test_an_empty_table_is_refused():
    assert "the table has no rows" in refusal(log(amount=[1]).iloc[:0])


def test_a_file_that_is_not_there_is_refused(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "orders.csv")


@pytest.mark.parametrize("name", ["orders.csv", "orders.csv.gz", "orders.parquet"])
def test_a_file_that_is_not_what_it_says_is_refused(tmp_path, name):
    path = tmp_path / name
    path.write_bytes("customer_id,order_date\n".encode("utf-16"))
    assert f"{name}: cannot be read." in refusal(path)


def test_an_empty_file_is_refused(tmp_path):
    path = tmp_path / "orders.csv"
    path.touch()
    assert "the file is empty" in refusal(path)


def csv_of(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join(["customer_id,order_date,amount", *lines, ""]), encoding=encoding)
    return path


def test_lines_that_do_not_fit_the_header_are_refused_together(tmp_path):
    path = csv_of(tmp_path, "A,2024-06-01,1", "B,2024-06-01,1,5", "C,2024-06-01")
    message = refusal(path)
    assert "the line cannot be split into the header's columns in 2 row(s)." in message
    assert "B,2024-06-01,1,5" in message


def test_a_line_in_another_encoding_is_refused(tmp_path):
    assert "not utf-8" in refusal(csv_of(tmp_path, "Müller,2024-06-01,1", encoding="latin-1"))


def test_a_line_that_begins_with_a_hash_is_no_comment(tmp_path):
    transactions = read_transactions(csv_of(tmp_path, "A,2024-06-01,1", "#7,2024-06-01,2"))
    assert transactions.reconciliation["rows"].sum() == 2


def test_column_names_used_twice_are_refused(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text("customer_id,order_date,amount,Amount\nA,2024-06-01,1,2\n")
    assert "column names are blank or used twice: 'Amount' and 'amount'" in refusal(path)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"source": 3}, "transactions are a int", id="type"),
        pytest.param({"source": "orders.xlsx"}, "unknown kind of file", id="ending"),
        pytest.param({"columns": {"produkt": "x"}}, "produkt", id="mapping"),
        pytest.param({"timezone": "Mars/North"}, "timezone is 'Mars/North'", id="zone"),
        pytest.param({"as_of": "June"}, "as_of is 'June'", id="as-of"),
        pytest.param({"rules": DoorRules(date_format="%Q")}, "date_format is '%Q'", id="date-format"),
    ],
)
def test_a_wrong_parameter_is_a_settings_error(options, words):
    with pytest.raises(SettingsError, match=words):
        read_transactions(**{"source": log(amount=[1])} | options)


@pytest.mark.parametrize("value", [date(1998, 6, 30), pd.Timestamp("1998-06-30 12:00"), "1998-06-30"])
def test_a_day_is_a_date_a_timestamp_or_iso_text(value):
    assert to_day(value, "as_of") == date(1998, 6, 30)
