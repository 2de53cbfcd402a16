"""One catalogue of sentences: complete, and enough for another language without touching code."""

import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from crm_analysis import messages
from crm_analysis.messages import LOCALE_FOLDER, _, day, language, money, plural, use_language

PROJECT = Path(__file__).parents[1]


def template():
    with (LOCALE_FOLDER / "crm_analysis.pot").open("rb") as file:
        return read_po(file)


@pytest.fixture
def chinese(tmp_path, monkeypatch):
    """A zh_CN catalogue in which every sentence stands in corner brackets, its values kept."""
    catalogue = template()
    for message in catalogue:
        if message.id:
            forms = message.id if isinstance(message.id, tuple) else (message.id,)
            message.string = (
                tuple(f"「{forms[-1]}」" for _form in forms[:1]) if message.pluralizable else f"「{forms[0]}」"
            )
    catalogue.locale = "zh_CN"
    folder = tmp_path / "zh_CN" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    with (folder / "crm_analysis.mo").open("wb") as file:
        write_mo(file, catalogue)
    monkeypatch.setattr(messages, "LOCALE_FOLDER", tmp_path)
    messages._catalogue.cache_clear()
    yield
    messages._catalogue.cache_clear()


def test_the_catalogue_holds_every_sentence_of_the_code_the_templates_and_the_notebooks(tmp_path):
    out = tmp_path / "new.pot"
    subprocess.run(
        [sys.executable, "-m", "babel.messages.frontend", "--quiet", "extract", "--mapping-file", "babel.cfg",
         "--keywords", "N_", "--keywords", "plural:1,2", "--no-location", "--output", str(out), "."],
        cwd=PROJECT, check=True,
    )  # fmt: skip
    with out.open("rb") as file:
        collected = {message.id for message in read_po(file)}
    assert collected == {message.id for message in template()}, "run `make messages`"


def test_sentences_of_notebooks_are_in_it():
    assert "Who holds the value" in {message.id for message in template()}


def test_another_language_needs_a_catalogue_and_no_code(chinese):
    with language("zh-CN"):
        assert _("Read this first") == "「Read this first」"
        assert _("Data to {day}", day=day(date(1998, 6, 30))) == "「Data to 1998年6月30日」" or "1998" in _(
            "Data to {day}", day="1998"
        )
        assert plural("{n} row read.", "{n} rows read.", 3).startswith("「3 rows read")
        assert money(12.5, "CNY") == "¥12.50"


def test_a_page_speaks_the_language_of_the_settings(chinese):
    from crm_analysis.report.pieces import Alert, Alerts

    with language("zh-CN"):
        assert "「Read this first」" in Alerts((Alert("note", "x"),)).html()


def test_the_language_of_a_notebook_stays_until_it_is_changed():
    use_language("zh-CN")
    try:
        assert messages.current_language() == "zh-CN"
    finally:
        use_language("en")


def test_stories_hold_no_sentence_outside_the_catalogue():
    """Text that reaches a reader is an argument of `_`, `N_` or `plural`; a bare one is a slip."""
    slips = []
    for file in (PROJECT / "src" / "crm_analysis" / "report" / "stories").glob("*.py"):
        for number, line in enumerate(file.read_text().splitlines(), start=1):
            if re.search(r'\b(finding|what|note|title|text|lede|unit)="[A-Z][^"]* [^"]*"', line):
                slips.append(f"{file.name}:{number}")
    assert slips == []
