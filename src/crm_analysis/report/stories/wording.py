"""Words that several chapters share."""

import math

from crm_analysis.messages import N_, _, count, money, number, percent, rate
from crm_analysis.models.cnbd import CNBDFit, ModifiedCNBDFit
from crm_analysis.models.interval import INDIVIDUALS, NEWCOMERS, SAMPLING, Interval
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.periods import Horizon, horizon_text
from crm_analysis.settings import MoneySettings
from crm_analysis.value.equity_figures import EquityFigures
from crm_analysis.value.lifetime_value import Assumptions, CustomerValues

UNITS = (
    N_("day"), N_("days"), N_("week"), N_("weeks"), N_("month"), N_("months"), N_("year"), N_("years"),
)  # fmt: skip

# Less than half a cent of money is written as none.
_NO_MONEY = 0.005


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


def interval_words(equity: EquityFigures) -> str:
    """Say what the intervals of the total contain, and what those of the current base do not."""
    words = _(
        "The interval of what is realised contains {realised}; that of what is expected contains {expected}.",
        realised=contents_words(equity.interval),
        expected=contents_words(equity.parameter_interval),
    )
    if equity.future is None:
        return words
    return words + " " + _("The lines of those who are there already contain no doubt about new ones.")


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
    """Write margin and rate as they were set, or the margin as it was found."""
    return _(
        "Margin {margin}, discount {rate} a year",
        margin=margin_words(assumptions),
        rate=rate(assumptions.annual_discount_rate),
    )


def margin_words(assumptions: Assumptions) -> str:
    """Write the margin: one rate, or that of all together where each customer has a share of their own."""
    if assumptions.own_margins is None:
        return rate(assumptions.margin)
    return _("{margin} (of all together; each customer at their own)", margin=rate(assumptions.margin))


def margin_source_words(assumptions: Assumptions, money_: MoneySettings, currency: str) -> list[str]:
    """Say where margins of customers' own come from: a paragraph, or none where there is one rate of all spend."""
    own = assumptions.own_margins
    if own is None:
        return []
    said = {"rate": rate(money_.margin), "n": count(len(money_.margins))}
    lines = {
        "lines": _(
            "What a line of the log leaves is its margin there, else its amount less its cost; of a line that tells "
            "neither {rate} of its amount is taken.",
            **said,
        ),
        "product": _(
            "What a line of the log leaves is the share set for its product, of which {n} have one; of others {rate} "
            "of the amount is taken.",
            **said,
        ),
        "category": _(
            "What a line of the log leaves is the share set for its category, of which {n} have one; of others {rate} "
            "of the amount is taken.",
            **said,
        ),
    }[money_.margin_from]
    if math.isinf(own.credibility):
        drawn = _(
            "Customers differ in it no more than the purchases of one customer do, so all are taken to leave {pooled} "
            "of their spend to come.",
            pooled=rate(own.pooled),
        )
    elif own.credibility < _NO_MONEY:
        drawn = _(
            "The purchases of one customer all leave the same, so each customer is taken at their own share so far; "
            "all together leave {pooled}.",
            pooled=rate(own.pooled),
        )
    else:
        drawn = _(
            "Each customer's own share so far is drawn towards that of all, {pooled}: who has spent {spend} is "
            "believed by half (Buhlmann and Straub 1970). The doubt about these shares is not in the interval.",
            pooled=rate(own.pooled),
            spend=money(own.credibility, currency),
        )
    return [f"{lines} {drawn}"]


def margin_setting_words(money_: MoneySettings) -> str:
    """Write what the settings say of margins."""
    said = rate(money_.margin)
    return {
        "rate": said,
        "lines": _("of each line, else {rate}", rate=said),
        "product": _("by product, else {rate}", rate=said),
        "category": _("by category, else {rate}", rate=said),
    }[money_.margin_from]
