"""Path models of satisfaction and loyalty by partial least squares, of the kind of national satisfaction indices."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from crm_analysis.errors import DataError, SettingsError, listing, refuse
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.voice.moments import correlations_of
from crm_analysis.voice.path_answers import bases, path_answers, scores
from crm_analysis.voice.path_estimates import PathEstimates, path_estimates
from crm_analysis.voice.path_fit import PathModelFit
from crm_analysis.voice.path_notes import (
    notes_on_answers,
    notes_on_constructs,
    notes_on_draws,
    notes_on_items,
    warn_of_path_model,
)
from crm_analysis.voice.path_quality import construct_quality, heterotrait_monotrait, root_mean_square_residual
from crm_analysis.voice.path_settings import PathSettings, path_settings
from crm_analysis.voice.path_tables import (
    effects_table,
    indices_table,
    loadings_table,
    r_squared_table,
    weights_table,
)
from crm_analysis.voice.pls import Scheme
from crm_analysis.voice.rating_scale import Scales, off_scale, scale_ends
from crm_analysis.voice.responses import effective_n, frame_of, take_responses


def path_model(
    responses: Any,
    *,
    constructs: Mapping[str, Sequence[Any]],
    paths: Mapping[str, Sequence[str]],
    modes: Mapping[str, Literal["A", "B"]] | None = None,
    scheme: Scheme = "centroid",
    weights: Any = None,
    scale: Scales | None = (1, 10),
    missing: Literal["drop", "impute"] = "drop",
    imputations: int = 20,
    draws: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> PathModelFit:
    """Fit a path model of constructs that several items ask for each.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent, one column an item.
    constructs : mapping of construct to items
        An item belongs to one construct; a construct may have a single item.
    paths : mapping of construct to its causes
        Without cycles.
    modes : mapping of construct to "A" or "B", optional
        "A" (default): items reflect the construct; "B": they form it.
    scheme : "centroid", "factor" or "path"
        Inner weights; results differ little.
    weights : str, Series, array or None
        Survey weights.
    scale : (low, high), mapping of item to (low, high), or None
        Lowest and highest mark; items that a mapping leaves out are asked from 1 to 10. None: no indices.
    missing : "drop" or "impute"
        Leave out respondents who did not answer every item, or fill in what they did not answer several times. Answers
        that were "not applicable" are never filled in.
    imputations : int
        How often, for "impute". Figures are means over them, and draws of respondents are spread over them.
    draws : int
        Draws of respondents for intervals; 0 for none.
    seed : int
    level : float
        Probability of the intervals.

    Returns
    -------
    PathModelFit

    Raises
    ------
    SettingsError
        When the model cannot be: a cycle, a construct without items or paths, an item in two constructs, unknown names.
    DataError
        When answers are no numbers or off their scale, an item does not vary, items of mode B or causes of a construct
        say the same, or fewer than ten respondents are left.

    Notes
    -----
    Arrows are assumed: they say which regressions are run, not what causes what. Partial least squares does not make a
    small sample large; fewer than 100 answers are warned of. One set of outer weights holds for all respondents:
    weights averaged over segments, or segments compared on weights of their own, need a test of invariance first, which
    is not offered. Scores are not corrected for measurement error, so that paths are too small where reliability is
    low. The indices of a construct and of its causes come from the same answers; the halo of a form raises every path.

    References
    ----------
    Lohmoller (1989), Latent Variable Path Modeling with Partial Least Squares; Tenenhaus, Esposito Vinzi, Chatelin &
    Lauro (2005), Computational Statistics & Data Analysis 48, 159-205 (on the European index).
    """
    check_level(level)
    check_whole("the number of draws", draws, least=0)
    check_whole("seed", seed, least=0)
    check_whole("imputations", imputations, least=1)
    if missing not in ("drop", "impute"):
        raise SettingsError(f"missing is {missing!r}; give 'drop' or 'impute'.")
    settings = path_settings(constructs, paths, modes, scheme)
    items = list(settings.items.get_level_values("item"))
    unknown = np.full(len(items), np.nan)
    low, high = (unknown, unknown) if scale is None else scale_ends(scale, items, among=frame_of(responses).columns)
    taken = take_responses(responses, items, weights=weights)
    refuse(off_scale(taken.frame, low, high))

    rng = np.random.default_rng(seed)
    answers = path_answers(taken, settings, missing=missing, imputations=imputations, rng=rng)
    worth = effective_n(answers.weights)
    each = path_estimates(answers.moments, settings.structure, low, high)
    _refuse_unsolved(each, settings)
    point = each.mean()
    drawn = path_estimates(answers.drawn(draws, rng), settings.structure, low, high)
    kept = drawn.of(drawn.usable)
    failed = draws - len(kept.converged)

    items_table = correlations_of(answers.moments.covariances).mean(axis=0)
    arrows = effects_table("paths", settings.arrows, settings, point, kept, level=level)
    loadings = loadings_table(settings, point, kept, level=level)
    outer = weights_table(settings, point, kept, level=level)
    htmt = heterotrait_monotrait(items_table, settings)
    converged = bool(point.converged == 1)
    warn_of_path_model(
        worth=worth, converged=converged, failed=failed, draws=draws, weights=outer, has_indices=scale is not None
    )
    return PathModelFit(
        paths=arrows,
        total_effects=effects_table("total", settings.ways(least=1), settings, point, kept, level=level),
        indirect_effects=effects_table("indirect", settings.ways(least=2), settings, point, kept, level=level),
        loadings=loadings,
        weights=outer,
        r_squared=r_squared_table(settings, point, kept, effective_n=worth, level=level),
        scores=scores(answers, each.weights, settings),
        indices=indices_table(settings, point, kept, level=level),
        quality=construct_quality(items_table, point, settings),
        htmt=htmt,
        srmr=root_mean_square_residual(items_table, point, settings),
        bases=bases(taken, settings),
        n=int(answers.used.sum()),
        effective_n=worth,
        constructs=settings.constructs,
        modes=settings.modes,
        scheme=scheme,
        level=level,
        draws=draws,
        failed_draws=failed,
        converged=converged,
        iterations=int(each.iterations.max()),
        notes=(
            *notes_on_answers(answers, missing),
            *notes_on_items(loadings, outer),
            *notes_on_constructs(arrows, htmt),
            *notes_on_draws(failed, draws),
        ),
        _settings=settings,
        _point=point,
        _drawn=kept,
    )


def _refuse_unsolved(each: PathEstimates, settings: PathSettings) -> None:
    """Refuse a model that has no solution for these answers, with the constructs where it is missing."""
    solved = np.isfinite(each.paths).all(axis=-1) & np.isfinite(each.weights).all(axis=-1)
    missing = np.asarray(~solved.all(axis=0))
    if missing.any():
        names = listing(
            [str(name) for name, is_missing in zip(settings.constructs, missing, strict=True) if is_missing]
        )
        raise DataError(
            f"survey answers: the path model has no solution for {names}: either the causes of a construct say the "
            "same, or its items correlate with nothing that it is joined to.\nTo fix: leave out one of causes that "
            "repeat each other, or the construct."
        )
