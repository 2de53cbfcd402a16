"""Fits that were made elsewhere are valued, tested and told as they are."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from lifetimes import BetaGeoFitter

from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import EstimationWarning, SettingsError
from crm_analysis.models import bgnbd
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.interop import from_lifetimes
from crm_analysis.settings import ForecastSettings, Settings
from crm_analysis.value.backtest import backtest
from crm_analysis.value.equity import customer_equity
from crm_analysis.value.equity_history import equity_history
from crm_analysis.value.forecast import forecast_purchases
from crm_analysis.value.lifetime_value import lifetime_value
from crm_analysis.value.period import value_period
from crm_analysis.value.purchase_intervals import purchase_intervals, total_purchases_interval

ORIGIN, AS_OF = date(2024, 4, 30), date(2024, 12, 31)
TRUTH = BGNBDParams(0.7, 8.0, 0.7, 2.5)


@pytest.fixture(scope="module")
def log():
    """Two simulated years of customers who all joined in the first quarter."""
    rng = np.random.default_rng(5)
    first = rng.integers(0, 90, size=800)
    events = bgnbd.simulate(TRUTH, (730 - first) / 7, rng)
    owner = np.concatenate([np.arange(800), events["customer"]])
    day = np.concatenate([first, first[events["customer"]] + np.ceil(events["time"] * 7)])
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{number}" for number in owner],
            "order_date": pd.Timestamp(2023, 1, 1) + pd.to_timedelta(day, unit="D"),
            "amount": np.round(20 * rng.gamma(6.0, 1 / 6, size=len(owner)) * rng.gamma(5, 0.2, 800)[owner], 2) + 0.01,
        }
    )
    return read_transactions(frame, as_of=AS_OF)


@pytest.fixture(scope="module")
def imported(log) -> BGNBDFit:
    """What lifetimes learns from the log up to the origin."""
    known = summarize_customers(log, as_of=ORIGIN).frame
    return from_lifetimes(BetaGeoFitter().fit(known["frequency"], known["recency"], known["T"]))


@pytest.fixture(scope="module")
def proof(log, imported):
    return backtest(log, origins=[ORIGIN], horizon="20 weeks", models=[imported, "BG/NBD"], draws=50)


def test_an_imported_fit_is_tested_as_it_is(log, imported, proof):
    known = summarize_customers(log, as_of=ORIGIN)
    assert proof.model_name == "BG/NBD as given"
    assert proof.expected == pytest.approx(imported.expected_purchases(known, horizon=20).sum())


def test_an_imported_fit_of_the_same_data_scores_like_our_own(proof):
    ours, theirs = (proof.comparison.loc[name, "log_score"] for name in ("BG/NBD", "BG/NBD as given"))
    assert ours == pytest.approx(theirs, abs=1e-4)


def test_a_forecast_rests_on_the_fit_it_was_given_and_says_so(log, imported):
    forecast = forecast_purchases(log, as_of=AS_OF, horizon="20 weeks", models=[imported], draws=50)
    assert forecast.model is imported
    assert "with the parameters it was given" in forecast.method
    assert forecast.backtest.model_name == "BG/NBD as given"


def test_days_that_are_taken_as_weeks_are_doubted(log):
    known = summarize_customers(log, as_of=AS_OF, time_unit="day").frame
    with pytest.warns(EstimationWarning, match="taken as weeks, which is 1[0-9] years"):
        fit = from_lifetimes(BetaGeoFitter().fit(known["frequency"], known["recency"], known["T"]))
    assert "say time_unit" in fit.advice[0]


@pytest.fixture(scope="module")
def bare() -> BGNBDFit:
    """Parameters alone, without a covariance."""
    return BGNBDFit.from_params(TRUTH, time_unit="week")


def test_without_covariance_a_test_contains_individual_randomness_alone(log, bare):
    proof = backtest(log, origins=[ORIGIN], horizon="20 weeks", models=[bare], draws=50)
    assert proof.interval.contains == ("individual randomness",)


def test_without_covariance_equity_has_the_interval_of_its_futures_and_none_of_its_expectation(log, bare):
    customers = summarize_customers(log, as_of=AS_OF)
    spend = fit_gamma_gamma(customers)
    values = lifetime_value(bare, spend, customers, horizon="12 months", annual_discount_rate=0.1, margin=0.3)
    equity = customer_equity(values, draws=50, seed=1)
    assert equity.interval.contains == ("individual randomness",)
    assert equity.total in equity.interval
    assert np.isnan(equity.parameter_interval.lower)
    assert equity.parameter_interval.contains == ()


def test_without_covariance_a_total_has_an_interval_and_an_expectation_has_none(log, bare):
    customers = summarize_customers(log, as_of=AS_OF)
    assert total_purchases_interval(bare, customers, horizon=20, draws=50).contains == ("individual randomness",)
    with pytest.raises(SettingsError, match="has no covariance"):
        purchase_intervals(bare, customers, horizon=20, draws=50)


def test_a_history_can_keep_the_fit_of_today(log, bare):
    customers = summarize_customers(log, as_of=AS_OF)
    terms = {"horizon": "12 months", "annual_discount_rate": 0.1, "margin": 0.3}
    values = lifetime_value(bare, fit_gamma_gamma(customers), customers, **terms)
    history = equity_history(log, dates=[ORIGIN], like=values, fitted_anew=False)
    then = summarize_customers(log, as_of=ORIGIN)
    assert history.loc[ORIGIN, "equity"] == pytest.approx(
        lifetime_value(bare, fit_gamma_gamma(then), then, **terms).total, rel=1e-12
    )


def settings_with(folder, text: str) -> Settings:
    (folder / "fit.json").write_text(text)
    return Settings(root=folder, forecast=ForecastSettings(purchase_fit="fit.json", draws=100, holdout="20 weeks"))


def test_a_company_names_the_file_of_its_fit(log, imported, tmp_path):
    valuation = value_period(log, as_of=AS_OF, settings=settings_with(tmp_path, imported.to_json()))
    assert valuation.values.fits.purchases.params == imported.params


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"model": "tea leaves"}'])
def test_a_file_that_holds_no_fit_is_refused_by_name(log, tmp_path, text):
    with pytest.raises(SettingsError, match=r"forecast\.purchase_fit: fit\.json: "):
        value_period(log, as_of=AS_OF, settings=settings_with(tmp_path, text))


@pytest.mark.parametrize(
    ("models", "words"),
    [("BG/NBD", "give a list"), ([3], "holds a int"), (["BG/NBD", "BG/NBD"], "twice"), ([], "nothing to test")],
)
def test_a_list_of_models_that_is_none_is_refused(log, models, words):
    with pytest.raises(SettingsError, match=words):
        backtest(log, origins=[ORIGIN], horizon="20 weeks", models=models)
