"""Baskets: what is bought together, counted inside the log's engine.

A basket is what a customer buys in one order: the lines under one order id, and where a line names none, what the
customer bought on that day. An item is in it unless it was given back: its lines in the basket, refunds that were
netted on them included, come to more than nothing, or were free from the start.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, get_args

import ibis
import ibis.expr.types as ir
import numpy as np
import pandas as pd
import pyarrow as pa

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import seen_by
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse

Item = Literal["product", "category"]


@dataclass(frozen=True, eq=False)
class Baskets:
    """How often items were bought, alone and together. Made by `basket_counts`.

    Attributes
    ----------
    baskets : int
        Baskets that hold an item: what every share is of.
    without_items : int
        Baskets that hold none, because no line names one or all was given back; they are left out.
    items : DataFrame, index item (text)
        Items in `min_baskets` baskets or more, the most frequent first:

        - baskets: those that hold it (count);
        - support: their share of all baskets.
    pairs : DataFrame, index (a, b)
        Pairs of two such items that `min_baskets` baskets or more hold together, the most frequent first; a comes
        before b by code point. Columns

        - baskets, support: those that hold both (count, share of all baskets);
        - confidence_ab: the share of the baskets with a that also hold b; confidence_ba: of those with b that hold a;
        - lift: the support of the pair as a multiple of what it were if a and b were bought independently; 1 is
          neither attraction nor avoidance.
    of : {"product", "category"}
        What the items are.
    as_of : date
        The day as of which the log was counted.
    min_baskets : int
        The fewest baskets that an item or a pair is shown for.

    References
    ----------
    Agrawal, Imielinski & Swami (1993), "Mining Association Rules between Sets of Items in Large Databases", SIGMOD,
    207-216: support and confidence. Brin, Motwani, Ullman & Tsur (1997), "Dynamic Itemset Counting and Implication
    Rules for Market Basket Data", SIGMOD, 255-264: lift, there called interest.
    """

    baskets: int
    without_items: int
    items: pd.DataFrame
    pairs: pd.DataFrame
    of: Item
    as_of: date
    min_baskets: int

    def __repr__(self) -> str:
        counted = f"{self.baskets:,} baskets, {len(self.items):,} items, {len(self.pairs):,} pairs"
        return f"Baskets({counted} in at least {self.min_baskets:,}, by {self.of}, as of {self.as_of})"


def basket_counts(transactions: Any, *, as_of: Day, of: Item = "product", min_baskets: int = 10) -> Baskets:
    """Count baskets, the items in them, and the pairs of items bought together.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log, with a column of products or categories.
    as_of : date or str
        Last day that is counted: the log is seen as it stood then.
    of : {"product", "category"}
        What an item is. Lines without one add nothing to their basket.
    min_baskets : int
        Items and pairs in fewer baskets are left out, >= 1. No pair can be in more baskets than either of its items,
        so rare items are dropped before any are paired, which keeps that step small.

    Returns
    -------
    Baskets

    Raises
    ------
    DataError
        When the log is refused, has no such column or nothing in it, or nobody has bought by `as_of`.
    SettingsError
        When a parameter is wrong, or the log was cut before `as_of`.

    References
    ----------
    Agrawal, Imielinski & Swami (1993); Brin, Motwani, Ullman & Tsur (1997); as for `Baskets`.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["C1", "C1", "C2", "C3"], "order_date": "2024-03-01", "amount": 4.0})
    >>> counted = basket_counts(orders.assign(product=["cup", "tea", "tea", "pot"]), as_of="2024-03-31", min_baskets=1)
    >>> counted.pairs
             baskets   support  confidence_ab  confidence_ba  lift
    a   b
    cup tea        1  0.333333            1.0            0.5   1.5
    """
    if of not in get_args(Item):
        raise SettingsError(f"of is {of!r}; use 'product' or 'category'.")
    if min_baskets < 1:
        raise SettingsError(f"min_baskets is {min_baskets}; ask for at least one basket.")
    day = to_day(as_of, "as_of")
    seen = seen_by(transactions, day)
    refuse(_missing_column(seen, of))
    # Asked four times below.
    contents = engines.keep(_contents(seen.table, of))
    per_basket = contents.group_by("customer_id", "basket").agg(items=contents.item.count())
    holds = per_basket["items"] > 0
    [size] = engines.rows_of(per_basket.aggregate(baskets=holds.sum(), without_items=(~holds).sum()))
    if not size["baskets"]:
        raise DataError(
            f"{seen.source}, column {of!r}: no basket holds an item.\n"
            "To fix: name the column that says what was bought, or leave baskets out."
        )
    items = _items(contents, size["baskets"], min_baskets)
    return Baskets(
        baskets=size["baskets"],
        without_items=size["without_items"],
        items=items,
        pairs=_pairs(contents, items, size["baskets"], min_baskets),
        of=of,
        as_of=day,
        min_baskets=min_baskets,
    )


def _missing_column(seen: Transactions, of: Item) -> list[Violation]:
    there = seen.table.columns
    if of in there:
        return []
    return [
        Violation(
            seen.source,
            of,
            f"there is no such column (what was read has {listing([repr(name) for name in there])})",
            0,
            f'name the column that holds it: {of} = "..." under [sources.transactions.columns] in crm.toml, or '
            f'columns={{"{of}": "..."}} to read_transactions.',
        )
    ]


def _contents(lines: ir.Table, of: Item) -> ir.Table:
    """One row per basket and item in it: customer_id, basket, item; the item is missing where a line names none."""
    basket = lines.order_date.cast(str)
    if "order_id" in lines.columns:
        # A letter in front, because an order may be called like a day.
        basket = lines.order_id.notnull().ifelse(  # noqa: PD004 ibis
            ibis.literal("order ") + lines.order_id, ibis.literal("day ") + basket
        )
    found = lines.group_by("customer_id", basket=basket, item=lines[of]).agg(
        total=lines.amount.sum(), least=lines.amount.min()
    )
    was_kept = (found.total > 0) | (found.least >= 0)
    return found.select("customer_id", "basket", item=was_kept.ifelse(found["item"], ibis.null(str)))


def _items(contents: ir.Table, baskets: int, min_baskets: int) -> pd.DataFrame:
    """Every item in so many baskets."""
    known = contents.filter(contents["item"].notnull())  # noqa: PD004 ibis
    counted = known.group_by("item").agg(baskets=known.count())
    found = engines.fetch(counted.filter(counted.baskets >= min_baskets))
    counts = found["baskets"].to_numpy().astype(np.int64)
    names = pd.Index(found["item"].to_pylist(), dtype="str", name="item")
    frame = pd.DataFrame({"baskets": counts, "support": counts / baskets}, index=names)
    return frame.sort_index().sort_values("baskets", ascending=False, kind="stable")


def _pairs(contents: ir.Table, items: pd.DataFrame, baskets: int, min_baskets: int) -> pd.DataFrame:
    """Every pair of these items that so many baskets hold together."""
    # Numbered by code point: engines sort text in different ways, and numbers are faster to join by than names.
    names = items.index.sort_values()
    numbered = pa.table({"item": pa.array(names.to_list(), pa.string()), "number": np.arange(len(names))})
    here = engines.join_small(contents, numbered)
    one = contents.inner_join(here, "item").select("customer_id", "basket", "number")
    other = one.rename(customer="customer_id", in_basket="basket", other="number")
    together = one.inner_join(
        other, [one.customer_id == other.customer, one.basket == other.in_basket, one.number < other.other]
    )
    counted = together.group_by("number", "other").agg(baskets=together.count())
    found = engines.fetch(counted.filter(counted.baskets >= min_baskets))
    a, b, both = (found[name].to_numpy().astype(np.int64) for name in ("number", "other", "baskets"))
    order = np.lexsort((b, a, -both))
    a, b, both = a[order], b[order], both[order]
    with_item = items["baskets"].reindex(names).to_numpy()
    frame = pd.DataFrame(
        {
            "baskets": both,
            "support": both / baskets,
            "confidence_ab": both / with_item[a],
            "confidence_ba": both / with_item[b],
            # Not one product over another: products of counts may be beyond 64 bits.
            "lift": (both / with_item[a]) / (with_item[b] / baskets),
        },
        index=pd.MultiIndex.from_arrays([names.take(a), names.take(b)], names=["a", "b"]),
    )
    return frame
