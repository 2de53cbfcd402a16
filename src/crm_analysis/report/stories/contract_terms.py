"""What the worth of contracts rests on: other horizons and rates, and the method in words."""

from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.messages import _, count, money, number
from crm_analysis.messages import rate as write_rate
from crm_analysis.periods import Horizon, horizon_in_units
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.pieces import Note
from crm_analysis.report.stories.wording import contents_words, horizon_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_check import contracts_worth
from crm_analysis.value.contract_equity import ContractEquity


def assumptions_table(chapter: Chapter, equity: ContractEquity, *, number_: int) -> Table:
    """Value the members under other horizons and rates."""
    values = equity.values
    given = values.assumptions
    horizons: list[Horizon] = ["12 months", "24 months", "36 months", "60 months"]
    if given.horizon is not None and given.horizon not in horizons:
        horizons.append(given.horizon)
    horizons.sort(key=lambda horizon: horizon_in_units(horizon, "month"))
    rates = sorted({0.05, 0.10, 0.15, round(given.annual_discount_rate, 6)})
    keys = [f"rate_{place}" for place in range(len(rates))]
    rows = [
        {key: contracts_worth(values, horizon=one, annual_discount_rate=rate)
         for key, rate in zip(keys, rates, strict=True)}
        for one in [*horizons, None]
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    labels = [horizon_words(one, "month") for one in [*horizons, None]]
    column = frame[keys[rates.index(round(given.annual_discount_rate, 6))]]
    year, future = float(column.iloc[horizons.index("12 months")]), float(column.iloc[-1])
    finding = (
        _("All of the future is worth {times} times the next 12 months", times=number(future / year, 1))
        if year > 0 and np.isfinite(future)
        else _("The same members under other horizons and rates")
    )
    money_column: dict[str, Any] = {"kind": "money", "currency": chapter.currency, "digits": 0, "sortable": False}
    return Table(
        name="assumptions",
        number=number_,
        finding=finding,
        what=_(
            "Worth of the current members under other horizons and annual discount rates, all else unchanged; this "
            "book uses {horizon} and {rate}.",
            horizon=horizon_words(given.horizon, "month"),
            rate=write_rate(given.annual_discount_rate),
        ),
        frame=frame.assign(horizon=labels),
        columns=(
            Column("horizon", _("Horizon"), kind="text", sortable=False),
            *(
                Column(key, write_rate(annual), _("discount a year"), **money_column)
                for key, annual in zip(keys, rates, strict=True)
            ),
        ),
        downloads=chapter.download("equity-assumptions", frame.set_axis(labels, axis=0)),
    )


def method_note(chapter: Chapter, equity: ContractEquity) -> Note:
    """Say what the number is and what it is not."""
    given = equity.values.assumptions
    costs, currency = given.costs, chapter.currency
    cost_words = _(
        "{per_payment} for each payment and {per_year} a year for each contract",
        per_payment=money(costs.cost_per_order, currency),
        per_year=money(costs.cost_to_serve_per_year, currency),
    )
    paragraphs = [
        _(
            "A running contract is worth its fees to come within {horizon}: each on the day of its renewal, with the "
            "chance that the member is there still, discounted at {rate} a year, times a margin of {margin}, less "
            "{costs}. The term that is running is paid and not in it.",
            horizon=horizon_words(given.horizon, "month"),
            rate=write_rate(given.annual_discount_rate),
            margin=write_rate(given.margin),
            costs=cost_words,
        ),
        _(
            "Members differ in how easily they leave: the chance at a renewal is Beta-distributed over them (shifted "
            "beta-geometric, Fader and Hardie 2007; residual lifetime, 2010). So those who stayed long are likely to "
            "stay. Leaving within a term counts at the renewal that follows."
        ),
        _(
            "The interval comes from {draws} simulated futures and contains {contains}. The doubt about the model "
            "itself, the fees and the mix of plans is not inside; the test on held-out months speaks of the first.",
            draws=count(len(equity.draws)),
            contains=contents_words(equity.interval),
        ),
    ]
    if equity.future is not None:
        paragraphs.append(
            _(
                "Future members are worth their first payment and all after it within the same horizon, discounted "
                "from the day they are expected to join, by the models of the plans that members of the last year "
                "chose. What acquiring them costs stands on a line of its own."
            )
        )
    return Note(title=_("How members are valued"), paragraphs=tuple(paragraphs))
