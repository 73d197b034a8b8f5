"""How water moves over a grid: the local inertial equations, one fused sweep per time step.

Momentum without its advection term (Bates et al. 2010) on the faces between
cells, with the q-centred scheme and the friction of the full flux vector of
de Almeida & Bates (2013)::

    q' (1 + b (|q'| + |q⃗| - |q|)) = a,   b = g Δt n² h_f^(-7/3)
    a = θ q + (1-θ)/2 (q₋ + q₊) - g h_f Δt Δη/Δx
    h_f = max(η_a, η_b) - max(z_a, z_b),   |q'| ≤ Fr h_f √(g h_f)

Friction is that of the new flux along the face (the quadratic has one root with the sign
of a); only what the flux across adds to its size, |q⃗| - |q|, is a step old. With all of it a
step old a film on a steep slope swings and runs off too fast.

then, in the same pass, a limiter (no cell gives more than it holds), continuity,
rain and drains. Good for flow below Froude 1 that varies gradually: streets,
ponds, plains; not for dam breaks or steep jets.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange, threads_for
from kernels.flood import rows as row
from kernels.flood import sweep as at
from kernels.flood.blocks import (
    COLUMNS,
    ROWS,
    Blocks,
    Seen,
    look_over,
    mind_edges,
    mind_walls,
    new_blocks,
    next_run,
    settle,
    wake,
    watch_band,
)
from kernels.flood.edges import Edges, add_moved, beyond_m, hold_edges, ready
from kernels.flood.faces import Faces, no_faces
from kernels.flood.rows import row_sum
from kernels.flood.water import (
    GRAVITY,
    SUM_CLIPPED,
    SUM_DRAINED,
    SUM_OUT,
    WALL_M,
    Floats,
    Ground,
    State,
    Sums,
    Water,
    book,
    new_ground,
    new_water,
    next_step,
)

__all__ = ["advance", "warm"]

# Places in the clock: time, its end, cell size, and how steps are chosen and watched.
_T, _END, _CELL, _ALPHA, _DT_MAX, _MOST_STEPS, _EVERY, _ARRIVED_M = range(8)
_FROM, _BEYOND_M, _CLOCK = range(8, 11)


Bits = NDArray[np.signedinteger[Any]]


class _Work(NamedTuple):
    """Room and numbers of one call: scratch is (bands, …), the rows between bands one more."""

    room: tuple[Sums, Floats, Floats, Bits, Bits, Sums, Sums, Floats]
    bits: Bits
    keys: row.Bits
    deep_keys: row.Bits
    sums: Sums
    row_share: Sums
    rain_ends: Sums
    rain_mps: Sums
    edge_kind: NDArray[np.int8]
    edge_value: Sums
    edge_flux: Sums
    skip_dry: bool


def advance(
    ground: Ground,
    water: Water,
    *,
    cell_m: float,
    from_s: float,
    until_s: float,
    rain_ends_s: NDArray[np.float64],
    rain_mps: NDArray[np.float64],
    edges: Edges | None = None,
    faces: Faces | None = None,
    most_steps: int = 2**62,
    theta: float = 0.9,
    courant: float = 0.6,
    froude: float = 1.0,
    dry_m: float = 1e-4,
    longest_step_s: float = 10.0,
    arrival_m: float = 0.05,
    watch_every: int = 1,
    skip_dry: bool = True,
) -> tuple[float, int]:
    """Move `water` on, in place, until `until_s` or for `most_steps` time steps.

    The answer does not depend on how a span is cut by `most_steps`, nor on the number of threads,
    nor on `skip_dry`. Every call looks over the whole grid once: calls of many steps are cheaper.

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
    edges
        What each edge cell does; None for what the ground says, which counts nothing by edge. A
        free edge cell needs its side open in `new_ground`.
    faces
        Thin walls and their gaps, from `new_faces`.
    theta
        Weight of a face against its two neighbours, 0.7 to 1; 1 is Bates et al. (2010).
    courant
        Time step in units of cell_m / √(g · deepest). Without friction the shortest waves of two
        dimensions grow above √(theta / 2), 0.67 at 0.9: below the 0.7 that is often quoted.
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
    skip_dry
        Leave out the blocks of the grid where nothing can move.

    Returns
    -------
    (float, int)
        Time reached, s, and time steps taken; none where the water has run away to infinity.

    References
    ----------
    Bates, Horritt & Fewtrell (2010), J. Hydrol. 387, 33-45.
    de Almeida & Bates (2013), Water Resour. Res. 49, 4833-4844.
    """
    clock = np.zeros(_CLOCK)
    clock[[_T, _END, _CELL, _ALPHA, _DT_MAX]] = from_s, until_s, cell_m, courant, longest_step_s
    clock[[_MOST_STEPS, _EVERY, _ARRIVED_M]] = most_steps, watch_every, arrival_m
    clock[_FROM] = from_s
    held = edges is not None
    edges = ready(edges, ground)
    clock[_BEYOND_M] = beyond_m(edges, ground) if held else 0.0
    numbers = np.zeros(row.NUMBERS, ground.bed_m.dtype)
    numbers[[row.THETA2, row.SIDE2]] = 2 * theta, 1 - theta
    numbers[[row.FROUDE, row.CAP]] = froude, froude * math.sqrt(GRAVITY)
    numbers[row.DRY] = dry_m
    numbers[row.TINY] = 1e-20  # keeps a cell without outflow from dividing by zero
    numbers[row.KEEP] = 1.0 - 16.0 * np.finfo(numbers.dtype).eps
    whole = np.int32 if numbers.dtype == np.float32 else np.int64
    key = np.uint32 if numbers.dtype == np.float32 else np.uint64
    columns = ground.bed_m.shape[1]
    blocks = new_blocks(ground)
    bands = blocks.share.size
    room = (
        clock,
        numbers,
        np.zeros((bands, at.BUFFERS, columns + 1), numbers.dtype),
        np.zeros((bands, columns), whole),
        np.zeros((bands, columns), whole),
        np.zeros((bands, columns)),
        np.zeros((bands, 2)),
        np.zeros((bands + 1, at.BETWEEN, columns + 1), numbers.dtype),
    )
    work = _Work(
        room,
        bits=water.now.depth.view(whole),
        keys=water.now.depth.view(key),
        deep_keys=room[3].view(key),
        sums=np.zeros((bands + 2, 3)),
        row_share=np.zeros(bands + 2),
        rain_ends=rain_ends_s,
        rain_mps=rain_mps,
        edge_kind=edges.kind if held else np.empty(0, np.int8),
        edge_value=np.zeros(edges.kind.size),
        edge_flux=np.zeros(edges.kind.size if held else 0),
        skip_dry=skip_dry,
    )
    faces = no_faces((ground.bed_m.shape[0] - 2, columns - 2)) if faces is None else faces
    with threads_for(ground.bed_m.size):
        steps = _advance(ground, water, edges, faces, work, blocks)
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
    ground: Ground, water: Water, edges: Edges, faces: Faces, work: _Work, blocks: Blocks
) -> int:
    """Take time steps until the clock's end.

    A step has two passes: the faces between bands, which read, and the bands, which write. The
    parallel loops see plain arrays only: numba cannot hand them tuples.
    """
    bed, friction, share, drain, opening = ground
    h, c, qx, qy = water.now
    peak, peak_s, arrival_s = water.peak_m, water.peak_s, water.arrival_s
    clock, numbers, rows, highest, flags, rain_in, over_sides, between = work.room
    bits, keys, deep_keys = work.bits, work.keys, work.deep_keys
    awake, level, seen, rained_on, has_drain, thin, deep, deep_bits, left, band_share = blocks
    edge_kind, edge_value, edge_flux = work.edge_kind, work.edge_value, work.edge_flux
    first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y, weir = faces[:9]
    first_sink, at_sink, sunk_m = faces[9:]
    bands = band_share.size
    for b in prange(bands):
        look_over(b, Ground(bed, friction, share, drain, opening), State(h, c, qx, qy), bits, peak,
                  clock[_ARRIVED_M], Seen(highest[b], flags[b], rain_in[b], rows[b, 0]),
                  Blocks(awake, level, seen, rained_on, has_drain, thin, deep, deep_bits, left,
                         band_share))  # fmt: skip
    work.row_share[1:-1] = band_share
    mind_walls(faces, blocks)
    steps = 0
    while clock[_T] < clock[_END] and steps < clock[_MOST_STEPS]:
        deepest = max(settle(blocks, np.float64(numbers[row.DRY])), clock[_BEYOND_M])
        if not deepest < WALL_M / 2:
            break
        before = clock[_T]
        last = _set_step(clock, numbers, deepest, work.rain_ends, work.rain_mps)
        if edge_kind.size:
            part = (before - clock[_FROM]) / max(clock[_END] - clock[_FROM], 1e-30)
            for e in range(edge_kind.size):
                edge_value[e] = edges.start[e] + part * (edges.end[e] - edges.start[e])
            hold_edges(edge_kind, edge_value, edges.curves, ground, water.now,
                       at.step_of(numbers), edge_flux)  # fmt: skip
            mind_edges(edge_flux, (h.shape[0] - 2, h.shape[1] - 2), blocks)
        wake(blocks, numbers[row.RAIN] > 0.0, not work.skip_dry)
        steps += 1
        watch = last or (water.steps[0] + steps) % clock[_EVERY] == 0
        for e in prange(bands + 1):
            _between(e, Ground(bed, friction, share, drain, opening), State(h, c, qx, qy),
                     numbers,
                     at.Special(Faces(first_x, at_x, crest_x, share_x, first_y, at_y, crest_y,
                                        share_y, weir, first_sink, at_sink, sunk_m),
                                edge_kind, edge_flux),
                     between, awake)  # fmt: skip
        for b in prange(bands):
            _move_band(b, Ground(bed, friction, share, drain, opening),
                       State(h, c, qx, qy), numbers,
                       at.Special(Faces(first_x, at_x, crest_x, share_x, first_y, at_y, crest_y,
                                        share_y, weir, first_sink, at_sink, sunk_m),
                                edge_kind, edge_flux),
                       keys,
                       at.Scratch(rows[b], deep_keys[b], over_sides[b]),
                       between,
                       Blocks(awake, level, seen, rained_on, has_drain, thin, deep, deep_bits, left,
                              band_share))  # fmt: skip
            if watch:
                watch_band(b, h, peak, peak_s, arrival_s, clock[_T],
                            clock[_ARRIVED_M], seen)  # fmt: skip
        for b in range(bands):
            for place in range(3):
                total = 0.0
                for k in range(left.shape[1]):
                    total += left[b, k, place]
                work.sums[b + 1, place] = total
        book(water.ledger, work.sums, work.row_share, np.float64(numbers[row.RAIN]),
             np.float64(numbers[row.DT_DX]), clock[_CELL] * clock[_CELL])  # fmt: skip
        if edge_kind.size:
            _count_edges(edges, qx, qy, np.float64(numbers[row.DT_DX]) * clock[_CELL] ** 2)
    water.steps[0] += steps
    return steps


@kernel(part=True)
def _count_edges(edges: Edges, qx: Floats, qy: Floats, m3_per_flux: float) -> None:
    """Add to each edge cell's account what went through it in a step."""
    rows, columns = qx.shape[0] - 2, qx.shape[1] - 3
    for i in range(columns):
        add_moved(edges.moved_m3, i, np.float64(qy[1, i + 1]) * m3_per_flux)
        add_moved(edges.moved_m3, columns + i, -np.float64(qy[rows + 1, i + 1]) * m3_per_flux)
    for j in range(rows):
        e = 2 * columns + j
        add_moved(edges.moved_m3, e, np.float64(qx[j + 1, 1]) * m3_per_flux)
        add_moved(edges.moved_m3, e + rows, -np.float64(qx[j + 1, columns + 1]) * m3_per_flux)


@kernel(part=True)
def _columns(first: int, end: int, m: int) -> tuple[int, int]:
    """Columns of a run of blocks, the ring counted."""
    return 1 + first * COLUMNS, min(m, 1 + end * COLUMNS)


@kernel(part=True)
def _between(
    e: int, ground: Ground, now: State, numbers: Floats, special: at.Special,
    between: Floats, awake: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Work out the faces before band `e`, where one of its two bands is awake."""
    m = now.depth.shape[1] - 1
    j = min(1 + e * ROWS, now.depth.shape[0] - 1)
    first, end = next_run(awake[e], awake[e + 1], 0)
    while first < end:
        run = _columns(first - 1, end - 1, m)
        at.between_bands(j, run, ground, now, numbers, special, between[e])
        first, end = next_run(awake[e], awake[e + 1], end)


@kernel(part=True)
def _move_band(
    b: int, ground: Ground, now: State, numbers: Floats, special: at.Special,
    bits: row.Bits, scratch: at.Scratch, between: Floats, blocks: Blocks,
) -> None:  # fmt: skip
    """Take one time step in band `b`, where it is awake."""
    m, c = now.depth.shape[1] - 1, b + 1
    span = (1 + b * ROWS, min(1 + b * ROWS + ROWS, now.depth.shape[0] - 1))
    above, below = between[b], between[c]
    awake = blocks.awake[c]
    first, end = next_run(awake, awake, 0)
    while first < end:
        run = _columns(first - 1, end - 1, m)
        drains = False
        for k in range(first - 1, end - 1):
            drains = drains or blocks.drained[b, k] > 0
        at.sweep_run(span, run, ground, now, numbers, special, bits, scratch, above, below, drains)
        for k in range(first - 1, end - 1):
            _note_block(b, k, span, now, scratch, above, below, blocks, drains)
        at.fill_ring(span, run, ground.opening, now)
        first, end = next_run(awake, awake, end)


@kernel(part=True)
def _note_block(
    b: int, k: int, span: tuple[int, int], now: State, scratch: at.Scratch,
    above: Floats, below: Floats, blocks: Blocks, drains: bool,
) -> None:  # fmt: skip
    """Note the deepest water of a block, and what left it by drains and over the edges."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    first, end = span
    a, z = _columns(k, k + 1, m)
    highest = scratch.highest[a]
    for i in range(a, z):
        highest = max(highest, scratch.highest[i])
    blocks.bits[b, k] = highest
    blocks.sums[b, k, SUM_CLIPPED] = 0.0
    if blocks.bits[b, k] < 0:
        made, deepest = _lift(now.depth[first:end, a:z])
        blocks.sums[b, k, SUM_CLIPPED] = made
        blocks.deepest[b, k] = deepest
    drained = 0.0
    if drains:
        drained = row_sum(scratch.rows[at.DRAINED, a:z]) + row_sum(scratch.rows[at.MISSED, a:z])
    blocks.sums[b, k, SUM_DRAINED] = drained
    out = 0.0
    if a == 1:
        out += scratch.over_sides[0]
    if z == m:
        out += scratch.over_sides[1]
    if first == 1:
        out -= row_sum(above[at.LIMITED, a:z])
    if end == past:
        out += row_sum(below[at.LIMITED, a:z])
    blocks.sums[b, k, SUM_OUT] = out


@kernel(part=True)
def _lift(depth: Floats) -> tuple[float, float]:
    """Raise what rounding left below zero; metres of water made, deepest: inf where it is none."""
    made, deepest = 0.0, 0.0
    for j in range(depth.shape[0]):
        for i in range(depth.shape[1]):
            if not depth[j, i] >= 0.0:
                made -= np.float64(depth[j, i])
                depth[j, i] = 0.0 if depth[j, i] < 0.0 else depth[j, i]
            deepest = max(deepest, np.float64(depth[j, i]))
    return made, np.inf if np.isnan(made) else deepest


@kernel(part=True)
def _set_step(
    clock: Sums, numbers: Floats, deepest: float, rain_ends: Sums, rain_mps: Sums
) -> bool:
    """Choose the time step, move the clock on, tell whether the clock's end is reached."""
    end, cell = clock[_END], clock[_CELL]
    dt = clock[_DT_MAX]
    if deepest > 0.0:
        dt = min(dt, clock[_ALPHA] * cell / math.sqrt(GRAVITY * deepest))
    clock[_T], dt, rate = next_step(clock[_T], end, dt, rain_ends, rain_mps)
    numbers[row.DT] = dt
    numbers[row.DT_DX] = dt / cell
    numbers[row.DX_DT] = cell / dt
    numbers[row.G2_DT_DX] = 2.0 * GRAVITY * dt / cell
    numbers[row.RAIN] = rate * dt
    return bool(clock[_T] >= end)
