"""A simulated purchase log of any size, the same for the same seed: BG/NBD buying, Gamma-Gamma spending, text ids.

    python benchmarks/purchase_log.py 1000000 log.parquet

Newcomers join through the first of two years, evenly. Rows come in no order, as from a warehouse. It is written a
million customers at a time, so that the generator stays small where the log does not.
"""

import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from crm_analysis.models import bgnbd

FIRST_DAY = date(2022, 1, 1)
DAYS = 730
AS_OF = date(2023, 12, 31)
# CDNOW's estimates (Fader, Hardie & Lee 2005), turned from weeks to days.
PARAMS = bgnbd.BGNBDParams(r=0.243, alpha=4.414 * 7, a=0.793, b=2.426)
SPEND = (6.25, 3.74, 15.44)
CUSTOMERS_AT_ONCE = 1_000_000
SCHEMA = pa.schema([("customer_id", pa.string()), ("order_date", pa.date32()), ("amount", pa.decimal128(18, 2))])


def write_log(path: Path, customers: int, seed: int = 0) -> int:
    """Write the log and return its rows."""
    rows = 0
    with pq.ParquetWriter(path, SCHEMA) as file:
        for start in range(0, customers, CUSTOMERS_AT_ONCE):
            rng = np.random.default_rng([seed, start])
            part = _purchases(np.arange(start, min(start + CUSTOMERS_AT_ONCE, customers)), rng)
            file.write_table(part, row_group_size=500_000)
            rows += len(part)
    return rows


def _purchases(ids: np.ndarray, rng: np.random.Generator) -> pa.Table:
    joined = rng.integers(0, DAYS // 2, len(ids))
    events = bgnbd.simulate(PARAMS, (DAYS - joined).astype(float), rng)
    customer = np.concatenate([np.arange(len(ids)), events["customer"].to_numpy()])
    day = joined[customer] + np.floor(np.concatenate([np.zeros(len(ids)), events["time"].to_numpy()])).astype(int)
    # A simulated purchase in the last, begun day falls on the day after the last: it is left out.
    shuffled = rng.permutation(np.flatnonzero(day < DAYS))
    customer, day = customer[shuffled], day[shuffled]
    p, q, v = SPEND
    rate = rng.gamma(q, 1 / v, len(ids))
    cents = np.maximum(1, np.round(100 * rng.gamma(p, 1 / rate[customer])))
    text = pc.binary_join_element_wise("C", pc.utf8_lpad(pa.array(ids[customer]).cast(pa.string()), 9, "0"), "")
    days_since_1970 = (day + (FIRST_DAY - date(1970, 1, 1)).days).astype(np.int32)
    amount = pa.array(cents / 100).cast(pa.decimal128(18, 2))
    return pa.table([text, pa.array(days_since_1970).cast(pa.date32()), amount], schema=SCHEMA)


if __name__ == "__main__":
    print(write_log(Path(sys.argv[2]), int(sys.argv[1])))
