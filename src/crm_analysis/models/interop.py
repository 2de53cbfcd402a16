"""Fits that cross the border: from and to lifetimes, and from PyMC-Marketing.

Read against lifetimes 0.11.3 and PyMC-Marketing 0.19. Objects of these packages are known by the name of their class,
so neither package is imported to read one. What lifetimes says beside the parameters is not taken over: its
log-likelihood is the mean over rescaled data, which no criterion can use, and its covariance is wrong off the diagonal.
Both are computed again from the data that the fitter keeps.
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError, listing, warn_of_doubt
from crm_analysis.messages import _, number
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.fit import Fit, Params
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.histories import Floats, distinct_rows
from crm_analysis.models.likelihood import maximize_likelihood
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.models.problem import Problem
from crm_analysis.periods import TimeUnit, check_time_unit, units_per_year

# An estimate from which the log-likelihood can rise by less than this is a maximum: it is within a seventh of a
# standard error of the best value in every direction.
_MAXIMUM = 0.01
# Few purchase logs are longer.
_PLAUSIBLE_YEARS = 10.0
# Beyond it the chains of a sampler tell different stories (Gelman et al. 2013, Bayesian Data Analysis, section 11.4).
_LARGEST_R_HAT = 1.05


@dataclass(frozen=True)
class _Counterpart:
    """A model of ours as another package knows it.

    Attributes
    ----------
    fit_type : type of Fit
    columns : tuple of str
        What the package calls the columns of its data, in the order in which our likelihood takes them.
    generator : str
        Function of `lifetimes.generate_data` that simulates the model; "" where there is none.
    """

    fit_type: type[Fit]
    columns: tuple[str, ...]
    generator: str = ""


_HISTORY = ("frequency", "recency", "T")
_SPEND = ("frequency", "monetary_value")
_BY_THE_CALENDAR = (BGNBDFit.model_name, MBGNBDFit.model_name, ParetoNBDFit.model_name)

_LIFETIMES = {
    "BetaGeoFitter": _Counterpart(BGNBDFit, _HISTORY, "beta_geometric_nbd_model"),
    "ModifiedBetaGeoFitter": _Counterpart(MBGNBDFit, _HISTORY, "modified_beta_geometric_nbd_model"),
    "ParetoNBDFitter": _Counterpart(ParetoNBDFit, _HISTORY, "pareto_nbd_model"),
    "BetaGeoBetaBinomFitter": _Counterpart(
        BGBBFit, ("frequency", "recency", "n_periods"), "beta_geometric_beta_binom_model"
    ),
    "GammaGammaFitter": _Counterpart(GammaGammaFit, _SPEND),
}
_PYMC_MARKETING = {
    "BetaGeoModel": _Counterpart(BGNBDFit, _HISTORY),
    "ModifiedBetaGeoModel": _Counterpart(MBGNBDFit, _HISTORY),
    "ParetoNBDModel": _Counterpart(ParetoNBDFit, _HISTORY),
    "BetaGeoBetaBinomModel": _Counterpart(BGBBFit, _HISTORY),
    "GammaGammaModel": _Counterpart(GammaGammaFit, _SPEND),
}


# --- lifetimes --------------------------------------------------------------------------------------------------


def from_lifetimes(fitter: Any, *, time_unit: TimeUnit = "week") -> Fit:
    """Return a fitted lifetimes model as a fit of this package.

    Parameters
    ----------
    fitter : BetaGeoFitter, ModifiedBetaGeoFitter, ParetoNBDFitter, BetaGeoBetaBinomFitter or GammaGammaFitter
        Fitted; made by lifetimes, or loaded with its `load_model`.
    time_unit : {"day", "week", "month"}
        Unit of the `recency` and `T` it was fitted to, which the fitter does not know; for opportunities to buy the
        time from one to the next. Spend has none.

    Returns
    -------
    BGNBDFit, MBGNBDFit, ParetoNBDFit, BGBBFit or GammaGammaFit
        With the fitter's parameters, digit for digit. Where the fitter keeps its data, `log_likelihood` is that of the
        data as given (so that `aic` and `bic` compare with those of our fits), and `covariance` that of the maximum
        the parameters stand at. `advice` says what is missing and why, among it the covariance of a penalised fit.

    Raises
    ------
    SettingsError
        When the object is of another class, or is not fitted.

    Warns
    -----
    EstimationWarning
        When the fitter stopped short of the maximum, the maximum lies on a ridge, or T would be longer than ten years.

    Examples
    --------
    >>> class BetaGeoFitter:  # stands for the one of lifetimes
    ...     params_ = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
    ...     penalizer_coef = 0.0
    >>> float(from_lifetimes(BetaGeoFitter()).expected_purchases_new_customer("52 weeks").round(3))
    1.446
    """
    counterpart = _counterpart(fitter, _LIFETIMES, "lifetimes")
    estimate = getattr(fitter, "params_", None)
    if estimate is None:
        raise SettingsError(f"this {type(fitter).__name__} is not fitted; call its fit method first.")
    fit = _of_params(counterpart, [float(estimate[name]) for name in counterpart.fit_type.names()], time_unit)
    penalizer = getattr(fitter, "penalizer_coef", 0.0)
    penalised = (_penalised(penalizer),) if penalizer else ()
    data = _data(fitter, counterpart.columns, weights="weights")
    if data is None:
        return replace(fit, advice=(_no_data(), *penalised))
    columns, counts = data
    fit = _with_likelihood(fit, columns, counts)
    doubts = _doubt_about_the_unit(fit, columns)
    if penalised:
        return replace(fit, advice=(*doubts, *penalised))

    maximum = maximize_likelihood(
        Problem(columns, (), counts).likelihood(fit),
        names=fit.names(),
        starts=[fit.params],
        total=float(counts.sum()),
    )
    rise = maximum.log_likelihood - fit.log_likelihood
    if rise > _MAXIMUM:
        doubt = _(
            "the fitter stopped short of the maximum: the log-likelihood can rise by {rise}, hence no covariance; "
            "fit the model again, here or with a smaller tolerance.",
            rise=number(rise),
        )
        warn_of_doubt(doubt)
        return replace(fit, converged=False, advice=(*doubts, doubt))
    return replace(
        fit,
        covariance=pd.DataFrame(maximum.covariance, index=fit.names(), columns=fit.names()),
        converged=maximum.converged,
        advice=(*doubts, *maximum.advice),
    )


def to_lifetimes(fit: Fit, customers: CustomerSummary | None = None) -> Any:
    """Return a fit as a fitted lifetimes model, for code that expects one.

    Parameters
    ----------
    fit : BGNBDFit, MBGNBDFit, ParetoNBDFit, BGBBFit or GammaGammaFit
        Without covariates, which lifetimes does not have.
    customers : CustomerSummary, optional
        Given, the model also answers what lifetimes asks of the data it was fitted to: matrices and plots without a
        stated range, and `generate_new_data`.

    Returns
    -------
    lifetimes fitter
        Parameters, standard errors and covariance are those of the fit; every method that predicts works.

    Raises
    ------
    SettingsError
        When lifetimes has no such model, the fit has covariates, or the customers are in another time unit.
    """
    name = next((name for name, known in _LIFETIMES.items() if type(fit) is known.fit_type), None)
    if name is None:
        known = listing([counterpart.fit_type.__name__ for counterpart in _LIFETIMES.values()])
        raise SettingsError(f"lifetimes has no model for a {type(fit).__name__}; it has one for {known}.")
    if fit.effects:
        raise SettingsError("lifetimes has no covariates, so this fit cannot be stated there; fit one without them.")
    with warnings.catch_warnings():
        # Its import turns off warnings for the whole process, and raises some of its own on today's pandas.
        warnings.simplefilter("ignore")
        import lifetimes
        from lifetimes import generate_data

    fitter = getattr(lifetimes, name)()
    fitter.params_ = fit.coefficients.rename(None)
    fitter.variance_matrix_ = fit.covariance.copy()
    fitter.standard_errors_ = fitter._compute_standard_errors()
    fitter.confidence_intervals_ = fitter._compute_confidence_intervals()
    # What the fit methods of lifetimes leave on the instance, other methods and its plots rely on.
    if hasattr(fitter, "conditional_expected_number_of_purchases_up_to_time"):
        fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
    if customers is not None:
        columns, generator = _LIFETIMES[name].columns, _LIFETIMES[name].generator
        fitter.data = _lifetimes_data(fit, columns, customers)
        if generator:
            # The last column is how long each customer was observed.
            observed = fitter.data[columns[-1]].to_numpy()
            fitter.generate_new_data = partial(getattr(generate_data, generator), observed, *fit.params)
    return fitter


def _lifetimes_data(fit: Fit, names: tuple[str, ...], customers: CustomerSummary) -> pd.DataFrame:
    if fit.time_unit and customers.time_unit != fit.time_unit:
        raise SettingsError(
            f"this fit counts time in {fit.time_unit}s, the customer summary in {customers.time_unit}s; "
            f"summarise with time_unit={fit.time_unit!r}."
        )
    columns, used = fit.data(customers)
    frame = pd.DataFrame(dict(zip(names, columns, strict=True)), index=customers.frame.index[used])
    return frame.assign(weights=1)


def _penalised(penalizer: float) -> str:
    return _(
        "penalizer_coef = {penalizer} drew every parameter towards zero, those that carry time or money by an amount "
        "that depends on their unit; the likelihood does not tell how sure such an estimate is, so there is no "
        "covariance. Fit without a penalty to get one.",
        penalizer=f"{penalizer:g}",
    )


# --- PyMC-Marketing ---------------------------------------------------------------------------------------------


def from_pymc_marketing(model: Any, *, time_unit: TimeUnit = "week") -> Fit:
    """Return a fitted PyMC-Marketing model as a fit of this package.

    Parameters
    ----------
    model : BetaGeoModel, ModifiedBetaGeoModel, ParetoNBDModel, BetaGeoBetaBinomModel or GammaGammaModel
        Fitted by any of its methods, without covariates.
    time_unit : {"day", "week", "month"}
        Unit of the `recency` and `T` it was fitted to, which the model does not know, as in `from_lifetimes`.

    Returns
    -------
    BGNBDFit, MBGNBDFit, ParetoNBDFit, BGBBFit or GammaGammaFit
        The posterior as one log-normal, which is what `draws` draws from: each parameter is the exponential of the mean
        of its log over the draws, near its median, and the covariance is that of the logs of the draws, carried to the
        natural scale. After a MAP fit there is one draw, hence no covariance. `log_likelihood` is that of the model's
        data at these parameters, below the maximum by what prior and averaging take away. `advice` says so.

    Raises
    ------
    SettingsError
        When the object is of another class, is not fitted, or has covariates.

    Warns
    -----
    EstimationWarning
        When the chains of the sampler disagree, or T would be longer than ten years.
    """
    counterpart = _counterpart(model, _PYMC_MARKETING, "PyMC-Marketing")
    used = [name for kind in ("purchase", "dropout") for name in getattr(model, f"{kind}_covariate_cols", [])]
    if used:
        raise SettingsError(
            f"this {type(model).__name__} has covariates ({listing(used)}), whose posterior is not taken over; fit the "
            "model here with the same covariates."
        )
    try:
        posterior = model.fit_result
    except (AttributeError, RuntimeError):
        raise SettingsError(f"this {type(model).__name__} is not fitted; call its fit method first.") from None
    names = counterpart.fit_type.names()
    logs = np.log([np.asarray(posterior[name], dtype=np.float64) for name in names])  # parameter, chain, draw
    params = np.exp(logs.mean(axis=(1, 2)))
    fit = _of_params(counterpart, params, time_unit)
    data = _data(model, counterpart.columns)
    doubts: tuple[str, ...] = ()
    if data is not None:
        fit, doubts = _with_likelihood(fit, *data), _doubt_about_the_unit(fit, data[0])
    if logs[0].size == 1:
        advice = [
            _(
                "a posterior mode (MAP), not a maximum of the likelihood: the priors are in the parameters, and there "
                "is no covariance. Sample the posterior, or fit the model here, to know how sure they are."
            )
        ]
    else:
        covariance = np.outer(params, params) * np.cov(logs.reshape(len(names), -1))
        fit = replace(fit, covariance=pd.DataFrame(covariance, index=names, columns=names))
        advice = [
            _(
                "a posterior, not a maximum of the likelihood: the priors are in the parameters and in the covariance, "
                "and aic and bic are those of the middle of the draws. Compare them with care."
            )
        ]
        r_hat = max(_r_hat(chains) for chains in logs)
        if r_hat > _LARGEST_R_HAT:
            doubt = _(
                "the chains of the sampler disagree (R-hat {r_hat}), so the parameters are provisional; sample longer.",
                r_hat=number(r_hat),
            )
            warn_of_doubt(doubt)
            fit, advice = replace(fit, converged=False), [*advice, doubt]
    return replace(fit, advice=(*doubts, *advice, *(() if data is not None else (_no_data(),))))


def _r_hat(chains: Floats) -> float:
    """Split R-hat of one parameter: how much wider all halves of all chains lie together than each one alone."""
    length = chains.shape[1] // 2
    if length < 2:
        return 1.0  # too short to tell
    halves = np.concatenate([chains[:, :length], chains[:, -length:]])
    within = halves.var(axis=1, ddof=1).mean()
    between = halves.mean(axis=1).var(ddof=1)
    return float(np.sqrt((length - 1) / length + between / within)) if within > 0 else 1.0


# --- both -------------------------------------------------------------------------------------------------------


def _counterpart(model: Any, known: Mapping[str, _Counterpart], package: str) -> _Counterpart:
    # The name of the class itself: a class derived from one of these may mean something else by its parameters.
    name = type(model).__name__
    if name not in known:
        raise SettingsError(f"a {name} cannot be read as a model of {package}; give a fitted {', '.join(known)}.")
    return known[name]


def _of_params(counterpart: _Counterpart, params: Params, time_unit: TimeUnit) -> Fit:
    check_time_unit(time_unit)
    fit_type = counterpart.fit_type
    return fit_type.from_params(tuple(map(float, params)), time_unit="" if fit_type is GammaGammaFit else time_unit)


def _data(
    model: Any, names: tuple[str, ...], *, weights: str | None = None
) -> tuple[tuple[Floats, ...], Floats] | None:
    """Return the distinct rows of the data a model was fitted to, and what each stands for; None without data."""
    frame = getattr(model, "data", None)
    needed = [*names, *([] if weights is None else [weights])]
    if not isinstance(frame, pd.DataFrame) or not {*needed} <= {*frame.columns}:
        return None
    columns = [frame[name].to_numpy(dtype=np.float64) for name in needed]
    rows = distinct_rows(*columns[: len(names)], weights=None if weights is None else columns[-1])
    return rows.columns, rows.counts


def _doubt_about_the_unit(fit: Fit, columns: tuple[Floats, ...]) -> tuple[str, ...]:
    """Warn where customers would have been watched for very long: then the unit is not the one that was said."""
    if fit.model_name not in _BY_THE_CALENDAR:
        return ()
    longest = float(columns[_HISTORY.index("T")].max())
    years = longest / units_per_year(fit.time_unit)
    if years <= _PLAUSIBLE_YEARS:
        return ()
    doubt = _(
        "T goes up to {length} and is taken as {unit}s, which is {years} years; say time_unit where the model was "
        "fitted to another unit.",
        length=number(longest, 0),
        unit=fit.time_unit,
        years=number(years, 0),
    )
    warn_of_doubt(doubt)
    return (doubt,)


def _with_likelihood(fit: Fit, columns: tuple[Floats, ...], counts: Floats) -> Fit:
    log_likelihood = float(counts @ fit.log_likelihood_and_score(fit.params, *columns)[0])
    return replace(fit, log_likelihood=log_likelihood, number_of_customers=float(counts.sum()))


def _no_data() -> str:
    return _("the model came without the data it was fitted to, so there is no log-likelihood, no aic and no bic.")
