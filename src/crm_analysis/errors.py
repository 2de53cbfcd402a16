"""What can go wrong, in one tree, and how a row-level problem is worded.

Each class carries the exit code of the command line, so that a scheduler sees the same answer everywhere:
0 done, 1 run failed, 2 wrong usage or settings, 3 data refused.
"""

import sys
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # the command line answers before pandas is there
    import pandas as pd


class CrmAnalysisError(Exception):
    """Base of every error this package raises on purpose."""

    exit_code = 1


class SettingsError(CrmAnalysisError):
    """The settings, a parameter or the usage is wrong; the data has not been looked at."""

    exit_code = 2


class DataError(CrmAnalysisError):
    """The data breaks a rule of the door; nothing was computed and nothing was published."""

    exit_code = 3


class BookError(CrmAnalysisError):
    """A book could not be built; the last good book is untouched."""

    exit_code = 1


class EstimationWarning(UserWarning):
    """An estimate that is doubtful but usable. The message says why and what to try."""


def warn_of_doubt(message: str) -> None:
    """Issue an `EstimationWarning` at the line of the caller who asked for the estimate, outside this package."""
    package, level = __name__.partition(".")[0], 2
    frame = sys._getframe(1)  # whom stacklevel=2 points at
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, EstimationWarning, stacklevel=level)


@dataclass(frozen=True)
class Violation:
    """One broken rule: where, what, how many rows, the first of them, and how to fix it.

    Attributes
    ----------
    table, column, rule, fix : str
        Words for the reader; `column` is "" when the rule concerns whole rows.
    rows : int
        How many rows break the rule; 0 for a rule about the table itself, such as a missing column.
    first : DataFrame, optional
        The first rows that do (at most five are shown).
    """

    table: str
    column: str
    rule: str
    rows: int
    fix: str
    first: "pd.DataFrame | None" = field(default=None, compare=False)

    def message(self) -> str:
        """Return the violation as the text a user reads."""
        where = f"{self.table}, column {self.column!r}" if self.column else self.table
        lines = [f"{where}: {self.rule} in {self.rows:,} row(s)." if self.rows else f"{where}: {self.rule}."]
        if self.first is not None and len(self.first):
            lines.append(self.first.head(5).to_string())
        lines.append(f"To fix: {self.fix}")
        return "\n".join(lines)


def refuse(violations: Iterable[Violation]) -> None:
    """Raise one `DataError` that names every violation; do nothing when there is none."""
    found = list(violations)
    if found:
        raise DataError("\n\n".join(violation.message() for violation in found))


def rows_message(rule: str, rows: "pd.DataFrame", *, table: str, fix: str, column: str = "") -> str:
    """Return the message of one broken rule, given all rows that break it."""
    return Violation(table, column, rule, len(rows), fix, rows.head(5)).message()


def problem_lines(problems: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return one line for each problem of settings, as pydantic tells them: the key, what is wrong, what was given."""
    lines = []
    for problem in problems:
        key = ".".join(str(part) for part in problem["loc"])
        is_unknown = problem["type"] in ("extra_forbidden", "unexpected_keyword_argument")
        what = "unknown key; check its spelling" if is_unknown else _in_words(problem)
        given = "" if is_unknown else f" (given: {problem['input']!r})"
        lines.append(f"  {key}: {what}{given}" if key else f"  {what}{given}")
    return lines


def _in_words(problem: Mapping[str, Any]) -> str:
    """Return what pydantic says is wrong; where a list is wanted, which would be one, for it speaks of tuples."""
    if problem["type"] != "tuple_type":
        return str(problem["msg"])
    given = problem["input"]
    ends = problem["loc"][-1:] == ("scale",)
    example = [1, 10] if ends else [given] if isinstance(given, str | int | float) else ["price", "staff"]
    return f"give a list such as {example!r}"


def listing(names: Sequence[str]) -> str:
    """Return names as `a, b and c`, for messages."""
    names = list(names)
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else "none"
