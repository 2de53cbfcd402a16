"""What the fits of all purchase models answer: when, how often, still there; for a whole `CustomerSummary`."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.models.checks import (
    check_generator,
    check_whole,
    counted_purchases,
    lengths_of_time,
    require_summary,
)
from crm_analysis.models.fit import EffectRequest, Fit, Params
from crm_analysis.models.histories import Distinct, Floats, distinct_rows
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, TimeUnit, annual_to_continuous, horizon_in_units

_FEW_REPEAT_BUYERS = 50
_POINTS_OF_A_LIFE = 17


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
    carries_time: ClassVar[bool] = True

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
        require_summary(customers)

        def starts(columns: tuple[Floats, ...], counts: Floats) -> Sequence[tuple[float, ...]]:
            frequency, T = columns[0], columns[2]
            require_repeat_buyers(frequency, counts)
            require_time(T, counts)
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
            In the time unit of the fit, >= 0, or text.
        covariates : CustomerSummary, optional
            Customers whose covariates the new ones share, one result each; needed where the fit has covariates. Several
            customers go with one horizon, several horizons with one customer.

        Returns
        -------
        array
            Purchases >= 0, one for each horizon or for each customer.

        Raises
        ------
        SettingsError
            For a horizon that is negative, infinite or no number, several horizons with several customers, or missing
            covariates.
        """
        lengths = self._lengths(horizon)
        if np.ndim(lengths) and covariates is not None and len(covariates) != 1:
            raise SettingsError(
                f"{np.size(lengths):,} horizons with {len(covariates):,} customers: give one customer, or one horizon "
                "at a time."
            )
        return self.model.expected_purchases_new_customer(self.params_of_new_customers(covariates), lengths)

    def params_of_new_customers(self, covariates: CustomerSummary | None) -> Params:
        """Return the parameters of new customers with the covariates of others; refuse none where some are needed."""
        if covariates is not None:
            return self.params_of(covariates)
        if self.effects:
            raise SettingsError(
                "this fit has covariates, so a new customer needs some: give a summary of customers of the kind meant."
            )
        return self.params

    def purchase_distribution_new_customer(
        self, horizon: Horizon, *, most: int = 10, covariates: CustomerSummary | None = None
    ) -> pd.Series | pd.DataFrame:
        """Probability that a new customer makes 0, 1, ... `most` repeat purchases in the `horizon` after the first.

        Parameters
        ----------
        horizon : float or str
            In the time unit of the fit, >= 0, or text.
        most : int
            Largest number of purchases, >= 0.
        covariates : CustomerSummary, optional
            Customers whose covariates the new ones share; needed where the fit has covariates.

        Returns
        -------
        Series, indexed by purchases; with `covariates` a DataFrame, indexed by customer_id, one column a number
            The probabilities add up to 1 less the chance of more than `most`.

        Raises
        ------
        SettingsError
            For a horizon that is negative, infinite or no number, a `most` that is no count, or missing covariates.
        """
        length = self._lengths(horizon)
        if np.ndim(length):
            raise SettingsError(f"horizon is {horizon!r}; give one length, such as 52 or '24 months'.")
        counts = _counts_up_to(most)
        params = self.params_of_new_customers(covariates)
        table = self.model.probability_of_purchases(params, counts.to_numpy(dtype=np.float64)[:, None], length)
        if covariates is None:
            return pd.Series(table[:, 0], index=counts, name="probability")
        everybody = np.broadcast_to(table, (len(counts), len(covariates)))
        return pd.DataFrame(everybody.T, index=covariates.frame.index, columns=counts)

    def simulate(self, T: CustomerSummary | Floats | Sequence[float], rng: np.random.Generator) -> pd.DataFrame:
        """Simulate the repeat purchases of new customers.

        Parameters
        ----------
        T : array, shape (n_customers,), or CustomerSummary
            How long each is observed after the first purchase, in the time unit of the fit, >= 0. A summary gives the T
            of its customers, and their covariates where the fit has some; their purchases play no part.
        rng : Generator
            Source of randomness.

        Returns
        -------
        DataFrame
            One row a repeat purchase: `customer` (position in `T`) and `time` since the first purchase, sorted.
            `histories.histories(events, T)` makes frequency, recency and T of it.

        Raises
        ------
        SettingsError
            For a T that is no length, a summary in another time unit, missing covariates, or an `rng` that is none.
        """
        check_generator(rng)
        if isinstance(T, CustomerSummary):
            self._check_unit(T)
            return self.model.simulate(self.params_of(T), T.frame["T"].to_numpy(dtype=np.float64), rng)
        observed = lengths_of_time(T, "T")
        if observed.ndim != 1:
            raise SettingsError("T must be one length for each new customer, or a CustomerSummary.")
        return self.model.simulate(self.params_of_new_customers(None), observed, rng)

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

    def elapsed(self, times: Floats, as_of: date | None) -> Floats:
        """Return moments after the as-of date, in the time unit, as the model counts time: here, as they are."""
        return times

    def purchases_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected repeat purchases by some moments of customers who first buy at others, all of them to come.

        Parameters
        ----------
        joined : array, shape (n,)
            When they first buy: time units after the as-of date, >= 0.
        until : array, shape (m,)
            Likewise; before somebody joins nothing is bought.
        as_of : date or None
            What the moments are counted from; only a model in the clock of a shop wants it.

        Returns
        -------
        array, shape (m, n)
            Purchases so far of one of those who join at each moment, >= 0.
        """
        lengths = self._since_joining(joined, until, as_of)
        distinct, place = np.unique(lengths, return_inverse=True)
        params = self.params_of_new_customers(None)
        return self.model.expected_purchases_new_customer(params, distinct)[place].reshape(lengths.shape)

    def lifetimes_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected time as a customer by some moments, as `purchases_of_newcomers`; in the time unit, shape (m, n)."""
        lengths = self._since_joining(joined, until, as_of)
        longest, params, nobody = float(lengths.max()), self.params_of_new_customers(None), np.zeros(1)
        if not longest:
            return lengths
        # The curve is smooth and flattens, so that a few points tell all of it to a few parts in ten thousand.
        points = longest * np.linspace(0, 1, _POINTS_OF_A_LIFE) ** 2
        curve = [0.0] + [
            float(self.model.discounted_residual_lifetime(params, nobody, nobody, nobody, 0.0, float(point))[0])
            for point in points[1:]
        ]
        by_model = np.asarray(PchipInterpolator(points, curve)(lengths))
        # What a stretch holds by the model's time it holds by the calendar's in the proportion of the two.
        steps = np.diff(until, prepend=0.0)
        paces = np.diff(self.elapsed(until, as_of), prepend=0.0)
        proportion = np.divide(steps, paces, out=np.ones_like(steps), where=paces > 0)
        return np.cumsum(np.diff(by_model, axis=0, prepend=0.0) * proportion[:, None], axis=0)

    def _since_joining(self, joined: Floats, until: Floats, as_of: date | None) -> Floats:
        joins, ends = self.elapsed(joined, as_of), self.elapsed(until, as_of)
        return np.maximum(ends[:, None] - joins[None, :], 0.0)

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
        counts = _counts_up_to(most)
        params, past = self.params_of(customers), self._history(customers)
        n = counts.to_numpy(dtype=np.float64)[:, None]
        table = self.model.probability_of_future_purchases(params, *past, n, self._length(customers, horizon))
        return pd.DataFrame(table.T, index=customers.frame.index, columns=counts)

    def probability_of_outcome(
        self, customers: CustomerSummary, purchases: pd.Series, *, horizon: Horizon
    ) -> pd.DataFrame:
        """What the fit said beforehand of what each customer then did: for scores and calibration.

        Parameters
        ----------
        customers : CustomerSummary
            As they stood at the beginning.
        purchases : Series, indexed by customer_id
            Purchases each of them made in the `horizon` after it (counts); other customers in it are left out.

        Returns
        -------
        DataFrame, indexed by customer_id
            `below` and `equal`: probability of fewer and of exactly as many purchases.

        Raises
        ------
        DataError
            For customers without a count, and counts that are none.
        """
        params = self.params_of(customers)
        counts = counted_purchases(purchases, customers.frame.index)
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
        check_generator(rng)
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
        self._check_unit(customers)
        return history_arrays(customers)

    def _check_unit(self, customers: CustomerSummary) -> None:
        if customers.time_unit != self.time_unit:
            raise SettingsError(
                f"this fit counts time in {self.time_unit}s, the customer summary in {customers.time_unit}s; "
                f"summarise with time_unit={self.time_unit!r}."
            )

    def _length(self, customers: CustomerSummary, horizon: Horizon) -> float:
        return horizon_in_units(horizon, self.time_unit, customers.as_of)

    def _lengths(self, horizon: Horizon | Floats) -> Floats | float:
        """Return horizons of new customers, of whom no as-of date is known, in the time unit; 0 is one too."""
        if isinstance(horizon, str):
            return horizon_in_units(horizon, self.time_unit)
        lengths = lengths_of_time(horizon, "horizon")
        return lengths if lengths.ndim else float(lengths)


def history_arrays(customers: CustomerSummary) -> tuple[Floats, Floats, Floats]:
    """Return frequency, recency and T of a summary as arrays."""
    frame = customers.frame
    return (
        frame["frequency"].to_numpy(dtype=np.float64),
        frame["recency"].to_numpy(dtype=np.float64),
        frame["T"].to_numpy(dtype=np.float64),
    )


def require_time(T: Floats, counts: Floats) -> None:
    """Refuse a base that was watched for no time at all."""
    if not counts @ T > 0:
        raise DataError(
            "customer summary: T is 0 for everybody, so there is no time in which to learn purchase rates.\n"
            "To fix: measure T from the first purchase to the as-of date, and give a longer log."
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


def _counts_up_to(most: int) -> pd.RangeIndex:
    check_whole("most", most, least=0)
    return pd.RangeIndex(most + 1, name="purchases")
