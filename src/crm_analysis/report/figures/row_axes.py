"""Charts of rows on one axis: a name at the left of each row and words at its right, on a phone both above it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.report.figures.drawing import Floats, text_width
from crm_analysis.report.figures.labels import Writer, wrapped
from crm_analysis.report.figures.style import INK, MIDDLE, NARROW, SOFT, Sheet

_LINE = 16
_NAMES, _WORDS = (90.0, 235.0), (20.0, 250.0)
# Units a row takes at least, and those its marks alone take; on a phone its text stands above them.
_ROW, _MARKS = 34, 26
# How far marks may reach to either side of the middle of their row, in units.
REACH = 10.0
_SIDE, _GAP = 12, 12
_SIZES = {width: Sheet(width, 100) for width in (MIDDLE, NARROW)}


@dataclass(frozen=True)
class Rows:
    """What stands beside the rows of a chart, from the top.

    Attributes
    ----------
    names, words : sequence of str
        At the left and at the right; any text, which is parted or cut where it is too long.
    small : sequence of str
        A second text below each name.
    is_muted : sequence of bool
        Rows that step back, since there is nothing sure to see.
    axis : str
        What the axis counts; nothing where there is no axis.
    """

    names: Sequence[str]
    words: Sequence[str]
    small: Sequence[str]
    is_muted: Sequence[bool]
    axis: str = ""

    @classmethod
    def of(cls, table: pd.DataFrame, words: Sequence[str], *, axis: str = "") -> "Rows":
        """Take names, second lines and muted rows from columns label, small and is_muted; the last two may lack."""
        rows = len(table)
        return cls(
            names=[str(one) for one in table["label"]],
            words=list(words),
            small=[str(one) for one in table["small"]] if "small" in table else [""] * rows,
            is_muted=[bool(one) for one in table["is_muted"]] if "is_muted" in table else [False] * rows,
            axis=axis,
        )

    def sheet(self, width: int, *, top: int = 12) -> Sheet:
        """Return the sheet these rows need, wide or narrow; `top` units above the first."""
        size = _SIZES[width]
        if width == NARROW:
            left = right = _SIDE
        else:
            left = int(self._name_room) + _GAP
            right = int(self._word_room) + _GAP + _SIDE
        axis = self._axis_lines(size, width - left - right)
        bottom = 30 + _LINE * len(axis) if self.axis else 8
        height = top + int(self._heights(size).sum()) + bottom
        return Sheet(width, height, left=left, right=right, top=top, bottom=bottom)

    def middles(self, sheet: Sheet) -> Floats:
        """Return where on the y axis the marks of each row stand, shape (n_rows,)."""
        heights = self._heights(sheet)[: len(self.names)]
        return np.cumsum(heights) - (_MARKS / 2 if sheet.is_narrow else heights / 2)

    def write(self, ax: Axes, sheet: Sheet) -> None:
        """Set the y axis, in units from the top down, and write what stands beside the rows."""
        ax.set_yticks([])
        ax.grid(visible=False)
        ax.set_ylim(float(self._heights(sheet).sum()), 0)
        for row, middle in enumerate(self.middles(sheet)):
            if sheet.is_narrow:
                self._write_above(ax, row, float(middle))
            else:
                self._write_beside(ax, row, float(middle))

    def number_axis(self, ax: Axes, sheet: Sheet, write: Writer) -> None:
        """Put round numbers on the x axis and say below what they count."""
        ax.xaxis.set_major_locator(MaxNLocator(nbins=3 if sheet.is_narrow else 4, steps=[1, 2, 5, 10]))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: write(value)))
        for place, line in enumerate(self._axis_lines(sheet, ax.bbox.width)):
            depth = -(40 + _LINE * place) / ax.bbox.height
            ax.text(0.5, depth, line, color=SOFT, ha="center", va="baseline", transform=ax.transAxes)

    def _heights(self, sheet: Sheet) -> Floats:
        """Room of each row, in units; of one row where there is none."""
        if sheet.is_narrow:
            lines = [len(above) - self._is_one_line for above in self._above]
            return np.array([_MARKS + 4.0 + _LINE * most for most in lines] or [float(_ROW)])
        most = [max(len(left), len(right)) for left, right in zip(self._beside, self._words_beside, strict=True)]
        return np.array([max(float(_ROW), _LINE * lines + 12.0) for lines in most] or [float(_ROW)])

    def _axis_lines(self, sheet: Sheet, width: float) -> list[str]:
        return wrapped(self.axis, max(width, 200.0), sheet, lines=3) if self.axis else []

    @cached_property
    def _name_room(self) -> float:
        low, high = _NAMES
        lines = [line for parts in self._beside for line, _colour in parts]
        return min(max([low, *(text_width(line, _SIZES[MIDDLE]) for line in lines)]), high)

    @cached_property
    def _word_room(self) -> float:
        low, high = _WORDS
        lines = [line for lines in self._words_beside for line in lines]
        return min(max([low, *(text_width(line, _SIZES[MIDDLE]) for line in lines)]), high)

    @cached_property
    def _beside(self) -> list[list[tuple[str, str]]]:
        """Names and second texts as they stand at the left: lines with their colours."""
        size, room = _SIZES[MIDDLE], _NAMES[1]
        found = []
        for name, small, muted in zip(self.names, self.small, self.is_muted, strict=True):
            lines = [(line, SOFT if muted else INK) for line in wrapped(name, room, size, lines=3)]
            found.append(lines + [(line, SOFT) for line in wrapped(small, room, size) if line])
        return found

    @cached_property
    def _words_beside(self) -> list[list[str]]:
        return [wrapped(words, _WORDS[1], _SIZES[MIDDLE], lines=3) for words in self.words]

    @cached_property
    def _above(self) -> list[list[tuple[str, str, str]]]:
        """What stands above each row on a phone, from the bottom up: text, colour and side."""
        size, room = _SIZES[NARROW], float(NARROW - 2 * _SIDE)
        found = []
        for name, words, small, muted in zip(self.names, self.words, self.small, self.is_muted, strict=True):
            colour = SOFT if muted else INK
            lines = [(line, colour, "left") for line in wrapped(name, room, size, lines=3)]
            lines += [(line, SOFT, "left") for line in wrapped(small, room, size) if line]
            if self._is_one_line:
                lines = [*lines, (words, colour, "right")]
            else:
                lines += [(line, colour, "left") for line in wrapped(words, room, size) if line]
            found.append(lines)
        return found

    @cached_property
    def _is_one_line(self) -> bool:
        """Whether on a phone names and words stand on one line, which they do in all rows or in none."""
        size, room = _SIZES[NARROW], float(NARROW - 2 * _SIDE)
        return not any(self.small) and all(
            text_width(name, size) + text_width(words, size) + 2 * _GAP <= room
            for name, words in zip(self.names, self.words, strict=True)
        )

    def _write_beside(self, ax: Axes, row: int, middle: float) -> None:
        across = ax.get_yaxis_transform()
        left, right = self._beside[row], self._words_beside[row]
        for place, (line, colour) in enumerate(left):
            height = middle + (place - (len(left) - 1) / 2) * _LINE
            ax.text(-_GAP / ax.bbox.width, height, line, color=colour, ha="right", va="center", transform=across)
        colour = SOFT if self.is_muted[row] else INK
        for place, line in enumerate(right):
            height = middle + (place - (len(right) - 1) / 2) * _LINE
            ax.text(1 + _GAP / ax.bbox.width, height, line, color=colour, va="center", transform=across)

    def _write_above(self, ax: Axes, row: int, middle: float) -> None:
        across = ax.get_yaxis_transform()
        depth = -1
        for line, colour, side in reversed(self._above[row]):
            # Words at the right share the line of the name.
            depth += 0 if side == "left" and depth == 0 and self._is_one_line else 1
            height = middle - (_MARKS / 2 - 2 + _LINE * depth)
            end = 1.0 if side == "right" else 0.0
            ax.text(end, height, line, color=colour, ha=side, va="bottom", transform=across)
