"""How often intervals hold what came: simulated companies whose future is known.

    python benchmarks/coverage.py --companies 400
    python benchmarks/coverage.py --companies 400 --only newcomers

Each company is simulated with BG/NBD buying and Gamma-Gamma spend, two years of log. Its base is valued over the year
to come; then its truth says what its customers brought in that year, and how many joined. Counted is how often the 90%
interval of the margin realised by current customers holds it, how often that of the number of newcomers does, and how
far the expected values were off on average.
"""

import argparse
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from itertools import repeat

import numpy as np
import pandas as pd

from crm_analysis import (
    customer_equity,
    fit_bgnbd,
    fit_gamma_gamma,
    forecast_acquisition,
    lifetime_value,
    read_transactions,
    simulate_company,
    summarize_customers,
)
from crm_analysis.company import Company
from crm_analysis.company.plan import Plan
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import EstimationWarning

ASKED = {"margin": "margin of current customers", "newcomers": "number of newcomers"}
MONTHS, HORIZON, CUSTOMERS = 24, 12, 1_000
RATE, MARGIN, LEVEL, DRAWS = 0.10, 0.30, 0.90, 150


def main() -> None:
    """Simulate, value, compare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--companies", type=int, default=400)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", choices=[*ASKED], help="one of the two alone; newcomers want no valuation")
    given = parser.parse_args()
    asked = {given.only: ASKED[given.only]} if given.only else ASKED
    with ProcessPoolExecutor(given.processes) as pool:
        rows = list(pool.map(one_company, range(given.companies), repeat(tuple(asked)), chunksize=4))
    table = pd.DataFrame(rows)
    print(f"{len(table)} simulated companies of about {CUSTOMERS:,} customers, {LEVEL:.0%} intervals\n")
    print("| | inside | standard error | expected over actual |")
    print("| --- | ---: | ---: | ---: |")
    for name, words in asked.items():
        share = table[f"{name}_inside"].mean()
        error = np.sqrt(share * (1 - share) / len(table))
        ratio = table[f"{name}_expected"].sum() / table[f"{name}_actual"].sum()
        print(f"| {words} | {share:.1%} | {error:.1%} | {ratio:.3f} |")


def one_company(seed: int, asked: tuple[str, ...]) -> dict[str, float]:
    """Forecast one company and hold it against its truth."""
    company = simulate_company(seed=seed, customers=CUSTOMERS, months=MONTHS, plan=Plan().without_extras())
    log = read_transactions(company.tables["transactions"], as_of=company.as_of)
    with doubts_unsaid():
        found = [held(company, log, seed) for name, held in HELD.items() if name in asked]
    return {name: value for one in found for name, value in one.items()}


def held_margin(company: Company, log: Transactions, seed: int) -> dict[str, float]:
    """Whether the interval holds the margin that current customers brought."""
    customers = summarize_customers(log, as_of=company.as_of)
    values = lifetime_value(
        fit_bgnbd(customers),
        fit_gamma_gamma(customers),
        customers,
        horizon=f"{HORIZON} months",
        annual_discount_rate=RATE,
        margin=MARGIN,
    )
    equity = customer_equity(values, draws=DRAWS, seed=seed, level=LEVEL)
    end = company.truth.last_month.shift(HORIZON).last_day
    bought = company.truth.future_purchases
    bought = bought[bought["order_date"] <= pd.Timestamp(end)]
    years = (bought["order_date"] - pd.Timestamp(company.as_of)).dt.days / 365.25
    realised = MARGIN * float((bought["amount"] / (1 + RATE) ** years).sum())
    return {
        "margin_inside": realised in equity.interval,
        "margin_expected": equity.total,
        "margin_actual": realised,
    }


def held_newcomers(company: Company, log: Transactions, seed: int) -> dict[str, float]:
    """Whether the interval holds how many joined."""
    joining = forecast_acquisition(log, as_of=company.as_of, months=HORIZON)
    rng = np.random.default_rng(seed)
    drawn = joining.draw(HORIZON, joining.draw_levels(4_000, rng), rng).sum(axis=1)
    lower, upper = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    came = float(company.truth.newcomers["actual"].iloc[MONTHS : MONTHS + HORIZON].sum())
    return {
        "newcomers_inside": lower <= came <= upper,
        "newcomers_expected": float(joining.of_months(HORIZON).sum()),
        "newcomers_actual": came,
    }


HELD = {"margin": held_margin, "newcomers": held_newcomers}


@contextmanager
def doubts_unsaid() -> Iterator[None]:
    """Leave out what the fits of small companies doubt; the comparison shows it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        yield


if __name__ == "__main__":
    main()
