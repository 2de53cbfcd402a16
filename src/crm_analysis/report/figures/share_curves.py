"""Shares that change with time: one curve or a few, each on its band; dashes where it is projected and not seen."""

from typing import Literal

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import count
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, legend, percent_ticks
from crm_analysis.report.figures.style import AXIS, BAND, DASHES, DATA, DATA_2, INK, MIDDLE, MODEL, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_COLOURS = ((DATA, "data"), (MODEL, "model"), (DATA_2, "data-2"), (SOFT, "soft"), (AXIS, "rule"), (INK, "ink"))
# More curves than this nobody tells apart.
MOST_CURVES = len(_COLOURS)


def share_curves(table: pd.DataFrame, *, name: str, label: str, x: str, y: str, steps: bool = False) -> Drawing:
    """Draw shares over time.

    Parameters
    ----------
    table : DataFrame, one row a point, in the order of time
        curve (for the reader; at most `MOST_CURVES` of them); time; share, lower and upper (fractions; the limits may
        be missing); projected (bool; optional): whether the point was not seen.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    x, y : str
        What the axes count.
    steps : bool
        Whether a share holds until the next point, as in an estimate by Kaplan and Meier.
    """
    curves = list(dict.fromkeys(table["curve"]))
    keys = [(role, str(curve)) for curve, (_colour, role) in zip(curves, _COLOURS, strict=False)]
    return drawn_twice(
        lambda ax, sheet: draw_share_curves(table, ax=ax, sheet=sheet, x=x, y=y, steps=steps),
        wide=Sheet(MIDDLE, 330, left=52, top=34, bottom=56),
        narrow=Sheet(NARROW, 280, left=46, right=16, top=34, bottom=56),
        name=name,
        label=label,
        legend=legend(*keys) if len(curves) > 1 else None,
    )


def draw_share_curves(table: pd.DataFrame, *, ax: Axes, sheet: Sheet, x: str, y: str, steps: bool = False) -> Axes:
    """Draw onto `ax`; the band of the first curve alone where there are several, which would hide each other."""
    numbers = table[["time", "share", "lower", "upper"]].astype(float)
    last = float(numbers["time"].max())
    ax.set_xlim(min(0.0, float(numbers["time"].min())), last or 1.0)
    ax.set_ylim(0, min(1.0, 1.08 * float(np.nanmax(numbers[["share", "upper"]].to_numpy(), initial=0.01))))
    drawstyle: Literal["default", "steps-post"] = "steps-post" if steps else "default"
    for place, (curve, (colour, _role)) in enumerate(zip(dict.fromkeys(table["curve"]), _COLOURS, strict=False)):
        own = table["curve"] == curve
        points = numbers[own]
        if place == 0:
            ax.fill_between(
                points["time"], points["lower"], points["upper"], color=BAND, linewidth=0,
                step="post" if steps else None, clip_on=False,
            )  # fmt: skip
        projected = table.loc[own, "projected"].to_numpy(bool) if "projected" in table else np.zeros(len(points), bool)
        # The last point that was seen begins the dashes.
        dashed = projected | np.append(projected[1:], False)
        for part, line in ((~projected, "solid"), (dashed, DASHES)):
            if part.sum() > 1 or (part.any() and not dashed.any()):
                drawn = points[part]
                ax.plot(drawn["time"], drawn["share"], color=colour, linestyle=line, clip_on=False, drawstyle=drawstyle)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4 if sheet.is_narrow else 8, integer=True, steps=[1, 2, 3, 6, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: count(value)))
    percent_ticks(ax, most=5)
    label_axes(ax, sheet, x=x, y=y)
    return ax
