"""Waves: the tests of scipy at either end, what lies between, words, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crm_analysis.company import simulate_company
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.satisfaction import net_promoter_score, top_box
from crm_analysis.voice.waves import compare_waves, wave_trend

N = 60


@pytest.fixture(scope="module")
def panel():
    """Sixty customers who answer twice, in another order the second time."""
    rng = np.random.default_rng(11)
    mood = rng.standard_normal(N)
    first, second = (np.clip(np.round(7 + 1.4 * (mood + rng.standard_normal(N)) + up), 0, 10) for up in (0, 0.6))
    order = rng.permutation(N)
    ids = np.array([f"C{place}" for place in range(N)])
    before = pd.DataFrame({"wave": "2023", "customer_id": ids, "rating": first})
    after = pd.DataFrame({"wave": "2024", "customer_id": ids[order], "rating": second[order]})
    frame = pd.concat([before, after], ignore_index=True)
    return frame.assign(other=rng.integers(1, 11, 2 * N).astype(float), weight=rng.uniform(0.5, 2, 2 * N))


def compare(frame, items=("rating",), **options):
    return compare_waves(frame, list(items), before="2023", after="2024", **options)


def row(changes, item="rating"):
    return changes.loc[item, ["change", "lower", "upper", "p_value"]].astype(float).to_numpy()


def test_two_waves_differ_as_published(published):
    counts = {"2023": (230, 150, 120), "2024": (250, 150, 100)}
    frame = pd.concat(
        pd.DataFrame({"wave": wave, "recommend": np.repeat([9, 7, 0], number)}) for wave, number in counts.items()
    )
    found = compare(frame, ["recommend"], measure="nps").loc["recommend"]
    z = found["change"] / found["standard_error"]
    published.check("voice-R25-waves", [found["before"], found["after"], z, found["p_value"]])
    assert found["verdict"] == "no real change"


def test_where_all_answer_twice_it_is_the_paired_t_test(panel):
    wide = panel.pivot_table(index="customer_id", columns="wave", values="rating")
    test = stats.ttest_rel(wide["2024"], wide["2023"])
    interval = test.confidence_interval()
    changes = compare(panel, respondent="customer_id")
    change = (wide["2024"] - wide["2023"]).mean()
    np.testing.assert_allclose(row(changes), [change, interval.low, interval.high, test.pvalue], rtol=1e-9)
    assert changes.loc["rating", "n_both"] == N


def test_where_nobody_answers_twice_it_is_the_test_of_welch(panel):
    parts = [panel.loc[panel["wave"] == wave, "rating"] for wave in ("2024", "2023")]
    test = stats.ttest_ind(*parts, equal_var=False)
    interval = test.confidence_interval()
    expected = [parts[0].mean() - parts[1].mean(), interval.low, interval.high, test.pvalue]
    np.testing.assert_allclose(row(compare(panel)), expected, rtol=1e-9)
    apart = panel.assign(customer_id=panel["customer_id"] + panel["wave"])
    np.testing.assert_allclose(row(compare(apart, respondent="customer_id")), expected, rtol=1e-9)


def test_where_some_answer_twice_it_is_the_test_for_partly_overlapping_samples(panel):
    frame = panel.drop(index=[*range(20), *range(100, 120)])
    a, b = frame[frame["wave"] == "2023"], frame[frame["wave"] == "2024"]
    both = a.merge(b, on="customer_id")
    (s, n), (t, m), c = (a["rating"].var(), len(a)), (b["rating"].var(), len(b)), len(both)
    r = both["rating_x"].corr(both["rating_y"])
    error = np.sqrt(s / n + t / m - 2 * r * np.sqrt(s * t) * c / (n * m))
    welch = (s / n + t / m) ** 2 / ((s / n) ** 2 / (n - 1) + (t / m) ** 2 / (m - 1))
    df = c - 1 + (welch - c + 1) / (n + m) * (n + m - 2 * c)
    change = b["rating"].mean() - a["rating"].mean()
    reach = stats.t.ppf(0.975, df) * error
    changes = compare(frame, respondent="customer_id")
    expected = [change, change - reach, change + reach, 2 * stats.t.sf(abs(change / error), df)]
    np.testing.assert_allclose(row(changes), expected, rtol=1e-9)
    assert 0 < changes.loc["rating", "n_both"] == c < min(n, m)


def test_weighted_full_overlap_is_the_linearised_error_of_the_differences(panel):
    weight = panel["customer_id"].map(panel[panel["wave"] == "2023"].set_index("customer_id")["weight"])
    found = compare(panel.assign(weight=weight), respondent="customer_id", weights="weight").loc["rating"]
    wide = panel.pivot_table(index="customer_id", columns="wave", values="rating")
    w = weight[: len(wide)].to_numpy()
    d = (wide["2024"] - wide["2023"]).reindex(panel["customer_id"][: len(wide)]).to_numpy()
    mean = np.average(d, weights=w)
    error = np.sqrt(N / (N - 1) * (w**2 * (d - mean) ** 2).sum()) / w.sum()
    assert [found["change"], found["standard_error"]] == pytest.approx([mean, error])


def test_who_is_not_named_counts_as_somebody_else(panel):
    nameless = panel.assign(customer_id=None)
    pd.testing.assert_frame_equal(compare(nameless, respondent="customer_id"), compare(panel))


def test_who_weighs_nothing_is_in_neither_wave(panel):
    weight = panel["weight"].where(panel["customer_id"] != "C5", 0)
    found = compare(panel, respondent="customer_id", weights=weight).loc["rating"]
    assert found[["n_before", "n_after", "n_both"]].tolist() == [N - 1, N - 1, N - 1]
    without = panel[panel["customer_id"] != "C5"]
    expected = compare(without, respondent="customer_id", weights="weight")
    np.testing.assert_allclose(row(expected), found[["change", "lower", "upper", "p_value"]].astype(float))


def test_p_values_are_right_where_some_answer_twice():
    rng = np.random.default_rng(4)
    alarms = 0
    for _ in range(200):
        mood = rng.standard_normal(70)
        first, second = (np.round(7 + mood[part] + rng.standard_normal(50)) for part in (slice(50), slice(20, 70)))
        ids = [*range(50), *range(20, 70)]
        frame = pd.DataFrame({"wave": np.repeat(["2023", "2024"], 50), "id": ids, "rating": [*first, *second]})
        alarms += compare(frame, respondent="id").loc["rating", "p_value"] < 0.1
    assert abs(alarms / 200 - 0.1) < 4 * np.sqrt(0.09 / 200)


def test_p_values_are_adjusted_for_the_number_of_questions(panel):
    alone, together = compare(panel), compare(panel, ["rating", "other"])
    smaller = together["p_value"].min()
    assert together["p_adjusted"].min() == pytest.approx(2 * smaller)
    assert together.loc["rating", "p_value"] == alone.loc["rating", "p_value"]


def test_verdicts_say_higher_lower_or_no_real_change(panel):
    up = panel.assign(
        up=panel["rating"] + (panel["wave"] == "2024"), down=panel["rating"] - 2 * (panel["wave"] == "2024")
    )
    verdicts = compare(up, ["up", "down", "other"], respondent="customer_id")["verdict"]
    assert verdicts.to_dict() == {"up": "higher", "down": "lower", "other": "no real change"}


def test_few_answers_are_not_tested(panel):
    frame = panel.assign(rating=panel["rating"].where((panel["wave"] == "2023") | (panel.index >= 2 * N - 9)))
    changes = compare(frame, ["rating", "other"])
    assert changes.loc["rating", "verdict"] == "too few answers" and np.isnan(changes.loc["rating", "p_value"])
    assert changes.loc["other", "p_adjusted"] == changes.loc["other", "p_value"]


def test_a_question_that_nobody_answered_in_one_wave_has_no_change(panel):
    frame = panel.assign(rating=panel["rating"].where(panel["wave"] == "2023"))
    found = compare(frame).loc["rating"]
    assert found["n_after"] == 0 and np.isnan(found["change"]) and found["verdict"] == "too few answers"


def test_a_share_of_nothing_still_has_an_error():
    frame = pd.DataFrame({"wave": np.repeat(["2023", "2024"], 12), "rating": [5] * 12 + [10] * 3 + [5] * 9})
    found = compare(frame, measure="top_box").loc["rating"]
    first, last = (0 + 2) / (12 + 4), 0.25  # four answers are added to the wave in which all are alike
    assert found["standard_error"] == pytest.approx(np.sqrt(first * (1 - first) / 16 + last * (1 - last) / 12))


def test_nothing_changes_where_all_say_the_same():
    frame = pd.DataFrame({"wave": np.repeat(["2023", "2024"], 20), "rating": 8.0})
    found = compare(frame).loc["rating"]
    assert (found["p_value"], found["verdict"]) == (1, "no real change")


@pytest.mark.parametrize(("name", "measure"), [("nps", net_promoter_score), ("top_box", top_box)])
def test_waves_have_the_values_of_the_measure(panel, name, measure):
    found = compare(panel, measure=name, scale=(0, 10), weights="weight").loc["rating"]
    options = {} if name == "nps" else {"scale": (0, 10)}
    for column, wave in [("before", "2023"), ("after", "2024")]:
        part = panel[panel["wave"] == wave]
        assert found[column] == pytest.approx(measure(part["rating"], weights=part["weight"], **options).value)


def test_the_trend_has_each_wave_with_its_interval(panel):
    trend = wave_trend(panel, "rating", measure="nps", weights="weight")
    part = panel[panel["wave"] == "2024"]
    alone = net_promoter_score(part["rating"], weights=part["weight"])
    assert trend.index.tolist() == ["2023", "2024"]
    expected = [alone.n, alone.effective_n, alone.value, alone.interval.lower, alone.interval.upper]
    np.testing.assert_allclose(trend.loc["2024"], expected)


def test_waves_of_the_simulated_company_are_compared_by_customer():
    survey = simulate_company(seed=2, customers=1_500, months=18).tables["survey"]
    items = ["overall_satisfaction", "repurchase_intention"]
    options = {"before": "2021-06", "after": "2022-06", "weights": "weight"}
    changes = compare_waves(survey, items, respondent="customer_id", **options)
    assert (changes["n_both"] > 0).all()
    assert wave_trend(survey, "recommend", measure="nps").index.tolist() == ["2021-06", "2021-12", "2022-06"]


def test_one_who_answers_twice_in_a_wave_is_refused(panel):
    twice = pd.concat([panel, panel.iloc[[3]]], ignore_index=True)
    with pytest.raises(DataError, match=r"more than once in a wave in 2 row\(s\)[\s\S]*C3"):
        compare(twice, respondent="customer_id")


def test_answers_off_the_scale_are_refused_for_all_questions_at_once(panel):
    frame = panel.assign(rating=11.0, other=-1.0)
    with pytest.raises(DataError, match=r"'rating'[\s\S]*'other'"):
        compare(frame, ["rating", "other"], measure="nps")


@pytest.mark.parametrize(
    "wrong",
    [{"after": "2030"}, {"after": "2023"}, {"wave": "year"}, {"respondent": "name"}, {"adjust": "x"}, {"level": 2}],
)
def test_unknown_waves_columns_and_methods_are_refused(panel, wrong):
    with pytest.raises(SettingsError):
        compare_waves(panel, ["rating"], **{"before": "2023", "after": "2024", **wrong})
