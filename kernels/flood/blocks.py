"""Which parts of a grid have water to move: blocks of cells, chosen anew at every time step.

A block sleeps while it and its eight neighbours lie under no more water than may flow
(`dry_m`, or any at all where there are drains), have been so for two steps, and get no
rain. Its faces then carry nothing, its depths stay bit for bit what a sweep over
everything would make them, and water is a neighbour for a step before it can enter.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.faces import Faces
from kernels.flood.rows import row_sum
from kernels.flood.water import WALL_M, Floats, Ground, State, Sums, watch_row

__all__ = [
    "COLUMNS",
    "ROWS",
    "Blocks",
    "Seen",
    "hold_rained",
    "look_over",
    "mind_edges",
    "mind_walls",
    "new_blocks",
    "next_run",
    "settle",
    "wake",
    "watch_band",
]

ROWS, COLUMNS = 32, 64
"""Cells of a block; the columns are a whole number of vectors of any CPU."""

_OPEN, _SHUT = 4, 2  # flag of a cell that is not closed; of a block in which all are
_MOVING = 2  # steps for which a block stays awake after its last water has stopped


Bits = NDArray[np.signedinteger[Any]]


class Blocks(NamedTuple):
    """(bands, blocks) of the grid, those with a ring of sleepers where it says so.

    `awake`, `level` (ring): swept in this step; steps left to stay so. `seen`: swept since the
    last look at the peaks. `rained_on` (1; 2 where all cells are closed and no sink lies: never
    swept), `drained`, `thin` (where any depth may flow: drains, thin walls): static.
    `deepest` m and its bits share memory.
    `sums` (…, 3) of the last step: metres drained, made to reach zero, flux over the edges.
    `share` (bands) sum of the rain shares.
    """

    awake: NDArray[np.uint8]
    level: NDArray[np.uint8]
    seen: NDArray[np.uint8]
    rained_on: NDArray[np.uint8]
    drained: NDArray[np.uint8]
    thin: NDArray[np.uint8]
    deepest: Floats
    bits: Bits
    sums: Sums
    share: Sums


def new_blocks(ground: Ground) -> Blocks:
    """Lay blocks over a grid, all asleep."""
    rows, columns = (n - 2 for n in ground.bed_m.shape)
    bands, blocks = -(-rows // ROWS), -(-columns // COLUMNS)
    awake, level = (np.zeros((bands + 2, blocks + 2), np.uint8) for _ in range(2))
    seen, rained_on, drained, thin = (np.zeros((bands, blocks), np.uint8) for _ in range(4))
    deepest = np.zeros((bands, blocks), ground.bed_m.dtype)
    bits: Bits = deepest.view(np.int32 if deepest.dtype == np.float32 else np.int64)
    sums, share = np.zeros((bands, blocks, 3)), np.zeros(bands)
    return Blocks(awake, level, seen, rained_on, drained, thin, deepest, bits, sums, share)


class Seen(NamedTuple):
    """Room for what a look over a band sees by column: a row each, all zero or overwritten."""

    bits: Bits
    flags: Bits
    share: Sums
    drain: Floats


@kernel(part=True)
def look_over(
    b: int, ground: Ground, now: State, bits: Bits, peak: Floats, arrived_m: float, seen: Seen,
    blocks: Blocks,
) -> None:  # fmt: skip
    """See what lies in the blocks of band `b`: water that may have come from anywhere."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    first = 1 + b * ROWS
    for i in range(m):
        seen.bits[i], seen.flags[i], seen.share[i], seen.drain[i] = 0, 0, 0.0, 0.0
    for j in range(first, min(past, first + ROWS)):
        _look_at_row(seen.bits[1:m], bits[j, 1:m], seen.share[1:m], ground.rain_share[j, 1:m],
                     seen.drain[1:m], ground.drain_mps[j, 1:m])  # fmt: skip
        _note_motion(seen.flags[1:m], now.depth[j, 1:m], now.carry[j, 1:m], now.flux_x[j, 1:m],
                     now.flux_y[j, 1:m], peak[j - 1])  # fmt: skip
        _note_open(seen.flags[1:m], ground.bed_m[j, 1:m])
    blocks.share[b] = row_sum(seen.share[1:m])
    for k in range(blocks.deepest.shape[1]):
        deepest, flags, rain, drain = seen.bits[1 + k * COLUMNS], 0, 0, 0
        for i in range(1 + k * COLUMNS, min(m, 1 + k * COLUMNS + COLUMNS)):
            deepest = max(deepest, seen.bits[i])
            flags |= seen.flags[i]
            rain |= seen.share[i] > 0.0
            drain |= seen.drain[i] > 0.0
        blocks.bits[b, k] = deepest
        blocks.rained_on[b, k] = rain if flags & _OPEN > 0 else _SHUT
        blocks.drained[b, k], blocks.thin[b, k] = drain, drain
        blocks.level[b + 1, k + 1] = _MOVING * (flags & 1)
        blocks.awake[b + 1, k + 1] = 1
        blocks.seen[b, k] = flags & 2 > 0 or float(blocks.deepest[b, k]) > arrived_m


@kernel(part=True)
def _look_at_row(
    most: Bits, bits: Bits, shares: Sums, share: Floats, drains: Floats, drain: Floats
) -> None:
    """Keep the largest bits (of numbers >= 0 they are ordered as the numbers are), add shares."""
    for i in range(bits.size):
        most[i] = max(most[i], bits[i])
    for i in range(bits.size):
        shares[i] += share[i]
    for i in range(bits.size):
        drains[i] = max(drains[i], drain[i])


@kernel(part=True)
def _note_motion(flags: Bits, h: Floats, c: Floats, qx: Floats, qy: Floats, peak: Floats) -> None:
    """Set 1 where faces carry water or the carry belongs to the depth, 2 above the last peak."""
    for i in range(h.size):
        still = (qx[i] == 0.0) & (qy[i] == 0.0) & (h[i] + c[i] == h[i])
        flags[i] |= 0 if still else 1
    for i in range(h.size):
        flags[i] |= 2 if h[i] > peak[i] else 0


@kernel(part=True)
def _note_open(flags: Bits, bed: Floats) -> None:
    """Set 4 where a cell is not closed."""
    for i in range(flags.size):
        flags[i] |= _OPEN if bed[i] < WALL_M / 2 else 0


@kernel(part=True)
def _place(blocks: Blocks, j: int, i: int) -> tuple[int, int]:
    """Block of a cell, the ring of cells counted; of one beyond an edge, that inside of it."""
    bands, many = blocks.deepest.shape
    return min(max(j - 1, 0) // ROWS, bands - 1), min(max(i - 1, 0) // COLUMNS, many - 1)


@kernel(part=True)
def mind_walls(faces: Faces, blocks: Blocks) -> None:
    """Note the blocks on both sides of thin walls: any film above a crest flows over it.

    Not so at ways out; but a block with a sink is swept when its neighbours are.
    """
    for r in range(faces.first_sink.size - 1):
        for f in range(faces.first_sink[r], faces.first_sink[r + 1]):
            b, k = _place(blocks, r, faces.at_sink[f])
            if blocks.rained_on[b, k] == _SHUT:
                blocks.rained_on[b, k] = 0
    for r in range(faces.first_x.size - 1):
        for f in range(faces.first_x[r], faces.first_x[r + 1]):
            for back in range(2 if faces.share_x[f] >= 0.0 else 0):
                b, k = _place(blocks, r, faces.at_x[f] - back)
                blocks.thin[b, k] = 1
    for r in range(faces.first_y.size - 1):
        for f in range(faces.first_y[r], faces.first_y[r + 1]):
            for back in range(2 if faces.share_y[f] >= 0.0 else 0):
                b, k = _place(blocks, r - back, faces.at_y[f])
                blocks.thin[b, k] = 1


@kernel(part=True)
def mind_edges(edge_flux: Sums, cells: tuple[int, int], blocks: Blocks) -> None:
    """Wake the blocks into or out of which water goes over an edge; `cells` rows, columns."""
    rows, columns = cells
    for e in range(edge_flux.size):
        if edge_flux[e] != 0.0:
            if e < 2 * columns:
                b, k = _place(blocks, 1 if e < columns else rows, e % columns + 1)
            else:
                f = e - 2 * columns
                b, k = _place(blocks, f % rows + 1, 1 if f < rows else columns)
            blocks.level[b + 1, k + 1] = _MOVING


@kernel
def settle(blocks: Blocks, dry_m: float) -> float:
    """Note where water can still flow; the largest depth anywhere, infinite where it ran away."""
    out = 0.0
    bands, many = blocks.deepest.shape
    for b in range(bands):
        for k in range(many):
            depth = float(blocks.deepest[b, k])
            if not depth < WALL_M / 2:
                return np.inf
            out = max(out, depth)
            if blocks.awake[b + 1, k + 1]:
                if depth > (0.0 if blocks.thin[b, k] else dry_m):
                    blocks.level[b + 1, k + 1] = _MOVING
                elif blocks.level[b + 1, k + 1] > 0:
                    blocks.level[b + 1, k + 1] -= 1
    return out


@kernel
def wake(blocks: Blocks, raining: bool, everything: bool) -> None:
    """Choose the blocks of this step: where water is or falls, and their neighbours."""
    bands, many = blocks.deepest.shape
    level = blocks.level
    for b in range(bands):
        for k in range(many):
            near = 0
            for i in range(b, b + 3):
                near |= level[i, k] | level[i, k + 1] | level[i, k + 2]
            wet = near > 0 or (raining and blocks.rained_on[b, k] == 1)
            on = everything or (wet and blocks.rained_on[b, k] != _SHUT)
            blocks.awake[b + 1, k + 1] = on
            if on:
                blocks.seen[b, k] = 1
            else:
                blocks.sums[b, k] = 0.0


@kernel(part=True)
def next_run(awake: NDArray[np.uint8], also: NDArray[np.uint8], start: int) -> tuple[int, int]:
    """First run of blocks from `start` of which either row is awake, (first, end); empty: none."""
    k = start
    while k < awake.size and not (awake[k] or also[k]):
        k += 1
    end = k
    while end < awake.size and (awake[end] or also[end]):
        end += 1
    return k, end


@kernel(part=True)
def hold_rained(blocks: Blocks, raining: bool) -> None:
    """Let the blocks that get rain stay awake a step longer than it, for solvers of two states."""
    for b in range(blocks.rained_on.shape[0]):
        for k in range(blocks.rained_on.shape[1]):
            if raining and blocks.rained_on[b, k] == 1:
                blocks.level[b + 1, k + 1] = _MOVING


@kernel(part=True)
def watch_band(
    b: int, h: Floats, peak: Floats, peak_s: NDArray[np.float32], arrival_s: NDArray[np.float32],
    time_s: float, arrived_m: float, seen: NDArray[np.uint8],
) -> None:  # fmt: skip
    """Look at the peaks of the blocks that have moved since the last look."""
    past, m = h.shape[0] - 1, h.shape[1] - 1
    first, end = next_run(seen[b], seen[b], 0)
    while first < end:
        a, z = 1 + first * COLUMNS, min(m, 1 + end * COLUMNS)
        for j in range(1 + b * ROWS, min(1 + b * ROWS + ROWS, past)):
            watch_row(h[j, a:z], peak[j - 1, a - 1 : z - 1], peak_s[j - 1, a - 1 : z - 1],
                      arrival_s[j - 1, a - 1 : z - 1], time_s, arrived_m)  # fmt: skip
        first, end = next_run(seen[b], seen[b], end)
    seen[b] = 0
