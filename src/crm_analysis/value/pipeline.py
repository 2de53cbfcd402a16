"""What becomes of prospects: how many that entered a stage are won, how long that takes, what the open ones promise."""

from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from crm_analysis.data.contracts import LOST, WON, Day, to_day
from crm_analysis.data.side_tables import read_prospects
from crm_analysis.errors import DataError
from crm_analysis.messages import _, count, percent, plural
from crm_analysis.models.checks import check_level
from crm_analysis.models.interval import INDIVIDUALS, Interval
from crm_analysis.value.stage_rates import Ends, Rate, Wins, drawn_wins

# With fewer prospects that were won or lost, stages are not told apart.
LEAST_ENDED = 20
# The overall rate counts as much as so many prospects of each stage: a stage with few is drawn towards it.
PRIOR_PROSPECTS = 4.0
STAGE_RATES = "rates of the stages"


@dataclass(frozen=True, eq=False)
class StageProbabilities:
    """How likely a prospect in each stage is to be won, and what the open ones promise. From `stage_probabilities`.

    Attributes
    ----------
    stages : DataFrame, indexed by stage, in the order in which prospects enter them
        Prospects that `entered`, of these `won`, `lost` and still `open` (counts); `probability` that one who enters is
        won, with `lower` and `upper`; `days_to_win`, mean days from entering to being won, of those who are;
        `in_stage`, open prospects that are there now, of these `expected_wins` with `wins_lower` and `wins_upper`.
    pipeline : DataFrame, indexed by prospect_id
        The open prospects: `stage`, `since` (the day they first entered it), `days_in_stage`, `probability` that they
        are won, given that they still are not, `expected_value` as last stated, `expected_revenue`, their product, and
        `evidence`, how many prospects that ended the probability rests on.
        The probability is missing for who has been open for longer than any that ended took.
    expected_wins : float
        Of the open prospects with a probability.
    interval : Interval
        Of their wins.
    expected_revenue : float or None
        Of those of them with a value; None where the history states no values.
    overall : float
        Probability that a prospect is won, whatever its stages.
    ended : int
        Prospects that were won or lost.
    by_stage : bool
        Whether these were enough to tell stages apart; else every stage has the overall rate.
    level : float
        Probability of each interval.
    as_of : date
        Last day that is seen.
    words : str
        What this rests on, for a reader.
    """

    stages: pd.DataFrame
    pipeline: pd.DataFrame
    expected_wins: float
    interval: Interval
    expected_revenue: float | None
    overall: float
    ended: int
    by_stage: bool
    level: float
    as_of: date
    words: str


def stage_probabilities(prospects: Any, *, as_of: Day, level: float = 0.95, seed: int = 0) -> StageProbabilities:
    """Learn from the history of prospects how likely those in each stage are to be won.

    Of the prospects that entered a stage, those that ended tell; but who is lost early has ended, and who will be won
    late has not, so that shares of the ended alone are off while the pipeline grows. An open prospect is therefore
    censored: it counts as those do that entered the same stage and were still open after as many days, each of which
    carries its part. This redistribution to the right makes the Kaplan-Meier estimate, here with two ways to end, as
    Aalen and Johansen have it. It asks that who is open is so because of the as-of date and not of its chances, and so
    it is. A chain of stages would also use how far the open ones have come since, but takes the next stage to depend on
    the present one alone, which prospects that skip stages or come back to them belie. What would still be open after
    the last end is left out of the share.

    The share of a stage is drawn towards the overall rate by a Beta distribution that is worth four prospects; its
    posterior gives the interval of the probability, and with the open prospects the Beta-binomial of the wins to come.
    Open prospects do not make it narrower: it counts those that ended, less where some of these carry much. An open
    prospect's own probability is that of those who stayed open longer than it has. The interval of all wins takes the
    stages to err together, which is wider than if each erred for itself.

    Parameters
    ----------
    prospects : SideTable, or anything `read_prospects` accepts
        One row a prospect that entered a stage on a day; the stages won and lost end it. Of a stage entered twice the
        first time counts.
    as_of : date or str
        Last day that is seen.
    level : float
        Probability of the intervals.
    seed : int
        Of the draws behind the interval of all wins.

    Returns
    -------
    StageProbabilities
        With fewer than 20 prospects that ended, every stage has the overall rate, and the words say so.

    Raises
    ------
    DataError
        When the history is refused, or no prospect was won or lost by then.

    References
    ----------
    Aalen & Johansen (1978), Scandinavian Journal of Statistics 5, 141-150; Efron (1967), Proceedings of the Fifth
    Berkeley Symposium 4, 831-853, section 7.

    Examples
    --------
    >>> stages = ["lead", "won", "lead", "lost", "lead"]
    >>> history = pd.DataFrame({"prospect_id": [*"AABBC"], "stage": stages, "entered_stage_on": "2024-06-01"})
    >>> stage_probabilities(history, as_of="2024-06-30").stages[["entered", "won", "lost", "open"]]
           entered  won  lost  open
    stage
    lead         3    1     1     1
    """
    check_level(level)
    day = to_day(as_of, "as_of")
    return learn_stages(read_prospects(prospects, as_of=day).frame, day, level=level, seed=seed)


def learn_stages(rows: pd.DataFrame, day: date, *, level: float = 0.95, seed: int = 0) -> StageProbabilities:
    """Do what `stage_probabilities` does, from rows that were read and cut at the day."""
    fates = prospect_fates(rows, day)
    ended = int(fates["end"].notna().sum())
    if ended == 0:
        raise DataError(
            f"prospects: none was won or lost by {day}, so there is nothing to learn from.\n"
            f"To fix: give a longer history, in which prospects enter the stages {WON} and {LOST}."
        )
    entries = stage_entries(rows, fates, day)
    overall = Rate.of(Ends.of(fates), prior=Rate(0.5, 0.5))
    by_stage = ended >= LEAST_ENDED
    ends = {str(stage): Ends.of(of_stage) for stage, of_stage in entries.groupby("stage", sort=False)}
    rates = {
        stage: Rate.of(one, overall.worth(PRIOR_PROSPECTS)) if by_stage else overall for stage, one in ends.items()
    }

    pipeline = _pipeline(rows, entries, fates, ends, rates, by_stage=by_stage)
    wins = {stage: Wins.of(pipeline[pipeline["stage"] == stage]) for stage in rates}
    draws = drawn_wins(list(wins.values()), np.random.default_rng(seed))
    known = pipeline["probability"].notna() & pipeline["expected_value"].notna()
    has_values = "expected_value" in rows
    return StageProbabilities(
        stages=_stages(entries, pipeline, ends, rates, wins, level),
        pipeline=pipeline,
        expected_wins=float(pipeline["probability"].sum()),
        interval=Interval.of_draws(draws, level=level, contains=(STAGE_RATES, INDIVIDUALS)),
        expected_revenue=float(pipeline.loc[known, "expected_revenue"].sum()) if has_values else None,
        overall=overall.mean,
        ended=ended,
        by_stage=by_stage,
        level=level,
        as_of=day,
        words=_words(fates, overall, pipeline, by_stage=by_stage, has_values=has_values),
    )


# --- histories ----------------------------------------------------------------------------------------------------


def prospect_fates(rows: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return how each prospect ended (won, lost or missing), and for how many days it has been, or was, open."""
    ends = rows[rows["stage"].isin([WON, LOST])].set_index("prospect_id")
    first = rows.groupby("prospect_id")["entered_stage_on"].min()
    ended_on = ends["entered_stage_on"].reindex(first.index)
    days = (ended_on.fillna(pd.Timestamp(as_of)) - first).dt.days
    return pd.DataFrame({"end": ends["stage"].reindex(first.index), "ended_on": ended_on, "days": days})


def stage_entries(rows: pd.DataFrame, fates: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Return one row for each stage that a prospect entered: since when, for how many days until the end, and which."""
    open_stages = rows[~rows["stage"].isin([WON, LOST])]
    first = open_stages.drop_duplicates(["prospect_id", "stage"])
    entries = first[["prospect_id", "stage"]].assign(
        since=first["entered_stage_on"],
        place=first.groupby("prospect_id").cumcount(),
        end=fates["end"].reindex(first["prospect_id"]).to_numpy(),
    )
    ended_on = fates["ended_on"].reindex(first["prospect_id"]).fillna(pd.Timestamp(as_of))
    return entries.assign(days=(ended_on.set_axis(first.index) - entries["since"]).dt.days)


# --- the open ones ------------------------------------------------------------------------------------------------


def _pipeline(
    rows: pd.DataFrame,
    entries: pd.DataFrame,
    fates: pd.DataFrame,
    ends: dict[str, Ends],
    rates: dict[str, Rate],
    *,
    by_stage: bool,
) -> pd.DataFrame:
    """Return the open prospects with their probabilities, and the evidence behind each, in prospects."""
    by_prospect = rows.groupby("prospect_id")
    now = by_prospect["stage"].last()[fates["end"].isna()]
    here = entries.set_index(["prospect_id", "stage"]).loc[pd.MultiIndex.from_arrays([now.index, now])]

    @cache
    def rate_after(stage: str, days: int) -> Rate:
        return Rate.of(ends[stage].after(days), rates[stage].worth(PRIOR_PROSPECTS)) if by_stage else rates[stage]

    given = [rate_after(stage, days) for stage, days in zip(now, here["days"], strict=True)]
    # Of who has been open for longer than any that ended took, the history knows nothing.
    longest = fates.loc[fates["end"].notna(), "days"].max() if by_stage else np.inf
    is_known = (fates.loc[now.index, "days"] <= longest).to_numpy()
    probability = np.where(is_known, np.array([rate.mean for rate in given]), np.nan)
    value = by_prospect["expected_value"].last()[now.index] if "expected_value" in rows else np.nan
    return pd.DataFrame(
        {
            "stage": now,
            "since": here["since"].to_numpy(),
            "days_in_stage": here["days"].to_numpy(),
            "probability": probability.astype(float),
            "expected_value": value,
            "expected_revenue": probability.astype(float) * value,
            "evidence": np.array([rate.wins + rate.losses for rate in given], dtype=float),
        },
        index=now.index,
    )


def _stages(
    entries: pd.DataFrame,
    pipeline: pd.DataFrame,
    ends: dict[str, Ends],
    rates: dict[str, Rate],
    wins: dict[str, Wins],
    level: float,
) -> pd.DataFrame:
    tails = [(1 - level) / 2, (1 + level) / 2]
    fates = entries.assign(end=entries["end"].fillna("open")).groupby(["stage", "end"]).size().unstack(fill_value=0)
    place = entries.groupby("stage")["place"].mean()
    order = sorted(rates, key=lambda stage: (place[stage], stage))
    counts = fates.reindex(index=order, columns=[WON, LOST, "open"], fill_value=0)
    bounds = [betaincinv(rates[stage].wins, rates[stage].losses, tails) for stage in order]
    to_come = [wins[stage].quantiles(tails) for stage in order]
    return pd.DataFrame(
        {
            "entered": counts.sum(axis="columns"),
            **counts,
            "probability": [rates[stage].mean for stage in order],
            "lower": [bound[0] for bound in bounds],
            "upper": [bound[1] for bound in bounds],
            "days_to_win": [ends[stage].days_to_win for stage in order],
            "in_stage": pipeline["stage"].value_counts().reindex(order, fill_value=0),
            "expected_wins": [wins[stage].prospects * wins[stage].rate.mean for stage in order],
            "wins_lower": [bound[0] for bound in to_come],
            "wins_upper": [bound[1] for bound in to_come],
        },
        index=pd.Index(order, name="stage"),
    )


def _words(fates: pd.DataFrame, overall: Rate, pipeline: pd.DataFrame, *, by_stage: bool, has_values: bool) -> str:
    ended, won = int(fates["end"].notna().sum()), int((fates["end"] == WON).sum())
    said = [
        _("Learnt from {ended} prospects that were won or lost, {won} of them won.", ended=count(ended), won=count(won))
    ]
    if not by_stage:
        said.append(
            _(
                "That is fewer than {least}, too few to tell stages apart: every stage has the overall rate of {rate}.",
                least=count(LEAST_ENDED),
                rate=percent(overall.mean),
            )
        )
    unknown = int(pipeline["probability"].isna().sum())
    if unknown:
        said.append(
            plural(
                "{n} prospect has been open for longer than any that ended took; no win is expected of it.",
                "{n} prospects have been open for longer than any that ended took; no win is expected of them.",
                unknown,
            )
        )
    unpriced = int((pipeline["probability"].notna() & pipeline["expected_value"].isna()).sum())
    if has_values and unpriced:
        said.append(
            plural(
                "{n} open prospect has no value and is not in the expected revenue.",
                "{n} open prospects have no value and are not in the expected revenue.",
                unpriced,
            )
        )
    return " ".join(said)
