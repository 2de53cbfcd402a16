"""What all fits share: a frozen value with parameters, labelled covariance and log-likelihood."""

import dataclasses
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import chdtrc, ndtri

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.covariates import Covariates, Design, Effect, moved
from crm_analysis.models.histories import Floats, distinct_rows
from crm_analysis.models.likelihood import LikelihoodAndScore, Maximum, maximize_likelihood, profile_interval

Params = Any  # each model has a NamedTuple of its own; its module knows which
EffectRequest = tuple[str, Mapping[str, float], Covariates]
"""Label, the parameters moved with their signs, and the covariates asked for."""


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
    """

    model_name: ClassVar[str]
    params_type: ClassVar[type]

    params: tuple[float, ...]
    covariance: pd.DataFrame
    log_likelihood: float
    number_of_customers: float
    time_unit: str
    converged: bool
    advice: tuple[str, ...] = ()
    effects: tuple[Effect, ...] = ()
    penalty: float = 0.0

    @classmethod
    def from_params(cls, params: tuple[float, ...], *, time_unit: str = "week") -> Self:
        """Make a fit of published parameters: it predicts, and has no covariance and no likelihood."""
        names = cls.names()
        return cls(
            params=cls.params_type(*params),
            covariance=pd.DataFrame(np.nan, index=names, columns=names),
            log_likelihood=np.nan,
            number_of_customers=0,
            time_unit=time_unit,
            converged=True,
        )

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
        """
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
            Number of draws.
        seed : int
            The same seed gives the same draws.

        Returns
        -------
        DataFrame, n rows, one column a parameter or coefficient
            Natural scale. Parameters are log-normal, so all positive; coefficients of covariates normal.

        Raises
        ------
        SettingsError
            When the fit has no covariance to draw from.
        """
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
        )

    def params_of(self, customers: CustomerSummary) -> Params:
        """Return the parameters of each customer: numbers, or arrays where covariates move them."""
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
            When the other fit is of another model (compare `aic` or `bic`), of other customers, or not smaller.
        """
        added = set(self.coefficients.index) - set(restricted.coefficients.index)
        fixed = [name for name in self.params._fields if name not in self.names()]  # type: ignore[attr-defined]
        same = (
            self.model_name == restricted.model_name
            and self.number_of_customers == restricted.number_of_customers
            and all(getattr(self.params, name) == getattr(restricted.params, name) for name in fixed)
        )
        if not (same and added and set(restricted.coefficients.index) < set(self.coefficients.index)):
            raise SettingsError(
                "a likelihood-ratio test needs two fits of one model on the same customers, one with fewer covariates; "
                f"these are {self.model_name} with {', '.join(self.coefficients.index)} and {restricted.model_name} "
                f"with {', '.join(restricted.coefficients.index)}. Compare fits of different models by aic or bic."
            )
        if self.penalty or restricted.penalty:
            raise SettingsError("a likelihood-ratio test needs fits without a penalty.")
        statistic = float(max(0.0, 2 * (self.log_likelihood - restricted.log_likelihood)))
        return LikelihoodRatioTest(statistic, len(added), float(chdtrc(len(added), statistic)))

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
            Probability that the interval covers.

        Returns
        -------
        (float, float)
            0 or infinite where the data set no limit on that side.

        Raises
        ------
        SettingsError
            For an unknown name, other customers than those of the fit, or a fit with a penalty.
        """
        names = list(self.coefficients.index)
        if name not in names:
            raise SettingsError(f"there is no parameter {name!r}; this fit has {', '.join(names)}.")
        problem = _Problem.of(self, customers, weights, self.effects)
        values = self.coefficients.to_numpy()
        likelihood = problem.likelihood(self)
        highest = float(problem.counts @ likelihood(values)[0])
        again = highest + self.log_likelihood_constant(customers, weights)
        if self.penalty or not np.isclose(again, self.log_likelihood, rtol=1e-9, atol=1e-6):
            raise SettingsError("profile intervals need the customers and weights of the fit, and no penalty.")
        maximum = Maximum(values, self.covariance.to_numpy(), highest, self.converged, self.advice)
        return profile_interval(
            likelihood,
            maximum,
            position=names.index(name),
            counts=problem.counts,
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
        if not (np.isfinite(penalty) and penalty >= 0):
            raise SettingsError(f"penalty is {penalty}; give a number >= 0.")
        used, frame = self.data(customers)[1], self.covariate_frame(customers)
        case = case_weights(weights, len(used))
        if case is not None:
            used = used & (case > 0)  # rows without weight do not make a covariate vary
        asked = [
            Effect(label, signs, Design.learn(covariates, frame[used]), ())
            for label, signs, covariates in effects
            if covariates is not None
        ]
        empty = [replace(effect, coefficients=(0.0,) * len(effect.design.names)) for effect in asked]
        problem = _Problem.of(self, customers, weights, empty)
        standard = problem.standardised()
        shape = replace(self, effects=tuple(empty))
        names = list(shape.coefficients.index)
        number = len(names) - len(self.names())
        maximum = maximize_likelihood(
            standard.likelihood(shape),
            names=names,
            starts=[(*start, *[0.0] * number) for start in starts(problem.columns, problem.counts)],
            counts=problem.counts,
            coefficients=number,
            penalty=penalty,
        )
        params, covariance = problem.in_given_units(maximum, shape)
        found = shape.with_coefficients(list(params))
        return replace(
            found,
            covariance=pd.DataFrame(covariance, index=names, columns=names),
            log_likelihood=maximum.log_likelihood + self.log_likelihood_constant(customers, weights),
            number_of_customers=float(problem.counts.sum()),
            converged=maximum.converged,
            advice=maximum.advice,
            penalty=penalty,
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
        """Read a fit that `to_json` wrote; refuse that of another model."""
        content = json.loads(text)
        model = content.pop("model", None)
        if model != cls.model_name:
            raise SettingsError(f"this file holds a {model} fit, not a {cls.model_name} fit.")
        content["params"] = cls.params_type(*content["params"])
        content["advice"] = tuple(content["advice"])
        content["effects"] = tuple(_effect_from_json(effect) for effect in content["effects"])
        covariance = content.pop("covariance")
        fit = cls(**content, covariance=pd.DataFrame())
        names = fit.coefficients.index
        return replace(fit, covariance=pd.DataFrame(covariance, index=names, columns=names, dtype=float))


def _effect_from_json(content: dict[str, Any]) -> Effect:
    design = content["design"]
    levels = {name: tuple(known) for name, known in design["levels"].items()}
    return Effect(
        content["label"],
        content["signs"],
        Design(design["formula"], tuple(design["names"]), levels),
        tuple(content["coefficients"]),
    )


@dataclass(frozen=True)
class _Problem:
    """Distinct rows of data and covariates, with their counts: what the optimiser works on."""

    columns: tuple[Floats, ...]
    matrices: tuple[Floats, ...]
    counts: Floats

    @classmethod
    def of(
        cls,
        fit: Fit,
        customers: CustomerSummary,
        weights: pd.Series | Floats | None,
        effects: Sequence[Effect],
    ) -> "_Problem":
        columns, used = fit.data(customers)
        frame = fit.covariate_frame(customers)
        case = case_weights(weights, len(used))
        matrices = [effect.design.matrix(frame[used]) for effect in effects]
        covariates = [column for matrix in matrices for column in matrix.T]
        rows = distinct_rows(*columns, *covariates, weights=None if case is None else case[used])
        # Rows without weight say nothing, and would only be in the way of logarithms.
        weighty = rows.counts > 0
        distinct = [column[weighty] for column in rows.columns]
        ends = np.cumsum([len(columns), *(matrix.shape[1] for matrix in matrices)])
        parts = [np.column_stack(distinct[start:end]) for start, end in pairwise(ends) if end > start]
        return cls(tuple(distinct[: len(columns)]), tuple(parts), rows.counts[weighty])

    def _centre_and_scale(self, matrix: Floats) -> tuple[Floats, Floats]:
        share = self.counts / self.counts.sum()
        centre = share @ matrix
        return centre, np.sqrt(share @ (matrix - centre) ** 2)

    def standardised(self) -> "_Problem":
        """Covariates with mean 0 and standard deviation 1, in which the search is equally steep everywhere."""
        standard = []
        for matrix in self.matrices:
            centre, scale = self._centre_and_scale(matrix)
            standard.append((matrix - centre) / scale)
        return replace(self, matrices=tuple(standard))

    def in_given_units(self, maximum: Maximum, shape: Fit) -> tuple[Floats, Floats]:
        """Restate a maximum found on standardised covariates for the covariates as given."""
        names = shape.names()
        positive = np.arange(len(maximum.params)) < len(names)
        step = np.eye(len(maximum.params))
        position = len(names)
        for effect, matrix in zip(shape.effects, self.matrices, strict=True):
            centre, scale = self._centre_and_scale(matrix)
            here = np.arange(position, position + len(scale))
            step[here, here] = 1 / scale
            for name, sign in effect.signs.items():
                step[names.index(name), here] = -sign * centre / scale
            position += len(scale)
        logs = np.where(positive, np.log(np.where(positive, maximum.params, 1.0)), maximum.params)
        restated = step @ logs
        params = np.where(positive, np.exp(np.where(positive, restated, 0.0)), restated)
        before, after = np.where(positive, maximum.params, 1.0), np.where(positive, params, 1.0)
        jacobian = after[:, None] * step / before
        return params, jacobian @ maximum.covariance @ jacobian.T

    def likelihood(self, shape: Fit) -> LikelihoodAndScore:
        """Return the likelihood as a function of everything estimated, covariates chained into the model's own."""
        names = shape.names()
        position = {name: place for place, name in enumerate(names)}

        def function(values: Floats) -> tuple[Floats, Floats]:
            base = dict(zip(names, values.tolist(), strict=False))
            if not shape.effects:
                params = shape.params._replace(**base)  # type: ignore[attr-defined]
                return shape.log_likelihood_and_score(params, *self.columns)
            effects, rest = [], values[len(names) :]
            for effect in shape.effects:
                effects.append(replace(effect, coefficients=tuple(rest[: len(effect.coefficients)])))
                rest = rest[len(effect.coefficients) :]
            own = moved(base, effects, self.matrices)
            params = shape.params._replace(**own)  # type: ignore[attr-defined]
            value, score = shape.log_likelihood_and_score(params, *self.columns)
            by_log = score * np.column_stack([np.broadcast_to(own[name], value.shape) for name in names])
            of_params = by_log / values[: len(names)]
            of_coefficients = [
                sum(sign * by_log[:, position[name]] for name, sign in effect.signs.items())[:, None] * matrix  # type: ignore[index]
                for effect, matrix in zip(effects, self.matrices, strict=True)
            ]
            return value, np.concatenate([of_params, *of_coefficients], axis=1)

        return function


def case_weights(weights: pd.Series | Floats | None, length: int) -> Floats | None:
    """Return case weights as an array; refuse a wrong length, a missing, negative or all-zero weight."""
    if weights is None:
        return None
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (length,) or not np.isfinite(array).all() or (array < 0).any() or array.sum() == 0:
        raise SettingsError(
            f"weights: give one weight >= 0 for each of the {length:,} customers, not all of them zero."
        )
    return array
