"""The survey: an analysis finds the planted structure, and the planted flaws."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm

from crm_analysis.company.drawing import mean_on_scale
from crm_analysis.voice.kano import ANSWERS, TABLE


@pytest.fixture(scope="module")
def answers(company) -> pd.DataFrame:
    """Answers of everybody who did not give one mark to everything, by respondent."""
    table = company.tables["survey"].set_index("respondent_id")
    return table[~company.truth.respondents["straight_liner"]]


@pytest.fixture(scope="module")
def regression(company, answers):
    """Satisfaction on all drivers, over the complete answers."""
    drivers = [f"driver_{name}" for name in company.truth.drivers.index]
    complete = answers[["overall_satisfaction", *drivers]].dropna()
    fitted = sm.OLS(complete["overall_satisfaction"], sm.add_constant(complete[drivers])).fit(cov_type="HC3")
    fitted.slopes = fitted.params[drivers].rename(lambda name: name.removeprefix("driver_"))
    fitted.errors = fitted.bse[drivers].rename(lambda name: name.removeprefix("driver_"))
    return fitted


def test_slopes_are_those_planted(company, regression):
    miss = (regression.slopes - company.truth.drivers["slope"]) / regression.errors
    assert (miss.abs() < 3.5).all()


def test_the_strongest_drivers_come_in_the_planted_order(company, regression):
    # The others differ by less than a survey of this size can tell.
    planted = company.truth.drivers["slope"].sort_values(ascending=False).index[:2]
    assert list(regression.slopes.sort_values(ascending=False).index[:2]) == list(planted)


def test_the_order_of_all_drivers_is_nearly_the_planted_one(company, regression):
    assert regression.slopes.corr(company.truth.drivers["slope"], method="spearman") > 0.75


def test_the_driver_without_weight_has_no_slope(company, regression):
    [none] = company.truth.drivers.query("slope == 0").index
    assert abs(regression.slopes[none]) < 2.5 * regression.errors[none]


def test_drivers_explain_about_half_of_satisfaction(company, regression):
    assert regression.rsquared == pytest.approx(company.truth.plan.opinions.r_squared, abs=0.05)


def test_ratings_of_drivers_are_correlated_as_planted(company, answers):
    drivers = [f"driver_{name}" for name in company.truth.drivers.index]
    correlation = answers[drivers].corr().to_numpy()[np.triu_indices(len(drivers), 1)]
    assert correlation.mean() == pytest.approx(company.truth.plan.opinions.correlation, abs=0.03)
    assert np.ptp(correlation) < 0.1


def test_slopes_explain_the_planted_share_by_construction(company):
    plan, slope = company.truth.plan.opinions, company.truth.drivers["slope"].to_numpy()
    p = len(slope)
    matrix = np.full((p, p), plan.correlation) + (1 - plan.correlation) * np.eye(p)
    assert slope @ matrix @ slope == pytest.approx(plan.r_squared)


def test_drivers_belong_to_four_groups(company):
    assert set(company.truth.drivers["group"]) == {"product", "service", "personnel", "image"}


def test_marks_lie_on_their_scales(company):
    table = company.tables["survey"]
    for name in table.columns:
        if name.startswith(("overall", "repurchase", "expectation_", "perception_", "driver_")):
            assert set(table[name].dropna()) <= set(range(1, 11))
    assert set(table["recommend"].dropna()) == set(range(11))


def test_waves_come_every_six_months(company):
    assert sorted(company.tables["survey"]["wave"].unique()) == [
        *("2021-06", "2021-12", "2022-06", "2022-12", "2023-06", "2023-12")
    ]


def test_nobody_answers_twice_in_a_wave(company):
    respondents = company.truth.respondents.assign(wave=company.tables["survey"]["wave"].to_numpy())
    assert not respondents.duplicated(["customer_id", "wave"]).any()


def test_four_in_five_respondents_are_known_by_name(company, is_share):
    assert is_share(company.tables["survey"]["customer_id"].notna(), company.truth.plan.survey.named)


def test_a_known_respondent_is_the_customer_who_answered(company):
    named = company.tables["survey"]["customer_id"]
    answered = company.truth.respondents["customer_id"]
    assert (named.dropna().to_numpy() == answered[named.notna().to_numpy()].to_numpy()).all()


def test_regions_answer_at_their_rates(company, is_share):
    last = company.tables["survey"].query("wave == '2023-12'")
    answered = set(company.truth.respondents.loc[last["respondent_id"], "customer_id"])
    log = company.tables["transactions"]
    # Orders without an oddity, so that who was asked can be told from the log; campaigns ask nobody.
    year = log[log["order_date"].between("2023-01-01", "2023-12-31") & log["order_id"].str.match("O0")]
    asked = company.tables["customers"][company.tables["customers"]["customer_id"].isin(year["customer_id"])]
    for region, rate in company.truth.plan.survey.response_rate:
        here = asked.loc[asked["region"] == region, "customer_id"]
        assert is_share(here.isin(answered), rate)


def test_weights_undo_the_differences_between_regions(company):
    last = company.tables["survey"].query("wave == '2023-12'")
    customer = company.truth.respondents.loc[last["respondent_id"], "customer_id"]
    region = company.tables["customers"].set_index("customer_id")["region"].reindex(customer).to_numpy()
    shares = last["weight"].groupby(region).sum() / last["weight"].sum()
    planted = dict(company.truth.plan.acquisition.regions)
    assert shares.to_dict() == pytest.approx(planted, abs=0.06)
    assert last["weight"].mean() == pytest.approx(1, abs=1e-3)


def test_satisfaction_has_the_planted_mean_and_trend(company, answers):
    plan, marks = company.truth.plan.survey, company.truth.plan.opinions
    satisfaction = answers["overall_satisfaction"].dropna()
    wave = answers["wave"].map({name: place for place, name in enumerate(sorted(answers["wave"].unique()))})
    latent = company.truth.respondents["satisfaction"].reindex(satisfaction.index)
    known = pd.DataFrame({"wave": wave, "latent": latent}).loc[latent.index]
    fitted = sm.OLS(satisfaction, sm.add_constant(known)).fit()
    assert abs(fitted.params["wave"] - plan.trend) < 0.02
    assert abs(fitted.params["const"] - mean_on_scale(marks.mean, marks.spread, 1, 10)) < 0.06


def test_the_opinion_of_a_day_is_mostly_the_lasting_one(company):
    respondents = company.truth.respondents
    lasting = company.truth.customers["satisfaction"].reindex(respondents["customer_id"]).to_numpy()
    reliability = np.corrcoef(respondents["satisfaction"], lasting)[0, 1] ** 2
    assert reliability == pytest.approx(company.truth.plan.opinions.lasting, abs=0.05)


def test_satisfied_customers_return_and_recommend(company, answers):
    plan = company.truth.plan.survey
    correlation = answers[["overall_satisfaction", "repurchase_intention", "recommend"]].corr()
    assert correlation.iloc[0, 1] == pytest.approx(plan.repurchase, abs=0.06)
    assert correlation.iloc[0, 2] == pytest.approx(plan.recommend, abs=0.06)


def test_gaps_between_perception_and_expectation_are_those_planted(company, answers):
    # Who bought within the year is a little more satisfied than others, which moves perceptions alone.
    selected = company.truth.respondents["satisfaction"].mean() * 0.7 * company.truth.plan.survey.spread
    for name, row in company.truth.attributes.iterrows():
        gap = (answers[f"perception_{name}"] - answers[f"expectation_{name}"]).dropna()
        assert abs(gap.mean() - row["gap"] - selected) < 4 * gap.std() / np.sqrt(len(gap)) + 0.05


# --- flaws ------------------------------------------------------------------------------------------------------


def test_straight_liners_are_as_many_as_planted(company, is_share):
    assert is_share(company.truth.respondents["straight_liner"], company.truth.plan.survey.straight_liners)


def test_straight_liners_give_one_mark_to_everything(company):
    table = company.tables["survey"].set_index("respondent_id")
    marks = table[[name for name in table.columns if name.startswith(("driver_", "perception_", "expectation_"))]]
    straight = company.truth.respondents["straight_liner"]
    is_one = marks.max(axis=1) == marks.min(axis=1)
    assert (is_one == straight).all()


def test_what_does_not_apply_is_listed_and_has_no_mark(company, answers):
    listed = answers["not_applicable"].fillna("").str.split(" ")
    for driver in company.truth.plan.opinions.drivers:
        absent = listed.map(lambda names, name=driver.name: name in names)
        assert answers.loc[absent, f"driver_{driver.name}"].isna().all()


def test_drivers_do_not_apply_as_often_as_planted(company, answers, is_share):
    listed = answers["not_applicable"].fillna("").str.split(" ")
    for driver in company.truth.plan.opinions.drivers:
        absent = listed.map(lambda names, name=driver.name: name in names)
        assert is_share(absent, driver.not_applicable) if driver.not_applicable else not absent.any()


def test_other_marks_are_missing_as_often_as_planted(company, answers, is_share):
    # Marks of one respondent are skipped independently of each other.
    marks = answers[[name for name in answers.columns if name.startswith(("perception_", "expectation_"))]]
    assert is_share(marks.isna().to_numpy().ravel(), company.truth.plan.survey.skipped)


# --- Kano and comments ------------------------------------------------------------------------------------------


def test_kano_pairs_are_of_the_planted_kinds(company, is_share):
    table, plan = company.tables["survey"], company.truth.plan.kano
    place = {answer: number for number, answer in enumerate(ANSWERS)}
    for feature in plan.features:
        rows = table[f"kano_{feature.name}_functional"].map(place)
        columns = table[f"kano_{feature.name}_dysfunctional"].map(place)
        kinds = pd.Series([TABLE[row][column] for row, column in zip(rows, columns, strict=True)])
        for kind, share in plan.shares(feature).items():
            assert is_share(kinds == kind, share)
        assert kinds.mode()[0] == feature.kind


def test_one_feature_of_each_kind_is_planted(company):
    assert {feature.kind for feature in company.truth.plan.kano.features} == {"A", "O", "M", "I", "R"}


def test_comments_are_about_the_planted_themes(company, is_share):
    said = company.truth.respondents.dropna(subset=["theme"])
    for theme in company.truth.plan.comments.themes:
        assert is_share(said["theme"] == theme.name, theme.share)


def test_comments_are_what_their_theme_says(company):
    said = company.truth.respondents.dropna(subset=["theme"])
    comments = company.tables["survey"].set_index("respondent_id")["comment"]
    for theme in company.truth.plan.comments.themes:
        of_theme = said[said["theme"] == theme.name]
        for language, phrases in [("en", theme.english), ("zh", theme.chinese)]:
            for is_praise, choice in [(True, phrases[0]), (False, phrases[1])]:
                rows = of_theme[(of_theme["language"] == language) & (of_theme["is_praise"] == is_praise)]
                assert set(comments[rows.index]) == set(choice)


def test_comments_are_there_as_often_as_planted(company, is_share):
    assert is_share(company.tables["survey"]["comment"].notna(), company.truth.plan.comments.share)


def test_some_comments_are_chinese(company, is_share):
    comments = company.tables["survey"]["comment"].dropna()
    assert is_share(comments.str.contains("[\u4e00-\u9fff]"), company.truth.plan.comments.chinese)


def test_satisfied_customers_praise(company):
    said = company.truth.respondents.dropna(subset=["theme"])
    fitted = sm.Logit(said["is_praise"].astype(float), sm.add_constant(said["satisfaction"])).fit(disp=False)
    planted = np.log(company.truth.plan.comments.praise)
    assert abs(fitted.params["satisfaction"] - planted) < 4 * fitted.bse["satisfaction"]
