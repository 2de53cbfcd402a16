"""Payments of contracts to come: on which days they fall, what each is worth today, and with what chance it comes.

A contract is a row of periods: the present one, which is paid, and one after each renewal. Time is in months after the
as-of date, each day by the calendar. A member who has made some renewals makes the next by the sBG (Fader & Hardie
2010): the chance to leave is Beta(alpha, beta + renewals made).
"""

from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.models import sbg
from crm_analysis.models.histories import Floats
from crm_analysis.models.sbg import SBGParams
from crm_analysis.models.terms import Length, renewal_days
from crm_analysis.periods import DAYS_PER_UNIT, units_per_year
from crm_analysis.value.lifetime_value import Assumptions

# A calendar month may be so much shorter than the mean one (28 days).
_SHORTEST_MONTH = 28 / DAYS_PER_UNIT["month"]


@dataclass(frozen=True, eq=False)
class Stream:
    """Periods to come, one row a contract (or a newcomer), one column a period.

    Attributes
    ----------
    paid : array, shape (n, m)
        1 where the payment that begins the period falls within the horizon, else 0; that of the present period has been
        made.
    present : array, shape (n, m)
        Discount factor of that payment, 0 where there is none.
    served : array, shape (n, m)
        Months of the period within the horizon, discounted.
    """

    paid: Floats
    present: Floats
    served: Floats

    def margins(self, fee: Floats | float, given: Assumptions) -> Floats:
        """Present worth of each period, if it is reached: payment less its costs and service, after tax."""
        net = np.reshape(given.margin * np.asarray(fee) - given.costs.cost_per_order, (-1, 1))
        return (net * self.present - _service_a_month(given) * self.served) * given.costs.kept


class ToCome(NamedTuple):
    """What is expected of each contract, arrays of shape (n,).

    Payments, payments discounted, discounted months as a member; and the chance to make the next renewal.
    """

    payments: Floats
    discounted: Floats
    served: Floats
    renewing: Floats


def months_between(length: Length) -> float:
    """Return the mean time from one renewal to the next in months."""
    size, unit = length
    return float(size) if unit == "month" else size / DAYS_PER_UNIT["month"]


def chances_to_leave(params: SBGParams, made: Floats, change: float = 0.0) -> SBGParams:
    """Return alpha and beta of each contract given the renewals it has made.

    Parameters
    ----------
    params : SBGParams
    made : array, shape (n,)
    change : float
        By what share the mean chance to leave is changed from now on: Beta(a, b) becomes Beta(c a, b + (1 - c) a),
        whose mean is c = 1 + change times as high.
    """
    a, b = params.alpha + 0 * made, params.beta + made
    return SBGParams((1 + change) * a, b - change * a)  # type: ignore[arg-type]  # arrays stand for numbers here


def survival(chances: SBGParams, periods: int) -> Floats:
    """Chance to reach each period, shape (n, periods); the present one for certain."""
    a, b = (np.asarray(one, dtype=np.float64).reshape(-1, 1) for one in chances)
    steps = np.arange(periods - 1)
    return np.asarray(np.cumprod(np.hstack([np.ones_like(a), (b + steps) / (a + b + steps)]), axis=1), np.float64)


def stream_of_contracts(
    started: pd.Series, made: Floats, length: Length, as_of: date, *, until: float, rate: float
) -> Stream:
    """Lay out the periods of running contracts of one length up to some time.

    Parameters
    ----------
    started : Series of midnights, shape (n,)
    made : array, shape (n,)
        Renewals made by the as-of date.
    length : (int, "month" or "day")
    as_of : date
    until : float
        Months after the as-of date; a payment on that day counts.
    rate : float
        Continuous discount rate a month.
    """
    periods = _periods_within(until, months_between(length) * (_SHORTEST_MONTH if length[1] == "month" else 1.0))
    starts = months_until_renewal(started, made[:, None] + np.arange(1, periods + 1), length, as_of)
    return _laid_out(np.hstack([np.zeros((len(starts), 1)), starts]), until, rate, is_paid=True)


def stream_of_newcomers(joined: Floats, length: Length, *, until: float, rate: float) -> Stream:
    """Lay out the periods of those who join at some times (months after the as-of date), the first unpaid; as above."""
    step = months_between(length)
    starts = joined[:, None] + step * np.arange(_periods_within(until, step) + 1)
    return _laid_out(starts, until, rate, is_paid=False)


def months_until_renewal(started: pd.Series, renewals: np.ndarray, length: Length, as_of: date) -> Floats:
    """Months from the as-of date to some renewals of each contract, shape of `renewals`, (n, m)."""
    days = renewal_days(started, length, renewals.astype(np.int64)) - np.datetime64(as_of, "D")
    return days.astype(np.float64) / DAYS_PER_UNIT["month"]


def _periods_within(until: float, step: float) -> int:
    return int(np.ceil(max(until, 0.0) / step)) + 1


def _laid_out(starts: Floats, until: float, rate: float, *, is_paid: bool) -> Stream:
    begins = starts[:, :-1]
    # Days are whole, the horizon is a quotient of days: a payment on its last day is not lost to rounding.
    paid = (begins <= until + 1e-9).astype(np.float64)
    if is_paid:
        paid[:, 0] = 0.0
    edges = np.minimum(starts, until)
    served = _annuity(edges[:, 1:], rate) - _annuity(edges[:, :-1], rate)
    return Stream(paid, paid * np.exp(-rate * begins), served)


def _annuity(length: Floats, rate: float) -> Floats:
    """One a month for some months, discounted: (1 - e^(-rate length)) / rate."""
    return -np.expm1(-rate * length) / rate if rate > 0 else length


def to_come(stream: Stream, chances: SBGParams) -> ToCome:
    """What is expected of contracts within the horizon of their stream."""
    there = survival(chances, stream.paid.shape[1])
    payments, discounted, served = ((there * part).sum(axis=1) for part in (stream.paid, stream.present, stream.served))
    return ToCome(payments, discounted, served, _next(chances))


def to_come_without_end(
    started: pd.Series, made: Floats, length: Length, as_of: date, chances: SBGParams, rate: float
) -> ToCome:
    """What is expected of contracts in all of the future, by the closed form (Fader & Hardie 2010, eq. 6).

    The next renewal is discounted from its day by the calendar, those after it by the mean length of a period. Without
    discounting there may be no bound: the result is then infinite.
    """
    step = months_between(length)
    wait = months_until_renewal(started, made[:, None] + 1, length, as_of)[:, 0]
    none = np.zeros(len(wait))
    payments = sbg.discounted_residual_lifetime(chances, none, 0.0)
    discounted = payments if rate == 0 else sbg.discounted_residual_lifetime(chances, none, np.expm1(rate * step))
    discounted = discounted * np.exp(-rate * wait)
    served = _annuity(wait, rate) + discounted * _annuity(np.array(step), rate)
    return ToCome(payments, discounted, served, _next(chances))


def _next(chances: SBGParams) -> Floats:
    return np.asarray(chances.beta / (chances.alpha + chances.beta))


def worth(expected: ToCome, fee: Floats, length: Length, given: Assumptions) -> Floats:
    """Discounted margin of payments to come less their cost and the service, after tax; infinite where it is so."""
    net, service = given.margin * fee - given.costs.cost_per_order, _service_a_month(given)
    with np.errstate(invalid="ignore"):
        value = net * expected.discounted - service * expected.served
        # Where payments have no bound, each brings its service with it, and what is left of one decides.
        of_one = net - service * months_between(length)
        value = np.where(np.isinf(expected.discounted), np.where(of_one == 0, 0.0, of_one * np.inf), value)
    return np.asarray(value * given.costs.kept)


def _service_a_month(given: Assumptions) -> float:
    return given.costs.cost_to_serve_per_year / units_per_year("month")
