"""Waves of a survey: each by itself, and what has really changed between two, be it the same customers or others."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.voice.estimate import estimate_table
from crm_analysis.voice.means import (
    LEAST_ANSWERS,
    TOO_FEW,
    WeightedMean,
    bessel,
    t_reach,
    two_sided_p,
    weighted_mean,
)
from crm_analysis.voice.measures import Question, adjusted, levels_of, question
from crm_analysis.voice.multiplicity import adjust_p_values, check_adjust
from crm_analysis.voice.rating_scale import Scale
from crm_analysis.voice.responses import frame_of, names_of, take_responses

HIGHER, LOWER = N_("higher"), N_("lower")
NO_CHANGE = N_("no real change")


class _Sample(NamedTuple):
    """Scores and weights of one wave, and what they say of its mean."""

    scores: Floats
    weights: Floats
    found: WeightedMean


class _Overlap(NamedTuple):
    """Who answered both times: how many, and the correlation of the two means that comes of it."""

    n: int
    correlation: float


def compare_waves(
    responses: Any,
    items: Sequence[str],
    *,
    before: Any,
    after: Any,
    wave: str = "wave",
    respondent: str | None = None,
    measure: str = "mean",
    top: int = 2,
    scale: Scale = (1, 10),
    adjust: str | None = "holm",
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Say which scores differ between two waves by more than chance.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row an answered questionnaire.
    items : sequence of str
        The questions.
    before, after : str or other
        The two waves, as named in the column `wave`.
    respondent : str, optional
        Column that says who answered, such as "customer_id", or the name of the index, such as "respondent_id". Those
        who answered in both waves are then compared with themselves; who is not named counts as somebody else. None:
        nobody answered twice.
    measure : "mean", "top_box" or "nps"
        As `mean_rating`, `top_box` with `top` and `scale`, or `net_promoter_score`.
    adjust : "holm", "benjamini-hochberg" or None
        How p-values are adjusted for the number of questions.
    weights : str, Series, array or None
        As for `take_responses`.
    level : float
        Probability of the intervals; a change is real where the adjusted p-value is below 1 - level.

    Returns
    -------
    DataFrame, index item
        n_before, n_after, n_both (who answered it both times), before, after, change (after less before),
        standard_error, lower, upper (of each change by itself), p_value, p_adjusted, verdict ("higher", "lower", "no
        real change", "too few answers"). Where one wave has fewer than ten effective answers nothing is tested.

    Raises
    ------
    DataError
        When answers are no numbers or cannot be given on the scale, or somebody answers twice in one wave.
    SettingsError
        When a column or a wave is not there or an argument is out of range.

    Notes
    -----
    Means are compared by the t test for partly overlapping samples of unequal variances: the paired t test where the
    same respondents answered, Welch's where none did. Shares and net promoter scores are compared by a normal test with
    the variances of the samples; where all answers of a wave are alike, its variance is that of the adjusted interval
    instead of 0. With weights, variances and covariance are linearised and the Kish effective n stands for n.

    References
    ----------
    Derrick, Russ, Toher & White (2017), Test statistics for the comparison of means for two samples that include both
    paired and independent observations, Journal of Modern Applied Statistical Methods 16(1), 137-157 (T_new2).
    """
    check_level(level)
    check_adjust(adjust)
    asked = question(measure, top, scale)
    items = [items] if isinstance(items, str) else names_of("items", items)
    taken = take_responses(responses, items, weights=weights)
    refuse(asked.off_scale(taken.frame))
    frame = frame_of(responses, [wave])
    rows_before, rows_after = _rows_of(frame, wave, before, after)
    pairs = _same_people(frame, respondent, rows_before, rows_after)
    table = []
    for item in items:
        scores = asked.score(taken.frame[item].to_numpy())
        scores = np.where(taken.weights > 0, scores, np.nan)
        first, last = (_sample(scores[rows], taken.weights[rows]) for rows in (rows_before, rows_after))
        table.append(_change(asked, first, last, pairs, level))
    names = [
        *("n_before", "n_after", "n_both", "before", "after", "change", "standard_error"),
        "lower",
        "upper",
        "p_value",
    ]
    changes = pd.DataFrame(table, columns=names, index=pd.Index(items, name="item"))
    changes["p_adjusted"] = adjust_p_values(changes["p_value"], adjust)
    is_real = changes["p_adjusted"] < 1 - level
    kinds = [changes["p_value"].isna(), is_real & (changes["change"] > 0), is_real]
    return changes.assign(verdict=np.select(kinds, [TOO_FEW, HIGHER, LOWER], NO_CHANGE))


def wave_trend(
    responses: Any,
    item: str,
    *,
    wave: str = "wave",
    measure: str = "mean",
    top: int = 2,
    scale: Scale = (1, 10),
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Score of one question in every wave.

    Parameters
    ----------
    responses, item, wave, measure, top, scale, weights, level
        As for `compare_waves`.

    Returns
    -------
    DataFrame, index wave, in order
        n, effective_n, value, lower, upper: the interval of each wave by itself. Whether two waves differ is said by
        `compare_waves`, not by whether their intervals meet.

    Raises
    ------
    DataError
        When answers are no numbers, or cannot be given on the scale.
    SettingsError
        When a column is not there or an argument is out of range.
    """
    check_level(level)
    asked = question(measure, top, scale)
    taken = take_responses(responses, [item], weights=weights)
    refuse(asked.off_scale(taken.frame))
    waves = frame_of(responses, [wave])[wave]
    scores = asked.score(taken.frame[item].to_numpy())
    names = levels_of(waves)
    rows = [(waves == name).fillna(False).to_numpy(bool) for name in names]
    estimates = [asked.estimate(scores[is_in], taken.weights[is_in], level=level) for is_in in rows]
    return estimate_table(estimates, index=pd.Index(names, name=wave))


def _rows_of(frame: pd.DataFrame, wave: str, before: Any, after: Any) -> tuple[Integers, Integers]:
    waves = frame[wave]
    there = levels_of(waves)
    if before == after or before not in there or after not in there:
        names = listing([repr(name) for name in there])
        raise SettingsError(f"before is {before!r} and after is {after!r}; give two of the waves {names}.")
    first, last = (np.flatnonzero((waves == name).fillna(False).to_numpy(bool)) for name in (before, after))
    return first, last


def _same_people(
    frame: pd.DataFrame, respondent: str | None, rows_before: Integers, rows_after: Integers
) -> tuple[Integers, Integers]:
    """Return places in either wave of those who are in both."""
    if respondent is None:
        return np.zeros(0, int), np.zeros(0, int)
    is_index = respondent == frame.index.name and respondent not in frame.columns
    people = frame.index.to_series() if is_index else frame_of(frame, [respondent])[respondent]
    ids = [people.iloc[rows] for rows in (rows_before, rows_after)]
    twice = pd.concat([part[part.notna() & part.duplicated(keep=False)] for part in ids])
    if len(twice):
        fix = "keep one questionnaire a respondent and wave, such as the last, or leave `respondent` out."
        rule = "somebody answered more than once in a wave"
        refuse([Violation("survey answers", respondent, rule, len(twice), fix, twice.to_frame().head(5))])
    places = [pd.Series(np.arange(len(part)), index=part.to_numpy())[part.notna().to_numpy()] for part in ids]
    both = pd.concat(places, axis=1, join="inner").to_numpy(int)
    return both[:, 0], both[:, 1]


def _sample(scores: Floats, weights: Floats) -> _Sample:
    return _Sample(scores, weights, weighted_mean(scores, weights))


def _change(
    asked: Question, before: _Sample, after: _Sample, pairs: tuple[Integers, Integers], level: float
) -> tuple[float, ...]:
    first, last = before.found, after.found
    overlap = _overlap(before, after, pairs)
    variances = [_variance(asked, found) for found in (first, last)]
    covariance = overlap.correlation * np.sqrt(variances[0] * variances[1])
    error = float(np.sqrt(max(variances[0] + variances[1] - 2 * covariance, 0.0)))
    df = _freedom(first, last, variances, overlap) if asked.measure == "mean" else np.inf
    change = last.value - first.value
    reach = t_reach(error, df, level)
    enough = min(first.effective_n, last.effective_n) >= LEAST_ANSWERS
    p_value = two_sided_p(change, error, df) if enough else float("nan")
    return (
        *(first.n, last.n, overlap.n, first.value, last.value),
        *(change, error, change - reach, change + reach, p_value),
    )


def _variance(asked: Question, found: WeightedMean) -> float:
    if asked.measure == "mean":
        return found.variance * bessel(found.n)
    return found.variance if found.variance > 0 or not found.n else adjusted(found, asked.measure)[1]


def _overlap(before: _Sample, after: _Sample, pairs: tuple[Integers, Integers]) -> _Overlap:
    """Correlation of the means: that of the answers of those in both, times the part of the weights that is theirs."""
    x, y = before.scores[pairs[0]], after.scores[pairs[1]]
    both = ~np.isnan(x) & ~np.isnan(y)
    x, y, u, v = x[both], y[both], before.weights[pairs[0]][both], after.weights[pairs[1]][both]
    if len(x) < 2:
        return _Overlap(len(x), 0.0)
    x, y = u * (x - np.average(x, weights=u)), v * (y - np.average(y, weights=v))
    alike = float(np.sqrt((x @ x) * (y @ y)))
    answered = [sample.weights[~np.isnan(sample.scores)] for sample in (before, after)]
    part = float(u @ v / np.sqrt((answered[0] @ answered[0]) * (answered[1] @ answered[1])))
    return _Overlap(len(x), float(x @ y) / alike * part if alike > 0 else 0.0)


def _freedom(first: WeightedMean, last: WeightedMean, variances: Sequence[float], overlap: _Overlap) -> float:
    """Between those of the paired test, where all are in both waves, and Welch's, where nobody is."""
    n, m = first.effective_n, last.effective_n
    total = variances[0] + variances[1]
    if not total > 0:
        return n + m - 2
    welch = total**2 / sum(v**2 / (size - 1) for v, size in zip(variances, (n, m), strict=True) if v > 0)
    # With weights, those in both are worth as much of the effective n as they are of the answers.
    both = overlap.n / np.sqrt(first.n * last.n) * np.sqrt(n * m)
    alone = n + m - 2 * both
    return float(both - 1 + (welch - both + 1) / (n + m) * alone)
