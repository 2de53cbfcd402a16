"""The parts of a codebook: what is said of one question, of a pair, of a path model; and how codes compare."""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from crm_analysis.errors import listing

KanoAnswer = Literal["like", "must-be", "neutral", "live-with", "dislike"]
KANO_ANSWERS: tuple[KanoAnswer, ...] = ("like", "must-be", "neutral", "live-with", "dislike")

Scale = tuple[float, float]
Code = float | str
Columns = tuple[str, ...]


class Part(BaseModel):
    """A frozen part of the settings that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Part):
    """What is particular to one question, in place of what the codebook says of all.

    Attributes
    ----------
    label : str or None
        Words for figures and tables; None: the label in the file, else the name of the column.
    scale : (float, float) or None
        Lowest and highest mark.
    reversed : bool
        Whether a high mark is a bad one: it is then turned at the door, to lowest + highest - mark.
    not_applicable, missing : tuple or None
        Codes that are no marks.
    """

    label: str | None = None
    scale: Scale | None = None
    reversed: bool = False
    not_applicable: tuple[Code, ...] | None = None
    missing: tuple[Code, ...] | None = None


class Gap(Part):
    """The two questions on an attribute: what is expected of it, and how it is perceived."""

    expectation: str
    perception: str


class KanoPair(Part):
    """The two questions on a feature: how one would feel with it, and without it."""

    functional: str
    dysfunctional: str


class PathModel(Part):
    """A path model: what each construct is measured by, and what it goes back to.

    Attributes
    ----------
    constructs : dict of name to columns
        The items of each.
    paths : dict of name to names
        The causes of a construct.
    modes : dict of name to {"A", "B"}
        How its weights are found; "A" where nothing is said.
    scheme : {"centroid", "factor", "path"}
        Of the inner weights.
    """

    constructs: dict[str, Columns]
    paths: dict[str, Columns]
    modes: dict[str, Literal["A", "B"]] = Field(default_factory=dict)
    scheme: Literal["centroid", "factor", "path"] = "centroid"


def code_text(code: Code) -> str:
    """Return a code or an answer as both are compared: "98" for 98 and 98.0, words in lower case without blanks around.

    >>> code_text(98), code_text("98.0"), code_text(" N/A ")
    ('98', '98', 'n/a')
    """
    text = str(code).strip().lower()
    try:
        number = float(text)
    except ValueError:
        return text
    if not math.isfinite(number):
        return text
    return str(int(number)) if number.is_integer() else repr(number)


# --- what is recognised -------------------------------------------------------------------------------------------


def named_drivers(columns: Iterable[str]) -> dict[str, Columns]:
    """Return the columns called driver_<group>_<name>, by group."""
    groups: dict[str, list[str]] = {}
    for column in columns:
        prefix, _, rest = column.partition("_")
        if prefix == "driver" and rest:
            groups.setdefault(rest.partition("_")[0], []).append(column)
    return {group: tuple(members) for group, members in groups.items()}


def named_pairs(
    columns: Collection[str], before: str, before_other: str, after: str, after_other: str = ""
) -> Iterator[tuple[str, str, str]]:
    """Yield the name that a pair of columns shares, and both columns."""
    for column in columns:
        if column.startswith(before) and column.endswith(after):
            name = column.removeprefix(before).removesuffix(after)
            other = f"{before_other}{name}{after_other}"
            if name and other in columns:
                yield name, column, other


# --- what contradicts itself --------------------------------------------------------------------------------------

Problem = tuple[tuple[str, ...], str, Any]


def problems_of_paths(model: PathModel) -> Iterator[Problem]:
    """Yield what contradicts itself in a path model."""
    known, there = model.constructs, listing(list(model.constructs))
    for name in repeated(column for columns in known.values() for column in dict.fromkeys(columns)):
        yield ("path_model", "constructs"), "an item measures one construct", name
    for name, columns in known.items():
        key = ("path_model", "constructs", name)
        if not columns:
            yield key, "name the items of the construct", []
        yield from ((key, f"{column!r} is named twice", list(columns)) for column in repeated(columns))
    for name in model.modes:
        if name not in known:
            yield ("path_model", "modes", name), f"there is no such construct; there are {there}", name
    for name, causes in model.paths.items():
        for unknown in [each for each in dict.fromkeys([name, *causes]) if each not in known]:
            yield ("path_model", "paths", name), f"there is no such construct; there are {there}", unknown
    in_circle = _in_a_circle(model.paths)
    if in_circle:
        yield ("path_model", "paths"), "paths lead in a circle; leave one of them out", in_circle


def _in_a_circle(paths: Mapping[str, Columns]) -> list[str]:
    """Return the constructs that are left when those without a cause that is left are taken away, again and again."""
    left = {name: set(causes) for name, causes in paths.items()}
    while any(not causes & left.keys() for causes in left.values()):
        left = {name: causes for name, causes in left.items() if causes & left.keys()}
    return sorted(left)


def repeated(names: Iterable[str]) -> list[str]:
    """Return the names that are there more than once, each once."""
    given = list(names)
    return [name for name in dict.fromkeys(given) if given.count(name) > 1]
