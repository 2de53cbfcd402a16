"""The answers a path model is estimated from: whose, completed how, and drawn anew."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, Violation, listing, refuse
from crm_analysis.models.histories import Floats
from crm_analysis.voice.incomplete import impute
from crm_analysis.voice.moments import Moments, correlations_of, resampled_moments, weighted_moments
from crm_analysis.voice.path_settings import PathSettings
from crm_analysis.voice.pls import SINGULAR
from crm_analysis.voice.responses import Responses

_TABLE = "survey answers"
_LEAST_RESPONDENTS = 10


@dataclass(frozen=True, eq=False)
class PathAnswers:
    """Answers without gaps.

    Attributes
    ----------
    taken : Responses
        All respondents.
    used : array of bool, shape (n_respondents,)
        Whose answers count.
    completed : tuple of array, shape (n_used, n_items)
        Their answers: once, or once an imputation.
    """

    taken: Responses
    used: np.ndarray
    completed: tuple[Floats, ...]

    @property
    def weights(self) -> Floats:
        """What each respondent counts, shape (n_used,), > 0."""
        return np.asarray(self.taken.weights[self.used])

    @property
    def moments(self) -> Moments:
        """Moments of each completion, the leading axis."""
        return _joined([weighted_moments(answers, self.weights) for answers in self.completed], np.stack)

    def drawn(self, draws: int, rng: np.random.Generator) -> Moments:
        """Moments of respondents drawn anew, the draws spread evenly over the completions."""
        sizes = [len(part) for part in np.array_split(np.arange(draws), len(self.completed))]
        return _joined(
            [
                resampled_moments(answers, self.weights, draws=size, rng=rng)
                for answers, size in zip(self.completed, sizes, strict=True)
            ],
            np.concatenate,
        )


def path_answers(
    taken: Responses, settings: PathSettings, *, missing: str, imputations: int, rng: np.random.Generator
) -> PathAnswers:
    """Choose respondents and complete their answers.

    Raises
    ------
    DataError
        When fewer than ten respondents are left, an item does not vary, or items of mode B say the same.
    """
    gaps = taken.frame.isna()
    # What did not apply to somebody has no answer that could be filled in, and who said nothing is nobody's neighbour.
    lost = gaps.any(axis=1) if missing == "drop" else taken.not_applicable.any(axis=1) | gaps.all(axis=1)
    used = (taken.weights > 0) & ~lost.to_numpy()
    frame = taken.frame[used]
    if len(frame) < _LEAST_RESPONDENTS:
        raise DataError(
            f"{_TABLE}: {len(frame):,} of {len(taken):,} respondents answered all {frame.shape[1]} items, and a path "
            f"model takes at least {_LEAST_RESPONDENTS}.\nTo fix: leave out items that few answered, or give "
            "missing='impute'."
        )
    constant = [str(name) for name in frame.columns if frame[name].nunique() < 2]
    refuse(
        Violation(_TABLE, name, "all answers are the same", 0, "leave the item out; it tells nothing about anybody.")
        for name in constant
    )
    frames = [frame]
    if missing == "impute" and frame.isna().to_numpy().any():
        frames = impute(frame, imputations=imputations, seed=rng, weights=taken.weights[used])
    answers = PathAnswers(taken, used, tuple(completed.to_numpy(float) for completed in frames))
    _refuse_same_items(correlations_of(answers.moments.covariances), settings)
    return answers


def _refuse_same_items(items: Floats, settings: PathSettings) -> None:
    """Refuse blocks of mode B whose items repeat each other: their weights would be anything."""
    same = []
    for name, mode, block in zip(settings.constructs, settings.modes, settings.structure.blocks, strict=True):
        own = np.flatnonzero(block)
        if mode == "B" and (np.linalg.cond(items[:, own[:, None], own]) >= SINGULAR).any():
            same.append((name, listing([str(item) for item in settings.items.get_level_values("item")[own]])))
    refuse(
        Violation(
            _TABLE,
            "",
            f"{listed} of {name} say the same, so that weights of mode B cannot be told",
            0,
            "leave one out, or give the construct mode 'A'.",
        )
        for name, listed in same
    )


def scores(answers: PathAnswers, weights: Floats, settings: PathSettings) -> pd.DataFrame:
    """Scores of respondents, the mean over completions; missing for those left out.

    Parameters
    ----------
    answers : PathAnswers
    weights : array, shape (n_completions, n_constructs, n_items)
        Outer weights of standardised items.
    settings : PathSettings
    """
    moments = answers.moments
    standardised = [
        (completed - means) / deviations
        for completed, means, deviations in zip(answers.completed, moments.means, moments.deviations, strict=True)
    ]
    each = [part @ outer.T for part, outer in zip(standardised, weights, strict=True)]
    frame = pd.DataFrame(
        np.nan, index=answers.taken.frame.index, columns=pd.Index(settings.constructs, name="construct")
    )
    frame[answers.used] = np.mean(each, axis=0)
    return frame


def bases(taken: Responses, settings: PathSettings) -> pd.DataFrame:
    """How many respondents who count answered each item, did not, or could not."""
    counts = taken.weights > 0
    frame, barred = taken.frame[counts], taken.not_applicable[counts]
    answered = frame.notna().sum().to_numpy()
    return pd.DataFrame(
        {
            "answered": answered,
            "missing": len(frame) - answered - barred.sum().to_numpy(),
            "not_applicable": barred.sum().to_numpy(),
        },
        index=settings.items,
    )


def _joined(parts: list[Moments], join: Callable[[list[Floats]], Floats]) -> Moments:
    return Moments(join([part.means for part in parts]), join([part.covariances for part in parts]))
