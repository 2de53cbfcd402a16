"""Word of mouth in money: what customers are worth who were brought by other customers."""

from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.value.lifetime_value import CustomerValues

Worth = Literal["residual_value", "lifetime_value"]
_TABLE = "referrals"


def referral_values(values: CustomerValues, referred_by: pd.Series, *, worth: Worth = "residual_value") -> pd.DataFrame:
    """Credit the value of each referred customer to the one who brought them.

    Parameters
    ----------
    values : CustomerValues
    referred_by : Series, indexed by customer_id
        Who brought each customer (an id); missing for those whom nobody did.
    worth : {"residual_value", "lifetime_value"}

    Returns
    -------
    DataFrame, indexed by customer_id of the referrers, the highest direct_value first
        - own_value: of the referrer; missing for one who is not valued;
        - brought, direct_value: customers directly brought, and their value together. A customer's value is credited to
          the direct referrer alone, so the column adds up to the value of all who were referred, each counted once;
        - tree, tree_value: everybody below, those brought by the brought included. It describes; it must not be added
          up, because a customer is below every referrer up the line.

        Referred customers who are not valued (no purchase yet) count as brought and add no value. `attrs` holds
        `referred` (how many were), `referred_value` (theirs together, the sum of direct_value), `share_of_value` (of
        the value of all customers) and `not_valued`. That a customer was referred does not say they would not have come
        by themselves.

    Raises
    ------
    DataError
        When somebody was, in the end, brought by themselves, or a customer appears twice.
    SettingsError
        When `worth` is none of the values.
    """
    if worth not in get_args(Worth):
        raise SettingsError(f"worth is {worth!r}; use one of {', '.join(get_args(Worth))}.")
    given = referred_by.dropna()
    refuse(_repeated(given))
    links = given.astype(str)
    links.index = links.index.astype(str)
    people = pd.Index(sorted({*links.index, *links}))
    value = values.frame[worth].reindex(people)
    parent = np.full(len(people), -1)
    parent[people.get_indexer(links.index)] = people.get_indexer(links)
    amount = value.fillna(0.0).to_numpy()
    below, worth_below, in_circle = _add_up(parent, amount)
    if in_circle.any():
        rows = links[links.index.isin(people[in_circle])].to_frame("referred_by").sort_index()
        fix = "correct who brought whom; nobody is brought by somebody they brought."
        refuse([Violation(_TABLE, "referred_by", "brought in a circle", len(rows), fix, rows.head(5))])
    child = parent >= 0
    table = pd.DataFrame(
        {
            "own_value": value,
            "brought": np.bincount(parent[child], minlength=len(people)),
            "direct_value": np.bincount(parent[child], weights=amount[child], minlength=len(people)),
            "tree": below,
            "tree_value": worth_below,
        },
        index=people.rename("customer_id"),
    )
    table = table[table["brought"] > 0].sort_values("direct_value", ascending=False, kind="stable")
    total = float(values.frame[worth].sum())
    table.attrs.update(
        referred=int(child.sum()),
        referred_value=float(amount[child].sum()),
        share_of_value=float(amount[child].sum()) / total if total > 0 else float("nan"),
        not_valued=int((value.isna().to_numpy() & child).sum()),
    )
    return table


def _add_up(parent: Integers, amount: Floats) -> tuple[Integers, Floats, np.ndarray]:
    """Count and value everybody below each, from the ends of the lines upwards; tell who is in a circle or above it."""
    below, worth = np.zeros(len(parent), dtype=np.int64), np.zeros(len(parent))
    waiting = np.bincount(parent[parent >= 0], minlength=len(parent))
    done = np.zeros(len(parent), dtype=bool)
    ready = np.flatnonzero(waiting == 0)
    while len(ready):
        done[ready] = True
        ready = ready[parent[ready] >= 0]
        up = parent[ready]
        np.add.at(below, up, below[ready] + 1)
        np.add.at(worth, up, worth[ready] + amount[ready])
        np.subtract.at(waiting, up, 1)
        ready = np.unique(up[waiting[up] == 0])
    return below, worth, ~done


def _repeated(given: pd.Series) -> Iterator[Violation]:
    repeated = given.index.duplicated(keep=False)
    if repeated.any():
        first = given[repeated].to_frame("referred_by").head(5)
        fix = "give one referrer for each customer."
        yield Violation(_TABLE, "customer_id", "not unique", int(repeated.sum()), fix, first)
