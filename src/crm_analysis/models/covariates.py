"""Covariates: what is known of a customer besides the purchases, and how it moves the parameters of a model.

Parameter theta of customer i becomes theta exp(sign coefficients' z_i), with z_i a row of the design matrix. That is
one mechanism for every model (Fader & Hardie 2007, note 019): each model only names the parameters and the signs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats

Covariates = str | Sequence[str] | None
"""Formula text such as "~ channel + age", names of columns, or None."""

_INTERCEPT = "Intercept"
_TABLE = "customers"


@dataclass(frozen=True)
class Design:
    """How columns of a customer frame become covariates. Says everything a later frame needs to be read alike.

    Attributes
    ----------
    formula : str
        In formulaic's words, without a left side; the intercept is the parameter itself. "" for columns of numbers
        that are taken as they are.
    names : tuple of str
        Of the columns of the matrix.
    levels : mapping of str to tuple of str
        The values seen of each column that holds words; the first one is the baseline.
    """

    formula: str
    names: tuple[str, ...] = ()
    levels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def learn(cls, covariates: str | Sequence[str], frame: pd.DataFrame) -> "Design":
        """Read the covariates off a frame of customers.

        Raises
        ------
        SettingsError
            For a formula that cannot be read, has no intercept, or depends on the other rows of the frame.
        DataError
            For a column that is not there or has gaps.
        """
        if not isinstance(covariates, str):
            _check_columns(covariates, frame)
            if all(pd.api.types.is_numeric_dtype(frame[name]) for name in covariates):
                return cls("", tuple(covariates))._which_varies(frame)
            covariates = "~ " + " + ".join(f"`{name}`" for name in covariates)
        formula = covariates
        used = _variables(formula)
        _check_columns(used, frame)
        words = [name for name in used if not pd.api.types.is_numeric_dtype(frame[name])]
        levels = {name: tuple(sorted(frame[name].astype(str).unique())) for name in words}
        matrix = cls(formula, (), levels)._model_matrix(frame)
        if matrix.model_spec.transform_state:
            raise SettingsError(
                f"the formula {formula!r} uses {', '.join(matrix.model_spec.transform_state)}, which depends on all "
                "rows of the frame; make such a column before, so that it means the same for every later customer."
            )
        sorted_out = [
            str(factor)
            for factor, (kind, _state) in matrix.model_spec.encoder_state.items()
            if kind.value == "categorical"
            and not any(re.search(rf"\b{re.escape(name)}\b", str(factor)) for name in words)
        ]
        if sorted_out:
            raise SettingsError(
                f"the formula {formula!r} treats numbers as kinds ({', '.join(sorted_out)}); make such a column text "
                "before, so that the kinds are known for every later customer."
            )
        if _INTERCEPT not in matrix.columns:
            raise SettingsError(f"the formula {formula!r} leaves out the intercept, which is the parameter itself.")
        names = tuple(name for name in matrix.columns if name != _INTERCEPT)
        return cls(formula, names, levels)._which_varies(frame)

    def _which_varies(self, frame: pd.DataFrame) -> "Design":
        constant = [name for name, column in zip(self.names, self.matrix(frame).T, strict=True) if np.ptp(column) == 0]
        if constant or not self.names:
            raise SettingsError(
                f"covariates: {', '.join(constant) or 'there is none'}: a covariate must differ between customers; "
                "leave out what is the same for all."
            )
        return self

    def matrix(self, frame: pd.DataFrame) -> Floats:
        """Return the covariates of the customers of a frame, shape (n_customers, n_names)."""
        if not self.formula:
            return _numbers(self.names, frame)
        _check_columns(_variables(self.formula), frame)
        refuse(
            Violation(
                _TABLE,
                name,
                "a value the model has not seen (it knows " + ", ".join(known) + ")",
                int(strange.sum()),
                "fit the model to customers of every kind, or join the rare kinds into one.",
                frame.loc[strange.to_numpy(), [name]].head(5),
            )
            for name, known in self.levels.items()
            if (strange := ~frame[name].astype(str).isin(known)).any()
        )
        return self._model_matrix(frame)[list(self.names)].to_numpy(dtype=np.float64)

    def _model_matrix(self, frame: pd.DataFrame) -> pd.DataFrame:
        from formulaic import model_matrix  # takes longer to import than a fit without covariates

        kinds = {name: pd.Categorical(frame[name].astype(str), categories=known) for name, known in self.levels.items()}
        return model_matrix(self.formula, frame.assign(**kinds), na_action="raise")


@dataclass(frozen=True)
class Effect:
    """What covariates do to parameters: parameter_i = parameter exp(sign * matrix_i @ coefficients).

    Attributes
    ----------
    label : str
        What it is about: "purchase", "dropout", "spend".
    signs : mapping of str to float
        The parameters it moves, each with its sign; they share the coefficients.
    design : Design
    coefficients : tuple of float
    """

    label: str
    signs: Mapping[str, float]
    design: Design
    coefficients: tuple[float, ...]

    @property
    def names(self) -> list[str]:
        """Names of the coefficients, such as "purchase[age]"."""
        return [f"{self.label}[{name}]" for name in self.design.names]


def moved(
    params: dict[str, Floats | float], effects: Sequence[Effect], matrices: Sequence[Floats]
) -> dict[str, Floats]:
    """Return the parameters of each customer, shape (n_customers,)."""
    logs = {name: np.log(value) for name, value in params.items()}
    for effect, matrix in zip(effects, matrices, strict=True):
        shift = matrix @ np.asarray(effect.coefficients)
        for name, sign in effect.signs.items():
            logs[name] = logs[name] + sign * shift
    return {name: np.exp(value) for name, value in logs.items()}


def _variables(formula: str) -> list[str]:
    from formulaic import Formula
    from formulaic.errors import FormulaicError

    try:
        parsed = Formula(formula)
        if hasattr(parsed, "lhs"):
            raise FormulaicError("it has a left side")
        return sorted(parsed.required_variables)
    except (FormulaicError, AttributeError) as error:
        raise SettingsError(
            f"the formula {formula!r} cannot be read ({error}); write it like '~ channel + age', without a left side."
        ) from None


def _numbers(names: Sequence[str], frame: pd.DataFrame) -> Floats:
    """Columns of numbers side by side; refused where they are not there, missing or infinite."""
    if all(name in frame.columns for name in names):
        # Every draw of parameters comes this way: the thorough check is for what is found wrong.
        matrix = np.column_stack([frame[name].to_numpy(dtype=np.float64) for name in names])
        if np.isfinite(matrix).all():
            return matrix
    _check_columns(names, frame)
    return frame[list(names)].to_numpy(dtype=np.float64)


def _check_columns(names: Sequence[str], frame: pd.DataFrame) -> None:
    absent = [name for name in names if name not in frame.columns]
    refuse(
        Violation(
            _TABLE,
            name,
            f"there is no such column (there are {', '.join(map(repr, frame.columns))})",
            0,
            "join the column to the customer summary.",
        )
        for name in absent
    )
    gaps = {name: frame[name].isna() for name in names}
    infinite = {
        name: np.isinf(frame[name].to_numpy(float)) for name in names if pd.api.types.is_numeric_dtype(frame[name])
    }
    refuse(
        Violation(
            _TABLE,
            name,
            "a covariate is missing or infinite",
            int(broken.sum()),
            "leave these customers out, or give the gap a value of its own, such as 'unknown'.",
            frame.loc[broken, [name]].head(5),
        )
        for name in names
        if (broken := gaps[name].to_numpy() | infinite.get(name, False)).any()
    )
