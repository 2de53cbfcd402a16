"""One book in a process of its own: the order comes as JSON, what happens goes back as lines of JSON.

`python -m crm_analysis.report.one_book ORDER`; `many_books` starts it, so that what ends one book ends no other.
"""

import contextlib
import ctypes
import json
import os
import signal
import sys
import traceback
from pathlib import Path
from typing import Any, TextIO

from crm_analysis.errors import BookError, CrmAnalysisError
from crm_analysis.report.book import build_book
from crm_analysis.settings import load_settings

_SIGNAL_AT_PARENTS_DEATH = 1  # PR_SET_PDEATHSIG of prctl(2)


def main() -> None:
    """Build the book that was ordered, and say how it went."""
    # Kernels inherit standard output; what they may write there must not come between the lines of JSON.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)
        # A job in the background of a shell has interrupts ignored, and so would this one.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _end_with_the_parent()
        try:
            code = _build(json.loads(sys.argv[1]), channel)
        except KeyboardInterrupt:
            code = BookError.exit_code
    sys.exit(code)


def _build(order: dict[str, Any], channel: TextIO) -> int:
    def tell(**what: Any) -> None:
        print(json.dumps(what), file=channel, flush=True)

    try:
        book = build_book(
            order["period"],
            settings=load_settings(Path(order["settings"])),
            parameters=order["parameters"],
            force=order["force"],
            progress=lambda words: tell(progress=str(words)),
        )
    except CrmAnalysisError as error:
        tell(failed="\n".join([str(error), *getattr(error, "__notes__", [])]), exit_code=error.exit_code)
        return error.exit_code
    except Exception as error:
        traceback.print_exc()
        tell(failed=f"{type(error).__name__}: {error}", exit_code=BookError.exit_code)
        return BookError.exit_code
    tell(published=str(book.manifest["headline"]), already=book.already_published)
    return 0


def _end_with_the_parent() -> None:
    """Be interrupted when the process that started this one is gone; where the system cannot do it, go on."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).prctl(_SIGNAL_AT_PARENTS_DEATH, signal.SIGINT)


if __name__ == "__main__":
    main()
