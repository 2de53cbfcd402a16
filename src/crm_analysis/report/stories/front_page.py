"""What the overviews of a shop and of a club share: scorecard, alerts, headline, status, the list of chapters."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from crm_analysis.messages import N_, _, currency_name, day, month_name, month_of, number, percent, plural, short_money
from crm_analysis.models.interval import Interval
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.contents import SATISFACTION, absent_chapters, chapters_of
from crm_analysis.report.pieces import Alert, Alerts, ChapterList, Finding, Headline
from crm_analysis.report.stories.heard import wave_words
from crm_analysis.report.stories.wording import horizon_words
from crm_analysis.scorecard import Indicator, Scorecard


@dataclass(frozen=True, eq=False)
class Kept:
    """What the chapters before left.

    Attributes
    ----------
    chapter : Chapter
        The overview.
    kept : mapping
        What each chapter left, by its key.
    """

    chapter: Chapter
    kept: Mapping[str, Memory]

    def facts(self, key: str) -> Mapping[str, Any]:
        """Return the numbers a chapter kept."""
        return self.kept[key].facts

    @property
    def alerts(self) -> tuple[Alert, ...]:
        """All alerts of the book, warnings first."""
        found = [alert for memory in self.kept.values() for alert in memory.alerts]
        return tuple(sorted(found, key=lambda alert: alert.severity != "warning"))

    @property
    def warnings(self) -> int:
        """How many of them are warnings."""
        return sum(alert.severity == "warning" for alert in self.alerts)


@dataclass(frozen=True, eq=False)
class FrontPage(Kept):
    """What the overview of a valued base speaks of.

    Attributes
    ----------
    scorecard : Scorecard
        Its indicators.
    """

    scorecard: Scorecard

    @property
    def equity(self) -> str:
        """The equity of the month in short."""
        return short_money(self.scorecard.value("equity"), self.chapter.currency)

    @property
    def horizon(self) -> str:
        """How far the valuation looks, in words."""
        facts = self.facts("customer_equity")
        return horizon_words(facts["horizon"], facts["time_unit"])


def gather_kept(chapter: Chapter, keys: tuple[str, ...], indicators: tuple[Indicator, ...]) -> FrontPage:
    """Take what the chapters before left on the shelf; alerts are told in that order, those of answers last."""
    kept = recall_all(chapter, keys)
    facts = kept["customer_equity"].facts
    realised, expected = (
        Interval(facts[f"{part}lower"], facts[f"{part}upper"], facts["level"], tuple(facts[contents]))
        for part, contents in (("", "contains"), ("parameters_", "parameters_contain"))
    )
    targets = chapter.settings.report.targets
    card = Scorecard(chapter.read("history"), chapter.period, realised, expected, targets, indicators)
    return FrontPage(chapter, kept, card)


def recall_all(chapter: Chapter, keys: tuple[str, ...]) -> dict[str, Memory]:
    """Return what these chapters kept, and after them the one on satisfaction, where the book has it."""
    there = [one.key for one in chapters_of(chapter.settings)]
    return {key: chapter.recall(key) for key in (*keys, SATISFACTION.key) if key in there}


def remember(front: Kept, title: str) -> None:
    """Keep what the manifest and the index of periods say of the book."""
    front.chapter.remember(headline=title, warnings=front.warnings, status=status(front))


def headline_of(front: FrontPage, title: str) -> Headline:
    """Say where the base stands in one sentence, as of when, and compared with what."""
    chapter = front.chapter
    return Headline(
        over=_("Overview, {period}", period=month_of(str(chapter.period))),
        title=title,
        status=(
            status(front),
            _("Data to {day}", day=day(date.fromisoformat(front.facts("data_quality")["last_day"]))),
            _(
                "Compared with {month} and {year}",
                month=month_of(str(chapter.period.shift(-1))),
                year=month_of(str(chapter.period.shift(-12))),
            ),
            currency_name(chapter.currency),
        ),
    )


def alerts(front: Kept) -> Alerts:
    """What to read first."""
    return Alerts(front.alerts)


def status(front: Kept) -> str:
    """Say with how many warnings the book is published."""
    if front.warnings:
        return plural("Published with {n} warning", "Published with {n} warnings", front.warnings)
    return _("Published without warnings")


def chapters(front: Kept, answers: Mapping[str, str]) -> ChapterList:
    """Point to the other chapters, each as its question and its answer, and say which tables would add some."""
    settings = front.chapter.settings
    if SATISFACTION.key in front.kept:
        answers = {**answers, SATISFACTION.key: satisfaction_words(front)}
    there = tuple(
        (one.page, _(one.title), f"{_(one.question)} {answers.get(one.key, '')}".strip())
        for one in chapters_of(settings)
        if one.key != "overview"
    )
    absent = tuple(
        ("", _(one.title), _("Not in this book: no table is named under [sources.{table}] in crm.toml.", table=table))
        for one, table in absent_chapters(settings)
    )
    return ChapterList((*there, *absent))


def satisfaction_words(front: Kept) -> str:
    """Say how satisfied those are who answered, and what goes with it."""
    told = front.facts(SATISFACTION.key)
    wave = wave_words(told["wave"])
    if told.get("satisfaction") is None:
        return plural("{n} respondent in {wave}.", "{n} respondents in {wave}.", told["respondents"], wave=wave)
    words = {
        "mean": number(told["satisfaction"], 1),
        "high": number(told["scale_end"], 0),
        "lower": number(told["lower"], 1),
        "upper": number(told["upper"], 1),
        "wave": wave,
    }
    verdicts = {
        "higher": N_("{mean} of {high} in {wave} (95%: {lower} to {upper}), higher than the wave before."),
        "lower": N_("{mean} of {high} in {wave} (95%: {lower} to {upper}), lower than the wave before."),
        "no real change": N_("{mean} of {high} in {wave} (95%: {lower} to {upper}), no real change."),
    }
    plain = N_("{mean} of {high} in {wave} (95%: {lower} to {upper}).")
    return _(verdicts.get(str(told["verdict"]), plain), **words)


def satisfaction_finding(front: Kept) -> tuple[Finding, ...]:
    """Say the same as a finding; none in a book without a survey."""
    if SATISFACTION.key not in front.kept:
        return ()
    text = _("Satisfaction: {words}", words=satisfaction_words(front))
    return (Finding(text, SATISFACTION.page, _("Satisfaction and loyalty")),)


def equity_finding(front: FrontPage) -> Finding:
    """Say how the month moved equity, both months valued by one method, and whether that is more than its doubt."""
    card, currency = front.scorecard, front.chapter.currency
    change = card.value("equity") - card.value("equity", 1)
    month, size = month_name(front.chapter.as_of), short_money(abs(change), currency)
    if change != change:
        text = _("Customer equity is {equity}; there is no month before to compare with.", equity=front.equity)
    elif card.verdict("equity", 1) in ("no clear change", "unchanged"):
        share = percent(abs(change) / card.expected_interval.width)
        words = {"month": month, "size": size, "share": share}
        text = (
            _(
                "Valued alike, {month} moved equity up by {size}, {share} of the width of its 95% interval: no clear "
                "change.",
                **words,
            )
            if change > 0
            else _(
                "Valued alike, {month} moved equity down by {size}, {share} of the width of its 95% interval: no clear "
                "change.",
                **words,
            )
        )
    elif change > 0:
        text = _("Valued alike, {month} raised equity by {size}, more than its doubt.", month=month, size=size)
    else:
        text = _("Valued alike, {month} lowered equity by {size}, more than its doubt.", month=month, size=size)
    return Finding(text, "customer-equity.html#history", _("Thirteen months of equity"))
