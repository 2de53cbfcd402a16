"""Whether a bad mark costs more than a good one gains: penalty-reward contrasts of drivers."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level, is_number
from crm_analysis.models.histories import Floats
from crm_analysis.voice.estimate import SMALL_BASE
from crm_analysis.voice.multiplicity import adjust_p_values
from crm_analysis.voice.regression import complete_answers, robust_fit
from crm_analysis.voice.responses import names_of

BASIC, EXPECTED, EXCITING, UNCLEAR = N_("basic"), N_("expected"), N_("exciting"), N_("unclear")

CutOff = float | Mapping[str, float] | None

# Without cut-offs, about so many answers are called low, and as many high.
_TAIL = 0.2
# The errors of a difference from fewer are made up by chance, however sure they look.
_LEAST_MARKS = 10


def penalty_reward(
    responses: Any,
    *,
    outcome: str,
    drivers: Sequence[str],
    low: CutOff = None,
    high: CutOff = None,
    weights: Any = None,
    level: float = 0.95,
) -> pd.DataFrame:
    """How much lower the outcome is at low marks of a driver, and how much higher at high ones, than in between.

    One regression with two dummies for each driver. The differences go with the marks, other drivers alike; they do not
    say what a change of the mark would bring.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent; who did not answer everything is left out (`n` says who is left).
    outcome : str
        Column of the outcome, such as overall satisfaction.
    drivers : sequence of str
        Columns of ratings.
    low, high : float, mapping of driver to float, or None
        A mark is low at `low` or less, high at `high` or more. None: the mark at which the share of low (high) answers
        comes closest to a fifth, for each driver, with marks left in between.
    weights : optional
        As `take_responses` takes them.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame, index driver
        low, high (the cut-offs); penalty (mostly below 0) and reward, in points of the outcome, with
        penalty_lower, penalty_upper, reward_lower, reward_upper (HC3); n_low, n_high, n; asymmetry (reward plus
        penalty: below 0 where the penalty is the larger) with asymmetry_lower, asymmetry_upper, p_value and p_adjusted
        (Holm, over the drivers); kind: "basic" (a penalty and no reward), "exciting" (a reward and no penalty),
        "expected" (both) or "unclear" (neither), by whether the intervals leave 0 out on that side; "unclear" too
        where fewer than ten respondents gave low marks, or fewer than ten high ones.

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused, or a driver has too few different marks for a low and a high one with some between.

    Notes
    -----
    There is no agreed choice of cut-offs (Albayrak & Caber 2013), so look whether kinds stay when they move. That one
    interval leaves 0 out and the other does not is no proof that the effects differ: `p_adjusted` is.

    References
    ----------
    Brandt (1987), in Add Value to Your Service, American Marketing Association, 61-65; Mittal, Ross & Baldasare (1998),
    Journal of Marketing 62(1), 33-47; Matzler & Sauerwein (2002), International Journal of Service Industry Management
    13, 314-332.
    """
    check_level(level)
    drivers = names_of("drivers", drivers)
    taken, _whole = complete_answers(responses, outcome=outcome, drivers=drivers, weights=weights)
    cuts = _cut_offs(taken.frame[list(drivers)], taken.weights, low, high)
    low_marks = taken.frame[list(drivers)] <= cuts["low"]
    high_marks = taken.frame[list(drivers)] >= cuts["high"]
    both = {"low": low_marks.astype(float), "high": high_marks.astype(float)}
    design = pd.concat(both, axis=1).swaplevel(axis=1).set_axis(_pairs(drivers), axis=1)
    fit = robust_fit(design, taken.frame[outcome].to_numpy(), taken.weights)
    if fit.slopes.isna().any():
        raise DataError(
            "survey answers: low and high marks of the drivers cannot be told apart: they are given by the same "
            "respondents.\nTo fix: leave a driver out, or choose other cut-offs."
        )
    rows = {}
    for name in drivers:
        is_low, is_high = (np.array([column == (name, end) for column in design], float) for end in ("low", "high"))
        penalty, _, penalty_lower, penalty_upper, _ = fit.contrast(is_low, level=level)
        reward, _, reward_lower, reward_upper, _ = fit.contrast(is_high, level=level)
        n_low, n_high = int(low_marks[name].sum()), int(high_marks[name].sum())
        is_told = min(n_low, n_high) >= _LEAST_MARKS
        asymmetry, _, lower, upper, p = fit.contrast(is_low + is_high, level=level)
        rows[name] = {
            "low": cuts.loc[name, "low"], "high": cuts.loc[name, "high"],
            "penalty": penalty, "penalty_lower": penalty_lower, "penalty_upper": penalty_upper,
            "reward": reward, "reward_lower": reward_lower, "reward_upper": reward_upper,
            "n_low": n_low, "n_high": n_high, "n": fit.n,
            "asymmetry": asymmetry, "asymmetry_lower": lower, "asymmetry_upper": upper, "p_value": p,
            "kind": _kind(penalty_upper < 0, reward_lower > 0) if is_told else UNCLEAR,
        }  # fmt: skip
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("driver")
    few = table.index[table[["n_low", "n_high"]].min(axis=1) < SMALL_BASE]
    if len(few):
        warn_of_doubt(
            f"fewer than {SMALL_BASE} low or high marks of {', '.join(map(str, few))}: penalties and rewards rest on "
            "few respondents. Try cut-offs nearer to the middle."
        )
    table.insert(len(table.columns) - 1, "p_adjusted", adjust_p_values(table["p_value"], "holm"))
    return table


def _pairs(drivers: Sequence[str]) -> pd.Index:
    pairs = [(name, end) for end in ("low", "high") for name in drivers]
    return pd.Index(pairs, tupleize_cols=False)


def _kind(has_penalty: bool, has_reward: bool) -> str:
    return {(True, False): BASIC, (False, True): EXCITING, (True, True): EXPECTED}.get(
        (has_penalty, has_reward), UNCLEAR
    )


def _cut_offs(ratings: pd.DataFrame, weights: Floats, low: CutOff, high: CutOff) -> pd.DataFrame:
    """Return low and high cut-off of each driver; refuse those that leave nobody low, high or in between."""
    names = list(ratings.columns)
    lows, highs = _given("low", low, names), _given("high", high, names)
    cuts, wrong = {}, []
    for name in names:
        marks, place = np.unique(ratings[name].to_numpy(), return_inverse=True)
        shares = np.bincount(place, weights) / weights.sum()
        least, most = _chosen(marks, shares, lows[name], highs[name])
        cuts[name] = {"low": least, "high": most}
        if not ((marks <= least).any() and (marks >= most).any() and ((marks > least) & (marks < most)).any()):
            wrong.append(f"{name} (marks {marks[0]:g} to {marks[-1]:g}, low {least:g}, high {most:g})")
    if wrong:
        raise DataError(
            f"survey answers: {'; '.join(wrong)}: nobody is low, high or in between.\n"
            "To fix: choose low and high inside the marks given, or leave the driver out."
        )
    return pd.DataFrame.from_dict(cuts, orient="index")


def _given(end: str, cut_off: CutOff, names: Sequence[str]) -> dict[str, float]:
    """Return the cut-off asked for by driver; missing where none was."""
    asked = dict(cut_off) if isinstance(cut_off, Mapping) else dict.fromkeys(names, cut_off)
    if set(asked) != set(names):
        raise SettingsError(f"{end} names other drivers; give one cut-off for each driver, or one for all.")
    if not all(mark is None or is_number(mark) for mark in asked.values()):
        raise SettingsError(f"{end} is {cut_off!r}; give a mark, or one for each driver.")
    return {name: np.nan if mark is None else float(mark) for name, mark in asked.items()}


def _chosen(marks: Floats, shares: Floats, least: float, most: float) -> tuple[float, float]:
    """Choose the cut-offs that were not given among the marks of a driver, with a mark left in between."""
    if np.isnan(least):
        last = len(marks) - 2 if np.isnan(most) else int(np.searchsorted(marks, most)) - 1
        least = _closest(marks[: max(last, 0)], np.cumsum(shares)[: max(last, 0)])
    if np.isnan(most):
        first = int(np.searchsorted(marks, least, side="right")) + 1
        most = _closest(marks[first:], np.cumsum(shares[::-1])[::-1][first:])
    return least, most


def _closest(marks: Floats, shares: Floats) -> float:
    return float(marks[np.argmin(np.abs(shares - _TAIL))]) if len(marks) else np.nan
