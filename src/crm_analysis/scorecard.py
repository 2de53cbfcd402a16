"""Every indicator of the report: its meaning, its value now and before, its target, and what to call the change."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from crm_analysis.data.activity import base_by_date, monthly_activity
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.interval import Interval
from crm_analysis.periods import Month
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.equity_history import equity_history

Verdict = Literal["better", "worse", "unchanged", "no clear change", "neutral"]
MONTHS_SHOWN = 13


@dataclass(frozen=True)
class Indicator:
    """One indicator.

    Attributes
    ----------
    key : str
        Its column in the history.
    name, definition : str
        For the reader; to be looked up in the message catalogue.
    kind : {"money", "count", "share"}
        How it is written, and whether a change is in percent or in points.
    higher_is_better : bool or None
        None for an indicator that is neither good nor bad by itself.
    """

    key: str
    name: str
    definition: str
    kind: Literal["money", "count", "share"]
    higher_is_better: bool | None = True


INDICATORS = (
    Indicator("equity", N_("Customer equity"), N_("current customers and, where forecast, future ones"), "money"),
    Indicator("customers", N_("Customers"), N_("have bought at least once"), "count"),
    Indicator("active_customers", N_("Active customers"), N_("bought in the last {days} days"), "count"),
    Indicator("new_customers", N_("New customers"), N_("first purchase in the month"), "count"),
    Indicator("repeat_rate", N_("Repeat rate"), N_("customers who have bought on two days or more"), "share"),
    Indicator("revenue", N_("Revenue"), N_("in the month, net of refunds"), "money"),
    Indicator("orders", N_("Orders"), N_("purchase days in the month"), "count"),
    Indicator("order_value", N_("Mean order value"), N_("revenue per order in the month"), "money", None),
)

# Those of a company of contracts.
CONTRACT_INDICATORS = (
    Indicator("equity", N_("Customer equity"), N_("current members and, where forecast, future ones"), "money"),
    Indicator("members", N_("Members"), N_("have a running contract at the end of the month"), "count"),
    Indicator("new_members", N_("New members"), N_("first contract ever began in the month"), "count"),
    Indicator("won_back", N_("Won back"), N_("had left before the month, and are members again"), "count"),
    Indicator(
        "lost_members", N_("Members lost"), N_("members when the month began, and none at its end"), "count", False
    ),
    Indicator(
        "renewal_rate", N_("Renewal rate"), N_("of the contracts up for renewal in the month, or ended"), "share"
    ),
    Indicator("renewals_due", N_("Renewals due"), N_("contracts up for renewal in the month, or ended"), "count", None),
    Indicator("fees", N_("Fees"), N_("of contracts that began or were renewed in the month"), "money"),
)


@dataclass(frozen=True, eq=False)
class Scorecard:
    """All indicators of a period beside the month before, the same month a year before, and their targets.

    Attributes
    ----------
    history : DataFrame, index month ("1998-06"), thirteen rows
        One column an indicator; missing where the log does not reach back.
    period : Month
    equity_interval : Interval
        Where the equity of this month will be realised.
    expected_interval : Interval
        Doubt about this month's equity as an expectation; a smaller change is called no clear change.
    targets : mapping of indicator key to value
    indicators : tuple of Indicator
        Those of the kind of company.
    """

    history: pd.DataFrame
    period: Month
    equity_interval: Interval
    expected_interval: Interval
    targets: Mapping[str, float]
    indicators: tuple[Indicator, ...] = INDICATORS

    def indicator(self, key: str) -> Indicator:
        """Return the indicator with this key."""
        return next(one for one in self.indicators if one.key == key)

    def value(self, key: str, months_ago: int = 0) -> float:
        """Value of an indicator, this month or earlier; missing where the log does not reach."""
        month = str(self.period.shift(-months_ago))
        return float(self.history[key].get(month, float("nan")))

    def change(self, key: str, months_ago: int) -> float:
        """Change since an earlier month: a share of the value then; of a share, the difference."""
        now, then = self.value(key), self.value(key, months_ago)
        if self.indicator(key).kind == "share":
            return now - then
        return (now - then) / abs(then) if then else (0.0 if now == then else float("nan"))

    def verdict(self, key: str, months_ago: int) -> Verdict:
        """What to call the change, in a word that claims no more than the data do."""
        now, then = self.value(key), self.value(key, months_ago)
        if now == then:
            return "unchanged"
        if key == "equity" and then in self.expected_interval:
            return "no clear change"
        return _judge(now - then, self.indicator(key).higher_is_better)

    def against_target(self, key: str) -> Verdict | None:
        """Whether the target is met; None when there is none."""
        if key not in self.targets:
            return None
        target = self.targets[key]
        if key == "equity" and target in self.expected_interval:
            return "no clear change"
        met = (self.value(key) >= target) == (self.indicator(key).higher_is_better is not False)
        return "better" if met or self.value(key) == target else "worse"

    @property
    def table(self) -> pd.DataFrame:
        """One row an indicator: value, previous, year_ago, target; for files and other tools."""
        rows = {
            one.key: {
                "value": self.value(one.key),
                "previous": self.value(one.key, 1),
                "year_ago": self.value(one.key, 12),
                "target": self.targets.get(one.key, float("nan")),
            }
            for one in self.indicators
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("indicator")


def indicator(key: str) -> Indicator:
    """Return the indicator with this key."""
    return next(one for one in INDICATORS if one.key == key)


def _judge(difference: float, higher_is_better: bool | None) -> Verdict:
    if higher_is_better is None or difference != difference:
        return "neutral"
    return "better" if (difference > 0) == higher_is_better else "worse"


def build_scorecard(
    transactions: Transactions,
    *,
    period: Month,
    equity: CustomerEquity,
    active_days: int,
    targets: Mapping[str, float] | None = None,
    fitted_anew: bool = True,
    sample: Transactions | None = None,
    prospects: Any = None,
) -> Scorecard:
    """Compute thirteen months of every indicator.

    Parameters
    ----------
    transactions : Transactions
        The log, cut at the end of the period.
    period : Month
        The month of the book.
    equity : CustomerEquity
        Of the period; earlier months repeat its model, its assumptions and its way to forecast newcomers on the log as
        it stood then.
    active_days : int
        What counts as active.
    targets : mapping, optional
        Indicator key to value.
    fitted_anew : bool
        Whether the purchase model is fitted to each month, as in `equity_history`.
    sample : Transactions, optional
        The log of the sample of customers that was valued, where `equity` is not made from everybody.
    prospects : SideTable, or anything `read_prospects` accepts, optional
        The history behind an acquisition from the pipeline.

    Raises
    ------
    SettingsError
        When a target names no indicator.
    """
    targets = dict(targets or {})
    check_targets(targets, INDICATORS)
    months = _months_with_data(transactions, period)
    dates = [month.last_day for month in months]
    index = pd.Index([str(month) for month in months], name="month")
    history = base_by_date(transactions, dates=dates, active_days=active_days).set_axis(index)
    history["repeat_rate"] = history["repeat_customers"] / history["customers"]
    activity = monthly_activity(transactions).reindex(index)
    history[["new_customers", "orders", "revenue"]] = activity[["new_customers", "orders", "revenue"]]
    history["order_value"] = history["revenue"] / history["orders"].where(history["orders"] > 0)
    earlier = equity_history(
        sample or transactions,
        dates=dates[:-1],
        like=equity.values,
        fitted_anew=fitted_anew,
        acquisition=equity.acquisition,
        newcomers=transactions,
        prospects=prospects,
    )
    # A month whose log was too short for a sound fit has no equity to compare with.
    history["equity"] = [*earlier["equity"].where(earlier["sound"]), equity.total]
    calendar = [str(month) for month in months_shown(period)]
    return Scorecard(
        history.reindex(calendar).rename_axis("month"), period, equity.interval, equity.parameter_interval, targets
    )


def check_targets(targets: Mapping[str, float], indicators: tuple[Indicator, ...]) -> None:
    """Raise `SettingsError` when a target names no indicator."""
    unknown = sorted(set(targets) - {one.key for one in indicators})
    if unknown:
        known = ", ".join(one.key for one in indicators)
        raise SettingsError(f"report.targets: unknown indicator {', '.join(unknown)}; the indicators are {known}.")


def months_shown(period: Month) -> list[Month]:
    """Return the months of a history, oldest first, that of the book last."""
    return [period.shift(-back) for back in reversed(range(MONTHS_SHOWN))]


def _months_with_data(transactions: Transactions, period: Month) -> list[Month]:
    """The months shown, from the first complete one of the log on."""
    assert transactions.first_date is not None  # an empty log is refused before
    first = Month.of(transactions.first_date)
    if transactions.first_date.day > 1:
        first = first.shift(1)
    return [month for month in months_shown(period) if month >= first] or [period]
