"""Meshes of an IFC file through a worker process, within a budget, nothing lost in silence.

The whole file goes through the fast kernel in one pass. Where that pass ends early, or
leaves products out without a word, those products are meshed one by one, first with
the fast kernel and then with the thorough one; what still has no mesh is missing, and
says why: ``budget`` (it ran out of CPU), ``crash``, ``empty``, or the kernel's words.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import._frames import receive, send
from bim_import._mesher import HYBRID, OPENCASCADE
from cim.jobs import Job

__all__ = ["Budget", "Meshed", "Shape", "mesh_products"]


@dataclass(frozen=True)
class Budget:
    """How long meshing may take, in CPU seconds of the worker.

    Attributes
    ----------
    stall_s
        Without a single finished product in the pass over the whole file.
    product_s
        For a product meshed by itself.
    total_s
        For the file (measured by the clock on the wall): the rest is then missing.
    memory_mb
        Address space of a worker.
    """

    stall_s: float = 10.0
    product_s: float = 8.0
    total_s: float = 300.0
    memory_mb: int = 16_000


@dataclass(frozen=True)
class Shape:
    """Triangles of one shape around its own zero, and their materials.

    Attributes
    ----------
    vertices
        (n, 3) float64, metres.
    triangles
        (m, 3) int32.
    material
        (m,) int32 into `materials`; -1 for none.
    materials
        (name, (r, g, b, a)) per material.
    """

    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]
    material: NDArray[np.int32]
    materials: tuple[tuple[str, tuple[float, float, float, float]], ...]


@dataclass
class Meshed:
    """What came through.

    Attributes
    ----------
    shapes
        Shapes by the worker's key.
    places
        GlobalId -> (shape key, (4, 4) float64 placement in model metres).
    missing
        GlobalId -> reason, for every product asked for that has no shape.
    kernel
        Kernel of the first pass.
    """

    shapes: dict[str, Shape] = field(default_factory=dict)
    places: dict[str, tuple[str, NDArray[np.float64]]] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    kernel: str = HYBRID


def mesh_products(
    path: Path, guids: Sequence[str], *, job: Job, budget: Budget | None = None
) -> Meshed:
    """Mesh the products `guids` of an IFC file.

    Parameters
    ----------
    path
        The file.
    guids
        GlobalIds of the products that have a body.
    job
        Progress and cancel; a cancel ends the worker within a second.
    budget
        Limits; the defaults suit files of hundreds of megabytes.
    """
    run = _Run(path, set(guids), job, budget or Budget())
    if guids:
        run.whole()
        run.single([g for g in guids if g not in run.found.places], HYBRID)
        run.single([g for g in guids if g not in run.found.places], OPENCASCADE)
    for guid in guids:
        if guid not in run.found.places:
            run.found.missing.setdefault(guid, "budget")
    for guid in run.found.places:
        run.found.missing.pop(guid, None)
    return run.found


class _Run:
    def __init__(self, path: Path, wanted: set[str], job: Job, budget: Budget) -> None:
        self.path, self.wanted, self.job, self.budget = path, wanted, job, budget
        self.found = Meshed()
        self.deadline = time.monotonic() + budget.total_s
        self.batch = 0

    def whole(self) -> None:
        """Mesh the whole file with the fast kernel."""
        self._serve(["all", HYBRID, []], self.budget.stall_s)

    def single(self, guids: list[str], kernel: str) -> None:
        """Mesh products one by one, in a new worker after each that ended the last."""
        if kernel == OPENCASCADE and self.found.kernel == OPENCASCADE:
            return
        while guids and time.monotonic() < self.deadline:
            last, reason = self._serve(["each", kernel, guids], self.budget.product_s)
            if last is None:
                return
            self.found.missing[last] = reason
            guids = guids[guids.index(last) + 1 :]

    def _serve(self, request: list[Any], stall_s: float) -> tuple[str | None, str]:
        """Run one worker; return the product it died on, if any, and why."""
        self.batch += 1
        last: str | None = None
        finished = False
        command = [
            sys.executable, "-m", "bim_import._mesher",
            str(self.path), str(stall_s), str(self.budget.memory_mb),
        ]  # fmt: skip
        home = str(Path(__file__).resolve().parent.parent)
        paths = os.pathsep.join(p for p in (home, os.environ.get("PYTHONPATH", "")) if p)
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": paths},
        ) as worker:  # fmt: skip
            try:
                assert worker.stdin is not None
                send(worker.stdin, request)
                worker.stdin.close()
                with closing(self._messages(worker, 10 * stall_s + 30.0)) as messages:
                    for head, blocks in messages:
                        finished = head[0] == "end"
                        if head[0] == "begin":
                            last = head[1]
                        elif self._take(head, blocks):
                            last = None
            except BrokenPipeError:
                pass
            finally:
                worker.kill()
        if finished:
            return None, ""
        out_of_cpu = worker.returncode in (-getattr(signal, "SIGXCPU", 24), -signal.SIGKILL)
        return last, "budget" if out_of_cpu else "crash"

    def _take(self, head: list[Any], blocks: list[bytes]) -> bool:
        """Keep a message; tell whether it finished a product."""
        if head[0] == "kernel" and self.batch == 1:
            self.found.kernel = head[1]
        elif head[0] == "mesh":
            self.found.shapes[self._key(head[1])] = Shape(
                np.frombuffer(blocks[0], dtype=np.float64).reshape(-1, 3),
                np.frombuffer(blocks[1], dtype=np.int32).reshape(-1, 3),
                np.frombuffer(blocks[2], dtype=np.int32),
                tuple((name, tuple(rgba)) for name, rgba in head[2]),
            )
        elif head[0] == "shape":
            if head[1] in self.wanted:
                matrix = np.frombuffer(blocks[0], dtype=np.float64).reshape(4, 4)
                self.found.places[head[1]] = (self._key(head[2]), matrix)
                self.job.step(len(self.found.places), len(self.wanted), what="bim.meshing")
            return True
        elif head[0] == "none":
            self.found.missing[head[1]] = head[2]
            return True
        return False

    def _key(self, key: str) -> str:
        return f"{self.batch}:{key}"

    def _messages(
        self, worker: subprocess.Popen[bytes], silence_s: float
    ) -> Generator[Any, None, None]:
        """Yield the worker's messages; give up on silence, deadline or cancel."""
        box: queue.Queue[Any] = queue.Queue(maxsize=256)
        gone = threading.Event()
        pump = threading.Thread(target=_pump, args=(worker.stdout, box, gone), daemon=True)
        pump.start()
        heard = time.monotonic()
        try:
            while time.monotonic() < self.deadline:
                try:
                    message = box.get(timeout=0.25)
                except queue.Empty:
                    self.job.step(len(self.found.places), len(self.wanted), what="bim.meshing")
                    if time.monotonic() - heard > silence_s:
                        return
                    continue
                if message is None:
                    worker.wait()
                    return
                heard = time.monotonic()
                yield message
        finally:
            gone.set()
            worker.kill()
            pump.join()


def _pump(stream: Any, box: queue.Queue[Any], gone: threading.Event) -> None:
    """Carry messages from the worker into `box` until its end or until nobody wants them."""
    message: Any = ()
    while message is not None and not gone.is_set():
        try:
            message = receive(stream)
        except (ValueError, OSError):
            message = None
        while not gone.is_set():
            try:
                box.put(message, timeout=0.25)
                break
            except queue.Full:
                continue
