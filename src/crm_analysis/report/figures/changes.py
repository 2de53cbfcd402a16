"""Amounts that add up, and amounts to either side of a line: the bridge between two equities, and the levers on one."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import _, currency_name, short_money, signed
from crm_analysis.report.figures.drawing import drawn_twice, label_axes, money_tick, text_width
from crm_analysis.report.figures.style import AXIS, DATA, DATA_2, INK, MIDDLE, MODEL, NARROW, Sheet
from crm_analysis.report.pieces import Drawing

_ROW, _TALL_ROW = 30, 48
# Half the height of a bar, in rows; on a phone its name stands above it.
_HALF, _HALF_NARROW = 0.32, 0.19


def equity_bridge(steps: pd.DataFrame, *, name: str, label: str, currency: str) -> Drawing:
    """Draw a bridge from the opening to the closing, from the top down.

    Parameters
    ----------
    steps : DataFrame, one row a step in its order
        label (for the reader), value and running (currency); is_total: whether the row is an equity and not a change.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """

    def draw(ax: Axes, sheet: Sheet) -> Axes:
        return draw_equity_bridge(steps, ax=ax, sheet=sheet, currency=currency)

    return _rows_drawn(draw, len(steps), name=name, label=label)


def draw_equity_bridge(steps: pd.DataFrame, *, ax: Axes, sheet: Sheet, currency: str) -> Axes:
    """Draw onto `ax`; each change begins where the one before ended."""
    y = np.arange(len(steps), dtype=float)
    is_total = steps["is_total"].to_numpy(dtype=bool)
    end = steps["running"].to_numpy(dtype=float)
    value = steps["value"].to_numpy(dtype=float)
    start = np.where(is_total, 0.0, end - value)
    low, high = _room(ax, np.concatenate([start, end]), share_for_words=0.3)
    # Where all changes are small beside the totals, an axis from zero would show none of them.
    moving = np.concatenate([start[~is_total], end])
    if len(moving) and moving.min() > 0 and np.ptp(moving) < 0.5 * moving.max():
        low = moving.min() - 0.12 * (np.ptp(moving) or moving.max())
        start = np.where(is_total, low, start)
        high = moving.max() + 0.45 * (moving.max() - low)
    ax.set_xlim(low, high)
    colours = np.where(is_total, DATA, np.where(value >= 0, DATA_2, MODEL))
    half = _half(sheet)
    ax.barh(y, end - start, left=start, height=2 * half, color=list(colours))
    if not sheet.is_narrow:  # on a phone the names stand there
        for row in range(len(steps) - 1):
            ax.plot([end[row]] * 2, [row + half, row + 1 - half], color=AXIS, linewidth=1)
    words = [
        short_money(one, currency) if total else signed(short_money(one, currency), one)
        for one, total in zip(value, is_total, strict=True)
    ]
    _write_rows(ax, sheet, [str(one) for one in steps["label"]], words, np.maximum(start, end))
    _money_axis(ax, sheet, currency, starts_at_zero=low <= 0)
    return ax


def levers(table: pd.DataFrame, *, name: str, label: str, currency: str) -> Drawing:
    """Draw how far each lever moves equity, down and up.

    Parameters
    ----------
    table : DataFrame, one row a lever, the widest first
        label; down and up: change of equity (currency) where the lever is moved down and up.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """

    def draw(ax: Axes, sheet: Sheet) -> Axes:
        return draw_levers(table, ax=ax, sheet=sheet, currency=currency)

    return _rows_drawn(draw, len(table), name=name, label=label)


def draw_levers(table: pd.DataFrame, *, ax: Axes, sheet: Sheet, currency: str) -> Axes:
    """Draw onto `ax`; bars to both sides of no change."""
    y = np.arange(len(table), dtype=float)
    down, up = table["down"].to_numpy(dtype=float), table["up"].to_numpy(dtype=float)
    words = [
        _("{down} to {up}", down=signed(short_money(a, currency), a), up=signed(short_money(b, currency), b))
        for a, b in zip(down, up, strict=True)
    ]
    longest = max(text_width(one, sheet) for one in words) + 6
    low, high = _room(ax, np.concatenate([down, up]), share_for_words=longest / max(ax.bbox.width - longest, 1.0))
    ax.set_xlim(low * 1.1 if low < 0 else low, high)
    ax.barh(y, down, height=2 * _half(sheet), color=MODEL)
    ax.barh(y, up, height=2 * _half(sheet), color=DATA_2)
    ax.axvline(0, color=AXIS, linewidth=1)
    _write_rows(ax, sheet, [str(one) for one in table["label"]], words, np.maximum(np.maximum(down, up), 0))
    _money_axis(ax, sheet, currency, starts_at_zero=True)
    return ax


def _rows_drawn(draw: Callable[[Axes, Sheet], object], rows: int, *, name: str, label: str) -> Drawing:
    return drawn_twice(
        draw,
        wide=Sheet(MIDDLE, 70 + _ROW * rows, left=250, right=12, top=30, bottom=40),
        narrow=Sheet(NARROW, 80 + _TALL_ROW * rows, left=12, right=12, top=34, bottom=40),
        name=name,
        label=label,
    )


def _half(sheet: Sheet) -> float:
    return _HALF_NARROW if sheet.is_narrow else _HALF


def _room(ax: Axes, ends: np.ndarray, *, share_for_words: float) -> tuple[float, float]:
    """Limits that hold all ends and zero, with room at the right for what is written behind a bar."""
    low, high = float(np.fmin.reduce(ends, initial=0.0)), float(np.fmax.reduce(ends, initial=0.0))
    high = high if high > low else low + 1.0
    return low, high + share_for_words * (high - low)


def _write_rows(ax: Axes, sheet: Sheet, labels: list[str], words: list[str], ends: np.ndarray) -> None:
    """Name the rows at their left, on a phone above them, and write the amounts behind the bars."""
    ax.set_ylim(len(labels) - 0.5, -0.5 if not sheet.is_narrow else -0.9)
    ax.grid(visible=False)
    ax.set_yticks([])
    low, high = ax.get_xlim()
    gap = 6 / ax.bbox.width * (high - low)
    for row, (name, amount, end) in enumerate(zip(labels, words, ends, strict=True)):
        if sheet.is_narrow:
            ax.text(0, row - _HALF_NARROW - 0.08, name, color=INK, va="bottom", transform=ax.get_yaxis_transform())
        else:
            ax.text(
                -10 / ax.bbox.width, row, name, color=INK, ha="right", va="center", transform=ax.get_yaxis_transform()
            )
        ax.text(float(end) + gap, row, amount, color=INK, va="center")


def _money_axis(ax: Axes, sheet: Sheet, currency: str, *, starts_at_zero: bool) -> None:
    ax.xaxis.set_major_locator(MaxNLocator(nbins=3 if sheet.is_narrow else 5, steps=[1, 2, 2.5, 5, 10]))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: money_tick(value, currency)))
    unit = currency_name(currency)
    label_axes(ax, sheet, y=unit if starts_at_zero else _("{unit}; the axis does not start at zero", unit=unit))
