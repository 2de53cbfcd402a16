"""BG/CNBD-k in the clock of the shop: regular buyers of a real shop, whose log began after its customers did.

Two things keep the log of a running shop from being a textbook's. Its year has seasons, which look like customers
coming and going; so time is measured by the shop's own flow of orders (`OrderClock`). And those seen in the first weeks
are the shop's old customers, who buy more often than newcomers; so they have purchase rates of their own, alpha exp(-c)
and r exp(d). The rest is the BG/CNBD-k, with the forecast of `steady_cnbd`.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, timedelta
from typing import Any, ClassVar, NamedTuple, Self, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crm_analysis.data.customer_summary import TABLE
from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError, Violation, refuse
from crm_analysis.models import steady_cnbd
from crm_analysis.models.checks import case_weights, require_summary
from crm_analysis.models.cnbd import CNBDFit, CNBDParams, fit_by_regularity
from crm_analysis.models.fit import EffectRequest, Params
from crm_analysis.models.histories import Distinct, Floats
from crm_analysis.models.purchase_fit import PurchaseModel
from crm_analysis.periods import Horizon, annual_to_continuous, horizon_in_units, units_per_year

FIRST_WINDOW = "first_window"
_DAYS_OF_THE_FIRST_WINDOW = 31
_DATES = ("first_purchase", "last_purchase")
_DAYS_OF_THE_CLOCK = ("first_day", "last_day")
# Purchases are added up in stretches and discounted at their middle, which errs by about (rate * stretch)^2 / 24: less
# than 1e-4 with the months of the first years and the years of the little that is left after them.
_YEARS_BY_MONTH = 5
_FARTHEST_YEARS = 50


@dataclass(frozen=True, eq=False, kw_only=True)
class ClockedFit(CNBDFit):
    """A BG/CNBD-k in the clock of a shop. Its methods take summaries by the calendar, with their dates.

    Its log-likelihood is that of times by the clock: it compares k and first window in one clock, not two clocks, nor
    with a fit by the calendar.

    Attributes
    ----------
    clock : OrderClock
    speed : float
        How fast the clock runs after the as-of date beside what the flow of the past says; not 1 where forecasts made
        earlier inside the log came out too high or too low by some share (see `value.level`).
    speed_error : float
        Standard deviation of the log of that speed, common to all customers; in every draw.
    """

    model_name: ClassVar[str] = "BG/CNBD-k in the shop's clock"
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, steady_cnbd)
    how_to_get_gaps: ClassVar[str] = (
        "take the gaps in the time of the clock: order_clock.with_gaps(transactions, customers, clock)."
    )

    clock: OrderClock
    speed: float = 1.0
    speed_error: float = 0.0

    @property
    def sources_of_doubt(self) -> tuple[str, ...]:
        """What the draws of this fit contain."""
        return ("parameters", "level and volume of the shop") if self.speed_error else ("parameters",)

    def draws(self, n: int, seed: int) -> pd.DataFrame:
        """Draw parameters as `Fit.draws` does, and with them the speed of the clock to come."""
        drawn = super().draws(n, seed)
        normal = np.random.default_rng([seed, 1]).normal(scale=self.speed_error, size=n)
        return drawn.assign(speed=self.speed * np.exp(normal))

    def with_coefficients(self, values: Sequence[float]) -> Self:
        """Return this fit with other values of `coefficients`, and of the speed where one more value is given."""
        number = len(self.coefficients)
        changed = super().with_coefficients(list(values)[:number])
        return replace(changed, speed=float(values[number])) if len(values) > number else changed

    def covariate_frame(self, customers: CustomerSummary) -> pd.DataFrame:
        """Return `first_window` of the customers: 1 for those seen in the first weeks of the log, else 0."""
        end = np.datetime64(self.clock.first_day + timedelta(days=_DAYS_OF_THE_FIRST_WINDOW))
        first, _ = _dates(customers)
        return pd.DataFrame({FIRST_WINDOW: (first < end).astype(float)}, index=customers.frame.index)

    def _history(self, customers: CustomerSummary) -> tuple[Floats, Floats, Floats]:
        """Frequency, recency and T, the latter two in the time of the clock."""
        frequency = super()._history(customers)[0]  # refuses another time unit
        as_of, days = _as_of(customers), _dates(customers)
        refuse(_late_days(customers, as_of, *days))
        first, last = (self._time(dates) for dates in days)
        now = self._time([as_of])[0]
        return frequency, last - first, now - first

    def _time(self, days: Any) -> Floats:
        """Time at the beginning of days; after the last day of the log it runs at the speed of the forecast."""
        times, known = self.clock.time(days), self.clock.time([self.clock.last_day])[0]
        return np.minimum(times, known) + self.speed * np.maximum(times - known, 0)

    def elapsed(self, times: Floats, as_of: date | None) -> Floats:
        """Return moments after the as-of date, given by the calendar, in the time of the clock."""
        if as_of is None:
            raise SettingsError("the summary has no as-of date, so the clock cannot tell which months are to come.")
        return self.speed * self.clock.lengths(as_of, times)

    def _length(self, customers: CustomerSummary, horizon: Horizon) -> float:
        as_of = _as_of(customers)
        return self.speed * self.clock.length(as_of, horizon_in_units(horizon, self.time_unit, as_of))

    def params_of_new_customers(self, covariates: CustomerSummary | None) -> Params:
        """Return the parameters of newcomers, unless some are named of whom some were seen in the first weeks."""
        return self.params if covariates is None else self.params_of(covariates)

    def simulate(self, T: CustomerSummary | Floats | Sequence[float], rng: np.random.Generator) -> pd.DataFrame:
        """Simulate new customers as if every month were an average one: seasons and level left out."""
        return super().simulate(T, rng)

    def expected_repeat_curve(self, first_days: pd.DatetimeIndex, newcomers: Floats, ends: pd.DatetimeIndex) -> Floats:
        """Expected repeat purchases by the end of some days of all who first bought on others."""
        joined, by = self.clock.time(first_days), self.clock.time(ends.where(ends >= first_days[0], first_days[0]))
        kinds = self._kinds(first_days)
        expected = self.model.expected_purchases_new_customer(kinds, np.maximum(by[:, None] - joined[None, :], 0))
        return expected @ newcomers

    def _kinds(self, first_days: pd.DatetimeIndex) -> Params:
        """Parameters of those who first bought on each of some days."""
        frame = pd.DataFrame({"first_purchase": first_days, "last_purchase": first_days})
        frame = frame.assign(frequency=0, recency=0.0, T=0.0).set_index(frame.index.astype(str))
        return self.params_of(CustomerSummary(frame, self.time_unit, self.clock.last_day))

    def discounted_residual_purchases(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected repeat purchases of each customer after the as-of date, discounted by the calendar."""
        return self._discounted(_purchases(self.model), customers, annual_discount_rate, horizon)

    def discounted_residual_lifetime(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected time as a customer after the as-of date, discounted; in the time unit, by the calendar."""
        return self._discounted(_lifetime(self.model), customers, annual_discount_rate, horizon)

    def _discounted(
        self,
        quantity: "_Quantity",
        customers: CustomerSummary,
        annual_discount_rate: float,
        horizon: Horizon | None,
    ) -> pd.Series:
        rate = annual_to_continuous(annual_discount_rate, self.time_unit)
        kinds, rows = self._kinds_of(customers)
        per_year = units_per_year(self.time_unit)
        if horizon is None and rate == 0:
            whole = quantity.discounted(*kinds, 0.0, None)
            if quantity.is_time:
                whole = whole / self.speed  # a slower clock takes longer by the calendar
        else:
            end = (
                _FARTHEST_YEARS * per_year
                if horizon is None
                else horizon_in_units(horizon, self.time_unit, customers.as_of)
            )
            ends = _stretches(end, per_year) if rate > 0 else np.array([end])
            whole, before, begin = np.zeros(len(rows.counts)), np.zeros(len(rows.counts)), 0.0
            for stop in ends:
                length = self._length(customers, float(stop))
                upto = quantity.until(*kinds, length)
                if quantity.is_time and length:
                    upto = upto * stop / length  # until then the two differ by the season alone
                whole += np.exp(-rate * (begin + stop) / 2) * (upto - before)
                before, begin = upto, stop
            if horizon is None:
                whole += self._tail(quantity, kinds, rate, end)
        return pd.Series(whole[rows.inverse], index=customers.frame.index, name=quantity.name)

    def _kinds_of(self, customers: CustomerSummary) -> tuple[tuple[Params, Floats, Floats, Floats], Distinct]:
        """Parameters and history of one customer of each kind, and how all customers fold into these."""
        params, history = self.params_of(customers), self._history(customers)
        rows = self._distinct(params, history)
        own = {name: value[rows.first] for name, value in params._asdict().items() if np.ndim(value)}
        x, t_x, T = (column[rows.first] for column in history)
        return (params._replace(**own), x, t_x, T), rows

    def _tail(
        self, quantity: "_Quantity", kinds: tuple[Params, Floats, Floats, Floats], rate: float, end: float
    ) -> Floats:
        """What comes after `end`, where the seasons of so many years have evened out: by the calendar, at one speed."""
        by_clock = rate / self.speed
        tail = quantity.discounted(*kinds, by_clock, None) - quantity.discounted(*kinds, by_clock, end * self.speed)
        return np.maximum(tail, 0.0) / (self.speed if quantity.is_time else 1.0)

    def simulate_future(
        self, customers: CustomerSummary, *, horizon: Horizon, rng: np.random.Generator
    ) -> pd.DataFrame:
        """One possible future: `customer` (position in the summary) and `time` of each purchase, by the calendar."""
        events = super().simulate_future(customers, horizon=horizon, rng=rng)
        times = self.clock.calendar(_as_of(customers), events["time"].to_numpy() / self.speed)
        return events.assign(time=np.minimum(times, horizon_in_units(horizon, self.time_unit, customers.as_of)))

    def _to_save(self) -> dict[str, Any]:
        clock = asdict(self.clock)
        return super()._to_save() | {"clock": clock | {name: clock[name].isoformat() for name in _DAYS_OF_THE_CLOCK}}

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a fit that `to_json` wrote; refuse that of another model."""
        fit = super().from_json(text)
        saved = json.loads(text)["clock"]
        days = {name: date.fromisoformat(saved[name]) for name in _DAYS_OF_THE_CLOCK}
        return replace(fit, clock=OrderClock(**saved | days | {"factors": tuple(saved["factors"])}))


class _Quantity(NamedTuple):
    """Something that adds up over the time to come.

    Attributes
    ----------
    name : str
        Of the result.
    until : callable
        Parameters, history and a length by the clock, to the quantity so far.
    discounted : callable
        Parameters, history, rate and horizon by the clock, to the quantity discounted by the clock.
    is_time : bool
        Whether it is itself time by the clock, to be turned into that of the calendar.
    """

    name: str
    until: Callable[..., Floats]
    discounted: Callable[..., Floats]
    is_time: bool


def _purchases(model: PurchaseModel) -> _Quantity:
    return _Quantity(
        "discounted_residual_purchases", model.expected_purchases, model.discounted_residual_purchases, is_time=False
    )


def _lifetime(model: PurchaseModel) -> _Quantity:
    def until(params: Params, x: Floats, t_x: Floats, T: Floats, length: float) -> Floats:
        return model.discounted_residual_lifetime(params, x, t_x, T, 0.0, length)

    return _Quantity("discounted_residual_lifetime", until, model.discounted_residual_lifetime, is_time=True)


def fit_clocked(
    customers: CustomerSummary,
    clock: OrderClock,
    *,
    k: int | None = None,
    first_window: bool = True,
    weights: pd.Series | Floats | None = None,
) -> ClockedFit:
    """Estimate a BG/CNBD-k in the clock of a shop by maximum likelihood.

    Parameters
    ----------
    customers : CustomerSummary
        With as_of, first_purchase, last_purchase, and sum_log_gap in the time of the clock (`order_clock.with_gaps`).
    clock : OrderClock
        In the time unit of the summary.
    k : int, optional
        Stages between two purchases; None for the k with the highest likelihood.
    first_window : bool
        Whether those seen in the first 31 days of the log have purchase rates of their own.
    weights : Series or array, shape (n_customers,), optional
        Case weights, >= 0.

    Returns
    -------
    ClockedFit
        Coefficient "purchase[first_window]" is c, "shape[first_window]" is d.

    Raises
    ------
    SettingsError
        When clock and summary count in different units, or the summary has no as-of date.
    DataError
        When dates or gaps are missing, gaps are not in the time of the clock, or purchases lie after the as-of date.
    """
    require_summary(customers)
    if not isinstance(clock, OrderClock):
        raise SettingsError(f"clock must be an OrderClock, not a {type(clock).__name__}; read it with order_clock.")
    if clock.time_unit != customers.time_unit:
        raise SettingsError(f"the clock counts in {clock.time_unit}s, the summary in {customers.time_unit}s.")
    names = CNBDFit.names()
    template = ClockedFit(
        params=CNBDParams(1, 1.0, 1.0, 1.0, 1.0),
        covariance=pd.DataFrame(np.nan, index=names, columns=names),
        log_likelihood=np.nan,
        number_of_customers=0,
        time_unit=customers.time_unit,
        converged=True,
        clock=clock,
    )
    case = case_weights(weights, customers.frame.index)
    seen_first = template.covariate_frame(customers)[FIRST_WINDOW]
    seen_first = seen_first if case is None else seen_first[case > 0]
    column = [FIRST_WINDOW] if first_window and 0 < seen_first.mean() < 1 else None
    effects: list[EffectRequest] = [("purchase", {"alpha": -1.0}, column), ("shape", {"r": 1.0}, column)]
    return fit_by_regularity(template, customers, k=k, weights=weights, effects=effects)


def _stretches(end: float, per_year: float) -> Floats:
    """Ends of the stretches that are discounted together: months for some years, then years."""
    months = np.arange(1, 12 * _YEARS_BY_MONTH + 1) * per_year / 12
    years = np.arange(_YEARS_BY_MONTH + 1, _FARTHEST_YEARS + 1) * per_year
    inside = np.concatenate([months, years])
    return np.append(inside[inside < end * (1 - 1e-12)], end)


def _as_of(customers: CustomerSummary) -> date:
    if customers.as_of is None:
        raise SettingsError("a fit in the shop's clock needs a summary with its as_of date.")
    return customers.as_of


def _dates(customers: CustomerSummary) -> list[NDArray[np.datetime64]]:
    """Days of the first and the last purchase."""
    absent = [name for name in _DATES if name not in customers.frame]
    fix = "make the summary with summarize_customers."
    refuse(Violation(TABLE, name, "there is no such column", 0, fix) for name in absent)
    try:
        return [customers.frame[name].to_numpy().astype("datetime64[D]") for name in _DATES]
    except (ValueError, TypeError):
        raise DataError(f"{TABLE}: {' and '.join(_DATES)} hold something else than days.\nTo fix: {fix}") from None


def _late_days(
    customers: CustomerSummary, as_of: date, first: NDArray[np.datetime64], last: NDArray[np.datetime64]
) -> Iterator[Violation]:
    """Say which customers bought when the clock cannot have seen it: after the as-of date, or on no day at all."""
    frame = customers.frame[list(_DATES)]
    for rule, broken, fix in [
        ("a day is missing", np.isnat(first) | np.isnat(last), "make the summary with summarize_customers."),
        ("the last purchase is before the first", last < first, "check which date is which."),
        (
            f"the last purchase is after the as-of date {as_of}",
            last > np.datetime64(as_of),
            "give the as-of date of the summary, or make it again with summarize_customers(..., as_of=...).",
        ),
    ]:
        if broken.any():
            yield Violation(TABLE, "", rule, int(broken.sum()), fix, frame[broken].head(5))
