"""A fitted path model: paths, effects, loadings, indices, and what to do first."""

from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from crm_analysis.errors import SettingsError, listing
from crm_analysis.voice.path_estimates import PathEstimates
from crm_analysis.voice.path_settings import PathSettings
from crm_analysis.voice.path_tables import construct_priorities, item_priorities


@dataclass(frozen=True, eq=False)
class PathModelFit:
    """A path model of constructs that items ask for.

    Intervals are percentiles over respondents drawn anew, the whole algorithm run in each draw; missing without draws.

    Attributes
    ----------
    paths : DataFrame, index (from, to)
        coefficient (standardised), standard_error, lower, upper; vif, how far causes of the same construct overlap.
    total_effects, indirect_effects : DataFrame, index (from, to)
        effect (standardised), standard_error, lower, upper: by all ways, or by ways over other constructs.
    loadings : DataFrame, index (construct, item)
        loading (correlation of item and score), standard_error, lower, upper; is_weak.
    weights : DataFrame, index (construct, item)
        weight (of standardised items, scores having variance 1), standard_error, lower, upper; share, share_lower,
        share_upper: the same for answers from 0 to 100, adding up to 1 in each construct.
    r_squared : DataFrame, index construct
        r_squared, adjusted, standard_error, lower, upper of the constructs that have causes.
    scores : DataFrame, index as the responses, one column a construct
        Mean 0, variance 1; missing for respondents left out.
    indices : DataFrame, index construct
        index (0 to 100), standard_error, lower, upper.
    quality : DataFrame, index construct
        mode, items, alpha, rho_a, composite_reliability, average_variance_extracted.
    htmt : DataFrame, constructs by constructs
        Near or above .90 two constructs are hardly told apart.
    srmr : float
        Root of the mean squared residual correlation of the items.
    bases : DataFrame, index (construct, item)
        answered, missing, not_applicable: respondents who count.
    n, effective_n : int, float
        Respondents behind the figures, and what they are worth when weights differ (Kish).
    constructs, modes : tuple of str
    scheme : str
    level : float
        Probability of the intervals.
    draws, failed_draws : int
        Draws of respondents behind the intervals, and those left out because the algorithm failed in them.
    converged : bool
    iterations : int
        Rounds of the algorithm.
    notes : tuple of str
        What to beware of, in words.
    """

    paths: pd.DataFrame
    total_effects: pd.DataFrame
    indirect_effects: pd.DataFrame
    loadings: pd.DataFrame
    weights: pd.DataFrame
    r_squared: pd.DataFrame
    scores: pd.DataFrame = field(repr=False)
    indices: pd.DataFrame
    quality: pd.DataFrame
    htmt: pd.DataFrame = field(repr=False)
    srmr: float
    bases: pd.DataFrame = field(repr=False)
    n: int
    effective_n: float
    constructs: tuple[str, ...]
    modes: tuple[str, ...]
    scheme: str
    level: float
    draws: int
    failed_draws: int
    converged: bool
    iterations: int
    notes: tuple[str, ...]
    _settings: PathSettings = field(repr=False)
    _point: PathEstimates = field(repr=False)
    _drawn: PathEstimates = field(repr=False)

    def importance_performance(self, target: str, *, level: Literal["construct", "item"] = "construct") -> pd.DataFrame:
        """What goes with a higher index of the target, and how well it is done today.

        Parameters
        ----------
        target : str
            A construct that has causes.
        level : "construct" or "item"
            Whether rows are the constructs that lead to the target, or their items.

        Returns
        -------
        DataFrame, index construct or item
            importance: points of the target's index that go with one point more of the row's (total effect, not
            standardised; of an item: times its share in its construct), with lower and upper; performance: index, or
            mean of the item, 0 to 100, with performance_lower and performance_upper; quadrant, by the lines
            importance_line and performance_line at the means of the rows; certain (whether neither interval contains
            its line). Items have their construct.

        Raises
        ------
        SettingsError
            When the target is no construct with causes, or the model was fitted without a scale.

        References
        ----------
        Ringle & Sarstedt (2016), Industrial Management & Data Systems 116(9), 1865-1886.
        """
        caused = list(self.r_squared.index)
        if target not in caused:
            raise SettingsError(f"target is {target!r}; give a construct that has causes: {listing(caused)}.")
        if level not in ("construct", "item"):
            raise SettingsError(f"level is {level!r}; give 'construct' or 'item'.")
        if self.indices["index"].isna().all():
            raise SettingsError(
                "the model was fitted without a scale; give path_model(..., scale=(1, 10)) for indices."
            )
        table = construct_priorities if level == "construct" else item_priorities
        position = self.constructs.index(target)
        return table(position, self._settings, self._point, self._drawn, level=self.level)
