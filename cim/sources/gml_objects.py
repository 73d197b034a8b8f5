"""City objects of a CityGML member: attributes, parts, bodies with meaning and look."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.crs import Frame
from cim.model.body import BODY_TYPES, Body, Draped
from cim.sources.boundaries import LEVELS
from cim.sources.gml_geometry import Face, Geometry, Reader, numbers
from cim.sources.gml_looks import Looks, Worn
from cim.sources.gml_values import take_property, text_below
from cim.sources.gml_xml import attribute, href, local
from cim.sources.model_place import turned
from cim.sources.objects import RawModel, RawObject
from cim.sources.place import Place
from cim.sources.spec import LayerSpec

__all__ = ["Members", "objects_in"]

Floats = NDArray[np.float64]

TYPES = {
    "Building": "Building", "BuildingPart": "BuildingPart",
    "BuildingInstallation": "BuildingInstallation",
    "IntBuildingInstallation": "BuildingInstallation",
    "BuildingConstructiveElement": "BuildingConstructiveElement",
    "BuildingFurniture": "BuildingFurniture", "Room": "BuildingRoom",
    "BuildingRoom": "BuildingRoom", "BuildingUnit": "BuildingUnit", "Storey": "BuildingStorey",
    "Bridge": "Bridge", "BridgePart": "BridgePart", "BridgeInstallation": "BridgeInstallation",
    "IntBridgeInstallation": "BridgeInstallation",
    "BridgeConstructionElement": "BridgeConstructiveElement",
    "BridgeConstructiveElement": "BridgeConstructiveElement", "BridgeRoom": "BridgeRoom",
    "BridgeFurniture": "BridgeFurniture",
    "Tunnel": "Tunnel", "TunnelPart": "TunnelPart", "TunnelInstallation": "TunnelInstallation",
    "IntTunnelInstallation": "TunnelInstallation",
    "TunnelConstructiveElement": "TunnelConstructiveElement",
    "HollowSpace": "TunnelHollowSpace", "TunnelFurniture": "TunnelFurniture",
    "OtherConstruction": "OtherConstruction",
    "CityFurniture": "CityFurniture", "LandUse": "LandUse", "PlantCover": "PlantCover",
    "SolitaryVegetationObject": "SolitaryVegetationObject", "WaterBody": "WaterBody",
    "TINRelief": "TINRelief", "Road": "Road", "Track": "Road",
    "TransportationComplex": "Road", "Railway": "Railway", "Square": "TransportSquare",
    "Waterway": "Waterway", "GenericCityObject": "GenericCityObject",
    "GenericOccupiedSpace": "GenericCityObject", "CityObjectGroup": "CityObjectGroup",
}  # fmt: skip
"""CityGML class -> CityJSON type."""

_LOD = re.compile(r"lod([0-4])(\w*)")
_SURFACE = re.compile(r"\w*(Surface|TrafficArea|Window|Door|Hole|HoleSurface|Marking)")
_INSIDE = frozenset(
    ["Section", "Intersection", "TrafficSpace", "AuxiliaryTrafficSpace", "ClearanceSpace",
     "Window", "Door"]
)  # fmt: skip


@dataclass
class Members:
    """What reading the objects of a file needs and gathers."""

    model: RawModel
    looks: Looks
    placed: Callable[[Floats], Floats]
    place: Place
    frame: Frame
    spec: LayerSpec
    swapped: bool = False
    elsewhere: dict[str, Any] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    templates: dict[tuple[str, str], int] = field(default_factory=dict)
    nameless: int = 0


@dataclass
class _Found:
    """What is being gathered of one object."""

    raw: RawObject
    plain: list[tuple[str, Geometry]] = field(default_factory=list)
    meaning: list[tuple[str, int, Geometry]] = field(default_factory=list)
    surfaces: list[dict[str, Any]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    had_geometry: bool = False


def objects_in(member: Any, members: Members) -> None:
    """Take the city objects of one member into the model, each with its parts."""
    ids = dict(members.elsewhere)
    for one in member.iter():
        own = attribute(one, "id")
        # rings are often given the id of their face: the face is meant
        if own and (own not in ids or local(ids[own]) == "LinearRing"):
            ids[own] = one
    for one in member:
        _take(one, (), ids, members)


def _take(element: Any, parents: Sequence[str], ids: dict[str, Any], members: Members) -> None:
    name = local(element)
    if name == "ReliefFeature":
        for child in element:
            if local(child) == "reliefComponent":
                for one in child:
                    _take(one, (), ids, members)
        return
    own = attribute(element, "id")
    if own is None:
        members.nameless += 1
        own = f"{name}-{members.nameless}"
    type_ = TYPES.get(name)
    if type_ is None:
        members.model.rejected.append(
            (own, "generic", "source.model.gml_class", {"name": name or "-"})
        )
        return
    found = _Found(RawObject(own, type_, parents=list(parents)))
    children: list[Any] = []
    _properties(element, found, children, ids, members)
    if name != type_ and name in ("Track", "TransportationComplex", "IntBuildingInstallation"):
        found.raw.attributes = {**found.raw.attributes, "gml_class": name}
    _bodies(found, members)
    raw = found.raw
    raw.faults += [(key, {"count": n, "lod": "-"}) for key, n in found.faults.items()]
    if found.had_geometry and not raw.bodies and raw.faults and not children:
        from cim.sources.objects import layer_of

        key, values = raw.faults[-1]
        members.model.rejected.append((own, layer_of(type_), key, values))
        return
    members.model.objects.append(raw)
    for child in children:
        _take(child, (own,), ids, members)


def _properties(
    element: Any, found: _Found, children: list[Any], ids: dict[str, Any], members: Members
) -> None:
    attributes = dict(found.raw.attributes)
    reader = Reader(ids, found.faults)
    for child in element:
        name = local(child)
        level = _LOD.fullmatch(name)
        if level is not None or name == "tin":
            lod = level[1] if level is not None else text_below(element, "lod") or "1"
            _geometry(child, lod, name, found, reader, members)
            continue
        inner = child[0] if len(child) else None
        word = local(inner) if inner is not None else ""
        if name == "boundedBy" and word in ("Envelope", "Null"):
            continue
        if word in TYPES and word not in _INSIDE:
            children += [one for one in child if local(one) in TYPES]
        elif word and (_SURFACE.fullmatch(word) or word in _INSIDE):
            for one in child:
                _surface(one, found, None, reader, members)
        elif name in ("appearance", "lod") or name.startswith("appearance"):
            continue
        elif name == "groupMember":
            target = href(child) or ""
            attributes.setdefault("groupMembers", []).append(target)
        else:
            take_property(child, attributes, members.dropped)
    found.raw.attributes = attributes


def _surface(
    element: Any, found: _Found, parent: int | None, reader: Reader, members: Members
) -> None:
    """Take a thematic surface, its openings and what it holds."""
    word = local(element)
    record: dict[str, Any] = {"type": _meaning(word)}
    own = attribute(element, "id")
    if own:
        record["id"] = own
    number = len(found.surfaces)
    if parent is not None:
        record["parent"] = parent
        found.surfaces[parent].setdefault("children", []).append(number)
    found.surfaces.append(record)
    attributes: dict[str, Any] = {}
    for child in element:
        name = local(child)
        level = _LOD.fullmatch(name)
        inner = local(child[0]) if len(child) else ""
        if level is not None:
            geometry = reader.geometry(child)
            found.had_geometry = True
            if "Implicit" in name:
                members.dropped[name] += 1
            elif geometry is not None:
                found.meaning.append((level[1], number, geometry))
        elif name == "boundedBy" and inner == "Envelope":
            continue
        elif inner and (_SURFACE.fullmatch(inner) or inner in _INSIDE):
            for one in child:
                _surface(one, found, number, reader, members)
        else:
            take_property(child, attributes, members.dropped)
    record.update({k: v for k, v in attributes.items() if k not in record})


def _meaning(word: str) -> str:
    return {
        "WindowSurface": "Window",
        "DoorSurface": "Door",
        "TrafficSpace": "TrafficArea",
        "AuxiliaryTrafficSpace": "AuxiliaryTrafficArea",
    }.get(word, word)


def _geometry(
    child: Any, lod: str, name: str, found: _Found, reader: Reader, members: Members
) -> None:
    if "TerrainIntersection" in name or "Network" in name:
        members.dropped[name] += 1
        return
    found.had_geometry = True
    if "Implicit" in name:
        _implicit(child, lod, found, reader, members)
        return
    geometry = reader.geometry(child)
    if geometry is not None:
        found.plain.append((lod, geometry))


def _bodies(found: _Found, members: Members) -> None:
    """Make one body for each level and property, each face once a level."""
    by_id: dict[str, int] = {}
    for _, number, geometry in found.meaning:
        for face in geometry.faces():
            if face.ids:
                by_id.setdefault(face.ids[0], number)
    used: dict[str, set[str]] = defaultdict(set)
    solids_first = sorted(found.plain, key=lambda p: not p[1].type.endswith("Solid"))
    for lod, geometry in solids_first:
        faces = [f for f in geometry.faces() if f.ids]
        again = bool(faces) and all(f.ids[0] in used[lod] for f in faces)
        if again and not geometry.type.endswith("Solid"):
            continue
        used[lod].update(f.ids[0] for f in faces)
        meaning = [by_id.get(f.ids[0], -1) if f.ids else -1 for f in geometry.faces()]
        _body(geometry, lod, meaning, found, members)
    rest: dict[str, list[tuple[Face, int]]] = defaultdict(list)
    for lod, number, geometry in found.meaning:
        rest[lod] += [
            (face, number)
            for face in geometry.faces()
            if not (face.ids and face.ids[0] in used[lod])
        ]
    for lod, pairs in rest.items():
        if pairs:
            geometry = Geometry("MultiSurface", [[[face for face, _ in pairs]]])
            _body(geometry, lod, [number for _, number in pairs], found, members)


def _body(
    geometry: Geometry, lod: str, meaning: Sequence[int], found: _Found, members: Members
) -> None:
    body = _made(geometry, lod, meaning, found.surfaces, members, local_metres=False)
    if np.isfinite(body.vertices).all():
        found.raw.bodies.append(body)
    else:
        found.faults["source.model.vertex_broken"] += 1


def _made(
    geometry: Geometry,
    lod: str,
    meaning: Sequence[int],
    surfaces: Sequence[dict[str, Any]],
    members: Members,
    *,
    local_metres: bool,
) -> Body:
    faces = list(geometry.faces())
    rings = [ring for face in faces for ring in face.rings]
    points = np.concatenate(rings)
    unique, index = np.unique(points, axis=0, return_inverse=True)
    used = sorted({m for m in meaning if m >= 0})
    compact = {number: k for k, number in enumerate(used)}
    records = tuple(_renumbered(surfaces[n], compact) for n in used)
    materials, textures = _worn(faces, members.looks)
    depth = BODY_TYPES[geometry.type]
    flat_shells = [shell for solid in geometry.solids for shell in solid]
    return Body(
        object_id="",
        type=geometry.type,
        lod=lod,
        cim_level=LEVELS.get(lod[:1], 1),
        vertices=unique if local_metres else members.placed(unique),
        index=index.astype(np.int32).reshape(-1),
        rings=_starts(len(r) for r in rings),
        faces=_starts(len(f.rings) for f in faces),
        shells=_starts(len(s) for s in flat_shells),
        solids=_starts(len(s) for s in geometry.solids),
        surfaces=records if used else None,
        semantic=np.array([compact.get(m, -1) for m in meaning], dtype=np.int32)
        if used
        else np.empty(0, dtype=np.int32),
        materials=materials if depth >= 2 else {},
        textures=textures if depth >= 2 else {},
    )


def _renumbered(record: dict[str, Any], compact: dict[int, int]) -> dict[str, Any]:
    """Return a surface's record with the numbers of its relatives that are there too."""
    out = {k: v for k, v in record.items() if k not in ("parent", "children")}
    if record.get("parent") in compact:
        out["parent"] = compact[record["parent"]]
    children = [compact[c] for c in record.get("children", ()) if c in compact]
    if children:
        out["children"] = children
    return out


def _starts(sizes: Iterable[int]) -> NDArray[np.int32]:
    return np.cumsum([0, *sizes]).astype(np.int32)


def _worn(
    faces: Sequence[Face], looks: Looks
) -> tuple[dict[str, NDArray[np.int32]], dict[str, Draped]]:
    """Return what faces wear by theme: their own look, else that of what they are part of."""
    materials: dict[str, NDArray[np.int32]] = {}
    images: dict[str, list[tuple[int, int, NDArray[np.float64]]]] = defaultdict(list)
    sizes = [len(ring) for face in faces for ring in face.rings]
    starts = np.cumsum([0, *sizes])
    ring_number = 0
    for f, face in enumerate(faces):
        for worn in _of(face, looks):
            if worn.material >= 0:
                mine = materials.setdefault(worn.theme, np.full(len(faces), -1, dtype=np.int32))
                mine[f] = worn.material if mine[f] < 0 else mine[f]
            for k, name in enumerate(face.ring_ids):
                uv = worn.uv.get(name or "") if worn.texture >= 0 else None
                if uv is None and len(worn.uv) == 1 == len(face.rings):
                    uv = next(iter(worn.uv.values()))  # one ring: it is meant, whatever its name
                if uv is None:
                    continue
                corners = len(face.rings[k])
                if len(uv) == corners + 1:
                    uv = uv[:-1]
                if len(uv) == corners:
                    images[worn.theme].append(
                        (ring_number + k, worn.texture, uv[::-1] if face.turned else uv)
                    )
                else:
                    looks.dropped["textureCoordinates"] += 1
        ring_number += len(face.rings)
    textures = {}
    for theme, found in images.items():
        image = np.full(len(sizes), -1, dtype=np.int32)
        corners_uv = np.full((int(starts[-1]), 2), np.nan)
        for ring, number, uv in found:
            image[ring] = number
            corners_uv[starts[ring] : starts[ring + 1]] = uv
        textures[theme] = Draped(image, corners_uv)
    return materials, textures


def _of(face: Face, looks: Looks) -> list[Worn]:
    return [worn for id_ in face.ids for worn in looks.worn.get(id_, ())]


def _implicit(child: Any, lod: str, found: _Found, reader: Reader, members: Members) -> None:
    """Place a template."""
    given = child[0] if len(child) else reader.ids.get(href(child) or "")
    matrix, at, key = np.eye(4), None, ""
    relative = None
    for one in given if given is not None else ():
        name = local(one)
        if name == "transformationMatrix":
            flat = numbers(one.text)
            matrix = flat.reshape(4, 4) if len(flat) == 16 else np.full((4, 4), np.nan)
        elif name in ("relativeGMLGeometry", "relativeGeometry"):
            relative = one
            key = href(one) or (attribute(one[0], "id") if len(one) else "") or f"#{id(one)}"
        elif name == "referencePoint":
            flat = numbers(next((p.text for p in one.iter() if local(p) == "pos"), ""))
            at = flat if len(flat) == 3 else None
        elif name == "libraryObject":
            members.dropped["libraryObject"] += 1
    if relative is None or at is None or not (np.isfinite(matrix).all() and np.isfinite(at).all()):
        found.faults["source.model.gml_template"] += 1
        return
    number = members.templates.get((key, lod))
    if number is None:
        geometry = reader.geometry(relative)
        if geometry is None:
            found.faults["source.model.gml_template"] += 1
            return
        count = sum(1 for _ in geometry.faces())
        body = _made(geometry, lod, [-1] * count, (), members, local_metres=True)
        number = len(members.model.templates)
        members.model.templates.append(body)
        members.templates[key, lod] = number
    template = members.model.templates[number]
    if members.swapped:
        at = at[[1, 0, 2]]
    none = np.zeros(1, dtype=np.int32)
    placed = turned(matrix, at, members.place, members.frame, members.spec)
    if not np.isfinite(placed).all():
        found.faults["source.model.gml_template"] += 1
        return
    found.raw.bodies.append(
        Body("", template.type, lod, LEVELS.get(lod, 1), np.empty((0, 3)), none[:0], none, none,
             none, none, template=number, matrix=placed)
    )  # fmt: skip
