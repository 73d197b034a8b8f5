"""A scene becomes a binary glTF 2.0 file whose triangles know their objects.

One mesh a layer. Every corner carries the number of its object (EXT_mesh_features), and
the layer's attributes stand in a property table (EXT_structural_metadata); both are what
3D Tiles 1.1 uses. glTF is y up in metres: scene (x east, y north, z up) is written as
(x, z, -y). Where the file's zero lies on earth stands in ``asset.extras``.

Sources: glTF 2.0 specification (Khronos, 2021); EXT_mesh_features and
EXT_structural_metadata (Cesium and 3D Tiles working group, 2023).
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Container
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim import messages
from cim._version import VERSION
from cim.jobs import QUIET, Job
from cim.model.result import Result
from cim.model.table import FeatureTable
from cim.model.twin import TwinView
from scenes.compose import Picture, compose
from scenes.files import whole
from scenes.parts import Catalogue, Part, objects_of, parts
from scenes.remarks import stale
from scenes.scene import Scene

__all__ = ["GlbReport", "write_glb"]

_FLOAT, _U16, _U32 = 5126, 5123, 5125
_TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}
_CORNERS, _FACES = 34962, 34963
_NO_NUMBER = float(np.finfo(np.float64).min)  # stands for a missing number, as the schema says


@dataclass(frozen=True)
class GlbReport:
    """What the file holds: objects with an id, triangles, size; what failed, is old or hidden."""

    glb: str
    size_mb: float
    objects: int
    triangles: int
    failed: dict[str, str]
    stale: bool = False
    hidden: dict[str, str] = field(default_factory=dict)


@dataclass
class _File:
    """The parts of a glTF file as they grow."""

    data: bytearray = field(default_factory=bytearray)
    views: list[dict[str, Any]] = field(default_factory=list)
    accessors: list[dict[str, Any]] = field(default_factory=list)
    meshes: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    images: list[dict[str, Any]] = field(default_factory=list)
    materials: list[dict[str, Any]] = field(default_factory=list)
    classes: dict[str, Any] = field(default_factory=dict)
    tables: list[dict[str, Any]] = field(default_factory=list)

    def view(self, data: bytes, target: int | None = None) -> int:
        """Append bytes as a buffer view that begins at a multiple of eight."""
        self.data += b"\0" * (-len(self.data) % 8)
        one = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.views.append(one if target is None else {**one, "target": target})
        self.data += data
        return len(self.views) - 1

    def accessor(
        self, values: NDArray[Any], code: int, target: int, *, normalized: bool = False
    ) -> int:
        """Append an array of scalars or vectors."""
        wide = 1 if values.ndim == 1 else values.shape[1]
        one: dict[str, Any] = {
            "bufferView": self.view(np.ascontiguousarray(values).tobytes(), target),
            "componentType": code,
            "count": len(values),
            "type": _TYPES[wide],
        }
        if normalized:
            one["normalized"] = True
        if code == _FLOAT and wide == 3:
            one["min"] = values.min(axis=0).tolist()
            one["max"] = values.max(axis=0).tolist()
        self.accessors.append(one)
        return len(self.accessors) - 1

    def texture(self, image: NDArray[np.uint8], *, repeat: bool) -> dict[str, Any]:
        """Append an image and return the texture's reference."""
        from PIL import Image

        out = io.BytesIO()
        Image.fromarray(image).save(out, "PNG", optimize=True)
        view = self.view(out.getvalue())
        self.images.append({"bufferView": view, "mimeType": "image/png", "repeat": repeat})
        return {"index": len(self.images) - 1}


def write_glb(
    scene: Scene, view: TwinView, result: Result | None = None, *, path: Path, job: Job = QUIET
) -> GlbReport:
    """Write a scene as a GLB with the ids and attributes of its objects.

    Parameters
    ----------
    scene, view, result
        As for `scenes.compose.compose`; a run colours what it colours in a picture.
    path
        The file; it is there whole or not at all.
    job
        Who listens.

    Raises
    ------
    RequestError
        The twin is empty.
    StoreError
        The file cannot be written.
    CancelledError
        The job was cancelled; no file is left.
    """
    with whole(path) as partial:
        job.step(0, 3, what="scenes.glb")
        picture = compose(scene, view, result)
        objects = objects_of(scene, view, picture)
        job.step(1, 3, what="scenes.glb")
        made = _File()
        _ground(made, picture)
        bodies = parts(picture, objects)
        for number, table in enumerate(objects.tables):
            mine = [p for p in bodies if p.layer == table.layer]
            if mine:
                _layer(made, table, mine, objects.first[number])
        _around(made, [p for p in bodies if not p.layer])
        job.step(2, 3, what="scenes.glb")
        partial.write_bytes(_binary(made, _asset(scene, view, result, picture)))
        job.step(3, 3, what="scenes.glb")
    held = {p.layer for p in bodies}
    return GlbReport(
        glb=str(path),
        size_mb=round(path.stat().st_size / 1e6, 2),
        objects=_held(bodies, objects),
        triangles=picture.triangles if held else 0,
        failed=picture.failed,
        stale=stale(view, result),
        hidden=picture.hidden,
    )


def _held(bodies: list[Part], objects: Catalogue) -> int:
    seen = np.zeros(len(objects) + 1, dtype=bool)
    for part in bodies:
        seen[part.owner] = True
    return int(seen[:-1].sum())


def y_up(points: NDArray[Any]) -> NDArray[np.float32]:
    """Return scene positions (n, 3), z up, as glTF has them: x east, y up, z south."""
    return np.column_stack([points[:, 0], points[:, 2], -points[:, 1]]).astype(np.float32)


def linear(rgb: NDArray[np.uint8]) -> NDArray[np.uint16]:
    """Return sRGB colours (n, 3) as glTF's linear RGBA, 16 bits (IEC 61966-2-1)."""
    c = np.arange(256) / 255.0
    line = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    table = (line * 65535).round().astype(np.uint16)
    return np.column_stack([table[rgb], np.full(len(rgb), 65535, np.uint16)])


def _material(
    made: _File, texture: dict[str, Any] | None, *, closed: bool, opacity: float = 1.0
) -> int:
    look: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    if texture is not None:
        look["baseColorTexture"] = texture
    whole: dict[str, Any] = {"pbrMetallicRoughness": look, "doubleSided": not closed}
    if opacity < 1.0:
        look["baseColorFactor"] = [1.0, 1.0, 1.0, opacity]
        whole["alphaMode"] = "BLEND"
    made.materials.append(whole)
    return len(made.materials) - 1


def _ground(made: _File, picture: Picture) -> None:
    ground = picture.ground
    rows, cols, _ = ground.points.shape
    u, v = np.meshgrid(np.linspace(0, 1, cols), np.linspace(0, 1, rows))
    corner = (np.arange(rows - 1)[:, None] * cols + np.arange(cols - 1)).ravel()
    a, b, c, d = corner, corner + 1, corner + cols, corner + cols + 1
    faces = np.concatenate([np.c_[a, c, b], np.c_[b, c, d]]).astype(np.uint32)
    uv = np.c_[u.ravel(), v.ravel()].astype(np.float32)
    primitive = {
        "attributes": {
            "POSITION": made.accessor(y_up(ground.points.reshape(-1, 3)), _FLOAT, _CORNERS),
            "TEXCOORD_0": made.accessor(uv, _FLOAT, _CORNERS),
        },
        "indices": made.accessor(faces.ravel(), _U32, _FACES),
        "material": _material(
            made, made.texture(ground.image, repeat=False), closed=False, opacity=ground.opacity
        ),
    }
    made.meshes.append({"name": "ground", "primitives": [primitive]})
    made.nodes.append({"name": "ground", "mesh": len(made.meshes) - 1})


def _around(made: _File, bare: list[Part]) -> None:
    if bare:
        primitives = [_primitive(made, p, None, 0) for p in bare]
        made.meshes.append({"name": "surroundings", "primitives": primitives})
        made.nodes.append({"name": "surroundings", "mesh": len(made.meshes) - 1})


def _primitive(made: _File, part: Part, table: int | None, first: int) -> dict[str, Any]:
    surface = part.surface
    attributes = {
        "POSITION": made.accessor(y_up(surface.vertices), _FLOAT, _CORNERS),
        "COLOR_0": made.accessor(linear(surface.rgb), _U16, _CORNERS, normalized=True),
    }
    texture = None
    if surface.uv is not None and surface.pattern is not None:
        upright = np.c_[surface.uv[:, 0], 1.0 - surface.uv[:, 1]].astype(np.float32)
        attributes["TEXCOORD_0"] = made.accessor(upright, _FLOAT, _CORNERS)
        texture = made.texture(surface.pattern, repeat=True)
    primitive: dict[str, Any] = {
        "attributes": attributes,
        "indices": made.accessor(surface.triangles.astype(np.uint32).ravel(), _U32, _FACES),
        "material": _material(made, texture, closed=surface.closed, opacity=surface.opacity),
    }
    if table is not None:
        numbers = (part.owner - first).astype(np.float32)  # exact to 16 million
        attributes["_FEATURE_ID_0"] = made.accessor(numbers, _FLOAT, _CORNERS)
        ids = {"featureCount": len(np.unique(part.owner)), "attribute": 0, "propertyTable": table}
        primitive["extensions"] = {"EXT_mesh_features": {"featureIds": [ids]}}
    return primitive


def _layer(made: _File, table: FeatureTable, mine: list[Part], first: int) -> None:
    number = len(made.tables)
    name = _key(table.layer, made.classes)
    properties: dict[str, Any] = {"id": {"type": "STRING", "required": True}}
    columns: dict[str, Any] = {"id": _strings(made, [str(i) for i in table.ids])}
    for one in table.fields:
        column = table.columns[one.name]
        title = f"{one.titles['en']} | {one.titles['zh']}"
        key = _key(one.name, properties)
        if one.type in ("real", "integer"):
            values = column.astype(np.float64)
            if not np.isfinite(values).any():
                continue
            told = f"{title} [{one.unit}]" if one.unit else title
            properties[key] = {
                "name": told,
                "type": "SCALAR",
                "componentType": "FLOAT64",
                "noData": _NO_NUMBER,
            }
            filled = np.where(np.isfinite(values), values, _NO_NUMBER)
            columns[key] = {"values": made.view(filled.astype("<f8").tobytes())}
        else:
            if not any(v is not None for v in column):
                continue
            properties[key] = {"name": title, "type": "STRING", "noData": ""}
            texts = ["" if v is None else _text(v) for v in column]
            columns[key] = _strings(made, texts)
    made.classes[name] = {"name": table.layer, "properties": properties}
    made.tables.append({"class": name, "count": len(table), "properties": columns})
    primitives = [_primitive(made, part, number, first) for part in mine]
    made.meshes.append({"name": table.layer, "primitives": primitives})
    made.nodes.append({"name": table.layer, "mesh": len(made.meshes) - 1})


def _key(name: str, taken: Container[str]) -> str:
    """Return a name as the schema wants it, ``[a-zA-Z_][a-zA-Z0-9_]*``, unlike those taken."""
    key = re.sub(r"\W", "_", name, flags=re.ASCII)
    key = key if re.match(r"[A-Za-z_]", key) else f"_{key}"
    return next(k for k in chain((key,), (f"{key}_{i}" for i in count(2))) if k not in taken)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, (bool, np.bool_)) else str(value)


def _strings(made: _File, texts: list[str]) -> dict[str, Any]:
    coded = [t.encode() for t in texts]
    ends = np.concatenate([[0], np.cumsum([len(t) for t in coded])]).astype("<u4")
    joined = b"".join(coded) or b"\0"  # a buffer view holds at least one byte
    return {
        "values": made.view(joined),
        "stringOffsets": made.view(ends.tobytes()),
        "stringOffsetType": "UINT32",
    }


def _asset(scene: Scene, view: TwinView, result: Result | None, picture: Picture) -> dict[str, Any]:
    o = picture.origin
    illustrative = view.illustrative or (result is not None and result.illustrative)
    extras: dict[str, Any] = {
        "twin": view.name,
        "twin_version": view.version,
        "scheme": view.scheme,
        "run": scene.run,
        "crs": view.frame.crs,
        "height_datum": view.frame.height_datum,
        "origin": [o.x, o.y, o.z],
        "axes": "x east, y up, z south, metres from origin (east, north, height)",
        "illustrative": illustrative,
        "sources": list(picture.sources),
    }
    if illustrative:
        extras["mark"] = messages.text("scenes.illustrative", lang="zh")
    return {"version": "2.0", "generator": f"cim-twin {VERSION}", "extras": extras}


def _binary(made: _File, asset: dict[str, Any]) -> bytes:
    samplers = [
        {"magFilter": 9729, "minFilter": 9987, "wrapS": 33071, "wrapT": 33071},
        {"magFilter": 9729, "minFilter": 9987, "wrapS": 10497, "wrapT": 10497},
    ]
    textures = [{"source": i, "sampler": int(m.pop("repeat"))} for i, m in enumerate(made.images)]
    document: dict[str, Any] = {
        "asset": asset,
        "extensionsUsed": ["EXT_mesh_features", "EXT_structural_metadata"],
        "scene": 0,
        "scenes": [{"nodes": list(range(len(made.nodes)))}],
        "nodes": made.nodes,
        "meshes": made.meshes,
        "materials": made.materials,
        "textures": textures,
        "images": made.images,
        "samplers": samplers,
        "accessors": made.accessors,
        "bufferViews": made.views,
        "buffers": [{"byteLength": len(made.data)}],
    }
    if made.tables:
        document["extensions"] = {
            "EXT_structural_metadata": {
                "schema": {"id": "cim_twin", "classes": made.classes},
                "propertyTables": made.tables,
            }
        }
    else:
        del document["extensionsUsed"]
    head = json.dumps(document, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()
    head += b" " * (-len(head) % 4)
    body = bytes(made.data) + b"\0" * (-len(made.data) % 4)
    size = 12 + 8 + len(head) + 8 + len(body)
    chunks = len(head).to_bytes(4, "little") + b"JSON" + head
    chunks += len(body).to_bytes(4, "little") + b"BIN\0" + body
    return b"glTF" + (2).to_bytes(4, "little") + size.to_bytes(4, "little") + chunks
