"""What customers write: themes of their comments, which ratings go with each, and which come up more often."""

import warnings

import pandas as pd

from crm_analysis.errors import EstimationWarning
from crm_analysis.messages import _, count, plural
from crm_analysis.report.figures.themes import theme_dots
from crm_analysis.report.pieces import Figure, Note, Nothing
from crm_analysis.report.stories.heard import SATISFIED, Heard, mark_at
from crm_analysis.report.tables import Column, Table
from crm_analysis.voice.comment_tables import LOWER, NO_CHANGE, TOO_FEW
from crm_analysis.voice.comments import CommentThemes, comment_themes

# Of each language.
_THEMES_SHOWN = 8


def find_comment_themes(heard: Heard) -> CommentThemes | None:
    """Find what the comments of all waves are about; None where none were written."""
    frame = heard.survey.frame
    if "comment" not in frame or not frame["comment"].notna().any():
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # the notes say it on the page
        found = comment_themes(
            frame["comment"], weights=heard.survey.weights, seed=heard.chapter.settings.forecast.seed
        )
    heard.chapter.write("themes", found.themes.drop(columns=["words", "examples"]))
    return found


def themes_figure(heard: Heard, found: CommentThemes | None) -> Figure | Note:
    """Draw what comments are about, and the mean satisfaction that goes with each theme."""
    if found is None:
        return Note(_("No comments"), (_("Name the column of comments under [sources.survey.columns]."),))
    table = _with_ratings(heard, found)
    own = table[~table["is_other"]].groupby("language", sort=False).head(_THEMES_SHOWN)
    if not len(own):
        return Note(_("No themes in the comments"), found.notes or (_("The comments share too few words."),))
    worse = own[own["is_lower"]].sort_values("difference")
    lowest = worse["label"].iloc[0] if len(worse) else ""
    first = _quoted(own["label"].iloc[0])
    finding = (
        _("Comments are most often about {first}, and satisfaction is lower there than elsewhere", first=first)
        if first == _quoted(lowest)
        else _(
            "Comments are most often about {first}; where they are about {low}, satisfaction is lower than elsewhere",
            first=first,
            low=_quoted(lowest),
        )
        if lowest
        else _("Comments are most often about {first}", first=first)
    )
    return Figure(
        name="themes",
        number=0,
        finding=finding,
        what=_(
            "Themes of {n} comments of all waves, named by their most telling words: share of the comments in the same "
            "language with its 95% interval, and the mean satisfaction of who wrote them.",
            n=count(int(found.assignments["theme"].notna().sum())),
        ),
        drawing=theme_dots(
            own.assign(satisfaction=own["mean"], words=[one[0] for one in own["examples"]]),
            name="themes",
            label=finding,
        ),
        note=" ".join(
            [
                _(
                    "Themes are words that are written together, found on this machine without a dictionary or a "
                    "model from elsewhere; each comment belongs to one at most. Names are theirs, not ours."
                ),
                *found.notes,
            ]
        ),
    )


def themes_table(heard: Heard, found: CommentThemes | None) -> Table | Nothing:
    """List the themes with comments of each, and whether each comes up more or less often."""
    if found is None:
        return Nothing()
    table = _with_ratings(heard, found)
    own = table[~table["is_other"]].copy()
    if not len(own):
        return Nothing()
    by_grade = _by_grade(heard, found)
    for column in ("of_satisfied", "of_others", "grades"):
        own[column] = by_grade[column].reindex(own.index) if column in by_grade else float("nan")
    own["verdict"] = _trends(heard, found).reindex(own.index).fillna("")
    own["examples_words"] = [
        f"{', '.join(words)}\n{' · '.join(examples)}"
        for words, examples in zip(own["words"], own["examples"], strict=True)
    ]
    moved = [str(name) for name, verdict in own["verdict"].items() if verdict not in ("", _(NO_CHANGE), _(TOO_FEW))]
    finding = (
        plural(
            "{n} theme comes up more or less often from wave to wave",
            "{n} themes come up more or less often from wave to wave",
            len(moved),
        )
        if moved
        else _("No theme comes up more or less often from wave to wave")
        if heard.before is not None
        else _("What comments say, theme by theme")
    )
    return Table(
        name="comments",
        number=0,
        finding=finding,
        what=_("Telling words and three comments of each theme; long numbers and addresses are masked."),
        frame=own,
        columns=(
            Column("examples_words", _("Theme"), kind="text", sortable=False),
            Column("n", _("Comments"), kind="count"),
            Column("share", _("Share"), "%", kind="percent", digits=1),
            Column("mean", _("Satisfaction"), digits=2),
            Column("of_satisfied", _("Of the satisfied"), "%", kind="percent", digits=1),
            Column("of_others", _("Of the others"), "%", kind="percent", digits=1),
            Column("grades", _("Between the two"), kind="text"),
            Column("verdict", _("Over the waves"), kind="text"),
        ),
        downloads=heard.chapter.download("themes", own[["language", "n", "base", "share", "lower", "upper", "mean"]]),
        long=True,
    )


def _with_ratings(heard: Heard, found: CommentThemes) -> pd.DataFrame:
    """Return the themes with the satisfaction that goes with them, missing where it was not asked for."""
    table = found.themes.copy()
    outcome = heard.codebook.overall_satisfaction
    rated = None if outcome is None else found.ratings(heard.survey.frame[outcome])
    for column in ("mean", "difference"):
        table[column] = float("nan") if rated is None else rated[column].reindex(table.index)
    table["is_lower"] = False if rated is None else rated["verdict"].reindex(table.index) == LOWER
    table.insert(0, "label", [_("other") if other else str(name) for name, other in table["is_other"].items()])
    return table


def _by_grade(heard: Heard, found: CommentThemes) -> pd.DataFrame:
    """Return the share of each theme in comments of the satisfied and of the others, and whether the two differ."""
    outcome = heard.codebook.overall_satisfaction
    if outcome is None:
        return pd.DataFrame()
    marks = heard.survey.frame[outcome]
    is_satisfied = marks >= mark_at(heard.codebook.scale_of(outcome), SATISFIED)
    grade = is_satisfied.map({True: "of_satisfied", False: "of_others"}).where(marks.notna())
    if grade.nunique() < 2:
        return pd.DataFrame()
    table = found.by(grade)
    shares = table["share"].unstack()
    return shares.assign(grades=table["verdict"].groupby(level=0).first().map(_))


def _trends(heard: Heard, found: CommentThemes) -> pd.Series:
    """Say of each theme whether its share rises or falls over the waves."""
    if heard.before is None:
        return pd.Series(dtype=object)
    by_wave = found.by(heard.survey.frame["wave"], test="trend")
    return by_wave["verdict"].groupby(level=0).first().map(_)


def _quoted(name: object) -> str:
    return f"“{name!s}”"
