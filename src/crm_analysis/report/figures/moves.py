"""Who moved between tiers: a bar for each tier of before, parted into those who rose, stayed and fell."""

import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, count
from crm_analysis.report.figures.stacked import Part, draw_share_bars, share_bars
from crm_analysis.report.figures.style import DATA_2, HELD_OUT, MODEL, Sheet
from crm_analysis.report.pieces import Drawing


def tier_moves(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw which share of each tier rose, stayed and fell.

    Parameters
    ----------
    table : DataFrame, one row a tier of before, from the top
        label (for the reader); up, stayed and down: customers (counts).
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    """
    return share_bars(_in_words(table), _parts(), name=name, label=label)


def draw_tier_moves(table: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`."""
    return draw_share_bars(_in_words(table), _parts(), ax=ax, sheet=sheet)


def _parts() -> tuple[Part, ...]:
    return (
        Part("up", _("moved up"), DATA_2),
        Part("stayed", _("stayed"), HELD_OUT),
        Part("down", _("moved down"), MODEL),
    )


def _in_words(table: pd.DataFrame) -> pd.DataFrame:
    words = [
        _("{up} up, {stayed} stayed, {down} down", up=count(up), stayed=count(stayed), down=count(down))
        for up, stayed, down in table[["up", "stayed", "down"]].to_numpy(dtype=float)
    ]
    return table.assign(words=words)
