"""The table of measures: how satisfied and how loyal those who answered are, each with its interval and its change."""

from collections.abc import Callable, Iterator
from typing import Any

import pandas as pd

from crm_analysis.messages import N_, _, number, percent, signed
from crm_analysis.report.stories.heard import (
    SATISFIED,
    Heard,
    mark_at,
    wave_words,
)
from crm_analysis.report.stories.survey_changes import compared_waves, ends, has_boxes, has_score
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.reliability import reliability
from crm_analysis.voice.satisfaction import (
    effort_score,
    mean_rating,
    net_promoter_score,
    satisfaction_grades,
    top_box,
)
from crm_analysis.voice.satisfaction_index import satisfaction_index

_OUTCOMES = {
    "overall_satisfaction": N_("Satisfaction"),
    "repurchase_intention": N_("Would buy again"),
    "recommend": N_("Would recommend"),
    "effort": N_("Ease"),
}
_VERDICTS = {
    "higher": N_("higher"),
    "lower": N_("lower"),
    "no real change": N_("no real change"),
    "too few answers": N_("too few answers to tell"),
}
# How far up their scales satisfaction, buying again and recommending must be for the grades: 8, 8 and 9 of 1 to 10.
_GRADE_STARTS = (SATISFIED, SATISFIED, 0.88)
_GRADES = {
    "satisfied": N_("Satisfied"),
    "satisfied and will return": N_("Satisfied and will return"),
    "will return and recommend": N_("Will return and recommend"),
}


def measures_table(heard: Heard) -> Table:
    """List every measure of the latest wave with its interval, and how it compares with the wave before."""
    rows = [*_outcome_rows(heard), *_grade_rows(heard), *_index_rows(heard)]
    has_change = heard.before is not None
    change = (Column("change", _("Change"), kind="text", sortable=False),) if has_change else ()
    frame = pd.DataFrame(rows, columns=["label", "value", "lower", "upper", "n", "effective_n", "change"])
    return Table(
        name="measures",
        number=0,
        finding=_("How satisfied and how loyal those who answered are"),
        what=_(
            "The wave of {wave}; limits at 95% contain which customers happened to answer, not who chose not to. "
            "Answers are worth fewer where weights differ.",
            wave=wave_words(heard.wave),
        ),
        frame=frame,
        columns=(
            Column("label", _("Measure"), kind="text", sortable=False),
            Column("value", _("Value"), sortable=False),
            Column("lower", _("from"), sortable=False),
            Column("upper", _("to"), sortable=False),
            Column("n", _("Answers"), kind="count", sortable=False),
            Column("effective_n", _("Worth"), kind="count", sortable=False),
            *change,
        ),
        downloads=heard.chapter.download("satisfaction", frame),
    )


def two_digits(value: float) -> str:
    """Write a mean mark: 7.28."""
    return number(value, 2)


def one_digit(value: float) -> str:
    """Write a score or an index: 72.5."""
    return number(value, 1)


def share_with_digit(value: float) -> str:
    """Write a share: 26.8%."""
    return percent(value, 1)


def _row(
    label: str, found: Estimate, moved: "pd.Series[Any] | None" = None, *, write: Callable[[float], str] = two_digits
) -> dict[str, Any]:
    """One measure as text, with what the test says of its change."""
    change = ""
    if moved is not None:
        size = float(moved["change"])
        # A difference of shares is in points: a percentage of a percentage would be read as something else.
        written = _("{change} points", change=number(100 * size, 1)) if write is share_with_digit else write(size)
        change = f"{signed(written, size)}\n{_(_VERDICTS[str(moved['verdict'])])}"
    return {
        "label": label,
        "value": write(found.value),
        "lower": write(found.interval.lower),
        "upper": write(found.interval.upper),
        "n": found.n,
        "effective_n": found.effective_n,
        "change": change,
    }


def _outcome_rows(heard: Heard) -> Iterator[dict[str, Any]]:
    survey = heard.latest
    changes = None if heard.before is None else compared_waves(heard)
    for role, column in heard.codebook.outcomes.items():
        low, high = heard.codebook.scale_of(column)
        marks = survey.frame[column]
        how: dict[str, Any] = {"weights": survey.weights}
        name = _(_OUTCOMES[role])
        if has_score(heard, column):
            label = f"{_('Net Promoter Score')}\n{_('promoters less detractors, -100 to 100')}"
            yield _row(label, net_promoter_score(marks, **how), _of(changes, "nps", column), write=one_digit)
            continue
        label = f"{name}\n{_('mean mark, {low} to {high}', **ends(low, high))}"
        found = effort_score(marks, scale=(low, high), **how) if role == "effort" else mean_rating(marks, **how)
        yield _row(label, found, _of(changes, "mean", column))
        if has_boxes(heard, column):
            share = top_box(marks, scale=(low, high), **how)
            boxed = f"{name}\n{_('share of the two highest marks')}"
            yield _row(boxed, share, _of(changes, "top_box", column), write=share_with_digit)


def _of(changes: pd.DataFrame | None, measure: str, column: str) -> "pd.Series[Any] | None":
    return None if changes is None else changes.loc[[(measure, column)]].iloc[0]


def _grade_rows(heard: Heard) -> Iterator[dict[str, Any]]:
    asked = [
        heard.codebook.outcomes.get(role) for role in ("overall_satisfaction", "repurchase_intention", "recommend")
    ]
    columns = [column for column in asked if column is not None]
    if len(columns) < len(asked):
        return
    frame = heard.latest.frame
    satisfied, returning, recommending = (
        mark_at(heard.codebook.scale_of(column), share) for column, share in zip(columns, _GRADE_STARTS, strict=True)
    )
    grades = satisfaction_grades(
        *(frame[column] for column in columns),
        satisfied=satisfied,
        returning=returning,
        recommending=recommending,
        weights=heard.latest.weights,
    )
    starts = dict(zip(_GRADES, (satisfied, returning, recommending), strict=True))
    for grade, row in grades.iterrows():
        small = _("grade of those who answered all three, from {mark} on", mark=number(starts[str(grade)], 0))
        yield {
            "label": f"{_(_GRADES[str(grade)])}\n{small}",
            "value": percent(row["share"], 1),
            "lower": percent(row["lower"], 1),
            "upper": percent(row["upper"], 1),
            "n": row["base"],
            "effective_n": row["effective_n"],
            "change": "",
        }


def _index_rows(heard: Heard) -> Iterator[dict[str, Any]]:
    items = list(heard.codebook.index)
    if not items:
        return
    survey = heard.latest
    scale = {item: heard.codebook.scale_of(item) for item in items}
    seed = heard.chapter.settings.forecast.seed
    found = satisfaction_index(survey, items, scale=scale, seed=seed)
    yield _row(f"{_('Satisfaction index')}\n{_('0 to 100, items weighted alike')}", found, write=one_digit)
    if len(items) > 1:
        steady = reliability(survey, items, seed=seed)
        yield _row(f"{_('Reliability of the index')}\n{_('Cronbach alpha')}", steady.alpha)
        if len(items) > 2:
            yield _row(f"{_('Reliability of the index')}\n{_('McDonald omega')}", steady.omega)
