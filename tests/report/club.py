"""A simulated club in a folder of its own: a company of contracts with no purchase log."""

import ast
import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path

import nbformat
import numpy as np
import pandas as pd

from crm_analysis.company.drawing import add_months
from crm_analysis.models import sbg
from crm_analysis.models.sbg import SBGParams
from crm_analysis.report.book import Book, build_book
from crm_analysis.report.contents import chapters_of
from crm_analysis.settings import Settings, load_settings

PROJECT = Path(__file__).parents[2]
PERIOD = "2024-06"
AS_OF = pd.Timestamp("2024-06-30")
PLANS = {"monthly": (1, "1 month", SBGParams(0.9, 7.0)), "yearly": (12, "1 year", SBGParams(0.8, 2.4))}
FEES = {"monthly": 30.0, "yearly": 300.0}

SETTINGS = """
[company]
name = "Club <i>Nord</i>"
currency = "EUR"

[sources.memberships]
path = "members.csv"

[money]
margin = 0.5
horizon = "24 months"
cost_to_serve_per_year = 6.0
acquisition_cost = 15.0
{fees}

[forecast]
draws = 100
seed = 3

[scenarios."Fewer leave"]
leaving = -0.1

[report]
notebooks = '{notebooks}'

[report.targets]
members = 300
lost_members = 5
"""


@dataclass(frozen=True)
class Club:
    """The folder of a club."""

    root: Path

    @property
    def settings(self) -> Settings:
        return load_settings(self.root / "crm.toml")

    @property
    def table(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "members.csv", parse_dates=["started_on", "ended_on"])

    def build(self, **options: object) -> Book:
        return build_book(PERIOD, settings=self.settings, **options)


def simulated_members(members: int = 700, seed: int = 7, *, first: str = "2021-06-01") -> pd.DataFrame:
    """Two plans; members of the yearly one are stored a row a term, and two rows are odd."""
    rng = np.random.default_rng(seed)
    days = (AS_OF - pd.Timestamp(first)).days
    started = pd.Series(pd.Timestamp(first) + pd.to_timedelta(np.sort(rng.integers(0, days, members)), unit="D"))
    plan = np.where(rng.random(members) < 0.6, "monthly", "yearly")
    ids = [f"<script>alert({n})</script>" if n == 0 else f"M{n:04d}" for n in range(members)]
    rows = []
    for name, (months, period, params) in PLANS.items():
        of_it = plan == name
        periods = np.minimum(sbg.simulate(params, int(of_it.sum()), rng), 60).astype(int)
        begins = started[of_it].reset_index(drop=True)
        ends = add_months(begins, periods * months)
        frame = pd.DataFrame({"customer_id": np.array(ids)[of_it], "started_on": begins, "ended_on": ends})
        rows.append(_by_terms(frame) if name == "yearly" else frame.assign(ended_on=ends.where(ends <= AS_OF)))
        rows[-1] = rows[-1].assign(plan=name, renewal_period=period)
    back = rows[0].dropna(subset=["ended_on"]).head(3).assign(started_on=AS_OF - pd.Timedelta(days=40), ended_on=pd.NaT)
    later = rows[0].head(1).assign(customer_id="M9999", started_on=AS_OF + pd.Timedelta(days=10), ended_on=pd.NaT)
    return pd.concat([*rows, back, later], ignore_index=True)


def _by_terms(frame: pd.DataFrame) -> pd.DataFrame:
    """Write a year a row, up to the last that has begun; the running one with its end to come."""
    rows = []
    for member in frame.itertuples():
        begin = member.started_on
        while begin < member.ended_on and begin <= AS_OF:
            end = begin + pd.DateOffset(years=1)
            rows.append((member.customer_id, begin, end - pd.Timedelta(days=1)))
            begin = end
    return pd.DataFrame(rows, columns=["customer_id", "started_on", "ended_on"])


def write_club(root: Path, table: pd.DataFrame, *, fees: str = "", more: str = "") -> Club:
    """Write a club to a folder; without `fees` its table must tell them."""
    table.to_csv(root / "members.csv", index=False, date_format="%Y-%m-%d")
    text = SETTINGS.format(notebooks=PROJECT / "notebooks", fees=fees) + more
    (root / "crm.toml").write_text(text, encoding="utf-8")
    return Club(root)


def run_chapters(club: Club, workspace: Path, *, period: str = PERIOD, only: str = "") -> dict[str, str]:
    """Run the notebooks of a club cell by cell in this process; return the HTML of each chapter's pieces."""
    workspace.mkdir(parents=True, exist_ok=True)
    pages = {}
    for chapter in chapters_of(club.settings):
        if only and chapter.key != only:
            continue
        cells = nbformat.read(PROJECT / "notebooks" / chapter.notebook, as_version=4).cells
        names: dict[str, object] = {}
        shown = []
        for cell in (cell for cell in cells if cell.cell_type == "code"):
            given = {"period": period, "settings": str(club.root / "crm.toml"), "workspace": str(workspace)}
            code = ast.parse(cell.source)
            last = code.body.pop() if isinstance(code.body[-1], ast.Expr) else None
            exec(compile(code, chapter.notebook, "exec"), names)
            names |= given
            if last is not None:
                piece = eval(compile(ast.Expression(last.value), chapter.notebook, "eval"), names)
                shown.append(str(piece.html()))
        pages[chapter.key] = "\n".join(shown)
    return pages


def words(html: str) -> str:
    """The text of a page, tags and drawings taken out."""
    text = re.sub(r"<(script|style|svg).*?</\1>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def figure_numbers(html: str) -> list[int]:
    """Numbers of the figures in the order of the page."""
    captions = re.findall(r"<figcaption[^>]*>(.*?)</figcaption>", html, flags=re.DOTALL)
    return [int(re.search(r"Figure (\d+)", caption)[1]) for caption in captions]
