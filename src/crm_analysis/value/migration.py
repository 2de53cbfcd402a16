"""Who moved between two periods: from state to state or tier to tier, with those who came and those who went."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.segment_rules import NOT_KNOWN
from crm_analysis.value.segment_base import as_text, counts_of_base, is_ordered, levels_of, of_customers

NEW, GONE = "new", "gone"


@dataclass(frozen=True, eq=False)
class Migration:
    """Movements of customers between two periods.

    Attributes
    ----------
    counts : DataFrame, rows before, columns after
        Customers. States from the highest where they have an order, then "not known" where a state is missing; the last
        row is "new", who were not there before, the last column "gone", who are not there after ("(new)" and "(gone)"
        where a state has that name). Rows add up to the customers before, columns to those after.
    shares : DataFrame
        Of the customers of each row; missing in a row without customers.
    value_moved : DataFrame or None
        Value after less value before of the customers in each cell (currency); None where no values were given.
    flows : DataFrame
        One row a cell with customers: from, to, customers, value_before, value_after, change. The value before of who
        was not there, and after of who is gone, is 0; all three are missing where no values were given.
    order : tuple of str
        States from the highest down; empty where they have no order.
    """

    counts: pd.DataFrame
    shares: pd.DataFrame
    value_moved: pd.DataFrame | None
    flows: pd.DataFrame
    order: tuple[str, ...]

    @property
    def up(self) -> pd.DataFrame:
        """The flows to a higher state."""
        before, after = self._places()
        return self.flows[after < before]

    @property
    def down(self) -> pd.DataFrame:
        """The flows to a lower state; those who are gone are not among them."""
        before, after = self._places()
        return self.flows[after > before]

    @property
    def stayed(self) -> pd.DataFrame:
        """The flows from a state to itself."""
        before, after = self._places()
        return self.flows[after == before]

    def _places(self) -> tuple[np.ndarray, np.ndarray]:
        """Places of both states from the top; missing for those who came, went or are not known."""
        if not self.order:
            raise SettingsError(
                "these categories have no order, so there is no up and down; give ordered categories: "
                "pd.Categorical(states, categories=[lowest, ..., highest], ordered=True)."
            )
        place = {state: float(number) for number, state in enumerate(self.order)}
        before, after = (self.flows[side].map(place).to_numpy(dtype=np.float64) for side in ("from", "to"))
        return before, after


def migration_matrix(
    before: pd.Series,
    after: pd.Series,
    *,
    values_before: pd.Series | None = None,
    values_after: pd.Series | None = None,
    stands_for: float = 1.0,
) -> Migration:
    """Count who moved from which state to which, and what these customers were and are worth.

    Parameters
    ----------
    before, after : Series, index customer_id
        The state or tier of each customer in the earlier and the later period: categories with the same levels in the
        same order, or plain text without an order. A missing state is "not known".
    values_before, values_after : Series, index customer_id, optional
        What each customer was and is worth, in one currency; both or neither. Every customer of the period must have a
        value; others are not looked at.
    stands_for : float
        Customers of the base for each of these, where both periods saw the same random sample.

    Returns
    -------
    Migration

    Raises
    ------
    DataError
        When customer ids are missing or repeated, or a customer has no value.
    SettingsError
        When the categories of the two periods differ in levels or order, one has an order and the other none, or only
        one of the values is given. `up`, `down` and `stayed` ask for ordered categories.
    """
    if not (np.isfinite(stands_for) and stands_for >= 1):
        raise SettingsError(f"stands_for is {stands_for}; a customer stands for one customer or more.")
    before, after = of_customers(before, "before"), of_customers(after, "after")
    states = _same_states(before, after)
    order = tuple(states) if is_ordered(before) else ()
    if any(as_text(side).isna().any() for side in (before, after)) and NOT_KNOWN not in states:
        states = [*states, NOT_KNOWN]
    new, gone = (f"({name})" if name in states else name for name in (NEW, GONE))
    moves = pd.DataFrame(
        {"from": as_text(before).fillna(NOT_KNOWN), "to": as_text(after).fillna(NOT_KNOWN)},
        index=before.index.union(after.index),
    )
    moves = moves.fillna({"from": new, "to": gone}).assign(customers=1)
    has_values = _valued(moves, before, after, values_before, values_after)
    rows, columns = pd.Index([*states, new], name="before"), pd.Index([*states, gone], name="after")
    cells = moves.groupby(["from", "to"]).sum(min_count=1)
    counts = _matrix(cells["customers"], rows, columns).astype("int64")
    counts = pd.DataFrame(counts_of_base(counts.to_numpy(), stands_for), index=rows, columns=columns)
    shares = counts.div(counts.sum(axis=1).replace(0, np.nan), axis=0)
    amounts = cells[["value_before", "value_after"]] * stands_for
    amounts["change"] = amounts["value_after"] - amounts["value_before"]
    moved = _matrix(amounts["change"], rows, columns) if has_values else None
    return Migration(counts, shares, moved, _flows(counts, amounts), order)


def _same_states(before: pd.Series, after: pd.Series) -> list[str]:
    """The states of both periods from the highest; refuse periods that do not speak of the same ones."""
    kinds = [isinstance(side.dtype, pd.CategoricalDtype) for side in (before, after)]
    if not any(kinds):
        return levels_of(pd.concat([as_text(before), as_text(after)]))
    if not all(kinds):
        plain_one = "after" if kinds[0] else "before"
        raise SettingsError(f"{plain_one} has no categories and the other has; give both the same categories.")
    first, second = levels_of(before), levels_of(after)
    if set(first) != set(second):
        only = [
            f"{listing(sorted(own - other))} only {side}"
            for side, own, other in (("before", set(first), set(second)), ("after", set(second), set(first)))
            if own - other
        ]
        raise SettingsError(f"before and after have different categories: {'; '.join(only)}; give both the same.")
    if is_ordered(before) != is_ordered(after):
        raise SettingsError("before and after: one has ordered categories, the other none; give both the same order.")
    if is_ordered(before) and first != second:
        raise SettingsError(
            f"before and after have categories in different orders, from the highest {listing(first)} and "
            f"{listing(second)}; give both the same order."
        )
    return first


def _valued(
    moves: pd.DataFrame,
    before: pd.Series,
    after: pd.Series,
    values_before: pd.Series | None,
    values_after: pd.Series | None,
) -> bool:
    """Write what customers were and are worth beside their moves: 0 where they were not there, missing where unsaid."""
    if (values_before is None) != (values_after is None):
        raise SettingsError("give both values_before and values_after, or neither.")
    if values_before is None or values_after is None:
        moves[["value_before", "value_after"]] = np.nan
        return False
    broken = []
    for name, there, values in (("value_before", before, values_before), ("value_after", after, values_after)):
        table = name.replace("value", "values")
        worth = of_customers(values, table)
        own = pd.to_numeric(worth, errors="coerce").astype("float64").reindex(there.index)
        without = own.isna()
        if without.any():
            fix = "give a value for everybody who has a state."
            first = there[without].to_frame("state").head(5)
            broken.append(Violation(table, "", "a customer has no value", int(without.sum()), fix, first))
        moves[name] = own.reindex(moves.index, fill_value=0.0)
    refuse(broken)
    return True


def _matrix(cells: pd.Series, rows: pd.Index, columns: pd.Index) -> pd.DataFrame:
    matrix: pd.DataFrame = cells.unstack().reindex(index=rows, columns=columns).fillna(0)
    return matrix


def _flows(counts: pd.DataFrame, amounts: pd.DataFrame) -> pd.DataFrame:
    """The cells with customers in one column, in the order of the matrix."""
    long = pd.DataFrame({"customers": counts.rename_axis(index="from", columns="to").T.unstack()})
    return long[long["customers"] > 0].join(amounts).reset_index()
