"""Figures for notebooks and slides: each takes a ready frame and an Axes, and returns the Axes.

The frames of `proof` and `timing` are those of `value.evidence`, the frames of `beliefs` those of `value.beliefs`. The
figures look like those of the book and share their drawing where the book has the same one.
"""

from crm_analysis.report.plots.beliefs import (
    plot_alive_history,
    plot_frequency_recency_matrix,
    plot_heterogeneity,
    plot_new_customer_purchases,
    plot_residual_by_frequency,
)
from crm_analysis.report.plots.proof import (
    plot_cumulative_tracking,
    plot_frequency_distribution,
    plot_holdout_purchases,
    plot_purchase_tracking,
    plot_spend_distribution,
)
from crm_analysis.report.plots.timing import plot_purchase_gaps, plot_timing_patterns

__all__ = [
    "plot_alive_history",
    "plot_cumulative_tracking",
    "plot_frequency_distribution",
    "plot_frequency_recency_matrix",
    "plot_heterogeneity",
    "plot_holdout_purchases",
    "plot_new_customer_purchases",
    "plot_purchase_gaps",
    "plot_purchase_tracking",
    "plot_residual_by_frequency",
    "plot_spend_distribution",
    "plot_timing_patterns",
]
