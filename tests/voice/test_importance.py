"""R-squared divided among drivers, beside other programs, brute force and what must always hold."""

from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from statsmodels.stats.outliers_influence import variance_inflation_factor

from crm_analysis.errors import SettingsError
from crm_analysis.voice.importance import (
    complete_dominance,
    first_contributions,
    grouped_contributions,
    johnson_contributions,
    last_contributions,
    lmg_contributions,
    r_squared,
    subset_r_squared,
    variance_inflation,
)

DATA = Path(__file__).parents[3] / "shared" / "data"
SWISS, ATTITUDE, MOBI = DATA / "reference" / "swiss.csv", DATA / "reference" / "attitude.csv", DATA / "ecsi_mobi.csv"
PUBLIC = pytest.mark.skipif(not MOBI.is_file(), reason="the public tables are not beside the project")
OUTCOMES = {"swiss": (SWISS, "Fertility"), "attitude": (ATTITUDE, "rating"), "mobi": (MOBI, "CUSA1")}
MOBI_DRIVERS = [*(f"PERQ{i}" for i in range(1, 8)), "PERV1", "PERV2", "IMAG1"]


def correlations(name):
    path, outcome = OUTCOMES[name]
    frame = pd.read_csv(path, index_col=0 if name == "swiss" else None)
    drivers = MOBI_DRIVERS if name == "mobi" else [column for column in frame if column != outcome]
    return frame[[*drivers, outcome]].corr().to_numpy()


def some_matrix(seed, drivers, draws=()):
    x = np.random.default_rng(seed).normal(size=(*draws, 3 * drivers, drivers + 1))
    x[..., -1] += x[..., :-1].sum(axis=-1) / 2
    return np.swapaxes(x, -1, -2) @ x


@PUBLIC
@pytest.mark.parametrize(
    ("figure", "name", "function"),
    [
        ("voice-R1-r-squared", "swiss", lambda matrix: lmg_contributions(matrix).sum()),
        ("voice-R1-lmg", "swiss", lmg_contributions),
        ("voice-R2-last", "swiss", last_contributions),
        ("voice-R2-first", "swiss", first_contributions),
        ("voice-R4", "swiss", lambda matrix: complete_dominance(matrix)[[2, 2, 2, 2, 4, 1], [0, 1, 3, 4, 0, 3]]),
        ("voice-R5-r-squared", "attitude", lambda matrix: r_squared(matrix, range(6))),
        ("voice-R5-lmg", "attitude", lmg_contributions),
        ("voice-R7-r-squared", "mobi", lambda matrix: lmg_contributions(matrix).sum()),
        ("voice-R7-lmg", "mobi", lmg_contributions),
        ("voice-R8-vif", "mobi", variance_inflation),
    ],
)
def test_importance_matches_other_programs(published, figure, name, function):
    published.check(figure, function(correlations(name)))


def by_orders(matrix, orders):
    """Mean increment of R-squared of each driver over some orders of entry, by solving for each set."""

    def explained(columns):
        columns = list(columns)
        among, with_outcome = matrix[np.ix_(columns, columns)], matrix[columns, -1]
        return with_outcome @ np.linalg.solve(among, with_outcome) / matrix[-1, -1] if columns else 0.0

    added = {}
    for order in orders:
        for place, driver in enumerate(order):
            added.setdefault(driver, []).append(explained(order[: place + 1]) - explained(order[:place]))
    return np.array([np.mean(added[driver]) for driver in sorted(added)])


def test_shares_are_means_over_all_orders_of_entry():
    matrix = some_matrix(1, 5)
    np.testing.assert_allclose(lmg_contributions(matrix), by_orders(matrix, list(permutations(range(5)))), rtol=1e-10)


def test_drivers_of_groups_get_means_over_orders_in_which_groups_come_whole():
    matrix = some_matrix(2, 5)
    groups = [[0, 3], [1], [2, 4]]
    orders = [
        [*first, *second, *third]
        for places in permutations(groups)
        for first in permutations(places[0])
        for second in permutations(places[1])
        for third in permutations(places[2])
    ]
    _of_groups, of_drivers = grouped_contributions(matrix, groups)
    np.testing.assert_allclose(of_drivers, by_orders(matrix, orders)[[0, 3, 1, 2, 4]], rtol=1e-10)


def test_drivers_of_a_group_add_up_to_what_groups_get_as_players():
    matrix = some_matrix(3, 6)
    groups = [[0, 1, 2], [3], [4, 5]]
    of_groups, of_drivers = grouped_contributions(matrix, groups)
    np.testing.assert_allclose(of_groups, lmg_contributions(matrix, groups=groups), rtol=1e-10)
    np.testing.assert_allclose([of_drivers[:3].sum(), of_drivers[3], of_drivers[4:].sum()], of_groups, rtol=1e-10)


def test_with_controls_contributions_are_means_over_orders_after_them():
    matrix = some_matrix(4, 5)
    orders = [(4, *order) for order in permutations(range(4))]
    np.testing.assert_allclose(lmg_contributions(matrix, controls=[4]), by_orders(matrix, orders)[:4], rtol=1e-10)


def test_relative_weights_with_controls_divide_what_is_explained_beyond_them():
    matrix = some_matrix(5, 6)
    beyond = r_squared(matrix, range(6)) - r_squared(matrix, [1, 4])
    assert johnson_contributions(matrix, controls=[1, 4]).sum() == pytest.approx(beyond, rel=1e-10)


def test_relative_weights_equal_those_by_the_matrix_square_root():
    matrix = some_matrix(6, 6)
    scale = np.sqrt(np.diag(matrix))
    matrix = matrix / np.outer(scale, scale)
    root = sqrtm(matrix[:-1, :-1]).real
    expected = root**2 @ np.linalg.solve(root, matrix[:-1, -1]) ** 2
    np.testing.assert_allclose(johnson_contributions(matrix), expected, rtol=1e-8)


def test_both_methods_agree_for_drivers_that_have_nothing_in_common():
    matrix = np.eye(4)
    matrix[-1, :-1] = matrix[:-1, -1] = 0.4
    np.testing.assert_allclose(lmg_contributions(matrix), [0.16] * 3, rtol=1e-12)
    np.testing.assert_allclose(johnson_contributions(matrix), [0.16] * 3, rtol=1e-12)


@settings(max_examples=25)
@given(seed=st.integers(0, 10**6), drivers=st.integers(1, 7))
def test_contributions_are_not_negative_and_add_up_to_r_squared(seed, drivers):
    matrix = some_matrix(seed, drivers)
    explained = r_squared(matrix, range(drivers))
    for contributions in (lmg_contributions(matrix), johnson_contributions(matrix)):
        assert (contributions >= 0).all()
        assert contributions.sum() == pytest.approx(explained, rel=1e-9)


@settings(max_examples=15)
@given(
    seed=st.integers(0, 10**6),
    order=st.permutations(range(5)),
    units=st.lists(st.floats(0.01, 100), min_size=6, max_size=6),
)
def test_order_and_units_of_columns_change_nothing(seed, order, units):
    matrix = some_matrix(seed, 5)
    moved = (matrix * np.outer(units, units))[np.ix_([*order, 5], [*order, 5])]
    for function in (lmg_contributions, johnson_contributions, variance_inflation, last_contributions):
        np.testing.assert_allclose(function(moved), function(matrix)[list(order)], rtol=1e-7, atol=1e-12)


def test_many_matrices_are_divided_as_each_alone():
    matrices = some_matrix(7, 4, draws=(3, 2))
    for function in (lmg_contributions, johnson_contributions, first_contributions, complete_dominance):
        np.testing.assert_allclose(function(matrices)[2, 1], function(matrices[2, 1]), rtol=1e-12)


def test_each_set_explains_what_its_bits_say():
    matrix = some_matrix(8, 4)
    assert subset_r_squared(matrix)[0b1010] == pytest.approx(r_squared(matrix, [1, 3]), rel=1e-12)


def test_two_copies_of_a_driver_share_alike_and_take_nothing_from_the_sum():
    matrix = some_matrix(9, 3)
    twice = matrix[np.ix_([0, 0, 1, 2, 3], [0, 0, 1, 2, 3])]
    for function in (lmg_contributions, johnson_contributions):
        first, second, *_others = contributions = function(twice)
        assert first == pytest.approx(second, rel=1e-9) and first > 0
        assert contributions.sum() == pytest.approx(r_squared(matrix, range(3)), rel=1e-9)


def test_a_copy_has_infinite_variance_inflation_and_nothing_of_its_own():
    matrix = some_matrix(9, 3)[np.ix_([0, 0, 1, 2, 3], [0, 0, 1, 2, 3])]
    assert list(np.isinf(variance_inflation(matrix))) == [True, True, False, False]
    np.testing.assert_allclose(last_contributions(matrix)[:2], 0, atol=1e-12)


def test_variance_inflation_equals_that_of_statsmodels():
    x = np.random.default_rng(3).normal(size=(50, 5)) @ np.tri(5)
    design = np.column_stack([x - x.mean(axis=0), np.ones(50)])
    expected = [variance_inflation_factor(design, column) for column in range(4)]
    matrix = np.cov(x[:, [0, 1, 2, 3, 4]], rowvar=False)
    without_outcome = np.pad(matrix, (0, 1))
    without_outcome[-1, -1] = 1.0
    np.testing.assert_allclose(variance_inflation(without_outcome)[:4], expected, rtol=1e-10)


def test_fifteen_drivers_and_a_noise_driver_are_gone_through():
    matrix = some_matrix(10, 16)
    assert lmg_contributions(matrix).sum() == pytest.approx(r_squared(matrix, range(16)), rel=1e-9)


def test_more_drivers_than_can_be_gone_through_are_refused_with_advice():
    with pytest.raises(SettingsError, match=r"17 drivers or groups.*johnson"):
        lmg_contributions(some_matrix(11, 17))


def test_correlations_that_no_answers_can_have_are_refused_in_words():
    matrix = np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1]])
    for function in (lmg_contributions, johnson_contributions, complete_dominance):
        with pytest.raises(SettingsError, match=r"negative eigenvalue.*pairwise"):
            function(matrix)


@pytest.mark.parametrize(
    "matrix", [np.eye(3)[:2], np.array([[1.0, 0.2], [0.4, 1.0]]), np.array([[1.0, np.nan], [np.nan, 1.0]])]
)
def test_what_is_no_covariance_is_refused(matrix):
    with pytest.raises(SettingsError, match=r"square|symmetric"):
        lmg_contributions(matrix)
