"""What becomes of each checked line as of a date: the rules of the door, in the order in which they apply."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import ibis
import ibis.expr.types as ir

from crm_analysis.data.refunds import net_refunds
from crm_analysis.settings import DoorRules


@dataclass(frozen=True, eq=False)
class CheckedLog:
    """Every line of a source, typed and checked, before any cut: what a `Transactions` is cut from.

    Attributes
    ----------
    lines : ibis Table
        One row per source line: `row`, the typed columns, `is_refund`, `copy` (0 for the first of exact duplicates)
        and `is_proven_copy` (an exact duplicate that the order-line key proves to be one).
    rows, money : int, Decimal
        What came in, counted before any line was judged.
    has_refunds : bool
        Whether netting has anything to do.
    rules : DoorRules
        What to do with odd rows.
    source, currency : str
        The source's name, for people, and the currency of every amount.
    """

    lines: ir.Table
    rows: int
    money: Decimal
    has_refunds: bool
    rules: DoorRules
    source: str
    currency: str


def judge(log: CheckedLog, as_of: date | None) -> ir.Table:
    """Give every line one `outcome` (a key of `OUTCOMES`), the first that applies.

    Lines after `as_of` go first, so that nothing later can touch what was known then: a refund of tomorrow cancels no
    purchase today.
    """
    lines, rules = log.lines, log.rules
    never = ibis.literal(False)
    outcome = ibis.cases(
        (never if as_of is None else lines.order_date > as_of, "after_as_of"),
        (lines.customer_id.isnull(), "missing_customer_id"),
        (lines.is_proven_copy, "duplicate"),
        (lines.is_refund if rules.refunds == "set_aside" else never, "refund_set_aside"),
        else_=ibis.null(str),
    )
    lines = lines.mutate(outcome=outcome)
    if log.has_refunds and rules.refunds == "net":
        decided = lines.filter(lines.outcome.notnull())
        netted = net_refunds(lines.filter(lines.outcome.isnull()).drop("outcome"))
        lines = decided.union(netted.select(decided.columns))
    # Only now: a gift in an order that was sent back is part of that order, not a purchase for nothing.
    is_free = lines.outcome.fill_null("used") == "used"
    is_free &= (lines.amount == 0) & ~lines.is_refund
    free = "zero_amount" if rules.zero_amount == "set_aside" else "used"
    return lines.mutate(outcome=is_free.ifelse(free, lines.outcome.fill_null("used")))
