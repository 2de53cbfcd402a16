import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.incomplete import impute, not_applicable_design, pool


def ratings(n, seed, columns=4):
    rng = np.random.default_rng(seed)
    halo = rng.normal(size=(n, 1))
    marks = np.clip(np.round(6.5 + 1.4 * halo + 1.2 * rng.normal(size=(n, columns))), 1, 10)
    frame = pd.DataFrame(marks, columns=[f"q{j}" for j in range(columns)])
    return frame.assign(y=1 + 0.5 * frame["q0"] + 0.3 * frame["q1"] + rng.normal(size=n))


def slopes(frame):
    x = np.column_stack([np.ones(len(frame)), frame.drop(columns="y")])
    inverse = np.linalg.inv(x.T @ x)
    beta = inverse @ x.T @ frame["y"].to_numpy()
    left = frame["y"].to_numpy() - x @ beta
    return beta, inverse * (left @ left) / (len(x) - x.shape[1])


def pooled_slopes(frame, **options):
    fits = [slopes(full) for full in impute(frame, **options)]
    return pool([beta for beta, _ in fits], [cov for _, cov in fits], degrees=len(frame) - 5)


def with_gaps(frame, chance, seed, column="q0"):
    rng = np.random.default_rng(seed)
    return frame.assign(**{column: frame[column].mask(rng.random(len(frame)) < chance)})


def test_imputed_answers_are_answers_that_somebody_gave():
    gaps = with_gaps(ratings(200, 1), 0.3, 2)
    for full in impute(gaps, imputations=3):
        assert set(full["q0"]) <= set(gaps["q0"].dropna())


def test_given_answers_are_left_alone():
    gaps = with_gaps(ratings(100, 3), 0.3, 4)
    full = impute(gaps, imputations=1)[0]
    pd.testing.assert_frame_equal(full.where(gaps.notna()), gaps)
    assert full.notna().all(axis=None)


def test_complete_answers_are_returned_as_they_are():
    frame = ratings(50, 5)
    assert all(full is frame for full in impute(frame, imputations=2))


def test_complete_answers_have_no_variance_between_them_and_keep_their_degrees_of_freedom():
    frame = ratings(50, 5)
    both = pooled_slopes(frame, imputations=3)
    assert (both.missing_share == 0).all()
    assert both.degrees == pytest.approx(45)
    np.testing.assert_allclose(both.covariance, slopes(frame)[1])


def test_same_seed_same_answers_and_more_imputations_keep_the_first():
    gaps = with_gaps(ratings(80, 6), 0.3, 7)
    few, many = impute(gaps, imputations=2, seed=3), impute(gaps, imputations=4, seed=3)
    pd.testing.assert_frame_equal(few[1], many[1])
    assert not few[0].equals(few[1])
    assert not few[0].equals(impute(gaps, imputations=1, seed=4)[0])


def test_global_random_state_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    impute(with_gaps(ratings(50, 6), 0.3, 7), imputations=1)
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_slopes_are_found_again_where_answers_are_missing_by_what_is_seen():
    frame = ratings(3000, 8)
    rng = np.random.default_rng(9)
    # Those who are satisfied skip q0 more often: complete cases alone would be biased.
    skip = rng.random(len(frame)) < stats.norm.cdf(frame["y"] - frame["y"].mean() - 0.5)
    gaps = frame.assign(q0=frame["q0"].mask(skip))
    both = pooled_slopes(gaps, imputations=10)
    listwise, _ = slopes(gaps.dropna())
    assert both.estimates[1:3] == pytest.approx([0.5, 0.3], abs=0.06)
    assert abs(listwise[1] - 0.5) > 0.1


def test_intervals_cover_the_truth_as_often_as_they_say():
    # Answers at random missing; 40 samples of which at 95 % fewer than 33 covering has a chance below 1 in 1,000.
    hits = 0
    for sample in range(40):
        both = pooled_slopes(with_gaps(ratings(150, 100 + sample), 0.3, sample), imputations=8)
        lower, upper = both.interval()
        hits += lower[1] <= 0.5 <= upper[1]
    assert hits >= 33


def test_what_is_missing_adds_to_the_standard_error():
    frame = ratings(300, 10)
    half = pooled_slopes(with_gaps(frame, 0.4, 11), imputations=10)
    assert half.standard_errors[1] > pooled_slopes(frame, imputations=2).standard_errors[1]
    assert half.missing_share[1] > 0.1


def test_answers_that_did_not_apply_stay_missing_and_are_not_drawn():
    gaps = with_gaps(ratings(120, 12), 0.2, 13)
    rng = np.random.default_rng(14)
    barred = pd.DataFrame({"q1": rng.random(120) < 0.3})
    gaps["q1"] = gaps["q1"].mask(barred["q1"])
    full = impute(gaps, imputations=1, not_applicable=barred)[0]
    pd.testing.assert_series_equal(full["q1"].isna(), barred["q1"])
    assert full["q0"].notna().all()


def test_who_counts_nothing_gives_no_answers():
    gaps = with_gaps(ratings(120, 15), 0.3, 16)
    weights = (gaps["q0"] != gaps["q0"].max()).astype(float).to_numpy()
    missing = gaps["q0"].isna()
    for full in impute(gaps, imputations=5, weights=weights):
        assert full.loc[missing, "q0"].max() < gaps["q0"].max()


def test_copies_of_a_question_can_be_imputed():
    frame = ratings(80, 17)
    frame["copy"] = frame["q1"]
    full = impute(with_gaps(frame, 0.3, 18), imputations=2)
    assert all(one.notna().all(axis=None) for one in full)


def test_a_copy_with_gaps_is_filled_from_the_other():
    frame = ratings(200, 19)
    frame["copy"] = frame["q0"]
    full = impute(with_gaps(frame, 0.3, 20), imputations=1)[0]
    assert (
        full["q0"] != frame["q0"]
    ).sum() < 10  # of some 60; at the ends of the scale fewer people gave a mark than donors are wanted


def test_a_question_that_nobody_answered_is_refused_by_name():
    with pytest.raises(DataError, match="'q2': nobody answered"):
        impute(ratings(20, 21).assign(q2=np.nan))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"imputations": 0}, "imputations is 0"),
        ({"seed": "1"}, "seed is '1'"),
        ({"weights": np.ones(3)}, "3 weights"),
        ({"not_applicable": pd.DataFrame({"q0": [True]})}, "other rows"),
    ],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        impute(ratings(20, 22), **options)


def test_columns_that_are_no_numbers_are_refused_by_name():
    with pytest.raises(SettingsError, match="region: no numbers"):
        impute(ratings(20, 22).assign(region="east"))


def test_pooling_follows_rubin_and_barnard_by_hand():
    both = pool([[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]], [np.eye(2) * v for v in (0.5, 1.0, 1.5)], degrees=20)
    share = (4 / 3) / (1 + 4 / 3)
    old, seen = 2 / share**2, 21 / 23 * 20 * (1 - share)
    assert both.estimates == pytest.approx([2, 0])
    np.testing.assert_allclose(both.covariance, [[1 + 4 / 3, 0], [0, 1]])
    assert both.missing_share == pytest.approx([share, 0])
    assert both.degrees == pytest.approx([old * seen / (old + seen), 20])
    assert both.interval()[1][0] == pytest.approx(2 + stats.t.ppf(0.975, both.degrees[0]) * np.sqrt(7 / 3))


def test_pooling_refuses_shapes_that_do_not_fit():
    with pytest.raises(SettingsError, match=r"\(2, 1\)"):
        pool([[1.0], [2.0]], [[1.0], [1.0]])


def test_a_design_is_left_alone_where_everything_applied():
    frame = ratings(10, 23)
    design = not_applicable_design(frame, pd.DataFrame(False, index=frame.index, columns=frame.columns))
    pd.testing.assert_frame_equal(design, frame)


def test_a_driver_that_did_not_apply_is_centred_and_gets_an_indicator():
    frame = pd.DataFrame({"delivery": [2.0, 4.0, np.nan, np.nan], "price": [1.0, 2.0, 3.0, 4.0]})
    barred = pd.DataFrame({"delivery": [False, False, True, False]})
    design = not_applicable_design(frame, barred)
    assert list(design) == ["delivery", "price", "delivery not applicable"]
    np.testing.assert_array_equal(design["delivery"], [-1, 1, 0, np.nan])
    np.testing.assert_array_equal(design["delivery not applicable"], [0, 0, 1, 0])


def test_the_design_gives_the_slope_of_those_to_whom_the_driver_applied():
    rng = np.random.default_rng(24)
    met = rng.random(400) < 0.6
    rating = pd.Series(rng.integers(1, 11, 400).astype(float)).where(met)
    outcome = np.where(met, 2 + 0.4 * rating.fillna(0), 7.0)
    design = not_applicable_design(rating.to_frame("delivery"), pd.DataFrame({"delivery": ~met}))
    x = np.column_stack([np.ones(400), design])
    beta = np.linalg.lstsq(x, outcome, rcond=None)[0]
    assert beta[1] == pytest.approx(0.4)
    assert beta[0] == pytest.approx(outcome[met].mean())


def test_drivers_that_did_not_apply_to_the_same_people_share_one_indicator():
    frame = pd.DataFrame({"a": [1.0, np.nan, 3.0], "b": [2.0, np.nan, 5.0]})
    design = not_applicable_design(frame, frame.isna())
    assert list(design) == ["a", "b", "a not applicable"]


@pytest.mark.parametrize(
    ("frame", "options", "words"),
    [
        (None, {}, "frame is a NoneType"),
        (pd.DataFrame([[1.0, 2.0], [3.0, np.nan]], columns=["a", "a"]), {}, "a: several columns"),
        (pd.DataFrame({"a": [1 + 2j, 3], "b": [1.0, np.nan]}), {}, "a: no numbers"),
        (pd.DataFrame({"a": [np.inf, 3], "b": [1.0, np.nan]}), {}, "a: infinite"),
        (pd.DataFrame({"a": [1.0, 3], "b": [1.0, np.nan]}), {"weights": [1, -1]}, "negative"),
        (pd.DataFrame({"a": [1.0, 3], "b": [1.0, np.nan]}), {"weights": ["a", "b"]}, "weights are no numbers"),
        (pd.DataFrame({"a": [1.0, 3], "b": [1.0, np.nan]}), {"not_applicable": 5}, "not_applicable is a int"),
    ],
)
def test_what_cannot_be_imputed_is_refused(frame, options, words):
    with pytest.raises(SettingsError, match=words):
        impute(frame, **options)
