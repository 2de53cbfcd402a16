"""A log to the value of every customer, whole processes side by side, and growth: `python benchmarks/base.py`.

Simulated logs (`purchase_log.py`, fixed seed) of each size. What is timed is a process from its start to its end:

ours       `crm-analysis value --model BG/NBD`: the door and its checks, the sums of each customer, the fit, P(alive),
           expected purchases and spend, residual value over 24 months discounted by the month of the calendar, value
           earned so far, and the written Parquet
bare       what none can do without: a group-by in DuckDB to the counts of distinct histories, nothing checked or fitted
lifetimes  the log to the discounted value of everybody as its documentation does it, written to Parquet
pymc       the same with PyMC-Marketing, by the maximum of the posterior, where it is installed

In turn, A B C A B C, so that a machine that grows slower slows all; ratios are of each round, and their median is what
to quote. Beside each time stands the time of processor, both cores together. Memory is the largest resident size. The
totals at the end show that the packages valued the same thing.

Infinite horizons are timed apart, inside a process, on the histories of the largest base that was compared.
"""

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import log
from pathlib import Path

HERE = Path(__file__).parent
COMPARED = (1_000_000, 10_000_000)
GROWN = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000, 30_000_000)
# From this size on the slow peers run once, and ours beside them as often as asked.
LARGE = 3_000_000
SETTINGS = '[company]\nname = "Simulated"\n'
INFINITE = """
import json, sys, time
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.customer_table import customer_table
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.settings import EngineSettings
log = read_transactions(sys.argv[1], as_of="2023-12-31", engine=EngineSettings(copy_rows=0))
histories = customer_table(log, as_of="2023-12-31").keep().histories()
fit = fit_bgnbd(histories.customers, weights=histories.counts)
def timed(horizon):
    start = time.perf_counter()
    fit.discounted_residual_purchases(histories.customers, annual_discount_rate=0.10, horizon=horizon)
    return time.perf_counter() - start
print(json.dumps([len(histories), timed("24 months"), timed(None)]))
"""


@dataclass(frozen=True)
class Run:
    """One process: wall seconds, processor seconds, largest resident size."""

    seconds: float
    processor: float
    mebibytes: float


def run(command: Sequence[str | Path]) -> Run:
    start = time.perf_counter()
    # Compiled files are kept, as on a machine that is used: without them every start compiles all imports again.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    process = subprocess.Popen(
        [str(part) for part in command], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    _, told = process.communicate()
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{command[1]} ended with {process.returncode}:\n{told.decode()[-2000:]}")
    processor, kibibytes = json.loads(told.splitlines()[-1])
    return Run(seconds, processor, kibibytes / 1024)


# Only a process that starts nothing else can say what its one child has used.
WRAPPER = """
import json, os, sys
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ)
_, status, used = os.wait4(child, 0)
print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss]), file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def command(peer: str, python: str, source: Path, values: Path) -> list[str | Path]:
    match peer:
        case "ours":
            settings = source.with_name("crm.toml")
            settings.write_text(SETTINGS)
            arguments = ["value", "--settings", settings, "--transactions", source, "--as-of", "2023-12-31"]
            made = [python, "-m", "crm_analysis.cli", *arguments, "--out", values, "--model", "BG/NBD"]
        case "bare":
            made = [python, HERE / "peers" / "bare.py", source]
        case _:
            made = [python, HERE / "peers" / f"with_{peer}.py", source, values]
    return [sys.executable, "-c", WRAPPER, *made]


def log_of(folder: Path, customers: int) -> Path:
    """Simulate a log, or take the one that is there."""
    path = folder / f"log-{customers}.parquet"
    if not path.exists():
        unfinished = path.with_suffix(".unfinished")
        subprocess.run([sys.executable, HERE / "purchase_log.py", str(customers), unfinished], check=True)
        unfinished.replace(path)
    return path


def compare(folder: Path, customers: int, pythons: dict[str, str], rounds: int) -> None:
    source = log_of(folder, customers)
    values = {peer: folder / f"values-{peer}.parquet" for peer in pythons}
    runs: dict[str, list[Run]] = {peer: [] for peer in pythons}
    for number in range(rounds):
        for peer, python in pythons.items():
            if number and customers >= LARGE and peer not in ("ours", "bare"):
                continue
            if not number and customers < LARGE:  # compiled files, disk cache
                run(command(peer, python, source, values[peer]))
            runs[peer].append(run(command(peer, python, source, values[peer])))
            tell(f"{customers:,} customers, round {number + 1}: {peer} {runs[peer][-1].seconds:.1f} s")
    print(f"\n### {customers:,} customers\n")
    print("| | wall s | processor s | peak MiB | times ours |\n| --- | ---: | ---: | ---: | ---: |")
    for peer, found in runs.items():
        # Peers that ran once are compared with the round of ours beside them.
        ratios = [theirs.seconds / ours.seconds for theirs, ours in zip(found, runs["ours"], strict=False)]
        seconds, processor, memory = (
            spread([getattr(one, name) for one in found]) for name in ("seconds", "processor", "mebibytes")
        )
        print(f"| {peer} | {seconds} | {processor} | {memory} | {spread(ratios, 2)} |")
    print(f"\nTotals: {totals(values, pythons)}")


def totals(values: dict[str, Path], pythons: dict[str, str]) -> str:
    import duckdb

    told = []
    for peer in pythons:
        if peer != "bare":
            column = "residual_value" if peer == "ours" else "value"
            row = duckdb.sql(f"SELECT count(*), sum({column}) FROM '{values[peer]}'").fetchone()
            assert row is not None
            told.append(f"{peer} {row[1]:,.0f} of {row[0]:,} customers")
    return "; ".join(told)


def grow(folder: Path, sizes: Sequence[int], rounds: int) -> None:
    found: list[tuple[int, float, float, float]] = []
    for customers in sizes:
        source = log_of(folder, customers)
        runs = [run(command("ours", sys.executable, source, folder / "values.parquet")) for _ in range(rounds)]
        tell(f"{customers:,} customers: {', '.join(f'{one.seconds:.1f} s' for one in runs)}")
        medians = (statistics.median(getattr(one, name) for one in runs) for name in Run.__dataclass_fields__)
        found.append((customers, *medians))  # type: ignore[arg-type]
    print("\n### Growth\n")
    print("| customers | wall s | processor s | peak MiB | slope of time | slope of memory |")
    print("| ---: | ---: | ---: | ---: | ---: | ---: |")
    for before, now in pairwise([None, *found]):
        customers, seconds, processor, memory = now  # type: ignore[misc]
        slopes = ["", ""]
        if before:
            step = log(customers / before[0])
            slopes = [f"{log(now[1] / before[1]) / step:.2f}", f"{log(now[3] / before[3]) / step:.2f}"]  # type: ignore[index]
        print(f"| {customers:,} | {seconds:.1f} | {processor:.1f} | {memory:.0f} | {' | '.join(slopes)} |")


def infinite(folder: Path, customers: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", INFINITE, log_of(folder, customers)], check=True, capture_output=True, text=True
    )
    # DuckDB takes `python -c` for a person at a terminal and shows a bar before it.
    rows, finite, endless = json.loads(done.stdout.splitlines()[-1])
    print(
        f"\nDiscounted purchases of the {rows:,} distinct histories of {customers:,} customers: {finite:.2f} s over 24 "
        f"months, {endless:.2f} s without an end."
    )


def spread(values: list[float], digits: int = 1) -> str:
    if not values:
        return ""
    middle = f"{statistics.median(values):,.{digits}f}"
    return middle if len(values) == 1 else f"{middle} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"


def tell(words: str) -> None:
    print(words, file=sys.stderr, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--compare", type=int, nargs="*", default=COMPARED, help="sizes beside the peers")
    parser.add_argument("--grow", type=int, nargs="*", default=GROWN, help="sizes of the table of growth")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of the comparison (default 3)")
    parser.add_argument("--folder", type=Path, help="where logs are kept between runs (default: a temporary one)")
    parser.add_argument("--pymc", default="", help="a Python that has PyMC-Marketing, where this one has not")
    given = parser.parse_args()
    pythons = dict.fromkeys(("bare", "ours", "lifetimes"), sys.executable)
    pymc = given.pymc or (sys.executable if importlib.util.find_spec("pymc_marketing") else "")
    if pymc:
        pythons["pymc_marketing"] = pymc
    else:
        tell("PyMC-Marketing is not installed (make bayes) and is left out.")
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        print(f"{os.cpu_count()} cores; Python {sys.version.split()[0]}")
        for customers in given.compare:
            compare(folder, customers, pythons, given.rounds)
        if given.compare:
            infinite(folder, max(given.compare))
        if given.grow:
            grow(folder, given.grow, 1)


if __name__ == "__main__":
    main()
