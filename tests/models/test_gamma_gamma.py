"""Gamma-Gamma against published figures, against simulation, and against what must always hold."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.models import gamma_gamma
from crm_analysis.models.gamma_gamma import (
    GammaGammaFit,
    GammaGammaParams,
    fit_gamma_gamma,
    spend_frequency_correlation,
)

PUBLISHED = GammaGammaParams(p=6.25, q=3.74, v=15.44)  # Hardie, note 025


@pytest.fixture(scope="module")
def fit(cdnow_summary: CustomerSummary) -> GammaGammaFit:
    return fit_gamma_gamma(cdnow_summary)


def spenders(x: np.ndarray, m: np.ndarray) -> CustomerSummary:
    frame = pd.DataFrame({"frequency": x, "recency": 1.0 * (x > 0), "T": 2.0, "monetary_value": m})
    frame.index = pd.Index([str(i) for i in range(len(x))], name="customer_id")
    return CustomerSummary(frame, "week")


def simulated(params: GammaGammaParams, n: int, seed: int) -> CustomerSummary:
    rng = np.random.default_rng(seed)
    x = 1 + rng.poisson(3, size=n)
    nu = rng.gamma(params.q, 1 / params.v, size=n)
    return spenders(x, rng.gamma(params.p * x) / nu / x)


def test_estimates_match_published(fit, published):
    published.check("S1-summary", fit.params)


def test_log_likelihood_matches_published(fit, published):
    published.check("S1-summary-likelihood", [fit.log_likelihood])


def test_estimates_from_the_log_match_published(cdnow_sample_log, published):
    published.check("S1-log", fit_gamma_gamma(cdnow_sample_log).params)


def test_log_likelihood_from_the_log_matches_published(cdnow_sample_log, published):
    published.check("S1-log-likelihood", [fit_gamma_gamma(cdnow_sample_log).log_likelihood])


@pytest.mark.parametrize("figure", ["S3", "S3-estimates"])
def test_expected_spend_matches_the_authors_spreadsheet(fit, published, figure):
    params = PUBLISHED if figure == "S3" else fit.params
    x, m = published.column("S3", "frequency"), published.column("S3", "monetary_value")
    published.check(figure, gamma_gamma.expected_spend(params, x, m))


def test_population_mean_and_correlation_match_an_independent_implementation(fit, cdnow_summary, published):
    correlation = spend_frequency_correlation(cdnow_summary).correlation
    published.check("S4", [fit.population_mean, cdnow_summary.frame["monetary_value"].mean(), correlation])


def test_one_time_buyers_are_expected_to_spend_the_population_mean(fit, cdnow_summary):
    once = cdnow_summary.frame["frequency"] == 0
    assert fit.expected_spend(cdnow_summary)[once].unique() == pytest.approx([fit.population_mean])


def test_fit_uses_repeat_buyers_only(fit):
    assert fit.number_of_customers == 946


@pytest.mark.parametrize("truth", [PUBLISHED, GammaGammaParams(1.5, 3.0, 40.0)])
def test_fit_recovers_simulated_parameters(truth):
    fit = fit_gamma_gamma(simulated(truth, 4_000, seed=20240601))
    miss = np.log(truth) - np.log(fit.params)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=len(truth))


def test_simulated_spend_averages_to_the_expectation(fit, cdnow_summary):
    rng = np.random.default_rng(3)
    n = len(cdnow_summary.frame)
    draws = np.array([fit.simulate_spend(cdnow_summary, np.arange(n), rng) for _ in range(400)])
    expected = fit.expected_spend(cdnow_summary).to_numpy()
    error = draws.mean(axis=1).std() / np.sqrt(len(draws))
    assert draws.mean() == pytest.approx(expected.mean(), abs=4 * error)


def test_weights_equal_repeated_rows():
    base = simulated(PUBLISHED, 500, seed=1)
    times = 1 + np.arange(500) % 3
    frame = base.frame.loc[base.frame.index.repeat(times)].reset_index(drop=True)
    frame.index = frame.index.astype(str)
    exploded = fit_gamma_gamma(CustomerSummary(frame, "week"))
    np.testing.assert_allclose(fit_gamma_gamma(base, weights=times).params, exploded.params, rtol=1e-6)


def test_currency_scales_v_alone():
    base = simulated(PUBLISHED, 500, seed=2)
    cents = CustomerSummary(base.frame.assign(monetary_value=base.frame["monetary_value"] * 100), "week")
    np.testing.assert_allclose(
        fit_gamma_gamma(cents).params, np.array(fit_gamma_gamma(base).params) * [1, 1, 100], rtol=1e-4
    )


def test_a_mean_without_bound_is_called_infinite_and_warned_about():
    with pytest.warns(EstimationWarning, match="mean spend of the population is infinite"):
        fit = fit_gamma_gamma(simulated(GammaGammaParams(3.0, 0.7, 10.0), 3_000, seed=4))
    assert fit.population_mean == np.inf


def test_spend_that_rises_with_frequency_is_warned_about():
    base = simulated(PUBLISHED, 2_000, seed=5)
    rising = base.frame.assign(monetary_value=base.frame["monetary_value"] * base.frame["frequency"])
    with pytest.warns(EstimationWarning, match="spend and frequency are correlated"):
        fit_gamma_gamma(CustomerSummary(rising, "week"))


def test_independent_spend_is_called_tenable(cdnow_customers):
    assert spend_frequency_correlation(cdnow_customers).judgement == "fine"


def test_few_customers_leave_the_independence_undecided():
    assert spend_frequency_correlation(simulated(PUBLISHED, 40, seed=6)).judgement == "undecided"


def test_equal_prices_leave_nothing_to_correlate():
    same = spenders(np.array([1, 2, 3, 4]), np.full(4, 10.0))
    assert spend_frequency_correlation(same).judgement == "unknown"


def test_too_few_spenders_are_refused():
    with pytest.raises(DataError, match="a correlation needs at least four"):
        fit_gamma_gamma(spenders(np.array([1, 2, 0]), np.array([10.0, 12.0, np.nan])))


positive = st.floats(0.2, 20)


@given(p=positive, q=st.floats(1.05, 20), v=positive, x=st.integers(1, 5_000), m=st.floats(0.01, 1e5))
def test_expected_spend_lies_between_the_customers_mean_and_the_populations(p, q, v, x, m):
    params = GammaGammaParams(p, q, v)
    result = gamma_gamma.expected_spend(params, np.array([float(x)]), np.array([m]))[0]
    ends = sorted([m, gamma_gamma.population_mean(params)])
    assert ends[0] * (1 - 1e-9) <= result <= ends[1] * (1 + 1e-9)


@given(p=positive, q=positive, v=positive, x=st.integers(1, 5_000), m=st.floats(0.01, 1e5))
def test_gradient_is_that_of_the_log_likelihood(p, q, v, x, m):
    params, at = np.array([p, q, v]), (np.array([float(x)]), np.array([m]))
    _, score = gamma_gamma.log_likelihood_and_score(GammaGammaParams(*params), *at)
    for position in range(3):
        step = np.zeros(3)
        step[position] = 1e-5 * params[position]
        up, down = (gamma_gamma.log_likelihood(GammaGammaParams(*(params + s)), *at)[0] for s in (step, -step))
        numeric = (up - down) / (2 * step[position])
        rounding = 1e-10 * (abs(up) + x * p) / step[position]
        assert score[0, position] == pytest.approx(numeric, rel=1e-4, abs=1e-6 + rounding)


EDGES = np.array([0.0, 10, 20, 30, 50, 100, np.inf])


def test_shares_of_the_spend_distribution_add_up_to_one(fit, cdnow_summary):
    table = fit.spend_distribution(cdnow_summary, EDGES)
    assert table[["observed", "expected"]].sum().tolist() == pytest.approx([1, 1])


def test_the_spend_distribution_is_that_of_the_model_on_data_of_the_model():
    base = simulated(PUBLISHED, 20_000, seed=9)
    table = GammaGammaFit.from_params(PUBLISHED, time_unit="").spend_distribution(base, EDGES)
    chance = np.sqrt(table["expected"] * (1 - table["expected"]) / 20_000)
    assert ((table["observed"] - table["expected"]).abs() < 4 * chance).all()


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_on_one_time_buyers_alone_are_refused(cdnow_summary):
    once = (cdnow_summary.frame["frequency"] == 0).to_numpy(float)
    with pytest.raises(DataError, match="0 customer"):
        fit_gamma_gamma(cdnow_summary, weights=once)


def test_at_least_four_are_counted_by_weight():
    base = simulated(PUBLISHED, 100, seed=7)
    with pytest.raises(DataError, match="3 customer"):
        fit_gamma_gamma(base, weights=np.where(np.arange(100) < 3, 1.0, 0.0))


def test_a_correlation_with_weights_equals_that_of_repeated_rows():
    base = simulated(PUBLISHED, 300, seed=8)
    times = np.arange(300) % 3
    frame = base.frame.loc[base.frame.index.repeat(times)].reset_index(drop=True)
    frame.index = frame.index.astype(str)
    weighted = spend_frequency_correlation(base, weights=times)
    exploded = spend_frequency_correlation(CustomerSummary(frame, "week"))
    assert vars(weighted) == pytest.approx(vars(exploded))


def test_the_correlation_has_the_interval_and_p_value_of_scipy():
    base = simulated(PUBLISHED, 60, seed=8)
    ours = spend_frequency_correlation(base)
    theirs = stats.pearsonr(base.frame["frequency"], base.frame["monetary_value"])
    interval = theirs.confidence_interval(0.95)
    assert [ours.correlation, ours.lower, ours.upper, ours.p_value] == pytest.approx(
        [theirs.statistic, interval.low, interval.high, theirs.pvalue]
    )


def test_a_weight_of_zero_equals_a_row_left_out():
    base = simulated(PUBLISHED, 3_000, seed=9)
    unweighted = fit_gamma_gamma(base, weights=np.where(np.arange(3_000) < 500, 0.0, 1.0))
    without = fit_gamma_gamma(CustomerSummary(base.frame.iloc[500:], "week"))
    np.testing.assert_allclose(unweighted.params, without.params, rtol=1e-6)


# --- covariates -----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two_kinds() -> CustomerSummary:
    base = simulated(PUBLISHED, 1_000, seed=10)
    gold = np.arange(1_000) % 2
    frame = base.frame.assign(gold=gold, monetary_value=base.frame["monetary_value"] * np.exp(0.5 * gold))
    return CustomerSummary(frame, "week")


def test_covariates_of_zero_change_nothing(two_kinds):
    fit = fit_gamma_gamma(two_kinds, spend=["gold"])
    nobody = CustomerSummary(two_kinds.frame.assign(gold=0.0), "week")
    plain = GammaGammaFit.from_params(fit.params, time_unit="")
    np.testing.assert_allclose(fit.expected_spend(nobody), plain.expected_spend(nobody), rtol=1e-12)


def test_a_fit_with_covariates_survives_json_digit_for_digit(two_kinds):
    fit = fit_gamma_gamma(two_kinds, spend=["gold"])
    again = GammaGammaFit.from_json(fit.to_json())
    assert (again.params, again.effects, again.log_likelihood) == (fit.params, fit.effects, fit.log_likelihood)
    pd.testing.assert_frame_equal(again.covariance, fit.covariance)
    pd.testing.assert_series_equal(again.expected_spend(two_kinds), fit.expected_spend(two_kinds))


# --- a summary without spend, and simulation -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [
        lambda fit, customers: fit.expected_spend(customers),
        lambda fit, customers: fit.simulate_spend(customers, np.arange(3), np.random.default_rng(1)),
        lambda fit, customers: fit.spend_distribution(customers, EDGES),
    ],
    ids=["expected_spend", "simulate_spend", "spend_distribution"],
)
def test_a_summary_without_spend_is_refused(fit, cdnow_summary, answer):
    bare = CustomerSummary(cdnow_summary.frame[["frequency", "recency", "T"]], "week")
    with pytest.raises(DataError, match="column 'monetary_value' is missing"):
        answer(fit, bare)


def test_simulated_purchases_of_new_customers_average_to_the_population_mean():
    rng, n = np.random.default_rng(11), 200_000
    spent = gamma_gamma.simulate(PUBLISHED, np.zeros(n), np.full(n, np.nan), np.arange(n), rng)
    error = spent.std() / np.sqrt(n)
    assert spent.mean() == pytest.approx(gamma_gamma.population_mean(PUBLISHED), abs=4 * error)


def test_purchases_of_one_customer_are_simulated_at_one_level():
    spent = gamma_gamma.simulate(
        PUBLISHED, np.zeros(4_000), np.zeros(4_000), np.repeat(np.arange(4_000), 2), np.random.default_rng(12)
    ).reshape(-1, 2)
    assert np.corrcoef(np.log(spent).T)[0, 1] > 0.5


def test_a_covariate_may_move_every_parameter_of_a_simulation():
    params = GammaGammaParams(np.array([6.0, 6.0]), np.array([4.0, 4.0]), np.array([15.0, 1_500.0]))
    spent = gamma_gamma.simulate(params, np.zeros(2), np.zeros(2), np.array([1, 1, 0]), np.random.default_rng(13))
    assert spent.shape == (3,)
    assert spent[:2].min() > spent[2]
