"""Integrals the models need where no closed form is both exact and stable."""

from collections.abc import Callable

import numpy as np
from scipy.special import betaln, roots_legendre

from crm_analysis.models.histories import Floats

_FINITE_NODES, _FINITE_WEIGHTS = roots_legendre(40)
_INFINITE_NODES, _INFINITE_WEIGHTS = roots_legendre(96)
_BETA_NODES, _BETA_WEIGHTS = roots_legendre(400)

# exp(-40) is 4e-18: what lies further discounted than that is lost in rounding anyway.
_NEGLIGIBLE = 40.0


def integral_to(
    horizon: Floats | float, function: Callable[..., Floats], rate: float, scale: Floats, *columns: Floats
) -> Floats:
    """Return the integral of exp(-rate s) function(s, *columns) for s from 0 to `horizon`, row by row.

    Parameters
    ----------
    horizon : float or array, shape (n,)
        Upper limit, >= 0.
    function : callable
        `function(s, *columns)` with s of shape (n, nodes) and each column of shape (n, 1); falls like a power of
        1 + s / scale, which the substitution s = scale (e^y - 1) turns into a smooth exponential.
    rate : float
        Continuous discount rate, >= 0.
    scale : array, shape (n,)
        The time over which `function` begins to fall.
    *columns : array, shape (n,)
        Handed through to `function`.
    """
    return _gauss(np.log1p(horizon / scale), _FINITE_NODES, _FINITE_WEIGHTS, function, rate, scale, columns)


def integral_to_infinity(function: Callable[..., Floats], rate: float, scale: Floats, *columns: Floats) -> Floats:
    """Return the integral of exp(-rate s) function(s, *columns) for s from 0 on, row by row; rate > 0."""
    end = np.log1p(_NEGLIGIBLE / (rate * scale))
    return _gauss(end, _INFINITE_NODES, _INFINITE_WEIGHTS, function, rate, scale, columns)


def _gauss(
    end: Floats,
    nodes: Floats,
    weights: Floats,
    function: Callable[..., Floats],
    rate: float,
    scale: Floats,
    columns: tuple[Floats, ...],
) -> Floats:
    y = end[:, None] * (nodes + 1) / 2
    s = scale[:, None] * np.expm1(y)
    values = function(s, *(column[:, None] for column in columns)) * np.exp(-rate * s)
    return scale * end / 2 * ((values * np.exp(y)) @ weights)


def mean_over_beta(function: Callable[[Floats], Floats], a: float, b: Floats) -> Floats:
    """Return E[function(p)] for p ~ Beta(a, b), row by row, where 2F1 overflows.

    Parameters
    ----------
    function : callable
        Takes p of shape (nodes, n) to values of that shape; bounded.
    a : float
        First parameter, > 0.
    b : array, shape (n,)
        Second parameter, > 0.
    """
    # On the logit scale the density is smooth and falls like exp(a logit) to the left, exp(-b logit) to the right.
    centre, spread = np.log(a / b), 8 * np.sqrt(1 / a + 1 / b)
    left, right = centre - spread - 36 / a, centre + spread + 36 / b
    logit = (left + right) / 2 + (right - left) / 2 * _BETA_NODES[:, None]
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    density = np.exp(a * log_p + b * log_q - betaln(a, b))
    weight = density * _BETA_WEIGHTS[:, None]
    return (function(np.exp(log_p)) * weight).sum(axis=0) / weight.sum(axis=0)
