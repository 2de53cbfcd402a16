"""sBG: contracts that come up for renewal, each holder leaving at every renewal with a chance of their own.

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), 76-90 ("FH07"), and
(2010), Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity, Marketing Science 29(1),
85-93 ("FH10"). The chance theta to leave at a renewal is Beta(alpha, beta) among customers. Those more likely to leave
go first, so the retention rate of a cohort rises though that of no customer does. Time t is counted in renewals: a
contract in its n-th period has made n - 1 of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, cast, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import psi

from crm_analysis.data.contracts import Day
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import beta_geometric
from crm_analysis.models.checks import case_weights, check_generator, check_whole, is_number, lengths_of_time
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.fit import Fit, Params
from crm_analysis.models.histories import Floats, once_per_distinct_row
from crm_analysis.models.memberships import Contracts, contracts
from crm_analysis.periods import Horizon, annual_to_continuous, horizon_in_units, units_per_year

Moment = Literal["before_renewal", "after_renewal"]
"""When a contract is valued: right before the customer decides on a renewal, or right after the last one was paid."""


class SBGParams(NamedTuple):
    """Parameters of the sBG: Beta(alpha, beta) chances to leave at a renewal.

    With covariates they are arrays, one element a contract; every function here takes either.
    """

    alpha: float
    beta: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: SBGParams, periods: Floats, churned: Floats) -> Floats:
    """Log-likelihood of each contract.

    Parameters
    ----------
    params : SBGParams
        alpha, beta.
    periods : array, shape (n_contracts,)
        Renewals survived, whole numbers >= 0.
    churned : array, shape (n_contracts,)
        1 where the contract was not renewed after these; 0 where it was still running when last seen.

    Returns
    -------
    array, shape (n_contracts,)

    References
    ----------
    FH07, eqs. 5 and 6: log P(T = periods + 1), or log S(periods).
    """
    return log_likelihood_and_score(params, periods, churned)[0]


def log_likelihood_and_score(params: SBGParams, periods: Floats, churned: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each contract, and its gradient in (alpha, beta), shape (n_contracts, 2)."""
    alpha, beta = params
    t, churned = np.asarray(periods, float), np.asarray(churned, float)
    at_risk = alpha + beta + t
    value = beta_geometric.log_survival(alpha, beta, t) + churned * np.log(alpha / at_risk)
    total = psi(alpha + beta) - psi(at_risk) - churned / at_risk
    d_alpha = total + churned / alpha
    d_beta = total + psi(beta + t) - psi(beta)
    return value, np.stack([d_alpha, d_beta], axis=-1)


# --- expectations -----------------------------------------------------------------------------------------------


def survival(params: SBGParams, t: Floats | float) -> Floats:
    """Probability that a new customer is still one after `t` renewals, S(t) (FH07, eq. 6).

    For customers who have made some renewals already, see `conditional_survival`.
    """
    return np.exp(beta_geometric.log_survival(*params, lengths_of_time(t, "t")))


def conditional_survival(params: SBGParams, t: Floats | float, given: Floats | float) -> Floats:
    """Probability that a customer who has made `given` renewals makes the next `t` too, S(given + t) / S(given)."""
    alpha, beta = params
    return survival(SBGParams(alpha, cast(float, beta + lengths_of_time(given, "given"))), t)


def retention(params: SBGParams, t: Floats | float) -> Floats:
    """Share of the customers up for renewal `t` (1 is the first) who make it, S(t) / S(t - 1) (FH07, eq. 8)."""
    alpha, beta = params
    up_to_now = beta + _renewal(t) - 1
    return up_to_now / (alpha + up_to_now)


def probability_of_churn(params: SBGParams, t: Floats | float) -> Floats:
    """Probability that a new customer leaves at renewal `t` (1 is the first), P(T = t) (FH07, eq. 5)."""
    alpha, beta = params
    t = _renewal(t)
    return survival(params, t - 1) * alpha / (alpha + beta + t - 1)


def _renewal(t: Floats | float) -> Floats:
    """Return the numbers of renewals as an array; refuse one before the first."""
    renewals = lengths_of_time(t, "t")
    if (renewals < 1).any():
        raise SettingsError(f"t is {t!r}; the first renewal is 1.")
    return renewals


def expected_lifetime(params: SBGParams) -> Floats:
    """Expected number of periods of a new customer, the first included; infinite for alpha <= 1."""
    return 1 + discounted_residual_lifetime(params, 0, 0.0)


def discounted_residual_lifetime(
    params: SBGParams,
    renewals: Floats | float,
    rate: float,
    horizon: float | None = None,
    when: Moment = "before_renewal",
) -> Floats:
    """Expected discounted number of renewals to come of a customer who has made some (DERL).

    Parameters
    ----------
    params : SBGParams
        alpha, beta.
    renewals : float or array
        Renewals made so far, whole numbers >= 0; 0 in the first period.
    rate : float
        Effective discount rate from one renewal to the next, >= 0.
    horizon : float, optional
        How many renewals count, rounded to a whole number; None for all to come.
    when : {"before_renewal", "after_renewal"}
        At the end of the current period, right before the customer decides on the next renewal, whose payment is not
        discounted therefore (the paper's convention); or right after the last renewal was paid, one period earlier.

    Returns
    -------
    array, shape of `renewals`
        Payments in today's worth, that of the current period not among them. Infinite where rate is 0, the horizon None
        and alpha <= 1.

    References
    ----------
    FH10, eq. 6, where the customer is in period n and has made n - 1 renewals.
    """
    if when not in get_args(Moment):
        raise SettingsError(f"when is {when!r}; use one of {', '.join(get_args(Moment))}.")
    if not (is_number(rate) and rate >= 0):
        raise SettingsError(f"rate is {rate!r}; give a fraction of 0 or more, from one renewal to the next.")
    if horizon is not None and not (is_number(horizon) and horizon >= 0):
        raise SettingsError(f"horizon is {horizon!r}; give a number of renewals >= 0, or None for all to come.")
    alpha, beta = params

    def lifetime(alpha: Floats, beta: Floats) -> Floats:
        return beta_geometric.discounted_lifetime(alpha, beta, rate, horizon)

    value = once_per_distinct_row(lifetime, alpha, beta + lengths_of_time(renewals, "renewals"))
    return value * (1 + rate) if when == "before_renewal" else value


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: SBGParams, n: int, rng: np.random.Generator) -> Floats:
    """Simulate at which renewal each of `n` new customers leaves.

    Returns
    -------
    array, shape (n,)
        Whole numbers from 1 on; infinite for a customer whose chance to leave is too small for a float.
    """
    check_whole("n", n, least=0)
    check_generator(rng)
    theta = rng.beta(*params, size=n)
    with np.errstate(divide="ignore", over="ignore"):
        return 1 + np.floor(rng.exponential(size=n) / -np.log1p(-theta))


# --- fit --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class SBGFit(Fit):
    """An sBG with estimated parameters.

    Where the fit has covariates, its methods take a frame with those of the contracts meant, one result a row.
    """

    model_name: ClassVar[str] = "sBG"
    params_type: ClassVar[type] = SBGParams

    params: SBGParams

    def data(self, customers: CustomerSummary) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
        """Return renewals survived and whether the contract ended then, of all `Contracts`."""
        frame = customers.frame
        columns = tuple(frame[name].to_numpy(dtype=np.float64) for name in ("periods", "churned"))
        return columns, np.ones(len(frame), dtype=bool)

    def log_likelihood_and_score(self, params: Params, *columns: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each contract and its gradient in the parameters."""
        return log_likelihood_and_score(params, *columns)

    def survival(self, t: Floats | float, *, covariates: pd.DataFrame | None = None) -> Floats:
        """Probability that a new customer is still one after `t` renewals."""
        return survival(self._params(covariates), t)

    def conditional_survival(
        self, t: Floats | float, *, given: Floats | float, covariates: pd.DataFrame | None = None
    ) -> Floats:
        """Probability that a customer who has made `given` renewals makes the next `t` too."""
        return conditional_survival(self._params(covariates), t, given)

    def retention(self, t: Floats | float, *, covariates: pd.DataFrame | None = None) -> Floats:
        """Share of the customers up for renewal `t` (1 is the first) who make it."""
        return retention(self._params(covariates), t)

    def expected_lifetime(self, *, covariates: pd.DataFrame | None = None) -> Floats:
        """Expected number of periods of a new customer, the first included; infinite for alpha <= 1."""
        return expected_lifetime(self._params(covariates))

    def discounted_residual_lifetime(
        self,
        renewals: Floats | float,
        *,
        annual_discount_rate: float,
        periods_per_year: float,
        horizon: Horizon | None = None,
        when: Moment = "before_renewal",
        covariates: pd.DataFrame | None = None,
    ) -> Floats:
        """Expected discounted number of renewals to come of a customer who has made some (DERL).

        Parameters
        ----------
        renewals : float or array
            Renewals made so far; 0 in the first period.
        annual_discount_rate : float
            Effective rate a year, >= 0.
        periods_per_year : float
            How many periods of the contract a year has: 12 for monthly renewal.
        horizon : float or str, optional
            How many renewals count, a number or text such as "2 years", rounded to a whole number; None for all to
            come.
        when
            As the function of this name in this module takes it.
        covariates : DataFrame, optional
            Needed where the fit has covariates.

        Raises
        ------
        SettingsError
            For a number of renewals, a rate, a horizon or a moment that is none, or missing covariates.
        """
        if not (is_number(periods_per_year) and periods_per_year > 0):
            raise SettingsError(
                f"periods_per_year is {periods_per_year!r}; give a number above 0, such as 12 for monthly renewal."
            )
        months = units_per_year("month") / periods_per_year
        rate = float(np.expm1(annual_to_continuous(annual_discount_rate, "month") * months))
        length = None
        if horizon is not None:
            length = horizon_in_units(horizon, "month") / (months if isinstance(horizon, str) else 1.0)
        return discounted_residual_lifetime(self._params(covariates), renewals, rate, length, when)

    def profile_interval(
        self, name: str, customers: Any, *, weights: pd.Series | Floats | None = None, level: float = 0.95
    ) -> tuple[float, float]:
        """Interval of one of `coefficients` by profile likelihood.

        Parameters
        ----------
        name : str
            As in `coefficients`.
        customers : Contracts
            What `memberships.contracts` makes of the data of the fit.
        weights, level
            As in `Fit.profile_interval`.
        """
        _require_contracts(customers)
        return super().profile_interval(
            name, cast(CustomerSummary, customers), weights=_weights(customers, weights), level=level
        )

    def _params(self, covariates: pd.DataFrame | None) -> SBGParams:
        if covariates is None:
            if self.effects:
                raise SettingsError("this fit has covariates: give `covariates`, a frame with those of the contracts.")
            return self.params
        if not isinstance(covariates, pd.DataFrame):
            raise SettingsError(f"covariates must be a DataFrame, not a {type(covariates).__name__}.")
        return self.params_of(cast(CustomerSummary, Contracts(covariates, np.ones(len(covariates)))))


def fit_sbg(
    active: Any = None,
    *,
    cohort_size: float | Sequence[float] | None = None,
    memberships: pd.DataFrame | None = None,
    as_of: Day | None = None,
    weights: pd.Series | Floats | None = None,
    dropout: Covariates = None,
    opposite_dropout: bool = False,
    penalty: float = 0.0,
) -> SBGFit:
    """Estimate the sBG by maximum likelihood, from counts of cohorts or from single contracts.

    Parameters
    ----------
    active : sequence of float, DataFrame, or sequence of sequences, optional
        Customers of a cohort still active after the first renewal, the second, ...; the number at the start is not
        among them. Several cohorts: a DataFrame with one column a cohort (missing at the end of younger ones), or one
        sequence a cohort. Who is active after the last count is censored there.
    cohort_size : float or sequence of float
        Customers at the start, of each cohort.
    memberships : DataFrame, optional
        Instead of counts, one row a contract, with covariates where wanted, and either

        - periods (renewals survived) and churned (true where the contract then ended); or
        - started_on, ended_on (missing while the contract is running) and renewal_period (text such as "1 month" or
          "1 year", the same for all): a contract that ends by the day of its k-th renewal has survived k - 1 of them.
          With customer_id, terms that follow one another are one contract (`memberships.joined_terms`), with the
          covariates and the weight of its first term.
    as_of : date or str
        With dates: the day up to which an end would be known. A later end is not seen.
    weights : Series or array, shape (n_contracts,), optional
        Case weights of the memberships, >= 0; a Series indexed as these where terms are joined.
    dropout : str or sequence of str, optional
        Covariates among the columns of the memberships: alpha_i = alpha exp(kappa_a'z), beta_i = beta exp(kappa_b'z).
    opposite_dropout : bool
        One coefficient a covariate, kappa_b = -kappa_a, which moves the mean chance to leave alone.
    penalty : float
        Weight of the squared coefficients (for a covariate in standard deviations) in the log-likelihood, >= 0.

    Returns
    -------
    SBGFit

    Raises
    ------
    DataError
        When counts or memberships break a rule: all rules at once, with the first rows of each. When no contract ended,
        or none was ever renewed.
    SettingsError
        When arguments do not go together.

    Warns
    -----
    EstimationWarning
        On a ridge, a parameter at its bound, or a search that did not converge; with advice.

    References
    ----------
    FH07, Appendix B.

    Examples
    --------
    >>> fit = fit_sbg([631, 468, 382, 326, 289, 262, 241], cohort_size=1000)  # FH07, "regular" customers
    >>> round(fit.params.alpha, 3), round(fit.params.beta, 3)
    (0.704, 1.182)
    """
    data = contracts(active, cohort_size=cohort_size, memberships=memberships, as_of=as_of)
    if memberships is None and (weights is not None or dropout is not None):
        raise SettingsError("counts of `active` carry neither weights nor covariates; give `memberships` for these.")
    if opposite_dropout:
        effects: list[tuple[str, Mapping[str, float], Covariates]] = [
            ("dropout", {"alpha": 1.0, "beta": -1.0}, dropout)
        ]
    else:
        effects = [("dropout_alpha", {"alpha": 1.0}, dropout), ("dropout_beta", {"beta": 1.0}, dropout)]
    return SBGFit.from_params((1.0, 1.0), time_unit="").estimated(
        _starting_values,
        cast(CustomerSummary, data),
        weights=_weights(data, weights),
        effects=effects,
        penalty=penalty,
    )


def _require_contracts(data: object) -> None:
    if not isinstance(data, Contracts):
        raise SettingsError(
            f"an sBG is fitted to Contracts, not to a {type(data).__name__}; give what memberships.contracts(...) "
            "makes of the counts or memberships of the fit."
        )


def _weights(data: Contracts, weights: pd.Series | Floats | None) -> Floats:
    given = case_weights(weights, data.frame.index)
    return data.counts if given is None else data.counts * given


def _starting_values(columns: tuple[Floats, ...], counts: Floats) -> Sequence[SBGParams]:
    """Begin with chances to leave that differ much, or little, around the share that left at a renewal."""
    periods, churned = columns
    ended, renewed = float(counts @ churned), float(counts @ periods)
    if not (ended > 0 and renewed > 0):
        what = "no contract has ended" if renewed > 0 else "no contract was ever renewed"
        raise DataError(
            f"contracts: {what}, so chances to leave cannot be told.\n"
            "To fix: give contracts over a longer time, some that were renewed and some that ended, with weights above "
            "0."
        )
    share = ended / (ended + renewed)
    return [SBGParams(share * certainty, (1 - share) * certainty) for certainty in (2.0, 20.0)]
