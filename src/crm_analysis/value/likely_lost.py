"""Who is likely lost: customers the model expects to buy nothing, and how often such a list was right before."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crm_analysis.data.summaries import CalibrationHoldout
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, number, percent
from crm_analysis.models.checks import check_whole, is_number
from crm_analysis.models.histories import Floats
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.shares import wilson_interval
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit
from crm_analysis.value.lifetime_value import CustomerValues

# Least probability of each band; most customers of an open shop are above one half.
_BANDS = np.array([0.0, 0.5, 0.6, 0.7, 0.8, 0.9])
_THRESHOLDS = np.round(np.concatenate([np.arange(0, 0.95, 0.05), np.arange(0.95, 0.9999, 0.01)]), 2)


@dataclass(frozen=True, eq=False)
class LostRule:
    """From which probability of no purchase on a customer is called likely lost, proven on a time that was held out.

    "Lost" is who bought nothing in a time as long as the one held out; some of them come back later.

    Attributes
    ----------
    table : DataFrame, indexed by threshold (least probability of no purchase)
        flagged (customers at or above it); lost (how many of them bought nothing); precision (their share) with its 95%
        interval (lower, upper); recall (share of all who bought nothing that is flagged); expected (mean probability
        given to those flagged: what the model itself says the precision is).
    by_band : DataFrame, indexed by the least probability of each band
        The same customers, each in one band: customers, lost, share (of them that bought nothing) with its 95% interval
        (lower, upper), expected (mean probability given to them), most (where the band ends). Where `expected` lies
        outside the interval, the model says more, or less, than is so.
    threshold : float
        The lowest one at which the lower limit of the precision is at least `wanted`; missing where there is none.
    wanted : float
        Precision asked for.
    horizon : float
        Length of the time held out, in `time_unit`.
    customers : int
        Whom the rule was tested on.
    """

    table: pd.DataFrame
    by_band: pd.DataFrame
    threshold: float
    wanted: float
    horizon: float
    time_unit: TimeUnit
    customers: int

    def statement(self) -> str:
        """Say in a sentence what the list is worth."""
        days = count(self.horizon * DAYS_PER_UNIT[self.time_unit])
        if np.isnan(self.threshold):
            return _(
                "No list of likely lost customers reached a precision of {wanted} in the test.",
                wanted=percent(self.wanted),
            )
        row = self.table.loc[self.threshold].to_dict()
        said = _(
            "With a chance of {threshold} or more to buy nothing in {days} days, {flagged} of {customers} customers "
            "were called lost in the test, and {precision} of them bought nothing (95% interval {lower} to {upper}); "
            "the list held {recall} of all who bought nothing.",
            threshold=number(self.threshold, 2),
            days=days,
            flagged=count(row["flagged"]),
            customers=count(self.customers),
            precision=percent(row["precision"]),
            lower=percent(row["lower"]),
            upper=percent(row["upper"]),
            recall=percent(row["recall"]),
        )
        too_sure = self.by_band["upper"] < self.by_band["expected"]
        wrong = self.by_band[too_sure & (self.by_band.index >= self.threshold)]
        if wrong.empty:
            return said
        band = wrong.iloc[-1]
        warning = _(
            "The model is too sure of some: of the {n} it gave {least} to {most}, {share} bought nothing, not the "
            "{expected} it said.",
            n=count(band["customers"]),
            least=number(float(wrong.index[-1]), 2),
            most=number(band["most"], 2),
            share=percent(band["share"]),
            expected=percent(band["expected"]),
        )
        return f"{said} {warning}"

    def apply(self, values: CustomerValues, *, most: int | None = None) -> pd.DataFrame:
        """List the customers of today who are likely lost, by the threshold and over a time as long as that held out.

        Parameters
        ----------
        values : CustomerValues
            By a model of the kind tested, in the same time unit.
        most : int, optional
            Length of the list; all when not given.

        Returns
        -------
        DataFrame, indexed by customer_id, the most spent so far first (where the summary tells, else by probability)
            probability_silent (by the model); share_lost, lower and upper (of its band in the test: what the
            probability proved to be worth); days_silent, frequency, total_spend where the summary has it, and
            residual_value. Empty where no threshold reached the precision asked for.
        """
        customers = values.customers
        if customers.time_unit != self.time_unit:
            raise SettingsError(f"the rule counts in {self.time_unit}s, the values in {customers.time_unit}s.")
        if most is not None:
            check_whole("most", most, least=1)
        silent = values.fits.purchases.purchase_distribution(customers, horizon=self.horizon, most=0)[0]
        frame = customers.frame
        days = ((frame["T"] - frame["recency"]) * DAYS_PER_UNIT[self.time_unit]).round().astype("int64")
        place = np.searchsorted(_BANDS, silent.to_numpy(), side="right") - 1
        tested = self.by_band.reindex(_BANDS)[["share", "lower", "upper"]].iloc[place].set_axis(frame.index)
        table = tested.rename(columns={"share": "share_lost"})
        table.insert(0, "probability_silent", silent)
        table = table.assign(days_silent=days, frequency=frame["frequency"])
        order = "probability_silent"
        if "total_spend" in frame:
            table["total_spend"], order = frame["total_spend"], "total_spend"
        table["residual_value"] = values.frame["residual_value"]
        table = table[silent >= self.threshold].sort_index().sort_values(order, ascending=False, kind="stable")
        return table if most is None else table.head(most)


def likely_lost(fit: PurchaseFit, split: CalibrationHoldout, *, precision: float = 0.8) -> LostRule:
    """Find from which probability on customers can be called lost, on a time that was held out.

    Parameters
    ----------
    fit : PurchaseFit
        Fitted to the calibration part of the split, or to what came before it.
    split : CalibrationHoldout
        See `split_calibration_holdout`.
    precision : float
        Share of the list that should have bought nothing, inside (0, 1).

    Returns
    -------
    LostRule

    Raises
    ------
    SettingsError
        When the precision is no share, or fit and split count in different units.

    Notes
    -----
    The threshold is chosen, and its precision stated, on the same customers; that its interval as a whole must lie
    above the precision asked for leaves room for this. A base most of whom buy nothing makes a high precision easy: the
    row of threshold 0 tells what calling everybody lost would give.
    """
    if not (is_number(precision) and 0 < precision < 1):
        raise SettingsError(f"precision is {precision!r}; give a share between 0 and 1, such as 0.8.")
    silent = fit.purchase_distribution(split.calibration, horizon=split.holdout_length, most=0)[0].to_numpy()
    lost = (split.holdout["purchases"] == 0).to_numpy()
    table = _counted([silent >= threshold for threshold in _THRESHOLDS], silent, lost).rename(
        columns={"customers": "flagged", "share": "precision"}
    )
    table["recall"] = table["lost"] / lost.sum() if lost.any() else np.nan
    table = table.set_index(pd.Index(_THRESHOLDS, name="threshold"))
    band = np.searchsorted(_BANDS, silent, side="right") - 1
    by_band = _counted([band == place for place in range(len(_BANDS))], silent, lost)
    by_band = by_band.set_index(pd.Index(_BANDS, name="least")).assign(most=np.append(_BANDS[1:], 1.0))
    good = table.index[table["lower"] >= precision]
    return LostRule(
        table[["flagged", "lost", "precision", "lower", "upper", "recall", "expected"]],
        by_band[by_band["customers"] > 0],
        float(good[0]) if len(good) else float("nan"),
        precision,
        split.holdout_length,
        split.calibration.time_unit,
        len(split.calibration),
    )


def _counted(groups: list[NDArray[np.bool_]], silent: Floats, lost: NDArray[np.bool_]) -> pd.DataFrame:
    """Of each group: customers, how many bought nothing, their share with its interval, and what was expected."""
    rows = [(int(one.sum()), int(lost[one].sum()), silent[one].mean() if one.any() else np.nan) for one in groups]
    table = pd.DataFrame(rows, columns=["customers", "lost", "expected"])
    lower, upper = wilson_interval(table["lost"], table["customers"])
    share = (table["lost"] / table["customers"]).where(table["customers"] > 0)
    table = table.assign(share=share, lower=lower, upper=upper)
    return table[["customers", "lost", "share", "lower", "upper", "expected"]]
