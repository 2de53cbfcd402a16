"""Purchases in the held-out time by how often customers had bought before: happened against expected."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, count
from crm_analysis.report.figures.drawing import count_ticks, drawn_twice, label_axes
from crm_analysis.report.figures.style import CARD, DATA, MIDDLE, MODEL, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing


def purchases_by_frequency(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw mean purchases per customer, actual with its interval beside expected.

    Parameters
    ----------
    table : DataFrame, indexed by repeat purchases before ("0" to "7+")
        customers; mean actual and expected purchases; lower and upper 95% limits of the actual mean.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_purchases_by_frequency(table, ax=ax, sheet=sheet),
        wide=Sheet(MIDDLE, 350, right=96, top=36, bottom=70),
        narrow=Sheet(NARROW, 310, left=34, right=66, top=36, bottom=86),
        name=name,
        label=label,
    )


def draw_purchases_by_frequency(table: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`; repeat purchases a customer over repeat purchases before."""
    x = np.arange(len(table), dtype=float)
    actual, expected = table["actual"].to_numpy(dtype=float), table["expected"].to_numpy(dtype=float)
    top = np.fmax.reduce(table[["actual", "expected", "upper"]].to_numpy(dtype=float).ravel(), initial=0.0)
    ax.set_xlim(-0.5, len(table) - 0.5)
    ax.set_ylim(0, float(top) * 1.08 or 1)
    step = ax.bbox.width / max(len(table), 1)
    aside = (6 if sheet.is_narrow else 9) / step

    ax.vlines(x - aside, table["lower"], table["upper"], color=DATA, linewidth=1.5, clip_on=False)
    ax.plot(x - aside, actual, "o", color=DATA, markersize=9, markeredgewidth=0, clip_on=False)
    ax.plot(
        x + aside,
        expected,
        "o",
        markersize=9,
        markerfacecolor=CARD,
        markeredgecolor=MODEL,
        markeredgewidth=2,
        clip_on=False,
    )

    ax.set_xticks(x, [str(one) for one in table.index])
    ax.tick_params(axis="x", length=0)
    count_ticks(ax)
    # On a phone the counts take turns on two lines, else they run into each other.
    for i, n in enumerate(table["customers"]):
        depth = 38 + (16 if sheet.is_narrow and i % 2 else 0)
        place = (x[i], -depth / ax.bbox.height)
        ax.text(*place, _("n {n}", n=count(n)), color=SOFT, ha="center", transform=ax.get_xaxis_transform())
    label_axes(
        ax,
        sheet,
        x=_("repeat purchases before"),
        y=_("repeat purchases a customer"),
        depth=76 if sheet.is_narrow else 60,
    )
    if len(table):
        _label_last(ax, float(x[-1] + aside), float(actual[-1]), float(expected[-1]), sheet)
    return ax


def _label_last(ax: Axes, x: float, actual: float, expected: float, sheet: Sheet) -> None:
    """Write the two names to the right of the last pair, apart enough to be read."""
    unit = (ax.get_ylim()[1] - ax.get_ylim()[0]) / ax.bbox.height
    middle, half = (actual + expected) / 2, max(abs(actual - expected) / 2, (9 if sheet.is_narrow else 11) * unit)
    side = 1 if actual >= expected else -1
    x += 10 / ax.bbox.width * (ax.get_xlim()[1] - ax.get_xlim()[0])
    for sign, words, colour in ((side, _("Actual"), DATA), (-side, _("Expected"), MODEL)):
        ax.text(x, middle + sign * half - 4 * unit, words, color=colour)
