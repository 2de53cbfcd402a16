"""What the door expects of the tables that come in, and the words for what became of each of their rows.

`TRANSACTION_CONTRACT` lists the columns of the purchase log, `SIDE_TABLES` those of the tables beside it. `OUTCOMES`
and `SIDE_OUTCOMES` list every fate a row can have. A reconciliation is one row per outcome, so that rows in = rows used
+ rows set aside by reason + rows not seen.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_

Kind = Literal["id", "text", "day", "month", "money", "number", "degree", "flag", "currency"]
Within = Literal["any", "not negative", "a share"]
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
        with four places, "flag" is true or false, "currency" is a code such as EUR. In the tables beside the log,
        where nothing has to add up to the cent, money and numbers are floats; "month" is read from "2024-06" or from a
        day, and "degree" from a number, or from yes and no as 1 and 0.
    meaning : str
        One line for the data dictionary.
    required : bool
        Whether the door refuses a table without it.
    may_be_blank : bool
        Whether a required column may have gaps. Read for the tables beside the log; so are the two that follow.
    choices : tuple of str
        The words it may hold, in lower case; none: any.
    within : str
        Where its numbers lie: "any", "not negative", or "a share" of 0 to 1.
    """

    name: str
    kind: Kind
    meaning: str
    required: bool = False
    may_be_blank: bool = False
    choices: tuple[str, ...] = ()
    within: Within = "any"


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

SideName = Literal["customers", "memberships", "prospects", "market", "exits"]
# Stages that end a prospect.
WON, LOST = "won", "lost"


@dataclass(frozen=True)
class SideContract:
    """What the door expects of a table beside the purchase log.

    Attributes
    ----------
    name : str
        Of the table: `[sources.<name>]` in crm.toml.
    row : str
        What one row is, for the data dictionary.
    columns : tuple of Column
        Those it may have.
    seen_on : str
        The column with the day (or month) from which a row is seen; a row without one is seen.
    order : tuple of str
        Columns that the rows are sorted by.
    keeps_others : bool
        Whether further columns of the source are kept, as attributes.
    """

    name: SideName
    row: str
    columns: tuple[Column, ...]
    seen_on: str
    order: tuple[str, ...]
    keeps_others: bool = False


CUSTOMERS = SideContract(
    "customers",
    "one customer",
    (
        Column("customer_id", "id", "Who; text, as in the purchase log; no two rows have the same.", required=True),
        Column("acquired_on", "day", "When the customer was won."),
        Column("acquisition_channel", "text", "What won the customer."),
        Column("acquisition_cost", "money", "What that cost.", within="not negative"),
        Column("region", "text", "Where the customer is."),
        Column(
            "kind",
            "text",
            "What kind of customer.",
            choices=("consumer", "company", "intermediary", "internal", "public"),
        ),
        Column(
            "settlement",
            "text",
            "How the customer pays.",
            choices=("cash", "prepaid", "credit"),
        ),
        Column("receivable_status", "text", "How it stands with what the customer owes."),
        Column("receivable_amount", "money", "What the customer owes; negative where the company owes."),
        Column("receivable_due", "day", "When that is due."),
        Column("referred_by", "id", "The customer who brought this one."),
    ),
    seen_on="acquired_on",
    order=("customer_id",),
    keeps_others=True,
)

MEMBERSHIPS = SideContract(
    "memberships",
    "one contract",
    (
        Column("customer_id", "id", "Whose contract; text, as in the purchase log.", required=True),
        Column("started_on", "day", "Its first day.", required=True),
        Column("ended_on", "day", "The day it ended; blank, or after the as-of date, while it is running."),
        Column("plan", "text", "What it is for."),
        Column("renewal_period", "text", "How often it comes up for renewal, such as 1 month."),
        Column("fee", "money", "What it pays when it starts and at each renewal.", within="not negative"),
    ),
    seen_on="started_on",
    order=("customer_id", "started_on"),
)

PROSPECTS = SideContract(
    "prospects",
    "one prospect that entered a stage on a day; the rows of a prospect are its history",
    (
        Column("prospect_id", "id", "Who; text.", required=True),
        Column("stage", "text", "Which; won and lost, in any case of letters, end the history.", required=True),
        Column("entered_stage_on", "day", "When the prospect entered it.", required=True),
        Column("expected_value", "money", "What the prospect would be worth, once won.", within="not negative"),
        Column("source", "text", "Where the prospect came from."),
        Column("has_budget", "flag", "Whether there is money for it."),
        Column("has_authority", "flag", "Whether the person spoken to decides."),
        Column("has_need", "flag", "Whether there is a need."),
        Column("willingness", "degree", "How willing to buy; yes and no are 1 and 0.", within="not negative"),
        Column("influence", "degree", "How much others follow the prospect; likewise.", within="not negative"),
    ),
    seen_on="entered_stage_on",
    order=("prospect_id", "entered_stage_on"),
)

MARKET = SideContract(
    "market",
    "one month of the market, of which the company has a share; one of market_customers and market_revenue is required",
    (
        Column("period", "month", "As 2024-06, or any day of the month; no two rows have the same.", required=True),
        Column("market_customers", "number", "Customers of all companies in it.", within="not negative"),
        Column("market_revenue", "money", "What they spent, in the company's currency.", within="not negative"),
        Column(
            "own_share_of_wallet",
            "number",
            "Of what the company's customers spent in the market, the share that they spent with it, 0 to 1.",
            within="a share",
        ),
    ),
    seen_on="period",
    order=("period",),
)

EXITS = SideContract(
    "exits",
    "one lost customer's stated reason",
    (
        Column("customer_id", "id", "Who left; text, as in the purchase log.", required=True),
        Column("left_on", "day", "When.", required=True),
        Column("reason", "text", "Why, as stated; blank where it is not known.", required=True, may_be_blank=True),
        Column("went_to", "text", "The rival the customer went to."),
        Column(
            "share_of_wallet",
            "number",
            "Of what the customer spent in the market, the share spent with the company before leaving, 0 to 1.",
            within="a share",
        ),
    ),
    seen_on="left_on",
    order=("left_on", "customer_id"),
)

SIDE_TABLES: dict[SideName, SideContract] = {
    contract.name: contract for contract in (CUSTOMERS, MEMBERSHIPS, PROSPECTS, MARKET, EXITS)
}

# What is no question of a survey; the questions are those of the codebook.
SURVEY_CONTRACT: tuple[Column, ...] = (
    Column("respondent_id", "id", "Who answered; text; no two rows of a wave have the same.", required=True),
    Column("wave", "text", "When people were asked, such as 2024-06.", required=True),
    Column("customer_id", "id", "Who that is, as in the purchase log; blank where it is not known."),
    Column("weight", "number", "What the respondent counts.", within="not negative"),
    Column("comment", "text", "What the respondent wrote."),
    Column("not_applicable", "text", "Ratings that do not apply, parted by blanks; driver_ may be left out."),
)

SIDE_OUTCOMES: tuple[Outcome, ...] = (
    Outcome("used", "used", N_("used")),
    Outcome("repeated_stage", "set_aside", N_("the same stage of a prospect once more on one day")),
    Outcome("after_as_of", "not_seen", N_("after the as-of date")),
)

SURVEY_OUTCOMES: tuple[Outcome, ...] = (
    Outcome("used", "used", N_("used")),
    Outcome("straight_liner", "set_aside", N_("one mark for every rating, set aside by the rule on straight-liners")),
    Outcome("after_as_of", "not_seen", N_("in a wave that is not over at the as-of date")),
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
