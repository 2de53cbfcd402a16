"""Partial least squares path models on matrices of correlations: outer weights, paths, effects.

Everything a path model estimates is a function of the correlations of the items, so scores of respondents are never
needed on the way; leading axes are draws of respondents, all solved at once.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from crm_analysis.models.histories import Floats

Scheme = Literal["centroid", "factor", "path"]
SCHEMES: tuple[Scheme, ...] = ("centroid", "factor", "path")
TOLERANCE = 1e-10
MAX_ITERATIONS = 1_000
# From here on the answer of a linear system is a matter of rounding.
SINGULAR = 1e10

Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Structure:
    """A path model without numbers.

    Attributes
    ----------
    blocks : array of bool, shape (n_constructs, n_items)
        Which items belong to which construct; each to exactly one.
    causes : array of bool, shape (n_constructs, n_constructs)
        `causes[k, j]`: construct j is a cause of construct k. Without cycles.
    mode_b : array of bool, shape (n_constructs,)
        Whose weights are a regression on the items (mode B, formative) instead of covariances (mode A, reflective).
    scheme : "centroid", "factor" or "path"
        How neighbours count in the inner step: by the sign of their correlation, by the correlation, or causes by their
        regression and effects by the correlation.
    """

    blocks: Bools
    causes: Bools
    mode_b: Bools
    scheme: Scheme


class Solution(NamedTuple):
    """What the algorithm ends with; missing where it could not run.

    Attributes
    ----------
    weights : array, shape (..., n_constructs, n_items)
        Of standardised items; 0 outside the block. Scores have variance 1.
    loadings : array, same shape
        Correlation of each score with every item.
    correlations : array, shape (..., n_constructs, n_constructs)
        Of the scores.
    converged : array of bool, shape (...,)
    iterations : array of int, shape (...,)
    """

    weights: Floats
    loadings: Floats
    correlations: Floats
    converged: Bools
    iterations: NDArray[np.int64]


def solve(correlations: Floats, structure: Structure) -> Solution:
    """Run the algorithm of partial least squares.

    Parameters
    ----------
    correlations : array, shape (..., n_items, n_items)
        Of the items. Where some are missing, so is the solution.
    structure : Structure

    Notes
    -----
    A score is known up to its sign; here it goes up with the mean of the standardised items of its construct.

    References
    ----------
    Lohmoller (1989), Latent Variable Path Modeling with Partial Least Squares, chapter 2; Tenenhaus, Esposito Vinzi,
    Chatelin & Lauro (2005), Computational Statistics & Data Analysis 48, 159-205, section 2.
    """
    shape = correlations.shape[:-2]
    flat = correlations.reshape(-1, *correlations.shape[-2:])
    usable = np.asarray(np.isfinite(flat).all(axis=(-2, -1)))
    blocks = structure.blocks.astype(float)
    # What cannot be used is solved for uncorrelated items and forgotten: no warnings, no branches.
    items = np.where(usable[:, None, None], flat, np.eye(flat.shape[-1]))
    metric = _metric(items, structure)
    usable &= np.isfinite(metric).all(axis=(-2, -1))
    weights = _standardised(np.broadcast_to(blocks, (len(items), *blocks.shape)), items)
    converged = np.zeros(len(items), bool)
    iterations = np.zeros(len(items), np.int64)
    active = np.flatnonzero(usable)
    for _ in range(MAX_ITERATIONS):
        if not active.size:
            break
        updated = _step(weights[active], items[active], metric[active], structure)
        change = np.abs(updated - weights[active]).max(axis=(-2, -1))
        weights[active] = updated
        iterations[active] += 1
        converged[active] = change < TOLERANCE
        active = active[~(change < TOLERANCE) & np.isfinite(change)]
    weights[~usable] = np.nan
    # The sum of the covariances with its items says which way a score goes.
    loadings = weights @ items
    upwards = np.where((loadings * blocks).sum(axis=-1, keepdims=True) < 0, -1.0, 1.0)
    weights, loadings = weights * upwards, loadings * upwards
    return Solution(
        weights.reshape(*shape, *weights.shape[1:]),
        loadings.reshape(*shape, *loadings.shape[1:]),
        (loadings @ np.swapaxes(weights, -1, -2)).reshape(*shape, len(blocks), len(blocks)),
        converged.reshape(shape),
        iterations.reshape(shape),
    )


def path_coefficients(correlations: Floats, causes: Bools) -> Floats:
    """Regress each score on those of its causes.

    Parameters
    ----------
    correlations : array, shape (..., n_constructs, n_constructs)
        Of the scores.
    causes : array of bool, shape (n_constructs, n_constructs)

    Returns
    -------
    array, shape (..., n_constructs, n_constructs)
        `[k, j]` is the standardised path from j to k; missing where causes say the same.
    """
    coefficients = np.zeros(correlations.shape)
    for k, row in enumerate(causes):
        own = np.flatnonzero(row)
        if own.size:
            coefficients[..., k, own] = _solved(
                correlations[..., own[:, None], own], correlations[..., own, k][..., None]
            )[..., 0]
    return coefficients


def total_effects(coefficients: Floats) -> Floats:
    """Sum, over all ways through the model, of the products of the paths on them: (I - B)^-1 - I, same shape.

    References
    ----------
    Bollen (1987), Sociological Methodology 17, 37-69.
    """
    # A model without cycles has no way longer than its constructs, so that the powers of B end: no inverse is needed.
    effects = way = coefficients
    for _ in range(coefficients.shape[-1] - 2):
        way = way @ coefficients
        effects = effects + way
    return effects


def r_squared(correlations: Floats, coefficients: Floats) -> Floats:
    """Share of the variance of each score that its causes explain, shape (..., n_constructs); 0 without causes."""
    return np.asarray((coefficients * correlations).sum(axis=-1))


def variance_inflation(correlations: Floats, causes: Bools) -> Floats:
    """Variance inflation of each path, laid out as the coefficients; missing where there is no path."""
    inflation = np.full(correlations.shape, np.nan)
    for k, row in enumerate(causes):
        own = np.flatnonzero(row)
        if own.size:
            among = correlations[..., own[:, None], own]
            inverse = _solved(among, np.broadcast_to(np.eye(own.size), among.shape))
            inflation[..., k, own] = np.diagonal(inverse, axis1=-2, axis2=-1)
    return inflation


def _step(weights: Floats, items: Floats, metric: Floats, structure: Structure) -> Floats:
    """One round: inner weights from the scores, then outer weights from the inner proxies."""
    scores = weights @ items @ np.swapaxes(weights, -1, -2)
    proxies = _inner(scores, structure) @ weights @ items  # covariances of inner proxies and items
    return _standardised((proxies * structure.blocks) @ metric, items)


def _inner(scores: Floats, structure: Structure) -> Floats:
    causes = structure.causes
    if structure.scheme == "path":
        return path_coefficients(scores, causes) + scores * causes.T
    neighbours = causes | causes.T
    return np.asarray((np.sign(scores) if structure.scheme == "centroid" else scores) * neighbours)


def _metric(items: Floats, structure: Structure) -> Floats:
    """What turns covariances of a proxy and its items into weights: the inverse in blocks of mode B, else nothing."""
    metric = np.broadcast_to(np.eye(items.shape[-1]), items.shape).copy()
    for block in structure.blocks[structure.mode_b]:
        own = np.flatnonzero(block)
        corner = (..., own[:, None], own)
        metric[corner] = _solved(items[corner], metric[corner])
    return metric


def _standardised(weights: Floats, items: Floats) -> Floats:
    variances = ((weights @ items) * weights).sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):  # a proxy without any correlation makes no score
        return np.where(variances > 0, weights / np.sqrt(variances), np.nan)


def _solved(matrices: Floats, right: Floats) -> Floats:
    """Solve many systems; a singular one is missing, and does not stop the others."""
    finite = np.asarray(np.isfinite(matrices).all(axis=(-2, -1)))
    identity = np.eye(matrices.shape[-1])
    safe = np.where(finite[..., None, None], matrices, identity)
    regular = np.asarray(finite & (np.linalg.cond(safe) < SINGULAR))
    solved = np.linalg.solve(np.where(regular[..., None, None], safe, identity), right)
    return np.where(regular[..., None, None], solved, np.nan)
