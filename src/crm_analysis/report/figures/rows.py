"""Charts of rows: words, a bar, a number. The words are text of the page, only the bars stretch."""

from collections.abc import Sequence
from dataclasses import dataclass

from crm_analysis.report.pieces import Drawing
from crm_analysis.report.templates import fill

# Percent of the room for bars below which a bar could vanish between two pixels.
_SMALLEST = 0.5
_TICK = "2"


@dataclass(frozen=True)
class Row:
    """One row.

    Attributes
    ----------
    label, small : str
        Name, and a second line below it.
    length : str
        Width of the bar as an SVG length, "" for no bar.
    role : str
        Colour of the bar, a role of `style`.
    share : str
        Written at the end of the bar.
    number : str
        Written at the right.
    words : str
        For screen readers, which do not see the bar.
    """

    label: str
    length: str
    role: str
    share: str
    number: str
    words: str
    small: str = ""


def bar_length(value: float, largest: float) -> str:
    """Length of a bar: percent of the largest, at least a tick; nothing for zero, negative and missing values.

    >>> bar_length(0.2, 0.4), bar_length(1e-6, 0.4), bar_length(-0.1, 0.4)
    ('50%', '2', '')
    """
    if not (value > 0 and largest > 0):
        return ""
    share = 100 * value / largest
    return f"{share:.4g}%" if share >= _SMALLEST else _TICK


def rows_drawing(rows: Sequence[Row], *, label: str, short: bool = False) -> Drawing:
    """Return a drawing of rows; `short` when labels are a word or two."""
    return Drawing(fill("figures/rows.html.j2", rows=rows, label=label, short=short))
