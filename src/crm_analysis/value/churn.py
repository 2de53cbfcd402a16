"""Churn and retention on four bases that seldom agree: customers, market, money, competition."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import seen_by
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _
from crm_analysis.messages import day as written
from crm_analysis.models.checks import check_whole, is_number
from crm_analysis.value.customer_churn import by_contract, by_model, by_rule
from crm_analysis.value.exit_reasons import competition_churn, exit_reasons
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.loss import table_of
from crm_analysis.value.market_churn import market_churn, market_position
from crm_analysis.value.money_churn import RevenueBridge, money_churn


@dataclass(frozen=True, eq=False)
class ChurnRates:
    """What was lost between two dates, on every basis that the tables allow.

    Attributes
    ----------
    rates : DataFrame, indexed by basis and measure
        start, lost, kept (start - lost), rate (lost / start) with its 95% limits lower and upper, retention (1 - rate),
        months the rate is over, annual_rate (1 - (1 - rate)^(12 / months): the same share of what is left is lost again
        and again), definition and note, in words. Missing where it cannot be told; `note` then says why. Rows:

        - customers: by_rule, by_model, members, renewals;
        - market: share_of_customers, share_of_revenue;
        - money: margin, net_revenue, gross_revenue;
        - competition: to_rival, a share of those who left: no retention, no annual rate.
    revenue : RevenueBridge
        Lost, contraction and expansion behind the rows of revenue.
    market : DataFrame or None
        As of `market_position`.
    exit_reasons : DataFrame or None
        As of `exit_reasons`.
    start, end : date
        What is lost was there at the end of `start` and no longer at the end of `end`.
    """

    rates: pd.DataFrame
    revenue: RevenueBridge
    market: pd.DataFrame | None
    exit_reasons: pd.DataFrame | None
    start: date
    end: date


def churn_rates(
    transactions: Any,
    *,
    start: Day,
    end: Day,
    active_days: int = 90,
    before: CustomerValues | None = None,
    now: CustomerValues | None = None,
    memberships: pd.DataFrame | None = None,
    market: pd.DataFrame | None = None,
    exits: pd.DataFrame | None = None,
    margin: float | None = None,
    draws: int = 200,
    seed: int = 0,
) -> ChurnRates:
    """Say what was lost between two dates: customers, share of the market, money, and to whom.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log. Both dates are counted as the log stood at `end`, later refunds of earlier purchases included.
    start, end : date or str
        End of the day before the time, and of its last day.
    active_days : int
        By the rule, a customer with a purchase in the last so many days is active.
    before, now : CustomerValues, optional
        Values as of `start` and of `end`, for churn by model.
    memberships : DataFrame, optional
        One row a contract: customer_id, started_on, ended_on, renewal_period. The last day of a contract is `ended_on`.
    market, exits : DataFrame, optional
        As `market_position` and `exit_reasons` take them.
    margin : float, optional
        Share of spend that is left, where the log does not tell margins or costs.
    draws, seed : int
        Drawn parameters behind the interval by model.

    Returns
    -------
    ChurnRates

    Raises
    ------
    DataError
        When a table is refused, or nobody has bought by `end`.
    SettingsError
        When dates are not in order, the log was cut before `end`, values are of other days, or a number is out of
        range.

    Notes
    -----
    Intervals take customers as drawn independently of one another; that of the model contains its parameters instead.
    Shares of the market are differences of figures as given and have none.
    """
    first, last = to_day(start, "start"), to_day(end, "end")
    if first >= last:
        raise SettingsError(f"start is {first} and end is {last}; give an earlier and a later day.")
    check_whole("active_days", active_days, least=1)
    if margin is not None and not (is_number(margin) and 0 < margin <= 1):
        raise SettingsError(f"margin is {margin!r}; give a share of spend above 0 and at most 1.")
    log = seen_by(transactions, last)
    money, revenue = money_churn(log, first, last, margin)
    position = None if market is None else market_position(log, market, end=last)
    losses = [
        by_rule(log, first, last, active_days),
        by_model(before, now, first, last, draws, seed),
        *by_contract(memberships, first, last),
        *market_churn(position, first, last),
        *money,
        competition_churn(exits, first, last),
    ]
    reasons = None if exits is None else exit_reasons(exits, start=first, end=last)
    reach = {"by_rule": active_days, **dict.fromkeys(("margin", "net_revenue", "gross_revenue"), (last - first).days)}
    rates = table_of(losses)
    for measure, days in reach.items():
        if log.first_date is not None and log.first_date > first - timedelta(days=days - 1):
            is_row = rates.index.get_level_values("measure") == measure
            words = _("The log begins on {date}, inside the time that is looked back on.", date=written(log.first_date))
            rates.loc[is_row, "note"] = (rates.loc[is_row, "note"] + " " + words).str.strip()
    return ChurnRates(rates, revenue, position, reasons, first, last)
