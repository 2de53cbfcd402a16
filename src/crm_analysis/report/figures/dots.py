"""Figures as dots, a row each: with the interval of each, or with the same figure seen in another way."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import percent
from crm_analysis.report.figures.drawing import Floats, drawn_twice, legend, share_tick, text_width
from crm_analysis.report.figures.labels import Writer
from crm_analysis.report.figures.row_axes import REACH, Rows
from crm_analysis.report.figures.style import AXIS, CARD, DASHES, DATA, DATA_2, MIDDLE, MODEL, NARROW, ROLES, Sheet
from crm_analysis.report.pieces import Drawing

_DOT, _LINE = 9, 6
# Empty room at the ends of an axis that does not begin at zero, as a share of what is drawn.
_ROOM = 0.06
# Room above the first row for the words of a reference.
_REFERENCE_TOP = 30


@dataclass(frozen=True)
class Mark:
    """One dot of each row.

    Attributes
    ----------
    column : str
        Where its values stand; a missing one draws nothing.
    colour : str
        A role of `style`.
    limits : pair of str, optional
        Columns of its interval, drawn as a line below the dot.
    shape : str
        "dot"; "ring", for what is compared with; "tick", which a dot below it stays visible under.
    words : str
        What it is called in the legend; without words there is none.
    """

    column: str
    colour: str = DATA
    limits: tuple[str, str] | None = None
    shape: Literal["dot", "ring", "tick"] = "dot"
    words: str = ""


@dataclass(frozen=True)
class Reference:
    """A line across all rows that they are compared with, and what it is called."""

    value: float
    words: str


def shares(value: float) -> str:
    """Write a share with one decimal, as beside its dot."""
    return percent(value, 1)


def interval_dots(
    table: pd.DataFrame,
    *,
    name: str,
    label: str,
    axis: str,
    write: Writer = shares,
    tick: Writer = share_tick,
    reference: Reference | None = None,
) -> Drawing:
    """Draw figures with their intervals.

    Parameters
    ----------
    table : DataFrame, one row a figure, from the top
        label (for the reader), value, lower and upper; the limits may be missing. Optionally small, a second text
        below the label; words, written at the right instead of the value; and is_muted, for rows that step back.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts.
    write, tick : callable
        Write a value, and a number of the axis; shares as percent unless others are given.
    reference : Reference, optional
        A line all rows are compared with.
    """
    marks = (Mark("value", limits=("lower", "upper")),)
    return dot_rows(table, marks, name=name, label=label, axis=axis, write=write, tick=tick, reference=reference)


def paired_dots(table: pd.DataFrame, *, name: str, label: str, axis: str, words: tuple[str, str]) -> Drawing:
    """Draw shares seen in two ways, a line between the two.

    Parameters
    ----------
    table : DataFrame, one row a share, from the top
        label (for the reader), value and other: fractions.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts.
    words : pair of str
        What `value` and `other` are called.
    """
    marks = (Mark("value", words=words[0]), Mark("other", DATA_2, words=words[1]))
    return dot_rows(joined(table, "value", "other"), marks, name=name, label=label, axis=axis)


def joined(table: pd.DataFrame, one: str, other: str) -> pd.DataFrame:
    """Return a table whose rows have a line from the one column to the other."""
    pair = table[[one, other]].astype(float)
    return table.assign(line_from=pair.min(axis=1, skipna=False), line_to=pair.max(axis=1, skipna=False))


def dot_rows(
    table: pd.DataFrame,
    marks: Sequence[Mark],
    *,
    name: str,
    label: str,
    axis: str,
    write: Writer = shares,
    tick: Writer = share_tick,
    reference: Reference | None = None,
    from_zero: bool = True,
) -> Drawing:
    """Draw dots, one or more a row.

    Parameters
    ----------
    table : DataFrame, one row a row, from the top
        label and the columns of `marks`; optionally small, words and is_muted as for `interval_dots`, and line_from
        and line_to, the ends of a line between dots.
    marks : sequence of Mark
        The last is drawn on top.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts.
    write, tick : callable
        Write a value, and a number of the axis.
    reference : Reference, optional
        A line all rows are compared with.
    from_zero : bool
        Whether the axis holds zero, which it does unless the scale has none, as ratings from 1 to 10.
    """
    rows = _rows(table, marks, axis, write)

    def draw(ax: Axes, sheet: Sheet) -> Axes:
        return draw_dots(
            table,
            ax=ax,
            sheet=sheet,
            axis=axis,
            marks=marks,
            write=write,
            tick=tick,
            reference=reference,
            from_zero=from_zero,
        )

    top = _REFERENCE_TOP if reference is not None else 12
    keys = [(ROLES[mark.colour], mark.words, mark.shape) for mark in marks if mark.words]
    return drawn_twice(
        draw,
        wide=rows.sheet(MIDDLE, top=top),
        narrow=rows.sheet(NARROW, top=top),
        name=name,
        label=label,
        legend=legend(*keys) if keys else None,
    )


def draw_dots(
    table: pd.DataFrame,
    *,
    ax: Axes,
    sheet: Sheet,
    axis: str,
    marks: Sequence[Mark],
    write: Writer = shares,
    tick: Writer = share_tick,
    reference: Reference | None = None,
    from_zero: bool = True,
) -> Axes:
    """Draw onto `ax`: lines and intervals, a dot for each mark, names and words beside them."""
    rows = _rows(table, marks, axis, write)
    rows.write(ax, sheet)
    rows.number_axis(ax, sheet, tick)
    numbers = table[_columns(table, marks)].astype(float)
    _set_limits(ax, numbers, reference, from_zero=from_zero)
    middles = rows.middles(sheet)
    if ax.get_xlim()[0] < 0:
        _draw_across(ax, sheet, 0.0, middles, colour=AXIS)
    if reference is not None:
        _draw_across(ax, sheet, reference.value, middles, colour=MODEL, linestyle=DASHES)
        _name_reference(ax, sheet, reference)
    # Two intervals in one row would cover each other.
    apart = REACH / 2.6 if sum(mark.limits is not None for mark in marks) > 1 else 0.0
    # A muted dot is hollow, for colour alone would not tell; beside a ring it stays filled, to be told from the ring.
    has_ring = any(mark.shape == "ring" for mark in marks)
    for middle, values, muted in zip(middles, numbers.to_dict("records"), rows.is_muted, strict=True):
        if "line_from" in values:
            _draw_line(ax, values["line_from"], values["line_to"], middle, _LINE)
        for place, mark in enumerate(marks):
            hollow = mark.shape == "ring" or (muted and mark.shape == "dot" and not has_ring)
            height = middle + apart * (2 * place - len(marks) + 1)
            if mark.limits is not None:
                _draw_line(ax, values[mark.limits[0]], values[mark.limits[1]], height, _LINE - 2 * (apart > 0))
            _draw_mark(
                ax, values[mark.column], height, mark, size=_DOT - 2 * (apart > 0), is_muted=muted, is_hollow=hollow
            )
    return ax


def _draw_mark(
    ax: Axes, value: float, height: float, mark: Mark, *, size: float, is_muted: bool, is_hollow: bool
) -> None:
    colour = AXIS if is_muted else mark.colour
    ax.plot(
        value,
        height,
        marker="|" if mark.shape == "tick" else "o",
        markersize=1.8 * size if mark.shape == "tick" else size - is_hollow,
        markerfacecolor=CARD if is_hollow else colour,
        markeredgecolor=colour,
        markeredgewidth=0 if mark.shape == "dot" and not is_hollow else 2,
        color=colour,
        linestyle="none",
        clip_on=False,
    )


def _rows(table: pd.DataFrame, marks: Sequence[Mark], axis: str, write: Writer) -> Rows:
    if "words" in table:
        words = [str(one) for one in table["words"]]
    else:
        values = table[[mark.column for mark in marks]].astype(float).to_numpy()
        words = [" / ".join(write(float(value)) for value in row) for row in values]
    return Rows.of(table, words, axis=axis)


def _columns(table: pd.DataFrame, marks: Sequence[Mark]) -> list[str]:
    found = [column for mark in marks for column in (mark.column, *(mark.limits or ()))]
    return found + [column for column in ("line_from", "line_to") if column in table]


def _set_limits(ax: Axes, numbers: pd.DataFrame, reference: Reference | None, *, from_zero: bool) -> None:
    """Hold all that is drawn, and zero where the scale has one."""
    seen = numbers.to_numpy().ravel()
    if reference is not None:
        seen = np.append(seen, reference.value)
    low, high = float(np.fmin.reduce(seen, initial=np.inf)), float(np.fmax.reduce(seen, initial=-np.inf))
    if not np.isfinite(low):
        low, high = 0.0, 1.0
    if from_zero:
        low, high = min(low, 0.0), max(high, 0.0)
    room = _ROOM * (high - low) or 0.5
    ax.set_xlim(low - room if low < 0 or not from_zero else 0.0, high + room if high > 0 or not from_zero else 0.0)


def _draw_line(ax: Axes, low: float, high: float, height: float, width: float) -> None:
    if np.isfinite(low) and np.isfinite(high):
        ax.plot([low, high], [height, height], color=AXIS, linewidth=width, solid_capstyle="round")


def _draw_across(
    ax: Axes, sheet: Sheet, value: float, middles: Floats, *, colour: str, linestyle: object = "solid"
) -> None:
    """Draw a line across all rows; on a phone only where the marks are, for words stand between."""
    if sheet.is_narrow:
        ends = [(middle - REACH, middle + REACH) for middle in middles]
    else:
        ends = [(ax.get_ylim()[1], ax.get_ylim()[0])]
    for start, end in ends:
        ax.vlines(value, start, end, color=colour, linewidth=1.5 if colour == MODEL else 1, linestyle=linestyle)


def _name_reference(ax: Axes, sheet: Sheet, reference: Reference) -> None:
    """Write above the rows what the line is, on the side where there is room."""
    low, high = ax.get_xlim()
    share = (reference.value - low) / (high - low) if high > low else 0.0
    width = text_width(reference.words, sheet)
    if sheet.is_narrow:
        place, side = 0.0, "left"
    elif share * ax.bbox.width + width <= ax.bbox.width + sheet.right:
        place, side = share, "left"
    else:
        place, side = min(max(share, width / ax.bbox.width - sheet.left / ax.bbox.width), 1.0), "right"
    above = 1 + (_REFERENCE_TOP - 18) / ax.bbox.height
    ax.text(place, above, reference.words, color=MODEL, ha=side, transform=ax.transAxes)
