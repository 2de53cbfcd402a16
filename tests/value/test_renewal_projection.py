"""Retention by renewal, observed and projected: against the paper, and by what must hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.value.renewal_projection import renewal_projection

REGULAR = [631, 468, 382, 326, 289, 262, 241]  # Fader & Hardie (2007), of 1,000
TWELVE_YEARS = Path(__file__).parents[3] / "shared" / "data" / "sbg_fader_hardie_2007.csv"


@pytest.fixture(scope="module")
def regular():
    return renewal_projection(REGULAR, cohort_size=1000, annual_discount_rate=0.1, periods_per_year=1)


def test_observed_retention_is_the_share_of_those_up_for_renewal(regular):
    observed = regular.frame["observed_retention"].iloc[1:4]
    np.testing.assert_allclose(observed, [631 / 1000, 468 / 631, 382 / 468])


def test_observed_survival_is_the_share_of_the_cohort(regular):
    np.testing.assert_allclose(regular.frame["observed_survival"].iloc[:8], np.array([1000, *REGULAR]) / 1000)


def test_after_the_last_renewal_seen_there_is_projection_alone(regular):
    later = regular.frame.loc[regular.seen + 1 :]
    assert regular.seen == 7
    assert later[["observed_retention", "observed_survival"]].isna().all(axis=None)
    assert later[["retention", "survival", "lower", "upper", "residual_renewals"]].notna().all(axis=None)


def test_projected_retention_matches_published(regular, published):
    at = published.column("R4", "at").astype(int)
    published.check("R4", regular.frame["retention"].loc[at])


@pytest.mark.skipif(not TWELVE_YEARS.is_file(), reason="the counts of twelve years are not at hand")
@pytest.mark.parametrize("cohort", ["regular", "high_end"])
def test_seven_years_foretell_the_next_five(cohort):
    actual = pd.read_csv(TWELVE_YEARS)[cohort].to_numpy(float)
    projected = renewal_projection(actual[1:8], cohort_size=actual[0]).frame["survival"].loc[8:12]
    # The paper's projections lie within two points of what happened.
    np.testing.assert_allclose(projected, actual[8:] / actual[0], atol=0.02)


def test_the_limits_of_survival_hold_it_and_widen_beside_it(regular):
    frame = regular.frame.loc[1:]
    assert ((frame["lower"] <= frame["survival"]) & (frame["survival"] <= frame["upper"])).all()
    assert ((frame["upper"] - frame["lower"]) / frame["survival"]).is_monotonic_increasing


def test_a_member_of_longer_standing_has_more_renewals_to_come(regular):
    assert regular.frame["residual_renewals"].is_monotonic_increasing


def test_without_a_discount_rate_residual_renewals_are_missing():
    assert renewal_projection(REGULAR, cohort_size=1000).frame["residual_renewals"].isna().all()


def test_residual_renewals_without_bound_are_called_infinite():
    frame = renewal_projection(REGULAR, cohort_size=1000, annual_discount_rate=0.0, periods_per_year=1).frame
    assert np.isinf(frame["residual_renewals"]).all()


def test_running_contracts_are_not_up_for_their_next_renewal():
    kinds = {(0, True): 400, (1, True): 150, (1, False): 50, (2, True): 80, (2, False): 20, (3, False): 300}
    contracts = pd.DataFrame(
        [kind for kind, number in kinds.items() for _ in range(number)], columns=["periods", "churned"]
    )
    frame = renewal_projection(memberships=contracts, renewals=4).frame
    assert frame["up_for_renewal"].to_list() == [0, 1000, 550, 380, 0]
    assert frame["renewed"].to_list() == [0, 600, 400, 300, 0]


def test_a_rate_without_periods_is_refused():
    with pytest.raises(SettingsError, match="both, or neither"):
        renewal_projection(REGULAR, cohort_size=1000, annual_discount_rate=0.1)
