"""What moved equity since the book before: the bridge, and the cash of the month beside it."""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, money, month_of, short_money, signed
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.figures.changes import equity_bridge as bridge_drawing
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.bridge import CLOSING, OPENING, STEPS, equity_bridge, period_cash
from crm_analysis.value.equity import CustomerEquity

# Smaller changes than this share of the opening are listed, and not drawn.
_SHOWN = 0.0005


@dataclass(frozen=True, eq=False)
class Movement:
    """How equity moved since the book before.

    Attributes
    ----------
    bridge : DataFrame or None
        As `equity_bridge` makes it; None where there is nothing to compare with.
    cash : Series or None
        As `period_cash` makes it.
    why_not : str
        Why there is no bridge; "" where there is one.
    """

    bridge: pd.DataFrame | None
    cash: pd.Series | None
    why_not: str

    @property
    def figures(self) -> int:
        """How many figures tell of it."""
        return 0 if self.bridge is None else 1


def explain_movement(chapter: Chapter, equity: CustomerEquity) -> Movement:
    """Build the bridge from the book of the month before, if there is one that can be compared with.

    It is left on the shelf as `equity_bridge`, for the overview.
    """
    found = _compare(chapter, equity)
    if found.bridge is None:
        chapter.clear("equity_bridge")
    else:
        chapter.write("equity_bridge", found.bridge)
    return found


def _compare(chapter: Chapter, equity: CustomerEquity) -> Movement:
    before = chapter.period.shift(-1)
    folder = chapter.settings.path(chapter.settings.report.processed) / str(before)
    facts = folder / f"{chapter.entry.key}.json"
    if not facts.is_file():
        return Movement(
            None,
            None,
            _("There is no book of {month}; build it first to see what moved equity.", month=month_of(str(before))),
        )
    currency = Memory.read(facts).facts.get("currency")
    if currency != chapter.currency:
        return Movement(
            None,
            None,
            _(
                "The book of {month} counts in {other}, this one in {currency}; the two cannot be bridged.",
                month=month_of(str(before)),
                other=currency or _("an unknown currency"),
                currency=chapter.currency,
            ),
        )
    try:
        opening = CustomerEquity.load(folder / "equity")
        as_of = opening.values.customers.as_of
        assert as_of is not None  # a book is of a month
        restated = summarize_customers(
            chapter.valued_log,
            as_of=as_of,
            time_unit=opening.values.assumptions.time_unit,
            annual_discount_rate=opening.values.assumptions.annual_discount_rate,
        )
        bridge = equity_bridge(opening, equity, restated=restated)
        cash = period_cash(opening, equity, restated=restated)
    except SettingsError as error:
        return Movement(
            None,
            None,
            _("The book of {month} cannot be bridged to this one: {why}", month=month_of(str(before)), why=str(error)),
        )
    return Movement(bridge, cash, "")


def bridge_figure(chapter: Chapter, movement: Movement, *, number_: int) -> Figure | Note:
    """Show the steps that moved equity by more than a trifle."""
    bridge = movement.bridge
    if bridge is None:
        return Note(_("No bridge from the month before"), (movement.why_not,))
    value = bridge["value"].astype(float)
    size = abs(value[OPENING])
    is_total = bridge.index.isin([OPENING, CLOSING])
    shown = bridge[is_total | (value.abs() >= _SHOWN * size)]
    steps = shown.assign(label=[_(STEPS[step]) for step in shown.index], is_total=shown.index.isin([OPENING, CLOSING]))
    # What is not drawn is moved over in silence, so each change starts where it really started.
    finding = movement_words(bridge, chapter.currency, since=_("Since the last book"))
    return Figure(
        name="bridge",
        number=number_,
        finding=finding,
        what=_(
            "From the equity in the book of {before} to that of {now}, {currency}. Every step values again with one "
            "thing changed; steps below {least} of the opening are in the table alone. The thirteen months above value "
            "each month by the method of today, so their difference may be another.",
            before=month_of(str(chapter.period.shift(-1))),
            now=month_of(str(chapter.period)),
            currency=chapter.currency,
            least="0.05%",
        ),
        drawing=bridge_drawing(steps, name="bridge", label=finding, currency=chapter.currency),
        note=_cash_words(movement, chapter.currency),
    )


def bridge_table(chapter: Chapter, movement: Movement) -> Table | Note:
    """List all steps with what each of them means."""
    if movement.bridge is None:
        return Note(_("No steps to list"), (_("They appear from the second book in a row on."),))
    bridge, of_lines = movement.bridge, chapter.settings.money.line_margins is not None
    labels = [f"{_(STEPS[step])}\n{_meaning(step, of_lines=of_lines)}".rstrip() for step in bridge.index]
    frame = bridge.assign(label=labels).reset_index()
    currency = chapter.currency
    return Table(
        name="bridge-steps",
        number=0,
        finding=_("The steps add up exactly"),
        what=_(
            "In this fixed order, with the models of {month} until the parameters change. Parameters are estimated "
            "from what customers did, so these lines and those of customers are two views of one cause; none is the "
            "effect of anything.",
            month=month_of(str(chapter.period.shift(-1))),
        ),
        frame=frame,
        columns=(
            Column("label", _("Step"), kind="text", sortable=False),
            Column("value", _("Change"), currency, kind="money", currency=currency, digits=0, sortable=False),
            Column(
                "running", _("Equity after it"), currency, kind="money", currency=currency, digits=0, sortable=False
            ),
            Column("customers", _("Customers"), kind="count", sortable=False),
        ),
        downloads=chapter.download("equity-bridge", bridge.assign(label=[_(STEPS[step]) for step in bridge.index])),
        long=True,
    )


def movement_words(bridge: pd.DataFrame, currency: str, *, since: str, names: Mapping[str, str] = STEPS) -> str:
    """Name the largest step that is no arithmetic of time; `since` says from when, `names` what steps are called."""
    changes = bridge["value"].drop([OPENING, CLOSING, "unwinding", "released", "horizon_moved"])
    change = float(bridge["value"][CLOSING]) - float(bridge["value"][OPENING])
    largest = str(changes.abs().idxmax())
    moved, amount = signed(short_money(change, currency), change), float(changes[largest])
    if amount == 0:
        return _("{since} equity moved by {change}; nothing but time went by", since=since, change=moved)
    return _(
        "{since} equity moved by {change}; the largest step beside the passing of time is {step}, {amount}",
        since=since,
        change=moved,
        step=_(names[largest]).lower(),
        amount=signed(short_money(amount, currency), amount),
    )


def _cash_words(movement: Movement, currency: str) -> str:
    cash = movement.cash
    assert cash is not None  # there is a bridge
    if cash["realised"] != cash["realised"]:
        return _("A memo of the cash of the month is missing: the past was carried at another rate.")
    amounts = {name: money(float(cash[name]), currency) for name in cash.index}
    words = _(
        "Memo, not part of equity: customers there before brought {from_customers} in cash in the month, against "
        "{expected_from_customers} expected.",
        **amounts,
    )
    if cash["expected_from_newcomers"] == cash["expected_from_newcomers"]:
        joined = _(
            "New ones brought {from_newcomers} net of their cost, against {expected_from_newcomers} expected.",
            **amounts,
        )
    else:
        joined = _("New ones brought {from_newcomers} net of their cost.", **amounts)
    return f"{words} {joined}"


def _meaning(step: str, *, of_lines: bool) -> str:
    """What a step is; two of them are others where the lines of the log have margins of their own."""
    if of_lines and step == "spend":
        return _("what they paid and what it left, beside what was expected")
    if of_lines and step == "margin":
        return _("that of all customers together, and how far each is believed")
    return {
        "restatement": _("late, corrected or removed rows of the log"),
        "unwinding": _("the same money is nearer by one period"),
        "released": _("margin expected within the period: it leaves equity and becomes cash"),
        "horizon_moved": _("a period more is looked at, as the opening expected it"),
        "bought": _("worth more than expected for having come back, at the spend expected"),
        "did_not_buy": _("silent, so mostly less likely to be there"),
        "spend": _("what they paid, beside what was expected"),
        "new_customers": _("those who joined, at what they are worth now"),
        "expected_newcomers": _("part of the opening, because somebody was expected to join"),
        "acquisition_forecast": _("how many are expected to join from now on, and their first purchase"),
        "purchase_rate": _("estimated anew from a longer log"),
        "dropout": _("estimated anew from a longer log"),
        "spend_parameters": _("estimated anew from a longer log"),
        "model": _("the forecast was chosen anew and another model won"),
        "recalibration": _("seasons and level of the shop read off anew"),
        "margin": _("as set in crm.toml"),
        "costs": _("as set in crm.toml"),
        "discount_rate": _("as set in crm.toml"),
        "horizon": _("as set in crm.toml"),
    }.get(step, "")
