"""What moved the equity of contracts since the month before, and what would raise it: bridge, levers, scenarios."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import _, month_of, percent, short_money, signed
from crm_analysis.report.chapter import Chapter, Memory
from crm_analysis.report.figures.changes import equity_bridge as bridge_drawing
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.equity_levers import moved_by_levers
from crm_analysis.report.stories.equity_movement import movement_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_bridge import CLOSING, OPENING, STEPS, contract_bridge
from crm_analysis.value.contract_equity import ContractEquity, contract_equity
from crm_analysis.value.contract_history import acquisition_on, values_on
from crm_analysis.value.contract_levers import LEVERS, contract_equity_if, contract_levers
from crm_analysis.value.sensitivity import Change

# Smaller changes than this share of the opening are listed, and not drawn.
_SHOWN = 0.0005
_STEP = 0.10
# Of an opening that is made anew no interval is shown.
_FEW_DRAWS = 100
_TIME_ALONE = [OPENING, CLOSING, "unwinding", "released", "horizon_moved"]


@dataclass(frozen=True, eq=False)
class Movement:
    """How equity moved since the month before.

    Attributes
    ----------
    bridge : DataFrame or None
        As `contract_bridge` makes it; None where there is nothing to compare with.
    words : str
        What the opening is: the last book's, or the table of today cut at its date; why there is none.
    levers : DataFrame or None
        As `contract_levers` makes it; None where shares of the equity mean nothing.
    """

    bridge: pd.DataFrame | None
    words: str
    levers: pd.DataFrame | None

    @property
    def figures(self) -> int:
        """How many figures tell of it."""
        return (self.bridge is not None) + (self.levers is not None)


def explain_movement(chapter: Chapter, equity: ContractEquity) -> Movement:
    """Build the bridge from the book of the month before, or from the table of today cut at its date.

    It is left on the shelf as `equity_bridge`, for the overview.
    """
    found = _compare(chapter, equity)
    if found.bridge is None:
        chapter.clear("equity_bridge")
    else:
        chapter.write("equity_bridge", found.bridge)
    return found


def _compare(chapter: Chapter, equity: ContractEquity) -> Movement:
    levers = contract_levers(equity, step=_STEP) if np.isfinite(equity.total) and equity.total else None
    try:
        opening, words = _opening(chapter, equity)
    except DataError:
        opening, words = None, _("Those who would join could not be forecast a month before.")
    if opening is None:
        return Movement(None, words, levers)
    try:
        return Movement(contract_bridge(opening, equity), words, levers)
    except SettingsError as error:
        before = month_of(str(chapter.period.shift(-1)))
        why = _("Nothing of {month} can be bridged to this month: {why}", month=before, why=str(error))
        return Movement(None, why, levers)


def _opening(chapter: Chapter, equity: ContractEquity) -> tuple[ContractEquity | None, str]:
    before = chapter.period.shift(-1)
    month = month_of(str(before))
    folder = chapter.settings.path(chapter.settings.report.processed) / str(before)
    facts = folder / f"{chapter.entry.key}.json"
    if facts.is_file() and (folder / "equity" / "contract_equity.json").is_file():
        if Memory.read(facts).facts.get("currency") == chapter.currency:
            words = _("It begins with the equity of the book of {month}.", month=month)
            return ContractEquity.load(folder / "equity"), words
        return None, _("The book of {month} counts in another currency; the two cannot be bridged.", month=month)
    table, day = chapter.memberships, before.last_day
    values = values_on(table, day, chapter.settings)
    if values is None:
        return None, _("No contract was running at the end of {month}.", month=month)
    joining = acquisition_on(table, day, equity.acquisition)
    words = _(
        "There is no book of {month}: it begins with the contracts of today as they stood then, on the terms of today, "
        "so that corrections since then are not seen as such.",
        month=month,
    )
    return contract_equity(values, acquisition=joining, draws=_FEW_DRAWS, seed=chapter.settings.forecast.seed), words


def bridge_figure(chapter: Chapter, movement: Movement, *, number_: int) -> Figure | Note:
    """Show the steps that moved equity by more than a trifle."""
    bridge = movement.bridge
    if bridge is None:
        return Note(_("No bridge from the month before"), (movement.words,))
    value = bridge["value"].astype(float)
    is_total = bridge.index.isin([OPENING, CLOSING])
    shown = bridge[is_total | (value.abs() >= _SHOWN * abs(value[OPENING]))]
    steps = shown.assign(label=[_(STEPS[step]) for step in shown.index], is_total=shown.index.isin([OPENING, CLOSING]))
    finding = movement_words(bridge, chapter.currency, since=_("In the month"), names=STEPS)
    return Figure(
        name="bridge",
        number=number_,
        finding=finding,
        what=_(
            "From the equity of {before} to that of {now}, {currency}. Every step values again with one thing changed; "
            "steps below {least} of the opening are in the table alone.",
            before=month_of(str(chapter.period.shift(-1))),
            now=month_of(str(chapter.period)),
            currency=chapter.currency,
            least="0.05%",
        ),
        drawing=bridge_drawing(steps, name="bridge", label=finding, currency=chapter.currency),
        note=movement.words,
    )


def bridge_table(chapter: Chapter, movement: Movement) -> Table | Note:
    """List all steps with what each of them means."""
    bridge = movement.bridge
    if bridge is None:
        return Note(_("No steps to list"), (_("They appear once there is a month before to compare with."),))
    labels = [f"{_(STEPS[step])}\n{_meaning(step)}".rstrip() for step in bridge.index]
    currency = chapter.currency
    return Table(
        name="bridge-steps",
        number=0,
        finding=_("The steps add up exactly"),
        what=_(
            "In this fixed order, with the chances to leave of {month} until the parameters change. Parameters are "
            "estimated from what members did, so these lines and those of members are two views of one cause; none is "
            "the effect of anything.",
            month=month_of(str(chapter.period.shift(-1))),
        ),
        frame=bridge.assign(label=labels).reset_index(),
        columns=(
            Column("label", _("Step"), kind="text", sortable=False),
            Column("value", _("Change"), currency, kind="money", currency=currency, digits=0, sortable=False),
            Column(
                "running", _("Equity after it"), currency, kind="money", currency=currency, digits=0, sortable=False
            ),
            Column("customers", _("Members"), kind="count", sortable=False),
        ),
        downloads=chapter.download("equity-bridge", bridge.assign(label=[_(STEPS[step]) for step in bridge.index])),
        long=True,
    )


def _meaning(step: str) -> str:
    return {
        "restatement": _("late, corrected or removed rows of the table"),
        "unwinding": _("the same money is nearer by one period"),
        "released": _("margin expected within the period: it leaves equity and becomes cash"),
        "horizon_moved": _("a period more is looked at, as the opening expected it"),
        "renewed": _("worth more than expected for having stayed; what they paid is released above"),
        "left": _("worth nothing to come"),
        "not_due": _("no renewal came up, so nothing was learnt of them"),
        "fees": _("fees and plans put at what they are now"),
        "new_members": _("those who joined or came back, at what they are worth now"),
        "expected_newcomers": _("part of the opening, because somebody was expected to join"),
        "acquisition_forecast": _("how many are expected to join from now on, and on which plans"),
        "parameters": _("chances to leave, estimated anew"),
        "margin": _("as set in crm.toml"),
        "costs": _("as set in crm.toml"),
        "discount_rate": _("as set in crm.toml"),
        "horizon": _("as set in crm.toml"),
    }.get(step, "")


def levers_figure(chapter: Chapter, movement: Movement, *, number_: int) -> Figure | Note:
    """Show how far each lever moves equity."""
    kept = _("That somebody may leave over a higher fee is not in it.")
    return moved_by_levers(chapter, movement.levers, names=LEVERS, kept=kept, number_=number_)


def scenarios_table(chapter: Chapter, equity: ContractEquity) -> Table | Note:
    """Value the scenarios of the settings."""
    wanted = chapter.settings.scenarios
    if not wanted:
        return Note(
            _("No scenarios are set"),
            (_('Name some in crm.toml, such as [scenarios."Fewer leave"] with leaving = -0.1, and they appear here.'),),
        )
    rows, refused = [(_("As it is"), equity.current, equity.total)], []
    for name, one in wanted.items():
        try:
            found = contract_equity_if(equity, Change(**one.model_dump()))
            rows.append((name, found.current, found.total))
        except SettingsError as error:  # a lever that contracts do not have
            refused.append(f"{name}: {error}")
    if len(rows) == 1:
        return Note(_("No scenario could be valued"), tuple(refused))
    frame = pd.DataFrame(rows, columns=["label", "current", "total"])
    frame["change"] = frame["total"] - equity.total
    frame["relative_change"] = frame["change"] / abs(equity.total) if equity.total else np.nan
    best = frame.iloc[1:].sort_values("change").iloc[-1]
    gain = float(best["relative_change"])
    currency = chapter.currency
    titles = {"current": _("Current members"), "total": _("Customer equity"), "change": _("Change")}
    return Table(
        name="scenarios",
        number=0,
        finding=_(
            "{scenario} would make it {total}, {change}",
            scenario=best["label"],
            total=short_money(float(best["total"]), currency),
            change=signed(percent(gain), gain),
        ),
        what=" ".join(
            [
                _("Futures named in the settings, each beside equity as it is; what they would cost is not in them."),
                *refused,
            ]
        ),
        frame=frame,
        columns=(
            Column("label", _("Scenario"), kind="text", sortable=False),
            *(
                Column(key, title, kind="money", currency=currency, digits=0, sortable=False)
                for key, title in titles.items()
            ),
            Column("relative_change", _("Change"), "%", kind="percent", digits=1, sortable=False),
        ),
        downloads=chapter.download("equity-scenarios", frame.set_index("label")),
    )
