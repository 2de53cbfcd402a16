"""Words from data on a drawing: lines that fit their room, and places for labels where they cover nothing."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import pandas as pd

from crm_analysis.messages import _
from crm_analysis.report.figures.drawing import text_width
from crm_analysis.report.figures.style import Sheet

Writer = Callable[[float], str]

_CUT = "…"
# From here on letters are as wide as high and may be parted anywhere.
_FIRST_CHINESE = 0x2E80


def wrapped(text: object, width: float, sheet: Sheet, *, lines: int = 2) -> list[str]:
    """Return a text as lines that fit `width` units; what does not fit on the last is cut, with a sign.

    Parameters
    ----------
    text : object
        As it stands in the data; signs that cannot be drawn become spaces.
    width : float
        Units of the drawing.
    sheet : Sheet
        What is drawn on.
    lines : int
        The most, >= 1.

    Returns
    -------
    list of str
        One line at least.
    """
    found: list[str] = []
    rest = _pieces(clean(text))
    while rest and len(found) < lines:
        taken = _taken(rest, width, sheet)
        found.append("".join(rest[:taken]).strip())
        rest = rest[taken:]
        while rest and rest[0] == " ":
            rest.pop(0)
    if rest:
        last = found[-1]
        while last and text_width(last + _CUT, sheet) > width:
            last = last[:-1]
        found[-1] = last.rstrip() + _CUT
    return found or [""]


def clean(text: object) -> str:
    """Return a text without what an SVG may not hold: line ends and control characters become spaces.

    >>> clean("after" + chr(0) + " the" + chr(10) + " sale")
    'after the sale'
    """
    return " ".join("".join(sign if sign.isprintable() else " " for sign in str(text)).split())


def in_words(table: pd.DataFrame, value: str, lower: str, upper: str, write: Writer) -> list[str]:
    """Write the figures of a table with their intervals, which may be missing: 23% (14% to 32%).

    >>> shares = pd.DataFrame({"share": [0.23, 0.4], "low": [0.14, None], "high": [0.32, None]})
    >>> in_words(shares, "share", "low", "high", "{:.0%}".format)
    ['23% (14% to 32%)', '40%']
    """
    found = []
    for figure, low, high in zip(
        *(table[column].to_numpy(dtype=float) for column in (value, lower, upper)), strict=True
    ):
        if math.isfinite(figure) and math.isfinite(low) and math.isfinite(high):
            found.append(_("{value} ({lower} to {upper})", value=write(figure), lower=write(low), upper=write(high)))
        else:
            found.append(write(figure))
    return found


class Box(NamedTuple):
    """A rectangle on the drawing, in units."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """Return the area both cover."""
        across = min(self.right, other.right) - max(self.left, other.left)
        up = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(across, 0.0) * max(up, 0.0)

    @property
    def area(self) -> float:
        """Width times height."""
        return (self.right - self.left) * (self.top - self.bottom)


def free_places(
    spots: Sequence[tuple[float, float]],
    sizes: Sequence[tuple[float, float]],
    obstacles: Sequence[Box],
    lines: Sequence[Box],
    room: Box,
    *,
    gap: float,
) -> tuple[list[Box], bool]:
    """Find places beside spots for their labels.

    Parameters
    ----------
    spots : sequence of (x, y)
        What is labelled, in units.
    sizes : sequence of (width, height)
        Of the labels.
    obstacles : sequence of Box
        What no label may cover.
    lines : sequence of Box
        What labels cover where there is no better place, such as thin lines.
    room : Box
        What no label may leave.
    gap : float
        Between a spot and its label.

    Returns
    -------
    places : list of Box
        The nearest place that covers least, each taken in turn.
    is_clear : bool
        Whether no label covers an obstacle or another label or leaves the room.
    """
    taken, is_clear = list(obstacles), True
    places = []
    for (x, y), (width, height) in zip(spots, sizes, strict=True):
        candidates = []
        for distance in (gap, 2.5 * gap):
            near = 0.4 * distance
            for left, bottom in (
                (x + near, y + near),
                (x + near, y - near - height),
                (x - near - width, y + near),
                (x - near - width, y - near - height),
                (x + distance, y - height / 2),
                (x - distance - width, y - height / 2),
                (x - width / 2, y + distance),
                (x - width / 2, y - distance - height),
            ):
                candidates.append(Box(left, bottom, left + width, bottom + height))
        # Rounded, so that equal places are taken in their order whatever the last digits are.
        covered = [
            round(sum(box.overlap(other) for other in taken) + box.area - box.overlap(room), 3) for box in candidates
        ]
        struck = [round(sum(box.overlap(line) for line in lines), 3) for box in candidates]
        best = min(range(len(candidates)), key=lambda i: (covered[i], struck[i]))
        is_clear = is_clear and covered[best] == 0
        places.append(candidates[best])
        taken.append(candidates[best])
    return places, is_clear


def _pieces(text: str) -> list[str]:
    """Part a text where a line may end: at spaces and between Chinese letters."""
    pieces: list[str] = []
    for sign in text:
        stands_alone = sign == " " or ord(sign) >= _FIRST_CHINESE
        if stands_alone or not pieces or pieces[-1] == " " or ord(pieces[-1][0]) >= _FIRST_CHINESE:
            pieces.append(sign)
        else:
            pieces[-1] += sign
    return pieces


def _taken(pieces: list[str], width: float, sheet: Sheet) -> int:
    """Return how many pieces fit one line; a piece wider than the line is parted in place."""
    line = ""
    for place, piece in enumerate(pieces):
        line += piece
        if text_width(line.strip(), sheet) > width:
            if place:
                return place
            fits = max(sum(text_width(piece[: i + 1], sheet) <= width for i in range(len(piece))), 1)
            pieces[0:1] = [piece[:fits], piece[fits:]] if fits < len(piece) else [piece]
            return 1
    return len(pieces)
