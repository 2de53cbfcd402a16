"""Every fit refuses questions that have no answer, in words of this package, and gives no number."""

import json
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import bgbb
from crm_analysis.models.bgbb import BGBBFit, fit_bgbb
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd, histories
from crm_analysis.models.checks import check_draws, check_level
from crm_analysis.models.clocked import fit_clocked
from crm_analysis.models.cnbd import CNBDFit, ModifiedCNBDFit
from crm_analysis.models.fit import Fit
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.mbgnbd import MBGNBDFit, fit_mbgnbd
from crm_analysis.models.nbd import NBDFit, fit_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDFit, fit_pareto_nbd

FITS = [
    BGNBDFit.from_params((0.243, 4.414, 0.793, 2.426)),
    MBGNBDFit.from_params((0.525, 6.183, 0.891, 1.614)),
    ParetoNBDFit.from_params((0.553, 10.578, 0.606, 11.669)),
    NBDFit.from_params((0.385, 12.072)),
    CNBDFit.from_params((2, 0.25, 2.2, 0.75, 2.2)),
    ModifiedCNBDFit.from_params((2, 0.25, 2.2, 0.75, 2.2, True)),
    BGBBFit.from_params((1.2, 0.75, 0.66, 2.78)),
]
every_fit = pytest.mark.parametrize("fit", FITS, ids=[fit.model_name for fit in FITS])
IDS = [f"c{place}" for place in range(200)]


def base(seed: int = 0) -> pd.DataFrame:
    """Histories that are possible for every model, times being whole numbers."""
    rng = np.random.default_rng(seed)
    frame = bgbb.histories(
        bgbb.simulate(bgbb.BGBBParams(1.0, 4.0, 0.6, 6.0), np.full(200, 30.0), rng), np.full(200, 30.0)
    )
    return frame.set_axis(IDS).assign(age=rng.integers(20, 60, 200), sum_log_gap=0.5 * frame["frequency"].to_numpy())


@pytest.fixture(scope="module")
def customers() -> CustomerSummary:
    return CustomerSummary(base(), "week", date(2024, 6, 30))


@pytest.fixture(scope="module")
def estimated(customers) -> BGNBDFit:
    return fit_bgnbd(customers)


@pytest.fixture(scope="module")
def by_age(customers) -> BGNBDFit:
    return fit_bgnbd(customers, purchase=["age"])


# --- likelihood-ratio test ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        lambda frame: fit_bgnbd(CustomerSummary(base(seed=1), "week")),
        lambda frame: fit_bgnbd(CustomerSummary(frame.assign(T=frame["T"] * 7, recency=frame["recency"] * 7), "day")),
        lambda frame: fit_bgnbd(CustomerSummary(frame, "day")),
        lambda frame: fit_bgnbd(CustomerSummary(frame, "week"), weights=np.where(frame["age"] < 40, 0.5, 1.5)),
        lambda frame: BGNBDFit.from_params((0.24, 4.4, 0.8, 2.4)),
    ],
    ids=["other customers", "days", "another unit", "other weights", "no data"],
)
def test_fits_of_other_data_cannot_be_tested_against_each_other(by_age, customers, other):
    with pytest.raises(SettingsError, match="from the same customers, with the same weights"):
        by_age.likelihood_ratio_test(other(customers.frame))


@pytest.fixture
def shop() -> CustomerSummary:
    """The same histories with dates, some of them begun in the first weeks of the log."""
    frame = base()
    joined = pd.Timestamp("2022-01-01") + pd.to_timedelta(np.arange(200) // 2, "D")
    last = joined + pd.to_timedelta(7 * frame["recency"].to_numpy(), "D")
    T = (pd.Timestamp("2022-12-31") - joined).days / 7
    return CustomerSummary(frame.assign(first_purchase=joined, last_purchase=last, T=T), "week", date(2022, 12, 31))


EVEN = OrderClock((1.0,) * 12, date(2022, 1, 1), date(2022, 12, 31), 0.0, "week")
SEASONS = replace(EVEN, factors=(0.6, 0.5, 0.7, 0.8, 0.9, 1.0, 0.9, 0.9, 1.2, 1.4, 1.7, 1.4))
# Times that are no shop's have no good fit.
in_a_clock = pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning")


@in_a_clock
def test_fits_in_different_clocks_cannot_be_tested_against_each_other(shop):
    with pytest.raises(SettingsError, match="the same time unit and clock"):
        fit_clocked(shop, EVEN, k=1).likelihood_ratio_test(fit_clocked(shop, SEASONS, k=1, first_window=False))


@in_a_clock
def test_fits_in_one_clock_can_be_tested(shop):
    test = fit_clocked(shop, EVEN, k=1).likelihood_ratio_test(fit_clocked(shop, EVEN, k=1, first_window=False))
    assert test.degrees_of_freedom == 2


def test_the_same_customers_in_another_order_can_be_tested(by_age, customers):
    shuffled = CustomerSummary(customers.frame.sample(frac=1, random_state=1), "week")
    assert by_age.likelihood_ratio_test(fit_bgnbd(shuffled)).degrees_of_freedom == 1


def test_a_saved_fit_can_be_tested(by_age, estimated):
    again = BGNBDFit.from_json(estimated.to_json())
    assert by_age.likelihood_ratio_test(again) == by_age.likelihood_ratio_test(estimated)


def test_a_fit_with_other_coefficients_forgets_the_data_it_was_made_from(estimated):
    assert estimated.data_totals
    assert estimated.with_coefficients(estimated.coefficients).data_totals == ()


@pytest.mark.parametrize("other", [None, "BG/NBD", 1.0])
def test_a_test_against_what_is_no_fit_is_refused(by_age, other):
    with pytest.raises(SettingsError, match="needs another fit, not a"):
        by_age.likelihood_ratio_test(other)


# --- weights --------------------------------------------------------------------------------------------------------


def test_weights_with_ids_go_by_their_ids(customers):
    weights = pd.Series(np.linspace(0.5, 1.5, 200), index=IDS)
    shuffled = weights.sample(frac=1, random_state=1)
    assert fit_nbd(customers, weights=shuffled).params == fit_nbd(customers, weights=weights).params


def test_weights_of_more_than_the_customers_are_as_good(customers):
    weights = pd.Series(np.linspace(0.5, 1.5, 201), index=[*IDS, "somebody else"])
    assert fit_nbd(customers, weights=weights).params == fit_nbd(customers, weights=weights.to_numpy()[:200]).params


def test_customers_without_a_weight_are_named(customers):
    some = pd.Series(1.0, index=IDS[7:])
    with pytest.raises(SettingsError, match=r"none for 7 of the 200 customers, among them 'c0', .*'c4'\.") as refused:
        fit_nbd(customers, weights=some)
    assert "'c5'" not in str(refused.value)
    assert "To fix: index the weights by customer_id" in str(refused.value)


def test_a_customer_with_two_weights_is_refused(customers):
    with pytest.raises(SettingsError, match="some customers have several"):
        fit_nbd(customers, weights=pd.Series(1.0, index=[*IDS, "c0"]))


@pytest.mark.parametrize(
    "weights",
    [
        np.ones(3), np.zeros(200), np.r_[np.nan, np.ones(199)], np.r_[np.inf, np.ones(199)], np.r_[-1, np.ones(199)],
        ["1"] * 200, pd.Series(["much"] * 200, index=IDS), np.ones((200, 2)), [[1.0], [1.0, 2.0]], 2.0, "age",
    ],
)  # fmt: skip
def test_weights_that_are_none_are_refused(customers, weights):
    with pytest.raises(SettingsError, match="weights: give one weight >= 0 for each of the 200 customers"):
        fit_nbd(customers, weights=weights)


def test_the_customers_of_wrong_weights_are_shown(customers):
    weights = pd.Series(1.0, index=IDS)
    weights.iloc[3:9] = -1.0
    with pytest.raises(SettingsError, match="6 are missing, negative or infinite") as refused:
        fit_nbd(customers, weights=weights)
    assert "c7" in str(refused.value) and "c8" not in str(refused.value)


# --- numbers that are none ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, 95, np.nan, np.inf, "0.95", None, True])
def test_a_level_outside_of_zero_and_one_is_refused(estimated, customers, level):
    for asked in (
        lambda: check_level(level),
        lambda: estimated.summary(level=level),
        lambda: estimated.profile_interval("r", customers, level=level),
    ):
        with pytest.raises(SettingsError, match=r"level is .*give a probability between 0 and 1"):
            asked()


@pytest.mark.parametrize("n", [0, -1, 2.5, 2.0, np.nan, "10", None, True])
def test_a_number_of_draws_that_is_none_is_refused(estimated, n):
    for asked in (lambda: check_draws(n), lambda: estimated.draws(n, seed=1)):
        with pytest.raises(SettingsError, match=r"the number of draws is .*give a whole number >= 1"):
            asked()


@pytest.mark.parametrize("penalty", ["1", -1, np.nan, np.inf, None, [1.0]])
def test_a_penalty_that_is_none_is_refused(customers, penalty):
    with pytest.raises(SettingsError, match=r"penalty is .*give a number >= 0"):
        fit_bgnbd(customers, purchase=["age"], penalty=penalty)


@pytest.mark.parametrize("most", [-1, 2.5, np.nan, "3", None])
@every_fit
def test_a_largest_number_of_purchases_that_is_none_is_refused(fit, customers, most):
    for asked in (
        lambda: fit.purchase_distribution(customers, horizon=10, most=most),
        lambda: fit.purchase_distribution_new_customer(10, most=most),
    ):
        with pytest.raises(SettingsError, match=r"most is .*give a whole number >= 0"):
            asked()


@pytest.mark.parametrize("horizon", [-1, np.nan, np.inf, [1.0, -1.0], ["1", "2"], "two weeks", None, [[1], [1, 2]]])
@every_fit
def test_a_horizon_of_a_new_customer_that_is_none_is_refused(fit, horizon):
    with pytest.raises(SettingsError, match="horizon is"):
        fit.expected_purchases_new_customer(horizon)


@every_fit
def test_nothing_is_bought_in_no_time(fit):
    assert fit.expected_purchases_new_customer(0) == 0
    np.testing.assert_array_equal(fit.expected_purchases_new_customer([0, 0]), [0, 0])


def test_several_horizons_go_with_one_customer_alone(by_age, customers):
    few = CustomerSummary(customers.frame[:3], "week")
    with pytest.raises(SettingsError, match="2 horizons with 3 customers"):
        by_age.expected_purchases_new_customer([1.0, 2.0], covariates=few)
    one = CustomerSummary(customers.frame[:1], "week")
    assert by_age.expected_purchases_new_customer([1.0, 2.0], covariates=one).shape == (2,)


# --- purchases made afterwards --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, -1, 0.5, np.inf])
@every_fit
def test_outcomes_that_are_no_counts_are_refused_with_their_rows(fit, customers, value):
    made = pd.Series(1.0, index=IDS)
    made.iloc[:7] = value
    with pytest.raises(DataError, match=r"purchases: not a count of purchases in 7 row\(s\)") as refused:
        fit.probability_of_outcome(customers, made, horizon=10)
    assert "c4" in str(refused.value) and "c5" not in str(refused.value)


def test_customers_without_an_outcome_are_refused(estimated, customers):
    with pytest.raises(DataError, match=r"there is no count for customers of the summary in 2 row\(s\)"):
        estimated.probability_of_outcome(customers, pd.Series(1, index=IDS[2:]), horizon=10)


def test_a_customer_with_two_outcomes_is_refused(estimated, customers):
    with pytest.raises(DataError, match="purchases: customer_id is not unique"):
        estimated.probability_of_outcome(customers, pd.Series(1, index=[*IDS, "c0"]), horizon=10)


@pytest.mark.parametrize("made", [np.ones(200), {"c0": 1}, None])
def test_outcomes_without_ids_are_refused(estimated, customers, made):
    with pytest.raises(SettingsError, match="purchases must be a Series indexed by customer_id"):
        estimated.probability_of_outcome(customers, made, horizon=10)


# --- a frame is no summary ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", [fit_bgnbd, fit_mbgnbd, fit_nbd, fit_pareto_nbd, fit_bgbb])
@pytest.mark.parametrize("customers", [base(), None, "customers.csv"], ids=["frame", "None", "path"])
def test_a_fit_needs_a_summary(fit, customers):
    with pytest.raises(SettingsError, match=r"summarize_customers\(log, as_of=...\)"):
        fit(customers)


@every_fit
@pytest.mark.parametrize(
    "ask",
    [
        lambda fit, frame: fit.params_of(frame),
        lambda fit, frame: fit.probability_alive(frame),
        lambda fit, frame: fit.expected_purchases(frame, horizon=10),
        lambda fit, frame: fit.purchase_distribution(frame, horizon=10),
        lambda fit, frame: fit.probability_of_outcome(frame, frame["frequency"], horizon=10),
        lambda fit, frame: fit.discounted_residual_purchases(frame, annual_discount_rate=0.1),
        lambda fit, frame: fit.discounted_residual_lifetime(frame, annual_discount_rate=0.1),
        lambda fit, frame: fit.simulate_future(frame, horizon=10, rng=np.random.default_rng(0)),
        lambda fit, frame: fit.distinct(frame),
        lambda fit, frame: fit.profile_interval(fit.names()[0], frame),
        lambda fit, frame: fit.expected_purchases_new_customer(10, covariates=frame),
        lambda fit, frame: fit.purchase_distribution_new_customer(10, covariates=frame),
    ],
)
def test_every_question_about_customers_needs_a_summary(fit, ask):
    with pytest.raises(SettingsError, match=r"CustomerSummary\(frame, time_unit=...\)"):
        ask(fit, base())


# --- parameters and saved fits --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("params", "words"),
    [
        ((1.0, 1.0, 1.0), "made of r, alpha, a, b, numbers in this order"),
        ((1.0,) * 5, "made of r, alpha, a, b"),
        (1.0, "made of r, alpha, a, b"),
        (None, "made of r, alpha, a, b"),
        (FITS[2].params, "made of r, alpha, a, b"),
        ((1.0, 0.0, 1.0, 1.0), "numbers above 0, but alpha = 0.0"),
        ((1.0, 1.0, -2.0, 1.0), "a = -2.0"),
        ((1.0, 1.0, 1.0, np.nan), "b = nan"),
        ((np.inf, 1.0, 1.0, 1.0), "r = inf"),
        (("1", 1.0, 1.0, 1.0), "r = '1'"),
        ((np.ones(3), 1.0, 1.0, 1.0), "r = array"),
    ],
)
def test_parameters_that_are_none_are_refused(params, words):
    with pytest.raises(SettingsError, match=words):
        BGNBDFit.from_params(params)


@pytest.mark.parametrize("time_unit", ["fortnight", "weeks", "", None, 7])
def test_an_unknown_time_unit_is_refused(time_unit):
    with pytest.raises(SettingsError, match="time_unit is"):
        BGNBDFit.from_params((1.0, 1.0, 1.0, 1.0), time_unit=time_unit)


def test_a_model_without_time_needs_no_time_unit():
    assert GammaGammaFit.from_params((6.25, 3.74, 15.44), time_unit="").time_unit == ""


@pytest.mark.parametrize("values", [[], [1.0], [1.0] * 5])
def test_coefficients_that_are_too_many_or_too_few_are_refused(estimated, values):
    with pytest.raises(SettingsError, match="this fit has 4 coefficients"):
        estimated.with_coefficients(values)


def spoilt(fit: Fit, **changes: object) -> str:
    content = json.loads(fit.to_json()) | changes
    return json.dumps({name: value for name, value in content.items() if value != "left out"})


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", "3", '"BG/NBD"', '[{"model": "BG/NBD"}]', '{"model": "BG/NBD"}', None, 3, b"\xff"],
)
def test_text_that_holds_no_fit_is_refused(text):
    with pytest.raises(SettingsError, match="to_json"):
        BGNBDFit.from_json(text)


@pytest.mark.parametrize(
    "changes",
    [
        {"params": "left out"}, {"covariance": "left out"}, {"time_unit": "left out"}, {"log_likelihood": "left out"},
        {"params": [1.0, 2.0]}, {"params": None}, {"params": [1.0, 1.0, 1.0, -1.0]}, {"time_unit": "fortnight"},
        {"covariance": [[1.0]]}, {"covariance": "?"}, {"log_likelihood": "high"}, {"number_of_customers": None},
        {"effects": [{}]}, {"effects": 3}, {"advice": 3}, {"data_totals": ["?"]}, {"colour": "red"},
    ],
)  # fmt: skip
def test_a_saved_fit_that_is_not_whole_is_refused(by_age, changes):
    with pytest.raises(SettingsError):
        BGNBDFit.from_json(spoilt(by_age, **changes))


def test_the_text_of_another_model_is_refused(estimated):
    with pytest.raises(SettingsError, match="this file holds a BG/NBD fit, not a MBG/NBD fit"):
        MBGNBDFit.from_json(estimated.to_json())


def test_a_fit_saved_before_it_knew_its_data_can_be_read(estimated):
    assert BGNBDFit.from_json(spoilt(estimated, data_totals="left out")).params == estimated.params


# --- new customers --------------------------------------------------------------------------------------------------


@every_fit
def test_the_distribution_of_a_new_customer_adds_up_to_one_and_to_the_expectation(fit):
    distribution = fit.purchase_distribution_new_customer("52 weeks", most=400)
    assert distribution.sum() == pytest.approx(1, abs=1e-6)
    mean = distribution.index.to_numpy() @ distribution.to_numpy()
    assert mean == pytest.approx(float(fit.expected_purchases_new_customer("52 weeks")), rel=1e-4)


@every_fit
def test_a_new_customer_surely_buys_nothing_in_no_time(fit):
    assert fit.purchase_distribution_new_customer(0, most=2).tolist() == pytest.approx([1, 0, 0])


def test_the_distribution_of_new_customers_follows_their_covariates(by_age, customers):
    few = CustomerSummary(customers.frame[:3], "week")
    table = by_age.purchase_distribution_new_customer(20, most=150, covariates=few)
    assert list(table.index) == IDS[:3]
    expected = by_age.expected_purchases_new_customer(20, covariates=few)
    np.testing.assert_allclose(table.to_numpy() @ table.columns.to_numpy(), expected, rtol=1e-4)


def test_a_distribution_is_one_horizon_at_a_time(estimated):
    with pytest.raises(SettingsError, match="give one length"):
        estimated.purchase_distribution_new_customer([10.0, 20.0])


def test_the_distribution_of_a_new_customer_needs_covariates_too(by_age):
    with pytest.raises(SettingsError, match="a new customer needs some"):
        by_age.purchase_distribution_new_customer(10)


@every_fit
def test_simulated_new_customers_buy_as_often_as_expected(fit):
    events = fit.simulate(np.full(20_000, 39.0), np.random.default_rng(1))
    counts = np.bincount(events["customer"], minlength=20_000)
    expected = float(fit.expected_purchases_new_customer(39.0))
    assert counts.mean() == pytest.approx(expected, abs=4 * counts.std() / np.sqrt(20_000))


@every_fit
def test_simulated_customers_of_a_summary_are_observed_as_long_as_it_says(fit, customers):
    events = fit.simulate(customers, np.random.default_rng(1))
    again = histories(events, customers.frame["T"])
    assert len(again) == 200
    assert (again["recency"] <= again["T"]).all()


def test_simulated_customers_follow_their_covariates(customers):
    frame = pd.concat([customers.frame] * 20, ignore_index=True).assign(web=np.arange(4_000) % 2)
    many = CustomerSummary(frame, "week")
    fit = fit_nbd(many, purchase=["web"]).with_coefficients([1.0, 10.0, 1.5])
    made = np.bincount(fit.simulate(many, np.random.default_rng(1))["customer"], minlength=4_000)
    assert made[1::2].mean() / made[::2].mean() == pytest.approx(np.exp(1.5), rel=0.15)


@pytest.mark.parametrize("T", [-1.0, 39.0, [1.0, -1.0], [np.nan], ["1"], base(), None])
def test_times_of_observation_that_are_none_are_refused(estimated, T):
    with pytest.raises(SettingsError, match=r"^T "):
        estimated.simulate(T, np.random.default_rng(1))


def test_simulated_customers_need_a_summary_in_the_unit_of_the_fit(estimated, customers):
    with pytest.raises(SettingsError, match="summarise with time_unit='week'"):
        estimated.simulate(CustomerSummary(customers.frame, "day"), np.random.default_rng(1))


def test_simulated_customers_need_covariates_where_the_fit_has_some(by_age):
    with pytest.raises(SettingsError, match="a new customer needs some"):
        by_age.simulate(np.ones(3), np.random.default_rng(1))


@pytest.mark.parametrize("rng", [None, 1, np.random])
def test_a_source_of_randomness_that_is_none_is_refused(estimated, customers, rng):
    for ask in (
        lambda: estimated.simulate(customers, rng),
        lambda: estimated.simulate_future(customers, horizon=1, rng=rng),
    ):
        with pytest.raises(SettingsError, match="rng is"):
            ask()


def test_parameters_made_of_the_models_own_type_are_taken_as_they_are():
    params = BGNBDParams(0.243, 4.414, 0.793, 2.426)
    assert BGNBDFit.from_params(params).params is params
