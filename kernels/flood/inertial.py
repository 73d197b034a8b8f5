"""How water moves over a grid: the local inertial equations, one fused sweep per time step.

Momentum without its advection term (Bates et al. 2010) on the faces between
cells, with the q-centred scheme and the friction of the full flux vector of
de Almeida & Bates (2013)::

    q' = (θ q + (1-θ)/2 (q₋ + q₊) - g h_f Δt Δη/Δx) / (1 + g Δt n² |q| h_f^(-7/3))
    h_f = max(η_a, η_b) - max(z_a, z_b),   |q'| ≤ Fr h_f √(g h_f)

then, in the same pass, a limiter (no cell gives more than it holds), continuity,
rain and drains. Good for flow below Froude 1 that varies gradually: streets,
ponds, plains; not for dam breaks or steep jets.

How the sweep stays right on any number of threads: every step reads one set of
arrays and writes another. A band of rows computes the faces of its two
neighbour rows again instead of sharing them, so a limited flux is the same number on
both its sides and no sum depends on who ran first. All sums are per row in
float64, then over the rows in order.

State arrays carry a ring of one ghost cell, which holds the edges of the domain.
``fx`` are fluxes through faces between columns, ``fy`` between rows, positive towards
higher indices; face i lies before cell i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange

__all__ = [
    "EDGES",
    "LEDGER",
    "WALL_M",
    "WALLS",
    "Ground",
    "Water",
    "advance",
    "new_ground",
    "new_water",
    "stored_m3",
    "warm",
]

Floats = NDArray[Any]

WALL_M = 1e30
"""Bed of a closed cell: dry and higher than any water, so nothing flows over its faces."""

EDGES = ("first_row", "last_row", "first_column", "last_column")
"""Order of the four edges of the domain."""

WALLS = (-1.0, -1.0, -1.0, -1.0)
"""Edge slopes of a domain closed all around."""

LEDGER = ("rain_m3", "drained_m3", "outflow_m3", "clipped_m3")
"""What `Water.ledger` adds up; clipped is water made where rounding went below zero."""

_BAND_ROWS = 32
_BUFFERS = 12
_GRAVITY = 9.81
# x^(-1/3) from the bits of a float32, off by 3.5 % at most: exponent divided by -3.
_SEED = np.int32(0x54A2FA8C)
_THIRD = np.float32(1.0 / 3.0)
_FOUR_THIRDS = np.float32(4.0 / 3.0)

# Places in the row of numbers that one step needs, all of the grid's own type.
_DT, _DT_DX, _DX_DT, _G_DT_DX, _THETA, _SIDE, _FROUDE, _DRY, _RAIN, _G, _HALF, _ONE = range(12)
_QUARTER, _ZERO, _TINY, _KEEP, _C43, _C13, _NUMBERS = range(12, 19)
# Places in the per-row sums.
_SUM_DRAINED, _SUM_CLIPPED, _SUM_OUT, _SUM_DEEPEST, _SUMS = range(5)
# Places in the clock: time, its end, cell size, and how steps are chosen and watched.
_T, _END, _CELL, _ALPHA, _DT_MAX, _MOST_STEPS, _EVERY, _ARRIVED_M, _CLOCK = range(9)


class Ground(NamedTuple):
    """What does not change, (rows+2, columns+2) with the ring, in the grid's float type.

    `bed_m` height above the lowest bed, `WALL_M` where closed; `friction` g·n²
    (m^(1/3)); `rain_share` part of a cell's area that rains into it (1 open ground,
    more beside a roof, 0 closed); `drain_mps` capacity of its drain; `opening` (4) 1 for an
    open edge of `EDGES`, 0 for a wall.
    """

    bed_m: Floats
    friction: Floats
    rain_share: Floats
    drain_mps: Floats
    opening: Floats


class Water(NamedTuple):
    """What changes: the state with its ring, its twin for the next step, and what is remembered.

    `depth`, `carry` (rows+2, columns+2): depth and what rounding kept from it, m; `flux_x`
    (rows+2, columns+3), `flux_y` (rows+3, columns+2): m²/s through faces; `next_*` the same for
    the coming step; `peak_m`, `peak_s`, `arrival_s` (rows, columns): largest depth, its time,
    first time above the arrival depth (NaN before); `ledger` (4) float64, see `LEDGER`;
    `steps` (1) time steps so far.
    """

    depth: Floats
    carry: Floats
    flux_x: Floats
    flux_y: Floats
    next_depth: Floats
    next_carry: Floats
    next_flux_x: Floats
    next_flux_y: Floats
    peak_m: Floats
    peak_s: NDArray[np.float32]
    arrival_s: NDArray[np.float32]
    ledger: NDArray[np.float64]
    steps: NDArray[np.int64]

    @property
    def depth_m(self) -> Floats:
        """Depth of the cells, (rows, columns), m: a view without the ring."""
        return self.depth[1:-1, 1:-1]


def new_ground(
    bed_m: Floats,
    *,
    cell_m: float,
    manning: Floats | float,
    rain_share: Floats | float = 1.0,
    drain_mps: Floats | float = 0.0,
    edge_slope: Sequence[float] = WALLS,
    dtype: type[np.floating[Any]] = np.float64,
) -> Ground:
    """Lay out the ground for `advance`.

    Parameters
    ----------
    bed_m
        (rows, columns) bed height, m; NaN is closed, where no water can be.
    cell_m
        Side of a cell, m.
    manning
        Manning's n (曼宁系数), s/m^(1/3), one number or per cell.
    rain_share, drain_mps
        See `Ground`; both are set to 0 in closed cells.
    edge_slope
        Per edge of `EDGES`: negative a wall; else free outflow at normal depth on the
        bed's own slope outwards, but at least this one.
    dtype
        float32 or float64.

    Returns
    -------
    Ground
        Heights are relative to the lowest open bed, where float32 is finest.
    """
    shut = np.pad(np.isnan(bed_m), 1, constant_values=False)
    lowest = np.min(bed_m, where=np.isfinite(bed_m), initial=np.inf)
    bed = np.pad(np.where(np.isnan(bed_m), WALL_M, bed_m - lowest), 1, mode="edge")
    for edge, slope in enumerate(edge_slope):
        beyond, last, inner = (
            (bed if edge < 2 else bed.T)[at] for at in ((0, 1, 2), (-1, -2, -3))[edge % 2]
        )
        fall = inner - last
        falling = (fall > slope * cell_m) & (inner < WALL_M / 2)
        beyond[:] = WALL_M if slope < 0 else last - np.where(falling, fall, slope * cell_m)

    def laid(values: Floats | float, ring: float | None) -> Floats:
        inside = np.broadcast_to(np.asarray(values, np.float64), np.shape(bed_m))
        padded = np.pad(inside, 1, mode="edge") if ring is None else np.pad(inside, 1)
        return np.ascontiguousarray(np.where(shut, 0.0, padded), dtype=dtype)

    return Ground(
        bed_m=np.ascontiguousarray(bed, dtype=dtype),
        friction=laid(_GRAVITY * np.square(manning), None),
        rain_share=laid(rain_share, 0.0),
        drain_mps=laid(drain_mps, 0.0),
        opening=np.array([slope >= 0 for slope in edge_slope], dtype=dtype),
    )


def new_water(ground: Ground, *, depth_m: Floats | float = 0.0) -> Water:
    """Start with still water of `depth_m` (rows, columns) on open cells."""
    rows, columns = ground.bed_m.shape
    shapes = ((rows, columns), (rows, columns), (rows, columns + 1), (rows + 1, columns))
    state = [np.zeros(shape, ground.bed_m.dtype) for shape in shapes * 2]
    inside = ground.bed_m[1:-1, 1:-1]
    depth = state[0]
    depth[1:-1, 1:-1] = np.where(inside < WALL_M / 2, depth_m, 0.0)
    for ring, edge, opening in zip(
        (depth[0], depth[-1], depth[:, 0], depth[:, -1]),
        (depth[1], depth[-2], depth[:, 1], depth[:, -2]),
        ground.opening,
        strict=True,
    ):
        ring[:] = opening * edge
    return Water(
        *state,
        peak_m=depth[1:-1, 1:-1].copy(),
        peak_s=np.zeros(inside.shape, np.float32),
        arrival_s=np.full(inside.shape, np.nan, np.float32),
        ledger=np.zeros(len(LEDGER)),
        steps=np.zeros(1, np.int64),
    )


def stored_m3(water: Water, *, cell_m: float) -> float:
    """Volume of water on the grid, m³, summed row by row in float64."""
    inside = (slice(1, -1), slice(1, -1))
    rows = [held[inside].sum(axis=1, dtype=np.float64) for held in (water.depth, water.carry)]
    return float((rows[0] + rows[1]).sum()) * cell_m * cell_m


def advance(
    ground: Ground,
    water: Water,
    *,
    cell_m: float,
    from_s: float,
    until_s: float,
    rain_ends_s: NDArray[np.float64],
    rain_mps: NDArray[np.float64],
    most_steps: int = 2**62,
    theta: float = 0.9,
    courant: float = 0.7,
    froude: float = 1.0,
    dry_m: float = 1e-4,
    longest_step_s: float = 10.0,
    arrival_m: float = 0.05,
    watch_every: int = 1,
) -> tuple[float, int]:
    """Move `water` on, in place, until `until_s` or for `most_steps` time steps.

    The answer does not depend on how a span is cut by `most_steps`, nor on the number of threads.

    Parameters
    ----------
    ground, water
        From `new_ground` and `new_water`.
    cell_m
        Side of a cell, m.
    from_s, until_s
        Time now, and when to stop, s; a step ends exactly there.
    rain_ends_s, rain_mps
        (blocks) end of each block of rain, s, ascending, and its rate, m/s; none after the last.
    theta
        Weight of a face against its two neighbours, 0.7 to 1; 1 is Bates et al. (2010).
    courant
        Time step in units of cell_m / √(g · deepest), at most 0.7 by de Almeida & Bates (2013).
    froude
        Largest Froude number of a face flux.
    dry_m
        Depth at a face below which nothing flows.
    longest_step_s
        Longest time step.
    arrival_m
        Depth whose first crossing `Water.arrival_s` remembers.
    watch_every
        Steps between two looks at peaks and arrivals (always at `until_s`).

    Returns
    -------
    (float, int)
        Time reached, s, and time steps taken.

    References
    ----------
    Bates, Horritt & Fewtrell (2010), J. Hydrol. 387, 33-45.
    de Almeida & Bates (2013), Water Resour. Res. 49, 4833-4844.
    """
    clock = np.zeros(_CLOCK)
    clock[[_T, _END, _CELL, _ALPHA, _DT_MAX]] = from_s, until_s, cell_m, courant, longest_step_s
    clock[[_MOST_STEPS, _EVERY, _ARRIVED_M]] = most_steps, watch_every, arrival_m
    numbers = np.zeros(_NUMBERS, ground.bed_m.dtype)
    numbers[[_THETA, _SIDE, _FROUDE, _DRY, _G]] = theta, (1 - theta) / 2, froude, dry_m, _GRAVITY
    numbers[[_HALF, _ONE, _QUARTER, _C43, _C13]] = 0.5, 1.0, 0.25, 4.0 / 3.0, 1.0 / 3.0
    numbers[_TINY] = np.finfo(numbers.dtype).tiny
    numbers[_KEEP] = 1.0 - 16.0 * np.finfo(numbers.dtype).eps
    rows, columns = ground.bed_m.shape
    bands = -(-(rows - 2) // _BAND_ROWS)
    work = np.zeros((bands, _BUFFERS, columns + 1), numbers.dtype)
    seeds = np.zeros((bands, columns + 1), np.float32)
    sums = np.zeros((rows, _SUMS))
    row_share = ground.rain_share.sum(axis=1, dtype=np.float64)
    row_drains = (ground.drain_mps > 0).any(axis=1)
    before = int(water.steps[0])
    _advance(
        *ground, *water, row_share, row_drains, rain_ends_s, rain_mps,
        clock, numbers, work, seeds, seeds.view(np.int32), sums,
    )  # fmt: skip
    steps = int(water.steps[0]) - before
    if steps % 2 == 1:
        for now, following in zip(water[:4], water[4:8], strict=True):
            np.copyto(now, following)
    return float(clock[_T]), steps


def warm() -> None:
    """Compile for float32 and float64."""
    for dtype in (np.float32, np.float64):
        ground = new_ground(np.zeros((2, 2)), cell_m=1.0, manning=0.03, dtype=dtype)
        rain = np.ones(1)
        advance(
            ground,
            new_water(ground),
            cell_m=1.0,
            from_s=0.0,
            until_s=1.0,
            rain_ends_s=rain,
            rain_mps=rain,
        )


@kernel(parallel=True)
def _advance(
    bed, friction, share, drain, opening, depth, carry, flux_x, flux_y, depth2, carry2, flux_x2,
    flux_y2, peak, peak_s, arrival_s, ledger, count, row_share, row_drains, rain_ends, rain_mps,
    clock, numbers, work, seeds, bits, sums,
):  # fmt: skip
    """Take time steps until the clock's end; an odd number ends in the second set of arrays."""
    past = depth.shape[0] - 1
    bands = work.shape[0]
    h, c, qx, qy = depth, carry, flux_x, flux_y
    h2, c2, qx2, qy2 = depth2, carry2, flux_x2, flux_y2
    for j in range(1, past):
        sums[j, _SUM_DEEPEST] = _row_max(h[j])
    steps = 0
    while clock[_T] < clock[_END] and steps < clock[_MOST_STEPS]:
        last = _set_step(clock, numbers, sums, rain_ends, rain_mps)
        steps += 1
        watch = last or (count[0] + steps) % clock[_EVERY] == 0
        for b in prange(bands):
            first = 1 + b * _BAND_ROWS
            end = min(past, first + _BAND_ROWS)
            _sweep_band(
                first, end, bed, friction, share, drain, opening, row_drains, h, c, qx, qy,
                h2, c2, qx2, qy2, numbers, work[b], seeds[b], bits[b], sums,
            )  # fmt: skip
            if watch:
                for j in range(first, end):
                    _watch_row(h2[j, 1:-1], peak[j - 1], peak_s[j - 1], arrival_s[j - 1],
                               clock[_T], clock[_ARRIVED_M])  # fmt: skip
        _book(ledger, sums, row_share, numbers, clock[_CELL])
        h, c, qx, qy, h2, c2, qx2, qy2 = h2, c2, qx2, qy2, h, c, qx, qy
    count[0] += steps


@kernel
def _set_step(clock, numbers, sums, rain_ends, rain_mps):
    """Choose the time step, move the clock on, tell whether the clock's end is reached."""
    deepest = 0.0
    for j in range(1, sums.shape[0] - 1):
        deepest = max(deepest, sums[j, _SUM_DEEPEST])
    t, end, cell = clock[_T], clock[_END], clock[_CELL]
    rate = 0.0
    stop = end
    for k in range(rain_ends.size):
        if t < rain_ends[k]:
            rate = rain_mps[k]
            stop = min(end, rain_ends[k])
            break
    dt = clock[_DT_MAX]
    if deepest > 0.0:
        dt = min(dt, clock[_ALPHA] * cell / math.sqrt(_GRAVITY * deepest))
    parts = math.ceil((stop - t) / dt)
    dt = (stop - t) / parts
    clock[_T] = stop if parts <= 1 else t + dt
    numbers[_DT] = dt
    numbers[_DT_DX] = dt / cell
    numbers[_DX_DT] = cell / dt
    numbers[_G_DT_DX] = _GRAVITY * dt / cell
    numbers[_RAIN] = rate * dt
    return clock[_T] >= end


@kernel
def _book(ledger, sums, row_share, numbers, cell):
    """Add one step's volumes to the ledger, row after row."""
    area = cell * cell
    rained, drained, clipped, out = 0.0, 0.0, 0.0, 0.0
    for j in range(1, sums.shape[0] - 1):
        rained += row_share[j]
        drained += sums[j, _SUM_DRAINED]
        clipped += sums[j, _SUM_CLIPPED]
        out += sums[j, _SUM_OUT]
    ledger[0] += rained * np.float64(numbers[_RAIN]) * area
    ledger[1] += drained * area
    ledger[2] += out * np.float64(numbers[_DT_DX]) * area
    ledger[3] += clipped * area


@kernel
def _row_max(row):
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
    return np.float64(max(max(a, b), max(c, d)))


@kernel
def _row_sum(row):
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
def _watch_row(depth, peak, peak_s, arrival_s, time_s, arrived_m):
    """Remember the largest depth, its time, and the first time above the arrival depth."""
    now = np.float32(time_s)
    for i in range(depth.size):
        if depth[i] > peak[i]:
            peak[i] = depth[i]
            peak_s[i] = now
        if depth[i] > arrived_m and np.isnan(arrival_s[i]):
            arrival_s[i] = now


@kernel
def _sweep_band(
    first, end, bed, friction, share, drain, opening, row_drains, h, c, qx, qy, h2, c2, qx2, qy2,
    numbers, work, seeds, bits, sums,
):  # fmt: skip
    """One time step for rows `first` to `end`: faces, limiter and update follow each other.

    Row j is updated when the limiter of row j+1 is known; one row before and one after the
    band are worked out for their limiters alone.
    """
    past = h.shape[0] - 1
    fx, fy, keep, scratch = work[0:2], work[2:5], work[5:8], work[8]
    begin = max(first - 1, 1)
    for j in range(begin - 1, end + 1):
        k = j + 1
        if j >= begin and j < past:
            _column_faces(fx[j % 2], h[j], bed[j], friction[j], qx[j], qy[j], qy[k], numbers,
                          scratch, seeds, bits)  # fmt: skip
        if j < past:
            _row_faces(fy[k % 3], h[j], bed[j], friction[j], h[k], bed[k], friction[k], qy[j],
                       qy[k], qy[k + 1], qx[j], qx[k], numbers, scratch, seeds, bits)  # fmt: skip
            if k == 1 or k == past:
                _one_way(fy[k % 3], numbers[_ONE] if k == past else -numbers[_ONE], numbers)
            if j >= begin:
                _limits(keep[j % 3], h[j], c[j], fx[j % 2], fy[j % 3], fy[k % 3], numbers)
        if j > first:
            _finish_row(j - 1, fx, fy, keep, h, c, share, drain, row_drains, h2, c2, qx2, qy2,
                        opening, numbers, work, sums)  # fmt: skip


@kernel
def _column_faces(fx, h, bed, friction, qx, qy, qy_next, numbers, scratch, seeds, bits):
    """Raw flux through the faces between the columns of one row; edges let water out only."""
    n = h.size
    m = n - 1
    _faces(fx[1:n], h[:m], bed[:m], friction[:m], h[1:], bed[1:], friction[1:], qx[1:n], qx[:m],
           qx[2:], qy[:m], qy_next[:m], qy[1:], qy_next[1:], numbers, scratch, seeds,
           bits)  # fmt: skip
    fx[1] = min(fx[1], numbers[_ZERO])
    fx[m] = max(fx[m], numbers[_ZERO])


@kernel
def _row_faces(fy, h, bed, friction, h_next, bed_next, friction_next, qy_before, qy, qy_after,
               qx, qx_next, numbers, scratch, seeds, bits):  # fmt: skip
    """Raw flux through the faces between a row and the next."""
    m = h.size - 1
    _faces(fy[1:m], h[1:m], bed[1:m], friction[1:m], h_next[1:m], bed_next[1:m],
           friction_next[1:m], qy[1:m], qy_before[1:m], qy_after[1:m], qx[1:m], qx[2:m + 1],
           qx_next[1:m], qx_next[2:m + 1], numbers, scratch, seeds, bits)  # fmt: skip


@kernel
def _one_way(flux, outwards, numbers):
    """Let water through an edge in the direction `outwards` (1 or -1) only."""
    zero = numbers[_ZERO]
    for i in range(flux.size):
        flux[i] = outwards * max(outwards * flux[i], zero)


@kernel
def _faces(out, h_a, z_a, n_a, h_b, z_b, n_b, q, q_before, q_after, c0, c1, c2, c3, numbers, hf,
           seeds, bits):  # fmt: skip
    """Flux from cells a to cells b: the momentum equation, the only place it stands.

    Differences of depth and of bed are taken apart, which keeps still water still in float32,
    and every sum is paired so that a mirrored grid gives the mirrored bits.
    """
    n = out.size
    dry, theta, side, quarter = numbers[_DRY], numbers[_THETA], numbers[_SIDE], numbers[_QUARTER]
    g_dt_dx, half_dt = numbers[_G_DT_DX], numbers[_HALF] * numbers[_DT]
    one, zero, g, froude = numbers[_ONE], numbers[_ZERO], numbers[_G], numbers[_FROUDE]
    four_thirds, third = numbers[_C43], numbers[_C13]
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
        drag = one + half_dt * (n_a[i] + n_b[i]) * size * (cube * cube * root)
        flux = (centred - g_dt_dx * depth * rise) / drag
        most = froude * depth * math.sqrt(g * depth)
        flux = max(min(flux, most), -most)
        out[i] = flux if hf[i] > dry else zero


@kernel
def _limits(keep, h, c, fx, fy, fy_next, numbers):
    """Part of its outflow that each cell of a row can pay for, 0 to 1."""
    dx_dt, one, zero = numbers[_DX_DT], numbers[_ONE], numbers[_ZERO]
    tiny, share = numbers[_TINY], numbers[_KEEP]
    for i in range(h.size):
        along = max(fx[i + 1], zero) + max(-fx[i], zero)
        across = max(fy_next[i], zero) + max(-fy[i], zero)
        held = max(h[i] + c[i], zero) * share * dx_dt
        keep[i] = min(one, held / max(along + across, tiny))


@kernel
def _finish_row(j, fx, fy, keep, h, c, share, drain, row_drains, h2, c2, qx2, qy2, opening,
                numbers, work, sums):  # fmt: skip
    """Limit the faces of row j, update its depth, add up what left the grid."""
    past, m = h.shape[0] - 1, h.shape[1] - 1
    here = keep[j % 3]
    after = work[9]
    _limit_row(qx2[j, 1:m + 1], fx[j % 2, 1:m + 1], here[:m], here[1:m + 1], numbers)
    _limit_row(qy2[j, 1:m], fy[j % 3, 1:m], keep[(j - 1) % 3, 1:m], here[1:m], numbers)
    _limit_row(after[1:m], fy[(j + 1) % 3, 1:m], here[1:m], keep[(j + 1) % 3, 1:m], numbers)
    gone, made = work[10, :m - 1], work[11, :m - 1]
    _update_row(h2[j, 1:m], c2[j, 1:m], gone, made, h[j, 1:m], c[j, 1:m], qx2[j, 1:m + 1],
                qy2[j, 1:m], after[1:m], share[j, 1:m], drain[j, 1:m], numbers)  # fmt: skip
    left = np.float64(qx2[j, m]) - np.float64(qx2[j, 1])
    h2[j, 0], h2[j, m] = opening[2] * h2[j, 1], opening[3] * h2[j, m - 1]
    qx2[j, 0], qx2[j, m + 1] = qx2[j, 1], qx2[j, m]
    qy2[j, 0], qy2[j, m] = qy2[j, 1], qy2[j, m - 1]
    if j == 1:
        left -= _row_sum(qy2[1, 1:m])
        _copy_row(h2[0], h2[1], opening[0])
        _copy_row(qx2[0], qx2[1], numbers[_ONE])
        _copy_row(qy2[0], qy2[1], numbers[_ONE])
    if j + 1 == past:
        _copy_row(qy2[past, 1:m], after[1:m], numbers[_ONE])
        left += _row_sum(qy2[past, 1:m])
        _copy_row(h2[past], h2[j], opening[1])
        _copy_row(qx2[past], qx2[j], numbers[_ONE])
        _copy_row(qy2[past + 1], qy2[past], numbers[_ONE])
    sums[j, _SUM_DRAINED] = _row_sum(gone) if row_drains[j] else 0.0
    sums[j, _SUM_CLIPPED] = _row_sum(made) if _row_max(made) > 0.0 else 0.0
    sums[j, _SUM_OUT] = left
    sums[j, _SUM_DEEPEST] = _row_max(h2[j])


@kernel
def _copy_row(out, row, factor):
    for i in range(out.size):
        out[i] = factor * row[i]


@kernel
def _limit_row(out, raw, keep_a, keep_b, numbers):
    zero = numbers[_ZERO]
    for i in range(out.size):
        a, b = keep_a[i], keep_b[i]  # both read first: a choice of loads does not vectorise
        out[i] = raw[i] * (a if raw[i] > zero else b)


@kernel
def _update_row(h2, c2, gone, made, h, c, fx, fy, fy_next, share, drain, numbers):
    """Continuity, rain, drains: new depth, the part its rounding lost, drained, made up to 0."""
    dt, dt_dx, rain, zero = numbers[_DT], numbers[_DT_DX], numbers[_RAIN], numbers[_ZERO]
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
