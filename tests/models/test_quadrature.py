"""Integrals against as many digits as are needed."""

import mpmath
import numpy as np
import pytest

from crm_analysis.models.quadrature import discounted_power, mean_over_beta


@pytest.mark.parametrize("rate", [1e-17, 1e-12, 1e-8, 1e-4, 0.0018, 0.1])
def test_a_discounted_power_keeps_twelve_digits_at_every_rate(rate):
    power = np.array([0.02, 0.5, 1.0, 1 + 1e-9, 1.1, 1.3, 2.0, 10.0, 100.0])
    with mpmath.workdps(40):
        by = mpmath.mpf(rate) * 12
        exact = [float(12 * mpmath.exp(by) * mpmath.expint(mpmath.mpf(k), by)) for k in power]
    np.testing.assert_allclose(discounted_power(power, np.full(len(power), 12.0), rate, None), exact, rtol=1e-12)


@pytest.mark.parametrize("b", [0.02, 1.0, 250.0])
@pytest.mark.parametrize("a", [0.02, 1.0, 1.3, 250.0])
def test_a_mean_over_a_beta_keeps_ten_digits_wherever_its_mass_lies(a, b):
    # Steepness and place of the fall, from before the mass to behind it.
    cases = [(shape, u) for shape in (0.5, 4.0, 60.0) for u in (1e-3, 1.0, 1e5)]
    shape, u = np.array(cases).T
    with mpmath.workdps(40):
        exact = [float(mpmath.hyp2f1(k, mpmath.mpf(a), mpmath.mpf(a) + mpmath.mpf(b), -v)) for k, v in cases]
    ours = mean_over_beta(
        lambda p, shape, u: (1 + p * u) ** -shape,
        np.full(len(u), a), np.full(len(u), b), shape, u, scale=1 / (u * (1 + shape)), power=shape,
    )  # fmt: skip
    # Of the chance to be there nobody asks for digits below 1e-14.
    np.testing.assert_allclose(ours, exact, rtol=1e-10, atol=1e-14)
