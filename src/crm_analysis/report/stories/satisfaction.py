"""Satisfaction and loyalty: how satisfied those who answered are, what changed, who differs, and what falls short."""

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.company_log import open_side_table, open_survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import N_, _, count, month_of, number, percent, plural, signed
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.dumbbells import gap_dumbbell, wave_dumbbell
from crm_analysis.report.figures.stacked import promoter_bars
from crm_analysis.report.figures.trend import wave_trend as trend_drawing
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Nothing
from crm_analysis.report.stories.heard import (
    NPS_SCALE,
    SATISFIED,
    Heard,
    in_a_row,
    in_words,
    mark_at,
    wave_words,
    with_attributes,
)
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.estimate import SMALL_SAMPLE, Estimate
from crm_analysis.voice.gap import satisfaction_gap
from crm_analysis.voice.means import TOO_FEW
from crm_analysis.voice.multiplicity import adjust_p_values
from crm_analysis.voice.reliability import reliability
from crm_analysis.voice.satisfaction import (
    effort_score,
    mean_rating,
    net_promoter_score,
    satisfaction_grades,
    top_box,
)
from crm_analysis.voice.satisfaction_index import satisfaction_index
from crm_analysis.voice.segments import segment_scores
from crm_analysis.voice.waves import HIGHER, LOWER, NO_CHANGE, compare_waves, wave_trend
from crm_analysis.voice.weighting import raked_survey

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
_LEVEL = 0.95
_GRADES = {
    "satisfied": N_("Satisfied"),
    "satisfied and will return": N_("Satisfied and will return"),
    "will return and recommend": N_("Will return and recommend"),
}


def two_digits(value: float) -> str:
    """Write a mean mark: 7.28."""
    return number(value, 2)


def one_digit(value: float) -> str:
    """Write a score or an index: 72.5."""
    return number(value, 1)


def share_with_digit(value: float) -> str:
    """Write a share: 26.8%."""
    return percent(value, 1)


def hear(chapter: Chapter) -> Heard:
    """Read the survey through the door and leave its accounts on the shelf."""
    survey = open_survey(chapter.settings, as_of=chapter.as_of)
    if survey is None:
        raise SettingsError("crm.toml names no survey: name its table under [sources.survey].")
    customers = open_side_table(chapter.settings, "customers", as_of=chapter.as_of)
    not_raked = ""
    try:
        weighted = raked_survey(survey)
    except (DataError, SettingsError) as error:  # weights as they came are better than no book
        weighted, not_raked = survey, why_refused(error)
    known = with_attributes(weighted, None if customers is None else customers.frame)
    heard = Heard(chapter, known, not_raked)
    chapter.write("survey_reconciliation", survey.reconciliation)
    chapter.write("survey_notes", survey.notes)
    chapter.write("survey_items", heard.latest.items)
    return heard


def keep(heard: Heard, *findings: tuple[str, str, str]) -> None:
    """Keep the figures of the latest wave, and findings: text, the piece of the page that shows it, and its name."""
    told: dict[str, Any] = {}
    survey = heard.survey
    column = heard.codebook.overall_satisfaction
    if column is not None:
        found = _mean(heard, column)
        told = {
            "satisfaction": found.value,
            "lower": found.interval.lower,
            "upper": found.interval.upper,
            "scale_end": heard.codebook.scale_of(column)[1],
            "verdict": _verdict(heard),
        }
    heard.chapter.remember(
        alerts=tuple(_alerts(heard)),
        source=survey.source,
        rows=int(survey.reconciliation["rows"].sum()),
        rows_used=len(survey),
        respondents=len(heard.latest),
        wave=heard.wave,
        waves=len(survey.waves),
        headline=_title(heard),
        findings=[list(one) for one in findings],
        **told,
    )


def headline(heard: Heard) -> Headline:
    """Open the chapter."""
    survey = heard.latest
    answers = [
        plural(
            "{n} respondent in the wave of {wave}",
            "{n} respondents in the wave of {wave}",
            len(survey),
            wave=wave_words(heard.wave),
        )
    ]
    if heard.before is not None:
        answers.append(_("Compared with the wave of {wave}", wave=wave_words(heard.before)))
    return Headline(
        over=_("Satisfaction and loyalty, {period}", period=month_of(str(heard.chapter.period))),
        title=_title(heard),
        lede=_lede(heard),
        status=tuple(answers),
    )


def alerts(heard: Heard) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(heard)))


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


def trend_figure(heard: Heard) -> Figure | Nothing:
    """Draw satisfaction wave by wave."""
    column = heard.codebook.overall_satisfaction
    if column is None or heard.before is None:
        return Nothing()
    low, high = heard.codebook.scale_of(column)
    table = wave_trend(heard.survey, column, scale=(low, high))
    finding = _title(heard)
    return Figure(
        name="satisfaction-trend",
        number=0,
        finding=finding,
        what=_("Mean satisfaction of each wave with its 95% interval; marks from {low} to {high}.", **_ends(low, high)),
        drawing=trend_drawing(
            table.assign(
                label=[wave_words(str(wave)) for wave in table.index],
                small=[_("{n} answers", n=count(n)) for n in table["n"]],
            ),
            name="satisfaction-trend",
            label=finding,
            axis=_("mean satisfaction, {low} to {high}", **_ends(low, high)),
            write=lambda value: number(value, 1),
            tick=lambda value: number(value, 1),
            scale_start=low,
        ),
        note=_(
            "Whether two waves differ is told by the test of their difference, not by whether their intervals meet. "
            "Who answers may change from wave to wave; weights undo that only for what they are made of."
        ),
        data=_trend_data(table),
    )


def promoters_figure(heard: Heard) -> Figure | Nothing:
    """Draw who would recommend, wave by wave."""
    column = heard.codebook.recommend
    if column is None:
        return Nothing()
    if heard.codebook.scale_of(column) != NPS_SCALE:
        return Nothing()
    rows = []
    for wave in heard.survey.waves:
        part = heard.survey.wave(wave)
        found = net_promoter_score(part.frame[column], weights=part.weights)
        rows.append(
            {
                "label": wave_words(wave),
                "small": _("{n} answers", n=count(found.n)),
                "promoters": found.promoters,
                "passives": found.passives,
                "detractors": found.detractors,
                "value": found.value,
                "lower": found.interval.lower,
                "upper": found.interval.upper,
            }
        )
    table = pd.DataFrame(rows)
    last = table.iloc[-1]
    finding = _(
        "{promoters} would recommend with 9 or 10, {detractors} give 6 or less: a Net Promoter Score of {score}",
        promoters=percent(last["promoters"]),
        detractors=percent(last["detractors"]),
        score=number(last["value"], 0),
    )
    return Figure(
        name="promoters",
        number=0,
        finding=finding,
        what=_("Shares of respondents by wave, and the score (promoters less detractors) with its 95% interval."),
        drawing=promoter_bars(table, name="promoters", label=finding),
        note=_(
            "The interval is the adjusted Wald interval. A score of few answers is wide: with 500 answers a wave, "
            "eight points from wave to wave are no real change."
        ),
    )


def changes_figure(heard: Heard) -> Figure | Nothing:
    """Draw what changed since the wave before, item by item."""
    if heard.before is None:
        return Nothing()
    changes = compared_waves(heard).xs("mean", level="measure").copy()
    changes.insert(0, "label", [heard.label(str(item)) for item in changes.index])
    real = changes[~changes["verdict"].isin([NO_CHANGE, TOO_FEW])]
    words = {"before": wave_words(heard.before), "wave": wave_words(heard.wave), "all": count(len(changes))}
    finding = (
        plural(
            "{n} of {all} marks differs from {before} by more than chance",
            "{n} of {all} marks differ from {before} by more than chance",
            len(real),
            all=words["all"],
            before=words["before"],
        )
        if len(real)
        else _("No real change since {before}: none of {all} marks differs by more than chance", **words)
    )
    shown = changes.assign(is_real=changes.index.isin(real.index)).sort_values("change", kind="stable")
    both = int(changes["n_both"].max())
    paired = (
        plural(
            "{n} customer answered both times and is compared with themselves.",
            "{n} customers answered both times and are compared with themselves.",
            both,
        )
        if both
        else _("Nobody is known to have answered both times.")
    )
    return Figure(
        name="wave-changes",
        number=0,
        finding=finding,
        what=_("Mean marks in {before} and {wave}, and the change with its 95% interval.", **words),
        drawing=wave_dumbbell(
            shown,
            name="wave-changes",
            label=finding,
            axis=_("mean mark"),
            words=(words["before"], words["wave"]),
        ),
        note=paired
        + " "
        + _(
            "A change counts as real where its p-value, adjusted for all marks and shares compared (Holm), is below 5%."
        ),
    )


def segments_table(heard: Heard) -> Table | Nothing:
    """Compare segments, those with few answers drawn towards the whole."""
    column = heard.codebook.overall_satisfaction
    parts = heard.segments
    if column is None or not parts:
        return Nothing()
    tables = [
        segment_scores(heard.latest, column, by=by, scale=heard.codebook.scale_of(column))
        .rename_axis("level")
        .reset_index()
        .assign(by=by)
        for by in parts
    ]
    table = pd.concat(tables, ignore_index=True)
    whole = _mean(heard, column)
    table["label"] = [
        f"{level}\n{_('{segment}, few answers', segment=by) if few else by}".replace("_", " ")
        for level, by, few in zip(table["level"], table["by"], table["is_small"], strict=True)
    ]
    apart = table[(table["shrunk_lower"] > whole.value) | (table["shrunk_upper"] < whole.value)]
    finding = (
        _(
            "{names} differ from the mean of all, {mean}",
            names=in_a_row([str(level) for level in apart["level"]]),
            mean=number(whole.value, 1),
        )
        if len(apart)
        else _("No segment differs clearly from the mean of all, {mean}", mean=number(whole.value, 1))
    )
    return Table(
        name="segments",
        number=0,
        finding=finding,
        what=_(
            "Mean satisfaction by segment. The better guess draws each segment towards all, the more so the fewer "
            "answers it has; compare segments by it."
        ),
        frame=table,
        columns=(
            Column("label", _("Segment"), kind="text", sortable=False),
            Column("n", _("Answers"), kind="count"),
            Column("value", _("Mean as answered"), digits=2),
            Column("shrunk", _("Better guess"), digits=2),
            Column("shrunk_lower", _("from"), digits=2, sortable=False),
            Column("shrunk_upper", _("to"), digits=2, sortable=False),
        ),
        downloads=heard.chapter.download("satisfaction-segments", table.drop(columns="label")),
    )


def gaps_figure(heard: Heard) -> Figure | Nothing:
    """Draw what was experienced beside what was expected."""
    pairs = {name: (gap.expectation, gap.perception) for name, gap in heard.codebook.gaps.items()}
    if not pairs:
        return Nothing()
    table = satisfaction_gap(heard.latest, pairs)
    table.insert(0, "label", [name.replace("_", " ") for name in table.index])
    short = table[table["verdict"] == "below expectation"].sort_values("gap")
    finding = _shortfall_words(short["label"].tolist(), [abs(float(gap)) for gap in short["gap"]])
    return Figure(
        name="gaps",
        number=0,
        finding=finding[:1].upper() + finding[1:],
        what=_("Mean marks of what was expected and what was experienced, of the same respondents."),
        drawing=gap_dumbbell(
            table.assign(is_real=table["verdict"].isin(["below expectation", "above expectation"])).sort_values("gap"),
            name="gaps",
            label=finding,
            axis=_("mean mark"),
        ),
        note=_(
            "Perception less expectation, with its 95% interval. A gap counts as real where its p-value, adjusted for "
            "the number of attributes (Holm), is below 5%."
        ),
    )


# --- the parts ----------------------------------------------------------------------------------------------------


def _shortfall_words(names: list[str], gaps: list[float]) -> str:
    """Say what falls short of expectation, the most first."""
    if not names:
        return _("Nothing falls clearly short of what was expected")
    words = {"name": names[0], "gap": number(gaps[0], 2)}
    if len(names) == 1:
        return _("{name} falls short of what was expected, by {gap}", **words)
    return _("{names} fall short of what was expected, {name} most: by {gap}", names=in_a_row(names), **words)


def _alerts(heard: Heard) -> Iterator[Alert]:
    survey = heard.latest
    if len(survey) < SMALL_SAMPLE:
        yield Alert(
            "warning",
            plural(
                "The latest wave has {n} respondent; intervals are wide, and what goes with satisfaction can hardly be "
                "told.",
                "The latest wave has {n} respondents; intervals are wide, and what goes with satisfaction can hardly "
                "be told.",
                len(survey),
            ),
            "satisfaction.html#measures",
            _("Measures"),
        )
    if heard.not_raked:
        yield Alert(
            "warning",
            _("The weights could not be raked to the margins in crm.toml: {why}", why=heard.not_raked),
            "satisfaction.html#measures",
            _("Measures"),
        )
    set_aside = heard.survey.reconciliation
    lost = int(set_aside.loc[set_aside["status"] == "set_aside", "rows"].sum())
    if lost:
        yield Alert(
            "note",
            plural("{n} row of the survey is set aside.", "{n} rows of the survey are set aside.", lost),
            "satisfaction.html#survey-rows",
            _("Rows of the survey"),
        )


def _ends(low: float, high: float) -> dict[str, str]:
    return {"low": number(low, 0), "high": number(high, 0)}


def _verdict(heard: Heard) -> str | None:
    column = heard.codebook.overall_satisfaction
    if column is None or heard.before is None:
        return None
    return str(compared_waves(heard).loc[("mean", column), "verdict"])


def _title(heard: Heard) -> str:
    column = heard.codebook.overall_satisfaction
    if column is None:
        return plural("What {n} respondent says", "What {n} respondents say", len(heard.latest))
    mean = _mean(heard, column)
    if mean.n == 0:
        return _("Nobody in the wave of {wave} says how satisfied they are", wave=wave_words(heard.wave))
    words = {"mean": number(mean.value, 1), "high": number(heard.codebook.scale_of(column)[1], 0)}
    if heard.before is None:
        return _("Satisfaction is {mean} of {high}", **words)
    words["before"] = wave_words(heard.before)
    titles = {
        "higher": N_("Satisfaction is {mean} of {high}, higher than in {before}"),
        "lower": N_("Satisfaction is {mean} of {high}, lower than in {before}"),
        NO_CHANGE: N_("Satisfaction is {mean} of {high}, no real change since {before}"),
        TOO_FEW: N_("Satisfaction is {mean} of {high}; too few answers to compare it with {before}"),
    }
    return _(titles[str(_verdict(heard))], **words)


def _mean(heard: Heard, column: str) -> Estimate:
    """The mean mark of the latest wave; that it rests on marks that are all alike is to be seen beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return mean_rating(heard.latest.frame[column], weights=heard.latest.weights)


def _lede(heard: Heard) -> str:
    parts = []
    column = heard.codebook.overall_satisfaction
    if column is not None:
        mean = _mean(heard, column)
        parts.append(_("The 95% interval of the mean is {interval}.", interval=in_words(mean.interval)))
    recommend = heard.codebook.recommend
    if recommend is not None and heard.codebook.scale_of(recommend) == NPS_SCALE:
        found = net_promoter_score(heard.latest.frame[recommend], weights=heard.latest.weights)
        parts.append(
            _(
                "The Net Promoter Score is {score} ({interval}).",
                score=number(found.value, 0),
                interval=in_words(found.interval, 0),
            )
        )
    parts.append(_("All of it is what those say who answered; what goes together need not cause each other."))
    return " ".join(parts)


def compared_waves(heard: Heard) -> pd.DataFrame:
    """Compare the latest wave with the one before: all marks, and the shares and scores that the page tells.

    Returns
    -------
    DataFrame, index measure ("mean", "top_box", "nps") and item
        As `compare_waves`, p-values adjusted for all rows together, so that the page says one thing of each.
    """
    of_the_whole = list(heard.codebook.outcomes.values())
    tables = {"mean": _compared(heard, [*of_the_whole, *heard.codebook.driver_columns])}
    boxed = [_compared(heard, [item], "top_box") for item in of_the_whole if _has_boxes(heard, item)]
    scored = [item for item in of_the_whole if _has_score(heard, item)]
    tables |= {"top_box": pd.concat(boxed)} if boxed else {}
    tables |= {"nps": _compared(heard, scored, "nps")} if scored else {}
    found = pd.concat(tables, names=["measure", "item"])
    found["p_adjusted"] = adjust_p_values(found["p_value"], "holm")
    is_real = found["p_adjusted"] < 1 - _LEVEL
    kinds = [found["p_value"].isna(), is_real & (found["change"] > 0), is_real]
    return found.assign(verdict=np.select(kinds, [TOO_FEW, HIGHER, LOWER], NO_CHANGE))


def _compared(heard: Heard, items: list[str], measure: str = "mean") -> pd.DataFrame:
    return compare_waves(
        heard.survey,
        items,
        before=heard.before,
        after=heard.wave,
        respondent=heard.person,
        measure=measure,
        scale=heard.codebook.scale_of(items[0]),
        adjust=None,
    )


def _has_score(heard: Heard, item: str) -> bool:
    """Whether a question gives a Net Promoter Score."""
    return item == heard.codebook.recommend and heard.codebook.scale_of(item) == NPS_SCALE


def _has_boxes(heard: Heard, item: str) -> bool:
    """Whether the share of the two highest marks is told of a question: of whole marks, where there is no score."""
    marks = heard.survey.frame[item].dropna()
    return not _has_score(heard, item) and bool((marks % 1 == 0).all())


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
        if _has_score(heard, column):
            label = f"{_('Net Promoter Score')}\n{_('promoters less detractors, -100 to 100')}"
            yield _row(label, net_promoter_score(marks, **how), _of(changes, "nps", column), write=one_digit)
            continue
        label = f"{name}\n{_('mean mark, {low} to {high}', **_ends(low, high))}"
        found = effort_score(marks, scale=(low, high), **how) if role == "effort" else mean_rating(marks, **how)
        yield _row(label, found, _of(changes, "mean", column))
        if _has_boxes(heard, column):
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


def _trend_data(table: pd.DataFrame) -> Table:
    shown = table.assign(label=[wave_words(str(wave)) for wave in table.index])
    return Table(
        name="satisfaction-trend-data",
        number=0,
        finding=_("The numbers drawn"),
        what="",
        frame=shown,
        columns=(
            Column("label", _("Wave"), kind="text"),
            Column("n", _("Answers"), kind="count"),
            Column("value", _("Mean"), digits=2),
            Column("lower", _("from"), digits=2),
            Column("upper", _("to"), digits=2),
        ),
    )
