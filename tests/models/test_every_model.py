"""What every purchase model must do, whatever its formulas: checks that need no published figure."""

import warnings
from dataclasses import dataclass
from datetime import date
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import bgnbd, mbgnbd, nbd, pareto_nbd
from crm_analysis.models.registry import FITTERS, purchase_fit_from_json


@dataclass(frozen=True)
class Case:
    """A model, and parameters to put it through."""

    module: ModuleType
    fit: object
    name: str
    truths: tuple
    carry_time: tuple[str, ...] = ("alpha",)
    dropout: tuple[str, ...] = ()

    @property
    def params(self):
        return self.truths[0]


CASES = [
    Case(
        bgnbd,
        bgnbd.fit_bgnbd,
        "BG/NBD",
        tuple(bgnbd.BGNBDParams(*p) for p in [(0.24, 4.4, 0.8, 2.4), (1.0, 6.0, 0.5, 1.5), (2.0, 10.0, 1.3, 1.5)]),
        dropout=("a", "b"),
    ),
    Case(
        mbgnbd,
        mbgnbd.fit_mbgnbd,
        "MBG/NBD",
        tuple(mbgnbd.MBGNBDParams(*p) for p in [(0.52, 6.2, 0.9, 1.6), (1.0, 6.0, 0.5, 1.5), (2.0, 10.0, 1.3, 1.5)]),
        dropout=("a", "b"),
    ),
    Case(
        pareto_nbd,
        pareto_nbd.fit_pareto_nbd,
        "Pareto/NBD",
        tuple(
            pareto_nbd.ParetoNBDParams(*p) for p in [(0.55, 10.6, 0.6, 11.7), (1.0, 4.0, 1.5, 30.0), (2.0, 10, 0.5, 4)]
        ),
        carry_time=("alpha", "beta"),
        dropout=("beta",),
    ),
    Case(nbd, nbd.fit_nbd, "NBD", tuple(nbd.NBDParams(*p) for p in [(0.4, 12.0), (1.0, 4.0), (3.0, 9.0)])),
]
every_model = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])

PASTS = [(0, 0, 20), (2, 30.43, 38.86), (9, 20, 38), (3, 12, 12)]
MANY = tuple(np.array(column, float) for column in zip(*PASTS, (60, 50, 52), (400, 300, 310), strict=True))


def simulated(case, params, customers=4_000, seed=20240601):
    rng = np.random.default_rng(seed)
    T = rng.uniform(26, 52, size=customers)
    frame = case.module.histories(case.module.simulate(params, T, rng), T)
    return CustomerSummary(frame, "week", date(2024, 6, 1))


@pytest.fixture(scope="module")
def fits(cdnow_summary):
    return {case.name: case.fit(cdnow_summary) for case in CASES}


# --- likelihood and estimation ----------------------------------------------------------------------------------


@every_model
def test_gradient_is_that_of_the_log_likelihood(case):
    for params in case.truths:
        _, score = case.module.log_likelihood_and_score(params, *MANY)
        for position, value in enumerate(params):
            up, down = (
                case.module.log_likelihood(type(params)(*params[:position], moved, *params[position + 1 :]), *MANY)
                for moved in (value * (1 + 1e-6), value * (1 - 1e-6))
            )
            np.testing.assert_allclose(score[:, position], (up - down) / (2e-6 * value), rtol=1e-5, atol=1e-6)


@every_model
@pytest.mark.parametrize("position", range(3))
def test_fit_recovers_simulated_parameters(case, position):
    truth = case.truths[position]
    fit = case.fit(simulated(case, truth))
    # On the log scale the likelihood is closest to a parabola: a Wald test of estimates and standard errors together.
    miss = np.log(truth) - np.log(fit.params)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=len(truth))


@every_model
def test_weights_equal_repeated_rows(case, cdnow_summary):
    frame = cdnow_summary.frame.iloc[:900]
    times = 1 + np.arange(900) % 3
    weighted = case.fit(CustomerSummary(frame, "week"), weights=times)
    repeated = frame.loc[frame.index.repeat(times)].reset_index(drop=True).rename_axis("customer_id")
    exploded = case.fit(CustomerSummary(repeated, "week"))
    np.testing.assert_allclose(weighted.params, exploded.params, rtol=1e-5)
    np.testing.assert_allclose(weighted.covariance, exploded.covariance, rtol=1e-3)


@every_model
def test_a_weight_of_zero_equals_a_row_left_out(case, cdnow_summary):
    frame = cdnow_summary.frame
    without = case.fit(CustomerSummary(frame.iloc[300:], "week"))
    unweighted = case.fit(cdnow_summary, weights=np.where(np.arange(len(frame)) < 300, 0.0, 1.0))
    np.testing.assert_allclose(unweighted.params, without.params, rtol=1e-5)


@every_model
def test_another_time_unit_rescales_times_and_leaves_the_rest(case, fits, cdnow_summary):
    fit = fits[case.name]
    frame = cdnow_summary.frame.assign(recency=cdnow_summary.frame["recency"] * 7, T=cdnow_summary.frame["T"] * 7)
    in_days = case.fit(CustomerSummary(frame, "day"))
    factor = [7.0 if name in case.carry_time else 1.0 for name in fit.params._fields]
    np.testing.assert_allclose(in_days.params, np.array(fit.params) * factor, rtol=1e-4)
    purchases = cdnow_summary.frame["frequency"].sum()
    assert in_days.log_likelihood == pytest.approx(fit.log_likelihood - purchases * np.log(7), abs=1e-6)
    np.testing.assert_allclose(
        in_days.expected_purchases(CustomerSummary(frame, "day"), horizon=52 * 7),
        fit.expected_purchases(cdnow_summary, horizon=52),
        rtol=1e-4,
    )


@every_model
def test_a_base_without_repeat_purchases_is_refused(case, cdnow_summary):
    frame = cdnow_summary.frame
    with pytest.raises(DataError, match="no customer has a repeat purchase"):
        case.fit(CustomerSummary(frame[frame["frequency"] == 0], "week"))


@every_model
def test_few_repeat_buyers_are_warned_about(case, cdnow_summary):
    frame = cdnow_summary.frame
    rows = [frame[frame["frequency"] == 0].head(300), frame[frame["frequency"] > 0].head(20)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.fit(CustomerSummary(pd.concat(rows), "week"))
    few = [warning for warning in caught if "only 20 customers have a repeat purchase" in str(warning.message)]
    assert few and few[0].filename == __file__  # the warning points at the caller's line


@every_model
def test_a_single_customer_gets_advice_and_no_crash(case):
    one = CustomerSummary(pd.DataFrame({"frequency": [3], "recency": [20.0], "T": [30.0]}, index=["c"]), "week")
    with pytest.warns(EstimationWarning):
        fit = case.fit(one)
    assert fit.advice


@every_model
def test_a_fit_survives_json_digit_for_digit(case, fits):
    fit = fits[case.name]
    again = purchase_fit_from_json(fit.model_name, fit.to_json())
    assert again.params == fit.params
    assert again.log_likelihood == fit.log_likelihood
    pd.testing.assert_frame_equal(again.covariance, fit.covariance)


@every_model
def test_a_summary_in_another_unit_is_refused(case, fits, cdnow_summary):
    with pytest.raises(SettingsError, match="summarise with time_unit='week'"):
        fits[case.name].probability_alive(CustomerSummary(cdnow_summary.frame, "day"))


def test_every_model_is_tested_here():
    assert {case.name for case in CASES} <= set(FITTERS)


# --- expectations and probabilities -----------------------------------------------------------------------------


@every_model
def test_probabilities_add_up_to_one_and_to_the_expectation(case):
    n = np.arange(4_000.0)
    for params in case.truths:
        probability = case.module.probability_of_purchases(params, n, 52.0)
        assert probability.sum() == pytest.approx(1, abs=1e-9)
        mean = float(case.module.expected_purchases_new_customer(params, 52.0))
        assert n @ probability == pytest.approx(mean, rel=1e-8)


@every_model
def test_probabilities_given_a_history_add_up_to_one_and_to_the_expectation(case):
    n = np.arange(3_000.0)[:, None]
    for params in case.truths:
        table = case.module.probability_of_future_purchases(params, *MANY, n, 39.0)
        np.testing.assert_allclose(table.sum(axis=0), 1, atol=1e-9)
        expected = case.module.expected_purchases(params, *MANY, 39.0)
        np.testing.assert_allclose((n * table).sum(axis=0), expected, rtol=1e-8)


@every_model
def test_undiscounted_purchases_of_a_finite_horizon_equal_the_expectation(case):
    for params in case.truths:
        direct = case.module.expected_purchases(params, *MANY, 52.0)
        discounted = case.module.discounted_residual_purchases(params, *MANY, 0.0, 52.0)
        np.testing.assert_allclose(discounted, direct, rtol=1e-9)


@every_model
def test_discounted_purchases_match_a_sum_over_small_steps(case):
    rate, edges = 0.01, np.linspace(0, 104, 2_081)
    middle = (edges[1:] + edges[:-1]) / 2
    for params in case.truths:
        upto = np.array([case.module.expected_purchases(params, *MANY, end) for end in edges])
        stepped = np.exp(-rate * middle) @ np.diff(upto, axis=0)
        result = case.module.discounted_residual_purchases(params, *MANY, rate, 104.0)
        np.testing.assert_allclose(result, stepped, rtol=1e-6)


@every_model
def test_all_of_the_future_is_the_limit_of_long_horizons(case):
    for params in case.truths:
        for quantity in (case.module.discounted_residual_purchases, case.module.discounted_residual_lifetime):
            forever = quantity(params, *MANY, 0.0018, None)
            very_long = quantity(params, *MANY, 0.0018, 15_000.0)
            np.testing.assert_allclose(forever, very_long, rtol=1e-6)


@every_model
def test_a_tiny_discount_changes_next_to_nothing(case):
    for params in case.truths:
        for quantity in (case.module.discounted_residual_purchases, case.module.discounted_residual_lifetime):
            np.testing.assert_allclose(
                quantity(params, *MANY, 1e-9, 52.0), quantity(params, *MANY, 0.0, 52.0), rtol=1e-6
            )


@every_model
def test_an_infinite_number_of_purchases_is_called_infinite(case):
    eternal = case.params  # dropout too weak to bound the undiscounted sum
    past = tuple(column[:1] for column in MANY)
    assert case.module.discounted_residual_purchases(eternal, *past, 0.0, None)[0] == np.inf


@every_model
@pytest.mark.parametrize("past", PASTS)
def test_simulated_futures_average_to_the_expectation(case, past):
    rng = np.random.default_rng(13)
    size = 100_000
    many = [np.full(size, float(value)) for value in past]
    future = case.module.simulate_future(case.params, *many, 39.0, rng)
    counts = np.bincount(future["customer"], minlength=size)
    expected = case.module.expected_purchases(case.params, *(column[:1] for column in many), 39.0)[0]
    assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(size))
    assert future["time"].between(0, 39).all()


@every_model
def test_simulated_counts_follow_the_distribution(case):
    rng = np.random.default_rng(12)
    T = np.full(50_000, 39.0)
    for params in case.truths:
        counts = np.bincount(case.module.simulate(params, T, rng)["customer"], minlength=len(T))
        expected = case.module.probability_of_purchases(params, np.arange(12.0), 39.0) * len(T)
        observed = np.bincount(np.minimum(counts, 12), minlength=13)
        assert stats.chisquare(observed, [*expected, len(T) - expected.sum()]).pvalue > 0.001


@every_model
def test_the_past_and_the_future_of_new_customers_add_up(case):
    # E[X(T)] + E[E[purchases in h | history]] = E[X(T + h)], over simulated histories.
    rng = np.random.default_rng(3)
    T = np.full(60_000, 30.0)
    frame = case.module.histories(case.module.simulate(case.params, T, rng), T)
    x, t_x = frame["frequency"].to_numpy(float), frame["recency"].to_numpy()
    future = case.module.expected_purchases(case.params, x, t_x, T, 40.0)
    whole = float(case.module.expected_purchases_new_customer(case.params, 70.0))
    total = x + future
    assert total.mean() == pytest.approx(whole, abs=4 * total.std() / np.sqrt(len(T)))


@every_model
@settings(deadline=None, max_examples=60)
@given(
    logs=st.lists(st.floats(-3, 3), min_size=4, max_size=4), x=st.integers(0, 3_000), share=st.floats(0, 1),
    T=st.floats(0, 500), horizon=st.floats(0.1, 500), longer=st.floats(0, 500), rate=st.floats(0, 0.05),
)  # fmt: skip
def test_nothing_is_ever_lost_to_rounding(case, logs, x, share, T, horizon, longer, rate):
    params = type(case.params)(*np.exp(logs[: len(case.params)]))
    past = tuple(np.array([value], float) for value in (x, share * T if x else 0, T))
    value, score = case.module.log_likelihood_and_score(params, *past)
    alive = case.module.probability_alive(params, *past)
    near = case.module.discounted_residual_purchases(params, *past, rate, horizon)
    far = case.module.discounted_residual_purchases(params, *past, rate, horizon + longer)
    undiscounted = case.module.expected_purchases(params, *past, horizon)
    lifetime = case.module.discounted_residual_lifetime(params, *past, rate, horizon)
    assert np.isfinite(np.concatenate([value, score.ravel(), alive, near, far, undiscounted, lifetime])).all()
    assert 0 <= alive[0] <= 1
    assert 0 <= near[0] <= far[0] * (1 + 1e-9)
    assert near[0] <= undiscounted[0] * (1 + 1e-7) + 1e-12
    assert 0 <= lifetime[0] <= horizon * alive[0] * (1 + 1e-9)


# --- covariates -------------------------------------------------------------------------------------------------


@every_model
def test_covariates_without_an_effect_change_nothing(case):
    own = type(case.params)(*(np.full(len(MANY[0]), value) for value in case.params))
    for name in ("log_likelihood", "probability_alive"):
        quantity = getattr(case.module, name)
        np.testing.assert_allclose(quantity(own, *MANY), quantity(case.params, *MANY), rtol=1e-12)
    for arguments in [("expected_purchases", 39.0), ("discounted_residual_purchases", 0.01, 39.0),
                      ("discounted_residual_lifetime", 0.01, None)]:  # fmt: skip
        quantity = getattr(case.module, arguments[0])
        np.testing.assert_allclose(quantity(own, *MANY, *arguments[1:]), quantity(case.params, *MANY, *arguments[1:]))
    n = np.arange(5.0)[:, None]
    np.testing.assert_allclose(
        case.module.probability_of_future_purchases(own, *MANY, n, 39.0),
        case.module.probability_of_future_purchases(case.params, *MANY, n, 39.0),
    )


@every_model
def test_an_endless_penalty_leaves_the_fit_without_covariates(case, cdnow_summary, fits):
    frame = cdnow_summary.frame.assign(age=20 + np.arange(len(cdnow_summary)) % 41)
    kinds = {"purchase": ["age"]} | ({"dropout": ["age"]} if case.dropout else {})
    penalised = case.fit(CustomerSummary(frame, "week"), penalty=1e9, **kinds)
    plain = fits[case.name]
    np.testing.assert_allclose(penalised.params, plain.params, rtol=1e-4)
    np.testing.assert_allclose(penalised.coefficients[len(plain.params) :], 0, atol=1e-6)
    assert penalised.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-3)


@every_model
def test_simulated_covariates_are_found_again(case):
    rng = np.random.default_rng(5)
    size = 6_000
    web, age = rng.integers(0, 2, size).astype(float), rng.normal(40, 10, size)
    moved = {"alpha": case.params.alpha * np.exp(-(0.6 * web - 0.02 * (age - 40)))}
    if "beta" in case.dropout:
        moved["beta"] = case.params.beta * np.exp(-0.7 * web)
    if "a" in case.dropout:
        moved |= {"a": case.params.a * np.exp(0.5 * web), "b": case.params.b * np.exp(-0.3 * web)}
    params = case.params._replace(**moved)
    T = rng.uniform(40, 80, size)
    frame = case.module.histories(case.module.simulate(params, T, rng), T)
    frame = frame.assign(channel=np.where(web == 1, "web", "shop"), age=age)
    kinds = {"purchase": "~ channel + age"} | ({"dropout": "~ channel"} if case.dropout else {})
    fit = case.fit(CustomerSummary(frame, "week"), **kinds)
    truth = {"purchase[channel[T.web]]": 0.6, "purchase[age]": -0.02}
    if "beta" in case.dropout:
        truth["dropout[channel[T.web]]"] = 0.7
    if "a" in case.dropout:
        truth |= {"dropout_a[channel[T.web]]": 0.5, "dropout_b[channel[T.web]]": -0.3}
    names = list(truth)
    miss = fit.coefficients[names].to_numpy() - np.array(list(truth.values()))
    covariance = fit.covariance.loc[names, names].to_numpy()
    assert miss @ np.linalg.solve(covariance, miss) < stats.chi2.ppf(0.999, df=len(names))
    assert fit.summary().loc["purchase[age]", "standard_error"] < 0.01
