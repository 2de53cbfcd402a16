"""Joint draws of the equity of members: chances to leave, how many join, and who happens to renew, together."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from crm_analysis.models.histories import Floats
from crm_analysis.models.sbg import SBGFit, SBGParams
from crm_analysis.models.terms import Length
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.contract_fits import drawn_groups
from crm_analysis.value.contract_newcomers import Joining, newcomer_mix
from crm_analysis.value.contract_streams import chances_to_leave, stream_of_contracts, survival
from crm_analysis.value.contract_values import ContractValues, running_groups
from crm_analysis.value.equity_draws import DRAWN
from crm_analysis.value.potential import Pieces, cost_of_newcomers

# Without a horizon renewals are drawn until a unit of money is discounted to this much.
_FARTHEST = 1e-4


def draw_contract_equity(
    values: ContractValues, acquisition: Acquisition | None, *, draws: int, seed: int
) -> pd.DataFrame:
    """Value members, and those who will join, under drawn parameters, and let everybody live one future under them.

    Returns
    -------
    DataFrame, one row a draw, columns `equity_draws.DRAWN`
        Missing without a horizon and without discounting: most draws have no bound then.
    """
    given, rng = values.assumptions, np.random.default_rng(seed)
    until = given.horizon_in_units
    if until is None:
        if given.continuous_rate == 0:
            return pd.DataFrame(np.nan, index=range(draws), columns=list(DRAWN))
        until = -np.log(_FARTHEST) / given.continuous_rate
    drawn = drawn_groups(values.fits, values.groups, draws, seed)
    members = [_Members(values, *one, until) for one in running_groups(values.contracts)]
    current = np.array([_together([one.drawn(fits, rng) for one in members]) for fits in drawn])
    future = np.zeros_like(current)
    if acquisition is not None:
        future = _of_newcomers(values, acquisition, drawn, rng)
    return pd.DataFrame(np.hstack([current + future, current]), columns=list(DRAWN))


def _together(parts: list[tuple[float, float]]) -> tuple[float, float]:
    return sum(expected for expected, _outcome in parts), sum(outcome for _expected, outcome in parts)


class _Members:
    """Running contracts of one group: those of one start and fee are alike, and expectations are computed once."""

    def __init__(self, values: ContractValues, group: str, length: Length, rows: pd.DataFrame, until: float) -> None:
        given, self.group = values.assumptions, group
        alike = rows.groupby(["started_on", "fee"], sort=True)
        kinds = alike["periods"].first().reset_index()
        self.counts = alike.size().to_numpy()
        self.made = kinds["periods"].to_numpy(dtype=np.float64)
        stream = stream_of_contracts(
            kinds["started_on"], self.made, length, values.as_of, until=until, rate=given.continuous_rate
        )
        self.margins = stream.margins(kinds["fee"].to_numpy(), given)
        self.so_far = np.cumsum(self.margins, axis=1)
        self.kind_of = np.repeat(np.arange(len(kinds)), self.counts)

    def drawn(self, fits: Mapping[str, SBGFit], rng: np.random.Generator) -> tuple[float, float]:
        """Expected worth under drawn parameters, and that of one future under them."""
        chances = chances_to_leave(fits[self.group].params, self.made)
        there = survival(chances, self.margins.shape[1])
        expected = float(self.counts @ (there * self.margins).sum(axis=1))
        lasted = np.minimum(self._renewals(chances, rng), self.margins.shape[1] - 1).astype(np.int64)
        return expected, float(self.so_far[self.kind_of, lasted].sum())

    def _renewals(self, chances: SBGParams, rng: np.random.Generator) -> Floats:
        """Renewals each contract makes before it is left, each member with a chance of their own."""
        alpha, beta = (np.asarray(one)[self.kind_of] for one in chances)
        leaving = rng.beta(alpha, beta)
        with np.errstate(divide="ignore", over="ignore"):
            return np.floor(rng.exponential(size=len(leaving)) / -np.log1p(-leaving))


def _of_newcomers(
    values: ContractValues, acquisition: Acquisition, drawn: list[dict[str, SBGFit]], rng: np.random.Generator
) -> Floats:
    """Worth of those who join less what acquiring them costs, expected in each draw and in one future of it."""
    given = values.assumptions
    assert given.horizon_in_units is not None  # checked before
    pieces = Pieces.of("month", values.as_of, until=given.horizon_in_units)
    joining = Joining(newcomer_mix(values.contracts, values.as_of), pieces, given)
    cost = cost_of_newcomers(given, pieces)
    level = acquisition.draw_levels(len(drawn), rng)
    expected_number = level[:, None] * pieces.number(acquisition.of_months(pieces.months))[None, :]
    months = acquisition.draw(pieces.months, level, rng).astype(np.int64)
    # Of the month in which the horizon ends only those are in it who come early enough.
    number = rng.binomial(months[:, pieces.month], np.minimum(pieces.share, 1.0))
    found = np.empty((len(drawn), 2))
    for place, fits in enumerate(drawn):
        found[place, 0] = expected_number[place] @ (joining.value(fits) - cost)
        found[place, 1] = joining.outcome(fits, number[place], rng) - number[place] @ cost
    return found
