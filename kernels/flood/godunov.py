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
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel, prange, threads, threads_for
from kernels.flood import riemann as at
from kernels.flood.blocks import (
    Blocks,
    Seen,
    hold_rained,
    look_over,
    mind_edges,
    mind_walls,
    new_blocks,
    settle,
    wake,
    watch_band,
)
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
from kernels.flood.rows import POWER
from kernels.flood.spans import (
    copy_blocks,
    largest,
    look_at_speeds,
    move_group,
    note_touched,
)
from kernels.flood.stage import BUFFERS, WIDTH, Border
from kernels.flood.water import (
    GRAVITY,
    SUM_OUT,
    WALL_M,
    Floats,
    Ground,
    State,
    Sums,
    Water,
    book,
    next_step,
)

__all__ = ["DISCHARGE", "FREE", "STAGE", "WALL", "Edges", "advance", "new_edges", "new_moving",
           "warm"]  # fmt: skip

_MOST_BANDS = 8  # of blocks that a thread takes at a time: every group finds 6 rows again
_RUNAWAY_MPS = 1e6
_T, _END, _CELL, _COURANT, _DT_MAX, _EVERY, _ARRIVED, _FROM, _BEYOND_M, _CLOCK = range(10)

Bits = NDArray[np.signedinteger[Any]]


class _Work(NamedTuple):
    """Room and numbers of one call."""

    room: tuple[Sums, Floats, Floats, Sums, Floats, Sums, Floats]
    look: tuple[Bits, Bits, Bits, Sums, Floats]
    sums: Sums
    value: Sums
    row_share: Sums
    rain_ends: Sums
    rain_mps: Sums
    size: int
    skip_dry: bool


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
    skip_dry: bool = True,
) -> tuple[float, int]:
    """Move `water` on, in place, until `until_s` or for `most_steps` time steps.

    The answer does not depend on how a span is cut by `most_steps`, nor on the number of threads,
    nor on `skip_dry`. Every call looks over the whole grid once: calls of many steps are cheaper.

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
    skip_dry
        Leave out the blocks of the grid where nothing can move.

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
    rows, columns = ground.bed_m.shape
    clock = np.zeros(_CLOCK)
    clock[[_T, _END, _CELL, _COURANT, _DT_MAX]] = from_s, until_s, cell_m, courant, longest_step_s
    clock[[_EVERY, _ARRIVED, _FROM]] = watch_every, arrival_m, from_s
    clock[_BEYOND_M] = beyond_m(edges, ground)
    dtype = ground.bed_m.dtype
    whole = np.int32 if dtype == np.float32 else np.int64
    blocks = new_blocks(ground)
    bands = blocks.share.size
    size = min(max(bands // (4 * threads()), 1), _MOST_BANDS)
    groups, wide = -(-bands // size), min(WIDTH, columns + 8)
    work = _Work(
        room=(
            clock,
            _numbers(dtype, dry_m),
            np.zeros((groups, BUFFERS, wide), dtype),
            np.zeros((groups, 1, wide)),
            np.zeros((3, edges.kind.size), dtype),
            np.zeros(edges.kind.size),
            np.zeros(blocks.deepest.shape, dtype),
        ),
        look=(
            water.now.depth.view(whole),
            np.zeros((bands, columns), whole),
            np.zeros((bands, columns), whole),
            np.zeros((bands, columns)),
            np.zeros((bands, columns), dtype),
        ),
        sums=np.zeros((bands + 2, 3)),
        value=np.zeros(edges.kind.size),
        row_share=np.zeros(bands + 2),
        rain_ends=rain_ends_s,
        rain_mps=rain_mps,
        size=size,
        skip_dry=skip_dry,
    )
    faces = no_faces((rows - 2, columns - 2)) if faces is None else faces
    with threads_for(ground.bed_m.size):
        steps = _advance(ground, water, edges, faces, work, blocks, order, most_steps)
    return float(clock[_T]), steps


def _numbers(dtype: np.dtype[Any], dry_m: float) -> Floats:
    """Numbers that no step changes, in the grid's own type."""
    numbers = np.zeros(at.NUMBERS, dtype)
    numbers[[at.G, at.HALF_G, at.DRY, at.BIG]] = GRAVITY, GRAVITY / 2, dry_m, WALL_M / 2
    numbers[[at.HALF, at.ONE, at.TWO, at.QUARTER]] = 0.5, 1.0, 2.0, 0.25
    numbers[at.TINY] = 1e-20  # keeps still water from dividing by zero
    numbers[at.KEEP] = 1.0 - 16.0 * np.finfo(dtype).eps
    return numbers


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
    ground: Ground, water: Water, edges: Edges, faces: Faces, work: _Work, blocks: Blocks,
    order: int, most: int,
) -> int:  # fmt: skip
    """Take time steps until the clock's end.

    Order 1 goes from one state to the other and back; order 2 takes its first stage to the other
    and its mean back. The parallel loops see plain arrays only: numba cannot hand them tuples.
    """
    bed, friction, share, drain, opening = ground
    h, c, hu, hv = water.now
    h2, c2, hu2, hv2 = water.then
    peak, peak_s, arrival_s = water.peak_m, water.peak_s, water.arrival_s
    clock, numbers, rows, drained, edge_flux, edge_paid, quick = work.room
    bits, high_bits, flags, shares, drains = work.look
    awake, level, seen, rained_on, has_drain, thin, deep, deep_bits, left, band_share = blocks
    first_x, at_x, crest_x, share_x, first_y, at_y, crest_y, share_y, weir = faces[:9]
    first_sink, at_sink, sunk_m = faces[9:]
    bands, size = band_share.size, work.size
    for b in prange(bands):
        look_over(b, Ground(bed, friction, share, drain, opening), State(h, c, hu, hv), bits, peak,
                  clock[_ARRIVED], Seen(high_bits[b], flags[b], shares[b], drains[b]),
                  Blocks(awake, level, seen, rained_on, has_drain, thin, deep, deep_bits, left,
                         band_share))  # fmt: skip
        look_at_speeds(b, State(h, c, hu, hv), numbers, drains[b], quick)
    work.row_share[1:-1] = band_share
    mind_walls(faces, blocks)
    touched = np.zeros_like(awake)
    steps = 0
    while clock[_T] < clock[_END] and steps < most:
        fastest = largest(quick, math.sqrt(GRAVITY * clock[_BEYOND_M]))
        deepest = settle(blocks, np.float64(numbers[at.DRY]))
        if not (deepest < WALL_M / 2 and fastest < _RUNAWAY_MPS):
            break
        before = clock[_T]
        last = _set_step(clock, numbers, fastest, work.rain_ends, work.rain_mps)
        hold_rained(blocks, numbers[at.RAIN] > 0.0)
        steps += 1
        watch = last or (water.steps[0] + steps) % clock[_EVERY] == 0
        for stage in range(order):
            _set_edges(work.value, edges, clock, before if stage == 0 else clock[_T])
            edge_paid[:] = 0.0
            if stage == 0:
                sh, sc, su, sv, th, tc, tu, tv = h, c, hu, hv, h2, c2, hu2, hv2
            else:
                sh, sc, su, sv, th, tc, tu, tv = h2, c2, hu2, hv2, h, c, hu, hv
            fill_edges(edges.kind, work.value, edges.curves, ground, State(sh, sc, su, sv),
                       float(numbers[at.DRY]), edge_flux)  # fmt: skip
            mind_edges(edge_flux[0], (h.shape[0] - 2, h.shape[1] - 2), blocks)
            wake(blocks, numbers[at.RAIN] > 0.0, not work.skip_dry)
            note_touched(touched, awake)
            if steps == 1 and stage == 0:
                copy_blocks(awake, 0, State(h, c, hu, hv), State(h2, c2, hu2, hv2))
            for g in prange(rows.shape[0]):
                move_group(g, Ground(bed, friction, share, drain, opening),
                            State(sh, sc, su, sv), State(th, tc, tu, tv),
                            Border(edge_flux, edge_paid,
                                   Faces(first_x, at_x, crest_x, share_x, first_y, at_y, crest_y,
                                         share_y, weir, first_sink, at_sink, sunk_m)),
                            numbers, rows[g], drained[g],
                            Blocks(awake, level, seen, rained_on, has_drain, thin, deep, deep_bits,
                                   left, band_share), quick, size, order, stage == 1)  # fmt: skip
                if watch and stage + 1 == order:
                    for b in range(g * size, min(g * size + size, bands)):
                        watch_band(b, th, peak, peak_s, arrival_s, clock[_T], clock[_ARRIVED],
                                   seen)  # fmt: skip
            area_m2 = clock[_CELL] * clock[_CELL] * (1.0 / order)
            _count(edges, edge_paid, np.float64(numbers[at.DT_DX]) * area_m2, left, work.sums)
            book(water.ledger, work.sums, work.row_share, np.float64(numbers[at.RAIN]),
                 np.float64(numbers[at.DT_DX]), area_m2)  # fmt: skip
        if order == 1:
            h, c, hu, hv, h2, c2, hu2, hv2 = h2, c2, hu2, hv2, h, c, hu, hv
    if order == 1 and steps % 2 == 1:
        copy_blocks(touched, 1, State(h, c, hu, hv), State(h2, c2, hu2, hv2))
    water.steps[0] += steps
    return steps


@kernel
def _set_edges(value: Sums, edges: Edges, clock: Sums, now_s: float) -> None:
    """What each edge cell says at an instant: linear between the beginning and the end."""
    part = (now_s - clock[_FROM]) / max(clock[_END] - clock[_FROM], 1e-30)
    for e in range(value.size):
        value[e] = edges.start[e] + part * (edges.end[e] - edges.start[e])


@kernel
def _count(edges: Edges, paid: Sums, m3_per_flux: float, left: Sums, sums: Sums) -> None:
    """Add up by band what left the blocks, and count what went through each edge cell."""
    for b in range(left.shape[0]):
        for place in range(left.shape[2]):
            total = 0.0
            for k in range(left.shape[1]):
                total += left[b, k, place]
            sums[b + 1, place] = total
    out = 0.0
    for e in range(paid.size):
        out -= paid[e]
        if edges.kind[e] != WALL:
            add_moved(edges.moved_m3, e, paid[e] * m3_per_flux)
    sums[1, SUM_OUT] = out


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
    numbers[at.DT] = dt
    numbers[at.DT_DX] = dt / cell
    numbers[at.DX_DT] = cell / dt
    numbers[at.RAIN] = rate * dt
    for k in range(len(POWER)):
        numbers[at.P0 + k] = 4.0 * POWER[k] * dt
    return bool(clock[_T] >= end)
