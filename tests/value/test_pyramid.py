"""The pyramid: tiers by residual value that add up to the base, whatever it looks like."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import customer_pyramid
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.segment_rules import HIGH_MIDDLE_LOW
from crm_analysis.value.concentration import value_concentration

TEN = [float(number) for number in range(10, 0, -1)]


def test_shares_of_customers_cut_from_the_top(values_of):
    pyramid = customer_pyramid(values_of(TEN), cut_offs=(0.1, 0.3, 0.6))
    assert pyramid.table["customers"].to_dict() == {"platinum": 1, "gold": 2, "iron": 3, "lead": 4}
    assert pyramid.table["value"].to_dict() == {"platinum": 10, "gold": 17, "iron": 18, "lead": 10}


def test_tiers_say_what_is_in_them(values_of):
    values = values_of(TEN, frequency=[3] * 5 + [0] * 5, span=[9.0] * 5 + [0.0] * 5, silence=[4.0] * 5 + [8.0] * 5)
    gold = customer_pyramid(values, cut_offs=(0.1, 0.3, 0.6)).table.loc["gold"]
    assert gold[["mean_value", "lowest_value", "highest_value"]].tolist() == [8.5, 8, 9]
    assert gold[["mean_orders", "mean_days_since_last", "unprofitable"]].tolist() == [4, 4, 0]
    assert gold["share_of_value"] == pytest.approx(17 / 55)


def test_shares_of_value_take_the_fewest_customers_that_reach_them(values_of):
    pyramid = customer_pyramid(values_of([50.0, 30.0, 10.0, 10.0]), cut_offs=(0.5, 0.6, 0.9), by="value")
    assert pyramid.tier.tolist() == ["platinum", "gold", "iron", "lead"]


def test_amounts_of_money_are_the_lowest_value_of_a_tier(values_of):
    pyramid = customer_pyramid(values_of([100.0, 99.9, 20.0, 5.0, 4.9]), cut_offs=(100, 20, 5), by="money")
    assert pyramid.tier.tolist() == ["platinum", "gold", "gold", "iron", "lead"]


def test_the_highest_tier_is_the_greatest_category(values_of):
    tier = customer_pyramid(values_of(TEN)).tier
    assert tier.max() == "platinum"
    assert tier.min() == "lead"


def test_three_names_make_high_middle_and_low(values_of):
    table = customer_pyramid(values_of(TEN), **vars(HIGH_MIDDLE_LOW)).table
    assert table["customers"].to_dict() == {"high": 2, "middle": 3, "low": 5}


@pytest.mark.parametrize("by", ["customers", "value"])
def test_a_permutation_of_the_customers_changes_nothing(sample_values, shuffled, by):
    before, after = customer_pyramid(sample_values, by=by), customer_pyramid(shuffled(sample_values), by=by)
    pd.testing.assert_series_equal(before.tier.sort_index(), after.tier.sort_index())
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)


def test_a_permutation_changes_no_tier_of_customers_who_are_alike(values_of, shuffled):
    values = values_of([3.0] * 50)
    before, after = customer_pyramid(values).tier, customer_pyramid(shuffled(values)).tier
    pd.testing.assert_series_equal(before, after.sort_index())


@settings(max_examples=40)
@given(
    worth=st.lists(st.floats(-100, 100), min_size=1, max_size=40),
    by=st.sampled_from(["customers", "money"]),
    stands_for=st.floats(1, 9),
)
def test_tiers_add_up_to_the_base(values_of, worth, by, stands_for):
    values = values_of(worth, stands_for=stands_for)
    cut_offs = (0.1, 0.2, 0.5) if by == "customers" else (60, 20, 0)
    pyramid = customer_pyramid(values, cut_offs=cut_offs, by=by)
    assert pyramid.table["customers"].sum() == values.number_of_customers
    assert pyramid.table["value"].sum() == pytest.approx(values.total, abs=1e-6)


@settings(max_examples=40)
@given(st.lists(st.floats(-100, 100), min_size=1, max_size=40))
def test_no_customer_is_worth_more_than_one_in_a_higher_tier(values_of, worth):
    tier = customer_pyramid(values_of(worth)).tier
    worth = pd.Series(worth, index=tier.index)
    for lower, higher in zip(tier.cat.categories, tier.cat.categories[1:], strict=False):
        if (tier == lower).any() and (tier == higher).any():
            assert worth[tier == lower].max() <= worth[tier == higher].min()


def test_customers_who_cost_more_than_they_bring_are_flagged_and_in_the_lowest_tier(values_of):
    pyramid = customer_pyramid(values_of([5.0, -1.0, -2.0, -3.0, 0.0]), cut_offs=(0.4, 0.6, 0.8))
    assert pyramid.tier.tolist() == ["platinum", "lead", "lead", "lead", "platinum"]
    assert pyramid.unprofitable.tolist() == [False, True, True, True, False]
    assert pyramid.table["unprofitable"].tolist() == [0, 0, 0, 3]


def test_shares_of_a_total_that_is_not_positive_are_missing(values_of):
    table = customer_pyramid(values_of([1.0, -4.0, -5.0])).table
    assert table["share_of_value"].isna().all()
    assert table["value"].sum() == -8


def test_a_total_that_is_not_positive_cannot_be_cut_by_value(values_of):
    with pytest.raises(SettingsError, match=r"-8\.00 and has no shares.*by='customers'"):
        customer_pyramid(values_of([1.0, -4.0, -5.0]), by="value")


def test_customers_who_are_all_alike_are_told_apart_by_id_and_the_notes_say_so(values_of):
    pyramid = customer_pyramid(values_of([3.0] * 10), cut_offs=(0.2, 0.5, 0.9))
    assert pyramid.tier.tolist() == ["platinum"] * 2 + ["gold"] * 3 + ["iron"] * 4 + ["lead"]
    assert pyramid.notes[0].startswith("10 customers at the edge of platinum and gold are worth the same")


def test_a_tier_without_customers_has_counts_of_zero_and_no_mean(values_of):
    iron = customer_pyramid(values_of([3.0, 1.0]), cut_offs=(9, 2, 1.5), by="money").table.loc["iron"]
    assert iron[["customers", "value"]].tolist() == [0, 0]
    assert np.isnan(iron["mean_value"])


def test_customers_of_infinite_value_are_on_top_and_shares_are_missing(values_of):
    pyramid = customer_pyramid(values_of([np.inf, 1.0, np.inf, 2.0]), cut_offs=(0.25, 0.5, 0.75))
    assert pyramid.tier.tolist() == ["platinum", "lead", "gold", "iron"]
    assert pyramid.table["mean_value"].iloc[0] == np.inf
    assert pyramid.table["share_of_value"].isna().all()


def test_a_sample_is_scaled_to_its_base(values_of):
    of_sample, of_all = (customer_pyramid(values_of(TEN, stands_for=number)).table for number in (2.5, 1.0))
    assert of_sample["customers"].sum() == 25
    pd.testing.assert_series_equal(of_sample["value"], of_all["value"] * 2.5)
    pd.testing.assert_series_equal(of_sample["mean_value"], of_all["mean_value"])


def test_the_top_tiers_of_cdnow_hold_what_the_concentration_curve_says(sample_values):
    table = customer_pyramid(sample_values).table
    curve = value_concentration(sample_values)
    top = table.loc[["platinum", "gold"]]
    assert table["customers"].tolist() == [95, 377, 707, 1178]
    assert top["share_of_value"].sum() == pytest.approx(curve.share_of_top(top["share_of_customers"].sum()))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cut_offs": (0.2, 0.1, 0.5)}, "out of order; let them rise"),
        ({"cut_offs": (0.1, 0.2, 1.5)}, "shares between 0 and 1"),
        ({"cut_offs": (1, 5, 9), "by": "money"}, "out of order; let them fall"),
        ({"cut_offs": (0.1, 0.2)}, "2 cut_offs and 4 names"),
        ({"names": ("a", "b", "b", "c")}, "b given twice"),
        ({"names": ("a", " ", "b", "c")}, "none of them blank"),
        ({"by": "orders"}, "by is 'orders'"),
        ({"cut_offs": (0.1, float("nan"), 0.5)}, "give a list of numbers"),
        ({"cut_offs": 0.2}, "cut_offs is 0.2; give a list of numbers"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(values_of, options, words):
    with pytest.raises(SettingsError, match=words):
        customer_pyramid(values_of(TEN), **options)


def test_a_missing_value_is_refused_with_its_customer(values_of):
    with pytest.raises(DataError, match=r"a value is missing in 1 row[\s\S]*c0001"):
        customer_pyramid(values_of([1.0, float("nan"), 2.0]))
