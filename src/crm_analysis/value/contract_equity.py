"""Customer equity of a company of contracts: members, those who will join, and an interval that says what it contains.

As for customers who buy (`equity`), with renewals in the place of purchases.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import check_draws, check_level
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.contract_draws import draw_contract_equity
from crm_analysis.value.contract_newcomers import Joining, newcomer_mix
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.draws import knows_its_doubt
from crm_analysis.value.equity_draws import DRAWN
from crm_analysis.value.equity_figures import EquityFigures
from crm_analysis.value.potential import Pieces, Potential, cost_of_newcomers


@dataclass(frozen=True, eq=False)
class ContractEquity(EquityFigures):
    """The worth of the members on one date. Keeps its values, so that a later bridge can value again.

    Attributes
    ----------
    values : ContractValues
    current : float
        Residual value of all members within the horizon, in the currency of the fees.
    draws : DataFrame
        One row a draw: `expected` (equity under drawn chances to leave and level of acquisition: doubt of estimation
        alone) and `outcome` (who then happens to renew and to join as well); `current_expected` and `current_outcome`
        are those of the members.
    level : float
        Probability of the intervals.
    acquisition : Acquisition or None
        How many will join; None: not known, and then they are not valued.
    future : Potential or None
        What these are worth, gross, and what acquiring them costs.
    """

    values: ContractValues
    current: float
    draws: pd.DataFrame
    level: float = 0.95
    acquisition: Acquisition | None = None
    future: Potential | None = None

    @property
    def _known(self) -> tuple[str, ...]:
        fitted = self.values.groups.index[~self.values.groups["one_chance"]]
        return ("parameters",) if all(knows_its_doubt(self.values.fits[group]) for group in fitted) else ()

    def save(self, folder: str | Path) -> None:
        """Write the values (see `ContractValues.save`), `draws.parquet` and `contract_equity.json` to `folder`."""
        folder = Path(folder)
        self.values.save(folder)
        self.draws.to_parquet(folder / "draws.parquet")
        content = {
            "current": self.current,
            "level": self.level,
            "acquisition": None if self.acquisition is None else self.acquisition.to_dict(),
            "future": None if self.future is None else [self.future.gross, self.future.cost],
        }
        (folder / "contract_equity.json").write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "ContractEquity":
        """Read what `save` wrote; raise `SettingsError` where there is nothing."""
        folder = Path(folder)
        if not (folder / "contract_equity.json").is_file():
            raise SettingsError(f"{folder} holds no saved equity of contracts.")
        content = json.loads((folder / "contract_equity.json").read_text(encoding="utf-8"))
        saved, future = content["acquisition"], content["future"]
        return cls(
            ContractValues.load(folder),
            content["current"],
            pd.read_parquet(folder / "draws.parquet"),
            content["level"],
            None if saved is None else Acquisition.from_dict(saved),
            None if future is None else Potential(*future),
        )


def contract_equity(
    values: ContractValues,
    *,
    acquisition: Acquisition | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> ContractEquity:
    """Add up the values of members and of those who will join, and say how sure the sum is.

    Parameters
    ----------
    values : ContractValues
        From `contract_values`.
    acquisition : Acquisition, optional
        How many will join: `forecast_acquisition` from `contract_newcomers`, or `planned_acquisition`. Without it the
        equity is that of the members, and future ones are missing. Its mean first purchase is not asked for: newcomers
        pay the fees of those who joined in the last year, in the same shares of contracts.
    draws : int
        Simulated parameter sets and futures; 1,000 place the ends of a 95% interval to about a twentieth of its width.
    seed : int
        The same seed gives the same interval.
    level : float
        Probability of the intervals.

    Returns
    -------
    ContractEquity

    Raises
    ------
    SettingsError
        For values that are none, and newcomers without a horizon or as of another date than the values.

    Notes
    -----
    Each draw takes chances to leave from their sampling distribution and the level of acquisition from the errors of
    earlier forecasts, and lets everybody renew, or not, under them. Which contracts newcomers choose, fees and the
    model itself are taken as they are, and are outside the interval; service enters a future by how long members then
    stay.
    """
    if not isinstance(values, ContractValues):
        raise SettingsError(f"values is a {type(values).__name__}; give the ContractValues of contract_values.")
    check_level(level)
    check_draws(draws)
    future = None
    if acquisition is not None:
        if acquisition.as_of != values.as_of:
            raise SettingsError(
                f"the acquisition is counted from {acquisition.as_of}, the values are as of {values.as_of}; forecast "
                "it as of the same date."
            )
        future = potential_of_members(values, acquisition)
    current = values.total
    total = current if future is None else current + future.net
    if np.isfinite(total):
        drawn = draw_contract_equity(values, acquisition, draws=draws, seed=seed)
    else:
        drawn = pd.DataFrame({key: [total] for key in DRAWN})
    return ContractEquity(values, current, drawn, level, acquisition, future)


def potential_of_members(values: ContractValues, acquisition: Acquisition) -> Potential:
    """Value those who will join within the horizon; raise `SettingsError` without one."""
    given = values.assumptions
    until = float("inf") if given.horizon_in_units is None else given.horizon_in_units
    pieces = Pieces.of("month", values.as_of, until=until)
    number = pieces.number(acquisition.of_months(pieces.months))
    each = Joining(newcomer_mix(values.contracts, values.as_of), pieces, given).value(values.fits)
    return Potential(float(number @ each), float(number @ cost_of_newcomers(given, pieces)))
