"""Bodies as CityJSON geometries, and the pools of vertices and looks they point into."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.body import BODY_TYPES, Body, BodyPool

__all__ = ["SCALE_M", "Parts"]

SCALE_M = 0.001
"""Vertices are written in whole millimetres from the translation."""


@dataclass
class Parts:
    """The pools of one file, or of one feature of a sequence.

    Attributes
    ----------
    translate
        (3,) whole millimetres subtracted from vertices.
    pool
        Where materials and textures of the bodies stand.
    """

    translate: NDArray[np.float64]
    pool: BodyPool
    vertices: dict[tuple[int, int, int], int] = field(default_factory=dict)
    uv: dict[tuple[float, float], int] = field(default_factory=dict)
    materials: dict[int, int] = field(default_factory=dict)
    textures: dict[int, int] = field(default_factory=dict)

    def place(self, points: NDArray[np.float64]) -> list[int]:
        """Return the numbers of points in projected metres, new ones added."""
        whole = np.rint((points - self.translate) / SCALE_M).astype(np.int64)
        known = self.vertices
        return [known.setdefault((x, y, z), len(known)) for x, y, z in whole.tolist()]

    def geometry(self, body: Body) -> dict[str, Any]:
        """Return a body as a CityJSON geometry."""
        if body.template is not None:
            return self._instance(body)
        return self.shape(body, self.place(body.vertices))

    def shape(self, body: Body, numbers: Sequence[int]) -> dict[str, Any]:
        """Return a body whose vertices have `numbers` as a CityJSON geometry."""
        index = [numbers[i] for i in body.index.tolist()]
        out: dict[str, Any] = {"type": body.type, "lod": body.lod or "1"}
        rings = [index[a:b] for a, b in _pairs(body.rings)]
        faces = [list(range(a, b)) for a, b in _pairs(body.faces)]
        depth = BODY_TYPES[body.type]
        if depth == 0:
            out["boundaries"] = index
        elif depth == 1:
            out["boundaries"] = rings
        else:
            out["boundaries"] = _nest(body, [[rings[r] for r in face] for face in faces])
        if body.surfaces is not None and depth >= 1:
            meaning = [None if v < 0 else v for v in body.semantic.tolist()]
            values = _nest(body, meaning) if depth >= 2 else meaning
            out["semantics"] = {"surfaces": [dict(s) for s in body.surfaces], "values": values}
        for theme, given in body.materials.items():
            named = [self._look(self.materials, v) for v in given.tolist()]
            out.setdefault("material", {})[theme] = {"values": _nest(body, named)}
        for theme, draped in body.textures.items():
            pairs = _pairs(body.rings)
            rows = [
                self._draped(int(image), draped.uv[a:b])
                for image, (a, b) in zip(draped.image, pairs, strict=True)
            ]
            nested = _nest(body, [[rows[r] for r in face] for face in faces])
            out.setdefault("texture", {})[theme] = {"values": nested}
        out.update({k: v for k, v in body.extra.items() if k not in out})
        return out

    def _draped(self, image: int, uv: NDArray[np.float64]) -> list[int | None]:
        if image < 0:
            return [None]
        known = self.uv
        corners = [known.setdefault((u, v), len(known)) for u, v in uv.tolist()]
        return [self._look(self.textures, image), *corners]

    def _look(self, known: dict[int, int], number: int) -> int | None:
        return None if number < 0 else known.setdefault(number, len(known))

    def _instance(self, body: Body) -> dict[str, Any]:
        assert body.matrix is not None and body.template is not None
        at = body.matrix[:3, 3]
        number = self.place(at[None])[0]
        whole = np.rint((at - self.translate) / SCALE_M) * SCALE_M + self.translate
        matrix = body.matrix.copy()
        matrix[:3, 3] = np.round(at - whole, 9)
        return {
            "type": "GeometryInstance",
            "template": body.template,
            "boundaries": [number],
            "transformationMatrix": [float(v) + 0.0 for v in matrix.ravel()],
            **body.extra,
        }

    def appearance(self, paths: dict[str, str]) -> dict[str, Any] | None:
        """Return the looks in use, the images under the paths they were written to."""
        out: dict[str, Any] = {}
        if self.materials:
            out["materials"] = [dict(self.pool.materials[n]) for n in self.materials]
        if self.textures:
            out["textures"] = [_texture(self.pool.textures[n], paths) for n in self.textures]
            out["vertices-texture"] = [list(pair) for pair in self.uv]
        return out or None

    def listed(self) -> Iterator[list[int]]:
        """Yield the vertices as whole millimetres, in the order of their numbers."""
        for one in self.vertices:
            yield list(one)


def _texture(record: Any, paths: dict[str, str]) -> dict[str, Any]:
    out = {k: v for k, v in record.items() if k != "+cim-image"}
    key = record.get("+cim-image")
    if key in paths:
        out["image"] = paths[key]
    return out


def _pairs(starts: NDArray[np.int32]) -> list[tuple[int, int]]:
    values = starts.tolist()
    return list(zip(values[:-1], values[1:], strict=True))


def _nest(body: Body, faces: list[Any]) -> Any:
    """Return one value for each face in the nesting of the body's type."""
    depth = BODY_TYPES[body.type]
    if depth <= 2:
        return faces
    shells = [faces[a:b] for a, b in _pairs(body.shells)]
    if depth == 3:
        return shells
    return [shells[a:b] for a, b in _pairs(body.solids)]
