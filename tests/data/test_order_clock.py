"""The clock of a shop: it tells the seasons from the flow of orders, and shops from extracts."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock, is_open_shop, order_clock, with_gaps
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.periods import DAYS_PER_UNIT

# Twice as fast in the second half of the year; 181 days at 2/3 and 184 at 4/3 of the average.
SEASONS = np.repeat([2 / 3, 4 / 3], 6)
DAY = date(2023, 3, 31)


def clock(growth: float = 0.0, time_unit: str = "week") -> OrderClock:
    return OrderClock(tuple(SEASONS), date(2022, 1, 1), date(2022, 12, 31), growth, time_unit)


def shop(first_day: str, last_day: str, *, yearly_growth: float = 0.0, orders_a_day: float = 60.0) -> pd.DataFrame:
    """A flow of orders without chance: exactly the seasons, times a steady growth; each order by another customer."""
    days = pd.date_range(first_day, last_day)
    flow = orders_a_day * SEASONS[days.month - 1] * (1 + yearly_growth) ** (np.arange(len(days)) / 365)
    day = np.repeat(days, np.diff(np.floor(np.cumsum(np.concatenate([[0.0], flow])))).astype(int))
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(len(day))], "order_date": day, "amount": 10.0})


# --- time -------------------------------------------------------------------------------------------------------


def test_time_runs_at_the_speed_of_the_month():
    january, july = clock().time([date(2022, 1, 8)])[0], np.diff(clock().time([date(2022, 7, 1), date(2022, 7, 8)]))[0]
    assert [january, july] == pytest.approx([2 / 3, 4 / 3])


@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_time_is_in_the_unit_of_the_clock(unit):
    days = [date(2022, 2, 1), date(2022, 9, 30)]
    assert clock(time_unit=unit).time(days) * DAYS_PER_UNIT[unit] == pytest.approx(clock(time_unit="day").time(days))


def test_a_length_is_the_time_between_the_mornings_after_its_first_and_its_last_day():
    end = DAY + timedelta(days=150)
    first, last = clock().time([DAY + timedelta(days=1), end + timedelta(days=1)])
    assert clock().length(DAY, 150 / 7) == pytest.approx(last - first)


@pytest.mark.parametrize("growth", [0.0, 0.3, -0.3])
@pytest.mark.parametrize("unit", ["day", "week", "month"])
def test_calendar_and_length_are_inverse(unit, growth):
    running = clock(growth, unit)
    stretches = np.array([0.1, 1.0, 7.7, 29.3, 300.0])
    lengths = np.array([running.length(DAY, stretch) for stretch in stretches])
    assert running.calendar(DAY, lengths) == pytest.approx(stretches)


def test_the_years_to_come_run_faster_by_the_growth_told():
    years = [(date(2022, 12, 31), 365), (date(2023, 12, 31), 366)]
    ratio = [clock(0.2).length(day, days / 7) / clock().length(day, days / 7) for day, days in years]
    assert ratio == pytest.approx([1.2, 1.44], rel=2e-3)  # a year of growth has 365.25 days


def test_growth_leaves_the_past_as_it_was():
    past = pd.date_range("2022-01-01", "2022-12-31")
    np.testing.assert_array_equal(clock(0.2).time(past), clock().time(past))


def test_a_purchase_before_the_clock_begins_is_refused():
    with pytest.raises(SettingsError, match="begins on 2022-01-01"):
        clock().time([date(2021, 12, 31)])


# --- the clock of a log -------------------------------------------------------------------------------------------


def read(log: pd.DataFrame, as_of: str, **how: object) -> np.ndarray:
    return np.array(order_clock(log, as_of=as_of, **how).factors)


def test_a_year_gives_its_seasons():
    factors = read(shop("2022-01-01", "2022-12-31"), "2022-12-31")
    mean = (181 * 2 / 3 + 184 * 4 / 3) / 365
    # 30 orders of an average month are added to each of some 1,800.
    assert factors == pytest.approx(SEASONS / mean, abs=0.012)


def test_a_month_is_drawn_to_the_average_by_thirty_orders():
    log = shop("2022-01-01", "2022-12-31")
    orders = pd.to_datetime(log["order_date"]).dt.month.value_counts().sort_index().to_numpy()
    days = pd.Series(pd.date_range("2022-01-01", "2022-12-31")).dt.month.value_counts().sort_index().to_numpy()
    expected = (orders + 30) / (days * len(log) / 365 + 30)
    assert read(log, "2022-12-31") == pytest.approx(expected)


def test_an_order_is_a_day_of_a_customer():
    log = shop("2022-01-01", "2022-12-31", orders_a_day=5)
    assert (read(pd.concat([log, log.head(300)]), "2022-12-31") == read(log, "2022-12-31")).all()


def test_months_never_seen_run_at_the_average_speed():
    factors = read(shop("2022-01-01", "2022-08-31"), "2022-08-31")
    assert (factors[8:] == 1).all()
    assert (factors[:8] != 1).all()


def test_days_without_orders_count():
    log = shop("2022-01-01", "2022-12-31")
    assert read(log[log["order_date"].dt.month != 8], "2022-12-31")[7] < 0.03


def test_later_orders_are_not_seen():
    log = shop("2022-01-01", "2023-06-30", yearly_growth=0.5)
    assert (read(log, "2022-12-31") == read(log[log["order_date"] <= "2022-12-31"], "2022-12-31")).all()


@pytest.mark.parametrize("last_day", ["2023-12-31", "2024-12-30", "2024-05-31"])
def test_a_growing_flow_of_two_years_and_more_gives_its_seasons_back(last_day):
    factors = read(shop("2022-01-01", last_day, yearly_growth=0.3), last_day)
    assert factors / factors.mean() == pytest.approx(SEASONS, abs=0.015)


def test_growth_is_handed_on_and_one_below_minus_one_refused():
    log = shop("2022-01-01", "2022-01-31")
    assert order_clock(log, as_of="2022-01-31", growth=0.1).growth == 0.1
    with pytest.raises(SettingsError, match="growth is -1"):
        order_clock(log, as_of="2022-01-31", growth=-1.0)


def test_a_log_without_orders_has_no_clock():
    with pytest.raises(DataError, match="nobody has bought"):
        order_clock(shop("2022-01-01", "2022-01-31"), as_of="2021-12-31")


# --- shop or extract ----------------------------------------------------------------------------------------------


def joining(newcomers_a_day_at_last: int) -> pd.DataFrame:
    """Ten newcomers a day for 274 days, then fewer for 91."""
    days = pd.date_range("2022-01-01", "2022-12-31")
    joined = np.repeat(days, np.where(np.arange(365) < 274, 10, newcomers_a_day_at_last))
    return pd.DataFrame({"customer_id": [f"c{i}" for i in range(len(joined))], "order_date": joined, "amount": 1.0})


@pytest.mark.parametrize(("newcomers", "is_open"), [(10, True), (1, True), (0, False)])
def test_a_shop_is_open_if_newcomers_still_come(newcomers, is_open):
    assert is_open_shop(joining(newcomers), as_of="2022-12-31") is is_open


def test_cdnow_is_an_extract(cdnow):
    assert not is_open_shop(cdnow, as_of="1998-06-30")


def test_a_log_without_orders_is_no_open_shop():
    assert not is_open_shop(joining(1), as_of="2021-12-31")


# --- gaps ---------------------------------------------------------------------------------------------------------


def three_orders() -> pd.DataFrame:
    days = pd.to_datetime(["2022-01-03", "2022-06-20", "2022-07-11", "2022-05-01", "2022-12-31"])
    return pd.DataFrame({"customer_id": ["a", "a", "a", "b", "a"], "order_date": days, "amount": 1.0})


def test_gaps_are_measured_by_the_clock():
    log, as_of = three_orders(), date(2022, 7, 31)
    customers = with_gaps(log, summarize_customers(log, as_of=as_of), clock())
    first = 168 * 2 / 3 / 7  # from 3 January to 20 June
    second = (11 * 2 / 3 + 10 * 4 / 3) / 7  # from 20 June to 11 July; what came after the as-of date is not seen
    assert customers.frame["sum_log_gap"].to_dict() == pytest.approx({"a": np.log(first) + np.log(second), "b": 0.0})


def test_gaps_by_a_clock_of_even_speed_are_those_of_the_calendar():
    log, as_of = three_orders(), date(2022, 12, 31)
    even = OrderClock((1.0,) * 12, date(2022, 1, 3), as_of, 0.0, "week")
    by_calendar = summarize_customers(log, as_of=as_of, gaps=True).frame["sum_log_gap"]
    by_clock = with_gaps(log, summarize_customers(log, as_of=as_of), even).frame["sum_log_gap"]
    pd.testing.assert_series_equal(by_clock, by_calendar)


def test_the_summary_given_is_left_as_it_is():
    log = three_orders()
    customers = summarize_customers(log, as_of="2022-12-31")
    assert isinstance(with_gaps(log, customers, clock()), CustomerSummary)
    assert "sum_log_gap" not in customers.frame
