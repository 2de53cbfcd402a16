"""Words that several chapters share."""

from crm_analysis.messages import N_, _, number
from crm_analysis.value.interval import Interval
from crm_analysis.value.lifetime_value import CustomerValues

UNITS = (
    N_("day"), N_("days"), N_("week"), N_("weeks"), N_("month"), N_("months"), N_("year"), N_("years"),
)  # fmt: skip


def contents_words(interval: Interval) -> str:
    """Name what an interval contains."""
    names = {
        "parameters": _("the doubt about the parameters"),
        "individual randomness": _("the chance in what each customer does"),
    }
    return _(" and ").join(names.get(part, part) for part in interval.contains)


def horizon_words(values: CustomerValues) -> str:
    """Write the horizon of a valuation."""
    given = values.assumptions
    return (
        number(given.horizon, 0) + f" {_(given.time_unit + 's')}"
        if isinstance(given.horizon, (int, float))
        else horizon_text(given.horizon)
    )


def horizon_text(horizon: str | None) -> str:
    """Write a horizon given as text, or none."""
    if horizon is None:
        return _("all of the future")
    size, unit = horizon.split()
    return f"{size} {_(unit)}"
