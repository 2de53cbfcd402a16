"""Kano kinds: published counts, the table, what the kinds are called, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crm_analysis.company import simulate_company
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.kano import ANSWERS, POULIOT, TABLE, kano, kano_of_counts
from crm_analysis.voice.kano_kinds import KINDS, fong_difference
from crm_analysis.voice.responses import effective_n

PUBLISHED = {"A": 80, "O": 60, "M": 40, "I": 15, "R": 3, "Q": 2}
# A pair of answers of each kind.
PAIR = {
    "A": ("like", "neutral"),
    "O": ("like", "dislike"),
    "M": ("neutral", "dislike"),
    "I": ("neutral", "neutral"),
    "R": ("dislike", "like"),
    "Q": ("like", "like"),
}
PAIRS = {"wrapping": ("with", "without")}


def frame_of(kinds, **columns):
    return pd.DataFrame([PAIR[kind] for kind in kinds], columns=["with", "without"]).assign(**columns)


# --- Counts -----------------------------------------------------------------------------------------------------


def test_better_and_worse_are_as_published(published):
    published.check("voice-R26-kano", kano_of_counts({"x": PUBLISHED}).loc["x", ["better", "worse"]])


def test_what_a_difference_must_exceed_is_as_published(published):
    published.check("voice-R26-fong", fong_difference(80 / 200, 60 / 200, 200))


def test_a_clear_lead_makes_the_feature_of_one_kind():
    found = kano_of_counts({"x": PUBLISHED}).loc["x"]
    assert (found["category"], found["runner_up"], found["need"], found["fong_holds"]) == ("A", "O", "exciting", True)


def test_a_lead_that_chance_may_make_leaves_two_kinds():
    found = kano_of_counts({"x": {**PUBLISHED, "O": 66}}).loc["x"]
    assert (found["category"], found["runner_up"], found["need"]) == ("A", "O", "no single kind")
    assert not found["fong_holds"]


def test_strengths_are_the_lead_and_the_share_of_those_who_care():
    found = kano_of_counts({"x": PUBLISHED}).loc["x"]
    assert found["category_strength"] == pytest.approx(20 / 200)
    assert found["total_strength"] == pytest.approx(180 / 200)


def test_better_and_worse_have_the_interval_of_wilson():
    found = kano_of_counts({"x": PUBLISHED}, level=0.9).loc["x"]
    better, worse = wilson_interval(140, 195, level=0.9), wilson_interval(100, 195, level=0.9)
    assert found[["better_lower", "better_upper"]].tolist() == pytest.approx(list(better))
    assert found[["worse_lower", "worse_upper"]].tolist() == pytest.approx([-worse[1], -worse[0]])


def test_features_come_as_basic_expected_exciting_and_then_the_rest():
    counts = {
        "reverse": {"R": 50, "I": 5},
        "indifferent": {"I": 50, "A": 5},
        "either": {"A": 30, "O": 30},
        "exciting": {"A": 50, "I": 5},
        "expected": {"O": 50, "I": 5},
        "basic": {"M": 50, "I": 5},
        "more basic": {"M": 55},
    }
    assert list(kano_of_counts(counts).index) == [
        *("more basic", "basic", "expected", "exciting", "either", "indifferent", "reverse")
    ]


def test_of_kinds_as_frequent_the_one_that_matters_more_goes_first():
    found = kano_of_counts({"x": {"A": 10, "M": 10, "I": 10}}).loc["x"]
    assert (found["category"], found["runner_up"]) == ("M", "A")


@pytest.mark.parametrize("wrong", [{"x": {"B": 3}}, {"x": {"A": -1}}, pd.DataFrame({"A": [np.nan]})])
def test_counts_that_are_none_are_refused(wrong):
    with pytest.raises(SettingsError):
        kano_of_counts(wrong)


# --- Answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "rows"), [("kano", TABLE), ("pouliot", POULIOT), (TABLE, TABLE)])
def test_every_pair_of_answers_is_of_the_kind_in_the_table(name, rows):
    every = pd.DataFrame([(a, b) for a in ANSWERS for b in ANSWERS], columns=["with", "without"])
    found = kano(every, PAIRS, table=name).features.loc["wrapping"]
    assert [found[kind] for kind in KINDS] == ["".join(rows).count(kind) for kind in KINDS]


@pytest.mark.parametrize(
    ("functional", "dysfunctional", "by_kano", "by_pouliot"),
    [
        ("like", "dislike", "O", "O"),
        ("like", "must-be", "A", "A"),
        ("must-be", "dislike", "M", "M"),
        ("must-be", "like", "R", "R"),
        ("must-be", "must-be", "I", "Q"),
        ("live-with", "live-with", "I", "Q"),
        ("neutral", "neutral", "I", "I"),
        ("dislike", "dislike", "Q", "Q"),
    ],
)
def test_pairs_are_of_the_kinds_that_kano_and_pouliot_name(functional, dysfunctional, by_kano, by_pouliot):
    one = pd.DataFrame({"with": [functional], "without": [dysfunctional]})
    assert kano(one, PAIRS).features.loc["wrapping", "category"] == by_kano
    assert kano(one, PAIRS, table="pouliot").features.loc["wrapping", "category"] == by_pouliot


def test_counting_answers_gives_what_counts_give():
    frame = frame_of([kind for kind, number in PUBLISHED.items() for _ in range(number)])
    found = kano(frame, PAIRS).features
    pd.testing.assert_frame_equal(found, kano_of_counts({"wrapping": PUBLISHED}))


def test_codes_mean_what_the_caller_says():
    frame = frame_of("AAOMIRQ")
    codes = frame.replace({word: place for place, word in enumerate(ANSWERS, 1)})
    meaning = dict(enumerate(ANSWERS, 1))
    pd.testing.assert_frame_equal(kano(codes, PAIRS, answers=meaning).features, kano(frame, PAIRS).features)


def test_who_answers_one_of_the_pair_is_left_out_and_counted():
    frame = frame_of("AAOI")
    frame.loc[0, "with"] = None
    frame.loc[1, ["with", "without"]] = None
    found = kano(frame, PAIRS).features.loc["wrapping"]
    assert (found["n"], found["incomplete"], found["A"]) == (2, 1, 0)


def test_whole_weights_count_as_repeated_rows():
    frame = frame_of("AAOMIRQO", weight=[1, 2, 3, 1, 2, 1, 1, 2])
    weighted = kano(frame, PAIRS, weights="weight")
    repeated = kano(frame.loc[frame.index.repeat(frame["weight"])], PAIRS)
    columns = [*KINDS, "better", "worse", "category_strength", "total_strength"]
    np.testing.assert_allclose(
        weighted.features[columns].to_numpy(float), repeated.features[columns].to_numpy(float), rtol=1e-12
    )
    np.testing.assert_allclose(weighted.continuous["functional"], repeated.continuous["functional"])


def test_intervals_with_weights_stand_on_what_the_answers_are_worth():
    frame = frame_of("AAOMIRQO", weight=[1, 2, 3, 1, 2, 1, 1, 2])
    found = kano(frame, PAIRS, weights="weight").features.loc["wrapping"]
    base = frame["weight"][[0, 1, 2, 3, 4, 7]]
    n = effective_n(base.to_numpy(float))
    expected = wilson_interval(n * 8 / 11, n)
    assert found[["better_lower", "better_upper"]].tolist() == pytest.approx(list(expected))


@pytest.mark.parametrize(("attractive", "holds"), [(26, False), (34, True)])
def test_a_lead_is_judged_by_what_the_answers_are_worth(attractive, holds):
    frame = frame_of("A" * attractive + "O" * (42 - attractive))
    assert kano(frame, PAIRS).features.loc["wrapping", "fong_holds"]
    # The same shares, but one respondent of each kind stands for half of it.
    counts = np.array([attractive, 42 - attractive])
    weights = np.concatenate([[n / 2, *np.full(n - 1, n / 2 / (n - 1))] for n in counts])
    found, n, (a, b) = kano(frame, PAIRS, weights=weights).features.loc["wrapping"], effective_n(weights), counts / 42
    assert n < 10 and bool((a - b) * n > 1.65 * np.sqrt((a + b) * n * (2 - a - b) / 2)) is holds
    assert found["fong_holds"] == holds


def test_who_weighs_nothing_is_not_counted():
    found = kano(frame_of("AAO"), PAIRS, weights=[1, 0, 1]).features.loc["wrapping"]
    assert (found["n"], found["incomplete"], found["A"]) == (2, 0, 1)


def test_a_feature_that_nobody_was_asked_about_is_not_known():
    found = kano(frame_of("A").assign(**{"with": None}), PAIRS)
    assert found.features.loc["wrapping", ["n", "category", "need"]].tolist() == [0, "", "not known"]
    assert found.continuous.loc["wrapping", "need"] == "not known"


def test_mean_scores_have_their_t_intervals():
    found = kano(frame_of("AAOMI"), PAIRS).continuous.loc["wrapping"]
    functional, dysfunctional = np.array([4.0, 4, 4, 0, 0]), np.array([0.0, 0, 4, 4, 0])
    for name, scores in [("functional", functional), ("dysfunctional", dysfunctional)]:
        expected = [scores.mean(), *stats.t.interval(0.95, 4, scores.mean(), stats.sem(scores))]
        assert found[[name, f"{name}_lower", f"{name}_upper"]].tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("kind", "need"), [("A", "exciting"), ("O", "expected"), ("M", "basic"), ("I", "indifferent"), ("R", "reverse")]
)
def test_the_quadrant_of_the_mean_scores_tells_the_kind(kind, need):
    found = kano(frame_of(kind * 3), PAIRS).continuous.loc["wrapping"]
    assert (found["category"], found["need"]) == (kind, need)


def test_a_feature_one_likes_and_takes_as_it_comes_without_is_not_reverse():
    frame = pd.DataFrame({"with": ["like"], "without": ["must-be"]})
    found = kano(frame, PAIRS).continuous.loc["wrapping"]
    assert (found["dysfunctional"], found["category"]) == (-1, "A")


def test_the_planted_kinds_of_the_company_are_found():
    company = simulate_company(seed=3, customers=1_000, months=12)
    features = {each.name: each.kind for each in company.truth.plan.kano.features}
    pairs = {name: (f"kano_{name}_functional", f"kano_{name}_dysfunctional") for name in features}
    found = kano(company.tables["survey"], pairs, weights="weight").features
    assert found["category"].to_dict() == features
    assert found["fong_holds"].all()
    assert found.index.tolist() == [
        "secure_payment",
        "free_returns",
        "same_day_delivery",
        "gift_wrapping",
        "sales_calls",
    ]


def test_answers_that_are_none_of_the_five_are_refused_for_all_columns_at_once():
    frame = frame_of("AAO")
    frame.loc[0, "with"], frame.loc[2, "without"] = "love", "hate"
    with pytest.raises(DataError, match=r"'with'[\s\S]*love[\s\S]*'without'[\s\S]*hate"):
        kano(frame, PAIRS)


@pytest.mark.parametrize(
    "wrong",
    [
        {"pairs": {"wrapping": ("with", "never")}},
        {"pairs": {"wrapping": "with"}},
        {"table": "other"},
        {"table": ("QAAAO", "RIIIM")},
        {"answers": {1: "love"}},
        {"level": 0},
    ],
)
def test_arguments_that_do_not_fit_are_refused(wrong):
    with pytest.raises(SettingsError):
        kano(frame_of("AO"), **{"pairs": PAIRS, **wrong})
