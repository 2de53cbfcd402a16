"""The one optimiser. It alone knows about log-parameters, Hessians and standard errors.

Models hand over the log-likelihood of each row and its exact gradient in natural parameters. Here the search runs
in log-parameters, where every positive value is allowed and a change of time unit is a mere shift, so the data is
never rescaled and the log-likelihood is that of the data as given.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize

from crm_analysis.errors import EstimationWarning
from crm_analysis.messages import _
from crm_analysis.models.histories import Floats

LikelihoodAndScore = Callable[[Floats], tuple[Floats, Floats]]
"""Natural parameters (k,) -> log-likelihood of each row (n,) and its gradient (n, k)."""

# A log-parameter may wander this far from its start: a factor of e^12, about 160,000, either way.
_REACH = 12.0
# A direction in which the likelihood leaves a standard deviation of this many log units is called a ridge.
_FLAT = 1.5
# No direction counts as flatter than this: a factor of e^3, about 20, either way. Beyond it the parabola says nothing,
# and draws along it would leave every plausible customer base.
_FLATTEST = 3.0
_HESSIAN_STEP = 1e-4
_NEWTON_STEPS = 20
# Largest gradient of the mean log-likelihood, in log-parameters, that still counts as a maximum.
_GRADIENT_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Maximum:
    """Where a likelihood is largest, and how sharply.

    Attributes
    ----------
    params : array, shape (k,)
        Natural parameters.
    covariance : array, shape (k, k)
        Of the natural parameters, from the observed information; a direction in which the data tell next to nothing
        is given a standard deviation of three log units, and advice says so.
    log_likelihood : float
        Of all rows, times their counts, unscaled.
    converged : bool
        Whether the gradient is zero to tolerance, away from the bounds.
    advice : tuple of str
        What is doubtful and what to try; empty when all is well.
    """

    params: Floats
    covariance: Floats
    log_likelihood: float
    converged: bool
    advice: tuple[str, ...]


def maximize_likelihood(
    likelihood: LikelihoodAndScore, *, names: Sequence[str], starts: Sequence[Sequence[float]], counts: Floats
) -> Maximum:
    """Maximise a likelihood of positive parameters.

    Parameters
    ----------
    likelihood : callable
        Natural parameters, shape (k,), to the log-likelihood of each row, shape (n,), and its gradient, (n, k).
    names : sequence of str
        Names of the parameters, for messages.
    starts : sequence of sequence of float
        Natural starting values, tried in turn until a search converges; the best end is kept.
    counts : array, shape (n,)
        How many customers (or how much case weight) each row stands for.

    Returns
    -------
    Maximum

    Warns
    -----
    EstimationWarning
        For a parameter at its bound, a ridge, or a search that did not converge; with advice.
    """
    total = counts.sum()

    def objective(theta: Floats) -> tuple[float, Floats]:
        params = np.exp(theta)
        log_likelihood, score = likelihood(params)
        return -float(counts @ log_likelihood) / total, -(counts @ score) * params / total

    ends: list[_End] = []
    for start in starts:
        ends.append(_search(objective, np.log(np.asarray(start, float))))
        if ends[-1].converged:
            break
    best = min(ends, key=lambda end: end.value)
    params = np.exp(best.theta)
    covariance, flat = _covariance(_hessian(objective, best.theta) * total)
    advice = tuple(_advice(names, params, best.at_bound, best.converged, flat))
    for sentence in advice:
        warnings.warn(sentence, EstimationWarning, stacklevel=3)
    # Delta method for params = exp(theta): the Jacobian is diagonal, so rows and columns are both scaled.
    return Maximum(params, np.outer(params, params) * covariance, -best.value * float(total), best.converged, advice)


@dataclass(frozen=True)
class _End:
    theta: Floats
    value: float
    gradient: Floats
    at_bound: NDArray[np.bool_]

    @property
    def converged(self) -> bool:
        return bool(np.abs(self.gradient).max() < _GRADIENT_TOLERANCE and not self.at_bound.any())


def _search(objective: Callable[[Floats], tuple[float, Floats]], start: Floats) -> _End:
    bounds = [(value - _REACH, value + _REACH) for value in start]
    found = optimize.minimize(
        objective,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=bounds,
        options={"maxiter": 2000, "ftol": 1e-13, "gtol": 1e-9},
    )
    theta, value, gradient = _newton(objective, found.x, found.fun, found.jac)
    return _End(theta, value, gradient, np.abs(theta - start) > _REACH - 0.01)


def _newton(
    objective: Callable[[Floats], tuple[float, Floats]], theta: Floats, value: float, gradient: Floats
) -> tuple[Floats, float, Floats]:
    """Polish a maximum with Newton steps; a step that does not help ends the polishing."""
    for _turn in range(_NEWTON_STEPS):
        if np.abs(gradient).max() < _GRADIENT_TOLERANCE * 1e-4:
            break
        try:
            step = linalg.solve(_hessian(objective, theta), gradient, assume_a="pos")
        except linalg.LinAlgError:
            break
        if np.abs(step).max() > 1:  # far from quadratic: L-BFGS has done what can be done here
            break
        closer = objective(theta - step)
        if not np.abs(closer[1]).max() < np.abs(gradient).max():
            break
        theta, (value, gradient) = theta - step, closer
    return theta, value, gradient


def _hessian(objective: Callable[[Floats], tuple[float, Floats]], theta: Floats) -> Floats:
    """Hessian by central differences of the exact gradient: good to about eight digits."""
    columns = []
    for position in range(len(theta)):
        step = np.zeros_like(theta)
        step[position] = _HESSIAN_STEP
        columns.append((objective(theta + step)[1] - objective(theta - step)[1]) / (2 * _HESSIAN_STEP))
    hessian = np.column_stack(columns)
    return (hessian + hessian.T) / 2


def _covariance(information: Floats) -> tuple[Floats, Floats | None]:
    """Inverse of the information, and the flattest direction where it is flat enough to be called a ridge."""
    curvatures, directions = linalg.eigh(information)
    flat = directions[:, 0] if curvatures[0] < _FLAT**-2 else None
    return directions @ np.diag(1 / np.maximum(curvatures, _FLATTEST**-2)) @ directions.T, flat


def _advice(
    names: Sequence[str], params: Floats, at_bound: NDArray[np.bool_], converged: bool, flat: Floats | None
) -> list[str]:
    advice = []
    bounded = [f"{name} = {value:.3g}" for name, value, hit in zip(names, params, at_bound, strict=True) if hit]
    if bounded:
        advice.append(
            _(
                "{parameters} ran to the bound of the search: the data do not hold it back. Read the estimate as 'very "
                "large' or 'very small', and check that there are enough repeat purchases.",
                parameters=", ".join(bounded),
            )
        )
    elif flat is not None:
        advice.append(
            _(
                "the likelihood is nearly flat along {parameters}: the data tell a combination of them, not each one "
                "(for a and b often only a/(a+b), for r and alpha only r/alpha). Predictions close to the data hold; "
                "do not read these parameters one by one.",
                parameters=", ".join(name for name, weight in zip(names, flat, strict=True) if abs(weight) > 0.3),
            )
        )
    if not converged and not bounded:
        advice.append(
            _(
                "the search did not reach a point where the gradient is zero; treat the estimate as provisional, and "
                "check the data for very few repeat purchases or for a handful of customers far from all others."
            )
        )
    return advice
