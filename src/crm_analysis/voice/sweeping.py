"""Sweeping variables out of covariance matrices, one or many at once; what is no covariance is refused."""

from collections.abc import Sequence

import numpy as np

from crm_analysis.errors import SettingsError
from crm_analysis.models.histories import Floats

# What is left of a driver given others counts as nothing below this share of its variance: a copy adds nothing.
NOTHING = 1e-9


def checked_matrix(matrix: Floats) -> Floats:
    """Return a matrix, or many; refuse what cannot be covariances of anything.

    Raises
    ------
    SettingsError
        When it is not square or not symmetric, numbers are missing, or an eigenvalue is negative.
    """
    matrix = np.asarray(matrix, dtype=float)
    if matrix.ndim < 2 or matrix.shape[-1] != matrix.shape[-2] or matrix.shape[-1] < 2:
        raise SettingsError(f"a matrix of shape {matrix.shape} is none of drivers and an outcome; give it square.")
    if not (np.isfinite(matrix).all() and np.allclose(matrix, np.swapaxes(matrix, -1, -2))):
        raise SettingsError("the matrix of drivers and outcome is not symmetric, or numbers in it are missing.")
    spread = np.sqrt(np.maximum(np.diagonal(matrix, axis1=-2, axis2=-1), 0.0))
    spread = np.where(spread > 0, spread, 1.0)
    smallest = np.linalg.eigvalsh(matrix / (spread[..., :, None] * spread[..., None, :]))[..., 0].min()
    if smallest < -1e-8:
        raise SettingsError(
            f"the matrix of drivers and outcome has a negative eigenvalue ({smallest:.2g}): no answers can have these "
            "correlations. Mostly each was made of other respondents (pairwise deletion); make all of the same ones."
        )
    return matrix


def reordered(matrix: Floats, columns: Sequence[int]) -> tuple[Floats, Floats]:
    """Return the matrices of some columns in a form that can be swept, and what counts as no variance of each.

    Returns
    -------
    left : array, shape (n_columns, n_columns, 1, n_draws)
        The third axis is for sets of what has been swept out.
    least : array, shape (n_columns, 1, n_draws)
    """
    batch = np.moveaxis(matrix.reshape(-1, *matrix.shape[-2:]), 0, -1)
    # Draws go last in memory: matrices become tiny, and numpy is fast along the last axis.
    left = np.ascontiguousarray(batch[np.ix_(columns, columns)])[:, :, None]
    return left, NOTHING * np.einsum("iisd->isd", left)


def swept_out(left: Floats, least: Floats) -> tuple[Floats, Floats]:
    """Return what remains of the other columns given the first, and what counts as no variance of these.

    Nothing is taken by a column that has no variance left.

    References
    ----------
    Goodnight (1979), The American Statistician 33, 149-158.
    """
    pivot = left[0, 0]
    share = np.divide(left[0, 1:], pivot, out=np.zeros_like(left[0, 1:]), where=pivot > least[0])
    return left[1:, 1:] - left[1:, :1] * share, least[1:]
