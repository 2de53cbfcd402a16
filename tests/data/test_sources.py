"""One log, many containers: each gives the same table."""

import ibis
import pandas as pd
import pytest

from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import TransactionColumns

LOG = pd.DataFrame(
    {
        "client": ["00001", "00002", "00002", None],
        "when": pd.to_datetime(["2024-06-01", "2024-06-01", "2024-06-03", "2024-06-03"]),
        "net": [11.77, 12.0, -2.5, 3.0],
        "order_id": ["O1", "O2", "O2", "O3"],
        "quantity": [1, 3, -1, 1],
        "channel": pd.Categorical(["shop", "web", "web", "shop"]),
    }
)
COLUMNS = TransactionColumns(customer_id="client", order_date="when", amount="net")


def used(transactions: Transactions) -> pd.DataFrame:
    return transactions.table.to_pandas().sort_values(["customer_id", "amount"], ignore_index=True)


def duckdb_with_log() -> ibis.BaseBackend:
    connection = ibis.duckdb.connect()
    connection.create_table("orders", LOG.astype({"channel": "str"}))
    return connection


def source(kind: str, folder) -> tuple[object, dict]:
    match kind:
        case "csv":
            LOG.to_csv(folder / "log.csv", index=False)
            return folder / "log.csv", {}
        case "csv.gz":
            LOG.to_csv(folder / "log.csv.gz", index=False)
            return str(folder / "log.csv.gz"), {}
        case "semicolons":
            LOG.to_csv(folder / "log.txt", index=False, sep=";", encoding="utf-8-sig", lineterminator="\r\n")
            return folder / "log.txt", {}
        case "parquet":
            LOG.to_parquet(folder / "log.parquet", index=False)
            return folder / "log.parquet", {}
        case "ibis":
            return duckdb_with_log().table("orders").filter(lambda orders: orders.net > -100), {}
        case "memtable":
            return ibis.memtable(LOG.astype({"channel": "str"})), {}
        case _:
            return "orders", {"connection": duckdb_with_log()}


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "semicolons", "parquet", "ibis", "memtable", "connection"])
def test_every_source_gives_the_table_of_the_frame(kind, tmp_path):
    container, options = source(kind, tmp_path)
    expected = read_transactions(LOG, columns=COLUMNS)
    transactions = read_transactions(container, columns=COLUMNS, **options)
    pd.testing.assert_frame_equal(used(transactions), used(expected))
    pd.testing.assert_frame_equal(transactions.reconciliation, expected.reconciliation)


def test_columns_are_also_a_mapping():
    mapping = {"customer_id": "client", "order_date": "when", "amount": "net"}
    pd.testing.assert_frame_equal(
        used(read_transactions(LOG, columns=mapping)), used(read_transactions(LOG, columns=COLUMNS))
    )


def test_the_table_has_the_types_of_the_contract():
    schema = read_transactions(LOG, columns=COLUMNS).table.schema()
    assert {name: str(kind) for name, kind in schema.items()} == {
        "customer_id": "string",
        "order_date": "date",
        "amount": "decimal(18, 4)",
        "order_id": "string",
        "quantity": "decimal(18, 4)",
        "channel": "string",
    }


def test_dates_and_decimals_of_python_are_read():
    frame = LOG.assign(when=LOG["when"].dt.date)
    pd.testing.assert_frame_equal(
        used(read_transactions(frame, columns=COLUMNS)), used(read_transactions(LOG, columns=COLUMNS))
    )


def test_an_empty_optional_column_is_no_obstacle():
    transactions = read_transactions(LOG.assign(product=None), columns=COLUMNS)
    assert transactions.table.to_pandas()["product"].isna().all()


def test_a_table_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="table sales: the connection has no such table"):
        read_transactions("sales", connection=duckdb_with_log())


def test_a_connection_needs_the_name_of_a_table():
    with pytest.raises(SettingsError, match="the source must be the name of a table"):
        read_transactions(LOG, connection=duckdb_with_log())


@pytest.mark.parametrize(("kind", "name"), [("csv", "log.csv"), ("connection", "table orders")])
def test_the_source_is_named_for_people(kind, name, tmp_path):
    container, options = source(kind, tmp_path)
    assert read_transactions(container, columns=COLUMNS, **options).source == name


def test_first_and_last_date_are_those_of_used_lines():
    transactions = read_transactions(LOG, columns=COLUMNS)
    # The refund of 3 June reduces an order of 1 June, and the other line of that day has no customer.
    assert (str(transactions.first_date), str(transactions.last_date)) == ("2024-06-01", "2024-06-01")


def test_a_column_name_may_hold_spaces_and_quotes(tmp_path):
    path = tmp_path / "orders.csv"
    path.write_text('Customer\'s ID,"Order, date",Net "price"\nA,2024-06-01,1.5\n')
    names = {"customer_id": "Customer's ID", "order_date": "Order, date", "amount": 'Net "price"'}
    assert used(read_transactions(path, columns=names))["customer_id"].tolist() == ["A"]
