"""RFM: customers scored by how lately, how often and for how much they bought, with every cut stated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.messages import N_, _, count, percent
from crm_analysis.segment_rules import RFM_MEASURES, RfmRules
from crm_analysis.value.segment_base import counts_of_base, share_of_total
from crm_analysis.value.valued import days_since_last

Cuts = Literal["quantiles"] | Mapping[str, Sequence[float]]

_WORDS = {"recency": N_("recency"), "frequency": N_("frequency"), "monetary": N_("money")}


@dataclass(frozen=True, eq=False)
class RfmSegments:
    """Customers by recency, frequency and money.

    Attributes
    ----------
    frame : DataFrame, index customer_id
        recency_score, frequency_score, monetary_score (1 to the number of levels, the highest is best); cell, such as
        "5-3-4"; segment (category).
    cuts : DataFrame, index (measure, score)
        The cut rules: a customer with more than `above` and at most `up_to` (days since the last purchase, purchases,
        money) has the score; how many customers (of the base) have it; rule, "quantiles" or "given".
    table : DataFrame, index segment
        customers (of the base), share_of_customers, spend, share_of_spend (missing where the total is not positive),
        mean_spend, mean_purchases, median_days_since_last. Segments without customers have counts of 0.
    rules : RfmRules
    notes : tuple of str
        What a reader should know, in words: scores that nobody has because too many customers are alike.
    """

    frame: pd.DataFrame
    cuts: pd.DataFrame
    table: pd.DataFrame
    rules: RfmRules
    notes: tuple[str, ...]


def rfm_segments(
    customers: CustomerSummary,
    *,
    cuts: Cuts = "quantiles",
    levels: int = 5,
    names: Sequence[Sequence[str]] | None = None,
    money: str = "total_spend",
) -> RfmSegments:
    """Score customers by recency, frequency and money, and name the segments.

    Parameters
    ----------
    customers : CustomerSummary
        With the column `money`, which `summarize_customers` gives.
    cuts : "quantiles" or mapping
        By quantiles of the customers, or the upper edges of the scores of "recency" (days since the last purchase),
        "frequency" (purchases, the first included) and "monetary" (currency): rising, one fewer than levels. A measure
        that the mapping leaves out is cut by quantiles.
    levels : int
        Scores run from 1 to this, 2 to 10.
    names : rows of names, optional
        One row a recency score, from the highest to 1; one column a value score, from 1 to the highest, which is the
        mean of the scores of frequency and money with halves rounded up. So every cell has exactly one name. When not
        given: `segment_rules.RFM_NAMES`.
    money : str
        Column with what each customer spent; monetary_value will not do where one-time buyers have none.

    Returns
    -------
    RfmSegments

    Raises
    ------
    DataError
        When somebody's spend is missing, infinite or no number.
    SettingsError
        When cuts are out of order or too few, names do not fill the table, or the summary has no such column.

    Notes
    -----
    Equal values always get the same score. An edge by quantiles is the least value that the wanted share of customers
    does not exceed, and belongs to the interval below it. Where many are alike several edges coincide, scores between
    them go to nobody, and `notes` says so: customers who are all alike have the highest score of recency and the lowest
    of frequency and money. Names are conventions; whose they are, and their cuts, the company decides.

    References
    ----------
    Hughes (1994), Strategic Database Marketing, for scores by fifths.
    """
    if not isinstance(customers, CustomerSummary):
        raise SettingsError(f"customers is a {type(customers).__name__}; give a CustomerSummary.")
    rules = RfmRules(dict(cuts) if isinstance(cuts, Mapping) else cuts, levels, names)  # type: ignore[arg-type]
    measured = _measured(customers, money)
    edges = {name: np.asarray(rules.edges(name) or _quantiles(measured[name], rules.levels)) for name in RFM_MEASURES}
    below = {name: np.searchsorted(edges[name], measured[name], side="left") for name in RFM_MEASURES}
    scores = pd.DataFrame(
        {
            "recency_score": rules.levels - below["recency"],
            "frequency_score": below["frequency"] + 1,
            "monetary_score": below["monetary"] + 1,
        },
        index=measured.index,
    ).astype("int64")
    frame = scores.assign(cell=_cells(scores), segment=_segments(scores, rules))
    stands_for = customers.stands_for
    stated = _cut_rules(scores, edges, rules, stands_for)
    return RfmSegments(
        frame.reindex(customers.frame.index),
        stated,
        _table(measured, frame["segment"], stands_for),
        rules,
        _notes(measured, stated),
    )


def _measured(customers: CustomerSummary, money: str) -> pd.DataFrame:
    """Days since the last purchase, purchases and money of each customer, sorted by customer id."""
    summary = customers.frame
    if money not in summary.columns:
        raise SettingsError(
            f"the customer summary has no column {money!r} (there are "
            f"{listing([str(name) for name in summary.columns])}); make it with "
            "summarize_customers, or name the column with what each customer spent: money='...'."
        )
    if not len(summary):
        raise SettingsError("the customer summary holds no customers; there is nobody to score.")
    spend = pd.to_numeric(summary[money], errors="coerce").astype("float64")
    unknown = ~np.isfinite(spend)
    if unknown.any():
        fix = "give a column that says of everybody what was spent, such as total_spend."
        rule = "spend is missing, infinite or no number"
        refuse([Violation("customer summary", money, rule, int(unknown.sum()), fix, summary.loc[unknown, [money]])])
    measured = {"recency": days_since_last(customers), "frequency": summary["frequency"] + 1.0, "monetary": spend}
    return pd.DataFrame(measured, columns=list(RFM_MEASURES)).sort_index()


def _quantiles(values: pd.Series, levels: int) -> np.ndarray:
    """The least values that 1/levels, 2/levels, ... of the customers do not exceed."""
    ordered = np.sort(values.to_numpy())
    return ordered[[-(-len(ordered) * k // levels) - 1 for k in range(1, levels)]]


def _cells(scores: pd.DataFrame) -> pd.Series:
    text = scores.astype(str)
    return text["recency_score"] + "-" + text["frequency_score"] + "-" + text["monetary_score"]


def _segments(scores: pd.DataFrame, rules: RfmRules) -> pd.Series:
    """Look the names up: every pair of scores is one place of the table."""
    value = (scores["frequency_score"] + scores["monetary_score"] + 1) // 2
    grid = np.array(rules.grid, dtype=object)
    found = grid[rules.levels - scores["recency_score"].to_numpy(), value.to_numpy() - 1]
    return pd.Series(pd.Categorical(found, categories=list(dict.fromkeys(grid.ravel()))), index=scores.index)


def _cut_rules(scores: pd.DataFrame, edges: dict[str, np.ndarray], rules: RfmRules, stands_for: float) -> pd.DataFrame:
    """State every interval, the best score first."""
    rows = []
    for measure in RFM_MEASURES:
        bounds = np.concatenate([[-np.inf], edges[measure], [np.inf]])
        levels = range(rules.levels, 0, -1)
        had = scores[f"{measure}_score"].value_counts().reindex(levels, fill_value=0)
        counts = counts_of_base(had.to_numpy(), stands_for)
        for score, customers in zip(levels, counts, strict=True):
            place = rules.levels - score if measure == "recency" else score - 1
            rule = "quantiles" if rules.edges(measure) is None else "given"
            rows.append((measure, score, bounds[place], bounds[place + 1], int(customers), rule))
    return pd.DataFrame(rows, columns=["measure", "score", "above", "up_to", "customers", "rule"]).set_index(
        ["measure", "score"]
    )


def _table(measured: pd.DataFrame, segment: pd.Series, stands_for: float) -> pd.DataFrame:
    groups = measured.groupby(segment, observed=False)
    spend = groups["monetary"].sum() * stands_for
    table = pd.DataFrame(
        {
            "customers": counts_of_base(groups.size().to_numpy(), stands_for),
            "share_of_customers": groups.size() / len(measured),
            "spend": spend,
            "share_of_spend": share_of_total(spend),
            "mean_spend": groups["monetary"].mean(),
            "mean_purchases": groups["frequency"].mean(),
            "median_days_since_last": groups["recency"].median(),
        }
    )
    return table.rename_axis(index="segment")


def _notes(measured: pd.DataFrame, stated: pd.DataFrame) -> tuple[str, ...]:
    """Say which scores nobody has, and why."""
    notes = []
    for measure in RFM_MEASURES:
        own = stated.loc[measure]
        empty = sorted(own.index[own["customers"] == 0])
        if not empty:
            continue
        words = {"measure": _(_WORDS[measure]), "scores": ", ".join(count(score) for score in empty)}
        if (own["rule"] == "given").all():
            notes.append(_("{measure}: nobody lies between the edges of score {scores}.", **words))
            continue
        alike = percent(float(measured[measure].value_counts(normalize=True).max()))
        notes.append(
            _(
                "{measure}: nobody has score {scores}. Equal values get the same score, and the commonest value is "
                "that of {alike} of the customers.",
                **words,
                alike=alike,
            )
        )
    return tuple(notes)
