"""Orders of each month, by customers who came back and by new ones."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import count_ticks, drawn_twice, label_axes, legend, month_labels, month_ticks
from crm_analysis.report.figures.style import DATA, DATA_2, MIDDLE, NARROW, Sheet
from crm_analysis.report.pieces import Drawing


def monthly_activity(activity: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the orders of each month: repeat purchases below, first purchases on top.

    Parameters
    ----------
    activity : DataFrame, indexed by month ("1998-06")
        orders and new_customers, whose first purchase is one of these orders.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_monthly_activity(activity, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 330, left=56, top=34),
        narrow=Sheet(NARROW, 260, left=50, right=4, top=34),
        name=name,
        label=label,
        legend=legend(("data", _("Repeat purchases")), ("data-2", _("First purchases"))),
    )


def draw_monthly_activity(activity: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; orders a month over time."""
    x = np.arange(len(activity), dtype=float)
    first = activity["new_customers"].to_numpy(dtype=float)
    repeat = activity["orders"].to_numpy(dtype=float) - first
    ax.set_xlim(-0.6, len(activity) - 0.4)
    ax.set_ylim(0, float(np.fmax.reduce(first + repeat, initial=0.0)) * 1.05 or 1)
    ax.bar(x, repeat, width=0.76, color=DATA, linewidth=0)
    ax.bar(x, first, width=0.76, bottom=repeat, color=DATA_2, linewidth=0)

    months = [pd.Period(str(one), freq="M").start_time.date() for one in activity.index]
    shown = month_ticks(months[0], months[-1], 4 if sheet.is_narrow else 9) if months else []
    ax.set_xticks([float(months.index(one)) for one in shown], month_labels(shown))
    count_ticks(ax)
    label_axes(ax, sheet, y=_("orders a month"))
    return ax
