"""A structural model of monthly counts: level, drift and seasons, averaged over how strong each of them is.

The logarithm of a month's expectation is a level that wanders, a drift that fades slowly, seasons that repeat, and
noise of single months; the count is Poisson given it. How strong each part is, a few months cannot say surely, so that
a small grid of strengths is averaged, each weighted by how probable it makes what was seen.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from crm_analysis.models.histories import Floats

_YEAR = 12
# What is thought before any month is seen, standard deviations of logarithms. A level may be anything.
_LEVEL = 2.0
# By how much the level wanders in a month, and how probable each is: most shops are steady, some are not.
_WANDERING = {0.0: 0.80, 0.05: 0.15, 0.15: 0.05}
# Drift of a month, and how probable: a quarter more or less a year is usual, none at all is not. Half of it is left
# after three years.
_DRIFTING, _KEPT = {0.0: 0.10, 0.02: 0.90}, 0.98
_SEASON = (0.15, 0.40)
_NOISE = (0.0, 0.10, 0.30)
# Of a month longer ago a forecast learns next to nothing, and the sums grow with the cube of their number.
_REMEMBERED = 60
# Counts above it are taken in a larger unit: chance plays no part in them, and sums of such weights lose their digits.
_LARGEST = 1e5


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is expected after the months seen.

    Attributes
    ----------
    expected : array, shape (n_ahead,)
        Number of each month.
    error : float
        Standard deviation of the log of the expected total of the first `months`; the chance in what comes is not in
        it.
    dispersion : float
        Variance of a month's number over its mean, >= 1, given what is expected.
    """

    expected: Floats
    error: float
    dispersion: float


def outlook(seen: Floats, *, months: int, ahead: int | None = None) -> Outlook:
    """Forecast monthly counts.

    Parameters
    ----------
    seen : array, shape (n_months,)
        Counts, the latest last; the last sixty are looked at.
    months : int
        How many months the error is about.
    ahead : int, optional
        How many months to forecast, at least `months`; by default these.

    Returns
    -------
    Outlook

    Notes
    -----
    The parts are those of the basic structural model (Harvey 1989, Forecasting, Structural Time Series Models and the
    Kalman Filter, ch. 2), with a damped drift (Hyndman & Athanasopoulos, Forecasting: Principles and Practice, 3rd
    ed., section 8.2), here as one Gaussian process whose covariance is the sum of theirs. Its posterior under Poisson
    counts is Laplace's approximation (Rasmussen & Williams 2006, Gaussian Processes for Machine Learning, algorithm
    3.1 and eq. 3.32), with the mean moved from the mode by the first term of its skewness. Forecasts are averaged, as
    combinations are more accurate than the best of their members (Makridakis, Spiliotis & Assimakopoulos 2020,
    International Journal of Forecasting 36, 54-74). `expected` is the median over what is not known of the level and
    the mean over the noise of months: a mean over both would grow with the doubt itself, and came out too high on
    simulated shops.
    """
    seen = seen[-_REMEMBERED:]
    unit = max(1.0, float(seen.max()) / _LARGEST)
    seen = seen / unit
    ahead = months if ahead is None else ahead
    known = len(seen)
    grid = list(product(_WANDERING, _DRIFTING, _SEASON, _NOISE))
    prior = np.array([_WANDERING[wandering] * _DRIFTING[drifting] for wandering, drifting, _season, _noise in grid])
    wandering, drifting, season, noise = np.array(grid).T
    covariance = _covariance(known + ahead, wandering, drifting, season)
    among = covariance[:, :known, :known] + (noise**2)[:, None, None] * np.eye(known)
    across, later = covariance[:, :known, known:], covariance[:, known:, known:]

    centre = np.log(seen.mean() + 0.1)
    mode, evidence = _mode(seen, among, centre)
    mean_count = np.exp(mode)
    root = np.sqrt(mean_count)
    factor = np.linalg.cholesky(np.eye(known) + root[:, :, None] * among * root[:, None, :])
    log_weight = evidence - np.log(np.diagonal(factor, axis1=1, axis2=2)).sum(axis=1) + np.log(prior)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()

    seen_part = np.linalg.solve(factor, root[:, :, None] * among)
    later_part = np.linalg.solve(factor, root[:, :, None] * across)
    spread = later - np.swapaxes(later_part, 1, 2) @ later_part
    between = across - np.swapaxes(seen_part, 1, 2) @ later_part
    own = np.diagonal(among, axis1=1, axis2=2) - (seen_part**2).sum(axis=1)
    # Of a Poisson count the likelihood of the logarithm leans to the left, so that its mean lies below its mode.
    mean = centre + np.einsum("gij,gi->gj", across, seen - mean_count)
    mean -= np.einsum("gij,gi->gj", between, mean_count * own) / 2

    # The median over what is not known of the level, the mean over the noise of months: see the notes.
    each = np.exp(mean + noise[:, None] ** 2 / 2)
    totals = each[:, :months].sum(axis=1)
    shares = each[:, :months] / totals[:, None]
    variance = np.einsum("gi,gij,gj->g", shares, spread[:, :months, :months], shares)
    off = np.log(totals / (weight @ totals))
    return Outlook(
        expected=unit * (weight @ each),
        error=float(np.sqrt(weight @ (variance + off**2))),
        dispersion=1 + float(weight @ (np.expm1(noise**2) * unit * totals / months)),
    )


def _covariance(months: int, wandering: Floats, drifting: Floats, season: Floats) -> Floats:
    """Prior covariance of the log expectations of so many months, for each strength; shape (n_strengths, n, n)."""
    month = np.arange(months)
    apart = np.abs(np.subtract.outer(month, month))
    level = np.minimum.outer(month, month)
    drift = np.cumsum(np.cumsum(_KEPT**apart, axis=0), axis=1)
    same_season = (apart % _YEAR == 0) - 1 / _YEAR
    return np.asarray(
        _LEVEL**2
        + np.multiply.outer(wandering**2, level)
        + np.multiply.outer(drifting**2, drift)
        + np.multiply.outer(season**2, same_season)
    )


def _mode(seen: Floats, covariance: Floats, centre: float) -> tuple[Floats, Floats]:
    """Return the most probable log expectations for each covariance, and the log posterior there, up to a constant."""
    mode = np.broadcast_to(np.log(seen + 0.5), covariance.shape[:2])
    highest = np.log(seen.max() + 1) + 2  # no step of the search needs to go there
    for _step in range(50):
        expected = np.exp(mode)
        root = np.sqrt(expected)
        inner = np.eye(len(seen)) + root[:, :, None] * covariance * root[:, None, :]
        pull = expected * (mode - centre) + seen - expected
        moved = root * np.einsum("gij,gj->gi", covariance, pull)
        weights = pull - root * np.linalg.solve(inner, moved[..., None])[..., 0]
        better = np.minimum(centre + np.einsum("gij,gj->gi", covariance, weights), highest)
        step, mode = float(np.abs(better - mode).max()), better
        if step < 1e-6:
            break
    posterior = (seen * mode - np.exp(mode)).sum(axis=1) - ((mode - centre) * weights).sum(axis=1) / 2
    return mode, posterior
