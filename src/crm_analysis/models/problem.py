"""What the optimiser works on: distinct rows of data and covariates, and the chain rule from these to a model's own."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import numpy as np

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.models.covariates import Effect, moved
from crm_analysis.models.histories import Floats, Integers, Recurring, folded
from crm_analysis.models.likelihood import LikelihoodAndScore, Maximum

if TYPE_CHECKING:  # a fit poses its problem itself
    from crm_analysis.models.fit import Fit

# So many rows of a dozen columns stay in the cache of a processor; passes over longer ones wait for the memory.
_ROWS_AT_ONCE = 1 << 14


@dataclass(frozen=True)
class Problem:
    """Distinct rows of data and covariates, with their counts.

    Attributes
    ----------
    columns : tuple of array, shape (n_rows,)
        The data the likelihood sees.
    matrices : tuple of array, shape (n_rows, n_covariates)
        One for each effect.
    counts : array, shape (n_rows,)
        How many customers (or how much case weight) each row stands for, > 0.
    """

    columns: tuple[Floats, ...]
    matrices: tuple[Floats, ...]
    counts: Floats

    @classmethod
    def of(cls, fit: "Fit", customers: CustomerSummary, case: Floats | None, effects: Sequence[Effect]) -> "Problem":
        """Return the problem of a fit to customers with these case weights and effects."""
        columns, used = fit.data(customers)
        frame = fit.covariate_frame(customers)
        matrices = [effect.design.matrix(frame[used]) for effect in effects]
        covariates = [column for matrix in matrices for column in matrix.T]
        distinct, counts = folded(*columns, *covariates, weights=None if case is None else case[used])
        # Rows without weight say nothing, and would only be in the way of logarithms.
        if case is not None:
            weighty = counts > 0
            distinct, counts = tuple(column[weighty] for column in distinct), counts[weighty]
        ends = np.cumsum([len(columns), *(matrix.shape[1] for matrix in matrices)])
        parts = [np.column_stack(distinct[start:end]) for start, end in pairwise(ends) if end > start]
        return cls(distinct[: len(columns)], tuple(parts), counts)

    def totals(self) -> tuple[float, ...]:
        """Sums of the weights, of the data, and of the products of the data: what tells two bases apart cheaply."""
        columns = [np.ones_like(self.counts), *self.columns]
        sums = []
        for place, column in enumerate(columns):
            weighted = self.counts * column
            sums += [float(weighted @ other) for other in columns[place:]]
        return tuple(sums)

    def _centre_and_scale(self, matrix: Floats) -> tuple[Floats, Floats]:
        share = self.counts / self.counts.sum()
        centre = share @ matrix
        return centre, np.sqrt(share @ (matrix - centre) ** 2)

    def standardised(self) -> "Problem":
        """Covariates with mean 0 and standard deviation 1, in which the search is equally steep everywhere."""
        standard = []
        for matrix in self.matrices:
            centre, scale = self._centre_and_scale(matrix)
            standard.append((matrix - centre) / scale)
        return replace(self, matrices=tuple(standard))

    def in_given_units(self, maximum: Maximum, shape: "Fit") -> tuple[Floats, Floats]:
        """Restate a maximum found on standardised covariates for the covariates as given."""
        names = shape.names()
        positive = np.arange(len(maximum.params)) < len(names)
        step = np.eye(len(maximum.params))
        position = len(names)
        for effect, matrix in zip(shape.effects, self.matrices, strict=True):
            centre, scale = self._centre_and_scale(matrix)
            here = np.arange(position, position + len(scale))
            step[here, here] = 1 / scale
            for name, sign in effect.signs.items():
                step[names.index(name), here] = -sign * centre / scale
            position += len(scale)
        logs = np.where(positive, np.log(np.where(positive, maximum.params, 1.0)), maximum.params)
        restated = step @ logs
        params = np.where(positive, np.exp(np.where(positive, restated, 0.0)), restated)
        before, after = np.where(positive, maximum.params, 1.0), np.where(positive, params, 1.0)
        jacobian = after[:, None] * step / before
        return params, jacobian @ maximum.covariance @ jacobian.T

    def rows(self, rows: slice | Integers, counts: Floats) -> "Problem":
        """Return some of the rows, with these counts."""
        columns = tuple(column[rows] for column in self.columns)
        return Problem(columns, tuple(matrix[rows] for matrix in self.matrices), counts)

    def thinned(self, rows: int) -> "Problem":
        """Return a base of at most so many rows for a first look, alike in size and make-up, the same every time."""
        ends = np.cumsum(self.counts)
        share = ends[-1] / rows
        taken, times = np.unique(np.searchsorted(ends, share * (np.arange(rows) + 0.5)), return_counts=True)
        return self.rows(taken, times * share)

    def likelihood(self, shape: "Fit") -> LikelihoodAndScore:
        """Return log-likelihood and gradient of all rows together, as functions of everything estimated."""
        blocks = [self.rows(block, self.counts[block])._knowing_counts() for block in self._blocks()]

        def function(values: Floats) -> tuple[float, Floats]:
            value, score = 0.0, np.zeros(len(values))
            for block in blocks:
                of_rows, score_of_rows = block._by_row(shape, values)
                value += float(block.counts @ of_rows)
                score += block.counts @ score_of_rows
            return value, score

        return function

    def _blocks(self) -> list[slice]:
        """Cut the rows into blocks, none too long; rows that share a first value with many have blocks of their own."""
        first = self.columns[0]
        runs = np.concatenate([[0], np.flatnonzero(first[1:] != first[:-1]) + 1, [len(first)]])
        long = np.flatnonzero(np.diff(runs) >= _ROWS_AT_ONCE // 4)
        cuts = [np.arange(0, len(first), _ROWS_AT_ONCE), runs[long], runs[long + 1], runs[-1:]]
        return [slice(start, end) for start, end in pairwise(np.unique(np.concatenate(cuts)).tolist())]

    def _knowing_counts(self) -> "Problem":
        """Let the first column, counts of purchases with few different ones among them, know its distinct values."""
        count = cast(Floats, Recurring.of(self.columns[0]))  # stands for the array
        return replace(self, columns=(count, *self.columns[1:]))

    def _by_row(self, shape: "Fit", values: Floats) -> tuple[Floats, Floats]:
        """Log-likelihood of each row, and its gradient with covariates chained into the model's own."""
        names = shape.names()
        base = dict(zip(names, values.tolist(), strict=False))
        if not shape.effects:
            params = shape.params._replace(**base)  # type: ignore[attr-defined]
            return shape.log_likelihood_and_score(params, *self.columns)
        effects, rest = [], values[len(names) :]
        for effect in shape.effects:
            effects.append(replace(effect, coefficients=tuple(rest[: len(effect.coefficients)])))
            rest = rest[len(effect.coefficients) :]
        own = moved(base, effects, self.matrices)
        params = shape.params._replace(**own)  # type: ignore[attr-defined]
        value, score = shape.log_likelihood_and_score(params, *self.columns)
        by_log = score * np.column_stack([np.broadcast_to(own[name], value.shape) for name in names])
        of_params = by_log / values[: len(names)]
        position = {name: place for place, name in enumerate(names)}
        of_coefficients = [
            sum(sign * by_log[:, position[name]] for name, sign in effect.signs.items())[:, None] * matrix  # type: ignore[index]
            for effect, matrix in zip(effects, self.matrices, strict=True)
        ]
        return value, np.concatenate([of_params, *of_coefficients], axis=1)
