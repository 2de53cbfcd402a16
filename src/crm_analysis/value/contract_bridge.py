"""The bridge of a company of contracts: what moved its equity from one date to the next, step by step, exactly.

As `bridge` for customers who buy: each step values again with one thing changed, in a fixed order (CFO Forum, Market
Consistent Embedded Value Principles, movement analysis). Up to the behaviour of members everything is valued with the
chances to leave of the opening.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_
from crm_analysis.models.sbg import SBGFit
from crm_analysis.models.terms import renewals_made
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.value import bridge
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.contract_equity import ContractEquity
from crm_analysis.value.contract_newcomers import Joining, newcomer_mix
from crm_analysis.value.contract_streams import worth
from crm_analysis.value.contract_values import ContractValues, expected_of, running_groups
from crm_analysis.value.lifetime_value import Assumptions, assume
from crm_analysis.value.potential import Pieces, cost_of_newcomers

OPENING, CLOSING = bridge.OPENING, bridge.CLOSING
STEPS = {
    OPENING: bridge.STEPS[OPENING],
    "restatement": bridge.STEPS["restatement"],
    "unwinding": bridge.STEPS["unwinding"],
    "released": bridge.STEPS["released"],
    "horizon_moved": bridge.STEPS["horizon_moved"],
    "renewed": N_("Members who renewed"),
    "left": N_("Members who left"),
    "not_due": N_("Members not due"),
    "fees": N_("Fees and changes of plan"),
    "new_members": N_("New members"),
    "expected_newcomers": N_("New members the opening expected"),
    "acquisition_forecast": N_("Forecast of new members"),
    "parameters": N_("Parameters: chances to leave"),
    "margin": bridge.STEPS["margin"],
    "costs": bridge.STEPS["costs"],
    "discount_rate": bridge.STEPS["discount_rate"],
    "horizon": bridge.STEPS["horizon"],
    CLOSING: bridge.STEPS[CLOSING],
}
"""The steps by key, in their order, with their names for the reader; to be looked up in the message catalogue."""


def contract_bridge(opening: ContractEquity, closing: ContractEquity) -> pd.DataFrame:
    """Explain the change of the equity of a company of contracts between two dates.

    Parameters
    ----------
    opening, closing : ContractEquity
        Of the earlier and of the later date, in one currency; with future members in both or in neither.

    Returns
    -------
    DataFrame, indexed by step (the keys of `STEPS`, in this order)
        value: opening, each change, closing, in currency; the changes add up from opening to closing.
        running: equity after each step. customers: how many a step is about (missing where it is about none).

    Raises
    ------
    SettingsError
        For equities that are none, in the wrong order, infinite, or of which only one values future members.

    Notes
    -----
    With the opening's chances, rate and assumptions, at the closing date unless said:

    - restatement: the opening valued on the contracts as the closing's table shows them then (a contract is known by
      customer, first day and renewal period), at the opening's fees;
    - unwinding: restated opening x ((1 + d)^t - 1), with t the years between the dates;
    - released: less the margin expected within the period; it leaves equity and becomes cash;
    - horizon_moved: the value of the time by which the horizon moves on, as expected at the opening;
    - renewed, left, not_due: value of the opening's contracts as they stand now, at the opening's fees, less that
      expected; who went on under a contract of another length has renewed;
    - fees: the closing's fees and plans put in;
    - new_members: value of the contracts begun since, those of members who came back or took a second one among them;
      expected_newcomers: less what the opening expected of such; acquisition_forecast: later ones as forecast now;
    - parameters: the closing's chances to leave; a group the opening did not have is valued with them from the start;
    - margin, costs (tax and acquisition cost with them), discount_rate, horizon: the closing's assumptions.

    The closing's chances were learnt from what happened in the period, so renewals and parameters are two views of one
    cause: do not add them up into "the effect of" anything.
    """
    for name, equity in (("opening", opening), ("closing", closing)):
        if not isinstance(equity, ContractEquity):
            raise SettingsError(f"{name} is a {type(equity).__name__}; give a ContractEquity.")
        if not np.isfinite(equity.total):
            raise SettingsError(f"the {name} equity is infinite or missing; a bridge needs two finite ones.")
    if closing.values.as_of <= opening.values.as_of:
        raise SettingsError(
            f"the opening is as of {opening.values.as_of}, the closing as of {closing.values.as_of}; give the earlier "
            "first."
        )
    if (opening.future is None) != (closing.future is None):
        which = "opening" if opening.future is not None else "closing"
        raise SettingsError(
            f"only the {which} values future members; give contract_equity an acquisition for both or for neither."
        )
    return _Bridge(opening, closing).table()


@dataclass(frozen=True, eq=False)
class _Bridge:
    """Everything the steps value with, in months."""

    opening: ContractEquity
    closing: ContractEquity

    @property
    def before(self) -> ContractValues:
        return self.opening.values

    @property
    def after(self) -> ContractValues:
        return self.closing.values

    @property
    def elapsed(self) -> float:
        return (self.after.as_of - self.before.as_of).days / DAYS_PER_UNIT["month"]

    @property
    def chances(self) -> Mapping[str, SBGFit]:
        """The opening's fits, and the closing's for groups that the opening did not have."""
        return {**self.after.fits, **self.before.fits}

    def _terms(self, like: Assumptions) -> Assumptions:
        """Return assumptions as they read on the closing date: text for a horizon follows the calendar from there."""
        return assume(
            "month",
            self.after.as_of,
            horizon=like.horizon,
            annual_discount_rate=like.annual_discount_rate,
            margin=like.margin,
            costs=like.costs,
        )

    # --- the steps --------------------------------------------------------------------------------------------------

    def table(self) -> pd.DataFrame:
        """Compute the steps in their order."""
        old, carried = self.before.assumptions, self._terms(self.before.assumptions)
        growth = float(np.exp(old.continuous_rate * self.elapsed))
        end = None if carried.horizon_in_units is None else self.elapsed + carried.horizon_in_units

        restated = self._restated()
        total, in_period, to_new_end = (
            self._then(restated, until) for until in (old.horizon_in_units, self.elapsed, end)
        )
        future = 0.0 if self.opening.future is None else self.opening.future.net
        start = float(total.sum()) + future
        released = (float(in_period.sum()) + self._expected_future(self.elapsed)) * growth
        moved = float((to_new_end - total).sum()) + self._expected_future(end) - future
        expected = (to_new_end - in_period) * growth

        contracts = self.after.contracts
        state = self._states(restated)
        as_then = contracts.assign(group=restated["group"].reindex(contracts.index).fillna(contracts["group"]),
                                   fee=restated["fee"].reindex(contracts.index).fillna(contracts["fee"]))  # fmt: skip
        seen = self._now(as_then, self.chances, carried)
        as_now = self._now(contracts, self.chances, carried)
        surprise = seen.sub(expected, fill_value=0.0)
        value = {
            OPENING: self.opening.total,
            "restatement": start - self.opening.total,
            "unwinding": start * (growth - 1),
            "released": -released,
            "horizon_moved": moved * growth,
            **{name: float(surprise[state == name].sum()) for name in ("renewed", "left", "not_due")},
            "fees": float((as_now - seen)[state != "new_members"].sum()),
            "new_members": float(as_now[state == "new_members"].sum()),
        }
        value |= self._newcomers(carried, end, growth)
        value |= self._what_was_learnt(carried)
        value[CLOSING] = self.closing.total
        steps = pd.Series({step: value.get(step, 0.0) for step in STEPS}, name="value").rename_axis("step")
        running = steps.iloc[:-1].cumsum().reindex(steps.index)
        running[CLOSING] = steps[CLOSING]
        customers = self._members(state, as_then, contracts)
        return pd.DataFrame({"value": steps, "running": running, "customers": customers.reindex(steps.index)})

    def _restated(self) -> pd.DataFrame:
        """Contracts that ran on the opening date as the closing knows them, at the opening's fees and in its groups."""
        last = pd.Timestamp(self.before.as_of)
        contracts = self.after.contracts
        ran = contracts[(contracts["started_on"] <= last) & ~(contracts["ended_on"] <= last)]
        then = ran.assign(periods=renewals_made(ran, last).astype("int64"), running=True)
        known = self.before.contracts[self.before.contracts["running"]]
        known = known.set_axis(_keys(known))
        keys = _keys(then)
        for column in ("group", "fee"):
            as_known = pd.Series(known[column].reindex(keys).to_numpy(), index=then.index)
            then[column] = as_known.where(as_known.notna(), then[column])
        return then

    def _states(self, restated: pd.DataFrame) -> pd.Series:
        """What became of each contract of the closing since the opening; missing for those that were over before."""
        contracts = self.after.contracts
        now = contracts.loc[restated.index]
        made = now["periods"] > restated["periods"]
        became = np.select([now["went_on"], ~now["running"], made], ["renewed", "left", "renewed"], "not_due")
        state = pd.Series(became, index=restated.index, dtype=object).reindex(contracts.index)
        begun = contracts["started_on"] > pd.Timestamp(self.before.as_of)
        state[begun] = "new_members"
        # Under a contract of another length a member of the opening has renewed.
        changed = contracts[contracts["went_on"]]
        ends = set(zip(changed["customer_id"], changed["ended_on"], strict=True))
        follows = np.array([key in ends for key in zip(contracts["customer_id"], contracts["started_on"], strict=True)])
        state[begun & follows & contracts["customer_id"].isin(restated["customer_id"])] = "renewed"
        return state

    def _members(self, state: pd.Series, then: pd.DataFrame, now: pd.DataFrame) -> pd.Series:
        customers = now["customer_id"]
        number = {name: customers[state == name].nunique() for name in ("renewed", "left", "not_due", "new_members")}
        stayed = now["running"] & state.isin(["renewed", "not_due"])
        other = stayed & ((then["fee"] != now["fee"]) | (then["group"] != now["group"]))
        return pd.Series(
            {
                OPENING: self.before.number_of_customers,
                **number,
                "fees": customers[other].nunique(),
                CLOSING: self.after.number_of_customers,
            },
            dtype="Int64",
        )

    def _newcomers(self, carried: Assumptions, end: float | None, growth: float) -> dict[str, float]:
        """Those the opening expected to join in the period, and what the forecast of later ones has become."""
        if self.opening.acquisition is None or self.closing.acquisition is None or end is None:
            return {}
        ahead = self._expected_future(end) - self._expected_future(self.elapsed)
        in_period = self._expected_future(end, self.elapsed) - self._expected_future(self.elapsed)
        later = (ahead - in_period) * growth
        forecast = self._future(self.chances, carried)
        return {"expected_newcomers": -in_period * growth, "acquisition_forecast": forecast - later}

    def _what_was_learnt(self, carried: Assumptions) -> dict[str, float]:
        """The closing's chances to leave, then its assumptions, one after the other."""
        new, after = self.after.fits, self._terms(self.after.assumptions)
        terms = {
            "margin": replace(carried, margin=after.margin),
            "costs": replace(carried, margin=after.margin, costs=after.costs),
            "discount_rate": replace(after, horizon=carried.horizon, horizon_in_units=carried.horizon_in_units),
            "horizon": after,
        }
        stages = [("parameters", new, carried), *((step, new, given) for step, given in terms.items())]
        value, total = {}, self._whole(self.chances, carried)
        for step, fits, given in stages:
            now = self._whole(fits, given)
            value[step], total = now - total, now
        return value

    # --- valuations -------------------------------------------------------------------------------------------------

    def _then(self, contracts: pd.DataFrame, until: float | None) -> pd.Series:
        """Value contracts on the opening date up to some months after it."""
        return _each(contracts, self.chances, self.before.assumptions, self.before, until)

    def _now(self, contracts: pd.DataFrame, fits: Mapping[str, SBGFit], given: Assumptions) -> pd.Series:
        """Value contracts on the closing date; those that do not run are worth nothing."""
        return _each(contracts, fits, given, self.after, given.horizon_in_units)

    def _whole(self, fits: Mapping[str, SBGFit], given: Assumptions) -> float:
        """The closing's members, and those it expects to join, with some chances and assumptions."""
        return float(self._now(self.after.contracts, fits, given).sum()) + self._future(fits, given)

    def _future(self, fits: Mapping[str, SBGFit], given: Assumptions) -> float:
        """Net worth of members to come after the closing; 0 where it values none."""
        if self.closing.acquisition is None or given.horizon_in_units is None:
            return 0.0
        pieces = Pieces.of("month", self.after.as_of, until=given.horizon_in_units)
        return _of_newcomers(self.after, self.closing.acquisition, pieces, fits, given)

    def _expected_future(self, until: float | None, joined_by: float | None = None) -> float:
        """Net worth at the opening of those it expected to join, up to some time after it; 0 where it valued none."""
        if self.opening.acquisition is None or until is None:
            return 0.0
        pieces = Pieces.of("month", self.before.as_of, until=until, joined_by=joined_by, cut=self.elapsed)
        return _of_newcomers(self.before, self.opening.acquisition, pieces, self.before.fits, self.before.assumptions)


def _each(
    contracts: pd.DataFrame,
    fits: Mapping[str, SBGFit],
    given: Assumptions,
    values: ContractValues,
    until: float | None,
) -> pd.Series:
    found = pd.Series(0.0, index=contracts.index)
    for group, length, rows in running_groups(contracts):
        expected = expected_of(rows, length, fits[group], given, values.as_of, until)
        found[rows.index] = worth(expected, rows["fee"].to_numpy(), length, given)
    return found


def _of_newcomers(
    values: ContractValues,
    acquisition: Acquisition,
    pieces: Pieces,
    fits: Mapping[str, SBGFit],
    given: Assumptions,
) -> float:
    number = pieces.number(acquisition.of_months(pieces.months))
    each = Joining(newcomer_mix(values.contracts, values.as_of), pieces, given).value(fits)
    return float(number @ (each - cost_of_newcomers(given, pieces)))


def _keys(contracts: pd.DataFrame) -> pd.MultiIndex:
    """By what contracts of two tables are known to be one; the nth of those that began alike."""
    started = contracts["started_on"].to_numpy().astype("datetime64[D]").astype(str)
    alike = [contracts["customer_id"].astype(str).to_numpy(), started, contracts["renewal_period"].to_numpy()]
    nth = contracts.groupby(alike).cumcount().to_numpy()
    return pd.MultiIndex.from_arrays([*alike, nth])
