"""What do triangles enclose? Cells that no way from outside reaches.

Every cell that a triangle touches is marked; water is let in from the edge of the grid and
stops at marked cells; what stays dry is enclosed, walls included. The triangles need not be
closed, sorted or turned the same way: only the gaps between them must be narrower than a
cell, or than twice `close` cells.

A cell counts as touched where the closed box and the closed triangle share a point: the
separating axes of a box are tested as a plane and three projections (Schwarz and Seidel,
2010, Fast parallel surface and solid voxelization on GPUs). A body therefore comes out
larger by half a cell on every side, on average.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels._jit import kernel

__all__ = [
    "FREE", "OUTSIDE", "TOUCHED", "column_runs", "enclose", "exposure", "grown", "top_faces",
]  # fmt: skip

FREE, TOUCHED, OUTSIDE = 0, 1, 2

Cells = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]
Shares = npt.NDArray[np.float32]


def enclose(triangles: Floats, *, shape: tuple[int, int, int], close: int = 0) -> Cells:
    """Return which cells triangles touch and which the outside reaches.

    Parameters
    ----------
    triangles
        (m, 3, 3) float64 corners in cells: cell (i, j, k) is the box from i, j, k to
        i + 1, j + 1, k + 1. All within ``close + 1`` cells of the grid's edge.
    shape
        Cells along x, y, z.
    close
        Gaps up to twice this many cells wide count as closed.

    Returns
    -------
    array
        `shape`, uint8: ``TOUCHED``, ``OUTSIDE``, or ``FREE`` for the enclosed rest.

    Examples
    --------
    >>> corner = np.array([[1.5, 1.5, 1.5], [3.5, 1.5, 1.5], [1.5, 3.5, 1.5], [1.5, 1.5, 3.5]])
    >>> solid = corner[np.array([[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3]])]
    >>> int((enclose(solid, shape=(5, 5, 5)) != OUTSIDE).sum())
    17
    """
    cells = np.zeros(shape, np.uint8)
    _touch(np.ascontiguousarray(triangles, np.float64), cells)
    if close == 0:
        _drown(cells)
        return cells
    walls = grown(cells == TOUCHED, close).view(np.uint8).copy()
    _drown(walls)
    wet = grown(walls == OUTSIDE, close)
    cells[wet & (cells == FREE)] = OUTSIDE
    return cells


def column_runs(cells: Cells, *, least: int, bridge: int) -> tuple[Ints, Ints, Ints]:
    """Return the longest run of cells not outside in every column.

    Parameters
    ----------
    cells
        (nx, ny, nz) uint8, from `enclose`.
    least
        Shorter runs (eaves, canopies, railings) do not count.
    bridge
        Gaps of up to this many cells within a run are bridged.

    Returns
    -------
    tuple of array
        First cell, one past the last, and one past the highest enclosed but untouched cell,
        (nx, ny) int32; -1 where the column has none.
    """
    low = np.full(cells.shape[:2], -1, np.int32)
    high = np.full(cells.shape[:2], -1, np.int32)
    free = np.full(cells.shape[:2], -1, np.int32)
    _runs(cells, least, bridge, low, high, free)
    return low, high, free


def top_faces(triangles: Floats, *, ceiling: Floats) -> tuple[Floats, Ints]:
    """Return the highest triangle over the middle of every column, not above a ceiling.

    Parameters
    ----------
    triangles
        (m, 3, 3) float64 corners; x and y in cells, z in any unit.
    ceiling
        (nx, ny) float64 in the unit of z; NaN where nothing is asked.

    Returns
    -------
    tuple of array
        z of the hit, (nx, ny) float64, NaN without one; and its triangle, int32, -1 without.
    """
    top = np.full(ceiling.shape, np.nan)
    face = np.full(ceiling.shape, -1, np.int32)
    _tops(np.ascontiguousarray(triangles, np.float64), ceiling, top, face)
    return top, face


def grown(mask: npt.NDArray[np.bool_], cells: int) -> npt.NDArray[np.bool_]:
    """Return a mask (nx, ny, nz) grown by a box of `cells` to every side."""
    out = mask.copy()
    for axis in range(3):
        view = np.moveaxis(out, axis, 2)
        for i in range(view.shape[0]):
            _widened(view[i], cells)
    return out


def exposure(triangles: Floats, cells: Cells, *, thin: int = 6) -> tuple[Shares, Shares]:
    """Return how much of each triangle looks outside, and how much of that is a thin plate.

    Points on a triangle look along its normal n past the cells that its own plane can
    touch: |nx| + |ny| + |nz| cells (a cell is touched within half of that of its middle,
    and holds the point within the other half). Of a triangle that looks into touched
    cells alone, as a sill beside its wall does, those beside the outside count.

    Parameters
    ----------
    triangles
        (m, 3, 3) float64 corners in cells, counter-clockwise from outside.
    cells
        (nx, ny, nz) uint8 from `enclose`.
    thin
        A plate is thin where the outside is met again within so many cells behind it.

    Returns
    -------
    tuple of array
        Shares of the area, (m,) float32: looking outside; and looking outside with the
        outside behind as well.
    """
    outer = np.zeros(len(triangles), np.float32)
    plate = np.zeros(len(triangles), np.float32)
    _look(np.ascontiguousarray(triangles, np.float64), cells, thin, outer, plate)
    return outer, plate


@kernel(inline=True)
def _beside(cells: Cells, p: int, q: int, r: int) -> bool:
    """Whether a cell within the grid has the outside beside it."""
    return bool(
        cells[p - 1, q, r] == 2
        or cells[p + 1, q, r] == 2
        or cells[p, q - 1, r] == 2
        or cells[p, q + 1, r] == 2
        or cells[p, q, r - 1] == 2
        or cells[p, q, r + 1] == 2
    )


@kernel
def _look(triangles: Floats, cells: Cells, thin: int, outer: Shares, plate: Shares) -> None:
    nx, ny, nz = cells.shape
    for t in range(triangles.shape[0]):
        ax, ay, az = triangles[t, 0]
        ux, uy, uz = triangles[t, 1, 0] - ax, triangles[t, 1, 1] - ay, triangles[t, 1, 2] - az
        vx, vy, vz = triangles[t, 2, 0] - ax, triangles[t, 2, 1] - ay, triangles[t, 2, 2] - az
        mx, my, mz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        size = np.sqrt(mx * mx + my * my + mz * mz)
        if size <= 0.0:
            continue
        mx, my, mz = mx / size, my / size, mz / size
        far = abs(mx) + abs(my) + abs(mz) + 1e-6
        side = max(ux * ux + uy * uy + uz * uz, vx * vx + vy * vy + vz * vz)
        n = min(24, max(1, int(np.sqrt(side) / 2.0)))
        seen, wet, both, near, dry = 0, 0, 0, 0, 0
        for i in range(n):
            for j in range(n):
                # One point in each of the n (n + 1) / 2 pieces turned like the triangle itself.
                a, b = (i + 1.0 / 3.0) / n, (j + 1.0 / 3.0) / n
                if a + b >= 1.0:
                    continue
                x, y, z = ax + a * ux + b * vx, ay + a * uy + b * vy, az + a * uz + b * vz
                seen += 1
                p, q, r = int(x + far * mx), int(y + far * my), int(z + far * mz)
                if not (0 < p < nx - 1 and 0 < q < ny - 1 and 0 < r < nz - 1):
                    continue
                if cells[p, q, r] != 2:
                    if cells[p, q, r] == 0:
                        dry += 1
                    elif _beside(cells, p, q, r):
                        near += 1
                    continue
                wet += 1
                for k in range(1, thin + 1):
                    p, q, r = int(x - k * mx), int(y - k * my), int(z - k * mz)
                    if 0 <= p < nx and 0 <= q < ny and 0 <= r < nz and cells[p, q, r] == 2:
                        both += 1
                        break
        if wet + dry == 0:
            wet = near
        if seen:
            outer[t], plate[t] = wet / seen, both / seen


@kernel
def _widened(mask: npt.NDArray[np.bool_], cells: int) -> None:
    """Grow every row of a mask along its second axis, in place."""
    n = mask.shape[1]
    before = np.empty(n, np.bool_)
    for i in range(mask.shape[0]):
        before[:] = mask[i]
        until = -1  # cells up to here are reached from behind
        for j in range(n):
            if before[j]:
                until = j + cells
            elif j <= until:
                mask[i, j] = True
        until = n + 1
        for back in range(n):
            j = n - 1 - back
            if before[j]:
                until = j - cells
            elif j >= until:
                mask[i, j] = True


@kernel(inline=True)
def _apart(
    ax: float, ay: float, bx: float, by: float, cx: float, cy: float, x: float, y: float
) -> bool:
    """Whether a unit square at x, y lies off an edge a-b of the triangle a, b, c, in a plane."""
    nx, ny = ay - by, bx - ax
    side = nx * (cx - ax) + ny * (cy - ay)
    if side < 0.0:
        nx, ny = -nx, -ny
    # The square's corner farthest towards the triangle.
    px = x + 1.0 if nx > 0.0 else x
    py = y + 1.0 if ny > 0.0 else y
    return bool(nx * (px - ax) + ny * (py - ay) < 0.0)


@kernel
def _touch(triangles: Floats, cells: Cells) -> None:
    nx, ny, nz = cells.shape
    for t in range(triangles.shape[0]):
        ax, ay, az = triangles[t, 0]
        bx, by, bz = triangles[t, 1]
        cx, cy, cz = triangles[t, 2]
        ux, uy, uz = bx - ax, by - ay, bz - az
        vx, vy, vz = cx - ax, cy - ay, cz - az
        mx, my, mz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        reach = 0.5 * (abs(mx) + abs(my) + abs(mz))
        i0, i1 = max(0, int(min(ax, bx, cx))), min(nx - 1, int(max(ax, bx, cx)))
        j0, j1 = max(0, int(min(ay, by, cy))), min(ny - 1, int(max(ay, by, cy)))
        k0, k1 = max(0, int(min(az, bz, cz))), min(nz - 1, int(max(az, bz, cz)))
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                if (
                    _apart(ax, ay, bx, by, cx, cy, i, j)
                    or _apart(bx, by, cx, cy, ax, ay, i, j)
                    or _apart(cx, cy, ax, ay, bx, by, i, j)
                ):
                    continue
                for k in range(k0, k1 + 1):
                    if cells[i, j, k]:
                        continue
                    off = mx * (i + 0.5 - ax) + my * (j + 0.5 - ay) + mz * (k + 0.5 - az)
                    if abs(off) > reach:
                        continue
                    if (
                        _apart(ax, az, bx, bz, cx, cz, i, k)
                        or _apart(bx, bz, cx, cz, ax, az, i, k)
                        or _apart(cx, cz, ax, az, bx, bz, i, k)
                        or _apart(ay, az, by, bz, cy, cz, j, k)
                        or _apart(by, bz, cy, cz, ay, az, j, k)
                        or _apart(cy, cz, ay, az, by, bz, j, k)
                    ):
                        continue
                    cells[i, j, k] = 1


@kernel
def _drown(cells: Cells) -> None:
    """Let the outside in from every side of the grid, from cell to cell over faces."""
    nx, ny, nz = cells.shape
    stack = np.empty(2 * (nx * ny + ny * nz + nx * nz) + 16, np.int64)
    top = 0
    for i in range(nx):
        for j in range(ny):
            edge = i in (0, nx - 1) or j in (0, ny - 1)
            for k in range(nz):
                if (edge or k in (0, nz - 1)) and cells[i, j, k] == 0:
                    cells[i, j, k] = 2
                    if top == stack.size:
                        stack = np.concatenate((stack, np.empty_like(stack)))
                    stack[top] = (i * ny + j) * nz + k
                    top += 1
    while top:
        top -= 1
        at = stack[top]
        k = at % nz
        j = (at // nz) % ny
        i = at // (nz * ny)
        if top + 6 > stack.size:
            stack = np.concatenate((stack, np.empty_like(stack)))
        for way in range(6):
            a, b, c = i, j, k
            if way == 0:
                a += 1
            elif way == 1:
                a -= 1
            elif way == 2:
                b += 1
            elif way == 3:
                b -= 1
            elif way == 4:
                c += 1
            else:
                c -= 1
            if a < 0 or b < 0 or c < 0 or a >= nx or b >= ny or c >= nz:
                continue
            if cells[a, b, c] == 0:
                cells[a, b, c] = 2
                stack[top] = (a * ny + b) * nz + c
                top += 1


@kernel
def _runs(cells: Cells, least: int, bridge: int, low: Ints, high: Ints, free: Ints) -> None:
    nx, ny, nz = cells.shape
    for i in range(nx):
        for j in range(ny):
            start, end, best, dry = -1, -1, 0, -1
            for k in range(nz + 1):
                solid = k < nz and cells[i, j, k] != 2
                if solid:
                    if start < 0:
                        start, dry = k, -1
                    end = k + 1
                    if cells[i, j, k] == 0:
                        dry = k + 1
                elif start >= 0 and (k == nz or k - end >= bridge):
                    if end - start >= least and end - start > best:
                        best = end - start
                        low[i, j], high[i, j], free[i, j] = start, end, dry
                    start = -1


@kernel
def _tops(triangles: Floats, ceiling: Floats, top: Floats, face: Ints) -> None:
    nx, ny = ceiling.shape
    for t in range(triangles.shape[0]):
        ax, ay, az = triangles[t, 0]
        bx, by, bz = triangles[t, 1]
        cx, cy, cz = triangles[t, 2]
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if area == 0.0:
            continue
        i0, i1 = max(0, int(min(ax, bx, cx) - 0.5)), min(nx - 1, int(max(ax, bx, cx)))
        j0, j1 = max(0, int(min(ay, by, cy) - 0.5)), min(ny - 1, int(max(ay, by, cy)))
        for i in range(i0, i1 + 1):
            for j in range(j0, j1 + 1):
                x, y = i + 0.5, j + 0.5
                wa = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
                wb = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
                wc = 1.0 - wa - wb
                if wa < -1e-9 or wb < -1e-9 or wc < -1e-9:
                    continue
                z = wa * az + wb * bz + wc * cz
                if z <= ceiling[i, j] and not z <= top[i, j]:
                    top[i, j] = z
                    face[i, j] = t


def warm() -> None:
    """Compile ahead."""
    flat = np.zeros((1, 3, 3)) + 1.0
    cells = enclose(flat, shape=(3, 3, 3))
    column_runs(cells, least=1, bridge=1)
    grown(cells == TOUCHED, 1)
    exposure(flat, cells)
    top_faces(flat, ceiling=np.zeros((3, 3)))
