"""The indicators of a scorecard as a page shows them: tiles, changes in words, small lines, and the whole table."""

from collections.abc import Mapping

import pandas as pd

from crm_analysis.messages import N_, _, count, missing, money, month_of, percent, points, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.pieces import Change, Spark, Tile, Tiles
from crm_analysis.report.tables import Column, Table
from crm_analysis.scorecard import Indicator, Scorecard, Verdict


def indicator_tiles(chapter: Chapter, card: Scorecard, units: Mapping[str, str]) -> Tiles:
    """Show some indicators with their changes; `units` says by key what stands below each, "" for its definition."""
    return Tiles(
        tuple(_tile(chapter, card, key, unit) for key, unit in units.items()),
        _(
            "Small lines: 13 months, each on its own scale. Filled dot: this month. Open dots: last month and the "
            "same month last year."
        ),
    )


def scorecard_table(chapter: Chapter, card: Scorecard) -> Table:
    """List every indicator beside the month before, the year before, and its target."""
    currency, period = chapter.currency, chapter.period
    rows = [
        {
            "name": _(one.name),
            "value": written(one, card.value(one.key), currency),
            "previous": written(one, card.value(one.key, 1), currency),
            "year_ago": written(one, card.value(one.key, 12), currency),
            "growth_month": _growth(card, one, 1),
            "growth_year": _growth(card, one, 12),
            "target": written(one, card.targets.get(one.key), currency),
            "status": _target_status(card.against_target(one.key), one),
            "line": spark(card, one, currency),
        }
        for one in card.indicators
    ]
    targets = (
        Column("target", _("Target"), sortable=False),
        Column("status", _("Status"), kind="status", sortable=False),
    )
    return Table(
        name="scorecard",
        number=1,
        finding=_targets_words(card),
        what=_("Growth is in percent of the earlier value, or in points for a share."),
        frame=pd.DataFrame(rows),
        columns=(
            Column("name", _("Indicator"), kind="text", sortable=False),
            Column("value", month_of(str(period)), sortable=False),
            Column("previous", month_of(str(period.shift(-1))), sortable=False),
            Column("growth_month", _("Growth on the month"), sortable=False),
            Column("year_ago", month_of(str(period.shift(-12))), sortable=False),
            Column("growth_year", _("Growth on the year"), sortable=False),
            *(targets if card.targets else ()),
            Column("line", _("13 months"), kind="spark", sortable=False),
        ),
        downloads=chapter.download("scorecard", card.table),
    )


def written(one: Indicator, value: float | None, currency: str) -> str:
    """Write the value of an indicator."""
    if one.kind == "money":
        return money(value, currency)
    return percent(value, 1) if one.kind == "share" else count(value)


def spark(card: Scorecard, one: Indicator, currency: str) -> Spark:
    """Return the small line of an indicator, with its ends and extremes in words."""
    line = card.history[one.key]
    seen = line.dropna()
    values = tuple(float(value) for value in line)
    if seen.empty:
        return Spark(values, _("{name}: no figures", name=_(one.name)))
    label = _(
        "{name}, {first} to {last}: from {start} to {end}; lowest {low} in {low_month}, highest {high} in {high_month}",
        name=_(one.name),
        first=month_of(str(seen.index[0])),
        last=month_of(str(seen.index[-1])),
        start=written(one, seen.iloc[0], currency),
        end=written(one, seen.iloc[-1], currency),
        low=written(one, seen.min(), currency),
        low_month=month_of(str(seen.idxmin())),
        high=written(one, seen.max(), currency),
        high_month=month_of(str(seen.idxmax())),
    )
    return Spark(values, label)


def _tile(chapter: Chapter, card: Scorecard, key: str, unit: str) -> Tile:
    one, currency = card.indicator(key), chapter.currency
    value, definition = card.value(key), _(one.definition)
    return Tile(
        name=_(one.name),
        value=short_money(value, currency) if one.kind == "money" else written(one, value, currency),
        unit=unit or definition[:1].upper() + definition[1:] + ".",
        changes=tuple(_change(chapter, card, one, back) for back in (1, 12)),
        spark=spark(card, one, currency),
    )


def _change(chapter: Chapter, card: Scorecard, one: Indicator, back: int) -> Change:
    then = month_of(str(chapter.period.shift(-back)))
    earlier = card.value(one.key, back)
    difference = card.value(one.key) - earlier
    if difference != difference:
        return Change("flat", "flat", _("{month}: no figure", month=then), _("not comparable"))
    if one.kind == "share":
        size = points(difference)
    else:
        size = percent(abs(card.change(one.key, back))) if earlier else written(one, abs(difference), chapter.currency)
    verdict = card.verdict(one.key, back)
    word = _(_VERDICTS[verdict])
    colour = {"better": "good", "worse": "bad"}.get(verdict, "flat")
    if difference == 0:
        return Change("flat", "flat", _("Same as {month}", month=then), word)
    if difference > 0:
        return Change("up", colour, _("{size} above {month}", size=size, month=then), word)  # type: ignore[arg-type]  # one of the three
    return Change("down", colour, _("{size} below {month}", size=size, month=then), word)  # type: ignore[arg-type]


_VERDICTS = {
    "better": N_("better"),
    "worse": N_("worse"),
    "unchanged": N_("unchanged"),
    "no clear change": N_("no clear change"),
    "neutral": N_("neither better nor worse"),
}


def _growth(card: Scorecard, one: Indicator, back: int) -> str:
    change = card.change(one.key, back)
    if change != change:
        return missing()
    sign = "+" if change > 0 else "−" if change < 0 else ""
    return sign + (points(change) if one.kind == "share" else percent(abs(change)))


def _target_status(verdict: Verdict | None, one: Indicator) -> Change | None:
    if verdict is None:
        return None
    if verdict == "no clear change":
        return Change("flat", "flat", _("Target inside interval"), "")
    if verdict == "better":
        return Change("up", "good", _("On target"), "")
    return Change("down", "bad", _("Above target") if one.higher_is_better is False else _("Below target"), "")


def _targets_words(card: Scorecard) -> str:
    if not card.targets:
        return _("Every indicator beside last month and last year")
    verdicts = [card.against_target(key) for key in card.targets]
    counts = {"met": count(verdicts.count("better")), "all": count(len(verdicts))}
    undecided = verdicts.count("no clear change")
    if undecided:
        return _(
            "{met} of {all} indicators with a target are on it, {undecided} cannot be told",
            undecided=count(undecided),
            **counts,
        )
    return _("{met} of {all} indicators with a target are on it", **counts)
