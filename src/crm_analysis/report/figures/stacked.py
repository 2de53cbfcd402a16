"""Bars parted into shares of one: promoters and detractors by wave, kinds of need by feature, moves between tiers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, number, percent
from crm_analysis.report.figures.drawing import drawn_twice, legend, text_width
from crm_analysis.report.figures.labels import in_words
from crm_analysis.report.figures.row_axes import REACH, Rows
from crm_analysis.report.figures.style import (
    AXIS,
    BAND,
    CARD,
    DATA,
    HEAT,
    HELD_OUT,
    INK,
    MIDDLE,
    MODEL,
    NARROW,
    ON_DARK,
    ON_LIGHT,
    ROLES,
    Sheet,
)
from crm_analysis.report.pieces import Drawing


@dataclass(frozen=True)
class Part:
    """One part of each bar: its column, what it is called, its colour, and that of the share written on it, if any."""

    column: str
    words: str
    colour: str
    ink: str = ""


def promoter_bars(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw who would recommend, wave by wave or group by group, with the Net Promoter Score at the right.

    Parameters
    ----------
    table : DataFrame, one row a wave or group, from the top
        label; promoters, passives and detractors: shares; value, lower and upper: the score with its limits, from -100
        to 100. Optionally small, such as the number of answers.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    parts = (
        Part("detractors", _("detractors (0 to 6)"), MODEL, ON_DARK),
        Part("passives", _("passives (7 and 8)"), HELD_OUT, INK),
        Part("promoters", _("promoters (9 and 10)"), DATA, ON_DARK),
    )
    scores = in_words(table, "value", "lower", "upper", lambda value: number(value, 0))
    words = [_("NPS {score}", score=score) for score in scores]
    return share_bars(table.assign(words=words), parts, name=name, label=label)


def kano_bars(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw how customers see each feature, with its kind at the right.

    Parameters
    ----------
    table : DataFrame, one row a feature, from the top
        label; M, O, A, I, R and Q: answers of each kind (counts or shares); words: the kind of the feature, for the
        reader. Optionally is_muted, where no kind is sure.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    parts = (
        Part("M", _("basic"), HEAT[5], ON_DARK),
        Part("O", _("expected"), HEAT[3], ON_LIGHT),
        Part("A", _("exciting"), HEAT[2], ON_LIGHT),
        Part("I", _("indifferent"), HELD_OUT, INK),
        Part("R", _("unwanted"), MODEL, ON_DARK),
        Part("Q", _("contradictory"), BAND, INK),
    )
    return share_bars(table, parts, name=name, label=label)


def share_bars(table: pd.DataFrame, parts: Sequence[Part], *, name: str, label: str) -> Drawing:
    """Draw bars of equal length, each parted into its shares.

    Parameters
    ----------
    table : DataFrame, one row a bar, from the top
        label, words (written at the right) and a column for each part (counts or shares, >= 0); optionally small and
        is_muted.
    parts : sequence of Part
        From the left.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    rows = Rows.of(table, [str(one) for one in table["words"]])
    return drawn_twice(
        lambda ax, sheet: draw_share_bars(table, parts, ax=ax, sheet=sheet),
        wide=rows.sheet(MIDDLE),
        narrow=rows.sheet(NARROW),
        name=name,
        label=label,
        legend=legend(*((ROLES[part.colour], part.words, "square") for part in parts)),
    )


def draw_share_bars(table: pd.DataFrame, parts: Sequence[Part], *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; each bar is as long as every other, for shares are compared and not sizes."""
    rows = Rows.of(table, [str(one) for one in table["words"]])
    rows.write(ax, sheet)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.spines["bottom"].set_visible(False)
    sizes = table[[part.column for part in parts]].to_numpy(dtype=float)
    totals = np.nansum(sizes, axis=1, keepdims=True)
    shares = np.divide(sizes, totals, out=np.zeros_like(sizes), where=totals > 0)
    middles = rows.middles(sheet)
    left = np.zeros(len(table))
    for place, part in enumerate(parts):
        share = np.nan_to_num(shares[:, place])
        # The palest part has an edge, which the others keep free of.
        edge, above = (AXIS, 2) if part.colour == HELD_OUT else (CARD, 1)
        ax.barh(
            middles,
            share,
            left=left,
            height=2 * REACH,
            color=part.colour,
            edgecolor=edge,
            linewidth=np.where(share > 0, 1.0, 0.0),
            zorder=above,
        )
        for middle, start, width in zip(middles, left, share, strict=True):
            words = percent(width, 0)
            if part.ink and text_width(words, sheet) + 4 <= width * ax.bbox.width:
                ax.text(start + width / 2, middle, words, color=part.ink, ha="center", va="center")
        left = left + share
    return ax
