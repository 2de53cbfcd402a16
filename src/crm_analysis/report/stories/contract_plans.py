"""Plans as segments: what each holds of the worth, what its members pay, and how many there are."""

import numpy as np
import pandas as pd

from crm_analysis.messages import _, count, percent, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.plan_worth import plan_worth
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.segment_table import segment_table


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
