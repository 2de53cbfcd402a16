"""What the door makes of the hostile logs in the embedded engine: the answer that every other has to give as well."""

import ibis
import pytest

from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import DataError
from crm_analysis.settings import DoorRules

from .hostile import ACCEPTED, REFUSED, Log
from .loading import DuckDB


def read(name: str, log: Log) -> Transactions:
    table = DuckDB(ibis.duckdb.connect()).load(name, log.content)
    return read_transactions(table, rules=DoorRules(**log.rules), timezone=log.timezone, currency=log.currency)


@pytest.mark.parametrize("name", ACCEPTED)
def test_the_door_accounts_for_every_row_of_an_accepted_log(name):
    log = ACCEPTED[name]()
    assert read(name, log).reconciliation["rows"].sum() == log.content.num_rows


@pytest.mark.parametrize("name", REFUSED)
def test_the_door_names_every_broken_column_of_a_refused_log(name):
    log = REFUSED[name]()
    with pytest.raises(DataError) as refused:
        read(name, log)
    assert [column for column in log.broken if f"column '{column}'" not in str(refused.value)] == []


def test_no_name_stands_for_two_logs():
    assert not ACCEPTED.keys() & REFUSED.keys()
