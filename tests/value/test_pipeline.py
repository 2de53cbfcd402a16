"""The pipeline: what becomes of prospects, learnt from those that ended and from how long others have been open."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm_analysis import read_prospects, stage_probabilities
from crm_analysis.errors import DataError, SettingsError

START, AS_OF = pd.Timestamp("2024-01-01"), "2024-12-31"


def prospect(number: int, *steps: tuple[str, int], value: float | None = None) -> pd.DataFrame:
    """A prospect that entered stages so many days after the start of the year."""
    days = [START + pd.Timedelta(days=day) for _stage, day in steps]
    stages = [stage for stage, _day in steps]
    return pd.DataFrame(
        {"prospect_id": f"P{number}", "stage": stages, "entered_stage_on": days, "expected_value": value}
    )


def history(*prospects: pd.DataFrame) -> pd.DataFrame:
    return pd.concat(prospects, ignore_index=True)


def ended(won: int, lost: int, days: int = 10) -> list[pd.DataFrame]:
    """Leads won after so many days, and lost after so many."""
    fates = ["won"] * won + ["lost"] * lost
    return [prospect(1000 + n, ("lead", 0), (fate, days)) for n, fate in enumerate(fates)]


def simulated(prospects: int, seed: int, *, as_of: int = 365) -> pd.DataFrame:
    """Leads that arrive all year, ever more of them: 40% will be won, in 100 days or so, the others lost in 20."""
    rng = np.random.default_rng(seed)
    arrives = np.floor(365 * np.sqrt(rng.uniform(size=prospects))).astype(int)
    is_won = rng.uniform(size=prospects) < 0.4
    takes = np.ceil(np.where(is_won, rng.gamma(4, 25, prospects), rng.gamma(4, 5, prospects))).astype(int)
    rows = pd.DataFrame({"prospect_id": [f"P{n}" for n in range(prospects)], "arrives": arrives})
    entry = rows.assign(stage="lead", day=arrives)
    end = rows.assign(stage=np.where(is_won, "won", "lost"), day=arrives + takes)
    both = pd.concat([entry, end[end["day"] <= as_of]])
    return pd.DataFrame(
        {
            "prospect_id": both["prospect_id"],
            "stage": both["stage"],
            "entered_stage_on": START + pd.to_timedelta(both["day"], unit="D"),
        }
    )


def test_without_open_prospects_the_share_is_that_of_the_ended():
    found = stage_probabilities(history(*ended(won=12, lost=28)), as_of=AS_OF).stages.loc["lead"]
    # Four prospects of the overall rate, which half a win and half a loss draw towards a half.
    overall = 12.5 / 41
    assert found["probability"] == pytest.approx((12 + 4 * overall) / 44)


def test_the_interval_is_that_of_the_beta_distribution():
    found = stage_probabilities(history(*ended(won=12, lost=28)), as_of=AS_OF, level=0.9).stages.loc["lead"]
    wins = 12 + 4 * 12.5 / 41
    np.testing.assert_allclose([found["lower"], found["upper"]], stats.beta.ppf([0.05, 0.95], wins, 44 - wins))


def test_an_open_prospect_counts_as_those_that_took_longer():
    # 20 lost after 5 days; 10 open after 8; 20 that ended after 50 stand for 30, so that 15 of them won are 22.5 of 50.
    early = [prospect(n, ("lead", 0), ("lost", 5)) for n in range(20)]
    late = [prospect(100 + n, ("lead", 0), ("won" if n < 15 else "lost", 50)) for n in range(20)]
    waiting = [prospect(200 + n, ("lead", 357)) for n in range(10)]  # 31 December is day 365 of this leap year
    found = stage_probabilities(history(*early, *late, *waiting), as_of=AS_OF)
    share = 22.5 / 50
    evidence = 50**2 / (20 * 1.0**2 + 20 * 1.5**2)
    overall = (0.5 + evidence * share) / (1 + evidence)
    expected = (4 * overall + evidence * share) / (4 + evidence)
    assert found.stages.loc["lead", "probability"] == pytest.approx(expected)


def test_who_is_still_open_is_expected_to_do_as_those_that_took_longer():
    early = [prospect(n, ("lead", 0), ("lost", 5)) for n in range(20)]
    late = [prospect(100 + n, ("lead", 0), ("won" if n < 15 else "lost", 50)) for n in range(20)]
    found = stage_probabilities(history(*early, *late, prospect(999, ("lead", 357))), as_of=AS_OF)
    rate = found.stages.loc["lead", "probability"]
    assert found.pipeline.loc["P999", "probability"] == pytest.approx((4 * rate + 15) / 24)


def test_who_has_been_open_as_long_as_those_that_ended_took_learns_nothing_from_them():
    late = prospect(500, ("lead", 0), ("won", 60))
    log = history(prospect(999, ("lead", 355)), late, *ended(won=20, lost=0, days=10))
    found = stage_probabilities(log, as_of=AS_OF)
    rate = found.stages.loc["lead", "probability"]
    assert found.pipeline.loc["P999", "probability"] == pytest.approx((4 * rate + 1) / 5)


@pytest.mark.parametrize("seed", range(5))
def test_the_share_of_a_growing_pipeline_is_not_that_of_the_ended(seed):
    # Losses come early: of the leads that have ended by the end of the year, fewer than 40% were won.
    log = simulated(4000, seed)
    ends = log[log["stage"] != "lead"]
    found = stage_probabilities(log, as_of=AS_OF).stages.loc["lead"]
    assert (ends["stage"] == "won").mean() < 0.36
    assert found["lower"] <= 0.4 <= found["upper"]


@pytest.mark.parametrize("seed", range(3))
def test_the_interval_of_wins_holds_what_comes_of_the_pipeline(seed):
    whole = simulated(1500, seed, as_of=10_000)
    known = whole[whole["entered_stage_on"] <= pd.Timestamp(AS_OF)]
    found = stage_probabilities(known, as_of=AS_OF, level=0.99)
    to_come = whole[(whole["entered_stage_on"] > pd.Timestamp(AS_OF)) & (whole["stage"] == "won")]
    counted = found.pipeline.index[found.pipeline["probability"].notna()]
    assert int(to_come["prospect_id"].isin(counted).sum()) in found.interval


def test_a_stage_with_few_prospects_is_drawn_towards_the_overall_rate():
    rare = prospect(1, ("lead", 0), ("fair", 1), ("won", 3))
    found = stage_probabilities(history(rare, *ended(won=10, lost=30)), as_of=AS_OF)
    assert found.stages.loc["fair", "probability"] == pytest.approx((4 * found.overall + 1) / 5)
    assert found.overall < found.stages.loc["fair", "probability"] < 0.5


def test_every_stage_that_a_prospect_entered_learns_from_its_end():
    offers = [prospect(n, ("lead", 0), ("offer", 30), ("won", 40)) for n in range(10)]
    stages = stage_probabilities(history(*offers, *ended(won=0, lost=20)), as_of=AS_OF).stages
    assert stages[["entered", "won", "lost"]].to_dict("index") == {
        "lead": {"entered": 30, "won": 10, "lost": 20},
        "offer": {"entered": 10, "won": 10, "lost": 0},
    }


def test_stages_stand_in_the_order_in_which_prospects_enter_them():
    paths = [prospect(n, ("zero", 0), ("middle", 1), ("a last one", 2), ("won", 3)) for n in range(3)]
    assert stage_probabilities(history(*paths), as_of=AS_OF).stages.index.tolist() == ["zero", "middle", "a last one"]


def test_days_to_win_run_from_entering_the_stage():
    paths = [prospect(n, ("lead", 0), ("offer", 30), ("won", 40 + n % 3)) for n in range(30)]
    days = stage_probabilities(history(*paths), as_of=AS_OF).stages["days_to_win"]
    assert days.to_dict() == pytest.approx({"lead": 41, "offer": 11})


@pytest.mark.parametrize("seed", range(3))
def test_days_to_win_are_not_shortened_by_those_still_to_be_won(seed):
    known, whole = simulated(4000, seed), simulated(4000, seed, as_of=10_000)
    days, truth = (
        stage_probabilities(log, as_of="2030-12-31" if log is whole else AS_OF).stages.loc["lead", "days_to_win"]
        for log in (known, whole)
    )
    assert days == pytest.approx(truth, rel=0.05)


def test_days_to_win_are_missing_where_nobody_won():
    found = stage_probabilities(history(*ended(won=0, lost=25)), as_of=AS_OF)
    assert np.isnan(found.stages.loc["lead", "days_to_win"])


def test_a_stage_entered_again_counts_from_the_first_time():
    back = prospect(1, ("lead", 0), ("offer", 10), ("lead", 20), ("won", 100))
    found = stage_probabilities(history(back), as_of=AS_OF).stages
    assert found["entered"].to_dict() == {"lead": 1, "offer": 1}
    assert found.loc["lead", "days_to_win"] == 100


# --- the open ones ------------------------------------------------------------------------------------------------


def test_expected_wins_are_the_probabilities_of_the_open_prospects():
    waiting = [prospect(n, ("lead", 360)) for n in range(7)]
    found = stage_probabilities(history(*waiting, *ended(won=10, lost=20)), as_of=AS_OF)
    assert found.expected_wins == pytest.approx(found.pipeline["probability"].sum())
    assert found.stages.loc["lead", ["in_stage", "expected_wins"]].tolist() == pytest.approx([7, found.expected_wins])


def test_wins_to_come_are_beta_binomial():
    waiting = [
        prospect(n, ("lead", 365)) for n in range(7)
    ]  # they entered on the as-of date: all that ended took longer
    found = stage_probabilities(history(*waiting, *ended(won=10, lost=20)), as_of=AS_OF)
    rate = found.stages.loc["lead", "probability"]
    wins, all_of_them = 4 * rate + 10, 34
    np.testing.assert_array_equal(
        found.stages.loc["lead", ["wins_lower", "wins_upper"]].to_numpy(float),
        stats.betabinom.ppf([0.025, 0.975], 7, wins, all_of_them - wins),
    )


def test_an_open_prospect_is_in_the_stage_it_entered_last():
    waiting = prospect(1, ("lead", 350), ("offer", 360))
    pipeline = stage_probabilities(history(waiting, *ended(won=10, lost=20)), as_of=AS_OF).pipeline
    assert pipeline.loc["P1", ["stage", "days_in_stage"]].tolist() == ["offer", 5]


def test_who_has_been_open_for_longer_than_any_that_ended_has_no_probability():
    forgotten = prospect(1, ("lead", 0))
    found = stage_probabilities(history(forgotten, *ended(won=10, lost=20)), as_of=AS_OF)
    assert np.isnan(found.pipeline.loc["P1", "probability"])
    assert found.expected_wins == 0
    assert "1 prospect has been open for longer than any that ended took" in found.words


def test_expected_revenue_is_of_prospects_with_a_value():
    waiting = [prospect(1, ("lead", 365), value=100.0), prospect(2, ("lead", 365))]
    found = stage_probabilities(history(*waiting, *ended(won=10, lost=20)), as_of=AS_OF)
    assert found.expected_revenue == pytest.approx(100 * found.pipeline.loc["P1", "probability"])
    assert "1 open prospect has no value" in found.words


def test_without_values_there_is_no_expected_revenue():
    log = history(*ended(won=10, lost=20)).drop(columns="expected_value")
    assert stage_probabilities(log, as_of=AS_OF).expected_revenue is None


def test_nobody_open_means_no_wins_to_come():
    found = stage_probabilities(history(*ended(won=10, lost=20)), as_of=AS_OF)
    assert (found.expected_wins, found.interval.lower, found.interval.upper) == (0, 0, 0)
    assert found.pipeline.empty


# --- little to learn from -----------------------------------------------------------------------------------------


def test_too_few_ends_to_tell_stages_apart_give_every_stage_the_overall_rate():
    offers = [prospect(n, ("lead", 0), ("offer", 10), ("won", 20)) for n in range(4)]
    found = stage_probabilities(history(*offers, *ended(won=0, lost=15), prospect(99, ("lead", 360))), as_of=AS_OF)
    assert not found.by_stage
    assert set(found.stages["probability"]) == set(found.pipeline["probability"]) == {found.overall}
    assert "fewer than 20, too few to tell stages apart" in found.words


def test_twenty_ends_tell_stages_apart():
    offers = [prospect(n, ("lead", 0), ("offer", 10), ("won", 20)) for n in range(5)]
    found = stage_probabilities(history(*offers, *ended(won=0, lost=15)), as_of=AS_OF)
    assert found.by_stage
    assert found.stages.loc["offer", "probability"] > found.stages.loc["lead", "probability"]


def test_a_history_without_an_end_is_refused():
    with pytest.raises(DataError, match="none was won or lost by 2024-12-31"):
        stage_probabilities(prospect(1, ("lead", 0)), as_of=AS_OF)


def test_ends_after_the_as_of_date_are_not_seen():
    log = history(*ended(won=10, lost=20, days=100), prospect(1, ("lead", 0), ("won", 5)))
    found = stage_probabilities(log, as_of=START + pd.Timedelta(days=50))
    assert found.ended == 1
    assert found.stages.loc["lead", "open"] == 30


def test_prospects_that_were_won_at_once_have_no_stage():
    found = stage_probabilities(history(*[prospect(n, ("won", 3)) for n in range(25)]), as_of=AS_OF)
    assert found.stages.empty
    assert found.ended == 25


def test_a_table_that_was_read_gives_what_its_source_gives():
    log = simulated(200, seed=1)
    checked = stage_probabilities(read_prospects(log), as_of=AS_OF)
    pd.testing.assert_frame_equal(checked.stages, stage_probabilities(log, as_of=AS_OF).stages)


def test_a_level_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="level is 95"):
        stage_probabilities(history(*ended(won=1, lost=1)), as_of=AS_OF, level=95)


@settings(max_examples=30)
@given(
    st.lists(
        st.tuples(st.sampled_from(["won", "lost", "open"]), st.integers(0, 200), st.integers(0, 100)),
        min_size=1,
        max_size=60,
    )
)
def test_probabilities_lie_inside_their_intervals_and_wins_within_the_pipeline(fates):
    log = [
        prospect(n, ("lead", day)) if fate == "open" else prospect(n, ("lead", day), (fate, day + takes))
        for n, (fate, day, takes) in enumerate(fates)
    ]
    found = stage_probabilities(history(prospect(999, ("lead", 0), ("lost", 30)), *log), as_of=AS_OF)
    stages = found.stages
    assert ((stages["lower"] <= stages["probability"]) & (stages["probability"] <= stages["upper"])).all()
    assert (stages["won"] + stages["lost"] + stages["open"] == stages["entered"]).all()
    assert 0 <= found.interval.lower <= found.interval.upper <= len(found.pipeline)
    assert found.pipeline["probability"].dropna().between(0, 1).all()
