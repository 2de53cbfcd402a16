"""The method notebook: clean source, a run without a word of warning, and sentences that agree with the outputs."""

import re
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

from crm_analysis.report.notebooks import notebook_parameters, run_notebook

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "method" / "compare_models.ipynb"
SOURCE = nbformat.read(NOTEBOOK, as_version=4).cells
CODE = [cell for cell in SOURCE if cell.cell_type == "code"]
DRAWS = "plots.plot_"


@pytest.fixture(scope="module")
def executed(tmp_path_factory) -> list[nbformat.NotebookNode]:
    """The cells after a run from start to end; any error in a cell raises here."""
    return run_notebook(NOTEBOOK, tmp_path_factory.mktemp("method") / NOTEBOOK.name, {}).cells


def printed(cell: nbformat.NotebookNode) -> str:
    return "\n".join(output.data.get("text/plain", "") for output in cell.outputs if "data" in output)


def claims(executed: list[nbformat.NotebookNode]) -> list[tuple[str, str]]:
    """Each number in bold with the output of the code cell right above it."""
    found, above = [], ""
    for cell in executed:
        if cell.cell_type == "code":
            above = printed(cell)
        else:
            found += [(number, above) for number in re.findall(r"\*\*(.+?)\*\*", cell.source)]
    return found


def stands_in(number: str, text: str) -> bool:
    """Whether a number is printed in a text with its sign and these digits; zeros after the point may follow."""
    return re.search(rf"(?<![\w.-]){re.escape(number)}(?!\w)(?!\.0*[1-9])", text) is not None


def test_the_source_holds_no_outputs_and_no_counts():
    assert all(cell.outputs == [] and cell.execution_count is None for cell in CODE)


def test_cells_are_numbered_from_top_to_bottom():
    assert [cell.id for cell in SOURCE] == [f"compare-models-{place:02d}" for place in range(len(SOURCE))]


def test_parameters_sit_in_one_cell():
    assert set(notebook_parameters(NOTEBOOK)) == {
        "calibration_end", "as_of", "horizon", "annual_discount_rate", "margin"
    }  # fmt: skip


def test_code_cells_are_short_and_hold_no_loops():
    for cell in CODE:
        assert sum(1 for line in cell.source.splitlines() if line) <= 5
        assert not any(word in cell.source for word in ("def ", "for ", "while ", "lambda"))


def test_every_result_is_followed_by_a_sentence():
    for cell, after in pairwise(SOURCE):
        last = cell.source.splitlines()[-1]
        if cell.cell_type == "code" and "parameters" not in cell.metadata.get("tags", []) and " = " not in last:
            assert after.cell_type == "markdown", last


def test_links_lead_to_documents():
    links = re.findall(r"\]\(([^)]+)\)", "\n".join(cell.source for cell in SOURCE))
    assert links
    assert all((NOTEBOOK.parent / link).is_file() for link in links)


def test_nothing_is_written_to_the_streams(executed):
    kinds = {output.output_type for cell in executed for output in cell.get("outputs", [])}
    assert kinds == {"execute_result", "display_data"}


def test_every_figure_is_shown(executed):
    for cell in executed:
        if cell.cell_type == "code":
            shown = any("image/png" in output.get("data", {}) for output in cell.outputs)
            assert shown == (DRAWS in cell.source), cell.source


def test_every_number_in_bold_is_printed_right_above(executed):
    found = claims(executed)
    assert len(found) > 40
    missing = [number for number, above in found if not stands_in(number, above)]
    assert missing == []


@pytest.mark.parametrize("number", ["9582.4", "-9582", "9.58", "1882", "0.2"])
def test_a_number_that_is_not_printed_is_missed(number):
    assert not stands_in(number, "-9582.4  18.82  0.25")
