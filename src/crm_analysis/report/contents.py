"""The chapters of the book, in the order in which they run, for each kind of company.

A new chapter is one more line here.
"""

from dataclasses import dataclass
from typing import Literal

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.settings import Settings


@dataclass(frozen=True)
class ChapterEntry:
    """One chapter.

    Attributes
    ----------
    key : str
        Its part in the book, and the name of its facts.
    page : str
        File name in the book.
    title, question : str
        For the reader; to be looked up in the message catalogue.
    layout : {"overview", "chapter"}
        The overview is wide, a chapter has its contents at the side.
    own_notebook : str
        Name of its notebook, where that is not the key.
    """

    key: str
    page: str
    title: str
    question: str
    layout: Literal["overview", "chapter"] = "chapter"
    own_notebook: str = ""

    @property
    def notebook(self) -> str:
        """File name of its notebook."""
        return f"{self.own_notebook or self.key}.ipynb"


SATISFACTION = ChapterEntry(
    "satisfaction",
    "satisfaction.html",
    N_("Satisfaction and loyalty"),
    N_("How satisfied are customers, and what goes with it?"),
)

CHAPTERS = (
    ChapterEntry(
        "data_quality", "data-quality.html", N_("Data quality"), N_("Which rows were used, and which set aside?")
    ),
    ChapterEntry(
        "customer_value",
        "customer-value.html",
        N_("Customer value"),
        N_("Which customers will buy again, and for how much?"),
    ),
    ChapterEntry(
        "customer_equity",
        "customer-equity.html",
        N_("Customer equity"),
        N_("What is the base worth, and how sure is that?"),
    ),
    ChapterEntry(
        "segments",
        "segments.html",
        N_("Segments and lifecycle"),
        N_("Who holds the worth, where do customers stand, and who is leaving?"),
    ),
    # Last to run, because it speaks of all the others; first to read.
    ChapterEntry("overview", "index.html", N_("Overview"), N_("How does the customer base stand?"), "overview"),
)


# A company of contracts has no purchases to forecast: its chapters play the same parts, on pages of the same names.
CONTRACT_CHAPTERS = (
    ChapterEntry(
        "data_quality",
        "data-quality.html",
        N_("Data quality"),
        N_("Which contracts were used, and where do they stand?"),
        own_notebook="contract_quality",
    ),
    ChapterEntry(
        "customer_equity",
        "customer-equity.html",
        N_("Customer equity"),
        N_("What are the contracts worth, and how sure is that?"),
        own_notebook="contract_equity",
    ),
    ChapterEntry(
        "segments",
        "segments.html",
        N_("Members and plans"),
        N_("Who holds the worth, who stays, and whose renewal is near?"),
        own_notebook="contract_segments",
    ),
    ChapterEntry(
        "overview",
        "index.html",
        N_("Overview"),
        N_("How does the membership stand?"),
        "overview",
        own_notebook="contract_overview",
    ),
)


# Who only asks has answers and no purchases; the chapter that tells of the answers says too which were used.
SURVEY_CHAPTERS = (
    SATISFACTION,
    ChapterEntry(
        "overview",
        "index.html",
        N_("Overview"),
        N_("What do customers say?"),
        "overview",
        own_notebook="survey_overview",
    ),
)


def chapters_of(settings: Settings) -> tuple[ChapterEntry, ...]:
    """Return the chapters of a company's book in the order in which they run; those of tables that there are."""
    if settings.kind == "survey":
        return SURVEY_CHAPTERS
    chapters = CHAPTERS if settings.kind == "shop" else CONTRACT_CHAPTERS
    return chapters if settings.sources.survey is None else (*chapters[:-1], SATISFACTION, chapters[-1])


def absent_chapters(settings: Settings) -> tuple[tuple[ChapterEntry, str], ...]:
    """Return the chapters that a table more would add to the book, and the name of the table."""
    return ((SATISFACTION, "survey"),) if settings.sources.survey is None else ()


def reading_order(settings: Settings) -> tuple[ChapterEntry, ...]:
    """Return the chapters as a reader meets them: the overview first."""
    chapters = chapters_of(settings)
    return (chapters[-1], *chapters[:-1])


def entry(key: str, settings: Settings) -> ChapterEntry:
    """Return the chapter with this key in the book of a company."""
    chapters = chapters_of(settings)
    for chapter in chapters:
        if chapter.key == key:
            return chapter
    raise SettingsError(f"unknown chapter {key!r}; the chapters are {', '.join(c.key for c in chapters)}.")
