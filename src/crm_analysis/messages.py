"""Every word and number a reader sees, in the reader's language: one message catalogue and one way to write numbers.

`_("...")` looks a sentence up in the catalogue of the language in use; values go into it by name, already written by
the functions below. Another language is another folder under `locale/`, no change of code.
"""

import gettext
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import date
from functools import lru_cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.numbers import format_currency, format_decimal, format_percent, get_currency_name

LOCALE_FOLDER = Path(__file__).parent / "locale"
DOMAIN = "crm_analysis"
MINUS, EN_DASH = "\N{MINUS SIGN}", "\N{EN DASH}"

_language: ContextVar[str] = ContextVar("language", default="en")


@contextmanager
def language(code: str) -> Iterator[None]:
    """Speak `code` ("en", "zh_CN", ...) inside a with block."""
    token = _language.set(code.replace("-", "_"))
    try:
        yield
    finally:
        _language.reset(token)


def use_language(code: str) -> None:
    """Speak `code` from here on; a notebook calls it once."""
    _language.set(code.replace("-", "_"))


def current_language() -> str:
    """Return the language in use, as an HTML `lang` value."""
    return _language.get().replace("_", "-")


@lru_cache
def _catalogue(code: str) -> gettext.NullTranslations:
    return gettext.translation(DOMAIN, LOCALE_FOLDER, [code], fallback=True)


@lru_cache
def _locale(code: str) -> Locale:
    return Locale.parse("en_US" if code == "en" else code)


def _(message: str, /, **values: object) -> str:
    """Return `message` in the language in use, with `{name}` replaced by each value."""
    text = _catalogue(_language.get()).gettext(message)
    return text.format(**values) if values else text


def N_(message: str) -> str:
    """Mark a sentence for the catalogue where it is written; `_` looks it up where it is shown."""
    return message


def plural(one: str, many: str, n: int, /, **values: object) -> str:
    """Return the form of a message that fits `n`; `{n}` is the number, written for the reader."""
    text = _catalogue(_language.get()).ngettext(one, many, n)
    return text.format(n=count(n), **values)


def _true_minus(text: str) -> str:
    return text.replace("-", MINUS)


def _unwritable(value: float | None) -> str | None:
    """Return the words for what is no number to write out: missing or infinite."""
    if value is None or value != value:
        return EN_DASH
    return _("infinite") if value in (float("inf"), float("-inf")) else None


def _unsigned_zero(value: float, digits: int) -> float:
    """Return a number, 0 where that is all that its digits would show: nothing is written with a minus before it."""
    return value if abs(value) * 10**digits > 0.5 else 0.0


def _pattern(digits: int) -> str:
    return "#,##0" + ("." + "0" * digits if digits else "")


def missing() -> str:
    """Return the sign for what is not there."""
    return EN_DASH


def count(value: float | None) -> str:
    """Write a whole number: 23,570."""
    return number(value, 0)


def number(value: float | None, digits: int = 2) -> str:
    """Write a number with a fixed count of decimals: 0.82."""
    words = _unwritable(value)
    if words is not None or value is None:
        return words or EN_DASH
    written = format_decimal(_unsigned_zero(value, digits), format=_pattern(digits), locale=_locale(_language.get()))
    return _true_minus(written)


def percent(value: float | None, digits: int | None = None) -> str:
    """Write a share as percent: 49%, below ten percent with a decimal (7.2%), or with `digits` decimals."""
    words = _unwritable(value)
    if words is not None or value is None:
        return words or EN_DASH
    if digits is None:
        digits = 1 if abs(value) < 0.0995 else 0
    shown = _unsigned_zero(value, digits + 2)
    return _true_minus(format_percent(shown, format=_pattern(digits) + "%", locale=_locale(_language.get())))


def rate(value: float | None) -> str:
    """Write a rate that was set, digit for digit up to two decimals: 10%, 12.5%."""
    exact = next((n for n in (0, 1) if value is not None and abs(value * 100 - round(value * 100, n)) < 1e-9), 2)
    return percent(value, exact)


def points(value: float) -> str:
    """Write a difference of two shares in percentage points: 2.5 points."""
    return _("{value} points", value=number(abs(value) * 100, 1))


def money(value: float | None, currency: str, digits: int | None = None) -> str:
    """Write an amount in full: $418,711, with cents below 100: $38.93."""
    words = _unwritable(value)
    if words is not None or value is None:
        return words or EN_DASH
    if digits is None:
        digits = 2 if 0 < abs(value) < 99.995 else 0
    locale = _locale(_language.get())
    pattern = "¤" + _pattern(digits)
    return _true_minus(format_currency(value, currency, format=pattern, locale=locale, currency_digits=False))


def short_money(value: float | None, currency: str) -> str:
    """Write an amount for a headline: $418.7k, $3.2M."""
    if value is not None and _unwritable(value) is None:
        for size, suffix in ((1e9, _("B")), (1e6, _("M")), (1e3, _("k"))):
            if abs(value) >= size * 0.99995:
                return money(value / size, currency, 1) + suffix
    return money(value, currency)


def currency_name(currency: str) -> str:
    """Write the name of a currency: US dollars."""
    return get_currency_name(currency, count=2, locale=_locale(_language.get()))


def signed(text: str, value: float) -> str:
    """Put a plus before the text of a positive number; a negative one has its minus already."""
    return f"+{text}" if value > 0 else text


def day(value: date) -> str:
    """Write a date: 30 June 1998."""
    return format_date(value, _("d MMMM y"), locale=_locale(_language.get()))


def month(value: date) -> str:
    """Write a month: June 1998."""
    return format_date(value, _("MMMM y"), locale=_locale(_language.get()))


def month_of(period: str) -> str:
    """Write a period, given as "1998-06": June 1998."""
    year, number = period.split("-")
    return month(date(int(year), int(number), 1))


def month_name(value: date) -> str:
    """Write a month without its year: June."""
    return format_date(value, _("MMMM"), locale=_locale(_language.get()))


def short_month(value: date, *, with_year: bool) -> str:
    """Write a month for an axis: Jun, or Jun 98."""
    return format_date(value, _("MMM yy") if with_year else _("MMM"), locale=_locale(_language.get()))
