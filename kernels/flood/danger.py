"""What moving water does at its worst: speed, hazard rating and lost hold, in one look."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel

__all__ = ["look", "warm"]

Floats = NDArray[Any]


@kernel
def look(
    depth: Floats,
    flux_x: Floats,
    flux_y: Floats,
    wet_m: float,
    debris_m2_s: float,
    speed_limits: NDArray[np.float64],
    depth_limits: NDArray[np.float64],
    speed_mps: NDArray[np.float32],
    hazard_m2_s: NDArray[np.float32],
    unsafe: NDArray[np.uint8],
) -> None:
    """Keep the largest speed and hazard rating of every cell, and who lost hold there.

    Parameters
    ----------
    depth, flux_x, flux_y
        (rows+2, columns+2), (rows+2, columns+3), (rows+3, columns+2): m, m²/s through faces, with
        the ring; the speed of a cell is the mean flux of its faces by its depth.
    wet_m
        Shallower cells are not looked at.
    debris_m2_s
        DF of d (v + 0.5) + DF (Defra FD2321).
    speed_limits, depth_limits
        (k) depth times speed, m²/s, and depth, m, above which the k-th loses hold.
    speed_mps, hazard_m2_s, unsafe
        (rows, columns), changed in place; `unsafe` has bit k set for the k-th.
    """
    rows, columns = speed_mps.shape
    for r in range(rows):
        for c in range(columns):
            d = float(depth[r + 1, c + 1])
            if not d > wet_m:
                continue
            along = 0.5 * (float(flux_x[r + 1, c + 1]) + float(flux_x[r + 1, c + 2]))
            across = 0.5 * (float(flux_y[r + 1, c + 1]) + float(flux_y[r + 2, c + 1]))
            through = math.sqrt(along * along + across * across)
            speed = through / d
            speed_mps[r, c] = max(speed_mps[r, c], np.float32(speed))
            rating = d * (speed + 0.5) + debris_m2_s
            hazard_m2_s[r, c] = max(hazard_m2_s[r, c], np.float32(rating))
            bits = 0
            for k in range(len(speed_limits)):
                if through > speed_limits[k] or d > depth_limits[k]:
                    bits |= 1 << k
            unsafe[r, c] |= np.uint8(bits)


def warm() -> None:
    """Compile the kernel for both types of water."""
    limits = np.ones(1)
    for dtype in (np.float32, np.float64):
        look(
            np.zeros((3, 3), dtype), np.zeros((3, 4), dtype), np.zeros((4, 3), dtype), 0.1, 0.5,
            limits, limits, np.zeros((1, 1), np.float32), np.zeros((1, 1), np.float32),
            np.zeros((1, 1), np.uint8),
        )  # fmt: skip
