"""What each plan holds of the worth: a bar for each."""

import numpy as np
import pandas as pd

from crm_analysis.messages import _, count, money, percent
from crm_analysis.report.figures.rows import Row, bar_length, rows_drawing
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
    largest = float(np.fmax.reduce(table["share_of_value"].to_numpy(dtype=float), initial=0.0))
    rows = [
        Row(
            label=str(plan),
            length=bar_length(row["share_of_value"], largest),
            role="data" if place == 0 else "data-2",
            share=percent(row["share_of_value"], 1),
            number=money(row["mean_value"], currency),
            words=_(" each; {share} of the worth", share=percent(row["share_of_value"], 1)),
            small=_(
                "{customers} members, {share}",
                customers=count(row["customers"]),
                share=percent(row["share_of_customers"]),
            ),
        )
        for place, (plan, row) in enumerate(table.iterrows())
    ]
    return rows_drawing(rows, label=label)
