"""The share of a cohort of contracts still there after each renewal: observed, by the model, and beyond."""

import math

import numpy as np
import pandas as pd

from crm_analysis.messages import _
from crm_analysis.models.sbg import SBGFit
from crm_analysis.models.terms import months_or_days
from crm_analysis.value.contract_fits import POOLED, drawn_groups
from crm_analysis.value.contract_streams import months_between
from crm_analysis.value.contract_values import ContractValues

# So far beyond the oldest contract seen a curve goes on, as a share of its age.
_BEYOND = 0.5


def retention_curves(values: ContractValues, *, most: int = 4, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """Set the survival observed in each group of contracts beside that of its model.

    Parameters
    ----------
    values : ContractValues
    most : int
        So many curves, those of the most contracts.
    draws, seed : int
        Drawn parameters behind the limits.

    Returns
    -------
    DataFrame, indexed by group and renewal (0 is the start)
        months since the start; up_for_renewal and renewed (contracts observed at it), observed_retention and
        observed_survival (the product of these; both missing beyond what was seen); retention and survival by the
        model, with 95% limits of the latter, lower and upper (parameters alone). Groups that share a fit are one curve,
        of all contracts of that length. Groups in which no renewal has come up are not there, so it may be empty.

    References
    ----------
    Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1).
    """
    cohorts = _cohorts(values)
    longest = sorted(cohorts, key=lambda name: -len(cohorts[name][1]))[:most]
    ages = {name: _last_renewal(rows) * months for name, (_group, rows, months) in cohorts.items()}
    until = max((ages[name] for name in longest), default=0.0) * (1 + _BEYOND)
    drawn = drawn_groups(values.fits, values.groups, draws, seed)
    curves = {}
    for name in longest:
        group, rows, months = cohorts[name]
        steps = np.arange(max(1, math.ceil(until / months)) + 1.0)
        curves[name] = _curve(rows, steps, values.fits[group], [fits[group] for fits in drawn], months)
    if not curves:
        return pd.DataFrame({"months": [], "observed_survival": [], "survival": []}, dtype="float64")
    return pd.concat(curves, names=["group"])


def _cohorts(values: ContractValues) -> dict[str, tuple[str, pd.DataFrame, float]]:
    """Contracts that a fit was made of by the name of their curve: a group with that fit, rows, months of a period."""
    contracts, found = values.contracts, {}
    for group, row in values.groups.iterrows():
        period = str(row["renewal_period"])
        length = months_or_days(period)
        assert length is not None  # checked at the door
        is_own = row["fitted_on"] != POOLED
        name = str(group) if is_own else _("all renewed after {period}", period=period)
        of_it = contracts["first_group"] == group if is_own else contracts["renewal_period"] == period
        rows = contracts.loc[of_it, ["periods", "churned"]]
        if _last_renewal(rows):
            found[name] = (str(group), rows, months_between(length))
    return found


def _last_renewal(rows: pd.DataFrame) -> int:
    """The last renewal that any of some contracts came up for."""
    return int((rows["periods"] + rows["churned"].astype(int)).max()) if len(rows) else 0


def _curve(rows: pd.DataFrame, steps: np.ndarray, fit: SBGFit, drawn: list[SBGFit], months: float) -> pd.DataFrame:
    periods, churned = rows["periods"].to_numpy(dtype=float), rows["churned"].to_numpy(dtype=bool)
    renewed = np.where(steps > 0, [(periods >= step).sum() for step in steps], 0)
    ended = np.array([(churned & (periods == step - 1)).sum() for step in steps])
    with np.errstate(invalid="ignore"):
        observed = renewed / (renewed + ended)
    lower, upper = np.quantile([one.survival(steps) for one in drawn], [0.025, 0.975], axis=0)
    return pd.DataFrame(
        {
            "months": steps * months,
            "up_for_renewal": renewed + ended,
            "renewed": renewed,
            "observed_retention": observed,
            "observed_survival": np.where(steps > 0, observed, 1.0).cumprod(),
            "retention": np.append(np.nan, fit.retention(steps[1:])),
            "survival": fit.survival(steps),
            "lower": lower,
            "upper": upper,
        },
        index=pd.Index(steps.astype(np.int64), name="renewal"),
    )
