"""The survey as a chapter speaks of it: the latest wave, the one before, the answers of a year, names for readers."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from crm_analysis.codebook import Codebook
from crm_analysis.data.survey import Survey
from crm_analysis.messages import N_, _, month_of, number
from crm_analysis.models.interval import Interval
from crm_analysis.periods import Month
from crm_analysis.report.chapter import Chapter

_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_PREFIXES = ("driver_", "expectation_", "perception_", "kano_")
# The Net Promoter Score is defined for answers from 0 to 10.
NPS_SCALE: tuple[float, float] = (0, 10)
# How far up its scale a mark is that of a satisfied customer.
SATISFIED = 0.75
# What is known of customers that respondents are compared by, where the survey says who they are.
_ATTRIBUTES = ("region", "kind", "acquisition_channel")
_OUTCOMES = {
    "overall_satisfaction": N_("satisfaction"),
    "repurchase_intention": N_("buying again"),
    "recommend": N_("recommending"),
    "effort": N_("ease"),
}
# What goes with satisfaction is told from the answers of so many months.
MONTHS = 12


@dataclass(frozen=True, eq=False)
class Heard:
    """What the chapter speaks of.

    Attributes
    ----------
    chapter : Chapter
    survey : Survey
        All waves until the end of the period, weights raked where the codebook has margins.
    not_raked : str
        Why the weights could not be raked; "" where they were, or where nothing was asked.
    """

    chapter: Chapter
    survey: Survey
    not_raked: str = ""

    @property
    def codebook(self) -> Codebook:
        """What the questions are."""
        return self.survey.codebook

    @property
    def wave(self) -> str:
        """The latest wave."""
        return self.survey.waves[-1]

    @property
    def before(self) -> str | None:
        """The wave before it, if there is one."""
        return self.survey.waves[-2] if len(self.survey.waves) > 1 else None

    @cached_property
    def latest(self) -> Survey:
        """The answers of the latest wave."""
        return self.survey.wave(self.wave)

    @cached_property
    def recent(self) -> Survey:
        """The answers of the last twelve months, of each customer the latest; of waves without months the last one."""
        if not all(_MONTH.fullmatch(wave) for wave in self.survey.waves):
            return self.latest
        start = str(Month.parse(self.wave).shift(1 - MONTHS))
        frame = self.survey.frame
        is_wanted = frame["wave"] >= start
        if self.person is not None:
            # Rows are told apart by their place: who answers in several waves has one id in all of them.
            who = self.people.reset_index(drop=True)
            in_time = who[np.argsort(frame["wave"].to_numpy(), kind="stable")]
            earlier = in_time.index[in_time.duplicated(keep="last") & in_time.notna()]
            is_wanted = is_wanted & ~np.isin(np.arange(len(frame)), earlier)
        return self.survey.of(is_wanted)

    @property
    def person(self) -> str | None:
        """What tells who answered in several waves: a column or the index; None where nothing does.

        Where somebody answered twice in a wave it does not tell who answered either time.
        """
        named, frame = self.codebook.paired_by, self.survey.frame
        if named not in (*frame.columns, frame.index.name):
            return None
        known = pd.DataFrame({"wave": frame["wave"].to_numpy(), "who": _column(frame, named).to_numpy()}).dropna()
        return None if known.duplicated().any() else named

    @property
    def people(self) -> pd.Series:
        """Who answered each row, missing where that is not known."""
        return _column(self.survey.frame, str(self.person))

    def label(self, column: str) -> str:
        """Return the words for a question: its label, else its column in plain words."""
        label = self.codebook.label_of(column)
        if label != column:
            return label
        for role, outcome in self.codebook.outcomes.items():
            if column == outcome:
                return _(_OUTCOMES[role])
        for prefix in _PREFIXES:
            column = column.removeprefix(prefix)
        return column.replace("_", " ")

    def scales(self, columns: Iterable[str]) -> dict[str, tuple[float, float]]:
        """Return the lowest and the highest mark of some ratings."""
        return {column: self.codebook.scale_of(column) for column in columns}

    def in_words(self, text: str) -> str:
        """Return a text that names questions by their columns with their labels instead."""
        for column in sorted(self.codebook.ratings, key=len, reverse=True):
            # A label may hold what would be a group of the pattern.
            label = self.label(column).replace("\\", r"\\")
            text = re.sub(rf"(?<!\w){re.escape(column)}(?!\w)", label, text)
        return text

    @property
    def segments(self) -> tuple[str, ...]:
        """Columns that respondents are told apart by: those of the codebook, and what is known of customers."""
        columns = dict.fromkeys([*self.codebook.segment_columns, *_ATTRIBUTES])
        return tuple(name for name in columns if name in self.survey.frame.columns)


def _column(frame: pd.DataFrame, name: str) -> pd.Series:
    return frame[name] if name in frame.columns else frame.index.to_series()


def wave_words(wave: str) -> str:
    """Write a wave for the reader: December 2023, or as it is called."""
    return month_of(wave) if _MONTH.fullmatch(wave) else wave


def mark_at(scale: tuple[float, float], share: float) -> float:
    """Return the first whole mark that is so far up its scale: 8 of 1 to 10, and 4 of 1 to 5, for three quarters."""
    low, high = scale
    return float(np.ceil(low + share * (high - low) - 1e-9))


def in_words(interval: Interval, digits: int = 1) -> str:
    """Write an interval: 7.2 to 7.6."""
    return _("{lower} to {upper}", lower=number(interval.lower, digits), upper=number(interval.upper, digits))


def in_a_row(names: Sequence[str]) -> str:
    """Write names one after the other: a, b and c."""
    *first, last = names
    return _("{first} and {last}", first=", ".join(first), last=last) if first else last


def capital(text: str) -> str:
    """Begin a text with a capital letter."""
    return text[:1].upper() + text[1:]


def with_attributes(survey: Survey, customers: pd.DataFrame | None) -> Survey:
    """Return a survey with what is known of the customers who answered, where it does not say so itself."""
    if customers is None or "customer_id" not in survey.frame:
        return survey
    frame = survey.frame
    missing = [name for name in _ATTRIBUTES if name in customers and name not in frame]
    return replace(survey, frame=frame.assign(**{name: frame["customer_id"].map(customers[name]) for name in missing}))
