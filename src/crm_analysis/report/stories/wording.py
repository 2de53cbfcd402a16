"""Words that several chapters share."""

from crm_analysis.messages import N_, _, number, rate
from crm_analysis.periods import Horizon, horizon_text
from crm_analysis.value.interval import Interval
from crm_analysis.value.lifetime_value import Assumptions

UNITS = (
    N_("day"), N_("days"), N_("week"), N_("weeks"), N_("month"), N_("months"), N_("year"), N_("years"),
)  # fmt: skip


def tenth_words(tenth: int) -> str:
    """Name a tenth of the customers: top, 2 to 9, last."""
    return _("Top tenth") if tenth == 1 else _("Last tenth") if tenth == 10 else number(tenth, 0)


def contents_words(interval: Interval) -> str:
    """Name what an interval contains."""
    names = {
        "parameters": _("the doubt about the parameters"),
        "individual randomness": _("the chance in what each customer does"),
    }
    return _(" and ").join(names.get(part, part) for part in interval.contains)


def horizon_words(horizon: Horizon | None, time_unit: str) -> str:
    """Write a horizon: 24 months, 104 weeks, all of the future."""
    if horizon is None:
        return _("all of the future")
    size, unit = horizon_text(horizon).split() if isinstance(horizon, str) else (f"{horizon:g}", f"{time_unit}s")
    return f"{size} {_(unit)}"


def terms_words(assumptions: Assumptions) -> str:
    """Write margin and rate as they were set."""
    return _(
        "Margin {margin}, discount {rate} a year",
        margin=rate(assumptions.margin),
        rate=rate(assumptions.annual_discount_rate),
    )
