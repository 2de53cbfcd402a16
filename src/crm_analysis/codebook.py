"""The codebook of a survey, `[survey]` in crm.toml: what each question is, and on what scale it was answered.

What it does not name is recognised where a column has the name that the data dictionary gives it.
"""

import math
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from crm_analysis.codebook_parts import (
    Code,
    Columns,
    Gap,
    Item,
    KanoAnswer,
    KanoPair,
    Part,
    PathModel,
    Problem,
    Scale,
    code_text,
    named_drivers,
    named_pairs,
    problems_of_paths,
    repeated,
)
from crm_analysis.errors import SettingsError, problem_lines

OUTCOMES = ("overall_satisfaction", "repurchase_intention", "recommend", "effort")
# What the door itself calls columns of the frame that it makes; no question can have such a name.
DOOR_NAMES = ("respondent_id", "wave", "customer_id", "weight", "comment", "not_applicable")
_RECOMMEND_SCALE, _EFFORT_SCALE = (0.0, 10.0), (1.0, 7.0)


def _as_text(word: Any) -> Any:
    return word.strip().lower() if isinstance(word, str) else word


def _as_code(code: Any) -> Any:
    # A key of crm.toml is always text; in Python a code may well be a number.
    return code_text(code) if isinstance(code, int | float) and not isinstance(code, bool) else code


class Codebook(Part):
    """What the questions of a survey are. Columns are called as in the source.

    Attributes
    ----------
    scale : (float, float)
        Lowest and highest mark of every rating that has no scale of its own; `recommend` is from 0 to 10 and `effort`
        from 1 to 7 unless `items` say otherwise.
    not_applicable : tuple of numbers and words
        Codes for "this does not apply to me", which is known and is no missing answer.
    missing : tuple of numbers and words
        Codes for no answer, such as "don't know"; a blank is one always.
    overall_satisfaction, repurchase_intention, recommend, effort : str or None
        The ratings of the whole.
    index : tuple of str
        Items of the satisfaction index.
    drivers : dict of group to columns
        What is rated in particular.
    gaps : dict of attribute to Gap
    kano : dict of feature to KanoPair
    kano_answers : dict
        From codes in the source to the words like, must-be, neutral, live-with and dislike; the words themselves are
        read always.
    segments : tuple of str
        What respondents are told apart by; text.
    items : dict of column to Item
        What is particular to a question.
    path_model : PathModel or None
    margins : dict of column to dict of level to share
        The true shares of segments, to which weights are raked, wave by wave. The door does not rake.
    trim : float or None
        No weight above so many times the median of its wave.
    paired_by : {"customer_id", "respondent_id", "nobody"}
        What tells that two respondents of different waves are the same person.
    impossible : {"refuse", "set_aside"}
        What is done with marks off their scale: the table is refused, or such an answer is missing, and counted.
    straight_liners : {"keep", "set_aside"}
        What is done with who gives one mark to every rating.
    """

    scale: Scale = (1.0, 10.0)
    not_applicable: tuple[Code, ...] = ()
    missing: tuple[Code, ...] = ()
    overall_satisfaction: str | None = None
    repurchase_intention: str | None = None
    recommend: str | None = None
    effort: str | None = None
    index: Columns = ()
    drivers: dict[str, Columns] = Field(default_factory=dict)
    gaps: dict[str, Gap] = Field(default_factory=dict)
    kano: dict[str, KanoPair] = Field(default_factory=dict)
    kano_answers: dict[Annotated[str, BeforeValidator(_as_code)], Annotated[KanoAnswer, BeforeValidator(_as_text)]] = (
        Field(default_factory=dict)
    )
    segments: Columns = ()
    items: dict[str, Item] = Field(default_factory=dict)
    path_model: PathModel | None = None
    margins: dict[str, dict[str, Annotated[float, Field(gt=0, le=1)]]] = Field(default_factory=dict)
    trim: Annotated[float, Field(ge=1)] | None = None
    paired_by: Literal["customer_id", "respondent_id", "nobody"] = "customer_id"
    impossible: Literal["refuse", "set_aside"] = "refuse"
    straight_liners: Literal["keep", "set_aside"] = "keep"

    @model_validator(mode="after")
    def _holds_together(self) -> "Codebook":
        found = [
            InitErrorDetails(type=PydanticCustomError("codebook", "{words}", {"words": words}), loc=key, input=given)
            for key, words, given in _problems(self)
        ]
        if found:
            raise ValidationError.from_exception_data("Codebook", found)
        return self

    @property
    def outcomes(self) -> dict[str, str]:
        """The columns of the ratings of the whole, by what they are."""
        named = {role: getattr(self, role) for role in OUTCOMES}
        return {role: column for role, column in named.items() if column is not None}

    @property
    def rating_roles(self) -> dict[str, tuple[str, ...]]:
        """Every column with marks on a scale, and what it is, such as "driver of service"."""
        found: dict[str, list[str]] = {}
        for column, role in _rating_roles(self):
            found.setdefault(column, []).append(role)
        return {column: tuple(dict.fromkeys(roles)) for column, roles in found.items()}

    @property
    def ratings(self) -> Columns:
        """Every column with marks on a scale."""
        return tuple(self.rating_roles)

    @property
    def driver_columns(self) -> Columns:
        """The drivers of all groups."""
        return tuple(column for columns in self.drivers.values() for column in columns)

    @property
    def kano_columns(self) -> Columns:
        """The questions of all Kano pairs."""
        return tuple(column for pair in self.kano.values() for column in (pair.functional, pair.dysfunctional))

    @property
    def reversed_items(self) -> Columns:
        """The ratings of which a high mark is a bad one."""
        return tuple(name for name in self.ratings if name in self.items and self.items[name].reversed)

    @property
    def questions(self) -> Columns:
        """Every column that has a role."""
        return tuple(dict.fromkeys([*self.ratings, *self.kano_columns, *self.segment_columns]))

    @property
    def segment_columns(self) -> Columns:
        """The segments, and what margins are given of."""
        return tuple(dict.fromkeys([*self.segments, *self.margins]))

    def scale_of(self, column: str) -> Scale:
        """Return the lowest and the highest mark of a rating."""
        own = self.items.get(column, Item()).scale
        if own is not None:
            return own
        return {self.recommend: _RECOMMEND_SCALE, self.effort: _EFFORT_SCALE}.get(column, self.scale)

    def label_of(self, column: str) -> str:
        """Return the words for a question: its label, else the name of its column."""
        return self.items.get(column, Item()).label or column

    def with_labels(self, labels: Mapping[str, str]) -> "Codebook":
        """Return the codebook with labels for questions that have none."""
        new = {name: self.items.get(name, Item()) for name in labels}
        told = {name: item.model_copy(update={"label": item.label or labels[name]}) for name, item in new.items()}
        return self.model_copy(update={"items": {**self.items, **told}})

    def completed(self, columns: Collection[str]) -> "Codebook":
        """Return the codebook with the roles that it leaves open filled by columns of the dictionary's own names.

        These are overall_satisfaction, repurchase_intention, recommend and effort; driver_<group>_<name>; pairs of
        expectation_<attribute> and perception_<attribute>, and of kano_<feature>_functional and _dysfunctional.
        """
        no_mark = {*self.segment_columns, *self.kano_columns}
        marks = [name for name in columns if name not in no_mark]
        free = [name for name in marks if name not in {*self.driver_columns, *self.outcomes.values()}]
        found: dict[str, Any] = {role: role for role in OUTCOMES if getattr(self, role) is None and role in free}
        if not self.drivers:
            found["drivers"] = named_drivers(name for name in free if name not in found)
        if not self.gaps:
            pairs = named_pairs(marks, "expectation_", "perception_", "")
            found["gaps"] = {name: Gap(expectation=one, perception=other) for name, one, other in pairs}
        if not self.kano:
            words = [name for name in columns if name not in {*self.segment_columns, *self.ratings}]
            pairs = named_pairs(words, "kano_", "kano_", "_functional", "_dysfunctional")
            found["kano"] = {name: KanoPair(functional=one, dysfunctional=other) for name, one, other in pairs}
        return self.model_copy(update=found)


def read_codebook(given: "Codebook | Mapping[str, Any] | None") -> Codebook:
    """Return a codebook from what `[survey]` of crm.toml would hold.

    Raises
    ------
    SettingsError
        When it breaks rules: every broken rule is named with its key.
    """
    if isinstance(given, Codebook):
        return given
    if given is not None and not isinstance(given, Mapping):
        raise SettingsError(f"codebook is a {type(given).__name__}; give a Codebook, or a dict with its keys.")
    try:
        return Codebook(**(given or {}))
    except ValidationError as error:
        lines = [f"codebook: {error.error_count()} problem(s).", *problem_lines(error.errors())]
        raise SettingsError("\n".join(lines)) from None


def _rating_roles(codebook: Codebook) -> Iterator[tuple[str, str]]:
    for role, column in codebook.outcomes.items():
        yield column, role.replace("_", " ")
    yield from ((column, "item of the index") for column in codebook.index)
    for group, columns in codebook.drivers.items():
        yield from ((column, f"driver of {group}") for column in columns)
    for attribute, pair in codebook.gaps.items():
        yield pair.expectation, f"expectation of {attribute}"
        yield pair.perception, f"perception of {attribute}"
    if codebook.path_model is not None:
        for construct, columns in codebook.path_model.constructs.items():
            yield from ((column, f"item of {construct}") for column in columns)


# --- what contradicts itself --------------------------------------------------------------------------------------


def _problems(codebook: Codebook) -> Iterator[Problem]:
    yield from _problems_of_scales(codebook)
    yield from _problems_of_codes(codebook)
    yield from _problems_of_roles(codebook)
    yield from _problems_of_margins(codebook)
    if codebook.path_model is not None:
        yield from problems_of_paths(codebook.path_model)


def _problems_of_scales(codebook: Codebook) -> Iterator[Problem]:
    own: dict[tuple[str, ...], Scale]
    own = {("items", name, "scale"): item.scale for name, item in codebook.items.items() if item.scale is not None}
    own[("scale",)] = codebook.scale
    for key, (low, high) in own.items():
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            yield key, "give the lowest and the highest mark, such as [1, 10]", [low, high]


def _problems_of_codes(codebook: Codebook) -> Iterator[Problem]:
    yield from _both((), codebook.not_applicable, codebook.missing)
    for name, item in codebook.items.items():
        # What an item does not say is what the codebook says of all.
        if item.not_applicable is not None or item.missing is not None:
            not_applicable = codebook.not_applicable if item.not_applicable is None else item.not_applicable
            missing = codebook.missing if item.missing is None else item.missing
            yield from _both(("items", name), not_applicable, missing)


def _both(key: tuple[str, ...], not_applicable: tuple[Code, ...], missing: tuple[Code, ...]) -> Iterator[Problem]:
    shared = sorted({code_text(code) for code in not_applicable} & {code_text(code) for code in missing})
    if shared:
        yield (*key, "missing"), "a code means not applicable or a missing answer, not both", shared


def _problems_of_roles(codebook: Codebook) -> Iterator[Problem]:
    lists: dict[tuple[str, ...], Columns] = {("index",): codebook.index, ("segments",): codebook.segments}
    lists |= {("drivers", group): columns for group, columns in codebook.drivers.items()}
    for key, columns in lists.items():
        yield from ((key, f"{name!r} is named twice", list(columns)) for name in repeated(columns))
        if not columns and key[0] == "drivers":
            yield key, "name the drivers of the group, or leave it out", []
    outcome_of = {column: role for role, column in codebook.outcomes.items()}
    for name in repeated(codebook.outcomes.values()):
        yield (outcome_of[name],), f"{name!r} is two ratings of the whole; name one column for each", name
    group_of: dict[str, str] = {}
    for group, columns in codebook.drivers.items():
        for column in dict.fromkeys(columns):
            if column in outcome_of:
                yield ("drivers", group), f"{outcome_of[column]} cannot be a driver of itself or of its like", column
            if group_of.setdefault(column, group) != group:
                yield ("drivers", group), f"the driver is in the group {group_of[column]} already", column
    pairs = {("gaps", name): (gap.expectation, gap.perception) for name, gap in codebook.gaps.items()}
    kano = {("kano", name): (pair.functional, pair.dysfunctional) for name, pair in codebook.kano.items()}
    for of_one_kind in (pairs, kano):
        times = repeated(column for pair in of_one_kind.values() for column in pair)
        for key, pair in of_one_kind.items():
            again = [column for column in dict.fromkeys(pair) if column in times]
            yield from ((key, "a question belongs to one pair, in one place", column) for column in again)
    ratings = set(codebook.ratings)
    for name in codebook.segment_columns:
        if name in ratings or name in codebook.kano_columns:
            yield ("segments",), "a question with marks or Kano answers is no segment", name
    for name in codebook.kano_columns:
        if name in ratings:
            yield ("kano",), "marks on a scale are no Kano answers", name
    for name in codebook.questions:
        if name in DOOR_NAMES:
            yield (), f"{name} is a column of the door, named under [sources.survey.columns], and no question", name


def _problems_of_margins(codebook: Codebook) -> Iterator[Problem]:
    for column, shares in codebook.margins.items():
        total = math.fsum(shares.values())
        if not math.isclose(total, 1, abs_tol=0.01):
            yield ("margins", column), "the shares of all levels must add up to 1", total
