"""How many customers will join: counted by whole months, forecast with a tested doubt, or planned."""

import json
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.value.acquisition import (
    Acquisition,
    forecast_acquisition,
    mean_first_spend,
    planned_acquisition,
    repeated_acquisition,
)
from crm_analysis.value.newcomer_counts import monthly_newcomers

AS_OF = date(2024, 12, 31)


def _log(newcomers: list[int], last: str = "2024-12") -> pd.DataFrame:
    """One order of each newcomer, on the tenth of the month; the last month comes last."""
    months = pd.period_range(end=last, periods=len(newcomers), freq="M")
    days = [month.to_timestamp() + pd.Timedelta(days=9) for month in months]
    rows = [(f"{day:%Y%m}-{i}", day) for day, n in zip(days, newcomers, strict=True) for i in range(n)]
    first = [("first", months[0].to_timestamp())]  # so that the first month is whole
    return pd.DataFrame(first + rows, columns=["customer_id", "order_date"]).assign(amount=10.0)


def _seasonal(years: int, seed: int = 1) -> list[int]:
    season = 1 + 0.6 * np.sin(2 * np.pi * np.arange(12) / 12)
    return list(np.random.default_rng(seed).poisson(np.tile(100 * season, years)))


def test_newcomers_are_counted_by_calendar_months_at_the_end_of_one():
    counted = monthly_newcomers(_log([3, 4, 5]), as_of=AS_OF)
    assert list(counted.index) == [date(2024, 10, 31), date(2024, 11, 30), date(2024, 12, 31)]
    assert list(counted) == [4, 4, 5]


def test_newcomers_are_counted_by_months_that_end_on_the_day_asked_for():
    counted = monthly_newcomers(_log([3, 4, 5]), as_of=date(2024, 12, 15))
    assert list(counted.index) == [date(2024, 11, 15), date(2024, 12, 15)]
    assert list(counted) == [4, 5]


def test_a_month_the_log_holds_in_part_is_not_counted():
    log = _log([3, 4, 5]).iloc[1:]  # begins on the tenth
    assert list(monthly_newcomers(log, as_of=AS_OF)) == [4, 5]


def test_months_without_newcomers_are_zeros():
    assert list(monthly_newcomers(_log([3, 0, 5]), as_of=AS_OF)) == [4, 0, 5]


def test_a_steady_inflow_is_forecast_as_it_is():
    forecast = forecast_acquisition(_log([50] * 18), as_of=AS_OF, months=12)
    assert forecast.expected[:12].sum() == pytest.approx(600, rel=0.01)
    assert forecast.method == "mean of the last twelve months"
    assert forecast.error < 0.12


def test_a_trend_is_followed():
    growing = [round(40 * 1.04**month) for month in range(30)]
    forecast = forecast_acquisition(_log(growing), as_of=AS_OF, months=6)
    assert forecast.method == "damped trend"
    assert forecast.expected[:6].mean() > growing[-1]


def test_seasons_are_followed_where_there_are_years_of_them():
    forecast = forecast_acquisition(_log(_seasonal(5)), as_of=AS_OF, months=12)
    assert forecast.method == "damped trend with seasons"
    year = forecast.expected[:12]
    assert np.argmax(year) in (2, 3, 4)
    assert np.argmin(year) in (8, 9, 10)


def test_the_first_months_are_left_out_because_old_customers_look_new_in_them():
    old = [400, 200, 100, 80, 60, 55] + [50] * 12
    forecast = forecast_acquisition(_log(old), as_of=AS_OF, months=6)
    assert forecast.expected[:6].sum() == pytest.approx(300, rel=0.02)
    assert "The first 6 months of the log are left out" in forecast.words


def test_the_doubt_covers_what_came_at_about_its_stated_rate():
    """Simulated inflows with a level that drifts: the total of the next year within two standard deviations."""
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(10):
        level = 80 * np.exp(np.cumsum(rng.normal(0, 0.05, size=48)))
        counts = rng.poisson(level)
        forecast = forecast_acquisition(_log(list(counts[:36]), last="2024-12"), as_of=AS_OF, months=12)
        off = np.log((counts[36:].sum() + 0.5) / (forecast.expected[:12].sum() + 0.5))
        hits += abs(off) < 2 * forecast.error
    assert hits >= 8  # 95% of 10 is 9 or 10


def test_a_forecast_can_be_repeated_as_of_an_earlier_date():
    log = _log(_seasonal(5))
    forecast = forecast_acquisition(log, as_of=AS_OF, months=12)
    earlier = summarize_customers(log, as_of="2023-12-31")
    again = repeated_acquisition(forecast, log, customers=earlier)
    assert again.as_of == date(2023, 12, 31)
    assert again.error == forecast.error
    afresh = forecast_acquisition(log, as_of="2023-12-31", months=12)
    np.testing.assert_allclose(again.expected, afresh.expected)


def test_a_repeated_forecast_of_a_young_log_falls_back_to_the_mean():
    log = _log(_seasonal(5))
    forecast = forecast_acquisition(log, as_of=AS_OF, months=12)
    young = summarize_customers(log, as_of="2020-12-31")
    assert repeated_acquisition(forecast, log, customers=young).method == "mean of the last twelve months"


def test_counts_forecast_as_the_log_they_were_counted_in():
    log = _log(_seasonal(4))
    counts = monthly_newcomers(log, as_of=AS_OF).iloc[6:]  # those that are left out of a log
    from_counts = forecast_acquisition(newcomers=counts, as_of=AS_OF, months=12)
    np.testing.assert_array_equal(from_counts.expected, forecast_acquisition(log, as_of=AS_OF, months=12).expected)
    assert "left out" not in from_counts.words


def test_counts_of_later_months_are_not_seen():
    counts = monthly_newcomers(_log(_seasonal(4)), as_of=AS_OF)
    cut = forecast_acquisition(newcomers=counts.iloc[:-6], as_of="2024-06-30", months=12)
    seen = forecast_acquisition(newcomers=counts, as_of="2024-06-30", months=12)
    np.testing.assert_array_equal(seen.expected, cut.expected)


def test_a_forecast_of_counts_can_be_repeated_without_a_summary():
    counts = monthly_newcomers(_log(_seasonal(5)), as_of=AS_OF)
    forecast = forecast_acquisition(newcomers=counts, as_of=AS_OF, months=12)
    again = repeated_acquisition(forecast, newcomers=counts, as_of="2023-12-31")
    afresh = forecast_acquisition(newcomers=counts, as_of="2023-12-31", months=12)
    assert again.method == forecast.method
    np.testing.assert_allclose(again.expected, afresh.expected)


def test_counts_that_are_none_are_refused_with_every_problem():
    days = [date(2024, 8, 31), date(2024, 10, 31), date(2024, 11, 30), date(2024, 12, 31)]
    with pytest.raises(DataError) as refused:
        forecast_acquisition(newcomers=pd.Series([3.0, -1.0, np.nan, 4.0], index=days), as_of=AS_OF, months=12)
    message = str(refused.value)
    assert "is not one of the months" in message and "2024-08-31" in message
    assert "is no count in 2 row(s)" in message


@pytest.mark.parametrize("given", [{}, {"transactions": _log([3] * 9), "newcomers": pd.Series([3.0] * 9)}])
def test_either_the_log_or_counts_are_wanted(given):
    with pytest.raises(SettingsError, match="one of the two"):
        forecast_acquisition(**given, as_of=AS_OF, months=12)


def test_counts_in_a_list_are_refused():
    with pytest.raises(SettingsError, match="give a Series"):
        forecast_acquisition(newcomers=[3, 4, 5], as_of=AS_OF, months=12)


def test_a_log_of_two_months_is_refused():
    with pytest.raises(DataError, match="2 whole month"):
        forecast_acquisition(_log([3, 4]), as_of=AS_OF, months=12)


def test_a_forecast_survives_json():
    forecast = forecast_acquisition(_log(_seasonal(3)), as_of=AS_OF, months=12)
    again = Acquisition.from_dict(json.loads(json.dumps(forecast.to_dict())))
    assert again.to_dict() == forecast.to_dict()
    pd.testing.assert_frame_equal(again.tests, forecast.tests, check_names=True, check_index_type=False)


def test_later_months_repeat_the_last_year():
    plan = planned_acquisition({f"2025-{month:02d}": float(month) for month in range(1, 13)}, as_of=AS_OF, months=12)
    assert list(plan.of_months(15)) == [*range(1, 13), 1, 2, 3]


def test_a_plan_is_one_number_or_one_for_each_month():
    steady = planned_acquisition(30.0, as_of=AS_OF, months=3)
    monthly = planned_acquisition({"2025-01": 30, "2025-02": 30, "2025-03": 30}, as_of=AS_OF, months=3)
    assert list(steady.expected) == list(monthly.expected) == [30.0] * 3


def test_a_plan_that_lacks_months_is_refused_by_name():
    with pytest.raises(SettingsError, match=r"lacks 2 of 3 month.s.: 2025-01, 2025-03"):
        planned_acquisition({"2025-02": 30}, as_of=AS_OF, months=3)


@pytest.mark.parametrize("plan", [-1.0, float("inf"), {"2025-01": -3.0}])
def test_a_plan_that_is_no_count_is_refused(plan):
    with pytest.raises(SettingsError, match="negative or infinite"):
        planned_acquisition(plan, as_of=AS_OF, months=1)


def test_drawn_numbers_have_the_mean_and_the_doubt_of_the_forecast():
    plan = planned_acquisition(100.0, as_of=AS_OF, months=12, error=0.2)
    rng = np.random.default_rng(3)
    drawn = plan.draw(12, plan.draw_levels(20_000, rng), rng).sum(axis=1)
    assert drawn.mean() == pytest.approx(1_200, rel=0.01)
    assert np.log(drawn).std() == pytest.approx(0.2, rel=0.05)


def test_the_first_purchase_is_what_repeat_purchases_do_not_explain():
    log = pd.DataFrame(
        {
            "customer_id": ["a", "a", "b"],
            "order_date": ["2024-01-01", "2024-03-01", "2024-06-01"],
            "amount": [30.0, 9.0, 50.0],
        }
    )
    assert mean_first_spend(summarize_customers(log, as_of="2024-12-31")) == pytest.approx(40.0)


def test_without_all_spend_the_first_purchase_is_not_known():
    bare = CustomerSummary(pd.DataFrame({"frequency": [1], "recency": [2.0], "T": [3.0]}), "week")
    assert mean_first_spend(bare) is None
