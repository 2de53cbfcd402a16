"""The share of prospects that is won after a stage: what those that ended say of it, how sure that is, wins to come."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import betaincinv

from crm_analysis.data.contracts import WON
from crm_analysis.models.histories import Floats

_DRAWS = 4000


@dataclass(frozen=True, eq=False)
class Ends:
    """Those that ended after entering a stage, by days: whether won, and how many each of them stands for."""

    days: Floats
    won: Floats
    weights: Floats

    @classmethod
    def of(cls, entries: pd.DataFrame) -> "Ends":
        """Let each open prospect count as those that stayed open longer (Efron's redistribution to the right)."""
        in_order = entries.sort_values("days", kind="stable")
        days = in_order["days"].to_numpy(float)
        ended = in_order["end"].notna().to_numpy()
        times, at_time = np.unique(days[ended], return_counts=True)
        # An open prospect was seen through its last day, so that it is at risk of ending on it.
        at_risk = len(days) - np.searchsorted(days, times, side="left")
        still_open = np.cumprod(1 - at_time / at_risk)
        before = np.concatenate([[1.0], still_open[:-1]])
        each = len(days) * before / at_risk
        won = (in_order["end"] == WON).to_numpy().astype(np.float64)
        return cls(days[ended], won[ended], each[np.searchsorted(times, days[ended])])

    @property
    def days_to_win(self) -> float:
        """Mean days of those that were won; missing where none was."""
        weights = self.weights * self.won
        return float(weights @ self.days / weights.sum()) if weights.sum() > 0 else float("nan")

    def after(self, days: float) -> "Ends":
        """Return those that took longer."""
        later = self.days > days
        return Ends(self.days[later], self.won[later], self.weights[later])


@dataclass(frozen=True)
class Rate:
    """A Beta distribution of the share that is won."""

    wins: float
    losses: float

    @classmethod
    def of(cls, ends: Ends, prior: "Rate") -> "Rate":
        """Add what those that ended say, each for no more than itself, to what was thought before."""
        if not len(ends.weights):
            return prior
        share = float(ends.weights @ ends.won / ends.weights.sum())
        worth = float(ends.weights.sum() ** 2 / (ends.weights @ ends.weights))
        return cls(prior.wins + worth * share, prior.losses + worth * (1 - share))

    def worth(self, prospects: float) -> "Rate":
        """Return a distribution with the same mean that counts as much as so many prospects."""
        return Rate(prospects * self.mean, prospects * (1 - self.mean))

    @property
    def mean(self) -> float:
        """Probability to be won."""
        return self.wins / (self.wins + self.losses)


@dataclass(frozen=True)
class Wins:
    """Wins to come in a stage: of so many open prospects, with this distribution of the share that is won."""

    prospects: int
    rate: Rate

    @classmethod
    def of(cls, pipeline: pd.DataFrame) -> "Wins":
        """Let the open prospects of a stage share their mean probability and evidence."""
        known = pipeline[pipeline["probability"].notna()]
        if known.empty:
            return cls(0, Rate(0.5, 0.5))
        mean, evidence = known["probability"].mean(), known["evidence"].mean()
        return cls(len(known), Rate(mean * evidence, (1 - mean) * evidence))

    def quantiles(self, at: list[float]) -> Floats:
        """Return quantiles of the Beta-binomial."""
        from scipy import stats  # loads for most of a second, and only here is it wanted

        return stats.betabinom.ppf(at, self.prospects, self.rate.wins, self.rate.losses)


def drawn_wins(wins: list[Wins], rng: np.random.Generator) -> Floats:
    """Draw the wins of all stages, whose shares are high or low together; shape (4000,)."""
    together = rng.uniform(size=_DRAWS)
    drawn = np.zeros(_DRAWS)
    for one in wins:
        drawn += rng.binomial(one.prospects, betaincinv(one.rate.wins, one.rate.losses, together))
    return drawn
