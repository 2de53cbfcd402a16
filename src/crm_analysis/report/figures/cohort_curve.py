"""Who comes back: the share of customers who buy in each month after their first, on its band."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import _, count
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, percent_ticks
from crm_analysis.report.figures.style import BAND, DATA, MIDDLE, NARROW, Sheet
from crm_analysis.report.pieces import Drawing


def cohort_curve(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the share of customers who buy, month after month.

    Parameters
    ----------
    table : DataFrame, indexed by period (months since the first purchase, from 1 on)
        share_active, with its limits lower and upper (fractions).
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    """
    return drawn_twice(
        lambda ax, sheet: draw_cohort_curve(table, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 330, left=52, top=34, bottom=56),
        narrow=Sheet(NARROW, 280, left=46, right=16, top=34, bottom=56),
        name=name,
        label=label,
    )


def draw_cohort_curve(table: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; share of customers over months since the first purchase."""
    months = table.index.to_numpy(dtype=float)
    numbers = table[["share_active", "lower", "upper"]].astype(float)
    ax.set_xlim(0, months[-1])
    ax.set_ylim(0, min(1.0, 1.08 * float(np.nanmax(numbers.to_numpy(), initial=0.01))))
    ax.fill_between(months, numbers["lower"], numbers["upper"], color=BAND, linewidth=0, clip_on=False)
    ax.plot(months, numbers["share_active"], color=DATA, clip_on=False)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4 if sheet.is_narrow else 8, integer=True, steps=[1, 2, 3, 6, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: count(value)))
    percent_ticks(ax, most=5)
    label_axes(ax, sheet, x=_("months since the first purchase"), y=_("buy in the month"))
    return ax
