"""Many books as one run: the parts of a company, or several companies, side by side; what ends one ends no other."""

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Literal

from crm_analysis.data.loading import CSV_ENDINGS
from crm_analysis.errors import BookError, CrmAnalysisError, DataError, SettingsError
from crm_analysis.messages import N_, _, language
from crm_analysis.periods import Month
from crm_analysis.progress import Progress, Step
from crm_analysis.report.book import require_a_past_month, standing_book, write_index
from crm_analysis.report.notebooks import check_parameters
from crm_analysis.report.parts import (
    BookPart,
    accounts_in_words,
    parts_folder,
    parts_of,
    parts_that_are_off,
    require_own_folders,
    write_accounts,
    write_parts_index,
)
from crm_analysis.report.publish import only_run, published_books, remove_leftovers
from crm_analysis.report.side_by_side import Ended, Job, cores, free_memory, run_side_by_side
from crm_analysis.settings import Settings

# What a book takes at most: the process that builds it and the kernel of its chapter, pages they share counted once.
# Measured with one thread each: 583 MB for the 69,659 rows of CDNOW, 1,037 MB for 557,272 rows (that log eight times).
BYTES_A_BOOK = 520e6
BYTES_A_ROW = 950.0
# Of a base larger than a book holds: what a valued customer takes; the log beside it takes the engine's memory at most.
# 10 million customers with 28.5 million rows, read in place, peaked at 2.2 GB with 200,000 of them valued.
BYTES_A_CUSTOMER = 2_850.0
# A log that is copied is read whole before the rows of the part are picked out of it: 166 bytes a row for that CSV.
# What is beyond its limit the engine writes to disk.
BYTES_A_ROW_READ = 200.0
# Where the settings name no budget: this share of the memory that is free at the start.
SHARE_OF_FREE_MEMORY = 0.7

Status = Literal["published", "already published", "failed", "refused", "wrong settings"]
# From the one that counts most: a run that failed may succeed the next time, refused data will not.
_STATUS: dict[int, tuple[Status, str]] = {
    BookError.exit_code: ("failed", N_("The run failed")),
    DataError.exit_code: ("refused", N_("The data was refused")),
    SettingsError.exit_code: ("wrong settings", N_("The settings were refused")),
}


@dataclass(frozen=True)
class Outcome:
    """How it went with one book.

    Attributes
    ----------
    company, title : str
        Which company; which part of it, "" for a company that could not be split into parts.
    status : str
    exit_code : int
        0 when there is a book from these inputs now.
    words : str
        The headline of the book, or all that was said about the failure.
    settings_file : Path
        To run it alone.
    """

    company: str
    title: str
    status: Status
    exit_code: int
    words: str
    settings_file: Path

    @property
    def first_line(self) -> str:
        """The headline, or what went wrong in one line."""
        return next(iter(self.words.splitlines()), "")


@dataclass(frozen=True)
class ManyBooks:
    """What came of a run of many books.

    Attributes
    ----------
    outcomes : tuple of Outcome
        Company by company, the largest part first.
    sentences : tuple of str
        What to know of all of them: that the parts add up, which ran alone, which are off.
    indexes : tuple of Path
        The lists of books, one a company.
    """

    outcomes: tuple[Outcome, ...]
    sentences: tuple[str, ...]
    indexes: tuple[Path, ...]

    @property
    def exit_code(self) -> int:
        """0 when every book is published; else the first of 1 (a run failed), 3 (data refused), 2 (settings)."""
        codes = {outcome.exit_code for outcome in self.outcomes}
        return next((code for code in _STATUS if code in codes), 0)


CommandOf = Callable[[BookPart, Mapping[str, Any]], Sequence[str]]


def build_many_books(
    period: str,
    *,
    companies: Sequence[Settings],
    by: str = "",
    parameters: Mapping[str, Any] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    today: date | None = None,
    command_of: CommandOf | None = None,
) -> ManyBooks:
    """Build and publish the books of all parts of all companies, each in a process of its own.

    Parameters
    ----------
    period : str
        "YYYY-MM".
    companies : sequence of Settings
        As read from their files.
    by : str
        Column of the logs, as delivered, that tells the parts; "" for whole companies.
    parameters, force, today
        As for `build_book`.
    progress : callable, optional
        Told in words what is being done.
    command_of : callable, optional
        What to run for a part, given what `one_book` is to be told; tests use it.

    Returns
    -------
    ManyBooks
        A book that failed is told there; it stops no other.

    Raises
    ------
    SettingsError
        For what concerns all: a wrong period, companies that publish to the same folder.
    CrmAnalysisError
        When there is one company, and it cannot be split into parts.
    """
    Month.parse(period)
    require_a_past_month(period, force=force, today=today)
    require_own_folders(companies)
    given = dict(parameters or {})
    run = _Run(period, given, force, progress or (lambda _words: None), command_of or _command_of)
    return run.build(companies, by)


class _Run:
    """One run of many books."""

    def __init__(
        self, period: str, parameters: Mapping[str, Any], force: bool, tell: Progress, command_of: CommandOf
    ) -> None:
        self.period, self.parameters, self.force = period, parameters, force
        self.tell, self.command_of = tell, command_of
        self.sentences: list[str] = []
        self.outcomes: dict[Path, Outcome] = {}

    def build(self, companies: Sequence[Settings], by: str) -> ManyBooks:
        """Find the parts, run them, keep the accounts, list the books."""
        with contextlib.ExitStack() as held:
            return self._build(companies, by, held)

    def _build(self, companies: Sequence[Settings], by: str, held: contextlib.ExitStack) -> ManyBooks:
        found: list[tuple[Settings, list[BookPart]]] = []
        for settings in companies:
            with language(settings.company.language):
                self.tell(_("Counting the parts of {company}", company=settings.company.name))
                try:
                    check_parameters(settings, self.parameters)
                    parts = parts_of(settings, by)
                    if by:
                        held.enter_context(only_run(parts_folder(settings, by), self.period))
                    found.append((settings, parts))
                except CrmAnalysisError as error:
                    if len(companies) == 1:
                        raise
                    file = settings.root / settings.file
                    self.outcomes[file] = _failure(settings, "", error.exit_code, str(error), file)
        everything = [part for _settings, parts in found for part in parts]
        budget = min((one.report.memory_bytes for one in companies if one.report.memory_bytes), default=None)
        self._run(everything, free_memory() * SHARE_OF_FREE_MEMORY if budget is None else budget)
        indexes = [self._close(settings, by, parts) for settings, parts in found]
        return ManyBooks(tuple(self.outcomes.values()), tuple(self.sentences), tuple(indexes))

    def _run(self, parts: Sequence[BookPart], budget: float) -> None:
        waiting = [part for part in parts if not self._stands(part)]
        # In the order of the parts, whichever ends first.
        for part in parts:
            self.outcomes.setdefault(part.settings_file, _failure(part.settings, part.title, 1, "", part.settings_file))
        jobs = [
            Job(part.title, self.command_of(part, self._order(part)), memory_of(part, _rows_read(part, parts)))
            for part in waiting
        ]
        for job in jobs:
            if job.memory > budget:
                words = _(
                    "{title} is thought to need {need} of memory, more than the {budget} for all; it runs alone.",
                    title=job.name,
                    need=_gigabytes(job.memory),
                    budget=_gigabytes(budget),
                )
                self.sentences.append(words)
                self.tell(words)
        done = len(parts) - len(waiting)

        def heard(position: int, words: str) -> None:
            self.tell(Step(f"{waiting[position].title}: {words}", done, len(parts), is_done=True))

        def ended(position: int, end: Ended) -> None:
            nonlocal done
            done += 1
            part = waiting[position]
            with language(part.settings.company.language):
                outcome = self.outcomes[part.settings_file] = self._outcome(part, end)
                words = _(
                    "{title}: {status}; {done} of {all} done",
                    title=part.title,
                    status=outcome.status,
                    done=done,
                    all=len(parts),
                )
            self.tell(Step(words, done, len(parts), is_done=True))

        try:
            run_side_by_side(jobs, budget=budget, most=cores(), heard=heard, ended=ended)
        finally:
            for part in waiting:
                _clean_up(part, self.period)

    def _stands(self, part: BookPart) -> bool:
        """Whether the part has its book from the same inputs already; say so then."""
        if self.force:
            return False
        try:
            book = standing_book(self.period, settings=part.settings, parameters=self.parameters)
        except CrmAnalysisError:
            return False  # it is told when the part is run
        if book is None:
            return False
        self.outcomes[part.settings_file] = _success(part, "already published", str(book.manifest["headline"]))
        return True

    def _order(self, part: BookPart) -> dict[str, Any]:
        return {
            "period": self.period,
            "settings": str(part.settings_file),
            "parameters": dict(self.parameters),
            "force": self.force,
        }

    def _outcome(self, part: BookPart, end: Ended) -> Outcome:
        if end.code == 0 and "published" in end.told:
            return _success(part, "already published" if end.told["already"] else "published", end.told["published"])
        if "failed" in end.told:
            code, words = int(end.told["exit_code"]), str(end.told["failed"])
        elif end.code < 0:
            name = signal.Signals(-end.code).name
            code, words = 1, _("the process was killed ({signal})", signal=name)
            if end.code == -signal.SIGKILL:
                words = _("{killed}; the machine may have run out of memory: see report.memory", killed=words)
        else:
            code, words = 1, _("the process ended without a word: {last}", last=end.last_words)
        return _failure(part.settings, part.title, code, words, part.settings_file)

    def _close(self, settings: Settings, by: str, parts: Sequence[BookPart]) -> Path:
        """Say what there is to know of the parts of a company, and list its books."""
        if not by:
            return write_index(settings)
        with language(settings.company.language):
            self.sentences.append(accounts_in_words(parts, settings.company.currency))
            failures = {
                part.slug: _(_STATUS[outcome.exit_code][1])
                for part in parts
                if (outcome := self.outcomes[part.settings_file]).exit_code
            }
            manifests = {
                part.slug: book.manifest
                for part in parts
                if part.slug not in failures
                for book in published_books(part.settings.path(part.settings.report.reports))
                if book.period == self.period
            }
            off = parts_that_are_off(parts, manifests)
            if off:
                self.sentences.append(
                    _(
                        "The log changed during the run: rows or money of {parts} are not as counted.",
                        parts=", ".join(off),
                    )
                )
            write_accounts(settings, by, self.period, parts, failures)
            index = write_parts_index(settings, by)
            write_index(settings)
        return index


def memory_of(part: BookPart, rows_read: int) -> float:
    """How many bytes the book of a part is thought to need, where `rows_read` rows are copied to find its own."""
    engine = part.settings.engine.memory_bytes
    everybody = BYTES_A_ROW * part.rows + min(BYTES_A_ROW_READ * rows_read, engine)
    sample = BYTES_A_CUSTOMER * part.settings.report.customers + engine
    return BYTES_A_BOOK + min(everybody, sample)


def _rows_read(part: BookPart, parts: Sequence[BookPart]) -> int:
    """How many rows are copied before those of the part are picked out."""
    if part.settings.kind != "shop":
        return part.rows
    source = part.settings.sources.purchase_log
    others = [other for other in parts if other.settings.kind == "shop"]
    everything = sum(other.rows for other in others if _log_of(other) == _log_of(part))
    is_csv = source.path is not None and source.path.lower().endswith(CSV_ENDINGS)
    return everything if is_csv or everything <= part.settings.engine.copy_rows else part.rows


def _log_of(part: BookPart) -> tuple[Path, str | None, str | None, str | None]:
    source = part.settings.sources.purchase_log
    return part.settings.root, source.path, source.connection, source.table


def _command_of(_part: BookPart, order: Mapping[str, Any]) -> Sequence[str]:
    return [sys.executable, "-m", "crm_analysis.report.one_book", json.dumps(order)]


def _clean_up(part: BookPart, period: str) -> None:
    """Remove what a killed process left, unless another run is at the part now."""
    reports = part.settings.path(part.settings.report.reports)
    try:
        with only_run(reports, period):
            remove_leftovers(reports, period)
            remove_leftovers(part.settings.path(part.settings.report.processed), period)
    except BookError:
        return


def _success(part: BookPart, status: Status, headline: str) -> Outcome:
    return Outcome(part.settings.company.name, part.title, status, 0, headline, part.settings_file)


def _failure(settings: Settings, title: str, code: int, words: str, file: Path) -> Outcome:
    status = _STATUS.get(code, _STATUS[1])[0]
    return Outcome(settings.company.name, title, status, code, words, file)


def _gigabytes(amount: float) -> str:
    return f"{amount / 1e9:.1f} GB"
