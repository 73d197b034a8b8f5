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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange
from kernels.flood import sweep as at
from kernels.flood.edges import Edges, add_moved, beyond_m, hold_edges, ready
from kernels.flood.faces import Faces, no_faces
from kernels.flood.water import (
    GRAVITY,
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
    watch_row,
)

__all__ = ["advance", "warm"]

_BAND_ROWS = 32
# Places in the clock: time, its end, cell size, and how steps are chosen and watched.
_T, _END, _CELL, _ALPHA, _DT_MAX, _MOST_STEPS, _EVERY, _ARRIVED_M = range(8)
_FROM, _BEYOND_M, _CLOCK = range(8, 11)


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
    edge_kind: NDArray[np.int8]
    edge_value: Sums
    edge_flux: Sums


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
    numbers = np.zeros(at.NUMBERS, ground.bed_m.dtype)
    numbers[[at.THETA, at.SIDE, at.FROUDE, at.DRY, at.G]] = (
        theta,
        (1 - theta) / 2,
        froude,
        dry_m,
        GRAVITY,
    )
    numbers[[at.HALF, at.ONE, at.QUARTER, at.C43, at.C13]] = 0.5, 1.0, 0.25, 4.0 / 3.0, 1.0 / 3.0
    numbers[at.C4] = 4.0
    numbers[at.TINY] = 1e-20  # keeps a cell without outflow from dividing by zero
    numbers[at.KEEP] = 1.0 - 16.0 * np.finfo(numbers.dtype).eps
    rows, columns = ground.bed_m.shape
    bands = -(-(rows - 2) // _BAND_ROWS)
    seeds = np.zeros((bands, columns + 1), np.float32)
    work = _Work(
        clock,
        numbers,
        buffers=np.zeros((bands, at.BUFFERS, columns + 1), numbers.dtype),
        seeds=seeds,
        bits=seeds.view(np.int32),
        sums=np.zeros((rows, at.SUMS)),
        row_share=ground.rain_share.sum(axis=1, dtype=np.float64),
        row_drains=np.any(ground.drain_mps > 0, axis=1),
        rain_ends=rain_ends_s,
        rain_mps=rain_mps,
        edge_kind=edges.kind if held else np.empty(0, np.int8),
        edge_value=np.zeros(edges.kind.size),
        edge_flux=np.zeros(edges.kind.size),
    )
    faces = no_faces((rows - 2, columns - 2)) if faces is None else faces
    steps = _advance(ground, water, edges, faces, work)
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
def _advance(ground: Ground, water: Water, edges: Edges, faces: Faces, work: _Work) -> int:
    """Take time steps until the clock's end; an odd number of them ends in ``water.then``.

    The parallel loop sees plain arrays only: numba cannot hand it tuples that change places.
    """
    bed, friction, share, drain, opening = ground
    h, c, qx, qy = water.now
    h2, c2, qx2, qy2 = water.then
    peak, peak_s, arrival_s = water.peak_m, water.peak_s, water.arrival_s
    clock, numbers, buffers, seeds, bits, sums, row_share, row_drains = work[:8]
    ends, rates, edge_kind, edge_value, edge_flux = work[8:]
    first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y, weir = faces
    past = h.shape[0] - 1
    for j in range(1, past):
        sums[j, at.SUM_DEEPEST] = at.row_max(h[j])
    steps = 0
    while clock[_T] < clock[_END] and steps < clock[_MOST_STEPS]:
        deepest = clock[_BEYOND_M]
        for j in range(1, past):
            deepest = max(deepest, sums[j, at.SUM_DEEPEST])
        if not deepest < WALL_M / 2:
            break
        before = clock[_T]
        last = _set_step(clock, numbers, deepest, ends, rates)
        steps += 1
        if edge_kind.size:
            part = (before - clock[_FROM]) / max(clock[_END] - clock[_FROM], 1e-30)
            for e in range(edge_kind.size):
                edge_value[e] = edges.start[e] + part * (edges.end[e] - edges.start[e])
            hold_edges(edge_kind, edge_value, edges.curves,
                       Ground(bed, friction, share, drain, opening), State(h, c, qx, qy),
                       at.step_of(numbers), edge_flux)  # fmt: skip
        watch = last or (water.steps[0] + steps) % clock[_EVERY] == 0
        for b in prange(buffers.shape[0]):
            first = 1 + b * _BAND_ROWS
            end = min(past, first + _BAND_ROWS)
            rows = buffers[b]
            band = at.Band(numbers, rows[0:2], rows[2:5], rows[5:8], rows[8:12], seeds[b], bits[b],
                         sums, row_drains,
                         Faces(first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y,
                               weir), edge_kind, edge_flux)  # fmt: skip
            at.sweep_band((first, end), Ground(bed, friction, share, drain, opening),
                        State(h, c, qx, qy), State(h2, c2, qx2, qy2), band)  # fmt: skip
            if watch:
                for j in range(first, end):
                    watch_row(h2[j, 1:-1], peak[j - 1], peak_s[j - 1], arrival_s[j - 1],
                              clock[_T], clock[_ARRIVED_M])  # fmt: skip
        book(water.ledger, sums, row_share, np.float64(numbers[at.RAIN]),
             np.float64(numbers[at.DT_DX]), clock[_CELL] * clock[_CELL])  # fmt: skip
        if edge_kind.size:
            _count_edges(edges, qx2, qy2, np.float64(numbers[at.DT_DX]) * clock[_CELL] ** 2)
        h, c, qx, qy, h2, c2, qx2, qy2 = h2, c2, qx2, qy2, h, c, qx, qy
    water.steps[0] += steps
    return steps


@kernel
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


@kernel
def _set_step(
    clock: Sums, numbers: Floats, deepest: float, rain_ends: Sums, rain_mps: Sums
) -> bool:
    """Choose the time step, move the clock on, tell whether the clock's end is reached."""
    end, cell = clock[_END], clock[_CELL]
    dt = clock[_DT_MAX]
    if deepest > 0.0:
        dt = min(dt, clock[_ALPHA] * cell / math.sqrt(GRAVITY * deepest))
    clock[_T], dt, rate = next_step(clock[_T], end, dt, rain_ends, rain_mps)
    numbers[at.DT] = dt
    numbers[at.DT_DX] = dt / cell
    numbers[at.DX_DT] = cell / dt
    numbers[at.G_DT_DX] = GRAVITY * dt / cell
    numbers[at.RAIN] = rate * dt
    return bool(clock[_T] >= end)
