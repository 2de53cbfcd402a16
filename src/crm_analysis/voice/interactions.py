"""Whether a driver goes with the outcome more closely in one segment than in another."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import fdtrc

from crm_analysis.errors import DataError, warn_of_doubt
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats
from crm_analysis.voice.estimate import SMALL_BASE
from crm_analysis.voice.multiplicity import adjust_p_values
from crm_analysis.voice.regression import RobustFit, complete_answers, robust_fit
from crm_analysis.voice.responses import labels_of, names_of

DIFFERS, NO_DIFFERENCE = N_("differs between segments"), N_("no real difference")


def segment_interactions(
    responses: Any,
    *,
    outcome: str,
    drivers: Sequence[str],
    by: str,
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Slopes of drivers in each segment, and a test for each driver whether they are the same in all.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent; who did not answer everything, or has no segment, is left out.
    outcome : str
        Column of the outcome.
    drivers : sequence of str
        Columns of ratings.
    by : str
        Column of segments.
    weights : optional
        As `take_responses` takes them.
    level : float
        Probability of the intervals; 1 less it is the chance of a false "differs" over all drivers together.

    Returns
    -------
    DataFrame, index driver and segment
        slope (points of the outcome per point of the driver, the others alike), standard_error, lower, upper (HC3);
        n, effective_n, is_small of the segment; and of the driver, the same in each of its rows: statistic, df,
        p_value (Wald test that all slopes are equal, by F), p_adjusted (Holm over drivers) and verdict
        ("differs between segments" or "no real difference").

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused, or fewer than two segments have enough of them for slopes.

    Warns
    -----
    EstimationWarning
        When a segment is too small for slopes (it is left out), or for trust in them.

    Notes
    -----
    Each segment has its own intercept, slopes and scatter: the model with all interactions. "No real difference" says
    that the answers do not show one, not that there is none.

    References
    ----------
    Wald (1943), Transactions of the American Mathematical Society 54, 426-482; with covariances of MacKinnon & White
    (1985), Journal of Econometrics 29, 305-325. For independent segments it is the Q of Cochran (1954), Biometrics 10,
    101-129.
    """
    check_level(level)
    drivers = names_of("drivers", drivers)
    taken, whole = complete_answers(responses, outcome=outcome, drivers=drivers, weights=weights)
    labels = labels_of(responses, by)[whole]
    fits, without = {}, []
    for segment in sorted({label for label in labels if label is not None}, key=str):
        rows = labels == segment
        fit = robust_fit(
            taken.frame.loc[rows, list(drivers)], taken.frame.loc[rows, outcome].to_numpy(), taken.weights[rows]
        )
        # With hardly more respondents than slopes the scatter, and so every interval, is made up.
        if fit.slopes.isna().any() or fit.effective_n < len(drivers) + 3:
            without.append(str(segment))
        else:
            fits[segment] = fit
    _say_what_is_small(fits, without)
    if len(fits) < 2:
        raise DataError(
            f"survey answers, column {by!r}: fewer than two segments have answers enough for slopes.\n"
            "To fix: join segments, or name fewer drivers."
        )
    table = [_row(fit, name, segment, level) for name in drivers for segment, fit in fits.items()]
    tests = pd.DataFrame([_equality(fits, name) for name in drivers], index=pd.Index(drivers, name="driver"))
    tests["p_adjusted"] = adjust_p_values(tests["p_value"], "holm")
    tests["verdict"] = np.where(tests["p_adjusted"] < 1 - level, DIFFERS, NO_DIFFERENCE)
    return pd.DataFrame(table).set_index(["driver", "segment"]).join(tests)


def _row(fit: RobustFit, name: str, segment: Any, level: float) -> dict[str, Any]:
    at = (fit.slopes.index == name).astype(float)
    slope, error, lower, upper, _ = fit.contrast(at, level=level)
    is_small = fit.effective_n < SMALL_BASE
    return {
        "driver": name, "segment": segment, "slope": slope, "standard_error": error, "lower": lower, "upper": upper,
        "n": fit.n, "effective_n": fit.effective_n, "is_small": is_small,
    }  # fmt: skip


def _equality(fits: dict[Any, RobustFit], name: str) -> dict[str, float]:
    """Wald test that a driver has the same slope in all segments, which are independent samples."""
    slopes: Floats = np.array([fit.slopes[name] for fit in fits.values()])
    precision = 1 / np.array([fit.covariance.loc[name, name] for fit in fits.values()])
    common = np.average(slopes, weights=precision)
    statistic = float(precision @ (slopes - common) ** 2)
    df, free = len(fits) - 1, sum(fit.degrees for fit in fits.values())
    return {"statistic": statistic, "df": df, "p_value": float(fdtrc(df, free, statistic / df))}


def _say_what_is_small(fits: dict[Any, RobustFit], without: list[str]) -> None:
    if without:
        warn_of_doubt(f"too few answers, or all alike, for slopes of {', '.join(without)}: left out. Join segments.")
    small = [str(segment) for segment, fit in fits.items() if fit.effective_n < SMALL_BASE]
    if small:
        warn_of_doubt(f"fewer than {SMALL_BASE} answers in {', '.join(small)}: slopes there are hardly known.")
