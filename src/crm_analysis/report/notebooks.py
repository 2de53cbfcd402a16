"""Notebooks under papermill: which parameters they take, and one run from start to end."""

import ast
import contextlib
import logging
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import nbformat

from crm_analysis.errors import BookError, CrmAnalysisError, DataError, SettingsError, listing
from crm_analysis.report.contents import chapters_of
from crm_analysis.settings import Settings

PLUMBING = ("period", "settings", "workspace")
"""Parameters every notebook has, and only the command itself fills."""

_KERNEL = "python3"
_REFUSALS: dict[str, type[CrmAnalysisError]] = {"DataError": DataError, "SettingsError": SettingsError}


def notebook_parameters(file: Path) -> dict[str, Any]:
    """Return the parameters of a notebook with their defaults.

    Raises
    ------
    SettingsError
        When there is not exactly one cell tagged `parameters`, or it holds more than plain assignments.
    """
    notebook = _read(file)
    tagged = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if len(tagged) != 1:
        raise SettingsError(f"{file.name}: {len(tagged)} cells are tagged 'parameters'; exactly one must be.")
    found = {}
    for statement in ast.parse(tagged[0].source).body:
        try:
            if not isinstance(statement, ast.Assign) or not isinstance(statement.targets[0], ast.Name):
                raise ValueError
            found[statement.targets[0].id] = ast.literal_eval(statement.value)
        except ValueError:
            raise SettingsError(f"{file.name}: the cell of parameters must hold plain assignments only.") from None
    return found


def check_parameters(settings: Settings, given: Mapping[str, Any]) -> None:
    """Refuse a parameter that no notebook has, or a value of another type than its default; before anything runs.

    Raises
    ------
    SettingsError
        Naming every problem.
    """
    folder = settings.path(settings.report.notebooks)
    known: dict[str, Any] = {}
    for chapter in chapters_of(settings):
        parameters = notebook_parameters(folder / chapter.notebook)
        missing = [name for name in PLUMBING if name not in parameters]
        if missing:
            raise SettingsError(f"{chapter.notebook}: the cell of parameters lacks {listing(missing)}.")
        known |= parameters
    free = {name: value for name, value in known.items() if name not in PLUMBING}
    problems = []
    for name, value in given.items():
        if name not in free:
            problems.append(f"unknown parameter {name!r}; the notebooks know {listing(sorted(free))}")
        elif type(value) is not type(free[name]):
            problems.append(f"{name} is {value!r}; give {type(free[name]).__name__}, such as {free[name]!r}")
    if problems:
        raise SettingsError("\n".join(problems))


def run_notebook(source: Path, output: Path, parameters: Mapping[str, Any]) -> nbformat.NotebookNode:
    """Run a notebook from start to end; papermill keeps `output` current while it runs.

    Parameters
    ----------
    source, output : Path
        The notebook, which is left alone, and where its executed copy goes.
    parameters : mapping
        Those the notebook does not have are left out.

    Returns
    -------
    NotebookNode
        The executed notebook.

    Raises
    ------
    DataError, SettingsError
        As the notebook raised them.
    BookError
        For any other failure.
    """
    import papermill
    from papermill.exceptions import PapermillExecutionError
    from traitlets.config import Config

    own = {name: value for name, value in parameters.items() if name in notebook_parameters(source)}
    try:
        with _kernel_of_this_environment() as place, _no_kernel_left() as manager:
            return papermill.execute_notebook(
                source,
                output,
                own,
                kernel_name=_KERNEL,
                progress_bar=False,
                cwd=str(source.parent),
                kernel_manager_class=manager,
                extra_arguments=["--log-level=50"],  # a kernel's own remarks are no news for the scheduler's log
                # Sockets that no other user of the machine can reach, instead of ports.
                config=Config({"KernelManager": {"transport": "ipc", "ip": f"{place}/k"}}),
            )
    except PapermillExecutionError as error:
        kind = _REFUSALS.get(error.ename)
        if kind is not None:
            raise kind(error.evalue) from None
        raise BookError(f"{source.name}, cell {error.exec_count}: {error.ename}: {error.evalue}") from None
    except CrmAnalysisError:
        raise
    except Exception as error:
        # A kernel that will not start or that dies says so in many ways; for the scheduler all are a failed run.
        raise BookError(f"{source.name} could not be run: {type(error).__name__}: {error}") from error


@contextlib.contextmanager
def _kernel_of_this_environment() -> Iterator[str]:
    """Start kernels with this environment's Python, without a user's configuration, their sockets in a place apart."""
    logging.getLogger("papermill").setLevel(logging.WARNING)
    with tempfile.TemporaryDirectory(prefix="crm-") as empty:
        wanted = {
            "JUPYTER_PREFER_ENV_PATH": "1",
            "IPYTHONDIR": empty,
            "JUPYTER_RUNTIME_DIR": empty,
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }
        before = {name: os.environ.get(name) for name in wanted}
        os.environ.update(wanted)
        try:
            yield empty
        finally:
            for name, value in before.items():
                os.environ.pop(name, None) if value is None else os.environ.__setitem__(name, value)


@contextlib.contextmanager
def _no_kernel_left() -> Iterator[type[Any]]:
    """Give a kind of kernel manager whose kernels do not outlive the with block.

    nbclient stops its kernel itself, except where an interrupt comes while the kernel is being started.
    """
    from jupyter_client.manager import AsyncKernelManager

    managers: list[AsyncKernelManager] = []

    class Remembered(AsyncKernelManager):
        def __init__(self, **options: Any) -> None:
            super().__init__(**options)
            managers.append(self)

    try:
        yield Remembered
    finally:
        for manager in managers:
            process = getattr(manager.provisioner, "process", None)
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()


def _read(file: Path) -> nbformat.NotebookNode:
    if not file.is_file():
        raise SettingsError(f"{file} is not there; report.notebooks in crm.toml names the folder of the notebooks.")
    return nbformat.read(file, as_version=4)  # type: ignore[no-untyped-call]
