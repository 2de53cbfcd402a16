"""Every fit function refuses what cannot be right, with its rows, and gives no number."""

import warnings

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import CrmAnalysisError, DataError, EstimationWarning, SettingsError
from crm_analysis.models.bgbb import fit_bgbb
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.cnbd import fit_cnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.mbgnbd import fit_mbgnbd
from crm_analysis.models.nbd import fit_nbd
from crm_analysis.models.pareto_nbd import fit_pareto_nbd

FITTERS = [fit_bgnbd, fit_mbgnbd, fit_pareto_nbd, fit_nbd, fit_cnbd, fit_bgbb]
every_fitter = pytest.mark.parametrize("fit", FITTERS, ids=[fit.__name__ for fit in FITTERS])


def good() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"frequency": rng.integers(0, 6, 200).astype(float)})
    frame["recency"] = np.where(frame["frequency"] > 0, frame["frequency"] + rng.integers(0, 10, 200), 0.0)
    return frame.assign(T=30.0, sum_log_gap=0.5 * frame["frequency"]).set_index(frame.index.astype(str))


def spoilt(column: str, value: float) -> pd.DataFrame:
    frame = good()
    frame.loc[frame.index[[4, 9]], column] = value
    return frame


@every_fitter
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("frequency", np.nan, "missing or infinite"),
        ("recency", np.inf, "missing or infinite"),
        ("frequency", -1.0, "not a whole number"),
        ("frequency", 1.5, "not a whole number"),
        ("recency", 31.0, "recency is greater than T"),
        ("recency", -1.0, "recency is negative"),
    ],
)
def test_impossible_histories_are_refused_with_their_rows(fit, column, value, words):
    with pytest.raises(DataError, match=words) as refused:
        fit(CustomerSummary(spoilt(column, value), "week"))
    assert "2 row(s)" in str(refused.value)
    assert "To fix:" in str(refused.value)


@every_fitter
def test_repeated_ids_are_refused(fit):
    frame = good()
    with pytest.raises(DataError, match="customer_id is not unique"):
        fit(CustomerSummary(pd.concat([frame, frame.head(2)]), "week"))


@every_fitter
def test_nobody_is_refused(fit):
    with pytest.raises(CrmAnalysisError):
        fit(CustomerSummary(good().head(0), "week"))


@every_fitter
@pytest.mark.parametrize("weights", [np.ones(3), np.full(200, -1.0), np.full(200, np.nan), np.zeros(200)])
def test_weights_that_cannot_be_are_refused(fit, weights):
    with pytest.raises(SettingsError, match="weights: give one weight >= 0"):
        fit(CustomerSummary(good(), "week"), weights=weights)


def test_a_wrong_unit_is_refused():
    with pytest.raises(SettingsError, match="time_unit is 'fortnight'"):
        CustomerSummary(good(), "fortnight")


@every_fitter
@pytest.mark.parametrize("horizon", [-1.0, np.nan, np.inf, "two weeks", "0 parsecs"])
def test_horizons_that_cannot_be_are_refused(fit, horizon):
    customers = CustomerSummary(good(), "week")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # these customers are no model's
        fitted = fit(customers)
    with pytest.raises(SettingsError):
        fitted.expected_purchases(customers, horizon=horizon)


def test_too_few_spends_are_refused():
    frame = good().assign(monetary_value=np.nan)
    frame.loc[frame.index[frame["frequency"] > 0][:3], "monetary_value"] = 10.0
    with pytest.raises(DataError, match="3 customer"):
        fit_gamma_gamma(CustomerSummary(frame, "week"))
