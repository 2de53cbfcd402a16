"""Any attribute as segments: everybody is in one row, missing stays missing and is counted."""

import pandas as pd
import pytest

from crm_analysis import customer_pyramid, segment_table
from crm_analysis.errors import DataError, SettingsError


def regions(values, *names):
    return pd.Series(names, index=values.frame.index, name="region")


def test_each_level_has_its_customers_value_and_activity(values_of):
    values = values_of([1.0, 2.0, 7.0], alive=[0.2, 0.4, 0.9], silence=[10.0, 30.0, 5.0])
    table = segment_table(values, regions(values, "North", "North", "South"))
    assert table.index.tolist() == ["South", "North"]
    assert table.index.name == "region"
    north = table.loc["North"]
    assert north[["customers", "value", "mean_value", "days_since_last"]].tolist() == [2, 3, 1.5, 20]
    assert north[["share_of_customers", "share_of_value", "probability_alive"]].tolist() == pytest.approx(
        [2 / 3, 0.3, 0.3]
    )


def test_a_column_of_attributes_is_taken_by_name(values_of):
    values = values_of([1.0, 2.0])
    attributes = pd.DataFrame({"customer_id": ["c0001", "c0000"], "settlement": ["cash", "credit"]})
    assert segment_table(values, "settlement", attributes=attributes)["value"].to_dict() == {"cash": 2, "credit": 1}


def test_without_attributes_a_column_of_the_summary_is_taken(values_of):
    values = values_of([1.0, 2.0], kind=["company", "consumer"])
    assert segment_table(values, "kind")["customers"].to_dict() == {"consumer": 1, "company": 1}


def test_whose_attribute_is_missing_is_not_known_and_counted(values_of):
    values = values_of([1.0, 2.0, 4.0, 8.0, 16.0])
    table = segment_table(values, regions(values, "North", "South", None, " ", "South").iloc[:4])
    assert table.index.tolist() == ["South", "North", "not known"]
    assert table.loc["not known", ["customers", "value"]].tolist() == [3, 28]


def test_the_rows_add_up_to_the_base(sample_values):
    last_digit = pd.Series(sample_values.frame.index.str[-1], index=sample_values.frame.index)
    table = segment_table(sample_values, last_digit)
    assert table["customers"].sum() == 2_357
    assert table["value"].sum() == pytest.approx(sample_values.total)


def test_many_levels_are_folded_with_a_note(values_of):
    values = values_of([1.0] * 20)
    names = [f"r{number:02}" for number in range(13)] + ["r12"] * 7
    table = segment_table(values, regions(values, *names), most=3)
    assert table.index.tolist() == ["r12", "r00", "r01", "other (10 levels)"]
    assert table["customers"].tolist() == [8, 1, 1, 10]
    assert table.attrs["notes"] == ("region has 13 levels; the smallest are together in one row.",)


def test_who_is_not_known_is_not_folded_into_the_others(values_of):
    values = values_of([1.0] * 6)
    table = segment_table(values, regions(values, "a", "a", "b", "c", None, None), most=2)
    assert table["customers"].to_dict() == {"a": 2, "b": 1, "other (1 level)": 1, "not known": 2}


def test_tiers_come_from_the_highest_down_with_those_that_are_empty(values_of):
    values = values_of([3.0, 2.0, 1.0])
    tier = customer_pyramid(values, cut_offs=(9, 2, 1.5), by="money").tier
    table = segment_table(values, tier)
    assert table["customers"].to_dict() == {"platinum": 0, "gold": 2, "iron": 0, "lead": 1}
    assert table.loc["iron", "mean_value"] != table.loc["iron", "mean_value"]


def test_numbers_are_levels_as_they_are_written(values_of):
    values = values_of([1.0, 2.0, 3.0])
    assert segment_table(values, regions(values, 7.0, 8.0, None)).index.tolist() == ["8", "7", "not known"]


def test_a_sample_is_scaled_to_its_base(values_of):
    values = values_of([1.0, 2.0, 3.0], stands_for=2.5)
    table = segment_table(values, regions(values, "North", "South", None))
    assert table["customers"].sum() == 8
    assert table["value"].sum() == pytest.approx(values.total)
    assert table.loc["South", "mean_value"] == 2


def test_shares_of_a_total_that_is_not_positive_are_missing(values_of):
    values = values_of([1.0, -2.0])
    assert segment_table(values, regions(values, "North", "South"))["share_of_value"].isna().all()


def test_an_earlier_table_is_put_beside(values_of):
    earlier, later = values_of([1.0, 2.0, 3.0]), values_of([5.0, 2.0, 3.0])
    before = segment_table(earlier, regions(earlier, "North", "South", "West"))
    table = segment_table(later, regions(later, "North", "South", "East"), previous=before)
    assert table.loc["North", ["value_before", "value_change", "customers_change"]].tolist() == [1, 4, 0]
    assert table.loc["East", ["value_before", "customers_before"]].isna().all()
    assert table.attrs["notes"] == ("West had 1 customer in the earlier table and has no row in this one.",)


def test_a_permutation_of_the_customers_changes_nothing(sample_values, shuffled):
    by = pd.Series(sample_values.frame.index.str[-1], index=sample_values.frame.index)
    before, after = segment_table(sample_values, by), segment_table(shuffled(sample_values), by[::-1])
    pd.testing.assert_frame_equal(before, after, check_exact=True)


def test_one_level_is_no_segment(values_of):
    values = values_of([1.0, 2.0, 3.0])
    with pytest.raises(SettingsError, match=r"region has one level only, 'North' \(1 customers have none\)"):
        segment_table(values, regions(values, "North", "North", None))


def test_an_attribute_of_nobody_is_refused(values_of):
    with pytest.raises(SettingsError, match="region is missing for all 2 customers"):
        segment_table(values_of([1.0, 2.0]), pd.Series({"x": "North"}, name="region"))


def test_a_column_that_is_not_there_is_named_with_those_that_are(values_of):
    with pytest.raises(SettingsError, match=r"attributes has no column 'region' \(there are 'kind'\)"):
        segment_table(values_of([1.0]), "region", attributes=pd.DataFrame({"kind": ["company"]}, index=["c0000"]))


def test_a_customer_with_two_attributes_is_refused(values_of):
    twice = pd.Series(["North", "South"], index=["c0000", "c0000"], name="region")
    with pytest.raises(DataError, match="customer_id is not unique in 2 row"):
        segment_table(values_of([1.0]), twice)
