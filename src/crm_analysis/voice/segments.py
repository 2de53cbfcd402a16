"""Scores by segment: each with its interval, and drawn towards the whole where answers are few."""

from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import refuse
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats
from crm_analysis.voice.estimate import SMALL_BASE, estimate_table
from crm_analysis.voice.means import normal_reach, weighted_mean
from crm_analysis.voice.measures import levels_of, question
from crm_analysis.voice.rating_scale import Scale
from crm_analysis.voice.responses import frame_of, take_responses
from crm_analysis.voice.shrinkage import shrink

NOT_KNOWN = N_("not known")


def segment_scores(
    responses: Any,
    item: str,
    *,
    by: str,
    measure: str = "mean",
    top: int = 2,
    scale: Scale = (1, 10),
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Score of one question in each segment, as found and drawn towards the whole.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent.
    item : str
        The question.
    by : str
        Column of segments; who has none is the segment "not known".
    measure : "mean", "top_box" or "nps"
        As `mean_rating`, `top_box` with `top` and `scale`, or `net_promoter_score`.
    weights : str, Series, array or None
        As for `take_responses`.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame, index the levels of `by`, in order, "not known" last
        n, effective_n, value, lower, upper (interval as of the measure), shrunk, shrunk_lower, shrunk_upper, is_small
        (fewer than 30 effective answers). Small segments are shown, and are drawn the most. A segment in which nobody
        answered has missing scores. `shrunk` is the better guess of each segment when all are compared with each other;
        with fewer than four segments it is `value`.

    Raises
    ------
    DataError
        When answers are no numbers, or cannot be given on the scale.
    SettingsError
        When a column is not there or an argument is out of range.

    Notes
    -----
    Empirical Bayes as of `shrink`: the truth of segments is normal around a common mean. The variance of a segment's
    score is that within all segments taken together, over its Kish effective n: the variance found in a few answers
    alone would give those most weight that happen to agree.
    """
    check_level(level)
    asked = question(measure, top, scale)
    taken = take_responses(responses, [item], weights=weights)
    refuse(asked.off_scale(taken.frame))
    segment = _segments(responses, by)
    scores = asked.score(taken.frame[item].to_numpy())
    parts = {name: (scores[rows], taken.weights[rows]) for name, rows in segment.items()}
    estimates = [asked.estimate(*part, level=level) for part in parts.values()]
    table = estimate_table(estimates, index=pd.Index(list(parts), name=by))
    values, errors = _shrunk(table, _variance_within(list(parts.values())))
    reach = np.array([normal_reach(error, level) for error in errors])
    table["shrunk"] = values
    table["shrunk_lower"] = [asked.clip(end) for end in values - reach]
    table["shrunk_upper"] = [asked.clip(end) for end in values + reach]
    return table.assign(is_small=table["effective_n"] < SMALL_BASE)


def _segments(responses: Any, by: str) -> dict[Any, Any]:
    column = frame_of(responses, [by])[by]
    segments = {name: (column == name).fillna(False).to_numpy(bool) for name in levels_of(column)}
    unknown = column.isna().to_numpy()
    if unknown.any():
        segments[NOT_KNOWN] = segments.pop(NOT_KNOWN, False) | unknown
    return segments


def _variance_within(parts: list[tuple[Floats, Floats]]) -> float:
    """Variance of single answers around the score of their segment, all segments together."""
    found = [each for part in parts if (each := weighted_mean(*part)).n > 1]
    freedom = sum(each.n - 1 for each in found)
    return sum(each.n * each.spread for each in found) / freedom if freedom else float("nan")


def _shrunk(table: pd.DataFrame, within: float) -> tuple[Floats, Floats]:
    """Shrunken scores and their errors; as found, without an error, where nothing varies or all are too few."""
    values, errors = table["value"].to_numpy(copy=True), np.full(len(table), np.nan)
    there = table["n"].to_numpy() > 0
    if within > 0:
        variances = within / table["effective_n"].to_numpy()[there]
        values[there], errors[there], _ = shrink(values[there], variances)
    return values, errors
