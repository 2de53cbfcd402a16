"""Word of mouth: each customer's value is counted once."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.value.lifetime_value import CustomerValues, lifetime_value
from crm_analysis.value.referrals import referral_values

NAMES = list("abcdefgh")
# a brings b and c, b brings d, d brings e; x, who never bought, brings f, and f brings y, who has not bought yet.
LINKS = pd.Series({"b": "a", "c": "a", "d": "b", "e": "d", "f": "x", "y": "f", "a": None})


def values_of(amounts: list[float]) -> CustomerValues:
    frame = pd.DataFrame(
        {"frequency": 1, "recency": 5.0, "T": 10.0, "monetary_value": 20.0}, index=pd.Index(NAMES, name="customer_id")
    )
    values = lifetime_value(
        BGNBDFit.from_params((0.5, 4.0, 0.8, 2.4)), GammaGammaFit.from_params((6.0, 4.0, 15.0), time_unit=""),
        CustomerSummary(frame, "week"), horizon=52, annual_discount_rate=0.1, margin=0.3,
    )  # fmt: skip
    return replace(values, frame=values.frame.assign(residual_value=amounts))


@pytest.fixture(scope="module")
def values():
    return values_of([1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0])


@pytest.fixture(scope="module")
def credited(values):
    return referral_values(values, LINKS)


def test_a_referrer_is_credited_with_those_directly_brought(credited):
    assert credited["direct_value"].to_dict() == {"x": 32.0, "d": 16.0, "b": 8.0, "a": 6.0, "f": 0.0}


def test_direct_values_count_every_referred_customer_once(credited):
    assert credited["direct_value"].sum() == credited.attrs["referred_value"] == 2 + 4 + 8 + 16 + 32


def test_the_tree_holds_everybody_below(credited):
    assert credited.loc["a", ["tree", "tree_value"]].to_list() == [4, 2 + 4 + 8 + 16]


def test_a_referrer_who_is_no_customer_has_no_value_of_their_own(credited):
    assert np.isnan(credited.loc["x", "own_value"])


def test_who_has_not_bought_yet_counts_as_brought_and_adds_no_value(credited):
    assert credited.loc["f", ["brought", "direct_value"]].to_list() == [1, 0]
    assert credited.attrs["not_valued"] == 1


def test_the_share_is_of_the_value_of_all(credited):
    assert credited.attrs["share_of_value"] == pytest.approx(62 / 255)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 7), min_size=7, max_size=7), st.lists(st.integers(0, 100), min_size=8, max_size=8))
def test_whoever_brought_whom_all_are_counted_once(choices, amounts):
    # Everybody is brought by somebody earlier in the list, or by nobody.
    links = {NAMES[n]: NAMES[choice] for n, choice in enumerate(choices, start=1) if choice < n}
    table = referral_values(values_of([float(amount) for amount in amounts]), pd.Series(links, dtype=object))
    assert table["direct_value"].sum() == sum(amounts[NAMES.index(name)] for name in links)
    for name, row in table.iterrows():
        assert row["tree_value"] == sum(amounts[NAMES.index(other)] for other in links if is_below(other, name, links))


def is_below(name: str, above: str, links: dict[str, str]) -> bool:
    return name in links and (links[name] == above or is_below(links[name], above, links))


def test_nobody_referred_is_an_empty_table(values):
    table = referral_values(values, pd.Series({"a": None}, dtype=object))
    assert table.empty
    assert table.attrs["referred_value"] == 0


def test_the_order_of_the_links_does_not_matter(values, credited):
    pd.testing.assert_frame_equal(referral_values(values, LINKS.iloc[::-1]), credited)


@pytest.mark.parametrize("links", [{"a": "a"}, {"a": "b", "b": "a", "c": "a"}, {"a": "b", "b": "c", "c": "a"}])
def test_circles_are_refused(values, links):
    with pytest.raises(DataError, match="referrals, column 'referred_by': brought in a circle"):
        referral_values(values, pd.Series(links))


def test_a_customer_brought_twice_is_refused(values):
    with pytest.raises(DataError, match="not unique in 2 row"):
        referral_values(values, pd.Series(["a", "c"], index=["b", "b"]))


def test_an_unknown_worth_is_refused(values):
    with pytest.raises(SettingsError, match="worth is 'fame'"):
        referral_values(values, LINKS, worth="fame")
