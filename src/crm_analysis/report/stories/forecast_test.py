"""The test of the forecast: the model on weeks it has not seen, group by group, week by week, beside naive rules."""

import pandas as pd

from crm_analysis.messages import _, count, day, percent, plural
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.purchase_tracking import purchase_tracking
from crm_analysis.report.figures.purchases_by_frequency import purchases_by_frequency
from crm_analysis.report.figures.style import MIDDLE
from crm_analysis.report.pieces import Figure
from crm_analysis.report.stories.wording import of_the_sample, tenth_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.backtest_result import Backtest


def frequency_figure(proof: Backtest) -> Figure:
    """Show whether the forecast holds, by repeat purchases before the origin."""
    table = proof.by_frequency
    missed = table[(table["actual"] < table["expected_lower"]) | (table["actual"] > table["expected_upper"])]
    finding = (
        _("No group of customers lies outside what the model expects")
        if missed.empty
        else _(
            "{missed} of {groups} groups of customers lie outside what the model expects",
            missed=count(len(missed)),
            groups=count(len(table)),
        )
    )
    return Figure(
        name="frequency",
        number=3,
        finding=finding,
        what=_(
            "Purchases per customer in the {weeks} weeks after {origin}, by repeat purchases before it. Vertical "
            "lines: 95% interval of the mean of what happened.",
            weeks=count(proof.tracking["held_out"].sum()),
            origin=day(proof.origin),
        ),
        drawing=purchases_by_frequency(table, name="frequency", label=finding),
        note=_(
            "n = {customers} customers: {actual} purchases happened, {expected} were expected. If the model held, all "
            "groups would lie inside what it expects in 95 of 100 such tests. {verdict}",
            customers=count(table["customers"].sum()),
            actual=count(proof.actual),
            expected=count(proof.expected),
            verdict=proof.verdict(),
        )
        + of_the_sample(proof.stands_for),
    )


def tracking_figure(
    proof_tracking: pd.DataFrame,
    facts: dict[str, float | str],
    *,
    number_: int,
    name: str = "tracking",
    width: int = MIDDLE,
) -> Figure:
    """Show actual and expected purchases week by week, fitted and held out."""
    held_out = proof_tracking[proof_tracking["held_out"]]
    actual, expected = float(facts["held_out_actual"]), float(facts["held_out_expected"])
    lower, upper = float(facts["held_out_lower"]), float(facts["held_out_upper"])
    origin = day(proof_tracking.index[~proof_tracking["held_out"]].max().date())
    inside = int(held_out["actual"].between(held_out["lower"], held_out["upper"]).sum())
    share = actual / expected - 1 if expected else float("nan")
    if lower <= actual <= upper:
        finding = _("Purchases of the held-out weeks lie inside what was expected")
    elif share > 0:
        finding = _("Customers bought {share} more than expected in the held-out weeks", share=percent(share))
    else:
        finding = _("Customers bought {share} less than expected in the held-out weeks", share=percent(-share))
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=(
            _(
                "Repeat purchases per week. The model saw customers to {origin} only, and the flow of all orders to "
                "the end.",
                origin=origin,
            )
            if facts.get("given_flow")
            else _("Repeat purchases per week. The model saw the log to {origin} only.", origin=origin)
        ),
        drawing=purchase_tracking(proof_tracking, name=name, label=finding, width=width),
        note=_(
            "Held out: {actual} actual against {expected} expected (95% interval {lower} to {upper}); {inside} of "
            "{weeks} weeks lie inside the weekly band.",
            actual=count(actual),
            expected=count(expected),
            lower=count(lower),
            upper=count(upper),
            inside=count(inside),
            weeks=count(len(held_out)),
        )
        + of_the_sample(float(facts["stands_for"])),
    )


def deciles_table(chapter: Chapter, proof: Backtest) -> Table:
    """Say whether those expected to buy most did buy most."""
    frame = proof.by_decile.reset_index()
    frame["label"] = [tenth_words(tenth) for tenth in frame["decile"]]
    total = {
        column: float((frame[column] * frame["customers"]).sum() / frame["customers"].sum())
        for column in ("actual", "expected")
    }
    finding = (
        _("Those expected to buy more did buy more, tenth by tenth")
        if frame["actual"].is_monotonic_decreasing
        else _("Those expected to buy more bought more in most tenths, not in all")
        if frame["actual"].corr(frame["expected"], method="spearman") > 0.5
        else _("Those expected to buy more did not buy more")
    )
    return Table(
        name="deciles",
        number=3,
        finding=finding,
        what=_("Customers ranked by expected purchases in the held-out time; purchases per customer.")
        + of_the_sample(proof.stands_for),
        frame=frame,
        columns=(
            Column("label", _("Tenth"), kind="text", sortable=False),
            Column("customers", _("Customers"), kind="count"),
            Column("expected", _("Expected"), _("purchases, each"), digits=2),
            Column("actual", _("Actual"), _("purchases, each"), digits=2),
        ),
        total={"label": _("All"), "customers": frame["customers"].sum(), **total},
    )


def methods_table(chapter: Chapter, proof: Backtest) -> Table:
    """Set the model beside the naive rules."""
    frame = proof.scorecard.xs(proof.origin).reset_index()
    frame["label"] = [_rule_name(method) for method in frame["method"]]
    finding = (
        _("Customer by customer the model misses by less than the naive rules")
        if len(proof.beaten_rules) == int((frame["kind"] == "naive").sum())
        else _("Customer by customer a naive rule does as well")
    )
    return Table(
        name="methods",
        number=2,
        finding=finding,
        what=_("Held-out time after {origin}. Errors in purchases per customer.", origin=day(proof.origin))
        + of_the_sample(proof.stands_for),
        frame=frame,
        columns=(
            Column("label", _("Method"), kind="text", sortable=False),
            Column("expected", _("Expected"), _("purchases"), kind="count"),
            Column("actual", _("Actual"), _("purchases"), kind="count"),
            Column("error", _("Error of the total"), kind="percent", digits=1),
            Column("mae", _("Mean absolute error"), _("each"), digits=2),
            Column("rmse", _("Root mean square error"), _("each"), digits=2),
            Column("top_tenth", _("Top tenth made"), _("of the purchases"), kind="percent", digits=0),
        ),
        downloads=chapter.download("backtest", proof.scorecard),
    )


def choice_table(chapter: Chapter, proof: Backtest) -> Table:
    """Say why this model was chosen: all methods over all dates of the test."""
    frame = proof.comparison.reset_index()
    frame["label"] = [_rule_name(method) for method in frame["method"]]
    origins = proof.scorecard.index.get_level_values("origin").unique()
    models = int((frame["kind"] == "model").sum())
    return Table(
        name="choice",
        number=4,
        finding=(
            _("{model} stands behind this book", model=proof.model_name)
            if models > 1
            else _("{model} was the only model tested", model=proof.model_name)
        ),
        what=_(
            "Means over {tests}; held-out times of {weeks} weeks. The score is the mean log-probability a model gave "
            "beforehand to what each customer then did, nearer 0 is better; ranking is the normalised Gini "
            "coefficient; ranges are meant to hold 90%. {choice}",
            tests=plural("one test date", "{n} test dates", len(origins)),
            weeks=count(proof.tracking["held_out"].sum()),
            choice=proof.choice(),
        ),
        frame=frame,
        columns=(
            Column("label", _("Method"), kind="text", sortable=False),
            Column("log_score", _("Score"), digits=4),
            Column("total_error", _("Error of the total"), kind="percent", digits=1),
            Column("rmse", _("Root mean square error"), _("each"), digits=2),
            Column("mae", _("Mean absolute error"), _("each"), digits=2),
            Column("gini", _("Ranking"), digits=2),
            Column("decile_mape", _("Error by tenth"), kind="percent", digits=0),
            Column("coverage", _("Ranges hold"), kind="percent", digits=0),
        ),
        downloads=chapter.download("comparison", proof.comparison),
    )


def _rule_name(method: str) -> str:
    return {
        "as often as before": _("As often as before"),
        "only recent buyers": _("Only buyers of the last 90 days go on"),
        "same as last period": _("As much as in the period before"),
        "mean of the cohort": _("Each at the mean of those who joined in one month"),
    }.get(method, method)
