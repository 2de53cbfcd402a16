"""Shares of a whole as dots, a row each: with the interval of each, or with the same share seen in another way."""

from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import percent
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, legend
from crm_analysis.report.figures.style import AXIS, DATA, DATA_2, INK, MIDDLE, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_ROW, _TALL_ROW = 34, 50
_DOT, _LINE = 9, 6
# How far above its row a name stands on a phone, in rows.
_NAME_ABOVE = 0.22


def interval_dots(table: pd.DataFrame, *, name: str, label: str, axis: str) -> Drawing:
    """Draw shares with their intervals.

    Parameters
    ----------
    table : DataFrame, one row a share, from the top
        label (for the reader), value, lower and upper: fractions; the limits may be missing.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts.
    """
    return _drawn(table, name=name, label=label, axis=axis, marks=(("value", DATA),))


def paired_dots(table: pd.DataFrame, *, name: str, label: str, axis: str, words: tuple[str, str]) -> Drawing:
    """Draw shares seen in two ways, a line between the two.

    Parameters
    ----------
    table : DataFrame, one row a share, from the top
        label (for the reader), value and other: fractions.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts.
    words : pair of str
        What `value` and `other` are called.
    """
    return _drawn(
        table.assign(lower=table[["value", "other"]].min(axis=1), upper=table[["value", "other"]].max(axis=1)),
        name=name,
        label=label,
        axis=axis,
        marks=(("value", DATA), ("other", DATA_2)),
        words=words,
    )


def draw_dots(table: pd.DataFrame, *, ax: Axes, sheet: Sheet, axis: str, marks: tuple[tuple[str, str], ...]) -> Axes:
    """Draw onto `ax`: a line from lower to upper, a dot for each mark, the shares in words behind them."""
    numbers = table[[column for column, _colour in marks] + ["lower", "upper"]].astype(float)
    low, high = (float(end(numbers.to_numpy(), initial=0.0)) for end in (np.nanmin, np.nanmax))
    # Room at the right for words, and for a dot at the left where a share fell below nothing.
    ax.set_xlim(1.1 * low, high + 0.3 * (high - low) or 1.0)
    if low < 0 and not sheet.is_narrow:  # on a phone names stand there
        ax.axvline(0, color=AXIS, linewidth=1)
    ax.set_ylim(len(table) - 0.4, -0.9 if sheet.is_narrow else -0.6)
    ax.set_yticks([])
    ax.grid(visible=False)
    gap = (_DOT + 4) / ax.bbox.width * float(np.ptp(ax.get_xlim()))
    for row, (words, shares) in enumerate(zip(table["label"], numbers.to_dict("records"), strict=True)):
        if np.isfinite(shares["lower"]) and np.isfinite(shares["upper"]):
            ax.plot([shares["lower"], shares["upper"]], [row, row], color=AXIS, linewidth=_LINE, solid_capstyle="round")
        for column, colour in marks[::-1]:
            ax.plot(shares[column], row, marker="o", markersize=_DOT, color=colour, linestyle="none", clip_on=False)
        end = float(np.nanmax(list(shares.values())))
        ax.text(end + gap, row, _in_words(shares, marks), color=INK, va="center")
        across = ax.get_yaxis_transform()
        if sheet.is_narrow:
            ax.text(0, row - _NAME_ABOVE, words, color=SOFT, va="bottom", transform=across)
        else:
            ax.text(-10 / ax.bbox.width, row, words, color=INK, ha="right", va="center", transform=across)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=3 if sheet.is_narrow else 5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: percent(value, 0)))
    label_axes(ax, sheet, x=axis, depth=40)
    return ax


def _in_words(shares: Mapping[Hashable, float], marks: tuple[tuple[str, str], ...]) -> str:
    return " / ".join(percent(shares[column], 1) for column, _colour in marks)


def _drawn(
    table: pd.DataFrame,
    *,
    name: str,
    label: str,
    axis: str,
    marks: tuple[tuple[str, str], ...],
    words: tuple[str, str] | None = None,
) -> Drawing:
    return drawn_twice(
        lambda ax, sheet: draw_dots(table, ax=ax, sheet=sheet, axis=axis, marks=marks),
        wide=Sheet(MIDDLE, 66 + _ROW * len(table), left=230, right=12, top=12, bottom=46),
        narrow=Sheet(NARROW, 76 + _TALL_ROW * len(table), left=12, right=12, top=12, bottom=46),
        name=name,
        label=label,
        legend=None if words is None else legend(("data", words[0]), ("data-2", words[1])),
    )
