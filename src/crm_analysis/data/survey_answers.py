"""The answers in the columns of a survey, read by its codebook: marks, Kano answers, words; and what cannot be read."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from crm_analysis.codebook import Codebook
from crm_analysis.codebook_parts import KANO_ANSWERS, Code, Item, code_text
from crm_analysis.data.casting import NUMBER
from crm_analysis.data.spss import Coding
from crm_analysis.data.survey_rules import IMPOSSIBLE, NOT_APPLICABLE
from crm_analysis.errors import Violation, listing

_CODES = 'name codes that are no marks under [survey] in crm.toml: not_applicable = ["n/a", 98] and missing = [99]'


@dataclass(frozen=True)
class Delivered:
    """The rows of a survey as text.

    Attributes
    ----------
    text : DataFrame of str
        By the columns of the source, without blanks around; missing where nothing is written.
    numbers : Series
        The number of each row in the source.
    whose : str or None
        The column that tells whose row it is, shown beside what is wrong.
    source : str
        Name of the source, for people.
    coding : Coding
        What the file itself says of its codes.
    violations : list of Violation
        What was found wrong so far.
    """

    text: pd.DataFrame
    numbers: pd.Series
    whose: str | None
    source: str
    coding: Coding
    violations: list[Violation] = field(default_factory=list)

    def refuse(self, column: str, rule: str, fix: str, rows: "pd.Series[bool]", *beside: str) -> None:
        """Keep a violation where any row breaks a rule, with the first that do."""
        if not rows.any():
            return
        names = [name for name in dict.fromkeys([self.whose, *beside, column]) if name in self.text.columns]
        shown = self.text.loc[rows, names].head(5)
        first = shown.set_axis(self.numbers[shown.index].rename("row"))
        self.violations.append(Violation(self.source, column, rule, int(rows.sum()), fix, first))


def read_marks(delivered: Delivered, book: Codebook) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the marks as delivered, not yet turned, and why a mark is missing where the source tells."""
    marks, reasons = {}, {}
    for column in book.ratings:
        if column not in delivered.text:
            continue
        given = delivered.text[column]
        why = _by_value(given, _reasons(delivered.coding, book, column))
        mark = _by_value(given.where(why.isna()), _number).astype(float)
        delivered.refuse(
            column, "no number", f"give marks as numbers; {_CODES}.", given.notna() & why.isna() & mark.isna()
        )
        low, high = book.scale_of(column)
        off = mark.notna() & ~mark.between(low, high)
        if book.impossible == "refuse":
            fix = (
                f'{_CODES}; give the item its own scale under [survey.items."{column}"]; or let such answers be '
                'missing with impossible = "set_aside".'
            )
            delivered.refuse(column, f"the mark is off the scale of {low:g} to {high:g}", fix, off)
        marks[column] = mark.mask(off)
        reasons[column] = why.mask(off, IMPOSSIBLE)
    index = delivered.text.index
    return pd.DataFrame(marks, index=index, dtype=float), pd.DataFrame(reasons, index=index, dtype="object")


def turned(marks: pd.DataFrame, book: Codebook) -> pd.DataFrame:
    """Return the marks with reversed items turned: lowest + highest - mark."""
    marks = marks.copy()
    for name in book.reversed_items:
        if name in marks:
            low, high = book.scale_of(name)
            marks[name] = low + high - marks[name]
    return marks


def listed_as_not_applicable(delivered: Delivered, listing_column: str, ratings: tuple[str, ...]) -> pd.DataFrame:
    """Return which ratings a column lists as not applicable, parted by blanks; driver_ may be left out."""
    known = {name.removeprefix("driver_"): name for name in ratings} | {name: name for name in ratings}
    named = delivered.text[listing_column].fillna("").str.split()
    unknown = named.map(lambda words: any(word not in known for word in words)).astype(bool)
    fix = f"name ratings of the codebook, parted by blanks: {listing(ratings)}."
    delivered.refuse(listing_column, "names what is no rating", fix, unknown)
    listed = named.map(lambda words: {known[word] for word in words if word in known})
    return pd.DataFrame({name: listed.map(lambda names, one=name: one in names).astype(bool) for name in ratings})


def read_kano(delivered: Delivered, book: Codebook) -> pd.DataFrame:
    """Return the answers to Kano pairs as the five words."""
    by_code = {code_text(code): word for code, word in book.kano_answers.items()}
    answers = {}
    for column in book.kano_columns:
        if column not in delivered.text:
            continue
        given = delivered.text[column]
        is_none = _by_value(given, code_text).isin([*_codes(book, column, "missing"), *_file_codes(delivered, column)])
        words = delivered.coding.in_words(column, given)
        answer = _by_value(words, lambda word: by_code.get(code_text(word), _kano_word(word)))
        answer = answer.fillna(_by_value(given, lambda word: by_code.get(code_text(word)))).mask(is_none)
        fix = (
            "write these words, or say what codes stand for under [survey.kano_answers] in crm.toml: "
            '1 = "like", 2 = "must-be" and so on.'
        )
        rule = f"none of {listing(KANO_ANSWERS)}"
        delivered.refuse(column, rule, fix, given.notna() & ~is_none & answer.isna())
        answers[column] = answer.astype("str")
    return pd.DataFrame(answers, index=delivered.text.index)


def without_missing(delivered: Delivered, column: str) -> pd.Series:
    """Return what a column holds, missing where the file marks its code as missing."""
    given = delivered.text[column]
    return given.mask(_by_value(given, code_text).isin([*_file_codes(delivered, column)]))


def read_segments(delivered: Delivered, book: Codebook) -> pd.DataFrame:
    """Return segments as text: the labels of codes where the file has them."""
    levels = {}
    for column in book.segment_columns:
        if column not in delivered.text:
            continue
        given = delivered.text[column]
        # Codes of all ratings, such as 99, may well be a level here: only the segment's own are taken.
        own = book.items.get(column, Item())
        none = [code_text(code) for code in (*(own.missing or ()), *(own.not_applicable or ()))]
        known = without_missing(delivered, column).mask(_by_value(given, code_text).isin(none))
        levels[column] = delivered.coding.in_words(column, known).astype("str")
    return pd.DataFrame(levels, index=delivered.text.index)


def _reasons(coding: Coding, book: Codebook, column: str) -> Callable[[str], str | None]:
    """Return what says of an answer why it is no mark: the codebook first, then the file."""
    words, none = coding.words.get(column, {}), frozenset[str]()
    missing, not_applicable = _codes(book, column, "missing"), _codes(book, column, "not_applicable")
    not_applicable |= coding.not_applicable.get(column, none) - missing
    missing |= coding.missing.get(column, none)
    told = {code: words.get(code, code) for code in missing} | dict.fromkeys(not_applicable, NOT_APPLICABLE)
    return lambda answer: told.get(code_text(answer))


def _codes(book: Codebook, column: str, kind: str) -> frozenset[str]:
    own: tuple[Code, ...] | None = getattr(book.items.get(column, Item()), kind)
    codes: tuple[Code, ...] = getattr(book, kind) if own is None else own
    return frozenset(code_text(code) for code in codes)


def _file_codes(delivered: Delivered, column: str) -> Iterator[str]:
    yield from delivered.coding.missing.get(column, ())
    yield from delivered.coding.not_applicable.get(column, ())


def _kano_word(word: str) -> str | None:
    plain = "-".join(word.strip().lower().replace("_", " ").replace("-", " ").split())
    return plain if plain in KANO_ANSWERS else None


def _number(text: str) -> float | None:
    return float(text) if re.search(NUMBER, text) else None


def _by_value(answers: pd.Series, told: Callable[[str], float | str | None]) -> pd.Series:
    """Return what is told of each answer; each different one is looked at once. Missing stays missing."""
    places, different = pd.factorize(answers)
    looked = np.array([*(told(answer) for answer in different), None], dtype=object)
    return pd.Series(looked[places], index=answers.index, dtype="object")
