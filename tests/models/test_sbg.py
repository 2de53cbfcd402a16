"""sBG against published figures, against simulation, and against what must always hold."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models import sbg
from crm_analysis.models.memberships import Contracts, contracts
from crm_analysis.models.sbg import SBGFit, SBGParams, fit_sbg

REGULAR = [631, 468, 382, 326, 289, 262, 241]  # Fader & Hardie (2007), of 1,000
HIGH_END = [869, 743, 653, 593, 551, 517, 491]
PUBLISHED = SBGParams(alpha=0.704, beta=1.182)
TWELVE_YEARS = Path(__file__).parents[3] / "shared" / "data" / "sbg_fader_hardie_2007.csv"


@pytest.fixture(scope="module")
def fit() -> SBGFit:
    return fit_sbg(REGULAR, cohort_size=1000)


def simulated(truth: SBGParams, n: int, seed: int, longest: int = 12) -> pd.DataFrame:
    """Contracts last seen after 1 to `longest` renewals."""
    rng = np.random.default_rng(seed)
    ends, seen = sbg.simulate(truth, n, rng), rng.integers(1, longest + 1, size=n)
    return pd.DataFrame({"periods": np.minimum(ends - 1, seen), "churned": ends <= seen})


# --- published figures ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cohort", ["R1", "R2"])
def test_estimates_match_published(cohort, published):
    figure = published[cohort]
    published.check(cohort, fit_sbg(figure["active"], cohort_size=figure["cohort_size"]).params)


def test_log_likelihood_matches_published(fit, published):
    published.check("R1-likelihood", fit.log_likelihood)


def test_retention_rates_match_published(fit, published):
    published.check("R4", fit.retention(published.column("R4", "at")))


def test_chances_to_leave_match_published(published):
    published.check("R6", sbg.probability_of_churn(SBGParams(1.0, 1.0), published.column("R6", "at")))


def test_discounted_residual_lifetime_matches_published(published):
    # In period n, right before its end, a customer has made n - 1 renewals.
    renewals = published.column("D10", "period") - 1
    cases = zip(published["D10"]["alpha"], published["D10"]["beta"], strict=True)
    published.check("D10", [sbg.discounted_residual_lifetime(SBGParams(*case), renewals, 0.1) for case in cases])


@pytest.mark.skipif(not TWELVE_YEARS.exists(), reason="the counts of twelve years are not at hand")
@pytest.mark.parametrize("cohort", ["regular", "high_end"])
def test_seven_renewals_foretell_the_next_five(cohort):
    actual = pd.read_csv(TWELVE_YEARS)[cohort].to_numpy(float)
    fit = fit_sbg(actual[1:8], cohort_size=actual[0])
    years = np.arange(8, len(actual))
    np.testing.assert_allclose(fit.survival(years), actual[8:] / actual[0], atol=0.02)


# --- what must always hold --------------------------------------------------------------------------------------

positive = st.floats(0.01, 100)


@given(alpha=positive, beta=positive)
def test_chances_to_leave_and_to_stay_add_up_to_one(alpha, beta):
    params = SBGParams(alpha, beta)
    left = sbg.probability_of_churn(params, np.arange(1.0, 201)).sum()
    assert left + sbg.survival(params, 200) == pytest.approx(1, abs=1e-9)


@given(alpha=positive, beta=positive, t=st.integers(1, 50))
def test_retention_is_the_ratio_of_neighbouring_survivals_and_rises(alpha, beta, t):
    params = SBGParams(alpha, beta)
    assert sbg.retention(params, t) == pytest.approx(float(sbg.survival(params, t) / sbg.survival(params, t - 1)))
    assert sbg.retention(params, t) <= sbg.retention(params, t + 1)


@given(alpha=positive, beta=positive, t=st.integers(0, 50), given_renewals=st.integers(0, 50))
def test_conditional_survival_is_a_ratio_of_survivals(alpha, beta, t, given_renewals):
    params = SBGParams(alpha, beta)
    ratio = sbg.survival(params, given_renewals + t) / sbg.survival(params, given_renewals)
    assert sbg.conditional_survival(params, t, given_renewals) == pytest.approx(float(ratio), rel=1e-8)


def test_expected_lifetime_is_the_mean_of_when_customers_leave():
    params, t = SBGParams(4.0, 10.0), np.arange(1.0, 20_000)
    assert sbg.expected_lifetime(params) == pytest.approx(t @ sbg.probability_of_churn(params, t), rel=1e-9)


def test_an_expected_lifetime_without_bound_is_called_infinite(fit):
    assert fit.params.alpha < 1
    assert fit.expected_lifetime() == np.inf
    assert fit.discounted_residual_lifetime(3, annual_discount_rate=0.0, periods_per_year=1) == np.inf


def test_undiscounted_renewals_add_up_the_chances_to_make_them():
    expected = sbg.conditional_survival(PUBLISHED, np.arange(1.0, 11), 4).sum()
    assert sbg.discounted_residual_lifetime(PUBLISHED, 4, 0.0, 10) == pytest.approx(float(expected), rel=1e-12)


def test_all_of_the_future_is_the_limit_of_long_horizons():
    forever, very_long = (sbg.discounted_residual_lifetime(PUBLISHED, np.arange(5), 0.01, h) for h in (None, 4_000))
    np.testing.assert_allclose(forever, very_long, rtol=1e-12)


def test_after_a_renewal_the_same_payments_are_one_period_further_away():
    before, after = (
        sbg.discounted_residual_lifetime(PUBLISHED, 2, 0.1, when=moment)
        for moment in ("before_renewal", "after_renewal")
    )
    assert after == pytest.approx(float(before) / 1.1)


def test_a_fit_converts_the_annual_rate_to_one_a_period(fit):
    result = fit.discounted_residual_lifetime(2, annual_discount_rate=0.1, periods_per_year=12, horizon=24)
    expected = sbg.discounted_residual_lifetime(fit.params, 2, 1.1 ** (1 / 12) - 1, 24)
    assert result == pytest.approx(float(expected), rel=1e-12)


# --- estimation -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("truth", [SBGParams(0.7, 1.2), SBGParams(0.3, 3.0), SBGParams(4.0, 12.0)])
def test_fit_recovers_simulated_parameters(truth):
    fit = fit_sbg(memberships=simulated(truth, 10_000, seed=3))
    miss = np.log(truth) - np.log(fit.params)
    of_logs = fit.covariance.to_numpy() / np.outer(fit.params, fit.params)
    assert miss @ np.linalg.solve(of_logs, miss) < stats.chi2.ppf(0.999, df=2)


def test_gradient_is_that_of_the_log_likelihood():
    periods, churned = np.array([0.0, 0, 3, 3, 400]), np.array([0.0, 1, 0, 1, 1])
    _, score = sbg.log_likelihood_and_score(PUBLISHED, periods, churned)
    for position, name in enumerate(PUBLISHED._fields):
        value = getattr(PUBLISHED, name)
        up, down = (
            sbg.log_likelihood(PUBLISHED._replace(**{name: moved}), periods, churned)
            for moved in (value + 1e-6, value - 1e-6)
        )
        np.testing.assert_allclose(score[:, position], (up - down) / 2e-6, rtol=1e-6, atol=1e-8)


def test_counts_and_single_contracts_give_one_fit(fit):
    left = -np.diff([1000, *REGULAR])
    single = pd.DataFrame({
        "periods": np.repeat([0, 1, 2, 3, 4, 5, 6, 7], [*left, REGULAR[-1]]),
        "churned": np.repeat([True] * 7 + [False], [*left, REGULAR[-1]]),
    })  # fmt: skip
    other = fit_sbg(memberships=single)
    np.testing.assert_allclose(other.params, fit.params, rtol=1e-8)
    np.testing.assert_allclose(other.covariance, fit.covariance, rtol=1e-6)
    assert other.number_of_customers == fit.number_of_customers == 1000


def test_weights_equal_repeated_rows():
    rows = simulated(PUBLISHED, 500, seed=4)
    times = 1 + np.arange(500) % 3
    weighted = fit_sbg(memberships=rows, weights=times)
    exploded = fit_sbg(memberships=rows.loc[rows.index.repeat(times)])
    np.testing.assert_allclose(weighted.params, exploded.params, rtol=1e-8)
    np.testing.assert_allclose(weighted.covariance, exploded.covariance, rtol=1e-6)


def test_cohorts_of_different_ages_are_fitted_together():
    older, younger = REGULAR, REGULAR[:3]
    columns = pd.DataFrame({"2019": pd.Series(older), "2023": pd.Series(younger)})
    together = fit_sbg(columns, cohort_size=[1000, 1000])
    assert together.params == fit_sbg([older, younger], cohort_size=[1000, 1000]).params
    log_likelihoods = [
        sbg.log_likelihood(together.params, *_columns(contracts(counts, cohort_size=1000)))
        @ contracts(counts, cohort_size=1000).counts
        for counts in (older, younger)
    ]
    assert together.log_likelihood == pytest.approx(sum(log_likelihoods), rel=1e-12)


def _columns(read: Contracts) -> tuple[np.ndarray, np.ndarray]:
    return read.frame["periods"].to_numpy(float), read.frame["churned"].to_numpy(float)


@pytest.fixture(scope="module")
def two_plans() -> pd.DataFrame:
    truth = SBGParams(1.0, 4.0)
    rows = [
        simulated(SBGParams(truth.alpha * np.exp(0.6 * yearly), truth.beta * np.exp(-0.6 * yearly)), 4_000, seed=yearly)
        for yearly in (0, 1)
    ]
    return pd.concat([frame.assign(yearly=yearly) for yearly, frame in enumerate(rows)], ignore_index=True)


def test_a_covariate_of_leaving_is_found(two_plans):
    fit = fit_sbg(memberships=two_plans, dropout="~ yearly", opposite_dropout=True)
    row = fit.summary(level=0.999).loc["dropout[yearly]"]
    assert 0 < row["lower"] < 0.6 < row["upper"]


def test_a_fit_with_covariates_answers_for_each_kind_as_a_fit_of_that_kind_alone(two_plans):
    both = fit_sbg(memberships=two_plans, dropout=["yearly"])
    alone = [fit_sbg(memberships=two_plans[two_plans["yearly"] == yearly]) for yearly in (0, 1)]
    kinds = pd.DataFrame({"yearly": [0, 1]})
    np.testing.assert_allclose(both.survival(5, covariates=kinds), [fit.survival(5) for fit in alone], rtol=1e-5)
    np.testing.assert_allclose(
        both.discounted_residual_lifetime(2, annual_discount_rate=0.1, periods_per_year=1, covariates=kinds),
        [fit.discounted_residual_lifetime(2, annual_discount_rate=0.1, periods_per_year=1) for fit in alone],
        rtol=1e-4,
    )


def test_a_fit_with_covariates_asks_for_them(two_plans):
    with pytest.raises(SettingsError, match="give `covariates`"):
        fit_sbg(memberships=two_plans, dropout=["yearly"]).retention(1)


def test_profile_interval_covers_what_the_parabola_does_and_leans_outwards(fit):
    lower, upper = fit.profile_interval("alpha", contracts(REGULAR, cohort_size=1000))
    parabola = fit.summary().loc["alpha"]
    assert lower == pytest.approx(parabola["lower"], rel=0.05)
    assert upper == pytest.approx(parabola["upper"], rel=0.05)
    assert upper > parabola["upper"]


def test_profile_interval_refuses_other_contracts(fit):
    with pytest.raises(SettingsError, match="profile intervals need"):
        fit.profile_interval("alpha", contracts(HIGH_END, cohort_size=1000))


def test_a_fit_survives_json_digit_for_digit(two_plans):
    fit = fit_sbg(memberships=two_plans, dropout=["yearly"])
    again = SBGFit.from_json(fit.to_json())
    assert (again.params, again.effects, again.log_likelihood) == (fit.params, fit.effects, fit.log_likelihood)
    np.testing.assert_array_equal(again.covariance, fit.covariance)


def test_one_renewal_cannot_tell_alpha_from_beta():
    with pytest.warns(EstimationWarning, match="flat|bound"):
        fit = fit_sbg([700], cohort_size=1000)
    assert fit.retention(1) == pytest.approx(0.7, abs=1e-4)


# --- contracts from dates ---------------------------------------------------------------------------------------


def dated(*rows: tuple[object, object], period: str = "1 month") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["started_on", "ended_on"])
    return frame.assign(customer_id=[f"C{place}" for place in range(len(frame))], renewal_period=period)


@pytest.mark.parametrize(
    ("started", "ended", "period", "periods", "churned"),
    [
        pytest.param("2024-01-15", None, "1 month", 5, False, id="running"),
        pytest.param("2024-01-30", None, "1 month", 5, False, id="renewed on the as-of date"),
        pytest.param("2024-01-15", "2024-04-14", "1 month", 2, True, id="ended with its third month"),
        pytest.param("2024-01-15", "2024-04-15", "1 month", 2, True, id="ended on the day of the third renewal"),
        pytest.param("2024-01-15", "2024-04-16", "1 month", 3, True, id="ended a day later"),
        pytest.param("2024-01-31", "2024-03-01", "1 month", 1, True, id="the 31st falls on the 29th of February"),
        pytest.param("2024-01-15", "2024-01-15", "1 month", 0, True, id="never used"),
        pytest.param("2024-01-15", "2024-09-01", "1 month", 5, False, id="an end not seen yet"),
        pytest.param("2020-02-29", None, "1 year", 4, False, id="years"),
        pytest.param("2022-05-01", None, "12 months", 2, False, id="a year in months"),
        pytest.param("2024-06-01", "2024-06-29", "2 weeks", 1, True, id="weeks"),
        pytest.param(date(2024, 6, 1), pd.NaT, "10 days", 2, False, id="dates rather than text"),
    ],
)
def test_renewals_are_counted_by_the_calendar(started, ended, period, periods, churned):
    other = ("2024-06-01", "2024-06-02")  # some contract must have ended
    read = contracts(memberships=dated((started, ended), other, period=period), as_of="2024-06-30").frame
    assert (read["periods"].iloc[0], read["churned"].iloc[0]) == (periods, churned)


def test_contracts_given_by_dates_keep_their_covariates():
    rows = dated(("2024-01-15", "2024-04-14"), ("2024-02-01", None)).assign(plan=["basic", "gold"])
    assert list(contracts(memberships=rows, as_of="2024-06-30").frame["plan"]) == ["basic", "gold"]


# --- bad input --------------------------------------------------------------------------------------------------


def test_broken_counts_are_refused_all_at_once():
    counts = pd.DataFrame({"2021": [90.0, 95, 80], "2022": [70.0, -1, np.nan], "2023": [130.0, np.nan, 60]})
    with pytest.raises(DataError) as refused:
        fit_sbg(counts, cohort_size=[100, 100, 120])
    message = str(refused.value)
    assert "active, column '2021': more active customers than before the renewal in 1 row(s)" in message
    assert "active, column '2022': not a number of customers in 1 row(s)" in message
    assert "active, column '2023': not a number of customers in 1 row(s)" in message
    assert "active, column '2023': more active customers than before the renewal in 1 row(s)" in message
    assert message.count("To fix") == 4


def test_broken_periods_are_refused_all_at_once():
    rows = pd.DataFrame({"customer_id": ["a", "b", "c"], "periods": [1.5, -1, 2], "churned": [True, "no", None]})
    with pytest.raises(DataError) as refused:
        fit_sbg(memberships=rows)
    message = str(refused.value)
    assert "memberships, column 'periods': not a whole number of renewals in 2 row(s)" in message
    assert "memberships, column 'churned': neither true nor false in 2 row(s)" in message


def test_broken_dates_are_refused_all_at_once():
    rows = dated(("2024-01-15", None), ("soon", None), ("2025-01-01", None), ("2024-03-01", "2024-02-01"), (None, "x"))
    rows["renewal_period"] = ["1 month", "1 month", "1 month", "1 year", "now and then"]
    with pytest.raises(DataError) as refused:
        fit_sbg(memberships=rows, as_of="2024-06-30")
    message = str(refused.value)
    for rule in (
        "column 'started_on': not a date in 2 row(s)",
        "column 'started_on': after the as-of date 2024-06-30 in 1 row(s)",
        "column 'ended_on': not a date in 1 row(s)",
        "column 'ended_on': before the contract started in 1 row(s)",
        "column 'renewal_period': not a length of time in 1 row(s)",
        "column 'renewal_period': another length than most contracts have in 1 row(s)",
    ):
        assert rule in message
    assert "C3" in message  # the customer whose dates are the wrong way round


def test_missing_columns_are_named():
    with pytest.raises(DataError, match="column 'ended_on': there is no such column"):
        fit_sbg(memberships=pd.DataFrame({"started_on": ["2024-01-01"]}), as_of="2024-06-30")


@pytest.mark.parametrize(
    "arguments",
    [
        {"active": [100, 100], "cohort_size": 100},
        {"memberships": pd.DataFrame({"periods": [3, 4], "churned": [False, False]})},
    ],
)
def test_contracts_of_which_none_has_ended_are_refused(arguments):
    with pytest.raises(DataError, match="no contract has ended"):
        fit_sbg(**arguments)


def test_no_contracts_at_all_are_refused():
    with pytest.raises(DataError, match="there are no rows"):
        fit_sbg(memberships=pd.DataFrame({"periods": [], "churned": []}))


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({}, "give either `active`"),
        ({"active": REGULAR}, "need the `cohort_size`"),
        ({"active": [REGULAR, HIGH_END], "cohort_size": 1000}, "2 cohort"),
        ({"active": REGULAR, "cohort_size": 1000, "weights": np.ones(7)}, "neither weights nor covariates"),
        ({"memberships": dated(("2024-01-15", None))}, "need `as_of`"),
        ({"memberships": dated(("2024-01-15", None)), "cohort_size": 5}, "not to `memberships`"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, told):
    with pytest.raises(SettingsError, match=told):
        fit_sbg(**arguments)


# --- simulation -------------------------------------------------------------------------------------------------


def test_simulated_contracts_follow_the_distribution():
    ends = sbg.simulate(PUBLISHED, 100_000, np.random.default_rng(5))
    t = np.arange(1.0, 13)
    observed = [*((ends == moment).sum() for moment in t), (ends > 12).sum()]
    expected = [*sbg.probability_of_churn(PUBLISHED, t), sbg.survival(PUBLISHED, 12)]
    assert stats.chisquare(observed, np.array(expected) * 100_000).pvalue > 0.001


def test_customers_who_never_leave_can_be_simulated():
    assert np.isinf(sbg.simulate(SBGParams(1e-4, 1.0), 1_000, np.random.default_rng(6))).any()


# --- what no renewal, rate or moment can be ----------------------------------------------------------------------


@pytest.mark.parametrize("wrong", [-1, np.nan, np.inf, "3", [1.0, -2.0]])
@pytest.mark.parametrize("quantity", ["survival", "retention"])
def test_renewals_that_cannot_be_are_refused(fit, quantity, wrong):
    for answer in (getattr(fit, quantity), lambda t: getattr(sbg, quantity)(PUBLISHED, t)):
        with pytest.raises(SettingsError, match="t is"):
            answer(wrong)


@pytest.mark.parametrize("function", [sbg.retention, sbg.probability_of_churn])
def test_there_is_no_renewal_before_the_first(function):
    with pytest.raises(SettingsError, match="the first renewal is 1"):
        function(PUBLISHED, 0)


def test_renewals_made_cannot_be_negative(fit):
    with pytest.raises(SettingsError, match="given is -2"):
        fit.conditional_survival(1, given=-2)
    with pytest.raises(SettingsError, match="renewals is -3"):
        fit.discounted_residual_lifetime(-3, annual_discount_rate=0.1, periods_per_year=1)


@pytest.mark.parametrize("horizon", [-1, 0, np.nan, "soon"])
def test_a_horizon_that_cannot_be_is_refused(fit, horizon):
    with pytest.raises(SettingsError, match="horizon is"):
        fit.discounted_residual_lifetime(1, annual_discount_rate=0.1, periods_per_year=1, horizon=horizon)


def test_the_function_refuses_a_negative_horizon_too():
    with pytest.raises(SettingsError, match="horizon is -1"):
        sbg.discounted_residual_lifetime(PUBLISHED, 1, 0.1, -1)


@pytest.mark.parametrize(("periods_per_year", "renewals"), [(1, 2), (12, 24), (4, 8)])
def test_a_horizon_may_be_text(fit, periods_per_year, renewals):
    text, number = (
        fit.discounted_residual_lifetime(1, annual_discount_rate=0.1, periods_per_year=periods_per_year, horizon=length)
        for length in ("2 years", renewals)
    )
    assert text == pytest.approx(float(number))


def test_an_unknown_moment_is_refused(fit):
    with pytest.raises(SettingsError, match="when is 'before'; use one of before_renewal, after_renewal"):
        fit.discounted_residual_lifetime(1, annual_discount_rate=0.1, periods_per_year=1, when="before")


@pytest.mark.parametrize("rate", [-0.1, np.nan, np.inf])
def test_a_rate_that_cannot_be_is_refused(fit, rate):
    with pytest.raises(SettingsError, match="rate is"):
        fit.discounted_residual_lifetime(1, annual_discount_rate=rate, periods_per_year=12)
    with pytest.raises(SettingsError, match="rate is"):
        sbg.discounted_residual_lifetime(PUBLISHED, 1, rate)


@pytest.mark.parametrize("periods_per_year", [0, -1, np.nan, "12"])
def test_periods_a_year_that_cannot_be_are_refused(fit, periods_per_year):
    with pytest.raises(SettingsError, match="periods_per_year is"):
        fit.discounted_residual_lifetime(1, annual_discount_rate=0.1, periods_per_year=periods_per_year)


def test_a_cohort_that_leaves_at_once_is_refused():
    with pytest.raises(DataError, match="no contract was ever renewed"):
        fit_sbg([0], cohort_size=1000)


def test_contracts_that_ended_must_have_some_weight():
    rows = simulated(PUBLISHED, 200, seed=5)
    with pytest.raises(DataError, match="no contract has ended"):
        fit_sbg(memberships=rows, weights=1.0 - rows["churned"])


@pytest.mark.parametrize("active", [5, "631, 468", None])
def test_counts_that_are_no_list_are_refused(active):
    with pytest.raises(SettingsError, match="active"):
        fit_sbg(active, cohort_size=1000)


def test_a_cohort_size_that_is_no_number_is_refused():
    with pytest.raises(SettingsError, match="cohort_size is 'many'"):
        fit_sbg(REGULAR, cohort_size="many")


@pytest.mark.parametrize("data", [REGULAR, pd.DataFrame({"periods": [1], "churned": [True]}), None])
def test_a_profile_interval_needs_contracts(fit, data):
    with pytest.raises(SettingsError, match="fitted to Contracts"):
        fit.profile_interval("alpha", data)


def test_covariates_that_are_no_frame_are_refused(fit):
    with pytest.raises(SettingsError, match="covariates must be a DataFrame"):
        fit.survival(1, covariates=[0, 1])


def test_a_simulation_needs_a_count_and_a_source_of_randomness():
    with pytest.raises(SettingsError, match="n is -1"):
        sbg.simulate(PUBLISHED, -1, np.random.default_rng(1))
    with pytest.raises(SettingsError, match="rng is 1"):
        sbg.simulate(PUBLISHED, 10, 1)


# --- weights and covariates that change nothing ------------------------------------------------------------------


def test_a_weight_of_zero_equals_a_row_left_out():
    rows = simulated(PUBLISHED, 500, seed=6)
    unweighted = fit_sbg(memberships=rows, weights=np.where(np.arange(500) < 100, 0.0, 1.0))
    np.testing.assert_allclose(unweighted.params, fit_sbg(memberships=rows.iloc[100:]).params, rtol=1e-8)


def test_covariates_of_zero_change_nothing(two_plans):
    fit = fit_sbg(memberships=two_plans, dropout=["yearly"])
    plain = SBGFit.from_params(fit.params, time_unit="")
    nothing = pd.DataFrame({"yearly": [0.0, 0.0]})
    np.testing.assert_allclose(fit.survival(5, covariates=nothing), plain.survival(5), rtol=1e-14)
