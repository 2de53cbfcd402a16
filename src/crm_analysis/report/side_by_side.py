"""Processes side by side within a budget of memory: who may start, what each of them says, how each of them ends."""

import contextlib
import json
import os
import queue
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# So long may a process take to clean up after itself before it is killed.
PATIENCE = 15.0
_A_GLANCE = 0.2
# A kernel looks once a second whether the process that started it is still there.
_KERNELS_NOTICE = 1.5
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """One process to run.

    Attributes
    ----------
    name : str
        What people call it.
    command : sequence of str
        It tells what happens in lines of JSON on its standard output.
    memory : float
        How many bytes it is thought to need.
    """

    name: str
    command: Sequence[str]
    memory: float


@dataclass(frozen=True)
class Ended:
    """How a process ended.

    Attributes
    ----------
    code : int
        Its exit code; negative: the signal that killed it.
    told : dict
        The last thing it told that was no progress.
    last_words : str
        The last line it wrote to standard error.
    """

    code: int
    told: dict[str, Any]
    last_words: str


def admitted(waiting: Sequence[float], running: Sequence[float], *, budget: float, most: int) -> list[int]:
    """Return which of those who wait may start now.

    Parameters
    ----------
    waiting, running : sequence of float
        How much memory each is thought to need; those who wait in the order in which they should start.
    budget : float
        What all that run may need together.
    most : int
        How many may run at the same time.

    Returns
    -------
    list of int
        Positions in `waiting`. The first in order starts when nothing runs, however much it needs; a later one passes
        an earlier one that does not fit.
    """
    chosen: list[int] = []
    used, slots = sum(running), most - len(running)
    for position, need in enumerate(waiting):
        is_alone = not running and not chosen
        if slots > 0 and (is_alone or used + need <= budget):
            chosen.append(position)
            used += need
            slots -= 1
    return chosen


def run_side_by_side(
    jobs: Sequence[Job],
    *,
    budget: float,
    most: int,
    heard: Callable[[int, str], None],
    ended: Callable[[int, Ended], None],
) -> None:
    """Run all jobs, those that need most memory first.

    Parameters
    ----------
    jobs : sequence of Job
    budget, most
        See `admitted`.
    heard : callable
        Told the position of a job and the words of its progress.
    ended : callable
        Told the position of a job and how it ended; nobody of it is at work any more.

    Raises
    ------
    KeyboardInterrupt
        After all processes have been interrupted and are gone.
    """
    order = sorted(range(len(jobs)), key=lambda position: -jobs[position].memory)
    running: dict[int, _Running] = {}
    said: queue.Queue[tuple[int, dict[str, Any]]] = queue.Queue()
    try:
        while order or running:
            needs = [jobs[position].memory for position in order]
            taken = admitted(needs, [jobs[position].memory for position in running], budget=budget, most=most)
            for position in [order[place] for place in taken]:
                running[position] = _Running(position, jobs[position], said, threads=_threads(min(most, len(jobs))))
                order.remove(position)
            _pass_on(said, running, heard, wait=True)
            for position in [position for position, one in running.items() if one.is_over]:
                _pass_on(said, running, heard, wait=False)
                ended(position, running.pop(position).close())
    finally:
        _stop(list(running.values()))


class _Running:
    """A process that runs, and a thread that listens to it."""

    def __init__(
        self, position: int, job: Job, said: "queue.Queue[tuple[int, dict[str, Any]]]", *, threads: int
    ) -> None:
        self.told: dict[str, Any] = {}
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 closed with the process
        self.process = subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,  # an interrupt at the terminal comes here alone, and is passed on in order
            env={name: str(threads) for name in _THREADS} | os.environ,
        )
        self._listener = threading.Thread(target=self._listen, args=(position, said), daemon=True)
        self._listener.start()

    def _listen(self, position: int, said: "queue.Queue[tuple[int, dict[str, Any]]]") -> None:
        assert self.process.stdout is not None
        with contextlib.suppress(ValueError, OSError):  # closed while it was read
            for line in self.process.stdout:
                with contextlib.suppress(json.JSONDecodeError):
                    message = json.loads(line)
                    if isinstance(message, dict):
                        said.put((position, message))

    @property
    def is_over(self) -> bool:
        """Whether the process has ended and all it said has been heard."""
        if self.process.poll() is None:
            return False
        self._listener.join(timeout=PATIENCE)
        return True

    def close(self) -> Ended:
        """Say how it ended."""
        code = self.process.wait()
        if code < 0:
            time.sleep(_KERNELS_NOTICE)  # it could not stop its kernel itself
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._errors.seek(0)
        lines = self._errors.read().decode(errors="replace").strip().splitlines()
        self._errors.close()
        return Ended(code, self.told, lines[-1] if lines else "")


def _pass_on(
    said: "queue.Queue[tuple[int, dict[str, Any]]]",
    running: dict[int, _Running],
    heard: Callable[[int, str], None],
    *,
    wait: bool,
) -> None:
    """Hand on what was said; wait for the first of it when asked to."""
    with contextlib.suppress(queue.Empty):
        while True:
            position, message = said.get(block=wait, timeout=_A_GLANCE)
            wait = False
            if "progress" in message:
                heard(position, str(message["progress"]))
            elif position in running:
                running[position].told = message


def _stop(running: Sequence[_Running]) -> None:
    """Interrupt what still runs, so that it cleans up; kill what does not end in time."""
    if not running:
        return
    for one in running:
        with contextlib.suppress(ProcessLookupError):
            one.process.send_signal(signal.SIGINT)
    end = time.monotonic() + PATIENCE
    try:
        for one in running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                one.process.wait(max(0.0, end - time.monotonic()))
    finally:
        for one in running:
            if one.process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(one.process.pid, signal.SIGKILL)
        for one in running:
            one.close()


def _threads(processes: int) -> int:
    return max(1, cores() // max(1, processes))


def cores() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def free_memory() -> float:
    """Bytes that a new process may take without another giving up its own: of the machine, and of the container."""
    free = [float("inf")]
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        free.append(next(float(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable")))
    with contextlib.suppress(OSError, ValueError):
        limit, used = (float(Path(f"/sys/fs/cgroup/memory.{name}").read_text()) for name in ("max", "current"))
        free.append(max(0.0, limit - used))
    if len(free) == 1:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            free.append(float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")))
    return min(free)
