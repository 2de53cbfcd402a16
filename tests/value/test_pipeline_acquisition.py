"""Newcomers from the pipeline: wins of the open prospects when they come, and of those still to come."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis import pipeline_acquisition, simulate_company, stage_probabilities
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import load_settings
from crm_analysis.value.acquisition import Acquisition, mean_first_spend
from crm_analysis.value.period import period_acquisition
from crm_analysis.value.repeated_acquisition import repeated_acquisition

AS_OF = date(2024, 12, 31)


def history(*, leads: int, until: str = "2024-12-31", every: int = 4, takes: int = 45) -> pd.DataFrame:
    """So many leads on the first of each month of the year; one in `every` is won `takes` days later, others lost."""
    rows = []
    for month in pd.date_range("2024-01-01", until, freq="MS"):
        for n in range(leads):
            end = month + pd.Timedelta(days=takes)
            name = f"{month:%m}-{n}"
            rows.append((name, "lead", month))
            if end <= pd.Timestamp(until):
                rows.append((name, "won" if n % every == 0 else "lost", end))
    return pd.DataFrame(rows, columns=["prospect_id", "stage", "entered_stage_on"])


@pytest.fixture(scope="module")
def steady() -> Acquisition:
    return pipeline_acquisition(history(leads=40), as_of=AS_OF, months=6)


def test_a_steady_pipeline_brings_the_share_that_is_won(steady):
    # 40 leads a month, of which 10 are won.
    assert steady.expected[2:6].mean() == pytest.approx(10, rel=0.08)
    assert steady.source == "pipeline"


def test_open_prospects_are_won_when_those_before_them_were():
    """Leads of 1 December, 30 days old, are won after 45: in January, all of them, with those still to come after."""
    rows = history(leads=40)
    known = stage_probabilities(rows, as_of=AS_OF)
    assert len(known.pipeline) == 40
    found = pipeline_acquisition(rows, as_of=AS_OF, months=6, tests=False)
    assert found.expected[0] == pytest.approx(
        known.expected_wins, rel=0.01
    )  # of January's own, none before mid-February


def test_a_pipeline_that_no_lead_enters_any_more_empties():
    rows = history(leads=40)
    stopped = rows[rows["prospect_id"].str[:2].astype(int) <= 6]
    found = pipeline_acquisition(stopped, as_of=AS_OF, months=6, tests=False)
    assert (
        found.expected[:6].sum()
        < 0.4 * pipeline_acquisition(rows, as_of=AS_OF, months=6, tests=False).expected[:6].sum()
    )


def test_both_parts_are_told_with_their_numbers(steady):
    assert "wins of the 40 prospects that are open" in steady.words
    assert "Who joins without having been a prospect is not counted." in steady.words
    assert "after 45 days on average" in steady.words


def test_what_prospects_promise_is_told_but_does_not_change_who_joins(steady):
    priced = pipeline_acquisition(history(leads=40).assign(expected_value=500.0), as_of=AS_OF, months=6)
    np.testing.assert_array_equal(priced.expected, steady.expected)
    assert "promise" in priced.words and "promise" not in steady.words


def test_few_that_ended_leave_more_doubt():
    few = pipeline_acquisition(history(leads=4), as_of=AS_OF, months=6, tests=False)
    many = pipeline_acquisition(history(leads=40), as_of=AS_OF, months=6, tests=False)
    assert few.error > 1.5 * many.error


def test_with_too_few_that_ended_the_overall_rate_stands():
    rows = history(leads=2, every=2, until="2024-09-30")  # 16 that ended
    found = pipeline_acquisition(rows, as_of="2024-09-30", months=6)
    assert "too few to tell stages apart" in found.words
    assert np.all(np.isfinite(found.expected))


def test_a_pipeline_can_be_repeated_as_it_stood_before(steady):
    rows = history(leads=40)
    again = repeated_acquisition(steady, prospects=rows, as_of="2024-09-30")
    afresh = pipeline_acquisition(rows, as_of="2024-09-30", months=6, tests=False)
    np.testing.assert_allclose(again.expected, afresh.expected)
    assert again.error == steady.error


def test_without_the_history_a_pipeline_is_taken_to_have_been_the_same_then(steady):
    again = repeated_acquisition(steady, as_of="2024-09-30")
    assert again.as_of == date(2024, 9, 30)
    np.testing.assert_array_equal(again.expected, steady.expected)


def test_of_simulated_companies_the_wins_of_half_a_year_lie_within_the_interval():
    """The prospects are cut half a year before the end; 90% of 8 are 7."""
    inside = 0
    for seed in range(8):
        rows = simulate_company(seed=seed, customers=1_500, months=24).tables["prospects"]
        days = pd.to_datetime(rows["entered_stage_on"])
        found = pipeline_acquisition(rows, as_of="2022-06-30", months=6, tests=False)
        rng = np.random.default_rng(seed)
        drawn = found.draw(6, found.draw_levels(2_000, rng), rng).sum(axis=1)
        lower, upper = np.quantile(drawn, [0.05, 0.95])
        inside += lower <= ((rows["stage"] == "won") & (days > "2022-06-30")).sum() <= upper
    assert inside >= 6


def test_a_history_in_which_nobody_ended_is_refused():
    open_only = history(leads=4)[lambda rows: rows["stage"] == "lead"]
    with pytest.raises(DataError, match="none was won or lost"):
        pipeline_acquisition(open_only, as_of=AS_OF, months=6)


def test_a_history_of_two_months_is_refused():
    with pytest.raises(DataError, match=r"2 whole month.s"):
        pipeline_acquisition(history(leads=40, until="2024-02-29", takes=10), as_of="2024-02-29", months=6)


def test_no_months_are_refused():
    with pytest.raises(SettingsError, match="at least"):
        pipeline_acquisition(history(leads=4), as_of=AS_OF, months=0)


def test_settings_with_a_pipeline_and_no_prospects_are_refused(tmp_path):
    (tmp_path / "crm.toml").write_text('[acquisition]\nsource = "pipeline"\n', encoding="utf-8")
    with pytest.raises(SettingsError, match=r"name it as \[sources.prospects\]"):
        load_settings(tmp_path / "crm.toml")


def test_by_the_settings_a_period_takes_its_newcomers_from_the_prospects(sample_values, sample_log, tmp_path):
    rows = history(leads=40)
    rows["entered_stage_on"] -= pd.Timestamp(AS_OF) - pd.Timestamp(sample_values.customers.as_of)
    rows.to_csv(tmp_path / "leads.csv", index=False)
    text = '[sources.prospects]\npath = "leads.csv"\n\n[acquisition]\nsource = "pipeline"\n'
    (tmp_path / "crm.toml").write_text(text, encoding="utf-8")
    joining, words = period_acquisition(sample_log, sample_values, load_settings(tmp_path / "crm.toml"))
    assert joining.source == "pipeline"
    assert words == joining.words
    assert joining.first_spend == pytest.approx(mean_first_spend(sample_values.customers))
