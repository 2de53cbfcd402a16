"""The parts a company is reported by, such as its regions: each a book like any other, from settings of its own.

A part is a settings file that builds on the company's and differs in the rows of the log, in the name, and in where its
book goes. It stays beside the part's tables, so that a part can be built, validated or opened in a notebook alone.
"""

import contextlib
import hashlib
import json
import os
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from crm_analysis.data.company_log import open_side_table, open_survey, parts_of_log
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, day, language, money, month_of, plural
from crm_analysis.report.page import IndexContext, IndexEntry, IndexGroup, render_index
from crm_analysis.report.pseudonyms import share_key
from crm_analysis.report.publish import Published, one_at_a_time, published_books, write_json, write_whole
from crm_analysis.report.render import check_page
from crm_analysis.settings import Settings, load_settings

SETTINGS_FILE = "part.toml"
_LONGEST = 40
_ITS_OWN_SLUG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# What a digest of ours looks like, and what a book's folder is called: no value may pass for either.
_TAKEN = re.compile(r"(.*-)?[0-9a-f]{10}|\d{4}-\d{2}")


@dataclass(frozen=True)
class BookPart:
    """A part of a company, and the settings its book is built by.

    Attributes
    ----------
    column, value : str
        What tells the part in the log; both "" for a company as a whole, `value` for the rows that have none.
    title : str
        What a reader calls it.
    slug : str
        What its folders are called.
    rows, money
        Of the log as delivered; the money in the company's currency.
    settings : Settings
        Of the part, as its file says.
    """

    column: str
    value: str
    title: str
    slug: str
    rows: int
    money: Decimal
    settings: Settings

    @property
    def settings_file(self) -> Path:
        """The file its chapters read."""
        return self.settings.root / self.settings.file


def slug(text: str) -> str:
    """Return the name of a folder for any text: safe in a path and a URL, and another one for every other text.

    Text in small letters, digits and single hyphens stands for itself; anything else gets a digest of what it was.

    Examples
    --------
    >>> slug("north"), slug("North"), slug("../../etc")
    ('north', 'north-43f853bbb5', 'etc-74ccf3c5b4')
    """
    if _ITS_OWN_SLUG.fullmatch(text) and len(text) <= _LONGEST and not _TAKEN.fullmatch(text):
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.sub(r"[^a-z0-9]+", "-", plain)[:_LONGEST].strip("-") or "part"
    return f"{words}-{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()[:10]}"


def parts_folder(settings: Settings, column: str) -> Path:
    """Where the books of the parts by a column are, with their index."""
    return settings.path(settings.report.reports) / slug(column)


def parts_of(settings: Settings, column: str) -> list[BookPart]:
    """Return the parts of a company by a column of its log, largest first, and write their settings.

    Parameters
    ----------
    settings : Settings
        Of the company, as its file says.
    column : str
        As the log is delivered; "" for the company as one part.

    Raises
    ------
    DataError
        When the log cannot be read.
    SettingsError
        When the log has no such column, or too many values in it.
    """
    if settings.kind != "shop" and not column:
        is_club = settings.kind == "contracts"
        table = open_side_table(settings, "memberships") if is_club else open_survey(settings)
        assert table is not None  # what makes it such a company
        return [BookPart("", "", settings.company.name, "", len(table), Decimal(), settings)]
    found = parts_of_log(settings, column)
    if not column:
        return [BookPart("", "", settings.company.name, "", part.rows, part.money, settings) for part in found]
    share_key(settings.path(settings.report.processed), [_shelf(settings, column, part.value) for part in found])
    return [
        BookPart(
            column,
            part.value,
            title_of(column, part.value),
            slug(part.value),
            part.rows,
            part.money,
            _settings_of(settings, column, part.value),
        )
        for part in found
    ]


def title_of(column: str, value: str) -> str:
    """What a reader calls a part."""
    return value or _("no {column}", column=column)


def _shelf(settings: Settings, column: str, value: str) -> Path:
    return settings.path(settings.report.processed) / slug(column) / slug(value)


def _settings_of(settings: Settings, column: str, value: str) -> Settings:
    """Write the settings of a part, where they are not there yet, and read them."""
    file = _shelf(settings, column, value) / SETTINGS_FILE
    file.parent.mkdir(parents=True, exist_ok=True)
    folders = f"{slug(column)}/{slug(value)}"
    lines = [
        "# Made by crm-analysis report --by, and made again at each run. What is not said here is as the base says.",
        f"base = {_quoted(os.path.relpath(settings.root / settings.file, file.parent))}",
        "[company]",
        f"name = {_quoted(f'{settings.company.name}: {title_of(column, value)}')}",
        "[sources.transactions.only]",
        f"{_quoted(column)} = {_quoted(value)}",
        "[report]",
        f"reports = {_quoted(f'{settings.report.reports}/{folders}')}",
        f"processed = {_quoted(f'{settings.report.processed}/{folders}')}",
    ]
    if settings.engine.threads is None:
        lines += ["[engine]", "threads = 1  # books are built side by side"]
    text = "\n".join(lines) + "\n"
    if not file.is_file() or file.read_text(encoding="utf-8") != text:
        write_whole(file, text)
    return load_settings(file)


def _quoted(text: str) -> str:
    """Write a text as TOML does; it differs from JSON in one sign."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


# --- the accounts of a run, and the index ---------------------------------------------------------------------------


def write_accounts(
    settings: Settings, column: str, period: str, parts: Sequence[BookPart], failures: Mapping[str, str]
) -> None:
    """Keep which parts the log had in a period, and in a word why those named in `failures` (by slug) failed."""
    content = {
        "column": column,
        "rows": sum(part.rows for part in parts),
        "money": str(sum((part.money for part in parts), Decimal())),
        "parts": [
            {
                "value": part.value,
                "slug": part.slug,
                "rows": part.rows,
                "money": str(part.money),
                "failure": failures.get(part.slug, ""),
            }
            for part in parts
        ],
    }
    write_json(parts_folder(settings, column) / f"{period}.json", content)


def accounts_in_words(parts: Sequence[BookPart], currency: str) -> str:
    """Say that rows and money of the parts are those of the whole log, and which rows have no value."""
    column = parts[0].column
    words = plural(
        "{n} part by {column}, with all {rows} rows of the log and all of its money, {money}.",
        "{n} parts by {column}; together they have all {rows} rows of the log and all of its money, {money}.",
        len(parts),
        column=column,
        rows=count(sum(part.rows for part in parts)),
        money=money(float(sum((part.money for part in parts), Decimal())), currency, 2),
    )
    for part in parts:
        if not part.value:
            nameless = plural(
                "{n} row without a value is the part “{title}”, with {money}.",
                "{n} rows without a value are the part “{title}”, with {money}.",
                part.rows,
                title=part.title,
                money=money(float(part.money), currency, 2),
            )
            return f"{words} {nameless}"
    return words


def parts_that_are_off(parts: Sequence[BookPart], manifests: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the titles of parts whose book (by slug) has other rows or money than the part was counted with."""
    off = []
    for part in parts:
        if part.slug in manifests:
            told = manifests[part.slug]["facts"]["data_quality"]
            if (told["rows"], Decimal(told["money"])) != (part.rows, part.money):
                off.append(part.title)
    return off


def published_parts(reports: Path) -> Iterator[Published]:
    """Return the published books of all parts, below the folder of a company's reports."""
    for folder in sorted({index.parent for index in reports.glob("*/*/*/manifest.json")}):
        if not folder.relative_to(reports).parts[0].startswith("."):
            yield from (book for book in published_books(folder.parent) if book.folder == folder)


def write_parts_index(settings: Settings, column: str) -> Path:
    """Write `index.html` of all parts by a column in all periods, complete or not at all; return its path."""
    folder = parts_folder(settings, column)
    with language(settings.company.language), one_at_a_time(folder, "index"):
        html = render_index(
            IndexContext(
                title=_("{company} by {column}", company=settings.company.name, column=column),
                description=_("Every published book of a part, newest first."),
                brand=settings.company.name,
                report_name=_("Customer-asset report"),
                language=settings.company.language.replace("_", "-"),
                groups=tuple(_groups(folder, column, settings.company.currency)),
                more=(("../index.html", _("All periods of {company}", company=settings.company.name)),),
            )
        )
        check_page("index.html", html)
        write_whole(folder / "index.html", html)
    return folder / "index.html"


def _groups(folder: Path, column: str, currency: str) -> Iterator[IndexGroup]:
    books = {
        (book.period, place.name): book
        for place in sorted(folder.iterdir())
        if place.is_dir() and not place.name.startswith(".")
        for book in published_books(place)
    }
    accounts = {file.stem: content for file in folder.glob("????-??.json") if (content := _read(file))}
    for period in sorted({period for period, _slug in books} | set(accounts), reverse=True):
        parts = accounts.get(period, {}).get("parts", [])
        listed = {part["slug"] for part in parts}
        entries = [
            _entry(title_of(column, part["value"]), part["slug"], books.get((period, part["slug"])), part["failure"])
            for part in parts
        ]
        entries += [
            _entry(str(book.manifest["company"]), name, book, _("Not a part of the log at the last run"))
            for (of, name), book in books.items()
            if of == period and name not in listed
        ]
        note = ""
        if period in accounts:
            note = _(
                "Together the parts have all {rows} rows of the log, with {money}. A customer who bought in several "
                "parts is a customer of each.",
                rows=count(accounts[period]["rows"]),
                money=money(float(accounts[period]["money"]), currency, 2),
            )
        yield IndexGroup(month_of(period), note, tuple(entries))


def _entry(title: str, name: str, book: Published | None, failure: str) -> IndexEntry:
    if book is None:
        return IndexEntry(title, "", "", _("Not published"), failure)
    built = _("Built {day}", day=day(datetime.fromisoformat(book.manifest["finished"]).date()))
    return IndexEntry(
        title,
        f"{name}/{book.period}/index.html",
        str(book.manifest["headline"]),
        str(book.manifest["status_words"]),
        f"{built}; {failure}" if failure else built,
    )


def _read(file: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, json.JSONDecodeError):
        content = json.loads(file.read_text(encoding="utf-8"))
        return content if isinstance(content, dict) and "parts" in content else {}
    return {}


def lists_of_parts(reports: Path) -> list[tuple[str, str]]:
    """Return what the books below a folder are told apart by: the name of the folder and the column."""
    found = {}
    for file in sorted(reports.glob("*/????-??.json")):
        content = _read(file)
        if content and (file.parent / "index.html").is_file():
            found[file.parent.name] = str(content["column"])
    return sorted(found.items())


def require_own_folders(companies: Sequence[Settings]) -> None:
    """Refuse companies whose books would take each other's place.

    Raises
    ------
    SettingsError
        Naming both settings files.
    """
    seen: dict[Path, Path] = {}
    for settings in companies:
        file = settings.root / settings.file
        for relative in (settings.report.reports, settings.report.processed):
            place = settings.path(relative).resolve()
            other = seen.setdefault(place, file)
            if other != file:
                raise SettingsError(f"{other} and {file} both publish to {place}; give each folders of its own.")
