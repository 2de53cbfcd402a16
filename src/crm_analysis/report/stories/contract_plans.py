"""Plans as segments: what each holds of the worth, how long its contracts last, what to do with its members."""

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError
from crm_analysis.messages import _, count, percent, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.plan_curves import MOST_CURVES
from crm_analysis.report.figures.plan_curves import survival_curves as curves_drawing
from crm_analysis.report.figures.plan_worth import plan_worth
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.membership_survival import membership_survival
from crm_analysis.value.segment_table import segment_table

_MONTHS = (3, 6, 12, 24)


def plans_of(values: ContractValues) -> pd.DataFrame:
    """Return the plans with what their members are worth, as `segment_table`; of one plan its single row.

    Of a customer with contracts of several plans these are one plan of their own, "monthly + yearly".
    """
    plans = values.frame["plan"].rename("plan")
    if len(plans.unique()) > 1:
        return segment_table(values, plans)
    worth, customers = values.total, values.number_of_customers
    row = {
        "customers": customers,
        "share_of_customers": 1.0,
        "value": worth,
        "share_of_value": 1.0 if worth > 0 else np.nan,
        "mean_value": worth / customers,
    }
    return pd.DataFrame([row], index=pd.Index([str(plans.iloc[0])], name="plan"))


def plans_figure(chapter: Chapter, plans: pd.DataFrame, *, number_: int, name: str = "plans") -> Figure | Note:
    """Show which plan holds the worth."""
    if plans["share_of_value"].isna().all():
        return Note(
            _("No shares to show"),
            (_("Serving the members costs more than their margin brings; shares of a total below zero mean nothing."),),
        )
    top = plans.sort_values("value", ascending=False).iloc[0]
    words = {
        "plan": str(top.name),
        "share": percent(top["share_of_value"]),
        "members": percent(top["share_of_customers"]),
    }
    finding = (
        _("{plan} holds {share} of the worth with {members} of the members", **words)
        if len(plans) > 1
        else _("All members are on one plan: {plan}", plan=str(top.name))
    )
    return Figure(
        name=name,
        number=number_,
        finding=finding,
        what=_(
            "Share of the residual value held by the members of each plan; at the right the mean of a member, "
            "{currency}. A difference between plans says nothing of its cause: people chose them.",
            currency=chapter.currency,
        ),
        drawing=plan_worth(plans, label=finding, currency=chapter.currency),
        note=_(
            "{members} members with {worth} of residual value in all.",
            members=count(float(plans["customers"].sum())),
            worth=short_money(float(plans["value"].sum()), chapter.currency),
        ),
    )


def plans_table(chapter: Chapter, values: ContractValues, before: ContractValues | None) -> Table:
    """List the plans: members, fees, worth and the next renewal."""
    frame = plans_of(values).reset_index(names="plan")
    members = values.frame.groupby("plan")
    frame["fee"] = frame["plan"].map(members["fee"].mean())
    frame["renewing"] = frame["plan"].map(members["probability_renewing"].mean())
    frame["payments"] = frame["plan"].map(members["expected_payments"].mean())
    if before is not None:
        earlier = before.frame["plan"].value_counts()
        frame["before"] = frame["plan"].map(earlier).fillna(0)
    best = frame.sort_values("mean_value", ascending=False).iloc[0]
    currency = chapter.currency
    then = (Column("before", _("Then"), kind="count", sortable=False),) if before is not None else ()
    return Table(
        name="plans-table",
        number=0,
        finding=_(
            "A member on {plan} is worth most, {value}",
            plan=best["plan"],
            value=short_money(float(best["mean_value"]), currency),
        ),
        what=_(
            "Fee: what a member pays at the start and at each renewal. Renewing: chance of the next renewal by the "
            "model. Payments: expected within the horizon. Then: members a quarter ago. Who has contracts of several "
            "plans is in a row for these together."
        ),
        frame=frame,
        columns=(
            Column("plan", _("Plan"), kind="text", sortable=False),
            Column("customers", _("Members"), kind="count", sortable=False),
            *then,
            Column("fee", _("Fee"), currency, kind="money", currency=currency, sortable=False),
            Column("renewing", _("Renewing"), "%", kind="percent", digits=1, sortable=False),
            Column("payments", _("Payments"), _("each"), digits=1, sortable=False),
            Column("mean_value", _("Each"), currency, kind="money", currency=currency, digits=0, sortable=False),
            Column("value", _("Worth"), currency, kind="money", currency=currency, digits=0, sortable=False),
        ),
        downloads=chapter.download("plans", frame.set_index("plan")),
    )


def survival_figure(chapter: Chapter, *, number_: int) -> Figure | Note:
    """Show how long contracts last, plan by plan, without a model."""
    frame = chapter.memberships.frame
    by = "plan" if "plan" in frame.columns and len(frame["plan"].dropna().unique()) > 1 else None
    try:
        found = membership_survival(frame, as_of=chapter.as_of, by=by)
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
        drawing=curves_drawing(curves, name="survival", label=finding),
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
