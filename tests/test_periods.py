"""Months, horizons and rates."""

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.errors import SettingsError
from crm_analysis.periods import Month, annual_to_continuous, horizon_in_units, units_per_year


def test_a_rate_is_converted_as_the_design_says():
    assert annual_to_continuous(0.10, "week") == pytest.approx(np.log(1.10) / (365.25 / 7), rel=1e-15)


@given(st.floats(0, 5), st.sampled_from(["day", "week", "month"]))
def test_a_year_of_periods_compounds_to_the_annual_rate(rate, unit):
    assert np.exp(annual_to_continuous(rate, unit) * units_per_year(unit)) == pytest.approx(1 + rate)


@pytest.mark.parametrize("rate", [-2.0, -1.0, -0.05, float("inf"), float("nan")])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(SettingsError, match="0 or more"):
        annual_to_continuous(rate, "week")


@pytest.mark.parametrize(
    ("text", "days"), [("90 days", 90), ("39 weeks", 273), ("1 day", 1), ("24 months", 730.5), ("2 years", 730.5)]
)
def test_a_horizon_in_words_has_its_mean_length_without_a_date(text, days):
    assert horizon_in_units(text, "day") == pytest.approx(days)


@pytest.mark.parametrize(("text", "days"), [("1 month", 28), ("12 months", 365), ("1 year", 365), ("4 years", 1461)])
def test_a_horizon_in_words_follows_the_calendar_from_a_date(text, days):
    assert horizon_in_units(text, "day", date(1998, 1, 31)) == days


def test_a_number_is_taken_in_the_unit():
    assert horizon_in_units(52, "week") == 52


@pytest.mark.parametrize("wrong", ["two years", "24", "", 0, -3, "0 days", float("nan"), None, [52]])
def test_a_horizon_that_is_no_length_is_refused(wrong):
    with pytest.raises(SettingsError, match="horizon is"):
        horizon_in_units(wrong, "week")


def test_a_unit_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="day, week, month"):
        units_per_year("fortnight")


def test_a_month_ends_on_its_last_day():
    assert Month.parse("1998-02").last_day == date(1998, 2, 28)


def test_months_count_across_years():
    assert str(Month.parse("1998-01").shift(-1)) == "1997-12"
    assert str(Month.parse("1998-06").shift(-12)) == "1997-06"


@pytest.mark.parametrize("wrong", ["1998-13", "1998-6", "199806", "June 1998", "1998-06-30", ""])
def test_a_period_that_is_no_month_is_refused(wrong):
    with pytest.raises(SettingsError, match="YYYY-MM"):
        Month.parse(wrong)
