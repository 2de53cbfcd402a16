"""Many tests at once: p-values as they count when several questions are asked of one survey."""

from typing import Any

import numpy as np

from crm_analysis.errors import SettingsError
from crm_analysis.models.histories import Floats

_METHODS = ("holm", "benjamini-hochberg")


def check_adjust(adjust: object) -> None:
    """Raise `SettingsError` unless `adjust` names a method or is None."""
    if adjust is not None and adjust not in _METHODS:
        raise SettingsError(f"adjust is {adjust!r}; give 'holm', 'benjamini-hochberg' or None.")


def adjust_p_values(p_values: Any, adjust: str | None) -> Floats:
    """Adjust p-values for how many there are; a missing one stays missing and does not count.

    Parameters
    ----------
    p_values : array, shape (n_tests,)
    adjust : "holm", "benjamini-hochberg" or None
        Holm bounds the probability of a single false alarm, Benjamini-Hochberg the share of false alarms among alarms;
        None leaves them as they are.

    References
    ----------
    Holm (1979), Scandinavian Journal of Statistics 6, 65-70; Benjamini & Hochberg (1995), Journal of the Royal
    Statistical Society B 57, 289-300.
    """
    check_adjust(adjust)
    found = np.array(p_values, dtype=float)
    there = np.flatnonzero(~np.isnan(found))
    order = there[np.argsort(found[there])]
    rank, sorted_p = np.arange(1, len(order) + 1), found[order]
    # By hand, for multipletests of statsmodels makes Python collect its garbage on every call: 0.1 seconds and more.
    if adjust == "holm":
        found[order] = np.minimum(np.maximum.accumulate((len(order) - rank + 1) * sorted_p), 1.0)
    elif adjust == "benjamini-hochberg":
        found[order] = np.minimum.accumulate((len(order) / rank * sorted_p)[::-1])[::-1]
    return found
