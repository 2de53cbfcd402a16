"""Data quality of a company of contracts: which rows were used, how terms were joined, where the contracts stand."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from crm_analysis.data.side_door import SideTable
from crm_analysis.messages import _, count, day, month_of, percent, plural
from crm_analysis.models.memberships import dated_memberships, joined_terms
from crm_analysis.periods import Month
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.row_funnel import row_funnel
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Note
from crm_analysis.report.tables import Column, Table
from crm_analysis.scorecard import months_shown
from crm_analysis.value.contract_period import fees_are_assumed
from crm_analysis.value.member_counts import member_counts

# A table that is silent for more days than this before the period ends, and than is usual for it, may be an old one.
_SILENT_DAYS = 45
_TOLD = ("ended_on", "plan", "renewal_period", "fee")


@dataclass(frozen=True, eq=False)
class ContractQuality:
    """What the chapter speaks of.

    Attributes
    ----------
    chapter : Chapter
    table : SideTable
        The contracts after the door, cut at the end of the period.
    rows : DataFrame
        Its rows, days as midnights.
    joined : DataFrame
        One row a membership, terms that follow one another joined.
    months : DataFrame
        As `member_counts`, the months of the table of thirteen at most.
    """

    chapter: Chapter
    table: SideTable
    rows: pd.DataFrame
    joined: pd.DataFrame
    months: pd.DataFrame

    def number(self, status: str) -> int:
        """Return how many rows were used, set aside or not seen."""
        told = self.table.reconciliation
        return int(told.loc[told["status"] == status, "rows"].sum())

    @property
    def total(self) -> int:
        """Rows that came in."""
        return int(self.table.reconciliation["rows"].sum())

    @property
    def running(self) -> int:
        """Memberships that run at the end of the period."""
        return int((~(self.joined["ended_on"] <= pd.Timestamp(self.chapter.as_of))).sum())

    @property
    def last_event(self) -> date:
        """The last day on which the table saw a contract begin or end."""
        ends = self.rows.loc[self.rows["ended_on"] <= pd.Timestamp(self.chapter.as_of), "ended_on"]
        return max(self.rows["started_on"].max(), ends.max() if len(ends) else pd.Timestamp.min).date()

    @property
    def usual_gap(self) -> float:
        """Days between two days on which contracts begin or end, but for one gap in a hundred, which is longer."""
        days = pd.concat([self.rows["started_on"], self.rows["ended_on"].dropna()]).drop_duplicates().sort_values()
        gaps = days.diff().dt.days.dropna()
        return float(gaps.quantile(0.99)) if len(gaps) else 0.0

    def noted(self, key: str) -> int:
        """Return how many rows a note of the door counts."""
        notes = self.table.notes
        return int(notes.loc[notes["note"] == key, "rows"].sum())


def check_contracts(chapter: Chapter) -> ContractQuality:
    """Read the contracts through the door, join their terms, and keep the accounts on the shelf."""
    table = chapter.memberships
    # A table without ends is told here; whether it can be valued is for the chapter on equity to say.
    frame = (
        table.frame
        if "ended_on" in table.frame.columns
        else table.frame.assign(ended_on=pd.Series(pd.NaT, index=table.frame.index, dtype="datetime64[us]"))
    )
    rows = dated_memberships(frame)
    first = Month.of(rows["started_on"].min().date())
    months = [month for month in months_shown(chapter.period) if month >= first]
    counts = member_counts(frame, dates=[months[0].shift(-1).last_day, *(month.last_day for month in months)])
    quality = ContractQuality(chapter, table, rows, joined_terms(frame), counts)
    chapter.write("reconciliation", table.reconciliation)
    chapter.write("counters", table.notes)
    chapter.write("activity", counts.set_axis(pd.Index([str(month) for month in months], name="month")))
    chapter.remember(
        alerts=tuple(_alerts(quality)),
        source=table.source,
        rows=quality.total,
        rows_used=quality.number("used"),
        rows_set_aside=quality.number("set_aside"),
        first_day=str(rows["started_on"].min().date()),
        last_day=str(quality.last_event),
        memberships=len(quality.joined),
        running=quality.running,
        terms_joined=len(rows) - len(quality.joined),
    )
    return quality


def headline(quality: ContractQuality) -> Headline:
    """Open the chapter."""
    return Headline(
        over=_("Data quality, {period}", period=month_of(str(quality.chapter.period))),
        title=_(
            "{rows} rows make {memberships} memberships, {running} of them running",
            rows=count(quality.number("used")),
            memberships=count(len(quality.joined)),
            running=count(quality.running),
        ),
        lede=_(
            "Rows that came in from {source}: {rows}. Used: {used}. Set aside: {aside}. Beginning after the period: "
            "{later}. Contracts began from {first} on; the last beginning or end was on {last}.",
            source=quality.table.source,
            rows=count(quality.total),
            used=count(quality.number("used")),
            aside=count(quality.number("set_aside")),
            later=count(quality.number("not_seen")),
            first=day(quality.rows["started_on"].min().date()),
            last=day(quality.last_event),
        ),
    )


def alerts(quality: ContractQuality) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(quality)))


def rows_figure(quality: ContractQuality) -> Figure:
    """Show what became of the rows."""
    told = quality.table.reconciliation
    told = told[(told["rows"] > 0) | (told["outcome"] == "used")]
    frame = pd.DataFrame(
        {
            "outcome": [_(reason) for reason in told["reason"]],
            "rows": told["rows"],
            "share": told["rows"] / max(quality.total, 1),
            "status": told["status"],
        }
    ).reset_index(drop=True)
    others = quality.total - quality.number("used")
    finding = (
        _("No row is lost: all {rows} are used", rows=count(quality.total))
        if not others
        else _("{others} of {rows} rows are not used", others=count(others), rows=count(quality.total))
    )
    return Figure(
        name="rows",
        number=1,
        finding=finding,
        what=_("Rows of the table of contracts by what became of them, and their share of all rows."),
        drawing=row_funnel(frame, name="rows", label=finding),
        note=_(
            "n = {rows} rows, each with one outcome. A contract that begins after the period is not seen; one that "
            "ends after it is running.",
            rows=count(quality.total),
        ),
    )


def standing_table(quality: ContractQuality) -> Table:
    """Follow the rows used to memberships, and say where these stand."""
    terms = len(quality.rows) - len(quality.joined)
    ends_later = quality.noted("ends_after_as_of")
    frame = pd.DataFrame(
        {
            "what": [
                _("Rows used"),
                _("Terms that go on from an earlier one, joined to it"),
                _("Memberships"),
                _("Running at the end of the period"),
                _("Ended by then"),
                _("Rows with an end after the period, which is not seen yet"),
                _("Customers"),
            ],
            "rows": [
                len(quality.rows),
                -terms,
                len(quality.joined),
                quality.running,
                len(quality.joined) - quality.running,
                ends_later,
                quality.rows["customer_id"].nunique(),
            ],
        }
    )
    finding = (
        plural("{n} term goes on from an earlier one", "{n} terms go on from earlier ones", terms)
        if terms
        else _("Every row is a membership of its own")
    )
    return Table(
        name="standing",
        number=1,
        finding=finding,
        what=_(
            "A row that begins on the day another one of the same customer ends, or the day after, goes on with it: "
            "a change of plan is no loss of the member. Rows used less terms joined are memberships; those running and "
            "those ended add up to them."
        ),
        frame=frame,
        columns=(
            Column("what", _("What"), kind="text", sortable=False),
            Column("rows", _("Number"), kind="count", sortable=False),
        ),
        downloads=quality.chapter.download("contracts-standing", frame.set_index("what")),
    )


def told_table(quality: ContractQuality) -> Table:
    """Say how much the table tells of its contracts."""
    names = {
        "ended_on": _("When it ended"),
        "plan": _("Plan"),
        "renewal_period": _("How often it is renewed"),
        "fee": _("Fee"),
    }
    uses = {
        "ended_on": _("blank while it runs; without any nothing is known of leaving"),
        "plan": _("contracts of a plan are valued by the renewals of that plan"),
        "renewal_period": _("when payments come, and how often members could leave"),
        "fee": _("what is paid at the start and at each renewal; by the settings where the table has none"),
    }
    given = quality.table.frame
    filled = [float(given[name].notna().mean()) if name in given.columns else 0.0 for name in _TOLD]
    words = [
        ", ".join(str(one) for one in given[name].value_counts().index[:4])
        if name in ("plan", "renewal_period") and name in given.columns
        else ""
        for name in _TOLD
    ]
    frame = pd.DataFrame(
        {
            "what": [f"{names[name]}\n{uses[name]}" for name in _TOLD],
            "filled": filled,
            "levels": words,
        }
    )
    missing = [names[name] for name, share in zip(_TOLD, filled, strict=True) if share == 0]
    finding = (
        _("All that a valuation can use is told")
        if not missing
        else _("Not told at all: {what}", what=", ".join(missing).lower())
    )
    return Table(
        name="told",
        number=2,
        finding=finding,
        what=_("Share of the rows used in which a column is filled, and the most common entries."),
        frame=frame,
        columns=(
            Column("what", _("Column"), kind="text", sortable=False),
            Column("filled", _("Filled"), "%", kind="percent", digits=1, sortable=False),
            Column("levels", _("Such as"), kind="text", sortable=False),
        ),
    )


def notes_table(quality: ContractQuality) -> Table:
    """What is used, and worth knowing."""
    notes = quality.table.notes
    frame = pd.DataFrame({"meaning": [_(meaning) for meaning in notes["meaning"]], "rows": notes["rows"]})
    seen = int((frame["rows"] > 0).sum())
    finding = (
        plural("{n} kind of oddity is used and counted", "{n} kinds of oddity are used and counted", seen)
        if seen
        else _("Nothing odd among the rows used")
    )
    return Table(
        name="counters",
        number=3,
        finding=finding,
        what=_("Rows counted here are among those used."),
        frame=frame,
        columns=(
            Column("meaning", _("What"), kind="text", sortable=False),
            Column("rows", _("Rows"), kind="count"),
        ),
    )


def months_table(quality: ContractQuality) -> Table:
    """List the months: who was there, joined, came back, left, and what fell due."""
    frame = quality.months.reset_index()
    frame["month"] = [month_of(f"{until:%Y-%m}") for until in frame["until"]]
    last = frame.iloc[-1]
    return Table(
        name="months",
        number=4,
        finding=_(
            "{members} members at the end, {new} new and {lost} lost in the last month",
            members=count(last["members"]),
            new=count(last["new_members"]),
            lost=count(last["lost_members"]),
        ),
        what=_(
            "Members: customers with a running contract at the end of the month. New: their first contract ever began "
            "in it. Won back: they had left before. Lost: members when it began, and none at its end. Who joined and "
            "left within a month is new and not lost."
        ),
        frame=frame,
        columns=(
            Column("month", _("Month"), kind="text", sortable=False),
            Column("members", _("Members"), kind="count", sortable=False),
            Column("new_members", _("New"), kind="count", sortable=False),
            Column("won_back", _("Won back"), kind="count", sortable=False),
            Column("lost_members", _("Lost"), kind="count", sortable=False),
            Column("renewals_due", _("Renewals due"), kind="count", sortable=False),
            Column("renewal_rate", _("Made"), "%", kind="percent", digits=1, sortable=False),
        ),
        downloads=quality.chapter.download("months-of-contracts", quality.months),
    )


def rules_note(quality: ContractQuality) -> Note:
    """Say how odd rows are treated."""
    return Note(
        title=_("How odd rows are treated"),
        paragraphs=(
            _(
                "A customer may have several rows: one a term, contracts side by side, or a new one after a break. "
                "Terms that follow one another are one membership; contracts that overlap stay apart and are counted."
            ),
            _(
                "A term that ends on the last day of the period, and whose next one would begin a day later, still "
                "counts as running: nobody can know yet. An end after the period is not seen."
            ),
            _(
                "A date, a renewal period or a fee that cannot be read is not set aside: the whole table is refused "
                "until it is mended."
            ),
        ),
    )


def _alerts(quality: ContractQuality) -> list[Alert]:
    chapter = quality.chapter
    page, found = chapter.entry.page, []
    silent = (chapter.as_of - quality.last_event).days
    if silent > max(_SILENT_DAYS, 2 * quality.usual_gap):
        found.append(
            Alert(
                "warning",
                _(
                    "No contract began or ended in the last {days} days of the period. If the table is an older one, "
                    "members who left since are taken for members.",
                    days=count(silent),
                ),
                f"{page}#months",
                _("See the months"),
            )
        )
    overlaps = quality.noted("overlapping_contracts")
    if overlaps:
        found.append(
            Alert(
                "note",
                _(
                    "Contracts that overlap with an earlier one of the same customer and plan: {rows} ({share}). Each "
                    "of them is valued.",
                    rows=count(overlaps),
                    share=percent(overlaps / max(len(quality.rows), 1)),
                ),
                f"{page}#counters",
                _("See what is noted"),
            )
        )
    if fees_are_assumed(quality.table.frame):
        found.append(
            Alert(
                "note",
                _(
                    "The table of contracts tells no fees: those of the settings are assumed, for every past and "
                    "future payment."
                ),
                f"{page}#told",
                _("See what the table tells"),
            )
        )
    return found
