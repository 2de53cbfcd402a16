"""What each plan holds of the worth: a bar for each."""

import pandas as pd

from crm_analysis.messages import _, count, percent
from crm_analysis.report.figures.tiers import worth_rows
from crm_analysis.report.pieces import Drawing


def plan_worth(table: pd.DataFrame, *, label: str, currency: str) -> Drawing:
    """Draw the share of the residual value the members of each plan hold; the mean of a member stands at the right.

    Parameters
    ----------
    table : DataFrame, indexed by plan in the order shown
        customers, share_of_customers, share_of_value (some may be negative), mean_value in `currency`.
    label : str
        The finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """
    sizes = [
        _("{customers} members, {share}", customers=count(row["customers"]), share=percent(row["share_of_customers"]))
        for _plan, row in table.iterrows()
    ]
    return worth_rows(table, labels=[str(plan) for plan in table.index], sizes=sizes, label=label, currency=currency)
