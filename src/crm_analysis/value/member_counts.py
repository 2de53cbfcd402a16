"""A club month by month: how many are members, join, come back and leave, and what falls due in renewals and fees."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import SettingsError
from crm_analysis.models.memberships import dated_memberships, joined_terms
from crm_analysis.models.terms import renewals_made


def member_counts(memberships: pd.DataFrame, *, dates: Sequence[Day]) -> pd.DataFrame:
    """Count members and their comings and goings between dates.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on, ended_on; renewal_period and fee (paid at the start and at each renewal) where known.
    dates : sequence of date or str
        Ascending; the first is where the first stretch begins.

    Returns
    -------
    DataFrame, indexed by the last day of each stretch
        members (customers with a running contract at the end of the day), new_members (whose first contract began in
        the stretch), won_back (had been members, were none when it began, and are again), lost_members (were members
        when it began, and are none at its end), renewals_due and renewals_made (contracts that came up or ended, each
        as often as it came up, and those of them that went on), renewal_rate (made / due, missing where none was due),
        fees (currency: of starts and renewals in the stretch, missing where no fee is known).

    Raises
    ------
    DataError
        When contracts are refused.
    SettingsError
        When dates are not ascending, or fewer than two.
    """
    days = [pd.Timestamp(to_day(one, "dates")) for one in dates]
    if len(days) < 2 or any(after <= before for before, after in pairwise(days)):
        raise SettingsError("dates: give two or more, each later than the one before.")
    terms = dated_memberships(memberships)
    joined = joined_terms(memberships, of_one_period=True)
    rows = [_stretch(joined, terms, before, now) for before, now in pairwise(days)]
    return pd.DataFrame(rows, index=pd.DatetimeIndex(days[1:], name="until"))


def members_on(joined: pd.DataFrame, day: pd.Timestamp) -> pd.Index:
    """Return the customers with a contract that runs at the end of a day; of the rows of `joined_terms`."""
    runs = (joined["started_on"] <= day) & ~(joined["ended_on"] <= day)
    return pd.Index(joined.loc[runs, "customer_id"].unique())


def _stretch(joined: pd.DataFrame, terms: pd.DataFrame, before: pd.Timestamp, now: pd.Timestamp) -> dict[str, float]:
    there, later = members_on(joined, before), members_on(joined, now)
    first = joined.groupby("customer_id")["started_on"].min()
    new = first.index[(first > before) & (first <= now)]
    counts = {
        "members": len(later),
        "new_members": len(new),
        "won_back": len(later.difference(there).difference(new)),
        "lost_members": len(there.difference(later)),
    }
    return {**counts, **_renewals(joined, before, now), "fees": _fees(terms, before, now)}


def _renewals(joined: pd.DataFrame, before: pd.Timestamp, now: pd.Timestamp) -> dict[str, float]:
    seen = joined[(joined["started_on"] <= now) & ~(joined["ended_on"] <= before)]
    if "renewal_period" not in seen.columns or not seen["renewal_period"].notna().any():
        return {"renewals_due": np.nan, "renewals_made": np.nan, "renewal_rate": np.nan}
    told = seen[seen["renewal_period"].notna()]
    made = float((renewals_made(told, now) - renewals_made(told, before)).sum())
    due = made + float(((told["ended_on"] <= now) & ~told["went_on"]).sum())
    return {"renewals_due": due, "renewals_made": made, "renewal_rate": made / due if due else np.nan}


def _fees(terms: pd.DataFrame, before: pd.Timestamp, now: pd.Timestamp) -> float:
    """Add up the fees of terms that began in the stretch and of renewals along a row."""
    if "fee" not in terms.columns or not terms["fee"].notna().any():
        return np.nan
    began = ((terms["started_on"] > before) & (terms["started_on"] <= now)).astype(float)
    renewed: pd.Series | float = 0.0
    if "renewal_period" in terms.columns:
        renewed = (renewals_made(terms, now) - renewals_made(terms, before)).fillna(0.0)
    return float((terms["fee"].fillna(0.0) * (began + renewed)).sum())
