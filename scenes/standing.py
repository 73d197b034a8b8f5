"""What stands on the ground: buildings, their meshes, garden walls as surfaces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Rings, rings
from cim.model.grid import Grid
from cim.model.table import FeatureTable
from cim.model.twin import Bounds
from kernels.spatial.blocks import boxes
from scenes import blocks, extrude, palette, roofs
from scenes.drawables import Blocks, Origin, Segments, Surface
from scenes.ground import flat_level, levels
from scenes.palette import Colours

__all__ = ["Site", "Standing", "facade", "garden_walls", "prisms", "stand"]

Floats = NDArray[np.float64]

_NO_HEIGHT_M = 0.3
_STOREY_M = 3.0
_UNDER_M = 0.3  # how far walls reach below the lowest ground they stand on
_BAY_M = 3.4
_MOST_WALLS = 80_000  # more walls than this are drawn in tiles, with windows and edges only near by
_MOST_ROOFS = 20_000
_EDGE, _PALE_EDGE = (112, 102, 92), (172, 166, 160)


@dataclass(frozen=True)
class Site:
    """Where bodies stand: the ground, the scene's zero, and whether colours step back.

    Attributes
    ----------
    muted
        Pale colours, so that a result over the ground speaks.
    recolour
        ``{id: colour}`` of a result on the layer drawn, or None.
    picked
        Ids drawn in the colour of a selection.
    pixel_m
        Metres a pixel of the picture covers, about.
    underground
        Whether pipes and what belongs to them are shown, as tubes where their levels are known.
    bounds
        Box of what is drawn; everything where None.
    """

    terrain: Grid
    origin: Origin
    muted: bool = False
    recolour: Colours | None = None
    picked: frozenset[str] = frozenset()
    pixel_m: float = 0.0
    underground: bool = False
    bounds: Bounds | None = None


@dataclass
class Standing:
    """What has been drawn so far, how many have no height, what is missing or hidden."""

    surfaces: list[Surface] = field(default_factory=list)
    blocks: list[Blocks] = field(default_factory=list)
    edges: list[Segments] = field(default_factory=list)
    without_height: int = 0
    missing_images: list[str] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)


def prisms(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add footprints pulled up to their height, pitched roofs where they say so.

    A building without a height is drawn flat in a marked colour and counted.
    """
    flat = rings(table, origin=(site.origin.x, site.origin.y))
    if not len(flat.feature):
        return
    ring = extrude.loops(flat)
    base, height, missing = stand(table, site)
    made.without_height += int(missing.sum())
    of = flat.feature
    foot, top = _feet(ring, base[of], site), (base + height)[of] - site.origin.z
    if missing.any():  # flat as it is, it must not sink into a slope
        top = np.where(missing[of], np.maximum(top, _crests(ring, len(of), site)), top)
    wall, roof = palette.buildings(table, missing, muted=site.muted, recolour=site.recolour)
    if site.picked:
        chosen = np.isin(table.ids.astype(str), list(site.picked))
        wall[chosen], roof[chosen] = palette.PICKED, palette.PICKED
    if len(ring.xy) > _MOST_WALLS:
        made.blocks.append(_tiles(table, site, flat, ring, (foot, top), (wall, roof)))
        return
    detailed = site.recolour is None and not site.muted
    sides = extrude.walls(ring, foot, top, uv=detailed)
    bodies = [extrude.caps(flat, ring, top)]
    if detailed:
        made.surfaces.append(_patterned(sides, table, of, wall, missing))
    else:
        bodies.insert(0, sides)
    body = extrude.joined(bodies)
    made.surfaces.append(_plain(body, of[body.owner], table.ids, wall, roof))
    above = _roofs(table, flat, top, wall, roof)
    if above is not None:
        made.surfaces.append(above)
    pitch = np.isin(table.texts("roof_type"), roofs.PITCHED)[of][ring.polygon]
    made.edges.append(_edges(ring, top, ~pitch, _PALE_EDGE if site.muted else _EDGE))


def _tiles(
    table: FeatureTable,
    site: Site,
    flat: Rings,
    ring: extrude.Loops,
    heights: tuple[Floats, Floats],
    colours: tuple[NDArray[np.uint8], NDArray[np.uint8]],
) -> Blocks:
    """Return a city's bodies as tiles."""
    low, high = heights
    box = boxes(ring.xy, ring.start, flat.polygon_start)
    order, start, around = blocks.tiled(box, low, high)

    def near(rows: NDArray[np.int64]) -> tuple[list[Surface], list[Segments]]:
        made = Standing()
        prisms(made, table.take(rows), site)
        return [*made.surfaces, *map(blocks.surface, made.blocks)], made.edges

    return Blocks(
        layer=table.layer,
        xy=ring.xy,
        ring_start=ring.start,
        polygon_start=flat.polygon_start,
        low=low,
        high=high,
        owner=flat.feature,
        ids=table.ids,
        wall=colours[0],
        roof=colours[1],
        box=box,
        order=order,
        tile_start=start,
        tile_box=around,
        detail=near if site.recolour is None and not site.muted else None,
    )


def stand(table: FeatureTable, site: Site) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the ground level (absolute), the height, and which objects have none."""
    import shapely

    placed = ~shapely.is_missing(table.geometry) & ~shapely.is_empty(table.geometry)
    base = table.numbers("base_m")
    ask = placed & ~np.isfinite(base)
    level = flat_level(site.terrain)
    if level is not None:
        base[ask] = level
    elif ask.any():
        base[ask] = _levels(shapely.get_coordinates(shapely.centroid(table.geometry[ask])), site)
    height = table.numbers("height_m")
    storeys = table.numbers("storeys_above")
    height = np.where(np.isfinite(height), height, storeys * _STOREY_M)
    missing = ~(np.isfinite(height) & (height > 0))
    return base, np.where(missing, _NO_HEIGHT_M, height), missing


def _levels(xy: Floats, site: Site) -> Floats:
    """Return the ground under points, the scene's zero where it is not known."""
    return levels(site.terrain, xy, site.origin.z)


def _feet(ring: extrude.Loops, base: Floats, site: Site) -> Floats:
    """Return where walls begin: under the lowest ground around, so that none floats."""
    level = _levels(ring.xy + (site.origin.x, site.origin.y), site)
    lowest = base.copy()
    np.minimum.at(lowest, ring.polygon, level)
    return lowest - _UNDER_M - site.origin.z


def _crests(ring: extrude.Loops, count: int, site: Site) -> Floats:
    """Return a little more than the highest ground around each of `count` polygons."""
    level = _levels(ring.xy + (site.origin.x, site.origin.y), site)
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, ring.polygon, level)
    return highest + _NO_HEIGHT_M - site.origin.z


def _plain(
    body: extrude.Body,
    feature: NDArray[np.int64],
    ids: NDArray[Any],
    wall: NDArray[np.uint8],
    roof: NDArray[np.uint8],
) -> Surface:
    """Return walls and caps in plain colours, walls darker at their feet."""
    return Surface(
        vertices=body.vertices.astype(np.float32),
        triangles=body.triangles.astype(np.int32),
        rgb=_by_part(wall, roof)[body.part, feature],
        owner=feature[body.triangles[:, 0]].astype(np.int32),
        ids=ids,
        closed=True,
    )


def _by_part(wall: NDArray[np.uint8], roof: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return (3, n, 3) colours of foot, head and roof; less of the sky lights the foot."""
    return np.stack([(wall * 0.80).round().astype(np.uint8), wall, roof])


def _patterned(
    sides: extrude.Body,
    table: FeatureTable,
    of: NDArray[np.int64],
    wall: NDArray[np.uint8],
    missing: NDArray[np.bool_],
) -> Surface:
    """Return walls with a row of windows a storey: a way of drawing storeys, not data."""
    assert sides.uv is not None
    feature = of[sides.owner]
    storeys = np.nan_to_num(table.numbers("storeys_above"))
    storeys = np.where(missing, 0.0, storeys)[feature]
    length = np.repeat(sides.uv.reshape(-1, 4, 2)[:, 1, 0], 4)
    bays = np.where(length < 0.7 * _BAY_M, 0.0, np.maximum(np.round(length / _BAY_M), 1.0))
    drawn = (storeys > 0) & (bays > 0)
    uv = np.zeros_like(sides.uv)
    uv[:, 0] = np.where(drawn & (sides.uv[:, 0] > 0), bays, 0.0)
    uv[:, 1] = np.where(drawn & (sides.uv[:, 1] > 0), storeys, 0.0)
    return Surface(
        vertices=sides.vertices.astype(np.float32),
        triangles=sides.triangles.astype(np.int32),
        rgb=_by_part(wall, wall)[sides.part, feature],
        owner=feature[sides.triangles[:, 0]].astype(np.int32),
        ids=table.ids,
        uv=uv.astype(np.float32),
        pattern=facade(),
        closed=True,
    )


@cache
def facade() -> NDArray[np.uint8]:
    """Return one bay of one storey, (64, 64, 3) uint8: a window in a plain wall."""
    tile = np.full((64, 64, 3), 255, dtype=np.uint8)
    tile[16:48, 20:44] = (236, 234, 232)  # the frame
    tile[18:46, 22:42] = (112, 122, 136)  # the panes
    tile[18:46, 31:33] = (214, 212, 210)
    tile[29:31, 22:42] = (214, 212, 210)
    tile[48:51, 18:46] = (206, 202, 198)  # the shade of the sill
    return tile


def _roofs(
    table: FeatureTable,
    flat: Rings,
    top: Floats,
    wall: NDArray[np.uint8],
    roof: NDArray[np.uint8],
) -> Surface | None:
    kinds = np.array(table.texts("roof_type"), dtype=object)[flat.feature]
    wanted = np.flatnonzero(np.isin(kinds, roofs.PITCHED))
    if not 0 < len(wanted) <= _MOST_ROOFS:
        return None
    rise = table.numbers("ridge_m") - table.numbers("height_m")
    rise = np.where(rise > 0, rise, 2.5)
    corners, gable, feature = [], [], []
    for polygon in wanted:
        first, last = flat.polygon_start[polygon], flat.polygon_start[polygon + 1]
        starts = flat.ring_start[first : last + 1]
        outlines = [flat.xy[a:b] for a, b in zip(starts[:-1], starts[1:], strict=True)]
        who = int(flat.feature[polygon])
        over = roofs.pitched(outlines, str(kinds[polygon]), float(top[polygon]), float(rise[who]))
        if over is not None:
            corners.append(over.corners)
            gable.append(over.gable)
            feature.append(np.full(len(over.gable), who))
    if not corners:
        return None
    owner = np.concatenate(feature)
    upright = np.concatenate(gable)
    colour = np.where(upright[:, None], wall[owner], roof[owner]).astype(np.uint8)
    vertices = np.concatenate(corners).reshape(-1, 3)
    return Surface(
        vertices=vertices.astype(np.float32),
        triangles=np.arange(len(vertices), dtype=np.int32).reshape(-1, 3),
        rgb=np.repeat(colour, 3, axis=0),
        owner=owner.astype(np.int32),
        ids=table.ids,
    )


def _edges(
    ring: extrude.Loops, top: Floats, shown: NDArray[np.bool_], rgb: tuple[int, int, int]
) -> Segments:
    """Return the outlines of roofs; without them neighbours of one colour run together."""
    a, b = ring.xy[shown], ring.xy[ring.following[shown]]
    z = top[ring.polygon[shown]]
    ends = np.stack([np.c_[a, z], np.c_[b, z]], axis=1)
    return Segments(points=ends.astype(np.float32), rgb=rgb)


def garden_walls(made: Standing, table: FeatureTable, site: Site) -> None:
    """Add walls around plots (院墙), as bands of their height."""
    import shapely

    bands = shapely.buffer(table.geometry, 0.15, cap_style="flat", join_style="mitre")
    height = palette.known(table.numbers("height_m"), 2.0)
    columns: Mapping[str, Any] = {**table.columns, "height_m": height}
    flat = rings(replace(table, geometry=bands), origin=(site.origin.x, site.origin.y))
    solid = replace(table, geometry=bands, columns=columns)
    ring = extrude.loops(flat)
    base, tall, _ = stand(solid, site)
    of = flat.feature
    top = (base + tall)[of] - site.origin.z
    body = extrude.joined(
        [extrude.walls(ring, _feet(ring, base[of], site), top), extrude.caps(flat, ring, top)]
    )
    colour = palette.flat_colour(table.ids, palette.GARDEN_WALL, site.muted, site.recolour)
    made.surfaces.append(_plain(body, of[body.owner], table.ids, colour, colour))
