"""How long customers were silent before their last purchase."""

import numpy as np
import pandas as pd

from crm_analysis import last_gaps

LOG = pd.DataFrame(
    {
        "customer_id": ["b", "a", "a", "a", "a", "b"],
        "order_date": ["2024-01-05", "2024-01-01", "2024-01-31", "2024-01-31", "2024-05-10", "2024-06-30"],
        "amount": 5.0,
    }
)


def test_the_last_gap_is_between_the_last_two_purchase_days():
    gaps = last_gaps(LOG, as_of="2024-06-30")
    assert gaps.to_dict() == {"a": 100, "b": 177}


def test_the_log_is_seen_as_it_stood_then():
    gaps = last_gaps(LOG, as_of="2024-02-29")
    assert gaps["a"] == 30
    assert np.isnan(gaps["b"])
