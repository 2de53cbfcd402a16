"""How many members will be there after the next renewals: what was observed, and what the sBG projects beyond it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day
from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.models.memberships import Contracts, contracts
from crm_analysis.models.sbg import SBGFit, fit_sbg
from crm_analysis.models.shares import wilson_interval
from crm_analysis.value.draws import drawn_fits, knows_its_doubt


@dataclass(frozen=True, eq=False)
class RenewalProjection:
    """Retention by renewal, observed and projected.

    Attributes
    ----------
    frame : DataFrame, indexed by renewal (0 is the start)
        - up_for_renewal, renewed: contracts observed at it (counts; 0 where none has come so far);
        - observed_retention: renewed / up_for_renewal, with its 95% interval (observed_lower, observed_upper); missing
          where none was observed, and at 0;
        - observed_survival: product of the retentions so far, 1 at 0;
        - retention, survival: by the sBG; survival with 95% limits (lower, upper) that contain its parameters alone;
        - residual_renewals: expected discounted number of renewals still to come of a member who has made so many,
          right before deciding on the next (missing without a discount rate; infinite where it has no bound).
    fit : SBGFit
    seen : int
        The last renewal that was observed: what follows is projection alone.
    """

    frame: pd.DataFrame
    fit: SBGFit
    seen: int


def renewal_projection(
    active: Any = None,
    *,
    cohort_size: float | Sequence[float] | None = None,
    memberships: pd.DataFrame | None = None,
    as_of: Day | None = None,
    renewals: int = 12,
    annual_discount_rate: float | None = None,
    periods_per_year: float | None = None,
    draws: int = 400,
    seed: int = 0,
) -> RenewalProjection:
    """Fit an sBG to contracts and set its projection beside what was observed.

    Parameters
    ----------
    active, cohort_size, memberships, as_of
        The contracts, as `fit_sbg` takes them.
    renewals : int
        How far to project, from the start.
    annual_discount_rate, periods_per_year : float, optional
        Both or neither: for the residual renewals. Contracts renewed monthly have 12 periods a year.
    draws, seed : int
        Drawn parameters behind the limits of survival.

    Returns
    -------
    RenewalProjection

    Raises
    ------
    DataError
        When contracts are refused.
    SettingsError
        When arguments do not go together.

    References
    ----------
    Fader & Hardie (2007), How to Project Customer Retention; (2010), Customer-Base Valuation in a Contractual Setting.
    """
    check_whole("renewals", renewals, least=1)
    if (annual_discount_rate is None) != (periods_per_year is None):
        raise SettingsError("give annual_discount_rate and periods_per_year both, or neither.")
    read = contracts(active, cohort_size=cohort_size, memberships=memberships, as_of=as_of)
    fit = fit_sbg(active, cohort_size=cohort_size, memberships=memberships, as_of=as_of)
    steps = np.arange(renewals + 1.0)
    frame = _observed(read, steps)
    lower, upper = np.full((2, len(steps)), np.nan)
    if knows_its_doubt(fit):
        drawn = np.array([one.survival(steps) for one in drawn_fits(fit, draws, seed)])
        lower, upper = np.quantile(drawn, [0.025, 0.975], axis=0)
    residual: Any = np.nan
    if annual_discount_rate is not None and periods_per_year is not None:
        residual = fit.discounted_residual_lifetime(
            steps, annual_discount_rate=annual_discount_rate, periods_per_year=periods_per_year
        )
    frame = frame.assign(
        retention=np.append(np.nan, fit.retention(steps[1:])),
        survival=fit.survival(steps),
        lower=lower,
        upper=upper,
        residual_renewals=residual,
    )
    observed = np.flatnonzero(frame["up_for_renewal"] > 0)
    return RenewalProjection(frame, fit, int(observed[-1]) if len(observed) else 0)


def _observed(read: Contracts, steps: Floats) -> pd.DataFrame:
    """Count at each renewal who was up for it and who made it: a contract still running was not up for its next one."""
    survived, churned = read.frame["periods"].to_numpy(float), read.frame["churned"].to_numpy(bool)
    renewed = np.array([read.counts[survived >= step].sum() for step in steps])
    ended = np.array([read.counts[churned & (survived == step - 1)].sum() for step in steps])
    up = np.where(steps > 0, renewed + ended, 0.0)
    renewed = np.where(steps > 0, renewed, 0.0)
    with np.errstate(invalid="ignore"):
        share = renewed / up
    lower, upper = wilson_interval(renewed, up)
    survival = np.where(steps > 0, share, 1.0).cumprod()  # missing from the first renewal on that nobody has seen
    return pd.DataFrame(
        {
            "up_for_renewal": up,
            "renewed": renewed,
            "observed_retention": share,
            "observed_lower": lower,
            "observed_upper": upper,
            "observed_survival": survival,
        },
        index=pd.Index(steps.astype(np.int64), name="renewal"),
    )
