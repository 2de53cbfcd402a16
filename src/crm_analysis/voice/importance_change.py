"""Whether a driver has become more or less important from one wave to another, or whether answers merely scatter."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.voice.estimate import SMALL_SAMPLE
from crm_analysis.voice.importance import MOST_PLAYERS, johnson_contributions, lmg_contributions
from crm_analysis.voice.moments import is_solvable, resampled_moments, weighted_moments
from crm_analysis.voice.regression import complete_answers
from crm_analysis.voice.responses import effective_n, labels_of, names_of

MORE, LESS, SAME = N_("more"), N_("less"), N_("no real change")

# So many sets of drivers, over samples, are gone through at a time: some 50 MB a set of arrays.
_SETS = 2**19


def importance_change(
    responses: Any,
    *,
    outcome: str,
    drivers: Sequence[str],
    before: Any,
    after: Any,
    wave: str = "wave",
    respondent: str | None = None,
    method: str = "lmg",
    weights: Any = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Difference of drivers' shares of R-squared, and of their slopes, between two waves.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent and wave; who did not answer everything in a wave is left out of it.
    outcome : str
        Column of the outcome.
    drivers : sequence of str
        Columns of ratings, the same questions in both waves.
    before, after
        Two values of `wave`.
    wave : str
        Column of waves.
    respondent : str, optional
        Column, or name of the index, that tells who answered. Those in both waves are drawn together, which makes the
        difference surer; None, and respondents without an id: everybody is somebody else.
    method : str
        "lmg" (at most 15 drivers) or "johnson".
    weights : optional
        As `take_responses` takes them.
    draws : int
        Bootstrap samples of respondents, at least 100.
    seed : int
        Of the samples.
    level : float
        Probability that all intervals of shares hold at once, and likewise those of slopes.

    Returns
    -------
    DataFrame, index driver
        before, after (shares), change, standard_error, lower, upper, verdict ("more", "less" or "no real change");
        slope_before, slope_after (points of the outcome per point of the driver), slope_change, slope_standard_error,
        slope_lower, slope_upper, slope_verdict; n_before, n_after, n_both.

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused, a respondent answered twice in a wave, or drivers depend on one another in a wave.

    Notes
    -----
    Limits are those of the largest studentised difference among the drivers (max-statistic), so that the chance of any
    false verdict among the drivers is 1 less `level`. A share can change because other drivers matter more, or because
    answers differ less than they did: only where slopes change too does a driver itself go otherwise with the outcome.

    References
    ----------
    Efron & Tibshirani (1993), An Introduction to the Bootstrap, chapter 12; Westfall & Young (1993), Resampling-Based
    Multiple Testing, section 2.3 (max-statistic).
    """
    check_level(level)
    check_whole("draws", draws, least=100)
    check_whole("seed", seed, least=0)
    names = names_of("drivers", drivers)
    if method not in ("lmg", "johnson"):
        raise SettingsError(f'method is {method!r}; give "lmg" or "johnson".')
    if method == "lmg" and len(names) > MOST_PLAYERS:
        raise SettingsError(f'there are {len(names)} drivers; "lmg" takes at most {MOST_PLAYERS}: use "johnson".')
    if before == after:
        raise SettingsError(f"before and after are both {before!r}; give two waves.")
    taken, whole = complete_answers(responses, outcome=outcome, drivers=names, weights=weights)
    waves = labels_of(responses, wave)[whole]
    absent = [str(one) for one in (before, after) if not (waves == one).any()]
    if absent:
        raise SettingsError(f"nobody answered everything in wave {' or '.join(absent)}.")
    rows = [np.flatnonzero(waves == one) for one in (before, after)]
    units = _units(responses, respondent, whole, rows)
    _say_what_is_small([effective_n(taken.weights[at]) for at in rows])
    values, counted = _by_unit(taken.frame[[*names, outcome]].to_numpy(), taken.weights, rows, units)
    now = np.stack([weighted_moments(*part).covariances for part in zip(values, counted, strict=True)])
    if not _can_tell(now).all():
        raise DataError(
            "survey answers: in one of the waves a driver or the outcome does not vary, or drivers depend on one "
            "another.\nTo fix: leave such a driver out."
        )
    # From the same seed the same respondents are drawn in both waves.
    drawn = np.stack(
        [
            resampled_moments(*part, draws=draws, rng=np.random.default_rng(seed)).covariances
            for part in zip(values, counted, strict=True)
        ]
    )
    drawn = drawn[:, _can_tell(drawn).all(axis=0)]
    both = len(np.intersect1d(*units))
    table = pd.concat(
        [
            _compared(_shares(now, method), _shares(drawn, method), names, level),
            _compared(_slopes(now), _slopes(drawn), names, level),
        ],
        axis=1,
    )
    of_slopes = [f"slope_{name}" for name in table.columns[7:]]
    table.columns = pd.Index([*table.columns[:7], *of_slopes])
    return table.assign(n_before=len(rows[0]), n_after=len(rows[1]), n_both=both)


def _units(responses: Any, respondent: str | None, whole: Any, rows: list[Any]) -> list[Any]:
    """Number who is drawn: one number for those who answered in both waves. Returned for the rows of each wave."""
    if respondent is None:
        return [np.arange(len(rows[0])), len(rows[0]) + np.arange(len(rows[1]))]
    ids = labels_of(responses, respondent)[whole]
    repeated = [pd.Series(ids[at]).dropna() for at in rows]
    twice = [str(name) for given in repeated for name in given[given.duplicated()].unique()]
    if twice:
        raise DataError(
            f"survey answers, column {respondent!r}: {len(twice):,} answered twice in a wave, such as {twice[0]}.\n"
            "To fix: keep one row for each respondent and wave."
        )
    # Who has no id is somebody else than everybody.
    keys = pd.Series([("row", at) if name is None else ("id", name) for at, name in enumerate(ids)])
    codes, _ = pd.factorize(pd.concat([keys[rows[0]], keys[rows[1]]]))
    return [codes[: len(rows[0])], codes[len(rows[0]) :]]


def _by_unit(values: Floats, weights: Floats, rows: list[Any], units: list[Any]) -> tuple[Floats, Floats]:
    """Answers and weights of both waves by who is drawn, shapes (2, n, k) and (2, n); who is absent weighs 0."""
    count = 1 + max(int(of_rows.max()) for of_rows in units)
    answers, counted = np.zeros((2, count, values.shape[1])), np.zeros((2, count))
    for wave, (at, of_rows) in enumerate(zip(rows, units, strict=True)):
        answers[wave, of_rows], counted[wave, of_rows] = values[at], weights[at]
    return answers, counted


def _can_tell(covariances: Floats) -> Any:
    return is_solvable(covariances[..., :-1, :-1]) & (covariances[..., -1, -1] > 0)


def _shares(covariances: Floats, method: str) -> Floats:
    divide = lmg_contributions if method == "lmg" else johnson_contributions
    flat = covariances.reshape(-1, *covariances.shape[-2:])
    at_a_time = max(1, _SETS >> (flat.shape[-1] - 1 if method == "lmg" else 0))
    blocks = [divide(flat[first : first + at_a_time]) for first in range(0, len(flat), at_a_time)]
    contributions = np.concatenate(blocks).reshape(*covariances.shape[:-2], -1)
    total = contributions.sum(axis=-1, keepdims=True)
    return np.divide(contributions, total, out=np.zeros_like(contributions), where=total > 0)


def _slopes(covariances: Floats) -> Floats:
    return np.asarray(np.linalg.solve(covariances[..., :-1, :-1], covariances[..., :-1, -1:])[..., 0])


def _compared(now: Floats, drawn: Floats, names: list[str], level: float) -> pd.DataFrame:
    """Compare figures of two waves (axis 0) with what samples say of their difference."""
    change, scatter = now[1] - now[0], drawn[1] - drawn[0]
    error = scatter.std(axis=0, ddof=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        # A figure without scatter (the share of a single driver is always 1) is certain and widens nothing.
        furthest = np.nan_to_num(np.abs(scatter - change) / error).max(axis=1)
    reach = np.quantile(furthest, level) * error
    lower, upper = change - reach, change + reach
    columns = {"before": now[0], "after": now[1], "change": change, "standard_error": error}
    verdict = np.select([lower > 0, upper < 0], [MORE, LESS], SAME)
    return pd.DataFrame(
        columns | {"lower": lower, "upper": upper, "verdict": verdict}, index=pd.Index(names, name="driver")
    )


def _say_what_is_small(worth: list[float]) -> None:
    if min(worth) < SMALL_SAMPLE:
        warn_of_doubt(
            f"the waves have {worth[0]:.0f} and {worth[1]:.0f} answers: fewer than {SMALL_SAMPLE} tell importance "
            "badly, and changes of it hardly at all. Join waves."
        )
