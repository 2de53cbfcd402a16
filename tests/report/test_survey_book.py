"""The book of who has a survey and nothing else."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.report.book import Book
from crm_analysis.report.contents import SURVEY_CHAPTERS
from crm_analysis.report.parts import parts_of
from crm_analysis.report.publish import file_hash
from crm_analysis.report.render import check_page

from .club import words
from .survey_pages import causal_words

PAGES = [chapter.page for chapter in SURVEY_CHAPTERS]


def page(book: Book, name: str) -> str:
    return (book.folder / name).read_text(encoding="utf-8")


# --- pages --------------------------------------------------------------------------------------------------------


def test_a_survey_has_a_book_of_two_pages(survey_book):
    assert sorted(PAGES) == ["index.html", "satisfaction.html"]
    assert {file.name for file in survey_book.folder.glob("*.html")} == set(PAGES)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_fit_to_publish_and_its_hash_is_told(survey_book, name):
    check_page(name, page(survey_book, name))
    assert survey_book.manifest["pages"][name] == file_hash(survey_book.folder / name)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_somewhere(survey_book, name):
    for href in re.findall(r'<a [^>]*href="([^"]+)"', page(survey_book, name)):
        target, _, anchor = href.partition("#")
        file = survey_book.folder / (target or name)
        assert file.is_file(), href
        if anchor:
            assert f'id="{anchor}"' in file.read_text(encoding="utf-8"), href


@pytest.mark.parametrize("name", PAGES)
def test_nothing_of_the_run_reaches_a_page(survey_book, survey_books, name):
    for trace in ("Traceback", "stderr", "Warning:", str(survey_books.root)):
        assert trace not in page(survey_book, name)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_what_goes_together_and_never_what_follows(survey_book, name):
    assert causal_words(words(page(survey_book, name))) == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_says_where_its_numbers_come_from(survey_book, survey_books, name):
    text = words(page(survey_book, name))
    rows, latest = len(survey_books.answers), int((survey_books.answers["wave"] == "2023-12").sum())
    assert f"survey.csv, {rows} rows, {latest} respondents in the latest wave" in text
    assert f"SHA-256 {survey_book.manifest['inputs']['survey'][:16]}…" in text


def test_the_overview_begins_with_the_headline_and_leads_to_what_stands_behind_it(survey_book):
    html = page(survey_book, "index.html")
    assert survey_book.manifest["headline"] in words(html)
    assert re.search(r"Satisfaction is \d\.\d of 10", survey_book.manifest["headline"])
    for piece in ("drivers", "priorities", "what-if"):
        assert f'href="satisfaction.html#{piece}"' in html


def test_nobody_is_named_in_the_book_nor_in_its_files(survey_book, survey_books):
    ids = set(survey_books.answers["respondent_id"]) | set(survey_books.answers["customer_id"].dropna())
    files = [survey_book.folder / name for name in PAGES]
    files += [*(survey_book.folder / "tables").glob("*.csv"), survey_book.folder / "manifest.json"]
    assert len(files) >= 8
    for file in files:
        assert set(re.findall(r"\b[A-Z]\d{3,}\b", file.read_text(encoding="utf-8"))) & ids == set(), file.name


# --- manifest and runs --------------------------------------------------------------------------------------------


def test_the_manifest_says_what_went_in_and_how_it_went(survey_book, survey_books):
    manifest = json.loads((survey_book.folder / "manifest.json").read_text())
    assert manifest["rows"] == len(survey_books.answers)
    assert manifest["rows_used"] == manifest["rows"] - 1  # one of a wave to come
    assert manifest["inputs"]["survey"] == file_hash(survey_books.root / "much" / "survey.csv")
    assert "transactions" not in manifest["inputs"]
    assert set(manifest["seconds"]) == {chapter.key for chapter in SURVEY_CHAPTERS} | {"all"}
    assert str(survey_books.root) not in json.dumps(manifest)


def test_the_answers_that_the_manifest_counts_are_those_of_the_chapter(survey_book):
    facts = survey_book.manifest["facts"]["satisfaction"]
    assert facts["lower"] < facts["satisfaction"] < facts["upper"]
    assert facts["waves"] == 2
    assert f"{facts['rows_used']} of {facts['rows']} rows" in words(page(survey_book, "satisfaction.html"))


def test_the_same_answers_are_not_run_again(survey_book):
    assert survey_book.already_published


def test_several_surveys_are_one_run_and_each_has_its_book(survey_books):
    assert survey_books.said.returncode == 0, survey_books.said.stderr
    for name in ("much", "little"):
        index = survey_books.root / name / "reports" / "index.html"
        assert index.is_file()
        assert str(index) in survey_books.said.stdout


def test_a_survey_of_one_question_has_a_book_too(survey_books):
    folder = survey_books.root / "little" / "reports" / "2023-12"
    for name in PAGES:
        check_page(name, (folder / name).read_text(encoding="utf-8"))
    text = words((folder / "index.html").read_text(encoding="utf-8"))
    assert re.search(r"Satisfaction is \d\.\d of 10", text)
    assert "Published with 1 warning" in text


def test_a_book_without_drivers_says_how_satisfied_those_are_who_answered(survey_books):
    file = survey_books.root / "little" / "reports" / "2023-12" / "index.html"
    found = words(file.read_text(encoding="utf-8")).partition("Findings")[2]
    assert re.match(r"\W*Satisfaction: \d\.\d of 10 in June 2023", found)


def test_a_survey_is_one_part_of_a_run_and_has_no_parts_by_a_column(survey_books):
    [part] = parts_of(survey_books.settings, "")
    assert part.rows == len(survey_books.answers)
    with pytest.raises(SettingsError, match=r"needs a purchase log.*\[sources\.transactions\]"):
        parts_of(survey_books.settings, "region")


def test_validate_shows_what_becomes_of_the_answers_and_ends_with_their_file(survey_books):
    done = subprocess.run(
        [sys.executable, "-m", "crm_analysis.cli", "validate", "--period", "2023-12"],
        cwd=survey_books.root / "much", capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).name == "survey.csv"
    used = len(survey_books.answers) - 1
    assert re.search(rf"used\W+{used}\b", done.stderr)
    assert "survey.csv: rows by what becomes of them" in done.stderr
