"""A simulated company with all its tables, so that what an analysis finds can be held against what was planted."""

from crm_analysis.company.files import Company
from crm_analysis.company.plan import Plan
from crm_analysis.company.simulate import simulate_company
from crm_analysis.company.truth import Truth

__all__ = ["Company", "Plan", "Truth", "simulate_company"]
