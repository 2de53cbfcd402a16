"""Renewals and losses: what comes up for renewal, with worth and chance, and what was lost on the bases that apply."""

from datetime import timedelta
from typing import Any

import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.errors import DataError
from crm_analysis.messages import N_, _, count, day, percent, plural, short_money
from crm_analysis.periods import months_after
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.pieces import Note
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_churn import contract_churn
from crm_analysis.value.contract_period import with_fees
from crm_analysis.value.contract_values import ContractValues

DUE_DAYS = 90
_ROWS = 15
_MONTHS_BACK = 3

_MEASURES = {
    "members": N_("Members, by contract"),
    "renewals": N_("Renewals due"),
    "recurring_fees": N_("Fees a year"),
    "to_rival": N_("Lost to a named rival"),
}


def renewals_due(values: ContractValues, days: int = DUE_DAYS) -> pd.DataFrame:
    """Return the running contracts whose next renewal comes within some days, the next of each alone."""
    contracts = values.contracts
    last = pd.Timestamp(values.as_of) + pd.Timedelta(days=days)
    return contracts[contracts["running"] & (contracts["next_renewal"] <= last)]


def due_table(chapter: Chapter, values: ContractValues) -> Table | Note:
    """Say what comes up for renewal in the next ninety days, by plan and stretch of thirty days."""
    due = renewals_due(values)
    if due.empty:
        return Note(
            _("No renewals near"),
            (_("No contract comes up for renewal within {days} days.", days=count(DUE_DAYS)),),
        )
    ahead = (due["next_renewal"] - pd.Timestamp(values.as_of)).dt.days
    stretch = (ahead - 1).clip(lower=0) // 30
    parts = due.assign(stretch=stretch, leaving=1 - due["probability_renewing"]).groupby(["stretch", "plan"])
    frame = parts.agg(
        contracts=("fee", "size"),
        chance=("probability_renewing", "mean"),
        renewing=("probability_renewing", "sum"),
        fees=("fee", "sum"),
        worth=("residual_value", "sum"),
    ).reset_index()
    fees_expected = due["fee"] * due["probability_renewing"]
    frame["expected"] = fees_expected.groupby([stretch, due["plan"]]).sum().to_numpy()
    frame["when"] = [
        _("{first} to {last} days", first=int(n) * 30 + 1, last=int(n) * 30 + 30) for n in frame["stretch"]
    ]
    frame["label"] = frame["plan"].astype(str) + "\n" + frame["when"]
    currency = chapter.currency
    plain: dict[str, Any] = {"kind": "money", "currency": currency, "digits": 0, "sortable": False}
    return Table(
        name="due",
        number=0,
        finding=_(
            "{due} contracts come up for renewal within {days} days; {renewing} are expected to renew, for {fees}",
            due=count(len(due)),
            days=count(DUE_DAYS),
            renewing=count(float(due["probability_renewing"].sum())),
            fees=short_money(float(fees_expected.sum()), currency),
        ),
        what=_(
            "The next renewal of each running contract up to {day}; contracts renewed more than once by then count "
            "once. Chance: mean of the model, given the renewals each has made. Worth: residual value within the "
            "horizon, in which the chance to leave is counted already.",
            day=day(values.as_of + timedelta(days=DUE_DAYS)),
        ),
        frame=frame,
        columns=(
            Column("label", _("Plan, renewal in"), kind="text", sortable=False),
            Column("contracts", _("Contracts"), kind="count", sortable=False),
            Column("chance", _("Chance"), "%", kind="percent", digits=1, sortable=False),
            Column("renewing", _("Renewing"), _("expected"), kind="count", sortable=False),
            Column("fees", _("Fees due"), currency, **plain),
            Column("expected", _("Fees expected"), currency, **plain),
            Column("worth", _("Worth"), currency, **plain),
        ),
        downloads=chapter.download("renewals-due", frame.drop(columns=["label"]).set_index(["stretch", "plan"])),
    )


def due_members_table(chapter: Chapter, values: ContractValues) -> Table | Note:
    """Name the members of most worth whose renewal is near."""
    due = renewals_due(values)
    if due.empty:
        return Note(_("Nobody to call"), (_("No member has a renewal near."),))
    # What is at stake is what the model expects to be lost by those who do not renew now.
    stake = due["residual_value"] * (1 / due["probability_renewing"].clip(lower=1e-9) - 1)
    found = due.assign(stake=stake).sort_values("stake", ascending=False)
    shown = found.head(_ROWS)
    frame = shown.assign(member=chapter.names(pd.Index(shown["customer_id"]))).reset_index(drop=True)
    currency = chapter.currency
    plain: dict[str, Any] = {"kind": "money", "currency": currency, "digits": 0, "sortable": False}
    named = found.assign(member=chapter.names(pd.Index(found["customer_id"])))
    keep = ["plan", "next_renewal", "periods", "probability_renewing", "fee", "residual_value", "stake"]
    return Table(
        name="due-members",
        number=0,
        finding=plural(
            "{n} member with most at stake at a renewal near",
            "{n} members with most at stake at a renewal near",
            len(frame),
        ),
        what=_(
            "At stake: what the contract would be worth more if its next renewal were sure. That a member is on this "
            "list does not say that a call would help."
        ),
        frame=frame,
        columns=(
            Column("member", _("Member"), kind="code", sortable=False),
            Column("plan", _("Plan"), kind="text", sortable=False),
            Column("next_renewal", _("Renewal on"), kind="day", sortable=False),
            Column("periods", _("Renewed"), _("times"), kind="count", sortable=False),
            Column("probability_renewing", _("Chance"), "%", kind="percent", digits=1, sortable=False),
            Column("residual_value", _("Worth"), currency, **plain),
            Column("stake", _("At stake"), currency, **plain),
        ),
        downloads=chapter.download("renewals-due-members", named.set_index("member")[keep]),
    )


def churn_table(chapter: Chapter) -> Table | Note:
    """Put what was lost since a quarter ago side by side, on the bases that apply."""
    memberships = with_fees(chapter.memberships.frame, chapter.settings)
    start = months_after(chapter.as_of, -_MONTHS_BACK)
    if not (memberships["started_on"] <= pd.Timestamp(start)).any():
        return Note(_("No churn to tell"), (_("There were no members a quarter ago."),))
    exits = open_side_table(chapter.settings, "exits", as_of=chapter.as_of)
    refused = ""
    try:
        rates = contract_churn(
            memberships, start=start, end=chapter.as_of, exits=None if exits is None else exits.frame
        )
    except DataError as error:  # a table beside the contracts must not stop the book
        refused = why_refused(error)
        rates = contract_churn(memberships, start=start, end=chapter.as_of)
    frame = rates.reset_index()
    frame["label"] = [
        f"{_(_MEASURES[measure])}\n{words}"
        for measure, words in zip(frame["measure"], frame["definition"], strict=True)
    ]
    known = frame["rate"].notna()
    why = " ".join(dict.fromkeys(str(note) for note in frame.loc[~known, "note"] if note))
    remarks = " ".join(dict.fromkeys(str(note) for note in frame.loc[known, "note"] if note))
    rate = frame.set_index("measure")["rate"]
    finding = (
        _(
            "Since {day} {members} of the members were lost, with {fees} of the fees a year",
            day=day(start),
            members=percent(float(rate["members"])),
            fees=percent(float(rate["recurring_fees"])),
        )
        if rate["members"] == rate["members"] and rate["recurring_fees"] == rate["recurring_fees"]
        else _("Churn since {day}", day=day(start))
    )
    return Table(
        name="churn",
        number=0,
        finding=finding,
        what=_(
            "Share of what was there on {day} that is there no longer, with its 95% interval, and what that makes over "
            "a year. {remarks} {why}",
            day=day(start),
            remarks=remarks,
            why=f"{why} {refused}".strip(),
        ),
        frame=frame[known],
        columns=(
            Column("label", _("What is counted"), kind="text", sortable=False),
            Column("start", _("At the start"), kind="number", digits=0, sortable=False),
            Column("lost", _("Lost"), kind="number", digits=0, sortable=False),
            Column("rate", _("Churn"), "%", kind="percent", digits=1, sortable=False),
            Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
            Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            Column("retention", _("Retention"), "%", kind="percent", digits=1, sortable=False),
            Column("annual_rate", _("Churn a year"), "%", kind="percent", digits=1, sortable=False),
        ),
        downloads=chapter.download("churn", rates),
    )
