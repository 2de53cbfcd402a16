"""Why customers say they leave, and to whom: competition as a base of churn."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.day_columns import to_days
from crm_analysis.errors import Violation, refuse
from crm_analysis.messages import _, count, day, percent
from crm_analysis.models.shares import wilson_interval
from crm_analysis.value.loss import Loss, unknown

_TABLE = "exits"


def exit_reasons(exits: pd.DataFrame, *, start: date, end: date) -> pd.DataFrame:
    """Count the reasons of those who left after one day and up to another.

    Parameters
    ----------
    exits : DataFrame, one row a customer who left and was asked
        customer_id, left_on, reason (missing where none was given), went_to (name of the rival; missing where none was
        named), share_of_wallet (what share of their spending the company had, 0 to 1), where known.
    start, end : date

    Returns
    -------
    DataFrame, indexed by reason, the most frequent first; "" is no reason given
        customers; share of all of them, with its 95% interval (lower, upper); to_rival (how many named where they
        went); share_of_wallet (mean of those of whom it is known). A reason given is what somebody said, not what a
        test found.

    Raises
    ------
    DataError
        When columns are missing, days or shares cannot be read, or a customer leaves twice on one day.
    """
    frame = _within(exits, start, end)
    groups = frame.groupby("reason")
    table = pd.DataFrame(
        {
            "customers": groups.size(),
            "to_rival": groups["to_rival"].sum(),
            "share_of_wallet": groups["share_of_wallet"].mean(),
        }
    )
    table = table.sort_index().sort_values("customers", ascending=False, kind="stable")
    lower, upper = wilson_interval(table["customers"], len(frame))
    table = table.assign(share=table["customers"] / max(1, len(frame)), lower=lower, upper=upper)
    counts = {"customers": "int64", "to_rival": "int64"}
    return table[["customers", "share", "lower", "upper", "to_rival", "share_of_wallet"]].astype(counts)


def competition_churn(exits: pd.DataFrame | None, start: date, end: date) -> Loss:
    """Of those who left and were asked, how many named the rival they went to."""
    definition = _(
        "Customers who left after {start} and up to {end} and were asked; lost are those who named the rival they went "
        "to. The rate is a share of those who left, not of all customers.",
        start=day(start),
        end=day(end),
    )
    if exits is None:
        return unknown("competition", "to_rival", definition, _("Nobody who left was asked why."))
    frame = _within(exits, start, end)
    switched, wallet = float(frame["to_rival"].sum()), frame["share_of_wallet"].dropna()
    lower, upper = wilson_interval(switched, len(frame))
    note = _(
        "The company had {share} of what they spend, on average of the {n} who told.",
        share=percent(wallet.mean()),
        n=count(len(wallet)),
    )
    return Loss(
        "competition", "to_rival", float(len(frame)), switched, definition, interval=(float(lower), float(upper)),
        is_churn=False, note=note if len(wallet) else "",
    )  # fmt: skip


def _within(exits: pd.DataFrame, start: date, end: date) -> pd.DataFrame:
    """Those who left in the time, with a reason ("" for none), whether to a named rival, and share of wallet."""
    frame = exits.reset_index() if exits.index.name == "customer_id" else exits
    refuse(
        Violation(_TABLE, name, "there is no such column", 0, "give one row a customer who left, with the day.")
        for name in ("customer_id", "left_on")
        if name not in frame.columns
    )
    left_on = to_days(frame["left_on"])
    wallet = pd.to_numeric(frame.get("share_of_wallet", pd.Series(np.nan, index=frame.index)), errors="coerce")
    refuse(_broken(frame, left_on, wallet))
    seen = pd.DataFrame(
        {
            "reason": _words(frame, "reason"),
            "to_rival": _words(frame, "went_to") != "",
            "share_of_wallet": wallet.astype("float64"),
        }
    )
    return seen[(left_on > pd.Timestamp(start)) & (left_on <= pd.Timestamp(end))]


def _words(frame: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of words; "" where there is none."""
    column = frame.get(name, pd.Series("", index=frame.index))
    return column.astype(object).where(column.notna(), "").astype(str).str.strip()


def _broken(frame: pd.DataFrame, left_on: pd.Series, wallet: pd.Series) -> Iterator[Violation]:
    rules: list[tuple[str, str, Any, str]] = [
        ("left_on", "not a date", left_on.isna(), "give the day each customer left."),
        ("customer_id", "leaves twice on one day", frame.duplicated(["customer_id", "left_on"], keep=False),
         "give one row for each time a customer left."),
    ]  # fmt: skip
    if "share_of_wallet" in frame.columns:
        wrong = frame["share_of_wallet"].notna() & ~wallet.between(0, 1)
        rules.append(("share_of_wallet", "not a share from 0 to 1", wrong, "give a fraction, such as 0.4 for 40%."))
    shown = [name for name in ("customer_id", "left_on", "share_of_wallet") if name in frame.columns]
    for column, words, rows, fix in rules:
        if rows.any():
            yield Violation(_TABLE, column, words, int(rows.sum()), fix, frame.loc[rows, shown].head(5))
