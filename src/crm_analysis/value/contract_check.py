"""Contracts under other horizons and rates, and the simplest figure beside what their model says."""

from dataclasses import replace

import numpy as np
import pandas as pd

from crm_analysis.models.terms import renewals_made
from crm_analysis.periods import Horizon, months_after
from crm_analysis.value.contract_values import ContractValues, with_expectations
from crm_analysis.value.lifetime_value import assume
from crm_analysis.value.plausibility import Plausibility

_MONTHS = 12


def contracts_worth(values: ContractValues, *, horizon: Horizon | None, annual_discount_rate: float) -> float:
    """Return the residual value of all members under another horizon and rate, all else unchanged.

    Parameters
    ----------
    values : ContractValues
    horizon : float, str or None
        A number of months, text such as "24 months", or None for all of the future.
    annual_discount_rate : float
        Effective rate a year, as a fraction.
    """
    old = values.assumptions
    given = assume(
        "month", values.as_of, horizon=horizon, annual_discount_rate=annual_discount_rate,
        margin=old.margin, costs=old.costs,
    )  # fmt: skip
    return float(with_expectations(values.contracts, values.fits, given, values.as_of)["residual_value"].sum())


def by_later_models(before: ContractValues, later: ContractValues) -> ContractValues:
    """Value the members of an earlier date by the models and terms of a later one, so that only members differ.

    Parameters
    ----------
    before, later : ContractValues
        As of both dates, from the same table. A group that the later date knows no more keeps its own model.
    """
    old = later.assumptions
    given = assume(
        "month", before.as_of, horizon=old.horizon, annual_discount_rate=old.annual_discount_rate,
        margin=old.margin, costs=old.costs,
    )  # fmt: skip
    fits = {**before.fits, **later.fits}
    contracts = with_expectations(before.contracts, fits, given, before.as_of)
    running = contracts[contracts["running"]].sort_values(["next_renewal", "started_on"], kind="stable")
    of_customer = running.groupby("customer_id")
    frame = before.frame.assign(
        probability_renewing=of_customer["probability_renewing"].first(),
        **{name: of_customer[name].sum() for name in ("expected_payments", "discounted_payments", "residual_value")},
    )
    frame["lifetime_value"] = frame["earned_value"] + frame["residual_value"]
    return replace(before, contracts=contracts, frame=frame, fits=fits, assumptions=given)


def yearly_retention(values: ContractValues) -> float:
    """Share of the contracts running now that are expected to run in a year; 1 where none comes up for renewal."""
    running = values.contracts[values.contracts["running"]]
    endless = running.assign(ended_on=pd.Series(pd.NaT, index=running.index, dtype="datetime64[us]"), went_on=False)
    in_a_year = renewals_made(endless, pd.Timestamp(months_after(values.as_of, _MONTHS)))
    made = running["periods"].to_numpy(dtype=float)
    due = in_a_year.to_numpy(dtype=float) - made
    chance = np.empty(len(running))
    for group, rows in running.groupby("group").indices.items():
        chance[rows] = values.fits[str(group)].conditional_survival(due[rows], given=made[rows])
    return float(chance.mean())


def contract_plausibility(values: ContractValues) -> Plausibility:
    """Value the running contracts once more in the simplest way: a first year, repeated at a constant retention.

    Returns
    -------
    Plausibility
        first_year is the margin of the payments expected within twelve months, undiscounted, less costs and tax; it
        holds none of what is paid already, so that it may be nothing for contracts just renewed.

    References
    ----------
    Gupta & Lehmann (2003), as in `gupta_lehmann_multiple`; margins come in the middle of their year.
    """
    given = values.assumptions
    first_year = contracts_worth(values, horizon="12 months", annual_discount_rate=0.0)
    retention = yearly_retention(values)
    ratio = retention / (1 + given.annual_discount_rate)
    years = np.inf if given.horizon_in_units is None else given.horizon_in_units / _MONTHS
    repeated = years if ratio == 1 else (1 - ratio**years) / (1 - ratio)
    by_retention = first_year * repeated / (1 + given.annual_discount_rate) ** 0.5
    return Plausibility(retention, first_year, float(by_retention), values.total)
