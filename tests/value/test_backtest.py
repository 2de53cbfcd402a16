"""The proof of the forecast: what it says of CDNOW, and what it must say of shops whose truth is known."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import split_calibration_holdout, summarize_customers
from crm_analysis.errors import DataError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDParams
from crm_analysis.value.backtest import backtest
from crm_analysis.value.candidates import FOR_AN_EXTRACT
from crm_analysis.value.forecast import forecast_purchases
from crm_analysis.value.naive_rules import (
    NAIVE_RULES,
    KnownPast,
    as_often_as_before,
    mean_of_the_cohort,
    only_recent_buyers,
    same_as_last_period,
)

ORIGIN = date(1997, 9, 30)


@pytest.fixture(scope="module")
def proof(cdnow):
    return backtest(cdnow, origins=[ORIGIN], horizon="39 weeks", draws=200)


def simulated_log(params: BGNBDParams, n: int, seed: int) -> pd.DataFrame:
    """A shop whose customers all join in the first quarter of 2023, observed for two years."""
    rng = np.random.default_rng(seed)
    first = rng.integers(0, 90, size=n)
    T = (730 - first) / 7
    events = bgnbd.simulate(params, T, rng)
    start = pd.Timestamp(2023, 1, 1)
    repeat_day = first[events["customer"]] + np.ceil(events["time"] * 7).astype(int)
    ids = np.concatenate([np.arange(n), events["customer"]])
    return pd.DataFrame(
        {
            "customer_id": [f"c{i}" for i in ids],
            "order_date": start + pd.to_timedelta(np.concatenate([first, repeat_day]), unit="D"),
            "amount": 10.0,
        }
    )


def test_the_held_out_total_of_cdnow_is_counted_exactly(proof):
    assert proof.actual == 19_684  # the mock-up's count


def test_customers_of_cdnow_bought_a_sixth_more_than_expected(proof):
    assert proof.shortfall == pytest.approx(0.167, abs=0.005)


def test_the_naive_rules_stand_beside_the_model(proof):
    assert set(proof.scorecard.loc[ORIGIN].index) == {"BG/NBD", *NAIVE_RULES}


def test_the_naive_rule_expects_what_the_mock_up_says(proof):
    assert proof.scorecard.loc[(ORIGIN, "as often as before"), "expected"] == pytest.approx(29_011, rel=1e-3)


def test_the_model_misses_single_customers_by_less_than_the_naive_rule(proof):
    score = proof.scorecard.loc[ORIGIN]["mae"]
    assert score["BG/NBD"] == pytest.approx(0.82, abs=0.01)
    assert score["as often as before"] == pytest.approx(1.04, abs=0.01)


def test_every_table_holds_every_customer_and_every_purchase(proof):
    for table in (proof.by_decile, proof.by_frequency, proof.by_silence):
        assert table["customers"].sum() == 23_570
        assert (table["customers"] * table["actual"]).sum() == pytest.approx(proof.actual)
        assert (table["customers"] * table["expected"]).sum() == pytest.approx(proof.expected)
    assert proof.by_cohort["actual"].sum() == proof.actual


def test_weekly_tracking_adds_up_to_the_totals(proof):
    held_out = proof.tracking[proof.tracking["held_out"]]
    assert len(held_out) == 39
    assert held_out["actual"].sum() == proof.actual
    assert held_out["expected"].sum() == pytest.approx(proof.expected)


def test_weekly_tracking_counts_all_repeat_purchases_before_the_origin(proof, cdnow):
    fitted = proof.tracking[~proof.tracking["held_out"]]
    calibration = summarize_customers(cdnow, as_of=ORIGIN)
    assert fitted["actual"].sum() == calibration.frame["frequency"].sum()


def test_the_fitted_weeks_are_close_in_total(proof):
    fitted = proof.tracking[~proof.tracking["held_out"]]
    assert fitted["expected"].sum() == pytest.approx(fitted["actual"].sum(), rel=0.03)


def test_the_verdict_says_in_words_that_the_total_was_missed(proof):
    assert "customers bought 17% more than expected" in proof.verdict()
    assert "outside the 95% interval" in proof.verdict()


def test_the_verdict_on_a_shop_that_follows_the_model_is_good():
    log = simulated_log(BGNBDParams(0.8, 8.0, 0.6, 2.5), 4_000, seed=8)
    proof = backtest(log, origins=[date(2024, 1, 1)], horizon="52 weeks", draws=200)
    assert proof.trust == "close"
    assert proof.actual in proof.interval
    assert "misses by less than the naive rules" in proof.verdict()


def test_the_verdict_admits_that_a_naive_rule_came_closer_to_the_total(proof):
    assert proof.closer_rules == ["only recent buyers"]
    assert "On the total a naive rule came closer." in proof.verdict()


def test_the_interval_of_the_total_covers_at_its_stated_rate():
    hits = 0
    for seed in range(15):
        log = simulated_log(BGNBDParams(0.8, 8.0, 0.6, 2.5), 500, seed=seed)
        proof = backtest(log, origins=[date(2024, 1, 1)], horizon="40 weeks", draws=150)
        hits += proof.actual in proof.interval
    assert hits >= 11  # 95% of 15 is 14; fewer than 11 has a chance below 1 in 1,000


def test_several_origins_stand_in_one_scorecard(cdnow):
    origins = [date(1997, 9, 30), date(1997, 12, 31)]
    proof = backtest(cdnow, origins=origins, horizon="25 weeks", draws=100)
    assert list(proof.scorecard.index.get_level_values("origin").unique()) == origins


def test_a_held_out_time_beyond_the_log_is_refused(cdnow):
    with pytest.raises(DataError, match="choose an earlier origin or a shorter horizon"):
        backtest(cdnow, origins=[date(1998, 6, 1)], horizon="39 weeks")


@pytest.fixture(scope="module")
def past(cdnow):
    split = split_calibration_holdout(cdnow, calibration_end=ORIGIN, as_of=ORIGIN + timedelta(weeks=10))
    return KnownPast(split.calibration, split.last_period, split.holdout_length)


def test_as_often_as_before_continues_the_observed_rate(past):
    frame = past.customers.frame
    expected = frame["frequency"] / frame["T"] * 10
    pd.testing.assert_series_equal(as_often_as_before(past), expected, check_names=False)


def test_only_recent_buyers_gives_nothing_to_the_silent(past):
    frame = past.customers.frame
    silent = (frame["T"] - frame["recency"]) * 7 > 90
    assert (only_recent_buyers(past)[silent] == 0).all()


def test_same_as_last_period_repeats_the_purchases_of_the_weeks_before(past, cdnow):
    before = summarize_customers(cdnow, as_of=ORIGIN - timedelta(weeks=10)).frame["frequency"]
    now = past.customers.frame["frequency"]
    pd.testing.assert_series_equal(
        same_as_last_period(past), (now - before.reindex(now.index, fill_value=0)).astype(float), check_names=False
    )


def test_the_mean_of_the_cohort_is_one_rate_for_all_who_joined_in_a_month(past):
    expected = mean_of_the_cohort(past)
    frame = past.customers.frame
    january = frame["first_purchase"].dt.month == 1
    rate = frame.loc[january, "frequency"].sum() / frame.loc[january, "T"].sum()
    np.testing.assert_allclose(expected[january], 10 * rate)


# --- several models ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def contest(cdnow):
    origins = [ORIGIN - timedelta(weeks=9), ORIGIN]
    return backtest(cdnow, origins=origins, horizon="39 weeks", models=FOR_AN_EXTRACT, draws=40)


def test_all_models_are_tested_on_all_dates_beside_the_naive_rules(contest):
    assert len(contest.scorecard) == 2 * (len(FOR_AN_EXTRACT) + len(NAIVE_RULES))
    assert list(contest.comparison.index) == [*FOR_AN_EXTRACT, *NAIVE_RULES]


def test_the_first_model_stays_where_no_other_is_clearly_better(contest):
    assert contest.model_name == "BG/NBD"
    assert (contest.comparison["ahead"].drop("BG/NBD").dropna() < 2).all()
    assert "BG/NBD" in contest.choice() and "2 earlier dates" in contest.choice()


def test_a_clearly_better_model_takes_the_first_place(cdnow):
    proof = backtest(cdnow, origins=[ORIGIN], horizon="39 weeks", models=["NBD", "BG/NBD"], draws=20)
    assert proof.model_name == "BG/NBD"
    assert "BG/NBD was chosen out of 2 models" in proof.choice()
    assert proof.by_decile["expected"].mul(proof.by_decile["customers"]).sum() == pytest.approx(proof.expected)


def test_one_model_alone_needs_no_words_of_choice(proof):
    assert proof.choice() == ""


def test_ranges_of_single_customers_cover_at_about_their_rate(contest):
    assert contest.comparison.loc[list(FOR_AN_EXTRACT), "coverage"].between(0.85, 0.92).all()


def test_places_in_the_forecast_distribution_add_up_to_all_customers(contest):
    assert contest.probability_transform["share"].sum() == pytest.approx(1)


@pytest.fixture(scope="module")
def forecast(cdnow):
    return forecast_purchases(cdnow, as_of=date(1998, 6, 30), horizon="12 months", holdout="39 weeks", draws=200)


def test_the_forecast_covers_every_customer(forecast):
    assert len(forecast.expected) == 23_570


def test_the_forecast_total_lies_in_its_interval(forecast):
    assert forecast.expected.sum() in forecast.interval


def test_the_forecast_carries_its_proof_and_says_so(forecast):
    assert forecast.backtest.origin == date(1998, 6, 30) - timedelta(weeks=39)
    assert "BG/NBD was the best of 4 models" in forecast.method
    assert forecast.backtest.verdict() in forecast.method


def test_the_model_answers_the_methods_of_a_fit(forecast):
    alive = forecast.model.probability_alive(forecast.customers)
    assert alive.between(0, 1).all()


def test_the_log_after_the_as_of_date_does_not_change_the_forecast(cdnow):
    log = read_transactions(cdnow.table.execute().assign(amount=lambda f: f["amount"].astype(float)))
    how = {"as_of": date(1998, 3, 31), "horizon": 26, "models": ["BG/NBD"], "draws": 10}
    early, cut = (forecast_purchases(source, **how) for source in (log, log.until(date(1998, 3, 31))))
    pd.testing.assert_series_equal(early.expected, cut.expected)


def test_a_test_says_how_far_it_is(sample_log, cdnow_fits):
    told = []
    origins = ["1997-06-30", "1997-09-30"]
    backtest(
        sample_log, origins=origins, horizon="12 weeks", models=[cdnow_fits["NBD"]], draws=100, progress=told.append
    )
    assert [str(words) for words in told] == [
        "Testing forecasts of 30 June 1997, 1 of 2",
        "Testing forecasts of 30 September 1997, 2 of 2",
    ]
    assert [step.share for step in told] == [0, 0.5]
