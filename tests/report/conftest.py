"""A simulated company in a folder of its own, and one book of it that many tests look at; another of answers alone."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd
import pytest

from crm_analysis.company import simulate_company
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDParams
from crm_analysis.report import book as book_module
from crm_analysis.report.book import Book, build_book
from crm_analysis.report.notebooks import run_notebook
from crm_analysis.settings import Settings, load_settings

PROJECT = Path(__file__).parents[2]
PERIOD = "2024-06"
# A name that breaks a page where anything forgets to escape it.
COMPANY = 'Simulated <b>Shop</b> & "Sons"'

SETTINGS = """
[company]
name = '{company}'
currency = "EUR"
timezone = "Europe/Berlin"

[sources.transactions]
path = "data/raw/orders.csv"

[sources.transactions.columns]
customer_id = "Customer ID"
order_date = "Date"
amount = "Total"
order_id = "Order"

[money]
margin = 0.4
horizon = "12 months"
cost_to_serve_per_year = 1.5
acquisition_cost = 4.0

[forecast]
holdout = "20 weeks"
draws = 100
seed = 5

[report]
notebooks = '{notebooks}'
{report}

[report.targets]
active_customers = 100
equity = 1e9
"""


@dataclass(frozen=True)
class Project:
    """A company's folder, and the notebooks of its book as papermill left them, where they were kept."""

    root: Path
    executed: dict[str, nbformat.NotebookNode] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return load_settings(self.root / "crm.toml")

    @property
    def log(self) -> Path:
        return self.root / "data" / "raw" / "orders.csv"

    def build(self, **options: object) -> Book:
        return build_book(PERIOD, settings=self.settings, **options)


def _simulated_orders(customers: int = 500, seed: int = 20240630) -> pd.DataFrame:
    """A simulated shop that gains customers all along: two and a half years, with the oddities of real logs."""
    rng = np.random.default_rng(seed)
    days = 912  # 1 January 2022 to 30 June 2024
    first = np.sort(rng.integers(0, days - 1, size=customers))
    events = bgnbd.simulate(BGNBDParams(0.7, 8.0, 0.7, 2.5), (days - first) / 7, rng)
    owner = np.concatenate([np.arange(customers), events["customer"]])
    day = np.concatenate([first, first[events["customer"]] + np.ceil(events["time"] * 7).astype(int)])
    scale = rng.gamma(4.0, 10.0, size=customers)
    frame = pd.DataFrame(
        {
            "Customer ID": [f"<script>alert({i})</script>" if i == 0 else f"K{i:04d}" for i in owner],
            "Date": (pd.Timestamp("2022-01-01") + pd.to_timedelta(day, unit="D")).strftime("%Y-%m-%d"),
            "Total": np.round(scale[owner] * rng.gamma(6.0, 1 / 6, size=len(owner)), 2) + 0.01,
        }
    )
    frame = frame[frame["Date"] < "2024-07-01"].sort_values(["Date", "Customer ID"], ignore_index=True)
    frame["Order"] = [f"R{i:05d}" for i in range(len(frame))]
    odd = pd.DataFrame(
        {
            "Customer ID": ["", frame.loc[10, "Customer ID"], "K0499"],
            "Date": ["2024-05-05", frame.loc[10, "Date"], "2024-07-15"],
            "Total": [12.5, -round(frame.loc[10, "Total"] / 2, 2), 99.0],
            "Order": ["X1", frame.loc[10, "Order"], "X3"],
        }
    )
    return pd.concat([frame, odd], ignore_index=True)


@pytest.fixture(scope="session")
def simulated_orders() -> Callable[..., pd.DataFrame]:
    return _simulated_orders


@pytest.fixture(scope="session")
def make_project(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Project]:
    def make(*, notebooks: Path | str = PROJECT / "notebooks", report: str = "", orders: pd.DataFrame | None = None):
        root = tmp_path_factory.mktemp("company")
        (root / "data" / "raw").mkdir(parents=True)
        text = SETTINGS.format(company=COMPANY, notebooks=notebooks, report=report)
        (root / "crm.toml").write_text(text, encoding="utf-8")
        orders = _simulated_orders() if orders is None else orders
        orders.to_csv(root / "data" / "raw" / "orders.csv", index=False)
        return Project(root)

    return make


@pytest.fixture(scope="session")
def project(make_project: Callable[..., Project]) -> Project:
    """A company with one published book; tests that change anything make their own."""
    made = make_project()

    def run_and_keep(source: Path, *where: object) -> nbformat.NotebookNode:
        made.executed[source.stem] = run_notebook(source, *where)
        return made.executed[source.stem]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(book_module, "run_notebook", run_and_keep)
        made.build()
    return made


@pytest.fixture(scope="session")
def twin(make_project: Callable[..., Project]) -> Project:
    """The same company once more, with a book of its own, for the tests that spoil and mend."""
    made = make_project()
    made.build()
    return made


@pytest.fixture(scope="session")
def book(project: Project) -> Book:
    return project.build()


ASKED = """
[company]
name = "{company}"
currency = "EUR"

[sources.survey]
path = "survey.csv"

[forecast]
draws = 100

[report]
notebooks = '{notebooks}'
"""


@dataclass(frozen=True)
class Surveys:
    """Two folders of who has a survey alone, and what the command that made their books in one run said."""

    root: Path
    answers: pd.DataFrame
    said: subprocess.CompletedProcess[str]

    @property
    def settings(self) -> Settings:
        """Those of the first, which asked much."""
        return load_settings(self.root / "much" / "crm.toml")


@pytest.fixture(scope="session")
def survey_books(tmp_path_factory: pytest.TempPathFactory) -> Surveys:
    """Two published books of simulated answers: of a survey with everything in it, and of one with one question."""
    root = tmp_path_factory.mktemp("surveys")
    survey = simulate_company(seed=11, customers=900, months=36).tables["survey"]
    answers = survey[survey["wave"] >= "2023"]
    odd = answers.tail(1).assign(respondent_id="R999999", wave="2024-06")
    few = answers[["respondent_id", "wave", "overall_satisfaction"]].head(40)
    tables = {"much": pd.concat([answers, odd]), "little": few}
    for name, table in tables.items():
        (root / name).mkdir()
        table.to_csv(root / name / "survey.csv", index=False)
        text = ASKED.format(company=f"Simulated answers, {name} & more", notebooks=PROJECT / "notebooks")
        (root / name / "crm.toml").write_text(text, encoding="utf-8")
    files = [word for name in tables for word in ("--settings", str(root / name / "crm.toml"))]
    said = subprocess.run(
        [sys.executable, "-m", "crm_analysis.cli", "report", "--period", "2023-12", *files],
        cwd=root, capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip
    return Surveys(root, tables["much"], said)


@pytest.fixture(scope="session")
def survey_book(survey_books: Surveys) -> Book:
    """The book of the survey with everything in it."""
    return build_book("2023-12", settings=survey_books.settings)
