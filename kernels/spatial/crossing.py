"""Where triangles of closed shells pass through, or touch, one another.

Corners are whole numbers of a lattice of at most 2²⁰ steps along each axis, so every
determinant fits 64 bits and every answer is exact: no tolerance, no rounding. Two triangles
meet where an edge of one meets the other (Möller 1997, *J. Graphics Tools* 2:2, in the
exact form of Devillers and Guigue 2002, INRIA RR-4488).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["APART", "CROSSING", "MOST_STEPS", "OVERLAPPING", "TOUCHING", "meetings", "warm"]

APART, TOUCHING, OVERLAPPING, CROSSING = 0, 1, 2, 3
"""Not at all, at points or along lines, over an area of one plane, or through one another."""

MOST_STEPS = 1 << 20
"""Largest coordinate: six products of three differences, below 2⁶³."""

Ints = NDArray[Any]


@kernel(inline=True)
def _side(p: Ints, a: int, b: int, c: int, d: int) -> int:
    """Return on which side of the plane a, b, c the corner d lies: 1, 0 or -1."""
    ax, ay, az = p[a, 0] - p[d, 0], p[a, 1] - p[d, 1], p[a, 2] - p[d, 2]
    bx, by, bz = p[b, 0] - p[d, 0], p[b, 1] - p[d, 1], p[b, 2] - p[d, 2]
    cx, cy, cz = p[c, 0] - p[d, 0], p[c, 1] - p[d, 1], p[c, 2] - p[d, 2]
    found = ax * (by * cz - bz * cy) - ay * (bx * cz - bz * cx) + az * (bx * cy - by * cx)
    return 1 if found > 0 else -1 if found < 0 else 0


@kernel(inline=True)
def _turn(p: Ints, i: int, j: int, a: int, b: int, c: int) -> int:
    """Return which way a, b, c turn, seen along the axis that is neither i nor j."""
    found = (p[b, i] - p[a, i]) * (p[c, j] - p[a, j]) - (p[b, j] - p[a, j]) * (p[c, i] - p[a, i])
    return 1 if found > 0 else -1 if found < 0 else 0


@kernel
def _flattest(p: Ints, a: int, b: int, c: int) -> int:
    """Return the axis along which a triangle looks largest; -1 where it is a line or point."""
    ux, uy, uz = p[b, 0] - p[a, 0], p[b, 1] - p[a, 1], p[b, 2] - p[a, 2]
    vx, vy, vz = p[c, 0] - p[a, 0], p[c, 1] - p[a, 1], p[c, 2] - p[a, 2]
    nx, ny, nz = abs(uy * vz - uz * vy), abs(uz * vx - ux * vz), abs(ux * vy - uy * vx)
    if nx == 0 and ny == 0 and nz == 0:
        return -1
    if nx >= ny and nx >= nz:
        return 0
    return 1 if ny >= nz else 2


@kernel
def _point_in(p: Ints, axis: int, q: int, a: int, b: int, c: int) -> int:
    """Return whether q, in the plane of a triangle, lies in it: 2 inside, 1 on its rim, 0 not."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    s, t, u = _turn(p, i, j, a, b, q), _turn(p, i, j, b, c, q), _turn(p, i, j, c, a, q)
    low, high = min(s, t, u), max(s, t, u)
    if low < 0 and high > 0:
        return 0
    return 2 if low == high else 1


@kernel
def _lines_cross(p: Ints, axis: int, a: int, b: int, c: int, d: int) -> int:
    """Return how two segments of one plane meet: 2 within both, 1 touching, 0 not."""
    i, j = (axis + 1) % 3, (axis + 2) % 3
    s, t = _turn(p, i, j, a, b, c), _turn(p, i, j, a, b, d)
    u, v = _turn(p, i, j, c, d, a), _turn(p, i, j, c, d, b)
    if s * t > 0 or u * v > 0:
        return 0
    if s == 0 and t == 0:  # on one line
        k = i if abs(p[b, i] - p[a, i]) >= abs(p[b, j] - p[a, j]) else j
        low, high = min(p[a, k], p[b, k]), max(p[a, k], p[b, k])
        return 1 if max(p[c, k], p[d, k]) >= low and min(p[c, k], p[d, k]) <= high else 0
    return 2 if s * t < 0 and u * v < 0 else 1


@kernel
def _segment(p: Ints, q: int, r: int, a: int, b: int, c: int) -> int:
    """Return how the segment q, r meets a triangle: passing through its inside, or touching."""
    s, t = _side(p, a, b, c, q), _side(p, a, b, c, r)
    if s * t > 0:
        return APART
    if s == 0 and t == 0:
        axis = _flattest(p, a, b, c)
        if _point_in(p, axis, q, a, b, c) or _point_in(p, axis, r, a, b, c):
            return TOUCHING
        met = _lines_cross(p, axis, q, r, a, b) + _lines_cross(p, axis, q, r, b, c)
        return TOUCHING if met + _lines_cross(p, axis, q, r, c, a) else APART
    if s == 0 or t == 0:
        axis = _flattest(p, a, b, c)
        return TOUCHING if _point_in(p, axis, q if s == 0 else r, a, b, c) else APART
    u, v, w = _side(p, q, r, a, b), _side(p, q, r, b, c), _side(p, q, r, c, a)
    low, high = min(u, v, w), max(u, v, w)
    if low < 0 and high > 0:
        return APART
    return CROSSING if low == high else TOUCHING


@kernel
def _in_plane(p: Ints, one: Ints, other: Ints) -> int:
    """Return how two triangles of one plane meet."""
    axis = _flattest(p, one[0], one[1], one[2])
    i, j = (axis + 1) % 3, (axis + 2) % 3
    # they share no area where a side of one has the whole other on its far side
    touch = False
    for first in range(2):
        t, o = (one, other) if first == 0 else (other, one)
        turn = _turn(p, i, j, t[0], t[1], t[2])
        for k in range(3):
            a, b = t[k], t[(k + 1) % 3]
            s0 = turn * _turn(p, i, j, a, b, o[0])
            s1 = turn * _turn(p, i, j, a, b, o[1])
            s2 = turn * _turn(p, i, j, a, b, o[2])
            if max(s0, s1, s2) < 0:
                return APART
            if max(s0, s1, s2) == 0:
                touch = True
    if not touch:
        return OVERLAPPING
    for k in range(3):
        for m in range(3):
            if _lines_cross(p, axis, one[k], one[(k + 1) % 3], other[m], other[(m + 1) % 3]):
                return TOUCHING
    return APART


@kernel
def _meet(p: Ints, corner: Ints, one: Ints, other: Ints, rim_one: Ints, rim_other: Ints) -> int:
    """Return how two triangles meet, apart from corners and edges that they share."""
    shared, at_one, at_other = 0, 0, 0
    left_one, left_other = 3, 3  # sums of places, less those shared
    for k in range(3):
        for m in range(3):
            if corner[one[k]] == corner[other[m]]:
                shared += 1
                at_one, at_other = k, m
                left_one, left_other = left_one - k, left_other - m
    if shared == 3:
        return OVERLAPPING
    a, b, c = one[0], one[1], one[2]
    d, e, f = other[0], other[1], other[2]
    if shared == 2:
        k, m = left_one, left_other  # the corner that is not shared
        if _side(p, a, b, c, other[m]) == 0:
            axis = _flattest(p, a, b, c)
            i, j = (axis + 1) % 3, (axis + 2) % 3
            u, v = one[(k + 1) % 3], one[(k + 2) % 3]
            if _turn(p, i, j, u, v, one[k]) == _turn(p, i, j, u, v, other[m]):
                return OVERLAPPING
        # an edge that is inside a face is no edge of it
        whole = rim_one[(k + 1) % 3] and rim_other[(m + 1) % 3]
        return APART if whole else TOUCHING
    s0, s1, s2 = _side(p, a, b, c, d), _side(p, a, b, c, e), _side(p, a, b, c, f)
    if min(s0, s1, s2) > 0 or max(s0, s1, s2) < 0:
        return APART
    if shared == 1:
        k, m = at_one, at_other
        first = _segment(p, one[(k + 1) % 3], one[(k + 2) % 3], d, e, f)
        second = _segment(p, other[(m + 1) % 3], other[(m + 2) % 3], a, b, c)
        if s0 == 0 and s1 == 0 and s2 == 0 and max(first, second) > 0:
            return _in_plane(p, one, other)
        return max(first, second)
    if s0 == 0 and s1 == 0 and s2 == 0:
        return _in_plane(p, one, other)
    found = APART
    for k in range(3):
        found = max(found, _segment(p, one[k], one[(k + 1) % 3], d, e, f))
        found = max(found, _segment(p, other[k], other[(k + 1) % 3], a, b, c))
    return found


@kernel
def meetings(
    points: Ints,
    corner: Ints,
    triangles: Ints,
    rim: Ints,
    face: Ints,
    starts: Ints,
    axis: Ints,
    pairs: Ints,
    how: Ints,
) -> int:
    """Find the pairs of triangles of one body, and of two faces, that meet.

    A sweep along the longest axis of the body; triangles that are lines or points are
    passed over.

    Parameters
    ----------
    points
        (k, 3) int64 lattice steps, 0 to `MOST_STEPS`.
    corner
        (k,) int64 a number for each point, the same where two points are one place.
    triangles
        (m, 3) int64 rows of `points`; those of a body together, sorted by their lowest step
        along the body's axis.
    rim
        (m, 3) uint8 whether the edge from corner i to the next lies on the rim of the face.
    face
        (m,) int64 the face of each.
    starts
        (b + 1,) int64 where bodies start in `triangles`.
    axis
        (b,) int64 the axis of each body.
    pairs, how
        (room, 2) int64 and (room,) uint8, written: rows of `triangles`, and how they
        meet.

    Returns
    -------
    int
        How many pairs there are; only as many as have room are written.
    """
    m = len(triangles)
    low = np.empty((m, 3), dtype=np.int64)
    high = np.empty((m, 3), dtype=np.int64)
    flat = np.empty(m, dtype=np.uint8)
    for t in range(m):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        for k in range(3):
            low[t, k] = min(points[a, k], points[b, k], points[c, k])
            high[t, k] = max(points[a, k], points[b, k], points[c, k])
        flat[t] = _flattest(points, a, b, c) < 0
    found = 0
    for body in range(len(starts) - 1):
        x = axis[body]
        y, z = (x + 1) % 3, (x + 2) % 3
        for s in range(starts[body], starts[body + 1]):
            if flat[s]:
                continue
            for t in range(s + 1, starts[body + 1]):
                if low[t, x] > high[s, x]:
                    break
                if face[s] == face[t] or flat[t]:
                    continue
                if low[t, y] > high[s, y] or high[t, y] < low[s, y]:
                    continue
                if low[t, z] > high[s, z] or high[t, z] < low[s, z]:
                    continue
                met = _meet(points, corner, triangles[s], triangles[t], rim[s], rim[t])
                if met != APART:
                    if found < len(how):
                        pairs[found, 0], pairs[found, 1], how[found] = s, t, met
                    found += 1
    return found


def warm() -> None:
    """Compile ahead."""
    points = np.array([[0, 0, 0], [4, 0, 0], [0, 4, 0], [1, 1, -2], [1, 1, 2], [9, 9, 2]])
    meetings(
        points, np.arange(6), np.array([[0, 1, 2], [3, 4, 5]]), np.ones((2, 3), dtype=np.uint8),
        np.arange(2), np.array([0, 2]), np.array([0]), np.empty((4, 2), dtype=np.int64),
        np.empty(4, dtype=np.uint8),
    )  # fmt: skip
