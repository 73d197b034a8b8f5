"""Blocks and bands of the shock-capturing solver: which are moved together, looked at, copied."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.blocks import COLUMNS, ROWS, Blocks, next_run
from kernels.flood.riemann import ZERO
from kernels.flood.rows import row_max
from kernels.flood.settling import fastest
from kernels.flood.stage import WIDEST, Border, Stage, sweep_run
from kernels.flood.water import Floats, Ground, State, Sums

__all__ = [
    "copy_blocks",
    "largest",
    "look_at_speeds",
    "move_group",
    "note_touched",
]


@kernel
def largest(quick: Floats, least: float) -> float:
    """Largest speed of a wave or of water along an axis, m/s, from those of the blocks."""
    found = least
    for b in range(quick.shape[0]):
        for k in range(quick.shape[1]):
            found = max(found, np.float64(quick[b, k]))
    return found


@kernel
def look_at_speeds(b: int, now: State, numbers: Floats, most: Floats, quick: Floats) -> None:
    """Find the fastest wave in each block of band `b`; `most` is room for a row."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    most[:] = numbers[ZERO]
    for j in range(1 + b * ROWS, min(1 + b * ROWS + ROWS, past)):
        fastest(most[1:m], most[:0], now.depth[j, 1:m], now.flux_x[j, 1:m],
                    now.flux_y[j, 1:m], numbers)  # fmt: skip
    for k in range(quick.shape[1]):
        quick[b, k] = row_max(most[1 + k * COLUMNS : min(m, 1 + k * COLUMNS + COLUMNS)])


@kernel
def note_touched(touched: NDArray[np.uint8], awake: NDArray[np.uint8]) -> None:
    """Remember which blocks have been awake."""
    for b in range(awake.shape[0]):
        for k in range(awake.shape[1]):
            touched[b, k] |= awake[b, k]


@kernel
def copy_blocks(flags: NDArray[np.uint8], chosen: int, now: State, to: State) -> None:
    """Copy the blocks whose flag is the chosen one."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    for j in range(1, past):
        for k in range(flags.shape[1] - 2):
            if flags[1 + (j - 1) // ROWS, k + 1] == chosen:
                for i in range(1 + k * COLUMNS, min(m, 1 + k * COLUMNS + COLUMNS)):
                    to.depth[j, i] = now.depth[j, i]
                    to.carry[j, i] = now.carry[j, i]
                    to.flux_x[j, i] = now.flux_x[j, i]
                    to.flux_y[j, i] = now.flux_y[j, i]


@kernel
def move_group(
    g: int, ground: Ground, now: State, then: State, border: Border, numbers: Floats,
    rows: Floats, drained: Sums, blocks: Blocks, quick: Floats, size: int, order: int, mean: bool,
) -> None:  # fmt: skip
    """One stage in the awake blocks of a group of `size` bands, those of like bands at once."""
    past, m = now.depth.shape[0] - 1, now.depth.shape[1] - 1
    b, stop = g * size, min(g * size + size, blocks.share.size)
    while b < stop:
        below = b + 1
        while below < stop and _same(blocks.awake, b + 1, below + 1):
            below += 1
        awake = blocks.awake[b + 1]
        first, end = next_run(awake, awake, 0)
        while first < end:
            end = min(end, first + WIDEST)
            drains = False
            for i in range(b, below):
                for k in range(first - 1, end - 1):
                    drains = drains or blocks.drained[i, k] > 0
            stage = Stage(1 + b * ROWS, min(1 + below * ROWS, past), 1 + (first - 1) * COLUMNS,
                          min(m, 1 + (end - 1) * COLUMNS), order, mean, mean or order == 1,
                          drains, past + 1, m + 1)  # fmt: skip
            sweep_run(stage, ground, now, then, border, numbers, rows, drained, blocks, quick)
            first, end = next_run(awake, awake, end)
        b = below


@kernel
def _same(awake: NDArray[np.uint8], a: int, b: int) -> bool:
    """Tell whether the same blocks of two bands are awake."""
    unlike = 0
    for k in range(awake.shape[1]):
        unlike += awake[a, k] != awake[b, k]
    return unlike == 0
