"""What a reader of a driver analysis is told to beware of; what makes it doubtful is warned of as well."""

import numpy as np
import pandas as pd

from crm_analysis.errors import listing, warn_of_doubt
from crm_analysis.messages import _, count, number
from crm_analysis.voice.driver_design import DriverDesign
from crm_analysis.voice.estimate import SMALL_BASE, SMALL_SAMPLE
from crm_analysis.voice.regression import robust_fit

_PER_DRIVER = 10
# Beside pure noise a driver should be ahead so often before it is said to matter.
_AHEAD = 0.95
_MUCH_MISSING = 1 / 3
_HIGH_VIF = 5.0
# Ratings explain a half to three quarters of satisfaction; so much they explain of an index of them, perhaps rounded.
_MUCH_EXPLAINED = 0.9
# Robust t of an indicator from which on it is no chance.
_CLEAR = 3.0


def driver_notes(
    design: DriverDesign, *, slopes: pd.DataFrame, importance: pd.DataFrame, explained: float
) -> tuple[str, ...]:
    """Return what to beware of, in words; arguments as the parts of a `DriverFit`, `explained` its R-squared."""
    doubts = _doubts(design, explained)
    for doubt in doubts:
        warn_of_doubt(doubt)
    association = _(
        "Shares say which ratings go with {outcome} among those who answered. They do not say that it would rise if a "
        "rating rose: ratings of one respondent colour each other.",
        outcome=design.outcome,
    )
    return (association, *design.notes, *doubts, *_of_indicators(design), *_of_slopes(slopes), *_of_noise(importance))


def _doubts(design: DriverDesign, explained: float) -> list[str]:
    n, drivers = design.effective_n, len(design.drivers)
    doubts = []
    if n < SMALL_SAMPLE or n < _PER_DRIVER * drivers:
        doubts.append(
            _("{n} respondents for {drivers} drivers are few: an order of drivers wants at least 100, and 10 for each "
              "driver. Ask about groups of drivers, or join waves.", n=count(n), drivers=count(drivers))
        )  # fmt: skip
    bases = design.bases
    few = bases.index[(bases["answered"] < SMALL_BASE) & (design.n >= SMALL_BASE)]
    if len(few):
        doubts.append(
            _("Fewer than {base} answers to {drivers}: what is said of it hangs on them.",
              base=count(SMALL_BASE), drivers=listing(list(few)))
        )  # fmt: skip
    asked = bases["answered"] + bases["missing"]
    much = bases.index[(bases["missing"] > _MUCH_MISSING * asked) & ~bases.index.isin(few)]
    if len(much):
        doubts.append(
            _("More than a third of the answers to {drivers} are missing: look at why before its share is believed.",
              drivers=listing(list(much)))
        )  # fmt: skip
    if explained > _MUCH_EXPLAINED:
        doubts.append(
            _("R-squared is {explained}, more than answers of their own leave to explain: is {outcome} computed of the "
              "drivers?", explained=number(explained, 2), outcome=design.outcome)
        )  # fmt: skip
    return doubts


def _of_indicators(design: DriverDesign) -> list[str]:
    """Say where those to whom a driver did not apply are clearly more, or less, satisfied than others alike."""
    k, values = len(design.drivers), design.values[0]  # one imputation is enough for a hint
    if design.applies.all():
        return []
    fit = robust_fit(pd.DataFrame(values[:, :-1]), values[:, -1], design.weights)
    error = np.sqrt(np.diag(fit.covariance))
    notes = []
    for place in range(k, k + len(design.controls)):
        barred = [
            driver
            for driver, applies in zip(design.drivers, design.applies.T, strict=True)
            if not applies.all() and (values[:, place] == ~applies).all()
        ]
        slope = fit.slopes[place]
        if not barred or not abs(slope) > _CLEAR * error[place]:
            continue
        told = {"drivers": listing(barred), "outcome": design.outcome}
        notes.append(
            _("{outcome} of those to whom {drivers} did not apply is higher than of others alike: whether it applied "
              "may hang on it, and slopes and shares may be off.", **told)
            if slope > 0
            else _("{outcome} of those to whom {drivers} did not apply is lower than of others alike: whether it "
                   "applied may hang on it, and slopes and shares may be off.", **told)
        )  # fmt: skip
    return notes


def _of_slopes(slopes: pd.DataFrame) -> list[str]:
    notes = []
    copies = slopes.index[np.isinf(slopes["vif"])]
    if len(copies):
        notes.append(
            _("{drivers} can be computed of other drivers: shares are divided between them, slopes cannot be told.",
              drivers=listing(list(copies)))
        )  # fmt: skip
    turned = slopes.index[slopes["sign_disagrees"]]
    if len(turned):
        notes.append(
            _("The slope of {drivers} points the other way than the correlation with the outcome (variance inflation "
              "up to {vif}): among drivers that say much the same, signs are shaky. Nothing was left out for it.",
              drivers=listing(list(turned)), vif=number(slopes.loc[turned, "vif"].max(), 1))
        )  # fmt: skip
    high = slopes.index[(slopes["vif"] > _HIGH_VIF) & np.isfinite(slopes["vif"])]
    if len(high):
        notes.append(
            _("Most of {drivers} is said by the other drivers too (variance inflation above {limit}): its slope is "
              "unsure, its share is not.", drivers=listing(list(high)), limit=number(_HIGH_VIF, 0))
        )  # fmt: skip
    return notes


def _of_noise(importance: pd.DataFrame) -> list[str]:
    if importance["noise"].isna().all():
        return [_("No bootstrap samples were drawn: nothing is said of how sure shares and ranks are.")]
    notes = []
    hidden = importance.index[importance["noise"] < _AHEAD]
    if len(hidden):
        notes.append(
            _("{drivers} cannot be told from a driver that is pure noise: such a one has a share above 0 too.",
              drivers=listing(list(hidden)))
        )  # fmt: skip
    if importance.index.name == "group":
        notes.append(_("The noise driver is a group of one; a group of several drivers without effect gets more."))
    return notes
