"""What customers still to be acquired are worth: first purchase, purchases after it, service; by when they join.

Months of joining are cut into pieces, and all who join in a piece are taken to join in its middle. Within a piece the
present worth is nearly a straight line in the time of joining, so that little is lost.
"""

from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.histories import Floats
from crm_analysis.periods import DAYS_PER_UNIT, months_after, units_per_year
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.lifetime_value import Assumptions, Fits


@dataclass(frozen=True, eq=False)
class Pieces:
    """Stretches of time in which customers join.

    Attributes
    ----------
    joined : array, shape (n,)
        Middle of each, in time units after the as-of date.
    month : array of int, shape (n,)
        Month after the as-of date it lies in, from 0.
    share : array, shape (n,)
        How much of that month it is.
    until : array, shape (m,)
        Ends of the stretches that are discounted together; the last is the end of the valuation.
    as_of : date or None
    """

    joined: Floats
    month: np.ndarray
    share: Floats
    until: Floats
    as_of: date | None

    @classmethod
    def of(
        cls, time_unit: str, as_of: date | None, *, until: float, joined_by: float | None = None, cut: float = 0.0
    ) -> "Pieces":
        """Cut the months up to `until`, and at `cut`; only those who join by `joined_by` are meant."""
        if not np.isfinite(until):
            raise SettingsError(
                "customers to be acquired are valued within a horizon; without one their number has no bound. Give a "
                "horizon such as '24 months', or value the current base alone."
            )
        last = until if joined_by is None else min(joined_by, until)
        ends = [0.0]
        while ends[-1] < until:
            ends.append(_end_of_month(len(ends), time_unit, as_of))
        months = np.array(ends)
        edges = np.unique(np.clip([*months, last, *([cut] if 0 < cut < last else [])], 0.0, last))
        middle = (edges[1:] + edges[:-1]) / 2
        month = np.searchsorted(months, middle) - 1
        grid = np.unique(np.clip([*months[1:], until, *([cut] if 0 < cut < until else [])], 0.0, until))
        return cls(middle, month, np.diff(edges) / np.diff(months)[month], grid, as_of)

    def number(self, of_months: Floats) -> Floats:
        """Customers who join in each piece, given those of each month (the last axis)."""
        return of_months[..., self.month] * self.share

    @property
    def months(self) -> int:
        """Months touched."""
        return int(self.month.max()) + 1 if len(self.month) else 0


def _end_of_month(number: int, time_unit: str, as_of: date | None) -> float:
    if as_of is None:
        return number * DAYS_PER_UNIT["month"] / DAYS_PER_UNIT[time_unit]
    return (months_after(as_of, number) - as_of).days / DAYS_PER_UNIT[time_unit]


class Joining(Protocol):
    """What a purchase fit knows of those who will join; see `PurchaseFit`."""

    def purchases_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected repeat purchases by some moments of those who join at others."""
        ...

    def lifetimes_of_newcomers(self, joined: Floats, until: Floats, *, as_of: date | None) -> Floats:
        """Expected time as a customer, likewise."""
        ...


def value_of_newcomers(
    purchases: Joining, spend: GammaGammaFit, given: Assumptions, pieces: Pieces, first_spend: float | None
) -> Floats:
    """Present worth of one customer who joins in each piece, before the cost of acquisition and after tax.

    Parameters
    ----------
    purchases, spend
        The models.
    given : Assumptions
        The horizon in it is not looked at: `pieces.until` ends the valuation.
    pieces : Pieces
    first_spend : float or None
        Mean amount of the first purchase; None: what the spend model expects of a new customer.

    Returns
    -------
    array, shape (n_pieces,)
        In the currency of the spend, discounted to the as-of date.
    """
    rate, costs = given.continuous_rate, given.costs
    mean = spend.population_mean
    first = mean if first_spend is None else first_spend
    starts = np.concatenate([[0.0], pieces.until[:-1]])
    # Discounted at the middle of each stretch, which for that of joining begins when they join.
    middle = (
        np.maximum(starts[:, None], np.minimum(pieces.joined[None, :], pieces.until[:, None])) + pieces.until[:, None]
    ) / 2
    present = np.exp(-rate * middle)
    bought = purchases.purchases_of_newcomers(pieces.joined, pieces.until, as_of=pieces.as_of)
    repeats = (present * np.diff(bought, axis=0, prepend=0.0)).sum(axis=0)
    worth = np.exp(-rate * pieces.joined) * (given.margin * first - costs.cost_per_order)
    worth = worth + repeats * (given.margin * mean - costs.cost_per_order)
    if costs.cost_to_serve_per_year:
        alive = purchases.lifetimes_of_newcomers(pieces.joined, pieces.until, as_of=pieces.as_of)
        served = (present * np.diff(alive, axis=0, prepend=0.0)).sum(axis=0)
        worth = worth - costs.cost_to_serve_per_year / units_per_year(given.time_unit) * served
    return worth * costs.kept


def cost_of_newcomers(given: Assumptions, pieces: Pieces) -> Floats:
    """Present worth of the acquisition cost of one customer who joins in each piece, after tax; shape (n_pieces,)."""
    return given.costs.acquisition_cost * given.costs.kept * np.exp(-given.continuous_rate * pieces.joined)


@dataclass(frozen=True)
class Potential:
    """Worth of the customers still to be acquired: `gross`, and the `cost` of acquiring them, both present worth."""

    gross: float
    cost: float

    @property
    def net(self) -> float:
        """Gross less cost."""
        return self.gross - self.cost


def potential_value(
    fits: Fits,
    acquisition: Acquisition,
    given: Assumptions,
    as_of: date | None,
    *,
    until: float,
    joined_by: float | None = None,
    months: Floats | None = None,
    cut: float = 0.0,
) -> Potential:
    """Value those who will join, up to `until` (time units after the as-of date).

    Parameters
    ----------
    fits, acquisition, given
        The models, how many join, the assumptions.
    as_of : date or None
    until : float
        End of the valuation.
    joined_by : float, optional
        Only those who join by then.
    months : array, optional
        Customers of each month, in place of those of `acquisition`.
    cut : float
        A moment at which months are cut in two, so that valuations to either side of it add up.
    """
    pieces = Pieces.of(given.time_unit, as_of, until=until, joined_by=joined_by, cut=cut)
    number = pieces.number(acquisition.of_months(pieces.months) if months is None else months)
    some = number > 0  # nobody is worth nothing, however much one would be
    gross = float(number[some] @ value_of_newcomers(*fits, given, pieces, acquisition.first_spend)[some])
    return Potential(gross, float(number @ cost_of_newcomers(given, pieces)))


def simulated_newcomers(
    fits: Fits, given: Assumptions, pieces: Pieces, first_spend: float | None, *, lives: int, rng: np.random.Generator
) -> Floats:
    """By how much what single newcomers bring differs from what is expected of them; shape (n_pieces, lives).

    Each piece has so many simulated lives: the chance in what newcomers do, service cost at its expectation.
    """
    rate, costs = given.continuous_rate, given.costs
    number = len(pieces.joined)
    left = np.repeat(pieces.until[-1] - pieces.joined, lives)
    events = fits.purchases.simulate(left, rng)
    who = np.concatenate([np.arange(number * lives), events["customer"].to_numpy()])
    when = np.concatenate([np.zeros(number * lives), events["time"].to_numpy()])
    nobody = pd.DataFrame(
        {"frequency": 0, "recency": 0.0, "T": 0.0, "monetary_value": np.nan}, index=range(number * lives)
    )
    paid = fits.spend.simulate_spend(CustomerSummary(nobody, fits.purchases.time_unit), who, rng)
    mean = fits.spend.population_mean
    if first_spend is not None:
        paid = np.where(np.arange(len(paid)) < number * lives, paid * (first_spend / mean), paid)
    joined = np.repeat(pieces.joined, lives)[who]
    brought = np.exp(-rate * (joined + when)) * (given.margin * paid - costs.cost_per_order) * costs.kept
    lived = np.bincount(who, weights=brought, minlength=number * lives).reshape(number, lives)
    return np.asarray(lived - lived.mean(axis=1, keepdims=True), dtype=np.float64)
