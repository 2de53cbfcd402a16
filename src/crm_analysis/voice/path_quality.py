"""Whether the items of a path model measure its constructs, and different ones: reliability, HTMT, residuals."""

import numpy as np
import pandas as pd

from crm_analysis.models.histories import Floats
from crm_analysis.voice.path_estimates import PathEstimates
from crm_analysis.voice.path_settings import PathSettings


def construct_quality(items: Floats, estimates: PathEstimates, settings: PathSettings) -> pd.DataFrame:
    """Reliability of each construct.

    Parameters
    ----------
    items : array, shape (n_items, n_items)
        Correlations of the items.
    estimates : PathEstimates
        Without leading axes.
    settings : PathSettings

    Returns
    -------
    DataFrame, index construct
        mode; items (count); alpha (Cronbach, of standardised items), rho_a (Dijkstra-Henseler), composite_reliability,
        average_variance_extracted. Missing for a single item, which cannot tell how well it measures, and in mode B,
        whose items need not go together.

    References
    ----------
    Cronbach (1951), Psychometrika 16, 297-334; Dijkstra & Henseler (2015), MIS Quarterly 39, 297-316, eq. 3 (rho_A);
    Fornell & Larcker (1981), Journal of Marketing Research 18, 39-50 (composite reliability, variance extracted).
    """
    rows = []
    for k, mode in enumerate(settings.modes):
        own = np.flatnonzero(settings.structure.blocks[k])
        figures = (np.nan,) * 4
        if mode == "A" and own.size > 1:
            figures = _reliabilities(items[np.ix_(own, own)], estimates.weights[k, own], estimates.loadings[k, own])
        rows.append((mode, own.size, *figures))
    columns = ["mode", "items", "alpha", "rho_a", "composite_reliability", "average_variance_extracted"]
    return pd.DataFrame(rows, index=pd.Index(settings.constructs, name="construct"), columns=columns)


def _reliabilities(items: Floats, weights: Floats, loadings: Floats) -> tuple[float, float, float, float]:
    size = len(items)
    off = items - np.eye(size)
    alpha = size / (size - 1) * off.sum() / items.sum()
    squares = weights @ weights
    rho_a = squares**2 * (weights @ off @ weights) / (squares**2 - np.sum(weights**4))
    common, own = loadings.sum() ** 2, np.sum(1 - loadings**2)
    return float(alpha), float(rho_a), float(common / (common + own)), float(np.mean(loadings**2))


def heterotrait_monotrait(items: Floats, settings: PathSettings) -> pd.DataFrame:
    """HTMT: how like two constructs are, by correlations of items across and within them.

    Parameters
    ----------
    items : array, shape (n_items, n_items)
        Correlations of the items; their absolute values count.
    settings : PathSettings

    Returns
    -------
    DataFrame, constructs by constructs
        Near or above .90 the items hardly tell the two apart. Missing where a construct has a single item, and on the
        diagonal.

    References
    ----------
    Henseler, Ringle & Sarstedt (2015), Journal of the Academy of Marketing Science 43, 115-135, eq. 6.
    """
    blocks = settings.structure.blocks.astype(float)
    sizes = blocks.sum(axis=1)
    sums = blocks @ np.abs(items - np.diag(np.diag(items))) @ blocks.T
    with np.errstate(divide="ignore", invalid="ignore"):
        within = np.diag(sums) / (sizes * (sizes - 1))
        ratio = sums / np.outer(sizes, sizes) / np.sqrt(np.outer(within, within))
    ratio[~np.isfinite(ratio) | np.eye(len(ratio), dtype=bool)] = np.nan
    names = pd.Index(settings.constructs, name="construct")
    return pd.DataFrame(ratio, index=names, columns=names)


def root_mean_square_residual(items: Floats, estimates: PathEstimates, settings: PathSettings) -> float:
    """SRMR: root of the mean squared difference of the correlations of items and those that the loadings imply.

    Over pairs of different items, constructs correlating as their scores do (the saturated model). It treats every
    construct as a common factor; missing where there is only one pair or none.

    References
    ----------
    Henseler, Dijkstra, Sarstedt et al. (2014), Organizational Research Methods 17, 182-209.
    """
    own = estimates.loadings * settings.structure.blocks
    residuals = (items - own.T @ estimates.correlations @ own)[np.tril_indices(len(items), -1)]
    return float(np.sqrt(np.mean(residuals**2))) if residuals.size > 1 else float("nan")
