"""SPSS files (.sav, .zsav): the answers as they were coded, and what the file says of the codes."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from crm_analysis.codebook_parts import code_text
from crm_analysis.errors import DataError

ENDINGS = (".sav", ".zsav")
# What a label says of an answer that was given as "this does not apply to me".
_NOT_APPLICABLE = ("not applicable", "not appl", "does not apply", "doesn't apply", "不适用")
_SHORT = ("n/a", "na")
_DEGREE = re.compile(r"\b(at all|completely|entirely|fully|really|very)\b")


@dataclass(frozen=True, eq=False)
class Coding:
    """What a file says of the codes in its columns.

    Attributes
    ----------
    labels : mapping of column to text
        The question in words.
    words : mapping of column to (mapping of code to text)
        What codes stand for; codes as `code_text` writes them.
    not_applicable : mapping of column to codes
        Those whose label says so, whether the file marks them as missing or not.
    missing : mapping of column to codes
        The others that the file marks as missing, as far as they occur; ranges are resolved.
    """

    labels: Mapping[str, str]
    words: Mapping[str, Mapping[str, str]]
    not_applicable: Mapping[str, frozenset[str]]
    missing: Mapping[str, frozenset[str]]

    def in_words(self, column: str, answers: pd.Series) -> pd.Series:
        """Return the labels of coded answers; an answer without one stays as it is."""
        words = self.words.get(column)
        if not words:
            return answers
        return answers.map(lambda answer: words.get(code_text(answer), answer), na_action="ignore")


NO_CODING = Coding({}, {}, {}, {})


def is_spss(source: Any) -> bool:
    """Whether a source is the path of an SPSS file."""
    return isinstance(source, str | Path) and str(source).lower().endswith(ENDINGS)


def read_spss(path: Path) -> tuple[pd.DataFrame, Coding]:
    """Return the columns of an SPSS file as coded, answers marked as missing among them, and their coding.

    Raises
    ------
    DataError
        When there is no such file or it cannot be read.
    """
    import pyreadstat  # loaded only where such a file is read

    if not path.is_file():
        raise DataError(f"{path}: there is no such file.\nTo fix: check the path, or deliver the file there.")
    try:
        frame, told = pyreadstat.read_sav(path, user_missing=True)
    except (pyreadstat.ReadstatError, pyreadstat.PyreadstatError, UnicodeDecodeError) as error:
        fix = "check that the file is whole and was saved by SPSS."
        raise DataError(f"{path.name}: cannot be read. {error}\nTo fix: {fix}") from None
    words = {
        column: {code_text(code): str(label).strip() for code, label in labels.items()}
        for column, labels in told.variable_value_labels.items()
    }
    not_applicable = {
        column: frozenset(code for code, label in labels.items() if says_not_applicable(label))
        for column, labels in words.items()
    }
    marked = {column: _marked(frame[column], ranges) for column, ranges in told.missing_ranges.items()}
    missing = {column: codes - not_applicable.get(column, frozenset()) for column, codes in marked.items()}
    labels = {column: label.strip() for column, label in told.column_names_to_labels.items() if label and label.strip()}
    return frame, Coding(labels, words, not_applicable, missing)


def says_not_applicable(label: str) -> bool:
    """Whether the label of a code says "not applicable".

    The end of a scale of agreement, "does not apply at all", does not.

    >>> [says_not_applicable(label) for label in ("Not applicable", "Does not apply to me", "Does not apply at all")]
    [True, True, False]
    """
    plain = label.lower().replace(".", "").strip("()[]<>- ")
    if _DEGREE.search(plain):
        return False
    return plain in _SHORT or plain.startswith(_NOT_APPLICABLE)


def _marked(answers: pd.Series, ranges: Sequence[Any]) -> frozenset[str]:
    """Return the codes that occur and lie in one of the ranges that stand for missing answers."""
    given = answers.dropna().unique()
    return frozenset(
        code_text(answer)
        for answer in given
        for each in ranges
        if isinstance(answer, str) == isinstance(each["lo"], str) and each["lo"] <= answer <= each["hi"]
    )
