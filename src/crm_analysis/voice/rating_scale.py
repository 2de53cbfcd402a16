"""The ends of rating scales, answers off them, and answers as points from 0 (the worst mark) to 100 (the best)."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, listing
from crm_analysis.models.checks import is_number
from crm_analysis.models.histories import Floats

Scale = tuple[float, float]
Scales = Scale | Mapping[Any, Scale]

USUAL_SCALE: Scale = (1, 10)


def check_scale(scale: Any, name: Any = None) -> Scale:
    """Return a scale; raise `SettingsError` unless it is two numbers, the lowest mark first."""
    try:
        low, high = scale
    except (TypeError, ValueError):
        low = high = None
    if not (is_number(low) and is_number(high) and low < high):
        whose = "scale" if name is None else f"the scale of {name}"
        raise SettingsError(f"{whose} is {scale!r}; give the lowest and highest mark, such as (1, 10).")
    return low, high


def scale_ends(scale: Scales, items: Sequence[Any], *, among: Collection[Any] | None = None) -> tuple[Floats, Floats]:
    """Return the lowest and the highest mark of each item.

    Parameters
    ----------
    scale : (low, high) or mapping of item to (low, high)
        One scale for all items; or those of some, when the others are asked from 1 to 10.
    items : sequence of names
    among : collection of names, optional
        What a mapping may name, such as all columns of a survey. None: the items.

    Returns
    -------
    low, high : array, shape (n_items,)

    Raises
    ------
    SettingsError
        When ends are no two rising numbers, or an item is not there.
    """
    if not isinstance(scale, Mapping):
        low, high = check_scale(scale)
        return np.full(len(items), low, dtype=float), np.full(len(items), high, dtype=float)
    unknown = [str(name) for name in scale if name not in (items if among is None else among)]
    if unknown:
        raise SettingsError(
            f"scale: there is no item {listing(unknown)}; the items are {listing(list(map(str, items)))}."
        )
    ends = {name: check_scale(pair, name) for name, pair in scale.items()}
    pairs = np.array([ends.get(item, USUAL_SCALE) for item in items], dtype=float).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def off_scale(answers: pd.DataFrame, low: Any, high: Any, *, whole: bool = False) -> list[Violation]:
    """Find answers off the scale of their item, and between its points where only whole answers can be.

    Parameters
    ----------
    answers : DataFrame of float, column item
        Missing answers are not off the scale.
    low, high : float or array, shape (n_items,)
        Ends; nothing is off a scale whose ends are missing.
    whole : bool
        Whether answers must be whole numbers.
    """
    low, high = np.broadcast_to(low, answers.shape[1]), np.broadcast_to(high, answers.shape[1])
    wrong = (answers < low) | (answers > high)
    if whole:
        wrong |= answers.notna() & (answers != np.floor(answers))
    rule = "not a whole number from" if whole else "outside the scale of"
    fix = "leave missing answers blank, not 0 or 99, and give the scale the question was asked on, such as (0, 10)."
    return [
        Violation(
            "survey answers",
            str(name),
            f"{rule} {bottom:g} to {top:g}",
            int(wrong[name].sum()),
            fix,
            answers.loc[wrong[name], [name]].head(5),
        )
        for name, bottom, top in zip(answers, low, high, strict=True)
        if wrong[name].any()
    ]


def points_of_100(answers: Floats, low: Floats, high: Floats) -> Floats:
    """Return marks, the last axis being items, as points from 0 at the lowest to 100 at the highest."""
    return 100 * (answers - low) / (high - low)
