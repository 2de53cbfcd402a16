"""Fits under drawn parameters: the doubt of estimation, as far as a fit knows it."""

from typing import TypeVar

from crm_analysis.models.checks import check_draws
from crm_analysis.models.fit import Fit
from crm_analysis.models.purchase_fit import PurchaseFit

FitType = TypeVar("FitType", bound=Fit)


def drawn_fits(fit: FitType, draws: int, seed: int) -> list[FitType]:
    """Return the fit under `draws` sets of parameters drawn from their sampling distribution.

    One that came without a covariance (from another package, or given parameters) is returned as it is each time; then
    `doubts` does not speak of parameters.
    """
    check_draws(draws)
    if not knows_its_doubt(fit):
        return [fit] * draws
    return [fit.with_coefficients(values) for values in fit.draws(draws, seed).itertuples(index=False)]


def doubts(purchases: PurchaseFit, spend: Fit | None = None) -> tuple[str, ...]:
    """Return what the draws of a purchase fit, and of a spend fit beside it, contain."""
    known = [knows_its_doubt(fit) for fit in (purchases, spend) if fit is not None]
    return purchases.sources_of_doubt if all(known) else ()


def knows_its_doubt(fit: Fit) -> bool:
    """Whether a fit has a covariance to draw parameters from."""
    return not bool(fit.covariance.isna().to_numpy().any())
