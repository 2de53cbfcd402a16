"""What each line of a log leaves after the cost of what was sold, where it is not one rate of all spend.

The margin of a line stands beside its amount from the door on, in money, so that whatever becomes of the amount (cut at
a date, netted, set aside, summed up by customer) becomes of the margin too.
"""

from collections.abc import Mapping
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.broken_rules import absent_rule
from crm_analysis.data.casting import MONEY, Check, stripped
from crm_analysis.data.loading import RawTable
from crm_analysis.errors import Violation
from crm_analysis.settings import LineMargins

# Places of money after the point, as a factor.
_PLACES = 1e4
# Whether a line tells its own margin, by its columns or by its name; kept beside it for the counters.
IS_TOLD = "margin_is_told"


def told_margin(values: Any) -> ir.Value:
    """Return the margin that a line tells itself: its own, else amount less cost; missing where it tells neither.

    `values` are columns by name, or a table.
    """
    there = values.columns if isinstance(values, ir.Table) else values
    told = [values["margin"]] if "margin" in there else []
    if "cost" in there:
        told.append(values["amount"] - values["cost"])
    return ibis.coalesce(*told) if told else ibis.null(MONEY)


def margin_of(values: Mapping[str, ir.Value], margins: LineMargins) -> dict[str, ir.Value]:
    """Return the margin of each line, in money, and whether the line told it; what is not told is by the rate."""
    if margins.told_by == "lines":
        own = told_margin(values)
        is_told, by_rate = own.notnull(), _share(values["amount"], _rate(margins.rate))
        return {"margin": is_told.ifelse(own, by_rate).cast(MONEY), IS_TOLD: is_told}
    name = stripped(values[margins.told_by].cast(str))
    with_rate: dict[float, list[str]] = {}
    for called, rate in margins.rates.items():
        with_rate.setdefault(rate, []).append(called)
    # One case a rate and not one a name: there may be many products.
    cases = [(name.isin(names), _rate(rate)) for rate, names in with_rate.items()]
    rates = ibis.cases(*cases, else_=_rate(margins.rate))
    is_told = name.isin(list(margins.rates)).fill_null(False)
    return {"margin": _share(values["amount"], rates), IS_TOLD: is_told}


def _rate(rate: float) -> ir.Value:
    return ibis.literal(rate, float)


def _share(amount: ir.Value, rate: ir.Value) -> ir.Value:
    # Rounded by `floor`, because engines round the middle between two floats in different ways; products of decimals
    # would be exact, and take ten times as long.
    share = amount.cast(float) * rate
    size = ((share.abs() * _PLACES + 0.5).floor()).cast(float) / _PLACES
    return (share < 0).ifelse(-size, size).cast(MONEY)


def absent_margins(raw: RawTable, names: Mapping[str, str], margins: LineMargins) -> list[Violation]:
    """Return a violation where the source has no column that margins could be read from."""
    by_lines = margins.told_by == "lines"
    wanted = ("margin", "cost") if by_lines else (margins.told_by,)
    if any(name in names for name in wanted):
        return []
    named = " or ".join(f'{name} = "..."' for name in wanted)
    return [
        Violation(
            raw.source,
            " or ".join(wanted),
            f'money.margin_from = "{margins.told_by}" asks for it, and {absent_rule(raw)}',
            0,
            f"name the column that holds it, {named} under [sources.transactions.columns] in crm.toml, or set "
            'money.margin_from = "rate".',
        )
    ]


def margin_checks(values: Mapping[str, ir.Value], names: Mapping[str, str], margins: LineMargins) -> list[Check]:
    """Return what is wrong with a line that says it left more than was paid for it."""
    if margins.told_by != "lines" or "amount" not in values:
        return []
    column = names["margin"] if "margin" in names else names["cost"]
    return [
        Check(
            column,
            "the margin is more than the amount",
            "give what is left of the amount after the cost of what was sold, in the same currency; a cost is not "
            "negative.",
            (values["amount"] >= 0) & (told_margin(values) > values["amount"]),
        )
    ]


def unseen_names(used: ir.Table, margins: LineMargins | None) -> tuple[str, ...]:
    """Return the products or categories that have a rate and that no used line shows."""
    if margins is None or not margins.rates:
        return ()
    name = stripped(used[margins.told_by].cast(str))
    shown = used.select(name=name).filter(lambda lines: lines.name.isin(list(margins.rates))).distinct()
    seen = {row["name"] for row in engines.rows_of(shown)}
    return tuple(called for called in margins.rates if called not in seen)
