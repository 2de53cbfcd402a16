"""Members in segments: who holds the worth, on which plan, where members stand, and who moved."""

import dataclasses
from dataclasses import dataclass
from datetime import date

import pandas as pd

from crm_analysis.messages import _, count, day, month_of, percent, plural
from crm_analysis.periods import months_after
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.tiers import tiers as tiers_drawing
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Note
from crm_analysis.report.stories.contract_renewals import DUE_DAYS, renewals_due
from crm_analysis.report.stories.segment_pieces import moves_table, segments_of, treatments_piece
from crm_analysis.report.stories.wording import horizon_words, terms_words
from crm_analysis.report.tables import Table
from crm_analysis.segment_rules import PyramidRules, Treatment
from crm_analysis.segment_treatments import MEMBER_TREATMENTS
from crm_analysis.value.contract_check import by_later_models
from crm_analysis.value.contract_equity import ContractEquity
from crm_analysis.value.contract_history import values_on
from crm_analysis.value.contract_values import ContractValues
from crm_analysis.value.member_states import member_states
from crm_analysis.value.migration import Migration, migration_matrix
from crm_analysis.value.pyramid import CustomerPyramid, customer_pyramid
from crm_analysis.value.treatments import treatment_table

# How far back a chapter about where members are going looks, and how soon a renewal is near.
_MONTHS_BACK, _NEAR_DAYS = 3, 30


@dataclass(frozen=True, eq=False)
class Membership:
    """The members in segments, now and a quarter ago.

    Attributes
    ----------
    values : ContractValues
        Of today, as the chapter on equity left them.
    before : ContractValues or None
        Those of a quarter ago, valued with the models of today, so that only members differ; None where there was none.
    pyramid, pyramid_before : CustomerPyramid
    states, states_before : DataFrame
        As `member_states`.
    """

    values: ContractValues
    before: ContractValues | None
    pyramid: CustomerPyramid
    pyramid_before: CustomerPyramid | None
    states: pd.DataFrame
    states_before: pd.DataFrame | None

    @property
    def since(self) -> date:
        """The date a quarter ago."""
        return months_after(self.values.as_of, -_MONTHS_BACK)


def divide_members(chapter: Chapter) -> Membership:
    """Divide the members by the rules of the settings, today and a quarter ago."""
    values = ContractEquity.load(chapter.folder / "equity").values
    rules, table = chapter.settings.segments, chapter.memberships
    then = months_after(chapter.as_of, -_MONTHS_BACK)
    earlier = values_on(table, then, chapter.settings)
    before = None if earlier is None else by_later_models(earlier, values)
    new_days = int(rules.lifecycle.new_days)
    states_before = None
    if before is not None:
        states_before = member_states(table.until(then).frame, as_of=then, new_days=new_days, due_days=_NEAR_DAYS)
    divided = Membership(
        values,
        before,
        _pyramid(values, rules.pyramid),
        None if before is None else _pyramid(before, rules.pyramid),
        member_states(table.frame, as_of=chapter.as_of, new_days=new_days, due_days=_NEAR_DAYS),
        states_before,
    )
    due = renewals_due(values)
    chapter.write(
        "segments",
        divided.states.assign(state=divided.states["state"].astype(str)).join(divided.pyramid.tier.astype(str)),
    )
    chapter.remember(
        alerts=tuple(_alerts(chapter, divided)),
        due=len(due),
        due_days=DUE_DAYS,
        due_renewing=float(due["probability_renewing"].sum()),
        due_worth=float(due["residual_value"].sum()),
        unprofitable=int(divided.pyramid.table["unprofitable"].sum()),
    )
    return divided


def _pyramid(values: ContractValues, rules: PyramidRules) -> CustomerPyramid:
    """Divide by the rules; a total without shares is divided by members, and the note says so."""
    if rules.by == "value" and not 0 < values.total < float("inf"):
        by_customers = customer_pyramid(values, names=rules.names, cut_offs=rules.cut_offs, by="customers")
        words = _("The total has no shares, so tiers are by shares of the members and not of the worth.")
        return dataclasses.replace(by_customers, notes=(*by_customers.notes, words))
    return customer_pyramid(values, **vars(rules))


def headline(chapter: Chapter, divided: Membership) -> Headline:
    """Say who holds the worth, and who moved."""
    table, given = divided.pyramid.table, divided.values.assumptions
    share = float(table["share_of_value"].iloc[0])
    title = (
        _("The members in segments")
        if share != share
        else _(
            "{members} {tier} members, {share_of_members} of all, hold {share} of the worth",
            members=count(table["customers"].iloc[0]),
            tier=_(str(table.index[0])),
            share_of_members=percent(table["share_of_customers"].iloc[0]),
            share=percent(share),
        )
    )
    return Headline(
        over=_("Members and plans, {period}", period=month_of(str(chapter.period))),
        title=title,
        lede=_moves_words(divided),
        status=(
            _("Residual value within {horizon}", horizon=horizon_words(given.horizon, given.time_unit)),
            terms_words(given),
        ),
    )


def alerts(chapter: Chapter, divided: Membership) -> Alerts:
    """What to read first."""
    return Alerts(tuple(_alerts(chapter, divided)))


def pyramid_figure(chapter: Chapter, divided: Membership, *, number_: int) -> Figure | Note:
    """Show the tiers with the share of the worth each holds."""
    table = divided.pyramid.table
    if table["share_of_value"].isna().all():
        return Note(
            _("No shares to show"),
            (_("Serving the members costs more than their margin brings; shares of a total below zero mean nothing."),),
        )
    low = table.iloc[-1]
    finding = _(
        "{tier} is {members} of the members and {share} of the worth",
        tier=_(str(table.index[-1])).capitalize(),
        members=percent(low["share_of_customers"]),
        share=percent(low["share_of_value"]),
    )
    return Figure(
        name="pyramid",
        number=number_,
        finding=finding,
        what=_(
            "Share of the residual value held by each tier; at the right the mean of a member, {currency}. Where tiers "
            "end is a convention of the settings.",
            currency=chapter.currency,
        ),
        drawing=tiers_drawing(table, label=finding, currency=chapter.currency),
        note=" ".join(note for note in divided.pyramid.notes if note)
        or _("Tiers are by residual value, from the top."),
    )


def figures_of_shares(divided: Membership) -> int:
    """How many figures show shares of the worth: both, or none where the total has no shares."""
    return 0 if divided.pyramid.table["share_of_value"].isna().all() else 2


def treatments_table(chapter: Chapter, divided: Membership) -> Table | Note:
    """Say of each tier what it is, how many, what it is worth, its trend, and what to do."""
    now = segments_of(divided.values, divided.pyramid.tier)
    if now is None:
        return Note(
            _("All members are in one tier"),
            (_("By the settings every member is {tier}.", tier=_(str(divided.pyramid.tier.iloc[0]))),),
        )
    then = None
    if divided.before is not None and divided.pyramid_before is not None:
        then = segments_of(divided.before, divided.pyramid_before.tier)
    settings = chapter.settings.segments
    return treatments_piece(
        chapter,
        treatment_table(now, then, settings.treatments, others=settings.names),
        name="treatments",
        first=_("Tier"),
        counted=_("Members"),
        finding=_("What to do with each tier"),
        what=_(
            "The words are those of the settings ([segments.treatments] in crm.toml). {since}", since=_since(divided)
        ),
    )


def states_table(chapter: Chapter, divided: Membership) -> Table:
    """Say where everybody stands who ever had a contract, and what to do."""
    settings = chapter.settings.segments
    now = _by_state(divided.values, divided.states)
    then = None if divided.before is None else _by_state(divided.before, divided.states_before)
    table = treatment_table(now, then, _words_of(settings.treatments), others=settings.names)
    members = int(now["customers"].drop("lost", errors="ignore").sum())
    return treatments_piece(
        chapter,
        table,
        name="lifecycle",
        first=_("State"),
        counted=_("Members"),
        finding=_(
            "{new} of {members} members are new, {due} are due soon",
            new=count(now["customers"].get("new", 0)),
            members=count(members),
            due=count(now["customers"].get("due soon", 0)),
        ),
        what=_(
            "By a plain rule, the first that applies: new, the first contract ever began within {new} days; won back, "
            "the present membership began within {new} days and an earlier one had ended; due soon, a renewal within "
            "{near} days, of contracts renewed less often than that; active, any other member; lost, no running "
            "contract, however long ago. The lost are worth nothing to come here. {since}",
            new=count(settings.lifecycle.new_days),
            near=count(_NEAR_DAYS),
            since=_since(divided),
        ),
    )


def _by_state(values: ContractValues, states: pd.DataFrame | None) -> pd.DataFrame:
    """Customers and worth by state, in the order of the states; those without anybody are left out."""
    assert states is not None  # made on every date that has values
    worth = values.frame["residual_value"].reindex(states.index).fillna(0.0)
    of_state = worth.groupby(states["state"], observed=True)
    table = pd.DataFrame({"customers": of_state.size(), "value": of_state.sum()})
    table.index = pd.Index(table.index.astype(str), name="state")
    return table


def _words_of(own: dict[str, Treatment]) -> dict[str, Treatment]:
    """Words for the states of members, where the settings do not have their own."""
    words = {
        name: Treatment(
            own.get(name, Treatment()).meaning or default.meaning, own.get(name, Treatment()).action or default.action
        )
        for name, default in MEMBER_TREATMENTS.items()
    }
    return {**own, **words}


def migration_table(chapter: Chapter, divided: Membership) -> Table | Note:
    """Say who moved from tier to tier since a quarter ago."""
    moved = tier_migration(divided)
    if moved is None:
        return Note(
            _("Nobody to follow"),
            (_("There were no members a quarter ago, so no move can be told from a first place."),),
        )
    up, down = int(moved.up["customers"].sum()), int(moved.down["customers"].sum())
    return moves_table(
        chapter,
        moved,
        since=divided.since,
        finding=_("{up} members moved up and {down} moved down", up=count(up), down=count(down)),
        what=_(
            "Members by their tier on {before} (rows) and now (columns), both valued with the models of today; gone "
            "are those who left since. A payment just made leaves residual value, so members move down at a renewal "
            "and up as the next one nears.",
            before=day(divided.since),
        ),
    )


def tier_migration(divided: Membership) -> Migration | None:
    """Moves between tiers since a quarter ago; None where nobody was there."""
    if divided.pyramid_before is None or divided.before is None:
        return None
    return migration_matrix(
        divided.pyramid_before.tier,
        divided.pyramid.tier,
        values_before=divided.before.frame["residual_value"],
        values_after=divided.values.frame["residual_value"],
    )


def _since(divided: Membership) -> str:
    if divided.before is None:
        return _("There were no members a quarter ago, so there is no trend.")
    return _(
        "Trend since {day}, both dates valued with the models of today, so that only members differ.",
        day=day(divided.since),
    )


def _moves_words(divided: Membership) -> str:
    before = divided.before
    if before is None:
        return _("There were no members a quarter ago, so who came and went cannot be told.")
    now, then = divided.values.frame.index, before.frame.index
    words = _(
        "Since {day} {came} members came or came back and {left} left.",
        day=day(divided.since),
        came=count(len(now.difference(then))),
        left=count(len(then.difference(now))),
    )
    if not before.total > 0:
        return words
    change = divided.values.total / before.total - 1
    if change >= 0:
        return _(
            "{words} By the models of today they are worth {more} more than then.", words=words, more=percent(change)
        )
    return _("{words} By the models of today they are worth {less} less than then.", words=words, less=percent(-change))


def _alerts(chapter: Chapter, divided: Membership) -> list[Alert]:
    number = int(divided.pyramid.table["unprofitable"].sum())
    if not number:
        return []
    return [
        Alert(
            "note",
            plural(
                "{n} member is expected to cost more than they bring.",
                "{n} members are expected to cost more than they bring.",
                number,
            ),
            f"{chapter.entry.page}#pyramid",
            _("See the pyramid"),
        )
    ]
