"""The worker that meshes one IFC file in a process of its own: it may hang or crash, alone.

``python -m bim_import._mesher FILE STALL_S MEMORY_MB`` reads one request from stdin and
writes messages (see `_frames`) to stdout:

``begin, guid`` before a product that is meshed by itself; ``mesh, id, materials`` with
vertices, triangles and material numbers once per shape; ``shape, guid, id`` with the
placement per product; ``none, guid, reason`` where there is nothing; ``end``.

A product that takes more than `STALL_S` seconds of CPU ends the process: native code
cannot be interrupted in a gentler way.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Any, cast

from bim_import._frames import receive, send

__all__ = ["HYBRID", "OPENCASCADE", "main"]

HYBRID = "hybrid-cgal-simple-opencascade"
OPENCASCADE = "opencascade"


def main() -> int:
    """Serve one request."""
    channel = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever native code prints must not mix with the messages
    path, stall_s = Path(sys.argv[1]), float(sys.argv[2])
    _limit_memory(int(sys.argv[3]))
    request = receive(sys.stdin.buffer)
    if request is not None:
        mode, kernel, guids = request[0]
        _Worker(channel, stall_s).run(path, mode, kernel, guids)
    channel.close()
    return 0


class _Worker:
    def __init__(self, channel: IO[bytes], stall_s: float) -> None:
        self.channel, self.stall_s = channel, stall_s
        self.sent: set[str] = set()

    def say(self, *head: Any, blocks: tuple[bytes, ...] = ()) -> None:
        send(self.channel, list(head), blocks)
        _allow_cpu(self.stall_s)

    def run(self, path: Path, mode: str, kernel: str, guids: list[str]) -> None:
        import ifcopenshell.geom

        from bim_import.ifc_file import open_ifc

        file, tools = open_ifc(path).file, cast(Any, ifcopenshell.geom)
        # The hybrid's own name is not in the library's list of kernels, its halves are.
        halves = ("cgal-simple", OPENCASCADE)
        if kernel == HYBRID and not all(map(tools.has_geometry_library, halves)):
            kernel = OPENCASCADE
        settings = tools.settings()
        self.say("kernel", kernel)
        if mode == "all":
            self._all(file, tools, settings, kernel)
        else:
            self._each(file, tools, settings, kernel, guids)
        self.say("end")

    def _all(self, file: Any, tools: Any, settings: Any, kernel: str) -> None:
        iterator = tools.iterator(
            settings, file, 1, exclude=["IfcOpeningElement"], geometry_library=kernel
        )
        if not iterator.initialize():
            return
        while True:
            self._shape(file, iterator.get())
            if not iterator.next():
                return

    def _each(self, file: Any, tools: Any, settings: Any, kernel: str, guids: list[str]) -> None:
        for guid in guids:
            self.say("begin", guid)
            try:
                product = file.by_guid(guid)
                shape = tools.create_shape(settings, product, geometry_library=kernel)
            except RuntimeError as error:
                self.say("none", guid, str(error)[:160])
                continue
            self._shape(file, shape)

    def _shape(self, file: Any, shape: Any) -> None:
        import numpy as np

        geometry = shape.geometry
        key = str(geometry.id)
        if not geometry.faces_buffer:
            self.say("none", str(shape.guid), "empty")
            return
        if key not in self.sent:
            self.sent.add(key)
            materials = [_look(file, one) for one in geometry.materials]
            parts = (geometry.verts_buffer, geometry.faces_buffer, geometry.material_ids_buffer)
            self.say("mesh", key, materials, blocks=tuple(bytes(part) for part in parts))
        matrix = np.array(shape.transformation.matrix, dtype=np.float64).reshape(4, 4).T
        block = np.ascontiguousarray(matrix).tobytes()
        self.say("shape", str(shape.guid), key, blocks=(block,))


def _look(file: Any, style: Any) -> tuple[str, tuple[float, float, float, float]]:
    """Return name and (r, g, b, a) of a kernel's surface style."""
    colour = style.diffuse
    clear = style.transparency if style.has_transparency() else 0.0
    clear = clear if clear == clear and 0.0 <= clear <= 1.0 else 0.0
    name = str(style.name)
    number = name.rpartition("-")[2]
    if number.isdigit():
        try:
            owners = file.get_inverse(file.by_id(int(number)))
            name = next((o.Name for o in owners if o.is_a("IfcSurfaceStyle") and o.Name), name)
        except RuntimeError:
            pass
    red, green, blue = (
        round(min(1.0, max(0.0, float(part()))), 4) for part in (colour.r, colour.g, colour.b)
    )
    return name, (red, green, blue, round(1.0 - clear, 4))


def _allow_cpu(more_s: float) -> None:
    """Let this process run for `more_s` seconds of CPU from now; then the system ends it."""
    try:
        import resource
    except ImportError:  # Windows: the parent's clock alone
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + more_s) + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or limit <= hard:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def _limit_memory(megabytes: int) -> None:
    try:
        import resource
    except ImportError:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    wanted = megabytes * 2**20
    if hard == resource.RLIM_INFINITY or wanted <= hard:
        resource.setrlimit(resource.RLIMIT_AS, (wanted, hard))


if __name__ == "__main__":
    raise SystemExit(main())
