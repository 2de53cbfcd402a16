"""The numbers a driver analysis is made of: who is in it, what is missing or did not apply, and what is refused."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse
from crm_analysis.messages import _, count
from crm_analysis.models.histories import Floats
from crm_analysis.voice.incomplete import impute, not_applicable_design
from crm_analysis.voice.responses import Responses, effective_n, take_responses

_TABLE = "survey answers"


@dataclass(frozen=True, eq=False)
class DriverDesign:
    """Drivers, controls and outcome of the respondents of a driver analysis.

    Attributes
    ----------
    drivers, controls : tuple of str
        Names; indicators of what did not apply are among the controls.
    outcome : str
        Name of the outcome.
    values : tuple of arrays, shape (n_respondents, n_drivers + n_controls + 1)
        The columns in this order, the outcome last, nothing missing; one array for each imputation, one alone where
        nothing was imputed.
    weights : array, shape (n_respondents,)
        > 0.
    applies : array of bool, shape (n_respondents, n_drivers)
        Whether a driver applied to a respondent.
    bases : DataFrame, index driver
        answered, not_applicable and missing: of those who answered the outcome.
    responses : Responses
        The answers as they came, every respondent.
    notes : tuple of str
        What was done about answers that are not there, in words.
    """

    drivers: tuple[str, ...]
    controls: tuple[str, ...]
    outcome: str
    values: tuple[Floats, ...]
    weights: Floats
    applies: np.ndarray
    bases: pd.DataFrame
    responses: Responses
    notes: tuple[str, ...]

    @property
    def n(self) -> int:
        """Respondents in it."""
        return len(self.weights)

    @property
    def effective_n(self) -> float:
        """What they are worth when weights differ (Kish)."""
        return effective_n(self.weights)


def driver_design(
    responses: Any,
    *,
    outcome: str,
    drivers: Sequence[str],
    controls: Sequence[str],
    weights: Any,
    missing: str,
    not_applicable: str,
    imputations: int,
    rng: np.random.Generator,
) -> DriverDesign:
    """Return the numbers of a driver analysis; arguments as `fit_drivers`.

    Raises
    ------
    SettingsError
        When names do not fit.
    DataError
        When too few respondents are left, or the outcome or a driver is constant among them.
    """
    columns = _columns(outcome, drivers, controls)
    taken = take_responses(responses, columns, weights=weights)
    asked = (taken.frame[outcome].notna() & (taken.weights > 0)).to_numpy()
    frame, barred, used = taken.frame[asked], taken.not_applicable[asked], taken.weights[asked]
    bases = _bases(frame, barred, list(drivers))
    notes = []
    if not asked.all():
        notes.append(
            _("{n} of {all} respondents are left out: no answer to {outcome}, or a weight of 0.",
              n=count((~asked).sum()), all=count(len(asked)), outcome=outcome)
        )  # fmt: skip
    keep = np.ones(len(frame), dtype=bool)
    elsewhere = barred.any(axis=1).to_numpy()
    if elsewhere.any() and not_applicable == "users":
        keep &= ~elsewhere
        notes.append(
            _("Only respondents to whom every driver applied are in it: {n} of {all}.",
              n=count(keep.sum()), all=count(len(keep)))
        )  # fmt: skip
    incomplete = (frame.isna() & ~barred).any(axis=1).to_numpy()
    if incomplete.any() and missing == "drop":
        gaps = (frame[keep].isna() & ~barred[keep]).sum()
        notes.append(
            _("Respondents with a missing answer are left out: {n} of {all}, most of them for want of {driver}. Those "
              "who answer everything may differ from those who do not.",
              n=count((incomplete & keep).sum()), all=count(keep.sum()), driver=gaps.idxmax())
        )  # fmt: skip
        keep &= ~incomplete
    frame, barred, used = frame[keep], barred[keep], used[keep]
    if elsewhere[keep].any():
        notes.append(
            _("A driver that did not apply to somebody stands at its mean, and whether it applied is held constant.")
        )
    _refuse_constant(frame, _least(columns))
    missing_answers = int((frame.isna() & ~barred).to_numpy().sum())
    if missing_answers:
        where = [name for name in frame.columns if (frame[name].isna() & ~barred[name]).any()]
        notes.append(
            _("{n} missing answers ({drivers}) were imputed {times} times; figures are means over the imputations, and "
              "intervals hold the doubt about them.",
              n=count(missing_answers), drivers=listing(where), times=count(imputations))
        )  # fmt: skip
        completed = impute(frame, imputations=imputations, seed=rng, weights=used, not_applicable=barred)
    else:
        completed = [frame]
    inputs = [*drivers, *controls]
    designs = [not_applicable_design(filled[inputs], barred[inputs], weights=used) for filled in completed]
    return DriverDesign(
        tuple(drivers),
        tuple(designs[0].columns[len(drivers) :]),
        outcome,
        tuple(np.column_stack([design, frame[outcome]]) for design in designs),
        used,
        ~barred[list(drivers)].to_numpy(),
        bases,
        taken,
        tuple(notes),
    )


def _columns(outcome: str, drivers: Sequence[str], controls: Sequence[str]) -> list[str]:
    if not len(drivers):
        raise SettingsError("drivers is empty; name the columns whose importance is asked for.")
    if outcome in [*drivers, *controls]:
        raise SettingsError(f"{outcome} is the outcome and among the drivers or controls; take it out of them.")
    return [*drivers, *controls, outcome]


def _bases(frame: pd.DataFrame, barred: pd.DataFrame, drivers: list[str]) -> pd.DataFrame:
    answered, elsewhere = frame[drivers].notna().sum(), barred[drivers].sum()
    columns = {"answered": answered, "not_applicable": elsewhere, "missing": len(frame) - answered - elsewhere}
    return pd.DataFrame(columns).astype(int).rename_axis("driver")


def _least(columns: list[str]) -> int:
    """Fewest respondents with whom a regression on these columns leaves anything to tell its doubt by."""
    return len(columns) + 2


def _refuse_constant(frame: pd.DataFrame, least: int) -> None:
    if len(frame) < least:
        raise DataError(
            f"{_TABLE}: {len(frame):,} respondents are left for {len(frame.columns) - 1} drivers and controls, and at "
            f'least {least} are needed.\nTo fix: ask about fewer drivers, or keep respondents by missing="impute".'
        )
    refuse(
        Violation(
            _TABLE,
            str(name),
            "the same answer from everybody" if frame[name].notna().any() else "no answer from anybody",
            0,
            "what does not vary goes with nothing; leave the column out.",
        )
        for name in frame.columns
        if frame[name].nunique() < 2
    )
