"""Weights that make respondents stand for all customers: raking to known shares, trimming, and what weights cost."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.survey import Survey
from crm_analysis.errors import SettingsError, Violation, listing, refuse, warn_of_doubt
from crm_analysis.models.checks import is_number
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.voice.measures import sorted_levels
from crm_analysis.voice.responses import effective_n, frame_of, take_responses

_MOST_CYCLES = 1_000
# Published shares are rounded: they may add up to 1 but for so much.
_ROUNDED = 0.005


def rake(
    data: Any,
    *,
    margins: Mapping[str, Mapping[Any, float]],
    weights: Any = None,
    tolerance: float = 1e-8,
    trim: float | None = None,
) -> pd.Series:
    """Weight respondents so that their shares are those of all customers, one column after the other.

    Parameters
    ----------
    data : DataFrame or Survey
        One row a respondent.
    margins : mapping of column to mapping of level to share or count
        What is known of all customers, such as {"region": {"North": 0.4, "South": 0.6}}. Each column by itself; what
        is above 1 in sum is taken as counts.
    weights : str, Series, array or None
        Weights to begin with, such as those of the design; as for `take_responses`. Raking multiplies them, so that
        what they say of how columns go together stays: all odds ratios of the weighted table are kept.
    tolerance : float
        How far a weighted share may be from its margin.
    trim : float, optional
        No weight above so many times the median: weights are trimmed and raked again, in turn.

    Returns
    -------
    Series, index as `data`
        Weights of mean 1, named "weight".

    Raises
    ------
    DataError
        When a column has missing answers, or a level nobody was asked to be: a level without a target. Every column at
        once. Name those who did not answer as a level, or leave them out.
    SettingsError
        When a column is not there, a target has no respondents, shares do not add up to 1, or a number is out of
        range.

    Warns
    -----
    EstimationWarning
        When the margins cannot be met all together, or not with the trimming; the weights are the nearest found.

    References
    ----------
    Deming & Stephan (1940), Annals of Mathematical Statistics 11, 427-444 (iterative proportional fitting).

    Examples
    --------
    >>> answers = pd.DataFrame({"region": ["North", "South", "South"]})
    >>> rake(answers, margins={"region": {"North": 0.5, "South": 0.5}}).tolist()
    [1.5, 0.75, 0.75]
    """
    if not (is_number(tolerance) and tolerance > 0):
        raise SettingsError(f"tolerance is {tolerance!r}; give a number above 0, such as 1e-8.")
    if trim is not None:
        _check_most("trim", trim)
    start = take_responses(data, [], weights=weights).weights
    frame = frame_of(data)
    groups = _groups(frame, margins, start)
    found, miss = _to_margins(start / start.sum(), groups, tolerance)
    if trim is not None:
        found, miss = _trimmed(found, groups, tolerance, trim)
    if miss > tolerance:
        together = "together with the trimming" if trim is not None else "all together"
        warn_of_doubt(
            f"The margins cannot be met {together}: a weighted share is off by {miss:.2g}. Look for levels that nobody "
            "combines, merge small levels, or trim less."
        )
    return pd.Series(found * len(frame), index=frame.index, name="weight")


def raked_survey(survey: Survey) -> Survey:
    """Return a survey weighted so that the shares of each wave are those that its codebook says are true.

    Parameters
    ----------
    survey : Survey
        Its own weights are where the raking begins. Without `margins` and `trim` in its codebook it is returned as it
        is; with `trim` alone, high weights are cut.

    Raises
    ------
    DataError, SettingsError
        As `rake`, for the first wave that cannot be raked.
    """
    margins, trim = survey.codebook.margins, survey.codebook.trim
    if not margins and trim is None:
        return survey
    waves = [survey.wave(wave) for wave in survey.waves]
    if margins:
        raked = [rake(wave, margins=margins, trim=trim) for wave in waves]
    else:
        raked = [trim_weights(wave.weights, most=float(trim or 1)) for wave in waves]
    # One respondent may answer in several waves: rows are told apart by their place, not by their id.
    weights = pd.Series(np.nan, index=survey.frame.index, name="weight")
    for wave, of_wave in zip(survey.waves, raked, strict=True):
        weights[(survey.frame["wave"] == wave).to_numpy()] = of_wave.to_numpy()
    return replace(survey, weights=weights)


def trim_weights(weights: Any, *, most: float = 5.0) -> pd.Series:
    """Cut high weights and spread what is cut over all respondents, so that the sum stays.

    Parameters
    ----------
    weights : Series or array, shape (n_respondents,)
        Weights >= 0; who weighs 0 is left out and stays so.
    most : float
        The highest weight as a multiple of the median of those above 0, >= 1; it holds for the weights returned.

    Returns
    -------
    Series
        Same index and sum. Trimmed weights vary less but no longer meet their margins: `rake` with `trim` does both.

    Raises
    ------
    SettingsError
        When weights are negative, missing or all 0, or `most` is below 1.

    References
    ----------
    Potter (1990), A study of procedures to identify and trim extreme sampling weights, ASA Survey Research Methods.

    Examples
    --------
    >>> trim_weights([1.0, 1.0, 1.0, 9.0], most=3).tolist()
    [2.0, 2.0, 2.0, 6.0]
    """
    _check_most("most", most)
    column = _checked(weights)
    return pd.Series(_cut(column.to_numpy(), most), index=column.index, name=column.name)


def design_effect(weights: Any) -> float:
    """Say how many times the answers are needed that would tell as much with weights all alike: n / effective n.

    Parameters
    ----------
    weights : Series or array, shape (n_respondents,)
        Weights >= 0; those of 0 are left out.

    Returns
    -------
    float
        1 where weights are all alike, above 1 else: one plus the squared coefficient of variation.

    Raises
    ------
    SettingsError
        When weights are negative, missing or all 0.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.

    Examples
    --------
    >>> design_effect([1, 1, 2])
    1.125
    """
    values = _checked(weights).to_numpy()
    return int((values > 0).sum()) / effective_n(values)


class _Margin:
    """A column as codes of its levels, and the shares they should have."""

    def __init__(self, codes: Integers, targets: Floats) -> None:
        self.codes, self.targets = codes, targets

    def shares(self, weights: Floats) -> Floats:
        return np.bincount(self.codes, weights=weights, minlength=len(self.targets)).astype(float)

    def met(self, weights: Floats) -> Floats:
        now = self.shares(weights)
        return weights * np.divide(self.targets, now, out=np.zeros_like(now), where=now > 0)[self.codes]


def _to_margins(weights: Floats, margins: list[_Margin], tolerance: float) -> tuple[Floats, float]:
    for _cycle in range(_MOST_CYCLES):
        for margin in margins:
            weights = margin.met(weights)
        if _miss(weights, margins) <= tolerance:
            break
    return weights, _miss(weights, margins)


def _miss(weights: Floats, margins: list[_Margin]) -> float:
    return max(float(np.abs(margin.shares(weights) - margin.targets).max()) for margin in margins)


def _trimmed(weights: Floats, margins: list[_Margin], tolerance: float, most: float) -> tuple[Floats, float]:
    """Trim and rake by turns; end trimmed, so that what is promised of the highest weight holds."""
    for _round in range(_MOST_CYCLES):
        weights = _cut(weights, most)
        miss = _miss(weights, margins)
        if miss <= tolerance:
            break
        for margin in margins:
            weights = margin.met(weights)
    else:
        weights = _cut(weights, most)
    return weights, _miss(weights, margins)


def _cut(weights: Floats, most: float) -> Floats:
    # All are scaled by the same factor, the cut ones too, so that the highest is `most` medians afterwards as well.
    cut = np.minimum(weights, most * np.median(weights[weights > 0]))
    return cut * (weights.sum() / cut.sum())


def _check_most(name: str, most: object) -> None:
    if not (is_number(most) and most >= 1):
        raise SettingsError(
            f"{name} is {most!r}; give the highest weight as a multiple of the median, >= 1, such as 5."
        )


def _checked(weights: Any) -> pd.Series:
    try:
        column = pd.Series(weights).astype(float)
    except (TypeError, ValueError):
        column = pd.Series([np.nan])
    if not ((np.isfinite(column) & (column >= 0)).all() and column.sum() > 0):
        raise SettingsError("weights must be numbers >= 0, none of them missing and not all 0.")
    return column


def _groups(frame: pd.DataFrame, margins: Any, weights: Floats) -> list[_Margin]:
    if not (isinstance(margins, Mapping) and margins):
        raise SettingsError("margins must name the shares of each column: {column: {level: share}}.")
    known: dict[str, Mapping[Any, float]] = dict(margins)
    frame_of(frame, list(known))  # refuses columns that are not there
    counts = weights > 0  # who weighs nothing may be of any level
    violations, problems, found = [], [], []
    for name, targets in known.items():
        shares = _shares(name, targets)
        levels = {level: place for place, level in enumerate(targets)}
        column = frame[name]
        codes = column.astype(object).map(levels)
        violations += _without_target(column[counts], codes[counts], targets)
        without = [
            str(level) for level, place in levels.items() if shares[place] > 0 and not (codes[counts] == place).any()
        ]
        if without:
            problems.append(f"margins[{name!r}]: nobody is {listing(without)}; merge it with another level.")
        found.append(_Margin(codes.fillna(0).to_numpy(int), shares))
    refuse(violations)
    if problems:
        raise SettingsError("\n".join(problems))
    return found


def _without_target(column: pd.Series, codes: pd.Series, targets: Mapping[Any, float]) -> list[Violation]:
    missing, unknown = column.isna(), codes.isna() & column.notna()
    name, found = str(column.name), []
    if missing.any():
        fix = "leave these respondents out, or name them as a level and give it a target."
        shown = column[missing].to_frame().head(5)
        found.append(Violation("survey answers", name, "missing", int(missing.sum()), fix, shown))
    if unknown.any():
        others = listing([repr(level) for level in sorted_levels(column[unknown].unique())])
        rule = f"a level without a target ({others}; targets are of {listing([repr(level) for level in targets])})"
        shown = column[unknown].to_frame().head(5)
        found.append(
            Violation("survey answers", name, rule, int(unknown.sum()), "give it a share, or merge it.", shown)
        )
    return found


def _shares(name: str, targets: Any) -> Floats:
    if not (isinstance(targets, Mapping) and targets):
        raise SettingsError(f"margins[{name!r}] is {targets!r}; give the share of each level: {{level: share}}.")
    wrong = [f"{level!r}: {value!r}" for level, value in targets.items() if not (is_number(value) and value >= 0)]
    if wrong:
        raise SettingsError(f"margins[{name!r}] has {listing(wrong)}; give shares or counts >= 0.")
    values = np.array(list(targets.values()), dtype=float)
    total = float(values.sum())
    if not total > 0 or (values.max() <= 1 and abs(total - 1) > _ROUNDED):
        raise SettingsError(f"margins[{name!r}]: the shares add up to {total:g}; give shares of 1, or counts.")
    return values / total
