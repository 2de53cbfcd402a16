"""What the figures share: two drawings of a chart, labelled axes, ticks of months, labels that stand clear, legends."""

from collections.abc import Callable, Sequence
from datetime import date

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from crm_analysis.messages import _, count, money, number, percent, short_month
from crm_analysis.report.figures.inline_svg import inline_svg
from crm_analysis.report.figures.style import MIDDLE, NARROW, WIDE, Sheet, drawing_style, new_axes
from crm_analysis.report.pieces import Drawing
from crm_analysis.report.templates import fill

Floats = NDArray[np.float64]

# Widths of a letter and heights of a line, in units, at the size text has when a drawing is shrunk the most.
_LETTERS = {WIDE: 10.5, MIDDLE: 8.5, NARROW: 7.5}
_LINES = {WIDE: 20.0, MIDDLE: 17.0, NARROW: 15.0}
_DAY_ZERO = pd.Timestamp(1970, 1, 1)
_STEPS_IN_MONTHS = (1, 2, 3, 6, 12, 24, 60, 120)


def drawn_twice(
    draw: Callable[[Axes, Sheet], object],
    *,
    wide: Sheet,
    narrow: Sheet,
    name: str,
    label: str,
    legend: Markup | None = None,
) -> Drawing:
    """Draw a chart for the desk and for the phone; the style sheet shows one of them.

    Parameters
    ----------
    draw : callable
        Draws onto empty axes of a sheet.
    wide, narrow : Sheet
        The two sizes; one drawing scaled down would be unreadable.
    name, label : str
        Beginning of all ids, and text alternative.
    legend : Markup, optional
        Stands above the drawing.

    Returns
    -------
    Drawing
    """
    parts = [legend or Markup()]
    with drawing_style():
        for sheet, ending in ((wide, "wide"), (narrow, "narrow")):
            axes = new_axes(sheet)
            draw(axes, sheet)
            figure = axes.get_figure(root=True)
            assert figure is not None
            parts.append(inline_svg(figure, name=f"{name}-{ending}", label=label, css_class=sheet.css_class))
    return Drawing(Markup("\n").join(part for part in parts if part))


def legend(*entries: tuple[str, str] | tuple[str, str, str]) -> Markup:
    """Return a line of keys, only for charts where labels find no place.

    Each entry is a role and its meaning, and the shape of its key where that is a "dot" or a "ring". Bars have squares,
    the model, which is drawn as a line elsewhere, has a line.
    """
    shaped = [(role, text, *(shape or ("line" if role == "model" else "square",))) for role, text, *shape in entries]
    return fill("figures/legend.html.j2", entries=shaped)


def label_axes(ax: Axes, sheet: Sheet, *, x: str = "", y: str = "", depth: int = 46) -> None:
    """Name the axes: y on one line above them, x below the ticks, `depth` units under the axis."""
    width, height = sheet.width - sheet.left - sheet.right, sheet.height - sheet.top - sheet.bottom
    ax.set_ylabel(y, rotation=0, ha="left", va="baseline")
    ax.yaxis.set_label_coords(-sheet.left / width, 1 + (sheet.top - 14) / height)
    ax.set_xlabel(x, ha="center", va="baseline")
    ax.xaxis.set_label_coords(0.5, -depth / height)


def count_ticks(ax: Axes, most: int = 4) -> None:
    """Put round numbers on the y axis."""
    ax.yaxis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 4, 5, 10], integer=True))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _at: count(value)))


def percent_ticks(ax: Axes, most: int = 4) -> None:
    """Put round percentages on the y axis."""
    ax.yaxis.set_major_locator(MaxNLocator(nbins=most, steps=[1, 2, 2.5, 5, 10]))
    low, high = ax.get_ylim()
    digits = 0 if high - low >= 0.04 else 1
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _at: percent(value, digits)))


def money_tick(value: float, currency: str) -> str:
    """Write a round amount for an axis with no more digits than it has: $400k, $2.5M.

    >>> money_tick(375_000, "USD"), money_tick(2_500_000, "USD"), money_tick(0, "USD"), money_tick(-40, "USD")
    ('$375k', '$2.5M', '$0', '−$40')
    """
    for size, suffix in ((1e9, _("B")), (1e6, _("M")), (1e3, _("k"))):
        if abs(value) >= size:
            return money(value / size, currency, _decimals(value / size)) + suffix
    return money(value, currency, _decimals(value))


def number_tick(value: float) -> str:
    """Write a round number for an axis with no more digits than it has.

    >>> number_tick(0.25), number_tick(-7.0)
    ('0.25', '−7')
    """
    return number(value, _decimals(value))


def share_tick(value: float) -> str:
    """Write a round share for an axis as percent, with no more digits than it has.

    >>> share_tick(0.025), share_tick(0.5)
    ('2.5%', '50%')
    """
    return percent(value, _decimals(value * 100))


def _decimals(value: float) -> int:
    """Return how many decimals a round number has, three at most."""
    return next((n for n in range(3) if abs(value * 10**n - round(value * 10**n)) < 1e-6), 3)


def day_numbers(dates: pd.DatetimeIndex) -> Floats:
    """Return dates as days, for an axis of time."""
    days: Floats = ((dates - _DAY_ZERO) / pd.Timedelta(days=1)).to_numpy(dtype=np.float64)
    return days


def month_ticks(first: date, last: date, most: int) -> list[date]:
    """First days of months between two days, evenly spaced from January on, at most `most` of them."""
    starts = [stamp.date() for stamp in pd.date_range(first, last, freq="MS")]
    chosen: list[date] = []
    for step in _STEPS_IN_MONTHS:
        chosen = [start for start in starts if (start.year * 12 + start.month - 1) % step == 0]
        if len(chosen) <= most:
            break
    return chosen or starts[:1]


def month_labels(months: Sequence[date]) -> list[str]:
    """Short names of months; the first and each January carry the year."""
    has_year = [i == 0 or one.month == 1 or one.year != months[i - 1].year for i, one in enumerate(months)]
    return [short_month(one, with_year=year) for one, year in zip(months, has_year, strict=True)]


def text_width(text: str, sheet: Sheet) -> float:
    """Return about how wide a text is, in units, where the drawing is shrunk the most; Chinese is twice as wide."""
    return sum(2.0 if ord(letter) > 0x2E80 else 1.0 for letter in text) * _LETTERS[sheet.width]


def clear_spot(
    ax: Axes, x: Floats, target: Floats, others: Sequence[Floats], text: str, sheet: Sheet, *, above: bool
) -> tuple[float, float]:
    """Return where the middle of a label for `target` may stand without touching any line.

    Parameters
    ----------
    ax : Axes
        With its limits set.
    x : array, shape (n,)
        Positions, in data units, ascending.
    target : array, shape (n,)
        The line to be labelled.
    others : sequence of array
        All other lines at the same positions; missing values are no obstacle.
    text : str
        The label.
    sheet : Sheet
        What is drawn on.
    above : bool
        Above all lines, or below them.

    Returns
    -------
    x, y : float
        Data units: middle and baseline of the label; the nearest place to its line, the rightmost of equals.
    """
    across = ax.transData.transform(np.column_stack([x, np.zeros_like(x)]))[:, 0]
    up = 1 if above else -1
    heights = [up * ax.transData.transform(np.column_stack([x, line]))[:, 1] for line in (target, *others)]
    half, line_height = text_width(text, sheet) / 2, _LINES[sheet.width]
    edge = ax.bbox.y1 if above else -ax.bbox.y0
    places = []
    for middle in np.linspace(across[0] + half, max(across[-1] - half, across[0] + half), 60):
        under = np.abs(across - middle) <= half + 4
        target_top, *tops = (float(np.fmax.reduce(height[under], initial=-np.inf)) for height in heights)
        obstacle = max([target_top, *tops])
        if np.isfinite(obstacle):
            overrun = max(0.0, obstacle + line_height + 4 - edge)
            # Above, a peak is the clearest place among equals; below, the end of the line.
            preferred = obstacle if above else middle
            places.append((overrun, round(obstacle - target_top), -preferred, middle, obstacle))
    if not places:
        return float(x[-1]), ax.get_ylim()[0]
    *_score, middle, obstacle = min(places)
    # A label below its line hangs from it, so its baseline is one line lower.
    height = up * (obstacle + 8) - (0 if above else line_height - 6)
    found = ax.transData.inverted().transform((middle, height))
    return float(found[0]), float(found[1])
