"""What happened against what a model expected."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import count_ticks, day_numbers, label_axes
from crm_analysis.report.figures.purchase_tracking import draw_purchase_tracking
from crm_analysis.report.figures.purchases_by_frequency import draw_purchases_by_frequency
from crm_analysis.report.figures.spend_distribution import draw_spend_distribution
from crm_analysis.report.figures.style import DATA, MODEL
from crm_analysis.report.plots.canvas import canvas, draw_expected, key, units


def plot_purchase_tracking(tracking: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw repeat purchases week by week, as the book does.

    Parameters
    ----------
    tracking : DataFrame
        Of `weekly_tracking`, or `Backtest.tracking`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, tracking, top=56, bottom=36) as (axes, sheet):
        return draw_purchase_tracking(tracking, ax=axes, sheet=sheet)


def plot_cumulative_tracking(tracking: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw repeat purchases summed from the first week on, with the interval of the total at the end.

    Parameters
    ----------
    tracking : DataFrame
        Of `cumulative_tracking`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, tracking, top=56, bottom=36, left=72) as (axes, sheet):
        # The book's drawing fills a band; what is known here is an interval at one point.
        draw_purchase_tracking(tracking.assign(lower=np.nan, upper=np.nan), ax=axes, sheet=sheet)
        label_axes(axes, sheet, y=_("repeat purchases so far, with the 95% interval of the total"))
        ends = tracking.dropna(subset=["lower", "upper"])
        x = day_numbers(pd.DatetimeIndex(ends.index))
        axes.errorbar(
            x, ends["expected"], [ends["expected"] - ends["lower"], ends["upper"] - ends["expected"]],
            fmt="none", ecolor=MODEL, elinewidth=2, capsize=5, capthick=2, clip_on=False,
        )  # fmt: skip
        return axes


def plot_frequency_distribution(distribution: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw customers by number of repeat purchases: bars as counted, ticks as expected on the limits of chance.

    Parameters
    ----------
    distribution : DataFrame
        Of `frequency_distribution`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, distribution, left=72) as (axes, sheet):
        x = np.arange(len(distribution), dtype=float)
        axes.set_xlim(-0.6, len(distribution) - 0.4)
        axes.set_ylim(0, float(distribution[["actual", "upper"]].to_numpy().max()) * 1.06 or 1)
        axes.bar(x, distribution["actual"], width=0.72, color=DATA, linewidth=0, label=_("actual"))
        draw_expected(axes, x, distribution, width=0.92)
        axes.set_xticks(x, [str(one) for one in distribution.index])
        axes.tick_params(axis="x", length=0)
        count_ticks(axes)
        label_axes(axes, sheet, x=_("repeat purchases"), y=_("customers"), depth=42)
        key(axes)
        return axes


def plot_holdout_purchases(table: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw held-out purchases by what was known before, frequency or recency, as the book does.

    Parameters
    ----------
    table : DataFrame
        Of `holdout_by_frequency` or `holdout_by_recency`, or `Backtest.by_frequency`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, table, right=104, bottom=76, height=400) as (axes, sheet):
        draw_purchases_by_frequency(table, ax=axes, sheet=sheet)
        known = (
            _("{units} from the first to the last purchase before", units=units(table))
            if table.index.name == "recency"
            else _("repeat purchases before")
        )
        what = _("repeat purchases a customer, with 95% limits of the mean")
        label_axes(axes, sheet, x=known, y=what, depth=76 if sheet.is_narrow else 60)
        return axes


def plot_spend_distribution(table: pd.DataFrame, *, currency: str, ax: Axes | None = None) -> Axes:
    """Draw customers by mean value of a repeat purchase, as the book does: bars as seen, ticks as expected.

    Parameters
    ----------
    table : DataFrame
        Of `spend_distribution`.
    currency : str
        ISO code.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, table) as (axes, sheet):
        draw_spend_distribution(table, ax=axes, sheet=sheet, currency=currency)
        for artist, name in zip((axes.patches[0], axes.collections[0]), (_("customers"), _("expected")), strict=True):
            artist.set_label(name)
        key(axes)
        return axes
