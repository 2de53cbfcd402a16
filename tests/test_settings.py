"""crm.toml: every rate with its unit, every unknown key refused, every problem at once."""

from pathlib import Path

import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.segment_rules import LifecycleRules, PyramidRules, RelationshipRules, RfmRules, Treatment
from crm_analysis.settings import SegmentSettings, load_settings

PROJECT = Path(__file__).parents[1]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "crm.toml"
    path.write_text(text)
    return path


def test_an_empty_file_means_the_defaults(tmp_path):
    settings = load_settings(write(tmp_path, ""))
    assert settings.money.annual_discount_rate == 0.10
    assert settings.report.pseudonymise


def test_the_file_of_the_project_is_read():
    settings = load_settings(PROJECT / "crm.toml")
    assert settings.company.currency == "USD"
    assert settings.sources.transactions.path is not None


def test_paths_start_at_the_folder_of_the_file(tmp_path):
    settings = load_settings(write(tmp_path, ""))
    assert settings.path("data/raw") == tmp_path / "data" / "raw"


def test_every_problem_is_named_with_its_key(tmp_path):
    text = '[money]\nmargin = 1.5\nannual_discount = 0.1\nhorizon = "soon"\n[company]\ncurrency = "dollars"\n'
    with pytest.raises(SettingsError) as refused:
        load_settings(write(tmp_path, text))
    message = str(refused.value)
    for expected in ("4 problem(s)", "money.margin", "money.annual_discount: unknown key", "horizon", "currency"):
        assert expected in message


def test_a_missing_file_is_said_in_words(tmp_path):
    with pytest.raises(SettingsError, match="is not there"):
        load_settings(tmp_path / "crm.toml")


def test_a_file_that_is_no_toml_is_said_in_words(tmp_path):
    with pytest.raises(SettingsError, match="cannot be read as TOML"):
        load_settings(write(tmp_path, "[money\n"))


def test_wrong_settings_end_with_exit_code_two(tmp_path):
    with pytest.raises(SettingsError) as refused:
        load_settings(tmp_path / "crm.toml")
    assert refused.value.exit_code == 2


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[company]\nlanguage = "xx"', "unknown language"),
        ('[company]\ntimezone = "Mars/Olympus"', "unknown time zone"),
        ('[sources.transactions]\npath = "a.csv"\nconnection = "duckdb://x"', "not both"),
    ],
)
def test_what_could_only_fail_later_is_refused_at_once(tmp_path, text, words):
    with pytest.raises(SettingsError, match=words):
        load_settings(write(tmp_path, text))


def test_columns_without_a_path_leave_the_default_path(tmp_path):
    settings = load_settings(write(tmp_path, '[sources.transactions.columns]\namount = "paid"'))
    assert settings.sources.transactions.path == "data/raw/transactions.csv"


def test_a_horizon_has_one_form_however_it_is_spelt(tmp_path):
    assert load_settings(write(tmp_path, '[money]\nhorizon = "24month"')).money.horizon == "24 months"


def test_a_file_that_builds_on_another_says_only_what_differs(tmp_path):
    (tmp_path / "crm.toml").write_text(
        '[company]\nname = "Tea"\ncurrency = "CNY"\n'
        '[sources.transactions]\npath = "log.csv"\nonly = { brand = "Green" }\n'
    )
    (tmp_path / "parts").mkdir()
    file = tmp_path / "parts" / "north.toml"
    file.write_text('base = "../crm.toml"\n[company]\nname = "North"\n[sources.transactions.only]\nregion = "N"\n')
    settings = load_settings(file)
    assert (settings.company.name, settings.company.currency) == ("North", "CNY")
    assert settings.sources.transactions.only == {"brand": "Green", "region": "N"}
    assert settings.path("log.csv") == tmp_path / "log.csv"
    assert settings.root / settings.file == file


@pytest.mark.parametrize("base", ['"crm.toml"', '"other.toml"', "3"])
def test_a_base_is_another_file_that_does_not_lead_back(tmp_path, base):
    (tmp_path / "crm.toml").write_text(f"base = {base}\n")
    (tmp_path / "other.toml").write_text('base = "crm.toml"\n')
    with pytest.raises(SettingsError, match="base must name another settings file"):
        load_settings(tmp_path / "crm.toml")


def test_the_memory_of_books_side_by_side_is_an_amount(tmp_path):
    (tmp_path / "crm.toml").write_text('[report]\nmemory = "1.5 GB"\n')
    assert load_settings(tmp_path / "crm.toml").report.memory_bytes == 1.5e9
    (tmp_path / "crm.toml").write_text('[report]\nmemory = "much"\n')
    with pytest.raises(SettingsError, match=r"report\.memory"):
        load_settings(tmp_path / "crm.toml")


def test_settings_cannot_be_changed(tmp_path):
    settings = load_settings(write(tmp_path, ""))
    with pytest.raises(ValueError, match="frozen"):
        settings.money.margin = 0.5


def test_segments_are_divided_as_the_file_says(tmp_path):
    text = (
        '[segments.pyramid]\nnames = ["VIP", "other"]\ncut_offs = [0.1]\n'
        "[segments.lifecycle]\nactive_days = 60\nlost_days = 200\n"
        "[segments.rfm]\nlevels = 3\n[segments.rfm.cuts]\nrecency = [30, 90]\n"
        "[segments.relationship]\nmargin_cuts = [10, 50]\n"
        '[segments.treatments.VIP]\naction = "Call."\n[segments.treatments."region: North"]\nmeaning = "Leeds."\n'
    )
    segments = load_settings(write(tmp_path, text)).segments
    assert segments.pyramid == PyramidRules((0.1,), ("VIP", "other"))
    assert segments.lifecycle == LifecycleRules(active_days=60, lost_days=200)
    assert segments.rfm == RfmRules({"recency": (30, 90)}, 3)
    assert segments.relationship == RelationshipRules(margin_cuts=(10, 50))
    assert segments.treatments == {"VIP": Treatment(action="Call."), "region: North": Treatment("Leeds.")}


def test_segment_rules_that_contradict_themselves_are_problems_with_their_keys(tmp_path):
    text = (
        "[segments.pyramid]\ncut_offs = [0.5, 0.2, 0.7]\n[segments.lifecycle]\nlost_below = 0.9\nlost_day = 3\n"
        "[segments.rfm]\nlevels = 11\n[segments.relationship]\ncustomer_cuts = [9, 1]\n[money]\nmargin = 2\n"
    )
    with pytest.raises(SettingsError) as refused:
        load_settings(write(tmp_path, text))
    message = str(refused.value)
    for expected in ("5 problem(s)", "segments.pyramid: ", "segments.lifecycle.lost_day: unknown key", "levels is 11",
                     "customer_cuts is [9.0, 1.0], out of order", "money.margin"):  # fmt: skip
        assert expected in message


@pytest.mark.parametrize("key", ["platinun", "region North"])
def test_a_treatment_of_no_segment_is_refused_by_name(tmp_path, key):
    with pytest.raises(SettingsError, match=f"treatments names '{key}'; the segments are platinum"):
        load_settings(write(tmp_path, f'[segments.treatments."{key}"]\naction = "Call."'))


def test_every_setting_of_segments_is_in_the_documentation():
    text = (PROJECT / "docs" / "settings.md").read_text()
    for part, rules in vars(SegmentSettings()).items():
        keys = ("meaning", "action") if part == "treatments" else vars(rules)
        rows = [line for line in text.splitlines() if line.startswith(f"| `segments.{part}.")]
        told = " ".join(row.split("|")[1] for row in rows)
        assert [key for key in keys if f".{key}`" not in told] == []


# --- tables beside the log ----------------------------------------------------------------------------------------


def test_tables_beside_the_log_are_absent_unless_named(tmp_path):
    assert load_settings(write(tmp_path, "")).sources.beside_the_log() == {}


def test_a_table_beside_the_log_has_a_place_and_names_of_columns(tmp_path):
    text = '[sources.exits]\nconnection = "duckdb://crm.db"\ntable = "lost"\n[sources.exits.columns]\nreason = "why"\n'
    source = load_settings(write(tmp_path, text)).sources.exits
    assert (source.connection, source.table) == ("duckdb://crm.db", "lost")
    assert (source.columns.reason, source.columns.left_on, source.columns.went_to) == ("why", "left_on", None)


@pytest.mark.parametrize("place", ["", 'path = "a.csv"\nconnection = "duckdb://x"\n', 'table = "lost"\n'])
def test_a_table_beside_the_log_has_one_place(tmp_path, place):
    with pytest.raises(SettingsError, match=r"sources\.exits: .*one of the two"):
        load_settings(write(tmp_path, f"[sources.exits]\n{place}"))


def test_a_column_that_a_table_does_not_have_is_refused(tmp_path):
    text = '[sources.market]\npath = "m.csv"\n[sources.market.columns]\nmarket_size = "size"\n'
    with pytest.raises(SettingsError, match=r"sources\.market\.columns\.market_size: unknown key"):
        load_settings(write(tmp_path, text))


MARGINS = """
[money]
margin = 0.25
margin_from = "product"
[money.margins]
"Garden chairs" = 0.42
loss_leader = -0.05
"""


def test_margins_by_name_stand_beside_the_rate_of_others(tmp_path):
    margins = load_settings(write(tmp_path, MARGINS)).money.line_margins
    assert margins.rates == {"Garden chairs": 0.42, "loss_leader": -0.05}
    assert (margins.told_by, margins.rate) == ("product", 0.25)


def test_one_rate_of_all_spend_leaves_lines_alone(tmp_path):
    assert load_settings(write(tmp_path, "")).money.line_margins is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (MARGINS.replace("0.42", "1.42"), "money.margins.Garden chairs: Input should be less than or equal to 1"),
        (MARGINS.replace("0.42", "nan"), "money.margins.Garden chairs: Input should be"),
        (MARGINS.replace('"product"', '"lines"'), "give rates in [money.margins] and margin_from"),
        ('[money]\nmargin_from = "category"', "give rates in [money.margins] and margin_from"),
        ('[money]\nmargin_from = "lines_of_log"', "money.margin_from: Input should be 'rate', 'lines', 'product' or"),
    ],
    ids=["above-one", "no-number", "lines-have-no-names", "no-rates", "unknown"],
)
def test_margins_that_contradict_themselves_are_refused(tmp_path, text, said):
    with pytest.raises(SettingsError) as refused:
        load_settings(write(tmp_path, text))
    assert said in str(refused.value)


# --- a company of contracts ---------------------------------------------------------------------------------------

CONTRACTS = '[sources.memberships]\npath = "members.csv"\n'


def test_memberships_without_a_log_make_a_company_of_contracts(tmp_path):
    settings = load_settings(write(tmp_path, CONTRACTS))
    assert settings.kind == "contracts"
    assert settings.sources.transactions is None


def test_memberships_beside_a_log_leave_a_shop_a_shop(tmp_path):
    settings = load_settings(write(tmp_path, CONTRACTS + "[sources.transactions]\n"))
    assert settings.kind == "shop"
    assert settings.sources.purchase_log.path == "data/raw/transactions.csv"


SURVEY = '[sources.survey]\npath = "answers.csv"\n'


def test_a_survey_alone_is_a_company_that_only_asks(tmp_path):
    settings = load_settings(write(tmp_path, SURVEY))
    assert settings.kind == "survey"
    assert settings.sources.transactions is None


@pytest.mark.parametrize(("others", "kind"), [(CONTRACTS, "contracts"), ("[sources.transactions]\n", "shop")])
def test_a_survey_beside_another_table_leaves_the_company_what_it_is(tmp_path, others, kind):
    assert load_settings(write(tmp_path, SURVEY + others)).kind == kind


def test_a_file_without_sources_reads_the_log_of_the_default_name(tmp_path):
    assert load_settings(write(tmp_path, "")).sources.purchase_log.path == "data/raw/transactions.csv"


def test_what_needs_a_log_says_that_a_company_of_contracts_has_none(tmp_path):
    settings = load_settings(write(tmp_path, CONTRACTS))
    with pytest.raises(SettingsError, match=r"needs a purchase log.*\[sources\.transactions\]"):
        settings.sources.purchase_log  # noqa: B018  # asking is what is tested


def test_a_fee_is_one_for_all_or_one_a_plan(tmp_path):
    with pytest.raises(SettingsError, match=r"money: .*one of the two"):
        load_settings(write(tmp_path, "[money]\nfee = 30\n[money.fees]\nyearly = 300\n"))


def test_fees_by_plan_are_read(tmp_path):
    text = '[money.fees]\nyearly = 300\n"month by month" = 30\n'
    assert load_settings(write(tmp_path, text)).money.fees == {"yearly": 300, "month by month": 30}
