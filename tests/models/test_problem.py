"""What makes large fits fast and must not change results: folding, blocks, a rehearsal on some of the rows."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from crm_analysis import CustomerSummary, fit_bgnbd, fit_mbgnbd, fit_pareto_nbd
from crm_analysis.models import bgnbd, fit, pareto_nbd, problem
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.covariates import Design, Effect
from crm_analysis.models.histories import (
    Recurring,
    dead_or_alive,
    distinct_rows,
    each,
    folded,
    once_per_distinct_row,
)
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.nbd import NBDFit, fit_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDFit, ParetoNBDParams
from crm_analysis.models.problem import Problem


def by_the_day(module, params) -> CustomerSummary:
    """Simulate customers whose purchases are known by the day, as they are."""
    rng = np.random.default_rng(5)
    T = rng.integers(100, 300, size=3_000) / 7
    events = module.simulate(params, T, rng)
    events["time"] = np.floor(events["time"] * 7) / 7
    frame = module.histories(events, T)
    return CustomerSummary(frame.assign(age=rng.normal(size=len(T)).round(1)), "week")


@pytest.fixture(scope="module")
def customers() -> CustomerSummary:
    return by_the_day(bgnbd, BGNBDParams(0.8, 6.0, 0.7, 2.5))


FITS = [
    pytest.param(BGNBDFit.from_params((0.6, 6.0, 0.7, 2.5)), id="BG/NBD"),
    pytest.param(MBGNBDFit.from_params((0.9, 9.0, 0.7, 2.5)), id="MBG/NBD"),
    pytest.param(ParetoNBDFit.from_params((0.9, 9.0, 0.7, 12.0)), id="Pareto/NBD"),
    pytest.param(NBDFit.from_params((0.6, 6.0)), id="NBD"),
]
ESTIMATES = [
    pytest.param(fit_bgnbd, bgnbd, BGNBDParams(0.8, 6.0, 0.7, 2.5), id="BG/NBD"),
    pytest.param(fit_mbgnbd, bgnbd, BGNBDParams(0.8, 6.0, 0.7, 2.5), id="MBG/NBD"),
    pytest.param(fit_pareto_nbd, pareto_nbd, ParetoNBDParams(1.5, 4.0, 1.0, 8.0), id="Pareto/NBD"),
    pytest.param(fit_nbd, bgnbd, BGNBDParams(0.8, 6.0, 0.7, 2.5), id="NBD"),
]


# --- totals -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", FITS)
def test_the_totals_are_the_terms_of_the_customers_added_up(model, customers, monkeypatch):
    monkeypatch.setattr(problem, "_ROWS_AT_ONCE", 500)
    total, gradient = Problem.of(model, customers, None, []).likelihood(model)(np.array(model.params))
    past = (customers.frame[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    value, score = model.model.log_likelihood_and_score(model.params, *past)
    assert total == pytest.approx(value.sum(), rel=1e-12)
    assert gradient == pytest.approx(score.sum(axis=0), rel=1e-9, abs=1e-8)


def test_the_totals_of_a_fit_with_covariates_are_those_of_the_parameters_of_each_customer(customers, monkeypatch):
    monkeypatch.setattr(problem, "_ROWS_AT_ONCE", 500)
    effect = Effect("purchase", {"alpha": -1.0}, Design.learn(["age"], customers.frame), (0.3,))
    model = BGNBDFit.from_params((0.6, 6.0, 0.7, 2.5))
    posed = Problem.of(model, customers, None, [effect])
    moved = fit.replace(model, effects=(effect,))
    past = (customers.frame[name].to_numpy(float) for name in ("frequency", "recency", "T"))
    value = bgnbd.log_likelihood(moved.params_of(customers), *past)
    assert posed.likelihood(moved)(np.array([*model.params, 0.3]))[0] == pytest.approx(value.sum(), rel=1e-12)


# --- rehearsal --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("estimate", "module", "params"), ESTIMATES)
def test_a_rehearsed_fit_is_the_fit(estimate, module, params, monkeypatch):
    customers = by_the_day(module, params)
    searched = estimate(customers)
    monkeypatch.setattr(fit, "_REHEARSED", 500)
    rehearsed = estimate(customers)
    assert rehearsed.converged
    assert rehearsed.params == pytest.approx(searched.params, rel=1e-6)
    assert rehearsed.log_likelihood == pytest.approx(searched.log_likelihood, rel=1e-12)
    np.testing.assert_allclose(rehearsed.covariance, searched.covariance, rtol=1e-5)


def test_a_rehearsed_fit_does_not_depend_on_the_order_of_the_customers(customers, monkeypatch):
    monkeypatch.setattr(fit, "_REHEARSED", 500)
    shuffled = CustomerSummary(customers.frame.sample(frac=1, random_state=3), "week")
    assert fit_bgnbd(shuffled).params == pytest.approx(fit_bgnbd(customers).params, rel=1e-9)


def test_a_rehearsed_fit_takes_weights_as_repeated_rows(customers, monkeypatch):
    monkeypatch.setattr(fit, "_REHEARSED", 500)
    weights = np.random.default_rng(1).integers(0, 4, size=len(customers))
    repeated = customers.frame.loc[customers.frame.index.repeat(weights)]
    repeated = CustomerSummary(repeated.set_axis(pd.RangeIndex(len(repeated)).astype(str)), "week")
    weighted = fit_bgnbd(customers, weights=weights)
    assert weighted.params == pytest.approx(fit_bgnbd(repeated).params, rel=1e-8)


def test_a_thinned_base_stands_for_as_many_customers(customers):
    posed = Problem.of(FITS[0].values[0], customers, None, [])
    thin = posed.thinned(200)
    assert len(thin.counts) <= 200
    assert thin.counts.sum() == pytest.approx(posed.counts.sum())
    mean = [base.counts @ base.columns[0] / base.counts.sum() for base in (thin, posed)]
    assert mean[0] == pytest.approx(mean[1], rel=0.05)


# --- folding ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", [None, np.arange(900.0)], ids=["rows", "weights"])
def test_folded_columns_and_counts_are_those_of_the_distinct_rows(weights):
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 6, size=900) / 7, rng.integers(-4, 5, size=900) / 3
    (one, other), counts = folded(*columns, weights=weights)
    distinct = distinct_rows(*columns, weights=weights)
    np.testing.assert_array_equal((one, other), distinct.columns)
    np.testing.assert_allclose(counts, distinct.counts)


def test_rows_of_too_many_values_for_one_key_fold_too():
    rng = np.random.default_rng(0)
    table = np.repeat(rng.random((1_500, 7)), 2, axis=0)[rng.permutation(3_000)]
    expected = np.unique(table, axis=0)
    np.testing.assert_array_equal(np.column_stack(folded(*table.T)[0]), expected)
    np.testing.assert_array_equal(np.column_stack(distinct_rows(*table.T).columns), expected)


def test_nothing_folds_to_nothing():
    columns, counts = folded(np.empty(0), np.empty(0))
    assert [len(column) for column in (*columns, counts)] == [0, 0, 0]


def test_the_first_of_equal_rows_stands_for_them():
    assert distinct_rows(np.array([2.0, 1, 2, 1, 2])).first.tolist() == [1, 0]


def test_numbers_go_with_every_row_and_tell_none_apart():
    rows = np.array([1.0, 2, 1])
    seen = []
    result = once_per_distinct_row(lambda x, a, b: (seen.append(len(a)), x + a * b)[1], rows, 10.0, np.array([2.0]))
    assert result.tolist() == [21, 22, 21]
    assert seen == [2]


def test_a_function_of_numbers_alone_is_one_number():
    assert once_per_distinct_row(np.add, 1.0, 2.0) == pytest.approx(3.0)


# --- recurring values -------------------------------------------------------------------------------------------


def test_a_function_of_counts_is_worked_out_once_for_each():
    column, seen = np.array([3.0, 0, 3, 3, 0, 3]), []

    def function(x, power):
        seen.append(x.tolist())
        return x**power

    assert each(function, Recurring.of(column), 2).tolist() == [9, 0, 9, 9, 0, 9]
    assert seen == [[0, 3]]


def test_parameters_of_each_customer_are_used_row_by_row():
    column, own = np.array([3.0, 0, 3]), np.array([1.0, 2, 3])
    assert each(np.add, Recurring.of(column), own).tolist() == each(np.add, column, own).tolist() == [4, 2, 6]


def test_a_column_that_knows_its_values_stands_for_the_array():
    column = np.array([3.0, 0, 3])
    np.testing.assert_array_equal(np.asarray(Recurring.of(column), float), column)


def test_odds_are_split_without_loss_at_the_extremes():
    log_odds = np.array([-np.inf, -1e4, -50.0, -1e-3, 0.0, 2.0, 50.0, 1e4])
    dead, log_either = dead_or_alive(log_odds)
    np.testing.assert_allclose(dead, expit(log_odds), rtol=1e-14)
    np.testing.assert_allclose(log_either, np.logaddexp(0.0, log_odds), rtol=1e-14)
