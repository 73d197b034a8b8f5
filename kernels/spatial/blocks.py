"""What faces do upright prisms have, written straight into the arrays that are drawn?

A block is a footprint pulled up from `low` to `high`: a wall over every side and a flat
roof. Walls have corners of their own, so that each is shaded by its own direction, and
every corner carries a code of its face (`shade_codes`): colour times a small table of
light by code is the whole of painting, and a new sun or new colours move no geometry.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kernels._jit import kernel

__all__ = ["BINS", "CODES", "boxes", "counts", "fill", "fill_boxes", "fill_cards"]
__all__ += ["paint"]

BINS = 120  # directions a wall may face: 3 degrees each
CODES = 2 * BINS + 1  # heads of walls, their feet, roofs

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def counts(ring_start: Ints, polygon_start: Ints, which: Ints) -> Ints:
    """Return (corners, triangles) that `fill` writes for the polygons `which` at most.

    Parameters
    ----------
    ring_start
        (r + 1,) into points, rings without their closing points.
    polygon_start
        (p + 1,) into rings, the first ring of a polygon is its outer one.
    which
        Polygons.
    """
    corners, triangles = 0, 0
    for p in which:
        points = ring_start[polygon_start[p + 1]] - ring_start[polygon_start[p]]
        corners += 5 * points
        triangles += 2 * points
        if polygon_start[p + 1] - polygon_start[p] == 1:
            triangles += max(points - 2, 0)
    return np.array([corners, triangles], dtype=np.int64)


@kernel
def _bin(east: float, north: float) -> int:
    """Return which of `BINS` directions a wall along (east, north) faces, its outside right."""
    turn = math.atan2(-east, north) / (2.0 * math.pi)  # of the normal (north, -east)
    return round((turn + 1.0) * BINS) % BINS


@kernel
def _wall(
    ax: float, ay: float, bx: float, by: float, low: float, high: float, k: int, m: int,
    vertices: npt.NDArray[np.float32], code: npt.NDArray[np.uint8],
    triangles: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Write the four corners and two triangles of the wall from a to b, seen from its right."""
    side = _bin(bx - ax, by - ay)
    for i in range(4):
        right, up = 1 <= i <= 2, i >= 2
        vertices[k + i, 0] = bx if right else ax
        vertices[k + i, 1] = by if right else ay
        vertices[k + i, 2] = high if up else low
        code[k + i] = side if up else BINS + side
    triangles[m, 0], triangles[m, 1], triangles[m, 2] = k, k + 1, k + 2
    triangles[m + 1, 0], triangles[m + 1, 1], triangles[m + 1, 2] = k, k + 2, k + 3


@kernel
def fill(
    xy: Floats, ring_start: Ints, polygon_start: Ints, low: Floats, high: Floats, which: Ints,
    vertices: npt.NDArray[np.float32], code: npt.NDArray[np.uint8],
    corner_of: npt.NDArray[np.int32], triangles: npt.NDArray[np.int32],
    triangle_of: npt.NDArray[np.int32],
) -> int:  # fmt: skip
    """Write walls of all rings and roofs of polygons without holes; return how many triangles.

    Parameters
    ----------
    xy
        (v, 2) points, metres; outer rings counter-clockwise, holes clockwise.
    ring_start, polygon_start, which
        As for `counts`.
    low, high
        (p,) metres.
    vertices, code, corner_of
        (corners, 3), (corners,), (corners,): places, face codes, polygons. Corners of the
        roof are the last ones of a polygon, as `roof` counts on.
    triangles, triangle_of
        (triangles, 3), (triangles,): corners counter-clockwise from outside, polygons.
    """
    k, m = 0, 0
    for p in which:
        first, last = polygon_start[p], polygon_start[p + 1]
        start, k0, m0 = ring_start[first], k, m
        for ring in range(first, last):
            a, b = ring_start[ring], ring_start[ring + 1]
            for i in range(a, b):
                j = i + 1 if i + 1 < b else a
                _wall(xy[i, 0], xy[i, 1], xy[j, 0], xy[j, 1], low[p], high[p], k, m,
                      vertices, code, triangles)  # fmt: skip
                k += 4
                m += 2
        roof = k
        for i in range(start, ring_start[last]):
            vertices[k, 0], vertices[k, 1], vertices[k, 2] = xy[i, 0], xy[i, 1], high[p]
            code[k] = 2 * BINS
            k += 1
        if last - first == 1:
            m += ears(xy, start, ring_start[last], roof, triangles, m)
        for i in range(k0, k):
            corner_of[i] = p
        for i in range(m0, m):
            triangle_of[i] = p
    return m


@kernel
def ears(
    xy: Floats, start: int, end: int, base: int, triangles: npt.NDArray[np.int32], at: int
) -> int:
    """Cut a simple counter-clockwise ring into triangles by its ears; return how many.

    The two-ears theorem (Meisters 1975): every simple polygon has a corner whose triangle
    holds no other corner. Straight and folded corners are dropped without a triangle.
    """
    n = end - start
    left = np.empty(n, dtype=np.int64)
    for i in range(n):
        left[i] = i
    made, i, waited = 0, 0, 0
    while n >= 3:
        i %= n
        a, b, c = left[i - 1 if i else n - 1], left[i], left[i + 1 if i + 1 < n else 0]
        ax, ay = xy[start + a, 0], xy[start + a, 1]
        bx, by = xy[start + b, 0] - ax, xy[start + b, 1] - ay
        cx, cy = xy[start + c, 0] - ax, xy[start + c, 1] - ay
        area = bx * cy - by * cx
        ear = area > 0.0
        if ear and n > 3:
            for other in range(n):
                d = left[other]
                if d in (a, b, c):
                    continue
                px, py = xy[start + d, 0] - ax, xy[start + d, 1] - ay
                if (px == 0.0 and py == 0.0) or (px == bx and py == by) or (px == cx and py == cy):
                    continue
                u, v = px * cy - py * cx, bx * py - by * px
                if u >= 0.0 and v >= 0.0 and u + v <= area:
                    ear = False
                    break
        if ear:
            triangles[at + made, 0], triangles[at + made, 1] = base + a, base + b
            triangles[at + made, 2] = base + c
            made += 1
        if ear or area == 0.0 or waited > 2 * n:  # the last: a ring that crosses itself
            for k in range(i, n - 1):
                left[k] = left[k + 1]
            n -= 1
            waited = 0
            i += n - 1  # back to the corner before
        else:
            i += 1
            waited += 1
    return made


@kernel
def boxes(xy: Floats, ring_start: Ints, polygon_start: Ints) -> Floats:
    """Return (p, 4, 2): the smallest box along one of its sides around each outer ring.

    Counter-clockwise. The smallest box around a shape has a side along an edge of its hull
    (Freeman and Shapira 1975); for houses that edge is almost always a wall.
    """
    n = len(polygon_start) - 1
    out = np.zeros((n, 4, 2))
    for p in range(n):
        if polygon_start[p + 1] == polygon_start[p]:
            continue
        a, b = ring_start[polygon_start[p]], ring_start[polygon_start[p] + 1]
        best = np.inf
        step = max((b - a) // 24, 1)  # a round tower needs no more tries
        for i in range(a, b, step):
            j = i + 1 if i + 1 < b else a
            east, north = xy[j, 0] - xy[i, 0], xy[j, 1] - xy[i, 1]
            long = math.sqrt(east * east + north * north)
            if long == 0.0:
                continue
            east, north = east / long, north / long
            s0, s1, t0, t1 = 0.0, 0.0, 0.0, 0.0
            for k in range(a, b):
                dx, dy = xy[k, 0] - xy[i, 0], xy[k, 1] - xy[i, 1]
                s, t = dx * east + dy * north, dy * east - dx * north
                s0, s1, t0, t1 = min(s0, s), max(s1, s), min(t0, t), max(t1, t)
            if (s1 - s0) * (t1 - t0) < best:
                best = (s1 - s0) * (t1 - t0)
                for corner in range(4):
                    s = s1 if 1 <= corner <= 2 else s0
                    t = t1 if corner >= 2 else t0
                    out[p, corner, 0] = xy[i, 0] + s * east - t * north
                    out[p, corner, 1] = xy[i, 1] + s * north + t * east
    return out


@kernel
def fill_boxes(
    box: Floats, low: Floats, high: Floats, which: Ints,
    vertices: npt.NDArray[np.float32], code: npt.NDArray[np.uint8],
    corner_of: npt.NDArray[np.int32], triangles: npt.NDArray[np.int32],
    triangle_of: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Write each polygon as its box: 20 corners and 10 triangles.

    Parameters
    ----------
    box
        (p, 4, 2) of `boxes`.
    low, high, which, vertices, code, corner_of, triangles, triangle_of
        As for `fill`.
    """
    k, m = 0, 0
    for p in which:
        k0, m0 = k, m
        for i in range(4):
            vertices[k + i, 0], vertices[k + i, 1] = box[p, i, 0], box[p, i, 1]
            vertices[k + i, 2] = high[p]
            code[k + i] = 2 * BINS
        triangles[m, 0], triangles[m, 1], triangles[m, 2] = k, k + 1, k + 2
        triangles[m + 1, 0], triangles[m + 1, 1], triangles[m + 1, 2] = k, k + 2, k + 3
        k += 4
        m += 2
        for i in range(4):
            j = (i + 1) % 4
            _wall(box[p, i, 0], box[p, i, 1], box[p, j, 0], box[p, j, 1], low[p], high[p],
                  k, m, vertices, code, triangles)  # fmt: skip
            k += 4
            m += 2
        for i in range(k0, k):
            corner_of[i] = p
        for i in range(m0, m):
            triangle_of[i] = p


@kernel
def fill_cards(
    box: Floats, low: Floats, high: Floats, which: Ints,
    vertices: npt.NDArray[np.float32], reach: npt.NDArray[np.float32],
    corner_of: npt.NDArray[np.int32], triangles: npt.NDArray[np.int32],
) -> None:  # fmt: skip
    """Write each polygon as the roof of its box, 4 corners and 2 triangles, for bodies far away.

    Whoever draws them lets the corners nearest to the eye down to the ground.

    Parameters
    ----------
    box
        (p, 4, 2) of `boxes`.
    low, high, which, vertices, corner_of, triangles
        As for `fill`.
    reach
        (corners, at least 3): from the middle of the box to the corner east and north, and the
        height of the body, metres.
    """
    for n in range(len(which)):
        p, k, m = which[n], 4 * n, 2 * n
        east = (box[p, 0, 0] + box[p, 2, 0]) / 2.0
        north = (box[p, 0, 1] + box[p, 2, 1]) / 2.0
        for i in range(4):
            vertices[k + i, 0], vertices[k + i, 1] = box[p, i, 0], box[p, i, 1]
            vertices[k + i, 2] = high[p]
            reach[k + i, 0], reach[k + i, 1] = box[p, i, 0] - east, box[p, i, 1] - north
            reach[k + i, 2] = high[p] - low[p]
            corner_of[k + i] = p
        triangles[m, 0], triangles[m, 1], triangles[m, 2] = k, k + 1, k + 2
        triangles[m + 1, 0], triangles[m + 1, 1], triangles[m + 1, 2] = k, k + 2, k + 3


@kernel
def paint(
    wall: npt.NDArray[np.uint8], roof: npt.NDArray[np.uint8], owner: npt.NDArray[np.int64],
    light: npt.NDArray[np.float32], code: npt.NDArray[np.uint8], corner_of: npt.NDArray[np.int32],
    rgba: npt.NDArray[np.uint8],
) -> None:  # fmt: skip
    """Write the colour of every corner: that of its object times the light on its face.

    Parameters
    ----------
    wall, roof
        (objects, 3) colours.
    owner
        (p,) object of each polygon.
    light
        (CODES, 3) share of its colour that a face of each code shows.
    code, corner_of
        (n,) of `fill`.
    rgba
        (n, 4), written.
    """
    for v in range(len(code)):
        who = owner[corner_of[v]]
        face = code[v]
        for c in range(3):
            plain = roof[who, c] if face == 2 * BINS else wall[who, c]
            rgba[v, c] = np.uint8(min(plain * light[face, c] + np.float32(0.5), np.float32(255.0)))
        rgba[v, 3] = 255


def warm() -> None:
    """Compile for the types pictures use."""
    xy = np.array([(0, 0), (2, 0), (2, 1), (0, 1)], dtype=np.float64)
    rings, polygons = np.array([0, 4]), np.array([0, 1])
    which, heights = np.array([0]), np.ones(1)
    corners, faces = counts(rings, polygons, which)
    vertices, code = np.empty((corners, 3), np.float32), np.empty(corners, np.uint8)
    corner_of = np.empty(corners, np.int32)
    triangles, triangle_of = np.empty((faces, 3), np.int32), np.empty(faces, np.int32)
    fill(xy, rings, polygons, heights * 0, heights, which,
         vertices, code, corner_of, triangles, triangle_of)  # fmt: skip
    box = boxes(xy, rings, polygons)
    fill_boxes(box, heights * 0, heights, which,
               vertices, code, corner_of, triangles, triangle_of)  # fmt: skip
    fill_cards(box, heights * 0, heights, which,
               vertices, np.empty((4, 4), np.float32), corner_of, triangles)  # fmt: skip
    plain = np.zeros((1, 3), np.uint8)
    light = np.ones((CODES, 3), np.float32)
    paint(plain, plain, which, light, code, corner_of, np.empty((corners, 4), np.uint8))
