"""A figure from a survey with its interval, and how many answers are behind it."""

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from crm_analysis.data.survey_rules import SMALL_BASE, SMALL_SAMPLE
from crm_analysis.models.interval import Interval

__all__ = ["SMALL_BASE", "SMALL_SAMPLE", "Estimate", "estimate_table"]


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval.

    Attributes
    ----------
    value : float
        The figure; missing where nobody answered.
    interval : Interval
        Where it lies; its ends are missing where they cannot be told.
    standard_error : float
        Of `value`; missing where it cannot be told.
    n : int
        Answers behind it.
    effective_n : float
        What they are worth when weights differ (Kish); `n` without weights.
    method : str
        How the interval was made, in words, such as "Wilson".
    """

    value: float
    interval: Interval
    standard_error: float
    n: int
    effective_n: float
    method: str

    @property
    def is_small(self) -> bool:
        """Whether there are fewer answers behind it than a figure should have."""
        return self.effective_n < SMALL_BASE

    def __float__(self) -> float:
        return self.value


def estimate_table(estimates: Sequence[Estimate], *, index: pd.Index) -> pd.DataFrame:
    """Return estimates as rows: n, effective_n, value, lower, upper."""
    columns = ["n", "effective_n", "value", "lower", "upper"]
    rows = [(each.n, each.effective_n, each.value, each.interval.lower, each.interval.upper) for each in estimates]
    return pd.DataFrame(rows, columns=columns, index=index)
