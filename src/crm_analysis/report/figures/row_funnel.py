"""What became of the rows of a log: used, set aside for a reason, or not seen."""

import pandas as pd

from crm_analysis.messages import _, count, percent
from crm_analysis.report.figures.rows import Row, bar_length, rows_drawing
from crm_analysis.report.pieces import Drawing

_ROLES = {"used": "data", "set_aside": "rule", "not_seen": "rule"}
_SMALLEST_SHARE = 0.001


def row_funnel(reconciliation: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw the rows of each outcome, on one scale that starts at zero and is not bent for the small ones.

    Parameters
    ----------
    reconciliation : DataFrame, one row an outcome
        outcome, in the reader's words; rows; share of all rows; status: used, set_aside or not_seen.
    name, label : str
        Id prefix, not used as rows have no ids; the finding as text alternative.

    Returns
    -------
    Drawing
    """
    words = {"used": _("used"), "set_aside": _("set aside"), "not_seen": _("not seen")}
    largest = float(reconciliation["share"].max()) if len(reconciliation) else 0.0
    rows = [
        Row(
            label=str(outcome),
            small=words[status] if str(outcome) != words[status] else "",
            length=bar_length(share, largest),
            role=_ROLES[status],
            share=_share(share),
            number=count(rows),
            words=_(" rows, {share}", share=_share(share)),
        )
        for outcome, rows, share, status in reconciliation[["outcome", "rows", "share", "status"]].itertuples(
            index=False
        )
    ]
    return rows_drawing(rows, label=label)


def _share(share: float) -> str:
    """Write a share so that a few rows of many are not called none."""
    if 0 < share < _SMALLEST_SHARE:
        return _("under {share}", share=percent(_SMALLEST_SHARE, 1))
    return percent(share)
