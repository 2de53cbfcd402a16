"""The command line: arguments, progress and exit codes around the package, and no logic of its own.

Exit codes: 0 done, 1 run failed, 2 wrong usage or settings, 3 data refused; of a run of many books, the first of 1, 3
and 2 that any of them ended with. The last line on standard output is the
path of what was made; progress and messages go to standard error.
"""

import ast
import contextlib
import shlex
import sys
import traceback
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crm_analysis.errors import BookError, CrmAnalysisError, SettingsError, listing
from crm_analysis.progress import Progress
from crm_analysis.progress_line import ProgressLine
from crm_analysis.settings import Settings, load_settings

if TYPE_CHECKING:  # the command line answers before pandas is there
    from crm_analysis.data.side_door import SideTable
    from crm_analysis.data.survey import Survey

app = typer.Typer(
    name="crm-analysis",
    help="From purchases to a monthly customer-asset book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)
# What typer makes of Ctrl-C.
_INTERRUPTED = 130

SettingsFile = Annotated[Path, typer.Option("--settings", help="The settings file of the company.")]
Period = Annotated[str, typer.Option(help="Month of the book, YYYY-MM.")]


@app.command()
def report(
    period: Period,
    settings: Annotated[
        list[Path] | None,
        typer.Option("--settings", help="The settings file of the company, crm.toml; repeat it for several companies."),
    ] = None,
    by: Annotated[
        str, typer.Option(help="Column of the purchase log, such as region: a book for each value in it.")
    ] = "",
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE for a parameter of the notebooks.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a book made of other inputs, or build a month that is not over.")
    ] = False,
) -> None:
    """Build and publish the book of one month; with --by, or several companies, one for each, side by side."""
    companies = [load_settings(file) for file in dict.fromkeys(settings or [Path("crm.toml")])]
    given = dict(_read_parameter(text) for text in parameter or [])
    if by or len(companies) > 1:
        raise typer.Exit(_report_many(period, companies, by, given, force=force))
    from crm_analysis.report.book import build_book

    with _progress() as tell:
        book = build_book(period, settings=companies[0], parameters=given, force=force, progress=tell)
    if book.already_published:
        _say(f"{period} is already published from the same inputs; nothing was run.")
    else:
        _say(book.manifest["valued"])
    _made(book.first_page)


def _report_many(period: str, companies: list[Settings], by: str, parameters: dict[str, object], *, force: bool) -> int:
    """Build the books of several parts or companies, and tell one by one how it went; return the exit code."""
    from crm_analysis.report.many_books import build_many_books

    try:
        with _progress() as tell:
            made = build_many_books(
                period, companies=companies, by=by, parameters=parameters, force=force, progress=tell
            )
    except KeyboardInterrupt:
        raise BookError("Interrupted; books that were finished before are published, nothing else is.") from None
    table = Table(title=f"Books of {period}" + (f" by {by}" if by else ""), title_justify="left")
    table.add_column("part" if by else "company", overflow="fold")
    table.add_column("status", no_wrap=True)
    table.add_column("headline, or what went wrong", overflow="fold")
    for outcome in made.outcomes:
        name = outcome.title or outcome.company
        shown = name if len(companies) == 1 or not by else f"{outcome.company}: {name}"
        table.add_row(escape(shown), outcome.status, escape(outcome.first_line))
    errors.print(table)
    for sentence in made.sentences:
        _say(sentence)
    failed = [outcome for outcome in made.outcomes if outcome.exit_code]
    if failed:
        _say(f"{len(failed)} of {len(made.outcomes)} failed; their last good books stand. To see one in full:")
        _say(f"  crm-analysis report --period {period} --settings {shlex.quote(str(failed[0].settings_file))}")
    for index in made.indexes:
        _made(index)
    return made.exit_code


@app.command()
def validate(
    settings: SettingsFile = Path("crm.toml"),
    period: Annotated[str, typer.Option(help="Month to cut the log at; the whole log when not given.")] = "",
) -> None:
    """Check settings and data, and show what would be used and set aside; nothing is written."""
    from crm_analysis.data.company_log import open_transactions
    from crm_analysis.periods import Month

    found = load_settings(settings)
    as_of = Month.parse(period).last_day if period else None
    if found.kind == "contracts":
        _validate_contracts(found, as_of)
        return
    if found.kind == "survey":
        _validate_survey(found, as_of)
        _made_of(found, "survey")
        return
    with _progress() as tell:
        tell("Reading the log")
        log = open_transactions(found, as_of=as_of)
        counters = log.counters
    table = Table(title=f"{log.source}: rows by what becomes of them", title_justify="left")
    for name, justify in (("outcome", "left"), ("rows", "right"), (f"money ({log.currency})", "right")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]  # rich names its own literals
    for row in log.reconciliation.itertuples():
        table.add_row(str(row.reason), f"{row.rows:,}", f"{row.money:,.2f}")
    for row in counters.itertuples():
        table.add_row(f"among the used: {row.meaning}", f"{row.rows:,}", f"{row.money:,.2f}")
    errors.print(table)
    _validate_survey(found, as_of)
    if log.unseen_margins:
        errors.print(f"money.margins names what no used line shows: {listing(log.unseen_margins)}", markup=False)
    source = found.sources.purchase_log
    _made(found.path(source.path) if source.path is not None else Path(source.table or "transactions"))


def _validate_contracts(settings: Settings, as_of: date | None) -> None:
    """Check the contracts of a company that has no purchase log."""
    from crm_analysis.data.company_log import open_side_table

    with _progress() as tell:
        tell("Reading the contracts")
        contracts = open_side_table(settings, "memberships", as_of=as_of)
    assert contracts is not None  # what makes it a company of contracts
    _say_rows(contracts, "among the used")
    _validate_survey(settings, as_of)
    _made_of(settings, "memberships")


def _made_of(settings: Settings, name: str) -> None:
    source = settings.sources.beside_the_log()[name]
    _made(settings.path(source.path) if source.path is not None else Path(source.table or name))


def _validate_survey(settings: Settings, as_of: date | None) -> None:
    """Check the survey, where there is one."""
    from crm_analysis.data.company_log import open_survey

    if settings.sources.survey is None:
        return
    with _progress() as tell:
        tell("Reading the survey")
        survey = open_survey(settings, as_of=as_of)
    assert survey is not None
    _say_rows(survey, "worth knowing")


def _say_rows(read: "SideTable | Survey", before_notes: str) -> None:
    """Print what becomes of the rows of a table beside the log, and the notes on those used."""
    table = Table(title=f"{read.source}: rows by what becomes of them", title_justify="left")
    table.add_column("outcome")
    table.add_column("rows", justify="right")
    for row in read.reconciliation.itertuples():
        table.add_row(str(row.reason), f"{row.rows:,}")
    for row in read.notes.itertuples():
        which = f" ({row.which!s})" if row.which else ""
        table.add_row(escape(f"{before_notes}: {row.meaning!s}{which}"), f"{row.rows:,}")
    errors.print(table)


@app.command()
def value(
    as_of: Annotated[str, typer.Option(help="Last day that is known, YYYY-MM-DD.")],
    out: Annotated[
        str, typer.Option(help="Where the values go: NAME.parquet, NAME.csv or a folder NAME/ of Parquet files.")
    ],
    transactions: Annotated[
        Path | None,
        typer.Option(help="A purchase log: CSV, Parquet or a folder of Parquet; the settings' own when not given."),
    ] = None,
    model: Annotated[
        str, typer.Option(help="Fit this model without a test of others, such as BG/NBD; chosen by test when empty.")
    ] = "",
    grid: Annotated[str, typer.Option(help="Fit histories by the day, week or month.")] = "day",
    settings: SettingsFile = Path("crm.toml"),
) -> None:
    """Value every customer of a log, of any size, without the book."""
    from crm_analysis.value.write_values import write_values

    day = _read_day(as_of)
    found = load_settings(settings) if settings.exists() or settings != Path("crm.toml") else Settings()
    with _progress() as tell:
        written = write_values(
            found, as_of=day, out=out, transactions=transactions, model=model or None, grid=grid, progress=tell
        )
    _say(f"{written.customers:,} customers, {written.residual_value:,.2f} {found.company.currency} of residual value.")
    _say(written.method)
    _made(written.path)


@app.command()
def sample(
    out: Annotated[Path, typer.Option(help="Where the log goes.")] = Path("data/raw/cdnow/transactions.csv"),
) -> None:
    """Write the CDNOW purchase log, the sample data of this project."""
    from crm_analysis.data.samples import write_cdnow

    _made(write_cdnow(out))


@app.command()
def status(settings: SettingsFile = Path("crm.toml")) -> None:
    """List the published books."""
    from crm_analysis.report.parts import published_parts
    from crm_analysis.report.publish import published_books

    found = load_settings(settings)
    reports = found.path(found.report.reports)
    books = [("", book) for book in published_books(reports)]
    parts = [(str(book.manifest["company"]), book) for book in published_parts(reports)]
    table = Table(title="Published books", title_justify="left")
    for name in ("period", *(["part"] if parts else []), "built", "status", "headline"):
        table.add_column(name)
    for part, book in books + parts:
        told = [str(book.manifest.get(key, "")) for key in ("finished", "status_words", "headline")]
        table.add_row(book.period, *(escape(text) for text in ([part] if parts else []) + told))
    errors.print(table if books or parts else "No book is published yet.")
    _made(reports)


def main() -> None:
    """Run the command line; every failure ends with the exit code that belongs to it."""
    try:
        code = app(standalone_mode=False)
        if code == _INTERRUPTED:
            raise KeyboardInterrupt
        sys.exit(code if isinstance(code, int) else 0)
    except CrmAnalysisError as error:
        for line in (str(error), *getattr(error, "__notes__", [])):
            errors.print(line, markup=False)
        sys.exit(error.exit_code)
    except (typer.Abort, KeyboardInterrupt):
        errors.print("Interrupted; nothing was published.")
        sys.exit(1)
    except Exception as error:
        usage = getattr(error, "format_message", None)
        if usage is None:
            traceback.print_exc()
            sys.exit(1)
        errors.print(usage(), markup=False)
        sys.exit(2)


@contextlib.contextmanager
def _progress() -> Iterator[Progress]:
    """Show what is being done: one line that changes on a terminal, plain lines elsewhere."""
    if not errors.is_terminal:
        yield _say
        return
    with ProgressLine(errors) as line:
        yield line


def _say(words: str) -> None:
    errors.print(words, markup=False)


def _made(path: Path) -> None:
    print(path)


def _read_parameter(text: str) -> tuple[str, object]:
    name, equals, value = text.partition("=")
    if not equals:
        raise SettingsError(f"--parameter is {text!r}; write NAME=VALUE.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def _read_day(text: str) -> date:
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()
    except ValueError:
        raise SettingsError(f"--as-of is {text!r}; write a date as YYYY-MM-DD.") from None


if __name__ == "__main__":
    main()
