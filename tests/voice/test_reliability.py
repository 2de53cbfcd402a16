from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, stats
from statsmodels.multivariate.factor import Factor

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice import one_factor
from crm_analysis.voice.one_factor import one_factor_loadings
from crm_analysis.voice.reliability import reliability

MOBI = Path(__file__).parents[3] / "shared" / "data" / "ecsi_mobi.csv"
PLANTED = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
ITEMS = list("abcde")


def exactly(covariances, n=60):
    """Answers whose covariances, with divisor n, are the given ones."""
    size = len(covariances)
    raw = np.random.default_rng(0).normal(size=(n, size))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(raw.T @ raw / n)).T
    return pd.DataFrame(white @ np.linalg.cholesky(covariances).T, columns=list("abcdefgh")[:size])


def of_one_factor(loadings):
    return np.outer(loadings, loadings) + np.diag(1 - loadings**2)


@pytest.fixture(scope="module")
def mobi():
    if not MOBI.is_file():
        pytest.skip("the public survey is not beside the project")
    return pd.read_csv(MOBI)


def test_alpha_is_its_closed_form():
    frame = pd.DataFrame({"a": [1, 2, 3, 4, 5], "b": [2, 1, 4, 3, 5], "c": [1, 3, 2, 5, 4]})
    by_hand = 3 / 2 * (1 - frame.var().sum() / frame.sum(axis=1).var())
    assert reliability(frame, ["a", "b", "c"], draws=0).alpha.value == pytest.approx(by_hand)


def test_alpha_of_equal_items_is_that_of_spearman_and_brown():
    frame = exactly(np.full((4, 4), 0.4) + 0.6 * np.eye(4))
    result = reliability(frame, list("abcd"), draws=0)
    assert result.alpha.value == pytest.approx(4 * 0.4 / (1 + 3 * 0.4))
    assert result.omega.value == pytest.approx(result.alpha.value)


def test_alpha_of_mobi_is_published(mobi, published):
    # That of standardised items is the alpha of standardised answers.
    standardised = (mobi - mobi.mean()) / mobi.std()
    values = [
        reliability(standardised, [name for name in mobi if name.startswith(start)], draws=0).alpha.value
        for start in ("IMAG", "CUEX", "PERQ", "PERV", "CUSA", "CUSL")
    ]
    published.check("voice-path-alpha", values)


def test_omega_is_that_of_the_planted_factor():
    result = reliability(exactly(of_one_factor(PLANTED)), ITEMS, draws=0)
    common = PLANTED.sum() ** 2
    assert result.omega.value == pytest.approx(common / (common + np.sum(1 - PLANTED**2)))
    np.testing.assert_allclose(result.items["loading"], PLANTED, atol=1e-7)
    assert result.alpha.value < result.omega.value


def test_omega_of_items_as_they_are_counts_items_by_their_spread():
    spread = np.array([1.0, 2.0, 0.5, 3.0, 1.0])
    result = reliability(exactly(of_one_factor(PLANTED) * np.outer(spread, spread)), ITEMS, draws=0)
    common = np.sum(PLANTED * spread) ** 2
    assert result.omega.value == pytest.approx(common / (common + np.sum((1 - PLANTED**2) * spread**2)))


def test_loadings_are_near_those_of_maximum_likelihood(mobi):
    items = [name for name in mobi if name.startswith("PERQ")]
    by_likelihood = np.abs(Factor(mobi[items].to_numpy(float), n_factor=1, method="ml").fit().loadings[:, 0])
    result = reliability(mobi, items, draws=0)
    np.testing.assert_allclose(result.items["loading"], by_likelihood, atol=0.03)
    spread = mobi[items].std().to_numpy()
    common, own = np.sum(by_likelihood * spread) ** 2, np.sum((1 - by_likelihood**2) * spread**2)
    assert result.omega.value == pytest.approx(common / (common + own), abs=2e-3)


@pytest.mark.parametrize("start", ["IMAG", "PERQ", "CUSL", "CUSA"])
def test_loadings_have_the_least_residuals(mobi, start):
    table = mobi[[name for name in mobi if name.startswith(start)]].corr().to_numpy()
    above = np.triu_indices(len(table), 1)

    def residual(loadings):
        return np.sum((table - np.outer(loadings, loadings))[above] ** 2)

    bounds = [(-1, 1)] * len(table)
    search = optimize.minimize(residual, np.full(len(table), 0.5), bounds=bounds, options={"ftol": 1e-14})
    assert residual(one_factor_loadings(table)) == pytest.approx(search.fun, rel=1e-6, abs=1e-9)


def test_feldt_interval_is_where_the_tails_are():
    frame = exactly(of_one_factor(PLANTED), n=60)
    alpha = reliability(frame, ITEMS, draws=0, level=0.9).alpha
    assert stats.f.cdf((1 - alpha.value) / (1 - alpha.interval.lower), 59 * 4, 59) == pytest.approx(0.05)
    assert stats.f.cdf((1 - alpha.value) / (1 - alpha.interval.upper), 59 * 4, 59) == pytest.approx(0.95)
    assert alpha.method == "Feldt"


def test_bootstrap_agrees_with_feldt_for_normal_answers():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame(rng.normal(size=(400, 1)) + rng.normal(size=(400, 4)), columns=list("abcd"))
    drawn, closed = (reliability(frame, list("abcd"), draws=draws).alpha for draws in (600, 0))
    assert drawn.interval.lower == pytest.approx(closed.interval.lower, abs=0.02)
    assert drawn.interval.upper == pytest.approx(closed.interval.upper, abs=0.02)
    assert drawn.value in drawn.interval and drawn.standard_error > 0


def test_interval_of_omega_holds_the_planted_value():
    rng = np.random.default_rng(6)
    frame = pd.DataFrame(
        rng.normal(size=(500, 1)) * PLANTED + rng.normal(size=(500, 5)) * np.sqrt(1 - PLANTED**2), columns=ITEMS
    )
    common = PLANTED.sum() ** 2
    omega = reliability(frame, ITEMS, draws=300).omega
    assert common / (common + np.sum(1 - PLANTED**2)) in omega.interval and omega.interval.width < 0.1


def test_item_rest_and_alpha_without_are_those_of_the_other_items(mobi):
    items = [name for name in mobi if name.startswith("CUSL")]
    table = reliability(mobi, items, draws=0).items
    for item in items:
        rest = [other for other in items if other != item]
        assert table.loc[item, "item_rest"] == pytest.approx(mobi[item].corr(mobi[rest].sum(axis=1)))
        assert table.loc[item, "alpha_without"] == pytest.approx(reliability(mobi, rest, draws=0).alpha.value)
    assert table["alpha_without"].idxmax() == "CUSL2"


def test_two_items_have_no_omega_and_it_is_said():
    result = reliability(exactly(np.array([[1, 0.5], [0.5, 1]])), ["a", "b"], draws=20)
    assert np.isnan(result.omega.value) and np.isnan(result.omega.interval.lower)
    assert result.alpha.value == pytest.approx(2 * 0.5 / 1.5)
    assert result.items["alpha_without"].isna().all()
    assert result.notes == ("Omega cannot be told from two items.",)


def test_an_item_at_the_limit_is_said(mobi):
    result = reliability(mobi, [name for name in mobi if name.startswith("CUSL")], draws=0)
    assert result.items["loading"].max() == pytest.approx(1)
    assert "omega is unreliable" in result.notes[0]


def test_samples_without_a_common_factor_are_counted_and_said():
    frame = exactly(of_one_factor(PLANTED[:3]), n=30)
    frame["c"] = 0.0
    frame.loc[0, "c"] = 1.0  # missing from more than a third of all samples
    result = reliability(frame, ["a", "b", "c"], draws=100)
    assert any("draws of respondents no common factor was found" in note for note in result.notes)
    assert np.isfinite(result.omega.interval.lower)


def test_a_search_for_the_factor_that_does_not_end_leaves_omega_missing(monkeypatch):
    monkeypatch.setattr(one_factor, "_MAX_ROUNDS", 1)
    result = reliability(exactly(of_one_factor(PLANTED)), ITEMS, draws=0)
    assert np.isnan(result.omega.value) and np.isfinite(result.alpha.value)
    assert "omega is missing" in result.notes[0]


def test_a_turned_item_is_named():
    frame = exactly(of_one_factor(PLANTED))
    frame["c"] = -frame["c"]
    result = reliability(frame, ITEMS, draws=0)
    assert list(result.items.index[result.items["is_reversed"]]) == ["c"]
    assert result.notes[0].startswith("c goes down where the other items go up")


@settings(max_examples=15)
@given(st.lists(st.integers(0, 3), min_size=40, max_size=40).filter(lambda times: sum(map(bool, times)) > 8))
def test_weights_equal_repeated_rows(times):
    frame = exactly(of_one_factor(PLANTED), n=40)
    weighted = reliability(frame, ITEMS, weights=np.array(times, float), draws=0)
    repeated = reliability(frame.loc[frame.index.repeat(times)], ITEMS, draws=0)
    columns = ["mean", "standard_deviation", "item_rest", "alpha_without", "loading"]
    assert weighted.alpha.value == pytest.approx(repeated.alpha.value)
    assert weighted.omega.value == pytest.approx(repeated.omega.value, nan_ok=True)
    np.testing.assert_allclose(weighted.items[columns], repeated.items[columns], rtol=1e-5, atol=1e-7)


def test_order_of_items_does_not_matter():
    frame = exactly(of_one_factor(PLANTED))
    one, other = (reliability(frame, items, draws=30) for items in (ITEMS, ITEMS[::-1]))
    assert other.omega.value == pytest.approx(one.omega.value)
    assert other.alpha.interval.lower == pytest.approx(one.alpha.interval.lower)
    pd.testing.assert_frame_equal(other.items.loc[ITEMS], one.items, rtol=1e-6)


def test_people_without_every_answer_are_left_out_and_said():
    frame = exactly(of_one_factor(PLANTED))
    frame.loc[:5, "b"] = np.nan
    result = reliability(frame, ITEMS, draws=0)
    assert result.alpha.value == pytest.approx(reliability(frame[6:], ITEMS, draws=0).alpha.value)
    assert result.n == 54 and result.items["answered"].tolist() == [60, 54, 60, 60, 60]
    assert result.notes[0].startswith("6 of 60 respondents (10%) are left out")


def test_unequal_weights_widen_the_interval():
    frame = exactly(of_one_factor(PLANTED))
    uneven = reliability(frame, ITEMS, weights=np.tile([1.0, 9.0], 30), draws=0)
    assert uneven.effective_n == pytest.approx(300**2 / (30 * 82))
    assert uneven.alpha.effective_n == uneven.effective_n and uneven.alpha.n == 60


@pytest.mark.parametrize("items", [["a"], "ab", None, ["a", "z"], ["a", "a"]])
def test_items_that_will_not_do_are_refused(items):
    with pytest.raises(SettingsError):
        reliability(exactly(of_one_factor(PLANTED)), items)


def test_items_that_do_not_vary_are_refused_together():
    with pytest.raises(DataError) as refusal:
        reliability(exactly(of_one_factor(PLANTED)).assign(a=1, d=2), ITEMS)
    assert "'a': all answers are the same" in str(refusal.value) and "'d'" in str(refusal.value)


def test_too_few_respondents_are_refused():
    with pytest.raises(DataError, match="2 respondents answered all 5 items"):
        reliability(exactly(of_one_factor(PLANTED))[:2], ITEMS)


def test_one_factor_of_many_tables_is_that_of_each():
    tables = np.stack([of_one_factor(PLANTED), of_one_factor(PLANTED[::-1]), np.full((5, 5), np.nan)])
    together = one_factor_loadings(tables)
    np.testing.assert_allclose(together[0], PLANTED, atol=1e-8)
    np.testing.assert_array_equal(together[1], one_factor_loadings(tables[1]))
    assert np.isnan(together[2]).all()
