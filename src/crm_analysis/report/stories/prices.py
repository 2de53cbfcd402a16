"""What each tier pays for the same things, beside what it is worth."""

from datetime import timedelta

import numpy as np
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.messages import _, day, percent
from crm_analysis.report.chapter import Chapter
from crm_analysis.report.pieces import Note
from crm_analysis.report.stories.division import Divided
from crm_analysis.report.stories.segment_pieces import money_column
from crm_analysis.report.stories.wording import of_the_sample
from crm_analysis.report.tables import Column, Table
from crm_analysis.value.tier_prices import price_by_tier

_NEEDED = {"product", "quantity"}
_DAYS = 365


def prices_table(chapter: Chapter, divided: Divided) -> Table | Note:
    """Compare what tiers paid in the last year for products that several of them bought."""
    lines = chapter.valued_log.table
    if not set(lines.columns) >= _NEEDED:
        return Note(
            _("Prices cannot be compared"),
            (_("Columns product and quantity of [sources.transactions] let prices by tier be compared here."),),
        )
    since = chapter.as_of - timedelta(days=_DAYS)
    recent = lines.filter(lines.order_date > since, lines.quantity > 0, lines.amount > 0)
    bought = engines.fetch_frame(
        recent.group_by("customer_id", "product").agg(
            quantity=recent.quantity.sum().cast(float), amount=recent.amount.sum().cast(float)
        )
    )
    table = price_by_tier(bought, divided.pyramid.tier, value=divided.values.frame["residual_value"])
    known = table.dropna(subset=["relative_price"])
    if len(known) < 2:
        return Note(
            _("No prices to compare"),
            (_("No product was bought by two tiers since {day}.", day=day(since)),),
        )
    in_order = [tier for tier in divided.pyramid.table.index if tier in table.index]
    frame = table.loc[in_order].reset_index(names="tier")
    frame["label"] = [_(str(tier)).capitalize() for tier in frame["tier"]]
    return Table(
        name="prices",
        number=0,
        finding=_price_finding(known),
        what=_(
            "What each tier paid since {day} for products it shares with another tier, over what these would have cost "
            "at their mean price; limits at 95%. Tiers are made of what customers spend, so a price beside a worth is "
            "no cause of it.{sample}",
            day=day(since),
            sample=of_the_sample(divided.values.customers.stands_for),
        ),
        frame=frame,
        columns=(
            Column("label", _("Tier"), kind="text", sortable=False),
            Column("customers", _("Customers"), kind="count", sortable=False),
            Column("relative_price", _("Price"), _("% of the mean"), kind="percent", digits=1, sortable=False),
            Column("lower", _("from"), "%", kind="percent", digits=1, sortable=False),
            Column("upper", _("to"), "%", kind="percent", digits=1, sortable=False),
            Column("comparable", _("Compared"), _("% of spend"), kind="percent", digits=0, sortable=False),
            money_column("mean_value", _("Worth each"), chapter),
        ),
        downloads=chapter.download("prices", table),
    )


def _price_finding(known: pd.DataFrame) -> str:
    """Name the tier furthest from the mean, if its interval leaves the mean out."""
    apart = known[(known["lower"] > 1) | (known["upper"] < 1)]
    if apart.empty:
        return _("No tier clearly pays more or less than others for the same products")
    furthest = int(np.argmax((apart["relative_price"] - 1).abs()))
    share = float(apart["relative_price"].iloc[furthest]) - 1
    tier = _(str(apart.index[furthest])).capitalize()
    if share > 0:
        return _("{tier} pays {share} more than the mean for the same products", tier=tier, share=percent(share, 1))
    return _("{tier} pays {share} less than the mean for the same products", tier=tier, share=percent(-share, 1))
