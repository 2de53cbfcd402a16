"""Weighted means and covariances of answers, and those of bootstrap samples of the respondents, by matrix products."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from crm_analysis.models.histories import Floats

# Respondents and draws gone through at a time: the largest arrays are of 16 to 32 MB for 30 columns.
_ROWS, _DRAWS = 8192, 256
# A variance below this share of the mean square is what rounding leaves of none.
_ROUNDING = 1e-12


class Moments(NamedTuple):
    """What models of covariances need of the answers.

    Attributes
    ----------
    means : array, shape (..., k)
    covariances : array, shape (..., k, k)
        Divided by the sum of weights, so that a weight of 2 equals a row given twice. Exactly 0 for a column that does
        not vary.
    """

    means: Floats
    covariances: Floats

    @property
    def deviations(self) -> Floats:
        """Standard deviations, shape (..., k)."""
        return np.asarray(np.sqrt(np.diagonal(self.covariances, axis1=-2, axis2=-1)))


def weighted_moments(answers: Floats, weights: Floats) -> Moments:
    """Return means and covariances of complete answers.

    Parameters
    ----------
    answers : array, shape (n_respondents, k)
        None is missing.
    weights : array, shape (n_respondents,)
        >= 0, not all 0.
    """
    share = weights / weights.sum()
    # From those of somebody who counts, so that what does not vary is 0 without rounding.
    origin = answers[np.argmax(weights > 0)]
    centred = answers - origin
    means = share @ centred
    centred = centred - means
    covariances = centred.T @ (share[:, None] * centred)
    return Moments(origin + means, (covariances + covariances.T) / 2)


def resampled_moments(
    answers: Floats, weights: Floats, *, draws: int, rng: np.random.Generator, noise: bool = False
) -> Moments:
    """Return the moments of samples of as many respondents, drawn with replacement, their weights with them.

    Parameters
    ----------
    answers, weights
        As `weighted_moments`.
    draws : int
        Number of samples; the leading axis of the result. A sample in which nobody has a weight is missing.
    rng : Generator
        Source of randomness. Two calls with equal generators and as many respondents draw the same ones.
    noise : bool
        Whether to put in front a column that has nothing to do with the answers: a standard normal number of each
        respondent, new for each sample. It is resampled with its respondent: by chance alone its share in an
        analysis is then as large as that of a driver without effect.

    Notes
    -----
    A sample is how often each respondent is in it. Sums over samples are the product of these counts and the products
    of columns (Efron & Tibshirani 1993, An Introduction to the Bootstrap, section 20.2: resampling vectors); no model
    is fitted again. The noise follows Tonidandel, LeBreton & Johnson (2009), Psychological Methods 14, 387-399.
    """
    n, k = answers.shape
    # Around the means of all, so that little is lost in a difference of squares.
    origin = weights @ answers / weights.sum()
    pairs = np.triu_indices(k + 1)
    sums = np.zeros((draws, len(pairs[0])))
    with_noise = np.zeros((draws, k + 1))
    noise_squares = np.zeros(draws)
    for rows, samples in _samples(n, draws, rng):
        centred = answers[rows] - origin
        columns = np.column_stack([np.ones(len(centred)), centred])
        products = columns[:, pairs[0]] * columns[:, pairs[1]]
        for drawn, times in samples:
            counted = times * weights[rows]
            sums[drawn] += counted @ products
            if noise:
                own = rng.standard_normal(times.shape, dtype=np.float32)  # seven digits are enough
                noisy = counted * own
                with_noise[drawn] += noisy @ columns
                noise_squares[drawn] += np.einsum("dn,dn->d", noisy, own)
    squares = np.empty((draws, k + 2, k + 2))
    squares[:, 0, 0] = noise_squares
    squares[:, 0, 1:] = squares[:, 1:, 0] = with_noise
    squares[:, pairs[0] + 1, pairs[1] + 1] = squares[:, pairs[1] + 1, pairs[0] + 1] = sums
    found = _of_sums(squares, constant=1)
    if noise:
        return Moments(found.means + np.append(0.0, origin), found.covariances)
    return Moments(found.means[:, 1:] + origin, found.covariances[:, 1:, 1:])


def correlations_of(covariances: Floats, *, unvarying: float = np.nan) -> Floats:
    """Correlations of covariances of shape (..., k, k); `unvarying` for a column that does not vary."""
    variance = np.diagonal(covariances, axis1=-2, axis2=-1)
    varies = variance > 0
    scale = np.sqrt(np.where(varies, variance, 1.0))
    table = covariances / (scale[..., :, None] * scale[..., None, :])
    diagonal = np.arange(table.shape[-1])
    table[..., diagonal, diagonal] = 1.0
    return np.where(varies[..., :, None] & varies[..., None, :], table, unvarying)


def is_solvable(covariances: Floats) -> "np.ndarray[Any, np.dtype[np.bool_]]":
    """Whether columns vary and none is given by the others, for covariances of shape (..., k, k)."""
    smallest = np.linalg.eigvalsh(correlations_of(covariances, unvarying=0.0))[..., 0]
    return np.asarray(smallest > 1e-9)


def _samples(n: int, draws: int, rng: np.random.Generator) -> Iterator[tuple[slice, Iterator[tuple[slice, Any]]]]:
    """Yield some respondents and, for some samples at a time, how often each of them is in these."""
    starts = range(0, n, _ROWS)
    sizes = np.array([min(_ROWS, n - start) for start in starts])
    members = rng.multinomial(n, sizes / n, size=draws)
    for place, start in enumerate(starts):
        yield slice(start, start + _ROWS), _times(members[:, place], int(sizes[place]), rng)


def _times(members: Any, size: int, rng: np.random.Generator) -> Iterator[tuple[slice, Any]]:
    """Yield which samples, and how often each of `size` respondents is in them, given how many of them are."""
    for first in range(0, len(members), _DRAWS):
        drawn = slice(first, first + _DRAWS)
        some = members[drawn]
        which = rng.integers(size, size=int(some.sum()))
        which += np.repeat(np.arange(len(some)) * size, some)
        yield drawn, np.bincount(which, minlength=len(some) * size).reshape(len(some), size)


def _of_sums(sums: Floats, *, constant: int) -> Moments:
    """Moments of the other columns from sums of their products; one column is the constant."""
    rest = np.arange(sums.shape[-1]) != constant
    total = sums[:, constant, constant]
    # All respondents of a sample may be of weight 0; then nothing is known of it.
    with np.errstate(divide="ignore", invalid="ignore"):
        means = sums[:, constant, rest] / total[:, None]
        squares = sums[:, rest][:, :, rest] / total[:, None, None]
    covariances = squares - means[:, :, None] * means[:, None, :]
    mean_squares = np.diagonal(squares, axis1=1, axis2=2)
    stands = np.diagonal(covariances, axis1=1, axis2=2) <= _ROUNDING * mean_squares  # not where missing
    return Moments(means, np.where(stands[:, :, None] | stands[:, None, :], 0.0, covariances))
