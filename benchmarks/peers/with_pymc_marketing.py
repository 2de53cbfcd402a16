"""A log to the discounted value of everybody over 24 months with PyMC-Marketing (MAP), as its documentation does it.

python benchmarks/peers/with_pymc_marketing.py log.parquet values.parquet
"""

import sys
import warnings

import pandas as pd

warnings.filterwarnings("ignore")

from pymc_marketing import clv  # noqa: E402

log = pd.read_parquet(sys.argv[1])
log["amount"] = log["amount"].astype(float)
log["order_date"] = pd.to_datetime(log["order_date"])
summary = clv.utils.rfm_summary(
    log, "customer_id", "order_date", "amount", observation_period_end="2023-12-31", time_unit="D", time_scaler=7
)
purchases = clv.BetaGeoModel(data=summary)
purchases.fit(method="map", progressbar=False)
spend = clv.GammaGammaModel(data=summary[summary["frequency"] > 0])
spend.fit(method="map", progressbar=False)
value = spend.expected_customer_lifetime_value(
    transaction_model=purchases, data=summary, future_t=24, discount_rate=1.1 ** (1 / 12) - 1, time_unit="W"
)
summary.assign(value=0.3 * value.mean(("chain", "draw")).to_numpy()).to_parquet(sys.argv[2])
