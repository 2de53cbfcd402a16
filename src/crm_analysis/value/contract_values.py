"""What members with contracts are worth: payments to come with the chance of each renewal, and what was paid so far.

Whoever has left is known to have left, so only running contracts have a future. Renewals follow the sBG of their kind
of contract, given those already made (Fader & Hardie 2010), and each payment is discounted from its own day.
"""

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import DataError, SettingsError, listing
from crm_analysis.models.sbg import SBGFit
from crm_analysis.models.terms import Length, months_or_days
from crm_analysis.periods import Horizon, units_per_year
from crm_analysis.value.contract_fits import fit_groups
from crm_analysis.value.contract_payments import Fee, checked_contracts, followed_contracts, renewals, so_far
from crm_analysis.value.contract_streams import (
    ToCome,
    chances_to_leave,
    stream_of_contracts,
    to_come,
    to_come_without_end,
    worth,
)
from crm_analysis.value.lifetime_value import Assumptions, Costs, assume

EXPECTED = ("probability_renewing", "expected_payments", "discounted_payments", "residual_value")


@dataclass(frozen=True, eq=False)
class ContractValues:
    """What each member is worth, with everything it was computed from.

    Attributes
    ----------
    frame : DataFrame, indexed by customer_id
        Customers with a running contract: plan, contracts (running ones), renewals_made, next_renewal (day),
        probability_renewing (at it), expected_payments within the horizon, discounted_payments, fee, residual_value,
        earned_value (margin of all that was paid so far less costs, carried to the as-of date), lifetime_value, their
        sum. Of several running contracts the plans are joined by " + "; renewals are those of the oldest, the next
        renewal is the first to come, with its chance; payments, fees and money are added up.
    contracts : DataFrame, one row a contract, ended ones too
        Terms joined (see `models.memberships.joined_terms`): customer_id, started_on, ended_on, plan, renewal_period,
        fee; group, and first_group, by which it was learnt from; periods (renewals made), churned, running,
        next_renewal; and of running ones the columns of `EXPECTED`.
    fits : mapping of group to SBGFit
    groups : DataFrame, indexed by group
        What each fit was made from, and words for the reader; see `contract_fits.fit_groups`.
    assumptions : Assumptions
        In months.
    as_of : date
    """

    frame: pd.DataFrame
    contracts: pd.DataFrame
    fits: Mapping[str, SBGFit]
    groups: pd.DataFrame
    assumptions: Assumptions
    as_of: date

    @property
    def total(self) -> float:
        """Residual value of all members together."""
        return float(self.frame["residual_value"].sum())

    @property
    def number_of_customers(self) -> int:
        """Customers with a running contract."""
        return len(self.frame)

    @property
    def stands_for(self) -> float:
        """Customers for each that was valued: 1, for all are."""
        return 1.0

    @property
    def attributes(self) -> pd.DataFrame:
        """What the table says of each member, by the running contract that began first."""
        running = self.contracts[self.contracts["running"]].sort_values("started_on", kind="stable")
        return running.drop_duplicates("customer_id").set_index("customer_id")

    def described(self) -> pd.DataFrame:
        """Say of each member what segments are described by; see `valued.Valued`.

        Who has a running contract is there for certain; orders are payments of the contracts that run, and
        days_since_last counts from the last of them.
        """
        running = self.contracts[self.contracts["running"]]
        paid = renewals(running, running["periods"].to_numpy()[:, None])[:, 0]
        silent = pd.Series((np.datetime64(self.as_of, "D") - paid).astype(np.float64), index=running.index)
        of_customer = running["customer_id"]
        return pd.DataFrame(
            {
                "probability_alive": 1.0,
                "residual_value": self.frame["residual_value"],
                "orders": (running["periods"] + 1).groupby(of_customer).sum(),
                "days_since_last": silent.groupby(of_customer).min(),
                "expected_purchases": self.frame["expected_payments"],
                "expected_spend": running["fee"].groupby(of_customer).mean(),
            },
            index=self.frame.index,
        )

    def save(self, folder: str | Path) -> None:
        """Write `members.parquet`, `contracts.parquet`, `groups.parquet` and `contract_valuation.json` to `folder`."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.frame.to_parquet(folder / "members.parquet")
        self.contracts.to_parquet(folder / "contracts.parquet")
        self.groups.to_parquet(folder / "groups.parquet")
        content = {
            "assumptions": dataclasses.asdict(self.assumptions),
            "fits": {group: fit.to_json() for group, fit in self.fits.items()},
            "as_of": self.as_of.isoformat(),
        }
        (folder / "contract_valuation.json").write_text(json.dumps(content, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "ContractValues":
        """Read what `save` wrote; raise `SettingsError` where there is nothing."""
        folder = Path(folder)
        if not (folder / "contract_valuation.json").is_file():
            raise SettingsError(f"{folder} holds no saved valuation of contracts.")
        content = json.loads((folder / "contract_valuation.json").read_text(encoding="utf-8"))
        assumptions = content["assumptions"]
        return cls(
            frame=pd.read_parquet(folder / "members.parquet"),
            contracts=pd.read_parquet(folder / "contracts.parquet"),
            fits={group: SBGFit.from_json(text) for group, text in content["fits"].items()},
            groups=pd.read_parquet(folder / "groups.parquet"),
            assumptions=Assumptions(**{**assumptions, "costs": Costs(**assumptions["costs"])}),
            as_of=date.fromisoformat(content["as_of"]),
        )


def contract_values(
    memberships: pd.DataFrame,
    *,
    as_of: Day,
    fee: Fee,
    annual_discount_rate: float,
    horizon: Horizon | None,
    margin: float,
    costs: Costs | None = None,
    by: str | None = "plan",
    fits: Mapping[str, SBGFit] | None = None,
) -> ContractValues:
    """Value every member with a running contract.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on, ended_on (missing while it runs), renewal_period; plan, and fee (what is paid at the
        start and at each renewal, in currency) where known. As `read_memberships(...).frame` gives it.
    as_of : date or str
        Last day that is known.
    fee : float, mapping of plan to float, or None
        What is paid at the start and at each renewal; None takes the column of that name.
    annual_discount_rate : float
        Effective rate a year, as a fraction.
    horizon : float, str or None
        How far the valuation looks: a number of months, text such as "24 months", or None for all of the future.
    margin : float
        Share of a payment that is left after what it costs to provide, above 0 and at most 1.
    costs : Costs, optional
        cost_per_order is that of each payment, cost_to_serve_per_year that of each contract; none when not given.
    by : str or None
        Column whose levels leave at chances of their own; None for one model for each length. A table without a column
        plan is taken to have one plan.
    fits : mapping of group to SBGFit, optional
        Chances to leave from elsewhere, such as published ones, in place of estimates. A group is named by its level of
        `by`, or "level, period" where a level has contracts of several lengths; without `by` by its renewal period.

    Returns
    -------
    ContractValues

    Raises
    ------
    DataError
        When rows break rules, all at once; or no contract is running.
    SettingsError
        When there is no fee for a plan, no fit for a group, no column `by`, or a margin or rate that is none.

    Warns
    -----
    EstimationWarning
        When an sBG is doubtful; with advice.

    Notes
    -----
    A contract that has made n renewals makes the next j with chance S(n + j) / S(n). Within a horizon its residual
    value is the sum over j of that chance x discount factor of the day x (margin x fee - cost per order), less the cost
    to serve for the discounted time as a member, the term that is paid already included, up to the horizon; times what
    tax leaves. Without a horizon the sum has a closed form (Fader & Hardie 2010, eq. 6), with renewals after the next
    one apart by the mean length of a period. It has no bound where alpha <= 1 and nothing is discounted.

    Each group has an sBG of its own where contracts suffice (`contract_fits.fit_groups`). A member who changed plan is
    learnt from in the group that was joined first, because whoever came to another had stayed until then; and valued in
    the present one, as somebody who has renewed as often. Who went on under a contract of another length begins to
    count renewals anew.

    References
    ----------
    Fader & Hardie (2007), Journal of Interactive Marketing 21(1); (2010), Marketing Science 29(1).
    """
    day = to_day(as_of, "as_of")
    given = assume("month", day, horizon=horizon, annual_discount_rate=annual_discount_rate, margin=margin, costs=costs)
    checked = checked_contracts(memberships, day, fee)
    if by is not None and by not in checked.columns:
        raise SettingsError(f"by is {by!r}; there is no such column (there are {listing(list(map(repr, checked)))}).")
    contracts = followed_contracts(checked, day, by if by != "plan" or "plan" in memberships.columns else None)
    if not contracts["running"].any():
        raise DataError(f"memberships: no contract is running on {day}.\nTo fix: give an earlier date, or later data.")
    periods_of = dict(
        sorted(
            {
                str(group): str(period)
                for column in ("first_group", "group")
                for group, period in zip(contracts[column], contracts["renewal_period"], strict=True)
            }.items()
        )
    )
    histories = contracts[["first_group", "renewal_period", "periods", "churned"]]
    used, groups = fit_groups(histories.rename(columns={"first_group": "group"}), periods_of, fits)
    groups = groups.assign(running=contracts.groupby("group")["running"].sum().reindex(groups.index, fill_value=0))
    contracts = with_expectations(contracts, used, given, day)
    frame = _of_members(contracts)
    frame["earned_value"] = _earned_value(so_far(checked, contracts, day, given.continuous_rate), given)
    frame["lifetime_value"] = frame["earned_value"] + frame["residual_value"]
    return ContractValues(frame, contracts, used, groups, given, day)


def with_expectations(
    contracts: pd.DataFrame, fits: Mapping[str, SBGFit], given: Assumptions, as_of: date
) -> pd.DataFrame:
    """Write the columns of `EXPECTED` to contracts, those of `ContractValues`; missing where they do not run."""
    values = pd.DataFrame(np.nan, index=contracts.index, columns=list(EXPECTED))
    for group, length, rows in running_groups(contracts):
        expected = expected_of(rows, length, fits[group], given, as_of, given.horizon_in_units)
        residual = worth(expected, rows["fee"].to_numpy(), length, given)
        columns = (expected.renewing, expected.payments, expected.discounted, residual)
        values.loc[rows.index] = np.column_stack(columns)
    return contracts.assign(**{name: values[name] for name in EXPECTED})


def running_groups(contracts: pd.DataFrame) -> list[tuple[str, Length, pd.DataFrame]]:
    """Return the running contracts group by group, with the length of their periods."""
    running = contracts[contracts["running"]]
    groups = []
    for (group, period), rows in running.groupby(["group", "renewal_period"], sort=True):
        length = months_or_days(period)
        assert length is not None  # checked at the door
        groups.append((str(group), length, rows))
    return groups


def expected_of(
    rows: pd.DataFrame,
    length: Length,
    fit: SBGFit,
    given: Assumptions,
    as_of: date,
    until: float | None,
    leaving: float = 0.0,
) -> ToCome:
    """What is expected of the running contracts of one group up to some months after a date; None for all to come."""
    made = rows["periods"].to_numpy(dtype=np.float64)
    chances, rate = chances_to_leave(fit.params, made, leaving), given.continuous_rate
    if until is None:
        return to_come_without_end(rows["started_on"], made, length, as_of, chances, rate)
    return to_come(stream_of_contracts(rows["started_on"], made, length, as_of, until=until, rate=rate), chances)


def _of_members(contracts: pd.DataFrame) -> pd.DataFrame:
    """Put the running contracts of each customer together."""
    running = contracts[contracts["running"]].sort_values(["next_renewal", "started_on"], kind="stable")
    of_customer = running.groupby("customer_id")
    plans = of_customer["plan"].first()
    several = running[running["customer_id"].duplicated(keep=False)]
    if len(several):
        plans.update(several.sort_values("plan").groupby("customer_id")["plan"].agg(" + ".join))
    return pd.DataFrame(
        {
            "plan": plans,
            "contracts": of_customer.size(),
            "renewals_made": of_customer["periods"].max(),
            "next_renewal": of_customer["next_renewal"].first(),
            "probability_renewing": of_customer["probability_renewing"].first(),
            "expected_payments": of_customer["expected_payments"].sum(),
            "discounted_payments": of_customer["discounted_payments"].sum(),
            "fee": of_customer["fee"].sum(),
            "residual_value": of_customer["residual_value"].sum(),
        }
    ).rename_axis("customer_id")


def _earned_value(past: pd.DataFrame, given: Assumptions) -> pd.Series:
    """Margin so far less costs so far, carried to the as-of date, after tax; of all customers who ever joined."""
    costs = given.costs
    service = costs.cost_to_serve_per_year / units_per_year("month") * past["served_carried"]
    entry = costs.acquisition_cost * np.exp(given.continuous_rate * past["joined"])
    margin = given.margin * past["paid_carried"] - costs.cost_per_order * past["payments_carried"]
    return (margin - service - entry) * costs.kept
