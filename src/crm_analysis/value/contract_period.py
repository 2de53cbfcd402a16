"""The worth of a company of contracts on one date by its settings: fees, values, those who will join."""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.errors import DataError, SettingsError, listing
from crm_analysis.messages import _
from crm_analysis.periods import horizon_in_units
from crm_analysis.settings import Settings
from crm_analysis.value.acquisition import Acquisition, forecast_acquisition, planned_acquisition
from crm_analysis.value.contract_newcomers import contract_newcomers
from crm_analysis.value.contract_values import ContractValues, contract_values
from crm_analysis.value.period import costs_of
from crm_analysis.value.pipeline_acquisition import pipeline_acquisition
from crm_analysis.value.potential import Pieces

_YEAR = 12


def fees_are_assumed(memberships: pd.DataFrame) -> bool:
    """Whether fees come from the settings because the table of contracts has none."""
    return "fee" not in memberships.columns or not memberships["fee"].notna().any()


def fee_of(memberships: pd.DataFrame, settings: Settings) -> float | Mapping[str, float] | None:
    """Return what contracts pay at their start and at each renewal, by the settings; None where their table tells.

    Parameters
    ----------
    memberships : DataFrame
        As the door shows it; plan and fee where known.
    settings : Settings

    Raises
    ------
    SettingsError
        When no fee is known, when both the table and the settings tell, or when a plan has none: all of them by name.
    """
    money = settings.money
    is_set = money.fee is not None or bool(money.fees)
    if not fees_are_assumed(memberships):
        if is_set:
            raise SettingsError(
                "fees are told twice: by the column fee of the contracts and under [money] in crm.toml. Leave out one."
            )
        return None
    if not is_set:
        raise SettingsError(
            "nobody tells what contracts pay. Name the column of the fee under [sources.memberships.columns], or set "
            "[money] fee = ..., or [money.fees] with one for each plan, in crm.toml."
        )
    if money.fee is not None:
        return money.fee
    if "plan" not in memberships.columns:
        raise SettingsError(
            "[money.fees] gives fees by plan, and the contracts have no column plan. Name it under "
            "[sources.memberships.columns], or set [money] fee, the same for all."
        )
    plans = sorted(memberships["plan"].dropna().unique())
    without = [plan for plan in plans if plan not in money.fees]
    blank = int(memberships["plan"].isna().sum())
    if without or blank:
        problems = [f"plan {plan!r}" for plan in without] + ([f"{blank:,} contract(s) without a plan"] if blank else [])
        raise SettingsError(
            f"[money.fees] in crm.toml has no fee for {listing(problems)}; it has {listing(sorted(money.fees))}. "
            "Add what is missing, or set [money] fee, the same for all."
        )
    return dict(money.fees)


def with_fees(memberships: pd.DataFrame, settings: Settings) -> pd.DataFrame:
    """Return the contracts with the fee of each row; errors as `fee_of`."""
    fee = fee_of(memberships, settings)
    if fee is None:
        return memberships
    return memberships.assign(fee=memberships["plan"].map(dict(fee)) if isinstance(fee, Mapping) else fee)


def value_contracts(memberships: pd.DataFrame, *, as_of: date, settings: Settings) -> ContractValues:
    """Value every running contract on a date.

    Parameters
    ----------
    memberships : DataFrame
        As the door shows it on `as_of`.
    as_of : date
        Last day that is known.
    settings : Settings
        Fees, margin, costs, horizon and rate of the company.

    Raises
    ------
    DataError
        When contracts are refused, such as for want of any that has ended.
    SettingsError
        As `fee_of`.
    """
    money = settings.money
    needed = {"ended_on": "the day a contract ended", "renewal_period": "how often a contract comes up for renewal"}
    absent = [f"{name} ({meaning})" for name, meaning in needed.items() if name not in memberships.columns]
    if absent:
        raise DataError(
            f"memberships: without {listing(absent)} contracts cannot be valued.\n"
            "To fix: name the column under [sources.memberships.columns] in crm.toml."
        )
    # Contracts without a plan are all of one.
    frame = memberships if "plan" in memberships.columns else memberships.assign(plan=_("all contracts"))
    return contract_values(
        frame,
        as_of=as_of,
        fee=fee_of(memberships, settings),
        annual_discount_rate=money.annual_discount_rate,
        horizon=money.horizon,
        margin=money.margin,
        costs=costs_of(money),
    )


def contract_acquisition(
    memberships: pd.DataFrame, *, as_of: date, settings: Settings
) -> tuple[Acquisition | None, str]:
    """Say how many members are expected to join after a date, by the settings.

    Returns
    -------
    acquisition : Acquisition or None
        None where future members are not to be valued, or cannot be.
    words : str
        Where the number comes from, or why there is none.
    """
    wanted = settings.acquisition
    if wanted.source == "none":
        return None, _("By the settings members still to join are not valued.")
    horizon = horizon_in_units(settings.money.horizon, "month", as_of)
    months = Pieces.of("month", as_of, until=horizon).months
    if wanted.plan is not None:
        plan = planned_acquisition(wanted.plan, as_of=as_of, months=months, error=wanted.plan_error)
        return plan, plan.words
    if wanted.source == "pipeline":
        prospects = open_side_table(settings, "prospects", as_of=as_of)
        assert prospects is not None  # the settings are refused without it
        try:
            wins = pipeline_acquisition(prospects, as_of=as_of, months=months)
        except DataError:
            return None, _("The history of prospects is too short to forecast their wins, so these are not valued.")
        return wins, wins.words
    newcomers = contract_newcomers(memberships, as_of=as_of)
    if not len(newcomers) or newcomers.iloc[-_YEAR:].sum() == 0:
        return None, _("Nobody has joined for a year, so members still to join are not valued.")
    try:
        forecast = forecast_acquisition(newcomers=newcomers, as_of=as_of, months=months)
    except DataError:
        return None, _("The contracts do not reach back far enough to forecast new members, so these are not valued.")
    return forecast, forecast.words
