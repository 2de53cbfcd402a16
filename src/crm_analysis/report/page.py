"""Whole pages from pieces: one file each, that asks no network for anything and lets nothing foreign run."""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Literal

from markupsafe import Markup

from crm_analysis.report.pieces import Facts
from crm_analysis.report.templates import fill, script, style_sheet


@dataclass(frozen=True)
class PageContext:
    """Everything on one page of the book.

    Attributes
    ----------
    title, description : str
        For the browser's tab and for search.
    brand, report_name : str
        Company and report with its period; both stand in the masthead and at the foot of each sheet of paper.
    language : str
        HTML language code, such as "en" or "zh-CN".
    navigation : tuple of (href, text, is current)
        The chapters of the book.
    toc : tuple of (id, text)
        The sections of this page; it stands at the side, on top when the window is narrow.
    layout : str
        "overview" or "chapter", which spaces its sections closer.
    body : Markup
        Fragments of pieces, in sections.
    provenance : Facts, optional
        Where the numbers come from.
    footer_text : str
        A last line.
    """

    title: str
    description: str
    brand: str
    report_name: str
    language: str
    navigation: tuple[tuple[str, str, bool], ...]
    toc: tuple[tuple[str, str], ...]
    layout: Literal["overview", "chapter"]
    body: Markup
    provenance: Facts | None = None
    footer_text: str = ""


@dataclass(frozen=True)
class IndexEntry:
    """One book in a list of books; every field is text as the reader sees it. Without `href` there is none to open."""

    title: str
    href: str
    headline: str
    status: str
    published: str


@dataclass(frozen=True)
class IndexGroup:
    """Books under one heading, such as those of one period; without a title they stand alone."""

    title: str
    note: str
    entries: tuple[IndexEntry, ...]


@dataclass(frozen=True)
class IndexContext:
    """A list of books, newest first, and links to other lists."""

    title: str
    description: str
    brand: str
    report_name: str
    language: str
    groups: tuple[IndexGroup, ...]
    more: tuple[tuple[str, str], ...] = ()
    layout: str = field(default="overview", init=False)


def render_page(context: PageContext) -> str:
    """Return one page of the book as HTML."""
    return _render("page.html.j2", context)


def render_index(context: IndexContext) -> str:
    """Return the list of all books as HTML."""
    return _render("index.html.j2", context)


def _render(template: str, page: PageContext | IndexContext) -> str:
    style = (
        f"{style_sheet()}@page{{@bottom-left{{content:{_css_text(page)};font:8pt Arial,sans-serif;color:#545d67}}}}\n"
    )
    return str(fill(template, page=page, policy=_policy(style), style=Markup(style), script=Markup(script()))) + "\n"


def _css_text(page: PageContext | IndexContext) -> str:
    """Return the name of the report as a CSS string, which no character of it can leave."""
    text = f"{page.brand} {page.report_name}"
    return '"' + "".join(c if c.isalnum() or c in " .,-" else f"\\{ord(c):x} " for c in text) + '"'


def _policy(style: str) -> Markup:
    """Return the Content-Security-Policy that lets exactly this style and this script through.

    Hashes hold only for the exact bytes between the tags, so nothing may change them afterwards.
    """
    return Markup(
        f"default-src 'none'; style-src '{_sha256(style)}'; script-src '{_sha256(script())}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _sha256(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
