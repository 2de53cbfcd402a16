"""What all fits share: a frozen value with parameters, labelled covariance and log-likelihood."""

import dataclasses
import json
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from scipy.special import ndtri

from crm_analysis.errors import SettingsError
from crm_analysis.models.histories import Floats
from crm_analysis.models.likelihood import Maximum


@dataclass(frozen=True, eq=False, kw_only=True)
class Fit:
    """Base of every fit. Two fits can stand side by side; none of them ever changes.

    Attributes
    ----------
    params : NamedTuple
        Natural parameters of the model.
    covariance : DataFrame
        Of the natural parameters, labelled on both sides; missing for a fit made from published parameters.
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

    @classmethod
    def from_params(cls, params: tuple[float, ...], *, time_unit: str = "week") -> Self:
        """Make a fit of published parameters: it predicts, and has no covariance and no likelihood."""
        names = cls.names()
        unknown = pd.DataFrame(np.nan, index=names, columns=names)
        return cls(
            params=cls.params_type(*params),
            covariance=unknown,
            log_likelihood=np.nan,
            number_of_customers=0,
            time_unit=time_unit,
            converged=True,
        )

    @classmethod
    def from_maximum(cls, maximum: Maximum, *, number_of_customers: float, time_unit: str) -> Self:
        """Make a fit of what the optimiser found."""
        return cls(
            params=cls.params_type(*(float(value) for value in maximum.params)),
            covariance=pd.DataFrame(maximum.covariance, index=cls.names(), columns=cls.names()),
            log_likelihood=maximum.log_likelihood,
            number_of_customers=number_of_customers,
            time_unit=time_unit,
            converged=maximum.converged,
            advice=maximum.advice,
        )

    @classmethod
    def names(cls) -> list[str]:
        """Names of the parameters, in order."""
        return list(cls.params_type._fields)  # type: ignore[attr-defined]  # a NamedTuple class

    @property
    def coefficients(self) -> pd.Series:
        """Everything estimated, by name, natural scale."""
        return pd.Series(list(self.params), index=self.names(), name="estimate", dtype=float)

    @property
    def aic(self) -> float:
        """Akaike's information criterion; smaller is better."""
        return 2 * len(self.params) - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's information criterion, with the number of customers; smaller is better."""
        return len(self.params) * float(np.log(self.number_of_customers)) - 2 * self.log_likelihood

    def summary(self, *, level: float = 0.95) -> pd.DataFrame:
        """Estimates with standard errors and intervals, one row a parameter.

        The interval is symmetric on the log scale (delta method), so it never leaves the positive numbers.
        """
        estimate = self.coefficients
        error = pd.Series(np.sqrt(np.diag(self.covariance)), index=estimate.index)
        factor = np.exp(ndtri((1 + level) / 2) * error / estimate)
        return pd.DataFrame(
            {"estimate": estimate, "standard_error": error, "lower": estimate / factor, "upper": estimate * factor}
        )

    def draws(self, n: int, seed: int) -> pd.DataFrame:
        """Draw parameters from the log-normal approximation to their sampling distribution.

        Parameters
        ----------
        n : int
            Number of draws.
        seed : int
            The same seed gives the same draws.

        Returns
        -------
        DataFrame, n rows, one column a parameter
            Natural scale, all positive.

        Raises
        ------
        SettingsError
            When the fit has no covariance to draw from.
        """
        if self.covariance.isna().to_numpy().any():
            raise SettingsError(f"this {self.model_name} fit has no covariance to draw parameters from.")
        values = np.asarray(self.params)
        of_logs = self.covariance.to_numpy() / np.outer(values, values)
        normal = np.random.default_rng(seed).multivariate_normal(np.zeros(len(values)), of_logs, size=n, method="eigh")
        return pd.DataFrame(values * np.exp(normal), columns=self.names())

    def with_params(self, params: tuple[float, ...]) -> Self:
        """Return this fit with other parameters, for draws and what-ifs; covariance and likelihood stay behind."""
        return type(self).from_params(params, time_unit=self.time_unit)

    def to_json(self) -> str:
        """Return the fit as JSON text, digit for digit."""
        content = {"model": self.model_name} | {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name != "covariance"
        }
        content["covariance"] = self.covariance.to_numpy().tolist()
        return json.dumps(content, default=list)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read a fit that `to_json` wrote; refuse that of another model."""
        content = json.loads(text)
        model = content.pop("model", None)
        if model != cls.model_name:
            raise SettingsError(f"this file holds a {model} fit, not a {cls.model_name} fit.")
        names = cls.names()
        content["covariance"] = pd.DataFrame(content["covariance"], index=names, columns=names, dtype=float)
        content["params"] = cls.params_type(*content["params"])
        content["advice"] = tuple(content["advice"])
        return cls(**content)


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
