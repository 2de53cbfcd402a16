"""The simplest way to value a base, beside the model's figure: one year's margin at a constant retention rate."""

from dataclasses import dataclass

import numpy as np

from crm_analysis.errors import SettingsError
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.periods import units_per_year
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.sensitivity import Change, equity_if


def gupta_lehmann_multiple(
    retention: float, annual_discount_rate: float, *, margin_growth: float = 0.0, first_margin_now: bool = False
) -> float:
    """How many yearly margins a customer is worth, all of the future counted, at a constant retention rate.

    Parameters
    ----------
    retention : float
        Share of customers who stay a year, from 0 to 1.
    annual_discount_rate : float
        Effective rate a year, >= 0.
    margin_growth : float
        Yearly growth of a customer's margin.
    first_margin_now : bool
        The first margin comes at once and not after a year.

    Returns
    -------
    float
        r / (1 + i - r (1 + g)), or (1 + i) / (1 + i - r (1 + g)) with the first margin now; infinite where retention
        and growth outrun the rate.

    References
    ----------
    Gupta & Lehmann (2003), Customers as assets, Journal of Interactive Marketing 17(1), eq. 3 and its extensions.

    Examples
    --------
    >>> round(gupta_lehmann_multiple(0.8, 0.12), 4)
    2.5
    """
    if not 0 <= retention <= 1:
        raise SettingsError(f"retention is {retention}; give a share from 0 to 1.")
    if not annual_discount_rate >= 0:
        raise SettingsError(f"annual_discount_rate is {annual_discount_rate}; give a fraction of 0 or more.")
    left = 1 + annual_discount_rate - retention * (1 + margin_growth)
    if left <= 0:
        return float("inf")
    return (1 + annual_discount_rate if first_margin_now else retention) / left


def yearly_retention(equity: CustomerEquity) -> float:
    """Share of the customers who are there now that the model expects to be there in a year."""
    values = equity.values
    fit, customers = values.fits.purchases, values.customers
    year = units_per_year(values.assumptions.time_unit)
    # The lifetime up to a moment grows by the chance to be there then. Opportunities to buy come one by one.
    step = 1.0 if isinstance(fit, BGBBFit) else year / 100
    end = np.floor(year) if isinstance(fit, BGBBFit) else year + step / 2
    ends = np.array([end - step, end])
    lived = [fit.discounted_residual_lifetime(customers, annual_discount_rate=0.0, horizon=one).sum() for one in ends]
    # In the clock of a shop a stretch is as long as its season makes it: lifetimes are compared by the model's time.
    by_model = fit.elapsed(ends, customers.as_of)
    there = float(fit.probability_alive(customers).sum())
    gained = lived[1] * by_model[1] / ends[1] - lived[0] * by_model[0] / ends[0]
    return float(gained / (by_model[1] - by_model[0]) / there) if there else float("nan")


@dataclass(frozen=True)
class Plausibility:
    """The current base by a constant retention rate, beside the model's figure.

    Attributes
    ----------
    retention : float
        `yearly_retention`.
    first_year : float
        Margin the model expects of the first year, less costs and tax, undiscounted, in currency.
    by_retention : float
        That year's margin repeated at the retention rate within the horizon, discounted; currency.
    by_model : float
        `CustomerEquity.current`.
    multiple, multiple_by_retention : float
        Both over `first_year`.
    """

    retention: float
    first_year: float
    by_retention: float
    by_model: float

    @property
    def multiple(self) -> float:
        """The model's figure over the first year's margin."""
        return self.by_model / self.first_year if self.first_year else float("nan")

    @property
    def multiple_by_retention(self) -> float:
        """The simple figure over the first year's margin."""
        return self.by_retention / self.first_year if self.first_year else float("nan")


def plausibility_check(equity: CustomerEquity) -> Plausibility:
    """Value the current base once more in the simplest way there is: a first year, repeated at a constant retention.

    Constant retention lets loyal customers go too fast, so over long horizons the model's figure is the higher one; one
    that is several times as high, or lower, wants an explanation.

    References
    ----------
    Gupta & Lehmann (2003), as in `gupta_lehmann_multiple`; margins come in the middle of their year.
    """
    given = equity.values.assumptions
    year = units_per_year(given.time_unit)
    first_year = equity_if(equity, Change(annual_discount_rate=0.0, horizon=year)).current
    retention = min(yearly_retention(equity), 1.0)
    ratio = retention / (1 + given.annual_discount_rate)
    years = np.inf if given.horizon_in_units is None else given.horizon_in_units / year
    repeated = years if ratio == 1 else (1 - ratio**years) / (1 - ratio)
    by_retention = first_year * repeated / (1 + given.annual_discount_rate) ** 0.5
    return Plausibility(retention, first_year, float(by_retention), equity.current)
