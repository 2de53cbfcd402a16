"""Pareto/NBD against published figures, and where others break. What every model must do is in test_every_model."""

import mpmath
import numpy as np
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import EstimationWarning
from crm_analysis.models import pareto_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDParams, fit_pareto_nbd

PUBLISHED = ParetoNBDParams(0.5534, 10.5802, 0.6061, 11.6562)  # Fader, Hardie & Lee (2005), CDNOW sample
JMR = ParetoNBDParams(0.5629966, 12.5590370, 0.4081095, 10.5148048)


def history(x: float, t_x: float, T: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


@pytest.fixture(scope="module")
def fit(cdnow_summary):
    return fit_pareto_nbd(cdnow_summary)


def test_estimates_match_published(fit, published):
    published.check("C6", fit.params)


def test_log_likelihood_matches_published(fit, cdnow_sample_log, published):
    from_log = fit_pareto_nbd(cdnow_sample_log)
    published.check("C6-likelihood", [fit.log_likelihood, from_log.log_likelihood])
    published.check("C6-log", from_log.params.beta)


def test_log_likelihood_of_one_customer_matches_published(published):
    params = ParetoNBDParams(0.55, 10.58, 0.61, 11.67)
    published.check("C21", pareto_nbd.log_likelihood(params, *history(1, 1.5, 12)))


def test_a_frequent_buyer_matches_the_published_walkthrough(fit, published):
    buyer = history(26, 30.86, 31)
    expected = [pareto_nbd.expected_purchases(params, *buyer, 52)[0] for params in (PUBLISHED, fit.params)]
    published.check("C24", [*expected, pareto_nbd.probability_alive(fit.params, *buyer)[0]])


def test_purchases_of_a_new_customer_match_published(fit, published):
    year = [pareto_nbd.expected_purchases_new_customer(params, 52.0) for params in (fit.params, PUBLISHED)]
    published.check("C25", year)
    published.check("C26", fit.expected_purchases_new_customer(np.arange(1.0, 10)))
    published.check("C29", pareto_nbd.expected_purchases_new_customer(PUBLISHED, np.array([1.0, 3, 6])))


def test_probability_alive_matches_published(fit, published):
    values = [pareto_nbd.probability_alive(fit.params, *history(*past))[0] for past in [(0, 0, 39), (3, 20, 20)]]
    published.check("C27", values)
    published.check("D4", pareto_nbd.probability_alive(JMR, *history(0, 0, 39)))


def test_discounted_residual_purchases_match_published(published):
    published.check("D1", pareto_nbd.discounted_residual_purchases(JMR, *history(7, 35, 77.86), 0.0027))
    x = np.arange(1.0, 11)
    paradox = pareto_nbd.discounted_residual_purchases(JMR, x, np.full(10, 30.0), np.full(10, 77.86), 0.0027)
    published.check("D2", paradox)


def test_a_customer_of_the_apparel_data_matches_published(published):
    params, past = ParetoNBDParams(0.7866, 5.3349, 0.3570, 11.6152), history(0, 0, 40)
    published.check(
        "D8",
        [
            pareto_nbd.probability_alive(params, *past)[0],
            pareto_nbd.expected_purchases(params, *past, 39.857)[0],
            pareto_nbd.discounted_residual_purchases(params, *past, 0.1)[0],
        ],
    )


def test_long_silent_customers_match_published(published):
    params = ParetoNBDParams(0.78644, 5.67905, 0.38624, 5.71776)
    past = (np.arange(1.0, 6), np.full(5, 12.0), np.full(5, 52.0))
    published.check("G7-expected", pareto_nbd.expected_purchases(params, *past, 52))
    published.check("G7-alive", pareto_nbd.probability_alive(params, *past))


@pytest.mark.parametrize(
    "params",
    [
        PUBLISHED,
        ParetoNBDParams(0.5, 3, 0.6, 40),
        ParetoNBDParams(2, 0.05, 0.7, 900),
        ParetoNBDParams(1.5, 700, 12, 0.1),
    ],
)
@pytest.mark.parametrize(
    "past", [(0, 0, 0.5), (0, 0, 400), (1, 1.5, 12), (40, 10, 300), (2000, 299, 300), (2000, 1, 300)]
)
def test_the_likelihood_matches_the_hypergeometric_form_in_fifty_digits(params, past):
    # FH, eq. 20 and 22: whichever of alpha and beta is larger leads the 2F1.
    r, alpha, s, beta = map(mpmath.mpf, map(str, params))
    x, t_x, T = map(mpmath.mpf, map(str, past))
    with mpmath.workdps(50):
        power, larger = r + s + x, max(alpha, beta)
        second = s + 1 if alpha >= beta else r + x

        def term(t):
            return mpmath.hyp2f1(power, second, power + 1, abs(alpha - beta) / (larger + t)) / (larger + t) ** power

        dead = s / power * (term(t_x) - term(T))
        alive = 1 / ((alpha + T) ** (r + x) * (beta + T) ** s)
        front = mpmath.gamma(r + x) / mpmath.gamma(r) * alpha**r * beta**s
        exact = float(mpmath.log(front * (alive + dead)))
        share = float(alive / (alive + dead))
    assert pareto_nbd.log_likelihood(params, *history(*past))[0] == pytest.approx(exact, rel=1e-11, abs=1e-10)
    assert pareto_nbd.probability_alive(params, *history(*past))[0] == pytest.approx(share, rel=1e-9, abs=1e-300)


def test_all_of_the_future_matches_the_exponential_integral():
    # FHL's Tricomi function is beta e^z E_s(z), z = rate (beta + T), with the generalised exponential integral E_s.
    x, T, rate = 7.0, 77.86, 0.0027
    for params in (JMR, JMR._replace(s=1.0), JMR._replace(s=40.0, beta=4_000.0), JMR._replace(beta=1e6)):
        r, alpha, s, beta = params
        z = mpmath.mpf(rate * (beta + T))
        lifetime = float((beta + T) * mpmath.exp(z) * mpmath.expint(s, z))
        alive = pareto_nbd.probability_alive(params, *history(x, 35, T))[0]
        result = pareto_nbd.discounted_residual_purchases(params, *history(x, 35, T), rate)[0]
        assert result == pytest.approx(alive * (r + x) / (alpha + T) * lifetime, rel=1e-9)


@pytest.mark.parametrize("s", [1 - 1e-6, 1 - 1e-12, 1.0, 1 + 1e-12, 1 + 1e-6])
def test_the_expectation_is_smooth_where_s_is_one(s):
    at_one = pareto_nbd.expected_purchases_new_customer(PUBLISHED._replace(s=1.0), 52.0)
    near = pareto_nbd.expected_purchases_new_customer(PUBLISHED._replace(s=s), 52.0)
    assert float(near) == pytest.approx(float(at_one), rel=3 * abs(s - 1) + 1e-13)


def test_a_ridge_of_dropout_is_an_answer_with_a_warning():
    # Everybody leaves at nearly the same rate: only s / beta is in the data.
    rng = np.random.default_rng(7)
    truth = ParetoNBDParams(2.0, 8.0, 300.0, 12_000.0)
    T = np.full(1_500, 52.0)
    frame = pareto_nbd.histories(pareto_nbd.simulate(truth, T, rng), T)
    with pytest.warns(EstimationWarning, match=r"s/beta|bound"):
        fit = fit_pareto_nbd(CustomerSummary(frame, "week"))
    assert fit.params.s / fit.params.beta == pytest.approx(300 / 12_000, rel=0.15)


def test_few_nodes_give_the_digits_of_many(monkeypatch):
    rng = np.random.default_rng(4)
    size = 20_000
    params = ParetoNBDParams(*np.exp(rng.uniform(-3, 4, size=(4, size))))
    x = np.floor(np.exp(rng.uniform(-1, 6, size=size)))
    T = np.exp(rng.uniform(0, 5, size=size))
    past = x, np.where(x > 0, T * rng.random(size) ** 0.5, 0.0), T
    value, score = pareto_nbd.log_likelihood_and_score(params, *past)
    monkeypatch.setattr(pareto_nbd, "_RULES", ((np.inf, np.inf, *pareto_nbd._gauss(128)),))
    exact, exact_score = pareto_nbd.log_likelihood_and_score(params, *past)
    np.testing.assert_allclose(value, exact, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(score * np.transpose(params), exact_score * np.transpose(params), rtol=1e-9, atol=1e-9)


def test_a_last_purchase_a_rounding_error_late_is_one_on_the_last_day():
    params = ParetoNBDParams(0.55, 10.6, 0.6, 11.7)
    past = [(np.array([2.0]), np.array([20.0 + late]), np.array([20.0])) for late in (0.0, 1e-10)]
    one, other = (pareto_nbd.log_likelihood(params, *columns) for columns in past)
    assert one == pytest.approx(other, abs=1e-9)
