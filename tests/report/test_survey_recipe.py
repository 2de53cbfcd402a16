"""The recipes of docs/surveys.md on the public surveys, where these are there: every number that the page tells."""

import re
from pathlib import Path

import pandas as pd
import pytest

from .club import Club, run_chapters, words
from .survey_pages import causal_words

PROJECT = Path(__file__).parents[2]
SHARED = PROJECT.parent / "shared"
PAGE = (PROJECT / "docs" / "surveys.md").read_text(encoding="utf-8")
FILES = ("ecsi_mobi.csv", "yellow_pages_customer_sat.csv")

pytestmark = pytest.mark.skipif(
    not all((SHARED / "data" / name).is_file() for name in FILES), reason="the public tables are not beside the project"
)


def recipe(file: str) -> str:
    [settings] = [code for code in re.findall(r"```toml\n(.*?)```", PAGE, flags=re.DOTALL) if file in code]
    return settings


def told(root: Path, settings: str, period: str) -> dict[str, str]:
    """Run the recipe in a project beside the data; return the HTML of its chapters."""
    (root / "shared").symlink_to(SHARED)
    project = root / "project"
    project.mkdir()
    text = f"{settings}\n[report]\nnotebooks = '{PROJECT / 'notebooks'}'\n"
    (project / "crm.toml").write_text(text, encoding="utf-8")
    return run_chapters(Club(project), root / "shelf", period=period)


@pytest.fixture(scope="module")
def mobi(tmp_path_factory) -> dict[str, str]:
    return told(tmp_path_factory.mktemp("mobi"), recipe("ecsi_mobi.csv"), "2000-06")


@pytest.fixture(scope="module")
def yellow_pages(tmp_path_factory) -> dict[str, str]:
    return told(tmp_path_factory.mktemp("yellow"), recipe("yellow_pages_customer_sat.csv"), "2001-06")


@pytest.fixture(params=["mobi", "yellow_pages"])
def book(request) -> dict[str, str]:
    return request.getfixturevalue(request.param)


# --- both ---------------------------------------------------------------------------------------------------------


def test_a_recipe_is_a_book_of_two_chapters_in_which_everything_has_a_name_of_its_own(book):
    assert list(book) == ["satisfaction", "overview"]
    found = re.findall(r' id="([^"]+)"', book["satisfaction"])
    assert sorted(found) == sorted(set(found))
    assert book["satisfaction"].count("<figcaption") >= 6


def test_a_book_of_answers_says_what_goes_together_and_never_what_follows(book):
    assert [causal_words(words(html)) for html in book.values()] == [[], []]


def test_what_was_not_asked_is_said_in_its_place(book):
    text = words(book["satisfaction"])
    for absent in ("What changed: it takes two waves", "Needs were not asked for", "No comments", "Segments: they take",
                   "The Net Promoter Score: it takes a question on recommending, answered from 0 to 10"):  # fmt: skip
        assert absent in text


def test_questions_have_the_labels_of_the_recipe_and_no_codes(book):
    codes = r"\b(?:(?:IMAG|CUEX|PERQ|PERV|CUSA|CUSL)\d|CUSCO|q\d+)\b"
    assert re.findall(codes, words(book["satisfaction"]) + words(book["overview"])) == []


# --- the mobile operator ------------------------------------------------------------------------------------------


def test_the_operator_is_told_how_satisfied_its_customers_are(mobi):
    for page in mobi.values():
        assert "Satisfaction is 8.0 of 10" in words(page)
    text = words(mobi["satisfaction"])
    assert "The 95% interval of the mean is 7.8 to 8.1" in text
    assert "share of the two highest marks 26.8% 21.7% 32.6% 250" in text


def test_the_shares_are_counted_from_the_file(mobi):
    marks = pd.read_csv(SHARED / "data" / "ecsi_mobi.csv")
    shares = {"Satisfaction": "CUSA1", "Would buy again": "CUSL1", "Would recommend": "CUSL3"}
    for name, column in shares.items():
        share = (marks[column] >= 9).mean()
        assert f"{name} share of the two highest marks {share:.1%}" in words(mobi["satisfaction"])


def test_overall_quality_leads_as_surely_as_the_samples_say(mobi):
    first = r"Overall quality probably goes with satisfaction most, first in (\d+)% of the samples"
    chance = int(re.search(first, words(mobi["satisfaction"]))[1])
    assert chance == 88
    assert "No driver's place in the order is sure" in words(mobi["satisfaction"])


def test_the_indices_of_the_path_model_are_told(mobi):
    """72.5 is the index of the ACSI's formula with the weights of the model; 72.0 that of equal weights."""
    text = words(mobi["satisfaction"])
    assert re.search(r"satisfaction 72\.5 \d+\.\d \d+\.\d 68 ", text)
    assert re.search(r"loyalty 70\.\d \d+\.\d \d+\.\d 46 ", text)
    assert "0 to 100, items weighted alike 72.0 " in text


def test_the_strongest_paths_into_satisfaction_and_loyalty_are_told(mobi):
    paths = re.findall(r"(\w+) → (\w+) (−?\d\.\d{3})", words(mobi["satisfaction"]))
    sizes = {(cause, outcome): float(size.replace("−", "-")) for cause, outcome, size in paths}
    assert len(sizes) == 12
    for outcome, cause, size in (("satisfaction", "quality", 0.513), ("loyalty", "satisfaction", 0.483)):
        into = {pair: found for pair, found in sizes.items() if pair[1] == outcome}
        assert max(into, key=into.get) == (cause, outcome)
        assert into[cause, outcome] == pytest.approx(size, abs=1e-3)
    assert "one point of its index goes with 0.79 points (" in words(mobi["satisfaction"])


def test_the_odd_question_of_loyalty_is_called_weak(mobi):
    said = "would stay if others were cheaper says little about loyalty: its loading is 0.22"
    assert said in words(mobi["satisfaction"])


def test_constructs_that_say_much_the_same_are_told(mobi):
    for pair in ("quality and satisfaction", "image and quality", "satisfaction and loyalty"):
        assert f"{pair} are hardly told apart" in words(mobi["satisfaction"])


# --- the Yellow Pages ---------------------------------------------------------------------------------------------


def test_one_mark_for_everything_and_copies_are_told_and_kept(yellow_pages):
    text = words(yellow_pages["satisfaction"])
    assert "1,811 of 1,811 rows of the survey are used" in text
    assert "Respondents who gave one mark to every rating, kept: 102." in text
    assert "Respondents whose answers are all those of another one of the wave, kept: 127." in text


def test_most_copies_are_answers_of_one_mark():
    """What the page of surveys tells beside the book."""
    marks = pd.read_csv(SHARED / "data" / "yellow_pages_customer_sat.csv")
    is_one_mark, is_copy = marks.max(axis=1) == marks.min(axis=1), marks.duplicated()
    assert [int(rows.sum()) for rows in (is_one_mark, is_copy, is_copy & is_one_mark)] == [102, 127, 95]


def test_drivers_that_go_together_have_no_sure_order(yellow_pages):
    text = words(yellow_pages["satisfaction"])
    chance = re.search(r"Prices for the volume probably goes with satisfaction most, first in (\d+)% of the", text)
    assert 60 <= int(chance[1]) < 95
    assert "All drivers together explain 72% of the differences" in text
    assert "The order of the drivers is sure for 1 of 9" in text
    assert "The slope of distribution points the other way than the correlation with the outcome" in text


def test_groups_of_drivers_share_half_and_half(yellow_pages):
    text = words(yellow_pages["satisfaction"])
    shares = [float(share) for share in re.findall(r"(?:price|effectiveness) [a-z ,-]+ (\d\d\.\d) \d", text)]
    assert shares == pytest.approx([50, 50], abs=1)


def test_set_aside_by_the_settings_straight_liners_are_counted_as_such(tmp_path):
    settings = recipe("yellow_pages_customer_sat.csv").replace("scale =", 'straight_liners = "set_aside"\nscale =', 1)
    settings = settings[: settings.index("[survey.drivers]")] + settings[settings.index("[survey.items]") :]
    settings = re.sub(r"^q(?!1\.).*\n", "", settings, flags=re.MULTILINE)
    # A question by itself cannot be answered in a straight line: the drivers are items of the index here.
    index = ", ".join(f'"q{place}"' for place in range(1, 11))
    settings = settings.replace('overall_satisfaction = "q1"', f'overall_satisfaction = "q1"\nindex = [{index}]')
    page = words(told(tmp_path, settings, "2001-06")["satisfaction"])
    assert "1,709 of 1,811 rows of the survey are used" in page
    assert "102 rows of the survey are set aside." in page
