"""Segments and lifecycle: who holds the worth, where customers stand, where they are going, and what to do."""

import dataclasses
import warnings
from dataclasses import dataclass
from datetime import date

import pandas as pd

from crm_analysis.data.company_log import open_side_table
from crm_analysis.data.last_gaps import last_gaps
from crm_analysis.data.side_door import SideTable
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import _, count, day, month_of, percent, plural, short_money
from crm_analysis.periods import months_after
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.tiers import tiers as tiers_drawing
from crm_analysis.report.pieces import Alert, Alerts, Figure, Headline, Note
from crm_analysis.report.stories.wording import horizon_words, sample_words, terms_words
from crm_analysis.report.tables import Column, Table
from crm_analysis.segment_rules import PyramidRules
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.lifecycle import LifecycleStates, lifecycle_states
from crm_analysis.value.lifetime_value import CustomerValues, revalue
from crm_analysis.value.migration import Migration, migration_matrix
from crm_analysis.value.pyramid import CustomerPyramid, customer_pyramid
from crm_analysis.value.rfm import RfmSegments, rfm_segments
from crm_analysis.value.segment_table import segment_table
from crm_analysis.value.treatments import treatment_table

# How far back a chapter about where customers are going looks.
_MONTHS_BACK = 3


@dataclass(frozen=True, eq=False)
class Divided:
    """The base in segments, now and a quarter ago.

    Attributes
    ----------
    values : CustomerValues
        Of the current base, as the chapter on equity left them.
    before : CustomerValues or None
        The base of a quarter ago, valued with the models of today, so that only customers differ; None where the log
        does not reach back.
    pyramid, lifecycle, rfm
        The segments of today.
    pyramid_before, lifecycle_before
        Those of a quarter ago.
    customers : SideTable or None
        What is known of customers beside their purchases.
    """

    values: CustomerValues
    before: CustomerValues | None
    pyramid: CustomerPyramid
    lifecycle: LifecycleStates
    rfm: RfmSegments
    pyramid_before: CustomerPyramid | None
    lifecycle_before: LifecycleStates | None
    customers: SideTable | None

    @property
    def since(self) -> date:
        """The date a quarter ago."""
        assert self.values.customers.as_of is not None  # a book is of a month
        return months_after(self.values.customers.as_of, -_MONTHS_BACK)


def divide_base(chapter: Chapter) -> Divided:
    """Divide the current base by the rules of the settings, today and a quarter ago."""
    values = CustomerEquity.load(chapter.folder / "equity").values
    rules, log = chapter.settings.segments, chapter.valued_log
    prospects = open_side_table(chapter.settings, "prospects", as_of=chapter.as_of)
    before = values_before(chapter, values)
    lifecycle_before = None
    lifecycle = lifecycle_states(
        values,
        last_gaps=last_gaps(log, as_of=chapter.as_of),
        prospects=None if prospects is None else prospects.frame,
        rules=rules.lifecycle,
    )
    if before is not None:
        assert before.customers.as_of is not None  # made as of a date
        gaps = last_gaps(log.until(before.customers.as_of), as_of=before.customers.as_of)
        # By the days of today, so that only customers differ.
        lifecycle_before = lifecycle_states(before, last_gaps=gaps, rules=lifecycle.rules)
    pyramid = _pyramid(values, rules.pyramid)
    divided = Divided(
        values,
        before,
        pyramid,
        lifecycle,
        rfm_segments(values.customers, **vars(rules.rfm)),
        None if before is None else _pyramid(before, rules.pyramid),
        lifecycle_before,
        open_side_table(chapter.settings, "customers", as_of=chapter.as_of),
    )
    states = lifecycle.frame[["by_model", "by_rule"]].astype(str)
    chapter.write(
        "segments", states.assign(tier=pyramid.tier.astype(str), rfm=divided.rfm.frame["segment"].astype(str))
    )
    table = pyramid.table
    chapter.remember(
        alerts=tuple(_alerts(chapter, divided)),
        top_tier=str(table.index[0]),
        top_tier_customers=int(table["customers"].iloc[0]),
        top_tier_share=_number(table["share_of_value"].iloc[0]),
        unprofitable=int(table["unprofitable"].sum()),
    )
    return divided


def _pyramid(values: CustomerValues, rules: PyramidRules) -> CustomerPyramid:
    """Divide by the rules; a total without shares is divided by customers, and the note says so."""
    if rules.by == "value" and not 0 < values.total < float("inf"):
        by_customers = customer_pyramid(values, names=rules.names, cut_offs=rules.cut_offs, by="customers")
        words = _("The total has no shares, so tiers are by shares of the customers and not of the worth.")
        return dataclasses.replace(by_customers, notes=(*by_customers.notes, words))
    return customer_pyramid(values, **vars(rules))


def values_before(chapter: Chapter, values: CustomerValues) -> CustomerValues | None:
    """Value the base of a quarter ago with the models of today; None where the log does not reach back."""
    log, then = chapter.valued_log, months_after(chapter.as_of, -_MONTHS_BACK)
    if log.first_date is None or log.first_date > then:
        return None
    given = values.assumptions
    try:
        customers = summarize_customers(log.until(then), as_of=then, time_unit=given.time_unit)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)
            return revalue(values, customers=dataclasses.replace(customers, stands_for=values.customers.stands_for))
    except (DataError, SettingsError):  # nobody there yet, or a clock that begins later
        return None


def headline(chapter: Chapter, divided: Divided) -> Headline:
    """Say who holds the worth, and who moved."""
    table, given = divided.pyramid.table, divided.values.assumptions
    top, share = str(table.index[0]), _number(table["share_of_value"].iloc[0])
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
    return Alerts(tuple(_alerts(chapter, divided)))


def pyramid_figure(chapter: Chapter, divided: Divided, *, number_: int) -> Figure | Note:
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
        number=number_,
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
    now = _segments(divided.values, divided.pyramid.tier)
    if now is None:
        tier = _(str(divided.pyramid.tier.iloc[0]))
        return Note(_("All customers are in one tier"), (_("By the settings every customer is {tier}.", tier=tier),))
    then = None
    if divided.pyramid_before is not None and divided.before is not None:
        then = _segments(divided.before, divided.pyramid_before.tier)
    table = treatment_table(now, then, settings.treatments, others=settings.names)
    return _treatments(
        chapter,
        table,
        name="treatments",
        first=_("Tier"),
        finding=_("What to do with each tier"),
        what=_(
            "The words are those of the settings ([segments.treatments] in crm.toml). {since}", since=_since(divided)
        ),
    )


def lifecycle_table(chapter: Chapter, divided: Divided) -> Table:
    """Put the states by the model and by the plain rule side by side."""
    states, scale = divided.lifecycle, divided.values
    apart = states.disagreement
    customers = int(apart["customers"].sum())
    finding = _(
        "Model and plain rule place {share} of the customers differently",
        share=percent(customers / scale.number_of_customers),
    )
    frame = states.table.reset_index()
    frame["label"] = [_(str(state)).capitalize() for state in frame["state"]]
    rules = states.rules
    worth = apart["value"].sum() / scale.total if scale.total > 0 else float("nan")
    return Table(
        name="lifecycle",
        number=0,
        finding=finding,
        what=_(
            "By the model: active from a probability alive of {active} on, lost below {lost}. By the rule: active up "
            "to "
            "{active_days} days after the last purchase, lost after {lost_days}. New: first bought within {new} days. "
            "Those placed differently hold {worth} of the worth. {notes}",
            active=percent(rules.active_from, 0),
            lost=percent(rules.lost_below, 0),
            active_days=count(rules.active_days),
            lost_days=count(rules.lost_days),
            new=count(rules.new_days),
            worth=percent(worth),
            notes=" ".join(states.notes),
        ),
        frame=frame,
        columns=(
            Column("label", _("State"), kind="text", sortable=False),
            Column("customers_by_model", _("By model"), _("customers"), kind="count", sortable=False),
            Column("customers_by_rule", _("By rule"), _("customers"), kind="count", sortable=False),
            _money("value_by_model", _("Worth by model"), chapter),
            _money("value_by_rule", _("Worth by rule"), chapter),
        ),
        downloads=chapter.download("lifecycle", states.table),
    )


def states_treatments_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Say of each state of the lifecycle what to do."""
    settings, states = chapter.settings.segments, divided.lifecycle.frame["by_model"]
    now = _segments(divided.values, states)
    if now is None:
        return Note(
            _("All customers are in one state"),
            (_("By the model every customer is {state}.", state=_(states.iloc[0])),),
        )
    then = None
    if divided.lifecycle_before is not None and divided.before is not None:
        then = _segments(divided.before, divided.lifecycle_before.frame["by_model"])
    table = treatment_table(now, then, settings.treatments, others=settings.names)
    return _treatments(
        chapter,
        table,
        name="states",
        first=_("State"),
        finding=_("What to do in each state"),
        what=_("States by the model. {since}", since=_since(divided)),
    )


def rfm_table(chapter: Chapter, divided: Divided) -> Table:
    """List the RFM segments."""
    rfm = divided.rfm
    table = rfm.table
    top = str(table["share_of_spend"].astype(float).idxmax())
    finding = _(
        "{segment} are {customers} of the customers and brought {spend} of what was spent so far",
        segment=_(top).capitalize(),
        customers=percent(float(table["share_of_customers"][top])),
        spend=percent(float(table["share_of_spend"][top])),
    )
    frame = table.reset_index()
    frame["label"] = [_(str(segment)).capitalize() for segment in frame["segment"]]
    edges = rfm.cuts["above"].unstack("score") if "score" in rfm.cuts.index.names else None
    return Table(
        name="rfm",
        number=0,
        finding=finding,
        what=_(
            "Recency (days since the last purchase), frequency (purchases) and money (spent so far), each scored "
            "from 1 "
            "to {levels}. Equal values get equal scores. {cuts} {notes}",
            levels=count(rfm.rules.levels),
            cuts="" if edges is None else _cut_words(rfm),
            notes=" ".join(rfm.notes),
        ),
        frame=frame,
        columns=(
            Column("label", _("Segment"), kind="text"),
            Column("customers", _("Customers"), kind="count"),
            Column("share_of_customers", _("Share"), "%", kind="percent", digits=1),
            Column("share_of_spend", _("Share of spend"), "%", kind="percent", digits=1),
            Column("mean_purchases", _("Purchases"), _("mean"), digits=1),
            Column("median_days_since_last", _("Days silent"), _("median"), kind="count"),
        ),
        downloads=chapter.download(
            "rfm", rfm.frame.assign(customer=chapter.names(rfm.frame.index)).set_index("customer")
        ),
    )


def migration_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Say who moved from tier to tier since a quarter ago."""
    moved = tier_migration(divided)
    if moved is None:
        return Note(
            _("Nobody to follow"),
            (_("The log does not reach back a quarter, so no move can be told from a first place."),),
        )
    # Nobody can be gone from a log that only grows, unless purchases were taken back.
    counts = moved.counts.loc[:, (moved.counts != 0).any()]
    up, down = int(moved.up["customers"].sum()), int(moved.down["customers"].sum())
    frame = counts.reset_index(names="from")
    keys = [f"to_{place}" for place in range(len(counts.columns))]
    frame = frame.set_axis(["from", *keys], axis=1)
    frame["from"] = [_(str(tier)).capitalize() for tier in frame["from"]]
    columns = [
        Column(key, _(str(tier)).capitalize(), _("now"), kind="count", sortable=False)
        for key, tier in zip(keys, counts.columns, strict=True)
    ]
    return Table(
        name="migration",
        number=0,
        finding=_("{up} customers moved up and {down} moved down", up=count(up), down=count(down)),
        what=_(
            "Customers by their tier on {before} (rows) and now (columns), both valued with the models of today.",
            before=day(divided.since),
        ),
        frame=frame,
        columns=(Column("from", _("On {day}", day=day(divided.since)), kind="text", sortable=False), *columns),
        downloads=chapter.download("migration", moved.flows),
    )


def tier_migration(divided: Divided) -> Migration | None:
    """Moves between tiers since a quarter ago; None where the log does not reach back."""
    if divided.pyramid_before is None or divided.before is None:
        return None
    return migration_matrix(
        divided.pyramid_before.tier,
        divided.pyramid.tier,
        values_before=divided.before.frame["residual_value"],
        values_after=divided.values.frame["residual_value"],
        stands_for=divided.values.customers.stands_for,
    )


# What is known of customers beside their purchases, in the order in which it is shown.
# Fewer customers than this are no level to name, be it only because their value may be one of their own.
_FEW = 5
_ATTRIBUTES = ("kind", "region", "settlement", "receivable_status", "acquisition_channel")


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
        parts.append(table.assign(level=[" ".join(str(level).split()) for level in table.index], attribute=name))
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
            "Worth most on average are customers with {attribute} {level}, {value} each",
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
            _money("value", _("Worth"), chapter),
            Column("share_of_value", _("Share of worth"), "%", kind="percent", digits=1),
            _money("mean_value", _("Each"), chapter),
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


def _segments(values: CustomerValues, by: pd.Series) -> pd.DataFrame | None:
    """Return the table of some segments; None where all customers are in one."""
    return segment_table(values, by) if len(by.dropna().unique()) > 1 else None


def _treatments(chapter: Chapter, table: pd.DataFrame, *, name: str, first: str, finding: str, what: str) -> Table:
    frame = table.reset_index(names="segment")
    frame["label"] = [
        f"{_(str(one)).capitalize()}\n{meaning}" for one, meaning in zip(table.index, table["meaning"], strict=True)
    ]
    return Table(
        name=name,
        number=0,
        finding=finding,
        what=what,
        frame=frame,
        columns=(
            Column("label", first, kind="text", sortable=False),
            Column("customers", _("Customers"), kind="count", sortable=False),
            _money("worth", _("Worth"), chapter),
            Column("trend", _("Trend"), kind="text", sortable=False),
            Column("action", _("What to do"), kind="text", sortable=False),
        ),
        downloads=chapter.download(name, table),
    )


def _money(key: str, title: str, chapter: Chapter) -> Column:
    return Column(key, title, chapter.currency, kind="money", currency=chapter.currency, digits=0, sortable=False)


def _since(divided: Divided) -> str:
    if divided.before is None:
        return _("The log does not reach back a quarter, so there is no trend.")
    return _(
        "Trend since {day}, both dates valued with the models of today, so that only customers differ.",
        day=day(divided.since),
    )


def _cut_words(rfm: RfmSegments) -> str:
    """Say where the scores begin."""
    names = {"recency": _("recency, days"), "frequency": _("frequency"), "monetary": _("money")}
    sentences = []
    for measure, label in names.items():
        upper = sorted(float(edge) for edge in rfm.cuts["up_to"].xs(measure, level="measure"))
        edges = [edge for edge in upper if edge != float("inf")]
        sentences.append(_("{measure}: up to {edges}", measure=label, edges=", ".join(count(edge) for edge in edges)))
    return _("Scores change at {edges}.", edges="; ".join(sentences))


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


def _alerts(chapter: Chapter, divided: Divided) -> list[Alert]:
    number = int(divided.pyramid.table["unprofitable"].sum())
    if not number:
        return []
    return [
        Alert(
            "note",
            plural(
                "{n} customer is expected to cost more than they bring.",
                "{n} customers are expected to cost more than they bring.",
                number,
            ),
            f"{chapter.entry.page}#pyramid",
            _("See the pyramid"),
        )
    ]


def _number(value: float) -> float | None:
    """Return a number for JSON, or None where it is missing."""
    return None if value != value else float(value)
