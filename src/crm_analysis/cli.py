"""The command line: arguments, progress and exit codes around the package, and no logic of its own.

Exit codes: 0 done, 1 run failed, 2 wrong usage or settings, 3 data refused. The last line on standard output is the
path of what was made; progress and messages go to standard error.
"""

import ast
import contextlib
import sys
import traceback
from collections.abc import Callable, Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from crm_analysis.errors import CrmAnalysisError, SettingsError
from crm_analysis.settings import Settings, load_settings

app = typer.Typer(
    name="crm-analysis",
    help="From purchases to a monthly customer-asset book.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
errors = Console(stderr=True, highlight=False, soft_wrap=True)

SettingsFile = Annotated[Path, typer.Option("--settings", help="The settings file of the company.")]
Period = Annotated[str, typer.Option(help="Month of the book, YYYY-MM.")]


@app.command()
def report(
    period: Period,
    settings: SettingsFile = Path("crm.toml"),
    parameter: Annotated[
        list[str] | None, typer.Option("--parameter", "-p", help="NAME=VALUE for a parameter of the notebooks.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace a book made of other inputs, or build a month that is not over.")
    ] = False,
) -> None:
    """Build and publish the book of one month."""
    from crm_analysis.report.book import build_book

    found = load_settings(settings)
    given = dict(_read_parameter(text) for text in parameter or [])
    with _progress() as tell:
        book = build_book(period, settings=found, parameters=given, force=force, progress=tell)
    if book.already_published:
        _say(f"{period} is already published from the same inputs; nothing was run.")
    _made(book.first_page)


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
    source = found.sources.transactions
    _made(found.path(source.path) if source.path is not None else Path(source.table or "transactions"))


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
    from crm_analysis.report.publish import published_books

    found = load_settings(settings)
    reports = found.path(found.report.reports)
    books = published_books(reports)
    table = Table(title="Published books", title_justify="left")
    for name in ("period", "built", "status", "headline"):
        table.add_column(name)
    for book in books:
        told = book.manifest
        table.add_row(
            book.period, *(escape(str(told.get(key, ""))) for key in ("finished", "status_words", "headline"))
        )
    errors.print(table if books else "No book is published yet.")
    _made(reports)


def main() -> None:
    """Run the command line; every failure ends with the exit code that belongs to it."""
    try:
        code = app(standalone_mode=False)
        sys.exit(code if isinstance(code, int) else 0)
    except CrmAnalysisError as error:
        for line in (str(error), *getattr(error, "__notes__", [])):
            errors.print(line, markup=False)
        sys.exit(error.exit_code)
    except typer.Abort:
        errors.print("Interrupted; nothing was published.")
        sys.exit(1)
    except KeyboardInterrupt:
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
def _progress() -> Iterator[Callable[[str], None]]:
    """Show what is being done: a spinner on a terminal, plain lines elsewhere."""
    if not errors.is_terminal:
        yield _say
        return
    with errors.status("Starting") as spinner:
        yield lambda words: spinner.update(escape(words))


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
