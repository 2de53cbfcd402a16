"""What happened against what was expected: published counts, the tables of the backtest, and simulated shops."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.value import evidence
from crm_analysis.value.backtest import backtest

ORIGIN, AS_OF = "1997-09-30", "1998-06-30"


@pytest.fixture(scope="module")
def proof(sample_log):
    return backtest(sample_log, origins=[ORIGIN], horizon="39 weeks", draws=50)


# --- tracking ---------------------------------------------------------------------------------------------------


def test_weekly_tracking_is_that_of_the_backtest_with_a_name(proof):
    tracking = evidence.weekly_tracking(proof)
    pd.testing.assert_frame_equal(tracking, proof.tracking)
    assert tracking.attrs == {"model": "BG/NBD"}


def test_naming_a_frame_leaves_the_backtest_alone(proof):
    evidence.weekly_tracking(proof)
    assert proof.tracking.attrs == {}


def test_cumulative_tracking_ends_at_all_repeat_purchases(proof, sample_log):
    total = summarize_customers(sample_log, as_of=AS_OF).frame["frequency"].sum()
    assert evidence.cumulative_tracking(proof)["actual"].iloc[-1] == total


def test_the_forecast_starts_from_what_had_happened_by_the_origin(proof, sample_split):
    last = evidence.cumulative_tracking(proof).iloc[-1]
    assert last["expected"] == pytest.approx(sample_split.calibration.frame["frequency"].sum() + proof.expected)


def test_the_interval_of_the_total_stands_at_the_end_of_the_held_out_weeks(proof, sample_split):
    limits = evidence.cumulative_tracking(proof)[["lower", "upper"]]
    known = sample_split.calibration.frame["frequency"].sum()
    assert limits.iloc[-1].tolist() == [known + proof.interval.lower, known + proof.interval.upper]
    assert limits.iloc[:-1].isna().all(axis=None)


def test_an_interval_of_another_end_is_not_shown(proof):
    longer = replace(proof, horizon=proof.horizon + 0.5)
    assert evidence.cumulative_tracking(longer)[["lower", "upper"]].isna().all(axis=None)


# --- frequency --------------------------------------------------------------------------------------------------


def test_counts_by_frequency_match_published(cdnow_summary, published):
    table = evidence.frequency_distribution(fit_bgnbd(cdnow_summary), cdnow_summary)
    published.check("frequency-actual", table["actual"])
    published.check("C18", table["expected"][:7])


def test_expected_counts_add_up_to_the_customers(every_fit, cdnow_summary):
    table = evidence.frequency_distribution(every_fit, cdnow_summary, most=5)
    assert list(table.index) == ["0", "1", "2", "3", "4", "5+"]
    assert table["expected"].sum() == pytest.approx(len(cdnow_summary))


def test_counts_of_simulated_shops_lie_within_the_limits_as_often_as_said(cdnow_fits):
    fit, rng = cdnow_fits["BG/NBD"], np.random.default_rng(1)
    T = rng.uniform(26, 52, size=500)
    inside = []
    for _shop in range(50):
        histories = bgnbd.histories(bgnbd.simulate(fit.params, T, rng), T)
        table = evidence.frequency_distribution(fit, CustomerSummary(histories, "week"))
        inside.append((table["actual"] >= table["lower"]) & (table["actual"] <= table["upper"]))
    assert np.mean(inside) == pytest.approx(0.965, abs=0.02)  # counts are whole numbers: a little above 95%


def test_expected_counts_of_a_mixed_base_are_those_of_its_kinds(two_kinds):
    parts = [
        evidence.frequency_distribution(two_kinds.fit_of_kind(keen), two_kinds.of_kind(keen))["expected"]
        for keen in (0.0, 1.0)
    ]
    whole = evidence.frequency_distribution(two_kinds.fit, two_kinds.customers)["expected"]
    np.testing.assert_allclose(whole, parts[0] + parts[1])


# --- held-out purchases -----------------------------------------------------------------------------------------


def test_held_out_purchases_by_frequency_match_published(sample_split, published):
    fit = ParetoNBDFit.from_params(tuple(published["holdout-by-frequency-expected"]["params"]))
    table = evidence.holdout_by_frequency(fit, sample_split)
    published.check("holdout-by-frequency-actual", table["actual"])
    published.check("holdout-by-frequency-expected", table["expected"])


def test_the_backtest_gives_the_same_means_and_limits_by_frequency(sample_fit, sample_split, proof):
    columns = ["customers", "actual", "lower", "upper", "expected"]
    ours = evidence.holdout_by_frequency(sample_fit, sample_split)
    assert list(ours.index) == list(proof.by_frequency.index)
    np.testing.assert_allclose(ours[columns], proof.by_frequency[columns])


@pytest.mark.parametrize("frame", [evidence.holdout_by_frequency, evidence.holdout_by_recency])
def test_classes_share_out_all_customers_and_all_purchases(frame, every_fit, sample_split):
    table = frame(every_fit, sample_split)
    assert table["customers"].sum() == len(sample_split.calibration)
    assert table["customers"] @ table["actual"] == pytest.approx(sample_split.holdout["purchases"].sum())
    expected = every_fit.expected_purchases(sample_split.calibration, horizon=sample_split.holdout_length).sum()
    assert table["customers"] @ table["expected"] == pytest.approx(expected)


def test_a_class_of_recency_holds_its_right_end(sample_fit, sample_split):
    recency = sample_split.calibration.frame["recency"]
    table = evidence.holdout_by_recency(sample_fit, sample_split, width=10)
    assert list(table.index) == ["0", "0–10", "10–20", "20–30", "30–40"]
    assert table.loc["10–20", "customers"] == ((recency > 10) & (recency <= 20)).sum()
    assert table.loc["0", "customers"] == (recency == 0).sum()


# --- spend ------------------------------------------------------------------------------------------------------


def test_classes_of_spend_hold_even_shares_of_the_customers(sample_split):
    customers = sample_split.calibration
    table = evidence.spend_distribution(fit_gamma_gamma(customers), customers)
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
    gaps = evidence.purchase_gaps(small_log(), customers, classes=4)
    # Gaps of 7, 2 and 21 days; a week is the narrowest class, and 7 days belong to the second.
    np.testing.assert_allclose(gaps["observed"], [1 / 3, 1 / 3, 0, 1 / 3])
    assert gaps["expected"].isna().all()


def test_gaps_after_the_as_of_date_are_not_seen():
    customers = summarize_customers(small_log(), as_of="2024-01-12")
    assert evidence.purchase_gaps(small_log(), customers, classes=2)["observed"].tolist() == [0.5, 0.5]


def test_a_log_without_a_second_purchase_has_no_gaps():
    customers = summarize_customers(small_log(), as_of="2024-01-05")
    with pytest.raises(DataError, match="nobody has bought twice"):
        evidence.purchase_gaps(small_log(), customers)


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
    gaps = evidence.purchase_gaps(log, customers, fit=fit)
    inside = (gaps["observed"] >= gaps["lower"]) & (gaps["observed"] <= gaps["upper"])
    assert inside.mean() >= 0.8


def test_regular_buyers_have_few_short_gaps(sample_log, sample_split, cdnow_fits):
    gaps = {
        name: evidence.purchase_gaps(sample_log, sample_split.calibration, fit=cdnow_fits[name], draws=3)[
            "expected"
        ].iloc[0]
        for name in ("BG/NBD", "BG/CNBD-k")
    }
    assert gaps["BG/CNBD-k"] < gaps["BG/NBD"]


def test_timing_patterns_show_every_purchase_of_the_sample(sample_log):
    patterns = evidence.timing_patterns(sample_log, as_of=AS_OF, customers=20)
    frequency = summarize_customers(sample_log, as_of=AS_OF).frame["frequency"]
    counts = patterns.groupby("customer_id").size()
    assert len(counts) == 20
    pd.testing.assert_series_equal(counts, frequency[counts.index] + 1, check_names=False)


def test_customers_stand_in_order_of_their_first_purchase_from_the_top(sample_log):
    first = evidence.timing_patterns(sample_log, as_of=AS_OF).groupby("row")["order_date"].min()
    assert first.is_monotonic_decreasing
    assert list(first.index) == list(range(40))


def test_one_time_buyers_are_in_the_sample_only_when_asked_for():
    assert set(evidence.timing_patterns(small_log(), as_of="2024-02-01")["customer_id"]) == {"a", "c"}
    everyone = evidence.timing_patterns(small_log(), as_of="2024-02-01", repeat_buyers_only=False)
    assert set(everyone["customer_id"]) == {"a", "b", "c"}


def test_every_frame_of_a_fit_tells_its_model_and_its_unit(every_fit, sample_log, sample_split):
    frames = [
        evidence.frequency_distribution(every_fit, sample_split.calibration),
        evidence.holdout_by_frequency(every_fit, sample_split),
        evidence.holdout_by_recency(every_fit, sample_split),
        evidence.purchase_gaps(sample_log, sample_split.calibration, fit=every_fit, draws=2),
    ]
    assert {(frame.attrs["model"], frame.attrs["time_unit"]) for frame in frames} == {(every_fit.model_name, "week")}
