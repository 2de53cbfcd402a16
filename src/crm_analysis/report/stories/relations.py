"""How close to be to whom: relationship levels, renewals of contracts, money owed, and customers who bring others."""

from typing import Protocol

import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import N_, _, count, percent, plural, short_money
from crm_analysis.models.memberships import contract_histories
from crm_analysis.models.terms import months_or_days
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.plan_curves import retention_curves
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.stories.wording import why_refused
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.contract_streams import months_between
from crm_analysis.value.pyramid import CustomerPyramid
from crm_analysis.value.receivables import receivable_loss
from crm_analysis.value.referrals import referral_values
from crm_analysis.value.relationship import relationship_levels
from crm_analysis.value.renewal_projection import renewal_projection
from crm_analysis.value.segment_table import segment_table
from crm_analysis.value.valued import Valued

_LEVEL_WORDS = {
    "basic": N_("sell, and wait for the customer to come again"),
    "reactive": N_("sell, and ask to be called with questions and complaints"),
    "accountable": N_("call after the sale to hear whether all is well, and what could be better"),
    "proactive": N_("call from time to time with improvements and news"),
    "partnership": N_("work with the customer to do better"),
}
_RENEWALS_SHOWN = 12


class InTiers(Protocol):
    """A base of customers or of members, valued and divided into tiers."""

    @property
    def values(self) -> Valued:
        """What each is worth."""
        ...

    @property
    def pyramid(self) -> CustomerPyramid:
        """The tier of each."""
        ...


def levels_table(chapter: Chapter, divided: InTiers) -> Table | Note:
    """Say how close a relation each tier bears, by its customers and the margin of each."""
    try:
        tiers = segment_table(divided.values, divided.pyramid.tier)
        levels = relationship_levels(tiers, **vars(chapter.settings.segments.relationship))
    except SettingsError as error:  # one tier, or fewer than three and no cuts
        return Note(_("No levels of relation"), (why_refused(error),))
    cuts = levels.attrs
    frame = levels.reset_index(names="tier")
    frame["label"] = [_(str(tier)).capitalize() for tier in frame["tier"]]
    frame["words"] = [
        "" if pd.isna(level) else f"{_(str(level)).capitalize()}: {_(_LEVEL_WORDS.get(str(level), ''))}"
        for level in frame["level"]
    ]
    closest = frame.sort_values("level").iloc[-1]
    return Table(
        name="levels",
        number=0,
        finding=_("{tier} bears the closest relation: {level}", tier=closest["label"], level=_(str(closest["level"]))),
        what=_(
            "Kotler's five levels by customers and margin to come of each: many from {many} customers on, few below "
            "{few}; high from {high} on, low below {low}. Cuts and levels are those of the settings, thirds of the "
            "tiers "
            "where none are set.",
            many=count(cuts["customer_cuts"][1]),
            few=count(cuts["customer_cuts"][0]),
            high=short_money(cuts["margin_cuts"][1], chapter.currency),
            low=short_money(cuts["margin_cuts"][0], chapter.currency),
        ),
        frame=frame,
        columns=(
            Column("label", _("Tier"), kind="text", sortable=False),
            Column("customers", _("Customers"), kind="count", sortable=False),
            Column("margin", _("Each"), chapter.currency, kind="money", currency=chapter.currency, sortable=False),
            Column("words", _("Level of the relation"), kind="text", sortable=False),
        ),
        downloads=chapter.download("relationship-levels", levels),
    )


def renewals_figure(chapter: Chapter) -> Figure | Note:
    """Set the renewals seen beside those the shifted beta-geometric projects."""
    table = open_side_table(chapter.settings, "memberships", as_of=chapter.as_of)
    if table is None or "renewal_period" not in table.frame.columns:
        return Note(
            _("No renewals to project"),
            (_("Contracts with a renewal period in [sources.memberships] are projected here."),),
        )
    lengths = table.frame["renewal_period"].value_counts()
    if lengths.empty:
        return Note(_("No renewals to project"), (_("No contract tells when it is renewed."),))
    # The chance to leave is one at a renewal: contracts of each length would want a model of their own.
    length = str(lengths.index[0])
    try:
        followed = contract_histories(table.frame, as_of=chapter.as_of)
        found = renewal_projection(
            memberships=followed[followed["renewal_period"] == length],
            renewals=_RENEWALS_SHOWN,
            draws=min(chapter.settings.forecast.draws, 400),
            seed=chapter.settings.forecast.seed,
        )
    except (DataError, SettingsError) as error:
        return Note(_("Renewals cannot be projected"), (why_refused(error),))
    frame = found.frame.iloc[1:].reset_index()
    rises = float(frame["retention"].iloc[-1]) > float(frame["retention"].iloc[0])
    finding = (
        _(
            "{first} renew the first time, {last} the {n}th: those who leave easily leave first",
            first=percent(float(frame["retention"].iloc[0])),
            last=percent(float(frame["retention"].iloc[-1])),
            n=_RENEWALS_SHOWN,
        )
        if rises
        else _("{first} renew each time", first=percent(float(frame["retention"].iloc[0])))
    )
    period = months_or_days(length)
    assert period is not None  # or no renewal could have been counted
    curve = found.frame.assign(months=found.frame.index.to_numpy() * months_between(period))
    return Figure(
        name="renewals",
        number=0,
        finding=finding,
        what=_(
            "Share of contracts renewed every {length}, the most common, that are still there: dots observed, the "
            "dashed line by the shifted beta-geometric model (Fader and Hardie 2007) with its 95% band (parameters "
            "alone).",
            length=length,
        ),
        drawing=retention_curves(pd.concat({length: curve}, names=["group"]), name="renewals", label=finding),
        note=_("Beyond renewal {seen} all is projection.", seen=found.seen),
        data=Table(
            name="renewals-by-number",
            number=0,
            finding=_("Share renewed at each renewal, observed and by the model"),
            what=_("Still there: share of a cohort by the model, with its 95% limits."),
            frame=frame,
            columns=(
                Column("renewal", _("Renewal"), kind="count", sortable=False),
                Column("up_for_renewal", _("Up for renewal"), kind="count", sortable=False),
                Column("observed_retention", _("Renewed"), "%", kind="percent", digits=1, sortable=False),
                Column("retention", _("By the model"), "%", kind="percent", digits=1, sortable=False),
                Column("survival", _("Still there"), "%", kind="percent", digits=1, sortable=False),
                Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
                Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            ),
            downloads=chapter.download("renewals", found.frame),
        ),
    )


def receivables_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Expect what of the money owed will not be paid."""
    known = None if divided.customers is None else divided.customers.frame
    if known is None or not {"receivable_amount", "receivable_due"} <= set(known.columns):
        return Note(
            _("Nothing is known of money owed"),
            (
                _(
                    "Columns receivable_amount and receivable_due of [sources.customers] are held against their age "
                    "here."
                ),
            ),
        )
    try:
        found = receivable_loss(known, as_of=chapter.as_of, loss_rates=chapter.settings.money.receivable_loss_rates)
    except DataError as error:
        return Note(_("Money owed cannot be aged"), (why_refused(error),))
    frame = found.by_class.reset_index()
    frame["label"] = [f"{_(str(s))}\n{_(str(a))}" for s, a in zip(frame["settlement"], frame["age"], strict=True)]
    return Table(
        name="receivables",
        number=0,
        finding=_(
            "Of {owed} owed, {loss} is not expected to be paid",
            owed=short_money(found.owed, chapter.currency),
            loss=short_money(found.expected_loss, chapter.currency),
        ),
        what=_(
            "By settlement and days overdue. {source} It is not taken off customer equity.",
            source=found.source,
        ),
        frame=frame,
        columns=(
            Column("label", _("Settlement, days overdue"), kind="text", sortable=False),
            Column("customers", _("Customers"), kind="count", sortable=False),
            Column(
                "owed", _("Owed"), chapter.currency, kind="money", currency=chapter.currency, digits=0, sortable=False
            ),
            Column("loss_rate", _("Not paid"), "%", kind="percent", digits=0, sortable=False),
            Column(
                "expected_loss",
                _("Expected loss"),
                chapter.currency,
                kind="money",
                currency=chapter.currency,
                digits=0,
                sortable=False,
            ),
        ),
        downloads=chapter.download("receivables", found.by_class),
        long=True,
    )


def referrals_note(chapter: Chapter, divided: Divided) -> Note:
    """Say what customers are worth who were brought by others."""
    known = None if divided.customers is None else divided.customers.frame
    if known is None or "referred_by" not in known.columns or known["referred_by"].notna().sum() == 0:
        return Note(
            _("Nothing is known of word of mouth"),
            (_("Who brought whom (column referred_by of [sources.customers]) is valued here."),),
        )
    if divided.values.customers.stands_for > 1:
        return Note(_("No word of mouth by a sample"), (_("Who brought whom is not known of customers outside it."),))
    found = referral_values(divided.values, known["referred_by"][known.index.isin(divided.values.frame.index)])
    top = found.head(1)
    words = _(
        "{referred} customers were brought by {referrers} others and are worth {value}, {share} of the base, each "
        "counted "
        "once. The one who brought most brought {most}, worth {worth}. That they were brought does not say they "
        "would not "
        "have come by themselves.",
        referred=count(found.attrs["referred"]),
        referrers=count(len(found)),
        value=short_money(float(found.attrs["referred_value"]), chapter.currency),
        share=percent(float(found.attrs["share_of_value"])),
        most=plural("{n} customer", "{n} customers", int(top["brought"].iloc[0])),
        worth=short_money(float(top["direct_value"].iloc[0]), chapter.currency),
    )
    return Note(_("What customers brought by customers are worth"), (words,))
