"""The models a forecast chooses from: each fitted to what was known on a day, summary and log alike.

A candidate is a model's name, or a fit that somebody made elsewhere; that one is used as it is.
"""

from collections.abc import Sequence
from dataclasses import replace

from crm_analysis.data.order_clock import OrderClock, order_clock, with_gaps
from crm_analysis.data.sources import Transactions
from crm_analysis.data.summaries import CustomerSummary, summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.clocked import ClockedFit, fit_clocked
from crm_analysis.models.cnbd import CNBDFit, ModifiedCNBDFit
from crm_analysis.models.mbgnbd import MBGNBDFit
from crm_analysis.models.pareto_nbd import ParetoNBDFit
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import fitter

# The preferred model first; another takes its place only where a test speaks clearly for it. Few, because a handful of
# tests cannot tell many apart.
FOR_AN_EXTRACT = (BGNBDFit.model_name, MBGNBDFit.model_name, ParetoNBDFit.model_name, CNBDFit.model_name)
FOR_AN_OPEN_SHOP = (ClockedFit.model_name, BGNBDFit.model_name, ParetoNBDFit.model_name)


Candidate = str | PurchaseFit


def named(candidates: Sequence[Candidate]) -> dict[str, Candidate]:
    """Name candidates: a model by itself, a fit by its model and that it was given.

    Raises
    ------
    SettingsError
        When one is neither, or two have one name.
    """
    if isinstance(candidates, (str, PurchaseFit)):
        raise SettingsError("models is a single one; give a list, such as ['BG/NBD'].")
    by_name: dict[str, Candidate] = {}
    for candidate in candidates:
        if not isinstance(candidate, (str, PurchaseFit)):
            raise SettingsError(
                f"models holds a {type(candidate).__name__}; give names of purchase models, or purchase fits (a fit of "
                "another package by from_lifetimes or from_pymc_marketing)."
            )
        name = candidate if isinstance(candidate, str) else f"{candidate.model_name} as given"
        if name in by_name:
            raise SettingsError(f"models holds {name!r} twice; give each model, and one fit of a model, once.")
        by_name[name] = candidate
    return by_name


def refit(like: PurchaseFit, log: Transactions, customers: CustomerSummary) -> PurchaseFit:
    """Fit the model of `like` to what was known on another date.

    One in the shop's clock keeps the plan of growth and the speed of `like`, so that a history shows what customers did
    and not what the level of each month would have been.
    """
    if not isinstance(like, ClockedFit) or customers.as_of is None:
        return fit_candidate(like.model_name, log, customers)
    clock = order_clock(log, as_of=customers.as_of, time_unit=customers.time_unit, growth=like.clock.growth)
    fit = fit_clocked(with_gaps(log, customers, clock), clock)
    return replace(fit, speed=like.speed, speed_error=like.speed_error)


def fit_candidate(
    candidate: Candidate, log: Transactions, customers: CustomerSummary, *, clock: OrderClock | None = None
) -> PurchaseFit:
    """Fit the candidate to what was known on the as-of date of the summary; return a fit that was given as it is.

    Parameters
    ----------
    candidate : str or PurchaseFit
        A name as in `models.registry`, or that of `ClockedFit`; or a fit.
    log : Transactions
        What came after the as-of date is not seen.
    customers : CustomerSummary
        Made from that log, with its as_of date.
    clock : OrderClock, optional
        For the model in the shop's clock: another clock than that read off the log so far.
    """
    if isinstance(candidate, PurchaseFit):
        return candidate
    if customers.as_of is None:
        raise SettingsError("a candidate is fitted as of a date; the summary has none.")
    if candidate == ClockedFit.model_name:
        clock = clock or order_clock(log, as_of=customers.as_of, time_unit=customers.time_unit)
        return fit_clocked(with_gaps(log, customers, clock), clock)
    if candidate in (CNBDFit.model_name, ModifiedCNBDFit.model_name):
        customers = summarize_customers(log, as_of=customers.as_of, time_unit=customers.time_unit, gaps=True)
    return fitter(candidate)(customers)
