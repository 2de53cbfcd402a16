"""What goes with satisfaction: how much each driver does, how sure that is, and what to look at first."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import N_, _, count, number, percent
from crm_analysis.report.figures.effects import effect_dots, penalty_reward_dots
from crm_analysis.report.figures.importance import importance_dots, rank_heat
from crm_analysis.report.figures.maps import priority_map
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import Heard, capital, in_a_row, wave_words
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.driver_fit import DriverFit
from crm_analysis.voice.drivers import fit_drivers
from crm_analysis.voice.estimate import SMALL_BASE
from crm_analysis.voice.importance import MOST_PLAYERS
from crm_analysis.voice.importance_change import importance_change
from crm_analysis.voice.interactions import segment_interactions
from crm_analysis.voice.mediation import mediation
from crm_analysis.voice.ordered_check import ordered_check

# A driver whose share is above that of noise in fewer samples is not told from noise.
_ABOVE_NOISE = 0.95
# What would come about by chance alone less often than this is taken to be more than chance.
_CHANCE = 0.05
# A segment is compared where it has so many answers for each slope.
_ANSWERS_A_SLOPE = 5
# First in so many samples a driver is called first, or probably first.
_SURE, _LIKELY = 0.95, 0.6
_KINDS = {"basic": N_("basic"), "expected": N_("expected"), "exciting": N_("exciting"), "unclear": N_("unclear")}
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


@dataclass(frozen=True, eq=False)
class Driven:
    """The drivers of satisfaction.

    Attributes
    ----------
    heard : Heard
    fit : DriverFit or None
        None where the survey does not tell.
    refused : str
        Why there is none; "" where there is.
    """

    heard: Heard
    fit: DriverFit | None
    refused: str = ""

    @property
    def labels(self) -> Mapping[str, str]:
        """The drivers and their words."""
        return {name: self.heard.label(name) for name in self.heard.codebook.driver_columns}


def fit_satisfaction(heard: Heard) -> Driven:
    """Say how much each driver goes with overall satisfaction, from the answers of a year."""
    outcome, drivers = heard.codebook.overall_satisfaction, list(heard.codebook.driver_columns)
    if outcome is None or len(drivers) < 2:
        return Driven(heard, None, _("It takes overall satisfaction and two drivers, named in [survey] of crm.toml."))
    settings = heard.chapter.settings.forecast
    method = "lmg" if len(drivers) <= MOST_PLAYERS else "johnson"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # the notes of the fit say it on the page
        try:
            fit = fit_drivers(
                heard.recent, outcome=outcome, drivers=drivers, method=method, draws=settings.draws, seed=settings.seed
            )
        except DataError as error:
            return Driven(heard, None, why_refused(error))
    heard.chapter.write("drivers", fit.importance)
    return Driven(heard, fit)


def told(driven: Driven) -> tuple[tuple[str, str, str], ...]:
    """Return the findings for the overview: text, the piece of the page that shows it, and its name."""
    if driven.fit is None:
        return ()
    figures = (importance_figure(driven), priorities_figure(driven), what_if_figure(driven))
    return tuple((f"{one.finding}.", one.name, _(_LINKS[one.name])) for one in figures if isinstance(one, Figure))


def importance_figure(driven: Driven) -> Figure | Note:
    """Draw the share of each driver in what all explain, beside what noise would reach."""
    fit = driven.fit
    if fit is None:
        return Note(_("What goes with satisfaction cannot be told"), (driven.refused,))
    table = fit.importance.sort_values("share", ascending=False, kind="stable")
    labels = [driven.labels[str(name)] for name in table.index]
    first = fit.rank_probabilities[1].reindex(table.index)
    finding = _leader_words(labels, float(first.iloc[0]))
    is_lmg = fit.method == "lmg"
    shown = table.assign(label=labels, is_above_noise=table["noise"] >= _ABOVE_NOISE)
    if is_lmg:
        shown["other"] = shown["johnson"] / shown["johnson"].sum()
    return Figure(
        name="drivers",
        number=0,
        finding=finding,
        what=_(
            "Share of each driver in what all drivers explain of the differences in satisfaction, with its 95% "
            "interval: averaged over every order in which they could be considered."
        )
        if is_lmg
        else _(
            "Share of each driver in what all drivers explain of the differences in satisfaction (Johnson's relative "
            "weights), with its 95% interval."
        ),
        drawing=importance_dots(
            shown,
            noise=float(fit.noise_share["upper"]),
            name="drivers",
            label=finding,
            other=_("by Johnson's relative weights") if is_lmg else "",
        ),
        note=_(
            "{n} respondents. All drivers together explain {r_squared} of the differences (95%: "
            "{lower} to {upper}). A share says what goes together in these answers, not what would follow if a driver "
            "were improved. Hollow: not told from a driver of pure noise, whose share can never be 0 either.",
            n=count(fit.n),
            r_squared=percent(fit.r_squared),
            lower=percent(fit.r_squared_interval.lower),
            upper=percent(fit.r_squared_interval.upper),
        ),
    )


def ranks_figure(driven: Driven) -> Figure | Nothing:
    """Draw how sure the order of the drivers is."""
    fit = driven.fit
    if fit is None:
        return Nothing()
    order = fit.importance.sort_values("share", ascending=False, kind="stable").index
    table = fit.rank_probabilities.reindex(order).rename(index=dict(driven.labels))
    likely = table.max(axis=1)
    sure = int((likely >= _SURE).sum())
    finding = (
        _("The order of the drivers is sure for {sure} of {all}", sure=count(sure), all=count(len(table)))
        if sure
        else _("No driver's place in the order is sure")
    )
    return Figure(
        name="ranks",
        number=0,
        finding=finding,
        what=_("How often each driver has each place among samples drawn anew from the respondents."),
        drawing=rank_heat(table, name="ranks", label=finding),
        note=_("A change of places from wave to wave means little where a driver has several likely places."),
    )


def slopes_table(driven: Driven) -> Table | Nothing:
    """List what a mark of each driver goes with, and what stands in the way of reading it."""
    fit = driven.fit
    if fit is None:
        return Nothing()
    order = fit.items.sort_values("share", ascending=False, kind="stable").index
    table = fit.slopes.reindex(order).join(fit.items[["first", "last"]]).join(fit.bases)
    group_of = {name: group for group, names in driven.heard.codebook.drivers.items() for name in names}
    asked = table[["answered", "missing"]].sum(axis=1)
    labels = [driven.labels[str(name)] for name in table.index]
    groups = [group_of[str(name)].replace("_", " ") for name in table.index]
    table["label"] = [f"{label}\n{group}" for label, group in zip(labels, groups, strict=True)]
    table["missing_share"] = table["missing"] / asked.where(asked > 0)
    return Table(
        name="driver-marks",
        number=0,
        finding=_("What one mark more of a driver goes with, the others alike"),
        what=_(
            "Marks of satisfaction for one mark of the driver, with robust limits at 95% (HC3); variance inflation "
            "from the other drivers; the share of differences a driver explains alone and in addition to all others."
        ),
        frame=table,
        columns=(
            Column("label", _("Driver"), kind="text", sortable=False),
            Column("slope", _("Marks"), digits=2),
            Column("lower", _("from"), digits=2, sortable=False),
            Column("upper", _("to"), digits=2, sortable=False),
            Column("vif", _("Inflation"), digits=1),
            Column("first", _("Alone"), "%", kind="percent", digits=1),
            Column("last", _("In addition"), "%", kind="percent", digits=1),
            Column("not_applicable", _("Not applicable"), kind="count"),
            Column("missing_share", _("Missing"), "%", kind="percent", digits=1),
        ),
        downloads=driven.heard.chapter.download("driver-marks", table.drop(columns="label")),
    )


def groups_table(driven: Driven) -> Table | Nothing:
    """List the groups of drivers, whose order is steadier than that of the drivers."""
    groups = driven.heard.codebook.drivers
    if driven.fit is None or len(groups) < 2:
        return Nothing()
    settings = driven.heard.chapter.settings.forecast
    largest = max(len(groups) - 1 + len(names) for names in groups.values())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # said by the fit of single drivers
        fit = fit_drivers(
            driven.heard.recent,
            outcome=driven.fit.outcome,
            drivers=driven.fit.drivers,
            groups=groups,
            method="lmg" if largest <= MOST_PLAYERS else "johnson",
            draws=settings.draws,
            seed=settings.seed,
        )
    table = fit.importance.sort_values("share", ascending=False, kind="stable")
    table.insert(0, "first_place", fit.rank_probabilities[1].reindex(table.index))
    table.insert(0, "drivers", [", ".join(driven.labels[name] for name in groups[str(group)]) for group in table.index])
    names = [str(group).replace("_", " ") for group in table.index]
    table.insert(0, "label", [f"{name}\n{drivers}" for name, drivers in zip(names, table["drivers"], strict=True)])
    return Table(
        name="driver-groups",
        number=0,
        finding=_(
            "{group} holds {share} of what the drivers explain (95%: {lower} to {upper})",
            group=capital(str(table.index[0]).replace("_", " ")),
            share=percent(float(table["share"].iloc[0])),
            lower=percent(float(table["lower"].iloc[0])),
            upper=percent(float(table["upper"].iloc[0])),
        ),
        what=_("Groups share what is explained as players of a game (Shapley); limits at 95%.")
        if fit.method == "lmg"
        else _("Groups share what is explained by the relative weights of their drivers (Johnson); limits at 95%."),
        frame=table,
        columns=(
            Column("label", _("Group"), kind="text", sortable=False),
            Column("share", _("Share"), "%", kind="percent", digits=1),
            Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
            Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            Column("first_place", _("First in"), "%", kind="percent", digits=0),
        ),
        downloads=driven.heard.chapter.download("driver-groups", table.drop(columns="label")),
    )


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


def asymmetry_figure(driven: Driven) -> Figure | Note | Nothing:
    """Draw what low and high marks go with."""
    fit = driven.fit
    if fit is None:
        return Nothing()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)  # small groups are counted in the table
            table = fit.penalty_reward()
    except DataError as error:
        return Note(_("Low and high marks cannot be compared"), (why_refused(error),))
    table.insert(0, "label", [driven.labels[str(name)] for name in table.index])
    uneven = table[table["p_adjusted"] < _CHANCE]
    finding = (
        _("For {names} low marks weigh otherwise than high ones", names=in_a_row(uneven["label"].tolist()))
        if len(uneven)
        else _("Low marks weigh no differently from high ones, as far as these answers tell")
    )
    size = (table["reward"] - table["penalty"]).sort_values(ascending=False).index
    return Figure(
        name="asymmetry",
        number=0,
        finding=finding,
        what=_(
            "Marks of satisfaction that go with a low or a high mark of a driver, beside marks in between; 95% "
            "intervals."
        ),
        drawing=penalty_reward_dots(
            table.reindex(size).assign(kind=[_(_KINDS[kind]) for kind in table["kind"].reindex(size)]),
            name="asymmetry",
            label=finding,
            axis=_("marks of satisfaction, beside marks in between"),
        ),
        note=_(
            "About the lowest and the highest fifth of answers count as low and high. Basic: satisfaction is "
            "lower at low marks, and no higher at high ones; exciting: the reverse; expected: both; unclear: neither "
            "is more than chance. There is no agreed choice of cut-offs, and kinds may move with them."
        ),
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


def change_table(driven: Driven) -> Table | Note | Nothing:
    """Say whether what goes with satisfaction changed since the wave before."""
    heard, fit = driven.heard, driven.fit
    if fit is None or heard.before is None:
        return Nothing()
    settings = heard.chapter.settings.forecast
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            table = importance_change(
                heard.survey,
                outcome=fit.outcome,
                drivers=fit.drivers,
                before=heard.before,
                after=heard.wave,
                respondent=heard.person,
                method=fit.method,
                draws=settings.draws,
                seed=settings.seed,
            )
    except (DataError, SettingsError) as error:
        return Note(_("The change of importance cannot be told"), (why_refused(error),))
    table.insert(0, "label", [driven.labels[str(name)] for name in table.index])
    real = table[table["verdict"] != "no real change"]
    finding = (
        _("What goes with satisfaction changed for {names}", names=in_a_row(real["label"].tolist()))
        if len(real)
        else _("No real change in what goes with satisfaction since {before}", before=wave_words(heard.before))
    )
    return Table(
        name="importance-change",
        number=0,
        finding=finding,
        what=_(
            "Shares in what is explained in {before} ({n_before} respondents who rated everything) and {wave} "
            "({n_after}), their difference, and that of the slopes; limits at 95% for all drivers together. A share "
            "moves too where answers differ less than they did; where slopes move, the driver itself goes otherwise.",
            before=wave_words(heard.before),
            wave=wave_words(heard.wave),
            n_before=count(int(table["n_before"].max())),
            n_after=count(int(table["n_after"].max())),
        ),
        frame=table,
        columns=(
            Column("label", _("Driver"), kind="text", sortable=False),
            Column("before", wave_words(heard.before), "%", kind="percent", digits=1),
            Column("after", wave_words(heard.wave), "%", kind="percent", digits=1),
            Column("change", _("Change"), "%", kind="percent", digits=1),
            Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
            Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            Column("slope_change", _("Slopes"), digits=2),
            Column("slope_lower", _("from"), digits=2, sortable=False),
            Column("slope_upper", _("to"), digits=2, sortable=False),
        ),
    )


def checks_note(driven: Driven) -> Note | Nothing:
    """Say what checks of the fit found, and what to beware of."""
    fit, heard = driven.fit, driven.heard
    if fit is None:
        return Nothing()
    paragraphs = [heard.in_words(note) for note in fit.notes]
    paragraphs.append(
        _(
            "The drivers go with each other: condition number {condition}, largest variance inflation {vif}.",
            condition=number(fit.condition_number, 0),
            vif=number(float(fit.slopes["vif"].max()), 1),
        )
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        paragraphs += _ordered_words(driven, fit)
        for by in heard.segments:
            paragraphs += _interaction_words(driven, fit, by)
    return Note(_("How far to trust this"), tuple(paragraphs))


# --- the parts ----------------------------------------------------------------------------------------------------


def _leader_words(labels: Sequence[str], chance: float) -> str:
    """Name the first driver, as surely as its place is."""
    words = {"name": capital(labels[0]), "other": labels[1], "chance": percent(chance)}
    if chance >= _SURE:
        return _("{name} goes with satisfaction most, first in {chance} of the samples", **words)
    if chance >= _LIKELY:
        return _("{name} probably goes with satisfaction most, first in {chance} of the samples", **words)
    return _("{name} and {other} lead; which of them goes with satisfaction most cannot be told", **words)


def _ordered_words(driven: Driven, fit: DriverFit) -> list[str]:
    try:
        check = ordered_check(
            driven.heard.recent, outcome=fit.outcome, drivers=fit.drivers, importance=fit.items["share"]
        )
    except (DataError, SettingsError) as error:
        return [_("A model of ordered answers could not check it: {why}", why=why_refused(error))]
    same = (
        _("A model that takes answers as ordered only finds the same three drivers first, in that order.")
        if check.same_first_three
        else _(
            "A model that takes answers as ordered only finds other first three drivers, or another order of them: be "
            "careful with it."
        )
    )
    p = float(check.parallel_lines["p_value"]["(all)"])
    if not p < _CHANCE:
        return [same]
    uneven = _("It finds too that drivers do not go with low and with high marks of satisfaction alike (Brant's test).")
    return [f"{same} {uneven}"]


def _interaction_words(driven: Driven, fit: DriverFit, by: str) -> list[str]:
    """Say whether drivers go with satisfaction otherwise in some segments; of those with answers enough for slopes."""
    recent, words = driven.heard.recent, by.replace("_", " ")
    sizes = recent.frame[by].value_counts()
    enough = sizes.index[sizes >= max(SMALL_BASE, _ANSWERS_A_SLOPE * len(fit.drivers))]
    if len(enough) < 2:
        return []
    try:
        part = recent.of(recent.frame[by].isin(enough))
        table = segment_interactions(part, outcome=fit.outcome, drivers=fit.drivers, by=by)
    except (DataError, SettingsError) as error:
        return [_("Segments by {by} could not be compared: {why}", by=words, why=why_refused(error))]
    tests = table["p_adjusted"].groupby(level="driver", sort=False).first()
    differing = [driven.labels[str(name)] for name in tests.index[tests < _CHANCE]]
    names = in_a_row([str(level) for level in sorted(enough)])
    if differing:
        return [
            _(
                "What a mark of {drivers} goes with differs by {by} ({names}).",
                drivers=in_a_row(differing),
                by=words,
                names=names,
            )
        ]
    return [_("What marks of drivers go with does not clearly differ by {by} ({names}).", by=words, names=names)]


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
