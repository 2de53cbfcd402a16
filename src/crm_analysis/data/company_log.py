"""The purchase log of a company and the tables beside it, opened as its settings describe them."""

import contextlib
from datetime import date
from pathlib import Path
from typing import Any

from ibis.backends import BaseBackend

from crm_analysis.data import engines
from crm_analysis.data.contracts import SIDE_TABLES, SideName
from crm_analysis.data.deliveries import delivered_files
from crm_analysis.data.loading import NoRows, load_raw
from crm_analysis.data.log_parts import LogPart, added_up, count_parts
from crm_analysis.data.side_door import SideTable, read_side_table
from crm_analysis.data.sources import Transactions, read_deliveries, read_transactions
from crm_analysis.data.survey import Survey
from crm_analysis.data.survey_door import read_survey
from crm_analysis.errors import SettingsError, listing
from crm_analysis.progress import Progress
from crm_analysis.settings import Settings, TransactionSource
from crm_analysis.side_sources import DatedSource, SideSource, SurveySource

# Where the lines of checked deliveries are kept, below the processed tables.
KEPT_IN = "deliveries"


def open_transactions(
    settings: Settings,
    *,
    as_of: date | None = None,
    transactions: Path | None = None,
    progress: Progress | None = None,
) -> Transactions:
    """Read the company's purchase log through the door.

    Parameters
    ----------
    settings : Settings
        Where the log is, what its columns are called, what to do with odd rows.
    as_of : date, optional
        Last day that is seen.
    transactions : Path, optional
        Another file to read by the same rules.
    progress : callable, optional
        Told which delivery is being checked, where the log comes in such.

    Raises
    ------
    DataError
        When the source cannot be reached or read, or breaks rules.
    SettingsError
        When the settings name no source.
    """
    source, company = settings.sources.purchase_log, settings.company
    how: dict[str, Any] = {
        "columns": source.columns,
        "as_of": as_of,
        "rules": source.rules,
        "currency": company.currency,
        "timezone": company.timezone,
        "engine": settings.engine,
        "only": source.only,
        "margins": settings.money.line_margins,
    }
    if transactions is not None:
        return read_transactions(transactions, **how)
    where, connection = _place(settings, source)
    if source.deliveries:
        kept_in = settings.path(settings.report.processed) / KEPT_IN
        return read_deliveries(where, kept_in, **how, progress=progress)
    return read_transactions(where, connection=connection, **how)


def parts_of_log(settings: Settings, column: str) -> list[LogPart]:
    """Return the parts of the company's log by a column as delivered, most rows first; by "" it is one part.

    Nothing is checked here: a part that breaks a rule is refused when it is read, the others are not.

    Raises
    ------
    DataError
        When the source cannot be reached or read.
    SettingsError
        When there is no such column, or when it has too many values.
    """
    source = settings.sources.purchase_log
    where, connection = _place(settings, source)
    files = delivered_files(where) if source.deliveries else [where]
    found = []
    for file in files:
        with contextlib.suppress(*([NoRows] if source.deliveries else [])):
            raw = load_raw(file, connection, settings.engine, source.only)
            with engines.told_plainly(raw.source):
                found += count_parts(raw, column, source, settings.company.currency, settings.company.timezone)
    return added_up(found)


def open_side_table(settings: Settings, name: SideName, *, as_of: date | None = None) -> SideTable | None:
    """Read one of the company's tables beside the purchase log through the door.

    Parameters
    ----------
    settings : Settings
        Where the table is, what its columns are called.
    name : str
        "customers", "memberships", "prospects", "market" or "exits".
    as_of : date, optional
        Last day that is seen.

    Returns
    -------
    SideTable or None
        None where the settings name no such source.

    Raises
    ------
    DataError
        When the source cannot be reached or read, or breaks rules.
    SettingsError
        When there is no table of that name.
    """
    if name not in SIDE_TABLES:
        raise SettingsError(f"there is no table {name!r} beside the purchase log; use {listing(list(SIDE_TABLES))}.")
    source = settings.sources.beside_the_log().get(name)
    if source is None:
        return None
    assert isinstance(source, DatedSource)  # all but the survey
    where, connection = _place(settings, source, name)
    return read_side_table(
        SIDE_TABLES[name],
        where,
        source.columns.model_dump(exclude_none=True),
        as_of,
        connection,
        source.date_format,
        settings.company.timezone,
        settings.engine,
    )


def open_survey(settings: Settings, *, as_of: date | None = None) -> Survey | None:
    """Read the company's survey through the door.

    Parameters
    ----------
    settings : Settings
        Where the survey is, and its codebook.
    as_of : date, optional
        Last day that is seen: waves of months that were not over are not.

    Returns
    -------
    Survey or None
        None where the settings name no such source.

    Raises
    ------
    DataError
        When the source cannot be reached or read, or breaks rules.
    SettingsError
        When the codebook is wrong.
    """
    source = settings.sources.survey
    if source is None:
        return None
    where, connection = _place(settings, source, "survey")
    return read_survey(
        where,
        codebook=settings.survey,
        columns=_named(source),
        as_of=as_of,
        connection=connection,
        wave=source.wave,
        numbered=source.numbered,
        engine=settings.engine,
    )


def _named(source: SurveySource) -> dict[str, str]:
    """Return the columns that were named, and not those that have their own names."""
    columns = source.columns.model_dump(exclude_none=True)
    return {name: called for name, called in columns.items() if called != name}


def _place(
    settings: Settings, source: TransactionSource | SideSource, name: str = "transactions"
) -> tuple[Any, BaseBackend | None]:
    if source.connection is not None:
        return source.table or name, engines.connect(source.connection)
    if source.path is not None:
        return settings.path(source.path), None
    raise SettingsError(f"crm.toml: give sources.{name} a path, or a connection and a table.")
