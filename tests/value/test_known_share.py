"""The share of known customers: counted as the reference counts it, and the total that follows from it."""

from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.order_clock import OrderClock, order_clock
from crm_analysis.data.summaries import split_calibration_holdout
from crm_analysis.value.known_share import known_share, orders_of_known_customers

RETAIL_AS_OF = date(2010, 11, 30)
FIRST, LAST = date(2022, 1, 1), date(2022, 12, 31)


def log_of(orders: dict[str, list[str]]) -> pd.DataFrame:
    rows = [(customer, day, 1.0) for customer, days in orders.items() for day in days]
    return pd.DataFrame(rows, columns=["customer_id", "order_date", "amount"]).astype({"order_date": "datetime64[us]"})


def daily(customers: int, days: int = 365, *, growth: float = 0.0, strangers: float = 0.0) -> pd.DataFrame:
    """Orders of customers who come again and again, and of strangers who come once, in a flow without seasons."""
    rng = np.random.default_rng(20240601)
    flow = 30 * (1 + growth) ** (np.arange(days) / 365)
    day = np.repeat(pd.date_range(FIRST, periods=days), rng.poisson(flow))
    name = np.where(
        rng.random(len(day)) < strangers, customers + np.arange(len(day)), rng.integers(0, customers, len(day))
    )
    return pd.DataFrame({"customer_id": name.astype(str), "order_date": day, "amount": 1.0}).drop_duplicates()


def test_shares_of_a_shop_match_the_reference(retail, published):
    shares = [known_share(retail, as_of=RETAIL_AS_OF, months=months) for months in range(1, 7)]
    published.check("shop-known-share", shares)


def test_an_order_counts_if_its_customer_was_seen_in_the_months_before():
    # A month is 30 days; of a log of 60 days the 31st alone has both stretches around it.
    log = log_of({"a": ["2022-01-01", "2022-02-10"], "b": ["2022-02-11"], "c": ["2022-02-12", "2022-02-13"]})
    assert known_share(log, as_of="2022-03-01", months=1) == pytest.approx(1 / 4)


def test_who_comes_every_week_is_known_and_who_comes_once_is_not():
    weekly = [str(day.date()) for day in pd.date_range(FIRST, LAST, freq="7D")]
    once = {f"s{n}": [day] for n, day in enumerate(weekly)}
    for months in (2, 6):
        assert known_share(log_of({"a": weekly}), as_of=LAST, months=months) == 1
        assert known_share(log_of({"a": weekly} | once), as_of=LAST, months=months) == 0.5


def test_a_longer_stretch_than_half_of_the_log_is_taken_as_half():
    log = daily(400)
    assert known_share(log, as_of=LAST, months=9) == known_share(log, as_of=LAST, months=6)


def test_later_orders_are_not_seen():
    log = daily(400)
    early = log[log["order_date"] <= "2022-06-30"]
    assert known_share(log, as_of="2022-06-30", months=2) == known_share(early, as_of="2022-06-30", months=2)


def test_a_log_without_orders_has_no_share():
    assert np.isnan(known_share(daily(10), as_of="2021-12-31", months=1))


@pytest.mark.parametrize("strangers", [0.0, 0.3])
def test_the_total_of_a_steady_flow_is_its_orders_times_the_share(strangers):
    log = daily(300, strangers=strangers)
    clock = order_clock(log, as_of=LAST)
    total = orders_of_known_customers(log, as_of=LAST, clock=clock, horizon=26.0)
    # Every customer of 300 comes in six months for certain; a stranger never comes again.
    assert total == pytest.approx(len(log) / 2 * (1 - strangers), rel=0.03)


def test_the_total_follows_the_seasons_of_the_clock():
    log = daily(300)
    doubled = OrderClock((0.5,) * 6 + (1.5,) * 6, FIRST, LAST, 0.0, "week")
    slow, fast = (orders_of_known_customers(log, as_of=LAST, clock=doubled, horizon=h) for h in (13.0, 52.0))
    assert fast / slow == pytest.approx(52 / 13 / 0.5, rel=0.01)


def test_the_total_grows_with_the_volume_plan():
    log = daily(300)
    plain, planned = (order_clock(log, as_of=LAST, growth=growth) for growth in (0.0, 0.2))
    how = {"as_of": LAST, "horizon": 26.0}
    ratio = orders_of_known_customers(log, clock=planned, **how) / orders_of_known_customers(log, clock=plain, **how)
    assert ratio == pytest.approx(1.2)


def test_the_total_is_the_same_in_every_unit():
    log = daily(300)
    weeks, days = (order_clock(log, as_of=LAST, time_unit=unit) for unit in ("week", "day"))
    how = {"as_of": LAST}
    assert orders_of_known_customers(log, clock=days, horizon=91.0, **how) == pytest.approx(
        orders_of_known_customers(log, clock=weeks, horizon=13.0, **how)
    )


@pytest.mark.parametrize("position", [0, 1, 2])
def test_totals_inside_the_year_match_the_reference(retail, retail_clock, published, position):
    origin, days = [(date(2010, 5, 31), 91), (date(2010, 5, 31), 183), (date(2010, 8, 31), 91)][position]
    split = split_calibration_holdout(retail, calibration_end=origin, as_of=origin + timedelta(days=days))
    total = orders_of_known_customers(retail.until(origin), as_of=origin, clock=retail_clock, horizon=days / 7)
    error = 100 * (total / split.holdout["purchases"].sum() - 1)
    assert error == pytest.approx(published.column("shop-backtest-known-share", "values")[position, 0], abs=0.05)


def test_the_flow_of_a_growing_shop_is_that_of_its_last_year():
    log = daily(300, 3 * 365, growth=0.4)
    as_of = FIRST + timedelta(days=3 * 365 - 1)
    last_year = (log["order_date"] > pd.Timestamp(as_of - timedelta(days=365))).sum()
    total = orders_of_known_customers(log, as_of=as_of, clock=order_clock(log, as_of=as_of), horizon=365 / 7)
    assert total == pytest.approx(last_year, rel=0.05)
