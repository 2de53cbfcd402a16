"""Segments and lifecycle: who holds the worth, where customers stand, where they are going, and what to do."""

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import N_, _, count, day, month_of, percent, short_money
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.moves import tier_moves
from crm_analysis.report.figures.tiers import tiers as tiers_drawing
from crm_analysis.report.pieces import Alerts, Figure, Headline, Note
from crm_analysis.report.stories.division import Divided, alerts_of, divide_base, known_or_none, tier_migration
from crm_analysis.report.stories.segment_pieces import (
    money_column,
    moves_table,
    segments_of,
    since_words,
    treatments_piece,
)
from crm_analysis.report.stories.wording import horizon_words, sample_words, terms_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.migration import Migration
from crm_analysis.value.segment_table import segment_table
from crm_analysis.value.treatments import treatment_table

__all__ = ["divide_base"]  # the notebook begins with it


def headline(chapter: Chapter, divided: Divided) -> Headline:
    """Say who holds the worth, and who moved."""
    table, given = divided.pyramid.table, divided.values.assumptions
    top, share = str(table.index[0]), known_or_none(table["share_of_value"].iloc[0])
    if share is None:
        title = _("The base in segments")
    else:
        title = _(
            "{customers} {tier} customers, {share_of_customers} of all, hold {share} of the current base's worth",
            customers=count(table["customers"].iloc[0]),
            tier=_(top),
            share_of_customers=percent(table["share_of_customers"].iloc[0]),
            share=percent(share),
        )
    return Headline(
        over=_("Segments and lifecycle, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_moves_words(divided),
        status=(
            _("Residual value within {horizon}", horizon=horizon_words(given.horizon, given.time_unit)),
            terms_words(given),
        ),
    )


def alerts(chapter: Chapter, divided: Divided) -> Alerts:
    """What to read first."""
    return Alerts(tuple(alerts_of(chapter, divided)))


def pyramid_figure(chapter: Chapter, divided: Divided) -> Figure | Note:
    """Show the tiers with the share of the worth each holds."""
    table = divided.pyramid.table
    if table["share_of_value"].isna().all():
        return Note(
            _("No shares to show"),
            (_("Serving the base costs more than its margin brings; shares of a total below zero mean nothing."),),
        )
    low = table.iloc[-1]
    finding = _(
        "{tier} is {customers} of the customers and {share} of the worth",
        tier=_(str(table.index[-1])).capitalize(),
        customers=percent(low["share_of_customers"]),
        share=percent(low["share_of_value"]),
    )
    notes = [*divided.pyramid.notes, sample_words(divided.values)]
    return Figure(
        name="pyramid",
        number=0,
        finding=finding,
        what=_(
            "Share of the current base's residual value held by each tier; at the right the mean of a customer, "
            "{currency}. Where tiers end is a convention of the settings.",
            currency=chapter.currency,
        ),
        drawing=tiers_drawing(table, label=finding, currency=chapter.currency),
        note=" ".join(note for note in notes if note) or _("Tiers are by residual value, from the top."),
    )


def treatments_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Say of each tier what it is, how many, what it is worth, its trend, and what to do."""
    settings = chapter.settings.segments
    now = segments_of(divided.values, divided.pyramid.tier)
    if now is None:
        tier = _(str(divided.pyramid.tier.iloc[0]))
        return Note(_("All customers are in one tier"), (_("By the settings every customer is {tier}.", tier=tier),))
    then = None
    if divided.pyramid_before is not None and divided.before is not None:
        then = segments_of(divided.before, divided.pyramid_before.tier)
    table = treatment_table(now, then, settings.treatments, others=settings.names)
    return treatments_piece(
        chapter,
        table,
        name="treatments",
        first=_("Tier"),
        finding=_("What to do with each tier"),
        what=_(
            "The words are those of the settings ([segments.treatments] in crm.toml). {since}",
            since=since_words(divided),
        ),
    )


def moves_figure(chapter: Chapter, divided: Divided) -> Figure | Note:
    """Show which share of each tier rose, stayed and fell since a quarter ago."""
    moved = tier_migration(divided)
    if moved is None:
        return Note(
            _("Nobody to follow"),
            (_("The log does not reach back a quarter, so no move can be told from a first place."),),
        )
    up, down = int(moved.up["customers"].sum()), int(moved.down["customers"].sum())
    finding = _("{up} customers moved up and {down} moved down", up=count(up), down=count(down))
    joined = int(moved.counts.iloc[-1].sum())  # the last row is of those who were not there
    return Figure(
        name="moves",
        number=0,
        finding=finding,
        what=_(
            "Customers by their tier on {before}: the share now in a higher, the same and a lower tier, both dates "
            "valued with the models of today.",
            before=day(divided.since),
        ),
        drawing=tier_moves(_moves_by_tier(moved), name="moves", label=finding),
        note=_("{joined} customers joined since and moved from nowhere.", joined=count(joined)),
        data=moves_table(
            chapter,
            moved,
            since=divided.since,
            finding=finding,
            what=_("Customers by their tier on {before} (rows) and now (columns).", before=day(divided.since)),
        ),
    )


def _moves_by_tier(moved: Migration) -> pd.DataFrame:
    """Count those who rose, stayed and fell from each tier."""
    tiers = [tier for tier in moved.counts.index if tier in moved.counts.columns]
    square = moved.counts.loc[tiers, tiers].to_numpy(dtype=float)
    return pd.DataFrame(
        {
            "label": [_(str(tier)).capitalize() for tier in tiers],
            "up": np.tril(square, -1).sum(axis=1),
            "stayed": np.diag(square),
            "down": np.triu(square, 1).sum(axis=1),
        }
    )


# What is known of customers beside their purchases, in the order in which it is shown.
# Fewer customers than this are no level to name, be it only because their value may be one of their own.
_FEW = 5
_ATTRIBUTES = {
    "kind": N_("kind"),
    "region": N_("region"),
    "settlement": N_("settlement"),
    "receivable_status": N_("money owed"),
    "acquisition_channel": N_("channel"),
}


def attributes_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Divide the base by what is known of customers: region, kind, settlement and other attributes of few levels."""
    if divided.customers is None:
        return Note(
            _("Nothing is known of customers beside their purchases"),
            (_("Name a table of customers in crm.toml ([sources.customers]) and its columns divide the base here."),),
        )
    known = divided.customers.frame
    if not known.index.isin(divided.values.frame.index).any():
        return Note(
            _("The table of customers knows none of these customers"),
            (_("Check that it has the same customer ids as the purchase log."),),
        )
    parts, left_out = [], []
    for name in [*_ATTRIBUTES, *sorted(set(_own_columns(known)))]:
        if name not in known.columns:
            continue
        try:
            table = segment_table(divided.values, name, attributes=known)
        except SettingsError:  # one level, or as many as customers
            left_out.append(name)
            continue
        levels = [" ".join(str(level).split()) for level in table.index]
        parts.append(table.assign(level=levels, attribute=_(_ATTRIBUTES.get(name, name))))
    if not parts:
        return Note(
            _("The table of customers divides nobody"),
            (_("None of its columns has more than one level among these customers."),),
        )
    frame = pd.concat(parts, ignore_index=True)
    frame["label"] = frame["level"] + "\n" + frame["attribute"]
    many = frame["customers"] >= _FEW
    best = (frame[many] if many.any() else frame).sort_values("mean_value", ascending=False).iloc[0]
    return Table(
        name="attributes",
        number=0,
        finding=_(
            'Customers with {attribute} "{level}" are worth most on average, {value} each',
            attribute=best["attribute"],
            level=best["level"],
            value=short_money(float(best["mean_value"]), chapter.currency),
        ),
        what=_(
            "The current base by what is known of customers; a difference of means says nothing of its "
            "cause.{left_out}",
            left_out="" if not left_out else _(" Columns of one level: {names}.", names=", ".join(left_out)),
        ),
        frame=frame,
        columns=(
            Column("label", _("Segment"), kind="text"),
            Column("customers", _("Customers"), kind="count"),
            money_column("value", _("Worth"), chapter),
            Column("share_of_value", _("Share of worth"), "%", kind="percent", digits=1),
            money_column("mean_value", _("Each"), chapter),
            Column("probability_alive", _("Probability alive"), _("mean"), digits=2),
        ),
        downloads=chapter.download("attributes", frame),
        long=True,
    )


def _own_columns(known: pd.DataFrame) -> list[str]:
    """Columns a company added that divide customers into groups: texts and flags of few levels, no ids and no names."""
    fixed = {*_ATTRIBUTES, "acquired_on", "acquisition_cost", "referred_by", "receivable_amount", "receivable_due"}
    found = []
    for name in known.columns.difference(pd.Index(sorted(fixed))):
        column = known[name].dropna()
        is_text = not pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_datetime64_any_dtype(column)
        if not (is_text or pd.api.types.is_bool_dtype(column)) or column.empty:
            continue
        in_levels = column.astype(str).value_counts()
        # Most are in levels of several customers, and no level is itself the id of a customer.
        if in_levels[in_levels >= _FEW].sum() >= 0.9 * len(column) and not in_levels.index.isin(known.index).any():
            found.append(str(name))
    return found


def _moves_words(divided: Divided) -> str:
    moved = tier_migration(divided)
    if moved is None:
        return _("The log does not reach back a quarter, so who moved cannot be told.")
    up, down = int(moved.up["customers"].sum()), int(moved.down["customers"].sum())
    words = _(
        "Since {day} {up} customers moved to a higher tier and {down} to a lower one.",
        day=day(divided.since),
        up=count(up),
        down=count(down),
    )
    then = divided.before.total if divided.before is not None else 0.0
    if not then > 0:
        return words
    change = divided.values.total / then - 1
    if change >= 0:
        return _(
            "{words} By the models of today the base is worth {more} more than then.", words=words, more=percent(change)
        )
    return _(
        "{words} By the models of today the base is worth {less} less than then.", words=words, less=percent(-change)
    )
