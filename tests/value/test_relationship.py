"""Kotler's five levels, by how many customers a segment has and what one of them brings."""

import pandas as pd
import pytest

from crm_analysis import customer_pyramid, relationship_levels
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.segment_rules import RELATIONSHIP_LEVELS

CUTS = {"customer_cuts": (100, 1000), "margin_cuts": (10, 50)}


def segments(customers: list[float], margin: list[float]) -> tuple[pd.Series, pd.Series]:
    return pd.Series(customers), pd.Series(margin)


@pytest.mark.parametrize(
    ("customers", "margin", "level"),
    [
        (1000, 50, "accountable"), (1000, 10, "reactive"), (1000, 9.99, "basic"),
        (999, 50, "proactive"), (100, 49, "accountable"), (100, 0, "reactive"),
        (99, 50, "partnership"), (1, 10, "proactive"), (0, -5, "accountable"),
    ],
)  # fmt: skip
def test_the_levels_are_those_of_the_book(customers, margin, level):
    assert relationship_levels(segments([customers], [margin]), **CUTS)["level"].tolist() == [level]


def test_the_levels_rise_from_basic_to_partnership():
    level = relationship_levels(segments([1], [1]), **CUTS)["level"]
    assert level.cat.ordered
    assert tuple(level.cat.categories) == RELATIONSHIP_LEVELS


def test_without_cuts_the_segments_are_cut_into_thirds_and_the_cuts_are_told():
    frame = relationship_levels(segments([1, 2, 3, 4, 5, 6], [60, 50, 40, 30, 20, 10]))
    assert frame["customer_class"].tolist() == ["few", "few", "medium", "medium", "many", "many"]
    assert frame.attrs == {"customer_cuts": (3, 5), "margin_cuts": (30, 50)}


def test_segments_that_are_alike_are_in_one_class():
    frame = relationship_levels(segments([5, 5, 5], [1, 2, 3]))
    assert len(frame["customer_class"].unique()) == 1


def test_a_segment_without_a_margin_has_no_level():
    frame = relationship_levels(segments([5, 0], [60, float("nan")]), **CUTS)
    assert frame["level"].isna().tolist() == [False, True]
    assert frame["margin_class"].isna().tolist() == [False, True]


def test_another_matrix_is_followed():
    matrix = [["proactive"] * 3, ["basic"] * 3, ["reactive"] * 3]
    assert relationship_levels(segments([5000], [1]), matrix=matrix, **CUTS)["level"].tolist() == ["proactive"]


def test_tiers_of_cdnow_have_levels(sample_values):
    table = customer_pyramid(sample_values).table
    levels = relationship_levels(table, customer_cuts=(200, 1000), margin_cuts=(5, 50))
    assert levels.loc["platinum", "level"] == "partnership"
    assert levels.loc["lead", "level"] == "basic"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"customer_cuts": (1000, 100)}, "customer_cuts .* out of order"),
        ({"margin_cuts": (1,)}, "margin_cuts is .* give two numbers"),
        ({"matrix": [["basic"] * 3] * 2}, "three rows"),
        ({"matrix": [["friendly"] * 3] * 3}, "matrix names friendly; the levels are basic"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        relationship_levels(segments([1], [1]), **{**CUTS, **options})


def test_two_segments_cannot_be_cut_into_thirds():
    with pytest.raises(SettingsError, match="customer_cuts: 2 segments cannot be cut into thirds"):
        relationship_levels(segments([1, 2], [1, 2]))


def test_a_table_without_customers_is_refused():
    with pytest.raises(SettingsError, match="no column 'customers'"):
        relationship_levels(pd.DataFrame({"mean_value": [1.0]}), **CUTS)


def test_an_infinite_margin_is_refused():
    with pytest.raises(DataError, match="customers or margin is infinite"):
        relationship_levels(segments([1], [float("inf")]), **CUTS)
