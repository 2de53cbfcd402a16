"""A cut translated once for all days is the cut of the day."""

from datetime import date

import pandas as pd
import pytest

from crm_analysis.data import engines
from crm_analysis.data.judging import judge
from crm_analysis.data.sources import read_transactions
from crm_analysis.settings import DoorRules

LOG = pd.DataFrame(
    {
        "customer_id": ["A", "A", "B", None, "B", "A"],
        "order_date": ["2024-01-05", "2024-01-09", "2024-01-09", "2024-02-01", "2024-02-03", "2024-03-01"],
        "amount": [30.0, -10.0, 0.0, 3.5, 8.25, -20.0],
        "order_id": ["O1", "O1", "O2", "O3", "O4", "O1"],
    }
)


@pytest.mark.parametrize("day", [date(2023, 12, 31), date(2024, 1, 9), date(2024, 2, 29), date(2024, 3, 1)])
def test_the_table_kept_is_that_of_the_day(day):
    log = read_transactions(LOG, rules=DoorRules(zero_amount="set_aside")).log
    afresh = engines.keep(judge(log, log.lines, day))
    kept = log.judged.keep(day)
    assert kept.schema() == afresh.schema()
    order = ["order_date", "customer_id", "amount"]
    pd.testing.assert_frame_equal(
        kept.to_pandas().sort_values(order, ignore_index=True), afresh.to_pandas().sort_values(order, ignore_index=True)
    )


def test_days_do_not_get_in_each_other_s_way():
    log = read_transactions(LOG).log
    late, early = log.judged.keep(date(2024, 3, 1)), log.judged.keep(date(2024, 1, 5))
    seen = [int((table.outcome.to_pandas() != "after_as_of").sum()) for table in (late, early)]
    assert seen == [6, 1]
