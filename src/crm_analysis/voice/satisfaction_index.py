"""A satisfaction index from 0 to 100: the weighted mean of several ratings, rescaled."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, listing, refuse
from crm_analysis.messages import _, count, percent
from crm_analysis.models.checks import check_level, check_whole, is_number
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.means import mean_estimate, normal_reach
from crm_analysis.voice.moments import resampled_moments
from crm_analysis.voice.rating_scale import Scales, off_scale, points_of_100, scale_ends
from crm_analysis.voice.responses import effective_n, frame_of, named_items, take_responses


@dataclass(frozen=True)
class SatisfactionIndex(Estimate):
    """An index from 0 (everybody gives every item its lowest mark) to 100 (its highest).

    Besides the attributes of `Estimate`:

    Attributes
    ----------
    items : DataFrame, index item
        weight (adding up to 1); mean (marks), performance (mean from 0 to 100) among the respondents of the index;
        answered (respondents who count and answered this item).
    scores : Series, index as the responses
        Index of each respondent; missing for those who did not answer every item.
    notes : tuple of str
        What to beware of, in words.
    """

    items: pd.DataFrame = field(repr=False, compare=False)
    scores: pd.Series = field(repr=False, compare=False)
    notes: tuple[str, ...]


def satisfaction_index(
    responses: Any,
    items: Sequence[Any],
    *,
    item_weights: Mapping[Any, float] | pd.Series | None = None,
    scale: Scales = (1, 10),
    weights: Any = None,
    draws: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
) -> SatisfactionIndex:
    """Index of several ratings of the same thing.

    Parameters
    ----------
    responses : DataFrame or Survey
    items : sequence of names
        Ratings of overall satisfaction, of expectations met, of the distance to the ideal, say.
    item_weights : mapping or Series of item to weight > 0, optional
        How much each counts, on the 0-100 scale; only their proportions matter. None: all alike. Those of a path model
        are `fit.weights["share"][construct]`, and are then taken as known.
    scale : (low, high) or mapping of item to (low, high)
        Lowest and highest mark; items that a mapping leaves out are asked from 1 to 10.
    weights : str, Series, array or None
        Survey weights.
    draws : int
        Draws of respondents behind the interval; 0: linearisation.
    seed : int
    level : float

    Returns
    -------
    SatisfactionIndex
        Of the respondents who answered every item; missing where there is none.

    Raises
    ------
    SettingsError
        When items are not there, or item weights do not fit or are not above 0.
    DataError
        When answers are no numbers or off their scale.

    References
    ----------
    Fornell, Johnson, Anderson, Cha & Bryant (1996), Journal of Marketing 60(4), 7-18: 100 sum w (mean - 1) / (9 sum w)
    for items from 1 to 10.

    Examples
    --------
    >>> answers = pd.DataFrame({"overall": [10, 7, 4, 9], "expected": [9, 6, 5, 8]})
    >>> round(satisfaction_index(answers, ["overall", "expected"]).value, 2)
    69.44
    """
    check_level(level)
    check_whole("the number of draws", draws, least=0)
    check_whole("seed", seed, least=0)
    items = named_items(items, least=1)
    share = _item_weights(item_weights, items)
    low, high = scale_ends(scale, items, among=frame_of(responses).columns)
    taken = take_responses(responses, items, weights=weights)
    refuse(off_scale(taken.frame, low, high))
    performance = points_of_100(taken.frame.to_numpy(), low, high)
    scores = pd.Series(performance @ share, index=taken.frame.index, name="index")
    counts = taken.weights > 0
    used = counts & scores.notna().to_numpy()
    values, counted = np.asarray(scores[used], dtype=np.float64), taken.weights[used]
    value = float(np.average(values, weights=counted)) if len(values) else float("nan")
    rng = np.random.default_rng(seed)
    can_draw = draws > 0 and len(values) > 1
    drawn = resampled_moments(values[:, None], counted, draws=draws, rng=rng).means if can_draw else np.empty((0, 1))
    error, interval, method = _reach(value, values, counted, drawn[:, 0], level)
    mean = (counted @ taken.frame.to_numpy()[used] / counted.sum()) if len(values) else np.full(len(items), np.nan)
    table = pd.DataFrame(
        {
            "weight": share,
            "mean": mean,
            "performance": points_of_100(mean, low, high),
            "answered": taken.frame[counts].notna().sum().to_numpy(),
        },
        index=pd.Index(items, name="item"),
    )
    return SatisfactionIndex(
        value,
        interval,
        error,
        len(values),
        effective_n(counted),
        method,
        table,
        scores,
        _notes(int(counts.sum()), len(values)),
    )


def _item_weights(given: Mapping[Any, float] | pd.Series | None, items: list[Any]) -> Floats:
    """Weights of the items in their order, adding up to 1."""
    if given is None:
        return np.full(len(items), 1 / len(items))
    if not isinstance(given, Mapping | pd.Series):
        raise SettingsError(f"item_weights is a {type(given).__name__}; give a mapping or Series of item to weight.")
    named = dict(given.items())
    apart = [str(name) for name in dict.fromkeys([*named, *items]) if (name in named) != (name in items)]
    if apart:
        raise SettingsError(
            f"item_weights and items do not name the same: {listing(apart)}; give each item one weight."
        )
    wrong = [f"{name}: {weight!r}" for name, weight in named.items() if not (is_number(weight) and weight > 0)]
    if wrong:
        raise SettingsError(
            f"item weights must be above 0, but there is {listing(wrong)}; leave such an item out, or turn it when it "
            "is worded the other way round."
        )
    ordered = np.array([named[item] for item in items], dtype=float)
    return np.asarray(ordered / ordered.sum())


def _reach(value: float, values: Floats, weights: Floats, drawn: Floats, level: float) -> tuple[float, Interval, str]:
    """Standard error, interval, and how they were made."""
    if len(drawn) > 1:
        interval = Interval.of_draws(drawn, level=level, contains=(RESPONDENTS,))
        return float(drawn.std(ddof=1)), interval, "bootstrap"
    if len(values) < 2:
        return float("nan"), Interval(float("nan"), float("nan"), level, (RESPONDENTS,)), "linearisation"
    error = mean_estimate(values, weights, level=level).standard_error
    half = normal_reach(error, level)
    limits = max(value - half, 0.0), min(value + half, 100.0)
    return error, Interval(*limits, level, (RESPONDENTS,)), "linearisation"


def _notes(asked: int, n: int) -> tuple[str, ...]:
    if n == asked:
        return ()
    lost = _(
        "{lost} of {asked} respondents ({share}) are left out: they did not answer every question.",
        lost=count(asked - n),
        asked=count(asked),
        share=percent((asked - n) / asked),
    )
    return (lost,)
