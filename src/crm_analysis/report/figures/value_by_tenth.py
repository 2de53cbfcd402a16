"""Who holds the value: a bar for each tenth of the customers."""

import numpy as np
import pandas as pd

from crm_analysis.messages import _, money, percent
from crm_analysis.report.figures.rows import Row, bar_length, rows_drawing
from crm_analysis.report.pieces import Drawing

_TENTHS = 10


def value_by_tenth(tenths: pd.DataFrame, *, name: str, label: str, currency: str) -> Drawing:
    """Draw the share of residual value of each tenth; the mean value stands at the right.

    Parameters
    ----------
    tenths : DataFrame, indexed by tenth (1 holds the most valuable customers)
        share of the value, of which some may be negative; mean_value, in `currency`.
    name, label : str
        Id prefix, not used as rows have no ids; the finding as text alternative.
    currency : str
        ISO code.

    Returns
    -------
    Drawing
    """
    largest = float(np.fmax.reduce(tenths["share"].to_numpy(dtype=float), initial=0.0))
    rows = [
        Row(
            label=tenth_name(int(str(tenth))),
            length=bar_length(share, largest),
            role="data" if int(str(tenth)) == 1 else "data-2",
            share=percent(share, 1),
            number=money(mean, currency, 2),
            words=_(" each; {share} of the value", share=percent(share, 1)),
        )
        for tenth, share, mean in zip(tenths.index, tenths["share"], tenths["mean_value"], strict=True)
    ]
    return rows_drawing(rows, label=label, short=True)


def tenth_name(tenth: int) -> str:
    """Name of a tenth; the first and the last say which end they are."""
    names = {
        1: _("Top tenth"),
        2: _("2nd"),
        3: _("3rd"),
        4: _("4th"),
        5: _("5th"),
        6: _("6th"),
        7: _("7th"),
        8: _("8th"),
        9: _("9th"),
        _TENTHS: _("Last tenth"),
    }
    return names[tenth]
