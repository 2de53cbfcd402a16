"""MBG/NBD against published figures.

The extremes of its 2F1 are in test_bgnbd, what every model must do is in test_every_model.
"""

import numpy as np
import pytest

from crm_analysis.models import bgnbd, mbgnbd
from crm_analysis.models.mbgnbd import MBGNBDParams, fit_mbgnbd


def history(x: float, t_x: float, T: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.array([float(x)]), np.array([float(t_x)]), np.array([float(T)])


def test_log_likelihood_matches_the_published_note(published):
    params = MBGNBDParams(r=0.25, alpha=4, a=0.8, b=2.5)
    published.check(
        "C19-modified", [mbgnbd.log_likelihood(params, *history(x, t, 40))[0] for x, t in [(0, 0), (200, 38)]]
    )


def test_log_likelihood_of_one_customer_matches_published(published):
    published.check("C23", mbgnbd.log_likelihood(MBGNBDParams(0.55, 10.58, 0.61, 11.67), *history(1, 1.5, 12)))


def test_purchases_of_a_new_customer_match_published(published):
    params = MBGNBDParams(0.525, 6.183, 0.891, 1.614)
    published.check("C31", mbgnbd.expected_purchases_new_customer(params, np.array([1.0, 3, 6])))


def test_estimates_are_those_the_published_parameters_were_rounded_from(cdnow_summary):
    np.testing.assert_allclose(fit_mbgnbd(cdnow_summary).params, [0.525, 6.183, 0.891, 1.614], atol=6e-4)


def test_a_one_time_buyer_may_have_left():
    alive = mbgnbd.probability_alive(MBGNBDParams(0.525, 6.183, 0.891, 1.614), *history(0, 0, 39))
    assert 0.3 < alive[0] < 0.6


def test_lifetimes_agrees_customer_by_customer(cdnow_summary):
    import pandas as pd
    from lifetimes import ModifiedBetaGeoFitter

    fitter = ModifiedBetaGeoFitter()
    params = MBGNBDParams(0.525, 6.183, 0.891, 1.614)
    fitter.params_ = pd.Series(params._asdict())
    frame = cdnow_summary.frame
    columns = [frame[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    np.testing.assert_allclose(
        mbgnbd.expected_purchases(params, *columns, 39.0),
        fitter.conditional_expected_number_of_purchases_up_to_time(39.0, *columns),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        mbgnbd.probability_alive(params, *columns), fitter.conditional_probability_alive(*columns), rtol=1e-9
    )


def test_customers_who_never_leave_early_are_those_of_the_bgnbd():
    # With b so large that the first coin never matters, the two models are one.
    params = (0.8, 5.0, 1e-9, 1e3)
    past = history(4, 20, 30)
    np.testing.assert_allclose(
        mbgnbd.expected_purchases(MBGNBDParams(*params), *past, 52.0),
        bgnbd.expected_purchases(bgnbd.BGNBDParams(*params), *past, 52.0),
        rtol=1e-6,
    )


@pytest.mark.parametrize("horizon", [0.0, 1.0, 500.0])
def test_half_of_those_who_may_leave_at_once_do(horizon):
    # a = b: the first coin is fair on average.
    never = mbgnbd.probability_of_purchases(MBGNBDParams(50.0, 1.0, 1.0, 1.0), 0, horizon)
    assert float(never) >= 0.5
