"""The figures of an equity and their intervals, whether customers buy or have contracts."""

from abc import ABC, abstractmethod

import numpy as np
import pandas as pd

from crm_analysis.models.interval import INDIVIDUALS, NEWCOMERS, Interval
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.potential import Potential


class EquityFigures(ABC):
    """What `CustomerEquity` and `ContractEquity` say of themselves; their attributes are described there."""

    current: float
    draws: pd.DataFrame
    level: float
    acquisition: Acquisition | None
    future: Potential | None

    @property
    def potential(self) -> float | None:
        """Worth of customers still to be acquired, gross; None: not valued, because nobody knows how many will join."""
        return None if self.future is None else self.future.gross

    @property
    def acquisition_cost(self) -> float | None:
        """What acquiring them costs; None as `potential`."""
        return None if self.future is None else self.future.cost

    @property
    def total(self) -> float:
        """Customer equity: the current base and, where they are valued, future customers net of acquisition cost."""
        return self.current if self.future is None else self.current + self.future.net

    @property
    def interval(self) -> Interval:
        """Where the equity realised will lie, given the model: parameters, newcomers, individual randomness."""
        return self._interval("outcome", (*self._known, *self._newcomers, *self._sampling, INDIVIDUALS))

    @property
    def parameter_interval(self) -> Interval:
        """Where the expected equity lies: parameters, level of acquisition and sampling.

        Missing where nothing of that is known.
        """
        contains = (*self._known, *self._newcomers, *self._sampling)
        return self._interval("expected", contains) if contains else Interval(np.nan, np.nan, self.level, ())

    @property
    def current_interval(self) -> Interval:
        """Where what the current base realises will lie."""
        return self._interval("current_outcome", (*self._known, *self._sampling, INDIVIDUALS))

    @property
    def current_parameter_interval(self) -> Interval:
        """Where the expected worth of the current base lies; missing where nothing of its doubt is known."""
        contains = (*self._known, *self._sampling)
        return self._interval("current_expected", contains) if contains else Interval(np.nan, np.nan, self.level, ())

    def _interval(self, column: str, contains: tuple[str, ...]) -> Interval:
        return Interval.of_draws(self.draws[column].to_numpy(), level=self.level, contains=contains)

    @property
    @abstractmethod
    def _known(self) -> tuple[str, ...]:
        """What the draws of the fits contain."""

    @property
    def _sampling(self) -> tuple[str, ...]:
        """Whether a sample was valued."""
        return ()

    @property
    def _newcomers(self) -> tuple[str, ...]:
        return (NEWCOMERS,) if self.acquisition is not None and self.acquisition.error > 0 else ()
