"""Meshes to draw and to cast rays at, made of bodies, and the faces that make none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.jobs import Job
from cim.model.body import Body
from cim.model.facets import Fault, corners_of, facets, faults, joined
from cim.model.mesh import Instance, Material, Mesh, MeshPool, Surface, mesh_id
from cim.sources.objects import RawModel

__all__ = ["Surfaced", "mesh_pool"]

_SURFACES = {
    "GroundSurface": Surface.GROUND,
    "WallSurface": Surface.WALL,
    "RoofSurface": Surface.ROOF,
    "OuterFloorSurface": Surface.OUTER_FLOOR,
    "OuterCeilingSurface": Surface.OUTER_CEILING,
    "Window": Surface.WINDOW,
    "WindowSurface": Surface.WINDOW,
    "Door": Surface.DOOR,
    "DoorSurface": Surface.DOOR,
    "InteriorWallSurface": Surface.INTERIOR,
    "CeilingSurface": Surface.INTERIOR,
    "FloorSurface": Surface.INTERIOR,
}
_AT_ONCE = 200_000  # corners that are cut in one go: 10 MB of work


@dataclass
class Surfaced:
    """Meshes of a model and the faults of its faces by object."""

    pool: MeshPool
    faults: dict[str, list[tuple[Body, Fault]]] = field(default_factory=dict)
    faces: int = 0
    drawn: int = 0
    triangles: int = 0


def mesh_pool(bodies: Sequence[Body], model: RawModel, *, plane_m: float, job: Job) -> Surfaced:
    """Return a mesh for every body that is drawn, and what is wrong with its faces.

    Of the bodies of an object the finest of each whole level from 1 up is drawn. All others
    are looked at for faults too.

    Parameters
    ----------
    bodies
        In projected metres, with the ids of their objects.
    model
        Whose templates, materials and textures they wear.
    plane_m
        How far a corner may lie from the plane of its face.
    job
        Progress and cancel.
    """
    out = Surfaced(MeshPool(materials=_materials(model)))
    meshes: dict[str, Mesh] = {}
    instances: list[Instance] = []
    shown = _shown(bodies)
    templates = [_meshed(model, b, out, {}) for b in model.templates]
    for key, mesh in templates:
        if mesh is not None:
            meshes[key] = mesh
    plain = [i for i, b in enumerate(bodies) if b.template is None and b.dimension == 2]
    done = 0
    for part in _parts(bodies, plain):
        job.step(done, len(plain), what="source.meshing")
        done += len(part)
        some = [bodies[i] for i in part]
        points, rings, faces, starts = joined(some)
        found = facets(points, rings, faces)
        for fault in faults(points, rings, faces, found, plane_m=plane_m):
            at = int(np.searchsorted(starts, fault.face, side="right")) - 1
            own = Fault(fault.face - int(starts[at]), fault.code, fault.distance_m, fault.drawn)
            out.faults.setdefault(some[at].object_id, []).append((some[at], own))
        out.faces += len(faces) - 1
        out.drawn += int(found.drawn.sum())
        out.triangles += len(found.triangles)
        bounds = np.searchsorted(found.face[order := np.argsort(found.face, kind="stable")], starts)
        corner = np.cumsum([0, *(len(b.index) for b in some)])
        for n, i in enumerate(part):
            if i not in shown:
                continue
            rows = order[bounds[n] : bounds[n + 1]]
            if not len(rows):
                continue
            made = _mesh(
                some[n], found.triangles[rows] - corner[n], found.face[rows] - starts[n], model
            )
            if made is None:
                continue
            mesh, origin = made
            key = mesh_id(mesh, out.pool.materials)
            meshes.setdefault(key, mesh)
            matrix = np.eye(4)
            matrix[:3, 3] = origin
            instances.append(_instance(some[n], key, matrix))
    for i, body in enumerate(bodies):
        if body.template is not None and i in shown:
            key, template = templates[body.template]
            if template is not None and body.matrix is not None:
                instances.append(_instance(body, key, body.matrix))
    out.pool = MeshPool(meshes, out.pool.materials, tuple(instances))
    return out


def _instance(body: Body, key: str, matrix: NDArray[np.float64]) -> Instance:
    return Instance(body.object_id, key, matrix, body.lod[:1] or "1", body.cim_level)


def _shown(bodies: Sequence[Body]) -> set[int]:
    """Return which bodies are drawn: the finest of each whole level above 0."""
    best: dict[tuple[str, str], int] = {}
    for i, b in enumerate(bodies):
        if b.lod.startswith("0") or (b.dimension < 2 and b.template is None):
            continue
        key = (b.object_id, b.lod[:1])
        if key not in best or bodies[best[key]].lod < b.lod:
            best[key] = i
    return set(best.values())


def _parts(bodies: Sequence[Body], which: Sequence[int]) -> list[list[int]]:
    out: list[list[int]] = []
    size = _AT_ONCE
    for i in which:
        if size + len(bodies[i].index) > _AT_ONCE:
            out.append([])
            size = 0
        out[-1].append(i)
        size += len(bodies[i].index)
    return out


def _meshed(
    model: RawModel, body: Body, out: Surfaced, seen: dict[str, Mesh]
) -> tuple[str, Mesh | None]:
    """Return a template's mesh around its own zero."""
    if body.dimension < 2:
        return "", None
    found = facets(corners_of(body), body.rings, body.faces)
    made = _mesh(body, found.triangles, found.face, model, origin=np.zeros(3))
    if made is None:
        return "", None
    return mesh_id(made[0], out.pool.materials), made[0]


def _mesh(
    body: Body,
    triangles: NDArray[Any],
    face: NDArray[Any],
    model: RawModel,
    *,
    origin: NDArray[np.float64] | None = None,
) -> tuple[Mesh, NDArray[np.float64]] | None:
    """Return a body's mesh and its origin in projected metres."""
    if not len(triangles):
        return None
    if origin is None:
        origin = np.floor(body.vertices.min(axis=0))
    material, uv = _look(body, face, model)
    if uv is None:
        used, compact = np.unique(body.index[triangles], return_inverse=True)
        vertices = body.vertices[used]
    else:  # one corner of two faces has two places in two images
        used, compact = np.unique(triangles, return_inverse=True)
        vertices, uv = body.vertices[body.index[used]], uv[used]
    meaning = np.zeros(len(face), dtype=np.uint8)
    if body.surfaces and len(body.semantic) == body.face_count:
        codes = [int(_SURFACES.get(str(s.get("type")), Surface.UNKNOWN)) for s in body.surfaces]
        table = np.array([*codes, 0], dtype=np.uint8)
        meaning = table[body.semantic[face]]
    mesh = Mesh(
        vertices=(vertices - origin).astype(np.float32),
        triangles=compact.reshape(-1, 3).astype(np.int32),
        surface=meaning,
        material=material,
        uv=None if uv is None else uv.astype(np.float32),
    )
    return mesh, origin


def _look(
    body: Body, face: NDArray[Any], model: RawModel
) -> tuple[NDArray[np.int32], NDArray[np.float64] | None]:
    """Return the material of each triangle and the uv of each corner, of the drawn theme."""
    material = np.full(len(face), -1, dtype=np.int32)
    theme = _theme(body.materials, model.theme[0])
    if theme is not None:
        material = body.materials[theme][face].astype(np.int32)
    theme = _theme(body.textures, model.theme[1])
    if theme is None:
        return material, None
    draped = body.textures[theme]
    image = draped.image[body.faces[:-1]][face]  # a face wears what its outer ring wears
    if not (image >= 0).any():
        return material, None
    material = np.where(image >= 0, image + len(model.materials), material).astype(np.int32)
    return material, np.nan_to_num(draped.uv)


def _theme(themes: Mapping[str, Any], wanted: str) -> str | None:
    if wanted in themes:
        return wanted
    return next(iter(themes), None)


def _materials(model: RawModel) -> tuple[Material, ...]:
    """Return the model's materials, then its textures, as what meshes wear."""
    out = []
    for record in model.materials:
        colour = record.get("diffuseColor")
        good = isinstance(colour, list) and len(colour) == 3 and all(_share(c) for c in colour)
        red, green, blue = colour if good and isinstance(colour, list) else (0.8, 0.8, 0.8)
        clear = record.get("transparency", 0.0)
        alpha = 1.0 - float(clear) if _share(clear) else 1.0
        out.append(Material(str(record.get("name", "")), (red, green, blue, alpha)))
    for record in model.textures:
        image = str(record.get("image", ""))
        key = record.get("+cim-image", image)
        out.append(Material(image.rpartition("/")[2], (1.0, 1.0, 1.0, 1.0), key or None))
    return tuple(out)


def _share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1


def count_codes(found: Sequence[tuple[Body, Fault]]) -> Counter[int]:
    """Return how many faces have each fault."""
    return Counter(fault.code for _, fault in found)
