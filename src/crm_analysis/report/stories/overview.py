"""The overview: where the base stands, what changed, what to read first; made from what the other chapters kept."""

from dataclasses import dataclass
from datetime import date

from crm_analysis.messages import (
    _,
    count,
    currency_name,
    day,
    money,
    month_name,
    month_of,
    percent,
    plural,
    short_money,
)
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.contents import CHAPTERS
from crm_analysis.report.figures.style import WIDE
from crm_analysis.report.pieces import (
    Alert,
    Alerts,
    ChapterList,
    Figure,
    Finding,
    Findings,
    Headline,
    Tiles,
)
from crm_analysis.report.stories import indicators
from crm_analysis.report.stories.customer_value import tenths_figure
from crm_analysis.report.stories.equity_movement import movement_words
from crm_analysis.report.stories.forecast_test import tracking_figure
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.report.tables import Table
from crm_analysis.scorecard import Scorecard
from crm_analysis.value.interval import Interval


@dataclass(frozen=True, eq=False)
class Overview:
    """What the overview speaks of."""

    chapter: Chapter
    scorecard: Scorecard
    quality: Memory
    value: Memory
    equity: Memory
    segments: Memory

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts of the book, warnings first."""
        found = [*self.value.alerts, *self.equity.alerts, *self.segments.alerts, *self.quality.alerts]
        return tuple(sorted(found, key=lambda alert: alert.severity != "warning"))

    @property
    def warnings(self) -> int:
        """How many of them are warnings."""
        return sum(alert.severity == "warning" for alert in self.alerts)


def gather(chapter: Chapter) -> Overview:
    """Take what the chapters before left on the shelf."""
    quality, value, equity, segments = (
        chapter.recall(key) for key in ("data_quality", "customer_value", "customer_equity", "segments")
    )
    facts = equity.facts
    interval = Interval(facts["lower"], facts["upper"], facts["level"], tuple(facts["contains"]))
    expected = Interval(
        facts["parameters_lower"],
        facts["parameters_upper"],
        facts["level"],
        tuple(facts.get("parameters_contain", ["parameters"])),
    )
    scorecard = Scorecard(chapter.read("history"), chapter.period, interval, expected, chapter.settings.report.targets)
    overview = Overview(chapter, scorecard, quality, value, equity, segments)
    chapter.remember(headline=_title(overview), warnings=overview.warnings, status=_status(overview))
    return overview


def headline(overview: Overview) -> Headline:
    """Say where the base stands in one sentence."""
    chapter = overview.chapter
    return Headline(
        over=_("Overview, {period}", period=month_of(str(chapter.period))),
        title=_title(overview),
        status=(
            _status(overview),
            _("Data to {day}", day=day(date.fromisoformat(overview.quality.facts["last_day"]))),
            _(
                "Compared with {month} and {year}",
                month=month_of(str(chapter.period.shift(-1))),
                year=month_of(str(chapter.period.shift(-12))),
            ),
            currency_name(chapter.currency),
        ),
    )


def alerts(overview: Overview) -> Alerts:
    """What to read first."""
    return Alerts(overview.alerts)


def tiles(overview: Overview) -> Tiles:
    """Six indicators with their change."""
    card, chapter = overview.scorecard, overview.chapter
    worth = _(
        "{level} interval {lower} to {upper}. Discounted margin of the next {horizon}, {customers}.",
        level=percent(card.equity_interval.level, 0),
        lower=short_money(card.equity_interval.lower, chapter.currency),
        upper=short_money(card.equity_interval.upper, chapter.currency),
        horizon=_horizon(overview),
        customers=_("current customers")
        if overview.equity.facts["potential"] is None
        else _("of current customers and those expected to join, net of their cost"),
    )
    revenue = _(
        "In {month}, net of refunds: {orders} orders of {mean} on average.",
        month=month_name(chapter.as_of),
        orders=count(card.value("orders")),
        mean=money(card.value("order_value"), chapter.currency),
    )
    active = _("Bought in the last {days} days.", days=count(chapter.settings.forecast.active_days))
    joined = ""
    if overview.quality.facts["is_one_group"]:
        joined = _(
            "First purchase in the month. This log follows customers who first bought by {day}.",
            day=overview.quality.facts["last_newcomer"],
        )
    units = {"equity": worth, "customers": "", "active_customers": active, "new_customers": joined, "repeat_rate": ""}
    return indicators.indicator_tiles(chapter, card, units | {"revenue": revenue})


def findings(overview: Overview) -> Findings:
    """A few sentences with their evidence."""
    told = (_equity_finding(overview), *_movement_finding(overview), _holders_finding(overview))
    return Findings((*told, _active_finding(overview)))


def holders_figure(overview: Overview) -> Figure:
    """Show who holds the value."""
    return tenths_figure(overview.chapter, overview.chapter.read("tenths"), number_=1, name="holders")


def trust_figure(overview: Overview) -> Figure:
    """Show how far to trust the forecast."""
    return tracking_figure(
        overview.chapter.read("tracking"), dict(overview.value.facts), number_=2, name="trust", width=WIDE
    )


def scorecard_table(overview: Overview) -> Table:
    """List every indicator beside the month before, the year before, and its target."""
    return indicators.scorecard_table(overview.chapter, overview.scorecard)


def chapter_list(overview: Overview) -> ChapterList:
    """Point to the other chapters, each as its question."""
    answers = {
        "data_quality": plural("{n} row read.", "{n} rows read.", overview.quality.facts["rows"]),
        "customer_value": _(
            "The top tenth holds {share} of the value.", share=percent(overview.value.facts["top_tenth_share"])
        )
        if overview.scorecard.value("equity") > 0
        else "",
        "customer_equity": _(
            "{equity} within {horizon}.",
            equity=short_money(overview.equity.facts["equity"], overview.chapter.currency),
            horizon=_horizon(overview),
        ),
        "segments": _(
            "{customers} {tier} customers hold {share}.",
            customers=count(overview.segments.facts["top_tier_customers"]),
            tier=_(overview.segments.facts["top_tier"]),
            share=percent(overview.segments.facts["top_tier_share"]),
        )
        if overview.segments.facts["top_tier_share"] is not None
        else "",
    }
    return ChapterList(
        tuple(
            (one.page, _(one.title), f"{_(one.question)} {answers.get(one.key, '')}".strip())
            for one in CHAPTERS
            if one.key != "overview"
        )
    )


def _horizon(overview: Overview) -> str:
    return horizon_words(overview.equity.facts["horizon"], overview.chapter.settings.forecast.time_unit)


def _title(overview: Overview) -> str:
    card = overview.scorecard
    worth = short_money(card.value("equity"), overview.chapter.currency)
    active = card.value("active_customers") - card.value("active_customers", 1)
    verdict = card.verdict("equity", 1)
    if card.value("equity", 1) != card.value("equity", 1):
        return _("Customer equity is {equity}", equity=worth)
    if verdict in ("no clear change", "unchanged"):
        if active < 0:
            return _("Customer equity is {equity}, no clear change, while fewer customers buy", equity=worth)
        return _("Customer equity is {equity}, no clear change", equity=worth)
    if verdict == "better":
        if active < 0:
            return _("Customer equity rises to {equity} although fewer customers buy", equity=worth)
        return _("Customer equity rises to {equity}", equity=worth)
    if active < 0:
        return _("Customer equity falls to {equity} as fewer customers buy", equity=worth)
    return _("Customer equity falls to {equity}", equity=worth)


def _status(overview: Overview) -> str:
    if overview.warnings:
        return plural("Published with {n} warning", "Published with {n} warnings", overview.warnings)
    return _("Published without warnings")


def _equity_finding(overview: Overview) -> Finding:
    card, currency = overview.scorecard, overview.chapter.currency
    change = card.value("equity") - card.value("equity", 1)
    href, link = "customer-equity.html#history", _("Thirteen months of equity")
    month = month_name(overview.chapter.as_of)
    if change != change:
        return Finding(
            _(
                "Customer equity is {equity}; there is no month before to compare with.",
                equity=short_money(card.value("equity"), currency),
            ),
            href,
            link,
        )
    width = card.expected_interval.width
    size = short_money(abs(change), currency)
    if card.verdict("equity", 1) == "no clear change":
        share = percent(abs(change) / width)
        text = (
            _(
                "Valued alike, {month} moved equity up by {size}, {share} of the width of its 95% interval: no clear "
                "change.",
                month=month,
                size=size,
                share=share,
            )
            if change > 0
            else _(
                "Valued alike, {month} moved equity down by {size}, {share} of the width of its 95% interval: no "
                "clear change.",
                month=month,
                size=size,
                share=share,
            )
        )
    elif change > 0:
        text = _("Valued alike, {month} raised equity by {size}, more than its doubt.", month=month, size=size)
    else:
        text = _("Valued alike, {month} lowered equity by {size}, more than its doubt.", month=month, size=size)
    return Finding(text, href, link)


def _movement_finding(overview: Overview) -> tuple[Finding, ...]:
    """What moved equity since the book before; nothing where there is none to compare with."""
    bridge = overview.chapter.find("equity_bridge")
    if bridge is None:
        return ()
    words = movement_words(bridge, overview.chapter.currency) + "."
    return (Finding(words, "customer-equity.html#bridge", _("What moved it, step by step")),)


def _holders_finding(overview: Overview) -> Finding:
    facts = overview.value.facts
    text = (
        _(
            "One customer in twenty holds {share} of the value, the top tenth {tenth}.",
            share=percent(facts["top_twentieth_share"]),
            tenth=percent(facts["top_tenth_share"]),
        )
        if overview.scorecard.value("equity") > 0
        else _("Serving the base costs more than its margin brings; some customers are worth less than nothing.")
    )
    return Finding(text, "#holders", _("Figure 1, who holds the value"))


def _active_finding(overview: Overview) -> Finding:
    card = overview.scorecard
    line = card.history["active_customers"].dropna()
    now, before = card.value("active_customers"), card.value("active_customers", 1)
    others = line.iloc[:-1]
    values = {"now": count(now), "months": count(len(line))}
    if now < before and now < others.min():
        text = _("The active base fell to {now}, the lowest in {months} months.", **values)
    elif now > before and now > others.max():
        text = _("The active base rose to {now}, the highest in {months} months.", **values)
    elif now < before:
        text = _("The active base fell to {now}.", **values)
    elif now > before:
        text = _("The active base rose to {now}.", **values)
    else:
        text = _("The active base stands at {now}.", **values)
    if overview.quality.facts["is_one_group"]:
        text += " " + _("No new customers replace those who leave, because the log follows one group.")
    return Finding(text, "#scorecard", _("Scorecard"))
