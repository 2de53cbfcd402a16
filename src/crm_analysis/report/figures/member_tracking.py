"""Members of an earlier day who are still there, month by month, against how many were expected."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import (
    clear_spot,
    count_ticks,
    day_numbers,
    drawn_twice,
    label_axes,
    month_labels,
    month_ticks,
)
from crm_analysis.report.figures.style import BAND, DASHES, DATA, MODEL, NARROW, WIDE, Sheet
from crm_analysis.report.pieces import Drawing


def member_tracking(tracking: pd.DataFrame, *, name: str, label: str, width: int = WIDE) -> Drawing:
    """Draw actual and expected members since the origin of a forecast.

    Parameters
    ----------
    tracking : DataFrame, indexed by the last day of each month, the origin first
        actual; expected, with its 95% limits lower and upper; counts of contracts.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    width : int
        Of the larger drawing: WIDE on the overview, MIDDLE beside a list of contents.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_member_tracking(tracking, ax=ax, sheet=sheet),
        wide=Sheet(width, 340, left=54, top=38),
        narrow=Sheet(NARROW, 270, left=48, top=38),
        name=name,
        label=label,
    )


def draw_member_tracking(tracking: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; contracts still running over time."""
    days = pd.DatetimeIndex(tracking.index)
    x = day_numbers(days)
    lines = tracking[["actual", "expected", "lower", "upper"]].astype(float)
    highest = float(np.fmax.reduce(lines.to_numpy().ravel(), initial=0.0))
    ax.set_xlim(x[0], max(x[-1], x[0] + 1))
    # What is to be judged is how far the lines are apart, which an axis from zero would hide where few leave.
    lowest = float(np.fmin.reduce(lines.to_numpy().ravel(), initial=np.inf))
    is_cut = lowest > highest / 2
    ax.set_ylim(lowest - 0.8 * (highest - lowest) - 1 if is_cut else 0, highest + 0.15 * (highest - lowest or highest))
    ax.fill_between(x, lines["lower"], lines["upper"], color=BAND, linewidth=0, clip_on=False)
    ax.plot(x, lines["expected"], color=MODEL, linestyle=DASHES, clip_on=False)
    ax.plot(x, lines["actual"], color=DATA, clip_on=False)
    months = month_ticks(days[0].date(), days[-1].date(), 4 if sheet.is_narrow else 9)
    ax.set_xticks(day_numbers(pd.DatetimeIndex(months)), month_labels(months))
    count_ticks(ax)
    what = _("contracts still running")
    label_axes(ax, sheet, y=_("{unit}; the axis does not start at zero", unit=what) if is_cut else what)
    actual, expected = _("Actual"), _("Expected, 95% band")
    happened, forecast, lower, upper = (lines[key].to_numpy() for key in ("actual", "expected", "lower", "upper"))
    ax.text(*clear_spot(ax, x, happened, (upper,), actual, sheet, above=True), actual, color=DATA, ha="center")
    spot = clear_spot(ax, x, np.fmin(lower, forecast), (happened,), expected, sheet, above=False)
    ax.text(*spot, expected, color=MODEL, ha="center")
    return ax
