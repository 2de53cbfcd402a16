"""What many tests share: published figures, CDNOW as a summary and as a log, and who runs what with several workers."""

import importlib.util
import tomllib
from datetime import date
from pathlib import Path

import hypothesis
import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.samples import load_cdnow, load_cdnow_sample
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers

# How long an example takes is the machine's affair: speed is measured in benchmarks/, beside a peer.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

TESTS = Path(__file__).parent
SHARED = TESTS.parents[1] / "shared"
AS_OF = date(1998, 6, 30)


# What takes a minute to make is made by one worker: tests that look at the simulated company's book stay together, so
# do those that share a database server and a Spark, and any other file stays whole.
BOOK = {"project", "twin", "book", "survey_books", "survey_book"}
ENGINES = TESTS / "engines"


@pytest.hookimpl(tryfirst=True)  # the workers read the marks in the same hook
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    with_book = {item.path for item in items if BOOK & set(getattr(item, "fixturenames", ()))}
    for item in items:
        group = "book" if item.path in with_book else str(item.path)
        item.add_marker(pytest.mark.xdist_group("engines" if item.path.is_relative_to(ENGINES) else group))


class Published:
    """The published figures by id; `check` compares with the tolerance that belongs to them."""

    def __init__(self) -> None:
        self._figures: dict[str, dict] = {}
        for path in sorted((TESTS / "reference").glob("*.toml")):
            figures = tomllib.loads(path.read_text())
            assert not figures.keys() & self._figures.keys(), f"{path.name} repeats an id"
            self._figures |= figures

    def __getitem__(self, figure: str) -> dict:
        return self._figures[figure]

    def column(self, figure: str, name: str) -> np.ndarray:
        return np.array(self._figures[figure][name], dtype=float)

    def check(self, figure: str, result: object) -> None:
        expected = self._figures[figure]
        np.testing.assert_allclose(
            np.asarray(result, dtype=float),
            expected["values"],
            rtol=expected.get("rel", 0),
            atol=expected.get("abs", 0),
            err_msg=f"{figure}: {expected['source']}",
        )


@pytest.fixture(scope="session")
def published() -> Published:
    return Published()


@pytest.fixture(scope="session")
def cdnow_summary() -> CustomerSummary:
    """The published summary of the CDNOW sample, times rounded to two decimals, as lifetimes ships it."""
    folder = Path(importlib.util.find_spec("lifetimes").submodule_search_locations[0]) / "datasets"
    frame = pd.read_csv(folder / "cdnow_customers_summary_with_transactions.csv", index_col=0)
    frame.columns = ["frequency", "recency", "T", "monetary_value"]
    frame.index = frame.index.astype(str).rename("customer_id")
    return CustomerSummary(frame, "week", date(1997, 9, 30))


@pytest.fixture(scope="session")
def cdnow_sample_log() -> CustomerSummary:
    return summarize_customers(load_cdnow_sample(), as_of=date(1997, 9, 30))


@pytest.fixture(scope="session")
def cdnow() -> Transactions:
    return read_transactions(load_cdnow(), as_of=AS_OF)


@pytest.fixture(scope="session")
def cdnow_customers(cdnow: Transactions) -> CustomerSummary:
    return summarize_customers(cdnow, as_of=AS_OF, annual_discount_rate=0.10)
