"""Publishing under misfortune: whatever happens, the last good book stands."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from crm_analysis.errors import BookError, DataError, SettingsError
from crm_analysis.report import publish
from crm_analysis.report.book import build_book
from crm_analysis.report.contents import CHAPTERS
from crm_analysis.report.publish import only_run, published_books, staging, swap_in

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def standing(project) -> dict[str, bytes]:
    """Everything a reviewer or another tool could open."""
    return contents(project.root / "reports" / "2024-06") | contents(project.root / "data" / "processed" / "2024-06")


def unfinished(project) -> list[Path]:
    return [*(project.root / "reports").glob(".staging*"), *(project.root / "data" / "processed").glob(".staging*")]


@pytest.fixture(scope="module")
def published(twin):
    """A company with a book, whose inputs the tests below spoil and mend."""
    return twin


@pytest.fixture
def broken_notebooks(tmp_path: Path) -> Path:
    """The notebooks of the project, with a fault in the first one."""
    for chapter in CHAPTERS:
        notebook = nbformat.read(NOTEBOOKS / f"{chapter.key}.ipynb", as_version=4)
        if chapter.key == "data_quality":
            notebook.cells[3].source = 'raise RuntimeError("the disk is full")'
        nbformat.write(notebook, tmp_path / f"{chapter.key}.ipynb")
    return tmp_path


def command(project) -> list[str]:
    return [sys.executable, "-m", "crm_analysis.cli", "report", "--period", "2024-06", "--force"]


# --- failed runs ------------------------------------------------------------------------------------------------


def test_a_failed_chapter_leaves_the_last_book_and_keeps_its_notebook(published, broken_notebooks):
    before = standing(published)
    settings = published.root / "crm.toml"
    text = settings.read_text()
    try:
        settings.write_text(text.replace(str(NOTEBOOKS), str(broken_notebooks)))
        with pytest.raises(BookError, match="the disk is full") as failed:
            published.build(force=True)
    finally:
        settings.write_text(text)
    assert standing(published) == before
    [kept] = (published.root / "data" / "processed" / ".failed" / "2024-06").iterdir()
    assert "the disk is full" in kept.read_text()
    assert str(kept) in failed.value.__notes__[0]
    assert unfinished(published) == []


def test_refused_data_leaves_the_last_book_and_ends_with_three(published):
    before = standing(published)
    text = published.log.read_text()
    try:
        published.log.write_text(text + "K0001,30 February,15.00,Z1\n")
        with pytest.raises(DataError, match="30 February"):
            published.build(force=True)
        done = subprocess.run(command(published), cwd=published.root, capture_output=True, text=True)
        assert done.returncode == 3
        assert "orders.csv, column 'Date'" in done.stderr
        assert done.stdout == ""
    finally:
        published.log.write_text(text)
    assert standing(published) == before


def test_settings_that_are_not_in_the_file_are_refused(published):
    settings = published.settings
    other = settings.model_copy(update={"company": settings.company.model_copy(update={"name": "Other"})})
    with pytest.raises(SettingsError, match="other settings than those given"):
        build_book("2024-06", settings=other)


def test_a_damaged_book_is_not_called_published(published):
    """Its page no longer is what the manifest says; it would be built again."""
    page = published.root / "reports" / "2024-06" / "index.html"
    text = page.read_text()
    reached = []
    try:
        page.write_text(text + "changed")
        with pytest.raises(InterruptedError):
            published.build(progress=lambda words: (reached.append(words), (_ for _ in ()).throw(InterruptedError())))
    finally:
        page.write_text(text)
    assert reached
    assert published.build().already_published


def test_a_log_that_is_not_there_is_refused(make_project):
    empty = make_project()
    empty.log.unlink()
    with pytest.raises(DataError, match="there is no such file"):
        empty.build()


def test_a_second_run_is_refused_and_a_killed_one_leaves_the_last_book(published):
    before = standing(published)
    run = subprocess.Popen(
        [*command(published), "-p", "top_customers=7"],
        cwd=published.root, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, start_new_session=True,
    )  # fmt: skip
    assert run.stderr is not None
    for line in run.stderr:
        if "Chapter 2" in line:
            break
    # Two runs cannot meet: while the first is at it, a second one is refused.
    with pytest.raises(BookError, match="another run is building 2024-06"):
        published.build()
    os.killpg(run.pid, signal.SIGKILL)
    run.wait()
    run.stderr.close()
    assert standing(published) == before
    assert unfinished(published)
    assert published.build().already_published
    published.build(force=True, parameters={"top_customers": 4})
    assert unfinished(published) == []
    # The book that was replaced is kept.
    previous = published.root / "reports" / ".previous" / "2024-06"
    assert json.loads((previous / "manifest.json").read_text())["parameters"] == {}


def test_an_interrupted_run_stops_its_kernel_and_says_that_nothing_was_published(published):
    before = standing(published)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job would have it ignored
    run = subprocess.Popen(
        [*command(published), "-p", "top_customers=6"],
        cwd=published.root, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert run.stderr is not None
    for line in run.stderr:
        if "Chapter 1" in line:
            break
    kernels: list[int] = []
    while not kernels and run.poll() is None:
        time.sleep(0.2)
        tasks = Path(f"/proc/{run.pid}/task").glob("*/children")
        kernels = [int(pid) for task in tasks for pid in task.read_text().split()]
    os.killpg(run.pid, signal.SIGINT)
    told, said = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "Interrupted; nothing was published." in said
    assert told == ""
    assert kernels
    assert not any(Path(f"/proc/{pid}").exists() for pid in kernels)
    assert standing(published) == before
    assert unfinished(published) == []


# --- two at once ------------------------------------------------------------------------------------------------


def test_a_second_run_of_the_period_is_refused_while_the_first_is_at_it(published):
    with only_run(published.root / "reports", "2024-06"), pytest.raises(BookError, match="another run is building"):
        published.build(force=True)


def test_another_period_is_not_held(published):
    with only_run(published.root / "reports", "2024-05"), only_run(published.root / "reports", "2024-06"):
        pass


# --- the one exchange -------------------------------------------------------------------------------------------


def folder_with(place: Path, text: str) -> Path:
    place.mkdir()
    (place / "page").write_text(text)
    return place


@pytest.mark.parametrize("kernel_exchanges", [True, False])
def test_an_exchange_swaps_the_folders(tmp_path, monkeypatch, kernel_exchanges):
    if not kernel_exchanges:
        monkeypatch.setattr(publish, "_exchange", lambda one, other: False)
    new, old = folder_with(tmp_path / "new", "new"), folder_with(tmp_path / "book", "old")
    swap_in(new, old)
    assert (tmp_path / "book" / "page").read_text() == "new"
    assert (tmp_path / "new" / "page").read_text() == "old"


def test_there_is_a_book_at_every_moment_of_an_exchange(tmp_path):
    """A reader that looks without pause, in another process, never finds the folder gone."""
    target = folder_with(tmp_path / "book", "0")
    code = (
        "import sys, time\nfrom pathlib import Path\npage = Path(sys.argv[1]) / 'page'\nend = time.time() + 3\n"
        "print('ready', flush=True)\nlooks = 0\n"
        "while time.time() < end:\n    page.read_text()\n    looks += 1\nprint(looks)"
    )
    reader = subprocess.Popen([sys.executable, "-c", code, str(target)], stdout=subprocess.PIPE, text=True)
    assert reader.stdout is not None
    assert reader.stdout.readline() == "ready\n"
    end = time.time() + 2
    turn = 0
    while time.time() < end:
        turn += 1
        staged = folder_with(tmp_path / f"staged-{turn}", str(turn))
        swap_in(staged, target)
    looks, _ = reader.communicate()
    assert reader.returncode == 0
    assert int(looks) > 100
    assert turn > 50


def test_left_overs_of_a_killed_run_are_removed(tmp_path):
    folder_with(tmp_path / ".staging-2024-06-99999", "left over")
    other = folder_with(tmp_path / ".staging-2024-05-99999", "of another period")
    with staging(tmp_path, "2024-06") as place:
        assert [file.name for file in tmp_path.iterdir()] == sorted([other.name, place.name]) or len(
            list(tmp_path.iterdir())
        ) == 2
    assert [file.name for file in tmp_path.iterdir()] == [other.name]


def test_published_books_are_listed_newest_first_and_nothing_else(tmp_path):
    told = json.dumps(dict.fromkeys(["finished", "headline", "status_words", "inputs", "pages"], ""))
    for period in ("2023-12", "2024-02", "2024-01"):
        (tmp_path / period).mkdir()
        (tmp_path / period / "manifest.json").write_text(told)
    (tmp_path / "2024-02-copy").mkdir()
    (tmp_path / "2024-02-copy" / "manifest.json").write_text(told)
    (tmp_path / "2024-03").mkdir()
    (tmp_path / "2024-03" / "manifest.json").write_text("{}")
    (tmp_path / ".previous" / "2022-01").mkdir(parents=True)
    (tmp_path / ".previous" / "2022-01" / "manifest.json").write_text("{}")
    assert [book.period for book in published_books(tmp_path)] == ["2024-02", "2024-01", "2023-12"]
