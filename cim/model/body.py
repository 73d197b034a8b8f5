"""Objects as polygons: faces with holes, their meaning and their look, as the source has them.

A *body* is one representation of one object at one level of detail. It keeps what a mesh
loses — rings, shells, semantic surfaces, themes of materials and textures — so that
CityJSON and CityGML go out as they came in. Meshes for drawing are made of bodies by
triangulation (`cim.model.facets`).
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import ShapeError

__all__ = ["BODY_TYPES", "Body", "BodyPool", "Draped", "pack_body", "unpack_body"]

BODY_TYPES = {
    "MultiPoint": 0,
    "MultiLineString": 1,
    "MultiSurface": 2,
    "CompositeSurface": 2,
    "Solid": 3,
    "MultiSolid": 4,
    "CompositeSolid": 4,
}
"""CityJSON geometry types: 0 points, 1 lines, 2 faces, 3 shells of faces, 4 solids of shells."""

Ints = NDArray[np.int32]


@dataclass(frozen=True)
class Draped:
    """Textures of one theme over a body.

    Attributes
    ----------
    image
        (r,) int32 for each ring, into the pool's textures; -1 for none.
    uv
        (k, 2) float64 for each entry of the body's index; NaN where a ring has no texture.
    """

    image: Ints
    uv: NDArray[np.float64]


def _no_ints() -> Ints:
    return np.empty(0, dtype=np.int32)


@dataclass(frozen=True)
class Body:
    """One representation of one object as points, lines or polygons.

    The four tables of starts nest: solid v holds shells ``solids[v]:solids[v + 1]``, a shell
    holds faces, a face rings (the outer one first), a ring entries of ``index``. A level
    the type does not have holds one row with everything.

    Attributes
    ----------
    object_id
        The object; empty in a template.
    type
        A key of `BODY_TYPES`.
    lod
        Level of detail in the source's words (``"2.2"``); empty where it has none.
    cim_level
        CIM level 1–7.
    vertices
        (n, 3) float64: projected metres and absolute height; in a template its own metres.
    index
        (k,) int32 into `vertices`; a ring does not repeat its first vertex.
    rings, faces, shells, solids
        Starts, each one longer than its count.
    surfaces
        Semantic surfaces as the source has them; None where it has none at all.
    semantic
        For each face (point, line) int32 into `surfaces`; -1 for none.
    materials
        Theme -> (f,) int32 for each face, into the pool's materials; -1 for none.
    textures
        Theme -> what is draped over the rings.
    template, matrix
        For a body that is a placed template: its number in the pool and the (4, 4) float64
        matrix into projected metres; `index` is then empty.
    extra
        Members the source has besides.
    """

    object_id: str
    type: str
    lod: str
    cim_level: int
    vertices: NDArray[np.float64]
    index: Ints
    rings: Ints
    faces: Ints
    shells: Ints
    solids: Ints
    surfaces: tuple[Mapping[str, Any], ...] | None = None
    semantic: Ints = field(default_factory=_no_ints)
    materials: Mapping[str, Ints] = field(default_factory=dict)
    textures: Mapping[str, Draped] = field(default_factory=dict)
    template: int | None = None
    matrix: NDArray[np.float64] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.type not in BODY_TYPES:
            raise ShapeError("body.type", given=self.type)
        count = len(self.vertices)
        if len(self.index) and (self.index.min() < 0 or self.index.max() >= count):
            raise ShapeError("body.index", given=int(self.index.max()), values={"count": count})

    @property
    def dimension(self) -> int:
        """0 for points, 1 for lines, 2 for faces, also those of solids."""
        return min(2, BODY_TYPES[self.type])

    @property
    def face_count(self) -> int:
        """How many faces (lines, sets of points)."""
        return max(0, len(self.faces) - 1)


@dataclass(frozen=True)
class BodyPool:
    """Bodies, the templates they place, and what they wear.

    Attributes
    ----------
    bodies, templates
        In the order of the source.
    materials, textures
        Records with the members of CityJSON's appearance.
    records
        Object id -> members of the object that are no columns: own type, unknown members,
        nested attributes, what fed which column.
    documents
        Source key -> members of the whole file (metadata, extensions, unknown ones).
    images
        Name of a texture's file, as its record has it -> bytes.
    """

    bodies: Sequence[Body] = ()
    templates: Sequence[Body] = ()
    materials: Sequence[Mapping[str, Any]] = ()
    textures: Sequence[Mapping[str, Any]] = ()
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    documents: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    images: Mapping[str, bytes] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.bodies)

    def __bool__(self) -> bool:
        return bool(self.bodies or self.records or self.documents)

    def without(self, ids: Iterable[str]) -> BodyPool:
        """Return the pool without the bodies of some objects."""
        gone = set(ids)
        return replace(self, bodies=tuple(b for b in self.bodies if b.object_id not in gone))

    def merged(self, other: BodyPool) -> BodyPool:
        """Return both pools as one; the other's numbers are shifted."""
        shift = (len(self.templates), len(self.materials), len(self.textures))
        return BodyPool(
            bodies=(*self.bodies, *(shifted(b, *shift) for b in other.bodies)),
            templates=(*self.templates, *(shifted(b, *shift) for b in other.templates)),
            materials=(*self.materials, *other.materials),
            textures=(*self.textures, *other.textures),
            records={**self.records, **other.records},
            documents={**self.documents, **other.documents},
            images={**self.images, **other.images},
        )


def shifted(body: Body, templates: int, materials: int, textures: int) -> Body:
    """Return a body whose numbers of templates, materials and textures are raised."""
    if not (templates or materials or textures):
        return body
    return replace(
        body,
        template=None if body.template is None else body.template + templates,
        materials={t: _raised(values, materials) for t, values in body.materials.items()},
        textures={
            t: Draped(_raised(one.image, textures), one.uv) for t, one in body.textures.items()
        },
    )


def _raised(values: Ints, by: int) -> Ints:
    return np.where(values >= 0, values + by, -1).astype(np.int32)


_PARTS = ("vertices", "index", "rings", "faces", "shells", "solids", "semantic")
_LENGTH = struct.Struct("<I")


def pack_body(body: Body) -> bytes:
    """Return a body without its object, type and levels as bytes: a JSON head, then arrays."""
    arrays: list[tuple[str, NDArray[Any]]] = [(name, getattr(body, name)) for name in _PARTS]
    arrays += [(f"m {theme}", values) for theme, values in body.materials.items()]
    for theme, one in body.textures.items():
        arrays += [(f"t {theme}", one.image), (f"u {theme}", one.uv)]
    if body.matrix is not None:
        arrays.append(("matrix", body.matrix))
    head: dict[str, Any] = {
        "arrays": [[name, values.dtype.char, list(values.shape)] for name, values in arrays]
    }
    if body.surfaces is not None:
        head["surfaces"] = body.surfaces
    if body.template is not None:
        head["template"] = body.template
    if body.extra:
        head["extra"] = body.extra
    text = json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()
    return b"".join(
        [_LENGTH.pack(len(text)), text, *(np.ascontiguousarray(v).tobytes() for _, v in arrays)]
    )


def unpack_body(data: bytes, *, object_id: str, type: str, lod: str, cim_level: int) -> Body:
    """Return the body that `pack_body` made bytes of.

    Raises
    ------
    ShapeError
        The bytes are no body.
    """
    try:
        (length,) = _LENGTH.unpack_from(data)
        head = json.loads(data[4 : 4 + length])
        at = 4 + length
        found: dict[str, NDArray[Any]] = {}
        for name, char, shape in head["arrays"]:
            if char not in "dil":
                raise ValueError(char)
            count = int(np.prod(shape, dtype=np.int64))
            flat = np.frombuffer(data, dtype=np.dtype(char), count=count, offset=at)
            found[name] = flat.reshape(shape)
            at += flat.nbytes
        surfaces = head.get("surfaces")
        return Body(
            object_id=object_id,
            type=type,
            lod=lod,
            cim_level=cim_level,
            vertices=found["vertices"],
            index=found["index"],
            rings=found["rings"],
            faces=found["faces"],
            shells=found["shells"],
            solids=found["solids"],
            surfaces=None if surfaces is None else tuple(surfaces),
            semantic=found["semantic"],
            materials={n[2:]: v for n, v in found.items() if n.startswith("m ")},
            textures={
                n[2:]: Draped(v, found[f"u {n[2:]}"])
                for n, v in found.items()
                if n.startswith("t ")
            },
            template=head.get("template"),
            matrix=found.get("matrix"),
            extra=head.get("extra", {}),
        )
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise ShapeError("body.damaged", given=object_id) from error
