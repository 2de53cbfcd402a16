"""How many stay, by plan: curves that fall from one, each named at its end."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, percent_ticks, text_width
from crm_analysis.report.figures.style import BAND, DASHES, DATA, DATA_2, INK, MIDDLE, MODEL, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

MOST_CURVES = 4
_COLOURS = (DATA, MODEL, DATA_2, SOFT)
_LINE = {MIDDLE: 20.0, NARROW: 17.0}
_LONGEST_NAME = {MIDDLE: 20, NARROW: 11}


def survival_curves(curves: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the share of members still there over time, as steps, with its band where there is one curve.

    Parameters
    ----------
    curves : DataFrame, indexed by group and time (months since the start)
        survival, lower, upper; `MOST_CURVES` groups at most.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    return _drawn(lambda ax, sheet: draw_survival_curves(curves, ax=ax, sheet=sheet), _names(curves), name, label)


def draw_survival_curves(curves: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; share still there over months since the start."""
    groups = _names(curves)
    ends = []
    for group, colour in zip(groups, _COLOURS, strict=False):
        curve = curves.loc[group]
        months = curve.index.to_numpy(dtype=float)
        if len(groups) == 1:
            ax.fill_between(months, curve["lower"], curve["upper"], step="post", color=BAND, linewidth=0)
        ax.step(months, curve["survival"], where="post", color=colour, clip_on=False)
        ends.append((months[-1], float(curve["survival"].iloc[-1])))
    _finish(ax, sheet, groups, ends, x=_("months since the contract began"), y=_("still there"))
    return ax


def retention_curves(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the share of a cohort still there after each renewal: dots observed, a dashed line by the model.

    Parameters
    ----------
    table : DataFrame, indexed by group and renewal (0 is the start)
        months (since the start); observed_survival, missing beyond what was seen; survival by the model, with its
        limits lower and upper. `MOST_CURVES` groups at most.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    return _drawn(lambda ax, sheet: draw_retention_curves(table, ax=ax, sheet=sheet), _names(table), name, label)


def draw_retention_curves(table: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; share still there over time since the start, in years where contracts last that long."""
    groups = _names(table)
    in_years = bool(table["months"].max() > 36)
    ends = []
    for group, colour in zip(groups, _COLOURS, strict=False):
        curve = table.loc[group]
        x = curve["months"].to_numpy(dtype=float) / (12 if in_years else 1)
        ax.fill_between(x, curve["lower"].astype(float), curve["upper"].astype(float), color=BAND, linewidth=0)
        ax.plot(x, curve["survival"], color=colour, linestyle=DASHES, clip_on=False)
        ax.plot(
            x, curve["observed_survival"], "o", color=colour, markersize=6, markeredgewidth=0, clip_on=False, zorder=3
        )
        ends.append((x[-1], float(curve["survival"].iloc[-1])))
    unit = _("years since the start") if in_years else _("months since the start")
    _finish(ax, sheet, groups, ends, x=unit, y=_("still there"))
    return ax


def _drawn(draw: Any, groups: Sequence[str], name: str, label: str) -> Drawing:
    def right(width: int) -> int:
        sheet = Sheet(width, 340)
        longest = max((text_width(_short(group, width), sheet) for group in groups), default=0.0)
        return 16 + (int(longest) if len(groups) > 1 else 0)

    return drawn_twice(
        draw,
        wide=Sheet(MIDDLE, 360, left=54, right=right(MIDDLE), top=38, bottom=58),
        narrow=Sheet(NARROW, 300, left=46, right=right(NARROW), top=38, bottom=58),
        name=name,
        label=label,
    )


def _names(table: pd.DataFrame) -> list[str]:
    return [str(group) for group in table.index.get_level_values(0).unique()][:MOST_CURVES]


def _short(group: str, width: int) -> str:
    longest = _LONGEST_NAME[width]
    return group if len(group) <= longest else group[: longest - 1] + "…"


def _finish(
    ax: Axes, sheet: Sheet, groups: Sequence[str], ends: Sequence[tuple[float, float]], *, x: str, y: str
) -> None:
    """Set the axes and name each curve at its end, names apart from one another."""
    last = max((end for end, _height in ends), default=1.0) or 1.0
    ax.set_xlim(0, last)
    ax.set_ylim(0, 1)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=4 if sheet.is_narrow else 8, steps=[1, 2, 3, 6, 10], integer=True))
    percent_ticks(ax)
    label_axes(ax, sheet, x=x, y=y)
    if len(groups) < 2:
        return
    line = _LINE[sheet.width] / ax.bbox.height
    heights = _apart({group: height for group, (_x, height) in zip(groups, ends, strict=True)}, line)
    for group, (end, _height) in zip(groups, ends, strict=True):
        place = last if end > 0.7 * last else end
        offset = 8 * last / ax.bbox.width
        words = _short(group, sheet.width)
        ax.text(place + offset, heights[group], words, ha="left", va="center", color=INK, clip_on=False)


def _apart(heights: Mapping[str, float], least: float) -> dict[str, float]:
    """Move heights up, from the lowest, until neighbours are `least` apart; down again where they leave the axes."""
    found: dict[str, float] = {}
    floor = -np.inf
    for group, height in sorted(heights.items(), key=lambda one: one[1]):
        found[group] = max(height, floor)
        floor = found[group] + least
    ceiling = 1.0
    for group in sorted(found, key=lambda one: -found[one]):
        found[group] = min(found[group], ceiling)
        ceiling = found[group] - least
    return found
