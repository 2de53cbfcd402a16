"""A path model: its constructs as boxes, its paths as arrows, and below them every coefficient with its interval."""

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import FancyArrowPatch, Rectangle

from crm_analysis.messages import _, number
from crm_analysis.report.figures.dots import interval_dots
from crm_analysis.report.figures.drawing import number_tick, text_width
from crm_analysis.report.figures.inline_svg import inline_svg
from crm_analysis.report.figures.labels import Box, clean, in_words, wrapped
from crm_analysis.report.figures.path_layout import place_constructs
from crm_analysis.report.figures.style import (
    AXIS,
    CARD,
    DASHES,
    DATA,
    INK,
    MIDDLE,
    MODEL,
    NARROW,
    SOFT,
    Sheet,
    drawing_style,
    new_axes,
)
from crm_analysis.report.pieces import Drawing
from crm_analysis.report.templates import fill

_BOX_WIDTH, _ROW_GAP, _EDGE = 132.0, 62.0, 4.0
_LINE = 16.0
# In the rows below, so that both names of a path are seen.
_LONGEST_NAME = 300.0
_THINNEST, _THICKEST = 1.0, 5.0
# Where along an arrow its number may stand, the best place first.
_ALONG = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74)


def path_diagram(constructs: pd.DataFrame, paths: pd.DataFrame, *, name: str, label: str) -> Drawing:
    """Draw a recursive model; on a phone, where boxes find no room, its coefficients alone.

    Parameters
    ----------
    constructs : DataFrame, indexed by construct
        label; optionally index (0 to 100) and r_squared, missing for constructs that nothing explains.
    paths : DataFrame, one row a path
        from and to (constructs); coefficient (standardised), lower and upper. A path whose interval holds 0 steps back.
    name, label : str
        Beginning of all ids, and the finding as text alternative.

    Returns
    -------
    Drawing
    """
    sheet, _cells = _layout(constructs, paths)
    with drawing_style():
        ax = new_axes(sheet)
        draw_path_diagram(constructs, paths, ax=ax, sheet=sheet)
        figure = ax.get_figure(root=True)
        assert figure is not None
        diagram = inline_svg(figure, name=f"{name}-diagram", label=label, css_class=sheet.css_class)
    rows = interval_dots(
        _coefficients(constructs, paths),
        name=name,
        label=_("Coefficients of the paths"),
        axis=_("path coefficient, standardised"),
        tick=number_tick,
    )
    facts = [f"{clean(row['label'])}: {', '.join(_facts(row))}" for row in constructs.to_dict("records") if _facts(row)]
    key = fill("figures/key.html.j2", entries=facts, numbered=False, narrow=True) if facts else Markup()
    return Drawing(Markup("\n").join(part for part in (diagram, rows.markup, key) if part))


def draw_path_diagram(constructs: pd.DataFrame, paths: pd.DataFrame, *, ax: Axes, sheet: Sheet) -> Axes:
    """Draw onto `ax`: boxes in the order of causes, arrows as thick as their coefficients."""
    _sheet, cells = _layout(constructs, paths)
    ax.set_xlim(0, sheet.width)
    ax.set_ylim(sheet.height, 0)
    ax.set_axis_off()
    boxes = dict(zip(constructs.index, _boxes(cells, constructs, sheet), strict=True))
    for (_construct, row), box in zip(constructs.iterrows(), boxes.values(), strict=True):
        _draw_box(ax, sheet, box, row.to_dict())
    ends = [
        (_edge(boxes[cause], boxes[effect]), _edge(boxes[effect], boxes[cause]))
        for cause, effect in paths[["from", "to"]].itertuples(index=False)
    ]
    sizes = paths["coefficient"].astype(float)
    thickest = float(np.fmax.reduce(np.abs(sizes.to_numpy()), initial=0.0)) or 1.0
    taken = list(boxes.values())
    for place, ((start, end), size, sure) in enumerate(zip(ends, sizes, _is_sure(paths), strict=True)):
        colour = AXIS if not sure else DATA if size >= 0 else MODEL
        width = _THINNEST + (_THICKEST - _THINNEST) * abs(size) / thickest if sure else 1.5
        ax.add_patch(
            FancyArrowPatch(
                start,
                end,
                arrowstyle="-|>",
                mutation_scale=12 + 1.5 * width,
                linewidth=width,
                linestyle="solid" if sure else DASHES,
                color=colour,
                shrinkA=0,
                shrinkB=0,
                joinstyle="miter",
                capstyle="butt",
            )
        )
        words = number(float(size), 2)
        box = _number_place(start, end, text_width(words, sheet) - 6, taken, ends[:place] + ends[place + 1 :])
        taken.append(box)
        ax.text(
            (box.left + box.right) / 2,
            (box.bottom + box.top) / 2,
            words,
            color=SOFT if not sure else INK,
            weight="normal" if not sure else "bold",
            ha="center",
            va="center",
            bbox={"facecolor": CARD, "edgecolor": "none", "pad": 1.5},
            zorder=5,
        )
    return ax


def _layout(constructs: pd.DataFrame, paths: pd.DataFrame) -> tuple[Sheet, np.ndarray]:
    """Return the sheet the model needs and the cell of each construct."""
    place = {construct: i for i, construct in enumerate(constructs.index)}
    arrows = tuple((place[cause], place[effect]) for cause, effect in paths[["from", "to"]].itertuples(index=False))
    cells, (_columns, rows) = place_constructs(len(constructs), arrows)
    height = int(rows * (_box_height(constructs) + _ROW_GAP) - _ROW_GAP + 2 * _EDGE)
    return Sheet(MIDDLE, height, left=0, right=0, top=0, bottom=0), cells


def _box_height(constructs: pd.DataFrame) -> float:
    sheet = Sheet(MIDDLE, 100)
    lines = [
        len(wrapped(row["label"], _BOX_WIDTH - 10, sheet)) + len(_facts(row)) for row in constructs.to_dict("records")
    ]
    return _LINE * max(lines, default=1) + 16


def _boxes(cells: np.ndarray, constructs: pd.DataFrame, sheet: Sheet) -> list[Box]:
    """Boxes of the constructs, in units from the top left; bottom is above top there."""
    height = _box_height(constructs)
    columns = int(cells[:, 0].max()) + 1
    across = (sheet.width - 2 * _EDGE - _BOX_WIDTH) / max(columns - 1, 1)
    found = []
    for column, row in cells:
        left, top = _EDGE + column * across, _EDGE + row * (height + _ROW_GAP)
        found.append(Box(left, top, left + _BOX_WIDTH, top + height))
    return found


def _facts(row: dict) -> list[str]:  # type: ignore[type-arg]
    found = []
    if pd.notna(row.get("index")):
        found.append(_("index {index}", index=number(row["index"], 1)))
    if pd.notna(row.get("r_squared")):
        found.append(_("R² {share}", share=number(row["r_squared"], 2)))
    return found


def _draw_box(ax: Axes, sheet: Sheet, box: Box, row: dict) -> None:  # type: ignore[type-arg]
    ax.add_patch(
        Rectangle(
            (box.left, box.bottom),
            box.right - box.left,
            box.top - box.bottom,
            facecolor=CARD,
            edgecolor=AXIS,
            linewidth=1,
            zorder=3,
        )
    )
    lines = [(line, INK, "bold") for line in wrapped(row["label"], _BOX_WIDTH - 10, sheet)]
    lines += [(line, SOFT, "normal") for line in _facts(row)]
    middle = (box.bottom + box.top) / 2
    for place, (line, colour, weight) in enumerate(lines):
        height = middle + (place - (len(lines) - 1) / 2) * _LINE
        ax.text(
            (box.left + box.right) / 2, height, line, color=colour, weight=weight, ha="center", va="center", zorder=4
        )


def _edge(box: Box, towards: Box) -> tuple[float, float]:
    """Return where the line from the middle of a box to that of another leaves it."""
    x, y = (box.left + box.right) / 2, (box.bottom + box.top) / 2
    across = (towards.left + towards.right) / 2 - x
    down = (towards.bottom + towards.top) / 2 - y
    reach = max(abs(across) / (box.right - x), abs(down) / (box.top - y))
    return (x + across / reach, y + down / reach) if reach > 0 else (x, y)


def _number_place(
    start: tuple[float, float],
    end: tuple[float, float],
    width: float,
    taken: list[Box],
    others: list[tuple[tuple[float, float], tuple[float, float]]],
) -> Box:
    """Return where the number of an arrow covers no box, no other number and the least of other arrows."""
    steps = np.linspace(0, 1, 41)[:, None]
    on_others = np.concatenate(
        [np.array(a) + steps * (np.array(b) - np.array(a)) for a, b in others] or [np.empty((0, 2))]
    )
    costs, places = [], []
    for share in _ALONG:
        x, y = np.array(start) + share * (np.array(end) - np.array(start))
        box = Box(x - width / 2, y - 9, x + width / 2, y + 9)
        crossed = (np.abs(on_others - (x, y)) < (width / 2 + 2, 10)).all(axis=1).sum()
        costs.append(sum(box.overlap(other) for other in taken) + 10 * float(crossed))
        places.append(box)
    return places[int(np.argmin(costs))]


def _is_sure(paths: pd.DataFrame) -> list[bool]:
    lower, upper = paths["lower"].astype(float), paths["upper"].astype(float)
    return [bool(one) for one in ~((lower <= 0) & (upper >= 0))]


def _coefficients(constructs: pd.DataFrame, paths: pd.DataFrame) -> pd.DataFrame:
    """The paths as rows of dots, in their order."""
    names = {
        one: wrapped(label, _LONGEST_NAME, Sheet(NARROW, 100), lines=1)[0] for one, label in constructs["label"].items()
    }
    return pd.DataFrame(
        {
            "label": [
                f"{names[cause]} → {names[effect]}" for cause, effect in paths[["from", "to"]].itertuples(index=False)
            ],
            "value": paths["coefficient"].to_numpy(dtype=float),
            "lower": paths["lower"].to_numpy(dtype=float),
            "upper": paths["upper"].to_numpy(dtype=float),
            "is_muted": [not sure for sure in _is_sure(paths)],
            "words": in_words(paths, "coefficient", "lower", "upper", lambda value: number(value, 2)),
        }
    )
