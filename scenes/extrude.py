"""How footprints become bodies: walls over every ring and flat caps, courtyards left open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Rings

__all__ = ["FOOT", "HEAD", "ROOF", "Body", "Loops", "caps", "loops", "prisms", "walls"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FOOT, HEAD, ROOF = 0, 1, 2  # what a vertex is: foot or head of a wall, or part of a cap


@dataclass(frozen=True)
class Body:
    """Triangles of many polygons.

    Attributes
    ----------
    vertices
        (n, 3) float64.
    part
        (n,) uint8: `FOOT`, `HEAD` or `ROOF`.
    owner
        (n,) int64: which polygon a vertex belongs to.
    triangles
        (m, 3) int64, counter-clockwise from outside.
    uv
        (n, 2) float64: metres along the wall and share of its height; caps have zeros.
        None unless asked for.
    """

    vertices: Floats
    part: NDArray[np.uint8]
    owner: Ints
    triangles: Ints
    uv: Floats | None = None


@dataclass(frozen=True)
class Loops:
    """Rings without their closing points.

    Attributes
    ----------
    xy
        (v, 2) float64.
    following
        (v,) int64: the next vertex of the same ring.
    polygon
        (v,) int64: the polygon a vertex belongs to.
    start
        (r + 1,) int64 into `xy`.
    """

    xy: Floats
    following: Ints
    polygon: Ints
    start: Ints


def loops(flat: Rings) -> Loops:
    """Return the rings of polygons without their closing points and repeated points."""
    lengths = np.diff(flat.ring_start)
    ring = np.repeat(np.arange(len(lengths)), lengths)
    keep = np.ones(len(flat.xy), dtype=bool)
    keep[:-1] = (flat.xy[1:] != flat.xy[:-1]).any(axis=1) | (ring[1:] != ring[:-1])
    keep[flat.ring_start[1:] - 1] = False
    xy, ring = flat.xy[keep], ring[keep]
    start = np.searchsorted(ring, np.arange(len(lengths) + 1)).astype(np.int64)
    following = np.arange(1, len(xy) + 1, dtype=np.int64)
    filled = start[1:] > start[:-1]
    following[start[1:][filled] - 1] = start[:-1][filled]
    polygon_of_ring = np.repeat(np.arange(len(flat.polygon_start) - 1), np.diff(flat.polygon_start))
    return Loops(xy=xy, following=following, polygon=polygon_of_ring[ring], start=start)


def walls(ring: Loops, low_m: Floats, high_m: Floats, *, uv: bool = False) -> Body:
    """Return the walls over every ring, outer ones facing out and courtyards facing in.

    Parameters
    ----------
    ring
        Outer rings counter-clockwise, holes clockwise.
    low_m, high_m
        (p,) heights of foot and top of each polygon.
    uv
        Whether each wall gets corners of its own with `Body.uv`, for a pattern over it.
    """
    n = len(ring.xy)
    low, high = low_m[ring.polygon], high_m[ring.polygon]
    here, there = np.arange(n), ring.following
    if not uv:
        vertices = np.concatenate([np.c_[ring.xy, low], np.c_[ring.xy, high]])
        quads = np.stack([here, there, there + n, here, there + n, here + n], axis=1)
        return Body(
            vertices=vertices,
            part=np.repeat(np.array([FOOT, HEAD], np.uint8), n),
            owner=np.tile(ring.polygon, 2),
            triangles=quads.reshape(-1, 3),
        )
    a, b = ring.xy, ring.xy[there]
    corners = np.stack([np.c_[a, low], np.c_[b, low], np.c_[b, high], np.c_[a, high]], axis=1)
    along = np.zeros((n, 4, 2))
    along[:, 1:3, 0] = np.hypot(*(b - a).T)[:, None]
    along[:, 2:, 1] = 1.0
    first = 4 * here[:, None]
    return Body(
        vertices=corners.reshape(-1, 3),
        part=np.tile(np.array([FOOT, FOOT, HEAD, HEAD], np.uint8), n),
        owner=np.repeat(ring.polygon, 4),
        triangles=np.concatenate([first + [0, 1, 2], first + [0, 2, 3]], axis=1).reshape(-1, 3),
        uv=along.reshape(-1, 2),
    )


def caps(flat: Rings, ring: Loops, height_m: Floats, *, up: bool = True) -> Body:
    """Return the flat faces over every polygon, holes left open.

    Convex polygons without holes become fans in one pass; the others go through a
    constrained Delaunay triangulation.

    Parameters
    ----------
    flat, ring
        Polygons, and their `loops`.
    height_m
        (p,) height of each face.
    up
        Whether faces look up or down.
    """
    simple = _convex(flat, ring)
    fans = _fans(flat, ring, simple, height_m)
    body = joined([fans, _delaunay(flat, np.flatnonzero(~simple), height_m)])
    if up:
        return body
    return Body(body.vertices, body.part, body.owner, body.triangles[:, ::-1])


def prisms(flat: Rings, low_m: Floats, high_m: Floats, *, floors: bool = False) -> Body:
    """Return walls and roofs of every polygon, with floors where asked for: then it is closed."""
    ring = loops(flat)
    bodies = [walls(ring, low_m, high_m), caps(flat, ring, high_m)]
    if floors:
        bodies.append(caps(flat, ring, low_m, up=False))
    return joined(bodies)


def joined(bodies: list[Body]) -> Body:
    """Return several bodies as one, without patterns."""
    shifts = np.cumsum([0, *(len(b.vertices) for b in bodies[:-1])])
    return Body(
        vertices=np.concatenate([b.vertices for b in bodies]),
        part=np.concatenate([b.part for b in bodies]),
        owner=np.concatenate([b.owner for b in bodies]),
        triangles=np.concatenate([b.triangles + s for b, s in zip(bodies, shifts, strict=True)]),
    )


def _convex(flat: Rings, ring: Loops) -> NDArray[np.bool_]:
    """Tell which polygons are convex and have no hole."""
    to = ring.xy[ring.following]
    onward = ring.xy[ring.following[ring.following]] if len(to) else to
    a, b = to - ring.xy, onward - to
    inward = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0.0
    bent = np.bincount(ring.polygon[inward], minlength=len(flat.polygon_start) - 1)
    return np.asarray((bent == 0) & (np.diff(flat.polygon_start) == 1))


def _fans(flat: Rings, ring: Loops, simple: NDArray[np.bool_], height_m: Floats) -> Body:
    mine = simple[ring.polygon]
    polygon = ring.polygon[mine]
    new = np.cumsum(mine) - 1
    first_ring = flat.polygon_start[:-1][simple]
    start, end = ring.start[first_ring], ring.start[first_ring + 1]
    count = np.maximum(end - start - 2, 0)
    base = np.repeat(start, count)
    k = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count) + 1
    triangles = new[np.stack([base, base + k, base + k + 1], axis=1)] if len(k) else _none()
    return Body(
        vertices=np.c_[ring.xy[mine], height_m[polygon]],
        part=np.full(len(polygon), ROOF, np.uint8),
        owner=polygon,
        triangles=triangles,
    )


def _none() -> Ints:
    return np.empty((0, 3), dtype=np.int64)


def _delaunay(flat: Rings, which: Ints, height_m: Floats) -> Body:
    import shapely

    which = which[np.diff(flat.polygon_start)[which] > 0]  # an empty polygon has no ring
    among = np.zeros(len(flat.polygon_start) - 1, dtype=bool)
    among[which] = True
    ring_here = np.repeat(among, np.diff(flat.polygon_start))
    point_here = np.repeat(ring_here, np.diff(flat.ring_start))
    ring = np.repeat(np.arange(ring_here.sum()), np.diff(flat.ring_start)[ring_here])
    polygon = np.repeat(np.arange(len(which)), np.diff(flat.polygon_start)[which])
    shapes = shapely.polygons(
        shapely.linearrings(flat.xy[point_here], indices=ring), indices=polygon
    )
    cut = shapely.constrained_delaunay_triangles(shapes)
    pieces, of = shapely.get_parts(cut, return_index=True)
    corners = shapely.get_coordinates(pieces).reshape(-1, 4, 2)[:, :3]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    clockwise = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0] < 0
    corners[clockwise] = corners[clockwise][:, ::-1]
    owner = np.repeat(which[of], 3)
    return Body(
        vertices=np.c_[corners.reshape(-1, 2), height_m[owner]],
        part=np.full(len(owner), ROOF, np.uint8),
        owner=owner,
        triangles=np.arange(len(owner)).reshape(-1, 3),
    )
