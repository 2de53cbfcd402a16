"""How R-squared is divided among drivers or groups, and how sure that is: the same division of bootstrap samples."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from threadpoolctl import ThreadpoolController

from crm_analysis.models.histories import Floats
from crm_analysis.voice.driver_design import DriverDesign
from crm_analysis.voice.importance import (
    Groups,
    grouped_contributions,
    johnson_contributions,
    lmg_contributions,
    r_squared,
)
from crm_analysis.voice.moments import resampled_moments

# Numbers of R-squared held at a time; small enough for the cache, which halves the time.
_BLOCK = 2**20


@dataclass(frozen=True)
class Division:
    """A way to divide R-squared.

    Attributes
    ----------
    method : str
        "lmg" or "johnson".
    groups : sequence of sequences of int
        Positions of the drivers of each player; together the drivers are the first columns of the matrix.
    controls : tuple of int
        Positions of what is always in.
    """

    method: str
    groups: Groups
    controls: tuple[int, ...]

    def of(self, matrix: Floats) -> tuple[Floats, Floats]:
        """Return contributions of players and of drivers, shapes (..., n_players) and (..., n_drivers)."""
        if self.method == "johnson":
            drivers = johnson_contributions(matrix, controls=self.controls)
            sums = [drivers[..., list(group)].sum(axis=-1) for group in self.groups]
            return np.stack(sums, axis=-1), drivers
        if all(len(group) == 1 for group in self.groups):
            players = lmg_contributions(matrix, groups=self.groups, controls=self.controls)
            return players, players[..., self._places]
        of_groups, drivers = grouped_contributions(matrix, self.groups, controls=self.controls)
        return of_groups, drivers[..., self._places]

    def with_noise(self) -> "Division":
        """Return the same for a matrix that has a noise driver in front, which is a player by itself, the first."""
        moved = [[column + 1 for column in group] for group in self.groups]
        return Division(self.method, [[0], *moved], tuple(column + 1 for column in self.controls))

    @property
    def block(self) -> int:
        """How many matrices to divide at a time."""
        if self.method == "johnson":
            return 1000
        return max(1, _BLOCK >> max(len(self.groups) - 1 + len(group) for group in self.groups))

    @property
    def _places(self) -> np.ndarray:
        """Where each driver stands in the order of the groups."""
        return np.argsort([column for group in self.groups for column in group])


@dataclass(frozen=True, eq=False)
class ShareDraws:
    """Shares of bootstrap samples; a sample in which nothing is explained is left out.

    Attributes
    ----------
    players, drivers : array, shape (n_draws, n_players) and (n_draws, n_drivers)
        Shares of what is explained beyond the controls, without the noise driver.
    r_squared : array, shape (n_draws,)
        Of all columns.
    noise : array, shape (n_draws,)
        Share of a noise driver beside the others.
    players_beat, drivers_beat : array, shape (n_players,) and (n_drivers,)
        How often each adds more than the noise driver beside it; missing without draws.
    """

    players: Floats
    drivers: Floats
    r_squared: Floats
    noise: Floats
    players_beat: Floats
    drivers_beat: Floats


def draw_shares(design: DriverDesign, division: Division, *, draws: int, rng: np.random.Generator) -> ShareDraws:
    """Divide R-squared of bootstrap samples of the respondents.

    Parameters
    ----------
    design : DriverDesign
        Drivers, controls and outcome.
    division : Division
        How R-squared is divided.
    draws : int
        Number of samples; they are spread over the imputations, so that quantiles hold the doubt about these too
        ("MI boot pooled", Schomaker & Heumann 2018, Statistics in Medicine 37, 2252-2266).
    rng : Generator
        Source of randomness.
    """
    blocks = []
    step = division.block
    # On a machine with more to do, several threads of a matrix product wait for each other, and take twice the time.
    with _linear_algebra().limit(limits=1, user_api="blas"):
        for values, some in zip(design.values, _spread(draws, len(design.values)), strict=True):
            matrices = resampled_moments(values, design.weights, draws=some, rng=rng, noise=True).covariances
            # A sample may hold one answer to the outcome only, or nobody of weight.
            matrices = matrices[matrices[:, -1, -1] > 0]
            blocks += [_divided(matrices[at : at + step], division) for at in range(0, len(matrices), step)]
    if not blocks:
        n_players, n_drivers = len(division.groups), len(design.drivers)
        none = np.empty(0)
        return ShareDraws(
            np.empty((0, n_players)), np.empty((0, n_drivers)), none, none,
            np.full(n_players, np.nan), np.full(n_drivers, np.nan),
        )  # fmt: skip
    players, drivers, explained, noise, players_beat, drivers_beat = map(np.concatenate, zip(*blocks, strict=True))
    return ShareDraws(players, drivers, explained, noise, players_beat.mean(axis=0), drivers_beat.mean(axis=0))


def _divided(matrices: Floats, division: Division) -> tuple[Floats, Floats, Floats, Floats, np.ndarray, np.ndarray]:
    """Return shares of players and drivers, R-squared, share of noise, and which add more than the noise."""
    explained = r_squared(matrices, range(1, matrices.shape[-1] - 1))
    of_players, of_drivers = division.of(matrices[:, 1:, 1:])
    beside, drivers_beside = division.with_noise().of(matrices)
    some = of_players.sum(axis=1) > 0
    total, with_noise = of_players[some].sum(axis=1, keepdims=True), beside[some].sum(axis=1)
    return (
        of_players[some] / total,
        of_drivers[some] / total,
        explained[some],
        beside[some, 0] / with_noise,
        beside[some, 1:] > beside[some, :1],
        drivers_beside[some, 1:] > beside[some, :1],
    )


def _spread(draws: int, over: int) -> list[int]:
    """Parts of a number, as alike as can be."""
    return [draws // over + (place < draws % over) for place in range(over)]


@cache
def _linear_algebra() -> ThreadpoolController:
    """The libraries behind numpy; asked for once, when these are loaded."""
    return ThreadpoolController()
