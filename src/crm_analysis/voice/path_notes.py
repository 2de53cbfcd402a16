"""What to beware of in a path model, in words for the reader and as warnings for the caller."""

import numpy as np
import pandas as pd

from crm_analysis.errors import listing, warn_of_doubt
from crm_analysis.messages import _, count, number, percent
from crm_analysis.voice.estimate import SMALL_SAMPLE
from crm_analysis.voice.path_answers import PathAnswers

# Where two constructs are hardly told apart (Henseler, Ringle & Sarstedt 2015), and where causes overlap (Hair, Hult,
# Ringle & Sarstedt 2022, chapter 6).
_SAME_CONSTRUCT, _OVERLAP = 0.90, 5.0


def notes_on_answers(answers: PathAnswers, missing: str) -> list[str]:
    """Say who is left out and what was filled in."""
    notes = []
    asked = int((answers.taken.weights > 0).sum())
    lost = asked - int(answers.used.sum())
    if lost:
        notes.append(
            _(
                "{lost} of {asked} respondents ({share}) are left out: they did not answer every question.",
                lost=count(lost),
                asked=count(asked),
                share=percent(lost / asked),
            )
            if missing == "drop"
            else _(
                "{lost} of {asked} respondents ({share}) are left out: a question did not apply to them, or they "
                "answered none.",
                lost=count(lost),
                asked=count(asked),
                share=percent(lost / asked),
            )
        )
    filled = answers.taken.frame[answers.used].isna().to_numpy()
    if filled.any():
        notes.append(
            _("{share} of the answers are missing and were filled in several times.", share=percent(filled.mean()))
        )
    return notes


def notes_on_items(loadings: pd.DataFrame, weights: pd.DataFrame) -> list[str]:
    """Name items that say little of their construct, and those that count against it."""
    notes = [
        _(
            "{item} says little about {construct}: its loading is {loading}.",
            item=item,
            construct=construct,
            loading=number(loading),
        )
        for construct, item, loading in loadings.loc[loadings["is_weak"], "loading"].reset_index().to_numpy().tolist()
    ]
    negative = _negative(weights)
    if negative:
        notes.append(
            _(
                "{items}: a negative outer weight, so that the index of the construct is no mean of items.",
                items=negative,
            )
        )
    return notes


def notes_on_constructs(paths: pd.DataFrame, htmt: pd.DataFrame) -> list[str]:
    """Name constructs that are hardly told apart, and causes that overlap."""
    ratios = htmt.to_numpy()
    alike = np.argwhere(np.triu(ratios >= _SAME_CONSTRUCT))
    notes = [
        _(
            "{first} and {second} are hardly told apart: their items go together almost as much as those of one (HTMT "
            "{ratio}).",
            first=htmt.index[i],
            second=htmt.index[j],
            ratio=number(ratios[i, j]),
        )
        for i, j in alike
    ]
    notes += [
        _(
            "{cause} overlaps so much with the other causes of {effect} that its path is uncertain (VIF {vif}).",
            cause=cause,
            effect=effect,
            vif=number(vif, 1),
        )
        for cause, effect, vif in paths.loc[paths["vif"] >= _OVERLAP, "vif"].reset_index().to_numpy().tolist()
    ]
    return notes


def notes_on_draws(failed: int, draws: int) -> list[str]:
    """Say in how many draws of respondents there was no model."""
    if not failed:
        return []
    return [
        _(
            "In {failed} of {draws} draws of respondents the model could not be estimated; intervals are of the "
            "others.",
            failed=count(failed),
            draws=count(draws),
        )
    ]


def warn_of_path_model(
    *, worth: float, converged: bool, failed: int, draws: int, weights: pd.DataFrame, has_indices: bool
) -> None:
    """Warn once of everything that makes the model doubtful."""
    doubts = []
    if worth < SMALL_SAMPLE:
        doubts.append(
            f"{worth:,.0f} answers are few (fewer than {SMALL_SAMPLE}): partial least squares does not make a small "
            "sample large. Look at the intervals, and ask more respondents."
        )
    if not converged:
        doubts.append(
            "the algorithm did not converge; items of a construct may not go together: check .loadings and .quality, "
            "or try another scheme."
        )
    if failed > draws / 20:
        doubts.append(
            f"in {failed:,} of {draws:,} draws of respondents the model could not be estimated, so that intervals are "
            "too narrow; leave out items that hardly vary, or ask more respondents."
        )
    negative = _negative(weights)
    if negative and has_indices:
        doubts.append(
            f"outer weights of {negative} are negative, so that an index is no mean of its items; turn items that are "
            "worded the other way round, leave them out, or give the construct mode 'A'."
        )
    if doubts:
        warn_of_doubt("path model: " + " ".join(doubts))


def _negative(weights: pd.DataFrame) -> str:
    names = weights.index[weights["weight"] < 0].get_level_values("item")
    return listing([str(name) for name in names]) if len(names) else ""
