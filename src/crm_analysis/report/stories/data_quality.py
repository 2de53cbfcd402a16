"""Data quality: which rows were used, which set aside, and what the reader should know of the rest."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from crm_analysis.data.activity import daily_purchases, monthly_activity
from crm_analysis.data.sources import Transactions
from crm_analysis.messages import _, count, day, missing, money, month_of, percent, plural
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.monthly_activity import monthly_activity as draw_monthly_activity
from crm_analysis.report.figures.row_funnel import row_funnel
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Note
from crm_analysis.report.tables import Column, Table

# A log is one group of customers when all of them joined in this part of it, and none in so many last months.
_FIRST_PART, _QUIET_MONTHS = 1 / 3, 3
# A log that stops more days than this before the period does is probably incomplete.
_SILENT_DAYS = 7
# Pairs of a purchase and the refund that cancels it: out of every figure, and no loss of data.
_CANCELLED = ("cancelled_in_full", "refund_netted")


@dataclass(frozen=True, eq=False)
class DataQuality:
    """What the chapter speaks of: the log after the door, what became of each row, and the months of the log."""

    chapter: Chapter
    transactions: Transactions
    reconciliation: pd.DataFrame
    counters: pd.DataFrame
    activity: pd.DataFrame

    @property
    def used(self) -> int:
        """Rows used."""
        return int(self._rows("used"))

    @property
    def set_aside(self) -> int:
        """Rows set aside, for whatever reason."""
        return int(self._rows("set_aside"))

    @property
    def total(self) -> int:
        """Rows that came in."""
        return int(self.reconciliation["rows"].sum())

    @property
    def money_in(self) -> float:
        """Money that came in, in the company's currency."""
        return float(self.reconciliation["money"].sum())

    @property
    def quiet_months(self) -> int:
        """Months at the end of the log without a new customer."""
        newcomers = self.activity["new_customers"].to_numpy()[::-1]
        found = newcomers.nonzero()[0]
        return int(found[0]) if len(found) else len(newcomers)

    @property
    def later(self) -> int:
        """Rows after the period, which the book does not see."""
        return int(self._rows("not_seen"))

    @cached_property
    def daily(self) -> pd.DataFrame:
        """First and later purchases, by day."""
        return daily_purchases(self.transactions)

    @property
    def firsts(self) -> pd.Series:
        """Customers who bought for the first time, by day."""
        return self.daily["first"]

    @property
    def last_newcomer(self) -> str:
        """The last day on which a customer bought for the first time, in words."""
        return day(self.firsts.index[self.firsts > 0][-1].date())

    @property
    def is_one_group(self) -> bool:
        """Whether the log follows one group of customers: all joined in its first third, none in the last months."""
        joined = self.firsts.to_numpy().nonzero()[0]
        return bool(joined[-1] < len(self.firsts) * _FIRST_PART) and self.quiet_months >= _QUIET_MONTHS

    @property
    def silent_days(self) -> int:
        """Days between the last row of the log and the end of the period."""
        last = self.transactions.last_date
        return (self.chapter.as_of - last).days if last else 0

    @property
    def ends_early(self) -> bool:
        """Whether the log seems to stop before the period does: it has not been silent that long before."""
        busy = np.flatnonzero(self.daily.sum(axis=1).to_numpy())
        usual = float(np.quantile(np.diff(busy), 0.99)) if len(busy) > 1 else 0.0
        return self.silent_days > max(_SILENT_DAYS, 2 * usual)

    def _rows(self, status: str) -> int:
        return int(self.reconciliation.loc[self.reconciliation["status"] == status, "rows"].sum())


def check_data(chapter: Chapter) -> DataQuality:
    """Read the log through the door and keep its accounts on the shelf."""
    log = chapter.transactions
    quality = DataQuality(chapter, log, log.reconciliation, log.counters, monthly_activity(log))
    for name in ("reconciliation", "counters", "activity"):
        chapter.write(name, getattr(quality, name))
    chapter.remember(
        alerts=tuple(_alerts(quality)),
        source=log.source,
        rows=quality.total,
        rows_used=quality.used,
        rows_set_aside=quality.set_aside,
        money=str(log.reconciliation["money"].sum()),
        first_day=str(log.first_date),
        last_day=str(log.last_date),
        quiet_months=quality.quiet_months,
        last_newcomer=quality.last_newcomer,
        is_one_group=quality.is_one_group,
    )
    return quality


def headline(quality: DataQuality) -> Headline:
    """Open the chapter."""
    log, chapter = quality.transactions, quality.chapter
    currency = chapter.currency
    up_to_the_end = max(quality.total - quality.later, 1)
    title = (
        _("Every row is used, and the money adds up")
        if not quality.set_aside
        else _(
            "{share} of the rows are used; the rest is accounted for", share=percent(quality.used / up_to_the_end, 1)
        )
    )
    return Headline(
        over=_("Data quality, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_(
            "Rows that came in from {source}: {rows}, with {money}. Used: {used}. Set aside, each with its reason "
            "and its money: {aside}. After the period: {later}. The rows used run from {first} to {last}.",
            rows=count(quality.total),
            source=log.source,
            money=money(quality.money_in, currency),
            used=count(quality.used),
            aside=count(quality.set_aside),
            later=count(quality.later),
            first=day(log.first_date) if log.first_date else missing(),
            last=day(log.last_date) if log.last_date else missing(),
        ),
    )


def alerts(quality: DataQuality) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(quality)))


def rows_figure(quality: DataQuality) -> Figure:
    """Show what became of the rows."""
    table = quality.reconciliation[(quality.reconciliation["rows"] > 0) | (quality.reconciliation["outcome"] == "used")]
    frame = pd.DataFrame(
        {
            "outcome": [_(reason) for reason in table["reason"]],
            "rows": table["rows"],
            "share": table["rows"] / max(quality.total, 1),
            "status": table["status"],
        }
    ).reset_index(drop=True)
    finding = (
        _("No row is lost: all {rows} are used", rows=count(quality.total))
        if quality.used == quality.total
        else _(
            "{aside} of {rows} rows are set aside or not seen",
            aside=count(quality.total - quality.used),
            rows=count(quality.total),
        )
    )
    return Figure(
        name="rows",
        number=1,
        finding=finding,
        what=_("Rows of the log by what became of them, and their share of all rows."),
        drawing=row_funnel(frame, name="rows", label=finding),
        note=_(
            "n = {rows} rows. Rows in equal rows used, set aside and after the period, and the money agrees to the "
            "cent.",
            rows=count(quality.total),
        ),
    )


def reconciliation_table(quality: DataQuality) -> Table:
    """Rows and money by outcome, adding up."""
    frame = pd.DataFrame(
        {
            "reason": [_(reason) for reason in quality.reconciliation["reason"]],
            "rows": quality.reconciliation["rows"],
            "money": quality.reconciliation["money"].astype(float),
        }
    )
    return Table(
        name="reconciliation",
        number=1,
        finding=_("Rows and money add up"),
        what=_("Each row has one outcome, the first that applies."),
        frame=frame,
        columns=(
            Column("reason", _("Outcome"), kind="text", sortable=False),
            Column("rows", _("Rows"), kind="count"),
            Column("money", _("Money"), kind="money", currency=quality.chapter.currency, digits=2),
        ),
        total={"reason": _("All"), "rows": quality.total, "money": quality.money_in},
        downloads=quality.chapter.download("reconciliation", frame.set_index("reason")),
    )


def counters_table(quality: DataQuality) -> Table:
    """What is used, and worth knowing."""
    frame = pd.DataFrame(
        {
            "meaning": [_(meaning) for meaning in quality.counters["meaning"]],
            "rows": quality.counters["rows"],
            "money": quality.counters["money"].astype(float),
        }
    )
    seen = int((frame["rows"] > 0).sum())
    finding = (
        plural("{n} kind of oddity is used and counted", "{n} kinds of oddity are used and counted", seen)
        if seen
        else _("Nothing odd among the rows used")
    )
    return Table(
        name="counters",
        number=2,
        finding=finding,
        what=" ".join([_("Rows counted here are among those used."), *_never_shown(quality)]),
        frame=frame,
        columns=(
            Column("meaning", _("What"), kind="text", sortable=False),
            Column("rows", _("Rows"), kind="count"),
            Column("money", _("Money"), kind="money", currency=quality.chapter.currency, digits=2),
        ),
    )


def _never_shown(quality: DataQuality) -> list[str]:
    """Name the products or categories with a margin of their own that the log does not show."""
    unseen = quality.transactions.unseen_margins
    if not unseen:
        return []
    return [_("A margin is set for names that no used line shows: {names}.", names=", ".join(unseen))]


def activity_figure(quality: DataQuality) -> Figure:
    """Show the months of the log: purchases by old and new customers."""
    if quality.is_one_group:
        finding = _(
            "No customer is new after {day}: the log follows one group of customers",
            day=quality.last_newcomer,
        )
    elif quality.quiet_months:
        finding = _("No new customer since {day}", day=quality.last_newcomer)
    else:
        last = quality.activity.iloc[-1]
        finding = _("{new} new customers in the last month", new=count(last["new_customers"]))
    return Figure(
        name="activity",
        number=2,
        finding=finding,
        what=_("Purchases per month (a customer's orders of one day are one purchase): first ones and repeats."),
        drawing=draw_monthly_activity(quality.activity, name="activity", label=finding),
        note=_(
            "{orders} purchases in {months} months.",
            orders=count(quality.activity["orders"].sum()),
            months=count(len(quality.activity)),
        ),
    )


def rules_note(quality: DataQuality) -> Note:
    """Say how odd rows are treated."""
    rules = quality.transactions.log.rules
    zero = (
        _("An amount of zero counts as a purchase in time and stays out of spend.")
        if rules.zero_amount == "timing"
        else _("A row with an amount of zero is set aside.")
    )
    copies = (
        _("Exact copies of a row are set aside where the order-line key proves them copies.")
        if rules.order_line_key
        else _("Exact copies of a row are kept and counted, because nothing in the log proves them mistakes.")
    )
    refunds = (
        _("A refund is taken off the order it cancels where that can be found, else set aside with its money.")
        if rules.refunds == "net"
        else _("Refunds are set aside with their money.")
    )
    return Note(
        title=_("How odd rows are treated"),
        paragraphs=(
            _("Orders of one customer on one day are one purchase, their amounts added.") + " " + zero + " " + copies,
            refunds
            + " "
            + _("A row without a customer is set aside with its money. Rows after the period are not seen."),
            _("A date or an amount that cannot be read is not set aside: the whole log is refused until it is mended."),
        ),
    )


def _alerts(quality: DataQuality) -> list[Alert]:
    page = quality.chapter.entry.page
    found = []
    if quality.ends_early:
        found.append(
            Alert(
                "warning",
                _(
                    "The log ends on {last}, {days} days before the period. If purchases are missing, the book takes "
                    "them for silence: activity and value are too low.",
                    last=day(quality.transactions.last_date) if quality.transactions.last_date else missing(),
                    days=count(quality.silent_days),
                ),
                f"{page}#activity",
                _("See the months"),
            )
        )
    table = quality.reconciliation
    aside = table[(table["status"] == "set_aside") & ~table["outcome"].isin(_CANCELLED)]
    rows_aside = int(aside["rows"].sum())
    if rows_aside:
        lost = float(aside["money"].abs().sum())
        share = rows_aside / max(quality.total - quality.later, 1)
        serious = share > 0.05
        found.append(
            Alert(
                "warning" if serious else "note",
                _(
                    "Set aside and in no figure of this book: {rows} of the rows ({share}), with {money}.",
                    rows=count(rows_aside),
                    share=percent(share),
                    money=money(lost, quality.chapter.currency),
                ),
                f"{page}#reconciliation",
                _("See what and why"),
            )
        )
    zero = int(quality.counters.loc[quality.counters["counter"] == "zero_amount", "rows"].sum())
    if zero:
        found.append(
            Alert(
                "note",
                _(
                    "Rows with an amount of {nothing}: {rows}. They count for the timing of purchases and add "
                    "nothing to spend.",
                    rows=count(zero),
                    nothing=money(0.0, quality.chapter.currency, 2),
                ),
                f"{page}#counters",
                _("See data quality"),
            )
        )
    if quality.is_one_group:
        found.append(
            Alert(
                "note",
                _(
                    "New customers are zero for a reason: everybody in this log first bought by {day}. The book "
                    "follows this one group; customers who joined later are not in the log.",
                    day=quality.last_newcomer,
                ),
                f"{page}#activity",
                _("See the months"),
            )
        )
    return found
