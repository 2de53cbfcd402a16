"""What goes with satisfaction: the share of each driver, beside what a driver of pure noise would reach."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from crm_analysis.messages import _, percent
from crm_analysis.report.figures.dots import Mark, Reference, dot_rows, shares
from crm_analysis.report.figures.drawing import drawn_twice
from crm_analysis.report.figures.heat import draw_cells
from crm_analysis.report.figures.labels import in_words, wrapped
from crm_analysis.report.figures.style import HEAT, INK, MIDDLE, MODEL, NARROW, ON_DARK, ON_LIGHT, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

# Chances from which the next shade begins; below the first a cell is left blank.
_SHADES = (0.005, 0.05, 0.2, 0.4, 0.6, 0.8)
_DARK_FROM_LEVEL = 4
_RANKS_IN_WORDS_AT_MOST = 6


def importance_dots(
    table: pd.DataFrame, *, noise: float | None, name: str, label: str, axis: str = "", other: str = ""
) -> Drawing:
    """Draw the share of each driver in what all explain together, with its interval.

    Parameters
    ----------
    table : DataFrame, one row a driver or group, from the top
        label; share, lower and upper (fractions); is_above_noise: whether the share is above that of noise, those which
        are not step back. Optionally other: the share by a second method.
    noise : float or None
        Upper limit of the share of a driver of pure noise (fraction).
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts; by default the share of the explained differences.
    other : str
        What the second method is called, where `table` has it.

    Returns
    -------
    Drawing
    """
    marks = [Mark("share", limits=("lower", "upper"), words=_("share with its interval") if other else "")]
    if other:
        marks.append(Mark("other", MODEL, shape="tick", words=other))
    return dot_rows(
        table.assign(
            is_muted=~table["is_above_noise"].astype(bool),
            words=in_words(table, "share", "lower", "upper", shares),
        ),
        marks,
        name=name,
        label=label,
        axis=axis or _("share of what all drivers explain together"),
        reference=None
        if noise is None
        else Reference(noise, _("pure noise reaches up to {share}", share=shares(noise))),
    )


def rank_heat(probabilities: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw how likely each driver holds each rank.

    Parameters
    ----------
    probabilities : DataFrame, indexed by driver (for the reader), from the top
        One column a rank, from the first; fractions, which sum to 1 in a row.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    rows = len(probabilities)
    return drawn_twice(
        lambda ax, sheet: draw_rank_heat(probabilities, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 60 + 38 * rows, left=240, right=12, top=50, bottom=6),
        narrow=Sheet(NARROW, 56 + 46 * rows, left=12, right=12, top=44, bottom=6),
        name=name,
        label=label,
    )


def draw_rank_heat(probabilities: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; a cell a rank, blank where a rank is all but out of reach."""
    chances = probabilities.to_numpy(dtype=float)
    levels = np.searchsorted(_SHADES, np.nan_to_num(chances), side="right") - 1.0
    levels[levels < 0] = np.nan
    rows, ranks = chances.shape
    # On a phone names stand above the cells, which are half as high.
    top = 0.42 if sheet.is_narrow else 0.0
    draw_cells(ax, levels, cmap=ListedColormap(HEAT), top=top)
    across = ax.get_yaxis_transform()
    for row, driver in enumerate(probabilities.index):
        if sheet.is_narrow:
            [line] = wrapped(driver, ax.bbox.width, sheet, lines=1)
            ax.text(0, row + top - 0.06, line, color=INK, transform=across)
        else:
            lines = wrapped(driver, sheet.left - 22.0, sheet)
            for place, line in enumerate(lines):
                height = row + 0.5 + (place - (len(lines) - 1) / 2) * 16 * rows / ax.bbox.height
                ax.text(-10 / ax.bbox.width, height, line, color=INK, ha="right", va="center", transform=across)
    above = ax.get_xaxis_transform()
    shown = range(ranks) if not sheet.is_narrow or ranks <= 12 else range(0, ranks, 2)
    for rank in shown:
        ax.text(
            rank + 0.5, 1 + 6 / ax.bbox.height, str(rank + 1), color=SOFT, ha="center", va="baseline", transform=above
        )
    ax.text(
        0 if sheet.is_narrow else 0.5,
        1 + 27 / ax.bbox.height,
        _("rank among {count} drivers, from the most important", count=rows),
        color=SOFT,
        ha="left" if sheet.is_narrow else "center",
        transform=ax.transAxes,
    )
    # In narrower cells three signs would touch.
    if ax.bbox.width / ranks < (30 if sheet.is_narrow else 38):
        return ax
    for (row, rank), chance in np.ndenumerate(chances):
        if np.isfinite(levels[row, rank]):
            colour = ON_DARK if levels[row, rank] >= _DARK_FROM_LEVEL else ON_LIGHT
            ax.text(rank + 0.5, row + (1 + top) / 2, percent(chance, 0), color=colour, ha="center", va="center")
    return ax
