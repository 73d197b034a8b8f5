"""Worker processes: started afresh, spoken to in messages, watched, never waited for in vain."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bim_import._frames import receive, send
from cim.jobs import Job

__all__ = ["Meter", "Worker"]

_SAMPLE_S = 0.2
_TELL_S = 0.2
_QUEUE = 256
# A pool of threads for products of 4x4 matrices costs more than it gives.
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_HOME = str(Path(__file__).resolve().parent.parent)


@dataclass
class Meter:
    """What an import takes of the machine: CPU of all processes, and their common memory.

    Attributes
    ----------
    peak_mb
        Largest proportional set size of this process and its worker together, as
        sampled every 0.2 s; shared pages count once. 0 where the system does not say.
    """

    peak_mb: float = 0.0
    _start: float = field(default_factory=lambda: _cpu_s())  # noqa: PLW0108
    _sampled: float = 0.0

    def cpu_s(self) -> float:
        """Return CPU seconds of this process and its ended workers so far."""
        return _cpu_s() - self._start

    def sample(self, *processes: int) -> None:
        """Look at the memory, unless that was just done."""
        now = time.monotonic()
        if now - self._sampled >= _SAMPLE_S:
            self._sampled = now
            self.peak_mb = max(self.peak_mb, sum(_pss_mb(p) for p in (os.getpid(), *processes)))


class Worker:
    """A process that runs a module and answers requests.

    Parameters
    ----------
    module, words
        What to run.
    meter
        Gets samples of its memory.
    """

    def __init__(self, module: str, words: Sequence[str], meter: Meter) -> None:
        self.meter = meter
        paths = os.pathsep.join(p for p in (_HOME, os.environ.get("PYTHONPATH", "")) if p)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **_ONE_THREAD, "PYTHONPATH": paths},
        )  # fmt: skip
        self._box: queue.Queue[Any] = queue.Queue(maxsize=_QUEUE)
        self._gone = threading.Event()
        self._pump = threading.Thread(target=self._carry, daemon=True)
        self._pump.start()

    @property
    def alive(self) -> bool:
        """Tell whether the process still runs."""
        return self.process.poll() is None

    @property
    def out_of_cpu(self) -> bool:
        """Tell whether the system ended the process for its CPU time."""
        code = self.process.returncode
        return code in (-getattr(signal, "SIGXCPU", 24), -signal.SIGKILL)

    def ask(self, head: list[Any], blocks: tuple[bytes, ...] = ()) -> bool:
        """Send a request; tell whether it could be sent."""
        assert self.process.stdin is not None
        try:
            send(self.process.stdin, head, blocks, flush=True)
        except (BrokenPipeError, OSError):
            return False
        return True

    def answers(
        self, job: Job, progress: tuple[float, float, str], *, until: float, silence_s: float
    ) -> Iterator[tuple[list[Any], list[bytes]]]:
        """Yield messages until ``done``, the end of the process, `until`, or a long silence.

        Raises
        ------
        CancelledError
            The job was cancelled; the worker is ended.
        """
        heard = told = time.monotonic()
        while (now := time.monotonic()) < until:
            self.meter.sample(self.process.pid)
            if now - told > _TELL_S:
                job.step(progress[0], progress[1], what=progress[2])
                told = now
            try:
                message = self._box.get(timeout=0.1)
            except queue.Empty:
                if time.monotonic() - heard > silence_s:
                    break
                continue
            if message is None:
                self.process.wait()
                return
            heard = time.monotonic()
            yield message
            if message[0][0] == "done":
                return
        self.stop()

    def stop(self) -> None:
        """End the process; its CPU time then counts."""
        self._gone.set()
        self.process.kill()
        self.process.wait()
        self._pump.join()
        for stream in (self.process.stdin, self.process.stdout):
            assert stream is not None
            try:
                stream.close()
            except OSError:
                continue

    def _carry(self) -> None:
        """Carry messages into the box until their end or until nobody wants them."""
        message: Any = ()
        while message is not None and not self._gone.is_set():
            try:
                message = receive(self.process.stdout)  # type: ignore[arg-type]
            except (ValueError, OSError):
                message = None
            while not self._gone.is_set():
                try:
                    self._box.put(message, timeout=0.25)
                    break
                except queue.Full:
                    continue


def _cpu_s() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _pss_mb(process: int) -> float:
    try:
        text = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii")
    except OSError:
        return 0.0
    line = next((x for x in text.splitlines() if x.startswith("Pss:")), "Pss: 0 kB")
    return float(line.split()[1]) / 1024
