"""Three companies: as they come, without all that a plain model does not know, and with covariates alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from crm_analysis.company import Company, Plan, simulate_company
from crm_analysis.company.log import NOTHING_ODD
from crm_analysis.company.purchases import FLAT

SEED = 20240601


@pytest.fixture(scope="session")
def company() -> Company:
    """A shop of three years with everything in it."""
    return simulate_company(seed=SEED, customers=6_000, months=36)


@pytest.fixture(scope="session")
def plain() -> Company:
    """A shop whose log is a BG/NBD with Gamma-Gamma spend and nothing else."""
    return simulate_company(seed=SEED, customers=5_000, months=36, plan=Plan().without_extras())


@pytest.fixture(scope="session")
def with_covariates() -> Company:
    """A shop in which channel and satisfaction move purchases and dropout, without seasons and odd rows."""
    plan = Plan()
    plan = replace(
        plan,
        buying=replace(plan.buying, season=FLAT),
        odd_rows=NOTHING_ODD,
        campaigns=replace(plan.campaigns, lift=0.0),
    )
    return simulate_company(seed=SEED, customers=5_000, months=36, plan=plan)


@pytest.fixture(scope="session")
def is_share() -> Callable[[object, float], bool]:
    """Whether the share of true values is the expected one, within four standard errors."""

    def check(values: object, expected: float) -> bool:
        array = np.asarray(values, dtype=float)
        error = np.sqrt(expected * (1 - expected) / len(array))
        return bool(len(array) >= 30 and abs(array.mean() - expected) < 4 * error)

    return check


@pytest.fixture(scope="session")
def is_mean() -> Callable[[object, float], bool]:
    """Whether the mean of the values is the expected one, within four standard errors."""

    def check(values: object, expected: float) -> bool:
        array = np.asarray(values, dtype=float)
        return bool(len(array) >= 30 and abs(array.mean() - expected) < 4 * array.std(ddof=1) / np.sqrt(len(array)))

    return check
