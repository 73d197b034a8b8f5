"""What a flood on a grid is made of: the ground, the water on it, and how both are laid out.

Arrays of the ground and of the moving water carry a ring of one ghost cell, which
holds the edges of the domain. Row 0 is whatever the caller's row 0 is; x runs
along columns, y along rows, fluxes are positive towards higher indices, and face i
lies before cell i.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = [
    "EDGES",
    "GRAVITY",
    "LEDGER",
    "SUM_CLIPPED",
    "SUM_DRAINED",
    "SUM_OUT",
    "WALLS",
    "WALL_M",
    "Floats",
    "Ground",
    "State",
    "Sums",
    "Water",
    "book",
    "new_ground",
    "new_water",
    "next_step",
    "stored_m3",
    "watch_row",
]

Floats = NDArray[Any]
Sums = NDArray[np.float64]

GRAVITY = 9.81

WALL_M = 1e30
"""Bed of a closed cell: dry and higher than any water, so nothing flows over its faces."""

EDGES = ("first_row", "last_row", "first_column", "last_column")
"""Order of the four edges of the domain."""

WALLS = (-1.0, -1.0, -1.0, -1.0)
"""Edge slopes of a domain closed all around."""

LEDGER = ("rain_m3", "drained_m3", "outflow_m3", "clipped_m3")
# Places in the per-row sums that every solver has.
SUM_DRAINED, SUM_CLIPPED, SUM_OUT = range(3)
"""What `Water.ledger` adds up; clipped is water made where rounding went below zero."""


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
    """What changes: the state, room for the next one (none in place), and what is remembered.

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
        friction=laid(GRAVITY * np.square(manning), edges=True),
        rain_share=laid(rain_share, edges=False),
        drain_mps=laid(drain_mps, edges=False),
        opening=np.array([slope >= 0 for slope in edge_slope], dtype=dtype),
    )


def new_water(ground: Ground, *, depth_m: Floats | float = 0.0) -> Water:
    """Start with still water of `depth_m` (rows, columns) on open cells."""
    rows, columns = ground.bed_m.shape
    shapes = ((rows, columns), (rows, columns), (rows, columns + 1), (rows + 1, columns))
    now = State(*(np.zeros(s, ground.bed_m.dtype) for s in shapes))
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
        State(*(np.zeros((0, 0), ground.bed_m.dtype) for _ in shapes)),
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


@kernel
def book(
    ledger: Sums, sums: Sums, row_share: Sums, rain_m: float, dt_dx: float, area_m2: float
) -> None:
    """Add one step's volumes to the ledger, row after row: the same for any number of threads.

    `sums` (rows, 3 or more) drained and clipped metres and the flux out, `row_share` (rows,)
    cells' shares of the rain, `rain_m` what fell, `dt_dx` the step over the width of a cell.
    """
    rained, drained, clipped, out = 0.0, 0.0, 0.0, 0.0
    for j in range(1, sums.shape[0] - 1):
        rained += row_share[j]
        drained += sums[j, SUM_DRAINED]
        clipped += sums[j, SUM_CLIPPED]
        out += sums[j, SUM_OUT]
    ledger[0] += rained * rain_m * area_m2
    ledger[1] += drained * area_m2
    ledger[2] += out * dt_dx * area_m2
    ledger[3] += clipped * area_m2


@kernel
def next_step(
    t: float, end: float, longest_s: float, rain_ends: Sums, rain_mps: Sums
) -> tuple[float, float, float]:
    """Time after the next step, its length, and the rain in it, m/s.

    Steps are cut evenly so that one ends where the rain changes, and one at the end.
    """
    rate, stop = 0.0, end
    for k in range(rain_ends.size):
        if t < rain_ends[k]:
            rate = rain_mps[k]
            stop = min(end, rain_ends[k])
            break
    parts = math.ceil((stop - t) / longest_s)
    dt = (stop - t) / parts
    return (stop if parts <= 1 else t + dt), dt, rate


@kernel(part=True, apart=True)
def watch_row(
    depth: Floats, peak: Floats, peak_s: Floats, arrival_s: Floats, time_s: float, arrived_m: float
) -> None:
    """Remember the largest depth, its time, and the first time above the arrival depth."""
    now, arrived = np.float32(time_s), depth.dtype.type(arrived_m)
    for i in range(depth.size):
        before = peak_s[i]  # read in any case: a choice of loads does not vectorise
        peak_s[i] = now if depth[i] > peak[i] else before
    for i in range(depth.size):
        peak[i] = max(peak[i], depth[i])
    for i in range(depth.size):
        before = arrival_s[i]
        arrival_s[i] = now if depth[i] > arrived and np.isnan(before) else before
