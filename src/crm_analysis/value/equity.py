"""Customer equity: what current and future customers are worth, with an interval that says what it contains.

The current base is the sum of its residual values within the planning horizon. Customers still to be acquired are
valued where it is known how many will join; where it is not, they are missing, not zero.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import check_draws, check_level
from crm_analysis.models.interval import SAMPLING
from crm_analysis.value.acquisition import Acquisition
from crm_analysis.value.draws import doubts
from crm_analysis.value.equity_draws import DRAWN, draw_equity
from crm_analysis.value.equity_figures import EquityFigures
from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.potential import Potential, potential_value


@dataclass(frozen=True, eq=False)
class CustomerEquity(EquityFigures):
    """The worth of the customer base on one date. Keeps its values, so that a later bridge can value again.

    Attributes
    ----------
    values : CustomerValues
        What each customer is worth, with fits, summary and assumptions.
    current : float
        Residual value of all current customers within the horizon, in the currency of the transactions.
    draws : DataFrame
        One row a draw: `expected` (equity under drawn parameters and level of acquisition: doubt of estimation alone)
        and `outcome` (what customers then happen to bring: individual randomness as well); `current_expected` and
        `current_outcome` are those of the current base. All carry the sampling error where a sample was valued.
    level : float
        Probability of the intervals.
    acquisition : Acquisition or None
        How many customers will join; None: not known, and then they are not valued.
    future : Potential or None
        What these are worth, gross, and what acquiring them costs.
    """

    values: CustomerValues
    current: float
    draws: pd.DataFrame
    level: float = 0.95
    acquisition: Acquisition | None = None
    future: Potential | None = None

    @property
    def _known(self) -> tuple[str, ...]:
        return doubts(*self.values.fits)

    @property
    def _sampling(self) -> tuple[str, ...]:
        return (SAMPLING,) if self.values.customers.stands_for > 1 else ()

    def save(self, folder: str | Path) -> None:
        """Write the values (see `CustomerValues.save`), `draws.parquet` and `equity.json` to `folder`."""
        folder = Path(folder)
        self.values.save(folder)
        self.draws.to_parquet(folder / "draws.parquet")
        content = {
            "current": self.current,
            "level": self.level,
            "acquisition": None if self.acquisition is None else self.acquisition.to_dict(),
            "future": None if self.future is None else [self.future.gross, self.future.cost],
        }
        (folder / "equity.json").write_text(json.dumps(content), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> "CustomerEquity":
        """Read what `save` wrote; raise `SettingsError` where there is nothing, or what an older version wrote."""
        folder = Path(folder)
        if not (folder / "equity.json").is_file():
            raise SettingsError(f"{folder} holds no saved customer equity.")
        content = json.loads((folder / "equity.json").read_text(encoding="utf-8"))
        draws = pd.read_parquet(folder / "draws.parquet")
        if "acquisition" not in content or not set(DRAWN) <= set(draws.columns):
            raise SettingsError(f"{folder} holds a customer equity of an older version; build that month again.")
        saved, future = content["acquisition"], content["future"]
        return cls(
            CustomerValues.load(folder),
            content["current"],
            draws,
            content["level"],
            None if saved is None else Acquisition.from_dict(saved),
            None if future is None else Potential(*future),
        )


def customer_equity(
    values: CustomerValues,
    *,
    acquisition: Acquisition | None = None,
    draws: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> CustomerEquity:
    """Add up the values of current and future customers and say how sure the sum is.

    Parameters
    ----------
    values : CustomerValues
        From `lifetime_value`.
    acquisition : Acquisition, optional
        How many customers will join, from `forecast_acquisition` or `planned_acquisition`. Without it the equity is
        that of the current base, and future customers are missing.
    draws : int
        Simulated parameter sets and futures; 1,000 place the ends of a 95% interval to about a twentieth of its width.
    seed : int
        The same seed gives the same interval.
    level : float
        Probability of the intervals.

    Returns
    -------
    CustomerEquity

    Raises
    ------
    SettingsError
        For newcomers without a horizon, as of another date than the values, or by a purchase fit with covariates, which
        says nothing of a customer of whom none is known.

    Notes
    -----
    Each draw takes parameters of both models from their sampling distribution and the level of acquisition from the
    errors of earlier forecasts, values everybody anew, and lets every customer live one future under them. The doubt
    about the model itself is not inside: a backtest speaks of that. Service cost and each customer's margin enter a
    future at their expectations.

    Newcomers are taken to be like the customers the models were fitted to. Their chance is that of a thousand simulated
    lives for each month of joining.

    A sample of customers is scaled up to the base: what is expected by the customers each of them stands for, what
    chance adds to it by the square root of that, because the others have chances of their own. The error of the sample
    (see `CustomerValues.sampling_error`) is added as if it always pulled the way the parameters do: a sample with too
    many good customers has both too high. On CDNOW the two correlate by 0.56, so that the interval is about a tenth
    wider than it need be.
    """
    check_level(level)
    check_draws(draws)
    given, as_of = values.assumptions, values.customers.as_of
    future = None
    if acquisition is not None:
        if as_of is not None and acquisition.as_of != as_of:
            raise SettingsError(
                f"the acquisition is counted from {acquisition.as_of}, the values are as of {as_of}; forecast it as of "
                "the same date."
            )
        until = float("inf") if given.horizon_in_units is None else given.horizon_in_units
        future = potential_value(values.fits, acquisition, given, as_of, until=until)
    current = values.total
    total = current if future is None else current + future.net
    if np.isfinite(total):
        drawn = draw_equity(values, acquisition, draws=draws, seed=seed)
    else:
        drawn = pd.DataFrame({key: [total] for key in DRAWN})
    return CustomerEquity(values, current, drawn, level, acquisition, future)
