"""The answers to a survey, as the rest of the package sees them: one row a respondent, checked at the door."""

from dataclasses import dataclass, field, replace

import pandas as pd


@dataclass(frozen=True, eq=False)
class Survey:
    """Checked answers of one or more waves.

    Attributes
    ----------
    frame : DataFrame, index respondent_id
        `wave` (text), the columns of the codebook by the names of the source: ratings as floats (missing where there is
        no answer or the item did not apply; reversed items already turned), segments, answers of Kano pairs and
        comments as text; `customer_id` where it is known.
    not_applicable : DataFrame of bool, same index
        Which answers were "not applicable": a column for each rating that can be. Such an answer is missing in `frame`,
        but it is not the same as no answer.
    weights : Series of float, same index
        What each respondent counts; 1 where the survey has no weights.
    """

    frame: pd.DataFrame
    not_applicable: pd.DataFrame
    weights: pd.Series = field(repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def of(self, rows: "pd.Series[bool]") -> "Survey":
        """Return the answers of some respondents: those where `rows`, of the same index, is true."""
        return replace(
            self, frame=self.frame[rows], not_applicable=self.not_applicable[rows], weights=self.weights[rows]
        )

    @property
    def waves(self) -> tuple[str, ...]:
        """The waves, in order."""
        return tuple(sorted(self.frame["wave"].unique()))

    def wave(self, name: str) -> "Survey":
        """Return the answers of one wave."""
        return self.of(self.frame["wave"] == name)
