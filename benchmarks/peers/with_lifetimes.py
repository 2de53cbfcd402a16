"""A log to the discounted value of everybody over 24 months with lifetimes, as its documentation does it.

python benchmarks/peers/with_lifetimes.py log.parquet values.parquet
"""

import sys
import warnings

import pandas as pd

warnings.filterwarnings("ignore")  # lifetimes is older than the pandas and numpy it runs on

from lifetimes import BetaGeoFitter, GammaGammaFitter  # noqa: E402
from lifetimes.utils import summary_data_from_transaction_data  # noqa: E402

log = pd.read_parquet(sys.argv[1])
log["amount"] = log["amount"].astype(float)
log["order_date"] = pd.to_datetime(log["order_date"])
summary = summary_data_from_transaction_data(
    log, "customer_id", "order_date", "amount", observation_period_end="2023-12-31", freq="D", freq_multiplier=7
)
purchases = BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
repeat = summary[summary["frequency"] > 0]
spend = GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"])
value = spend.customer_lifetime_value(
    purchases,
    summary["frequency"],
    summary["recency"],
    summary["T"],
    summary["monetary_value"],
    time=24,
    discount_rate=1.1 ** (1 / 12) - 1,
    freq="W",
)
summary.assign(value=0.3 * value).to_parquet(sys.argv[2])
