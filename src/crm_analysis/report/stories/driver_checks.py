"""How far to trust what goes with satisfaction: what changed since the wave before, and what checks found."""

import warnings

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import _, count, number
from crm_analysis.report.pieces import Note, Nothing
from crm_analysis.report.stories.drivers import CHANCE, Driven
from crm_analysis.report.stories.heard import in_a_row, wave_words
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.driver_fit import DriverFit
from crm_analysis.voice.estimate import SMALL_BASE
from crm_analysis.voice.importance_change import importance_change
from crm_analysis.voice.interactions import segment_interactions
from crm_analysis.voice.ordered_check import ordered_check

# A segment is compared where it has so many answers for each slope.
_ANSWERS_A_SLOPE = 5


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
    if not p < CHANCE:
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
    differing = [driven.labels[str(name)] for name in tests.index[tests < CHANCE]]
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
