"""The answers to a survey, as the rest of the package sees them: one row a respondent, checked at the door."""

import re
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial

import pandas as pd

from crm_analysis.codebook import Codebook
from crm_analysis.data.contracts import SURVEY_OUTCOMES, Day, to_day
from crm_analysis.data.survey_rules import NOT_APPLICABLE, CheckedAnswers, last_days, survey_notes
from crm_analysis.errors import SettingsError


@dataclass(frozen=True, eq=False)
class Survey:
    """Checked answers of one or more waves. Made by `read_survey`.

    Attributes
    ----------
    frame : DataFrame, index respondent_id
        `wave` (text), the columns of the codebook by the names of the source: ratings as floats (missing where there is
        no answer or the item did not apply; reversed items already turned), segments, answers of Kano pairs and
        comments as text; `customer_id` where it is known.
    not_applicable : DataFrame of bool, same index
        Which answers were "not applicable": a column for each rating. Such an answer is missing in `frame`,
        but it is not the same as no answer.
    weights : Series of float, same index
        What each respondent counts: as delivered, scaled to a mean of 1 within each wave; 1 where the survey has no
        weights.
    codebook : Codebook
        What the questions are, with all that was recognised by its name.
    reconciliation : DataFrame
        One row per outcome: `outcome` (stable key), `status` ("used", "set_aside", "not_seen"), `reason` in words,
        `rows`. Rows add up to what came in.
    notes : DataFrame
        One row for each thing that is used but worth knowing: `note` (stable key), `meaning` in words, `rows` (of
        respondents, answers, items or waves), and `which`.
    as_of : date or None
        Last day that is seen; None when the survey is not cut.
    source : str
        Name of the file or table, for people.
    checked : CheckedAnswers or None
        The rows before the cut: the workings, for the door itself. None for a part of a survey.
    """

    frame: pd.DataFrame
    not_applicable: pd.DataFrame
    weights: pd.Series = field(repr=False)
    codebook: Codebook = field(default=Codebook(), repr=False)
    reconciliation: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    notes: pd.DataFrame = field(default_factory=pd.DataFrame, repr=False)
    as_of: date | None = None
    source: str = "survey"
    checked: CheckedAnswers | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        cut_at = "" if self.as_of is None else f", as of {self.as_of}"
        return f"Survey({self.source}: {len(self):,} respondents, {len(self.waves)} wave(s){cut_at})"

    def of(self, rows: "pd.Series[bool]") -> "Survey":
        """Return the answers of some respondents: those where `rows`, of the same index, is true.

        Reconciliation and notes stay those of the whole.

        Raises
        ------
        SettingsError
            When `rows` is not true or false for each respondent.
        """
        if not _fits(rows, self.frame.index):
            raise SettingsError("rows must be a Series of true and false with the index of the answers.")
        return replace(
            self,
            frame=self.frame[rows],
            not_applicable=self.not_applicable[rows],
            weights=self.weights[rows],
            checked=None,
        )

    @property
    def waves(self) -> tuple[str, ...]:
        """The waves, in order; numbers in their names count as numbers, so that wave 10 comes after wave 9."""
        return tuple(sorted(self.frame["wave"].unique(), key=by_numbers))

    def wave(self, name: str) -> "Survey":
        """Return the answers of one wave."""
        return self.of(self.frame["wave"] == name)

    def until(self, as_of: Day) -> "Survey":
        """Return the survey as the door would have shown it on an earlier date; the source is not read again.

        Raises
        ------
        SettingsError
            When this survey was cut before `as_of`, or is a part of a survey.
        """
        day = to_day(as_of, "as_of")
        if self.checked is None:
            raise SettingsError("this is a part of a survey; cut the whole of it at a date, then take the part.")
        if self.as_of is not None and day > self.as_of:
            raise SettingsError(
                f"{self.source} was cut at {self.as_of} and cannot show {day}; read it with a later as_of."
            )
        return cut_survey(self.checked, day)

    @property
    def items(self) -> pd.DataFrame:
        """What was asked and how it was answered.

        Returns
        -------
        DataFrame, index item
            `label`, `role` ("driver of service"), `scale` ("1 to 10"), respondents by what they did (`answered`,
            `missing`, `not_applicable`), and of the answers, weighted, the share `at_top` and `at_bottom` of the scale
            and the `mean`; these three are missing where nobody who counts has answered.
        """
        rows = []
        for name, roles in self.codebook.rating_roles.items():
            marks, (low, high) = self.frame[name], self.codebook.scale_of(name)
            is_told = name in self.not_applicable
            does_not_apply = self.not_applicable[name] if is_told else pd.Series(False, index=marks.index)
            given = marks.notna()
            mean = partial(_weighted_mean, weights=self.weights[given])
            rows.append(
                {
                    "item": name,
                    "label": self.codebook.label_of(name),
                    "role": ", ".join(roles),
                    "scale": f"{low:g} to {high:g}",
                    "answered": int(given.sum()),
                    "missing": int((~given & ~does_not_apply).sum()),
                    "not_applicable": int(does_not_apply.sum()),
                    "at_top": mean(marks[given] == high),
                    "at_bottom": mean(marks[given] == low),
                    "mean": mean(marks[given]),
                }
            )
        columns = ["label", "role", "scale", "answered", "missing", "not_applicable", "at_top", "at_bottom", "mean"]
        return pd.DataFrame(rows, columns=["item", *columns]).set_index("item")


def _fits(rows: object, index: pd.Index) -> bool:
    return isinstance(rows, pd.Series) and pd.api.types.is_bool_dtype(rows) and rows.index.equals(index)


def by_numbers(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return what a name, such as that of a wave, is sorted by: its words and the numbers between them."""
    parts = re.findall(r"(\D*)(\d*)", name)
    return [(words, int(digits or -1)) for words, digits in parts], name


def _weighted_mean(values: pd.Series, weights: pd.Series) -> float:
    """Return the mean; missing where nobody counts."""
    total = weights.sum()
    return float((values * weights).sum() / total) if total > 0 else float("nan")


def cut_survey(checked: CheckedAnswers, as_of: date | None) -> Survey:
    """Return the checked answers as they could be seen on a date."""
    frame = checked.frame
    outcome = pd.Series("used", index=frame.index)
    if checked.codebook.straight_liners == "set_aside":
        outcome = outcome.mask(checked.is_straight, "straight_liner")
    if as_of is not None:
        outcome = outcome.mask((last_days(frame["wave"]) > pd.Timestamp(as_of)), "after_as_of")
    used = outcome == "used"
    weights = checked.weights[used]
    means = weights.groupby(frame.loc[used, "wave"].to_numpy()).transform("mean")
    found = list(survey_notes(checked, used, is_cut=as_of is not None))
    counts = outcome.value_counts()
    return Survey(
        frame=frame[used],
        not_applicable=checked.reasons[used] == NOT_APPLICABLE,
        weights=(weights / means.where(means > 0, 1.0)).rename("weight"),
        codebook=checked.codebook,
        reconciliation=pd.DataFrame(
            {
                "outcome": [one.key for one in SURVEY_OUTCOMES],
                "status": [one.status for one in SURVEY_OUTCOMES],
                "reason": [one.reason for one in SURVEY_OUTCOMES],
                "rows": [int(counts.get(one.key, 0)) for one in SURVEY_OUTCOMES],
            }
        ),
        notes=pd.DataFrame(
            [(one.key, one.meaning, one.rows, one.which) for one in found], columns=["note", "meaning", "rows", "which"]
        ),
        as_of=as_of,
        source=checked.source,
        checked=checked,
    )
