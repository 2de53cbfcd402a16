"""The purchase models by name: how to fit each to a summary alone, and what a saved valuation may hold."""

import json
from collections.abc import Callable
from typing import TypeVar

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgbb import BGBBFit, fit_bgbb
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.clocked import ClockedFit
from crm_analysis.models.cnbd import CNBDFit, ModifiedCNBDFit, fit_cnbd
from crm_analysis.models.mbgnbd import MBGNBDFit, fit_mbgnbd
from crm_analysis.models.nbd import NBDFit, fit_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDFit, fit_pareto_nbd
from crm_analysis.models.purchase_fit import PurchaseFit

Kind = TypeVar("Kind")

# Those that need a column of gaps, or count opportunities, refuse a summary without.
FITTERS: dict[str, Callable[[CustomerSummary], PurchaseFit]] = {
    BGNBDFit.model_name: fit_bgnbd,
    MBGNBDFit.model_name: fit_mbgnbd,
    ParetoNBDFit.model_name: fit_pareto_nbd,
    NBDFit.model_name: fit_nbd,
    CNBDFit.model_name: fit_cnbd,
    ModifiedCNBDFit.model_name: lambda customers: fit_cnbd(customers, modified=True),
    BGBBFit.model_name: fit_bgbb,
}
_FIT_TYPES: dict[str, type[PurchaseFit]] = {
    fit.model_name: fit
    for fit in (
        BGNBDFit, MBGNBDFit, ParetoNBDFit, NBDFit, CNBDFit, ModifiedCNBDFit, BGBBFit, ClockedFit
    )
}  # fmt: skip


def fitter(model_name: str) -> Callable[[CustomerSummary], PurchaseFit]:
    """Return the function that fits the named purchase model to a summary."""
    return _look_up(model_name, FITTERS)


def purchase_fit_from_json(text: str) -> PurchaseFit:
    """Read a fit of any purchase model that `to_json` wrote; raise `SettingsError` for anything else."""
    try:
        model_name = json.loads(text)["model"]
    except (ValueError, TypeError, LookupError):
        raise SettingsError("this text holds no purchase fit; write one with its to_json method.") from None
    return _look_up(str(model_name), _FIT_TYPES).from_json(text)


def _look_up(model_name: str, known: dict[str, Kind]) -> Kind:
    if model_name not in known:
        raise SettingsError(f"unknown purchase model {model_name!r}; known are {', '.join(known)}.")
    return known[model_name]
