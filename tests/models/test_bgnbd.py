"""BG/NBD against published figures, against simulation, and against what must always hold."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd
from crm_analysis.models.quadrature import mean_over_beta

PUBLISHED = BGNBDParams(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee (2005), CDNOW sample
CUSTOMER = (np.array([2.0]), np.array([30.43]), np.array([38.86]))


def history(x: float, t_x: float, T: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


@pytest.fixture(scope="module")
def fit(cdnow_summary: CustomerSummary) -> BGNBDFit:
    return fit_bgnbd(cdnow_summary)


# --- published figures ------------------------------------------------------------------------------------------


def test_estimates_match_published(fit, published):
    published.check("C1", fit.params)


def test_log_likelihood_is_unscaled_and_matches_published(fit, cdnow_sample_log, published):
    published.check("C2", [fit.log_likelihood, fit_bgnbd(cdnow_sample_log).log_likelihood])


def test_standard_errors_match_an_independent_implementation(fit, published):
    published.check("C3", fit.summary()["standard_error"])


def test_estimates_from_the_log_match_published(cdnow_sample_log, published):
    published.check("C4", fit_bgnbd(cdnow_sample_log).params)


def test_purchases_of_a_new_customer_match_published_at_the_estimates(fit, published):
    published.check("C10", fit.expected_purchases_new_customer(published.column("C10", "at")))


def test_purchases_of_a_new_customer_match_published(published):
    published.check("C11", bgnbd.expected_purchases_new_customer(PUBLISHED, published.column("C11", "at")))


def test_conditional_expectation_matches_the_authors_spreadsheet(fit, published):
    published.check("C12", [bgnbd.expected_purchases(p, *CUSTOMER, 39)[0] for p in (PUBLISHED, fit.params)])


def test_probability_alive_matches_published(fit, published):
    published.check("C13", [bgnbd.probability_alive(p, *CUSTOMER)[0] for p in (PUBLISHED, fit.params)])


def test_one_time_buyers_are_alive_with_certainty():
    assert bgnbd.probability_alive(PUBLISHED, *history(0, 0, 38.86))[0] == 1.0


def test_probability_of_purchases_matches_published(published):
    at = np.array([0, 10]), np.array([39.0, 2.0])
    published.check("C14", bgnbd.probability_of_purchases(PUBLISHED, *at))


def test_expected_counts_by_frequency_match_published(fit, cdnow_summary, published):
    T, customers = np.unique(cdnow_summary.frame["T"], return_counts=True)
    table = bgnbd.probability_of_purchases(fit.params, np.arange(7)[:, None], T[None, :])
    published.check("C18", table @ customers)


def test_log_likelihood_matches_the_published_note(published):
    params = BGNBDParams(r=0.25, alpha=4, a=0.8, b=2.5)
    values = [bgnbd.log_likelihood(params, *history(x, t_x, 40))[0] for x, t_x in [(0, 0), (200, 38)]]
    published.check("C19", values)


@pytest.mark.parametrize("figure", ["C20", "C20-sheet"])
def test_log_likelihood_per_customer_matches_published(published, figure):
    x, t_x = published.column("C20", "frequency"), published.column("C20", "recency")
    published.check(figure, bgnbd.log_likelihood(PUBLISHED, x, t_x, np.full(5, 38.86)))


# --- where others break -----------------------------------------------------------------------------------------


def test_expectation_holds_for_thousands_of_purchases(published):
    cases = [
        (BGNBDParams(0.25, 4, 0.8, 2.5), history(5000, 5000, 5000), 5000),
        (BGNBDParams(0.9, 3, 0.1, 5), history(2000, 300, 300), 3000),
    ]
    # The independent figures are of a customer known to be alive.
    values = [
        (bgnbd.expected_purchases(params, *past, t) / bgnbd.probability_alive(params, *past))[0]
        for params, past, t in cases
    ]
    published.check("large-x", values)


def test_expectation_holds_at_the_poles_of_the_hypergeometric_function(published):
    below_one = bgnbd.expected_purchases(BGNBDParams(0.11, 2.24, 0.31, 0.5), *history(0, 0, 1), 30)[0]
    exactly_one = bgnbd.expected_purchases(BGNBDParams(0.2, 5, 0.4, 0.6), *history(0, 0, 20), 10)[0]
    published.check("poles", [below_one, exactly_one])


@pytest.mark.parametrize("a", [1 - 1e-3, 1 - 1e-5, 1 - 1e-9, 1.0, 1 + 1e-9, 1 + 1e-5, 1 + 1e-3])
def test_expectation_is_smooth_where_a_is_one(a):
    near = [bgnbd.expected_purchases(PUBLISHED._replace(a=v), *CUSTOMER, 39)[0] for v in (a, 1.1, 0.9)]
    assert near[1] < near[0] < near[2]
    at_one = bgnbd.expected_purchases(PUBLISHED._replace(a=1.0), *CUSTOMER, 39)[0]
    assert near[0] == pytest.approx(at_one, rel=abs(a - 1) + 1e-9)


def test_discounted_purchases_without_discount_equal_the_expectation():
    x, T = np.array([0.0, 1, 7, 60, 900]), np.array([10.0, 38.86, 52, 70, 500])
    direct = bgnbd.expected_purchases(PUBLISHED, x, 0.9 * T * (x > 0), T, 52)
    integral = bgnbd.discounted_residual_purchases(PUBLISHED, x, 0.9 * T * (x > 0), T, 0.0, 52)
    np.testing.assert_allclose(integral, direct, rtol=1e-9)


@pytest.mark.parametrize("params", [PUBLISHED, BGNBDParams(0.25, 4, 1.0, 2.5), BGNBDParams(1.5, 400, 43, 262)])
@pytest.mark.parametrize(("x", "T"), [(0, 0.1), (3, 38.0), (100, 70.0)])
def test_discounted_purchases_match_a_sum_over_small_steps(params, x, T):
    # An independent road: the chance to be there at s by quadrature over p, the integral over s by the trapezium rule.
    r, alpha, a, b = params
    rate, horizon = 0.0018, 104.0
    s = (alpha + T) * np.expm1(np.linspace(0, np.log1p(horizon / (alpha + T)), 4001))
    still_there = mean_over_beta(
        lambda p: np.exp(-(r + x + 1) * np.log1p(p * s / (alpha + T))), a, np.full(s.shape, b + x)
    )
    expected = np.trapezoid((r + x) / (alpha + T) * still_there * np.exp(-rate * s), s)
    past = history(x, T if x else 0, T)
    result = bgnbd.discounted_residual_purchases(params, *past, rate, horizon) / bgnbd.probability_alive(params, *past)
    assert result[0] == pytest.approx(expected, rel=2e-6)


def test_all_of_the_future_is_the_limit_of_long_horizons():
    past = history(3, 30, 38)
    forever = bgnbd.discounted_residual_purchases(PUBLISHED, *past, 0.0018, None)[0]
    very_long = bgnbd.discounted_residual_purchases(PUBLISHED, *past, 0.0018, 12_000)[0]
    assert forever == pytest.approx(very_long, rel=1e-6)


def test_undiscounted_purchases_without_end_are_called_infinite():
    assert bgnbd.discounted_residual_purchases(PUBLISHED, *CUSTOMER, 0.0, None)[0] == np.inf


def test_undiscounted_purchases_without_end_are_finite_when_a_exceeds_one():
    params = PUBLISHED._replace(a=2.0)
    forever = bgnbd.discounted_residual_purchases(params, *CUSTOMER, 0.0, None)[0]
    assert forever == pytest.approx(bgnbd.expected_purchases(params, *CUSTOMER, 1e9)[0], rel=1e-6)


def test_residual_lifetime_matches_simulation():
    rng = np.random.default_rng(5)
    n, r, alpha, a, b = 400_000, *PUBLISHED
    rate, dropout = rng.gamma(r + 2, size=n) / (alpha + 38.86), rng.beta(a, b + 2, size=n)
    lifetime = np.minimum(rng.exponential(size=n) / (rate * dropout), 52)
    result = bgnbd.discounted_residual_lifetime(PUBLISHED, *CUSTOMER, 0.0, 52.0)[0]
    alive = bgnbd.probability_alive(PUBLISHED, *CUSTOMER)[0]
    assert result == pytest.approx(alive * lifetime.mean(), abs=4 * lifetime.std() / np.sqrt(n))


# --- estimation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "truth", [BGNBDParams(0.24, 4.4, 0.8, 2.4), BGNBDParams(1.0, 6.0, 0.5, 1.5), BGNBDParams(2.0, 10.0, 0.3, 0.5)]
)
def test_fit_recovers_simulated_parameters(truth):
    rng = np.random.default_rng(20240601)
    T = rng.uniform(26, 52, size=4_000)
    fit = fit_bgnbd(CustomerSummary(bgnbd.histories(bgnbd.simulate(truth, T, rng), T), "week", date(2024, 6, 1)))
    # On the log scale the likelihood is closest to a parabola: a Wald test of estimates and standard errors together.
    miss = np.log(truth) - np.log(fit.params)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=len(truth))


def test_gradient_is_that_of_the_log_likelihood():
    x, t_x, T = np.array([0.0, 1, 5, 300]), np.array([0.0, 3, 20, 38]), np.array([40.0, 40, 30, 40])
    params = np.array([0.25, 4, 0.8, 0.9])
    _, score = bgnbd.log_likelihood_and_score(BGNBDParams(*params), x, t_x, T)
    for position in range(4):
        step = np.zeros(4)
        step[position] = 1e-6 * params[position]
        up, down = (bgnbd.log_likelihood(BGNBDParams(*(params + s)), x, t_x, T) for s in (step, -step))
        np.testing.assert_allclose(score[:, position], (up - down) / (2 * step[position]), rtol=1e-5, atol=1e-7)


def test_weights_equal_repeated_rows(cdnow_summary):
    frame = cdnow_summary.frame.iloc[:600]
    times = 1 + np.arange(600) % 3
    weighted = fit_bgnbd(CustomerSummary(frame, "week"), weights=times)
    repeated = frame.loc[frame.index.repeat(times)].reset_index(drop=True).rename_axis("customer_id")
    repeated.index = repeated.index.astype(str)
    exploded = fit_bgnbd(CustomerSummary(repeated, "week"))
    np.testing.assert_allclose(weighted.params, exploded.params, rtol=1e-6)
    np.testing.assert_allclose(weighted.covariance, exploded.covariance, rtol=1e-4)


def test_weeks_to_days_multiplies_alpha_by_seven_and_leaves_the_rest(fit, cdnow_summary):
    frame = cdnow_summary.frame.assign(recency=cdnow_summary.frame["recency"] * 7, T=cdnow_summary.frame["T"] * 7)
    in_days = fit_bgnbd(CustomerSummary(frame, "day"))
    np.testing.assert_allclose(in_days.params, np.array(fit.params) * [1, 7, 1, 1], rtol=1e-5)
    purchases = cdnow_summary.frame["frequency"].sum()
    assert in_days.log_likelihood == pytest.approx(fit.log_likelihood - purchases * np.log(7), abs=1e-6)


def test_covariance_is_labelled_and_symmetric(fit):
    assert list(fit.covariance.index) == list(fit.covariance.columns) == ["r", "alpha", "a", "b"]
    np.testing.assert_allclose(fit.covariance, fit.covariance.T)


def test_covariance_off_the_diagonal_agrees_with_draws(fit):
    draws = fit.draws(200_000, seed=3)
    np.testing.assert_allclose(np.log(draws).corr().to_numpy(), _correlation(fit), atol=0.01)


def _correlation(fit):
    error = np.sqrt(np.diag(fit.covariance))
    return fit.covariance.to_numpy() / np.outer(error, error)


def test_information_criteria_follow_from_the_log_likelihood(fit):
    assert fit.aic == pytest.approx(8 + 2 * 9582.4256, abs=0.01)
    assert fit.bic == pytest.approx(4 * np.log(2357) + 2 * 9582.4256, abs=0.01)


def test_a_ridge_is_an_answer_with_a_warning():
    # Nearly equal dropout chances: only their mean is in the data.
    rng = np.random.default_rng(7)
    T = np.full(1_500, 40.0)
    frame = bgnbd.histories(bgnbd.simulate(BGNBDParams(2.0, 8.0, 400.0, 3000.0), T, rng), T)
    with pytest.warns(EstimationWarning, match=r"a/\(a\+b\)|bound"):
        fit = fit_bgnbd(CustomerSummary(frame, "week"))
    assert fit.params.a / (fit.params.a + fit.params.b) == pytest.approx(400 / 3400, abs=0.03)
    assert fit.advice


def test_few_repeat_buyers_are_warned_about(cdnow_summary):
    frame = cdnow_summary.frame
    rows = [frame[frame["frequency"] == 0].head(300), frame[frame["frequency"] > 0].head(20)]
    few = CustomerSummary(pd.concat(rows), "week")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit_bgnbd(few)
    assert any("only 20 customers have a repeat purchase" in str(warning.message) for warning in caught)


def test_a_base_without_repeat_purchases_is_refused(cdnow_summary):
    frame = cdnow_summary.frame
    with pytest.raises(DataError, match="no customer has a repeat purchase"):
        fit_bgnbd(CustomerSummary(frame[frame["frequency"] == 0], "week"))


def test_a_summary_in_another_unit_is_refused(fit, cdnow_summary):
    with pytest.raises(SettingsError, match="summarise with time_unit='week'"):
        fit.probability_alive(CustomerSummary(cdnow_summary.frame, "day"))


def test_a_fit_survives_json_digit_for_digit(fit):
    again = BGNBDFit.from_json(fit.to_json())
    assert again.params == fit.params
    assert again.log_likelihood == fit.log_likelihood
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def test_a_fit_cannot_be_changed(fit):
    with pytest.raises(AttributeError):
        fit.params = PUBLISHED


# --- simulation -------------------------------------------------------------------------------------------------


def test_simulated_purchases_average_to_the_expectation():
    rng = np.random.default_rng(11)
    T = np.full(200_000, 52.0)
    counts = np.bincount(bgnbd.simulate(PUBLISHED, T, rng)["customer"], minlength=len(T))
    expected = bgnbd.expected_purchases_new_customer(PUBLISHED, 52.0)
    assert counts.mean() == pytest.approx(float(expected), abs=4 * counts.std() / np.sqrt(len(T)))


def test_simulated_counts_follow_the_distribution():
    rng = np.random.default_rng(12)
    T = np.full(100_000, 39.0)
    counts = np.bincount(bgnbd.simulate(PUBLISHED, T, rng)["customer"], minlength=len(T))
    expected = bgnbd.probability_of_purchases(PUBLISHED, np.arange(12), 39.0) * len(T)
    observed = np.bincount(np.minimum(counts, 12), minlength=13)
    assert stats.chisquare(observed, [*expected, len(T) - expected.sum()]).pvalue > 0.001


@pytest.mark.parametrize("past", [history(0, 0, 20), history(2, 30.43, 38.86), history(9, 20, 38)])
def test_simulated_futures_average_to_the_conditional_expectation(past):
    rng = np.random.default_rng(13)
    many = [np.repeat(column, 200_000) for column in past]
    counts = np.bincount(bgnbd.simulate_future(PUBLISHED, *many, 39.0, rng)["customer"], minlength=200_000)
    expected = bgnbd.expected_purchases(PUBLISHED, *past, 39.0)[0]
    assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(200_000))


# --- what must always hold --------------------------------------------------------------------------------------

positive = st.floats(0.05, 20)


@given(
    r=positive, alpha=positive, a=positive, b=positive,
    x=st.integers(1, 60), t_x=st.floats(0, 100), silence=st.floats(0, 100), longer=st.floats(0, 100),
)  # fmt: skip
def test_longer_silence_never_raises_probability_alive(r, alpha, a, b, x, t_x, silence, longer):
    T = t_x + silence + np.array([0.0, longer])
    now, later = bgnbd.probability_alive(BGNBDParams(r, alpha, a, b), np.float64(x), np.float64(t_x), T)
    assert 0 <= later <= now <= 1


@given(r=positive, alpha=positive, a=positive, b=positive, t=st.floats(0.1, 60))
def test_probabilities_of_purchases_add_up_to_one_and_to_the_mean(r, alpha, a, b, t):
    params = BGNBDParams(r, alpha, a, b)
    n = np.arange(20_000)
    probability = bgnbd.probability_of_purchases(params, n, t)
    if probability[-200:].sum() < 1e-12:  # the tail ends inside the sum
        assert probability.sum() == pytest.approx(1, abs=1e-9)
        mean = float(bgnbd.expected_purchases_new_customer(params, t))
        assert n @ probability == pytest.approx(mean, rel=1e-5, abs=1e-9)


@settings(deadline=None)
@given(
    r=positive, alpha=positive, a=positive, b=positive, x=st.integers(0, 2_000),
    T=st.floats(0.5, 300), horizon=st.floats(0.1, 500), longer=st.floats(0, 500), rate=st.floats(0, 0.05),
)  # fmt: skip
def test_purchases_to_come_grow_with_the_horizon_and_shrink_with_the_rate(r, alpha, a, b, x, T, horizon, longer, rate):
    params, past = BGNBDParams(r, alpha, a, b), history(x, T if x else 0, T)
    near = bgnbd.discounted_residual_purchases(params, *past, rate, horizon)[0]
    far = bgnbd.discounted_residual_purchases(params, *past, rate, horizon + longer)[0]
    undiscounted = bgnbd.expected_purchases(params, *past, horizon)[0]
    assert np.isfinite([near, far, undiscounted]).all()
    assert 0 <= near <= far * (1 + 1e-9)
    assert near <= undiscounted * (1 + 1e-7) + 1e-12


@given(
    r=positive, alpha=positive, a=positive, b=positive, x=st.integers(0, 5_000),
    share=st.floats(0, 1), T=st.floats(0, 500),
)  # fmt: skip
def test_log_likelihood_and_gradient_are_always_finite(r, alpha, a, b, x, share, T):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, score = bgnbd.log_likelihood_and_score(
            BGNBDParams(r, alpha, a, b), *history(x, share * T if x else 0, T)
        )
    assert np.isfinite(value).all()
    assert np.isfinite(score).all()
