"""BG/NBD against published figures and exact arithmetic, and where others break.

What every model must do is in test_every_model.
"""

import warnings
from dataclasses import dataclass

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import EstimationWarning
from crm_analysis.models import bgnbd, mbgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd

PUBLISHED = BGNBDParams(r=0.243, alpha=4.414, a=0.793, b=2.426)  # Fader, Hardie & Lee (2005), CDNOW sample
PARAMS = {bgnbd: BGNBDParams, mbgnbd: mbgnbd.MBGNBDParams}
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


def test_log_likelihood_per_customer_matches_published(fit, published):
    past = published.column("C20", "frequency"), published.column("C20", "recency"), np.full(5, 38.86)
    published.check("C20", bgnbd.log_likelihood(PUBLISHED, *past))
    published.check("C20-sheet", bgnbd.log_likelihood(fit.params, *past))


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


# --- the hypergeometric function at its extremes, BG/NBD and MBG/NBD ---------------------------------------------

EXTREME_PASTS = [
    (0, 0, 40), (1, 0.01, 40), (1, 39.99, 40), (50, 1, 300), (50, 299, 300), (500, 299, 300), (2_000, 1, 300),
    (2_000, 299.9, 300),
]  # fmt: skip
extremes = pytest.mark.parametrize("model", [bgnbd, mbgnbd], ids=["BG/NBD", "MBG/NBD"])
extreme_dropout = pytest.mark.parametrize(
    ("a", "b"), [(0.01, 0.01), (0.01, 50), (50, 0.01), (50, 50), (43, 262), (0.8, 2.5)]
)


@dataclass(frozen=True)
class Exact:
    """One customer in fifty digits: the chance to be alive, and rates and dropout given that."""

    alive: mpmath.mpf
    shape: mpmath.mpf
    rate: mpmath.mpf
    a: mpmath.mpf
    b: mpmath.mpf

    @classmethod
    def of(cls, model, r: float, alpha: float, a: float, b: float, past: tuple[float, float, float]) -> "Exact":
        r, alpha, a, b, x, t_x, T = (mpmath.mpf(str(value)) for value in (r, alpha, a, b, *past))
        stayed = x + 1 if model is mbgnbd else x
        left = a / (b + stayed - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x) if stayed else mpmath.mpf(0)
        return cls(1 / (1 + left), r + x, alpha + T, a, b + stayed)

    def expected_purchases(self, horizon: float) -> float:
        # FHL, eq. 10 as printed.
        c, z = self.a + self.b - 1, horizon / (self.rate + horizon)
        remaining = (1 - z) ** self.shape * mpmath.hyp2f1(self.shape, self.b, c, z)
        return float(self.alive * c / (self.a - 1) * (1 - remaining))

    def discounted_purchases(self, discount: float, horizon: float) -> float:
        # Over s = rate (e^y - 1), in which what is left of the customers falls evenly.
        def worth(y: mpmath.mpf) -> mpmath.mpf:
            s = self.rate * mpmath.expm1(y)
            there = mpmath.hyp2f1(self.shape + 1, self.a, self.a + self.b, -s / self.rate)
            return there * mpmath.exp(y - discount * s)

        end = mpmath.log1p(mpmath.mpf(horizon) / self.rate)
        return float(self.alive * self.shape * mpmath.quad(worth, mpmath.linspace(0, end, 3), method="gauss-legendre"))


@extremes
@extreme_dropout
@pytest.mark.parametrize("past", EXTREME_PASTS)
def test_expectation_at_the_extremes_matches_fifty_digits(model, a, b, past):
    params = (0.25, 4.0, a, b)
    for horizon in (0.5, 5_000.0):
        with mpmath.workdps(50):
            exact = Exact.of(model, *params, past).expected_purchases(horizon)
        ours = model.expected_purchases(PARAMS[model](*params), *history(*past), horizon)[0]
        assert ours == pytest.approx(exact, rel=1e-9, abs=1e-300)


@extremes
@extreme_dropout
@pytest.mark.parametrize("past", [EXTREME_PASTS[n] for n in (0, 2, 4, 7)])
def test_discounted_purchases_at_the_extremes_match_fifty_digits(model, a, b, past):
    params = (0.25, 4.0, a, b)
    with mpmath.workdps(50):
        exact = Exact.of(model, *params, past).discounted_purchases(0.01, 100.0)
    ours = model.discounted_residual_purchases(PARAMS[model](*params), *history(*past), 0.01, 100.0)[0]
    assert ours == pytest.approx(exact, rel=1e-9)


# --- estimation -------------------------------------------------------------------------------------------------


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
    n = np.arange(5_000)
    probability = bgnbd.probability_of_purchases(params, n, t)
    if probability[-200:].sum() < 1e-12:  # the tail ends inside the sum
        assert probability.sum() == pytest.approx(1, abs=1e-9)
        mean = float(bgnbd.expected_purchases_new_customer(params, t))
        assert n @ probability == pytest.approx(mean, rel=1e-5, abs=1e-9)


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
