"""Expectation and perception: where what customers get falls short of what they expected."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level
from crm_analysis.voice.means import LEAST_ANSWERS, TOO_FEW, mean_estimate, two_sided_p, weighted_mean
from crm_analysis.voice.multiplicity import adjust_p_values, check_adjust
from crm_analysis.voice.responses import take_responses

BELOW, ABOVE = N_("below expectation"), N_("above expectation")
NO_DIFFERENCE = N_("no real difference")


def satisfaction_gap(
    responses: Any,
    pairs: Mapping[str, tuple[str, str]],
    *,
    weights: Any = None,
    level: float = 0.95,
    adjust: str | None = "holm",
) -> pd.DataFrame:
    """Perception less expectation of each attribute, within respondents.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent.
    pairs : mapping of attribute to (expectation, perception)
        The two columns of each attribute, on one scale.
    weights : str, Series, array or None
        As for `take_responses`.
    level : float
        Probability of the intervals; a gap is real where the adjusted p-value is below 1 - level.
    adjust : "holm", "benjamini-hochberg" or None
        How p-values are adjusted for the number of attributes.

    Returns
    -------
    DataFrame, index attribute, in the order of `pairs`
        expectation, perception (means in rating points), gap (perception less expectation: negative falls short),
        lower, upper (t interval of each gap by itself), p_value, p_adjusted, n, effective_n, verdict ("below
        expectation", "above expectation", "no real difference", "too few answers"). All over those who rated both;
        who left one out is left out of that attribute. Below ten effective answers
        nothing is tested.

    Raises
    ------
    DataError
        When answers are no numbers.
    SettingsError
        When a column is not there or an argument is out of range.

    Notes
    -----
    The paired t test on linearised errors; degrees of freedom are the Kish effective n less one.

    References
    ----------
    Parasuraman, Zeithaml & Berry (1988), SERVQUAL, Journal of Retailing 64(1), 12-40.
    """
    check_level(level)
    check_adjust(adjust)
    columns = _columns(pairs)
    taken = take_responses(responses, list(dict.fromkeys(columns)), weights=weights)
    rows = [_row(taken.frame[[*pair]].to_numpy(), taken.weights, level) for pair in pairs.values()]
    names = ["expectation", "perception", "gap", "lower", "upper", "p_value", "n", "effective_n"]
    table = pd.DataFrame(rows, columns=names, index=pd.Index(list(pairs), name="attribute"))
    table.insert(names.index("n"), "p_adjusted", adjust_p_values(table["p_value"], adjust))
    is_real = table["p_adjusted"] < 1 - level
    kinds = [table["p_value"].isna(), is_real & (table["gap"] < 0), is_real]
    return table.assign(verdict=np.select(kinds, [TOO_FEW, BELOW, ABOVE], NO_DIFFERENCE))


def _columns(pairs: Any) -> list[str]:
    if not (isinstance(pairs, Mapping) and pairs):
        raise SettingsError(
            "pairs must name the two columns of each attribute: {attribute: (expectation, perception)}."
        )
    for attribute, pair in pairs.items():
        if isinstance(pair, str) or len(pair) != 2 or pair[0] == pair[1]:
            raise SettingsError(f"pairs[{attribute!r}] is {pair!r}; give two columns, expectation and perception.")
    return [column for pair in pairs.values() for column in pair]


def _row(answers: Any, weights: Any, level: float) -> tuple[float, ...]:
    rated = ~np.isnan(answers).any(axis=1)
    answers, weights = answers[rated], weights[rated]
    gap = mean_estimate(answers[:, 1] - answers[:, 0], weights, level=level)
    expectation, perception = (weighted_mean(answers[:, place], weights).value for place in (0, 1))
    can_test = gap.effective_n >= LEAST_ANSWERS
    p_value = two_sided_p(gap.value, gap.standard_error, gap.effective_n - 1) if can_test else float("nan")
    interval = gap.interval
    return (expectation, perception, gap.value, interval.lower, interval.upper, p_value, gap.n, gap.effective_n)
