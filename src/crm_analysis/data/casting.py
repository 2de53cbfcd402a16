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
class _Number:
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

    def times(self, rate: ir.NumericValue, where: ir.BooleanValue) -> "_Number":
        """The number converted at a rate, to four decimals."""
        converted = (self.near * rate).round(4)
        return _Number(
            where.ifelse(converted, self.near), where.ifelse(_money(converted, converted), self.money), self.is_exact
        )


@dataclass(frozen=True)
class _Cast:
    value: ir.Value | _Number
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
    numbers = {name: cast.value for name, cast in casts.items() if isinstance(cast.value, _Number)}
    values = {name: cast.value for name, cast in casts.items() if not isinstance(cast.value, _Number)}
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


def _cast(kind: Kind, raw: RawTable, name: str, rules: DoorRules, currency: str, timezone: str) -> _Cast:
    column = raw.table[name]
    match kind:
        case "id":
            return _id(column)
        case "text":
            return _Cast(_not_blank(column.cast(str)))
        case "day":
            return _day(raw, name, rules.date_format, timezone)
        case "money":
            return _number(name, column, required=True)
        case "number":
            return _number(name, column, required=False)
        case "flag":
            return _flag(name, column)
        case "currency":
            return _Cast(_stripped(column.cast(str)).upper().fill_null(currency.upper()))


def _not_blank(text: ir.StringValue) -> ir.StringValue:
    return (text.strip() == "").ifelse(ibis.null(str), text)


def _stripped(text: ir.StringValue) -> ir.StringValue:
    """Text without the blanks around it, missing where nothing is left."""
    return text.strip().nullif("")


def _below(limit: float, number: ir.NumericValue) -> ir.NumericValue:
    """Return the number, missing where it is at the limit or beyond."""
    return (number.abs() < limit).ifelse(number, ibis.null(number.type()))


def _id(column: ir.Value) -> _Cast:
    kind = column.type()
    if isinstance(kind, dt.Integer) or (isinstance(kind, dt.Decimal) and kind.scale == 0):
        return _Cast(column.cast(str))
    if kind.is_numeric():
        # A column of whole ids becomes one of floats as soon as a single id is missing: 17850.0 is the id 17850.
        number = _is_nan(column).ifelse(ibis.null(kind), column)
        # Not by way of decimals: PostgreSQL makes those of the first fifteen digits of a float.
        digits = _below(WHOLE_LIMIT, number).cast("int64") if kind.is_floating() else number.cast(dt.Decimal(38, 0))
        whole = (digits.cast(kind) == number).fill_null(False)
        return _Cast(whole.ifelse(digits.cast(str), number.cast(str)))
    # The same accident, written to a CSV: without this, the ids of two months' files would not meet.
    text = column.cast(str)
    was_float = text.endswith(".0") & text.re_search(r"^\d+\.0$")
    mended = ibis.cases((text.strip() == "", ibis.null(str)), (was_float, text.re_replace(r"\.0$", "")), else_=text)
    perhaps_blank = text.ascii_str() <= ord(" ")  # nothing, a blank or another sign that cannot be seen comes first
    return _Cast(mended, shortcut=Shortcut(text, perhaps_blank | text.endswith(".0")))


def _day(raw: RawTable, name: str, date_format: str | None, timezone: str) -> _Cast:
    column = raw.table[name]
    kind = column.type()
    fix = (
        f"correct the dates; they run from {FIRST_DAY.year} to {LAST_DAY.year}, day and month as the calendar has them."
    )
    if isinstance(kind, dt.Timestamp | dt.Date):
        missing = column.isnull()
        is_instant = name in raw.instants or (isinstance(kind, dt.Timestamp) and kind.timezone is not None)
        day = day_of_instant(column, timezone) if is_instant else column.cast(dt.date)
    else:
        text = _stripped(column.cast(str))
        missing = text.isnull()
        day = written_day(text, date_format, timezone, tries=engines.tries(raw.table))
        written = "ISO dates (2024-06-30)" if date_format is None else f"the pattern {date_format!r}"
        fix += f" They are read as {written}; date_format under [sources.transactions.rules] in crm.toml changes that."
    possible = day.between(FIRST_DAY, LAST_DAY).fill_null(False)
    return _Cast(
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


def _number(name: str, column: ir.Value, *, required: bool) -> _Cast:
    kind = column.type()
    if kind.is_numeric():
        missing = column.isnull() | _is_nan(column)
        given = _is_nan(column).ifelse(ibis.null(kind), column) if kind.is_floating() else column
        readable = ~missing & (column.abs() <= LARGEST_FLOAT if kind.is_floating() else ibis.literal(True))
    else:
        given = _stripped(column.cast(str))
        missing = given.isnull()
        readable = given.re_search(NUMBER).fill_null(False)
        given = readable.ifelse(given, ibis.null(str))
    number = _Number(given.cast(float), _money(given, given.cast(float)), _has_four_decimals(kind))
    plain = "write plain numbers with a decimal point, without thousands separators or currency signs."
    checks = [Check(name, "not a number", plain, ~missing & ~readable)]
    if required:
        absent = "fill in the amounts; write 0 where nothing was charged."
        checks.append(Check(name, "the amount is missing", absent, missing))
    # Only an amount is checked to fit, and only a number as delivered is cast without a text between.
    plain_money = Shortcut(given.cast(MONEY)) if required and kind.is_numeric() and not kind.is_floating() else None
    return _Cast(number, tuple(checks), plain_money)


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


def _fits_money(name: str, amount: _Number) -> Iterator[Check]:
    # Only the amount: it must reconcile to the cent, so nothing may be rounded away. A unit cost of 3.333333 may.
    fix = "round amounts to four decimals (two make a cent) and keep them below 100,000,000,000,000."
    rule = "the amount has more than four decimals or is too large"
    yield Check(name, rule, fix, amount.near.notnull() & amount.lost)


def _flag(name: str, column: ir.Value) -> _Cast:
    if column.type().is_boolean():
        return _Cast(column.fill_null(False))
    # A flag with gaps arrives as 1.0 and 0.0.
    text = _stripped(column.cast(str)).lower()
    unclear = Check(
        name,
        "neither true nor false",
        "write true or false, yes or no, 1 or 0.",
        ~text.isin([*YES, *NO]),
    )
    return _Cast(text.isin(YES).fill_null(False), (unclear,))


def _is_nan(column: ir.Value) -> ir.BooleanValue:
    return column.isnan().fill_null(False) if column.type().is_floating() else ibis.literal(False)


def _in_company_currency(
    numbers: dict[str, _Number],
    code: ir.StringValue,
    names: Mapping[str, str],
    rates: Mapping[str, float],
    currency: str,
) -> tuple[dict[str, _Number], Check]:
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
