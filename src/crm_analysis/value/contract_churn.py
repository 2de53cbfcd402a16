"""Churn of a company of contracts on the bases that apply to it: members, renewals, recurring fees, competition."""

from datetime import date

import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, day
from crm_analysis.models.memberships import joined_terms
from crm_analysis.periods import DAYS_PER_YEAR, horizon_in_units
from crm_analysis.value.customer_churn import by_contract
from crm_analysis.value.exit_reasons import competition_churn
from crm_analysis.value.loss import Loss, table_of, unknown
from crm_analysis.value.member_counts import members_on


def contract_churn(
    memberships: pd.DataFrame, *, start: Day, end: Day, exits: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Say what a company of contracts lost between two dates.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on, ended_on; renewal_period and fee (paid at the start and at each renewal) where known.
    start, end : date or str
        End of the day before the time, and of its last day.
    exits : DataFrame, optional
        As `exit_reasons` takes it.

    Returns
    -------
    DataFrame, indexed by basis and measure
        As `ChurnRates.rates`, with the rows members and renewals (customers), recurring_fees (money) and to_rival
        (competition).

    Raises
    ------
    DataError
        When a table is refused.
    SettingsError
        When the dates are not in order.
    """
    first, last = to_day(start, "start"), to_day(end, "end")
    if first >= last:
        raise SettingsError(f"start is {first} and end is {last}; give an earlier and a later day.")
    losses = [
        *by_contract(memberships, first, last),
        _recurring_fees(memberships, first, last),
        competition_churn(exits, first, last),
    ]
    return table_of(losses)


def _recurring_fees(memberships: pd.DataFrame, start: date, end: date) -> Loss:
    """Fees a year of the contracts running at the start, and of them those of customers who are members no longer."""
    definition = _(
        "Fees a year of the contracts running on {start}; lost are those of customers without a running contract at "
        "the end of {end}. Fees of new members and changes of fee are not in it.",
        start=day(start),
        end=day(end),
    )
    if not {"fee", "renewal_period", "ended_on"} <= set(memberships.columns):
        return unknown("money", "recurring_fees", definition, _("The contracts do not tell fees and renewals."))
    joined = joined_terms(memberships, of_one_period=True)
    begin, close = pd.Timestamp(start), pd.Timestamp(end)
    ran = joined[(joined["started_on"] <= begin) & ~(joined["ended_on"] <= begin)]
    days = {text: horizon_in_units(text, "day") for text in ran["renewal_period"].dropna().unique()}
    yearly = ran["fee"] * DAYS_PER_YEAR / ran["renewal_period"].map(days).astype(float)
    left = ~ran["customer_id"].isin(members_on(joined, close))
    return Loss(
        "money", "recurring_fees", float(yearly.sum()), float(yearly[left].sum()), definition, (end - start).days
    )
