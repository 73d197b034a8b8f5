"""Faces in space to triangles: each in its own plane, holes bridged, ears clipped.

A face is an outer ring and holes. Its plane is that of Newell's normal (Sutherland, Sproull
and Schumacker 1974), which is exact for plane faces and fair to bent ones. Holes are joined
to the outer ring along a line that crosses nothing; then corners that contain no other
corner are cut off one by one (Meisters 1975). The triangles must come to the area of the
face; where they do not, the face is left out and its status says so. Quadratic in the
corners of a face: most of a city's have four.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["DEGENERATE", "FAILED", "GOOD", "TOO_FEW", "TOO_LARGE", "triangulate"]

GOOD, TOO_FEW, DEGENERATE, FAILED, TOO_LARGE = 0, 1, 2, 3, 4
"""Status of a face: triangles made; fewer than 3 different corners; no area; rings that cross
or cannot be joined; more corners than `LARGEST`."""

LARGEST = 3000
_AREA = 1e-9  # of the triangles against the face, relative to its extent squared

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]


@kernel(inline=True)
def _turn(xy: Floats, a: int, b: int, c: int) -> float:
    """Return twice the signed area of the triangle a, b, c."""
    twice: float = (xy[b, 0] - xy[a, 0]) * (xy[c, 1] - xy[a, 1]) - (xy[b, 1] - xy[a, 1]) * (
        xy[c, 0] - xy[a, 0]
    )
    return twice


@kernel(inline=True)
def _same(xy: Floats, a: int, b: int) -> bool:
    same: bool = xy[a, 0] == xy[b, 0] and xy[a, 1] == xy[b, 1]
    return same


@kernel
def _between(xy: Floats, a: int, b: int, c: int) -> bool:
    """Tell whether c, on the line a b, lies within the segment."""
    k = 0 if abs(xy[a, 0] - xy[b, 0]) >= abs(xy[a, 1] - xy[b, 1]) else 1
    inside: bool = min(xy[a, k], xy[b, k]) <= xy[c, k] <= max(xy[a, k], xy[b, k])
    return inside


@kernel
def _touch(xy: Floats, a: int, b: int, c: int, d: int) -> bool:
    """Tell whether segments a b and c d share a point."""
    p, q = _turn(xy, a, b, c), _turn(xy, a, b, d)
    r, s = _turn(xy, c, d, a), _turn(xy, c, d, b)
    if ((p > 0) != (q > 0)) and ((r > 0) != (s > 0)) and p != 0 and q != 0 and r != 0 and s != 0:
        return True
    return (
        (p == 0 and _between(xy, a, b, c))
        or (q == 0 and _between(xy, a, b, d))
        or (r == 0 and _between(xy, c, d, a))
        or (s == 0 and _between(xy, c, d, b))
    )


@kernel
def _in_cone(xy: Floats, before: int, at: int, after: int, b: int) -> bool:
    """Tell whether the way from corner `at` to b begins inside (O'Rourke 1998, 1.6.2)."""
    if _turn(xy, at, after, before) >= 0:
        return _turn(xy, at, b, before) > 0 and _turn(xy, b, at, after) > 0
    return not (_turn(xy, at, b, after) >= 0 and _turn(xy, b, at, before) >= 0)


@kernel
def _blocked(xy: Floats, follow: Ints, start: int, h: int, v: int) -> bool:
    """Tell whether the way h v meets an edge of the loop at `start` but at its own ends."""
    i = start
    while True:
        j = follow[i]
        own = _same(xy, i, h) or _same(xy, j, h) or _same(xy, i, v) or _same(xy, j, v)
        if own:
            # an edge that begins where the way ends may still lie along it
            for turn in range(2):
                end = i if turn == 0 else j
                if (
                    not _same(xy, end, h)
                    and not _same(xy, end, v)
                    and _turn(xy, h, v, end) == 0
                    and _between(xy, h, v, end)
                ):
                    return True
        elif _touch(xy, h, v, i, j):
            return True
        i = j
        if i == start:
            return False


@kernel
def _join(
    xy: Floats, follow: Ints, back: Ints, source: Ints, outer: int, heads: Ints, count: int, n: int
) -> int:
    """Join the holes to the outer loop; return the number of nodes, -1 where it cannot be."""
    for _ in range(count):
        # the hole that reaches furthest west comes next
        best = -1
        for k in range(count):
            if heads[k] >= 0 and (best < 0 or xy[heads[k], 0] < xy[heads[best], 0]):
                best = k
        h = heads[best]
        heads[best] = -1
        limit = -1.0
        found = -1
        for _try in range(n + 2):  # nearest corner first, until one is seen
            near = np.inf
            at = -1
            v = outer
            while True:
                d = (xy[v, 0] - xy[h, 0]) ** 2 + (xy[v, 1] - xy[h, 1]) ** 2
                if limit < d < near:
                    near, at = d, v
                v = follow[v]
                if v == outer:
                    break
            if at < 0:
                break
            v = outer
            while True:  # all nodes at that distance: a joined corner stands there twice
                d = (xy[v, 0] - xy[h, 0]) ** 2 + (xy[v, 1] - xy[h, 1]) ** 2
                if (
                    d == near
                    and _in_cone(xy, back[v], v, follow[v], h)
                    and _in_cone(xy, back[h], h, follow[h], v)
                    and not _blocked(xy, follow, outer, h, v)
                    and not _blocked(xy, follow, h, h, v)
                ):
                    clear = True
                    for k in range(count):
                        if heads[k] >= 0 and _blocked(xy, follow, heads[k], h, v):
                            clear = False
                            break
                    if clear:
                        found = v
                        break
                v = follow[v]
                if v == outer:
                    break
            if found >= 0:
                break
            limit = near
        if found < 0:
            return -1
        v = found
        v2, h2 = n, n + 1
        n += 2
        xy[v2, 0], xy[v2, 1] = xy[v, 0], xy[v, 1]
        xy[h2, 0], xy[h2, 1] = xy[h, 0], xy[h, 1]
        source[v2], source[h2] = source[v], source[h]
        after, before = follow[v], back[h]
        follow[v], back[h] = h, v
        follow[before], back[h2] = h2, before
        follow[h2], back[v2] = v2, h2
        follow[v2], back[after] = after, v2
    return n


@kernel
def _is_ear(xy: Floats, follow: Ints, a: int, b: int, c: int) -> bool:
    """Tell whether no corner of the loop lies in the triangle a, b, c."""
    x0 = min(xy[a, 0], xy[b, 0], xy[c, 0])
    x1 = max(xy[a, 0], xy[b, 0], xy[c, 0])
    y0 = min(xy[a, 1], xy[b, 1], xy[c, 1])
    y1 = max(xy[a, 1], xy[b, 1], xy[c, 1])
    p = follow[c]
    while p != a:
        near = x0 <= xy[p, 0] <= x1 and y0 <= xy[p, 1] <= y1
        if near and not (_same(xy, p, a) or _same(xy, p, b) or _same(xy, p, c)):
            inside = _turn(xy, a, b, p) >= 0 and _turn(xy, b, c, p) >= 0 and _turn(xy, c, a, p) >= 0
            if inside:
                return False
        p = follow[p]
    return True


@kernel
def _clip(
    xy: Floats,
    follow: Ints,
    back: Ints,
    source: Ints,
    start: int,
    left: int,
    flat: float,
    out: Ints,
    at: int,
) -> tuple[int, float, int]:
    """Cut ears off a loop of `left` nodes; return the end of what was written, twice its area."""
    area = 0.0
    b, stuck = start, 0
    while left > 2 and stuck <= left:
        a, c = back[b], follow[b]
        turn = _turn(xy, a, b, c)
        straight = abs(turn) <= flat
        if straight or (turn > 0 and _is_ear(xy, follow, a, b, c)):
            if not straight:
                out[at, 0], out[at, 1], out[at, 2] = source[a], source[b], source[c]
                area += turn
                at += 1
            follow[a], back[c] = c, a
            left -= 1
            stuck = 0
            b = follow[c] if not straight else a  # every other corner: rounder triangles
        else:
            stuck += 1
            b = c
    return at, area, left


@kernel
def _plane(
    points: Floats, first: int, last: int
) -> tuple[float, float, float, float, float, float, float]:
    """Return Newell's normal of a ring, its length (twice the area), and the ring's middle."""
    nx = ny = nz = mx = my = mz = 0.0
    ox, oy, oz = points[first, 0], points[first, 1], points[first, 2]
    for i in range(first, last):
        j = i + 1 if i + 1 < last else first
        ax, ay, az = points[i, 0] - ox, points[i, 1] - oy, points[i, 2] - oz
        bx, by, bz = points[j, 0] - ox, points[j, 1] - oy, points[j, 2] - oz
        nx += (ay - by) * (az + bz)
        ny += (az - bz) * (ax + bx)
        nz += (ax - bx) * (ay + by)
        mx += ax
        my += ay
        mz += az
    count = last - first
    size = np.sqrt(nx * nx + ny * ny + nz * nz)
    return nx, ny, nz, size, ox + mx / count, oy + my / count, oz + mz / count


@kernel
def triangulate(
    points: Floats,
    rings: Ints,
    faces: Ints,
    triangles: Ints,
    owner: Ints,
    status: NDArray[np.uint8],
    off_plane_m: Floats,
    flat_xy: Floats,
) -> int:
    """Cut faces into triangles and lay them flat.

    Parameters
    ----------
    points
        (k, 3) float64 metres, the corners of all rings one after another.
    rings
        (r + 1,) int32 starts of rings in `points`; a ring does not repeat its first corner.
    faces
        (f + 1,) int32 starts of faces in `rings`; the first ring of each is the outer one.
    triangles, owner
        (k + 2 r, 3) and (k + 2 r,) int32, written: rows of `points`, counter-clockwise about
        the face's normal, and the face.
    status
        (f,) uint8, written: `GOOD` or why not.
    off_plane_m
        (f,) float64, written: the largest distance of a corner from the face's plane.
    flat_xy
        (k, 2) float64, written: the corners in the plane of their face, metres.

    Returns
    -------
    int
        How many triangles were written.
    """
    at = 0
    for f in range(len(faces) - 1):
        r0, r1 = faces[f], faces[f + 1]
        off_plane_m[f] = 0.0
        first, end = rings[r0], rings[r1]
        n_all = end - first
        if r1 <= r0 or rings[r0 + 1] - first < 3:
            status[f] = TOO_FEW
            flat_xy[first:end] = 0.0
            continue
        nx, ny, nz, size, mx, my, mz = _plane(points, first, rings[r0 + 1])
        reach = 0.0
        for i in range(first, end):
            for k in range(3):
                reach = max(reach, abs(points[i, k] - points[first, k]))
        if not size > 1e-12 * reach * reach or not size > 0.0:
            status[f] = DEGENERATE
            flat_xy[first:end] = 0.0
            continue
        nx, ny, nz = nx / size, ny / size, nz / size
        # two axes of the plane; u lies level where it can, so walls stand upright
        if abs(nz) < 0.9:
            s = np.sqrt(nx * nx + ny * ny)
            ux, uy, uz = -ny / s, nx / s, 0.0
        else:
            s = np.sqrt(nx * nx + nz * nz)
            ux, uy, uz = nz / s, 0.0, -nx / s
        vx, vy, vz = ny * uz - nz * uy, nz * ux - nx * uz, nx * uy - ny * ux
        off = 0.0
        for i in range(first, end):
            dx, dy, dz = points[i, 0] - mx, points[i, 1] - my, points[i, 2] - mz
            flat_xy[i, 0] = ux * dx + uy * dy + uz * dz
            flat_xy[i, 1] = vx * dx + vy * dy + vz * dz
            off = max(off, abs(nx * dx + ny * dy + nz * dz))
        off_plane_m[f] = off
        if n_all > LARGEST:
            status[f] = TOO_LARGE
            continue
        if r1 - r0 == 1 and n_all <= 4:
            made = _small(flat_xy, first, n_all, triangles, at, 1e-9 * size)
            if made > 0:
                for k in range(made):
                    owner[at + k] = f
                at += made
                status[f] = GOOD
                continue
        made = _general(flat_xy, rings, r0, r1, triangles, at)
        if made > 0:
            for k in range(made):
                owner[at + k] = f
            at += made
            status[f] = GOOD
        else:
            status[f] = FAILED
    return at


@kernel
def _small(xy: Floats, first: int, n: int, triangles: Ints, at: int, flat: float) -> int:
    """Write a triangle or a quadrilateral; 0 where neither diagonal splits it in two."""
    a, b, c = first, first + 1, first + 2
    if n == 3:
        triangles[at, 0], triangles[at, 1], triangles[at, 2] = a, b, c
        return 1
    d = first + 3
    ac = min(_turn(xy, a, b, c), _turn(xy, a, c, d))
    bd = min(_turn(xy, a, b, d), _turn(xy, b, c, d))
    if max(ac, bd) <= flat:
        return 0
    if ac >= bd:
        triangles[at, 0], triangles[at, 1], triangles[at, 2] = a, b, c
        triangles[at + 1, 0], triangles[at + 1, 1], triangles[at + 1, 2] = a, c, d
    else:
        triangles[at, 0], triangles[at, 1], triangles[at, 2] = a, b, d
        triangles[at + 1, 0], triangles[at + 1, 1], triangles[at + 1, 2] = b, c, d
    return 2


@kernel
def _general(flat_xy: Floats, rings: Ints, r0: int, r1: int, triangles: Ints, at: int) -> int:
    """Write the triangles of a face with holes or many corners; 0 where it cannot be."""
    first, end = rings[r0], rings[r1]
    holes = r1 - r0 - 1
    room = end - first + 2 * holes
    xy = np.empty((room, 2))
    source = np.empty(room, dtype=np.int32)
    follow = np.empty(room, dtype=np.int32)
    back = np.empty(room, dtype=np.int32)
    heads = np.full(max(holes, 1), -1, dtype=np.int32)
    n, wanted, extent = 0, 0.0, 0.0
    for r in range(r0, r1):
        twice = 0.0
        for i in range(rings[r], rings[r + 1]):
            j = i + 1 if i + 1 < rings[r + 1] else rings[r]
            twice += flat_xy[i, 0] * flat_xy[j, 1] - flat_xy[j, 0] * flat_xy[i, 1]
            extent = max(extent, abs(flat_xy[i, 0]), abs(flat_xy[i, 1]))
        forward = (twice > 0) == (r == r0)
        wanted += abs(twice) if r == r0 else -abs(twice)
        start = n
        for step in range(rings[r + 1] - rings[r]):
            i = rings[r] + step if forward else rings[r + 1] - 1 - step
            if n > start and flat_xy[i, 0] == xy[n - 1, 0] and flat_xy[i, 1] == xy[n - 1, 1]:
                continue  # a corner given twice
            xy[n, 0], xy[n, 1] = flat_xy[i, 0], flat_xy[i, 1]
            source[n] = i
            n += 1
        if n - start > 1 and xy[n - 1, 0] == xy[start, 0] and xy[n - 1, 1] == xy[start, 1]:
            n -= 1
        if n - start < 3:
            return 0
        for i in range(start, n):
            follow[i] = i + 1 if i + 1 < n else start
            back[i] = i - 1 if i > start else n - 1
        if r > r0:
            head = start
            for i in range(start, n):
                if xy[i, 0] < xy[head, 0] or (xy[i, 0] == xy[head, 0] and xy[i, 1] < xy[head, 1]):
                    head = i
            heads[r - r0 - 1] = head
    if wanted <= 0.0:
        return 0
    if holes:
        n = _join(xy, follow, back, source, 0, heads, holes, n)
        if n < 0:
            return 0
    flat = 1e-12 * extent * extent
    stop, area, left = _clip(xy, follow, back, source, 0, n, flat, triangles, at)
    if left > 2 or abs(area - wanted) > _AREA * max(extent * extent, wanted):
        return 0
    return stop - at
