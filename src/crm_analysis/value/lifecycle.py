"""The lifecycle: target, prospect, new, active, at risk, lost, won back; by model and by a plain rule, side by side."""

import dataclasses
import math
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.messages import N_, _, count, plural
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.segment_rules import LIFECYCLE_STATES, PROSPECT_STATES, LifecycleRules
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.prospect_counts import count_prospects
from crm_analysis.value.segment_base import counts_of_base, of_customers, share_of_total, valued_customers

# Where nobody has come back yet, so that there is no gap to learn from.
FIXED_DAYS = (90.0, 365.0)
# Three of four, and nineteen of twenty, repeat buyers come back within so many days on average.
GAP_SHARES = (0.75, 0.95)


@dataclass(frozen=True, eq=False)
class LifecycleStates:
    """Where each customer stands, told twice.

    Attributes
    ----------
    frame : DataFrame, index customer_id
        by_model, by_rule (ordered categories, lost the least and active the greatest); probability_alive;
        days_since_last; purchases (count, the first included); residual_value.
    cross : DataFrame, rows by_model, columns by_rule
        Customers (of the base, where a sample was valued).
    disagreement : DataFrame, index (by_model, by_rule)
        The cells where the two differ, by value: customers, value, share_of_value (missing where the total is not
        positive).
    table : DataFrame, index state
        Targets and prospects first: customers_by_model, customers_by_rule, value_by_model, value_by_rule. Targets and
        prospects have the same count in both and no value; without a table of prospects their count is missing.
    rules : LifecycleRules
        The rules in use; days that were left to the customers' gaps are filled in.
    as_of : date or None
    notes : tuple of str
        What a reader should know, in words: where the days come from, and what could not be told.
    """

    frame: pd.DataFrame
    cross: pd.DataFrame
    disagreement: pd.DataFrame
    table: pd.DataFrame
    rules: LifecycleRules
    as_of: date | None
    notes: tuple[str, ...]


def lifecycle_states(
    values: CustomerValues,
    *,
    previous: LifecycleStates | None = None,
    prospects: pd.DataFrame | None = None,
    last_gaps: pd.Series | None = None,
    rules: LifecycleRules | None = None,
) -> LifecycleStates:
    """Say of every customer whether it is new, active, at risk, lost or won back.

    Parameters
    ----------
    values : CustomerValues
    previous : LifecycleStates, optional
        The states at an earlier date: who was lost then and has bought since is won back.
    prospects : DataFrame, optional
        One row a lead: prospect_id, stage.
    last_gaps : Series, optional
        Days between the last two purchases by customer_id, as `last_gaps` of the log gives them. Without it the gap is
        known of those with one repeat purchase only.
    rules : LifecycleRules, optional
        Thresholds; the defaults when not given.

    Returns
    -------
    LifecycleStates

    Raises
    ------
    DataError
        When ids are missing or repeated, a gap is missing or no length of time, or prospects lack a column.
    SettingsError
        When thresholds are out of order, also with the days that the gaps give; or `previous` is later.

    Notes
    -----
    In this order: *new* for `new_days` after the first purchase; *lost* below or beyond the threshold; *at risk* in
    between; *won back* where the silence before the last purchase was longer than `lost_days`, or the state of
    `previous` was lost and the customer has bought since (or was won back, and has not); else *active*.

    Days that the rules leave open come from the mean gap of each repeat buyer: active_days is what three quarters of
    these do not exceed, lost_days what 95% do not exceed, in whole days. Gaps longer than the log are not in it, so a
    short log gives thresholds that are too short. Where nobody has bought again they are 90 and 365 days.

    Under BG/NBD a customer with one purchase is alive with probability 1 however long the silence; such customers are
    active by model and lost by rule. `disagreement` shows how much value lies there.
    """
    rules = LifecycleRules() if rules is None else rules
    if not isinstance(rules, LifecycleRules):
        raise SettingsError(f"rules is a {type(rules).__name__}; give LifecycleRules.")
    customers, summary = valued_customers(values), values.customers
    _check_previous(previous, summary.as_of)
    rules, notes = _with_days(rules, summary)
    customers["first"] = summary.frame["T"] * DAYS_PER_UNIT[summary.time_unit]
    gap, unknown = _gaps_before_last(summary, last_gaps)
    returned = gap.reindex(customers.index) > rules.lost_days
    frame = pd.DataFrame(index=customers.index)
    for column, lost, at_risk in _thresholds(customers, rules):
        back = returned | _returned_since(previous, column, customers["orders"])
        frame[column] = _states(customers["first"] <= rules.new_days, lost, at_risk, back)
    if previous is None:
        is_active = (frame[["by_model", "by_rule"]] == "active").any(axis=1)
        notes += _untold((unknown.reindex(customers.index) > rules.lost_days) & is_active)
    frame = frame.assign(
        probability_alive=customers["probability_alive"],
        days_since_last=customers["days_since_last"],
        purchases=customers["orders"],
        residual_value=customers["residual_value"],
    )
    cross, value = _cross(frame, summary.stands_for)
    leads, about_leads = count_prospects(prospects, rules)
    return LifecycleStates(
        frame.reindex(values.frame.index),
        cross,
        _disagreement(cross, value),
        _table(cross, value, leads),
        rules,
        summary.as_of,
        notes + about_leads,
    )


def _check_previous(previous: LifecycleStates | None, as_of: date | None) -> None:
    if previous is None:
        return
    if not isinstance(previous, LifecycleStates):
        raise SettingsError(f"previous is a {type(previous).__name__}; give the LifecycleStates of an earlier date.")
    if previous.as_of is not None and as_of is not None and previous.as_of >= as_of:
        raise SettingsError(
            f"previous is as of {previous.as_of}, not before {as_of}; give the states of an earlier date."
        )


def _with_days(rules: LifecycleRules, customers: CustomerSummary) -> tuple[LifecycleRules, tuple[str, ...]]:
    """Fill in the days that were left open, and say where they come from."""
    if rules.active_days is not None and rules.lost_days is not None:
        return rules, ()
    repeat = customers.frame[customers.frame["frequency"] > 0]
    if len(repeat):
        gaps = repeat["recency"] / repeat["frequency"] * DAYS_PER_UNIT[customers.time_unit]
        active, lost = (math.ceil(max(days, 1) - 1e-6) for days in np.quantile(gaps, GAP_SHARES, method="inverted_cdf"))
        words = N_(
            "The plain rule follows the customers' own gaps: active up to {active} days without a purchase, "
            "lost after {lost}."
        )
    else:
        active, lost = FIXED_DAYS
        words = N_(
            "Nobody has bought again yet, so the plain rule has fixed days: active up to {active} without a purchase, "
            "lost after {lost}."
        )
    if rules.active_days is not None:
        active = rules.active_days
    elif rules.lost_days is not None:
        active = min(active, rules.lost_days / 2)  # gaps may grow past a threshold that was set
    # Gaps that are all alike make one threshold of two.
    lost = (lost if lost > active else 2 * active) if rules.lost_days is None else rules.lost_days
    filled = dataclasses.replace(rules, active_days=float(active), lost_days=float(lost))
    return filled, (_(words, active=count(active), lost=count(lost)),)


def _thresholds(customers: pd.DataFrame, rules: LifecycleRules) -> list[tuple[str, pd.Series, pd.Series]]:
    """Who is lost and who is at risk or worse, by model and by rule."""
    alive, silence = customers["probability_alive"], customers["days_since_last"]
    return [
        ("by_model", alive < rules.lost_below, alive < rules.active_from),
        ("by_rule", silence > rules.lost_days, silence > rules.active_days),
    ]


def _states(is_new: pd.Series, lost: pd.Series, at_risk: pd.Series, back: pd.Series) -> pd.Categorical:
    state = np.select([is_new, lost, at_risk, back], ["new", "lost", "at risk", "won back"], default="active")
    return pd.Categorical(state, categories=LIFECYCLE_STATES[::-1], ordered=True)


def _gaps_before_last(customers: CustomerSummary, last_gaps: pd.Series | None) -> tuple[pd.Series, pd.Series]:
    """Days before the last purchase where they are known, and the most they can be where they are not."""
    frame = customers.frame
    span = frame["recency"] * DAYS_PER_UNIT[customers.time_unit]
    if last_gaps is None:
        return span.where(frame["frequency"] == 1), span.where(frame["frequency"] > 1)
    gaps = pd.to_numeric(of_customers(last_gaps, "last_gaps"), errors="coerce").reindex(frame.index)
    wrong = (frame["frequency"] > 0) & ~(np.isfinite(gaps) & (gaps >= 0))
    if wrong.any():
        fix = "give the days between the last two purchases of everybody who bought again: last_gaps(log, as_of=...)."
        rule = "the gap of a repeat buyer is missing, negative or infinite"
        first = pd.DataFrame({"last_gap": gaps, "frequency": frame["frequency"]})[wrong].head(5)
        refuse([Violation("last_gaps", "last_gap", rule, int(wrong.sum()), fix, first)])
    return gaps, pd.Series(np.nan, index=frame.index)


def _returned_since(previous: LifecycleStates | None, column: str, purchases: pd.Series) -> pd.Series:
    """Who was lost at the earlier date and has bought since, or was won back then and has not."""
    if previous is None:
        return pd.Series(False, index=purchases.index)
    state = previous.frame[column].reindex(purchases.index)
    bought = purchases > previous.frame["purchases"].reindex(purchases.index)
    return ((state == "lost") & bought) | ((state == "won back") & ~bought)


def _untold(customers: pd.Series) -> tuple[str, ...]:
    if not customers.any():
        return ()
    words = plural(
        "Of {n} active customer it is not known whether this is one who was won back: several purchases followed the "
        "first, and neither the gap before the last one nor an earlier state was given.",
        "Of {n} active customers it is not known whether they were won back: several purchases followed the first, and "
        "neither the gap before the last one nor an earlier state was given.",
        int(customers.sum()),
    )
    return (words,)


def _cross(frame: pd.DataFrame, stands_for: float) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Customers and value by both states, from active to lost."""
    cells = frame["residual_value"].groupby([frame["by_model"], frame["by_rule"]], observed=False)
    states = list(LIFECYCLE_STATES)
    sizes, value = (table.unstack().loc[states, states] for table in (cells.size(), cells.sum() * stands_for))
    counts = pd.DataFrame(counts_of_base(sizes.to_numpy(), stands_for), index=states, columns=states)
    tables = (counts, value.set_axis(states).set_axis(states, axis=1))
    named = [table.rename_axis(index="by_model", columns="by_rule") for table in tables]
    return named[0], named[1]


def _disagreement(cross: pd.DataFrame, value: pd.DataFrame) -> pd.DataFrame:
    frame = pd.DataFrame({"customers": cross.T.unstack(), "value": value.T.unstack()})
    frame["share_of_value"] = share_of_total(frame["value"])
    differ = frame.index.get_level_values("by_model") != frame.index.get_level_values("by_rule")
    return frame[differ & (frame["customers"] > 0)].sort_values("value", ascending=False, kind="stable")


def _table(cross: pd.DataFrame, value: pd.DataFrame, leads: pd.Series) -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "customers_by_model": pd.concat([leads, cross.sum(axis=1).astype("Int64")]),
            "customers_by_rule": pd.concat([leads, cross.sum(axis=0).astype("Int64")]),
            "value_by_model": value.sum(axis=1),
            "value_by_rule": value.sum(axis=0),
        },
        index=pd.Index([*PROSPECT_STATES, *LIFECYCLE_STATES], name="state"),
    )
    return table
