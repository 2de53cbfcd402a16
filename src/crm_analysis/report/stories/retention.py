"""Who stays and who is leaving: churn on four bases, cohorts, contracts, early warnings, win-backs, what is at risk."""

import warnings
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.data.summaries import split_calibration_holdout
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import N_, _, count, day, money, number, percent, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.cohort_curve import cohort_curve
from crm_analysis.report.figures.dots import interval_dots
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.stories.survival import survival_figure
from crm_analysis.report.stories.wording import of_the_sample, why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.candidates import refit
from crm_analysis.value.churn import churn_rates
from crm_analysis.value.cohort_retention import cohort_retention
from crm_analysis.value.early_warning import early_warnings
from crm_analysis.value.likely_lost import likely_lost
from crm_analysis.value.risk import equity_at_risk
from crm_analysis.value.win_back import comeback_rates, win_backs

_ROWS = 15
_AT_RISK_DAYS = 90
# Share of a list of the likely lost that should have bought nothing.
_PRECISION = 0.9
_SILENT = (90, 180, 365)
_PERIODS_SHOWN = 13
# The first purchase and two months after it.
_LEAST_PERIODS = 3

_MEASURES = {
    "by_rule": N_("Customers, by the rule"),
    "by_model": N_("Customers, by the model"),
    "members": N_("Members, by contract"),
    "renewals": N_("Renewals due"),
    "share_of_customers": N_("Share of the market's customers"),
    "share_of_revenue": N_("Share of the market's revenue"),
    "margin": N_("Margin"),
    "net_revenue": N_("Revenue, net"),
    "gross_revenue": N_("Revenue, gross"),
    "to_rival": N_("Lost to a named rival"),
}


@dataclass(frozen=True, eq=False)
class Churned:
    """Churn since a quarter ago on four bases.

    Attributes
    ----------
    rates : DataFrame or None
        As `churn_rates` makes it; None where the log does not reach back.
    refused : str
        Why a table beside the log was left out; "" where none was.
    """

    rates: pd.DataFrame | None
    refused: str = ""


def count_churn(chapter: Chapter, divided: Divided) -> Churned:
    """Count who and what was lost since a quarter ago."""
    log, start = chapter.valued_log, divided.since
    if log.first_date is None or log.first_date > start:
        return Churned(None)
    settings = chapter.settings
    tables = {name: open_side_table(settings, name, as_of=chapter.as_of) for name in ("memberships", "market", "exits")}
    frames: dict[str, Any] = {name: None if table is None else table.frame for name, table in tables.items()}
    if divided.values.customers.stands_for > 1:
        frames["market"] = None  # the market is not that of a sample
    how: dict[str, Any] = {
        "start": start,
        "end": chapter.as_of,
        "active_days": settings.forecast.active_days,
        "before": divided.before,
        "now": divided.values,
        "margin": settings.money.margin,
        "draws": min(settings.forecast.draws, 200),
        "seed": settings.forecast.seed,
    }
    try:
        return Churned(churn_rates(log, **how, **frames).rates)
    except DataError as error:  # a table beside the log must not stop the book
        return Churned(churn_rates(log, **how).rates, why_refused(error))


def churn_figure(chapter: Chapter, divided: Divided, churned: Churned) -> Figure | Note:
    """Put churn on four bases side by side; they seldom agree."""
    if churned.rates is None:
        return Note(_("No churn to tell"), (_("The log does not reach back a quarter."),))
    known = churned.rates.dropna(subset=["rate"])
    finding = _churn_finding(known.reset_index().set_index("measure")["rate"], divided)
    shown = known.reset_index()
    table = shown.assign(label=[_(_MEASURES[measure]) for measure in shown["measure"]], value=shown["rate"])
    return Figure(
        name="churn",
        number=0,
        finding=finding,
        what=_(
            "Share of what was there on {day} that is there no longer, with its 95% interval where one can be told.",
            day=day(divided.since),
        ),
        drawing=interval_dots(table, name="churn", label=finding, axis=_("lost within a quarter")),
        note=_("What is counted differs from line to line; the table says how.")
        + of_the_sample(divided.values.customers.stands_for),
    )


def churn_table(chapter: Chapter, divided: Divided, churned: Churned) -> Table | Note:
    """Say what churn on each basis counts, of how many, and what it makes over a year."""
    if churned.rates is None:
        return Note(_("Nothing to count churn by"), (_("It appears once the log reaches back a quarter."),))
    refused = churned.refused
    rates = churned.rates.reset_index()
    rates["label"] = [
        f"{_(_MEASURES[measure])}\n{words}"
        for measure, words in zip(rates["measure"], rates["definition"], strict=True)
    ]
    missing = rates.loc[rates["rate"].isna(), ["label", "note"]]
    why = " ".join(dict.fromkeys(str(note) for note in missing["note"] if note))
    remarks = " ".join(dict.fromkeys(str(note) for note in rates.loc[rates["rate"].notna(), "note"] if note))
    shown = rates[rates["rate"].notna()].astype({"start": object, "lost": object})
    of_the_market = shown["basis"] == "market"  # a share is lost there, and not a number
    for column in ("start", "lost"):
        shown.loc[of_the_market, column] = [percent(float(one), 1) for one in shown.loc[of_the_market, column]]
    return Table(
        name="churn-rates",
        number=0,
        finding=_("What is counted, and of how many"),
        what=_(
            "From {day} on; limits at 95%. {remarks} {why}{sample}",
            day=day(divided.since),
            remarks=remarks,
            why=f"{why} {refused}".strip(),
            sample=of_the_sample(divided.values.customers.stands_for),
        ),
        frame=shown,
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
        downloads=chapter.download("churn", churned.rates),
    )


def _churn_finding(known: pd.Series, divided: Divided) -> str:
    if not {"by_rule", "margin"} <= set(known.index):
        return _("Churn since {day} depends on what is counted", day=day(divided.since))
    return _(
        "Since {day} {customers} of the active customers fell silent; those who brought {margin} of the margin of the "
        "quarter before bought nothing since",
        day=day(divided.since),
        customers=percent(float(known["by_rule"])),
        margin=percent(float(known["margin"])),
    )


def cohorts_figure(chapter: Chapter, divided: Divided) -> Figure | Note:
    """How many customers of all cohorts buy in each month after their first."""
    found = cohort_retention(chapter.valued_log, as_of=chapter.as_of, values=divided.values)
    table = found.by_period.head(_PERIODS_SHOWN)
    if len(table) < _LEAST_PERIODS:
        return Note(_("No cohorts to follow"), (_("The log is too short to follow those who joined in a month."),))
    spend = found.frame.loc[~found.frame["is_partial"]]
    weighted = (spend["margin"] * spend["customers"]).groupby(level="period").sum()
    table = table.assign(margin=weighted / spend["customers"].groupby(level="period").sum())
    after = table.drop(index=0)
    finding = _(
        "{share} of customers buy in the month after their first, {later} in month {last}",
        share=percent(float(after["share_active"].iloc[0])),
        later=percent(float(after["share_active"].iloc[-1])),
        last=count(after.index[-1]),
    )
    return Figure(
        name="cohorts",
        number=0,
        finding=finding,
        what=_(
            "Share of customers who buy in each month after their first purchase, with its 95% interval; all monthly "
            "cohorts together, whole months alone."
        ),
        drawing=cohort_curve(after, name="cohorts", label=finding),
        note=_(
            "Who does not buy in a month has not left for that. Later months are seen of older cohorts alone. "
            "After {last} months a customer of cohorts that old has brought {margin} of margin.",
            last=count(after.index[-1]),
            margin=money(float(after["margin"].iloc[-1]), chapter.currency),
        )
        + of_the_sample(divided.values.customers.stands_for),
        data=_cohorts_table(chapter, table, found.frame, finding),
    )


def _cohorts_table(chapter: Chapter, table: pd.DataFrame, cohorts: pd.DataFrame, finding: str) -> Table:
    return Table(
        name="cohort-months",
        number=0,
        finding=finding,
        what=_("Margin: so far, for each customer of the cohorts that are so old."),
        frame=table.reset_index(),
        columns=(
            Column("period", _("Months since the first purchase"), kind="count", sortable=False),
            Column("customers", _("Customers"), kind="count", sortable=False),
            Column("share_active", _("Buy in it"), "%", kind="percent", digits=1, sortable=False),
            Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
            Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            Column(
                "margin", _("Margin so far"), chapter.currency, kind="money", currency=chapter.currency, sortable=False
            ),
        ),
        downloads=chapter.download("cohorts", cohorts),
        long=True,
    )


def memberships_figure(chapter: Chapter) -> Figure | Note:
    """How long memberships last, by plan."""
    table = open_side_table(chapter.settings, "memberships", as_of=chapter.as_of)
    if table is not None:
        return survival_figure(chapter, table.frame)
    words = _("Name a table of memberships in crm.toml ([sources.memberships]) and how long they last appears here.")
    return Note(_("No contracts are known"), (words,))


def risk_note(chapter: Chapter, divided: Divided) -> Note:
    """Say how much worth could fall silent, and in how few hands it is."""
    risk = equity_at_risk(divided.values, days=_AT_RISK_DAYS)
    currency = chapter.currency
    paragraphs = [
        _(
            "{share} of the current base's worth ({value}) is with customers who will not buy within {days} days, "
            "most of "
            "whom will not have left for that. Such silence is expected to lower their worth by {loss}.",
            share=percent(risk.share_with_silent),
            value=short_money(risk.with_silent, currency),
            days=count(_AT_RISK_DAYS),
            loss=short_money(risk.expected_loss, currency),
        )
    ]
    if np.isfinite(risk.herfindahl):
        paragraphs.append(
            _(
                "The most valuable hundredth of the customers holds {one}, the top twentieth {five} of the worth; it "
                "is as "
                "concentrated as if {effective} customers of equal worth held all of it.",
                one=percent(float(risk.top_shares[0.01])),
                five=percent(float(risk.top_shares[0.05])),
                effective=count(risk.effective_customers),
            )
        )
    return Note(_("What could be lost within a quarter"), tuple(paragraphs))


def lost_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """List the customers who are likely lost, by a rule tested on the last quarter, and say how right it was."""
    log, end = chapter.valued_log, chapter.as_of - timedelta(days=_AT_RISK_DAYS)
    values = divided.values
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            unit = values.customers.time_unit
            split = split_calibration_holdout(log, calibration_end=end, as_of=chapter.as_of, time_unit=unit)
            fit = values.fits.purchases
            if chapter.settings.forecast.purchase_fit is None:
                fit = refit(fit, split.known, split.calibration)
            rule = likely_lost(fit, split, precision=_PRECISION)
    except DataError:
        return Note(
            _("No list of the likely lost"),
            (_("The log is too short to test a list of customers who are likely lost."),),
        )
    found = rule.apply(values)
    if values.customers.stands_for > 1 or found.empty:
        return Note(_("Who is likely lost"), (rule.statement(),))
    frame = found.head(_ROWS).assign(customer=chapter.names(found.head(_ROWS).index)).reset_index(drop=True)
    return Table(
        name="lost",
        number=0,
        finding=_(
            "{number} customers are likely lost, that is, to buy nothing within {days} days",
            number=count(len(found)),
            days=count(_AT_RISK_DAYS),
        ),
        what=_(
            "{statement} Shown are the {shown} who spent most.", statement=rule.statement(), shown=count(len(frame))
        ),
        frame=frame,
        columns=(
            Column("customer", _("Customer"), kind="code", sortable=False),
            Column(
                "total_spend", _("Spent so far"), chapter.currency, kind="money", currency=chapter.currency, digits=0
            ),
            Column("days_silent", _("Days silent"), kind="count"),
            Column("probability_silent", _("Silent, by the model"), digits=2),
            Column("share_lost", _("Bought nothing, of such in the test"), "%", kind="percent", digits=0),
        ),
        downloads=chapter.download(
            "likely-lost", found.assign(customer=chapter.names(found.index)).set_index("customer")
        ),
    )


def warnings_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Name the customers of whom most worth has become doubtful."""
    if divided.values.customers.stands_for > 1:
        return Note(_("No early warnings by name"), (_("A sample does not name single customers."),))
    if divided.before is None:
        return Note(_("No early warnings yet"), (_("The log does not reach back a quarter."),))
    found = early_warnings(divided.values, divided.before, most=50)
    if found.empty:
        return Note(_("No early warnings"), (_("No customer of worth has become less likely to be there."),))
    frame = found.head(_ROWS).assign(customer=chapter.names(found.head(_ROWS).index)).reset_index(drop=True)
    return Table(
        name="warnings",
        number=0,
        finding=_(
            "{worth} of worth has become doubtful with the {number} customers at the head of the list",
            worth=short_money(float(found["value_doubtful"].sum()), chapter.currency),
            number=count(len(found)),
        ),
        what=_(
            "Customers whose probability alive fell most since {day}, weighted by their worth; {shown} are shown. "
            "What is "
            "seen of them is no reason why.",
            day=day(divided.since),
            shown=count(len(frame)),
        ),
        frame=frame,
        columns=(
            Column("customer", _("Customer"), kind="code", sortable=False),
            Column(
                "value_doubtful", _("Doubtful"), chapter.currency, kind="money", currency=chapter.currency, digits=0
            ),
            Column("probability_before", _("Alive then"), digits=2),
            Column("probability_now", _("Alive now"), digits=2),
            Column("days_silent", _("Days silent"), kind="count"),
            Column("reasons", _("What is seen"), kind="text", sortable=False),
        ),
        downloads=chapter.download(
            "early-warnings", found.assign(customer=chapter.names(found.index)).set_index("customer")
        ),
    )


def win_back_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Name the silent customers whom it would pay most to win back."""
    if divided.values.customers.stands_for > 1:
        return Note(_("No win-backs by name"), (_("A sample does not name single customers."),))
    cost = chapter.settings.money.win_back_cost
    try:
        rates = comeback_rates(
            chapter.transactions, as_of=chapter.as_of, silent_days=list(_SILENT), within_days=_AT_RISK_DAYS
        )
        found = win_backs(divided.values, cost=cost, chance=rates, silent_days=_SILENT[0], most=50)
    except (DataError, SettingsError):
        return Note(_("Nobody to win back"), (_("The log is too short to learn how many silent customers come back."),))
    if found.empty:
        return Note(_("Nobody to win back"), (_("No silent customer would bring more than trying for them costs."),))
    frame = found.head(_ROWS).assign(customer=chapter.names(found.head(_ROWS).index)).reset_index(drop=True)
    seen = rates.frame["share"].dropna()
    chances = "; ".join(
        _("{days} days and more {share}", days=days, share=percent(share)) for days, share in seen.items()
    )
    return Table(
        name="win-backs",
        number=0,
        finding=_(
            "Trying for {number} silent customers would be worth {gain} at {cost} each, if it brought as many back "
            "as come "
            "by themselves",
            number=count(len(found)),
            gain=short_money(float(found["expected_gain"].sum()), chapter.currency),
            cost=money(cost, chapter.currency),
        ),
        what=_(
            "Chance x (worth once back less worth now) less cost. {source} By days of silence: {chances}. What a "
            "campaign "
            "achieves is known from a campaign with a control group alone. {shown} are shown.",
            source=rates.source,
            chances=chances,
            shown=number(len(frame), 0),
        ),
        frame=frame,
        columns=(
            Column("customer", _("Customer"), kind="code", sortable=False),
            Column("days_silent", _("Days silent"), kind="count"),
            Column(
                "residual_value", _("Worth now"), chapter.currency, kind="money", currency=chapter.currency, digits=0
            ),
            Column(
                "value_if_back", _("Once back"), chapter.currency, kind="money", currency=chapter.currency, digits=0
            ),
            Column("chance", _("Chance"), "%", kind="percent", digits=1),
            Column(
                "expected_gain", _("Expected gain"), chapter.currency, kind="money", currency=chapter.currency, digits=0
            ),
        ),
        downloads=chapter.download(
            "win-backs", found.assign(customer=chapter.names(found.index)).set_index("customer")
        ),
    )
