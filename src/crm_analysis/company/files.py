"""A simulated company as a value, and as the files that a real one would deliver."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pandas as pd

from crm_analysis.company.truth import Truth
from crm_analysis.settings import Sources, TransactionColumns

NAME = "Simulated company"
_RAW = "data/raw/simulated"


@dataclass(frozen=True, eq=False)
class Company:
    """A company that never was: its tables, and the truth behind them. Made by `simulate_company`.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        transactions, customers, memberships, prospects, market, exits, survey, cases, campaigns, contacts, accounts:
        what is known on the as-of date.
    as_of : date
        Last day of the last month.
    truth : Truth
        What was planted, and what comes after.
    seed : int
        What it was drawn from.
    """

    tables: Mapping[str, pd.DataFrame]
    as_of: date
    truth: Truth
    seed: int

    def __repr__(self) -> str:
        count, first, last = len(self.tables["customers"]), self.truth.plan.first_month, self.truth.last_month
        return f"Company(simulated: {count:,} customers, {first} to {last}, seed {self.seed})"

    def write(self, folder: str | Path) -> Path:
        """Write every table as CSV below `folder`, and a `crm.toml` that reads them; return the path of the latter.

        Files of the same names are written over.
        """
        folder = Path(folder)
        raw = folder / _RAW
        raw.mkdir(parents=True, exist_ok=True)
        for name, table in self.tables.items():
            _whole_numbers(table).to_csv(raw / f"{name}.csv", index=False, lineterminator="\n", encoding="utf-8")
        settings = folder / "crm.toml"
        settings.write_text(self._settings(), encoding="utf-8")
        return settings

    def _settings(self) -> str:
        log, customers = self.tables["transactions"], self.tables["customers"]
        margin = log["margin"].sum() / log["amount"].sum()
        months = round((self.as_of - self.truth.plan.first_month.first_day).days / 30.4)
        lines = [
            f"# {NAME}, seed {self.seed}: every customer, order and answer is made up by simulate_company.",
            "",
            "[company]",
            f'name = "{NAME}"',
            f'currency = "{self.truth.plan.currency}"',
            'timezone = "UTC"',
            'language = "en"',
            "",
        ]
        # A table joins once the settings know of it.
        for name in (name for name in self.tables if name in Sources.model_fields):
            lines += [f"[sources.{name}]", f'path = "{_RAW}/{name}.csv"', ""]
        lines += ["[sources.transactions.columns]"]
        lines += [f'{name} = "{name}"' for name in TransactionColumns.model_fields]
        lines += [
            "",
            "[money]                     # rates are annual fractions, costs in the currency above",
            f"margin = {min(1.0, max(0.01, margin)):.4f}",
            "annual_discount_rate = 0.10",
            'horizon = "24 months"',
            f"acquisition_cost = {customers['acquisition_cost'].mean():.2f}",
            "",
            "[forecast]",
            'time_unit = "week"',
            f'holdout = "{max(4, min(39, months))} weeks"',
            f"seed = {self.seed}",
            "",
        ]
        return "\n".join(lines)


def _whole_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """Let marks be written as 7 rather than 7.0, which is how pandas holds them where some are missing."""
    marks = [name for name in table.columns if table[name].dtype == "float64" and (table[name].dropna() % 1 == 0).all()]
    return table.astype(dict.fromkeys(marks, "Int64"))
