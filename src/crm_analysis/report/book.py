"""The book of one month: run its chapters through papermill, make its pages, publish them in one step."""

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import nbformat

from crm_analysis.errors import BookError, DataError, SettingsError
from crm_analysis.messages import _, day, language, month_of
from crm_analysis.periods import Month
from crm_analysis.progress import Progress, Step
from crm_analysis.report.chapter import Memory
from crm_analysis.report.contents import ChapterEntry, chapters_of, reading_order
from crm_analysis.report.manifest import (
    NOT_A_FILE,
    commit,
    input_hashes,
    provenance,
    settings_told,
    valuation_facts,
    versions,
)
from crm_analysis.report.notebooks import check_parameters, run_notebook
from crm_analysis.report.page import IndexContext, IndexEntry, IndexGroup, PageContext, render_index, render_page
from crm_analysis.report.parts import lists_of_parts
from crm_analysis.report.publish import (
    MANIFEST,
    file_hash,
    keep_aside,
    one_at_a_time,
    only_run,
    published_books,
    staging,
    swap_in,
    write_json,
    write_whole,
)
from crm_analysis.report.render import Body, check_page, render_body
from crm_analysis.settings import Settings, load_settings


@dataclass(frozen=True)
class Book:
    """A published book.

    Attributes
    ----------
    folder : Path
        Where it is; `index.html` is its first page.
    manifest : mapping
        What went into it and how it went.
    already_published : bool
        Whether the same inputs had been published before, so that nothing was run.
    """

    folder: Path
    manifest: Mapping[str, Any]
    already_published: bool = False

    @property
    def first_page(self) -> Path:
        """The page a reviewer opens."""
        return self.folder / "index.html"


def build_book(
    period: str,
    *,
    settings: Settings,
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    today: date | None = None,
) -> Book:
    """Build and publish the book of a month.

    Parameters
    ----------
    period : str
        "YYYY-MM".
    settings : Settings
        Of the company, as read from the file at its `root`; the chapters read that file too.
    parameters : mapping, optional
        Values for parameters of the notebooks. A name or a type that no notebook knows is refused before anything runs.
    force : bool
        Build although the month is not over, or although it has been published before.
    progress : callable, optional
        Told in words what is being done.
    today : date, optional
        The date of the run; today when not given.

    Returns
    -------
    Book

    Raises
    ------
    SettingsError
        For a wrong period, setting or parameter.
    DataError
        When the data is refused.
    BookError
        When a chapter or a page fails, or another run holds the period. The last good book stands in every case.
    """
    month = Month.parse(period)
    _require_the_file(settings)
    given = dict(parameters or {})
    tell = progress or (lambda _words: None)
    require_a_past_month(period, force=force, today=today)
    check_parameters(settings, given)
    reports, processed = settings.path(settings.report.reports), settings.path(settings.report.processed)
    with language(settings.company.language), only_run(reports, period):
        inputs = input_hashes(settings, month, given)
        last = _sound_manifest(settings, period)
        if last and _are_the_same(last["inputs"], inputs) and not force:
            write_index(settings)
            return Book(reports / period, last, already_published=True)
        if last and not force:
            if NOT_A_FILE in inputs.values():
                raise SettingsError(
                    f"{period} is published already, and its source is a table, whose content cannot be compared. "
                    "Give --force to replace the book; the book it replaces is kept in .previous."
                )
            changed = [name for name, value in inputs.items() if last["inputs"].get(name) != value]
            raise SettingsError(
                f"{period} is published already, from other inputs ({', '.join(changed)} changed). "
                "Give --force to replace it; the book it replaces is kept in .previous."
            )
        with staging(processed, period) as shelf, staging(reports, period) as stage:
            run = _Run(settings, month, given, inputs, shelf, stage, tell)
            try:
                manifest = run.build()
                if input_hashes(load_settings(settings.root / settings.file), month, given) != inputs:
                    raise BookError(
                        "the inputs changed while the book was being built; nothing is published. Run again."
                    )
            except (BookError, DataError, SettingsError) as error:
                run.keep_notebook(error)
                raise
            tell(_("Publishing"))
            shutil.rmtree(run.executed)
            swap_in(shelf, processed / period)
            swap_in(stage, reports / period)
            _keep_previous(stage, reports, period)
        write_index(settings)
    return Book(reports / period, manifest)


def require_a_past_month(period: str, *, force: bool, today: date | None = None) -> None:
    """Refuse a month that is not over, unless it is forced."""
    if Month.parse(period).last_day >= (today or date.today()) and not force:
        raise SettingsError(f"{period} is not over yet; wait until it is, or give --force.")


def standing_book(period: str, *, settings: Settings, parameters: Mapping[str, Any] | None = None) -> Book | None:
    """Return the published book of a month, if it is whole and was made from the same inputs as one made now."""
    last = _sound_manifest(settings, period)
    if last is None or not _are_the_same(
        last["inputs"], input_hashes(settings, Month.parse(period), dict(parameters or {}))
    ):
        return None
    return Book(settings.path(settings.report.reports) / period, last, already_published=True)


def write_index(settings: Settings) -> Path:
    """Write `index.html` of all periods, complete or not at all; return its path."""
    reports = settings.path(settings.report.reports)
    # Two periods may end at the same time; the later one must list the earlier one.
    with language(settings.company.language), one_at_a_time(reports, "index"):
        entries = tuple(
            IndexEntry(
                month_of(book.period),
                f"{book.period}/index.html",
                str(book.manifest.get("headline", "")),
                str(book.manifest.get("status_words", "")),
                _("Built {day}", day=day(datetime.fromisoformat(book.manifest["finished"]).date())),
            )
            for book in published_books(reports)
        )
        html = render_index(
            IndexContext(
                title=_("All periods: {company} customer-asset report", company=settings.company.name),
                description=_("Every published book, newest first."),
                brand=settings.company.name,
                report_name=_("Customer-asset report"),
                language=settings.company.language,
                groups=(IndexGroup("", "", entries),),
                more=tuple(
                    (f"{name}/index.html", _("By {column}", column=column)) for name, column in lists_of_parts(reports)
                ),
            )
        )
        check_page("index.html", html)
        write_whole(reports / "index.html", html)
    return reports / "index.html"


@dataclass(frozen=True)
class _Run:
    """One run of a book, in its staging places."""

    settings: Settings
    month: Month
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    shelf: Path
    stage: Path
    tell: Progress

    def build(self) -> dict[str, Any]:
        """Run the chapters, make the pages, write the manifest; return it."""
        started = datetime.now(UTC)
        timings: dict[str, float] = {}
        bodies: dict[str, Body] = {}
        chapters = chapters_of(self.settings)
        for position, chapter in enumerate(chapters, start=1):
            words = _(
                "Chapter {position} of {all}: {title}", position=position, all=len(chapters), title=_(chapter.title)
            )
            self.tell(Step(words, position, len(chapters)))
            clock = time.perf_counter()
            bodies[chapter.key] = render_body(self._execute(chapter))
            timings[chapter.key] = round(time.perf_counter() - clock, 2)
        memories = {chapter.key: Memory.read(self.shelf / f"{chapter.key}.json") for chapter in chapters}
        manifest = self._manifest(started, timings, memories)
        self.tell(_("Pages"))
        for chapter in chapters:
            html = self._page(chapter, bodies[chapter.key], memories, manifest)
            check_page(chapter.page, html)
            (self.stage / chapter.page).write_text(html, encoding="utf-8", newline="\n")
        if (self.shelf / "tables").is_dir():
            shutil.copytree(self.shelf / "tables", self.stage / "tables")
        manifest["pages"] = {chapter.page: file_hash(self.stage / chapter.page) for chapter in chapters}
        write_json(self.stage / MANIFEST, manifest)
        write_json(self.shelf / MANIFEST, {"finished": manifest["finished"]})
        return manifest

    @property
    def executed(self) -> Path:
        """Where the executed notebooks are while the run lasts."""
        return self.shelf / ".notebooks"

    def keep_notebook(self, error: Exception) -> None:
        """Keep the notebook that ran last for whoever has to find out what went wrong."""
        notebooks = sorted(self.executed.glob("*.ipynb"), key=lambda file: file.stat().st_mtime)
        if notebooks:
            kept = keep_aside(notebooks[-1], self.settings.path(self.settings.report.processed), str(self.month))
            error.add_note(f"The notebook of the failed run is kept at {kept}")

    def _execute(self, chapter: ChapterEntry) -> nbformat.NotebookNode:
        source = self.settings.path(self.settings.report.notebooks) / chapter.notebook
        self.executed.mkdir(exist_ok=True)
        plumbing = {
            "period": str(self.month),
            "settings": str(self.settings.root / self.settings.file),
            "workspace": str(self.shelf),
        }
        return run_notebook(source, self.executed / source.name, {**self.parameters, **plumbing})

    def _manifest(
        self, started: datetime, timings: Mapping[str, float], memories: Mapping[str, Memory]
    ) -> dict[str, Any]:
        facts = {key: dict(memory.facts) for key, memory in memories.items()}
        finished = datetime.now(UTC)
        return {
            "status": "published",
            "status_words": facts["overview"]["status"],
            "headline": facts["overview"]["headline"],
            "period": str(self.month),
            "as_of": self.month.last_day.isoformat(),
            "company": self.settings.company.name,
            "currency": self.settings.company.currency,
            "parameters": dict(self.parameters),
            "settings": settings_told(self.settings),
            "inputs": dict(self.inputs),
            **{key: facts.get("data_quality", facts.get("satisfaction", {}))[key] for key in ("rows", "rows_used")},
            **{key: valuation_facts(memories).get(key) for key in ("customers", "valued", "converged")},
            "warnings": facts["overview"]["warnings"],
            "facts": facts,
            "versions": versions(),
            "commit": commit(self.settings.root),
            "started": started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": dict(timings) | {"all": round((finished - started).total_seconds(), 2)},
        }

    def _page(
        self, chapter: ChapterEntry, body: Body, memories: Mapping[str, Memory], manifest: Mapping[str, Any]
    ) -> str:
        period = month_of(str(self.month))
        company = self.settings.company
        return render_page(
            PageContext(
                title=_(
                    "{chapter}, {period}: {company} customer-asset report",
                    chapter=_(chapter.title),
                    period=period,
                    company=company.name,
                ),
                description=_(chapter.question),
                brand=company.name,
                report_name=_("Customer-asset report, {period}", period=period),
                language=company.language.replace("_", "-"),
                navigation=tuple((one.page, _(one.title), one is chapter) for one in reading_order(self.settings)),
                toc=() if chapter.layout == "overview" else body.contents,
                layout=chapter.layout,
                body=body.html,
                provenance=provenance(self.settings, self.month, memories, manifest),
            )
        )


def _require_the_file(settings: Settings) -> None:
    """Refuse settings that the chapters, which read the file, would not find there."""
    if load_settings(settings.root / settings.file) != settings:
        raise SettingsError(
            f"{settings.file} holds other settings than those given; load them again with load_settings."
        )


def _sound_manifest(settings: Settings, period: str) -> dict[str, Any] | None:
    """Return the manifest of the published book of a period, if the book and its tables are as they were made."""
    reports, processed = settings.path(settings.report.reports), settings.path(settings.report.processed)
    last = _last_manifest(reports / period)
    return last if last and _is_whole(reports / period, processed / period, last) else None


def _are_the_same(before: Mapping[str, str], now: Mapping[str, str]) -> bool:
    return before == now and NOT_A_FILE not in now.values()


def _is_whole(book: Path, shelf: Path, manifest: Mapping[str, Any]) -> bool:
    """Whether a published book still has its pages as they were made, and the tables of the same run beside it."""
    pages = all((book / name).is_file() and file_hash(book / name) == made for name, made in manifest["pages"].items())
    run = shelf / MANIFEST
    return pages and run.is_file() and json.loads(run.read_text())["finished"] == manifest["finished"]


def _last_manifest(folder: Path) -> dict[str, Any] | None:
    for book in published_books(folder.parent):
        if book.folder == folder:
            return dict(book.manifest)
    return None


def _keep_previous(old: Path, reports: Path, period: str) -> None:
    """Keep the book that was replaced; the exchange has left it in the staging place."""
    if not (old / MANIFEST).is_file():
        return
    place = reports / ".previous" / period
    shutil.rmtree(place, ignore_errors=True)
    place.parent.mkdir(exist_ok=True)
    old.rename(place)
