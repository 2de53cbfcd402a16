"""Gamma-Gamma: what a customer spends per purchase, and how far the mean seen so far is to be believed.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value" (note 025; "FH" below). Each purchase of a customer is
Gamma(p, nu), the nu of customers are Gamma(q, v). The model takes spend to be independent of how often a customer
buys, which `spend_frequency_correlation` puts to the test.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, gammaln, ndtri, psi

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, warn_of_doubt
from crm_analysis.messages import _, number
from crm_analysis.models.checks import case_weights, check_generator, require_summary
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.fit import Fit, Params
from crm_analysis.models.histories import Column, Floats, Integers, each

# Shared variance of 4%: beyond it the spend of frequent buyers differs enough to matter for the total.
_TENABLE_CORRELATION = 0.2


class GammaGammaParams(NamedTuple):
    """Parameters of the Gamma-Gamma: shape p of a purchase, shape q and scale v of the customers; v in currency."""

    p: float
    q: float
    v: float


def log_likelihood(params: GammaGammaParams, frequency: Floats, monetary_value: Floats) -> Floats:
    """Log-likelihood of each customer's mean purchase value.

    Parameters
    ----------
    params : GammaGammaParams
        p, q, v.
    frequency : array, shape (n_customers,)
        Number of purchases the mean was taken over, >= 1.
    monetary_value : array, shape (n_customers,)
        Mean value of those purchases, > 0, in currency.

    Returns
    -------
    array, shape (n_customers,)

    References
    ----------
    FH, eq. 1a.
    """
    return log_likelihood_and_score(params, frequency, monetary_value)[0]


def log_likelihood_and_score(
    params: GammaGammaParams, frequency: Column, monetary_value: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's mean purchase value and its gradient in (p, q, v), shape (n_customers, 3)."""
    p, q, v = params
    x, m = np.asarray(frequency, float), np.asarray(monetary_value, float)
    scale, shape = v + x * m, each(lambda x, p, q: p * x + q, frequency, p, q)
    log_scale, log_m = np.log(scale), np.log(m)
    of_count = each(
        lambda x, p, q: gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + p * x * np.log(x), frequency, p, q
    )
    value = of_count + q * np.log(v) + each(lambda x, p: p * x - 1, frequency, p) * log_m - shape * log_scale

    psi_shape = each(lambda x, p, q: psi(p * x + q), frequency, p, q)
    d_p = x * (each(lambda x, p: np.log(x) - psi(p * x), frequency, p) + psi_shape + log_m - log_scale)
    d_q = psi_shape - psi(q) + np.log(v) - log_scale
    d_v = q / v - shape / scale
    return value, np.stack([d_p, d_q, d_v]).T


def population_mean(params: GammaGammaParams) -> float:
    """Mean purchase value over all customers, p v / (q - 1); infinite for q <= 1 (FH, eq. 3)."""
    p, q, v = params
    return p * v / (q - 1) if q > 1 else float("inf")


def expected_spend(params: GammaGammaParams, frequency: Floats, monetary_value: Floats) -> Floats:
    """Expected value of a customer's next purchase: the mean seen so far, drawn towards that of all customers.

    Parameters
    ----------
    params : GammaGammaParams
        p, q, v.
    frequency : array, shape (n_customers,)
        Number of purchases the mean was taken over; 0 for a customer without an observed repeat spend.
    monetary_value : array, shape (n_customers,)
        Mean value of those purchases; ignored (may be missing) where frequency is 0.

    Returns
    -------
    array, shape (n_customers,)
        Currency per purchase. Where frequency is 0, the population's mean.

    References
    ----------
    FH, eq. 5.
    """
    p, q, v = params
    x = np.asarray(frequency, float)
    paid = np.where(x > 0, x * np.nan_to_num(monetary_value), 0.0)
    weight = p * x + q - 1
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(weight > 0, p * (v + paid) / weight, np.inf)


def probability_of_mean_below(params: GammaGammaParams, frequency: Floats, value: Floats | float) -> Floats:
    """Probability that the mean of a customer's `frequency` purchases lies below `value`.

    Given x purchases, x m / (v + x m) of their mean m is Beta(p x, q); shapes broadcast.
    """
    p, q, v = params
    x, m = np.broadcast_arrays(np.asarray(frequency, float), np.asarray(value, float))
    share = np.where(np.isinf(m), 1.0, x * np.where(np.isinf(m), 0.0, m) / (v + x * np.where(np.isinf(m), 0.0, m)))
    return betainc(p * x, q, share)


def simulate(
    params: GammaGammaParams, frequency: Floats, monetary_value: Floats, buyer: Integers, rng: np.random.Generator
) -> Floats:
    """Simulate the value of purchases to come.

    Parameters
    ----------
    params : GammaGammaParams
        p, q, v.
    frequency, monetary_value : array, shape (n_customers,)
        As in `expected_spend`; with a frequency of 0 for all, new customers are simulated.
    buyer : array of int, shape (n_purchases,)
        Position of the customer who makes each purchase: `customer` of the events that a purchase model simulates.
    rng : Generator
        Source of randomness.

    Returns
    -------
    array, shape (n_purchases,)
        Currency. Given the history nu ~ Gamma(q + p x, v + x m), and each purchase is Gamma(p, nu).
    """
    p, q, v = params
    x = np.asarray(frequency, float)
    paid = np.where(x > 0, x * np.nan_to_num(monetary_value), 0.0)
    nu = rng.gamma(q + p * x) / (v + paid)
    return rng.gamma(np.broadcast_to(p, nu.shape)[buyer]) / nu[buyer]


@dataclass(frozen=True)
class SpendFrequencyCorrelation:
    """Whether those who buy often spend more (or less) per purchase; the model takes it that they do not.

    Attributes
    ----------
    correlation : float
        Pearson's r between number and mean value of purchases, among repeat buyers.
    lower, upper : float
        Its 95% interval (Fisher's z).
    p_value : float
        Of the hypothesis of no correlation.
    customers : float
        Repeat buyers (or their weight) it rests on.
    """

    correlation: float
    lower: float
    upper: float
    p_value: float
    customers: float

    @property
    def judgement(self) -> Literal["fine", "undecided", "correlated", "unknown"]:
        """What the interval says of the independence the model needs.

        "fine": it lies within 0.2 of zero. "correlated": it excludes zero, and the estimate reaches 0.2. "undecided":
        too few customers to say. "unknown": there is nothing to correlate, as when everything costs the same.
        """
        if self.correlation != self.correlation:
            return "unknown"
        if max(abs(self.lower), abs(self.upper)) < _TENABLE_CORRELATION:
            return "fine"
        excludes_zero = self.lower > 0 or self.upper < 0
        return "correlated" if excludes_zero and abs(self.correlation) >= _TENABLE_CORRELATION else "undecided"


def spend_frequency_correlation(
    customers: CustomerSummary, *, weights: pd.Series | Floats | None = None
) -> SpendFrequencyCorrelation:
    """Test the independence of spend and frequency among customers with an observed repeat spend.

    Parameters
    ----------
    customers : CustomerSummary
        With monetary_value.
    weights : Series or array, shape (n_customers,), optional
        Case weights of all customers, >= 0; a weight of 2 equals the row given twice.

    Raises
    ------
    DataError
        When fewer than four customers (by weight) have one.
    """
    require_summary(customers)
    x, m = _observed_spend(customers)
    case = case_weights(weights, customers.frame.index)
    count = np.ones(len(x)) if case is None else case[_has_spend(customers)]
    x, m, count = x[count > 0], m[count > 0], count[count > 0]
    number_of_customers = float(count.sum())
    if number_of_customers < 4:
        raise DataError(
            f"customer summary: {number_of_customers:g} customer(s) with repeat spend; a correlation needs at least "
            "four.\n"
            "To fix: give a longer log, check the monetary_value column, or give weights above 0 to more customers."
        )
    if x.min() == x.max() or m.min() == m.max():
        return SpendFrequencyCorrelation(np.nan, np.nan, np.nan, np.nan, number_of_customers)
    share = count / number_of_customers
    dx, dm = x - share @ x, m - share @ m
    r = float(np.clip(share @ (dx * dm) / np.sqrt((share @ dx**2) * (share @ dm**2)), -1, 1))
    with np.errstate(divide="ignore"):  # a perfect correlation is infinitely sure
        reach = ndtri(0.975) / np.sqrt(number_of_customers - 3)
        lower, upper = np.tanh(np.arctanh(r) + np.array([-reach, reach]))
        # Under independence r^2 is Beta(1/2, (n - 2) / 2).
        p_value = float(betainc((number_of_customers - 2) / 2, 0.5, 1 - r**2))
    return SpendFrequencyCorrelation(r, float(lower), float(upper), p_value, number_of_customers)


@dataclass(frozen=True, eq=False, kw_only=True)
class GammaGammaFit(Fit):
    """A Gamma-Gamma with estimated parameters."""

    model_name: ClassVar[str] = "Gamma-Gamma"
    params_type: ClassVar[type] = GammaGammaParams

    params: GammaGammaParams

    @property
    def population_mean(self) -> float:
        """Mean purchase value over all customers, in currency; infinite for q <= 1."""
        return population_mean(self.params)

    def data(self, customers: CustomerSummary) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
        """Return number and mean value of the repeat purchases, of the customers who have any."""
        return _observed_spend(customers), _has_spend(customers)

    def log_likelihood_and_score(self, params: Params, *columns: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each mean and its gradient in the parameters."""
        return log_likelihood_and_score(params, *columns)

    def expected_spend(self, customers: CustomerSummary) -> pd.Series:
        """Expected value of each customer's next purchase; the population's mean where no repeat spend was seen."""
        values = expected_spend(self.params_of(customers), *_spend_so_far(customers))
        return pd.Series(values, index=customers.frame.index, name="expected_spend")

    def spend_distribution(self, customers: CustomerSummary, edges: Floats) -> pd.DataFrame:
        """Compare the mean purchase values seen with those the model expects of customers with as many purchases.

        Parameters
        ----------
        customers : CustomerSummary
            Those with an observed repeat spend are compared.
        edges : array, shape (n_classes + 1,)
            Ends of the classes, ascending, the first 0, the last infinite.

        Returns
        -------
        DataFrame, one row a class
            left, right (currency); observed, expected (shares of customers, both adding up to 1).
        """
        seen = replace(customers, frame=customers.frame[_has_spend(customers)])
        x, m = _observed_spend(seen)
        observed = np.histogram(m, bins=edges)[0] / len(m)
        p, q, v = (np.reshape(value, (-1, 1)) for value in self.params_of(seen))
        below = probability_of_mean_below(self.params_type(p, q, v), x[:, None], edges[None, :]).mean(axis=0)
        return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "observed": observed, "expected": np.diff(below)})

    def simulate_spend(self, customers: CustomerSummary, buyer: Integers, rng: np.random.Generator) -> Floats:
        """Simulate the value of purchases to come.

        Parameters
        ----------
        customers : CustomerSummary
            Whose spend so far says what to expect.
        buyer : array of int, shape (n_purchases,)
            Position in `customers` of the customer who makes each purchase.
        rng : Generator
            Source of randomness.

        Returns
        -------
        array, shape (n_purchases,)
            Currency. Given the history nu ~ Gamma(q + p x, v + x m), and each purchase is Gamma(p, nu).
        """
        check_generator(rng)
        return simulate(self.params_of(customers), *_spend_so_far(customers), buyer, rng)


def fit_gamma_gamma(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    spend: Covariates = None,
    penalty: float = 0.0,
) -> GammaGammaFit:
    """Estimate the Gamma-Gamma by maximum likelihood, from the customers with an observed repeat spend.

    Parameters
    ----------
    customers : CustomerSummary
        With monetary_value (missing, not zero, where no repeat spend was seen); the others are left out here.
    weights : Series or array, shape (n_customers,), optional
        Case weights of all customers, >= 0.
    spend : str or sequence of str, optional
        Covariates of the mean purchase value: formula text or names of columns; v_i = v exp(gamma'z).
    penalty : float
        Weight of the squared coefficients (for a covariate in standard deviations) in the log-likelihood, >= 0.

    Returns
    -------
    GammaGammaFit

    Raises
    ------
    DataError
        When fewer than four customers (by weight) have a repeat spend, or a covariate is missing.

    Warns
    -----
    EstimationWarning
        When q <= 1 (the mean spend of the population is infinite), when spend and frequency are correlated, or from
        the optimiser.
    """
    correlation = spend_frequency_correlation(customers, weights=weights)  # refuses a base too small

    def starts(columns: tuple[Floats, ...], counts: Floats) -> list[tuple[float, float, float]]:
        mean = float(counts @ columns[1] / counts.sum())
        return [(p, q, mean * (q - 1) / p) for p, q in [(5.0, 4.0), (1.0, 2.0)]]

    fit = GammaGammaFit.from_params((1.0, 1.0, 1.0), time_unit="").estimated(
        starts,
        customers,
        weights=weights,
        effects=[("spend", {"v": 1.0}, spend)],
        penalty=penalty,
    )
    for doubt in _doubts(fit, correlation):
        warn_of_doubt(doubt)
        fit = replace(fit, advice=(*fit.advice, doubt))
    return fit


def _spend_so_far(customers: CustomerSummary) -> tuple[Floats, Floats]:
    """Return monetary_count and monetary_value of all customers."""
    require_summary(customers)
    if "monetary_value" not in customers.frame:
        raise DataError(
            "customer summary: column 'monetary_value' is missing.\n"
            "To fix: make the summary with summarize_customers, or add the mean value of a repeat purchase."
        )
    return customers.monetary_count.to_numpy(float), customers.frame["monetary_value"].to_numpy(float)


def _has_spend(customers: CustomerSummary) -> NDArray[np.bool_]:
    count, mean = _spend_so_far(customers)
    return ~np.isnan(mean) & (count > 0)


def _observed_spend(customers: CustomerSummary) -> tuple[Floats, Floats]:
    seen = _has_spend(customers)
    count, mean = _spend_so_far(customers)
    return count[seen], mean[seen]


def _doubts(fit: GammaGammaFit, correlation: SpendFrequencyCorrelation) -> list[str]:
    doubts = []
    if fit.params.q <= 1:
        doubts.append(
            _(
                "q = {q} is at most 1, so the mean spend of the population is infinite; value only customers with an "
                "observed repeat spend, and look for a few very large purchases.",
                q=number(fit.params.q),
            )
        )
    if correlation.judgement == "correlated":
        doubts.append(
            _(
                "spend and frequency are correlated ({r}, 95% interval {lower} to {upper}); the model takes them as "
                "independent. Value the base by segments with like frequency, and compare the totals.",
                r=number(correlation.correlation),
                lower=number(correlation.lower),
                upper=number(correlation.upper),
            )
        )
    return doubts
