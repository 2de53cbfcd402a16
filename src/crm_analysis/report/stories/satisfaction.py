"""Satisfaction and loyalty: how satisfied those who answered are, what changed, who differs, and what falls short."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from crm_analysis.data.company_log import open_side_table, open_survey
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import _, month_of, number, plural
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.dumbbells import gap_dumbbell
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Nothing
from crm_analysis.report.stories.heard import (
    NPS_SCALE,
    Heard,
    in_a_row,
    in_words,
    wave_words,
    with_attributes,
)
from crm_analysis.report.stories.survey_changes import mean_of, standing, verdict
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.estimate import SMALL_SAMPLE
from crm_analysis.voice.gap import satisfaction_gap
from crm_analysis.voice.satisfaction import (
    net_promoter_score,
)
from crm_analysis.voice.segments import segment_scores
from crm_analysis.voice.weighting import raked_survey


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
        found = mean_of(heard, column)
        told = {
            "satisfaction": found.value,
            "lower": found.interval.lower,
            "upper": found.interval.upper,
            "scale_end": heard.codebook.scale_of(column)[1],
            "verdict": verdict(heard),
        }
    heard.chapter.remember(
        alerts=tuple(_alerts(heard)),
        source=survey.source,
        rows=int(survey.reconciliation["rows"].sum()),
        rows_used=len(survey),
        respondents=len(heard.latest),
        wave=heard.wave,
        waves=len(survey.waves),
        headline=standing(heard),
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
        title=standing(heard),
        lede=_lede(heard),
        status=tuple(answers),
    )


def alerts(heard: Heard) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(heard)))


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
    whole = mean_of(heard, column)
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


def _lede(heard: Heard) -> str:
    parts = []
    column = heard.codebook.overall_satisfaction
    if column is not None:
        mean = mean_of(heard, column)
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
