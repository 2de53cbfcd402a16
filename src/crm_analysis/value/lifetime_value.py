"""What each customer is worth: discounted margin to come less the cost to serve, and the whole life with its past.

Residual value is what the customer will bring after the as-of date; lifetime value adds what the customer brought
and cost before it, carried to the as-of date at the same rate. Future service cost is inside the residual value, once.
"""

import dataclasses
import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import require_summary
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import purchase_fit_from_json
from crm_analysis.periods import Horizon, TimeUnit, annual_to_continuous, horizon_in_units, units_per_year
from crm_analysis.value.valued import days_since_last

# Columns of the values of a customer, in their order.
VALUES = (
    "probability_alive",
    "expected_purchases",
    "discounted_purchases",
    "expected_spend",
    "residual_value",
    "earned_value",
    "lifetime_value",
)


@dataclass(frozen=True)
class Costs:
    """What a customer costs, in the currency of the transactions.

    Attributes
    ----------
    acquisition_cost : float
        Paid once, at the first purchase.
    cost_per_order : float
        Selling cost of every order, past and future, over and above what the margin already leaves out.
    cost_to_serve_per_year : float
        For each year as a customer, from the first purchase until the customer leaves.
    tax_rate : float
        Share of margin less costs that goes as tax on profit. What a customer costs beyond the margin saves tax at the
        same rate, as in a company that earns a profit on the whole.
    """

    acquisition_cost: float = 0.0
    cost_per_order: float = 0.0
    cost_to_serve_per_year: float = 0.0
    tax_rate: float = 0.0

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not (np.isfinite(value) and value >= 0):
                raise SettingsError(f"costs: {name} is {value}; give an amount >= 0.")
        if not self.tax_rate < 1:
            raise SettingsError(f"costs: tax_rate is {self.tax_rate}; give a share of the profit below 1.")

    @property
    def kept(self) -> float:
        """Share of a profit that is left after tax."""
        return 1 - self.tax_rate


@dataclass(frozen=True)
class Assumptions:
    """What a valuation takes as given.

    Attributes
    ----------
    horizon : float, str or None
        As the caller gave it: a number in the time unit, text, or None for all of the future.
    annual_discount_rate : float
        Effective rate a year.
    margin : float
        Share of spend that is left after the cost of what was sold.
    costs : Costs
    time_unit : str
        Unit of `horizon_in_units` and `continuous_rate`.
    horizon_in_units : float or None
        The horizon in the time unit, months and years by the calendar from the as-of date.
    continuous_rate : float
        ln(1 + annual rate) per time unit.
    """

    horizon: Horizon | None
    annual_discount_rate: float
    margin: float
    costs: Costs
    time_unit: TimeUnit
    horizon_in_units: float | None
    continuous_rate: float


class Fits(NamedTuple):
    """The fits behind a valuation."""

    purchases: PurchaseFit
    spend: GammaGammaFit


@dataclass(frozen=True, eq=False)
class CustomerValues:
    """What each customer is worth, with everything it was computed from.

    Attributes
    ----------
    frame : DataFrame, indexed by customer_id
        probability_alive; expected_purchases within the horizon; discounted_purchases; expected_spend per purchase;
        residual_value; earned_value (margin so far less costs so far, carried to the as-of date); lifetime_value,
        their sum. The last two are missing where the summary carries no spend history. Money in the currency of the
        transactions.
    fits : Fits
        purchases and spend.
    customers : CustomerSummary
    assumptions : Assumptions
    """

    frame: pd.DataFrame
    fits: Fits
    customers: CustomerSummary
    assumptions: Assumptions

    @property
    def total(self) -> float:
        """Residual value of all customers of the base together, those a sample stands for included."""
        return float(self.frame["residual_value"].sum() * self.customers.stands_for)

    @property
    def number_of_customers(self) -> int:
        """Customers of the base, those a sample stands for included."""
        return self.customers.number_of_customers

    @property
    def stands_for(self) -> float:
        """Customers of the base for each that was valued; 1 where all were."""
        return self.customers.stands_for

    @property
    def as_of(self) -> date | None:
        """Last day that is known."""
        return self.customers.as_of

    @property
    def attributes(self) -> pd.DataFrame:
        """The customer summary."""
        return self.customers.frame

    def described(self) -> pd.DataFrame:
        """Say of each customer what segments are described by; see `valued.Valued`."""
        return self.frame.assign(
            orders=self.customers.frame["frequency"] + 1, days_since_last=days_since_last(self.customers)
        )

    @property
    def sampling_error(self) -> float:
        """Standard error of `total` because only a random sample was valued, the fits held; 0 where everybody was.

        The sample is drawn without replacement (Cochran 1977, Sampling Techniques, eq. 2.23). Fits to another sample
        would differ too: see the interval of `customer_equity`.
        """
        stands_for, drawn = self.customers.stands_for, len(self.frame)
        if stands_for == 1:
            return 0.0
        spread = float(self.frame["residual_value"].std(ddof=1))
        return float(stands_for * np.sqrt(drawn) * spread * np.sqrt(1 - 1 / stands_for))

    def save(self, folder: str | Path) -> None:
        """Write `values.parquet`, `customers.parquet` and `valuation.json` (fits and assumptions) to `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_parquet(folder / "values.parquet")
        self.customers.frame.to_parquet(folder / "customers.parquet")
        content = {
            "assumptions": dataclasses.asdict(self.assumptions),
            "purchases": self.fits.purchases.to_json(),
            "spend": self.fits.spend.to_json(),
            "summary": {
                "time_unit": self.customers.time_unit,
                "as_of": None if self.customers.as_of is None else self.customers.as_of.isoformat(),
                "annual_discount_rate": self.customers.annual_discount_rate,
                "stands_for": self.customers.stands_for,
            },
        }
        (folder / "valuation.json").write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "CustomerValues":
        """Read what `save` wrote; raise `SettingsError` where there is nothing."""
        folder = Path(folder)
        if not (folder / "valuation.json").is_file():
            raise SettingsError(f"{folder} holds no saved valuation.")
        content = json.loads((folder / "valuation.json").read_text(encoding="utf-8"))
        summary, assumptions = content["summary"], content["assumptions"]
        as_of = None if summary["as_of"] is None else date.fromisoformat(summary["as_of"])
        return cls(
            pd.read_parquet(folder / "values.parquet"),
            Fits(
                purchase_fit_from_json(content["purchases"]),
                GammaGammaFit.from_json(content["spend"]),
            ),
            CustomerSummary(
                pd.read_parquet(folder / "customers.parquet"),
                summary["time_unit"],
                as_of,
                summary["annual_discount_rate"],
                summary.get("stands_for", 1.0),  # saved before there were samples
            ),
            Assumptions(**{**assumptions, "costs": Costs(**assumptions["costs"])}),
        )


def lifetime_value(
    purchases: PurchaseFit,
    spend: GammaGammaFit,
    customers: CustomerSummary,
    *,
    horizon: Horizon | None,
    annual_discount_rate: float,
    margin: float,
    costs: Costs | None = None,
) -> CustomerValues:
    """Value every customer on the as-of date of the summary.

    Parameters
    ----------
    purchases : PurchaseFit
        A fitted purchase model, or `Forecast.model`.
    spend : GammaGammaFit
        The fitted spend model.
    customers : CustomerSummary
        With monetary_value. For the lifetime value it must have been made with the same `annual_discount_rate`.
    horizon : float, str or None
        How far the valuation looks: a number in the summary's time unit, text such as "24 months", or None for
        all of the future.
    annual_discount_rate : float
        Effective rate a year, as a fraction; converted once, to a continuous rate per time unit.
    margin : float
        Share of spend left after the cost of what was sold, above 0 and at most 1.
    costs : Costs, optional
        Costs beyond the margin; none when not given.

    Returns
    -------
    CustomerValues

    Raises
    ------
    SettingsError
        When the margin is out of range, or the summary was made with another rate.

    Notes
    -----
    residual value = DERT x (margin x expected spend - cost per order) - cost to serve x discounted time alive, with
    DERT the discounted expected residual transactions (Fader, Hardie & Lee 2005, JMR 42); all of it times what tax
    leaves. A customer can be worth less than zero where serving costs more than the margin brings; such a value stays
    negative.
    """
    for name, fit, kind in (("purchases", purchases, PurchaseFit), ("spend", spend, GammaGammaFit)):
        if not isinstance(fit, kind):
            raise SettingsError(f"{name} is a {type(fit).__name__}; give a {kind.__name__}.")
    require_summary(customers)
    taken = assume(
        customers.time_unit,
        customers.as_of,
        horizon=horizon,
        annual_discount_rate=annual_discount_rate,
        margin=margin,
        costs=costs,
    )
    frame = of_histories(purchases, customers, taken)
    frame["expected_spend"] = spend.expected_spend(customers)
    frame["residual_value"] = residual_value(frame, taken)
    frame["earned_value"] = _earned_value(customers, frame, taken)
    frame["lifetime_value"] = frame["earned_value"] + frame["residual_value"]
    return CustomerValues(frame[list(VALUES)], Fits(purchases, spend), customers, taken)


def revalue(
    values: CustomerValues, *, fits: Fits | None = None, customers: CustomerSummary | None = None, **terms: Any
) -> CustomerValues:
    """Value again with something changed and all else as it was.

    Parameters
    ----------
    values : CustomerValues
        The valuation to repeat.
    fits : Fits, optional
        Other fits.
    customers : CustomerSummary, optional
        Other customers, or the same on another date.
    **terms
        horizon, annual_discount_rate, margin, costs: those that change.

    Returns
    -------
    CustomerValues
        Without the past where its carried sums were made at another rate.
    """
    given = values.assumptions
    same = {name: getattr(given, name) for name in ("horizon", "annual_discount_rate", "margin", "costs")}
    wanted, summary = same | terms, customers or values.customers
    if summary.annual_discount_rate not in (None, wanted["annual_discount_rate"]):
        summary = dataclasses.replace(summary, annual_discount_rate=None)
    return lifetime_value(*(fits or values.fits), summary, **wanted)


def assume(
    time_unit: TimeUnit,
    as_of: date | None,
    *,
    horizon: Horizon | None,
    annual_discount_rate: float,
    margin: float,
    costs: Costs | None,
) -> Assumptions:
    """Return what a valuation takes as given, in the time unit; raise `SettingsError` for a margin that is none."""
    if not 0 < margin <= 1:
        raise SettingsError(f"margin is {margin}; give a share of spend above 0 and at most 1.")
    length = None if horizon is None else horizon_in_units(horizon, time_unit, as_of)
    rate = annual_to_continuous(annual_discount_rate, time_unit)
    return Assumptions(horizon, annual_discount_rate, margin, costs or Costs(), time_unit, length, rate)


def of_histories(purchases: PurchaseFit, customers: CustomerSummary, taken: Assumptions) -> pd.DataFrame:
    """What follows from when customers bought, whatever they spent: the same for all with one history.

    Returns
    -------
    DataFrame, indexed as the summary
        probability_alive, expected_purchases, discounted_purchases; service_to_come and costs_so_far, in currency: cost
        to serve within the horizon, discounted, and what was spent on the customer so far beside the cost of orders,
        carried to the as-of date.
    """
    annual, length = taken.annual_discount_rate, taken.horizon_in_units
    a_unit = taken.costs.cost_to_serve_per_year / units_per_year(taken.time_unit)
    alive = purchases.probability_alive(customers)
    frame = pd.DataFrame(
        {
            "probability_alive": alive,
            "expected_purchases": purchases.discounted_residual_purchases(
                customers, annual_discount_rate=0.0, horizon=length
            ),
            "discounted_purchases": purchases.discounted_residual_purchases(
                customers, annual_discount_rate=annual, horizon=length
            ),
            "service_to_come": 0.0,
            "costs_so_far": _costs_so_far(customers, alive, taken),
        }
    )
    if a_unit:
        lifetime = purchases.discounted_residual_lifetime(customers, annual_discount_rate=annual, horizon=length)
        frame["service_to_come"] = a_unit * lifetime
    return frame


def residual_value(columns: Any, taken: Assumptions) -> Any:
    """Discounted margin to come less the cost to serve: of columns of a frame, or of a table in an engine."""
    per_purchase = columns["expected_spend"] * taken.margin - taken.costs.cost_per_order
    return _after_tax(columns["discounted_purchases"] * per_purchase - columns["service_to_come"], taken)


def earned_value(columns: Any, taken: Assumptions) -> Any:
    """Margin so far less the costs so far, each carried from its day to the as-of date: of columns as above."""
    earned = columns["spend_carried"] * taken.margin - columns["costs_so_far"]
    if taken.costs.cost_per_order == 0:
        return _after_tax(earned, taken)  # orders are then not asked for, and need not be there
    return _after_tax(earned - columns["orders_carried"] * taken.costs.cost_per_order, taken)


def _after_tax(amount: Any, taken: Assumptions) -> Any:
    return amount * taken.costs.kept if taken.costs.tax_rate else amount


def _earned_value(customers: CustomerSummary, values: pd.DataFrame, taken: Assumptions) -> pd.Series:
    """Earned value, missing where the summary carries no past."""
    if customers.annual_discount_rate is None:
        return pd.Series(np.nan, index=values.index)
    if not np.isclose(customers.annual_discount_rate, taken.annual_discount_rate, rtol=1e-12, atol=1e-15):
        raise SettingsError(
            f"the customer summary carries past spend at {customers.annual_discount_rate:.4%} a year, the valuation "
            f"uses {taken.annual_discount_rate:.4%}; summarise with "
            f"annual_discount_rate={taken.annual_discount_rate}."
        )
    return earned_value(customers.frame.assign(costs_so_far=values["costs_so_far"]), taken)


def _costs_so_far(customers: CustomerSummary, alive: pd.Series, taken: Assumptions) -> pd.Series:
    """Acquisition and service so far, carried to the as-of date."""
    frame, costs, rate = customers.frame, taken.costs, taken.continuous_rate
    acquisition = costs.acquisition_cost * np.exp(rate * frame["T"])
    # A customer who left did so right after the last purchase (the story of the model), and cost nothing from then on.
    silence = frame["T"] - frame["recency"]
    served = _carried_annuity(rate, frame["recency"]) * np.exp(rate * silence) + alive * _carried_annuity(rate, silence)
    return acquisition + costs.cost_to_serve_per_year / units_per_year(taken.time_unit) * served


def _carried_annuity(rate: float, length: pd.Series) -> pd.Series:
    """One per unit of time for `length`, carried to its end: (e^(rate length) - 1) / rate."""
    return np.expm1(rate * length) / rate if rate > 0 else length
