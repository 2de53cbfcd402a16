"""The published book in a real browser, as a reviewer opens it: from a folder, without a network."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from crm_analysis.report.contents import CHAPTERS, SURVEY_CHAPTERS
from crm_analysis.report.page import IndexContext, IndexEntry, IndexGroup, render_index

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PAGES = [chapter.page for chapter in CHAPTERS]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium (Debian's package chromium)")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield running
        running.close()


def look(browser: Browser, file, width: int, scheme: str = "light") -> tuple[Page, list[str], list[str]]:
    """Open a file; return the page, what it said on the console, and what it asked for beside itself."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    said, asked = [], []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    asked.remove(file.as_uri())
    return page, said, asked


@pytest.mark.parametrize("width", [1280, 400, 360])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_silent_asks_for_nothing_and_fits(browser, book, name, width):
    page, said, asked = look(browser, book.folder / name, width)
    assert said == []
    assert asked == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


@pytest.mark.parametrize("width", [1280, 400, 360])
@pytest.mark.parametrize("name", [chapter.page for chapter in SURVEY_CHAPTERS])
def test_a_page_of_a_survey_is_silent_asks_for_nothing_and_fits(browser, survey_book, name, width):
    page, said, asked = look(browser, survey_book.folder / name, width)
    assert said == []
    assert asked == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_index_of_periods_is_silent_and_leads_to_the_book(browser, book, project):
    page, said, asked = look(browser, project.root / "reports" / "index.html", 1280)
    assert (said, asked) == ([], [])
    page.get_by_role("link", name="June 2024").click()
    assert page.get_by_role("heading", level=1).inner_text() == book.manifest["headline"]
    page.close()


@pytest.mark.parametrize("width", [1280, 400, 360])
def test_an_index_of_parts_is_silent_and_fits_whatever_they_are_called(browser, tmp_path, width):
    entries = (
        IndexEntry("华东", "part-1/2024-06/index.html", "Customer equity is €4.3k", "Published", "Built 2 July 2024"),
        IndexEntry("x" * 300, "", "", "Not published", "The data was refused"),
    )
    groups = (IndexGroup("June 2024", "Together the parts have all rows.", entries),)
    more = (("../index.html", "All periods"),)
    file = tmp_path / "index.html"
    file.write_text(render_index(IndexContext("Shop by region", "d", "Shop", "Report", "en", groups, more)), "utf-8")
    page, said, asked = look(browser, file, width)
    assert (said, asked) == ([], [])
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_chapters_are_reached_from_the_masthead(browser, book):
    page, said, _ = look(browser, book.folder / "index.html", 1280)
    page.get_by_role("navigation", name="Book").get_by_role("link", name="Customer equity").click()
    assert page.url.endswith("customer-equity.html")
    assert said == []
    page.close()


def test_the_policy_holds_and_is_needed(browser, book):
    """A script or a style put into the page afterwards is refused by the browser."""
    page, said, _ = look(browser, book.folder / "index.html", 1280)
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p id=x style=\"color:red\">x</p>')")
    page.evaluate(
        "const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s)"
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("getComputedStyle(document.getElementById('x')).color") != "rgb(255, 0, 0)"
    assert len(said) == 2
    page.close()


def test_tables_sort_by_number_not_by_text(browser, book):
    page, said, _ = look(browser, book.folder / "customer-value.html", 1280)
    table = page.locator("figure#top-customers table, #top-customers table, table:has-text('Paid so far')").first
    header = table.get_by_role("button", name="Orders so far")
    header.click()
    column = table.locator("tbody tr td:nth-child(6)")
    values = [float(cell.replace(",", "")) for cell in column.all_inner_texts()]
    assert values == sorted(values, reverse=True)
    assert said == []
    page.close()


@pytest.mark.parametrize("name", PAGES)
def test_dark_pages_are_dark_and_paper_is_light(browser, book, name):
    page, _, _ = look(browser, book.folder / name, 1280, "dark")
    assert page.evaluate("getComputedStyle(document.documentElement).backgroundColor") == "rgb(20, 23, 27)"
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(27, 32, 38)"
    page.close()


def test_a_page_prints_without_cutting_a_table(browser, book, tmp_path):
    page, _, _ = look(browser, book.folder / "customer-value.html", 1280)
    page.emulate_media(media="print")
    page.set_viewport_size({"width": 680, "height": 1000})  # about the text width of A4 at the print size
    overflow = page.evaluate(
        "[...document.querySelectorAll('table')].filter(t => t.scrollWidth > t.parentElement.clientWidth + 1).length"
    )
    assert overflow == 0
    page.pdf(path=str(tmp_path / "page.pdf"), prefer_css_page_size=True)
    assert (tmp_path / "page.pdf").stat().st_size > 20_000
    page.close()
