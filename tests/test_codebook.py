"""[survey] of crm.toml: what questions are, contradictions named at once, columns recognised by their names."""

import pytest
from pydantic import ValidationError

from crm_analysis.codebook import Codebook, read_codebook
from crm_analysis.errors import SettingsError
from crm_analysis.settings import load_settings

CONTRADICTIONS = {
    "overall_satisfaction": "q1",
    "scale": [10, 1],
    "not_applicable": ["98", 97],
    "missing": [98.0],
    "drivers": {"product": ["q1", "q2"], "service": ["q2"]},
    "gaps": {"price": {"expectation": "e1", "perception": "e1"}},
    "segments": ["q2", "region", "region"],
    "margins": {"region": {"North": 0.3, "South": 0.3}},
    "items": {"q2": {"scale": [1, 1]}},
    "path_model": {"constructs": {"a": ["x"], "b": ["y"]}, "paths": {"a": ["b", "c"], "b": ["a"]}},
}


def refused(codebook):
    with pytest.raises(SettingsError) as error:
        read_codebook(codebook)
    return str(error.value)


@pytest.mark.parametrize(
    "line",
    [
        "scale: give the lowest and the highest mark",
        "missing: a code means not applicable or a missing answer, not both (given: ['98'])",
        "drivers.product: overall_satisfaction cannot be a driver",
        "drivers.service: the driver is in the group product already",
        "gaps.price: a question belongs to one pair",
        "segments: 'region' is named twice",
        "segments: a question with marks or Kano answers is no segment (given: 'q2')",
        "margins.region: the shares of all levels must add up to 1 (given: 0.6)",
        "items.q2.scale: give the lowest",
        "path_model.paths.a: there is no such construct; there are a and b (given: 'c')",
        "path_model.paths: paths lead in a circle; leave one of them out (given: ['a', 'b'])",
    ],
)
def test_every_contradiction_is_named_with_its_key_at_once(line):
    assert line in refused(CONTRADICTIONS)


@pytest.mark.parametrize(
    ("codebook", "line"),
    [
        ({"overal_satisfaction": "q1"}, "overal_satisfaction: unknown key"),
        ({"kano_answers": {"1": "love"}}, "kano_answers.1"),
        ({"impossible": "ignore"}, "impossible"),
        ({"overall_satisfaction": "q1", "recommend": "q1"}, "'q1' is two ratings of the whole"),
        ({"overall_satisfaction": "wave"}, "wave is a column of the door"),
        ({"drivers": {"product": []}}, "drivers.product: name the drivers of the group"),
        ({"kano": {"a": {"functional": "q1", "dysfunctional": "q2"}}, "index": ["q1"]}, "marks on a scale are no Kano"),
        ({"path_model": {"constructs": {"a": ["x"], "b": ["x"]}, "paths": {}}}, "an item measures one construct"),
        ({"path_model": {"constructs": {"a": ["x"]}, "paths": {}, "modes": {"b": "A"}}}, "path_model.modes.b"),
    ],
)
def test_what_cannot_be_meant_is_refused(codebook, line):
    assert line in refused(codebook)


def test_a_codebook_is_no_list():
    with pytest.raises(SettingsError, match="give a Codebook, or a dict"):
        read_codebook(["q1"])


def test_a_rating_of_the_whole_may_be_an_item_of_the_index():
    codebook = Codebook(overall_satisfaction="q1", index=("q1", "q2"))
    assert codebook.rating_roles["q1"] == ("overall satisfaction", "item of the index")


def test_a_codebook_does_not_change():
    with pytest.raises(ValidationError, match="frozen"):
        Codebook().scale = (1, 5)


def test_recommendation_and_effort_have_scales_of_their_own_unless_the_items_say_otherwise():
    codebook = Codebook(
        scale=(1, 5), overall_satisfaction="q1", recommend="q2", effort="q3", items={"q3": {"scale": (1, 5)}}
    )
    assert [codebook.scale_of(name) for name in ("q1", "q2", "q3")] == [(1, 5), (0, 10), (1, 5)]


COLUMNS = (
    "overall_satisfaction", "recommend", "driver_product_quality", "driver_product_range", "driver_image_trust",
    "expectation_price", "perception_price", "expectation_alone", "kano_gifts_functional", "kano_gifts_dysfunctional",
)  # fmt: skip


def test_columns_of_the_names_of_the_dictionary_are_recognised():
    codebook = Codebook().completed(COLUMNS)
    assert codebook.outcomes == {"overall_satisfaction": "overall_satisfaction", "recommend": "recommend"}
    assert codebook.drivers == {
        "product": ("driver_product_quality", "driver_product_range"),
        "image": ("driver_image_trust",),
    }
    assert codebook.gaps["price"].perception == "perception_price"
    assert codebook.kano["gifts"].dysfunctional == "kano_gifts_dysfunctional"
    assert "expectation_alone" not in codebook.questions


def test_what_the_codebook_names_stands_before_what_is_recognised():
    own = Codebook(overall_satisfaction="driver_image_trust", drivers={"all": ("recommend",)})
    found = own.completed(COLUMNS)
    assert (found.overall_satisfaction, found.recommend) == ("driver_image_trust", None)
    assert found.drivers == own.drivers


def test_what_is_recognised_never_contradicts_the_codebook():
    own = Codebook(overall_satisfaction="recommend", segments=("driver_image_trust",), index=("kano_gifts_functional",))
    found = own.completed(COLUMNS)
    assert Codebook(**dict(found)) == found
    assert "driver_image_trust" not in found.driver_columns


def test_labels_of_a_file_do_not_take_the_place_of_those_in_the_codebook():
    codebook = Codebook(index=("q1", "q2"), items={"q1": {"label": "Own"}})
    told = codebook.with_labels({"q1": "Question 1", "q2": "Question 2"})
    assert [told.label_of(name) for name in ("q1", "q2")] == ["Own", "Question 2"]


def test_the_codebook_is_read_from_the_settings(tmp_path):
    text = """
[sources.survey]
path = "answers.sav"
wave = "2024-06"
numbered = true
[survey]
scale = [1, 5]
overall_satisfaction = "q1"
not_applicable = ["n/a", 98]
[survey.drivers]
product = ["q2", "q3"]
[survey.gaps.quality]
expectation = "e1"
perception = "p1"
[survey.kano_answers]
1 = "like"
[survey.items.q2]
reversed = true
[survey.path_model.constructs]
image = ["i1"]
satisfaction = ["q1"]
[survey.path_model.paths]
satisfaction = ["image"]
[survey.margins.region]
North = 0.3
South = 0.7
"""
    (tmp_path / "crm.toml").write_text(text)
    codebook = load_settings(tmp_path / "crm.toml").survey
    assert codebook.not_applicable == ("n/a", 98)
    assert codebook.questions == ("q1", "q2", "q3", "e1", "p1", "i1", "region")


def test_problems_of_the_codebook_stand_among_those_of_the_settings(tmp_path):
    text = '[money]\nmargin = 2.0\n[survey]\noverall_satisfaction = "q1"\n[survey.drivers]\nproduct = ["q1"]\n'
    (tmp_path / "crm.toml").write_text(text)
    with pytest.raises(SettingsError) as error:
        load_settings(tmp_path / "crm.toml")
    for line in ("2 problem(s)", "money.margin", "survey.drivers.product: overall_satisfaction cannot be a driver"):
        assert line in str(error.value)
