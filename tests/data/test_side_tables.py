"""The tables beside the log: read from anywhere by the rules of the log's own door, every row accounted for."""

import ibis
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis import fit_sbg, read_customers, read_exits, read_market, read_memberships, read_prospects
from crm_analysis.data.side_door import SideTable
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.settings import EngineSettings

READERS = {
    "customers": read_customers,
    "memberships": read_memberships,
    "prospects": read_prospects,
    "market": read_market,
    "exits": read_exits,
}
TABLES = {
    "customers": pd.DataFrame(
        {
            "customer_id": ["007", "K2", "K1"],
            "acquired_on": pd.to_datetime(["2024-01-31", None, "2023-05-01"]),
            "acquisition_cost": [12.345678, None, 0.0],
            "kind": ["Company", " consumer ", None],
            "settlement": ["cash", "CREDIT", "prepaid"],
            "receivable_amount": [-5.5, 100.0, None],
            "receivable_due": pd.to_datetime([None, "2024-12-31", None]),
            "referred_by": ["K1", None, "stranger"],
            "sector": ["food", None, "steel, wire"],
            "post_code": ["01067", "10115", "80331"],
            "employees": [12.0, None, 7.0],
            "is_member": [True, False, True],
            "birthday": pd.to_datetime(["1850-02-28", None, "1999-12-31"]),
        }
    ),
    "memberships": pd.DataFrame(
        {
            "customer_id": ["K1", "K1", "K2"],
            "started_on": pd.to_datetime(["2024-03-01", "2023-01-01", "2024-02-29"]),
            "ended_on": pd.to_datetime([None, "2023-12-31", "2024-05-31"]),
            "plan": ["gold", "gold", None],
            "renewal_period": ["1 month", "1 month", "1 month"],
        }
    ),
    "prospects": pd.DataFrame(
        {
            "prospect_id": ["P2", "P1", "P1"],
            "stage": ["lead", "Won", " lead"],
            "entered_stage_on": pd.to_datetime(["2024-03-01", "2024-02-01", "2024-02-01"]),
            "expected_value": [1000.0, None, 250.25],
            "has_budget": [True, None, False],
            "willingness": [0.5, 3.0, None],
        }
    ),
    "market": pd.DataFrame(
        {"period": ["2024-02", "2024-01"], "market_customers": [2100.0, 2000.0], "own_share_of_wallet": [0.4, None]}
    ),
    "exits": pd.DataFrame(
        {
            "customer_id": ["K2", "K1"],
            "left_on": pd.to_datetime(["2024-05-01", "2024-04-01"]),
            "reason": ["price", None],
            "went_to": [None, "Rival & Sons"],
            "share_of_wallet": [1.0, 0.25],
        }
    ),
}


def read(name: str, source: object = None, **options: object) -> SideTable:
    return READERS[name](TABLES[name] if source is None else source, **options)


def rows(table: SideTable) -> dict[str, int]:
    return {outcome: n for outcome, n in table.reconciliation.set_index("outcome")["rows"].items() if n}


def container(kind: str, name: str, folder) -> tuple[object, dict]:
    frame, path = TABLES[name], folder / f"{name}.{kind}"
    match kind:
        case "csv":
            frame.to_csv(path, index=False)
            return path, {}
        case "parquet":
            frame.to_parquet(path, index=False)
            return str(path), {}
    connection = ibis.duckdb.connect()
    connection.create_table("rows_of_it", frame)
    if kind == "in place":
        return connection.table("rows_of_it"), {"engine": EngineSettings(copy_rows=0)}
    return "rows_of_it", {"connection": connection}


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", ["csv", "parquet", "connection", "in place"])
def test_every_source_gives_the_frame_of_the_frame(kind, name, tmp_path):
    source, options = container(kind, name, tmp_path)
    table, expected = read(name, source, **options), read(name)
    pd.testing.assert_frame_equal(table.frame, expected.frame)
    pd.testing.assert_frame_equal(table.reconciliation, expected.reconciliation)
    pd.testing.assert_frame_equal(table.notes, expected.notes)


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_frame_that_was_kept_is_read_as_it_was(kind, name, tmp_path):
    table, path = read(name), tmp_path / f"kept.{kind}"
    frame = table.frame.reset_index(drop=name != "customers")
    frame.to_csv(path, index=False) if kind == "csv" else frame.to_parquet(path, index=False)
    pd.testing.assert_frame_equal(read(name, path).frame, table.frame)


def test_columns_have_the_types_of_their_kind():
    customers, prospects = read("customers").frame, read("prospects").frame
    assert {name: str(customers[name].dtype) for name in customers} == {
        "acquired_on": "datetime64[us]",
        "acquisition_cost": "float64",
        "kind": "str",
        "settlement": "str",
        "receivable_amount": "float64",
        "receivable_due": "datetime64[us]",
        "referred_by": "str",
        "sector": "str",
        "post_code": "str",
        "employees": "float64",
        "is_member": "boolean",
        "birthday": "str",
    }
    assert str(customers.index.dtype) == "str"
    assert str(prospects["has_budget"].dtype) == "boolean"


def test_customers_are_indexed_by_their_ids_as_written():
    assert read("customers").frame.index.tolist() == ["007", "K1", "K2"]


@pytest.mark.parametrize("name", [name for name in TABLES if name != "customers"])
def test_other_tables_have_a_plain_index(name):
    pd.testing.assert_index_equal(read(name).frame.index, pd.RangeIndex(len(TABLES[name])))


def test_money_beside_the_log_keeps_all_its_digits():
    assert read("customers").frame.loc["007", "acquisition_cost"] == 12.345678


def test_a_gap_in_a_flag_stays_a_gap():
    assert read("prospects").frame["has_budget"].isna().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("written", "read_as"),
    [
        pytest.param(["1", "2.5", ""], [1.0, 2.5, None], id="numbers"),
        pytest.param(["01", "2", ""], ["01", "2", None], id="codes"),
        pytest.param(["0", "0.5", "-0.5"], [0.0, 0.5, -0.5], id="zeros"),
        pytest.param(["true", "False", ""], [True, False, None], id="flags"),
        pytest.param(["true", "no", "1"], ["true", "no", "1"], id="words"),
        pytest.param(["2024-06-01", "", "x"], ["2024-06-01", None, "x"], id="text"),
    ],
)
def test_an_attribute_is_what_all_of_it_can_be_read_as(written, read_as):
    frame = pd.DataFrame({"customer_id": ["a", "b", "c"], "attribute": written})
    column = read("customers", frame).frame["attribute"]
    assert [None if pd.isna(value) else value for value in column] == read_as


def test_an_infinite_attribute_is_refused():
    with pytest.raises(DataError, match="column 'size': not a number in 1 row"):
        read("customers", pd.DataFrame({"customer_id": ["a", "b"], "size": [1.0, float("inf")]}))


def test_an_attribute_may_have_any_name():
    names = ["self", "by", 'Net "size", 2024', "客户"]
    frame = pd.DataFrame({"customer_id": ["a"], **dict.fromkeys(names, "1")})
    assert read("customers", frame).frame.columns.tolist() == names


def test_further_columns_of_other_tables_are_not_kept():
    assert "colour" not in read("exits", TABLES["exits"].assign(colour="red")).frame


def test_a_column_that_gave_way_to_a_named_one_is_noted():
    frame = pd.DataFrame({"customer_id": ["a"], "region": ["old"], "area": ["North"]})
    table = read("customers", frame, columns={"region": "area"})
    assert table.frame["region"].tolist() == ["North"]
    assert table.notes.set_index("note").loc["column_left_out", "which"] == "region"


def test_columns_are_found_under_the_names_given():
    frame = TABLES["exits"].rename(columns={"customer_id": "Kunde", "reason": "Grund"})
    pd.testing.assert_frame_equal(
        read("exits", frame, columns={"customer_id": "Kunde", "reason": "Grund"}).frame, read("exits").frame
    )


def test_a_time_with_a_zone_falls_on_the_day_of_the_company():
    frame = pd.DataFrame({"customer_id": ["a"], "left_on": ["2024-06-30T23:30:00Z"], "reason": ["price"]})
    days = read("exits", frame, timezone="Europe/Berlin").frame["left_on"]
    assert days.tolist() == [pd.Timestamp("2024-07-01")]


def test_a_date_format_reads_other_dates():
    frame = pd.DataFrame({"customer_id": ["a"], "left_on": ["01/07/2024"], "reason": ["price"]})
    assert read("exits", frame, date_format="%d/%m/%Y").frame["left_on"].tolist() == [pd.Timestamp("2024-07-01")]


@pytest.mark.parametrize(
    ("name", "column", "bad", "rule"),
    [
        pytest.param("customers", "acquired_on", "2024-02-30", "the date is impossible", id="30-february"),
        pytest.param("customers", "acquisition_cost", "ten", "not a number", id="text-in-a-number"),
        pytest.param("customers", "acquisition_cost", "-1", "the number is negative", id="negative-cost"),
        pytest.param("customers", "customer_id", None, "nothing is given", id="no-id"),
        pytest.param("customers", "kind", "robot", "none of consumer, company", id="kind"),
        pytest.param("customers", "settlement", "barter", "none of cash, prepaid and credit", id="settlement"),
        pytest.param("customers", "receivable_due", "soon", "the date is impossible", id="due"),
        pytest.param("memberships", "started_on", None, "the date is missing", id="no-start"),
        pytest.param("prospects", "stage", " ", "nothing is given", id="no-stage"),
        pytest.param("prospects", "entered_stage_on", None, "the date is missing", id="no-day-of-a-stage"),
        pytest.param("prospects", "expected_value", "-0.01", "the number is negative", id="negative-value"),
        pytest.param("prospects", "has_need", "perhaps", "neither true nor false", id="unclear-flag"),
        pytest.param("prospects", "willingness", "very", "neither a number nor yes or no", id="unclear-degree"),
        pytest.param("market", "period", "2024-13", "the month cannot be read", id="month-13"),
        pytest.param("market", "period", None, "the month is missing", id="no-month"),
        pytest.param("market", "market_revenue", "-5", "the number is negative", id="negative-market"),
        pytest.param("market", "own_share_of_wallet", "40", "the number is no share", id="percent-as-a-share"),
        pytest.param("exits", "customer_id", "", "nothing is given", id="nobody-left"),
        pytest.param("exits", "left_on", "later", "the date is impossible", id="no-day-of-an-exit"),
        pytest.param("exits", "share_of_wallet", "1.5", "the number is no share", id="more-than-all"),
    ],
)
def test_a_broken_value_is_refused_by_its_rule(name, column, bad, rule):
    frame = TABLES[name].astype(object).head(2)
    good = frame[column].iloc[0] if column in frame else None
    with pytest.raises(DataError) as refused:
        read(name, frame.assign(**{column: [good, bad]}))
    assert f"{name} (DataFrame), column {column!r}: {rule}" in str(refused.value)
    assert "in 1 row(s)." in str(refused.value)


def test_all_problems_are_reported_at_once(tmp_path):
    path = tmp_path / "crm.csv"
    path.write_text(
        "customer_id,acquired_on,acquisition_cost,kind,referred_by\n"
        "a,2024-02-30,1,company,b\nb,2024-01-01,-3,robot,a\nc,2024-01-01,x,,c\nc,,,,\n"
    )
    with pytest.raises(DataError) as refused:
        read("customers", path, columns={"region": "Area"})
    message = str(refused.value)
    for problem in (
        "column 'Area': there is no such column",
        'region = "..." under [sources.customers.columns] in crm.toml',
        "column 'acquired_on': the date is impossible",
        "date_format under [sources.customers] in crm.toml",
        "column 'acquisition_cost': not a number in 1 row",
        "column 'acquisition_cost': the number is negative in 1 row",
        "column 'kind': none of",
        "column 'customer_id': the customer is there more than once in 2 row",
        "column 'referred_by': a customer was referred by themselves in 1 row",
        "column 'referred_by': customers were referred in a circle (a by b, b by a) in 2 row",
    ):
        assert problem in message
    assert message.count("To fix: ") == 8


def test_the_first_rows_are_shown_with_their_lines_in_the_file(tmp_path):
    path = tmp_path / "exits.csv"
    path.write_text("customer_id,left_on,reason\nz,2024-06-02,a\nq,2024-06-01,b\nz,2024-06-02,c\n")
    with pytest.raises(DataError) as refused:
        read("exits", path)
    assert [line.split() for line in str(refused.value).splitlines()[3:5]] == [
        ["2", "2024-06-02", "z"],
        ["4", "2024-06-02", "z"],
    ]


def test_required_columns_that_are_missing_are_all_named():
    with pytest.raises(DataError) as refused:
        read("prospects", pd.DataFrame({"who": ["a"]}))
    for name in ("prospect_id", "stage", "entered_stage_on"):
        assert f"column '{name}': there is no such column (there are 'who')" in str(refused.value)


def test_an_empty_table_is_refused():
    with pytest.raises(DataError, match="the table has no rows"):
        read("market", TABLES["market"].iloc[:0])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"source": 3}, "the rows of customers are a int"),
        ({"columns": {"colour": "x"}}, "columns: colour cannot be mapped"),
        ({"timezone": "Mars/North"}, "timezone is 'Mars/North'"),
        ({"as_of": "June"}, "as_of is 'June'"),
    ],
)
def test_a_wrong_parameter_is_a_settings_error(options, words):
    with pytest.raises(SettingsError, match=words):
        read("customers", **options)


# --- seen as of a date --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "as_of", "used"),
    [
        ("customers", "2023-12-31", 2),  # who has no day is seen
        ("memberships", "2024-02-28", 1),
        ("prospects", "2024-02-29", 2),
        ("market", "2024-02-28", 1),  # February 2024 has one day more
        ("exits", "2024-04-30", 1),
    ],
)
def test_rows_after_the_as_of_date_are_not_seen_and_counted(name, as_of, used):
    table = read(name, as_of=as_of)
    assert rows(table) == {"used": used, "after_as_of": len(TABLES[name]) - used}
    assert len(table.frame) == used


def test_a_month_is_seen_once_it_is_over():
    assert read("market", as_of="2024-02-29").frame["period"].tolist() == ["2024-01", "2024-02"]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_can_be_cut_at_an_earlier_date(name):
    later = read(name, as_of="2024-12-31").until("2024-02-29")
    at_once = read(name, as_of="2024-02-29")
    pd.testing.assert_frame_equal(later.frame, at_once.frame)
    pd.testing.assert_frame_equal(later.reconciliation, at_once.reconciliation)


def test_a_table_that_was_cut_shows_no_later_date():
    with pytest.raises(SettingsError, match="read it with a later as_of"):
        read("exits", as_of="2024-01-31").until("2024-02-29")


def test_a_table_that_is_read_passes_through():
    table = read("exits")
    assert read("exits", table) is table


def test_a_table_does_not_pass_for_another():
    with pytest.raises(SettingsError, match="this is the table of exits; customers are wanted"):
        read("customers", read("exits"))


def test_a_table_says_what_it_is():
    assert repr(read("exits", as_of="2024-04-30")) == (
        "SideTable(exits from DataFrame: 1 rows used of 2, as of 2024-04-30)"
    )


def test_contracts_are_fitted_as_they_are_read():
    memberships = pd.DataFrame(
        {
            "customer_id": [f"K{n}" for n in range(12)],
            "started_on": "2023-01-01",
            "ended_on": ["2023-02-01"] * 4 + ["2023-04-01"] * 2 + ["2024-03-01"] + [None] * 5,
            "renewal_period": "1 month",
        }
    )
    table = read("memberships", memberships, as_of="2023-12-31")
    plain, checked = (fit_sbg(memberships=frame, as_of="2023-12-31") for frame in (memberships, table.frame))
    assert checked.params == plain.params


# --- properties ---------------------------------------------------------------------------------------------------


@settings(max_examples=25)
@given(st.randoms(use_true_random=False), st.sampled_from(["customers", "memberships", "market", "exits"]))
def test_the_order_of_rows_changes_nothing(random, name):
    order = list(range(len(TABLES[name])))
    random.shuffle(order)
    pd.testing.assert_frame_equal(read(name, TABLES[name].iloc[order]).frame, read(name).frame)


@settings(max_examples=25)
@given(st.dates(pd.Timestamp("2022-12-01").date(), pd.Timestamp("2024-12-31").date()), st.sampled_from([*TABLES]))
def test_no_row_is_lost_on_any_date(day, name):
    table = read(name, as_of=day)
    assert table.reconciliation["rows"].sum() == len(TABLES[name])
    assert rows(table).get("used", 0) == len(table.frame)
