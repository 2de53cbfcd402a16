"""How well renewals were foretold: a model of an earlier day against who really stayed since."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import SettingsError
from crm_analysis.models.histories import Floats
from crm_analysis.models.memberships import joined_terms
from crm_analysis.models.sbg import SBGFit
from crm_analysis.models.terms import renewals_made
from crm_analysis.value.contract_fits import drawn_groups
from crm_analysis.value.contract_values import ContractValues

_KEY = ["customer_id", "started_on", "renewal_period", "nth"]


@dataclass(frozen=True, eq=False)
class ContractTest:
    """What a model of an earlier day said of its running contracts, and what became of them.

    Attributes
    ----------
    tracking : DataFrame, indexed by day, the origin first
        actual (contracts still running), expected, with its 95% limits lower and upper: parameters and the chance of
        each renewal.
    groups : DataFrame, indexed by group
        contracts at the origin; actual, expected, lower and upper on the last day.
    origin : date
        Up to which the model knew the contracts.
    """

    tracking: pd.DataFrame
    groups: pd.DataFrame
    origin: date

    @property
    def holds(self) -> bool:
        """Whether the number still running at the end lies within the limits."""
        last = self.tracking.iloc[-1]
        return bool(last["lower"] <= last["actual"] <= last["upper"])


def check_renewals(
    values: ContractValues, memberships: pd.DataFrame, *, dates: Sequence[Day], draws: int = 400, seed: int = 0
) -> ContractTest:
    """Hold the renewals expected on an earlier day against those made since.

    Parameters
    ----------
    values : ContractValues
        As of the earlier day, fitted to what was known then.
    memberships : DataFrame
        The contracts as known later, by at least the last of `dates`.
    dates : sequence of date or str
        Days after the origin, ascending.
    draws, seed : int
        Drawn parameters behind the limits.

    Returns
    -------
    ContractTest

    Raises
    ------
    SettingsError
        When a date is not after the origin, or there is none.

    Notes
    -----
    A contract that has made n renewals and had k more due by a day is expected to run still with the chance
    S(n + k) / S(n) (Fader & Hardie 2010). Who went on under a contract of another length has stayed. Rows that the
    later table has no more are left out.
    """
    origin = pd.Timestamp(values.as_of)
    days = [pd.Timestamp(to_day(one, "dates")) for one in dates]
    if not days or days != sorted(days) or days[0] <= origin:
        raise SettingsError(f"dates must be ascending and after the origin, {values.as_of}.")
    then = _numbered(values.contracts[values.contracts["running"]])
    now = _numbered(joined_terms(memberships, of_one_period=True))
    both = then.merge(now[[*_KEY, "ended_on", "went_on"]], on=_KEY, suffixes=("_then", ""))
    stays = np.column_stack([(~(both["ended_on"] <= day) | both["went_on"]).to_numpy() for day in [origin, *days]])
    endless = both.assign(ended_on=pd.Series(pd.NaT, index=both.index, dtype="datetime64[us]"), went_on=False)
    due = np.column_stack([renewals_made(endless, day).to_numpy(dtype=float) for day in [origin, *days]])
    kinds, counts = _kinds(both["group"].to_numpy(), both["periods"].to_numpy(dtype=float), due)
    drawn = drawn_groups(values.fits, values.groups, draws, seed)
    noise = np.random.default_rng(seed).standard_normal(draws)
    chance = _chances(values.fits, kinds)
    by_draw = np.array([_chances(fits, kinds) for fits in drawn])

    def limits(weights: Floats) -> tuple[Floats, Floats]:
        expected = by_draw @ weights if by_draw.ndim == 2 else np.einsum("dkt,k->dt", by_draw, weights)
        spread = np.sqrt(np.einsum("dkt,k->dt", by_draw * (1 - by_draw), weights))
        lower, upper = np.quantile(expected + noise[:, None] * spread, [0.025, 0.975], axis=0)
        return lower, upper

    lower, upper = limits(counts)
    tracking = pd.DataFrame(
        {"actual": stays.sum(axis=0), "expected": counts @ chance, "lower": lower, "upper": upper},
        index=pd.DatetimeIndex([origin, *days], name="day"),
    )
    rows: dict[str, dict[str, Any]] = {}
    for group in sorted(both["group"].unique()):
        of_it = np.where(kinds["group"].to_numpy() == group, counts, 0.0)
        low, high = limits(of_it)
        members = (both["group"] == group).to_numpy()
        rows[group] = {
            "contracts": int(members.sum()),
            "actual": int(stays[members, -1].sum()),
            "expected": float((of_it @ chance)[-1]),
            "lower": float(low[-1]),
            "upper": float(high[-1]),
        }
    return ContractTest(tracking, pd.DataFrame.from_dict(rows, orient="index").rename_axis("group"), values.as_of)


def _numbered(contracts: pd.DataFrame) -> pd.DataFrame:
    """Number contracts of one customer, start and length, so that each is found again."""
    return contracts.assign(nth=contracts.groupby(_KEY[:-1], dropna=False).cumcount())


def _kinds(groups: np.ndarray, made: Floats, due: Floats) -> tuple[pd.DataFrame, Floats]:
    """Fold contracts of one group, renewals made and renewals due; return the kinds and how many are of each."""
    frame = pd.DataFrame(due - made[:, None]).clip(lower=0).assign(group=groups, made=made)
    folded = frame.groupby(list(frame.columns), sort=False).size()
    return folded.index.to_frame(index=False), folded.to_numpy().astype(np.float64)


def _chances(fits: Mapping[str, SBGFit], kinds: pd.DataFrame) -> Floats:
    """Chance of each kind to run still on each day, shape (n_kinds, n_days)."""
    to_come = kinds.drop(columns=["group", "made"]).to_numpy(dtype=float)
    chances = np.empty_like(to_come)
    for group, rows in kinds.groupby("group").indices.items():
        given = kinds["made"].to_numpy(dtype=float)[rows, None]
        chances[rows] = fits[str(group)].conditional_survival(to_come[rows], given=given)
    return chances
