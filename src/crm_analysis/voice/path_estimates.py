"""Everything a path model estimates, as arrays whose leading axes are draws of respondents."""

from typing import NamedTuple

import numpy as np

from crm_analysis.models.histories import Floats
from crm_analysis.voice import pls
from crm_analysis.voice.moments import Moments, correlations_of
from crm_analysis.voice.rating_scale import points_of_100


class PathEstimates(NamedTuple):
    """Figures of a path model.

    Attributes
    ----------
    weights, loadings : array, shape (..., n_constructs, n_items)
        Of standardised items; loadings are correlations of each score with every item.
    correlations : array, shape (..., n_constructs, n_constructs)
        Of the scores.
    paths, total, indirect : array, shape (..., n_constructs, n_constructs)
        `[k, j]`: effect of j on k, standardised.
    r_squared : array, shape (..., n_constructs)
    shares : array, shape (..., n_constructs, n_items)
        Outer weights of answers on the 0-100 scale, adding up to 1 in each construct.
    performance : array, shape (..., n_items)
        Means of the items, 0 to 100.
    indices : array, shape (..., n_constructs)
        Means of the constructs, 0 to 100.
    spread : array, shape (..., n_constructs)
        Standard deviations of the constructs on the 0-100 scale.
    converged, iterations : array of float, shape (...,)
        1 where the algorithm converged, else 0; rounds it took.
    """

    weights: Floats
    loadings: Floats
    correlations: Floats
    paths: Floats
    total: Floats
    indirect: Floats
    r_squared: Floats
    shares: Floats
    performance: Floats
    indices: Floats
    spread: Floats
    converged: Floats
    iterations: Floats

    @property
    def points_effects(self) -> Floats:
        """Total effects in points of the effect's index per point of the cause's, laid out as `total`."""
        return self.total * self.spread[..., :, None] / self.spread[..., None, :]

    @property
    def usable(self) -> pls.Bools:
        """Where the algorithm converged and every path and, given scales, every index could be estimated."""
        has_indices = np.isfinite(self.indices).all(axis=-1) | np.isnan(self.performance).all(axis=-1)
        return np.asarray((self.converged > 0) & np.isfinite(self.paths).all(axis=(-2, -1)) & has_indices)

    def of(self, draws: pls.Bools) -> "PathEstimates":
        """Return the figures of some draws of the leading axis."""
        return PathEstimates(*(values[draws] for values in self))

    def mean(self) -> "PathEstimates":
        """Return the mean over the leading axis."""
        return PathEstimates(*(np.asarray(values.mean(axis=0)) for values in self))


def path_estimates(moments: Moments, structure: pls.Structure, low: Floats, high: Floats) -> PathEstimates:
    """Estimate a path model from means and covariances of its items.

    Parameters
    ----------
    moments : Moments
    structure : Structure
    low, high : array, shape (n_items,)
        Ends of the scales; missing for no indices.

    Notes
    -----
    An index is 100 sum w (mean - 1) / (9 sum w) with w = outer weight / standard deviation for items from 1 to 10: a
    weight of standardised answers, divided by the standard deviation, is one of the answers as they are. Items on other
    scales go to 0-100 first.

    References
    ----------
    Fornell, Johnson, Anderson, Cha & Bryant (1996), Journal of Marketing 60(4), 7-18 (index); Ringle & Sarstedt (2016),
    Industrial Management & Data Systems 116(9), 1865-1886 (effects on the 0-100 scale).
    """
    solution = pls.solve(correlations_of(moments.covariances), structure)
    paths = pls.path_coefficients(solution.correlations, structure.causes)
    total = pls.total_effects(paths)
    performance = points_of_100(moments.means, low, high)
    with np.errstate(divide="ignore", invalid="ignore"):  # items that do not vary; such draws are missing
        raw = solution.weights * ((high - low) / (100 * moments.deviations))[..., None, :]
        # Weights that do not add up to more than 0 are no way to take a mean.
        whole = np.where((whole := raw.sum(axis=-1)) > 0, whole, np.nan)
        shares = raw / whole[..., None]
        spread = 1 / whole
    return PathEstimates(
        solution.weights,
        solution.loadings,
        solution.correlations,
        paths,
        total,
        total - paths,
        pls.r_squared(solution.correlations, paths),
        shares,
        performance,
        np.asarray((shares * performance[..., None, :]).sum(axis=-1)),
        spread,
        solution.converged.astype(float),
        solution.iterations.astype(float),
    )
