"""NBD against published figures. What every model must do is in test_every_model."""

import numpy as np
from scipy import stats
from scipy.special import gammaln, xlogy

from crm_analysis.models import nbd
from crm_analysis.models.nbd import NBDParams, fit_nbd


def test_estimates_and_log_likelihood_match_published(cdnow_summary, published):
    fit = fit_nbd(cdnow_summary)
    published.check("C8", [*fit.params, fit.log_likelihood])


def test_the_form_with_counts_is_the_negative_binomial():
    params, x, T = NBDParams(0.4, 12.0), np.array([0.0, 1, 7]), np.array([10.0, 20, 39])
    with_times = nbd.log_likelihood(params, x, np.zeros(3), T)
    by_counts = stats.nbinom.logpmf(x, params.r, params.alpha / (params.alpha + T))
    np.testing.assert_allclose(with_times + xlogy(x, T) - gammaln(x + 1), by_counts, rtol=1e-12)


def test_nobody_leaves():
    assert (
        nbd.probability_alive(NBDParams(1, 1), np.array([0.0, 5]), np.array([0.0, 1]), np.array([50.0, 50])) == 1
    ).all()
