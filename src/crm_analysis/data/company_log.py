"""The purchase log of a company, opened as its settings describe it."""

from datetime import date
from pathlib import Path
from typing import Any

from crm_analysis.data import engines
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import SettingsError
from crm_analysis.settings import Settings


def open_transactions(
    settings: Settings, *, as_of: date | None = None, transactions: Path | None = None
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

    Raises
    ------
    DataError
        When the source cannot be reached or read, or breaks rules.
    SettingsError
        When the settings name no source.
    """
    source = settings.sources.transactions
    where: Any
    connection = None
    if transactions is not None:
        where = transactions
    elif source.connection is not None:
        where, connection = source.table or "transactions", engines.connect(source.connection)
    elif source.path is not None:
        where = settings.path(source.path)
    else:
        raise SettingsError("crm.toml: give sources.transactions a path, or a connection and a table.")
    return read_transactions(
        where,
        columns=source.columns,
        as_of=as_of,
        connection=connection,
        rules=source.rules,
        currency=settings.company.currency,
        timezone=settings.company.timezone,
        engine=settings.engine,
    )
