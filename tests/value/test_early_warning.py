"""Customers whose value has become doubtful since the last look."""

from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaFit, GammaGammaParams
from crm_analysis.value.early_warning import early_warnings
from crm_analysis.value.lifetime_value import CustomerValues, lifetime_value

PURCHASES = BGNBDFit.from_params(BGNBDParams(0.243, 4.414, 0.793, 2.426))
SPEND = GammaGammaFit.from_params(GammaGammaParams(6.25, 3.74, 15.44), time_unit="")
WEEK = 7


def values_of(rows: dict[str, tuple[int, float, float, float]], as_of: date) -> CustomerValues:
    """Value customers with these frequency, recency, T and total spend."""
    columns = ["frequency", "recency", "T", "total_spend"]
    frame = pd.DataFrame.from_dict(rows, orient="index", columns=columns)
    frame["monetary_value"] = np.where(frame["frequency"] > 0, 40.0, np.nan)
    summary = CustomerSummary(frame, "week", as_of)
    return lifetime_value(PURCHASES, SPEND, summary, horizon="1 year", annual_discount_rate=0.1, margin=0.3)


@pytest.fixture(scope="module")
def before():
    past = {"steady": (10, 50.0, 52.0, 440.0), "keen": (20, 51.0, 52.0, 840.0), "twice": (1, 20.0, 52.0, 80.0),
            "once": (0, 0.0, 52.0, 40.0), "back": (3, 50.0, 52.0, 160.0)}  # fmt: skip
    return values_of(past, date(2024, 1, 1))


@pytest.fixture(scope="module")
def now():
    today = {"steady": (12, 63.0, 65.0, 520.0), "keen": (20, 51.0, 65.0, 840.0), "twice": (1, 20.0, 65.0, 80.0),
             "once": (0, 0.0, 65.0, 40.0), "back": (3, 50.0, 65.0, 130.0), "new": (0, 0.0, 4.0, 40.0)}  # fmt: skip
    return values_of(today, date(2024, 4, 1))


@pytest.fixture(scope="module")
def warned(now, before):
    return early_warnings(now, before)


def test_the_keen_buyer_who_fell_silent_is_named_first(warned):
    assert warned.index[0] == "keen"


def test_value_doubtful_is_the_drop_times_the_value_had_the_customer_been_there(warned, before, now):
    then, today = before.frame.loc["keen"], now.frame.loc["keen"]
    by_hand = then["residual_value"] / then["probability_alive"]
    by_hand *= then["probability_alive"] - today["probability_alive"]
    assert warned.loc["keen", "value_doubtful"] == pytest.approx(by_hand)


def test_who_bought_on_and_who_is_new_is_not_in_it(warned):
    assert not {"steady", "new"} & set(warned.index)


def test_a_one_time_buyer_whom_the_model_never_gives_up_is_not_in_it(warned):
    assert "once" not in warned.index


def test_reasons_say_what_is_seen(warned):
    assert warned.loc["keen", "reasons"].startswith(
        "silent for 98 days, against a usual gap of 18; bought nothing where "
    )
    assert warned.loc["back", "reasons"].endswith("got more money back than was spent since")


def test_a_cancelled_purchase_is_said_to_be(now, before):
    fewer = now.customers.frame.copy()
    fewer.loc["back", ["frequency", "recency"]] = [2, 40.0]
    today = lifetime_value(
        PURCHASES, SPEND, replace(now.customers, frame=fewer), horizon="1 year", annual_discount_rate=0.1, margin=0.3
    )
    assert "a purchase was cancelled in full" in early_warnings(today, before).loc["back", "reasons"]


def test_no_reason_names_a_cause(warned):
    assert not warned["reasons"].str.contains("because|due to|caused").any()


def test_the_list_is_as_long_as_asked_for(now, before):
    assert len(early_warnings(now, before, most=1)) == 1


def test_the_order_of_the_customers_does_not_matter(now, before, warned):
    shuffled = replace(
        now,
        frame=now.frame.iloc[::-1],
        customers=replace(now.customers, frame=now.customers.frame.iloc[::-1]),
    )
    pd.testing.assert_frame_equal(early_warnings(shuffled, before), warned)


def test_where_nothing_became_doubtful_the_list_is_empty(now):
    later = replace(now, customers=replace(now.customers, as_of=date(2024, 4, 2)))
    assert early_warnings(later, now).empty


def test_dates_the_wrong_way_round_are_refused(now, before):
    with pytest.raises(SettingsError, match="as of 2024-04-01 and 2024-01-01"):
        early_warnings(before, now)


def test_a_list_of_cdnow_holds_repeat_buyers_who_bought_less_than_expected(sample_log, sample_fit):
    before, now = (
        lifetime_value(
            sample_fit, SPEND, summarize_customers(sample_log.until(day), as_of=day),
            horizon="1 year", annual_discount_rate=0.1, margin=0.3,
        )
        for day in ("1997-12-31", "1998-03-31")
    )  # fmt: skip
    listed = early_warnings(now, before, most=20)
    assert (listed["bought"] < listed["expected"]).all()
    assert listed["usual_gap"].notna().all()
