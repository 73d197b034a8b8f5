"""Which walls and rooms does a plan have? Outlines and lines in, their ground shapes out.

Outer walls meet in mitres, inner walls end where the next one begins: no two walls overlap,
so their volumes add up. Rooms are what the walls leave free.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bim_import.authoring.table import House, Partition, RoomSpec
from cim.errors import SourceError

__all__ = ["Room", "Wall", "inner_walls", "outer_walls", "outset", "rooms", "sides_of"]

Point = tuple[float, float]
Ring = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Wall:
    """A wall on the ground: its start, its length and turn, and its shape seen from there.

    ``ring`` is in the wall's own axes: x along it, y towards its left (inside), the outer
    face of an outer wall at y = 0.
    """

    start: Point
    turn_deg: float
    length_m: float
    thick_m: float
    ring: tuple[Point, ...]
    area_m2: float


@dataclass(frozen=True)
class Room:
    """A room's floor."""

    spec: RoomSpec
    shape: Any


def outset(ring: Ring, by_m: float) -> list[Point]:
    """Return a counter-clockwise ring moved outwards by `by_m`, corner by corner."""
    points = np.asarray(ring, dtype=np.float64)
    before, after = points - np.roll(points, 1, axis=0), np.roll(points, -1, axis=0) - points
    ahead = [v / np.linalg.norm(v, axis=1)[:, None] for v in (before, after)]
    n0, n1 = (np.column_stack([v[:, 1], -v[:, 0]]) for v in ahead)
    share = by_m / (1.0 + np.sum(n0 * n1, axis=1))
    moved = points + (n0 + n1) * share[:, None]
    return [(float(x), float(y)) for x, y in moved]


def sides_of(ring: Ring) -> list[tuple[Point, Point]]:
    """Return the sides of a ring."""
    corners = [(float(x), float(y)) for x, y in ring]
    return list(zip(corners, corners[1:] + corners[:1], strict=True))


def outer_walls(ring: Ring, thick_m: float) -> list[Wall]:
    """Return a wall for each side of a counter-clockwise outline, mitred at the corners."""
    inner = outset(ring, -thick_m)
    return [
        _wall(a, b, [a, b, d, c], thick_m)
        for (a, b), (c, d) in zip(sides_of(ring), sides_of(inner), strict=True)
    ]


def inner_walls(
    outline: Ring, outer_m: float, inner_m: float, lines: Sequence[Partition], *, where: str
) -> list[Wall]:
    """Return the walls of `lines` inside an outline, each cut by those before it.

    Raises
    ------
    SourceError
        Nothing, or more than one piece, is left of a line.
    """
    import shapely

    free = shapely.Polygon(outset(outline, -outer_m))
    found = []
    for line in lines:
        thick_m = line.thick_m or inner_m
        strip = shapely.LineString([line.start, line.end]).buffer(thick_m / 2, cap_style="flat")
        left = shapely.set_precision(strip.intersection(free), 1e-6)
        pieces = [p for p in shapely.get_parts(left) if p.area > 1e-3]
        if len(pieces) != 1:
            values = {"reason": f"partition {line.name}: {len(pieces)} pieces"}
            raise SourceError("bim.table_wrong", given=where, values=values)
        found.append(_strip_wall(line, pieces[0], thick_m))
        free = free.difference(strip)
    return found


def rooms(
    outline: Ring, outer_m: float, walls: Sequence[Wall], specs: Sequence[RoomSpec], *, where: str
) -> list[Room]:
    """Return the rooms the walls leave free, each named by the point inside it.

    Raises
    ------
    SourceError
        A room has no name or two, a name no room.
    """
    import shapely

    free = shapely.Polygon(outset(outline, -outer_m))
    for wall in walls:
        free = free.difference(shapely.Polygon(world(wall)).buffer(1e-5, join_style="mitre"))
    left = [p for p in shapely.get_parts(free) if p.area > 0.2]
    found = []
    for shape in left:
        own = [s for s in specs if shape.covers(shapely.Point(s.at))]
        if len(own) != 1:
            x, y = shape.representative_point().coords[0]
            names = ", ".join(s.name for s in own) or "-"
            values = {"reason": f"room at {x:.2f}, {y:.2f}: {names}"}
            raise SourceError("bim.table_wrong", given=where, values=values)
        found.append(Room(own[0], shapely.orient_polygons(shape.simplify(1e-4))))
    lost = [s.name for s in specs if all(s is not r.spec for r in found)]
    if lost:
        values = {"reason": f"rooms outside: {', '.join(lost)}"}
        raise SourceError("bim.table_wrong", given=where, values=values)
    return found


def world(wall: Wall) -> list[Point]:
    """Return a wall's ring in the plan's axes."""
    c, s = math.cos(math.radians(wall.turn_deg)), math.sin(math.radians(wall.turn_deg))
    x0, y0 = wall.start
    return [(x0 + x * c - y * s, y0 + x * s + y * c) for x, y in wall.ring]


def unrolled(house: House, storey: int) -> tuple[list[Partition], list[RoomSpec]]:
    """Return the partitions and rooms of a storey, repeated for each house of a row."""
    lines = [p for p in house.partitions if storey in p.storeys]
    specs = [r for r in house.rooms if r.storey == storey]
    row = house.repeat
    if row is None:
        return lines, specs
    y0 = min(p[1] for p in house.outlines["main"]) - 1.0
    y1 = max(p[1] for p in house.outlines["main"]) + 1.0
    half = row.count * row.pitch_m / 2
    many = [
        Partition("分户墙", [x, y0], [x, y1], thick_m=row.party_wall_m, storeys=[storey])
        for x in (i * row.pitch_m - half for i in range(1, row.count))
    ]
    rooms_: list[RoomSpec] = []
    for i in range(row.count):

        def at(p: Sequence[float], i: int = i) -> list[float]:
            x = row.pitch_m - p[0] if i % 2 else p[0]
            return [round(i * row.pitch_m - half + x, 6), p[1]]

        many += [Partition(f"{i + 1}号{p.name}", at(p.start), at(p.end), p.doors, p.storeys)
                 for p in lines]  # fmt: skip
        rooms_ += [RoomSpec(f"{i + 1}号{r.name}", r.use, at(r.at), storey) for r in specs]
    return many, rooms_


def _wall(a: Point, b: Point, ring: Sequence[Point], thick_m: float) -> Wall:
    import shapely

    turn = math.atan2(b[1] - a[1], b[0] - a[0])
    c, s = math.cos(turn), math.sin(turn)
    own = tuple(((x - a[0]) * c + (y - a[1]) * s, (y - a[1]) * c - (x - a[0]) * s) for x, y in ring)
    area = float(shapely.Polygon(own).area)
    return Wall(a, math.degrees(turn), math.dist(a, b), thick_m, own, area)


def _strip_wall(line: Partition, shape: Any, thick_m: float) -> Wall:
    """Return the wall of a cut strip, starting at its lower right corner seen along the line."""
    turn = math.atan2(line.end[1] - line.start[1], line.end[0] - line.start[0])
    c, s = math.cos(turn), math.sin(turn)
    x0, y0 = line.start
    own = [((x - x0) * c + (y - y0) * s) for x, y in shape.exterior.coords]
    low, high = min(own), max(own)
    a = (x0 + low * c + thick_m / 2 * s, y0 + low * s - thick_m / 2 * c)
    b = (a[0] + (high - low) * c, a[1] + (high - low) * s)
    import shapely

    ring = shapely.orient_polygons(shape.simplify(1e-5)).exterior.coords[:-1]
    return _wall(a, b, [(x, y) for x, y in ring], thick_m)
