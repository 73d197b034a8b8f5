"""City models: faces to triangles beside cjio, a whole file in and out.

The file is that of ``CIM_TESTDATA`` (Rotterdam, CityJSON 2.0), else one made here of as many
faces (示意数据). cjio lives in a virtual environment of its own, made at the first run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import numpy as np

from cim.model.facets import facets, faults
from cim.sources import build_twin, district_from_files
from tests.benchmarks.measure import Row, first_and_warm, median_cpu_s

_CJIO = """
import json, sys, time
import numpy as np
from cjio.geom_help import triangulate_face
with open(sys.argv[1]) as file:
    model = json.load(file)
points = np.array(model["vertices"]) * model["transform"]["scale"]
points = points + model["transform"]["translate"]
faces = [face for one in model["CityObjects"].values() for g in one.get("geometry", [])
         for face in g["boundaries"]]
took = []
for _ in range(3):
    copies = [[list(ring) for ring in face] for face in faces]
    start = time.process_time()
    good = sum(bool(triangulate_face(face, points)[1]) for face in copies)
    took.append(time.process_time() - start)
print(json.dumps({"s": sorted(took)[1], "faces": len(faces), "good": good}))
"""


def bench() -> list[Row]:
    """Return the rows."""
    with tempfile.TemporaryDirectory() as folder:
        path = _model(Path(folder))
        points, rings, faces = _faces(path)
        first_s, warm_s = first_and_warm(lambda: facets(points, rings, faces))
        found = facets(points, rings, faces)
        judged_s = median_cpu_s(
            lambda: faults(points, rings, faces, facets(points, rings, faces), plane_m=0.01)
        )
        peer = _cjio(path)
        count = len(faces) - 1
        drawn = int(found.drawn.sum())
        note = f"ours draws {drawn} of {count} faces"
        if peer is not None:
            note += f", cjio {peer['good']} of {peer['faces']}"
        whole_s = median_cpu_s(lambda: _build(path))
        return [
            Row(f"triangulate {count:,} faces", warm_s, first_s, "cjio (Triangle)",
                None if peer is None else peer["s"], note=note),
            Row("the same, every face judged (val3dity codes)", judged_s, None,
                "cjio (Triangle)", None if peer is None else peer["s"],
                note="cjio judges none"),
            Row(f"{path.name}: {path.stat().st_size / 1e6:.1f} MB to a twin", whole_s),
        ]  # fmt: skip


def _build(path: Path) -> object:
    district = district_from_files([path], height_datum="unknown")
    return build_twin(district, accept_rejects=True)


def _faces(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    model = json.loads(path.read_text())
    scale, shift = model["transform"]["scale"], model["transform"]["translate"]
    points = np.array(model["vertices"]) * scale + shift
    index, rings, faces = [], [0], [0]
    for one in model["CityObjects"].values():
        for geometry in one.get("geometry", []):
            for face in geometry["boundaries"]:
                for ring in face:
                    index += ring
                    rings.append(len(index))
                faces.append(len(rings) - 1)
    return points[index], np.array(rings, dtype=np.int32), np.array(faces, dtype=np.int32)


def _model(folder: Path) -> Path:
    """Return the Rotterdam file, or one made of blocks with as many faces."""
    given = os.environ.get("CIM_TESTDATA")
    real = Path(given, "city3d", "rotterdam_delfshaven_lod2.city.json") if given else None
    if real is not None and real.exists():
        return real
    rng = np.random.default_rng(20261125)
    vertices: list[list[int]] = []
    objects: dict[str, Any] = {}
    for k in range(1500):
        n = int(rng.integers(5, 12))
        angle = np.sort(rng.uniform(0, 2 * np.pi, n))
        ring = np.column_stack([np.cos(angle), np.sin(angle)]) * rng.uniform(4e3, 12e3, (n, 1))
        ring = np.rint(ring + rng.uniform(0, 1e6, 2)).astype(int)
        base = len(vertices)
        vertices += [[int(x), int(y), z] for z in (0, 9000) for x, y in ring]
        low = list(range(base, base + n))
        sides = [[[low[i], low[(i + 1) % n], low[(i + 1) % n] + n, low[i] + n]] for i in range(n)]
        faces = [[low[::-1]], [[v + n for v in low]], *sides]
        objects[f"b{k}"] = {
            "type": "Building",
            "geometry": [{"type": "MultiSurface", "lod": "2", "boundaries": faces}],
        }
    path = folder / "made.city.json"
    path.write_text(
        json.dumps(
            {"type": "CityJSON", "version": "2.0", "CityObjects": objects, "vertices": vertices,
             "transform": {"scale": [0.001] * 3, "translate": [517000.0, 4330600.0, 0.0]},
             "metadata": {"referenceSystem": "https://www.opengis.net/def/crs/EPSG/0/4548"}}
        )
    )  # fmt: skip
    return path


def _cjio(path: Path) -> dict[str, Any] | None:
    """Return what cjio takes, None where it cannot be installed."""
    python = _cjio_python()
    if python is None:
        return None
    done = subprocess.run(
        [python, "-c", _CJIO, str(path)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        print(done.stderr[-500:], file=sys.stderr)
        return None
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # cjio prints before
    return found


def _cjio_python() -> str | None:
    """Return the Python of cjio's own environment."""
    home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"), "cim-twin", "cjio")
    python = home / "bin" / "python"
    if not python.exists():
        venv.create(home, with_pip=True)
    ready = subprocess.run(
        [python, "-c", "import cjio, triangle"], check=False, capture_output=True
    )
    if ready.returncode:
        command = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "cjio==0.10.1",
            "triangle",
            "mapbox-earcut",
        ]
        if subprocess.run(command, check=False, capture_output=True).returncode:
            return None
    return str(python)
