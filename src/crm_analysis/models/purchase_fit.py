"""What the fits of all purchase models answer: when, how often, still there; for a whole `CustomerSummary`."""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models.fit import Fit
from crm_analysis.models.histories import Floats
from crm_analysis.periods import Horizon, TimeUnit, annual_to_continuous, horizon_in_units

_FEW_REPEAT_BUYERS = 50

Params = Any  # each model has a NamedTuple of its own; its module knows which


class PurchaseModel(Protocol):
    """The pure functions that every purchase-model module has; a module is a value of this type."""

    def probability_alive(self, params: Params, frequency: Floats, recency: Floats, T: Floats) -> Floats:
        """Chance to be a customer still."""
        ...

    def expected_purchases(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, horizon: float
    ) -> Floats:
        """Purchases to come in `horizon`."""
        ...

    def expected_purchases_new_customer(self, params: Params, horizon: Floats | float) -> Floats:
        """Purchases of a new customer by `horizon`."""
        ...

    def discounted_residual_purchases(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None
    ) -> Floats:
        """Purchases to come, in today's worth."""
        ...

    def discounted_residual_lifetime(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None
    ) -> Floats:
        """Time as a customer to come, in today's worth."""
        ...

    def simulate_future(
        self,
        params: Params,
        frequency: Floats,
        recency: Floats,
        T: Floats,
        horizon: float,
        rng: np.random.Generator,
    ) -> pd.DataFrame:
        """One possible future."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class PurchaseFit(Fit):
    """A fitted purchase model. Its methods take any `CustomerSummary` in the time unit of the fit."""

    model: ClassVar[PurchaseModel]

    time_unit: TimeUnit

    def probability_alive(self, customers: CustomerSummary) -> pd.Series:
        """Probability that each customer is still a customer on the summary's as-of date."""
        values = self.model.probability_alive(self.params, *self._history(customers))
        return _series(customers, "probability_alive", values)

    def expected_purchases(self, customers: CustomerSummary, *, horizon: Horizon) -> pd.Series:
        """Expected repeat purchases of each customer in the next `horizon` (a number in the time unit, or text)."""
        values = self.model.expected_purchases(self.params, *self._history(customers), self._length(customers, horizon))
        return _series(customers, "expected_purchases", values)

    def expected_purchases_new_customer(self, horizon: Horizon | Floats) -> Floats:
        """Expected repeat purchases of a new customer in the `horizon` after the first purchase."""
        if isinstance(horizon, str):
            horizon = horizon_in_units(horizon, self.time_unit)
        return self.model.expected_purchases_new_customer(self.params, horizon)

    def discounted_residual_purchases(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected repeat purchases of each customer after the as-of date, in today's worth."""
        values = self.model.discounted_residual_purchases(
            self.params,
            *self._history(customers),
            annual_to_continuous(annual_discount_rate, self.time_unit),
            None if horizon is None else self._length(customers, horizon),
        )
        return _series(customers, "discounted_residual_purchases", values)

    def discounted_residual_lifetime(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected time as a customer after the as-of date, in the time unit, discounted to today."""
        values = self.model.discounted_residual_lifetime(
            self.params,
            *self._history(customers),
            annual_to_continuous(annual_discount_rate, self.time_unit),
            None if horizon is None else self._length(customers, horizon),
        )
        return _series(customers, "discounted_residual_lifetime", values)

    def simulate_future(
        self, customers: CustomerSummary, *, horizon: Horizon, rng: np.random.Generator
    ) -> pd.DataFrame:
        """One possible future: `customer` (position in the summary) and `time` of each purchase, in the time unit."""
        return self.model.simulate_future(self.params, *self._history(customers), self._length(customers, horizon), rng)

    def _history(self, customers: CustomerSummary) -> tuple[Floats, Floats, Floats]:
        if customers.time_unit != self.time_unit:
            raise SettingsError(
                f"this fit counts time in {self.time_unit}s, the customer summary in {customers.time_unit}s; "
                f"summarise with time_unit={self.time_unit!r}."
            )
        return history_arrays(customers)

    def _length(self, customers: CustomerSummary, horizon: Horizon) -> float:
        return horizon_in_units(horizon, self.time_unit, customers.as_of)


def history_arrays(customers: CustomerSummary) -> tuple[Floats, Floats, Floats]:
    """Return frequency, recency and T of a summary as arrays."""
    frame = customers.frame
    return (
        frame["frequency"].to_numpy(dtype=np.float64),
        frame["recency"].to_numpy(dtype=np.float64),
        frame["T"].to_numpy(dtype=np.float64),
    )


def require_repeat_buyers(frequency: Floats, counts: Floats) -> None:
    """Refuse a base without repeat purchases; warn where there are too few to learn from."""
    repeat_buyers = counts[frequency > 0].sum()
    if repeat_buyers == 0:
        raise DataError(
            "customer summary: no customer has a repeat purchase, so there is nothing to learn purchase rates and "
            "dropout from.\n"
            "To fix: give a longer log, or check that the customer ids are those of people, not of orders."
        )
    if repeat_buyers < _FEW_REPEAT_BUYERS:
        warnings.warn(
            f"only {repeat_buyers:,.0f} customers have a repeat purchase; estimates from fewer than "
            f"{_FEW_REPEAT_BUYERS} are rough. Give a longer log, or value the base by segments you trust.",
            EstimationWarning,
            stacklevel=3,
        )


def _series(customers: CustomerSummary, name: str, values: Floats) -> pd.Series:
    return pd.Series(values, index=customers.frame.index, name=name)
