"""What every purchase model must do, whatever its formulas: checks that need no published figure."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import bgbb, bgnbd, cnbd, mbgnbd, nbd, pareto_nbd, steady_cnbd
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import FITTERS, purchase_fit_from_json

BEGIN, AS_OF = date(2023, 6, 1), date(2024, 6, 1)
BY_AGE = {"purchase": ["age"], "dropout": ["age"]}


@dataclass(frozen=True)
class Case:
    """A model, and parameters to put it through.

    Attributes
    ----------
    carry_time : tuple of str
        Parameters in the unit of time.
    covariates : mapping
        How covariates are asked for in a fit.
    opportunities : bool
        Whether times are numbers of opportunities.
    """

    module: ModuleType
    fit: Callable[..., PurchaseFit]
    name: str
    truths: tuple
    carry_time: tuple[str, ...] = ("alpha",)
    covariates: Mapping[str, object] = field(default_factory=lambda: BY_AGE)
    opportunities: bool = False

    @property
    def params(self):
        return self.truths[0]

    @property
    def estimated(self) -> list[str]:
        return [name for name in self.params._fields if name not in ("k", "modified")]

    @property
    def pasts(self) -> list[tuple[float, float, float]]:
        """One-time buyers, a long and a short silence, none at all, and two frequent buyers."""
        return [(x, max(x, round(t_x)), max(x, round(T))) for x, t_x, T in PASTS] if self.opportunities else PASTS

    @property
    def many(self) -> tuple[np.ndarray, ...]:
        return tuple(np.array(column, float) for column in zip(*self.pasts, strict=True))


def fit_in_an_even_clock(customers: CustomerSummary, *, first_window: bool = False, **how) -> ClockedFit:
    clock = OrderClock((1.0,) * 12, BEGIN, AS_OF, 0.0, customers.time_unit)
    return fit_clocked(customers, clock, k=2, first_window=first_window, **how)


BGNBD = tuple(bgnbd.BGNBDParams(*p) for p in [(0.24, 4.4, 0.8, 2.4), (1.0, 6.0, 0.5, 1.5), (2.0, 10.0, 1.3, 1.5)])
MBGNBD = tuple(mbgnbd.MBGNBDParams(*p) for p in [(0.52, 6.2, 0.9, 1.6), (1.0, 6.0, 0.5, 1.5), (2.0, 10.0, 1.3, 1.5)])
PARETO = tuple(
    pareto_nbd.ParetoNBDParams(*p) for p in [(0.55, 10.6, 0.6, 11.7), (1.0, 4.0, 1.5, 30.0), (2.0, 10.0, 0.5, 4.0)]
)
NBD = tuple(nbd.NBDParams(*p) for p in [(0.4, 12.0), (1.0, 4.0), (3.0, 9.0)])
CNBD = tuple(cnbd.CNBDParams(2, *p) for p in [(0.85, 2.2, 0.79, 2.42), (1.5, 1.3, 0.5, 1.5), (2.0, 5.0, 1.3, 1.5)])
MODIFIED = tuple(params._replace(modified=True) for params in CNBD)
BGBB = tuple(bgbb.BGBBParams(*p) for p in [(1.2, 0.75, 0.65, 2.8), (0.6, 2.0, 2.0, 12.0), (3.0, 5.0, 0.4, 1.0)])
CLOCKED = ClockedFit.model_name

CASES = [
    Case(bgnbd, bgnbd.fit_bgnbd, "BG/NBD", BGNBD),
    Case(mbgnbd, mbgnbd.fit_mbgnbd, "MBG/NBD", MBGNBD),
    Case(pareto_nbd, pareto_nbd.fit_pareto_nbd, "Pareto/NBD", PARETO, carry_time=("alpha", "beta")),
    Case(nbd, nbd.fit_nbd, "NBD", NBD, covariates={"purchase": ["age"]}),
    Case(cnbd, partial(cnbd.fit_cnbd, k=2), "BG/CNBD-k", CNBD),
    Case(cnbd, partial(cnbd.fit_cnbd, k=2, modified=True), "MBG/CNBD-k", MODIFIED),
    Case(bgbb, bgbb.fit_bgbb, "BG/BB", BGBB, carry_time=(), opportunities=True),
    # A clock of even speed: what differs from the calendar is tested in test_clocked.
    Case(steady_cnbd, fit_in_an_even_clock, CLOCKED, CNBD, covariates={"first_window": True}),
]


def every_model_but(elsewhere: Mapping[str, str]) -> pytest.MarkDecorator:
    """Parametrise by all models but those whose form of the check is another test, given as file::test."""
    for place in elsewhere.values():
        file, test = place.split("::")
        assert f"def {test}(" in (Path(__file__).parent / file).read_text(), place
    kept = [case for case in CASES if case.name not in elsewhere]
    return pytest.mark.parametrize("case", kept, ids=[case.name for case in kept])


every_model = every_model_but({})

PASTS = [(0, 0, 20), (2, 30.43, 38.86), (9, 20, 38), (3, 12, 12), (60, 50, 52), (400, 300, 310)]


def simulated(case: Case, params, customers: int = 4_000, seed: int = 20240601) -> CustomerSummary:
    rng = np.random.default_rng(seed)
    T = rng.uniform(26, 52, size=customers)
    T = np.ceil(T) if case.opportunities else T
    events = case.module.simulate(params, T, rng)
    frame = (cnbd if case.module is steady_cnbd else case.module).histories(events, T)
    # A clock reads days, the others read past them.
    recency, T = (pd.to_timedelta((frame[name] * 7).round(), unit="D") for name in ("recency", "T"))
    first = pd.Timestamp(AS_OF) - T
    age = 20.0 + rng.integers(41, size=customers)
    frame = frame.assign(first_purchase=first, last_purchase=first + recency, age=age)
    return CustomerSummary(frame, "week", AS_OF)


@pytest.fixture(scope="module")
def bases() -> dict[str, CustomerSummary]:
    """Customers as each model takes them to be."""
    return {case.name: simulated(case, case.params, 1_500) for case in CASES}


@pytest.fixture(scope="module")
def fits(bases) -> dict[str, PurchaseFit]:
    return {case.name: case.fit(bases[case.name]) for case in CASES}


# --- likelihood and estimation ----------------------------------------------------------------------------------


@every_model
def test_gradient_is_that_of_the_log_likelihood(case):
    for params in case.truths:
        _, score = case.module.log_likelihood_and_score(params, *case.many)
        for position, name in enumerate(case.estimated):
            value = getattr(params, name)
            up, down = (
                case.module.log_likelihood_and_score(params._replace(**{name: moved}), *case.many)[0]
                for moved in (value * (1 + 1e-6), value * (1 - 1e-6))
            )
            np.testing.assert_allclose(score[:, position], (up - down) / (2e-6 * value), rtol=1e-5, atol=1e-6)


@every_model
@pytest.mark.parametrize("position", range(3))
def test_fit_recovers_simulated_parameters(case, position):
    truth = case.truths[position]
    fit = case.fit(simulated(case, truth))
    # On the log scale the likelihood is closest to a parabola: a Wald test of estimates and standard errors together.
    miss = np.log([getattr(truth, name) for name in case.estimated]) - np.log(fit.coefficients)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.coefficients, fit.coefficients)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=len(miss))


@every_model
def test_weights_equal_repeated_rows(case, bases):
    base = bases[case.name]
    times = 1 + np.arange(len(base)) % 3
    weighted = case.fit(base, weights=times)
    repeated = base.frame.loc[base.frame.index.repeat(times)].reset_index(drop=True)
    exploded = case.fit(replace(base, frame=repeated))
    np.testing.assert_allclose(weighted.coefficients, exploded.coefficients, rtol=1e-5)
    np.testing.assert_allclose(weighted.covariance, exploded.covariance, rtol=1e-3)
    assert weighted.log_likelihood == pytest.approx(exploded.log_likelihood, rel=1e-12)


@every_model
def test_a_weight_of_zero_equals_a_row_left_out(case, bases):
    base = bases[case.name]
    without = case.fit(replace(base, frame=base.frame.iloc[300:]))
    unweighted = case.fit(base, weights=np.where(np.arange(len(base)) < 300, 0.0, 1.0))
    np.testing.assert_allclose(unweighted.coefficients, without.coefficients, rtol=1e-5)
    assert unweighted.log_likelihood == pytest.approx(without.log_likelihood, rel=1e-12)


# Opportunities have no unit; months between them only convert horizons and rates.
@every_model_but({"BG/BB": "test_bgbb.py::test_a_fit_discounts_by_the_time_between_opportunities"})
def test_another_time_unit_rescales_times_and_leaves_the_rest(case, fits, bases):
    fit, base = fits[case.name], bases[case.name]
    frame = base.frame.assign(recency=base.frame["recency"] * 7, T=base.frame["T"] * 7)
    if "sum_log_gap" in frame:
        frame["sum_log_gap"] += frame["frequency"] * np.log(7)
    days = CustomerSummary(frame, "day", AS_OF)
    in_days = case.fit(days)
    factor = [7.0 if name in case.carry_time else 1.0 for name in case.estimated]
    np.testing.assert_allclose(in_days.coefficients, fit.coefficients * factor, rtol=1e-4)
    purchases = frame["frequency"].sum()
    assert in_days.log_likelihood == pytest.approx(fit.log_likelihood - purchases * np.log(7), abs=1e-5)
    np.testing.assert_allclose(
        in_days.expected_purchases(days, horizon=52 * 7), fit.expected_purchases(base, horizon=52), rtol=1e-4
    )


@every_model
def test_a_base_without_repeat_purchases_is_refused(case, bases):
    base = bases[case.name]
    with pytest.raises(DataError, match="no customer has a repeat purchase"):
        case.fit(replace(base, frame=base.frame.query("frequency == 0")))


@every_model
def test_few_repeat_buyers_are_warned_about(case, bases):
    base = bases[case.name]
    rows = [base.frame.query("frequency == 0").head(200), base.frame.query("frequency > 0").head(20)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        case.fit(replace(base, frame=pd.concat(rows)))
    few = [warning for warning in caught if "only 20 customers have a repeat purchase" in str(warning.message)]
    assert few and few[0].filename == __file__  # the warning points at the caller's line


@every_model
def test_a_single_customer_gets_advice_and_no_crash(case, bases):
    base = bases[case.name]
    with pytest.warns(EstimationWarning):
        fit = case.fit(replace(base, frame=base.frame.query("frequency == 3").head(1)))
    assert fit.advice


@every_model
@pytest.mark.parametrize("covariates", [False, True])
def test_a_fit_survives_json_digit_for_digit(case, fits, bases, covariates):
    fit = case.fit(bases[case.name], **case.covariates) if covariates else fits[case.name]
    assert bool(fit.effects) == covariates
    again = purchase_fit_from_json(fit.to_json())
    assert again.params == fit.params
    assert again.log_likelihood == fit.log_likelihood
    pd.testing.assert_series_equal(again.coefficients, fit.coefficients, check_exact=True)
    pd.testing.assert_frame_equal(again.covariance, fit.covariance, check_exact=True)
    forecasts = [one.expected_purchases(bases[case.name], horizon=20) for one in (again, fit)]
    pd.testing.assert_series_equal(*forecasts, check_exact=True)


@every_model
def test_a_summary_in_another_unit_is_refused(case, fits, bases):
    with pytest.raises(SettingsError, match="summarise with time_unit='week'"):
        fits[case.name].probability_alive(replace(bases[case.name], time_unit="day"))


def purchase_models(kind: type[PurchaseFit] = PurchaseFit) -> Iterator[str]:
    """Names of all models in the package, registered or not."""
    for derived in kind.__subclasses__():
        if derived.__module__.startswith("crm_analysis"):
            yield derived.model_name
            yield from purchase_models(derived)


def test_every_model_there_is_is_tested_here():
    assert sorted(case.name for case in CASES) == sorted(purchase_models()) == sorted([*FITTERS, CLOCKED])


def test_each_case_is_fitted_by_the_model_it_names(fits):
    assert all(fit.model_name == name for name, fit in fits.items())


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
        table = case.module.probability_of_future_purchases(params, *case.many, n, 39.0)
        np.testing.assert_allclose(table.sum(axis=0), 1, atol=1e-9)
        expected = case.module.expected_purchases(params, *case.many, 39.0)
        np.testing.assert_allclose((n * table).sum(axis=0), expected, rtol=1e-8)


@every_model
def test_undiscounted_purchases_of_a_finite_horizon_equal_the_expectation(case):
    for params in case.truths:
        direct = case.module.expected_purchases(params, *case.many, 52.0)
        discounted = case.module.discounted_residual_purchases(params, *case.many, 0.0, 52.0)
        np.testing.assert_allclose(discounted, direct, rtol=1e-9)


@every_model_but(
    {
        "BG/CNBD-k": "test_cnbd.py::test_expectations_match_brute_force_over_rate_dropout_and_stage",
        "MBG/CNBD-k": "test_cnbd.py::test_expectations_match_brute_force_over_rate_dropout_and_stage",
        "BG/BB": "test_bgbb.py::test_discounted_purchases_add_up_opportunity_by_opportunity",
        CLOCKED: "test_steady_cnbd.py::test_discounted_purchases_are_the_integral_over_days",
    }
)
def test_discounted_purchases_match_a_sum_over_small_steps(case):
    rate, edges = 0.01, np.linspace(0, 104, 1_041)
    middle = (edges[1:] + edges[:-1]) / 2
    for params in case.truths:
        upto = np.array([case.module.expected_purchases(params, *case.many, end) for end in edges])
        stepped = np.exp(-rate * middle) @ np.diff(upto, axis=0)
        result = case.module.discounted_residual_purchases(params, *case.many, rate, 104.0)
        np.testing.assert_allclose(result, stepped, rtol=1e-6)


@every_model
def test_all_of_the_future_is_the_limit_of_long_horizons(case):
    for params in case.truths:
        for quantity in (case.module.discounted_residual_purchases, case.module.discounted_residual_lifetime):
            forever = quantity(params, *case.many, 0.0018, None)
            very_long = quantity(params, *case.many, 0.0018, 15_000.0)
            np.testing.assert_allclose(forever, very_long, rtol=1e-6)


@every_model
def test_a_tiny_discount_changes_next_to_nothing(case):
    for params in case.truths:
        for quantity in (case.module.discounted_residual_purchases, case.module.discounted_residual_lifetime):
            np.testing.assert_allclose(
                quantity(params, *case.many, 1e-9, 52.0), quantity(params, *case.many, 0.0, 52.0), rtol=1e-6
            )


@every_model
def test_an_infinite_number_of_purchases_is_called_infinite(case):
    eternal = case.params  # dropout too weak to bound the undiscounted sum
    past = tuple(column[:1] for column in case.many)
    assert case.module.discounted_residual_purchases(eternal, *past, 0.0, None)[0] == np.inf


@every_model
@pytest.mark.parametrize("position", range(4))
def test_simulated_futures_average_to_the_expectation(case, position):
    rng = np.random.default_rng(13)
    size = 100_000
    many = [np.full(size, float(value)) for value in case.pasts[position]]
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


# A forecast at the mean rate is not one of the model itself: it takes nobody as due.
@every_model_but(
    {CLOCKED: "test_steady_cnbd.py::test_who_has_just_bought_is_expected_to_buy_more_than_in_the_exact_model"}
)
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


@every_model_but(
    {
        "BG/CNBD-k": "test_cnbd.py::test_nothing_is_ever_lost_to_rounding",
        "MBG/CNBD-k": "test_cnbd.py::test_nothing_is_ever_lost_to_rounding",
        "BG/BB": "test_bgbb.py::test_likelihood_gradient_and_value_are_finite_at_the_extremes",
    }
)
@settings(max_examples=60)
@given(
    logs=st.lists(st.floats(-3, 3), min_size=4, max_size=4), x=st.integers(0, 3_000), share=st.floats(0, 1),
    T=st.floats(0, 500), horizon=st.floats(0.1, 500), longer=st.floats(0, 500),
    rate=st.floats(0, 0.05, allow_subnormal=False),
)  # fmt: skip
def test_nothing_is_ever_lost_to_rounding(case, logs, x, share, T, horizon, longer, rate):
    params = case.params._replace(**dict(zip(case.estimated, np.exp(logs), strict=False)))
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
    size = len(case.many[0])
    own = case.params._replace(**{name: np.full(size, getattr(case.params, name)) for name in case.estimated})
    for one, other in zip(
        case.module.log_likelihood_and_score(own, *case.many),
        case.module.log_likelihood_and_score(case.params, *case.many),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    alive = case.module.probability_alive(case.params, *case.many)
    np.testing.assert_allclose(case.module.probability_alive(own, *case.many), alive, rtol=1e-12)
    for arguments in [("expected_purchases", 39.0), ("discounted_residual_purchases", 0.01, 39.0),
                      ("discounted_residual_lifetime", 0.01, None)]:  # fmt: skip
        quantity = getattr(case.module, arguments[0])
        np.testing.assert_allclose(
            quantity(own, *case.many, *arguments[1:]), quantity(case.params, *case.many, *arguments[1:])
        )
    n = np.arange(5.0)[:, None]
    np.testing.assert_allclose(
        case.module.probability_of_future_purchases(own, *case.many, n, 39.0),
        case.module.probability_of_future_purchases(case.params, *case.many, n, 39.0),
    )


# Whose first weeks have rates of their own is not the caller's to ask for.
@every_model_but({CLOCKED: "test_clocked.py::test_customers_of_the_first_weeks_alone_have_no_rates_beside_others"})
def test_an_endless_penalty_leaves_the_fit_without_covariates(case, bases, fits):
    penalised = case.fit(bases[case.name], penalty=1e9, **case.covariates)
    plain = fits[case.name]
    np.testing.assert_allclose(penalised.coefficients[case.estimated], plain.coefficients, rtol=1e-4)
    np.testing.assert_allclose(penalised.coefficients.drop(case.estimated), 0, atol=1e-6)
    assert penalised.log_likelihood == pytest.approx(plain.log_likelihood, abs=1e-3)


@every_model_but(
    {
        "BG/CNBD-k": "test_cnbd.py::test_covariates_are_found_again",
        "MBG/CNBD-k": "test_cnbd.py::test_covariates_are_found_again",
        "BG/BB": "test_bgbb.py::test_each_parameter_of_a_coin_may_have_a_coefficient_of_its_own",
        CLOCKED: "test_clocked.py::test_the_first_weeks_have_no_rates_of_their_own_where_they_have_none",
    }
)
def test_simulated_covariates_are_found_again(case):
    rng = np.random.default_rng(5)
    size = 6_000
    web, age = rng.integers(0, 2, size).astype(float), rng.normal(40, 10, size)
    truth = {"purchase[channel[T.web]]": 0.6, "purchase[age]": -0.02}
    moved = {"alpha": case.params.alpha * np.exp(-(0.6 * web - 0.02 * (age - 40)))}
    if "beta" in case.estimated:
        moved["beta"] = case.params.beta * np.exp(-0.7 * web)
        truth["dropout[channel[T.web]]"] = 0.7
    if "a" in case.estimated:
        moved |= {"a": case.params.a * np.exp(0.5 * web), "b": case.params.b * np.exp(-0.3 * web)}
        truth |= {"dropout_a[channel[T.web]]": 0.5, "dropout_b[channel[T.web]]": -0.3}
    T = rng.uniform(40, 80, size)
    frame = case.module.histories(case.module.simulate(case.params._replace(**moved), T, rng), T)
    frame = frame.assign(channel=np.where(web == 1, "web", "shop"), age=age)
    kinds = {"purchase": "~ channel + age", "dropout": "~ channel"}
    fit = case.fit(CustomerSummary(frame, "week"), **{kind: kinds[kind] for kind in case.covariates})
    names = list(truth)
    miss = fit.coefficients[names].to_numpy() - np.array(list(truth.values()))
    covariance = fit.covariance.loc[names, names].to_numpy()
    assert miss @ np.linalg.solve(covariance, miss) < stats.chi2.ppf(0.999, df=len(names))
    assert fit.summary().loc["purchase[age]", "standard_error"] < 0.01
