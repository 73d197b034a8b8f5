"""How water moves over a grid, shocks included: the shallow water equations in finite volumes.

Mass and momentum are carried by the flux between the reconstructed states on both sides of a
face: HLLC (Toro 2001) with the speeds of Einfeldt and of a dry bed, on depths above the common
bed of the face (hydrostatic reconstruction, Audusse et al. 2004, in the form of Chen & Noelle
2017; below a step that water comes down, in the manner of Xia et al. 2017), which keeps a lake
at rest over any ground and lets a thin film run down any slope. Order 1 takes the cells' own
values; order 2 takes slopes of level, depth and velocity (monotonised central, van Leer 1977)
and the mean of two steps (Heun), with half the slopes beside a dry cell and none in one or
beside a closed cell. Friction is implicit in the point and never turns the water round. A
limiter lets no cell give more than it holds.

Good for dam breaks, jets, steep streets and jumps; for slow water over wide plains
`kernels.flood.inertial` costs less.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange, threads_for
from kernels.flood import finite_volume as fv
from kernels.flood.edges import (
    DISCHARGE,
    FREE,
    STAGE,
    WALL,
    Edges,
    add_moved,
    beyond_m,
    fill_edges,
    new_edges,
    ready,
)
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
    next_step,
    watch_row,
)

__all__ = ["DISCHARGE", "FREE", "STAGE", "WALL", "Edges", "advance", "new_edges", "new_moving",
           "warm"]  # fmt: skip

_BAND_ROWS = 64
_RUNAWAY_MPS = 1e6
_T, _END, _CELL, _COURANT, _DT_MAX, _EVERY, _ARRIVED, _FROM, _BEYOND_M, _CLOCK = range(10)


class _Work(NamedTuple):
    clock: Sums
    numbers: Floats
    buffers: Floats
    seeds: NDArray[np.float32]
    bits: NDArray[np.int32]
    sums: Sums
    value: Sums
    edge_flux: Floats
    edge_paid: Sums
    row_share: Sums
    rain_ends: Sums
    rain_mps: Sums


def new_moving(ground: Ground, *, depth_m: Floats | float = 0.0,
               u_mps: Floats | float = 0.0, v_mps: Floats | float = 0.0) -> Water:  # fmt: skip
    """Start with water of a depth and a velocity, (rows, columns), on open cells.

    The `flux_x` and `flux_y` of its states are the momenta h u and h v of the cells,
    (rows + 2, columns + 2), m²/s.
    """
    shape = ground.bed_m.shape
    now, then = (State(*(np.zeros(shape, ground.bed_m.dtype) for _ in range(4))) for _ in range(2))
    inside = (slice(1, -1), slice(1, -1))
    is_open = ground.bed_m[inside] < WALL_M / 2
    now.depth[inside] = np.where(is_open, depth_m, 0.0)
    now.flux_x[inside] = now.depth[inside] * u_mps
    now.flux_y[inside] = now.depth[inside] * v_mps
    return Water(
        now,
        then,
        peak_m=now.depth[inside].copy(),
        peak_s=np.zeros(is_open.shape, np.float32),
        arrival_s=np.full(is_open.shape, np.nan, np.float32),
        ledger=np.zeros(4),
        steps=np.zeros(1, np.int64),
    )


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
    order: int = 2,
    most_steps: int = 2**62,
    courant: float = 0.45,
    dry_m: float = 1e-6,
    longest_step_s: float = 10.0,
    arrival_m: float = 0.05,
    watch_every: int = 1,
) -> tuple[float, int]:
    """Move `water` on, in place, until `until_s` or for `most_steps` time steps.

    The answer does not depend on the number of threads.

    Parameters
    ----------
    ground, water
        From `kernels.flood.water.new_ground` and `new_moving`.
    cell_m
        Side of a cell, m.
    from_s, until_s
        Time now, and when to stop, s; a step ends exactly there.
    rain_ends_s, rain_mps
        (blocks) end of each block of rain, s, ascending, and its rate, m/s; none after the last.
    edges
        From `new_edges`; None for what the ground says.
    faces
        Thin walls and their gaps, from `new_faces`.
    order
        1 or 2, in space and time.
    courant
        Time step in units of cell_m / (speed + wave speed).
    dry_m
        Depth below which water does not move.
    longest_step_s
        Longest time step.
    arrival_m
        Depth whose first crossing `Water.arrival_s` remembers.
    watch_every
        Steps between two looks at peaks and arrivals (always at `until_s`).

    Returns
    -------
    (float, int)
        Time reached, s, and time steps taken; fewer than asked where a number ran away.

    References
    ----------
    Audusse et al. (2004), SIAM J. Sci. Comput. 25, 2050-2065.
    Chen & Noelle (2017), SIAM J. Numer. Anal. 55, 758-784.
    Xia, Liang, Ming & Hou (2017), Water Resour. Res. 53, 3730-3759.
    Toro (2001), Shock-Capturing Methods for Free-Surface Shallow Flows.
    """
    edges = ready(edges, ground)
    bed = ground.bed_m.copy()  # what lies beyond the edges is told by them, not by the ring
    bed[0], bed[-1], bed[:, 0], bed[:, -1] = WALL_M, WALL_M, WALL_M, WALL_M
    ground = ground._replace(bed_m=bed)
    rows, columns = ground.bed_m.shape
    clock = np.zeros(_CLOCK)
    clock[[_T, _END, _CELL, _COURANT, _DT_MAX]] = from_s, until_s, cell_m, courant, longest_step_s
    clock[[_EVERY, _ARRIVED, _FROM]] = watch_every, arrival_m, from_s
    clock[_BEYOND_M] = beyond_m(edges, ground)
    dtype = ground.bed_m.dtype
    numbers = np.zeros(fv.NUMBERS, dtype)
    numbers[[fv.G, fv.HALF_G, fv.DRY]] = GRAVITY, GRAVITY / 2, dry_m
    numbers[[fv.HALF, fv.ONE, fv.TWO, fv.QUARTER]] = 0.5, 1.0, 2.0, 0.25
    numbers[fv.FOUR], numbers[fv.C43], numbers[fv.C13] = 4.0, 4.0 / 3.0, 1.0 / 3.0
    numbers[fv.TINY] = 1e-20
    numbers[fv.KEEP] = 1.0 - 16.0 * np.finfo(dtype).eps
    numbers[fv.BIG], numbers[fv.STEEP] = WALL_M / 2, fv.THETA
    bands = -(-(rows - 2) // _BAND_ROWS)
    seeds = np.zeros((bands, columns), np.float32)
    work = _Work(
        clock,
        numbers,
        buffers=np.zeros((bands, fv.BUFFERS, columns + 1), dtype),
        seeds=seeds,
        bits=seeds.view(np.int32),
        sums=np.zeros((rows, fv.SUMS)),
        value=np.zeros(edges.kind.size),
        edge_flux=np.zeros((3, edges.kind.size), dtype),
        edge_paid=np.zeros(edges.kind.size),
        row_share=ground.rain_share.sum(axis=1, dtype=np.float64),
        rain_ends=rain_ends_s,
        rain_mps=rain_mps,
    )
    middle = water.now if order == 1 else State(*(np.zeros_like(a) for a in water.now))
    faces = no_faces((rows - 2, columns - 2)) if faces is None else faces
    with threads_for(ground.bed_m.size):
        steps = _advance(ground, water, middle, edges, faces, work, order, most_steps)
    if steps % 2 == 1:
        for now, then in zip(water.now, water.then, strict=True):
            np.copyto(now, then)
    return float(clock[_T]), steps


def warm() -> None:
    """Compile for float32 and float64."""
    from kernels.flood.water import new_ground

    for dtype in (np.float32, np.float64):
        ground = new_ground(np.zeros((2, 2)), cell_m=1.0, manning=0.03, dtype=dtype)
        rain = np.ones(1)
        advance(ground, new_moving(ground), cell_m=1.0, from_s=0.0, until_s=1.0,
                rain_ends_s=rain, rain_mps=rain)  # fmt: skip


@kernel(parallel=True)
def _advance(
    ground: Ground, water: Water, middle: State, edges: Edges, faces: Faces, work: _Work,
    order: int, most: int,
) -> int:  # fmt: skip
    """Take time steps until the clock's end; an odd number of them ends in ``water.then``.

    The parallel loop sees plain arrays only: numba cannot hand it tuples that change places.
    """
    bed, friction, share, drain, opening = ground
    h, c, hu, hv = water.now
    h2, c2, hu2, hv2 = water.then
    h1, c1, hu1, hv1 = middle
    clock, numbers, buffers, seeds, bits, sums, value = work[:7]
    edge_flux, edge_paid, row_share, ends, rates = work[7:]
    kind, start, finish, curves, moved_m3 = edges
    first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y, weir = faces[:9]
    first_sink, at_sink, sunk_m = faces[9:]
    past = h.shape[0] - 1
    beyond = math.sqrt(GRAVITY * clock[_BEYOND_M])
    fastest = max(_fastest(h, hu, hv, numbers), beyond)
    steps = 0
    while clock[_T] < clock[_END] and steps < most and fastest < _RUNAWAY_MPS:
        before = clock[_T]
        last = _set_step(clock, numbers, fastest, ends, rates)
        steps += 1
        for stage in range(order):
            now_s = before if stage == 0 else clock[_T]
            share_of_end = (now_s - clock[_FROM]) / max(clock[_END] - clock[_FROM], 1e-30)
            for e in range(value.size):
                value[e] = start[e] + share_of_end * (finish[e] - start[e])
            if stage == 0:
                sh, sc, su, sv = h, c, hu, hv
            else:
                sh, sc, su, sv = h1, c1, hu1, hv1
            if stage == 0 and order == 2:
                th, tc, tu, tv = h1, c1, hu1, hv1
            else:
                th, tc, tu, tv = h2, c2, hu2, hv2
            fill_edges(kind, value, curves, Ground(bed, friction, share, drain, opening),
                       State(sh, sc, su, sv), float(numbers[fv.DRY]), edge_flux)  # fmt: skip
            for b in prange(buffers.shape[0]):
                first = 1 + b * _BAND_ROWS
                end = min(past, first + _BAND_ROWS)
                walls = Faces(first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y,
                              weir, first_sink, at_sink, sunk_m)  # fmt: skip
                band = fv.Band(numbers, buffers[b], seeds[b], bits[b], sums, edge_flux, edge_paid,
                               walls)  # fmt: skip
                fv.sweep_band((first, end), Ground(bed, friction, share, drain, opening),
                              State(sh, sc, su, sv), State(h, c, hu, hv), State(th, tc, tu, tv),
                              band, order, stage == 1)  # fmt: skip
            area_m2 = clock[_CELL] * clock[_CELL] * (1.0 / order)
            book(water.ledger, sums, row_share, np.float64(numbers[fv.RAIN]),
                 np.float64(numbers[fv.DT_DX]), area_m2)  # fmt: skip
            for e in range(kind.size):
                if kind[e] != WALL:
                    add_moved(moved_m3, e, edge_paid[e] * np.float64(numbers[fv.DT_DX]) * area_m2)
        fastest = beyond
        for j in range(1, past):
            fastest = max(fastest, sums[j, fv.SUM_FASTEST])
        h, c, hu, hv, h2, c2, hu2, hv2 = h2, c2, hu2, hv2, h, c, hu, hv
        if last or (water.steps[0] + steps) % clock[_EVERY] == 0:
            for j in range(1, past):
                watch_row(h[j, 1:-1], water.peak_m[j - 1], water.peak_s[j - 1],
                          water.arrival_s[j - 1], clock[_T], clock[_ARRIVED])  # fmt: skip
    water.steps[0] += steps
    return steps


@kernel
def _fastest(h: Floats, hu: Floats, hv: Floats, numbers: Floats) -> float:
    """Largest speed of a wave or of water along an axis, m/s."""
    found = 0.0
    for j in range(1, h.shape[0] - 1):
        for i in range(1, h.shape[1] - 1):
            if h[j, i] > 0.0:
                depth = np.float64(h[j, i])
                speed = max(abs(np.float64(hu[j, i])), abs(np.float64(hv[j, i])))
                found = max(found, speed / max(depth, np.float64(numbers[fv.DRY]))
                            + math.sqrt(GRAVITY * depth))  # fmt: skip
    return found


@kernel
def _set_step(
    clock: Sums, numbers: Floats, fastest: float, rain_ends: Sums, rain_mps: Sums
) -> bool:
    """Choose the time step, move the clock on, tell whether the clock's end is reached."""
    end, cell = clock[_END], clock[_CELL]
    dt = clock[_DT_MAX]
    if fastest > 0.0:
        dt = min(dt, clock[_COURANT] * cell / fastest)
    clock[_T], dt, rate = next_step(clock[_T], end, dt, rain_ends, rain_mps)
    numbers[fv.DT] = dt
    numbers[fv.DT_DX] = dt / cell
    numbers[fv.DX_DT] = cell / dt
    numbers[fv.RAIN] = rate * dt
    return bool(clock[_T] >= end)
