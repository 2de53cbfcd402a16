"""The tables of a company, opened as its settings describe them."""

from pathlib import Path

import ibis
import pandas as pd
import pytest

from crm_analysis import load_settings, open_side_table
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import Settings

EXITS = pd.DataFrame({"Client": ["a", "b"], "left_on": ["01.02.2024", "01.07.2024"], "reason": ["price", None]})
COLUMNS = '[sources.exits.columns]\ncustomer_id = "Client"\n'


def company(folder: Path, text: str) -> Settings:
    (folder / "crm.toml").write_text(text)
    return load_settings(folder / "crm.toml")


@pytest.mark.parametrize("name", ["customers", "memberships", "prospects", "market", "exits"])
def test_a_table_that_the_settings_do_not_name_is_none(tmp_path, name):
    assert open_side_table(company(tmp_path, ""), name) is None


def test_a_file_is_read_below_the_folder_of_the_settings(tmp_path):
    EXITS.to_csv(tmp_path / "lost.csv", index=False)
    settings = company(tmp_path, '[sources.exits]\npath = "lost.csv"\ndate_format = "%d.%m.%Y"\n' + COLUMNS)
    table = open_side_table(settings, "exits", as_of=pd.Timestamp("2024-06-30").date())
    assert table.frame["customer_id"].tolist() == ["a"]
    assert table.frame["left_on"].tolist() == [pd.Timestamp("2024-02-01")]


def test_a_table_of_a_connection_has_the_name_of_the_table_unless_another_is_given(tmp_path):
    days = EXITS.assign(left_on=pd.to_datetime(EXITS["left_on"], dayfirst=True))
    database = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    database.create_table("exits", days)
    database.create_table("lost", days.head(1))
    database.disconnect()
    place = f'[sources.exits]\nconnection = "duckdb://{tmp_path / "crm.duckdb"}"\n'
    assert len(open_side_table(company(tmp_path, place + COLUMNS), "exits")) == 2
    assert len(open_side_table(company(tmp_path, place + 'table = "lost"\n' + COLUMNS), "exits")) == 1


def test_times_with_a_zone_fall_on_the_days_of_the_company(tmp_path):
    EXITS.assign(left_on="2024-06-30T23:30:00Z").to_csv(tmp_path / "lost.csv", index=False)
    settings = company(tmp_path, '[company]\ntimezone = "Asia/Tokyo"\n[sources.exits]\npath = "lost.csv"\n' + COLUMNS)
    assert set(open_side_table(settings, "exits").frame["left_on"]) == {pd.Timestamp("2024-07-01")}


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(DataError, match="there is no such file"):
        open_side_table(company(tmp_path, '[sources.exits]\npath = "lost.csv"\n'), "exits")


def test_there_is_no_table_of_another_name(tmp_path):
    with pytest.raises(SettingsError, match="no table 'survey' beside the purchase log; use customers, memberships"):
        open_side_table(company(tmp_path, ""), "survey")
