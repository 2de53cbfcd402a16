"""The list of customers likely lost: as right as it says it is."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CalibrationHoldout, CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.models.histories import Floats
from crm_analysis.value.lifetime_value import lifetime_value
from crm_analysis.value.likely_lost import LostRule, likely_lost

TRUTH = BGNBDParams(0.8, 6.0, 0.7, 2.0)
SPEND = GammaGammaFit.from_params((6.25, 3.74, 15.44), time_unit="")


def simulated_split(seed: int, customers: int = 3_000, horizon: float = 26.0) -> CalibrationHoldout:
    """Customers watched for up to two years, and what they did in the half year after it."""
    rng = np.random.default_rng(seed)
    T: Floats = rng.uniform(26, 104, size=customers)
    frame = bgnbd.histories(bgnbd.simulate(TRUTH, T, rng), T)
    frame.index = frame.index.astype(str)
    known = CustomerSummary(frame, "week", date(2024, 6, 30))
    future = BGNBDFit.from_params(TRUTH).simulate_future(known, horizon=horizon, rng=rng)
    purchases = np.bincount(future["customer"], minlength=customers)
    holdout = pd.DataFrame({"purchases": purchases, "spend": 0.0}, index=known.frame.index)
    return CalibrationHoldout(None, known, holdout, pd.Series(0, index=known.frame.index), horizon)


@pytest.fixture(scope="module")
def rule() -> LostRule:
    split = simulated_split(1)
    return likely_lost(fit_bgnbd(split.calibration), split, precision=0.9)


@pytest.fixture(scope="module")
def cdnow_rule(sample_split, sample_fit):
    return likely_lost(sample_fit, sample_split, precision=0.8)


def test_the_list_is_as_right_on_other_customers_as_it_says(rule):
    row = rule.table.loc[rule.threshold]
    others = simulated_split(2)
    silent = BGNBDFit.from_params(TRUTH).purchase_distribution(others.calibration, horizon=26.0, most=0)[0]
    flagged = others.holdout["purchases"][silent >= rule.threshold]
    assert row["lower"] <= (flagged == 0).mean() <= row["upper"]


def test_where_the_model_holds_it_knows_its_own_precision(rule):
    table = rule.table[rule.table["flagged"] > 0]
    inside = (table["lower"] <= table["expected"]) & (table["expected"] <= table["upper"])
    assert inside.mean() >= 0.9


def test_the_threshold_is_the_lowest_that_surely_reaches_the_precision(rule):
    good = rule.table["lower"] >= 0.9
    assert good[rule.threshold]
    assert not good[rule.table.index < rule.threshold].any()


def test_at_threshold_zero_everybody_is_flagged(rule):
    first = rule.table.loc[0.0]
    assert first["flagged"] == rule.customers == 3_000
    assert first["recall"] == 1


def test_a_higher_threshold_never_flags_more_nor_finds_more(rule):
    assert rule.table["flagged"].is_monotonic_decreasing
    assert rule.table["recall"].is_monotonic_decreasing


def test_precision_is_the_share_of_those_flagged_who_bought_nothing(cdnow_rule, sample_split, sample_fit):
    silent = sample_fit.purchase_distribution(sample_split.calibration, horizon=39.0, most=0)[0]
    bought_nothing = (sample_split.holdout["purchases"] == 0)[silent >= 0.9]
    row = cdnow_rule.table.loc[0.9]
    assert (row["flagged"], row["lost"]) == (len(bought_nothing), bought_nothing.sum())


def test_bands_hold_every_customer_once(cdnow_rule):
    assert cdnow_rule.by_band[["customers", "lost"]].sum().to_list() == [2357, 1673]


def test_of_cdnow_the_model_is_too_sure_of_those_it_gives_up_most(cdnow_rule):
    # Frequent buyers who fell silent: the BG/NBD gives them up, and two in five come back.
    band = cdnow_rule.by_band.loc[0.9]
    assert band["expected"] > 0.9 > band["upper"]
    assert "The model is too sure of some: of the 46 it gave 0.90 to 1.00, 59% bought nothing" in cdnow_rule.statement()


def test_where_the_model_holds_the_statement_warns_of_nothing(rule):
    assert "too sure" not in rule.statement()


def test_each_customer_of_the_list_carries_what_the_band_proved_to_be_worth(cdnow_rule, sample_split, sample_fit):
    values = lifetime_value(
        sample_fit, SPEND, sample_split.calibration, horizon="1 year", annual_discount_rate=0.1, margin=0.3
    )
    listed = cdnow_rule.apply(values)
    surest = listed[listed["probability_silent"] >= 0.9]
    assert surest["share_lost"].unique().tolist() == [cdnow_rule.by_band.loc[0.9, "share"]]


def test_the_statement_names_threshold_precision_and_interval(cdnow_rule):
    row = cdnow_rule.table.loc[cdnow_rule.threshold]
    said = cdnow_rule.statement()
    assert f"in 273 days, {row['flagged']:,.0f} of 2,357 customers" in said
    assert f"{row['precision']:.0%} of them bought nothing" in said


def test_no_threshold_is_called_none(sample_split, sample_fit):
    rule = likely_lost(sample_fit, sample_split, precision=0.9999)
    assert np.isnan(rule.threshold)
    assert rule.statement() == "No list of likely lost customers reached a precision of 100% in the test."


def test_the_list_of_today_holds_those_above_the_threshold(cdnow_rule, sample_fit, sample_log):
    customers = summarize_customers(sample_log, as_of="1998-06-30")
    values = lifetime_value(sample_fit, SPEND, customers, horizon="1 year", annual_discount_rate=0.1, margin=0.3)
    listed = cdnow_rule.apply(values)
    assert (listed["probability_silent"] >= cdnow_rule.threshold).all()
    assert listed["total_spend"].is_monotonic_decreasing
    assert len(cdnow_rule.apply(values, most=5)) == 5


def test_without_a_threshold_the_list_is_empty(sample_split, sample_fit):
    rule = likely_lost(sample_fit, sample_split, precision=0.9999)
    values = lifetime_value(
        sample_fit, SPEND, sample_split.calibration, horizon="1 year", annual_discount_rate=0.1, margin=0.3
    )
    assert rule.apply(values).empty


@pytest.mark.parametrize("precision", [0, 1, "high", np.nan])
def test_a_precision_that_is_none_is_refused(sample_split, sample_fit, precision):
    with pytest.raises(SettingsError, match="precision is"):
        likely_lost(sample_fit, sample_split, precision=precision)
