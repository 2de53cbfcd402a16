"""Places for the constructs of a path model, so that arrows run forward, cross little and pass through no box."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from crm_analysis.report.figures.drawing import Floats

Ints = NDArray[np.int64]

_MOST_COLUMNS = 4
_STARTS, _MOST_STEPS = 16, 40
# Points along an arrow at which it is asked whether it runs through a box.
_ALONG = np.linspace(0.06, 0.94, 13)
# A box and the room around it an arrow should keep, as shares of the steps between columns and rows.
_HALF_BOX = np.array([0.34, 0.36])
_BACKWARD, _THROUGH, _CROSSING, _SAME_WAY, _VERTICAL, _OUT_OF_ORDER = 1000.0, 60.0, 14.0, 10.0, 1.5, 1.5


@lru_cache(maxsize=16)
def place_constructs(count: int, arrows: tuple[tuple[int, int], ...]) -> tuple[Ints, tuple[int, int]]:
    """Find a cell for each construct of a model whose arrows form no circle.

    Parameters
    ----------
    count : int
        Number of constructs, >= 1.
    arrows : tuple of (from, to)
        Positions of causes and effects.

    Returns
    -------
    cells : array, shape (count, 2)
        Column and row of each construct, from the top left.
    size : pair of int
        Columns and rows of the grid.

    Notes
    -----
    The best of some searches, each of which moves or swaps the construct that helps most until none does. The same
    model gets the same places.
    """
    depth = _depths(count, arrows)
    columns = int(min(depth.max() + 1, _MOST_COLUMNS))
    # A row more than needed, for arrows that pass boxes; what stays empty is left out in the end.
    rows = max(-(-count // columns) + 1, int(np.bincount(depth).max()))
    pairs = np.array(arrows, dtype=int).reshape(-1, 2)
    wanted = depth * (columns - 1) / max(int(depth.max()), 1)
    rng = np.random.default_rng(0)
    best, least = np.arange(count), np.inf
    for start in range(_STARTS):
        # Cells are numbered column by column, so that sorted ones run forward with the depth.
        free = rng.permutation(columns * rows) if start else np.arange(columns * rows)
        cells = np.empty(count, dtype=int)
        cells[np.argsort(depth, kind="stable")] = np.sort(free[:count])
        cells, cost = _improved(cells, pairs, wanted, columns, rows)
        if cost < least - 1e-9:
            best, least = cells, cost
    used_columns, column = np.unique(best // rows, return_inverse=True)
    used_rows, row = np.unique(best % rows, return_inverse=True)
    return np.column_stack([column, row]), (len(used_columns), len(used_rows))


def _depths(count: int, arrows: Sequence[tuple[int, int]]) -> Ints:
    """Length of the longest chain of causes before each construct."""
    depth = np.zeros(count, dtype=int)
    for _round in range(count):
        for cause, effect in arrows:
            depth[effect] = min(max(depth[effect], depth[cause] + 1), count - 1)
    return depth


def _improved(cells: Ints, pairs: Ints, wanted: Floats, columns: int, rows: int) -> tuple[Ints, float]:
    """Move or swap one construct at a time while that helps."""
    count, size = len(cells), columns * rows
    [cost] = _costs(cells[None], pairs, wanted, rows)
    for _step in range(_MOST_STEPS):
        tried = np.repeat(cells[None], count * size, axis=0)
        mover, target = np.divmod(np.arange(count * size), size)
        # Whoever stood in the cell goes where the mover came from.
        tried = np.where(tried == target[:, None], cells[mover][:, None], tried)
        tried[np.arange(len(tried)), mover] = target
        costs = _costs(tried, pairs, wanted, rows)
        best = int(np.argmin(costs))
        if costs[best] >= cost - 1e-9:
            break
        cells, cost = tried[best], costs[best]
    return cells, float(cost)


def _costs(layouts: Ints, pairs: Ints, wanted: Floats, rows: int) -> Floats:
    """What is wrong with each layout, shape (n_layouts, n_constructs)."""
    at = np.stack([layouts // rows, layouts % rows], axis=-1).astype(float)
    tail, head = at[:, pairs[:, 0]], at[:, pairs[:, 1]]
    way = head - tail
    cost = _OUT_OF_ORDER * np.abs(at[..., 0] - wanted).sum(axis=1)
    cost += np.hypot(way[..., 0], way[..., 1]).sum(axis=1)
    cost += (_BACKWARD * np.maximum(-way[..., 0], 0.0) + _VERTICAL * (way[..., 0] == 0)).sum(axis=1)
    return cost + _THROUGH * _through(at, tail, way, pairs) + _touching(tail, head, way, pairs)


def _through(at: Floats, tail: Floats, way: Floats, pairs: Ints) -> Floats:
    """How many boxes arrows run through that are neither their cause nor their effect."""
    along = tail[:, :, None] + _ALONG[:, None] * way[:, :, None]
    near = np.abs(along[:, :, :, None] - at[:, None, None]) < _HALF_BOX
    inside = np.any(near[..., 0] & near[..., 1], axis=2)
    constructs = np.arange(at.shape[1])
    is_end = (pairs[:, :1] == constructs) | (pairs[:, 1:] == constructs)
    counts: Floats = np.sum(inside & ~is_end, axis=(1, 2), dtype=float)
    return counts


def _touching(tail: Floats, head: Floats, way: Floats, pairs: Ints) -> Floats:
    """Cost of arrows that cross, and of arrows that leave or reach a box the same way."""
    one, other = np.triu_indices(len(pairs), k=1)
    shared = (pairs[one][:, :, None] == pairs[other][:, None, :]).any(axis=(1, 2))

    def side(corner: Floats, direction: Floats, point: Floats) -> Floats:
        turned: Floats = direction[..., 0] * (point[..., 1] - corner[..., 1]) - direction[..., 1] * (
            point[..., 0] - corner[..., 0]
        )
        return turned

    a, b, c, d = tail[:, one], head[:, one], tail[:, other], head[:, other]
    crosses = (side(a, way[:, one], c) * side(a, way[:, one], d) < 0) & (
        side(c, way[:, other], a) * side(c, way[:, other], b) < 0
    )
    lengths = np.maximum(np.hypot(way[..., 0], way[..., 1]), 1e-9)
    cosine = (way[:, one] * way[:, other]).sum(axis=-1) / (lengths[:, one] * lengths[:, other])
    same_end = (pairs[one] == pairs[other]).any(axis=1)
    passes_on = (pairs[one][:, ::-1] == pairs[other]).any(axis=1)
    same_way = (same_end & (cosine > 0.96)) | (passes_on & (cosine < -0.96))
    return _CROSSING * (crosses & ~shared).sum(axis=1) + _SAME_WAY * same_way.sum(axis=1)
