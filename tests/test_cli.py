"""The command line: exit codes, where words go, and what the last line says."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

PROJECT = Path(__file__).parents[1]


def run(*arguments: str, folder: Path = PROJECT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crm_analysis.cli", *arguments],
        cwd=folder, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sample log and a short-sighted settings file."""
    made = tmp_path_factory.mktemp("cli")
    (made / "crm.toml").write_text(
        '[sources.transactions]\npath = "data/raw/cdnow/transactions.csv"\n[forecast]\ndraws = 100\n'
    )
    assert run("sample", folder=made).returncode == 0
    return made


def test_sample_writes_the_log_and_names_it_on_the_last_line(folder):
    done = run("sample", folder=folder)
    assert done.stdout == "data/raw/cdnow/transactions.csv\n"
    assert len((folder / done.stdout.strip()).read_text().splitlines()) == 69_660


def test_validate_shows_the_accounts_on_standard_error(folder):
    done = run("validate", folder=folder)
    assert done.returncode == 0
    assert "69,659" in done.stderr
    assert done.stdout.strip().endswith("transactions.csv")


def test_validate_names_the_margins_that_no_line_asks_for(tmp_path):
    log = "customer_id,order_date,amount,category\na,2024-06-01,9.50,toys\n"
    (tmp_path / "log.csv").write_text(log)
    money = '[money]\nmargin_from = "category"\n[money.margins]\ntoys = 0.4\ntoy = 0.3\n'
    (tmp_path / "crm.toml").write_text(f'[sources.transactions]\npath = "log.csv"\n{money}')
    assert "money.margins names what no used line shows: toy\n" in run("validate", folder=tmp_path).stderr


def with_a_survey(place: Path, marks: str) -> Path:
    (place / "log.csv").write_text("customer_id,order_date,amount\na,2024-06-01,9.50\n")
    (place / "answers.csv").write_text(f"respondent_id,wave,Q1\n{marks}")
    (place / "crm.toml").write_text(
        '[sources.transactions]\npath = "log.csv"\n[sources.survey]\npath = "answers.csv"\n'
        '[survey]\noverall_satisfaction = "Q1"\n'
    )
    return place


def test_validate_shows_what_becomes_of_the_survey(tmp_path):
    done = run("validate", "--period", "2024-06", folder=with_a_survey(tmp_path, "r,2024-06,9\ns,2024-07,8\n"))
    assert done.returncode == 0
    lines = {" ".join(line.strip("│ ").replace("│", " ").split()) for line in done.stderr.splitlines()}
    assert "in a wave that is not over at the as-of date 1" in lines
    assert "worth knowing: waves with fewer than 30 respondents: figures are flagged (2024-06) 1" in lines
    assert done.stdout.count("\n") == 1
    assert done.stdout.endswith("log.csv\n")


def test_validate_refuses_a_survey_that_breaks_rules(tmp_path):
    done = run("validate", folder=with_a_survey(tmp_path, "r,2024-06,11\n"))
    assert done.returncode == 3
    assert "the mark is off the scale of 1 to 10 in 1 row(s)" in done.stderr


@pytest.fixture(scope="module")
def valued(folder: Path) -> Path:
    done = run(
        "value", "--transactions", "data/raw/cdnow/transactions.csv",
        "--as-of", "1998-06-30", "--out", "out/values.csv",
        folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == "out/values.csv\n"
    assert "17% more than expected" in done.stderr
    return folder / "out" / "values.csv"


def test_value_writes_every_customer(valued):
    frame = pd.read_csv(valued, dtype={"customer_id": str})
    assert len(frame) == 23_570
    assert frame["customer_id"].iloc[0] == "00001"
    assert frame["residual_value"].sum() == pytest.approx(420_115, rel=1e-4)


def test_value_leaves_nothing_unfinished(valued):
    assert [file.name for file in valued.parent.iterdir()] == ["values.csv"]


def test_an_interrupted_valuation_ends_with_one_and_leaves_nothing(folder, tmp_path):
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would have it ignored
    (temporary := tmp_path / "temporary").mkdir()
    value = subprocess.Popen(
        [sys.executable, "-m", "crm_analysis.cli", "value", "--as-of", "1998-06-30", "--out", f"{tmp_path}/out/"],
        cwd=folder, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env=os.environ | {"COLUMNS": "200", "TMPDIR": str(temporary)},
    )  # fmt: skip
    assert value.stderr is not None
    for line in value.stderr:
        if "Testing forecasts of" in line:
            break
    value.send_signal(signal.SIGINT)
    told, said = value.communicate(timeout=60)
    assert value.returncode == 1
    assert "Interrupted" in said
    assert told == ""
    assert list(temporary.iterdir()) == []
    assert not (tmp_path / "out").exists()


def test_status_says_when_nothing_is_published(folder):
    done = run("status", folder=folder)
    assert done.returncode == 0
    assert "No book is published yet" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["report"], "Missing option '--period'"),
        (["report", "--period", "1998"], "YYYY-MM"),
        (["report", "--period", "1998-06", "--settings", "no.toml"], "is not there"),
        (["report", "--period", "1998-06", "-p", "top"], "NAME=VALUE"),
        (["value", "--transactions", "x.csv", "--as-of", "30.6.1998", "--out", "v.csv"], "YYYY-MM-DD"),
        (["value", "--transactions", "x.csv", "--as-of", "1998-06-30", "--out", "v.xls"], ".parquet or .csv"),
        (["publish"], "No such command"),
    ],
)
def test_wrong_usage_ends_with_two_and_says_why(folder, arguments, words):
    done = run(*arguments, folder=folder)
    assert done.returncode == 2
    assert words in done.stderr
    assert done.stdout == ""


def test_refused_data_ends_with_three_and_names_the_rows(folder):
    (folder / "bad.csv").write_text("customer_id,order_date,amount\nA,1998-02-31,5\nB,1998-03-01,five\n")
    done = run("value", "--transactions", "bad.csv", "--as-of", "1998-06-30", "--out", "v.csv", folder=folder)
    assert done.returncode == 3
    for words in ("bad.csv, column 'order_date'", "1998-02-31", "bad.csv, column 'amount'", "five", "To fix:"):
        assert words in done.stderr
    assert not (folder / "v.csv").exists()


def test_no_escape_codes_where_there_is_no_terminal(folder):
    assert "\x1b" not in run("validate", folder=folder).stderr


def test_help_names_the_commands():
    done = run("--help")
    assert all(command in done.stdout for command in ("report", "validate", "value", "sample", "status"))


def test_the_command_answers_before_the_heavy_packages_are_there():
    """Help and wrong usage are for people at a prompt: they wait for neither pandas nor an engine."""
    heavy = ["numpy", "pandas", "ibis", "duckdb", "scipy", "matplotlib"]
    code = f"import sys, crm_analysis.cli; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# --- a company of contracts ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two contracts and no purchase log."""
    made = tmp_path_factory.mktemp("club")
    rows = ["customer_id,started_on,ended_on,renewal_period", "A,2024-01-10,,1 month", "B,2024-02-01,2024-09-01,1 year"]
    (made / "members.csv").write_text("\n".join(rows) + "\n")
    (made / "crm.toml").write_text(
        '[sources.memberships]\npath = "members.csv"\n[money]\nfee = 30\n'
        f"[report]\nnotebooks = '{PROJECT / 'notebooks'}'\n"
    )
    return made


def test_validate_shows_what_becomes_of_contracts(club):
    done = run("validate", "--period", "2024-06", folder=club)
    assert done.returncode == 0, done.stderr
    assert "ends after the as-of date, so it is running" in done.stderr
    assert done.stdout.strip().endswith("members.csv")


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(("value", "--as-of", "2024-06-30", "--out", "out.csv"), id="value"),
        pytest.param(("report", "--period", "2024-06", "--by", "region"), id="by"),
    ],
)
def test_what_needs_a_purchase_log_is_wrong_usage_of_contracts(club, arguments):
    done = run(*arguments, folder=club)
    assert done.returncode == 2, done.stderr
    assert "needs a purchase log" in done.stderr
