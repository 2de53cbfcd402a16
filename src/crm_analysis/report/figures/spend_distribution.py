"""What customers spend per order against what the spend model expects."""

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _, currency_name, money
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, legend, percent_ticks, text_width
from crm_analysis.report.figures.style import DATA, MIDDLE, MODEL, NARROW, Sheet
from crm_analysis.report.pieces import Drawing


def spend_distribution(table: pd.DataFrame, *, name: str, label: str, currency: str) -> Drawing:
    """Draw the share of customers in each class of mean order value: bars as seen, ticks as expected.

    Parameters
    ----------
    table : DataFrame, one row a class
        left, right: ends of the class in `currency`, the last may be infinite; observed, expected: shares of customers.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_spend_distribution(table, ax=ax, sheet=sheet, currency=currency),
        wide=Sheet(MIDDLE, 330, bottom=54, top=34),
        narrow=Sheet(NARROW, 290, left=36, right=8, bottom=54, top=34),
        name=name,
        label=label,
        legend=legend(("data", _("Customers")), ("model", _("Gamma-Gamma model"))),
    )


def draw_spend_distribution(table: pd.DataFrame, *, ax: Axes, sheet: Sheet, currency: str) -> Axes:
    """Draw onto `ax`; classes are equally wide on the sheet, whatever their width in money."""
    x = np.arange(len(table), dtype=float)
    highest = np.fmax.reduce(table[["observed", "expected"]].to_numpy(dtype=float).ravel(), initial=0.0)
    ax.set_xlim(-0.6, len(table) - 0.4)
    ax.set_ylim(0, float(highest) * 1.06 or 1)
    ax.bar(x, table["observed"], width=0.72, color=DATA, linewidth=0)
    ax.hlines(table["expected"], x - 0.46, x + 0.46, color=MODEL, linewidth=3)

    ends = np.append(table["left"].to_numpy(dtype=float), table["right"].iloc[-1:])
    names = [money(end, currency, _digits(end)) for end in ends]
    every = _every(names, ax.bbox.width / max(len(table), 1), sheet)
    shown = [i for i in range(0, len(ends), every) if np.isfinite(ends[i])]
    ax.set_xticks([i - 0.5 for i in shown], [names[i] for i in shown])
    percent_ticks(ax)
    label_axes(
        ax,
        sheet,
        x=_("mean value of a repeat order, {currency}", currency=currency_name(currency)),
        y=_("share of customers"),
    )
    return ax


def _every(names: list[str], step: float, sheet: Sheet) -> int:
    """Every how many-th end of a class has room for its name."""
    return math.ceil(max(text_width(name, sheet) + 8 for name in names) / step)


def _digits(amount: float) -> int:
    return 0 if float(amount).is_integer() or amount >= 10 else 2
