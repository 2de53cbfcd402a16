"""Mean residual value by how often customers came back and how long they have been silent."""

import re

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from crm_analysis.messages import EN_DASH, _, count, money
from crm_analysis.report.figures.drawing import drawn_twice
from crm_analysis.report.figures.style import CARD, HEAT, MIDDLE, NARROW, ON_DARK, ON_LIGHT, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

# Each shade stands for about three times the value of the one before; the darkest begins at half of the highest.
_DARKEST_FROM, _RATIO = 0.5, 3.0
_DARK_FROM_LEVEL = 4
_MONEY_WITHOUT_CENTS = 9.995


def value_matrix(matrix: pd.DataFrame, counts: pd.DataFrame, *, name: str, label: str, currency: str) -> Drawing:
    """Draw a table of shades, the mean value and the number of customers in each cell.

    Parameters
    ----------
    matrix, counts : DataFrame
        Mean residual value, in `currency`, and number of customers; rows are classes of repeat purchases so far,
        columns are classes of days since the last purchase, the same in both. Cells without customers are missing.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """
    rows = len(matrix)
    return drawn_twice(
        lambda ax, sheet: draw_value_matrix(matrix, counts, ax=ax, sheet=sheet, currency=currency),
        wide=Sheet(MIDDLE, 60 + 62 * rows, left=96, right=6, top=56, bottom=4),
        narrow=Sheet(NARROW, 90 + 50 * rows, left=36, right=0, top=86, bottom=4),
        name=name,
        label=label,
    )


def draw_value_matrix(matrix: pd.DataFrame, counts: pd.DataFrame, *, ax: Axes, sheet: Sheet, currency: str) -> Axes:
    """Draw onto `ax`; one cell a class."""
    import seaborn as sns  # seconds to import, and needed here alone

    values = matrix.to_numpy(dtype=float)
    levels = heat_levels(values)
    sns.heatmap(
        np.ma.masked_invalid(levels),
        ax=ax,
        cmap=ListedColormap(HEAT),
        vmin=-0.5,
        vmax=len(HEAT) - 0.5,
        cbar=False,
        linewidths=3,
        linecolor=CARD,
        xticklabels=False,
        yticklabels=False,
        clip_on=False,
    )
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    _name_classes(ax, matrix, sheet)
    numbers = counts.reindex(index=matrix.index, columns=matrix.columns).to_numpy(dtype=float)
    unit = 1 / (ax.bbox.height / max(len(matrix), 1))
    for (row, column), value in np.ndenumerate(values):
        middle, centre = column + 0.5, row + 0.5
        if not np.isfinite(value):
            ax.text(middle, centre + 4 * unit, EN_DASH, color=SOFT, ha="center")
            continue
        colour = ON_DARK if levels[row, column] >= _DARK_FROM_LEVEL else ON_LIGHT
        ax.text(middle, centre - 4 * unit, _amount(value, currency), color=colour, ha="center", weight="bold")
        ax.text(middle, centre + 14 * unit, count(float(numbers[row, column])), color=colour, ha="center")
    return ax


def heat_levels(values: np.ndarray) -> np.ndarray:
    """Shade of each value, 0 (lightest) to 5; missing values stay missing.

    >>> heat_levels(np.array([240.0, 152.0, 76.0, 20.0, 3.1, -1.0, np.nan]))
    array([ 5.,  5.,  4.,  3.,  1.,  0., nan])
    """
    top = np.fmax.reduce(values.ravel(), initial=0.0)
    starts = top * _DARKEST_FROM / _RATIO ** np.arange(len(HEAT) - 2, -1, -1)
    levels = np.searchsorted(starts, values, side="right").astype(float) if top > 0 else np.zeros_like(values)
    levels[~np.isfinite(values)] = np.nan
    return levels


def _amount(value: float, currency: str) -> str:
    # Cents only where they are most of the amount: a cell is small, and nobody acts on them.
    return money(value, currency, 0 if abs(value) >= _MONEY_WITHOUT_CENTS or value == 0 else 2)


def _name_classes(ax: Axes, matrix: pd.DataFrame, sheet: Sheet) -> None:
    above, beside = ax.get_xaxis_transform(), ax.get_yaxis_transform()
    y_unit, x_unit = 1 / ax.bbox.height, 1 / ax.bbox.width
    row_height = len(matrix) / ax.bbox.height
    for i, name in enumerate(str(one) for one in matrix.columns):
        lines = _two_lines(name) if sheet.is_narrow else [name]
        for k, line in enumerate(reversed(lines)):
            ax.text(i + 0.5, 1 + (8 + 15 * k) * y_unit, line, color=SOFT, ha="center", transform=above)
    for i, name in enumerate(str(one) for one in matrix.index):
        ax.text(-8 * x_unit, i + 0.5 + 4 * row_height, name, color=SOFT, ha="right", transform=beside)
    across, down = _("Days since the last purchase"), _("Repeat purchases so far")
    if sheet.is_narrow:
        ax.text(
            -sheet.left * x_unit, 1 + 70 * y_unit, _("Across: {what}", what=across), color=SOFT, transform=ax.transAxes
        )
        ax.text(-sheet.left * x_unit, 1 + 53 * y_unit, _("Down: {what}", what=down), color=SOFT, transform=ax.transAxes)
    else:
        ax.set_xlabel(across, ha="center", va="baseline")
        ax.xaxis.set_label_coords(0.5, 1 + 34 * y_unit)
        ax.set_ylabel(down, ha="center", va="baseline", rotation=90, rotation_mode="anchor")
        ax.yaxis.set_label_coords(-60 * x_unit, 0.5)


def _two_lines(name: str) -> list[str]:
    """Break a long label after its dash or at its space."""
    if len(name) <= 5:
        return [name]
    first, cut, rest = re.match(r"([^\s–-]*)([\s–-]?)(.*)", name).groups()  # type: ignore[union-attr]
    return [first + cut.strip(), rest] if rest else [name]
