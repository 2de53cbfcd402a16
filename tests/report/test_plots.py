"""Plots draw their frames onto any Axes, name axes, units and model, and wear the colours of the book."""

import re

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex

from crm_analysis.report import plots
from crm_analysis.report.figures.style import BAND, DATA, HELD_OUT, MODEL, ROLES
from crm_analysis.report.plots.canvas import colours
from crm_analysis.report.templates import style_sheet

MISSING = [np.nan] * 3


def named(frame: pd.DataFrame, **what: object) -> pd.DataFrame:
    frame.attrs |= {"model": "BG/NBD", "time_unit": "week"} | what
    return frame


def tracking() -> pd.DataFrame:
    columns = {
        "actual": [10.0, 40, 30, 25, 28, 20],
        "expected": [12.0, 35, 32, 24, 22, 21],
        "lower": [*MISSING, 20, 19, 18],
        "upper": [*MISSING, 29, 26, 25],
        "held_out": [False, False, False, True, True, True],
    }
    return named(pd.DataFrame(columns, index=pd.date_range("1997-09-09", periods=6, freq="7D", name="week_ending")))


def cumulative() -> pd.DataFrame:
    weekly = tracking()
    columns = {"actual": weekly["actual"].cumsum(), "expected": weekly["expected"].cumsum()}
    limits = {"lower": [*MISSING, np.nan, np.nan, 140], "upper": [*MISSING, np.nan, np.nan, 152]}
    return named(pd.DataFrame(columns | limits | {"held_out": weekly["held_out"]}))


def frequency() -> pd.DataFrame:
    columns = {"actual": [1411, 439, 64], "expected": [1407.7, 460.3, 71.9], "lower": [1361, 422, 55]}
    columns |= {"upper": [1454, 499, 89]}
    return named(pd.DataFrame(columns, index=pd.Index(["0", "1", "2+"], name="repeat_purchases")))


def holdout(known: str = "repeat_purchases") -> pd.DataFrame:
    columns = {"customers": [1411, 439], "actual": [0.25, 0.78], "lower": [0.2, 0.7], "upper": [0.3, 0.9]}
    return named(pd.DataFrame(columns | {"expected": [0.2, 0.6]}, index=pd.Index(["0", "0–6"], name=known)))


def spend() -> pd.DataFrame:
    columns = {"left": [0.0, 10, 15], "right": [10.0, 15, np.inf], "observed": [0.1, 0.6, 0.3]}
    return named(pd.DataFrame(columns | {"expected": [0.15, 0.5, 0.35]}), model="Gamma-Gamma")


def gaps() -> pd.DataFrame:
    columns = {"observed": [0.5, 0.3], "expected": [0.45, 0.32], "lower": [0.4, 0.3], "upper": [0.5, 0.34]}
    return named(pd.DataFrame(columns, index=pd.IntervalIndex.from_breaks([0.0, 2, 4], closed="left", name="gap")))


def timing() -> pd.DataFrame:
    days = pd.to_datetime(["1997-03-01", "1997-05-05", "1997-01-07", "1997-01-09", "1998-02-03"])
    frame = pd.DataFrame({"customer_id": ["b", "b", "a", "a", "a"], "row": [0, 0, 1, 1, 1], "order_date": days})
    frame.attrs["as_of"] = pd.Timestamp("1998-06-30").date()
    return frame


def matrix(quantity: str = "expected_purchases") -> pd.DataFrame:
    values = [[0.2, np.nan, np.nan], [np.nan, 0.3, 0.7], [np.nan, 0.1, 0.9]]
    frame = pd.DataFrame(values, index=pd.Index(range(3), name="frequency"), columns=pd.Index(range(3), name="recency"))
    return named(frame, quantity=quantity, T=39.0, horizon=52.2)


def alive() -> pd.DataFrame:
    columns = {"purchase": [True, False, True, False], "probability_alive": [1.0, 0.9, 0.95, 0.8]}
    columns |= {"lower": [1.0, 0.85, 0.9, 0.7], "upper": [1.0, 0.95, 0.97, 0.9]}
    return named(pd.DataFrame(columns, index=pd.date_range("1997-01-01", periods=4)), customer_id="00767")


def newcomer() -> pd.DataFrame:
    columns = {"expected": [0.0, 0.1, 0.2], "lower": [0.0, 0.08, 0.17], "upper": [0.0, 0.12, 0.23]}
    return named(pd.DataFrame(columns, index=pd.Index([0.0, 1, 2], name="time_since_first_purchase")))


def shares(quantity: str = "purchase_rate") -> pd.DataFrame:
    columns = {"share": [0.6, 0.3], "lower": [0.5, 0.25], "upper": [0.65, 0.35]}
    classes = pd.IntervalIndex.from_breaks([0.0, 0.5, 1.0], closed="left", name=quantity)
    return named(pd.DataFrame(columns, index=classes), quantity=quantity, mean=0.25)


def residual() -> pd.DataFrame:
    frame = pd.DataFrame({20.0: [1.5, 1.4, 0.9], 60.0: [2.6, 4.6, 6.4]}, index=pd.Index([1, 2, 3], name="frequency"))
    return named(frame, T=78.0)


PLOTS = {
    "plot_purchase_tracking": (tracking, {}),
    "plot_cumulative_tracking": (cumulative, {}),
    "plot_frequency_distribution": (frequency, {}),
    "plot_holdout_purchases": (holdout, {}),
    "plot_spend_distribution": (spend, {"currency": "USD"}),
    "plot_purchase_gaps": (gaps, {}),
    "plot_timing_patterns": (timing, {}),
    "plot_frequency_recency_matrix": (matrix, {}),
    "plot_alive_history": (alive, {}),
    "plot_new_customer_purchases": (newcomer, {}),
    "plot_heterogeneity": (shares, {}),
    "plot_residual_by_frequency": (residual, {}),
}
every_plot = pytest.mark.parametrize("name", PLOTS)


@pytest.fixture(autouse=True)
def no_windows():
    with mpl.rc_context({"backend": "Agg"}):
        yield
        plt.close("all")


def draw(name: str, frame: pd.DataFrame | None = None, **options: object):
    make, needed = PLOTS[name]
    return getattr(plots, name)(make() if frame is None else frame, **needed, **options)


def words(ax) -> set[str]:
    """Every word that is seen on an Axes."""
    found = {text.get_text() for text in ax.findobj(mpl.text.Text)}
    return {text for text in found if text}


def line(ax, role: str):
    return next(one for one in ax.lines if one.get_color() == colours()[role])


def bars(ax, role: str) -> list:
    wanted = colours()[role]
    return [one for one in ax.patches if to_hex(one.get_facecolor()) == wanted and one.get_height() > 0]


# --- what every plot keeps --------------------------------------------------------------------------------------


def test_every_public_plot_is_tested_here():
    assert set(plots.__all__) == set(PLOTS)


@every_plot
def test_a_plot_draws_on_the_axes_it_is_given(name):
    figure, ax = plt.subplots(figsize=(9, 5))
    assert draw(name, ax=ax) is ax
    assert figure.axes == [ax]


@every_plot
def test_a_plot_without_axes_makes_a_figure_of_its_own(name):
    ax = draw(name)
    assert ax.get_figure().number in plt.get_fignums()


@every_plot
def test_a_plot_leaves_its_frame_alone(name):
    frame = PLOTS[name][0]()
    before, labels = frame.copy(), dict(frame.attrs)
    draw(name, frame)
    pd.testing.assert_frame_equal(frame, before)
    assert frame.attrs == labels


@every_plot
def test_no_placeholder_colour_is_left(name):
    ax = draw(name)
    ax.get_figure().canvas.draw()
    placeholders, seen = set(ROLES), set()
    for artist in ax.findobj():
        for part in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
            if hasattr(artist, f"get_{part}"):
                rgba = mpl.colors.to_rgba_array(getattr(artist, f"get_{part}")())
                seen |= {to_hex(colour) for colour in rgba}
    assert len(seen) > 2
    assert not seen & placeholders


@every_plot
@pytest.mark.parametrize("width", [9, 3.5], ids=["wide", "narrow"])
def test_a_plot_names_its_model(name, width):
    _figure, ax = plt.subplots(figsize=(width, 4))
    draw(name, ax=ax)
    model = PLOTS[name][0]().attrs.get("model")
    assert model is None or any(text.startswith(model) for text in words(ax))


@every_plot
def test_a_plot_leaves_the_settings_of_the_user_alone(name):
    before = dict(mpl.rcParams)
    figure, ax = plt.subplots(dpi=123)
    draw(name, ax=ax)
    assert figure.dpi == 123
    assert dict(mpl.rcParams) == before


@every_plot
def test_a_plot_looks_the_same_whatever_the_style_of_the_user(name):
    sheets = []
    for style in ("default", "dark_background"):
        with plt.style.context(style):
            ax = draw(name)
        sheets.append((ax.get_facecolor(), {to_hex(text.get_color()) for text in ax.findobj(mpl.text.Text)}))
        sheets[-1] += (ax.xaxis.label.get_size(), [spine.get_visible() for spine in ax.spines.values()])
    assert sheets[0] == sheets[1]


@every_plot
def test_words_fit_on_narrow_axes(name):
    _figure, ax = plt.subplots(figsize=(3.5, 3.5), dpi=72)
    draw(name, ax=ax)
    lines = [row for text in (ax.get_title(loc="left"), ax.get_xlabel()) for row in text.splitlines()]
    assert lines
    assert max(len(row) for row in lines) * 6 <= ax.bbox.width + 6


def test_the_colours_are_those_of_the_page():
    tokens = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", style_sheet().split("}")[0]))
    seen = colours()
    assert set(seen) == set(ROLES)
    assert (seen[DATA], seen[MODEL]) == (tokens["data"], tokens["model"])
    assert (seen[BAND], seen[HELD_OUT]) == (tokens["model-wash"], tokens["wash"])


def test_the_words_of_a_plot_come_from_the_catalogue(monkeypatch):
    monkeypatch.setattr("crm_analysis.report.plots.proof._", lambda text, **values: f"<{text}>")
    assert draw("plot_frequency_distribution").get_ylabel() == "<customers>"


# --- what each plot shows ---------------------------------------------------------------------------------------


def test_tracking_draws_actual_and_expected():
    ax = draw("plot_purchase_tracking")
    np.testing.assert_array_equal(line(ax, DATA).get_ydata(), tracking()["actual"])
    np.testing.assert_array_equal(line(ax, MODEL).get_ydata(), tracking()["expected"])
    assert ax.get_ylabel() == "repeat purchases a week"


def test_tracking_of_a_backtest_needs_no_name():
    frame = tracking()
    frame.attrs.clear()
    assert "BG/NBD" not in words(draw("plot_purchase_tracking", frame))


def test_cumulative_tracking_draws_the_interval_of_the_total_at_its_end():
    ax = draw("plot_cumulative_tracking")
    np.testing.assert_array_equal(line(ax, MODEL).get_ydata(), cumulative()["expected"])
    ends = [segment[:, 1].tolist() for lines in ax.collections for segment in getattr(lines, "get_segments", list)()]
    assert [140.0, 152.0] in ends
    assert ax.get_ylabel().startswith("repeat purchases so far")


def test_frequency_draws_bars_and_the_limits_of_chance():
    ax = draw("plot_frequency_distribution")
    assert [bar.get_height() for bar in bars(ax, DATA)] == frequency()["actual"].tolist()
    bands = [(bar.get_y(), bar.get_y() + bar.get_height()) for bar in bars(ax, BAND)]
    assert bands == list(zip(frequency()["lower"], frequency()["upper"], strict=True))
    assert [text.get_text() for text in ax.get_xticklabels()] == ["0", "1", "2+"]


def test_held_out_purchases_say_what_was_known_before():
    assert draw("plot_holdout_purchases").get_xlabel() == "repeat purchases before"
    by_recency = draw("plot_holdout_purchases", holdout("recency"))
    assert by_recency.get_xlabel() == "weeks from the first to the last purchase before"


def test_spend_draws_the_classes_and_names_the_currency():
    ax = draw("plot_spend_distribution")
    assert [bar.get_height() for bar in bars(ax, DATA)] == spend()["observed"].tolist()
    assert ax.get_xlabel() == "mean value of a repeat order, US dollars"
    assert {"customers", "expected"} <= words(ax)


def test_gaps_draw_what_was_seen_and_what_was_expected():
    ax = draw("plot_purchase_gaps")
    assert [bar.get_height() for bar in bars(ax, DATA)] == gaps()["observed"].tolist()
    assert ax.get_xlabel() == "weeks between two purchases"
    assert "expected, 95% limits" in words(ax)


def test_gaps_without_a_model_draw_bars_alone():
    frame = gaps()
    frame[["expected", "lower", "upper"]] = np.nan
    del frame.attrs["model"]
    ax = draw("plot_purchase_gaps", frame)
    assert ax.get_legend() is None
    assert len(bars(ax, DATA)) == 2


def test_timing_draws_a_dot_a_purchase_and_a_line_a_customer():
    ax = draw("plot_timing_patterns")
    assert ax.lines[0].get_ydata().tolist() == [0, 0, 1, 1, 1]
    assert len(ax.collections[0].get_segments()) == 2


def test_a_matrix_draws_its_cells_frequency_to_the_right_recency_upwards():
    ax = draw("plot_frequency_recency_matrix")
    cells = ax.collections[0].get_array()
    np.testing.assert_array_equal(cells.filled(np.nan), matrix().T)
    assert ax.get_xlabel() == "repeat purchases"
    assert "weeks from the first to the last purchase" in words(ax)
    assert ax.get_ylabel() == "expected purchases in the next 52.2 weeks; observed for 39 weeks"


def test_a_matrix_of_chances_has_heights_in_percent():
    ax = draw("plot_frequency_recency_matrix", matrix("probability_alive"))
    assert ax.get_ylabel().startswith("probability to be a customer still")
    assert {"50%", "70%"} & words(ax)


def test_a_level_matrix_says_its_height():
    frame = matrix("probability_alive").mask(lambda cells: cells.notna(), 1.0)
    assert "100%" in words(draw("plot_frequency_recency_matrix", frame))


def test_a_history_draws_the_chance_and_marks_the_purchases():
    ax = draw("plot_alive_history")
    np.testing.assert_array_equal(line(ax, MODEL).get_ydata(), alive()["probability_alive"])
    marks = [len(one.get_segments()) for one in ax.collections if to_hex(one.get_edgecolor()[0]) == colours()[DATA]]
    assert marks == [2]
    assert "customer 00767" in ax.get_ylabel()


@pytest.mark.parametrize("name", ["plot_alive_history", "plot_new_customer_purchases", "plot_heterogeneity"])
def test_a_fit_without_covariance_has_no_band(name):
    frame = PLOTS[name][0]()
    frame[["lower", "upper"]] = np.nan
    draw(name, frame).get_figure().canvas.draw()


def test_the_curve_of_a_new_customer_names_its_unit():
    ax = draw("plot_new_customer_purchases")
    np.testing.assert_array_equal(line(ax, MODEL).get_ydata(), newcomer()["expected"])
    assert ax.get_xlabel() == "weeks since the first purchase"


@pytest.mark.parametrize(
    ("quantity", "label", "mean"),
    [
        ("purchase_rate", "purchases a week, while a customer", "mean 0.25"),
        ("dropout_rate", "rate of leaving, a week", "mean 0.25"),
        ("dropout_at_purchase", "chance to leave at a purchase", "mean 25%"),
        ("purchase_at_opportunity", "chance to buy at an opportunity, while a customer", "mean 25%"),
        ("dropout_at_opportunity", "chance to leave before an opportunity", "mean 25%"),
    ],
)
def test_heterogeneity_says_of_what(quantity, label, mean):
    ax = draw("plot_heterogeneity", shares(quantity))
    assert [bar.get_height() for bar in bars(ax, BAND)] == shares()["share"].tolist()
    assert ax.get_xlabel() == label
    assert mean in words(ax)


def test_residual_value_draws_a_line_a_recency_with_its_name():
    ax = draw("plot_residual_by_frequency")
    drawn = np.column_stack([one.get_ydata() for one in ax.lines])
    np.testing.assert_array_equal(drawn, residual())
    assert {"week 20", "week 60"} <= words(ax)
    assert ax.get_xlabel() == "repeat purchases in 78 weeks"
