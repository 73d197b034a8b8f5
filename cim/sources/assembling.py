"""From the objects of a city model to layers, bodies and meshes, every object accounted for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import SourceError
from cim.jobs import Job
from cim.model.body import Body, BodyPool
from cim.model.facets import Fault
from cim.model.ids import own_ids
from cim.model.kinds import COMMON, kind, split_layer
from cim.model.shells import shell_faults
from cim.model.table import FeatureTable, as_column
from cim.registry import standard
from cim.sources.footprints import Shape, shape_of
from cim.sources.model_columns import columns_of
from cim.sources.objects import RawModel, RawObject, layer_of
from cim.sources.report import Report
from cim.sources.spec import LayerSpec, Loaded
from cim.sources.surfacing import Surfaced, mesh_pool

__all__ = ["assemble"]

Told = tuple[str, dict[str, Any]]

_DEEPEST = 64  # parents above parents; more is a circle


def assemble(
    model: RawModel,
    spec: LayerSpec,
    *,
    images: Mapping[str, bytes],
    report: Report,
    job: Job,
) -> Loaded:
    """Return the layers, bodies and meshes of a city model.

    Parameters
    ----------
    model
        Its objects, in the twin's frame.
    spec
        The file.
    images
        The textures' files by the name their records have.
    report
        Where every object is counted and every fault is listed.
    job
        Progress and cancel.

    Raises
    ------
    SourceError
        The file holds no object.
    """
    if not model.objects and not model.rejected:
        raise SourceError("source.model.empty", given=spec.file.name)
    objects = _unique(model)
    layers = {o.name: layer_of(o.type) for o in objects}
    ids = _ids(objects, layers, spec)
    parents = _parents(objects)
    shapes: dict[str, Shape] = {}
    for done, one in enumerate(objects):
        if done % 256 == 0:
            job.step(done, 2 * len(objects), what="source.reading")
        shapes[one.name] = shape_of(one.bodies, model.templates)
    _inherit(shapes, parents, {o.name: o.type for o in objects})
    _note_shapeless(objects, layers, shapes, spec, report)
    bodies = [replace(b, object_id=ids[o.name]) for o in objects for b in o.bodies]
    plane_m = float(standard("quality.face_plane_m").number())
    surfaced = mesh_pool(bodies, model, plane_m=plane_m, job=job)
    shells = _shell_faults(bodies)
    groups: dict[str, list[RawObject]] = defaultdict(list)
    for one in objects:
        groups[layers[one.name]].append(one)
    tables, records = [], {}
    for layer, group in groups.items():
        table, kept = _table(layer, group, spec, ids=ids, parents=parents, shapes=shapes)
        tables.append(table)
        records.update(kept)
    _account(model, groups, ids, surfaced, shells, spec, report)
    pool = BodyPool(
        bodies=bodies,
        templates=tuple(model.templates),
        materials=tuple(model.materials),
        textures=tuple(model.textures),
        records=records,
        documents={spec.source_key: model.document} if model.document else {},
        images=images,
    )
    return Loaded(tables=tables, meshes=surfaced.pool, bodies=pool)


def _unique(model: RawModel) -> list[RawObject]:
    """Return the objects without those whose name came before; these are rejected."""
    seen: dict[str, RawObject] = {}
    for one in model.objects:
        if one.name in seen:
            model.rejected.append((one.name, layer_of(one.type), "source.model.twice", {}))
        else:
            seen[one.name] = one
    return list(seen.values())


def _ids(
    objects: Sequence[RawObject], layers: Mapping[str, str], spec: LayerSpec
) -> dict[str, str]:
    by_kind: dict[str, list[str]] = defaultdict(list)
    for one in objects:
        by_kind[split_layer(layers[one.name])[0]].append(one.name)
    found: dict[str, str] = {}
    for name, names in by_kind.items():
        found.update(zip(names, own_ids(name, spec.source_key, names), strict=True))
    return found


def _parents(objects: Sequence[RawObject]) -> dict[str, str]:
    """Return the first parent of each object that has one; what is wrong is said of the object."""
    known = {o.name for o in objects}
    found: dict[str, str] = {}
    for one in objects:
        there = [p for p in one.parents if p in known and p != one.name]
        if there:
            found[one.name] = there[0]
        if len(there) < len(one.parents):
            lost = next(p for p in one.parents if p not in there)
            one.faults.append(("source.model.parent_missing", {"parent": lost}))
    for one in objects:
        at, steps = one.name, 0
        while at in found and steps <= _DEEPEST:
            at, steps = found[at], steps + 1
        if steps > _DEEPEST:
            one.faults.append(("source.model.parent_circle", {"parent": found.pop(one.name)}))
    return found


def _inherit(
    shapes: dict[str, Shape], parents: Mapping[str, str], types: Mapping[str, str]
) -> None:
    """Give an object without geometry the footprint and heights of its parts.

    Balconies, rooms and the like count only where there is no part.
    """
    import shapely

    parts: dict[str, list[str]] = defaultdict(list)
    for child, parent in parents.items():
        parts[parent].append(child)

    def fill(name: str) -> Shape:
        mine = shapes[name]
        if not np.isnan(mine.low_m) or name not in parts:
            return mine
        real = [child for child in parts[name] if types[child].endswith("Part")]
        found = [s for s in map(fill, real or parts[name]) if not np.isnan(s.low_m)]
        if found:
            flats = [s.flat for s in found if s.flat is not None and s.flat.area > 0]
            mine.flat = shapely.union_all(flats, grid_size=1e-4) if flats else found[0].flat
            mine.low_m = min(s.low_m for s in found)
            mine.high_m = max(s.high_m for s in found)
            mine.centre = found[0].centre
            mine.from_parts = True
        return mine

    for name in parts:
        fill(name)


def _note_shapeless(
    objects: Sequence[RawObject],
    layers: Mapping[str, str],
    shapes: Mapping[str, Shape],
    spec: LayerSpec,
    report: Report,
) -> None:
    """Say which objects have no geometry, neither of their own nor of their parts."""
    without: dict[str, list[str]] = defaultdict(list)
    for one in objects:
        if np.isnan(shapes[one.name].low_m) and not one.bodies and one.type != "CityObjectGroup":
            without[layers[one.name]].append(one.name)
    for layer, names in without.items():
        values = {"count": len(names), "examples": ", ".join(names[:5])}
        report.note("source.model.no_shape", file=spec.file.name, layer=layer, values=values)


def _table(
    layer: str,
    group: Sequence[RawObject],
    spec: LayerSpec,
    *,
    ids: Mapping[str, str],
    parents: Mapping[str, str],
    shapes: Mapping[str, Shape],
) -> tuple[FeatureTable, dict[str, dict[str, Any]]]:
    what, n = kind(split_layer(layer)[0]), len(group)
    mine = [shapes[o.name] for o in group]
    found = columns_of(
        group,
        what,
        spec,
        base_m=np.array([s.low_m for s in mine]),
        height_m=np.array([s.height_m for s in mine]),
    )
    settings: dict[str, list[Any]] = {
        "parent": [ids[parents[o.name]] if o.name in parents else None for o in group],
        "source": [spec.source_key] * n,
        "source_id": [o.name for o in group],
        "illustrative": [spec.illustrative] * n,
    }
    fields = {f.name: f for f in found.fields}
    columns = dict(found.columns)
    for common in COMMON:
        if common.name in settings or common.name not in columns:
            given = settings.get(common.name, [None] * n)
            columns[common.name] = as_column(given, common.type)
            fields[common.name] = common
    order = [f.name for f in (*COMMON, *what.fields)]
    order += [name for name in columns if name not in order]
    geometry = np.empty(n, dtype=object)
    geometry[:] = [_carried(s, what.carrier) for s in mine]
    names = np.empty(n, dtype=object)
    names[:] = [ids[o.name] for o in group]
    table = FeatureTable(
        layer=layer,
        ids=names,
        geometry=geometry,
        columns={name: columns[name] for name in order},
        fields=tuple(fields[name] for name in order),
    )
    records = {ids[o.name]: r for o, r in zip(group, found.records, strict=True)}
    return table, records


def _carried(shape: Shape, carrier: str) -> Any:
    """Return the flat geometry a kind is carried by; None where the object has no such one."""
    import shapely

    if carrier == "point":
        return None if shape.centre is None else shapely.Point(shape.centre)
    if shape.flat is None:
        return None
    if carrier == "polygon" and shapely.get_dimensions(shape.flat) != 2:
        return None
    return shape.flat


def _account(
    model: RawModel,
    groups: Mapping[str, Sequence[RawObject]],
    ids: Mapping[str, str],
    surfaced: Surfaced,
    shells: Mapping[str, list[Told]],
    spec: LayerSpec,
    report: Report,
) -> None:
    """Count and list every object, and say how many faces there are."""
    file = spec.file.name
    for name, layer, key, values in model.rejected:
        count = report.layer(layer)
        count.read += 1
        count.rejected += 1
        report.reject(key, file=file, layer=layer, object=name, values=values)
    for layer, group in groups.items():
        count = report.layer(layer)
        count.read += len(group)
        count.kept += len(group)
        for one in group:
            id_ = ids[one.name]
            faults = [*one.faults, *_face_faults(surfaced.faults.get(id_, []))]
            faults += shells.get(id_, [])
            count.repaired += bool(faults)
            for key, values in faults:
                report.repair(key, file=file, layer=layer, object=one.name, values=values)
    if surfaced.faces:
        values = {
            "faces": surfaced.faces,
            "drawn": surfaced.drawn,
            "triangles": surfaced.triangles,
            "meshes": len(surfaced.pool.meshes),
        }
        report.note("source.model.faces", file=file, layer=next(iter(groups)), values=values)


def _shell_faults(bodies: Sequence[Body]) -> dict[str, list[Told]]:
    """Return one line for each fault of an object's solids."""
    out: dict[str, list[Told]] = defaultdict(list)
    for fault in shell_faults(bodies):
        body = bodies[fault.body]
        values = {"count": fault.count, "lod": body.lod or "-", "code": fault.code}
        out[body.object_id].append((f"source.model.shell_{fault.code}", values))
    return out


def _face_faults(found: Sequence[tuple[Body, Fault]]) -> list[tuple[str, dict[str, Any]]]:
    """Return one line for each fault that faces of an object have: how many, which is the first."""
    out = []
    by_code: dict[tuple[int, bool], list[tuple[Body, Fault]]] = defaultdict(list)
    for body, fault in found:
        by_code[fault.code, fault.drawn].append((body, fault))
    for (code, drawn), some in sorted(by_code.items()):
        body, first = some[0]
        values = {
            "count": len(some),
            "lod": body.lod or "-",
            "face": first.face,
            "code": code,
            "distance": f"{max(f.distance_m for _, f in some):.3f}",
        }
        key = "source.model.face_bent" if code == 203 else f"source.model.face_{code}"
        if not drawn and code == 203:
            key = "source.model.face_bent_out"
        out.append((key, values))
    return out


def placed_bounds(bodies: Sequence[Body]) -> NDArray[np.float64]:
    """Return (n, 4) boxes of the bodies that have vertices."""
    boxes = [
        (*b.vertices[:, :2].min(axis=0), *b.vertices[:, :2].max(axis=0))
        for b in bodies
        if len(b.vertices)
    ]
    return np.array(boxes, dtype=np.float64).reshape(-1, 4)
