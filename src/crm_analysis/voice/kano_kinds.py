"""Kano features by how many took them for what: the kind, whether it stands, and what the feature adds or costs."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.messages import N_
from crm_analysis.models.histories import Floats
from crm_analysis.models.shares import wilson_interval

KanoKind = Literal["A", "O", "M", "I", "R", "Q"]
"""Attractive, one-dimensional, must-be, indifferent, reverse; questionable is no kind but a contradiction."""

KINDS = ("A", "O", "M", "I", "R", "Q")

NO_SINGLE_KIND = N_("no single kind")
# In the order in which features are looked at.
NEEDS = {
    "M": N_("basic"),
    "O": N_("expected"),
    "A": N_("exciting"),
    "": NO_SINGLE_KIND,
    "I": N_("indifferent"),
    "R": N_("reverse"),
    "Q": N_("questionable"),
    "?": N_("not known"),
}
# Of two kinds that are as frequent, the one that matters more for product decisions goes first (M > O > A > I).
_EVALUATION = ["M", "O", "A", "I", "R", "Q"]


@dataclass(frozen=True)
class FeatureSize:
    """Respondents of a feature: who answered both questions, who only one; effective n of all and of A, O, M and I."""

    n: int
    incomplete: int
    effective_n: float
    effective_base: float


def feature_row(counts: Floats, size: FeatureSize, level: float) -> dict[str, Any]:
    """Return the row of a feature in `KanoResult.features`; `counts` are in the order of `KINDS`."""
    by_kind = dict(zip(KINDS, counts.tolist(), strict=True))
    total = float(counts.sum())
    first, second = sorted(_EVALUATION, key=lambda kind: -by_kind[kind])[:2]
    a, b = (by_kind[kind] / total if total > 0 else float("nan") for kind in (first, second))
    fong_holds = size.n > 0 and bool((a - b) * size.effective_n > fong_difference(a, b, size.effective_n))
    base = float(counts[:4].sum())
    values: dict[str, Any] = {**by_kind, "n": size.n, "incomplete": size.incomplete, "effective_n": size.effective_n}
    values |= {
        "category": first if size.n else "",
        "runner_up": second if size.n else "",
        "need": NEEDS[(first if fong_holds else "") if size.n else "?"],
        "fong_holds": fong_holds,
        "category_strength": a - b,
        "total_strength": float(counts[:3].sum()) / total if total > 0 else float("nan"),
    }
    for name, kinds, sign in (("better", ("A", "O"), 1), ("worse", ("O", "M"), -1)):
        share = sum(by_kind[kind] for kind in kinds) / base if base > 0 else float("nan")
        ends = wilson_interval(share * size.effective_base, size.effective_base, level=level)
        lower, upper = sorted(sign * float(end) for end in ends)
        values |= {name: sign * share, f"{name}_lower": lower, f"{name}_upper": upper}
    return values


def fong_difference(a: float, b: float, n: float) -> float:
    """Difference of two counts out of `n` answers that chance seldom exceeds; `a` and `b` are shares.

    References
    ----------
    Fong (1996), Center for Quality of Management Journal 5(3), as 1.65 sqrt((a + b)(2n - a - b) / 2n) of counts.
    """
    return 1.65 * float(np.sqrt((a + b) * n * (2 - a - b) / 2))


def sorted_features(features: pd.DataFrame) -> pd.DataFrame:
    """Sort basic features first, then expected and exciting ones, then the rest; within these by worse, then better."""
    place = features["need"].map({need: place for place, need in enumerate(NEEDS.values())})
    return features.iloc[np.lexsort([-features["better"], features["worse"], place])]
