"""The one optimiser. It alone knows about log-parameters, Hessians and standard errors.

What is handed over is the log-likelihood of all rows and its exact gradient in natural parameters. Here the search runs
in log-parameters, where every positive value is allowed and a change of time unit is a mere shift, so the data is
never rescaled and the log-likelihood is that of the data as given. Coefficients of covariates may take any sign; they
stand behind the positive parameters and are searched as they are.

Where there are many rows the search is rehearsed on some of them: it ends close to the maximum of all, with a curvature
close to theirs, so that a few Newton steps on all rows are enough.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, optimize
from scipy.special import chdtri
from threadpoolctl import ThreadpoolController

from crm_analysis.errors import warn_of_doubt
from crm_analysis.messages import _
from crm_analysis.models.histories import Floats

LikelihoodAndScore = Callable[[Floats], tuple[float, Floats]]
"""Natural parameters (k,) -> log-likelihood of all rows, times their counts, and its gradient (k,)."""

_Objective = Callable[[Floats], tuple[float, Floats]]
"""What is minimised, of the parameters as they are searched, and its gradient."""

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
# When no start leads to a maximum, this many others are tried, each a factor of up to e away from one of them.
_RESTARTS = 3


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
    likelihood: LikelihoodAndScore,
    *,
    names: Sequence[str],
    starts: Sequence[Sequence[float]],
    total: float,
    coefficients: int = 0,
    penalty: float = 0.0,
    rehearsal: LikelihoodAndScore | None = None,
) -> Maximum:
    """Maximise a likelihood.

    Parameters
    ----------
    likelihood : callable
        Natural parameters, shape (k,), to the log-likelihood of all rows and its gradient, shape (k,).
    names : sequence of str
        Names of the parameters, for messages.
    starts : sequence of sequence of float
        Natural starting values, tried in turn until a search converges; then a few near them. The best end is kept.
    total : float
        How many customers (or how much case weight) the likelihood is of.
    coefficients : int
        How many parameters, the last ones, may take any sign; all others are positive.
    penalty : float
        Weight of the sum of squared coefficients taken off the log-likelihood. It moves the maximum; log-likelihood and
        covariance are those of the data alone.
    rehearsal : callable, optional
        The likelihood of some of the rows, their counts raised to the same total: cheaper, and much alike.

    Returns
    -------
    Maximum

    Warns
    -----
    EstimationWarning
        For a parameter at its bound, a ridge, or a search that did not converge; with advice.
    """
    scale = _Scale(len(names) - coefficients)
    weight = np.where(np.arange(len(names)) < scale.positive, 0.0, penalty)

    def mean_of(likelihood: LikelihoodAndScore) -> _Objective:
        def of_data(theta: Floats) -> tuple[float, Floats]:
            params = scale.natural(theta)
            log_likelihood, score = likelihood(params)
            return -log_likelihood / total, -score * scale.slope(params) / total

        return of_data

    def penalised(of_data: _Objective) -> _Objective:
        def objective(theta: Floats) -> tuple[float, Floats]:
            value, gradient = of_data(theta)
            return value + float(weight @ theta**2) / total, gradient + 2 * weight * theta / total

        return objective if penalty else of_data

    of_data = mean_of(likelihood)
    objective = penalised(of_data)
    searched = [scale.searched(np.asarray(start, float)) for start in starts]
    # The matrices here have half a dozen rows, and blocks of data a few thousand: threads would mostly wait.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        best = None if rehearsal is None else _continued(objective, penalised(mean_of(rehearsal)), searched)
        if best is None:
            best = _best_end(objective, searched)
        information = _hessian(of_data, best.theta) * total
        log_likelihood = -total * (of_data(best.theta)[0] if penalty else best.value)
    params = scale.natural(best.theta)
    covariance, flat = _covariance(information)
    advice = tuple(_advice(names, params, best.at_bound, best.converged, flat))
    for sentence in advice:
        warn_of_doubt(sentence)
    # Delta method for params = exp(theta): the Jacobian is diagonal, so rows and columns are both scaled.
    slope = scale.slope(params)
    return Maximum(params, np.outer(slope, slope) * covariance, log_likelihood, best.converged, advice)


@dataclass(frozen=True)
class _Scale:
    """The first `positive` parameters are searched as logarithms, the others as they are."""

    positive: int

    def natural(self, theta: Floats) -> Floats:
        return np.concatenate([np.exp(theta[: self.positive]), theta[self.positive :]])

    def searched(self, params: Floats) -> Floats:
        return np.concatenate([np.log(params[: self.positive]), params[self.positive :]])

    def slope(self, params: Floats) -> Floats:
        return np.concatenate([params[: self.positive], np.ones(len(params) - self.positive)])


def _all_starts(given: list[Floats]) -> Iterator[Floats]:
    yield from given
    rng = np.random.default_rng(0)
    for turn in range(_RESTARTS):
        start = given[turn % len(given)]
        yield start + rng.uniform(-1, 1, size=len(start))


def profile_interval(
    likelihood: LikelihoodAndScore,
    maximum: Maximum,
    *,
    position: int,
    coefficients: int = 0,
    level: float = 0.95,
) -> tuple[float, float]:
    """Interval of one parameter: where the likelihood, maximised over all others, stays close to its maximum.

    Parameters
    ----------
    likelihood, coefficients
        As handed to `maximize_likelihood`.
    maximum : Maximum
        What it returned, without a penalty.
    position : int
        Of the parameter among all.
    level : float
        Probability that the interval covers the parameter, by the chi-square of one degree of freedom.

    Returns
    -------
    (float, float)
        Natural scale. 0 or infinite where the likelihood never falls far enough: the data set no limit on that side.

    References
    ----------
    Venzon & Moolgavkar (1988), Applied Statistics 37(1), 87-94.
    """
    scale = _Scale(len(maximum.params) - coefficients)
    centre = scale.searched(maximum.params)
    slope = scale.slope(maximum.params)
    covariance = maximum.covariance / np.outer(slope, slope)
    others = np.arange(len(centre)) != position
    error = float(np.sqrt(covariance[position, position]))
    # Along the profile the others first move as their covariance says; the search is in steps of what then remains.
    drift = covariance[others, position] / error**2
    rest = covariance[np.ix_(others, others)] - np.outer(drift, drift) * error**2
    root = linalg.cholesky(rest + 1e-12 * np.eye(len(rest)), lower=True) if len(rest) else np.zeros((0, 0))
    drop = float(chdtri(1, 1 - level)) / 2

    def lost(away: float) -> float:
        """Log-likelihood lost `away` from the maximum, less the loss that ends the interval."""
        theta = centre.copy()
        theta[position] += away

        def objective(u: Floats) -> tuple[float, Floats]:
            theta[others] = centre[others] + drift * away + root @ u
            params = scale.natural(theta)
            value, score = likelihood(params)
            gradient = score * scale.slope(params)
            return -value, -(root.T @ gradient[others])

        start = np.zeros(int(others.sum()))
        bounds = [(-_REACH, _REACH)] * len(start)
        best = (
            optimize.minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds).fun
            if len(start)
            else (objective(start)[0])
        )
        return maximum.log_likelihood + best - drop

    # A coefficient is in units of its covariate, so its reach is in standard errors; that of a parameter in factors.
    reach = _REACH if position < scale.positive else _REACH * error
    ends = []
    for side in (-1.0, 1.0):
        away = side * min(error * np.sqrt(2 * drop), reach)
        while lost(away) < 0 and abs(away) < reach:
            away = side * min(1.6 * abs(away), reach)
        # Past the reach of the search the data set no limit.
        ends.append(side * np.inf if lost(away) < 0 else optimize.brentq(lost, 0.0, away, xtol=1e-6 * error))
    lower, upper = (centre[position] + end for end in ends)
    return (float(np.exp(lower)), float(np.exp(upper))) if position < scale.positive else (float(lower), float(upper))


@dataclass(frozen=True)
class _End:
    theta: Floats
    value: float
    gradient: Floats
    at_bound: NDArray[np.bool_]

    @property
    def converged(self) -> bool:
        return bool(np.abs(self.gradient).max() < _GRADIENT_TOLERANCE and not self.at_bound.any())


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries behind numpy and scipy; asked for once, when these are loaded."""
    return ThreadpoolController()


def _best_end(objective: _Objective, starts: list[Floats]) -> _End:
    """Search from one start after the other until a search converges; return the best end."""
    ends: list[_End] = []
    for start in _all_starts(starts):
        ends.append(_search(objective, start))
        if ends[-1].converged:
            break
    return min(ends, key=lambda end: end.value)


def _search(objective: _Objective, start: Floats) -> _End:
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


def _continued(objective: _Objective, rehearsal: _Objective, starts: list[Floats]) -> _End | None:
    """Rehearse the search, and go on from its end with the curvature found there; None where that leads nowhere."""
    rehearsed = _best_end(rehearsal, starts)
    if not rehearsed.converged:
        return None
    curvature = _hessian(rehearsal, rehearsed.theta)
    theta, value, gradient = _newton(objective, rehearsed.theta, *objective(rehearsed.theta), curvature)
    end = _End(theta, value, gradient, rehearsed.at_bound)
    return end if end.converged else None


def _newton(
    objective: _Objective, theta: Floats, value: float, gradient: Floats, curvature: Floats | None = None
) -> tuple[Floats, float, Floats]:
    """Polish a maximum with Newton steps; a step that does not help ends the polishing.

    The curvature is dear. While steps gain a digit each, it is only brought up to date by what they show of it (BFGS).
    """
    for _turn in range(_NEWTON_STEPS):
        if np.abs(gradient).max() < _GRADIENT_TOLERANCE * 1e-4:
            break
        exact = curvature is None
        hessian = _hessian(objective, theta) if curvature is None else curvature
        curvature = None
        step = _newton_step(hessian, gradient)
        if step is not None:
            closer = objective(theta + step)
            gained = np.abs(closer[1]).max() / np.abs(gradient).max()
            change = closer[1] - gradient
            if gained < 0.1 and change @ step > 0:
                curvature = (
                    hessian
                    + np.outer(change, change) / (change @ step)
                    + np.outer(gradient, gradient) / (gradient @ step)  # the curvature before, times the step
                )
            if gained < 1:
                theta, (value, gradient) = theta + step, closer
                continue
        if exact:
            break
    return theta, value, gradient


def _newton_step(hessian: Floats, gradient: Floats) -> Floats | None:
    """Return the step to where the gradient would be zero; None where there is none to be trusted."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", linalg.LinAlgWarning)
            step = -linalg.solve(hessian, gradient, assume_a="pos")
    except (linalg.LinAlgError, linalg.LinAlgWarning):  # a ridge
        return None
    # A longer step is far from quadratic: L-BFGS has done what can be done there.
    return step if np.abs(step).max() <= 1 else None


def _hessian(objective: _Objective, theta: Floats) -> Floats:
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
                "(for a and b often only a/(a+b), for s and beta only s/beta, for r and alpha only r/alpha). "
                "Predictions close to the data hold; do not read these parameters one by one.",
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
