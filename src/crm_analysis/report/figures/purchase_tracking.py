"""Purchases week by week against those expected, the held-out weeks on a wash."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, plural
from crm_analysis.report.figures.drawing import (
    Floats,
    clear_spot,
    count_ticks,
    day_numbers,
    drawn_twice,
    label_axes,
    month_labels,
    month_ticks,
    text_width,
)
from crm_analysis.report.figures.style import AXIS, BAND, DASHES, DATA, HELD_OUT, INK, MODEL, NARROW, SOFT, WIDE, Sheet
from crm_analysis.report.pieces import Drawing

_WEEK = 7.0
# Share of the time that the held-out weeks take up.
_LONG_ENOUGH = 0.3


def purchase_tracking(tracking: pd.DataFrame, *, name: str, label: str, width: int = WIDE) -> Drawing:
    """Draw actual and expected repeat purchases per week.

    Parameters
    ----------
    tracking : DataFrame, indexed by the last day of each week
        actual; expected; lower and upper 95% limits, missing before the origin; held_out (bool).
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    width : int
        Of the larger drawing: WIDE on the overview, MIDDLE beside a list of contents.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_purchase_tracking(tracking, ax=ax, sheet=sheet),
        wide=Sheet(width, 380, top=52),
        narrow=Sheet(NARROW, 290, top=52),
        name=name,
        label=label,
    )


def draw_purchase_tracking(tracking: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; purchases a week over time."""
    weeks = pd.DatetimeIndex(tracking.index)
    x = day_numbers(weeks)
    held_out = tracking["held_out"].to_numpy(dtype=bool)
    lines = tracking[["actual", "expected", "lower", "upper"]].astype(float)
    highest = float(np.fmax.reduce(lines.to_numpy().ravel(), initial=0.0))
    ax.set_xlim(x[0] - _WEEK, x[-1])
    # Room on top for the label of the actual line.
    ax.set_ylim(0, highest * 1.12 or 1)

    if held_out.any():
        _mark_held_out(ax, x[held_out][0] - _WEEK, int(held_out.sum()), sheet)
    ax.fill_between(x, lines["lower"], lines["upper"], color=BAND, linewidth=0, clip_on=False)
    ax.plot(x, lines["expected"], color=MODEL, linestyle=DASHES, clip_on=False)
    ax.plot(x, lines["actual"], color=DATA, clip_on=False)

    first = weeks[0] - pd.Timedelta(days=_WEEK)
    months = month_ticks(first.date(), weeks[-1].date(), 4 if sheet.is_narrow else 8)
    ax.set_xticks(day_numbers(pd.DatetimeIndex(months)), month_labels(months))
    count_ticks(ax)
    label_axes(ax, sheet, y=_("repeat purchases a week"))
    # The lines are named where the model has to prove itself, if that part is long enough for words, else before it.
    named = held_out if held_out.mean() > _LONG_ENOUGH else ~held_out
    expected = _("Expected, 95% band") if lines["lower"].notna().any() else _("Expected")
    _name_lines(ax, x[named], lines[named], sheet, actual=_("Actual"), expected=expected)
    return ax


def _mark_held_out(ax: Axes, origin: float, weeks: int, sheet: Sheet) -> None:
    """Lay a wash under the held-out weeks, and say on each side of the origin what it is, where there is room."""
    start, end = ax.get_xlim()
    ax.axvspan(origin, end, facecolor=HELD_OUT, edgecolor="none", zorder=0.5)
    ax.axvline(origin, ymax=1 + 10 / ax.bbox.height, color=AXIS, linewidth=1, clip_on=False)
    unit = (end - start) / ax.bbox.width
    height = 1 + 8 / ax.bbox.height
    before, after = _("fitted"), plural("held out, {n} week", "held out, {n} weeks", weeks)
    transform = ax.get_xaxis_transform()
    if text_width(after, sheet) * unit > end - origin:
        after = _("held out")
    if text_width(after, sheet) * unit > end - origin:
        ax.text(end, height, after, color=INK, weight="bold", ha="right", transform=transform)
        return
    ax.text(origin + 6 * unit, height, after, color=INK, weight="bold", transform=transform)
    if text_width(before, sheet) * unit < origin - start:
        ax.text(origin - 6 * unit, height, before, color=SOFT, ha="right", transform=transform)


def _name_lines(ax: Axes, x: Floats, lines: pd.DataFrame, sheet: Sheet, *, actual: str, expected: str) -> None:
    happened, forecast, lower, upper = (lines[key].to_numpy() for key in ("actual", "expected", "lower", "upper"))
    spot = clear_spot(ax, x, happened, (forecast, upper), actual, sheet, above=True)
    ax.text(*spot, actual, color=DATA, ha="center")
    spot = clear_spot(ax, x, np.fmin(lower, forecast), (happened,), expected, sheet, above=False)
    ax.text(*spot, expected, color=MODEL, ha="center")
