"""A log that comes in deliveries, file by file: each is checked once and kept, so that a new month reads what is new.

The folder of the store holds one Parquet file of checked lines for each delivery, named by the digest of the delivery's
bytes, and `deliveries.json`, which says which of them are the log now. A delivery that was corrected has another digest
and is read again; one that is gone is no longer part of the log.
"""

import contextlib
import fcntl
import hashlib
import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from functools import reduce
from importlib.metadata import version
from operator import add
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.types as ir

from crm_analysis.data import engines
from crm_analysis.data.judging import CheckedLog
from crm_analysis.data.loading import CSV_ENDINGS, PARQUET_ENDINGS, RawTable, no_rows
from crm_analysis.data.refunds import md5
from crm_analysis.errors import DataError
from crm_analysis.messages import _
from crm_analysis.progress import Progress, Step
from crm_analysis.settings import DoorRules, EngineSettings, LineMargins

STATE = "deliveries.json"
# Of the sums that rest on deliveries, perhaps on some that are no longer the log; see `kept_sums`.
SUMS_STATE = "customers.json"
# What tells a row from others as delivered, and whether its key is filled in: kept beside the typed columns.
ROW_DIGEST, HAS_KEY = "row_digest", "has_key"
# Between two columns of a row whose digest is taken.
_END = "\x1f"


@dataclass(frozen=True)
class Delivery:
    """One file of the log, checked.

    Attributes
    ----------
    name : str
        As delivered.
    digest : str
        SHA-256 of its bytes.
    rows : int
    money, turnover : str
        Decimals, as text.
    has_refunds, all_paid : bool
        As in `CheckedLog`.
    """

    name: str
    digest: str
    rows: int
    money: str
    turnover: str
    has_refunds: bool
    all_paid: bool


@dataclass(frozen=True)
class Store:
    """The deliveries of a log as they are kept, and where.

    Attributes
    ----------
    folder : Path
    signature : str
        Digest of the settings and the version by which lines were checked.
    deliveries : tuple of Delivery
        In the order of their names.
    """

    folder: Path
    signature: str
    deliveries: tuple[Delivery, ...]

    def files(self, digests: Sequence[str]) -> list[str]:
        """Return where the checked lines of deliveries are."""
        return [str(self.folder / f"{digest}.parquet") for digest in digests]

    @property
    def digests(self) -> list[str]:
        """Of the deliveries that are the log now; one of which nothing is wanted has no lines."""
        return [delivery.digest for delivery in self.deliveries if delivery.rows]


def signature(**settings: object) -> str:
    """Digest of everything that decides what becomes of a delivered row, this package's version among it."""
    told = {"crm_analysis": version("crm_analysis"), **settings}
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()


def delivered_files(folder: Path) -> list[Path]:
    """Return the files of a folder that a log can be read from, by name.

    Raises
    ------
    DataError
        When there is none.
    """
    endings = CSV_ENDINGS + PARQUET_ENDINGS
    files = sorted(
        file for file in folder.rglob("*") if file.name.lower().endswith(endings) and not file.name.startswith(".")
    )
    if not files:
        raise DataError(f"{folder.name}: the folder holds no delivery.\nTo fix: put CSV or Parquet files there.")
    return files


def take_in(
    folder: Path,
    kept_in: Path,
    sign: str,
    check: Callable[[Path], CheckedLog | None],
    progress: Progress | None = None,
) -> Store:
    """Check what is new in a folder, and keep it.

    Parameters
    ----------
    folder : Path
        Of deliveries.
    kept_in : Path
        The store; made when needed.
    sign : str
        See `signature`; what was kept under another is checked again.
    check : callable
        From a file to its checked log, with the columns of `of_rows`; None where nothing in it is wanted.
    progress : callable, optional
        Told which delivery is being checked.

    Raises
    ------
    DataError
        When deliveries are refused, all of them in one message, or one was delivered under two names. What was kept
        before stands.
    """
    kept_in.mkdir(parents=True, exist_ok=True)
    with held(kept_in):
        known = {delivery.digest: delivery for delivery in _known(kept_in, sign)}
        files = {file: _digest(file) for file in delivered_files(folder)}
        _require_once(files, folder)
        new = [file for file, digest in files.items() if digest not in known]
        problems = []
        for number, file in enumerate(new, start=1):
            name = file.relative_to(folder).as_posix()
            if progress is not None:
                words = _("Checking {file}, {number} of {all}", file=name, number=number, all=len(new))
                progress(Step(words, number, len(new)))
            try:
                known[files[file]] = _kept(name, files[file], check(file), kept_in)
            except DataError as error:
                problems.append(str(error))
        if problems:
            raise DataError("\n".join(problems))
        deliveries = tuple(
            replace(known[digest], name=file.relative_to(folder).as_posix()) for file, digest in files.items()
        )
        if not any(delivery.rows for delivery in deliveries):
            raise no_rows(folder.name)
        write_state(kept_in / STATE, {"signature": sign, "deliveries": [asdict(one) for one in deliveries]})
        store = Store(kept_in, sign, deliveries)
        remove_others(store, beside=read_state(kept_in / SUMS_STATE).get("digests", []))
    return store


def as_one_log(
    store: Store,
    rules: DoorRules,
    engine: EngineSettings,
    source: str,
    currency: str,
    margins: LineMargins | None = None,
) -> CheckedLog:
    """Return the deliveries as one checked log, copied into the embedded DuckDB where it is small."""
    backend = engines.embedded(engine)
    kept = lines_of(backend, store, store.digests)
    rows = sum(delivery.rows for delivery in store.deliveries)
    lines, marked = with_copies(kept, rules, mark=False), with_copies(kept, rules, mark=True)
    is_copied = rows <= engine.copy_rows
    if is_copied:
        lines = marked = backend.create_table("lines", marked)
    return CheckedLog(
        lines=lines,
        marked=marked,
        rows=rows,
        money=sum((Decimal(delivery.money) for delivery in store.deliveries), Decimal("0.0000")),
        turnover=sum((Decimal(delivery.turnover) for delivery in store.deliveries), Decimal("0.0000")),
        has_refunds=any(delivery.has_refunds for delivery in store.deliveries),
        all_paid=all(delivery.all_paid for delivery in store.deliveries),
        is_copied=is_copied,
        rules=rules,
        engine=engine,
        source=source,
        currency=currency,
        store=store,
        margins=margins,
    )


def lines_of(backend: Any, store: Store, digests: Sequence[str]) -> ir.Table:
    """Return the kept lines of some deliveries."""
    table: ir.Table = backend.read_parquet(store.files(digests), union_by_name=True)
    # What reads a day from text makes a midnight of it in DuckDB, and a file holds what it is given.
    return table.mutate(order_date=table.order_date.cast("date"))


def with_copies(kept: ir.Table, rules: DoorRules, *, mark: bool) -> ir.Table:
    """Tell which lines are copies of others as delivered, whichever delivery these came in; see `CheckedLog`."""
    copy = ibis.row_number().over(ibis.window(group_by=kept[ROW_DIGEST]))
    is_proven = (copy > 0) & kept[HAS_KEY] if rules.order_line_key else ibis.literal(False)
    told = {"is_proven_copy": is_proven} | ({"copy": copy} if mark else {})
    return kept.mutate(**told).drop(ROW_DIGEST, HAS_KEY)


def of_rows(raw: RawTable, rules: DoorRules) -> dict[str, ir.Value]:
    """Return what has to be kept of each row as delivered to tell copies in other deliveries."""
    written = [
        (ibis.literal(f"{name}=") + raw.table[name].cast(str) + ibis.literal(_END)).fill_null("")
        for name in sorted(raw.columns)
    ]
    filled = [raw.table[name].notnull() for name in rules.order_line_key]
    return {ROW_DIGEST: md5(reduce(add, written)), HAS_KEY: ibis.and_(*filled)}


def remove_others(store: Store, *, beside: Sequence[str] = ()) -> None:
    """Remove kept lines that belong neither to the log nor to the digests `beside` it."""
    wanted = {*store.files(store.digests), *store.files(beside)}
    for file in store.folder.glob("*.parquet"):
        if len(file.stem) == hashlib.sha256().digest_size * 2 and str(file) not in wanted:
            file.unlink(missing_ok=True)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Wait until nobody else changes what is in a folder."""
    with (folder / ".lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _kept(name: str, digest: str, checked: CheckedLog | None, kept_in: Path) -> Delivery:
    if checked is None:
        return Delivery(name, digest, 0, "0", "0", has_refunds=False, all_paid=True)
    engines.write_parquet(checked.lines, kept_in / f"{digest}.parquet", folder=False)
    return Delivery(
        name,
        digest,
        checked.rows,
        str(checked.money),
        str(checked.turnover),
        has_refunds=checked.has_refunds,
        all_paid=checked.all_paid,
    )


def read_state(file: Path) -> dict[str, Any]:
    """Return what a state says; nothing where it is not there or cannot be read."""
    try:
        state = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}


def write_state(file: Path, content: Mapping[str, object]) -> None:
    """Write a state, complete or not at all."""
    unfinished = file.with_name(f".{file.name}.{uuid.uuid4().hex[:8]}")
    unfinished.write_text(json.dumps(content, indent=1), encoding="utf-8")
    unfinished.replace(file)


def _known(kept_in: Path, sign: str) -> Iterator[Delivery]:
    """Deliveries that were checked by the same settings and are still there."""
    state = read_state(kept_in / STATE)
    if state.get("signature") == sign:
        for told in state["deliveries"]:
            delivery = Delivery(**told)
            if not delivery.rows or (kept_in / f"{delivery.digest}.parquet").is_file():
                yield delivery


def _require_once(files: Mapping[Path, str], folder: Path) -> None:
    names: dict[str, list[str]] = {}
    for file, digest in files.items():
        names.setdefault(digest, []).append(file.relative_to(folder).as_posix())
    twice = [" and ".join(same) for same in names.values() if len(same) > 1]
    if twice:
        raise DataError(
            f"{folder.name}: the same file was delivered twice: {'; '.join(twice)}.\nTo fix: remove one of each."
        )


def _digest(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
