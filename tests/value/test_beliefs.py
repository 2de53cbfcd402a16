"""What a model believes of whom: published numbers, and equal to what the cdnow_fits say."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.nbd import NBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.value import beliefs

ORIGIN, AS_OF = "1997-09-30", "1998-06-30"


# --- matrices ---------------------------------------------------------------------------------------------------


def test_matrices_match_an_independent_implementation(published):
    fit = ParetoNBDFit.from_params((0.78644, 5.67905, 0.38624, 5.71776))
    expected = beliefs.expected_purchases_matrix(fit, T=52, horizon="52 weeks")
    published.check("G7-expected", expected.loc[1:5, 12])
    published.check("G7-alive", beliefs.probability_alive_matrix(fit, T="52 weeks").loc[1:5, 12])


def test_matrices_of_opportunities_match_published(published):
    fit = BGBBFit.from_params((1.203522, 0.749716, 0.656718, 2.783442), time_unit="month")
    matrix = beliefs.probability_alive_matrix(fit, T=6, most=6)
    cells = zip(published["B3"]["frequency"], published["B3"]["recency"], strict=True)
    published.check("B3", [matrix.loc[cell] for cell in cells])


def test_a_cell_is_what_the_fit_says_of_such_a_customer(every_fit):
    matrix = beliefs.expected_purchases_matrix(every_fit, T=39, horizon=26)
    customer = CustomerSummary(pd.DataFrame({"frequency": [5], "recency": [30], "T": [39]}), "week")
    assert matrix.loc[5, 30] == pytest.approx(every_fit.expected_purchases(customer, horizon=26).iloc[0])


def test_a_matrix_leaves_out_who_cannot_be(every_fit):
    matrix = beliefs.probability_alive_matrix(every_fit, T=3, most=8)
    missing = {(x, t_x) for x in matrix.index for t_x in matrix.columns if np.isnan(matrix.loc[x, t_x])}
    assert missing == {(0, 1), (0, 2), (0, 3), *((x, 0) for x in range(1, 9)), (8, 1)}


def test_a_matrix_of_a_fit_with_covariates_is_that_of_the_customer_meant(two_kinds):
    keen = two_kinds.of_kind(1.0)
    one = replace(keen, frame=keen.frame.head(1))
    matrix = beliefs.expected_purchases_matrix(two_kinds.fit, T=39, horizon=26, like=one)
    without = beliefs.expected_purchases_matrix(two_kinds.fit_of_kind(1.0), T=39, horizon=26)
    np.testing.assert_allclose(matrix, without)


def test_a_fit_with_covariates_asks_whose_are_meant(two_kinds):
    for like in (None, two_kinds.customers):
        with pytest.raises(SettingsError, match="one customer whose covariates"):
            beliefs.probability_alive_matrix(two_kinds.fit, T=39, like=like)
        with pytest.raises(SettingsError, match="one customer whose covariates"):
            beliefs.new_customer_purchases(two_kinds.fit, horizon=39, like=like)


# --- residual value ---------------------------------------------------------------------------------------------


def test_residual_purchases_match_published(published):
    fit = ParetoNBDFit.from_params((0.5629966, 12.5590370, 0.4081095, 10.5148048))
    annual = np.expm1(0.0027 * 365.25 / 7)
    table = beliefs.residual_by_frequency(fit, T=77.86, recencies=[30, 70], annual_discount_rate=annual, most=10)
    published.check("D2", table[30.0])


@pytest.mark.parametrize("name", ["BG/NBD", "MBG/NBD", "BG/CNBD-k", "Pareto/NBD"])
def test_more_purchases_mean_a_lower_value_of_those_long_silent(name, cdnow_fits):
    table = beliefs.residual_by_frequency(cdnow_fits[name], T=78, recencies=[30, 78], annual_discount_rate=0.1)
    silent, buying = table[30.0], table[78.0]
    assert silent.iloc[-1] < silent.max() / 100
    assert silent.idxmax() < 6
    assert buying.is_monotonic_increasing


@pytest.mark.parametrize("recency", [0, 79])
def test_a_recency_nobody_can_have_is_refused(recency, cdnow_fits):
    with pytest.raises(SettingsError, match="up to T, which is 78"):
        beliefs.residual_by_frequency(cdnow_fits["BG/NBD"], T=78, recencies=[recency], annual_discount_rate=0.1)


# --- one customer -----------------------------------------------------------------------------------------------

REGULAR = "00111"


def test_the_last_day_of_a_history_is_what_the_fit_says_then(every_fit, sample_log):
    history = beliefs.alive_history(every_fit, sample_log, REGULAR, as_of="1998-02-15")
    customers = summarize_customers(sample_log, as_of="1998-02-15")
    assert history["probability_alive"].iloc[-1] == pytest.approx(every_fit.probability_alive(customers)[REGULAR])


def test_a_day_of_a_history_knows_nothing_of_later_days(sample_log, cdnow_fits):
    short, long = (
        beliefs.alive_history(cdnow_fits["Pareto/NBD"], sample_log, REGULAR, as_of=day) for day in ("1997-12-31", AS_OF)
    )
    pd.testing.assert_frame_equal(short, long.loc[:"1997-12-31"])


def test_a_history_marks_the_purchase_days(sample_fit, sample_log):
    history = beliefs.alive_history(sample_fit, sample_log, REGULAR, as_of=AS_OF)
    frequency = summarize_customers(sample_log, as_of=AS_OF).frame.loc[REGULAR, "frequency"]
    assert history["purchase"].iloc[0]
    assert history["purchase"].sum() == frequency + 1


def test_a_history_is_bracketed_by_the_doubt_about_the_parameters(sample_fit, sample_log):
    history = beliefs.alive_history(sample_fit, sample_log, REGULAR, as_of=AS_OF)
    late = history.loc["1997-06-01":]
    assert (late["lower"] < late["probability_alive"]).all()
    assert (late["probability_alive"] < late["upper"]).all()


def test_published_parameters_have_no_doubt_to_show(sample_log, cdnow_fits):
    history = beliefs.alive_history(cdnow_fits["BG/NBD"], sample_log, REGULAR, as_of=AS_OF)
    assert history[["lower", "upper"]].isna().all(axis=None)


def test_a_history_uses_the_covariates_of_its_customer(two_kinds, sample_log):
    customers, fit = two_kinds.customers, two_kinds.fit
    history = beliefs.alive_history(fit, sample_log, REGULAR, as_of=ORIGIN, customers=customers, draws=0)
    assert history["probability_alive"].iloc[-1] == pytest.approx(fit.probability_alive(customers)[REGULAR])


def test_an_unknown_customer_has_no_history(sample_fit, sample_log):
    with pytest.raises(DataError, match="has not bought by 1998-06-30"):
        beliefs.alive_history(sample_fit, sample_log, "nobody", as_of=AS_OF)


# --- all customers ----------------------------------------------------------------------------------------------


def test_purchases_of_a_new_customer_match_published(published, cdnow_fits):
    curve = beliefs.new_customer_purchases(cdnow_fits["BG/NBD"], horizon="52 weeks")["expected"]
    published.check("C11", curve[published["C11"]["at"]])


def test_exponential_rates_are_shared_out_exactly():
    shares = beliefs.rate_heterogeneity(NBDFit.from_params((1.0, 8.0)))
    np.testing.assert_allclose(shares["share"], np.exp(-8 * shares.index.left) - np.exp(-8 * shares.index.right))
    assert shares["share"].sum() == pytest.approx(0.99, abs=0.005)
    assert shares.attrs["mean"] == 1 / 8


def test_uniform_dropout_is_shared_out_evenly():
    shares = beliefs.dropout_heterogeneity(BGNBDFit.from_params((1.0, 8.0, 1.0, 1.0)))
    np.testing.assert_allclose(shares["share"], 1 / 25)
    assert shares.attrs["mean"] == 0.5


@pytest.mark.parametrize(
    ("name", "quantity", "mean"),
    [
        ("BG/NBD", "dropout_at_purchase", 0.793 / (0.793 + 2.426)),
        ("MBG/NBD", "dropout_at_purchase", 0.891 / (0.891 + 1.614)),
        ("Pareto/NBD", "dropout_rate", 0.6061 / 11.6562),
    ],
)
def test_dropout_is_that_of_the_model(name, quantity, mean, cdnow_fits):
    shares = beliefs.dropout_heterogeneity(cdnow_fits[name])
    assert shares.attrs["quantity"] == shares.index.name == quantity
    assert shares.attrs["mean"] == pytest.approx(mean)


def test_buying_and_leaving_at_opportunities_are_chances():
    fit = BGBBFit.from_params((1.0, 1.0, 1.0, 3.0), time_unit="month")
    buying, leaving = beliefs.rate_heterogeneity(fit), beliefs.dropout_heterogeneity(fit)
    np.testing.assert_allclose(buying["share"], 1 / 25)
    assert leaving.attrs["mean"] == 0.25
    assert leaving.attrs["quantity"] == "dropout_at_opportunity"


def test_where_nobody_leaves_there_is_no_dropout(cdnow_fits):
    with pytest.raises(SettingsError, match="nobody leaves in the NBD"):
        beliefs.dropout_heterogeneity(cdnow_fits["NBD"])


def test_the_rate_of_a_regular_buyer_is_that_of_purchases_not_of_stages(cdnow_fits):
    mean = beliefs.rate_heterogeneity(cdnow_fits["BG/CNBD-k"]).attrs["mean"]
    assert mean == pytest.approx(0.25 / 2.2 / 2)


def test_rates_of_a_mixed_base_are_those_of_its_kinds(two_kinds):
    shares = beliefs.rate_heterogeneity(two_kinds.fit, two_kinds.customers, draws=0)
    ends = shares.index.right[[0, 9, 24]]
    weights, below = [], []
    for keen in (0.0, 1.0):
        r, alpha, _a, _b = two_kinds.fit_of_kind(keen).params
        sample = np.random.default_rng(5).gamma(r, size=200_000) / alpha
        weights.append(len(two_kinds.of_kind(keen)) / len(two_kinds.customers))
        below.append([(sample < end).mean() for end in ends])
    np.testing.assert_allclose(shares["share"].cumsum().iloc[[0, 9, 24]], weights @ np.array(below), atol=0.004)


def test_a_mixed_base_is_asked_for_its_mix(two_kinds):
    with pytest.raises(SettingsError, match="whose mix of them"):
        beliefs.rate_heterogeneity(two_kinds.fit)


def test_every_frame_tells_its_model_and_its_unit(every_fit, sample_log):
    frames = [
        beliefs.expected_purchases_matrix(every_fit, T=10, horizon=10),
        beliefs.probability_alive_matrix(every_fit, T=10),
        beliefs.residual_by_frequency(every_fit, T=10, recencies=[5], annual_discount_rate=0.1),
        beliefs.alive_history(every_fit, sample_log, REGULAR, as_of="1997-02-01"),
        beliefs.new_customer_purchases(every_fit, horizon=10),
        beliefs.rate_heterogeneity(every_fit),
    ]
    assert {(frame.attrs["model"], frame.attrs["time_unit"]) for frame in frames} == {(every_fit.model_name, "week")}
