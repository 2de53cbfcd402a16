"""How forecasts made earlier came out, in tables and in words."""

from dataclasses import dataclass
from datetime import date

import pandas as pd

from crm_analysis.messages import _, count, number, percent, plural
from crm_analysis.models.interval import Interval
from crm_analysis.periods import TimeUnit

# A total within this share of what happened is called close, within twice of it fair.
_CLOSE = 0.10


@dataclass(frozen=True, eq=False)
class Backtest:
    """How forecasts made earlier came out. The tables that look closer are of the chosen model at the last origin.

    Attributes
    ----------
    scorecard : DataFrame, indexed by origin and method
        kind ("model" or "naive") and the scores of `scores.point_scores`: customers; actual and expected purchases;
        error (expected / actual - 1); mae, mae_at_total, rmse; gini, top_tenth, lift, decile_mape. Of models alone:
        coverage of each customer's 90% range, log_score (mean log-probability of what customers did), converged.
    comparison : DataFrame, indexed by method
        The same over all origins: total_error (mean absolute error of the total), mae, rmse, gini, decile_mape,
        coverage, log_score; ahead (log score above that of the first model, over its standard error).
    by_decile : DataFrame, indexed by decile (1 = expected to buy most)
        customers; mean actual and expected purchases.
    by_frequency : DataFrame, indexed by repeat purchases before the origin ("0" to "7+")
        customers; mean actual and expected purchases; lower and upper 95% limits of the actual mean; expected_lower and
        expected_upper, between which all actual means would lie with 95% if the model held (Bonferroni).
    by_silence : DataFrame, indexed by weeks since the last purchase ("0-4", "4-8", ...)
        customers; mean actual and expected purchases.
    by_cohort : DataFrame, indexed by month of the first purchase
        customers; total actual and expected purchases.
    tracking : DataFrame, indexed by the last day of each week
        actual and expected repeat purchases in the week; lower and upper 95% limits of the held-out weeks; held_out.
        Up to the origin `expected` is that of the curve for new customers, after it that given each history.
    probability_transform : DataFrame
        Where in their forecast distributions the customers ended up (see `scores.probability_transform`).
    interval : Interval
        Of the expected total of the held-out time.
    horizon : float
        Length of the held-out time, in `time_unit`.
    model_name : str
        The chosen model: the first one, unless another is clearly better.
    kept : bool
        Whether the first one was kept without asking the test.
    given_flow : bool
        Whether the chosen model was given the flow of orders of the held-out time, which the naive rules were not.
    stands_for : float
        Customers of the base for each one tested: above 1 for a sample, of which all counts here are.
    """

    scorecard: pd.DataFrame
    comparison: pd.DataFrame
    by_decile: pd.DataFrame
    by_frequency: pd.DataFrame
    by_silence: pd.DataFrame
    by_cohort: pd.DataFrame
    tracking: pd.DataFrame
    probability_transform: pd.DataFrame
    interval: Interval
    horizon: float
    time_unit: TimeUnit
    model_name: str
    origin: date
    kept: bool = False
    given_flow: bool = False
    stands_for: float = 1.0

    @property
    def actual(self) -> float:
        """Purchases made in the held-out time after the last origin."""
        return float(self._row(self.model_name)["actual"])

    @property
    def expected(self) -> float:
        """Purchases the model expected there."""
        return float(self._row(self.model_name)["expected"])

    @property
    def shortfall(self) -> float:
        """How far what happened lies above (+) or below (-) the expectation, as a share of the expectation."""
        return self.actual / self.expected - 1 if self.expected else float("inf") if self.actual else 0.0

    @property
    def beaten_rules(self) -> list[str]:
        """Naive rules that miss single customers by more than the model does, in root mean square.

        The mean absolute error would favour whoever forecasts too little: most customers buy nothing.
        """
        last = self.scorecard.loc[self.origin]
        naive = last[last["kind"] == "naive"]
        return list(naive.index[naive["rmse"] > last.loc[self.model_name, "rmse"]])

    @property
    def closer_rules(self) -> list[str]:
        """Naive rules that came closer to the total than the model."""
        last = self.scorecard.loc[self.origin]
        naive = last[last["kind"] == "naive"]
        return list(naive.index[naive["error"].abs() < abs(float(self._row(self.model_name)["error"]))])

    @property
    def trust(self) -> str:
        """How far the total was from what happened, in one word: "close", "fair" or "poor"."""
        distance = abs(self.shortfall)
        return "close" if distance <= _CLOSE else "fair" if distance <= 2 * _CLOSE else "poor"

    def verdict(self) -> str:
        """Say in a plain sentence how far to trust the forecast."""
        last = self.scorecard.loc[self.origin]
        rules = int((last["kind"] == "naive").sum())
        level = {
            "close": _("The total can be relied on"),
            "fair": _("Take the total as rough"),
            "poor": _("Do not rely on the total"),
        }[self.trust]
        direction = (
            _("customers bought {share} more than expected", share=percent(self.shortfall))
            if self.shortfall > 0
            else _("customers bought {share} less than expected", share=percent(-self.shortfall))
        )
        inside = _("inside the 95% interval") if self.actual in self.interval else _("outside the 95% interval")
        single = (
            _("Customer by customer the model misses by less than the naive rules.")
            if len(self.beaten_rules) == rules
            else _("Customer by customer it does no better than a naive rule.")
        )
        sentences = [_("{level}: {direction}, {inside}.", level=level, direction=direction, inside=inside), single]
        if self.closer_rules:
            sentences.append(_("On the total a naive rule came closer."))
        if self.given_flow:
            sentences.append(_("The model was given the flow of orders of that time, the naive rules were not."))
        return " ".join(sentences)

    def choice(self) -> str:
        """Say in a sentence why this model stands behind the forecast; empty when only one was tested."""
        models = self.comparison[self.comparison["kind"] == "model"]
        if len(models) < 2:
            return ""
        if self.kept:
            return _(
                "The log holds each season once, so no test inside it can tell a season from customers leaving; the "
                "model is the one made for shops with seasons."
            )
        origins = self.scorecard.index.get_level_values("origin").nunique()
        tests = plural("one earlier date", "{n} earlier dates", origins)
        first = models.index[0]
        if self.model_name == first:
            others = models["ahead"].drop(first)
            if others.max() > 0:
                return _(
                    "{model}, the preferred of {n} models, stays: tested on {tests}, none was clearly better at saying "
                    "what each customer would do ({other} came closest, {z} standard errors ahead).",
                    model=first,
                    n=count(len(models)),
                    tests=tests,
                    other=others.idxmax(),
                    z=number(float(others.max()), 1),
                )
            return _(
                "{model} was the best of {n} models at saying what each customer would do, tested on {tests}.",
                model=first,
                n=count(len(models)),
                tests=tests,
            )
        return _(
            "{model} was chosen out of {n} models: tested on {tests}, it said best what each customer would do, {z} "
            "standard errors ahead of {first}.",
            model=self.model_name,
            n=count(len(models)),
            tests=tests,
            z=number(float(models["ahead"][self.model_name]), 1),
            first=first,
        )

    def _row(self, method: str) -> pd.Series:
        row: pd.Series = self.scorecard.xs(self.origin).loc[method]  # type: ignore[assignment]  # one label, one row
        return row
