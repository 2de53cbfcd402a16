"""The purchase models by name: what a backtest may choose from and what a saved valuation may hold."""

from collections.abc import Callable

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.mbgnbd import MBGNBDFit, fit_mbgnbd
from crm_analysis.models.nbd import NBDFit, fit_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDFit, fit_pareto_nbd
from crm_analysis.models.purchase_fit import PurchaseFit

FITTERS: dict[str, Callable[[CustomerSummary], PurchaseFit]] = {
    BGNBDFit.model_name: fit_bgnbd,
    MBGNBDFit.model_name: fit_mbgnbd,
    ParetoNBDFit.model_name: fit_pareto_nbd,
    NBDFit.model_name: fit_nbd,
}
_FIT_TYPES: dict[str, type[PurchaseFit]] = {fit.model_name: fit for fit in (BGNBDFit, MBGNBDFit, ParetoNBDFit, NBDFit)}


def fitter(model_name: str) -> Callable[[CustomerSummary], PurchaseFit]:
    """Return the function that fits the named purchase model."""
    _check_known(model_name)
    return FITTERS[model_name]


def purchase_fit_from_json(model_name: str, text: str) -> PurchaseFit:
    """Read a saved fit of the named purchase model."""
    _check_known(model_name)
    return _FIT_TYPES[model_name].from_json(text)


def _check_known(model_name: str) -> None:
    if model_name not in FITTERS:
        raise SettingsError(f"unknown purchase model {model_name!r}; known are {', '.join(FITTERS)}.")
