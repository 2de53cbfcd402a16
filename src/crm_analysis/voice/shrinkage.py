"""Many means of little data each: empirical Bayes draws them towards their common mean (arrays only)."""

from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq

from crm_analysis.models.histories import Floats

# With three or fewer means, what they share cannot be told from chance well enough to gain by it (Stein).
LEAST_MEANS = 4


class Shrunk(NamedTuple):
    """Means drawn towards their common mean.

    Attributes
    ----------
    values, errors : array, shape (n_means,)
        Shrunken means and the standard deviations of the truth around them.
    between : float
        Variance of the true means among each other, >= 0.
    """

    values: Floats
    errors: Floats
    between: float


def shrink(values: Floats, variances: Floats) -> Shrunk:
    """Draw means towards their common mean by how little is known of each.

    Parameters
    ----------
    values, variances : array, shape (n_means,)
        Means and the variances of their errors, > 0.

    Returns
    -------
    Shrunk
        The errors contain that the common mean and the variance between the means are estimated. Fewer than four means
        are left as they are.

    Notes
    -----
    Value i is drawn to the common mean by B_i = (k - 3) / (k - 1) V_i / (V_i + A), with A of Paule & Mandel.

    References
    ----------
    Morris (1983), Parametric empirical Bayes inference: theory and applications, Journal of the American Statistical
    Association 78, 47-55, for unequal variances and one common mean; Paule & Mandel (1982), Journal of Research of the
    National Bureau of Standards 87, 377-385.
    """
    k = len(values)
    if k < LEAST_MEANS:
        return Shrunk(values, np.sqrt(variances), float("nan"))
    between = between_variance(values, variances)
    weight = 1 / (variances + between)
    mean = np.average(values, weights=weight)
    drawn = (k - 3) / (k - 1) * variances * weight
    common = weight / weight.sum()  # what a mean adds to the common mean, l_i / k in the paper
    doubt_of_between = 2 / (k - 3) * drawn**2 * (np.average(variances, weights=weight) + between) * weight
    square = variances * (1 - (1 - common) * drawn) + doubt_of_between * (values - mean) ** 2
    return Shrunk(values - drawn * (values - mean), np.sqrt(square), between)


def between_variance(values: Floats, variances: Floats) -> float:
    """Variance of true means around their common mean, so that the weighted squares are what is expected of them.

    References
    ----------
    Paule & Mandel (1982), Journal of Research of the National Bureau of Standards 87, 377-385.
    """

    def excess(between: float) -> float:
        weight = 1 / (variances + between)
        mean = np.average(values, weights=weight)
        return float(np.sum(weight * (values - mean) ** 2)) - (len(values) - 1)

    if excess(0.0) <= 0:
        return 0.0
    highest = float(np.sum((values - values.mean()) ** 2))  # there the squares add up to less than one
    return float(brentq(excess, 0.0, highest, xtol=1e-12 * highest, rtol=1e-12))
