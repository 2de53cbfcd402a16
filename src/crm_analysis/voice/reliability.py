"""Whether items that are averaged go together: Cronbach's alpha, McDonald's omega, and what each item adds."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from crm_analysis.errors import DataError, Violation, refuse
from crm_analysis.messages import _, count, number, percent
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.moments import Moments, correlations_of, resampled_moments, weighted_moments
from crm_analysis.voice.one_factor import one_factor_loadings
from crm_analysis.voice.responses import effective_n, named_items, take_responses

_TABLE = "survey answers"


@dataclass(frozen=True, eq=False)
class Reliability:
    """How far the sum of some items measures one thing.

    Attributes
    ----------
    alpha : Estimate
        Cronbach's alpha of the items as they are: a lower bound of reliability when errors are unrelated.
    omega : Estimate
        McDonald's omega: share of the variance of the sum that one common factor explains. Missing for two items.
    items : DataFrame, index item
        mean, standard_deviation; item_rest (correlation with the sum of the others); alpha_without (alpha of the
        others; missing when only one is left); loading (on the common factor; missing for two items); is_reversed
        (whether it goes down where the others go up); answered (respondents who count and answered this item).
    n, effective_n : int, float
        Respondents who answered every item, and what they are worth when weights differ (Kish).
    notes : tuple of str
        What to beware of, in words.
    """

    alpha: Estimate
    omega: Estimate
    items: pd.DataFrame
    n: int
    effective_n: float
    notes: tuple[str, ...] = field(default=())


def reliability(
    responses: Any,
    items: Sequence[Any],
    *,
    weights: Any = None,
    draws: int = 1_000,
    seed: int = 0,
    level: float = 0.95,
) -> Reliability:
    """Say how reliable the sum or mean of some items is.

    Parameters
    ----------
    responses : DataFrame or Survey
    items : sequence of names
        At least two, all worded in the same direction.
    weights : str, Series, array or None
        Survey weights.
    draws : int
        Draws of respondents behind the intervals. 0: alpha has the interval of Feldt, which takes answers to be normal,
        and omega has none.
    seed : int
    level : float

    Returns
    -------
    Reliability
        Of the respondents who answered every item.

    Raises
    ------
    SettingsError
        When there are fewer than two items, or one is not in the responses.
    DataError
        When answers are no numbers, an item does not vary, or fewer than three respondents answered every item.

    References
    ----------
    Cronbach (1951), Psychometrika 16, 297-334; Feldt (1965), Psychometrika 30, 357-370; McDonald (1999), Test Theory,
    eq. 6.21, with loadings by minimum residuals on the correlations.

    Examples
    --------
    >>> answers = pd.DataFrame({"a": [1, 2, 3, 4], "b": [2, 2, 3, 5], "c": [1, 3, 3, 4]})
    >>> round(reliability(answers, ["a", "b", "c"]).alpha.value, 3)
    0.947
    """
    check_level(level)
    check_whole("the number of draws", draws, least=0)
    check_whole("seed", seed, least=0)
    items = named_items(items, least=2)
    taken = take_responses(responses, items, weights=weights)
    counts = taken.weights > 0
    used = counts & taken.frame.notna().all(axis=1).to_numpy()
    frame, counted = taken.frame[used], taken.weights[used]
    _check(frame)
    answers = frame.to_numpy()
    moments = weighted_moments(answers, counted)
    rng = np.random.default_rng(seed)
    drawn = resampled_moments(answers, counted, draws=draws, rng=rng)
    loadings = _loadings(moments)
    worth = effective_n(counted)
    alpha, omega = float(cronbach_alpha(moments.covariances)), float(_omega(loadings, moments.deviations))
    alpha_draws, omega_draws = cronbach_alpha(drawn.covariances), _omega(_loadings(drawn), drawn.deviations)
    table = _items(moments, loadings, taken.frame.columns, taken.frame[counts].notna().sum().to_numpy())
    return Reliability(
        _estimate(alpha, alpha_draws, feldt=(worth, len(items)), level=level, n=len(frame), worth=worth),
        _estimate(omega, omega_draws, feldt=None, level=level, n=len(frame), worth=worth),
        table,
        len(frame),
        worth,
        _notes(table, int(counts.sum()), len(frame), omega_draws),
    )


def cronbach_alpha(covariances: Floats) -> Floats:
    """Alpha of items, k / (k - 1) (1 - trace / sum of all), over the last two axes; missing for a single item."""
    size = covariances.shape[-1]
    if size < 2:
        return np.full(covariances.shape[:-2], np.nan)
    own = np.trace(covariances, axis1=-2, axis2=-1)
    whole = covariances.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):  # items that cancel out have no alpha
        return np.where(whole > 1e-12 * own, size / (size - 1) * (1 - own / whole), np.nan)


def _check(frame: pd.DataFrame) -> None:
    if len(frame) < 3:
        raise DataError(
            f"{_TABLE}: {len(frame):,} respondents answered all {frame.shape[1]} items; there must be at least 3.\n"
            "To fix: leave out items that few answered."
        )
    refuse(
        Violation(_TABLE, str(name), "all answers are the same", 0, "leave the item out; it cannot go with others.")
        for name in frame.columns[frame.nunique() < 2]
    )


def _loadings(moments: Moments) -> Floats:
    if moments.means.shape[-1] < 3:
        return np.full(moments.means.shape, np.nan)
    return one_factor_loadings(correlations_of(moments.covariances))


def _omega(loadings: Floats, deviations: Floats) -> Floats:
    """Share of the variance of the sum of the items, as they are, that is due to the common factor."""
    common = (loadings * deviations).sum(axis=-1) ** 2
    own = ((1 - loadings**2) * deviations**2).sum(axis=-1)
    return np.asarray(common / (common + own))


def _estimate(
    value: float, draws: Floats, *, feldt: tuple[float, int] | None, level: float, n: int, worth: float
) -> Estimate:
    draws = draws[np.isfinite(draws)]
    if len(draws) > 1 and np.isfinite(value):
        interval = Interval.of_draws(draws, level=level, contains=(RESPONDENTS,))
        return Estimate(value, interval, float(draws.std(ddof=1)), n, worth, "bootstrap")
    lower = upper = float("nan")
    if feldt and np.isfinite(value) and feldt[0] > 1:
        free = feldt[0] - 1, (feldt[0] - 1) * (feldt[1] - 1)
        lower, upper = (1 - (1 - value) * stats.f.ppf([(1 + level) / 2, (1 - level) / 2], *free)).tolist()
    method = "Feldt" if feldt else "none"
    return Estimate(value, Interval(lower, upper, level, (RESPONDENTS,)), float("nan"), n, worth, method)


def _items(moments: Moments, loadings: Floats, names: pd.Index, answered: Any) -> pd.DataFrame:
    covariances, deviations = moments.covariances, moments.deviations
    with_all = covariances.sum(axis=1)
    rest_variance = covariances.sum() - 2 * with_all + deviations**2
    with np.errstate(divide="ignore", invalid="ignore"):
        varies = rest_variance > 1e-12 * covariances.trace()
        item_rest = np.where(varies, (with_all - deviations**2) / (deviations * np.sqrt(rest_variance)), np.nan)
    kept = [np.delete(np.arange(len(names)), i) for i in range(len(names))]
    return pd.DataFrame(
        {
            "mean": moments.means,
            "standard_deviation": deviations,
            "item_rest": item_rest,
            "alpha_without": [float(cronbach_alpha(covariances[np.ix_(rest, rest)])) for rest in kept],
            "loading": loadings,
            "is_reversed": item_rest < 0,
            "answered": answered,
        },
        index=names.rename("item"),
    )


def _notes(items: pd.DataFrame, asked: int, n: int, omega_draws: Floats) -> tuple[str, ...]:
    notes = []
    if n < asked:
        notes.append(
            _(
                "{lost} of {asked} respondents ({share}) are left out: they did not answer every question.",
                lost=count(asked - n),
                asked=count(asked),
                share=percent((asked - n) / asked),
            )
        )
    notes += [
        _(
            "{item} goes down where the other items go up (correlation {correlation}): is it worded the other way "
            "round?",
            item=item,
            correlation=number(correlation),
        )
        for item, correlation in items.loc[items["is_reversed"], "item_rest"].items()
    ]
    if len(items) < 3:
        notes.append(_("Omega cannot be told from two items."))
    elif items["loading"].isna().any():
        notes.append(_("No common factor of the items was found, so that omega is missing."))
    elif (items["loading"].abs() >= 1 - 1e-9).any():
        notes.append(
            _("One item alone stands for the common factor (its loading is at the limit of 1): omega is unreliable.")
        )
    failed = int((~np.isfinite(omega_draws)).sum())
    if failed and items["loading"].notna().all():
        notes.append(
            _(
                "In {failed} of {draws} draws of respondents no common factor was found; the interval of omega is of "
                "the others.",
                failed=count(failed),
                draws=count(len(omega_draws)),
            )
        )
    return tuple(notes)
