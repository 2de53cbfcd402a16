"""Chained equations with predictive mean matching: one filling-in of missing answers after another."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from crm_analysis.models.histories import Floats
from crm_analysis.voice.responses import effective_n

Flags = NDArray[np.bool_]

# As in mice (van Buuren & Groothuis-Oudshoorn 2011): keeps regressions on copies of a question solvable.
_RIDGE = 1e-5


@dataclass(frozen=True, eq=False)
class Chain:
    """Answers and what is known of the missing ones.

    Attributes
    ----------
    answers : array, shape (n_respondents, n_questions)
        Missing where there is no answer.
    barred, wanted : array of bool, same shape
        Answers that could not be given, and missing ones that are to be filled in.
    weights : array, shape (n_respondents,)
        What each respondent counts in the regressions; who counts 0 is no donor.
    donors : int
        Respondents among whom an answer is drawn.
    """

    answers: Floats
    barred: Flags
    wanted: Flags
    weights: Floats
    donors: int

    def run(self, rng: np.random.Generator, rounds: int) -> Floats:
        """Return the answers with what is missing filled in once."""
        given = ~np.isnan(self.answers) & (self.weights > 0)[:, None]
        # Where a question did not apply it stands at its mean, and an indicator says so.
        means = [np.average(x[at], weights=self.weights[at]) if at.any() else 0.0 for x, at in self._columns(given)]
        filled = np.where(self.barred, means, self.answers)
        for j in np.flatnonzero(self.wanted.any(axis=0)):
            filled[self.wanted[:, j], j] = rng.choice(self.answers[given[:, j], j], self.wanted[:, j].sum())
        indicators = np.unique(self.barred[:, self.barred.any(axis=0)], axis=1).astype(float)
        design = np.column_stack([filled, indicators, np.ones(len(filled))])
        # Questions with few gaps first: they soon predict the others well.
        order = np.argsort(self.wanted.sum(axis=0), kind="stable")
        for _ in range(rounds):
            for j in order[self.wanted.sum(axis=0)[order] > 0]:
                others = np.delete(design, j, axis=1)
                fit, draw = _regress(others[given[:, j]], self.answers[given[:, j], j], self.weights[given[:, j]], rng)
                nearest = _donors(others[given[:, j]] @ fit, others[self.wanted[:, j]] @ draw, self.donors, rng)
                design[self.wanted[:, j], j] = self.answers[given[:, j], j][nearest]
        return np.where(self.barred, np.nan, design[:, : self.answers.shape[1]])

    def _columns(self, given: Flags) -> Iterable[tuple[Floats, Flags]]:
        return zip(self.answers.T, given.T, strict=True)


def _regress(x: Floats, y: Floats, weights: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return least-squares coefficients and a draw from their posterior under a flat prior."""
    # Weights that add up to the effective n: respondents who differ in weight tell less than as many who do not.
    n = effective_n(weights)
    w = weights * (n / weights.sum())
    squares = x.T @ (w[:, None] * x)
    squares[np.diag_indices_from(squares)] *= 1 + _RIDGE
    squares[np.diag_indices_from(squares)] += 1e-12
    fit = np.linalg.solve(squares, x.T @ (w * y))
    spread = np.sqrt(np.sum(w * (y - x @ fit) ** 2) / rng.chisquare(max(n - x.shape[1], 1.0)))
    root = np.linalg.cholesky(squares)
    return fit, fit + spread * np.linalg.solve(root.T, rng.standard_normal(len(fit)))


def _donors(given: Floats, wanted: Floats, donors: int, rng: np.random.Generator) -> Any:
    """Return for each wanted prediction the row of one of the nearest given ones, drawn evenly."""
    mixed = rng.permutation(len(given))  # so that among equal predictions no row is favoured
    order = mixed[np.argsort(given[mixed], kind="stable")]
    donors = min(donors, len(order))
    place = np.searchsorted(given[order], wanted)
    near = place[:, None] + np.arange(-donors, donors)
    outside = (near < 0) | (near >= len(order))
    rows = order[np.where(outside, 0, near)]
    distance = np.where(outside, np.inf, np.abs(given[rows] - wanted[:, None]))
    nearest = np.argpartition(distance, donors - 1, axis=1)[:, :donors]
    drawn = nearest[np.arange(len(wanted)), rng.integers(donors, size=len(wanted))]
    return rows[np.arange(len(wanted)), drawn]
