"""One line on a terminal while something takes long: what is being done, how far it is, for how long it has been."""

import threading
import time
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.spinner import Spinner
from rich.table import Column, Table
from rich.text import Text

from crm_analysis.progress import Step

# What takes no longer is over before a reader has found the line.
SILENCE = 2.0
_BAR = 16


class ProgressLine:
    """A line that is told in words what is being done, and goes when the with block ends.

    Parameters
    ----------
    console : Console
        A terminal.
    silence : float
        Seconds before anything is shown.
    """

    def __init__(self, console: Console, *, silence: float = SILENCE) -> None:
        self._words = ""
        self._spinner = Spinner("dots")
        self._began = time.monotonic()
        self._live = Live(self, console=console, transient=True, refresh_per_second=8)
        self._guard = threading.Lock()
        self._is_over = False
        self._timer = threading.Timer(silence, self._show)
        self._timer.daemon = True

    def __enter__(self) -> "ProgressLine":
        self._timer.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        with self._guard:
            self._is_over = True
            self._live.stop()

    def __call__(self, words: str) -> None:
        """Say what is being done now."""
        self._words = words

    def _show(self) -> None:
        with self._guard:
            if not self._is_over:
                self._live.start()

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        words = self._words
        line = Table.grid(
            Column(width=1),
            Column(no_wrap=True, overflow="ellipsis"),
            Column(no_wrap=True),
            Column(no_wrap=True, justify="right"),
            padding=(0, 1, 0, 0),
        )
        bar: ProgressBar | str = ""
        if isinstance(words, Step) and console.width >= 60:
            bar = ProgressBar(total=1.0, completed=words.share, width=_BAR)
        line.add_row(self._spinner, Text(" ".join(words.split())), bar, Text(_clock(time.monotonic() - self._began)))
        yield line


def _clock(seconds: float) -> str:
    """Write a length of time: 12 s, 3:05 min, 1:02:03 h."""
    minutes, rest = divmod(int(seconds), 60)
    if not minutes:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"
