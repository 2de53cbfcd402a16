"""Rules of the tables beside the log that take several rows: what is refused, and what is used but worth knowing."""

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import read_customers, read_exits, read_market, read_memberships, read_prospects
from crm_analysis.data.side_door import SideTable
from crm_analysis.errors import DataError


def noted(table: SideTable, key: str) -> tuple[int, str]:
    found = table.notes.set_index("note").loc[key]
    return int(found["rows"]), str(found["which"])


def refusal(reader, **columns: list) -> str:
    with pytest.raises(DataError) as refused:
        reader(pd.DataFrame(columns))
    return str(refused.value)


# --- customers ----------------------------------------------------------------------------------------------------


def test_a_customer_twice_is_refused():
    message = refusal(read_customers, customer_id=["a", "b", "a"])
    assert "column 'customer_id': the customer is there more than once in 2 row(s)." in message


def test_a_referral_of_oneself_is_refused():
    message = refusal(read_customers, customer_id=["a", "b"], referred_by=["a", None])
    assert "column 'referred_by': a customer was referred by themselves in 1 row(s)." in message


def test_a_circle_of_referrals_is_refused_and_told():
    message = refusal(read_customers, customer_id=list("abcde"), referred_by=["b", "c", "a", "a", None])
    assert "customers were referred in a circle (a by b, b by c, c by a) in 3 row(s)." in message


def test_all_circles_of_referrals_are_told():
    message = refusal(read_customers, customer_id=list("abcdx"), referred_by=["b", "a", "d", "c", "a"])
    assert "(a by b, b by a; c by d, d by c) in 4 row(s)." in message


def test_a_chain_of_referrals_is_no_circle():
    customers = read_customers(pd.DataFrame({"customer_id": list("abc"), "referred_by": [None, "a", "b"]}))
    assert customers.frame["referred_by"].dropna().tolist() == ["a", "b"]


def test_an_unknown_referrer_is_kept_and_noted():
    customers = read_customers(pd.DataFrame({"customer_id": ["a", "b"], "referred_by": ["z", "a"]}))
    assert customers.frame["referred_by"].tolist() == ["z", "a"]
    assert noted(customers, "unknown_referrer") == (1, "a")


def test_a_referrer_who_came_after_the_as_of_date_is_known():
    frame = pd.DataFrame(
        {"customer_id": ["a", "b"], "referred_by": ["b", None], "acquired_on": ["2024-01-01", "2024-07-01"]}
    )
    assert noted(read_customers(frame, as_of="2024-06-30"), "unknown_referrer")[0] == 0


@settings(max_examples=50)
@given(st.lists(st.integers(0, 12), min_size=1, max_size=12))
def test_circles_are_found_as_by_walking(referrers):
    # Customer n was brought by referrers[n]; a number beyond the last is a stranger.
    def is_in_circle(start: int) -> bool:
        place = referrers[start]
        for _step in referrers:
            if place == start or place >= len(referrers):
                break
            place = referrers[place]
        return place == start and referrers[start] != start

    frame = pd.DataFrame({"customer_id": [f"c{n}" for n in range(len(referrers))]})
    frame["referred_by"] = [f"c{n}" for n in referrers]
    expected = sum(is_in_circle(n) for n in range(len(referrers)))
    try:
        read_customers(frame)
        message = ""
    except DataError as refused:
        message = str(refused)
    words = [line for line in message.splitlines() if "in a circle" in line]
    assert len(words) == (expected > 0)
    assert all(f"in {expected} row(s)." in line for line in words)


# --- memberships --------------------------------------------------------------------------------------------------


def test_a_contract_that_ended_before_it_started_is_refused():
    message = refusal(read_memberships, customer_id=["a"], started_on=["2024-02-01"], ended_on=["2024-01-31"])
    assert "column 'ended_on': the contract ended before it started in 1 row(s)." in message


def test_a_contract_that_ends_after_the_as_of_date_is_running():
    frame = pd.DataFrame({"customer_id": ["a"], "started_on": ["2024-01-01"], "ended_on": ["2024-07-31"]})
    memberships = read_memberships(frame, as_of="2024-06-30")
    assert memberships.frame["ended_on"].isna().all()
    assert noted(memberships, "ends_after_as_of") == (1, "a")


def test_a_contract_that_ends_on_the_as_of_date_has_ended():
    frame = pd.DataFrame({"customer_id": ["a"], "started_on": ["2024-01-01"], "ended_on": ["2024-06-30"]})
    assert read_memberships(frame, as_of="2024-06-30").frame["ended_on"].notna().all()


@pytest.mark.parametrize(
    ("plans", "starts", "ends", "overlaps"),
    [
        pytest.param("gg", ["2024-01-01", "2024-03-01"], ["2024-03-02", None], 1, id="begins-before-the-end"),
        pytest.param("gg", ["2024-01-01", "2024-03-01"], ["2024-03-01", None], 0, id="begins-on-the-end"),
        pytest.param("gs", ["2024-01-01", "2024-02-01"], [None, None], 0, id="another-plan"),
        pytest.param("gg", ["2024-01-01", "2024-02-01"], [None, "2024-03-01"], 1, id="the-earlier-is-running"),
        pytest.param(
            "ggg", ["2024-01-01", "2024-01-02", "2024-05-01"], ["2024-12-31", "2024-01-03", None], 2, id="a-long-one"
        ),
    ],
)
def test_overlapping_contracts_are_kept_and_counted(plans, starts, ends, overlaps):
    frame = pd.DataFrame({"customer_id": "a", "plan": list(plans), "started_on": starts, "ended_on": ends})
    memberships = read_memberships(frame)
    assert noted(memberships, "overlapping_contracts")[0] == overlaps
    assert len(memberships.frame) == len(frame)


def test_contracts_of_two_customers_do_not_overlap():
    frame = pd.DataFrame({"customer_id": ["a", "b"], "started_on": ["2024-01-01", "2024-02-01"]})
    assert noted(read_memberships(frame), "overlapping_contracts") == (0, "")


# --- prospects ----------------------------------------------------------------------------------------------------


def test_a_prospect_who_goes_on_after_the_end_is_refused():
    message = refusal(
        read_prospects,
        prospect_id=["a"] * 3,
        stage=["lead", "LOST", "offer"],
        entered_stage_on=["2024-01-01", "2024-02-01", "2024-03-01"],
    )
    assert "column 'stage': the prospect had been won or lost before in 1 row(s)." in message


def test_the_end_of_a_prospect_comes_last_on_its_day():
    frame = pd.DataFrame({"prospect_id": "a", "stage": ["WON", "offer", "lead"], "entered_stage_on": "2024-01-01"})
    assert read_prospects(frame).frame["stage"].tolist() == ["offer", "lead", "won"]


def test_the_same_stage_once_more_on_a_day_is_set_aside_and_the_last_is_used():
    frame = pd.DataFrame(
        {"prospect_id": "a", "stage": "lead", "entered_stage_on": "2024-01-01", "expected_value": [1.0, 2.0]}
    )
    prospects = read_prospects(frame)
    assert prospects.frame["expected_value"].tolist() == [2.0]
    assert prospects.reconciliation.set_index("outcome").loc["repeated_stage", "rows"] == 1


def test_a_stage_may_be_entered_again_on_another_day():
    frame = pd.DataFrame(
        {"prospect_id": "a", "stage": "lead", "entered_stage_on": ["2024-01-01", "2024-02-01"]},
    )
    assert len(read_prospects(frame).frame) == 2


@pytest.mark.parametrize(("written", "degree"), [("yes", 1.0), ("False", 0.0), ("0.5", 0.5), ("3", 3.0), (True, 1.0)])
def test_willingness_is_a_number_or_yes_or_no(written, degree):
    frame = pd.DataFrame({"prospect_id": ["a"], "stage": "lead", "entered_stage_on": "2024-01-01"})
    assert read_prospects(frame.assign(willingness=written)).frame["willingness"].tolist() == [degree]


# --- market -------------------------------------------------------------------------------------------------------


def test_a_month_twice_is_refused_however_it_is_written():
    message = refusal(read_market, period=["2024-01", "2024-01-31"], market_customers=[1, 2])
    assert "column 'period': the month is there more than once in 2 row(s)." in message


def test_a_market_without_a_size_is_refused():
    assert "there is neither market_customers nor market_revenue" in refusal(read_market, period=["2024-01"])


def test_missing_months_are_named():
    frame = pd.DataFrame({"period": ["2024-05", "2024-01", "2024-03"], "market_revenue": 1.0})
    assert noted(read_market(frame), "missing_months") == (2, "2024-02, 2024-04")


def test_a_gap_after_the_as_of_date_is_not_seen():
    frame = pd.DataFrame({"period": ["2024-01", "2024-02", "2024-12"], "market_revenue": 1.0})
    assert noted(read_market(frame, as_of="2024-06-30"), "missing_months") == (0, "")


@pytest.mark.parametrize(
    "period", ["2024-02", "2024-02-29", pd.Timestamp("2024-02-01"), pd.Timestamp("2024-02-29 13:00")]
)
def test_any_day_of_a_month_is_the_month(period):
    assert read_market(pd.DataFrame({"period": [period], "market_revenue": 1.0})).frame["period"].tolist() == [
        "2024-02"
    ]


def test_months_are_read_beside_a_date_format():
    frame = pd.DataFrame({"period": ["2024-02", "31.03.2024"], "market_revenue": 1.0})
    assert read_market(frame, date_format="%d.%m.%Y").frame["period"].tolist() == ["2024-02", "2024-03"]


# --- exits --------------------------------------------------------------------------------------------------------


def test_an_exit_twice_on_a_day_is_refused():
    message = refusal(read_exits, customer_id=["a", "a"], left_on=["2024-01-01"] * 2, reason=["price", "service"])
    assert "column 'customer_id': the customer left more than once on one day in 2 row(s)." in message


def test_who_left_again_later_is_noted():
    frame = pd.DataFrame({"customer_id": "a", "left_on": ["2024-01-01", "2024-05-01"], "reason": "price"})
    assert noted(read_exits(frame), "left_again") == (1, "a")


def test_an_unknown_reason_is_kept_and_noted():
    frame = pd.DataFrame({"customer_id": ["a", "b"], "left_on": "2024-01-01", "reason": ["", "price"]})
    exits = read_exits(frame)
    assert exits.frame["reason"].isna().tolist() == [True, False]
    assert noted(exits, "unknown_reason") == (1, "a")
