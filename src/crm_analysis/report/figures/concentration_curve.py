"""How much of the value how few customers hold."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MultipleLocator

from crm_analysis.messages import _, percent
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, percent_ticks
from crm_analysis.report.figures.style import AXIS, DASHES, DATA, MIDDLE, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_MOST_POINTS = 240


def concentration_curve(curve: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the share of the value held by the most valuable customers, beside equal shares.

    Parameters
    ----------
    curve : DataFrame
        share_of_customers, most valuable first, and share_of_value, from (0, 0) to (1, 1).
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_concentration_curve(curve, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 420, left=52, top=34, bottom=56),
        narrow=Sheet(NARROW, 340, left=46, right=16, top=34, bottom=56),
        name=name,
        label=label,
    )


def draw_concentration_curve(curve: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; share of value over share of customers."""
    points = thinned(curve)
    x, y = points["share_of_customers"].to_numpy(dtype=float), points["share_of_value"].to_numpy(dtype=float)
    ax.set_xlim(0, 1)
    # Customers worth less than nothing carry the curve above one.
    ax.set_ylim(min(0.0, float(np.fmin.reduce(y, initial=0.0))), max(1.0, float(np.fmax.reduce(y, initial=1.0))))
    ax.plot([0, 1], [0, 1], color=AXIS, linewidth=1.5, linestyle=DASHES, clip_on=False)
    ax.plot(x, y, color=DATA, linewidth=2.5, clip_on=False)
    ax.xaxis.set_major_locator(MultipleLocator(0.25 if sheet.is_narrow else 0.2))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: percent(value, 0)))
    percent_ticks(ax, most=5)
    label_axes(ax, sheet, x=_("share of customers, most valuable first"), y=_("share of residual value"))

    at = 0.45
    ax.text(at + 0.02, float(np.interp(at, x, y)) - 0.085, _("Residual value"), color=DATA)
    ax.text(0.6, 0.6 - 0.12, _("Equal shares"), color=SOFT)
    return ax


def thinned(curve: pd.DataFrame) -> pd.DataFrame:
    """Leave out points of a long curve that no eye could tell apart: equal steps along its length are kept."""
    if len(curve) <= _MOST_POINTS:
        return curve
    steps = np.hypot(*np.diff(curve[["share_of_customers", "share_of_value"]].to_numpy(dtype=float), axis=0).T)
    length = np.append(0.0, np.cumsum(steps))
    wanted = np.searchsorted(length, np.linspace(0, length[-1], _MOST_POINTS))
    return curve.iloc[np.unique(np.append(wanted.clip(max=len(curve) - 1), [0, len(curve) - 1]))]
