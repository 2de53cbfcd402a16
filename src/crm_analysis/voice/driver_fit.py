"""What a driver analysis says: importance with its doubt, slopes, and what to beware of."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from crm_analysis.models.checks import check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import Interval
from crm_analysis.voice.penalty_reward import CutOff, penalty_reward
from crm_analysis.voice.priorities import importance_performance
from crm_analysis.voice.rating_scale import Scales
from crm_analysis.voice.what_if import what_if

# Shares that differ by less are taken for equal: copies of a driver have one rank.
_DIGITS = 10


@dataclass(frozen=True, eq=False)
class DriverFit:
    """How much each driver goes with an outcome, among drivers that go with each other.

    All of it is association among those who answered: that a driver goes with satisfaction does not say that
    satisfaction would follow if the driver were improved.

    Attributes
    ----------
    importance : DataFrame, index driver, or group where there are groups
        contribution (to R-squared, beyond the controls), share (of all contributions, sums to 1), lower and upper limit
        of the share, noise (how often, among the bootstrap samples, it adds more than a driver that is pure noise: near
        0.5 for a driver without effect, whose share can never be 0), rank (1 is the largest; equal ones share one),
        first (R-squared when it enters right after the controls), last (when it enters after all others) and johnson
        (its share by Johnson's relative weights, as a check).
    items : DataFrame, index driver
        The same for single drivers, and group. With groups, contributions are Owen values (by method "johnson" relative
        weights) and add up to those of the group.
    slopes : DataFrame, index driver
        As of `slope_table`: slope (points of the outcome for a point of the driver, the others alike), standard_error
        (HC3), lower, upper, p_value, standardised, correlation, vif, sign_disagrees.
    covariance : DataFrame, index and columns driver
        Of the slopes.
    degrees : float
        Degrees of freedom behind it.
    dominance : DataFrame, square, as importance
        Share of the sets of other drivers to which the row adds more than the column; 1 is complete dominance. Missing
        for more than 15.
    r_squared, adjusted_r_squared : float
        Of drivers and controls together.
    r_squared_interval : Interval
        Of the R-squared among all whom the respondents stand for, around `adjusted_r_squared` rather than `r_squared`:
        what many drivers explain by chance is taken off.
    controls_r_squared : float
        Of the controls alone; contributions add up to `r_squared` less it.
    noise_share : Series
        mean and upper: share of the noise driver beside the others in the samples, and its upper limit.
    share_draws, item_share_draws : DataFrame
        Shares in each bootstrap sample, columns as `importance` and `items`; without rows when there are no draws.
    n : int
        Respondents in it.
    effective_n : float
        What they are worth when weights differ (Kish).
    condition_number : float
        Largest over smallest eigenvalue of the correlations of drivers; above 30 or so slopes are shaky.
    bases : DataFrame, index driver
        answered, not_applicable, missing: of those who answered the outcome.
    method : str
        "lmg" or "johnson".
    outcome : str
        Column of the outcome.
    drivers, controls : tuple of str
        Columns of drivers and of what was held constant, indicators of what did not apply among it.
    groups : dict of str to tuple of str
        Drivers of each group; of each driver itself without groups.
    level : float
        Probability of all intervals.
    notes : tuple of str
        What was done and what to beware of, in words.
    responses : DataFrame or Survey
        The answers, for what is looked at later.
    weights : array, shape (n_respondents,)
        What each of `responses` counts.
    """

    importance: pd.DataFrame
    items: pd.DataFrame
    slopes: pd.DataFrame
    covariance: pd.DataFrame = field(repr=False)
    degrees: float
    dominance: pd.DataFrame = field(repr=False)
    r_squared: float
    adjusted_r_squared: float
    r_squared_interval: Interval
    controls_r_squared: float
    noise_share: pd.Series
    share_draws: pd.DataFrame = field(repr=False)
    item_share_draws: pd.DataFrame = field(repr=False)
    n: int
    effective_n: float
    condition_number: float
    bases: pd.DataFrame = field(repr=False)
    method: str
    outcome: str
    drivers: tuple[str, ...]
    controls: tuple[str, ...]
    groups: dict[str, tuple[str, ...]]
    level: float
    notes: tuple[str, ...]
    responses: Any = field(repr=False)
    weights: Floats = field(repr=False)

    @property
    def rank_probabilities(self) -> pd.DataFrame:
        """How often each driver (or group) has each rank among the bootstrap samples; columns 1 to k.

        Missing without draws.
        """
        ranks = self._ranks()
        places = range(1, ranks.shape[1] + 1)
        columns = {place: _mean(ranks == place) for place in places}
        return pd.DataFrame(columns, index=self.importance.index).rename_axis(columns="rank")

    def top(self, k: int) -> pd.Series:
        """Return how often each driver (or group) is among the first `k`; missing without draws.

        Raises
        ------
        SettingsError
            Unless `k` is a whole number >= 1.
        """
        check_whole("k", k, least=1)
        return pd.Series(_mean(self._ranks() <= k), index=self.importance.index, name=f"top {k}")

    @property
    def differences(self) -> pd.DataFrame:
        """Difference of the shares of every two drivers (or groups), the larger first.

        Columns first, second, difference, lower and upper: percentile limits, not widened for their number. Two whose
        limits have 0 between them cannot be put in order.
        """
        ordered = self.importance["share"].sort_values(ascending=False, kind="stable")
        rows = []
        for first, second in combinations(ordered.index, 2):
            drawn = (self.share_draws[first] - self.share_draws[second]).to_numpy()
            rows.append((first, second, ordered[first] - ordered[second], *limits(drawn, self.level)))
        return pd.DataFrame(rows, columns=["first", "second", "difference", "lower", "upper"])

    def penalty_reward(self, *, low: CutOff = None, high: CutOff = None) -> pd.DataFrame:
        """Return what low and high marks of each driver go with: see `voice.penalty_reward.penalty_reward`."""
        return penalty_reward(
            self.responses,
            outcome=self.outcome,
            drivers=self.drivers,
            low=low,
            high=high,
            weights=self.weights,
            level=self.level,
        )

    def importance_performance(self, *, scale: Scales = (1, 10), cross: str = "mean") -> pd.DataFrame:
        """Return importance beside mean marks, in quadrants: see `voice.priorities.importance_performance`."""
        return importance_performance(
            self.importance,
            self.responses,
            scale=scale,
            cross=cross,
            groups=self.groups if self.importance.index.name == "group" else None,
            weights=self.weights,
            level=self.level,
        )

    def simulate(self, changes: Mapping[str, Any], *, scale: Scales = (1, 10)) -> pd.DataFrame:
        """Return what marks of drivers a step higher or lower go with in the outcome: see `voice.what_if.what_if`."""
        return what_if(
            self.responses,
            slopes=self.slopes["slope"],
            covariance=self.covariance,
            changes=changes,
            outcome=self.outcome,
            scale=scale,
            weights=self.weights,
            level=self.level,
            degrees=self.degrees,
        )

    def _ranks(self) -> Floats:
        shares = self.share_draws.to_numpy()
        return np.asarray(rankdata(-np.round(shares, _DIGITS), method="min", axis=1)) if len(shares) else shares


def importance_table(
    names: pd.Index, contributions: Floats, *, draws: Floats, beats: Floats, level: float, **further: Any
) -> pd.DataFrame:
    """Return a frame as `DriverFit.importance`.

    Parameters
    ----------
    names : Index
        Of drivers or groups.
    contributions : array, shape (n,)
        To R-squared.
    draws : array, shape (n_draws, n)
        Shares in the bootstrap samples.
    beats : array, shape (n,)
        How often each adds more than noise.
    level : float
        Probability of the limits.
    **further
        Columns that come last.
    """
    total = contributions.sum()
    share = contributions / total if total > 0 else np.full(len(contributions), np.nan)
    lower, upper = limits(draws, level)
    rank = rankdata(-np.round(contributions, _DIGITS), method="min").astype(int)
    columns = {
        "contribution": contributions,
        "share": share,
        "lower": lower,
        "upper": upper,
        "noise": beats,
        "rank": rank,
        **further,
    }
    return pd.DataFrame(columns, index=names)


def limits(draws: Floats, level: float) -> tuple[Any, Any]:
    """Lower and upper percentile limit along the first axis; missing without draws."""
    if not len(draws):
        nothing = np.full(draws.shape[1:], np.nan)[()]
        return nothing, nothing
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return lower, upper


def _mean(happens: Any) -> Floats:
    return np.asarray(happens.mean(axis=0) if len(happens) else np.full(happens.shape[1:], np.nan))
