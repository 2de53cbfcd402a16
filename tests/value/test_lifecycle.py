"""The lifecycle by model and by rule: each state for its reason, the two side by side."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import CustomerSummary, LifecycleRules, last_gaps, lifecycle_states
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.segment_rules import LIFECYCLE_STATES

DAYS = LifecycleRules(new_days=30, active_days=60, lost_days=200)


def test_the_rule_goes_by_days_since_the_last_purchase(values_of):
    values = values_of([1.0] * 4, frequency=4, span=100.0, silence=[60.0, 61.0, 200.0, 201.0])
    assert lifecycle_states(values, rules=DAYS).frame["by_rule"].tolist() == ["active", "at risk", "at risk", "lost"]


def test_the_model_goes_by_the_probability_of_being_alive(values_of):
    values = values_of([1.0] * 4, frequency=4, span=100.0, alive=[0.5, 0.49, 0.2, 0.19])
    states = lifecycle_states(values, rules=DAYS).frame
    assert states["by_model"].tolist() == ["active", "at risk", "at risk", "lost"]
    assert set(states["by_rule"]) == {"active"}


def test_a_customer_is_new_for_some_days_after_the_first_purchase(values_of):
    values = values_of([1.0] * 3, frequency=[0, 0, 1], span=[0.0, 0.0, 25.0], silence=[30.0, 31.0, 5.0])
    states = lifecycle_states(values, rules=DAYS).frame
    assert states["by_model"].tolist() == states["by_rule"].tolist() == ["new", "active", "new"]


def test_one_long_gap_before_the_last_purchase_is_a_return(values_of):
    values = values_of([1.0] * 3, frequency=1, span=[201.0, 200.0, 300.0], silence=[10.0, 10.0, 70.0])
    assert lifecycle_states(values, rules=DAYS).frame["by_rule"].tolist() == ["won back", "active", "at risk"]


def test_gaps_tell_of_a_return_after_several_purchases(values_of):
    values = values_of([1.0] * 2, frequency=3, span=300.0)
    gaps = pd.Series([250.0, 90.0], index=values.frame.index)
    assert lifecycle_states(values, last_gaps=gaps, rules=DAYS).frame["by_rule"].tolist() == ["won back", "active"]


def test_without_gaps_it_is_said_whose_return_is_not_known(values_of):
    values = values_of([1.0] * 3, frequency=3, span=[300.0, 300.0, 150.0])
    [note] = lifecycle_states(values, rules=DAYS).notes
    assert note.startswith("Of 2 active customers it is not known whether they were won back")


def test_who_was_lost_before_and_bought_since_is_won_back(values_of):
    earlier = values_of([1.0] * 3, frequency=2, span=50.0, silence=[210.0, 210.0, 10.0], as_of="1998-03-31")
    later = values_of([1.0] * 3, frequency=[3, 2, 3], span=[340.0, 50.0, 90.0], silence=[11.0, 301.0, 61.0])
    states = lifecycle_states(later, previous=lifecycle_states(earlier, rules=DAYS), rules=DAYS)
    assert states.frame["by_rule"].tolist() == ["won back", "lost", "at risk"]


def test_who_only_looks_more_alive_than_before_is_not_won_back(values_of):
    earlier = values_of([1.0], frequency=2, span=50.0, silence=80.0, alive=0.1, as_of="1998-03-31")
    later = values_of([1.0], frequency=2, span=50.0, silence=110.0, alive=0.6)
    states = lifecycle_states(later, previous=lifecycle_states(earlier, rules=DAYS), rules=DAYS)
    assert states.frame["by_model"].tolist() == ["active"]


def test_who_was_won_back_stays_so_until_the_next_purchase(values_of):
    earliest = values_of([1.0] * 2, frequency=2, span=50.0, silence=210.0, as_of="1998-01-31")
    then = values_of([1.0] * 2, frequency=3, span=265.0, silence=5.0, as_of="1998-02-10")
    now = values_of([1.0] * 2, frequency=[3, 4], span=[265.0, 270.0], silence=[15.0, 10.0], as_of="1998-02-20")
    states = None
    for values in (earliest, then, now):
        states = lifecycle_states(values, previous=states, rules=DAYS)
    assert states.frame["by_rule"].tolist() == ["won back", "active"]


def test_days_come_from_the_customers_own_gaps(values_of):
    gaps = [10.0, 20.0, 30.0, 90.0]
    states = lifecycle_states(values_of([1.0] * 4, frequency=2, span=[2 * gap for gap in gaps]))
    assert (states.rules.active_days, states.rules.lost_days) == (30, 90)
    assert "active up to 30 days without a purchase, lost after 90" in states.notes[0]


def test_the_time_unit_of_the_summary_changes_nothing(values_of):
    values = values_of(
        [1.0] * 4, frequency=[0, 1, 2, 2], span=[0.0, 280.0, 70.0, 210.0], silence=[14.0, 28.0, 77.0, 350.0]
    )
    frame = values.customers.frame
    in_weeks = frame.assign(recency=frame["recency"] / 7, T=frame["T"] / 7)
    weekly = replace(values, customers=CustomerSummary(in_weeks, "week", values.customers.as_of))
    one, other = lifecycle_states(values), lifecycle_states(weekly)
    assert one.rules == other.rules
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_gaps_that_are_all_alike_make_two_thresholds_still(values_of):
    rules = lifecycle_states(values_of([1.0] * 4, frequency=2, span=40.0)).rules
    assert (rules.active_days, rules.lost_days) == (20, 40)


def test_where_nobody_came_back_the_days_are_fixed_and_that_is_said(values_of):
    states = lifecycle_states(values_of([1.0] * 3))
    assert (states.rules.active_days, states.rules.lost_days) == (90, 365)
    assert states.notes[0].startswith("Nobody has bought again yet")


def test_both_states_stand_side_by_side_in_the_cross_table(values_of):
    values = values_of([1.0, 2.0, 4.0], frequency=4, span=100.0, alive=[0.9, 0.9, 0.1], silence=[10.0, 300.0, 300.0])
    states = lifecycle_states(values, rules=DAYS)
    assert states.cross.loc["active", ["active", "lost"]].tolist() == [1, 1]
    assert states.cross.loc["lost", "lost"] == 1
    assert states.cross.to_numpy().sum() == 3


def test_value_is_told_where_the_two_disagree(values_of):
    values = values_of([1.0, 2.0, 4.0], frequency=4, span=100.0, alive=[0.9, 0.9, 0.1], silence=[10.0, 300.0, 300.0])
    disagreement = lifecycle_states(values, rules=DAYS).disagreement
    assert disagreement.index.tolist() == [("active", "lost")]
    assert disagreement.iloc[0].tolist() == [1, 2, pytest.approx(2 / 7)]


def test_shares_of_a_total_that_is_not_positive_are_missing(values_of):
    values = values_of([-1.0, -2.0], frequency=4, span=100.0, silence=[10.0, 300.0])
    assert lifecycle_states(values, rules=DAYS).disagreement["share_of_value"].isna().all()


@settings(max_examples=40)
@given(
    customers=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 900), st.floats(-9, 9)), min_size=1, max_size=30),
    stands_for=st.floats(1, 5),
)
def test_states_add_up_to_the_base(values_of, customers, stands_for):
    alive, silence, worth = map(list, zip(*customers, strict=True))
    values = values_of(worth, alive=alive, silence=silence, stands_for=stands_for)
    table = lifecycle_states(values, rules=DAYS).table.loc[list(LIFECYCLE_STATES)]
    for side in ("by_model", "by_rule"):
        assert table[f"customers_{side}"].sum() == values.number_of_customers
        assert table[f"value_{side}"].sum() == pytest.approx(values.total, abs=1e-6)


def test_a_permutation_of_the_customers_changes_nothing(sample_values, shuffled):
    before, after = lifecycle_states(sample_values), lifecycle_states(shuffled(sample_values))
    pd.testing.assert_frame_equal(before.frame.sort_index(), after.frame.sort_index())
    pd.testing.assert_frame_equal(before.table, after.table, check_exact=True)


def test_in_cdnow_the_rule_gives_up_one_time_buyers_whom_the_model_calls_active(sample_values):
    states = lifecycle_states(sample_values)
    one_time = states.frame["purchases"] == 1
    assert set(states.frame.loc[one_time, "by_model"]) == {"active"}
    assert (states.frame.loc[one_time, "by_rule"] == "lost").mean() > 0.9
    assert states.disagreement.index[0] == ("active", "lost")


def test_who_bought_twice_was_silent_from_the_first_to_the_last_purchase(sample_log, sample_values):
    summary = sample_values.customers.frame
    gaps = last_gaps(sample_log, as_of="1998-06-30")
    twice = summary["frequency"] == 1
    np.testing.assert_allclose(gaps[twice], summary.loc[twice, "recency"] * 7)
    assert gaps.index.equals(summary.index)
    assert gaps[summary["frequency"] == 0].isna().all()


def test_gaps_of_cdnow_win_back_some_of_those_whose_return_was_not_known(sample_log, sample_values):
    rules = LifecycleRules(active_days=90, lost_days=180)
    without = lifecycle_states(sample_values, rules=rules)
    gaps = last_gaps(sample_log, as_of="1998-06-30")
    told = lifecycle_states(sample_values, last_gaps=gaps, rules=rules)
    won_back = [(states.frame["by_rule"] == "won back").sum() for states in (without, told)]
    assert 0 < won_back[0] < won_back[1]
    assert told.notes == ()


def test_targets_and_prospects_are_counted_by_stage(values_of):
    stages = ["target", " Target ", "proposal", "prospect", "won", None, ""]
    prospects = pd.DataFrame({"prospect_id": range(7), "stage": stages})
    states = lifecycle_states(values_of([1.0]), prospects=prospects, rules=DAYS)
    assert states.table["customers_by_rule"].iloc[:2].tolist() == [2, 2]
    assert states.notes == (
        "1 lead is a prospect no more and is not counted.",
        "2 leads have no stage and are not counted.",
    )


def test_a_lead_with_a_history_counts_in_the_stage_it_entered_last(values_of):
    history = pd.DataFrame(
        {
            "prospect_id": ["a", "a", "b", "b", "c"],
            "stage": ["proposal", "lead", "lead", "won", "lead"],
            "entered_stage_on": pd.to_datetime(["2024-03-01", "2024-01-01", "2024-01-01", "2024-02-01", "2024-01-01"]),
        }
    )
    states = lifecycle_states(values_of([1.0]), prospects=history, rules=DAYS)
    assert states.table.loc["prospect", "customers_by_rule"] == 2
    assert "1 lead is a prospect no more and is not counted." in states.notes


def test_without_a_table_of_prospects_their_count_is_missing_and_not_zero(values_of):
    table = lifecycle_states(values_of([1.0]), rules=DAYS).table
    assert table.loc[["target", "prospect"]].isna().all(axis=None)


def test_all_that_is_wrong_with_prospects_is_named_at_once(values_of):
    prospects = pd.DataFrame({"prospect_id": ["a", "a", None], "stage": "target"})
    with pytest.raises(DataError, match=r"missing in 1 row[\s\S]*not unique in 2 row"):
        lifecycle_states(values_of([1.0]), prospects=prospects)


def test_prospects_without_a_stage_column_are_refused(values_of):
    with pytest.raises(DataError, match="prospects, column 'stage': there is no such column"):
        lifecycle_states(values_of([1.0]), prospects=pd.DataFrame({"prospect_id": [1]}))


@pytest.mark.parametrize(
    ("thresholds", "words"),
    [
        ({"lost_below": 0.6}, "lost_below is 0.6 and active_from is 0.5"),
        ({"active_days": 90, "lost_days": 30}, "active_days is 90 and lost_days is 30"),
        ({"new_days": 0}, "new_days is 0"),
        ({"active_from": 1.5}, "active_from is 1.5"),
        ({"target_stages": ("Won",)}, "won: in target_stages and in closed_stages"),
    ],
)
def test_thresholds_out_of_order_are_named(thresholds, words):
    with pytest.raises(SettingsError, match=words):
        LifecycleRules(**thresholds)


def test_all_wrong_thresholds_are_named_at_once():
    with pytest.raises(SettingsError, match=r"new_days is -1.*lost_below is 2"):
        LifecycleRules(new_days=-1, lost_below=2)


def test_gaps_that_outgrow_a_threshold_that_was_set_stay_below_it(values_of):
    values = values_of([1.0] * 4, frequency=1, span=100.0)
    assert lifecycle_states(values, rules=LifecycleRules(lost_days=50)).rules.active_days == 25


def test_a_previous_date_that_is_not_earlier_is_refused(values_of):
    states = lifecycle_states(values_of([1.0]))
    with pytest.raises(SettingsError, match="not before 1998-06-30"):
        lifecycle_states(values_of([1.0]), previous=states)


def test_a_repeat_buyer_without_a_gap_is_refused(values_of):
    values = values_of([1.0] * 2, frequency=1, span=9.0)
    with pytest.raises(DataError, match=r"gap of a repeat buyer is missing[\s\S]*c0001"):
        lifecycle_states(values, last_gaps=pd.Series({"c0000": 9.0}))
