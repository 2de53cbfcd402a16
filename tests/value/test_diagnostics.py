"""The frames behind the figures: published numbers, equal to what the fits say, and true of simulated shops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import split_calibration_holdout, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgbb import BGBBFit
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.cnbd import CNBDFit, CNBDParams
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.nbd import NBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.value import diagnostics
from crm_analysis.value.backtest import backtest

ORIGIN, AS_OF = "1997-09-30", "1998-06-30"
FITS = {
    "BG/NBD": BGNBDFit.from_params((0.243, 4.414, 0.793, 2.426)),
    "MBG/NBD": MBGNBDFit.from_params((0.525, 6.183, 0.891, 1.614)),
    "BG/CNBD-k": CNBDFit.from_params(CNBDParams(2, 0.25, 2.2, 0.75, 2.2)),
    "Pareto/NBD": ParetoNBDFit.from_params((0.5534, 10.5802, 0.6061, 11.6562)),
    "NBD": NBDFit.from_params((0.385, 12.072)),
}
every_model = pytest.mark.parametrize("fit", FITS.values(), ids=FITS.keys())


@pytest.fixture(scope="module")
def log():
    return read_transactions(load_cdnow_sample(), as_of=AS_OF)


@pytest.fixture(scope="module")
def split(log):
    return split_calibration_holdout(log, calibration_end=ORIGIN, as_of=AS_OF)


@pytest.fixture(scope="module")
def fit(split):
    return fit_bgnbd(split.calibration)


@pytest.fixture(scope="module")
def proof(log):
    return backtest(log, origins=[ORIGIN], horizon="39 weeks", draws=50)


@pytest.fixture(scope="module")
def by_kind(split):
    """Two kinds of customers, one of which buys more often, and a fit that knows it."""
    frame = split.calibration.frame
    keen = (np.arange(len(frame)) % 2).astype(float)
    customers = replace(split.calibration, frame=frame.assign(keen=keen))
    return customers, fit_bgnbd(customers, purchase=["keen"])


def of_kind(customers: CustomerSummary, keen: float) -> CustomerSummary:
    return replace(customers, frame=customers.frame[customers.frame["keen"] == keen])


def plain(fit, customers: CustomerSummary) -> BGNBDFit:
    """A fit without covariates that has the parameters of customers who are all alike."""
    own = fit.params_of(customers)
    return BGNBDFit.from_params(tuple(float(np.ravel(value)[0]) for value in own))


# --- tracking ---------------------------------------------------------------------------------------------------


def test_weekly_tracking_is_that_of_the_backtest_with_a_name(proof):
    tracking = diagnostics.weekly_tracking(proof)
    pd.testing.assert_frame_equal(tracking, proof.tracking)
    assert tracking.attrs == {"model": "BG/NBD"}


def test_naming_a_frame_leaves_the_backtest_alone(proof):
    diagnostics.weekly_tracking(proof)
    assert proof.tracking.attrs == {}


def test_cumulative_tracking_ends_at_all_repeat_purchases(proof, log):
    total = summarize_customers(log, as_of=AS_OF).frame["frequency"].sum()
    assert diagnostics.cumulative_tracking(proof)["actual"].iloc[-1] == total


def test_the_forecast_starts_from_what_had_happened_by_the_origin(proof, split):
    last = diagnostics.cumulative_tracking(proof).iloc[-1]
    assert last["expected"] == pytest.approx(split.calibration.frame["frequency"].sum() + proof.expected)


def test_the_interval_of_the_total_stands_at_the_end_of_the_held_out_weeks(proof, split):
    limits = diagnostics.cumulative_tracking(proof)[["lower", "upper"]]
    known = split.calibration.frame["frequency"].sum()
    assert limits.iloc[-1].tolist() == [known + proof.interval.lower, known + proof.interval.upper]
    assert limits.iloc[:-1].isna().all(axis=None)


def test_an_interval_of_another_end_is_not_shown(proof):
    longer = replace(proof, horizon=proof.horizon + 0.5)
    assert diagnostics.cumulative_tracking(longer)[["lower", "upper"]].isna().all(axis=None)


# --- frequency --------------------------------------------------------------------------------------------------


def test_counts_by_frequency_match_published(cdnow_summary, published):
    table = diagnostics.frequency_distribution(fit_bgnbd(cdnow_summary), cdnow_summary)
    published.check("frequency-actual", table["actual"])
    published.check("C18", table["expected"][:7])


@every_model
def test_expected_counts_add_up_to_the_customers(fit, cdnow_summary):
    table = diagnostics.frequency_distribution(fit, cdnow_summary, most=5)
    assert list(table.index) == ["0", "1", "2", "3", "4", "5+"]
    assert table["expected"].sum() == pytest.approx(len(cdnow_summary))


def test_counts_of_simulated_shops_lie_within_the_limits_as_often_as_said():
    fit, rng = FITS["BG/NBD"], np.random.default_rng(1)
    T = rng.uniform(26, 52, size=500)
    inside = []
    for _shop in range(50):
        histories = bgnbd.histories(bgnbd.simulate(fit.params, T, rng), T)
        table = diagnostics.frequency_distribution(fit, CustomerSummary(histories, "week"))
        inside.append((table["actual"] >= table["lower"]) & (table["actual"] <= table["upper"]))
    assert np.mean(inside) == pytest.approx(0.965, abs=0.02)  # counts are whole numbers: a little above 95%


def test_expected_counts_of_a_mixed_base_are_those_of_its_kinds(by_kind):
    customers, fit = by_kind
    kinds = [of_kind(customers, keen) for keen in (0.0, 1.0)]
    parts = [diagnostics.frequency_distribution(plain(fit, kind), kind)["expected"] for kind in kinds]
    whole = diagnostics.frequency_distribution(fit, customers)["expected"]
    np.testing.assert_allclose(whole, parts[0] + parts[1])


# --- held-out purchases -----------------------------------------------------------------------------------------


def test_held_out_purchases_by_frequency_match_published(split, published):
    fit = ParetoNBDFit.from_params(tuple(published["holdout-by-frequency-expected"]["params"]))
    table = diagnostics.holdout_by_frequency(fit, split)
    published.check("holdout-by-frequency-actual", table["actual"])
    published.check("holdout-by-frequency-expected", table["expected"])


def test_the_backtest_gives_the_same_means_and_limits_by_frequency(fit, split, proof):
    columns = ["customers", "actual", "lower", "upper", "expected"]
    ours = diagnostics.holdout_by_frequency(fit, split)
    assert list(ours.index) == list(proof.by_frequency.index)
    np.testing.assert_allclose(ours[columns], proof.by_frequency[columns])


@every_model
@pytest.mark.parametrize("frame", [diagnostics.holdout_by_frequency, diagnostics.holdout_by_recency])
def test_classes_share_out_all_customers_and_all_purchases(frame, fit, split):
    table = frame(fit, split)
    assert table["customers"].sum() == len(split.calibration)
    assert table["customers"] @ table["actual"] == pytest.approx(split.holdout["purchases"].sum())
    expected = fit.expected_purchases(split.calibration, horizon=split.holdout_length).sum()
    assert table["customers"] @ table["expected"] == pytest.approx(expected)


def test_a_class_of_recency_holds_its_right_end(fit, split):
    recency = split.calibration.frame["recency"]
    table = diagnostics.holdout_by_recency(fit, split, width=10)
    assert list(table.index) == ["0", "0–10", "10–20", "20–30", "30–40"]
    assert table.loc["10–20", "customers"] == ((recency > 10) & (recency <= 20)).sum()
    assert table.loc["0", "customers"] == (recency == 0).sum()


# --- spend ------------------------------------------------------------------------------------------------------


def test_classes_of_spend_hold_even_shares_of_the_customers(split):
    customers = split.calibration
    table = diagnostics.spend_distribution(fit_gamma_gamma(customers), customers)
    assert table["observed"].sum() == pytest.approx(1)
    assert table["expected"].sum() == pytest.approx(1)
    assert table["observed"].max() < 0.2


# --- timing -----------------------------------------------------------------------------------------------------


def small_log() -> pd.DataFrame:
    days = {"a": ["2024-01-01", "2024-01-08", "2024-01-08", "2024-01-10"], "b": ["2024-01-02"], "c": ["2024-01-03"]}
    days["c"].append("2024-01-24")
    rows = [(customer, day, 10.0) for customer, bought in days.items() for day in bought]
    return pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"])


def test_gaps_are_counted_between_days_of_purchase():
    customers = summarize_customers(small_log(), as_of="2024-02-01")
    gaps = diagnostics.purchase_gaps(small_log(), customers, classes=4)
    # Gaps of 7, 2 and 21 days; a week is the narrowest class, and 7 days belong to the second.
    np.testing.assert_allclose(gaps["observed"], [1 / 3, 1 / 3, 0, 1 / 3])
    assert gaps["expected"].isna().all()


def test_gaps_after_the_as_of_date_are_not_seen():
    customers = summarize_customers(small_log(), as_of="2024-01-12")
    assert diagnostics.purchase_gaps(small_log(), customers, classes=2)["observed"].tolist() == [0.5, 0.5]


def test_a_log_without_a_second_purchase_has_no_gaps():
    customers = summarize_customers(small_log(), as_of="2024-01-05")
    with pytest.raises(DataError, match="nobody has bought twice"):
        diagnostics.purchase_gaps(small_log(), customers)


def test_gaps_of_a_simulated_shop_are_those_its_model_expects():
    fit, rng = BGNBDFit.from_params((0.8, 6.0, 0.8, 2.4)), np.random.default_rng(3)
    first = rng.integers(0, 90, size=2_000)
    events = bgnbd.simulate(fit.params, (365 - first) / 7, rng)
    owner = np.concatenate([np.arange(len(first)), events["customer"]])
    day = np.concatenate([first, first[events["customer"]] + np.ceil(events["time"] * 7).astype(int)])
    log = pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in owner],
            "order_date": pd.Timestamp(2023, 1, 1) + pd.to_timedelta(day, unit="D"),
            "amount": 1.0,
        }
    )
    customers = summarize_customers(log, as_of="2024-01-01")
    gaps = diagnostics.purchase_gaps(log, customers, fit=fit)
    inside = (gaps["observed"] >= gaps["lower"]) & (gaps["observed"] <= gaps["upper"])
    assert inside.mean() >= 0.8


def test_regular_buyers_have_few_short_gaps(log, split):
    gaps = {
        name: diagnostics.purchase_gaps(log, split.calibration, fit=FITS[name], draws=3)["expected"].iloc[0]
        for name in ("BG/NBD", "BG/CNBD-k")
    }
    assert gaps["BG/CNBD-k"] < gaps["BG/NBD"]


def test_timing_patterns_show_every_purchase_of_the_sample(log):
    patterns = diagnostics.timing_patterns(log, as_of=AS_OF, customers=20)
    frequency = summarize_customers(log, as_of=AS_OF).frame["frequency"]
    counts = patterns.groupby("customer_id").size()
    assert len(counts) == 20
    pd.testing.assert_series_equal(counts, frequency[counts.index] + 1, check_names=False)


def test_customers_stand_in_order_of_their_first_purchase_from_the_top(log):
    first = diagnostics.timing_patterns(log, as_of=AS_OF).groupby("row")["order_date"].min()
    assert first.is_monotonic_decreasing
    assert list(first.index) == list(range(40))


def test_one_time_buyers_are_in_the_sample_only_when_asked_for():
    assert set(diagnostics.timing_patterns(small_log(), as_of="2024-02-01")["customer_id"]) == {"a", "c"}
    everyone = diagnostics.timing_patterns(small_log(), as_of="2024-02-01", repeat_buyers_only=False)
    assert set(everyone["customer_id"]) == {"a", "b", "c"}


# --- matrices ---------------------------------------------------------------------------------------------------


def test_matrices_match_an_independent_implementation(published):
    fit = ParetoNBDFit.from_params((0.78644, 5.67905, 0.38624, 5.71776))
    expected = diagnostics.expected_purchases_matrix(fit, T=52, horizon="52 weeks")
    published.check("G7-expected", expected.loc[1:5, 12])
    published.check("G7-alive", diagnostics.probability_alive_matrix(fit, T="52 weeks").loc[1:5, 12])


def test_matrices_of_opportunities_match_published(published):
    fit = BGBBFit.from_params((1.203522, 0.749716, 0.656718, 2.783442), time_unit="month")
    matrix = diagnostics.probability_alive_matrix(fit, T=6, most=6)
    cells = zip(published["B3"]["frequency"], published["B3"]["recency"], strict=True)
    published.check("B3", [matrix.loc[cell] for cell in cells])


@every_model
def test_a_cell_is_what_the_fit_says_of_such_a_customer(fit):
    matrix = diagnostics.expected_purchases_matrix(fit, T=39, horizon=26)
    customer = CustomerSummary(pd.DataFrame({"frequency": [5], "recency": [30], "T": [39]}), "week")
    assert matrix.loc[5, 30] == pytest.approx(fit.expected_purchases(customer, horizon=26).iloc[0])


@every_model
def test_a_matrix_leaves_out_who_cannot_be(fit):
    matrix = diagnostics.probability_alive_matrix(fit, T=3, most=8)
    missing = {(x, t_x) for x in matrix.index for t_x in matrix.columns if np.isnan(matrix.loc[x, t_x])}
    assert missing == {(0, 1), (0, 2), (0, 3), *((x, 0) for x in range(1, 9)), (8, 1)}


def test_a_matrix_of_a_fit_with_covariates_is_that_of_the_customer_meant(by_kind):
    customers, fit = by_kind
    keen = replace(customers, frame=of_kind(customers, 1.0).frame.head(1))
    matrix = diagnostics.expected_purchases_matrix(fit, T=39, horizon=26, like=keen)
    without = diagnostics.expected_purchases_matrix(plain(fit, keen), T=39, horizon=26)
    np.testing.assert_allclose(matrix, without)


def test_a_fit_with_covariates_asks_whose_are_meant(by_kind):
    customers, fit = by_kind
    for like in (None, customers):
        with pytest.raises(SettingsError, match="one customer whose covariates"):
            diagnostics.probability_alive_matrix(fit, T=39, like=like)
        with pytest.raises(SettingsError, match="one customer whose covariates"):
            diagnostics.new_customer_purchases(fit, horizon=39, like=like)


# --- residual value ---------------------------------------------------------------------------------------------


def test_residual_purchases_match_published(published):
    fit = ParetoNBDFit.from_params((0.5629966, 12.5590370, 0.4081095, 10.5148048))
    annual = np.expm1(0.0027 * 365.25 / 7)
    table = diagnostics.residual_by_frequency(fit, T=77.86, recencies=[30, 70], annual_discount_rate=annual, most=10)
    published.check("D2", table[30.0])


@pytest.mark.parametrize("name", ["BG/NBD", "MBG/NBD", "BG/CNBD-k", "Pareto/NBD"])
def test_more_purchases_mean_a_lower_value_of_those_long_silent(name):
    table = diagnostics.residual_by_frequency(FITS[name], T=78, recencies=[30, 78], annual_discount_rate=0.1)
    silent, buying = table[30.0], table[78.0]
    assert silent.iloc[-1] < silent.max() / 100
    assert silent.idxmax() < 6
    assert buying.is_monotonic_increasing


@pytest.mark.parametrize("recency", [0, 79])
def test_a_recency_nobody_can_have_is_refused(recency):
    with pytest.raises(SettingsError, match="up to T, which is 78"):
        diagnostics.residual_by_frequency(FITS["BG/NBD"], T=78, recencies=[recency], annual_discount_rate=0.1)


# --- one customer -----------------------------------------------------------------------------------------------

REGULAR = "00111"


@every_model
def test_the_last_day_of_a_history_is_what_the_fit_says_then(fit, log):
    history = diagnostics.alive_history(fit, log, REGULAR, as_of="1998-02-15")
    customers = summarize_customers(log, as_of="1998-02-15")
    assert history["probability_alive"].iloc[-1] == pytest.approx(fit.probability_alive(customers)[REGULAR])


def test_a_day_of_a_history_knows_nothing_of_later_days(log):
    short, long = (
        diagnostics.alive_history(FITS["Pareto/NBD"], log, REGULAR, as_of=day) for day in ("1997-12-31", AS_OF)
    )
    pd.testing.assert_frame_equal(short, long.loc[:"1997-12-31"])


def test_a_history_marks_the_purchase_days(fit, log):
    history = diagnostics.alive_history(fit, log, REGULAR, as_of=AS_OF)
    frequency = summarize_customers(log, as_of=AS_OF).frame.loc[REGULAR, "frequency"]
    assert history["purchase"].iloc[0]
    assert history["purchase"].sum() == frequency + 1


def test_a_history_is_bracketed_by_the_doubt_about_the_parameters(fit, log):
    history = diagnostics.alive_history(fit, log, REGULAR, as_of=AS_OF)
    late = history.loc["1997-06-01":]
    assert (late["lower"] < late["probability_alive"]).all()
    assert (late["probability_alive"] < late["upper"]).all()


def test_published_parameters_have_no_doubt_to_show(log):
    history = diagnostics.alive_history(FITS["BG/NBD"], log, REGULAR, as_of=AS_OF)
    assert history[["lower", "upper"]].isna().all(axis=None)


def test_a_history_uses_the_covariates_of_its_customer(by_kind, log):
    customers, fit = by_kind
    history = diagnostics.alive_history(fit, log, REGULAR, as_of=ORIGIN, customers=customers, draws=0)
    assert history["probability_alive"].iloc[-1] == pytest.approx(fit.probability_alive(customers)[REGULAR])


def test_an_unknown_customer_has_no_history(fit, log):
    with pytest.raises(DataError, match="has not bought by 1998-06-30"):
        diagnostics.alive_history(fit, log, "nobody", as_of=AS_OF)


# --- all customers ----------------------------------------------------------------------------------------------


def test_purchases_of_a_new_customer_match_published(published):
    curve = diagnostics.new_customer_purchases(FITS["BG/NBD"], horizon="52 weeks")["expected"]
    published.check("C11", curve[published["C11"]["at"]])


def test_exponential_rates_are_shared_out_exactly():
    shares = diagnostics.rate_heterogeneity(NBDFit.from_params((1.0, 8.0)))
    np.testing.assert_allclose(shares["share"], np.exp(-8 * shares.index.left) - np.exp(-8 * shares.index.right))
    assert shares["share"].sum() == pytest.approx(0.99, abs=0.005)
    assert shares.attrs["mean"] == 1 / 8


def test_uniform_dropout_is_shared_out_evenly():
    shares = diagnostics.dropout_heterogeneity(BGNBDFit.from_params((1.0, 8.0, 1.0, 1.0)))
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
def test_dropout_is_that_of_the_model(name, quantity, mean):
    shares = diagnostics.dropout_heterogeneity(FITS[name])
    assert shares.attrs["quantity"] == shares.index.name == quantity
    assert shares.attrs["mean"] == pytest.approx(mean)


def test_buying_and_leaving_at_opportunities_are_chances():
    fit = BGBBFit.from_params((1.0, 1.0, 1.0, 3.0), time_unit="month")
    buying, leaving = diagnostics.rate_heterogeneity(fit), diagnostics.dropout_heterogeneity(fit)
    np.testing.assert_allclose(buying["share"], 1 / 25)
    assert leaving.attrs["mean"] == 0.25
    assert leaving.attrs["quantity"] == "dropout_at_opportunity"


def test_where_nobody_leaves_there_is_no_dropout():
    with pytest.raises(SettingsError, match="nobody leaves in the NBD"):
        diagnostics.dropout_heterogeneity(FITS["NBD"])


def test_the_rate_of_a_regular_buyer_is_that_of_purchases_not_of_stages():
    mean = diagnostics.rate_heterogeneity(FITS["BG/CNBD-k"]).attrs["mean"]
    assert mean == pytest.approx(0.25 / 2.2 / 2)


def test_rates_of_a_mixed_base_are_those_of_its_kinds(by_kind):
    customers, fit = by_kind
    shares = diagnostics.rate_heterogeneity(fit, customers, draws=0)
    ends = shares.index.right[[0, 9, 24]]
    weights, below = [], []
    for keen in (0.0, 1.0):
        kind = of_kind(customers, keen)
        sample = np.random.default_rng(5).gamma(fit.params.r, size=200_000) / plain(fit, kind).params.alpha
        weights.append(len(kind) / len(customers))
        below.append([(sample < end).mean() for end in ends])
    np.testing.assert_allclose(shares["share"].cumsum().iloc[[0, 9, 24]], weights @ np.array(below), atol=0.004)


def test_a_mixed_base_is_asked_for_its_mix(by_kind):
    with pytest.raises(SettingsError, match="whose mix of them"):
        diagnostics.rate_heterogeneity(by_kind[1])


@every_model
def test_every_frame_of_a_fit_tells_its_model_and_its_unit(fit, log, split):
    frames = [
        diagnostics.frequency_distribution(fit, split.calibration),
        diagnostics.holdout_by_frequency(fit, split),
        diagnostics.holdout_by_recency(fit, split),
        diagnostics.purchase_gaps(log, split.calibration, fit=fit, draws=2),
        diagnostics.expected_purchases_matrix(fit, T=10, horizon=10),
        diagnostics.probability_alive_matrix(fit, T=10),
        diagnostics.residual_by_frequency(fit, T=10, recencies=[5], annual_discount_rate=0.1),
        diagnostics.alive_history(fit, log, REGULAR, as_of="1997-02-01"),
        diagnostics.new_customer_purchases(fit, horizon=10),
        diagnostics.rate_heterogeneity(fit),
    ]
    assert {(frame.attrs["model"], frame.attrs["time_unit"]) for frame in frames} == {(fit.model_name, "week")}
