"""How much of what a cause goes with goes by way of a mediator, such as satisfaction between quality and loyalty."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError, warn_of_doubt
from crm_analysis.messages import N_
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.models.interval import RESPONDENTS, Interval
from crm_analysis.voice.estimate import SMALL_SAMPLE, Estimate
from crm_analysis.voice.moments import is_solvable, resampled_moments, weighted_moments
from crm_analysis.voice.regression import complete_answers
from crm_analysis.voice.responses import effective_n, names_of

EFFECTS = (N_("indirect"), N_("direct"), N_("total"))
# Fewer leave so little scatter that samples say next to nothing of it.
_LEAST_RESPONDENTS = 10
_METHOD = "percentile bootstrap"
_GRID = np.round(np.linspace(-0.9, 0.9, 19), 1)


@dataclass(frozen=True, eq=False)
class Mediation:
    """Indirect, direct and total effects of one or several causes.

    Attributes
    ----------
    causes, controls : tuple of str
        Columns; with several causes each is a control of the others.
    mediator, outcome : str
        Columns.
    effects : mapping of cause to mapping of "indirect", "direct", "total" to Estimate
        In points of the outcome per point of the cause. Direct and indirect add up to total.
    shares : mapping of cause to Estimate or None
        Indirect over total. None where the interval of the total contains 0, or indirect and direct have opposite
        signs, so that there is no share to speak of.
    rho_at_zero : Estimate
        Correlation of the errors of mediator and outcome at which indirect effects would be 0: what unseen common
        causes of both would have to amount to. The further from 0, the sturdier.
    sensitivity : DataFrame, index rho
        The indirect effect at each such correlation: a column for each cause. At 0 it is the one reported.
    """

    causes: tuple[str, ...]
    mediator: str
    outcome: str
    controls: tuple[str, ...]
    effects: Mapping[str, Mapping[str, Estimate]]
    shares: Mapping[str, Estimate | None]
    rho_at_zero: Estimate
    sensitivity: pd.DataFrame

    @property
    def indirect(self) -> Estimate:
        """What goes by way of the mediator; of a single cause."""
        return self.effects[self._only()]["indirect"]

    @property
    def direct(self) -> Estimate:
        """What does not; of a single cause."""
        return self.effects[self._only()]["direct"]

    @property
    def total(self) -> Estimate:
        """Both together; of a single cause."""
        return self.effects[self._only()]["total"]

    @property
    def share_mediated(self) -> Estimate | None:
        """Indirect over total; of a single cause, and None where it cannot be told."""
        return self.shares[self._only()]

    @property
    def intervals(self) -> pd.DataFrame:
        """All effects: value, standard_error, lower, upper by effect; by cause and effect where causes are several."""
        rows = {
            (cause, effect): {
                "value": one.value,
                "standard_error": one.standard_error,
                "lower": one.interval.lower,
                "upper": one.interval.upper,
            }
            for cause, effects in self.effects.items()
            for effect, one in effects.items()
        }
        index = pd.MultiIndex.from_tuples(rows, names=["cause", "effect"])
        table = pd.DataFrame(list(rows.values()), index=index)
        return table.droplevel("cause") if len(self.causes) == 1 else table

    def of(self, cause: str) -> "Mediation":
        """Return what is said of one cause; the others stay controls."""
        if cause not in self.causes:
            raise SettingsError(f"{cause!r} is no cause; the causes are {', '.join(self.causes)}.")
        others = tuple(name for name in self.causes if name != cause)
        return replace(
            self,
            causes=(cause,),
            controls=(*self.controls, *others),
            effects={cause: self.effects[cause]},
            shares={cause: self.shares[cause]},
            sensitivity=self.sensitivity[[cause]],
        )

    def _only(self) -> str:
        if len(self.causes) > 1:
            raise SettingsError(
                f"there are several causes, {', '.join(self.causes)}; ask for one by of(cause), or look at intervals."
            )
        return self.causes[0]


def mediation(
    data: Any,
    *,
    cause: str | Sequence[str],
    mediator: str,
    outcome: str,
    controls: Sequence[str] = (),
    weights: Any = None,
    draws: int = 5000,
    seed: int = 0,
    level: float = 0.95,
) -> Mediation:
    """Split what goes with a cause into what goes by way of a mediator and what does not.

    Two regressions: mediator on cause (a), outcome on cause (direct) and mediator (b); indirect is a times b. That
    these are effects of the cause rests on assumptions that no survey can test: nothing unseen moves cause, mediator
    and outcome, and the order is the one assumed. `rho_at_zero` says how far it could be off.

    Parameters
    ----------
    data : DataFrame or Survey
        One row a respondent; who did not answer everything is left out.
    cause : str or sequence of str
        Columns.
    mediator, outcome : str
        Columns.
    controls : sequence of str
        Columns of numbers that enter both regressions.
    weights : optional
        As `take_responses` takes them.
    draws : int
        Bootstrap samples of respondents, at least 100.
    seed : int
        Of the samples.
    level : float
        Probability of the intervals.

    Returns
    -------
    Mediation

    Raises
    ------
    SettingsError
        When arguments do not fit.
    DataError
        When answers are refused, fewer than ten respondents (or three more than there are causes, controls and
        mediator) answered everything, or one column is given by the others.

    Notes
    -----
    The effect of the mediator is taken to be the same at all values of the cause (no interaction). Samples are drawn
    of respondents, weights carried along; regressions of each come from its covariances alone.

    References
    ----------
    Baron & Kenny (1986), Journal of Personality and Social Psychology 51, 1173-1182; Shrout & Bolger (2002),
    Psychological Methods 7, 422-445 (bootstrap); Imai, Keele & Yamamoto (2010), Statistical Science 25, 51-71
    (sensitivity of the linear model to a correlation of the errors).
    """
    check_level(level)
    check_whole("draws", draws, least=100)
    check_whole("seed", seed, least=0)
    causes = (cause,) if isinstance(cause, str) else tuple(names_of("cause", cause))
    others = tuple(names_of("controls", controls))
    if not causes:
        raise SettingsError("give at least one cause.")
    if mediator == outcome:
        raise SettingsError(f"mediator and outcome are both {outcome!r}; give two columns.")
    names = [*causes, *others, mediator]
    taken, _whole = complete_answers(data, outcome=outcome, drivers=names, weights=weights)
    values, w = taken.frame[[*names, outcome]].to_numpy(), taken.weights
    least = max(_LEAST_RESPONDENTS, len(names) + 3)
    if len(values) < least:
        raise DataError(
            f"survey answers: {len(values):,} respondents answered everything, and mediation by {len(names)} columns "
            f"takes at least {least}.\nTo fix: wait for more answers, or impute what is missing."
        )
    whole = weighted_moments(values, w).covariances[None]
    if not is_solvable(whole[:, :-1, :-1])[0]:
        raise DataError(
            "survey answers: cause, controls and mediator depend on one another, so that their parts cannot be told "
            "apart.\nTo fix: leave one of them out."
        )
    worth = effective_n(w)
    if worth < SMALL_SAMPLE:
        warn_of_doubt(f"mediation by {worth:.0f} answers: fewer than {SMALL_SAMPLE}; take intervals as rough.")
    drawn = resampled_moments(values, w, draws=draws, rng=np.random.default_rng(seed)).covariances
    drawn = drawn[is_solvable(drawn[:, :-1, :-1])]  # a sample in which a rare answer is absent tells nothing of it
    point, spread = _paths(whole, len(causes)), _paths(drawn, len(causes))

    def estimate(value: float, of_samples: Floats) -> Estimate:
        interval = Interval.of_draws(of_samples, level=level, contains=(RESPONDENTS,))
        return Estimate(float(value), interval, float(np.std(of_samples, ddof=1)), len(values), worth, _METHOD)

    effects = {
        name: {effect: estimate(point[effect][0, at], spread[effect][:, at]) for effect in EFFECTS}
        for at, name in enumerate(causes)
    }
    shares: dict[str, Estimate | None] = {}
    for at, name in enumerate(causes):
        indirect, direct, total = (effects[name][effect] for effect in EFFECTS)
        has_share = 0 not in total.interval and indirect.value * direct.value >= 0
        ratios = spread["indirect"][:, at] / spread["total"][:, at]
        shares[name] = estimate(indirect.value / total.value, ratios) if has_share else None
    rho = point["rho"][0]
    # a, times the ratio of the residual spreads, times what is left of their correlation at each rho.
    left = rho - _GRID * np.sqrt((1 - rho**2) / (1 - _GRID**2))
    by_rho = point["a"][0] * point["ratio"][0] * left[:, None]
    sensitivity = pd.DataFrame(by_rho, index=pd.Index(_GRID, name="rho"), columns=list(causes))
    return Mediation(
        causes, mediator, outcome, others, effects, shares, estimate(float(rho), spread["rho"]), sensitivity
    )


def _paths(covariances: Floats, causes: int) -> dict[str, Floats]:
    """Return effects of the causes from covariances of causes, controls, mediator and outcome, in this order."""
    x, mediator, outcome = covariances[:, :-2, :-2], covariances[:, :-2, -2], covariances[:, :-2, -1]
    both = np.linalg.solve(x, np.stack([mediator, outcome], axis=-1))
    a, total = both[..., 0], both[..., 1]
    # What cause and controls leave of mediator and outcome.
    of_mediator = covariances[:, -2, -2] - np.einsum("dk,dk->d", mediator, a)
    of_outcome = covariances[:, -1, -1] - np.einsum("dk,dk->d", outcome, total)
    of_both = covariances[:, -2, -1] - np.einsum("dk,dk->d", mediator, total)
    indirect = a * (of_both / of_mediator)[:, None]
    of_outcome = np.maximum(of_outcome, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        rho = np.nan_to_num(of_both / np.sqrt(of_mediator * of_outcome))
    found = {"a": a, "indirect": indirect, "total": total, "direct": total - indirect}
    paths = {name: path[:, :causes] for name, path in found.items()}
    return paths | {"rho": np.clip(rho, -1, 1), "ratio": np.sqrt(of_outcome / of_mediator)}
