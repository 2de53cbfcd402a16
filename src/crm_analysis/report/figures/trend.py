"""A measure from wave to wave, with the interval of each."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, number_tick, text_width
from crm_analysis.report.figures.labels import Writer, wrapped
from crm_analysis.report.figures.style import AXIS, DATA, INK, MIDDLE, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_LINE = 16
_ROOM = 0.12


def wave_trend(
    table: pd.DataFrame,
    *,
    name: str,
    label: str,
    axis: str,
    write: Writer,
    tick: Writer = number_tick,
    scale_start: float | None = None,
) -> Drawing:
    """Draw a measure over the waves of a survey, each as far from the next as every other.

    Parameters
    ----------
    table : DataFrame, one row a wave in its order
        label; value; lower and upper, which may be missing. Optionally small, such as the number of answers.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What is measured, with its scale.
    write, tick : callable
        Write a value, and a number of the axis.
    scale_start : float, optional
        The least the measure can be, such as 1 for ratings; where the axis does not start there it says so.

    Returns
    -------
    Drawing
    """

    def draw(ax: Axes, sheet: Sheet) -> Axes:
        return draw_wave_trend(table, ax=ax, sheet=sheet, axis=axis, write=write, tick=tick, scale_start=scale_start)

    return drawn_twice(
        draw,
        wide=Sheet(MIDDLE, 340, left=50, right=20, top=40, bottom=62),
        narrow=Sheet(NARROW, 280, left=40, right=14, top=58, bottom=62),
        name=name,
        label=label,
    )


def draw_wave_trend(
    table: pd.DataFrame,
    *,
    ax: Axes,
    sheet: Sheet,
    axis: str,
    write: Writer,
    tick: Writer = number_tick,
    scale_start: float | None = None,
) -> Axes:
    """Draw onto `ax`; a dot a wave on its interval, a line from wave to wave."""
    x = np.arange(len(table), dtype=float)
    value, lower, upper = (table[column].to_numpy(dtype=float) for column in ("value", "lower", "upper"))
    seen = np.concatenate([value, lower, upper])
    low, high = float(np.fmin.reduce(seen, initial=np.inf)), float(np.fmax.reduce(seen, initial=-np.inf))
    if not np.isfinite(low):
        low, high = 0.0, 1.0
    room = _ROOM * (high - low) or 0.5
    start = low - room
    is_cut = scale_start is not None and start > scale_start
    ax.set_xlim(-0.5, max(len(table), 1) - 0.5)
    ax.set_ylim(start if scale_start is None else max(start, scale_start), high + 1.6 * room)
    if start < 0 < high:
        ax.axhline(0, color=AXIS, linewidth=1)
    ax.vlines(x, lower, upper, color=AXIS, linewidth=6, capstyle="round")
    ax.plot(x, value, color=DATA, linewidth=1.5)
    ax.plot(x, value, "o", color=DATA, markersize=9, markeredgewidth=0, clip_on=False)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda height, _at: tick(height)))
    _name_measure(ax, sheet, axis, start=tick(scale_start) if is_cut and scale_start is not None else "")
    _name_waves(ax, sheet, table)
    _write_values(ax, sheet, x, value, upper, write)
    return ax


def _name_measure(ax: Axes, sheet: Sheet, what: str, start: str) -> None:
    if start:
        what = _("{unit}; the axis does not start at {start}", unit=what, start=start)
    lines = wrapped(what, sheet.width - 12.0, sheet)
    label_axes(ax, sheet, y=lines[0])
    if len(lines) > 1:
        top = 1 + (sheet.top - 14 - _LINE) / ax.bbox.height
        ax.text(-sheet.left / ax.bbox.width, top, lines[1], color=SOFT, transform=ax.transAxes)


def _name_waves(ax: Axes, sheet: Sheet, table: pd.DataFrame) -> None:
    """Name every wave, or every second and so on where there are many."""
    waves = len(table)
    least = 62 if sheet.is_narrow else 80
    step = max(int(np.ceil(least * waves / ax.bbox.width)), 1) if waves else 1
    room = ax.bbox.width / max(waves, 1) * step - 6
    ax.set_xticks([])
    across = ax.get_xaxis_transform()
    small = table["small"] if "small" in table else [""] * waves
    for place, (wave, second) in enumerate(zip(table["label"], small, strict=True)):
        # Counted from the last wave, which is the one to be read.
        if (waves - 1 - place) % step:
            continue
        lines = [(line, INK) for line in wrapped(wave, room, sheet)]
        lines += [(line, SOFT) for line in wrapped(second, room, sheet, lines=1) if line]
        for depth, (line, colour) in enumerate(lines):
            below = -(20 + _LINE * depth) / ax.bbox.height
            ax.text(place, below, line, color=colour, ha="center", va="baseline", transform=across)


def _write_values(ax: Axes, sheet: Sheet, x: np.ndarray, value: np.ndarray, upper: np.ndarray, write: Writer) -> None:
    """Write the values above their intervals: all where there is room, else the first and the last."""
    words = [write(float(one)) if np.isfinite(one) else "" for one in value]
    each = ax.bbox.width / max(len(words), 1)
    chosen = range(len(words))
    if any(text_width(one, sheet) + 6 > each for one in words):
        chosen = [0, len(words) - 1]  # type: ignore[assignment]
    gap = 8 / ax.bbox.height * float(np.ptp(ax.get_ylim()))
    for place in chosen:
        if words[place]:
            height = float(np.fmax(upper[place], value[place])) + gap
            ax.text(float(x[place]), height, words[place], color=DATA, ha="center", va="bottom")
