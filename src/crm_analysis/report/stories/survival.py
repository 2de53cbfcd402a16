"""How long contracts last, without a model: the same figure for a club and for a shop that has memberships too."""

import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.messages import _, count, percent
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.plan_curves import MOST_CURVES, survival_curves
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.membership_survival import membership_survival

_MONTHS = (3, 6, 12, 24)


def survival_figure(chapter: Chapter, memberships: pd.DataFrame, *, number_: int = 0) -> Figure | Note:
    """Show how long contracts last, plan by plan, without a model."""
    by = "plan" if "plan" in memberships.columns and len(memberships["plan"].dropna().unique()) > 1 else None
    try:
        found = membership_survival(memberships, as_of=chapter.as_of, by=by)
    except DataError as error:
        return Note(_("Contracts cannot be followed"), (why_refused(error),))
    groups = found.groups.sort_values("memberships", ascending=False)
    if not groups["ended"].sum():
        return Note(_("No contract has ended yet"), (_("How long contracts last is seen once some of them end."),))
    curves = found.curves.loc[groups.index[:MOST_CURVES]]
    groups = groups.reset_index()
    for months in _MONTHS:
        groups[f"after_{months}"] = groups["group"].map(found.survival(months))
    groups["label"] = [_("All") if by is None else str(one) for one in groups["group"]]
    year = groups.iloc[0]
    finding = (
        found.test.verdict().rstrip(".")
        if found.test is not None
        else _("{share} still run after twelve months", share=percent(year["after_12"]))
        if year["after_12"] == year["after_12"]
        else _("How long contracts last")
    )
    return Figure(
        name="survival",
        number=number_,
        finding=finding,
        what=_(
            "Share of contracts still running so many months after they began (Kaplan and Meier; running ones counted "
            "as such). Nothing is known beyond the oldest contract of a plan, where its curve ends."
        ),
        drawing=survival_curves(curves, name="survival", label=finding),
        note=_(
            "n = {contracts} contracts, {ended} of them ended. A plan compares who chose it.",
            contracts=count(float(groups["memberships"].sum())),
            ended=count(float(groups["ended"].sum())),
        ),
        data=Table(
            name="survival-data",
            number=0,
            finding=_("How long contracts last, in months"),
            what=_("Half ended: the time by which half have; infinite where so many never ended while seen."),
            frame=groups,
            columns=(
                Column("label", _("Plan"), kind="text", sortable=False),
                Column("memberships", _("Contracts"), kind="count", sortable=False),
                Column("ended", _("Ended"), kind="count", sortable=False),
                Column("median", _("Half ended after"), _("months"), digits=1, sortable=False),
                *(
                    Column(f"after_{n}", _("After {months}", months=n), "%", kind="percent", digits=0, sortable=False)
                    for n in _MONTHS
                ),
            ),
            downloads=chapter.download("survival", found.curves),
        ),
    )
