"""Speed beside lifetimes, in one run: `make bench`.

Whole processes in turn, A B A B, so that a machine that grows slower in between slows both; the ratio of each pair is
what counts, its median what to quote. Two comparisons on the full CDNOW log (69,659 purchases, 23,570 customers):

fit    read the log, summarise, fit the BG/NBD
value  the same, then the Gamma-Gamma and the discounted value of every customer over 24 months

and the book of June 1998 (four chapters, pages, intervals, thirteen months of equity, a backtest) beside the same
lifetimes process, which makes neither. Besides, inside one process, the BG/NBD fit alone on the same summary. Memory is
the largest resident size of one process; a book's chapters run in processes of their own.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

OURS = {
    "fit": """
from crm_analysis import fit_bgnbd, load_cdnow, summarize_customers
fit_bgnbd(summarize_customers(load_cdnow(), as_of="1998-06-30"))
""",
    "value": """
from crm_analysis import fit_bgnbd, fit_gamma_gamma, lifetime_value, load_cdnow, summarize_customers
customers = summarize_customers(load_cdnow(), as_of="1998-06-30")
lifetime_value(fit_bgnbd(customers), fit_gamma_gamma(customers), customers,
               horizon="24 months", annual_discount_rate=0.10, margin=0.30)
""",
}
_LIFETIMES_SUMMARY = """
import warnings
warnings.simplefilter("ignore")
from crm_analysis.data.samples import load_cdnow
from lifetimes import BetaGeoFitter, GammaGammaFitter
from lifetimes.utils import summary_data_from_transaction_data
summary = summary_data_from_transaction_data(load_cdnow(), "customer_id", "order_date", "amount",
                                             observation_period_end="1998-06-30", freq="D", freq_multiplier=7)
model = BetaGeoFitter().fit(summary["frequency"], summary["recency"], summary["T"])
"""
LIFETIMES = {
    "fit": _LIFETIMES_SUMMARY,
    "value": _LIFETIMES_SUMMARY
    + """
buyers = summary[(summary["frequency"] > 0) & (summary["monetary_value"] > 0)]
spend = GammaGammaFitter().fit(buyers["frequency"], buyers["monetary_value"])
spend.customer_lifetime_value(model, summary["frequency"], summary["recency"], summary["T"], summary["monetary_value"],
                              time=24, discount_rate=0.00797, freq="W")
""",
}
BOOK = """
import sys, tempfile
from pathlib import Path
from crm_analysis import load_settings
from crm_analysis.data.samples import write_cdnow
from crm_analysis.report.book import build_book
project = Path({project!r})
with tempfile.TemporaryDirectory() as folder:
    root = Path(folder)
    text = (project / "crm.toml").read_text().replace("[report]", f"[report]\\nnotebooks = '{{project / 'notebooks'}}'")
    (root / "crm.toml").write_text(text)
    write_cdnow(root / "data/raw/cdnow/transactions.csv")
    build_book("1998-06", settings=load_settings(root / "crm.toml"))
"""
FIT_ALONE = """
import time, warnings
warnings.simplefilter("ignore")
from crm_analysis import fit_bgnbd, load_cdnow, summarize_customers
from lifetimes import BetaGeoFitter
customers = summarize_customers(load_cdnow(), as_of="1998-06-30")
frame = customers.frame
for _ in range({runs} + 1):
    start = time.perf_counter(); fit_bgnbd(customers); ours = time.perf_counter() - start
    start = time.perf_counter(); BetaGeoFitter().fit(frame["frequency"], frame["recency"], frame["T"])
    print(ours, time.perf_counter() - start)
"""


@dataclass(frozen=True)
class Run:
    seconds: float
    mebibytes: float


def run(code: str) -> Run:
    start = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"a benchmarked process ended with {process.returncode}")
    return Run(time.perf_counter() - start, usage.ru_maxrss / 1024)


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):8.2f} ({min(values):.2f} to {max(values):.2f})"


def compare(name: str, ours: str, theirs: str, runs: int, *, warm_up: bool = True) -> None:
    if warm_up:  # compiled files, disk cache
        run(ours), run(theirs)
    pairs = [(run(ours), run(theirs)) for _ in range(runs)]
    print(f"\n{name}, whole process, {runs} pairs: median (min to max)")
    print(f"  crm_analysis  s      {spread([a.seconds for a, _ in pairs])}")
    print(f"  lifetimes     s      {spread([b.seconds for _, b in pairs])}")
    print(f"  lifetimes / crm_analysis {spread([b.seconds / a.seconds for a, b in pairs])}")
    print(f"  crm_analysis  MiB    {spread([a.mebibytes for a, _ in pairs])}")
    print(f"  lifetimes     MiB    {spread([b.mebibytes for _, b in pairs])}")


def fit_alone(runs: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIT_ALONE.format(runs=runs)], check=True, capture_output=True, text=True
    )
    pairs = [tuple(map(float, line.split())) for line in done.stdout.splitlines()][1:]
    print(f"\nBG/NBD fit alone, same summary, {runs} pairs in one process: median (min to max)")
    print(f"  crm_analysis  ms     {spread([1000 * a for a, _ in pairs])}")
    print(f"  lifetimes     ms     {spread([1000 * b for _, b in pairs])}")
    print(f"  lifetimes / crm_analysis {spread([b / a for a, b in pairs])}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5, help="counted pairs (default 5)")
    runs = parser.parse_args().runs
    fit_alone(runs)
    for name in OURS:
        compare(name, OURS[name], LIFETIMES[name], runs)
    project = str(Path(__file__).resolve().parents[1])
    compare("book", BOOK.format(project=project), LIFETIMES["value"], 1, warm_up=False)


if __name__ == "__main__":
    main()
