"""The figures of a path model as frames with their intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.models.histories import Floats
from crm_analysis.voice import pls
from crm_analysis.voice.path_estimates import PathEstimates
from crm_analysis.voice.path_settings import PathSettings
from crm_analysis.voice.priorities import quadrants

# A reflective item below this has little to do with its construct (Hair, Hult, Ringle & Sarstedt 2022, chapter 4).
WEAK_LOADING = 0.4


def with_limits(
    index: pd.Index, name: str, point: Floats, draws: Floats, *, level: float, stem: str = ""
) -> pd.DataFrame:
    """Return figures beside their standard errors and percentile limits.

    Parameters
    ----------
    index : Index
        One entry a figure.
    name : str
        Column of the figures.
    point : array, shape (n_figures,)
    draws : array, shape (n_draws, n_figures)
        Fewer than two draws tell nothing: standard errors and limits are then missing.
    level : float
    stem : str
        In front of "lower" and "upper"; with it, there is no standard error.
    """
    columns: dict[str, Any] = {name: point}
    enough = len(draws) > 1
    missing = np.full(len(index), np.nan)
    if not stem:
        columns["standard_error"] = draws.std(axis=0, ddof=1) if enough else missing
    limits = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0) if enough else (missing, missing)
    columns |= {f"{stem}lower": limits[0], f"{stem}upper": limits[1]}
    return pd.DataFrame(columns, index=index)


def effects_table(
    values: str,
    pairs: Sequence[tuple[int, int]],
    settings: PathSettings,
    point: PathEstimates,
    draws: PathEstimates,
    *,
    level: float,
) -> pd.DataFrame:
    """Effects of causes, "paths", "total" or "indirect": one row a pair of effect and cause, by position."""
    effects, causes = (np.array(side, dtype=int) for side in (zip(*pairs, strict=True) if pairs else ((), ())))
    names = np.array(settings.constructs, dtype=object)
    index = pd.MultiIndex.from_arrays([names[causes], names[effects]], names=["from", "to"])
    name = "coefficient" if values == "paths" else "effect"
    table = with_limits(
        index, name, getattr(point, values)[effects, causes], getattr(draws, values)[:, effects, causes], level=level
    )
    if values == "paths":
        table["vif"] = pls.variance_inflation(point.correlations, settings.structure.causes)[effects, causes]
    return table


def loadings_table(settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, level: float) -> pd.DataFrame:
    """Loadings, index (construct, item); `is_weak` in mode A for items that have little to do with their construct."""
    place = _place(settings)
    table = with_limits(settings.items, "loading", point.loadings[place], draws.loadings[:, *place], level=level)
    reflective = np.array([settings.modes[k] == "A" for k in place[0]])
    return table.assign(is_weak=reflective & (table["loading"] < WEAK_LOADING))


def weights_table(settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, level: float) -> pd.DataFrame:
    """Outer weights of standardised items, and as shares of the index on the 0-100 scale; index (construct, item)."""
    place = _place(settings)
    weights = with_limits(settings.items, "weight", point.weights[place], draws.weights[:, *place], level=level)
    shares = with_limits(
        settings.items, "share", point.shares[place], draws.shares[:, *place], level=level, stem="share_"
    )
    return weights.join(shares)


def r_squared_table(
    settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, effective_n: float, level: float
) -> pd.DataFrame:
    """Explained variance of the constructs that have causes."""
    count = settings.structure.causes.sum(axis=1)
    caused = count > 0
    index = pd.Index(np.array(settings.constructs, dtype=object)[caused], name="construct")
    table = with_limits(index, "r_squared", point.r_squared[caused], draws.r_squared[:, caused], level=level)
    free = effective_n - count[caused] - 1
    adjusted = 1 - (1 - table["r_squared"]) * (effective_n - 1) / np.where(free > 0, free, np.nan)
    table.insert(1, "adjusted", adjusted)
    return table


def indices_table(settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, level: float) -> pd.DataFrame:
    """Indices of the constructs, 0 to 100."""
    index = pd.Index(settings.constructs, name="construct")
    return with_limits(index, "index", point.indices, draws.indices, level=level)


def construct_priorities(
    target: int, settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, level: float
) -> pd.DataFrame:
    """Total effect on a target in points, and index, of each construct that leads to it."""
    origins = _origins(target, settings)
    index = pd.Index(np.array(settings.constructs, dtype=object)[origins], name="construct")
    importance = point.points_effects[target, origins], draws.points_effects[:, target, origins]
    return _priorities(index, importance, (point.indices[origins], draws.indices[:, origins]), level)


def item_priorities(
    target: int, settings: PathSettings, point: PathEstimates, draws: PathEstimates, *, level: float
) -> pd.DataFrame:
    """Total effect of its construct times its share in it, and mean from 0 to 100, of each item behind a target."""
    constructs, items = _place(settings)
    kept = np.isin(constructs, _origins(target, settings))
    constructs, items = constructs[kept], items[kept]
    index = settings.items[items]

    def importance(of: PathEstimates) -> Floats:
        return np.asarray(of.points_effects[..., target, constructs] * of.shares[..., constructs, items])

    table = _priorities(
        pd.Index(index.get_level_values("item"), name="item"),
        (importance(point), importance(draws)),
        (point.performance[items], draws.performance[:, items]),
        level,
    )
    table.insert(0, "construct", index.get_level_values("construct"))
    return table


def _priorities(
    index: pd.Index, importance: tuple[Floats, Floats], performance: tuple[Floats, Floats], level: float
) -> pd.DataFrame:
    effect = with_limits(index, "importance", *importance, level=level).drop(columns="standard_error")
    table = effect.join(with_limits(index, "performance", *performance, level=level, stem="performance_"))
    lines = {"importance_line": table["importance"].mean(), "performance_line": table["performance"].mean()}
    quadrant, certain = quadrants(table, importance_line=lines["importance_line"], line=lines["performance_line"])
    return table.assign(quadrant=quadrant, certain=certain, **lines)


def _place(settings: PathSettings) -> tuple[np.ndarray, np.ndarray]:
    """Construct of each item, and the item, by position."""
    return settings.structure.blocks.argmax(axis=0), np.arange(len(settings.items))


def _origins(target: int, settings: PathSettings) -> np.ndarray:
    return np.array(sorted(cause for effect, cause in settings.ways(least=1) if effect == target), dtype=int)
