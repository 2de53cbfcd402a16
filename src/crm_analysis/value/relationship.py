"""Kotler's five levels of relationship: how close to be to a segment, by its customers and what each brings."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.segment_rules import KOTLER_LEVELS, RELATIONSHIP_LEVELS, RelationshipRules
from crm_analysis.value.frames import named

CUSTOMER_CLASSES = ("few", "medium", "many")
MARGIN_CLASSES = ("low", "medium", "high")


def relationship_levels(
    table: pd.DataFrame | tuple[pd.Series, pd.Series],
    *,
    customer_cuts: Sequence[float] | None = None,
    margin_cuts: Sequence[float] | None = None,
    matrix: Sequence[Sequence[str]] = KOTLER_LEVELS,
    margin: str = "mean_value",
) -> pd.DataFrame:
    """Give each segment a level of relationship.

    Parameters
    ----------
    table : DataFrame or (Series, Series)
        A table of segments with customers and `margin`, such as `segment_table` makes; or the customers and the margin
        per customer of each segment, with the same index.
    customer_cuts : (float, float), optional
        Customers from which a segment has a medium number, and many. Segments in thirds when not given.
    margin_cuts : (float, float), optional
        Margin per customer from which it is medium, and high; likewise.
    matrix : 3 x 3 names of levels
        Rows many, medium, few customers; columns high, medium, low margin.
    margin : str
        Column with the margin per customer: in a table of segments the margin to come, discounted, less the cost to
        serve.

    Returns
    -------
    DataFrame, index as given
        customers, margin, customer_class (few, medium, many), margin_class (low, medium, high), level (ordered
        categories from basic to partnership). Classes and level are missing where a number is. `attrs` has the
        customer_cuts and margin_cuts in use.

    Raises
    ------
    DataError
        When a count or a margin is infinite, or a count negative.
    SettingsError
        When cuts are out of order, the matrix is no 3 x 3 of the five levels, a column is not there, or thirds are
        asked of fewer than three segments.

    Notes
    -----
    The five levels: *basic*, sell and no more; *reactive*, ask them to call with questions and complaints;
    *accountable*, call after the sale to hear whether all is well; *proactive*, call from time to time with
    improvements; *partnership*, work with them to do better. Many customers of low margin are basic here; the source
    leaves it open whether they are basic or reactive. Thirds compare the segments with each other only: give cuts to
    compare months.

    References
    ----------
    Kotler & Keller, Marketing Management, "Levels of relationship marketing" (a figure of the editions around 2000).
    """
    rules = RelationshipRules(customer_cuts, margin_cuts, matrix)  # type: ignore[arg-type]
    frame = _numbers(table, margin)
    cuts = {
        "customers": _cuts(frame["customers"], rules.customer_cuts, "customer_cuts"),
        "margin": _cuts(frame["margin"], rules.margin_cuts, "margin_cuts"),
    }
    place = {name: np.searchsorted(cuts[name], frame[name], side="right") for name in cuts}
    levels = np.array(rules.matrix, dtype=object)[2 - place["customers"], 2 - place["margin"]]
    is_known = frame.notna().all(axis=1)
    classes = {
        "customer_class": pd.Categorical(np.take(CUSTOMER_CLASSES, place["customers"]), CUSTOMER_CLASSES, ordered=True),
        "margin_class": pd.Categorical(np.take(MARGIN_CLASSES, place["margin"]), MARGIN_CLASSES, ordered=True),
        "level": pd.Categorical(levels, RELATIONSHIP_LEVELS, ordered=True),
    }
    for name, column in classes.items():
        frame[name] = pd.Series(column, index=frame.index).where(is_known)
    return named(frame, customer_cuts=cuts["customers"], margin_cuts=cuts["margin"])


def _numbers(table: Any, margin: str) -> pd.DataFrame:
    """Customers and margin per customer of each segment."""
    if isinstance(table, pd.DataFrame):
        absent = [name for name in ("customers", margin) if name not in table.columns]
        if absent:
            raise SettingsError(
                f"the table of segments has no column {absent[0]!r}; name the margin per customer: margin='...'."
            )
        frame = pd.DataFrame({"customers": table["customers"], "margin": table[margin]})
    elif isinstance(table, tuple) and len(table) == 2 and all(isinstance(part, pd.Series) for part in table):
        customers, margins = table
        if set(customers.index) != set(margins.index) or not customers.index.is_unique or not margins.index.is_unique:
            raise SettingsError(
                "customers and margin per customer are of different segments; give both the same index."
            )
        frame = pd.DataFrame({"customers": customers, "margin": margins.reindex(customers.index)})
    else:
        raise SettingsError("give a table of segments, or customers and margin per customer as two Series.")
    frame = frame.apply(pd.to_numeric, errors="coerce").astype("float64")
    wrong = np.isinf(frame).any(axis=1) | (frame["customers"] < 0)
    if wrong.any():
        fix = "give a count >= 0 and a finite margin for each segment."
        rule = "customers or margin is infinite, or customers negative"
        refuse([Violation("table of segments", "", rule, int(wrong.sum()), fix, frame[wrong].head(5))])
    return frame


def _cuts(numbers: pd.Series, given: tuple[float, float] | None, name: str) -> tuple[float, float]:
    """The cuts as given, or the numbers at which the upper two thirds and the upper third of the segments begin."""
    if given is not None:
        return given
    known = np.sort(numbers.dropna().to_numpy())
    if len(known) < 3:
        raise SettingsError(f"{name}: {len(known)} segments cannot be cut into thirds; give two numbers.")
    return float(known[len(known) // 3]), float(known[2 * len(known) // 3])
