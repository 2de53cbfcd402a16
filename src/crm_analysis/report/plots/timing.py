"""When customers buy: the time between purchases, and the pattern of single customers."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import day_numbers, label_axes, month_labels, month_ticks, percent_ticks
from crm_analysis.report.figures.style import AXIS, DATA
from crm_analysis.report.plots.canvas import canvas, class_ends, draw_expected, key, units


def plot_purchase_gaps(gaps: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the time between purchases: bars as seen, ticks as expected on their limits.

    Parameters
    ----------
    gaps : DataFrame
        Of `purchase_gaps`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, gaps) as (axes, sheet):
        ends = class_ends(gaps)
        left, width = ends[:-1], np.diff(ends)
        axes.set_xlim(ends[0], ends[-1])
        axes.set_ylim(0, float(gaps[["observed", "upper"]].max().max()) * 1.08)
        axes.bar(left, gaps["observed"], width=width * 0.84, align="edge", color=DATA, linewidth=0, label=_("actual"))
        if gaps["expected"].notna().any():
            draw_expected(axes, left + width * 0.42, gaps, width=float(width[0]))
            key(axes)
        percent_ticks(axes)
        label_axes(
            axes,
            sheet,
            x=_("{units} between two purchases", units=units(gaps)),
            y=_("share of gaps"),
            depth=42,
        )
        return axes


def plot_timing_patterns(purchases: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw one line a customer, from the first purchase to the end of observation, with a dot for each purchase.

    Parameters
    ----------
    purchases : DataFrame
        Of `timing_patterns`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    rows = int(purchases["row"].max()) + 1
    with canvas(ax, purchases, height=110 + 12 * rows, left=32, bottom=36) as (axes, sheet):
        x = day_numbers(pd.DatetimeIndex(purchases["order_date"]))
        last = pd.Timestamp(purchases.attrs["as_of"])
        end = float(day_numbers(pd.DatetimeIndex([last]))[0])
        axes.set_xlim(x.min() - 4, end)
        axes.set_ylim(-1, rows)
        first = pd.Series(x).groupby(purchases["row"].to_numpy()).min()
        axes.hlines(first.index, first, end, color=AXIS, linewidth=0.5)
        axes.plot(x, purchases["row"], "o", color=DATA, markersize=5, markeredgewidth=0)
        axes.grid(visible=False)
        axes.set_yticks([])
        months = month_ticks(purchases["order_date"].min().date(), last.date(), 4 if sheet.is_narrow else 8)
        axes.set_xticks(day_numbers(pd.DatetimeIndex(months)), month_labels(months))
        label_axes(axes, sheet, y=_("one line a customer, one dot a purchase, by first purchase"))
        return axes
