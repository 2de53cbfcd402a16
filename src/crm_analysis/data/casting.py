"""From columns as delivered to typed columns, inside the engine, with a count of what cannot be read.

What cannot be read becomes missing, and the checks compare missing-after with missing-before. Engines differ in how
they try: some have a cast that gives nothing where it fails, others raise. Every cast here is therefore behind a guard
that lets through only what can be cast, so that the same expression runs on all of them.

Nothing is refused here; the checks are collected, counted in one pass and refused together by the door.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.contracts import TRANSACTION_CONTRACT, Kind
from crm_analysis.data.loading import RawTable
from crm_analysis.data.written_days import day_of_instant, written_day
from crm_analysis.settings import DoorRules

# Decimals, so that sums are exact and do not depend on the order in which threads add.
MONEY = dt.Decimal(18, 4)
MONEY_LIMIT = 1e14
# 12 x 6.95 is 83.39999999999999 in binary floating point; that is noise, not a fifth decimal.
FLOAT_NOISE = 1e-6
# What is beyond is called infinite.
LARGEST_FLOAT = 1e300
# Two steps of a binary floating point number, relative to it.
FLOAT_EPSILON = 4.5e-16
# Floats below fit into 64 bits once they are whole.
WHOLE_LIMIT = 2.0**63

# DuckDB reads "1_000" as 1000; a purchase log that holds this is broken. No more digits than every engine can take.
NUMBER = r"^[+-]?(\d{1,200}\.?\d*|\.\d+)([eE][+-]?\d{1,2})?$"
YES, NO = ("true", "t", "yes", "y", "1", "1.0"), ("false", "f", "no", "n", "0", "0.0")

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2200, 12, 31)


@dataclass(frozen=True)
class Check:
    """One thing a column must not hold: where, in what words, which rows, and how to fix it."""

    column: str
    rule: str
    fix: str
    broken: ir.BooleanValue


@dataclass(frozen=True)
class Shortcut:
    """What a column is when no row of it needs mending: cheaper to compute, row after row, than finding out again.

    `needs_mending` is missing where the checks of the column already say that no row does.
    """

    plain: ir.Value
    needs_mending: ir.BooleanValue | None = None


@dataclass(frozen=True)
class TypedColumns:
    """Typed expressions over the raw table, by contract name, the checks they must pass, and shortcuts to them."""

    values: dict[str, ir.Value]
    checks: list[Check]
    shortcuts: dict[str, Shortcut] = field(default_factory=dict)


@dataclass(frozen=True)
class Number:
    """A number as delivered: near it as a float, and as money, which is missing where it is too large."""

    near: ir.FloatingValue
    money: ir.DecimalValue
    is_exact: bool  # whether money has all the decimals there were

    @property
    def lost(self) -> ir.BooleanValue:
        """Whether digits of it do not fit into money."""
        if self.is_exact:
            return self.money.isnull()
        noise = ibis.greatest(FLOAT_NOISE, self.near.abs() * FLOAT_EPSILON)
        return self.money.isnull() | ((self.near - self.money.cast(float)).abs() > noise)

    def times(self, rate: ir.NumericValue, where: ir.BooleanValue) -> "Number":
        """The number converted at a rate, to four decimals."""
        converted = (self.near * rate).round(4)
        return Number(
            where.ifelse(converted, self.near), where.ifelse(_money(converted, converted), self.money), self.is_exact
        )


@dataclass(frozen=True)
class Cast:
    """A column as typed, what to check of it, and perhaps a shortcut."""

    value: ir.Value | Number
    checks: tuple[Check, ...] = ()
    shortcut: Shortcut | None = None


def type_columns(
    raw: RawTable, names: Mapping[str, str], *, rules: DoorRules, currency: str, timezone: str
) -> TypedColumns:
    """Type the mapped columns of a raw table.

    Parameters
    ----------
    raw : RawTable
        As delivered.
    names : mapping
        From contract name to the source's column; all of them present in `raw`.
    rules : DoorRules
        Date format and exchange rates.
    currency : str
        The company's currency; amounts in another are converted.
    timezone : str
        The company's time zone; times that carry a zone are converted to it, others are taken as they stand.

    Returns
    -------
    TypedColumns
        Refunds carry a negative amount, and their quantity, cost and margin change sign with it.
    """
    casts = {
        column.name: _cast(column.kind, raw, names[column.name], rules, currency, timezone)
        for column in TRANSACTION_CONTRACT
        if column.name in names
    }
    checks = [check for cast in casts.values() for check in cast.checks]
    numbers = {name: cast.value for name, cast in casts.items() if isinstance(cast.value, Number)}
    values = {name: cast.value for name, cast in casts.items() if not isinstance(cast.value, Number)}
    if "currency" in values:
        numbers, unpriced = _in_company_currency(numbers, values["currency"], names, rules.exchange_rates, currency)
        checks.append(unpriced)
    if "amount" in numbers:
        checks += _fits_money(names["amount"], numbers["amount"])
    values |= {name: number.money for name, number in numbers.items()}
    shortcuts = {name: cast.shortcut for name, cast in casts.items() if cast.shortcut is not None}
    if "is_refund" in values or rules.exchange_rates:
        shortcuts.pop("amount", None)  # it then depends on other columns too
    if "amount" in values:
        values = _with_signs(values)
    in_order = list(names.values())
    return TypedColumns(values, sorted(checks, key=lambda check: in_order.index(check.column)), shortcuts)


def mark_copies(raw: RawTable) -> ir.IntegerColumn:
    """Number rows that are equal in every column of the source: 0 for one of them, then 1, 2, ..."""
    return ibis.row_number().over(ibis.window(group_by=[raw.table[name] for name in raw.columns]))


def _cast(kind: Kind, raw: RawTable, name: str, rules: DoorRules, currency: str, timezone: str) -> Cast:
    column = raw.table[name]
    match kind:
        case "id":
            return as_id(column)
        case "text":
            return Cast(not_blank(column.cast(str)))
        case "day":
            return as_day(raw, name, rules.date_format, timezone, format_in="sources.transactions.rules")
        case "money":
            return as_number(name, column, required=True)
        case "number":
            return as_number(name, column, required=False)
        case "flag":
            return as_flag(name, column, blank=ibis.literal(False))
        case _:  # "currency"; a log has no column of the other kinds
            return Cast(stripped(column.cast(str)).upper().fill_null(currency.upper()))


def not_blank(text: ir.StringValue) -> ir.StringValue:
    """Text as written, missing where it is nothing but blanks."""
    return (text.strip() == "").ifelse(ibis.null(str), text)


def stripped(text: ir.StringValue) -> ir.StringValue:
    """Text without the blanks around it, missing where nothing is left."""
    return text.strip().nullif("")


def _below(limit: float, number: ir.NumericValue) -> ir.NumericValue:
    """Return the number, missing where it is at the limit or beyond."""
    return (number.abs() < limit).ifelse(number, ibis.null(number.type()))


def as_id(column: ir.Value) -> Cast:
    """Read an id as text; numbers become their digits."""
    kind = column.type()
    if isinstance(kind, dt.Integer) or (isinstance(kind, dt.Decimal) and kind.scale == 0):
        return Cast(column.cast(str))
    if kind.is_numeric():
        # A column of whole ids becomes one of floats as soon as a single id is missing: 17850.0 is the id 17850.
        number = _is_nan(column).ifelse(ibis.null(kind), column)
        # Not by way of decimals: PostgreSQL makes those of the first fifteen digits of a float.
        digits = _below(WHOLE_LIMIT, number).cast("int64") if kind.is_floating() else number.cast(dt.Decimal(38, 0))
        whole = (digits.cast(kind) == number).fill_null(False)
        return Cast(whole.ifelse(digits.cast(str), number.cast(str)))
    # The same accident, written to a CSV: without this, the ids of two months' files would not meet.
    text = column.cast(str)
    was_float = text.endswith(".0") & text.re_search(r"^\d+\.0$")
    mended = ibis.cases((text.strip() == "", ibis.null(str)), (was_float, text.re_replace(r"\.0$", "")), else_=text)
    perhaps_blank = text.ascii_str() <= ord(" ")  # nothing, a blank or another sign that cannot be seen comes first
    return Cast(mended, shortcut=Shortcut(text, perhaps_blank | text.endswith(".0")))


def read_day(
    raw: RawTable, name: str, date_format: str | None, timezone: str
) -> tuple[ir.BooleanValue, ir.DateValue, bool]:
    """Return whether nothing is given, the day that is, which may be no possible one, and whether it was text."""
    column = raw.table[name]
    kind = column.type()
    if isinstance(kind, dt.Timestamp | dt.Date):
        is_instant = name in raw.instants or (isinstance(kind, dt.Timestamp) and kind.timezone is not None)
        return column.isnull(), day_of_instant(column, timezone) if is_instant else column.cast(dt.date), False
    text = stripped(column.cast(str))
    return text.isnull(), written_day(text, date_format, timezone, tries=engines.tries(raw.table)), True


def is_possible(day: ir.DateValue) -> ir.BooleanValue:
    """Whether a day is one that a table of a company can hold."""
    return day.between(FIRST_DAY, LAST_DAY).fill_null(False)


def as_day(raw: RawTable, name: str, date_format: str | None, timezone: str, *, format_in: str) -> Cast:
    """Read a day; `format_in` is the part of crm.toml where its date_format stands.

    The first check is that it is there, the second that it can be read.
    """
    missing, day, is_text = read_day(raw, name, date_format, timezone)
    fix = (
        f"correct the dates; they run from {FIRST_DAY.year} to {LAST_DAY.year}, day and month as the calendar has them."
    )
    if is_text:
        written = "ISO dates (2024-06-30)" if date_format is None else f"the pattern {date_format!r}"
        fix += f" They are read as {written}; date_format under [{format_in}] in crm.toml changes that."
    possible = is_possible(day)
    return Cast(
        possible.ifelse(day, ibis.null(dt.date)),
        (
            Check(
                name,
                "the date is missing",
                "fill in the dates, or leave these rows out of the export.",
                missing,
            ),
            Check(name, "the date is impossible or cannot be read", fix, ~missing & ~possible),
        ),
        Shortcut(day),
    )


def as_number(name: str, column: ir.Value, *, required: bool) -> Cast:
    """Read a number; the first check is that it is one, the second, of a required one, that it is there."""
    kind = column.type()
    if kind.is_numeric():
        missing = column.isnull() | _is_nan(column)
        given = _is_nan(column).ifelse(ibis.null(kind), column) if kind.is_floating() else column
        readable = ~missing & (column.abs() <= LARGEST_FLOAT if kind.is_floating() else ibis.literal(True))
    else:
        given = stripped(column.cast(str))
        missing = given.isnull()
        readable = given.re_search(NUMBER).fill_null(False)
        given = readable.ifelse(given, ibis.null(str))
    number = Number(given.cast(float), _money(given, given.cast(float)), _has_four_decimals(kind))
    plain = "write plain numbers with a decimal point, without thousands separators or currency signs."
    checks = [Check(name, "not a number", plain, ~missing & ~readable)]
    if required:
        absent = "fill in the amounts; write 0 where nothing was charged."
        checks.append(Check(name, "the amount is missing", absent, missing))
    # Only an amount is checked to fit, and only a number as delivered is cast without a text between.
    plain_money = Shortcut(given.cast(MONEY)) if required and kind.is_numeric() and not kind.is_floating() else None
    return Cast(number, tuple(checks), plain_money)


def _money(given: ir.Value, near: ir.FloatingValue) -> ir.DecimalValue:
    """Cast a number, or the text of one, to MONEY; missing where it is too large."""
    kind = given.type()
    if _has_four_decimals(kind) and _is_below_limit(kind):
        return given.cast(MONEY)
    return (near.abs() < MONEY_LIMIT).ifelse(given, ibis.null(kind)).try_cast(MONEY)


def _has_four_decimals(kind: dt.DataType) -> bool:
    """Whether numbers of this type have four decimals at most."""
    if isinstance(kind, dt.Decimal):
        return kind.scale is not None and kind.scale <= 4
    return kind.is_integer()


def _is_below_limit(kind: dt.DataType) -> bool:
    """Whether no number of this type is too large for MONEY."""
    if isinstance(kind, dt.Decimal):
        return kind.precision is not None and kind.scale is not None and kind.precision - kind.scale <= 14
    return isinstance(kind, dt.Int8 | dt.Int16 | dt.Int32 | dt.UInt8 | dt.UInt16 | dt.UInt32)


def _fits_money(name: str, amount: Number) -> Iterator[Check]:
    # Only the amount: it must reconcile to the cent, so nothing may be rounded away. A unit cost of 3.333333 may.
    fix = "round amounts to four decimals (two make a cent) and keep them below 100,000,000,000,000."
    rule = "the amount has more than four decimals or is too large"
    yield Check(name, rule, fix, amount.near.notnull() & amount.lost)


def as_flag(name: str, column: ir.Value, *, blank: ir.BooleanValue) -> Cast:
    """Read what is true or false; `blank` is what a gap means."""
    if column.type().is_boolean():
        return Cast(column.fill_null(blank))
    # A flag with gaps arrives as 1.0 and 0.0.
    text = stripped(column.cast(str)).lower()
    unclear = Check(
        name,
        "neither true nor false",
        "write true or false, yes or no, 1 or 0.",
        ~text.isin([*YES, *NO]),
    )
    return Cast(text.isin(YES).fill_null(blank), (unclear,))


def _is_nan(column: ir.Value) -> ir.BooleanValue:
    return column.isnan().fill_null(False) if column.type().is_floating() else ibis.literal(False)


def _in_company_currency(
    numbers: dict[str, Number],
    code: ir.StringValue,
    names: Mapping[str, str],
    rates: Mapping[str, float],
    currency: str,
) -> tuple[dict[str, Number], Check]:
    known = {foreign.upper(): rate for foreign, rate in rates.items()} | {currency.upper(): 1.0}
    fix = (
        "give the rate of each under [sources.transactions.rules] in crm.toml, for example exchange_rates = "
        f"{{EUR = 1.08}}: units of {currency} for one unit of the other currency."
    )
    rule = f"a currency other than {currency} without a rate"
    unpriced = Check(names["currency"], rule, fix, ~code.isin(list(known)))
    if not rates:
        return numbers, unpriced
    rate = ibis.cases(*((code == priced, value) for priced, value in known.items()), else_=1.0)
    is_foreign = code != currency.upper()
    priced_in_money = ("amount", "cost", "margin")
    converted = {
        name: number.times(rate, is_foreign) if name in priced_in_money else number for name, number in numbers.items()
    }
    return converted, unpriced


def _with_signs(values: dict[str, ir.Value]) -> dict[str, ir.Value]:
    """Let every refund carry a negative amount, and turn the rest of its line with it."""
    amount = values["amount"]
    if "is_refund" not in values:
        return values | {"is_refund": amount < 0}
    flagged = values["is_refund"]
    turned = flagged & (amount > 0)
    signed = {
        name: turned.ifelse(-values[name], values[name])
        for name in ("amount", "quantity", "cost", "margin")
        if name in values
    }
    return values | signed | {"is_refund": flagged | (amount < 0)}
