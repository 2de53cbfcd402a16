"""The pieces a page is made of: each a value that never changes and renders itself.

Text fields are plain text and are escaped on their way into the page; links come from `href` and `link` fields alone.
A notebook shows a piece as it will look; the book picks its bare fragment from the same output.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal, cast

import pandas as pd
from markupsafe import Markup, escape

from crm_analysis.errors import BookError
from crm_analysis.messages import EN_DASH, _, count, day, money, number, percent
from crm_analysis.report.templates import fill, scoped_style_sheet

FRAGMENT = "application/vnd.crm-analysis.piece+html"
"""MIME type of a bare fragment, for the page that brings the style sheet itself."""

Verdict = Literal["good", "bad", "flat"]
Kind = Literal["text", "count", "number", "percent", "money", "day", "code", "spark", "status"]

_MARKS = {"up": "▲", "down": "▼", "flat": "■"}
_LEFT: frozenset[str] = frozenset({"text", "code", "status"})
_ID = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_LABELLED = re.compile(r'role="(?:img|list)" aria-label="[^"]*[^"\s][^"]*"')
# Cents help to compare small amounts; in a column with larger ones they only add digits.
_CENTS_BELOW = 1_000


class Piece:
    """What a page is made of: a fragment of HTML for the book, the same with its style for a notebook."""

    _template: ClassVar[str]

    def html(self) -> Markup:
        """Return the fragment; the page brings the style sheet."""
        return fill(f"pieces/{self._template}.html.j2", piece=self)

    def plain(self) -> str:
        """Return one line of text for a terminal."""
        raise NotImplementedError

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        fragment = str(self.html())
        return {
            FRAGMENT: fragment,
            "text/html": f'<div class="crm-book"><style>{scoped_style_sheet()}</style>{fragment}</div>',
            "text/plain": self.plain(),
        }


def _require(piece: str, **texts: str) -> None:
    empty = [name for name, text in texts.items() if not text.strip()]
    if empty:
        raise BookError(f"{piece}: {', '.join(empty)} must say something; a reader sees it.")


def _require_id(name: str) -> None:
    if not _ID.fullmatch(name):
        raise BookError(f"{name!r} cannot be the id of a piece: use letters, digits, - and _, beginning with a letter.")


@dataclass(frozen=True)
class Headline(Piece):
    """The head of a page: a small line, a sentence with the main number, a lede, one status line (first entry bold)."""

    over: str
    title: str
    lede: str = ""
    status: tuple[str, ...] = ()

    _template: ClassVar[str] = "headline"

    def plain(self) -> str:
        """Return the sentence."""
        return self.title


@dataclass(frozen=True)
class Alert(Piece):
    """One thing to know before reading on, with its consequence and a link to the evidence."""

    severity: Literal["warning", "note"]
    text: str
    href: str = ""
    link: str = ""

    def html(self) -> Markup:
        """Return a box with this alert alone."""
        return Alerts((self,)).html()

    def plain(self) -> str:
        """Return the text."""
        return self.text


@dataclass(frozen=True)
class Alerts(Piece):
    """The box "Read this first"; nothing at all when there is nothing to say."""

    items: tuple[Alert, ...]

    _template: ClassVar[str] = "alerts"

    def plain(self) -> str:
        """Return the texts, one a line."""
        return "\n".join(alert.text for alert in self.items)


@dataclass(frozen=True)
class SparkPath:
    """A small line in units of its drawing: the path, the months compared with (`then`) and this month (`now`)."""

    line: str
    then: tuple[tuple[float, float], ...]
    now: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Spark(Piece):
    """A small line of months, on a scale of its own, with this month, the last and the same month last year marked.

    Attributes
    ----------
    values : tuple of float
        Oldest first, 13 as a rule; missing values (NaN) leave gaps.
    label : str
        Text alternative: first, last, lowest, highest.
    """

    values: tuple[float, ...]
    label: str

    _template: ClassVar[str] = "spark"
    _padding: ClassVar[float] = 5.0

    def __post_init__(self) -> None:
        """Refuse a line without a text alternative."""
        _require("spark", label=self.label)

    def html(self, width: int = 132, height: int = 40) -> Markup:
        """Return the line, by default in the size of a tile."""
        return fill("pieces/spark.html.j2", piece=self, width=width, height=height)

    def plain(self) -> str:
        """Return the text alternative."""
        return self.label

    def path(self, width: float, height: float) -> SparkPath:
        """Return the line scaled to a drawing of `width` x `height` units."""
        seen = [value for value in self.values if math.isfinite(value)]
        low, high = (min(seen), max(seen)) if seen else (0.0, 0.0)
        last = len(self.values) - 1
        room = height - 2 * self._padding

        def spot(i: int) -> tuple[float, float]:
            x = self._padding + (width - 2 * self._padding) * (i / last if last else 1.0)
            share = (self.values[i] - low) / (high - low) if high > low else 0.5
            return round(x, 1), round(height - self._padding - room * share, 1)

        known = [math.isfinite(value) for value in self.values]
        steps = []
        for i, is_known in enumerate(known):
            if is_known:
                x, y = spot(i)
                starts = i == 0 or not known[i - 1]
                steps.append(f"{'M' if starts else 'L'}{x} {y}" + ("h0" if starts else ""))
        then = tuple(spot(i) for i in sorted({last - 12, last - 1}) if i >= 0 and known[i])
        return SparkPath("".join(steps), then, tuple(spot(i) for i in range(last, last + 1) if i >= 0 and known[i]))


@dataclass(frozen=True)
class Change(Piece):
    """A change: which way, whether that is good, and both in words, since neither mark nor colour stands alone."""

    direction: Literal["up", "down", "flat"]
    verdict: Verdict
    text: str
    verdict_text: str

    _template: ClassVar[str] = "change"

    @property
    def mark(self) -> str:
        """The sign of the direction, hidden from screen readers."""
        return _MARKS[self.direction]

    def words(self) -> Markup:
        """Return text and verdict as one phrase."""
        verdict = Markup('<span class="{}">{}</span>').format(self.verdict, self.verdict_text)
        if not self.text:
            return verdict
        if not self.verdict_text:
            return escape(self.text)
        return Markup(escape(_("{change}, {verdict}"))).format(change=self.text, verdict=verdict)

    def plain(self) -> str:
        """Return text and verdict."""
        return " ".join([self.mark, str(self.words().striptags())])


@dataclass(frozen=True)
class Tile(Piece):
    """One key figure: name, value, interval or definition, 13 months, changes; `term` links to the glossary."""

    name: str
    value: str
    unit: str
    changes: tuple[Change, ...] = ()
    spark: Spark | None = None
    term: str = ""

    def html(self) -> Markup:
        """Return a row with this tile alone."""
        return Tiles((self,)).html()

    def plain(self) -> str:
        """Return name and value."""
        return f"{self.name}: {self.value}"


@dataclass(frozen=True)
class Tiles(Piece):
    """The key figures of a page; `key` explains the small lines once, below."""

    items: tuple[Tile, ...]
    key: str = ""

    _template: ClassVar[str] = "tiles"

    def plain(self) -> str:
        """Return names and values, one a line."""
        return "\n".join(tile.plain() for tile in self.items)


@dataclass(frozen=True)
class Finding(Piece):
    """One finding in a sentence or two, with a link to its evidence."""

    text: str
    href: str
    link: str

    def html(self) -> Markup:
        """Return a list with this finding alone."""
        return Findings((self,)).html()

    def plain(self) -> str:
        """Return the sentence."""
        return self.text


@dataclass(frozen=True)
class Findings(Piece):
    """The findings of a page, numbered."""

    items: tuple[Finding, ...]

    _template: ClassVar[str] = "findings"

    def plain(self) -> str:
        """Return the sentences, one a line."""
        return "\n".join(finding.text for finding in self.items)


@dataclass(frozen=True)
class Drawing(Piece):
    """What a figure function returns: one or two SVGs, or rows, with a text alternative.

    Attributes
    ----------
    markup : Markup
        Our own SVG or HTML. Every SVG in it is hidden from screen readers or has role and label.
    """

    markup: Markup

    def __post_init__(self) -> None:
        """Refuse a drawing that a screen reader would pass over in silence."""
        svgs = re.findall(r"<svg\b[^>]*>", self.markup)
        unnamed = [svg for svg in svgs if 'aria-hidden="true"' not in svg and not _LABELLED.search(svg)]
        if unnamed or not _LABELLED.search(self.markup):
            raise BookError("drawing: the text alternative is missing; give `label` the finding in words.")

    def html(self) -> Markup:
        """Return the drawing."""
        return self.markup

    def plain(self) -> str:
        """Return the text alternative."""
        found = _LABELLED.search(self.markup)
        return str(Markup(found[0].split('aria-label="')[1][:-1]).unescape()) if found else ""


@dataclass(frozen=True)
class Column:
    """A column of a table on the page.

    Attributes
    ----------
    key : str
        Column of the frame, or the name of its index.
    title, unit : str
        What stands in the header; with the unit "%" percentages are written without the sign.
    kind : str
        How values are written. "spark" cells hold `Spark`, "status" cells hold `Change`, all others raw values. A text
        in a column of numbers stays as it is; in a column of texts a line break begins a small second line.
    digits : int, optional
        Decimals; by default 2 for numbers, 1 for percentages, cents for money when all amounts are small.
    currency : str
        Of a money column; "" writes amounts without a currency, which then belongs into `unit`.
    sortable : bool
        Whether a click on the header sorts by it.
    """

    key: str
    title: str
    unit: str = ""
    kind: Kind = "number"
    digits: int | None = None
    currency: str = ""
    sortable: bool = True

    @property
    def is_left(self) -> bool:
        """Words stand left, numbers right."""
        return self.kind in _LEFT

    @property
    def sort(self) -> Literal["text", "number", "no"]:
        """How the script sorts by this column."""
        if not self.sortable or self.kind == "spark":
            return "no"
        return "text" if self.is_left else "number"


@dataclass(frozen=True)
class Cell:
    """One cell as the template writes it; `value` is the raw number the script sorts by."""

    content: str
    css: str = ""
    value: str | None = None


@dataclass(frozen=True, eq=False)
class Table(Piece):
    """A table whose caption states the finding; the first column heads the rows.

    Attributes
    ----------
    name : str
        Id on the page.
    number : int
        Of the table in its chapter; 0 leaves out the words "Table N."
    finding, what : str
        The caption: what to see, and what is listed.
    frame : DataFrame
        Raw values.
    columns : tuple of Column
        In the order shown.
    total : mapping, optional
        Raw values of the last line by column key; missing keys stay empty.
    downloads : tuple of str
        Addresses of the same table as files.
    long : bool
        Whether the table may break across sheets of paper.
    """

    name: str
    number: int
    finding: str
    what: str
    frame: pd.DataFrame
    columns: tuple[Column, ...]
    total: Mapping[str, object] | None = None
    downloads: tuple[str, ...] = ()
    long: bool = False

    _template: ClassVar[str] = "table"

    def __post_init__(self) -> None:
        """Refuse a table without a name, a caption or one of its columns."""
        _require_id(self.name)
        _require(f"table {self.name}", finding=self.finding)
        frame = self._flat()
        lost = [column.key for column in self.columns if column.key not in frame]
        if lost or not self.columns:
            raise BookError(f"table {self.name}: the frame has no column {', '.join(lost) or 'at all'}.")

    @property
    def heading(self) -> str:
        """The bold part of the caption."""
        if not self.number:
            return self.finding
        return _("Table {n}. {finding}", n=self.number, finding=self.finding)

    @property
    def is_sortable(self) -> bool:
        """Whether any header sorts."""
        return len(self.frame) > 1 and any(column.sort != "no" for column in self.columns)

    def rows(self) -> list[list[Cell]]:
        """Return the body, row by row."""
        frame = self._flat()
        columns = [_cells(frame[column.key].tolist(), column) for column in self.columns]
        return [list(row) for row in zip(*columns, strict=True)]

    def total_row(self) -> list[Cell]:
        """Return the last line; keys the total does not name stay empty."""
        total = self.total or {}
        return [self._total_cell(column, total) for column in self.columns]

    def links(self) -> list[tuple[str, str]]:
        """Return address and text of each download."""
        name = _("table {n}", n=self.number) if self.number else self.name
        kinds = [PurePosixPath(href).suffix.lstrip(".").upper() for href in self.downloads]
        return [
            (href, _("{table} as {kind}", table=name, kind=kind))
            for href, kind in zip(self.downloads, kinds, strict=True)
        ]

    def plain(self) -> str:
        """Return the bold part of the caption."""
        return self.heading

    def _flat(self) -> pd.DataFrame:
        """Return the frame with a named index among its columns."""
        named = [name for name in self.frame.index.names if name is not None and name not in self.frame]
        return self.frame.reset_index(level=named) if named else self.frame

    def _total_cell(self, column: Column, total: Mapping[str, object]) -> Cell:
        if column.key not in total:
            return Cell("")
        # The digits of the body, so that the total lines up with what it adds.
        digits = _digits(self._flat()[column.key].tolist(), column)
        return _cell(total[column.key], column, digits)


@dataclass(frozen=True, eq=False)
class Figure(Piece):
    """A drawing with its caption and its note.

    Attributes
    ----------
    name : str
        Id on the page.
    number : int
        Of the figure in its chapter.
    finding : str
        What to see; never more than the interval allows.
    what : str
        What is drawn, in which unit.
    drawing : Drawing
        Made by a figure function.
    note : str
        How many, how sure, and the numbers.
    data : Table, optional
        The numbers drawn, folded away.
    """

    name: str
    number: int
    finding: str
    what: str
    drawing: Drawing
    note: str
    data: Table | None = None

    _template: ClassVar[str] = "figure"

    def __post_init__(self) -> None:
        """Refuse a figure that does not say what it shows."""
        _require_id(self.name)
        _require(f"figure {self.name}", finding=self.finding, what=self.what, note=self.note)

    def plain(self) -> str:
        """Return number and finding."""
        return f"{_('Figure {n}', n=self.number)}: {self.finding}"


@dataclass(frozen=True)
class Note(Piece):
    """Paragraphs set apart: method, caveats. Without a title when a heading stands above."""

    title: str
    paragraphs: tuple[str, ...]

    _template: ClassVar[str] = "note"

    def plain(self) -> str:
        """Return the paragraphs."""
        return "\n".join(self.paragraphs)


@dataclass(frozen=True)
class Glossary(Piece):
    """Terms with their definitions: id, term, definition."""

    terms: tuple[tuple[str, str, str], ...]

    _template: ClassVar[str] = "glossary"

    def __post_init__(self) -> None:
        """Refuse ids a link could not reach."""
        for name, *_rest in self.terms:
            _require_id(name)

    def plain(self) -> str:
        """Return the terms, one a line."""
        return "\n".join(f"{term}: {definition}" for _id, term, definition in self.terms)


@dataclass(frozen=True)
class Facts(Piece):
    """Names and values, such as the provenance of a page."""

    title: str
    items: tuple[tuple[str, str], ...]

    _template: ClassVar[str] = "facts"

    def plain(self) -> str:
        """Return names and values, one a line."""
        return "\n".join(f"{name}: {value}" for name, value in self.items)


@dataclass(frozen=True)
class ChapterList(Piece):
    """The chapters of a book: address, title, and the question with its answer."""

    items: tuple[tuple[str, str, str], ...] = field(default=())

    _template: ClassVar[str] = "chapters"

    def plain(self) -> str:
        """Return the titles, one a line."""
        return "\n".join(title for _href, title, _question in self.items)


def _cells(values: Sequence[object], column: Column) -> list[Cell]:
    digits = _digits(values, column)
    return [_cell(value, column, digits) for value in values]


def _cell(value: object, column: Column, digits: int) -> Cell:
    if column.kind == "spark":
        return Cell(value.html(96, 24) if isinstance(value, Spark) else EN_DASH)
    if column.kind == "status":
        return Cell(fill("pieces/status.html.j2", piece=value) if isinstance(value, Change) else EN_DASH, "l nb")
    if _is_missing(value):
        return Cell(EN_DASH, "l" if column.is_left else "", None if column.is_left else "")
    if column.kind == "code":
        return Cell(Markup("<code>{}</code>").format(value), "l")
    if column.kind == "text":
        first, _break, rest = str(value).partition("\n")
        return Cell(Markup("{}<small>{}</small>").format(first, rest) if rest else first, "l")
    if isinstance(value, str):
        return Cell(value)
    if column.kind == "day":
        on = cast(date, value)
        return Cell(day(on), "nb", str(on.toordinal()))
    amount = float(cast(float, value))
    return Cell(_written(amount, column, digits), "", _sort_value(amount))


def _written(amount: float, column: Column, digits: int) -> str:
    match column.kind:
        case "count":
            return count(amount)
        case "percent" if column.unit == "%":
            return number(amount * 100, digits)
        case "percent":
            return percent(amount, digits)
        case "money" if column.currency:
            return money(amount, column.currency, digits)
        case _:
            return number(amount, digits)


def _digits(values: Sequence[object], column: Column) -> int:
    """Return the decimals of a whole column, so that its numbers line up."""
    if column.digits is not None:
        return column.digits
    if column.kind == "money":
        amounts = [abs(float(cast(float, value))) for value in values if not (_is_missing(value) or _is_word(value))]
        return 2 if all(amount < _CENTS_BELOW for amount in amounts) else 0
    return {"count": 0, "percent": 1}.get(column.kind, 2)


def _is_word(value: object) -> bool:
    return isinstance(value, str)


def _is_missing(value: object) -> bool:
    return value is None or bool(pd.isna(cast(Any, value)))


def _sort_value(amount: float) -> str:
    if math.isinf(amount):
        return "Infinity" if amount > 0 else "-Infinity"
    return f"{amount:.12g}"
