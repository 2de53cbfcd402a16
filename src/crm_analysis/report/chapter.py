"""What a notebook holds on to: the period, the settings, the log, and the shelf where chapters leave their tables."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from crm_analysis.data.company_log import open_side_table, open_transactions
from crm_analysis.data.side_door import SideTable
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import SettingsError
from crm_analysis.messages import use_language
from crm_analysis.periods import Month
from crm_analysis.report.contents import ChapterEntry, entry
from crm_analysis.report.pieces import Alert
from crm_analysis.report.pseudonyms import company_key, pseudonyms
from crm_analysis.settings import Settings, load_settings


@dataclass(frozen=True)
class Chapter:
    """A chapter at work. Tables go to `folder` as Parquet, for the next chapter and for any other tool.

    Attributes
    ----------
    entry : ChapterEntry
    period : Month
    settings : Settings
    folder : Path
        `data/processed/<period>`, or its staging place while a book is being built.
    """

    entry: ChapterEntry
    period: Month
    settings: Settings
    folder: Path

    @property
    def as_of(self) -> date:
        """Last day of the period."""
        return self.period.last_day

    @property
    def currency(self) -> str:
        """ISO code of every amount."""
        return self.settings.company.currency

    @cached_property
    def transactions(self) -> Transactions:
        """The purchase log through the door, cut at the end of the period."""
        return open_transactions(self.settings, as_of=self.as_of)

    @cached_property
    def valued_log(self) -> Transactions:
        """The log of those who are valued: all customers, or a random sample where there are more than a book holds."""
        log, most = self.transactions, self.settings.report.customers
        lines = int(log.reconciliation["rows"].iloc[0])
        # Customers need not be counted where even the lines are no more.
        return log if lines <= most else log.sample_of_customers(most)

    @cached_property
    def memberships(self) -> SideTable:
        """The contracts through the door, cut at the end of the period: what a company of contracts lives on."""
        table = open_side_table(self.settings, "memberships", as_of=self.as_of)
        if table is None:
            raise SettingsError("crm.toml names no contracts: name their table under [sources.memberships].")
        return table

    def write(self, name: str, table: pd.DataFrame) -> None:
        """Leave a table on the shelf, as `<name>.parquet`."""
        table.to_parquet(self.folder / f"{name}.parquet")

    def read(self, name: str) -> pd.DataFrame:
        """Take a table that an earlier chapter left."""
        file = self.folder / f"{name}.parquet"
        if not file.is_file():
            raise SettingsError(f"{file.name} is not there yet: run the chapters before {self.entry.key!r} first.")
        return pd.read_parquet(file)

    def download(self, name: str, table: pd.DataFrame) -> tuple[str, ...]:
        """Save a table as CSV and XLSX beside the page, types kept; return the links to them."""
        folder = self.folder / "tables"
        folder.mkdir(exist_ok=True)
        stem = f"{name}-{self.period}"
        flat = table.reset_index()
        flat.map(_no_formula).to_csv(folder / f"{stem}.csv", index=False)
        plain = {"options": {"strings_to_formulas": False, "strings_to_urls": False}}
        with pd.ExcelWriter(folder / f"{stem}.xlsx", engine="xlsxwriter", engine_kwargs=plain) as book:
            # A fixed date, so that equal tables make equal files.
            book.book.set_properties({"created": pd.Timestamp(self.as_of).to_pydatetime()})
            flat.to_excel(book, sheet_name=name[:31], index=False)
        return f"tables/{stem}.csv", f"tables/{stem}.xlsx"

    def names(self, customers: pd.Index) -> list[str]:
        """Return customers as a page may name them: by a keyed code, unless the settings say otherwise."""
        if not self.settings.report.pseudonymise:
            return [str(customer) for customer in customers]
        return pseudonyms(customers, company_key(self.settings.path(self.settings.report.processed)))

    def remember(self, *, alerts: tuple[Alert, ...] = (), **facts: Any) -> None:
        """Keep alerts and numbers for the overview and the manifest, as `<chapter>.json`."""
        content = {"facts": facts, "alerts": [asdict(alert) for alert in alerts]}
        (self.folder / f"{self.entry.key}.json").write_text(json.dumps(content, indent=1), encoding="utf-8")

    def recall(self, chapter: str) -> "Memory":
        """Return what an earlier chapter kept."""
        file = self.folder / f"{chapter}.json"
        if not file.is_file():
            raise SettingsError(f"chapter {chapter!r} has not run yet: run the chapters in order.")
        return Memory.read(file)


@dataclass(frozen=True)
class Memory:
    """What a chapter kept: numbers by name, and its alerts."""

    facts: Mapping[str, Any]
    alerts: tuple[Alert, ...]

    @classmethod
    def read(cls, file: Path) -> "Memory":
        """Read the file `Chapter.remember` wrote."""
        content = json.loads(file.read_text(encoding="utf-8"))
        return cls(content["facts"], tuple(Alert(**alert) for alert in content["alerts"]))


def open_chapter(key: str, *, period: str, settings: str = "crm.toml", workspace: str = "") -> Chapter:
    """Open a chapter for work; the first call of its notebook.

    Parameters
    ----------
    key : str
        The chapter.
    period : str
        Month of the book, "YYYY-MM".
    settings : str
        The settings file; looked for in the working directory and in the folders above it.
    workspace : str
        Folder for the tables; the period's own when empty.

    Returns
    -------
    Chapter
    """
    month = Month.parse(period)
    found = load_settings(_find(settings))
    use_language(found.company.language)
    folder = Path(workspace) if workspace else found.path(found.report.processed) / str(month)
    folder.mkdir(parents=True, exist_ok=True)
    return Chapter(entry(key, found), month, found, folder)


def _no_formula(value: Any) -> Any:
    """Keep a text that a spreadsheet would run, such as an id "=1+1", a text."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@")) else value


def _find(settings: str) -> Path:
    path = Path(settings)
    if path.is_absolute():
        return path
    for folder in (Path.cwd(), *Path.cwd().parents):
        if (folder / path).is_file():
            return folder / path
    return path
