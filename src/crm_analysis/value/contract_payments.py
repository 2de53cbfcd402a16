"""Contracts as a valuation takes them: checked, each with its fee, its renewals so far, and what it has paid."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse
from crm_analysis.models.checks import is_number
from crm_analysis.models.memberships import dated_memberships
from crm_analysis.models.terms import join_terms, length_text, lengths_of, months_or_days, renewal_days, renewals_made
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.segment_rules import NOT_KNOWN

Fee = float | Mapping[str, float] | None
_TABLE = "memberships"


def checked_contracts(memberships: pd.DataFrame, as_of: date, fee: Fee) -> pd.DataFrame:
    """Check contracts and write a fee to each.

    Returns
    -------
    DataFrame, one row a row of the table
        customer_id, started_on, ended_on, renewal_period (in its one form), plan ("not known" where it is missing), fee
        and the other columns.

    Raises
    ------
    DataError
        When rows break rules, all at once, or there are none.
    SettingsError
        When there is no fee for a plan, or no column of fees.
    """
    dated = dated_memberships(memberships)
    if dated.empty:
        raise DataError(f"{_TABLE}: there are no contracts to value.\nTo fix: give one row a contract.")
    if "renewal_period" not in dated.columns:
        fix = "say how often each contract comes up for renewal, such as '1 month'."
        refuse([Violation(_TABLE, "renewal_period", "there is no such column", 0, fix)])
    dated = dated.reset_index(drop=True)
    lengths = lengths_of(dated)
    plans = dated["plan"] if "plan" in dated.columns else pd.Series(None, index=dated.index, dtype=object)
    dated["plan"] = plans.astype("object").where(plans.notna(), NOT_KNOWN).astype("str")
    dated["fee"], broken_fees = _fees(dated, fee)
    rules = [
        ("started_on", f"after the as-of date {as_of}", dated["started_on"] > pd.Timestamp(as_of),
         "leave out contracts that begin later, or give a later date."),
        ("renewal_period", "missing", lengths.isna(),
         "say how often each contract comes up for renewal, such as '1 month', or leave out the others."),
        ("fee", "not an amount of 0 or more", broken_fees,
         "give what is paid at the start and at each renewal, or fee=... for all or by plan."),
    ]  # fmt: skip
    refuse(
        Violation(_TABLE, column, words, int(rows.sum()), fix,
                  dated.loc[rows, ["customer_id", *([column] if column in memberships.columns else [])]].head(5))
        for column, words, rows, fix in rules
        if rows.any()
    )  # fmt: skip
    dated["renewal_period"] = dated["renewal_period"].map(
        {text: length_text(length) for text, length in zip(dated["renewal_period"], lengths, strict=True)}
    )
    return dated


def _fees(dated: pd.DataFrame, fee: Fee) -> tuple[pd.Series, pd.Series]:
    """The fee of each row, and where it is none."""
    if fee is None:
        if "fee" not in dated.columns:
            raise SettingsError("memberships have no column fee; give fee=..., a number for all or one for each plan.")
        fees = pd.to_numeric(dated["fee"], errors="coerce").astype("float64")
        return fees, ~fees.between(0, np.inf, inclusive="left")
    if isinstance(fee, Mapping):
        absent = [plan for plan in dated["plan"].unique() if plan not in fee]
        if absent:
            raise SettingsError(
                f"there is no fee for {listing(absent)}; give one for each plan (fee={{plan: amount}})."
            )
        by_plan = {str(plan): fee[plan] for plan in fee}
    else:
        by_plan = dict.fromkeys(dated["plan"].unique(), fee)
    wrong = {plan: amount for plan, amount in by_plan.items() if not (is_number(amount) and amount >= 0)}
    if wrong:
        told = listing([f"{amount!r} for {plan}" for plan, amount in wrong.items()])
        raise SettingsError(f"the fee is {told}; give an amount of 0 or more.")
    return dated["plan"].map(by_plan).astype("float64"), pd.Series(False, index=dated.index)


def followed_contracts(checked: pd.DataFrame, as_of: date, by: str | None) -> pd.DataFrame:
    """Join terms to contracts and say what each has done by the as-of date.

    Returns
    -------
    DataFrame, one row a contract
        customer_id, started_on, ended_on, plan, renewal_period, fee and the other columns of its last term; group (by
        its last term, and the renewal period where a level has several) and first_group (by its first); periods
        (renewals made), churned, running, next_renewal (missing where it is not running).
    """
    last = pd.Timestamp(as_of)
    now = join_terms(checked, of_one_period=True, described_by="last")
    first = join_terms(checked, of_one_period=True, described_by="first")
    several = _has_several_lengths(checked, by)
    ended = now["ended_on"] <= last
    now = now.assign(
        group=_groups(now, by, several),
        first_group=_groups(first, by, several),
        periods=renewals_made(now, last).astype("int64"),
        churned=ended & ~now["went_on"],
        running=~ended,
    )
    running = now[now["running"]]
    coming = renewals(running, running["periods"].to_numpy()[:, None] + 1)
    now["next_renewal"] = pd.Series(coming[:, 0].astype("datetime64[us]"), index=running.index).reindex(now.index)
    return now.reset_index(drop=True)


def renewals(contracts: pd.DataFrame, numbers: np.ndarray) -> np.ndarray:
    """Return the days of some renewals (0 is the start) of contracts of any lengths, shape of `numbers`, (n, m)."""
    days = np.full(numbers.shape, np.datetime64("NaT", "D"))
    for period in contracts["renewal_period"].unique():
        rows = (contracts["renewal_period"] == period).to_numpy()
        length = months_or_days(period)
        assert length is not None  # checked before
        days[rows] = renewal_days(contracts.loc[rows, "started_on"], length, numbers[rows])
    return days


def _has_several_lengths(checked: pd.DataFrame, by: str | None) -> set[str]:
    if by is None:
        return set()
    lengths = checked.groupby(_level(checked, by))["renewal_period"].nunique()
    return set(lengths[lengths > 1].index)


def _level(frame: pd.DataFrame, by: str) -> pd.Series:
    return frame[by].astype("object").where(frame[by].notna(), NOT_KNOWN).astype("str")


def _groups(joined: pd.DataFrame, by: str | None, several: set[str]) -> pd.Series:
    if by is None:
        return joined["renewal_period"]
    level = _level(joined, by)
    return level.where(~level.isin(several), level + ", " + joined["renewal_period"])


def so_far(checked: pd.DataFrame, contracts: pd.DataFrame, as_of: date, rate: float) -> pd.DataFrame:
    """Say what customers have paid, term by term at the fee of each, and how long they were members.

    Parameters
    ----------
    checked : DataFrame, one row a term
        From `checked_contracts`.
    contracts : DataFrame, one row a contract
        From `followed_contracts`.
    as_of : date
    rate : float
        Continuous discount rate a month.

    Returns
    -------
    DataFrame, indexed by customer_id
        payments_carried, paid_carried: one, and the fee, for each payment at the start of a term and at every renewal
        within it; served_carried: months with each contract; each carried to the as-of date. joined: months since the
        first start.
    """
    last = pd.Timestamp(as_of)
    made = renewals_made(checked, last).to_numpy()
    numbers = np.arange(int(made.max()) + 1)
    days = renewals(checked, np.broadcast_to(numbers, (len(checked), len(numbers))))
    ago = (np.datetime64(as_of, "D") - days).astype(np.float64) / DAYS_PER_UNIT["month"]
    carried = np.where(numbers <= made[:, None], np.exp(rate * ago), 0.0).sum(axis=1)
    paid = pd.DataFrame({"payments_carried": carried, "paid_carried": carried * checked["fee"].to_numpy()})
    left = contracts["ended_on"].where(contracts["ended_on"] <= last, last)
    since, silent = (_months(last - day) for day in (contracts["started_on"], left))
    served = _carried_annuity(rate, since) - _carried_annuity(rate, silent)
    of_customers = paid.groupby(checked["customer_id"].to_numpy()).sum().rename_axis("customer_id")
    of_customers["served_carried"] = served.groupby(contracts["customer_id"].to_numpy()).sum()
    of_customers["joined"] = _months(last - checked.groupby("customer_id")["started_on"].min())
    return of_customers


def _months(length: pd.Series) -> pd.Series:
    return length.dt.days / DAYS_PER_UNIT["month"]


def _carried_annuity(rate: float, length: pd.Series) -> pd.Series:
    """One a month for some months, carried to their end: (e^(rate length) - 1) / rate."""
    return np.expm1(rate * length) / rate if rate > 0 else length
