"""Where customers stand: their state by the model and by the plain rule, and what they did so far (RFM)."""

import pandas as pd

from crm_analysis.messages import _, count, percent
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.figures.dots import paired_dots
from crm_analysis.report.pieces import Figure, Note
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.stories.segment_pieces import money_column, segments_of, since_words, treatments_piece
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.rfm import RfmSegments
from crm_analysis.value.treatments import treatment_table


def lifecycle_figure(chapter: Chapter, divided: Divided) -> Figure:
    """Put the states by the model and by the plain rule side by side."""
    states, scale = divided.lifecycle, divided.values
    apart = states.disagreement
    finding = _(
        "Model and plain rule place {share} of the customers differently",
        share=percent(int(apart["customers"].sum()) / scale.number_of_customers),
    )
    rules = states.rules
    worth = apart["value"].sum() / scale.total if scale.total > 0 else float("nan")
    by_model, by_rule = _("by the model"), _("by the plain rule")
    table = states.table
    shares = pd.DataFrame(
        {
            "label": [_(str(state)).capitalize() for state in table.index],
            "value": table["customers_by_model"] / scale.number_of_customers,
            "other": table["customers_by_rule"] / scale.number_of_customers,
        }
    )
    shares = shares[~table.index.isin(("target", "prospect"))]  # no customers yet, so no share of these
    return Figure(
        name="lifecycle",
        number=0,
        finding=finding,
        what=_(
            "Share of the customers in each state. By the model: active from a probability alive of {active} on, lost "
            "below {lost}. By the rule: active up to {active_days} days after the last purchase, lost after "
            "{lost_days}. New: first bought within {new} days.",
            active=percent(rules.active_from, 0),
            lost=percent(rules.lost_below, 0),
            active_days=count(rules.active_days),
            lost_days=count(rules.lost_days),
            new=count(rules.new_days),
        ),
        drawing=paired_dots(
            shares, name="lifecycle", label=finding, axis=_("share of the customers"), words=(by_model, by_rule)
        ),
        note=" ".join([_("Those placed differently hold {worth} of the worth.", worth=percent(worth)), *states.notes]),
        data=_lifecycle_table(chapter, divided, finding),
    )


def _lifecycle_table(chapter: Chapter, divided: Divided, finding: str) -> Table:
    frame = divided.lifecycle.table.reset_index()
    frame["label"] = [_(str(state)).capitalize() for state in frame["state"]]
    return Table(
        name="lifecycle-states",
        number=0,
        finding=finding,
        what=_("Customers and worth in each state, by the model and by the rule."),
        frame=frame,
        columns=(
            Column("label", _("State"), kind="text", sortable=False),
            Column("customers_by_model", _("By model"), _("customers"), kind="count", sortable=False),
            Column("customers_by_rule", _("By rule"), _("customers"), kind="count", sortable=False),
            money_column("value_by_model", _("Worth by model"), chapter),
            money_column("value_by_rule", _("Worth by rule"), chapter),
        ),
        downloads=chapter.download("lifecycle", divided.lifecycle.table),
    )


def states_treatments_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Say of each state of the lifecycle what to do."""
    settings, states = chapter.settings.segments, divided.lifecycle.frame["by_model"]
    now = segments_of(divided.values, states)
    if now is None:
        return Note(
            _("All customers are in one state"),
            (_("By the model every customer is {state}.", state=_(states.iloc[0])),),
        )
    then = None
    if divided.lifecycle_before is not None and divided.before is not None:
        then = segments_of(divided.before, divided.lifecycle_before.frame["by_model"])
    table = treatment_table(now, then, settings.treatments, others=settings.names)
    return treatments_piece(
        chapter,
        table,
        name="states",
        first=_("State"),
        finding=_("What to do in each state"),
        what=_("States by the model. {since}", since=since_words(divided)),
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


def _cut_words(rfm: RfmSegments) -> str:
    """Say where the scores begin."""
    names = {"recency": _("recency, days"), "frequency": _("frequency"), "monetary": _("money")}
    sentences = []
    for measure, label in names.items():
        upper = sorted(float(edge) for edge in rfm.cuts["up_to"].xs(measure, level="measure"))
        edges = [edge for edge in upper if edge != float("inf")]
        sentences.append(_("{measure}: up to {edges}", measure=label, edges=", ".join(count(edge) for edge in edges)))
    return _("Scores change at {edges}.", edges="; ".join(sentences))
