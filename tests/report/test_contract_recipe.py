"""The recipe of docs/contracts.md on the public tables, where these are there, and the books they make."""

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from crm_analysis import check_renewals, contract_values, fit_sbg

from .club import Club, figure_numbers, run_chapters, words

PROJECT = Path(__file__).parents[2]
SHARED = PROJECT.parent / "shared"

pytestmark = [
    pytest.mark.skipif(
        not (SHARED / "data" / "gym_churn_us.csv").is_file(), reason="the public tables are not beside the project"
    ),
    # What the gym's table lacks makes its estimates doubtful, which its page tells.
    pytest.mark.filterwarnings("ignore::crm_analysis.errors.EstimationWarning"),
]

SETTINGS = """
[sources.memberships]
path = "data/raw/{name}.csv"
[money]
margin = 0.4
horizon = "60 months"
{fees}
[forecast]
draws = 100
holdout = "{holdout}"
[acquisition]
source = "none"
[report]
notebooks = '{notebooks}'
"""


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """The tables that the recipe writes."""
    place = tmp_path_factory.mktemp("recipe")
    (place / "shared").symlink_to(SHARED)
    project = place / "project"
    (project / "data" / "raw").mkdir(parents=True)
    [code] = re.findall(r"```python\n(.*?)```", (PROJECT / "docs" / "contracts.md").read_text(), flags=re.DOTALL)
    before = Path.cwd()
    os.chdir(project)
    try:
        exec(compile(code, "docs/contracts.md", "exec"), {})
    finally:
        os.chdir(before)
    return project / "data" / "raw"


def company(raw: Path, name: str, *, fees: str, holdout: str) -> Club:
    root = raw.parents[1]
    text = SETTINGS.format(name=name, fees=fees, holdout=holdout, notebooks=PROJECT / "notebooks")
    (root / "crm.toml").write_text(text)
    return Club(root)


def cohorts(raw: Path, until: str) -> pd.DataFrame:
    table = pd.read_csv(raw / "cohorts.csv", parse_dates=["started_on", "ended_on"])
    return table.assign(ended_on=table["ended_on"].where(table["ended_on"] <= until))


def test_the_cohorts_of_the_recipe_give_the_published_estimates(raw):
    """Fader & Hardie (2007): .704 and 1.182 for the regular cohort, fitted to seven years."""
    table = cohorts(raw, "2002-12-31")
    fit = fit_sbg(memberships=table[table["plan"] == "regular"], as_of="2002-12-31")
    assert fit.params == pytest.approx((0.704, 1.182), abs=1e-3)


def test_years_eight_to_twelve_come_out_within_what_seven_years_foretold(raw):
    terms = {"fee": 100.0, "annual_discount_rate": 0.1, "horizon": "60 months", "margin": 0.4}
    values = contract_values(cohorts(raw, "2002-12-31"), as_of="2002-12-31", **terms)
    years = [f"{year}-12-31" for year in range(2003, 2008)]
    test = check_renewals(values, cohorts(raw, "2007-12-31"), dates=years, draws=200)
    actual = test.tracking["actual"].tolist()
    assert actual == [732, 223 + 468, 207 + 445, 194 + 427, 183 + 409, 173 + 394]
    assert test.tracking["actual"].between(test.tracking["lower"], test.tracking["upper"]).all()
    assert round(test.tracking["expected"].iloc[-1]) == 551


def test_the_cohorts_have_a_book(raw, tmp_path):
    club = company(raw, "cohorts", fees="fee = 100.0", holdout="5 years")
    pages = run_chapters(club, tmp_path, period="2007-12")
    assert "Of 732 contracts running on 31 December 2002, 567 still run; 551 were expected" in words(pages["overview"])
    for html in pages.values():
        found = figure_numbers(html)
        assert found == list(range(1, len(found) + 1))


def test_the_gym_has_a_book_that_warns_of_what_its_table_lacks(raw, tmp_path):
    fees = '[money.fees]\n"1 month" = 30.0\n"6 months" = 150.0\n"12 months" = 260.0'
    pages = run_chapters(company(raw, "gym", fees=fees, holdout="1 month"), tmp_path, period="2024-06")
    assert "2,939 of them running" in words(pages["data_quality"])
    assert "The model did not foresee the held-out months" in words(pages["overview"])
