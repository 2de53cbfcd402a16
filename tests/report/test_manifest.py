"""What a book is made of: every table that comes in has a hash of its own, and no place or password is told."""

import pytest

from crm_analysis.errors import DataError
from crm_analysis.periods import Month
from crm_analysis.report.book import _are_the_same
from crm_analysis.report.manifest import NOT_A_FILE, input_hashes, settings_told
from crm_analysis.settings import Settings, load_settings

MONTH = Month(2024, 6)


@pytest.fixture
def company(tmp_path) -> Settings:
    (tmp_path / "orders.csv").write_text("customer_id,order_date,amount\na,2024-06-01,1\n")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "crm.csv").write_text("customer_id\na\n")
    (tmp_path / "crm.toml").write_text(
        '[sources.transactions]\npath = "orders.csv"\n[sources.customers]\npath = "raw/crm.csv"\n'
        '[sources.exits]\nconnection = "postgresql://me:secret@db/crm"\n'
    )
    return load_settings(tmp_path / "crm.toml")


def test_a_changed_file_of_customers_is_another_input(company):
    before = input_hashes(company, MONTH, {})
    company.path("raw/crm.csv").write_text("customer_id\nb\n")
    after = input_hashes(company, MONTH, {})
    assert [name for name in after if after[name] != before[name]] == ["customers"]


def test_changed_answers_and_a_changed_codebook_are_other_inputs(company):
    toml = company.path("crm.toml")
    toml.write_text(toml.read_text() + '[sources.survey]\npath = "raw/answers.csv"\n')
    company.path("raw/answers.csv").write_text("respondent_id,wave,recommend\na,2024-06,9\n")
    before = input_hashes(load_settings(toml), MONTH, {})
    company.path("raw/answers.csv").write_text("respondent_id,wave,recommend\na,2024-06,8\n")
    toml.write_text(toml.read_text() + "[survey]\nscale = [1, 5]\n")
    after = input_hashes(load_settings(toml), MONTH, {})
    assert [name for name in after if after[name] != before[name]] == ["survey", "settings"]


def test_a_table_that_is_not_named_is_no_input(company):
    assert "market" not in input_hashes(company, MONTH, {})


def test_a_table_of_an_engine_cannot_be_compared(company):
    inputs = input_hashes(company, MONTH, {})
    assert inputs["exits"] == NOT_A_FILE
    assert not _are_the_same(inputs, inputs)


def test_a_file_that_is_not_there_is_told_with_where_to_name_it(company):
    company.path("raw/crm.csv").unlink()
    with pytest.raises(DataError, match=r"crm\.csv: there is no such file(.|\n)*\[sources\.customers\]"):
        input_hashes(company, MONTH, {})


def test_neither_places_nor_connections_are_told(company, tmp_path):
    told = settings_told(company)
    assert told["sources"]["customers"]["path"] == "crm.csv"
    assert "connection" not in told["sources"]["exits"]
    assert "secret" not in str(told)
