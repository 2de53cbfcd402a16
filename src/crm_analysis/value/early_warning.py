"""Whose value is slipping away: customers who are less likely to be there still than at the last look."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, number, plural
from crm_analysis.models.checks import check_whole
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.value.lifetime_value import CustomerValues

# Silence is long where it exceeds the usual gap by this factor.
_LONG = 1.5


def early_warnings(now: CustomerValues, before: CustomerValues, *, most: int = 50) -> pd.DataFrame:
    """List the customers of whom most value has become doubtful since an earlier date.

    Parameters
    ----------
    now, before : CustomerValues
        The same base on a date and on an earlier one.
    most : int
        Length of the list.

    Returns
    -------
    DataFrame, indexed by customer_id, the highest value_doubtful first
        - probability_before, probability_now: to be a customer still, on either date, as known then;
        - drop: the former less the latter, above 0;
        - value_if_there: the residual value of the earlier date had the customer been there for certain (residual value
          over probability alive);
        - value_doubtful: drop x value_if_there, in the log's currency;
        - days_silent, usual_gap (mean days between purchases; missing for one purchase);
        - bought, expected: purchases between the dates, and how many were expected on the earlier one;
        - reasons: what is seen, in words. None of it says why.

        Customers whose probability did not fall, or who were worth nothing, are not in it. Of two values by models with
        other parameters the difference holds the change of parameters too.

    Raises
    ------
    SettingsError
        When the dates are missing or not in order, or `most` is no count.
    """
    check_whole("most", most, least=1)
    first, last = _dates(now, before)
    common = before.frame.index.intersection(now.frame.index)
    then, today = before.frame.loc[common], now.frame.loc[common]
    old, new = before.customers.frame.loc[common], now.customers.frame.loc[common]
    alive = then["probability_alive"]
    drop = alive - today["probability_alive"]
    value = (then["residual_value"] / alive).where(alive > 0, 0.0)
    table = pd.DataFrame(
        {
            "probability_before": alive,
            "probability_now": today["probability_alive"],
            "drop": drop,
            "value_if_there": value,
            "value_doubtful": drop * value,
        }
    )
    table = table[(drop > 0) & (value > 0)]
    # Ties are broken by customer id, so that the same inputs always give the same list.
    table = table.sort_index().sort_values("value_doubtful", ascending=False, kind="stable").head(most)
    per_unit = DAYS_PER_UNIT[now.customers.time_unit]
    old, new = old.loc[table.index], new.loc[table.index]
    horizon = (last - first).days / DAYS_PER_UNIT[before.customers.time_unit]
    expected = before.fits.purchases.expected_purchases(replace(before.customers, frame=old), horizon=horizon)
    table = table.assign(
        days_silent=((new["T"] - new["recency"]) * per_unit).round().astype("int64"),
        usual_gap=(new["recency"] * per_unit / new["frequency"].where(new["frequency"] > 0)),
        bought=(new["frequency"] - old["frequency"]).astype("int64"),
        expected=expected,
    )
    refunded = pd.Series(False, index=table.index)
    if "total_spend" in old and "total_spend" in new:
        refunded = new["total_spend"] < old["total_spend"] - 0.005
    return table.assign(
        reasons=[_reasons(row, bool(back)) for row, back in zip(table.itertuples(), refunded, strict=True)]
    )


def _dates(now: CustomerValues, before: CustomerValues) -> tuple[date, date]:
    first, last = before.customers.as_of, now.customers.as_of
    if first is None or last is None or first >= last:
        raise SettingsError(
            f"the values are as of {first} and {last}; give those of a later and of an earlier date, now and before."
        )
    return first, last


def _reasons(row: Any, refunded: bool) -> str:
    """Say what is seen of one customer."""
    seen = []
    if np.isfinite(row.usual_gap) and row.days_silent > _LONG * row.usual_gap:
        seen.append(
            _(
                "silent for {days} days, against a usual gap of {gap}",
                days=count(row.days_silent),
                gap=count(row.usual_gap),
            )
        )
    elif not np.isfinite(row.usual_gap):
        seen.append(_("one purchase, {days} days ago", days=count(row.days_silent)))
    if 0 <= row.bought < row.expected and row.expected >= 0.5:
        expected = {"expected": number(row.expected, 1)}
        seen.append(
            plural("bought once where {expected} were expected", "bought {n} times where {expected} were expected",
                   row.bought, **expected)
            if row.bought
            else _("bought nothing where {expected} were expected", **expected)
        )  # fmt: skip
    if row.bought < 0:
        seen.append(_("a purchase was cancelled in full"))
    elif refunded:
        seen.append(_("got more money back than was spent since"))
    if not seen:
        seen.append(_("no single sign; last bought {days} days ago", days=count(row.days_silent)))
    return "; ".join(seen)
