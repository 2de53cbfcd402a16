"""The chapters of the book, in the order in which they run. A new chapter is one more line here."""

from dataclasses import dataclass
from typing import Literal

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_


@dataclass(frozen=True)
class ChapterEntry:
    """One chapter.

    Attributes
    ----------
    key : str
        Name of its notebook (`notebooks/<key>.ipynb`) and of its facts.
    page : str
        File name in the book.
    title, question : str
        For the reader; to be looked up in the message catalogue.
    layout : {"overview", "chapter"}
        The overview is wide, a chapter has its contents at the side.
    """

    key: str
    page: str
    title: str
    question: str
    layout: Literal["overview", "chapter"] = "chapter"


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


def reading_order() -> tuple[ChapterEntry, ...]:
    """Return the chapters as a reader meets them: the overview first."""
    return (CHAPTERS[-1], *CHAPTERS[:-1])


def entry(key: str) -> ChapterEntry:
    """Return the chapter with this key."""
    for chapter in CHAPTERS:
        if chapter.key == key:
            return chapter
    raise SettingsError(f"unknown chapter {key!r}; the chapters are {', '.join(c.key for c in CHAPTERS)}.")
