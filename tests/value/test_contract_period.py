"""The worth of contracts by the settings: where fees come from, and who will join."""

from datetime import date

import pandas as pd
import pytest

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import Settings
from crm_analysis.value.contract_period import contract_acquisition, fee_of, value_contracts, with_fees

TABLE = pd.DataFrame(
    {
        "customer_id": ["A", "B", "C"],
        "started_on": pd.to_datetime(["2024-01-10", "2024-02-10", "2024-03-10"]),
        "ended_on": pd.to_datetime([None, "2024-05-10", None]),
        "plan": ["basic", "basic", "plus"],
        "renewal_period": "1 month",
    }
)
AS_OF = date(2024, 6, 30)


def settings(**parts: dict) -> Settings:
    return Settings.model_validate({"sources": {"memberships": {"path": "m.csv"}}, **parts})


def test_a_fee_of_the_settings_is_every_plan_s():
    assert fee_of(TABLE, settings(money={"fee": 30})) == 30


def test_fees_by_plan_are_written_to_the_contracts():
    found = with_fees(TABLE, settings(money={"fees": {"basic": 20, "plus": 40}}))
    assert found["fee"].tolist() == [20, 20, 40]


def test_fees_of_the_table_are_taken_as_they_are():
    table = TABLE.assign(fee=[1.0, 2.0, 3.0])
    assert fee_of(table, settings()) is None
    assert with_fees(table, settings())["fee"].tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("table", "money", "message"),
    [
        pytest.param(TABLE, {}, r"nobody tells what contracts pay.*\[money\] fee", id="no fee anywhere"),
        pytest.param(TABLE.assign(fee=5.0), {"fee": 30}, "told twice", id="both tell"),
        pytest.param(TABLE, {"fees": {"basic": 20}}, r"no fee for plan 'plus'; it has basic", id="a plan without one"),
        pytest.param(TABLE.drop(columns="plan"), {"fees": {"basic": 20}}, "no column plan", id="no plans"),
        pytest.param(
            TABLE.assign(plan=["basic", None, "basic"]), {"fees": {"basic": 20}}, r"1 contract\(s\) without", id="blank"
        ),
    ],
)
def test_what_nobody_pays_is_refused_with_the_way_to_mend_it(table, money, message):
    with pytest.raises(SettingsError, match=message):
        fee_of(table, settings(money=money))


def test_contracts_that_do_not_tell_when_they_end_or_are_renewed_are_refused_together():
    bare = TABLE.drop(columns=["ended_on", "renewal_period"])
    with pytest.raises(DataError, match=r"ended_on .*renewal_period .*valued"):
        value_contracts(bare, as_of=AS_OF, settings=settings(money={"fee": 30}))


def test_contracts_without_plans_are_all_of_one():
    values = value_contracts(TABLE.drop(columns="plan"), as_of=AS_OF, settings=settings(money={"fee": 30}))
    assert values.groups.index.tolist() == ["all contracts"]


def test_members_of_a_plan_are_expected_as_the_plan_says():
    found, words = contract_acquisition(
        TABLE, as_of=AS_OF, settings=settings(acquisition={"source": "plan", "plan": 10})
    )
    assert found.of_months(3).tolist() == [10, 10, 10]
    assert "plan" in words


def test_of_a_club_that_nobody_joins_any_more_nobody_is_expected():
    old = TABLE.assign(started_on=TABLE["started_on"] - pd.DateOffset(years=3))
    found, words = contract_acquisition(old, as_of=AS_OF, settings=settings())
    assert found is None
    assert "Nobody has joined for a year" in words


def test_a_club_too_young_to_forecast_leaves_newcomers_unvalued():
    found, words = contract_acquisition(TABLE.tail(2), as_of=date(2024, 4, 30), settings=settings())
    assert found is None
    assert "do not reach back far enough" in words
