"""The overview of a company of contracts: where the membership stands, what changed, what to read first."""

from dataclasses import dataclass
from datetime import date

from crm_analysis.messages import _, count, currency_name, day, month_name, month_of, percent, plural, short_money
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.contents import chapters_of
from crm_analysis.report.figures.style import WIDE
from crm_analysis.report.pieces import Alert, Alerts, ChapterList, Figure, Finding, Findings, Headline, Note, Tiles
from crm_analysis.report.stories import indicators
from crm_analysis.report.stories.contract_estimates import tracking_figure
from crm_analysis.report.stories.contract_plans import plans_figure
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.report.tables import Table
from crm_analysis.scorecard import CONTRACT_INDICATORS, Scorecard
from crm_analysis.value.interval import Interval


@dataclass(frozen=True, eq=False)
class ContractOverview:
    """What the overview speaks of."""

    chapter: Chapter
    scorecard: Scorecard
    quality: Memory
    equity: Memory
    segments: Memory

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts of the book, warnings first."""
        found = [*self.equity.alerts, *self.segments.alerts, *self.quality.alerts]
        return tuple(sorted(found, key=lambda alert: alert.severity != "warning"))

    @property
    def warnings(self) -> int:
        """How many of them are warnings."""
        return sum(alert.severity == "warning" for alert in self.alerts)


def gather(chapter: Chapter) -> ContractOverview:
    """Take what the chapters before left on the shelf."""
    quality, equity, segments = (chapter.recall(key) for key in ("data_quality", "customer_equity", "segments"))
    facts = equity.facts
    realised = Interval(facts["lower"], facts["upper"], facts["level"], tuple(facts["contains"]))
    expected = Interval(
        facts["parameters_lower"], facts["parameters_upper"], facts["level"], tuple(facts["parameters_contain"])
    )
    scorecard = Scorecard(
        chapter.read("history"),
        chapter.period,
        realised,
        expected,
        chapter.settings.report.targets,
        CONTRACT_INDICATORS,
    )
    overview = ContractOverview(chapter, scorecard, quality, equity, segments)
    chapter.remember(headline=_title(overview), warnings=overview.warnings, status=_status(overview))
    return overview


def headline(overview: ContractOverview) -> Headline:
    """Say where the membership stands in one sentence."""
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


def alerts(overview: ContractOverview) -> Alerts:
    """What to read first."""
    return Alerts(overview.alerts)


def tiles(overview: ContractOverview) -> Tiles:
    """Six indicators with their change."""
    card, currency = overview.scorecard, overview.chapter.currency
    worth = _(
        "{level} interval {lower} to {upper}. Discounted margin of the next {horizon}.",
        level=percent(card.equity_interval.level, 0),
        lower=short_money(card.equity_interval.lower, currency),
        upper=short_money(card.equity_interval.upper, currency),
        horizon=_horizon(overview),
    )
    rate = _("Of the {due} contracts up for renewal in the month, or ended.", due=count(card.value("renewals_due")))
    fees = (
        _("Of contracts that began or were renewed in the month, at the fees assumed.")
        if overview.equity.facts["fees_assumed"]
        else ""
    )
    units = {"equity": worth, "members": "", "new_members": "", "lost_members": "", "renewal_rate": rate, "fees": fees}
    return indicators.indicator_tiles(overview.chapter, card, units)


def findings(overview: ContractOverview) -> Findings:
    """Three sentences with their evidence."""
    return Findings((_equity_finding(overview), _members_finding(overview), _renewals_finding(overview)))


def plans_held(overview: ContractOverview) -> Figure | Note:
    """Show which plan holds the worth."""
    return plans_figure(overview.chapter, overview.chapter.read("plans"), number_=1, name="holders")


def trust_figure(overview: ContractOverview) -> Figure | Note:
    """Show how far to trust the model: renewals that were not known to it."""
    told = overview.equity.facts["test"]
    shown = 1 if len(overview.chapter.read("plans")) else 0
    tracking = overview.chapter.read("tracking")
    return tracking_figure(tracking, told, number_=shown + 1, name="trust", width=WIDE)


def scorecard_table(overview: ContractOverview) -> Table:
    """List every indicator beside the month before, the year before, and its target."""
    return indicators.scorecard_table(overview.chapter, overview.scorecard)


def chapter_list(overview: ContractOverview) -> ChapterList:
    """Point to the other chapters, each as its question."""
    quality, equity, segments = (memory.facts for memory in (overview.quality, overview.equity, overview.segments))
    answers = {
        "data_quality": plural("{n} row read.", "{n} rows read.", quality["rows"]),
        "customer_equity": _(
            "{equity} within {horizon}.",
            equity=short_money(equity["equity"], overview.chapter.currency),
            horizon=_horizon(overview),
        ),
        "segments": plural(
            "{n} contract comes up for renewal within {days} days.",
            "{n} contracts come up for renewal within {days} days.",
            segments["due"],
            days=count(segments["due_days"]),
        ),
    }
    return ChapterList(
        tuple(
            (one.page, _(one.title), f"{_(one.question)} {answers.get(one.key, '')}".strip())
            for one in chapters_of(overview.chapter.settings)
            if one.key != "overview"
        )
    )


def _horizon(overview: ContractOverview) -> str:
    return horizon_words(overview.equity.facts["horizon"], "month")


def _title(overview: ContractOverview) -> str:
    card = overview.scorecard
    worth = short_money(card.value("equity"), overview.chapter.currency)
    members = card.value("members") - card.value("members", 1)
    verdict = card.verdict("equity", 1)
    if card.value("equity", 1) != card.value("equity", 1):
        return _("Customer equity is {equity}", equity=worth)
    if verdict in ("no clear change", "unchanged"):
        if members < 0:
            return _("Customer equity is {equity}, no clear change, with fewer members", equity=worth)
        return _("Customer equity is {equity}, no clear change", equity=worth)
    if verdict == "better":
        if members < 0:
            return _("Customer equity rises to {equity} although there are fewer members", equity=worth)
        return _("Customer equity rises to {equity}", equity=worth)
    if members < 0:
        return _("Customer equity falls to {equity}, with fewer members", equity=worth)
    return _("Customer equity falls to {equity}", equity=worth)


def _status(overview: ContractOverview) -> str:
    if overview.warnings:
        return plural("Published with {n} warning", "Published with {n} warnings", overview.warnings)
    return _("Published without warnings")


def _equity_finding(overview: ContractOverview) -> Finding:
    card, currency = overview.scorecard, overview.chapter.currency
    change = card.value("equity") - card.value("equity", 1)
    href, link = "customer-equity.html#history", _("Thirteen months of equity")
    month = month_name(overview.chapter.as_of)
    if change != change:
        text = _(
            "Customer equity is {equity}; there is no month before to compare with.",
            equity=short_money(card.value("equity"), currency),
        )
        return Finding(text, href, link)
    size = short_money(abs(change), currency)
    if card.verdict("equity", 1) in ("no clear change", "unchanged"):
        text = _("{month} moved equity by {size}, which is within its doubt: no clear change.", month=month, size=size)
    elif change > 0:
        text = _("{month} raised equity by {size}, more than its doubt.", month=month, size=size)
    else:
        text = _("{month} lowered equity by {size}, more than its doubt.", month=month, size=size)
    return Finding(text, href, link)


def _members_finding(overview: ContractOverview) -> Finding:
    card = overview.scorecard
    words = {
        "now": count(card.value("members")),
        "new": count(card.value("new_members")),
        "back": count(card.value("won_back")),
        "lost": count(card.value("lost_members")),
    }
    text = _("{now} members: {new} joined in the month, {back} came back and {lost} left.", **words)
    return Finding(text, "data-quality.html#months", _("The months of the contracts"))


def _renewals_finding(overview: ContractOverview) -> Finding:
    facts, currency = overview.segments.facts, overview.chapter.currency
    href, link = "segments.html#due", _("Renewals coming up")
    if not facts["due"]:
        text = _("No contract comes up for renewal within {days} days.", days=count(facts["due_days"]))
        return Finding(text, href, link)
    text = _(
        "Within {days} days {due} contracts come up for renewal; {renewing} are expected to renew. Their members hold "
        "{worth} of the worth.",
        days=count(facts["due_days"]),
        due=count(facts["due"]),
        renewing=count(facts["due_renewing"]),
        worth=short_money(facts["due_worth"], currency),
    )
    return Finding(text, href, link)
