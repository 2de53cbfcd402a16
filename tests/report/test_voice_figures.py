"""Figures of satisfaction and loyalty draw their frames, whatever their labels hold, and say what they show."""

import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.colors import to_hex
from matplotlib.patches import FancyArrowPatch

from crm_analysis.messages import language
from crm_analysis.report.figures.dots import Mark, Reference, draw_dots, interval_dots
from crm_analysis.report.figures.drawing import number_tick, share_tick, text_width
from crm_analysis.report.figures.dumbbells import gap_dumbbell, wave_dumbbell
from crm_analysis.report.figures.effects import effect_dots, penalty_reward_dots
from crm_analysis.report.figures.importance import draw_rank_heat, importance_dots, rank_heat
from crm_analysis.report.figures.labels import Box, clean, free_places, wrapped
from crm_analysis.report.figures.maps import kano_map, priority_map
from crm_analysis.report.figures.path_diagram import draw_path_diagram, path_diagram
from crm_analysis.report.figures.path_layout import place_constructs
from crm_analysis.report.figures.stacked import Part, draw_share_bars, kano_bars, promoter_bars
from crm_analysis.report.figures.style import (
    AXIS,
    CARD,
    DATA,
    HELD_OUT,
    MIDDLE,
    MODEL,
    NARROW,
    ON_DARK,
    Sheet,
    drawing_style,
    new_axes,
)
from crm_analysis.report.figures.themes import theme_dots
from crm_analysis.report.figures.trend import draw_wave_trend, wave_trend
from crm_analysis.report.templates import style_sheet

FINDING = 'Image goes with "satisfaction" <more> than price & advice'
HOSTILE = [
    "<script>alert(1)</script> $x^2$ & $y$",
    "服务热线的响应速度和等待时间以及其他许多事情" * 3,
    "a\x00b\x0b\n" + "x" * 90,
]
SHEETS = [pytest.param(Sheet(MIDDLE, 340), id="wide"), pytest.param(Sheet(NARROW, 400), id="narrow")]

IMPORTANCE = pd.DataFrame(
    {
        "label": ["Image", "Price", "Advice"],
        "share": [0.5, 0.3, 0.05],
        "lower": [0.4, 0.2, 0.01],
        "upper": [0.6, 0.4, np.nan],
        "is_above_noise": [True, True, False],
        "other": [0.48, 0.31, 0.06],
    }
)
RANKS = pd.DataFrame([[0.9, 0.1, 0.0], [0.1, 0.6, 0.3], [0.0, 0.3, 0.7]], index=["Image", "Price", "Advice"])
MAP = pd.DataFrame(
    {
        "label": ["Image", "Price", "Advice"],
        "importance": [0.5, 0.3, 0.2],
        "importance_lower": [0.4, 0.2, 0.1],
        "importance_upper": [0.6, 0.4, np.nan],
        "performance": [7.5, 6.1, 8.0],
        "performance_lower": [7.2, 5.8, 7.8],
        "performance_upper": [7.8, 6.4, 8.2],
    }
)
KANO = pd.DataFrame(
    {
        "label": ["App", "Returns", "Card"],
        "better": [0.72, 0.2, 0.5],
        "better_lower": [0.65, 0.1, 0.4],
        "better_upper": [0.79, 0.3, 0.6],
        "worse": [-0.51, -0.8, -0.1],
        "worse_lower": [-0.6, -0.9, -0.2],
        "worse_upper": [-0.4, -0.7, 0.0],
        "words": ["exciting", "basic", "indifferent"],
    }
    | dict(zip("AOMIRQ", [[80, 5, 9], [60, 9, 2], [40, 70, 1], [15, 10, 80], [3, 2, 0], [2, 0, 0]], strict=True))
)
WAVES = pd.DataFrame(
    {
        "label": ["2023", "2024", "2025"],
        "small": ["n 500", "n 500", "n 40"],
        "promoters": [0.5, 0.46, 0.2],
        "passives": [0.3, 0.3, 0.3],
        "detractors": [0.2, 0.24, 0.5],
        "value": [30.0, 22.0, -30.0],
        "lower": [25.0, 16.0, np.nan],
        "upper": [35.0, 28.0, np.nan],
    }
)
CHANGES = pd.DataFrame(
    {
        "label": ["Image", "Price", "Advice"],
        "before": [7.2, 6.4, 8.1],
        "after": [7.6, 6.3, np.nan],
        "change": [0.4, -0.1, np.nan],
        "lower": [0.2, -0.3, np.nan],
        "upper": [0.6, 0.1, np.nan],
        "is_real": [True, False, False],
    }
)
GAPS = CHANGES.rename(columns={"before": "expectation", "after": "perception", "change": "gap"})
EFFECTS = pd.DataFrame(
    {
        "label": ["Image", "Price", "Advice"],
        "value": [0.21, -0.02, 0.1],
        "lower": [0.1, -0.1, 0.02],
        "upper": [0.3, 0.06, 0.2],
    }
)
PENALTIES = pd.DataFrame(
    {
        "label": ["Image", "Price", "Advice"],
        "penalty": [-0.8, -0.5, -0.1],
        "penalty_lower": [-1.1, -0.7, -0.3],
        "penalty_upper": [-0.5, -0.3, 0.1],
        "reward": [0.1, 0.5, 0.6],
        "reward_lower": [-0.1, 0.3, 0.4],
        "reward_upper": [0.3, 0.7, 0.8],
        "kind": ["basic", "expected", "exciting"],
    }
)
THEMES = pd.DataFrame(
    {
        "label": ["Bills", "Staff", "Waiting"],
        "words": ["wrong, invoice", ["friendly", "helpful"], ""],
        "share": [0.22, 0.18, 0.09],
        "lower": [0.18, 0.14, 0.06],
        "upper": [0.26, 0.22, 0.13],
        "satisfaction": [5.1, 8.2, np.nan],
    }
)
# Image causes expectation and so on: the European model on the mobile phone survey (SmartPLS 2, centroid scheme).
ECSI = pd.DataFrame(
    {
        "label": ["Image", "Expectation", "Quality", "Value", "Satisfaction", "Complaints", "Loyalty"],
        "index": [73.5209, 72.4714, 74.9853, 62.2979, 72.5428, 67.4222, 70.6107],
        "r_squared": [np.nan, 0.254728, 0.310525, 0.344610, 0.680281, 0.276778, 0.457286],
    },
    index=list("IEQVSCL"),
)
ECSI_PATHS = pd.DataFrame(
    [
        (*ends, value, value - 0.12, value + 0.12)
        for ends, value in {
            "IE": 0.504706, "EQ": 0.557248, "EV": 0.050788, "QV": 0.557217, "IS": 0.178833, "ES": 0.064425,
            "QS": 0.512545, "VS": 0.191816, "SC": 0.526097, "IL": 0.195360, "SL": 0.483475, "CL": 0.071232,
        }.items()
    ],
    columns=["from", "to", "coefficient", "lower", "upper"],
)  # fmt: skip
TREND = WAVES[["label", "small", "value", "lower", "upper"]]

FIGURES = {
    "importance_dots": lambda t, name: importance_dots(t, noise=0.06, name=name, label=FINDING, other="Johnson"),
    "rank_heat": lambda t, name: rank_heat(RANKS.set_axis(t["label"].to_numpy()), name=name, label=FINDING),
    "priority_map": lambda t, name: priority_map(t, lines=(0.33, 7.2), name=name, label=FINDING),
    "promoter_bars": lambda t, name: promoter_bars(t, name=name, label=FINDING),
    "wave_dumbbell": lambda t, name: wave_dumbbell(t, name=name, label=FINDING, axis="mean", words=("2024", "2025")),
    "gap_dumbbell": lambda t, name: gap_dumbbell(t, name=name, label=FINDING, axis="mean rating, 1 to 10"),
    "kano_map": lambda t, name: kano_map(t, name=name, label=FINDING),
    "kano_bars": lambda t, name: kano_bars(t, name=name, label=FINDING),
    "penalty_reward_dots": lambda t, name: penalty_reward_dots(t, name=name, label=FINDING, axis="points"),
    "effect_dots": lambda t, name: effect_dots(t, name=name, label=FINDING, axis="points of satisfaction"),
    "theme_dots": lambda t, name: theme_dots(t, name=name, label=FINDING),
    "wave_trend": lambda t, name: wave_trend(t, name=name, label=FINDING, axis="NPS", write=number_tick),
    "path_diagram": lambda t, name: path_diagram(t, ECSI_PATHS, name=name, label=FINDING),
}
FRAMES = {
    "importance_dots": IMPORTANCE,
    "rank_heat": RANKS.assign(label=RANKS.index),
    "priority_map": MAP,
    "promoter_bars": WAVES,
    "wave_dumbbell": CHANGES,
    "gap_dumbbell": GAPS,
    "kano_map": KANO,
    "kano_bars": KANO,
    "penalty_reward_dots": PENALTIES,
    "effect_dots": EFFECTS,
    "theme_dots": THEMES,
    "wave_trend": TREND,
    "path_diagram": ECSI,
}


@pytest.fixture(scope="module")
def drawn():
    """Each figure once, its frame as it is."""
    return {figure: draw(FRAMES[figure], "fig") for figure, draw in FIGURES.items()}


@pytest.fixture(scope="module")
def hostile():
    """Each figure once, with labels nobody would choose."""

    def of(frame):
        return frame.assign(label=[HOSTILE[i % len(HOSTILE)] for i in range(len(frame))])

    return {figure: draw(of(FRAMES[figure]), "fig") for figure, draw in FIGURES.items()}


@pytest.fixture
def sheet_axes():
    with drawing_style():
        yield lambda sheet: {"ax": new_axes(sheet), "sheet": sheet}


def svgs(drawing) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(f"<x>{drawing.html()}</x>")
    return [svg for svg in root.iter("svg") if "fig" in svg.get("class", "")]


def texts(drawing) -> list[str]:
    return ["".join(text.itertext()) for svg in svgs(drawing) for text in svg.iter("text")]


def ends_of_text(text: ElementTree.Element, sheet: Sheet) -> tuple[float, float]:
    """Where a text begins and ends, if its letters are as wide as they are taken to be."""
    width = text_width(text.text or "", sheet)
    share = {"middle": 0.5, "end": 1.0}.get(text.get("text-anchor", ""), 0.0)
    left = float(text.get("x", 0)) - share * width
    return left, left + width


# What every figure keeps


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_says_its_finding_to_those_who_do_not_see_it(figure, drawn):
    assert drawn[figure].plain() == FINDING


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_has_a_form_for_the_desk_and_one_for_the_phone(figure, drawn):
    classes = [svg.get("class") for svg in svgs(drawn[figure])]
    assert {"fig wide w750", "fig narrow"} == set(classes)
    assert classes.count("fig narrow") == 1


@pytest.mark.parametrize("figure", FIGURES)
def test_ids_do_not_clash_and_begin_with_the_name(figure, drawn):
    html = drawn[figure].html()
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    assert all(name.startswith("fig-") for name in ids)
    assert set(re.findall(r'(?:href="#|url\(#)([^")]+)', html)) == set(ids)


@pytest.mark.parametrize("figure", FIGURES)
def test_a_figure_brings_no_style_no_colour_and_no_script_of_its_own(figure, hostile):
    assert not re.search(r"style=|<style|<script|\son\w+=|#[0-9a-f]{6}|https?:", hostile[figure].html())


@pytest.mark.parametrize("figure", FIGURES)
def test_the_style_sheet_has_a_rule_for_every_class(figure, drawn):
    html = drawn[figure].html()
    names = {name for found in re.findall(r'class="([^"]*)"', html) for name in found.split()}
    assert {name for name in names - {"t-ink", "fig", "wide", "narrow"} if f".{name}" not in style_sheet()} == set()


@pytest.mark.parametrize("figure", FIGURES)
def test_equal_frames_give_equal_bytes(figure, drawn):
    assert FIGURES[figure](FRAMES[figure], "fig").html() == drawn[figure].html()


@pytest.mark.parametrize("figure", FIGURES)
def test_labels_from_data_stay_text_and_are_no_formula(figure, hostile):
    ElementTree.fromstring(f"<x>{hostile[figure].html()}</x>")
    assert any("$x^2$" in text for text in [*texts(hostile[figure]), str(hostile[figure].html())])


@pytest.mark.parametrize("figure", FIGURES)
@pytest.mark.parametrize("labels", ["plain", "hostile"])
def test_no_text_leaves_the_sheet(figure, labels, drawn, hostile):
    drawing = (drawn if labels == "plain" else hostile)[figure]
    for svg in svgs(drawing):
        sheet = Sheet(NARROW if "narrow" in svg.get("class", "") else MIDDLE, 100)
        for text in svg.iter("text"):
            left, right = ends_of_text(text, sheet)
            # Ticks at the end of an axis may lean out by a letter or two, which the padding of a figure holds.
            assert left >= -12, text.text
            assert right <= sheet.width + 12, text.text


def test_words_follow_the_language():
    with language("zh_CN"):
        assert importance_dots(IMPORTANCE, noise=None, name="i", label="x").plain() == "x"


# Dots in rows


@pytest.mark.parametrize("sheet", SHEETS)
def test_two_intervals_of_a_row_stand_apart(sheet, sheet_axes):
    marks = (
        Mark("penalty", MODEL, ("penalty_lower", "penalty_upper")),
        Mark("reward", DATA, ("reward_lower", "reward_upper")),
    )
    ax = draw_dots(PENALTIES, **sheet_axes(sheet), axis="points", marks=marks)
    dots = {line.get_color(): [] for line in ax.lines if line.get_marker() == "o"}
    for line in ax.lines:
        if line.get_marker() == "o":
            dots[line.get_color()].append((line.get_xdata()[0], line.get_ydata()[0]))
    assert [x for x, _y in dots[MODEL]] == PENALTIES["penalty"].tolist()
    assert [x for x, _y in dots[DATA]] == PENALTIES["reward"].tolist()
    assert all(penalty < reward for (_, penalty), (_, reward) in zip(dots[MODEL], dots[DATA], strict=True))


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_muted_row_is_hollow_and_grey(sheet, sheet_axes):
    table = EFFECTS.assign(is_muted=[False, True, False])
    ax = draw_dots(table, **sheet_axes(sheet), axis="points", marks=(Mark("value"),))
    dots = [(line.get_markeredgecolor(), line.get_markerfacecolor()) for line in ax.lines if line.get_marker() == "o"]
    assert dots == [(DATA, DATA), (AXIS, CARD), (DATA, DATA)]


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_reference_crosses_every_row_on_the_axis(sheet, sheet_axes):
    reference = Reference(0.7, "noise")
    ax = draw_dots(EFFECTS, **sheet_axes(sheet), axis="share", marks=(Mark("value"),), reference=reference)
    lines = [segment for group in ax.collections for segment in group.get_segments() if segment[0, 0] == 0.7]
    rows = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert len(set(rows)) == 3
    assert all(any(line[:, 1].min() <= row <= line[:, 1].max() for line in lines) for row in rows)
    assert ax.get_xlim()[1] > 0.7


def test_drivers_below_noise_step_back_and_noise_is_named(drawn):
    html = drawn["importance_dots"].html()
    assert texts(drawn["importance_dots"]).count("pure noise reaches up to 6.0%") == 2
    assert len(re.findall('class="f-card s-rule"', html)) == 2


def test_a_share_stands_with_its_interval_and_without_where_it_has_none(drawn):
    written = texts(drawn["importance_dots"])
    assert written.count("50.0% (40.0% to 60.0%)") == 2
    assert written.count("5.0%") == 2


def test_a_second_method_is_named_in_a_legend(drawn):
    assert ">Johnson<" in drawn["importance_dots"].html()
    alone = importance_dots(IMPORTANCE, noise=0.06, name="i", label="x").html()
    assert "legend" not in alone


def test_changes_carry_their_sign_and_a_missing_one_says_so(drawn):
    written = texts(drawn["wave_dumbbell"])
    assert {"+0.40 (+0.20 to +0.60)", "−0.10 (−0.30 to +0.10)", "–"} <= set(written)


def test_gaps_are_drawn_as_changes_are(drawn):
    def shapes(drawing):
        return [
            (e.tag, e.get("d"), e.get("x")) for svg in svgs(drawing) for e in svg.iter() if e.tag in {"use", "path"}
        ]

    assert shapes(drawn["gap_dumbbell"]) == shapes(drawn["wave_dumbbell"])


def test_ratings_need_no_zero_and_effects_do(drawn):
    assert "0" not in texts(drawn["wave_dumbbell"])
    assert "0" in texts(drawn["effect_dots"])


def test_penalties_and_rewards_stand_with_their_kind(drawn):
    assert texts(drawn["penalty_reward_dots"]).count("−0.80 / +0.10, basic") == 2


def test_themes_show_their_words_and_the_mean_rating_where_there_is_one(drawn):
    written = " ".join(texts(drawn["theme_dots"]))
    assert "friendly, helpful" in written
    assert "mean rating 8.2" in written
    assert written.count("rating") == 4


def test_a_table_of_no_rows_is_drawn():
    empty = pd.DataFrame({"label": [], "value": [], "lower": [], "upper": []})
    assert interval_dots(empty, name="e", label="x", axis="share").plain() == "x"


# Bars and heat


@pytest.mark.parametrize("sheet", SHEETS)
def test_bars_part_each_row_into_shares_of_one(sheet, sheet_axes):
    parts = (Part("detractors", "d", MODEL, ON_DARK), Part("passives", "p", HELD_OUT), Part("promoters", "p", DATA))
    ax = draw_share_bars(WAVES.assign(words=""), parts, **sheet_axes(sheet))
    widths = np.array([bar.get_width() for bar in ax.patches]).reshape(3, 3)
    np.testing.assert_allclose(widths, WAVES[["detractors", "passives", "promoters"]].T)
    assert "20%" in [text.get_text() for text in ax.texts]


def test_a_feature_nobody_rated_has_no_bar():
    silent = KANO.assign(A=0, O=0, M=0, I=0, R=0, Q=0)
    assert not re.search(r"\d%", " ".join(texts(kano_bars(silent, name="k", label="x"))))


def test_a_score_without_an_interval_stands_alone(drawn):
    assert {"NPS 30 (25 to 35)", "NPS −30"} <= set(texts(drawn["promoter_bars"]))


@pytest.mark.parametrize("sheet", SHEETS)
def test_ranks_out_of_reach_are_blank(sheet, sheet_axes):
    ax = draw_rank_heat(RANKS, **sheet_axes(sheet))
    [cells] = ax.collections
    masked = np.ma.getmaskarray(cells.get_array()).reshape(-1, 3)
    if sheet.is_narrow:
        assert masked[0::2].all()
        masked = masked[1::2]
    np.testing.assert_array_equal(masked, RANKS == 0)
    written = [text.get_text() for text in ax.texts]
    assert "90%" in written
    assert "0%" not in written


def test_many_ranks_have_shades_and_no_numbers():
    many = pd.DataFrame(np.full((20, 20), 0.05), index=[f"driver {i}" for i in range(20)])
    assert not any("%" in text for text in texts(rank_heat(many, name="r", label="x")))


# Maps


def test_names_stand_on_the_map_where_they_find_room_and_numbers_with_a_key_elsewhere(drawn, hostile):
    wide, narrow = svgs(drawn["priority_map"])
    written = {text.text for text in wide.iter("text")}
    assert {"Image", "Price", "Advice"} <= written
    assert {"1", "2", "3"} <= {text.text for text in narrow.iter("text")}
    assert '<ol class="key-list narrow"><li>Image</li>' in drawn["priority_map"].html()
    assert '<ol class="key-list"><li>' in hostile["priority_map"].html()


def test_the_fields_of_the_map_are_named(drawn):
    assert {"look at first", "keep it up", "can wait", "more than enough"} <= set(texts(drawn["priority_map"]))
    assert {"basic", "expected", "exciting", "indifferent"} <= set(texts(drawn["kano_map"]))


def test_a_point_without_a_figure_has_no_label_on_the_map():
    gone = MAP.assign(importance=[0.5, np.nan, 0.2])
    _wide, narrow = svgs(priority_map(gone, lines=(0.3, 7.0), name="p", label="x"))
    assert "2" not in {text.text for text in narrow.iter("text")}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 200)), min_size=1, max_size=12))
def test_places_called_clear_are_clear(spots):
    room = Box(-100, -100, 400, 300)
    dots = [Box(x - 4, y - 4, x + 4, y + 4) for x, y in spots]
    places, is_clear = free_places(spots, [(40.0, 14.0)] * len(spots), dots, [], room, gap=9)
    overlaps = sum(one.overlap(other) for i, one in enumerate(places) for other in [*dots, *places[i + 1 :]])
    assert is_clear == (overlaps < 1e-3 and all(abs(one.area - one.overlap(room)) < 1e-3 for one in places))


# Path models


def test_arrows_of_the_satisfaction_model_run_forward_and_through_no_box():
    place = {name: i for i, name in enumerate(ECSI.index)}
    arrows = tuple((place[a], place[b]) for a, b in ECSI_PATHS[["from", "to"]].itertuples(index=False))
    cells, (columns, rows) = place_constructs(len(ECSI), arrows)
    assert len({tuple(cell) for cell in cells}) == 7
    assert cells[:, 0].max() + 1 == columns
    assert cells[:, 1].max() + 1 == rows
    for cause, effect in arrows:
        start, end = cells[cause].astype(float), cells[effect].astype(float)
        assert start[0] <= end[0]
        for step in np.linspace(0, 1, 50):
            near = np.abs(cells - (start + step * (end - start))) < (0.3, 0.3)
            assert set(np.flatnonzero(near.all(axis=1))) <= {cause, effect}


@settings(max_examples=10, deadline=None)
@given(st.integers(1, 8), st.data())
def test_any_recursive_model_finds_places(count, data):
    pairs = [(a, b) for a in range(count) for b in range(a + 1, count)]
    arrows = tuple(sorted(data.draw(st.sets(st.sampled_from(pairs), max_size=12)))) if pairs else ()
    cells, _size = place_constructs(count, arrows)
    assert len({tuple(cell) for cell in cells}) == count
    assert all(cells[a, 0] <= cells[b, 0] for a, b in arrows)


def test_a_path_whose_interval_holds_zero_is_dashed_and_grey():
    with drawing_style():
        sheet = Sheet(MIDDLE, 400, left=0, right=0, top=0, bottom=0)
        ax = draw_path_diagram(ECSI, ECSI_PATHS, ax=new_axes(sheet), sheet=sheet)
    arrows = [patch for patch in ax.patches if isinstance(patch, FancyArrowPatch)]
    unsure = (ECSI_PATHS["lower"] <= 0).tolist()
    assert (
        [arrow.get_linestyle() != "solid" for arrow in arrows]
        == unsure
        == [to_hex(arrow.get_edgecolor()) == AXIS for arrow in arrows]
    )
    widths = pd.Series([arrow.get_linewidth() for arrow in arrows])[~np.array(unsure)]
    sizes = ECSI_PATHS["coefficient"][~np.array(unsure)]
    assert widths.rank().tolist() == sizes.rank().tolist()


def test_a_phone_reads_coefficients_indices_and_explained_shares_as_lists(drawn):
    html = drawn["path_diagram"].html()
    assert "Satisfaction: index 72.5, R² 0.68" in html
    assert texts(drawn["path_diagram"]).count("0.50 (0.38 to 0.62)") == 2


def test_a_construct_that_nothing_explains_has_no_explained_share():
    assert "R²" not in path_diagram(ECSI.drop(columns="r_squared"), ECSI_PATHS, name="p", label="x").html()


# Trend


@pytest.mark.parametrize("sheet", SHEETS)
def test_a_trend_draws_the_frame(sheet, sheet_axes):
    ax = draw_wave_trend(TREND, **sheet_axes(sheet), axis="NPS", write=number_tick)
    line, dots, *_zero = sorted(ax.lines, key=lambda one: len(one.get_xdata()) < 3)
    np.testing.assert_array_equal(line.get_ydata(), TREND["value"])
    np.testing.assert_array_equal(dots.get_ydata(), TREND["value"])
    [spans] = ax.collections
    drawn_spans = [segment[:, 1] for segment in spans.get_segments() if len(segment)]
    np.testing.assert_array_equal(drawn_spans, TREND[["lower", "upper"]][:2])
    assert {"30", "22", "−30", "2025"} <= {text.get_text() for text in ax.texts}


def test_an_axis_cut_above_the_start_of_its_scale_says_so():
    ratings = pd.DataFrame({"label": ["a", "b"], "value": [7.1, 7.4], "lower": [7.0, 7.3], "upper": [7.2, 7.5]})
    cut = wave_trend(ratings, name="t", label="x", axis="mean", write=number_tick, scale_start=1)
    assert "mean; the axis does not start at 1" in texts(cut)
    whole = wave_trend(ratings.assign(lower=1.0), name="t", label="x", axis="mean", write=number_tick, scale_start=1)
    assert "mean" in texts(whole)


def test_of_many_waves_some_are_named_and_the_last_is():
    many = pd.DataFrame({"label": [f"wave {i}" for i in range(40)], "value": 1.0 * np.arange(40)})
    many = many.assign(lower=np.nan, upper=np.nan)
    wide, _narrow = svgs(wave_trend(many, name="t", label="x", axis="NPS", write=number_tick))
    named = [text.text for text in wide.iter("text") if "wave" in (text.text or "")]
    assert named[-1] == "wave 39"
    assert len(named) < 12


# What they share


@given(st.text(max_size=80), st.floats(20, 300), st.integers(1, 3))
def test_wrapped_lines_fit_and_keep_the_text_until_it_is_cut(text, width, lines):
    sheet = Sheet(NARROW, 100)
    found = wrapped(text, width, sheet, lines=lines)
    assert 1 <= len(found) <= lines
    assert all(text_width(line, sheet) <= max(width, 16.0) for line in found)
    kept = "".join(found).replace(" ", "")
    whole = clean(text).replace(" ", "")
    assert kept == whole or (kept.endswith("…") and whole.startswith(kept[:-1]))


def test_ticks_have_the_digits_they_need():
    assert [number_tick(value) for value in (0.0, 0.25, 0.5)] == ["0", "0.25", "0.5"]
    assert [share_tick(value) for value in (0.0, 0.025, 0.1)] == ["0%", "2.5%", "10%"]
