"""Customer equity on other dates, and under other horizons and rates."""

import warnings
from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.sources import Transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, EstimationWarning
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.periods import Horizon
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.candidates import refit
from crm_analysis.value.lifetime_value import CustomerValues, Fits, revalue
from crm_analysis.value.margin_shares import margin_shares
from crm_analysis.value.potential import potential_value
from crm_analysis.value.repeated_acquisition import repeated_acquisition


def equity_history(
    transactions: Transactions,
    *,
    dates: Iterable[date],
    like: CustomerValues,
    fitted_anew: bool = True,
    acquisition: Acquisition | None = None,
    newcomers: Transactions | None = None,
    prospects: Any = None,
) -> pd.DataFrame:
    """Value the base on several dates, each with the log as it stood then and the models fitted anew.

    Parameters
    ----------
    transactions : Transactions
        The log; it is cut at each date.
    dates : iterable of date
        As-of dates.
    like : CustomerValues
        The valuation to repeat: its purchase model (one in the shop's clock at the speed found now), its time unit and
        its assumptions.
    fitted_anew : bool
        False to keep the purchase fit of `like` on all dates, as for one whose parameters were given.
    acquisition : Acquisition, optional
        That of the valuation to repeat, forecast again on each date in the same way; a plan is taken to have been the
        same then, and so is a pipeline without `prospects`. None: future customers are not valued.
    newcomers : Transactions, optional
        The log in which newcomers are counted, where `transactions` are those of a sample.
    prospects : SideTable, or anything `read_prospects` accepts, optional
        The history behind an acquisition from the pipeline; it is cut at each date.

    Returns
    -------
    DataFrame, indexed by as_of
        customers (count), equity (in the currency of the transactions), current (the current base in it) and sound
        (whether both fits of that date converged). Equity is missing where the log was too young to be fitted, or to
        forecast who joins.
    """
    given = like.assumptions
    rows = {}
    for as_of in dates:
        log = transactions.until(as_of)
        customers = summarize_customers(log, as_of=as_of, time_unit=given.time_unit)
        try:
            with warnings.catch_warnings():
                # Doubt about an earlier month is told in the frame, not once a month on the screen.
                warnings.simplefilter("ignore", EstimationWarning)
                purchases = refit(like.fits.purchases, log, customers) if fitted_anew else like.fits.purchases
                fits = Fits(purchases, fit_gamma_gamma(customers))
            margins = {} if given.own_margins is None else {"margin": margin_shares(customers)}
            values = revalue(like, fits=fits, customers=customers, **margins)
            joining = acquisition and repeated_acquisition(
                acquisition, newcomers or transactions, prospects=prospects, customers=customers
            )
        except DataError:  # too young a base to learn from
            rows[as_of] = (customers.number_of_customers, np.nan, np.nan, False)
            continue
        future = 0.0 if joining is None else _net(joining, values)
        sound = all(fit.converged for fit in fits)
        rows[as_of] = (values.number_of_customers, values.total + future, values.total, sound)
    return pd.DataFrame.from_dict(rows, orient="index", columns=_HISTORY).rename_axis("as_of")


_HISTORY = ["customers", "equity", "current", "sound"]


def _net(acquisition: Acquisition, values: CustomerValues) -> float:
    given, as_of = values.assumptions, values.customers.as_of
    assert given.horizon_in_units is not None  # an acquisition is valued within a horizon
    return potential_value(values.fits, acquisition, given, as_of, until=given.horizon_in_units).net


def equity_grid(
    values: CustomerValues, *, horizons: Sequence[Horizon | None], annual_discount_rates: Sequence[float]
) -> pd.DataFrame:
    """Value the current base again under other horizons and discount rates, all else unchanged.

    Parameters
    ----------
    values : CustomerValues
        The valuation to vary.
    horizons : sequence of float, str or None
        None for all of the future.
    annual_discount_rates : sequence of float
        Effective rates a year.

    Returns
    -------
    DataFrame, one row a horizon, one column a rate
        Equity of the current base, in the currency of the transactions.
    """
    totals = [
        [revalue(values, horizon=horizon, annual_discount_rate=rate).total for rate in annual_discount_rates]
        for horizon in horizons
    ]
    index = pd.Index(list(horizons), name="horizon", dtype=object)
    return pd.DataFrame(totals, index=index, columns=list(annual_discount_rates))
