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


class SurveyColumns(_Part):
    """Names of the columns in a survey that are no questions; what the questions are is told by the codebook."""

    respondent_id: str = "respondent_id"
    wave: str = "wave"
    customer_id: str | None = None
    weight: str | None = None
    comment: str | None = None
    not_applicable: str | None = None


class SideSource(_Part):
    """Where such a table is: a file below the project, or a table an ibis URL can name; one of the two."""

    path: str | None = None
    connection: str | None = None
    table: str | None = None
    columns: _Part

    @model_validator(mode="before")
    @classmethod
    def _one_place(cls, given: Any) -> Any:
        if isinstance(given, dict) and bool(given.get("path")) == bool(given.get("connection")):
            raise ValueError("give a path, or a connection and perhaps a table; one of the two")
        return given


class DatedSource(SideSource):
    """Where a table with dates is; `date_format` is a strptime pattern for text, without it ISO dates are read."""

    date_format: str | None = None


class CustomerSource(DatedSource):
    """Where the customers are."""

    columns: CustomerColumns = CustomerColumns()


class MembershipSource(DatedSource):
    """Where the contracts are."""

    columns: MembershipColumns = MembershipColumns()


class ProspectSource(DatedSource):
    """Where the history of prospects is."""

    columns: ProspectColumns = ProspectColumns()


class MarketSource(DatedSource):
    """Where the size of the market is."""

    columns: MarketColumns = MarketColumns()


class ExitSource(DatedSource):
    """Where the exits are."""

    columns: ExitColumns = ExitColumns()


class SurveySource(SideSource):
    """Where the answers to the survey are; the path may also be of an SPSS file.

    `wave` is the wave of all rows, of a source that has no column of it. `numbered` gives respondents without an id
    their number in the source.
    """

    columns: SurveyColumns = SurveyColumns()
    wave: str | None = None
    numbered: bool = False
