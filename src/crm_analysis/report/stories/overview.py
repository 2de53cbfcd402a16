"""The overview: where the base stands, what changed, what to read first; made from what the other chapters kept."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

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
    points,
    short_money,
)
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.contents import CHAPTERS
from crm_analysis.report.figures.style import WIDE
from crm_analysis.report.pieces import (
    Alert,
    Alerts,
    Change,
    ChapterList,
    Figure,
    Finding,
    Findings,
    Headline,
    Spark,
    Tile,
    Tiles,
)
from crm_analysis.report.stories.customer_value import tenths_figure
from crm_analysis.report.stories.equity_movement import movement_words
from crm_analysis.report.stories.forecast_test import tracking_figure
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.scorecard import INDICATORS, Indicator, Scorecard, Verdict, indicator
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
    shown = ("equity", "customers", "active_customers", "new_customers", "repeat_rate", "revenue")
    return Tiles(
        tuple(_tile(overview, indicator(key)) for key in shown),
        _(
            "Small lines: 13 months, each on its own scale. Filled dot: this month. Open dots: last month and the "
            "same month last year."
        ),
    )


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
    card, chapter = overview.scorecard, overview.chapter
    rows = []
    for one in INDICATORS:
        verdict = card.against_target(one.key)
        rows.append(
            {
                "name": _(one.name),
                "value": _write(one, card.value(one.key), chapter.currency),
                "previous": _write(one, card.value(one.key, 1), chapter.currency),
                "year_ago": _write(one, card.value(one.key, 12), chapter.currency),
                "growth_month": _growth(card, one, 1),
                "growth_year": _growth(card, one, 12),
                "target": _write(one, card.targets.get(one.key), chapter.currency),
                "status": _target_status(verdict),
                "line": _spark(overview, one),
            }
        )
    verdicts = [card.against_target(key) for key in card.targets]
    undecided = sum(verdict == "no clear change" for verdict in verdicts)
    if not card.targets:
        finding = _("Every indicator beside last month and last year")
    elif undecided:
        finding = _(
            "{met} of {all} indicators with a target are on it, {undecided} cannot be told",
            met=count(verdicts.count("better")),
            all=count(len(verdicts)),
            undecided=count(undecided),
        )
    else:
        finding = _(
            "{met} of {all} indicators with a target are on it",
            met=count(verdicts.count("better")),
            all=count(len(verdicts)),
        )
    targets = (
        Column("target", _("Target"), sortable=False),
        Column("status", _("Status"), kind="status", sortable=False),
    )
    period = chapter.period
    return Table(
        name="scorecard",
        number=1,
        finding=finding,
        what=_("Growth is in percent of the earlier value, or in points for a share."),
        frame=pd.DataFrame(rows),
        columns=(
            Column("name", _("Indicator"), kind="text", sortable=False),
            Column("value", month_of(str(period)), sortable=False),
            Column("previous", month_of(str(period.shift(-1))), sortable=False),
            Column("growth_month", _("Growth on the month"), sortable=False),
            Column("year_ago", month_of(str(period.shift(-12))), sortable=False),
            Column("growth_year", _("Growth on the year"), sortable=False),
            *(targets if card.targets else ()),
            Column("line", _("13 months"), kind="spark", sortable=False),
        ),
        downloads=chapter.download("scorecard", card.table),
    )


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


def _tile(overview: Overview, one: Indicator) -> Tile:
    card, chapter = overview.scorecard, overview.chapter
    value = card.value(one.key)
    unit = (
        _(one.definition, days=count(chapter.settings.forecast.active_days))
        if "{days}" in one.definition
        else _(one.definition)
    )
    if one.key == "equity":
        unit = _(
            "{level} interval {lower} to {upper}. Discounted margin of the next {horizon}, {customers}.",
            level=percent(card.equity_interval.level, 0),
            lower=short_money(card.equity_interval.lower, chapter.currency),
            upper=short_money(card.equity_interval.upper, chapter.currency),
            horizon=_horizon(overview),
            customers=_("current customers")
            if overview.equity.facts["potential"] is None
            else _("of current customers and those expected to join, net of their cost"),
        )
    elif one.key == "revenue":
        unit = _(
            "In {month}, net of refunds: {orders} orders of {mean} on average.",
            month=month_name(chapter.as_of),
            orders=count(card.value("orders")),
            mean=money(card.value("order_value"), chapter.currency),
        )
    elif one.key == "new_customers" and overview.quality.facts["is_one_group"]:
        unit = _(
            "First purchase in the month. This log follows customers who first bought by {day}.",
            day=overview.quality.facts["last_newcomer"],
        )
    else:
        unit = unit[:1].upper() + unit[1:] + "."
    return Tile(
        name=_(one.name),
        value=short_money(value, chapter.currency) if one.kind == "money" else _write(one, value, chapter.currency),
        unit=unit,
        changes=tuple(_change(overview, one, back) for back in (1, 12)),
        spark=_spark(overview, one),
    )


def _change(overview: Overview, one: Indicator, back: int) -> Change:
    card = overview.scorecard
    then = month_of(str(overview.chapter.period.shift(-back)))
    difference = card.value(one.key) - card.value(one.key, back)
    if difference != difference:
        return Change("flat", "flat", _("{month}: no figure", month=then), _("not comparable"))
    earlier = card.value(one.key, back)
    if one.kind == "share":
        size = points(difference)
    elif earlier:
        size = percent(abs(card.change(one.key, back)))
    else:
        size = _write(one, abs(difference), overview.chapter.currency)
    verdict = card.verdict(one.key, back)
    word = _verdict_word(verdict)
    colour = {"better": "good", "worse": "bad"}.get(verdict, "flat")
    if difference == 0:
        return Change("flat", "flat", _("Same as {month}", month=then), word)
    if difference > 0:
        return Change("up", colour, _("{size} above {month}", size=size, month=then), word)  # type: ignore[arg-type]  # one of the three
    return Change("down", colour, _("{size} below {month}", size=size, month=then), word)  # type: ignore[arg-type]


def _verdict_word(verdict: Verdict) -> str:
    return {
        "better": _("better"),
        "worse": _("worse"),
        "unchanged": _("unchanged"),
        "no clear change": _("no clear change"),
        "neutral": _("neither better nor worse"),
    }[verdict]


def _target_status(verdict: Verdict | None) -> Change | None:
    if verdict is None:
        return None
    if verdict == "no clear change":
        return Change("flat", "flat", _("Target inside interval"), "")
    if verdict == "better":
        return Change("up", "good", _("On target"), "")
    return Change("down", "bad", _("Below target"), "")


def _spark(overview: Overview, one: Indicator) -> Spark:
    card, currency = overview.scorecard, overview.chapter.currency
    line = card.history[one.key]
    seen = line.dropna()
    if seen.empty:
        return Spark(tuple(float(value) for value in line), _("{name}: no figures", name=_(one.name)))
    label = _(
        "{name}, {first} to {last}: from {start} to {end}; lowest {low} in {low_month}, highest {high} in {high_month}",
        name=_(one.name),
        first=month_of(str(seen.index[0])),
        last=month_of(str(seen.index[-1])),
        start=_write(one, seen.iloc[0], currency),
        end=_write(one, seen.iloc[-1], currency),
        low=_write(one, seen.min(), currency),
        low_month=month_of(str(seen.idxmin())),
        high=_write(one, seen.max(), currency),
        high_month=month_of(str(seen.idxmax())),
    )
    return Spark(tuple(float(value) for value in line), label)


def _write(one: Indicator, value: float | None, currency: str) -> str:
    if one.kind == "money":
        return money(value, currency)
    return percent(value, 1) if one.kind == "share" else count(value)


def _growth(card: Scorecard, one: Indicator, back: int) -> str:
    change = card.change(one.key, back)
    if change != change:
        return "–"
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return sign + (points(change) if one.kind == "share" else percent(abs(change)))


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
                "{month} moved equity up by {size}, {share} of the width of its 95% interval: no clear change.",
                month=month,
                size=size,
                share=share,
            )
            if change > 0
            else _(
                "{month} moved equity down by {size}, {share} of the width of its 95% interval: no clear change.",
                month=month,
                size=size,
                share=share,
            )
        )
    elif change > 0:
        text = _("{month} raised equity by {size}, more than its doubt.", month=month, size=size)
    else:
        text = _("{month} lowered equity by {size}, more than its doubt.", month=month, size=size)
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
