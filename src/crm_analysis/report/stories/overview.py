"""The overview: where the base stands, what changed, what to read first; made from what the other chapters kept."""

from crm_analysis.messages import (
    _,
    count,
    money,
    month_name,
    percent,
    plural,
    short_money,
)
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.style import WIDE
from crm_analysis.report.pieces import (
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
from crm_analysis.report.stories.front_page import (
    FrontPage,
    chapters,
    equity_finding,
    gather_kept,
    headline_of,
    remember,
    satisfaction_finding,
)
from crm_analysis.report.tables import Table
from crm_analysis.scorecard import INDICATORS

_CHAPTERS = ("customer_value", "customer_equity", "segments", "data_quality")


def gather(chapter: Chapter) -> FrontPage:
    """Take what the chapters before left on the shelf."""
    front = gather_kept(chapter, _CHAPTERS, INDICATORS)
    remember(front, _title(front))
    return front


def headline(front: FrontPage) -> Headline:
    """Say where the base stands in one sentence."""
    return headline_of(front, _title(front))


def tiles(front: FrontPage) -> Tiles:
    """Six indicators with their change."""
    card, chapter = front.scorecard, front.chapter
    worth = _(
        "{level} interval {lower} to {upper}. Discounted margin of the next {horizon}, {customers}.",
        level=percent(card.equity_interval.level, 0),
        lower=short_money(card.equity_interval.lower, chapter.currency),
        upper=short_money(card.equity_interval.upper, chapter.currency),
        horizon=front.horizon,
        customers=_("current customers")
        if front.facts("customer_equity")["potential"] is None
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
    if front.facts("data_quality")["is_one_group"]:
        joined = _(
            "First purchase in the month. This log follows customers who first bought by {day}.",
            day=front.facts("data_quality")["last_newcomer"],
        )
    units = {"equity": worth, "customers": "", "active_customers": active, "new_customers": joined, "repeat_rate": ""}
    return indicators.indicator_tiles(chapter, card, units | {"revenue": revenue})


def findings(front: FrontPage) -> Findings:
    """A few sentences with their evidence."""
    told = (equity_finding(front), *_movement_finding(front), _holders_finding(front))
    return Findings((*told, _active_finding(front), *satisfaction_finding(front)))


def holders_figure(front: FrontPage) -> Figure:
    """Show who holds the value."""
    return tenths_figure(front.chapter, front.chapter.read("tenths"), number_=1, name="holders")


def trust_figure(front: FrontPage) -> Figure:
    """Show how far to trust the forecast."""
    return tracking_figure(
        front.chapter.read("tracking"), dict(front.facts("customer_value")), number_=2, name="trust", width=WIDE
    )


def scorecard_table(front: FrontPage) -> Table:
    """List every indicator beside the month before, the year before, and its target."""
    return indicators.scorecard_table(front.chapter, front.scorecard)


def chapter_list(front: FrontPage) -> ChapterList:
    """Point to the other chapters, each as its question."""
    answers = {
        "data_quality": plural("{n} row read.", "{n} rows read.", front.facts("data_quality")["rows"]),
        "customer_value": _(
            "The top tenth holds {share} of the value.", share=percent(front.facts("customer_value")["top_tenth_share"])
        )
        if front.scorecard.value("equity") > 0
        else "",
        "customer_equity": _(
            "{equity} within {horizon}.",
            equity=front.equity,
            horizon=front.horizon,
        ),
        "segments": _(
            "{customers} {tier} customers hold {share}.",
            customers=count(front.facts("segments")["top_tier_customers"]),
            tier=_(front.facts("segments")["top_tier"]),
            share=percent(front.facts("segments")["top_tier_share"]),
        )
        if front.facts("segments")["top_tier_share"] is not None
        else "",
    }
    return chapters(front, answers)


def _title(front: FrontPage) -> str:
    card = front.scorecard
    worth = front.equity
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


def _movement_finding(front: FrontPage) -> tuple[Finding, ...]:
    """What moved equity since the book before; nothing where there is none to compare with."""
    bridge = front.chapter.find("equity_bridge")
    if bridge is None:
        return ()
    words = movement_words(bridge, front.chapter.currency, since=_("Since the last book")) + "."
    return (Finding(words, "customer-equity.html#bridge", _("What moved it, step by step")),)


def _holders_finding(front: FrontPage) -> Finding:
    facts = front.facts("customer_value")
    text = (
        _(
            "One customer in twenty holds {share} of the value, the top tenth {tenth}.",
            share=percent(facts["top_twentieth_share"]),
            tenth=percent(facts["top_tenth_share"]),
        )
        if front.scorecard.value("equity") > 0
        else _("Serving the base costs more than its margin brings; some customers are worth less than nothing.")
    )
    return Finding(text, "#holders", _("Figure 1, who holds the value"))


def _active_finding(front: FrontPage) -> Finding:
    card = front.scorecard
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
    if front.facts("data_quality")["is_one_group"]:
        text += " " + _("No new customers replace those who leave, because the log follows one group.")
    return Finding(text, "#scorecard", _("Scorecard"))
