"""One company, all of its tables, from one seed. Each part draws from a stream of its own."""

from types import MappingProxyType

import numpy as np
import pandas as pd

from crm_analysis.company.accounts import draw_accounts, draw_receivables
from crm_analysis.company.campaigns import draw_campaigns
from crm_analysis.company.contracts import draw_memberships
from crm_analysis.company.customers import count_newcomers, draw_customers, expected_newcomers
from crm_analysis.company.drawing import Span, stream, words
from crm_analysis.company.exits import draw_exits
from crm_analysis.company.files import Company
from crm_analysis.company.lines import draw_lines, tier_of
from crm_analysis.company.log import as_delivered, with_oddities
from crm_analysis.company.market import draw_market
from crm_analysis.company.opinions import draw_opinions
from crm_analysis.company.plan import Plan
from crm_analysis.company.prospects import draw_prospects
from crm_analysis.company.purchases import draw_buyers, draw_orders
from crm_analysis.company.service import draw_cases
from crm_analysis.company.survey import draw_survey
from crm_analysis.company.truth import Truth
from crm_analysis.models.checks import check_whole

_CUSTOMER_COLUMNS = [
    "customer_id",
    "acquired_on",
    "acquisition_channel",
    "acquisition_cost",
    "region",
    "kind",
    "tier",
    "settlement",
    "receivable_status",
    "receivable_amount",
    "receivable_due",
    "referred_by",
]


def simulate_company(*, seed: int, customers: int, months: int, plan: Plan | None = None) -> Company:
    """Simulate a growing shop with all the tables an analysis can ask for, and the truth behind them.

    Parameters
    ----------
    seed : int
        The same seed gives the same tables, to the byte; another one another company.
    customers : int
        Expected number of customers acquired in the months seen, >= 1. How many there are is random, as the newcomers
        of each month are; with the default plan it is off by 2 % or so, and by more for a few hundred customers.
        There is always one.
    months : int
        Months from the opening to the as-of date, >= 1. Waves of the survey and campaigns need half a year.
    plan : Plan, optional
        What is planted; default: `Plan()`.

    Returns
    -------
    Company
        `tables`, `truth` and `as_of`; `write` makes files of it.

    Raises
    ------
    SettingsError
        When the seed, the customers or the months are no such number.

    Notes
    -----
    Buying is BG/NBD (Fader, Hardie & Lee 2005) with covariates (Fader & Hardie 2007), spend Gamma-Gamma (Fader & Hardie
    2013), renewal sBG (Fader & Hardie 2007). The first purchase is on the day of acquisition.

    Examples
    --------
    >>> company = simulate_company(seed=7, customers=200, months=12)
    >>> company
    Company(simulated: 212 customers, 2021-01 to 2021-12, seed 7)
    """
    check_whole("seed", seed, least=0)
    check_whole("customers", customers, least=1)
    check_whole("months", months, least=1)
    plan = plan or Plan()
    span = Span(plan.first_month, int(months), plan.horizon_months)

    def of(part: str) -> np.random.Generator:
        return stream(int(seed), part)

    expected = expected_newcomers(plan.acquisition, span, int(customers))
    newcomers = count_newcomers(plan.acquisition, expected, span, of("newcomers"))
    opinions = draw_opinions(plan.opinions, int(newcomers[: span.months].sum()), of("opinions"))
    people = draw_customers(plan.acquisition, newcomers, opinions.satisfaction, span, of("customers"))
    people = people.join(draw_buyers(plan.buying, plan.acquisition.channels, people, of("buyers")))
    people["tier"] = tier_of(plan.lines, people["mean_spend"])
    orders = draw_orders(plan.buying, people, span, of("orders"))
    people["died"] = orders[orders["is_last"]].set_index("customer")["day"].reindex(people.index).astype(float)

    campaigns = draw_campaigns(plan.campaigns, plan.buying.spend.p, people, orders, span, of("campaigns"))
    lines = with_oddities(plan.odd_rows, draw_lines(plan.lines, orders, people, "O", of("lines")), of("odd rows"))
    campaign_lines = draw_lines(plan.lines, campaigns.orders, people, "OM", of("campaign lines"))
    unplanned = campaign_lines.assign(fate="used", refund_day=campaign_lines["day"])
    log = as_delivered(plan.lines, pd.concat([lines, unplanned], ignore_index=True), people, span, plan.currency)
    survey = draw_survey(
        plan.survey, plan.opinions, plan.kano, plan.comments, people, opinions, orders, span, of("survey")
    )
    cases = draw_cases(plan.service, people, span, of("cases"))

    known = people.assign(
        acquired_on=span.dates(people["acquired"].to_numpy()),
        tier=words([tier.name for tier in plan.lines.tiers], people["tier"].to_numpy()),
    ).join(draw_receivables(plan.accounts, people, orders, span, of("receivables")))
    tables = {
        "transactions": log.transactions,
        "customers": known[_CUSTOMER_COLUMNS],
        "memberships": draw_memberships(plan.contracts, people, span, of("memberships")),
        "prospects": draw_prospects(plan.prospects, int(customers), span, of("prospects")),
        "market": draw_market(plan.market, int(customers), span, of("market")),
        "exits": draw_exits(plan.exits, people, cases, span, of("exits")),
        "survey": survey.table,
        "cases": cases,
        "campaigns": campaigns.campaigns,
        "contacts": campaigns.contacts,
        "accounts": draw_accounts(plan.accounts, people, span, of("accounts")),
    }
    truth = Truth(
        plan=plan,
        customers=_truth_of(people, span),
        newcomers=pd.DataFrame(
            {"expected": expected, "actual": newcomers},
            index=pd.Index([span.period(month) for month in range(len(expected))], name="period"),
        ),
        odd_rows=log.odd_rows,
        future_purchases=pd.DataFrame(
            {
                "customer_id": people["customer_id"].to_numpy()[log.later["customer"].to_numpy()],
                "order_date": span.dates(log.later["day"].to_numpy()),
                "amount": log.later["cents"].to_numpy() / 100,
                "margin": log.later["margin"].to_numpy() / 100,
            }
        ),
        drivers=plan.opinions.slopes(),
        attributes=plan.survey.expected_marks(),
        respondents=survey.respondents,
        campaigns=campaigns.truth,
        last_month=span.first_month.shift(span.months - 1),
    )
    return Company(tables=MappingProxyType(tables), as_of=span.as_of, truth=truth, seed=int(seed))


def _truth_of(people: pd.DataFrame, span: Span) -> pd.DataFrame:
    kept = people.set_index("customer_id")[["purchase_rate", "dropout", "mean_spend", "satisfaction"]]
    died = people["died"].to_numpy()
    return kept.assign(died_on=span.dates(died), is_alive=~(died < span.days))
