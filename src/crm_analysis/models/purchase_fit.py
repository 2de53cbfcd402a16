"""What the fits of all purchase models answer: when, how often, still there; for a whole `CustomerSummary`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.models.fit import EffectRequest, Fit, Params
from crm_analysis.models.histories import Distinct, Floats, distinct_rows
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, annual_to_continuous, horizon_in_units

_FEW_REPEAT_BUYERS = 50


class PurchaseModel(Protocol):
    """The pure functions that every purchase-model module has; a module is a value of this type.

    Everywhere `params` is the model's NamedTuple, its elements numbers or arrays with one element a customer;
    `frequency` (repeat purchases, count), `recency` (first to last purchase) and `T` (first purchase to the end of
    observation) are arrays of shape (n_customers,), the latter two in the time unit of the parameters; results have
    that shape. No function checks its arrays: `CustomerSummary` does, before a fit sees them.
    """

    def log_likelihood_and_score(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats
    ) -> tuple[Floats, Floats]:
        """Log-likelihood of each history, and its gradient in the estimated parameters, shape (n_customers, k).

        Unscaled; the factor t_x^(x-1) / Gamma(x), free of parameters, is left out as in the papers.
        """
        ...

    def starting_values(self, purchase_rate: float) -> Sequence[tuple[float, ...]]:
        """Where to begin the search, given purchases per customer and unit of time."""
        ...

    def probability_alive(self, params: Params, frequency: Floats, recency: Floats, T: Floats) -> Floats:
        """Chance to be a customer still at the end of observation."""
        ...

    def expected_purchases(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, horizon: float
    ) -> Floats:
        """Expected purchases in the next `horizon` (same time unit, >= 0), given the history."""
        ...

    def expected_purchases_new_customer(self, params: Params, horizon: Floats | float) -> Floats:
        """Expected repeat purchases of a new customer in the `horizon` after the first purchase; shape of `horizon`."""
        ...

    def probability_of_purchases(self, params: Params, n: Floats | int, t: Floats | float) -> Floats:
        """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first; broadcast."""
        ...

    def probability_of_future_purchases(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
    ) -> Floats:
        """Probability of exactly `n` purchases in the next `horizon`, given the history; `n` broadcasts with it."""
        ...

    def discounted_residual_purchases(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None
    ) -> Floats:
        """Purchases to come, discounted at the continuous `rate` per time unit; `horizon` None for all of the future.

        Infinite where the expected number has no bound.
        """
        ...

    def discounted_residual_lifetime(
        self, params: Params, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None
    ) -> Floats:
        """Time as a customer to come, in the time unit, discounted like the purchases: what service is paid for."""
        ...

    def simulate(self, params: Params, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
        """Repeat purchases of new customers observed for `T`: `customer` (position) and `time` since the first."""
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
        """One possible future: `customer` (position) and `time` since the end of observation, in no order."""
        ...


@dataclass(frozen=True, eq=False, kw_only=True)
class PurchaseFit(Fit):
    """A fitted purchase model. Its methods take any `CustomerSummary` in the time unit of the fit."""

    model: ClassVar[PurchaseModel]

    time_unit: TimeUnit

    @classmethod
    def estimate(
        cls,
        customers: CustomerSummary,
        *,
        weights: pd.Series | Floats | None = None,
        effects: Sequence[EffectRequest] = (),
        penalty: float = 0.0,
    ) -> Self:
        """Fit the model; the public fit functions say what the parameters mean."""

        def starts(columns: tuple[Floats, ...], counts: Floats) -> Sequence[tuple[float, ...]]:
            frequency, T = columns[0], columns[2]
            require_repeat_buyers(frequency, counts)
            return cls.model.starting_values(float(counts @ frequency / (counts @ T)))

        ones = (1.0,) * len(cls.params_type._fields)  # type: ignore[attr-defined]  # a NamedTuple class
        template = cls.from_params(ones, time_unit=customers.time_unit)
        return template.estimated(starts, customers, weights=weights, effects=effects, penalty=penalty)

    def data(self, customers: CustomerSummary) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
        """Return frequency, recency and T of all customers."""
        return self._history(customers), np.ones(len(customers), dtype=bool)

    def log_likelihood_and_score(self, params: Params, *columns: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each history and its gradient in the parameters."""
        return self.model.log_likelihood_and_score(params, *columns)

    def probability_alive(self, customers: CustomerSummary) -> pd.Series:
        """Probability that each customer is still a customer on the summary's as-of date."""
        values = self.model.probability_alive(self.params_of(customers), *self._history(customers))
        return _series(customers, "probability_alive", values)

    def expected_purchases(self, customers: CustomerSummary, *, horizon: Horizon) -> pd.Series:
        """Expected repeat purchases of each customer in the next `horizon` (a number in the time unit, or text)."""
        values = self.model.expected_purchases(
            self.params_of(customers), *self._history(customers), self._length(customers, horizon)
        )
        return _series(customers, "expected_purchases", values)

    def expected_purchases_new_customer(
        self, horizon: Horizon | Floats, *, covariates: CustomerSummary | None = None
    ) -> Floats:
        """Expected repeat purchases of a new customer in the `horizon` after the first purchase.

        Parameters
        ----------
        horizon : float, str or array
            In the time unit of the fit, or text.
        covariates : CustomerSummary, optional
            Customers whose covariates the new ones share, one result each; needed where the fit has covariates.
        """
        if isinstance(horizon, str):
            horizon = horizon_in_units(horizon, self.time_unit)
        if self.effects and covariates is None:
            raise SettingsError(
                "this fit has covariates, so a new customer needs some: give `covariates`, a summary of customers of "
                "the kind meant."
            )
        params = self.params if covariates is None else self.params_of(covariates)
        return self.model.expected_purchases_new_customer(params, horizon)

    def expected_repeat_curve(self, first_days: pd.DatetimeIndex, newcomers: Floats, ends: pd.DatetimeIndex) -> Floats:
        """Expected repeat purchases by the end of some days of all who first bought on others, their histories unseen.

        Parameters
        ----------
        first_days : DatetimeIndex, length n
            Days of first purchases.
        newcomers : array, shape (n,)
            Customers who first bought on each.
        ends : DatetimeIndex, length m

        Returns
        -------
        array, shape (m,)
        """
        days = (ends.to_numpy()[:, None] - first_days.to_numpy()[None, :]) / np.timedelta64(1, "D")
        return self.expected_purchases_new_customer(np.maximum(days, 0) / DAYS_PER_UNIT[self.time_unit]) @ newcomers

    @property
    def sources_of_doubt(self) -> tuple[str, ...]:
        """What the draws of this fit contain, for intervals to say."""
        return ("parameters",)

    def purchase_distribution(self, customers: CustomerSummary, *, horizon: Horizon, most: int = 10) -> pd.DataFrame:
        """Probability that each customer makes 0, 1, ... `most` purchases in the next `horizon`.

        Returns
        -------
        DataFrame, indexed by customer_id, one column a number of purchases
            Rows add up to 1 less the chance of more than `most`.
        """
        length = self._length(customers, horizon)
        n = np.arange(most + 1.0)[:, None]
        params, past = self.params_of(customers), self._history(customers)
        table = self.model.probability_of_future_purchases(params, *past, n, length)
        return pd.DataFrame(table.T, index=customers.frame.index, columns=pd.RangeIndex(most + 1, name="purchases"))

    def probability_of_outcome(
        self, customers: CustomerSummary, purchases: pd.Series, *, horizon: Horizon
    ) -> pd.DataFrame:
        """What the fit said beforehand of what each customer then did: for scores and calibration.

        Parameters
        ----------
        customers : CustomerSummary
            As they stood at the beginning.
        purchases : Series, indexed by customer_id
            Purchases each of them made in the `horizon` after it (counts).

        Returns
        -------
        DataFrame, indexed by customer_id
            `below` and `equal`: probability of fewer and of exactly as many purchases.
        """
        counts = purchases.reindex(customers.frame.index).to_numpy(dtype=np.float64)
        params = self.params_of(customers)
        moved = {name: value for name, value in params._asdict().items() if np.ndim(value)}
        rows = distinct_rows(*self._history(customers), counts, *moved.values())
        x, t_x, T, made, *own = rows.columns
        # For each distinct row every number of purchases up to the one made.
        length = made.astype(np.int64) + 1
        start = np.concatenate([[0], np.cumsum(length)[:-1]])
        n = np.arange(length.sum()) - np.repeat(start, length)
        repeated = {name: np.repeat(column, length) for name, column in zip(moved, own, strict=True)}
        probability = self.model.probability_of_future_purchases(
            params._replace(**repeated),
            np.repeat(x, length),
            np.repeat(t_x, length),
            np.repeat(T, length),
            n.astype(float),
            self._length(customers, horizon),
        )
        equal = probability[start + length - 1]
        below = np.add.reduceat(probability, start) - equal
        table = pd.DataFrame({"below": below, "equal": equal}).iloc[rows.inverse]
        return table.set_index(customers.frame.index)

    def discounted_residual_purchases(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected repeat purchases of each customer after the as-of date, in today's worth."""
        values = self.model.discounted_residual_purchases(
            self.params_of(customers),
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
            self.params_of(customers),
            *self._history(customers),
            annual_to_continuous(annual_discount_rate, self.time_unit),
            None if horizon is None else self._length(customers, horizon),
        )
        return _series(customers, "discounted_residual_lifetime", values)

    def simulate_future(
        self, customers: CustomerSummary, *, horizon: Horizon, rng: np.random.Generator
    ) -> pd.DataFrame:
        """One possible future: `customer` (position in the summary) and `time` of each purchase, in the time unit."""
        params, past = self.params_of(customers), self._history(customers)
        return self.model.simulate_future(params, *past, self._length(customers, horizon), rng)

    def distinct(self, customers: CustomerSummary) -> tuple[CustomerSummary, Distinct]:
        """Return one customer of each kind, by history and covariates, and how all customers fold into these.

        Whatever the methods here say of one of them holds for all of the kind, so it is computed once.
        """
        rows = self._distinct(self.params_of(customers), self._history(customers))
        return dataclasses.replace(customers, frame=customers.frame.iloc[rows.first]), rows

    def _distinct(self, params: Params, history: tuple[Floats, ...]) -> Distinct:
        moved = [np.asarray(value, float) for value in params if np.ndim(value)]
        return distinct_rows(*history, *moved)

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
        warn_of_doubt(
            f"only {repeat_buyers:,.0f} customers have a repeat purchase; estimates from fewer than "
            f"{_FEW_REPEAT_BUYERS} are rough. Give a longer log, or value the base by segments you trust."
        )


def _series(customers: CustomerSummary, name: str, values: Floats) -> pd.Series:
    return pd.Series(values, index=customers.frame.index, name=name)
