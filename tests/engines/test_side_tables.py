"""The tables beside the log on each engine, in place: the same frames and the same refusals as from a DataFrame."""

from datetime import date

import pandas as pd
import pyarrow as pa
import pytest

from crm_analysis import read_customers, read_exits, read_market, read_memberships, read_prospects
from crm_analysis.errors import DataError

from .loading import Engine
from .questions import IN_PLACE

READERS = {
    "customers": read_customers,
    "memberships": read_memberships,
    "prospects": read_prospects,
    "market": read_market,
    "exits": read_exits,
}
DAYS = [date(2024, 1, 31), None, date(2023, 5, 1)]
TYPED = {
    "customers": {
        "customer_id": [7, 8, 9],
        "acquired_on": DAYS,
        "acquisition_cost": [12.345678, None, 0.0],
        "kind": ["Company", None, "consumer "],
        "employees": [12, None, 7],
        "rating": [0.5, None, 2.0],
        "is_member": [True, None, False],
        "birthday": DAYS,
        "post_code": ["01067", "10115", None],
    },
    "memberships": {"customer_id": ["a", "b", "c"], "started_on": ["2022-01-01"] * 3, "ended_on": DAYS},
    "prospects": {
        "prospect_id": ["a", "a", "b"],
        "stage": [" WON", "lead", "lead"],
        "entered_stage_on": ["2024-01-02", "2024-01-02", "2024-01-03"],
        "has_need": [True, None, False],
        "willingness": [0.25, None, 1.0],
    },
    "market": {"period": ["2024-03", "2024-01-31", "2024-02"], "market_customers": [3, 1, None]},
    "exits": {"customer_id": ["a", "b", "c"], "left_on": ["2024-03-01"] * 3, "reason": [None, "price", " "]},
}


def as_text(columns: dict[str, list]) -> dict[str, list]:
    return {name: [None if pd.isna(value) else str(value) for value in values] for name, values in columns.items()}


@pytest.mark.parametrize("written", ["typed", "text"])
@pytest.mark.parametrize("name", TYPED)
def test_every_engine_gives_the_frame_of_the_frame(place: Engine, name, written):
    columns = as_text(TYPED[name]) if written == "text" else {key: [*values] for key, values in TYPED[name].items()}
    there = place.load(f"{name}_{written}", pa.table(columns))
    expected = READERS[name](pd.DataFrame(columns))
    try:
        pd.testing.assert_frame_equal(READERS[name](there, engine=IN_PLACE).frame, expected.frame)
    finally:
        place.unload()


def test_every_engine_refuses_all_that_is_wrong_at_once(place: Engine):
    columns = {
        "customer_id": ["a", "a", "c", None],
        "acquired_on": ["2024-02-30", None, "x", "2024-01-01"],
        "acquisition_cost": ["1_000", "-2", "1e400", ""],
        "kind": ["robot", "", "company", None],
        "referred_by": ["a", None, "z", None],
    }
    there = place.load("refused", pa.table(columns))
    try:
        with pytest.raises(DataError) as refused:
            read_customers(there, engine=IN_PLACE)
    finally:
        place.unload()
    with pytest.raises(DataError) as expected:
        read_customers(pd.DataFrame(columns))

    def rules(error: pytest.ExceptionInfo) -> list[str]:
        lines = str(error.value).replace("DataFrame", "table refused").splitlines()
        return [line for line in lines if line.startswith("customers (")]

    assert rules(refused) == rules(expected)
    assert len(rules(expected)) == 7
