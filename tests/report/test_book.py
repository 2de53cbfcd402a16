"""The book of a simulated company: what stands in it, and that it is the same again."""

import json
import re
from datetime import date
from pathlib import Path

import pandas as pd
import pytest
from openpyxl import load_workbook

from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import SettingsError
from crm_analysis.report.book import build_book
from crm_analysis.report.contents import CHAPTERS
from crm_analysis.value.equity import CustomerEquity, customer_equity
from crm_analysis.value.period import period_acquisition, value_period

PAGES = [chapter.page for chapter in CHAPTERS]


def page(book, name: str) -> str:
    return (book.folder / name).read_text(encoding="utf-8")


def words(html: str) -> str:
    """The text of a page, tags and drawings taken out."""
    text = re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


@pytest.fixture(scope="module")
def log(project):
    source = project.settings.sources.transactions
    return read_transactions(project.log, columns=source.columns, as_of=date(2024, 6, 30), currency="EUR")


# --- pages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PAGES)
def test_a_page_asks_no_network_for_anything(book, name):
    html = page(book, name)
    assert not re.findall(r"(?:src|href|url)\s*[=(]\s*[\"']?(?:https?:)?//", html)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_has_one_headline_one_style_and_one_script(book, name):
    html = page(book, name)
    assert [len(re.findall(f"<{tag}[ >]", html)) for tag in ("h1", "style", "script")] == [1, 1, 1]


@pytest.mark.parametrize("name", PAGES)
def test_every_drawing_has_a_text_alternative_or_is_hidden_beside_its_text(book, name):
    for tag in re.findall(r"<svg[^>]*>", page(book, name)):
        assert re.search(r'aria-label="[^"]{10,}"', tag) or 'aria-hidden="true"' in tag


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_run_reaches_a_page(book, name, project):
    html = page(book, name)
    for trace in ("Traceback", "stderr", "Out[", "In [", "Warning:", "tqdm", str(project.root)):
        assert trace not in html


@pytest.mark.parametrize("name", PAGES)
def test_what_comes_from_data_and_settings_is_escaped(book, name):
    html = page(book, name)
    assert "<b>Shop</b>" not in html
    assert "Simulated &lt;b&gt;Shop&lt;/b&gt; &amp; " in html
    assert "alert(0)" not in html


@pytest.mark.parametrize("name", PAGES)
def test_every_figure_states_its_finding_and_all_or_none_are_numbered_in_order(book, name):
    captions = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", page(book, name), flags=re.S)
    numbers = [int(found[1]) for caption in captions if (found := re.search(r"Figure (\d+)", caption))]
    assert numbers in ([], list(range(1, len(captions) + 1)))
    assert all(len(re.search(r"<strong>(.*?)</strong>", caption, flags=re.S)[1]) > 15 for caption in captions)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(book, name):
    html = page(book, name)
    for href in re.findall(r'<a [^>]*href="([^"]+)"', html):
        target, _, anchor = href.partition("#")
        file = book.folder / (target or name)
        assert file.is_file(), href
        if anchor:
            assert f'id="{anchor}"' in file.read_text(encoding="utf-8"), href


@pytest.mark.parametrize("name", PAGES)
def test_a_page_stays_small(book, name):
    assert (book.folder / name).stat().st_size < 1_500_000


def test_customers_are_named_by_code_only(book):
    text = page(book, "customer-value.html")
    assert re.search(r"c-[0-9a-f]{10}", text)
    assert not re.search(r"K\d{4}", text)


def test_downloads_name_customers_by_code_only(book):
    for file in (book.folder / "tables").glob("*.csv"):
        assert not re.search(r"K\d{4}", file.read_text()), file.name


# --- numbers ----------------------------------------------------------------------------------------------------


def test_the_equity_of_the_pages_is_that_of_the_package(book, log, project):
    valuation = value_period(log, as_of=date(2024, 6, 30), settings=project.settings)
    joining, _words = period_acquisition(log, valuation.values, project.settings)
    equity = customer_equity(valuation.values, acquisition=joining, draws=1)
    facts = book.manifest["facts"]["customer_equity"]
    assert facts["equity"] == pytest.approx(equity.total, rel=1e-9)
    assert facts["current"] == pytest.approx(valuation.values.total, rel=1e-9)
    assert f"€{equity.total / 1000:,.1f}k" in words(page(book, "index.html"))


def test_the_tables_on_the_shelf_are_those_of_the_package(project, log):
    shelf = project.root / "data" / "processed" / "2024-06"
    reconciliation = pd.read_parquet(shelf / "reconciliation.parquet")
    pd.testing.assert_frame_equal(reconciliation, log.reconciliation, check_dtype=False)


def test_the_equity_of_a_period_can_be_loaded_again(project, book):
    equity = CustomerEquity.load(project.root / "data" / "processed" / "2024-06" / "equity")
    assert equity.total == pytest.approx(book.manifest["facts"]["customer_equity"]["equity"])
    assert equity.interval.lower == pytest.approx(book.manifest["facts"]["customer_equity"]["lower"])


def test_growth_on_the_month_and_on_the_year_is_what_the_log_says(project, log, book):
    orders = log.table.execute()
    month = pd.to_datetime(orders["order_date"]).dt.strftime("%Y-%m")
    revenue = orders["amount"].astype(float).groupby(month).sum()
    text = words(page(book, "index.html"))
    change = revenue["2024-06"] / revenue["2024-05"] - 1
    size = f"{abs(change):.1%}" if abs(change) < 0.0995 else f"{abs(change):.0%}"
    assert f"{size} {'above' if change > 0 else 'below'} May 2024" in text


def test_an_open_shop_has_new_customers_and_no_excuse_for_having_none(book):
    text = words(page(book, "index.html"))
    assert "This log follows customers who first bought by" not in text


def test_set_aside_rows_are_told_with_their_money(book):
    text = words(page(book, "data-quality.html"))
    assert "no customer id" in text
    assert "€12.50" in text


def test_targets_are_judged_in_words(book):
    text = words(page(book, "index.html"))
    assert "1 of 2 indicators with a target are on it" in text or "0 of 2 indicators with a target are on it" in text


def test_a_chapter_that_a_table_more_would_add_is_listed_as_absent(book):
    html = page(book, "index.html")
    assert "Not in this book: no table is named under [sources.survey]" in words(html)
    assert "satisfaction.html" not in html


# --- manifest ---------------------------------------------------------------------------------------------------


def test_the_manifest_says_what_went_in_and_how_it_went(book):
    manifest = json.loads((book.folder / "manifest.json").read_text())
    for key in ("status", "parameters", "inputs", "rows", "customers", "versions", "commit", "seconds", "converged"):
        assert key in manifest
    assert manifest["status"] == "published"
    assert manifest["valued"] == f"All {manifest['customers']} customers were valued."
    assert manifest["rows"] == manifest["rows_used"] + 2  # one without a customer, one after the period
    assert set(manifest["seconds"]) == {chapter.key for chapter in CHAPTERS} | {"all"}


def test_the_manifest_holds_no_path_of_the_machine(book, project):
    text = (book.folder / "manifest.json").read_text()
    for place in (project.root, Path(__file__).parents[2], Path.home()):
        assert str(place) not in text


def test_the_hashes_of_the_pages_are_theirs(book):
    from crm_analysis.report.publish import file_hash

    assert {name: file_hash(book.folder / name) for name in PAGES} == book.manifest["pages"]


def test_the_index_lists_the_book_with_its_headline(book, project):
    index = (project.root / "reports" / "index.html").read_text()
    assert 'href="2024-06/index.html"' in index
    assert book.manifest["headline"] in words(index)


# --- again ------------------------------------------------------------------------------------------------------


def test_the_same_inputs_are_not_run_again(book):
    assert book.already_published


def test_the_same_inputs_give_the_same_numbers(twin, book):
    again = twin.build()
    for chapter in CHAPTERS:
        assert again.manifest["facts"][chapter.key] == book.manifest["facts"][chapter.key]
    numbers = [
        re.sub(r"Built .*? s, seed|c-[0-9a-f]{10}", "", words(page(b, "customer-equity.html"))) for b in (again, book)
    ]
    assert numbers[0] == numbers[1]


def test_other_inputs_do_not_replace_a_book_unasked(project):
    before = project.log.read_text()
    try:
        project.log.write_text(before + "K0001,2024-06-20,15.00,Z1\n")
        with pytest.raises(SettingsError, match=r"transactions changed.*--force"):
            project.build()
    finally:
        project.log.write_text(before)


@pytest.mark.parametrize("period", ["2024-13", "june"])
def test_a_period_that_is_no_month_is_refused(project, period):
    with pytest.raises(SettingsError, match="YYYY-MM"):
        build_book(period, settings=project.settings)


def test_a_month_that_is_not_over_is_refused(project):
    with pytest.raises(SettingsError, match="is not over yet"):
        build_book("2024-06", settings=project.settings, today=date(2024, 6, 30))


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"top_custmers": 5}, "unknown parameter 'top_custmers'; the notebooks know top_customers"),
        ({"top_customers": "5"}, "give int"),
        ({"period": "2024-05"}, "unknown parameter 'period'"),
    ],
)
def test_a_mistyped_parameter_is_refused_before_anything_runs(project, parameters, message):
    with pytest.raises(SettingsError, match=message):
        project.build(parameters=parameters)
    assert not list((project.root / "reports").glob(".staging*"))


@pytest.fixture(scope="module")
def other_project(make_project):
    """A company that shows its ids and keeps its log in a table of a database."""
    import duckdb

    made = make_project(report="pseudonymise = false")
    orders = pd.read_csv(made.log, dtype={"Customer ID": str})
    with duckdb.connect(str(made.root / "shop.duckdb")) as connection:
        connection.register("frame", orders)
        connection.execute("create table orders as select * from frame")
    made.log.unlink()
    settings = made.root / "crm.toml"
    url = f"duckdb://{made.root}/shop.duckdb"
    settings.write_text(
        settings.read_text().replace('path = "data/raw/orders.csv"', f'connection = "{url}"\ntable = "orders"')
    )
    return made


@pytest.fixture(scope="module")
def other_book(other_project):
    """Its book, with another parameter."""
    return other_project.build(parameters={"top_customers": 3})


def test_the_log_can_be_a_table_of_a_database(other_book, book):
    """Such a source has no file to hash, and its address stays out of the manifest."""
    assert other_book.manifest["rows"] == book.manifest["rows"]
    assert "shop.duckdb" not in (other_book.folder / "manifest.json").read_text()


def test_a_table_cannot_be_compared_with_that_of_the_last_run(other_project, other_book):
    with pytest.raises(SettingsError, match="cannot be compared"):
        other_project.build(parameters={"top_customers": 3})


def test_a_parameter_reaches_its_notebook(other_book):
    assert "The 3 most valuable customers hold" in words(page(other_book, "customer-value.html"))


def test_downloads_hold_no_formula(other_book):
    workbook = load_workbook(other_book.folder / "tables" / "top-customers-2024-06.xlsx")
    assert all(cell.data_type != "f" for row in workbook.active.iter_rows() for cell in row)


def test_ids_are_shown_when_the_settings_say_so(other_book):
    assert re.search(r"K\d{4}", page(other_book, "customer-value.html"))


def test_an_id_that_is_markup_stays_text(make_project, other_book):
    assert "<script>alert" not in page(other_book, "customer-value.html")


def test_notebooks_are_left_as_they_are(book):
    folder = Path(__file__).parents[2] / "notebooks"
    for notebook in folder.glob("*.ipynb"):
        cells = json.loads(notebook.read_text())["cells"]
        assert all(cell.get("outputs", []) == [] and cell.get("execution_count") is None for cell in cells)
