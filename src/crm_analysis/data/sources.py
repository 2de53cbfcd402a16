"""The door: a purchase log from anywhere becomes one checked table, and every row is accounted for.

`read_transactions` types and checks a source inside an engine, refuses everything that is wrong in one message, and
returns `Transactions`, which can be cut at any earlier date. A small source is copied into an embedded DuckDB first and
so becomes a value; a large one stays where it is, and its own engine does the work.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from typing import Any, cast

import ibis
import ibis.expr.types as ir
import pandas as pd
from ibis.backends import BaseBackend
from pydantic import ValidationError

from crm_analysis.data import engines
from crm_analysis.data.broken_rules import absent_columns, absent_rule, broken_checks, counts_of_checks
from crm_analysis.data.casting import Check, Shortcut, mark_copies, type_columns
from crm_analysis.data.contracts import TABLE_COLUMNS, TRANSACTION_CONTRACT, Day, to_day
from crm_analysis.data.deliveries import as_one_log, of_rows, signature, take_in
from crm_analysis.data.judging import CheckedLog, judge, used_lines
from crm_analysis.data.line_margins import absent_margins, margin_checks, margin_of, unseen_names
from crm_analysis.data.loading import NoRows, RawTable, load_raw, no_rows
from crm_analysis.data.reconciliation import count_oddities, reconcile
from crm_analysis.data.refunds import md5
from crm_analysis.data.written_days import check_timezone
from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.progress import Progress
from crm_analysis.settings import DoorRules, EngineSettings, LineMargins, TransactionColumns

# So many lines of cuts are remembered: a book asks for the same dates again and again, and to reckon a cut takes longer
# than to read it.
_REMEMBERED_LINES = 1_000_000


@dataclass(frozen=True, eq=False)
class Transactions:
    """A checked purchase log as it could be seen on a date. Made by `read_transactions`.

    Attributes
    ----------
    table : ibis Table
        One row per used source line: customer_id (text), order_date (date), amount (decimal with four places; a
        refund that reduces its order is negative and carries the order's date), and the optional columns the source
        has: order_id, product, category, quantity, cost, margin, channel. With `margins` every line has a margin.
    reconciliation : DataFrame
        One row per outcome: `outcome` (stable key), `status` ("used", "set_aside", "not_seen"), `reason` in words,
        `rows`, and `money` (Decimal, exact). Rows and money add up to what came in. With `margins` also `margin`, which
        the money left.
    as_of : date or None
        Last day that is seen; None when the log is not cut.
    source : str
        Name of the file or table, for people.
    currency : str
        Of every amount.
    first_date, last_date : date or None
        First and last day with a used line; None when no line is used.
    log : CheckedLog
        The checked lines before the cut: the workings, for the door itself.
    """

    table: ir.Table
    reconciliation: pd.DataFrame
    as_of: date | None
    source: str
    currency: str
    first_date: date | None
    last_date: date | None
    log: CheckedLog = field(repr=False)

    def __repr__(self) -> str:
        used = int(self.reconciliation["rows"].iloc[0])
        cut = "" if self.as_of is None else f", as of {self.as_of}"
        place = "" if self.is_copied else ", read in place"
        return f"Transactions({self.source}: {used:,} lines used of {self.log.rows:,}{cut}{place})"

    @property
    def is_copied(self) -> bool:
        """Whether the lines are in the embedded DuckDB now, or in the source as it stands."""
        return self.log.is_copied

    @property
    def stands_for(self) -> float:
        """Customers of the base for each customer of these transactions: 1, or more for a sample of customers."""
        return self.log.stands_for

    def until(self, as_of: Day) -> "Transactions":
        """Return the transactions as the door would have shown them on an earlier date.

        A refund that came later is not seen, so netting starts again from the checked lines; the source is not read
        again.

        Raises
        ------
        SettingsError
            When these transactions were cut before `as_of`.
        """
        day = to_day(as_of, "as_of")
        if day == self.as_of:
            return self
        if self.as_of is not None and day > self.as_of:
            raise SettingsError(
                f"{self.source} was cut at {self.as_of} and cannot show {day}; read it with a later as_of."
            )
        return _cut(self.log, day)

    def sample_of_customers(self, customers: int) -> "Transactions":
        """Return the log of about so many customers, drawn by the digest of their ids; itself where there are no more.

        The same customers are drawn at every call, and of a base that grows until it is larger by a fifth: the share
        is rounded down to a quarter of a power of two. Up to `engine.copy_rows` rows are copied into an embedded
        DuckDB; more are kept in the engine of the log. The sample knows how many customers of the base each of its
        customers stands for.
        """
        base = self._number_of_customers()
        if base <= customers:
            return self
        # Digests of a sample are all below its own share.
        share = 2 ** (math.floor(4 * math.log2(customers / (base * self.stands_for))) / 4)
        drawn = self.log.lines.filter(is_drawn(self.log.lines.customer_id, share))
        is_copied = engines.count(drawn) <= self.log.engine.copy_rows
        if is_copied:
            lines = engines.embedded(self.log.engine).create_table("lines", engines.fetch(drawn))
        else:
            lines = engines.keep(drawn)
        [seen] = engines.rows_of(lines.aggregate(rows=lines.count(), money=lines.amount.sum()))
        log = replace(
            self.log,
            lines=lines,
            marked=lines.mutate(copy=ibis.literal(0)),
            rows=seen["rows"],
            money=seen["money"],
            is_copied=is_copied,
            store=None,
        )
        sample = _cut(log, self.as_of)
        stands_for = self.stands_for * base / max(1, sample._number_of_customers())
        return replace(sample, log=replace(log, stands_for=stands_for))

    def _number_of_customers(self) -> int:
        [known] = engines.rows_of(self.table.aggregate(customers=self.table.customer_id.nunique()))
        return int(known["customers"])

    @property
    def counters(self) -> pd.DataFrame:
        """What is used but worth knowing: a frame with columns `counter`, `meaning`, `rows` and `money`."""
        judged = judge(self.log, self.log.marked, self.as_of)
        return count_oddities(judged.filter(judged.outcome == "used"))

    @property
    def unseen_margins(self) -> tuple[str, ...]:
        """Products or categories that have a rate of their own and that no used line shows: misspelt, perhaps."""
        return unseen_names(self.table, self.log.margins)


def is_drawn(customer_id: ir.StringValue, share: float) -> ir.BooleanValue:
    """Whether a customer is among a share (below 1) of all, drawn by the digest of the id, the same on every engine."""
    # Digests are evenly spread over the numbers that their first eight signs can write.
    return md5(customer_id).substr(0, 8) < f"{int(share * 16**8):08x}"


def read_transactions(
    source: Any,
    *,
    columns: TransactionColumns | Mapping[str, str] | None = None,
    as_of: Day | None = None,
    connection: BaseBackend | None = None,
    rules: DoorRules | None = None,
    currency: str = "USD",
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
    only: Mapping[str, str] | None = None,
    margins: LineMargins | None = None,
) -> Transactions:
    """Read, check and reconcile a purchase log.

    Parameters
    ----------
    source : path, DataFrame, ibis Table, str or Transactions
        A CSV (also gzipped) or Parquet file, a folder of Parquet files, a DataFrame, an ibis table, or, with
        `connection`, the name of a table there. Transactions pass through, cut when `as_of` is given.
    columns : TransactionColumns or mapping, optional
        What the source calls each column; default: their own names.
    as_of : date or str, optional
        Later rows are not seen; they are counted.
    connection : ibis backend, optional
        Where the named table lives.
    rules : DoorRules, optional
        What to do with odd rows; default: the rules of the design.
    currency : str
        The company's currency, of every amount that names no other.
    timezone : str
        The company's time zone; times that carry a zone are converted to it and then cut to the day.
    engine : EngineSettings, optional
        Memory and threads of the embedded DuckDB, and up to how many rows a table is copied into it; default: theirs.
    only : mapping, optional
        Leave out, before anything is checked, every row that has another value in a column as delivered, such as
        {"region": "North"}; "" for the rows that have none.
    margins : LineMargins, optional
        Where the margin of each line comes from; without it, only the lines that tell their margin have one.

    Returns
    -------
    Transactions

    Raises
    ------
    DataError
        When the source cannot be read or breaks rules: every rule at once, each with the file, the column, the
        number of rows, the first five, and the way to fix it.
    SettingsError
        When a parameter is wrong.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["C1", None], "order_date": "2024-06-30", "amount": [9.5, 1.0]})
    >>> read_transactions(orders).reconciliation.query("rows > 0")[["outcome", "rows", "money"]]
                   outcome  rows   money
    0                 used     1  9.5000
    5  missing_customer_id     1  1.0000
    """
    day = None if as_of is None else to_day(as_of, "as_of")
    if isinstance(source, Transactions):
        if any(late is not None for late in (columns, connection, rules, margins)):
            raise SettingsError(
                "these transactions are already read; columns, connection, rules and margins come too late."
            )
        return source if day is None else source.until(day)
    check_timezone(timezone)
    mapping = _as_columns(columns)
    engine = engine or EngineSettings()
    raw = load_raw(source, connection, engine, only)
    with engines.told_plainly(raw.source):
        return _cut(_check(raw, mapping, rules or DoorRules(), currency, timezone, engine, margins), day)


def read_deliveries(
    folder: str | Path,
    kept_in: str | Path,
    *,
    columns: TransactionColumns | Mapping[str, str] | None = None,
    as_of: Day | None = None,
    rules: DoorRules | None = None,
    currency: str = "USD",
    timezone: str = "UTC",
    engine: EngineSettings | None = None,
    only: Mapping[str, str] | None = None,
    margins: LineMargins | None = None,
    progress: Progress | None = None,
) -> Transactions:
    """Read a purchase log that comes in deliveries: files of a folder, of which only the new and corrected are read.

    Parameters
    ----------
    folder : path
        CSV (also gzipped) and Parquet files, in it or below; together they are the log. A file that was corrected
        replaces what it said before, one that is gone is no longer part of the log.
    kept_in : path
        Folder where checked lines are kept between calls. A call with other settings, or another version of this
        package, checks all of them again.
    columns, as_of, rules, currency, timezone, engine, only, margins
        As for `read_transactions`. Copies that the order-line key proves are found across deliveries.
    progress : callable, optional
        Told which delivery is being checked.

    Returns
    -------
    Transactions
        The same as of one file with all rows.

    Raises
    ------
    DataError
        When deliveries are refused: all of them in one message. What was kept before stands.
    SettingsError
        When a parameter is wrong.
    """
    day = None if as_of is None else to_day(as_of, "as_of")
    check_timezone(timezone)
    mapping, rules, engine = _as_columns(columns), rules or DoorRules(), engine or EngineSettings()

    def check(file: Path) -> CheckedLog | None:
        try:
            raw = load_raw(file, None, engine, only)
        except NoRows:
            if only:
                return None
            raise
        with engines.told_plainly(raw.source):
            return _check(raw, mapping, rules, currency, timezone, engine, margins, is_delivery=True)

    told = {"columns": mapping.model_dump(), "rules": rules.model_dump(), "only": dict(only or {})}
    if margins is not None:
        told["margins"] = margins.model_dump()
    sign = signature(**told, currency=currency, timezone=timezone)
    store = take_in(Path(folder), Path(kept_in), sign, check, progress)
    with engines.told_plainly(Path(folder).name):
        return _cut(as_one_log(store, rules, engine, Path(folder).name, currency, margins), day)


def _as_columns(columns: TransactionColumns | Mapping[str, str] | None) -> TransactionColumns:
    if isinstance(columns, TransactionColumns):
        return columns
    try:
        return TransactionColumns(**(columns or {}))
    except ValidationError as error:
        wrong = listing([str(problem["loc"][0]) for problem in error.errors()])
        known = listing([column.name for column in TRANSACTION_CONTRACT])
        raise SettingsError(f"columns: {wrong} cannot be mapped to a column's name; the columns are {known}.") from None


def _check(
    raw: RawTable,
    columns: TransactionColumns,
    rules: DoorRules,
    currency: str,
    timezone: str,
    engine: EngineSettings,
    margins: LineMargins | None = None,
    *,
    is_delivery: bool = False,
) -> CheckedLog:
    """Type the raw table, refuse what breaks a rule, and keep the rest: as a copy, or as what the source now shows.

    Copies in a delivery are told when all deliveries are one log; here they get what that takes.
    """
    names = _present(columns, raw.columns)
    typed = type_columns(raw, names, rules=rules, currency=currency, timezone=timezone)
    missing = _missing_columns(raw, columns, rules)
    checks = typed.checks
    if margins is not None:
        absent = absent_margins(raw, names, margins)
        missing += absent
        checks = checks if absent else [*checks, *margin_checks(typed.values, names, margins)]
    seen = _look_through(raw, typed.values, checks, typed.shortcuts)
    refuse([*missing, *broken_checks(raw, checks, seen, beside=names.get("customer_id"))])
    if seen["rows"] == 0:
        raise no_rows(raw.source)

    values = {name: value for name, value in typed.values.items() if name != "currency"}
    if not raw.is_copied:
        values |= {name: cut.plain for name, cut in typed.shortcuts.items() if not seen.get(f"mend {name}")}
    if margins is not None:
        values |= margin_of(values, margins)
    if is_delivery:
        lines = marked = raw.table.select(**values, **of_rows(raw, rules))
    else:
        is_proven = _is_proven_copy(raw, rules)
        lines = raw.table.select(**values, is_proven_copy=is_proven)
        marked = raw.table.select(**values, is_proven_copy=is_proven, copy=mark_copies(raw))
    if raw.is_copied and not is_delivery:
        connection = cast("Any", raw.table.get_backend())
        lines = marked = connection.create_table("lines", marked)
        raw.drop()
    return CheckedLog(
        lines=lines,
        marked=marked,
        rows=seen["rows"],
        money=seen["money"],
        turnover=seen["turnover"],
        has_refunds=bool(seen["refunds"]),
        all_paid=not seen["unpaid"],
        all_named=not seen["nameless"],
        is_copied=raw.is_copied,
        rules=rules,
        engine=engine,
        source=raw.source,
        currency=currency,
        margins=margins,
    )


def _is_proven_copy(raw: RawTable, rules: DoorRules) -> ir.BooleanValue:
    """Whether a row is one line exported twice.

    Two equal rows may also be two equal purchases. Only a key that should be unique, and is filled in, tells.
    """
    if not rules.order_line_key:
        return ibis.literal(False)
    filled = [raw.table[name].notnull() for name in rules.order_line_key]  # noqa: PD004 ibis
    return (mark_copies(raw) > 0) & ibis.and_(*filled)


def _look_through(
    raw: RawTable, values: Mapping[str, ir.Value], checks: Sequence[Check], shortcuts: Mapping[str, Shortcut]
) -> dict[str, Any]:
    """Count in one pass: rows, money, what breaks a check, and what the rest of the road can be spared."""
    wanted = {"rows": raw.table.count()}
    if "customer_id" in values:
        wanted["nameless"] = _without_name(values["customer_id"], shortcuts.get("customer_id"))
    if "amount" in values:
        amount = values["amount"]
        wanted |= {
            "money": amount.sum(),
            "turnover": amount.abs().sum(),
            "refunds": values["is_refund"].sum(),
            "unpaid": (amount <= 0).sum(),
        }
    wanted |= counts_of_checks(checks)
    wanted |= {
        f"mend {name}": cut.needs_mending.fill_null(False).sum()
        for name, cut in shortcuts.items()
        if cut.needs_mending is not None
    }
    [row] = engines.rows_of(raw.table.aggregate(**wanted))
    return row


def _without_name(customer_id: ir.Value, cut: Shortcut | None) -> ir.IntegerScalar:
    """How many rows may have no customer, at the price of a look: those that need mending are not mended for it."""
    if cut is None or cut.needs_mending is None:
        return customer_id.isnull().sum()  # noqa: PD003 ibis
    return (cut.plain.isnull() | cut.needs_mending.fill_null(False)).sum()  # noqa: PD003 ibis


def _present(columns: TransactionColumns, available: tuple[str, ...]) -> dict[str, str]:
    wanted = {name: source_name or name for name, source_name in columns.model_dump().items()}
    return {name: source_name for name, source_name in wanted.items() if source_name in available}


def _missing_columns(raw: RawTable, columns: TransactionColumns, rules: DoorRules) -> list[Violation]:
    asked = {name: source_name for name, source_name in columns.model_dump().items() if source_name is not None}
    return absent_columns(raw, asked, "transactions") + [
        Violation(raw.source, name, absent_rule(raw), 0, "correct rules.order_line_key, which names it.")
        for name in rules.order_line_key
        if name not in raw.columns
    ]


def _cut(log: CheckedLog, as_of: date | None) -> Transactions:
    if not log.is_copied:
        return _new_cut(log, as_of)
    found = log.cuts.pop(as_of, None) or _new_cut(log, as_of)
    log.cuts[as_of] = found  # the latest that was asked for stands last
    while len(log.cuts) > max(1, _REMEMBERED_LINES // max(1, log.rows)):
        del log.cuts[next(iter(log.cuts))]
    return found


def _new_cut(log: CheckedLog, as_of: date | None) -> Transactions:
    if not log.is_copied:
        judged = judge(log, log.lines, as_of)
    else:  # cut once and asked many times
        judged = engines.keep(judge(log, log.lines, None)) if as_of is None else log.judged.keep(as_of)
    used = used_lines(log, judged, as_of)
    reconciliation, first_date, last_date = reconcile(log, judged)
    return Transactions(
        table=used.select([name for name in TABLE_COLUMNS if name in used.columns]),
        reconciliation=reconciliation,
        as_of=as_of,
        source=log.source,
        currency=log.currency,
        first_date=first_date,
        last_date=last_date,
        log=log,
    )
