"""A map of two figures in four fields: points with thin crosses for their intervals, named or numbered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.report.figures.drawing import drawn_twice, label_axes, text_width
from crm_analysis.report.figures.labels import Box, Writer, clean, free_places, wrapped
from crm_analysis.report.figures.style import AXIS, CARD, DASHES, DATA, INK, MIDDLE, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing
from crm_analysis.report.templates import fill

_DOT, _LETTER_HEIGHT = 9, 16.0
# Units at the top and the bottom kept free for the names of the fields.
_CORNERS = 26
_LONGEST_NAME = 190.0


@dataclass(frozen=True)
class Direction:
    """One direction of a map.

    Attributes
    ----------
    column, lower, upper : str
        Columns of the values and of their limits.
    words : str
        What it counts, with the unit.
    line : float
        Where low ends and high begins.
    tick : callable
        Writes a number of the axis.
    limits : pair of float, optional
        Ends of the axis where the scale fixes them; else what is drawn.
    """

    column: str
    lower: str
    upper: str
    words: str
    line: float
    tick: Writer
    limits: tuple[float, float] | None = None


@dataclass(frozen=True)
class Fields:
    """What the four fields are called, for the reader."""

    top_left: str
    top_right: str
    bottom_left: str
    bottom_right: str


def four_fields(
    table: pd.DataFrame, across: Direction, up: Direction, fields: Fields, *, name: str, label: str
) -> Drawing:
    """Draw points with thin crosses for their intervals, named where names find room, else numbered with a key."""
    names = [clean(one) for one in table["label"]]
    sizes = {
        width: Sheet(width, height, left=46, right=14, top=36, bottom=66)
        for width, height in ((MIDDLE, 500), (NARROW, 390))
    }
    clear: dict[bool, bool] = {}

    def draw(ax: Axes, sheet: Sheet) -> Axes:
        clear[sheet.is_narrow] = False if sheet.is_narrow else _are_clear(ax, sheet, table, names, across, up, fields)
        labels = names if clear[sheet.is_narrow] else [str(place) for place in range(1, len(names) + 1)]
        return draw_four_fields(table, across, up, fields, ax=ax, sheet=sheet, labels=labels)

    drawing = drawn_twice(draw, wide=sizes[MIDDLE], narrow=sizes[NARROW], name=name, label=label)
    key = fill("figures/key.html.j2", entries=names, numbered=True, narrow=clear[False])
    return Drawing(Markup("\n").join([drawing.markup, key]))


def draw_four_fields(
    table: pd.DataFrame,
    across: Direction,
    up: Direction,
    fields: Fields,
    *,
    ax: Axes,
    sheet: Sheet,
    labels: list[str],
) -> Axes:
    """Draw onto `ax`; `labels` stand beside the points."""
    _set_limits(ax, table, across, up)
    _name_axes(ax, sheet, across, up)
    _draw_crosses(ax, table, across, up)
    # The line ends below the names of the fields, which it would cross where it stands far to one side.
    ax.vlines(across.line, *_inner_ends(ax), color=AXIS, linewidth=1, linestyle=DASHES)
    ax.axhline(up.line, color=AXIS, linewidth=1, linestyle=DASHES)
    for words, box, is_right in _corners(ax, sheet, fields):
        left, bottom = ax.transData.inverted().transform((box.right if is_right else box.left, box.bottom + 4))
        ax.text(left, bottom, words, color=SOFT, ha="right" if is_right else "left")
    ax.plot(
        table[across.column].astype(float),
        table[up.column].astype(float),
        "o",
        color=DATA,
        markersize=_DOT,
        markeredgecolor=CARD,
        markeredgewidth=1,
        clip_on=False,
    )
    places, _is_clear = _places(ax, sheet, table, labels, across, up, fields)
    for words, place in zip(labels, places, strict=True):
        if place is not None:
            middle, bottom = ax.transData.inverted().transform(((place.left + place.right) / 2, place.bottom + 3))
            ax.text(middle, bottom, words, color=INK, ha="center")
    return ax


def _set_limits(ax: Axes, table: pd.DataFrame, across: Direction, up: Direction) -> None:
    """Hold all points with their intervals, and above and below them the names of the fields."""
    ax.set_xlim(*_ends(table, across, room=0.06))
    low, high = _ends(table, up, room=0.04)
    band = _CORNERS / (ax.bbox.height - 2 * _CORNERS) * (high - low)
    ax.set_ylim(low - band, high + band)


def _name_axes(ax: Axes, sheet: Sheet, across: Direction, up: Direction) -> None:
    ax.grid(visible=False)
    for axis, direction, most in ((ax.xaxis, across, 3 if sheet.is_narrow else 6), (ax.yaxis, up, 5)):
        axis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _at, write=direction.tick: write(value)))
    label_axes(ax, sheet, y=wrapped(up.words, sheet.width - 12.0, sheet, lines=1)[0])
    for place, line in enumerate(wrapped(across.words, ax.bbox.width, sheet)):
        below = -(44 + _LETTER_HEIGHT * place) / ax.bbox.height
        ax.text(0.5, below, line, color=SOFT, ha="center", va="baseline", transform=ax.transAxes)


def _inner_ends(ax: Axes) -> tuple[float, float]:
    """Where the room between the names of the fields begins and ends, upwards."""
    low, high = ax.get_ylim()
    band = _CORNERS / ax.bbox.height * (high - low)
    return low + band, high - band


def _ends(table: pd.DataFrame, direction: Direction, *, room: float) -> tuple[float, float]:
    if direction.limits is not None:
        return direction.limits
    seen = table[[direction.column, direction.lower, direction.upper]].to_numpy(dtype=float).ravel()
    low = float(np.fmin.reduce(seen, initial=direction.line))
    high = float(np.fmax.reduce(seen, initial=direction.line))
    spare = room * (high - low) or 0.5
    return low - spare, high + spare


def _draw_crosses(ax: Axes, table: pd.DataFrame, across: Direction, up: Direction) -> None:
    for here, there, draw in ((across, up, ax.hlines), (up, across, ax.vlines)):
        lower, upper = (table[end].to_numpy(dtype=float) for end in (here.lower, here.upper))
        draw(table[there.column].to_numpy(dtype=float), lower, upper, color=AXIS, linewidth=1)


def _corners(ax: Axes, sheet: Sheet, fields: Fields) -> list[tuple[str, Box, bool]]:
    """Names of the fields with the rooms they take, in units, and whether they end at the right."""
    found = []
    room = ax.bbox
    for words, is_right, is_top in (
        (fields.top_left, False, True),
        (fields.top_right, True, True),
        (fields.bottom_left, False, False),
        (fields.bottom_right, True, False),
    ):
        [line] = wrapped(words, room.width / 2 - 10, sheet, lines=1)
        width = text_width(line, sheet)
        left = room.x1 - width - 4 if is_right else room.x0 + 4
        bottom = room.y1 - _LETTER_HEIGHT - 4 if is_top else room.y0 + 4
        found.append((line, Box(left, bottom, left + width, bottom + _LETTER_HEIGHT), is_right))
    return found


def _places(
    ax: Axes,
    sheet: Sheet,
    table: pd.DataFrame,
    labels: list[str],
    across: Direction,
    up: Direction,
    fields: Fields,
) -> tuple[list[Box | None], bool]:
    """Places of labels, in units, none for a point that is missing; and whether they are all clear of one another."""
    points = table[[across.column, up.column]].to_numpy(dtype=float)
    known = np.isfinite(points).all(axis=1)
    spots = [(float(x), float(y)) for x, y in ax.transData.transform(points[known])]
    reach = _DOT / 2 + 1
    obstacles = [Box(x - reach, y - reach, x + reach, y + reach) for x, y in spots]
    obstacles += [box for _words, box, _is_right in _corners(ax, sheet, fields)]
    middle, level = ax.transData.transform((across.line, up.line))
    obstacles += [
        Box(middle - 1, ax.bbox.y0, middle + 1, ax.bbox.y1),
        Box(ax.bbox.x0, level - 1, ax.bbox.x1, level + 1),
    ]
    crosses = _cross_boxes(ax, table[known], across, up)
    sizes = [(text_width(label, sheet), _LETTER_HEIGHT) for label, one in zip(labels, known, strict=True) if one]
    room = Box(ax.bbox.x0, ax.bbox.y0, ax.bbox.x1, ax.bbox.y1)
    found, is_clear = free_places(spots, sizes, obstacles, crosses, room, gap=_DOT)
    rest = iter(found)
    return [next(rest) if one else None for one in known], is_clear


def _cross_boxes(ax: Axes, table: pd.DataFrame, across: Direction, up: Direction) -> list[Box]:
    """The lines of the intervals, in units, each as a thin box; a missing limit has none."""
    found = []
    for low, high in (
        ((across.lower, up.column), (across.upper, up.column)),
        ((across.column, up.lower), (across.column, up.upper)),
    ):
        starts, ends = (ax.transData.transform(table[list(end)].to_numpy(dtype=float)) for end in (low, high))
        for (left, bottom), (right, top) in zip(starts, ends, strict=True):
            if np.isfinite([left, bottom, right, top]).all():
                found.append(Box(left - 1, bottom - 1, right + 1, top + 1))
    return found


def _are_clear(
    ax: Axes, sheet: Sheet, table: pd.DataFrame, names: list[str], across: Direction, up: Direction, fields: Fields
) -> bool:
    """Return whether all names can stand in full beside their points."""
    if any(text_width(name, sheet) > _LONGEST_NAME for name in names):
        return False
    _set_limits(ax, table, across, up)
    return _places(ax, sheet, table, names, across, up, fields)[1]
