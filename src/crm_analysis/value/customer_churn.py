"""Customers lost: by a plain rule, by a model, and by the dates of their contracts."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, day
from crm_analysis.models.histories import Floats
from crm_analysis.models.memberships import joined_terms
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.shares import wilson_interval
from crm_analysis.models.terms import renewals_made
from crm_analysis.periods import horizon_in_units
from crm_analysis.value.draws import drawn_fits, knows_its_doubt
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.loss import NOT_KNOWN, Loss, unknown


def by_rule(transactions: Any, start: date, end: date, active_days: int) -> Loss:
    """Those who bought in the last `active_days` before the start, and of them those who did not so before the end."""
    window = timedelta(days=active_days)
    there, later = (purchases_between(transactions, after=date - window, until=date) for date in (start, end))
    lost = int((~there.index.isin(later.index)).sum())
    lower, upper = wilson_interval(lost, len(there))
    return Loss(
        "customers",
        "by_rule",
        float(len(there)),
        float(lost),
        _(
            "Customers with a purchase in the {days} days up to {start}; lost are those without one in the {days} days "
            "up to {end}. Some of them will be back.",
            days=count(active_days),
            start=day(start),
            end=day(end),
        ),
        (end - start).days,
        (float(lower), float(upper)),
    )


def by_model(
    before: CustomerValues | None, now: CustomerValues | None, start: date, end: date, draws: int, seed: int
) -> Loss:
    """Customers expected to be still there on both dates, as the later fit sees it."""
    definition = _(
        "Customers expected to be there still: the sum of the probabilities to be alive on {start}, as known then, "
        "less that of the same customers on {end}, both by the parameters of the later date. A purchase raises a "
        "probability, so what is lost is net of those who were given up too early.",
        start=day(start),
        end=day(end),
    )
    if before is None or now is None:
        return unknown("customers", "by_model", definition, _("No values were given for both dates."))
    for values, expected in ((before, start), (now, end)):
        if values.customers.as_of != expected:
            raise SettingsError(
                f"churn by model from {start} to {end} needs values as of these days; these are as of "
                f"{values.customers.as_of}."
            )
    then, later, share = _same_customers(before, now)
    fit = now.fits.purchases
    alive_then, alive_now = (_number_alive(fit, customers) * share for customers in (then, later))
    interval, note = (NOT_KNOWN, NOT_KNOWN), _("The fit has no covariance, so there is no interval.")
    if knows_its_doubt(fit):
        drawn = drawn_fits(fit, draws, seed)
        rates = 1 - _numbers_alive(drawn, later) / _numbers_alive(drawn, then)
        interval = (float(np.quantile(rates, 0.025)), float(np.quantile(rates, 0.975)))
        note = _("The interval contains the parameters alone, not who of the customers happens to leave.")
    never = _never_given_up(fit, then) * share
    if never:
        note += " " + _("{n} of them bought once, and the model gives up nobody after one purchase.", n=count(never))
    return Loss(
        "customers", "by_model", alive_then, alive_then - alive_now, definition, (end - start).days,
        interval, note=note,
    )  # fmt: skip


def _same_customers(before: CustomerValues, now: CustomerValues) -> tuple[CustomerSummary, CustomerSummary, float]:
    """Customers of the earlier date on both dates, and how many of the base each stands for.

    Of a sample those drawn on both dates; otherwise who is gone from the log, because all was refunded, is alive on the
    earlier date alone.
    """
    common = before.customers.frame.index.intersection(now.customers.frame.index)
    later = replace(now.customers, frame=now.customers.frame.loc[common])
    if before.customers.stands_for == now.customers.stands_for == 1:
        return before.customers, later, 1.0
    then = replace(before.customers, frame=before.customers.frame.loc[common])
    return then, later, before.number_of_customers / max(1, len(common))


def _number_alive(fit: PurchaseFit, customers: CustomerSummary) -> float:
    return float(fit.probability_alive(customers).sum()) if len(customers) else 0.0


def _never_given_up(fit: PurchaseFit, customers: CustomerSummary) -> int:
    """Customers with one purchase who are there for certain, as in models in which nobody leaves after the first."""
    once = replace(customers, frame=customers.frame[customers.frame["frequency"] == 0])
    return int((fit.probability_alive(once) == 1).sum()) if len(once) else 0


def _numbers_alive(drawn: list[PurchaseFit], customers: CustomerSummary) -> Floats:
    """The same under each of some drawn parameters, which move no history: each distinct one is asked of once."""
    few, rows = drawn[0].distinct(customers)
    return np.array([float(fit.probability_alive(few).to_numpy() @ rows.counts) for fit in drawn])


def by_contract(memberships: pd.DataFrame | None, start: date, end: date) -> list[Loss]:
    """Members at the start and of them those who are none at the end; and renewals that came up and were not made."""
    members = _(
        "Members on {start}; lost are those without a running contract at the end of {end}. Retention is (members at "
        "the end less new ones) / members at the start. Terms that follow one another are one membership; a row of "
        "one term runs until its renewal is due, the day after its last.",
        start=day(start),
        end=day(end),
    )
    renewals = _(
        "Contracts up for renewal or ended after {start} and up to {end}, each as often as it came up; lost are those "
        "that ended. The rate is that of one renewal. A term that goes on, in the same plan or another, was renewed.",
        start=day(start),
        end=day(end),
    )
    if memberships is None or "ended_on" not in memberships.columns:
        why = (
            _("No memberships were given.") if memberships is None else _("The memberships do not tell when they end.")
        )
        return [unknown("customers", "members", members, why), unknown("customers", "renewals", renewals, why)]
    joined = joined_terms(memberships)
    there, later = (_members(joined, date) for date in (start, end))
    lost = len(there.difference(later))
    lower, upper = wilson_interval(lost, len(there))
    new = len(later.difference(there))
    by_members = Loss(
        "customers", "members", float(len(there)), float(lost), members, (end - start).days,
        (float(lower), float(upper)),
        note=_("{end} members at the end, {new} of them new.", end=count(len(later)), new=count(new)),
    )  # fmt: skip
    return [by_members, _by_renewal(joined_terms(memberships, of_one_period=True), start, end, renewals)]


def _members(frame: pd.DataFrame, date: date) -> pd.Index:
    """Customers with a contract that runs at the end of a day."""
    last = pd.Timestamp(date)
    runs = (frame["started_on"] <= last) & ~(frame["ended_on"] <= last)
    return pd.Index(frame.loc[runs, "customer_id"].unique())


def _by_renewal(frame: pd.DataFrame, start: date, end: date, definition: str) -> Loss:
    why = _("The memberships do not tell when they are renewed.")
    if "renewal_period" not in frame.columns:
        return unknown("customers", "renewals", definition, why)
    first, last = pd.Timestamp(start), pd.Timestamp(end)
    seen = frame[(frame["started_on"] <= last) & ~(frame["ended_on"] <= first)]
    told = seen[seen["renewal_period"].notna()]
    if told.empty:
        return unknown("customers", "renewals", definition, why)
    ended = (told["ended_on"] <= last) & ~told["went_on"]
    made = renewals_made(told, last) - renewals_made(told, first)
    due, lost = float(made.sum() + ended.sum()), float(ended.sum())
    lower, upper = wilson_interval(lost, due)
    lengths = {horizon_in_units(str(text), "day") for text in told["renewal_period"].unique()}
    notes = []
    if len(lengths) > 1:
        notes.append(_("Contracts are renewed after different times, so there is no annual rate."))
    if len(told) < len(seen):
        notes.append(_("{n} contracts that do not tell when are left out.", n=count(len(seen) - len(told))))
    return Loss(
        "customers", "renewals", due, lost, definition, lengths.pop() if len(lengths) == 1 else NOT_KNOWN,
        (float(lower), float(upper)), note=" ".join(notes),
    )  # fmt: skip
