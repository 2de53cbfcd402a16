"""Campaigns: customers contacted or, at random, not, and the orders that the contact brought."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Span, numbered


@dataclass(frozen=True)
class CampaignPlan:
    """How campaigns are run and what they do.

    Attributes
    ----------
    first, every : int
        Month of the first campaign, counted from 0, and months between two.
    days : int
        How long one runs, from the first day of its month; orders within these days count as its response.
    chosen : float
        Share drawn, at random, of the customers who bought in the year before.
    treated : float
        Share of the chosen who are contacted, at random; the others are the control.
    lift : float
        Chance that a contact brings one order that would not have been placed. It neither brings nor ends others.
    fixed_cost, contact_cost : float
        Cost of a campaign, and of each contact.
    """

    first: int = 7
    every: int = 6
    days: int = 30
    chosen: float = 0.6
    treated: float = 0.6
    lift: float = 0.05
    fixed_cost: float = 250.0
    contact_cost: float = 0.80


class Campaigns(NamedTuple):
    """Both tables, the orders brought, and what is true of each campaign.

    Attributes
    ----------
    campaigns, contacts : DataFrame
        The tables; `revenue` and `responded` are over all orders of the customer while the campaign ran.
    orders : DataFrame
        customer (position), day, cents of each order that a contact brought.
    truth : DataFrame, index campaign_id
        treated, control (customers), extra_orders, extra_revenue.
    """

    campaigns: pd.DataFrame
    contacts: pd.DataFrame
    orders: pd.DataFrame
    truth: pd.DataFrame


def draw_campaigns(
    plan: CampaignPlan, p: float, people: pd.DataFrame, orders: pd.DataFrame, span: Span, rng: np.random.Generator
) -> Campaigns:
    """Draw all campaigns that end by the as-of date; an order they bring is worth what others of the customer are.

    Parameters
    ----------
    plan : CampaignPlan
        What is planted.
    p : float
        Shape of the gamma distribution of a customer's orders.
    people : DataFrame
        customer_id and mean_spend.
    orders : DataFrame
        customer (position), day, cents of the orders that nobody had to ask for.
    span : Span
        The time.
    rng : Generator
        Source of randomness.
    """
    starts = [
        int(span.month_starts[month])
        for month in range(plan.first, span.months, plan.every)
        if span.month_starts[month] + plan.days <= span.days
    ]
    ids = numbered("M", len(starts), digits=3)
    contacts, brought = [_NO_CONTACTS], [_NO_ORDERS]
    for place, start in enumerate(starts):
        recent = orders[(orders["day"] < start) & (orders["day"] >= start - 365)]["customer"].unique()
        customer = np.sort(recent[rng.random(len(recent)) < plan.chosen])
        is_treated = rng.random(len(customer)) < plan.treated
        buys = is_treated & (rng.random(len(customer)) < plan.lift)
        spend = people["mean_spend"].to_numpy()[customer] * rng.gamma(p, 1 / p, size=len(customer))
        day = start + rng.integers(0, plan.days, size=len(customer))
        cents = np.maximum(100, np.rint(100 * spend)).astype(int)
        extra = pd.DataFrame({"customer": customer, "day": day, "cents": cents, "campaign": place})[buys]
        window = orders[(orders["day"] >= start) & (orders["day"] < start + plan.days)]
        paid = pd.concat([window, extra]).groupby("customer")["cents"].sum().reindex(customer)
        contacts.append(
            pd.DataFrame(
                {
                    "campaign": place,
                    "customer": customer,
                    "is_treated": is_treated,
                    "responded": paid.notna().to_numpy(),
                    "revenue": paid.fillna(0).to_numpy() / 100,
                }
            )
        )
        brought.append(extra)
    everybody = pd.concat([part for part in contacts if len(part)] or contacts[:1], ignore_index=True)
    extra = pd.concat([part for part in brought if len(part)] or brought[:1], ignore_index=True)
    treated = everybody.groupby("campaign")["is_treated"].agg(["sum", "size"]).reindex(range(len(ids)), fill_value=0)
    gained = extra.groupby("campaign")["cents"].agg(["size", "sum"]).reindex(range(len(ids)), fill_value=0)
    index = pd.Index(ids, name="campaign_id")
    truth = pd.DataFrame(
        {
            "treated": treated["sum"].to_numpy(int),
            "control": (treated["size"] - treated["sum"]).to_numpy(int),
            "extra_orders": gained["size"].to_numpy(int),
            "extra_revenue": gained["sum"].to_numpy(int) / 100,
        },
        index=index,
    )
    table = pd.DataFrame(
        {
            "campaign_id": ids,
            "name": [f"Simulated campaign {place + 1}" for place in range(len(ids))],
            "cost": np.round(plan.fixed_cost + plan.contact_cost * truth["treated"].to_numpy(), 2),
            "start": span.dates(np.array(starts, int)),
            "end": span.dates(np.array(starts, int) + plan.days - 1),
        }
    )
    contact_table = pd.DataFrame(
        {
            "campaign_id": ids[everybody["campaign"].to_numpy(int)],
            "customer_id": people["customer_id"].to_numpy()[everybody["customer"].to_numpy(int)],
            "arm": np.where(everybody["is_treated"].to_numpy(bool), "treated", "control").astype(object),
            "responded": everybody["responded"].to_numpy(bool),
            "revenue": everybody["revenue"].to_numpy(float),
        }
    )
    return Campaigns(table, contact_table, extra[["customer", "day", "cents"]], truth)


_NO_CONTACTS = pd.DataFrame(
    {
        "campaign": np.zeros(0, int),
        "customer": np.zeros(0, int),
        "is_treated": np.zeros(0, bool),
        "responded": np.zeros(0, bool),
        "revenue": np.zeros(0),
    }
)
_NO_ORDERS = pd.DataFrame({name: np.zeros(0, int) for name in ("customer", "day", "cents", "campaign")})
