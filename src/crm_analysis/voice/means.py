"""Weighted means of scores with their linearised errors, and the intervals made of them."""

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri, stdtr, stdtrit

from crm_analysis.messages import N_
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.responses import effective_n

# Worth fewer answers than these, two means are not tested against each other.
LEAST_ANSWERS = 10
TOO_FEW = N_("too few answers")


class WeightedMean(NamedTuple):
    """What answers say of a mean.

    Attributes
    ----------
    value : float
        Weighted mean; missing where nobody answered.
    spread : float
        Weighted variance of the scores, as of a whole population: sum of w (x - mean)^2 / sum of w.
    variance : float
        Of `value`: sum of w^2 (x - mean)^2 / (sum of w)^2.
    n : int
        Answers that count: those of a weight above 0.
    effective_n : float
        What they are worth (Kish).
    """

    value: float
    spread: float
    variance: float
    n: int
    effective_n: float


def weighted_mean(scores: Floats, weights: Floats) -> WeightedMean:
    """Weighted mean of scores and its linearised variance.

    Parameters
    ----------
    scores : array, shape (n_respondents,)
        Missing where there is no answer.
    weights : array, shape (n_respondents,)
        Survey weights, >= 0.

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 6: a weighted mean is a ratio of two totals.
    """
    counts = ~np.isnan(scores) & (weights > 0)
    x, w = scores[counts], weights[counts]
    if not len(x):
        return WeightedMean(np.nan, np.nan, np.nan, 0, 0.0)
    total = w.sum()
    # Answers that are all alike have no spread, not the rounding error of one.
    mean = float(w @ x / total) if np.ptp(x) > 0 else float(x[0])
    squares = (x - mean) ** 2
    spread, variance = w @ squares / total, w**2 @ squares / total**2
    return WeightedMean(mean, float(spread), float(variance), len(x), effective_n(w))


def bessel(n: int) -> float:
    """Correction n / (n - 1) of a variance around an estimated mean; missing for fewer than two answers."""
    return n / (n - 1) if n > 1 else float("nan")


def normal_reach(error: float, level: float) -> float:
    """Half the width of an interval of normal errors."""
    return float(ndtri((1 + level) / 2)) * error


def t_reach(error: float, df: float, level: float) -> float:
    """Half the width of an interval of Student's t; missing without degrees of freedom."""
    return float(stdtrit(df, (1 + level) / 2)) * error if df > 0 else float("nan")


def two_sided_p(difference: float, error: float, df: float) -> float:
    """Probability of a difference so far from 0 or farther when there is none; `df` may be infinite (normal).

    Where the error is 0 nothing varies: a difference that is not 0 is then certain.
    """
    if np.isnan(difference) or np.isnan(error) or not df > 0:
        return float("nan")
    if error == 0:
        return float(difference == 0)
    return 2 * float(stdtr(df, -abs(difference / error)))


def mean_estimate(scores: Floats, weights: Floats, *, level: float) -> Estimate:
    """Mean with the t interval of its linearised error, on the Kish effective n less one degrees of freedom."""
    found = weighted_mean(scores, weights)
    error = float(np.sqrt(found.variance * bessel(found.n)))
    reach = t_reach(error, found.effective_n - 1, level)
    interval = Interval(found.value - reach, found.value + reach, level, (RESPONDENTS,))
    return Estimate(found.value, interval, error, found.n, found.effective_n, "t")


def share_estimate(is_part: Floats, weights: Floats, *, level: float) -> Estimate:
    """Share of ones among ones and zeros with the interval of Wilson on the Kish effective n."""
    found = weighted_mean(is_part, weights)
    lower, upper = wilson_interval(found.value * found.effective_n, found.effective_n, level=level)
    interval = Interval(float(lower), float(upper), level, (RESPONDENTS,))
    error = float(np.sqrt(found.variance))
    return Estimate(found.value, interval, error, found.n, found.effective_n, "Wilson")
