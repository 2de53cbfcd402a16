"""What is shown while something takes long: nothing at first, then one line that tells what, how far and how long."""

import io
import os
import pty
import re
import select
import subprocess
import sys
import time

import pytest
from rich.console import Console

from crm_analysis.progress import Step
from crm_analysis.progress_line import ProgressLine, _clock

# The cursor is shown again, and the line is wiped.
GONE = "\x1b[?25h\r\x1b[1A\x1b[2K"


def terminal(width: int = 100) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, highlight=False, soft_wrap=True)


def lines(shown: str) -> list[str]:
    """What a terminal was told to show, line by line, without the codes that move and colour."""
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    return [line for line in re.split(r"[\r\n]+", plain) if line.strip()]


def test_a_step_is_words_and_knows_how_far_it_is():
    step = Step("Chapter 2 of 4", 2, 4)
    assert step == "Chapter 2 of 4"
    assert f"{step}" == "Chapter 2 of 4"
    assert step.share == 0.25
    assert Step("2 of 4 done", 2, 4, is_done=True).share == 0.5


def test_nothing_is_shown_of_what_is_over_soon():
    console = terminal()
    with ProgressLine(console, silence=0.5) as tell:
        tell("Reading the log")
    assert console.file.getvalue() == ""


def test_the_line_says_what_how_far_and_how_long_and_goes_at_the_end():
    console = terminal()
    with ProgressLine(console, silence=0.05) as tell:
        tell(Step("Chapter 3 of 4: Customer equity", 3, 4))
        time.sleep(1.3)
    shown = lines(console.file.getvalue())
    assert any("Chapter 3 of 4: Customer equity" in line and "1 s" in line and "━" in line for line in shown)
    assert console.file.getvalue().endswith(GONE)


@pytest.mark.parametrize("width", [20, 40, 80])
def test_the_line_is_one_line_however_long_the_words_and_narrow_the_terminal(width):
    console = terminal(width)
    with ProgressLine(console, silence=0.01) as tell:
        tell(Step("Summing up customers, " * 20 + "[/bold]\nand more", 1, 4))
        time.sleep(0.4)
    shown = console.file.getvalue()
    assert all(len(line) <= width for line in lines(shown))
    assert shown.count("\x1b[1A") == 1  # up by one line, once, at the end


def test_an_error_takes_the_line_away_too():
    console = terminal()
    with pytest.raises(KeyboardInterrupt), ProgressLine(console, silence=0.01):
        time.sleep(0.3)
        raise KeyboardInterrupt
    assert console.file.getvalue().endswith(GONE)


def test_a_length_of_time_is_written_for_a_reader():
    assert [_clock(seconds) for seconds in (0.4, 59.9, 60, 3723)] == ["0 s", "59 s", "1:00 min", "1:02:03 h"]


CODE = """
import sys, time
from crm_analysis.cli import _progress
with _progress() as tell:
    tell("Reading the log")
    time.sleep(float(sys.argv[1]))
print("done", file=sys.stderr)
"""


def shown_on_a_terminal(seconds: float) -> str:
    """What a real terminal is sent by the command's own progress."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen(
        [sys.executable, "-c", CODE, str(seconds)], stderr=theirs, stdout=theirs, stdin=subprocess.DEVNULL,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "80"},
    )  # fmt: skip
    os.close(theirs)
    shown = b""
    while run.poll() is None or select.select([ours], [], [], 0.1)[0]:
        if select.select([ours], [], [], 0.1)[0]:
            try:
                shown += os.read(ours, 4096)
            except OSError:  # the other side is closed
                break
    run.wait()
    os.close(ours)
    return shown.decode()


def test_a_terminal_shows_nothing_within_two_seconds():
    assert shown_on_a_terminal(0.5) == "done\r\n"


def test_a_terminal_shows_the_line_after_two_seconds():
    shown = shown_on_a_terminal(3.2)
    assert any("Reading the log" in line and re.search(r"[23] s", line) for line in lines(shown))
    assert lines(shown)[-1] == "done"


def test_elsewhere_the_words_are_plain_lines_at_once():
    done = subprocess.run([sys.executable, "-c", CODE, "0"], capture_output=True, text=True, check=True)
    assert done.stderr == "Reading the log\ndone\n"
