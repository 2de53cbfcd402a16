"""What would raise the asset: levers one by one, named scenarios, and a plausibility check of the headline."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, number, percent, short_money, signed
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.changes import levers as levers_drawing
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.plausibility import gupta_lehmann_multiple, plausibility_check
from crm_analysis.value.sensitivity import LEVERS, Change, equity_if, scenario_table, tornado

_STEP = 0.10


def levers_figure(chapter: Chapter, equity: CustomerEquity, *, number_: int) -> Figure | Note:
    """Show how far each lever moves equity."""
    table = tornado(equity, step=_STEP) if np.isfinite(equity.total) and equity.total else None
    kept = _("What is known of each customer stays too: only the time to come is lived in another way.")
    return moved_by_levers(chapter, table, names=LEVERS, kept=kept, number_=number_)


def moved_by_levers(
    chapter: Chapter, table: pd.DataFrame | None, *, names: Mapping[str, str], kept: str, number_: int
) -> Figure | Note:
    """Show a table of levers, of purchases or of contracts; `kept` says what stays as it is beside what is moved."""
    if table is None:
        return Note(_("No levers to show"), (_("Equity is infinite or nothing, so shares of it mean nothing."),))
    labels = [f"{_(names[str(lever)])}, {_moved(str(lever), row)}" for lever, row in table.iterrows()]
    # How far to look and at what rate is chosen, not worked for.
    widest = table.drop(["horizon", "discount_rate"], errors="ignore").iloc[0]
    finding = _(
        "{lever}, {moved}, moves equity by {down} to {up}",
        lever=_(names[str(widest.name)]),
        moved=_moved(str(widest.name), widest),
        down=signed(short_money(widest["down"], chapter.currency), widest["down"]),
        up=signed(short_money(widest["up"], chapter.currency), widest["up"]),
    )
    frame = table.assign(label=labels)
    data = Table(
        name="levers-data",
        number=0,
        finding=_("Levers and their elasticities"),
        what=_(
            "Elasticity: percent of equity for one percent of the lever (for retention, for one percent less chance to "
            "leave)."
        ),
        frame=frame.reset_index(drop=True),
        columns=(
            Column("label", _("Lever"), kind="text"),
            Column("down", _("Moved down"), kind="money", currency=chapter.currency, digits=0),
            Column("up", _("Moved up"), kind="money", currency=chapter.currency, digits=0),
            Column("elasticity", _("Elasticity"), digits=2),
        ),
        downloads=chapter.download("equity-levers", table),
    )
    return Figure(
        name="levers",
        number=number_,
        finding=finding,
        what=_(
            "Change of equity when one lever is moved and all else stays, {currency}; widest first. {kept}",
            currency=chapter.currency,
            kept=kept,
        ),
        drawing=levers_drawing(frame, name="levers", label=finding, currency=chapter.currency),
        note=_(
            "Arithmetic of the model, not a promise: it does not say what would move a lever, or what that would cost."
        ),
        data=data,
    )


def _all_future(retention: float, annual_discount_rate: float) -> float:
    """Yearly margins in all of the future, each in the middle of its year, the first of them certain."""
    multiple = gupta_lehmann_multiple(retention, annual_discount_rate, first_margin_now=True)
    return multiple / (1 + annual_discount_rate) ** 0.5


def _moved(lever: str, row: pd.Series) -> str:
    """Say from what to what a lever is moved."""
    if lever in ("margin", "discount_rate"):
        return _("{low} to {high}", low=percent(row["low"], 1), high=percent(row["high"], 1))
    if lever == "horizon":
        return _("{low} to {high} months", low=number(row["low"], 0), high=number(row["high"], 0))
    low, high = (signed(percent(row[end], 0), row[end]) for end in ("low", "high"))
    return _("{low} to {high}", low=low, high=high)


def scenarios_table(chapter: Chapter, equity: CustomerEquity) -> Table | Note:
    """Value the scenarios of the settings."""
    wanted = chapter.settings.scenarios
    if not wanted:
        return Note(
            _("No scenarios are set"),
            (_('Name some in crm.toml, such as [scenarios."Fewer leave"] with leaving = -0.1, and they appear here.'),),
        )
    changes, refused = {}, []
    for name, one in wanted.items():
        try:
            changes[name] = Change(**one.model_dump())
            equity_if(equity, changes[name])
        except SettingsError as error:  # a lever that this model does not have
            changes.pop(name, None)
            refused.append(f"{name}: {error}")
    if not changes:
        return Note(_("No scenario could be valued"), tuple(refused))
    table = scenario_table(equity, changes)
    labels = [_("As it is") if name == "" else str(name) for name in table.index]
    best = str(table["change"].iloc[1:].idxmax())
    gain = float(table["relative_change"][best])
    finding = _(
        "{scenario} would make it {total}, {change}",
        scenario=best,
        total=short_money(float(table["total"][best]), chapter.currency),
        change=signed(percent(gain), gain),
    )
    future = () if equity.future is None else ("potential", "acquisition_cost")
    titles = {
        "current": _("Current customers"),
        "potential": _("Future customers, gross"),
        "acquisition_cost": _("Cost of acquiring them"),
        "total": _("Customer equity"),
        "change": _("Change"),
    }
    return Table(
        name="scenarios",
        number=0,
        finding=finding,
        what=" ".join(
            [
                _("Futures named in the settings, each beside equity as it is; what they would cost is not in them."),
                *refused,
            ]
        ),
        frame=table.assign(label=labels).reset_index(drop=True),
        columns=(
            Column("label", _("Scenario"), kind="text", sortable=False),
            *(
                Column(key, titles[key], kind="money", currency=chapter.currency, digits=0, sortable=False)
                for key in ("current", *future, "total", "change")
            ),
            Column("relative_change", _("Change"), "%", kind="percent", digits=1, sortable=False),
        ),
        downloads=chapter.download("equity-scenarios", table.set_axis(labels, axis=0)),
    )


def plausibility_note(chapter: Chapter, equity: CustomerEquity) -> Note:
    """Hold the headline against the simplest way to value a base."""
    check, given = plausibility_check(equity), equity.values.assumptions
    if not check.first_year > 0:
        return Note(
            _("A plausibility check"),
            (_("The first year brings no margin beyond its costs, so no multiple of it can be given."),),
        )
    return Note(
        _("A plausibility check"),
        (
            _(
                "The current base is worth {multiple} times the margin expected of the next twelve months ({year}). "
                "The model expects {retention} of those who are customers now to be there in a year. That year's "
                "margin, repeated at this one retention rate within {horizon}, makes {simple}, or {times} times the "
                "year.",
                multiple=number(check.multiple, 2),
                year=short_money(check.first_year, chapter.currency),
                retention=percent(check.retention),
                horizon=horizon_words(given.horizon, given.time_unit),
                simple=short_money(check.by_retention, chapter.currency),
                times=number(check.multiple_by_retention, 2),
            ),
            _(
                "Over all of the future a customer kept at {retention} a year would be worth {infinite} yearly margins "
                "(Gupta and Lehmann 2003). One rate for all lets loyal customers go too fast; a figure of the model "
                "several times as high, or below it, would want an explanation.",
                retention=percent(check.retention),
                infinite=number(_all_future(check.retention, given.annual_discount_rate), 2),
            ),
        ),
    )
