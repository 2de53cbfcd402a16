"""How figures look while they are drawn: one colour a role, one set of sizes.

The colours are placeholders no reader sees. `inline_svg` turns each into a class such as `f-data` (fill), `s-data`
(stroke) or `t-data` (text), and the page's style sheet gives light, dark and print their own colours.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure

DATA, DATA_2 = "#010101", "#020202"
MODEL, BAND = "#030303", "#040404"
HELD_OUT = "#050505"
INK, SOFT = "#060606", "#070707"
AXIS, GRID, CARD = "#080808", "#090909", "#0a0a0a"
HEAT = ("#111111", "#121212", "#131313", "#141414", "#151515", "#161616")
ON_LIGHT, ON_DARK = "#171717", "#181818"

ROLES = {
    DATA: "data",
    DATA_2: "data-2",
    MODEL: "model",
    BAND: "band",
    HELD_OUT: "held-out",
    INK: "ink",
    SOFT: "soft",
    AXIS: "rule",
    GRID: "grid",
    CARD: "card",
    ON_LIGHT: "on-light",
    ON_DARK: "on-dark",
} | {colour: f"h{level}" for level, colour in enumerate(HEAT, start=1)}

WIDE, MIDDLE, NARROW = 1000, 750, 340
TEXT_SIZE = 13
DASHES = (0, (3, 2))

# One unit of the drawing is one point, so that sizes here are sizes in the page.
_UNITS_PER_INCH = 72

_RC = {
    "font.family": "DejaVu Sans",  # comes with matplotlib; only measures, the page sets its own
    "font.size": TEXT_SIZE,
    "text.color": INK,
    "text.parse_math": False,  # two amounts in dollars are no formula
    "axes.edgecolor": AXIS,
    "axes.labelcolor": SOFT,
    "axes.linewidth": 1,
    "axes.spines.left": False,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "axes.xmargin": 0,
    "axes.ymargin": 0,
    "grid.color": GRID,
    "grid.linewidth": 1,
    "lines.linewidth": 2,
    "xtick.color": AXIS,
    "xtick.labelcolor": SOFT,
    "xtick.major.size": 5,
    "xtick.major.width": 1,
    "xtick.major.pad": 9,
    "ytick.color": AXIS,
    "ytick.labelcolor": SOFT,
    "ytick.major.size": 0,
    "ytick.major.pad": 8,
    "svg.fonttype": "none",
}


@dataclass(frozen=True)
class Sheet:
    """The size of a drawing and the room around its axes, in units of the drawing."""

    width: int
    height: int
    left: int = 44
    right: int = 12
    top: int = 30
    bottom: int = 34

    @property
    def css_class(self) -> str:
        """Classes that show the drawing where its size fits, with text of a readable size."""
        return "fig narrow" if self.is_narrow else f"fig wide w{self.width}"

    @property
    def is_narrow(self) -> bool:
        """Whether it is drawn for a phone."""
        return self.width == NARROW


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw in the style of the book, whatever the user's own matplotlib settings are."""
    with matplotlib.style.context(_RC, after_reset=True):
        yield


def new_axes(sheet: Sheet) -> Axes:
    """Return empty axes on a figure of their own; nothing global knows of it."""
    figure = Figure(figsize=(sheet.width / _UNITS_PER_INCH, sheet.height / _UNITS_PER_INCH), dpi=_UNITS_PER_INCH)
    figure.patch.set_visible(False)
    width, height = sheet.width - sheet.left - sheet.right, sheet.height - sheet.top - sheet.bottom
    axes = figure.add_axes(
        (sheet.left / sheet.width, sheet.bottom / sheet.height, width / sheet.width, height / sheet.height)
    )
    axes.patch.set_visible(False)
    return axes
