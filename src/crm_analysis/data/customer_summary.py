"""`CustomerSummary`: one row per customer, the only thing a model sees of the data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import to_day
from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.periods import TimeUnit, annual_to_continuous, check_time_unit

REQUIRED = ("frequency", "recency", "T")
TABLE = "customer summary"
# Published summaries print recency and T with two decimals and computed ones carry binary fractions.
TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class CustomerSummary:
    """Checked customer histories, in one time unit, as of one date.

    A summary made by lifetimes is accepted: its spend of 0 at frequency 0 is read as missing.

    Parameters
    ----------
    frame : DataFrame, shape (n_customers, n_columns)
        Index customer_id (or a column of that name). Columns frequency (repeat purchases), recency (first to last
        purchase) and T (first purchase to as_of), the latter two in `time_unit`; optionally monetary_value (mean value
        of a repeat purchase with positive spend, missing when there is none), monetary_count (how many those are) and
        others, which are kept. The frame is copied.
    time_unit : {"day", "week", "month"}
        Unit of recency and T.
    as_of : date, optional
        End of observation; published summaries do not always tell.
    annual_discount_rate : float, optional
        The rate behind spend_carried and orders_carried, where these columns are present.
    stands_for : float
        Customers of the base for each of these: above 1 for a random sample. `CustomerValues.total`, what is in
        `CustomerEquity` and the customers and values of `value_concentration` are then those of the base.

    Raises
    ------
    DataError
        When rows break rules: all rules at once, with the first rows of each.
    SettingsError
        When the time unit, the date, the rate or `stands_for` is wrong.
    """

    frame: pd.DataFrame
    time_unit: TimeUnit
    as_of: date | None = None
    annual_discount_rate: float | None = None
    stands_for: float = 1.0

    def __post_init__(self) -> None:
        check_time_unit(self.time_unit)
        if not isinstance(self.frame, pd.DataFrame):
            raise SettingsError(f"a customer summary needs a DataFrame, not a {type(self.frame).__name__}.")
        if not (np.isfinite(self.stands_for) and self.stands_for >= 1):
            raise SettingsError(f"stands_for is {self.stands_for}; a customer stands for one customer or more.")
        if self.as_of is not None:
            object.__setattr__(self, "as_of", to_day(self.as_of, "as_of"))
        if self.annual_discount_rate is not None:
            annual_to_continuous(self.annual_discount_rate, self.time_unit)  # refuses a rate that is none
        frame = self.frame.set_index("customer_id") if "customer_id" in self.frame.columns else self.frame.copy()
        refuse(_missing_columns(frame))
        frame = frame.rename_axis(index="customer_id")
        numbers = [name for name in (*REQUIRED, "monetary_value", "monetary_count") if name in frame.columns]
        refuse(_not_numbers(frame, numbers))
        frame = frame.astype(dict.fromkeys(numbers, "float64"))
        if "monetary_value" in frame.columns:
            no_repeat = (frame["frequency"] == 0) & (frame["monetary_value"] == 0)
            frame["monetary_value"] = frame["monetary_value"].mask(no_repeat)
        refuse(_broken_rows(frame))
        counts = [name for name in ("frequency", "monetary_count") if name in frame.columns]
        object.__setattr__(self, "frame", frame.astype(dict.fromkeys(counts, "int64")))

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        as_of = "" if self.as_of is None else f", as of {self.as_of}"
        return f"CustomerSummary({len(self):,} customers, time unit {self.time_unit}{as_of})"

    @property
    def number_of_customers(self) -> int:
        """Customers of the base: those in the frame, or more where these are a sample."""
        return round(len(self.frame) * self.stands_for)

    @property
    def monetary_count(self) -> pd.Series:
        """Repeat purchases behind each customer's monetary_value (count); 0 where it is missing.

        Without a column of its own the count is the frequency, which is right when no repeat purchase was free.
        """
        if "monetary_count" in self.frame.columns:
            return self.frame["monetary_count"].copy()
        if "monetary_value" not in self.frame.columns:
            return pd.Series(0, index=self.frame.index, name="monetary_count")
        count = self.frame["frequency"].where(self.frame["monetary_value"].notna(), 0)
        return count.rename("monetary_count")


def _missing_columns(frame: pd.DataFrame) -> Iterator[Violation]:
    for name in REQUIRED:
        if name not in frame.columns:
            there = listing([repr(str(column)) for column in frame.columns])
            yield Violation(
                TABLE,
                name,
                f"there is no such column (there are {there})",
                0,
                "rename the column that holds it.",
            )


def _not_numbers(frame: pd.DataFrame, names: list[str]) -> Iterator[Violation]:
    for name in names:
        unreadable = pd.to_numeric(frame[name], errors="coerce").isna() & frame[name].notna()
        if unreadable.any():
            first = frame.loc[unreadable, [name]].head(5)
            yield Violation(TABLE, name, "not a number", int(unreadable.sum()), "read the column as numbers.", first)


def _broken_rows(frame: pd.DataFrame) -> Iterator[Violation]:
    x, t_x, T = (frame[name] for name in REQUIRED)
    monetary_value = frame.get("monetary_value", pd.Series(np.nan, index=frame.index))
    repeated = frame.index.to_series().duplicated(keep=False)
    unknown = ~(np.isfinite(x) & np.isfinite(t_x) & np.isfinite(T))
    fraction = np.isfinite(x) & (x % 1 != 0)
    worthless = monetary_value.notna() & ~((monetary_value > 0) & np.isfinite(monetary_value))
    monetary_count = frame.get("monetary_count", x.where(monetary_value.notna(), 0))
    possible = (monetary_count % 1 == 0) & (monetary_count <= x) & (monetary_count >= monetary_value.notna())

    def rule(words: str, broken: pd.Series, columns: list[str], fix: str) -> Iterator[Violation]:
        if broken.any():
            first = frame.loc[broken.to_numpy(), columns].head(5).rename_axis(None)
            yield Violation(TABLE, "", words, int(broken.sum()), fix, first)

    yield from rule("customer_id is not unique", repeated, ["frequency"], "give one row per customer.")
    yield from rule(
        "frequency, recency or T is missing or infinite",
        unknown,
        list(REQUIRED),
        "leave out customers without a first purchase.",
    )
    yield from rule(
        "frequency is not a whole number of repeat purchases",
        (x < 0) | fraction,
        ["frequency"],
        "count the purchases after the first; 0 for one-time buyers.",
    )
    yield from rule("recency is negative", t_x < 0, ["recency"], "measure recency from the first to the last purchase.")
    yield from rule(
        "recency is greater than T",
        t_x > T + TOLERANCE,
        ["recency", "T"],
        "check that as_of is not before the last purchase.",
    )
    yield from rule(
        "recency is not 0 although frequency is",
        (x == 0) & (t_x.abs() > TOLERANCE),
        ["frequency", "recency"],
        "with no repeat purchase the last purchase is the first: set recency to 0.",
    )
    yield from rule(
        "monetary_value is not positive",
        worthless,
        ["frequency", "monetary_value"],
        "take the mean over repeat purchases with positive spend; leave it missing where there is none.",
    )
    if "monetary_count" in frame.columns:
        yield from rule(
            "monetary_count is not a count of repeat purchases",
            ~possible,
            ["frequency", "monetary_value", "monetary_count"],
            "count the repeat purchases behind monetary_value: from 1, where there is one, to the frequency.",
        )
