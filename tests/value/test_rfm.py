"""RFM: every cut is stated, equal customers are scored alike, every cell has one name."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import CustomerSummary, rfm_segments
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.segment_rules import RFM_NAMES, RfmRules

ELEVEN = {name for row in RFM_NAMES for name in row}


def summary(silence: list[float], purchases: list[int], spend: list[float], stands_for: float = 1.0) -> CustomerSummary:
    ids = pd.Index([f"c{number:04}" for number in range(len(spend))], name="customer_id")
    frequency = np.array(purchases) - 1
    frame = pd.DataFrame(
        {"frequency": frequency, "recency": np.where(frequency > 0, 400.0, 0.0), "total_spend": spend}, index=ids
    )
    frame["T"] = frame["recency"] + np.array(silence)
    return CustomerSummary(frame, "day", stands_for=stands_for)


@pytest.fixture
def all_cells() -> CustomerSummary:
    """One customer for each of 125 cells, by edges at 1.5 to 4.5."""
    recency, frequency, monetary = zip(*product(range(1, 6), repeat=3), strict=True)
    return summary([6.0 - score for score in recency], list(frequency), list(map(float, monetary)))


BY_UNITS = {"recency": (1.5, 2.5, 3.5, 4.5), "frequency": (1.5, 2.5, 3.5, 4.5), "monetary": (1.5, 2.5, 3.5, 4.5)}


def test_every_cell_has_exactly_one_name(all_cells):
    frame = rfm_segments(all_cells, cuts=BY_UNITS).frame
    names = frame.groupby("cell")["segment"].unique()
    assert len(names) == 125
    assert {len(own) for own in names} == {1}
    assert {own[0] for own in names} == ELEVEN


def test_a_cell_spells_its_scores(all_cells):
    frame = rfm_segments(all_cells, cuts=BY_UNITS).frame
    scores = frame[["recency_score", "frequency_score", "monetary_score"]]
    assert scores.iloc[7].tolist() == [1, 2, 3]
    assert frame["cell"].iloc[7] == "1-2-3"


def test_the_value_score_is_the_mean_of_frequency_and_money_with_halves_up(all_cells):
    frame = rfm_segments(all_cells, cuts=BY_UNITS).frame.set_index("cell")
    assert frame.loc["5-3-4", "segment"] == frame.loc["5-4-4", "segment"] == "champions"
    assert frame.loc["5-3-3", "segment"] == "potential loyalist"


def test_who_bought_last_has_the_highest_score_of_recency():
    frame = rfm_segments(summary([1, 2, 3, 4, 5], [1] * 5, [9.0] * 5)).frame
    assert frame["recency_score"].tolist() == [5, 4, 3, 2, 1]


def test_quantiles_give_as_many_customers_to_each_score_where_nobody_is_alike():
    cuts = rfm_segments(summary(list(range(100)), [1] * 100, list(map(float, range(100))))).cuts
    assert cuts.loc["recency", "customers"].tolist() == [20] * 5
    assert cuts.loc["monetary", "customers"].tolist() == [20] * 5


def test_edges_are_stated_in_days_purchases_and_money(all_cells):
    given = {"recency": (30, 90, 180, 365)}
    cuts = rfm_segments(all_cells, cuts=given).cuts
    assert cuts.loc[("recency", 5), ["above", "up_to", "rule"]].tolist() == [-np.inf, 30, "given"]
    assert cuts.loc[("recency", 1), ["above", "up_to"]].tolist() == [365, np.inf]
    assert cuts.loc[("monetary", 5), ["above", "up_to", "rule"]].tolist() == [4, np.inf, "quantiles"]


def test_stated_edges_give_the_scores_again(sample_values):
    customers = sample_values.customers
    result = rfm_segments(customers)
    spend = customers.frame["total_spend"]
    for score, rule in result.cuts.loc["monetary"].iterrows():
        own = spend[result.frame["monetary_score"] == score]
        assert ((own > rule["above"]) & (own <= rule["up_to"])).all()
        assert len(own) == rule["customers"]


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=30))
def test_equal_values_get_the_same_score(customers):
    silence, purchases, spend = zip(*customers, strict=True)
    scores = rfm_segments(summary(list(silence), list(purchases), list(map(float, spend)))).frame
    for values, score in ((silence, "recency_score"), (purchases, "frequency_score"), (spend, "monetary_score")):
        assert scores[score].groupby(np.array(values)).nunique().max() == 1


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 400), st.integers(1, 9), st.floats(0, 1e4)), min_size=1, max_size=30))
def test_more_never_scores_less(customers):
    silence, purchases, spend = zip(*customers, strict=True)
    scores = rfm_segments(summary(list(silence), list(purchases), list(spend))).frame
    for values, score in ((-np.array(silence), "recency_score"), (spend, "monetary_score")):
        assert np.all(np.diff(scores[score].to_numpy()[np.argsort(values)]) >= 0)


def test_customers_who_are_all_alike_have_one_cell_and_the_notes_say_so():
    result = rfm_segments(summary([7.0] * 20, [2] * 20, [50.0] * 20))
    assert result.frame["cell"].unique().tolist() == ["5-1-1"]
    assert result.notes[0].startswith("recency: nobody has score 1, 2, 3, 4. Equal values get the same score")
    assert len(result.notes) == 3


def test_edges_that_nobody_lies_between_are_noted_as_given(all_cells):
    notes = rfm_segments(all_cells, cuts={"recency": (30, 90, 180, 365)}).notes
    assert notes == ("recency: nobody lies between the edges of score 1, 2, 3, 4.",)


def test_the_table_holds_every_customer_and_all_spend(sample_values):
    result = rfm_segments(sample_values.customers)
    assert result.table["customers"].sum() == 2_357
    assert result.table["spend"].sum() == pytest.approx(sample_values.customers.frame["total_spend"].sum())
    assert result.table[["share_of_customers", "share_of_spend"]].sum().tolist() == pytest.approx([1, 1])


def test_champions_of_cdnow_hold_far_more_spend_than_their_number(sample_values):
    champions = rfm_segments(sample_values.customers).table.loc["champions"]
    assert champions["share_of_spend"] > 2 * champions["share_of_customers"]


def test_half_of_cdnow_bought_once_so_one_score_of_frequency_is_empty(sample_values):
    cuts = rfm_segments(sample_values.customers).cuts
    assert cuts.loc[("frequency", 1), "customers"] == (sample_values.customers.frame["frequency"] == 0).sum()
    assert (cuts.loc["frequency", "customers"] == 0).to_dict() == {5: False, 4: False, 3: False, 2: True, 1: False}


def test_a_permutation_of_the_customers_changes_nothing(sample_values, shuffled):
    before, after = (rfm_segments(values.customers) for values in (sample_values, shuffled(sample_values)))
    pd.testing.assert_frame_equal(before.frame.sort_index(), after.frame.sort_index())
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)
    pd.testing.assert_frame_equal(before.cuts, after.cuts, check_exact=True)


def test_results_come_in_the_order_of_the_customers(sample_values, shuffled):
    customers = shuffled(sample_values).customers
    assert rfm_segments(customers).frame.index.equals(customers.frame.index)


def test_a_sample_is_scaled_to_its_base():
    result = rfm_segments(summary([1, 2, 3, 4], [1, 2, 3, 4], [1.0, 2.0, 3.0, 4.0], stands_for=2.5))
    assert result.table["customers"].sum() == 10
    assert result.cuts["customers"].groupby("measure").sum().tolist() == [10, 10, 10]
    assert result.table["spend"].sum() == 25


def test_shares_of_spend_that_is_not_positive_are_missing():
    table = rfm_segments(summary([1, 2], [1, 1], [5.0, -9.0])).table
    assert table["share_of_spend"].isna().all()


def test_other_names_fill_a_table_of_another_size():
    result = rfm_segments(summary([1, 9], [1, 5], [1.0, 9.0]), levels=2, names=[["a", "b"], ["c", "d"]])
    assert result.frame["segment"].tolist() == ["a", "d"]


@pytest.mark.parametrize("levels", range(2, 11))
def test_the_names_reach_from_corner_to_corner_whatever_the_levels(levels):
    grid = RfmRules(levels=levels).grid
    assert {len(row) for row in grid} == {len(grid)} == {levels}
    assert (grid[0][0], grid[0][-1], grid[-1][0], grid[-1][-1]) == ("new", "champions", "lost", "cannot lose")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"cuts": {"recency": (90, 30, 180, 365)}}, "cuts.recency .* out of order"),
        ({"cuts": {"recency": (30, 90)}}, "cuts.recency has 2 edges; 5 levels need 4"),
        ({"cuts": {"tenure": (1, 2, 3, 4)}}, "cuts names 'tenure'"),
        ({"cuts": "fifths"}, "cuts is 'fifths'"),
        ({"levels": 1}, "whole number from 2 to 10"),
        ({"levels": 3, "names": [["a"]]}, "3 rows of 3 names"),
        ({"money": "profit"}, "no column 'profit'"),
    ],
)
def test_rules_that_contradict_themselves_are_refused(all_cells, options, words):
    with pytest.raises(SettingsError, match=words):
        rfm_segments(all_cells, **options)


def test_spend_that_is_missing_is_refused_with_its_customer(all_cells):
    frame = all_cells.frame.assign(total_spend=all_cells.frame["total_spend"].where(all_cells.frame.index != "c0003"))
    with pytest.raises(DataError, match=r"total_spend[\s\S]*missing[\s\S]*1 row[\s\S]*c0003"):
        rfm_segments(replace(all_cells, frame=frame))
