"""When customers buy and for how much: BG/NBD with covariates in the clock of the seasons, and Gamma-Gamma.

Fader, Hardie & Lee (2005), Marketing Science 24(2); covariates after Fader & Hardie (2007, note 019):
alpha_i = alpha exp(-gamma'z), a_i = a exp(kappa'z), b_i = b exp(-kappa'z). Rates are for a time that passes faster in
busy months, so that seasons leave the model what it is.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.company.customers import Channel
from crm_analysis.company.drawing import Span
from crm_analysis.models.bgnbd import BGNBDParams
from crm_analysis.models.gamma_gamma import GammaGammaParams
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.periods import DAYS_PER_UNIT

# From January to December: none, some, and those of a shop that lives on presents.
FLAT = (1.0,) * 12
MILD = (0.92, 0.92, 0.97, 1.0, 1.0, 0.98, 0.95, 0.95, 1.0, 1.03, 1.13, 1.15)
CHRISTMAS = (0.85, 0.85, 0.95, 1.0, 1.0, 0.95, 0.9, 0.9, 1.0, 1.05, 1.25, 1.3)
PURCHASE = BGNBDParams(r=0.8, alpha=6.0, a=0.8, b=2.5)
SPEND = GammaGammaParams(p=5.0, q=4.0, v=36.0)


@dataclass(frozen=True)
class BuyingPlan:
    """How customers buy.

    Attributes
    ----------
    purchase : BGNBDParams
        Of a customer with all covariates at zero, in weeks.
    satisfaction_on_purchase, satisfaction_on_dropout : float
        gamma and kappa of satisfaction, for one standard deviation. Those of the channels are in `Channel`.
    season : tuple of float
        How fast time passes in each calendar month, from January, such as `FLAT`, `MILD` or `CHRISTMAS`; brought to a
        mean of 1.
    spend : GammaGammaParams
        Of an order, in the company's currency.
    """

    purchase: BGNBDParams = PURCHASE
    satisfaction_on_purchase: float = 0.15
    satisfaction_on_dropout: float = -0.25
    season: tuple[float, ...] = MILD
    spend: GammaGammaParams = SPEND


def parameters_of(plan: BuyingPlan, channels: tuple[Channel, ...], people: pd.DataFrame) -> BGNBDParams:
    """Return alpha, a and b of each customer, in weeks."""
    channel, z = people["channel"].to_numpy(), people["satisfaction"].to_numpy()
    faster = np.array([each.purchase for each in channels])[channel] + plan.satisfaction_on_purchase * z
    leaving = np.array([each.dropout for each in channels])[channel] + plan.satisfaction_on_dropout * z
    r, alpha, a, b = plan.purchase
    return BGNBDParams(r, alpha * np.exp(-faster), a * np.exp(leaving), b * np.exp(-leaving))


def draw_buyers(
    plan: BuyingPlan, channels: tuple[Channel, ...], people: pd.DataFrame, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw what each customer is like: purchase_rate (a week), dropout (chance after a purchase), mean_spend."""
    r, alpha, a, b = parameters_of(plan, channels, people)
    p, q, v = plan.spend
    n = len(people)
    return pd.DataFrame(
        {
            "purchase_rate": rng.gamma(r, size=n) / alpha,
            "dropout": rng.beta(a, b),
            "mean_spend": p * v / rng.gamma(q, size=n),
        }
    )


def draw_orders(plan: BuyingPlan, people: pd.DataFrame, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw all orders until the end of the horizon, at most one a customer and day.

    Parameters
    ----------
    plan : BuyingPlan
        What is planted.
    people : DataFrame
        acquired, purchase_rate, dropout and mean_spend of each customer.
    span : Span
        The time.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        One row an order, by customer and day: customer (position), day, cents, is_last (the customer left after it).
    """
    clock = _clock(plan.season, span)
    # The first purchase is at noon, so that the days between purchases are as long as the time between them on average.
    acquired = people["acquired"].to_numpy()
    start = (clock[acquired] + clock[acquired + 1]) / 2
    customer, time, is_last = _repeat_purchases(people, clock[-1] - start, rng)
    n = len(people)
    first = np.arange(n)
    customer = np.concatenate([first, customer])
    time = np.concatenate([np.zeros(n), time])
    is_last = np.concatenate([np.zeros(n, bool), is_last])
    in_order = np.lexsort([time, customer])
    customer, time, is_last = customer[in_order], time[in_order], is_last[in_order]
    # Day d lasts from clock[d] to clock[d + 1].
    day = np.searchsorted(clock, start[customer] + time, side="left") - 1
    day = _one_a_day(customer, day)
    p = plan.spend.p
    spend = people["mean_spend"].to_numpy()[customer] * rng.gamma(p, 1 / p, size=len(customer))
    orders = pd.DataFrame(
        {
            "customer": customer,
            "day": day,
            # An order of less than a unit of money could not be divided into lines.
            "cents": np.maximum(100, np.rint(100 * spend)).astype(int),
            "is_last": is_last,
        }
    )
    return orders[orders["day"] < span.all_days].reset_index(drop=True)


def _clock(season: tuple[float, ...], span: Span) -> Floats:
    """Return how much time of the clock has passed before each day, in days, shape (all_days + 1,)."""
    speed = np.array(season) / np.mean(season)
    month = np.repeat(np.arange(len(span.month_starts) - 1), np.diff(span.month_starts))
    return np.concatenate([[0.0], np.cumsum(speed[span.calendar_month(month)])])


def _repeat_purchases(people: pd.DataFrame, end: Floats, rng: np.random.Generator) -> tuple[Integers, Floats, Integers]:
    """Draw customer, time on the clock in days since the first purchase, and whether the customer left after it."""
    rate = people["purchase_rate"].to_numpy() / DAYS_PER_UNIT["week"]
    dropout = people["dropout"].to_numpy()
    customer, time = np.arange(len(people)), np.zeros(len(people))
    customers, times, lasts = [customer[:0]], [time[:0]], [np.zeros(0, bool)]
    while len(customer):
        with np.errstate(divide="ignore", over="ignore"):  # a rate of zero never buys
            time = time + rng.exponential(size=len(time)) / rate[customer]
        bought = time <= end[customer]
        customer, time = customer[bought], time[bought]
        is_last = rng.random(len(customer)) < dropout[customer]
        customers.append(customer)
        times.append(time)
        lasts.append(is_last)
        customer, time = customer[~is_last], time[~is_last]
    return np.concatenate(customers), np.concatenate(times), np.concatenate(lasts)


def _one_a_day(customer: Integers, day: Integers) -> Integers:
    """Move a purchase on a day that is taken to the next free one, so that none is merged with another.

    Rows come by customer and time. With the k-th purchase of a customer on day d, d - k may not fall.
    """
    starts = np.flatnonzero(np.diff(customer, prepend=-1))
    number = np.arange(len(customer)) - np.repeat(starts, np.diff(np.append(starts, len(customer))))
    apart = customer.astype(np.int64) * (2 * (int(day.max(initial=0)) + len(day) + 1))
    return np.maximum.accumulate(day - number + apart) - apart + number
