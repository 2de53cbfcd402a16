"""Joint draws of customer equity: parameters, how many join, and what customers happen to do, together."""

import numpy as np
import pandas as pd

from crm_analysis.models.histories import Floats
from crm_analysis.periods import units_per_year
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.draws import drawn_fits, knows_its_doubt
from crm_analysis.value.lifetime_value import Assumptions, CustomerValues, Fits
from crm_analysis.value.potential import Pieces, cost_of_newcomers, simulated_newcomers, value_of_newcomers

# Without a horizon purchases are simulated until a unit of money is discounted to this much.
_FARTHEST = 1e-4
# So many simulated lives of newcomers stand for all; from so many newcomers on their chance adds up to a normal one.
_LIVES, _MANY = 1_000, 2_000

DRAWN = ("expected", "outcome", "current_expected", "current_outcome")


def draw_equity(values: CustomerValues, acquisition: Acquisition | None, *, draws: int, seed: int) -> pd.DataFrame:
    """Value the base, and those who will join, under drawn parameters, and let everybody live one future under them.

    Returns
    -------
    DataFrame, one row a draw, columns `DRAWN`
        expected, outcome: total equity expected under the drawn parameters and level of acquisition, and that of one
        future under them; current_expected, current_outcome: the same of the current base alone.
    """
    drawn = zip(
        drawn_fits(values.fits.purchases, draws, seed), drawn_fits(values.fits.spend, draws, seed + 1), strict=True
    )
    rng = np.random.default_rng(seed + 2)
    base = _Base(values)
    fits = [Fits(purchases, spend) for purchases, spend in drawn]
    rows = [_one_draw(one, base, values.assumptions, rng) for one in fits]
    current = _of_the_base(pd.DataFrame(rows, columns=["expected", "outcome"]), values, rng)
    future = 0 * current if acquisition is None else _of_newcomers(fits, values, acquisition, rng)
    return pd.DataFrame(
        {
            "expected": current["expected"] + future["expected"],
            "outcome": current["outcome"] + future["outcome"],
            "current_expected": current["expected"],
            "current_outcome": current["outcome"],
        }
    )


# --- customers who are there ------------------------------------------------------------------------------------


class _Base:
    """The customers of a valuation, and one of each kind, on which expectations are computed once."""

    def __init__(self, values: CustomerValues) -> None:
        self.customers, self.relative_margin = values.customers, values.relative_margin
        self.distinct, rows = values.fits.purchases.distinct(values.customers)
        self.inverse, self.counts = rows.inverse, rows.counts

    def sum_by_history(self, amounts: pd.Series) -> Floats:
        """Sum an amount per customer over the customers that share a history."""
        amount = amounts.to_numpy(dtype=np.float64)
        return np.bincount(self.inverse, weights=amount, minlength=len(self.counts)).astype(np.float64)


def _one_draw(fits: Fits, base: _Base, given: Assumptions, rng: np.random.Generator) -> tuple[float, float]:
    """Expected equity under the drawn parameters, and the equity of one future under them."""
    rate, length = given.annual_discount_rate, given.horizon_in_units
    discounted = fits.purchases.discounted_residual_purchases(
        base.distinct, annual_discount_rate=rate, horizon=length
    ).to_numpy()
    spend = base.sum_by_history(fits.spend.expected_spend(base.customers) * base.relative_margin)
    service = 0.0
    if given.costs.cost_to_serve_per_year:
        lifetime = fits.purchases.discounted_residual_lifetime(
            base.distinct, annual_discount_rate=rate, horizon=length
        ).to_numpy()
        service = given.costs.cost_to_serve_per_year / units_per_year(given.time_unit) * float(lifetime @ base.counts)
    expected = float(discounted @ (given.margin * spend - given.costs.cost_per_order * base.counts)) - service

    horizon = given.horizon_in_units or -np.log(_FARTHEST) / given.continuous_rate
    future = fits.purchases.simulate_future(base.customers, horizon=horizon, rng=rng)
    who = future["customer"].to_numpy()
    paid = fits.spend.simulate_spend(base.customers, who, rng) * base.relative_margin.to_numpy()[who]
    present = np.exp(-given.continuous_rate * future["time"].to_numpy())
    outcome = float(present @ (given.margin * paid - given.costs.cost_per_order)) - service
    return expected * given.costs.kept, outcome * given.costs.kept


def _of_the_base(simulated: pd.DataFrame, values: CustomerValues, rng: np.random.Generator) -> pd.DataFrame:
    """Scale the draws of a sample of customers up to the base; those of a whole base are returned as they are."""
    stands_for = values.customers.stands_for
    if stands_for == 1:
        return simulated
    chance = (simulated["outcome"] - simulated["expected"]) * np.sqrt(stands_for)
    pull = simulated["expected"] - simulated["expected"].mean()
    if knows_its_doubt(values.fits.purchases) and pull.std() > 0:
        pull = pull / pull.std()
    else:
        pull = pd.Series(rng.normal(size=len(simulated)))
    expected = simulated["expected"] * stands_for + pull * values.sampling_error
    return pd.DataFrame({"expected": expected, "outcome": expected + chance})


# --- customers who will join ------------------------------------------------------------------------------------


def _of_newcomers(
    drawn: list[Fits], values: CustomerValues, acquisition: Acquisition, rng: np.random.Generator
) -> pd.DataFrame:
    """Worth of those who join less what acquiring them costs: expected in each draw, and in one future of it."""
    given, as_of = values.assumptions, values.customers.as_of
    assert given.horizon_in_units is not None  # checked before
    pieces = Pieces.of(given.time_unit, as_of, until=given.horizon_in_units)
    level = acquisition.draw_levels(len(drawn), rng)
    expected_number = level[:, None] * pieces.number(acquisition.of_months(pieces.months))[None, :]
    # Of the month in which the horizon ends only those are in it who come early enough.
    drawn_months = acquisition.draw(pieces.months, level, rng).astype(np.int64)
    number = rng.binomial(drawn_months[:, pieces.month], np.minimum(pieces.share, 1.0)).astype(np.float64)
    each = np.array([value_of_newcomers(*one, given, pieces, acquisition.first_spend) for one in drawn])
    each = each - cost_of_newcomers(given, pieces)
    lives = simulated_newcomers(values.fits, given, pieces, acquisition.first_spend, lives=_LIVES, rng=rng)
    chance = np.zeros(len(drawn))
    for piece, of_one in enumerate(lives):
        chance += _sum_of_lives(of_one, number[:, piece].astype(np.int64), rng)
    # Nobody is worth nothing, however much one would be: a drawn mean spend may be infinite.
    sums = [
        np.where(many > 0, many * np.where(many > 0, each, 0.0), 0.0).sum(axis=1) for many in (expected_number, number)
    ]
    return pd.DataFrame({"expected": sums[0], "outcome": sums[1] + chance})


def _sum_of_lives(lives: Floats, numbers: np.ndarray, rng: np.random.Generator) -> Floats:
    """Sum as many lives as there are newcomers in each draw, taken at random; of very many the normal sum."""
    sums = rng.normal(size=len(numbers)) * lives.std() * np.sqrt(numbers)
    for draw in np.flatnonzero(numbers <= _MANY):
        sums[draw] = lives[rng.integers(len(lives), size=numbers[draw])].sum()
    return np.asarray(sums, dtype=np.float64)
