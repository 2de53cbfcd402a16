"""Executed notebooks whose numbers must come out the same again, checked by nbval."""

import json
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

GOLDEN = Path(__file__).parent / "golden"
NOTEBOOKS = sorted(GOLDEN.glob("*.ipynb"))
TAG = "nbval-check-output"


def nbval(*notebooks: Path) -> subprocess.CompletedProcess[str]:
    """Run nbval in lax mode, in which the tagged cells alone are compared."""
    options = ["--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "-q", "-c", "/dev/null"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, *map(str, notebooks)], capture_output=True, text=True, cwd=GOLDEN
    )


def tagged(notebook: Path) -> list[nbformat.NotebookNode]:
    cells = nbformat.read(notebook, as_version=4).cells
    return [cell for cell in cells if TAG in cell.metadata.get("tags", [])]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_tagged_cells_hold_the_output_they_are_compared_with(notebook):
    cells = tagged(notebook)
    assert len(cells) >= 3
    for cell in cells:
        assert cell.execution_count is not None
        assert any(re.search(r"\d", output.get("data", {}).get("text/plain", "")) for output in cell.outputs)


def test_the_numbers_come_out_the_same_again():
    done = nbval(*NOTEBOOKS)
    assert done.returncode == 0, done.stdout
    assert f"{sum(len(tagged(file)) for file in NOTEBOOKS)}" in done.stdout or "passed" in done.stdout


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda file: file.stem)
def test_one_changed_number_is_found(notebook, tmp_path):
    content = json.loads(notebook.read_text())
    cell = [cell for cell in content["cells"] if TAG in cell["metadata"].get("tags", [])][-1]
    text = "".join(cell["outputs"][0]["data"]["text/plain"])
    last_digit = max(position for position, letter in enumerate(text) if letter.isdigit())
    changed = text[:last_digit] + str((int(text[last_digit]) + 1) % 10) + text[last_digit + 1 :]
    cell["outputs"][0]["data"]["text/plain"] = [changed]
    spoilt = tmp_path / notebook.name
    spoilt.write_text(json.dumps(content))
    done = nbval(spoilt)
    assert done.returncode == 1
    assert "1 failed" in done.stdout
