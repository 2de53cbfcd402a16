"""Who moved between tiers: a bar for each tier of before, parted into those who rose, stayed and fell."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, count
from crm_analysis.report.figures.drawing import drawn_twice, legend
from crm_analysis.report.figures.style import DATA_2, HELD_OUT, INK, MIDDLE, MODEL, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_ROW, _TALL_ROW = 36, 54
_HALF, _HALF_NARROW = 0.32, 0.2
_PARTS = (("up", DATA_2), ("stayed", HELD_OUT), ("down", MODEL))
# Room at the right of the bars for words, as a share of the bars.
_WORDS = 0.55


def tier_moves(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw which share of each tier rose, stayed and fell.

    Parameters
    ----------
    table : DataFrame, one row a tier of before, from the top
        label (for the reader); up, stayed and down: customers (counts).
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    """
    return drawn_twice(
        lambda ax, sheet: draw_tier_moves(table, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 24 + _ROW * len(table), left=150, right=12, top=12, bottom=12),
        narrow=Sheet(NARROW, 30 + _TALL_ROW * len(table), left=12, right=12, top=18, bottom=12),
        name=name,
        label=label,
        legend=legend(("data-2", _("moved up")), ("held-out", _("stayed")), ("model", _("moved down"))),
    )


def draw_tier_moves(table: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; each bar is as long as every other, for shares of a tier are compared and not tiers."""
    half = _HALF_NARROW if sheet.is_narrow else _HALF
    sizes = table[[part for part, _colour in _PARTS]].to_numpy(dtype=float)
    shares = np.divide(sizes, sizes.sum(axis=1, keepdims=True), out=np.zeros_like(sizes), where=sizes > 0)
    rows = np.arange(len(table), dtype=float)
    left = np.zeros(len(table))
    for place, (_part, colour) in enumerate(_PARTS):
        ax.barh(rows, shares[:, place], left=left, height=2 * half, color=colour)
        left = left + shares[:, place]
    ax.set_xlim(0, 1 if sheet.is_narrow else 1 + _WORDS)
    ax.set_ylim(len(table) - 0.4, -0.9 if sheet.is_narrow else -0.6)
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(visible=False)
    ax.spines["bottom"].set_visible(False)
    across = ax.get_yaxis_transform()
    for row, (tier, (up, stayed, down)) in enumerate(zip(table["label"], sizes, strict=True)):
        words = _("{up} up, {stayed} stayed, {down} down", up=count(up), stayed=count(stayed), down=count(down))
        if sheet.is_narrow:
            ax.text(0, row - half - 0.08, f"{tier}: {words}", color=INK, va="bottom", transform=across)
            continue
        ax.text(-10 / ax.bbox.width, row, tier, color=INK, ha="right", va="center", transform=across)
        ax.text(1.02, row, words, color=SOFT, va="center")
    return ax
