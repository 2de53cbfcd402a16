"""What becomes of each checked line as of a date: the rules of the door, in the order in which they apply."""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, Any

import ibis
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.refunds import net_refunds
from crm_analysis.settings import DoorRules, EngineSettings, LineMargins

if TYPE_CHECKING:
    from crm_analysis.data.deliveries import Store


@dataclass(frozen=True, eq=False)
class CheckedLog:
    """Every line of a source, typed and checked, before any cut: what a `Transactions` is cut from.

    Attributes
    ----------
    lines : ibis Table
        One row per source line: the typed columns, `is_refund` and `is_proven_copy` (an exact duplicate that the
        order-line key proves to be one).
    marked : ibis Table
        The same with `copy` (0 for one of exact duplicates, then 1, 2, ...), which only the counters need.
    rows, money : int, Decimal
        What came in, counted before any line was judged.
    turnover : Decimal
        Sum of all amounts without their signs: no sum over lines can exceed it.
    has_refunds : bool
        Whether netting has anything to do.
    all_paid : bool
        Whether every amount is above zero, so that every purchase is one with spend.
    is_copied : bool
        Whether the lines are in the embedded DuckDB, or in the source as it stands.
    rules : DoorRules
        What to do with odd rows.
    engine : EngineSettings
        Limits of the embedded DuckDB.
    source, currency : str
        The source's name, for people, and the currency of every amount.
    store : Store or None
        Where the deliveries of the log are kept, when it came in such.
    stands_for : float
        Customers of the base for each customer of the log: above 1 for a sample.
    all_named : bool
        Whether every line is known to have a customer, so that ids need not be read to tell.
    margins : LineMargins or None
        Where the margin of each line came from; None where the log tells what it tells.
    cuts : dict
        Cuts made before, by their date; those of the log as it stands, so that no copy of it takes them over.
    """

    lines: ir.Table
    marked: ir.Table
    rows: int
    money: Decimal
    turnover: Decimal
    has_refunds: bool
    all_paid: bool
    is_copied: bool
    rules: DoorRules
    engine: EngineSettings
    source: str
    currency: str
    store: "Store | None" = None
    stands_for: float = 1.0
    all_named: bool = False
    margins: LineMargins | None = None
    cuts: dict[date | None, Any] = field(init=False, repr=False, default_factory=dict)

    @cached_property
    def judged(self) -> engines.DatedTable:
        """Every line of a copied log with its outcome as of a day."""
        return engines.DatedTable(lambda as_of: judge(self, self.lines, as_of))


def judge(log: CheckedLog, lines: ir.Table, as_of: date | None) -> ir.Table:
    """Give every line one `outcome` (a key of `OUTCOMES`), the first that applies.

    Lines after `as_of` go first, so that nothing later can touch what was known then: a refund of tomorrow cancels no
    purchase today. `lines` are those of the log, marked or not.
    """
    reasons = _reasons(log, lines, as_of)
    lines = lines.mutate(outcome=ibis.cases(*reasons, else_=ibis.null(str)) if reasons else ibis.null(str))
    if _nets(log):
        decided, open_ = lines.filter(lines.outcome.notnull()), lines.filter(lines.outcome.isnull())
        # Most customers never give anything back; only those who do are sorted and walked through.
        returning = open_.filter(open_.is_refund).select("customer_id").distinct()
        netted = net_refunds(open_.semi_join(returning, "customer_id").drop("outcome"))
        lines = decided.union(open_.anti_join(returning, "customer_id"), netted.select(decided.columns))
    outcome = lines.outcome.fill_null("used")
    if _sets_gifts_aside(log):
        # Only now: a gift in an order that was sent back is part of that order, not a purchase for nothing.
        is_free = (outcome == "used") & (lines.amount == 0) & ~lines.is_refund
        outcome = is_free.ifelse("zero_amount", outcome)
    return lines.mutate(outcome=outcome)


def used_lines(log: CheckedLog, judged: ir.Table, as_of: date | None) -> ir.Table:
    """Return the lines that are used: those of `judged`, told by the reasons themselves where these are enough.

    A log read in place is read anew by each question, and a few comparisons a row are cheaper than words.
    """
    if log.is_copied or _nets(log) or _sets_gifts_aside(log):
        return judged.filter(judged.outcome == "used")
    reasons = _reasons(log, log.lines, as_of)
    return log.lines.filter([~broken for broken, _key in reasons]) if reasons else log.lines


def _reasons(log: CheckedLog, lines: ir.Table, as_of: date | None) -> list[tuple[ir.BooleanValue, str]]:
    """What sets a line aside whatever the other lines are; what no line can be is left out."""
    reasons = [] if log.all_named else [(lines.customer_id.isnull(), "missing_customer_id")]
    if as_of is not None:
        reasons.insert(0, (lines.order_date > as_of, "after_as_of"))
    if log.rules.order_line_key:
        reasons.append((lines.is_proven_copy, "duplicate"))
    if log.has_refunds and log.rules.refunds == "set_aside":
        reasons.append((lines.is_refund, "refund_set_aside"))
    return reasons


def _nets(log: CheckedLog) -> bool:
    return log.has_refunds and log.rules.refunds == "net"


def _sets_gifts_aside(log: CheckedLog) -> bool:
    return not log.all_paid and log.rules.zero_amount == "set_aside"
