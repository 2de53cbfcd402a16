"""What the door expects of a transactions table, and the words for what became of each of its rows.

`TRANSACTION_CONTRACT` lists the columns; `OUTCOMES` lists every fate a row can have. The reconciliation is one
row per outcome, so that rows in = rows used + rows set aside by reason + rows not seen.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_

Kind = Literal["id", "text", "day", "money", "number", "flag", "currency"]
Status = Literal["used", "set_aside", "not_seen"]
Day = date | str


@dataclass(frozen=True)
class Column:
    """One column of a table that comes in.

    Attributes
    ----------
    name : str
        The name inside the package; `TransactionColumns` says what the source calls it.
    kind : str
        How it is read: "id" and "text" stay text, "day" is cut to the day, "money" and "number" become decimals
        with four places, "flag" is true or false, "currency" is a code such as EUR.
    meaning : str
        One line for the data dictionary.
    required : bool
        Whether the door refuses a table without it.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False


TRANSACTION_CONTRACT: tuple[Column, ...] = (
    Column("customer_id", "id", "Who bought; text, kept as written.", required=True),
    Column("order_date", "day", "When, in the company's time zone, cut to the day.", required=True),
    Column("amount", "money", "What the line brought in; negative for a refund.", required=True),
    Column("order_id", "id", "The order the line belongs to; a refund under it is netted on it."),
    Column("product", "id", "What was bought; narrows the search for what a refund cancels."),
    Column("category", "text", "Group of products."),
    Column("quantity", "number", "Units on the line."),
    Column("cost", "number", "What the line cost the company, in the same currency as the amount."),
    Column("margin", "number", "What the line left after cost, in the same currency as the amount."),
    Column("channel", "text", "Where it was sold."),
    Column("is_refund", "flag", "Whether the line gives money back; a positive amount then changes its sign."),
    Column("currency", "currency", "Code of the amount's currency; blank means the company's."),
)

# What a caller of `Transactions.table` meets: the flag and the currency have done their work by then.
TABLE_COLUMNS = tuple(column.name for column in TRANSACTION_CONTRACT if column.kind not in ("flag", "currency"))


@dataclass(frozen=True)
class Outcome:
    """One fate of a row: its stable key, whether the row is used, and the reason in words."""

    key: str
    status: Status
    reason: str


OUTCOMES: tuple[Outcome, ...] = (
    Outcome("used", "used", N_("used")),
    Outcome("cancelled_in_full", "set_aside", N_("purchase that a refund cancelled in full")),
    Outcome("refund_netted", "set_aside", N_("refund that cancelled a purchase in full")),
    Outcome("refund_unmatched", "set_aside", N_("refund without its order")),
    Outcome("refund_set_aside", "set_aside", N_("refund, set aside by the rule on refunds")),
    Outcome("missing_customer_id", "set_aside", N_("no customer id")),
    Outcome("duplicate", "set_aside", N_("exact copy of a line with the same order-line key")),
    Outcome("zero_amount", "set_aside", N_("amount of zero, set aside by the rule on zero amounts")),
    Outcome("after_as_of", "not_seen", N_("after the as-of date")),
)


def to_day(value: Day, name: str) -> date:
    """Return a date, a timestamp or ISO text ("1998-06-30") as a date.

    Raises
    ------
    SettingsError
        When `value` is none of these; the message calls it `name`.
    """
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise SettingsError(f"{name} is {value!r}; give a date, or text such as '1998-06-30'.") from None
