"""Those who are no customers yet: targets and prospects, counted by the stage they are in."""

import pandas as pd

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.messages import plural
from crm_analysis.segment_rules import PROSPECT_STATES, LifecycleRules, plain


def count_prospects(prospects: pd.DataFrame | None, rules: LifecycleRules) -> tuple[pd.Series, tuple[str, ...]]:
    """Count targets and prospects by the stage of each lead.

    Parameters
    ----------
    prospects : DataFrame or None
        One row a lead: prospect_id, stage. With entered_stage_on one row a stage, as `read_prospects` gives it; each
        lead then counts in the stage it entered last.
    rules : LifecycleRules
        Which stages make a target, and which a prospect no more.

    Returns
    -------
    Series, index target and prospect
        Missing, not zero, where there is no table.
    tuple of str
        Who was left out, in words.

    Raises
    ------
    DataError
        When a column is not there, or ids are missing or repeated.
    SettingsError
        When prospects is no DataFrame.
    """
    index = pd.Index(PROSPECT_STATES)
    if prospects is None:
        return pd.Series([pd.NA, pd.NA], index=index, dtype="Int64"), ()
    if not isinstance(prospects, pd.DataFrame):
        raise SettingsError(f"prospects is a {type(prospects).__name__}; give a DataFrame with prospect_id and stage.")
    if "entered_stage_on" in prospects.columns and "prospect_id" in prospects.columns:
        entered = prospects.sort_values("entered_stage_on", kind="stable", na_position="first")
        latest = entered["prospect_id"].isna() | ~entered["prospect_id"].duplicated(keep="last")
        prospects = entered[latest].sort_index()
    refuse(_wrong_prospects(prospects))
    stages = prospects["stage"].dropna().map(plain)
    stages = stages[stages != ""]
    is_target = stages.isin([plain(stage) for stage in rules.target_stages])
    is_closed = stages.isin([plain(stage) for stage in rules.closed_stages])
    counted = [int(is_target.sum()), int((~is_target & ~is_closed).sum())]
    notes = []
    if is_closed.any():
        notes.append(
            plural(
                "{n} lead is a prospect no more and is not counted.",
                "{n} leads are prospects no more and are not counted.",
                int(is_closed.sum()),
            )
        )
    if len(stages) < len(prospects):
        notes.append(
            plural(
                "{n} lead has no stage and is not counted.",
                "{n} leads have no stage and are not counted.",
                len(prospects) - len(stages),
            )
        )
    return pd.Series(counted, index=index, dtype="Int64"), tuple(notes)


def _wrong_prospects(prospects: pd.DataFrame) -> list[Violation]:
    absent = [name for name in ("prospect_id", "stage") if name not in prospects.columns]
    if absent:
        fix = "rename the column that holds it."
        return [Violation("prospects", name, "there is no such column", 0, fix) for name in absent]
    ids = prospects["prospect_id"]
    rules = [
        ("prospect_id is missing", ids.isna(), "leave out rows without a lead."),
        ("prospect_id is not unique", ids.notna() & ids.duplicated(keep=False), "give one row per lead."),
    ]
    shown = prospects[["prospect_id", "stage"]]
    return [
        Violation("prospects", "prospect_id", rule, int(rows.sum()), fix, shown[rows].head(5))
        for rule, rows, fix in rules
        if rows.any()
    ]
