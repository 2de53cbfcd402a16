"""What pieces about segments share: their tables, what to do with each, and since when a trend is told."""

import pandas as pd

from crm_analysis.messages import _, day
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.segment_table import segment_table


def segments_of(values: CustomerValues, by: pd.Series) -> pd.DataFrame | None:
    """Return the table of some segments; None where all customers are in one."""
    return segment_table(values, by) if len(by.dropna().unique()) > 1 else None


def treatments_piece(chapter: Chapter, table: pd.DataFrame, *, name: str, first: str, finding: str, what: str) -> Table:
    """List segments with their worth, their trend, and what to do with each."""
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
            Column("customers", _("Customers"), kind="count", sortable=False),
            money_column("worth", _("Worth"), chapter),
            Column("trend", _("Trend"), kind="text", sortable=False),
            Column("action", _("What to do"), kind="text", sortable=False),
        ),
        downloads=chapter.download(name, table),
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
