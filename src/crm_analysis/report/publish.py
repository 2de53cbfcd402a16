"""Publishing: one run of a period at a time, a staging place, and one exchange that makes the new book the book."""

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crm_analysis.errors import BookError

MANIFEST = "manifest.json"
_PERIOD = re.compile(r"\d{4}-(0[1-9]|1[0-2])")
_TOLD = {"finished", "headline", "status_words", "inputs", "pages"}  # what others read in a manifest
_EXCHANGE = 2  # RENAME_EXCHANGE of renameat2(2)
_CURRENT_FOLDER = -100  # AT_FDCWD


@contextlib.contextmanager
def only_run(folder: Path, period: str) -> Iterator[None]:
    """Hold the period for this run; a second run of it is refused, not queued.

    The lock is the operating system's and goes with the process, so a killed run leaves nothing to clean up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f".{period}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BookError(f"another run is building {period}; wait for it to end.") from None
        yield


@contextlib.contextmanager
def one_at_a_time(folder: Path, what: str) -> Iterator[None]:
    """Wait until nobody else is at `what`, such as the index that all periods share."""
    with (folder / f".{what}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def staging(folder: Path, period: str) -> Iterator[Path]:
    """Give an empty folder on the same file system as `folder`; what is still in it at the end is removed.

    Left-overs of killed runs of the period are removed first; the lock says nobody is at them.
    """
    remove_leftovers(folder, period)
    place = folder / f".staging-{period}-{os.getpid()}"
    place.mkdir(parents=True)
    try:
        yield place
    finally:
        shutil.rmtree(place, ignore_errors=True)


def remove_leftovers(folder: Path, period: str) -> None:
    """Remove the staging places of runs of a period that were killed; the caller knows that none is at work."""
    for leftover in folder.glob(f".staging-{period}-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def swap_in(staged: Path, target: Path) -> None:
    """Make `staged` the folder `target`, in one step; what was there before ends up at `staged`.

    Where there is nothing yet, one rename does it; where there is, the kernel exchanges the two names. On a system
    without such an exchange the old folder is moved aside first.
    """
    if not target.exists():
        staged.rename(target)
    elif not _exchange(staged, target):
        aside = staged.with_name(staged.name + "-old")
        target.rename(aside)
        staged.rename(target)
        aside.rename(staged)


def _exchange(one: Path, other: Path) -> bool:
    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    return rename(_CURRENT_FOLDER, os.fsencode(one), _CURRENT_FOLDER, os.fsencode(other), _EXCHANGE) == 0


def keep_aside(file: Path, folder: Path, period: str) -> Path:
    """Keep the notebook of a failed run, apart from what is published (it may name customers); return where it is."""
    place = folder / ".failed" / period / f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{file.name}"
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(file, place)
    return place


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Write JSON, complete or not at all."""
    write_whole(file, json.dumps(content, indent=1, default=str) + "\n")


def write_whole(file: Path, text: str) -> None:
    """Write a text file, complete or not at all."""
    unfinished = file.with_name(f".{file.name}.{os.getpid()}")
    unfinished.write_text(text, encoding="utf-8", newline="\n")
    unfinished.replace(file)


def file_hash(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


@dataclass(frozen=True)
class Published:
    """A published book, as its manifest tells it."""

    period: str
    folder: Path
    manifest: Mapping[str, Any]


def published_books(reports: Path) -> list[Published]:
    """Return all published books, newest period first."""
    books = []
    for manifest in sorted(reports.glob("*/" + MANIFEST), reverse=True):
        if not _PERIOD.fullmatch(manifest.parent.name):
            continue  # a copy somebody made, or no book at all
        with contextlib.suppress(json.JSONDecodeError):
            content = json.loads(manifest.read_text(encoding="utf-8"))
            if content.keys() >= _TOLD:
                books.append(Published(manifest.parent.name, manifest.parent, content))
    return books
