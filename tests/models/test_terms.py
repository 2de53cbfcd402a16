"""Contracts stored one row a term: what is joined, what stays apart, and which renewals are counted."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.models.memberships import contract_histories, contracts, joined_terms
from crm_analysis.models.sbg import fit_sbg
from crm_analysis.models.terms import renewal_days, renewals_made


def table(*rows: tuple[object, ...], period: str | None = "1 year") -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on", "plan"][: len(rows[0])])
    return frame if period is None else frame.assign(renewal_period=period)


TERMS = table(
    ("inclusive", "2010-01-01", "2010-12-31"), ("inclusive", "2011-01-01", "2011-12-31"),
    ("inclusive", "2012-01-01", None),
    ("exclusive", "2010-03-01", "2011-03-01"), ("exclusive", "2011-03-01", "2012-03-01"),
    ("pause", "2010-01-01", "2010-12-31"), ("pause", "2011-02-01", "2012-01-31"),
    ("one row", "2010-01-01", "2011-12-31"),
)  # fmt: skip


def ends(frame: pd.DataFrame) -> list[tuple[str, str, str]]:
    written = frame[["started_on", "ended_on"]].apply(lambda days: days.dt.strftime("%Y-%m-%d").fillna(""))
    return list(zip(frame["customer_id"], written["started_on"], written["ended_on"], strict=True))


def test_terms_without_a_gap_are_one_membership():
    assert ends(joined_terms(TERMS)) == [
        ("inclusive", "2010-01-01", ""),
        ("exclusive", "2010-03-01", "2012-03-01"),
        ("pause", "2010-01-01", "2011-01-01"),  # the term ended with the renewal that was not made
        ("pause", "2011-02-01", "2012-02-01"),
        ("one row", "2010-01-01", "2011-12-31"),
    ]


def test_renewals_are_counted_from_the_first_start_on():
    joined = joined_terms(TERMS)
    made = [renewals_made(joined, pd.Timestamp(f"{year}-12-31")).to_list() for year in (2010, 2011, 2012)]
    assert made == [[0, 0, 0, 0, 0], [1, 1, 0, 0, 1], [2, 1, 0, 0, 1]]


def test_a_term_that_ends_on_the_as_of_date_is_undecided():
    seen = contract_histories(TERMS.iloc[:1], as_of="2010-12-31")
    assert seen[["periods", "churned"]].to_numpy().tolist() == [[0, False]]


def test_a_term_whose_renewal_was_due_on_the_as_of_date_is_lost():
    seen = contract_histories(TERMS.iloc[3:4], as_of="2011-03-01")
    assert seen[["periods", "churned"]].to_numpy().tolist() == [[0, True]]


def test_what_was_undecided_is_lost_a_day_later():
    seen = contract_histories(TERMS.iloc[:1], as_of="2011-01-01")
    assert seen["churned"].to_list() == [True]


def test_a_change_of_plan_is_no_loss():
    changed = table(("a", "2010-01-01", "2010-12-31", "small"), ("a", "2011-01-01", None, "large"))
    [now] = joined_terms(changed).to_dict("records")
    [then] = joined_terms(changed, described_by="first").to_dict("records")
    assert (now["started_on"], now["plan"], then["plan"]) == (pd.Timestamp("2010-01-01"), "large", "small")


def test_who_goes_on_under_another_length_is_not_lost():
    changed = pd.concat([table(("a", "2010-01-01", "2010-03-31"), period="1 month"), table(("a", "2010-04-01", None))])
    seen = contract_histories(changed, as_of="2011-06-30")
    assert seen["periods"].to_list() == [3, 1]  # 1 February, 1 March, and on 1 April into the contract of a year
    assert not seen["churned"].any()


def test_members_are_followed_across_lengths_of_contracts():
    changed = pd.concat([table(("a", "2010-01-01", "2010-03-31"), period="1 month"), table(("a", "2010-04-01", None))])
    assert ends(joined_terms(changed)) == [("a", "2010-01-01", "")]


def test_contracts_side_by_side_stay_apart():
    parallel = table(
        ("a", "2010-01-01", "2010-12-31", "pool"), ("a", "2010-01-01", "2010-12-31", "gym"),
        ("a", "2011-01-01", None, "gym"), ("a", "2011-01-01", "2011-12-31", "pool"), ("a", "2010-07-01", None, "bar"),
    )  # fmt: skip
    joined = joined_terms(parallel)
    assert [(plan, end) for plan, (_, _, end) in zip(joined["plan"], ends(joined), strict=True)] == [
        ("pool", "2012-01-01"), ("gym", ""), ("bar", ""),
    ]  # fmt: skip


def test_a_contract_of_no_length_does_not_follow_itself():
    short = table(("a", "2010-01-01", "2010-01-01"), ("a", "2010-01-01", "2010-01-01"), ("a", "2010-01-02", None))
    assert ends(joined_terms(short)) == [("a", "2010-01-01", ""), ("a", "2010-01-01", "2010-01-01")]


def test_terms_without_a_renewal_period_are_joined_too():
    untold = table(("a", "2010-01-01", "2010-12-31"), ("a", "2011-01-01", "2011-12-31"), period=None)
    assert ends(joined_terms(untold)) == [("a", "2010-01-01", "2011-12-31")]


def test_joining_again_changes_nothing():
    once = joined_terms(TERMS)
    pd.testing.assert_frame_equal(joined_terms(once), once)


def test_the_order_of_the_rows_does_not_matter():
    shuffled = joined_terms(TERMS.sample(frac=1, random_state=3))
    assert sorted(ends(shuffled)) == sorted(ends(joined_terms(TERMS)))


@settings(max_examples=25)
@given(
    lasted=st.lists(st.integers(1, 9), min_size=1, max_size=12),
    months=st.sampled_from([1, 3, 12]),
    inclusive=st.booleans(),
    day=st.dates(pd.Timestamp("2015-01-01").date(), pd.Timestamp("2016-12-28").date()),
)
def test_a_row_a_term_and_a_row_a_member_say_the_same(lasted, months, inclusive, day):
    start = day.replace(day=min(day.day, 28))
    whole, rows = [], []
    for place, terms in enumerate(lasted):
        edges = [pd.Timestamp(start) + pd.DateOffset(months=months * term) for term in range(terms + 1)]
        whole.append((f"m{place}", edges[0], edges[-1]))
        last = pd.Timedelta(days=int(inclusive))
        rows += [(f"m{place}", begins, ends - last) for begins, ends in pairwise(edges)]
    period = f"{months} months"
    as_of = pd.Timestamp(start) + pd.DateOffset(months=5 * months)
    seen = [
        contract_histories(table(*given, period=period).query("started_on <= @as_of"), as_of=as_of)
        for given in (whole, rows)
    ]
    for column in ("periods", "churned"):
        np.testing.assert_array_equal(*(one[column] for one in seen))


def test_an_sbg_is_fitted_to_memberships_however_they_are_stored():
    rng = np.random.default_rng(3)
    leaves = rng.geometric(rng.beta(1.0, 3.0, 400))
    whole = [(f"m{place}", "2010-01-01", f"{2010 + years}-01-01") for place, years in enumerate(leaves)]
    terms = [
        (f"m{place}", f"{2010 + year}-01-01", f"{2010 + year}-12-31")
        for place, years in enumerate(leaves)
        for year in range(min(years, 7))
    ]
    fits = [fit_sbg(memberships=table(*rows), as_of="2016-06-30") for rows in (whole, terms)]
    np.testing.assert_allclose(fits[0].params, fits[1].params)


def test_rows_without_customers_are_contracts_of_their_own():
    nameless = TERMS.drop(columns="customer_id")
    assert len(contracts(memberships=nameless, as_of="2013-06-30").frame) == len(TERMS)


@pytest.mark.parametrize(
    ("start", "length", "expected"),
    [
        ("2023-12-31", (1, "month"), ["2024-01-31", "2024-02-29", "2024-03-31"]),
        ("2024-02-29", (12, "month"), ["2025-02-28", "2026-02-28", "2027-02-28"]),
        ("2024-02-20", (14, "day"), ["2024-03-05", "2024-03-19", "2024-04-02"]),
    ],
)
def test_renewals_fall_on_their_days_by_the_calendar(start, length, expected):
    days = renewal_days(pd.Series([pd.Timestamp(start)]), length, np.array([[1, 2, 3]]))
    assert days[0].astype(str).tolist() == expected
