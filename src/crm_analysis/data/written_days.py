"""Days written as text, read the same way by every engine.

The embedded DuckDB has functions that try; others raise on the first text that is no date, so there the parts are taken
out by a regular expression, checked against the calendar as numbers, and only then put together.
"""

import re
from dataclasses import dataclass
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import duckdb
import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir

from crm_analysis.errors import SettingsError, listing

# What no calendar and no clock has stays outside, but for days that only some months have.
ISO_DAY = r"([1-9]\d{3})[-/](0?[1-9]|1[0-2])[-/](0?[1-9]|[12]\d|3[01])"
ISO_TIME = r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d)(?:\.\d+)?)?"
ISO_ZONE = r"(Z|[+-]\d{2}(?::?\d{2})?)"
ISO_NAIVE = rf"^{ISO_DAY}(?:[T ]{ISO_TIME})?$"
ISO_ZONED = rf"^{ISO_DAY}[T ]{ISO_TIME} ?{ISO_ZONE}$"
# Both in one, so that a text is taken apart once.
ISO = rf"^{ISO_DAY}(?:[T ]{ISO_TIME}(?: ?{ISO_ZONE})?)?$"

INSTANT = dt.Timestamp(timezone="UTC")
CLOCK = dt.Timestamp()

_MONTHS = ("january", "february", "march", "april", "may", "june",
           "july", "august", "september", "october", "november", "december")  # fmt: skip
# strptime directives that can be read anywhere, as the text they match.
_DIRECTIVES = {
    "Y": r"(\d{4})",
    "y": r"(\d{1,2})",
    "m": r"(\d{1,2})",
    "d": r"(\d{1,2})",
    "H": r"(\d{1,2})",
    "I": r"(0?[1-9]|1[0-2])",
    "M": r"(\d{1,2})",
    "S": r"(\d{1,2})",
    "f": r"(\d{1,6})",
    "p": r"([AaPp][Mm])",
    "b": r"([A-Za-z]{3})",
    "B": r"([A-Za-z]{3,9})",
    "z": r"([+-]\d{2}(?::?\d{2})?)",
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
        # Parts for the few that a cast does not take, such as 12:30Z without seconds.
        return ibis.coalesce(naive, day_of_instant(instant, timezone), _by_parts(text, None, timezone))
    if re.search(r"%[zZ]", pattern):
        return day_of_instant(try_strptime_zoned(text, pattern), timezone)
    return try_strptime(text, pattern).date()


def check_date_format(pattern: str) -> None:
    """Raise `SettingsError` unless dates can be read with this strptime pattern."""
    try:
        duckdb.execute("SELECT try_strptime('', $1)", [pattern]).fetchall()
    except duckdb.Error as error:
        raise SettingsError(f"date_format is {pattern!r}: {str(error).splitlines()[0]}") from None


def check_timezone(name: str) -> None:
    """Raise `SettingsError` unless there is such a time zone."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise SettingsError(f"timezone is {name!r}; use a name such as 'Europe/Berlin' or 'UTC'.") from None


# --- by parts -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Parts:
    """Whole numbers taken out of a text; `month` is missing where the text fits nothing or is no time of a calendar."""

    year: ir.IntegerValue
    month: ir.IntegerValue
    day: ir.IntegerValue
    seconds: ir.IntegerValue
    offset: ir.IntegerValue | None = None  # seconds east of UTC, missing where the text names no zone

    def day_in(self, timezone: str) -> ir.DateValue:
        """Return the day as written or, for a text with an offset, the day in the company's zone."""
        # Engines raise on 30 February, so days are counted from the first of the month, and must not leave it.
        counted = ibis.date(self.year, self.month, 1) + (self.day - 1).as_interval("D")
        written = (counted.month() == self.month).ifelse(counted, ibis.null(dt.date))
        if self.offset is None:
            return written
        moved = day_of_instant(written.cast(CLOCK) + (self.seconds - self.offset).as_interval("s"), timezone)
        return ibis.coalesce(moved, written)


def _by_parts(text: ir.StringValue, pattern: str | None, timezone: str) -> ir.DateValue:
    parts = _iso_parts(text) if pattern is None else _parts_by_pattern(text, pattern)
    return parts.day_in(timezone)


def _iso_parts(text: ir.StringValue) -> _Parts:
    group = _Groups(text, ISO)
    seconds = group.number(4, 0) * 3600 + group.number(5, 0) * 60 + group.number(6, 0)
    return _Parts(group.number(1), group.number(2), group.number(3), seconds, group.offset(7))


def _parts_by_pattern(text: ir.StringValue, pattern: str) -> _Parts:
    directives = re.findall(r"%(.)", pattern.replace("%%", ""))
    unknown = [f"%{one}" for one in directives if one not in _DIRECTIVES]
    if unknown:
        raise SettingsError(
            f"date_format is {pattern!r}: {listing(unknown)} can be read in the embedded DuckDB only. "
            f"On this engine use {listing([f'%{one}' for one in _DIRECTIVES])}, or store dates as dates."
        )
    pieces = re.split(r"%(.)", pattern)
    regex = "".join(
        ("%" if piece == "%" else _DIRECTIVES[piece]) if position % 2 else _literally(piece)
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
    day, minute, second = number("d", 1), number("M", 0), number("S", 0)
    fits = group.fits & month.between(1, 12) & day.between(1, 31) & (year > 0)
    fits &= hour.between(0, 23) & minute.between(0, 59) & second.between(0, 59)
    offset = group.offset(place["z"]) if "z" in place else None
    seconds = hour * 3600 + minute * 60 + second
    return _Parts(year, fits.ifelse(month, ibis.null("int32")), day, seconds, offset)


def _literally(text: str) -> str:
    """Regex of the text between directives; a blank stands for any number of them, as it does in DuckDB."""
    return re.escape(text).replace("\\ ", r"[ \t]+")


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
        return self.text_.re_extract(self.pattern, position).nullif("")

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
