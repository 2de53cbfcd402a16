"""The sums of every customer, kept between months: only customers whom new lines concern are summed up again.

Who has no line in a delivery that is new, corrected or gone, and none that has come into sight since the last date, has
the same purchases as then; what they are worth when carried to the new date grows by one factor. All others are summed
up from all of their lines, whenever these came, so late and corrected rows and refunds of old orders end where they
would in a sum from scratch.
"""

import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from math import exp
from pathlib import Path

import ibis
import ibis.expr.types as ir
from ibis.backends import BaseBackend

from crm_analysis.data import engines
from crm_analysis.data.deliveries import (
    SUMS_STATE,
    Store,
    held,
    lines_of,
    read_state,
    remove_others,
    with_copies,
    write_state,
)
from crm_analysis.data.judging import CheckedLog, judge, used_lines
from crm_analysis.periods import annual_to_continuous

# Sums that grow with the date they are carried to.
CARRIED = ("spend_carried", "orders_carried", "margin_carried")


@dataclass(frozen=True)
class _Before:
    """What was kept the last time."""

    signature: str
    as_of: str
    rate: float | None
    carries_orders: bool
    all_paid: bool
    digests: list[str]
    file: str


def keep_sums(
    log: CheckedLog,
    store: Store,
    sum_up: Callable[[ir.Table], ir.Table],
    from_scratch: Callable[[], ir.Table],
    *,
    as_of: date,
    rate: float | None,
    carries_orders: bool,
) -> ir.Table:
    """Return the sums of every customer as of a date, kept in the store for the next one.

    Parameters
    ----------
    log : CheckedLog
        Of the deliveries of the store.
    store : Store
    sum_up : callable
        From used lines to one row a customer.
    from_scratch : callable
        The same of the whole log, for a store that has nothing to build on.
    as_of : date
    rate : float or None
        At which the past is carried, a year.
    carries_orders : bool
        Whether orders are carried too.
    """
    with held(store.folder):
        before = _before(store)
        fits = (
            before is not None
            and (before.signature, before.rate, before.carries_orders) == (store.signature, rate, carries_orders)
            and date.fromisoformat(before.as_of) <= as_of
            and all(Path(file).is_file() for file in store.files(before.digests))
        )
        sums = _folded(log, store, before, sum_up, as_of) if fits and before is not None else from_scratch()
        file = f"customers-{uuid.uuid4().hex}.parquet"
        engines.write_parquet(sums, store.folder / file, folder=False)
        state = _Before(store.signature, as_of.isoformat(), rate, carries_orders, log.all_paid, store.digests, file)
        write_state(store.folder / SUMS_STATE, asdict(state))
        for old in store.folder.glob("customers-*.parquet"):
            if old.name != file:
                old.unlink(missing_ok=True)
        remove_others(store)
        # A name of its own: the next date replaces the file.
        return engines.own_file(log.lines, store.folder / file, log.engine)


def _folded(
    log: CheckedLog, store: Store, before: _Before, sum_up: Callable[[ir.Table], ir.Table], as_of: date
) -> ir.Table:
    """Sums of before, carried on, for whom nothing has changed; new ones for all others."""
    backend = log.lines.get_backend()
    then = date.fromisoformat(before.as_of)
    touched = engines.keep(_touched(backend, store, before.digests, then, as_of))
    theirs = lines_of(backend, store, store.digests).semi_join(touched, "customer_id")
    # Equal rows have the same customer, so copies of theirs are all among theirs.
    part = with_copies(theirs, log.rules, mark=False)
    part_of_log = replace(log, lines=part, marked=part, is_copied=False)
    again = sum_up(used_lines(part_of_log, judge(part_of_log, part, as_of), as_of))
    old = backend.read_parquet(str(store.folder / before.file)).anti_join(touched, "customer_id")
    if before.all_paid and not log.all_paid:
        old = old.mutate(paid_total=old.total, paid_count=old.purchases)
    if before.rate is not None:
        growth = exp(annual_to_continuous(before.rate, "day") * (as_of - then).days)
        old = old.mutate(**{name: old[name] * ibis.literal(growth, float) for name in CARRIED if name in old.columns})
    # What has changed its kind on the way through a file is what it is for those who are summed up again.
    schema = again.schema()
    return again.union(old.select(**{name: old[name].cast(kind) for name, kind in schema.items()}))


def _touched(backend: BaseBackend, store: Store, before: list[str], then: date, as_of: date) -> ir.Table:
    """Customers with a line in a delivery that came or went, or with one that has come into sight."""
    now = set(store.digests)
    changed = sorted(now ^ set(before))
    same = sorted(now & set(before))
    found = []
    if changed:
        found.append(lines_of(backend, store, changed).select("customer_id"))
    if same:
        lines = lines_of(backend, store, same)
        found.append(lines.filter(lines.order_date > then, lines.order_date <= as_of).select("customer_id"))
    return ibis.union(*found).distinct() if len(found) > 1 else found[0].distinct()


def _before(store: Store) -> _Before | None:
    state = read_state(store.folder / SUMS_STATE)
    before = _Before(**state) if state.keys() == {field.name for field in fields(_Before)} else None
    return before if before is not None and (store.folder / before.file).is_file() else None
