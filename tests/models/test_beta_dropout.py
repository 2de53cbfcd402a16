"""What a customer does from a moment of certain life on, at the edges of its formulas."""

import mpmath
import numpy as np
import pytest

from crm_analysis.models import beta_dropout
from crm_analysis.models.beta_dropout import Alive

# shape, rate, a, b, horizon: the plain case, the poles shape = 1, a = 1 and a + b = 1, next to them, hardly any time,
# hardly any dropout, a buyer so frequent that the chance to be there has fallen long before the horizon, dropout that
# is all but certain, the same for all, and many parameters so far apart that scipy's 2F1 fails.
CASES = [
    (2.5, 12.0, 0.8, 2.5, 52.0),
    (1.0, 12.0, 0.8, 2.5, 52.0),
    (2.5, 12.0, 1.0, 2.5, 52.0),
    (2.5, 12.0, 0.4, 0.6, 52.0),
    (1.0 + 1e-7, 12.0, 1.0 - 1e-7, 2.5, 52.0),
    (2.5, 12.0, 0.8, 2.5, 1e-6),
    (2.5, 12.0, 1e-4, 80.0, 52.0),
    (379.24, 0.3934, 3.5588, 0.0193, 234.11),
    (401.58, 0.0215, 272.73, 0.268, 28.96),
    (1.109, 0.1342, 178.61, 0.0502, 196.65),
    (5.3216, 0.0226, 0.0224, 225.22, 154.08),
    (1.0119, 0.1763, 0.0197, 238.08, 246.57),
]
every_case = pytest.mark.parametrize("case", CASES, ids=str)


def being_there(shape: float, rate: float, a: float, b: float, horizon: float) -> float:
    """The integral of 2F1(shape, a; a + b; -s / rate) to the horizon: again a 2F1, its parameters lower by one."""
    with mpmath.workdps(60):
        # A little beside the poles, where sixty digits leave forty.
        shape, a, b = (mpmath.mpf(value) + mpmath.mpf(10) ** -20 for value in (shape, a, b))
        c, z = a + b - 1, -mpmath.mpf(horizon) / rate
        return float(rate * c / ((shape - 1) * (a - 1)) * (1 - mpmath.hyp2f1(shape - 1, a - 1, c, z)))


def one(case: tuple[float, ...]) -> Alive:
    return Alive(*(np.array([value]) for value in case[:4]))


@every_case
def test_the_undiscounted_lifetime_is_the_integral_of_being_there(case):
    ours = beta_dropout.discounted_lifetime(one(case), 0.0, case[-1])
    assert ours[0] == pytest.approx(being_there(*case), rel=1e-9)


@every_case
def test_expected_purchases_are_the_integral_of_the_purchase_rate(case):
    shape, rate, a, b, horizon = case
    exact = shape / rate * being_there(shape + 1, rate, a, b, horizon)
    assert beta_dropout.expected_purchases(*one(case), np.array([horizon]))[0] == pytest.approx(exact, rel=1e-9)


@every_case
def test_undiscounted_purchases_by_quadrature_are_the_expected_ones(case):
    shape, rate, a, b, horizon = case
    exact = shape / rate * being_there(shape + 1, rate, a, b, horizon)
    assert beta_dropout.discounted_purchases(one(case), 0.0, horizon)[0] == pytest.approx(exact, rel=1e-8)


@pytest.mark.parametrize("horizon", [234.11, None])
@pytest.mark.parametrize(
    ("quantity", "more"), [(beta_dropout.discounted_purchases, 1), (beta_dropout.discounted_lifetime, 0)]
)
def test_what_a_very_frequent_buyer_does_is_discounted_as_by_many_digits(quantity, more, horizon):
    shape, rate, a, b, _ = CASES[7]
    with mpmath.workdps(20):
        # Where a buyer as frequent as this one is gone after days, the discount of later weeks matters to no digit.
        edges = [0, *(mpmath.mpf(10) ** k for k in range(-4, 1)), 10, 234.11 if horizon else 2_000]
        exact = mpmath.quad(
            lambda s: mpmath.exp(-0.0018 * s) * mpmath.hyp2f1(shape + more, a, a + b, -s / rate), edges, maxdegree=4
        )
    exact = float(exact) * (shape / rate if more else 1)
    assert quantity(one(CASES[7]), 0.0018, horizon)[0] == pytest.approx(exact, rel=1e-8)


def test_extreme_parameters_all_keep_eight_digits():
    # Drawn as the reviewer drew them, log-uniform in (e^-4, e^6); the full check took twenty thousand.
    rng = np.random.default_rng(1)
    shape, rate, a, b, horizon = np.exp(rng.uniform(-4, 6, size=(5, 150)))
    exact = [being_there(*case) for case in zip(shape, rate, a, b, horizon, strict=True)]
    ours = beta_dropout.discounted_lifetime(Alive(shape, rate, a, b), 0.0, horizon)
    np.testing.assert_allclose(ours, exact, rtol=1e-8)
