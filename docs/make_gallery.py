"""Draw the pictures of docs/gallery.md from the CDNOW log: `.venv/bin/python docs/make_gallery.py`.

Run by hand, when a figure has changed. The same code gives the same pictures, byte for byte.
"""

from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from crm_analysis import (
    backtest,
    fit_bgnbd,
    fit_gamma_gamma,
    load_cdnow,
    read_transactions,
    split_calibration_holdout,
    summarize_customers,
)
from crm_analysis.report import plots
from crm_analysis.value import beliefs, evidence

FOLDER = Path(__file__).parent / "gallery"
CALIBRATION_END, AS_OF = "1997-09-30", "1998-06-30"
CUSTOMER = "00767"
DOTS_PER_INCH = 110


def gallery() -> Iterator[tuple[str, Axes]]:
    """Draw each picture of the gallery, with its name."""
    log = read_transactions(load_cdnow(), as_of=AS_OF)
    split = split_calibration_holdout(log, calibration_end=CALIBRATION_END, as_of=AS_OF)
    early, customers = split.calibration, summarize_customers(log, as_of=AS_OF)
    fit, spend = fit_bgnbd(early), fit_gamma_gamma(customers)
    proof = backtest(log, origins=[CALIBRATION_END], horizon="39 weeks")

    yield "tracking", plots.plot_purchase_tracking(evidence.weekly_tracking(proof))
    yield "tracking-cumulative", plots.plot_cumulative_tracking(evidence.cumulative_tracking(proof))
    yield "frequency", plots.plot_frequency_distribution(evidence.frequency_distribution(fit, early))
    yield "holdout-frequency", plots.plot_holdout_purchases(evidence.holdout_by_frequency(fit, split))
    yield "holdout-recency", plots.plot_holdout_purchases(evidence.holdout_by_recency(fit, split))
    yield "gaps", plots.plot_purchase_gaps(evidence.purchase_gaps(log, early, fit=fit))
    yield "timing", plots.plot_timing_patterns(evidence.timing_patterns(log, as_of=AS_OF))
    matrix = beliefs.expected_purchases_matrix(fit, T="39 weeks", horizon="39 weeks", most=25)
    yield "matrix-purchases", plots.plot_frequency_recency_matrix(matrix)
    matrix = beliefs.probability_alive_matrix(fit, T="39 weeks", most=25)
    yield "matrix-alive", plots.plot_frequency_recency_matrix(matrix)
    yield "alive", plots.plot_alive_history(beliefs.alive_history(fit, log, CUSTOMER, as_of=AS_OF))
    yield "new-customer", plots.plot_new_customer_purchases(beliefs.new_customer_purchases(fit, horizon="2 years"))
    yield "rate", plots.plot_heterogeneity(beliefs.rate_heterogeneity(fit))
    yield "dropout", plots.plot_heterogeneity(beliefs.dropout_heterogeneity(fit))
    residual = beliefs.residual_by_frequency(
        fit, T="78 weeks", recencies=[20, 30, 40, 50, 60], annual_discount_rate=0.10
    )
    yield "residual", plots.plot_residual_by_frequency(residual)
    table = evidence.spend_distribution(spend, customers)
    yield "spend", plots.plot_spend_distribution(table, currency="USD")


def main() -> None:
    """Draw and save them all."""
    mpl.use("Agg")
    FOLDER.mkdir(exist_ok=True)
    for name, ax in gallery():
        figure = ax.get_figure(root=True)
        figure.savefig(FOLDER / f"{name}.png", dpi=DOTS_PER_INCH, metadata={"Software": None})
        plt.close(figure)
        print(FOLDER / f"{name}.png")


if __name__ == "__main__":
    main()
