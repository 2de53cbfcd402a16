"""How far forecasts of newcomers made earlier were off, and what that says of the doubt of the latest."""

from collections.abc import Callable
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.models.histories import Floats
from crm_analysis.value.newcomer_model import Outlook

# Earlier forecasts are tested from so many months on, at so many dates at most.
_LEAST_LEARNT, _ORIGINS = 6, 12
# The largest error that is believed.
LARGEST_ERROR = 1.0
_COLUMNS = ["months", "actual", "expected", "log_ratio", "doubt"]


def earlier_tests(
    joined: pd.Series,
    months: int,
    forecast: Callable[[Floats, date, int], Outlook],
    *,
    possible: np.ndarray | None = None,
) -> pd.DataFrame:
    """Forecast from earlier dates, a dozen at most, and compare with who joined.

    Parameters
    ----------
    joined : Series, indexed by the last day of each month
        Counts.
    months : int
        The horizon; tests are of a third of the months known where that is shorter.
    forecast : callable
        From the counts up to a date, that date, and a number of months to an outlook.
    possible : array of bool, shape (n_months,), optional
        Whether a forecast could be made at the end of each month; by default at all of them.

    Returns
    -------
    DataFrame
        As `Acquisition.tests`.
    """
    seen = joined.to_numpy(dtype=np.float64)
    ahead = max(1, min(months, len(seen) // 3))
    origins = [
        origin for origin in range(_LEAST_LEARNT, len(seen) - ahead + 1) if possible is None or possible[origin - 1]
    ]
    rows = {}
    for origin in origins[-_ORIGINS:]:
        day = joined.index[origin - 1]
        found, actual = forecast(seen[:origin], day, ahead), float(seen[origin : origin + ahead].sum())
        expected = float(found.expected.sum())
        # Half a customer on both sides, so that months in which nobody came can be compared.
        off = np.log((actual + 0.5) / (expected + 0.5))
        chance = found.dispersion / (expected + 0.5)
        rows[day] = (ahead, actual, expected, off, np.sqrt(found.error**2 + chance))
    return pd.DataFrame.from_dict(rows, orient="index", columns=_COLUMNS).astype(float).rename_axis("as_of")


def no_tests() -> pd.DataFrame:
    """Return what `earlier_tests` does where there is nothing to compare."""
    return pd.DataFrame(columns=_COLUMNS, dtype=float).rename_axis("as_of")


def error_after_tests(error: float, tests: pd.DataFrame) -> float:
    """Widen or narrow the error of a model by how far earlier forecasts were off, against how far they might be.

    Chance is in both, and so not in the result. The model's own word counts as much as one independent test.
    """
    if tests.empty:
        return min(error, LARGEST_ERROR)
    # Tests a month apart share all but one of their months.
    independent = 1 + (len(tests) - 1) / float(tests["months"].iloc[0])
    seen = float(((tests["log_ratio"] / tests["doubt"]) ** 2).mean())
    return float(min(error * np.sqrt((independent * seen + 1) / (independent + 1)), LARGEST_ERROR))
