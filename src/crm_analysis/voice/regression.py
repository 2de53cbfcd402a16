"""Weighted least squares, with standard errors that do not take the scatter to be the same everywhere (HC3)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, listing, refuse, warn_of_doubt
from crm_analysis.models.histories import Floats
from crm_analysis.voice.importance import variance_inflation
from crm_analysis.voice.means import t_reach, two_sided_p
from crm_analysis.voice.moments import weighted_moments
from crm_analysis.voice.responses import Responses, effective_n, names_of, take_responses
from crm_analysis.voice.sweeping import NOTHING

# From so many left out on, those who are left may be others than those who were asked.
_MANY_LEFT_OUT = 1 / 5


@dataclass(frozen=True, eq=False)
class RobustFit:
    """Slopes with their covariance.

    Attributes
    ----------
    slopes : Series
        By column; missing where the answers do not tell.
    covariance : DataFrame
        Of the slopes (HC3).
    degrees : float
        Effective number of respondents less slopes and the constant, at least 1: the degrees of freedom of t.
    n, effective_n : int, float
        Respondents behind it, and what they are worth when weights differ.
    """

    slopes: pd.Series
    covariance: pd.DataFrame
    degrees: float
    n: int
    effective_n: float

    def contrast(self, weights: Floats, *, level: float) -> tuple[float, float, float, float, float]:
        """Return a sum of slopes times `weights`: value, standard error, lower, upper, p-value of its being 0."""
        value = float(weights @ self.slopes.to_numpy())
        error = float(np.sqrt(weights @ self.covariance.to_numpy() @ weights))
        reach = t_reach(error, self.degrees, level)
        return value, error, value - reach, value + reach, two_sided_p(value, error, self.degrees)


def robust_slopes(drivers: Floats, outcome: Floats, weights: Floats) -> tuple[Floats, Floats]:
    """Slopes of an outcome on drivers and a constant, with their HC3 covariance.

    Parameters
    ----------
    drivers : array, shape (n_respondents, k)
        Nothing missing; without the constant.
    outcome, weights : array, shape (n_respondents,)
        Weights above 0, taken as survey weights: only their ratios matter.

    Returns
    -------
    slopes : array, shape (k,)
        Units of the outcome for a unit of each driver. Of drivers that are copies of each other the sum alone is known.
    covariance : array, shape (k, k)

    References
    ----------
    MacKinnon & White (1985), Journal of Econometrics 29, 305-325 (HC3); Long & Ervin (2000), The American Statistician
    54, 217-224; Fuller (1975), Sankhya C 37, 117-132 (regression with survey weights).
    """
    share = weights / weights.sum()
    moments, root = weighted_moments(drivers, weights), np.sqrt(share)
    scale = np.where(moments.deviations > 0, moments.deviations, 1.0)
    x, y = root[:, None] * (drivers - moments.means) / scale, root * (outcome - share @ outcome)
    inverse = np.linalg.pinv(x.T @ x, rcond=NOTHING, hermitian=True)
    slopes = inverse @ (x.T @ y)
    left = 1 - share - np.einsum("ij,jk,ik->i", x, inverse, x, optimize=True)  # 1 less leverage, the constant's too
    # Who alone tells a slope (leverage 1) is fitted exactly, whatever the answer, and says nothing of the scatter.
    error = np.divide(y - x @ slopes, left, out=np.zeros_like(y), where=left > NOTHING)
    influence = (x * error[:, None]) @ inverse / scale
    return slopes / scale, influence.T @ influence


def robust_fit(drivers: pd.DataFrame, outcome: Floats, weights: Floats) -> RobustFit:
    """Regress an outcome on drivers and a constant, each respondent counting by weight.

    Parameters
    ----------
    drivers : DataFrame of float, shape (n_respondents, k)
    outcome, weights
        As `robust_slopes`.

    Returns
    -------
    RobustFit
        Slope and covariance are missing for a driver that does not vary or is given by others.
    """
    x = drivers.to_numpy(float)
    slopes, covariance = robust_slopes(x, outcome, weights)
    moments = weighted_moments(np.column_stack([x, outcome]), weights)
    known = np.isfinite(variance_inflation(moments.covariances))
    names, worth = drivers.columns, effective_n(weights)
    table = pd.DataFrame(np.where(np.outer(known, known), covariance, np.nan), index=names, columns=names)
    degrees = max(worth - len(names) - 1, 1.0)
    return RobustFit(pd.Series(np.where(known, slopes, np.nan), index=names), table, degrees, len(drivers), worth)


def complete_answers(
    responses: Any, *, outcome: str, drivers: Sequence[str], weights: Any = None
) -> tuple[Responses, "np.ndarray[Any, np.dtype[np.bool_]]"]:
    """Return the respondents who count and answered the outcome and every driver, and which of all these are.

    Raises
    ------
    SettingsError
        When there are no drivers or the outcome is among them.
    DataError
        When nobody answered everything, or all gave the same answer to a question.

    Warns
    -----
    EstimationWarning
        When a fifth or more did not.
    """
    drivers = names_of("drivers", drivers)
    if not drivers:
        raise SettingsError("give the names of drivers, at least one, as a list.")
    if outcome in drivers:
        raise SettingsError(f"the outcome {outcome!r} is among the drivers; leave it out there.")
    taken = take_responses(responses, [outcome, *drivers], weights=weights)
    whole = taken.frame.notna().all(axis=1).to_numpy() & (taken.weights > 0)
    answers = taken.frame[whole]
    table = "survey answers"
    if answers.empty:
        fix = "leave out what few answered."
        refuse([Violation(table, "", f"nobody answered the outcome and all of the {len(drivers)} drivers", 0, fix)])
    _say_who_is_left_out(taken, whole, outcome)
    same = [name for name in answers.columns if np.ptp(answers[name].to_numpy()) == 0]
    fix = "leave it out: an answer that does not differ goes with nothing."
    refuse(Violation(table, str(name), "everybody gave the same answer", 0, fix) for name in same)
    return Responses(answers, taken.weights[whole], taken.not_applicable[whole], taken.is_weighted), whole


def _say_who_is_left_out(taken: Responses, whole: "np.ndarray[Any, np.dtype[np.bool_]]", outcome: str) -> None:
    counts = taken.weights > 0
    lost, counted = counts & ~whole, int(counts.sum())
    if lost.sum() < _MANY_LEFT_OUT * counted:
        return
    barred = taken.not_applicable[lost]
    elsewhere = int(barred.any(axis=1).sum())  # imputing an answer that is missing besides would not bring them back
    reasons = []
    if elsewhere:
        where = [str(name) for name in barred.columns[barred.any()]]
        reasons.append(f"{elsewhere:,} because {listing(where)} did not apply to them")
    if elsewhere < lost.sum():
        reasons.append(f"{lost.sum() - elsewhere:,} because an answer is missing")
    warn_of_doubt(
        f"only {counted - lost.sum():,} of {counted:,} respondents answered {outcome} and all drivers; the others are "
        f"left out, and may differ: {listing(reasons)}. Leave out drivers that did not apply to many, or impute what "
        "is missing."
    )
