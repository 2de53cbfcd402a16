"""The customer pyramid: a bar for each tier, as long as its share of the worth."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from crm_analysis.messages import _, count, money, percent
from crm_analysis.report.figures.rows import Row, bar_length, rows_drawing
from crm_analysis.report.pieces import Drawing


def tiers(table: pd.DataFrame, *, label: str, currency: str) -> Drawing:
    """Draw the share of the residual value each tier holds; the mean value of a customer stands at the right.

    Parameters
    ----------
    table : DataFrame, indexed by tier from the top
        customers, share_of_customers, share_of_value (some may be negative), mean_value in `currency`.
    label : str
        The finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """
    labels = [_(str(tier)).capitalize() for tier in table.index]
    sizes = [
        _("{customers} customers, {share}", customers=count(row["customers"]), share=percent(row["share_of_customers"]))
        for _tier, row in table.iterrows()
    ]
    return worth_rows(table, labels=labels, sizes=sizes, label=label, currency=currency)


def worth_rows(
    table: pd.DataFrame, *, labels: Sequence[str], sizes: Sequence[str], label: str, currency: str
) -> Drawing:
    """Draw what each part of a base holds of the worth, the first in the strongest colour, from a frame as above.

    Parameters
    ----------
    labels, sizes : sequence of str
        What each part is called, and how many are in it, in words.
    """
    largest = float(np.fmax.reduce(table["share_of_value"].to_numpy(dtype=float), initial=0.0))
    rows = [
        Row(
            label=name,
            length=bar_length(row["share_of_value"], largest),
            role="data" if place == 0 else "data-2",
            share=percent(row["share_of_value"], 1),
            number=money(row["mean_value"], currency),
            words=_(" each; {share} of the worth", share=percent(row["share_of_value"], 1)),
            small=size,
        )
        for place, (name, size, row) in enumerate(zip(labels, sizes, table.to_dict("records"), strict=True))
    ]
    return rows_drawing(rows, label=label)
