"""What customers owe and may never pay: expected loss by how long it is overdue and how it is settled."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.day_columns import to_days
from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.messages import _
from crm_analysis.models.checks import is_number

_TABLE = "receivables"
UNKNOWN = "unknown"
# First day overdue of each class; what is not yet due comes before them.
AGE_CLASSES = {"not due": None, "1-30": 1, "31-60": 31, "61-90": 61, "91-180": 91, "181-365": 181, "366+": 366}
# Nobody's experience but round numbers that rise with age: replace them with the shares your own company never got.
ASSUMED_LOSS_RATES = {
    "not due": 0.01, "1-30": 0.03, "31-60": 0.08, "61-90": 0.15, "91-180": 0.30, "181-365": 0.60, "366+": 1.0
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class ReceivableLoss:
    """Expected loss on what customers owe.

    Attributes
    ----------
    by_class : DataFrame, indexed by settlement and age (days overdue); "unknown" where the table does not tell
        customers; owed (money); loss_rate; expected_loss. The last two are missing where the age is unknown: what
        cannot be told is not put at zero.
    owed, expected_loss : float
        Totals of what can be told; the loss missing where there is no such row.
    owed_of_unknown_age : float
        Money whose age is unknown: not in expected_loss.
    customers_without_amount : int
        Of whom it is not known what they owe: in no total.
    source : str
        Where the loss rates come from, in words.
    """

    by_class: pd.DataFrame
    owed: float
    expected_loss: float
    owed_of_unknown_age: float
    customers_without_amount: int
    source: str


def receivable_loss(
    customers: pd.DataFrame,
    *,
    as_of: Day,
    loss_rates: Mapping[str, float | Mapping[str, float]] | None = None,
    source: str | None = None,
) -> ReceivableLoss:
    """Expect what of the money owed will not be paid.

    Parameters
    ----------
    customers : DataFrame, one row a customer or an invoice
        receivable_amount (money owed; what is negative, the company owes, and nothing of it is at risk) and
        receivable_due (day it is or was due), and settlement (cash, prepaid, credit) where known. What is missing in a
        row is unknown, not zero.
    as_of : date or str
        The day on which money is due or overdue.
    loss_rates : mapping, optional
        Share that is not paid for each of `AGE_CLASSES`, or such a mapping for each settlement; `ASSUMED_LOSS_RATES`,
        an assumption, when not given.
    source : str, optional
        Where given rates come from, in words.

    Returns
    -------
    ReceivableLoss

    Raises
    ------
    DataError
        When columns are missing, or amounts or days cannot be read.
    SettingsError
        When a rate is missing or no share.
    """
    day = pd.Timestamp(to_day(as_of, "as_of"))
    refuse(
        Violation(_TABLE, name, "there is no such column", 0, "give what each customer owes, and when it was due.")
        for name in ("receivable_amount", "receivable_due")
        if name not in customers.columns
    )
    owed = pd.to_numeric(customers["receivable_amount"], errors="coerce").astype("float64")
    due = to_days(customers["receivable_due"])
    refuse(_broken(customers, owed, due))
    settled = customers.get("settlement", pd.Series(None, index=customers.index, dtype=object))
    settlement = settled.astype(object).where(settled.notna(), UNKNOWN).astype(str)
    frame = pd.DataFrame({"settlement": settlement, "age": _age((day - due).dt.days), "owed": owed})
    rates = _rates(loss_rates, [name for name in frame["settlement"].unique() if name != UNKNOWN])
    known = frame[frame["owed"] > 0]
    groups = known.groupby(["settlement", "age"], observed=True)["owed"]
    table = pd.DataFrame({"customers": groups.size(), "owed": groups.sum()})
    table["loss_rate"] = [rates.get(settled, rates[UNKNOWN]).get(age, np.nan) for settled, age in table.index]
    table["expected_loss"] = table["owed"] * table["loss_rate"]
    told = (
        _("An assumption: round rates that rise with age, not the experience of the company.")
        if loss_rates is None
        else source or _("Loss rates as given in the settings.")
    )
    return ReceivableLoss(
        table,
        float(table["owed"].sum()),
        float(table["expected_loss"].sum(min_count=1)),
        float(known.loc[known["age"] == UNKNOWN, "owed"].sum()),
        int(owed.isna().sum()),
        told,
    )


def _age(days_overdue: pd.Series) -> pd.Series:
    """Class of each row by days overdue; "unknown" where the day is."""
    names = list(AGE_CLASSES)
    starts = [start for start in AGE_CLASSES.values() if start is not None]
    place = np.searchsorted(starts, days_overdue.fillna(0).to_numpy(), side="right")
    codes = np.where(days_overdue.isna(), len(names), place)
    labels = pd.Categorical.from_codes(codes, categories=pd.Index([*names, UNKNOWN]), ordered=True)
    return pd.Series(labels, index=days_overdue.index)


def _rates(given: Any, settlements: list[str]) -> dict[str, dict[str, float]]:
    """Loss rates of each settlement; those of "unknown" serve where the settlement is none that is named."""
    if given is None:
        by_settlement: dict[str, Mapping[str, float]] = {UNKNOWN: ASSUMED_LOSS_RATES}
    elif all(isinstance(rates, Mapping) for rates in given.values()):
        by_settlement = {UNKNOWN: {}, **given}
        absent = [name for name in settlements if name not in given]
        if absent:
            raise SettingsError(f"loss_rates: there are none for settlement {', '.join(map(repr, absent))}.")
    else:
        by_settlement = {UNKNOWN: given}
    for name, rates in by_settlement.items():
        wrong = [age for age in AGE_CLASSES if rates and not (is_number(rates.get(age)) and 0 <= rates[age] <= 1)]
        if wrong or set(rates) - set(AGE_CLASSES):
            raise SettingsError(
                f"loss_rates{'' if name == UNKNOWN else f' of {name!r}'}: give a share from 0 to 1 for each of "
                f"{', '.join(AGE_CLASSES)}, and for nothing else."
            )
    return {name: dict(rates) for name, rates in by_settlement.items()}


def _broken(customers: pd.DataFrame, owed: pd.Series, due: pd.Series) -> Iterator[Violation]:
    rules = [
        ("receivable_amount", "not an amount", customers["receivable_amount"].notna() & ~np.isfinite(owed),
         "leave blank what is not known."),
        ("receivable_due", "not a date", customers["receivable_due"].notna() & due.isna(),
         "give the day the money was due."),
    ]  # fmt: skip
    for column, words, rows, fix in rules:
        if rows.any():
            yield Violation(_TABLE, column, words, int(rows.sum()), fix, customers.loc[rows, [column]].head(5))
