"""Kano pairs: how one would feel with a feature and without it, for features whose kind is planted."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.voice.kano import ANSWERS, TABLE
from crm_analysis.voice.kano_kinds import KanoKind


class Feature(NamedTuple):
    """A feature and what it is to most customers."""

    name: str
    kind: KanoKind


@dataclass(frozen=True)
class KanoPlan:
    """What features are.

    Attributes
    ----------
    features : tuple of Feature
        Each asked about twice.
    agreeing : float
        Share of respondents to whom a feature is what its kind says.
    others : tuple of (kind, share)
        What it is to the rest.
    """

    features: tuple[Feature, ...] = (
        Feature("free_returns", "O"),
        Feature("same_day_delivery", "A"),
        Feature("secure_payment", "M"),
        Feature("gift_wrapping", "I"),
        Feature("sales_calls", "R"),
    )
    agreeing: float = 0.60
    others: tuple[tuple[KanoKind, float], ...] = (("A", 0.22), ("O", 0.22), ("M", 0.22), ("I", 0.26), ("Q", 0.08))

    def shares(self, feature: Feature) -> dict[KanoKind, float]:
        """Return how often each kind should be found for a feature."""
        total = sum(share for _, share in self.others)
        shares = {kind: (1 - self.agreeing) * share / total for kind, share in self.others}
        shares[feature.kind] = shares.get(feature.kind, 0.0) + self.agreeing
        return shares


def draw_kano(plan: KanoPlan, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the answers of `n` respondents: columns kano_<feature>_functional and kano_<feature>_dysfunctional."""
    answers = np.array(ANSWERS, dtype=object)
    columns = {}
    for feature in plan.features:
        shares = plan.shares(feature)
        kind = rng.choice(len(shares), size=n, p=list(shares.values()))
        luck = rng.random(n)
        cell = np.zeros(n, int)
        for place, name in enumerate(shares):
            # Every cell of the table that stands for the kind is as likely as the next.
            cells = np.flatnonzero(np.array(list("".join(TABLE))) == name)
            cell = np.where(kind == place, cells[(luck * len(cells)).astype(int)], cell)
        columns[f"kano_{feature.name}_functional"] = answers[cell // len(ANSWERS)]
        columns[f"kano_{feature.name}_dysfunctional"] = answers[cell % len(ANSWERS)]
    return pd.DataFrame(columns)
