"""BG/BB against published figures, exact arithmetic and simulation, and against what must always hold."""

import importlib.util
import warnings
from fractions import Fraction
from math import comb, factorial, log
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaln

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import bgbb
from crm_analysis.models.bgbb import BGBBFit, BGBBParams, fit_bgbb

PUBLISHED = BGBBParams(alpha=1.204, beta=0.750, gamma=0.657, delta=2.783)  # Fader, Hardie & Shang (2010), donations


def history(x: int, t_x: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(n)])


def all_histories(n: int) -> tuple[np.ndarray, ...]:
    """Every (x, t_x) there is in n opportunities, and how many sequences of purchases lead to it."""
    pairs = [(0, 0), *((x, t_x) for t_x in range(1, n + 1) for x in range(1, t_x + 1))]
    x, t_x = np.array(pairs, dtype=float).T
    return x, t_x, np.full(len(x), float(n)), np.array([comb(t_x - 1, x - 1) if x else 1 for x, t_x in pairs])


@pytest.fixture(scope="module")
def donations() -> pd.DataFrame:
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    frame = pd.read_csv(folder / "donations.csv").rename(columns={"periods": "T"})
    return frame.set_index(frame.index.astype(str).rename("customer_id"))


@pytest.fixture(scope="module")
def donors(donations) -> CustomerSummary:
    return CustomerSummary(donations[["frequency", "recency", "T"]], "month")


@pytest.fixture(scope="module")
def fit(donors, donations) -> BGBBFit:
    return fit_bgbb(donors, weights=donations["weights"])


@pytest.fixture
def seen(published):
    """The histories of a published figure, six opportunities each."""

    def columns(figure: str) -> tuple[np.ndarray, ...]:
        x, t_x = published.column(figure, "frequency"), published.column(figure, "recency")
        return x, t_x, np.full(len(x), 6.0)

    return columns


# --- published figures ------------------------------------------------------------------------------------------


def test_estimates_match_published(fit, published):
    published.check("B1", fit.params)


def test_log_likelihood_matches_published(fit, published):
    published.check("B1-likelihood", fit.log_likelihood)


def test_probability_alive_at_the_next_opportunity_matches_published(fit, published, seen):
    published.check("B3", bgbb.probability_alive(fit.params, *seen("B3")))


def test_conditional_expectation_matches_published(fit, published, seen):
    published.check("B4", bgbb.expected_purchases(fit.params, *seen("B4"), 5))


def test_expected_purchases_of_all_donors_match_published(fit, donors, donations, published):
    published.check("B4-total", fit.expected_purchases(donors, horizon=5) @ donations["weights"])


def test_expected_counts_by_frequency_match_published(fit, donations, published):
    published.check("B6", bgbb.probability_of_purchases(fit.params, np.array([0, 6]), 6) * donations["weights"].sum())


def test_log_likelihood_per_history_matches_published(published, seen):
    published.check("B7", bgbb.log_likelihood(PUBLISHED, *seen("B7")))


# --- formulas by another road -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("x", "t_x", "n"), [(0, 0, 0), (0, 0, 7), (3, 3, 3), (150, 300, 400), (2, 5, 400)])
def test_log_likelihood_matches_exact_arithmetic(x, t_x, n):
    alpha, beta, gamma, delta = 2, 3, 1, 4

    def beta_ratio(a: int, b: int, more_a: int, more_b: int) -> Fraction:
        def beta_function(a: int, b: int) -> Fraction:
            return Fraction(factorial(a - 1) * factorial(b - 1), factorial(a + b - 1))

        return beta_function(a + more_a, b + more_b) / beta_function(a, b)

    exact = beta_ratio(alpha, beta, x, n - x) * beta_ratio(gamma, delta, 0, n)
    exact += sum(beta_ratio(alpha, beta, x, t - x) * beta_ratio(gamma, delta, 1, t) for t in range(t_x, n))
    result = bgbb.log_likelihood(BGBBParams(alpha, beta, gamma, delta), *history(x, t_x, n))[0]
    assert result == pytest.approx(log(exact.numerator) - log(exact.denominator), rel=1e-12, abs=1e-12)


def test_the_chances_of_all_histories_add_up_to_one():
    x, t_x, n, sequences = all_histories(9)
    assert sequences @ np.exp(bgbb.log_likelihood(PUBLISHED, x, t_x, n)) == pytest.approx(1, abs=1e-12)


def test_conditional_expectations_average_to_that_of_a_new_customer():
    x, t_x, n, sequences = all_histories(9)
    chances = sequences * np.exp(bgbb.log_likelihood(PUBLISHED, x, t_x, n))
    until, after = bgbb.expected_purchases_new_customer(PUBLISHED, np.array([9.0, 24.0]))
    assert chances @ bgbb.expected_purchases(PUBLISHED, x, t_x, n, 15) == pytest.approx(after - until, rel=1e-12)


def test_conditional_expectation_matches_the_papers_closed_form():
    # FHS, eq. 13, given the likelihood.
    x, t_x, n = history(3, 4, 6)
    alpha, beta, gamma, delta = PUBLISHED
    m = 17

    def ratio(k: float) -> float:
        return np.exp(gammaln(1 + delta + k) - gammaln(gamma + delta + k))

    mean = np.exp(gammaln(gamma + delta) - gammaln(1 + delta)) * delta / (gamma - 1) * (ratio(6) - ratio(6 + m))
    bought = np.exp(gammaln(alpha + 4) + gammaln(beta + 3) - gammaln(alpha + beta + 7))
    bought /= np.exp(gammaln(alpha) + gammaln(beta) - gammaln(alpha + beta))
    expected = bought * mean / np.exp(bgbb.log_likelihood(PUBLISHED, x, t_x, n))
    np.testing.assert_allclose(bgbb.expected_purchases(PUBLISHED, x, t_x, n, m), expected, rtol=1e-12)


def test_expectation_has_no_pole_where_gamma_is_one():
    near = [bgbb.expected_purchases(PUBLISHED._replace(gamma=g), *history(2, 4, 6), 40)[0] for g in (0.999, 1.0, 1.001)]
    assert near[1] == pytest.approx((near[0] + near[2]) / 2, rel=1e-5)


# --- discounting ------------------------------------------------------------------------------------------------


def test_discounted_purchases_add_up_opportunity_by_opportunity():
    past, rate = history(2, 4, 6), 0.1
    each = np.diff([0, *(bgbb.expected_purchases(PUBLISHED, *past, k)[0] for k in range(1, 13))])
    expected = each @ (1 + rate) ** -np.arange(1.0, 13)
    result = bgbb.discounted_residual_purchases(PUBLISHED, *past, rate, 12)[0]
    assert result == pytest.approx(expected, rel=1e-12)


def test_all_of_the_future_is_the_limit_of_long_horizons():
    past = history(2, 4, 6)
    forever, very_long = (bgbb.discounted_residual_purchases(PUBLISHED, *past, 0.01, h)[0] for h in (None, 4_000))
    assert forever == pytest.approx(very_long, rel=1e-12)


def test_undiscounted_purchases_without_end_are_called_infinite():
    assert bgbb.discounted_residual_purchases(PUBLISHED, *history(2, 4, 6), 0.0, None)[0] == np.inf


def test_residual_lifetime_is_what_purchases_are_made_in():
    past = history(2, 4, 6)
    lifetime = bgbb.discounted_residual_lifetime(PUBLISHED, *past, 0.1)[0]
    chance = (PUBLISHED.alpha + 2) / (PUBLISHED.alpha + PUBLISHED.beta + 6)
    assert bgbb.discounted_residual_purchases(PUBLISHED, *past, 0.1)[0] == pytest.approx(chance * lifetime)


def test_a_fit_discounts_by_the_time_between_opportunities(fit, donors):
    monthly = 1.1 ** (1 / 12) - 1
    x, t_x, n = (donors.frame[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    for name in ("discounted_residual_purchases", "discounted_residual_lifetime"):
        result = getattr(fit, name)(donors, annual_discount_rate=0.1, horizon="2 years")
        expected = getattr(bgbb, name)(fit.params, x, t_x, n, monthly, 24)
        np.testing.assert_allclose(result, expected, rtol=1e-12)


def test_results_of_a_fit_keep_the_customers(fit, donors):
    for values in (
        fit.probability_alive(donors),
        fit.discounted_residual_purchases(donors, annual_discount_rate=0.1),
        fit.discounted_residual_lifetime(donors, annual_discount_rate=0.1),
    ):
        assert list(values.index) == list(donors.frame.index)


# --- estimation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "truth", [BGBBParams(1.2, 0.75, 0.65, 2.8), BGBBParams(0.6, 2.0, 2.0, 12.0), BGBBParams(3.0, 5.0, 0.4, 1.0)]
)
def test_fit_recovers_simulated_parameters(truth):
    rng = np.random.default_rng(20240601)
    T = rng.integers(6, 25, size=6_000).astype(float)
    fit = fit_bgbb(CustomerSummary(bgbb.histories(bgbb.simulate(truth, T, rng), T), "month"))
    miss = np.log(truth) - np.log(fit.params)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=len(truth))


@pytest.mark.parametrize("params", [PUBLISHED, BGBBParams(0.05, 30.0, 4.0, 0.2)])
def test_gradient_is_that_of_the_log_likelihood(params):
    x, t_x, n = np.array([0.0, 0, 1, 3, 7, 40]), np.array([0.0, 0, 1, 30, 7, 90]), np.array([0.0, 6, 6, 32, 7, 300])
    _, score = bgbb.log_likelihood_and_score(params, x, t_x, n)
    for position, name in enumerate(params._fields):
        value = getattr(params, name)
        step = 1e-6 * value
        up, down = (
            bgbb.log_likelihood(params._replace(**{name: moved}), x, t_x, n) for moved in (value + step, value - step)
        )
        np.testing.assert_allclose(score[:, position], (up - down) / (2 * step), rtol=1e-5, atol=1e-6)


def test_weights_equal_repeated_rows(donors, donations):
    times = np.ceil(donations["weights"].to_numpy() / 10).astype(int)
    repeated = donors.frame.loc[donors.frame.index.repeat(times)].reset_index(drop=True)
    exploded = fit_bgbb(CustomerSummary(repeated.set_index(repeated.index.astype(str)), "month"))
    weighted = fit_bgbb(donors, weights=times)
    np.testing.assert_allclose(weighted.params, exploded.params, rtol=1e-8)
    np.testing.assert_allclose(weighted.covariance, exploded.covariance, rtol=1e-6)


def test_parameters_may_differ_from_customer_to_customer():
    rows = history(2, 4, 6), history(0, 0, 9)
    others = PUBLISHED, BGBBParams(3.0, 1.0, 0.2, 5.0)
    together = BGBBParams(*np.array(others).T)
    past = [np.concatenate(columns) for columns in zip(*rows, strict=True)]
    for function, more in [
        (bgbb.log_likelihood, ()),
        (bgbb.probability_alive, ()),
        (bgbb.expected_purchases, (5,)),
        (bgbb.discounted_residual_purchases, (0.1,)),
        (bgbb.probability_of_future_purchases, (1, 5)),
    ]:
        single = [function(params, *row, *more)[0] for params, row in zip(others, rows, strict=True)]
        np.testing.assert_allclose(function(together, *past, *more), single, rtol=1e-12)


@pytest.fixture(scope="module")
def two_channels() -> CustomerSummary:
    rng = np.random.default_rng(8)
    n, online = 6_000, np.arange(6_000) % 2
    truth = PUBLISHED._replace(alpha=1.2 * np.exp(0.5 * online), beta=0.75 * np.exp(-0.5 * online))
    T = np.full(n, 10.0)
    frame = bgbb.histories(bgbb.simulate(truth, T, rng), T).assign(online=online)
    return CustomerSummary(frame, "month")


def test_a_covariate_of_buying_is_found(two_channels):
    fit = fit_bgbb(two_channels, purchase=["online"], opposite=True)
    row = fit.summary(level=0.999).loc["purchase[online]"]
    assert row["lower"] < 0.5 < row["upper"] and row["lower"] > 0


def test_each_parameter_of_a_coin_may_have_a_coefficient_of_its_own(two_channels):
    fit = fit_bgbb(two_channels, purchase=["online"], dropout=["online"])
    assert list(fit.coefficients.index[4:]) == [
        "purchase_alpha[online]", "purchase_beta[online]", "dropout_gamma[online]", "dropout_delta[online]",
    ]  # fmt: skip
    shared = fit_bgbb(two_channels, purchase=["online"], opposite=True)
    assert fit.log_likelihood > shared.log_likelihood


def test_a_ridge_is_an_answer_with_a_warning():
    rng = np.random.default_rng(7)
    T = np.full(3_000, 20.0)
    frame = bgbb.histories(bgbb.simulate(BGBBParams(300.0, 700.0, 500.0, 4500.0), T, rng), T)
    with pytest.warns(EstimationWarning, match="flat|bound"):
        fit = fit_bgbb(CustomerSummary(frame, "month"))
    assert fit.params.gamma / (fit.params.gamma + fit.params.delta) == pytest.approx(0.1, abs=0.02)


def test_a_fit_survives_json_digit_for_digit(fit):
    again = BGBBFit.from_json(fit.to_json())
    assert (again.params, again.log_likelihood) == (fit.params, fit.log_likelihood)
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def test_profile_interval_covers_the_estimate(fit, donors, donations):
    lower, upper = fit.profile_interval("gamma", donors, weights=donations["weights"])
    assert 0.55 < lower < fit.params.gamma < upper < 0.80


# --- bad input --------------------------------------------------------------------------------------------------


def test_times_that_are_no_opportunities_are_refused_all_at_once():
    frame = pd.DataFrame(
        {"frequency": [1, 3, 0, 2], "recency": [1.5, 2.0, 0.0, 3.0], "T": [4.0, 4.0, 2.5, 4.0]},
        index=pd.Index(["a", "b", "c", "d"], name="customer_id"),
    )
    with pytest.raises(DataError) as refused:
        fit_bgbb(CustomerSummary(frame, "week"))
    message = str(refused.value)
    assert "column 'recency': not a whole number of opportunities in 1 row(s)" in message
    assert "column 'T': not a whole number of opportunities in 1 row(s)" in message
    assert "column 'frequency': more purchases than opportunities up to the last purchase in 1 row(s)" in message


def test_predictions_refuse_what_a_fit_refuses(fit):
    frame = pd.DataFrame({"frequency": [1], "recency": [1.0], "T": [4.3]}, index=["a"])
    with pytest.raises(DataError, match="not a whole number of opportunities"):
        fit.expected_purchases(CustomerSummary(frame, "month"), horizon=3)


def test_a_base_without_repeat_purchases_is_refused(donors):
    with pytest.raises(DataError, match="no customer has a repeat purchase"):
        fit_bgbb(CustomerSummary(donors.frame[donors.frame["frequency"] == 0], "month"))


def test_a_summary_in_another_unit_is_refused(fit, donors):
    with pytest.raises(SettingsError, match="summarise with time_unit='month'"):
        fit.probability_alive(CustomerSummary(donors.frame, "week"))


# --- simulation -------------------------------------------------------------------------------------------------


def test_simulated_purchases_average_to_the_expectation():
    T = np.full(100_000, 12.0)
    counts = np.bincount(bgbb.simulate(PUBLISHED, T, np.random.default_rng(11))["customer"], minlength=len(T))
    expected = bgbb.expected_purchases_new_customer(PUBLISHED, 12)
    assert counts.mean() == pytest.approx(float(expected), abs=4 * counts.std() / np.sqrt(len(T)))


def test_simulated_histories_follow_the_likelihood():
    x, t_x, n, sequences = all_histories(4)
    T = np.full(100_000, 4.0)
    frame = bgbb.histories(bgbb.simulate(PUBLISHED, T, np.random.default_rng(12)), T)
    observed = frame.groupby(["frequency", "recency"]).size().reindex(list(zip(x, t_x, strict=True)), fill_value=0)
    expected = sequences * np.exp(bgbb.log_likelihood(PUBLISHED, x, t_x, n)) * len(T)
    assert stats.chisquare(observed, expected).pvalue > 0.001


@pytest.mark.parametrize("past", [history(0, 0, 6), history(2, 4, 6), history(6, 6, 6)])
def test_simulated_futures_average_to_the_conditional_expectation(past):
    many = [np.repeat(column, 100_000) for column in past]
    events = bgbb.simulate_future(PUBLISHED, *many, 9, np.random.default_rng(13))
    counts = np.bincount(events["customer"], minlength=100_000)
    expected = bgbb.expected_purchases(PUBLISHED, *past, 9)[0]
    assert events["time"].between(1, 9).all()
    assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(100_000))


# --- what must always hold --------------------------------------------------------------------------------------

positive = st.floats(0.05, 20)


@given(
    a=positive, b=positive, c=positive, d=positive, x=st.integers(0, 40), gap=st.integers(0, 40), t=st.integers(0, 60)
)
def test_probabilities_of_purchases_add_up_to_one_and_to_the_mean(a, b, c, d, x, gap, t):
    params, past, n = BGBBParams(a, b, c, d), history(x, x, x + gap), np.arange(t + 2.0)
    new, later = bgbb.probability_of_purchases(params, n, t), bgbb.probability_of_future_purchases(params, *past, n, t)
    for probability, mean in [
        (new, bgbb.expected_purchases_new_customer(params, t)),
        (later, bgbb.expected_purchases(params, *past, t)[0]),
    ]:
        assert probability.sum() == pytest.approx(1, abs=1e-9)
        assert n @ probability == pytest.approx(float(mean), rel=1e-9, abs=1e-12)
        assert probability[-1] <= 1e-15  # more purchases than opportunities


def test_the_chance_of_many_purchases_does_not_vanish_on_the_way():
    # The first term, 600 purchases in a row, is far below the smallest float.
    probability = bgbb.probability_of_purchases(BGBBParams(200.0, 1800.0, 1e-6, 1.0), np.arange(1_200), 6_000)
    assert probability.sum() == pytest.approx(1, abs=1e-4)
    assert np.argmax(probability) == pytest.approx(600, abs=10)


@given(a=positive, b=positive, c=positive, d=positive, x=st.integers(1, 30), silence=st.integers(0, 30))
def test_longer_silence_never_raises_probability_alive(a, b, c, d, x, silence):
    t_x = np.full(2, float(x))
    now, later = bgbb.probability_alive(BGBBParams(a, b, c, d), t_x, t_x, t_x + silence + [0, 1])
    assert 0 <= later <= now <= 1


@given(
    params=st.tuples(*[st.floats(1e-4, 1e5)] * 4), x=st.integers(0, 1_500), gap=st.integers(0, 1_500),
    silence=st.integers(0, 1_500),
)  # fmt: skip
def test_likelihood_gradient_and_value_are_finite_at_the_extremes(params, x, gap, silence):
    t_x = x + gap if x else 0
    past = history(x, t_x, t_x + silence)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, score = bgbb.log_likelihood_and_score(BGBBParams(*params), *past)
        worth = bgbb.discounted_residual_purchases(BGBBParams(*params), *past, 0.01)
    assert np.isfinite(value).all() and np.isfinite(score).all()
    assert 0 <= worth[0] <= 100 * (1 + 1e-9)


# --- weights and covariates ---------------------------------------------------------------------------------------


def test_a_weight_of_zero_equals_a_row_left_out(donors, donations):
    weights = donations["weights"].to_numpy(float)
    left_out = np.arange(len(donors)) == 5
    without = CustomerSummary(donors.frame[~left_out], "month")
    unweighted = fit_bgbb(donors, weights=np.where(left_out, 0.0, weights))
    np.testing.assert_allclose(unweighted.params, fit_bgbb(without, weights=weights[~left_out]).params, rtol=1e-6)


def test_covariates_of_zero_change_nothing(two_channels):
    fit = fit_bgbb(two_channels, purchase=["online"], opposite=True)
    nobody = CustomerSummary(two_channels.frame.assign(online=0.0), "month")
    plain = BGBBFit.from_params(fit.params, time_unit="month")
    expected = plain.expected_purchases(nobody, horizon=6)
    np.testing.assert_allclose(fit.expected_purchases(nobody, horizon=6), expected, rtol=1e-12)


def test_a_fit_with_covariates_survives_json_digit_for_digit(two_channels):
    fit = fit_bgbb(two_channels, purchase=["online"], dropout=["online"])
    again = BGBBFit.from_json(fit.to_json())
    assert (again.params, again.effects) == (fit.params, fit.effects)
    pd.testing.assert_frame_equal(again.covariance, fit.covariance)
    pd.testing.assert_series_equal(
        again.expected_purchases(two_channels, horizon=6), fit.expected_purchases(two_channels, horizon=6)
    )


@pytest.mark.parametrize("annual_rate", [1e-17, 1e-9])
def test_a_tiny_rate_gives_an_answer_at_once(fit, donors, annual_rate):
    worth = fit.discounted_residual_purchases(donors, annual_discount_rate=annual_rate)
    assert np.isfinite(worth).all()
