"""SPSS files: labels, and answers marked as missing, told apart from those that do not apply."""

import numpy as np
import pandas as pd
import pyreadstat
import pytest

from crm_analysis.data.spss import says_not_applicable
from crm_analysis.data.survey_door import read_survey
from crm_analysis.errors import DataError

ANSWERS = pd.DataFrame(
    {
        "id": [1.0, 2, 3, 4, 5],
        "wave": [1.0, 1, 2, 2, 2],
        "q1": [1.0, 10, 98, 99, np.nan],
        "q2": [5.0, 95, 97, 3, 4],
        "region": [1.0, 2, 9, 2, 3],
        "said": ["good", "", "很好", "so so", "bad"],
    }
)
LABELS = {
    "wave": {1: "2023-12", 2: "2024-06"},
    "q1": {1: "very dissatisfied", 10: "very satisfied", 98: "Not applicable", 99: "Don't know"},
    "q2": {97: "不适用"},
    "region": {1: "North", 2: "South", 9: "No answer"},
}
CODEBOOK = {"overall_satisfaction": "q1", "drivers": {"service": ["q2"]}, "segments": ["region"]}
COLUMNS = {"respondent_id": "id", "comment": "said"}


@pytest.fixture(params=["answers.sav", "answers.zsav"])
def file(request, tmp_path):
    path = tmp_path / request.param
    pyreadstat.write_sav(
        ANSWERS,
        str(path),
        compress=path.suffix == ".zsav",
        column_labels={"q1": "How satisfied are you?"},
        variable_value_labels=LABELS,
        missing_ranges={"q1": [98, 99], "q2": [{"lo": 95, "hi": 99}], "region": [9]},
    )
    return path


def test_codes_whose_label_says_so_are_not_applicable_and_no_missing_answer(file):
    survey = read_survey(file, codebook=CODEBOOK, columns=COLUMNS)
    assert survey.not_applicable["q1"].tolist() == [False, False, True, False, False]
    assert survey.not_applicable["q2"].tolist() == [False, False, True, False, False]
    assert survey.items.loc["q1", ["answered", "missing", "not_applicable"]].tolist() == [2, 2, 1]


def test_other_marks_for_missing_keep_the_name_of_their_kind(file):
    notes = read_survey(file, codebook=CODEBOOK, columns=COLUMNS).notes.set_index("note")
    assert notes.loc["missing_of_a_kind", ["rows", "which"]].tolist() == [2, "95: 1, Don't know: 1"]


def test_labelled_marks_stay_numbers(file):
    marks = read_survey(file, codebook=CODEBOOK, columns=COLUMNS).frame["q1"]
    np.testing.assert_array_equal(marks, [1, 10, np.nan, np.nan, np.nan])


def test_the_label_of_a_variable_is_that_of_the_item(file):
    assert read_survey(file, codebook=CODEBOOK, columns=COLUMNS).items["label"].tolist() == [
        "How satisfied are you?",
        "q2",
    ]


def test_waves_and_segments_are_told_by_their_labels(file):
    frame = read_survey(file, codebook=CODEBOOK, columns=COLUMNS).frame
    assert frame.index.tolist() == ["1", "2", "3", "4", "5"]
    assert frame["wave"].unique().tolist() == ["2023-12", "2024-06"]
    assert frame["region"].fillna("none").tolist() == ["North", "South", "none", "South", "3"]
    assert frame["comment"].fillna("none").tolist() == ["good", "none", "很好", "so so", "bad"]


def test_the_codebook_stands_before_the_file(file):
    codebook = {**CODEBOOK, "not_applicable": [99], "items": {"q1": {"label": "Overall", "missing": [98]}}}
    survey = read_survey(file, codebook=codebook, columns=COLUMNS)
    assert survey.not_applicable["q1"].tolist() == [False, False, False, True, False]
    assert survey.items.loc["q1", "label"] == "Overall"


def test_kano_answers_may_be_told_by_labels(tmp_path):
    words = {1: "Like", 2: "Must be", 3: "Neutral", 4: "Live with", 5: "Dislike"}
    frame = pd.DataFrame({"kano_gift_functional": [1.0, 3], "kano_gift_dysfunctional": [5.0, 2]})
    labels = dict.fromkeys(frame.columns, words)
    pyreadstat.write_sav(frame, str(tmp_path / "kano.sav"), variable_value_labels=labels)
    survey = read_survey(tmp_path / "kano.sav", wave="1", numbered=True)
    assert survey.frame["kano_gift_functional"].tolist() == ["like", "neutral"]
    assert survey.frame["kano_gift_dysfunctional"].tolist() == ["dislike", "must-be"]


def test_a_customer_id_that_is_marked_as_missing_is_none(tmp_path):
    frame = pd.DataFrame({"respondent_id": [1.0, 2], "customer_id": [17.0, 999], "recommend": [9.0, 10]})
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"), missing_ranges={"customer_id": [999]})
    found = read_survey(tmp_path / "a.sav", wave="1").frame["customer_id"]
    assert (found.iloc[0], found.isna().tolist()) == ("17", [False, True])


@pytest.mark.parametrize(
    ("label", "answer"),
    [
        ("Not applicable", True), ("(N/A)", True), ("n.a.", True), ("Does not apply to me", True), ("不适用", True),
        ("Does not apply at all", False), ("doesn't apply fully", False), ("Does not apply (5)", True),
        ("Don't know", False), ("National", False), ("Natural", False), ("", False),
    ],
)  # fmt: skip
def test_a_label_says_whether_it_means_not_applicable(label, answer):
    assert says_not_applicable(label) is answer


def test_a_file_that_is_none_is_refused(tmp_path):
    (tmp_path / "broken.sav").write_text("not SPSS")
    with pytest.raises(DataError, match=r"broken\.sav: cannot be read"):
        read_survey(tmp_path / "broken.sav")
    with pytest.raises(DataError, match="there is no such file"):
        read_survey(tmp_path / "absent.sav")
