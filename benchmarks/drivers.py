"""Driver analysis with its bootstrap beside refits with statsmodels, in one run: `python benchmarks/drivers.py`.

Ratings that go together and an outcome are simulated once for each task; each package runs in a process of its own.
Times are of the analysis alone, without start-up and reading. Tasks:

johnson  30 drivers, 100,000 respondents, 1,000 samples of them: relative weights of each sample
lmg      15 drivers, 10,000 respondents, 1,000 samples: all 32,768 sets of drivers in each, and 65,536 with the noise
         driver beside them
mobi     10 drivers, 250 respondents, as surveys are: lmg

Ours is the whole of `fit_drivers`, with slopes, ranks and the noise driver. statsmodels fits an OLS to every sample
(and for lmg to every set of drivers in it); relative weights are then computed of its correlations by the same formula.
numpy solves the equations of every set of drivers in the correlations of every sample, as relaimpo does in R; neither
has a noise driver. A few samples, or sets, are timed and the rest is reckoned by proportion, as the line says. "x ours"
is the ratio of times. The shares of the answers themselves are compared where the other package has them.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

DRAWS = 1000
TASKS = {"johnson": ("johnson", 30, 100_000), "lmg": ("lmg", 15, 10_000), "mobi": ("lmg", 10, 250)}

SIMULATE = """
import numpy as np, pandas as pd
rng = np.random.default_rng(1)
mood = rng.normal(size=({n}, 1))
x = np.clip(np.round(6.5 + 1.2 * mood + 1.5 * rng.normal(size=({n}, {k}))), 1, 10)
y = np.clip(np.round(6.5 + (x - 6.5) @ np.linspace(2, 0.2, {k}) / {k} + rng.normal(size={n})), 1, 10)
frame = pd.DataFrame(x, columns=[f"d{{i}}" for i in range({k})]).assign(y=y)
frame.to_parquet({path!r})
"""

START = """
import json, resource, sys, time
import numpy as np, pandas as pd
frame = pd.read_parquet({path!r})
drivers = [name for name in frame if name != "y"]
method, draws = {method!r}, {draws}
{code}
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([seconds, memory, list(shares), said]))
"""

OURS = """
from crm_analysis.voice.drivers import fit_drivers
start = time.perf_counter()
fit = fit_drivers(frame, outcome="y", drivers=drivers, method=method, draws=draws)
seconds, shares, said = time.perf_counter() - start, fit.importance["share"], ""
"""

REFITS = """
import statsmodels.api as sm
x, y = sm.add_constant(frame[drivers]).to_numpy(), frame["y"].to_numpy()
rng = np.random.default_rng(0)

def johnson(x, y):
    correlations = np.corrcoef(np.column_stack([x[:, 1:], y]), rowvar=False)
    values, vectors = np.linalg.eigh(correlations[:-1, :-1])
    root = vectors * np.sqrt(values) @ vectors.T
    weights = root**2 @ np.linalg.solve(root, correlations[:-1, -1]) ** 2
    return weights / weights.sum()

start = time.perf_counter()
if method == "johnson":
    timed = 10
    for _ in range(timed):
        rows = rng.integers(0, len(y), len(y))
        sm.OLS(y[rows], x[rows]).fit()
        johnson(x[rows], y[rows])
    seconds = (time.perf_counter() - start) / timed * draws
    shares, said = johnson(x, y), f"{timed} of {draws:,} samples timed"
else:
    timed, sets = 200, 2 ** len(drivers)
    rows = rng.integers(0, len(y), len(y))
    for _ in range(timed):
        some = np.append(True, rng.random(len(drivers)) < 0.5)
        sm.OLS(y[rows], x[rows][:, some]).fit().rsquared
    seconds = (time.perf_counter() - start) / timed * sets * draws
    shares, said = [], f"{timed} of {sets * draws:,} fits timed"
"""

SOLVES = """
rng = np.random.default_rng(0)
timed, sets = 5000, 2 ** len(drivers)
start = time.perf_counter()
correlations = np.corrcoef(frame.to_numpy()[rng.integers(0, len(frame), len(frame))], rowvar=False)
sample = time.perf_counter() - start
start = time.perf_counter()
for _ in range(timed):
    some = np.flatnonzero(rng.random(len(drivers)) < 0.5)
    correlations[-1, some] @ np.linalg.solve(correlations[np.ix_(some, some)], correlations[-1, some])
seconds = ((time.perf_counter() - start) / timed * sets + sample) * draws
shares, said = [], f"{timed:,} of {sets * draws:,} sets timed"
"""


def python(code: str) -> str:
    return subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True, env=os.environ
    ).stdout


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=DRAWS, help="bootstrap samples")
    parser.add_argument("--runs", type=int, default=2, help="runs of ours, the fastest is shown")
    given = parser.parse_args()
    print(f"{'task':<9}{'drivers':>8}{'respondents':>13}  {'package':<13}{'s':>10}{'peak MiB':>10}{'x ours':>9}")
    with tempfile.TemporaryDirectory() as folder:
        for task, (method, k, n) in TASKS.items():
            path = str(Path(folder) / f"{task}.parquet")
            python(SIMULATE.format(n=n, k=k, path=path))
            ours, ours_shares = 0.0, []
            packages = [("crm_analysis", OURS, given.runs), ("statsmodels", REFITS, 1), ("numpy", SOLVES, 1)]
            for package, code, runs in packages if method == "lmg" else packages[:2]:
                filled = START.format(path=path, method=method, draws=given.draws, code=code)
                told = min((json.loads(python(filled).splitlines()[-1]) for _ in range(runs)), key=lambda run: run[0])
                seconds, memory, shares, said = told
                if package == "crm_analysis":
                    ours, ours_shares = seconds, shares
                elif shares:
                    apart = max(abs(a - b) for a, b in zip(shares, ours_shares, strict=True))
                    said += f"; shares differ by {apart:.0e} at most"
                line = f"{task:<9}{k:>8}{n:>13,}  {package:<13}{seconds:>10,.1f}{memory:>10,.0f}{seconds / ours:>9,.0f}"
                print(f"{line}  {said}", flush=True)


if __name__ == "__main__":
    main()
