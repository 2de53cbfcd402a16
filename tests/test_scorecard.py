"""The scorecard: values, changes and the words for them."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.interval import Interval
from crm_analysis.periods import Month
from crm_analysis.scorecard import INDICATORS, Scorecard, build_scorecard
from crm_analysis.value.equity import customer_equity
from crm_analysis.value.lifetime_value import lifetime_value

INTERVAL = Interval(95.0, 105.0, 0.95, ("parameters",))


def card(targets=None, **now: float) -> Scorecard:
    months = [str(Month(2024, 6).shift(-back)) for back in reversed(range(13))]
    history = pd.DataFrame({one.key: 100.0 for one in INDICATORS}, index=pd.Index(months, name="month"))
    history["repeat_rate"] = 0.40
    for key, value in now.items():
        history.loc["2024-06", key] = value
    return Scorecard(history, Month(2024, 6), INTERVAL, INTERVAL, targets or {})


def test_a_change_is_a_share_of_the_earlier_value():
    assert card(revenue=107.0).change("revenue", 1) == pytest.approx(0.07)


def test_a_change_of_a_share_is_a_difference():
    assert card(repeat_rate=0.45).change("repeat_rate", 12) == pytest.approx(0.05)


def test_a_rise_from_below_zero_is_a_rise():
    one = card(equity=-50.0)
    one.history.loc["2024-05", "equity"] = -100.0
    assert one.change("equity", 1) == pytest.approx(0.5)


def test_a_change_from_nothing_is_missing_and_from_nothing_to_nothing_is_none():
    one = card(new_customers=5.0)
    one.history.loc["2024-05", "new_customers"] = 0.0
    assert np.isnan(one.change("new_customers", 1))
    one.history.loc["2024-06", "new_customers"] = 0.0
    assert one.change("new_customers", 1) == 0


def test_a_change_of_equity_inside_its_interval_is_no_clear_change():
    assert card(equity=103.0).verdict("equity", 1) == "no clear change"


def test_a_change_of_equity_beyond_its_interval_is_judged():
    outside = Scorecard(card(equity=130.0).history, Month(2024, 6), INTERVAL, Interval(120, 140, 0.95, ()), {})
    assert outside.verdict("equity", 1) == "better"


@pytest.mark.parametrize(("value", "word"), [(99.0, "worse"), (100.0, "unchanged"), (101.0, "better")])
def test_counts_are_exact_and_judged_as_they_are(value, word):
    assert card(active_customers=value).verdict("active_customers", 1) == word


def test_an_indicator_that_is_neither_good_nor_bad_is_not_judged():
    assert card(order_value=120.0).verdict("order_value", 1) == "neutral"


def test_targets_are_met_missed_or_inside_the_interval():
    one = card({"revenue": 90, "orders": 110, "equity": 104})
    assert [one.against_target(key) for key in ("revenue", "orders", "equity", "customers")] == [
        "better", "worse", "no clear change", None,
    ]  # fmt: skip


@pytest.fixture(scope="module")
def cdnow_card(cdnow, cdnow_customers) -> Scorecard:
    values = lifetime_value(
        fit_bgnbd(cdnow_customers), fit_gamma_gamma(cdnow_customers), cdnow_customers,
        horizon="24 months", annual_discount_rate=0.10, margin=0.30,
    )  # fmt: skip
    return build_scorecard(
        cdnow,
        period=Month(1998, 6),
        equity=customer_equity(values, draws=20),
        active_days=90,
    )


@pytest.mark.parametrize(
    ("key", "june", "may", "year_ago"),
    [
        ("active_customers", 3_301, 3_612, 5_322),  # as in the mock-up
        ("new_customers", 0, 0, 0),
        ("repeat_rate", 0.4886, 0.4846, 0.3403),
        ("customers", 23_570, 23_570, 23_570),
        ("orders", 1_955, 1_903, 2_959),
    ],
)
def test_cdnow_is_counted_as_in_the_mock_up(cdnow_card, key, june, may, year_ago):
    values = [cdnow_card.value(key, back) for back in (0, 1, 12)]
    assert values == pytest.approx([june, may, year_ago], abs=5e-5)


def test_a_month_is_valued_with_the_log_as_it_stood_then(cdnow_card):
    assert cdnow_card.history["equity"].notna().all()
    assert cdnow_card.value("equity", 1) == pytest.approx(423_027, rel=1e-4)


def test_months_before_the_log_are_missing(cdnow, cdnow_customers):
    early = date(1997, 6, 30)
    customers = summarize_customers(cdnow, as_of=early)
    values = lifetime_value(
        fit_bgnbd(customers), fit_gamma_gamma(customers), customers,
        horizon="24 months", annual_discount_rate=0.10, margin=0.30,
    )  # fmt: skip
    one = build_scorecard(
        cdnow.until(early),
        period=Month(1997, 6),
        equity=customer_equity(values, draws=20),
        active_days=90,
    )
    assert one.history.loc["1996-12", "customers"] != one.history.loc["1996-12", "customers"]
    assert one.value("customers") == 23_570


def test_a_target_for_no_indicator_is_refused(cdnow, cdnow_customers):
    values = lifetime_value(
        fit_bgnbd(cdnow_customers), fit_gamma_gamma(cdnow_customers), cdnow_customers,
        horizon="24 months", annual_discount_rate=0.10, margin=0.30,
    )  # fmt: skip
    with pytest.raises(SettingsError, match="unknown indicator churn"):
        build_scorecard(
            cdnow,
            period=Month(1998, 6),
            equity=customer_equity(values, draws=20),
            active_days=90,
            targets={"churn": 1},
        )
