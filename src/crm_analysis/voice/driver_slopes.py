"""What a rating point more of a driver goes with in the outcome: weighted least squares, robust errors."""

import numpy as np
import pandas as pd
from scipy import stats

from crm_analysis.models.histories import Floats
from crm_analysis.voice.driver_design import DriverDesign
from crm_analysis.voice.importance import variance_inflation
from crm_analysis.voice.incomplete import pool
from crm_analysis.voice.moments import correlations_of, weighted_moments
from crm_analysis.voice.regression import robust_slopes


def slope_table(design: DriverDesign, *, level: float) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Slopes of a driver analysis, pooled over imputations, and their covariance.

    Parameters
    ----------
    design : DriverDesign
        Drivers, controls and outcome.
    level : float
        Probability of the intervals (t, degrees of freedom of the effective n).

    Returns
    -------
    slopes : DataFrame, index driver
        slope (points of the outcome per point of the driver), standard_error, lower, upper, p_value, standardised,
        correlation (with the outcome, of those to whom the driver applied), vif, sign_disagrees (the slope and the
        correlation point in different directions). Slope and errors are missing for a copy of other drivers.
    covariance : DataFrame, index and columns driver
        Of the slopes.
    degrees : float
        Degrees of freedom behind it, the fewest of any driver.
    """
    k, inputs = len(design.drivers), len(design.drivers) + len(design.controls)
    fits = [robust_slopes(values[:, :-1], values[:, -1], design.weights) for values in design.values]
    pooled = pool(
        [slopes[:k] for slopes, _covariance in fits],
        [covariance[:k, :k] for _slopes, covariance in fits],
        degrees=max(design.effective_n - inputs - 1, 1.0),
    )
    covariances = np.mean([weighted_moments(values, design.weights).covariances for values in design.values], axis=0)
    vif = variance_inflation(covariances)[:k]
    known = np.isfinite(vif)
    slope = np.where(known, pooled.estimates, np.nan)
    error = np.where(known, pooled.standard_errors, np.nan)
    reach = stats.t.ppf((1 + level) / 2, pooled.degrees) * error
    correlation = _correlations(design)
    with np.errstate(divide="ignore", invalid="ignore"):
        p_value = 2 * stats.t.sf(np.abs(slope / error), pooled.degrees)
    spread = np.sqrt(np.diagonal(covariances))
    names = pd.Index(design.drivers, name="driver")
    table = pd.DataFrame(
        {
            "slope": slope,
            "standard_error": error,
            "lower": slope - reach,
            "upper": slope + reach,
            "p_value": p_value,
            "standardised": slope * spread[:k] / spread[-1],
            "correlation": correlation,
            "vif": vif,
            "sign_disagrees": slope * correlation < 0,
        },
        index=names,
    )
    covariance = pd.DataFrame(pooled.covariance, index=names, columns=names)
    return table, covariance.where(np.outer(known, known)), float(np.min(pooled.degrees))


def _correlations(design: DriverDesign) -> Floats:
    """Correlation of each driver with the outcome among those to whom it applied, mean over imputations."""
    found = np.empty((len(design.values), len(design.drivers)))
    for place, values in enumerate(design.values):
        for driver, met in enumerate(design.applies.T):
            both = weighted_moments(values[met][:, [driver, -1]], design.weights[met]).covariances
            found[place, driver] = correlations_of(both, unvarying=0.0)[0, 1]
    return np.asarray(found.mean(axis=0))
