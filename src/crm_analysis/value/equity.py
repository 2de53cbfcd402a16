"""Customer equity: what the customer base is worth, with an interval that says what it contains.

The current base is valued here: the sum of residual values within the planning horizon. Customers still to be
acquired are not valued without an acquisition plan, and the result says so by leaving them missing.
"""

import dataclasses
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from crm_analysis.data.sources import Transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models.checks import check_level
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.histories import Floats
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import Horizon, units_per_year
from crm_analysis.value.candidates import refit
from crm_analysis.value.draws import doubts, drawn_fits, knows_its_doubt
from crm_analysis.value.interval import INDIVIDUALS, SAMPLING, Interval
from crm_analysis.value.lifetime_value import Assumptions, CustomerValues, Fits, lifetime_value

# Without a horizon purchases are simulated until a unit of money is discounted to this much.
_FARTHEST = 1e-4


@dataclass(frozen=True, eq=False)
class CustomerEquity:
    """The worth of the customer base on one date. Keeps its values, so that a later bridge can value again.

    Attributes
    ----------
    values : CustomerValues
        What each customer is worth, with fits, summary and assumptions.
    current : float
        Residual value of all current customers within the horizon, in the currency of the transactions.
    draws : DataFrame
        One row a draw: `expected` (equity under drawn parameters: doubt of estimation alone) and `outcome` (what
        the customers then happen to bring: individual randomness as well); both carry the sampling error where a sample
        of customers was valued.
    level : float
        Probability of the intervals.
    """

    values: CustomerValues
    current: float
    draws: pd.DataFrame
    level: float = 0.95

    @property
    def potential(self) -> float | None:
        """Worth of customers still to be acquired; None: not valued, because there is no acquisition plan."""
        return None

    @property
    def acquisition_cost(self) -> float | None:
        """What acquiring them costs; None as `potential`."""
        return None

    @property
    def total(self) -> float:
        """Customer equity: the current base, as long as no future customers are valued."""
        return self.current

    @property
    def interval(self) -> Interval:
        """Where the equity realised will lie, given the model: parameters and individual randomness."""
        return Interval.of_draws(
            self.draws["outcome"].to_numpy(),
            level=self.level,
            contains=(*doubts(*self.values.fits), *self._sampling, INDIVIDUALS),
        )

    @property
    def parameter_interval(self) -> Interval:
        """Where the expected equity lies: parameters and sampling; missing where a fit does not know their doubt."""
        known = doubts(*self.values.fits)
        if not known and not self._sampling:
            return Interval(np.nan, np.nan, self.level, ())
        return Interval.of_draws(
            self.draws["expected"].to_numpy(), level=self.level, contains=(*known, *self._sampling)
        )

    @property
    def _sampling(self) -> tuple[str, ...]:
        return (SAMPLING,) if self.values.customers.stands_for > 1 else ()

    def save(self, folder: str | Path) -> None:
        """Write the values (see `CustomerValues.save`), `draws.parquet` and `equity.json` to `folder`."""
        folder = Path(folder)
        self.values.save(folder)
        self.draws.to_parquet(folder / "draws.parquet")
        content = {"current": self.current, "level": self.level}
        (folder / "equity.json").write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "CustomerEquity":
        """Read what `save` wrote; raise `SettingsError` where there is nothing."""
        folder = Path(folder)
        if not (folder / "equity.json").is_file():
            raise SettingsError(f"{folder} holds no saved customer equity.")
        content = json.loads((folder / "equity.json").read_text(encoding="utf-8"))
        draws = pd.read_parquet(folder / "draws.parquet")
        return cls(CustomerValues.load(folder), content["current"], draws, content["level"])


def customer_equity(values: CustomerValues, *, draws: int = 1000, seed: int = 0, level: float = 0.95) -> CustomerEquity:
    """Add up the values of the current customers and say how sure the sum is.

    Parameters
    ----------
    values : CustomerValues
        From `lifetime_value`.
    draws : int
        Simulated parameter sets and futures; 1,000 place the ends of a 95% interval to about a twentieth of its width.
    seed : int
        The same seed gives the same interval.
    level : float
        Probability of the intervals.

    Returns
    -------
    CustomerEquity

    Notes
    -----
    Each draw takes parameters of both models from their sampling distribution, values the base anew, and lets every
    customer live one future under them. The doubt about the model itself is not inside: a backtest speaks of that.
    Service cost enters a future at its expectation. A sample of customers is scaled up to the base: what is expected by
    the customers each of them stands for, what chance adds to it by the square root of that, because the others have
    chances of their own. The error of the sample (see `CustomerValues.sampling_error`) is added as if it always pulled
    the way the parameters do: a sample with too many good customers has both too high. On CDNOW the two correlate by
    0.56, so that the interval is about a tenth wider than it need be.
    """
    check_level(level)
    current = values.total
    if not np.isfinite(current):
        undefined = pd.DataFrame({"expected": [current], "outcome": [current]})
        return CustomerEquity(values, current, undefined, level)
    drawn = zip(
        drawn_fits(values.fits.purchases, draws, seed), drawn_fits(values.fits.spend, draws, seed + 1), strict=True
    )
    rng = np.random.default_rng(seed + 2)
    base = _Base(values.fits.purchases, values.customers)
    rows = [_one_draw(Fits(purchases, spend), base, values.assumptions, rng) for purchases, spend in drawn]
    simulated = pd.DataFrame(rows, columns=["expected", "outcome"])
    return CustomerEquity(values, current, _of_the_base(simulated, values, rng), level)


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


class _Base:
    """The customers of a valuation, and one of each kind, on which expectations are computed once."""

    def __init__(self, fit: PurchaseFit, customers: CustomerSummary) -> None:
        self.customers = customers
        self.distinct, rows = fit.distinct(customers)
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
    spend = base.sum_by_history(fits.spend.expected_spend(base.customers))
    service = 0.0
    if given.costs.cost_to_serve_per_year:
        lifetime = fits.purchases.discounted_residual_lifetime(
            base.distinct, annual_discount_rate=rate, horizon=length
        ).to_numpy()
        service = given.costs.cost_to_serve_per_year / units_per_year(given.time_unit) * float(lifetime @ base.counts)
    expected = float(discounted @ (given.margin * spend - given.costs.cost_per_order * base.counts)) - service

    horizon = given.horizon_in_units or -np.log(_FARTHEST) / given.continuous_rate
    future = fits.purchases.simulate_future(base.customers, horizon=horizon, rng=rng)
    paid = fits.spend.simulate_spend(base.customers, future["customer"].to_numpy(), rng)
    present = np.exp(-given.continuous_rate * future["time"].to_numpy())
    outcome = float(present @ (given.margin * paid - given.costs.cost_per_order)) - service
    return expected, outcome


def equity_history(
    transactions: Transactions, *, dates: Iterable[date], like: CustomerValues, fitted_anew: bool = True
) -> pd.DataFrame:
    """Value the base on several dates, each with the log as it stood then and the models fitted anew.

    Parameters
    ----------
    transactions : Transactions
        The log; it is cut at each date.
    dates : iterable of date
        As-of dates.
    like : CustomerValues
        The valuation to repeat: its purchase model (one in the shop's clock at the speed found now), its time unit and
        its assumptions.
    fitted_anew : bool
        False to keep the purchase fit of `like` on all dates, as for one whose parameters were given.

    Returns
    -------
    DataFrame, indexed by as_of
        customers (count), equity (residual value of the current base, in the currency of the transactions) and sound
        (whether both fits of that date converged). Equity is missing where the base was too young to be fitted.
    """
    given = like.assumptions
    rows = {}
    for as_of in dates:
        log = transactions.until(as_of)
        customers = summarize_customers(log, as_of=as_of, time_unit=given.time_unit)
        try:
            with warnings.catch_warnings():
                # Doubt about an earlier month is told in the frame, not once a month on the screen.
                warnings.simplefilter("ignore", EstimationWarning)
                purchases = refit(like.fits.purchases, log, customers) if fitted_anew else like.fits.purchases
                fits = Fits(purchases, fit_gamma_gamma(customers))
        except DataError:  # too young a base to learn from
            rows[as_of] = (customers.number_of_customers, np.nan, False)
            continue
        values = lifetime_value(
            *fits,
            customers,
            horizon=given.horizon,
            annual_discount_rate=given.annual_discount_rate,
            margin=given.margin,
            costs=given.costs,
        )
        rows[as_of] = (values.number_of_customers, values.total, all(fit.converged for fit in fits))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["customers", "equity", "sound"]).rename_axis("as_of")


def equity_grid(
    values: CustomerValues, *, horizons: Sequence[Horizon | None], annual_discount_rates: Sequence[float]
) -> pd.DataFrame:
    """Value the current base again under other horizons and discount rates, all else unchanged.

    Parameters
    ----------
    values : CustomerValues
        The valuation to vary.
    horizons : sequence of float, str or None
        None for all of the future.
    annual_discount_rates : sequence of float
        Effective rates a year.

    Returns
    -------
    DataFrame, one row a horizon, one column a rate
        Equity of the current base, in the currency of the transactions.
    """
    # The past is not valued here, so its carried sums, made at one rate only, are set aside.
    customers = dataclasses.replace(values.customers, annual_discount_rate=None)
    totals = [
        [
            lifetime_value(
                *values.fits,
                customers,
                horizon=horizon,
                annual_discount_rate=rate,
                margin=values.assumptions.margin,
                costs=values.assumptions.costs,
            ).total
            for rate in annual_discount_rates
        ]
        for horizon in horizons
    ]
    index = pd.Index(list(horizons), name="horizon", dtype=object)
    return pd.DataFrame(totals, index=index, columns=list(annual_discount_rates))
