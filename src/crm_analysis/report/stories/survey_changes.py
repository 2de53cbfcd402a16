"""What changed from wave to wave, tested once for the whole page, and the figures of it."""

import warnings

import numpy as np
import pandas as pd

from crm_analysis.errors import EstimationWarning
from crm_analysis.messages import N_, _, count, number, percent, plural
from crm_analysis.report.figures.dumbbells import wave_dumbbell
from crm_analysis.report.figures.stacked import promoter_bars
from crm_analysis.report.figures.trend import wave_trend as trend_drawing
from crm_analysis.report.pieces import Figure, Nothing
from crm_analysis.report.stories.heard import (
    NPS_SCALE,
    Heard,
    wave_words,
)
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.estimate import Estimate
from crm_analysis.voice.means import TOO_FEW
from crm_analysis.voice.multiplicity import adjust_p_values
from crm_analysis.voice.satisfaction import (
    mean_rating,
    net_promoter_score,
)
from crm_analysis.voice.waves import HIGHER, LOWER, NO_CHANGE, compare_waves, wave_trend

_LEVEL = 0.95


def standing(heard: Heard) -> str:
    """Say in a sentence how satisfied the latest wave is, and whether that is a change."""
    column = heard.codebook.overall_satisfaction
    if column is None:
        return plural("What {n} respondent says", "What {n} respondents say", len(heard.latest))
    mean = mean_of(heard, column)
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
    return _(titles[str(verdict(heard))], **words)


def trend_figure(heard: Heard) -> Figure | Nothing:
    """Draw satisfaction wave by wave."""
    column = heard.codebook.overall_satisfaction
    if column is None or heard.before is None:
        return Nothing()
    low, high = heard.codebook.scale_of(column)
    table = wave_trend(heard.survey, column, scale=(low, high))
    finding = standing(heard)
    return Figure(
        name="satisfaction-trend",
        number=0,
        finding=finding,
        what=_("Mean satisfaction of each wave with its 95% interval; marks from {low} to {high}.", **ends(low, high)),
        drawing=trend_drawing(
            table.assign(
                label=[wave_words(str(wave)) for wave in table.index],
                small=[_("{n} answers", n=count(n)) for n in table["n"]],
            ),
            name="satisfaction-trend",
            label=finding,
            axis=_("mean satisfaction, {low} to {high}", **ends(low, high)),
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


def compared_waves(heard: Heard) -> pd.DataFrame:
    """Compare the latest wave with the one before: all marks, and the shares and scores that the page tells.

    Returns
    -------
    DataFrame, index measure ("mean", "top_box", "nps") and item
        As `compare_waves`, p-values adjusted for all rows together, so that the page says one thing of each.
    """
    of_the_whole = list(heard.codebook.outcomes.values())
    tables = {"mean": _compared(heard, [*of_the_whole, *heard.codebook.driver_columns])}
    boxed = [_compared(heard, [item], "top_box") for item in of_the_whole if has_boxes(heard, item)]
    scored = [item for item in of_the_whole if has_score(heard, item)]
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


def verdict(heard: Heard) -> str | None:
    """Return what the test says of satisfaction since the wave before; None where there is nothing to compare."""
    column = heard.codebook.overall_satisfaction
    if column is None or heard.before is None:
        return None
    return str(compared_waves(heard).loc[("mean", column), "verdict"])


def has_score(heard: Heard, item: str) -> bool:
    """Whether a question gives a Net Promoter Score."""
    return item == heard.codebook.recommend and heard.codebook.scale_of(item) == NPS_SCALE


def has_boxes(heard: Heard, item: str) -> bool:
    """Whether the share of the two highest marks is told of a question: of whole marks, where there is no score."""
    marks = heard.survey.frame[item].dropna()
    return not has_score(heard, item) and bool((marks % 1 == 0).all())


def mean_of(heard: Heard, column: str) -> Estimate:
    """The mean mark of the latest wave; that it rests on marks that are all alike is to be seen beside it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return mean_rating(heard.latest.frame[column], weights=heard.latest.weights)


def ends(low: float, high: float) -> dict[str, str]:
    """Write the ends of a scale, for a sentence."""
    return {"low": number(low, 0), "high": number(high, 0)}


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
