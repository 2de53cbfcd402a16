"""Figures of contracts draw their frames and say what they show."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.report.figures.member_tracking import draw_member_tracking, member_tracking
from crm_analysis.report.figures.plan_curves import (
    draw_retention_curves,
    draw_survival_curves,
    retention_curves,
    survival_curves,
)
from crm_analysis.report.figures.plan_worth import plan_worth
from crm_analysis.report.figures.style import MIDDLE, NARROW, Sheet, drawing_style, new_axes

FINDING = 'Members stay "longer" <than> expected'
SHEETS = [pytest.param(Sheet(MIDDLE, 340), id="wide"), pytest.param(Sheet(NARROW, 270), id="narrow")]

TRACKING = pd.DataFrame(
    {
        "actual": [732.0, 691, 652],
        "expected": [732.0, 684, 644],
        "lower": [732.0, 671, 624],
        "upper": [732.0, 697, 662],
    },
    index=pd.DatetimeIndex(["2002-12-31", "2003-12-31", "2004-12-31"], name="day"),
)


def curves(groups: dict[str, float]) -> pd.DataFrame:
    """Retention of some groups, the last renewal not seen."""
    renewals = np.arange(5)
    parts = {
        group: pd.DataFrame(
            {
                "months": 12.0 * renewals,
                "observed_survival": [*(kept ** renewals[:4]), np.nan],
                "survival": kept**renewals,
                "lower": 0.9 * kept**renewals,
                "upper": np.minimum(1.0, 1.1 * kept**renewals),
            },
            index=pd.Index(renewals, name="renewal"),
        )
        for group, kept in groups.items()
    }
    return pd.concat(parts, names=["group"])


@pytest.mark.parametrize("sheet", SHEETS)
def test_tracking_draws_what_ran_and_what_was_expected(sheet):
    with drawing_style():
        ax = draw_member_tracking(TRACKING, ax=new_axes(sheet), sheet=sheet)
    np.testing.assert_array_equal(ax.lines[0].get_ydata(), TRACKING["expected"])
    np.testing.assert_array_equal(ax.lines[1].get_ydata(), TRACKING["actual"])


def test_an_axis_that_does_not_start_at_zero_says_so():
    sheet = Sheet(MIDDLE, 340)
    with drawing_style():
        cut = draw_member_tracking(TRACKING, ax=new_axes(sheet), sheet=sheet)
        whole = draw_member_tracking(TRACKING.assign(actual=[732, 300, 90]), ax=new_axes(sheet), sheet=sheet)
    assert "does not start at zero" in cut.get_ylabel()
    assert whole.get_ylim()[0] == 0
    assert "zero" not in whole.get_ylabel()


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_retention_curve_has_dots_where_something_was_seen(sheet):
    frame = curves({"yearly": 0.8})
    with drawing_style():
        ax = draw_retention_curves(frame, ax=new_axes(sheet), sheet=sheet)
    model, dots = ax.lines
    np.testing.assert_allclose(model.get_ydata(), frame["survival"])
    np.testing.assert_allclose(dots.get_ydata(), frame["observed_survival"])
    assert ax.get_xlabel() == "years since the start"


def test_names_of_curves_that_end_close_to_one_another_stand_apart():
    sheet = Sheet(MIDDLE, 340)
    with drawing_style():
        ax = draw_retention_curves(curves({"a": 0.80, "b": 0.801, "c": 0.799}), ax=new_axes(sheet), sheet=sheet)
    heights = sorted(text.get_position()[1] for text in ax.texts)
    assert np.diff(heights).min() * ax.bbox.height >= 19


def test_a_long_name_is_cut_and_stays_on_the_sheet():
    drawing = retention_curves(curves({"a plan of a very long name indeed": 0.8, "b": 0.6}), name="r", label=FINDING)
    assert "a plan of a very lo…" in drawing.markup


def test_survival_falls_in_steps_and_one_curve_has_a_band():
    curve = pd.DataFrame(
        {"survival": [1.0, 0.8, 0.5], "lower": [1.0, 0.7, 0.4], "upper": [1.0, 0.9, 0.6]},
        index=pd.MultiIndex.from_product([["all"], [0.0, 1.0, 3.0]], names=["group", "time"]),
    )
    sheet = Sheet(MIDDLE, 340)
    with drawing_style():
        ax = draw_survival_curves(curve, ax=new_axes(sheet), sheet=sheet)
    assert ax.lines[0].get_drawstyle() == "steps-post"
    assert len(ax.collections) == 1
    assert len(ax.texts) == 0


@pytest.mark.parametrize(
    "drawing",
    [
        pytest.param(lambda: member_tracking(TRACKING, name="t", label=FINDING), id="tracking"),
        pytest.param(lambda: retention_curves(curves({"a": 0.8, "b": 0.6}), name="r", label=FINDING), id="retention"),
        pytest.param(
            lambda: survival_curves(
                curves({"a": 0.8, "b": 0.6}).rename_axis(["group", "time"]), name="s", label=FINDING
            ),
            id="survival",
        ),
    ],
)
def test_a_drawing_states_its_finding_for_screen_readers(drawing):
    assert drawing().plain() == FINDING


def test_plans_keep_the_letters_of_their_names():
    table = pd.DataFrame(
        {"customers": [5, 3], "share_of_customers": [0.625, 0.375], "share_of_value": [0.8, 0.2], "mean_value": [9, 4]},
        index=["FitBasic", "plus 12M"],
    )
    drawing = plan_worth(table, label=FINDING, currency="EUR")
    assert "FitBasic" in drawing.markup
    assert "plus 12M" in drawing.markup
