"""What a book is made of and where its numbers come from: hashes of the inputs, versions, commit, provenance."""

import hashlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from crm_analysis.data.loading import CSV_ENDINGS, PARQUET_ENDINGS
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import _, count, day, month_of, number, rate
from crm_analysis.periods import Month
from crm_analysis.report.chapter import Memory
from crm_analysis.report.pieces import Facts
from crm_analysis.report.publish import file_hash
from crm_analysis.report.stories.wording import horizon_words, margin_setting_words
from crm_analysis.settings import Settings, TransactionSource
from crm_analysis.side_sources import SideSource

LIBRARIES = ("numpy", "scipy", "pandas", "duckdb", "ibis-framework", "matplotlib", "papermill", "nbconvert")
_CODE = ("*.py", "*.j2", "*.css", "*.js", "*.mo")
Source = TransactionSource | SideSource
NOT_A_FILE = "not a file: read anew at each run"


def settings_told(settings: Settings) -> dict[str, Any]:
    """Return the settings as a manifest may tell them: no places, no connection (it may hold a password)."""
    hidden: dict[str, Any] = {
        "root": True,
        "file": True,
        "sources": {name: {"connection"} for name in _sources(settings)},
        "report": {"reports", "processed", "notebooks", "memory"},
    }
    told = settings.model_dump(mode="json", exclude=hidden)
    places = [(source, "path") for source in told["sources"].values() if source is not None]
    for part, key in (*places, (told["forecast"], "purchase_fit")):
        part[key] = part[key] and Path(part[key]).name
    return told


def input_hashes(settings: Settings, month: Month, parameters: Mapping[str, Any]) -> dict[str, str]:
    """Hash all that a book is made of: data, settings, parameters, notebooks, code, versions.

    Raises
    ------
    DataError
        When a table is not where the settings say.
    """
    given = settings.forecast.purchase_fit
    fit = {} if given is None else {"purchase_fit": _file_hash(settings.path(given), "forecast.purchase_fit")}
    # The bridge starts from the equity of the month before, where there is one.
    opening = settings.path(settings.report.processed) / str(month.shift(-1)) / "equity"
    before = {"opening": _folder_hash(opening, ("*.json", "*.parquet"))} if opening.is_dir() else {}
    tables = {name: _data_hash(settings, name, source) for name, source in _sources(settings).items()}
    return {
        **fit,
        **before,
        **tables,
        "settings": _text_hash(settings_told(settings)),
        "parameters": _text_hash((str(month), sorted(parameters.items()))),
        "notebooks": _folder_hash(settings.path(settings.report.notebooks), ("*.ipynb",)),
        "code": _folder_hash(Path(__file__).parents[1], _CODE),
        "versions": _text_hash(versions()),
    }


def versions() -> dict[str, str]:
    """Versions of the package, of Python and of the libraries that make numbers and pages."""
    own = importlib.metadata.version("crm_analysis")
    return {"crm_analysis": own, "python": platform.python_version()} | {
        name: importlib.metadata.version(name) for name in LIBRARIES
    }


def commit(root: Path) -> dict[str, Any] | None:
    """The commit of the project the book was built in, and whether files differ from it; None without git."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
        return done.stdout.strip()

    try:
        return {"id": git("rev-parse", "HEAD"), "changed_files": len(git("status", "--porcelain").splitlines())}
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(settings: Settings, month: Month, memories: Mapping[str, Memory], manifest: Mapping[str, Any]) -> Facts:
    """Say at the foot of a page where its numbers come from."""
    used = manifest["versions"]
    built_from = manifest["commit"]
    main_table = {"shop": "transactions", "contracts": "memberships", "survey": "survey"}[settings.kind]
    source, *models = _survey_words(memories) if settings.kind == "survey" else _valuation_words(settings, memories)
    return Facts(
        _("Where these numbers come from"),
        (
            (_("Period"), _("{period}, as of {day}", period=month_of(str(month)), day=day(month.last_day))),
            *_compared_words(settings, month),
            source,
            ("SHA-256", str(manifest["inputs"][main_table])[:16] + "…"),
            *models,
            (
                _("Run"),
                _(
                    "Built {day}, {time} UTC, in {seconds} s, seed {seed}",
                    day=day(datetime.fromisoformat(manifest["finished"]).date()),
                    time=manifest["finished"][11:16],
                    seconds=number(manifest["seconds"]["all"], 0),
                    seed=str(settings.forecast.seed),
                ),
            ),
            (
                _("Versions"),
                ", ".join(
                    [
                        f"crm_analysis {used['crm_analysis']}",
                        f"Python {used['python']}",
                        f"pandas {used['pandas']}",
                        *([_("commit {commit}", commit=built_from["id"][:7])] if built_from else []),
                    ]
                ),
            ),
        ),
    )


def valuation_facts(memories: Mapping[str, Memory]) -> Mapping[str, Any]:
    """Return what the chapter that values the base kept: of a company of contracts that on equity; else nothing."""
    found = [memories[key].facts for key in ("customer_value", "customer_equity") if key in memories]
    return found[0] if found else {}


def _valuation_words(settings: Settings, memories: Mapping[str, Memory]) -> tuple[tuple[str, str], ...]:
    """Name the source, the models and the settings of a valuation."""
    quality, value = memories["data_quality"].facts, valuation_facts(memories)
    told = value["models"] if settings.kind == "contracts" else [value["purchase_model"], value["spend_model"]]
    models = "; ".join(_model_words(dict(model)) for model in told)
    if settings.kind == "shop":
        models = _("{models} (time in {unit}s)", models=models, unit=_(settings.forecast.time_unit))
    source = _(
        "{source}, {rows} rows, {customers} customers",
        source=quality["source"],
        rows=count(quality["rows"]),
        customers=count(value["customers"]),
    )
    terms = _(
        "Margin {margin}, discount {rate} a year, horizon {horizon}",
        margin=margin_setting_words(settings.money),
        rate=rate(settings.money.annual_discount_rate),
        horizon=horizon_words(settings.money.horizon, settings.forecast.time_unit),
    )
    return ((_("Source"), source), (_("Models"), models), (_("Settings"), terms))


def _compared_words(settings: Settings, month: Month) -> tuple[tuple[str, str], ...]:
    """Name the dates that a month is compared with; of a survey alone there are waves, which its pages name."""
    if settings.kind == "survey":
        return ()
    both = _("{before} and {year}", before=day(month.shift(-1).last_day), year=day(month.shift(-12).last_day))
    return ((_("Compared with"), both),)


def _survey_words(memories: Mapping[str, Memory]) -> tuple[tuple[str, str], ...]:
    """Name the source of a book that stands on a survey alone."""
    heard = memories["satisfaction"].facts
    source = _(
        "{source}, {rows} rows, {respondents} respondents in the latest wave",
        source=heard["source"],
        rows=count(heard["rows"]),
        respondents=count(heard["respondents"]),
    )
    return ((_("Source"), source),)


def _sources(settings: Settings) -> dict[str, Source]:
    """Return the tables that come in, by name."""
    log = settings.sources.transactions
    return {**({} if log is None else {"transactions": log}), **settings.sources.beside_the_log()}


def _model_words(model: dict[str, Any]) -> str:
    name = model.pop("name")
    return f"{name} " + ", ".join(f"{key} {number(value, 3)}" for key, value in model.items())


def _data_hash(settings: Settings, name: str, source: Source) -> str:
    if source.path is None:
        return NOT_A_FILE
    file = settings.path(source.path)
    if file.is_dir():
        return _folder_hash(file, tuple(f"*{ending}" for ending in CSV_ENDINGS + PARQUET_ENDINGS))
    if not file.is_file():
        raise DataError(
            f"{source.path}: there is no such file.\n"
            f"To fix: put the table there, or name it in crm.toml under [sources.{name}]."
        )
    return file_hash(file)


def _file_hash(file: Path, key: str) -> str:
    if not file.is_file():
        raise SettingsError(f"{key}: there is no file {file.name}.")
    return file_hash(file)


def _folder_hash(folder: Path, patterns: tuple[str, ...]) -> str:
    files = sorted(file for pattern in patterns for file in folder.rglob(pattern))
    return _text_hash([(file.relative_to(folder).as_posix(), file_hash(file)) for file in files])


def _text_hash(content: object) -> str:
    return hashlib.sha256(repr(content).encode()).hexdigest()
