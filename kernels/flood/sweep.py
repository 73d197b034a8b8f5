"""One time step of the local inertial equations for a band of rows.

How the sweep stays right on any number of threads: a step reads one state and
writes another. A band of rows computes the faces of its two neighbour rows again
instead of sharing them, so a limited flux is the same number on both its sides and
no sum depends on who ran first. All sums are per row in float64.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.edges import FREE
from kernels.flood.faces import Faces, held_back
from kernels.flood.water import (
    SUM_CLIPPED,
    SUM_DRAINED,
    SUM_OUT,
    Floats,
    Ground,
    State,
    Sums,
)

__all__ = ["BUFFERS", "Band", "row_max", "row_sum", "step_of", "sweep_band"]

BUFFERS = 12
"""Rows of scratch that a band needs."""

# x^(-1/3) from the bits of a float32, off by 3.5 % at most: exponent divided by -3.
_SEED = np.int32(0x54A2FA8C)
_THIRD = np.float32(1.0 / 3.0)
_FOUR_THIRDS = np.float32(4.0 / 3.0)

# Places in the row of numbers that one step needs, all of the grid's own type.
DT, DT_DX, DX_DT, G_DT_DX, THETA, SIDE, FROUDE, DRY, RAIN, G, HALF, ONE = range(12)
QUARTER, ZERO, TINY, KEEP, C43, C13, C4, NUMBERS = range(12, 20)
# Places in the per-row sums.
SUM_DEEPEST, SUMS = 3, 4  # after those of `kernels.flood.water`


class Band(NamedTuple):
    """What one band works with: raw fluxes of 2 + 3 rows, limiters of 3, four scratch rows.

    `edge_kind` and `edge_flux` are of `kernels.flood.edges`, or empty where the ring says it all.
    """

    numbers: Floats
    fx: Floats
    fy: Floats
    keep: Floats
    scratch: Floats
    seeds: NDArray[np.float32]
    bits: NDArray[np.int32]
    sums: Sums
    row_drains: NDArray[np.bool_]
    faces: Faces
    edge_kind: NDArray[np.int8]
    edge_flux: Sums


class _Cells(NamedTuple):
    """A row of cells on one side of a row of faces."""

    depth: Floats
    bed: Floats
    friction: Floats


class _Around(NamedTuple):
    """Raw fluxes through the faces around a row of cells."""

    fx: Floats
    fy: Floats
    fy_next: Floats


class _Fluxes(NamedTuple):
    """A row of faces one step ago: they, those before and after, and four across."""

    here: Floats
    before: Floats
    after: Floats
    across_0: Floats
    across_1: Floats
    across_2: Floats
    across_3: Floats


@kernel
def row_max(row: Floats) -> float:
    """Largest of a row of numbers >= 0: four chains, so that the CPU need not wait."""
    n = row.size
    a = b = c = d = row[0]
    for i in range(n // 4):
        k = 4 * i
        a = max(a, row[k])
        b = max(b, row[k + 1])
        c = max(c, row[k + 2])
        d = max(d, row[k + 3])
    for i in range(n - n % 4, n):
        a = max(a, row[i])
    return float(max(a, b, c, d))


@kernel
def row_sum(row: Floats) -> float:
    """Sum of a row in float64, in an order that nothing but its length decides."""
    n = row.size
    a = b = c = d = 0.0
    for i in range(n // 4):
        k = 4 * i
        a += row[k]
        b += row[k + 1]
        c += row[k + 2]
        d += row[k + 3]
    for i in range(n - n % 4, n):
        a += row[i]
    return (a + b) + (c + d)


@kernel
def sweep_band(span: tuple[int, int], ground: Ground, now: State, then: State, band: Band) -> None:
    """One time step for the rows of `span`: faces, limiter and update follow each other.

    Row j is updated when the limiter of row j+1 is known; one row before and one after the
    band are worked out for their limiters alone.
    """
    first, end = span
    past = now.depth.shape[0] - 1
    begin = max(first - 1, 1)
    fx, fy, numbers = band.fx, band.fy, band.numbers
    for j in range(begin - 1, end + 1):
        if j < past:
            k = j + 1
            if j >= begin:
                _column_faces(fx[j % 2], j, ground, now, band)
            _row_faces(fy[k % 3], j, ground, now, band)
            if k in (1, past):
                _one_way(fy[k % 3], numbers[ONE] if k == past else -numbers[ONE])
                _row_edge(fy[k % 3], k == past, band)
            if j >= begin:
                faces = _Around(fx[j % 2], fy[j % 3], fy[k % 3])
                _limits(band.keep[j % 3], j, now, faces, numbers)
        if j > first:
            _finish_row(j - 1, ground, now, then, band)


@kernel
def _column_faces(fx: Floats, j: int, ground: Ground, now: State, band: Band) -> None:
    """Raw flux through the faces between the columns of row j; edges let water out only."""
    h, bed, friction = now.depth[j], ground.bed_m[j], ground.friction[j]
    q, qy, qy_next = now.flux_x[j], now.flux_y[j], now.flux_y[j + 1]
    n = h.size
    m = n - 1
    zero = band.numbers[ZERO]
    _faces(
        fx[1:n],
        _Cells(h[:m], bed[:m], friction[:m]),
        _Cells(h[1:], bed[1:], friction[1:]),
        _Fluxes(q[1:n], q[:m], q[2:], qy[:m], qy_next[:m], qy[1:], qy_next[1:]),
        band,
    )
    held_back(fx, j, True, band.faces, ground, now, step_of(band.numbers))
    fx[1] = min(fx[1], zero)
    fx[m] = max(fx[m], zero)
    if band.edge_kind.size:
        e = 2 * (m - 1) + j - 1
        for face, edge in ((1, e), (m, e + now.depth.shape[0] - 2)):
            if band.edge_kind[edge] != FREE:
                fx[face] = band.edge_flux[edge]


@kernel
def _row_faces(fy: Floats, j: int, ground: Ground, now: State, band: Band) -> None:
    """Raw flux through the faces between rows j and j+1."""
    k = j + 1
    h, bed, friction, qy = now.depth, ground.bed_m, ground.friction, now.flux_y
    q, q_next = now.flux_x[j], now.flux_x[k]
    m = h.shape[1] - 1
    _faces(
        fy[1:m],
        _Cells(h[j, 1:m], bed[j, 1:m], friction[j, 1:m]),
        _Cells(h[k, 1:m], bed[k, 1:m], friction[k, 1:m]),
        _Fluxes(qy[k, 1:m], qy[j, 1:m], qy[k + 1, 1:m],
                q[1:m], q[2:m + 1], q_next[1:m], q_next[2:m + 1]),
        band,
    )  # fmt: skip
    held_back(fy, k, False, band.faces, ground, now, step_of(band.numbers))


@kernel
def step_of(numbers: Floats) -> tuple[float, float, float, float]:
    """Time step, its ratio to the width of a cell, dry depth, largest Froude number."""
    return float(numbers[DT]), float(numbers[DT_DX]), float(numbers[DRY]), float(numbers[FROUDE])


@kernel
def _row_edge(flux: Floats, last: bool, band: Band) -> None:
    """Put what the edge says in place of the fluxes over the first or the last row's edge."""
    columns = flux.size - 3
    if band.edge_kind.size:
        first = columns if last else 0
        for i in range(columns):
            if band.edge_kind[first + i] != FREE:
                flux[i + 1] = band.edge_flux[first + i]


@kernel
def _one_way(flux: Floats, outwards: float) -> None:
    """Let water through an edge in the direction `outwards` (1 or -1) only."""
    for i in range(flux.size):
        if outwards * flux[i] < 0.0:
            flux[i] = 0.0


@kernel
def _faces(out: Floats, a: _Cells, b: _Cells, old: _Fluxes, band: Band) -> None:
    """Flux from cells a to cells b: the momentum equation, the only place it stands.

    Differences of depth and of bed are taken apart, which keeps still water still in float32,
    and every sum is paired so that a mirrored grid gives the mirrored bits.
    """
    n = out.size
    h_a, z_a, n_a = a
    h_b, z_b, n_b = b
    q, q_before, q_after, c0, c1, c2, c3 = old
    numbers, hf, seeds, bits = band.numbers, band.scratch[0], band.seeds, band.bits
    dry, theta, side, quarter = numbers[DRY], numbers[THETA], numbers[SIDE], numbers[QUARTER]
    g_dt_dx, half_dt = numbers[G_DT_DX], numbers[HALF] * numbers[DT]
    one, zero, g, froude = numbers[ONE], numbers[ZERO], numbers[G], numbers[FROUDE]
    four_thirds, third, four = numbers[C43], numbers[C13], numbers[C4]
    for i in range(n):
        top = max(z_a[i], z_b[i])
        depth = max(h_a[i] + (z_a[i] - top), h_b[i] + (z_b[i] - top))
        hf[i] = depth
        seeds[i] = max(depth, dry)
    for i in range(n):
        bits[i] = _SEED - np.int32(np.float32(bits[i]) * _THIRD)
    for i in range(n):
        depth = max(hf[i], dry)
        # depth^(-1/3) by Newton, y (4 - x y^3) / 3: errors 3e-2, 2e-3, 1e-5, 2e-10.
        y = seeds[i]
        y = y * (_FOUR_THIRDS - _THIRD * np.float32(depth) * (y * y * y))
        root = y * (four_thirds - third * depth * (y * y * y))
        root = root * (four_thirds - third * depth * (root * root * root))
        cube = root * root * root
        across = quarter * ((c0[i] + c1[i]) + (c2[i] + c3[i]))
        size = math.sqrt(q[i] * q[i] + across * across)
        centred = theta * q[i] + side * (q_before[i] + q_after[i])
        rise = (h_b[i] - h_a[i]) + (z_b[i] - z_a[i])
        rub = half_dt * (n_a[i] + n_b[i]) * (cube * cube * root)
        push = centred - g_dt_dx * depth * rise
        drag = one + rub * (size - abs(q[i]))
        flux = (push + push) / (drag + math.sqrt(drag * drag + four * rub * abs(push)))
        most = froude * depth * math.sqrt(g * depth)
        flux = max(min(flux, most), -most)
        out[i] = flux if hf[i] > dry else zero


@kernel
def _limits(keep: Floats, j: int, now: State, faces: _Around, numbers: Floats) -> None:
    """Part of its outflow that each cell of row j can pay for, 0 to 1."""
    h, c = now.depth[j], now.carry[j]
    fx, fy, fy_next = faces
    dx_dt, one, zero = numbers[DX_DT], numbers[ONE], numbers[ZERO]
    tiny, share = numbers[TINY], numbers[KEEP]
    for i in range(h.size):
        along = max(fx[i + 1], zero) + max(-fx[i], zero)
        across = max(fy_next[i], zero) + max(-fy[i], zero)
        held = max(h[i] + c[i], zero) * share * dx_dt
        keep[i] = min(one, held / max(along + across, tiny))
    keep[0] = keep[h.size - 1] = one  # what lies beyond an edge can pay


@kernel
def _finish_row(j: int, ground: Ground, now: State, then: State, band: Band) -> None:
    """Limit the faces of row j, update its depth, add up what left the grid."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    fx, fy, keep, sums = band.fx[j % 2], band.fy, band.keep, band.sums
    here, after = keep[j % 3], band.scratch[1]
    h2, qx2, qy2, opening = then.depth, then.flux_x, then.flux_y, ground.opening
    zero, one = band.numbers[ZERO], band.numbers[ONE]
    if j == 1:
        keep[0, :] = one
    if j + 1 == past:
        keep[past % 3, :] = one
    _limit_row(qx2[j, 1 : m + 1], fx[1 : m + 1], here[:m], here[1 : m + 1], zero)
    _limit_row(qy2[j, 1:m], fy[j % 3, 1:m], keep[(j - 1) % 3, 1:m], here[1:m], zero)
    _limit_row(after[1:m], fy[(j + 1) % 3, 1:m], here[1:m], keep[(j + 1) % 3, 1:m], zero)
    _update_row(j, ground, now, then, band)
    left = np.float64(qx2[j, m]) - np.float64(qx2[j, 1])
    h2[j, 0], h2[j, m] = opening[2] * h2[j, 1], opening[3] * h2[j, m - 1]
    qx2[j, 0], qx2[j, m + 1] = qx2[j, 1], qx2[j, m]
    qy2[j, 0], qy2[j, m] = qy2[j, 1], qy2[j, m - 1]
    if j == 1:
        left -= row_sum(qy2[1, 1:m])
        _copy_row(h2[0], h2[1], opening[0])
        _copy_row(qx2[0], qx2[1], one)
        _copy_row(qy2[0], qy2[1], one)
    if j + 1 == past:
        _copy_row(qy2[past, 1:m], after[1:m], one)
        left += row_sum(qy2[past, 1:m])
        _copy_row(h2[past], h2[j], opening[1])
        _copy_row(qx2[past], qx2[j], one)
        _copy_row(qy2[past + 1], qy2[past], one)
    gone, made = band.scratch[2, : m - 1], band.scratch[3, : m - 1]
    sums[j, SUM_DRAINED] = row_sum(gone) if band.row_drains[j] else 0.0
    sums[j, SUM_CLIPPED] = row_sum(made) if row_max(made) > 0.0 else 0.0
    sums[j, SUM_OUT] = left
    sums[j, SUM_DEEPEST] = row_max(h2[j])


@kernel
def _copy_row(out: Floats, row: Floats, factor: float) -> None:
    for i in range(out.size):
        out[i] = factor * row[i]


@kernel
def _limit_row(out: Floats, raw: Floats, keep_a: Floats, keep_b: Floats, zero: float) -> None:
    for i in range(out.size):
        a, b = keep_a[i], keep_b[i]  # both read first: a choice of loads does not vectorise
        out[i] = raw[i] * (a if raw[i] > zero else b)


@kernel
def _update_row(j: int, ground: Ground, now: State, then: State, band: Band) -> None:
    """Continuity, rain, drains of row j: depth, what its rounding lost, drained, made up to 0."""
    m = now.depth.shape[1] - 1
    h, c, h2, c2 = now.depth[j, 1:m], now.carry[j, 1:m], then.depth[j, 1:m], then.carry[j, 1:m]
    fx, fy, fy_next = then.flux_x[j, 1 : m + 1], then.flux_y[j, 1:m], band.scratch[1, 1:m]
    share, drain = ground.rain_share[j, 1:m], ground.drain_mps[j, 1:m]
    gone, made, numbers = band.scratch[2], band.scratch[3], band.numbers
    dt, dt_dx, rain, zero = numbers[DT], numbers[DT_DX], numbers[RAIN], numbers[ZERO]
    for i in range(h.size):
        gain = ((fx[i] - fx[i + 1]) + (fy[i] - fy_next[i])) * dt_dx
        gain = (gain + c[i]) + rain * share[i]
        full = h[i] + gain
        back = full - h[i]
        lost = (h[i] - (full - back)) + (gain - back)  # TwoSum: full + lost = h + gain exactly
        taken = min(drain[i] * dt, max(full, zero))
        rest = full - taken
        back = rest - full
        lost += (full - (rest - back)) - (taken + back)
        empty = rest <= zero
        h2[i] = max(rest, zero)
        c2[i] = zero if empty else lost
        gone[i] = taken + lost if rest == zero else taken
        made[i] = max(-rest, zero)
