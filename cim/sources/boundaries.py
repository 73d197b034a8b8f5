"""CityJSON's nested boundaries, semantics and appearance become the arrays of a body."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.body import BODY_TYPES, Body, Draped

__all__ = ["LEVELS", "Lookup", "Unusable", "body_of"]

Floats = NDArray[np.float64]

LEVELS = {"0": 1, "1": 2, "2": 3, "3": 4, "4": 5}
"""First figure of a level of detail -> CIM level."""

_LOD = re.compile(r"[0-4](\.\d)?")
_KNOWN = {
    "type", "lod", "boundaries", "semantics", "material", "texture", "template",
    "transformationMatrix",
}  # fmt: skip


class Unusable(ValueError):
    """A geometry nothing can be made of; `args` are the message key and its values."""


@dataclass
class Lookup:
    """What the indices of a file point into, and what was wrong with what points.

    Attributes
    ----------
    vertices
        (n, 3) float64 in the twin's frame; NaN where the file's could not be read.
    uv
        (m, 2) texture coordinates.
    materials, textures, templates
        How many there are.
    faults
        Message key -> how often, of the geometry read last.
    """

    vertices: Floats
    uv: Floats = field(default_factory=lambda: np.empty((0, 2)))
    materials: int = 0
    textures: int = 0
    templates: int = 0
    faults: Counter[str] = field(default_factory=Counter)


def body_of(geometry: Any, look: Lookup, *, object_id: str) -> Body:
    """Return a CityJSON geometry as a body.

    Faces whose indices point at nothing are left out and counted in ``look.faults``, as is
    a meaning or a look that does not fit its face.

    Parameters
    ----------
    geometry
        A geometry object of CityJSON 1.0 to 2.0, not a template's instance.
    look
        What its indices point into.
    object_id
        Whose it is.

    Raises
    ------
    Unusable
        Unknown type, no list where one must be, or no face left.
    """
    look.faults = Counter()
    if not isinstance(geometry, Mapping):
        raise Unusable("source.model.geometry_broken", {"why": type(geometry).__name__})
    type_ = geometry.get("type")
    if type_ not in BODY_TYPES:
        raise Unusable("source.model.geometry_type", {"type": str(type_)[:40]})
    depth = BODY_TYPES[type_]
    found = _Faces(look, points=depth == 0)
    found.walk(_nested(geometry.get("boundaries"), depth), geometry, depth)
    if not found.index:
        raise Unusable("source.model.geometry_empty", {"type": type_})
    lod = lod_text(geometry.get("lod"))
    if not _LOD.fullmatch(lod):
        look.faults["source.model.lod_unknown"] += 1
        lod = "1"
    index = np.array(found.index, dtype=np.int64)
    used, compact = np.unique(index, return_inverse=True)
    semantics = geometry.get("semantics")
    surfaces = semantics.get("surfaces") if isinstance(semantics, Mapping) else None
    if isinstance(surfaces, list) and not all(isinstance(s, Mapping) for s in surfaces):
        surfaces = None
        look.faults["source.model.semantics_broken"] += 1
    semantic = np.array(found.semantic, dtype=np.int32)
    if isinstance(surfaces, list):
        outside = (semantic < -1) | (semantic >= len(surfaces))
        if outside.any():
            look.faults["source.model.semantics_broken"] += int(outside.sum())
            semantic[outside] = -1
    return Body(
        object_id=object_id,
        type=type_,
        lod=lod,
        cim_level=LEVELS.get(lod[:1], 1),
        vertices=look.vertices[used],
        index=compact.astype(np.int32).reshape(-1),
        rings=_starts(found.rings),
        faces=_starts(found.faces),
        shells=_starts(found.shells),
        solids=_starts(found.solids),
        surfaces=tuple(surfaces) if isinstance(surfaces, list) else None,
        semantic=semantic if isinstance(surfaces, list) else np.empty(0, dtype=np.int32),
        materials={
            theme: np.array(values, dtype=np.int32) for theme, values in found.materials.items()
        },
        textures={
            theme: Draped(
                np.array(images, dtype=np.int32),
                np.array(found.uv[theme], dtype=np.float64).reshape(-1, 2),
            )
            for theme, images in found.images.items()
        },
        extra={k: v for k, v in geometry.items() if k not in _KNOWN},
    )


def lod_text(value: Any) -> str:
    """Return a level of detail as text: 2 and 2.0 are "2", as CityJSON 1.0 writes them."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:g}"
    return value if isinstance(value, str) and len(value) < 12 else ""


def _starts(values: list[int]) -> NDArray[np.int32]:
    return np.array(values, dtype=np.int32)


def _nested(boundaries: Any, depth: int) -> Any:
    """Return boundaries of any type as solids of shells of faces of rings."""
    if depth == 0:
        return [[[[boundaries]]]]
    if depth == 1:
        lines = boundaries if isinstance(boundaries, list) else [boundaries]
        return [[[[line] for line in lines]]]
    if depth == 2:
        return [[boundaries]]
    return [boundaries] if depth == 3 else boundaries


def _values(values: Any, depth: int) -> Any:
    """Return the values of faces as solids of shells of faces; see `_nested`."""
    if depth <= 2:
        return [[values]]
    return [values] if depth == 3 else values


def _at(values: Any, i: int) -> Any:
    return values[i] if isinstance(values, list) and i < len(values) else None


class _Faces:
    """Walks nested boundaries and what lies parallel to them."""

    def __init__(self, look: Lookup, *, points: bool) -> None:
        self.look, self.points = look, points
        self.count = len(look.vertices)
        self.bad = np.isnan(look.vertices.sum(axis=1))
        self.any_bad = bool(self.bad.any())
        self.index: list[int] = []
        self.rings, self.faces, self.shells, self.solids = [0], [0], [0], [0]
        self.semantic: list[int] = []
        self.materials: dict[str, list[int]] = {}
        self.images: dict[str, list[int]] = {}
        self.uv: dict[str, list[tuple[float, float]]] = {}

    def walk(self, solids: Any, geometry: Mapping[str, Any], depth: int) -> None:
        semantics = geometry.get("semantics")
        meaning = semantics.get("values") if isinstance(semantics, Mapping) else None
        meaning = _values(meaning, depth)
        paint = _themes(geometry.get("material"))
        drape = _themes(geometry.get("texture"))
        self.materials = {theme: [] for theme in paint}
        self.images = {theme: [] for theme in drape}
        self.uv = {theme: [] for theme in drape}
        for s, shells in enumerate(_list(solids)):
            for h, faces in enumerate(_list(shells)):
                given = _at(_at(meaning, s), h)
                if isinstance(given, list) and len(given) != len(_list(faces)):
                    self.look.faults["source.model.semantics_count"] += 1
                for f, face in enumerate(_list(faces)):
                    place = (s, h, f)
                    if self._face(face, drape, depth, place):
                        self._mean(_at(given, f))
                        self._paint(paint, depth, place)
                self.shells.append(len(self.faces) - 1)
            self.solids.append(len(self.shells) - 1)

    def _face(
        self, face: Any, drape: Mapping[str, Any], depth: int, place: tuple[int, int, int]
    ) -> bool:
        """Add a face where all its rings can be used."""
        rings: list[list[int]] = []
        for ring in _list(face):
            if not isinstance(ring, list) or not all(type(i) is int for i in ring):
                self.look.faults["source.model.face_broken"] += 1
                return False
            if any(not 0 <= i < self.count for i in ring):
                self.look.faults["source.model.index_range"] += 1
                return False
            if self.any_bad and any(self.bad[i] for i in ring):
                self.look.faults["source.model.vertex_broken"] += 1
                return False
            rings.append(ring)
        least = 1 if self.points else 2 if depth == 1 else 3
        if not rings or any(len(ring) < least for ring in rings):
            self.look.faults["source.model.ring_short"] += 1
            return False
        closed = [depth > 1 and len(r) > 3 and r[0] == r[-1] for r in rings]
        for k, ring in enumerate(rings):
            self.index += ring[:-1] if closed[k] else ring
            self.rings.append(len(self.index))
        if any(closed):
            self.look.faults["source.model.ring_closed"] += 1
        self.faces.append(len(self.rings) - 1)
        for theme, values in drape.items():
            mine = _at(_at(_at(_values(values.get("values"), depth), place[0]), place[1]), place[2])
            for k, ring in enumerate(rings):
                self._drape(theme, _at(mine, k), len(ring), cut=closed[k])
        return True

    def _drape(self, theme: str, values: Any, corners: int, *, cut: bool) -> None:
        image, uv = -1, [(np.nan, np.nan)] * corners
        if isinstance(values, list) and values and values[0] is not None:
            whole = len(values) == corners + 1 and all(type(i) is int for i in values)
            if (
                whole
                and 0 <= values[0] < self.look.textures
                and all(0 <= i < len(self.look.uv) for i in values[1:])
            ):
                image = values[0]
                uv = [(float(u), float(v)) for u, v in self.look.uv[values[1:]]]
            else:
                self.look.faults["source.model.texture_broken"] += 1
        self.images[theme].append(image)
        self.uv[theme] += uv[:-1] if cut else uv

    def _mean(self, value: Any) -> None:
        if self.points:
            return
        if value is not None and type(value) is not int:
            self.look.faults["source.model.semantics_broken"] += 1
            value = None
        self.semantic.append(-1 if value is None else max(-2, min(value, 2**31 - 1)))

    def _paint(self, paint: Mapping[str, Any], depth: int, place: tuple[int, int, int]) -> None:
        for theme, values in paint.items():
            value = values.get("value")
            if "values" in values:
                nested = _values(values["values"], depth)
                value = _at(_at(_at(nested, place[0]), place[1]), place[2])
            if value is not None and not (type(value) is int and 0 <= value < self.look.materials):
                self.look.faults["source.model.material_broken"] += 1
                value = None
            self.materials[theme].append(-1 if value is None else value)


def _themes(value: Any) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        return {}
    return {str(theme): one for theme, one in value.items() if isinstance(one, Mapping)}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
