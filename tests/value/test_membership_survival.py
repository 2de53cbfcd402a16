"""How long memberships last: by hand, against R, and on two public tables."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from statsmodels.duration.hazard_regression import PHReg

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.value.membership_survival import membership_survival

SHARED = Path(__file__).parents[3] / "shared" / "data"
GYM, LUNG = SHARED / "gym_churn_us.csv", SHARED / "reference" / "lung.csv"

FIVE = pd.DataFrame({"duration": [1.0, 2.0, 2.0, 3.0, 4.0], "ended": [True, True, False, True, False]})


@pytest.fixture(scope="module")
def gym():
    if not GYM.is_file():
        pytest.skip(f"{GYM.name} is not beside the project")
    table = pd.read_csv(GYM)
    lasted = table.rename(columns={"Lifetime": "duration", "Contract_period": "contract"})
    return membership_survival(lasted.assign(ended=table["Churn"] == 1), by="contract")


def test_the_curve_falls_by_the_share_of_those_at_risk_who_end():
    curve = membership_survival(FIVE).curves.loc["all"]
    np.testing.assert_allclose(curve["survival"], [1, 4 / 5, 4 / 5 * 3 / 4, 4 / 5 * 3 / 4 * 1 / 2, 0.3])


def test_those_still_running_are_at_risk_until_last_seen():
    curve = membership_survival(FIVE).curves.loc["all"]
    assert curve["at_risk"].to_list() == [5, 5, 4, 2, 1]
    assert curve["ended"].to_list() == [0, 1, 1, 1, 0]


def test_the_band_holds_the_curve():
    curve = membership_survival(FIVE).curves.loc["all"]
    assert (curve["lower"] <= curve["survival"]).all()
    assert (curve["survival"] <= curve["upper"]).all()


def test_a_median_that_is_never_reached_is_called_infinite():
    loyal = FIVE.assign(ended=[True, False, False, False, False])
    assert membership_survival(loyal).groups.loc["all", "median"] == np.inf


def test_beyond_the_longest_membership_nothing_is_known():
    found = membership_survival(FIVE)
    assert found.survival(2.5)["all"] == pytest.approx(0.6)
    assert np.isnan(found.survival(4.5)["all"])


def test_durations_from_dates_end_with_the_as_of_date():
    dates = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "started_on": ["2024-01-01", "2024-01-11", "2024-01-21"],
            "ended_on": ["2024-01-11", None, "2024-03-01"],
        }
    )
    groups = membership_survival(dates, as_of="2024-01-31", time_unit="day").groups.loc["all"]
    assert (groups["memberships"], groups["ended"], groups["median"]) == (3, 1, np.inf)


def test_terms_are_followed_as_one_membership_in_the_plan_that_was_joined():
    terms = pd.DataFrame(
        [
            ("a", "2010-01-01", "2010-12-31", "small"), ("a", "2011-01-01", "2011-12-31", "large"),
            ("b", "2010-01-01", "2010-12-31", "small"), ("c", "2010-07-01", "2012-06-30", "large"),
        ],
        columns=["customer_id", "started_on", "ended_on", "plan"],
    ).assign(renewal_period="1 year")  # fmt: skip
    found = membership_survival(terms, as_of="2011-06-30", by="plan")
    assert found.groups[["memberships", "ended"]].to_dict("index") == {
        "large": {"memberships": 1, "ended": 0}, "small": {"memberships": 2, "ended": 1},
    }  # fmt: skip
    assert found.survival(13)["small"] == pytest.approx(0.5)


def test_one_group_has_nothing_to_be_tested_against():
    assert membership_survival(FIVE).test is None


@pytest.mark.skipif(not LUNG.is_file(), reason=f"{LUNG.name} is not beside the project")
def test_survival_of_the_lung_data_matches_r():
    # R 4, survival: survfit(Surv(time, status) ~ sex), survdiff: medians 270 (212, 310) and 426 (348, 550) days,
    # chi-squared 10.3 on 1 degree of freedom, p = 0.001; the limits are those of conf.type = "log".
    lung = pd.read_csv(LUNG)
    frame = pd.DataFrame({"duration": lung["time"], "ended": lung["status"] == 2, "sex": lung["sex"]})
    found = membership_survival(frame, by="sex", time_unit="day")
    assert found.groups["median"].to_list() == [270, 426]
    assert found.test.statistic == pytest.approx(10.3, abs=0.05)
    assert found.test.p_value == pytest.approx(0.001, abs=5e-4)


@pytest.mark.skipif(not LUNG.is_file(), reason=f"{LUNG.name} is not beside the project")
@pytest.mark.parametrize(("days", "kept"), [(100, 0.863969), (180, 0.721671), (365, 0.409242), (500, 0.293269)])
def test_the_curve_of_the_lung_data_is_that_of_r(days, kept):
    # R 4, survival: summary(survfit(Surv(time, status) ~ 1), times); the median is 310 days.
    lung = pd.read_csv(LUNG)
    found = membership_survival(pd.DataFrame({"duration": lung["time"], "ended": lung["status"] == 2}), time_unit="day")
    assert found.survival(days).item() == pytest.approx(kept, abs=1e-6)
    assert found.groups["median"].item() == 310


@pytest.mark.skipif(not LUNG.is_file(), reason=f"{LUNG.name} is not beside the project")
def test_a_regression_of_the_lung_data_is_that_of_r():
    # R 4, survival: coxph(Surv(time, status) ~ age + sex), ties after Efron.
    lung = pd.read_csv(LUNG)
    found = PHReg(lung["time"], lung[["age", "sex"]], status=lung["status"] == 2, ties="efron").fit()
    assert found.params == pytest.approx([0.017045, -0.513219], abs=1e-6)
    assert found.bse == pytest.approx([0.009223, 0.167458], abs=1e-6)


def test_longer_contracts_of_the_gym_are_kept_longer(gym):
    after_a_year = gym.survival(12)
    assert after_a_year[1] < after_a_year[6] < after_a_year[12]


def test_the_contracts_of_the_gym_differ_beyond_chance(gym):
    assert gym.test.degrees_of_freedom == 2
    assert 0 < gym.test.p_value < 1e-100
    assert gym.test.verdict() == ("The groups leave at different speeds (p below 0.001). The test does not say why.")


def test_all_members_of_the_gym_are_followed(gym):
    assert gym.groups["memberships"].sum() == 4_000
    assert gym.groups["ended"].sum() == 1_061


def test_groups_that_leave_alike_show_no_real_difference():
    rng = np.random.default_rng(4)
    alike = pd.DataFrame(
        {"duration": rng.exponential(12, 400), "ended": rng.random(400) < 0.7, "plan": np.arange(400) % 2}
    )
    test = membership_survival(alike, by="plan").test
    assert test.p_value > 0.05
    assert test.verdict().startswith("No real difference")


def test_the_order_of_the_rows_does_not_matter():
    pd.testing.assert_frame_equal(
        membership_survival(FIVE.sample(frac=1, random_state=2)).curves, membership_survival(FIVE).curves
    )


def test_broken_durations_are_refused_all_at_once():
    with pytest.raises(DataError) as refused:
        membership_survival(pd.DataFrame({"duration": [-1.0, np.nan, 2.0], "ended": [True, "no", None]}))
    assert "column 'duration': not a length of time in 2 row(s)" in str(refused.value)
    assert "column 'ended': neither true nor false in 2 row(s)" in str(refused.value)


def test_a_membership_that_begins_after_the_day_is_refused():
    late = pd.DataFrame({"customer_id": ["a"], "started_on": ["2024-05-01"], "ended_on": [None]})
    with pytest.raises(DataError, match="after the as-of date 2024-04-30 in 1 row"):
        membership_survival(late, as_of="2024-04-30")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"as_of": "2024-01-01"}, "leave `as_of` out"),
        ({"by": "plan"}, "by is 'plan'; there is no such column"),
        ({"time_unit": "year"}, "time_unit is 'year'"),
        ({"level": 2}, "level is 2"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(arguments, told):
    with pytest.raises(SettingsError, match=told):
        membership_survival(FIVE, **arguments)
