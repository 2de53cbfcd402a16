"""Covariates: what is known of a customer besides the purchases, and how it moves the parameters of a model.

Parameter theta of customer i becomes theta exp(sign coefficients' z_i), with z_i a row of the design matrix. That is
one mechanism for every model (Fader & Hardie 2007, note 019): each model only names the parameters and the signs.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats

Covariates = str | Sequence[str] | None
"""Formula text such as "~ channel + age", names of columns, or None."""

_INTERCEPT = "Intercept"
_TABLE = "customers"
# Each kind of customer but one costs a coefficient. More kinds than this are no description but a name or a number, and
# with fewer customers a kind than this each coefficient follows a few of them; small bases may have a few kinds still.
_MOST_KINDS = 30
_CUSTOMERS_A_KIND = 10
_FEW_KINDS = 5
_TIMES = {"datetime64", "datetime", "date", "timedelta64", "timedelta", "time", "period"}


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
            For a formula that cannot be read or worked out, has no intercept, or depends on the other rows of the
            frame; for a list that names nothing, or a column twice.
        DataError
            For a column that is not there, has gaps, holds dates, or text of too many kinds; for a frame without rows.
        """
        if not len(frame):
            refuse([Violation(_TABLE, "", "there are none to learn covariates from", 0, "give customers with weight.")])
        if not isinstance(covariates, str):
            names = _listed(covariates)
            _check_columns(names, frame)
            if all(_is_numeric(frame[name]) for name in names):
                return cls("", names)._which_varies(frame)
            covariates = "~ " + " + ".join(f"`{name}`" for name in names)
        if not covariates.strip():
            raise SettingsError(_NO_COVARIATES)
        return cls._of_formula(covariates, frame)

    @classmethod
    def _of_formula(cls, formula: str, frame: pd.DataFrame) -> "Design":
        used = _variables(formula)
        _check_columns(used, frame)
        words = [name for name in used if not _is_numeric(frame[name])]
        levels = {name: tuple(sorted(frame[name].astype(str).unique())) for name in words}
        refuse(_no_kinds(levels, frame))
        asked = cls(formula, (), levels)
        matrix = asked._model_matrix(frame)
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
        state = list(matrix.model_spec.transform_state)
        if state or not _equal(asked._model_matrix(frame.iloc[::-2]), matrix.iloc[::-2]):
            raise SettingsError(
                f"the formula {formula!r} uses {', '.join(state) or 'a function'}, which depends on all rows of the "
                "frame; make such a column before, so that it means the same for every later customer."
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
        used = _variables(self.formula)
        _check_columns(used, frame)
        _check_numeric([name for name in used if name not in self.levels], frame)
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
        matrix = self._model_matrix(frame)[list(self.names)]
        values = matrix.to_numpy(dtype=np.float64)
        unknown = ~np.isfinite(values)
        if unknown.any():
            rows = unknown.any(axis=1)
            where = ", ".join(matrix.columns[unknown.any(axis=0)])
            rule = "a covariate that the formula makes is missing or infinite"
            fix = "leave these customers out, or change the formula: no logarithm of 0 or less, no division by 0."
            refuse([Violation(_TABLE, where, rule, int(rows.sum()), fix, frame.loc[rows, used].head(5))])
        return values

    def _model_matrix(self, frame: pd.DataFrame) -> pd.DataFrame:
        from formulaic import model_matrix  # takes longer to import than a fit without covariates

        kinds = {name: pd.Categorical(frame[name].astype(str), categories=known) for name, known in self.levels.items()}
        try:
            # What is missing or infinite is refused with its rows once all of the matrix is there.
            with np.errstate(all="ignore"):
                return model_matrix(self.formula, frame.assign(**kinds), na_action="ignore")
        except Exception as error:  # a formula may call anything, and anything may go wrong in it
            raise SettingsError(
                f"the formula {self.formula!r} cannot be worked out for these customers: {_first_line(error)}"
            ) from None


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


_NO_COVARIATES = "there is no covariate; write formula text such as '~ channel + age', names of columns, or None."


def _listed(covariates: Sequence[str]) -> tuple[str, ...]:
    """Return names of columns that were given as a list; refuse none, and one that is there twice."""
    try:
        names = tuple(covariates)
    except TypeError:
        raise SettingsError(
            f"covariates are {covariates!r}; write formula text such as '~ channel + age', or names of columns."
        ) from None
    if not names:
        raise SettingsError(_NO_COVARIATES)
    twice = [name for place, name in enumerate(names) if name in names[:place]]
    if twice:
        raise SettingsError(f"covariates: {', '.join(map(repr, twice))} twice; name each column once.")
    return names


def _variables(formula: str) -> list[str]:
    from formulaic import Formula, SimpleFormula

    try:
        parsed = Formula(formula)
        if not isinstance(parsed, SimpleFormula):
            raise ValueError("it has several sides")
        return sorted(parsed.required_variables)
    except Exception as error:  # of formulaic, or of Python where the formula holds some
        raise SettingsError(
            f"the formula {formula!r} cannot be read ({_first_line(error)}); write it like '~ channel + age', without "
            "a left side."
        ) from None


def _first_line(error: Exception) -> str:
    """First line of a message, without the colours and pictures that follow in one of formulaic."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def _equal(one: pd.DataFrame, other: pd.DataFrame) -> bool:
    if list(one.columns) != list(other.columns):
        return False
    return np.allclose(one.to_numpy(np.float64), other.to_numpy(np.float64), rtol=1e-9, atol=0, equal_nan=True)


def _is_numeric(column: pd.Series) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_complex_dtype(column)


def _no_kinds(levels: Mapping[str, Sequence[str]], frame: pd.DataFrame) -> Iterator[Violation]:
    """Say which columns that are not of numbers do not sort customers into kinds either."""
    most = min(_MOST_KINDS, max(_FEW_KINDS, len(frame) // _CUSTOMERS_A_KIND))
    for name, known in levels.items():
        first = frame[[name]].head(5)
        if pd.api.types.infer_dtype(frame[name], skipna=True) in _TIMES:
            fix = "make a number of it, such as the age in years, or a few kinds, such as the season."
            yield Violation(_TABLE, name, "a date or time is no covariate", 0, fix, first)
        elif len(known) > most:
            rule = f"{len(known):,} kinds of {len(frame):,} customers; there may be {most}"
            fix = "join the kinds into a few, or read the column as numbers where it holds some."
            yield Violation(_TABLE, name, rule, 0, fix, first)


def _numbers(names: Sequence[str], frame: pd.DataFrame) -> Floats:
    """Columns of numbers side by side; refused where they are not there, missing, infinite or no numbers."""
    if frame.columns.is_unique and all(name in frame.columns and _is_numeric(frame[name]) for name in names):
        # Every draw of parameters comes this way: the thorough check is for what is found wrong.
        matrix = np.column_stack([_floats(frame[name]) for name in names])
        if np.isfinite(matrix).all():
            return matrix
    _check_columns(names, frame)
    _check_numeric(names, frame)
    return np.column_stack([_floats(frame[name]) for name in names])


def _floats(column: pd.Series) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _check_numeric(names: Sequence[str], frame: pd.DataFrame) -> None:
    refuse(
        Violation(
            _TABLE,
            name,
            f"a column of numbers when the model was fitted, now of type {frame[name].dtype}",
            0,
            "read the column as numbers.",
            frame[[name]].head(5),
        )
        for name in names
        if not _is_numeric(frame[name])
    )


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
    twice = set(frame.columns[frame.columns.duplicated()])
    refuse(
        Violation(_TABLE, name, "there are several columns of this name", 0, "rename all but one.")
        for name in names
        if name in twice
    )
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
        if (broken := _gaps(frame[name])).any()
    )


def _gaps(column: pd.Series) -> NDArray[np.bool_]:
    return ~np.isfinite(_floats(column)) if _is_numeric(column) else column.isna().to_numpy()
