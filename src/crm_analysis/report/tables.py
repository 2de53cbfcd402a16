"""Tables of the book: a frame and its columns, each written in its kind, with raw values beside for sorting."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any, ClassVar, Literal, cast

import pandas as pd
from markupsafe import Markup

from crm_analysis.errors import BookError
from crm_analysis.messages import EN_DASH, _, count, day, money, number, percent
from crm_analysis.report.pieces import Change, Piece, Spark, require, require_id
from crm_analysis.report.templates import fill

Kind = Literal["text", "count", "number", "percent", "money", "day", "code", "spark", "status"]
_LEFT: frozenset[str] = frozenset({"text", "code", "status"})
# Cents help to compare small amounts; in a column with larger ones they only add digits.
_CENTS_BELOW = 1_000
# Texts longer than this want room on a phone, where the table scrolls.
_A_SENTENCE = 40


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
        require_id(self.name)
        require(f"table {self.name}", finding=self.finding)
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
        return Cell(
            Markup("{}<small>{}</small>").format(first, rest) if rest else first,
            "l prose" if max(len(first), len(rest)) > _A_SENTENCE else "l",
        )
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
