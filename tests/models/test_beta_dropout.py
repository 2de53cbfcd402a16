"""What a customer does from a moment of certain life on, at the edges of its formulas."""

import mpmath
import numpy as np
import pytest

from crm_analysis.models.beta_dropout import Alive, discounted_lifetime

# shape, rate, a, b, horizon: the plain case, the poles shape = 1, a = 1 and a + b = 1, next to them, hardly any time,
# hardly any dropout, and a buyer so frequent that forty nodes of quadrature miss the fall.
CASES = [
    (2.5, 12.0, 0.8, 2.5, 52.0),
    (1.0, 12.0, 0.8, 2.5, 52.0),
    (2.5, 12.0, 1.0, 2.5, 52.0),
    (2.5, 12.0, 0.4, 0.6, 52.0),
    (1.0 + 1e-7, 12.0, 1.0 - 1e-7, 2.5, 52.0),
    (2.5, 12.0, 0.8, 2.5, 1e-6),
    (2.5, 12.0, 1e-4, 80.0, 52.0),
    (379.24, 0.3934, 3.5588, 0.0193, 234.11),
]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_undiscounted_lifetime_is_the_integral_of_being_there(case):
    shape, rate, a, b, horizon = case
    with mpmath.workdps(30):
        edges = [0, *(mpmath.mpf(rate) * mpmath.expm1(k) for k in range(-6, 12)), horizon]
        edges = sorted(edge for edge in edges if 0 <= edge <= horizon)
        exact = mpmath.quad(lambda s: mpmath.hyp2f1(shape, a, a + b, -s / rate), edges)
    alive = Alive(*(np.array([value]) for value in (shape, rate, a, b)))
    assert discounted_lifetime(alive, 0.0, horizon)[0] == pytest.approx(float(exact), rel=1e-9)
