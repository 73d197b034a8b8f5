"""How long work shows progress, is cancelled, tells its cost and resumes: one protocol.

An engine takes a `Job` and calls `job.step(done, total)` between slices of work
short enough (well under a second) for a cancel to be felt. It knows nothing of
progress bars or signals: the CLI, a notebook or a service hangs its own listener
on the job. `QUIET` listens to nothing and never cancels.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from cim.errors import CancelledError

__all__ = ["QUIET", "Cost", "Job", "Progress", "cpu_clock"]


@dataclass(frozen=True)
class Progress:
    """How far a piece of work is: `done` of `total` in its own unit, doing `what` (a key).

    ``count`` says how many of how many objects that is, where the work counts objects.
    """

    what: str
    done: float
    total: float
    count: tuple[int, int] | None = None

    @property
    def share(self) -> float:
        """Return the finished part, 0 to 1."""
        return min(1.0, self.done / self.total) if self.total > 0 else 1.0


@dataclass(frozen=True)
class Cost:
    """What a run would take, told before it starts."""

    cells: int
    memory_mb: float
    cpu_s: float
    steps: int = 0

    @property
    def told(self) -> dict[str, float]:
        """Return plain numbers; minutes are of one core that has nothing else to do."""
        return {
            "cells": self.cells,
            "steps": self.steps,
            "memory_mb": round(self.memory_mb, 1),
            "cpu_s": round(self.cpu_s, 2),
            "minutes": float(f"{self.cpu_s / 60.0:.2g}"),
        }


@dataclass
class Job:
    """One piece of long work: who listens to it, and whether it was cancelled.

    Parameters
    ----------
    listen
        Called with a `Progress` at every step; None hears nothing.
    """

    listen: Callable[[Progress], None] | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False)

    def cancel(self) -> None:
        """Ask the work to stop at its next step; safe from any thread or signal handler."""
        self._cancelled.set()

    @property
    def cancelled(self) -> bool:
        """Tell whether somebody asked the work to stop."""
        return self._cancelled.is_set()

    def part(self, done: float, total: float, *, size: float = 1.0) -> Job:
        """Return a job whose whole counts as `size` of `total` of this one; a cancel reaches both.

        Parameters
        ----------
        done
            How far this job is where the part begins.
        total, size
            In the unit of `done`.
        """
        listen = self.listen
        if listen is None:
            return self

        def hear(step: Progress) -> None:
            listen(Progress(step.what, done + size * step.share, total, step.count))

        return replace(self, listen=hear)

    def step(
        self,
        done: float,
        total: float,
        *,
        what: str = "job.working",
        count: tuple[int, int] | None = None,
    ) -> None:
        """Report progress; stop here if a cancel was asked for.

        Parameters
        ----------
        done, total
            How far, in any unit of the work's own.
        what
            Message key of what is being done.
        count
            Objects done, and all of them, where that is what a person waits for.

        Raises
        ------
        CancelledError
            The job was cancelled.
        """
        if self.cancelled:
            raise CancelledError("job.cancelled", given=f"{done:g}/{total:g}")
        if self.listen is not None:
            self.listen(Progress(what, done, total, count))


QUIET = Job()


@contextmanager
def cpu_clock() -> Iterator[Callable[[], float]]:
    """Yield a function that tells the CPU seconds of this process since the start of the block."""
    start = time.process_time()
    yield lambda: time.process_time() - start
