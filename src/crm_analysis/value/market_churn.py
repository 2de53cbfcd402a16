"""The company beside its market: shares of customers and revenue, and who grew faster."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, cast

import numpy as np
import pandas as pd

from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import Violation, refuse
from crm_analysis.messages import _
from crm_analysis.value.loss import Loss, unknown

_TABLE = "market"
_NUMBERS = ("market_customers", "market_revenue", "own_share_of_wallet")


def market_position(transactions: Transactions, market: pd.DataFrame, *, end: date) -> pd.DataFrame:
    """Put the company's own customers and revenue beside those of the market, period by period.

    Parameters
    ----------
    transactions : Transactions
        The purchase log.
    market : DataFrame, one row a period
        period (text such as "2024", "2024Q1" or "2024-03", or a day of the month meant); market_customers (buyers in
        the period, the company's own included); market_revenue (in the log's currency, likewise);
        own_share_of_wallet (what share of their spending the company's customers do with it), where known.
    end : date
        Periods that are not over by then are left out.

    Returns
    -------
    DataFrame, indexed by period (a PeriodIndex, sorted)
        own_customers and own_revenue (missing for periods that began before the log did), market_customers,
        market_revenue, share_of_customers, share_of_revenue; market_growth and own_growth of the revenue since the
        period before (a fraction; missing where that is not at hand) and growth_gap, own less market;
        own_share_of_wallet.

    Raises
    ------
    DataError
        When periods cannot be read or repeat, or numbers are none: all rules at once.
    """
    frame = _checked(market)
    frame = frame[_last_days(frame) <= pd.Timestamp(end)]
    own = [_own(transactions, period) for period in frame.index]
    frame["own_customers"], frame["own_revenue"] = np.array(own, dtype=float).reshape(-1, 2).T
    frame["share_of_customers"] = frame["own_customers"] / frame["market_customers"]
    frame["share_of_revenue"] = frame["own_revenue"] / frame["market_revenue"]
    follows = np.append(False, np.diff(frame.index.astype("int64")) == 1)[: len(frame)]
    for name in ("market", "own"):
        growth = frame[f"{name}_revenue"].pct_change(fill_method=None)
        frame[f"{name}_growth"] = growth.where(follows & np.isfinite(growth))
    frame["growth_gap"] = frame["own_growth"] - frame["market_growth"]
    first = ["own_customers", "own_revenue", "market_customers", "market_revenue"]
    shares = ["share_of_customers", "share_of_revenue", "market_growth", "own_growth", "growth_gap"]
    return frame[[*first, *shares, "own_share_of_wallet"]]


def market_churn(position: pd.DataFrame | None, start: date, end: date) -> list[Loss]:
    """How much of its share of the market the company lost: of customers, and of revenue."""
    measures = {
        "share_of_customers": _("Share of the market's customers; lost is what it fell by, negative where it rose."),
        "share_of_revenue": _("Share of the market's revenue; lost is what it fell by, negative where it rose."),
    }
    if position is None:
        return [
            unknown("market", name, words, _("No figures of the market were given."))
            for name, words in measures.items()
        ]
    ends = _last_days(position)
    then, now = position[ends <= pd.Timestamp(start)], position[ends <= pd.Timestamp(end)]
    if then.empty or len(now) == len(then):
        why = _("The market table has no period that is over by the start and another that is over by the end.")
        return [unknown("market", name, words, why) for name, words in measures.items()]
    last_then, last_now = then.index[-1], now.index[-1]
    days = (last_now.end_time.normalize() - last_then.end_time.normalize()).days
    note = _("{then} against {now}.", then=str(last_then), now=str(last_now))
    losses = []
    for name, words in measures.items():
        share, later = float(then[name].iloc[-1]), float(now[name].iloc[-1])
        if np.isfinite(share) and np.isfinite(later):
            losses.append(Loss("market", name, share, share - later, words, days, note=note))
        else:
            why = _("The share is not known in both of {then} and {now}.", then=str(last_then), now=str(last_now))
            losses.append(unknown("market", name, words, why))
    return losses


def _last_days(table: pd.DataFrame) -> pd.DatetimeIndex:
    return cast(pd.PeriodIndex, table.index).end_time.normalize()


def _own(transactions: Transactions, period: pd.Period) -> tuple[float, float]:
    first, last = period.start_time.date(), period.end_time.date()
    if transactions.first_date is None or first < transactions.first_date.replace(day=1):
        return float("nan"), float("nan")
    bought = purchases_between(transactions, after=first - timedelta(days=1), until=last)
    return float(len(bought)), float(bought["spend"].sum())


def _checked(market: pd.DataFrame) -> pd.DataFrame:
    absent = [name for name in ("period",) if name not in market.columns]
    refuse(Violation(_TABLE, name, "there is no such column", 0, "name the period of each row.") for name in absent)
    periods = [_period(value) for value in market["period"]]
    refuse(_broken(market, periods))
    numbers = {name: _number(market, name) for name in _NUMBERS}
    frame = pd.DataFrame(numbers).set_axis(pd.PeriodIndex(periods, name="period", freq=None if periods else "M"))
    return frame.sort_index()


def _period(value: Any) -> pd.Period | None:
    """Read a period; a day stands for its month."""
    if pd.isna(value):
        return None
    try:
        period = pd.Period(value, freq="M") if isinstance(value, date) else pd.Period(str(value).strip())
    except ValueError:
        return None
    return period.asfreq("M") if period.freqstr == "D" else period


def _number(market: pd.DataFrame, name: str) -> np.ndarray:
    column = market.get(name, pd.Series(np.nan, index=market.index))
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)


def _broken(market: pd.DataFrame, periods: list[pd.Period | None]) -> Iterator[Violation]:
    unread = np.array([period is None for period in periods], dtype=bool)
    kinds = {period.freqstr for period in periods if period is not None}
    repeated = pd.Series(periods, dtype=object).duplicated(keep=False).to_numpy() & ~unread
    rules = [
        ("period", "not a period", unread, "write a year, quarter or month, such as 2024, 2024Q1 or 2024-03."),
        ("period", "given more than once", repeated, "give one row a period."),
        (
            "period",
            "of another length than others",
            ~unread & (len(kinds) > 1),
            "give years, quarters or months alone.",
        ),
    ]
    for name in _NUMBERS:
        if name in market.columns:
            wrong = market[name].notna().to_numpy() & ~(_number(market, name) >= 0)
            rules.append((name, "not a number of 0 or more", wrong, "leave out what is not known."))
    share = _number(market, "own_share_of_wallet")
    rules.append(("own_share_of_wallet", "above 1", share > 1, "give a fraction, such as 0.4 for 40%."))
    for column, words, rows, fix in rules:
        if rows.any():
            yield Violation(_TABLE, column, words, int(rows.sum()), fix, market.loc[rows, ["period"]].head(5))
