"""The book of a simulated club, which has contracts and no purchase log."""

import json
import re

import pandas as pd
import pytest

from crm_analysis.data.company_log import open_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.report.book import Book
from crm_analysis.report.contents import CONTRACT_CHAPTERS
from crm_analysis.report.parts import parts_of
from crm_analysis.value.contract_equity import ContractEquity
from crm_analysis.value.contract_period import value_contracts

from .club import AS_OF, FEES, Club, figure_numbers, run_chapters, simulated_members, words, write_club

# Whether an estimate on a few contracts is doubtful is told on the page, and not what is tested here.
pytestmark = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")

PAGES = [chapter.page for chapter in CONTRACT_CHAPTERS]
ASSUMED = "[money.fees]\nmonthly = 30.0\nyearly = 300.0"


@pytest.fixture(scope="module")
def club(tmp_path_factory) -> Club:
    table = simulated_members(450)
    return write_club(tmp_path_factory.mktemp("club"), table.assign(fee=table["plan"].map(FEES)))


@pytest.fixture(scope="module")
def club_book(club) -> Book:
    return club.build()


def page(club_book: Book, name: str) -> str:
    return (club_book.folder / name).read_text(encoding="utf-8")


# --- pages --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_headline_and_asks_no_network_for_anything(club_book, name):
    html = page(club_book, name)
    assert len(re.findall("<h1[ >]", html)) == 1
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", html)


@pytest.mark.parametrize("name", PAGES)
def test_what_comes_from_data_and_settings_is_escaped(club_book, name):
    html = page(club_book, name)
    assert "Club &lt;i&gt;Nord&lt;/i&gt;" in html
    assert "alert(0)" not in html


@pytest.mark.parametrize("name", PAGES)
def test_figures_are_numbered_in_order(club_book, name):
    found = figure_numbers(page(club_book, name))
    assert found == list(range(1, len(found) + 1))
    assert found


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(club_book, name):
    for href in re.findall(r'<a [^>]*href="([^"]+)"', page(club_book, name)):
        target, _, anchor = href.partition("#")
        file = club_book.folder / (target or name)
        assert file.is_file(), href
        if anchor:
            assert f'id="{anchor}"' in file.read_text(encoding="utf-8"), href


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_run_reaches_a_page(club_book, name, club):
    for trace in ("Traceback", "stderr", "Warning:", str(club.root)):
        assert trace not in page(club_book, name)


def test_members_are_named_by_code_only(club_book):
    assert re.search(r"c-[0-9a-f]{10}", page(club_book, "segments.html"))
    for file in (club_book.folder / "tables").glob("*.csv"):
        assert not re.search(r"M\d{4}", file.read_text()), file.name


# --- numbers ------------------------------------------------------------------------------------------------------


def test_the_equity_of_the_pages_is_that_of_the_package(club_book, club):
    facts = club_book.manifest["facts"]["customer_equity"]
    seen = club.table[club.table["started_on"] <= AS_OF]
    cut = seen.assign(ended_on=seen["ended_on"].where(seen["ended_on"] <= AS_OF))
    values = value_contracts(cut, as_of=AS_OF.date(), settings=club.settings)
    assert facts["current"] == pytest.approx(values.total, rel=1e-9)
    assert facts["equity"] == pytest.approx(facts["current"] + facts["potential"] - facts["acquisition_cost"])
    assert facts["lower"] < facts["equity"] < facts["upper"]
    assert f"€{facts['equity'] / 1000:,.1f}k" in words(page(club_book, "index.html"))


def test_rows_in_are_rows_used_and_one_that_begins_later(club_book, club):
    facts = club_book.manifest["facts"]["data_quality"]
    assert facts["rows"] == len(club.table)
    assert facts["rows_used"] == facts["rows"] - 1


def test_terms_are_joined_to_memberships(club_book, club):
    facts = club_book.manifest["facts"]["data_quality"]
    terms = club.table[club.table["plan"] == "yearly"]
    assert facts["terms_joined"] == len(terms) - terms["customer_id"].nunique()


def test_the_steps_of_the_bridge_add_up_on_the_page(club_book):
    table = pd.read_csv(club_book.folder / "tables" / "equity-bridge-2024-06.csv", index_col="step")
    assert table["value"].iloc[:-1].sum() == pytest.approx(table.loc["closing", "value"], rel=1e-9)
    assert table.loc["closing", "value"] == pytest.approx(club_book.manifest["facts"]["customer_equity"]["equity"])


def test_members_of_the_tiles_are_those_of_the_table(club_book, club):
    table = club.table
    running = table[(table["started_on"] <= AS_OF) & ~(table["ended_on"] <= AS_OF)]
    assert f"Members {running['customer_id'].nunique()} " in words(page(club_book, "index.html"))


def test_a_target_for_what_should_be_low_is_missed_from_above(club_book):
    assert re.search(r"Members lost .*?(Above target|On target)", words(page(club_book, "index.html")))


def test_the_equity_of_a_period_can_be_loaded_again(club, club_book):
    equity = ContractEquity.load(club.root / "data" / "processed" / "2024-06" / "equity")
    assert equity.total == pytest.approx(club_book.manifest["facts"]["customer_equity"]["equity"])


# --- manifest and runs --------------------------------------------------------------------------------------------


def test_the_manifest_says_what_went_in_and_how_it_went(club_book, club):
    manifest = json.loads((club_book.folder / "manifest.json").read_text())
    assert "memberships" in manifest["inputs"]
    assert "transactions" not in manifest["inputs"]
    assert manifest["valued"] == f"All {manifest['customers']} members were valued."
    assert set(manifest["seconds"]) == {chapter.key for chapter in CONTRACT_CHAPTERS} | {"all"}
    assert str(club.root) not in (club_book.folder / "manifest.json").read_text()


def test_the_same_inputs_are_not_run_again(club_book, club):
    assert club.build().already_published


def test_a_parameter_that_no_notebook_has_is_refused(club, club_book):
    with pytest.raises(SettingsError, match="unknown parameter 'top_customers'"):
        club.build(parameters={"top_customers": 3})


def test_what_needs_a_purchase_log_refuses_a_club(club):
    for asked in (lambda: open_transactions(club.settings), lambda: parts_of(club.settings, "region")):
        with pytest.raises(SettingsError, match="needs a purchase log"):
            asked()


def test_a_club_is_one_part_of_a_run_of_several_companies(club):
    [part] = parts_of(club.settings, "")
    assert part.rows == len(club.table)


# --- other clubs: every chapter still tells what it can -------------------------------------------------------------


def pages_of(tmp_path, table: pd.DataFrame, *, fees: str = ASSUMED, more: str = "", period: str = "2024-06"):
    return run_chapters(write_club(tmp_path, table, fees=fees, more=more), tmp_path / "shelf", period=period)


def texts(pages: dict[str, str]) -> dict[str, str]:
    return {key: words(html) for key, html in pages.items()}


def test_fees_of_the_settings_are_called_assumed(tmp_path):
    told = texts(pages_of(tmp_path, simulated_members(120)))
    assert "Fees assumed: monthly €30.00, yearly €300" in told["customer_equity"]
    assert "those of the settings are assumed" in told["data_quality"]
    assert "at the fees assumed" in told["overview"]


def test_a_club_of_one_plan_has_a_book(tmp_path):
    table = simulated_members(150)
    told = texts(pages_of(tmp_path, table[table["plan"] == "monthly"].drop(columns="plan"), fees="fee = 30.0"))
    assert "All members are on one plan" in told["segments"]


def test_a_club_in_its_first_month_has_a_book(tmp_path):
    table = simulated_members(60, first="2024-06-03")
    pages = pages_of(tmp_path, table[table["plan"] == "yearly"])
    told = texts(pages)
    assert "No contract was running at the end of May 2024" in told["customer_equity"]
    assert "No contract has come up for renewal yet" in told["customer_equity"]
    assert "There were no members a quarter ago" in told["segments"]
    for html in pages.values():
        found = figure_numbers(html)
        assert found == list(range(1, len(found) + 1))


def test_a_club_that_nobody_has_left_is_not_called_immortal(tmp_path):
    table = simulated_members(80)
    table = table[table["plan"] == "monthly"].drop_duplicates("customer_id").assign(ended_on=pd.NaT)
    told = texts(pages_of(tmp_path, table))
    assert "does not make them last for ever" in told["customer_equity"]
    assert "No contract has ended yet" in told["segments"]


def test_members_who_cost_more_than_they_bring_have_no_shares(tmp_path):
    told = texts(pages_of(tmp_path, simulated_members(120), fees="fee = 0.0"))
    assert "Serving the members costs more than their margin brings" in told["segments"]
    assert "No shares to show" in told["overview"]


def test_the_bridge_begins_with_the_book_of_the_month_before_where_there_is_one(tmp_path):
    club = write_club(tmp_path, simulated_members(150), fees=ASSUMED)
    processed = tmp_path / "data" / "processed"
    for month in ("2024-05", "2024-06"):
        pages = run_chapters(club, processed / month, period=month, only="customer_equity")
    assert "It begins with the equity of the book of May 2024" in words(pages["customer_equity"])


def test_a_book_of_a_club_without_fees_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="nobody tells what contracts pay"):
        pages_of(tmp_path, simulated_members(60), fees="")


@pytest.mark.parametrize("column", ["ended_on", "renewal_period"])
def test_a_book_of_contracts_that_lack_a_column_is_refused_by_its_name(tmp_path, column):
    with pytest.raises(DataError, match=f"without {column}"):
        pages_of(tmp_path, simulated_members(60).drop(columns=column))


def test_a_month_in_which_no_contract_runs_is_refused(tmp_path):
    table = simulated_members(60)
    with pytest.raises(DataError, match="no contract is running"):
        pages_of(tmp_path, table[table["ended_on"] <= "2024-05-31"])
