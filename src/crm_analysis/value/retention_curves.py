"""The share of a cohort of contracts still there after each renewal: observed, by the model, and beyond what was seen."""

import math

import numpy as np
import pandas as pd

from crm_analysis.messages import _
from crm_analysis.models.terms import months_or_days
from crm_analysis.value.contract_fits import OWN, POOLED
from crm_analysis.value.contract_streams import months_between
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.renewal_projection import renewal_projection

# So far beyond the oldest contract seen a curve goes on, as a share of its age.
_BEYOND = 0.5


def retention_curves(values: ContractValues, *, most: int = 4, draws: int = 200, seed: int = 0) -> pd.DataFrame:
    """Set the survival observed in each group of contracts beside that of its model.

    Parameters
    ----------
    values : ContractValues
    most : int
        So many groups, those with the most contracts.
    draws, seed : int
        Drawn parameters behind the limits.

    Returns
    -------
    DataFrame, indexed by group and renewal (0 is the start)
        months since the start; and of `RenewalProjection.frame`: up_for_renewal, renewed, observed_retention,
        observed_survival (both missing beyond what was seen), retention, survival, lower and upper (95%, parameters
        alone). Groups that share a fit are one curve, of all contracts of that length; groups too small for any are not
        there, so the frame may be empty.

    References
    ----------
    Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1).
    """
    cohorts = _cohorts(values)
    longest = sorted(cohorts, key=lambda name: -len(cohorts[name][0]))[:most]
    seen = {name: float(cohorts[name][0]["periods"].max()) * cohorts[name][1] for name in longest}
    until = max(seen.values(), default=0.0) * (1 + _BEYOND)
    curves = {}
    for name in longest:
        rows, months = cohorts[name]
        renewals = max(1, math.ceil(until / months))
        frame = renewal_projection(memberships=rows, renewals=renewals, draws=draws, seed=seed).frame
        curves[name] = frame.assign(months=np.arange(renewals + 1) * months)
    if not curves:
        return pd.DataFrame({"months": [], "observed_survival": [], "survival": []}, dtype="float64")
    return pd.concat(curves, names=["group"])


def _cohorts(values: ContractValues) -> dict[str, tuple[pd.DataFrame, float]]:
    """Contracts that a fit was made of, by the name of their curve, and the months from one renewal to the next."""
    contracts, found = values.contracts, {}
    for group, row in values.groups.iterrows():
        period = str(row["renewal_period"])
        length = months_or_days(period)
        assert length is not None  # checked at the door
        if row["fitted_on"] == OWN:
            name, rows = str(group), contracts["first_group"] == group
        elif row["fitted_on"] == POOLED:
            name = _("all renewed after {period}", period=period)
            rows = contracts["renewal_period"] == period
        else:
            continue
        found[name] = (contracts.loc[rows, ["periods", "churned"]], months_between(length))
    return found
