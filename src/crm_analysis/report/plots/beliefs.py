"""What a model says of whom."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.patheffects import withStroke
from matplotlib.ticker import FuncFormatter, MaxNLocator

from crm_analysis.messages import _, percent
from crm_analysis.report.figures.drawing import (
    Floats,
    day_numbers,
    label_axes,
    month_labels,
    month_ticks,
    percent_ticks,
)
from crm_analysis.report.figures.style import BAND, CARD, DASHES, DATA, INK, MODEL, ON_DARK, ON_LIGHT, SOFT
from crm_analysis.report.plots.canvas import canvas, class_ends, colours, heat_map, unit, units, wrapped

# Heights that are drawn as lines: shares, and numbers of any size.
_SHARES = (0.1, 0.3, 0.5, 0.7, 0.9)
_NUMBERS = tuple(digit * 10.0**power for power in range(-6, 7) for digit in (1, 2, 5))
_DARK_FROM = 0.6


def plot_frequency_recency_matrix(matrix: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw expected purchases, or the probability to be alive, by frequency and recency, with lines of equal height.

    Parameters
    ----------
    matrix : DataFrame
        Of `expected_purchases_matrix` or `probability_alive_matrix`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    is_share = matrix.attrs["quantity"] == "probability_alive"
    with canvas(ax, matrix, height=460, left=60) as (axes, sheet):
        x, y = matrix.index.to_numpy(dtype=float), matrix.columns.to_numpy(dtype=float)
        values = np.ma.masked_invalid(matrix.to_numpy(dtype=float).T)
        highest = 1.0 if is_share else float(values.max())
        # Few cells hold most of the purchases; equal steps of shade would leave all others white.
        scale = PowerNorm(1.0 if is_share else 0.5, vmin=0, vmax=highest)
        axes.pcolormesh(x, y, values, cmap=heat_map(), norm=scale, shading="nearest", rasterized=True)
        axes.set_xlim(x[0] - 0.5, x[-1] + 0.5)
        axes.set_ylim(y[0] - 0.5, y[-1] + 0.5)
        _label_heights(axes, x, y, values, scale, is_share=is_share)
        axes.grid(visible=False)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.tick_params(axis="x", length=0)
        what = (
            _("probability to be a customer still")
            if is_share
            else _(
                "expected purchases in the next {horizon} {units}",
                horizon=_length(matrix, "horizon"),
                units=units(matrix),
            )
        )
        seen = _("{what}; observed for {T} {units}", what=what, T=_length(matrix, "T"), units=units(matrix))
        label_axes(axes, sheet, x=_("repeat purchases"), y=seen, depth=42)
        _label_left(axes, sheet.left, _("{units} from the first to the last purchase", units=units(matrix)))
        return axes


def plot_alive_history(history: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how surely one customer was a customer still, day by day; ticks below mark the purchase days.

    Parameters
    ----------
    history : DataFrame
        Of `alive_history`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, history, bottom=36, left=92, height=340) as (axes, sheet):
        days = pd.DatetimeIndex(history.index)
        x = day_numbers(days)
        axes.set_xlim(x[0], x[-1] + 1)
        axes.set_ylim(-0.12, 1)
        axes.fill_between(x, history["lower"], history["upper"], color=BAND, linewidth=0)
        axes.plot(x, history["probability_alive"], color=MODEL, clip_on=False)
        bought = x[history["purchase"].to_numpy(dtype=bool)]
        axes.vlines(bought, -0.1, -0.03, color=DATA, linewidth=2)
        beside = axes.get_yaxis_transform()
        axes.text(-6 / axes.bbox.width, -0.065, _("purchases"), color=DATA, ha="right", va="center", transform=beside)
        months = month_ticks(days[0].date(), days[-1].date(), 4 if sheet.is_narrow else 8)
        axes.set_xticks(day_numbers(pd.DatetimeIndex(months)), month_labels(months))
        percent_ticks(axes, most=5)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
        customer = history.attrs.get("customer_id", "")
        label_axes(axes, sheet, y=_("probability to be a customer still, customer {customer}", customer=customer))
        return axes


def plot_new_customer_purchases(curve: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw the repeat purchases expected of a new customer, with the band of the doubt about the parameters.

    Parameters
    ----------
    curve : DataFrame
        Of `new_customer_purchases`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, curve) as (axes, sheet):
        x = curve.index.to_numpy(dtype=float)
        axes.set_xlim(0, x[-1])
        axes.set_ylim(0, float(curve.max().max()) * 1.06)
        axes.fill_between(x, curve["lower"], curve["upper"], color=BAND, linewidth=0, clip_on=False)
        axes.plot(x, curve["expected"], color=MODEL, clip_on=False)
        label_axes(
            axes,
            sheet,
            x=_("{units} since the first purchase", units=units(curve)),
            y=_("repeat purchases of a new customer, with 95% band"),
            depth=42,
        )
        return axes


def plot_heterogeneity(shares: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw how purchase rates, or dropout, differ among customers, with the mean.

    Parameters
    ----------
    shares : DataFrame
        Of `rate_heterogeneity` or `dropout_heterogeneity`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    quantity, mean = shares.attrs["quantity"], shares.attrs["mean"]
    is_rate = quantity.endswith("_rate")
    with canvas(ax, shares) as (axes, sheet):
        ends = class_ends(shares)
        left, width = ends[:-1], np.diff(ends)
        top = float(shares[["share", "upper"]].max().max()) * 1.08
        axes.set_xlim(ends[0], ends[-1])
        axes.set_ylim(0, top)
        axes.bar(left, shares["share"], width=width * 0.84, align="edge", color=BAND, edgecolor=MODEL, linewidth=1)
        axes.vlines(left + width * 0.42, shares["lower"], shares["upper"], color=MODEL, linewidth=2)
        axes.axvline(mean, color=INK, linewidth=1, linestyle=DASHES)
        written = f"{mean:.2g}" if is_rate else percent(mean)
        axes.text(mean + width[0] * 0.3, top * 0.94, _("mean {mean}", mean=written), color=INK)
        percent_ticks(axes)
        if not is_rate:
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _at: percent(value, 0)))
        names = {
            "purchase_rate": _("purchases a {unit}, while a customer", unit=unit(shares)),
            "purchase_at_opportunity": _("chance to buy at an opportunity, while a customer"),
            "dropout_at_purchase": _("chance to leave at a purchase"),
            "dropout_rate": _("rate of leaving, a {unit}", unit=unit(shares)),
            "dropout_at_opportunity": _("chance to leave before an opportunity"),
        }
        label_axes(axes, sheet, x=names[quantity], y=_("share of customers, with 95% limits"), depth=42)
        return axes


def plot_residual_by_frequency(residual: pd.DataFrame, *, ax: Axes | None = None) -> Axes:
    """Draw discounted residual purchases over frequency, one line a recency.

    Parameters
    ----------
    residual : DataFrame
        Of `residual_by_frequency`.
    ax : Axes, optional
        On a new figure when not given.

    Returns
    -------
    Axes
    """
    with canvas(ax, residual, right=40, height=400) as (axes, sheet):
        x = residual.index.to_numpy(dtype=float)
        axes.set_xlim(x[0], x[-1])
        axes.set_ylim(0, float(residual.max().max()) * 1.1)
        shades = heat_map()(np.linspace(0.5, 1, residual.shape[1]))
        for recency, shade in zip(residual.columns, shades, strict=True):
            heights = residual[recency].to_numpy(dtype=float)
            peak = int(heights.argmax())
            axes.plot(x, heights, color=shade, clip_on=False)
            # The peak is where the lines are farthest apart, and what they are drawn for.
            axes.annotate(
                f"{unit(residual)} {recency:g}",
                (x[peak], heights[peak]),
                xytext=(0, 5),
                textcoords="offset points",
                ha="left" if peak == 0 else "right" if peak == len(x) - 1 else "center",
                color=INK,
                path_effects=[withStroke(linewidth=4, foreground=colours()[CARD])],
            )
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_axes(
            axes,
            sheet,
            x=_("repeat purchases in {T} {units}", T=_length(residual, "T"), units=units(residual)),
            y=_("discounted purchases to come, by {unit} of the last purchase", unit=unit(residual)),
            depth=42,
        )
        return axes


def _length(frame: pd.DataFrame, name: str) -> str:
    """Write a length of time of a frame, with a decimal where it is not whole."""
    return f"{round(frame.attrs[name], 1):g}"


def _label_heights(
    ax: Axes, x: Floats, y: Floats, values: np.ma.MaskedArray, scale: PowerNorm, *, is_share: bool
) -> None:
    """Draw lines of equal height with their values, dark on light and light on dark; a level matrix has none."""
    low, high = float(values.min()), float(values.max())

    def write(value: float) -> str:
        return percent(value, 0) if is_share else f"{value:g}"

    def ink(value: float) -> str:
        return ON_DARK if scale(value) > _DARK_FROM else ON_LIGHT

    if high - low < 1e-9:
        ax.text(0.5, 0.5, write(high), color=ink(high), transform=ax.transAxes)
        return
    levels = [level for level in (_SHARES if is_share else _NUMBERS) if low < level < high and scale(level) > 0.1]
    if levels:
        lines = ax.contour(x, y, values, levels=levels, colors=[ink(level) for level in levels], linewidths=1)
        ax.clabel(lines, fmt=write)


def _label_left(ax: Axes, left: int, text: str) -> None:
    """Name the axis that runs upwards, along it."""
    lines = wrapped(text, ax.bbox.height)
    x = -(left - 14) / ax.bbox.width
    ax.text(x, 0.5, lines, color=SOFT, rotation=90, ha="center", va="center", transform=ax.transAxes)
