"""Customer equity month by month, with intervals where they are known."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import _, currency_name
from crm_analysis.report.figures.drawing import (
    day_numbers,
    drawn_twice,
    label_axes,
    money_tick,
    month_labels,
    month_ticks,
)
from crm_analysis.report.figures.style import DATA, MIDDLE, NARROW, SOFT, Sheet
from crm_analysis.report.pieces import Drawing

_ROOM = 0.08


def equity_history(history: pd.DataFrame, *, name: str, label: str, currency: str, axis_note: str = "") -> Drawing:
    """Draw customer equity over time.

    Parameters
    ----------
    history : DataFrame, indexed by as-of date
        equity, in `currency`; optionally lower and upper, missing where no interval is known.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    currency : str
        ISO code.
    axis_note : str
        Words such as "the axis does not start at zero"; only with them it does not.

    Returns
    -------
    Drawing
    """
    return drawn_twice(
        lambda ax, sheet: draw_equity_history(history, ax=ax, sheet=sheet, currency=currency, axis_note=axis_note),
        wide=Sheet(MIDDLE, 340, left=70, right=24, top=38),
        narrow=Sheet(NARROW, 270, left=58, right=14, top=56 if axis_note else 38),
        name=name,
        label=label,
    )


def draw_equity_history(history: pd.DataFrame, *, ax: Axes, sheet: Sheet, currency: str, axis_note: str = "") -> Axes:
    """Draw onto `ax`; equity over time."""
    dates = pd.DatetimeIndex(history.index)
    x = day_numbers(dates)
    equity = history["equity"].to_numpy(dtype=float)
    limits = [history[key].to_numpy(dtype=float) for key in ("lower", "upper") if key in history]
    seen = np.concatenate([equity, *limits])
    low, high = float(np.fmin.reduce(seen, initial=np.inf)), float(np.fmax.reduce(seen, initial=-np.inf))
    if not np.isfinite(low):
        low, high = 0.0, 1.0
    start = low - (high - low) * 2 * _ROOM if axis_note else min(0.0, low)
    ax.set_ylim(start, high + ((high - start) * _ROOM or 1))
    room = max((x[-1] - x[0]) * 0.02, 1.0)
    ax.set_xlim(x[0] - room, x[-1] + room)

    if len(limits) == 2:
        lower, upper = limits
        ax.vlines(x, lower, upper, color=DATA, linewidth=1.5, clip_on=False)
    ax.plot(x, equity, color=DATA, clip_on=False)
    ax.plot(x, equity, "o", color=DATA, markersize=7, markeredgewidth=0, clip_on=False)

    months = month_ticks(dates[0].date().replace(day=1), dates[-1].date(), 4 if sheet.is_narrow else 9)
    ticks = [_nearest(dates, pd.Timestamp(one)) for one in months]
    ax.set_xticks([float(x[i]) for i in ticks], month_labels([dates[i].date() for i in ticks]))
    ax.yaxis.set_major_locator(MaxNLocator(nbins=4, steps=[1, 2, 2.5, 5, 10]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _at: money_tick(value, currency)))
    what = _("customer equity, {currency}", currency=currency_name(currency))
    label_axes(ax, sheet, y=what)
    if axis_note:
        _add_note(ax, sheet, what, axis_note)
    return ax


def _add_note(ax: Axes, sheet: Sheet, what: str, note: str) -> None:
    """Say beside the unit, on a phone below it, that the axis does not start at zero."""
    if not sheet.is_narrow:
        ax.yaxis.label.set_text(_("{unit}; {note}", unit=what, note=note))
        return
    left, top = -sheet.left / ax.bbox.width, 1 + (sheet.top - 31) / ax.bbox.height
    ax.text(left, top, note, color=SOFT, transform=ax.transAxes)


def _nearest(dates: pd.DatetimeIndex, month: pd.Timestamp) -> int:
    """Return the position of the last date in a month, else of the nearest to its end."""
    end = month + pd.offsets.MonthEnd(0)
    return int(np.abs((dates - end).days.to_numpy()).argmin())
