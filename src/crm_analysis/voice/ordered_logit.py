"""Ordered logit with survey weights: chances of answers above each cut of an ordered scale, by exact Newton steps."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, log_expit

from crm_analysis.models.histories import Floats

_STEPS, _HALVINGS = 60, 30
_TOLERANCE = 1e-9
# Beyond so many standard deviations' worth of log odds a slope runs off: some answers are told without error.
_RUNAWAY = 25.0


@dataclass(frozen=True, eq=False)
class OrderedLogit:
    """A fitted ordered logit: logit P(y <= j) = cut j less slopes times drivers.

    Attributes
    ----------
    slopes : array, shape (k,)
        Log odds of a higher answer, per point of the driver.
    cuts : array, shape (n_categories - 1,)
        Increasing.
    covariance : array, shape (k, k)
        Of the slopes, by linearisation (sandwich), so that it holds for survey weights.
    log_likelihood, null_log_likelihood : float
        Times the weights as given; of the model, and of cuts alone.
    converged : bool
        False where drivers tell some answers without error, so that slopes have no end.
    """

    slopes: Floats
    cuts: Floats
    covariance: Floats
    log_likelihood: float
    null_log_likelihood: float
    converged: bool

    @property
    def pseudo_r_squared(self) -> float:
        """1 less the ratio of log-likelihoods with and without drivers (McFadden 1974)."""
        return 1 - self.log_likelihood / self.null_log_likelihood


def fit_ordered_logit(x: Floats, y: Any, weights: Floats) -> OrderedLogit:
    """Fit an ordered logit by maximum likelihood.

    Parameters
    ----------
    x : array, shape (n_respondents, k)
        Drivers, nothing missing, columns that vary and do not depend on one another; k may be 0.
    y : array of int, shape (n_respondents,)
        Categories 0, 1, ..., each given by somebody.
    weights : array, shape (n_respondents,)
        Above 0.

    References
    ----------
    McCullagh (1980), Journal of the Royal Statistical Society B 42, 109-142; Binder (1983), International Statistical
    Review 51, 279-292 (covariance with weights).
    """
    y, w = np.asarray(y), weights / weights.mean()
    k, centre, scale = x.shape[1], np.average(x, axis=0, weights=w), x.std(axis=0)
    model = _Likelihood((x - centre) / scale, y, w)
    params, now, null, converged = _maximum(model)
    inverse = np.linalg.pinv(model.derivatives(params)[1], hermitian=True)
    weighted = w[:, None] * model.scores(params)
    covariance = (inverse @ (weighted.T @ weighted) @ inverse)[:k, :k] / np.outer(scale, scale)
    slopes = params[:k] / scale
    total = float(weights.mean())
    return OrderedLogit(slopes, params[k:] + centre @ slopes, covariance, now * total, null * total, converged)


def pseudo_r_squared(x: Floats, y: Any, weights: Floats) -> float:
    """McFadden's pseudo R-squared of an ordered logit, with arguments as `fit_ordered_logit`; 0 without drivers."""
    _, now, null, _ = _maximum(
        _Likelihood((x - x.mean(axis=0)) / x.std(axis=0), np.asarray(y), weights / weights.mean())
    )
    return 1 - now / null


class _Likelihood:
    """Weighted log-likelihood at slopes and cuts, and its derivatives.

    u and v are how far the cuts above and below an answer are from its respondent; at the ends of the scale infinite.
    """

    def __init__(self, x: Floats, y: Any, w: Floats) -> None:
        self.x, self.y, self.w, self.k = x, y, w, x.shape[1]
        cuts = int(y.max())
        self.upper = (y[:, None] == np.arange(cuts)).astype(float)
        self.lower = (y[:, None] == np.arange(1, cuts + 1)).astype(float)

    def start(self) -> Floats:
        """Slopes of 0, and the cuts that are best with them."""
        above = (np.cumsum(np.bincount(self.y, self.w)) / self.w.sum())[:-1]
        return np.concatenate([np.zeros(self.k), np.log(above / (1 - above))])

    def value(self, params: Floats) -> float:
        """Minus infinity where cuts are not in order."""
        if (np.diff(params[self.k :]) <= 0).any():
            return -np.inf
        u, v = self._distances(params)
        # F(u) - F(v) as a product, so that nothing is lost far from the cuts.
        return float(self.w @ (log_expit(u) + log_expit(-v) + np.log(-np.expm1(v - u))))

    def scores(self, params: Floats) -> Floats:
        """Gradient of each respondent's log-likelihood, weights apart."""
        u, v = self._distances(params)
        r_u, r_v = _relative(u, v)
        of_slopes = self.x * (expit(u) + expit(v) - 1)[:, None]
        return np.column_stack([of_slopes, self.upper * r_u[:, None] - self.lower * r_v[:, None]])

    def derivatives(self, params: Floats) -> tuple[Floats, Floats]:
        """Gradient and minus the second derivatives."""
        u, v = self._distances(params)
        big_u, big_v = expit(u), expit(v)
        f_u, f_v = self.w * big_u * expit(-u), self.w * big_v * expit(-v)
        r_u, r_v = _relative(u, v)
        w, x, upper, lower = self.w, self.x, self.upper, self.lower
        gradient = np.concatenate([x.T @ (w * (big_u + big_v - 1)), (w * r_u) @ upper - (w * r_v) @ lower])
        of_slopes = x.T @ ((f_u + f_v)[:, None] * x)
        between = -x.T @ (upper * f_u[:, None] + lower * f_v[:, None])
        at_upper = (w * r_u * (r_u - 1 + 2 * big_u)) @ upper
        at_lower = (w * r_v * (r_v + 1 - 2 * big_v)) @ lower
        across = upper.T @ ((w * r_u * r_v)[:, None] * lower)
        of_cuts = np.diag(at_upper + at_lower) - across - across.T
        return gradient, np.block([[of_slopes, between], [between.T, of_cuts]])

    def _distances(self, params: Floats) -> tuple[Floats, Floats]:
        cuts = np.concatenate([[-np.inf], params[self.k :], [np.inf]])
        eta = self.x @ params[: self.k]
        return cuts[self.y + 1] - eta, cuts[self.y] - eta


def _relative(u: Floats, v: Floats) -> tuple[Floats, Floats]:
    """Densities at both cuts over the chance of what lies between them."""
    apart = -np.expm1(v - u)
    return expit(-u) / (expit(-v) * apart), expit(v) / (expit(u) * apart)


def _maximum(model: _Likelihood) -> tuple[Floats, float, float, bool]:
    """Return where the likelihood is largest, its value there and with slopes of 0, and whether it has a largest."""
    params = model.start()
    null = now = model.value(params)
    for _step in range(_STEPS if model.k else 0):
        gradient, information = model.derivatives(params)
        if (np.abs(gradient) <= _TOLERANCE * len(model.y)).all():
            return params, now, null, True
        if np.abs(params[: model.k]).max() > _RUNAWAY:
            break
        step = np.linalg.lstsq(information, gradient, rcond=None)[0]
        # The likelihood is concave: a step that is short enough always leads up.
        for _halving in range(_HALVINGS):
            tried = model.value(params + step)
            if tried >= now:
                break
            step = step / 2
        else:
            break
        params, now = params + step, tried
    return params, now, null, not model.k
