"""The equity of a company of contracts on earlier dates, each as it would have been seen then."""

import warnings
from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.side_door import SideTable
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.settings import Settings
from crm_analysis.value.acquisition import Acquisition, repeated_acquisition
from crm_analysis.value.contract_equity import potential_of_members
from crm_analysis.value.contract_newcomers import contract_newcomers
from crm_analysis.value.contract_period import value_contracts
from crm_analysis.value.contract_values import ContractValues


def contract_history(
    table: SideTable, *, dates: Sequence[date], settings: Settings, acquisition: Acquisition | None = None
) -> pd.Series:
    """Value the contracts on earlier dates, the models fitted anew to what was known on each.

    Parameters
    ----------
    table : SideTable
        The contracts, cut at the last of the dates or later.
    dates : sequence of date
    settings : Settings
        Money, horizon and fees: those of today on every date.
    acquisition : Acquisition, optional
        How the number of those who will join was forecast; repeated on each date. Without it members alone are valued.

    Returns
    -------
    Series, indexed by date
        Customer equity; missing where no contract ran, or where those who will join cannot be forecast as now.
    """
    return pd.Series({day: _equity_on(table, day, settings, acquisition) for day in dates}, dtype="float64")


def values_on(table: SideTable, day: date, settings: Settings) -> ContractValues | None:
    """Value the contracts as they stood on a day; None where none ran, or none had begun."""
    try:
        with warnings.catch_warnings():
            # Doubtful estimates of an early date are no news beside the value of today.
            warnings.simplefilter("ignore", EstimationWarning)
            return value_contracts(table.until(day).frame, as_of=day, settings=settings)
    except (DataError, SettingsError):
        return None


def acquisition_on(table: SideTable, day: date, acquisition: Acquisition | None) -> Acquisition | None:
    """Repeat on an earlier day how those who will join were forecast; None where that is not known.

    Raises
    ------
    DataError
        When too few months were known then.
    """
    if acquisition is None:
        return None
    newcomers = contract_newcomers(table.until(day).frame, as_of=day)
    return repeated_acquisition(acquisition, newcomers=newcomers, as_of=day)


def _equity_on(table: SideTable, day: date, settings: Settings, acquisition: Acquisition | None) -> float:
    values = values_on(table, day, settings)
    if values is None:
        return float("nan")
    try:
        joining = acquisition_on(table, day, acquisition)
    except DataError:
        return float("nan")
    future = 0.0 if joining is None else potential_of_members(values, joining).net
    total = values.total + future
    return total if np.isfinite(total) else float("nan")
