"""The valuation of one date by the settings of a company: forecast, spend, values, from one chosen model."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crm_analysis.data.sources import Transactions
from crm_analysis.errors import SettingsError
from crm_analysis.models.gamma_gamma import SpendFrequencyCorrelation, fit_gamma_gamma, spend_frequency_correlation
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import purchase_fit_from_json
from crm_analysis.progress import Progress
from crm_analysis.settings import Settings
from crm_analysis.value.forecast import Forecast, forecast_purchases
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value


@dataclass(frozen=True, eq=False)
class PeriodValuation:
    """What a period's book rests on.

    Attributes
    ----------
    forecast : Forecast
        With the chosen model and its proof.
    values : CustomerValues
        Made from that model; its fits serve the equity and every chapter.
    correlation : SpendFrequencyCorrelation
        The test of what the spend model takes for granted.
    """

    forecast: Forecast
    values: CustomerValues
    correlation: SpendFrequencyCorrelation


def value_period(
    transactions: Transactions, *, as_of: date, settings: Settings, progress: Progress | None = None
) -> PeriodValuation:
    """Forecast and value every customer on `as_of`.

    Parameters
    ----------
    transactions : Transactions
        The log, reaching to `as_of` or beyond.
    as_of : date
        Last day that is known.
    settings : Settings
        Money, horizon, time unit, draws and seed of the company.
    progress : callable, optional
        Told in words what is being done, and how far it is where that is known.
    """
    money, forecasting = settings.money, settings.forecast
    given = forecasting.purchase_fit
    forecast = forecast_purchases(
        transactions,
        as_of=as_of,
        horizon=money.horizon,
        holdout=forecasting.holdout,
        models=None if given is None else [_read_fit(settings.path(given))],
        growth=forecasting.growth,
        time_unit=forecasting.time_unit,
        annual_discount_rate=money.annual_discount_rate,
        draws=forecasting.draws,
        seed=forecasting.seed,
        progress=progress,
    )
    customers = forecast.customers
    values = lifetime_value(
        forecast.model,
        fit_gamma_gamma(customers),
        customers,
        horizon=money.horizon,
        annual_discount_rate=money.annual_discount_rate,
        margin=money.margin,
        costs=Costs(money.acquisition_cost, money.cost_per_order, money.cost_to_serve_per_year),
    )
    return PeriodValuation(forecast, values, spend_frequency_correlation(customers))


def _read_fit(file: Path) -> PurchaseFit:
    try:
        return purchase_fit_from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"forecast.purchase_fit: {file.name} cannot be read ({error}).") from None
    except SettingsError as error:
        raise SettingsError(f"forecast.purchase_fit: {file.name}: {error}") from None
