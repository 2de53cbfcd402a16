"""What all fits share: a frozen value with parameters, labelled covariance and log-likelihood."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import (
    case_weights,
    check_draws,
    check_level,
    check_penalty,
    is_number,
    require_summary,
)
from crm_analysis.models.covariates import Covariates, Design, Effect, moved
from crm_analysis.models.histories import Floats
from crm_analysis.models.likelihood import Maximum, maximize_likelihood, profile_interval
from crm_analysis.models.problem import Problem
from crm_analysis.models.saved_fit import damaged, saved_content, saved_effect
from crm_analysis.periods import check_time_unit

Params = Any  # each model has a NamedTuple of its own; its module knows which
EffectRequest = tuple[str, Mapping[str, float], Covariates]
"""Label, the parameters moved with their signs, and the covariates asked for."""

# Rows on which a search is rehearsed: enough that it ends within a few hundredths of the maximum of all rows.
_REHEARSED = 5_000


@dataclass(frozen=True)
class LikelihoodRatioTest:
    """Whether what a larger model adds is more than chance.

    Attributes
    ----------
    statistic : float
        Twice the difference of the log-likelihoods.
    degrees_of_freedom : int
        Parameters added.
    p_value : float
        By the chi-square; where the smaller model lies on the edge of the larger one, the true value is lower.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit(ABC):
    """Base of every fit. Two fits can stand side by side; none of them ever changes.

    Attributes
    ----------
    params : NamedTuple
        Natural parameters of the model; with covariates, those of a customer whose covariates are all zero.
    covariance : DataFrame
        Of everything estimated, natural scale, labelled on both sides; missing for published parameters.
    log_likelihood : float
        Unscaled, of the data as given; missing for a fit made from published parameters.
    number_of_customers : float
        Customers (or case weight) the likelihood was summed over.
    time_unit : str
        Unit of the parameters that carry time: "day", "week" or "month"; "" where none does.
    converged : bool
        Whether the search ended at an interior maximum.
    advice : tuple of str
        What is doubtful about the estimate and what to try.
    effects : tuple of Effect
        What covariates do to the parameters, with their coefficients.
    penalty : float
        Weight of the squared coefficients in the search.
    data_totals : tuple of float
        Sums over the data the fit was made from, by which two fits know whether theirs is the same; empty where there
        was none.
    """

    model_name: ClassVar[str]
    params_type: ClassVar[type]
    carries_time: ClassVar[bool] = False
    """Whether parameters are in a unit of time; where none is, `time_unit` may be ""."""

    params: tuple[float, ...]
    covariance: pd.DataFrame
    log_likelihood: float
    number_of_customers: float
    time_unit: str
    converged: bool
    advice: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    penalty: float = 0.0
    data_totals: tuple[float, ...] = ()

    @classmethod
    def from_params(cls, params: tuple[float, ...], *, time_unit: str = "week") -> Self:
        """Make a fit of published parameters: it predicts, and has no covariance and no likelihood.

        Parameters
        ----------
        params : tuple of float
            All parameters of the model, in the order of its NamedTuple; those of `names` are above 0.
        time_unit : {"day", "week", "month"}
            Unit of the parameters that carry time.

        Raises
        ------
        SettingsError
            For too many or too few parameters, one that is no number above 0, or an unknown time unit.
        """
        own = cls._checked_params(params)
        cls._check_time_unit(time_unit)
        names = cls.names()
        return cls(
            params=own,
            covariance=pd.DataFrame(np.nan, index=names, columns=names),
            log_likelihood=np.nan,
            number_of_customers=0,
            time_unit=time_unit,
            converged=True,
        )

    @classmethod
    def _checked_params(cls, params: Any) -> Params:
        fields = cls.params_type._fields  # type: ignore[attr-defined]  # a NamedTuple class
        try:
            # The parameters of another model may be as many, and would mean something else.
            own = params if hasattr(params, "_fields") else cls.params_type(*params)
        except TypeError:
            own = None
        if not isinstance(own, cls.params_type):
            raise SettingsError(
                f"a {cls.model_name} fit is made of {', '.join(fields)}, numbers in this order, not of {params!r}."
            )
        wrong = {name: getattr(own, name) for name in cls.names()}
        wrong = {name: value for name, value in wrong.items() if not (is_number(value) and value > 0)}
        if wrong:
            listed = ", ".join(f"{name} = {value!r}" for name, value in wrong.items())
            raise SettingsError(f"the parameters of a {cls.model_name} fit are numbers above 0, but {listed}.")
        return own

    @classmethod
    def _check_time_unit(cls, time_unit: str) -> None:
        if cls.carries_time or time_unit != "":
            check_time_unit(time_unit)

    @classmethod
    def names(cls) -> list[str]:
        """Names of the parameters that are estimated, in order."""
        return list(cls.params_type._fields)  # type: ignore[attr-defined]  # a NamedTuple class

    @property
    def coefficients(self) -> pd.Series:
        """Everything estimated, by name, natural scale: the parameters, then the coefficients of covariates."""
        values = [getattr(self.params, name) for name in self.names()]
        values += [value for effect in self.effects for value in effect.coefficients]
        names = self.names() + [name for effect in self.effects for name in effect.names]
        return pd.Series(values, index=names, name="estimate", dtype=float)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; smaller is better."""
        return 2 * len(self.coefficients) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, with the number of customers; smaller is better."""
        return len(self.coefficients) * float(np.log(self.number_of_customers)) - 2 * self.log_likelihood

    def summary(self, *, level: float = 0.95) -> pd.DataFrame:
        """Estimates with standard errors and intervals (delta method), one row a parameter or coefficient.

        The interval of a parameter is symmetric on the log scale, so it never leaves the positive numbers.

        Parameters
        ----------
        level : float
            Probability that an interval covers, inside (0, 1).
        """
        check_level(level)
        estimate = self.coefficients
        error = pd.Series(np.sqrt(np.diag(self.covariance)), index=estimate.index)
        reach = ndtri((1 + level) / 2) * error
        positive = estimate.index.isin(self.names())
        factor = np.exp((reach / estimate).where(positive, 0.0))
        lower = (estimate / factor).where(positive, estimate - reach)
        upper = (estimate * factor).where(positive, estimate + reach)
        return pd.DataFrame({"estimate": estimate, "standard_error": error, "lower": lower, "upper": upper})

    def draws(self, n: int, seed: int) -> pd.DataFrame:
        """Draw parameters from the approximation to their sampling distribution.

        Parameters
        ----------
        n : int
            Number of draws, >= 1.
        seed : int
            The same seed gives the same draws.

        Returns
        -------
        DataFrame, n rows, one column a parameter or coefficient
            Natural scale. Parameters are log-normal, so all positive; coefficients of covariates normal.

        Raises
        ------
        SettingsError
            When the fit has no covariance to draw from, or `n` is no number of draws.
        """
        check_draws(n)
        if self.covariance.isna().to_numpy().any():
            raise SettingsError(f"this {self.model_name} fit has no covariance to draw parameters from.")
        values = self.coefficients.to_numpy()
        positive = self.coefficients.index.isin(self.names())
        slope = np.where(positive, values, 1.0)
        covariance = self.covariance.to_numpy() / np.outer(slope, slope)
        rng = np.random.default_rng(seed)
        normal = rng.multivariate_normal(np.zeros(len(values)), covariance, size=n, method="eigh")
        drawn = np.where(positive, values * np.exp(np.where(positive, normal, 0.0)), values + normal)
        return pd.DataFrame(drawn, columns=self.coefficients.index)

    def with_coefficients(self, values: Sequence[float]) -> Self:
        """Return this fit with other values of `coefficients`, for draws and what-ifs, without covariance."""
        estimated, numbers = self.names(), [float(value) for value in values]
        if len(numbers) != len(self.coefficients):
            raise SettingsError(
                f"this fit has {len(self.coefficients)} coefficients, {', '.join(self.coefficients.index)}; these are "
                f"{len(numbers)}."
            )
        params = self.params._replace(**dict(zip(estimated, numbers, strict=False)))  # type: ignore[attr-defined]
        rest = numbers[len(estimated) :]
        effects = []
        for effect in self.effects:
            size = len(effect.coefficients)
            effects.append(replace(effect, coefficients=tuple(rest[:size])))
            rest = rest[size:]
        unknown = pd.DataFrame(np.nan, index=self.covariance.index, columns=self.covariance.columns)
        return replace(
            self,
            params=params,
            effects=tuple(effects),
            covariance=unknown,
            log_likelihood=np.nan,
            number_of_customers=0,
            advice=(),
            data_totals=(),
        )

    def params_of(self, customers: CustomerSummary) -> Params:
        """Return the parameters of each customer: numbers, or arrays where covariates move them."""
        require_summary(customers)
        if not self.effects:
            return self.params
        frame = self.covariate_frame(customers)
        matrices = [effect.design.matrix(frame) for effect in self.effects]
        moving = {name for effect in self.effects for name in effect.signs}
        own = moved({name: getattr(self.params, name) for name in moving}, self.effects, matrices)
        return self.params._replace(**own)  # type: ignore[attr-defined]

    def likelihood_ratio_test(self, restricted: "Fit") -> LikelihoodRatioTest:
        """Test this fit against one of the same model, on the same customers, with fewer covariates.

        Raises
        ------
        SettingsError
            When the other fit is of another model (compare `aic` or `bic`), not smaller, or of other data: other
            customers or weights, another time unit or clock.
        """
        if not isinstance(restricted, Fit):
            raise SettingsError(f"a likelihood-ratio test needs another fit, not a {type(restricted).__name__}.")
        added = set(self.coefficients.index) - set(restricted.coefficients.index)
        fixed = [name for name in self.params._fields if name not in self.names()]  # type: ignore[attr-defined]
        same = self.model_name == restricted.model_name and all(
            getattr(self.params, name) == getattr(restricted.params, name) for name in fixed
        )
        if not (same and added and set(restricted.coefficients.index) < set(self.coefficients.index)):
            raise SettingsError(
                "a likelihood-ratio test needs two fits of one model on the same customers, one with fewer covariates; "
                f"these are {self.model_name} with {', '.join(self.coefficients.index)} and {restricted.model_name} "
                f"with {', '.join(restricted.coefficients.index)}. Compare fits of different models by aic or bic."
            )
        if not self._same_data(restricted):
            raise SettingsError(
                "a likelihood-ratio test needs two fits made here from the same customers, with the same weights, in "
                "the same time unit and clock; these two were made from other data, or one of them from none."
            )
        if self.penalty or restricted.penalty:
            raise SettingsError("a likelihood-ratio test needs fits without a penalty.")
        statistic = float(max(0.0, 2 * (self.log_likelihood - restricted.log_likelihood)))
        return LikelihoodRatioTest(statistic, len(added), float(chdtrc(len(added), statistic)))

    def _same_data(self, other: "Fit") -> bool:
        mine, theirs = self.data_totals, other.data_totals
        known = 0 < len(mine) == len(theirs) and self.time_unit == other.time_unit
        return known and np.allclose(mine, theirs, rtol=1e-9, atol=0)

    def profile_interval(
        self,
        name: str,
        customers: CustomerSummary,
        *,
        weights: pd.Series | Floats | None = None,
        level: float = 0.95,
    ) -> tuple[float, float]:
        """Interval of one of `coefficients` by profile likelihood, which needs no parabola.

        Parameters
        ----------
        name : str
            As in `coefficients`.
        customers, weights
            Those the fit was made from.
        level : float
            Probability that the interval covers, inside (0, 1).

        Returns
        -------
        (float, float)
            0 or infinite where the data set no limit on that side.

        Raises
        ------
        SettingsError
            For an unknown name, other customers than those of the fit, or a fit with a penalty.
        """
        check_level(level)
        require_summary(customers)
        names = list(self.coefficients.index)
        if name not in names:
            raise SettingsError(f"there is no parameter {name!r}; this fit has {', '.join(names)}.")
        case = case_weights(weights, customers.frame.index)
        problem = Problem.of(self, customers, case, self.effects)
        values = self.coefficients.to_numpy()
        likelihood = problem.likelihood(self)
        highest = likelihood(values)[0]
        again = highest + self.log_likelihood_constant(customers, case)
        if self.penalty or not np.isclose(again, self.log_likelihood, rtol=1e-9, atol=1e-6):
            raise SettingsError("profile intervals need the customers and weights of the fit, and no penalty.")
        maximum = Maximum(values, self.covariance.to_numpy(), highest, self.converged, self.advice)
        return profile_interval(
            likelihood,
            maximum,
            position=names.index(name),
            coefficients=len(names) - len(self.names()),
            level=level,
        )

    # --- estimation: what a model says of itself, and the road all of them take --------------------------------

    @abstractmethod
    def data(self, customers: CustomerSummary) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
        """Return the columns the likelihood sees, and which customers they are of."""

    @abstractmethod
    def log_likelihood_and_score(self, params: Params, *columns: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each row, and its gradient in the parameters `names`."""

    def log_likelihood_constant(self, customers: CustomerSummary, weights: pd.Series | Floats | None) -> float:
        """Part of the log-likelihood that no parameter moves but that counts when models are compared."""
        return 0.0

    def covariate_frame(self, customers: CustomerSummary) -> pd.DataFrame:
        """Return the frame in which the columns of covariates are found."""
        return customers.frame

    def estimated(
        self,
        starts: Callable[[tuple[Floats, ...], Floats], Sequence[Sequence[float]]],
        customers: CustomerSummary,
        *,
        weights: pd.Series | Floats | None,
        effects: Sequence[EffectRequest] = (),
        penalty: float = 0.0,
    ) -> Self:
        """Return this fit with parameters estimated by maximum likelihood; what is not estimated stays.

        Parameters
        ----------
        starts : callable
            Distinct columns and their counts to natural starting values.
        customers, weights, effects, penalty
            As the public fit functions take them.
        """
        require_summary(customers)
        check_penalty(penalty)
        used, frame = self.data(customers)[1], self.covariate_frame(customers)
        case = case_weights(weights, customers.frame.index)
        if case is not None:
            used = used & (case > 0)  # rows without weight do not make a covariate vary
        asked = [
            Effect(label, signs, Design.learn(covariates, frame[used]), ())
            for label, signs, covariates in effects
            if covariates is not None
        ]
        empty = [replace(effect, coefficients=(0.0,) * len(effect.design.names)) for effect in asked]
        problem = Problem.of(self, customers, case, empty)
        standard = problem.standardised()
        shape = replace(self, effects=tuple(empty))
        names = list(shape.coefficients.index)
        number = len(names) - len(self.names())
        many = len(problem.counts) > 2 * _REHEARSED
        maximum = maximize_likelihood(
            standard.likelihood(shape),
            names=names,
            starts=[(*start, *[0.0] * number) for start in starts(problem.columns, problem.counts)],
            total=float(problem.counts.sum()),
            coefficients=number,
            penalty=penalty,
            rehearsal=standard.thinned(_REHEARSED).likelihood(shape) if many else None,
        )
        params, covariance = problem.in_given_units(maximum, shape)
        found = shape.with_coefficients(list(params))
        constant = self.log_likelihood_constant(customers, case)
        return replace(
            found,
            covariance=pd.DataFrame(covariance, index=names, columns=names),
            log_likelihood=maximum.log_likelihood + constant,
            number_of_customers=float(problem.counts.sum()),
            converged=maximum.converged,
            advice=maximum.advice,
            penalty=float(penalty),
            data_totals=(*problem.totals(), constant),
        )

    # --- saving ------------------------------------------------------------------------------------------------

    def to_json(self) -> str:
        """Return the fit as JSON text, digit for digit."""
        return json.dumps(self._to_save(), default=list)

    def _to_save(self) -> dict[str, Any]:
        content = {"model": self.model_name} | {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }
        content["covariance"] = self.covariance.to_numpy().tolist()
        content["effects"] = [dataclasses.asdict(effect) for effect in self.effects]
        return content

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a fit that `to_json` wrote.

        Raises
        ------
        SettingsError
            For text that holds no fit, only a part of one, or one of another model.
        """
        needed = [field.name for field in dataclasses.fields(cls) if field.default is dataclasses.MISSING]
        content = saved_content(text, cls.model_name, needed)
        params = cls._checked_params(content.pop("params"))
        cls._check_time_unit(content["time_unit"])
        covariance = content.pop("covariance")
        try:
            content["advice"] = tuple(content.get("advice", ()))
            content["effects"] = tuple(saved_effect(effect) for effect in content.get("effects", ()))
            content["data_totals"] = tuple(map(float, content.get("data_totals", ())))
            fit = cls(**content, params=params, covariance=pd.DataFrame())
            names = fit.coefficients.index
            return replace(fit, covariance=pd.DataFrame(covariance, index=names, columns=names, dtype=float))
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise damaged(cls.model_name, str(error)) from None
