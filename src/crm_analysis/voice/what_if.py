"""How much higher the outcome is among respondents who differ in drivers as a scenario says, by a fitted model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, refuse
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level, is_number
from crm_analysis.models.histories import Floats
from crm_analysis.voice.means import t_reach
from crm_analysis.voice.rating_scale import Scales, off_scale, scale_ends
from crm_analysis.voice.responses import Responses, frame_of, take_responses

ALL = N_("all together")


def what_if(
    responses: Any,
    *,
    slopes: pd.Series,
    covariance: pd.DataFrame,
    changes: Mapping[str, Any],
    outcome: str | None = None,
    scale: Scales = (1, 10),
    weights: Any = None,
    level: float = 0.95,
    degrees: float = np.inf,
) -> pd.DataFrame:
    """Difference of the mean outcome that goes with marks of drivers a step higher or lower, nobody leaving the scale.

    Each respondent's mark changes by as much as the scale has room for: who gave a driver 10 of 10 cannot give more.
    The slopes are associations; whether the outcome would follow if somebody raised a driver, a survey cannot tell.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent. Who did not rate a driver is left out of its mean change; to whom it did not apply, its
        change is 0.
    slopes : Series, index driver
        Points of the outcome that go with one point of the driver, the others alike.
    covariance : DataFrame
        Of the slopes, rows and columns by driver.
    changes : mapping
        Of driver to change in points (a scenario each, and "all together" where there are several), or of the name of a
        scenario to such a mapping.
    outcome : str, optional
        Column of the outcome, for `room`.
    scale : (low, high) or mapping of column to (low, high)
        Lowest and highest mark of drivers and outcome; columns that a mapping leaves out are asked from 1 to 10.
    weights : optional
        As `take_responses` takes them.
    level : float
        Probability of the intervals.
    degrees : float
        Degrees of freedom behind the covariance of the slopes.

    Returns
    -------
    DataFrame, index scenario
        change (difference of the mean outcome, in points), standard_error, lower, upper; mean_step (mean change of the
        drivers' marks after the cap, added over drivers); at_end (share of the marks asked about that the scale stops);
        n (respondents behind the step of the driver that the fewest rated); with `outcome` also room: `change` where
        nobody's outcome leaves the scale either, among those who answered it and all drivers of the scenario.

    Raises
    ------
    SettingsError
        When a driver has no slope, or arguments do not fit.
    DataError
        When answers are refused or outside the scale.

    Notes
    -----
    The change is slopes times mean capped steps; its variance adds those of slopes (steps given) and of the mean
    steps (slopes given), which are uncorrelated where the model holds. A step is taken as linear: where penalties and
    rewards differ (`penalty_reward`), it is right for the middle of the scale at best.
    """
    check_level(level)
    for argument, given, kind in (("slopes", slopes, pd.Series), ("covariance", covariance, pd.DataFrame)):
        if not isinstance(given, kind):
            raise SettingsError(f"{argument} is a {type(given).__name__}; give a {kind.__name__} by driver.")
    scenarios = _scenarios(changes)
    drivers = list(dict.fromkeys(name for steps in scenarios.values() for name in steps))
    absent = [str(name) for name in drivers if name not in slopes.index]
    if absent:
        raise SettingsError(
            f"there is no slope of {', '.join(absent)}; drivers are {', '.join(map(str, slopes.index))}."
        )
    taken = take_responses(responses, [*drivers, *([outcome] if outcome else [])], weights=weights)
    low, high = scale_ends(scale, list(taken.frame), among=frame_of(responses).columns)
    refuse(off_scale(taken.frame, low, high))
    ends = pd.DataFrame({"low": low, "high": high}, index=taken.frame.columns)
    rows = {}
    for name, asked in scenarios.items():
        b = slopes[list(asked)].to_numpy(float)
        v = covariance.loc[list(asked), list(asked)].to_numpy(float)
        steps, stopped = _steps(taken, asked, ends)
        mean, spread, n = _means(steps, taken.weights)
        error = float(np.sqrt(mean @ v @ mean + b @ spread @ b))
        change, reach = float(b @ mean), t_reach(error, degrees, level)
        rows[name] = {
            "change": change, "standard_error": error, "lower": change - reach, "upper": change + reach,
            "mean_step": float(mean.sum()), "at_end": _share(stopped, taken.weights), "n": n,
        }  # fmt: skip
        if outcome:
            rows[name]["room"] = _room(taken.frame[outcome].to_numpy(), steps @ b, taken.weights, *ends.loc[outcome])
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario")


def _scenarios(changes: Any) -> dict[str, dict[str, float]]:
    if not (isinstance(changes, Mapping) and changes):
        raise SettingsError("changes must say by how much drivers differ, such as {'price': 1}.")
    if all(isinstance(steps, Mapping) for steps in changes.values()):
        scenarios = {name: dict(steps) for name, steps in changes.items()}
    else:
        scenarios = {name: {name: step} for name, step in changes.items()}
        if len(changes) > 1:
            scenarios[ALL] = dict(changes)
    for name, steps in scenarios.items():
        if not steps or not all(is_number(step) for step in steps.values()):
            raise SettingsError(f"changes: {name!r} is no number of points, or of no driver.")
    return scenarios


def _steps(taken: Responses, asked: dict[str, float], ends: pd.DataFrame) -> tuple[Floats, Floats]:
    """Return each respondent's change of each driver, and where the scale stopped it (missing: no answer)."""
    marks = taken.frame[list(asked)].to_numpy()
    wanted = np.array(list(asked.values()), float)
    steps = np.clip(marks + wanted, *ends.loc[list(asked)].to_numpy().T) - marks
    stopped = np.where(np.isnan(marks), np.nan, np.abs(steps - wanted) > 1e-12)
    return np.where(taken.not_applicable[list(asked)], 0.0, steps), stopped


def _means(steps: Floats, weights: Floats) -> tuple[Floats, Floats, int]:
    """Return the mean step of each driver, their covariance, and the fewest respondents behind one."""
    given = ~np.isnan(steps) & (weights > 0)[:, None]
    total = weights @ given
    if not (total > 0).all():
        return np.full(len(total), np.nan), np.full((len(total), len(total)), np.nan), 0
    filled = np.where(given, steps, 0.0)
    mean = weights @ filled / total
    influence = weights[:, None] * np.where(given, filled - mean, 0.0) / total
    n = len(steps)
    return mean, influence.T @ influence * n / max(n - 1, 1), int(given.sum(axis=0).min())


def _share(flags: Floats, weights: Floats) -> float:
    given = ~np.isnan(flags)
    count = np.where(given, weights[:, None], 0.0)
    return float(np.sum(count * np.where(given, flags, 0.0)) / count.sum()) if count.sum() > 0 else float("nan")


def _room(outcome: Floats, change: Floats, weights: Floats, low: float, high: float) -> float:
    given = ~np.isnan(outcome + change) & (weights > 0)
    if not given.any():
        return float("nan")
    y = outcome[given]
    return float(np.average(np.clip(y + change[given], low, high) - y, weights=weights[given]))
