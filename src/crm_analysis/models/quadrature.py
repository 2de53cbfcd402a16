"""Integrals the models need where no closed form is both exact and stable."""

from collections.abc import Callable

import numpy as np
from scipy.special import betaln, exprel, roots_legendre

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


def discounted_power(power: Floats, scale: Floats, rate: float, horizon: Floats | float | None) -> Floats:
    """Return the integral of exp(-rate s) (1 + s / scale)^-power for s from 0 to `horizon`, row by row.

    Parameters
    ----------
    power, scale : array, shape (n,)
        Above 0.
    rate : float
        Continuous discount rate, >= 0.
    horizon : float, array or None
        Upper limit; None for no limit, where the integral is infinite for rate 0 and power <= 1.
    """
    if rate == 0:
        # (1 - (1 + h/scale)^(1-power)) scale / (power - 1), written so that it holds at power = 1.
        if horizon is None:
            with np.errstate(divide="ignore"):
                return np.where(power > 1, scale / (power - 1), np.inf)
        length = np.log1p(horizon / scale)
        return scale * length * exprel((1 - power) * length)
    # Beyond the first of these ends nothing is left: discounted, fallen, or out of the horizon.
    with np.errstate(over="ignore", divide="ignore"):  # a rate next to zero: no end from discounting
        end = np.minimum(np.log1p(_NEGLIGIBLE / (rate * scale)), _NEGLIGIBLE / power)
    if horizon is not None:
        end = np.minimum(end, np.log1p(horizon / scale))
    return _gauss(
        end, _INFINITE_NODES, _INFINITE_WEIGHTS, lambda s, k, c: (1 + s / c) ** -k, rate, scale, (power, scale)
    )


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


def mean_over_beta(function: Callable[[Floats], Floats], a: Floats | float, b: Floats) -> Floats:
    """Return E[function(p)] for p ~ Beta(a, b), row by row, where 2F1 overflows.

    Parameters
    ----------
    function : callable
        Takes p of shape (nodes, n) to values of that shape; bounded.
    a : float or array, shape (n,)
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
