"""What customers need: features that are taken for granted, asked for, or a delight (Kano)."""

from crm_analysis.messages import N_, _, count, number, percent
from crm_analysis.report.figures.maps import kano_map
from crm_analysis.report.figures.stacked import kano_bars
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import Heard
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.kano import KanoResult, kano

_NEEDS = {
    "basic": N_("basic"),
    "expected": N_("expected"),
    "exciting": N_("exciting"),
    "indifferent": N_("indifferent"),
    "reverse": N_("unwanted"),
    "questionable": N_("contradictory"),
    "no single kind": N_("no single kind"),
    "not known": N_("not known"),
}


def sort_needs(heard: Heard) -> KanoResult | None:
    """Sort the features asked about, from the answers of a year; None where none was."""
    pairs = {name: (pair.functional, pair.dysfunctional) for name, pair in heard.codebook.kano.items()}
    if not pairs:
        return None
    found = kano(heard.recent, pairs)
    heard.chapter.write("kano", found.features)
    return found


def kinds_figure(heard: Heard, found: KanoResult | None) -> Figure | Note:
    """Draw how customers see each feature."""
    if found is None:
        return Note(_("Needs were not asked for"), (_("Pairs of questions after Kano sort features by need."),))
    table = found.features.assign(
        label=[heard.label(str(name)) for name in found.features.index],
        words=[_(_NEEDS[need]) for need in found.features["need"]],
        is_muted=~found.features["fong_holds"],
    )
    finding = _finding(heard, found)
    return Figure(
        name="needs",
        number=0,
        finding=finding,
        what=_(
            "Respondents by what a feature is to them: basic (its absence annoys), expected (more is better), exciting "
            "(its presence delights), indifferent, unwanted; contradictory answers apart."
        ),
        drawing=kano_bars(table, name="needs", label=finding),
        note=_(
            "From pairs of answers, with and without the feature; {n} complete pairs at least. Where the two most "
            "frequent kinds do not differ by more than chance (Fong's test), no single kind is named.",
            n=count(int(found.features["n"].min())),
        ),
        data=_data(heard, found),
    )


def better_worse_figure(heard: Heard, found: KanoResult | None) -> Figure | Nothing:
    """Draw what a feature adds where it is there, against what is lost where it is not."""
    if found is None:
        return Nothing()
    table = found.features.assign(label=[heard.label(str(name)) for name in found.features.index])
    worst = table["worse"].idxmin()
    lost = -float(table["worse"].min())
    finding = _(
        "Without {name}, {share} of those to whom it matters or could matter would be dissatisfied",
        name=heard.label(str(worst)),
        share=percent(lost),
    )
    return Figure(
        name="better-worse",
        number=0,
        finding=finding,
        what=_(
            "Share who would be satisfied by having a feature, and share who would be dissatisfied by lacking it, with "
            "95% intervals; unwanted and contradictory answers left out."
        ),
        drawing=kano_map(table, name="better-worse", label=finding),
        note=_("Crosses are Wilson intervals on the answers that remain."),
    )


def _finding(heard: Heard, found: KanoResult) -> str:
    groups = {
        need: [heard.label(str(name)) for name in found.features.index[found.features["need"] == need]]
        for need in ("basic", "expected", "exciting")
    }
    parts = [
        _("{need}: {names}", need=_(_NEEDS[need]), names=", ".join(names)) for need, names in groups.items() if names
    ]
    if not parts:
        return _("No feature is clearly basic, expected or exciting")
    text = "; ".join(parts)
    return text[:1].upper() + text[1:]


def _data(heard: Heard, found: KanoResult) -> Table:
    frame = found.features.assign(
        label=[heard.label(str(name)) for name in found.features.index],
        kind=[_(_NEEDS[need]) for need in found.features["need"]],
        by_scores=[_(_NEEDS[need]) for need in found.continuous["need"]],
        better_words=[number(value, 2) for value in found.features["better"]],
        worse_words=[number(value, 2) for value in found.features["worse"]],
    )
    return Table(
        name="needs-data",
        number=0,
        finding=_("The numbers drawn"),
        what="",
        frame=frame,
        columns=(
            Column("label", _("Feature"), kind="text"),
            Column("kind", _("Need"), kind="text"),
            Column("by_scores", _("By mean scores"), kind="text"),
            Column("n", _("Answers"), kind="count"),
            Column("better_words", _("Better")),
            Column("worse_words", _("Worse")),
        ),
    )
