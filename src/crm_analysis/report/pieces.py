"""The pieces a page is made of: each a value that never changes and renders itself.

Text fields are plain text and are escaped on their way into the page; links come from `href` and `link` fields alone.
A notebook shows a piece as it will look; the book picks its bare fragment from the same output.
"""

import math
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from markupsafe import Markup, escape

from crm_analysis.errors import BookError
from crm_analysis.messages import _
from crm_analysis.report.templates import fill, scoped_style_sheet

if TYPE_CHECKING:
    from crm_analysis.report.tables import Table

FRAGMENT = "application/vnd.crm-analysis.piece+html"
"""MIME type of a bare fragment, for the page that brings the style sheet itself."""

Verdict = Literal["good", "bad", "flat"]

_MARKS = {"up": "▲", "down": "▼", "flat": "■"}
_ID = re.compile(r"[A-Za-z][\w-]*", re.ASCII)
_LABELLED = re.compile(r'role="(?:img|list)" aria-label="[^"]*[^"\s][^"]*"')


class Piece(ABC):
    """What a page is made of: a fragment of HTML for the book, the same with its style for a notebook."""

    _template: ClassVar[str]

    def html(self) -> Markup:
        """Return the fragment; the page brings the style sheet."""
        return fill(f"pieces/{self._template}.html.j2", piece=self)

    @abstractmethod
    def plain(self) -> str:
        """Return one line of text for a terminal."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        fragment = str(self.html())
        return {
            FRAGMENT: fragment,
            "text/html": f'<div class="crm-book"><style>{scoped_style_sheet()}</style>{fragment}</div>',
            "text/plain": self.plain(),
        }


def require(piece: str, **texts: str) -> None:
    """Refuse a piece that leaves one of these texts empty."""
    empty = [name for name, text in texts.items() if not text.strip()]
    if empty:
        raise BookError(f"{piece}: {', '.join(empty)} must say something; a reader sees it.")


def require_id(name: str) -> None:
    """Refuse a name that cannot be an id on the page."""
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
        require("spark", label=self.label)

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


@dataclass(frozen=True, eq=False)
class Figure(Piece):
    """A drawing with its caption and its note.

    Attributes
    ----------
    name : str
        Id on the page.
    number : int
        Of the figure in its chapter; 0 leaves out the words "Figure N", in a chapter where some may be absent.
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
    data: "Table | None" = None

    _template: ClassVar[str] = "figure"

    def __post_init__(self) -> None:
        """Refuse a figure that does not say what it shows."""
        require_id(self.name)
        require(f"figure {self.name}", finding=self.finding, what=self.what, note=self.note)

    def plain(self) -> str:
        """Return number and finding."""
        return f"{_('Figure {n}', n=self.number)}: {self.finding}" if self.number else self.finding


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
class Nothing(Piece):
    """What cannot be shown, where another piece of the page says why."""

    def html(self) -> Markup:
        """Return nothing."""
        return Markup()

    def plain(self) -> str:
        """Return nothing."""
        return ""


@dataclass(frozen=True)
class Glossary(Piece):
    """Terms with their definitions: id, term, definition."""

    terms: tuple[tuple[str, str, str], ...]

    _template: ClassVar[str] = "glossary"

    def __post_init__(self) -> None:
        """Refuse ids a link could not reach."""
        for name, *_rest in self.terms:
            require_id(name)

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
    """The chapters of a book: address ("" for one that is not in it), title, and the question with its answer."""

    items: tuple[tuple[str, str, str], ...] = field(default=())

    _template: ClassVar[str] = "chapters"

    def plain(self) -> str:
        """Return the titles, one a line."""
        return "\n".join(title for _href, title, _question in self.items)
