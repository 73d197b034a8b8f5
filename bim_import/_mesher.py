"""The worker that meshes products with a kernel: it may hang or crash, alone.

``python -m bim_import._mesher MEMORY_MB`` reads requests from stdin,
``[mode, kernel, openings, products, cpu_s]`` with a small IFC file, and writes messages
(see `_frames`) to stdout: ``begin, product`` before a product that is meshed by itself;
``mesh, key, looks`` with vertices, triangles and material numbers once per shape;
``shape, product, key`` with the placement; ``none, product, reason``; ``done``.

A product that takes more than `cpu_s` seconds of CPU ends the process: native code
cannot be interrupted in a gentler way.
"""

from __future__ import annotations

import os
import sys
from typing import IO, Any, cast

from bim_import._frames import receive, send
from bim_import._limits import allow_cpu, limit_memory

__all__ = ["HYBRID", "OPENCASCADE", "main"]

HYBRID = "hybrid-cgal-simple-opencascade"
OPENCASCADE = "opencascade"


def main() -> int:
    """Serve requests until stdin ends."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints must not mix with the messages
    limit_memory(int(sys.argv[1]))
    worker = _Worker(channel)
    while (request := receive(sys.stdin.buffer)) is not None:
        mode, kernel, openings, products, cpu_s = request[0]
        worker.run(mode, kernel, openings, products, cpu_s, request[1][0])
    channel.close()
    return 0


class _Worker:
    def __init__(self, channel: IO[bytes]) -> None:
        self.channel, self.cpu_s, self.batch = channel, 1.0, 0
        self.sent: set[str] = set()

    def say(self, *head: Any, blocks: tuple[bytes, ...] = ()) -> None:
        send(self.channel, list(head), blocks, flush=True)
        allow_cpu(self.cpu_s)

    def run(
        self, mode: str, kernel: str, openings: bool, products: list[int], cpu_s: float, text: bytes
    ) -> None:
        import ifcopenshell.geom

        tools = cast(Any, ifcopenshell.geom)
        self.cpu_s = cpu_s
        self.batch += 1
        allow_cpu(cpu_s + len(text) / 2e6)
        # The hybrid's own name is not in the library's list of kernels, its halves are.
        halves = ("cgal-simple", OPENCASCADE)
        if kernel == HYBRID and not all(map(tools.has_geometry_library, halves)):
            kernel = OPENCASCADE
        settings = tools.settings()
        if not openings:
            settings.set("disable-opening-subtractions", True)
        try:
            file = ifcopenshell.file.from_string(text.decode("utf-8", "replace"))
            wanted = [one for n in products if (one := _entity(file, n)) is not None]
            if mode == "all":
                self._all(file, tools, settings, kernel, wanted)
            else:
                self._each(file, tools, settings, kernel, wanted)
        except (RuntimeError, ValueError, MemoryError, ifcopenshell.Error) as error:
            self.say("failed", str(error)[:160])
        self.say("done")

    def _all(self, file: Any, tools: Any, settings: Any, kernel: str, wanted: list[Any]) -> None:
        if not wanted:
            return
        iterator = tools.iterator(settings, file, 1, include=wanted, geometry_library=kernel)
        if not iterator.initialize():
            return
        while True:
            self._shape(file, iterator.get())
            if not iterator.next():
                return

    def _each(self, file: Any, tools: Any, settings: Any, kernel: str, wanted: list[Any]) -> None:
        for product in wanted:
            self.say("begin", product.id())
            try:
                shape = tools.create_shape(settings, product, geometry_library=kernel)
            except RuntimeError as error:
                self.say("none", product.id(), str(error)[:160])
                continue
            self._shape(file, shape)

    def _shape(self, file: Any, shape: Any) -> None:
        import numpy as np

        geometry = shape.geometry
        if not geometry.faces_buffer:
            self.say("none", shape.id, "empty")
            return
        key = f"{self.batch}:{geometry.id}"
        if key not in self.sent:
            self.sent.add(key)
            looks = [_look(file, one) for one in geometry.materials]
            parts = (geometry.verts_buffer, geometry.faces_buffer, geometry.material_ids_buffer)
            self.say("mesh", key, looks, blocks=tuple(bytes(part) for part in parts))
        matrix = np.array(shape.transformation.matrix, dtype=np.float64).reshape(4, 4).T
        block = np.ascontiguousarray(matrix).tobytes()
        self.say("shape", shape.id, key, "exact", blocks=(block,))


def _entity(file: Any, number: int) -> Any:
    try:
        return file.by_id(number)
    except RuntimeError:
        return None


def _look(file: Any, style: Any) -> tuple[str, tuple[float, float, float, float]] | None:
    """Return name and (r, g, b, a) of a kernel's surface style; None for a class's default."""
    name = str(style.name)
    number = name.rpartition("-")[2]
    owner = _entity(file, int(number)) if number.isdigit() else None
    if owner is None:
        return None
    if not owner.is_a("IfcSurfaceStyle"):
        owner = next((o for o in file.get_inverse(owner) if o.is_a("IfcSurfaceStyle")), None)
    label = getattr(owner, "Name", None) or (f"style-{owner.id()}" if owner else name)
    colour = style.diffuse
    clear = style.transparency if style.has_transparency() else 0.0
    clear = clear if clear == clear and 0.0 <= clear <= 1.0 else 0.0
    red, green, blue = (
        round(min(1.0, max(0.0, float(part()))), 4) for part in (colour.r, colour.g, colour.b)
    )
    return label, (red, green, blue, round(1.0 - clear, 4))


if __name__ == "__main__":
    raise SystemExit(main())
