"""The models a forecast chooses from: each fitted to what was known on a day, summary and log alike."""

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
    model_name: str, log: Transactions, customers: CustomerSummary, *, clock: OrderClock | None = None
) -> PurchaseFit:
    """Fit the named model to what was known on the as-of date of the summary.

    Parameters
    ----------
    model_name : str
        As in `models.registry`, or that of `ClockedFit`.
    log : Transactions
        What came after the as-of date is not seen.
    customers : CustomerSummary
        Made from that log, with its as_of date.
    clock : OrderClock, optional
        For the model in the shop's clock: another clock than that read off the log so far.
    """
    if customers.as_of is None:
        raise SettingsError("a candidate is fitted as of a date; the summary has none.")
    if model_name == ClockedFit.model_name:
        clock = clock or order_clock(log, as_of=customers.as_of, time_unit=customers.time_unit)
        return fit_clocked(with_gaps(log, customers, clock), clock)
    if model_name in (CNBDFit.model_name, ModifiedCNBDFit.model_name):
        customers = summarize_customers(log, as_of=customers.as_of, time_unit=customers.time_unit, gaps=True)
    return fitter(model_name)(customers)
