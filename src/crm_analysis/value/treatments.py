"""The treatment table: of each segment what it is, how many, what they are worth, how that moves, and what to do."""

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from crm_analysis.errors import SettingsError, listing
from crm_analysis.messages import _, percent
from crm_analysis.segment_rules import Treatment, unknown_segments
from crm_analysis.segment_treatments import DEFAULT_TREATMENTS
from crm_analysis.value.frames import named
from crm_analysis.value.segment_table import check_table

# A change of less than half a percent is called none.
SAME = 0.005


def treatment_table(
    table: pd.DataFrame,
    previous: pd.DataFrame | None = None,
    treatments: Mapping[str, Treatment] | None = None,
    *,
    worth: str = "value",
    others: Collection[str] = (),
) -> pd.DataFrame:
    """Say of each segment what it is, how many customers it has, what they are worth, how that moved and what to do.

    Parameters
    ----------
    table : DataFrame, one row a segment
        With customers and `worth`: of `segment_table`, `CustomerPyramid.table` or, with `worth="spend"`,
        `RfmSegments.table`.
    previous : DataFrame, optional
        The same of the period before.
    treatments : mapping of segment to Treatment, optional
        By the name of the segment, or by "attribute: level" ("region: North"), which comes first. `attribute` is the
        name of the table's index. `Settings.segments.treatments` has the words of a company; what they leave out is
        said as in `segment_treatments.DEFAULT_TREATMENTS`.
    worth : str
        Column with what a segment is worth, in currency.
    others : collection of str
        Segments of other tables that the treatments may name too: `Settings.segments.names`.

    Returns
    -------
    DataFrame, index as the table
        meaning, customers, worth, trend (in words, of the worth), action. `attrs["notes"]` names treatments of levels
        of this attribute that have no row.

    Raises
    ------
    SettingsError
        When a table lacks a column or has a segment twice, or a treatment names no segment or is no `Treatment`.

    Notes
    -----
    The trend says by how much the segment's worth differs from the period before: customers who came and went, moved,
    and changed are all in it. It does not say that a treatment was the cause.
    """
    check_table(table, "table", worth=worth)
    if previous is not None:
        check_table(previous, "previous", worth=worth)
    attribute, treatments = str(table.index.name), treatments or {}
    rows = [str(row) for part in (table, previous) if part is not None for row in part.index]
    _check_treatments(treatments, {*rows, *others, *DEFAULT_TREATMENTS})
    chosen = {row: _treatment(treatments, attribute, str(row)) for row in table.index}
    now, before = (None if part is None else part[worth].astype("float64") for part in (table, previous))
    frame = pd.DataFrame(
        {
            "meaning": [chosen[row].meaning for row in table.index],
            "customers": table["customers"].to_numpy(),
            "worth": table[worth].to_numpy(),
            "trend": [_trend(row, now, before) for row in table.index],
            "action": [chosen[row].action for row in table.index],
        },
        index=table.index,
    )
    return named(frame, notes=_idle(treatments, attribute, rows))


def _check_treatments(treatments: Mapping[str, Any], segments: set[str]) -> None:
    wrong = sorted(str(name) for name, treatment in treatments.items() if not isinstance(treatment, Treatment))
    if wrong:
        raise SettingsError(f"treatments of {listing(wrong)}: give Treatment(meaning=..., action=...).")
    unknown = unknown_segments(treatments, segments)
    if unknown:
        raise SettingsError(f"treatments names {listing(unknown)}; the segments are {listing(sorted(segments))}.")


def _idle(treatments: Mapping[str, Treatment], attribute: str, rows: list[str]) -> tuple[str, ...]:
    """Say which levels have words and no row: they may be misspelt, or have no customers now."""
    own = [name.removeprefix(f"{attribute}: ") for name in treatments if name.startswith(f"{attribute}: ")]
    return tuple(
        _("There is a treatment for {attribute} {level}, and no such row.", attribute=attribute, level=level)
        for level in own
        if level not in rows
    )


def _treatment(treatments: Mapping[str, Treatment], attribute: str, level: str) -> Treatment:
    """The words for one segment in the reader's language: its own, else those by default, else that there are none."""
    found = treatments.get(f"{attribute}: {level}") or treatments.get(level) or Treatment()
    default = DEFAULT_TREATMENTS.get(level, Treatment())
    meaning, action = found.meaning or default.meaning, found.action or default.action
    return Treatment(
        _(meaning) if meaning else _("Customers whose {attribute} is {level}.", attribute=attribute, level=level),
        _(action) if action else _("Nothing is planned yet."),
    )


def _trend(row: Any, now: Any, before: pd.Series | None) -> str:
    if before is None:
        return _("no earlier date")
    if row not in before.index:
        return _("not there then")
    new, old = now[row], before[row]
    if not (math.isfinite(new) and math.isfinite(old)):
        return _("not known")
    if old <= 0:  # a share of nothing, or of a loss, says nothing
        return _("no real change") if new == old else _("grew") if new > old else _("shrank")
    change = new / old - 1
    if abs(change) < SAME:
        return _("no real change")
    return _("grew by {share}", share=percent(change)) if change > 0 else _("shrank by {share}", share=percent(-change))
