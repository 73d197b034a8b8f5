"""CPU seconds of a piece of work, of whole processes, and the row they are printed in.

CPU time, not wall time: other programs on the machine change the one little and the
other at will. Threads count: what two cores do in a second costs two seconds.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

__all__ = ["REPEATS", "Row", "first_and_warm", "installed", "median_cpu_s", "process_cpu_s"]

REPEATS = 3


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes
    ----------
    what
        The work, with its size.
    cpu_s
        CPU seconds of ours, warm.
    first_s
        CPU seconds of the first call, compilation included; None where nothing compiles.
    peer
        Who else did the same work in the same run; "" where there is nobody.
    peer_s
        CPU seconds of the peer; None where it is not installed.
    bar_s
        What we promised on a core of the reference speed; None where nothing.
    note
        What a reader must know to trust the ratio.
    drawn
        Whether most of it is rasterising: its bar is read by that yardstick too.
    """

    what: str
    cpu_s: float
    first_s: float | None = None
    peer: str = ""
    peer_s: float | None = None
    bar_s: float | None = None
    note: str = ""
    drawn: bool = False

    @property
    def ratio(self) -> float | None:
        """How many times as long the peer takes."""
        return None if self.peer_s is None or not self.cpu_s else self.peer_s / self.cpu_s


def median_cpu_s(work: Callable[[], object], *, repeats: int = REPEATS) -> float:
    """Return the median CPU seconds of calling `work`."""
    return statistics.median(_cpu_s(work) for _ in range(repeats))


def first_and_warm(work: Callable[[], object]) -> tuple[float, float]:
    """Return CPU seconds of the first call, and the median of those after it."""
    return _cpu_s(work), median_cpu_s(work)


def process_cpu_s(command: Sequence[str], *, repeats: int = REPEATS) -> float:
    """Return the median CPU seconds, user and system, of a whole process.

    Raises
    ------
    subprocess.CalledProcessError
        The process failed.
    """
    times = []
    for _ in range(repeats + 1):  # the first fills the file cache and writes .pyc files
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(times[1:])


def installed(package: str) -> bool:
    """Tell whether a peer is here to be measured."""
    return find_spec(package) is not None


def _cpu_s(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
