"""What pieces about segments share: their tables, what to do with each, and since when a trend is told."""

from datetime import date

import pandas as pd

from crm_analysis.messages import _, day
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.migration import Migration
from crm_analysis.value.segment_table import segment_table
from crm_analysis.value.valued import Valued


def segments_of(values: Valued, by: pd.Series) -> pd.DataFrame | None:
    """Return the table of some segments; None where everybody is in one."""
    return segment_table(values, by) if len(by.dropna().unique()) > 1 else None


def treatments_piece(
    chapter: Chapter, table: pd.DataFrame, *, name: str, first: str, finding: str, what: str, counted: str = ""
) -> Table:
    """List segments with their worth, their trend, and what to do with each; `counted` are customers, or members."""
    frame = table.reset_index(names="segment")
    frame["label"] = [
        f"{_(str(one)).capitalize()}\n{meaning}" for one, meaning in zip(table.index, table["meaning"], strict=True)
    ]
    return Table(
        name=name,
        number=0,
        finding=finding,
        what=what,
        frame=frame,
        columns=(
            Column("label", first, kind="text", sortable=False),
            Column("customers", counted or _("Customers"), kind="count", sortable=False),
            money_column("worth", _("Worth"), chapter),
            Column("trend", _("Trend"), kind="text", sortable=False),
            Column("action", _("What to do"), kind="text", sortable=False),
        ),
        downloads=chapter.download(name, table),
    )


def moves_table(chapter: Chapter, moved: Migration, *, since: date, finding: str, what: str) -> Table:
    """List who moved from tier to tier since a day."""
    # Nobody can be gone from a log that only grows, unless purchases were taken back.
    counts = moved.counts.loc[:, (moved.counts != 0).any()]
    frame = counts.reset_index(names="from")
    keys = [f"to_{place}" for place in range(len(counts.columns))]
    frame = frame.set_axis(["from", *keys], axis=1)
    frame["from"] = [_(str(tier)).capitalize() for tier in frame["from"]]
    columns = [
        Column(key, _(str(tier)).capitalize(), _("now"), kind="count", sortable=False)
        for key, tier in zip(keys, counts.columns, strict=True)
    ]
    return Table(
        name="migration",
        number=0,
        finding=finding,
        what=what,
        frame=frame,
        columns=(Column("from", _("On {day}", day=day(since)), kind="text", sortable=False), *columns),
        downloads=chapter.download("migration", moved.flows),
    )


def money_column(key: str, title: str, chapter: Chapter) -> Column:
    """A column of whole amounts in the currency of the company."""
    return Column(key, title, chapter.currency, kind="money", currency=chapter.currency, digits=0, sortable=False)


def since_words(divided: Divided) -> str:
    """Say since when a trend is told, if it is."""
    if divided.before is None:
        return _("The log does not reach back a quarter, so there is no trend.")
    return _(
        "Trend since {day}, both dates valued with the models of today, so that only customers differ.",
        day=day(divided.since),
    )
