"""The overview of a book that stands on a survey alone: what customers say, and what to read first."""

from crm_analysis.messages import _, month_of, plural
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.contents import SATISFACTION
from crm_analysis.report.pieces import ChapterList, Finding, Findings, Headline
from crm_analysis.report.stories.front_page import (
    Kept,
    chapters,
    recall_all,
    remember,
    satisfaction_finding,
    status,
)
from crm_analysis.report.stories.heard import wave_words


def gather(chapter: Chapter) -> Kept:
    """Take what the chapters before left on the shelf."""
    front = Kept(chapter, recall_all(chapter, ()))
    remember(front, _title(front))
    return front


def headline(front: Kept) -> Headline:
    """Say in one sentence what customers say."""
    told = front.facts(SATISFACTION.key)
    return Headline(
        over=_("Overview, {period}", period=month_of(str(front.chapter.period))),
        title=_title(front),
        lede=_("What those say who answered, and what goes together in their answers; neither need cause the other."),
        status=(
            status(front),
            _("Wave of {wave}", wave=wave_words(told["wave"])),
            plural("{n} respondent", "{n} respondents", told["respondents"]),
        ),
    )


def findings(front: Kept) -> Findings:
    """A few sentences with their evidence."""
    told = front.facts(SATISFACTION.key)["findings"]
    further = (Finding(text, f"{SATISFACTION.page}#{name}", link) for text, name, link in told)
    return Findings((*satisfaction_finding(front), *further))


def chapter_list(front: Kept) -> ChapterList:
    """Point to the other chapters, each as its question."""
    return chapters(front, {})


def _title(front: Kept) -> str:
    return str(front.facts(SATISFACTION.key)["headline"])
