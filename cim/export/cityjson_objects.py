"""What a row of a layer is as a CityJSON object: type, attributes, members, geometry."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.export.outcome import Exported
from cim.model.body import Body
from cim.model.kinds import kind
from cim.model.mesh import MeshPool, Surface
from cim.model.table import FeatureTable

__all__ = ["Described", "describe", "shapes_of"]

_NAMES = {"height_m": "measuredHeight", "storeys_above": "storeysAboveGround",
          "storeys_below": "storeysBelowGround", "roof_type": "roofType"}  # fmt: skip
_NEVER = frozenset(["parent", "source", "source_id"])
_DERIVED = frozenset(["base_m", "height_m"])
_PARTS_OF = ("Building", "Bridge", "Tunnel")
_FIRST_LEVEL = frozenset(
    ["Building", "Bridge", "Tunnel", "CityObjectGroup", "CityFurniture", "GenericCityObject",
     "LandUse", "OtherConstruction", "PlantCover", "SolitaryVegetationObject", "TINRelief",
     "TransportSquare", "Railway", "Road", "Waterway", "WaterBody"]
)  # fmt: skip
_SEMANTICS = {
    Surface.GROUND: "GroundSurface",
    Surface.WALL: "WallSurface",
    Surface.ROOF: "RoofSurface",
    Surface.OUTER_FLOOR: "OuterFloorSurface",
    Surface.OUTER_CEILING: "OuterCeilingSurface",
    Surface.WINDOW: "Window",
    Surface.DOOR: "Door",
}


@dataclass
class Described:
    """An object as CityJSON has it, its geometry still bodies."""

    type: str
    attributes: dict[str, Any]
    members: dict[str, Any]
    bodies: Sequence[Body]


def describe(
    table: FeatureTable,
    i: int,
    *,
    record: Mapping[str, Any] | None,
    bodies: Sequence[Body],
    meshes: Sequence[Body],
    has_parent: bool,
    done: Exported,
) -> Described:
    """Return what row `i` of a layer is in CityJSON.

    Parameters
    ----------
    table, i
        The row.
    record
        What was kept of the object beside its columns, where it came from a city model.
    bodies, meshes
        Its polygons; its meshes as polygons, one a level, taken where it has none.
    has_parent
        Whether its whole is written too.
    done
        Where what is left out is counted.
    """
    wanted = str(record["type"]) if record else _type(table, done)
    type_ = _allowed(wanted, has_parent, done)
    attributes = _attributes(table, i, record, done)
    if record is None and type_ == "GenericCityObject" and table.kind != "generic":
        attributes["cim_kind"] = table.layer
    members = dict(record.get("members", {})) if record else {}
    if isinstance(members.get("address"), Mapping):  # one object until CityJSON 1.0
        members["address"] = [members["address"]]
    members.pop("geographicalExtent", None)
    bodies = bodies or meshes
    if not bodies and record is None:
        made = _block(table, i, type_)
        bodies = [] if made is None else [made]
        if made is None:
            done.leave("export.left.geometry")
    return Described(type_, attributes, members, bodies)


def _type(table: FeatureTable, done: Exported) -> str:
    found = kind(table.kind).cityjson
    if found.startswith("+"):
        done.leave("export.left.kind", 1, {"name": table.kind})
        return "GenericCityObject"
    return found


def _allowed(type_: str, has_parent: bool, done: Exported) -> str:
    """Return a type that may stand alone where the object does."""
    if type_ in _FIRST_LEVEL or type_.startswith("+") or has_parent:
        return type_
    done.leave("export.left.alone", 1, {"name": type_})
    whole = next((name for name in _PARTS_OF if type_ == f"{name}Part"), None)
    return whole or "GenericCityObject"


def _attributes(
    table: FeatureTable, i: int, record: Mapping[str, Any] | None, done: Exported
) -> dict[str, Any]:
    taken = record.get("taken", {}) if record else {}
    beside = record.get("attributes", {}) if record else {}
    unread = record.get("unread", {}) if record else {}
    out: dict[str, Any] = {k: None for k, v in beside.items() if v is None}
    back = {attribute: column for column, attribute in taken.items()}
    for field in table.fields:
        name = field.name
        value = _value(table.columns[name][i], field.type)
        came, stands = unread.get(taken.get(name, name), (None, None))
        if came is not None and value == stands:
            value = came  # nobody has changed what could not be read
        if value is None or name in _NEVER or (name == "illustrative" and not value):
            continue
        outside = taken.get(name, name)
        if record is None:
            outside = _NAMES.get(name, name)
        elif name in _DERIVED and name not in taken:
            if name != "base_m" and name not in back:
                done.leave("export.left.derived", 1, {"name": name})
            continue
        if outside in beside and beside[outside] is not None:
            nested = beside[outside]
            value = nested if json.dumps(nested, ensure_ascii=False) == value else value
        out[outside] = value
    return out


def _value(value: Any, type_: str) -> Any:
    if value is None:
        return None
    if type_ in ("real", "integer"):
        number = float(value)
        if not math.isfinite(number):
            return None
        return int(number) if type_ == "integer" and number.is_integer() else number
    return bool(value) if type_ == "boolean" else str(value)


def _block(table: FeatureTable, i: int, type_: str) -> Body | None:
    """Return a block of an object's height over its footprint, else its flat geometry."""
    import shapely

    shape = table.geometry[i]
    if shape is None or shapely.is_empty(shape):
        return None
    base = float(table.numbers("base_m", default=0.0)[i])
    height = float(table.numbers("height_m", default=0.0)[i])
    dimension = int(shapely.get_dimensions(shape))
    if dimension == 0:
        return _plain("MultiPoint", [[c] for c in shapely.get_coordinates(shape)], base)
    if dimension == 1:
        lines = [shapely.get_coordinates(p) for p in shapely.get_parts(shape)]
        return _plain("MultiLineString", lines, base)
    polygons = [
        [shapely.get_coordinates(r)[:-1] for r in shapely.get_rings(p)]
        for p in shapely.get_parts(shapely.orient_polygons(shapely.force_2d(shape)))
    ]
    if height > 0 and type_ in ("Building", "BuildingPart") and len(polygons) == 1:
        return _prism(polygons[0], base, base + height)
    return _faces("MultiSurface", "0", [[_lift(r, base) for r in p] for p in polygons])


def _lift(ring: NDArray[np.float64], z: float) -> NDArray[np.float64]:
    return np.column_stack([ring[:, :2], np.full(len(ring), z)])


def _prism(rings: list[NDArray[np.float64]], low: float, high: float) -> Body:
    """Return a block; its outer ring runs counter-clockwise from above, its holes clockwise."""
    faces = [[_lift(r[::-1], low) for r in rings], [_lift(r, high) for r in rings]]
    for ring in rings:
        after = np.roll(ring, -1, axis=0)
        for a, b in zip(ring[:, :2], after[:, :2], strict=True):
            faces.append([np.array([[*a, low], [*b, low], [*b, high], [*a, high]])])
    semantic = [0, 1, *([2] * (len(faces) - 2))]
    names = ("GroundSurface", "RoofSurface", "WallSurface")
    return _faces("Solid", "1", faces, names=names, semantic=semantic)


def _faces(
    type_: str,
    lod: str,
    faces: Sequence[Sequence[NDArray[np.float64]]],
    *,
    names: Sequence[str] = (),
    semantic: Sequence[int] = (),
) -> Body:
    rings = [ring for face in faces for ring in face]
    sizes = np.cumsum([0, *(len(r) for r in rings)]).astype(np.int32)
    points = np.concatenate(rings)
    unique, index = np.unique(points, axis=0, return_inverse=True)
    one = np.array([0, 1], dtype=np.int32)
    return Body(
        object_id="",
        type=type_,
        lod=lod,
        cim_level=2 if lod == "1" else 1,
        vertices=unique,
        index=index.astype(np.int32).reshape(-1),
        rings=sizes,
        faces=np.cumsum([0, *(len(f) for f in faces)]).astype(np.int32),
        shells=np.array([0, len(faces)], dtype=np.int32),
        solids=one,
        surfaces=tuple({"type": n} for n in names) if names else None,
        semantic=np.array(semantic, dtype=np.int32),
    )


def _plain(type_: str, lines: Sequence[Any], z: float) -> Body:
    points = np.concatenate([np.asarray(line, dtype=np.float64)[:, :2] for line in lines])
    sizes = np.cumsum([0, *(len(line) for line in lines)]).astype(np.int32)
    if type_ == "MultiPoint":
        sizes = np.array([0, len(points)], dtype=np.int32)
    count = len(sizes) - 1
    ends = np.array([0, count], dtype=np.int32)
    return Body(
        object_id="",
        type=type_,
        lod="0",
        cim_level=1,
        vertices=_lift(points, z),
        index=np.arange(len(points), dtype=np.int32),
        rings=sizes,
        faces=np.arange(count + 1, dtype=np.int32),
        shells=ends,
        solids=np.array([0, 1], dtype=np.int32),
    )


def shapes_of(pool: MeshPool, rows: Container[str]) -> dict[str, list[Body]]:
    """Return the meshes of each object, a body per level, as triangles with their meaning.

    Levels 3 and 4 are one in CityJSON: the finer counts.
    """
    levels: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for n, one in enumerate(pool.instances):
        if one.object_id in rows:
            levels[one.object_id][one.lod].append(n)
    found = {}
    for id_, by_lod in levels.items():
        finest = max(by_lod)
        kept = [lod for lod in sorted(by_lod) if lod < "3" or lod == finest]
        found[id_] = [_joined(pool, by_lod[lod]) for lod in kept]
    return found


def _joined(pool: MeshPool, numbers: Sequence[int]) -> Body:
    vertices, triangles, meaning, base = [], [], [], 0
    for n in numbers:
        mesh = pool.meshes[pool.instances[n].mesh_id]
        vertices.append(pool.placed(pool.instances[n]))
        triangles.append(mesh.triangles.astype(np.int64) + base)
        meaning.append(mesh.surface)
        base += len(mesh.vertices)
    index = np.concatenate(triangles).astype(np.int32)
    surface = np.concatenate(meaning)
    found = [s for s in _SEMANTICS if (surface == s).any()]
    semantic = np.full(len(surface), -1, dtype=np.int32)
    for k, one in enumerate(found):
        semantic[surface == one] = k
    count = len(index)
    # Pieces of several meshes may touch; only a block or shell closed in itself is a solid.
    alone = len(numbers) == 1 and pool.instances[numbers[0]].lod in "12"
    pieces = _solids(index) if alone else []
    if pieces:
        order = np.concatenate(pieces)
        index, semantic = index[order], semantic[order]
    ends = np.cumsum([0, *map(len, pieces)] if pieces else [0, count]).astype(np.int32)
    return Body(
        object_id="",
        type=("Solid" if len(pieces) == 1 else "MultiSolid") if pieces else "MultiSurface",
        lod=min(pool.instances[numbers[0]].lod, "3"),
        cim_level=pool.instances[numbers[0]].cim_level,
        vertices=np.concatenate(vertices),
        index=index.reshape(-1),
        rings=np.arange(0, 3 * count + 1, 3, dtype=np.int32),
        faces=np.arange(count + 1, dtype=np.int32),
        shells=ends,
        solids=np.arange(len(ends), dtype=np.int32),
        surfaces=tuple({"type": _SEMANTICS[s]} for s in found) if found else None,
        semantic=semantic if found else np.empty(0, dtype=np.int32),
    )


def _solids(triangles: NDArray[np.int32]) -> list[NDArray[np.int64]]:
    """Return the rows of each solid among triangles; none where one of them is not closed.

    A solid hangs together over edges that two faces share, and has each of its edges once
    each way. Where more than two faces meet in an edge, bodies touch: they are several.
    """
    ahead = np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]).astype(np.int64)
    size = int(triangles.max(initial=0)) + 1
    forth, back = ahead @ [size, 1], ahead @ [1, size]
    if len(triangles) < 4 or not bool((np.sort(forth) == np.sort(back)).all()):
        return []
    faces = np.tile(np.arange(len(triangles)), 3)
    once, first, times = np.unique(forth, return_index=True, return_counts=True)
    simple = dict(zip(once[times == 1].tolist(), faces[first[times == 1]].tolist(), strict=True))
    beside: list[list[int]] = [[] for _ in range(len(triangles))]
    for face, edge, other in zip(faces.tolist(), forth.tolist(), back.tolist(), strict=True):
        if edge in simple and other in simple:
            beside[face].append(simple[other])
    piece = np.full(len(triangles), -1, dtype=np.int64)
    pieces: list[NDArray[np.int64]] = []
    for start in range(len(triangles)):
        if piece[start] < 0:
            stack = [start]
            piece[start] = len(pieces)
            while stack:
                for near in beside[stack.pop()]:
                    if piece[near] < 0:
                        piece[near] = len(pieces)
                        stack.append(near)
            pieces.append(np.flatnonzero(piece == len(pieces)))
    for rows in pieces:
        own = np.isin(faces, rows)
        one, other = np.sort(forth[own]), np.sort(back[own])
        if len(rows) < 4 or (one != other).any() or (np.diff(one) == 0).any():
            return []
    return pieces
