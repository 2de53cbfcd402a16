"""One way to write down that something was lost: how much there was, how much is gone, since when, what is meant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.periods import DAYS_PER_UNIT, DAYS_PER_YEAR

NOT_KNOWN = float("nan")


@dataclass(frozen=True)
class Loss:
    """What was there at the start of some time, and what of it was lost by its end.

    Attributes
    ----------
    basis : {"customers", "market", "money", "competition"}
    measure : str
        Key of the measure within its basis.
    start, lost : float
        In the unit of the measure: customers, contracts, money or a share; missing where it cannot be told. What was
        lost is negative where more came than went.
    definition : str
        What is counted, in words.
    days : float
        Length of the time; missing where the loss belongs to no time.
    interval : tuple of float
        95% limits of lost / start; missing where nothing was estimated.
    is_churn : bool
        Whether what was not lost was kept, so that retention is 1 less the rate.
    note : str
        What to know beside it, such as why it is missing.
    """

    basis: str
    measure: str
    start: float
    lost: float
    definition: str
    days: float = NOT_KNOWN
    interval: tuple[float, float] = (NOT_KNOWN, NOT_KNOWN)
    is_churn: bool = True
    note: str = ""


def unknown(basis: str, measure: str, definition: str, why: str) -> Loss:
    """Return a loss that cannot be told, and why."""
    return Loss(basis, measure, NOT_KNOWN, NOT_KNOWN, definition, note=why)


def annual_rate(rate: float, days: float) -> float:
    """Return the share lost in a year at the pace of `days`: 1 - (1 - rate)^(days of a year / days).

    A share over 3 months is so taken to lose the same share of what is left in each of the four quarters.
    """
    return float(1 - (1 - rate) ** (DAYS_PER_YEAR / days)) if rate <= 1 else NOT_KNOWN


def table_of(losses: Sequence[Loss]) -> pd.DataFrame:
    """One row a loss, indexed by basis and measure.

    Returns
    -------
    DataFrame
        start, lost, kept (start - lost), rate (lost / start; missing for a start that is not positive) with its limits
        lower and upper, retention (1 - rate), months, annual_rate, definition, note.
    """
    rows = []
    for loss in losses:
        rate = loss.lost / loss.start if loss.start > 0 else NOT_KNOWN
        rows.append(
            {
                "basis": loss.basis,
                "measure": loss.measure,
                "start": loss.start,
                "lost": loss.lost,
                "kept": loss.start - loss.lost,
                "rate": rate,
                "lower": loss.interval[0],
                "upper": loss.interval[1],
                "retention": 1 - rate if loss.is_churn else NOT_KNOWN,
                "months": loss.days / DAYS_PER_UNIT["month"],
                "annual_rate": annual_rate(rate, loss.days) if loss.is_churn and np.isfinite(loss.days) else NOT_KNOWN,
                "definition": loss.definition,
                "note": loss.note,
            }
        )
    return pd.DataFrame(rows).set_index(["basis", "measure"])
