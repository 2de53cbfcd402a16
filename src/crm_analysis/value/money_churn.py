"""Money lost: what the customers of one stretch of time brought in then, and what the same customers bring in now."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.messages import _, count, day
from crm_analysis.models.shares import ratio_interval
from crm_analysis.value.loss import Loss, unknown


@dataclass(frozen=True)
class RevenueBridge:
    """From what some customers brought in during one stretch to what the same customers brought in during the next.

    Newcomers are not in it. opening - lost - contraction + expansion = closing.

    Attributes
    ----------
    opening, closing : float
        Revenue of the customers of the first stretch, in it and in the second.
    lost : float
        What those who bought nothing in the second had brought in.
    contraction, expansion : float
        How much less, and how much more, those who bought again brought in; both >= 0.
    customers, lost_customers : int
    """

    opening: float
    lost: float
    contraction: float
    expansion: float
    closing: float
    customers: int
    lost_customers: int

    @property
    def net_retention(self) -> float:
        """Net revenue retention, closing / opening; missing where nothing came in at first."""
        return self.closing / self.opening if self.opening > 0 else float("nan")

    @property
    def gross_retention(self) -> float:
        """Gross revenue retention: the same without expansion, never above 1."""
        kept = self.opening - self.lost - self.contraction
        return kept / self.opening if self.opening > 0 else float("nan")


def money_churn(transactions: Any, start: date, end: date, margin: float | None) -> tuple[list[Loss], RevenueBridge]:
    """Margin and revenue lost of the customers who bought in the stretch before the start, as long as that after it."""
    begin = start - (end - start)
    then, now = (purchases_between(transactions, after=a, until=b) for a, b in ((begin, start), (start, end)))
    stayed = then.index.isin(now.index)
    before, after = then["spend"].to_numpy(), now["spend"].reindex(then.index).fillna(0.0).to_numpy()
    change = after - before
    lost, less = np.where(stayed, 0.0, before), np.where(stayed, np.maximum(-change, 0.0), 0.0)
    more = np.where(stayed, np.maximum(change, 0.0), 0.0)
    bridge = RevenueBridge(
        opening=float(before.sum()),
        lost=float(lost.sum()),
        contraction=float(less.sum()),
        expansion=float(more.sum()),
        closing=float(after.sum()),
        customers=len(then),
        lost_customers=int((~stayed).sum()),
    )
    days, places = (end - start).days, {"begin": day(begin), "start": day(start), "end": day(end)}

    def loss(measure: str, part: np.ndarray, whole: np.ndarray, definition: str) -> Loss:
        return Loss(
            "money", measure, float(whole.sum()), float(part.sum()), definition, days, ratio_interval(part, whole)
        )

    net = _(
        "Revenue after {begin} and up to {start}; lost is that of customers who bought nothing after it and up to "
        "{end}, and what the others brought in less, net of what they brought in more.",
        **places,
    )
    gross = _("The same revenue; lost is the same, without what others brought in more.")
    of_margin = _(
        "Margin after {begin} and up to {start}; lost is that of customers who bought nothing after it and up to "
        "{end}.",
        **places,
    )
    losses = [loss("net_revenue", lost + less - more, before, net), loss("gross_revenue", lost + less, before, gross)]
    return [_margin_loss(then, stayed, margin, of_margin, loss), *losses], bridge


def _margin_loss(then: pd.DataFrame, stayed: np.ndarray, margin: float | None, definition: str, loss: Any) -> Loss:
    """Take the log's own margins, else the same share of all spend."""
    told = then["margin"]
    if margin is not None:
        told = told.fillna(then["spend"] * margin)
    if told.isna().any():
        why = _("The log does not tell the margin of {n} customers, and none was given.", n=count(told.isna().sum()))
        return unknown("money", "margin", definition, why)
    whole = told.to_numpy()
    found: Loss = loss("margin", np.where(stayed, 0.0, whole), whole, definition)
    return found
