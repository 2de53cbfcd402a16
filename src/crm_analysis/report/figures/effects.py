"""Effects in points of the outcome: of one driver moved, and of a bad and a good experience with each."""

import pandas as pd

from crm_analysis.messages import _, number, signed
from crm_analysis.report.figures.dots import Mark, dot_rows, interval_dots
from crm_analysis.report.figures.drawing import number_tick
from crm_analysis.report.figures.labels import in_words
from crm_analysis.report.figures.style import DATA, MODEL
from crm_analysis.report.pieces import Drawing


def effect_dots(table: pd.DataFrame, *, name: str, label: str, axis: str) -> Drawing:
    """Draw effects with their intervals, to both sides of none.

    Parameters
    ----------
    table : DataFrame, one row an effect, from the top
        label; value, lower and upper, in points of the outcome's scale. Effects whose interval holds 0 step back.
        Optionally small, a second text below the label.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts, with its scale.

    Returns
    -------
    Drawing
    """
    numbers = table[["value", "lower", "upper"]].astype(float)
    return interval_dots(
        table.assign(
            is_muted=(numbers["lower"] <= 0) & (numbers["upper"] >= 0),
            words=in_words(table, "value", "lower", "upper", _points),
        ),
        name=name,
        label=label,
        axis=axis,
        tick=_point_tick,
    )


def penalty_reward_dots(table: pd.DataFrame, *, name: str, label: str, axis: str) -> Drawing:
    """Draw penalties and rewards with their intervals, to both sides of no difference.

    Parameters
    ----------
    table : DataFrame, one row a driver, from the top
        label; penalty, penalty_lower and penalty_upper, reward, reward_lower and reward_upper: difference of the
        outcome from that of customers in the middle, in points of its scale; kind, in the reader's words.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts, with its scale.

    Returns
    -------
    Drawing
    """
    words = [
        _(
            "{penalty} / {reward}, {kind}",
            penalty=_points(row["penalty"]),
            reward=_points(row["reward"]),
            kind=row["kind"],
        )
        for row in table.to_dict("records")
    ]
    return dot_rows(
        table.assign(words=words),
        (
            Mark("penalty", MODEL, ("penalty_lower", "penalty_upper"), words=_("rated low")),
            Mark("reward", DATA, ("reward_lower", "reward_upper"), words=_("rated high")),
        ),
        name=name,
        label=label,
        axis=axis,
        tick=_point_tick,
    )


def _point_tick(value: float) -> str:
    return signed(number_tick(value), value)


def _points(value: float) -> str:
    return signed(number(value, 2), value)
