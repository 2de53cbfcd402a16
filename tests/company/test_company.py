"""One company from one seed: the same tables each time, the columns of the design, one world behind them all."""

import os
import subprocess
import sys
import zlib
from dataclasses import FrozenInstanceError, replace
from datetime import date
from functools import cache

import numpy as np
import pandas as pd
import pytest

import crm_analysis
from crm_analysis.company import Company, Plan, simulate_company
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import SettingsError
from crm_analysis.periods import Month
from crm_analysis.settings import Sources, load_settings

COLUMNS = {
    "transactions": "customer_id order_date amount order_id product category quantity cost margin channel is_refund "
    "currency",
    "customers": "customer_id acquired_on acquisition_channel acquisition_cost region kind tier settlement "
    "receivable_status receivable_amount receivable_due referred_by",
    "memberships": "customer_id started_on ended_on plan renewal_period",
    "prospects": "prospect_id stage entered_stage_on expected_value source has_budget has_authority has_need "
    "willingness influence",
    "market": "period market_customers market_revenue own_share_of_wallet",
    "exits": "customer_id left_on reason went_to share_of_wallet",
    "cases": "case_id opened_at customer_id kind category channel first_response_at resolved_at severity "
    "satisfied_after",
    "campaigns": "campaign_id name cost start end",
    "contacts": "campaign_id customer_id arm responded revenue",
    "accounts": "customer_id cooperation potential strategic_weight wallet size",
}
# When something became known.
DAYS = {
    "transactions": ["order_date"],
    "customers": ["acquired_on"],
    "memberships": ["started_on", "ended_on"],
    "prospects": ["entered_stage_on"],
    "exits": ["left_on"],
    "cases": ["opened_at", "first_response_at", "resolved_at"],
    "campaigns": ["start", "end"],
}


def as_text(company: Company) -> dict[str, str]:
    return {name: table.to_csv(index=False) for name, table in company.tables.items()}


@cache
def small(seed: int = 3, plan: Plan | None = None) -> Company:
    return simulate_company(seed=seed, customers=300, months=24, plan=plan)


def test_the_same_seed_gives_the_same_tables():
    assert as_text(small()) == as_text(simulate_company(seed=3, customers=300, months=24))


def test_the_same_seed_gives_the_same_tables_in_another_process():
    ask = (
        "import zlib; from crm_analysis import simulate_company; "
        "tables = simulate_company(seed=3, customers=300, months=24).tables; "
        "print(zlib.crc32(''.join(table.to_csv(index=False) for table in tables.values()).encode()))"
    )
    # Sets of text come in another order there.
    salted = os.environ | {"PYTHONHASHSEED": "1"}
    told = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True, check=True, env=salted).stdout
    assert int(told) == zlib.crc32("".join(as_text(small()).values()).encode())


@pytest.mark.parametrize("name", [*COLUMNS, "survey"])
def test_another_seed_gives_another_company(name):
    assert as_text(small())[name] != as_text(small(seed=4))[name]


@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_columns_of_the_design(company, name):
    assert list(company.tables[name].columns) == COLUMNS[name].split()


def test_the_survey_has_the_columns_of_its_plan(company):
    plan = company.truth.plan
    expected = ["respondent_id", "wave", "customer_id", "weight"]
    expected += ["overall_satisfaction", "repurchase_intention", "recommend"]
    expected += [f"{kind}_{each.name}" for kind in ("expectation", "perception") for each in plan.survey.attributes]
    expected += [f"driver_{each.name}" for each in plan.opinions.drivers] + ["not_applicable"]
    kinds = ("functional", "dysfunctional")
    expected += [f"kano_{each.name}_{kind}" for each in plan.kano.features for kind in kinds]
    assert list(company.tables["survey"].columns) == [*expected, "comment"]


def test_the_as_of_date_is_the_last_day_of_the_last_month(company):
    assert company.as_of == date(2023, 12, 31)


@pytest.mark.parametrize(("name", "columns"), DAYS.items())
def test_tables_know_nothing_of_what_comes_after_the_as_of_date(company, name, columns):
    after = pd.Timestamp(company.as_of) + pd.Timedelta(days=1)
    for column in columns:
        assert company.tables[name][column].max() < after


@pytest.mark.parametrize("name", ["transactions", "memberships", "exits", "survey", "cases", "contacts", "accounts"])
def test_every_table_speaks_of_the_same_customers(company, name):
    named = company.tables[name]["customer_id"].dropna()
    assert len(named) and named.isin(company.tables["customers"]["customer_id"]).all()


@pytest.mark.parametrize(
    ("part", "touched"),
    [
        ({"contracts": replace(Plan().contracts, share=0.6)}, {"memberships"}),
        ({"prospects": replace(Plan().prospects, a_customer=0.1)}, {"prospects"}),
        ({"survey": replace(Plan().survey, named=0.5)}, {"survey"}),
        ({"service": replace(Plan().service, a_year=3.0)}, {"cases", "exits"}),
        ({"campaigns": replace(Plan().campaigns, lift=0.0)}, {"contacts", "transactions"}),
        ({"odd_rows": replace(Plan().odd_rows, copied=0.0)}, {"transactions"}),
        ({"market": replace(Plan().market, growth=0.0)}, {"market"}),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_change_to_one_part_leaves_the_others_alone(part, touched):
    before, after = as_text(small()), as_text(small(plan=replace(Plan(), **part)))
    assert {name for name in before if before[name] != after[name]} == touched


def test_a_campaign_leaves_the_orders_it_did_not_bring_alone():
    with_lift = small().tables["transactions"]
    quiet = small(plan=replace(Plan(), campaigns=replace(Plan().campaigns, lift=0.0))).tables["transactions"]
    brought = with_lift["order_id"].str.startswith("OM", na=False)
    assert brought.any()
    pd.testing.assert_frame_equal(with_lift[~brought].reset_index(drop=True), quiet)


def test_the_number_of_customers_is_about_the_one_asked_for():
    plan = Plan(horizon_months=1)
    counts = [
        len(simulate_company(seed=seed, customers=1_000, months=6, plan=plan).tables["customers"]) for seed in range(10)
    ]
    # A gamma factor of the plan's noise on each month, and Poisson counts.
    spread = np.sqrt(1_000 + 6 * (plan.acquisition.noise * 1_000 / 6) ** 2)
    assert abs(np.mean(counts) - 1_000) < 4 * spread / np.sqrt(len(counts))


@pytest.mark.parametrize("months", [1, 2, 7])
def test_a_company_may_be_young_and_small(months):
    company = simulate_company(seed=1, customers=1, months=months)
    assert set(company.tables) == {*COLUMNS, "survey"}
    assert len(company.tables["customers"]) >= 1
    assert (company.truth.future()["purchases"] >= 0).all()


def test_a_company_may_open_in_any_month():
    company = small(plan=replace(Plan(), first_month=Month(2019, 7)))
    assert company.as_of == date(2021, 6, 30)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [({"seed": -1}, "seed"), ({"customers": 0}, "customers"), ({"months": 1.5}, "months"), ({"seed": "x"}, "seed")],
)
def test_wrong_numbers_are_refused_by_name(wrong, word):
    with pytest.raises(SettingsError, match=word):
        simulate_company(**{"seed": 1, "customers": 10, "months": 3} | wrong)


def test_a_company_cannot_be_changed(company):
    with pytest.raises(FrozenInstanceError):
        company.as_of = date(2000, 1, 1)
    with pytest.raises(TypeError):
        company.tables["customers"] = pd.DataFrame()


def test_the_names_are_public():
    assert crm_analysis.simulate_company is simulate_company and crm_analysis.Company is Company


# --- files ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    return small().write(tmp_path_factory.mktemp("company"))


def test_the_settings_written_can_be_loaded(written):
    assert load_settings(written).company.name == "Simulated company"


def test_the_settings_name_every_source_that_settings_know(written):
    sources = load_settings(written).sources
    assert {name for name in Sources.model_fields if name in small().tables} <= sources.model_fields_set


def test_the_written_log_is_the_log(written):
    settings = load_settings(written)
    source = settings.sources.transactions
    read = read_transactions(settings.path(source.path), columns=source.columns, currency=settings.company.currency)
    direct = read_transactions(small().tables["transactions"])
    pd.testing.assert_frame_equal(read.reconciliation, direct.reconciliation)


def test_every_table_is_written(written):
    assert {file.stem for file in (written.parent / "data/raw/simulated").glob("*.csv")} == {*COLUMNS, "survey"}


def test_written_marks_are_whole_numbers(written):
    table = pd.read_csv(written.parent / "data/raw/simulated/survey.csv", dtype=str)
    marks = table[[name for name in table.columns if name.startswith("driver_")]].melt()["value"]
    assert marks.isna().any() and marks.dropna().str.fullmatch(r"10|[1-9]").all()


def test_the_margin_in_the_settings_is_that_of_the_log(written):
    log = small().tables["transactions"]
    margin = log["margin"].sum() / log["amount"].sum()
    assert load_settings(written).money.margin == pytest.approx(margin, abs=1e-4)


def test_whoever_meets_the_company_is_told_that_it_is_simulated(company, written):
    assert "simulated" in repr(company)
    assert "simulate" in written.read_text().splitlines()[0]
    assert company.tables["campaigns"]["name"].str.startswith("Simulated").all()
