"""Whether a driver goes with every cut of an ordered scale alike (Brant's test)."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import chdtrc, expit

from crm_analysis.models.histories import Floats
from crm_analysis.voice.ordered_logit import fit_ordered_logit

ALL_DRIVERS = "(all)"


def parallel_lines(drivers: pd.DataFrame, y: Any, weights: Floats) -> pd.DataFrame:
    """Compare the slopes of binary logits, one at each cut of the scale.

    Parameters
    ----------
    drivers : DataFrame of float, shape (n_respondents, k)
        Nothing missing.
    y : array of int, shape (n_respondents,)
        Categories 0, 1, ..., each given by somebody.
    weights : array, shape (n_respondents,)
        Above 0.

    Returns
    -------
    DataFrame, index "(all)" and driver
        statistic (chi-squared), df, p_value; missing with fewer than three categories, and where drivers tell without
        error who is above a cut, so that a slope has no end.

    References
    ----------
    Brant (1990), Biometrics 46, 1171-1178, eq. 2 to 5. With weights, variances are those of weighted logits
    (Binder 1983, International Statistical Review 51, 279-292).
    """
    y, x, w = np.asarray(y), drivers.to_numpy(), weights / weights.mean()
    cuts, k = int(y.max()), x.shape[1]
    rows = {ALL_DRIVERS: (cuts - 1) * k, **dict.fromkeys(drivers.columns, cuts - 1)}
    table = pd.DataFrame({"statistic": np.nan, "df": pd.Series(rows), "p_value": np.nan})
    if cuts < 2:
        return table
    fits = [fit_ordered_logit(x, (y > cut).astype(int), w) for cut in range(cuts)]
    if not all(fit.converged for fit in fits):
        return table
    slopes = np.array([fit.slopes for fit in fits])
    above = np.array([expit(x @ fit.slopes - fit.cuts[0]) for fit in fits])
    covariance = _covariance(np.column_stack([np.ones(len(x)), x - x.mean(axis=0)]), above, w)
    # Each later cut against the first.
    difference = np.hstack([np.ones((cuts - 1, 1)), -np.eye(cuts - 1)])
    for name in table.index:
        at = np.arange(k) if name == ALL_DRIVERS else np.flatnonzero(drivers.columns == name)
        contrast = np.kron(difference, np.eye(len(at)))
        spread = covariance[:, at][:, :, :, at].reshape(cuts * len(at), -1)
        apart = contrast @ slopes[:, at].ravel()
        statistic = float(apart @ np.linalg.pinv(contrast @ spread @ contrast.T, hermitian=True) @ apart)
        table.loc[name, ["statistic", "p_value"]] = statistic, chdtrc(table.loc[name, "df"], statistic)
    return table


def _covariance(x: Floats, above: Floats, w: Floats) -> Floats:
    """Covariances of the slopes of all cuts, shape (cuts, k, cuts, k): logits at two cuts share their respondents."""
    cuts, k = len(above), x.shape[1]
    # Fitted apart, chances of being above two cuts may cross, which chances cannot; uncorrected, as Brant has them, the
    # statistic can then be negative.
    nested = np.minimum.accumulate(above, axis=0)
    inverse = [np.linalg.inv(x.T @ ((w * p * (1 - p))[:, None] * x)) for p in above]
    covariance = np.empty((cuts, k, cuts, k))
    for low in range(cuts):
        for high in range(low, cuts):
            # Who is above the higher cut is above the lower one too.
            shared = nested[high] * (1 - nested[low])
            part = inverse[low] @ (x.T @ ((w**2 * shared)[:, None] * x)) @ inverse[high]
            covariance[low, :, high], covariance[high, :, low] = part, part.T
    return covariance[:, 1:, :, 1:]
