"""The base in segments, now and a quarter ago: what the pieces about segments and lifecycle speak of."""

import dataclasses
import warnings
from dataclasses import dataclass
from datetime import date

from crm_analysis.data.company_log import open_side_table
from crm_analysis.data.last_gaps import last_gaps
from crm_analysis.data.side_door import SideTable
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.messages import _, plural
from crm_analysis.periods import months_after
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.pieces import Alert
from crm_analysis.segment_rules import PyramidRules
from crm_analysis.value.equity import CustomerEquity
from crm_analysis.value.lifecycle import LifecycleStates, lifecycle_states
from crm_analysis.value.lifetime_value import CustomerValues, revalue
from crm_analysis.value.migration import Migration, migration_matrix
from crm_analysis.value.pyramid import CustomerPyramid, customer_pyramid
from crm_analysis.value.rfm import RfmSegments, rfm_segments

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
        alerts=tuple(alerts_of(chapter, divided)),
        top_tier=str(table.index[0]),
        top_tier_customers=int(table["customers"].iloc[0]),
        top_tier_share=known_or_none(table["share_of_value"].iloc[0]),
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


def alerts_of(chapter: Chapter, divided: Divided) -> list[Alert]:
    """What of the segments to read first."""
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


def known_or_none(value: float) -> float | None:
    """Return a number for JSON, or None where it is missing."""
    return None if value != value else float(value)
