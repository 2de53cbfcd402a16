"""Words that several chapters share."""

from crm_analysis.messages import N_, _, count, number, percent, rate
from crm_analysis.models.cnbd import CNBDFit, ModifiedCNBDFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import Horizon, horizon_text
from crm_analysis.value.interval import INDIVIDUALS, NEWCOMERS, SAMPLING, Interval
from crm_analysis.value.lifetime_value import Assumptions, CustomerValues

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
        "level and volume of the shop": _("the doubt about the level and the volume of the shop"),
        NEWCOMERS: _("the doubt about the number of new customers"),
        SAMPLING: _("the chance in who is in the sample"),
        INDIVIDUALS: _("the chance in what each customer does"),
    }
    if not interval.contains:
        return _("not known")
    *first, last = (names.get(part, part) for part in interval.contains)
    return _("{first} and {last}", first=", ".join(first), last=last) if first else last


def valued_words(values: CustomerValues) -> str:
    """Say who was valued: everybody, or a sample."""
    everybody = _("All {customers} customers were valued.", customers=count(values.number_of_customers))
    return sample_words(values) or everybody


def sample_words(values: CustomerValues) -> str:
    """Say that a sample was valued, and how far that is off; nothing where everybody was."""
    if values.customers.stands_for == 1:
        return ""
    drawn = _(
        "The base is larger than a book holds, so {drawn} of its {customers} customers were valued, drawn at random, "
        "and customers and money are scaled up to all of them.",
        drawn=count(len(values.frame)),
        customers=count(values.number_of_customers),
    )
    if not values.total > 0:
        return drawn
    return _(
        "{drawn} Who was drawn leaves a standard error of {error} in the total, beside that of the fits.",
        drawn=drawn,
        error=percent(values.sampling_error / values.total, 1),
    )


def why_refused(error: Exception) -> str:
    """Say why a table was refused: rules broken and how to mend them, without rows, which may name customers."""
    lines = str(error).splitlines()
    return " ".join(line for n, line in enumerate(lines) if n == 0 or "row(s)." in line or line.startswith("To fix"))


def of_the_sample(stands_for: float) -> str:
    """Say that what was counted are customers of a sample, with a space before; nothing where it was everybody."""
    return " " + _("Counted are those of the sample.") if stands_for > 1 else ""


def purchase_model_words(fit: PurchaseFit) -> str:
    """Say in a sentence how customers behave in a model, and where it comes from."""
    leaves = {
        "BG/NBD": _(
            "Customers buy at a rate of their own and may leave after any repeat purchase (Fader, Hardie and Lee "
            "2005). Who has bought only once has had no occasion to leave in this model and counts as a customer with "
            "certainty; that the next purchase is long in coming shows in a low purchase rate instead."
        ),
        "MBG/NBD": _(
            "Customers buy at a rate of their own and may leave after any purchase, the first included (Batislam, "
            "Denizel and Filiztekin 2007)."
        ),
        "Pareto/NBD": _(
            "Customers buy at a rate of their own and leave at a moment nobody sees (Schmittlein, Morrison and Colombo "
            "1987)."
        ),
        "NBD": _("Customers buy at a rate of their own and never leave (Ehrenberg 1959)."),
    }
    if isinstance(fit, CNBDFit) and fit.params.k == 1:
        return leaves["MBG/NBD" if fit.params.modified else "BG/NBD"]
    if isinstance(fit, ModifiedCNBDFit):
        return _(
            "Customers buy at a rate of their own, more regularly than by chance, and may leave after any purchase, "
            "the first included (Platzer and Reutterer 2016)."
        )
    regular = _(
        "Customers buy at a rate of their own, more regularly than by chance, and may leave after any repeat purchase "
        "(Platzer and Reutterer 2016). Who has bought only once has had no occasion to leave in this model and counts "
        "as a customer with certainty."
    )
    return leaves.get(fit.model_name, regular)


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
