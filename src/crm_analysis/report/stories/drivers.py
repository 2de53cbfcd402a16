"""What goes with satisfaction: how much each driver does, how sure that is, and what low and high marks go with."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.messages import N_, _, count, percent
from crm_analysis.report.figures.effects import penalty_reward_dots
from crm_analysis.report.figures.importance import importance_dots, rank_heat
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import Heard, capital, in_a_row
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.driver_fit import DriverFit
from crm_analysis.voice.drivers import fit_drivers
from crm_analysis.voice.importance import MOST_PLAYERS

# A driver whose share is above that of noise in fewer samples is not told from noise.
_ABOVE_NOISE = 0.95
# What would come about by chance alone less often than this is taken to be more than chance.
CHANCE = 0.05
# First in so many samples a driver is called first, or probably first.
_SURE, _LIKELY = 0.95, 0.6
_KINDS = {"basic": N_("basic"), "expected": N_("expected"), "exciting": N_("exciting"), "unclear": N_("unclear")}


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
        finding=_group_words(names, table),
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
    uneven = table[table["p_adjusted"] < CHANCE]
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


def _group_words(names: Sequence[str], table: pd.DataFrame) -> str:
    """Name the first group with its share, or the first two where their order is not sure."""
    share, lower, upper = (percent(float(table[column].iloc[0])) for column in ("share", "lower", "upper"))
    words = {"group": capital(names[0]), "other": names[1], "share": share, "lower": lower, "upper": upper}
    if table["first_place"].iloc[0] >= _LIKELY:
        return _("{group} holds {share} of what the drivers explain (95%: {lower} to {upper})", **words)
    return _("{group} and {other} lead; which of them holds more of what the drivers explain cannot be told", **words)


def _leader_words(labels: Sequence[str], chance: float) -> str:
    """Name the first driver, as surely as its place is."""
    words = {"name": capital(labels[0]), "other": labels[1], "chance": percent(chance)}
    if chance >= _SURE:
        return _("{name} goes with satisfaction most, first in {chance} of the samples", **words)
    if chance >= _LIKELY:
        return _("{name} probably goes with satisfaction most, first in {chance} of the samples", **words)
    return _("{name} and {other} lead; which of them goes with satisfaction most cannot be told", **words)
