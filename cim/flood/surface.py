"""At what level water stands within a cell, over ground finer than the cell.

A cell holds one depth over its mean ground. Under a thin film the lower half of the cell is
wet and the upper half dry: a film of 2 cm on a cell that straddles a kerb is water in the
gutter, not on the footway. The level is the one at which the fine ground holds the cell's
volume; over ground that is all under water it is mean ground plus depth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cim.errors import ShapeError
from cim.model.grid import Grid, GridFrame

__all__ = ["FineGround", "fine_ground"]

Floats = NDArray[np.float64]

FILM_M = 1e-3
"""A thinner film is no water."""


@dataclass(frozen=True)
class FineGround:
    """Fine heights of every cell, (cells, n) ascending and NaN last, and how many are known."""

    heights_m: NDArray[np.float32]
    known: NDArray[np.int64]
    shape: tuple[int, int]

    def level_m(self, depth_m: NDArray[Any]) -> Floats:
        """Return the water level of cells (rows, cols) whose depth is given, NaN where dry."""
        out = np.full(depth_m.size, np.nan)
        depth = np.asarray(depth_m, np.float64).ravel()
        wet = np.flatnonzero((np.nan_to_num(depth) > FILM_M) & (self.known > 0))
        heights = self.heights_m[wet].astype(np.float64)
        held = depth[wet] * self.known[wet]
        below = np.zeros(len(wet))
        level = np.full(len(wet), np.nan)
        for k in range(heights.shape[1]):
            below += heights[:, k]
            last = k + 1 == heights.shape[1]
            above = np.full(len(wet), np.inf) if last else heights[:, k + 1]
            above = np.where(np.isnan(above), np.inf, above)
            here = (held + below) / (k + 1)
            level = np.where(np.isnan(level) & (here <= above), here, level)
        out[wet] = level
        return out.reshape(self.shape)


def fine_ground(terrain: Grid, frame: GridFrame) -> FineGround:
    """Gather the fine heights under every cell of a coarser frame.

    Raises
    ------
    ShapeError
        The cells of `frame` are not whole blocks of the terrain's.
    """
    factor = round(frame.cell_m / terrain.frame.cell_m)
    rows, cols = frame.shape
    fits = (rows * factor <= terrain.frame.rows) and (cols * factor <= terrain.frame.cols)
    if (
        factor < 1
        or not fits
        or (frame.west, frame.north)
        != (
            terrain.frame.west,
            terrain.frame.north,
        )
    ):
        raise ShapeError(
            "grid.shape",
            given=terrain.layer,
            values={"got": terrain.frame.shape, "want": (rows * factor, cols * factor)},
        )
    blocks = terrain.values[: rows * factor, : cols * factor].reshape(rows, factor, cols, factor)
    heights = blocks.transpose(0, 2, 1, 3).reshape(rows * cols, factor**2).copy()
    heights.sort(axis=1)
    return FineGround(heights, np.isfinite(heights).sum(axis=1), (rows, cols))
