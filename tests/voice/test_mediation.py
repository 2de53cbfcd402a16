import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols, wls

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.mediation import mediation

ROLES = {"cause": "quality", "mediator": "satisfaction", "outcome": "loyalty"}


def survey(n, seed, *, a=0.5, b=0.4, direct=0.2, unseen=0.0):
    rng = np.random.default_rng(seed)
    price, common = rng.normal(size=(2, n))
    quality = 0.3 * price + rng.normal(size=n)
    satisfaction = a * quality + 0.2 * price + unseen * common + rng.normal(size=n)
    loyalty = direct * quality + b * satisfaction + 0.1 * price + unseen * common + rng.normal(size=n)
    columns = {"quality": quality, "price": price, "satisfaction": satisfaction, "loyalty": loyalty}
    return pd.DataFrame(columns).assign(w=rng.uniform(0.5, 2, n))


def test_effects_are_the_products_of_slopes_of_statsmodels():
    data = survey(200, 1)
    found = mediation(data, **ROLES, controls=["price"], draws=100)
    a = ols("satisfaction ~ quality + price", data).fit().params["quality"]
    second = ols("loyalty ~ quality + satisfaction + price", data).fit().params
    total = ols("loyalty ~ quality + price", data).fit().params["quality"]
    assert found.indirect.value == pytest.approx(a * second["satisfaction"])
    assert found.direct.value == pytest.approx(second["quality"])
    assert found.total.value == pytest.approx(total)


def test_weighted_effects_are_those_of_statsmodels():
    data = survey(200, 2)
    found = mediation(data, **ROLES, weights="w", draws=100)
    a = wls("satisfaction ~ quality", data, weights=data["w"]).fit().params["quality"]
    second = wls("loyalty ~ quality + satisfaction", data, weights=data["w"]).fit().params
    assert found.indirect.value == pytest.approx(a * second["satisfaction"])
    assert found.direct.value == pytest.approx(second["quality"])
    assert found.indirect.effective_n < found.indirect.n


def test_intervals_cover_planted_effects_as_often_as_they_say():
    # Fewer than 85 of 100 at 95 % has a chance below 1 in 2,000.
    hits = {"indirect": 0, "direct": 0, "total": 0}
    for seed in range(100):
        table = mediation(survey(200, seed), **ROLES, controls=["price"], draws=300).intervals
        for effect, truth in {"indirect": 0.2, "direct": 0.2, "total": 0.4}.items():
            hits[effect] += table.loc[effect, "lower"] <= truth <= table.loc[effect, "upper"]
    assert min(hits.values()) >= 85


def test_the_standard_error_of_the_product_is_close_to_that_of_the_delta_method():
    data = survey(2000, 3)
    found = mediation(data, **ROLES, controls=["price"], draws=1000)
    first, second = (
        ols(formula, data).fit()
        for formula in ("satisfaction ~ quality + price", "loyalty ~ quality + satisfaction + price")
    )
    a, b = first.params["quality"], second.params["satisfaction"]
    sobel = np.hypot(a * second.bse["satisfaction"], b * first.bse["quality"])
    assert found.indirect.standard_error == pytest.approx(sobel, rel=0.1)


def test_the_share_mediated_is_indirect_over_total():
    found = mediation(survey(2000, 4), **ROLES, controls=["price"], draws=200)
    assert found.share_mediated.value == pytest.approx(found.indirect.value / found.total.value)
    assert 0.5 in found.share_mediated.interval


def test_there_is_no_share_of_a_total_that_may_be_nothing():
    assert mediation(survey(300, 5, a=0, direct=0), **ROLES, draws=200).share_mediated is None


def test_there_is_no_share_where_direct_and_indirect_pull_apart():
    found = mediation(survey(2000, 6, direct=-0.6), **ROLES, controls=["price"], draws=200)
    assert 0 not in found.total.interval
    assert found.share_mediated is None


def test_sensitivity_passes_through_the_reported_effect_and_is_zero_at_rho():
    found = mediation(survey(500, 7), **ROLES, controls=["price"], draws=100)
    curve = found.sensitivity["quality"]
    assert curve[0.0] == pytest.approx(found.indirect.value)
    rho = found.rho_at_zero.value
    below, above = curve.index[curve.index < rho].max(), curve.index[curve.index > rho].min()
    assert curve[below] > 0 > curve[above]


def test_rho_is_the_correlation_of_what_cause_and_controls_leave():
    data = survey(300, 8)
    left = [ols(f"{name} ~ quality + price", data).fit().resid for name in ("satisfaction", "loyalty")]
    found = mediation(data, **ROLES, controls=["price"], draws=100)
    assert found.rho_at_zero.value == pytest.approx(np.corrcoef(*left)[0, 1])


def test_sensitivity_finds_the_truth_where_an_unseen_cause_is_known():
    # Errors of mediator and outcome share `common`: b is 0, and the reported indirect effect is all bias.
    found = mediation(survey(20_000, 9, b=0, unseen=1.0), **ROLES, controls=["price"], draws=100)
    assert found.indirect.value > 0.2
    assert found.sensitivity["quality"][0.5] == pytest.approx(0, abs=0.02)  # correlation of the errors: 1 / (1 + 1)


def test_several_causes_control_each_other():
    data = survey(400, 10)
    found = mediation(data, cause=["quality", "price"], mediator="satisfaction", outcome="loyalty", draws=200)
    alone = mediation(data, **ROLES, controls=["price"], draws=200)
    pd.testing.assert_frame_equal(found.intervals.loc["quality"], alone.intervals)
    pd.testing.assert_frame_equal(found.of("quality").intervals, alone.intervals)
    with pytest.raises(SettingsError, match="several causes"):
        _ = found.indirect
    with pytest.raises(SettingsError, match="no cause"):
        found.of("satisfaction")


def test_direct_and_indirect_add_up_to_total():
    table = mediation(survey(150, 11), **ROLES, draws=100).intervals["value"]
    assert table["indirect"] + table["direct"] == pytest.approx(table["total"])


def test_same_seed_same_interval():
    data = survey(150, 12)
    one, same, other = (mediation(data, **ROLES, draws=100, seed=seed).intervals for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


def test_samples_without_a_rare_answer_are_left_out():
    data = survey(150, 13).assign(quality=lambda frame: (frame.index < 2).astype(float))
    found = mediation(data, **ROLES, draws=300)
    assert np.isfinite(found.intervals.to_numpy()).all()


def test_small_samples_are_said():
    with pytest.warns(EstimationWarning, match="60 answers"):
        mediation(survey(60, 14), **ROLES, draws=100)


def test_copies_are_refused():
    data = survey(150, 15).assign(copy=lambda frame: frame["quality"])
    with pytest.raises(DataError, match="depend on one another"):
        mediation(data, **ROLES, controls=["copy"])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"draws": 10}, "draws"),
        ({"seed": -1}, "seed"),
        ({"mediator": "loyalty"}, "both"),
        ({"cause": []}, "at least one cause"),
        ({"controls": "price"}, "give a list of columns"),
        ({"controls": None}, "controls is None"),
        ({"cause": 5}, "cause is 5"),
    ],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        mediation(survey(150, 16), **(ROLES | options))


def test_fewer_than_ten_respondents_are_refused():
    with pytest.raises(DataError, match=r"9 respondents answered everything.*at least 10"):
        mediation(survey(9, 17), **ROLES, draws=100)
