"""The worker that reads one IFC file: what it says first, then the shapes it can read itself.

``python -m bim_import._reading CPU_S MEMORY_MB`` reads one request from stdin,
``[path]``, and writes messages (see `_frames`) to stdout:

``said`` with the columns of `semantics` and the evidence of place as JSON;
``mesh``, key, looks with vertices, triangles and material numbers once per shape;
``shape``, product, key, outcome with the placement per product; ``void``, opening,
product, width with vertices and triangles of what it cuts out; ``look``, product, look
of a product left to the kernels; ``text``, products with a small file for a kernel;
``done``. Then it answers requests ``[[product…]]`` for a rough form (``mesh`` and
``shape``, or ``none``, product, reason; ``done``) until its stdin ends. ``error``, type,
key, given, values ends it.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from bim_import._evidence import evidence_of
from bim_import._frames import receive, send
from bim_import._kernel_text import KernelTexts
from bim_import._limits import allow_cpu, limit_memory
from bim_import._networks import read_networks
from bim_import.ifc_file import open_ifc
from bim_import.native.bulk import Hopeless, Unsupported
from bim_import.native.products import Builder, Built, Void
from bim_import.representations import Bodies
from bim_import.semantics import read_columns
from bim_import.units import read_units
from cim.errors import CimError

__all__ = ["main"]


def main() -> int:
    """Serve one file."""
    channel = os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    os.dup2(2, 1)  # whatever is printed must not mix with the messages
    cpu_s = float(sys.argv[1])
    limit_memory(int(sys.argv[2]))
    allow_cpu(cpu_s)
    request = receive(sys.stdin.buffer)
    if request is None:
        return 0
    try:
        _serve(Path(request[0][0]), channel, cpu_s)
    except CimError as error:
        values = {key: str(value) for key, value in error.values.items()}
        send(channel, ["error", type(error).__name__, error.key, error.given, values])
    except MemoryError:
        send(channel, ["error", "SourceError", "bim.too_large", request[0][0], {}])
    channel.close()
    return 0


def _serve(path: Path, channel: IO[bytes], cpu_s: float) -> None:
    opened = open_ifc(path)
    step = opened.step
    units, bodies = read_units(step), Bodies(step)
    columns = read_columns(step, units, bodies)
    builder = Builder(step, units, bodies)
    said = {
        "schema": opened.schema, "declared": opened.declared, "damaged": step.damaged,
        "units": asdict(units), "columns": columns,
        "evidence": evidence_of(step, units, builder.solids.places),
        "levels": _levels(columns, step, builder),
        "illustrative": _illustrative(step),
        "networks": read_networks(step, units, builder.solids),
    }  # fmt: skip
    text = json.dumps(said, ensure_ascii=False).encode("utf-8", "replace")
    send(channel, ["said"], (text,), flush=True)
    talk = _Talk(channel, builder)
    products = columns["products"]
    texts = KernelTexts(step, opened.schema, builder.looks)
    left: list[int] = []
    for number, shaped, voids in zip(
        products["step_id"], products["shaped"], products["voids"], strict=True
    ):
        if not shaped or voids:
            continue
        try:
            openings = texts.openings(number)
            talk.shape(number, builder.exact(number, step.args(number), openings))
        except Hopeless as error:
            send(channel, ["none", number, str(error)])
        except (Unsupported, IndexError, TypeError, ValueError, KeyError):
            left.append(number)
    for void in builder.voids:
        talk.void(void)
    allow_cpu(cpu_s)
    for number in left:
        look = builder.looks.product(number)
        if look is not None:
            send(channel, ["look", number, look])
    for some, small in texts.chunks(left):
        send(channel, ["text", some], (small,))
    send(channel, ["done"], flush=True)
    while (request := receive(sys.stdin.buffer)) is not None:
        allow_cpu(cpu_s)
        for number in request[0][0]:
            try:
                talk.shape(number, builder.rough(number, step.args(number)))
            except (Unsupported, IndexError, TypeError, ValueError, KeyError) as error:
                send(channel, ["none", number, str(error) or type(error).__name__])
        send(channel, ["done"], flush=True)


class _Talk:
    def __init__(self, channel: IO[bytes], builder: Builder) -> None:
        self.channel, self.builder = channel, builder
        self.sent: dict[str, int] = {}

    def shape(self, number: int, built: Built) -> None:
        first = not self.sent
        if built.key not in self.sent:
            self.sent[built.key] = len(self.sent)
            blocks = (
                np.ascontiguousarray(built.vertices, dtype=np.float64).tobytes(),
                np.ascontiguousarray(built.triangles, dtype=np.int32).tobytes(),
                np.ascontiguousarray(built.material, dtype=np.int32).tobytes(),
            )
            send(self.channel, ["mesh", f"n{self.sent[built.key]}", built.looks], blocks)
        block = np.ascontiguousarray(built.matrix, dtype=np.float64).tobytes()
        key = f"n{self.sent[built.key]}"
        send(self.channel, ["shape", number, key, built.outcome], (block,), flush=first)

    def void(self, void: Void) -> None:
        blocks = (
            np.ascontiguousarray(void.solid.vertices, dtype=np.float64).tobytes(),
            np.ascontiguousarray(void.solid.triangles, dtype=np.int32).tobytes(),
        )
        send(self.channel, ["void", void.opening, void.host, void.width_m], blocks)


def _levels(columns: dict[str, Any], step: Any, builder: Builder) -> dict[str, float]:
    """Return the height of every storey's zero in model metres."""
    found = {}
    table = columns["products"]
    for number, kind in zip(table["step_id"], table["kind"], strict=True):
        if kind == "storey":
            args = step.args(number)
            try:
                if len(args) > 5 and args[5] is not None:
                    found[str(number)] = float(builder.solids.places.product(args[5])[2, 3])
            except Unsupported:
                continue
    return found


def _illustrative(step: Any) -> bool:
    return any(
        "示意数据" in (args[3] or "")
        for _, args in step.each("IFCPROJECT", "IFCSITE", "IFCBUILDING")
        if len(args) > 3 and isinstance(args[3], (str, type(None)))
    )


if __name__ == "__main__":
    raise SystemExit(main())
