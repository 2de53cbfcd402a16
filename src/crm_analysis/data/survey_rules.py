"""What is used of a survey but worth knowing: how people filled it in, how its questions work, how small waves are."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.codebook import Codebook
from crm_analysis.data.side_rules import Note, note
from crm_analysis.messages import N_
from crm_analysis.periods import Month

# Why an answer is missing in the frame, where the source tells; other kinds, such as "don't know", in their own words.
NOT_APPLICABLE, IMPOSSIBLE = "not applicable", "off the scale"
# Under so many respondents figures of a wave are flagged, and models are.
SMALL_BASE, SMALL_SAMPLE = 30, 100
# One mark on so many ratings is no opinion of each.
STRAIGHT = 5
_MONTH, _DAY = r"[1-9]\d{3}-(0[1-9]|1[0-2])", r"\d{4}-\d{2}-\d{2}"


@dataclass(frozen=True, eq=False)
class CheckedAnswers:
    """All rows of a survey, typed and checked, before any is left out: the workings, for the door itself.

    Attributes
    ----------
    frame : DataFrame
        As that of `Survey`, with all rows.
    reasons : DataFrame of text, same index
        A column for each rating: why an answer is missing, where the source tells.
    contradicted : DataFrame of bool, same index
        Ratings that were listed as not applicable and answered all the same.
    weights : Series of float, same index
        As delivered.
    is_straight : Series of bool, same index
        Whether one mark was given to everything.
    codebook : Codebook
        With all that was recognised.
    source : str
        Name of the source, for people.
    left_out : tuple of str
        Columns of the source that are no question of the codebook.
    """

    frame: pd.DataFrame
    reasons: pd.DataFrame
    contradicted: pd.DataFrame
    weights: pd.Series
    is_straight: "pd.Series[bool]"
    codebook: Codebook
    source: str
    left_out: tuple[str, ...]


def last_days(waves: pd.Series) -> pd.Series:
    """Return the day by which each wave is over: of a month its last; missing where a wave is neither month nor day."""
    is_month, is_day = waves.str.fullmatch(_MONTH), waves.str.fullmatch(_DAY)
    ends = {name: pd.Timestamp(Month.parse(name).last_day) for name in waves[is_month].unique()}
    days = pd.to_datetime(waves.where(is_day), format="%Y-%m-%d", errors="coerce")
    return days.fillna(waves.map(ends).astype("datetime64[us]")).astype("datetime64[us]")


def straight_liners(marks: pd.DataFrame, codebook: Codebook) -> "pd.Series[bool]":
    """Return who gave one mark to all ratings of one scale, at least five, as delivered.

    Of several scales, that of most ratings is looked at: marks of different scales do not compare.
    """
    by_scale: dict[tuple[float, float], list[str]] = {}
    for column in marks.columns:
        by_scale.setdefault(codebook.scale_of(column), []).append(column)
    same = marks[max(by_scale.values(), key=len, default=[])]
    if same.shape[1] < STRAIGHT:
        return pd.Series(False, index=marks.index)
    return (same.max(axis=1) == same.min(axis=1)) & (same.notna().sum(axis=1) >= STRAIGHT)


def survey_notes(checked: CheckedAnswers, used: pd.Series, *, is_cut: bool) -> Iterator[Note]:
    """Yield what is worth knowing of the rows that are used; `used` is a mask over all."""
    frame, book = checked.frame[used], checked.codebook
    reasons, answers = checked.reasons[used], checked.frame.loc[used, list(book.ratings)]
    meaning = N_("columns of the source left out, because the codebook does not name them")
    yield note("column_left_out", meaning, checked.left_out)
    meaning = N_("items turned, so that a high mark is a good one")
    yield note("turned", meaning, book.reversed_items, name_all=True)
    if book.margins:
        meaning = N_("margins given for raking; weights are as delivered until they are raked")
        yield note("margins_not_applied", meaning, list(book.margins))
    yield from _notes_on_answers(reasons, checked.contradicted[used])
    yield from _notes_on_respondents(frame, answers, checked.is_straight[used], book)
    yield from _notes_on_items(frame, answers, book)
    yield from _notes_on_waves(frame, checked.weights[used], is_cut=is_cut)


def _notes_on_answers(reasons: pd.DataFrame, contradicted: pd.DataFrame) -> Iterator[Note]:
    off = (reasons == IMPOSSIBLE).sum()
    meaning = N_("marks off their scale, taken for missing answers")
    yield _counted("impossible_set_aside", meaning, off[off > 0])
    told = pd.Series(reasons.to_numpy().ravel(), dtype="object").value_counts()
    kinds = told.drop([NOT_APPLICABLE, IMPOSSIBLE], errors="ignore").sort_index()
    yield _counted("missing_of_a_kind", N_("answers that are missing for a reason told"), kinds)
    both = contradicted.sum()
    meaning = N_("answers given to what was listed as not applicable, kept")
    yield _counted("answered_though_not_applicable", meaning, both[both > 0])


def _counted(key: str, meaning: str, counts: pd.Series) -> Note:
    return Note(key, meaning, int(counts.sum()), ", ".join(f"{name}: {rows:,}" for name, rows in counts.items()))


def _notes_on_respondents(
    frame: pd.DataFrame, answers: pd.DataFrame, is_straight: "pd.Series[bool]", book: Codebook
) -> Iterator[Note]:
    if book.straight_liners == "keep":
        meaning = N_("respondents who gave one mark to every rating, kept")
        yield note("straight_liners", meaning, frame.index[is_straight].tolist())
    told = answers.notna().sum(axis=1) >= STRAIGHT
    copies = pd.concat([frame["wave"], answers, frame[list(book.kano_columns)]], axis=1).duplicated() & told
    meaning = N_("respondents whose answers are all those of another one of the wave, kept")
    yield note("identical_answers", meaning, frame.index[copies].tolist())
    silent = answers.isna().all(axis=1) if answers.shape[1] else pd.Series(False, index=frame.index)
    yield note("no_ratings", N_("respondents who rated nothing"), frame.index[silent].tolist())
    if "customer_id" in frame:
        unknown = frame.index[frame["customer_id"].isna()].tolist()
        yield note("unknown_customer", N_("respondents whose customer id is not known"), unknown)
        again = frame["customer_id"].notna() & frame.duplicated(["wave", "customer_id"])
        meaning = N_("customers who answered once more in the same wave, kept")
        yield note("customer_again", meaning, frame.index[again].tolist())


def _notes_on_items(frame: pd.DataFrame, answers: pd.DataFrame, book: Codebook) -> Iterator[Note]:
    def those(is_so: Callable[[pd.Series, float, float], bool]) -> list[str]:
        return [name for name in book.ratings if is_so(answers[name].dropna(), *book.scale_of(name))]

    def is_constant(marks: pd.Series, _low: float, _high: float) -> bool:
        return len(marks) > 1 and bool(marks.min() == marks.max())

    for key, meaning, which in (
        (
            "mostly_lowest",
            N_("items with more than half of the answers at the bottom of the scale"),
            those(lambda marks, low, _: bool((marks == low).mean() > 0.5)),
        ),
        (
            "mostly_highest",
            N_("items with more than half of the answers at the top of the scale"),
            those(lambda marks, _, high: bool((marks == high).mean() > 0.5)),
        ),
        (
            "answered_by_few",
            N_("items answered by less than half of the respondents"),
            those(lambda marks, _low, _high: 2 * len(marks) < len(frame)),
        ),
        ("constant_items", N_("items to which everybody gave the same mark"), those(is_constant)),
        (
            "runs_against_the_whole",
            N_("items that run against overall satisfaction; what was asked the other way round wants reversed = true"),
            [name for name in book.ratings if _runs_against(answers, name, book)],
        ),
    ):
        yield note(key, meaning, which, name_all=True)


def _runs_against(answers: pd.DataFrame, name: str, book: Codebook) -> bool:
    """Whether an item falls where overall satisfaction rises, by more than chance; what one expects may well do so."""
    overall = book.overall_satisfaction
    if overall is None or name == overall or name in {gap.expectation for gap in book.gaps.values()}:
        return False
    both = answers[[overall, name]].dropna()
    if len(both) < SMALL_BASE or (both.nunique() < 2).any():
        return False
    correlation = np.corrcoef(both.to_numpy().T)[0, 1]
    return bool(correlation < -2 / np.sqrt(len(both)))


def _notes_on_waves(frame: pd.DataFrame, weights: pd.Series, *, is_cut: bool) -> Iterator[Note]:
    sizes = frame["wave"].value_counts().sort_index()
    tiny, small = sizes < SMALL_BASE, (sizes >= SMALL_BASE) & (sizes < SMALL_SAMPLE)
    meaning = N_("waves with fewer than 30 respondents: figures are flagged")
    yield note("tiny_waves", meaning, sizes.index[tiny].tolist(), name_all=True)
    meaning = N_("waves with 30 to 99 respondents: few for a model of drivers")
    yield note("small_waves", meaning, sizes.index[small].tolist(), name_all=True)
    means = weights.groupby(frame["wave"].to_numpy()).mean()
    scaled = means.index[(means - 1).abs() > 1e-3].tolist()
    yield note("weights_scaled", N_("waves whose weights were scaled to a mean of 1"), scaled, name_all=True)
    if is_cut:
        dated = last_days(frame["wave"]).notna()
        unknown = sorted(frame.loc[~dated, "wave"].unique())
        meaning = N_("waves whose names are neither a month nor a day: the as-of date does not cut them")
        yield note("wave_not_dated", meaning, unknown, name_all=True)
