"""Two figures of the same thing and what lies between: before and after, expected and experienced."""

import pandas as pd

from crm_analysis.messages import _, number, signed
from crm_analysis.report.figures.dots import Mark, dot_rows, joined
from crm_analysis.report.figures.drawing import number_tick
from crm_analysis.report.figures.labels import Writer, in_words
from crm_analysis.report.figures.style import DATA, DATA_2
from crm_analysis.report.pieces import Drawing


def two_decimals(value: float) -> str:
    """Write a change of a mean rating: 0.24."""
    return number(value, 2)


def wave_dumbbell(
    changes: pd.DataFrame,
    *,
    name: str,
    label: str,
    axis: str,
    words: tuple[str, str],
    write: Writer = two_decimals,
    tick: Writer = number_tick,
    from_zero: bool = False,
) -> Drawing:
    """Draw items of a survey in two waves.

    Parameters
    ----------
    changes : DataFrame, one row an item, from the top
        label; before and after; change with its limits lower and upper; is_real: whether the change is more than
        chance, items where it is not step back.
    name, label : str
        Beginning of all ids, and the finding as text alternative.
    axis : str
        What the axis counts, with its scale.
    words : pair of str
        What before and after are called.
    write, tick : callable
        Write a change, and a number of the axis.
    from_zero : bool
        Whether the scale has a zero the axis should hold: shares have, ratings from 1 to 10 have none.

    Returns
    -------
    Drawing
    """
    written = in_words(changes, "change", "lower", "upper", lambda value: signed(write(value), value))
    return dot_rows(
        joined(changes, "before", "after").assign(is_muted=~changes["is_real"].astype(bool), words=written),
        (Mark("before", DATA_2, shape="ring", words=words[0]), Mark("after", DATA, words=words[1])),
        name=name,
        label=label,
        axis=axis,
        tick=tick,
        from_zero=from_zero,
    )


def gap_dumbbell(
    gaps: pd.DataFrame,
    *,
    name: str,
    label: str,
    axis: str,
    words: tuple[str, str] | None = None,
    write: Writer = two_decimals,
    tick: Writer = number_tick,
) -> Drawing:
    """Draw what customers expected and what they experienced.

    Parameters
    ----------
    gaps : DataFrame, one row an attribute, from the top
        label; expectation and perception; gap (perception less expectation) with its limits lower and upper; is_real:
        whether the gap is more than chance.
    name, label, axis, write, tick
        As for `wave_dumbbell`.
    words : pair of str, optional
        What expectation and perception are called.

    Returns
    -------
    Drawing
    """
    return wave_dumbbell(
        gaps.rename(columns={"expectation": "before", "perception": "after", "gap": "change"}),
        name=name,
        label=label,
        axis=axis,
        words=words or (_("expected"), _("experienced")),
        write=write,
        tick=tick,
    )
