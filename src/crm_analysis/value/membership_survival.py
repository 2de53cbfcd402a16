"""How long memberships last: survival curves without a model (Kaplan and Meier), by group, with bands and a test."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
from lifelines import KaplanMeierFitter
from lifelines.utils import median_survival_times
from scipy.special import chdtrc
from statsmodels.duration.survfunc import survdiff

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import DataError, SettingsError, Violation, refuse
from crm_analysis.messages import _, number
from crm_analysis.models.checks import check_level
from crm_analysis.models.memberships import dated_memberships
from crm_analysis.models.terms import join_terms
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit, check_time_unit

EVERYBODY = "all"


@dataclass(frozen=True)
class LogRankTest:
    """Whether groups differ in how long they stay by more than chance would bring about (Peto & Peto 1972).

    Attributes
    ----------
    statistic : float
        Chi-squared.
    degrees_of_freedom : int
        Groups less one.
    p_value : float
        Chance of a statistic as large if all groups left alike.
    """

    statistic: float
    degrees_of_freedom: int
    p_value: float

    def verdict(self) -> str:
        """Say in a sentence what the test found."""
        if self.p_value < 0.05:
            return _(
                "The groups leave at different speeds (p {p}). The test does not say why.", p=_written(self.p_value)
            )
        return _("No real difference between the groups (p {p}).", p=_written(self.p_value))


def _written(p: float) -> str:
    return _("below {p}", p=number(0.001, 3)) if p < 0.001 else f"= {number(p, 3)}"


@dataclass(frozen=True, eq=False)
class MembershipSurvival:
    """How long memberships last.

    Attributes
    ----------
    curves : DataFrame, indexed by group and time since the start (`time_unit`)
        survival (chance to be a member still after that time), with pointwise limits lower and upper (Greenwood, on the
        log(-log) scale); members at_risk just before, and how many ended then. From time 0, where nobody has ended, to
        the longest membership of the group: beyond it nothing is known.
    groups : DataFrame, indexed by group
        memberships, ended; median, with its limits lower and upper: the time by which half have ended; infinite where
        the curve never falls to one half.
    test : LogRankTest or None
        Whether the groups differ; None for one group, and where they cannot be compared: nothing has ended, or one of
        them is younger than every end.
    time_unit : {"day", "week", "month"}
    level : float
        Of the limits.
    """

    curves: pd.DataFrame
    groups: pd.DataFrame
    test: LogRankTest | None
    time_unit: TimeUnit
    level: float

    def survival(self, time: float) -> pd.Series:
        """Chance of each group to be a member still after some time; missing beyond its longest membership."""
        at = {}
        for group, curve in self.curves.groupby(level="group", sort=False):
            times = curve.index.get_level_values("time").to_numpy()
            place = int(np.searchsorted(times, time, side="right")) - 1
            at[group] = float(curve["survival"].iloc[place]) if 0 <= time <= times[-1] else np.nan
        return pd.Series(at, name="survival").rename_axis("group")


def membership_survival(
    memberships: pd.DataFrame,
    *,
    as_of: Day | None = None,
    by: str | None = None,
    time_unit: TimeUnit = "month",
    level: float = 0.95,
) -> MembershipSurvival:
    """Estimate how long memberships last, those that are still running included as such.

    Parameters
    ----------
    memberships : DataFrame, one row a membership
        Either customer_id, started_on and ended_on (missing while it is running), where terms that follow one another
        are one membership (see `models.memberships.joined_terms`); or duration (how long it has lasted, in `time_unit`,
        >= 0) and ended (true where it has ended, false where it is still running).
    as_of : date or str
        With dates: the day up to which an end would be known. A later end is not seen, a later start refused.
    by : str, optional
        Column to compare, such as plan. Rows without a value in it are left out of every group. Who changes plan stays
        in the group of the one that was joined: whoever came to another has stayed until then, and its curve would be
        too high.
    time_unit : {"day", "week", "month"}
        Of the durations, given or computed; a month has 365.25 / 12 days.
    level : float
        Probability of the limits.

    Returns
    -------
    MembershipSurvival

    Raises
    ------
    DataError
        When rows break rules, all at once; or there are no rows.
    SettingsError
        When arguments do not go together.

    Notes
    -----
    The curve takes for granted that memberships still running are as likely to end as those of the same age that were
    watched for longer. A column as `by` compares who chose it: people differ in more than the plan.

    References
    ----------
    Kaplan & Meier (1958), Journal of the American Statistical Association 53, 457-481.
    """
    check_time_unit(time_unit)
    check_level(level)
    if not isinstance(memberships, pd.DataFrame):
        raise SettingsError(f"memberships must be a DataFrame, not a {type(memberships).__name__}.")
    if by is not None and by not in memberships.columns:
        raise SettingsError(
            f"by is {by!r}; there is no such column (there are {', '.join(map(repr, memberships.columns))})."
        )
    followed, lasted = _durations(memberships, as_of, time_unit)
    if by is None:
        group = pd.Series(EVERYBODY, index=lasted.index)
    else:
        group = followed[by].reset_index(drop=True)
        lasted, group = lasted[group.notna()], group[group.notna()]
    if lasted.empty:
        raise DataError("memberships: there are no rows to follow.\nTo fix: give one row a membership.")
    curves, groups = {}, {}
    for name, rows in lasted.groupby(group.to_numpy()):
        curves[name], groups[name] = _curve(rows, level)
    test = None
    if len(curves) > 1 and lasted["ended"].any():
        # By statsmodels: the test of lifelines 0.30 calls what pandas 3 has deprecated.
        codes = pd.factorize(group, sort=True)[0]
        with suppress(np.linalg.LinAlgError):  # a group is so young that nobody of it was there when another ended
            statistic, _p = survdiff(lasted["duration"].to_numpy(), lasted["ended"].to_numpy(dtype=float), codes)
            freedom = len(curves) - 1
            # The chance itself by scipy: as 1 less the chance of less, a small one would be 0.
            test = LogRankTest(float(statistic), freedom, float(chdtrc(freedom, statistic)))
    table = pd.DataFrame.from_dict(groups, orient="index").rename_axis("group")
    return MembershipSurvival(pd.concat(curves, names=["group"]), table, test, time_unit, level)


def _curve(rows: pd.DataFrame, level: float) -> tuple[pd.DataFrame, dict[str, float]]:
    fitted = KaplanMeierFitter(alpha=1 - level).fit(rows["duration"], rows["ended"], label="survival")
    band, events = fitted.confidence_interval_survival_function_, fitted.event_table
    curve = pd.DataFrame(
        {
            "survival": fitted.survival_function_["survival"],
            "lower": band.iloc[:, 0],
            "upper": band.iloc[:, 1],
            "at_risk": events["at_risk"].astype("int64"),
            "ended": events["observed"].astype("int64"),
        }
    ).rename_axis("time")
    limits = median_survival_times(band).to_numpy().ravel()
    summary = {
        "memberships": len(rows),
        "ended": int(rows["ended"].sum()),
        "median": float(fitted.median_survival_time_),
        "lower": float(limits.min()),
        "upper": float(limits.max()),
    }
    return curve, summary


def _durations(memberships: pd.DataFrame, as_of: Day | None, time_unit: TimeUnit) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The memberships, terms joined; and how long each has lasted, and whether it has ended, numbered from 0."""
    if "duration" in memberships.columns:
        if as_of is not None:
            raise SettingsError("memberships with durations are as of their own date; leave `as_of` out.")
        return memberships, _given_durations(memberships)
    if as_of is None:
        raise SettingsError("memberships with dates need `as_of`, the day up to which their end would be known.")
    last = pd.Timestamp(to_day(as_of, "as_of"))
    dated = dated_memberships(memberships)
    late = dated["started_on"] > last
    fix = "leave out memberships that begin later, or give a later date."
    refuse(
        Violation("memberships", "started_on", f"after the as-of date {last.date()}", int(late.sum()), fix,
                  dated.loc[late, ["customer_id", "started_on"]].head(5))
        for _one in range(1) if late.any()
    )  # fmt: skip
    joined = join_terms(dated, described_by="first")
    ended = joined["ended_on"] <= last
    days = (joined["ended_on"].where(ended, last) - joined["started_on"]).dt.days
    frame = pd.DataFrame({"duration": days / DAYS_PER_UNIT[time_unit], "ended": ended})
    return joined, frame.reset_index(drop=True)


def _given_durations(memberships: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in ("ended",) if name not in memberships.columns]
    refuse(Violation("memberships", name, "there is no such column", 0, "say which have ended.") for name in absent)
    frame = memberships[["duration", "ended"]].reset_index(drop=True)
    lengths = pd.to_numeric(frame["duration"], errors="coerce").astype("float64")
    flags = frame["ended"].isin([True, False])
    refuse(_broken(frame, ~lengths.between(0, np.inf, inclusive="left"), ~flags))
    return frame.assign(duration=lengths, ended=frame["ended"].astype(bool))


def _broken(frame: pd.DataFrame, lengths: pd.Series, flags: pd.Series) -> Iterator[Violation]:
    rules = [
        ("duration", "not a length of time", lengths, "give how long each has lasted, 0 or more."),
        ("ended", "neither true nor false", flags, "give true where it has ended, false where it is still running."),
    ]
    for column, words, rows, fix in rules:
        if rows.any():
            yield Violation("memberships", column, words, int(rows.sum()), fix, frame.loc[rows, [column]].head(5))
