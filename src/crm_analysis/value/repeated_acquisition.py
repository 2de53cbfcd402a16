"""The forecast of who joins, made again as of another date."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.value.acquisition import MONTHS_MORE, Acquisition, mean_first_spend
from crm_analysis.value.newcomer_counts import months_to_learn_from
from crm_analysis.value.newcomer_model import outlook
from crm_analysis.value.newcomer_tests import no_tests
from crm_analysis.value.pipeline_acquisition import pipeline_acquisition


def repeated_acquisition(
    acquisition: Acquisition,
    transactions: Any = None,
    *,
    newcomers: pd.Series | None = None,
    prospects: Any = None,
    as_of: Day | None = None,
    customers: CustomerSummary | None = None,
) -> Acquisition:
    """Forecast who joins as of another date in the way of a forecast made before, not tested again.

    Parameters
    ----------
    acquisition : Acquisition
        The forecast to repeat; a plan is taken to have been the same then, and so is a pipeline without `prospects`.
    transactions : Transactions or anything `read_transactions` accepts
        The log; what came after the date is not seen.
    newcomers : Series, optional
        Counts in place of the log, as in `forecast_acquisition`.
    prospects : SideTable, or anything `read_prospects` accepts, optional
        The history behind a pipeline, which is taken as it stood on the other date.
    as_of : date or str, optional
        The other date; by default that of `customers`.
    customers : CustomerSummary, optional
        As of the other date, for the mean first purchase.

    Raises
    ------
    DataError
        When fewer than three whole months are known by then, or no prospect had been won or lost.
    SettingsError
        When no date is told.
    """
    told = customers.as_of if as_of is None and customers is not None else as_of
    if told is None:
        raise SettingsError("give as_of, or a summary that has an as-of date, to forecast new customers from.")
    day = to_day(told, "as_of")
    if acquisition.source == "pipeline" and prospects is not None:
        months = len(acquisition.expected) - MONTHS_MORE
        found = pipeline_acquisition(prospects, as_of=day, months=months, customers=customers, tests=False)
        return replace(found, error=acquisition.error, words="")
    if acquisition.source != "history":
        return replace(acquisition, as_of=day, tests=no_tests())
    joined, _left_out = months_to_learn_from(transactions, newcomers, day)
    ahead = len(acquisition.expected)
    return replace(
        acquisition,
        expected=outlook(joined.to_numpy(dtype=np.float64), months=ahead).expected,
        first_spend=None if customers is None else mean_first_spend(customers),
        as_of=day,
        words="",
        tests=no_tests(),
    )
