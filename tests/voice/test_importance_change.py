import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.importance import lmg_contributions
from crm_analysis.voice.importance_change import importance_change

DRIVERS = ["a", "b", "c"]
ARGUMENTS = {"outcome": "y", "drivers": DRIVERS, "before": "2025", "after": "2026"}


def wave(n, seed, slopes, name):
    rng = np.random.default_rng(seed)
    x = 0.6 * rng.normal(size=(n, 1)) + 0.8 * rng.normal(size=(n, 3))
    y = x @ np.array(slopes) + rng.normal(size=n)
    return pd.DataFrame(x, columns=DRIVERS).assign(y=y, wave=name, id=[f"{name}-{at}" for at in range(n)])


def two_waves(n, seed, first=(0.5, 0.3, 0.1), second=(0.5, 0.3, 0.1)):
    both = [wave(n, seed, first, "2025"), wave(n, seed + 10_000, second, "2026")]
    return pd.concat(both, ignore_index=True)


def test_a_planted_change_is_found():
    table = importance_change(two_waves(1000, 1, second=(0.1, 0.3, 0.5)), **ARGUMENTS, draws=300)
    assert table["verdict"].to_dict() == {"a": "less", "b": "no real change", "c": "more"}
    assert table["slope_verdict"].to_dict() == {"a": "less", "b": "no real change", "c": "more"}


def test_shares_and_slopes_are_those_of_each_wave():
    frame = two_waves(300, 2)
    table = importance_change(frame, **ARGUMENTS, draws=100)
    for name, column in (("2025", "before"), ("2026", "after")):
        part = frame[frame["wave"] == name]
        contributions = lmg_contributions(np.cov(part[[*DRIVERS, "y"]].to_numpy().T))
        np.testing.assert_allclose(table[column], contributions / contributions.sum())
        x = np.column_stack([part[DRIVERS], np.ones(300)])
        np.testing.assert_allclose(table[f"slope_{column}"], np.linalg.lstsq(x, part["y"], rcond=None)[0][:3])
    np.testing.assert_allclose(table["change"], table["after"] - table["before"])


def test_no_driver_is_called_changed_more_often_than_the_level_says():
    # Over three drivers together; more than 14 of 100 at 5 % have a chance below 1 in 1,000.
    false = {"verdict": 0, "slope_verdict": 0}
    for seed in range(100):
        table = importance_change(two_waves(150, 100 + seed), **ARGUMENTS, draws=200)
        for column in false:
            false[column] += (table[column] != "no real change").any()
    assert max(false.values()) <= 14


def test_the_same_respondents_in_both_waves_make_the_difference_surer():
    first = wave(300, 3, (0.5, 0.3, 0.1), "2025").assign(id=range(300))
    rng = np.random.default_rng(4)
    second = first.assign(wave="2026", y=first["y"] + 0.2 * rng.normal(size=300))
    frame = pd.concat([first, second], ignore_index=True)
    together = importance_change(frame, **ARGUMENTS, respondent="id", draws=200)
    apart = importance_change(frame, **ARGUMENTS, draws=200)
    assert (together["standard_error"] < 0.6 * apart["standard_error"]).all()
    assert (together["n_both"] == 300).all()
    assert (apart["n_both"] == 0).all()
    pd.testing.assert_series_equal(together["change"], apart["change"])


def test_respondents_without_an_id_are_everybody_somebody_else():
    frame = two_waves(150, 5).assign(id=None)
    nobody = importance_change(frame, **ARGUMENTS, respondent="id", draws=100)
    pd.testing.assert_frame_equal(nobody, importance_change(frame, **ARGUMENTS, draws=100))


def test_weights_of_two_give_the_change_of_rows_given_twice():
    frame = two_waves(150, 6)
    weights = np.where(np.arange(300) < 80, 2.0, 1.0)
    columns = ["before", "after", "slope_before", "slope_after"]
    weighted = importance_change(frame, **ARGUMENTS, weights=weights, draws=100)[columns]
    twice = importance_change(pd.concat([frame, frame.head(80)], ignore_index=True), **ARGUMENTS, draws=100)[columns]
    pd.testing.assert_frame_equal(weighted, twice)


def test_a_survey_brings_its_weights():
    frame, weights = two_waves(150, 16), pd.Series(np.where(np.arange(300) < 80, 2.0, 1.0))
    survey = Survey(frame, pd.DataFrame(index=frame.index), weights)
    pd.testing.assert_frame_equal(
        importance_change(survey, **ARGUMENTS, draws=100),
        importance_change(frame, **ARGUMENTS, weights=weights, draws=100),
    )


def test_other_waves_change_nothing():
    frame = two_waves(150, 7)
    more = pd.concat([frame, wave(50, 8, (1, 1, 1), "2024")], ignore_index=True)
    pd.testing.assert_frame_equal(
        importance_change(more, **ARGUMENTS, draws=100), importance_change(frame, **ARGUMENTS, draws=100)
    )


def test_the_order_of_drivers_changes_nothing_else():
    frame = two_waves(150, 9)
    turned = importance_change(frame, **(ARGUMENTS | {"drivers": DRIVERS[::-1]}), draws=100)
    pd.testing.assert_frame_equal(turned.loc[DRIVERS], importance_change(frame, **ARGUMENTS, draws=100))


def test_a_single_driver_has_all_of_it_in_both_waves():
    table = importance_change(two_waves(150, 10), **(ARGUMENTS | {"drivers": ["a"]}), draws=100)
    assert table.loc["a", ["before", "after", "verdict"]].tolist() == [1, 1, "no real change"]


def test_relative_weights_are_close_to_lmg():
    frame = two_waves(300, 11)
    by = {method: importance_change(frame, **ARGUMENTS, method=method, draws=100) for method in ("lmg", "johnson")}
    np.testing.assert_allclose(by["johnson"]["before"], by["lmg"]["before"], atol=0.03)


def test_small_waves_are_said():
    with pytest.warns(EstimationWarning, match="60 and 60 answers"):
        importance_change(two_waves(60, 12), **ARGUMENTS, draws=100)


def test_who_answered_twice_in_a_wave_is_refused():
    frame = two_waves(150, 13)
    with pytest.raises(DataError, match="1 answered twice in a wave, such as 2025-3"):
        importance_change(pd.concat([frame, frame.iloc[[3]]]), **ARGUMENTS, respondent="id")


def test_a_driver_that_does_not_vary_in_a_wave_is_refused():
    frame = two_waves(150, 14)
    frame.loc[frame["wave"] == "2026", "a"] = 5.0
    with pytest.raises(DataError, match="does not vary"):
        importance_change(frame, **ARGUMENTS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"method": "first"}, "method"),
        ({"draws": 0}, "draws"),
        ({"seed": 0.5}, "seed"),
        ({"after": "2025"}, "two waves"),
        ({"drivers": "a"}, "give a list of columns"),
        ({"drivers": None}, "drivers is None"),
        ({"after": "2027"}, "nobody answered everything in wave 2027"),
    ],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        importance_change(two_waves(150, 15), **(ARGUMENTS | options))


def test_the_name_of_the_index_tells_who_answered_as_a_column_does():
    frame = pd.concat([wave(150, 17, (0.5, 0.3, 0.1), name).assign(id=range(150)) for name in ("2025", "2026")])
    by_index = importance_change(frame.set_index("id"), **ARGUMENTS, respondent="id", draws=100)
    assert (by_index["n_both"] == 150).all()
    pd.testing.assert_frame_equal(by_index, importance_change(frame, **ARGUMENTS, respondent="id", draws=100))
