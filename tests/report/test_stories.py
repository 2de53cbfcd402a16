"""What the chapters say of shops that are not like CDNOW. The cells of the notebooks run here, without kernels."""

import ast
import re
import warnings
from datetime import date
from pathlib import Path

import nbformat
import pandas as pd
import pytest

from crm_analysis.company import simulate_company
from crm_analysis.data.company_log import open_transactions
from crm_analysis.errors import EstimationWarning
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.report.chapter import open_chapter
from crm_analysis.report.contents import chapters_of
from crm_analysis.report.notebooks import notebook_parameters
from crm_analysis.report.pieces import Piece
from crm_analysis.report.stories import equity_movement
from crm_analysis.settings import AcquisitionSettings, load_settings
from crm_analysis.value.period import period_acquisition, value_period

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def run_cells(root: Path, period: str, workspace: Path, chapters: int | None = None) -> dict[str, str]:
    """Run the cells of the first notebooks in order, of all without a number; return the text of each one's pieces."""
    texts = {}
    for chapter in chapters_of(load_settings(root / "crm.toml"))[:chapters]:
        file = NOTEBOOKS / chapter.notebook
        names: dict[str, object] = notebook_parameters(file)
        names |= {"period": period, "settings": str(root / "crm.toml"), "workspace": str(workspace)}
        pieces: list[str] = []
        for cell in nbformat.read(file, as_version=4).cells:
            if cell.cell_type != "code" or "parameters" in cell.metadata.get("tags", []):
                continue
            body = ast.parse(cell.source).body
            last = body.pop() if isinstance(body[-1], ast.Expr) else None
            exec(compile(ast.Module(body, []), file.name, "exec"), names)
            if last is not None:
                piece = eval(compile(ast.Expression(last.value), file.name, "eval"), names)
                assert isinstance(piece, Piece)
                pieces.append(str(piece.html()))
        html = re.sub(r"<(script|style|svg).*?</\1>", " ", " ".join(pieces), flags=re.S)
        texts[chapter.key] = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
    return texts


@pytest.fixture(scope="module")
def tell(make_project, tmp_path_factory):
    """Tell the book of a shop: its orders, changes to its settings, and the period."""

    def told(
        orders: pd.DataFrame | None = None,
        *changes: tuple[str, str],
        period: str = "2024-06",
        chapters: int | None = None,
    ) -> dict[str, str]:
        project = make_project(orders=orders)
        file = project.root / "crm.toml"
        text = file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        file.write_text(text)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", EstimationWarning)  # odd shops are doubtful; the book says so itself
            return run_cells(project.root, period, tmp_path_factory.mktemp("workspace"), chapters)

    return told


def before(orders: pd.DataFrame, day: str) -> pd.DataFrame:
    return orders[orders["Date"] <= day]


def test_a_young_shop_gets_a_book_that_says_how_little_it_rests_on(tell, simulated_orders):
    texts = tell(
        before(simulated_orders(), "2022-10-31"), ('holdout = "20 weeks"', 'holdout = "39 weeks"'), period="2022-10"
    )
    assert "The log is short: the forecast was tested on its last 2" in texts["overview"]
    assert "month" in texts["customer_equity"]


def test_a_shop_in_its_second_month_is_compared_with_what_there_is(tell, simulated_orders):
    orders = simulated_orders(customers=2_500)
    texts = tell(orders[orders["Date"] <= "2022-03-31"], period="2022-03")
    assert "no figure" in texts["overview"]
    assert "nan" not in texts["overview"].lower()


@pytest.fixture(scope="module")
def costly(tell):
    """A base that costs more to serve than its margin brings; its time is counted in months."""
    return tell(
        None,
        ("cost_to_serve_per_year = 1.5", "cost_to_serve_per_year = 60.0"),
        ("[forecast]", '[forecast]\ntime_unit = "month"'),
    )


def test_a_base_that_costs_more_than_it_brings_is_told_in_money_not_in_shares(costly):
    assert "Serving the base costs more than its margin brings" in costly["customer_value"]
    assert "No shares to show" in costly["customer_equity"]
    assert not re.search(
        r"holds? −?\d+% of the", costly["overview"] + costly["customer_value"] + costly["customer_equity"]
    )


def test_a_change_from_one_negative_value_to_a_better_one_is_a_rise(costly):
    row = re.search(r"Customer equity (−€[\d,]+) (−€[\d,]+) ([+−][\d.]+%)", costly["overview"])
    now, then = (float(text.replace("−€", "-").replace(",", "")) for text in row.groups()[:2])
    assert (now > then) == row[3].startswith("+")


@pytest.fixture(scope="module")
def two_months(make_project):
    """Two books in a row, the second with scenarios."""
    project = make_project()
    file = project.root / "crm.toml"
    scenarios = '[scenarios."Fewer leave"]\nleaving = -0.1\n\n[report]'
    file.write_text(file.read_text().replace("[report]", scenarios, 1))
    folder = project.root / "data" / "processed"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        books = [run_cells(project.root, month, folder / month) for month in ("2024-05", "2024-06")]
    return [*(book["customer_equity"] for book in books), books[1]["segments"]]


def test_the_first_book_says_that_there_is_none_to_compare_with(two_months):
    assert "There is no book of April 2024" in two_months[0]


def test_the_second_book_says_what_moved_equity(two_months):
    assert re.search(
        r"Since the last book equity moved by [+−]€[\d.]+k; the largest step beside the passing of time is",
        two_months[1],
    )
    assert "Memo, not part of equity: customers there before brought €" in two_months[1]


def test_the_steps_of_the_table_add_up_to_the_closing(two_months):
    table = two_months[1][two_months[1].index("The steps add up exactly") :]
    closing = re.search(r"Closing equity €([\d,]+)", table)[1]
    last = re.search(r"Length of the horizon as set in crm.toml €0 €([\d,]+)", table)[1]
    assert last == closing


def test_future_customers_stand_on_lines_of_their_own(two_months):
    assert re.search(r"current customers hold €[\d.]+k of it; those expected to join bring €[\d.]+k", two_months[1])
    assert re.search(
        r"\d+ customers are expected to join within 12 months\. New customers are forecast by", two_months[1]
    )
    assert "the doubt about the number of new customers" in two_months[1]


def test_a_scenario_of_the_settings_is_valued(two_months):
    assert re.search(r"Fewer leave would make it €[\d.]+k, \+[\d.]+%", two_months[1])


def test_a_book_in_another_currency_is_no_opening(make_project):
    project = make_project()
    folder = project.root / "data" / "processed"
    (folder / "2024-05").mkdir(parents=True)
    (folder / "2024-05" / "customer_equity.json").write_text('{"facts": {"currency": "USD"}, "alerts": []}')
    chapter = open_chapter("customer_equity", period="2024-06", settings=str(project.root / "crm.toml"))
    told = equity_movement.explain_movement(chapter, None).why_not
    assert "The book of May 2024 counts in USD, this one in EUR" in told


def test_by_the_settings_future_customers_are_left_out(make_project):
    project = make_project()
    settings = project.settings.model_copy(update={"acquisition": AcquisitionSettings(source="none")})
    log = open_transactions(settings, as_of=date(2024, 6, 30))
    values = value_period(log, as_of=date(2024, 6, 30), settings=settings).values
    joining, why = period_acquisition(log, values, settings)
    assert joining is None
    assert why == "By the settings customers still to be acquired are not valued."


def test_a_log_that_stops_before_the_period_is_warned_about(tell, simulated_orders):
    text = tell(before(simulated_orders(), "2024-04-09"), chapters=1)["data_quality"]
    assert "days before the period" in text
    assert re.search(r"[89] April 2024", text)


def test_a_month_without_newcomers_does_not_make_an_extract(tell, simulated_orders):
    orders = simulated_orders()
    first = orders.groupby("Customer ID")["Date"].transform("min")
    texts = tell(orders[first < "2024-05-20"], chapters=1)
    assert "No new customer since" in texts["data_quality"]
    assert "one group" not in texts["data_quality"]


def test_a_log_of_one_group_is_called_so(tell, simulated_orders):
    orders = simulated_orders(customers=4_000)
    first = orders.groupby("Customer ID")["Date"].transform("min")
    texts = tell(orders[first < "2022-04-01"])
    assert "the log follows one group of customers" in texts["data_quality"]
    assert "This log follows customers who first bought by" in texts["overview"]


@pytest.fixture(scope="module")
def odd(tell, simulated_orders):
    """One price for everything, some lines given away, settings in unusual spellings, and time counted in days."""
    orders = simulated_orders()
    orders = orders[orders["Total"] > 0]
    turn = pd.Series(range(len(orders)), index=orders.index) % 3
    orders = orders.assign(Total=10.0 + turn * 0.01)
    return tell(
        pd.concat([orders, orders.head(50).assign(Total=0.0)], ignore_index=True),
        ('horizon = "12 months"', 'horizon = "1years"'),
        ("margin = 0.4", "margin = 0.335\nannual_discount_rate = 0.125"),
        ("[forecast]", '[forecast]\ntime_unit = "day"'),
    )


@pytest.mark.parametrize(("shop", "unit"), [("odd", "day"), ("costly", "month")])
def test_time_may_be_counted_in_days_or_months(request, shop, unit):
    texts = request.getfixturevalue(shop)
    assert f"(time in {unit}s)" in texts["overview"] or "Customer equity" in texts["overview"]
    assert "20 weeks after" in texts["customer_value"]


def test_prices_that_are_all_the_same_are_no_correlation(odd):
    assert "Customers who buy more often" not in odd["overview"]


def test_a_horizon_is_read_in_any_spelling_and_written_in_one(odd):
    assert "within 1 year" in odd["customer_equity"]
    assert "within 1 year" in odd["overview"]


def test_rates_are_written_as_they_were_set(odd):
    assert "Margin 33.5%, discount 12.5% a year" in odd["customer_value"]


def test_free_lines_are_lines_not_orders(odd):
    assert "Rows with an amount of €0.00: 50. They count for the timing of purchases" in odd["overview"]


@pytest.fixture(scope="module")
def by_settings(tell, tmp_path_factory):
    """A fit made elsewhere, newcomers by a plan, and two tiers: all of the settings."""
    fit = tmp_path_factory.mktemp("fit") / "fit.json"
    fit.write_text(BGNBDFit.from_params((0.7, 8.0, 0.7, 2.5), time_unit="week").to_json())
    plan = '[acquisition]\nsource = "plan"\nplan = 20'
    tiers = '[segments.pyramid]\nnames = ["VIP", "other"]\ncut_offs = [0.1]'
    return tell(
        None, ("[forecast]", f"[forecast]\npurchase_fit = '{fit}'"), ("[report]", f"{plan}\n\n{tiers}\n\n[report]")
    )


def test_a_fit_that_was_given_stands_behind_the_book_as_it_is(by_settings):
    assert "BG/NBD with the parameters it was given" in by_settings["customer_value"]
    assert "the purchase model, as it was given" in by_settings["customer_equity"]
    assert "what is expected contains the doubt about the number of new customers." in by_settings["customer_equity"]


@pytest.fixture(scope="module")
def of_a_sample(tell, simulated_orders):
    """A base larger than the settings let a book hold."""
    return tell(simulated_orders(customers=2_500), ("[report]", "[report]\ncustomers = 1000"))


def test_a_book_of_a_large_base_says_that_it_values_a_sample(of_a_sample):
    said = re.search(r"so ([\d,]+) of its 2,500 customers were valued, drawn at random", of_a_sample["overview"])
    assert 800 < int(said[1].replace(",", "")) < 1_000
    assert "Who was drawn leaves a standard error of" in of_a_sample["customer_value"]
    assert "the chance in who is in the sample" in of_a_sample["customer_equity"]


def test_a_book_of_a_sample_counts_the_whole_base(of_a_sample):
    assert "The 2,500 customers are expected to buy" in of_a_sample["customer_value"]
    assert "The 2,500 current customers hold" in of_a_sample["customer_equity"]
    tiers = re.findall(r"([\d,]+) customers, \d+(?:\.\d)?%", of_a_sample["segments"])[:4]
    assert sum(int(tier.replace(",", "")) for tier in tiers) == 2_500


def test_what_is_counted_in_a_sample_is_said_to_be(of_a_sample):
    assert of_a_sample["customer_value"].count("Counted are those of the sample.") >= 5
    assert "Counted are those of the sample." in of_a_sample["overview"]
    assert "customers drawn, standing for 2,500" in of_a_sample["overview"]
    assert "chance by the square root" in of_a_sample["customer_equity"]


def test_a_sample_names_nobody_to_win_back(of_a_sample):
    assert "No early warnings by name" in of_a_sample["segments"]
    assert "No win-backs by name" in of_a_sample["segments"]


@pytest.fixture(scope="module")
def company(tmp_path_factory):
    """The book of a simulated company that has all tables, by chapter, and the company itself."""
    root = tmp_path_factory.mktemp("simulated")
    made = simulate_company(seed=3, customers=900, months=30)
    file = made.write(root)
    text = file.read_text().replace("[money]", "[money]\nwin_back_cost = 2.0", 1)
    file.write_text(text.replace("[forecast]", "[forecast]\ndraws = 100", 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)
        return run_cells(root, f"{made.as_of:%Y-%m}", root / "shelf"), made


def test_customers_are_divided_by_what_is_known_of_them(company):
    texts, made = company
    known = made.tables["customers"]
    for column, name in {"region": "region", "settlement": "settlement", "acquisition_channel": "channel"}.items():
        assert all(f"{level} {name}" in texts["segments"] for level in known[column].dropna().unique())


def test_churn_is_told_on_four_bases(company):
    text = company[0]["segments"]
    for basis in ("Customers, by the rule", "Customers, by the model", "Members, by contract", "Renewals due",
                  "Share of the market", "Margin", "Revenue, net", "Lost to a named rival"):  # fmt: skip
        assert basis in text


def test_memberships_are_followed_by_plan(company):
    texts, made = company
    for plan in made.tables["memberships"]["plan"].unique():
        assert re.search(rf"{plan} [\d,]+ [\d,]+", texts["segments"])


def test_prospects_are_counted_among_the_states(company):
    assert re.search(r"Prospect \d+ \d+", company[0]["segments"])


def test_a_list_of_the_likely_lost_says_how_right_it_was(company):
    assert re.search(
        r"of them bought nothing \(95% interval|No list of likely lost customers reached", company[0]["segments"]
    )


def test_a_survey_beside_the_log_has_its_chapter_and_its_sentence_in_the_overview(company):
    texts, _made = company
    assert list(texts)[-2:] == ["satisfaction", "overview"]
    mean = re.search(r"Satisfaction is (\d\.\d) of 10", texts["satisfaction"])[1]
    assert f"Satisfaction: {mean} of 10 in " in texts["overview"]
    assert "Not in this book" not in texts["overview"]


def test_a_shop_with_a_log_alone_says_what_could_be_told(two_months):
    text = two_months[2]
    assert "Nothing is known of customers beside their purchases" in text
    assert "No contracts are known" in text
    assert re.search(r"[\d,]+ customers moved up and [\d,]+ moved down", text)


def test_tiers_and_newcomers_are_those_of_the_settings(by_settings):
    assert re.search(r"\d+ VIP customers, 10% of all, hold \d+% of the current base", by_settings["segments"])
    expected = "New customers are those of the plan, 240 within 12 months, give or take 10%."
    assert expected in by_settings["customer_equity"]


def test_a_sample_names_no_most_valuable_customers(of_a_sample):
    assert "none are named here" in of_a_sample["customer_value"]
    assert "most valuable customers hold" not in of_a_sample["customer_value"]


def test_a_book_of_everybody_speaks_of_no_sample(costly):
    assert "sample" not in " ".join(costly.values()).lower()
