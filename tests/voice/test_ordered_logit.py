from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import approx_fprime
from statsmodels.discrete.discrete_model import Logit
from statsmodels.miscmodels.ordinal_model import OrderedModel

from crm_analysis.voice.ordered_logit import _Likelihood, fit_ordered_logit, pseudo_r_squared
from crm_analysis.voice.ordered_shares import pseudo_contributions

REFERENCE = Path(__file__).parents[3] / "shared" / "data" / "reference"
needs_reference = pytest.mark.skipif(not REFERENCE.exists(), reason="the shared reference data are not here")


def simulated(n, seed, slopes=(1.0, 0.5)):
    rng = np.random.default_rng(seed)
    x = 5 + 2 * rng.normal(size=(n, len(slopes)))
    latent = (x - 5) @ slopes + rng.logistic(size=n)
    return x, np.searchsorted([-2.0, 0.0, 2.0], latent), rng.uniform(0.3, 3, n)


@needs_reference
def test_housing_is_that_of_polr(published):
    data = pd.read_csv(REFERENCE / "housing.csv")
    columns = [("Infl", "Medium"), ("Infl", "High"), ("Type", "Apartment"), ("Type", "Atrium"), ("Type", "Terrace")]
    x = np.column_stack([data[name] == level for name, level in [*columns, ("Cont", "High")]]).astype(float)
    y = data["Sat"].map({"Low": 0, "Medium": 1, "High": 2})
    fit = fit_ordered_logit(x, y, data["Freq"].to_numpy(float))
    published.check("voice-R11-housing-slopes", fit.slopes)
    published.check("voice-R11-housing-cuts", fit.cuts)
    published.check("voice-R11-housing-log-likelihood", fit.log_likelihood)


@needs_reference
def test_wine_is_that_of_clm(published):
    data = pd.read_csv(REFERENCE / "wine.csv")
    x = np.column_stack([data["temp"] == "warm", data["contact"] == "yes"]).astype(float)
    fit = fit_ordered_logit(x, data["rating"].to_numpy() - 1, np.ones(len(data)))
    published.check("voice-R13-wine-slopes", fit.slopes)
    published.check("voice-R13-wine-log-likelihood", fit.log_likelihood)


def test_without_weights_it_is_that_of_statsmodels():
    x, y, _ = simulated(400, 1)
    ours, theirs = fit_ordered_logit(x, y, np.ones(400)), OrderedModel(y, x, distr="logit").fit(disp=0, method="newton")
    np.testing.assert_allclose(ours.slopes, theirs.params[:2], rtol=1e-5)
    np.testing.assert_allclose(ours.cuts, theirs.model.transform_threshold_params(theirs.params)[1:-1], rtol=1e-5)
    assert ours.log_likelihood == pytest.approx(theirs.llf)
    assert ours.pseudo_r_squared == pytest.approx(theirs.prsquared)


def test_weights_of_two_give_the_slopes_of_rows_given_twice():
    x, y, _ = simulated(200, 2)
    twice = np.concatenate([np.arange(200), np.arange(80)])
    weighted = fit_ordered_logit(x, y, np.where(np.arange(200) < 80, 2.0, 1.0))
    repeated = fit_ordered_logit(x[twice], y[twice], np.ones(280))
    np.testing.assert_allclose(weighted.slopes, repeated.slopes)
    assert weighted.log_likelihood == pytest.approx(repeated.log_likelihood)


def test_derivatives_are_those_of_the_likelihood():
    x, y, w = simulated(60, 3)
    model = _Likelihood(x - 5, y, w)
    at = np.array([0.7, 0.2, -1.5, 0.1, 1.2])
    gradient, information = model.derivatives(at)
    np.testing.assert_allclose(gradient, w @ model.scores(at))
    np.testing.assert_allclose(gradient, approx_fprime(at, model.value, 1e-7), rtol=1e-4, atol=1e-3)
    numeric = np.array([approx_fprime(at, lambda p, i=i: model.derivatives(p)[0][i], 1e-7) for i in range(5)])
    np.testing.assert_allclose(information, -numeric, rtol=1e-4, atol=1e-3)


def test_with_two_categories_it_is_a_binary_logit_with_its_sandwich():
    x, y, _ = simulated(300, 4)
    y = (y > 1).astype(int)
    theirs = Logit(y, np.column_stack([x, np.ones(300)])).fit(disp=0, cov_type="HC0")
    ours = fit_ordered_logit(x, y, np.ones(300))
    np.testing.assert_allclose(ours.slopes, theirs.params[:2], rtol=1e-6)
    np.testing.assert_allclose(ours.covariance, theirs.cov_params()[:2, :2], rtol=1e-4)


def test_only_ratios_of_weights_matter_to_slopes_and_their_errors():
    x, y, w = simulated(200, 5)
    one, other = fit_ordered_logit(x, y, w), fit_ordered_logit(x, y, 50 * w)
    np.testing.assert_allclose(one.covariance, other.covariance)
    assert other.log_likelihood == pytest.approx(50 * one.log_likelihood)


def test_weighted_standard_errors_are_as_wide_as_slopes_scatter():
    found = [fit_ordered_logit(*simulated(200, seed)) for seed in range(200)]
    scatter = np.std([fit.slopes for fit in found], axis=0)
    said = np.mean([np.sqrt(np.diag(fit.covariance)) for fit in found], axis=0)
    np.testing.assert_allclose(said, scatter, rtol=0.2)


def test_answers_that_are_told_without_error_have_no_slopes():
    x = np.arange(20.0)[:, None]
    assert not fit_ordered_logit(x, (x[:, 0] > 9).astype(int), np.ones(20)).converged


def test_a_driver_far_from_zero_does_not_matter():
    x, y, w = simulated(200, 6)
    far = fit_ordered_logit(1e5 + 1000 * x, y, w)
    np.testing.assert_allclose(1000 * far.slopes, fit_ordered_logit(x, y, w).slopes, rtol=1e-6)


def test_contributions_add_up_and_are_those_of_all_orders():
    x, y, w = simulated(300, 7)
    both, first, second = (pseudo_r_squared(x[:, columns], y, w) for columns in ([0, 1], [0], [1]))
    ours = pseudo_contributions(x, y, w)
    assert ours.sum() == pytest.approx(both)
    assert ours[0] == pytest.approx((first + both - second) / 2)


def test_drawn_orders_come_close_to_all_of_them(monkeypatch):
    x, y, w = simulated(300, 8, slopes=(1.0, 0.7, 0.5, 0.2))
    exact = pseudo_contributions(x, y, w)
    monkeypatch.setattr("crm_analysis.voice.ordered_shares.MOST_EXACT", 3)
    drawn = pseudo_contributions(x, y, w)
    assert drawn.sum() == pytest.approx(exact.sum())
    np.testing.assert_allclose(drawn, exact, atol=0.02 * exact.sum())
