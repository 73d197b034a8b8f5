"""An IFC file through worker processes: what it says first, then every product's shape.

Nothing of the file is parsed by the caller's process. One worker reads the file and
builds what it can by itself; the rest goes in small pieces to a second one that holds
the kernels. A product has four rungs below the own reader: the hybrid kernel,
OpenCASCADE, its body without openings, its box. What it reached is its outcome:
``exact``, ``fallback``, ``box``, ``none_by_design`` (it has no body) or ``missing``.
"""

from __future__ import annotations

import importlib.util
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bim_import import cache
from bim_import._mesher import HYBRID, OPENCASCADE
from bim_import._process import Meter, Worker
from cim import errors
from cim.errors import MissingError, SourceError
from cim.jobs import Job

__all__ = ["Budget", "Hole", "Meshed", "Shape", "read_and_mesh", "read_said"]

_REACH_M = 1e8
"""No map has coordinates as large; NaN is not smaller either."""
_NEEDED = ("manifold3d", "mapbox_earcut", "ifcopenshell")
_OUTCOMES = ("exact", "fallback", "box", "none_by_design", "missing")


@dataclass(frozen=True)
class Budget:
    """How long meshing may take, in CPU seconds of a worker.

    Attributes
    ----------
    stall_s
        Without a finished product while the kernel has several before it.
    product_s
        For a product by itself, on each rung.
    trouble_s
        For all products that need more than one try; then one second a rung.
    total_s
        For the file (by the clock on the wall): the rest then gets its rough form.
    memory_mb
        Addresses of a worker; None: 1.5 GB and 15 times the file.
    """

    stall_s: float = 3.0
    product_s: float = 6.0
    trouble_s: float = 35.0
    total_s: float = 1800.0
    memory_mb: int | None = None


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


@dataclass(frozen=True)
class Hole:
    """What an opening cuts out of a product.

    Attributes
    ----------
    opening, host
        Numbers of both.
    width_m
        The second largest of its three extents along the host's axes.
    vertices, triangles
        (n, 3) float64 in model metres, (m, 3) int32: as the file draws it, often deeper
        than its host.
    """

    opening: int
    host: int
    width_m: float
    vertices: NDArray[np.float64]
    triangles: NDArray[np.int32]


@dataclass
class Meshed:
    """What came of a file.

    Attributes
    ----------
    said
        What the file says: schema, units, columns of `semantics`, evidence of its place.
    shapes
        Shapes by the workers' keys.
    places
        Number of a product -> (shape key, (4, 4) float64 placement in model metres).
    outcome
        Number of a product -> ``exact``, ``fallback``, ``box``, ``none_by_design``, ``missing``.
    why
        Number of a product -> why it is not exact.
    holes
        What openings cut out, where it could be read.
    cpu_s, first_geometry_s, peak_mb
        CPU of all processes; seconds by the clock to the first shape (NaN without one);
        largest memory of all processes together.
    cached
        Whether nothing had to be done.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    shapes: dict[str, Shape] = field(default_factory=dict)
    places: dict[int, tuple[str, NDArray[np.float64]]] = field(default_factory=dict)
    outcome: dict[int, str] = field(default_factory=dict)
    why: dict[int, str] = field(default_factory=dict)
    holes: list[Hole] = field(default_factory=list)
    cpu_s: float = 0.0
    first_geometry_s: float = float("nan")
    peak_mb: float = 0.0
    cached: bool = False

    def outcomes(self) -> dict[str, int]:
        """Return how many products came to each outcome."""
        count = dict.fromkeys(_OUTCOMES, 0)
        for one in self.outcome.values():
            count[one] += 1
        return count


def read_said(path: Path, *, job: Job) -> Mapping[str, Any]:
    """Return what an IFC file says (see `Meshed.said`), without its geometry.

    Raises as `read_and_mesh`.
    """
    run = _Run(path, job, Budget())
    try:
        run.read(only_said=True)
    finally:
        run.close()
    return run.found.said


def read_and_mesh(
    path: Path,
    *,
    job: Job,
    budget: Budget | None = None,
    check: Callable[[Mapping[str, Any]], None] | None = None,
) -> Meshed:
    """Read an IFC file and mesh its products.

    Parameters
    ----------
    path
        The file; where the same bytes were meshed before, the result of then is returned.
    job
        Progress and cancel; a cancel ends the workers within a second.
    budget
        Limits; the defaults suit files of hundreds of megabytes.
    check
        Called with what the file says before any geometry; what it raises ends the work.

    Raises
    ------
    MissingError
        A library of the extra ``bim`` is not installed.
    SourceError
        Not an IFC file, cut short, of an unknown schema, unreadable.
    CancelledError
        The job was cancelled.
    """
    limits = budget or Budget()
    meter, start = Meter(), time.monotonic()
    place = cache.entry(path, limits) if path.is_file() else None
    kept = cache.load(place) if place is not None else None
    if kept is not None:
        if check is not None:
            check(kept.said)
        meter.sample()
        kept.cpu_s, kept.peak_mb = meter.cpu_s(), meter.peak_mb
        kept.first_geometry_s = time.monotonic() - start if kept.places else float("nan")
        return kept
    run = _Run(path, job, limits)
    try:
        run.read(check)
        run.kernels()
        run.rough()
    finally:
        run.close()
    found = run.finish()
    if place is not None:
        cache.save(place, found)
    return found


def _installed() -> None:
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingError("bim.missing", given=name)


class _Run:
    def __init__(self, path: Path, job: Job, budget: Budget) -> None:
        _installed()
        self.path, self.job, self.budget = path, job, budget
        self.found, self.meter = Meshed(), Meter()
        self.start = time.monotonic()
        self.deadline = self.start + budget.total_s
        try:
            size_mb = path.stat().st_size / 1e6
        except OSError as error:
            values = {"schema": "-", "reason": error.strerror or str(error)}
            raise SourceError("bim.unreadable", given=path.name, values=values) from error
        self.memory_mb = budget.memory_mb or int(1500 + 15 * size_mb)
        self.reading_s = 30.0 + 1.0 * size_mb
        self.texts: list[tuple[list[int], bytes]] = []
        self.looks: dict[int, Any] = {}
        self.reach: dict[str, float] = {}
        self.asked: list[int] = []
        self.trouble_s = 0.0
        self.turn = 0
        self.kernel: Worker | None = None
        words = [str(self.reading_s), str(self.memory_mb)]
        self.reader = Worker("bim_import._reading", words, self.meter)

    def close(self) -> None:
        self.reader.stop()
        if self.kernel is not None:
            self.kernel.stop()

    def read(
        self, check: Callable[[Mapping[str, Any]], None] | None = None, *, only_said: bool = False
    ) -> None:
        """Take what the file says, and the shapes that need no kernel."""
        self.job.step(0, 1, what="bim.reading")
        self.reader.ask([str(self.path)])
        done = False
        for head, blocks in self._messages(self.reader, self.reading_s * 12):
            if head[0] == "error":
                kind = getattr(errors, head[1], SourceError)
                raise kind(head[2], given=head[3], values=head[4])
            if head[0] == "said":
                self.found.said = json.loads(blocks[0])
                table = self.found.said["columns"]["products"]
                self.asked = [
                    n for n, shaped, voids in zip(
                        table["step_id"], table["shaped"], table["voids"], strict=True
                    ) if shaped and not voids
                ]  # fmt: skip
                if check is not None:
                    check(self.found.said)
                if only_said:
                    return
            elif head[0] == "look":
                self.looks[head[1]] = _look(head[2])
            elif head[0] == "text":
                self.texts.append((head[1], blocks[0]))
            else:
                self._take("n", head, blocks)
            done = head[0] == "done"
        if not self.found.said:
            reason = "out of time" if self.reader.out_of_cpu else "the reading process fell"
            values = {"schema": "-", "reason": reason}
            raise SourceError("bim.unreadable", given=self.path.name, values=values)
        self.readable = done

    def kernels(self) -> None:
        """Mesh what is left, piece by piece, from the fast kernel to the thorough one."""
        for products, text in self.texts:
            if time.monotonic() > self.deadline:
                break
            spent = self._serve(["all", HYBRID, True, products, self.budget.stall_s], text)[1]
            if self._left(products):
                self.trouble_s += spent
            for kernel in (HYBRID, OPENCASCADE):
                self._each(self._left(products), kernel, text, openings=True)

    def rough(self) -> None:
        """Give what no kernel could do its uncut body or its box."""
        left = self._left(self.asked)
        if left and self.reader.alive and self.reader.ask([left]):
            for head, blocks in self._messages(self.reader, self.reading_s * 12):
                self._take("n", head, blocks)
        for products, text in self.texts:
            boxes = [n for n in products if self.found.outcome.get(n, "box") == "box"]
            self._each(boxes, OPENCASCADE, text, openings=False)

    def finish(self) -> Meshed:
        """Return what was found, every product accounted for."""
        found = self.found
        for number in found.said["columns"]["products"]["step_id"]:
            found.outcome.setdefault(number, "none_by_design")
        for number in self.asked:
            if number not in found.places:
                found.outcome[number] = "missing"
                found.why.setdefault(number, "budget")
            elif found.outcome[number] == "exact":
                found.why.pop(number, None)
            else:
                found.why.setdefault(number, "budget")
        found.cpu_s = self.meter.cpu_s()
        found.peak_mb = self.meter.peak_mb
        return found

    def _left(self, products: list[int]) -> list[int]:
        return [n for n in products if n not in self.found.places]

    def _each(self, products: list[int], kernel: str, text: bytes, *, openings: bool) -> None:
        """Mesh products one by one, in a new worker after each that ended the last."""
        while products and time.monotonic() < self.deadline:
            rich = self.trouble_s < self.budget.trouble_s
            cpu_s = self.budget.product_s if rich else min(1.0, self.budget.product_s)
            last, spent = self._serve(["each", kernel, openings, products, cpu_s], text)
            self.trouble_s += spent
            if last is None:
                return
            products = products[products.index(last) + 1 :]

    def _serve(self, request: list[Any], text: bytes) -> tuple[int | None, float]:
        """Ask the kernel worker; return the product it died on, if any, and its CPU seconds."""
        worker = self.kernel
        if worker is None or not worker.alive:
            if worker is not None:
                worker.stop()
            self.turn += 1
            worker = self.kernel = Worker("bim_import._mesher", [str(self.memory_mb)], self.meter)
        before = self.meter.cpu_s()
        last: int | None = None
        finished = False
        openings, cpu_s = bool(request[2]), float(request[4])
        if worker.ask(request, (text,)):
            for head, blocks in self._messages(worker, 10 * cpu_s + 30.0):
                finished = head[0] == "done"
                if head[0] == "begin":
                    last = head[1]
                elif self._take(f"k{self.turn}:", head, blocks, openings=openings):
                    last = None
        if finished:
            return None, 0.0
        worker.stop()
        if last is not None:
            self.found.why[last] = "budget" if worker.out_of_cpu else "crash"
        return last, self.meter.cpu_s() - before

    def _messages(self, worker: Worker, silence_s: float) -> Any:
        progress = (float(len(self.found.places)), float(len(self.asked) or 1), "bim.meshing")
        return worker.answers(self.job, progress, until=self.deadline + 30.0, silence_s=silence_s)

    def _take(
        self, prefix: str, head: list[Any], blocks: list[bytes], *, openings: bool = True
    ) -> bool:
        """Keep a message; tell whether it finished a product."""
        found = self.found
        if head[0] == "mesh":
            vertices = np.frombuffer(blocks[0], dtype=np.float64).reshape(-1, 3)
            self.reach[prefix + head[1]] = float(np.abs(vertices).max(initial=0.0))
            found.shapes[prefix + head[1]] = Shape(
                vertices,
                np.frombuffer(blocks[1], dtype=np.int32).reshape(-1, 3),
                *_materials(np.frombuffer(blocks[2], dtype=np.int32), head[2]),
            )
        elif head[0] == "shape":
            self._shape(prefix, head, blocks, openings=openings)
            return True
        elif head[0] == "void":
            vertices = np.frombuffer(blocks[0], dtype=np.float64).reshape(-1, 3)
            triangles = np.frombuffer(blocks[1], dtype=np.int32).reshape(-1, 3)
            if np.isfinite(vertices).all():
                found.holes.append(Hole(head[1], head[2], head[3], vertices, triangles))
        elif head[0] == "none":
            found.why.setdefault(head[1], head[2])
            return True
        return False

    def _shape(self, prefix: str, head: list[Any], blocks: list[bytes], *, openings: bool) -> None:
        found = self.found
        number, key, outcome = head[1], prefix + head[2], head[3] if openings else "fallback"
        matrix = np.frombuffer(blocks[0], dtype=np.float64).reshape(4, 4)
        shape = found.shapes[key]
        reach = float(np.abs(matrix[:3, 3]).max()) + self.reach[key]
        if not reach < _REACH_M:
            found.why[number] = "coordinates beyond reach"
            return
        if not found.places:
            found.first_geometry_s = time.monotonic() - self.start
        look = self.looks.get(number)
        if look is not None and (shape.material < 0).any():
            key = f"{key}:{look}"
            found.shapes.setdefault(key, _worn(shape, look))
        found.places[number] = (key, matrix)
        found.outcome[number] = outcome
        if len(found.places) % 64 == 0:
            self.job.step(len(found.places), len(self.asked) or 1, what="bim.meshing")


def _look(value: Any) -> Any:
    return (str(value[0]), tuple(float(v) for v in value[1]))


def _materials(index: NDArray[np.int32], looks: list[Any]) -> tuple[Any, Any]:
    """Return material numbers and materials, those without a look left out."""
    kept = [i for i, look in enumerate(looks) if look is not None]
    table = np.full(len(looks) + 1, -1, dtype=np.int32)
    table[kept] = np.arange(len(kept), dtype=np.int32)
    fine = (index >= 0) & (index < len(looks))
    return table[np.where(fine, index, len(looks))], tuple(_look(looks[i]) for i in kept)


def _worn(shape: Shape, look: Any) -> Shape:
    """Return a shape whose bare triangles wear `look`."""
    bare = np.where(shape.material < 0, len(shape.materials), shape.material)
    return Shape(shape.vertices, shape.triangles, bare.astype(np.int32), (*shape.materials, look))
