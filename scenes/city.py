"""How a twin looks: its layers as a painted ground and bodies standing on it."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import rings
from cim.model.grid import Grid
from cim.model.kinds import split_layer
from cim.model.mesh import MeshPool
from cim.model.table import FeatureTable
from cim.model.twin import Bounds, TwinView
from scenes import extrude
from scenes.drawables import Origin, Segments, Surface
from scenes.ground import Painter, widths

__all__ = ["SUN", "Bodies", "bodies", "extent", "paint", "paint_shadows"]

WALLS = ((226, 214, 194), (214, 196, 172), (201, 178, 150), (232, 224, 210), (196, 160, 134))
ROOFS_FLAT = ((188, 186, 182), (176, 178, 180), (200, 196, 188))
ROOFS_HIP = ((168, 84, 62), (156, 74, 56), (180, 98, 72), (140, 76, 64))
NO_HEIGHT = (214, 92, 160)
_NO_HEIGHT_M = 0.3
_ROOM_LEVEL = 5
GROUND_STYLE: dict[str, tuple[int, int, int]] = {
    "parcel": (214, 212, 196),
    "land_use": (216, 214, 200),
    "green": (170, 194, 146),
    "water": (140, 182, 208),
}
PIPES = {
    "storm": (60, 120, 190),
    "sewage": (130, 96, 60),
    "water": (40, 170, 210),
    "gas": (230, 180, 40),
    "power": (200, 60, 50),
    "telecom": (90, 150, 90),
}


def extent(view: TwinView, layers: Sequence[str] | None = None) -> Bounds | None:
    """Return the box of the buildings, of everything where there are none, None where nothing."""
    boxes = []
    built = [n for n, count in view.layers().items() if split_layer(n)[0] == "building" and count]
    for name in built if layers is None else view.layers():
        if layers is not None and name not in layers:
            continue
        if split_layer(name)[0] in ("admin_unit", "grid_unit", "catchment", "control_zone"):
            continue  # areas that reach far beyond what is modelled
        box = view.table(name).bounds()
        if box is not None:
            boxes.append(box)
    if not boxes and layers is None:
        boxes = [b for b in (view.table(n).bounds() for n in view.layers()) if b is not None]
    if not boxes:
        boxes = [view.grid(g).frame.bounds for g in view.grids()]
    if not boxes:
        return None
    array = np.array(boxes)
    (x0, y0), (x1, y1) = array[:, :2].min(axis=0), array[:, 2:].max(axis=0)
    pad = max(10.0, 0.02 * max(x1 - x0, y1 - y0))
    return (float(x0 - pad), float(y0 - pad), float(x1 + pad), float(y1 + pad))


SUN = (-0.50, -0.62, 0.80)  # where the light of a picture comes from; no time of day


def paint_shadows(painter: Painter, view: TwinView, layers: Sequence[str]) -> None:
    """Paint the shade of buildings under the light of the picture."""
    for name in layers:
        if split_layer(name)[0] == "building":
            table = view.table(name)
            flat = rings(table)
            height = widths(table.numbers("height_m"), 3.0)[flat.feature]
            away = np.array([-SUN[0], -SUN[1]]) / SUN[2]
            painter.shadows(flat, height, away)


def paint(painter: Painter, view: TwinView, layers: Sequence[str], *, underground: bool) -> None:
    """Paint the layers that lie on the ground."""
    import shapely

    for name in sorted(layers, key=lambda n: _ORDER.get(split_layer(n)[0], 9)):
        kind = split_layer(name)[0]
        if kind in GROUND_STYLE:
            painter.polygons(view.table(name).geometry, GROUND_STYLE[kind])
        elif kind == "road":
            table = view.table(name)
            carriageway = widths(table.numbers("carriageway_m"), 7.0)
            between = widths(table.numbers("width_m"), 0.0)
            painter.lines(table.geometry, (204, 200, 192), np.maximum(between, carriageway + 3.0))
            painter.objects -= len(table)
            closed = np.array([bool(v) for v in table.column("closed")])
            colour = np.where(closed[:, None], (190, 90, 80), (150, 152, 156))
            painter.lines(table.geometry, colour, carriageway)
        elif kind == "pipe" and underground:
            table = view.table(name)
            colour = np.array([PIPES.get(s, (90, 90, 90)) for s in table.texts("system")])
            thick = np.maximum(2.5, widths(table.numbers("diameter_m"), 0.3) * 3)
            painter.lines(table.geometry, colour.reshape(-1, 3), thick)
        elif kind in ("sensor", "transit_stop", "pipe_node", "entrance") and (
            underground or kind != "pipe_node"
        ):
            spots = shapely.buffer(view.table(name).geometry, 2.2 if kind == "sensor" else 1.6)
            painter.polygons(spots, {"sensor": (122, 60, 160)}.get(kind, (60, 90, 160)))


_ORDER = {"land_use": 0, "parcel": 1, "green": 2, "water": 3, "road": 4, "pipe": 5}


@dataclass
class Bodies:
    """What stands on the ground, and how many objects had to be drawn without a height."""

    surfaces: list[Surface] = field(default_factory=list)
    edges: list[Segments] = field(default_factory=list)
    without_height: int = 0


def bodies(
    view: TwinView,
    layers: Sequence[str],
    terrain: Grid,
    origin: Origin,
    *,
    bounds: Bounds | None = None,
    recolour: Mapping[str, Mapping[str, tuple[int, int, int]]] | None = None,
    failed: Callable[[str, Exception], None] | None = None,
) -> Bodies:
    """Return the bodies of the layers, one surface a layer.

    Parameters
    ----------
    view
        The twin.
    layers
        Which layers.
    terrain
        Ground to stand on.
    origin
        Zero of the scene.
    bounds
        Only what touches this box.
    recolour
        ``{layer: {id: colour}}``: colours of a result instead of the layer's own.
    failed
        Told of a layer that cannot be drawn; the others are drawn all the same.
    """
    made = Bodies()
    pool = view.meshes()
    for name in layers:
        draw = _DRAWN.get(split_layer(name)[0])
        if draw is None:
            continue
        try:
            table = view.table(name, bounds=bounds)
            if len(table):
                draw(made, view, table, terrain, origin, pool, (recolour or {}).get(name))
        except Exception as error:
            if failed is None:
                raise
            failed(name, error)
    return made


Colours = Mapping[str, tuple[int, int, int]]


def _buildings(
    made: Bodies,
    view: TwinView,
    table: FeatureTable,
    terrain: Grid,
    origin: Origin,
    pool: MeshPool,
    recolour: Colours | None,
) -> None:
    with_mesh = _mesh_owners(view, pool, table)
    parents = table.column("parent")
    whole = _mesh_owners(view, pool, view.table("building")) if _has_parents(view, table) else {}
    hidden = [
        i in with_mesh or p in whole for i, p in zip(table.ids, parents, strict=True)
    ]  # a part of a building that is drawn from its meshes is in them already
    plain = table.take(~np.array(hidden, dtype=bool))
    if len(plain):
        surface, edges, missing = _prisms(plain, terrain, origin, recolour)
        made.surfaces.append(surface)
        made.edges.append(edges)
        made.without_height += missing
    if with_mesh:
        made.surfaces.append(_meshes(pool, with_mesh, origin, recolour))


def _has_parents(view: TwinView, table: FeatureTable) -> bool:
    return table.kind == "building_part" and "building" in view.layers()


def _mesh_owners(view: TwinView, pool: MeshPool, table: FeatureTable) -> dict[str, list[int]]:
    """Return building id -> its instances.

    A building's own shell counts where it has one; else the meshes of all that is part
    of it, rooms left out.
    """
    if not len(pool):
        return {}
    shells: dict[str, list[int]] = {}
    for number, instance in enumerate(pool.instances):
        if instance.lod in ("2", "3"):
            shells.setdefault(instance.object_id, []).append(number)
    parent: dict[str, str] = {}
    for name in view.layers():
        if split_layer(name)[0] in (
            "building",
            "building_part",
            "storey",
            "room",
            "building_element",
        ):
            other = view.table(name)
            above = other.column("parent")
            parent.update({str(i): p for i, p in zip(other.ids, above, strict=True) if p})
    here = set(table.ids)
    owners: dict[str, list[int]] = {}
    for number, instance in enumerate(pool.instances):
        if instance.cim_level == _ROOM_LEVEL:
            continue
        current, steps = instance.object_id, 0
        while current not in here and current in parent and steps < 16:
            current, steps = parent[current], steps + 1
        if current in here:
            owners.setdefault(current, []).append(number)
    # a building inside another building's chain is drawn with that one
    for one in list(owners):
        top, steps = one, 0
        while parent.get(top) in here and steps < 16:
            top, steps = parent[top], steps + 1
        if top != one and top in owners:
            owners[top] += owners.pop(one)
        elif top != one:
            owners[top] = owners.pop(one)
    return {one: shells.get(one, numbers) for one, numbers in owners.items()}


def _prisms(
    table: FeatureTable, terrain: Grid, origin: Origin, recolour: Colours | None
) -> tuple[Surface, Segments, int]:
    flat = rings(table, origin=(origin.x, origin.y))
    base, height, missing = _stand(table, terrain)
    foot, top = base[flat.feature] - origin.z - 0.3, (base + height)[flat.feature] - origin.z
    body = extrude.prisms(flat, foot, top)
    feature = flat.feature[body.polygon]
    wall, roof = _palette(table, missing, recolour)
    rgb = np.where((body.part == 1)[:, None], roof[feature], wall[feature]).astype(np.uint8)
    vertices, triangles, owner = [body.vertices], [body.triangles], [feature]
    colours = [rgb]
    hips = _hips(table, flat, top, roof if recolour is None else None)
    if hips is not None:
        more, who, tint = hips
        triangles.append(np.arange(3 * len(more)).reshape(-1, 3) + len(body.vertices))
        vertices.append(more.reshape(-1, 3))
        owner.append(who)
        colours.append(tint)
    surface = Surface(
        vertices=np.concatenate(vertices).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        rgb=np.concatenate(colours).astype(np.uint8),
        owner=np.concatenate(owner).astype(np.int32),
        ids=table.ids,
    )
    return surface, _edges(flat, top), int(missing.sum())


def _stand(
    table: FeatureTable, terrain: Grid
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Return the foot (absolute), the height, and which objects have none."""
    import shapely

    middle = shapely.get_coordinates(shapely.centroid(table.geometry))
    ground = np.full(len(table), np.nan)
    placed = ~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry)
    ground[placed] = terrain.sample(middle)
    level = float(np.nanmedian(terrain.values)) if np.isfinite(terrain.values).any() else 0.0
    ground = np.where(np.isfinite(ground), ground, level)
    base = table.numbers("base_m")
    base = np.where(np.isfinite(base), base, ground)
    height = table.numbers("height_m")
    storeys = table.numbers("storeys_above")
    height = np.where(np.isfinite(height), height, storeys * 3.0)
    missing = ~(np.isfinite(height) & (height > 0))
    return base, np.where(missing, _NO_HEIGHT_M, height), missing


def _palette(
    table: FeatureTable, missing: NDArray[np.bool_], recolour: Colours | None
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return wall and roof colours: by id, so that a house keeps its colour from day to day."""
    pick = np.array([zlib.crc32(str(i).encode()) for i in table.ids])
    hip = np.array([t.lower() in ("hip", "gable", "坡屋顶") for t in table.texts("roof_type")])
    wall = np.array(WALLS)[pick % len(WALLS)]
    roof = np.where(
        hip[:, None],
        np.array(ROOFS_HIP)[pick % len(ROOFS_HIP)],
        np.array(ROOFS_FLAT)[pick % len(ROOFS_FLAT)],
    )
    wall[missing], roof[missing] = NO_HEIGHT, NO_HEIGHT
    if recolour is not None:
        for i, id_ in enumerate(table.ids):
            chosen = recolour.get(str(id_), (205, 205, 205))
            wall[i], roof[i] = [int(c * 0.9) for c in chosen], chosen
    return wall, roof


def _hips(
    table: FeatureTable, flat: Any, top: NDArray[np.float64], roof: NDArray[Any] | None
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]] | None:
    types = [t.lower() for t in table.texts("roof_type")]
    ridge = table.numbers("ridge_m") - table.numbers("height_m")
    found, who = [], []
    for polygon in np.flatnonzero(np.isin(np.array(types)[flat.feature], ("hip", "坡屋顶"))):
        first, last = flat.polygon_start[polygon], flat.polygon_start[polygon + 1]
        if last - first != 1:
            continue
        ring = flat.xy[flat.ring_start[first] : flat.ring_start[first + 1]]
        feature = flat.feature[polygon]
        rise = ridge[feature] if ridge[feature] > 0 else 2.5
        made = extrude.hip_roof(ring, float(top[polygon]), float(rise))
        if made is not None:
            found.append(made)
            who += [feature] * len(made)
    if not found:
        return None
    owner = np.array(who)
    tint = np.full((len(owner), 3), 205) if roof is None else roof[owner]
    return np.concatenate(found), owner, tint


def _edges(flat: Any, top: NDArray[np.float64]) -> Segments:
    """Return the outline of every roof; without it neighbours of one colour run together."""
    polygon_of_ring = np.repeat(np.arange(len(flat.polygon_start) - 1), np.diff(flat.polygon_start))
    last = np.zeros(len(flat.xy), dtype=bool)
    last[flat.ring_start[1:] - 1] = True
    start = np.flatnonzero(~last)
    ring = np.repeat(np.arange(len(flat.ring_start) - 1), np.diff(flat.ring_start))[start]
    z = top[polygon_of_ring[ring]][:, None] + 0.05
    ends = np.stack([np.hstack([flat.xy[start], z]), np.hstack([flat.xy[start + 1], z])], axis=1)
    return Segments(points=ends.astype(np.float32), rgb=(96, 84, 74))


def _meshes(
    pool: MeshPool, owners: Mapping[str, list[int]], origin: Origin, recolour: Colours | None
) -> Surface:
    vertices, triangles, rgb, owner = [], [], [], []
    count = 0
    shift = np.array([origin.x, origin.y, origin.z])
    palette = np.array([m.rgba[:3] for m in pool.materials] or [(0.8, 0.78, 0.74)]) * 255
    for who, (building, numbers) in enumerate(owners.items()):
        for number in numbers:
            instance = pool.instances[number]
            mesh = pool.meshes[instance.mesh_id]
            placed = pool.placed(instance) - shift
            vertices.append(placed)
            triangles.append(mesh.triangles + count)
            colour = np.where(
                (mesh.material >= 0)[:, None],
                palette[np.maximum(mesh.material, 0)],
                (205, 198, 188),
            )
            if recolour is not None:
                colour = np.full_like(colour, recolour.get(building, (205, 205, 205)))
            rgb.append(colour)
            owner.append(np.full(len(mesh.triangles), who))
            count += len(placed)
    ids = np.empty(len(owners), dtype=object)
    ids[:] = list(owners)
    return Surface(
        vertices=np.concatenate(vertices).astype(np.float32),
        triangles=np.concatenate(triangles).astype(np.int32),
        rgb=np.concatenate(rgb).round().astype(np.uint8),
        owner=np.concatenate(owner).astype(np.int32),
        ids=ids,
    )


def _trees(
    made: Bodies,
    view: TwinView,
    table: FeatureTable,
    terrain: Grid,
    origin: Origin,
    pool: MeshPool,
    recolour: Colours | None,
) -> None:
    import shapely

    height = widths(table.numbers("height_m"), 8.0)
    crown = widths(table.numbers("crown_m"), 5.0)
    xy = shapely.get_coordinates(shapely.centroid(table.geometry))
    ground = terrain.sample(xy)
    ground = np.where(np.isfinite(ground), ground, origin.z)
    middle = np.column_stack([xy - (origin.x, origin.y), ground - origin.z])
    shape, faces, part = _tree_shape()
    n, v = len(table), len(shape)
    scale = np.stack([crown / 2, crown / 2, height], axis=1)[:, None, :]
    vertices = shape[None] * scale + middle[:, None, :]
    triangles = faces[None] + (np.arange(n) * v)[:, None, None]
    species = np.array([zlib.crc32(s.encode()) % 3 for s in table.texts("species")])
    greens = np.array([(96, 140, 78), (116, 154, 84), (82, 124, 80)])[species]
    if recolour is not None:
        greens = np.array([recolour.get(str(i), (205, 205, 205)) for i in table.ids])
    rgb = np.where((part == 1)[None, :, None], greens[:, None, :], (112, 88, 66))
    made.surfaces.append(
        Surface(
            vertices=vertices.reshape(-1, 3).astype(np.float32),
            triangles=triangles.reshape(-1, 3).astype(np.int32),
            rgb=rgb.reshape(-1, 3).astype(np.uint8),
            owner=np.repeat(np.arange(n), len(faces)).astype(np.int32),
            ids=table.ids,
        )
    )


def _tree_shape() -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Return a tree of unit crown radius and height: a hexagonal crown on a thin trunk."""
    turn = np.arange(6) * np.pi / 3
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    points = [(0.0, 0.0, 1.0)]
    points += [(0.62 * x, 0.62 * y, 0.86) for x, y in ring]
    points += [(x, y, 0.58) for x, y in ring]
    points += [(0.5 * x, 0.5 * y, 0.34) for x, y in ring]
    points += [(0.07 * x, 0.07 * y, z) for z in (0.36, -0.02) for x, y in ring[::2]]
    faces, part = [], []
    for i in range(6):
        j = (i + 1) % 6
        faces.append((0, 1 + i, 1 + j))
        for low, high in ((7, 1), (13, 7)):
            faces += [(low + i, low + j, high + j), (low + i, high + j, high + i)]
    faces += [(13, 13 + i + 1, 13 + i) for i in range(1, 5)]
    part = [1] * len(faces)
    for i in range(3):
        j = (i + 1) % 3
        faces += [(22 + i, 22 + j, 19 + j), (22 + i, 19 + j, 19 + i)]
        part += [0, 0]
    return np.array(points), np.array(faces), np.array(part)


def _walls(
    made: Bodies,
    view: TwinView,
    table: FeatureTable,
    terrain: Grid,
    origin: Origin,
    pool: MeshPool,
    recolour: Colours | None,
) -> None:
    import shapely

    shapes = np.array(table.geometry, dtype=object)
    bands = shapely.buffer(shapes, 0.15, cap_style="flat", join_style="mitre")
    solid = replace(table, geometry=bands)
    height = widths(table.numbers("height_m"), 2.0)
    columns = {**table.columns, "height_m": height}
    names = {f.name for f in table.fields}
    if "height_m" not in names:
        columns.pop("height_m")
    surface, _, _ = _prisms(replace(solid, columns=columns), terrain, origin, recolour)
    if recolour is None:
        rgb = np.full_like(surface.rgb, (198, 184, 164))
        surface = replace(surface, rgb=rgb)
    made.surfaces.append(surface)


_DRAWN: dict[str, Callable[..., None]] = {
    "building": _buildings,
    "building_part": _buildings,
    "tree": _trees,
    "wall": _walls,
}
