"""Refunds: netted on what they cancel where that can be found, else set aside with their money.

A refund is a line with a negative amount. It is netted in one of two ways, the surer one first:

1. **By order.** Refunds under the order id of a purchase are taken off that order. An order that keeps a positive net
   stays, refunds and all; one that does not was never a purchase.
2. **By amount.** Any other refund cancels one earlier (or same-day) purchase of the same customer, product (where the
   table has it) and exact amount, the oldest first. Orders that were netted under 1 are left alone.
"""

import ibis
import ibis.expr.types as ir

from crm_analysis.data.contracts import TABLE_COLUMNS


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def md5(text: str) -> str:  # type: ignore[empty-body]
    """Digest of a text, the same on every engine."""


def net_refunds(lines: ir.Table) -> ir.Table:
    """Decide what becomes of each line once refunds have met their purchases.

    Parameters
    ----------
    lines : ibis Table
        One row per line with a customer: customer_id, order_date, amount (signed), is_refund, and any of the optional
        columns.

    Returns
    -------
    ibis Table
        The same rows with `outcome` ("used", "cancelled_in_full", "refund_netted" or "refund_unmatched"). A refund
        that stays with its order carries the date of the purchase it reduces, so that it makes no purchase day of
        its own.
    """
    lines = _by_order(lines) if "order_id" in lines.columns else lines.mutate(outcome=ibis.null(str))
    return _by_amount(lines)


def _by_order(lines: ir.Table) -> ir.Table:
    order = ibis.window(group_by=[lines.customer_id, lines.order_id])
    # Purchases before refunds within a day: a refund belongs to the latest purchase it can know of.
    so_far = ibis.window(
        group_by=[lines.customer_id, lines.order_id],
        order_by=[lines.order_date, lines.is_refund],
        preceding=None,
        following=0,
    )
    is_purchase = lines.amount > 0
    purchase_day = is_purchase.ifelse(lines.order_date, ibis.null("date"))
    # Logs exist in which the refund is dated before the order it names; it then goes to the order's first purchase.
    reduced_day = ibis.coalesce(purchase_day.max().over(so_far), purchase_day.min().over(order))

    has_both = is_purchase.any().over(order) & lines.is_refund.any().over(order)
    settled = lines.order_id.notnull() & has_both
    cancelled = settled & (lines.amount.sum().over(order) <= 0)
    return lines.mutate(
        outcome=ibis.cases(
            (cancelled & lines.is_refund, "refund_netted"),
            (cancelled, "cancelled_in_full"),
            (settled, "used"),
            else_=ibis.null(str),
        ),
        order_date=(settled & lines.is_refund).ifelse(reduced_day, lines.order_date),
    )


def _by_amount(lines: ir.Table) -> ir.Table:
    """Match each open refund to a purchase, first in first out, without a loop.

    Walk through a group in time order with a balance: +1 for a purchase, -1 for a refund. A refund finds no purchase
    exactly when it takes the balance below zero and below every earlier balance: each earlier low was a refund that
    had found none either. As many purchases as refunds matched are cancelled, the oldest first; the i-th matched
    refund never comes before the i-th purchase.
    """
    group = ["open", "customer_id", *(["product"] if "product" in lines.columns else []), "size"]
    whole_group = ibis.window(group_by=group)
    so_far = ibis.window(group_by=group, order_by="position", preceding=None, following=0)
    before = ibis.window(group_by=group, order_by="position", preceding=(None, 1))

    is_open = lines.outcome.isnull()
    step = is_open.ifelse(ibis.cases((lines.amount > 0, 1), (lines.amount < 0, -1), else_=0), 0)
    lines = lines.mutate(step=step, open=is_open, size=lines.amount.abs())
    # One order for all windows below: lines that agree in everything could else change places between them.
    in_time = [lines.order_date, lines.is_refund, *_by_content(lines)]
    lines = lines.mutate(position=ibis.row_number().over(ibis.window(group_by=group, order_by=in_time)))
    lines = lines.mutate(
        balance=lines.step.sum().over(so_far),
        purchase_number=(lines.step > 0).sum().over(so_far),
    )
    earlier_low = ibis.least(0, lines.balance.min().over(before).fill_null(0))
    lines = lines.mutate(matched=(lines.step < 0) & (lines.balance >= earlier_low))
    cancelled = (lines.step > 0) & (lines.purchase_number <= lines.matched.sum().over(whole_group))
    outcome = ibis.cases(
        (~lines.open, lines.outcome),
        (lines.matched, "refund_netted"),
        (lines.is_refund, "refund_unmatched"),
        (cancelled, "cancelled_in_full"),
        else_="used",
    )
    return lines.mutate(outcome=outcome).drop(
        "step", "open", "size", "position", "balance", "purchase_number", "matched"
    )


def _by_content(lines: ir.Table) -> list[ir.Value]:
    """What breaks ties: the content, so that the order of the file does not matter.

    Text goes by its digest: engines sort letters differently.
    """
    told = ("customer_id", "order_date", "amount")  # by the group and the order so far
    columns = (lines[name] for name in TABLE_COLUMNS if name in lines.columns and name not in told)
    ties = [md5(column) if column.type().is_string() else column for column in columns]
    # Of exact copies the first goes first, or it would be left to the engine how many of those that stay are copies.
    return [*ties, lines.copy] if "copy" in lines.columns else ties
