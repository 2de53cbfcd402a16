"""A path model as a caller words it, checked and laid out as arrays."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, listing
from crm_analysis.voice.pls import SCHEMES, Structure


@dataclass(frozen=True, eq=False)
class PathSettings:
    """Names of a path model and its structure.

    Attributes
    ----------
    constructs : tuple of str
    items : MultiIndex (construct, item)
        In the order of the structure.
    modes : tuple of str
        "A" or "B" of each construct.
    structure : Structure
    """

    constructs: tuple[str, ...]
    items: pd.MultiIndex
    modes: tuple[str, ...]
    structure: Structure

    @property
    def arrows(self) -> list[tuple[int, int]]:
        """Effect and cause of every path, by position."""
        return [(int(k), int(j)) for k, j in np.argwhere(self.structure.causes)]

    def ways(self, *, least: int) -> list[tuple[int, int]]:
        """Effect and cause, by position, of every pair that a way of at least so many paths joins."""
        causes = self.structure.causes.astype(int)
        walks = [np.linalg.matrix_power(causes, length) for length in range(least, len(causes))]
        return [(int(k), int(j)) for k, j in np.argwhere(np.sum(walks, axis=0))] if walks else []


def path_settings(
    constructs: Mapping[str, Sequence[Any]],
    paths: Mapping[str, Sequence[str]],
    modes: Mapping[str, str] | None,
    scheme: str,
) -> PathSettings:
    """Check a path model and lay it out; refuse it with everything that is wrong.

    Raises
    ------
    SettingsError
        When a construct has no items or no path, an item stands twice, a path leads in a cycle, or a name, mode or
        scheme is unknown.
    """
    for name, given in (("constructs", constructs), ("paths", paths), ("modes", modes or {})):
        if not isinstance(given, Mapping):
            raise SettingsError(f"{name} is a {type(given).__name__}; give a mapping whose keys are constructs.")
    if not constructs:
        raise SettingsError("constructs is empty; name the questions that ask for each construct.")
    wrong = [
        f"{what} of {name}: give a list of names, not {names!r}."
        for what, given in (("items", constructs), ("causes", paths))
        for name, names in given.items()
        if not _are_names(names)
    ]
    if wrong:
        raise SettingsError("\n".join(wrong))
    modes = modes or {}
    problems = [*_wrong_items(constructs), *_wrong_paths(constructs, paths), *_wrong_modes(constructs, modes, scheme)]
    if problems:
        raise SettingsError("the path model cannot be fitted:\n" + "\n".join(f"- {problem}" for problem in problems))
    names = tuple(constructs)
    index = pd.MultiIndex.from_tuples(
        [(name, item) for name in names for item in constructs[name]], names=["construct", "item"]
    )
    blocks = np.array([index.get_level_values("construct") == name for name in names])
    causes = np.array([[cause in paths.get(name, ()) for cause in names] for name in names])
    used = tuple(str(modes.get(name, "A")) for name in names)
    return PathSettings(names, index, used, Structure(blocks, causes, np.array(used) == "B", scheme))  # type: ignore[arg-type]


def _are_names(given: Any) -> bool:
    is_list = isinstance(given, Sequence) and not isinstance(given, str)
    return is_list and all(isinstance(name, Hashable) for name in given)


def _wrong_items(constructs: Mapping[str, Sequence[Any]]) -> list[str]:
    problems = [
        f"{name} has no items; name the questions that ask for it." for name, own in constructs.items() if not own
    ]
    places: dict[Any, list[str]] = {}
    for name, own in constructs.items():
        for item in own:
            places.setdefault(item, []).append(name)
    for item, where in places.items():
        if len(set(where)) > 1:
            problems.append(f"item {item} belongs to {listing(where)}; an item can ask for one construct only.")
        elif len(where) > 1:
            problems.append(f"item {item} stands more than once in {where[0]}.")
    return problems


def _wrong_paths(constructs: Mapping[str, Sequence[Any]], paths: Mapping[str, Sequence[str]]) -> list[str]:
    named = dict.fromkeys([*paths, *(cause for causes in paths.values() for cause in causes)])
    unknown = [str(name) for name in named if name not in constructs]
    problems = [f"there are paths of {listing(unknown)}, but no such construct."] if unknown else []
    problems += [f"{name} is named as its own cause." for name, causes in paths.items() if name in causes]
    problems += [
        f"{name} has the same cause more than once." for name, own in paths.items() if len(set(own)) < len(own)
    ]
    joined = {name for effect, causes in paths.items() if causes for name in (effect, *causes)}
    alone = [str(name) for name in constructs if name not in joined]
    if alone:
        problems.append(f"no path leads to or from {listing(alone)}; give one, or leave the construct out.")
    cycle = _cycle(paths)
    if cycle:
        problems.append(
            f"{' -> '.join(cycle)} is a cycle; only recursive models can be fitted, so drop one of its paths."
        )
    return problems


def _wrong_modes(constructs: Mapping[str, Sequence[Any]], modes: Mapping[str, str], scheme: str) -> list[str]:
    problems = [f"there is a mode of {name}, but no such construct." for name in modes if name not in constructs]
    problems += [
        f"the mode of {name} is {mode!r}; give 'A' (reflective) or 'B' (formative)."
        for name, mode in modes.items()
        if mode not in ("A", "B")
    ]
    if scheme not in SCHEMES:
        problems.append(f"scheme is {scheme!r}; give {', '.join(map(repr, SCHEMES[:-1]))} or {SCHEMES[-1]!r}.")
    return problems


def _cycle(paths: Mapping[str, Sequence[str]]) -> list[str]:
    """Constructs along a cycle in the direction of its arrows, the first repeated at the end; empty without one."""
    left = {effect: [cause for cause in causes if cause != effect] for effect, causes in paths.items()}
    while True:
        free = [name for name, causes in left.items() if not any(cause in left for cause in causes)]
        if not free:
            break
        for name in free:
            del left[name]
    if not left:
        return []
    # Everyone left has a cause that is left, so going back from one to the next comes round.
    walk = [next(iter(left))]
    while walk.count(walk[-1]) == 1:
        walk.append(next(cause for cause in left[walk[-1]] if cause in left))
    return [str(name) for name in reversed(walk[walk.index(walk[-1]) :])]
