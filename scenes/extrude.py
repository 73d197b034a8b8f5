"""How footprints become bodies: walls, flat roofs with courtyards right, hip roofs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cim.model.arrays import Rings

__all__ = ["Body", "caps", "hip_roof", "prisms", "walls"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Body:
    """Triangles with the polygon each belongs to and what it is: 0 wall, 1 roof."""

    vertices: Floats
    triangles: NDArray[np.int64]
    polygon: NDArray[np.int64]
    part: NDArray[np.uint8]


def walls(flat: Rings, low_m: Floats, high_m: Floats) -> Body:
    """Return the walls over every ring, outer ones facing out and courtyards facing in.

    Parameters
    ----------
    flat
        Polygons; outer rings counter-clockwise, holes clockwise.
    low_m, high_m
        (p,) heights of foot and top of each polygon.
    """
    polygon_of_ring = np.repeat(np.arange(len(flat.polygon_start) - 1), np.diff(flat.polygon_start))
    lengths = np.diff(flat.ring_start)
    ring_of_point = np.repeat(np.arange(len(lengths)), lengths)
    last = np.zeros(len(flat.xy), dtype=bool)
    last[flat.ring_start[1:] - 1] = True
    start = np.flatnonzero(~last)
    a, b = flat.xy[start], flat.xy[start + 1]
    owner = polygon_of_ring[ring_of_point[start]]
    keep = (a != b).any(axis=1)
    a, b, owner = a[keep], b[keep], owner[keep]
    low, high = low_m[owner][:, None], high_m[owner][:, None]
    corners = np.stack(
        [np.hstack([a, low]), np.hstack([b, low]), np.hstack([b, high]), np.hstack([a, high])], 1
    )
    first = 4 * np.arange(len(a))[:, None]
    triangles = (first + np.array([[0, 1, 2, 0, 2, 3]])).reshape(-1, 3)
    return Body(
        vertices=corners.reshape(-1, 3),
        triangles=triangles,
        polygon=np.repeat(owner, 2),
        part=np.zeros(2 * len(a), dtype=np.uint8),
    )


def caps(flat: Rings, height_m: Floats, *, up: bool = True) -> Body:
    """Return the flat faces over every polygon, holes left open.

    Parameters
    ----------
    flat
        Polygons.
    height_m
        (p,) height of each face.
    up
        Whether faces look up or down.
    """
    import shapely

    count = len(flat.polygon_start) - 1
    loops = shapely.linearrings(
        flat.xy, indices=np.repeat(np.arange(len(flat.ring_start) - 1), np.diff(flat.ring_start))
    )
    owner = np.repeat(np.arange(count), np.diff(flat.polygon_start))
    outer = np.zeros(len(loops), dtype=bool)
    outer[flat.polygon_start[:-1]] = True
    polygons = shapely.polygons(loops[outer])
    for i in np.unique(owner[~outer]):
        mine = owner == i
        polygons[i] = shapely.Polygon(loops[mine & outer][0], list(loops[mine & ~outer]))
    pieces, polygon = shapely.get_parts(
        shapely.constrained_delaunay_triangles(polygons), return_index=True
    )
    corners = shapely.get_coordinates(pieces).reshape(-1, 4, 2)[:, :3]
    x, y = corners[..., 0], corners[..., 1]
    turn = (x[:, 1] - x[:, 0]) * (y[:, 2] - y[:, 0]) - (x[:, 2] - x[:, 0]) * (y[:, 1] - y[:, 0])
    wrong = (turn < 0) == up
    corners[wrong] = corners[wrong][:, ::-1]
    z = np.repeat(height_m[polygon], 3).reshape(-1, 3, 1)
    return Body(
        vertices=np.concatenate([corners, z], axis=2).reshape(-1, 3),
        triangles=np.arange(3 * len(corners)).reshape(-1, 3),
        polygon=polygon.astype(np.int64),
        part=np.ones(len(corners), dtype=np.uint8),
    )


def prisms(flat: Rings, low_m: Floats, high_m: Floats, *, closed: bool = False) -> Body:
    """Return walls and roofs of every polygon, with floors where `closed`."""
    bodies = [walls(flat, low_m, high_m), caps(flat, high_m)]
    if closed:
        bodies.append(caps(flat, low_m, up=False))
    return _joined(bodies)


def _joined(bodies: list[Body]) -> Body:
    shifts = np.cumsum([0, *(len(b.vertices) for b in bodies[:-1])])
    return Body(
        vertices=np.concatenate([b.vertices for b in bodies]),
        triangles=np.concatenate([b.triangles + s for b, s in zip(bodies, shifts, strict=True)]),
        polygon=np.concatenate([b.polygon for b in bodies]),
        part=np.concatenate([b.part for b in bodies]),
    )


def hip_roof(ring: Floats, eave_m: float, rise_m: float) -> Floats | None:
    """Return the triangles (k, 3, 3) of a hip roof over a near-rectangle; None for other shapes.

    Parameters
    ----------
    ring
        (n, 2) closed outer ring.
    eave_m, rise_m
        Height of the eaves, and of the ridge above them.
    """
    import shapely

    shape = shapely.Polygon(ring)
    box = shapely.minimum_rotated_rectangle(shape)
    if box.geom_type != "Polygon" or box.area <= 0 or shape.area < 0.93 * box.area:
        return None
    corners = shapely.get_coordinates(shapely.orient_polygons(box))[:4]
    if np.linalg.norm(corners[1] - corners[0]) < np.linalg.norm(corners[2] - corners[1]):
        corners = np.roll(corners, -1, axis=0)
    a, b, c, d = (np.append(corner, eave_m) for corner in corners)
    half = np.linalg.norm(c - b) / 2.0
    along = (b - a) / np.linalg.norm(b - a)
    p = np.append(((a + d) / 2.0 + along * half)[:2], eave_m + rise_m)
    q = np.append(((b + c) / 2.0 - along * half)[:2], eave_m + rise_m)
    return np.array([[a, b, q], [a, q, p], [b, c, q], [c, d, p], [c, p, q], [d, a, p]])
