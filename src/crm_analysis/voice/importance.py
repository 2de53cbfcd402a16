"""How much each driver adds to what all explain, from one covariance matrix or many at once, exactly.

Every function takes covariances or correlations of shape (..., k + 1, k + 1), the outcome last; leading axes, such as
draws, are gone through together. `groups` are positions of the columns that enter together (None: each driver by
itself), `controls` those that are always in: what is divided then is what drivers explain beyond them. All figures are
shares of the variance of the outcome.
"""

from collections.abc import Sequence
from functools import lru_cache
from math import factorial

import numpy as np

from crm_analysis.errors import SettingsError
from crm_analysis.models.histories import Floats
from crm_analysis.voice.sweeping import NOTHING, checked_matrix, reordered, swept_out

Groups = Sequence[Sequence[int]]

# Sets of so many players (2^15) are gone through; a noise driver may be one more.
MOST_PLAYERS = 15


def subset_r_squared(matrix: Floats, *, groups: Groups | None = None, controls: Sequence[int] = ()) -> Floats:
    """R-squared of every set of drivers (or groups), with the controls always in.

    Parameters
    ----------
    matrix : array, shape (..., k + 1, k + 1)
        Covariances or correlations, the outcome last. It may be singular: a copy of a driver adds nothing to it.
    groups, controls : sequences of positions
        As the module says.

    Returns
    -------
    array, shape (..., 2 ** n_groups)
        Bit i of the position says whether group i is in the set; position 0 is what controls explain alone.

    Raises
    ------
    SettingsError
        When the matrix is not symmetric or has a negative eigenvalue, or there are more than 16 players.

    Notes
    -----
    Of the matrix of what remains, each variable is dropped or swept out (Schur complement; Goodnight 1979, The American
    Statistician 33, 149-158), so that the matrices double in number while they shrink: about 12 * 2^k numbers in all.
    """
    matrix, groups = _checked_sets(matrix, groups, controls)
    unexplained = _unexplained(matrix, groups, controls)
    return np.moveaxis(np.clip(1 - unexplained, 0.0, 1.0), 0, -1).reshape(*matrix.shape[:-2], -1)


def lmg_contributions(matrix: Floats, *, groups: Groups | None = None, controls: Sequence[int] = ()) -> Floats:
    """What each driver (or group) adds to R-squared, averaged over all orders of entry: the Shapley value.

    Returns
    -------
    array, shape (..., n_groups)
        >= 0; they add up to R-squared beyond the controls.

    Raises
    ------
    SettingsError
        As `subset_r_squared`.

    References
    ----------
    Lindeman, Merenda & Gold (1980), Introduction to Bivariate and Multivariate Analysis, p. 119; Shapley (1953);
    Groemping (2006), Journal of Statistical Software 17(1), eq. 7.

    Examples
    --------
    >>> correlations = np.array([[1.0, 0.5, 0.6], [0.5, 1.0, 0.4], [0.6, 0.4, 1.0]])
    >>> lmg_contributions(correlations).round(4)
    array([0.2867, 0.0867])
    """
    matrix, groups = _checked_sets(matrix, groups, controls)
    return _values(matrix, groups, controls, own=len(groups))


def grouped_contributions(matrix: Floats, groups: Groups, *, controls: Sequence[int] = ()) -> tuple[Floats, Floats]:
    """What each group adds to R-squared, and each driver within its group: Shapley and Owen values.

    Parameters
    ----------
    matrix, groups, controls
        As `subset_r_squared`; no driver is in two groups.

    Returns
    -------
    of_groups : array, shape (..., n_groups)
        The groups as players, as `lmg_contributions`.
    of_drivers : array, shape (..., n_drivers)
        In the order of the groups. Orders of entry in which a group comes as a whole, averaged; the drivers of a group
        add up to it.

    Raises
    ------
    SettingsError
        As `subset_r_squared`; the players of a game are the drivers of one group and all other groups.

    References
    ----------
    Owen (1977), Values of games with a priori unions, in Essays in Mathematical Economics and Game Theory, 76-88.
    """
    parts = []
    for position, group in enumerate(groups):
        others = [other for place, other in enumerate(groups) if place != position]
        game, players = _checked_sets(matrix, [*([column] for column in group), *others], controls)
        parts.append(_values(game, players, controls, own=len(group)))
    of_groups = np.stack([part.sum(axis=-1) for part in parts], axis=-1)
    return of_groups, np.concatenate(parts, axis=-1)


def johnson_contributions(matrix: Floats, *, controls: Sequence[int] = ()) -> Floats:
    """Relative weights: R-squared divided by way of the closest uncorrelated variables, for any number of drivers.

    Returns
    -------
    array, shape (..., n_drivers)
        >= 0, in the order of the columns; they add up to R-squared beyond the controls. A heuristic that is mostly
        close to `lmg_contributions`.

    Raises
    ------
    SettingsError
        When the matrix is not symmetric or has a negative eigenvalue.

    References
    ----------
    Johnson (2000), Multivariate Behavioral Research 35(1), 1-19; the same numbers as Genizi (1993), Statistica Sinica
    3, 407-420.
    """
    matrix = checked_matrix(matrix)
    drivers = [group[0] for group in _groups(matrix, None, controls)]
    left, least = reordered(matrix, [*controls, *drivers, -1])
    total = left[-1, -1, 0]
    for _column in controls:
        left, least = swept_out(left, least)
    left, least = np.moveaxis(left[:, :, 0], -1, 0), np.moveaxis(least[:, 0], -1, 0)
    variance = np.diagonal(left, axis1=-2, axis2=-1)[:, :-1]
    scale = np.divide(1.0, np.sqrt(np.abs(variance)), out=np.zeros_like(variance), where=variance > least[:, :-1])
    among = left[:, :-1, :-1] * scale[:, :, None] * scale[:, None, :]
    with_outcome = left[:, :-1, -1] * scale
    values, vectors = np.linalg.eigh(among)
    roots = np.sqrt(np.maximum(values, 0.0))
    inverse = np.divide(1.0, roots, out=np.zeros_like(roots), where=values > NOTHING * values[:, -1:])
    transposed = np.swapaxes(vectors, -1, -2)
    square_root = (vectors * roots[:, None, :]) @ transposed
    slopes = (vectors * inverse[:, None, :]) @ (transposed @ with_outcome[:, :, None])
    with np.errstate(invalid="ignore"):
        shares = (square_root**2 @ slopes**2)[:, :, 0] / total[:, None]
    return shares.reshape(*matrix.shape[:-2], -1)


def complete_dominance(matrix: Floats, *, groups: Groups | None = None, controls: Sequence[int] = ()) -> Floats:
    """Share of the sets of other drivers to which the row adds more than the column.

    Returns
    -------
    array, shape (..., n_groups, n_groups)
        1 where the row dominates the column completely; missing on the diagonal.

    Raises
    ------
    SettingsError
        As `subset_r_squared`.

    References
    ----------
    Budescu (1993), Psychological Bulletin 114(3), 542-551; Azen & Budescu (2003), Psychological Methods 8(2), 129-148.
    """
    r_squared = subset_r_squared(matrix, groups=groups, controls=controls)
    sets = np.arange(r_squared.shape[-1])
    players = int(np.log2(len(sets)))
    table = np.full((*r_squared.shape[:-1], players, players), np.nan)
    for row in range(players):
        for column in range(players):
            if row != column:
                without = sets[(sets >> row & 1 == 0) & (sets >> column & 1 == 0)]
                more = r_squared[..., without | 1 << row] - r_squared[..., without | 1 << column]
                table[..., row, column] = (more > 1e-12).mean(axis=-1)
    return table


def first_contributions(matrix: Floats, *, groups: Groups | None = None, controls: Sequence[int] = ()) -> Floats:
    """What each driver (or group) explains when it enters first, right after the controls; shape (..., n_groups)."""
    matrix = checked_matrix(matrix)
    parts = [r_squared(matrix, [*controls, *group]) for group in _groups(matrix, groups, controls)]
    return np.stack(parts, axis=-1) - r_squared(matrix, controls)[..., None]


def last_contributions(matrix: Floats, *, groups: Groups | None = None, controls: Sequence[int] = ()) -> Floats:
    """What each driver (or group) explains when it enters last: its unique part; shape (..., n_groups)."""
    matrix = checked_matrix(matrix)
    groups = _groups(matrix, groups, controls)
    columns = [*controls, *(column for group in groups for column in group)]
    parts = [r_squared(matrix, [column for column in columns if column not in group]) for group in groups]
    return np.maximum(r_squared(matrix, columns)[..., None] - np.stack(parts, axis=-1), 0.0)


def variance_inflation(matrix: Floats) -> Floats:
    """Variance inflation factor of each driver given all others; infinite for a copy. The outcome is not looked at.

    Returns
    -------
    array, shape (..., n_drivers)
        1 / (1 - R-squared of the driver on the others), >= 1.
    """
    matrix = checked_matrix(matrix)
    drivers = range(matrix.shape[-1] - 1)
    explained = [r_squared(matrix, [other for other in drivers if other != one], outcome=one) for one in drivers]
    alone = 1 - np.stack(explained, axis=-1)
    return np.divide(1.0, alone, out=np.full_like(alone, np.inf), where=alone > NOTHING)


def r_squared(matrix: Floats, columns: Sequence[int], *, outcome: int = -1) -> Floats:
    """R-squared of one column on some others; shape (...,)."""
    left, least = reordered(np.asarray(matrix, float), [*columns, outcome])
    total = left[-1, -1]
    for _column in columns:
        left, least = swept_out(left, least)
    with np.errstate(invalid="ignore"):
        return np.clip(1 - left[0, 0, 0] / total[0], 0.0, 1.0).reshape(np.shape(matrix)[:-2])


def _groups(matrix: Floats, groups: Groups | None, controls: Sequence[int]) -> Groups:
    if groups is not None:
        return groups
    return [[column] for column in range(matrix.shape[-1] - 1) if column not in controls]


def _checked_sets(matrix: Floats, groups: Groups | None, controls: Sequence[int]) -> tuple[Floats, Groups]:
    matrix = checked_matrix(matrix)
    groups = _groups(matrix, groups, controls)
    if len(groups) > MOST_PLAYERS + 1:
        raise SettingsError(
            f"there are {len(groups)} drivers or groups and so 2^{len(groups)} sets of them; at most {MOST_PLAYERS} "
            'are gone through: join drivers in groups, or take method="johnson".'
        )
    return matrix, groups


def _values(matrix: Floats, groups: Groups, controls: Sequence[int], *, own: int) -> Floats:
    """Owen value of each of the first players, who are one group among the others; shape (..., own)."""
    # What a set explains more it leaves unexplained less.
    values = -_owen_weights(own, len(groups) - own) @ _unexplained(matrix, groups, controls)
    return np.maximum(values, 0.0).T.reshape(*matrix.shape[:-2], own)


def _unexplained(matrix: Floats, groups: Groups, controls: Sequence[int]) -> Floats:
    """Share of the outcome that each set leaves unexplained, shape (n_sets, n_draws)."""
    left, least = reordered(matrix, [*controls, *(column for group in groups for column in group), -1])
    total = left[-1, -1]
    for _column in controls:
        left, least = swept_out(left, least)
    for group in groups:
        swept, least_swept = left, least
        for _column in group:
            swept, least_swept = swept_out(swept, least_swept)
        left = np.concatenate([left[len(group) :, len(group) :], swept], axis=2)
        least = least_swept
    with np.errstate(invalid="ignore"):
        return left[0, 0] / total


@lru_cache(maxsize=64)
def _owen_weights(own: int, others: int) -> Floats:
    """Weights of every set in the value of each of `own` drivers of a group beside `others` groups.

    Shape (own, 2 ** (own + others)); the drivers are the lower bits. Without others these are Shapley's weights.
    """
    sets = np.arange(1 << (own + others))
    inside = np.array([(sets >> bit & 1) for bit in range(own + others)])
    size, beside = inside[:own].sum(axis=0), inside[own:].sum(axis=0)
    within = np.array([factorial(s) * factorial(own - s - 1) / factorial(own) for s in range(own)])
    across = np.array([factorial(s) * factorial(others - s) / factorial(others + 1) for s in range(others + 1)])
    joins = np.append(0.0, within)[size] * across[beside]
    stays = np.append(within, 0.0)[size] * across[beside]
    return np.where(inside[:own] == 1, joins, -stays)
