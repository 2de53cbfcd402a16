"""What would raise the asset: equity with retention, purchase rate, spend, margin, costs, rates or newcomers changed.

A change concerns the time to come: what is known of each customer stays as it is, and only the future is lived in
another way. So a lower chance to leave makes those who are still there stay longer, and brings nobody back.
"""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.histories import Floats
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import Horizon, units_per_year
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.lifetime_value import Assumptions, Costs, assume
from crm_analysis.value.potential import Pieces, cost_of_newcomers, value_of_newcomers


@dataclass(frozen=True)
class Change:
    """How the time to come differs. Shares are relative: 0.1 is ten percent more.

    Attributes
    ----------
    leaving : float
        Change of every customer's chance to leave, after a purchase or at any moment as the model has it.
    purchase_rate : float
        By how much faster customers live: they buy more often and, where they leave after purchases, leave after as
        many.
    spend : float
        Change of what a purchase is worth.
    newcomers : float
        Change of how many customers join.
    acquisition_cost, cost_per_order, cost_to_serve : float
        Change of each cost.
    margin, annual_discount_rate : float or None
        In place of the present ones. Margins of customers' own move in proportion to that of all together.
    horizon : float, str or None
        In place of the present one.
    """

    leaving: float = 0.0
    purchase_rate: float = 0.0
    spend: float = 0.0
    newcomers: float = 0.0
    acquisition_cost: float = 0.0
    cost_per_order: float = 0.0
    cost_to_serve: float = 0.0
    margin: float | None = None
    annual_discount_rate: float | None = None
    horizon: Horizon | None = None

    def __post_init__(self) -> None:
        for name in RELATIVE:
            value = getattr(self, name)
            if not (np.isfinite(value) and value > -1):
                raise SettingsError(f"{name} is {value}; give a change above -1, such as -0.1 for ten percent less.")


RELATIVE = (
    "leaving", "purchase_rate", "spend", "newcomers", "acquisition_cost", "cost_per_order", "cost_to_serve",
)  # fmt: skip


@dataclass(frozen=True)
class EquityParts:
    """Equity on its three lines, in currency; the last two are missing where future customers are not valued."""

    current: float
    potential: float
    acquisition_cost: float

    @property
    def total(self) -> float:
        """Current base and, where valued, future customers net of their cost."""
        return self.current if np.isnan(self.potential) else self.current + self.potential - self.acquisition_cost


def equity_if(equity: CustomerEquity, change: Change) -> EquityParts:
    """Value the equity again in a changed future.

    Parameters
    ----------
    equity : CustomerEquity
    change : Change

    Returns
    -------
    EquityParts
        Equal to those of the equity where nothing changes.

    Raises
    ------
    SettingsError
        For a change the model does not know: of leaving where nobody leaves, of the purchase rate where customers have
        opportunities to buy instead of a rate; or one so large that a chance would pass 1.

    Notes
    -----
    Leaving: given that a customer is there, the chance to leave p ~ Beta(a, b + x) becomes
    Beta(c a, b + x + (1 - c) a), whose mean is c times as high (BG/NBD and its kin; BG/BB likewise with gamma and
    delta); in the Pareto/NBD the rate Gamma(s, beta + T) becomes Gamma(c s, beta + T). The chance to be there is left
    as it is.
    """
    values = equity.values
    old, customers = values.assumptions, values.customers
    given = _changed(old, change, customers.as_of)
    future = _Future(values.fits.purchases, change, customers.as_of)
    spend = values.frame["expected_spend"] * (1 + change.spend) * values.relative_margin
    discounted, lifetime = future.of_customers(customers, given)
    per_purchase = given.margin * spend - given.costs.cost_per_order
    served = given.costs.cost_to_serve_per_year / units_per_year(given.time_unit) * lifetime
    current = float((discounted * per_purchase - served).sum()) * given.costs.kept * customers.stands_for
    if equity.acquisition is None or given.horizon_in_units is None:
        return EquityParts(current, np.nan, np.nan)
    joining = equity.acquisition
    pieces = Pieces.of(given.time_unit, customers.as_of, until=given.horizon_in_units)
    number = pieces.number(joining.of_months(pieces.months)) * (1 + change.newcomers)
    # Spend and margin enter together, so that one may stand for both.
    richer = replace(given, margin=given.margin * (1 + change.spend))
    gross = float(number @ value_of_newcomers(future, values.fits.spend, richer, pieces, joining.first_spend))
    return EquityParts(current, gross, float(number @ cost_of_newcomers(given, pieces)))


def _changed(old: Assumptions, change: Change, as_of: date | None) -> Assumptions:
    costs = Costs(
        old.costs.acquisition_cost * (1 + change.acquisition_cost),
        old.costs.cost_per_order * (1 + change.cost_per_order),
        old.costs.cost_to_serve_per_year * (1 + change.cost_to_serve),
        old.costs.tax_rate,
    )
    rate = old.annual_discount_rate if change.annual_discount_rate is None else change.annual_discount_rate
    return assume(
        old.time_unit,
        as_of,
        horizon=old.horizon if change.horizon is None else change.horizon,
        annual_discount_rate=rate,
        margin=old.margin if change.margin is None else change.margin,
        costs=costs,
    )


class _Future:
    """A fit whose customers live the time to come in another way."""

    def __init__(self, fit: PurchaseFit, change: Change, as_of: date | None) -> None:
        self.pace = 1 + change.purchase_rate
        if change.purchase_rate and isinstance(fit, BGBBFit):
            raise SettingsError("purchase_rate: a BG/BB has opportunities to buy, no rate that could change.")
        if isinstance(fit, ClockedFit):
            if change.purchase_rate and as_of is not None and as_of > fit.clock.last_day:
                raise SettingsError(
                    f"purchase_rate: the clock of this fit ends on {fit.clock.last_day}, before the as-of date "
                    f"{as_of}, so another pace would change the days between as well; fit the model to the whole log."
                )
            fit, self.pace = replace(fit, speed=fit.speed * self.pace), 1.0
        self.fit = fit
        self.changed = leaving_changed(fit, change.leaving) if change.leaving else fit

    def of_customers(self, customers: CustomerSummary, given: Assumptions) -> tuple[pd.Series, pd.Series]:
        """Discounted purchases and discounted lifetime of each customer."""
        annual = (1 + given.annual_discount_rate) ** (1 / self.pace) - 1
        length = None if given.horizon_in_units is None else given.horizon_in_units * self.pace
        how: dict[str, Any] = {"annual_discount_rate": annual, "horizon": length}
        # Whether a customer is there was decided by the fit as it is.
        there: Any = 1.0
        if self.changed is not self.fit:
            there = self.fit.probability_alive(customers) / self.changed.probability_alive(customers)
        purchases = self.changed.discounted_residual_purchases(customers, **how) * there
        lifetime = pd.Series(0.0, index=purchases.index)
        if given.costs.cost_to_serve_per_year:
            lifetime = self.changed.discounted_residual_lifetime(customers, **how) * there / self.pace
        return purchases, lifetime

    def purchases_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected purchases by some moments of those who join at others, as `PurchaseFit` gives them."""
        return self.changed.purchases_of_newcomers(joined * self.pace, until * self.pace, as_of=as_of)

    def lifetimes_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected time as a customer, likewise; by the calendar."""
        return self.changed.lifetimes_of_newcomers(joined * self.pace, until * self.pace, as_of=as_of) / self.pace


def leaving_changed(fit: PurchaseFit, change: float) -> PurchaseFit:
    """Return the fit with the mean chance to leave changed by a share; see `equity_if`."""
    if any(effect.label == "dropout" for effect in fit.effects):
        raise SettingsError("leaving: with covariates of dropout every customer's chance is moved in its own way.")
    factor, params = 1 + change, fit.params._asdict()  # type: ignore[attr-defined]  # a NamedTuple
    for leave, stay in (("a", "b"), ("gamma", "delta")):
        if leave in params:
            moved = {leave: factor * params[leave], stay: params[stay] - change * params[leave]}
            if not moved[stay] > 0:
                raise SettingsError(f"leaving is {change}; with so much more of it customers would leave for certain.")
            return replace(fit, params=fit.params._replace(**moved))  # type: ignore[attr-defined]
    if "s" in params:
        return replace(fit, params=fit.params._replace(s=factor * params["s"]))  # type: ignore[attr-defined]
    raise SettingsError(f"leaving: in the {fit.model_name} nobody leaves, so it cannot change.")


# --- all levers side by side ------------------------------------------------------------------------------------

LEVERS: Mapping[str, str] = {
    "retention": N_("Chance to leave"),
    "purchase_rate": N_("Purchase rate"),
    "spend": N_("Spend per purchase"),
    "margin": N_("Margin"),
    "discount_rate": N_("Discount rate"),
    "horizon": N_("Horizon"),
    "newcomers": N_("New customers"),
    "acquisition_cost": N_("Acquisition cost"),
}
"""The levers of a tornado by key, with their names for the reader."""

_A_POINT = 0.01
_MONTHS = 6


def tornado(equity: CustomerEquity, *, step: float = 0.10) -> pd.DataFrame:
    """Move each lever down and up by itself and say what equity would be.

    Parameters
    ----------
    equity : CustomerEquity
        Finite.
    step : float
        Relative change of the chance to leave, purchase rate, spend, newcomers and acquisition cost, above 0 and below
        1. Margin and discount rate move by one point, a horizon by six months.

    Returns
    -------
    DataFrame, indexed by lever, the widest first
        down, up: change of equity in currency; low, high: what the lever is moved from and to (shares, or months of the
        horizon); elasticity: percent of equity for one percent of the lever (of one percent less leaving for retention;
        missing for the horizon). Levers the valuation does not have are left out.
    """
    if not 0 < step < 1:
        raise SettingsError(f"step is {step}; give a share above 0 and below 1, such as 0.1.")
    given, here = equity.values.assumptions, equity.total
    moves: dict[str, tuple[Change, Change, float, float, float]] = {}

    def relative(lever: str, name: str, sign: int = 1) -> None:
        down, up = (Change(**{name: direction * sign * step}) for direction in (-1, 1))
        moves[lever] = (down, up, -sign * step, sign * step, step)

    fit = equity.values.fits.purchases
    if _can_change_leaving(fit, step):
        relative("retention", "leaving", -1)
    if not isinstance(fit, BGBBFit):
        relative("purchase_rate", "purchase_rate")
    relative("spend", "spend")
    low, high = max(given.margin - _A_POINT, given.margin / 2), min(given.margin + _A_POINT, 1.0)
    moves["margin"] = (Change(margin=low), Change(margin=high), low, high, (high - low) / 2 / given.margin)
    rate = given.annual_discount_rate
    low, high = max(rate - _A_POINT, 0.0), rate + _A_POINT
    size = (high - low) / 2 / rate if rate else np.nan
    moves["discount_rate"] = (Change(annual_discount_rate=low), Change(annual_discount_rate=high), low, high, size)
    if given.horizon_in_units is not None:
        months = given.horizon_in_units / units_per_year(given.time_unit) * 12
        low, high = max(months - _MONTHS, months / 2), months + _MONTHS
        units = units_per_year(given.time_unit) / 12
        moves["horizon"] = (Change(horizon=low * units), Change(horizon=high * units), low, high, np.nan)
    if equity.acquisition is not None:
        relative("newcomers", "newcomers")
        if given.costs.acquisition_cost:
            relative("acquisition_cost", "acquisition_cost")
    rows = {}
    for lever, (down, up, low, high, size) in moves.items():
        below, above = equity_if(equity, down).total - here, equity_if(equity, up).total - here
        elasticity = (above - below) / 2 / here / size if here else np.nan
        rows[lever] = (below, above, low, high, elasticity)
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["down", "up", "low", "high", "elasticity"])
    width = (table["up"] - table["down"]).abs()
    return table.loc[width.sort_values(ascending=False, kind="stable").index].rename_axis("lever")


def _can_change_leaving(fit: PurchaseFit, step: float) -> bool:
    """Whether customers can leave, and so much more of them too."""
    try:
        leaving_changed(fit, step)
    except SettingsError:
        return False
    return True


def scenario_table(equity: CustomerEquity, scenarios: Mapping[str, Change]) -> pd.DataFrame:
    """Value named scenarios beside the equity as it is.

    Parameters
    ----------
    equity : CustomerEquity
    scenarios : mapping of name to Change

    Returns
    -------
    DataFrame, indexed by scenario; "" is the equity as it is, and comes first
        current, potential, acquisition_cost, total, change (of the total; currency) and relative_change.
    """
    rows = {}
    for name, change in {"": Change(), **scenarios}.items():
        parts = equity_if(equity, change)
        rows[name] = dataclasses.asdict(parts) | {"total": parts.total}
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("scenario")
    table["change"] = table["total"] - equity.total
    table["relative_change"] = table["change"] / abs(equity.total) if equity.total else np.nan
    return table
