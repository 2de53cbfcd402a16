"""The purchase log as an export shows it: refunds, gifts, copies, lines without a customer, and how many of each.

An order has at most one oddity, so that what the door has to find can be counted beforehand.
"""

from dataclasses import astuple, dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Span, words
from crm_analysis.company.lines import LinePlan

GOODWILL, GIFT = "CREDIT", "SAMPLE"
_REFUND_AFTER = 3  # days at least


@dataclass(frozen=True)
class OddRows:
    """Share of orders with each oddity.

    Attributes
    ----------
    refunded_in_full, refunded_in_part : float
        Under the order's id, days after it. About 2 % of orders see a refund of some kind.
    goodwill : float
        Money back that names no order, for no product that was sold.
    missing_customer_id : float
        All lines of the order have none.
    copied : float
        One line comes twice.
    with_gift : float
        One line more, with an amount of zero.
    in_two : float
        Written as two orders of one day, where the order has several lines.
    refund_delay : float
        Mean days from order to refund beyond the first three.
    gift_cost : float
        What a gift costs the company.
    """

    refunded_in_full: float = 0.008
    refunded_in_part: float = 0.008
    goodwill: float = 0.004
    missing_customer_id: float = 0.010
    copied: float = 0.004
    with_gift: float = 0.010
    in_two: float = 0.020
    refund_delay: float = 9.0
    gift_cost: float = 0.80


NOTHING_ODD = OddRows(0, 0, 0, 0, 0, 0, 0)
_KINDS = ("full", "part", "goodwill", "nameless", "copied", "gift", "in_two")


class Log(NamedTuple):
    """What the door is given, and what it should find.

    Attributes
    ----------
    transactions : DataFrame
        The purchase log.
    odd_rows : DataFrame, index name
        `rows` and `money` of each outcome and counter of the door that something was planted for.
    later : DataFrame
        Purchases after the as-of date, one row a customer and day: customer (position), day, cents, margin (cents).
    """

    transactions: pd.DataFrame
    odd_rows: pd.DataFrame
    later: pd.DataFrame


def with_oddities(odd: OddRows, lines: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Add the oddities to the lines; `fate` says what a line then is, once all of its order has been seen."""
    n = int(lines["order"].max()) + 1 if len(lines) else 0
    shares = np.array(astuple(odd)[: len(_KINDS)])
    kind = np.searchsorted(np.cumsum(shares), rng.random(n), side="right")
    refunded_on = _REFUND_AFTER + np.floor(rng.exponential(odd.refund_delay, size=n)).astype(int)
    of = kind[lines["order"].to_numpy()]
    lines = lines.assign(
        fate=np.select([of == 0, of == 3], ["cancelled_in_full", "missing_customer_id"], "used"),
        refund_day=lines["bought"] + refunded_on[lines["order"].to_numpy()],
    )
    first = lines["line"] == 0
    in_two = (of == 6) & ~first
    lines.loc[in_two, "order_id"] = lines.loc[in_two, "order_id"] + "-2"
    whole = _given_back(lines).assign(fate="refund_netted")
    some = _given_back(lines, halved=True).assign(fate="refund_in_part")
    goodwill = _given_back(lines, halved=True).assign(
        fate="refund_unmatched", order_id=None, product=GOODWILL, quantity=1, cost=0
    )
    gift = lines.assign(cents=0, cost=round(100 * odd.gift_cost), product=GIFT, quantity=1, fate="zero_amount")
    return pd.concat(
        [
            lines,
            whole[of == 0],
            some[(of == 1) & first],
            goodwill[(of == 2) & first],
            lines[(of == 4) & first].assign(fate="copy"),
            gift[(of == 5) & first],
        ],
        ignore_index=True,
    )


def _given_back(lines: pd.DataFrame, *, halved: bool = False) -> pd.DataFrame:
    parts = 2 if halved else 1
    negative = {name: -((lines[name] + parts - 1) // parts) for name in ("cents", "cost", "quantity")}
    return lines.assign(**negative, is_refund=True, day=lines["refund_day"])


def as_delivered(plan: LinePlan, lines: pd.DataFrame, people: pd.DataFrame, span: Span, currency: str) -> Log:
    """Cut the lines at the as-of date and write them as the export would."""
    seen = lines[lines["day"] < span.days].sort_values(["day", "order_id", "line"], kind="stable", na_position="last")
    # A purchase is cancelled once its refund is known.
    not_yet = (seen["fate"] == "cancelled_in_full") & (seen["refund_day"] >= span.days)
    seen = seen.assign(fate=seen["fate"].mask(not_yet, "used"))
    named = seen["fate"].to_numpy() != "missing_customer_id"
    customer = np.where(named, seen["customer"].to_numpy(), -1)
    transactions = pd.DataFrame(
        {
            "customer_id": words(list(people["customer_id"]), customer),
            "order_date": span.dates(seen["day"].to_numpy()),
            "amount": seen["cents"].to_numpy() / 100,
            "order_id": seen["order_id"].to_numpy(),
            "product": seen["product"].to_numpy(),
            "category": words([each.name for each in plan.categories], seen["category"].to_numpy()),
            "quantity": seen["quantity"].to_numpy(),
            "cost": seen["cost"].to_numpy() / 100,
            "margin": (seen["cents"] - seen["cost"]).to_numpy() / 100,
            "channel": seen["channel"].to_numpy(),
            "is_refund": seen["is_refund"].to_numpy(),
            "currency": currency,
        }
    )
    return Log(transactions, _counted(seen), _purchases_after(lines, span))


_USED = ("used", "copy", "zero_amount", "refund_in_part")


def _counted(seen: pd.DataFrame) -> pd.DataFrame:
    """Count rows and money by what the door should say of them, in its words."""
    used = seen[seen["fate"].isin(_USED)]
    by_fate = {fate: rows["cents"] for fate, rows in seen.groupby("fate")}
    none = seen["cents"].iloc[:0]
    tally: dict[str, tuple[int, int]] = {"used": (len(used), int(used["cents"].sum()))}
    for name, fate in [
        *((name, name) for name in ("cancelled_in_full", "refund_netted", "refund_unmatched", "missing_customer_id")),
        ("exact_duplicates", "copy"),
        ("zero_amount", "zero_amount"),
        ("refunds_in_part", "refund_in_part"),
    ]:
        cents = by_fate.get(fate, none)
        tally[name] = len(cents), int(cents.sum())
    days = used.groupby(["customer", "bought"]).agg(
        lines=("cents", "size"), orders=("order_id", "nunique"), cents=("cents", "sum")
    )
    shared = days[days["orders"] > 1]
    tally["same_day_lines"] = int(shared["lines"].sum()), int(shared["cents"].sum())
    tally["same_day_purchases"] = len(shared), int(shared["cents"].sum())
    frame = pd.DataFrame.from_dict(tally, orient="index", columns=["rows", "money"]).rename_axis(index="name")
    return frame.assign(money=frame["money"] / 100)


def _purchases_after(lines: pd.DataFrame, span: Span) -> pd.DataFrame:
    """Return the purchases of the horizon as the door would use them; refunds after its end are not known there."""
    later = lines[(lines["bought"] >= span.days) & (lines["day"] < span.all_days)]
    not_yet = (later["fate"] == "cancelled_in_full") & (later["refund_day"] >= span.all_days)
    later = later[later["fate"].isin(_USED) | not_yet]
    later = later.assign(margin=later["cents"] - later["cost"])
    return (
        later.groupby(["customer", "bought"], as_index=False)[["cents", "margin"]]
        .sum()
        .rename(columns={"bought": "day"})
    )
