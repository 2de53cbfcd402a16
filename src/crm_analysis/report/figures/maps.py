"""Maps of importance against performance, and of what features do where they are there and where not."""

import pandas as pd

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import number_tick, share_tick
from crm_analysis.report.figures.four_fields import Direction, Fields, four_fields
from crm_analysis.report.figures.labels import Writer
from crm_analysis.report.pieces import Drawing


def priority_map(
    table: pd.DataFrame,
    *,
    lines: tuple[float, float],
    name: str,
    label: str,
    words: tuple[str, str] | None = None,
    ticks: tuple[Writer, Writer] | None = None,
    fields: Fields | None = None,
) -> Drawing:
    """Draw how much drivers count (to the right) and how well they are done (upwards).

    Parameters
    ----------
    table : DataFrame, one row a driver
        label; importance and performance, each with its limits in columns that end in _lower and _upper, which may be
        missing.
    lines : pair of float
        Importance and performance from which on they are called high.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    words : pair of str, optional
        What importance and performance are, with their units.
    ticks : pair of callable, optional
        Write numbers of the two axes: by default shares, and ratings with one decimal.
    fields : Fields, optional
        Other names of the four fields.

    Returns
    -------
    Drawing
    """
    what, how_well = words or (_("importance, share of what all drivers explain"), _("performance, mean rating"))
    share, rating = ticks or (share_tick, number_tick)
    return four_fields(
        table,
        Direction("importance", "importance_lower", "importance_upper", what, lines[0], share),
        Direction("performance", "performance_lower", "performance_upper", how_well, lines[1], rating),
        fields or Fields(_("more than enough"), _("keep it up"), _("can wait"), _("look at first")),
        name=name,
        label=label,
    )


def kano_map(table: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw what features do where they are there (upwards) and where they are not (to the right).

    Parameters
    ----------
    table : DataFrame, one row a feature
        label; better (0 to 1) and worse (-1 to 0), each with its limits in columns that end in _lower and _upper.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    # A share of customers is easier to read than a negative number, so worse is drawn by its size.
    sizes = table.assign(worse=-table["worse"], worse_lower=-table["worse_upper"], worse_upper=-table["worse_lower"])
    one = (-0.04, 1.04)

    def tick(value: float) -> str:
        return share_tick(value) if 0 <= value <= 1 else ""

    return four_fields(
        sizes,
        Direction("worse", "worse_lower", "worse_upper", _("dissatisfied where it is missing"), 0.5, tick, one),
        Direction("better", "better_lower", "better_upper", _("satisfied where it is there"), 0.5, tick, one),
        Fields(_("exciting"), _("expected"), _("indifferent"), _("basic")),
        name=name,
        label=label,
    )
