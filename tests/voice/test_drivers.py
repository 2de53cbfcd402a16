"""Driver analysis: figures of other programs, planted drivers found again, doubt that is as large as said, refusals."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy.stats import binom

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models.interval import Interval
from crm_analysis.voice.driver_fit import limits
from crm_analysis.voice.drivers import fit_drivers
from crm_analysis.voice.importance import lmg_contributions, r_squared
from crm_analysis.voice.model_r_squared import r_squared_interval
from crm_analysis.voice.moments import resampled_moments
from crm_analysis.voice.penalty_reward import penalty_reward
from crm_analysis.voice.priorities import importance_performance

MOBI = Path(__file__).parents[3] / "shared" / "data" / "ecsi_mobi.csv"
PUBLIC = pytest.mark.skipif(not MOBI.is_file(), reason="the public tables are not beside the project")
DRIVERS = [*(f"PERQ{i}" for i in range(1, 8)), "PERV1", "PERV2", "IMAG1"]
FEW = ["PERQ1", "PERQ2", "PERQ3", "PERV1"]
SLOPES, TOGETHER = np.array([0.5, 0.3, 0.15]), 0.6


@pytest.fixture(scope="module")
def mobi():
    return pd.read_csv(MOBI)


@pytest.fixture(scope="module")
def mobi_fit(mobi):
    return fit_drivers(mobi, outcome="CUSA1", drivers=DRIVERS)


def planted(seed, n, slopes=SLOPES, together=TOGETHER):
    """Answers in which drivers go together and explain half of the outcome."""
    rng = np.random.default_rng(seed)
    k = len(slopes)
    among = np.full((k, k), together) + (1 - together) * np.eye(k)
    x = rng.normal(size=(n, k)) @ np.linalg.cholesky(among).T
    y = x @ slopes + rng.normal(size=n) * np.sqrt(slopes @ among @ slopes)
    return pd.DataFrame(x, columns=[f"d{i}" for i in range(1, k + 1)]).assign(y=y)


def planted_shares(slopes=SLOPES, together=TOGETHER):
    k = len(slopes)
    matrix = np.full((k + 1, k + 1), together)
    matrix[np.diag_indices(k)] = 1.0
    matrix[-1, :-1] = matrix[:-1, -1] = matrix[:-1, :-1] @ slopes
    matrix[-1, -1] = 2 * slopes @ matrix[:-1, :-1] @ slopes
    shares = lmg_contributions(matrix)
    return shares / shares.sum()


def marks(seed, n, k=3):
    """Whole marks from 1 to 10 of drivers that go together, and of an outcome they explain in part."""
    rng = np.random.default_rng(seed)
    mood = rng.normal(size=n)
    x = 6.5 + mood[:, None] + rng.normal(size=(n, k)) * 1.5
    y = 6.5 + (x - 6.5) @ np.linspace(0.5, 0.1, k) + rng.normal(size=n)
    frame = pd.DataFrame(np.clip(np.round(np.column_stack([x, y])), 1, 10))
    return frame.set_axis([*(f"d{i}" for i in range(1, k + 1)), "y"], axis=1)


def survey(frame, not_applicable):
    """Return the answers as a Survey in which some did not apply."""
    return Survey(frame.mask(not_applicable), not_applicable, pd.Series(1.0, index=frame.index))


@PUBLIC
@pytest.mark.parametrize(
    ("figure", "part"),
    [
        ("voice-R7-r-squared", lambda fit: fit.r_squared),
        ("voice-R7-lmg", lambda fit: fit.importance["contribution"]),
        ("voice-R8-vif", lambda fit: fit.slopes["vif"]),
        ("voice-R8-condition", lambda fit: fit.condition_number),
        ("voice-R8-standardised", lambda fit: fit.slopes.loc[["PERQ5", "PERQ6"], "standardised"]),
        ("voice-R8-correlation", lambda fit: fit.slopes.loc[["PERQ5", "PERQ6"], "correlation"]),
    ],
)
def test_drivers_of_mobi_match_other_programs(published, mobi_fit, figure, part):
    published.check(figure, part(mobi_fit))


@PUBLIC
@pytest.mark.parametrize(
    ("figure", "weights"), [("voice-R10-weighted", np.linspace(0.5, 1.5, 250)), ("voice-R10-unweighted", None)]
)
def test_weighted_importance_matches_relaimpo(published, mobi, figure, weights):
    fit = fit_drivers(mobi, outcome="CUSA1", drivers=FEW, weights=weights, draws=0)
    published.check(figure, [fit.r_squared, *fit.importance["contribution"]])


@PUBLIC
def test_share_of_the_first_driver_and_its_limits_are_those_of_another_bootstrap(published, mobi):
    fit = fit_drivers(mobi, outcome="CUSA1", drivers=DRIVERS, method="johnson")
    published.check("voice-mobi-top-share", fit.importance.loc["PERQ1", ["share", "lower", "upper"]])


@PUBLIC
def test_turned_signs_are_said_and_nothing_is_left_out(mobi_fit):
    assert list(mobi_fit.slopes.index[mobi_fit.slopes["sign_disagrees"]]) == ["PERQ5", "PERQ6"]
    assert any("PERQ5 and PERQ6" in note and "Nothing was left out" in note for note in mobi_fit.notes)


@PUBLIC
def test_relative_weights_stand_beside_as_a_check(mobi, mobi_fit):
    other = fit_drivers(mobi, outcome="CUSA1", drivers=DRIVERS, method="johnson", draws=0)
    np.testing.assert_allclose(mobi_fit.importance["johnson"], other.importance["share"], rtol=1e-10)
    assert np.corrcoef(mobi_fit.importance["share"], other.importance["share"])[0, 1] > 0.99


@PUBLIC
def test_slopes_equal_those_of_statsmodels_with_its_hc3_errors(mobi):
    weights = np.linspace(0.5, 1.5, 250)
    fit = fit_drivers(mobi, outcome="CUSA1", drivers=FEW, weights=weights, draws=0)
    model = sm.WLS(mobi["CUSA1"], sm.add_constant(mobi[FEW]), weights=weights).fit(cov_type="HC3")
    np.testing.assert_allclose(fit.slopes["slope"], model.params[FEW], rtol=1e-9)
    np.testing.assert_allclose(fit.slopes["standard_error"], model.bse[FEW], rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, model.cov_params().loc[FEW, FEW], rtol=1e-8, atol=1e-14)


def test_limits_of_slopes_are_those_of_students_t():
    frame = marks(1, 150)
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=0, level=0.9)
    design = sm.add_constant(frame[["d1", "d2", "d3"]])
    model = sm.OLS(frame["y"], design).fit(cov_type="HC3", use_t=True)
    np.testing.assert_allclose(fit.slopes[["lower", "upper"]], model.conf_int(0.1).iloc[1:], rtol=1e-9)
    np.testing.assert_allclose(fit.slopes["p_value"], model.pvalues.iloc[1:], rtol=1e-7)
    assert fit.adjusted_r_squared == pytest.approx(model.rsquared_adj, rel=1e-10)


def test_weights_equal_repeated_respondents_in_all_that_has_no_doubt_in_it():
    frame = marks(2, 200)
    times = np.random.default_rng(2).integers(0, 4, size=200)
    settings = {"outcome": "y", "drivers": ["d1", "d2", "d3"], "groups": {"a": ["d1", "d3"], "b": ["d2"]}, "draws": 0}
    weighted = fit_drivers(frame, weights=times, **settings)
    repeated = fit_drivers(frame.loc[frame.index.repeat(times)], **settings)
    columns = ["contribution", "share", "first", "last", "johnson"]
    np.testing.assert_allclose(weighted.importance[columns], repeated.importance[columns], rtol=1e-9)
    np.testing.assert_allclose(weighted.items[columns], repeated.items[columns], rtol=1e-9)
    columns = ["slope", "standardised", "correlation", "vif"]
    np.testing.assert_allclose(weighted.slopes[columns], repeated.slopes[columns], rtol=1e-9)
    np.testing.assert_allclose(weighted.dominance, repeated.dominance)


def test_planted_drivers_are_ranked_right_and_surely():
    fit = fit_drivers(planted(1, 1000), outcome="y", drivers=["d1", "d2", "d3"])
    assert list(fit.importance["rank"]) == [1, 2, 3]
    assert (np.diag(fit.rank_probabilities) > 0.9).all()
    assert fit.r_squared == pytest.approx(0.5, abs=0.06)


def test_intervals_hold_the_true_shares_as_often_as_they_say():
    slopes = np.array([0.5, 0.3, 0.15, 0.05])
    truth, samples = planted_shares(slopes, 0.3), 120
    assert (truth > 0.05).all()
    held = np.zeros(4)
    for seed in range(samples):
        values = planted(seed, 1000, slopes, 0.3).to_numpy()
        drawn = resampled_moments(values, np.ones(1000), draws=200, rng=np.random.default_rng(seed))
        contributions = lmg_contributions(drawn.covariances)
        lower, upper = limits(contributions / contributions.sum(axis=1, keepdims=True), 0.9)
        held += (lower <= truth) & (truth <= upper)
    low, high = binom.ppf([0.001, 0.999], samples, 0.9)
    assert ((low <= held) & (held <= high)).all()


def test_interval_of_r_squared_does_not_count_what_many_drivers_explain_by_chance():
    slopes = np.array([0.5, 0.3, 0.15, *np.zeros(7)])
    samples, held, held_by_percentiles = 100, 0, 0
    for seed in range(samples):
        values, rng = planted(seed, 120, slopes).to_numpy(), np.random.default_rng(seed)
        draws = r_squared(resampled_moments(values, np.ones(120), draws=200, rng=rng).covariances, range(10))
        held += 0.5 in r_squared_interval(draws, n=120, inputs=10, level=0.95)
        held_by_percentiles += 0.5 in Interval.of_draws(draws, level=0.95, contains=())
    assert held >= binom.ppf(0.001, samples, 0.95) > held_by_percentiles


def test_a_driver_without_effect_is_not_ahead_of_noise_although_its_limits_cannot_reach_zero():
    frame = planted(3, 500).assign(nothing=np.random.default_rng(9).normal(size=500))
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3", "nothing"])
    assert fit.importance.loc["nothing", "lower"] > 0
    assert fit.importance.loc["nothing", "noise"] < 0.9
    assert (fit.importance["noise"].drop("nothing") > 0.99).all()
    assert any(note.startswith("nothing cannot be told from") for note in fit.notes)


def test_over_samples_a_driver_without_effect_is_ahead_of_noise_half_the_time():
    ahead = []
    for seed in range(40):
        frame = planted(seed, 200).assign(nothing=np.random.default_rng(seed + 1000).normal(size=200))
        fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3", "nothing"], draws=100)
        ahead.append(fit.importance.loc["nothing", "noise"])
    assert np.mean(ahead) == pytest.approx(0.5, abs=4 * np.std(ahead) / np.sqrt(40))


def test_the_noise_driver_changes_no_share():
    frame = planted(4, 300)
    settings = {"outcome": "y", "drivers": ["d1", "d2", "d3"]}
    with_draws, without = fit_drivers(frame, **settings), fit_drivers(frame, **settings, draws=0)
    assert with_draws.r_squared_interval.lower < with_draws.adjusted_r_squared < with_draws.r_squared_interval.upper
    pd.testing.assert_series_equal(with_draws.importance["share"], without.importance["share"])
    assert with_draws.share_draws.sum(axis=1).to_numpy() == pytest.approx(1.0, abs=1e-12)
    assert 0 < with_draws.noise_share["mean"] < with_draws.noise_share["upper"] < 0.1


def test_permuted_columns_change_nothing_but_the_order():
    frame = marks(5, 200)
    one = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=200)
    other = fit_drivers(frame[["y", "d3", "d1", "d2"]], outcome="y", drivers=["d3", "d1", "d2"], draws=200)
    pd.testing.assert_frame_equal(one.importance, other.importance.loc[["d1", "d2", "d3"]], rtol=1e-9)
    pd.testing.assert_frame_equal(one.slopes, other.slopes.loc[["d1", "d2", "d3"]], rtol=1e-9)


def test_permuted_rows_change_no_figure_but_within_the_chance_of_the_draws():
    frame = marks(5, 200)
    one = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"])
    other = fit_drivers(frame.sample(frac=1, random_state=1), outcome="y", drivers=["d1", "d2", "d3"])
    exact = ["contribution", "share", "rank", "first", "last", "johnson"]
    pd.testing.assert_frame_equal(one.importance[exact], other.importance[exact], rtol=1e-9)
    np.testing.assert_allclose(one.importance[["lower", "upper"]], other.importance[["lower", "upper"]], atol=0.03)


def test_the_same_seed_gives_the_same_draws_and_another_seed_others():
    frame, settings = marks(5, 150), {"outcome": "y", "drivers": ["d1", "d2"], "draws": 100}
    one, same, other = (fit_drivers(frame, seed=seed, **settings).share_draws for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_copies_of_a_driver_share_alike_and_are_said_to_have_no_slopes():
    frame = marks(6, 200).assign(copy=lambda answers: answers["d1"])
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "copy", "d2"], draws=100)
    assert fit.importance.loc["d1", "share"] == pytest.approx(fit.importance.loc["copy", "share"], rel=1e-9)
    assert list(fit.importance["rank"]) == [1, 1, 3]
    assert fit.slopes["slope"].isna().tolist() == [True, True, False]
    assert any(note.startswith("d1 and copy can be computed") for note in fit.notes)


def test_without_draws_limits_are_missing_and_it_is_said():
    fit = fit_drivers(marks(7, 150), outcome="y", drivers=["d1", "d2"], draws=0)
    assert fit.importance[["lower", "upper", "noise"]].isna().all(axis=None)
    assert fit.rank_probabilities.isna().all(axis=None) and fit.top(1).isna().all()
    assert fit.differences[["lower", "upper"]].isna().all(axis=None)
    assert np.isnan(fit.r_squared_interval.lower) and fit.noise_share.isna().all()
    assert any("how sure" in note for note in fit.notes)


def test_rank_probabilities_differences_and_top_come_from_the_same_draws():
    fit = fit_drivers(planted(8, 300), outcome="y", drivers=["d1", "d2", "d3"], draws=200)
    np.testing.assert_allclose(fit.rank_probabilities.sum(axis=1), 1.0)
    np.testing.assert_allclose(fit.top(2), fit.rank_probabilities[[1, 2]].sum(axis=1))
    first = fit.differences.iloc[0]
    drawn = fit.share_draws[first["first"]] - fit.share_draws[first["second"]]
    assert first["difference"] >= 0
    assert (first["lower"], first["upper"]) == pytest.approx(tuple(drawn.quantile([0.025, 0.975])))


def test_groups_share_what_is_explained_and_drivers_what_their_group_gets():
    groups = {"service": ["d2", "d4"], "price": ["d1"], "image": ["d3", "d5"]}
    fit = fit_drivers(marks(9, 300, k=5), outcome="y", drivers=[f"d{i}" for i in range(1, 6)], groups=groups, draws=100)
    assert fit.importance.index.tolist() == ["service", "price", "image"]
    assert fit.importance["contribution"].sum() == pytest.approx(fit.r_squared, rel=1e-9)
    by_group = fit.items.groupby("group")["contribution"].sum()
    np.testing.assert_allclose(by_group[fit.importance.index], fit.importance["contribution"], rtol=1e-9)
    assert any("group of one" in note for note in fit.notes)


def test_relative_weights_of_a_group_are_those_of_its_drivers_together():
    drivers, groups = ["d1", "d2", "d3", "d4"], {"a": ["d4", "d1"], "b": ["d2", "d3"]}
    frame = marks(30, 200, k=4)
    alone = fit_drivers(frame, outcome="y", drivers=drivers, method="johnson", draws=100).importance["share"]
    grouped = fit_drivers(frame, outcome="y", drivers=drivers, groups=groups, method="johnson", draws=100)
    expected = {name: alone[members].sum() for name, members in groups.items()}
    assert grouped.importance["share"].to_dict() == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(grouped.items["share"], alone, rtol=1e-9)


def test_a_higher_level_gives_wider_limits():
    frame, settings = marks(31, 200), {"outcome": "y", "drivers": ["d1", "d2"], "draws": 200}
    narrow, wide = (fit_drivers(frame, level=level, **settings).importance for level in (0.8, 0.99))
    assert (wide["lower"] < narrow["lower"]).all() and (wide["upper"] > narrow["upper"]).all()


def test_groups_of_one_are_drivers():
    frame, drivers = marks(10, 200), ["d1", "d2", "d3"]
    alone = fit_drivers(frame, outcome="y", drivers=drivers, draws=100)
    grouped = fit_drivers(frame, outcome="y", drivers=drivers, groups={name: [name] for name in drivers}, draws=100)
    pd.testing.assert_frame_equal(alone.importance, grouped.importance, check_names=False)


@pytest.mark.parametrize("method", ["lmg", "johnson"])
def test_controls_are_in_before_any_driver(method):
    frame = marks(11, 300, k=4)
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], controls=["d4"], method=method, draws=100)
    alone = sm.OLS(frame["y"], sm.add_constant(frame["d4"])).fit().rsquared
    assert fit.controls_r_squared == pytest.approx(alone, rel=1e-9)
    assert fit.importance["contribution"].sum() == pytest.approx(fit.r_squared - alone, rel=1e-9)


def test_a_survey_brings_its_weights():
    frame, weights = marks(12, 200), np.random.default_rng(0).uniform(0.5, 2, 200)
    nothing = pd.DataFrame(False, index=frame.index, columns=frame.columns)
    answers = Survey(frame, nothing, pd.Series(weights, index=frame.index))
    of_survey = fit_drivers(answers, outcome="y", drivers=["d1", "d2"], draws=100)
    of_frame = fit_drivers(frame, outcome="y", drivers=["d1", "d2"], weights=weights, draws=100)
    pd.testing.assert_frame_equal(of_survey.importance, of_frame.importance)
    assert of_survey.effective_n == pytest.approx(weights.sum() ** 2 / (weights**2).sum())


def test_complete_answers_are_the_same_however_missing_ones_would_be_treated():
    frame, settings = marks(13, 150), {"outcome": "y", "drivers": ["d1", "d2"], "draws": 100}
    imputed, dropped = fit_drivers(frame, **settings), fit_drivers(frame, missing="drop", **settings)
    users = fit_drivers(frame, not_applicable="users", **settings)
    for other in (dropped, users):
        pd.testing.assert_frame_equal(imputed.importance, other.importance)
        pd.testing.assert_frame_equal(imputed.slopes, other.slopes)
    assert imputed.notes == dropped.notes == users.notes


def with_gaps(frame, share, seed=0):
    """Drivers are missing more often where another driver is rated low."""
    rng = np.random.default_rng(seed)
    gaps = rng.random(len(frame)) < np.where(frame["d2"] < frame["d2"].median(), 1.6 * share, 0.4 * share)
    return frame.assign(d1=frame["d1"].mask(gaps))


def test_imputed_answers_widen_intervals_and_dropped_ones_lose_respondents():
    whole = planted(14, 600)
    holed = with_gaps(whole, 0.3)
    settings = {"outcome": "y", "drivers": ["d1", "d2", "d3"], "imputations": 10, "draws": 200}
    full, imputed = fit_drivers(whole, **settings), fit_drivers(holed, **settings)
    dropped = fit_drivers(holed, missing="drop", **settings)
    assert imputed.n == 600 and dropped.n == holed["d1"].notna().sum()
    assert imputed.bases.loc["d1", "missing"] == 600 - dropped.n
    assert imputed.slopes.loc["d1", "standard_error"] > full.slopes.loc["d1", "standard_error"]
    np.testing.assert_allclose(imputed.importance["share"], full.importance["share"], atol=0.06)
    assert any("imputed 10 times" in note for note in imputed.notes)
    assert any("missing answer are left out" in note and "for want of d1" in note for note in dropped.notes)


def test_respondents_without_the_outcome_or_a_weight_are_left_out_and_counted():
    frame = marks(15, 200)
    frame.loc[:19, "y"] = np.nan
    weights = np.ones(200)
    weights[20:30] = 0
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2"], weights=weights, draws=100)
    assert fit.n == 170
    assert any(note.startswith("30 of 200 respondents are left out") for note in fit.notes)


def asked_of_users(seed, n):
    """Only some met the touch-point of d1; who did not is neither less nor more satisfied for it."""
    frame = planted(seed, n)
    met = np.random.default_rng(seed + 1).random(n) < 0.7
    y = frame["y"] - 0.5 * frame["d1"] * ~met
    barred = pd.DataFrame(False, index=frame.index, columns=["d1", "d2", "d3"])
    barred["d1"] = ~met
    return survey(frame.assign(y=y), barred.reindex(columns=frame.columns, fill_value=False)), met


def test_a_driver_that_did_not_apply_keeps_its_slope_and_everybody_in():
    answers, met = asked_of_users(16, 3000)
    fit = fit_drivers(answers, outcome="y", drivers=["d1", "d2", "d3"], draws=100)
    assert fit.n == 3000 and fit.controls == ("d1 not applicable",)
    assert fit.bases.loc["d1"].tolist() == [met.sum(), (~met).sum(), 0]
    miss = (fit.slopes["slope"] - SLOPES) / fit.slopes["standard_error"]
    assert (miss.abs() < 4).all()
    assert any("stands at its mean" in note for note in fit.notes)


def test_users_alone_are_asked_where_that_is_wanted_and_the_base_is_said():
    answers, met = asked_of_users(17, 600)
    fit = fit_drivers(answers, outcome="y", drivers=["d1", "d2", "d3"], not_applicable="users", draws=100)
    frame = answers.frame[met]
    alone = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=100)
    assert fit.n == met.sum() and fit.controls == ()
    pd.testing.assert_frame_equal(fit.importance, alone.importance)
    assert any(f"{met.sum()} of 600" in note for note in fit.notes)


def test_answers_that_are_missing_are_imputed_beside_those_that_did_not_apply():
    answers, met = asked_of_users(29, 1500)
    gaps = np.random.default_rng(0).random(1500) < 0.2
    holed = replace(answers, frame=answers.frame.assign(d1=answers.frame["d1"].mask(gaps)))
    fit = fit_drivers(holed, outcome="y", drivers=["d1", "d2", "d3"], draws=100, imputations=5)
    assert fit.n == 1500
    assert fit.bases.loc["d1"].tolist() == [(met & ~gaps).sum(), (~met).sum(), (met & gaps).sum()]
    miss = (fit.slopes["slope"] - SLOPES) / fit.slopes["standard_error"]
    assert (miss.abs() < 4).all()


def test_correlation_of_a_driver_is_of_those_to_whom_it_applied():
    answers, met = asked_of_users(18, 600)
    fit = fit_drivers(answers, outcome="y", drivers=["d1", "d2", "d3"], draws=0)
    expected = answers.frame.loc[met, ["d1", "y"]].corr().iloc[0, 1]
    assert fit.slopes.loc["d1", "correlation"] == pytest.approx(expected, rel=1e-9)


def test_a_fit_answers_what_its_companions_answer_of_the_same_respondents():
    frame, drivers = marks(26, 300), ["d1", "d2", "d3"]
    weights = np.random.default_rng(0).uniform(0.5, 2, 300)
    fit = fit_drivers(frame, outcome="y", drivers=drivers, weights=weights, draws=100, level=0.9)
    pd.testing.assert_frame_equal(
        fit.penalty_reward(low=4, high=8),
        penalty_reward(frame, outcome="y", drivers=drivers, low=4, high=8, weights=weights, level=0.9),
    )
    pd.testing.assert_frame_equal(
        fit.importance_performance(cross="scale"),
        importance_performance(fit.importance, frame, cross="scale", weights=weights, level=0.9),
    )


def test_a_step_of_a_driver_goes_with_its_slope_where_nobody_is_at_the_end():
    frame = planted(27, 300)
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=0)
    told = fit.simulate({"d1": 1.0}, scale=(-99, 99)).loc["d1"]
    assert told["change"] == pytest.approx(fit.slopes.loc["d1", "slope"], rel=1e-9)
    assert (told["lower"], told["upper"]) == pytest.approx(tuple(fit.slopes.loc["d1", ["lower", "upper"]]), rel=1e-9)


def test_marks_of_groups_stand_beside_the_importance_of_groups():
    groups = {"service": ["d1", "d3"], "price": ["d2"]}
    frame = marks(28, 200)
    fit = fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], groups=groups, draws=100)
    performance = fit.importance_performance()["performance"]
    assert performance["service"] == pytest.approx(frame[["d1", "d3"]].mean(axis=1).mean())


@pytest.mark.parametrize(("n", "k"), [(60, 2), (140, 15)])
def test_few_respondents_are_warned_of_and_said(n, k):
    with pytest.warns(EstimationWarning, match=f"{n} respondents for {k} drivers are few"):
        fit = fit_drivers(marks(19, n, k=k), outcome="y", drivers=[f"d{i}" for i in range(1, k + 1)], method="johnson")
    assert any("are few" in note for note in fit.notes)


def test_few_answers_to_a_driver_are_warned_of():
    frame = marks(20, 200)
    frame.loc[25:, "d3"] = np.nan
    with pytest.warns(EstimationWarning, match="Fewer than 30 answers to d3"):
        fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=0)


def test_many_missing_answers_are_warned_of():
    frame = marks(20, 200)
    frame.loc[100:, "d3"] = np.nan
    with pytest.warns(EstimationWarning, match="More than a third of the answers to d3"):
        fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=0)


def test_the_first_note_says_that_shares_are_no_causes():
    fit = fit_drivers(marks(21, 150), outcome="y", drivers=["d1"], draws=0)
    assert "do not say that it would rise" in fit.notes[0]


def test_an_index_of_its_own_items_is_refused():
    frame = marks(22, 150).assign(index=lambda answers: answers[["d1", "d2", "d3"]].mean(axis=1))
    with pytest.raises(DataError, match="an index regressed on its own items"):
        fit_drivers(frame, outcome="index", drivers=["d1", "d2", "d3"])


def test_all_columns_that_do_not_vary_are_refused_by_name_at_once():
    frame = marks(22, 150).assign(d1=7.0, d3=np.nan)
    with pytest.raises(DataError) as refused:
        fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"])
    assert "'d1': the same answer" in str(refused.value) and "'d3': no answer" in str(refused.value)


def test_too_few_respondents_are_refused():
    with pytest.raises(DataError, match="5 respondents are left for 3 drivers"):
        fit_drivers(marks(22, 5), outcome="y", drivers=["d1", "d2", "d3"])


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"method": "stepwise"}, "hangs on chance"),
        ({"method": "beta"}, "any size and sign"),
        ({"method": "forest"}, "not offered"),
        ({"draws": 50}, "at least 100"),
        ({"draws": -1}, "whole number"),
        ({"seed": None}, "seed is None"),
        ({"level": 95}, "probability"),
        ({"missing": "pairwise"}, "'impute' or 'drop'"),
        ({"not_applicable": "zero"}, "'indicator' or 'users'"),
        ({"drivers": ["d1", "y"]}, "is the outcome and among"),
        ({"drivers": ["d1", "d1"]}, "more than once"),
        ({"drivers": "d1"}, "give a list"),
        ({"drivers": []}, "drivers is empty"),
        ({"drivers": ["d1", "d9"]}, "no column d9"),
        ({"controls": ["d2"]}, "more than once"),
        ({"groups": {"a": ["d1", "d2"], "b": ["d2", "d8"]}}, "d2: in two groups; d8: in a group.*; d3: in no group"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(settings, words):
    with pytest.raises(SettingsError, match=words):
        fit_drivers(marks(23, 120), **{"outcome": "y", "drivers": ["d1", "d2", "d3"], **settings})


def test_more_than_fifteen_drivers_want_groups_or_relative_weights():
    frame, drivers = marks(24, 200, k=16), [f"d{i}" for i in range(1, 17)]
    with pytest.raises(SettingsError, match=r"groups=.*johnson"):
        fit_drivers(frame, outcome="y", drivers=drivers)
    groups = {"a": drivers[:8], "b": drivers[8:]}
    assert len(fit_drivers(frame, outcome="y", drivers=drivers, groups=groups, draws=0).importance) == 2
    assert len(fit_drivers(frame, outcome="y", drivers=drivers, method="johnson", draws=0).importance) == 16


def test_answers_are_left_as_they_came_and_no_warning_is_lost():
    frame = with_gaps(marks(25, 150), 0.2)
    before, filters = frame.copy(), warnings.filters.copy()
    fit_drivers(frame, outcome="y", drivers=["d1", "d2", "d3"], draws=100, imputations=2)
    pd.testing.assert_frame_equal(frame, before)
    assert warnings.filters == filters


def test_a_rounded_index_of_its_own_items_is_warned_of():
    frame = marks(22, 150).assign(index=lambda answers: answers[["d1", "d2", "d3"]].mean(axis=1).round())
    with pytest.warns(EstimationWarning, match="R-squared is 0.9.*is index computed of the drivers"):
        fit = fit_drivers(frame, outcome="index", drivers=["d1", "d2", "d3"], draws=0)
    assert any("is index computed of the drivers" in note for note in fit.notes)


@pytest.mark.parametrize(("sign", "word"), [(1, "higher"), (-1, "lower")])
def test_it_is_said_when_satisfaction_hangs_on_whether_a_driver_applied(sign, word):
    frame = planted(32, 600)
    barred = pd.DataFrame(False, index=frame.index, columns=frame.columns)
    drawn = np.random.default_rng(0).logistic(size=600)
    barred["d1"] = barred["d2"] = drawn < 1.5 * sign * frame["y"] / frame["y"].std() - 1
    fit = fit_drivers(survey(frame, barred), outcome="y", drivers=["d1", "d2", "d3"], draws=0)
    assert any(f"y of those to whom d1 and d2 did not apply is {word} than of others" in note for note in fit.notes)


def test_nothing_is_said_where_satisfaction_does_not_hang_on_whether_a_driver_applied():
    answers, _met = asked_of_users(33, 600)
    fit = fit_drivers(answers, outcome="y", drivers=["d1", "d2", "d3"], draws=0)
    assert not any("than of others alike" in note for note in fit.notes)
