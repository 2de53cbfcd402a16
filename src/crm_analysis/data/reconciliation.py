"""The proof that no row and no cent is lost, and the counters of what is odd but used."""

from datetime import date
from decimal import Decimal

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import OUTCOMES
from crm_analysis.data.judging import CheckedLog
from crm_analysis.data.line_margins import IS_TOLD
from crm_analysis.errors import CrmAnalysisError
from crm_analysis.messages import N_

NO_MONEY = Decimal("0.0000")


def reconcile(log: CheckedLog, judged: ir.Table) -> tuple[pd.DataFrame, date | None, date | None]:
    """Add up rows and money by outcome; raise when they are not what came in, as when a source read in place changed.

    The first and the last day of the used lines come with it, None twice when there are none.
    """
    has_margins = log.margins is not None
    tally = judged.group_by("outcome").agg(
        rows=judged.count(), money=judged.amount.sum(), first=judged.order_date.min(), last=judged.order_date.max(),
        **({"margin": judged.margin.sum()} if has_margins else {}),
    )  # fmt: skip
    by_outcome = {row["outcome"]: row for row in engines.rows_of(tally)}
    rows = [by_outcome[outcome.key]["rows"] if outcome.key in by_outcome else 0 for outcome in OUTCOMES]
    money = [by_outcome[outcome.key]["money"] if outcome.key in by_outcome else NO_MONEY for outcome in OUTCOMES]
    if sum(rows) != log.rows or sum(money) != log.money:
        if not log.is_copied:
            now = f"{log.rows:,} rows and {log.money} at first, {sum(rows):,} rows and {sum(money)} later"
            raise engines.changed_while_read(log.source, now)
        raise CrmAnalysisError(
            f"{log.source}: {log.rows:,} rows and {log.money} came in, {sum(rows):,} rows and {sum(money)} are "
            "accounted for. This is a fault of crm_analysis, not of the data."
        )
    table = pd.DataFrame(
        {
            "outcome": [outcome.key for outcome in OUTCOMES],
            "status": [outcome.status for outcome in OUTCOMES],
            "reason": [outcome.reason for outcome in OUTCOMES],
            "rows": rows,
            "money": money,
        }
    )
    if has_margins:
        table["margin"] = [by_outcome.get(outcome.key, {"margin": NO_MONEY})["margin"] for outcome in OUTCOMES]
    used = by_outcome.get("used", {"first": None, "last": None})
    return table, used["first"], used["last"]


def count_oddities(used: ir.Table) -> pd.DataFrame:
    """Count what the door uses but a reader should know of: one row per counter, with rows and money."""
    # A line without an order id is an order of its own.
    has_orders = "order_id" in used.columns
    orders = used.order_id.nunique() + used.count() - used.order_id.count() if has_orders else used.count()
    days = used.group_by("customer_id", "order_date").agg(lines=used.count(), orders=orders, money=used.amount.sum())
    shared = days.filter(days.orders > 1)
    [merged] = engines.rows_of(
        shared.aggregate(lines=shared.lines.sum(), days=shared.count(), money=shared.money.sum())
    )
    is_copy = used.copy > 0
    is_free = (used.amount == 0) & ~used.is_refund
    [kept] = engines.rows_of(
        used.aggregate(
            copies=is_copy.sum(),
            copies_money=used.amount.sum(where=is_copy),
            free=is_free.sum(),
            refunds=used.is_refund.sum(),
            refunds_money=used.amount.sum(where=used.is_refund),
        )
    )
    counters = [
        ("exact_duplicates", N_("exact copies of another line, kept"), kept["copies"], kept["copies_money"]),
        ("zero_amount", N_("amount of zero: counts for timing, stays out of spend"), kept["free"], NO_MONEY),
        (
            "refunds_in_part",
            N_("refunds that reduce an order which stays"),
            kept["refunds"],
            kept["refunds_money"],
        ),
        (
            "same_day_lines",
            N_("lines on days with several orders of a customer"),
            merged["lines"],
            merged["money"],
        ),
        ("same_day_purchases", N_("the purchases those lines become"), merged["days"], merged["money"]),
    ]
    if IS_TOLD in used.columns:
        by_rate = used.filter(~used[IS_TOLD])
        [plain] = engines.rows_of(by_rate.aggregate(rows=by_rate.count(), money=by_rate.amount.sum()))
        meaning = N_("lines whose margin is by the one rate, because neither they nor a name of theirs tell it")
        counters.append(("margin_by_rate", meaning, plain["rows"], plain["money"]))
    # An aggregate over no rows is missing in SQL, and zero here.
    filled = [(key, meaning, rows or 0, money or NO_MONEY) for key, meaning, rows, money in counters]
    return pd.DataFrame(filled, columns=["counter", "meaning", "rows", "money"])
