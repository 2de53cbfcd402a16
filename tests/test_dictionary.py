"""The documents of the data and of the settings name what the code has, and the settings name what the door reads."""

import re
from pathlib import Path

import pytest

from crm_analysis.codebook import Codebook
from crm_analysis.data.contracts import SIDE_TABLES, SURVEY_CONTRACT, TRANSACTION_CONTRACT
from crm_analysis.settings import Settings, TransactionColumns

DOCS = Path(__file__).parents[1] / "docs"


def columns_of(heading: str) -> dict[str, bool]:
    """Columns in the first table below a heading of the data dictionary, and whether they are in bold."""
    text = (DOCS / "data-dictionary.md").read_text(encoding="utf-8")
    section = re.search(rf"^#+ {heading}\b.*?(?=^#)", text, flags=re.MULTILINE | re.DOTALL)[0]
    cells = [line.split("|")[1].strip() for line in section.splitlines() if line.startswith("| ")][2:]
    names = [name for cell in cells if cell != "any other" for name in cell.split(", ")]
    return {name.strip("*"): name.startswith("**") for name in names}


@pytest.mark.parametrize("name", SIDE_TABLES)
def test_the_dictionary_has_the_columns_of_a_table(name):
    assert columns_of(name.capitalize()) == {column.name: column.required for column in SIDE_TABLES[name].columns}


def test_the_dictionary_has_the_columns_of_the_log():
    assert columns_of("The purchase log") == {column.name: column.required for column in TRANSACTION_CONTRACT}


def settings_columns(name: str) -> dict[str, bool]:
    """Columns that `[sources.<name>.columns]` takes, and whether they have a name without one given."""
    source = Settings.model_validate({"sources": {name: {"path": "a.csv"}}}).sources.beside_the_log()[name]
    return {column: called is not None for column, called in source.columns.model_dump().items()}


def test_the_dictionary_has_the_columns_of_a_survey_that_are_no_questions():
    assert columns_of("Survey") == {column.name: column.required for column in SURVEY_CONTRACT}


def test_the_settings_take_the_columns_of_a_survey_that_are_no_questions():
    assert settings_columns("survey") == {column.name: column.required for column in SURVEY_CONTRACT}


def test_the_settings_are_told_of_every_key_of_the_codebook():
    told = (DOCS / "settings.md").read_text(encoding="utf-8")
    assert [name for name in Codebook.model_fields if not re.search(rf"`(survey)?\.{name}\b", told)] == []


@pytest.mark.parametrize("name", SIDE_TABLES)
def test_the_settings_take_the_columns_of_a_table(name):
    assert settings_columns(name) == {column.name: column.required for column in SIDE_TABLES[name].columns}


def test_the_settings_take_the_columns_of_the_log():
    assert [*TransactionColumns().model_dump()] == [column.name for column in TRANSACTION_CONTRACT]


def test_the_settings_are_told_of_every_source():
    told = (DOCS / "settings.md").read_text(encoding="utf-8")
    sources = type(Settings().sources).model_fields
    assert [name for name in sources if f"`sources.{name}." not in told] == []
