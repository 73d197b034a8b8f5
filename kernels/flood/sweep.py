"""One time step of the local inertial equations for a run of columns in a band of rows.

The state changes in place: a row is overwritten as soon as no flux needs the old one.
The row of faces between two bands is worked out before any band moves, so a limited
flux is the same number on both its sides whoever computes it, and no sum depends on
who ran first.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.edges import FREE
from kernels.flood.faces import Faces, held_back, sink_row
from kernels.flood.rows import (
    DRY,
    DT,
    DT_DX,
    FROUDE,
    Bits,
    Cells,
    Fluxes,
    Limited,
    copy_row,
    faces,
    fill,
    fill_and_drain,
    limit_row,
    limited,
    limits,
    watch_bits,
)
from kernels.flood.water import Floats, Ground, State, Sums

__all__ = [
    "BETWEEN",
    "BUFFERS",
    "DRAINED",
    "LIMITED",
    "MISSED",
    "Scratch",
    "Special",
    "between_bands",
    "fill_ring",
    "step_of",
    "sweep_run",
]


BUFFERS, BETWEEN = 9, 8
"""Rows of scratch that a band needs, and the faces between two."""

# Scratch rows: raw fluxes and limiters of two rows each, the band's last faces, what drains take.
_FX, _FY, _KEEP, _LAST, DRAINED, MISSED = 0, 2, 4, 6, 7, 8
# The row of faces between two bands, raw and limited; and what it took: of the rows of cells
# above and below it the flux through their column faces, their other row of faces, their limiters.
_RAW, LIMITED, _ABOVE_X, _ABOVE_Y, _ABOVE_KEEP, _BELOW_X, _BELOW_Y, _BELOW_KEEP = range(8)


class Special(NamedTuple):
    """Faces that are no open ground: thin walls, and edge cells that say what goes through them.

    `edge_kind` and `edge_flux` are of `kernels.flood.edges`, or empty where the ring says it all.
    """

    faces: Faces
    edge_kind: NDArray[np.int8]
    edge_flux: Sums


class Scratch(NamedTuple):
    """Room of one band: rows of the grid's type, largest bits by column, flux over the sides."""

    rows: Floats
    highest: Bits
    over_sides: Sums


@kernel(part=True)
def between_bands(
    j: int, run: tuple[int, int], ground: Ground, now: State, numbers: Floats, special: Special,
    out: Floats,
) -> None:  # fmt: skip
    """Work out the faces between rows j-1 and j over the columns of `run`; nothing moves."""
    a, b = run
    past = now.depth.shape[0] - 1
    qy = now.flux_y
    for k in range(max(1, j - 1), min(past, j + 1) + 1):
        fy = out[_ABOVE_Y] if k < j else (out[_BELOW_Y] if k > j else out[_RAW])
        _row_faces(fy, k, run, ground, now, qy[k + 1], numbers, special)
        if k in (1, past):
            _one_way(fy[a:b], k == past)
            _row_edge(fy, k == past, run, now, special)
    for row in range(max(1, j - 1), min(past - 1, j) + 1):
        fx, keep = out[_BELOW_X], out[_BELOW_KEEP]
        up, down = out[_RAW], out[_BELOW_Y]
        if row < j:
            fx, keep, up, down = out[_ABOVE_X], out[_ABOVE_KEEP], out[_ABOVE_Y], out[_RAW]
        _column_faces(fx, row, run, ground, now, qy[row + 1], numbers, special)
        _limits(keep, row, run, now, fx, up, down, numbers)
    if j == 1:
        out[_ABOVE_KEEP, a:b] = 1.0  # what lies beyond an edge can pay
    if j == past:
        out[_BELOW_KEEP, a:b] = 1.0
    limit_row(out[LIMITED, a:b], out[_RAW, a:b], out[_ABOVE_KEEP, a:b], out[_BELOW_KEEP, a:b])


@kernel(part=True)
def sweep_run(
    span: tuple[int, int], run: tuple[int, int], ground: Ground, now: State, numbers: Floats,
    special: Special, bits: Bits, scratch: Scratch, above: Floats,
    below: Floats, drains: bool,
) -> None:  # fmt: skip
    """Move the cells of rows `span` and columns `run` on by one time step, in place.

    Row j is updated when the limiter of row j+1 is known. `drains` tells whether any cell of
    the run has one.
    """
    first, end = span
    a, b = run
    rows = scratch.rows
    rows[DRAINED : MISSED + 1, a:b] = 0.0
    scratch.highest[a:b] = 0
    scratch.over_sides[:] = 0.0
    for j in range(first, end + 1):
        if first < j < end - 1:
            k = j + 1
            fx, fy_next = rows[_FX + j % 2], rows[_FY + k % 2]
            fy = rows[_FY + j % 2] if j > first + 1 else above[_BELOW_Y]
            if k == end - 1:
                fy_next = below[_ABOVE_Y]
            else:
                _row_faces(fy_next, k, run, ground, now, now.flux_y[k + 1], numbers, special)
            _column_faces(fx, j, run, ground, now, now.flux_y[k], numbers, special)
            _limits(rows[_KEEP + j % 2], j, run, now, fx, fy, fy_next, numbers)
        if j > first:
            _finish_row(j - 1, span, run, ground, now, numbers, bits, scratch, above, below,
                        special, drains)  # fmt: skip


@kernel(part=True)
def fill_ring(span: tuple[int, int], run: tuple[int, int], opening: Floats, now: State) -> None:
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
        _beyond(h[0, a:b], h[1, a:b], opening[0])
        copy_row(qx[0, a:ahead], qx[1, a:ahead])
        copy_row(qy[0, a:b], qy[1, a:b])
    if end == past:
        _beyond(h[past, a:b], h[past - 1, a:b], opening[1])
        copy_row(qx[past, a:ahead], qx[past - 1, a:ahead])
        copy_row(qy[past + 1, a:b], qy[past, a:b])


@kernel(part=True)
def _beyond(out: Floats, row: Floats, opening: float) -> None:
    """Depth beyond an edge: that before it, or none beyond a wall."""
    for i in range(out.size):
        out[i] = opening * row[i]


@kernel(part=True)
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
    faces(
        out[a:end],
        Cells(h[a - 1 : end - 1], bed[a - 1 : end - 1], friction[a - 1 : end - 1]),
        Cells(h[a:end], bed[a:end], friction[a:end]),
        Fluxes(q[a:end], q[a - 1 : end - 1], q[a + 1 : end + 1], qy[a - 1 : end - 1],
                qy_next[a - 1 : end - 1], qy[a:end], qy_next[a:end]),
        numbers,
    )  # fmt: skip
    held_back(out, j, True, (a, end), special.faces, ground, now, step_of(numbers))
    first = 2 * (m - 1) + j - 1  # place of the row among the edge cells
    if b < m:
        out[b] = 0.0
    else:
        out[m] = max(out[m], np.float64(0.0))
        _edge_face(out, m, first + now.depth.shape[0] - 2, special)
    if a == 1:
        out[1] = min(out[1], np.float64(0.0))
        _edge_face(out, 1, first, special)


@kernel(part=True)
def _row_faces(
    out: Floats, k: int, run: tuple[int, int], ground: Ground, now: State, after: Floats,
    numbers: Floats, special: Special,
) -> None:  # fmt: skip
    """Raw flux through the faces between rows k-1 and k."""
    a, b = run
    j = k - 1
    h, bed, friction, qy = now.depth, ground.bed_m, ground.friction, now.flux_y
    q, q_next = now.flux_x[j], now.flux_x[k]
    faces(
        out[a:b],
        Cells(h[j, a:b], bed[j, a:b], friction[j, a:b]),
        Cells(h[k, a:b], bed[k, a:b], friction[k, a:b]),
        Fluxes(qy[k, a:b], qy[j, a:b], after[a:b],
                q[a:b], q[a + 1 : b + 1], q_next[a:b], q_next[a + 1 : b + 1]),
        numbers,
    )  # fmt: skip
    held_back(out, k, False, run, special.faces, ground, now, step_of(numbers))


@kernel(part=True)
def step_of(numbers: Floats) -> tuple[float, float, float, float]:
    """Time step, its ratio to the width of a cell, dry depth, largest Froude number."""
    return float(numbers[DT]), float(numbers[DT_DX]), float(numbers[DRY]), float(numbers[FROUDE])


@kernel(part=True)
def _edge_face(flux: Floats, face: int, edge: int, special: Special) -> None:
    """Put what an edge cell says in the place of the flux over it."""
    if special.edge_kind.size and special.edge_kind[edge] != FREE:
        flux[face] = special.edge_flux[edge]


@kernel(part=True)
def _row_edge(flux: Floats, last: bool, run: tuple[int, int], now: State, special: Special) -> None:
    """Put what the edge says in place of the fluxes over the first or the last row's edge."""
    first = now.depth.shape[1] - 2 if last else 0
    if special.edge_kind.size:
        for i in range(run[0], run[1]):
            _edge_face(flux, i, first + i - 1, special)


@kernel(part=True)
def _one_way(flux: Floats, last: bool) -> None:
    """Let water out only through the first or the last row's edge."""
    for i in range(flux.size):
        if (flux[i] < 0.0) if last else (flux[i] > 0.0):
            flux[i] = 0.0


@kernel(part=True)
def _limits(
    keep: Floats, j: int, run: tuple[int, int], now: State, fx: Floats, fy: Floats, fy_next: Floats,
    numbers: Floats,
) -> None:  # fmt: skip
    """Part of its outflow that each cell of row j can pay for; all where it is beyond an edge."""
    a, b = run
    limits(keep[a:b], now.depth[j, a:b], now.carry[j, a:b], fx[a : b + 1], fy[a:b], fy_next[a:b],
           numbers)  # fmt: skip
    if a == 1:
        keep[0] = 1.0
    if b == now.depth.shape[1] - 1:
        keep[b] = 1.0


@kernel(part=True)
def _finish_row(
    j: int, span: tuple[int, int], run: tuple[int, int], ground: Ground, now: State,
    numbers: Floats, bits: Bits, scratch: Scratch, above: Floats,
    below: Floats, special: Special, drains: bool,
) -> None:  # fmt: skip
    """Limit the faces of row j and update its depth."""
    first, end = span
    a, b = run
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    rows = scratch.rows
    fx, keep = rows[_FX + j % 2], rows[_KEEP + j % 2]
    fy, keep_next = rows[_FY + (j + 1) % 2], rows[_KEEP + (j + 1) % 2]
    if j == first:
        fx, keep, fy = above[_BELOW_X], above[_BELOW_KEEP], above[_BELOW_Y]
        copy_row(now.flux_y[j, a:b], above[LIMITED, a:b])
    elif j == end - 1:
        fx, keep, fy, keep_next = (
            below[_ABOVE_X],
            below[_ABOVE_KEEP],
            below[_RAW],
            below[_BELOW_KEEP],
        )
    if j + 1 == end - 1:
        fy, keep_next = below[_ABOVE_Y], below[_ABOVE_KEEP]
    h, c, qx = now.depth[j, a:b], now.carry[j, a:b], now.flux_x[j]
    raw = Limited(fx[a : b + 1], keep[a - 1 : b + 1], fy[a:b], keep_next[a:b], now.flux_y[j, a:b])
    # The faces between two bands belong to the band after them.
    last = now.flux_y[j + 1] if j + 1 < end or end == past else rows[_LAST]
    if drains:
        fill_and_drain(h, c, qx[a:b], last[a:b], raw, ground.rain_share[j, a:b],
                       ground.drain_mps[j, a:b], rows[DRAINED, a:b], rows[MISSED, a:b],
                       numbers)  # fmt: skip
    else:
        fill(h, c, qx[a:b], last[a:b], raw, ground.rain_share[j, a:b], numbers)
    sink_row(j, h, a, special.faces)
    watch_bits(bits[j, a:b], scratch.highest[a:b])
    if a == 1:
        scratch.over_sides[0] -= np.float64(qx[1])
    if b == m:
        qx[m] = limited(fx[m], keep[m - 1], keep[m])
        scratch.over_sides[1] += np.float64(qx[m])
