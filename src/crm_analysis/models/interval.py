"""An interval that says what it contains."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crm_analysis.models.histories import Floats

INDIVIDUALS = "individual randomness"
SAMPLING = "sampling of customers"
RESPONDENTS = "sampling of respondents"
NEWCOMERS = "number of new customers"


@dataclass(frozen=True)
class Interval:
    """Where a quantity lies with probability `level`, given the sources of doubt in `contains`.

    Attributes
    ----------
    lower, upper : float
        Ends, in the unit of the quantity.
    level : float
        Probability, such as 0.95.
    contains : tuple of str
        Sources of doubt inside it; every other source (such as the choice of the model) is outside.
    """

    lower: float
    upper: float
    level: float
    contains: tuple[str, ...]

    @classmethod
    def of_draws(cls, draws: Floats, *, level: float, contains: Sequence[str]) -> "Interval":
        """Return the central interval of simulated values."""
        lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
        return cls(float(lower), float(upper), level, tuple(contains))

    @property
    def width(self) -> float:
        """Upper less lower."""
        return self.upper - self.lower

    def __contains__(self, value: float) -> bool:
        return self.lower <= value <= self.upper

    def __str__(self) -> str:
        return f"{self.level:.0%} interval {self.lower:,.2f} to {self.upper:,.2f} ({' and '.join(self.contains)})"
