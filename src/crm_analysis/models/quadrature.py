"""Integrals the models need where no closed form is both exact and stable."""

from collections.abc import Callable

import numpy as np
from scipy.special import betainc, betaln, expit, exprel, roots_legendre

from crm_analysis.models.histories import Floats

_NODES, _WEIGHTS = roots_legendre(64)
_INFINITE_NODES, _INFINITE_WEIGHTS = roots_legendre(96)
_BETA_NODES, _BETA_WEIGHTS = roots_legendre(400)

# exp(-40) is 4e-18: what lies further discounted than that is lost in rounding anyway.
_NEGLIGIBLE = 40.0
# So wide on the logit scale, the nodes lie close enough for twelve digits.
_WIDEST_PANEL = 120.0
_ROWS_AT_ONCE = 2_000


def integral_to(
    horizon: Floats | float | None, function: Callable[..., Floats], rate: float, scale: Floats, *columns: Floats
) -> Floats:
    """Return the integral of exp(-rate s) function(s, *columns) for s from 0 to `horizon`, row by row.

    Parameters
    ----------
    horizon : float, array of shape (n,), or None
        Upper limit, >= 0; None for no limit, with a rate above 0.
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
    end = np.broadcast_to(np.inf if horizon is None else horizon, scale.shape)
    if rate > 0:
        end = np.minimum(end, _NEGLIGIBLE / rate)
    return _gauss(np.log1p(end / scale), _NODES, _WEIGHTS, function, rate, scale, columns)


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
        fallen = _NEGLIGIBLE / np.maximum(power - 1, 0.0)
        end = np.minimum(np.log1p(_NEGLIGIBLE / (rate * scale)), fallen)
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


def mean_over_beta(
    function: Callable[..., Floats],
    a: Floats,
    b: Floats,
    *columns: Floats,
    scale: Floats | float,
    power: Floats | float,
) -> Floats:
    """Return E[function(p, *columns)] for p ~ Beta(a, b), row by row.

    Parameters
    ----------
    function : callable
        `function(p, *columns)` with p of shape (nodes, n); bounded, and falling with p.
    a, b : array, shape (n,)
        Above 0.
    *columns : array, shape (n,)
        Handed through to `function`.
    scale : float or array, shape (n,)
        Far below it `function` is constant.
    power : float or array, shape (n,)
        Above `scale` the function falls like p^-power at most.

    Notes
    -----
    On the logit scale the density is smooth and falls like exp(a logit) to the left and exp(-b logit) to the right.
    The range ends where function times density has fallen to nothing, or where the function is constant and counts by
    the mass beyond, a regularised incomplete beta function.
    """
    table = np.broadcast_arrays(a, b, scale, power, *columns)
    blocks = np.array_split(np.arange(len(table[0])), len(table[0]) // _ROWS_AT_ONCE + 1)
    return np.concatenate([_mean_of_block(function, *(column[rows] for column in table)) for rows in blocks])


def _mean_of_block(
    function: Callable[..., Floats], a: Floats, b: Floats, scale: Floats, power: Floats, *columns: Floats
) -> Floats:
    centre, spread = np.log(a / b), 8 * np.sqrt(1 / a + 1 / b)
    with np.errstate(divide="ignore"):
        fallen = np.where(a > power, centre - spread - _NEGLIGIBLE / np.maximum(a - power, 0.0), -np.inf)
    left = np.maximum(fallen, np.log(scale) - _NEGLIGIBLE)
    right = np.maximum(np.minimum(centre + spread + _NEGLIGIBLE / b, _NEGLIGIBLE), left + 1)
    total, norm = np.zeros_like(left), np.zeros_like(left)
    panels = int(np.ceil(np.max(right - left, initial=1.0) / _WIDEST_PANEL))
    half = (right - left) / 2 / panels
    for panel in range(panels):
        logit = left + half * (_BETA_NODES[:, None] + 1 + 2 * panel)
        log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
        weight = _BETA_WEIGHTS[:, None] * np.exp(a * log_p + b * log_q - betaln(a, b))
        total += (function(np.exp(log_p), *columns) * weight).sum(axis=0)
        norm += weight.sum(axis=0)
    # Next to the smallest of floats betainc gives up, where the first term of its series is all there is.
    first_term = np.exp(a * np.minimum(left, -600) - np.log(a) - betaln(a, b))
    below = np.where(left < -600, first_term, betainc(a, b, expit(left)))
    above = betainc(b, a, expit(-right))
    ends = function(np.stack([expit(left), np.ones_like(left)]), *columns)
    return below * ends[0] + (1 - below - above) * total / norm + above * ends[1]
