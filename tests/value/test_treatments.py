"""What each segment is and what to do about it, in the words of the company or in ours."""

import pandas as pd
import pytest

from crm_analysis import Treatment, customer_pyramid, treatment_table
from crm_analysis.errors import SettingsError
from crm_analysis.segment_rules import (
    HIGH_MIDDLE_LOW,
    LIFECYCLE_STATES,
    NOT_KNOWN,
    PROSPECT_STATES,
    PYRAMID_NAMES,
    RELATIONSHIP_LEVELS,
    RFM_NAMES,
)
from crm_analysis.segment_treatments import DEFAULT_TREATMENTS
from crm_analysis.settings import SegmentSettings


def table(name: str = "tier", **worth: float) -> pd.DataFrame:
    index = pd.Index(list(worth), name=name)
    return pd.DataFrame({"customers": range(1, len(worth) + 1), "value": list(worth.values())}, index=index)


def test_every_segment_has_words_by_default():
    rfm = {name for row in RFM_NAMES for name in row}
    others = {*PYRAMID_NAMES, *HIGH_MIDDLE_LOW.names, *LIFECYCLE_STATES, *PROSPECT_STATES, *RELATIONSHIP_LEVELS}
    assert set(DEFAULT_TREATMENTS) == {*rfm, *others, NOT_KNOWN}
    assert all(words.meaning and words.action for words in DEFAULT_TREATMENTS.values())


def test_a_row_says_what_the_segment_is_how_many_what_they_are_worth_and_what_to_do():
    row = treatment_table(table(gold=500.0)).loc["gold"]
    assert row[["customers", "worth"]].tolist() == [1, 500]
    assert row["meaning"] == "Customers of high value below the top."
    assert row["action"].startswith("Offer what platinum customers buy")


@pytest.mark.parametrize(
    ("before", "trend"),
    [
        (400.0, "grew by 25%"),
        (1000.0, "shrank by 50%"),
        (499.0, "no real change"),
        (-5.0, "grew"),
        (float("nan"), "not known"),
    ],
)
def test_the_trend_is_told_in_words(before, trend):
    assert treatment_table(table(gold=500.0), table(gold=before)).loc["gold", "trend"] == trend


def test_without_an_earlier_month_there_is_no_trend():
    assert treatment_table(table(gold=500.0)).loc["gold", "trend"] == "no earlier date"


def test_a_segment_that_was_not_there_has_no_trend():
    assert treatment_table(table(gold=5.0), table(iron=5.0)).loc["gold", "trend"] == "not there then"


def test_the_words_of_the_company_come_first_and_leave_the_others():
    row = treatment_table(table(gold=1.0), treatments={"gold": Treatment(action="Invite in June.")}).loc["gold"]
    assert row["action"] == "Invite in June."
    assert row["meaning"] == DEFAULT_TREATMENTS["gold"].meaning


def test_a_level_of_an_attribute_has_its_own_words():
    words = {"region: North": Treatment("The shop in Leeds."), "kind: North": Treatment("A kind.")}
    frame = treatment_table(table("region", North=1.0, South=2.0), treatments=words)
    assert frame.loc["North", "meaning"] == "The shop in Leeds."
    assert frame.loc["South", ["meaning", "action"]].tolist() == [
        "Customers whose region is South.",
        "Nothing is planned yet.",
    ]


def test_words_for_a_level_without_a_row_are_noted():
    frame = treatment_table(table("region", North=1.0), treatments={"region: Nrth": Treatment("x")})
    assert frame.attrs["notes"] == ("There is a treatment for region Nrth, and no such row.",)


def test_unknown_keys_are_refused_by_name():
    with pytest.raises(SettingsError, match="treatments names platinun; the segments are"):
        treatment_table(table(gold=1.0), treatments={"platinun": Treatment("x")})


def test_settings_with_names_of_their_own_serve_every_table(sample_values):
    names = ("diamond", "VIP", "regular", "occasional")
    segments = SegmentSettings(pyramid={"names": names}, treatments={"VIP": {"action": "Invite in June."}})
    tiers = customer_pyramid(sample_values, **vars(segments.pyramid)).table
    frame = treatment_table(tiers, treatments=segments.treatments, others=segments.names)
    assert frame.loc["VIP", "action"] == "Invite in June."
    states = table("state", active=1.0)
    assert len(treatment_table(states, treatments=segments.treatments, others=segments.names)) == 1


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (table(gold=1.0).drop(columns="value"), "table has no column value"),
        (pd.concat([table(gold=1.0)] * 2), "several rows for gold"),
        ([1, 2], "table is a list"),
    ],
)
def test_what_is_no_table_of_segments_is_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        treatment_table(wrong)
