"""Days written as text, read the same way by every engine.

The embedded DuckDB has functions that try; others raise on the first text that is no date, so there the parts are taken
out by a regular expression, checked against the calendar as numbers, and only then put together.
"""

import re
from dataclasses import dataclass

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.errors import SettingsError, listing

ISO_DAY = r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})"
ISO_TIME = r"(\d{1,2}):(\d{2})(:(\d{2})(\.\d+)?)?"
ISO_NAIVE = rf"^{ISO_DAY}([T ]{ISO_TIME})?$"
ISO_ZONED = rf"^{ISO_DAY}[T ]{ISO_TIME} ?(Z|[+-]\d{{2}}(:?\d{{2}})?)$"

INSTANT = dt.Timestamp(timezone="UTC")
CLOCK = dt.Timestamp()

_MONTHS = ("january", "february", "march", "april", "may", "june",
           "july", "august", "september", "october", "november", "december")  # fmt: skip
# strptime directives that can be read anywhere, as the text they match.
_DIRECTIVES = {
    "Y": r"(\d{4})",
    "y": r"(\d{2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "H": r"(\d{1,2})",
    "I": r"(\d{1,2})",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "f": r"(\d{1,6})",
    "p": r"([AaPp][Mm])",
    "b": r"([A-Za-z]{3})",
    "B": r"([A-Za-z]{3,9})",
    "z": r"(Z|[+-]\d{2}(?::?\d{2})?)",
}


# What ibis has no name for. It reads the annotations as its own types; mypy cannot.
@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def try_strptime(text: str, pattern: str) -> CLOCK:  # type: ignore[valid-type]
    """DuckDB's own: text to a time without zone, missing where it does not fit the pattern."""


@ibis.udf.scalar.builtin(name="try_strptime")  # type: ignore[untyped-decorator]
def try_strptime_zoned(text: str, pattern: str) -> INSTANT:  # type: ignore[valid-type]
    """The same for a pattern that holds %z or %Z: DuckDB then returns an instant."""


@ibis.udf.scalar.builtin  # type: ignore[untyped-decorator]
def convert_timezone(source: str, target: str, clock: CLOCK) -> CLOCK:  # type: ignore[valid-type]
    """What the clocks in `target` show when those in `source` show `clock`; written in each engine's own words."""


def day_of_instant(instant: ir.TimestampValue, timezone: str) -> ir.DateValue:
    """Return the day that clocks in `timezone` show; sessions of every engine are in UTC."""
    return convert_timezone("UTC", timezone, instant.cast(CLOCK)).date()


def written_day(text: ir.StringValue, pattern: str | None, timezone: str, *, tries: bool) -> ir.DateValue:
    """Return the day that a text names, missing where it names none.

    Parameters
    ----------
    text : ibis string
        Without surrounding blanks.
    pattern : str or None
        A strptime pattern; None for ISO days and times, with or without a zone.
    timezone : str
        The company's; times with a zone are converted to it and cut to the day.
    tries : bool
        Whether the engine is DuckDB, which reads dates by functions that return missing where they fail.

    Raises
    ------
    SettingsError
        When the pattern is none, or holds what cannot be read on this engine.
    """
    if pattern is not None:
        check_date_format(pattern)
    if not tries:
        return _by_parts(text, pattern, timezone)
    if pattern is None:
        naive = text.re_search(ISO_NAIVE).ifelse(text.try_cast(CLOCK), ibis.null(CLOCK)).date()
        # Cast to a plain time, DuckDB drops an offset without a word; hence the detour over the instant.
        instant = text.re_search(ISO_ZONED).ifelse(text.try_cast(INSTANT), ibis.null(INSTANT))
        return ibis.coalesce(naive, day_of_instant(instant, timezone))
    if re.search(r"%[zZ]", pattern):
        return day_of_instant(try_strptime_zoned(text, pattern), timezone)
    return try_strptime(text, pattern).date()


def check_date_format(pattern: str) -> None:
    """Raise `SettingsError` unless dates can be read with this strptime pattern."""
    try:
        duckdb.execute("SELECT try_strptime('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise SettingsError(f"rules.date_format is {pattern!r}: {str(error).splitlines()[0]}") from None


# --- by parts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parts:
    """Whole numbers taken out of a text; missing where the text does not fit."""

    fits: ir.BooleanValue
    year: ir.IntegerValue
    month: ir.IntegerValue
    day: ir.IntegerValue
    hour: ir.IntegerValue
    minute: ir.IntegerValue
    second: ir.IntegerValue
    offset: ir.IntegerValue | None  # seconds east of UTC

    def clock_day(self) -> ir.DateValue:
        """The day as written."""
        # Engines raise on 30 February, so the calendar is asked first.
        return self._possible().ifelse(ibis.date(self.year, self.month, self.day), ibis.null(dt.date))

    def day_in(self, timezone: str) -> ir.DateValue:
        """The day in the company's zone, for a text with an offset."""
        assert self.offset is not None
        seconds = self.hour * 3600 + self.minute * 60 + self.second - self.offset
        return day_of_instant(self.clock_day().cast(CLOCK) + seconds.as_interval("s"), timezone)

    def _possible(self) -> ir.BooleanValue:
        y, m, d = self.year, self.month, self.day
        is_leap = ((y % 4 == 0) & (y % 100 != 0)) | (y % 400 == 0)
        last = ibis.cases((m.isin([4, 6, 9, 11]), 30), (m == 2, is_leap.ifelse(29, 28)), else_=31)
        of_calendar = m.between(1, 12) & d.between(1, last) & (y > 0)
        of_clock = self.hour.between(0, 23) & self.minute.between(0, 59) & self.second.between(0, 59)
        return (self.fits & of_calendar & of_clock).fill_null(False)


def _by_parts(text: ir.StringValue, pattern: str | None, timezone: str) -> ir.DateValue:
    if pattern is not None:
        parts = _parts_by_pattern(text, pattern)
        return parts.clock_day() if parts.offset is None else parts.day_in(timezone)
    naive = _iso_parts(text, ISO_NAIVE, time=5, zone=None)
    zoned = _iso_parts(text, ISO_ZONED, time=4, zone=9)
    return ibis.coalesce(naive.clock_day(), zoned.day_in(timezone))


def _iso_parts(text: ir.StringValue, pattern: str, *, time: int, zone: int | None) -> _Parts:
    group = _Groups(text, pattern)
    return _Parts(
        group.fits,
        group.number(1),
        group.number(2),
        group.number(3),
        group.number(time, absent=0),
        group.number(time + 1, absent=0),
        group.number(time + 3, absent=0),
        None if zone is None else group.offset(zone),
    )


def _parts_by_pattern(text: ir.StringValue, pattern: str) -> _Parts:
    directives = re.findall(r"%(.)", pattern.replace("%%", ""))
    unknown = [f"%{one}" for one in directives if one not in _DIRECTIVES]
    if unknown:
        raise SettingsError(
            f"rules.date_format is {pattern!r}: {listing(unknown)} can be read in the embedded DuckDB only. "
            f"On this engine use {listing([f'%{one}' for one in _DIRECTIVES])}, or store dates as dates."
        )
    pieces = re.split(r"%(.)", pattern)
    regex = "".join(
        ("%" if piece == "%" else _DIRECTIVES[piece]) if position % 2 else re.escape(piece)
        for position, piece in enumerate(pieces)
    )
    group = _Groups(text, f"^{regex}$")
    place = {directive: position for position, directive in enumerate(directives, start=1)}

    def number(directive: str, absent: int) -> ir.IntegerValue:
        return group.number(place[directive]) if directive in place else ibis.literal(absent)

    year = group.number(place["y"]) if "y" in place else number("Y", 1900)
    if "y" in place:
        year = year + (year < 69).ifelse(2000, 1900)
    named = place.get("B") or place.get("b")
    month = number("m", 1) if named is None else _named_month(group.text(named), whole="B" in place)
    hour = number("H", 0)
    if "I" in place:
        evening = group.text(place["p"]).lower() == "pm" if "p" in place else ibis.literal(False)
        hour = number("I", 12) % 12 + evening.ifelse(12, 0)
    offset = group.offset(place["z"]) if "z" in place else None
    return _Parts(group.fits, year, month, number("d", 1), hour, number("M", 0), number("S", 0), offset)


def _named_month(name: ir.StringValue, *, whole: bool) -> ir.IntegerValue:
    names = [month if whole else month[:3] for month in _MONTHS]
    return ibis.cases(*((name.lower() == one, number) for number, one in enumerate(names, start=1)), else_=0)


@dataclass(frozen=True)
class _Groups:
    """The groups of a pattern in a text."""

    text_: ir.StringValue
    pattern: str

    @property
    def fits(self) -> ir.BooleanValue:
        return self.text_.re_search(self.pattern)

    def text(self, position: int) -> ir.StringValue:
        # Without a match some engines answer with blanks, others with nothing.
        found = self.text_.re_extract(self.pattern, position).nullif("")
        return self.fits.ifelse(found, ibis.null(str))

    def number(self, position: int, absent: int | None = None) -> ir.IntegerValue:
        number = self.text(position).cast("int32")
        return number if absent is None else number.fill_null(absent)

    def offset(self, position: int) -> ir.IntegerValue:
        """Seconds east of UTC of "Z", "+02", "+0200" or "+02:00"."""
        zone = self.text(position)
        digits = zone.replace("Z", "+00").replace(":", "")
        seconds = digits.substr(1, 2).cast("int32") * 3600 + (
            (digits.length() > 3).ifelse(digits.substr(3, 2), ibis.literal("00")).cast("int32") * 60
        )
        return digits.startswith("-").ifelse(-seconds, seconds)
