"""How sure expected purchases are, customer by customer and in total."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.checks import check_level, require_summary
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.interval import INDIVIDUALS, Interval
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import Horizon
from crm_analysis.value.draws import doubts, drawn_fits, knows_its_doubt

# Kinds of customers held at once; times 400 draws that is 64 MB.
_KINDS_AT_ONCE = 20_000
# Futures are simulated for at most so many customers a draw; the randomness of more is that of a sample, scaled up.
_SIMULATED = 50_000


def purchase_intervals(
    fit: PurchaseFit,
    customers: CustomerSummary,
    *,
    horizon: Horizon,
    individuals: bool = False,
    draws: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> pd.DataFrame:
    """Say for each customer how sure the purchases of the next `horizon` are.

    Parameters
    ----------
    fit : PurchaseFit
        Without a covariance, as some fits of other packages are, the parameters count as known.
    customers : CustomerSummary
        In the time unit of the fit.
    horizon : float or str
        A number in the time unit, or text such as "12 months".
    individuals : bool
        False: where the expectation lies, given that parameters are estimated. True: where the purchases made will lie,
        with the randomness of each customer. Customers buy whole times, so these intervals cover more than `level`.
    draws, seed : int
        Parameter draws; the same seed gives the same intervals.
    level : float
        Probability.

    Returns
    -------
    DataFrame, indexed by customer_id
        expected, lower, upper (purchases).

    Raises
    ------
    SettingsError
        When the fit has no covariance and `individuals` is False.

    Notes
    -----
    Customers of one history and one kind are computed once, and in blocks: memory does not grow with their number.
    """
    _check(customers, level)
    kinds, rows = fit.distinct(customers)
    drawn = _drawn(fit, draws, seed, individuals)
    rng = np.random.default_rng(seed + 1)
    ends = []
    for _here, block in _blocks(kinds):
        if individuals:
            futures = (one.simulate_future(block, horizon=horizon, rng=rng)["customer"] for one in drawn)
            outcome = np.array([np.bincount(future, minlength=len(block)) for future in futures], dtype=np.float64)
        else:
            outcome = _expected(drawn, block, horizon)
        ends.append(np.quantile(outcome, [(1 - level) / 2, (1 + level) / 2], axis=0))
    lower, upper = np.concatenate(ends, axis=1)[:, rows.inverse]
    expected = fit.expected_purchases(customers, horizon=horizon)
    return pd.DataFrame({"expected": expected, "lower": lower, "upper": upper})


def total_purchases_interval(
    fit: PurchaseFit,
    customers: CustomerSummary,
    *,
    horizon: Horizon,
    individuals: bool = True,
    draws: int = 400,
    seed: int = 0,
    level: float = 0.95,
) -> Interval:
    """Say how sure the purchases of all customers together are; parameters as for `purchase_intervals`.

    Notes
    -----
    The randomness in the total of more than 50,000 customers is that of a random 50,000, times the root of the ratio.
    """
    _check(customers, level)
    drawn = _drawn(fit, draws, seed, individuals)
    rng = np.random.default_rng(seed + 1)
    sample = np.sort(rng.permutation(len(customers))[:_SIMULATED])
    total, of_sample = np.zeros(draws), np.zeros(draws)
    if not individuals or len(sample) < len(customers):
        kinds, rows = fit.distinct(customers)
        sampled = np.bincount(rows.inverse[sample], minlength=len(kinds))
        for here, block in _blocks(kinds):
            expected = _expected(drawn, block, horizon)
            total += expected @ rows.counts[here]
            of_sample += expected @ sampled[here]
    if individuals:
        some = _part(customers, sample)
        made = np.array([len(one.simulate_future(some, horizon=horizon, rng=rng)) for one in drawn])
        total = total + (made - of_sample) * np.sqrt(len(customers) / len(sample))
    contains = (*doubts(fit), INDIVIDUALS) if individuals else doubts(fit)
    return Interval.of_draws(total, level=level, contains=contains)


def _check(customers: CustomerSummary, level: float) -> None:
    check_level(level)
    require_summary(customers)
    if not len(customers):
        raise DataError("customer summary: there is no customer, so there are no purchases to be sure of.")


def _drawn(fit: PurchaseFit, draws: int, seed: int, individuals: bool) -> list[PurchaseFit]:
    if not (individuals or knows_its_doubt(fit)):
        raise SettingsError(
            f"this {fit.model_name} fit has no covariance, so its expectations have no interval; ask for "
            "individuals=True."
        )
    return drawn_fits(fit, draws, seed)


def _blocks(kinds: CustomerSummary) -> Iterator[tuple[slice, CustomerSummary]]:
    for start in range(0, len(kinds), _KINDS_AT_ONCE):
        here = np.arange(start, min(start + _KINDS_AT_ONCE, len(kinds)))
        yield slice(start, start + len(here)), _part(kinds, here)


def _part(customers: CustomerSummary, positions: Integers) -> CustomerSummary:
    return CustomerSummary(customers.frame.iloc[positions], customers.time_unit, customers.as_of)


def _expected(drawn: list[PurchaseFit], block: CustomerSummary, horizon: Horizon) -> Floats:
    return np.array([one.expected_purchases(block, horizon=horizon).to_numpy() for one in drawn])
