"""What a customer base is worth, who holds that worth, what changed, and how far to trust the answer."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crm_analysis.codebook import Codebook
    from crm_analysis.company.files import Company
    from crm_analysis.company.simulate import simulate_company
    from crm_analysis.data.company_log import open_side_table, open_survey
    from crm_analysis.data.last_gaps import last_gaps
    from crm_analysis.data.order_clock import OrderClock, order_clock
    from crm_analysis.data.samples import load_cdnow, load_cdnow_sample
    from crm_analysis.data.side_door import SideTable
    from crm_analysis.data.side_tables import (
        read_customers,
        read_exits,
        read_market,
        read_memberships,
        read_prospects,
    )
    from crm_analysis.data.sources import Transactions, read_transactions
    from crm_analysis.data.summaries import (
        CalibrationHoldout,
        CustomerSummary,
        split_calibration_holdout,
        summarize_customers,
    )
    from crm_analysis.data.survey import Survey
    from crm_analysis.data.survey_door import read_survey
    from crm_analysis.models.bgbb import BGBBFit, fit_bgbb
    from crm_analysis.models.bgnbd import BGNBDFit, fit_bgnbd
    from crm_analysis.models.clocked import ClockedFit, fit_clocked
    from crm_analysis.models.cnbd import CNBDFit, fit_cnbd
    from crm_analysis.models.gamma_gamma import GammaGammaFit, fit_gamma_gamma, spend_frequency_correlation
    from crm_analysis.models.interop import from_lifetimes, from_pymc_marketing, to_lifetimes
    from crm_analysis.models.interval import Interval
    from crm_analysis.models.mbgnbd import MBGNBDFit, fit_mbgnbd
    from crm_analysis.models.memberships import contract_histories, joined_terms
    from crm_analysis.models.nbd import NBDFit, fit_nbd
    from crm_analysis.models.pareto_nbd import ParetoNBDFit, fit_pareto_nbd
    from crm_analysis.models.sbg import SBGFit, fit_sbg
    from crm_analysis.report.book import Book, build_book
    from crm_analysis.segment_rules import LifecycleRules, Treatment
    from crm_analysis.settings import DoorRules, LineMargins, Settings, TransactionColumns, load_settings
    from crm_analysis.value.acquisition import Acquisition, forecast_acquisition, planned_acquisition
    from crm_analysis.value.backtest import backtest
    from crm_analysis.value.backtest_result import Backtest
    from crm_analysis.value.churn import ChurnRates, churn_rates
    from crm_analysis.value.cohort_retention import CohortRetention, cohort_retention
    from crm_analysis.value.concentration import Concentration, value_concentration
    from crm_analysis.value.contract_bridge import contract_bridge
    from crm_analysis.value.contract_churn import contract_churn
    from crm_analysis.value.contract_equity import ContractEquity, contract_equity
    from crm_analysis.value.contract_levers import contract_equity_if, contract_levers
    from crm_analysis.value.contract_newcomers import contract_newcomers
    from crm_analysis.value.contract_test import ContractTest, check_renewals
    from crm_analysis.value.contract_values import ContractValues, contract_values
    from crm_analysis.value.early_warning import early_warnings
    from crm_analysis.value.equity import CustomerEquity, customer_equity
    from crm_analysis.value.equity_history import equity_history
    from crm_analysis.value.estimator import CustomerValueRegressor, TimeOrigins
    from crm_analysis.value.forecast import Forecast, forecast_purchases
    from crm_analysis.value.lifecycle import LifecycleStates, lifecycle_states
    from crm_analysis.value.lifetime_value import Costs, CustomerValues, lifetime_value
    from crm_analysis.value.likely_lost import LostRule, likely_lost
    from crm_analysis.value.margin_shares import MarginShares, margin_shares
    from crm_analysis.value.member_counts import member_counts
    from crm_analysis.value.member_states import member_states
    from crm_analysis.value.membership_survival import MembershipSurvival, membership_survival
    from crm_analysis.value.migration import Migration, migration_matrix
    from crm_analysis.value.newcomer_counts import monthly_newcomers
    from crm_analysis.value.pipeline import StageProbabilities, stage_probabilities
    from crm_analysis.value.pipeline_acquisition import pipeline_acquisition
    from crm_analysis.value.purchase_intervals import purchase_intervals, total_purchases_interval
    from crm_analysis.value.pyramid import CustomerPyramid, customer_pyramid
    from crm_analysis.value.receivables import ReceivableLoss, receivable_loss
    from crm_analysis.value.referrals import referral_values
    from crm_analysis.value.relationship import relationship_levels
    from crm_analysis.value.renewal_projection import RenewalProjection, renewal_projection
    from crm_analysis.value.retention_curves import retention_curves
    from crm_analysis.value.rfm import RfmSegments, rfm_segments
    from crm_analysis.value.risk import EquityAtRisk, equity_at_risk
    from crm_analysis.value.segment_table import segment_table
    from crm_analysis.value.tier_prices import price_by_tier
    from crm_analysis.value.treatments import treatment_table
    from crm_analysis.value.valued import Valued
    from crm_analysis.value.win_back import ComebackRates, comeback_rates, win_backs
    from crm_analysis.voice.comments import CommentThemes, comment_themes
    from crm_analysis.voice.driver_fit import DriverFit
    from crm_analysis.voice.drivers import fit_drivers
    from crm_analysis.voice.estimate import Estimate
    from crm_analysis.voice.gap import satisfaction_gap
    from crm_analysis.voice.importance_change import importance_change
    from crm_analysis.voice.incomplete import impute
    from crm_analysis.voice.interactions import segment_interactions
    from crm_analysis.voice.kano import KanoResult, kano, kano_of_counts
    from crm_analysis.voice.mediation import Mediation, mediation
    from crm_analysis.voice.ordered_check import OrderedCheck, ordered_check
    from crm_analysis.voice.path_fit import PathModelFit
    from crm_analysis.voice.path_model import path_model
    from crm_analysis.voice.penalty_reward import penalty_reward
    from crm_analysis.voice.priorities import importance_performance
    from crm_analysis.voice.reliability import Reliability, reliability
    from crm_analysis.voice.satisfaction import (
        EffortScore,
        NetPromoterScore,
        effort_score,
        mean_rating,
        net_promoter_score,
        satisfaction_grades,
        top_box,
    )
    from crm_analysis.voice.satisfaction_index import SatisfactionIndex, satisfaction_index
    from crm_analysis.voice.segments import segment_scores
    from crm_analysis.voice.waves import compare_waves, wave_trend
    from crm_analysis.voice.weighting import design_effect, rake, trim_weights
    from crm_analysis.voice.what_if import what_if
    from crm_analysis.voice.word_contrast import word_contrast

__all__ = [
    "Acquisition",
    "BGBBFit",
    "BGNBDFit",
    "Backtest",
    "Book",
    "CNBDFit",
    "CalibrationHoldout",
    "ChurnRates",
    "ClockedFit",
    "Codebook",
    "CohortRetention",
    "ComebackRates",
    "CommentThemes",
    "Company",
    "Concentration",
    "ContractEquity",
    "ContractTest",
    "ContractValues",
    "Costs",
    "CustomerEquity",
    "CustomerPyramid",
    "CustomerSummary",
    "CustomerValueRegressor",
    "CustomerValues",
    "DoorRules",
    "DriverFit",
    "EffortScore",
    "EquityAtRisk",
    "Estimate",
    "Forecast",
    "GammaGammaFit",
    "Interval",
    "KanoResult",
    "LifecycleRules",
    "LifecycleStates",
    "LineMargins",
    "LostRule",
    "MBGNBDFit",
    "MarginShares",
    "Mediation",
    "MembershipSurvival",
    "Migration",
    "NBDFit",
    "NetPromoterScore",
    "OrderClock",
    "OrderedCheck",
    "ParetoNBDFit",
    "PathModelFit",
    "ReceivableLoss",
    "Reliability",
    "RenewalProjection",
    "RfmSegments",
    "SBGFit",
    "SatisfactionIndex",
    "Settings",
    "SideTable",
    "StageProbabilities",
    "Survey",
    "TimeOrigins",
    "TransactionColumns",
    "Transactions",
    "Treatment",
    "Valued",
    "backtest",
    "build_book",
    "check_renewals",
    "churn_rates",
    "cohort_retention",
    "comeback_rates",
    "comment_themes",
    "compare_waves",
    "contract_bridge",
    "contract_churn",
    "contract_equity",
    "contract_equity_if",
    "contract_histories",
    "contract_levers",
    "contract_newcomers",
    "contract_values",
    "customer_equity",
    "customer_pyramid",
    "design_effect",
    "early_warnings",
    "effort_score",
    "equity_at_risk",
    "equity_history",
    "fit_bgbb",
    "fit_bgnbd",
    "fit_clocked",
    "fit_cnbd",
    "fit_drivers",
    "fit_gamma_gamma",
    "fit_mbgnbd",
    "fit_nbd",
    "fit_pareto_nbd",
    "fit_sbg",
    "forecast_acquisition",
    "forecast_purchases",
    "from_lifetimes",
    "from_pymc_marketing",
    "importance_change",
    "importance_performance",
    "impute",
    "joined_terms",
    "kano",
    "kano_of_counts",
    "last_gaps",
    "lifecycle_states",
    "lifetime_value",
    "likely_lost",
    "load_cdnow",
    "load_cdnow_sample",
    "load_settings",
    "margin_shares",
    "mean_rating",
    "mediation",
    "member_counts",
    "member_states",
    "membership_survival",
    "migration_matrix",
    "monthly_newcomers",
    "net_promoter_score",
    "open_side_table",
    "open_survey",
    "order_clock",
    "ordered_check",
    "path_model",
    "penalty_reward",
    "pipeline_acquisition",
    "planned_acquisition",
    "price_by_tier",
    "purchase_intervals",
    "rake",
    "read_customers",
    "read_exits",
    "read_market",
    "read_memberships",
    "read_prospects",
    "read_survey",
    "read_transactions",
    "receivable_loss",
    "referral_values",
    "relationship_levels",
    "reliability",
    "renewal_projection",
    "retention_curves",
    "rfm_segments",
    "satisfaction_gap",
    "satisfaction_grades",
    "satisfaction_index",
    "segment_interactions",
    "segment_scores",
    "segment_table",
    "simulate_company",
    "spend_frequency_correlation",
    "split_calibration_holdout",
    "stage_probabilities",
    "summarize_customers",
    "to_lifetimes",
    "top_box",
    "total_purchases_interval",
    "treatment_table",
    "trim_weights",
    "value_concentration",
    "wave_trend",
    "what_if",
    "win_backs",
    "word_contrast",
]

# Names are looked up when they are first used: who reads a log does not wait for the models, nor they for a plot.
_HOMES = {
    "crm_analysis.codebook": ("Codebook",),
    "crm_analysis.company.files": ("Company",),
    "crm_analysis.company.simulate": ("simulate_company",),
    "crm_analysis.data.company_log": (
        "open_side_table",
        "open_survey",
    ),
    "crm_analysis.data.last_gaps": ("last_gaps",),
    "crm_analysis.data.order_clock": ("OrderClock", "order_clock"),
    "crm_analysis.data.samples": ("load_cdnow", "load_cdnow_sample"),
    "crm_analysis.data.side_door": ("SideTable",),
    "crm_analysis.data.side_tables": (
        "read_customers",
        "read_exits",
        "read_market",
        "read_memberships",
        "read_prospects",
    ),
    "crm_analysis.data.sources": ("Transactions", "read_transactions"),
    "crm_analysis.data.summaries": (
        "CalibrationHoldout",
        "CustomerSummary",
        "split_calibration_holdout",
        "summarize_customers",
    ),
    "crm_analysis.data.survey": ("Survey",),
    "crm_analysis.data.survey_door": ("read_survey",),
    "crm_analysis.models.bgbb": ("BGBBFit", "fit_bgbb"),
    "crm_analysis.models.bgnbd": ("BGNBDFit", "fit_bgnbd"),
    "crm_analysis.models.clocked": ("ClockedFit", "fit_clocked"),
    "crm_analysis.models.cnbd": ("CNBDFit", "fit_cnbd"),
    "crm_analysis.models.gamma_gamma": ("GammaGammaFit", "fit_gamma_gamma", "spend_frequency_correlation"),
    "crm_analysis.models.interop": ("from_lifetimes", "from_pymc_marketing", "to_lifetimes"),
    "crm_analysis.models.interval": ("Interval",),
    "crm_analysis.models.mbgnbd": ("MBGNBDFit", "fit_mbgnbd"),
    "crm_analysis.models.memberships": ("contract_histories", "joined_terms"),
    "crm_analysis.models.nbd": ("NBDFit", "fit_nbd"),
    "crm_analysis.models.pareto_nbd": ("ParetoNBDFit", "fit_pareto_nbd"),
    "crm_analysis.models.sbg": ("SBGFit", "fit_sbg"),
    "crm_analysis.report.book": ("Book", "build_book"),
    "crm_analysis.segment_rules": ("LifecycleRules", "Treatment"),
    "crm_analysis.settings": ("DoorRules", "LineMargins", "Settings", "TransactionColumns", "load_settings"),
    "crm_analysis.value.acquisition": ("Acquisition", "forecast_acquisition", "planned_acquisition"),
    "crm_analysis.value.backtest": ("backtest",),
    "crm_analysis.value.backtest_result": ("Backtest",),
    "crm_analysis.value.churn": ("ChurnRates", "churn_rates"),
    "crm_analysis.value.cohort_retention": ("CohortRetention", "cohort_retention"),
    "crm_analysis.value.concentration": ("Concentration", "value_concentration"),
    "crm_analysis.value.contract_bridge": ("contract_bridge",),
    "crm_analysis.value.contract_churn": ("contract_churn",),
    "crm_analysis.value.contract_equity": ("ContractEquity", "contract_equity"),
    "crm_analysis.value.contract_levers": ("contract_equity_if", "contract_levers"),
    "crm_analysis.value.contract_newcomers": ("contract_newcomers",),
    "crm_analysis.value.contract_test": ("ContractTest", "check_renewals"),
    "crm_analysis.value.contract_values": ("ContractValues", "contract_values"),
    "crm_analysis.value.early_warning": ("early_warnings",),
    "crm_analysis.value.equity": ("CustomerEquity", "customer_equity"),
    "crm_analysis.value.equity_history": ("equity_history",),
    "crm_analysis.value.estimator": ("CustomerValueRegressor", "TimeOrigins"),
    "crm_analysis.value.forecast": ("Forecast", "forecast_purchases"),
    "crm_analysis.value.lifecycle": ("LifecycleStates", "lifecycle_states"),
    "crm_analysis.value.lifetime_value": ("Costs", "CustomerValues", "lifetime_value"),
    "crm_analysis.value.likely_lost": ("LostRule", "likely_lost"),
    "crm_analysis.value.margin_shares": ("MarginShares", "margin_shares"),
    "crm_analysis.value.member_counts": ("member_counts",),
    "crm_analysis.value.member_states": ("member_states",),
    "crm_analysis.value.membership_survival": ("MembershipSurvival", "membership_survival"),
    "crm_analysis.value.migration": ("Migration", "migration_matrix"),
    "crm_analysis.value.newcomer_counts": ("monthly_newcomers",),
    "crm_analysis.value.pipeline": ("StageProbabilities", "stage_probabilities"),
    "crm_analysis.value.pipeline_acquisition": ("pipeline_acquisition",),
    "crm_analysis.value.purchase_intervals": ("purchase_intervals", "total_purchases_interval"),
    "crm_analysis.value.pyramid": ("CustomerPyramid", "customer_pyramid"),
    "crm_analysis.value.receivables": ("ReceivableLoss", "receivable_loss"),
    "crm_analysis.value.referrals": ("referral_values",),
    "crm_analysis.value.relationship": ("relationship_levels",),
    "crm_analysis.value.renewal_projection": ("RenewalProjection", "renewal_projection"),
    "crm_analysis.value.retention_curves": ("retention_curves",),
    "crm_analysis.value.rfm": ("RfmSegments", "rfm_segments"),
    "crm_analysis.value.risk": ("EquityAtRisk", "equity_at_risk"),
    "crm_analysis.value.segment_table": ("segment_table",),
    "crm_analysis.value.tier_prices": ("price_by_tier",),
    "crm_analysis.value.treatments": ("treatment_table",),
    "crm_analysis.value.valued": ("Valued",),
    "crm_analysis.value.win_back": ("ComebackRates", "comeback_rates", "win_backs"),
    "crm_analysis.voice.comments": (
        "CommentThemes",
        "comment_themes",
    ),
    "crm_analysis.voice.driver_fit": ("DriverFit",),
    "crm_analysis.voice.drivers": ("fit_drivers",),
    "crm_analysis.voice.estimate": ("Estimate",),
    "crm_analysis.voice.gap": ("satisfaction_gap",),
    "crm_analysis.voice.importance_change": ("importance_change",),
    "crm_analysis.voice.incomplete": ("impute",),
    "crm_analysis.voice.interactions": ("segment_interactions",),
    "crm_analysis.voice.kano": (
        "KanoResult",
        "kano",
        "kano_of_counts",
    ),
    "crm_analysis.voice.mediation": (
        "Mediation",
        "mediation",
    ),
    "crm_analysis.voice.ordered_check": (
        "OrderedCheck",
        "ordered_check",
    ),
    "crm_analysis.voice.path_fit": ("PathModelFit",),
    "crm_analysis.voice.path_model": ("path_model",),
    "crm_analysis.voice.penalty_reward": ("penalty_reward",),
    "crm_analysis.voice.priorities": ("importance_performance",),
    "crm_analysis.voice.reliability": (
        "Reliability",
        "reliability",
    ),
    "crm_analysis.voice.satisfaction": (
        "EffortScore",
        "NetPromoterScore",
        "effort_score",
        "mean_rating",
        "net_promoter_score",
        "satisfaction_grades",
        "top_box",
    ),
    "crm_analysis.voice.satisfaction_index": (
        "SatisfactionIndex",
        "satisfaction_index",
    ),
    "crm_analysis.voice.segments": ("segment_scores",),
    "crm_analysis.voice.waves": (
        "compare_waves",
        "wave_trend",
    ),
    "crm_analysis.voice.weighting": (
        "design_effect",
        "rake",
        "trim_weights",
    ),
    "crm_analysis.voice.what_if": ("what_if",),
    "crm_analysis.voice.word_contrast": ("word_contrast",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name from where it lives."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
