"""The columns of a table beside the purchase log, typed by the rules of the log's own door.

Three things differ. Money and numbers are floats with all their digits, because nothing here adds up to the cent. A gap
in a flag stays a gap. And a check says where a column must not have gaps, what words and what range its values have.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.data.casting import (
    NO,
    NUMBER,
    YES,
    Cast,
    Check,
    Number,
    TypedColumns,
    as_day,
    as_flag,
    as_id,
    as_number,
    is_possible,
    not_blank,
    read_day,
    stripped,
)
from crm_analysis.data.contracts import Column, SideContract
from crm_analysis.data.loading import RawTable
from crm_analysis.data.written_days import day_of_instant
from crm_analysis.errors import listing

MONTH = r"^[1-9]\d{3}-(0[1-9]|1[0-2])$"
# Digits that begin with a zero are a code, such as of a place: as a number they would lose it.
CODE = r"^[+-]?0\d"


def type_side_columns(
    raw: RawTable, contract: SideContract, names: Mapping[str, str], *, date_format: str | None, timezone: str
) -> TypedColumns:
    """Type the mapped columns of a raw table.

    `names` leads from the contract's names to the source's, all of them there; the rest is as for `read_customers`.
    """
    values: dict[str, ir.Value] = {}
    checks: list[Check] = []
    for column in contract.columns:
        if column.name not in names:
            continue
        name = names[column.name]
        read = _read(column, raw, name, date_format, timezone, f"sources.{contract.name}")
        value = read.value.near if isinstance(read.value, Number) else read.value
        values[column.name] = value
        checks += _checks(column, name, read, value)
    return TypedColumns(values, checks)


def _read(column: Column, raw: RawTable, name: str, date_format: str | None, timezone: str, section: str) -> Cast:
    given = raw.table[name]
    match column.kind:
        case "id":
            return as_id(given)
        case "day":
            return as_day(raw, name, date_format, timezone, format_in=section)
        case "month":
            return _month(raw, name, date_format, timezone)
        case "money" | "number":
            return as_number(name, given, required=False)
        case "degree":
            return _degree(name, given)
        case "flag":
            return as_flag(name, given, blank=ibis.null("boolean"))
        case _:
            text = not_blank(given.cast(str))
            return Cast(text.strip().lower() if column.choices else text)


def _checks(column: Column, name: str, read: Cast, value: ir.Value) -> Iterator[Check]:
    must_be_there = column.required and not column.may_be_blank
    if column.kind in ("day", "month"):
        absent, unreadable = read.checks
        yield from ([absent] if must_be_there else [])
        yield unreadable
        return
    yield from read.checks
    if must_be_there:
        yield Check(name, "nothing is given", "fill it in, or leave these rows out of the export.", value.isnull())
    if column.choices:
        rule = f"none of {listing(column.choices)}"
        fix = "write one of these words, or leave it blank where it is not known."
        yield Check(name, rule, fix, ~value.isin(list(column.choices)))
    if column.within == "not negative":
        yield Check(name, "the number is negative", "give 0 or more.", value < 0)
    if column.within == "a share":
        fix = "give a share from 0 to 1: 25% is 0.25."
        yield Check(name, "the number is no share", fix, ~value.between(0, 1))


def _month(raw: RawTable, name: str, date_format: str | None, timezone: str) -> Cast:
    """Read a month as one of its days."""
    missing, day, is_text = read_day(raw, name, date_format, timezone)
    if is_text:
        text = stripped(raw.table[name].cast(str))
        is_month = text.re_search(MONTH).fill_null(False)
        day = ibis.coalesce(is_month.ifelse(text.concat("-01"), ibis.null(str)).cast(dt.date), day)
    fix = "write months as 2024-06, or give a day of each."
    return Cast(
        is_possible(day).ifelse(day, ibis.null(dt.date)),
        (
            Check(name, "the month is missing", fix, missing),
            Check(name, "the month cannot be read", fix, ~missing & ~is_possible(day)),
        ),
    )


def _degree(name: str, given: ir.Value) -> Cast:
    """Read a number, or yes and no as 1 and 0."""
    if given.type().is_boolean():
        return Cast(given.cast(float))
    if given.type().is_numeric():
        return as_number(name, given, required=False)
    text = stripped(given.cast(str)).lower()
    digits = ibis.cases((text.isin(YES), "1"), (text.isin(NO), "0"), else_=text)
    unclear = Check(
        name,
        "neither a number nor yes or no",
        "write a number, or true or false, yes or no.",
        ~digits.re_search(NUMBER),
    )
    return Cast(digits.re_search(NUMBER).fill_null(False).ifelse(digits, ibis.null(str)).cast(float), (unclear,))


# --- further columns ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Attribute:
    """A column without a contract: what it is as text, and as a number and a flag where every row of it can be read so.

    The same rows give the same attribute from a file, where all is text, and from a frame, where some of it is typed.
    """

    text: ir.StringValue
    number: ir.FloatingValue | None = None
    flag: ir.BooleanValue | None = None
    no_number: ir.BooleanValue | None = None
    no_flag: ir.BooleanValue | None = None
    checks: tuple[Check, ...] = ()

    @classmethod
    def of(cls, raw: RawTable, name: str, timezone: str) -> "Attribute":
        """Look at a column of a raw table."""
        given = raw.table[name]
        kind = given.type()
        text = not_blank(given.cast(str))
        if kind.is_boolean():
            return cls(text, flag=given)
        if kind.is_numeric():
            read = as_number(name, given, required=False)
            return cls(text, number=cast("Number", read.value).near, checks=read.checks)
        if isinstance(kind, dt.Timestamp | dt.Date):
            is_instant = name in raw.instants or (isinstance(kind, dt.Timestamp) and kind.timezone is not None)
            return cls((day_of_instant(given, timezone) if is_instant else given.cast(dt.date)).cast(str))
        plain = stripped(given.cast(str))
        is_number = (plain.re_search(NUMBER) & ~plain.re_search(CODE)).fill_null(False)
        is_flag = plain.lower().isin(["true", "false"])
        return cls(
            text,
            is_number.ifelse(plain, ibis.null(str)).cast(float),
            (plain.lower() == "true"),
            plain.notnull() & ~is_number,
            plain.notnull() & ~is_flag,
        )

    def counts(self, place: int) -> dict[str, ir.IntegerScalar]:
        """Return what to count in a pass over the table, for `chosen`."""
        tests = {f"no number {place}": self.no_number, f"no flag {place}": self.no_flag}
        return {key: test.sum() for key, test in tests.items() if test is not None}

    def chosen(self, place: int, seen: Mapping[str, Any]) -> tuple[ir.Value, str]:
        """Return the column and its kind: a number or a flag where all of its rows are, else text."""
        if self.number is not None and not seen.get(f"no number {place}"):
            return self.number, "number"
        if self.flag is not None and not seen.get(f"no flag {place}"):
            return self.flag, "flag"
        return self.text, "text"
