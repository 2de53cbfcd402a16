"""What to look at first: importance against performance, one mark more of a driver, and what goes with loyalty."""

import warnings

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.messages import N_, _, count, number
from crm_analysis.report.figures.effects import effect_dots
from crm_analysis.report.figures.maps import priority_map
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.drivers import Driven, importance_figure
from crm_analysis.report.stories.heard import capital, in_a_row
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.mediation import mediation

_QUADRANTS = {
    "keep up": N_("keep it up"),
    "concentrate here": N_("look at first"),
    "low priority": N_("can wait"),
    "possible overkill": N_("more than enough"),
}
_LINKS = {
    "drivers": N_("What goes with satisfaction"),
    "priorities": N_("Importance and performance"),
    "what-if": N_("One mark more"),
}


def told(driven: Driven) -> tuple[tuple[str, str, str], ...]:
    """Return the findings for the overview: text, the piece of the page that shows it, and its name."""
    if driven.fit is None:
        return ()
    figures = (importance_figure(driven), priorities_figure(driven), what_if_figure(driven))
    return tuple((f"{one.finding}.", one.name, _(_LINKS[one.name])) for one in figures if isinstance(one, Figure))


def priorities_figure(driven: Driven) -> Figure | Nothing:
    """Draw importance against performance."""
    fit = driven.fit
    if fit is None:
        return Nothing()
    scale = driven.heard.scales([*fit.drivers, fit.outcome])
    is_one_scale = len({scale[name] for name in fit.drivers}) == 1
    table = fit.importance_performance(scale=scale)
    by_scale = fit.importance_performance(scale=scale, cross="scale")
    table.insert(0, "label", [driven.labels[str(name)] for name in table.index])
    urgent = table[table["quadrant"] == "concentrate here"]
    sure = urgent[urgent["certain"]]
    finding = (
        _("{names}: important, and marked below the others", names=capital(in_a_row(urgent["label"].tolist())))
        if len(urgent)
        else _("No important driver is marked below the others")
    )
    moved = int((table["quadrant"] != by_scale["quadrant"]).sum())
    return Figure(
        name="priorities",
        number=0,
        finding=finding,
        what=_(
            "Share of each driver in what is explained, and its mean mark, both with 95% intervals; lines at the means."
        ),
        drawing=priority_map(
            table.rename(columns={"lower": "importance_lower", "upper": "importance_upper"}),
            lines=(float(table["importance_line"].iloc[0]), float(table["performance_line"].iloc[0])),
            name="priorities",
            label=finding,
            words=None
            if is_one_scale
            else (_("importance, share of what all drivers explain"), _("performance, 0 (lowest mark) to 100")),
        ),
        note=_(
            "{sure} of them {verb} sure to be in that field. With lines at equal shares and the middle of the scale "
            "{moved} of {all} drivers change fields.",
            sure=count(len(sure)),
            verb=_("is") if len(sure) == 1 else _("are"),
            moved=count(moved),
            all=count(len(table)),
        )
        if len(urgent)
        else _(
            "With lines at equal shares and the middle of the scale {moved} of {all} drivers change fields.",
            moved=count(moved),
            all=count(len(table)),
        ),
        data=_priorities_data(table, by_scale),
    )


def what_if_figure(driven: Driven) -> Figure | Nothing:
    """Draw what one mark more of each driver goes with, nobody leaving the scale."""
    fit = driven.fit
    if fit is None:
        return Nothing()
    table = fit.simulate(dict.fromkeys(fit.drivers, 1.0), scale=driven.heard.scales([*fit.drivers, fit.outcome]))
    together = table.loc[[name for name in table.index if name not in fit.drivers]]
    table = table.loc[list(fit.drivers)].sort_values("change", ascending=False)
    labels = [driven.labels[str(name)] for name in table.index]
    best = table.iloc[0]
    finding = _(
        "Where {name} is marked one higher, satisfaction is {change} marks higher ({lower} to {upper})",
        name=labels[0],
        change=number(best["change"], 2),
        lower=number(best["lower"], 2),
        upper=number(best["upper"], 2),
    )
    note = _(
        "The difference of mean satisfaction between respondents alike in all other drivers, by the slopes; who gives "
        "the highest mark already cannot give more. It is no forecast of what an effort would bring: only an "
        "experiment tells that."
    )
    if len(together):
        row = together.iloc[0]
        note += " " + _(
            "All drivers one mark higher together: {change} ({lower} to {upper}).",
            change=number(row["change"], 2),
            lower=number(row["lower"], 2),
            upper=number(row["upper"], 2),
        )
    return Figure(
        name="what-if",
        number=0,
        finding=finding,
        what=_("Marks of mean satisfaction that go with one mark more of a driver, with 95% intervals."),
        drawing=effect_dots(
            table.assign(label=labels, value=table["change"]),
            name="what-if",
            label=finding,
            axis=_("marks of satisfaction"),
        ),
        note=note,
    )


def loyalty_note(driven: Driven) -> Note | Nothing:
    """Say how much of what a driver has to do with loyalty goes by way of satisfaction."""
    heard, fit = driven.heard, driven.fit
    loyalty = heard.codebook.recommend or heard.codebook.repurchase_intention
    if fit is None or loyalty is None:
        if heard.codebook.path_model is not None:
            return Nothing()
        asked = _("It takes a question on recommending or on buying again, or a path model in [survey] of crm.toml.")
        return Note(_("What goes with loyalty cannot be told"), (driven.refused or asked,))
    leading = fit.importance["share"].sort_values(ascending=False, kind="stable").index[:3]
    seed, draws = heard.chapter.settings.forecast.seed, 2_000
    paragraphs = []
    for name in leading:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", EstimationWarning)
                found = mediation(
                    heard.recent, cause=str(name), mediator=fit.outcome, outcome=loyalty, draws=draws, seed=seed
                )
        except DataError as error:
            return Note(_("What goes with loyalty cannot be told"), (why_refused(error),))
        indirect, total = found.indirect, found.total
        paragraphs.append(
            _(
                "One mark more of {name} goes with {total} marks of {loyalty} ({total_lower} to {total_upper}); by way "
                "of satisfaction: {indirect} ({lower} to {upper}).",
                name=driven.labels[str(name)],
                loyalty=heard.label(loyalty),
                total=number(total.value, 2),
                total_lower=number(total.interval.lower, 2),
                total_upper=number(total.interval.upper, 2),
                indirect=number(indirect.value, 2),
                lower=number(indirect.interval.lower, 2),
                upper=number(indirect.interval.upper, 2),
            )
        )
    caveat = _(
        "Each driver by itself, the others not held alike. All of it was asked in one form, so that a mood of the "
        "moment moves it together; “by way of” is a reading of associations, not a proof."
    )
    return Note(_("Loyalty by way of satisfaction"), (*paragraphs, caveat))


def _priorities_data(table: pd.DataFrame, by_scale: pd.DataFrame) -> Table:
    frame = table.assign(
        field=[_(_QUADRANTS[one]) for one in table["quadrant"]],
        field_scale=[_(_QUADRANTS[one]) for one in by_scale["quadrant"].reindex(table.index)],
        sure=np.where(table["certain"], _("yes"), _("no")),
    )
    return Table(
        name="priorities-data",
        number=0,
        finding=_("The fields by both rules"),
        what="",
        frame=frame,
        columns=(
            Column("label", _("Driver"), kind="text"),
            Column("importance", _("Share"), "%", kind="percent", digits=1),
            Column("performance", _("Mean mark"), digits=2),
            Column("field", _("Field, lines at the means"), kind="text"),
            Column("sure", _("Sure"), kind="text"),
            Column("field_scale", _("Field, lines at the middle of the scale"), kind="text"),
        ),
    )
