"""From columns as delivered to typed columns, inside the engine, with a count of what cannot be read.

Every cast is a `try_cast`: what fails becomes missing, and the checks compare missing-after with missing-before.
Nothing is refused here; the checks are collected, counted in one pass and refused together by the door.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.data.contracts import TRANSACTION_CONTRACT, Kind
from crm_analysis.errors import SettingsError
from crm_analysis.settings import DoorRules

# Decimals, so that sums are exact and do not depend on the order in which threads add.
MONEY = dt.Decimal(18, 4)
# Wide enough to see what a number loses on its way to MONEY.
WIDE = dt.Decimal(38, 10)
# 12 x 6.95 is 83.39999999999999 in binary floating point; that is noise, not a fifth decimal.
FLOAT_NOISE = 1e-6

# DuckDB reads "1_000" as 1000 and "infinity" as a date; a purchase log that holds these is broken.
NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
ISO_DAY = r"\d{4}[-/]\d{1,2}[-/]\d{1,2}"
ISO_NAIVE = rf"^{ISO_DAY}([T ]\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)?)?$"
ISO_ZONED = rf"^{ISO_DAY}[T ]\d{{1,2}}:\d{{2}}(:\d{{2}}(\.\d+)?)? ?(Z|[+-]\d{{2}}(:?\d{{2}})?)$"

FIRST_YEAR, LAST_YEAR = 1900, 2200

INSTANT = dt.Timestamp(timezone="UTC")
CLOCK = dt.Timestamp()


# What ibis has no name for. It reads the annotations as its own types; mypy cannot.
@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def try_strptime(text: str, pattern: str) -> CLOCK:  # type: ignore[valid-type]
    """DuckDB's own: text to a time without zone, missing where it does not fit the pattern."""


@ibis.udf.scalar.builtin(name="try_strptime")  # type: ignore[untyped-decorator]
def try_strptime_zoned(text: str, pattern: str) -> INSTANT:  # type: ignore[valid-type]
    """The same for a pattern that holds %z or %Z: DuckDB then returns an instant."""


@ibis.udf.scalar.builtin(name="timezone")  # type: ignore[untyped-decorator]
def clock_in_zone(zone: str, instant: INSTANT) -> CLOCK:  # type: ignore[valid-type]
    """DuckDB's own: what the clocks in `zone` show at an instant."""


@dataclass(frozen=True)
class Check:
    """One thing a column must not hold: where, in what words, which rows, and how to fix it."""

    column: str
    rule: str
    fix: str
    broken: ir.BooleanValue


@dataclass(frozen=True)
class TypedColumns:
    """Typed expressions over the raw table, by contract name, and the checks they must pass."""

    values: dict[str, ir.Value]
    checks: list[Check]


@dataclass(frozen=True)
class _Cast:
    value: ir.Value
    checks: tuple[Check, ...] = ()


def type_columns(
    raw: ir.Table, names: Mapping[str, str], *, rules: DoorRules, currency: str, timezone: str
) -> TypedColumns:
    """Type the mapped columns of a raw table.

    Parameters
    ----------
    raw : ibis Table
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
    values = {name: cast.value for name, cast in casts.items()}
    checks = [check for cast in casts.values() for check in cast.checks]
    if "currency" in values:
        values, unpriced = _in_company_currency(values, names, rules.exchange_rates, currency)
        checks += unpriced
    if "amount" in values:
        checks += _fits_money(names["amount"], values["amount"])
        values |= {
            name: values[name].try_cast(MONEY) for name in ("amount", "quantity", "cost", "margin") if name in values
        }
        values = _with_signs(values)
    in_order = list(names.values())
    return TypedColumns(values, sorted(checks, key=lambda check: in_order.index(check.column)))


def mark_copies(raw: ir.Table, order_line_key: tuple[str, ...]) -> dict[str, ir.Value]:
    """Return `copy` (0 for the first of rows equal in every column, then 1, 2, ...) and `is_proven_copy`.

    Two equal rows may be one line exported twice, or two equal purchases. Only a key that should be unique, and is
    filled in, tells: then the later copies are proven.
    """
    same_row = ibis.window(group_by=[raw[name] for name in raw.columns], order_by=raw.rowid())
    copy = ibis.row_number().over(same_row)
    if not order_line_key:
        return {"copy": copy, "is_proven_copy": ibis.literal(False)}
    return {"copy": copy, "is_proven_copy": (copy > 0) & ibis.and_(*(raw[name].notnull() for name in order_line_key))}


def _cast(kind: Kind, raw: ir.Table, name: str, rules: DoorRules, currency: str, timezone: str) -> _Cast:
    column = raw[name]
    match kind:
        case "id":
            return _Cast(_id_text(column))
        case "text":
            return _Cast(_not_blank(column.cast(str)))
        case "day":
            return _day(name, column, rules.date_format, timezone)
        case "money":
            return _number(name, column, required=True)
        case "number":
            return _number(name, column, required=False)
        case "flag":
            return _flag(name, column)
        case "currency":
            return _Cast(_not_blank(column.cast(str)).strip().upper().fill_null(currency.upper()))


def _not_blank(text: ir.StringValue) -> ir.StringValue:
    return (text.strip() == "").ifelse(ibis.null(str), text)


def _id_text(column: ir.Value) -> ir.StringValue:
    if column.type().is_numeric():
        # A column of whole ids becomes one of floats as soon as a single id is missing: 17850.0 is the id 17850.
        digits = column.try_cast(dt.Decimal(38, 0))
        whole = digits.cast(float) == column.cast(float)
        missing = _is_nan(column)
        return missing.ifelse(ibis.null(str), whole.ifelse(digits.cast(str), column.cast(str)))
    # The same accident, written to a CSV: without this, the ids of two months' files would not meet.
    text = _not_blank(column.cast(str))
    return text.re_search(r"^\d+\.0$").ifelse(text.re_replace(r"\.0$", ""), text)


def _day(name: str, column: ir.Value, date_format: str | None, timezone: str) -> _Cast:
    kind = column.type()
    fix = f"correct the dates; they run from {FIRST_YEAR} to {LAST_YEAR}, day and month as the calendar has them."
    if isinstance(kind, dt.Timestamp | dt.Date):
        missing = column.isnull()
        has_zone = isinstance(kind, dt.Timestamp) and kind.timezone is not None
        clock = clock_in_zone(timezone, column.cast(INSTANT)) if has_zone else column
    else:
        text = _not_blank(column.cast(str)).strip()
        missing = text.isnull()
        clock = _iso_clock(text, timezone) if date_format is None else _clock(text, date_format, timezone)
        written = "ISO dates (2024-06-30)" if date_format is None else f"the pattern {date_format!r}"
        fix += f" They are read as {written}; date_format under [sources.transactions.rules] in crm.toml changes that."
    day = clock.cast(dt.date)
    possible = day.year().between(FIRST_YEAR, LAST_YEAR).fill_null(False)
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
    )


def _iso_clock(text: ir.StringValue, timezone: str) -> ir.TimestampValue:
    naive = text.re_search(ISO_NAIVE).ifelse(text.try_cast(CLOCK), ibis.null(CLOCK))
    # Cast to a plain time, DuckDB drops an offset without a word; hence the detour over the instant.
    instant = text.re_search(ISO_ZONED).ifelse(text.try_cast(INSTANT), ibis.null(INSTANT))
    return ibis.coalesce(naive, clock_in_zone(timezone, instant))


def _clock(text: ir.StringValue, pattern: str, timezone: str) -> ir.TimestampValue:
    check_date_format(pattern)
    if re.search(r"%[zZ]", pattern):
        return clock_in_zone(timezone, try_strptime_zoned(text, pattern))
    return try_strptime(text, pattern)


def check_date_format(pattern: str) -> None:
    """Raise `SettingsError` unless DuckDB can read dates with this strptime pattern."""
    try:
        duckdb.execute("SELECT try_strptime('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise SettingsError(f"rules.date_format is {pattern!r}: {str(error).splitlines()[0]}") from None


def _number(name: str, column: ir.Value, *, required: bool) -> _Cast:
    if column.type().is_numeric():
        missing = column.isnull() | _is_nan(column)
        number = column.try_cast(WIDE)
    else:
        text = _not_blank(column.cast(str)).strip()
        missing = text.isnull()
        number = text.re_search(NUMBER).ifelse(text.try_cast(WIDE), ibis.null(WIDE))
    plain = "write plain numbers with a decimal point, without thousands separators or currency signs."
    checks = [Check(name, "not a number", plain, ~missing & number.isnull())]
    if required:
        absent = "fill in the amounts; write 0 where nothing was charged."
        checks.append(Check(name, "the amount is missing", absent, missing))
    return _Cast(number, tuple(checks))


def _fits_money(name: str, amount: ir.DecimalValue) -> Iterator[Check]:
    # Only the amount: it must reconcile to the cent, so nothing may be rounded away. A unit cost of 3.333333 may.
    stored = amount.try_cast(MONEY)
    lost = stored.isnull() | ((amount - stored.cast(WIDE)).abs() > FLOAT_NOISE)
    fix = "round amounts to four decimals (two make a cent) and keep them below 100,000,000,000,000."
    yield Check(name, "the amount has more than four decimals or is too large", fix, amount.notnull() & lost)


def _flag(name: str, column: ir.Value) -> _Cast:
    if column.type().is_boolean():
        return _Cast(column.fill_null(False))
    text = _not_blank(column.cast(str)).strip()
    # A flag with gaps arrives as 1.0 and 0.0.
    flag = text.re_replace(r"^([01])\.0$", r"\1").try_cast(bool)
    unclear = Check(
        name,
        "neither true nor false",
        "write true or false, yes or no, 1 or 0.",
        ~text.isnull() & flag.isnull(),
    )
    return _Cast(flag.fill_null(False), (unclear,))


def _is_nan(column: ir.Value) -> ir.BooleanValue:
    return column.isnan().fill_null(False) if column.type().is_floating() else ibis.literal(False)


def _in_company_currency(
    values: dict[str, ir.Value], names: Mapping[str, str], rates: Mapping[str, float], currency: str
) -> tuple[dict[str, ir.Value], list[Check]]:
    code = values["currency"]
    known = {foreign.upper(): rate for foreign, rate in rates.items()} | {currency.upper(): 1.0}
    fix = (
        "give the rate of each under [sources.transactions.rules] in crm.toml, for example exchange_rates = "
        f"{{EUR = 1.08}}: units of {currency} for one unit of the other currency."
    )
    unpriced = Check(
        names["currency"], f"a currency other than {currency} without a rate", fix, ~code.isin(list(known))
    )
    if not rates:
        return values, [unpriced]
    rate = ibis.cases(*((code == priced, value) for priced, value in known.items()), else_=1.0)
    is_foreign = code != currency.upper()
    converted = {
        name: is_foreign.ifelse((values[name].cast(float) * rate).round(4).try_cast(WIDE), values[name])
        for name in ("amount", "cost", "margin")
        if name in values
    }
    return values | converted, [unpriced]


def _with_signs(values: dict[str, ir.Value]) -> dict[str, ir.Value]:
    """Let every refund carry a negative amount, and turn the rest of its line with it."""
    amount = values["amount"]
    flagged = values.get("is_refund", ibis.literal(False))
    turned = flagged & (amount > 0)
    signed = {
        name: turned.ifelse(-values[name], values[name])
        for name in ("amount", "quantity", "cost", "margin")
        if name in values
    }
    return values | signed | {"is_refund": flagged | (amount < 0)}
