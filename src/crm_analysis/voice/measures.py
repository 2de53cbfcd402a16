"""What can be made of the answers to one question: its mean, the share in the top boxes, the net promoter score."""

from collections.abc import Hashable, Iterable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
import pandas as pd

from crm_analysis.data.survey import by_numbers
from crm_analysis.errors import SettingsError, Violation, listing
from crm_analysis.models.checks import check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.means import WeightedMean, mean_estimate, normal_reach, share_estimate, weighted_mean
from crm_analysis.voice.rating_scale import Scale, check_scale, off_scale
from crm_analysis.voice.responses import take_responses

Measure = Literal["mean", "top_box", "nps"]

RECOMMENDATION: Scale = (0, 10)


class _Added(NamedTuple):
    """Answers added to a sample before its Wald interval is made: how many, their mean and mean square."""

    n: float
    mean: float
    square: float


# Three answers to a net promoter score, 3/4 of them promoters and 3/4 detractors (Rocks 2016); four to a share, half of
# them ones (Agresti & Coull 1998).
_ADDED = {"nps": _Added(3, 0.0, 0.5 * 100.0**2), "top_box": _Added(4, 0.5, 0.5)}


class Question(NamedTuple):
    """How the answers to a question are scored.

    Attributes
    ----------
    measure : "mean", "top_box" or "nps"
        The mean of the answers; the share of those in the `top` highest points of `scale`; the share of 9 and 10 less
        that of 0 to 6, on a scale of 0 to 10, in points from -100 to 100.
    top : int
        Boxes, for "top_box".
    scale : tuple of two numbers
        Least and highest answer, for "top_box".
    """

    measure: Measure
    top: int = 2
    scale: Scale = (1, 10)

    def score(self, ratings: Floats) -> Floats:
        """Score answers so that the measure is a mean: as they are, 0 or 1, -100 or 0 or 100; missing stays missing."""
        if self.measure == "mean":
            return ratings
        if self.measure == "top_box":
            scores = np.where(ratings > self.scale[1] - self.top, 1.0, 0.0)
        else:
            scores = 100 * (np.where(ratings >= 9, 1.0, 0.0) - np.where(ratings <= 6, 1.0, 0.0))
        return np.where(np.isnan(ratings), np.nan, scores)

    def estimate(self, scores: Floats, weights: Floats, *, level: float) -> Estimate:
        """Estimate the measure from scores, with the interval of its kind."""
        if self.measure == "mean":
            return mean_estimate(scores, weights, level=level)
        if self.measure == "top_box":
            return share_estimate(scores, weights, level=level)
        found = weighted_mean(scores, weights)
        centre, variance = adjusted(found, self.measure)
        reach = normal_reach(float(np.sqrt(variance)), level)
        interval = Interval(max(centre - reach, -100.0), min(centre + reach, 100.0), level, (RESPONDENTS,))
        error = float(np.sqrt(found.variance))
        return Estimate(found.value, interval, error, found.n, found.effective_n, "adjusted Wald")

    def clip(self, value: float) -> float:
        """Keep a value within what the measure can be."""
        lower, upper = {"mean": (-np.inf, np.inf), "top_box": (0.0, 1.0), "nps": (-100.0, 100.0)}[self.measure]
        return float(np.clip(value, lower, upper))

    def off_scale(self, frame: pd.DataFrame) -> list[Violation]:
        """Find answers that cannot be; of a mean, the scale is not known and nothing is looked for."""
        if self.measure == "mean":
            return []
        return off_scale(frame, *(self.scale if self.measure == "top_box" else RECOMMENDATION), whole=True)


def adjusted(found: WeightedMean, measure: Measure) -> tuple[float, float]:
    """Value of a share or a net promoter score, and its variance, after a few answers of either end are added.

    The added answers keep the variance from being 0 where everybody answers alike. With weights the sample is taken as
    one of its Kish effective n of the same shares.

    References
    ----------
    Rocks (2016), Interval estimation for the "net promoter score", The American Statistician 70(4), 365-372; Agresti &
    Coull (1998), The American Statistician 52(2), 119-126.
    """
    added, n = _ADDED[measure], found.effective_n
    total = n + added.n
    value = (n * found.value + added.n * added.mean) / total
    square = (n * (found.spread + found.value**2) + added.n * added.square) / total
    return value, (square - value**2) / total


def question(measure: str, top: int, scale: Scale) -> Question:
    """Return how to score, after a look at the arguments of the caller."""
    if measure not in get_args(Measure):
        raise SettingsError(f"measure is {measure!r}; give {listing([repr(name) for name in get_args(Measure)])}.")
    lower, upper = check_scale(scale)
    check_whole("top", top, least=1)
    if top > upper - lower:
        raise SettingsError(f"top is {top}; a scale of {lower:g} to {upper:g} has at most {upper - lower:g} top boxes.")
    return Question(measure, top, (lower, upper))  # type: ignore[arg-type]


def take_columns(columns: dict[str, Any], weights: Any) -> tuple[pd.DataFrame, Floats]:
    """Return answers given one by one, as Series or arrays, as a frame of numbers, and the weights."""
    found = {name: _column(name, values) for name, values in columns.items()}
    series = [values for values in columns.values() if isinstance(values, pd.Series)]
    index = series[0].index if series else None
    lengths = {len(column) for column in found.values()}
    if len(lengths) > 1 or any(not each.index.equals(index) for each in series):
        raise SettingsError(f"{listing(list(found))} must be of the same respondents, in the same order.")
    frame = pd.DataFrame({name: column.to_numpy(dtype=object) for name, column in found.items()}, index=index)
    if isinstance(weights, str):
        raise SettingsError(f"weights is {weights!r}; give one number >= 0 a respondent, such as frame[{weights!r}].")
    taken = take_responses(frame, list(found), weights=weights)
    return taken.frame, taken.weights


def _column(name: str, values: Any) -> pd.Series:
    if isinstance(values, pd.Series):
        return values
    try:
        column = pd.Series(values) if not isinstance(values, str | dict | pd.DataFrame) else None
    except (TypeError, ValueError):
        column = None
    if column is None or np.ndim(values) != 1:
        raise SettingsError(f"{name} must be a Series or an array, one number a respondent.")
    return column.reset_index(drop=True)


def levels_of(column: pd.Series) -> list[Hashable]:
    """Levels of a column in their order: that of its categories, else as `sorted_levels`; missing ones left out."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        there = set(column.dropna())
        return [level for level in column.cat.categories if level in there]
    return sorted_levels(column.dropna().unique())


def sorted_levels(levels: Iterable[Any]) -> list[Hashable]:
    """Sort levels: text by the numbers in it too, so that wave 10 comes after wave 9; several kinds as text."""
    levels = list(levels)
    if all(isinstance(level, str) for level in levels):
        return sorted(levels, key=by_numbers)
    try:
        return sorted(levels)
    except TypeError:
        return sorted(levels, key=str)
