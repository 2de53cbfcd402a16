"""Members who join: how many did month by month, under which contracts, and what those still to come are worth."""

from collections.abc import Mapping
from datetime import date

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.models.histories import Floats
from crm_analysis.models.memberships import dated_memberships
from crm_analysis.models.sbg import SBGFit
from crm_analysis.models.terms import months_or_days
from crm_analysis.periods import months_after
from crm_analysis.value.contract_streams import Stream, chances_to_leave, stream_of_newcomers, survival
from crm_analysis.value.lifetime_value import Assumptions
from crm_analysis.value.potential import Pieces


def contract_newcomers(memberships: pd.DataFrame, *, as_of: Day) -> pd.Series:
    """Count those who joined for the first time in the whole months up to a date; who comes back is no newcomer.

    Parameters
    ----------
    memberships : DataFrame, one row a contract or a term of one
        customer_id, started_on and ended_on.
    as_of : date or str
        Later starts are not counted.

    Returns
    -------
    Series, indexed by the last day of each month
        In the form of `acquisition.monthly_newcomers`: months end on the day of `as_of`; that in which the first member
        joined is whole only where the table holds all of its days.
    """
    day = to_day(as_of, "as_of")
    dated = dated_memberships(memberships)
    first = dated.groupby("customer_id")["started_on"].min()
    first = first[first <= pd.Timestamp(day)].sort_values()
    if first.empty:
        return pd.Series(dtype="int64", index=pd.Index([], name="month"))
    begin, ends = first.iloc[0].date(), [day]
    while months_after(day, -len(ends)) >= begin:
        ends.append(months_after(day, -len(ends)))
    oldest = months_after(day, -len(ends))
    if (begin - oldest).days == 1:
        ends.append(oldest)
    edges = pd.DatetimeIndex(ends[::-1])
    joined = np.diff(first.searchsorted(edges, side="right"))
    return pd.Series(joined, index=pd.Index([edge.date() for edge in edges[1:]], name="month"))


def newcomer_mix(contracts: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """Say which contracts those have who joined in the last year; in a year without newcomers those who ever joined.

    Parameters
    ----------
    contracts : DataFrame
        Of `ContractValues`.
    as_of : date

    Returns
    -------
    DataFrame, indexed by group
        renewal_period; share of newcomers (sums to 1), by the first contract of each; fee, their mean.
    """
    first = contracts.sort_values(["started_on", "group"], kind="stable").drop_duplicates("customer_id")
    recent = first[first["started_on"] > pd.Timestamp(months_after(as_of, -12))]
    joined = recent if len(recent) else first
    of_group = joined.groupby("group")
    return pd.DataFrame(
        {
            "renewal_period": of_group["renewal_period"].first(),
            "share": of_group.size() / len(joined),
            "fee": of_group["fee"].mean(),
        }
    )


class Joining:
    """Newcomers of each kind of contract, by when they join: their periods to come, and what each would bring.

    Attributes
    ----------
    shares : array, shape (n_kinds,)
    """

    def __init__(self, mix: pd.DataFrame, pieces: Pieces, given: Assumptions, *, fee: float = 1.0) -> None:
        until = float(pieces.until[-1])
        self.groups = [str(group) for group in mix.index]
        self.shares = mix["share"].to_numpy(dtype=np.float64)
        self.streams: list[Stream] = []
        self.margins: list[Floats] = []
        for period, its_fee in zip(mix["renewal_period"], mix["fee"], strict=True):
            length = months_or_days(period)
            assert length is not None  # checked at the door
            stream = stream_of_newcomers(pieces.joined, length, until=until, rate=given.continuous_rate)
            self.streams.append(stream)
            self.margins.append(stream.margins(its_fee * fee, given))

    def chances(self, fits: Mapping[str, SBGFit], leaving: float = 0.0) -> list[Floats]:
        """Chance of a newcomer of each kind to reach each period."""
        return [
            survival(chances_to_leave(fits[group].params, np.zeros(1), leaving), stream.paid.shape[1])
            for group, stream in zip(self.groups, self.streams, strict=True)
        ]

    def value(self, fits: Mapping[str, SBGFit], leaving: float = 0.0) -> Floats:
        """Present worth of one newcomer who joins in each piece, before the cost of acquisition; shape (n_pieces,)."""
        there = self.chances(fits, leaving)
        each = [(one * margin).sum(axis=1) for one, margin in zip(there, self.margins, strict=True)]
        return np.asarray(self.shares @ np.array(each), dtype=np.float64)

    def outcome(self, fits: Mapping[str, SBGFit], number: np.ndarray, rng: np.random.Generator) -> float:
        """Present worth of so many newcomers of each piece who take a kind of contract and renew as chance has it."""
        of_kinds = rng.multinomial(number, self.shares / self.shares.sum())
        total = 0.0
        for kind, (there, margin) in enumerate(zip(self.chances(fits), self.margins, strict=True)):
            leaves_after = -np.diff(there[0], append=0.0)
            lasted = rng.multinomial(of_kinds[:, kind], leaves_after / leaves_after.sum())
            total += float((lasted * np.cumsum(margin, axis=1)).sum())
        return total
