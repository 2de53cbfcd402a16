"""The notebooks as source: thin, clean, and each one runnable by itself."""

import json
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from crm_analysis.errors import BookError, DataError, SettingsError
from crm_analysis.report.contents import CHAPTERS, CONTRACT_CHAPTERS, SURVEY_CHAPTERS
from crm_analysis.report.notebooks import PLUMBING, notebook_parameters, run_notebook
from crm_analysis.report.pieces import FRAGMENT
from crm_analysis.report.render import render_body

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
KEYS = [chapter.key for chapter in CHAPTERS]
# Those of a company of contracts are run in test_contract_book, those of a survey in test_survey_story and _book.
NAMES = [Path(chapter.notebook).stem for chapter in (*CHAPTERS, *CONTRACT_CHAPTERS, *SURVEY_CHAPTERS)]


def read(key: str) -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOKS / f"{key}.ipynb", as_version=4)


def small(tmp_path: Path, *sources: str) -> Path:
    """A notebook with a parameters cell and these cells."""
    notebook = nbformat.v4.new_notebook(metadata=read("overview").metadata)
    parameters = nbformat.v4.new_code_cell('period = "2024-06"\nsettings = "crm.toml"\nworkspace = ""')
    parameters.metadata["tags"] = ["parameters"]
    notebook.cells = [parameters, *(nbformat.v4.new_code_cell(source) for source in sources)]
    file = tmp_path / "small.ipynb"
    nbformat.write(notebook, file)
    return file


def test_every_chapter_has_its_notebook_and_no_notebook_is_left_over():
    assert {file.stem for file in NOTEBOOKS.glob("*.ipynb")} == set(NAMES)


@pytest.mark.parametrize("key", NAMES)
def test_a_notebook_has_one_cell_of_parameters_with_the_common_ones(key):
    assert set(PLUMBING) <= set(notebook_parameters(NOTEBOOKS / f"{key}.ipynb"))


@pytest.mark.parametrize("key", NAMES)
def test_a_notebook_is_thin(key):
    for cell in read(key).cells:
        if cell.cell_type == "code":
            assert len(cell.source.splitlines()) <= 5
            assert not any(word in cell.source for word in ("def ", "for ", "while ", "lambda"))


@pytest.mark.parametrize("key", NAMES)
def test_a_notebook_names_the_kernel_every_environment_has(key):
    assert read(key).metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("key", KEYS)
def test_a_notebook_runs_and_shows_pieces(project, key):
    executed = project.executed
    pieces = [o for cell in executed[key].cells for o in cell.get("outputs", []) if FRAGMENT in o.get("data", {})]
    assert len(pieces) >= 6


@pytest.mark.parametrize("key", KEYS)
def test_a_notebook_writes_nothing_to_its_streams(project, key):
    executed = project.executed
    assert render_body(executed[key]).remarks == ""


@pytest.mark.parametrize("key", KEYS)
def test_a_piece_reads_well_in_jupyterlab_too(project, key):
    executed = project.executed
    for cell in executed[key].cells:
        for output in cell.get("outputs", []):
            if FRAGMENT in output.get("data", {}):
                assert "<style>" in output.data["text/html"]
                assert output.data["text/plain"].strip() or not output.data[FRAGMENT].strip()


def test_the_numbers_of_the_notebooks_agree_with_one_another(project):
    workspace = project.root / "data" / "processed" / "2024-06"
    facts = {key: json.loads((workspace / f"{key}.json").read_text())["facts"] for key in KEYS}
    assert facts["data_quality"]["rows_used"] + facts["data_quality"]["rows_set_aside"] < facts["data_quality"]["rows"]
    assert facts["customer_equity"]["lower"] < facts["customer_equity"]["equity"] < facts["customer_equity"]["upper"]
    assert str(round(facts["customer_equity"]["equity"] / 1000, 1)) in facts["overview"]["headline"]


def test_a_chapter_before_its_time_says_which_must_run_first(make_project, tmp_path):
    project = make_project()
    given = {"period": "2024-06", "settings": str(project.root / "crm.toml"), "workspace": str(tmp_path)}
    with pytest.raises(SettingsError, match="run the chapters"):
        run_notebook(NOTEBOOKS / "overview.ipynb", tmp_path / "out.ipynb", given)


def test_a_refusal_inside_a_notebook_keeps_its_kind(tmp_path):
    source = small(tmp_path, 'from crm_analysis.errors import DataError\nraise DataError("column x is missing")')
    with pytest.raises(DataError, match="column x is missing"):
        run_notebook(source, tmp_path / "out.ipynb", {})


def test_a_dead_kernel_is_a_failed_run(tmp_path):
    source = small(tmp_path, "import os\nos._exit(7)")
    with pytest.raises(BookError):
        run_notebook(source, tmp_path / "out.ipynb", {})


def test_two_notebooks_run_at_once_without_meeting(tmp_path):
    """Two periods, two companies: their kernels do not share a socket."""
    small(tmp_path, "import time\ntime.sleep(1)\nprint(period)")
    code = (
        "import sys\nfrom pathlib import Path\nfrom crm_analysis.report.notebooks import run_notebook\n"
        "place, name = Path(sys.argv[1]), sys.argv[2]\n"
        "run_notebook(place / 'small.ipynb', place / f'{name}.ipynb', {'period': name})"
    )
    runs = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), name]) for name in ("one", "two")]
    assert [run.wait() for run in runs] == [0, 0]
    for name in ("one", "two"):
        assert f"{name}\\n" in (tmp_path / f"{name}.ipynb").read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["one.ipynb", "small.ipynb", "two.ipynb"]


def test_a_notebook_that_did_not_run_to_its_end_is_not_rendered():
    with pytest.raises(BookError, match="did not run"):
        render_body(read("overview"))


def test_two_cells_of_parameters_are_refused(tmp_path):
    file = small(tmp_path, "x = 1")
    notebook = nbformat.read(file, as_version=4)
    notebook.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, file)
    with pytest.raises(SettingsError, match="2 cells are tagged"):
        notebook_parameters(file)
