"""Raking: closed forms, another package, what stays of the design, trimming, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.company import simulate_company
from crm_analysis.data.survey_door import read_survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.weighting import design_effect, rake, raked_survey, trim_weights

MARGINS = {"region": {"North": 0.5, "South": 0.3, "East": 0.2}, "age": {"young": 0.4, "old": 0.6}}


@pytest.fixture(scope="module")
def people():
    rng = np.random.default_rng(2)
    region = rng.choice(["North", "South", "East"], 240, p=[0.2, 0.4, 0.4])
    age = np.where(rng.random(240) < np.where(region == "North", 0.8, 0.5), "young", "old")
    return pd.DataFrame({"region": region, "age": age, "design": rng.uniform(0.5, 2, 240)}, index=range(1000, 1240))


def shares(frame, weights, column):
    return weights.groupby(frame[column]).sum() / weights.sum()


def test_one_margin_is_met_by_target_over_share_found(people):
    weights = rake(people, margins={"age": MARGINS["age"]})
    expected = people["age"].map({"young": 0.4, "old": 0.6}) / people["age"].map(
        people["age"].value_counts(normalize=True)
    )
    np.testing.assert_allclose(weights, expected)


def test_two_margins_of_an_even_table_are_met_by_the_product_of_their_shares():
    even = pd.DataFrame([(a, b) for a in "xy" for b in "uv"] * 5, columns=["first", "second"])
    weights = rake(even, margins={"first": {"x": 0.3, "y": 0.7}, "second": {"u": 0.2, "v": 0.8}})
    expected = 4 * even["first"].map({"x": 0.3, "y": 0.7}) * even["second"].map({"u": 0.2, "v": 0.8})
    np.testing.assert_allclose(weights, expected, rtol=1e-7)


def test_raking_gives_the_weights_of_samplics(published):
    figure = published["voice-raking-two-margins"]
    frame = pd.DataFrame({name: figure[name] for name in ("first", "second", "design")})
    margins = {"first": {"x": 40, "y": 35, "z": 25}, "second": {"u": 45, "v": 55}}
    published.check("voice-raking-two-margins", rake(frame, margins=margins, weights="design", tolerance=1e-12))


def test_all_margins_are_met_and_the_mean_weight_is_one(people):
    weights = rake(people, margins=MARGINS, weights="design")
    for column, targets in MARGINS.items():
        found = shares(people, weights, column)
        assert all(found[level] == pytest.approx(share, abs=1e-8) for level, share in targets.items())
    assert weights.mean() == pytest.approx(1) and weights.index.equals(people.index)


def test_the_order_of_margins_does_not_matter(people):
    turned = dict(reversed(MARGINS.items()))
    forth, back = (rake(people, margins=margins, tolerance=1e-13) for margins in (MARGINS, turned))
    np.testing.assert_allclose(forth, back, rtol=1e-9)


@settings(max_examples=15)
@given(st.floats(0.1, 0.8), st.floats(0.1, 0.9), st.integers(0, 10_000))
def test_design_weights_keep_their_odds_ratios(first, second, seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame([(a, b) for a in "xy" for b in "uv"] * 4, columns=["first", "second"])
    frame["design"] = rng.uniform(0.2, 5, len(frame))
    margins = {"first": {"x": first, "y": 1 - first}, "second": {"u": second, "v": 1 - second}}
    raked = rake(frame, margins=margins, weights="design", tolerance=1e-12)

    def odds_ratio(weights):
        table = weights.groupby([frame["first"], frame["second"]]).sum()
        return table["x", "u"] * table["y", "v"] / (table["x", "v"] * table["y", "u"])

    assert odds_ratio(raked) == pytest.approx(odds_ratio(frame["design"]), rel=1e-9)


def test_respondents_alike_keep_the_ratio_of_their_design_weights(people):
    weights = rake(people, margins=MARGINS, weights="design")
    factor = (weights / people["design"]).groupby([people["region"], people["age"]])
    np.testing.assert_allclose(factor.max(), factor.min())


def test_shares_and_counts_give_the_same_weights(people):
    counts = {
        column: {level: 12_000 * share for level, share in targets.items()} for column, targets in MARGINS.items()
    }
    np.testing.assert_allclose(rake(people, margins=counts), rake(people, margins=MARGINS))


def test_margins_that_are_met_already_change_nothing(people):
    margins = {"region": people["region"].value_counts().to_dict()}
    np.testing.assert_allclose(rake(people, margins=margins), 1)


def test_who_weighs_nothing_still_weighs_nothing_and_may_be_of_any_level(people):
    design = people["design"].where(people.index > 1004, 0)
    frame = people.assign(region=people["region"].where(people.index > 1004))
    weights = rake(frame, margins=MARGINS, weights=design)
    assert (weights[:5] == 0).all() and (weights[5:] > 0).all()


def test_margins_that_contradict_each_other_are_warned_of():
    frame = pd.DataFrame({"first": list("xxyy"), "second": list("uuvv")})
    with pytest.warns(EstimationWarning, match="cannot be met all together"):
        rake(frame, margins={"first": {"x": 0.5, "y": 0.5}, "second": {"u": 0.8, "v": 0.2}})


# --- Trimming and the cost of weights ---------------------------------------------------------------------------


def test_trimmed_weights_keep_their_sum_and_the_multiple_of_their_median():
    weights = pd.Series(np.random.default_rng(1).lognormal(0, 1.5, 200), index=range(500, 700))
    trimmed = trim_weights(weights, most=4)
    assert trimmed.sum() == pytest.approx(weights.sum())
    assert trimmed.max() == pytest.approx(4 * trimmed.median())
    assert trimmed.index.equals(weights.index)


def test_trimming_leaves_the_order_of_weights_and_low_ratios_alone():
    trimmed = trim_weights([1.0, 2.0, 3.0, 40.0], most=3)
    assert trimmed[1] / trimmed[0] == 2 and trimmed.is_monotonic_increasing


def test_the_median_is_of_those_who_weigh_something():
    assert trim_weights([0.0, 0.0, 0.0, 1.0, 1.0, 4.0], most=2).tolist() == [0, 0, 0, 1.5, 1.5, 3]


def test_weights_below_the_limit_are_not_trimmed():
    assert trim_weights([1.0, 2.0, 3.0], most=2).tolist() == [1, 2, 3]


def test_trimmed_raking_meets_the_margins_and_the_limit(people):
    design = pd.Series(np.random.default_rng(8).lognormal(0, 1, len(people)), index=people.index)
    margins = {"region": {"North": 0.3, "South": 0.4, "East": 0.3}, "age": {"young": 0.5, "old": 0.5}}
    untrimmed, weights = (
        rake(people, margins=margins, weights=design),
        rake(people, margins=margins, weights=design, trim=3),
    )
    assert untrimmed.max() > 20 * untrimmed.median()
    assert weights.max() == pytest.approx(3 * weights.median())
    assert shares(people, weights, "region")["North"] == pytest.approx(0.3, abs=1e-8)
    assert shares(people, weights, "age")["old"] == pytest.approx(0.5, abs=1e-8)


def test_a_limit_that_the_margins_forbid_is_warned_of(people):
    with pytest.warns(EstimationWarning, match="together with the trimming"):
        weights = rake(people, margins=MARGINS, trim=1.05)
    assert weights.max() <= 1.05 * weights.median() * (1 + 1e-9)


def test_the_design_effect_is_one_plus_the_squared_variation_of_weights():
    weights = np.array([1.0, 2, 3, 1, 0])
    positive = weights[:4]
    assert design_effect(weights) == pytest.approx(1 + positive.var() / positive.mean() ** 2)


def test_equal_weights_cost_nothing():
    assert design_effect(np.full(10, 3.0)) == 1


# --- What is refused --------------------------------------------------------------------------------------------


def test_levels_without_a_target_and_missing_ones_are_refused_at_once_with_their_names(people):
    frame = people.copy()
    frame.loc[1003, "region"], frame.loc[1004, "age"] = "Mars", None
    with pytest.raises(DataError, match=r"'region'[\s\S]*'Mars'[\s\S]*'age': missing in 1 row"):
        rake(frame, margins=MARGINS)


def test_targets_without_respondents_are_refused_by_name(people):
    with pytest.raises(SettingsError, match="nobody is West"):
        rake(people, margins={"region": {"North": 0.4, "South": 0.3, "East": 0.2, "West": 0.1}})


def test_a_target_of_nothing_needs_no_respondents(people):
    with_west = {**MARGINS["region"], "West": 0.0}
    expected = rake(people, margins={"region": MARGINS["region"]})
    pd.testing.assert_series_equal(rake(people, margins={"region": with_west}), expected)


@pytest.mark.parametrize(
    "wrong",
    [
        {"margins": {}},
        {"margins": {"town": {"A": 1.0}}},
        {"margins": {"age": {"young": 0.4, "old": 0.5}}},
        {"margins": {"age": {"young": -0.4, "old": 1.4}}},
        {"margins": {"age": "young"}},
        {"trim": 0.5},
        {"tolerance": 0},
    ],
)
def test_margins_and_numbers_that_do_not_fit_are_refused(people, wrong):
    with pytest.raises(SettingsError):
        rake(people, **{"margins": MARGINS, **wrong})


@pytest.mark.parametrize("wrong", [[1.0, -1.0], [np.nan, 1.0], [0.0, 0.0], ["a"]])
def test_weights_that_are_none_are_refused(wrong):
    for use in (trim_weights, design_effect):
        with pytest.raises(SettingsError):
            use(wrong)


def test_the_simulated_survey_can_be_raked_to_its_waves_and_regions():
    company = simulate_company(seed=4, customers=1_000, months=12)
    region = company.tables["customers"].set_index("customer_id")["region"]
    survey = company.tables["survey"]
    survey = survey.assign(region=survey["customer_id"].map(region)).dropna(subset="region")
    targets = {"region": region.value_counts().to_dict()}
    weights = rake(survey, margins=targets, weights="weight")
    expected = region.value_counts(normalize=True)
    pd.testing.assert_series_equal(
        shares(survey, weights, "region"), expected.sort_index(), check_names=False, check_dtype=False
    )


@pytest.fixture
def two_waves():
    table = pd.DataFrame(
        {
            "respondent_id": [f"R{number}" for number in (*range(40), *range(60))],
            "wave": ["2024-06"] * 40 + ["2024-12"] * 60,
            "overall_satisfaction": [7] * 100,
            "region": ["North"] * 10 + ["South"] * 30 + ["North"] * 45 + ["South"] * 15,
            "weight": [1.0] * 99 + [30.0],
        }
    )

    def read(**more):
        return read_survey(table, codebook={"segments": ["region"], **more})

    return read


def test_each_wave_of_a_survey_is_raked_to_the_margins_of_its_codebook(two_waves):
    survey = raked_survey(two_waves(margins={"region": {"North": 0.5, "South": 0.5}}))
    for wave in survey.waves:
        part = survey.wave(wave)
        assert shares(part.frame, part.weights, "region").to_dict() == pytest.approx({"North": 0.5, "South": 0.5})
        assert part.weights.mean() == pytest.approx(1)


def test_the_weights_of_a_survey_are_trimmed_where_its_codebook_says_so(two_waves):
    before, after = (raked_survey(survey).wave("2024-12").weights for survey in (two_waves(), two_waves(trim=5)))
    assert before.max() > 20 * before.median()
    assert after.max() <= 5 * after.median() * (1 + 1e-9)


def test_a_survey_without_margins_is_returned_as_it_is(two_waves):
    survey = two_waves()
    assert raked_survey(survey) is survey
