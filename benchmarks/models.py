"""Fitting and predicting beside lifetimes and PyMC-Marketing (MAP), in one run: `python benchmarks/models.py`.

Customers are simulated once for each size (BG/NBD on a daily grid, a year in which they join and a year to watch them),
every package reads the same summary, and each task runs in a process of its own, package after package, so that a
machine that grows slower slows all. Times are of the task alone, without start-up and reading:

ready    checks of the data: `CustomerSummary`; other packages check while they fit, or not at all
fit      the first fit of a process, with standard errors
again    the same once more, where the first took less than five seconds
predict  P(alive) and expected purchases of the next 39 weeks for every customer

"x ours" says how many times as long a package takes as we do for the first fit (without and with the checks) and for
the predictions. Tasks:

BG/NBD      at all sizes
Pareto/NBD  other packages, which take long, at the smaller sizes only
folded      the BG/NBD of a base ten times as large, given as its distinct histories with weights; we alone
Gamma-Gamma mean purchase values of repeat buyers, and the expected value of the next purchase of everybody
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
x = np.maximum(frame["frequency"], 1)
frame["monetary_value"] = (rng.gamma(6.0 * x) * 15 / x / rng.gamma(4.0, size={size})).where(frame["frequency"] > 0)
frame.to_parquet({path!r})
"""

START = """
import json, resource, sys, time, warnings
warnings.simplefilter("ignore")
import pandas as pd
frame = pd.read_parquet({path!r})
{imports}
times = [time.perf_counter()]
def lap():
    times.append(time.perf_counter())
{ready}
lap()
model = {fit}
lap()
if times[-1] - times[-2] < 5:
    {fit}
lap()
{predict}
lap()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([end - start for start, end in zip(times, times[1:])] + [memory]), file=sys.stderr)
"""

_READY = "customers = CustomerSummary(frame, 'week')"
# Each distinct history once, standing for ten times as many customers as there are.
_FOLDED = (
    "counts = frame.groupby(['frequency', 'recency', 'T']).size().reset_index(name='weight')\n"
    "customers = CustomerSummary(counts.rename_axis('customer_id'), 'week'); weights = 10.0 * counts['weight']"
)
_REPEAT = "repeat = frame[frame['frequency'] > 0]"
_OURS_PREDICT = "model.probability_alive(customers); model.expected_purchases(customers, horizon=39)"
_LIFETIMES_PREDICT = (
    "columns = frame['frequency'], frame['recency'], frame['T']\n"
    "model.conditional_probability_alive(*columns)\n"
    "model.conditional_expected_number_of_purchases_up_to_time(39, *columns)"
)
_PYMC_READY = "data = frame.reset_index()"
_OURS_INTERVALS = (
    "purchase_intervals(model, customers, horizon=39); total_purchases_interval(model, customers, horizon=39)"
)
_PYMC_FIT = "(lambda model: (model.fit(method='map', progressbar=False), model)[1])(clv.{name}(data=data))"
_PYMC_PREDICT = "model.expected_probability_alive(); model.expected_purchases(future_t=39)"

# Task, package -> imports, what is made ready, fit, predict.
CODE = {
    ("BG/NBD", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_bgnbd", _READY, "fit_bgnbd(customers)", _OURS_PREDICT
    ),
    ("BG/NBD", "lifetimes"): (
        "from lifetimes import BetaGeoFitter", "",
        "BetaGeoFitter().fit(frame['frequency'], frame['recency'], frame['T'])", _LIFETIMES_PREDICT
    ),
    ("BG/NBD", "pymc_marketing"): (
        "from pymc_marketing import clv", _PYMC_READY, _PYMC_FIT.format(name="BetaGeoModel"), _PYMC_PREDICT
    ),
    ("Pareto/NBD", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_pareto_nbd", _READY, "fit_pareto_nbd(customers)", _OURS_PREDICT
    ),
    ("Pareto/NBD", "lifetimes"): (
        "from lifetimes import ParetoNBDFitter", "",
        "ParetoNBDFitter().fit(frame['frequency'], frame['recency'], frame['T'], maxiter=2000)", _LIFETIMES_PREDICT
    ),
    ("Pareto/NBD", "pymc_marketing"): (
        "from pymc_marketing import clv", _PYMC_READY, _PYMC_FIT.format(name="ParetoNBDModel"), _PYMC_PREDICT
    ),
    ("folded", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_bgnbd",
        _FOLDED, "fit_bgnbd(customers, weights=weights)", _OURS_PREDICT,
    ),
    ("Gamma-Gamma", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_gamma_gamma",
        _READY, "fit_gamma_gamma(customers)", "model.expected_spend(customers)",
    ),
    ("Gamma-Gamma", "lifetimes"): (
        "from lifetimes import GammaGammaFitter", _REPEAT,
        "GammaGammaFitter().fit(repeat['frequency'], repeat['monetary_value'])",
        "model.conditional_expected_average_profit(frame['frequency'], frame['monetary_value'].fillna(0))",
    ),
    ("intervals", "crm_analysis"): (
        "from crm_analysis import CustomerSummary, fit_bgnbd, purchase_intervals, total_purchases_interval",
        _READY, "fit_bgnbd(customers)", _OURS_INTERVALS,
    ),
}  # fmt: skip
# The most customers a package is given in a reasonable time.
_UP_TO = {("Pareto/NBD", "lifetimes"): 100_000, ("Pareto/NBD", "pymc_marketing"): 24_000}


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
    head = "".join(f"{name:>9}" for name in ("ready s", "fit s", "again s", "predict", "peak MiB"))
    print(f"{'task':<12}{'customers':>11}  {'package':<15}{head}   x ours: fit, ready and fit, predict")
    with tempfile.TemporaryDirectory() as folder:
        for size in given.sizes:
            path = str(Path(folder) / f"{size}.parquet")
            python(SIMULATE.format(size=size, path=path))
            ours: dict[str, tuple[float, ...]] = {}
            for (task, package), (imports, ready, fit, predict) in CODE.items():
                line = f"{task:<12}{size:>11,}  {package:<15}"
                if importlib.util.find_spec(package) is None:
                    print(f"{line}not installed")
                    continue
                if size > _UP_TO.get((task, package), size):
                    continue
                steps = {"imports": imports, "ready": ready, "fit": fit, "predict": predict}
                try:
                    told = python(START.format(path=path, **steps), given.limit)
                except subprocess.TimeoutExpired:
                    print(f"{line}given up after {given.limit:.0f} s", flush=True)
                    continue
                except subprocess.CalledProcessError as failure:
                    said = failure.stderr.strip().splitlines()
                    print(f"{line}failed: {said[-1][:80] if said else f'ended with {failure.returncode}'}", flush=True)
                    continue
                prepared, first, again, predicted, memory = json.loads(told.splitlines()[-1])
                compared = first, prepared + first, predicted
                times = [mine / base for mine, base in zip(compared, ours.setdefault(task, compared), strict=True)]
                twice = f"{again:>9.2f}" if first < 5 else f"{'':>9}"
                shown = f"{prepared:>9.2f}{first:>9.2f}{twice}{predicted:>9.2f}{memory:>9.0f}"
                print(f"{line}{shown}   {times[0]:>7.1f}{times[1]:>7.1f}{times[2]:>7.1f}", flush=True)


if __name__ == "__main__":
    main()
