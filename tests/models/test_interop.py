"""Fits that cross the border: the same predictions on both sides, and honest words on what does not cross."""

import importlib.util
import pickle
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import EstimationWarning, SettingsError
from crm_analysis.models.bgbb import fit_bgbb
from crm_analysis.models.bgnbd import BGNBDFit, BGNBDParams, fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.interop import from_lifetimes, from_pymc_marketing, to_lifetimes
from crm_analysis.models.mbgnbd import MBGNBDFit, MBGNBDParams, fit_mbgnbd
from crm_analysis.models.nbd import fit_nbd
from crm_analysis.models.pareto_nbd import ParetoNBDFit, ParetoNBDParams, fit_pareto_nbd
from crm_analysis.value.lifetime_value import lifetime_value

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # lifetimes warns on import with today's pandas
    import lifetimes

HISTORY = ["frequency", "recency", "T"]
SPEND = ["frequency", "monetary_value"]
FIT_HERE = {"BetaGeoFitter": fit_bgnbd, "ModifiedBetaGeoFitter": fit_mbgnbd, "ParetoNBDFitter": fit_pareto_nbd}
FITS = [
    BGNBDFit.from_params(BGNBDParams(0.243, 4.414, 0.793, 2.426)),
    MBGNBDFit.from_params(MBGNBDParams(0.525, 6.183, 0.891, 1.614)),
    ParetoNBDFit.from_params(ParetoNBDParams(0.553, 10.578, 0.606, 11.669)),
]


@pytest.fixture(scope="module")
def repeat_buyers(cdnow_summary: CustomerSummary) -> pd.DataFrame:
    return cdnow_summary.frame.query("frequency > 0")


@pytest.fixture(scope="module")
def fitters(cdnow_summary, repeat_buyers) -> dict[str, object]:
    """Each fitter of lifetimes, fitted there; a summary of ours is what they take."""
    np.random.seed(1)  # noqa: NPY002  # lifetimes starts the Pareto/NBD from the global generator
    by_history = {name: getattr(lifetimes, name)().fit(**cdnow_summary.frame[HISTORY]) for name in FIT_HERE}
    return by_history | {"GammaGammaFitter": lifetimes.GammaGammaFitter().fit(**repeat_buyers[SPEND])}


@pytest.fixture(scope="module")
def donations() -> pd.DataFrame:
    """The donors of Fader, Hardie & Shang (2010): frequency, recency, n_periods, and weights, the number of donors."""
    folder = Path(lifetimes.__file__).parent / "datasets"
    return pd.read_csv(folder / "donations.csv").rename(columns={"periods": "n_periods"})


@pytest.fixture(scope="module")
def donors(donations) -> CustomerSummary:
    return CustomerSummary(donations.rename(columns={"n_periods": "T"}).rename(index=str), "month")


@pytest.fixture(scope="module")
def imported(fitters) -> dict[str, object]:
    return {name: from_lifetimes(fitter) for name, fitter in fitters.items()}


def columns(customers: CustomerSummary) -> tuple[pd.Series, ...]:
    return tuple(customers.frame[name] for name in HISTORY)


# --- from lifetimes ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FIT_HERE)
def test_probability_alive_is_that_of_lifetimes(fitters, imported, cdnow_summary, name):
    theirs = fitters[name].conditional_probability_alive(*columns(cdnow_summary))
    np.testing.assert_allclose(imported[name].probability_alive(cdnow_summary), theirs, rtol=1e-6)


@pytest.mark.parametrize("name", FIT_HERE)
def test_expected_purchases_are_those_of_lifetimes(fitters, imported, cdnow_summary, name):
    theirs = fitters[name].predict(39, *columns(cdnow_summary))
    np.testing.assert_allclose(imported[name].expected_purchases(cdnow_summary, horizon=39), theirs, rtol=1e-6)


@pytest.mark.parametrize("name", FIT_HERE)
def test_purchases_of_a_new_customer_are_those_of_lifetimes(fitters, imported, name):
    t = np.array([1.0, 26, 104])
    theirs = fitters[name].expected_number_of_purchases_up_to_time(t)
    np.testing.assert_allclose(imported[name].expected_purchases_new_customer(t), theirs, rtol=1e-6)


def test_expected_spend_is_that_of_lifetimes(fitters, imported, repeat_buyers):
    theirs = fitters["GammaGammaFitter"].conditional_expected_average_profit(
        repeat_buyers["frequency"], repeat_buyers["monetary_value"]
    )
    ours = imported["GammaGammaFitter"].expected_spend(CustomerSummary(repeat_buyers, "week"))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


@pytest.mark.parametrize("name", FIT_HERE)
def test_the_criteria_of_an_imported_fit_compare_with_ours(imported, cdnow_summary, name):
    ours = FIT_HERE[name](cdnow_summary)
    assert imported[name].aic == pytest.approx(ours.aic, abs=0.02)
    assert imported[name].bic == pytest.approx(ours.bic, abs=0.02)


def test_the_log_likelihood_of_an_imported_fit_is_the_published_one(imported, published):
    log_likelihood = imported["BetaGeoFitter"].log_likelihood
    assert log_likelihood == pytest.approx(published["C2"]["values"][0], abs=published["C2"]["abs"])


@pytest.mark.parametrize("name", FIT_HERE)
def test_the_covariance_of_an_imported_fit_is_ours_and_not_that_of_lifetimes(fitters, imported, cdnow_summary, name):
    ours = FIT_HERE[name](cdnow_summary).covariance
    np.testing.assert_allclose(imported[name].covariance, ours, rtol=0.01)
    theirs = getattr(fitters[name], "variance_matrix_", None)  # none for the Pareto/NBD
    assert theirs is None or not np.allclose(theirs, ours, rtol=0.1)


def test_the_covariance_of_an_imported_spend_model_is_ours(imported, cdnow_summary):
    ours = fit_gamma_gamma(cdnow_summary)
    np.testing.assert_allclose(imported["GammaGammaFitter"].covariance, ours.covariance, rtol=0.01)
    assert imported["GammaGammaFitter"].log_likelihood == pytest.approx(ours.log_likelihood, abs=0.01)


def test_a_good_fit_comes_without_advice(imported):
    assert [fit.advice for fit in imported.values()] == [()] * 4
    assert all(fit.converged for fit in imported.values())


def test_a_model_of_opportunities_predicts_what_lifetimes_does(donations, donors):
    fitter = lifetimes.BetaGeoBetaBinomFitter().fit(**donations)
    fit = from_lifetimes(fitter, time_unit="month")
    history = [donations[name] for name in ("frequency", "recency", "n_periods")]
    expected = fitter.conditional_expected_number_of_purchases_up_to_time(5, *history)
    np.testing.assert_allclose(fit.expected_purchases(donors, horizon=5), expected, rtol=1e-6)
    alive = fitter.conditional_probability_alive(1, *history)  # at the next opportunity
    np.testing.assert_allclose(fit.probability_alive(donors), alive, rtol=1e-6)
    ours = fit_bgbb(donors, weights=donations["weights"].to_numpy())
    assert fit.aic == pytest.approx(ours.aic, abs=0.02)
    np.testing.assert_allclose(fit.covariance, ours.covariance, rtol=0.01)


def test_a_model_of_opportunities_predicts_the_same_in_lifetimes(donations, donors):
    fit = fit_bgbb(donors, weights=donations["weights"].to_numpy())
    fitter = to_lifetimes(fit, donors)
    history = [donations[name] for name in ("frequency", "recency", "n_periods")]
    np.testing.assert_allclose(fitter.predict(5, *history), fit.expected_purchases(donors, horizon=5), rtol=1e-6)
    assert len(fitter.generate_new_data(size=22)) == 22


def test_weights_count_as_repeated_rows(cdnow_summary, imported):
    counted = cdnow_summary.frame.groupby(HISTORY).size().rename("weights").reset_index()
    fit = from_lifetimes(lifetimes.BetaGeoFitter().fit(**counted))
    assert fit.number_of_customers == 2357
    assert fit.log_likelihood == pytest.approx(imported["BetaGeoFitter"].log_likelihood, abs=1e-3)


def test_a_penalised_fit_says_why_it_has_no_covariance(cdnow_summary):
    fit = from_lifetimes(lifetimes.BetaGeoFitter(penalizer_coef=0.01).fit(**cdnow_summary.frame[HISTORY]))
    assert fit.covariance.isna().all(axis=None)
    assert len(fit.advice) == 1
    assert "penalizer_coef = 0.01" in fit.advice[0]
    assert fit.log_likelihood < -9583  # of the data alone, below the maximum of -9582.43


def test_a_fitter_that_stopped_short_is_called_out(cdnow_summary):
    fitter = lifetimes.BetaGeoFitter().fit(**cdnow_summary.frame[HISTORY])
    fitter.params_["r"] *= 1.2
    with pytest.warns(EstimationWarning, match="stopped short of the maximum"):
        fit = from_lifetimes(fitter)
    assert not fit.converged
    assert fit.covariance.isna().all(axis=None)


def test_a_fitter_saved_without_its_data_predicts_and_says_what_is_missing(fitters, tmp_path):
    path = tmp_path / "bgf.pkl"
    fitters["BetaGeoFitter"].save_model(path, save_data=False, save_generate_data_method=False)
    loaded = lifetimes.BetaGeoFitter()
    loaded.load_model(path)
    fit = from_lifetimes(loaded)
    assert fit.params == from_lifetimes(fitters["BetaGeoFitter"]).params
    assert np.isnan(fit.log_likelihood)
    assert "without the data" in fit.advice[0]


def test_the_time_unit_is_the_callers_to_say(fitters, cdnow_summary):
    days = cdnow_summary.frame.assign(recency=lambda f: f["recency"] * 7, T=lambda f: f["T"] * 7)
    fit = from_lifetimes(lifetimes.BetaGeoFitter().fit(**days[HISTORY]), time_unit="day")
    by_week = from_lifetimes(fitters["BetaGeoFitter"])
    assert fit.expected_purchases_new_customer("26 weeks") == pytest.approx(
        by_week.expected_purchases_new_customer("26 weeks"), rel=1e-4
    )


def test_an_unfitted_fitter_is_refused():
    with pytest.raises(SettingsError, match="this BetaGeoFitter is not fitted"):
        from_lifetimes(lifetimes.BetaGeoFitter())


def test_an_unknown_object_is_refused_with_the_names_of_the_known():
    with pytest.raises(SettingsError, match="a dict cannot be read as a model of lifetimes; give a fitted BetaGeo"):
        from_lifetimes({"r": 1})


def test_an_unknown_time_unit_is_refused(fitters):
    with pytest.raises(SettingsError, match="time_unit is 'year'"):
        from_lifetimes(fitters["BetaGeoFitter"], time_unit="year")


def test_a_model_of_lifetimes_is_valued_like_ours(imported, cdnow_summary):
    terms = {"horizon": "24 months", "annual_discount_rate": 0.10, "margin": 0.30}
    theirs = lifetime_value(imported["BetaGeoFitter"], imported["GammaGammaFitter"], cdnow_summary, **terms)
    ours = lifetime_value(fit_bgnbd(cdnow_summary), fit_gamma_gamma(cdnow_summary), cdnow_summary, **terms)
    assert theirs.total == pytest.approx(ours.total, rel=1e-4)


# --- to lifetimes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.model_name)
def test_a_fit_predicts_the_same_in_lifetimes(fit, cdnow_summary):
    fitter = to_lifetimes(fit)
    alive = fitter.conditional_probability_alive(*columns(cdnow_summary))
    np.testing.assert_allclose(alive, fit.probability_alive(cdnow_summary), rtol=1e-6)
    expected = fitter.predict(39, *columns(cdnow_summary))
    np.testing.assert_allclose(expected, fit.expected_purchases(cdnow_summary, horizon=39), rtol=1e-6)
    new = fitter.expected_number_of_purchases_up_to_time(39.0)
    assert new == pytest.approx(float(fit.expected_purchases_new_customer(39.0)), rel=1e-6)


def test_a_spend_model_predicts_the_same_in_lifetimes(cdnow_summary, repeat_buyers):
    fit = fit_gamma_gamma(cdnow_summary)
    theirs = to_lifetimes(fit, cdnow_summary).conditional_expected_average_profit()
    ours = fit.expected_spend(cdnow_summary)[repeat_buyers.index]
    np.testing.assert_allclose(theirs, ours, rtol=1e-6)


@pytest.mark.parametrize(("figure", "unit"), [("D11", "W"), ("D11-page", "D")])
def test_the_lifetime_value_of_lifetimes_takes_an_exported_fit(published, cdnow_summary, figure, unit):
    purchases, spend = to_lifetimes(fit_bgnbd(cdnow_summary)), to_lifetimes(fit_gamma_gamma(cdnow_summary))
    paid = cdnow_summary.frame["monetary_value"].fillna(0)  # as lifetimes has it
    value = spend.customer_lifetime_value(
        purchases, *columns(cdnow_summary), paid, time=12, discount_rate=0.01, freq=unit
    )
    published.check(figure, value.iloc[:3])


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: fit.model_name)
def test_with_the_customers_given_all_that_lifetimes_asks_of_its_data_works(fit, cdnow_summary):
    some = cdnow_summary.frame.query("frequency < 5").head(40)
    fitter = to_lifetimes(fit, CustomerSummary(some, "week"))
    assert repr(fitter).startswith(f"<lifetimes.{type(fitter).__name__}: fitted with 40 subjects")
    assert fitter.conditional_probability_alive_matrix().shape == (
        int(some["T"].max()) + 1,
        some["frequency"].max() + 1,
    )
    assert len(fitter.generate_new_data(size=40)) == 40


def test_the_summary_of_an_exported_fit_shows_our_standard_errors(cdnow_summary):
    fit = fit_bgnbd(cdnow_summary)
    table = to_lifetimes(fit).summary
    np.testing.assert_allclose(table["se(coef)"], fit.summary()["standard_error"])
    assert list(table.index) == ["r", "alpha", "a", "b"]


def test_a_fit_comes_back_from_lifetimes_unchanged(cdnow_summary):
    fit = fit_bgnbd(cdnow_summary)
    again = from_lifetimes(to_lifetimes(fit, cdnow_summary))
    assert again.params == fit.params
    assert again.log_likelihood == pytest.approx(fit.log_likelihood, abs=1e-8)
    np.testing.assert_allclose(again.covariance, fit.covariance, rtol=1e-6)


def test_an_exported_fit_can_be_pickled(cdnow_summary):
    fitter = pickle.loads(pickle.dumps(to_lifetimes(FITS[0], cdnow_summary)))
    assert fitter.predict(39, 2, 30.43, 38.86) == pytest.approx(1.226, abs=1e-3)


def test_exporting_leaves_the_warning_filters_alone():
    before = list(warnings.filters)
    to_lifetimes(FITS[0])
    assert list(warnings.filters) == before


def test_a_model_that_lifetimes_does_not_have_is_refused(cdnow_summary):
    with pytest.raises(SettingsError, match="lifetimes has no model for a NBDFit; it has one for BGNBDFit, "):
        to_lifetimes(fit_nbd(cdnow_summary))


def test_a_fit_with_covariates_is_refused(cdnow_summary):
    half = cdnow_summary.frame.assign(half=np.arange(len(cdnow_summary)) % 2)
    with pytest.raises(SettingsError, match="lifetimes has no covariates"):
        to_lifetimes(fit_bgnbd(CustomerSummary(half, "week"), purchase=["half"]))


def test_customers_in_another_unit_are_refused(cdnow_summary):
    with pytest.raises(SettingsError, match="summarise with time_unit='week'"):
        to_lifetimes(FITS[0], CustomerSummary(cdnow_summary.frame, "day"))


# --- from PyMC-Marketing ----------------------------------------------------------------------------------------


class _CLVModel:
    """What `from_pymc_marketing` asks of a `CLVModel` of PyMC-Marketing 0.19.

    There: `data` is the DataFrame given, `fit_result` a property that returns the posterior as an xarray Dataset with
    dimensions chain and draw, and raises RuntimeError before a fit; `purchase_covariate_cols` and
    `dropout_covariate_cols` are lists (absent from GammaGammaModel); a MAP fit is one chain of one draw.
    """

    def __init__(self, data: pd.DataFrame, posterior: dict[str, np.ndarray] | None = None) -> None:
        self.data, self._posterior = data, posterior

    @property
    def fit_result(self) -> dict[str, np.ndarray]:
        if self._posterior is None:
            raise RuntimeError("The model hasn't been fit yet, call .fit() first")
        return self._posterior


class BetaGeoModel(_CLVModel):
    purchase_covariate_cols: tuple[str, ...] = ()
    dropout_covariate_cols: tuple[str, ...] = ()


class ModifiedBetaGeoModel(BetaGeoModel):
    pass


class ParetoNBDModel(BetaGeoModel):
    pass


class BetaGeoBetaBinomModel(_CLVModel):
    pass


class GammaGammaModel(_CLVModel):
    pass


MODELS = {
    BetaGeoModel: fit_bgnbd,
    ModifiedBetaGeoModel: fit_mbgnbd,
    ParetoNBDModel: fit_pareto_nbd,
    GammaGammaModel: fit_gamma_gamma,
}


def posterior_of(fit, draws: int = 4_000, chains: int = 2) -> dict[str, np.ndarray]:
    """A posterior as flat priors on a large base would leave it: the sampling distribution of the estimates."""
    drawn = fit.draws(draws * chains, seed=5)
    return {name: drawn[name].to_numpy(copy=True).reshape(chains, draws) for name in drawn}


def correlation(fit) -> np.ndarray:
    error = np.sqrt(np.diag(fit.covariance))
    return fit.covariance.to_numpy() / np.outer(error, error)


def model_of(kind: type, customers: CustomerSummary, fit=None) -> _CLVModel:
    frame = customers.frame.reset_index()
    if kind is GammaGammaModel:
        frame = frame[frame["frequency"] > 0]
    return kind(frame, posterior_of(fit or MODELS[kind](customers)))


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_a_posterior_becomes_the_fit_it_was_drawn_from(kind, cdnow_summary):
    fit = MODELS[kind](cdnow_summary)
    taken = from_pymc_marketing(model_of(kind, cdnow_summary, fit))
    assert type(taken) is type(fit)
    np.testing.assert_allclose(taken.params, fit.params, rtol=0.02)
    error = np.sqrt(np.diag(fit.covariance))
    np.testing.assert_allclose(taken.covariance / np.outer(error, error), correlation(fit), atol=0.1)


@pytest.mark.parametrize("kind", MODELS, ids=lambda kind: kind.__name__)
def test_the_log_likelihood_of_a_posterior_is_that_of_its_data_at_its_middle(kind, cdnow_summary):
    fit = MODELS[kind](cdnow_summary)
    taken = from_pymc_marketing(model_of(kind, cdnow_summary, fit))
    assert taken.number_of_customers == fit.number_of_customers
    assert fit.log_likelihood - 0.05 < taken.log_likelihood <= fit.log_likelihood


def test_a_posterior_of_opportunities_becomes_a_fit(donations, donors):
    # One row a donor, as PyMC-Marketing takes them; a column of weights would mean nothing to it.
    some = donors.frame.loc[donors.frame.index.repeat(donations["weights"] // 20)].reset_index(drop=True)
    fit = fit_bgbb(CustomerSummary(some.rename(index=str), "month"))
    taken = from_pymc_marketing(BetaGeoBetaBinomModel(some, posterior_of(fit)), time_unit="month")
    np.testing.assert_allclose(taken.params, fit.params, rtol=0.05)
    assert taken.number_of_customers == len(some)
    assert fit.log_likelihood - 0.05 < taken.log_likelihood <= fit.log_likelihood


def test_draws_from_a_posterior_have_its_spread_in_logs(cdnow_summary):
    model = model_of(BetaGeoModel, cdnow_summary)
    theirs = np.log([chains.ravel() for chains in model.fit_result.values()])
    ours = np.log(from_pymc_marketing(model).draws(50_000, seed=1)).to_numpy().T
    np.testing.assert_allclose(ours.std(axis=1), np.std(theirs, axis=1), rtol=0.02)
    np.testing.assert_allclose(np.corrcoef(ours), np.corrcoef(theirs), atol=0.02)


def test_a_posterior_says_that_it_is_one(cdnow_summary):
    assert "a posterior, not a maximum" in from_pymc_marketing(model_of(BetaGeoModel, cdnow_summary)).advice[0]


def test_a_mode_has_no_covariance_and_says_so(cdnow_summary):
    mode = {name: np.array([[value]]) for name, value in zip(["r", "alpha", "a", "b"], FITS[0].params, strict=True)}
    fit = from_pymc_marketing(BetaGeoModel(cdnow_summary.frame, mode))
    assert fit.params == pytest.approx(FITS[0].params)
    assert fit.covariance.isna().all(axis=None)
    assert "MAP" in fit.advice[0]


def test_chains_that_disagree_are_warned_about(cdnow_summary):
    model = model_of(BetaGeoModel, cdnow_summary)
    model.fit_result["r"][0] *= 1.5
    with pytest.warns(EstimationWarning, match=r"chains of the sampler disagree \(R-hat"):
        fit = from_pymc_marketing(model)
    assert not fit.converged


def test_a_posterior_values_a_customer_base(cdnow_summary):
    purchases = from_pymc_marketing(model_of(BetaGeoModel, cdnow_summary))
    spend = from_pymc_marketing(model_of(GammaGammaModel, cdnow_summary))
    values = lifetime_value(purchases, spend, cdnow_summary, horizon=52, annual_discount_rate=0.1, margin=0.3)
    assert values.total > 0


def test_a_model_with_covariates_is_refused(cdnow_summary):
    model = model_of(BetaGeoModel, cdnow_summary)
    model.purchase_covariate_cols = ["channel"]
    with pytest.raises(SettingsError, match=r"has covariates \(channel\)"):
        from_pymc_marketing(model)


def test_an_unfitted_model_is_refused(cdnow_summary):
    with pytest.raises(SettingsError, match="this BetaGeoModel is not fitted"):
        from_pymc_marketing(BetaGeoModel(cdnow_summary.frame))


def test_an_unknown_model_is_refused_with_the_names_of_the_known():
    with pytest.raises(SettingsError, match="model of PyMC-Marketing; give a fitted BetaGeoModel, "):
        from_pymc_marketing(SimpleNamespace())


# --- from PyMC-Marketing itself: a mode of each model, in some seconds each, most of them for compiling ---------------

with_the_package = pytest.mark.skipif(
    importlib.util.find_spec("pymc_marketing") is None, reason="PyMC-Marketing is not installed"
)


def fitted_there(name: str, frame: pd.DataFrame):
    from pymc_marketing import clv

    model = getattr(clv, name)(frame.reset_index())
    model.fit(method="map", progressbar=False)
    return model


def mean_of_draws(prediction) -> np.ndarray:
    return prediction.mean(("chain", "draw")).to_numpy()


@with_the_package
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["BetaGeoModel", "ModifiedBetaGeoModel", "ParetoNBDModel"])
def test_a_real_model_of_purchases_predicts_the_same_here(cdnow_summary, name):
    some = CustomerSummary(cdnow_summary.frame.head(300), "week")
    model = fitted_there(name, some.frame)
    fit = from_pymc_marketing(model)
    expected, alive = fit.expected_purchases(some, horizon=39), fit.probability_alive(some)
    np.testing.assert_allclose(expected, mean_of_draws(model.expected_purchases(future_t=39)), rtol=1e-9)
    np.testing.assert_allclose(alive, mean_of_draws(model.expected_probability_alive()), rtol=1e-9)


@with_the_package
@pytest.mark.filterwarnings("ignore")
def test_a_real_model_of_purchases_comes_close_to_our_maximum(cdnow_summary):
    fit = from_pymc_marketing(fitted_there("BetaGeoModel", cdnow_summary.frame))
    ours = fit_bgnbd(cdnow_summary)
    assert ours.log_likelihood - 2 < fit.log_likelihood <= ours.log_likelihood


@with_the_package
@pytest.mark.filterwarnings("ignore")
def test_a_real_model_of_opportunities_predicts_the_same_here(donations):
    # Whole numbers: its predictions do not take others.
    some = donations.loc[donations.index.repeat(donations["weights"] // 100)].reset_index(drop=True)
    some = some.rename(columns={"n_periods": "T"}).rename(index=str).rename_axis("customer_id").drop(columns="weights")
    model = fitted_there("BetaGeoBetaBinomModel", some)
    fit, customers = from_pymc_marketing(model, time_unit="month"), CustomerSummary(some, "month")
    expected, alive = fit.expected_purchases(customers, horizon=5), fit.probability_alive(customers)
    np.testing.assert_allclose(expected, mean_of_draws(model.expected_purchases(future_t=5)), rtol=1e-9)
    np.testing.assert_allclose(alive, mean_of_draws(model.expected_probability_alive(future_t=1)), rtol=1e-9)


@with_the_package
@pytest.mark.filterwarnings("ignore")
def test_a_real_model_of_spend_predicts_the_same_here(repeat_buyers):
    some = repeat_buyers.head(150)
    model = fitted_there("GammaGammaModel", some)
    expected = from_pymc_marketing(model).expected_spend(CustomerSummary(some, "week"))
    theirs = mean_of_draws(model.expected_customer_spend(data=some.reset_index()))
    np.testing.assert_allclose(expected, theirs, rtol=1e-9)
