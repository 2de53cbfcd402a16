"""What a caller of a driver analysis may get wrong, refused with the reason."""

from collections.abc import Mapping, Sequence

from crm_analysis.errors import SettingsError, listing
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.voice.importance import MOST_PLAYERS
from crm_analysis.voice.responses import names_of

_FEWEST_DRAWS = 100
_OTHER_METHODS = {
    "stepwise": "which drivers it keeps hangs on chance, and its p-values are those of a search",
    "p_value": "a p-value says how sure a slope is, not how large",
    "correlation": "ratings of one respondent all go together, so that all correlations look alike",
    "beta": "a standardised slope of a driver among correlated ones can be of any size and sign",
    "pratt": "its shares can be negative",
}


def driver_players(drivers: list[str], groups: Mapping[str, Sequence[str]] | None) -> dict[str, list[int]]:
    """Return the positions of the drivers of each player: of each group, or of each driver by itself.

    Raises
    ------
    SettingsError
        When groups are not all drivers, each once.
    """
    if groups is None:
        return {name: [place] for place, name in enumerate(drivers)}
    if not isinstance(groups, Mapping):
        raise SettingsError(f"groups is {groups!r}; give the drivers of each group: {{group: [driver, ...]}}.")
    sorted_out = {str(name): names_of(f"groups[{name!r}]", members) for name, members in groups.items()}
    named = [driver for members in sorted_out.values() for driver in members]
    problems = [
        (sorted({name for name in named if named.count(name) > 1}), "in two groups"),
        (sorted(set(named) - set(drivers)), "in a group and not among the drivers"),
        ([name for name in drivers if name not in named], "in no group"),
        ([name for name, members in sorted_out.items() if not members], "a group without drivers"),
    ]
    wrong = [f"{listing(names)}: {words}" for names, words in problems if names]
    if wrong:
        raise SettingsError(f"groups must hold all drivers, each once. {'; '.join(wrong)}.")
    return {name: [drivers.index(driver) for driver in members] for name, members in sorted_out.items()}


def check_driver_arguments(
    *,
    method: object,
    draws: object,
    seed: object,
    level: object,
    missing: object,
    not_applicable: object,
    imputations: object,
) -> None:
    """Raise `SettingsError` unless arguments of `fit_drivers` are what they can be."""
    check_level(level)
    check_whole("draws", draws, least=0)
    check_whole("imputations", imputations, least=1)
    check_whole("seed", seed, least=0)
    if isinstance(draws, int) and 0 < draws < _FEWEST_DRAWS:
        raise SettingsError(
            f"draws is {draws}; limits of so few are chance: give at least {_FEWEST_DRAWS}, or 0 for none."
        )
    if method not in ("lmg", "johnson"):
        why = f": {_OTHER_METHODS[method]}" if isinstance(method, str) and method in _OTHER_METHODS else ""
        raise SettingsError(f'method {method!r} is not offered{why}. Take "lmg", or "johnson" for many drivers.')
    for name, value, choice in (
        ("missing", missing, ("impute", "drop")),
        ("not_applicable", not_applicable, ("indicator", "users")),
    ):
        if value not in choice:
            raise SettingsError(f"{name} is {value!r}; give {choice[0]!r} or {choice[1]!r}.")


def check_number_of_players(players: dict[str, list[int]]) -> None:
    """Raise `SettingsError` when there are more players than all sets of which can be gone through."""
    grouped = any(len(places) > 1 for places in players.values())
    most = max((len(players) - 1 + len(places) for places in players.values()), default=0)
    if most > MOST_PLAYERS:
        what = "the drivers of a group and the other groups together are" if grouped else "drivers or groups are"
        raise SettingsError(
            f'method "lmg" goes through all sets of drivers, and {most} {what} too many (at most {MOST_PLAYERS}): join '
            'drivers in groups by groups=, or take method="johnson".'
        )
