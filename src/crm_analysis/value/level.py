"""The level of a forecast: by what share forecasts made earlier inside the log came out too high or too low."""

import warnings
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd
from scipy import optimize

from crm_analysis.data.order_clock import with_gaps
from crm_analysis.data.sources import Transactions
from crm_analysis.data.summaries import CustomerSummary, split_calibration_holdout
from crm_analysis.errors import EstimationWarning, SettingsError
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.periods import DAYS_PER_UNIT

_ORIGINS = (61, 91, 122, 152, 183)
_SHORTEST_LOG = 115
# What a shop sells next year is not known: standard deviation of the log of its volume.
VOLUME_ERROR = 0.10
# With fewer than three origins their spread says nothing; the level is then taken to be no better known than this.
_LEAST_ERROR = 0.10
_FARTHEST = 3.0


@dataclass(frozen=True, eq=False)
class Level:
    """How forecasts made earlier, in the same clock, came out.

    Attributes
    ----------
    origins : DataFrame, indexed by origin
        days (from the origin to the as-of date), actual and expected purchases, log_ratio (ln(actual / expected)).
    factor : float
        What the forecast is multiplied by: exp of the mean log ratio, longer stretches counting more. It is held as it
        is however far the forecast looks.
    error : float
        Standard deviation of its logarithm: the spread of the origins, and half of the squared mean, because a level
        that has been off may be off by another share next time. The origins share their target and are not independent.
    """

    origins: pd.DataFrame
    factor: float
    error: float


def level_of(log: Transactions, customers: CustomerSummary, fit: ClockedFit) -> Level:
    """Forecast from dates inside the log to its end, in the clock and with the k of `fit`, and compare.

    Parameters
    ----------
    log : Transactions
        The log.
    customers : CustomerSummary
        On the as-of date.
    fit : ClockedFit
        Fitted on that date.

    Returns
    -------
    Level
        Factor 1 and an error of 10% where the log is too short for any origin.
    """
    as_of, unit = customers.as_of, customers.time_unit
    if as_of is None:
        raise SettingsError("a level is taken as of a date; the summary has none.")
    rows = {}
    for days in _ORIGINS:
        origin = as_of - timedelta(days=days)
        if (origin - fit.clock.first_day).days + 1 < _SHORTEST_LOG:
            continue
        split = split_calibration_holdout(log, calibration_end=origin, as_of=as_of, time_unit=unit)
        own_rates = any(effect.design.names for effect in fit.effects)
        with warnings.catch_warnings():
            # Doubt about an earlier date is not doubt about the forecast.
            warnings.simplefilter("ignore", EstimationWarning)
            earlier = fit_clocked(
                with_gaps(split.known, split.calibration, fit.clock), fit.clock, k=fit.params.k, first_window=own_rates
            )
        expected = earlier.expected_purchases(split.calibration, horizon=days / DAYS_PER_UNIT[unit]).sum()
        rows[origin] = (days, float(split.holdout["purchases"].sum()), float(expected))
    origins = pd.DataFrame.from_dict(rows, orient="index", columns=["days", "actual", "expected"])
    origins = origins[(origins["actual"] > 0) & (origins["expected"] > 0)].rename_axis("origin")
    log_ratio = np.log(origins["actual"] / origins["expected"])
    origins = origins.assign(log_ratio=log_ratio)
    if origins.empty:
        return Level(origins, 1.0, _LEAST_ERROR)
    mean = float(np.average(log_ratio, weights=origins["days"]))
    spread = float(log_ratio.var(ddof=1)) if len(origins) > 1 else 0.0
    error = float(np.sqrt(spread + mean**2 / 2))
    return Level(origins, float(np.exp(mean)), error if len(origins) > 2 else max(error, _LEAST_ERROR))


def at_level(fit: ClockedFit, customers: CustomerSummary, level: Level, *, horizon: float) -> ClockedFit:
    """Return the fit with the speed of clock at which the total of `horizon` is its forecast times the level's factor.

    A clock that runs slower lowers expectations, probabilities, values and simulated futures alike, and its doubt, with
    that of the volume of the shop, enters every draw.
    """
    kinds, rows = fit.distinct(customers)

    def log_total(log_speed: float) -> float:
        at_speed = replace(fit, speed=float(np.exp(log_speed)))
        return float(np.log(at_speed.expected_purchases(kinds, horizon=horizon).to_numpy() @ rows.counts))

    goal = float(np.log(level.factor)) + log_total(0.0)
    # A total grows less than in proportion to time, because customers leave: the speed has to change by more.
    reach = min(2 * abs(float(np.log(level.factor))) + 0.1, _FARTHEST)
    while reach < _FARTHEST and not log_total(-reach) < goal < log_total(reach):
        reach = min(2 * reach, _FARTHEST)
    if log_total(-reach) < goal < log_total(reach):
        log_speed = float(optimize.brentq(lambda value: log_total(value) - goal, -reach, reach, xtol=1e-9))
    else:
        log_speed = float(np.sign(np.log(level.factor))) * reach  # no speed leads there: as near as can be
    elasticity = (log_total(log_speed + 0.01) - log_total(log_speed - 0.01)) / 0.02
    error = float(np.hypot(level.error / max(elasticity, 0.1), VOLUME_ERROR))
    return replace(fit, speed=float(np.exp(log_speed)), speed_error=error)
