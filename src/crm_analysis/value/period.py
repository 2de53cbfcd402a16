"""The valuation of one date by the settings of a company: forecast, spend, values, from one chosen model."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from crm_analysis.data.company_log import open_side_table
from crm_analysis.data.order_clock import is_open_shop
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import _
from crm_analysis.models.gamma_gamma import SpendFrequencyCorrelation, fit_gamma_gamma, spend_frequency_correlation
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import purchase_fit_from_json
from crm_analysis.progress import Progress
from crm_analysis.settings import MoneySettings, Settings
from crm_analysis.value.acquisition import Acquisition, forecast_acquisition, planned_acquisition
from crm_analysis.value.forecast import Forecast, forecast_purchases
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value
from crm_analysis.value.margin_shares import margin_shares
from crm_analysis.value.pipeline_acquisition import pipeline_acquisition
from crm_analysis.value.potential import Pieces


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
        margin=money.margin if money.line_margins is None else margin_shares(customers),
        costs=costs_of(money),
    )
    return PeriodValuation(forecast, values, spend_frequency_correlation(customers))


def period_acquisition(
    transactions: Transactions, values: CustomerValues, settings: Settings
) -> tuple[Acquisition | None, str]:
    """Say how many customers are expected to join after the as-of date of `values`, by the settings.

    Returns
    -------
    acquisition : Acquisition or None
        None where future customers are not to be valued, or cannot be.
    words : str
        Where the number comes from, or why there is none.
    """
    wanted, customers, given = settings.acquisition, values.customers, values.assumptions
    assert customers.as_of is not None and given.horizon_in_units is not None  # the settings give a horizon
    months = Pieces.of(given.time_unit, customers.as_of, until=given.horizon_in_units).months
    if wanted.source == "none":
        return None, _("By the settings customers still to be acquired are not valued.")
    if wanted.plan is not None:
        plan = planned_acquisition(
            wanted.plan, as_of=customers.as_of, months=months, error=wanted.plan_error, customers=customers
        )
        return plan, plan.words
    if wanted.source == "pipeline":
        prospects = open_side_table(settings, "prospects", as_of=customers.as_of)
        assert prospects is not None  # the settings are refused without it
        try:
            wins = pipeline_acquisition(prospects, as_of=customers.as_of, months=months, customers=customers)
        except DataError:
            return None, _("The history of prospects is too short to forecast their wins, so these are not valued.")
        return wins, wins.words
    if not is_open_shop(transactions, as_of=customers.as_of):
        return None, _("Hardly anybody joins any more, so customers still to be acquired are not valued.")
    try:
        forecast = forecast_acquisition(transactions, as_of=customers.as_of, months=months, customers=customers)
    except DataError:
        return None, _("The log is too short to forecast new customers, so these are not valued.")
    return forecast, forecast.words


def costs_of(money: MoneySettings) -> Costs:
    """Return what a customer costs by the settings."""
    return Costs(money.acquisition_cost, money.cost_per_order, money.cost_to_serve_per_year, money.tax_rate)


def _read_fit(file: Path) -> PurchaseFit:
    try:
        return purchase_fit_from_json(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"forecast.purchase_fit: {file.name} cannot be read ({error}).") from None
    except SettingsError as error:
        raise SettingsError(f"forecast.purchase_fit: {file.name}: {error}") from None
