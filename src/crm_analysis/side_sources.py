"""Where the tables beside the purchase log are, and what their columns are called: parts of the settings.

As for the log, a required column defaults to its own name; an optional one that is not named is looked for under its
own name and left out where absent.
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CustomerColumns(_Part):
    """Names of the columns in the table of customers."""

    customer_id: str = "customer_id"
    acquired_on: str | None = None
    acquisition_channel: str | None = None
    acquisition_cost: str | None = None
    region: str | None = None
    kind: str | None = None
    settlement: str | None = None
    receivable_status: str | None = None
    receivable_amount: str | None = None
    receivable_due: str | None = None
    referred_by: str | None = None


class MembershipColumns(_Part):
    """Names of the columns in the table of contracts."""

    customer_id: str = "customer_id"
    started_on: str = "started_on"
    ended_on: str | None = None
    plan: str | None = None
    renewal_period: str | None = None
    fee: str | None = None


class ProspectColumns(_Part):
    """Names of the columns in the history of prospects."""

    prospect_id: str = "prospect_id"
    stage: str = "stage"
    entered_stage_on: str = "entered_stage_on"
    expected_value: str | None = None
    source: str | None = None
    has_budget: str | None = None
    has_authority: str | None = None
    has_need: str | None = None
    willingness: str | None = None
    influence: str | None = None


class MarketColumns(_Part):
    """Names of the columns in the table of the market."""

    period: str = "period"
    market_customers: str | None = None
    market_revenue: str | None = None
    own_share_of_wallet: str | None = None


class ExitColumns(_Part):
    """Names of the columns in the table of exits."""

    customer_id: str = "customer_id"
    left_on: str = "left_on"
    reason: str = "reason"
    went_to: str | None = None
    share_of_wallet: str | None = None


class SideSource(_Part):
    """Where such a table is: a file below the project, or a table an ibis URL can name; one of the two.

    `date_format` is a strptime pattern for its text dates; without it ISO dates are read.
    """

    path: str | None = None
    connection: str | None = None
    table: str | None = None
    date_format: str | None = None
    columns: _Part

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, given: Any) -> Any:
        if isinstance(given, dict) and bool(given.get("path")) == bool(given.get("connection")):
            raise ValueError("give a path, or a connection and perhaps a table; one of the two")
        return given


class CustomerSource(SideSource):
    """Where the customers are."""

    columns: CustomerColumns = CustomerColumns()


class MembershipSource(SideSource):
    """Where the contracts are."""

    columns: MembershipColumns = MembershipColumns()


class ProspectSource(SideSource):
    """Where the history of prospects is."""

    columns: ProspectColumns = ProspectColumns()


class MarketSource(SideSource):
    """Where the size of the market is."""

    columns: MarketColumns = MarketColumns()


class ExitSource(SideSource):
    """Where the exits are."""

    columns: ExitColumns = ExitColumns()
