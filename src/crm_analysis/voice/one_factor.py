"""One common factor behind some items, by least squares on their correlations, many samples at once."""

import numpy as np

from crm_analysis.models.histories import Floats

_TOLERANCE = 1e-10
_MAX_ROUNDS = 2_000


def one_factor_loadings(correlations: Floats) -> Floats:
    """Loadings whose products come closest to the correlations of different items (minimum residuals).

    Parameters
    ----------
    correlations : array, shape (..., n_items, n_items)
        At least three items: two have one correlation, from which two loadings cannot be told.

    Returns
    -------
    array, shape (..., n_items)
        Within -1 and 1, with a sum >= 0; missing where correlations are or the search did not end.

    Notes
    -----
    Given the other loadings the best one is a regression through the origin, cut at 1 in size; going round the items
    ends at the least squares of Harman & Jones (1966), Psychometrika 31, 351-368.
    """
    table = correlations.reshape(-1, *correlations.shape[-2:])
    items = table.shape[-1]
    usable = np.asarray(np.isfinite(table).all(axis=(-2, -1)))
    table = np.where(usable[:, None, None], table, np.eye(items))
    # From the first principal component, which has the signs and nearly the sizes.
    values, vectors = np.linalg.eigh(table)
    loadings = np.clip(np.sqrt(np.maximum(values[:, -1:], 0)) * vectors[:, :, -1], -1, 1)
    active = np.flatnonzero(usable)
    for _ in range(_MAX_ROUNDS):
        if not active.size:
            break
        before = loadings[active]
        after = before.copy()
        for i in range(items):
            others = np.arange(items) != i
            squares = (after[:, others] ** 2).sum(axis=1)
            products = (table[active][:, i, others] * after[:, others]).sum(axis=1)
            after[:, i] = np.clip(np.divide(products, squares, out=np.zeros_like(products), where=squares > 0), -1, 1)
        loadings[active] = after
        active = active[np.abs(after - before).max(axis=1) > _TOLERANCE]
    usable[active] = False
    loadings = np.where(loadings.sum(axis=1, keepdims=True) < 0, -loadings, loadings)
    return np.where(usable[:, None], loadings, np.nan).reshape(correlations.shape[:-1])
