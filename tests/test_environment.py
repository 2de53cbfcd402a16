"""What is promised about setting up: one set of dependencies, stated three times, never in disagreement."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ENVIRONMENT = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))

# Where conda-forge calls a package otherwise than PyPI does. `ibis-duckdb` is ibis with its extra `duckdb`.
PYPI_NAMES = {
    "ibis-duckdb": "ibis-framework",
    "matplotlib-base": "matplotlib",
    "playwright-python": "playwright",
    "python-duckdb": "duckdb",
}
# Which dependencies of pyproject.toml a lock has to satisfy.
LOCKS = {
    "requirements.lock": ("run",),
    "requirements-test.lock": ("run", "test"),
    "requirements-lab.lock": ("run", "lab"),
    "requirements-engines.lock": ("run", "postgres", "spark"),
    "requirements-setup.lock": ("build",),
}
TARGETS = ["setup", "report", "test", "engines", "bayes", "lab", "bench", "lint", "clean"]

Bounds = dict[str, SpecifierSet]
Pins = dict[str, list[Version]]


def bounds(requirements: list[str]) -> Bounds:
    parsed = [Requirement(text) for text in requirements]
    return {canonicalize_name(requirement.name): requirement.specifier for requirement in parsed}


def stated(group: str) -> Bounds:
    if group == "run":
        return bounds(PYPROJECT["project"]["dependencies"])
    if group == "build":
        return bounds(PYPROJECT["build-system"]["requires"])
    return bounds(PYPROJECT["project"]["optional-dependencies"][group])


def conda_bounds() -> Bounds:
    """Names as on PyPI, without Python itself and pip."""
    conda = bounds([line for line in ENVIRONMENT["dependencies"] if isinstance(line, str)])
    renamed = {PYPI_NAMES.get(name, name): specifier for name, specifier in conda.items()}
    return {name: specifier for name, specifier in renamed.items() if name not in {"python", "pip"}}


def blocks(lock: str) -> list[str]:
    """One text per pinned package: its requirement line and the hashes under it."""
    return re.split(r"\n(?=\S)", (ROOT / lock).read_text(encoding="utf-8").strip())


def pins(lock: str) -> Pins:
    pinned: Pins = {}
    for block in blocks(lock):
        requirement = Requirement(block.split("\\")[0].strip())
        versions = [Version(specifier.version) for specifier in requirement.specifier]
        pinned.setdefault(canonicalize_name(requirement.name), []).extend(versions)
    return pinned


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("make") is None:
        pytest.skip("make is not installed")
    # `make test` hands its own flags down; a fresh call is meant here.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


# ---- environment.yml --------------------------------------------------------------------------------


def test_conda_lists_the_packages_of_pyproject_with_the_same_bounds():
    assert conda_bounds() == stated("build") | stated("run") | stated("test") | stated("lab")


def test_conda_lists_each_package_once():
    names = [Requirement(line).name for line in ENVIRONMENT["dependencies"] if isinstance(line, str)]
    assert sorted(set(names)) == sorted(names)


def test_conda_takes_the_python_that_pyproject_takes():
    (python,) = [line for line in ENVIRONMENT["dependencies"] if str(line).startswith("python ")]
    assert Requirement(python).specifier == SpecifierSet(PYPROJECT["project"]["requires-python"])


def test_conda_gets_packages_from_conda_forge_alone():
    assert ENVIRONMENT["channels"] == ["conda-forge", "nodefaults"]


def test_conda_ends_with_this_package_in_place():
    assert ENVIRONMENT["dependencies"][-1] == {"pip": ["-e ."]}


def test_no_name_of_the_conda_map_is_left_over():
    conda = {Requirement(line).name for line in ENVIRONMENT["dependencies"] if isinstance(line, str)}
    assert set(PYPI_NAMES) <= conda


# ---- locks ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lock", LOCKS)
@pytest.mark.parametrize(
    "address", ["://", "http:", "https:", "--index-url", "--extra-index-url", "--find-links", " @ "]
)
def test_locks_name_no_address(lock, address):
    assert address not in (ROOT / lock).read_text(encoding="utf-8")


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_hold_nothing_but_pins_with_hashes(lock):
    pin_with_hashes = r"[\w.\-]+==[\w.!+]+( ; [^\\\n]+)?( \\\n    --hash=sha256:[0-9a-f]{64})+"
    assert [block for block in blocks(lock) if not re.fullmatch(pin_with_hashes, block)] == []


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_pin_one_version_of_a_package(lock):
    assert {name: versions for name, versions in pins(lock).items() if len(set(versions)) > 1} == {}


@pytest.mark.parametrize(("lock", "group"), [(lock, group) for lock, groups in LOCKS.items() for group in groups])
def test_locks_pin_every_dependency_within_its_bounds(lock, group):
    pinned = pins(lock)
    missing = [name for name in stated(group) if name not in pinned]
    outside = [
        f"{name} {version}"
        for name, specifier in stated(group).items()
        for version in pinned.get(name, [])
        if version not in specifier
    ]
    assert (missing, outside) == ([], [])


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "requirements.lock"])
def test_locks_agree_on_what_they_share(lock):
    run, other = pins("requirements.lock"), pins(lock)
    assert {name: run[name] for name in run.keys() & other} == {name: other[name] for name in run.keys() & other}


@pytest.mark.parametrize("lock", ["requirements-test.lock", "requirements-lab.lock", "requirements-engines.lock"])
def test_locks_for_more_contain_the_lock_for_reports(lock):
    assert pins("requirements.lock").keys() <= pins(lock).keys()


def test_reports_do_without_jupyterlab():
    # rfc3987-syntax, which JupyterLab brings, builds a grammar whenever papermill is imported.
    assert not pins("requirements.lock").keys() & {"jupyterlab", "rfc3987-syntax"}


def test_the_test_set_does_without_jupyterlab():
    assert "jupyterlab" not in pins("requirements-test.lock")


@pytest.mark.parametrize("lock", [lock for lock in LOCKS if lock != "requirements-engines.lock"])
def test_no_lock_but_that_of_the_engines_brings_spark_or_the_client_of_postgres(lock):
    assert not pins(lock).keys() & {"pyspark", "py4j", "psycopg", "psycopg-binary"}


def test_the_engines_add_to_reports_nothing_but_their_own_packages():
    # Whatever else came with them would change what `make report` runs with.
    added = pins("requirements-engines.lock").keys() - pins("requirements.lock").keys()
    assert added == {"pyspark", "py4j", "psycopg", "psycopg-binary"}


def test_the_setup_lock_brings_uv():
    assert "uv" in pins("requirements-setup.lock")


# ---- commands ---------------------------------------------------------------------------------------


def test_make_alone_lists_the_targets_in_order():
    listed = re.findall(r"^  (\w+) +\S", make().stdout, flags=re.MULTILINE)
    assert listed[: len(TARGETS)] == TARGETS


@pytest.mark.parametrize("target", ["setup", "report", "test", "engines", "lab", "bench", "lint"])
def test_every_working_target_sets_up_what_it_needs(target):
    # `--always-make --dry-run` prints the commands of a first call without running any.
    assert "requirements.lock" in make("--always-make", "--dry-run", target).stdout


@pytest.mark.parametrize("only", ["lab", "engines"])
def test_what_is_large_is_added_by_its_own_target_alone(only):
    commands = {target: make("--always-make", "--dry-run", target).stdout for target in TARGETS}
    assert [target for target, text in commands.items() if f"requirements-{only}.lock" in text] == [only]


def test_an_absent_engine_fails_make_engines_and_is_skipped_by_make_test():
    commands = {target: make("--always-make", "--dry-run", target).stdout for target in ("engines", "test")}
    assert [target for target, text in commands.items() if "CRM_ANALYSIS_ENGINES=required" in text] == ["engines"]


def test_too_old_a_python_is_refused_with_the_way_to_fix_it(tmp_path):
    old = tmp_path / "python3.10"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 3.10.13" && exit 0\nexit 1\n')
    old.chmod(0o755)
    refused = make(f"PYTHON={old}", f"VENV={tmp_path / 'venv'}", "setup")
    assert refused.returncode != 0
    assert "needs Python 3.11, 3.12 or 3.13" in refused.stderr
    assert "Python 3.10.13" in refused.stderr
    assert "To fix:" in refused.stderr


def test_ci_runs_the_checks_then_the_test_command_of_the_readme_then_what_is_large():
    commands = [line.strip() for line in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()]
    made = [line.split(" ||")[0] for line in commands if line.startswith("make ")]
    assert made == ["make lint", "make test", "make engines", "make bayes"]


@pytest.mark.parametrize(
    ("path", "ignored"),
    [
        ("src/crm_analysis/data/sources.py", False),
        ("src/crm_analysis/report/book.py", False),
        ("src/crm_analysis/report/locale/zh_CN/LC_MESSAGES/messages.mo", False),
        ("data/raw/.gitkeep", False),
        ("data/raw/cdnow/transactions.csv", True),
        ("data/processed/1998-06/values.parquet", True),
        ("reports/1998-06/index.html", True),
        (".venv/bin/python", True),
    ],
)
def test_git_keeps_code_and_leaves_out_data(path, ignored):
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    answer = subprocess.run(["git", "check-ignore", "--quiet", "--no-index", path], cwd=ROOT, check=False)
    assert answer.returncode == (0 if ignored else 1)


def test_what_takes_long_to_make_is_made_by_one_worker(request):
    """A version of pytest that does not know the mark of pytest-xdist any more would make it once for each worker."""
    if not hasattr(request.config, "workerinput"):
        pytest.skip("there is one process")
    assert request.node.nodeid.endswith(f"@{Path(__file__)}")
