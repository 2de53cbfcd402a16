"""BG/CNBD-k with a forecast at the mean rate: its limit k = 1, simulation, and what must always hold."""

import numpy as np
import pytest
from scipy import integrate

from crm_analysis.models import bgnbd, cnbd, steady_cnbd
from crm_analysis.models.bgnbd import BGNBDParams
from crm_analysis.models.cnbd import CNBDParams

TRUTHS = [
    CNBDParams(2, 0.97, 6.5, 0.31, 4.95),
    CNBDParams(3, 1.5, 1.3, 1.6, 1.5),
    CNBDParams(3, 0.85, 1.45, 0.79, 2.42, modified=True),
]
every_truth = pytest.mark.parametrize("params", TRUTHS, ids=["BG/CNBD-2", "BG/CNBD-3", "MBG/CNBD-3"])
# One-time buyers, short and long silences, none at all, and frequent buyers.
PASTS = [(0, 0, 20), (2, 30.43, 38.86), (9, 20, 38), (3, 12, 12), (12, 40, 43), (60, 50, 52), (400, 300, 301)]
MANY = tuple(np.array(column, float) for column in zip(*PASTS, strict=True))
FEW = tuple(column[:5] for column in MANY)
HORIZON = 39.0


# --- one stage ------------------------------------------------------------------------------------------------------

ONE_STAGE, BGNBD = CNBDParams(1, 0.243, 4.414, 0.793, 2.426), BGNBDParams(0.243, 4.414, 0.793, 2.426)


@pytest.mark.parametrize(
    ("quantity", "more"),
    [
        ("log_likelihood_and_score", ()),
        ("probability_alive", ()),
        ("expected_purchases", (HORIZON,)),
        ("probability_of_future_purchases", (2, HORIZON)),
        ("discounted_residual_purchases", (0.002, None)),
        ("discounted_residual_purchases", (0.002, HORIZON)),
        ("discounted_residual_lifetime", (0.002, None)),
        ("discounted_residual_lifetime", (0.002, HORIZON)),
    ],
)
def test_with_one_stage_it_is_the_bgnbd(quantity, more):
    ours, theirs = (
        getattr(steady_cnbd, quantity)(ONE_STAGE, *MANY, *more),
        getattr(bgnbd, quantity)(BGNBD, *MANY, *more),
    )
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9)


@every_truth
def test_of_the_past_it_says_what_the_exact_model_says(params):
    for quantity in ("log_likelihood_and_score", "probability_alive"):
        ours, exact = getattr(steady_cnbd, quantity)(params, *MANY), getattr(cnbd, quantity)(params, *MANY)
        for one, other in zip(ours, exact, strict=True):
            np.testing.assert_array_equal(one, other)


# --- expectation ----------------------------------------------------------------------------------------------------


@every_truth
def test_expectation_is_the_mean_over_rates_and_dropout(params):
    x, t_x, T = (column[1:5] for column in MANY)
    k, r, alpha, a, b, modified = params
    rng = np.random.default_rng(3)
    rate = rng.gamma(r + k * x, size=(200_000, 4)) / (alpha + T) / k
    p = rng.beta(a, b + x + modified, size=rate.shape)
    drawn = -np.expm1(-rate * p * HORIZON) / p * cnbd.probability_alive(params, x, t_x, T)
    error = drawn.std(axis=0) / np.sqrt(len(drawn))
    ours = steady_cnbd.expected_purchases(params, x, t_x, T, HORIZON)
    assert (np.abs(ours - drawn.mean(axis=0)) < 4 * error).all()


@every_truth
def test_who_has_just_bought_is_expected_to_buy_more_than_in_the_exact_model(params):
    just_bought = (np.array([6.0]), np.array([30.0]), np.array([30.0]))
    steady = steady_cnbd.expected_purchases(params, *just_bought, 0.5)
    assert steady > cnbd.expected_purchases(params, *just_bought, 0.5)


@every_truth
def test_probabilities_add_up_to_one_and_their_mean_is_the_expectation(params):
    n = np.arange(600.0)[:, None]
    table = steady_cnbd.probability_of_future_purchases(params, *FEW, n, HORIZON)
    assert (table >= 0).all()
    np.testing.assert_allclose(table.sum(axis=0), 1, rtol=1e-9)
    expected = steady_cnbd.expected_purchases(params, *FEW, HORIZON)
    np.testing.assert_allclose((n * table).sum(axis=0), expected, rtol=1e-8)


@every_truth
def test_parameters_may_differ_by_customer(params):
    factor = np.linspace(0.5, 2, len(MANY[0]))
    own = params._replace(r=params.r * factor, alpha=params.alpha * factor, a=params.a * factor, b=params.b * factor)
    together = steady_cnbd.expected_purchases(own, *MANY, HORIZON)
    for i, value in enumerate(together):
        alone = params._replace(**{name: getattr(own, name)[i] for name in ("r", "alpha", "a", "b")})
        one = steady_cnbd.expected_purchases(alone, *(column[i : i + 1] for column in MANY), HORIZON)
        assert value == pytest.approx(one[0], rel=1e-10)


@every_truth
def test_a_change_of_unit_changes_no_number_of_purchases(params):
    x, t_x, T = MANY
    in_days = params._replace(alpha=7 * params.alpha)
    for quantity, weeks, days in [
        ("probability_alive", (), ()),
        ("expected_purchases", (HORIZON,), (7 * HORIZON,)),
        ("probability_of_future_purchases", (2, HORIZON), (2, 7 * HORIZON)),
        ("discounted_residual_purchases", (0.002, HORIZON), (0.002 / 7, 7 * HORIZON)),
    ]:
        ours = getattr(steady_cnbd, quantity)
        np.testing.assert_allclose(ours(params, x, t_x, T, *weeks), ours(in_days, x, 7 * t_x, 7 * T, *days), rtol=1e-9)


# --- discounting ----------------------------------------------------------------------------------------------------


@every_truth
def test_without_discount_discounted_purchases_are_the_expected_ones(params):
    discounted = steady_cnbd.discounted_residual_purchases(params, *MANY, 0.0, HORIZON)
    np.testing.assert_allclose(discounted, steady_cnbd.expected_purchases(params, *MANY, HORIZON), rtol=1e-7)


@every_truth
def test_discounted_purchases_are_the_integral_over_days(params):
    ends = np.linspace(0, HORIZON, 2_001)[1:]
    upto = np.array([steady_cnbd.expected_purchases(params, *FEW, end) for end in ends])
    middle = ends - ends[0] / 2
    by_hand = np.exp(-0.01 * middle) @ np.diff(upto, axis=0, prepend=0.0)
    ours = steady_cnbd.discounted_residual_purchases(params, *FEW, 0.01, HORIZON)
    np.testing.assert_allclose(ours, by_hand, rtol=1e-6)


def test_all_of_the_future_is_finite_or_not_by_the_chance_to_leave():
    finite, infinite = TRUTHS[1], TRUTHS[0]
    assert np.isfinite(steady_cnbd.discounted_residual_purchases(finite, *FEW, 0.0, None)).all()
    assert np.isinf(steady_cnbd.discounted_residual_purchases(infinite, *FEW, 0.0, None)).all()
    assert np.isfinite(steady_cnbd.discounted_residual_purchases(infinite, *FEW, 0.002, None)).all()


@every_truth
def test_lifetime_is_the_chance_to_be_there_added_up(params):
    x, t_x, T = (column[2:3] for column in MANY)
    k, r, alpha, a, b, modified = params
    p, weight = np.polynomial.legendre.leggauss(400)
    p, weight = (p + 1) / 2, weight / 2
    # Substituting p = u^(1/a) takes the pole of the density at zero away.
    p = p ** (1 / a)
    stay = (1 - p) ** (b + x + modified - 1)

    def there(s: float) -> float:
        return float(weight @ (stay * (1 + p * s / k / (alpha + T)) ** -(r + k * x)) / (weight @ stay))

    by_hand = integrate.quad(lambda s: np.exp(-0.01 * s) * there(s), 0, HORIZON)[0]
    alive = cnbd.probability_alive(params, x, t_x, T)[0]
    ours = steady_cnbd.discounted_residual_lifetime(params, x, t_x, T, 0.01, HORIZON)[0]
    assert ours == pytest.approx(alive * by_hand, rel=1e-4)


# --- simulation -----------------------------------------------------------------------------------------------------


@every_truth
def test_futures_average_to_the_expectation(params):
    kinds, copies = len(FEW[0]), 20_000
    many = tuple(np.tile(column, copies) for column in FEW)
    future = steady_cnbd.simulate_future(params, *many, HORIZON, np.random.default_rng(5))
    made = np.bincount(future["customer"], minlength=kinds * copies).reshape(copies, kinds)
    error = made.std(axis=0) / np.sqrt(copies)
    expected = steady_cnbd.expected_purchases(params, *FEW, HORIZON)
    # Who has almost certainly left buys in no future at all.
    assert (np.abs(made.mean(axis=0) - expected) < 4 * error + 2e-4).all()


@every_truth
def test_futures_follow_their_probabilities(params):
    one = tuple(np.repeat(column[1:2], 40_000) for column in MANY)
    future = steady_cnbd.simulate_future(params, *one, HORIZON, np.random.default_rng(6))
    made = np.bincount(future["customer"], minlength=40_000)
    share = np.bincount(made, minlength=6)[:6] / len(made)
    chance = [
        steady_cnbd.probability_of_future_purchases(params, *(c[:1] for c in one), n, HORIZON)[0] for n in range(6)
    ]
    np.testing.assert_allclose(share, chance, atol=4 * 0.5 / np.sqrt(40_000))


def test_futures_lie_within_the_horizon():
    future = steady_cnbd.simulate_future(TRUTHS[0], *MANY, HORIZON, np.random.default_rng(7))
    assert future["time"].between(0, HORIZON).all()
