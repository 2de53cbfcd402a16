"""Words and numbers as a reader sees them."""

from datetime import date

import pytest

from crm_analysis import messages
from crm_analysis.messages import (
    count,
    day,
    language,
    money,
    month,
    number,
    percent,
    plural,
    points,
    short_money,
    signed,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [(418_711, "$418.7k"), (3_240_000, "$3.2M"), (999.4, "$999"), (38.93, "$38.93"), (0, "$0"), (-2_913, "−$2.9k")],
)
def test_headline_money(value, text):
    assert short_money(value, "USD") == text


def test_money_in_full_has_cents_below_one_hundred():
    assert [money(v, "USD") for v in (418_711.4, 99.5, 100.2)] == ["$418,711", "$99.50", "$100"]


@pytest.mark.parametrize(
    ("value", "text"), [(0.49, "49%"), (0.0717, "7.2%"), (-0.298, "−30%"), (0.0996, "10%"), (1, "100%")]
)
def test_percent_has_a_decimal_below_ten(value, text):
    assert percent(value) == text


@pytest.mark.parametrize(("value", "text"), [(0.1, "10%"), (0.125, "12.5%"), (0.0775, "7.75%"), (0.3, "30%")])
def test_rates_are_written_as_they_were_set(value, text):
    assert messages.rate(value) == text


def test_counts_have_separators_and_a_true_minus():
    assert count(-23_570) == "−23,570"


@pytest.mark.parametrize("written", [number(-0.004), number(-0.005), count(-0.5), percent(-0.004, 0), percent(-0.0004)])
def test_what_rounds_to_nothing_has_no_minus(written):
    assert "−" not in written


@pytest.mark.parametrize("write", [count, number, percent, lambda v: money(v, "USD"), lambda v: short_money(v, "USD")])
def test_a_missing_number_is_a_dash_and_an_infinite_one_is_called_so(write):
    assert write(float("nan")) == write(None) == "–"
    assert write(float("inf")) == "infinite"


def test_dates_are_written_out():
    assert day(date(1998, 6, 30)) == "30 June 1998"
    assert month(date(1998, 6, 30)) == "June 1998"


def test_points_and_signs():
    assert points(-0.0247) == "2.5 points"
    assert signed("361", 361) == "+361"


def test_plural_follows_the_number():
    assert plural("{n} warning", "{n} warnings", 1) == "1 warning"
    assert plural("{n} warning", "{n} warnings", 1200) == "1,200 warnings"


def test_an_unknown_sentence_is_left_as_it_is():
    with language("zh_CN"):
        assert messages._("a sentence nobody has translated") == "a sentence nobody has translated"
    assert messages.current_language() == "en"
