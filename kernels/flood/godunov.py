"""How water moves where it jumps: the shallow water equations by a Godunov scheme, order 1 or 2.

HLLC fluxes (Toro 2001) between states made comparable by hydrostatic
reconstruction (Chen & Noelle 2017), so still water stays still over any bed;
second order by limited slopes of level, depth and velocity (minmod) and Heun's two
stages, first order where a cell is dry or beside a closed one. Manning's friction
is point-implicit: it slows water and never turns it. A step that would leave any
depth below zero is taken again with half the time: nothing is clipped.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange
from kernels.flood.water import GRAVITY, WALL_M

__all__ = ["Pool", "fastest_mps", "new_pool", "step", "warm"]

Floats = NDArray[Any]

_RING = 2
_BAND_ROWS = 32
_HALVINGS = 20
_G, _HALF, _ONE, _TWO, _QUARTER, _ZERO, _DRY, _SHUT, _POWER, _TINY, _NUMBERS = range(11)


class Pool(NamedTuple):
    """Ground and water, (rows+4, columns+4) with a ring of two cells, in one float type.

    `bed_m` height above the lowest bed, `WALL_M` where closed; `friction` g·n²; `depth_m`;
    `flow_x`, `flow_y` depth times velocity, m²/s, at the cells; `numbers` constants in that type.
    The ring is closed, walls all around, until the caller fills it.
    """

    bed_m: Floats
    friction: Floats
    depth_m: Floats
    flow_x: Floats
    flow_y: Floats
    numbers: Floats


def new_pool(
    bed_m: Floats,
    *,
    manning: Floats | float,
    depth_m: Floats | float = 0.0,
    dry_m: float = 1e-6,
    dtype: type[np.floating[Any]] = np.float64,
) -> Pool:
    """Lay out still water of `depth_m` on `bed_m`.

    Parameters
    ----------
    bed_m
        (rows, columns) bed height, m; NaN is closed, a wall to its neighbours.
    manning
        Manning's n (曼宁系数), s/m^(1/3), one number or per cell; 0 is no friction.
    depth_m
        One number or per cell.
    dry_m
        Depth below which water has no velocity.
    dtype
        float32 or float64.
    """
    lowest = np.min(bed_m, where=np.isfinite(bed_m), initial=np.inf)
    bed = np.where(np.isnan(bed_m), WALL_M, bed_m - lowest)
    shape = bed.shape[0] + 2 * _RING, bed.shape[1] + 2 * _RING
    inside = (slice(_RING, -_RING), slice(_RING, -_RING))
    arrays = [np.full(shape, fill, dtype) for fill in (WALL_M, 0.0, 0.0, 0.0, 0.0)]
    arrays[0][inside] = bed
    arrays[1][inside] = GRAVITY * np.square(manning)
    arrays[2][inside] = np.where(np.isnan(bed_m), 0.0, depth_m)
    numbers = np.array(
        [GRAVITY, 0.5, 1.0, 2.0, 0.25, 0.0, dry_m, WALL_M / 2, -4.0 / 3.0, 1e-14], dtype
    )
    return Pool(arrays[0], arrays[1], arrays[2], arrays[3], arrays[4], numbers)


def fastest_mps(pool: Pool) -> float:
    """Return the fastest wave along an axis, |u| + √(g h), m/s; not finite where water ran away."""
    speeds = np.zeros(pool.depth_m.shape[0])
    _speeds(pool.depth_m, pool.flow_x, pool.flow_y, pool.numbers, speeds)
    return float(speeds.max())


def step(
    pool: Pool, *, cell_m: float, dt_s: float, order: int = 2
) -> tuple[float, NDArray[np.float64]]:
    """Move `pool` on, in place, by at most `dt_s`.

    Parameters
    ----------
    pool
        From `new_pool`; what its ring holds is what lies beyond the edges during this step.
    cell_m
        Side of a cell, m.
    dt_s
        Time step asked for; at most about 0.4 `cell_m` / `fastest_mps`.
    order
        1 or 2.

    Returns
    -------
    (float, array)
        Time step taken, s, 0 where none could be; (4) volume that left over the first row, last
        row, first column, last column, m³.

    References
    ----------
    Chen & Noelle (2017), SIAM J. Numer. Anal. 55, 758-784.
    Toro (2001), Shock-Capturing Methods for Free-Surface Shallow Flows.
    """
    old = pool.depth_m.copy(), pool.flow_x.copy(), pool.flow_y.copy()
    now = [pool.depth_m, pool.flow_x, pool.flow_y]
    rows = pool.depth_m.shape[0]
    lowest, edges = np.zeros(rows), np.zeros((2, rows, 4))
    for _ in range(_HALVINGS):
        dt = pool.numbers.dtype.type(dt_s)
        lam = pool.numbers.dtype.type(dt_s / cell_m)
        first = [array.copy() for array in old]
        _stage(*old, pool.bed_m, pool.friction, pool.numbers, dt, lam, order == 2,
               first[0], first[1], first[2], lowest, edges[0])  # fmt: skip
        if not lowest.min() >= 0.0:
            dt_s /= 2
            continue
        if order == 1:
            for target, value in zip(now, first, strict=True):
                target[:] = value
            return dt_s, edges[0].sum(axis=0) * dt_s * cell_m
        second = [array.copy() for array in first]
        _stage(first[0], first[1], first[2], pool.bed_m, pool.friction, pool.numbers, dt, lam, True,
               second[0], second[1], second[2], lowest, edges[1])  # fmt: skip
        if not lowest.min() >= 0.0:
            dt_s /= 2
            continue
        half = pool.numbers[_HALF]
        for target, a, b in zip(now, old, second, strict=True):
            np.add(a, b, out=target)
            np.multiply(target, half, out=target)
        return dt_s, edges.sum(axis=(0, 1)) * (0.5 * dt_s * cell_m)
    return 0.0, np.zeros(4)


def warm() -> None:
    """Compile for float32 and float64."""
    for dtype in (np.float32, np.float64):
        pool = new_pool(np.zeros((2, 2)), manning=0.03, depth_m=1.0, dtype=dtype)
        fastest_mps(pool)
        step(pool, cell_m=1.0, dt_s=0.01)


@kernel(parallel=True)
def _speeds(depth: Floats, flow_x: Floats, flow_y: Floats, k: Floats, out: Floats) -> None:
    for j in prange(depth.shape[0]):
        most = 0.0
        for i in range(_RING, depth.shape[1] - _RING):
            h = depth[j, i]
            if h > k[_DRY]:
                u = max(abs(flow_x[j, i]), abs(flow_y[j, i])) / h
                speed = u + math.sqrt(k[_G] * h)
                most = speed if not speed <= most else most  # a NaN stays
        out[j] = most


@kernel
def _minmod(a: float, b: float, zero: float) -> float:
    least = a if abs(a) < abs(b) else b
    return least if a * b > zero else zero


@kernel
def _ends(
    h0: float, h: float, h1: float, z0: float, z: float, z1: float,
    u0: float, u: float, u1: float, v0: float, v: float, v1: float, k: Floats, second: bool,
) -> tuple[float, float, float, float, float, float, float, float]:  # fmt: skip
    """Depth, bed, velocity along and across at the low and the high end of a cell."""
    shut, dry, zero, half = k[_SHUT], k[_DRY], k[_ZERO], k[_HALF]
    if not second or h <= dry or z0 > shut or z1 > shut:
        return h, h, z, z, u, u, v, v
    dh = half * _minmod(h - h0, h1 - h, zero)
    de = half * _minmod((h - h0) + (z - z0), (h1 - h) + (z1 - z), zero)
    du = half * _minmod(u - u0, u1 - u, zero)
    dv = half * _minmod(v - v0, v1 - v, zero)
    low, high = h - dh, h + dh
    a, b = high / h, low / h  # velocities weighted so that depth times velocity is kept
    dz = de - dh
    return low, high, z - dz, z + dz, u - a * du, u + b * du, v - a * dv, v + b * dv


@kernel
def _face(
    h_a: float, z_a: float, u_a: float, v_a: float,
    h_b: float, z_b: float, u_b: float, v_b: float, k: Floats,
) -> tuple[float, float, float, float]:  # fmt: skip
    """Flux of water, of momentum along as seen from a and from b, and of momentum across."""
    g, half, zero, two, shut = k[_G], k[_HALF], k[_ZERO], k[_TWO], k[_SHUT]
    if z_a > shut and z_b > shut:
        return zero, zero, zero, zero
    if z_b > shut:  # a wall answers as the mirrored cell
        h_b, z_b, u_b, v_b = h_a, z_a, -u_a, v_a
    elif z_a > shut:
        h_a, z_a, u_a, v_a = h_b, z_b, -u_b, v_b
    # Chen & Noelle: the step between the beds reaches no higher than the lower level, so a thin
    # film on a steep slope feels all of its weight.
    lower = min(h_a + z_a, h_b + z_b)
    top = min(max(z_a, z_b), lower)
    left = max(zero, min(h_a, h_a + (z_a - top)))
    right = max(zero, min(h_b, h_b + (z_b - top)))
    c_a, c_b = math.sqrt(g * left), math.sqrt(g * right)
    middle = half * (u_a + u_b) + (c_a - c_b)
    spread = half * (c_a + c_b) + k[_QUARTER] * (u_a - u_b)
    low = min(u_a - c_a, middle - spread) if left > zero else u_b - two * c_b
    high = max(u_b + c_b, middle + spread) if right > zero else u_a + two * c_a
    low, high = min(low, zero), max(high, zero)
    gap = max(high - low, k[_TINY])
    q_a, q_b = left * u_a, right * u_b
    water = ((high * q_a - low * q_b) + low * high * (right - left)) / gap
    push_a = q_a * u_a + half * g * left * left
    push_b = q_b * u_b + half * g * right * right
    push = ((high * push_a - low * push_b) + low * high * (q_b - q_a)) / gap
    # Upwind by the contact wave, whose side is the sign of the flux of water.
    across = water * (v_a if water > zero else v_b)
    seen_a = push + half * g * (h_a + left) * (top - z_a)
    seen_b = push + half * g * (h_b + right) * (top - z_b)
    return water, seen_a, seen_b, across


@kernel
def _velocity(flow: Floats, depth: Floats, k: Floats, out: Floats) -> None:
    for i in range(out.size):
        out[i] = flow[i] / max(depth[i], k[_DRY]) if depth[i] > k[_DRY] else k[_ZERO]


@kernel
def _ends_along(h: Floats, z: Floats, u: Floats, v: Floats, k: Floats, second: bool,
                out: Floats) -> None:  # fmt: skip
    for i in range(1, h.size - 1):
        e = _ends(h[i - 1], h[i], h[i + 1], z[i - 1], z[i], z[i + 1], u[i - 1], u[i], u[i + 1],
                  v[i - 1], v[i], v[i + 1], k, second)  # fmt: skip
        for n in range(8):
            out[n, i] = e[n]


@kernel
def _ends_across(j: int, h: Floats, z: Floats, u: Floats, v: Floats, k: Floats, second: bool,
                 out: Floats) -> None:  # fmt: skip
    """Ends of row `j` of the grid; `u`, `v` hold four rows of velocities, turning."""
    a, b, c = (j - 1) % 4, j % 4, (j + 1) % 4
    for i in range(_RING, h.shape[1] - _RING):
        e = _ends(h[j - 1, i], h[j, i], h[j + 1, i], z[j - 1, i], z[j, i], z[j + 1, i],
                  v[a, i], v[b, i], v[c, i], u[a, i], u[b, i], u[c, i], k, second)  # fmt: skip
        for n in range(8):
            out[n, i] = e[n]


@kernel(parallel=True)
def _stage(
    h: Floats, qx: Floats, qy: Floats, z: Floats, friction: Floats, k: Floats,
    dt: float, lam: float, second: bool,
    h2: Floats, qx2: Floats, qy2: Floats, lowest: Floats, left: Floats,
) -> None:  # fmt: skip
    """One Euler stage from (h, qx, qy) to (h2, qx2, qy2); bands share no result."""
    rows, columns = h.shape
    for b in prange(-(-(rows - 2 * _RING) // _BAND_ROWS)):
        first = _RING + b * _BAND_ROWS
        end = min(rows - _RING, first + _BAND_ROWS)
        u, v = np.zeros((4, columns), h.dtype), np.zeros((4, columns), h.dtype)
        along = np.zeros((8, columns), h.dtype)
        across = np.zeros((2, 8, columns), h.dtype)
        fx = np.zeros((4, columns + 1), h.dtype)
        fy = np.zeros((2, 4, columns), h.dtype)
        for j in range(first - 2, first + 1):
            _velocity(qx[j], h[j], k, u[j % 4])
            _velocity(qy[j], h[j], k, v[j % 4])
        _ends_across(first - 1, h, z, u, v, k, second, across[(first - 1) % 2])
        for j in range(first - 1, end):
            # u, v know rows j-1 to j+1; row j+2 makes the ends of row j+1.
            _velocity(qx[j + 2], h[j + 2], k, u[(j + 2) % 4])
            _velocity(qy[j + 2], h[j + 2], k, v[(j + 2) % 4])
            _ends_across(j + 1, h, z, u, v, k, second, across[(j + 1) % 2])
            _faces(across[j % 2], across[(j + 1) % 2], 0, fy[j % 2], k)
            if j >= first:
                _ends_along(h[j], z[j], u[j % 4], v[j % 4], k, second, along)
                _faces(along, along, 1, fx, k)
                lowest[j] = _update(j, h, qx, qy, friction, k, dt, lam, u[j % 4], v[j % 4], along,
                                    across[j % 2], fx, fy[(j + 1) % 2], fy[j % 2],
                                    h2, qx2, qy2)  # fmt: skip
                left[j, 2], left[j, 3] = -fx[0, _RING], fx[0, columns - _RING]
                if j == _RING:
                    left[j, 0] = -_total(fy[(j + 1) % 2, 0])
                if j == rows - _RING - 1:
                    left[j, 1] = _total(fy[j % 2, 0])


@kernel
def _total(row: Floats) -> float:
    total = 0.0
    for i in range(_RING, row.size - _RING):
        total += row[i]
    return total


@kernel
def _faces(a: Floats, b: Floats, shift: int, out: Floats, k: Floats) -> None:
    """Fluxes from the high ends of `a`, `shift` cells back, to the low ends of `b`."""
    for i in range(_RING, a.shape[1] - _RING + shift):
        m = i - shift
        f = _face(a[1, m], a[3, m], a[5, m], a[7, m], b[0, i], b[2, i], b[4, i], b[6, i], k)
        for n in range(4):
            out[n, i] = f[n]


@kernel
def _update(
    j: int, h: Floats, qx: Floats, qy: Floats, friction: Floats, k: Floats,
    dt: float, lam: float, u: Floats, v: Floats, along: Floats, across: Floats,
    fx: Floats, fy: Floats, fy_next: Floats, h2: Floats, qx2: Floats, qy2: Floats,
) -> float:  # fmt: skip
    """Balance of row j, slope within the cells, friction; return its least depth."""
    g, half, dry, one, zero = k[_G], k[_HALF], k[_DRY], k[_ONE], k[_ZERO]
    least = zero
    for i in range(_RING, h.shape[1] - _RING):
        full = h[j, i] + lam * ((fx[0, i] - fx[0, i + 1]) + (fy[0, i] - fy_next[0, i]))
        # half g (a + b) (b - a): the weight of water on the bed's slope inside the cell
        push_x = half * g * (along[0, i] + along[1, i]) * (along[2, i] - along[3, i])
        push_y = half * g * (across[0, i] + across[1, i]) * (across[2, i] - across[3, i])
        gain_x = ((fx[2, i] - fx[1, i + 1]) + push_x) + (fy[3, i] - fy_next[3, i])
        gain_y = ((fy[2, i] - fy_next[1, i]) + push_y) + (fx[3, i] - fx[3, i + 1])
        through_x, through_y = qx[j, i] + lam * gain_x, qy[j, i] + lam * gain_y
        if friction[j, i] > zero and h[j, i] > dry:
            speed = math.sqrt(u[i] * u[i] + v[i] * v[i])
            drag = one / (one + dt * friction[j, i] * speed * h[j, i] ** k[_POWER])
            through_x, through_y = through_x * drag, through_y * drag
        wet = full > dry
        h2[j, i] = full
        qx2[j, i] = through_x if wet else zero
        qy2[j, i] = through_y if wet else zero
        least = full if not full >= least else least
    return float(least)
