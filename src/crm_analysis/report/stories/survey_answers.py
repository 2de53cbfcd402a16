"""The answers themselves: which rows of the survey were used, what was asked and answered, what is worth knowing."""

from crm_analysis.messages import N_, _, count, percent, plural
from crm_analysis.report.figures.row_funnel import row_funnel
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import NPS_SCALE, Heard, capital, wave_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.responses import effective_n

_METHOD = (
    N_(
        "Means, shares and their intervals hold for all whom the respondents stand for, as far as who answers and who "
        "does not are alike once weights are applied; no interval contains the doubt about that."
    ),
    N_(
        "Shares of drivers are Shapley values of the explained variance (Lindeman, Merenda and Gold 1980), with "
        "intervals by the percentile bootstrap over respondents; Johnson's relative weights (2000) stand beside them. "
        "A driver of pure noise, drawn anew in each sample, shows what a share is without any effect."
    ),
    N_(
        "Ratings given in one form share a halo, so that drivers go with each other and with satisfaction more than "
        "they would otherwise. What goes together here need not cause each other: what would follow an improvement is "
        "told by an experiment alone."
    ),
)


def rows_figure(heard: Heard) -> Figure:
    """Show which rows of the survey were used."""
    told = heard.survey.reconciliation
    total = int(told["rows"].sum())
    used = int(told.loc[told["status"] == "used", "rows"].sum())
    finding = _("{used} of {rows} rows of the survey are used", used=count(used), rows=count(total))
    return Figure(
        name="survey-rows",
        number=0,
        finding=finding,
        what=_("Rows of {source} by what becomes of them.", source=heard.survey.source),
        drawing=row_funnel(
            told[told["rows"] > 0].assign(
                outcome=[_(reason) for reason in told.loc[told["rows"] > 0, "reason"]], share=told["rows"] / total
            ),
            name="survey-rows",
            label=finding,
        ),
        note=_waves_words(heard),
    )


def items_table(heard: Heard) -> Table:
    """List every question of the latest wave: who answered, and how it used its scale."""
    items = heard.latest.items
    names = [heard.label(str(name)) for name in items.index]
    frame = items.assign(label=[f"{name}\n{role}" for name, role in zip(names, items["role"], strict=True)])
    crowded = int((items[["at_top", "at_bottom"]].max(axis=1) > 0.5).sum())
    return Table(
        name="survey-items",
        number=0,
        finding=plural("{n} question was asked on a scale", "{n} questions were asked on a scale", len(items)),
        what=_(
            "The wave of {wave}. Not applicable is an answer of its own and not missing. At the top, at the bottom: "
            "share of answers at the end of the scale.",
            wave=wave_words(heard.wave),
        )
        + (
            " "
            + plural(
                "Of {n} question more than half of the answers are at one end.",
                "Of {n} questions more than half of the answers are at one end.",
                crowded,
            )
            if crowded
            else ""
        ),
        frame=frame,
        columns=(
            Column("label", _("Question"), kind="text", sortable=False),
            Column("answered", _("Answered"), kind="count"),
            Column("not_applicable", _("Not applicable"), kind="count"),
            Column("missing", _("Missing"), kind="count"),
            Column("mean", _("Mean"), digits=2),
            Column("at_bottom", _("At the bottom"), "%", kind="percent", digits=0),
            Column("at_top", _("At the top"), "%", kind="percent", digits=0),
        ),
        downloads=heard.chapter.download("survey-items", items),
        long=True,
    )


def notes_note(heard: Heard) -> Note:
    """Say what is used but worth knowing."""
    notes, respondents = heard.survey.notes, set(heard.survey.frame.index.astype(str))
    found = notes[notes["rows"] > 0] if len(notes) else notes
    if not len(found):
        return Note(_("Nothing odd in the answers"), (_("No check of the answers found anything worth telling."),))
    lines = tuple(
        _("{what}: {n} ({which}).", what=capital(_(meaning)), n=count(rows), which=which)
        if which and not respondents & set(which.split(", "))  # nobody who answered is named
        else _("{what}: {n}.", what=capital(_(meaning)), n=count(rows))
        for meaning, rows, which in zip(found["meaning"], found["rows"], found["which"], strict=True)
    )
    return Note(_("Used, but worth knowing"), lines)


def absent_note(heard: Heard) -> Note | Nothing:
    """Say what this survey cannot tell, and what to ask for it."""
    told, outcomes = heard.codebook, heard.codebook.outcomes
    has_score = told.recommend is not None and told.scale_of(told.recommend) == NPS_SCALE
    lines = {
        _("What changed: it takes two waves."): heard.before is None,
        _("The Net Promoter Score: it takes a question on recommending, answered from 0 to 10."): not has_score,
        _("The grades of satisfaction: they take satisfaction, buying again and recommending."): len(
            outcomes.keys() & {"overall_satisfaction", "repurchase_intention", "recommend"}
        )
        < 3,
        _("What falls short of expectation: it takes an expected and an experienced mark of each attribute."): not (
            told.gaps
        ),
        _("Segments: they take a column that tells respondents apart, or ids of customers."): not heard.segments,
        _("A model of loyalty: it takes constructs and paths, in [survey.path_model] of crm.toml."): (
            told.path_model is None
        ),
    }
    absent = tuple(words for words, is_absent in lines.items() if is_absent)
    return Note(_("What this survey does not tell"), absent) if absent else Nothing()


def method_note(heard: Heard) -> Note:
    """Say how the figures of the chapter are made."""
    weights = heard.latest.weights.to_numpy()
    worth = _(
        "Weights: the {n} respondents of the latest wave are worth {effective} of equal weight (Kish).",
        n=count(len(weights)),
        effective=count(effective_n(weights)),
    )
    return Note(_("How it is worked out"), (*(_(line) for line in _METHOD), worth))


def _waves_words(heard: Heard) -> str:
    waves = heard.survey.waves
    sizes = [f"{wave_words(wave)} {count(len(heard.survey.wave(wave)))}" for wave in waves]
    words = plural(
        "{n} wave. Respondents: {sizes}.", "{n} waves. Respondents: {sizes}.", len(waves), sizes=", ".join(sizes)
    )
    if heard.person is None:
        return words
    known = float(heard.survey.frame[heard.person].notna().mean())
    return words + " " + _("Of {share} it is known which customer they are.", share=percent(known))
