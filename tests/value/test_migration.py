"""Who moved: rows and columns add up, up and down follow the order, nobody is counted twice."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import customer_pyramid, lifecycle_states, migration_matrix, rfm_segments
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.segment_rules import LifecycleRules

TIERS = ["lead", "iron", "gold"]


def tiers(ordered: bool = True, **of_customers: str | None) -> pd.Series:
    return pd.Series(pd.Categorical(list(of_customers.values()), TIERS, ordered=ordered), index=list(of_customers))


@pytest.fixture
def moved():
    """One up, one down, one stayed, one gone, two new; a value of ten before for each and of twelve after."""
    before = tiers(a="lead", b="gold", c="iron", d="gold")
    after = tiers(a="gold", b="iron", c="iron", e="lead", f="lead")
    values = pd.Series(10.0, index=before.index), pd.Series(12.0, index=after.index)
    return migration_matrix(before, after, values_before=values[0], values_after=values[1])


def test_those_who_came_have_a_row_and_those_who_went_a_column(moved):
    assert moved.counts.index.tolist() == ["gold", "iron", "lead", "new"]
    assert moved.counts.columns.tolist() == ["gold", "iron", "lead", "gone"]
    assert moved.counts.to_numpy().tolist() == [[0, 1, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0]]


def test_shares_are_of_the_customers_before(moved):
    assert moved.shares.loc["gold"].tolist() == [0, 0.5, 0, 0.5]


def test_shares_of_a_row_without_customers_are_missing():
    shares = migration_matrix(tiers(a="gold"), tiers(a="gold")).shares
    assert shares.loc[["iron", "lead", "new"]].isna().all(axis=None)


def test_value_moved_adds_up_to_the_change_of_the_base(moved):
    assert moved.value_moved.to_numpy().sum() == 5 * 12 - 4 * 10
    assert moved.value_moved.loc["gold", "gone"] == -10
    assert moved.value_moved.loc["new", "lead"] == 24


def test_flows_are_the_cells_with_customers_in_one_column(moved):
    assert moved.flows.columns.tolist() == ["from", "to", "customers", "value_before", "value_after", "change"]
    assert moved.flows.iloc[1].tolist() == ["gold", "gone", 1, 10, 0, -10]
    assert moved.flows["customers"].sum() == moved.counts.to_numpy().sum() == 6


def test_up_and_down_follow_the_order(moved):
    flows = {name: getattr(moved, name)[["from", "to"]].to_numpy().tolist() for name in ("up", "down", "stayed")}
    assert flows == {"up": [["lead", "gold"]], "down": [["gold", "iron"]], "stayed": [["iron", "iron"]]}


states = st.dictionaries(st.integers(0, 30).map(str), st.sampled_from([*TIERS, None]), max_size=25)


@settings(max_examples=40)
@given(before=states, after=states, stands_for=st.sampled_from([1.0, 2.5]))
def test_rows_add_up_to_those_before_and_columns_to_those_after(before, after, stands_for):
    matrix = migration_matrix(tiers(**before), tiers(**after), stands_for=stands_for).counts
    assert matrix.to_numpy().sum() == round(len({**before, **after}) * stands_for)
    if stands_for == 1:
        assert matrix.drop(index="new").to_numpy().sum() == len(before)
        assert matrix.drop(columns="gone").to_numpy().sum() == len(after)


def test_a_missing_state_has_its_own_row_and_is_neither_up_nor_down():
    migration = migration_matrix(tiers(a=None, b="gold"), tiers(a="gold", b=None))
    assert migration.counts.loc["not known", "gold"] == migration.counts.loc["gold", "not known"] == 1
    assert migration.up.empty
    assert migration.down.empty


def test_plain_text_without_an_order_has_a_matrix():
    counts = migration_matrix(pd.Series({"a": "North"}), pd.Series({"a": "South"})).counts
    assert counts.loc["North", "South"] == 1


@pytest.mark.parametrize("side", ["up", "down", "stayed"])
def test_without_an_order_there_is_no_up_and_down(side):
    migration = migration_matrix(tiers(ordered=False, a="gold"), tiers(ordered=False, a="lead"))
    with pytest.raises(SettingsError, match=r"no order.*ordered=True"):
        getattr(migration, side)


def test_a_state_of_the_name_new_is_kept_apart_from_those_who_came():
    new = pd.Series({"a": "new", "b": "new"}), pd.Series({"a": "old", "c": "new"})
    counts = migration_matrix(*new).counts
    assert counts.loc["new", "old"] == counts.loc["(new)", "new"] == counts.loc["new", "gone"] == 1


def test_a_permutation_of_the_customers_changes_nothing():
    before, after = tiers(a="lead", b="gold", c="iron"), tiers(b="gold", c="gold", d="lead")
    one, other = migration_matrix(before, after), migration_matrix(before[::-1], after[::-1])
    pd.testing.assert_frame_equal(one.counts, other.counts)
    pd.testing.assert_frame_equal(one.flows, other.flows)


def test_without_values_no_value_moved():
    migration = migration_matrix(tiers(a="lead"), tiers(a="gold"))
    assert migration.value_moved is None
    assert migration.flows[["value_before", "value_after", "change"]].isna().all(axis=None)


def test_tiers_states_and_segments_of_cdnow_can_be_followed(sample_values):
    tier = customer_pyramid(sample_values).tier
    worth = sample_values.frame["residual_value"]
    later = tier.iloc[200:].copy()
    migration = migration_matrix(tier, later, values_before=worth, values_after=worth)
    assert migration.counts["gone"].sum() == 200
    assert migration.value_moved.to_numpy().sum() == pytest.approx(-worth.iloc[:200].sum())
    state = lifecycle_states(sample_values, rules=LifecycleRules(active_days=90, lost_days=300)).frame["by_rule"]
    assert migration_matrix(state, state).stayed["customers"].sum() == 2_357
    segment = rfm_segments(sample_values.customers).frame["segment"]
    assert np.trace(migration_matrix(segment, segment).counts.to_numpy()) == 2_357


def test_a_customer_who_comes_twice_is_refused():
    twice = pd.concat([tiers(a="lead"), tiers(a="gold")])
    with pytest.raises(DataError, match=r"before, column 'customer_id': customer_id is not unique in 2 row"):
        migration_matrix(twice, tiers(a="lead"))


def test_different_categories_are_named():
    other = pd.Series(pd.Categorical(["vip"], ["lead", "iron", "vip"], ordered=True), index=["a"])
    with pytest.raises(SettingsError, match="gold only before; vip only after"):
        migration_matrix(tiers(a="gold"), other)


def test_categories_in_another_order_are_refused():
    other = pd.Series(pd.Categorical(["gold"], TIERS[::-1], ordered=True), index=["a"])
    with pytest.raises(SettingsError, match="different orders"):
        migration_matrix(tiers(a="gold"), other)


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (tiers(ordered=False, a="gold"), "one has ordered categories, the other none"),
        (pd.Series({"a": "gold"}), "after has no categories"),
    ],
)
def test_an_order_on_one_side_only_is_refused(after, words):
    with pytest.raises(SettingsError, match=words):
        migration_matrix(tiers(a="gold"), after)


def test_a_customer_without_a_value_is_refused():
    both = {"values_before": pd.Series({"a": 1.0}), "values_after": pd.Series({"a": 1.0, "b": 2.0})}
    with pytest.raises(DataError, match=r"values_before: a customer has no value in 1 row"):
        migration_matrix(tiers(a="gold", b="lead"), tiers(a="gold", b="lead"), **both)


def test_values_of_one_period_alone_are_refused():
    with pytest.raises(SettingsError, match="both values_before and values_after"):
        migration_matrix(tiers(a="gold"), tiers(a="gold"), values_before=pd.Series({"a": 1.0}))
