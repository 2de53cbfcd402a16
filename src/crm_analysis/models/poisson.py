"""Purchases at a Poisson rate lambda ~ Gamma(shape, rate) of a customer who is there: what NBD and Pareto/NBD share."""

import numpy as np
import pandas as pd
from scipy.special import gammaln, xlogy

from crm_analysis.models.histories import Floats, Integers


def log_probability(shape: Floats, rate: Floats, n: Floats, t: Floats) -> Floats:
    """Log-probability of `n` purchases in `t`: the negative binomial (Greenwood & Yule 1920)."""
    return gammaln(shape + n) - gammaln(shape) - gammaln(n + 1) - shape * np.log1p(t / rate) + xlogy(n, t / (rate + t))


def simulate(purchase_rate: Floats, customer: Integers, end: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate purchases from time 0 to `end`; one row a purchase: `customer` (as given) and `time`, in no order."""
    purchases = rng.poisson(purchase_rate * end)
    times = rng.random(purchases.sum()) * np.repeat(end, purchases)
    return pd.DataFrame({"customer": np.repeat(customer, purchases), "time": times})
