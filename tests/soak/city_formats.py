"""Good small city models and meshes to spoil, and how one value of them is spoilt. 示意数据."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import trimesh

from cim.sources import Built, District, build_twin, district_from_files
from cim.sources.spec import LayerSpec
from tests.cim.sources.city_files import write_citygml, write_cityjson, write_sequence

__all__ = ["CITY_FORMATS", "spoil_value"]

Make, Build = Callable[[Path], Path], Callable[[Path], Built]


def _mesh(ending: str) -> Make:
    def make(at: Path) -> Path:
        mesh = trimesh.creation.icosphere(subdivisions=2, radius=6.0)
        mesh.apply_translation([0.0, 0.0, 6.0])
        path = at / f"a.{ending}"
        if ending == "glb":
            mesh.visual = trimesh.visual.TextureVisuals(
                uv=np.zeros((len(mesh.vertices), 2)),
                material=trimesh.visual.material.PBRMaterial(baseColorFactor=[200, 10, 10, 255]),
            )
        path.write_bytes(_bytes(mesh, ending))
        return path

    return make


def _bytes(mesh: trimesh.Trimesh, ending: str) -> bytes:
    data = mesh.export(file_type=ending)
    return data.encode() if isinstance(data, str) else bytes(data)


def _build_mesh(path: Path) -> Built:
    spec = LayerSpec(
        path, kind="building", crs="EPSG:4548", height_datum="cgvd1985",
        options={"at": [517000.0, 4330600.0, 3.0, 30.0]},
    )  # fmt: skip
    return build_twin(District(name="m", layers=(spec,)), accept_rejects=True)


def _build_model(path: Path) -> Built:
    return build_twin(district_from_files([path], height_datum="cgvd1985"), accept_rejects=True)


CITY_FORMATS: dict[str, tuple[Make, Build]] = {
    "CityJSON": (lambda at: write_cityjson(at / "a.json"), _build_model),
    "CityJSONSeq": (lambda at: write_sequence(at / "a.jsonl"), _build_model),
    "CityGML": (lambda at: write_citygml(at / "a.gml"), _build_model),
    "OBJ": (_mesh("obj"), _build_mesh),
    "PLY": (_mesh("ply"), _build_mesh),
    "STL": (_mesh("stl"), _build_mesh),
    "GLB": (_mesh("glb"), _build_mesh),
}

_JSON = rb'"(?:[^"\\]|\\.)*"(\s*:)?|-?\d[\d.eE+-]*()'
_TEXTS = {
    ".json": _JSON,
    ".jsonl": _JSON,
    ".geojson": _JSON,
    ".gml": rb'(?<=[> ])-?\d[\d.]*(?=[ <])|(?<=>)[^<>]+(?=<)|(?<==")[^"]+(?=")()',
    ".obj": rb"(?<= )-?\d[\d.]*()",
}
"""What values look like; a first group that is not empty says that it is a key."""
_HEADS = {".ply": 400, ".stl": 84, ".glb": 0}


def spoil_value(path: Path, dice: random.Random) -> str:
    """Spoil one byte inside one number or string; return where.

    A string keeps its quotes; what is written is a printable byte that ends no string and
    opens no tag, as when a disk or a hand goes wrong inside a value.
    """
    data = bytearray(path.read_bytes())
    pattern = _TEXTS.get(path.suffix)
    if pattern is not None:
        spans = [m.span() for m in re.finditer(pattern, bytes(data)) if not m[1]]
        whole = [(a, b) for a, b in spans if data[a : a + 1] != b'"' or b - a > 2]
        start, end = dice.choice(whole)
        quoted = data[start : start + 1] == b'"'
        at = dice.randrange(start + quoted, end - quoted)
        data[at] = dice.choice(b"0123456789-.eEabcxyz_#")
    else:
        first = _HEADS[path.suffix]
        if path.suffix == ".glb":  # the second chunk: the numbers
            first = 20 + int.from_bytes(data[12:16], "little") + 8
        at = dice.randrange(first, len(data))
        data[at] ^= 1 << dice.randrange(8)
    path.write_bytes(bytes(data))
    return f"byte {at}"
