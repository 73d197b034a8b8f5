"""One time step of the local inertial equations for a run of columns in a band of rows.

The state changes in place: a row is overwritten as soon as no flux needs the old one.
The row of faces between two bands is worked out before any band moves, so a limited
flux is the same number on both its sides whoever computes it, and no sum depends on
who ran first. A loop writes one row, or few: a compiler must prove that rows do not
overlap, and gives up on many.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, multiply_add
from kernels.flood.edges import FREE
from kernels.flood.faces import Faces, held_back, sink_row
from kernels.flood.water import Floats, Ground, State, Sums

__all__ = [
    "BETWEEN",
    "BUFFERS",
    "BetweenBands",
    "Scratch",
    "between_bands",
    "fill_ring",
    "row_max",
    "row_sum",
    "sweep_run",
]


BUFFERS, BETWEEN = 7, 9
"""Rows of scratch that a band needs, and the faces between two."""

# x^(-1/3) from the bits of a float32, off by 3.5 % at most: exponent divided by -3.
_SEED = np.float32(0x54A1F480)
_MINUS_THIRD = np.float32(-1.0 / 3.0)
POWER = (1.0000000029266207, 2.3333350803521005, 3.8888859409728402, 5.6159413878402,
         7.489402366136407, 9.743381892810875, 11.815160843173569)  # fmt: skip
"""(1 - e)^(-7/3) as a polynomial of e, off by 2.6e-8 at most for |e| < 0.1022 (minimax)."""

# Places in the row of numbers that one step needs, all of the grid's own type.
DT, DT_DX, DX_DT, G2_DT_DX, THETA2, SIDE2, FROUDE, DRY, RAIN, EIGHTH, HALF, ONE = range(12)
ZERO, TINY, KEEP, CAP, P0, P1, P2, P3, P4, P5, P6, NUMBERS = range(12, 24)
# Scratch rows: raw fluxes and limiters of two rows each, and what a cell gains.
_FX, _FY, _KEEP, _GAIN = 0, 2, 4, 6
_LEFT, _RIGHT = 0, 1  # sides of the grid


class Special(NamedTuple):
    """Faces that are no open ground: thin walls, and edge cells that say what goes through them.

    `edge_kind` and `edge_flux` are of `kernels.flood.edges`, or empty where the ring says it all.
    """

    faces: Faces
    edge_kind: NDArray[np.int8]
    edge_flux: Sums


class Scratch(NamedTuple):
    """Room of one band: rows of the grid's type, deepest and lowest bits, drained metres."""

    rows: Floats
    highest: NDArray[np.signedinteger]
    lowest: NDArray[np.signedinteger]
    drained: Sums
    over_sides: Sums


class BetweenBands(NamedTuple):
    """The row of faces between two bands: flux a step ago, raw, limited; and what it took.

    That is, of the rows of cells above and below it: raw flux through their column faces,
    through their other row of faces, and their limiters.
    """

    before: Floats
    raw: Floats
    limited: Floats
    above_x: Floats
    above_y: Floats
    above_keep: Floats
    below_x: Floats
    below_y: Floats
    below_keep: Floats


class _Cells(NamedTuple):
    """A row of cells on one side of a row of faces."""

    depth: Floats
    bed: Floats
    friction: Floats


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
def between_bands(
    j: int, run: tuple[int, int], ground: Ground, now: State, numbers: Floats, special: Special,
    out: BetweenBands,
) -> None:  # fmt: skip
    """Work out the faces between rows j-1 and j over the columns of `run`; nothing moves."""
    a, b = run
    past = now.depth.shape[0] - 1
    one, zero, qy = numbers[ONE], numbers[ZERO], now.flux_y
    _copy_row(out.before[a:b], qy[j, a:b], one)
    for k in range(max(1, j - 1), min(past, j + 1) + 1):
        fy = out.above_y if k < j else (out.below_y if k > j else out.raw)
        _row_faces(fy, k, run, ground, now, qy[k + 1], numbers, special)
        if k in (1, past):
            _one_way(fy[a:b], one if k == past else -one, zero)
            _row_edge(fy, k == past, run, now, special)
    for row in range(max(1, j - 1), min(past - 1, j) + 1):
        fx, keep = out.below_x, out.below_keep
        up, down = out.raw, out.below_y
        if row < j:
            fx, keep, up, down = out.above_x, out.above_keep, out.above_y, out.raw
        _column_faces(fx, row, run, ground, now, qy[row + 1], numbers, special)
        _limits(keep, row, run, now, fx, up, down, numbers)
    if j == 1:
        out.above_keep[a:b] = one  # what lies beyond an edge can pay
    if j == past:
        out.below_keep[a:b] = one
    _limit_row(out.limited[a:b], out.raw[a:b], out.above_keep[a:b], out.below_keep[a:b], zero)


@kernel
def sweep_run(
    span: tuple[int, int], run: tuple[int, int], ground: Ground, now: State, numbers: Floats,
    special: Special, bits: NDArray[np.signedinteger], scratch: Scratch, above: BetweenBands,
    below: BetweenBands, drains: bool,
) -> None:  # fmt: skip
    """Move the cells of rows `span` and columns `run` on by one time step, in place.

    Row j is updated when the limiter of row j+1 is known. `drains` tells whether any cell of
    the run has one.
    """
    first, end = span
    a, b = run
    rows = scratch.rows
    for i in range(a, b):
        scratch.highest[i] = 0
        scratch.lowest[i] = 0
        scratch.drained[i] = 0.0
    scratch.over_sides[:] = 0.0
    for j in range(first, end + 1):
        if first < j < end - 1:
            k = j + 1
            fx, fy_next = rows[_FX + j % 2], rows[_FY + k % 2]
            fy = rows[_FY + j % 2] if j > first + 1 else above.below_y
            if k == end - 1:
                fy_next = below.above_y
            else:
                _row_faces(fy_next, k, run, ground, now, now.flux_y[k + 1], numbers, special)
            _column_faces(fx, j, run, ground, now, now.flux_y[k], numbers, special)
            _limits(rows[_KEEP + j % 2], j, run, now, fx, fy, fy_next, numbers)
        if j > first:
            _finish_row(j - 1, span, run, ground, now, numbers, bits, scratch, above, below, drains,
                        special.faces)  # fmt: skip


@kernel
def fill_ring(
    span: tuple[int, int], run: tuple[int, int], opening: Floats, now: State, one: float
) -> None:
    """What lies beyond the edges: the water and the fluxes of the cells beside them."""
    first, end = span
    a, b = run
    h, qx, qy = now.depth, now.flux_x, now.flux_y
    past, m = h.shape[0] - 1, h.shape[1] - 1
    last = end + 1 if end == past else end
    if a == 1:
        for j in range(first, end):
            h[j, 0], qx[j, 0] = opening[2] * h[j, 1], qx[j, 1]
        for j in range(first, last):
            qy[j, 0] = qy[j, 1]
    if b == m:
        for j in range(first, end):
            h[j, m], qx[j, m + 1] = opening[3] * h[j, m - 1], qx[j, m]
        for j in range(first, last):
            qy[j, m] = qy[j, m - 1]
    ahead = b + 1 if b == m else b
    if first == 1:
        _copy_row(h[0, a:b], h[1, a:b], opening[0])
        _copy_row(qx[0, a:ahead], qx[1, a:ahead], one)
        _copy_row(qy[0, a:b], qy[1, a:b], one)
    if end == past:
        _copy_row(h[past, a:b], h[past - 1, a:b], opening[1])
        _copy_row(qx[past, a:ahead], qx[past - 1, a:ahead], one)
        _copy_row(qy[past + 1, a:b], qy[past, a:b], one)


@kernel
def _column_faces(
    out: Floats, j: int, run: tuple[int, int], ground: Ground, now: State, qy_next: Floats,
    numbers: Floats, special: Special,
) -> None:  # fmt: skip
    """Raw flux through the faces between the columns of row j; edges let water out only."""
    a, b = run
    m = now.depth.shape[1] - 1
    h, bed, friction = now.depth[j], ground.bed_m[j], ground.friction[j]
    q, qy = now.flux_x[j], now.flux_y[j]
    end = b + 1 if b == m else b  # the face after a run within the grid is dry
    _faces(
        out[a:end],
        _Cells(h[a - 1 : end - 1], bed[a - 1 : end - 1], friction[a - 1 : end - 1]),
        _Cells(h[a:end], bed[a:end], friction[a:end]),
        _Fluxes(q[a:end], q[a - 1 : end - 1], q[a + 1 : end + 1], qy[a - 1 : end - 1],
                qy_next[a - 1 : end - 1], qy[a:end], qy_next[a:end]),
        numbers,
    )  # fmt: skip
    held_back(out, j, True, (a, end), special.faces, ground, now, step_of(numbers))
    first = 2 * (m - 1) + j - 1  # place of the row among the edge cells
    if b < m:
        out[b] = numbers[ZERO]
    else:
        out[m] = max(out[m], numbers[ZERO])
        _edge_face(out, m, first + now.depth.shape[0] - 2, special)
    if a == 1:
        out[1] = min(out[1], numbers[ZERO])
        _edge_face(out, 1, first, special)


@kernel
def _row_faces(
    out: Floats, k: int, run: tuple[int, int], ground: Ground, now: State, after: Floats,
    numbers: Floats, special: Special,
) -> None:  # fmt: skip
    """Raw flux through the faces between rows k-1 and k."""
    a, b = run
    j = k - 1
    h, bed, friction, qy = now.depth, ground.bed_m, ground.friction, now.flux_y
    q, q_next = now.flux_x[j], now.flux_x[k]
    _faces(
        out[a:b],
        _Cells(h[j, a:b], bed[j, a:b], friction[j, a:b]),
        _Cells(h[k, a:b], bed[k, a:b], friction[k, a:b]),
        _Fluxes(qy[k, a:b], qy[j, a:b], after[a:b],
                q[a:b], q[a + 1 : b + 1], q_next[a:b], q_next[a + 1 : b + 1]),
        numbers,
    )  # fmt: skip
    held_back(out, k, False, run, special.faces, ground, now, step_of(numbers))


@kernel
def step_of(numbers: Floats) -> tuple[float, float, float, float]:
    """Time step, its ratio to the width of a cell, dry depth, largest Froude number."""
    return float(numbers[DT]), float(numbers[DT_DX]), float(numbers[DRY]), float(numbers[FROUDE])


@kernel
def _edge_face(flux: Floats, face: int, edge: int, special: Special) -> None:
    """Put what an edge cell says in the place of the flux over it."""
    if special.edge_kind.size and special.edge_kind[edge] != FREE:
        flux[face] = special.edge_flux[edge]


@kernel
def _row_edge(flux: Floats, last: bool, run: tuple[int, int], now: State, special: Special) -> None:
    """Put what the edge says in place of the fluxes over the first or the last row's edge."""
    first = now.depth.shape[1] - 2 if last else 0
    if special.edge_kind.size:
        for i in range(run[0], run[1]):
            _edge_face(flux, i, first + i - 1, special)


@kernel
def _one_way(flux: Floats, outwards: float, zero: float) -> None:
    """Let water through an edge in the direction `outwards` (1 or -1) only."""
    for i in range(flux.size):
        if outwards * flux[i] < zero:
            flux[i] = zero


@kernel
def _faces(out: Floats, a: _Cells, b: _Cells, old: _Fluxes, numbers: Floats) -> None:
    """Flux from cells a to cells b: the momentum equation, the only place it stands.

    Differences of depth and of bed are taken apart, which keeps still water still in float32,
    and every sum is paired so that a mirrored grid gives the mirrored bits. `rub` and `push`
    are twice those of the formula in `kernels.flood.inertial`.
    """
    h_a, z_a, n_a = a
    h_b, z_b, n_b = b
    q, q_before, q_after, c0, c1, c2, c3 = old
    dry, one, zero, half = numbers[DRY], numbers[ONE], numbers[ZERO], numbers[HALF]
    theta2, side2, g2_dt_dx = numbers[THETA2], numbers[SIDE2], numbers[G2_DT_DX]
    eighth, cap = numbers[EIGHTH], numbers[CAP]
    p0, p1, p2, p3 = numbers[P0], numbers[P1], numbers[P2], numbers[P3]
    p4, p5, p6 = numbers[P4], numbers[P5], numbers[P6]
    for i in range(out.size):
        step = z_b[i] - z_a[i]
        wet = max(h_a[i] - max(step, zero), h_b[i] + min(step, zero))
        depth = max(wet, dry)
        # depth^(-7/3) = y^7 (1 - e)^(-7/3), where y is near depth^(-1/3) and e = 1 - depth y^3.
        bits = np.float32(np.int32(np.float32(depth).view(np.int32)))
        y = out.dtype.type(np.int32(multiply_add(bits, _MINUS_THIRD, _SEED)).view(np.float32))
        square = y * y
        e = multiply_add(-(depth * y), square, one)
        power = multiply_add(multiply_add(multiply_add(p6, e, p5), e, p4), e, p3)
        power = multiply_add(multiply_add(multiply_add(power, e, p2), e, p1), e, p0)
        rub = (n_a[i] + n_b[i]) * ((square * square) * (square * y)) * power
        # Half the size of the flux vector a step ago beyond that of its part along the face.
        here, across = half * q[i], eighth * ((c0[i] + c1[i]) + (c2[i] + c3[i]))
        beyond = math.sqrt(multiply_add(here, here, across * across)) - abs(here)
        push = multiply_add(theta2, q[i], side2 * (q_before[i] + q_after[i]))
        push = multiply_add(-(g2_dt_dx * depth), (h_b[i] - h_a[i]) + step, push)
        drag = multiply_add(rub, beyond, one)
        flux = push / (drag + math.sqrt(multiply_add(rub, abs(push), drag * drag)))
        most = (cap * depth) * math.sqrt(depth)
        flux = max(min(flux, most), -most)
        out[i] = flux if wet > dry else zero


@kernel
def _limits(
    out: Floats, j: int, run: tuple[int, int], now: State, fx: Floats, fy: Floats, fy_next: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Part of its outflow that each cell of row j can pay for, 0 to 1."""
    a, b = run
    m = now.depth.shape[1] - 1
    keep, h, c = out[a:b], now.depth[j, a:b], now.carry[j, a:b]
    left, right, up, down = fx[a:b], fx[a + 1 : b + 1], fy[a:b], fy_next[a:b]
    one, zero = numbers[ONE], numbers[ZERO]
    tiny, share = numbers[TINY], numbers[KEEP] * numbers[DX_DT]
    for i in range(keep.size):
        along = max(right[i], zero) + max(-left[i], zero)
        across = max(down[i], zero) + max(-up[i], zero)
        held = max(h[i] + c[i], zero) * share
        keep[i] = min(one, held / max(along + across, tiny))
    if a == 1:
        out[0] = one  # what lies beyond an edge can pay
    if b == m:
        out[b] = one


@kernel
def _finish_row(
    j: int, span: tuple[int, int], run: tuple[int, int], ground: Ground, now: State,
    numbers: Floats, bits: NDArray[np.signedinteger], scratch: Scratch, above: BetweenBands,
    below: BetweenBands, drains: bool, faces: Faces,
) -> None:  # fmt: skip
    """Limit the faces of row j and update its depth."""
    first, end = span
    a, b = run
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    rows, one, zero = scratch.rows, numbers[ONE], numbers[ZERO]
    fx, keep = rows[_FX + j % 2], rows[_KEEP + j % 2]
    fy, keep_next = rows[_FY + (j + 1) % 2], rows[_KEEP + (j + 1) % 2]
    if j == first:
        fx, keep, fy = above.below_x, above.below_keep, above.below_y
    elif j == end - 1:
        fx, keep = below.above_x, below.above_keep
    if j + 1 == end - 1:
        fy, keep_next = below.above_y, below.above_keep
    qx, qy = now.flux_x[j], now.flux_y[j]
    ahead = b + 1 if b == m else b
    _limit_row(qx[a:ahead], fx[a:ahead], keep[a - 1 : ahead - 1], keep[a:ahead], zero)
    if j == first:
        _copy_row(qy[a:b], above.limited[a:b], one)
    qy_next = now.flux_y[j + 1] if j + 1 < end else below.limited
    if j + 1 < end:
        _limit_row(qy_next[a:b], fy[a:b], keep[a:b], keep_next[a:b], zero)
    elif end == past:
        _copy_row(now.flux_y[past, a:b], below.limited[a:b], one)
    gain = rows[_GAIN, a:b]
    _gains(gain, now.carry[j, a:b], ground.rain_share[j, a:b], qx[a:b], qx[a + 1 : b + 1],
           qy[a:b], qy_next[a:b], numbers)  # fmt: skip
    sink_row(j, gain, a, faces)
    if drains:
        _fill_and_drain(now.depth[j, a:b], now.carry[j, a:b], gain, ground.drain_mps[j, a:b],
                        scratch.drained[a:b], numbers)  # fmt: skip
    else:
        _fill(now.depth[j, a:b], now.carry[j, a:b], gain, zero)
    _watch_bits(bits[j, a:b], scratch.highest[a:b], scratch.lowest[a:b])
    if a == 1:
        scratch.over_sides[0] -= np.float64(qx[1])
    if b == m:
        scratch.over_sides[1] += np.float64(qx[m])


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
def _gains(
    out: Floats, c: Floats, share: Floats, left: Floats, right: Floats, up: Floats, down: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """What the cells of a row gain: through their faces, by rain, and what rounding kept."""
    dt_dx, rain = numbers[DT_DX], numbers[RAIN]
    for i in range(out.size):
        net = (left[i] - right[i]) + (up[i] - down[i])
        out[i] = multiply_add(rain, share[i], multiply_add(net, dt_dx, c[i]))


@kernel
def _fill(h: Floats, c: Floats, gain: Floats, zero: float) -> None:
    """Add the gain to the depth; what rounding loses of it is carried."""
    for i in range(h.size):
        full = h[i] + gain[i]
        back = full - h[i]
        lost = (h[i] - (full - back)) + (gain[i] - back)  # TwoSum: full + lost = h + gain exactly
        c[i] = lost if full > zero else zero
        h[i] = full


@kernel
def _fill_and_drain(
    h: Floats, c: Floats, gain: Floats, drain: Floats, drained: Sums, numbers: Floats
) -> None:
    """Add the gain, take what the drains can; what rounding loses is carried, or goes along."""
    dt, zero = numbers[DT], numbers[ZERO]
    for i in range(h.size):
        full = h[i] + gain[i]
        back = full - h[i]
        lost = (h[i] - (full - back)) + (gain[i] - back)
        taken = min(drain[i] * dt, max(full, zero))
        rest = full - taken
        back = rest - full
        lost += (full - (rest - back)) - (taken + back)
        c[i] = lost if rest > zero else zero
        h[i] = rest
        drained[i] += taken + (zero if rest > zero else lost)


@kernel
def _watch_bits(
    bits: NDArray[np.signedinteger], highest: NDArray[np.signedinteger],
    lowest: NDArray[np.signedinteger],
) -> None:  # fmt: skip
    """Keep the largest and smallest bits: of numbers >= 0 they are ordered as the numbers are."""
    for i in range(bits.size):
        highest[i] = max(highest[i], bits[i])
        lowest[i] = min(lowest[i], bits[i])
