"""The parts of a company as one run: they add up, and what ends one ends no other."""

import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.data.company_log import open_transactions, parts_of_log
from crm_analysis.errors import BookError, DataError, SettingsError
from crm_analysis.periods import Month
from crm_analysis.report import side_by_side
from crm_analysis.report.book import build_book
from crm_analysis.report.manifest import input_hashes
from crm_analysis.report.many_books import build_many_books, memory_of
from crm_analysis.report.parts import BookPart, parts_of, slug
from crm_analysis.report.pseudonyms import KEY_FILE, company_key
from crm_analysis.report.publish import only_run
from crm_analysis.report.side_by_side import Job, admitted, run_side_by_side
from crm_analysis.settings import load_settings

PERIOD = "2024-06"

# --- slugs ------------------------------------------------------------------------------------------------------

AWKWARD = [
    "", ".", "..", "../..", "/", "a/b", "a\\b", "-", "--", "%2e%2e", "index.html", "con", "2024-06", "a\x00b", "a\nb",
    "华东", "华南", "North", "north", "NORTH", " north", "ß", "ss", "é", "e\u0301", "x" * 500, "x" * 501,
]  # fmt: skip
ANY_TEXT = st.one_of(st.text(), st.sampled_from(AWKWARD), st.sampled_from(AWKWARD).map(slug))


@given(ANY_TEXT)
def test_a_slug_is_a_plain_name_of_a_folder(text):
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug(text))
    assert len(slug(text)) <= 51
    assert not re.fullmatch(r"\d{4}-\d{2}", slug(text))


@given(ANY_TEXT, ANY_TEXT)
def test_two_texts_never_share_a_slug(one, other):
    assert (slug(one) == slug(other)) == (one == other)


def test_awkward_texts_have_slugs_of_their_own():
    texts = {*AWKWARD, *map(slug, AWKWARD)}
    assert len(set(map(slug, texts))) == len(texts)


# --- who may start ----------------------------------------------------------------------------------------------

NEEDS = st.lists(st.floats(1, 100), max_size=8)


@given(NEEDS, NEEDS, st.floats(1, 300), st.integers(1, 8))
def test_the_budget_holds_unless_one_runs_alone(waiting, running, budget, most):
    chosen = admitted(waiting, running, budget=budget, most=most)
    together = [*running, *(waiting[place] for place in chosen)]
    assert len(set(chosen)) == len(chosen)
    if chosen:
        assert len(together) <= most
        assert sum(together) <= budget or len(together) == 1


@given(NEEDS.filter(bool), st.floats(1, 300), st.integers(1, 8))
def test_something_always_runs_and_the_first_in_order_is_first(waiting, budget, most):
    assert admitted(waiting, [], budget=budget, most=most)[0] == 0


def test_a_small_part_passes_one_that_does_not_fit_and_a_large_one_waits_until_it_is_alone():
    assert admitted([50, 10], [60], budget=100, most=4) == [1]
    assert admitted([500], [10], budget=100, most=4) == []
    assert admitted([500, 10], [], budget=100, most=4) == [0]


# --- the parts of a log -----------------------------------------------------------------------------------------


def orders(**regions: int) -> pd.DataFrame:
    """Simulated orders: so many rows with each region, two days apart."""
    names = [name.strip("_") for name, rows in regions.items() for _ in range(rows)]
    numbers = range(len(names))
    return pd.DataFrame(
        {
            "Customer ID": [f"K{number % 3}" for number in numbers],
            "Date": (pd.Timestamp("2024-01-01") + pd.to_timedelta([2 * number for number in numbers], "D")).strftime(
                "%Y-%m-%d"
            ),
            "Total": [10.25 + number for number in numbers],
            "Order": [f"R{number}" for number in numbers],
            "region": names,
        }
    )


@pytest.fixture
def small(make_project):
    """A company with three regions, one of them written with a blank, and rows that have none."""
    frame = orders(North=5, South=3, West=2, _=2)
    frame["region"] = frame["region"].replace({"West": " West "})
    frame.loc[0, "Total"] = -4.5
    return make_project(orders=frame)


def test_rows_and_money_of_the_parts_add_up_to_the_whole_log(small):
    parts = parts_of_log(small.settings, "region")
    assert {part.value: part.rows for part in parts} == {"North": 5, "South": 3, "West": 2, "": 2}
    whole = open_transactions(small.settings).reconciliation
    assert sum(part.rows for part in parts) == whole["rows"].sum()
    assert sum((part.money for part in parts), Decimal()) == whole["money"].sum()
    [all_of_it] = parts_of_log(small.settings, "")
    assert (all_of_it.rows, all_of_it.money) == (whole["rows"].sum(), whole["money"].sum())


def test_a_part_sees_its_own_rows_and_counts_them_as_the_source_does(small):
    for part in parts_of(small.settings, "region"):
        log = open_transactions(part.settings)
        assert log.log.rows == part.rows
        assert log.reconciliation["money"].sum() == part.money
    lines = small.log.read_text().splitlines()
    row = next(number for number, line in enumerate(lines) if "South" in line)
    lines[row] = lines[row].replace(lines[row].split(",")[2], "a lot")
    small.log.write_text("\n".join(lines) + "\n")
    by_name = {part.value: part for part in parts_of(small.settings, "region")}
    assert open_transactions(by_name["North"].settings).log.rows == 5
    with pytest.raises(DataError, match=rf"region = South.*not a number in 1 row(?s:.*)\n{row + 1} "):
        open_transactions(by_name["South"].settings)


@pytest.mark.parametrize("copy_rows", [0, 6, 100])
def test_a_part_of_a_parquet_file_is_the_same_copied_or_read_in_place(small, copy_rows):
    frame = pd.read_csv(small.log)
    frame.to_parquet(small.log.with_suffix(".parquet"))
    settings = small.root / "crm.toml"
    text = settings.read_text().replace("orders.csv", "orders.parquet") + f"\n[engine]\ncopy_rows = {copy_rows}\n"
    settings.write_text(text)
    for part in parts_of(small.settings, "region"):
        log = open_transactions(part.settings)
        assert (log.log.rows, log.is_copied) == (part.rows, part.rows <= copy_rows)


def test_a_column_that_is_not_there_is_refused_with_those_that_are(small):
    with pytest.raises(SettingsError, match=r"no column 'Region'.*'region'"):
        parts_of(small.settings, "Region")


def test_a_column_of_customers_is_no_column_of_parts(make_project):
    frame = orders(North=1100)
    frame["region"] = frame["Order"]
    with pytest.raises(SettingsError, match="more than 1,000 values"):
        parts_of_log(make_project(orders=frame).settings, "region")


def test_a_part_has_settings_of_its_own_that_follow_those_of_the_company(small):
    north = next(part for part in parts_of(small.settings, "region") if part.value == "North")
    assert north.settings == load_settings(north.settings_file)
    assert north.settings.company.name.endswith(": North")
    assert north.settings.root == small.root
    assert north.settings.report.reports == f"reports/region/{slug('North')}"
    assert north.settings.sources.transactions.only == {"region": "North"}
    assert north.settings.money == small.settings.money
    settings = small.root / "crm.toml"
    settings.write_text(settings.read_text().replace("margin = 0.4", "margin = 0.5"))
    assert load_settings(north.settings_file).money.margin == 0.5


def test_values_no_settings_file_was_meant_for_come_through(make_project):
    values = ['say "no"', "a\\b", "华东", "tab\there", "..", "/", "é", "del\x7fete", "😀"]
    frame = orders(North=len(values))
    frame["region"] = values
    parts = parts_of(make_project(orders=frame).settings, "region")
    assert {part.settings.sources.transactions.only["region"] for part in parts} == set(values)
    assert all(open_transactions(part.settings).log.rows == 1 for part in parts)


def test_two_parts_do_not_count_as_the_same_inputs(small):
    hashes = [input_hashes(part.settings, Month.parse(PERIOD), {}) for part in parts_of(small.settings, "region")]
    assert len({one["settings"] for one in hashes}) == 4


def test_a_customer_has_the_same_code_in_every_part(small, monkeypatch):
    monkeypatch.delenv("CRM_ANALYSIS_KEY", raising=False)
    parts = parts_of(small.settings, "region")
    keys = {company_key(part.settings.path(part.settings.report.processed)) for part in parts}
    assert keys == {company_key(small.root / "data" / "processed")}
    assert all((part.settings_file.parent / KEY_FILE).stat().st_mode & 0o77 == 0 for part in parts)


# --- running them -----------------------------------------------------------------------------------------------

# Stands for the process of a book: says what it is told to, leaves a staging place when it is killed.
FAKE = """
import json, os, pathlib, signal, sys, time
how, order = sys.argv[1], json.loads(sys.argv[2])
signal.signal(signal.SIGINT, signal.default_int_handler)
def tell(**what): print(json.dumps(what), flush=True)
place = pathlib.Path(order["settings"]).parent
stage = place / f".staging-{order['period']}-{os.getpid()}"
stage.mkdir()
(place / "pid").write_text(str(os.getpid()))
began = time.time()
tell(progress="at work")
print("no JSON, and no matter")
if how == "sleep":
    time.sleep(60)
if how == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    tell(progress="deaf")
    time.sleep(60)
if how == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
if how == "crash":
    sys.exit("there is no more paper")
stage.rmdir()
if how == "refuse":
    tell(failed="orders.csv: wrong in 3 rows.\\nK1", exit_code=3)
    sys.exit(3)
if how == "fail":
    tell(failed="overview.ipynb: it broke", exit_code=1)
    sys.exit(1)
time.sleep(0.2)
(place / "times").write_text(json.dumps([began, time.time()]))
tell(published="42 of equity", already=False)
"""


def fakes(**how: str) -> Callable[[BookPart, dict], Sequence[str]]:
    """Return commands that do what is said of each part, and publish where nothing is."""
    return lambda part, order: [sys.executable, "-c", FAKE, how.get(part.value or "_", "publish"), json.dumps(order)]


def run(project, heard: list[str] | None = None, **how: str):
    return build_many_books(
        PERIOD,
        companies=[project.settings],
        by="region",
        command_of=fakes(**how),
        progress=None if heard is None else heard.append,
    )


def staging_places(root: Path) -> list[Path]:
    return list(root.rglob(".staging-*"))


def is_there(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_failing_part_stops_no_other_and_each_says_why(small):
    heard: list[str] = []
    made = run(small, heard, North="refuse", South="kill", West="crash")
    told = {outcome.title: (outcome.status, outcome.exit_code, outcome.first_line) for outcome in made.outcomes}
    assert told["no region"] == ("published", 0, "42 of equity")
    assert told["North"] == ("refused", 3, "orders.csv: wrong in 3 rows.")
    assert told["South"][:2] == ("failed", 1)
    assert "SIGKILL" in told["South"][2]
    assert "memory" in told["South"][2]
    assert told["West"] == ("failed", 1, "the process ended without a word: there is no more paper")
    assert list(told) == ["North", "South", "no region", "West"]  # as they are large, whichever ended first
    assert "North: at work" in heard
    assert staging_places(small.root) == []


@pytest.mark.parametrize(
    ("how", "code"),
    [({}, 0), ({"North": "refuse"}, 3), ({"North": "refuse", "West": "fail"}, 1), ({"South": "kill"}, 1)],
)
def test_the_exit_code_is_that_of_the_failure_that_counts_most(small, how, code):
    assert run(small, **how).exit_code == code


def test_the_summary_says_that_the_parts_add_up_and_which_rows_have_no_value(small):
    words = " ".join(run(small).sentences)
    assert "4 parts by region; together they have all 12 rows of the log and all of its money, €174.25." in words
    assert "2 rows without a value are the part “no region”" in words


def test_the_index_lists_every_part_and_says_which_is_missing(small):
    made = run(small, North="refuse")
    [index] = made.indexes
    html = index.read_text(encoding="utf-8")
    assert index == small.root / "reports" / "region" / "index.html"
    for words in ("June 2024", "North", "South", "West", "no region", "The data was refused", "12 rows"):
        assert words in html
    assert "wrong in 3 rows" not in html  # what is said of refused rows may name customers
    assert 'href="region/index.html"' in (small.root / "reports" / "index.html").read_text(encoding="utf-8")


def test_parts_beyond_the_budget_run_alone_and_are_told(small):
    settings = small.root / "crm.toml"
    settings.write_text(settings.read_text().replace("[report]", '[report]\nmemory = "100 MB"'))
    made = run(small)
    assert sum("runs alone" in sentence for sentence in made.sentences) == 4
    times = sorted(json.loads(file.read_text()) for file in small.root.rglob("times"))
    assert len(times) == 4
    assert all(earlier[1] <= later[0] for earlier, later in itertools.pairwise(times))


def test_parts_that_fit_run_side_by_side(small, monkeypatch):
    monkeypatch.setattr("crm_analysis.report.many_books.cores", lambda: 4)
    settings = small.root / "crm.toml"
    settings.write_text(settings.read_text().replace("[report]", '[report]\nmemory = "100 GB"'))
    run(small)
    times = [json.loads(file.read_text()) for file in small.root.rglob("times")]
    assert max(began for began, _ended in times) < min(ended for _began, ended in times)


def test_a_larger_part_is_thought_to_need_more_but_no_more_than_the_engine_may_take_to_read(small):
    part = parts_of(small.settings, "region")[0]
    assert memory_of(part, 10) < memory_of(part, 1000) <= memory_of(part, 10**9)
    assert memory_of(part, 10**9) == memory_of(part, 10**10)


@pytest.mark.parametrize("how", ["sleep", "stubborn"])
def test_an_interrupt_stops_every_part_and_leaves_nothing(small, monkeypatch, how):
    monkeypatch.setattr(side_by_side, "PATIENCE", 1.0)
    wanted = "deaf" if how == "stubborn" else "at work"

    def interrupt(words: str) -> None:
        if wanted in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_many_books(
            PERIOD,
            companies=[small.settings],
            by="region",
            command_of=fakes(North=how, South=how, West=how, _=how),
            progress=interrupt,
        )
    pids = [int(file.read_text()) for file in small.root.rglob("pid")]
    assert pids
    assert not any(map(is_there, pids))
    assert staging_places(small.root) == []


def test_a_second_run_of_the_same_parts_is_refused_while_the_first_is_at_it(small):
    with only_run(small.root / "reports" / "region", PERIOD), pytest.raises(BookError, match="another run is building"):
        run(small)


def test_a_process_keeps_to_its_share_of_the_processors():
    told = []
    code = "import json, os; print(json.dumps({'threads': os.environ['OMP_NUM_THREADS']}))"
    jobs = [Job(str(number), [sys.executable, "-c", code], 1.0) for number in range(2)]
    run_side_by_side(jobs, budget=10, most=2, heard=print, ended=lambda _position, end: told.append(end.told))
    share = os.environ.get("OMP_NUM_THREADS", str(max(1, side_by_side.cores() // 2)))
    assert told == [{"threads": share}] * 2


# --- several companies ------------------------------------------------------------------------------------------


def test_several_companies_are_one_run_and_one_that_cannot_be_read_stops_no_other(small, make_project):
    lost = make_project()
    lost.log.unlink()
    made = build_many_books(PERIOD, companies=[small.settings, lost.settings], command_of=fakes())
    assert sorted(outcome.status for outcome in made.outcomes) == ["published", "refused"]
    assert made.exit_code == 3
    assert made.indexes == (small.root / "reports" / "index.html",)


def test_companies_that_publish_to_the_same_folder_are_refused(small):
    (small.root / "other.toml").write_text((small.root / "crm.toml").read_text())
    companies = [small.settings, load_settings(small.root / "other.toml")]
    with pytest.raises(SettingsError, match=r"crm\.toml and .*other\.toml both publish to"):
        build_many_books(PERIOD, companies=companies, by="region")


def test_a_month_that_is_not_over_is_refused_before_anything_runs(small):
    with pytest.raises(SettingsError, match="is not over yet"):
        build_many_books("2999-01", companies=[small.settings], by="region")


@pytest.mark.parametrize(
    ("more", "words"), [(["--by", "Region"], "there is no column 'Region'"), (["-p", "tops=3"], "parameter 'tops'")]
)
def test_what_concerns_every_part_ends_the_command_with_two(small, more, words):
    done = command(small, *more)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr


# --- for real ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def real(make_project, simulated_orders):
    """A company with two regions, and rows of no region that cannot be read; and what the command said of it."""
    frames = [simulated_orders(150, seed).assign(region=name) for seed, name in ((1, "North"), (2, "south"))]
    frame = pd.concat(frames, ignore_index=True)
    wrong = frame.iloc[:2].assign(region="", Date="30 February")
    made = make_project(orders=pd.concat([frame, wrong], ignore_index=True))
    return made, command(made)


def command(project, *more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "crm_analysis.cli", "report", "--period", PERIOD, "--by", "region", *more],
        cwd=project.root, capture_output=True, text=True, env=os.environ | {"COLUMNS": "120"},
    )  # fmt: skip


def test_the_parts_of_a_company_are_books_and_the_refused_one_is_told(real):
    project, done = real
    assert done.returncode == 3, done.stderr
    assert done.stdout == f"{project.root / 'reports' / 'region' / 'index.html'}\n"
    for name in ("North", "south"):
        manifest = json.loads((project.root / "reports" / "region" / slug(name) / PERIOD / "manifest.json").read_text())
        assert manifest["company"].endswith(f": {name}")
        assert manifest["settings"]["sources"]["transactions"]["only"] == {"region": name}
        assert manifest["headline"] in (project.root / "reports" / "region" / "index.html").read_text()
    for words in ("North: Chapter 1 of 5", "refused", "impossible or cannot be read", "2 rows without a value"):
        assert words in done.stderr
    assert "changed during the run" not in done.stderr  # rows and money of the books are those that were counted
    assert staging_places(project.root) == []


def test_a_second_run_finds_the_books_published_and_starts_nothing_for_them(real):
    project, _done = real
    again = command(project)
    assert again.returncode == 3
    assert again.stderr.count("already published") == 2
    assert "North: Chapter" not in again.stderr
    assert "south: Chapter" not in again.stderr


def test_a_part_can_be_built_alone(real):
    project, _done = real
    file = project.root / "data" / "processed" / "region" / slug("North") / "part.toml"
    assert build_book(PERIOD, settings=load_settings(file)).already_published


def test_status_knows_the_parts(real):
    project, _done = real
    done = subprocess.run(
        [sys.executable, "-m", "crm_analysis.cli", "status"],
        cwd=project.root, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"},
    )  # fmt: skip
    assert ": North" in done.stderr
    assert ": south" in done.stderr
