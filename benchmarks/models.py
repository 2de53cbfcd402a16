"""Fitting and predicting beside lifetimes and PyMC-Marketing (MAP), in one run: `python benchmarks/models.py`.

Customers are simulated once for each size (BG/NBD on a daily grid, a year in which they join and a year to watch them),
every package reads the same summary, and each task runs in a process of its own, package after package, so that a
machine that grows slower slows all. Times are of the task alone, without start-up and reading. Three tasks:

BG/NBD      fit, P(alive) and expected purchases of the next 39 weeks for every customer
Pareto/NBD  the same; other packages, which take long, at the smallest size only
intervals   fit the BG/NBD; where the expectation of each customer lies, and the total of all with what they do by
            chance (400 draws); no other package has both

A package that fails, as for want of memory, says so in its line. PyMC-Marketing is timed where it is installed
(`pip install crm_analysis[bayes]`).
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

SIZES = (24_000, 100_000, 1_000_000)

SIMULATE = """
import numpy as np, pandas as pd
from crm_analysis.models import bgnbd
rng = np.random.default_rng(1)
T = rng.integers(365, 731, size={size}) / 7
events = bgnbd.simulate(bgnbd.BGNBDParams(0.6, 8.0, 0.7, 2.5), T, rng)
events["time"] = np.ceil(events["time"] * 7) / 7
events = events.drop_duplicates()
frame = bgnbd.histories(events[events["time"] <= T[events["customer"]]], T)
frame.to_parquet({path!r})
"""

START = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
frame = pd.read_parquet({path!r})
{imports}
start = time.perf_counter()
{fit}
fitted = time.perf_counter()
{predict}
done = time.perf_counter()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([fitted - start, done - fitted, memory]), file=sys.stderr)
"""

_OURS_PREDICT = "model.probability_alive(customers); model.expected_purchases(customers, horizon=39)"
_LIFETIMES_PREDICT = (
    "columns = frame['frequency'], frame['recency'], frame['T']\n"
    "model.conditional_probability_alive(*columns)\n"
    "model.conditional_expected_number_of_purchases_up_to_time(39, *columns)"
)
_PYMC_FIT = "model = clv.{name}(data=frame.reset_index()); model.fit(method='map', progressbar=False)"
_OURS_INTERVALS = (
    "purchase_intervals(model, customers, horizon=39); total_purchases_interval(model, customers, horizon=39)"
)
_PYMC_PREDICT = "model.expected_probability_alive(); model.expected_purchases(future_t=39)"

# Task, package -> imports, fit, predict.
CODE = {
    ("BG/NBD", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_bgnbd",
        "customers = CustomerSummary(frame, 'week'); model = fit_bgnbd(customers)",
        _OURS_PREDICT,
    ),
    ("BG/NBD", "lifetimes"): (
        "from lifetimes import BetaGeoFitter",
        "model = BetaGeoFitter().fit(frame['frequency'], frame['recency'], frame['T'])",
        _LIFETIMES_PREDICT,
    ),
    ("BG/NBD", "pymc_marketing"): (
        "from pymc_marketing import clv", _PYMC_FIT.format(name="BetaGeoModel"), _PYMC_PREDICT
    ),
    ("Pareto/NBD", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_pareto_nbd",
        "customers = CustomerSummary(frame, 'week'); model = fit_pareto_nbd(customers)",
        _OURS_PREDICT,
    ),
    ("Pareto/NBD", "lifetimes"): (
        "from lifetimes import ParetoNBDFitter",
        "model = ParetoNBDFitter().fit(frame['frequency'], frame['recency'], frame['T'], maxiter=2000)",
        _LIFETIMES_PREDICT,
    ),
    ("Pareto/NBD", "pymc_marketing"): (
        "from pymc_marketing import clv", _PYMC_FIT.format(name="ParetoNBDModel"), _PYMC_PREDICT
    ),
    ("intervals", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_bgnbd, purchase_intervals, total_purchases_interval",
        "customers = CustomerSummary(frame, 'week'); model = fit_bgnbd(customers)",
        _OURS_INTERVALS,
    ),
}  # fmt: skip
_SMALLEST_ONLY = {("Pareto/NBD", "lifetimes"), ("Pareto/NBD", "pymc_marketing")}


def python(code: str, limit: float | None = None) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=limit, env=os.environ
    )
    return done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES, help="customers")
    parser.add_argument("--limit", type=float, default=900, help="seconds after which a task is given up")
    given = parser.parse_args()
    head = f"{'fit s':>9}{'predict s':>11}{'peak MiB':>10}{'fit, times ours':>17}"
    print(f"{'task':<12}{'customers':>11}  {'package':<15}{head}")
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            path = str(Path(folder) / f"{size}.parquet")
            python(SIMULATE.format(size=size, path=path))
            ours: dict[str, float] = {}
            for (task, package), (imports, fit, predict) in CODE.items():
                line = f"{task:<12}{size:>11,}  {package:<15}"
                if importlib.util.find_spec(package) is None:
                    print(f"{line}not installed")
                    continue
                if (task, package) in _SMALLEST_ONLY and size != min(given.sizes):
                    continue
                try:
                    told = python(START.format(path=path, imports=imports, fit=fit, predict=predict), given.limit)
                except subprocess.TimeoutExpired:
                    print(f"{line}given up after {given.limit:.0f} s", flush=True)
                    continue
                except subprocess.CalledProcessError as failure:
                    said = failure.stderr.strip().splitlines()
                    print(f"{line}failed: {said[-1][:80] if said else f'ended with {failure.returncode}'}", flush=True)
                    continue
                seconds, predicted, memory = json.loads(told.splitlines()[-1])
                ours.setdefault(task, seconds)
                print(
                    f"{line}{seconds:>9.2f}{predicted:>11.2f}{memory:>10.0f}{seconds / ours[task]:>17.1f}", flush=True
                )


if __name__ == "__main__":
    main()
