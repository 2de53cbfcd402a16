"""Any Axes made ready for the book's way of drawing, and its colours put in afterwards.

The figures of the book measure in points and draw in placeholder colours, one a role, which the page's style sheet
turns into light and dark. Here one pixel is made a point while they draw, and each role then gets its light colour from
that same sheet: there is no second palette.
"""

import re
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_hex, to_rgba_array

from crm_analysis.messages import N_, _
from crm_analysis.report.figures.drawing import Floats
from crm_analysis.report.figures.style import (
    AXIS,
    BAND,
    CARD,
    GRID,
    HEAT,
    MIDDLE,
    MODEL,
    NARROW,
    ROLES,
    SOFT,
    TEXT_SIZE,
    Sheet,
    drawing_style,
)
from crm_analysis.report.templates import style_sheet

_POINTS_PER_INCH = 72
_WIDTH = 680
# Axes narrower than this many points are drawn on as on a phone.
_NARROW_BELOW, _NARROW_TEXT_SIZE = 320, 10
# Text begins that far from the left edge of a new figure.
_EDGE = 8
_NO_UNIT = (N_("unit of time"), N_("units of time"))
_COLOURED = ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor")


@cache
def colours() -> dict[str, str]:
    """Return the light colour of each placeholder of `figures.style`, as the page's style sheet sets it."""
    sheet = style_sheet()
    tokens = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})\b", sheet[: sheet.index("}")]))
    shown = dict(re.findall(r"svg \.[fst]-([\w-]+)\{(?:fill|stroke):var\(--([\w-]+)\)", sheet))
    return {placeholder: tokens[shown.get(role, role)] for placeholder, role in ROLES.items()}


def heat_map() -> LinearSegmentedColormap:
    """Return the blues of the book's heat as a continuous scale, light to dark, readable without seeing colour."""
    return LinearSegmentedColormap.from_list("heat", [colours()[shade] for shade in HEAT])


@contextmanager
def canvas(
    ax: Axes | None,
    frame: pd.DataFrame,
    *,
    height: int = 380,
    left: int = 56,
    right: int = 24,
    top: int = 36,
    bottom: int = 52,
) -> Iterator[tuple[Axes, Sheet]]:
    """Make an Axes ready to be drawn on inside a with block, then colour it and write the name of the model above it.

    Parameters
    ----------
    ax : Axes, optional
        Whose; on a new figure when not given.
    frame : DataFrame
        What is drawn; `attrs` may hold the name of the `model`.
    height : int
        Of a new figure, in points.
    left, right, top, bottom : int
        Room around the axes in points; taken on a new figure, taken for granted on a given one.

    Yields
    ------
    Axes, Sheet
        The sheet says to the book's drawing functions how large the axes are.
    """
    if ax is None:
        # Half a second, and a notebook has it anyway. Its first import sets the notebook's backend up; inside the style
        # that would be undone on leaving, and later figures would not show.
        import matplotlib.pyplot as plt

        with drawing_style():
            ax = _new_axes(plt, height, left, right, top, bottom)
    figure = ax.get_figure(root=True)
    assert figure is not None
    narrow = ax.bbox.width / figure.dpi * _POINTS_PER_INCH < _NARROW_BELOW
    with drawing_style(), mpl.rc_context({"font.size": _NARROW_TEXT_SIZE if narrow else TEXT_SIZE}):
        dpi, figure.dpi = figure.dpi, _POINTS_PER_INCH
        try:
            _dress(ax)
            room, width = left - _EDGE, NARROW if narrow else MIDDLE
            inner_width, inner_height = round(ax.bbox.width), round(ax.bbox.height)
            sheet = Sheet(width, inner_height + top + bottom, room, width - room - inner_width, top, bottom)
            yield ax, sheet
            _name_model(ax, sheet, frame.attrs.get("model", ""))
            _paint(ax)
        finally:
            figure.dpi = dpi


def _new_axes(plt: ModuleType, height: int, left: int, right: int, top: int, bottom: int) -> Axes:
    figure = plt.figure(figsize=(_WIDTH / _POINTS_PER_INCH, height / _POINTS_PER_INCH))
    return figure.add_axes((left / _WIDTH, bottom / height, 1 - (left + right) / _WIDTH, 1 - (top + bottom) / height))


def units(frame: pd.DataFrame) -> str:
    """Name the time unit of a frame: weeks."""
    many = f"{frame.attrs['time_unit']}s" if "time_unit" in frame.attrs else _NO_UNIT[1]
    return _(many)


def unit(frame: pd.DataFrame) -> str:
    """Name one unit of time of a frame: week."""
    return _(frame.attrs.get("time_unit", _NO_UNIT[0]))


def class_ends(frame: pd.DataFrame) -> Floats:
    """Return the ends of the classes a frame is indexed by, one more than there are classes."""
    classes = frame.index
    assert isinstance(classes, pd.IntervalIndex)
    return np.append(classes.left.to_numpy(dtype=np.float64), float(classes.right[-1]))


def draw_expected(ax: Axes, x: Floats, table: pd.DataFrame, *, width: float) -> None:
    """Draw what was expected over bars of what happened: ticks of some width, on the band of their limits."""
    # The band is half as wide, so that the end of the bar can be seen on both sides of it.
    ax.bar(x, table["upper"] - table["lower"], bottom=table["lower"], width=width / 2, color=BAND, linewidth=0)
    named = _("expected, 95% limits")
    ax.hlines(table["expected"], x - width / 2, x + width / 2, color=MODEL, linewidth=2, label=named)


def key(ax: Axes) -> None:
    """Write what the marks mean, inside the axes; only where labels find no place at the marks."""
    ax.legend(loc="upper right", frameon=False, borderaxespad=0.2, handlelength=1.4)


def _dress(ax: Axes) -> None:
    """Give an Axes, made under whatever settings, the book's axes."""
    paint = colours()
    for side, spine in ax.spines.items():
        spine.set_visible(side == "bottom")
        spine.set(edgecolor=paint[AXIS], linewidth=1)
    ax.tick_params(labelsize=mpl.rcParams["font.size"], labelcolor=paint[SOFT], labelfontfamily="DejaVu Sans", width=1)
    ax.tick_params(axis="x", length=5, pad=5, color=paint[AXIS])
    ax.tick_params(axis="y", length=0, pad=6)
    ax.grid(visible=True, axis="y", color=paint[GRID], linewidth=1)
    ax.grid(visible=False, axis="x")
    ax.set_axisbelow(True)
    ax.set_facecolor(paint[CARD])
    ax.margins(0)
    for axis in (ax.xaxis, ax.yaxis):
        axis.label.set(color=paint[SOFT], size=mpl.rcParams["font.size"], family="DejaVu Sans")


def _name_model(ax: Axes, sheet: Sheet, model: str) -> None:
    """Write the name of the model to the right above the axes; over narrow axes before what the y axis shows."""
    if not sheet.is_narrow:
        height = 1 + (sheet.top - 14) / ax.bbox.height
        ax.text(1, height, model, color=SOFT, ha="right", transform=ax.transAxes)
        return
    shown, below = ax.get_ylabel(), ax.get_xlabel()
    # A title, unlike a label of the y axis, is given all the height it needs when a layout is found.
    over = wrapped(f"{model}: {shown}" if model else shown, ax.bbox.width)
    ax.set_title(over, loc="left", color=SOFT, size=mpl.rcParams["font.size"], pad=sheet.top - 18)
    ax.set_ylabel("")
    if wrapped(below, ax.bbox.width) != below:
        ax.xaxis.label.set(text=wrapped(below, ax.bbox.width), va="top")


def wrapped(text: str, room: float) -> str:
    """Break a text into lines no longer than `room` points, in the size of text in use."""
    return textwrap.fill(text, max(12, int(room / (0.6 * mpl.rcParams["font.size"]))))


def _paint(ax: Axes) -> None:
    """Replace placeholder colours by those they stand for."""
    for artist in ax.findobj():
        for part in _COLOURED:
            _paint_part(artist, part)


def _paint_part(artist: Artist, part: str) -> None:
    get, put = getattr(artist, f"get_{part}", None), getattr(artist, f"set_{part}", None)
    if get is None or put is None:
        return
    present = [to_hex(colour) for colour in to_rgba_array(get())]
    if any(colour in colours() for colour in present):
        painted = [colours().get(colour, colour) for colour in present]
        put(painted if np.ndim(get()) == 2 else painted[0])
