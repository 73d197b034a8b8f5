"""Which colour has every cell of a grid, by a table between two values?"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from kernels._jit import kernel

__all__ = ["lay_over", "tint"]


@kernel
def tint(
    values: npt.NDArray[np.float32], table: npt.NDArray[np.uint8], low: float, high: float,
    above: float, out: npt.NDArray[np.uint8],
) -> None:  # fmt: skip
    """Write the colour of every cell.

    Parameters
    ----------
    values
        (rows, cols) float32; NaN is clear.
    table
        (k, 4) uint8, colours from `low` to `high`; values beyond have those of the ends.
    low, high
        Values of the first and the last colour.
    above
        Cells at or below it are clear; -inf for none.
    out
        (rows, cols, 4) uint8, written.
    """
    last = len(table) - 1
    share = np.float32(last / (high - low)) if high > low else np.float32(0.0)
    least, limit = np.float32(low), np.float32(above)
    for r in range(values.shape[0]):
        for c in range(values.shape[1]):
            value = values[r, c]
            if not value > limit:  # NaN too
                out[r, c, 0], out[r, c, 1], out[r, c, 2], out[r, c, 3] = 0, 0, 0, 0
                continue
            at = (value - least) * share
            k = 0 if at <= 0 else last if at >= last else int(at + np.float32(0.5))
            for i in range(4):
                out[r, c, i] = table[k, i]


@kernel
def lay_over(
    cells: npt.NDArray[np.uint8], base: npt.NDArray[np.uint8], out: npt.NDArray[np.uint8]
) -> None:
    """Write cells over an image that has a whole number of its pixels for each.

    Parameters
    ----------
    cells
        (rows, cols, 4) uint8.
    base
        (k rows, k cols, 4) uint8: what is seen where cells are clear.
    out
        (k rows + 2, k cols + 2, 4) uint8, written inside its rim of one pixel.
    """
    k = base.shape[0] // cells.shape[0]
    for r in range(base.shape[0]):
        for c in range(base.shape[1]):
            cell, below, made = cells[r // k, c // k], base[r, c], out[r + 1, c + 1]
            share = int(cell[3])
            for i in range(3):
                made[i] = (int(cell[i]) * share + int(below[i]) * (255 - share) + 127) // 255
            made[3] = max(cell[3], below[3])


def warm() -> None:
    """Compile for the types pictures use."""
    cell = np.zeros((1, 1, 4), np.uint8)
    lay_over(cell, cell, np.zeros((3, 3, 4), np.uint8))
    tint(np.zeros((1, 1), np.float32), np.zeros((2, 4), np.uint8), 0.0, 1.0, 0.0,
         np.zeros((1, 1, 4), np.uint8))  # fmt: skip
