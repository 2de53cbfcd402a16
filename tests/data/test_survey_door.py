"""The door of surveys: marks told from codes, rules that refuse, notes on the rest, and the cut at a date."""

from pathlib import Path

import ibis
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.company.simulate import simulate_company
from crm_analysis.data.company_log import open_survey
from crm_analysis.data.survey_door import read_survey
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import EngineSettings, load_settings
from crm_analysis.voice.responses import take_responses

SHARED = Path(__file__).parents[3] / "shared" / "data"
CODEBOOK = {
    "overall_satisfaction": "q1",
    "drivers": {"service": ["q2", "q3"]},
    "segments": ["region"],
    "not_applicable": ["n/a", 98],
    "missing": [99, "?"],
}


def answers(**columns):
    frame = pd.DataFrame(
        {
            "respondent_id": ["a", "b", "c", "d"],
            "wave": ["2024-01", "2024-01", "2024-06", "2024-06"],
            "q1": [9, 8, 7, 2],
            "q2": ["10", "n/a", "?", "3"],
            "q3": [98, 99, None, 4],
            "region": ["North", "South", None, "North"],
        }
    )
    return frame.assign(**columns)


def read(frame=None, **given):
    codebook = CODEBOOK | given.pop("codebook", {})
    return read_survey(answers() if frame is None else frame, codebook=codebook, **given)


def refusal(frame=None, **given):
    with pytest.raises(DataError) as error:
        read(frame, **given)
    return str(error.value)


def noted(survey, key):
    rows, which = survey.notes.set_index("note").loc[key, ["rows", "which"]]
    return rows, which


@pytest.fixture(scope="module")
def simulated():
    return simulate_company(seed=7, customers=400, months=24)


@pytest.fixture(scope="module")
def simulated_survey(simulated):
    return read_survey(simulated.tables["survey"])


# ---- marks and codes ------------------------------------------------------------------------------------------------


def test_codes_are_no_marks():
    survey = read()
    np.testing.assert_array_equal(survey.frame["q2"], [10, np.nan, np.nan, 3])
    np.testing.assert_array_equal(survey.frame["q3"], [np.nan, np.nan, np.nan, 4])


def test_not_applicable_is_not_the_same_as_missing():
    survey = read()
    assert survey.not_applicable["q2"].tolist() == [False, True, False, False]
    assert survey.not_applicable["q3"].tolist() == [True, False, False, False]
    assert survey.items.loc["q3", ["answered", "missing", "not_applicable"]].tolist() == [1, 2, 1]


def test_codes_of_an_item_take_the_place_of_those_of_all():
    survey = read(codebook={"items": {"q3": {"not_applicable": [99], "missing": [98]}}})
    assert survey.not_applicable["q3"].tolist() == [False, True, False, False]


def test_codes_of_ratings_are_levels_of_a_segment_unless_the_segment_says_otherwise():
    frame = answers(region=[99, 98, 99, 1])
    assert read(frame).frame["region"].tolist() == ["99", "98", "99", "1"]
    own = read(frame, codebook={"items": {"region": {"missing": [99]}}})
    assert own.frame["region"].isna().tolist() == [True, False, True, False]


def test_reversed_items_are_turned_once_and_told():
    survey = read(codebook={"items": {"q2": {"reversed": True}}})
    np.testing.assert_array_equal(survey.frame["q2"], [1, np.nan, np.nan, 8])
    assert noted(survey, "turned") == (1, "q2")


def test_a_column_may_list_what_did_not_apply():
    frame = answers(not_applicable=["q2", None, " q2  q3", "q3"], q2=["10", "1", None, "3"])
    survey = read(frame)
    assert survey.not_applicable["q2"].tolist() == [False, False, True, False]
    assert survey.frame["q2"].iloc[0] == 10
    assert noted(survey, "answered_though_not_applicable") == (2, "q2: 1, q3: 1")


def test_a_file_reads_as_the_frame_it_was_written_from(tmp_path):
    answers().to_csv(tmp_path / "answers.csv", index=False)
    answers().astype({"q3": "Int64"}).to_parquet(tmp_path / "answers.parquet")
    for source in (tmp_path / "answers.csv", tmp_path / "answers.parquet", ibis.memtable(answers())):
        pd.testing.assert_frame_equal(read(source).frame, read().frame)


def test_a_table_of_a_connection_is_read_by_its_name(tmp_path):
    database = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    database.create_table("panel", answers())
    pd.testing.assert_frame_equal(read("panel", connection=database).frame, read().frame)


@given(st.permutations(range(4)))
@settings(max_examples=3)
def test_the_order_of_rows_does_not_matter(order):
    moved = read(answers().iloc[order])
    pd.testing.assert_frame_equal(moved.frame, read().frame)
    pd.testing.assert_frame_equal(moved.notes, read().notes)


# ---- what is refused ------------------------------------------------------------------------------------------------


def test_all_that_is_wrong_is_refused_at_once_with_rows_and_the_way_to_fix_it():
    frame = answers(
        respondent_id=["a", "a", None, "d"],
        q1=[9, 8, 70, 2],
        q2=["ten", "n/a", "?", "3"],
        weight=[1, -1, None, "x"],
        kano_gift_functional=["like", "love", None, "dislike"],
        kano_gift_dysfunctional=["like", "neutral", None, "dislike"],
    )
    message = refusal(frame, codebook={"index": ["q9"], "items": {"q8": {"reversed": True}}})
    for words in (
        "column 'respondent_id': nothing is given in 1 row(s)",
        "column 'respondent_id': the respondent is there more than once in a wave in 2 row(s)",
        "column 'q1': the mark is off the scale of 1 to 10 in 1 row(s)",
        "column 'q2': no number in 1 row(s)",
        "column 'weight': missing, no number or negative in 3 row(s)",
        "column 'kano_gift_functional': none of like, must-be, neutral, live-with and dislike in 1 row(s)",
        "column 'q9': there is no such column",
        "column 'q8': the codebook describes it and gives it no role",
        'impossible = "set_aside"',
    ):
        assert words in message
    assert "70" in message and "ten" in message


def test_the_rows_of_a_file_are_shown_by_their_numbers(tmp_path):
    answers(q1=[9, 8, 7, 11]).to_csv(tmp_path / "answers.csv", index=False)
    assert "5               d  11" in refusal(tmp_path / "answers.csv")


def test_a_respondent_may_answer_in_two_waves():
    assert len(read(answers(respondent_id=["a", "b", "a", "b"]))) == 4


def test_a_respondent_of_two_waves_is_cut_and_told_apart_by_wave():
    survey = read(answers(respondent_id=["a", "b", "a", "b"], weight=[1, 3, 1, 1]), as_of="2024-06-30")
    assert survey.until("2024-01-31").frame["q1"].tolist() == [9, 8]
    assert survey.wave("2024-06").frame["q1"].tolist() == [7, 2]
    assert survey.items.loc["q1", "mean"] == pytest.approx((9 * 0.5 + 8 * 1.5 + 7 + 2) / 4)


@pytest.mark.parametrize("columns", [["comment"], ["kano_gift_functional", "kano_gift_dysfunctional"]])
def test_a_survey_may_have_no_ratings(columns):
    frame = pd.DataFrame({"respondent_id": ["a", "b"]} | dict.fromkeys(columns, "like"))
    survey = read_survey(frame, wave="2024-06", as_of="2024-07-01")
    assert survey.frame.columns.tolist() == ["wave", *columns]
    assert len(survey.items) == 0


def test_a_row_without_its_wave_is_refused():
    message = refusal(answers(wave=["2024-01", None, " ", "2024-06"], weight=1))
    assert "column 'wave': nothing is given in 2 row(s)" in message


def test_no_wave_has_weights_of_nothing_but_zero():
    assert "nobody in the wave has a weight above 0 in 2 row(s)" in refusal(answers(weight=[1, 0, 0, 0]))


def test_impossible_marks_are_set_aside_on_request_and_counted():
    survey = read(answers(q1=[9, 8, 70, 0]), codebook={"impossible": "set_aside"})
    np.testing.assert_array_equal(survey.frame["q1"], [9, 8, np.nan, np.nan])
    assert noted(survey, "impossible_set_aside") == (2, "q1: 2")
    assert survey.items.loc["q1", "missing"] == 2


def test_what_did_not_apply_is_listed_by_names_that_are_known():
    assert "names what is no rating in 1 row(s)" in refusal(answers(not_applicable=["q7", None, None, "q3"]))


def test_a_survey_without_a_wave_or_ids_says_what_to_do():
    message = refusal(answers().drop(columns=["respondent_id", "wave"]))
    assert 'wave = "2024-06" under [sources.survey]' in message
    assert "numbered = true under [sources.survey]" in message


def test_a_wave_for_all_rows_and_numbers_for_respondents_may_be_given():
    survey = read(answers().drop(columns=["respondent_id", "wave"]), wave="2024-06", numbered=True)
    assert survey.frame.index.tolist() == ["R1", "R2", "R3", "R4"]
    assert survey.waves == ("2024-06",)


def test_a_wave_for_all_rows_beside_a_column_of_waves_is_refused():
    message = refusal(wave="2024-06", numbered=True)
    assert message.count("there is such a column, and it is given for all rows too") == 2


def test_a_table_without_a_question_is_refused_with_what_to_give():
    with pytest.raises(DataError, match="no question is known") as error:
        read_survey(answers())
    assert "overall_satisfaction, repurchase_intention, recommend, effort" in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"columns": {"overall_satisfaction": "q1"}}, "Questions are named in the codebook"),
        ({"columns": {"weight": "w"}}, None),
        ({"wave": " "}, "wave is blank"),
        ({"as_of": "soon"}, "as_of is 'soon'"),
    ],
)
def test_wrong_parameters_are_told(wrong, words):
    with pytest.raises(SettingsError if words else DataError, match=words or "column 'w': there is no such column"):
        read(**wrong)


# ---- waves ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("as_of", "seen"),
    [("2024-06-30", ("2024-01", "2024-06")), ("2024-06-29", ("2024-01",)), ("2023-12-31", ())],
)
def test_a_wave_of_a_month_that_is_not_over_is_not_seen(as_of, seen):
    survey = read(as_of=as_of)
    assert survey.waves == seen
    assert survey.reconciliation["rows"].tolist() == [2 * len(seen), 0, 4 - 2 * len(seen)]


@pytest.mark.parametrize("as_of", ["2024-06-30", "2024-03-31", "2023-12-31"])
def test_a_survey_cut_later_is_that_read_at_the_date(as_of):
    cut, fresh = read().until(as_of), read(as_of=as_of)
    for part in ("frame", "not_applicable", "reconciliation", "notes"):
        pd.testing.assert_frame_equal(getattr(cut, part), getattr(fresh, part))
    pd.testing.assert_series_equal(cut.weights, fresh.weights)
    assert cut.as_of == fresh.as_of


def test_a_wave_called_by_a_day_is_cut_by_it():
    frame = answers(wave=["2024-06-14", "2024-06-14", "2024-06-15", "2024-06-15"])
    assert read(frame, as_of="2024-06-14").waves == ("2024-06-14",)


def test_a_wave_of_another_name_is_not_cut_and_told():
    survey = read(answers(wave=["spring", "spring", "2024-06", "2024-06"]), as_of="2024-01-31")
    assert survey.waves == ("spring",)
    assert noted(survey, "wave_not_dated") == (1, "spring")


def test_what_was_cut_cannot_be_seen_again():
    with pytest.raises(SettingsError, match="was cut at 2024-01-31"):
        read(as_of="2024-01-31").until("2024-06-30")


def test_a_part_of_a_survey_keeps_its_codebook_and_cannot_be_cut():
    part = read().wave("2024-06")
    assert (len(part), part.codebook, len(part.items)) == (2, read().codebook, 3)
    with pytest.raises(SettingsError, match="part of a survey"):
        part.until("2024-06-30")


def test_weights_have_a_mean_of_one_in_each_wave():
    survey = read(answers(weight=[1, 3, 0.5, 1.5]))
    assert survey.weights.tolist() == [0.5, 1.5, 0.5, 1.5]
    assert noted(survey, "weights_scaled") == (1, "2024-01")
    assert survey.items.loc["q1", "mean"] == pytest.approx((9 * 0.5 + 8 * 1.5 + 7 * 0.5 + 2 * 1.5) / 4)


def test_nothing_is_said_of_answers_of_those_who_do_not_count():
    survey = read(answers(weight=[1, 1, 1, 0]))
    assert survey.items.loc["q3", ["at_top", "at_bottom", "mean"]].isna().all()


def test_measures_take_a_survey_with_its_weights_and_what_did_not_apply():
    taken = take_responses(read(answers(weight=[1, 3, 1, 1])), ["q2", "q3"])
    assert taken.weights.tolist() == [0.5, 1.5, 1, 1]
    assert taken.not_applicable["q2"].tolist() == [False, True, False, False]


def test_a_table_may_stay_in_its_engine(tmp_path):
    database = ibis.duckdb.connect(tmp_path / "crm.duckdb")
    table = database.create_table("panel", answers())
    pd.testing.assert_frame_equal(read(table, engine=EngineSettings(copy_rows=0)).frame, read().frame)


def test_margins_are_kept_and_nobody_is_raked():
    survey = read(codebook={"margins": {"region": {"North": 0.5, "South": 0.5}}})
    assert survey.weights.tolist() == [1, 1, 1, 1]
    assert noted(survey, "margins_not_applied") == (1, "region")


# ---- how people answer ----------------------------------------------------------------------------------------------


def form(n=40, **columns):
    """Marks of n respondents on six questions that rise together, none of them alike."""
    base = np.arange(n) % 9 + 1
    marks = {f"q{place}": np.clip(base + (np.arange(n) // place) % 2, 1, 10) for place in range(1, 7)}
    frame = pd.DataFrame(marks).assign(respondent_id=[f"P{row:02}" for row in range(n)], wave="2024-06")
    return frame.assign(**columns)


FORM = {"overall_satisfaction": "q1", "drivers": {"all": ["q2", "q3", "q4", "q5", "q6"]}}
MARKS = [f"q{place}" for place in range(1, 7)]


def test_one_mark_for_everything_is_told_and_kept():
    frame = form()
    frame.loc[3, MARKS] = 7
    survey = read_survey(frame, codebook=FORM)
    assert "P03" in noted(survey, "straight_liners")[1]
    assert len(survey) == 40


def test_one_mark_for_everything_is_set_aside_on_request():
    frame = form()
    frame.loc[[3, 5], MARKS] = 7
    straight = int((frame[MARKS].max(axis=1) == frame[MARKS].min(axis=1)).sum())
    survey = read_survey(frame, codebook=FORM | {"straight_liners": "set_aside"})
    assert survey.reconciliation.set_index("outcome")["rows"].to_dict() == {
        "used": 40 - straight,
        "straight_liner": straight,
        "after_as_of": 0,
    }
    assert not {"P03", "P05"} & set(survey.frame.index)


def test_one_mark_is_looked_for_before_items_are_turned():
    frame = form()
    frame.loc[3, MARKS] = 7
    turned = FORM | {"items": {"q2": {"reversed": True}}}
    assert "P03" in noted(read_survey(frame, codebook=turned), "straight_liners")[1]


def test_four_ratings_are_too_few_for_a_straight_line():
    short = {"overall_satisfaction": "q1", "drivers": {"all": ["q2", "q3", "q4"]}}
    assert noted(read_survey(form(q1=5, q2=5, q3=5, q4=5), codebook=short), "straight_liners") == (0, "")


def test_an_item_that_runs_against_the_whole_is_told_until_it_is_turned():
    frame = form()
    frame["q4"] = 11 - frame["q4"]
    assert noted(read_survey(frame, codebook=FORM), "runs_against_the_whole") == (1, "q4")
    turned = FORM | {"items": {"q4": {"reversed": True}}}
    assert noted(read_survey(frame, codebook=turned), "runs_against_the_whole") == (0, "")


@pytest.mark.parametrize(
    ("key", "marks"),
    [("mostly_highest", [10] * 21 + [5] * 19), ("mostly_lowest", [1] * 21 + [5] * 19), ("constant_items", [4] * 40),
     ("answered_by_few", [4, 5] * 9 + [None] * 22)],
)  # fmt: skip
def test_items_that_tell_little_are_told(key, marks):
    assert noted(read_survey(form(q5=marks), codebook=FORM), key) == (1, "q5")
    assert noted(read_survey(form(), codebook=FORM), key) == (0, "")


@pytest.mark.parametrize(("n", "tiny", "small"), [(29, 1, 0), (30, 0, 1), (99, 0, 1), (100, 0, 0)])
def test_small_waves_are_told(n, tiny, small):
    survey = read_survey(form(n), codebook=FORM)
    assert (noted(survey, "tiny_waves")[0], noted(survey, "small_waves")[0]) == (tiny, small)


def test_columns_that_the_codebook_does_not_name_are_told():
    assert noted(read_survey(form(age=30), codebook=FORM), "column_left_out") == (1, "age")


def test_customers_who_answer_twice_and_unknown_ones_are_told():
    survey = read_survey(form(4, customer_id=["C1", "C1", None, "C2"]), codebook=FORM)
    assert noted(survey, "customer_again") == (1, "P01")
    assert noted(survey, "unknown_customer") == (1, "P02")


def test_kano_answers_are_read_by_their_codes():
    pair = {"gift": {"functional": "k1", "dysfunctional": "k2"}}
    words = {"1": "like", "2": "must-be", "3": "neutral", "4": "live-with", "5": "dislike"}
    frame = answers(k1=[1, 2, None, 9], k2=["5", "Live with", "MUST-BE", "like"])
    survey = read(frame, codebook={"kano": pair, "kano_answers": words, "items": {"k1": {"missing": [9]}}})
    assert survey.frame["k1"].fillna("none").tolist() == ["like", "must-be", "none", "none"]
    assert survey.frame["k2"].tolist() == ["dislike", "live-with", "must-be", "like"]


# ---- real surveys, and the simulated company's ----------------------------------------------------------------------


def shared(name):
    if not (SHARED / name).is_file():
        pytest.skip("the public tables are not beside the project")
    return SHARED / name


def test_the_yellow_pages_survey_is_read_with_its_flaws_told():
    reach = [f"q{place}" for place in range(5, 11)]
    codebook = {"overall_satisfaction": "q1", "drivers": {"price": ["q2", "q3", "q4"], "reach": reach}}
    survey = read_survey(shared("yellow_pages_customer_sat.csv"), codebook=codebook, wave="1999", numbered=True)
    assert len(survey) == 1811
    assert noted(survey, "identical_answers")[0] == 127
    assert noted(survey, "straight_liners")[0] == 102


def test_the_mobile_phone_survey_is_read_with_its_path_model():
    constructs = {"image": [f"IMAG{i}" for i in range(1, 6)], "satisfaction": [f"CUSA{i}" for i in range(1, 4)]}
    codebook = {
        "overall_satisfaction": "CUSA1",
        "index": constructs["satisfaction"],
        "path_model": {"constructs": constructs, "paths": {"satisfaction": ["image"]}},
    }
    survey = read_survey(shared("ecsi_mobi.csv"), codebook=codebook, wave="2000", numbered=True)
    assert survey.items.loc["CUSA1", "mean"] == pytest.approx(7.988)
    assert survey.items.loc["CUSA1", "role"] == "overall satisfaction, item of the index, item of satisfaction"
    assert survey.items["missing"].sum() == 0


def test_the_simulated_survey_needs_no_codebook(simulated, simulated_survey):
    book = simulated_survey.codebook
    assert book.outcomes.keys() == {"overall_satisfaction", "repurchase_intention", "recommend"}
    assert {group: len(columns) for group, columns in book.drivers.items()} == {
        "product": 2,
        "service": 2,
        "personnel": 2,
        "image": 2,
    }
    assert (len(book.gaps), len(book.kano)) == (6, 5)
    assert noted(simulated_survey, "column_left_out") == (0, "")
    assert len(simulated_survey) == len(simulated.tables["survey"])


def test_what_did_not_apply_in_the_simulated_survey_is_what_it_lists(simulated, simulated_survey):
    listed = simulated.tables["survey"]["not_applicable"].fillna("").str.split().str.len().sum()
    assert simulated_survey.not_applicable.to_numpy().sum() == listed
    assert noted(simulated_survey, "answered_though_not_applicable")[0] == 0


def test_everybody_who_gave_one_mark_in_the_simulated_survey_is_found(simulated, simulated_survey):
    planted = simulated.truth.respondents["straight_liner"]
    found = simulated_survey.checked.is_straight.reindex(planted.index)
    assert found[planted].all()
    assert (found & ~planted).mean() < 0.02


def test_the_survey_of_a_company_is_read_as_its_settings_say(simulated, simulated_survey, tmp_path):
    company = load_settings(simulated.write(tmp_path))
    pd.testing.assert_frame_equal(open_survey(company).frame, simulated_survey.frame)
    first = simulated_survey.waves[0]
    assert open_survey(company, as_of=pd.Period(first).end_time.date()).waves == (first,)


def test_a_company_may_have_no_survey(tmp_path):
    (tmp_path / "crm.toml").write_text("")
    assert open_survey(load_settings(tmp_path / "crm.toml")) is None


def test_a_survey_passes_through_the_door_and_is_cut(simulated_survey):
    assert read_survey(simulated_survey) is simulated_survey
    assert len(read_survey(simulated_survey, as_of="1990-01-01")) == 0
    with pytest.raises(SettingsError, match="already read"):
        read_survey(simulated_survey, codebook=CODEBOOK)


@pytest.mark.parametrize("given", [{"columns": 5}, {"columns": ["id"]}, {"wave": 5}, {"wave": " "}], ids=str)
def test_parameters_of_the_wrong_kind_are_refused(given):
    with pytest.raises(SettingsError, match=r"^(columns|wave) is"):
        read(**given)


def test_a_gap_between_marks_of_different_scales_is_refused():
    frame = answers(expectation_price=[1, 2, 3, 4], perception_price=[1, 5, 9, 10])
    message = refusal(frame, codebook={"items": {"expectation_price": {"scale": [1, 5]}}})
    assert "'perception_price': what is perceived of price is marked on another scale" in message


def test_numbers_in_names_of_waves_count_as_numbers():
    survey = read(answers(wave=["wave 10", "wave 9", "wave 9", "wave 11"]))
    assert survey.waves == ("wave 9", "wave 10", "wave 11")


def test_a_part_takes_one_answer_for_each_respondent():
    survey = read()
    for rows in ("2024-01", [True, False], pd.Series([True]), survey.frame["q1"]):
        with pytest.raises(SettingsError, match="true and false"):
            survey.of(rows)


def test_codes_of_kano_answers_may_be_numbers():
    frame = answers(kano_box_functional=[1, 2, 3, 1], kano_box_dysfunctional=[5, 4, 3, 5])
    words = dict(enumerate(["like", "must-be", "neutral", "live-with", "dislike"], start=1))
    survey = read(frame, codebook={"kano_answers": words})
    assert survey.frame["kano_box_functional"].tolist() == ["like", "must-be", "neutral", "like"]
