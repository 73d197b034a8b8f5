"""What moving water does at its worst: speed, hazard rating and lost hold, in one look."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels._jit import kernel
from kernels.flood.water import GRAVITY, State

__all__ = ["FAST", "Seen", "look", "new_seen", "warm"]

FAST = 7
"""Bit of `Seen.bits` that says that the flow was too fast for the equations."""


class Seen(NamedTuple):
    """What looks at moving water have kept, (rows, columns).

    `speed_mps`, `hazard_m2_s` the largest, `long_s` time deeper than the lane depth, `bits` bit
    k where the k-th lost hold, bit `FAST` where the flow was faster than the Froude number asked.
    """

    speed_mps: NDArray[np.float32]
    hazard_m2_s: NDArray[np.float32]
    long_s: NDArray[np.float32]
    bits: NDArray[np.uint8]


def new_seen(shape: tuple[int, int]) -> Seen:
    """Start with nothing seen."""
    speed, hazard, long = (np.zeros(shape, np.float32) for _ in range(3))
    return Seen(speed, hazard, long, np.zeros(shape, np.uint8))


@kernel
def look(
    state: State, seen: Seen, limits: NDArray[np.float64], speed_limits: NDArray[np.float64],
    depth_limits: NDArray[np.float64], since_s: float,
) -> float:  # fmt: skip
    """Keep the worst of every cell, in place; return the least depth of all.

    Parameters
    ----------
    state
        Of either solver: fluxes through faces, or momenta of cells; the speed of a cell is the
        mean flux of its faces by its depth.
    seen
        From `new_seen`.
    limits
        (4) depth, m, below which a cell is not looked at; DF of d (v + 0.5) + DF (Defra FD2321),
        m²/s; depth, m, whose duration is kept; Froude number.
    speed_limits, depth_limits
        (k) depth times speed, m²/s, and depth, m, above which the k-th loses hold.
    since_s
        Time since the last look.
    """
    depth, _, flux_x, flux_y = state
    rows, columns = seen.speed_mps.shape
    in_cells = flux_x.shape[1] == depth.shape[1]
    wet_m, debris, lane_m, froude = limits
    least = np.inf
    for r in range(rows):
        for c in range(columns):
            d = float(depth[r + 1, c + 1])
            least = min(least, d)
            if not d > wet_m:
                continue
            along, across = float(flux_x[r + 1, c + 1]), float(flux_y[r + 1, c + 1])
            if not in_cells:
                along = 0.5 * (along + float(flux_x[r + 1, c + 2]))
                across = 0.5 * (across + float(flux_y[r + 2, c + 1]))
            through = math.sqrt(along * along + across * across)
            speed = through / d
            seen.speed_mps[r, c] = max(seen.speed_mps[r, c], np.float32(speed))
            rating = d * (speed + 0.5) + debris
            seen.hazard_m2_s[r, c] = max(seen.hazard_m2_s[r, c], np.float32(rating))
            if d > lane_m:
                seen.long_s[r, c] += np.float32(since_s)
            bits = 0
            for k in range(len(speed_limits)):
                if through > speed_limits[k] or d > depth_limits[k]:
                    bits |= 1 << k
            if speed * speed > froude * froude * GRAVITY * d:
                bits |= 1 << FAST
            if bits:
                seen.bits[r, c] |= np.uint8(bits)
    return least


def warm() -> None:
    """Compile the kernel for both types and both kinds of water."""
    limits = np.ones(4)
    for dtype in (np.float32, np.float64):
        for faces in (0, 1):
            state = State(*(np.zeros(s, dtype) for s in (
                (3, 3), (3, 3), (3, 3 + faces), (3 + faces, 3))))  # fmt: skip
            look(state, new_seen((1, 1)), limits, limits, limits, 0.0)
