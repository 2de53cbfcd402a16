"""What a customer base is worth, who holds that worth, what changed, and how far to trust the answer."""

from crm_analysis.data.samples import load_cdnow, load_cdnow_sample
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import (
    CalibrationHoldout,
    CustomerSummary,
    split_calibration_holdout,
    summarize_customers,
)
from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
from crm_analysis.models.gamma_gamma import GammaGammaFit, fit_gamma_gamma, spend_frequency_correlation
from crm_analysis.settings import DoorRules, Settings, TransactionColumns, load_settings
from crm_analysis.value.backtest import Backtest, backtest
from crm_analysis.value.concentration import Concentration, value_concentration
from crm_analysis.value.equity import CustomerEquity, customer_equity, equity_history
from crm_analysis.value.forecast import Forecast, forecast_purchases
from crm_analysis.value.interval import Interval
from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value

__all__ = [
    "BGNBDFit",
    "Backtest",
    "CalibrationHoldout",
    "Concentration",
    "Costs",
    "CustomerEquity",
    "CustomerSummary",
    "CustomerValues",
    "DoorRules",
    "Forecast",
    "GammaGammaFit",
    "Interval",
    "Settings",
    "TransactionColumns",
    "Transactions",
    "backtest",
    "customer_equity",
    "equity_history",
    "fit_bgnbd",
    "fit_gamma_gamma",
    "forecast_purchases",
    "lifetime_value",
    "load_cdnow",
    "load_cdnow_sample",
    "load_settings",
    "read_transactions",
    "spend_frequency_correlation",
    "split_calibration_holdout",
    "summarize_customers",
    "value_concentration",
]
