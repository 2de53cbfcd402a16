"""How many customers will join, from the pipeline: wins of the open prospects, and of those who are still to come.

A pipeline empties, so that the months beyond what its open prospects explain need an inflow of new ones. These are
forecast as newcomers are; each is won as often, and after as long, as the prospects of the history were.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from crm_analysis.data.contracts import WON, Day, to_day
from crm_analysis.data.side_tables import read_prospects
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import N_, _, count, number, percent
from crm_analysis.models.histories import Floats
from crm_analysis.periods import months_after
from crm_analysis.value.acquisition import MONTHS_MORE, Acquisition, mean_first_spend
from crm_analysis.value.newcomer_model import Outlook, outlook
from crm_analysis.value.newcomer_tests import earlier_tests, error_after_tests, no_tests
from crm_analysis.value.pipeline import (
    LEAST_ENDED,
    StageProbabilities,
    learn_stages,
    prospect_fates,
    stage_entries,
)
from crm_analysis.value.stage_rates import Ends, Rate

_LEAST_MONTHS = 3
_DRAWS = 4_000
_METHOD = N_("wins of open prospects and of those still to come")


def pipeline_acquisition(
    prospects: Any, *, as_of: Day, months: int, customers: CustomerSummary | None = None, tests: bool = True
) -> Acquisition:
    """Forecast how many customers will join, from the history of prospects: each win is a new customer.

    Parameters
    ----------
    prospects : SideTable, or anything `read_prospects` accepts
        One row a prospect that entered a stage on a day; the stages won and lost end it.
    as_of : date or str
        Last day that is known.
    months : int
        The horizon in months, >= 1: what `error` is about.
    customers : CustomerSummary, optional
        For the mean first purchase. What prospects are stated to be worth is told in the words, but newcomers are
        valued as customers before them were.
    tests : bool
        Whether to forecast from earlier dates too, which takes a dozen times as long.

    Returns
    -------
    Acquisition
        Those who join without having been a prospect are not in it.

    Raises
    ------
    DataError
        When the history is refused, no prospect was won or lost by then, or fewer than three whole months are known.
    SettingsError
        For a number of months below 1.

    Notes
    -----
    An open prospect is won with the probability that `stage_probabilities` learns, and when those in its stage were who
    had stayed open for longer. Prospects still to come in a month come evenly over it; how many, says
    `newcomer_model.outlook` of the first entries of each month so far, all prospects of whichever source. They are won
    with the overall probability and after the days of the whole history, by Aalen and Johansen's estimate (see
    `stage_probabilities`). With fewer than 20 that ended, the open ones too take the overall probability and days.

    The error is that of the log total under drawn probabilities, which are high or low together in all stages, and a
    drawn level of the inflow; forecasts made in the same way at up to twelve earlier dates widen or narrow it.
    """
    if months < 1:
        raise SettingsError(f"months is {months}; forecast one month at least.")
    day = to_day(as_of, "as_of")
    rows = read_prospects(prospects, as_of=day).frame
    found = _Pipeline.of(rows, day, months, ahead=months + MONTHS_MORE)
    earlier = _earlier(rows, day, months) if tests else no_tests()
    error = error_after_tests(found.outlook.error, earlier)
    return Acquisition(
        expected=found.outlook.expected,
        error=error,
        dispersion=found.outlook.dispersion,
        first_spend=None if customers is None else mean_first_spend(customers),
        source="pipeline",
        method=_METHOD,
        words=_words(found, months, error, earlier),
        as_of=day,
        tests=earlier,
    )


@dataclass(frozen=True, eq=False)
class _Pipeline:
    """Expected wins of each month: of `open` prospects, and of `coming` ones, of whom `leads` enter in each month."""

    outlook: Outlook
    open: Floats
    coming: Floats
    leads: Floats
    learnt: StageProbabilities
    days_to_win: float

    @classmethod
    def of(cls, rows: pd.DataFrame, day: date, months: int, *, ahead: int) -> "_Pipeline":
        learnt = learn_stages(rows, day)
        fates = prospect_fates(rows, day)
        entered = _entered(rows, day)
        if len(entered) < _LEAST_MONTHS:
            raise DataError(
                f"prospects: {len(entered)} whole month(s) up to {day} are known; a forecast of those still to come "
                f"needs {_LEAST_MONTHS}.\nTo fix: give a longer history, or a plan (acquisition.plan in crm.toml)."
            )
        edges = np.array([(months_after(day, month) - day).days for month in range(ahead + 1)], dtype=np.float64)
        ends = Ends.of(fates)
        overall = Rate.of(ends, Rate(0.5, 0.5))
        stages = _ends_of_stages(rows, fates, day)
        certain = learnt.pipeline[learnt.pipeline["probability"].notna()]
        open_wins = {
            str(stage): _wins(in_stage, stages[str(stage)] if learnt.by_stage else ends, edges)
            for stage, in_stage in certain.groupby("stage")
        }
        inflow = outlook(entered.to_numpy(dtype=np.float64), months=months, ahead=ahead)
        coming = overall.mean * inflow.expected @ _delayed(ends, edges)
        opened = np.sum([np.zeros(ahead), *open_wins.values()], axis=0)
        in_time = {stage: float(wins[:months].sum()) for stage, wins in open_wins.items()}
        found = Outlook(
            expected=opened + coming,
            error=_error(certain, in_time, float(coming[:months].sum()), overall, inflow.error),
            # Who of a clustered inflow is won is less clustered.
            dispersion=1 + (inflow.dispersion - 1) * overall.mean,
        )
        return cls(found, opened, coming, inflow.expected, learnt, ends.days_to_win)


def _entered(rows: pd.DataFrame, day: date) -> pd.Series:
    """Count prospects by the month in which they first entered a stage: whole months up to a day."""
    first = rows.groupby("prospect_id")["entered_stage_on"].min()
    return _by_month(first, first.min().date(), day)


def _by_month(days: pd.Series, begin: date, day: date) -> pd.Series:
    """Count days in the whole months from one day to another, indexed by the last day of each."""
    ends = [day]
    while (months_after(day, -len(ends)) - begin).days >= -1:
        ends.append(months_after(day, -len(ends)))
    edges = pd.DatetimeIndex(ends[::-1])
    so_far = np.searchsorted(np.sort(days.to_numpy()), edges.to_numpy(), side="right")
    return pd.Series(np.diff(so_far), index=pd.Index([edge.date() for edge in edges[1:]], name="month"))


def _ends_of_stages(rows: pd.DataFrame, fates: pd.DataFrame, day: date) -> dict[str, Ends]:
    entries = stage_entries(rows, fates, day)
    return {str(stage): Ends.of(of_stage) for stage, of_stage in entries.groupby("stage", sort=False)}


# --- when they are won --------------------------------------------------------------------------------------------


def _wins(in_stage: pd.DataFrame, ends: Ends, edges: Floats) -> Floats:
    """Expected wins in each month of the open prospects of a stage."""
    wins = np.zeros(len(edges) - 1)
    for days_so_far, probability in in_stage.groupby("days_in_stage")["probability"].sum().items():
        wins += probability * _when(ends, float(str(days_so_far)), edges)
    return wins


def _when(ends: Ends, days_so_far: float, edges: Floats) -> Floats:
    """Share of the wins of one who has been open for so many days in each month; where nothing is known, at once."""
    later = ends.after(days_so_far)
    weights = later.weights * later.won
    if not weights.sum() > 0:
        return np.eye(len(edges) - 1)[0]
    so_far = [float(weights @ (later.days - days_so_far <= edge)) for edge in edges]
    return np.diff(so_far) / weights.sum()


def _delayed(ends: Ends, edges: Floats) -> Floats:
    """Share of the wins of those who come in each month that fall into each; shape (n_months, n_months)."""
    weights = ends.weights * ends.won
    months = len(edges) - 1
    if not weights.sum() > 0:
        return np.eye(months)
    weights = weights / weights.sum()
    starts, lengths = edges[:-1], np.diff(edges)
    # A day of coming is any of its month's, so that the win is spread over as many days, later by the delay.
    begun = (edges[None, None, :] - starts[:, None, None] - ends.days[None, :, None]) / lengths[:, None, None]
    return np.diff(np.einsum("d,kde->ke", weights, np.clip(begun, 0.0, 1.0)), axis=1)


def _error(
    certain: pd.DataFrame, in_time: dict[str, float], coming: float, overall: Rate, inflow_error: float
) -> float:
    """Standard deviation of the log of the expected total: probabilities err together, the inflow for itself."""
    rng = np.random.default_rng(0)
    together = rng.uniform(size=_DRAWS)
    level = np.exp(rng.normal(-(inflow_error**2) / 2, inflow_error, size=_DRAWS))
    total = coming * level * betaincinv(overall.wins, overall.losses, together) / overall.mean
    for stage, wins in in_time.items():
        here = certain[certain["stage"] == stage]
        mean, evidence = float(here["probability"].mean()), float(here["evidence"].mean())
        if mean > 0:
            total = total + wins * betaincinv(mean * evidence, (1 - mean) * evidence, together) / mean
    return float(np.log(np.maximum(total, 1e-9)).std())


# --- tests, words -------------------------------------------------------------------------------------------------


def _earlier(rows: pd.DataFrame, day: date, months: int) -> pd.DataFrame:
    """Forecast from earlier dates and compare with the wins that came."""
    won = rows.loc[rows["stage"] == WON, "entered_stage_on"]
    joined = _by_month(won, rows["entered_stage_on"].min().date(), day)

    def then(_seen: Floats, origin: date, ahead: int) -> Outlook:
        known = rows[rows["entered_stage_on"] <= pd.Timestamp(origin)]
        return _Pipeline.of(known, origin, ahead, ahead=ahead).outlook

    # Before enough had ended there was little to learn from, which says nothing of a forecast made now.
    ended = np.sort(rows.loc[rows["stage"].isin(["won", "lost"]), "entered_stage_on"].to_numpy())
    enough = [
        np.searchsorted(ended, pd.Timestamp(end).to_datetime64(), side="right") >= LEAST_ENDED for end in joined.index
    ]
    return earlier_tests(joined, months, then, possible=np.array(enough, dtype=bool))


def _words(found: _Pipeline, months: int, error: float, tests: pd.DataFrame) -> str:
    learnt = found.learnt
    said = [
        _(
            "New customers are expected from the pipeline: {wins} wins of the {open} prospects that are open, and "
            "{more} of the {leads} that are expected to come within {months} months.",
            wins=number(float(found.open[:months].sum()), 1),
            open=count(len(learnt.pipeline)),
            more=number(float(found.coming[:months].sum()), 1),
            leads=count(float(found.leads[:months].sum())),
            months=count(months),
        ),
        _(
            "Of those who come {rate} are won, after {days} days on average.",
            rate=percent(learnt.overall),
            days=count(found.days_to_win),
        )
        if np.isfinite(found.days_to_win)
        else _("None has been won so far; of those who come {rate} are taken to be.", rate=percent(learnt.overall)),
        learnt.words,
    ]
    if learnt.expected_revenue is not None:
        said.append(
            _(
                "By their stated values the open ones promise {revenue}; newcomers are valued as customers before them "
                "were, not by that.",
                revenue=count(learnt.expected_revenue),
            )
        )
    said.append(_("Who joins without having been a prospect is not counted."))
    if len(tests) > 1:
        said.append(
            _(
                "{tests} totals of {ahead} months forecast earlier in this way were off by {off}.",
                tests=count(len(tests)),
                ahead=count(tests["months"].iloc[0]),
                off=percent(float(np.sqrt((tests["log_ratio"] ** 2).mean()))),
            )
        )
    said.append(_("Over the whole horizon their number is taken to be known to {error}.", error=percent(error)))
    return " ".join(said)
