"""IFC: our import, semantics and all, against ifcopenshell's iterator with both its kernels.

CPU seconds of whole process trees, interpreter and imports included on both sides; in
"net" rows the CPU of a process that only imports is taken off. The peer opens the file and
takes every shape's buffers; rooms and openings are left out for it, rooms are in ours. All
programs run from byte code, as pip installs them: a first run of each writes it.
"""

from __future__ import annotations

import json
import math
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks.measure import Row, installed

__all__ = ["bench"]

FILES = ("duplex_arch_2x3", "duplex_elec_2x3", "office_a_2x3", "great_court_roof",
         "bimwhale_large", "tested_sample", "acad2010_objects",
         "revit2012_janesville_restaurant")  # fmt: skip
LARGEST = FILES[-1]
HYBRID, DEFAULT = "hybrid-cgal-simple-opencascade", "opencascade"
REPEATS = 3
_ENV: dict[str, str] = {}

_PEER = """
import sys, ifcopenshell, ifcopenshell.geom as geom
path, kernel = sys.argv[1:]
if path == "-":
    sys.exit()
file = ifcopenshell.open(path)
it = geom.iterator(geom.settings(), file, 1, exclude=["IfcOpeningElement", "IfcSpace"],
                   geometry_library=kernel)
n = 0
if it.initialize():
    while True:
        shape = it.get()
        n += len(shape.geometry.verts_buffer) + len(shape.geometry.faces_buffer)
        if not it.next():
            break
"""
_OURS = """
import json, sys
from pathlib import Path
from bim_import.meshing import read_and_mesh
from cim.jobs import QUIET
if sys.argv[1] != "-":
    done = read_and_mesh(Path(sys.argv[1]), job=QUIET)
    print(json.dumps([done.first_geometry_s, done.peak_mb, done.outcomes(), done.cached]))
"""
_OURS_EMPTY = "import bim_import.meshing"
_READER_EMPTY = "import bim_import._reading"


def bench() -> list[Row]:
    """Measure all files."""
    folder = os.environ.get("CIM_TESTDATA")
    if not folder or not installed("ifcopenshell"):
        return [Row("IFC: no real data here (set CIM_TESTDATA)", 0.0)]
    with tempfile.TemporaryDirectory() as compiled:
        return _rows(folder, compiled)


def _rows(folder: str, compiled: str) -> list[Row]:
    _ENV.update(PYTHONPYCACHEPREFIX=compiled, PYTHONDONTWRITEBYTECODE="")
    first = str(Path(folder, "ifc", f"{FILES[5]}.ifc"))
    for words in ([_OURS, first], [_PEER, first, DEFAULT]):
        _run(words)
    start_ours = _cpu([_OURS_EMPTY, "-"]) + _cpu([_READER_EMPTY, "-"])
    start_peer = _cpu([_PEER, "-", DEFAULT])
    rows, ours, default, hybrid = [], [], [], []
    for name in FILES:
        path = str(Path(folder, "ifc", f"{name}.ifc"))
        ours.append(_cpu([_OURS, path]))
        default.append(_cpu([_PEER, path, DEFAULT], repeats=1 if name == LARGEST else REPEATS))
        hybrid.append(_cpu([_PEER, path, HYBRID]))
        over = ours[-1] - hybrid[-1]
        note = f"hybrid kernel {hybrid[-1]:.2f} s; ours {over:+.2f} s, {over / hybrid[-1]:+.0%}"
        rows.append(Row(f"IFC import, {name}", ours[-1], peer="ifcopenshell, default kernel",
                        peer_s=default[-1], note=note))  # fmt: skip
    for what, less, peers in (("all", 0.0, 0.0), ("net of start-up", start_ours, start_peer)):
        mean = [_mean([t - s for t in times]) for times, s in
                ((ours, less), (default, peers), (hybrid, peers))]  # fmt: skip
        note = f"hybrid kernel {mean[2]:.2f} s: {mean[1] / mean[2]:.2f}x the default one"
        title, peer = f"geometric mean of {len(FILES)}, {what}", "ifcopenshell, default kernel"
        rows.append(Row(title, mean[0], peer=peer, peer_s=mean[1], note=note))
    return [*rows, *_largest(str(Path(folder, "ifc", f"{LARGEST}.ifc")))]


def _largest(path: str) -> list[Row]:
    """Measure first geometry, memory and the way back from the cache on the largest file."""
    with tempfile.TemporaryDirectory() as folder:
        first, peak, outcomes, _ = json.loads(_run([_OURS, path], folder))
        again, _, _, cached = json.loads(_run([_OURS, path], folder))
        spent = _cpu([_OURS, path], cache=folder) - _cpu([_OURS_EMPTY, "-"])
    note = f"first shape {first:.2f} s by the clock, {peak:.0f} MB in all processes, {outcomes}"
    return [
        Row("27 MB: again from the cache, net of start-up", max(spent, 1e-3),
            note=f"{note}; again {again:.3f} s by the clock, cached: {cached}"),
    ]  # fmt: skip


def _mean(values: list[float]) -> float:
    return math.exp(statistics.fmean(math.log(max(v, 1e-3)) for v in values))


def _run(words: list[str], cache: str = "off") -> str:
    env = {**os.environ, **_ENV, "CIM_CACHE": cache}
    return subprocess.run(
        [sys.executable, "-c", *words], check=True, stdout=subprocess.PIPE, text=True, env=env
    ).stdout


def _cpu(words: list[str], *, repeats: int = REPEATS, cache: str = "off") -> float:
    times = []
    for _ in range(repeats):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _run(words, cache)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return min(times)
