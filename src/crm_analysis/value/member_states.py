"""Where the members of a club stand: new, active, due soon, won back or lost, by the dates of their contracts."""

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_whole
from crm_analysis.models.memberships import joined_terms
from crm_analysis.models.terms import months_or_days, renewal_days, renewals_made
from crm_analysis.periods import horizon_in_units
from crm_analysis.value.member_counts import members_on

STATES = (N_("new"), N_("won back"), N_("due soon"), N_("active"), N_("lost"))


def next_renewals(joined: pd.DataFrame, as_of: pd.Timestamp) -> pd.Series:
    """Return the day on which each contract that runs on a day comes up for renewal next.

    Parameters
    ----------
    joined : DataFrame
        As `joined_terms(..., of_one_period=True)` gives it.
    as_of : Timestamp

    Returns
    -------
    Series of midnights, indexed as `joined`
        By the calendar, after `as_of`; missing where the contract has ended or no renewal period is known.
    """
    days = pd.Series(pd.NaT, index=joined.index, dtype="datetime64[us]")
    runs = (joined["started_on"] <= as_of) & ~(joined["ended_on"] <= as_of)
    if "renewal_period" not in joined.columns:
        return days
    running = joined[runs]
    for period, rows in running.groupby("renewal_period"):
        length = months_or_days(period)
        assert length is not None  # a period that is none was refused
        due = renewals_made(rows, as_of).to_numpy(dtype=np.int64)[:, None] + 1
        days[rows.index] = renewal_days(rows["started_on"], length, due)[:, 0].astype("datetime64[us]")
    return days


def member_states(memberships: pd.DataFrame, *, as_of: Day, new_days: int = 90, due_days: int = 30) -> pd.DataFrame:
    """Say of everybody who ever had a contract where they stand, by a plain rule.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on, ended_on; renewal_period where known.
    as_of : date or str
        A contract that ends later is running.
    new_days : int
        A membership is new for so many days after it began.
    due_days : int
        A renewal within so many days is soon. Contracts renewed as often as that would always be due, so they are not.

    Returns
    -------
    DataFrame, indexed by customer_id
        state (ordered category, the first of `STATES` that applies):

        - new: the first membership ever began within `new_days`;
        - won back: had been a member before, and the present membership began within `new_days`;
        - due soon: a member with a renewal within `due_days`;
        - active: any other member;
        - lost: no contract is running;

        since: the day the present membership began, of the lost the day the last one ended.

    Raises
    ------
    DataError
        When contracts are refused.
    """
    check_whole("new_days", new_days, least=1)
    check_whole("due_days", due_days, least=1)
    day = pd.Timestamp(to_day(as_of, "as_of"))
    joined = joined_terms(memberships, of_one_period=True).reset_index(drop=True)
    joined = joined[joined["started_on"] <= day]
    whole = joined_terms(memberships)
    whole = whole[whole["started_on"] <= day]
    customers = pd.Index(whole["customer_id"].unique(), name="customer_id")
    is_member = customers.isin(members_on(whole, day))
    runs = ~(whole["ended_on"] <= day)
    began = whole[runs].groupby("customer_id")["started_on"].min().reindex(customers)
    ended = whole[~runs].groupby("customer_id")["ended_on"].max().reindex(customers)
    had_left = whole[~runs].groupby("customer_id")["ended_on"].min().reindex(customers) < began
    is_young = (day - began).dt.days < new_days
    soon = next_renewals(joined, day) <= day + pd.Timedelta(days=due_days)
    due = joined.loc[soon & _is_longer(joined, due_days), "customer_id"]
    state = np.select(
        [~is_member, is_young & ~had_left, is_young, customers.isin(due)], ["lost", "new", "won back", "due soon"],
        default="active",
    )  # fmt: skip
    frame = pd.DataFrame({"state": pd.Categorical(state, STATES, ordered=True), "since": began.where(is_member, ended)})
    return frame.set_axis(customers)


def _is_longer(joined: pd.DataFrame, days: int) -> pd.Series:
    """Whether contracts are renewed after a longer time than so many days."""
    if "renewal_period" not in joined.columns:
        return pd.Series(False, index=joined.index)
    known = {text: horizon_in_units(text, "day") for text in joined["renewal_period"].dropna().unique()}
    # A day is spared, so that what is renewed monthly is no longer than 30 days.
    return joined["renewal_period"].map(known).astype(float) > days + 1
