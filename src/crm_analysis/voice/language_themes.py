"""Themes of the comments in one language, in words a reader can judge: names, telling words, examples."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm_analysis.messages import _, count, plural
from crm_analysis.models.histories import Floats
from crm_analysis.voice.theme_model import FOUND_AGAIN, ThemeModel, find_themes
from crm_analysis.voice.words import Lexicon, find_words, is_single_character, masked

# Of fewer comments in a language themes would be chance.
FEWEST_COMMENTS = 30
# A comment whose leading theme holds less of it than this belongs to none.
LEAST_STRENGTH = 1 / 3
_TELLING_WORDS, _NAMING_WORDS = 8, 3
_EXAMPLES, _EXAMPLE_LENGTH = 3, {"en": 120, "zh": 50}


@dataclass(frozen=True, eq=False)
class LanguageThemes:
    """Themes of the comments in one language.

    Attributes
    ----------
    described : dict
        By theme, "other" last: language, is_other, words, examples and agreement.
    theme, strength : array, shape (n_comments,)
        The theme of each comment and its share in the words of the comment; 0 for "other".
    note : str
        What to beware of; "" if there is nothing.
    """

    described: dict[str, dict[str, Any]]
    theme: NDArray[np.object_]
    strength: Floats
    note: str


def themes_in(written: list[str], code: str, *, n_themes: int | None, seed: int) -> LanguageThemes:
    """Find the themes of some comments in one language.

    Parameters
    ----------
    written : list of str
        The comments, sorted, so that their order does not matter.
    code : {"en", "zh"}
        The language.
    n_themes : int or None
        How many themes; None: as `find_themes` chooses.
    seed : int
        Of the random parts in which themes should be found again.
    """
    model = _model(written, n_themes, seed) if len(written) >= FEWEST_COMMENTS else None
    other = other_name(code)
    nothing = {"language": code, "is_other": True, "words": (), "examples": (), "agreement": np.nan}
    if model is None:
        none = np.full(len(written), other, dtype=object)
        return LanguageThemes({other: nothing}, none, np.zeros(len(written)), _too_few(code, len(written)))
    described = _described(model, written, code) | {other: nothing}
    place = _places(model)
    return LanguageThemes(
        described,
        np.array(list(described), dtype=object)[place],
        np.where(place >= 0, model.parts.max(axis=1), 0.0),
        _doubt(model, code),
    )


def other_name(code: str) -> str:
    """Return the name under which comments of a language without a theme are counted."""
    return f"other ({code})"


def _model(written: list[str], n_themes: int | None, seed: int) -> ThemeModel | None:
    lexicon = find_words(written)
    return find_themes([_theme_words(lexicon, text) for text in written], n_themes=n_themes, seed=seed)


def _places(model: ThemeModel) -> Any:
    """Return the theme of each comment; -1 for those that belong to none."""
    return np.where(model.parts.max(axis=1) >= LEAST_STRENGTH, model.leading, -1)


def _theme_words(lexicon: Lexicon, text: str) -> list[str]:
    words = lexicon.tokens(text)
    return [word for word in words if not is_single_character(word)] or words


def _described(model: ThemeModel, written: list[str], code: str) -> dict[str, dict[str, Any]]:
    """Return what each theme is about, by its name."""
    found: dict[str, dict[str, Any]] = {}
    for place, words in enumerate(model.telling_words(_TELLING_WORDS)):
        name = ", ".join(words[:_NAMING_WORDS])
        name = name if name not in found else f"{name} ({place + 1})"
        found[name] = {
            "language": code,
            "is_other": False,
            "words": tuple(words),
            "examples": _examples(model, written, place, _EXAMPLE_LENGTH[code]),
            "agreement": float(model.agreement[place]),
        }
    return found


def _examples(model: ThemeModel, written: list[str], theme: int, length: int) -> tuple[str, ...]:
    """Return comments nearest to a theme, each text once, of those short enough to be read at a glance if there are."""
    own = np.flatnonzero(_places(model) == theme)
    near = sorted(own, key=lambda i: (len(written[i]) > length, -round(float(model.likeness[i, theme]), 9), written[i]))
    shown = dict.fromkeys(_cut(masked(written[i]).strip(), length) for i in near[: 50 * _EXAMPLES])
    return tuple(shown)[:_EXAMPLES]


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def _doubt(model: ThemeModel, code: str) -> str:
    weak = int(np.sum(model.agreement < FOUND_AGAIN))
    if not weak:
        return ""
    return _(
        "Themes in {language} that are hardly found again in parts of the comments, and are hints: {weak} of {n}.",
        weak=count(weak),
        n=count(len(model.agreement)),
        language=_language(code),
    )


def _language(code: str) -> str:
    return {"en": _("English"), "zh": _("Chinese")}[code]


def _too_few(code: str, n: int) -> str:
    if n < FEWEST_COMMENTS:
        return plural(
            "{n} comment in {language} is too few for themes, which take {least}; it is counted as other.",
            "{n} comments in {language} are too few for themes, which take {least}; they are counted as other.",
            n,
            language=_language(code),
            least=count(FEWEST_COMMENTS),
        )
    return _(
        "The {n} comments in {language} have too few words in common for themes; they are counted as other.",
        n=count(n),
        language=_language(code),
    )
