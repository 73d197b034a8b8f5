"""What does a ray meet first among upright prisms and triangles?

A grid over the plan holds, for each cell, the things whose box touches it. The ray is
followed from cell to cell (Amanatides and Woo 1987) and asks only those; it stops where
the nearest thing met lies before the next cell. The answer is that of asking everything.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from kernels._jit import kernel

__all__ = ["meets_prism", "meets_triangle", "nearest", "plan_grid"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@kernel
def plan_grid(boxes: Floats, west: float, south: float, cell: float, nx: int, ny: int) -> Ints:
    """Return ``start`` (nx * ny + 1,) and the things of each cell after it, in one array.

    Parameters
    ----------
    boxes
        (n, 4) xmin, ymin, xmax, ymax; those with NaN are in no cell.
    west, south, cell, nx, ny
        The grid: its corner, the side of a cell in metres, cells east and north.
    """
    start = np.zeros(nx * ny + 1, dtype=np.int64)
    for once in range(2):
        if once == 1:
            for i in range(nx * ny):
                start[i + 1] += start[i]
            out = np.empty(nx * ny + 1 + start[nx * ny], dtype=np.int64)
            out[: nx * ny + 1] = start
        for t in range(len(boxes)):
            b = boxes[t]
            if not (b[0] <= b[2] and b[1] <= b[3]):
                continue
            i0 = min(max(int((b[0] - west) / cell), 0), nx - 1)
            i1 = min(max(int((b[2] - west) / cell), 0), nx - 1)
            j0 = min(max(int((b[1] - south) / cell), 0), ny - 1)
            j1 = min(max(int((b[3] - south) / cell), 0), ny - 1)
            for j in range(j0, j1 + 1):
                for i in range(i0, i1 + 1):
                    k = j * nx + i
                    if once == 0:
                        start[k + 1] += 1
                    else:
                        out[nx * ny + 1 + start[k]] = t
                        start[k] += 1
    return out


@kernel
def meets_prism(
    o: Floats, d: Floats, xy: Floats, ring_start: Ints, first: int, last: int,
    low: float, high: float,
) -> float:  # fmt: skip
    """Return how far along o + t d, t >= 0, the ray enters a prism; inf where it does not.

    The part of the ray between `low` and `high` is inside the plan where an odd number of
    its sides has been crossed; from within, the answer is 0.
    """
    t0, t1 = 0.0, np.inf
    if d[2] == 0.0:
        if o[2] < low or o[2] > high:
            return np.inf
    else:
        a, b = (low - o[2]) / d[2], (high - o[2]) / d[2]
        t0, t1 = max(t0, min(a, b)), min(t1, max(a, b))
        if t0 > t1:
            return np.inf
    px, py = o[0] + t0 * d[0], o[1] + t0 * d[1]
    inside = False
    best = np.inf
    for ring in range(first, last):
        a, b = ring_start[ring], ring_start[ring + 1]
        j = b - 1
        for i in range(a, b):
            ax, ay, bx, by = xy[j, 0], xy[j, 1], xy[i, 0], xy[i, 1]
            if (ay > py) != (by > py) and px < ax + (py - ay) * (bx - ax) / (by - ay):
                inside = not inside
            ex, ey = bx - ax, by - ay
            across = d[0] * ey - d[1] * ex
            if across != 0.0:
                wx, wy = ax - o[0], ay - o[1]
                t = (wx * ey - wy * ex) / across
                s = (wx * d[1] - wy * d[0]) / across
                if t0 <= t <= t1 and 0.0 <= s <= 1.0 and t < best:
                    best = t
            j = i
    return t0 if inside else best


@kernel
def meets_triangle(o: Floats, d: Floats, a: Floats, b: Floats, c: Floats) -> float:
    """Return how far along o + t d, t >= 0, the ray meets a triangle, from either side.

    Moeller and Trumbore, Fast, minimum storage ray/triangle intersection, 1997.
    """
    ux, uy, uz = b[0] - a[0], b[1] - a[1], b[2] - a[2]
    vx, vy, vz = c[0] - a[0], c[1] - a[1], c[2] - a[2]
    px, py, pz = d[1] * vz - d[2] * vy, d[2] * vx - d[0] * vz, d[0] * vy - d[1] * vx
    det = ux * px + uy * py + uz * pz
    if det == 0.0 or not math.isfinite(det):
        return np.inf
    sx, sy, sz = o[0] - a[0], o[1] - a[1], o[2] - a[2]
    u = (sx * px + sy * py + sz * pz) / det
    if u < 0.0 or u > 1.0:
        return np.inf
    qx, qy, qz = sy * uz - sz * uy, sz * ux - sx * uz, sx * uy - sy * ux
    v = (d[0] * qx + d[1] * qy + d[2] * qz) / det
    t = (vx * qx + vy * qy + vz * qz) / det
    if v < 0.0 or u + v > 1.0 or t < 0.0:
        return np.inf
    return float(t)


@kernel
def _meets(
    thing: int, o: Floats, d: Floats, xy: Floats, ring_start: Ints, polygon_start: Ints,
    low: Floats, high: Floats, corners: Floats, prisms: int,
) -> float:  # fmt: skip
    """Return how far the ray goes to a thing: a prism, or after all of those a triangle."""
    if thing < prisms:
        return meets_prism(o, d, xy, ring_start, polygon_start[thing], polygon_start[thing + 1],
                           low[thing], high[thing])  # fmt: skip
    face = corners[thing - prisms]
    return meets_triangle(o, d, face[0], face[1], face[2])


@kernel
def nearest(
    o: Floats, d: Floats, cells: Ints, west: float, south: float, cell: float, nx: int, ny: int,
    xy: Floats, ring_start: Ints, polygon_start: Ints, low: Floats, high: Floats, corners: Floats,
) -> tuple[int, float]:  # fmt: skip
    """Return the nearest thing a ray meets and how far it is, (-1, inf) where none.

    Of things equally far, the first.

    Parameters
    ----------
    o, d
        (3,) where the ray begins, and its direction.
    cells, west, south, cell, nx, ny
        Of `plan_grid`; with no cells (nx = 0) every thing is asked.
    xy, ring_start, polygon_start, low, high
        Prisms, as in `kernels.spatial.blocks`.
    corners
        (m, 3, 3) triangles, numbered after the prisms.
    """
    prisms = len(polygon_start) - 1
    best, found = np.inf, -1
    if nx == 0:
        for thing in range(prisms + len(corners)):
            t = _meets(thing, o, d, xy, ring_start, polygon_start, low, high, corners, prisms)
            if t < best:
                best, found = t, thing
        return found, best
    t0, t1 = 0.0, np.inf  # the part of the ray over the grid
    for axis in range(2):
        a = west if axis == 0 else south
        b = a + cell * (nx if axis == 0 else ny)
        if d[axis] == 0.0:
            if o[axis] < a or o[axis] > b:
                return found, best
        else:
            near, far = (a - o[axis]) / d[axis], (b - o[axis]) / d[axis]
            t0, t1 = max(t0, min(near, far)), min(t1, max(near, far))
    if t0 > t1:
        return found, best
    i = min(max(int((o[0] + t0 * d[0] - west) / cell), 0), nx - 1)
    j = min(max(int((o[1] + t0 * d[1] - south) / cell), 0), ny - 1)
    step_i, step_j = (1 if d[0] > 0 else -1), (1 if d[1] > 0 else -1)
    next_i = (west + (i + (step_i > 0)) * cell - o[0]) / d[0] if d[0] != 0.0 else np.inf
    next_j = (south + (j + (step_j > 0)) * cell - o[1]) / d[1] if d[1] != 0.0 else np.inf
    over_i = cell / abs(d[0]) if d[0] != 0.0 else np.inf
    over_j = cell / abs(d[1]) if d[1] != 0.0 else np.inf
    base = nx * ny + 1
    while 0 <= i < nx and 0 <= j < ny:
        k = j * nx + i
        for at in range(cells[k], cells[k + 1]):
            thing = cells[base + at]
            t = _meets(thing, o, d, xy, ring_start, polygon_start, low, high, corners, prisms)
            if t < best or (t == best and t < np.inf and thing < found):
                best, found = t, thing
        if best < min(next_i, next_j):  # a hair of rounding: equal goes on
            break
        if next_i < next_j:
            i += step_i
            next_i += over_i
        else:
            j += step_j
            next_j += over_j
        if next_i == np.inf and next_j == np.inf:
            break
    return found, best


def warm() -> None:
    """Compile for the types pictures use."""
    boxes = np.array([(0.0, 0.0, 1.0, 1.0)])
    cells = plan_grid(boxes, 0.0, 0.0, 1.0, 1, 1)
    xy = np.array([(0, 0), (1, 0), (1, 1), (0, 1)], dtype=np.float64)
    nearest(np.array([0.5, 0.5, 9.0]), np.array([0.0, 0.0, -1.0]), cells, 0.0, 0.0, 1.0, 1, 1,
            xy, np.array([0, 4]), np.array([0, 1]), np.zeros(1), np.ones(1),
            np.empty((0, 3, 3)))  # fmt: skip
