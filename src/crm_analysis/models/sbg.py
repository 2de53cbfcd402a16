"""sBG: contracts that come up for renewal, each holder leaving at every renewal with a chance of their own.

Fader & Hardie (2007), How to Project Customer Retention, Journal of Interactive Marketing 21(1), 76-90 ("FH07"), and
(2010), Customer-Base Valuation in a Contractual Setting: The Perils of Ignoring Heterogeneity, Marketing Science 29(1),
85-93 ("FH10"). The chance theta to leave at a renewal is Beta(alpha, beta) among customers. Those more likely to leave
go first, so the retention rate of a cohort rises though that of no customer does. Time t is counted in renewals: a
contract in its n-th period has made n - 1 of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, ClassVar, Literal, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import psi

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError, Violation, refuse
from crm_analysis.models import beta_geometric
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.fit import Fit, Params, case_weights
from crm_analysis.models.histories import Floats, once_per_distinct_row
from crm_analysis.periods import horizon_text

_ACTIVE = "active"
_MEMBERSHIPS = "memberships"

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
    return np.exp(beta_geometric.log_survival(*params, np.asarray(t, float)))


def conditional_survival(params: SBGParams, t: Floats | float, given: Floats | float) -> Floats:
    """Probability that a customer who has made `given` renewals makes the next `t` too, S(given + t) / S(given)."""
    alpha, beta = params
    return survival(SBGParams(alpha, cast(float, beta + np.asarray(given, float))), t)


def retention(params: SBGParams, t: Floats | float) -> Floats:
    """Share of the customers up for renewal `t` (1 is the first) who make it, S(t) / S(t - 1) (FH07, eq. 8)."""
    alpha, beta = params
    up_to_now = beta + np.asarray(t, float) - 1
    return up_to_now / (alpha + up_to_now)


def probability_of_churn(params: SBGParams, t: Floats | float) -> Floats:
    """Probability that a new customer leaves at renewal `t` (1 is the first), P(T = t) (FH07, eq. 5)."""
    alpha, beta = params
    t = np.asarray(t, float)
    return survival(params, t - 1) * alpha / (alpha + beta + t - 1)


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
    alpha, beta = params

    def lifetime(alpha: Floats, beta: Floats) -> Floats:
        return beta_geometric.discounted_lifetime(alpha, beta, rate, horizon)

    value = once_per_distinct_row(lifetime, alpha, beta + np.asarray(renewals, float))
    return value * (1 + rate) if when == "before_renewal" else value


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: SBGParams, n: int, rng: np.random.Generator) -> Floats:
    """Simulate at which renewal each of `n` new customers leaves.

    Returns
    -------
    array, shape (n,)
        Whole numbers from 1 on; infinite for a customer whose chance to leave is too small for a float.
    """
    theta = rng.beta(*params, size=n)
    with np.errstate(divide="ignore", over="ignore"):
        return 1 + np.floor(rng.exponential(size=n) / -np.log1p(-theta))


# --- data -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Contracts:
    """Checked contracts: what an sBG is fitted to.

    Attributes
    ----------
    frame : DataFrame, one row a contract or a kind of contract
        periods (renewals survived), churned (not renewed after these; otherwise still running when last seen), and
        the columns given, which may serve as covariates.
    counts : array, shape (n_rows,)
        How many contracts each row stands for.
    """

    frame: pd.DataFrame
    counts: Floats


def contracts(
    active: Any = None,
    *,
    cohort_size: float | Sequence[float] | None = None,
    memberships: pd.DataFrame | None = None,
    as_of: Day | None = None,
) -> Contracts:
    """Check contracts given as counts of a cohort or one by one; arguments and errors are those of `fit_sbg`."""
    if (active is None) == (memberships is None):
        raise SettingsError(
            "give either `active`, counts of one or more cohorts, or `memberships`, one row a contract."
        )
    if memberships is None:
        if cohort_size is None or as_of is not None:
            raise SettingsError("counts of `active` need the `cohort_size` they started from, and no `as_of`.")
        read = _from_counts(active, cohort_size)
    else:
        if cohort_size is not None:
            raise SettingsError("`cohort_size` belongs to counts of `active`, not to `memberships`.")
        read = _from_memberships(memberships, as_of)
    if not read.counts[read.frame["churned"].to_numpy()].sum() > 0:
        raise DataError(
            f"{_ACTIVE if memberships is None else _MEMBERSHIPS}: no contract has ended, so there is nothing to learn "
            "churn from.\nTo fix: give contracts over a longer time, those that ended among them."
        )
    return read


def _from_counts(active: Any, cohort_size: float | Sequence[float]) -> Contracts:
    cohorts = _cohorts(active)
    sizes = np.atleast_1d(np.asarray(cohort_size, dtype=float))
    if len(sizes) != len(cohorts):
        raise SettingsError(
            f"`active` holds {len(cohorts)} cohort(s) and `cohort_size` {len(sizes)} size(s); give one for each."
        )
    refuse(
        violation
        for (name, counts), size in zip(cohorts.items(), sizes, strict=True)
        for violation in _broken_counts(name, counts, size)
    )
    rows = []
    for counts, size in zip(cohorts.values(), sizes, strict=True):
        there = np.concatenate([[size], counts])
        renewals = np.arange(len(there))
        rows.append(pd.DataFrame({"periods": renewals[:-1], "churned": True, "count": -np.diff(there)}))
        rows.append(pd.DataFrame({"periods": renewals[-1:], "churned": False, "count": there[-1:]}))
    frame = pd.concat(rows, ignore_index=True)
    return Contracts(frame[["periods", "churned"]], frame["count"].to_numpy(float))


def _cohorts(active: Any) -> dict[str, Floats]:
    """Return the counts of each cohort by name; what cannot be read as a number is missing."""
    if isinstance(active, pd.DataFrame):
        # A younger cohort has seen fewer renewals: its column ends in missing values.
        columns = {str(name): active[name].iloc[: _last_known(active[name])] for name in active.columns}
    elif all(np.ndim(count) == 0 for count in active):
        columns = {"": pd.Series(list(active), dtype=object)}
    else:
        columns = {f"cohort {place}": pd.Series(list(counts), dtype=object) for place, counts in enumerate(active, 1)}
    return {name: pd.to_numeric(column, errors="coerce").to_numpy(float) for name, column in columns.items()}


def _last_known(column: pd.Series) -> int:
    return int(np.flatnonzero(column.notna())[-1]) + 1 if column.notna().any() else 0


def _broken_counts(name: str, counts: Floats, size: float) -> Iterator[Violation]:
    renewals = pd.DataFrame({"active": counts}, index=pd.RangeIndex(1, len(counts) + 1, name="renewal"))
    if not (np.isfinite(size) and size > 0):
        yield Violation(_ACTIVE, name, f"the cohort size is {size}", 0, "give the number of customers at the start.")
    if not len(counts):
        yield Violation(_ACTIVE, name, "there is no count", 0, "give the number still active after the first renewal.")
    unknown = ~(np.isfinite(counts) & (counts >= 0))
    grown = np.diff(counts, prepend=size) > 0
    for words, broken, fix in [
        ("not a number of customers", unknown, "give counts >= 0; a younger cohort simply ends earlier."),
        (
            "more active customers than before the renewal",
            grown,
            "count each customer of the cohort until the first renewal missed; who comes back is a new one.",
        ),
    ]:
        if broken.any():
            yield Violation(_ACTIVE, name, words, int(broken.sum()), fix, renewals[broken].head(5))


def _from_memberships(memberships: pd.DataFrame, as_of: Day | None) -> Contracts:
    if not isinstance(memberships, pd.DataFrame):
        raise SettingsError(f"memberships must be a DataFrame, not a {type(memberships).__name__}.")
    frame = memberships.set_index("customer_id") if "customer_id" in memberships.columns else memberships
    if not len(frame):
        refuse([Violation(_MEMBERSHIPS, "", "there are no rows", 0, "give one row a contract.")])
    if "periods" in frame.columns or "churned" in frame.columns:
        if as_of is not None:
            raise SettingsError("memberships with periods and churned are as of their own date; leave `as_of` out.")
        return _from_periods(frame)
    if as_of is None:
        raise SettingsError("memberships with dates need `as_of`, the day up to which their end would be known.")
    return _from_dates(frame, to_day(as_of, "as_of"))


def _rules(frame: pd.DataFrame, rules: Sequence[tuple[str, str, Any, str]]) -> Iterator[Violation]:
    """Turn (column, rule, rows that break it, fix) into violations."""
    for column, words, broken, fix in rules:
        rows = np.asarray(broken, dtype=bool)
        if rows.any():
            yield Violation(_MEMBERSHIPS, column, words, int(rows.sum()), fix, frame.loc[rows, [column]].head(5))


def _refuse_absent(frame: pd.DataFrame, names: Sequence[str]) -> None:
    refuse(
        Violation(
            _MEMBERSHIPS,
            name,
            f"there is no such column (there are {', '.join(map(repr, frame.columns))})",
            0,
            "give periods and churned, or started_on, ended_on and renewal_period.",
        )
        for name in names
        if name not in frame.columns
    )


def _from_periods(frame: pd.DataFrame) -> Contracts:
    _refuse_absent(frame, ("periods", "churned"))
    periods = pd.to_numeric(frame["periods"], errors="coerce").astype("float64")
    whole = np.isfinite(periods) & (periods >= 0) & (periods % 1 == 0)
    refuse(
        _rules(
            frame,
            [
                ("periods", "not a whole number of renewals", ~whole, "count the renewals each contract survived."),
                (
                    "churned",
                    "neither true nor false",
                    ~frame["churned"].isin([True, False]),
                    "give true where the contract has ended, false where it is still running.",
                ),
            ],
        )
    )
    return Contracts(frame.assign(periods=periods, churned=frame["churned"].astype(bool)), np.ones(len(frame)))


def _from_dates(frame: pd.DataFrame, as_of: date) -> Contracts:
    _refuse_absent(frame, ("started_on", "ended_on", "renewal_period"))
    last_day = pd.Timestamp(as_of)
    started, ended = (_days(frame[name]) for name in ("started_on", "ended_on"))
    lengths = frame["renewal_period"].map(_months_or_days)
    most_common = lengths.mode()
    refuse(
        _rules(
            frame,
            [
                ("started_on", "not a date", started.isna(), "give the first day of each contract."),
                (
                    "started_on",
                    f"after the as-of date {as_of}",
                    started > last_day,
                    "leave out contracts that begin later, or give a later date.",
                ),
                (
                    "ended_on",
                    "not a date",
                    ended.isna() & frame["ended_on"].notna(),
                    "give the day a contract ended, and nothing where it is still running.",
                ),
                ("ended_on", "before the contract started", ended < started, "check which date is which."),
                (
                    "renewal_period",
                    "not a length of time",
                    lengths.isna(),
                    "write a whole number and a unit, such as '1 month' or '1 year'.",
                ),
                (
                    "renewal_period",
                    "another length than most contracts have",
                    lengths.notna() & ~lengths.isin(most_common[:1]),
                    "fit contracts of each length by themselves: the chance to leave is one at a renewal.",
                ),
            ],
        )
    )
    churned = ended <= last_day
    # A contract that ends on the day of a renewal has not made it.
    seen_until = (ended - pd.Timedelta(days=1)).where(churned, last_day)
    size, unit = most_common[0]
    elapsed = _whole_months(started, seen_until) if unit == "month" else (seen_until - started).dt.days
    periods = (elapsed // size).clip(lower=0)
    return Contracts(frame.assign(periods=periods, churned=churned), np.ones(len(frame)))


def _days(column: pd.Series) -> pd.Series:
    """Return a column of dates, timestamps or ISO text as midnights without a zone; what is none is missing."""
    days = pd.to_datetime(column, errors="coerce", format="ISO8601")
    return (days.dt.tz_localize(None) if days.dt.tz is not None else days).dt.normalize()


def _months_or_days(text: Any) -> tuple[int, str] | None:
    """Read "1 year" as (12, "month") and "2 weeks" as (14, "day"); None for what is no whole length."""
    try:
        count, _, unit = horizon_text(text).partition(" ")
    except (SettingsError, TypeError):
        return None
    factor, kind = {"year": (12, "month"), "month": (1, "month"), "week": (7, "day"), "day": (1, "day")}[
        unit.removesuffix("s")
    ]
    return (int(count) * factor, kind) if count.isdigit() and int(count) > 0 else None


def _whole_months(start: pd.Series, end: pd.Series) -> pd.Series:
    """Months from one day to another by the calendar; the 31st falls on the last day of a shorter month."""
    months = (end.dt.year - start.dt.year) * 12 + end.dt.month - start.dt.month
    return months - (end.dt.day < np.minimum(start.dt.day, end.dt.days_in_month)).astype(int)


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
        horizon: float | None = None,
        when: Moment = "before_renewal",
        covariates: pd.DataFrame | None = None,
    ) -> Floats:
        """Expected discounted number of renewals to come of a customer who has made some (DERL).

        Parameters
        ----------
        renewals : float or array
            Renewals made so far; 0 in the first period.
        annual_discount_rate : float
            Effective rate a year.
        periods_per_year : float
            How many periods of the contract a year has: 12 for monthly renewal.
        horizon, when
            As the function of this name in this module takes them.
        covariates : DataFrame, optional
            Needed where the fit has covariates.
        """
        if not (annual_discount_rate > -1 and periods_per_year > 0):
            raise SettingsError(
                f"annual_discount_rate is {annual_discount_rate} and periods_per_year {periods_per_year}; give a "
                "fraction such as 0.10, and a number above 0."
            )
        rate = float(np.expm1(np.log1p(annual_discount_rate) / periods_per_year))
        return discounted_residual_lifetime(self._params(covariates), renewals, rate, horizon, when)

    def profile_interval(
        self, name: str, customers: Any, *, weights: pd.Series | Floats | None = None, level: float = 0.95
    ) -> tuple[float, float]:
        """Interval of one of `coefficients` by profile likelihood.

        Parameters
        ----------
        name : str
            As in `coefficients`.
        customers : Contracts
            What `contracts` makes of the data of the fit.
        weights, level
            As in `Fit.profile_interval`.
        """
        return super().profile_interval(
            name, cast(CustomerSummary, customers), weights=_weights(customers, weights), level=level
        )

    def _params(self, covariates: pd.DataFrame | None) -> SBGParams:
        if covariates is None:
            if self.effects:
                raise SettingsError("this fit has covariates: give `covariates`, a frame with those of the contracts.")
            return self.params
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
    as_of : date or str
        With dates: the day up to which an end would be known. A later end is not seen.
    weights : Series or array, shape (n_contracts,), optional
        Case weights of the memberships, >= 0.
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
        When counts or memberships break a rule: all rules at once, with the first rows of each. When no contract ended.
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


def _weights(data: Contracts, weights: pd.Series | Floats | None) -> Floats:
    given = case_weights(weights, len(data.counts))
    return data.counts if given is None else data.counts * given


def _starting_values(columns: tuple[Floats, ...], counts: Floats) -> Sequence[SBGParams]:
    """Begin with chances to leave that differ much, or little, around the share that left at a renewal."""
    periods, churned = columns
    share = float(counts @ churned / (counts @ (periods + churned)))
    return [SBGParams(share * certainty, (1 - share) * certainty) for certainty in (2.0, 20.0)]
