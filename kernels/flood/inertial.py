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
    "WALLS",
    "WALL_M",
    "Ground",
    "State",
    "Water",
    "advance",
    "new_ground",
    "new_water",
    "stored_m3",
    "warm",
]

Floats = NDArray[Any]
Sums = NDArray[np.float64]

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


class State(NamedTuple):
    """Water at one instant, with the ring, in the grid's float type.

    `depth`, `carry` (rows+2, columns+2): depth and what its rounding kept from it, m; `flux_x`
    (rows+2, columns+3), `flux_y` (rows+3, columns+2): m²/s through faces.
    """

    depth: Floats
    carry: Floats
    flux_x: Floats
    flux_y: Floats


class Water(NamedTuple):
    """What changes: the state, room for the next one, and what is remembered.

    `peak_m`, `peak_s`, `arrival_s` (rows, columns): largest depth, its time, first time
    above the arrival depth (NaN before); `ledger` (4) float64, see `LEDGER`; `steps` (1) time
    steps so far.
    """

    now: State
    then: State
    peak_m: Floats
    peak_s: NDArray[np.float32]
    arrival_s: NDArray[np.float32]
    ledger: Sums
    steps: NDArray[np.int64]

    @property
    def depth_m(self) -> Floats:
        """Depth of the cells, (rows, columns), m: a view without the ring."""
        return self.now.depth[1:-1, 1:-1]


class _Work(NamedTuple):
    """Room and numbers of one call: buffers are (bands, …), one band of rows each."""

    clock: Sums
    numbers: Floats
    buffers: Floats
    seeds: NDArray[np.float32]
    bits: NDArray[np.int32]
    sums: Sums
    row_share: Sums
    row_drains: NDArray[np.bool_]
    rain_ends: Sums
    rain_mps: Sums


class _Band(NamedTuple):
    """What one band works with: raw fluxes of 2 + 3 rows, limiters of 3, four scratch rows."""

    numbers: Floats
    fx: Floats
    fy: Floats
    keep: Floats
    scratch: Floats
    seeds: NDArray[np.float32]
    bits: NDArray[np.int32]
    sums: Sums
    row_drains: NDArray[np.bool_]


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

    def laid(values: Floats | float, *, edges: bool) -> Floats:
        inside = np.broadcast_to(np.asarray(values, np.float64), np.shape(bed_m))
        padded = np.pad(inside, 1, mode="edge") if edges else np.pad(inside, 1)
        return np.ascontiguousarray(np.where(shut, 0.0, padded), dtype=dtype)

    return Ground(
        bed_m=np.ascontiguousarray(bed, dtype=dtype),
        friction=laid(_GRAVITY * np.square(manning), edges=True),
        rain_share=laid(rain_share, edges=False),
        drain_mps=laid(drain_mps, edges=False),
        opening=np.array([slope >= 0 for slope in edge_slope], dtype=dtype),
    )


def new_water(ground: Ground, *, depth_m: Floats | float = 0.0) -> Water:
    """Start with still water of `depth_m` (rows, columns) on open cells."""
    rows, columns = ground.bed_m.shape
    shapes = ((rows, columns), (rows, columns), (rows, columns + 1), (rows + 1, columns))
    now, then = (State(*(np.zeros(s, ground.bed_m.dtype) for s in shapes)) for _ in range(2))
    inside = ground.bed_m[1:-1, 1:-1]
    depth = now.depth
    depth[1:-1, 1:-1] = np.where(inside < WALL_M / 2, depth_m, 0.0)
    for ring, edge, opening in zip(
        (depth[0], depth[-1], depth[:, 0], depth[:, -1]),
        (depth[1], depth[-2], depth[:, 1], depth[:, -2]),
        ground.opening,
        strict=True,
    ):
        ring[:] = opening * edge
    return Water(
        now,
        then,
        peak_m=depth[1:-1, 1:-1].copy(),
        peak_s=np.zeros(inside.shape, np.float32),
        arrival_s=np.full(inside.shape, np.nan, np.float32),
        ledger=np.zeros(len(LEDGER)),
        steps=np.zeros(1, np.int64),
    )


def stored_m3(water: Water, *, cell_m: float) -> float:
    """Volume of water on the grid, m³, summed row by row in float64."""
    inside = (slice(1, -1), slice(1, -1))
    rows = [held[inside].sum(axis=1, dtype=np.float64) for held in water.now[:2]]
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
    seeds = np.zeros((bands, columns + 1), np.float32)
    work = _Work(
        clock,
        numbers,
        buffers=np.zeros((bands, _BUFFERS, columns + 1), numbers.dtype),
        seeds=seeds,
        bits=seeds.view(np.int32),
        sums=np.zeros((rows, _SUMS)),
        row_share=ground.rain_share.sum(axis=1, dtype=np.float64),
        row_drains=(ground.drain_mps > 0).any(axis=1),
        rain_ends=rain_ends_s,
        rain_mps=rain_mps,
    )
    steps = _advance(ground, water, work)
    if steps % 2 == 1:
        for now, then in zip(water.now, water.then, strict=True):
            np.copyto(now, then)
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
def _advance(ground: Ground, water: Water, work: _Work) -> int:
    """Take time steps until the clock's end; an odd number of them ends in ``water.then``.

    The parallel loop sees plain arrays only: numba cannot hand it tuples that change places.
    """
    bed, friction, share, drain, opening = ground
    h, c, qx, qy = water.now
    h2, c2, qx2, qy2 = water.then
    peak, peak_s, arrival_s = water.peak_m, water.peak_s, water.arrival_s
    clock, numbers, buffers, seeds, bits, sums, row_share, row_drains, ends, rates = work
    past = h.shape[0] - 1
    for j in range(1, past):
        sums[j, _SUM_DEEPEST] = _row_max(h[j])
    steps = 0
    while clock[_T] < clock[_END] and steps < clock[_MOST_STEPS]:
        last = _set_step(clock, numbers, sums, ends, rates)
        steps += 1
        watch = last or (water.steps[0] + steps) % clock[_EVERY] == 0
        for b in prange(buffers.shape[0]):
            first = 1 + b * _BAND_ROWS
            end = min(past, first + _BAND_ROWS)
            rows = buffers[b]
            band = _Band(numbers, rows[0:2], rows[2:5], rows[5:8], rows[8:12], seeds[b], bits[b],
                         sums, row_drains)  # fmt: skip
            _sweep_band((first, end), Ground(bed, friction, share, drain, opening),
                        State(h, c, qx, qy), State(h2, c2, qx2, qy2), band)  # fmt: skip
            if watch:
                for j in range(first, end):
                    _watch_row(h2[j, 1:-1], peak[j - 1], peak_s[j - 1], arrival_s[j - 1], clock)
        _book(water.ledger, sums, row_share, numbers, clock[_CELL])
        h, c, qx, qy, h2, c2, qx2, qy2 = h2, c2, qx2, qy2, h, c, qx, qy
    water.steps[0] += steps
    return steps


@kernel
def _set_step(clock: Sums, numbers: Floats, sums: Sums, rain_ends: Sums, rain_mps: Sums) -> bool:
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
    return bool(clock[_T] >= end)


@kernel
def _book(ledger: Sums, sums: Sums, row_share: Sums, numbers: Floats, cell: float) -> None:
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
def _row_max(row: Floats) -> float:
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
def _row_sum(row: Floats) -> float:
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
def _watch_row(depth: Floats, peak: Floats, peak_s: Floats, arrival_s: Floats, clock: Sums) -> None:
    """Remember the largest depth, its time, and the first time above the arrival depth."""
    now, arrived_m = np.float32(clock[_T]), clock[_ARRIVED_M]
    for i in range(depth.size):
        if depth[i] > peak[i]:
            peak[i] = depth[i]
            peak_s[i] = now
        if depth[i] > arrived_m and np.isnan(arrival_s[i]):
            arrival_s[i] = now


@kernel
def _sweep_band(
    span: tuple[int, int], ground: Ground, now: State, then: State, band: _Band
) -> None:
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
                _one_way(fy[k % 3], numbers[_ONE] if k == past else -numbers[_ONE])
            if j >= begin:
                faces = _Around(fx[j % 2], fy[j % 3], fy[k % 3])
                _limits(band.keep[j % 3], j, now, faces, numbers)
        if j > first:
            _finish_row(j - 1, ground, now, then, band)


@kernel
def _column_faces(fx: Floats, j: int, ground: Ground, now: State, band: _Band) -> None:
    """Raw flux through the faces between the columns of row j; edges let water out only."""
    h, bed, friction = now.depth[j], ground.bed_m[j], ground.friction[j]
    q, qy, qy_next = now.flux_x[j], now.flux_y[j], now.flux_y[j + 1]
    n = h.size
    m = n - 1
    zero = band.numbers[_ZERO]
    _faces(
        fx[1:n],
        _Cells(h[:m], bed[:m], friction[:m]),
        _Cells(h[1:], bed[1:], friction[1:]),
        _Fluxes(q[1:n], q[:m], q[2:], qy[:m], qy_next[:m], qy[1:], qy_next[1:]),
        band,
    )
    fx[1] = min(fx[1], zero)
    fx[m] = max(fx[m], zero)


@kernel
def _row_faces(fy: Floats, j: int, ground: Ground, now: State, band: _Band) -> None:
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


@kernel
def _one_way(flux: Floats, outwards: float) -> None:
    """Let water through an edge in the direction `outwards` (1 or -1) only."""
    for i in range(flux.size):
        if outwards * flux[i] < 0.0:
            flux[i] = 0.0


@kernel
def _faces(out: Floats, a: _Cells, b: _Cells, old: _Fluxes, band: _Band) -> None:
    """Flux from cells a to cells b: the momentum equation, the only place it stands.

    Differences of depth and of bed are taken apart, which keeps still water still in float32,
    and every sum is paired so that a mirrored grid gives the mirrored bits.
    """
    n = out.size
    h_a, z_a, n_a = a
    h_b, z_b, n_b = b
    q, q_before, q_after, c0, c1, c2, c3 = old
    numbers, hf, seeds, bits = band.numbers, band.scratch[0], band.seeds, band.bits
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
def _limits(keep: Floats, j: int, now: State, faces: _Around, numbers: Floats) -> None:
    """Part of its outflow that each cell of row j can pay for, 0 to 1."""
    h, c = now.depth[j], now.carry[j]
    fx, fy, fy_next = faces
    dx_dt, one, zero = numbers[_DX_DT], numbers[_ONE], numbers[_ZERO]
    tiny, share = numbers[_TINY], numbers[_KEEP]
    for i in range(h.size):
        along = max(fx[i + 1], zero) + max(-fx[i], zero)
        across = max(fy_next[i], zero) + max(-fy[i], zero)
        held = max(h[i] + c[i], zero) * share * dx_dt
        keep[i] = min(one, held / max(along + across, tiny))


@kernel
def _finish_row(j: int, ground: Ground, now: State, then: State, band: _Band) -> None:
    """Limit the faces of row j, update its depth, add up what left the grid."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    fx, fy, keep, sums = band.fx[j % 2], band.fy, band.keep, band.sums
    here, after = keep[j % 3], band.scratch[1]
    h2, qx2, qy2, opening = then.depth, then.flux_x, then.flux_y, ground.opening
    zero, one = band.numbers[_ZERO], band.numbers[_ONE]
    _limit_row(qx2[j, 1 : m + 1], fx[1 : m + 1], here[:m], here[1 : m + 1], zero)
    _limit_row(qy2[j, 1:m], fy[j % 3, 1:m], keep[(j - 1) % 3, 1:m], here[1:m], zero)
    _limit_row(after[1:m], fy[(j + 1) % 3, 1:m], here[1:m], keep[(j + 1) % 3, 1:m], zero)
    _update_row(j, ground, now, then, band)
    left = np.float64(qx2[j, m]) - np.float64(qx2[j, 1])
    h2[j, 0], h2[j, m] = opening[2] * h2[j, 1], opening[3] * h2[j, m - 1]
    qx2[j, 0], qx2[j, m + 1] = qx2[j, 1], qx2[j, m]
    qy2[j, 0], qy2[j, m] = qy2[j, 1], qy2[j, m - 1]
    if j == 1:
        left -= _row_sum(qy2[1, 1:m])
        _copy_row(h2[0], h2[1], opening[0])
        _copy_row(qx2[0], qx2[1], one)
        _copy_row(qy2[0], qy2[1], one)
    if j + 1 == past:
        _copy_row(qy2[past, 1:m], after[1:m], one)
        left += _row_sum(qy2[past, 1:m])
        _copy_row(h2[past], h2[j], opening[1])
        _copy_row(qx2[past], qx2[j], one)
        _copy_row(qy2[past + 1], qy2[past], one)
    gone, made = band.scratch[2, : m - 1], band.scratch[3, : m - 1]
    sums[j, _SUM_DRAINED] = _row_sum(gone) if band.row_drains[j] else 0.0
    sums[j, _SUM_CLIPPED] = _row_sum(made) if _row_max(made) > 0.0 else 0.0
    sums[j, _SUM_OUT] = left
    sums[j, _SUM_DEEPEST] = _row_max(h2[j])


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
def _update_row(j: int, ground: Ground, now: State, then: State, band: _Band) -> None:
    """Continuity, rain, drains of row j: depth, what its rounding lost, drained, made up to 0."""
    m = now.depth.shape[1] - 1
    h, c, h2, c2 = now.depth[j, 1:m], now.carry[j, 1:m], then.depth[j, 1:m], then.carry[j, 1:m]
    fx, fy, fy_next = then.flux_x[j, 1 : m + 1], then.flux_y[j, 1:m], band.scratch[1, 1:m]
    share, drain = ground.rain_share[j, 1:m], ground.drain_mps[j, 1:m]
    gone, made, numbers = band.scratch[2], band.scratch[3], band.numbers
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
