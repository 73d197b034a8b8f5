"""Which open cell of a flood's grid a thing stands on, or stands nearest to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cim.model.grid import GridFrame

__all__ = ["open_cells"]


def open_cells(
    frame: GridFrame,
    open_: NDArray[np.bool_],
    x_m: NDArray[np.float64],
    y_m: NDArray[np.float64],
    *,
    reach_m: float,
) -> NDArray[np.int64]:
    """Return the flat index of the open cell of each point, -1 where there is none in reach.

    Parameters
    ----------
    frame
        Where the cells lie.
    open_
        (rows, cols) where water can be.
    x_m, y_m
        (n,) points in projected metres.
    reach_m
        How far the middle of the nearest open cell may lie from a point in a closed one.
    """
    row, col, inside = frame.cell_of(x_m, y_m)
    out = np.where(inside & open_[row, col], row * frame.cols + col, -1)
    around = int(np.ceil(reach_m / frame.cell_m)) + 1
    centre_x, centre_y = frame.centres()
    for i in np.flatnonzero(inside & (out < 0)):
        r0, r1 = max(0, row[i] - around), min(frame.rows, row[i] + around + 1)
        c0, c1 = max(0, col[i] - around), min(frame.cols, col[i] + around + 1)
        away = np.hypot(centre_x[None, c0:c1] - x_m[i], centre_y[r0:r1, None] - y_m[i])
        away = np.where(open_[r0:r1, c0:c1], away, np.inf)
        nearest = np.unravel_index(int(np.argmin(away)), away.shape)
        if away[nearest] <= reach_m:
            out[i] = (r0 + nearest[0]) * frame.cols + c0 + nearest[1]
    return out.astype(np.int64)
