"""Cells of a table as shades."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap

from crm_analysis.report.figures.style import CARD


def draw_cells(ax: Axes, levels: np.ndarray, *, cmap: Colormap, top: float = 0.0) -> None:
    """Draw one cell for each level, the first row on top; missing levels leave their cell blank.

    Parameters
    ----------
    ax : Axes
        Gets limits of one unit a cell, y downwards, and no ticks.
    levels : array, shape (n_rows, n_columns)
        Whole numbers from 0, each a colour of `cmap`.
    cmap : Colormap
        The shades.
    top : float
        Share of each row that stays free above its cells, for words.
    """
    rows, columns = levels.shape
    ax.set_xlim(0, columns)
    ax.set_ylim(max(rows, 1), 0)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    edges, cells = np.arange(rows + 1.0), levels
    if top:  # every second row of cells is the free room above the next
        edges = np.append(np.column_stack([np.arange(rows), np.arange(rows) + top]).ravel(), float(rows))
        cells = np.full((2 * rows, columns), np.nan)
        cells[1::2] = levels
    ax.pcolormesh(
        np.arange(columns + 1.0),
        edges,
        np.ma.masked_invalid(cells),
        cmap=cmap,
        vmin=-0.5,
        vmax=cmap.N - 0.5,
        edgecolors=CARD,
        linewidth=3,
        clip_on=False,
    )
