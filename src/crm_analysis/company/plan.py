"""All that is planted in a simulated company, one part for each file of this package."""

from dataclasses import dataclass, field, replace

from crm_analysis.company.accounts import AccountPlan
from crm_analysis.company.campaigns import CampaignPlan
from crm_analysis.company.comments import CommentPlan
from crm_analysis.company.contracts import ContractPlan
from crm_analysis.company.customers import AcquisitionPlan
from crm_analysis.company.exits import ExitPlan
from crm_analysis.company.kano import KanoPlan
from crm_analysis.company.lines import LinePlan
from crm_analysis.company.log import NOTHING_ODD, OddRows
from crm_analysis.company.market import MarketPlan
from crm_analysis.company.opinions import OpinionPlan
from crm_analysis.company.prospects import ProspectPlan
from crm_analysis.company.purchases import FLAT, BuyingPlan
from crm_analysis.company.service import ServicePlan
from crm_analysis.company.survey import SurveyPlan
from crm_analysis.periods import Month

OPENING = Month(2021, 1)


@dataclass(frozen=True)
class Plan:
    """Every number planted in a simulated company.

    Attributes
    ----------
    first_month : Month
        When it opened.
    horizon_months : int
        How long its truth goes on after the as-of date.
    currency : str
        Of every amount.
    acquisition, opinions, buying, lines, odd_rows, contracts, prospects, survey, kano, comments, service, exits, \
campaigns, market, accounts
        What is planted in each part; its class says what the numbers mean.
    """

    first_month: Month = OPENING
    horizon_months: int = 24
    currency: str = "USD"
    acquisition: AcquisitionPlan = field(default_factory=AcquisitionPlan)
    opinions: OpinionPlan = field(default_factory=OpinionPlan)
    buying: BuyingPlan = field(default_factory=BuyingPlan)
    lines: LinePlan = field(default_factory=LinePlan)
    odd_rows: OddRows = field(default_factory=OddRows)
    contracts: ContractPlan = field(default_factory=ContractPlan)
    prospects: ProspectPlan = field(default_factory=ProspectPlan)
    survey: SurveyPlan = field(default_factory=SurveyPlan)
    kano: KanoPlan = field(default_factory=KanoPlan)
    comments: CommentPlan = field(default_factory=CommentPlan)
    service: ServicePlan = field(default_factory=ServicePlan)
    exits: ExitPlan = field(default_factory=ExitPlan)
    campaigns: CampaignPlan = field(default_factory=CampaignPlan)
    market: MarketPlan = field(default_factory=MarketPlan)
    accounts: AccountPlan = field(default_factory=AccountPlan)

    def without_extras(self) -> "Plan":
        """Return the plan whose log is exactly a BG/NBD with Gamma-Gamma spend.

        All channels are alike, satisfaction moves nothing, orders know no season, no campaign brings any, and no row
        is odd.
        """
        alike = tuple(channel._replace(purchase=0.0, dropout=0.0) for channel in self.acquisition.channels)
        buying = replace(self.buying, satisfaction_on_purchase=0.0, satisfaction_on_dropout=0.0, season=FLAT)
        return replace(
            self,
            acquisition=replace(self.acquisition, channels=alike),
            buying=buying,
            odd_rows=NOTHING_ODD,
            campaigns=replace(self.campaigns, lift=0.0),
        )
