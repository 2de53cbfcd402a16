"""What contracts are taken to do: the fit of each plan, its curve beside what was seen, a test on held-out months."""

from collections.abc import Mapping
from datetime import date
from typing import Any

import pandas as pd

from crm_analysis.messages import _, count, day, missing, number, percent, short_money
from crm_analysis.periods import horizon_in_units
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.member_tracking import member_tracking
from crm_analysis.report.figures.plan_curves import MOST_CURVES
from crm_analysis.report.figures.plan_curves import retention_curves as curves_drawing
from crm_analysis.report.figures.style import MIDDLE
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_check import contract_plausibility
from crm_analysis.value.contract_history import values_on
from crm_analysis.value.contract_test import ContractTest, check_renewals
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.plausibility import gupta_lehmann_multiple
from crm_analysis.value.retention_curves import retention_curves

_DRAWS = 200
# Month ends looked at in a test; of a longer one every second, third, ...
_MOST_DATES = 24


def held_out_test(chapter: Chapter) -> ContractTest | None:
    """Value the contracts as they stood before the held-out months, and hold that against what happened since."""
    months = max(1, round(horizon_in_units(chapter.settings.forecast.holdout, "month")))
    origin = chapter.period.shift(-months).last_day
    step = -(-months // _MOST_DATES)
    dates = [chapter.period.shift(-back).last_day for back in range(0, months, step)][::-1]
    table = chapter.memberships
    then = values_on(table, origin, chapter.settings)
    if then is None:
        return None
    seed = chapter.settings.forecast.seed
    test = check_renewals(then, table.frame, dates=dates, draws=_DRAWS, seed=seed)
    # Where no renewal came up there was nothing to foretell.
    return None if (test.tracking["expected"] == test.tracking["expected"].iloc[0]).all() else test


def facts_of_test(test: ContractTest | None) -> dict[str, Any] | None:
    """Return what the overview tells of a test."""
    if test is None:
        return None
    first, last = test.tracking.iloc[0], test.tracking.iloc[-1]
    told = {key: float(last[key]) for key in ("actual", "expected", "lower", "upper")}
    return {"origin": test.origin.isoformat(), "contracts": float(first["actual"]), "holds": test.holds, **told}


def tracking_figure(
    tracking: pd.DataFrame, told: Mapping[str, Any] | None, *, number_: int, name: str = "tracking", width: int = MIDDLE
) -> Figure | Note:
    """Show the contracts of an earlier day against how many were expected to run still."""
    if told is None:
        return Note(
            _("Not yet tested"),
            (
                _(
                    "No contract was running before the held-out months and came up for renewal in them, so the model "
                    "is not tested on any. How many months are held out is set as [forecast] holdout."
                ),
            ),
        )
    words = {
        "contracts": count(told["contracts"]),
        "origin": day(date.fromisoformat(told["origin"])),
        "actual": count(told["actual"]),
        "expected": count(told["expected"]),
        "lower": count(told["lower"]),
        "upper": count(told["upper"]),
    }
    finding = (
        _("Of {contracts} contracts running on {origin}, {actual} still run; {expected} were expected", **words)
        if told["holds"]
        else _(
            "Of {contracts} contracts running on {origin}, {actual} still run, outside of the {lower} to {upper} "
            "expected",
            **words,
        )
    )
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_(
            "Contracts running at the origin that still run, and how many were expected to by the models fitted to "
            "what was known then. None of the months drawn was known to them."
        ),
        drawing=member_tracking(tracking, name=name, label=finding, width=width),
        note=_(
            "n = {contracts} contracts. The band holds 95% of what the model allows: its parameters and the chance of "
            "each renewal ({lower} to {upper} at the end).",
            **words,
        ),
    )


def retention_figure(chapter: Chapter, values: ContractValues, *, number_: int) -> Figure | Note:
    """Show the share of a cohort still there after each renewal, observed and by the model."""
    curves = retention_curves(values, most=MOST_CURVES, draws=_DRAWS, seed=chapter.settings.forecast.seed)
    if curves.empty:
        return Note(
            _("No curve to draw"),
            (_("No contract has come up for renewal yet."),),
        )
    first, later = {}, {}
    for group in curves.index.get_level_values("group").unique():
        seen = curves.loc[group]
        seen = seen[seen["up_for_renewal"] > 0]
        first[group], later[group] = float(seen["retention"].iloc[0]), float(seen["retention"].iloc[-1])
    group = next(iter(first))
    finding = (
        _(
            "{group}: {first} renew the first time, {later} the last time seen; those who leave easily leave first",
            group=group,
            first=percent(first[group]),
            later=percent(later[group]),
        )
        if later[group] > first[group] + 0.005
        else _("{group}: {first} renew each time", group=group, first=percent(first[group]))
    )
    frame = curves.reset_index()
    columns = (
        Column("group", _("Plan"), kind="text", sortable=False),
        Column("renewal", _("Renewal"), kind="count", sortable=False),
        Column("up_for_renewal", _("Up for it"), kind="count", sortable=False),
        Column("observed_retention", _("Renewed"), "%", kind="percent", digits=1, sortable=False),
        Column("retention", _("By the model"), "%", kind="percent", digits=1, sortable=False),
        Column("observed_survival", _("Still there"), "%", kind="percent", digits=1, sortable=False),
        Column("survival", _("By the model"), "%", kind="percent", digits=1, sortable=False),
    )
    shown = frame[(frame["renewal"] > 0) & (frame["renewal"] <= 12)]
    return Figure(
        name="retention",
        number=number_,
        finding=finding,
        what=_(
            "Share of a cohort still there after each renewal. Dots: observed. Dashed line: the shifted beta-geometric "
            "model (Fader and Hardie 2007) with the 95% limits of its parameters. Where the dots end, all is "
            "projection."
        ),
        drawing=curves_drawing(curves, name="retention", label=finding),
        note=_(
            "n = {contracts} contracts in the curves drawn. Observed shares multiply those of each renewal, so that "
            "contracts too young for a renewal do not count for it.",
            contracts=count(float(frame.loc[frame["renewal"] == 1, "up_for_renewal"].sum())),
        ),
        data=Table(
            name="retention-data",
            number=0,
            finding=_("Renewals one by one"),
            what=_("The first twelve renewals; all of them are in the file."),
            frame=shown,
            columns=columns,
            downloads=chapter.download("retention", curves),
            long=True,
        ),
    )


def groups_table(values: ContractValues, *, number_: int) -> Table:
    """List the estimates of each plan, and what each was made from."""
    frame = values.groups.reset_index()
    frame["label"] = [
        "\n".join([str(row.group), _("Renewed after {period}. {words}", period=row.renewal_period, words=row.words)])
        for row in frame.itertuples()
    ]
    # Where all have one chance to leave, its two parameters say nothing by themselves.
    has_two = ~values.groups["one_chance"].astype(bool)
    errors = {str(group): values.fits[str(group)].summary()["standard_error"] for group in values.groups.index[has_two]}
    for name in ("alpha", "beta"):
        frame[name] = [
            f"{number(value, 3)}\u00a0±\u00a0{number(float(errors[group][name]), 3)}" if group in errors else missing()
            for group, value in zip(frame["group"], frame[name], strict=True)
        ]
    fits = [values.fits[str(group)] for group in frame["group"]]
    frame["first"] = [float(fit.retention(1.0)) for fit in fits]
    frame["fifth"] = [float(fit.retention(5.0)) for fit in fits]
    own = int((values.groups["fitted_on"] == "own").sum())
    return Table(
        name="parameters",
        number=number_,
        finding=_("Plans with a model of their own: {own} of {all}", own=count(own), all=count(len(frame))),
        what=_(
            "Shifted beta-geometric model by maximum likelihood: the chance to leave at a renewal differs from member "
            "to member as Beta(alpha, beta), ± standard errors. Renewed: by the model, at the first and at "
            "the fifth renewal."
        ),
        frame=frame,
        columns=(
            Column("label", _("Plan"), kind="text", sortable=False),
            Column("running", _("Running"), kind="count", sortable=False),
            Column("ended", _("Ended"), kind="count", sortable=False),
            Column("alpha", "alpha", sortable=False),
            Column("beta", "beta", sortable=False),
            Column("first", _("Renewed"), _("1st"), kind="percent", digits=1, sortable=False),
            Column("fifth", _("Renewed"), _("5th"), kind="percent", digits=1, sortable=False),
        ),
        long=True,
    )


def plausibility_note(chapter: Chapter, values: ContractValues) -> Note:
    """Hold the headline against the simplest way to value contracts."""
    check, given = contract_plausibility(values), values.assumptions
    title = _("A plausibility check")
    if not check.first_year > 0:
        return Note(title, (_("The first year brings no margin beyond its costs, so no multiple of it can be given."),))
    return Note(
        title,
        (
            _(
                "The running contracts are worth {multiple} times the margin of the payments expected within twelve "
                "months ({year}). The model expects {retention} of them to run in a year. That year's margin, repeated "
                "at this one retention rate within {horizon}, makes {simple}, or {times} times the year.",
                multiple=number(check.multiple, 2),
                year=short_money(check.first_year, chapter.currency),
                retention=percent(check.retention),
                horizon=horizon_words(given.horizon, given.time_unit),
                simple=short_money(check.by_retention, chapter.currency),
                times=number(check.multiple_by_retention, 2),
            ),
            _(
                "Over all of the future a contract kept at {retention} a year would be worth {infinite} yearly margins "
                "(Gupta and Lehmann 2003). One rate for all lets loyal members go too fast; a figure of the model "
                "several times as high, or below it, would want an explanation.",
                retention=percent(check.retention),
                infinite=number(
                    gupta_lehmann_multiple(check.retention, given.annual_discount_rate, first_margin_now=True)
                    / (1 + given.annual_discount_rate) ** 0.5,
                    2,
                ),
            ),
        ),
    )
