import warnings
from dataclasses import FrozenInstanceError
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice import pls
from crm_analysis.voice.path_model import path_model
from crm_analysis.voice.satisfaction_index import satisfaction_index

MOBI = Path(__file__).parents[3] / "shared" / "data" / "ecsi_mobi.csv"
CONSTRUCTS = {
    "Image": [f"IMAG{i}" for i in range(1, 6)],
    "Expectation": [f"CUEX{i}" for i in range(1, 4)],
    "Quality": [f"PERQ{i}" for i in range(1, 8)],
    "Value": ["PERV1", "PERV2"],
    "Satisfaction": [f"CUSA{i}" for i in range(1, 4)],
    "Complaints": ["CUSCO"],
    "Loyalty": [f"CUSL{i}" for i in range(1, 4)],
}
PATHS = {
    "Expectation": ["Image"],
    "Quality": ["Expectation"],
    "Value": ["Expectation", "Quality"],
    "Satisfaction": ["Image", "Expectation", "Quality", "Value"],
    "Complaints": ["Satisfaction"],
    "Loyalty": ["Image", "Satisfaction", "Complaints"],
}
ECSI = {"constructs": CONSTRUCTS, "paths": PATHS}
FORMATIVE = {"Image": "B", "Expectation": "B", "Quality": "B"}
MEASURED = ["Image", "Expectation", "Quality", "Value", "Satisfaction", "Loyalty"]
SMALL = {
    "constructs": {"x": ["x1", "x2"], "m": ["m1", "m2"], "y": ["y1", "y2", "y3"]},
    "paths": {"m": ["x"], "y": ["x", "m"]},
}


@pytest.fixture(scope="module")
def mobi():
    if not MOBI.is_file():
        pytest.skip("the public survey is not beside the project")
    return pd.read_csv(MOBI)


@pytest.fixture(scope="module")
def ecsi(mobi):
    return path_model(mobi, **ECSI, draws=200)


def answers(n=200, *, seed=3):
    """Marks from 1 to 10 of seven items behind which three constructs stand."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    m = 0.6 * x + 0.8 * rng.normal(size=n)
    y = 0.3 * x + 0.5 * m + 0.7 * rng.normal(size=n)
    behind = {"x1": x, "x2": x, "m1": m, "m2": m, "y1": y, "y2": y, "y3": y}
    return pd.DataFrame(
        {name: np.clip(np.round(6 + 1.5 * (score + 0.6 * rng.normal(size=n))), 1, 10) for name, score in behind.items()}
    )


def test_published_paths_of_the_european_index(ecsi, published):
    published.check("voice-R14-paths", ecsi.paths["coefficient"])


def test_published_total_effect(ecsi, published):
    published.check("voice-R14-total", ecsi.total_effects.loc[("Quality", "Loyalty"), "effect"])


def test_published_explained_variance(ecsi, published):
    published.check("voice-R16-r-squared", ecsi.r_squared["r_squared"])


def test_published_indices(ecsi, published):
    published.check("voice-R17-indices", ecsi.indices["index"])
    published.check("voice-R17-shares", ecsi.weights.loc["Satisfaction", "share"])


@pytest.mark.parametrize(
    ("scheme", "mode"), [("centroid", "B"), ("factor", "A"), ("factor", "B"), ("path", "A"), ("path", "B")]
)
def test_another_engine_finds_the_same_paths_in_every_scheme_and_mode(mobi, published, scheme, mode):
    fit = path_model(mobi, **ECSI, scheme=scheme, modes=FORMATIVE if mode == "B" else None, draws=0)
    published.check(f"voice-path-{scheme}-{mode}", fit.paths["coefficient"])


def test_another_engine_finds_the_same_quality(ecsi, published):
    published.check("voice-path-alpha", ecsi.quality.loc[MEASURED, "alpha"])
    published.check("voice-path-variance-extracted", ecsi.quality.loc[MEASURED, "average_variance_extracted"])
    published.check("voice-path-rho-a", ecsi.quality.loc[MEASURED, "rho_a"])
    published.check("voice-path-srmr", ecsi.srmr)
    published.check("voice-path-vif", ecsi.paths.xs("Satisfaction", level="to")["vif"])


def test_another_engine_finds_the_same_ratios_of_correlations(ecsi, published):
    ratios = ecsi.htmt.loc[MEASURED, MEASURED].to_numpy()
    published.check("voice-path-htmt", ratios[np.triu_indices(len(MEASURED), 1)])


def test_composite_reliability_is_that_of_the_loadings(ecsi):
    loadings = ecsi.loadings.loc["Image", "loading"]
    common = loadings.sum() ** 2
    expected = common / (common + (1 - loadings**2).sum())
    assert ecsi.quality.loc["Image", "composite_reliability"] == pytest.approx(expected)


def test_weak_item_is_named(ecsi, published):
    published.check("voice-path-weak-loading", ecsi.loadings.loc[("Loyalty", "CUSL2"), "loading"])
    assert list(ecsi.loadings.index[ecsi.loadings["is_weak"]]) == [("Loyalty", "CUSL2")]
    assert any("CUSL2 says little about Loyalty" in note for note in ecsi.notes)


def test_items_that_form_a_construct_need_not_go_with_it(mobi):
    fit = path_model(mobi, **ECSI, modes={"Loyalty": "B"}, draws=0)
    assert fit.loadings.loc[("Loyalty", "CUSL2"), "loading"] < 0.4
    assert not fit.loadings["is_weak"].any() and fit.quality.loc["Loyalty", "alpha":].isna().all()


def test_constructs_that_items_hardly_tell_apart_are_named(ecsi):
    assert any(note.startswith("Quality and Satisfaction are hardly told apart") for note in ecsi.notes)
    assert not any("Value and" in note for note in ecsi.notes)


def test_a_single_item_is_its_construct_and_has_no_reliability(ecsi, mobi):
    marks = mobi["CUSCO"]
    np.testing.assert_allclose(ecsi.scores["Complaints"], (marks - marks.mean()) / marks.std(ddof=0))
    assert ecsi.quality.loc["Complaints", "alpha":].isna().all()


def test_scores_have_mean_zero_variance_one_and_their_paths(ecsi):
    scores = ecsi.scores
    np.testing.assert_allclose(scores.mean(), 0, atol=1e-10)
    np.testing.assert_allclose(scores.var(ddof=0), 1)
    causes = scores[["Image", "Satisfaction", "Complaints"]]
    slopes = np.linalg.lstsq(causes, scores["Loyalty"], rcond=None)[0]
    np.testing.assert_allclose(slopes, ecsi.paths.xs("Loyalty", level="to")["coefficient"])


def test_scores_go_up_with_their_items_also_when_items_are_turned(mobi, ecsi):
    turned = mobi.assign(**{name: 11 - mobi[name] for name in CONSTRUCTS["Quality"]})
    fit = path_model(turned, **ECSI, draws=0)
    np.testing.assert_allclose(fit.scores["Quality"], -ecsi.scores["Quality"], atol=1e-8)
    assert fit.paths.loc[("Quality", "Satisfaction"), "coefficient"] < -0.5


def test_scores_go_up_with_their_items_also_when_most_weights_are_negative():
    rng = np.random.default_rng(12)
    one, two = rng.normal(size=(2, 300))
    frame = pd.DataFrame({"a1": one, "a2": two, "a3": two + 0.3 * rng.normal(size=300), "b": one - 0.4 * two})
    with pytest.warns(EstimationWarning, match="a1 are negative"):
        fit = path_model(frame, constructs={"a": ["a1", "a2", "a3"], "b": ["b"]}, paths={"b": ["a"]}, scale=(-9, 9))
    items = frame[["a1", "a2", "a3"]]
    assert ((items - items.mean()) / items.std()).mean(axis=1).corr(fit.scores["a"]) > 0
    assert fit.paths["coefficient"].iloc[0] < 0


def test_total_effect_is_path_plus_ways_over_others(ecsi):
    total = ecsi.total_effects["effect"]
    direct = ecsi.paths["coefficient"].reindex(total.index, fill_value=0)
    indirect = ecsi.indirect_effects["effect"].reindex(total.index, fill_value=0)
    np.testing.assert_allclose(total, direct + indirect)
    by_hand = ecsi.paths["coefficient"].loc[[("Image", "Expectation"), ("Expectation", "Quality")]].prod()
    assert total[("Image", "Quality")] == pytest.approx(by_hand)


def test_total_effect_along_a_chain_is_the_product_of_its_paths():
    names = ["x1", "m1", "m2", "y1"]
    chain = {effect: [cause] for cause, effect in pairwise(names)}
    fit = path_model(answers(), constructs={name: [name] for name in names}, paths=chain, draws=0)
    assert fit.total_effects.loc[("x1", "y1"), "effect"] == pytest.approx(fit.paths["coefficient"].prod())


def test_intervals_hold_the_figures_and_have_width(ecsi):
    for table, name in ((ecsi.paths, "coefficient"), (ecsi.total_effects, "effect"), (ecsi.indices, "index")):
        assert ((table["lower"] < table[name]) & (table[name] < table["upper"])).all()
        assert (table["standard_error"] > 0).all()
    assert ecsi.failed_draws == 0


def test_bootstrap_standard_error_is_that_of_refitting_by_hand(mobi, ecsi):
    rng = np.random.default_rng(11)
    warnings.simplefilter("ignore", EstimationWarning)  # CUSL2 counts against its construct in some samples
    drawn = [path_model(mobi.iloc[rng.integers(250, size=250)], **ECSI, draws=0) for _ in range(40)]
    errors = np.std([fit.paths["coefficient"] for fit in drawn], axis=0, ddof=1)
    np.testing.assert_allclose(ecsi.paths["standard_error"], errors, rtol=0.4)
    index_errors = np.std([fit.indices["index"] for fit in drawn], axis=0, ddof=1)
    np.testing.assert_allclose(ecsi.indices["standard_error"], index_errors, rtol=0.4)


def test_index_of_a_single_item_has_the_error_of_a_weighted_mean(mobi):
    weights = np.linspace(0.2, 3, 250) ** 2
    fit = path_model(mobi, **ECSI, weights=weights, draws=400)
    alone = satisfaction_index(mobi, ["CUSCO"], weights=weights, draws=0)
    assert fit.indices.loc["Complaints", "index"] == pytest.approx(alone.value)
    assert fit.indices.loc["Complaints", "standard_error"] == pytest.approx(alone.standard_error, rel=0.15)


def test_map_shows_regressions_of_indices_in_points(ecsi, mobi):
    shares = ecsi.weights["share"]
    points = pd.DataFrame({name: 100 * (mobi[items] - 1) / 9 @ shares[name] for name, items in CONSTRUCTS.items()})
    np.testing.assert_allclose(points.mean(), ecsi.indices["index"])

    def slopes(effect):
        design = points[PATHS[effect]].assign(one=1.0)
        return pd.Series(np.linalg.lstsq(design, points[effect], rcond=None)[0], index=design.columns)

    direct = {effect: slopes(effect) for effect in PATHS}
    value = direct["Satisfaction"]["Value"]
    by_hand = value * (
        direct["Loyalty"]["Satisfaction"] + direct["Complaints"]["Satisfaction"] * direct["Loyalty"]["Complaints"]
    )
    table = ecsi.importance_performance("Loyalty")
    assert table.loc["Value", "importance"] == pytest.approx(by_hand)
    assert table.loc["Complaints", "importance"] == pytest.approx(direct["Loyalty"]["Complaints"])


def test_map_has_importance_of_the_target_and_performance_of_the_row(ecsi):
    table = ecsi.importance_performance("Satisfaction")
    assert list(table.index) == ["Image", "Expectation", "Quality", "Value"]
    np.testing.assert_array_equal(table["performance"], ecsi.indices.loc[table.index, "index"])
    assert (table["importance"] < 1.5).all() and (table["performance"] > 50).all()
    assert table.loc["Quality", "quadrant"] == "keep up" and table.loc["Value", "quadrant"] == "low priority"


def test_items_of_a_construct_share_its_importance(ecsi, mobi):
    items = ecsi.importance_performance("Loyalty", level="item")
    constructs = ecsi.importance_performance("Loyalty")
    np.testing.assert_allclose(
        items.groupby("construct", sort=False)["importance"].sum().reindex(constructs.index), constructs["importance"]
    )
    assert items.loc["CUSA1", "performance"] == pytest.approx(100 * (mobi["CUSA1"].mean() - 1) / 9)


def test_weights_equal_repeated_rows():
    frame = answers()
    counted = np.tile([1.0, 2.0, 0.0, 3.0], 50)
    weighted = path_model(frame, **SMALL, weights=counted, draws=0)
    repeated = path_model(frame.loc[frame.index.repeat(counted.astype(int))], **SMALL, draws=0)
    for name in ("paths", "total_effects", "loadings", "weights", "indices", "quality", "htmt"):
        left, right = (getattr(fit, name).select_dtypes("number") for fit in (weighted, repeated))
        np.testing.assert_allclose(left, right, err_msg=name)
    assert weighted.srmr == pytest.approx(repeated.srmr)
    assert weighted.n == 150 and weighted.effective_n == pytest.approx(300**2 / 700)


def test_two_copies_change_no_figure():
    frame = answers()
    once, twice = (path_model(each, **SMALL, draws=0) for each in (frame, pd.concat([frame, frame])))
    np.testing.assert_allclose(once.paths["coefficient"], twice.paths["coefficient"])
    np.testing.assert_allclose(once.indices["index"], twice.indices["index"])


def test_order_of_items_constructs_and_rows_does_not_matter():
    frame = answers()
    straight = path_model(frame, **SMALL, draws=50)
    turned = path_model(
        frame[frame.columns[::-1]],
        constructs={name: SMALL["constructs"][name][::-1] for name in ("y", "m", "x")},
        paths={"y": ["m", "x"], "m": ["x"]},
        draws=50,
    )
    pd.testing.assert_frame_equal(turned.paths.loc[straight.paths.index], straight.paths)
    shuffled = path_model(frame.sample(frac=1, random_state=1), **SMALL, draws=0)
    np.testing.assert_allclose(shuffled.paths["coefficient"], straight.paths["coefficient"])
    pd.testing.assert_frame_equal(shuffled.scores.sort_index(), straight.scores)


@settings(max_examples=10)
@given(factor=st.floats(0.1, 50), shift=st.floats(-100, 100))
def test_another_scale_of_an_item_changes_no_standardised_figure_and_no_index(factor, shift):
    frame = answers(120)
    scaled = frame.assign(y2=factor * frame["y2"] + shift)
    ends = tuple(factor * end + shift + slack for end, slack in ((1, -1e-9), (10, 1e-9)))
    one, other = path_model(frame, **SMALL, draws=0), path_model(scaled, **SMALL, scale={"y2": ends}, draws=0)
    np.testing.assert_allclose(other.paths["coefficient"], one.paths["coefficient"], atol=1e-8)
    np.testing.assert_allclose(other.indices["index"], one.indices["index"], rtol=1e-6)
    np.testing.assert_allclose(other.weights["share"], one.weights["share"], rtol=1e-6)


def test_same_seed_gives_the_same_intervals_and_leaves_the_generator_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, other = (path_model(answers(), **SMALL, draws=30, seed=5) for _ in range(2))
    pd.testing.assert_frame_equal(one.paths, other.paths)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_path_of_two_single_items_is_their_correlation():
    frame = answers()
    fit = path_model(frame, constructs={"a": ["x1"], "b": ["m1"]}, paths={"b": ["a"]}, draws=0)
    assert fit.paths["coefficient"].iloc[0] == pytest.approx(frame["x1"].corr(frame["m1"]))
    assert not len(fit.indirect_effects)


def test_mode_b_on_both_sides_finds_the_canonical_correlation():
    frame = answers()
    fit = path_model(
        frame,
        constructs={"x": ["x1", "x2"], "y": ["y1", "y2", "y3"]},
        paths={"y": ["x"]},
        modes={"x": "B", "y": "B"},
        draws=0,
    )
    r = frame.corr()
    x, y = ["x1", "x2"], ["y1", "y2", "y3"]
    product = np.linalg.solve(r.loc[x, x], r.loc[x, y]) @ np.linalg.solve(r.loc[y, y], r.loc[y, x])
    assert fit.paths["coefficient"].iloc[0] == pytest.approx(np.sqrt(np.linalg.eigvals(product).real.max()))


def test_planted_path_is_found_when_items_are_exact():
    rng = np.random.default_rng(8)
    x = rng.normal(size=20_000)
    m = 0.6 * x + 0.8 * rng.normal(size=20_000)
    frame = pd.DataFrame({"x1": x, "x2": 2 * x, "m1": m, "m2": m + 1})
    fit = path_model(frame, constructs={"x": ["x1", "x2"], "m": ["m1", "m2"]}, paths={"m": ["x"]}, scale=None, draws=0)
    assert fit.paths["coefficient"].iloc[0] == pytest.approx(0.6, abs=0.02)


def test_without_a_scale_there_are_paths_but_no_indices():
    fit = path_model(answers() * 7, **SMALL, scale=None, draws=20)
    assert fit.paths["lower"].notna().all() and fit.indices["index"].isna().all()
    with pytest.raises(SettingsError, match="without a scale"):
        fit.importance_performance("y")


def test_indices_follow_the_scale():
    frame = answers()
    fit = path_model(frame, **SMALL, scale=(0, 20), draws=0)
    assert fit.indices.loc["m", "index"] == pytest.approx(
        fit.weights["share"]["m"] @ (100 * frame[["m1", "m2"]].mean() / 20).to_numpy()
    )


def test_people_who_did_not_answer_all_are_left_out_and_said():
    frame = answers()
    frame.loc[:19, "x1"] = np.nan
    fit = path_model(frame, **SMALL, draws=0)
    np.testing.assert_allclose(fit.paths, path_model(frame[20:], **SMALL, draws=0).paths)
    assert fit.n == 180 and fit.notes[0].startswith("20 of 200 respondents (10%) are left out")
    assert fit.bases.loc[("x", "x1")].tolist() == [180, 20, 0]
    assert fit.scores["x"].isna().sum() == 20


def test_missing_answers_can_be_filled_in():
    whole = answers(400)
    frame = whole.mask(np.random.default_rng(2).random(whole.shape) < 0.05)
    filled = path_model(frame, **SMALL, missing="impute", imputations=4, draws=50)
    assert filled.n == 400 and filled.scores.notna().all(axis=None)
    assert any("filled in several times" in note for note in filled.notes)
    expected = path_model(whole, **SMALL, draws=0).paths["coefficient"]
    np.testing.assert_allclose(filled.paths["coefficient"], expected, atol=0.05)
    assert filled.paths["standard_error"].between(0.01, 0.12).all()


def test_filling_in_where_nothing_is_missing_changes_nothing():
    one = path_model(answers(), **SMALL, draws=0)
    other = path_model(answers(), **SMALL, missing="impute", draws=0)
    pd.testing.assert_frame_equal(one.paths, other.paths)


def test_answers_that_did_not_apply_are_never_filled_in():
    frame = answers()
    frame.loc[:9, "m2"] = np.nan
    survey = Survey(frame, frame[["m2"]].isna(), pd.Series(1.0, index=frame.index))
    fit = path_model(survey, **SMALL, missing="impute", draws=0)
    assert fit.n == 190 and fit.bases.loc[("m", "m2"), "not_applicable"] == 10
    assert "a question did not apply to them" in fit.notes[0]


def test_people_who_answered_nothing_are_not_made_up():
    frame = answers()
    frame.loc[:4] = np.nan
    fit = path_model(frame, **SMALL, missing="impute", draws=0)
    np.testing.assert_allclose(fit.paths, path_model(frame[5:], **SMALL, draws=0).paths)
    assert fit.n == 195


@pytest.mark.parametrize("draws", [0, 1])
def test_without_draws_there_are_no_intervals(draws):
    fit = path_model(answers(), **SMALL, draws=draws)
    assert fit.paths[["standard_error", "lower", "upper"]].isna().all(axis=None)
    assert fit.importance_performance("y")[["lower", "performance_upper"]].isna().all(axis=None)


def test_draws_in_which_an_item_does_not_vary_are_counted_and_said():
    frame = answers(120)
    frame["x2"] = 5.0
    frame.loc[0, "x2"] = 9.0  # missing from more than a third of all draws
    with pytest.warns(EstimationWarning, match="draws of respondents"):
        fit = path_model(frame, **SMALL, draws=100)
    assert 20 < fit.failed_draws < 60
    assert fit.paths[["lower", "upper"]].notna().all(axis=None)
    assert any(note.startswith(f"In {fit.failed_draws} of 100 draws") for note in fit.notes)


def test_few_answers_are_warned_of():
    with pytest.warns(EstimationWarning, match="does not make a small sample large"):
        path_model(answers(60), **SMALL, draws=0)


def test_unequal_weights_make_a_sample_small():
    with pytest.warns(EstimationWarning, match="few"):
        path_model(answers(120), **SMALL, weights=np.tile([1.0, 30.0], 60), draws=0)


def test_negative_weights_of_items_are_said():
    frame = answers()
    frame["y3"] = 11 - frame["y3"]
    with pytest.warns(EstimationWarning, match="outer weights of y3 are negative"):
        fit = path_model(frame, **SMALL, draws=0)
    assert any("y3: a negative outer weight" in note for note in fit.notes)


def test_a_search_that_does_not_end_is_said(monkeypatch):
    monkeypatch.setattr(pls, "MAX_ITERATIONS", 1)
    with pytest.warns(EstimationWarning, match="did not converge"):
        fit = path_model(answers(), **SMALL, draws=0)
    assert not fit.converged and fit.iterations == 1


def test_a_cycle_is_refused_by_its_names():
    with pytest.raises(SettingsError, match="m -> y -> x -> m is a cycle"):
        path_model(answers(), constructs=SMALL["constructs"], paths={"m": ["x"], "y": ["m"], "x": ["y"]})


def test_everything_wrong_with_a_model_is_said_at_once():
    with pytest.raises(SettingsError) as refusal:
        path_model(
            answers(),
            constructs={"x": ["x1", "x1"], "m": ["m1", "y1"], "y": ["y1"], "z": [], "alone": ["y2"]},
            paths={"m": ["x", "m"], "y": ["q"], "z": ["x"]},
            modes={"x": "C", "w": "A"},
            scheme="simplex",
        )
    said = str(refusal.value)
    for words in (
        "item x1 stands more than once in x",
        "item y1 belongs to m and y",
        "z has no items",
        "m is named as its own cause",
        "paths of q, but no such construct",
        "no path leads to or from alone",
        "the mode of x is 'C'",
        "a mode of w",
        "scheme is 'simplex'",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"constructs": {"x": "x1"}}, "give a list of names"),
        ({"paths": [("x", "m")]}, "give a mapping"),
        ({"level": 1.2}, "level"),
        ({"draws": -1}, "number of draws"),
        ({"missing": "mean"}, "give 'drop' or 'impute'"),
        ({"scale": (10, 1)}, "lowest and highest"),
        ({"scale": {"x9": (1, 5)}}, "no item x9"),
    ],
)
def test_wrong_settings_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        path_model(answers(), **(SMALL | wrong))


def test_unknown_targets_and_levels_are_refused(ecsi):
    with pytest.raises(SettingsError, match="construct that has causes"):
        ecsi.importance_performance("Image")
    with pytest.raises(SettingsError, match="'construct' or 'item'"):
        ecsi.importance_performance("Loyalty", level="person")


def test_items_that_do_not_vary_are_refused_together():
    with pytest.raises(DataError) as refusal:
        path_model(answers().assign(x1=4, y2=5), **SMALL)
    assert "'x1': all answers are the same" in str(refusal.value) and "'y2'" in str(refusal.value)


def test_answers_off_the_scale_are_refused():
    frame = answers()
    frame.loc[7, "m1"] = 99
    with pytest.raises(DataError, match=r"column 'm1': outside the scale of 1 to 10 in 1 row"):
        path_model(frame, **SMALL)


def test_items_of_mode_b_that_repeat_each_other_are_refused():
    frame = answers().assign(x2=lambda frame: 11 - frame["x1"])
    with pytest.raises(DataError, match="x1 and x2 of x say the same"):
        path_model(frame, **SMALL, modes={"x": "B"})


def test_causes_that_repeat_each_other_are_refused():
    frame = answers()
    frame[["m1", "m2"]] = frame[["x1", "x2"]]
    model = {"constructs": SMALL["constructs"], "paths": {"y": ["x", "m"]}}
    with pytest.raises(DataError, match="no solution for y: either the causes"):
        path_model(frame, **model)


def test_items_that_repeat_each_other_are_fine_in_mode_a():
    frame = answers().assign(x2=lambda frame: frame["x1"])
    assert path_model(frame, **SMALL, draws=0).loadings.loc["x", "loading"].tolist() == pytest.approx([1, 1])


def test_more_items_than_respondents_are_fine_in_mode_a():
    rng = np.random.default_rng(4)
    common = rng.normal(size=(12, 1))
    frame = pd.DataFrame(common + rng.normal(size=(12, 20)), columns=[f"i{i}" for i in range(20)])
    model = {"constructs": {"a": list(frame)[:10], "b": list(frame)[10:]}, "paths": {"b": ["a"]}}
    with pytest.warns(EstimationWarning, match="few"):
        fit = path_model(frame, **model, scale=None, draws=20)
    assert fit.converged and fit.paths["lower"].notna().all()


def test_fewer_than_ten_respondents_are_refused():
    with pytest.raises(DataError, match="9 of 9 respondents"):
        path_model(answers(9), **SMALL)


def test_a_fit_is_frozen(ecsi):
    with pytest.raises(FrozenInstanceError):
        ecsi.n = 3


def test_a_solution_does_not_depend_on_the_others_of_its_batch():
    tables = np.stack([answers(150, seed=seed).corr().to_numpy() for seed in range(3)])
    structure = pls.Structure(
        np.repeat(np.eye(3, dtype=bool), [2, 2, 3], axis=1),
        np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0]], bool),
        np.array([False, True, False]),
        "path",
    )
    together = pls.solve(np.concatenate([tables, np.full((1, 7, 7), np.nan)]), structure)
    np.testing.assert_array_equal(together.weights[1], pls.solve(tables[1], structure).weights)
    assert together.converged.tolist() == [True, True, True, False] and np.isnan(together.weights[3]).all()
