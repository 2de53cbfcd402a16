"""What would raise the asset of a company of contracts: each lever moved by itself, and changed futures.

As `sensitivity` for customers who buy: what is known of each member stays as it is, and only the time to come is lived
in another way.
"""

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.value import sensitivity
from crm_analysis.value.contract_equity import ContractEquity
from crm_analysis.value.contract_newcomers import Joining, newcomer_mix
from crm_analysis.value.contract_streams import worth
from crm_analysis.value.contract_values import expected_of, running_groups
from crm_analysis.value.lifetime_value import Assumptions, Costs, assume
from crm_analysis.value.potential import Pieces, cost_of_newcomers
from crm_analysis.value.sensitivity import Change, EquityParts

LEVERS = {
    "retention": sensitivity.LEVERS["retention"],
    "fee": N_("Fee"),
    **{key: sensitivity.LEVERS[key] for key in ("margin", "discount_rate", "horizon", "newcomers", "acquisition_cost")},
}
"""The levers by key, with their names for the reader."""

_A_POINT = 0.01
_MONTHS = 6


def contract_equity_if(equity: ContractEquity, change: Change) -> EquityParts:
    """Value the equity of contracts again in a changed future.

    Parameters
    ----------
    equity : ContractEquity
    change : Change
        leaving: of the chance to leave at every renewal; spend: of the fees; purchase_rate does not apply.

    Returns
    -------
    EquityParts
        Equal to those of the equity where nothing changes.

    Raises
    ------
    SettingsError
        For a purchase rate, or so much more leaving that a chance would pass 1.

    Notes
    -----
    The chance to leave of a member who has made n renewals, Beta(a, b + n), becomes Beta(c a, b + n + (1 - c) a), whose
    mean is c times as high; of newcomers likewise, with n = 0.
    """
    if change.purchase_rate:
        raise SettingsError("purchase_rate: contracts are renewed by the calendar, so there is no rate to change.")
    values, more = equity.values, 1 + change.spend
    _check_leaving(equity, change.leaving)
    given = _changed(values.assumptions, change, equity)
    current = 0.0
    for group, length, rows in running_groups(values.contracts):
        expected = expected_of(
            rows, length, values.fits[group], given, values.as_of, given.horizon_in_units, change.leaving
        )
        current += float(worth(expected, more * rows["fee"].to_numpy(), length, given).sum())
    if equity.acquisition is None or given.horizon_in_units is None:
        return EquityParts(current, np.nan, np.nan)
    pieces = Pieces.of("month", values.as_of, until=given.horizon_in_units)
    number = pieces.number(equity.acquisition.of_months(pieces.months)) * (1 + change.newcomers)
    joining = Joining(newcomer_mix(values.contracts, values.as_of), pieces, given, fee=more)
    gross = float(number @ joining.value(values.fits, change.leaving))
    return EquityParts(current, gross, float(number @ cost_of_newcomers(given, pieces)))


def _check_leaving(equity: ContractEquity, change: float) -> None:
    """Refuse a change by which somebody would leave for certain: newcomers have the fewest renewals behind them."""
    if not all(fit.params.beta - change * fit.params.alpha > 0 for fit in equity.values.fits.values()):
        raise SettingsError(f"leaving is {change}; with so much more of it members would leave for certain.")


def _changed(old: Assumptions, change: Change, equity: ContractEquity) -> Assumptions:
    costs = Costs(
        old.costs.acquisition_cost * (1 + change.acquisition_cost),
        old.costs.cost_per_order * (1 + change.cost_per_order),
        old.costs.cost_to_serve_per_year * (1 + change.cost_to_serve),
        old.costs.tax_rate,
    )
    rate = old.annual_discount_rate if change.annual_discount_rate is None else change.annual_discount_rate
    return assume(
        "month",
        equity.values.as_of,
        horizon=old.horizon if change.horizon is None else change.horizon,
        annual_discount_rate=rate,
        margin=old.margin if change.margin is None else change.margin,
        costs=costs,
    )


def contract_levers(equity: ContractEquity, *, step: float = 0.10) -> pd.DataFrame:
    """Move each lever down and up by itself and say what equity would be.

    Parameters
    ----------
    equity : ContractEquity
        Finite.
    step : float
        Relative change of the chance to leave, fees, newcomers and acquisition cost, above 0 and below 1. Margin and
        discount rate move by one point, a horizon by six months.

    Returns
    -------
    DataFrame, indexed by lever (the keys of `LEVERS`), the widest first
        As `sensitivity.tornado`: down, up (change of equity in currency), low, high (what the lever is moved from and
        to: shares, or months of the horizon), elasticity (percent of equity for one percent of the lever; of one
        percent less leaving for retention; missing for the horizon). Levers the valuation does not have are left out.
    """
    if not 0 < step < 1:
        raise SettingsError(f"step is {step}; give a share above 0 and below 1, such as 0.1.")
    if not np.isfinite(equity.total):
        raise SettingsError("the equity is infinite or missing; levers need a finite one.")
    given, here = equity.values.assumptions, equity.total
    relative = ["fee", *(["newcomers"] if equity.acquisition is not None else [])]
    if equity.acquisition is not None and given.costs.acquisition_cost:
        relative.append("acquisition_cost")
    named = {"fee": "spend", "newcomers": "newcomers", "acquisition_cost": "acquisition_cost"}
    moves = {lever: (Change(**{named[lever]: -step}), Change(**{named[lever]: step}), -step, step, step)
             for lever in relative}  # fmt: skip
    if all(fit.params.beta > step * fit.params.alpha for fit in equity.values.fits.values()):
        moves["retention"] = (Change(leaving=step), Change(leaving=-step), step, -step, step)
    low, high = max(given.margin - _A_POINT, given.margin / 2), min(given.margin + _A_POINT, 1.0)
    moves["margin"] = (Change(margin=low), Change(margin=high), low, high, (high - low) / 2 / given.margin)
    rate = given.annual_discount_rate
    low, high = max(rate - _A_POINT, 0.0), rate + _A_POINT
    size = (high - low) / 2 / rate if rate else np.nan
    moves["discount_rate"] = (Change(annual_discount_rate=low), Change(annual_discount_rate=high), low, high, size)
    if given.horizon_in_units is not None:
        low, high = max(given.horizon_in_units - _MONTHS, given.horizon_in_units / 2), given.horizon_in_units + _MONTHS
        moves["horizon"] = (Change(horizon=low), Change(horizon=high), low, high, np.nan)
    rows = {}
    for lever, (down, up, low, high, size) in moves.items():
        below, above = (contract_equity_if(equity, change).total - here for change in (down, up))
        rows[lever] = (below, above, low, high, (above - below) / 2 / here / size if here else np.nan)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["down", "up", "low", "high", "elasticity"])
    width = (table["up"] - table["down"]).abs()
    return table.loc[width.sort_values(ascending=False, kind="stable").index].rename_axis("lever")
