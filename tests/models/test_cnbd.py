"""(M)BG/CNBD-k against published figures, its limit k = 1, simulation, and what must always hold."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.special import gammaincc, gammaln, xlogy

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import bgnbd, cnbd, erlang_future, mbgnbd
from crm_analysis.models.cnbd import CNBDFit, CNBDParams, ModifiedCNBDFit, fit_cnbd

TRUTHS = [
    CNBDParams(2, 0.85, 2.2, 0.79, 2.42),
    CNBDParams(3, 1.5, 1.3, 0.5, 1.5),
    CNBDParams(3, 0.85, 1.45, 0.79, 2.42, modified=True),
]
every_truth = pytest.mark.parametrize("params", TRUTHS, ids=["BG/CNBD-2", "BG/CNBD-3", "MBG/CNBD-3"])
# One-time buyers, short and long silences, none at all, and frequent buyers.
PASTS = [(0, 0, 20), (2, 30.43, 38.86), (9, 20, 38), (3, 12, 12), (12, 40, 43), (60, 50, 52), (400, 300, 301)]
MANY = tuple(np.array(column, float) for column in zip(*PASTS, strict=True))
FEW = tuple(column[:5] for column in MANY)


def simulated(params: CNBDParams, customers: int = 3_000, seed: int = 20240601) -> CustomerSummary:
    rng = np.random.default_rng(seed)
    T = rng.uniform(26, 52, size=customers)
    return CustomerSummary(cnbd.histories(cnbd.simulate(params, T, rng), T), "week", date(2024, 6, 1))


@pytest.fixture(scope="module")
def customers() -> CustomerSummary:
    return simulated(TRUTHS[0])


@pytest.fixture(scope="module")
def fit(customers: CustomerSummary) -> CNBDFit:
    return fit_cnbd(customers, k=2)


# --- published figures ------------------------------------------------------------------------------------------


def test_buyers_of_the_cdnow_sample_are_found_irregular_as_published(cdnow_sample_log, published):
    days = (
        load_cdnow_sample()[["customer_id", "order_date"]].drop_duplicates().sort_values(["customer_id", "order_date"])
    )
    days = days[pd.to_datetime(days["order_date"]) <= "1997-09-30"]
    gaps = pd.to_datetime(days["order_date"]).groupby(days["customer_id"]).diff().dt.days / 7
    sums = np.log(gaps).groupby(days["customer_id"]).sum()
    frame = cdnow_sample_log.frame.assign(sum_log_gap=sums.set_axis(sums.index.astype(str)))
    published.check("K1", [fit_cnbd(CustomerSummary(frame, "week")).params.k])


def test_forecasts_are_as_accurate_as_published(published):
    params = CNBDParams(3, 0.85, 1.45, 0.79, 2.42)
    T = np.full(20_000, 32.0)
    events = cnbd.simulate(params, 2 * T, np.random.default_rng(2))
    frame = cnbd.histories(events[events["time"] <= 32], T)
    later = np.bincount(events["customer"][events["time"] > 32], minlength=len(T))
    past = (frame["frequency"].to_numpy(float), frame["recency"].to_numpy(), T)
    error = np.abs(later - cnbd.expected_purchases(params, *past, 32.0)).mean()
    alive = (cnbd.probability_alive(params, *past) > 0.5).mean()
    published.check("K2", [error, np.abs(later - past[0]).mean(), alive])


@pytest.mark.parametrize(("figure", "k", "modified"), [("2", 2, False), ("3", 3, False), ("3-modified", 3, True)])
def test_log_likelihood_and_probability_alive_match_an_independent_implementation(published, figure, k, modified):
    params = CNBDParams(k, 0.85, 1.45, 1.2, 2.42, modified)
    past = [published.column("K3-2", name) for name in ("frequency", "recency", "T")]
    published.check(f"K3-{figure}", cnbd.log_likelihood(params, *past))
    published.check(f"K4-{figure}", cnbd.probability_alive(params, *past))


# --- one stage: the models without regularity -------------------------------------------------------------------

IRREGULAR = pytest.mark.parametrize(
    ("model", "irregular", "modified"),
    [(bgnbd, bgnbd.BGNBDParams, False), (mbgnbd, mbgnbd.MBGNBDParams, True)],
    ids=["BG/NBD", "MBG/NBD"],
)
FOUR = [(0.24, 4.4, 0.8, 2.4), (1.0, 6.0, 0.5, 1.5), (2.0, 10.0, 1.3, 1.5), (1.0, 6.0, 1.0, 1.5)]


@IRREGULAR
def test_one_stage_has_the_likelihood_and_gradient_of_the_irregular_model(model, irregular, modified):
    for four in FOUR:
        ours = cnbd.log_likelihood_and_score(CNBDParams(1, *four, modified), *MANY)
        theirs = model.log_likelihood_and_score(irregular(*four), *MANY)
        np.testing.assert_allclose(ours[0], theirs[0], rtol=1e-13)
        np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-12, atol=1e-13)


@IRREGULAR
@pytest.mark.parametrize(
    ("quantity", "arguments"),
    [
        ("probability_alive", ()),
        ("expected_purchases", (39.0,)),
        ("expected_purchases", (3_000.0,)),
        ("discounted_residual_purchases", (0.0018, 104.0)),
        ("discounted_residual_purchases", (0.0018, None)),
        ("discounted_residual_purchases", (0.0, None)),
        ("discounted_residual_lifetime", (0.0018, 104.0)),
        ("discounted_residual_lifetime", (0.0018, None)),
        ("discounted_residual_lifetime", (0.0, None)),
    ],
)
def test_one_stage_has_the_expectations_of_the_irregular_model(model, irregular, modified, quantity, arguments):
    for four in FOUR:
        ours = getattr(cnbd, quantity)(CNBDParams(1, *four, modified), *MANY, *arguments)
        theirs = getattr(model, quantity)(irregular(*four), *MANY, *arguments)
        np.testing.assert_allclose(ours, theirs, rtol=1e-9)


@IRREGULAR
def test_one_stage_has_the_distribution_of_the_irregular_model(model, irregular, modified):
    n = np.arange(40.0)[:, None]
    for four in FOUR:
        params, theirs = CNBDParams(1, *four, modified), irregular(*four)
        np.testing.assert_allclose(
            cnbd.probability_of_future_purchases(params, *MANY, n, 39.0),
            model.probability_of_future_purchases(theirs, *MANY, n, 39.0),
            rtol=1e-9,
        )
        np.testing.assert_allclose(
            cnbd.probability_of_purchases(params, n, 39.0), model.probability_of_purchases(theirs, n, 39.0), rtol=1e-9
        )
        horizon = np.array([0.0, 1, 52, 9_000])
        np.testing.assert_allclose(
            cnbd.expected_purchases_new_customer(params, horizon),
            model.expected_purchases_new_customer(theirs, horizon),
            rtol=1e-9,
        )


# --- the posterior, by brute force ------------------------------------------------------------------------------


def grid_posterior(params, x, t_x, T):
    """Nodes of p, of lambda and of j, and the weight of each given the history and life, shape (p, lambda, j)."""
    k, r, alpha, a, b, modified = params
    logit, log_rate = np.linspace(-50, 30, 321)[:, None, None], np.linspace(-45, 4.5, 401)[:, None]
    p, rate, j = 1 / (1 + np.exp(-logit)), np.exp(log_rate), np.arange(k)
    log_weight = (
        r * log_rate - alpha * rate + a * np.log(p) - b * np.logaddexp(0, logit)
        + k * x * log_rate - rate * t_x - (x + modified) * np.logaddexp(0, logit)
        + xlogy(j, rate * (T - t_x)) - rate * (T - t_x) - gammaln(j + 1)
    )  # fmt: skip
    weight = np.exp(log_weight - log_weight.max())
    return p[:, 0, 0], rate, j, weight / weight.sum()


@every_truth
@pytest.mark.parametrize("past", [(0, 0, 20), (2, 30.43, 38.86), (9, 20, 38)])
def test_expectations_match_brute_force_over_rate_dropout_and_stage(params, past):
    # Given the stage rate, the chance of m stages in h is Poisson, and the worth of the m-th one is its chance at a
    # higher rate: no gamma is mixed and no beta averaged by formula.
    horizon, discount = 26.0, 0.01
    p, rate, j, weight = grid_posterior(params, *past)

    def worth_of_purchases_and_of_leaving(discount):
        purchases = leaving = 0.0
        for n in range(1, 120):
            stages = params.k * n - j
            worth = (rate / (rate + discount)) ** stages * (1 - gammaincc(stages, (rate + discount) * horizon))
            made = weight.reshape(len(p), -1) @ worth.ravel() * (1 - p) ** (n - 1)
            purchases, leaving = purchases + made.sum(), leaving + made @ p
        return purchases, leaving

    history = tuple(np.array([float(value)]) for value in past)
    alive = cnbd.probability_alive(params, *history)[0]
    purchases, left = worth_of_purchases_and_of_leaving(0.0)
    discounted, worth_of_leaving = worth_of_purchases_and_of_leaving(discount)
    lifetime = (1 - worth_of_leaving - np.exp(-discount * horizon) * (1 - left)) / discount
    ours = [
        cnbd.expected_purchases(params, *history, horizon)[0],
        cnbd.discounted_residual_purchases(params, *history, discount, horizon)[0],
        cnbd.discounted_residual_lifetime(params, *history, discount, horizon)[0],
    ]
    np.testing.assert_allclose(ours, alive * np.array([purchases, discounted, lifetime]), rtol=1e-8)


@every_truth
def test_expectations_match_what_simulated_customers_do_next(params):
    # Customers drawn from the prior and watched on: whatever class of history is kept, forecast and truth must agree.
    T = np.full(150_000, 30.0)
    events = cnbd.simulate(params, T + 20, np.random.default_rng(8))
    frame = cnbd.histories(events[events["time"] <= 30], T)
    x, t_x = frame["frequency"].to_numpy(float), frame["recency"].to_numpy()
    later = np.bincount(events["customer"][events["time"] > 30], minlength=len(T))
    surprise = later - cnbd.expected_purchases(params, x, t_x, T, 20.0)
    classes = [x == 0, (x == 1) & (t_x > 20), (x == 4) & (t_x > 26), (x == 4) & (t_x > 18) & (t_x < 24), x > 8]
    for kept in classes:
        assert abs(surprise[kept].mean()) < 4 * surprise[kept].std() / np.sqrt(kept.sum())


@every_truth
@pytest.mark.parametrize("past", [(0, 0, 20), (2, 30.43, 38.86), (3, 12, 12), (9, 34, 38)])
def test_simulated_futures_average_to_the_expectation(params, past):
    size = 60_000
    many = [np.full(size, float(value)) for value in past]
    future = cnbd.simulate_future(params, *many, 39.0, np.random.default_rng(13))
    counts = np.bincount(future["customer"], minlength=size)
    expected = cnbd.expected_purchases(params, *(column[:1] for column in many), 39.0)[0]
    assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(size))


@every_truth
def test_simulated_counts_follow_the_distribution(params):
    T = np.full(50_000, 39.0)
    counts = np.bincount(cnbd.simulate(params, T, np.random.default_rng(12))["customer"], minlength=len(T))
    expected = cnbd.probability_of_purchases(params, np.arange(12.0), 39.0) * len(T)
    observed = np.bincount(np.minimum(counts, 12), minlength=13)
    assert stats.chisquare(observed, [*expected, len(T) - expected.sum()]).pvalue > 0.001


# --- the silence tells ------------------------------------------------------------------------------------------


def test_a_regular_customer_who_is_due_buys_sooner_than_one_who_just_bought():
    # Ten purchases in ten weeks, known to be alive; the next week, after six days of silence and after none.
    params = CNBDParams(3, 2.0, 0.7, 0.8, 10.0)
    x, t_x = np.array([10.0, 10.0]), np.array([10.0, 10.0])
    T = t_x + np.array([0.0, 6 / 7])
    just_bought, due = cnbd.expected_purchases(params, x, t_x, T, 0.25) / cnbd.probability_alive(params, x, t_x, T)
    assert due > 2 * just_bought


def test_an_irregular_customer_is_never_due():
    params = CNBDParams(1, 2.0, 2.1, 0.8, 10.0)
    x, t_x = np.array([10.0, 10.0]), np.array([10.0, 10.0])
    T = t_x + np.array([0.0, 6 / 7])
    just_bought, silent = cnbd.expected_purchases(params, x, t_x, T, 0.25) / cnbd.probability_alive(params, x, t_x, T)
    assert silent < just_bought


def test_the_same_silence_makes_a_regular_customer_more_likely_gone():
    past = (np.array([6.0]), np.array([24.0]), np.array([40.0]))
    irregular, regular = (cnbd.probability_alive(CNBDParams(k, 2.0, 8.0 / k, 0.8, 6.0), *past)[0] for k in (1, 4))
    assert regular < 0.2 * irregular


def test_a_one_time_buyer_has_left_in_the_modified_variant_alone():
    new = (np.array([0.0]), np.array([0.0]), np.array([39.0]))
    assert cnbd.probability_alive(TRUTHS[1], *new)[0] == 1
    assert 0.01 < cnbd.probability_alive(TRUTHS[2], *new)[0] < 0.6


# --- what must always hold --------------------------------------------------------------------------------------


@every_truth
def test_gradient_is_that_of_the_log_likelihood(params):
    _, score = cnbd.log_likelihood_and_score(params, *MANY)
    for position, name in enumerate(CNBDFit.names()):
        value = getattr(params, name)
        up, down = (
            cnbd.log_likelihood(params._replace(**{name: moved}), *MANY)
            for moved in (value * (1 + 1e-6), value * (1 - 1e-6))
        )
        np.testing.assert_allclose(score[:, position], (up - down) / (2e-6 * value), rtol=1e-5, atol=1e-6)


@every_truth
def test_probabilities_given_a_history_add_up_to_one_and_to_the_expectation(params):
    n = np.arange(400.0)[:, None]
    table = cnbd.probability_of_future_purchases(params, *FEW, n, 26.0)
    np.testing.assert_allclose(table.sum(axis=0), 1, atol=1e-12)
    np.testing.assert_allclose((n * table).sum(axis=0), cnbd.expected_purchases(params, *FEW, 26.0), rtol=1e-10)


@every_truth
def test_probabilities_of_a_new_customer_add_up_to_one_and_to_the_expectation(params):
    n = np.arange(1_500.0)
    probability = cnbd.probability_of_purchases(params, n, 26.0)
    assert probability.sum() == pytest.approx(1, abs=1e-12)
    assert n @ probability == pytest.approx(float(cnbd.expected_purchases_new_customer(params, 26.0)), rel=1e-10)


@every_truth
def test_purchases_summed_by_an_integral_equal_those_summed_one_by_one(params, monkeypatch):
    columns = [np.broadcast_to(column, FEW[0].shape).copy() for column in cnbd._given_alive(params, *FEW)]
    alive = erlang_future.Alive(params.k, *columns)
    for quantity in (erlang_future._PURCHASES, erlang_future._PRESENCE):
        for horizon in (104.0, 2_000.0):
            one_by_one = erlang_future._mean_after(quantity, alive, horizon)
            with monkeypatch.context() as patch:
                patch.setattr(erlang_future, "_ONE_BY_ONE", 64)
                np.testing.assert_allclose(erlang_future._mean_after(quantity, alive, horizon), one_by_one, rtol=1e-10)


@every_truth
def test_without_discount_purchases_equal_the_expectation(params):
    discounted = cnbd.discounted_residual_purchases(params, *MANY, 0.0, 52.0)
    np.testing.assert_allclose(discounted, cnbd.expected_purchases(params, *MANY, 52.0), rtol=1e-12)
    nearly = cnbd.discounted_residual_purchases(params, *MANY, 1e-10, 52.0)
    np.testing.assert_allclose(nearly, discounted, rtol=1e-8)


@every_truth
@pytest.mark.parametrize("quantity", [cnbd.discounted_residual_purchases, cnbd.discounted_residual_lifetime])
def test_all_of_the_future_is_the_limit_of_long_horizons(params, quantity):
    np.testing.assert_allclose(
        quantity(params, *FEW, 0.0018, None), quantity(params, *FEW, 0.0018, 15_000.0), rtol=1e-7
    )


@pytest.mark.parametrize("quantity", [cnbd.discounted_residual_purchases, cnbd.discounted_residual_lifetime])
def test_all_of_the_future_holds_where_next_to_nobody_leaves(quantity):
    # With a = 0.03 half of the customers have p below 1e-10, and the rate of some is far from what the horizon sees.
    params = CNBDParams(3, 0.2, 0.5, 0.03, 8.0)
    np.testing.assert_allclose(quantity(params, *FEW, 0.5, None), quantity(params, *FEW, 0.5, 200.0), rtol=1e-8)


def test_undiscounted_purchases_without_end_are_finite_only_where_enough_leave():
    loyal, fickle = TRUTHS[0], TRUTHS[0]._replace(a=3.0)
    assert (cnbd.discounted_residual_purchases(loyal, *FEW, 0.0, None) == np.inf).all()
    forever = cnbd.discounted_residual_purchases(fickle, *FEW, 0.0, None)
    np.testing.assert_allclose(forever, cnbd.expected_purchases(fickle, *FEW, 1e8), rtol=1e-5)


def test_undiscounted_lifetime_without_end_is_the_limit_of_small_rates():
    fickle = TRUTHS[1]._replace(a=3.0, r=4.0)
    forever = cnbd.discounted_residual_lifetime(fickle, *FEW, 0.0, None)
    np.testing.assert_allclose(cnbd.discounted_residual_lifetime(fickle, *FEW, 1e-7, None), forever, rtol=1e-3)


def test_one_parameter_a_customer_equals_one_for_all():
    for params in TRUTHS:
        size = len(FEW[0])
        own = params._replace(alpha=np.full(size, params.alpha), a=np.full(size, params.a), b=np.full(size, params.b))
        for quantity, arguments in [
            (cnbd.log_likelihood, ()),
            (cnbd.probability_alive, ()),
            (cnbd.expected_purchases, (39.0,)),
            (cnbd.discounted_residual_purchases, (0.01, 39.0)),
            (cnbd.discounted_residual_lifetime, (0.01, None)),
        ]:
            np.testing.assert_allclose(quantity(own, *FEW, *arguments), quantity(params, *FEW, *arguments), rtol=1e-12)
        new = cnbd.expected_purchases_new_customer(own, 20.0)
        np.testing.assert_allclose(new, float(cnbd.expected_purchases_new_customer(params, 20.0)))
        n = np.arange(5.0)[:, None]
        np.testing.assert_allclose(
            cnbd.probability_of_future_purchases(own, *FEW, n, 9.0),
            cnbd.probability_of_future_purchases(params, *FEW, n, 9.0),
        )


@settings(max_examples=25)
@given(
    k=st.integers(1, 5), logs=st.lists(st.floats(-3, 3), min_size=4, max_size=4), modified=st.booleans(),
    x=st.integers(0, 3_000), share=st.floats(0, 1), T=st.floats(0, 500),
    horizon=st.floats(0.1, 500), longer=st.floats(0, 500), rate=st.floats(0, 0.05),
)  # fmt: skip
def test_nothing_is_ever_lost_to_rounding(k, logs, modified, x, share, T, horizon, longer, rate):
    params = CNBDParams(k, *np.exp(logs), modified)
    past = tuple(np.array([value], float) for value in (x, share * T if x else 0, T))
    value, score = cnbd.log_likelihood_and_score(params, *past)
    alive = cnbd.probability_alive(params, *past)
    near = cnbd.discounted_residual_purchases(params, *past, rate, horizon)
    far = cnbd.discounted_residual_purchases(params, *past, rate, horizon + longer)
    undiscounted = cnbd.expected_purchases(params, *past, horizon)
    lifetime = cnbd.discounted_residual_lifetime(params, *past, rate, horizon)
    assert np.isfinite(np.concatenate([value, score.ravel(), alive, near, far, undiscounted, lifetime])).all()
    assert 0 <= alive[0] <= 1
    assert 0 <= near[0] <= far[0] * (1 + 1e-6)
    assert near[0] <= undiscounted[0] * (1 + 1e-7) + 1e-12
    assert 0 <= lifetime[0] <= horizon * alive[0] * (1 + 1e-9)


# --- estimation -------------------------------------------------------------------------------------------------


@every_truth
def test_fit_recovers_simulated_parameters(params):
    fit = fit_cnbd(simulated(params), k=params.k, modified=params.modified)
    # On the log scale the likelihood is closest to a parabola: a Wald test of estimates and standard errors together.
    miss = np.log(params[1:5]) - np.log(fit.coefficients.to_numpy())
    of_logs = fit.covariance.to_numpy() / np.outer(fit.coefficients, fit.coefficients)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=4)


@pytest.mark.parametrize("k", [1, 2, 3])
@pytest.mark.parametrize("modified", [False, True])
def test_regularity_is_found_by_likelihood(k, modified):
    truth = CNBDParams(k, 0.85, 4.4 / k, 0.79, 2.42, modified)
    assert fit_cnbd(simulated(truth, 1_500), modified=modified).params.k == k


def test_the_chosen_fit_is_that_of_its_k(customers, fit):
    chosen = fit_cnbd(customers)
    assert chosen.params == fit.params
    assert chosen.log_likelihood == fit.log_likelihood


def test_one_stage_fits_as_the_bgnbd(customers):
    ours, theirs = fit_cnbd(customers, k=1), bgnbd.fit_bgnbd(customers)
    np.testing.assert_allclose(ours.params[1:5], theirs.params, rtol=1e-6)
    assert ours.log_likelihood == pytest.approx(theirs.log_likelihood, abs=1e-8)


def test_the_log_likelihood_counts_the_gaps(customers, fit):
    past = [customers.frame[name].to_numpy(float) for name in ("frequency", "recency", "T")]
    of_gaps = customers.frame["sum_log_gap"].sum()
    assert fit.log_likelihood == pytest.approx(cnbd.log_likelihood(fit.params, *past).sum() + of_gaps, abs=1e-6)


def test_days_instead_of_weeks_multiply_alpha_by_seven_and_leave_the_rest(customers, fit):
    frame = customers.frame
    shifted = frame["sum_log_gap"] + frame["frequency"] * np.log(7)
    in_days = frame.assign(recency=frame["recency"] * 7, T=frame["T"] * 7, sum_log_gap=shifted)
    again = fit_cnbd(CustomerSummary(in_days, "day"), k=2)
    np.testing.assert_allclose(again.coefficients, fit.coefficients * [1, 7, 1, 1], rtol=1e-5)
    assert again.log_likelihood == pytest.approx(fit.log_likelihood - frame["frequency"].sum() * np.log(7), abs=1e-5)


def test_weights_equal_repeated_rows(customers):
    frame = customers.frame.iloc[:500]
    times = 1 + np.arange(500) % 3
    weighted = fit_cnbd(CustomerSummary(frame, "week"), k=2, weights=times)
    repeated = frame.loc[frame.index.repeat(times)].reset_index(drop=True).rename_axis("customer_id")
    exploded = fit_cnbd(CustomerSummary(repeated, "week"), k=2)
    np.testing.assert_allclose(weighted.coefficients, exploded.coefficients, rtol=1e-5)
    assert weighted.log_likelihood == pytest.approx(exploded.log_likelihood, abs=1e-6)


def test_covariates_are_found_again():
    rng = np.random.default_rng(5)
    web = rng.integers(0, 2, 4_000).astype(float)
    truth = TRUTHS[0]
    moved = truth._replace(
        alpha=truth.alpha * np.exp(-0.6 * web), a=truth.a * np.exp(0.5 * web), b=truth.b * np.exp(-0.3 * web)
    )
    T = rng.uniform(30, 60, len(web))
    frame = cnbd.histories(cnbd.simulate(moved, T, rng), T).assign(web=web)
    fit = fit_cnbd(CustomerSummary(frame, "week"), k=2, purchase=["web"], dropout=["web"])
    names = ["purchase[web]", "dropout_a[web]", "dropout_b[web]"]
    miss = fit.coefficients[names].to_numpy() - [0.6, 0.5, -0.3]
    assert miss @ np.linalg.solve(fit.covariance.loc[names, names], miss) < stats.chi2.ppf(0.999, df=3)


def test_intervals_by_profile_agree_with_those_of_the_covariance(customers, fit):
    lower, upper = fit.profile_interval("r", customers)
    row = fit.summary().loc["r"]
    assert lower == pytest.approx(row["lower"], rel=0.02)
    assert upper == pytest.approx(row["upper"], rel=0.02)


@pytest.mark.parametrize("modified", [False, True])
def test_a_fit_survives_json_digit_for_digit(customers, modified):
    fit = fit_cnbd(customers, k=2, modified=modified)
    again = type(fit).from_json(fit.to_json())
    assert again.params == fit.params
    assert (type(again.params.k), type(again.params.modified)) == (int, bool)
    assert again.log_likelihood == fit.log_likelihood
    pd.testing.assert_frame_equal(again.covariance, fit.covariance)


def test_the_two_variants_are_told_apart_by_name(customers):
    modified = fit_cnbd(customers, k=2, modified=True)
    assert isinstance(modified, ModifiedCNBDFit)
    assert modified.params.modified
    assert modified.model_name == "MBG/CNBD-k"
    with pytest.raises(SettingsError, match="MBG/CNBD-k"):
        CNBDFit.from_json(modified.to_json())


@pytest.mark.parametrize(("fit_type", "modified"), [(CNBDFit, True), (ModifiedCNBDFit, False)])
def test_parameters_of_the_other_variant_are_refused(fit_type, modified):
    with pytest.raises(SettingsError, match="modified"):
        fit_type.from_params((2, 0.85, 2.2, 0.79, 2.42, modified))


def test_drawn_parameters_keep_their_k(fit, customers):
    draw = fit.with_coefficients(fit.draws(1, seed=1).iloc[0].tolist())
    assert draw.params.k == 2
    assert draw.expected_purchases(customers, horizon="1 year").gt(0).all()


def test_without_the_gaps_one_stage_alone_can_be_fitted(customers):
    bare = CustomerSummary(customers.frame.drop(columns="sum_log_gap"), "week")
    assert fit_cnbd(bare, k=1).params.k == 1
    for k in (2, None):
        with pytest.raises(DataError, match=r"summarize_customers\(\.\.\., gaps=True\)"):
            fit_cnbd(bare, k=k)


def test_a_gap_of_zero_is_refused(customers):
    frame = customers.frame.assign(
        sum_log_gap=customers.frame["sum_log_gap"].where(np.arange(len(customers)) > 0, -np.inf)
    )
    with pytest.raises(DataError, match="same-day orders are one purchase"):
        fit_cnbd(CustomerSummary(frame, "week"), k=2)


@pytest.mark.parametrize("k", [0, -1, 2.5])
def test_a_k_that_is_no_count_is_refused(customers, k):
    with pytest.raises(SettingsError, match="whole number"):
        fit_cnbd(customers, k=k)


def test_a_base_without_repeat_purchases_is_refused(customers):
    one_time = customers.frame[customers.frame["frequency"] == 0]
    with pytest.raises(DataError, match="no customer has a repeat purchase"):
        fit_cnbd(CustomerSummary(one_time, "week"))


def test_only_the_chosen_fit_warns(customers):
    frame = customers.frame
    few = pd.concat([frame[frame["frequency"] == 0].head(100), frame[frame["frequency"] > 0].head(30)])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fit = fit_cnbd(CustomerSummary(few, "week"))
    told = [str(warning.message) for warning in caught]
    assert sum("only 30 customers have a repeat purchase" in message for message in told) == 1
    assert [message for message in told if "only 30" not in message] == list(fit.advice)
    assert all(warning.category is EstimationWarning and warning.filename == __file__ for warning in caught)


# --- the largest regularity tried, and gaps in another time -------------------------------------------------------


@pytest.fixture(scope="module")
def by_the_calendar() -> CustomerSummary:
    return simulated(CNBDParams(30, 4.0, 0.15, 1.0, 8.0), 400)


def test_the_largest_regularity_tried_comes_with_advice(by_the_calendar):
    with pytest.warns(EstimationWarning, match="k = 12, the largest tried"):
        fit = fit_cnbd(by_the_calendar)
    assert fit.params.k == 12
    assert any("the largest tried" in doubt for doubt in fit.advice)


def test_a_regularity_that_was_asked_for_needs_no_advice(by_the_calendar):
    assert not any("the largest tried" in doubt for doubt in fit_cnbd(by_the_calendar, k=12).advice)


def test_gaps_in_days_in_a_weekly_summary_are_refused(customers):
    frame = customers.frame
    in_days = frame.assign(sum_log_gap=frame["sum_log_gap"] + frame["frequency"] * np.log(7))
    for k in (2, None):
        with pytest.raises(DataError, match="they are in another time") as refused:
            fit_cnbd(CustomerSummary(in_days, "week"), k=k)
    assert "row(s)" in str(refused.value)
    assert "at most" in str(refused.value)
    assert "summarize_customers(..., gaps=True)" in str(refused.value)


def test_equal_gaps_reach_the_bound_and_are_accepted():
    x = np.tile(np.arange(1.0, 7), 20)
    frame = pd.DataFrame({"frequency": x, "recency": 2 * x, "T": 2 * x + 5, "sum_log_gap": x * np.log(2) + 4e-10})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # twenty times the same history is nobody's base
        assert fit_cnbd(CustomerSummary(frame.set_index(frame.index.astype(str)), "week"), k=2).params.k == 2


def test_a_recency_rounded_to_two_decimals_or_to_days_still_goes_with_its_gaps(customers):
    frame = customers.frame
    for recency in (frame["recency"].round(2), np.floor(frame["recency"] * 7) / 7):
        assert fit_cnbd(CustomerSummary(frame.assign(recency=recency), "week"), k=2).params.k == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, "long"])
def test_gaps_that_are_no_numbers_are_refused_with_their_rows(customers, value):
    frame = customers.frame.astype({"sum_log_gap": object})
    frame.iloc[[3, 8], frame.columns.get_loc("sum_log_gap")] = value
    with pytest.raises(DataError, match=r"missing or infinite or no number .* in 2 row\(s\)"):
        fit_cnbd(CustomerSummary(frame, "week"), k=2)


def test_gaps_without_a_repeat_purchase_are_refused(customers):
    frame = customers.frame
    wrong = frame.assign(sum_log_gap=frame["sum_log_gap"].mask(frame["frequency"] == 0, -1.0))
    with pytest.raises(DataError, match="not 0 although there is no repeat purchase"):
        fit_cnbd(CustomerSummary(wrong, "week"), k=2)


@pytest.mark.parametrize("k", ["two", np.inf, np.nan])
def test_a_k_that_is_no_number_is_refused(customers, k):
    with pytest.raises(SettingsError, match="whole number"):
        fit_cnbd(customers, k=k)


def test_a_weight_of_zero_equals_a_row_left_out(customers):
    frame = customers.frame.iloc[:600]
    unweighted = fit_cnbd(CustomerSummary(frame, "week"), k=2, weights=np.where(np.arange(600) < 100, 0.0, 1.0))
    without = fit_cnbd(CustomerSummary(frame.iloc[100:], "week"), k=2)
    np.testing.assert_allclose(unweighted.coefficients, without.coefficients, rtol=1e-5)
    assert unweighted.log_likelihood == pytest.approx(without.log_likelihood, abs=1e-6)


def test_covariates_of_zero_change_nothing(customers):
    web = CustomerSummary(customers.frame.assign(web=np.arange(len(customers)) % 2), "week")
    fit = fit_cnbd(web, k=2, purchase=["web"], dropout=["web"])
    nobody = CustomerSummary(web.frame.assign(web=0.0), "week")
    plain = CNBDFit.from_params(fit.params)
    expected = plain.expected_purchases(nobody, horizon=9)
    np.testing.assert_allclose(fit.expected_purchases(nobody, horizon=9), expected, rtol=1e-12)
