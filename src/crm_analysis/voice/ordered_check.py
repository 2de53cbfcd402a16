"""Whether driver importance stays when the outcome is taken as ordered marks instead of as a quantity."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr, ndtri
from threadpoolctl import ThreadpoolController

from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.messages import _
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.voice.estimate import SMALL_SAMPLE
from crm_analysis.voice.moments import is_solvable, weighted_moments
from crm_analysis.voice.ordered_logit import OrderedLogit, fit_ordered_logit
from crm_analysis.voice.ordered_shares import MOST_EXACT, ORDERS, pseudo_contributions
from crm_analysis.voice.parallel_lines import parallel_lines
from crm_analysis.voice.regression import complete_answers
from crm_analysis.voice.responses import effective_n, names_of

# As many marks as a scale from 0 to 10 has; a finer outcome is joined to so many categories.
_MOST_CATEGORIES = 11


@dataclass(frozen=True, eq=False)
class OrderedCheck:
    """An ordered logit of the drivers, and what it says of their importance.

    Attributes
    ----------
    slopes : DataFrame, index driver
        slope (log odds of a higher mark per point of the driver), standard_error (sandwich), lower, upper, p_value,
        odds_ratio.
    cuts : Series
        Cut above each category but the last, on the scale of log odds.
    shares : DataFrame, index driver
        contribution (to McFadden's pseudo R-squared, averaged over orders of entry), share, rank.
    parallel_lines : DataFrame, index "(all)" and driver
        statistic, df, p_value of Brant's test that a driver goes with every cut alike.
    categories : DataFrame, index category
        lowest and highest mark in it, n.
    same_first_three : bool or None
        Whether the first three drivers are those of the given importance, in that order; None without one.
    pseudo_r_squared, log_likelihood : float
        Of the model with all drivers.
    n, effective_n : int, float
        Respondents behind it.
    converged : bool
        Whether slopes were found.
    notes : tuple of str
        What was joined, drawn or found, in words.
    """

    slopes: pd.DataFrame
    cuts: pd.Series
    shares: pd.DataFrame
    parallel_lines: pd.DataFrame
    categories: pd.DataFrame
    same_first_three: bool | None
    pseudo_r_squared: float
    log_likelihood: float
    n: int
    effective_n: float
    converged: bool
    notes: tuple[str, ...]


def ordered_check(
    responses: Any,
    *,
    outcome: str,
    drivers: Sequence[str],
    importance: pd.Series | pd.DataFrame | None = None,
    weights: Any = None,
    least: int = 20,
    level: float = 0.95,
    seed: int = 0,
) -> OrderedCheck:
    """Fit an ordered logit of the drivers, test its parallel lines, and compare its importance with the one reported.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent; who did not answer everything is left out.
    outcome : str
        Column of marks.
    drivers : sequence of str
        Columns of ratings.
    importance : Series of shares, or DataFrame with column share; index driver; optional
        Such as `DriverFit.items`, to compare the first three with.
    weights : optional
        As `take_responses` takes them.
    least : int
        Marks with fewer answers are joined with a neighbour, the rarest first.
    level : float
        Probability of the intervals; 1 less it is the chance at which lines are said not to be parallel.
    seed : int
        Of the orders of entry that are drawn where there are more than eight drivers.

    Returns
    -------
    OrderedCheck

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused, drivers depend on one another, or fewer than two categories are left.

    References
    ----------
    McCullagh (1980), Journal of the Royal Statistical Society B 42, 109-142; Brant (1990), Biometrics 46, 1171-1178;
    Azen & Traxel (2009), Journal of Educational and Behavioral Statistics 34, 319-347 (dominance by pseudo R-squared);
    Castro, Gomez & Tejada (2009), Computers & Operations Research 36, 1726-1730 (drawn orders).
    """
    check_level(level)
    check_whole("least", least, least=1)
    check_whole("seed", seed, least=0)
    names = names_of("drivers", drivers)
    order = None if importance is None else _order(importance, names)
    taken, _whole = complete_answers(responses, outcome=outcome, drivers=names, weights=weights)
    x, w = taken.frame[names], taken.weights
    if not is_solvable(weighted_moments(x.to_numpy(), w).covariances):
        raise DataError("survey answers: a driver is given by the others.\nTo fix: leave one of them out.")
    y, categories = _categories(taken.frame[outcome].to_numpy(), least)
    # Matrices are small: what several threads would gain is lost in waiting for one another.
    with ThreadpoolController().limit(limits=1, user_api="blas"):
        fit = fit_ordered_logit(x.to_numpy(), y, w)
        lines = parallel_lines(x, y, w)
        contributions = pseudo_contributions(x.to_numpy(), y, w, seed=seed)
    shares = pd.DataFrame(
        {"contribution": contributions, "share": contributions / contributions.sum()}, index=x.columns
    )
    shares["rank"] = shares["share"].rank(ascending=False, method="first").astype(int)
    same = None if order is None else order[:3] == list(shares.sort_values("rank").index[:3])
    worth = effective_n(w)
    notes = tuple(_notes(categories, lines, same, fit, len(names), level))
    if worth < SMALL_SAMPLE:
        warn_of_doubt(f"ordered logit by {worth:.0f} answers: fewer than {SMALL_SAMPLE}; take intervals as rough.")
    if not fit.converged:
        warn_of_doubt(notes[0])
    return OrderedCheck(
        slopes=_slopes(fit, x.columns, level),
        cuts=pd.Series(fit.cuts, index=categories.index[:-1], name="cut"),
        shares=shares.rename_axis("driver"),
        parallel_lines=lines.rename_axis("driver"),
        categories=categories,
        same_first_three=same,
        pseudo_r_squared=fit.pseudo_r_squared,
        log_likelihood=fit.log_likelihood,
        n=len(x),
        effective_n=worth,
        converged=fit.converged,
        notes=notes,
    )


def _order(importance: pd.Series | pd.DataFrame, names: list[str]) -> list[str]:
    shares = importance["share"] if isinstance(importance, pd.DataFrame) else importance
    if set(shares.index) != set(names):
        raise SettingsError("importance is of other drivers; give the share of each driver, by its name.")
    return list(shares.sort_values(ascending=False, kind="stable").index)


def _categories(marks: Floats, least: int) -> tuple[Any, pd.DataFrame]:
    """Join marks until each category has answers enough: the rarest with its rarer neighbour, again and again."""
    values, place, counts = np.unique(marks, return_inverse=True, return_counts=True)
    groups = [[at] for at in range(len(values))]
    sizes = [int(count) for count in counts]
    while len(groups) > 2 and (min(sizes) < least or len(groups) > _MOST_CATEGORIES):
        rare = sizes.index(min(sizes))
        sides = [side for side in (rare - 1, rare + 1) if 0 <= side < len(groups)]
        first = min(rare, min(sides, key=lambda side: sizes[side]))
        groups[first : first + 2] = [groups[first] + groups[first + 1]]
        sizes[first : first + 2] = [sizes[first] + sizes[first + 1]]
    if min(sizes) < least:
        raise DataError(
            f"survey answers: all but {min(sizes):,} respondents gave about the same mark of the outcome.\n"
            f"To fix: wait for more answers, or set least below {least}."
        )
    of_value = np.repeat(np.arange(len(groups)), [len(group) for group in groups])
    table = pd.DataFrame(
        {
            "lowest": [values[group[0]] for group in groups],
            "highest": [values[group[-1]] for group in groups],
            "n": sizes,
        },
        index=pd.RangeIndex(1, len(groups) + 1, name="category"),
    )
    return of_value[place], table


def _slopes(fit: OrderedLogit, names: pd.Index, level: float) -> pd.DataFrame:
    error = np.sqrt(np.diag(fit.covariance))
    reach = ndtri((1 + level) / 2) * error
    return pd.DataFrame(
        {
            "slope": fit.slopes,
            "standard_error": error,
            "lower": fit.slopes - reach,
            "upper": fit.slopes + reach,
            "p_value": 2 * ndtr(-np.abs(fit.slopes / error)),
            "odds_ratio": np.exp(fit.slopes),
        },
        index=names,
    ).rename_axis("driver")


def _notes(
    categories: pd.DataFrame,
    lines: pd.DataFrame,
    same: bool | None,
    fit: OrderedLogit,
    drivers: int,
    level: float,
) -> Iterator[str]:
    """Say what was joined, drawn and found."""
    if not fit.converged:
        yield _("Drivers tell some marks without error, so that slopes have no end: name fewer drivers.")
    for row in categories[categories["lowest"] < categories["highest"]].itertuples():
        yield _(
            "Marks {lowest} to {highest} are taken together: alone, some of them have too few answers.",
            lowest=f"{row.lowest:g}",
            highest=f"{row.highest:g}",
        )
    p = float(lines["p_value"].to_numpy()[0])
    if np.isnan(p):
        yield _("Whether drivers go with all marks alike cannot be told.")
    elif p < 1 - level:
        yield _("Drivers go with some marks more closely than with others: take the slopes as averages over the scale.")
    else:
        yield _("Nothing speaks against drivers going with all marks alike.")
    if drivers > MOST_EXACT:
        yield _("Shares are averages over {orders} orders of entry, drawn at random.", orders=ORDERS)
    if same is not None:
        yield (
            _("The first three drivers are the same, in the same order, when marks are taken as ordered only.")
            if same
            else _("The first three drivers are others, or in another order, when marks are taken as ordered only.")
        )
