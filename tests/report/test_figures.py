"""Figures draw their frames, say what they show, and come out as SVG a strict page lets through."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from crm_analysis.errors import BookError
from crm_analysis.messages import language
from crm_analysis.report.figures.changes import equity_bridge, levers
from crm_analysis.report.figures.cohort_curve import cohort_curve, draw_cohort_curve
from crm_analysis.report.figures.concentration_curve import concentration_curve, draw_concentration_curve, thinned
from crm_analysis.report.figures.dots import Mark, draw_dots, interval_dots, paired_dots
from crm_analysis.report.figures.drawing import clear_spot, month_labels, month_ticks
from crm_analysis.report.figures.equity_history import draw_equity_history, equity_history
from crm_analysis.report.figures.inline_svg import inline_svg
from crm_analysis.report.figures.monthly_activity import draw_monthly_activity, monthly_activity
from crm_analysis.report.figures.moves import draw_tier_moves, tier_moves
from crm_analysis.report.figures.purchase_tracking import draw_purchase_tracking, purchase_tracking
from crm_analysis.report.figures.purchases_by_frequency import draw_purchases_by_frequency, purchases_by_frequency
from crm_analysis.report.figures.row_funnel import row_funnel
from crm_analysis.report.figures.spend_distribution import draw_spend_distribution, spend_distribution
from crm_analysis.report.figures.style import DATA, NARROW, WIDE, Sheet, drawing_style, new_axes
from crm_analysis.report.figures.tiers import tiers
from crm_analysis.report.figures.value_by_tenth import value_by_tenth
from crm_analysis.report.figures.value_matrix import draw_value_matrix, value_matrix
from crm_analysis.report.templates import style_sheet

FINDING = 'Customers bought "more" <than> expected & stayed'
SHEETS = [pytest.param(Sheet(WIDE, 360), id="wide"), pytest.param(Sheet(NARROW, 270), id="narrow")]

TRACKING = pd.DataFrame(
    {
        "actual": [10.0, 40, 30, 25, 28, 20],
        "expected": [12.0, 35, 32, 24, 22, 21],
        "lower": [np.nan, np.nan, np.nan, 20, 19, 18],
        "upper": [np.nan, np.nan, np.nan, 29, 26, 25],
        "held_out": [False, False, False, True, True, True],
    },
    index=pd.date_range("1997-09-09", periods=6, freq="7D", name="week_ending"),
)
FREQUENCY = pd.DataFrame(
    {
        "customers": [14_119, 4_442, 636],
        "actual": [0.25, 0.78, 6.59],
        "lower": [0.24, 0.74, 5.93],
        "upper": [0.26, 0.83, 7.26],
        "expected": [0.23, 0.52, 6.47],
    },
    index=pd.Index(["0", "1", "7+"], name="repeat_purchases"),
)
TENTHS = pd.DataFrame(
    {"share": [1.2, *[0.01] * 7, 0.0, -0.27], "mean_value": [114.32, *[1.0] * 7, 0.0, -25.0]},
    index=pd.Index(range(1, 11), name="tenth"),
)
MATRIX = pd.DataFrame([[np.nan, 3.1], [240.0, 0.2]], index=["0", "10+"], columns=["0–30", "over 365"])
COUNTS = pd.DataFrame([[0, 12_054], [432, 14]], index=["0", "10+"], columns=["0–30", "over 365"])
SPEND = pd.DataFrame(
    {"left": [0.0, 10, 15], "right": [10.0, 15, np.inf], "observed": [0.1, 0.6, 0.3], "expected": [0.15, 0.5, 0.35]}
)
CURVE = pd.DataFrame({"share_of_customers": [0, 0.1, 0.5, 1.0], "share_of_value": [0, 0.6, 0.9, 1.0]})
ACTIVITY = pd.DataFrame(
    {"customers": [7_846, 9_000, 3_000], "new_customers": [7_846, 8_476, 0], "orders": [8_928, 11_272, 3_781]},
    index=pd.Index(["1997-11", "1997-12", "1998-01"], name="month"),
)
HISTORY = pd.DataFrame(
    {"equity": [403_289.0, 421_624, 418_711], "lower": [np.nan, np.nan, 410_100], "upper": [np.nan, np.nan, 427_000]},
    index=pd.to_datetime(["1998-04-30", "1998-05-31", "1998-06-30"]),
)
FUNNEL = pd.DataFrame(
    {
        "outcome": ["used", "no customer id", "after the as-of date"],
        "rows": [999_990, 10, 0],
        "share": [0.99999, 0.00001, 0.0],
        "status": ["used", "set_aside", "not_seen"],
    }
)

STEPS = pd.DataFrame(
    {
        "label": ["Opening equity", "Unwinding of the discount", "Expected margin released", "Closing equity"],
        "value": [1_000.0, 20.0, -90.0, 930.0],
        "running": [1_000.0, 1_020.0, 930.0, 930.0],
        "is_total": [True, False, False, True],
    }
)
LEVERS = pd.DataFrame({"label": ["Spend", "Leaving"], "down": [-120.0, 40.0], "up": [120.0, -35.0]})
TIERS = pd.DataFrame(
    {
        "customers": [40, 960],
        "share_of_customers": [0.04, 0.96],
        "share_of_value": [1.1, -0.1],
        "mean_value": [250.0, -1.0],
    },
    index=pd.Index(["platinum", "lead"], name="tier"),
)
LOST = pd.DataFrame(
    {
        "label": ["Customers, by the rule", "Margin"],
        "value": [0.45, 0.34],
        "lower": [0.41, np.nan],
        "upper": [0.49, np.nan],
    }
)
STATES = pd.DataFrame({"label": ["Active", "Lost"], "value": [0.5, 0.2], "other": [0.6, 0.1]})
MOVES = pd.DataFrame({"label": ["Platinum", "Lead"], "up": [0, 30], "stayed": [80, 900], "down": [20, 0]})
COHORTS = pd.DataFrame(
    {"share_active": [0.33, 0.27, 0.24], "lower": [0.31, 0.25, 0.22], "upper": [0.35, 0.29, 0.26]},
    index=pd.Index([1, 2, 3], name="period"),
)

CHARTS = {
    "equity_bridge": lambda name: equity_bridge(STEPS, name=name, label=FINDING, currency="USD"),
    "levers": lambda name: levers(LEVERS, name=name, label=FINDING, currency="USD"),
    "interval_dots": lambda name: interval_dots(LOST, name=name, label=FINDING, axis="lost"),
    "paired_dots": lambda name: paired_dots(STATES, name=name, label=FINDING, axis="share", words=("model", "rule")),
    "tier_moves": lambda name: tier_moves(MOVES, name=name, label=FINDING),
    "cohort_curve": lambda name: cohort_curve(COHORTS, name=name, label=FINDING),
    "purchase_tracking": lambda name: purchase_tracking(TRACKING, name=name, label=FINDING),
    "purchases_by_frequency": lambda name: purchases_by_frequency(FREQUENCY, name=name, label=FINDING),
    "value_matrix": lambda name: value_matrix(MATRIX, COUNTS, name=name, label=FINDING, currency="USD"),
    "spend_distribution": lambda name: spend_distribution(SPEND, name=name, label=FINDING, currency="USD"),
    "concentration_curve": lambda name: concentration_curve(CURVE, name=name, label=FINDING),
    "monthly_activity": lambda name: monthly_activity(ACTIVITY, name=name, label=FINDING),
    "equity_history": lambda name: equity_history(HISTORY, name=name, label=FINDING, currency="USD"),
}
ROWS = {
    "tiers": lambda name: tiers(TIERS, label=FINDING, currency="USD"),
    "value_by_tenth": lambda name: value_by_tenth(TENTHS, name=name, label=FINDING, currency="USD"),
    "row_funnel": lambda name: row_funnel(FUNNEL, name=name, label=FINDING),
}
FIGURES = CHARTS | ROWS


def texts(drawing) -> list[str]:
    root = ElementTree.fromstring(f"<x>{drawing.html()}</x>")
    return ["".join(text.itertext()) for text in root.iter("text")]


@pytest.fixture
def sheet_axes():
    with drawing_style():
        yield lambda sheet: {"ax": new_axes(sheet), "sheet": sheet}


# What every figure keeps


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_says_its_finding_to_those_who_do_not_see_it(figure):
    assert FIGURES[figure]("fig").plain() == FINDING


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_needs_a_finding(figure, monkeypatch):
    monkeypatch.setitem(globals(), "FINDING", " ")
    with pytest.raises(BookError, match="text alternative"):
        FIGURES[figure]("fig")


@pytest.mark.parametrize("figure", FIGURES)
def test_equal_frames_give_equal_bytes(figure):
    assert FIGURES[figure]("fig").html() == FIGURES[figure]("fig").html()


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_brings_no_style_no_colour_and_no_script_of_its_own(figure):
    html = FIGURES[figure]("fig").html()
    assert not re.search(r"style=|<style|<script|\son\w+=|#[0-9a-f]{6}|https?:", html)


@pytest.mark.parametrize("figure", FIGURES)
def test_the_style_sheet_has_a_rule_for_every_colour_class(figure):
    classes = set(
        re.findall(r"\b[fst]-[a-z0-9-]+", " ".join(re.findall(r'class="([^"]*)"', FIGURES[figure]("fig").html())))
    )
    assert classes
    # Ink is the colour of any text.
    assert {name for name in classes - {"t-ink"} if f".{name}{{" not in style_sheet()} == set()


@pytest.mark.parametrize("figure", CHARTS)
def test_a_chart_is_drawn_for_the_desk_and_for_the_phone_with_ids_that_do_not_clash(figure):
    html = CHARTS[figure]("one").html()
    assert html.count('class="fig wide w') == html.count('class="fig narrow"') == 1
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert all(name.startswith(("one-wide-", "one-narrow-")) for name in ids)
    used = re.findall(r'(?:href="#|url\(#)([^")]+)', html)
    assert set(used) == set(ids)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_is_well_formed(figure):
    ElementTree.fromstring(f"<x>{FIGURES[figure]('fig').html()}</x>")


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_leaves_pyplot_alone(figure):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    FIGURES[figure]("fig")
    assert plt.get_fignums() == before


def test_text_without_a_glyph_in_the_measuring_font_is_drawn_without_a_warning():
    figure = Figure()
    figure.text(0.5, 0.5, "客户", color=DATA)
    assert "客户" in inline_svg(figure, name="zh", label="客户", css_class="fig")


def test_a_colour_without_a_role_is_refused():
    figure = Figure()
    figure.text(0.5, 0.5, "x", color="#ff0000")
    with pytest.raises(BookError, match="#ff0000"):
        inline_svg(figure, name="x", label="x", css_class="fig")


def test_numbers_in_texts_keep_their_digits():
    figure = Figure()
    figure.text(0.123456, 0.5, "0.123456", color=DATA)
    svg = inline_svg(figure, name="x", label="x", css_class="fig")
    assert ">0.123456<" in svg
    assert not re.search(r'="[^"]*\d\.\d{3}', svg)


def test_text_from_data_stays_text():
    figure = Figure()
    figure.text(0.5, 0.5, "<script>alert(1)</script>", color=DATA)
    svg = inline_svg(figure, name="x", label='"><script>', css_class="fig")
    assert "<script" not in svg


# What each figure draws


@pytest.mark.parametrize("sheet", SHEETS)
def test_tracking_draws_the_frame(sheet, sheet_axes):
    ax = draw_purchase_tracking(TRACKING, **sheet_axes(sheet))
    lines = {line.get_color(): line for line in ax.lines}
    np.testing.assert_array_equal(lines[DATA].get_ydata(), TRACKING["actual"])
    assert any(np.array_equal(line.get_ydata(), TRACKING["expected"]) and line.is_dashed() for line in ax.lines)
    assert ax.get_ylabel() == "repeat purchases a week"
    assert ax.get_ylim()[0] == 0


def test_tracking_says_how_long_the_held_out_time_is():
    assert "held out, 3 weeks" in texts(purchase_tracking(TRACKING, name="t", label="x"))


def test_tracking_without_held_out_weeks_has_no_wash_and_no_band():
    fitted = TRACKING.assign(held_out=False, lower=np.nan, upper=np.nan)
    html = purchase_tracking(fitted, name="t", label="x").html()
    assert "f-held-out" not in html
    assert "Expected, 95% band" not in html
    assert ">Expected<" in html


@pytest.mark.parametrize("sheet", SHEETS)
def test_frequency_draws_the_frame_with_intervals_and_numbers(sheet, sheet_axes):
    ax = draw_purchases_by_frequency(FREQUENCY, **sheet_axes(sheet))
    actual, expected = ax.lines
    np.testing.assert_array_equal(actual.get_ydata(), FREQUENCY["actual"])
    np.testing.assert_array_equal(expected.get_ydata(), FREQUENCY["expected"])
    ends = [segment[:, 1] for segment in ax.collections[0].get_segments()]
    np.testing.assert_array_equal(ends, FREQUENCY[["lower", "upper"]])
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "7+"]
    assert "n 14,119" in {text.get_text() for text in ax.texts}
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("repeat purchases before", "repeat purchases a customer")


@pytest.mark.parametrize("sheet", SHEETS)
def test_matrix_shades_the_cells_and_writes_value_and_number(sheet, sheet_axes):
    ax = draw_value_matrix(MATRIX, COUNTS, currency="USD", **sheet_axes(sheet))
    shades = ax.collections[0].get_array().reshape(2, 2)
    assert shades.mask.tolist() == [[True, False], [False, False]]
    assert shades[1].tolist() == [5, 0]
    written = [text.get_text() for text in ax.texts]
    assert {"$3.10", "12,054", "$240", "432", "$0.20", "14"} <= set(written)
    assert written.count("–") == 1


@pytest.mark.parametrize("sheet", SHEETS)
def test_spend_draws_bars_as_seen_and_ticks_as_expected(sheet, sheet_axes):
    ax = draw_spend_distribution(SPEND, currency="USD", **sheet_axes(sheet))
    np.testing.assert_allclose([bar.get_height() for bar in ax.patches], SPEND["observed"])
    np.testing.assert_allclose([tick[0, 1] for tick in ax.collections[0].get_segments()], SPEND["expected"])
    assert ax.get_xlabel() == "mean value of a repeat order, US dollars"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["$0", "$10", "$15"]
    assert ax.get_ylim()[0] == 0


def test_concentration_draws_the_curve_beside_equal_shares(sheet_axes):
    ax = draw_concentration_curve(CURVE, **sheet_axes(Sheet(WIDE, 360)))
    equal, curve = ax.lines
    np.testing.assert_array_equal(equal.get_xdata(), equal.get_ydata())
    np.testing.assert_array_equal(curve.get_xydata(), CURVE)


def test_a_long_curve_is_thinned_without_moving_it():
    x = np.linspace(0, 1, 20_000)
    curve = pd.DataFrame({"share_of_customers": x, "share_of_value": x**0.2})
    kept = thinned(curve)
    assert len(kept) <= 242
    assert kept.iloc[[0, -1]].equals(curve.iloc[[0, -1]])
    again = np.interp(x, kept["share_of_customers"], kept["share_of_value"])
    # The first customer alone holds a seventh, and a step of the sheet is about a hundredth of that.
    np.testing.assert_allclose(again[1:], curve["share_of_value"][1:], atol=0.002)


@pytest.mark.parametrize("sheet", SHEETS)
def test_activity_splits_orders_into_repeats_and_firsts(sheet, sheet_axes):
    ax = draw_monthly_activity(ACTIVITY, **sheet_axes(sheet))
    repeat, first = (container.patches for container in ax.containers)
    assert [bar.get_height() for bar in first] == ACTIVITY["new_customers"].tolist()
    assert [bar.get_y() + bar.get_height() for bar in first] == ACTIVITY["orders"].tolist()
    assert [bar.get_y() for bar in repeat] == [0, 0, 0]
    assert ax.get_ylabel() == "orders a month"


def test_equity_starts_at_zero_unless_it_says_that_it_does_not(sheet_axes):
    ax = draw_equity_history(HISTORY, currency="USD", **sheet_axes(Sheet(WIDE, 360)))
    assert ax.get_ylim()[0] == 0
    note = "the axis starts above zero"
    ax = draw_equity_history(HISTORY, currency="USD", axis_note=note, **sheet_axes(Sheet(WIDE, 360)))
    assert ax.get_ylim()[0] > 0
    assert ax.get_ylabel() == f"customer equity, US dollars; {note}"
    drawing = equity_history(HISTORY, name="e", label="x", currency="USD", axis_note=note)
    assert sum(note in text for text in texts(drawing)) == 2


def test_equity_draws_the_frame_and_the_intervals_it_knows(sheet_axes):
    ax = draw_equity_history(HISTORY, currency="USD", **sheet_axes(Sheet(WIDE, 360)))
    for line in ax.lines:
        np.testing.assert_array_equal(line.get_ydata(), HISTORY["equity"])
    drawn = [segment[:, 1] for segment in ax.collections[0].get_segments() if len(segment)]
    np.testing.assert_array_equal([ends for ends in drawn if np.isfinite(ends).all()], [[410_100, 427_000]])


def test_equity_needs_no_interval_and_no_second_month():
    assert equity_history(HISTORY[["equity"]].head(1), name="e", label="x", currency="USD").plain() == "x"


@pytest.mark.parametrize("sheet", SHEETS)
def test_dots_stand_at_their_shares_on_the_intervals_there_are(sheet, sheet_axes):
    ax = draw_dots(LOST, **sheet_axes(sheet), axis="lost", marks=(Mark("value", limits=("lower", "upper")),))
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    spans = [tuple(line.get_xdata()) for line in ax.lines if line.get_marker() != "o"]
    assert (dots, spans) == ([0.45, 0.34], [(0.41, 0.49)])


@pytest.mark.parametrize("sheet", SHEETS)
def test_moves_part_each_tier_into_shares_of_one(sheet, sheet_axes):
    ax = draw_tier_moves(MOVES, **sheet_axes(sheet))
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(3, 2)
    np.testing.assert_allclose(widths.sum(axis=0), 1)
    np.testing.assert_allclose(widths[:, 0], [0, 0.8, 0.2])


@pytest.mark.parametrize("sheet", SHEETS)
def test_cohorts_draw_the_frame_on_its_band(sheet, sheet_axes):
    ax = draw_cohort_curve(COHORTS, **sheet_axes(sheet))
    [line] = ax.lines
    np.testing.assert_array_equal(line.get_xydata(), COHORTS["share_active"].reset_index())
    [band] = ax.collections
    assert band.get_paths()[0].get_extents().intervaly.tolist() == [0.22, 0.35]


def test_tenths_say_negative_shares_and_draw_no_bar_for_them():
    html = value_by_tenth(TENTHS, name="t", label="x", currency="USD").html()
    assert "−27.0%" in html
    assert "−$25.00" in html
    lengths = re.findall(r'<rect class="f-data[^"]*" x="0" width="([^"]+)"', html)
    assert lengths[0] == "100%"
    assert len(lengths) == 8
    assert not any(length.startswith("-") for length in lengths)


def test_a_tenth_tells_its_share_to_those_who_do_not_see_the_bar():
    assert re.search(
        r'\$114\.32<span class="vh"> each; 120\.0% of the value',
        value_by_tenth(TENTHS, name="t", label="x", currency="USD").html(),
    )


def test_funnel_keeps_a_few_rows_of_many_as_a_tick_and_none_as_none():
    html = row_funnel(FUNNEL, name="r", label="x").html()
    assert re.findall(r'<rect class="(f-\w+)" x="0" width="([^"]+)"', html) == [("f-data", "100%"), ("f-rule", "2")]
    assert "under 0.1%" in html
    assert "999,990" in html
    assert html.count("<small>") == 2


def test_funnel_escapes_what_the_log_says():
    html = row_funnel(FUNNEL.assign(outcome="<script>x</script>"), name="r", label="x").html()
    assert "<script" not in html


# What they share


def test_months_are_evenly_spaced_and_begin_with_a_year():
    months = month_ticks(pd.Timestamp("1997-01-01").date(), pd.Timestamp("1998-06-30").date(), most=8)
    assert month_labels(months) == ["Jan 97", "Apr", "Jul", "Oct", "Jan 98", "Apr"]


def test_ticks_of_long_time_are_never_too_many():
    assert len(month_ticks(pd.Timestamp("1990-01-01").date(), pd.Timestamp("2025-01-01").date(), most=4)) <= 4


def test_month_labels_follow_the_language():
    with language("zh_CN"):
        assert month_labels([pd.Timestamp("1998-06-01").date()]) == ["6月 98"]


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_label_stands_clear_of_every_line(sheet, sheet_axes):
    ax = sheet_axes(sheet)["ax"]
    x = np.linspace(0, 10, 80)
    target, other = 5 + np.sin(3 * x), 5 + np.cos(2 * x)
    ax.set(xlim=(0, 10), ylim=(0, 12))
    _middle, above = clear_spot(ax, x, target, (other,), "Actual", sheet, above=True)
    _middle, below = clear_spot(ax, x, target, (other,), "Actual", sheet, above=False)
    assert above > target.min()
    assert below < target.max()
    assert 0 < below < above < 12


def test_two_amounts_in_dollars_are_text_and_no_formula():
    assert "−$120 to +$120" in texts(CHARTS["levers"]("fig"))
