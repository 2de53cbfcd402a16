"""The bridge: what moved customer equity from one date to the next, step by step, adding up exactly.

Each step values again with one thing changed, in a fixed order, as insurers analyse the movement of embedded value
(CFO Forum, Market Consistent Embedded Value Principles, movement analysis). Up to the behaviour of customers everything
is valued with the models of the opening; what the closing learnt, and what it assumes, comes after it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import DAYS_PER_UNIT, Horizon, horizon_in_units
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.lifetime_value import Assumptions, Fits, assume, margin_of_customers, value_by
from crm_analysis.value.margin_shares import has_margins
from crm_analysis.value.potential import potential_value

OPENING, CLOSING = "opening", "closing"
STEPS = {
    OPENING: N_("Opening equity"),
    "restatement": N_("Restatement"),
    "unwinding": N_("Unwinding of the discount"),
    "released": N_("Expected margin released"),
    "horizon_moved": N_("The horizon moves on"),
    "bought": N_("Customers who bought"),
    "did_not_buy": N_("Customers who did not buy"),
    "spend": N_("Spend of customers"),
    "new_customers": N_("New customers"),
    "expected_newcomers": N_("New customers the opening expected"),
    "acquisition_forecast": N_("Forecast of new customers"),
    "purchase_rate": N_("Parameters: purchase rate"),
    "dropout": N_("Parameters: dropout"),
    "spend_parameters": N_("Parameters: spend"),
    "model": N_("Another model"),
    "recalibration": N_("Recalibration"),
    "margin": N_("Margin"),
    "costs": N_("Costs and tax"),
    "discount_rate": N_("Discount rate"),
    "horizon": N_("Length of the horizon"),
    CLOSING: N_("Closing equity"),
}
"""The steps by key, in their order, with their names for the reader; to be looked up in the message catalogue."""

_DROPOUT = ("a", "b", "s", "beta", "gamma", "delta")


def equity_bridge(
    opening: CustomerEquity,
    closing: CustomerEquity,
    *,
    restated: CustomerSummary | None = None,
    elapsed: Horizon | None = None,
) -> pd.DataFrame:
    """Explain the change of customer equity between two dates.

    Parameters
    ----------
    opening, closing : CustomerEquity
        Of the earlier and of the later date, in one currency and one time unit; with future customers in both or in
        neither.
    restated : CustomerSummary, optional
        The customers on the opening date as the log of the closing shows them (late and corrected rows, merged ids).
        Without it, customers who are gone from the log and those it shows as older than the opening are the
        restatement, and corrected rows of others fall among what these did.
    elapsed : float or str, optional
        Time between the two, in the time unit or as text; needed where the summaries have no as-of dates.

    Returns
    -------
    DataFrame, indexed by step (the keys of `STEPS`, in this order)
        value: opening, each change, closing, in currency; the changes add up from opening to closing.
        running: equity after each step. customers: how many a step is about (missing where it is about none).

    Raises
    ------
    SettingsError
        For equities in the wrong order, of different time units, or of which only one values future customers.

    Notes
    -----
    With the opening's models, rate and assumptions, at the closing date unless said:

    - restatement: the opening valued on the customers as the closing's log shows them;
    - unwinding: restated opening x ((1 + d)^t - 1), with t the years between the dates;
    - released: less the margin expected within the period; it leaves equity and becomes cash;
    - horizon_moved: the value of the time by which the horizon moves on, as expected at the opening;
    - bought, did_not_buy: value of the opening's customers on their new histories less that expected, spend as expected
      at the opening; spend: their observed spend put in and, where lines have margins, what it left;
    - new_customers: value of those who joined; expected_newcomers: less what the opening expected of them (their first
      purchases and cost were released with the margin); acquisition_forecast: later newcomers as forecast now;
    - purchase_rate, dropout, spend_parameters: the closing's parameters block by block; another kind of model is one
      step; recalibration: the level and the clock of the shop;
    - margin, costs (tax and acquisition cost with them), discount_rate, horizon: the closing's assumptions. Of margins
      of customers' own that is the one of all together, and how far one customer is believed. Where the closing's log
      tells none any more, the opening is first restated at that of all together.

    The closing's parameters were estimated from what happened in the period, so behaviour and parameters are two views
    of one cause: do not add them up into "the effect of" anything.
    """
    return _Bridge.between(opening, closing, restated, elapsed).table()


def period_cash(
    opening: CustomerEquity,
    closing: CustomerEquity,
    *,
    restated: CustomerSummary | None = None,
    elapsed: Horizon | None = None,
) -> pd.Series:
    """What the period brought in cash beside what the opening expected: a memo to the bridge, no part of equity.

    Parameters
    ----------
    opening, closing, restated, elapsed
        As for `equity_bridge`.

    Returns
    -------
    Series
        realised: what the opening's customers and those who joined brought, after tax and costs (of service those that
        were expected), carried to the closing date; of it from_customers and from_newcomers, the latter net of their
        acquisition cost. expected_from_customers, expected_from_newcomers: the margin released in the bridge, likewise;
        the latter missing where the opening valued no newcomers. Realised cash is missing where a summary carries no
        past at the opening's rate.
    """
    return _Bridge.between(opening, closing, restated, elapsed).cash()


@dataclass(frozen=True, eq=False)
class _Bridge:
    """Everything the steps value with, in the time units of both equities."""

    opening: CustomerEquity
    closing: CustomerEquity
    restated: CustomerSummary
    elapsed: float

    @classmethod
    def between(
        cls,
        opening: CustomerEquity,
        closing: CustomerEquity,
        restated: CustomerSummary | None,
        elapsed: Horizon | None,
    ) -> "_Bridge":
        for name, equity in (("opening", opening), ("closing", closing)):
            if not isinstance(equity, CustomerEquity):
                raise SettingsError(f"{name} is a {type(equity).__name__}; give a CustomerEquity.")
            if not np.isfinite(equity.total):
                raise SettingsError(f"the {name} equity is infinite or missing; a bridge needs two finite ones.")
        before, after = opening.values.customers, closing.values.customers
        if before.time_unit != after.time_unit:
            raise SettingsError(
                f"the opening counts in {before.time_unit}s, the closing in {after.time_unit}s; value one of them "
                "again in the unit of the other."
            )
        if (opening.future is None) != (closing.future is None):
            which = "opening" if opening.future is not None else "closing"
            raise SettingsError(
                f"only the {which} values customers to be acquired; give customer_equity an acquisition for both or "
                "for neither."
            )
        length = _time_between(before, after, elapsed)
        return cls(
            opening, closing, _as_of_the_opening(before, after, length) if restated is None else restated, length
        )

    # --- valuations -------------------------------------------------------------------------------------------------

    @property
    def given(self) -> Assumptions:
        """The opening's assumptions; customers have margins of their own where the closing's log tells them too."""
        given = self.opening.values.assumptions
        told = all(has_margins(one.frame.columns) for one in (self.restated, self.closing.values.customers))
        return given if told else replace(given, own_margins=None)

    @property
    def fits(self) -> Fits:
        return self.opening.values.fits

    @property
    def now(self) -> date | None:
        return self.closing.values.customers.as_of

    def _terms(self, like: Assumptions, as_of: date | None) -> Assumptions:
        """Return the assumptions as they read on another date: text for a horizon follows the calendar from there."""
        return assume(
            like.time_unit,
            as_of,
            horizon=like.horizon,
            annual_discount_rate=like.annual_discount_rate,
            margin=like.margin,
            costs=like.costs,
            own_margins=like.own_margins,
        )

    def _each(self, fits: Fits, customers: CustomerSummary, given: Assumptions, until: float | None) -> pd.Series:
        """Residual value of each customer up to some time after the as-of date, scaled up to those they stand for."""
        taken = assume(
            given.time_unit,
            customers.as_of,
            horizon=until,
            annual_discount_rate=given.annual_discount_rate,
            margin=given.margin,
            costs=given.costs,
            own_margins=given.own_margins,
        )
        values = value_by(fits, replace(customers, annual_discount_rate=None), taken)
        return values.frame["residual_value"] * customers.stands_for

    def _future(self, fits: Fits, acquisition: Acquisition, given: Assumptions) -> float:
        """Net worth of customers to be acquired after the closing."""
        assert given.horizon_in_units is not None  # an acquisition is valued within a horizon
        return potential_value(fits, acquisition, given, self.now, until=given.horizon_in_units).net

    def _expected_future(self, until: float, joined_by: float | None = None, given: Assumptions | None = None) -> float:
        """Net worth at the opening of those it expected to join, up to some time after it; 0 where it valued none."""
        acquisition, before = self.opening.acquisition, self.opening.values.customers.as_of
        if acquisition is None:
            return 0.0
        return potential_value(
            self.fits, acquisition, given or self.given, before, until=until, joined_by=joined_by, cut=self.elapsed
        ).net

    # --- the steps --------------------------------------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """Compute the steps in their order."""
        growth = float(np.exp(self.given.continuous_rate * self.elapsed))
        carried = self._terms(self.given, self.now)  # the opening's assumptions, read on the closing date
        end = None if carried.horizon_in_units is None else self.elapsed + carried.horizon_in_units
        old_end = self.given.horizon_in_units

        total = self._each(self.fits, self.restated, self.given, old_end)
        in_period = self._each(self.fits, self.restated, self.given, self.elapsed)
        to_new_end = self._each(self.fits, self.restated, self.given, end)
        future = 0.0 if self.opening.future is None else self.opening.future.net
        start = float(total.sum()) + future
        released = (float(in_period.sum()) + self._future_until(self.elapsed)) * growth
        moved = float((to_new_end - total).sum()) + self._future_until(end) - future
        expected = (to_new_end - in_period) * growth

        stayed, joined = self._split()
        had = stayed.frame.index
        as_forecast = self._each_at_spend_of_the_opening(stayed, carried)
        seen = self._each(self.fits, stayed, carried, carried.horizon_in_units)
        surprise = as_forecast - expected.reindex(had).fillna(0.0)
        bought = self._bought(stayed)
        # Those of the opening who are in the closing no more are lost with all that was expected of them.
        gone = expected[~expected.index.isin(had)]
        value = {
            OPENING: self.opening.total,
            "restatement": start - self.opening.total,
            "unwinding": start * (growth - 1),
            "released": -released,
            "horizon_moved": moved * growth,
            "bought": float(surprise[bought].sum()),
            "did_not_buy": float(surprise[~bought].sum()) - float(gone.sum()),
            "spend": float((seen - as_forecast).sum()),
            "new_customers": float(self._each(self.fits, joined, carried, carried.horizon_in_units).sum())
            if len(joined)
            else 0.0,
        }
        value |= self._newcomers(carried, end, growth)
        value |= self._what_was_learnt(carried)
        value[CLOSING] = self.closing.total
        steps = pd.Series({step: value.get(step, 0.0) for step in STEPS}, name="value").rename_axis("step")
        scale = self.closing.values.customers.stands_for
        customers = pd.Series(
            {
                OPENING: self.opening.values.number_of_customers,
                "bought": round(float(bought.sum()) * scale),
                "did_not_buy": round(float((~bought).sum() + len(gone)) * scale),
                "new_customers": round(len(joined) * scale),
                CLOSING: self.closing.values.number_of_customers,
            },
            dtype="Int64",
        )
        running = steps.iloc[:-1].cumsum().reindex(steps.index)
        running[CLOSING] = steps[CLOSING]
        return pd.DataFrame({"value": steps, "running": running, "customers": customers.reindex(steps.index)})

    def _future_until(self, until: float | None) -> float:
        return 0.0 if until is None else self._expected_future(until)

    def _newcomers(self, carried: Assumptions, end: float | None, growth: float) -> dict[str, float]:
        """Those the opening expected to join in the period, and what the forecast of later ones has become."""
        if self.opening.acquisition is None or self.closing.acquisition is None or end is None:
            return {}
        ahead = self._expected_future(end) - self._expected_future(self.elapsed)
        in_period = self._expected_future(end, self.elapsed) - self._expected_future(self.elapsed)
        later = (ahead - in_period) * growth
        forecast = self._future(self.fits, self.closing.acquisition, carried)
        return {"expected_newcomers": -in_period * growth, "acquisition_forecast": forecast - later}

    def _each_at_spend_of_the_opening(self, customers: CustomerSummary, given: Assumptions) -> pd.Series:
        """Value customers on their new histories, each at the spend and the margin the opening expected of them."""
        spend = self._spend(self.restated, given).reindex(customers.frame.index)
        at_seen = self._each(self.fits, customers, given, given.horizon_in_units)
        purchases = self.fits.purchases.discounted_residual_purchases(
            customers, annual_discount_rate=given.annual_discount_rate, horizon=given.horizon_in_units
        )
        seen_spend = self._spend(customers, given)
        # All but the spend is the same, so the difference is that of the spend alone.
        by_spend = purchases * (seen_spend - spend) * given.margin * given.costs.kept * customers.stands_for
        return at_seen - by_spend

    def _spend(self, customers: CustomerSummary, given: Assumptions) -> pd.Series:
        """Spend expected of customers, in money that leaves the margin of all together."""
        return self.fits.spend.expected_spend(customers) * (margin_of_customers(customers, given) / given.margin)

    def _split(self) -> tuple[CustomerSummary, CustomerSummary]:
        """Return the closing's customers who were there at the opening, and those who have joined since."""
        customers = self.closing.values.customers
        there = customers.frame.index.isin(self.restated.frame.index)
        return replace(customers, frame=customers.frame[there]), replace(customers, frame=customers.frame[~there])

    def _bought(self, stayed: CustomerSummary) -> pd.Series:
        before = self.restated.frame["frequency"].reindex(stayed.frame.index)
        return stayed.frame["frequency"] > before

    def _what_was_learnt(self, carried: Assumptions) -> dict[str, float]:
        """Parameters block by block, then the assumptions one by one, on the closing's customers."""
        old, new = self.fits, self.closing.values.fits
        stages: list[tuple[str, Fits, Assumptions]] = []
        learnt, last = _blocks(old.purchases, new.purchases), old.purchases
        for step, purchases in learnt:
            stages.append((step, Fits(purchases, old.spend), carried))
            last = purchases
        stages.append(("spend_parameters", Fits(last, new.spend), carried))
        if last is not new.purchases:
            stages.append(("recalibration", new, carried))
        given = carried
        after = self._terms(self.closing.values.assumptions, self.now)
        for step, change in _ASSUMPTIONS.items():
            given = change(given, after)
            stages.append((step, new, given))
        value: dict[str, float] = {}
        before = self._whole(old, carried)
        for step, fits, terms in stages:
            now = self._whole(fits, terms)
            value[step] = value.get(step, 0.0) + now - before
            before = now
        return value

    def _whole(self, fits: Fits, given: Assumptions) -> float:
        """The closing's customers, and those it expects to join, valued with some fits and assumptions."""
        customers = self.closing.values.customers
        current = float(self._each(fits, customers, given, given.horizon_in_units).sum())
        if self.closing.acquisition is None:
            return current
        return current + self._future(fits, self.closing.acquisition, given)

    # --- the memo ---------------------------------------------------------------------------------------------------

    def cash(self) -> pd.Series:
        """Realised against expected margin of the period, carried to its end."""
        growth = float(np.exp(self.given.continuous_rate * self.elapsed))
        costs, scale = self.given.costs, self.closing.values.customers.stands_for
        free = replace(self.given, costs=replace(costs, cost_to_serve_per_year=0.0))
        expected = float(self._each(self.fits, self.restated, self.given, self.elapsed).sum()) * growth
        served = float(self._each(self.fits, self.restated, free, self.elapsed).sum()) * growth - expected
        stayed, joined = self._split()
        before = self.restated.frame.reindex(stayed.frame.index)
        from_customers = self._brought(stayed.frame, before, growth) * scale - served
        entry = costs.acquisition_cost * costs.kept * np.exp(self.given.continuous_rate * joined.frame["T"]).sum()
        from_newcomers = (self._brought(joined.frame, None, growth) - float(entry)) * scale if len(joined) else 0.0
        expected_newcomers = np.nan
        if self.opening.acquisition is not None:
            expected_newcomers = self._expected_future(self.elapsed) * growth
            from_newcomers -= self._expected_future(self.elapsed, given=free) * growth - expected_newcomers
        return pd.Series(
            {
                "realised": from_customers + from_newcomers,
                "from_customers": from_customers,
                "from_newcomers": from_newcomers,
                "expected_from_customers": expected,
                "expected_from_newcomers": expected_newcomers,
            },
            name="cash",
        )

    def _brought(self, now: pd.DataFrame, then: pd.DataFrame | None, growth: float) -> float:
        """Margin less cost of orders since the opening; missing where the past is not carried at the opening's rate."""
        rate = self.given.annual_discount_rate
        if any(one.annual_discount_rate != rate for one in (self.closing.values.customers, self.restated)):
            return float("nan")

        def since(carried: str) -> pd.Series:
            return now[carried] if then is None else now[carried] - growth * then[carried]

        costs = self.given.costs
        made = self.given.margin * since("spend_carried") if self.given.own_margins is None else since("margin_carried")
        return float((made - costs.cost_per_order * since("orders_carried")).sum(skipna=False)) * costs.kept


# --- what changes -----------------------------------------------------------------------------------------------

_ASSUMPTIONS: dict[str, Callable[[Assumptions, Assumptions], Assumptions]] = {
    "margin": lambda given, after: replace(given, margin=after.margin, own_margins=after.own_margins),
    "costs": lambda given, after: replace(given, costs=after.costs),
    "discount_rate": lambda given, after: replace(
        given, annual_discount_rate=after.annual_discount_rate, continuous_rate=after.continuous_rate
    ),
    "horizon": lambda given, after: replace(given, horizon=after.horizon, horizon_in_units=after.horizon_in_units),
}


def _blocks(old: PurchaseFit, new: PurchaseFit) -> list[tuple[str, PurchaseFit]]:
    """Put the closing's parameters into the opening's fit block by block; another kind of model is one step.

    A fit in the clock of a shop keeps the opening's clock and speed till the last step, the recalibration.
    """
    if type(old) is not type(new) or old.time_unit != new.time_unit or _shape(old) != _shape(new):
        return [("model", new)]
    names = list(new.params._fields)  # type: ignore[attr-defined]  # a NamedTuple
    leaving = {name: getattr(new.params, name) for name in names if name in _DROPOUT}
    if "beta" in leaving and "s" not in names:  # BG/BB: alpha and beta are those of buying
        leaving.pop("beta")
    buying = {name: getattr(new.params, name) for name in names if name not in leaving}
    like = new
    if isinstance(old, ClockedFit) and isinstance(new, ClockedFit):
        like = replace(new, clock=old.clock, speed=old.speed, speed_error=old.speed_error)
    effects = [
        before if before.label == "dropout" else now for before, now in zip(old.effects, new.effects, strict=True)
    ]
    rate = replace(like, params=old.params._replace(**buying), effects=tuple(effects))  # type: ignore[attr-defined]
    steps = [("purchase_rate", rate)]
    if leaving:
        steps.append(("dropout", like))
    return steps


def _shape(fit: PurchaseFit) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """What the covariates of a fit are, their coefficients aside."""
    return tuple((effect.label, tuple(effect.design.names)) for effect in fit.effects)


def _time_between(before: CustomerSummary, after: CustomerSummary, elapsed: Horizon | None) -> float:
    if elapsed is not None:
        return horizon_in_units(elapsed, before.time_unit, before.as_of)
    if before.as_of is None or after.as_of is None:
        raise SettingsError("a summary has no as-of date, so say how much time lies between: elapsed='1 month'.")
    days = (after.as_of - before.as_of).days
    if days <= 0:
        raise SettingsError(
            f"the opening is as of {before.as_of}, the closing as of {after.as_of}; give the earlier first."
        )
    return days / DAYS_PER_UNIT[before.time_unit]


def _as_of_the_opening(before: CustomerSummary, after: CustomerSummary, elapsed: float) -> CustomerSummary:
    """Return the opening's customers as far as the closing still knows them, and older ones it shows that were missing.

    An older customer who has bought since cannot be put back to the opening exactly, and counts as having joined.
    """
    known = after.frame
    late = known[
        ~known.index.isin(before.frame.index) & (known["T"] > elapsed) & (known["T"] - known["recency"] >= elapsed)
    ]
    back = late.assign(T=late["T"] - elapsed)
    columns = [name for name in before.frame.columns if name in back.columns]
    frame = before.frame[before.frame.index.isin(known.index)]
    return replace(before, frame=pd.concat([frame, back[columns]]) if len(back) else frame, stands_for=after.stands_for)
