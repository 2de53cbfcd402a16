"""A figure from a survey with its interval, and how many answers are behind it."""

from dataclasses import dataclass

from crm_analysis.models.interval import Interval

# Under so many answers a figure is flagged; under so many in all, a model is.
SMALL_BASE = 30
SMALL_SAMPLE = 100


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
