"""Small purchase logs that go wrong where engines differ: the same rows must come out the same from each of them.

`ACCEPTED` are logs that the door reads, `REFUSED` are logs that it must refuse. Rows are few, so that a difference can
be read off, and in the order in which they were written: few logs are sorted.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow as pa

from .loading import KIND

TEXT, DAY, WHOLE, FLOAT, FLAG = pa.string(), pa.date32(), pa.int64(), pa.float64(), pa.bool_()
MONEY = pa.decimal128(18, 4)
WIDE = pa.decimal128(38, 10)
INSTANT = pa.timestamp("us", "UTC")
CLOCK = pa.timestamp("us")

JUNE = date(1998, 6, 1)


@dataclass(frozen=True)
class Log:
    """A purchase log, and what the door has to be told to read it.

    Attributes
    ----------
    content : pyarrow Table
        Columns under the names of the contract; one with `KIND` in its metadata has a type that Arrow does not know.
    timezone, currency : str
        Of the company.
    rules : dict
        Rules of the door that differ from the default.
    broken : tuple of str
        Columns that the door must name when it refuses the log.
    """

    content: pa.Table
    timezone: str = "UTC"
    currency: str = "USD"
    rules: dict[str, Any] = field(default_factory=dict)
    broken: tuple[str, ...] = ()


ACCEPTED: dict[str, Callable[[], Log]] = {}
REFUSED: dict[str, Callable[[], Log]] = {}

Builder = Callable[[], Log]


def accepted(builder: Builder) -> Builder:
    ACCEPTED[builder.__name__] = builder
    return builder


def refused(builder: Builder) -> Builder:
    REFUSED[builder.__name__] = builder
    return builder


def table(columns: dict[str, Any], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    """Rows as they read on the page; `columns` gives each name its Arrow type, or a kind of id that Arrow lacks."""
    fields = [
        pa.field(name, TEXT if kind == "uuid" else pa.decimal128(38, 0), metadata={KIND: kind})
        if isinstance(kind, str)
        else pa.field(name, kind)
        for name, kind in columns.items()
    ]
    values = zip(*rows, strict=True)
    arrays = [pa.array(column, known.type) for known, column in zip(fields, values, strict=True)]
    return pa.table(arrays, schema=pa.schema(fields))


def money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def june(day: int) -> date:
    return JUNE + timedelta(days=day - 1)


def at(year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute, second, tzinfo=UTC)


def _purchases(rows: Sequence[tuple[Any, date | None, str | None]], kind: Any = TEXT) -> pa.Table:
    columns = {"customer_id": kind, "order_date": DAY, "amount": MONEY}
    return table(columns, [(customer, day, money(amount)) for customer, day, amount in rows])


# ---- rows -------------------------------------------------------------------------------------------


@accepted
def several_lines_on_one_day() -> Log:
    # The first purchase has three lines, so that "the amount of the first day" is a sum and no line of it.
    return Log(
        _purchases([
            ("a", june(1), "10"), ("a", june(1), "0.0001"), ("a", june(1), "5"), ("a", june(9), "7"),
            ("b", june(1), "3"), ("b", june(1), "3.0001"),
        ])
    )  # fmt: skip


@accepted
def rows_in_no_order() -> Log:
    return Log(
        _purchases([
            ("b", june(20), "2"), ("a", june(9), "7"), ("b", june(3), "1"), ("a", june(30), "4"), ("a", june(1), "10"),
            ("b", june(11), "6"), ("a", june(9), "1"),
        ])
    )  # fmt: skip


@accepted
def exact_copies() -> Log:
    # A copy without its line number is no proven copy.
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "order_line": TEXT}
    rows = [
        ("a", june(1), money("10"), "1-1"), ("a", june(1), money("10"), "1-1"), ("a", june(1), money("10"), "1-1"),
        ("a", june(1), money("10"), "1-2"), ("b", june(2), money("4"), None), ("b", june(2), money("4"), None),
    ]  # fmt: skip
    return Log(table(columns, rows), rules={"order_line_key": ("order_line",)})


@accepted
def nothing_was_charged() -> Log:
    return Log(
        _purchases([
            ("a", june(1), "0"), ("a", june(5), "9"), ("b", june(2), "6"), ("b", june(2), "0"), ("c", june(7), "0.00"),
        ])
    )  # fmt: skip


@accepted
def baskets_of_several_items() -> Log:
    # Items whose order differs from engine to engine; an order over two days, days without an order, a gift.
    columns = {
        "customer_id": TEXT, "order_date": DAY, "amount": MONEY, "order_id": TEXT, "product": TEXT, "category": TEXT,
    }  # fmt: skip
    rows = [
        ("a", june(1), money("10"), "o1", "a", "x"), ("a", june(1), money("0"), "o1", "B", "X"),
        ("a", june(2), money("4"), "o1", "é", "x"), ("a", june(2), money("4"), "o1", "b", None),
        ("a", june(2), money("1"), None, "a", "x"), ("a", june(2), money("2"), None, "B", "y"),
        ("b", june(2), money("3"), "o1", "B", "y"), ("b", june(2), money("3"), "o1", "b", "y"),
        ("b", june(2), money("3"), "o1", "b", "y"), ("b", june(3), money("3"), None, None, None),
        ("c", june(3), money("3"), "1998-06-03", "b", "ß"), ("c", june(3), money("3"), None, "a", "ss"),
    ]  # fmt: skip
    return Log(table(columns, rows))


@accepted
def many_equal_lines() -> Log:
    # Nothing but the row tells these apart; each engine may number them as it likes, and the sums must not care.
    return Log(_purchases([("a", june(1), "5")] * 40 + [("a", june(2), "-5")] * 17 + [("b", june(2), "-5")] * 3))


# ---- refunds ----------------------------------------------------------------------------------------


@accepted
def refunds_under_their_order() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "order_id": TEXT, "quantity": WHOLE}
    rows = [
        ("a", june(1), money("10"), "o1", 1), ("a", june(3), money("-10"), "o1", -1),  # in full
        ("a", june(5), money("20"), "o2", 2), ("a", june(9), money("-5"), "o2", -1),  # in part
        ("a", june(12), money("8"), "o3", 1), ("a", june(11), money("-3"), "o3", -1),  # dated before its order
        ("b", june(1), money("6"), "o4", 1), ("b", june(1), money("-7"), "o4", -1),  # more than the order
        ("b", june(2), money("6"), "o5", 1), ("b", june(20), money("6"), "o5", 1),
        ("b", june(10), money("-2"), "o5", -1),  # between two days of its order
        ("b", june(6), money("0"), "o4", 1),  # a gift in an order that was sent back
        ("c", june(4), money("-9"), "o1", -1),  # another customer's order
        ("c", june(4), money("9"), None, 1), ("c", june(5), money("-9"), None, -1),  # no order: by amount
    ]  # fmt: skip
    return Log(table(columns, rows))


@accepted
def refunds_by_amount() -> Log:
    return Log(
        _purchases([
            ("a", june(1), "10"), ("a", june(2), "10"), ("a", june(3), "-10"),  # the oldest goes
            ("a", june(4), "-10"), ("a", june(4), "-10"),  # one too many
            ("b", june(9), "-4"), ("b", june(10), "4"),  # before its purchase
            ("b", june(12), "-4"), ("c", june(5), "-4"), ("c", june(5), "4"),  # on the same day, refund first
            ("d", june(1), "3.1000"), ("d", june(2), "-3.1"), ("d", june(3), "-3.1001"),
        ])
    )  # fmt: skip


@accepted
def refunds_by_amount_within_a_product() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "product": TEXT}
    rows = [
        ("a", june(1), money("10"), "tea"), ("a", june(2), money("10"), "cup"), ("a", june(3), money("-10"), "cup"),
        ("a", june(4), money("-10"), None), ("a", june(1), money("10"), None), ("b", june(4), money("-10"), "tea"),
    ]  # fmt: skip
    return Log(table(columns, rows))


@accepted
def refunds_by_a_flag() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "is_refund": TEXT, "quantity": TEXT}
    rows = [
        ("a", june(1), money("10"), "no", "2"), ("a", june(2), money("10"), "YES", "2"),
        ("b", june(1), money("5"), "0", "1"), ("b", june(2), money("-5"), "1.0", "-1"),
        ("c", june(2), money("1"), None, None), ("c", june(3), money("2"), " ", "1"),
        ("c", june(4), money("2"), "true", "1e0"), ("c", june(5), money("3"), "0.0", "-1"),
    ]  # fmt: skip
    return Log(table(columns, rows))


@accepted
def refunds_of_customers_without_an_id() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "order_id": TEXT}
    rows = [
        (None, june(1), money("10"), "o1"), (None, june(2), money("-10"), "o1"), ("a", june(1), money("10"), "o2"),
        ("", june(3), money("-10"), "o2"), ("a", june(4), money("-10"), "o9"),
    ]  # fmt: skip
    return Log(table(columns, rows))


# ---- ids --------------------------------------------------------------------------------------------


@accepted
def ids_missing_or_blank() -> Log:
    return Log(
        _purchases([
            ("a", june(1), "1"), (None, june(1), "2"), ("", june(1), "3"), ("   ", june(1), "4"), ("\t", june(1), "5"),
            ("a", june(2), "6"), (" \n", june(2), "7"),
        ])
    )  # fmt: skip


@accepted
def ids_that_differ_by_little() -> Log:
    # All different customers: case, blanks at either end, an accent as one sign and as two, wide digits, Chinese.
    ids = ["a1", "A1", "a1 ", " a1", "é", "e\u0301", "e", "É", "１", "1", "客户一", "客户二", "ß", "ss", "ı", "i"]
    ids += ["\\x41", "%", "o'neill", '"']
    return Log(_purchases([(name, june(1 + number % 5), f"{number + 1}") for number, name in enumerate(ids)] * 2))


@accepted
def ids_with_a_point_and_zero() -> Log:
    # Whole numbers once read as floats, and written back as text.
    ids = ["17850.0", "17850", "17850.00", "0017850", "1.5", "-3.0", "1e3", "A.0", ".0", "17850.0 "]
    return Log(_purchases([(name, june(number + 1), "2.5") for number, name in enumerate(ids)]))


@accepted
def ids_as_floats() -> Log:
    # To 2^53 every whole number has a float of its own; to 2^63 a float has 64 bits to go into.
    ids = [17850.0, None, 1.0, 123456789012.0, 2.0**53, 1e15, -4.0, float("nan"), 17850.0, 2.0**60, -(2.0**62), 0.5]
    return Log(_purchases([(name, june(number + 1), "2.5") for number, name in enumerate(ids)], FLOAT))


@accepted
def ids_as_whole_numbers() -> Log:
    # 2^53 + 1 is the first that a float cannot hold; the missing one tempts to try.
    ids = [2**53, 2**53 + 1, 2**63 - 1, -(2**63), None, 0, 7, 7]
    return Log(_purchases([(name, june(number + 1), "2.5") for number, name in enumerate(ids)], WHOLE))


@accepted
def ids_of_128_bits() -> Log:
    ids = [10**38 - 1, 2**100, 2**100 + 1, -(2**100), None, 0, 2**64]
    decimals = [None if name is None else Decimal(name) for name in ids]
    return Log(_purchases([(name, june(number + 1), "2.5") for number, name in enumerate(decimals)], "integer128"))


@accepted
def ids_as_uuid() -> Log:
    ids = [None if name is None else str(UUID(int=name)) for name in (1, 2**127 + 5, 2**128 - 1, None, 1)]
    return Log(_purchases([(name, june(number + 1), "2.5") for number, name in enumerate(ids)], "uuid"))


# ---- days -------------------------------------------------------------------------------------------

# Around midnight in Shanghai; around midnight in New York before, between and after the changes of its clocks in 1998
# (5 April, 25 October); and the hour that New York lives twice.
MOMENTS = (
    at(1998, 6, 30, 15, 59, 59), at(1998, 6, 30, 16), at(1998, 6, 30, 23, 59, 59), at(1998, 7, 1),
    at(1998, 4, 5, 4, 59, 59), at(1998, 4, 5, 5), at(1998, 4, 5, 6, 59, 59), at(1998, 4, 5, 7),
    at(1998, 4, 6, 3, 59, 59), at(1998, 4, 6, 4), at(1998, 10, 25, 3, 59, 59), at(1998, 10, 25, 4),
    at(1998, 10, 25, 5, 30), at(1998, 10, 25, 6, 30), at(1998, 10, 26, 4, 59, 59), at(1998, 10, 26, 5),
    at(1905, 1, 1, 4, 59), at(2199, 12, 31, 23),
)  # fmt: skip


def _moments(values: Sequence[Any], kind: Any, **told: Any) -> Log:
    columns = {"customer_id": TEXT, "order_date": kind, "amount": MONEY}
    return Log(table(columns, [(f"c{number % 4}", value, Decimal(1)) for number, value in enumerate(values)]), **told)


@accepted
def moments_seen_in_shanghai() -> Log:
    return _moments(MOMENTS, INSTANT, timezone="Asia/Shanghai")


@accepted
def moments_seen_in_new_york() -> Log:
    return _moments(MOMENTS, INSTANT, timezone="America/New_York")


@accepted
def moments_seen_in_utc() -> Log:
    return _moments(MOMENTS, INSTANT)


@accepted
def clocks_without_a_zone() -> Log:
    # As the company's own clocks showed; no zone may move them, the hour that New York leaves out included.
    clocks = [moment.replace(tzinfo=None) for moment in MOMENTS] + [datetime(1998, 4, 5, 2, 30)]
    return _moments(clocks, CLOCK, timezone="America/New_York")


@accepted
def days_as_text() -> Log:
    written = [
        "1998-06-30", "1998/06/30", "1998-6-3", " 1998-06-30 ", "1998-06-30 23:59:59", "1998-06-30T23:59:59.999999",
        "1998-06-30 23:59", "2000-02-29", "1996-02-29", "1900-01-01", "2199-12-31", "1998-12-31T00:00:00",
        "1998/06-30", "1998-6-3 9:05", "1998-06-30T12:00:00.123456789",
    ]  # fmt: skip
    return _moments(written, TEXT, timezone="America/New_York")


@accepted
def moments_as_text() -> Log:
    written = [
        "1998-06-30T15:59:59Z", "1998-06-30T16:00:00Z", "1998-06-30 23:59:59+08:00", "1998-07-01 00:00:00+08",
        "1998-06-30T23:59:59.500+0800", "1998-06-30T12:00:00-05:30", "1998-06-30T22:00:00-03:00", "1998-06-30",
        "1998-06-30T16:30Z", "1998-6-3 1:02 +02:00", "1998-06-30T23:30-0030", "2200-12-31 23:30+09",
        "1900-01-01 00:30+08",
    ]  # fmt: skip
    return _moments(written, TEXT, timezone="Asia/Shanghai")


@accepted
def days_in_a_pattern() -> Log:
    # Read the other way round, the first three would be days as well.
    written = ["03/04/1998", "12/11/1998", "01/02/2000", "29/02/2000", "31/12/1998", "30/06/1998"]
    return _moments(written, TEXT, rules={"date_format": "%d/%m/%Y"})


@accepted
def months_by_name_and_years_of_two_digits() -> Log:
    written = ["30 Jun 98", "1 jan 68", "1 JAN 69", "29 Feb 00", "31  Dec 99"]
    return _moments(written, TEXT, rules={"date_format": "%d %b %y"})


@accepted
def moments_of_half_days_in_a_pattern() -> Log:
    written = ["06/30/1998 12:00 AM", "06/30/1998 12:59 pm", "06/30/1998 1:05 PM"]
    return _moments(written, TEXT, rules={"date_format": "%m/%d/%Y %I:%M %p"})


@accepted
def moments_with_a_zone_in_a_pattern() -> Log:
    written = ["1998-06-30T23:59:59+0200", "1998-06-30T23:59:59-02:30", "1998-06-30T23:59:59+02"]
    return _moments(written, TEXT, timezone="Asia/Kolkata", rules={"date_format": "%Y-%m-%dT%H:%M:%S%z"})


@accepted
def moments_in_a_pattern() -> Log:
    written = ["30.06.1998 23:59:59", "30.06.1998 00:00:00", "29.02.2000 12:30:00"]
    return _moments(written, TEXT, rules={"date_format": "%d.%m.%Y %H:%M:%S"})


# ---- numbers ----------------------------------------------------------------------------------------


@accepted
def amounts_of_every_size() -> Log:
    amounts = [
        "0.0001", "-0.0001", "99999999999999.9999", "-99999999999999.9999", "1", "12345.6789", "0.1", "0.2", "33.3333",
        "99999999999999.9999",
    ]  # fmt: skip
    return Log(_purchases([(f"c{number % 3}", june(number + 1), amount) for number, amount in enumerate(amounts)]))


@accepted
def amounts_as_text() -> Log:
    written = [
        "1e2", "1E+2", "2.5e-3", "+7", "-.5", ".5", "5.", " 12.50 ", "007", "1.50000000", "0", "-0",
        "12345678901234.5678",
    ]  # fmt: skip
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": TEXT}
    return Log(table(columns, [(f"c{number % 3}", june(number + 1), text) for number, text in enumerate(written)]))


@accepted
def amounts_as_floats() -> Log:
    # 12 x 6.95 and 0.1 + 0.2: noise far behind the fourth decimal is none of the customer's.
    written = [12 * 6.95, 0.1 + 0.2, 1e3, -83.39999999999999, 0.0, -0.0, 123456789.1234, 19.99]
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": FLOAT}
    return Log(table(columns, [(f"c{number % 3}", june(number + 1), value) for number, value in enumerate(written)]))


@accepted
def amounts_with_noise_behind_the_fourth_decimal() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": WIDE}
    written = ["1.0000000001", "2.3456999999", "-3.0000000001"]
    return Log(table(columns, [("a", june(number + 1), Decimal(text)) for number, text in enumerate(written)]))


@accepted
def amounts_as_whole_numbers() -> Log:
    columns = {"customer_id": WHOLE, "order_date": DAY, "amount": WHOLE, "quantity": WHOLE}
    return Log(table(columns, [(1, june(1), 10, 1), (1, june(2), 7, 3), (2, june(2), -7, -3), (1, june(2), -7, -3)]))


@accepted
def several_currencies() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "currency": TEXT, "cost": MONEY}
    rows = [
        ("a", june(1), money("10"), "USD", money("4")), ("a", june(2), money("10"), "eur", money("3.3333")),
        ("a", june(3), money("10"), " EUR ", None), ("b", june(1), money("1000"), "JPY", money("700")),
        ("b", june(2), money("10"), None, None), ("b", june(3), money("10"), "", money("0")),
        ("b", june(4), money("-0.0001"), "EUR", None), ("c", june(4), money("99999999.9999"), "JPY", None),
    ]  # fmt: skip
    return Log(table(columns, rows), rules={"exchange_rates": {"EUR": 1.0837, "jpy": 0.00712}})


@accepted
def every_optional_column_with_gaps() -> Log:
    columns = {
        "customer_id": TEXT, "order_date": DAY, "amount": MONEY, "order_id": TEXT, "product": TEXT, "category": TEXT,
        "quantity": TEXT, "cost": FLOAT, "margin": MONEY, "channel": TEXT, "is_refund": FLAG,
    }  # fmt: skip
    rows = [
        ("a", june(1), money("10"), "o1", "tea", "drinks", "2", 3.333333, money("6"), "web", False),
        ("a", june(2), money("9"), None, None, None, None, None, None, None, None),
        ("b", june(2), money("8"), " ", "", "  ", "", float("nan"), None, "", None),
        ("b", june(3), money("8"), None, "tea", "drinks", "-1", 1.5, money("6.5"), "shop", True),
        ("b", june(4), money("7"), "o2", "cup", "Geschirr", "1.5", -1.5, money("-8.5"), "shop", False),
    ]
    return Log(table(columns, rows))


@accepted
def negative_quantities() -> Log:
    # A quantity below zero makes no refund; only the amount or the flag does.
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "quantity": WHOLE}
    rows = [("a", june(1), money("10"), -1), ("a", june(2), money("-10"), 1), ("a", june(3), money("5"), 0)]
    return Log(table(columns, rows))


# ---- what must be refused ---------------------------------------------------------------------------


@refused
def days_that_no_calendar_has() -> Log:
    written = [
        "1998-02-30", "1998-02-29", "1900-02-29", "1998-04-31", "1998-13-01", "1998-00-10", "1998-06-00", "1899-12-31",
        "2201-01-01", "1998-06-31T10:00:00Z", "1998-06-30 24:00:01", "1998-06-30 10:61", "1998-06-30",
        "1998-06-30 24:00:00", "0000-01-01", "0001-01-01", "1998-06-30 23:59:60", "9999-12-31T23:59:59-10",
    ]  # fmt: skip
    return _moments(written, TEXT, broken=("order_date",))


@refused
def text_that_is_no_day() -> Log:
    # PostgreSQL would know some of these.
    written = [
        "30/06/1998", "1998-06-30Z", "1998-06-30 +08", "1998-06-30 12:00+8", "1998-06-30t12:00", "June 30",
        "infinity", "now", "today", "epoch", "19980630", "1998-06", "0", "1998-06-30x", "-",
        "1998-06-30",
    ]  # fmt: skip
    return _moments(written, TEXT, broken=("order_date",))


@refused
def days_that_miss_their_pattern() -> Log:
    written = ["30/02/1998", "1998-06-30", "31/04/1998", "06/30/1998", "30/06/98x", "30/06/1998"]
    return _moments(written, TEXT, rules={"date_format": "%d/%m/%Y"}, broken=("order_date",))


@refused
def hours_that_no_clock_has_in_a_pattern() -> Log:
    written = ["06/30/1998 13:00 PM", "06/30/1998 0:30 AM", "06/30/1998 1:60 AM", "06/30/1998 1:05 PM"]
    return _moments(written, TEXT, rules={"date_format": "%m/%d/%Y %I:%M %p"}, broken=("order_date",))


@refused
def days_out_of_all_time() -> Log:
    return _moments(
        [date(1899, 12, 31), date(2201, 1, 1), date(1, 1, 1), date(9999, 12, 31)], DAY, broken=("order_date",)
    )


@refused
def missing_days() -> Log:
    return Log(_purchases([("a", june(1), "1"), ("a", None, "1"), ("b", None, "2")]), broken=("order_date",))


@refused
def missing_and_blank_days_as_text() -> Log:
    return _moments(["1998-06-30", None, "", "  "], TEXT, broken=("order_date",))


@refused
def text_in_numbers() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": TEXT, "quantity": TEXT}
    rows = [
        ("a", june(1), "10", "1"), ("a", june(2), "ten", "1"), ("a", june(3), "1,000.50", "one"),
        ("b", june(1), "$5", "1"), ("b", june(2), "1_000", "0x10"), ("b", june(3), "NaN", "inf"),
        ("b", june(4), "1e", "--1"), ("c", june(1), "1 000", "½"),
    ]  # fmt: skip
    return Log(table(columns, rows), broken=("amount", "quantity"))


@refused
def missing_amounts() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": FLOAT}
    rows = [("a", june(1), 1.0), ("a", june(2), None), ("b", june(2), float("nan"))]
    return Log(table(columns, rows), broken=("amount",))


@refused
def amounts_with_five_decimals() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": WIDE}
    return Log(
        table(
            columns,
            [("a", june(1), Decimal("1.23456")), ("a", june(2), Decimal("-0.00005")), ("b", june(1), Decimal(1))],
        ),
        broken=("amount",),
    )


@refused
def amounts_too_large() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": TEXT}
    written = ["100000000000000", "-1e20", "1e300", "9" * 60, "1" + "0" * 37, "5"]
    return Log(
        table(columns, [("a", june(number + 1), text) for number, text in enumerate(written)]), broken=("amount",)
    )


@refused
def amounts_that_are_no_numbers() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": FLOAT}
    written = [float("inf"), float("-inf"), 1e300, 1.0]
    return Log(
        table(columns, [("a", june(number + 1), value) for number, value in enumerate(written)]), broken=("amount",)
    )


@refused
def flags_that_say_neither() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "is_refund": TEXT}
    rows = [("a", june(1), money("1"), "maybe"), ("a", june(2), money("1"), "2"), ("b", june(1), money("1"), "true")]
    return Log(table(columns, rows), broken=("is_refund",))


@refused
def a_currency_without_a_rate() -> Log:
    columns = {"customer_id": TEXT, "order_date": DAY, "amount": MONEY, "currency": TEXT}
    rows = [("a", june(1), money("1"), "GBP"), ("a", june(2), money("1"), "USD"), ("b", june(1), money("1"), "EUR")]
    return Log(table(columns, rows), rules={"exchange_rates": {"EUR": 1.08}}, broken=("currency",))


@refused
def everything_at_once() -> Log:
    columns = {"customer_id": TEXT, "order_date": TEXT, "amount": TEXT, "quantity": TEXT}
    rows = [("a", "1998-02-30", "x", "y"), ("b", None, None, None), ("c", "1998-06-30", "1.00001", "1")]
    return Log(table(columns, rows), broken=("order_date", "amount", "quantity"))
