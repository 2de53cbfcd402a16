"""The chapter on satisfaction of a simulated company, of which is known what it should find, and of poorer surveys."""

import re
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest

from crm_analysis.company import Company, simulate_company

from .club import Club, run_chapters, words
from .survey_pages import causal_words

PROJECT = Path(__file__).parents[2]
REPORT = f"\n[report]\nnotebooks = '{PROJECT / 'notebooks'}'\n"
ALONE = """
[company]
name = "Simulated answers"

[sources.survey]
path = "survey.csv"

[forecast]
draws = 100
"""


@dataclass(frozen=True)
class Told:
    """The chapter of a simulated company: its HTML, its text, and the company."""

    html: str
    company: Company

    @property
    def text(self) -> str:
        return words(self.html)

    @property
    def latest(self) -> pd.DataFrame:
        """The answers of the latest wave."""
        survey = self.company.tables["survey"]
        return survey[survey["wave"] == survey["wave"].max()]


@pytest.fixture(scope="module")
def company() -> Company:
    return simulate_company(seed=7, customers=2_000, months=36)


@pytest.fixture(scope="module")
def told(company, tmp_path_factory) -> Told:
    root = tmp_path_factory.mktemp("asked")
    file = company.write(root)
    file.write_text(file.read_text().replace("[forecast]", "[forecast]\ndraws = 200", 1) + REPORT)
    pages = run_chapters(Club(root), root / "shelf", period=f"{company.as_of:%Y-%m}", only="satisfaction")
    return Told(pages["satisfaction"], company)


@pytest.fixture
def tell(tmp_path):
    """Tell the chapter, or the whole book, of a survey alone."""

    def chapter(survey: pd.DataFrame, settings: str = "", *, only: str = "satisfaction") -> str:
        survey.to_csv(tmp_path / "survey.csv", index=False)
        (tmp_path / "crm.toml").write_text(ALONE + settings + REPORT)
        pages = run_chapters(Club(tmp_path), tmp_path / "shelf", period="2023-12", only=only)
        return " ".join(words(html) for html in pages.values())

    return chapter


# --- what was planted ---------------------------------------------------------------------------------------------


def test_the_driver_with_the_largest_slope_is_named_first(told):
    slopes = told.company.truth.drivers["slope"]
    assert slopes.idxmax() == "product_quality"
    assert re.search(r"Product quality goes with satisfaction most, first in (9[5-9]|100)% of the samples", told.text)


@pytest.mark.parametrize("driver", ["product_quality", "service_delivery", "image_modernity"])
def test_the_limits_of_a_slope_hold_the_planted_one(told, driver):
    row = rf"{driver.replace('_', ' ')} {driver.split('_')[0]} (−?\d\.\d\d) (−?\d\.\d\d) (−?\d\.\d\d)"
    _slope, low, high = (float(text.replace("−", "-")) for text in re.search(row, told.text).groups())
    assert low <= told.company.truth.drivers.loc[driver, "slope"] <= high


def test_features_are_sorted_as_they_were_planted(told):
    assert "Basic: secure payment; expected: free returns; exciting: same day delivery" in told.text
    assert "gift wrapping indifferent" in told.text
    assert "sales calls unwanted" in told.text


def test_what_falls_short_most_is_what_was_planted_to(told):
    gaps = told.company.truth.attributes["gap"]
    assert list(gaps.sort_values().index[:2]) == ["delivery", "price"]
    said = re.search(r"Delivery and price fall short of what was expected, delivery most: by (\d\.\d\d)", told.text)
    assert float(said[1]) == pytest.approx(-gaps["delivery"], abs=0.35)


def test_a_wave_without_a_change_says_so(told):
    assert "Satisfaction is 7.4 of 10, no real change since June 2023" in told.text
    assert "No real change since June 2023: none of 11 marks differs by more than chance" in told.text
    assert "No real change in what goes with satisfaction since June 2023" in told.text


def test_waves_that_differ_say_so(company, tell):
    survey = company.tables["survey"]
    survey = survey[survey["wave"] >= "2023"][["respondent_id", "wave", "overall_satisfaction"]]
    fallen = survey["overall_satisfaction"].where(
        survey["wave"] < "2023-12", (survey["overall_satisfaction"] - 1).clip(lower=1)
    )
    text = tell(survey.assign(overall_satisfaction=fallen), only="")
    assert re.search(r"Satisfaction is 6\.\d of 10, lower than in June 2023", text)
    assert "1 of 1 marks differs from June 2023 by more than chance" in text
    assert re.search(r"6\.\d of 10 in December 2023 \(95%: [^)]*\), lower than the wave before", text)


def test_a_change_of_a_share_is_told_in_points(told):
    assert re.search(r"share of the two highest marks [\d.]+% [\d.]+% [\d.]+% \d+ \d+ [+−][\d.]+ points", told.text)


def test_themes_are_compared_between_the_satisfied_and_the_others(told):
    # Comments, share, mean satisfaction, share among the satisfied and among the others, and whether these differ.
    row = re.search(r"told, late.*? \d+ [\d.]+ [\d.]+ ([\d.]+) ([\d.]+) differs", told.text)
    of_satisfied, of_others = (float(number) for number in row.groups())
    assert of_satisfied < of_others


def test_comments_have_themes_in_both_languages(told):
    assert re.search(
        r"Comments are most often about “[^”]+”(; where they are about “[^”]+”, satisfaction is lower|, and )",
        told.text,
    )
    table = told.text[told.text.index("Telling words and three comments of each theme") :]
    assert "Delivery was quick." in table
    assert "质量很差" in table


def test_what_did_not_apply_is_counted_apart_from_what_is_missing(told):
    for driver in ("service_returns", "personnel_advice"):
        marks = told.latest[f"driver_{driver}"]
        apart = told.latest["not_applicable"].fillna("").str.split().apply(lambda names: driver in names)  # noqa: B023
        counts = [int(rows.sum()) for rows in (marks.notna(), apart, marks.isna() & ~apart)]
        assert min(counts) > 0
        row = f"{driver.replace('_', ' ')} driver of {driver.split('_')[0]} {' '.join(map(str, counts))} "
        assert row in told.text


# --- what the page keeps to ----------------------------------------------------------------------------------------


def test_nobody_is_named_on_the_page_nor_in_what_can_be_downloaded(told):
    ids = set(told.company.tables["survey"]["respondent_id"]) | set(told.company.tables["customers"]["customer_id"])
    found = set(re.findall(r"\b[A-Z]\d{3,}\b", told.html))
    assert re.fullmatch(r"[A-Z]\d{3,}", min(ids))
    assert found & ids == set()


def test_the_page_says_what_goes_together_and_never_what_follows(told):
    assert causal_words(told.text) == []


def test_the_list_of_causal_words_would_find_some():
    text = "Quality drives satisfaction, which leads to loyalty because of the effect of staff; total effect of price"
    assert len(causal_words(text)) == 4


def test_segments_of_the_customers_are_compared(told):
    assert "No segment differs clearly from the mean of all, 7.4" in told.text
    for region in told.company.tables["customers"]["region"].dropna().unique():
        assert re.search(rf"{region} region(, few answers)? \d+ \d\.\d\d", told.text)


# --- surveys that tell less ----------------------------------------------------------------------------------------


def cut(company: Company, *columns: str, last: str = "2023-12") -> pd.DataFrame:
    """One wave with some of its columns."""
    survey = company.tables["survey"]
    return survey.loc[survey["wave"] == last, ["respondent_id", "wave", *columns]]


def test_a_survey_of_one_question_has_a_page_that_says_what_else_it_takes(company, tell):
    text = tell(cut(company, "overall_satisfaction"))
    assert "Satisfaction is 7.4 of 10" in text
    for said in ("What goes with satisfaction cannot be told", "It takes overall satisfaction and two drivers",
                 "What goes with loyalty cannot be told", "Needs were not asked for", "No comments",
                 "What changed: it takes two waves", "The Net Promoter Score: it takes", "Segments: they take",
                 "A model of loyalty: it takes"):  # fmt: skip
        assert said in text


def test_a_survey_of_drivers_without_satisfaction_says_what_is_missing(company, tell):
    text = tell(cut(company, "driver_product_quality", "driver_service_delivery"))
    assert "What 267 respondents say" in text
    assert "It takes overall satisfaction and two drivers" in text


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        (["recommend"], "Net Promoter Score promoters less detractors"),
        (["expectation_price", "perception_price"], "Price falls short of what was expected, by "),
        (["kano_secure_payment_functional", "kano_secure_payment_dysfunctional"], "Basic: secure payment"),
    ],
    ids=["recommending", "gaps", "needs"],
)
def test_a_survey_without_satisfaction_tells_what_it_has(company, tell, columns, said):
    text = tell(cut(company, *columns), only="")
    assert said in text
    assert "What 267 respondents say" in text


def test_a_column_of_comments_that_nobody_filled_in_is_no_comment(company, tell):
    text = tell(cut(company, "overall_satisfaction", "comment").assign(comment=None))
    assert "No comments" in text


def test_few_respondents_are_warned_about(company, tell):
    text = tell(
        cut(company, "overall_satisfaction", "driver_product_quality", "driver_product_range").head(20), only=""
    )
    assert "The latest wave has 20 respondents; intervals are wide" in text
    assert "Published with 1 warning" in text


def test_few_respondents_with_groups_of_drivers_are_warned_about_on_the_page_alone(company, tell):
    tell(cut(company, "overall_satisfaction", "driver_product_quality", "driver_image_trust").head(20))


def test_a_handful_of_respondents_has_a_page_too(company, tell):
    columns = [
        name for name in company.tables["survey"].columns if name not in ("respondent_id", "wave", "customer_id")
    ]
    text = tell(cut(company, *columns).head(4))
    assert "The latest wave has 4 respondents" in text
    assert "nan" not in text.lower().split()


def test_waves_that_are_no_months_are_called_what_they_are_called(company, tell):
    survey = company.tables["survey"]
    survey = survey[survey["wave"] >= "2023"][["respondent_id", "wave", "overall_satisfaction"]]
    text = tell(survey.assign(wave=survey["wave"].map({"2023-06": "spring <1>", "2023-12": "winter <2>"})))
    assert "no real change since spring <1>" in text


def test_what_the_door_sets_aside_is_told_first(company, tell):
    items = ["quality", "price", "delivery", "advice", "website"]
    answers = cut(company, "overall_satisfaction", *(f"perception_{item}" for item in items))
    index = ", ".join(f'"perception_{item}"' for item in items)
    marks = answers.iloc[:, 2:]
    is_straight = marks.max(axis=1) == marks.min(axis=1)
    assert is_straight.any()
    settings = f'\n[survey]\nstraight_liners = "set_aside"\nindex = [{index}]\n'
    assert f"{is_straight.sum()} rows of the survey are set aside." in tell(answers, settings)
