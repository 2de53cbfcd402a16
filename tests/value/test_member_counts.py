"""A club month by month, and where its members stand: hand-worked tables."""

import pandas as pd
import pytest

from crm_analysis import member_counts, member_states
from crm_analysis.errors import SettingsError

# Ann stays, Ben leaves on his second renewal, Cid joins, Dan comes back after a break, Eve goes on with a second term.
CLUB = pd.DataFrame(
    [
        ("Ann", "2024-01-10", None, "1 month", 30.0),
        ("Ben", "2024-01-15", "2024-03-15", "1 month", 30.0),
        ("Cid", "2024-03-05", None, "1 year", 300.0),
        ("Dan", "2023-11-01", "2024-01-01", "1 month", 30.0),
        ("Dan", "2024-03-20", None, "1 month", 30.0),
        ("Eve", "2023-03-21", "2024-03-20", "1 year", 280.0),
        ("Eve", "2024-03-21", "2025-03-20", "1 year", 300.0),
    ],
    columns=["customer_id", "started_on", "ended_on", "renewal_period", "fee"],
).assign(started_on=lambda t: pd.to_datetime(t["started_on"]), ended_on=lambda t: pd.to_datetime(t["ended_on"]))
MARCH = {"dates": ["2024-02-29", "2024-03-31"]}


def march() -> pd.Series:
    return member_counts(CLUB, **MARCH).iloc[0]


def test_members_at_the_end_are_those_with_a_running_contract():
    assert march()["members"] == 4  # Ann, Cid, Dan, Eve


def test_a_new_member_had_no_contract_ever_before():
    assert march()["new_members"] == 1  # Cid, and not Dan


def test_who_had_left_before_the_month_and_is_there_again_was_won_back():
    assert march()["won_back"] == 1


def test_a_member_who_goes_on_with_another_term_is_not_lost():
    assert march()["lost_members"] == 1  # Ben, and not Eve


def test_members_are_those_of_before_less_the_lost_and_more_the_new_and_won_back():
    before = member_counts(CLUB, dates=["2024-01-31", "2024-02-29"]).iloc[0]["members"]
    now = march()
    assert now["members"] == before - now["lost_members"] + now["new_members"] + now["won_back"]


def test_a_contract_that_ends_was_up_for_renewal_and_did_not_make_it():
    # Ann renews on the 10th, Eve on the 21st, Ben does not on the 15th.
    assert march()[["renewals_due", "renewals_made"]].tolist() == [3, 2]
    assert march()["renewal_rate"] == pytest.approx(2 / 3)


def test_fees_are_those_of_starts_and_renewals_each_at_its_own():
    assert march()["fees"] == 30 + 300 + 30 + 300  # Ann, Cid, Dan, Eve's second term


def test_without_fees_and_renewal_periods_these_are_missing():
    bare = member_counts(CLUB.drop(columns=["fee", "renewal_period"]), **MARCH).iloc[0]
    assert bare[["fees", "renewals_due", "renewal_rate"]].isna().all()


@pytest.mark.parametrize("dates", [["2024-03-31"], ["2024-03-31", "2024-02-29"]])
def test_dates_that_make_no_stretch_are_refused(dates):
    with pytest.raises(SettingsError, match="two or more"):
        member_counts(CLUB, dates=dates)


# --- where members stand ------------------------------------------------------------------------------------------


def states(as_of: str, **options: int) -> dict[str, str]:
    known = CLUB[CLUB["started_on"] <= as_of]
    return member_states(known, as_of=as_of, **options)["state"].astype(str).to_dict()


def test_every_customer_has_the_first_state_that_applies():
    assert states("2024-03-31", new_days=60) == {
        "Ann": "active", "Ben": "lost", "Cid": "new", "Dan": "won back", "Eve": "active",
    }  # fmt: skip


def test_a_yearly_contract_near_its_renewal_is_due_soon_and_a_monthly_one_is_not_always_so():
    found = states("2025-03-10", new_days=30)
    assert (found["Eve"], found["Ann"]) == ("due soon", "active")


def test_the_present_membership_began_with_the_first_of_its_terms():
    found = member_states(CLUB, as_of="2024-03-31")
    assert found.loc["Eve", "since"] == pd.Timestamp("2023-03-21")
    assert found.loc["Ben", "since"] == pd.Timestamp("2024-03-15")
