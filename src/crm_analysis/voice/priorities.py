"""Where to look first: how important a driver is against how well it is rated (importance-performance map)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, refuse
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats
from crm_analysis.voice.means import mean_estimate
from crm_analysis.voice.rating_scale import Scales, off_scale, points_of_100, scale_ends
from crm_analysis.voice.responses import as_numbers, frame_of, names_of, take_responses

KEEP_UP, CONCENTRATE = N_("keep up"), N_("concentrate here")
LOW_PRIORITY, OVERKILL = N_("low priority"), N_("possible overkill")


def importance_performance(
    importance: pd.DataFrame | pd.Series,
    responses: Any,
    *,
    scale: Scales = (1, 10),
    cross: str = "mean",
    groups: Mapping[str, Sequence[str]] | None = None,
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """Put each driver in a quadrant by its importance and its mean mark.

    Parameters
    ----------
    importance : DataFrame with columns share, lower and upper, or Series of shares; index driver
        Such as `DriverFit.importance`. Without limits (a Series) nothing is said to be certain.
    responses : DataFrame or Survey
        Ratings of the drivers, one row a respondent; each mean is of those who answered.
    scale : (low, high) or mapping of column to (low, high)
        Lowest and highest mark of drivers; those that a mapping leaves out are asked from 1 to 10. Where scales differ,
        marks are taken as points from 0 to 100, which alone can be compared.
    cross : str
        Where the lines cross: "mean" (at the mean share and the mean of the mean marks: every driver is judged beside
        the others) or "scale" (at equal shares and the middle of the scale).
    groups : mapping of str to sequence of str, optional
        Where the index names groups: their drivers. The mark of a group is a respondent's mean over its drivers.
    weights : optional
        As `take_responses` takes them.
    level : float
        Probability of the intervals of performance.

    Returns
    -------
    DataFrame, index driver
        importance, lower, upper (shares); performance, performance_lower, performance_upper (marks, or points from
        0 to 100 where scales differ); n; quadrant (on a
        line counts as high); certain (whether neither interval contains its line, the lines taken as given);
        importance_line, performance_line.

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused or off their scale.

    References
    ----------
    Martilla & James (1977), Journal of Marketing 41(1), 77-79.

    Examples
    --------
    >>> marks = pd.DataFrame({"price": [3.0, 4, 5], "staff": [8.0, 9, 10]})
    >>> importance_performance(pd.Series({"price": 0.7, "staff": 0.3}), marks)["quadrant"].to_dict()
    {'price': 'concentrate here', 'staff': 'possible overkill'}
    """
    check_level(level)
    if cross not in ("mean", "scale"):
        raise SettingsError(f'cross is {cross!r}; give "mean" or "scale".')
    table = _shares(importance)
    items = {name: [name] for name in table.index} if groups is None else _members(groups)
    absent = [str(name) for name in table.index if name not in items]
    if absent:
        raise SettingsError(f"{', '.join(absent)}: importance is given, but no such group.")
    columns = list(dict.fromkeys(item for name in table.index for item in items[name]))
    taken = take_responses(responses, columns, weights=weights)
    marks, middle = _comparable(taken.frame, *scale_ends(scale, columns, among=frame_of(responses).columns))
    each = [marks[items[name]].mean(axis=1).to_numpy() for name in table.index]
    means = [mean_estimate(values, taken.weights, level=level) for values in each]
    table["performance"] = [mean.value for mean in means]
    table["performance_lower"] = [mean.interval.lower for mean in means]
    table["performance_upper"] = [mean.interval.upper for mean in means]
    table["n"] = [mean.n for mean in means]
    at_mean = cross == "mean"
    lines = {
        "importance_line": table["importance"].mean() if at_mean else 1 / len(table),
        "performance_line": table["performance"].mean() if at_mean else middle,
    }
    quadrant, certain = quadrants(table, importance_line=lines["importance_line"], line=lines["performance_line"])
    return table.assign(quadrant=quadrant, certain=certain, **lines)


def quadrants(table: pd.DataFrame, *, importance_line: float, line: float) -> tuple[pd.Series, pd.Series]:
    """Say in which quadrant each driver is, and whether its intervals stay on their sides of the lines.

    Parameters
    ----------
    table : DataFrame
        Columns importance, lower, upper, performance, performance_lower, performance_upper.
    importance_line, line : float
        Where the map is cut, by importance and by performance.

    Returns
    -------
    quadrant : Series of str
        Missing where importance or performance is.
    certain : Series of bool
        False where limits are missing.
    """
    # Shares that are equal but for rounding, such as thirds, are on the line.
    is_important = table["importance"] >= importance_line - 1e-12
    is_good = table["performance"] >= line - 1e-12
    words = np.select(
        [is_important & is_good, is_important & ~is_good, ~is_important & ~is_good],
        [KEEP_UP, CONCENTRATE, LOW_PRIORITY],
        OVERKILL,
    )
    known = table[["importance", "performance"]].notna().all(axis=1)
    certain = ((table["lower"] > importance_line) | (table["upper"] < importance_line)) & (
        (table["performance_lower"] > line) | (table["performance_upper"] < line)
    )
    return pd.Series(words, index=table.index, dtype=object).where(known), certain


def _members(groups: Any) -> dict[Any, list[Any]]:
    if not isinstance(groups, Mapping):
        raise SettingsError(f"groups is {groups!r}; give the drivers of each group: {{group: [driver, ...]}}.")
    return {name: names_of(f"groups[{name!r}]", drivers) for name, drivers in groups.items()}


def _shares(importance: Any) -> pd.DataFrame:
    if isinstance(importance, pd.Series):
        importance = importance.to_frame("share")
    if not isinstance(importance, pd.DataFrame) or "share" not in importance or not len(importance):
        raise SettingsError("importance must be a Series of shares, or a frame with a column share, by driver.")
    given = importance.reindex(columns=["share", "lower", "upper"])
    limits = given.apply(as_numbers)
    if (limits.isna() & given.notna()).any(axis=None):
        raise SettingsError("importance: shares and their limits must be numbers.")
    return limits.rename(columns={"share": "importance"}).rename_axis("driver")


def _comparable(marks: pd.DataFrame, low: Floats, high: Floats) -> tuple[pd.DataFrame, float]:
    """Return marks on one scale, and its middle."""
    refuse(off_scale(marks, low, high))
    if np.ptp(low) == 0 and np.ptp(high) == 0:
        return marks, float(low[0] + high[0]) / 2
    points = points_of_100(marks.to_numpy(), low, high)
    return pd.DataFrame(points, index=marks.index, columns=marks.columns), 50.0
