"""What the frames for figures say of themselves: `attrs` holds what they are of, so that axes can be named."""

import pandas as pd

from crm_analysis.models.purchase_fit import PurchaseFit


def named(frame: pd.DataFrame, **what: object) -> pd.DataFrame:
    """Write what a new frame is of into its `attrs`, and give it back."""
    frame.attrs.update(what)
    return frame


def of_fit(fit: PurchaseFit, frame: pd.DataFrame, **what: object) -> pd.DataFrame:
    """Write `model` (its name) and `time_unit` there, and what else is to be known."""
    return named(frame, model=fit.model_name, time_unit=fit.time_unit, **what)
