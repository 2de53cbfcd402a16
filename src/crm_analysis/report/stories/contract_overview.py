"""The overview of a company of contracts: where the membership stands, what changed, what to read first."""

from crm_analysis.messages import _, count, percent, plural, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.style import WIDE
from crm_analysis.report.pieces import ChapterList, Figure, Finding, Findings, Headline, Note, Tiles
from crm_analysis.report.stories import indicators
from crm_analysis.report.stories.contract_estimates import tracking_figure
from crm_analysis.report.stories.contract_plans import plans_figure
from crm_analysis.report.stories.equity_movement import movement_words
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
from crm_analysis.scorecard import CONTRACT_INDICATORS
from crm_analysis.value.contract_bridge import STEPS

_CHAPTERS = ("customer_equity", "segments", "data_quality")


def gather(chapter: Chapter) -> FrontPage:
    """Take what the chapters before left on the shelf."""
    front = gather_kept(chapter, _CHAPTERS, CONTRACT_INDICATORS)
    remember(front, _title(front))
    return front


def headline(front: FrontPage) -> Headline:
    """Say where the membership stands in one sentence."""
    return headline_of(front, _title(front))


def tiles(front: FrontPage) -> Tiles:
    """Six indicators with their change."""
    card, currency = front.scorecard, front.chapter.currency
    worth = _(
        "{level} interval {lower} to {upper}. Discounted margin of the next {horizon}.",
        level=percent(card.equity_interval.level, 0),
        lower=short_money(card.equity_interval.lower, currency),
        upper=short_money(card.equity_interval.upper, currency),
        horizon=front.horizon,
    )
    rate = _("Of the {due} contracts up for renewal in the month, or ended.", due=count(card.value("renewals_due")))
    fees = (
        _("Of contracts that began or were renewed in the month, at the fees assumed.")
        if front.facts("customer_equity")["fees_assumed"]
        else ""
    )
    units = {"equity": worth, "members": "", "new_members": "", "lost_members": "", "renewal_rate": rate, "fees": fees}
    return indicators.indicator_tiles(front.chapter, card, units)


def findings(front: FrontPage) -> Findings:
    """A few sentences with their evidence."""
    bridge = front.chapter.find("equity_bridge")
    moved: tuple[Finding, ...] = ()
    if bridge is not None:
        words = movement_words(bridge, front.chapter.currency, since=_("In the month"), names=STEPS) + "."
        moved = (Finding(words, "customer-equity.html#bridge", _("What moved it, step by step")),)
    told = (equity_finding(front), *moved, _members_finding(front), _renewals_finding(front))
    return Findings((*told, *satisfaction_finding(front)))


def plans_held(front: FrontPage) -> Figure | Note:
    """Show which plan holds the worth."""
    return plans_figure(front.chapter, front.chapter.read("plans"), number_=1, name="holders")


def trust_figure(front: FrontPage) -> Figure | Note:
    """Show how far to trust the model: renewals that were not known to it."""
    told = front.facts("customer_equity")["test"]
    shown = 1 if len(front.chapter.read("plans")) else 0
    tracking = front.chapter.read("tracking")
    return tracking_figure(tracking, told, number_=shown + 1, name="trust", width=WIDE)


def scorecard_table(front: FrontPage) -> Table:
    """List every indicator beside the month before, the year before, and its target."""
    return indicators.scorecard_table(front.chapter, front.scorecard)


def chapter_list(front: FrontPage) -> ChapterList:
    """Point to the other chapters, each as its question."""
    quality, segments = front.facts("data_quality"), front.facts("segments")
    answers = {
        "data_quality": plural("{n} row read.", "{n} rows read.", quality["rows"]),
        "customer_equity": _(
            "{equity} within {horizon}.",
            equity=front.equity,
            horizon=front.horizon,
        ),
        "segments": plural(
            "{n} contract comes up for renewal within {days} days.",
            "{n} contracts come up for renewal within {days} days.",
            segments["due"],
            days=count(segments["due_days"]),
        ),
    }
    return chapters(front, answers)


def _title(front: FrontPage) -> str:
    card = front.scorecard
    worth = front.equity
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


def _members_finding(front: FrontPage) -> Finding:
    card = front.scorecard
    words = {
        "now": count(card.value("members")),
        "new": count(card.value("new_members")),
        "back": count(card.value("won_back")),
        "lost": count(card.value("lost_members")),
    }
    text = _("{now} members: {new} joined in the month, {back} came back and {lost} left.", **words)
    return Finding(text, "data-quality.html#months", _("The months of the contracts"))


def _renewals_finding(front: FrontPage) -> Finding:
    facts, currency = front.facts("segments"), front.chapter.currency
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
