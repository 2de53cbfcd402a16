"""Covariates: how they are read, what they do to a fit, and what is refused."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.covariates import Design
from crm_analysis.models.gamma_gamma import fit_gamma_gamma

TRUTH = bgnbd.BGNBDParams(0.8, 6.0, 0.7, 2.0)


def company(size: int = 3_000, seed: int = 1) -> pd.DataFrame:
    """Customers of two channels and several ages; those of the web buy faster and spend more."""
    rng = np.random.default_rng(seed)
    web, age = rng.integers(0, 2, size), rng.integers(20, 61, size)
    params = TRUTH._replace(alpha=TRUTH.alpha * np.exp(-0.5 * web))
    T = np.full(size, 60.0)
    frame = bgnbd.histories(bgnbd.simulate(params, T, rng), T)
    spend = rng.gamma(6, 1 / rng.gamma(4, 1 / (15 * np.exp(0.3 * web))), size)
    frame["monetary_value"] = np.where(frame["frequency"] > 0, spend, np.nan)
    return frame.assign(channel=np.where(web, "web", "shop"), age=age)


@pytest.fixture(scope="module")
def customers() -> CustomerSummary:
    return CustomerSummary(company(), "week")


@pytest.fixture(scope="module")
def fit(customers) -> BGNBDFit:
    return fit_bgnbd(customers, purchase="~ channel + age", dropout=["age"])


# --- reading ----------------------------------------------------------------------------------------------------


def test_words_become_one_column_a_level_and_the_first_is_the_baseline():
    frame = pd.DataFrame({"channel": ["web", "shop", "app", "shop"]})
    design = Design.learn("~ channel", frame)
    assert design.names == ("channel[T.shop]", "channel[T.web]")
    np.testing.assert_array_equal(design.matrix(frame), [[0, 1], [1, 0], [0, 0], [1, 0]])


def test_a_later_frame_is_read_alike_though_it_lacks_levels():
    frame = pd.DataFrame({"channel": ["web", "shop", "app"]})
    design = Design.learn("~ channel", frame)
    np.testing.assert_array_equal(design.matrix(frame[:1]), [[0, 1]])


def test_columns_of_numbers_are_taken_as_they_are():
    frame = pd.DataFrame({"age": [20.0, 40], "orders online": [1, 0]})
    design = Design.learn(["age", "orders online"], frame)
    np.testing.assert_array_equal(design.matrix(frame), [[20, 1], [40, 0]])


def test_names_of_columns_with_words_equal_the_formula(customers):
    by_name = Design.learn(["channel", "age"], customers.frame)
    by_formula = Design.learn("~ channel + age", customers.frame)
    assert by_name.names == by_formula.names
    np.testing.assert_array_equal(by_name.matrix(customers.frame), by_formula.matrix(customers.frame))


def test_interactions_and_functions_of_a_column_are_read():
    frame = pd.DataFrame({"age": [20.0, 40, 60], "web": [0, 1, 1]})
    design = Design.learn("~ log(age) + age:web", frame)
    assert design.matrix(frame)[:, design.names.index("age:web")].tolist() == [0, 40, 60]


@pytest.mark.parametrize(
    ("covariates", "words"),
    [
        ("~ channel +", "cannot be read"),
        ("y ~ channel", "cannot be read"),
        ("~ channel - 1", "leaves out the intercept"),
        ("~ center(age)", "depends on all rows"),
        ("~ C(age)", "treats numbers as kinds"),
        ("~ lag(age)", "a function, which depends on all rows"),
        ("~ I(age - age.mean())", "a function, which depends on all rows"),
        ("~ age.rank()", "a function, which depends on all rows"),
        (["same"], "same: a covariate must differ"),
        ("~ 1", "there is none"),
        ("~ age | channel", "cannot be read"),
        ("~ I(age/)", "cannot be read"),
        ("~ (", "cannot be read"),
        ("~ log(channel)", "cannot be worked out"),
        ("~ age.nothing", "cannot be worked out"),
        ([], "there is no covariate"),
        ("", "there is no covariate"),
        (5, "covariates are 5"),
        (["age", "age"], "'age' twice"),
    ],
)
def test_a_formula_that_makes_no_sense_is_refused(customers, covariates, words):
    with pytest.raises(SettingsError, match=words):
        fit_bgnbd(CustomerSummary(customers.frame.assign(same=1.0), "week"), purchase=covariates)


@pytest.mark.parametrize("covariates", ["~ region", ["region"]])
def test_a_column_that_is_not_there_is_named(customers, covariates):
    with pytest.raises(DataError, match=r"customers, column 'region': there is no such column"):
        fit_bgnbd(customers, purchase=covariates)


@pytest.mark.parametrize(
    ("formula", "where"),
    [("~ log(z)", r"log\(z\)"), ("~ I(age / z)", r"I\(age / z\)"), ("~ age + np.sqrt(z)", r"np.sqrt\(z\)")],
)
def test_a_formula_without_a_value_is_refused_with_the_rows(customers, formula, where):
    z = np.where(np.arange(3_000) < 7, 0.0 if "sqrt" not in formula else -1.0, 1.0 + np.arange(3_000))
    with pytest.raises(DataError, match=rf"column '{where}': .* missing or infinite in 7 row\(s\)") as refused:
        fit_bgnbd(CustomerSummary(customers.frame.assign(z=z), "week"), purchase=formula)
    assert len(str(refused.value).splitlines()) == 1 + 1 + 1 + 5 + 1  # rule, names of columns and index, rows, fix


def test_a_formula_without_a_value_for_anybody_is_refused(customers):
    with pytest.raises(DataError, match=r"in 3,000 row\(s\)"):
        fit_bgnbd(customers, purchase="~ I(age / 0)")


def test_a_function_there_is_not_is_named(customers):
    with pytest.raises(DataError, match="column 'wrong': there is no such column"):
        fit_bgnbd(customers, purchase="~ wrong(age)")


@pytest.mark.parametrize("covariates", [["age"], ["channel"], "~ age"])
def test_an_empty_base_is_refused(customers, covariates):
    with pytest.raises(DataError, match="there are none to learn covariates from"):
        fit_bgnbd(CustomerSummary(customers.frame[:0], "week"), purchase=covariates)


@pytest.mark.parametrize("covariates", ["~ when", ["when"], "~ age + when"])
@pytest.mark.parametrize(
    "when",
    [
        pd.date_range("2024-01-01", periods=3_000, freq="h"),
        pd.Series(pd.date_range("2024-01-01", periods=3_000, freq="h").date, dtype=object).to_numpy(),
        pd.to_timedelta(np.arange(3_000), "D"),
        pd.period_range("2024-01", periods=3_000, freq="D"),
    ],
    ids=["moments", "days", "spans", "periods"],
)
def test_dates_are_refused(customers, covariates, when):
    with pytest.raises(DataError, match="column 'when': a date or time is no covariate"):
        fit_bgnbd(CustomerSummary(customers.frame.assign(when=when), "week"), purchase=covariates)


@pytest.mark.parametrize(("size", "kinds", "most"), [(3_000, 31, 30), (3_000, 3_000, 30), (200, 21, 20), (20, 6, 5)])
def test_text_of_too_many_kinds_is_refused(customers, size, kinds, most):
    frame = customers.frame[:size].assign(name=[f"n{place % kinds}" for place in range(size)])
    with pytest.raises(DataError, match=f"column 'name': {kinds:,} kinds of {size:,} customers; there may be {most}"):
        Design.learn(["name"], frame)


@pytest.mark.parametrize(("size", "kinds"), [(3_000, 30), (200, 20), (20, 5), (4, 3)])
def test_text_of_some_kinds_is_taken(customers, size, kinds):
    frame = customers.frame[:size].assign(name=[f"n{place % kinds}" for place in range(size)])
    assert len(Design.learn(["name"], frame).names) == kinds - 1


@pytest.mark.parametrize("covariates", [["age"], "~ age"])
def test_several_columns_of_one_name_are_refused(customers, covariates):
    twice = pd.concat([customers.frame, customers.frame[["age"]]], axis=1)
    with pytest.raises(DataError, match="column 'age': there are several columns of this name"):
        Design.learn(covariates, twice)


@pytest.mark.parametrize("covariates", [["age"], "~ age", "~ age + channel", ["age", "channel"]])
@pytest.mark.parametrize("text", ["40", "old"])
def test_numbers_that_later_come_as_text_are_refused(customers, covariates, text):
    design = Design.learn(covariates, customers.frame)
    with pytest.raises(DataError, match="column 'age': a column of numbers when the model was fitted, now of type"):
        design.matrix(customers.frame.assign(age=text))


@pytest.mark.parametrize("covariates", [["age"], "~ age"])
def test_gaps_in_columns_that_know_missing_values_are_refused(customers, covariates):
    ages = customers.frame["age"].astype("Int64").mask(np.arange(3_000) < 2)
    with pytest.raises(DataError, match=r"column 'age': a covariate is missing or infinite in 2 row\(s\)"):
        Design.learn(covariates, customers.frame.assign(age=ages))


@pytest.mark.parametrize("gap", [np.nan, np.inf])
def test_gaps_are_refused_with_their_rows(customers, gap):
    frame = customers.frame.assign(age=customers.frame["age"].astype(float))
    frame.loc[frame.index[:3], "age"] = gap
    with pytest.raises(DataError, match=r"column 'age': a covariate is missing or infinite in 3 row\(s\)"):
        fit_bgnbd(CustomerSummary(frame, "week"), purchase="~ age")


def test_a_kind_of_customer_never_seen_is_refused_with_its_rows(fit, customers):
    strange = CustomerSummary(customers.frame.assign(channel="phone"), "week")
    with pytest.raises(DataError, match=r"a value the model has not seen \(it knows shop, web\) in 3,000 row\(s\)"):
        fit.expected_purchases(strange, horizon=10)


# --- fitting ----------------------------------------------------------------------------------------------------


def test_coefficients_carry_their_names_through_covariance_and_summary(fit):
    names = ["r", "alpha", "a", "b", "purchase[channel[T.web]]", "purchase[age]", "dropout_a[age]", "dropout_b[age]"]
    assert list(fit.coefficients.index) == names
    assert list(fit.covariance.index) == list(fit.covariance.columns) == names
    assert list(fit.summary().index) == names


def test_those_of_the_web_are_found_to_buy_faster(fit):
    row = fit.summary().loc["purchase[channel[T.web]]"]
    assert row["lower"] < 0.5 < row["upper"]
    assert row["lower"] > 0


def test_another_origin_of_a_covariate_moves_the_parameters_and_no_prediction(fit, customers):
    moved = CustomerSummary(customers.frame.assign(age=customers.frame["age"] - 40), "week")
    other = fit_bgnbd(moved, purchase="~ channel + age", dropout=["age"])
    assert other.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-6)
    np.testing.assert_allclose(other.coefficients["purchase[age]"], fit.coefficients["purchase[age]"], rtol=1e-3)
    np.testing.assert_allclose(
        other.expected_purchases(moved, horizon=20), fit.expected_purchases(customers, horizon=20), rtol=1e-4
    )


def test_weights_equal_repeated_rows_with_covariates(customers):
    frame = customers.frame.iloc[:700]
    times = 1 + np.arange(700) % 3
    repeated = frame.loc[frame.index.repeat(times)].reset_index(drop=True).rename_axis("customer_id")
    weighted = fit_bgnbd(CustomerSummary(frame, "week"), weights=times, purchase="~ channel")
    exploded = fit_bgnbd(CustomerSummary(repeated, "week"), purchase="~ channel")
    np.testing.assert_allclose(weighted.coefficients, exploded.coefficients, rtol=1e-4)


def test_opposite_dropout_moves_the_mean_chance_to_leave_alone(customers):
    fit = fit_bgnbd(customers, dropout="~ channel", opposite_dropout=True)
    own = fit.params_of(customers)
    np.testing.assert_allclose(own.a * own.b, fit.params.a * fit.params.b)
    assert list(fit.coefficients.index)[4:] == ["dropout[channel[T.web]]"]


def test_a_covariate_with_an_effect_passes_the_likelihood_ratio_test(customers):
    without = fit_bgnbd(customers)
    test = fit_bgnbd(customers, purchase="~ channel").likelihood_ratio_test(without)
    assert test.degrees_of_freedom == 1
    assert test.p_value < 1e-6


def test_a_covariate_without_an_effect_passes_it_at_its_rate():
    rejected = 0
    for seed in range(12):
        summary = CustomerSummary(company(800, seed=50 + seed), "week")
        noise = fit_bgnbd(summary, purchase=["age"])
        rejected += noise.likelihood_ratio_test(fit_bgnbd(summary)).p_value < 0.05
    assert rejected <= 4  # of 12 at 5%; more has a chance below 1 in 500


def test_fits_that_are_not_nested_cannot_be_tested(customers, fit):
    with pytest.raises(SettingsError, match="Compare fits of different models by aic or bic"):
        fit_bgnbd(customers, purchase=["age"]).likelihood_ratio_test(fit)


def test_a_profile_interval_of_a_coefficient_is_close_to_that_of_the_delta_method(customers, fit):
    lower, upper = fit.profile_interval("purchase[age]", customers)
    row = fit.summary().loc["purchase[age]"]
    assert (lower, upper) == pytest.approx((row["lower"], row["upper"]), abs=0.2 * (row["upper"] - row["lower"]))


def test_a_profile_interval_of_a_parameter_stays_positive_and_covers_it(customers):
    fit = fit_bgnbd(customers)
    lower, upper = fit.profile_interval("a", customers)
    assert 0 < lower < fit.params.a < upper


def test_a_profile_interval_needs_the_customers_of_the_fit(customers, fit):
    some = CustomerSummary(customers.frame.iloc[:500], "week")
    with pytest.raises(SettingsError, match="need the customers and weights of the fit"):
        fit.profile_interval("r", some)
    with pytest.raises(SettingsError, match="there is no parameter 'gamma'"):
        fit.profile_interval("gamma", customers)


def test_a_penalty_that_is_no_number_is_refused(customers):
    with pytest.raises(SettingsError, match="penalty is -1"):
        fit_bgnbd(customers, purchase=["age"], penalty=-1)


# --- predicting -------------------------------------------------------------------------------------------------


def test_a_fit_with_covariates_survives_json_digit_for_digit(fit, customers):
    again = BGNBDFit.from_json(fit.to_json())
    pd.testing.assert_series_equal(again.coefficients, fit.coefficients)
    pd.testing.assert_frame_equal(again.covariance, fit.covariance)
    pd.testing.assert_series_equal(
        again.expected_purchases(customers, horizon=20), fit.expected_purchases(customers, horizon=20)
    )


def test_a_new_customer_needs_covariates(fit, customers):
    with pytest.raises(SettingsError, match="a new customer needs some"):
        fit.expected_purchases_new_customer(20.0)
    expected = fit.expected_purchases_new_customer(20.0, covariates=CustomerSummary(customers.frame[:5], "week"))
    assert expected.shape == (5,)


def test_draws_hold_coefficients_that_may_be_negative(fit):
    drawn = fit.draws(4_000, seed=1)
    np.testing.assert_allclose(drawn["purchase[age]"].mean(), fit.coefficients["purchase[age]"], atol=0.001)
    moved = fit.with_coefficients(drawn.iloc[0])
    assert moved.coefficients["purchase[age]"] == drawn["purchase[age]"].iloc[0]


def test_customers_of_one_history_but_another_kind_are_kept_apart(fit, customers):
    kinds, rows = fit.distinct(customers)
    one_timers = kinds.frame[kinds.frame["frequency"] == 0]
    assert len(one_timers.drop_duplicates(["channel", "age"])) == len(one_timers)
    np.testing.assert_allclose(
        fit.expected_purchases(kinds, horizon=20).to_numpy()[rows.inverse],
        fit.expected_purchases(customers, horizon=20),
    )


def test_outcomes_are_judged_by_the_parameters_of_each_customer(fit, customers):
    made = pd.Series(np.arange(3_000) % 3, index=customers.frame.index)
    judged = fit.probability_of_outcome(customers, made, horizon=20)
    table = fit.purchase_distribution(customers, horizon=20, most=3).to_numpy()
    np.testing.assert_allclose(judged["equal"], table[np.arange(3_000), made], rtol=1e-9)
    np.testing.assert_allclose(judged["below"], np.where(made > 0, table[:, 0], 0) + np.where(made > 1, table[:, 1], 0))


def test_covariates_of_spend_are_found_and_used(customers):
    fit = fit_gamma_gamma(customers, spend="~ channel")
    row = fit.summary().loc["spend[channel[T.web]]"]
    assert row["lower"] < 0.3 < row["upper"]
    expected = fit.expected_spend(customers)
    once = customers.frame["frequency"] == 0
    web = customers.frame["channel"] == "web"
    assert expected[once & web].mean() > 1.1 * expected[once & ~web].mean()
